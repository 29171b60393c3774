#include "cli.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define IMPATIENT_S 1

static volatile sig_atomic_t caught_before;
static struct timespec caught_at; /* by the handler alone */

static void handle(int signal)
{
	struct timespec now;

	(void)signal;
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* The kernel detaches a tracer that exits, and the target runs on. */
	if (caught_before && now.tv_sec - caught_at.tv_sec <= IMPATIENT_S)
		_exit(130);
	caught_before = 1;
	caught_at = now;
	hf_interrupt();
}

void hf_cli_catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = handle}, old;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < HF_LEN(signals); i++)
		sigaddset(&action.sa_mask, signals[i]);
	/* No SA_RESTART: waits end with EINTR. A signal that was ignored (nohup) stays so. */
	for (size_t i = 0; i < HF_LEN(signals); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}
