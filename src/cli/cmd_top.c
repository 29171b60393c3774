#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	if (args->field)
		return hf_top_field(s, args->field, args->limit, (const struct hf_top **)ret);
	return hf_top(s, args->by, args->limit, (const struct hf_top **)ret);
}

const struct hf_command hf_command_top = {
	.name = "top",
	.summary = "what there is most of, and who alone holds it",
	.words = "",
	.takes = HF_TAKES_LIMIT | HF_TAKES_BY,
	.detail = "--by type (the default): live objects, most bytes first, and what the objects of a type "
		  "retain together.\n"
		  "--by root, --by goroutine: what only this variable, or the goroutines of this function, "
		  "hold; what several\n"
		  "roots hold together is a row of its own. --by object: the objects that retain most.\n"
		  "--by site: where it was allocated, as the program samples that itself "
		  "(runtime.MemProfileRate): "
		  "in use and\n"
		  "in all, scaled as pprof does; retained by the samples alone.\n"
		  "--by field:TYPE.FIELD (field:can.Frame.ID, field:main.Request.Header.Tenant): the objects "
		  "of a "
		  "type by the\n"
		  "value of a field; text and bytes need --show-values.\n"
		  "Retained: what would be garbage without it. Exact, by dominators.",
	.example = "holdfast top -p 1234 --by root --limit 5",
	.example_says = "the five variables or goroutines that hold most",
	.ask = ask,
};
