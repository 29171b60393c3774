/* Where objects were allocated, as the program samples it. Private to this folder. */
#ifndef HF_SITES_H
#define HF_SITES_H

#include "top.h"

/* Loads the session. Errors: TARGET (there are no samples; says what to do), UNSUPPORTED (the runtime takes none) */
struct hf_err *hf_sites_check(struct hf_session *s) HF_CHECKED;
/* Adds a row for each place that allocates, in no order; after hf_sites_check. */
struct hf_err *hf_site_rows(struct hf_session *s, const void *result, hf_rows *ret) HF_CHECKED;

/* The stack that allocated a block, where it is a sample; else *ret_n is 0. */
struct hf_err *hf_allocated_by(struct hf_session *s, const void *result, uint32_t block,
			       const struct hf_frame **ret, size_t *ret_n) HF_CHECKED;

#endif
