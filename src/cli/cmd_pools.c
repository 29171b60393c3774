#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_pools(s, args->limit, (const struct hf_pools_answer **)ret);
}

const struct hf_command hf_command_pools = {
	.name = "pools",
	.summary = "object pools: what waits in them, what that retains, who has what is out",
	.words = "",
	.takes = HF_TAKES_LIMIT,
	.detail = "Every sync.Pool, by its variable or by the type and field of the objects that have one.\n"
		  "idle: what its waiting items alone retain, which emptying it would free; largest: of one "
		  "item;\n"
		  "out: live objects of the items' type that do not wait, wherever they come from (?: the "
		  "type is not\n"
		  "known), with who holds them.\n"
		  "With --pool-file FILE the pools that FILE describes, too (docs/howto/pool-file.md): out "
		  "are those "
		  "of their\n"
		  "slots that are not in the free list. For these any program will do.",
	.example = "holdfast pools -p 1234",
	.example_says = "what sync.Pool keeps, and the few buffers that are most of it",
	.ask = ask,
};
