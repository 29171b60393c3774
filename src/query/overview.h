/* The overview, from what was asked for already: no target, no session. */
#ifndef HF_OVERVIEW_H
#define HF_OVERVIEW_H

#include "../base/base.h"
#include "../base/str.h"
#include "../runtime/runtime.h"
#include "../target/facts.h"

/* Fills all of ret: facts, heaps, shares, verdict, build info.
 *
 * facts  borrowed; NULL: nothing is known.     stats  one a runtime, n of them, with the graph's figures filled in;
 * build info is the first one's that has any.   a  holds copies of all that ret points to.
 * Errors: NOMEM */
struct hf_err *hf_overview_fill(const struct hf_facts *facts, const struct hf_runtime_stats *stats, size_t n,
				struct hf_arena *a, struct hf_overview *ret) HF_CHECKED;

#endif
