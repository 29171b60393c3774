#include "commands.h"

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	return hf_info(s, args->words, args->words_n, (const struct hf_info **)ret);
}

const struct hf_command hf_command_info = {
	.name = "info",
	.summary = "what is at an address, or in a global variable",
	.words = "ADDR|VAR...",
	.detail = "Heap: the object, its type, live or garbage. Code: function, file and line. Else: what is "
		  "mapped there.\n"
		  "Addresses are hexadecimal with 0x, or decimal. A global variable (main.cache, "
		  "main.state.users) "
		  "means\n"
		  "what it points to, or itself where it is no pointer; with & before it always itself.\n"
		  "--show-values prints the contents of strings and bytes.",
	.example = "holdfast info -p 1234 0xc000123400",
	.example_says = "the object that holds this address",
	.ask = ask,
};
