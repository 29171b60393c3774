/* tracer PID: traces a process, says so, and holds on until its standard input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int pid = argc > 1 ? atoi(argv[1]) : 0;
	char byte;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL)) {
		perror("tracer");
		return 1;
	}
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", pid);
	fflush(stdout);
	if (read(0, &byte, 1) < 0)
		return 1;
	return 0; /* the kernel detaches */
}
