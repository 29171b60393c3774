#include "fault.h"

#ifdef HF_FAULT_INJECTION
#include "../base/base.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned long count, wanted;
static bool active;

void hf_fault_begin(const char *verb)
{
	const char *text = getenv("HF_FAULT");
	size_t n = strlen(verb);

	active = text && !strncmp(text, verb, n) && text[n] == ':';
	wanted = active ? strtoul(text + n + 1, NULL, 10) : 0;
	count = 0;
}

void hf_fault_point(const char *step)
{
	if (!active)
		return;
	count++;
	if (!wanted)
		fprintf(stderr, "fault %lu: %s\n", count, step);
	if (count == wanted)
		kill(getpid(), SIGKILL);
}
#else
/* No translation unit may be empty. */
typedef int hf_fault_is_not_built_in;
#endif
