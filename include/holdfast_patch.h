/* A part of holdfast.h, which includes it: a pool's constructor, replaced in the running process.
 *
 * plan -> vet -> dry run -> apply -> status -> revert. All but apply, revert and set read only; those need
 * allow_write, and write one aligned word; for code that is made, a page and another word before it. */
#ifndef HOLDFAST_PATCH_H
#define HOLDFAST_PATCH_H

struct hf_patch_dry_run;

/* Which constructor of which pool, and within what limits. */
struct hf_patch_options {
	size_t size;              /* sizeof(struct hf_patch_options) */
	const char *pool;         /* its name, as hf_pools has it, or its address "0x..." */
	const char *to;           /* FUNCTION, FILE.so:FUNCTION, closure:N, nil, thunk:TYPE */
	const char *plan;         /* instead of both: a plan that was saved */
	uint64_t cpu_us;          /* of the dry run; 0: 5000 */
	uint64_t alloc_bytes;     /* that it may allocate; HF_UNKNOWN: 1024 */
	uint64_t hold_us;         /* that the target may stand still for it; 0: 10000 */
	bool strict;              /* refuse what reads variables that can change */
	bool expert;              /* thunk:TYPE is allowed: a page of code that stays */
	bool accept_inconclusive; /* apply what could not be decided, too */
	bool allow_write;         /* apply, revert: write to the target */
	/* Where allow_write is not set: asked once all gates are passed, with what is going to be done; true: do it. */
	bool (*confirm)(void *arg, const struct hf_patch_dry_run *what);
	void *arg;
	const char
		*leave; /* for the error where neither is given: how the user allows it; NULL: "say --yes" */
	bool all,
		expired; /* revert: all patches of the process; those whose time is over. Else: the one of `plan` */
	const char *journal; /* the file; NULL: by XDG_STATE_HOME */
	double wait_s;       /* revert: first wait so long, or until the process ends; 0: do not */
	const char *save;    /* plan: the file to save it to; NULL: where plans are kept, named by its id */
};

/* Some more words on a constructor: from its code, or from a run of it. */
struct hf_patch_finding {
	const char *refusal;         /* "" where it is no reason to refuse; else "side-effect"... */
	const char *kind;            /* "global-store", "syscall", "write", "goroutine"... */
	const char *what;            /* one line */
	const char *function, *file; /* "" unknown */
	uint64_t offset;             /* of the function */
	uint32_t line;               /* 0: unknown */
	uint64_t addr;               /* that it is about; 0: none */
};

/* Somebody who is inside of the old constructor, or of the pool's get, at this moment: told, not waited for. */
struct hf_patch_user {
	char name[64]; /* "goroutine 7", "thread 1234 (worker)" */
	char function[192];
};

/* The record that all later steps refer to, by its hash. */
struct hf_patch_plan {
	const char *
		id; /* of 16 hex digits: the first of the hash over all that follows but users and the heap's state */
	int pid;
	uint64_t
		start_time; /* of the process, in clock ticks since boot: no other process of this pid has it; 0: a core */
	const char *exe, *build_id; /* build-id: hex; "" none */
	const char *runtime;        /* "go", "c" */
	const char *pool, *kind;
	uint64_t pool_addr, slot_addr, old_value,
		new_value; /* new_value HF_UNKNOWN: it is made when it is applied */
	const char *old_function, *new_function, *item_type; /* "" unknown */
	uint64_t old_code, new_code;
	uint64_t object_size;
	uint64_t cpu_us, alloc_bytes, hold_us;
	bool strict, expert;
	const char *how; /* what apply does: "store one word", "load FILE.so, then store one word"... */
	/* As things are: not of the plan's identity. */
	bool held;            /* by a debugger, all the while: hold_us does not matter */
	uint64_t processors;  /* GOMAXPROCS, or threads; HF_UNKNOWN */
	const char *gc_phase; /* "off", "mark"...; "" */
	const struct hf_patch_user *users;
	size_t users_n;
	const char *saved; /* the file; "" */
};

struct hf_patch_vet {
	const struct hf_patch_plan *plan;
	const char *verdict,
		*reason; /* "accepted", "refused"; reason: "" or "signature", "captures", "forbidden-call"... */
	const struct hf_patch_finding *findings;
	size_t findings_n;
	uint64_t functions, instructions, trusted, stores, not_followed;
	double elapsed_s;
};

