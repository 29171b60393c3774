/* patch get, set, drain. */
#include "commands.h"

#include <stdio.h>
#include <unistd.h>

static struct hf_err *check_words(const struct hf_args *args, size_t least, size_t most, const char *what)
{
	if (args->words_n < least)
		return hf_err(HF_USAGE, "which %s?", what);
	if (args->words_n > most)
		return hf_err(HF_USAGE, "'%s' is one word too many", args->words[most]);
	return NULL;
}

/* ---- get, set ---------------------------------------------------------------------------------------------------- */

static struct hf_err *ask_get(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	HF_TRY(check_words(args, 0, 1, "switch"));
	return hf_patch_get(s, args->words_n ? args->words[0] : NULL, NULL, (const struct hf_switches **)ret);
}

/* At a terminal; nowhere else. */
static bool ask_terminal(void *arg, const struct hf_switch_change *what)
{
	char line[64] = "";

	(void)arg;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr,
		"\n%s of the process becomes %" PRId64 ", from %" PRId64 ", at 0x%" PRIx64
		"%s%s.\nSet it? Type yes: ",
		what->row->name, what->new_value, what->old_value, what->row->addr, *what->chosen ? ": " : "",
		what->chosen);
	return fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0;
}

static struct hf_err *ask_set(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_patch_set_options options = {
		.size = sizeof(options),
		.name = args->words_n > 0 ? args->words[0] : NULL,
		.value = args->words_n > 1 ? args->words[1] : NULL,
		.expires_s = args->expires_s,
		.allow_write = args->held ? args->allow_write : args->yes,
		.confirm = args->held ? NULL : ask_terminal,
		.leave = args->leave,
	};

	HF_TRY(check_words(args, 2, 2, "switch, and which value ('holdfast patch get' lists them)"));
	return hf_patch_set(s, &options, (const struct hf_switch_change **)ret);
}

/* ---- drain --------------------------------------------------------------------------------------------------------- */

static struct hf_err *ask_drain(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_drain_options options = {
		.size = sizeof(options), .pool = args->patch.pool, .wait_s = args->patch.wait_s};

	return hf_drain(s, &options, (const struct hf_drain **)ret);
}

/* ---- the rows ------------------------------------------------------------------------------------------------------ */

const struct hf_command hf_command_patch_get = {
	.name = "patch get",
	.summary = "numbers of the runtime that can be changed, as they are now",
	.words = "[NAME]",
	.takes = 0,
	.detail = "The rate of the heap profile (runtime.MemProfileRate), GOGC, GOMEMLIMIT: the value, since "
		  "when where it\n"
		  "is ours, and when a change is seen by the program. Stops nothing.",
	.example = "holdfast patch get -p 1234",
	.example_says = "whether the heap profile is on, and at what rate",
	.ask = ask_get,
};

const struct hf_command hf_command_patch_set = {
	.name = "patch set",
	.summary = "change one of them, for a while or to stay (this writes)",
	.words = "NAME VALUE",
	.takes = HF_TAKES_SET,
	.detail = "VALUE is a number (512, 64K, 1GiB), or off. runtime.MemProfileRate auto turns the heap "
		  "profile on as fine\n"
		  "as the load allows, and where the process is busy takes it back by itself after 5 "
		  "minutes. Needs --yes,\n"
		  "or yes typed at a terminal. What it does is in the journal before it is done: patch "
		  "status and patch\n"
		  "revert know it.",
	.example = "holdfast patch set -p 1234 runtime.MemProfileRate auto --yes",
	.example_says = "from now on allocations are sampled",
	.ask = ask_set,
};

const struct hf_command hf_command_patch_drain = {
	.name = "patch drain",
	.summary = "what the next collections free of a pool",
	.words = "",
	.takes = HF_TAKES_DRAIN,
	.detail = "What waits in a sync.Pool is dropped by two collections: tells what that is, how many "
		  "have been since the\n"
		  "pool was patched, and when. With --wait SECONDS it looks again when two have come by. "
		  "Calls nothing in\n"
		  "the process.",
	.example = "holdfast patch drain -p 1234 --pool main.bufPool --wait 300",
	.example_says = "what is gone after two collections",
	.ask = ask_drain,
};
