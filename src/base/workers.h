/* Parallel loops, progress, and the wish to stop. */
#ifndef HF_WORKERS_H
#define HF_WORKERS_H

#include "base.h"

/* Handles item i; called from several threads, each i once. An error ends the loop; the first one is returned. */
typedef struct hf_err *hf_work_fn(void *arg, size_t i, unsigned worker);

#define HF_WORKERS_MAX 8

/* How many threads loops use: 1 to HF_WORKERS_MAX, by default 2 or the processors we may use, if fewer. */
unsigned hf_workers(void);
void hf_workers_set(unsigned n);

/* Calls fn for 0..n-1 from hf_workers() threads (the caller's is one; signals are blocked in the others).
 * Returns the first error; on INTERRUPTED (see hf_interrupt) no further item is begun. */
struct hf_err *hf_parallel(size_t n, hf_work_fn *fn, void *arg) HF_CHECKED;

/* INTERRUPTED where hf_interrupt was called: loops over much check it often enough to end within 50 ms. */
struct hf_err *hf_interrupt_check(void) HF_CHECKED;

/* Tells of progress, for a terminal; from the session's thread only. done == total ends a stage. */
void hf_progress(const char *stage, uint64_t done, uint64_t total);

double hf_now(void); /* seconds, monotonic */

#endif
