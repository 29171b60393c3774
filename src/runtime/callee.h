/* How a constructor of a pool is called, and what its language thinks of what it did: the contract between patch/ and a
 * runtime. A runtime that can be patched has such ops; C's stand in runtime/c/, Go's in runtime/go/callee*.c.
 *
 * A run in the ghost is described by a job, in the terms of sandbox/verdict.h, and answered by a run.
 */
#ifndef HF_RUNTIME_CALLEE_H
#define HF_RUNTIME_CALLEE_H

#include "../../sandbox/verdict.h"
#include "../base/base.h"
#include "../base/str.h"
#include "../base/vec.h"
#include "../sym/sym.h"
#include "../target/target.h"

struct hf_callee_ops;
struct hf_runtime;

/* Where a pool keeps its constructor. */
struct hf_ctor_slot {
	const char *pool; /* its name, as `pools` has it */
	const char *kind; /* "sync.Pool", "described" */
	uint64_t pool_addr;
	uint64_t slot_addr;         /* 8-aligned */
	uint64_t value;             /* that it holds: C: code; Go: a funcval */
	uint64_t code;              /* the constructor's entry; 0: it has none */
	const char *function;       /* its name; "" where unknown */
	uint32_t slot_type;         /* of the slot, for hf_type_get; 0: unknown */
	uint64_t object_size;       /* C: of the object that it is given */
	uint64_t item_type;         /* Go: the descriptor of what the pool's items are; 0: not known */
	const char *item_type_name; /* "" */
	bool value_on_heap;         /* Go: a closure that was allocated */
	const char *getter;         /* the pool's own function that calls the constructor; "" unknown */
};

/* What is to stand there instead. */
struct hf_ctor {
	const char *name; /* as it was asked for, or as symbols have it */
	uint64_t code;    /* its entry */
	uint64_t value;   /* for the slot; 0: there is no such word in the target yet */
	bool captures;    /* Go: its code is a closure's, and one is made for it that holds this number */
	uint64_t captured;
	/* Go: code of our own that makes a zero value of a type, whose descriptors these are; the program does not have it
	 * while code is 0. */
	bool is_made;
	uint64_t made_type, made_pointer; /* of the type, and of a pointer to it */
	uint64_t allocator;               /* the function that it calls */
	bool none;                        /* there is to be none at all: code and value are 0 */
};

/* Code of ours as it is to stand in the target, with what its runtime has to know of it. */
#define HF_NEW_CODE_MAX 4096u
struct hf_new_code {
	uint8_t bytes[HF_NEW_CODE_MAX]; /* a page */
	uint64_t code, value;           /* entry, and the value for the slot; of that page */
	/* The word whose store makes the page known to the runtime: before the slot's. */
	uint64_t link_addr, link_expect, link_value;
};

/* Why a constructor is refused, in the order in which the first that holds is named. */
#define HF_REFUSALS(X)                                                                                       \
	X(NONE, "")                                                                                          \
	X(SIGNATURE, "signature")                                                                            \
	X(CAPTURES, "captures")                                                                              \
	X(FORBIDDEN_CALL, "forbidden-call")                                                                  \
	X(SYSCALL, "syscall")                                                                                \
	X(BLOCKS, "blocks")                                                                                  \
	X(FAULT, "fault")                                                                                    \
	X(TIMEOUT, "timeout")                                                                                \
	X(SIDE_EFFECT, "side-effect")                                                                        \
	X(RETAINS, "retains")                                                                                \
	X(ALLOCATION, "allocation")                                                                          \
	X(NULL, "null")                                                                                      \
	X(TYPE, "type")                                                                                      \
	X(MUTABLE_READ, "mutable-read") /* strict alone */                                                   \
	X(INCONCLUSIVE, "inconclusive")

enum hf_refusal {
#define HF_REFUSAL_ENUM(name, text) HF_REFUSAL_##name,
	HF_REFUSALS(HF_REFUSAL_ENUM)
#undef HF_REFUSAL_ENUM
};
const char *hf_refusal_name(enum hf_refusal refusal);

