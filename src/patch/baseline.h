/* How a process was before a patch: kept beside the journal, for `status` to compare with. */
#ifndef HF_PATCH_BASELINE_H
#define HF_PATCH_BASELINE_H

#include "../base/base.h"
#include "../base/str.h"
#include "plan.h"

struct hf_baseline {
	char id[HF_PLAN_ID];
	pid_t pid;
	uint64_t start_time;
	double at;            /* seconds since 1970 */
	double up_s;          /* how long it had run */
	uint64_t live_bytes;  /* of the heap; HF_UNKNOWN, like the next ones */
	uint64_t total_alloc; /* that it had ever allocated */
	uint64_t alloc_rate;  /* bytes a second, while it was looked at */
	uint64_t pool_bytes;  /* that the pool's idle items retain */
	uint64_t collections; /* that there had been */
	/* What tells an object of one constructor from one of the other: the size of the largest block that the runs allocated
	 * behind it. The same, or 0: nothing does. */
	uint64_t old_size, new_size;
	uint64_t old_items, new_items; /* live objects of each */
	char type[256];                /* of these objects; "" unknown, or its name is longer */
};

/* Errors: IO, NOMEM */
struct hf_err *hf_baseline_keep(const struct hf_baseline *b) HF_CHECKED;
/* *ret_found false: none was kept. Errors: IO, NOMEM; USAGE (the file is none of ours) */
struct hf_err *hf_baseline_find(const char *id, pid_t pid, uint64_t start_time, struct hf_baseline *ret,
				bool *ret_found) HF_CHECKED;

#endif
