#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_snap(s, args->output, (const struct hf_snap **)ret);
}

const struct hf_command hf_command_snap = {
	.name = "snap",
	.summary = "write a core file to ask later; gdb opens it, too",
	.words = "",
	.takes = HF_TAKES_OUTPUT,
	.needs = HF_TAKES_OUTPUT,
	.detail = "Memory that was never touched is left out. The file holds what the process's memory "
		  "holds, secrets\n"
		  "included: it is readable by its owner alone.",
	.example = "holdfast snap -p 1234 -o leaky.core && holdfast -c leaky.core",
	.example_says = "the same page, of the moment of the snap",
	.ask = ask,
};
