/* What a snap asks of a live process, beside reading: the live backend's members of the vtable. */
#ifndef HF_LIVE_SNAP_H
#define HF_LIVE_SNAP_H

#include "target.h"

/* As the members of struct hf_target_ops of the same names. Only while stopped. */
struct hf_err *hf_live_read_raw(struct hf_target *t, uint64_t addr, void *buf, size_t len) HF_CHECKED;
struct hf_err *hf_live_page_spans(struct hf_target *t, uint64_t start, uint64_t end,
				  struct hf_page_spans *ret) HF_CHECKED;

#endif
