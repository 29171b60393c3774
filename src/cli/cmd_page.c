#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	(void)args;
	return hf_page(s, (const struct hf_page **)ret);
}

const struct hf_command hf_command_page = {
	.name = "page",
	.summary = "a page to paste into a ticket (the default)",
	.words = "",
	.detail = "The verdict first: is it the heap at all. Then where the memory is, what there is most "
		  "of, what holds\n"
		  "it, who waits, one example chain, and what to ask next.",
	.example = "holdfast -p 1234",
	.example_says = "everything at a glance",
	.ask = ask,
};
