/* The commands: one table, for the command line now and for a debugger's command line later. A command is a file
 * cmd_<verb>.c that defines its row, and a word in HF_COMMANDS. */
#ifndef HF_COMMANDS_H
#define HF_COMMANDS_H

#include "../base/base.h"

/* The rows, in the order of the help. The first is what is asked where no verb is given. */
#define HF_COMMANDS(X)                                                                                       \
	X(page)                                                                                              \
	X(overview)                                                                                          \
	X(info)                                                                                              \
	X(why)                                                                                               \
	X(top)                                                                                               \
	X(dominators)                                                                                        \
	X(goroutines)                                                                                        \
	X(pools)                                                                                             \
	X(slack)                                                                                             \
	X(spans)                                                                                             \
	X(memstats)                                                                                          \
	X(snap)                                                                                              \
	X(export)                                                                                            \
	X(patch_plan)                                                                                        \
	X(patch_vet)                                                                                         \
	X(patch_dry_run)                                                                                     \
	X(patch_apply)                                                                                       \
	X(patch_status)                                                                                      \
	X(patch_revert)                                                                                      \
	X(patch_get)                                                                                         \
	X(patch_set)                                                                                         \
	X(patch_drain)

/* What was asked, apart from the target. */
struct hf_args {
	const char *const *words; /* after the verb */
	size_t words_n;
	size_t limit, max;
	unsigned depth;     /* 0: not given */
	uint64_t min_bytes; /* HF_UNKNOWN: as min_share says */
	double min_share;
	enum hf_top_by by;
	const char *field;  /* of --by field:TYPE.FIELD; NULL: by says it */
	const char *output; /* NULL: not given */
	enum hf_profile_kind profile;
	enum hf_export_format format;
	const char *filter; /* NULL: not given */
	struct hf_patch_options patch;
	bool yes;
	/* In a debugger, its own leave to write counts, and nothing is asked at its terminal. */
	bool held, allow_write;
	const char *leave; /* how that is given; NULL: --yes */
	double expires_s;  /* 0: not given */
};

#define HF_LIMIT_DEFAULT     20
#define HF_MAX_DEFAULT       3
#define HF_DEPTH_MAX         100
#define HF_MIN_SHARE_DEFAULT 0.01

/* Options that not every command takes, as bits. */
enum {
	HF_TAKES_LIMIT = 1 << 0,
	HF_TAKES_MAX = 1 << 1,
	HF_TAKES_BY = 1 << 2,
	HF_TAKES_OUTPUT = 1 << 3,
	HF_TAKES_DEPTH = 1 << 4,
	HF_TAKES_MIN = 1 << 5,
	HF_TAKES_FORMAT = 1 << 6,
	HF_TAKES_PROFILE = 1 << 7,
	HF_TAKES_FILTER = 1 << 8,
	HF_TAKES_PATCH = 1 << 9,  /* which pool and constructor, within what limits */
	HF_TAKES_APPLY = 1 << 10, /* what it takes to write */
	HF_TAKES_REVERT = 1 << 11,
	HF_TAKES_SET = 1 << 12,
	HF_TAKES_DRAIN = 1 << 13,
};

struct hf_command {
	const char *name; /* also the report's */
	const char *summary;
	const char *words;  /* "ADDR..."; in brackets where it may take none; "" where it takes none */
	unsigned takes;     /* HF_TAKES_* */
	unsigned needs;     /* of these, what must be given */
	size_t max;         /* the default of --max; 0: HF_MAX_DEFAULT */
	const char *detail; /* some lines for its help */
	const char *example;
	const char *example_says; /* what the example answers */
	/* ret  caller frees with hf_result_free */
	struct hf_err *(*ask)(struct hf_session *s, const struct hf_args *args, const void **ret);
	bool alone; /* it may be asked without a target: ask then gets no session */
	/* What an answer ends with, where that is not 0: a refusal is an answer, too. NULL: 0. */
	int (*exit_code)(const void *result);
};

#define HF_COMMAND_DECLARE(name) extern const struct hf_command hf_command_##name;
HF_COMMANDS(HF_COMMAND_DECLARE)
#undef HF_COMMAND_DECLARE

extern const struct hf_command *const hf_commands[];
extern const size_t hf_commands_n;

/* NULL: there is none of this name. */
const struct hf_command *hf_command_find(const char *name);
/* The same for the first words of a line: names may be of two words ("patch plan"). *ret_used: how many they were. */
const struct hf_command *hf_command_find_words(const char *const *words, size_t n, size_t *ret_used);
/* The word is the first of such names. */
bool hf_command_has_seconds(const char *word);
/* The command that was probably meant; NULL: none is near. */
const struct hf_command *hf_command_nearest(const char *name);

#endif
