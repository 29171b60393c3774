/* Is a constructor sound? Runs it in ghosts until two runs agree, and says what it did. */
#ifndef HF_PATCH_DRYRUN_H
#define HF_PATCH_DRYRUN_H

#include "ghost.h"

#define HF_DRY_RUN_CPU_US  5000u
#define HF_DRY_RUN_BYTES   1024u
#define HF_DRY_RUN_HOLD_US 10000u
#define HF_DRY_RUN_TRIES   3u /* runs that come to an end, of which two must agree */

struct hf_dry_run_limits {
	uint64_t cpu_us, alloc_bytes, hold_us;
	uint64_t count_max; /* instructions, of one more run that is counted step by step; 0: none is */
	unsigned agree;     /* runs that must agree; 1: one is enough */
};

/* The outcome: that of the last run which agreed with another one. */
struct hf_dry_run {
	enum hf_refusal refusal; /* NONE: accepted */
	const char *why;         /* one line; in findings */
	struct hf_ghost_run run;
	struct hf_judgement judgement;
	struct hf_findings findings;
	double held_s; /* the longest stop of the target for a run */
	unsigned runs, agreed;
};

/* The target must not be stopped by the caller: it is, here, once a run. On a core one run decides.
 *
 * pages  what earlier dry runs on this target touched, of whatever constructor; zeroed at first.
 * ret  zeroed; caller frees with hf_dry_run_deinit, on errors, too.
 * Errors: of hf_ghost_run and the callee; STALE (there was no thread to borrow, ten times over), INTERRUPTED */
struct hf_err *hf_dry_run_make(struct hf_callee *c, const struct hf_ctor_slot *slot,
			       const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
			       struct hf_ghost_pages *pages, struct hf_dry_run *ret) HF_CHECKED;
void hf_dry_run_deinit(struct hf_dry_run *d);

/* The first reason to refuse among findings, in the order of HF_REFUSALS; *ret: the finding; NULL where NONE. */
enum hf_refusal hf_findings_refusal(const struct hf_findings *f, const struct hf_finding **ret);

#endif
