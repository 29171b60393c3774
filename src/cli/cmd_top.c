#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_top(s, args->by, args->limit, (const struct hf_top **)ret);
}

const struct hf_command hf_command_top = {
	.name = "top",
	.summary = "what there is most of, by type or by root",
	.words = "",
	.takes = HF_TAKES_LIMIT | HF_TAKES_BY,
	.detail = "Live objects, most bytes first. --by type (the default), or --by root: each object is "
		  "counted once, under\n"
		  "the root that is nearest to it.",
	.example = "holdfast top -p 1234 --by root --limit 5",
	.example_says = "the five variables or goroutines that hold most",
	.ask = ask,
};
