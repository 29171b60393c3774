#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_goroutines(s, args->limit, (const struct hf_goroutines **)ret);
}

const struct hf_command hf_command_goroutines = {
	.name = "goroutines",
	.summary = "goroutines, in groups that do and wait for the same",
	.words = "",
	.takes = HF_TAKES_LIMIT,
	.detail = "How many run the same function, created by the same one, waiting for the same; how long "
		  "the oldest has\n"
		  "waited; the stack of one of them.",
	.example = "holdfast goroutines -p 1234",
	.example_says = "a group of thousands that wait in one place is a leak",
	.ask = ask,
};
