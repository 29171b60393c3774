#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	(void)args;
	return hf_overview(s, (const struct hf_overview **)ret);
}

const struct hf_command hf_command_memstats = {
	.name = "memstats",
	.summary = "runtime.MemStats, field by field, without the program's help",
	.words = "",
	.detail = "What runtime.ReadMemStats would have said when the process was stopped, each field by its "
		  "name, "
		  "with what it\n"
		  "means. overview --json has the same for each heap.",
	.example = "holdfast memstats -p 1234",
	.example_says = "the figures that the program's own dashboard would show",
	.ask = ask,
};
