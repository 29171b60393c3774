#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_dominators_options options = {
		.size = sizeof(options),
		.depth = args->depth,
		.max = args->max,
		.min_bytes = args->min_bytes,
		.min_share = args->min_share,
	};

	return hf_dominators(s, args->words, args->words_n, &options,
			     (const struct hf_dominator_trees **)ret);
}

const struct hf_command hf_command_dominators = {
	.name = "dominators",
	.summary = "the tree of who alone holds what, as du shows folders",
	.words = "[ADDR|NAME...]",
	.takes = HF_TAKES_DEPTH | HF_TAKES_MIN | HF_TAKES_MAX,
	.max = 10,
	.detail =
		"Each line is garbage as soon as the one that it is indented under is: its retained bytes "
		"are "
		"a part of that\n"
		"one's. Retained = own + the lines below. Objects of one type in one place are one line, but "
		"for "
		"those that\n"
		"stand out; lists, trees, and a map's inner parts are one line, too. What several roots hold "
		"stands apart.\n"
		"The tree begins at the roots, or at each word: an object, a root (main.cache, main.worker), "
		"a type's objects.",
	.example = "holdfast dominators -p 1234 main.cache --min 1M",
	.example_says = "where the memory that main.cache alone holds is, in pieces of 1 MiB and more",
	.ask = ask,
};
