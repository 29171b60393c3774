#include <Python.h>

#include "extension.h"

static void handle(int signal)
{
	(void)signal;
	hf_interrupt();
}

void catch_interrupt(struct interrupt *ret)
{
	struct sigaction action = {.sa_handler = handle}; /* no SA_RESTART: waits end, too */

	hf_interrupt_clear();
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, &ret->old);
}

void release_interrupt(const struct interrupt *i)
{
	sigaction(SIGINT, &i->old, NULL);
	hf_interrupt_clear();
}
