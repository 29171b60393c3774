/* The first thread ends and the process runs on: /proc/PID is a zombie's, the memory is alive. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *run(void *arg)
{
	(void)arg;
	usleep(100 * 1000); /* so that the first thread is gone when we say so */
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, NULL))
		return 1;
	pthread_exit(NULL);
}
