/* A C program that waits: what a tool for Go heaps must recognise as something else. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	char *held = malloc(100000);

	printf("{\"truth\":\"ready\",\"pid\":%d}\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
	free(held);
}
