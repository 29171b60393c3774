#include "cli.h"

static void add_all(struct hf_str *ret)
{
	hf_str_add(ret,
		   "holdfast " HF_VERSION ": what holds the memory of a process\n\n"
		   "  holdfast -p PID                  a page on a live process\n"
		   "  holdfast COMMAND -p PID ...      a question to it (or to a core: -c CORE [-e EXE])\n\n"
		   "commands\n");
	for (size_t i = 0; i < hf_commands_n; i++)
		hf_str_addf(ret, "  %-10s %-13s %s\n", hf_commands[i]->name, hf_commands[i]->words,
			    hf_commands[i]->summary);
	hf_str_add(ret, "\noptions\n");
	hf_cli_add_options(ret, 0);
	hf_cli_add_options(ret, ~0u);
	hf_str_add(ret, "\nThe process is stopped once, for as short as can be, and runs on whatever happens "
			"to this program.\n"
			"exit: 0 done, 2 usage, 3 not permitted, 4 target unusable, 5 layout not supported, "
			"130 interrupted\n"
			"'holdfast help COMMAND' tells more.\n");
}

void hf_cli_add_help(struct hf_str *ret, const struct hf_command *command)
{
	if (!command) {
		add_all(ret);
		return;
	}
	hf_str_addf(ret, "holdfast %s (-p PID | -c CORE [-e EXE])", command->name);
	if (command->takes)
		hf_str_add(ret, command->needs ? " -o FILE" : " [options]");
	hf_str_addf(ret, "%s%s\n\n%s.\n%s\n", *command->words ? " " : "", command->words, command->summary,
		    command->detail);
	if (command->takes) {
		hf_str_add(ret, "\n");
		hf_cli_add_options(ret, command->takes);
	}
	hf_str_addf(ret, "\nexample: %s\n         %s\n", command->example, command->example_says);
}
