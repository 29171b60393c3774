#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_slack(s, args->limit, (const struct hf_slack **)ret);
}

const struct hf_command hf_command_slack = {
	.name = "slack",
	.summary = "what small views keep of larger blocks, and room that nothing uses",
	.words = "",
	.takes = HF_TAKES_LIMIT,
	.detail = "Sub-slices, substrings and pointers into larger blocks, capacity beyond length, maps that "
		  "shrank, large empty\n"
		  "channels, by the field, variable or local that holds them. Wasted: of a block, what no "
		  "view of "
		  "anyone sees;\n"
		  "it is counted once, to the holder with most views of it. Hidden: what pointers in wasted "
		  "bytes "
		  "keep, where\n"
		  "the program cannot see them. What rounding to size classes adds is not counted.",
	.example = "holdfast slack -p 1234 --limit 5",
	.example_says = "the five fields whose small views keep most",
	.ask = ask,
};
