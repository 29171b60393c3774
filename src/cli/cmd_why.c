#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_why(s, args->words, args->words_n, args->max, (const struct hf_why **)ret);
}

const struct hf_command hf_command_why = {
	.name = "why",
	.summary = "what holds an object, what a variable points to, or the objects of a type",
	.words = "ADDR|VAR|TYPE...",
	.takes = HF_TAKES_MAX,
	.detail = "Chains of pointers from a root (a variable, a goroutine, a finalizer) to the object, each "
		  "from another\n"
		  "root, the shortest first. For a type: its objects grouped by what leads to them, one "
		  "chain a group.",
	.example = "holdfast why -p 1234 main.Session",
	.example_says = "what keeps the sessions alive",
	.ask = ask,
};
