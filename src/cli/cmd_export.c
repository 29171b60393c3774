#include "../base/outfile.h"
#include "commands.h"

/* The file is made before anything is asked: what cannot be written stops no process. */
static struct hf_err *write_profile(struct hf_profile *profile, enum hf_export_format format,
				    struct hf_outfile *file)
{
	_free_ char *bytes = NULL;
	size_t n;

	HF_TRY(hf_profile_encode(profile, format, &bytes, &n));
	HF_TRY(hf_outfile_check_room(file, n));
	HF_TRY(hf_outfile_write(file, bytes, n, 0));
	HF_TRY(hf_outfile_publish(file));
	profile->file_bytes = n;
	return NULL;
}

static struct hf_err *ask(struct hf_session *s, const struct hf_args *args, const void **ret)
{
	const struct hf_profile_options options = {
		.size = sizeof(options), .kind = args->profile, .max = args->max};
	_cleanup_(hf_outfile_deinit) struct hf_outfile file = {.fd = -1};
	struct hf_profile *profile;
	struct hf_err *err;

	HF_TRY(hf_outfile_create(args->output, &file));
	HF_TRY(hf_profile_make(s, &options, &profile));
	err = write_profile(profile, args->format, &file);
	if (err) {
		hf_result_free(profile);
		return err;
	}
	profile->path = args->output;
	profile->format = hf_export_format_name(args->format);
	*ret = profile;
	return NULL;
}

const struct hf_command hf_command_export = {
	.name = "export",
	.summary = "write a profile that go tool pprof reads",
	.words = "",
	.takes = HF_TAKES_OUTPUT | HF_TAKES_FORMAT | HF_TAKES_PROFILE | HF_TAKES_MAX,
	.needs = HF_TAKES_OUTPUT,
	.max = 20000,
	.detail = "retained: live objects. The stack is what holds them: a variable or goroutine, then types "
		  "and fields,\n"
		  "down to the object's own type. inuse_space counts each under the shortest way to it, "
		  "retained_space under\n"
		  "what alone holds it: there the cum of a frame is what would be garbage without it.\n"
		  "goroutine: all goroutines, by stack. alloc: what was allocated, by stack, as far as the "
		  "program samples it.\n"
		  "No contents are in the file, but names of types, fields, variables, functions and files.",
	.example = "holdfast export -p 1234 -o held.pb.gz && go tool pprof -top -cum held.pb.gz",
	.example_says = "what holds the memory, by variable, type and field",
	.ask = ask,
};
