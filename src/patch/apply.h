/* Apply and revert: the gates, the journal, the one word, and the way back.
 *
 *	gates -> journal: intent -> make the value -> stop -> verify, store, read back -> resume -> journal: applied
 *
 * Whatever ends this program in between, the target runs on with the old word or the new one, and the journal has what a
 * revert takes.
 */
#ifndef HF_APPLY_H
#define HF_APPLY_H

#include "journal.h"
#include "plan.h"

#include "../runtime/callee.h"

/* What vet and dry run said of a plan, and of which: nothing is applied without. */
enum hf_accept { HF_ACCEPT_REFUSED, HF_ACCEPT_INCONCLUSIVE, HF_ACCEPT_ACCEPTED };
struct hf_accepted {
	char id[HF_PLAN_ID]; /* of the plan */
	pid_t pid;
	uint64_t start_time;
	enum hf_accept accept;
};

struct hf_apply_options {
	bool allow_write;
	bool accept_inconclusive;
	const struct hf_accepted *accepted; /* NULL: there was no dry run */
	const char *journal;                /* NULL: by XDG_STATE_HOME */
	double expires_s;                   /* from now, when `revert --expired` takes it back; 0: never */
	/* A 32-bit word of the target that has to be 0 at the stop where the old value is an allocated closure: Go's
	 * runtime.writeBarrier. 0: unknown, and then such a closure is refused. */
	uint64_t quiet_addr;
	/* Where the old value is such a closure, and what it captured is no pointers: its words, code first. A copy of them,
	 * outside of the heap, is what a revert stores then; without, a revert is not possible. At most 8. */
	const uint64_t *old_words;
	size_t old_words_n;
	struct hf_callee *callee;   /* where a plan has code made: who makes it, and of what */
	const struct hf_ctor *ctor; /* the constructor that was dry-run */
	uint64_t dlopen_addr;       /* of the C library's function, for a shared object; 0: looked for */
};

/* Strings live in names. */
struct hf_apply_result {
	struct hf_journal_entry entry; /* as the journal has it */
	const char *journal;           /* its path */
	const char *warning;           /* "": none. What is so although the patch was applied */
	unsigned stops;
	double stopped_s; /* the last of them: the one with the store */
	struct hf_arena names;
};

/* Applies a plan, sealed or loaded, to the process that t is.
 *
 * t    not stopped; stopped for the store, and resumed.     ret  zeroed; caller frees with hf_apply_result_deinit.
 * Errors: REFUSED   a gate said no; nothing was written
 *         STALE     the slot or the process is not that of the plan, or its threads cannot all be stopped, or the
 *                   collector is at work whenever we look; nothing was written
 *         REVERTED  what was stored did not read back: taken back
 *         IO        the journal cannot be written; nothing was written to the target
 *         TARGET, NOTPERM, NOMEM, INTERRUPTED, UNSUPPORTED (a way of patching that is not built)
 * Target: writes one word. */
struct hf_err *hf_apply(struct hf_target *t, const struct hf_plan *plan,
			const struct hf_apply_options *options, struct hf_apply_result *ret) HF_CHECKED;
void hf_apply_result_deinit(struct hf_apply_result *r);

/* ---- what became of patches ------------------------------------------------------------------------------------- */

#define HF_PATCHED_STATES(X)                                                                                 \
	X(APPLIED, "applied")         /* the slot holds the new value */                                     \
	X(REVERTED, "reverted")       /* it holds the old one again */                                       \
	X(NOT_APPLIED, "not-applied") /* it holds the old one: it never came to the store */                 \
	X(FOREIGN, "foreign")         /* it holds another: someone else's, that is not touched */            \
	X(GONE, "gone")               /* the process has ended, or executes another program */

enum hf_patched_state {
#define HF_PATCHED_ENUM(name, text) HF_PATCHED_##name,
	HF_PATCHED_STATES(HF_PATCHED_ENUM)
#undef HF_PATCHED_ENUM
};
const char *hf_patched_state_name(enum hf_patched_state state);

struct hf_patched {
	struct hf_journal_entry entry;
	enum hf_patched_state state;
	uint64_t value;  /* of the slot, now; HF_UNKNOWN: it cannot be read */
	const char *why; /* one line; "" */
	bool changed;    /* by this very call */
};
struct hf_patched_list {
	HF_VEC(struct hf_patched) list; /* the oldest first */
	size_t damaged;                 /* lines of the journal that say nothing */
	const char *journal;
	struct hf_arena names;
};
void hf_patched_list_deinit(struct hf_patched_list *l);

struct hf_revert_options {
	bool allow_write;
	const char *journal;
	const char *plan;  /* the id of one; NULL: all */
	bool expired_only; /* those alone whose time has come */
};

/* What the journal says of a process's patches, against its memory now. Stops nothing, writes nothing.
 *
 * t    NULL: all processes of the journal that are applied, or were not known to be reverted.
 * ret  zeroed; caller frees with hf_patched_list_deinit, on errors, too.     Errors: IO, REFUSED (the journal), NOMEM */
struct hf_err *hf_patched_list(struct hf_target *t, const struct hf_revert_options *options,
			       struct hf_patched_list *ret) HF_CHECKED;

/* Takes patches back, from the journal alone: each whose process is the same and whose slot still holds ours. The others
 * are told, with why, and nothing is written.
 *
 * t, ret  as above.     Errors: REFUSED (not allow_write; the journal), USAGE (no such plan), IO, NOMEM, INTERRUPTED.
 *                       That one patch cannot be taken back is no error: its `why` says so, and the rest goes on.
 * Target: writes one word for each. */
struct hf_err *hf_revert(struct hf_target *t, const struct hf_revert_options *options,
			 struct hf_patched_list *ret) HF_CHECKED;

#endif
