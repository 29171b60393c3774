/* Where the memory is: a pure function of what the system says and of what the runtimes say. */
#ifndef HF_SHARES_H
#define HF_SHARES_H

#include "../base/base.h"
#include "../base/str.h"
#include "../target/facts.h"

/* Splits the memory into shares and names the largest: fills shares, shares_n, shares_total, shares_of,
 * verdict, verdict_heap and verdict_text of ret, nothing else.
 *
 * facts  what the system says; NULL: nothing.     heaps  n of them; figures may be HF_UNKNOWN.
 * a      holds the texts; where memory is out there are no shares, and the verdict is "unknown".
 *
 * Of what. The cgroup's charge, where known. But a cgroup without a limit, most of whose private memory is
 * other processes', is a login session or a slice, whose charge says nothing of this process: then, and where
 * there is no cgroup, the resident size. Where neither is known (a foreign core), the heap. What is on swap is
 * added to either.
 *
 * How much. A runtime counts whole slots and spans, whether or not their pages were ever touched or are on
 * swap; the system counts pages. So the runtime's figures are taken in turn (live objects, garbage, free slots,
 * stacks, idle spans, metadata) until the resident private memory is used up; the share that was cut says so. A
 * large array that was never touched can thus be given memory that is C's: its pages cannot be told apart here.
 *
 * Keys: heap-live heap-garbage heap-free-slots heap-idle stacks metadata lazy-free thread-stacks off-heap files
 * shmem page-cache kernel other-processes swap, and unexplained, which is always there and last, never negative;
 * without any share the verdict is "unknown". */
void hf_shares_compute(const struct hf_facts *facts, const struct hf_heap *heaps, size_t n,
		       struct hf_arena *a, struct hf_overview *ret);

#endif
