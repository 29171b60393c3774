/* patch plan, vet, dry-run, apply, status, revert. */
#include "commands.h"

#include <stdio.h>
#include <unistd.h>

/* ---- plan, vet, dry run ---------------------------------------------------------------------------------------- */

/* yes  it was said in the words; a debugger has its own way. */
static struct hf_patch_options options_of(const struct hf_args *args, bool yes)
{
	struct hf_patch_options options = args->patch;

	options.save = args->output;
	options.allow_write = args->held ? args->allow_write : yes;
	options.leave = args->leave;
	return options;
}

/* A pool and its new constructor, or a plan that names both. */
static struct hf_err *check_named(const struct hf_args *args)
{
	const struct hf_patch_options *o = &args->patch;

	if (o->plan && (o->pool || o->to))
		return hf_err(HF_USAGE, "--plan says which pool and constructor: leave --%s out",
			      o->pool ? "pool" : "to");
	if (!o->plan && !o->pool)
		return hf_err(HF_USAGE,
			      "which pool? --pool POOL ('holdfast pools' lists them), or --plan PLAN");
	if (!o->plan && !o->to)
		return hf_err(HF_USAGE, "which constructor is it to have? --to FUNCTION");
	return NULL;
}

static struct hf_err *ask_plan(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_patch_options options = options_of(args, false);

	HF_TRY(check_named(args));
	return hf_patch_plan(s, &options, (const struct hf_patch_plan **)ret);
}

static struct hf_err *ask_vet(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_patch_options options = options_of(args, false);

	HF_TRY(check_named(args));
	return hf_patch_vet(s, &options, (const struct hf_patch_vet **)ret);
}

static struct hf_err *ask_dry_run(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_patch_options options = options_of(args, false);

	HF_TRY(check_named(args));
	return hf_patch_dry_run(s, &options, (const struct hf_patch_dry_run **)ret);
}

#define EXIT_REFUSED 6

static int exit_of(const char *verdict)
{
	return strcmp(verdict, "refused") ? 0 : EXIT_REFUSED;
}

static int vet_exit(const void *result)
{
	return exit_of(((const struct hf_patch_vet *)result)->verdict);
}

static int dry_run_exit(const void *result)
{
	return exit_of(((const struct hf_patch_dry_run *)result)->verdict);
}

/* ---- apply, status, revert -------------------------------------------------------------------------------------- */

/* At a terminal; nowhere else. */
static bool ask_terminal(void *arg, const struct hf_patch_dry_run *what)
{
	const struct hf_patch_plan *plan = what->plan;
	char line[64] = "";

	(void)arg;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr,
		"\nThe pool %s of process %d will be given the constructor %s, instead of %s.\n"
		"The dry run: %s. The word at 0x%" PRIx64 " is changed: %s.\nApply? Type yes: ",
		plan->pool, plan->pid, plan->new_function, plan->old_function, what->verdict, plan->slot_addr,
		plan->how);
	return fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0;
}

static struct hf_err *ask_apply(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	struct hf_patch_options options = options_of(args, args->yes);

	HF_TRY(check_named(args));
	options.confirm = args->held ? NULL : ask_terminal;
	return hf_patch_apply(s, &options, (const struct hf_patch_states **)ret);
}

static struct hf_err *check_ids(const struct hf_args *args)
{
	return args->words_n > 1 ? hf_err(HF_USAGE, "one patch is named by its id, but '%s' is given, too",
					  args->words[1])
				 : NULL;
}

static struct hf_err *ask_status(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	struct hf_patch_options options = options_of(args, false);

	HF_TRY(check_ids(args));
	options.plan = args->words_n ? args->words[0] : NULL;
	return hf_patch_status(s, &options, (const struct hf_patch_states **)ret);
}

static struct hf_err *ask_revert(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	struct hf_patch_options options = options_of(args, true);

	HF_TRY(check_ids(args));
	options.plan = args->words_n ? args->words[0] : NULL;
	if (!options.plan && !options.all && !options.expired)
		return hf_err(
			HF_USAGE,
			"which patch? its id ('holdfast patch status' lists them), --all, or --expired");
	if (!s && !options.expired)
		return hf_err(HF_USAGE, "of which process? -p PID (without it --expired alone is allowed)");
	return hf_patch_revert(s, &options, (const struct hf_patch_states **)ret);
}

