/* What a patch is going to do, as a record: made once, printed, saved, and named by its hash ever after. */
#ifndef HF_PATCH_PLAN_H
#define HF_PATCH_PLAN_H

#include "../base/base.h"
#include "../base/str.h"
#include "../target/target.h"

/* How the new value comes to be in the target, before the one word is stored. */
enum hf_plan_how {
	HF_PLAN_STORE,   /* it is there: new_value */
	HF_PLAN_LOAD,    /* C: a shared object is loaded first: file, new_function in it */
	HF_PLAN_FUNCVAL, /* Go: a page with a funcval for new_code is mapped first */
	HF_PLAN_CLOSURE, /* Go: the same, with the captured number beside it */
	HF_PLAN_THUNK,   /* Go: code that makes a zero value of a type */
};

#define HF_PLAN_ID 17 /* of 16 hex digits, and 0 */

/* All but `id` is what is hashed. Strings live in `names`; "" for none. */
struct hf_plan {
	char id[HF_PLAN_ID];
	pid_t pid;           /* 0: of a core */
	uint64_t start_time; /* of the process, in clock ticks since boot; 0: of a core */
	const char *exe, *build_id;
	const char *runtime; /* "go", "c" */
	const char *pool, *kind;
	uint64_t pool_addr, slot_addr;
	uint64_t old_value, new_value; /* new_value: 0 where `how` makes it */
	uint64_t old_code, new_code;
	const char *old_function, *new_function;
	const char *item_type;
	uint64_t object_size;
	uint64_t cpu_us, alloc_bytes, hold_us;
	bool strict, expert;
	bool old_on_heap; /* Go: the old value is an allocated closure: a store needs the write barrier off */
	enum hf_plan_how how;
	const char *file;  /* LOAD: the shared object, absolute */
	uint64_t captured; /* CLOSURE */
	struct hf_arena names;
};

/* Fills in id. Errors: NOMEM. */
struct hf_err *hf_plan_seal(struct hf_plan *plan) HF_CHECKED;
/* As one JSON object with every field, id included.     ret  caller frees with hf_free. */
struct hf_err *hf_plan_to_json(const struct hf_plan *plan, char **ret) HF_CHECKED;
/* ret  zeroed; caller frees with hf_plan_deinit, on errors, too.
 * Errors: USAGE (no plan of ours, or its id is not that of what it says), NOMEM */
struct hf_err *hf_plan_from_json(const char *json, struct hf_plan *ret) HF_CHECKED;
/* The saved file: 0600, whole or not at all. Errors: IO. */
struct hf_err *hf_plan_save(const struct hf_plan *plan, const char *path) HF_CHECKED;
struct hf_err *hf_plan_load(const char *path, struct hf_plan *ret) HF_CHECKED;
/* Where plans are kept by their id: saves one there, and finds it again by its id or as a file's path.
 * ret_path  caller frees with hf_free.     Errors: IO, USAGE (there is none of that name) */
struct hf_err *hf_plan_keep(const struct hf_plan *plan, char **ret_path) HF_CHECKED;
struct hf_err *hf_plan_find(const char *word, struct hf_plan *ret) HF_CHECKED;
void hf_plan_deinit(struct hf_plan *plan);

#endif
