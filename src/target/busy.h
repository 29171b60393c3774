/* How busy a live process is, as the system counts. */
#ifndef HF_BUSY_H
#define HF_BUSY_H

#include "target.h"

/* Processor time of all its threads so far, in seconds, to a hundredth.
 * Errors: TARGET (it has ended), UNSUPPORTED (no process of this machine) */
struct hf_err *hf_target_cpu_time(struct hf_target *t, double *ret) HF_CHECKED;
/* Processors that it may run on; HF_UNKNOWN. */
uint64_t hf_target_processors(const struct hf_target *t);

#endif