/* What the ghost is to do, but for its maps, limits and stack, which patch/ fills in. */
struct hf_ghost_job {
	uint64_t scratch; /* set by the caller: see verdict.h */
	uint64_t rip, fs_base, gs_base;
	uint64_t regs[GHOST_REGS];
	uint32_t object_size;
	uint64_t cpu_us, alloc_bytes, count_max; /* set by the caller */
	HF_VEC(struct ghost_hook) hooks;
	HF_VEC(struct ghost_write) writes;
	HF_VEC(struct ghost_range) ranges;
	void *own; /* the callee's, for judge; freed by its deinit */
};
/* A write of up to GHOST_WRITE_BYTES. Errors: NOMEM, UNSUPPORTED (too long, too many). */
struct hf_err *hf_ghost_job_write(struct hf_ghost_job *job, uint64_t addr, const void *bytes, size_t len)
	HF_CHECKED;
struct hf_err *hf_ghost_job_write_u64(struct hf_ghost_job *job, uint64_t addr, uint64_t value) HF_CHECKED;
void hf_ghost_job_deinit(struct hf_ghost_job *job); /* but own */

/* What came of it: the lists of verdict.h. Contents stand in `bytes`, at `offset`. */
struct hf_ghost_contents {
	uint64_t addr;
	size_t len, offset;
	size_t stored; /* where the bits are: one a word, 1 where the function itself stored to it */
};
struct hf_ghost_run {
	struct ghost_end end;
	double held_s; /* the target was stopped for it */
	HF_VEC(struct ghost_event) events;
	HF_VEC(struct ghost_allocation) allocations;
	HF_VEC(struct ghost_change) changes;
	HF_VEC(struct hf_ghost_contents) contents;
	HF_VEC(uint8_t) bytes;
};
void hf_ghost_run_deinit(struct hf_ghost_run *run);
/* True where the function itself, no allocator, stored to the word at an offset of contents. */
bool hf_ghost_run_stored(const struct hf_ghost_run *run, const struct hf_ghost_contents *contents,
			 size_t offset);
/* What stands at addr of its contents; false: they do not have it. */
bool hf_ghost_run_read(const struct hf_ghost_run *run, uint64_t addr, void *buf, size_t len);

/* One thing to know about a constructor: from its code, or from a run. */
struct hf_finding {
	enum hf_refusal refusal; /* NONE: told, no reason to refuse */
	const char *kind; /* a word of a fixed list: "global-store", "syscall", "write", "goroutine"... */
	const char *what; /* one line: "stores to main.counter" */
	const char *function, *file; /* where: "" unknown */
	uint64_t offset;             /* of the function */
	uint32_t line;
	uint64_t pc, addr; /* 0 */
};
/* A list, and the memory of its strings. */
struct hf_findings {
	HF_VEC(struct hf_finding) list;
	struct hf_arena names;
};
/* what  is copied into the arena, like all strings of f. Errors: NOMEM. */
struct hf_err *hf_findings_add(struct hf_findings *f, const struct hf_finding *finding, const char *what, ...)
	HF_CHECKED __attribute__((format(printf, 3, 4)));
void hf_findings_deinit(struct hf_findings *f);

/* A block that a run allocated, for people. */
struct hf_made {
	uint64_t addr, bytes; /* what it takes: the size class, the usable size */
	const char *type;     /* "main.Buf", "[]byte"; "" unknown; in the findings' memory */
};

/* What a callee makes of a run. */
struct hf_judgement {
	uint64_t result;              /* the object; 0: none */
	uint64_t result_type;         /* Go: its descriptor; 0 */
	const char *result_type_name; /* ""; in the findings' memory */
	uint64_t
		allocated_bytes; /* as the allocator gave them out; without the object that a C constructor is given */
	HF_VEC(struct hf_made) made;
	/* Every reason that holds, by findings; the first in order is the verdict's. Findings of kind "metadata" are not kept:
	 * what the allocator changed for itself is counted alone. */
	uint64_t metadata_bytes;
};
void hf_judgement_deinit(struct hf_judgement *j);

/* How the target is at this moment, as far as single words of it say. */
struct hf_moment {
	uint64_t processors;  /* that the language works on; HF_UNKNOWN */
	const char *gc_phase; /* "off", "mark", "mark termination"; "" unknown; static */
};