/* ---- the rows ------------------------------------------------------------------------------------------------------ */

#define EXAMPLE "-p 1234 --pool main.bufPool --to main.newSmallBuffer"

const struct hf_command hf_command_patch_plan = {
	.name = "patch plan",
	.summary = "what a patch of a pool's constructor would do",
	.words = "",
	.takes = HF_TAKES_PATCH | HF_TAKES_OUTPUT,
	.detail = "Names the one word that would be stored, its old and new value, and the limits; saves "
		  "that, and "
		  "gives it an id\n"
		  "that all later steps refer to. Tells who is inside of the old constructor at this moment. "
		  "Writes "
		  "nothing to\n"
		  "the process.",
	.example = "holdfast patch plan " EXAMPLE,
	.example_says = "the plan, and the file that it is saved to",
	.ask = ask_plan,
};

const struct hf_command hf_command_patch_vet = {
	.name = "patch vet",
	.summary = "what the new constructor's code says",
	.words = "",
	.takes = HF_TAKES_PATCH,
	.detail = "Walks the code that it can reach: variables that it stores to or reads, system calls, "
		  "goroutines, panics,\n"
		  "channels, locks, reflection, captured variables, its type against the pool's. Runs "
		  "nothing. Exit "
		  "6 where it\n"
		  "is refused.",
	.example = "holdfast patch vet " EXAMPLE,
	.example_says = "what that function may do, with source lines",
	.ask = ask_vet,
	.exit_code = vet_exit,
};

const struct hf_command hf_command_patch_dry_run = {
	.name = "patch dry-run",
	.summary = "run the new constructor beside the process, not in it",
	.words = "",
	.takes = HF_TAKES_PATCH,
	.detail = "Calls it in a process of our own that has the target's memory, page by page: what it "
		  "allocates, "
		  "which bytes\n"
		  "it changes, what it returns, what it asks of the system. The old one is run beside it. "
		  "Nothing is "
		  "injected\n"
		  "into the target, which stands still for some milliseconds. Exit 6 where it is refused.",
	.example = "holdfast patch dry-run " EXAMPLE,
	.example_says = "accepted or refused, and why",
	.ask = ask_dry_run,
	.exit_code = dry_run_exit,
};

const struct hf_command hf_command_patch_apply = {
	.name = "patch apply",
	.summary = "give the pool its new constructor (this writes)",
	.words = "",
	.takes = HF_TAKES_PATCH | HF_TAKES_APPLY,
	.detail = "Plans, vets and runs it dry, or takes a plan; then stores one word, if all of that is "
		  "accepted "
		  "and you say\n"
		  "so: by --yes, or by typing yes at a terminal; in a debugger by its own setting, "
		  "allow-write, alone. "
		  "What it\n"
		  "does is in the journal before it is done, so that it can be taken back, also when this "
		  "program was "
		  "killed.",
	.example = "holdfast patch apply " EXAMPLE " --yes",
	.example_says = "the pool makes its objects by the new constructor",
	.ask = ask_apply,
};

const struct hf_command hf_command_patch_status = {
	.name = "patch status",
	.summary = "the patches of a process, and what came of them",
	.words = "[ID]",
	.takes = 0,
	.detail = "From the journal and the process: whether the word still is ours; the heap, and what "
		  "waits in the "
		  "pool,\n"
		  "before and now.",
	.example = "holdfast patch status -p 1234",
	.example_says = "what is patched, and whether it helps",
	.ask = ask_status,
	.alone = true,
};

const struct hf_command hf_command_patch_revert = {
	.name = "patch revert",
	.summary = "give the pool its old constructor back (this writes)",
	.words = "[ID]",
	.takes = HF_TAKES_REVERT,
	.detail = "Restores the old value if it is the same process and the word still is ours. The journal "
		  "is all "
		  "that it needs.",
	.example = "holdfast patch revert -p 1234 --all",
	.example_says = "the process is as it was before",
	.ask = ask_revert,
	.alone = true,
};
