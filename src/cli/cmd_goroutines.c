#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_goroutines_options options = {
		.size = sizeof(options), .limit = args->limit, .filter = args->filter};

	return hf_goroutines(s, &options, (const struct hf_goroutines **)ret);
}

const struct hf_command hf_command_goroutines = {
	.name = "goroutines",
	.summary = "goroutines, in groups that do and wait for the same",
	.words = "",
	.takes = HF_TAKES_LIMIT | HF_TAKES_FILTER,
	.detail =
		"How many run the same function, created by the same one, waiting for the same; how long "
		"the oldest has\n"
		"waited; what would be garbage without them; the stack of one of them. Leaked: nothing that "
		"can still run\n"
		"reaches what they wait on (a channel, a lock, a wait group, a condition), so that nothing "
		"can wake them.",
	.example = "holdfast goroutines -p 1234 --filter 'http\\.\\(\\*conn\\)\\.serve'",
	.example_says = "what the goroutines of HTTP connections wait for, and which of them are leaked",
	.ask = ask,
};
