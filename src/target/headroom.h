/* Whether we may take more memory without hurting others: a copy of a large process could drive the machine, or the
 * container that we share with the target, out of memory, and the kernel's choice of a victim is the largest. */
#ifndef HF_HEADROOM_H
#define HF_HEADROOM_H

#include "../base/base.h"

/* Errors: NOMEM where bytes more would leave less than a reserve of what the system, or a cgroup of ours, has. */
struct hf_err *hf_headroom_check(uint64_t bytes) HF_CHECKED;

#endif