/* What the two know: borrowed by the callee until close. */
struct hf_callee {
	const struct hf_callee_ops *ops;
	struct hf_target *t;
	struct hf_syms *syms;
};

struct hf_callee_ops {
	const char *name; /* "go", "c" */
	/* rt  that of the session, of this name; NULL: there is none. What it knows is copied: it need not live as long.
	 * ret  freed by close. Reads files and what never changes; the target need not be stopped, and may be stopped again
	 * after. Errors: UNSUPPORTED, NOMEM, IO. */
	struct hf_err *(*open)(struct hf_target *t, struct hf_syms *s, const struct hf_runtime *rt,
			       struct hf_callee **ret);
	/* Resolves a name of a function ("main.newSmall", "ctor_sound", "0x401000") to a constructor.
	 * Errors: USAGE (there is none: names the nearest ones), UNSUPPORTED */
	struct hf_err *(*find)(struct hf_callee *c, const char *name, struct hf_ctor *ret);
	/* A constructor that makes zero values of a type, by code that the target does not have yet; or that it has by now, as
	 * of an earlier one. NULL: there is none in this language.
	 * Errors: USAGE (no such type), UNSUPPORTED (a release or build that this was not tested on) */
	struct hf_err *(*make)(struct hf_callee *c, const struct hf_ctor_slot *slot, const char *type,
			       struct hf_ctor *ret);
	/* That code, for a page at that address, which nothing is mapped at yet.
	 * Errors: STALE, FAULT, UNSUPPORTED.     Target: reads a word */
	struct hf_err *(*build)(struct hf_callee *c, const struct hf_ctor *ctor, uint64_t page,
				struct hf_new_code *ret);
	/* What can be said without running it: its type against the slot's, captured variables, unknown unwind data. Adds
	 * findings; those that refuse carry why. */
	struct hf_err *(*check)(struct hf_callee *c, const struct hf_ctor_slot *slot,
				const struct hf_ctor *ctor, struct hf_findings *ret);
	/* The target is stopped: registers, hooks and writes of a call. May read the target.
	 * Errors: STALE (no thread or processor to borrow at this moment: try again), BADDATA, FAULT */
	struct hf_err *(*prepare)(struct hf_callee *c, const struct hf_ctor_slot *slot,
				  const struct hf_ctor *ctor, struct hf_ghost_job *ret);
	/* After the target runs on (nothing of it may be read any more that prepare did not keep in job->own): what the run
	 * did, as findings with refusals: how it ended (tag, syscall, fault), changes that are not the allocator's own, what
	 * it returned, what holds it, and of what type it is. The limits of time and bytes are patch/'s to judge. */
	struct hf_err *(*judge)(struct hf_callee *c, const struct hf_ctor_slot *slot,
				const struct hf_ctor *ctor, const struct hf_ghost_job *job,
				const struct hf_ghost_run *run, struct hf_judgement *ret,
				struct hf_findings *ret_findings);
	/* Of a variable that is a pool of this language's own, the type's name; NULL: it has no such pools, and no slot_at. */
	const char *pool_type;
	/* Where such a pool keeps its constructor, and what stands there now; of a target that runs, too. Its name is left to
	 * the caller.     Errors: USAGE (it is no such pool), FAULT, STALE */
	struct hf_err *(*slot_at)(struct hf_callee *c, uint64_t pool_addr, struct hf_ctor_slot *ret);
	/* What a language knows of code that symbols and DWARF do not. Both may be NULL. */
	bool (*name_of)(struct hf_callee *c, uint64_t pc, struct hf_symbol *ret);
	bool (*line_of)(struct hf_callee *c, uint64_t pc, struct hf_source_frame *ret);
	/* Reads the running target. May be NULL. */
	struct hf_err *(*moment)(struct hf_callee *c, struct hf_moment *ret);
	void (*deinit_job)(struct hf_callee *c, struct hf_ghost_job *job); /* frees job->own */
	void (*close)(struct hf_callee *c);
};

/* All callees that we know; each has the name of its runtime. */
const struct hf_callee_ops *const *hf_callees(size_t *ret_n);

#endif
