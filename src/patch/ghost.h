/* A dry run: a function of the target is called in a process of our own that has the target's memory, page by page as it
 * is touched. Nothing is injected into the target, which is stopped only while pages may be asked for.
 *
 * The ghost itself, and what it may do, is the program in sandbox/; this is the tool's end of it.
 */
#ifndef HF_PATCH_GHOST_H
#define HF_PATCH_GHOST_H

#include "../base/base.h"
#include "../base/map64.h"
#include "../base/vec.h"
#include "../runtime/callee.h"
#include "../target/target.h"

struct hf_ghost;

/* Starts the sandbox and an empty ghost, while the target still runs.
 * ret  caller frees with hf_ghost_stop.
 * Errors: IO (the sandbox program is not there: says where it was looked for; it cannot start), NOMEM,
 *         UNSUPPORTED (no room in the target's address space) */
struct hf_err *hf_ghost_start(struct hf_target *t, struct hf_ghost **ret) HF_CHECKED;
void hf_ghost_stop(struct hf_ghost *g);              /* ends the ghost and the sandbox; takes NULL */
uint64_t hf_ghost_scratch(const struct hf_ghost *g); /* where its own memory begins: see verdict.h */

/* The pages that runs touch, from run to run: taken at once when the target stops, which goes on before the run begins. A
 * page that is then missing is read of the running target: that run is a rehearsal, which ends as LATE and only says which
 * pages the next one has to have. */
struct hf_ghost_pages {
	HF_VEC(uint64_t) at;
	struct hf_map64 seen;
	bool hold; /* the target stands still while the run asks: where rehearsals always come to other pages */
};
void hf_ghost_pages_deinit(struct hf_ghost_pages *p);

/* Runs the job, once for each ghost. The target is stopped (or a core) when it is called; it is resumed here as soon as
 * the run ends or hold_max_s have passed since the stop began, whichever is first; what then still runs without new
 * pages goes on.
 * pages  that earlier runs touched; those of this one are added. NULL: none are known.
 * ret  zeroed; caller frees with hf_ghost_run_deinit.
 * Errors: STALE (the maps changed: start another ghost), IO (the sandbox broke), TARGET (it is gone), NOMEM, INTERRUPTED;
 *         that a run ends badly is no error */
struct hf_err *hf_ghost_run(struct hf_ghost *g, const struct hf_ghost_job *job, double hold_max_s,
			    struct hf_ghost_pages *pages, struct hf_ghost_run *ret) HF_CHECKED;

#endif
