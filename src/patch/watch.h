/* Whether a patch did what it was for: figures of the process before it and now, as `status` shows them. Pure. */
#ifndef HF_WATCH_H
#define HF_WATCH_H

#include "../base/base.h"
#include "../base/str.h"

/* Of one moment. HF_UNKNOWN: not known. */
struct hf_watch_figures {
	uint64_t live_bytes; /* of the heap */
	uint64_t alloc_rate; /* bytes a second */
	uint64_t pool_bytes; /* that the pool's idle items keep */
	uint64_t old_items,
		new_items; /* in the pool or out of it: made by the old constructor, by the new one */
};

#define HF_WATCH_ROWS 5

/* rows  HF_WATCH_ROWS of them, in the order above; those that are known at neither moment are left out (*ret_n).
 * ret_verdict  one line, of `names`; "": nothing is known of both moments. A figure of bytes is worse where it is more
 *              than it was times 1.05.
 * Errors: NOMEM */
struct hf_err *hf_watch_compare(const struct hf_watch_figures *before, const struct hf_watch_figures *after,
				struct hf_arena *names, struct hf_patch_watch rows[HF_WATCH_ROWS],
				size_t *ret_n, const char **ret_verdict) HF_CHECKED;

#endif