/* One run of a constructor in the ghost. */
struct hf_patch_made {
	uint64_t addr, bytes;
	const char *type;
};
struct hf_patch_write {
	uint64_t addr, bytes;
	const char *name;           /* of the place: "main.counter", "main.Buf.data of 0xc000..." */
	const char *before, *after; /* hex, or numbers where they are words */
	const char *writer, *file;  /* who stored first to that page */
	uint32_t line;
};
struct hf_patch_syscall {
	const char *name;
	bool allowed;
};
struct hf_patch_run {
	const char *function;
	const char *verdict, *reason; /* accepted, refused, inconclusive */
	const char *why;              /* one line */
	uint64_t allocated_bytes, blocks;
	const struct hf_patch_made *made;
	size_t made_n;
	const struct hf_patch_write *writes;
	size_t writes_n;
	uint64_t writes_left_out, metadata_bytes;
	const struct hf_patch_syscall *syscalls;
	size_t syscalls_n;
	uint64_t started; /* threads or goroutines */
	uint64_t result;  /* address of what it returned; 0: nothing */
	const char *result_type;
	uint64_t elapsed_us, cpu_us, instructions, pages;
	double held_s;         /* the target stood still */
	unsigned runs, agreed; /* of how many runs this is the outcome */
	const struct hf_patch_finding *findings;
	size_t findings_n;
};
struct hf_patch_dry_run {
	const struct hf_patch_plan *plan;
	const char *verdict, *reason, *why; /* of vet and runs together */
	const struct hf_patch_vet *vet;
	const struct hf_patch_run *run,
		*old; /* NULL: it did not come to that; old: of the constructor that stands there */
};

struct hf_patch_state {
	const char *id;    /* of the plan */
	const char *state; /* "applied", "reverted", "not-applied", "foreign", "gone" */
	const char *why;   /* one line; "" */
	int pid;
	const char *pool, *old_function, *new_function;
	uint64_t slot_addr, old_value, new_value, value; /* value: now; HF_UNKNOWN: it cannot be read */
	double applied_at, expires_at;                   /* seconds since 1970; 0: not */
	double stopped_s;                                /* by the last write */
};
/* A figure before, after, and now. HF_UNKNOWN: not known. */
struct hf_patch_watch {
	const char *name; /* "live heap", "allocation rate", "pool bytes", "old items", "new items" */
	const char *unit; /* "bytes", "bytes/s", "objects" */
	uint64_t before, after;
};
struct hf_patch_states {
	const char *verb; /* "apply", "status", "revert" */
	const struct hf_patch_state *states;
	size_t n;
	const struct hf_patch_dry_run *dry_run; /* apply: what it was accepted by; NULL */
	const struct hf_patch_watch *watch;
	size_t watch_n;
	const char *watch_verdict; /* against the baseline x 1.05; "" */
	const char *journal;
};

/* Each: ret  freed by hf_result_free.
 * Errors: USAGE (no such pool or function; says which there are), TARGET, REFUSED (a gate; nothing was written),
 *         REVERTED (written, found wrong, taken back), STALE (the slot has changed since the plan) */
HF_API struct hf_err *hf_patch_plan(struct hf_session *s, const struct hf_patch_options *options,
				    const struct hf_patch_plan **ret) HF_CHECKED;
HF_API struct hf_err *hf_patch_vet(struct hf_session *s, const struct hf_patch_options *options,
				   const struct hf_patch_vet **ret) HF_CHECKED;
HF_API struct hf_err *hf_patch_dry_run(struct hf_session *s, const struct hf_patch_options *options,
				       const struct hf_patch_dry_run **ret) HF_CHECKED;
HF_API struct hf_err *hf_patch_apply(struct hf_session *s, const struct hf_patch_options *options,
				     const struct hf_patch_states **ret) HF_CHECKED;
/* s  NULL, for status and revert: all processes of the journal. */
HF_API struct hf_err *hf_patch_status(struct hf_session *s, const struct hf_patch_options *options,
				      const struct hf_patch_states **ret) HF_CHECKED;
/* options->plan: the id of one patch; NULL: all of the session's process. */
HF_API struct hf_err *hf_patch_revert(struct hf_session *s, const struct hf_patch_options *options,
				      const struct hf_patch_states **ret) HF_CHECKED;

/* The words of these questions that begin with prefix, one a line: pools (of those that are no variables and that no file
 * describes, where another question has found them), constructors whose type fits, ids of this process's patches.
 * pool  TO: of which; NULL: of any.     ret  caller frees with hf_text_free. */
enum hf_patch_word { HF_PATCH_WORD_POOL, HF_PATCH_WORD_TO, HF_PATCH_WORD_ID };
HF_API struct hf_err *hf_patch_complete(struct hf_session *s, enum hf_patch_word kind, const char *pool,
					const char *prefix, char **ret) HF_CHECKED;

#endif
