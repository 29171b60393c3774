#include "cli.h"

static void add_commands(struct hf_str *ret, const char *group)
{
	for (size_t i = 0; i < hf_commands_n; i++) {
		const struct hf_command *c = hf_commands[i];
		bool second = strchr(c->name, ' ') != NULL;

		if (group && (strncmp(c->name, group, strlen(group)) != 0 || c->name[strlen(group)] != ' '))
			continue;
		hf_str_addf(ret, "  %-*s %-16s %s\n", second ? 14 : 10, c->name, c->words, c->summary);
	}
}

static void add_group(struct hf_str *ret, const char *group)
{
	add_commands(ret, group);
	hf_str_addf(ret, "\n'holdfast help %s COMMAND' tells more.\n", group);
}

static void add_all(struct hf_str *ret, bool held)
{
	hf_str_add(ret, "holdfast " HF_VERSION ": what holds the memory of a process\n\n");
	if (held)
		hf_str_add(ret, "  holdfast                         a page on what the debugger holds\n"
				"  holdfast COMMAND ...             a question to it\n\n");
	else
		hf_str_add(ret, "  holdfast -p PID                  a page on a live process\n"
				"  holdfast COMMAND -p PID ...      a question to it (or to a core: -c CORE "
				"[-e EXE])\n\n");
	hf_str_add(ret, "commands\n");
	add_commands(ret, NULL);
	hf_str_add(ret, "\noptions\n");
	hf_cli_add_options(ret, 0, held);
	hf_cli_add_options(ret, ~0u, held);
	if (held)
		hf_str_add(ret, "\nWhere an address is asked, an expression of the debugger will do: $rax, a "
				"variable.\n");
	else
		hf_str_add(
			ret,
			"\nThe process is stopped once, for as short as can be, and runs on whatever happens "
			"to this program.\n"
			"exit: 0 done, 2 usage, 3 not permitted, 4 target unusable, 5 layout not supported, "
			"130 interrupted\n");
	hf_str_add(ret, "'holdfast help COMMAND' tells more.\n");
}

/* In a debugger the target is not named, and a line is one command. */
static void add_example(struct hf_str *ret, const char *example, bool held)
{
	static const char target[] = " -p 1234";
	const char *named = held ? strstr(example, target) : NULL;
	const char *next = held ? strstr(example, " && ") : NULL;
	const char *end = next ? next : example + strlen(example);

	if (named && named < end) {
		hf_str_addn(ret, example, (size_t)(named - example));
		example = named + strlen(target);
	}
	hf_str_addn(ret, example, (size_t)(end - example));
}

void hf_cli_add_help(struct hf_str *ret, const struct hf_command *command, const char *group, bool held)
{
	if (group) {
		add_group(ret, group);
		return;
	}
	if (!command) {
		add_all(ret, held);
		return;
	}
	hf_str_addf(ret, "holdfast %s%s", command->name, held ? "" : " (-p PID | -c CORE [-e EXE])");
	if (command->takes)
		hf_str_addf(ret, "%s%s", command->needs ? " -o FILE" : "",
			    command->takes & ~command->needs ? " [options]" : "");
	hf_str_addf(ret, "%s%s\n\n%s.\n%s\n", *command->words ? " " : "", command->words, command->summary,
		    command->detail);
	if (command->takes) {
		hf_str_add(ret, "\n");
		hf_cli_add_options(ret, command->takes, held);
	}
	hf_str_add(ret, "\nexample: ");
	add_example(ret, command->example, held);
	hf_str_addf(ret, "\n         %s\n", command->example_says);
}
