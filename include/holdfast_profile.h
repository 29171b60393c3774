/* A part of holdfast.h, which includes it: profiles, for the tools that read them. */
#ifndef HOLDFAST_PROFILE_H
#define HOLDFAST_PROFILE_H

enum hf_profile_kind {
	HF_PROFILE_RETAINED,  /* live objects, by what holds them */
	HF_PROFILE_GOROUTINE, /* goroutines, by their stacks */
	HF_PROFILE_ALLOC,     /* allocations, by their stacks, as the program samples them */
};
struct hf_profile_value {
	const char *type, *unit; /* "inuse_space", "bytes" */
};
struct hf_profile_label {
	const char *key, *text; /* text: NULL where it is a number */
	int64_t number;
	const char *unit; /* of the number: "bytes"; NULL: none */
};
struct hf_profile_location {
	const char *function, *file; /* a function, variable, field or type; file: "" where unknown */
	uint32_t line;               /* 0: unknown */
	uint64_t pc;                 /* of a function: in the target; 0 */
};
struct hf_profile_sample {
	const uint32_t *locations; /* the leaf first */
	const int64_t *values;     /* one a value of the profile */
	const struct hf_profile_label *labels;
	uint32_t locations_n, labels_n;
};
/* Of RETAINED a stack is, from its root on: the variable, or the goroutine's function and the variable on its stack; then
 * for each object on the way its type, and the field that leads on; the leaf is the type of the objects that the sample
 * counts. Indexes, keys and a map's inner parts leave no trace; an object of the type of the one that holds it adds
 * nothing, and a type that comes again only its last place: lists and trees are a few stacks, however deep.
 *
 *   inuse_*     each live object once, under the shortest way to it: their sum is what is live
 *   retained_*  each live object once, under its dominators: their sum is what is live, too, and what stands behind a
 *               frame is what would be garbage without it. What several roots hold begins with a frame of its own.
 */
struct hf_profile {
	enum hf_profile_kind kind;
	const char *name; /* "retained", "goroutine", "alloc" */
	const struct hf_profile_value *values;
	const int64_t *totals; /* one a value */
	size_t values_n, default_value;
	const struct hf_profile_location *locations;
	size_t locations_n;
	const struct hf_profile_sample *samples; /* largest first */
	size_t samples_n;
	uint64_t left_out; /* stacks beyond max: their sum is a sample of its own, of one frame, "(others)" */
	const char *note;  /* "", or what is to be known of it: that the program does not sample... */
	const char *const *comments;
	size_t comments_n;
	double taken_at; /* unix time; 0: unknown */
	int64_t period;  /* between samples; 0: unknown, or there is none */
	struct hf_profile_value period_type;
	/* The main executable as it is mapped; path "": unknown. build_id: hexadecimal, "" where there is none. */
	const char *exe, *build_id;
	uint64_t exe_start, exe_end, exe_offset;
	/* Of the file that it was written to, by the command; NULL and 0 before. */
	const char *path, *format;
	uint64_t file_bytes;
};
struct hf_profile_options {
	size_t size; /* sizeof(struct hf_profile_options) */
	enum hf_profile_kind kind;
	size_t max; /* stacks, the largest are kept; 0: 20000 */
};
/* Makes a profile. ret  caller frees with hf_result_free.     options  NULL for defaults. */
HF_API struct hf_err *hf_profile_make(struct hf_session *s, const struct hf_profile_options *options,
				      struct hf_profile **ret) HF_CHECKED;

enum hf_export_format {
	HF_EXPORT_PPROF, /* profile.proto, compressed by gzip: for go tool pprof and all that reads its files */
};
HF_API const char *hf_export_format_name(enum hf_export_format format); /* "pprof"; NULL: there is none */
/* A profile as the bytes of a file. ret  caller frees with hf_text_free.     Errors: NOMEM, INTERRUPTED, USAGE */
HF_API struct hf_err *hf_profile_encode(const struct hf_profile *profile, enum hf_export_format format,
					char **ret, size_t *ret_n) HF_CHECKED;

#endif
