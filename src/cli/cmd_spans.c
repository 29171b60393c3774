#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_spans(s, args->limit, (const struct hf_spans **)ret);
}

const struct hf_command hf_command_spans = {
	.name = "spans",
	.summary = "what the heap's pages are used for, by size of object",
	.words = "",
	.takes = HF_TAKES_LIMIT,
	.detail = "A line for each size of slot: spans, live objects, free slots, what is lost to tails and "
		  "to rounding "
		  "up;\n"
		  "which spans caches and central lists hold. Large objects by type (--limit: lines of "
		  "these). Pages in "
		  "no\n"
		  "span, and which of them the system has back. What fragmentation costs, in one line.",
	.example = "holdfast spans -p 1234",
	.example_says = "why HeapInuse is more than what is live",
	.ask = ask,
};
