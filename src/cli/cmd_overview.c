#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	(void)args;
	return hf_overview(s, (const struct hf_overview **)ret);
}

const struct hf_command hf_command_overview = {
	.name = "overview",
	.summary = "is it the heap at all? where the memory is",
	.words = "",
	.detail = "Shares of the memory that the process (its cgroup, where it has one) is charged with, the "
		  "heap beside\n"
		  "the runtime's own counters, the collector's state, the build, and what the system says.",
	.example = "holdfast overview -p 1234 --json",
	.example_says = "the same as one JSON object",
	.ask = ask,
};
