/* C as a callee: constructors with C's calling convention (System V, x86-64), over any allocator that has malloc's names.
 * Private to this folder.
 *
 *   callee.c     the ops: a call's registers        allocator.c  who allocates, who ends a run: the hooks
 *   binding.c    PLT entries, bound beforehand
 *   find.c       names of functions                 borrow.c     whose thread-local storage a call borrows
 *   prototype.c  the slot's type against the other  judge.c      what a run did    place.c  names of addresses
 */
#ifndef HF_RUNTIME_C_H
#define HF_RUNTIME_C_H

#include "../callee.h"

/* A function that a run is watched at, by its name; several addresses may have it. */
enum c_role { C_ALLOCATES, C_FREES, C_RESOLVES, C_ENDS };
struct c_name {
	const char *name;
	enum c_role role;
	uint8_t size, count, old, out; /* as in struct ghost_hook */
	enum hf_refusal refusal;       /* C_ENDS */
	const char *kind, *what;       /* C_ENDS: of the finding */
};

#define C_TAG_RESOLVER (GHOST_NO_TAG - 1) /* of the dynamic linker's function that binds a PLT entry */

struct c_hook {
	const struct c_name *name;
	bool is_glibc; /* its blocks have glibc's headers */
};
/* What judge needs of the moment of a run: job->own. */
struct c_run {
	uint64_t fs_base;
	HF_VEC(uint64_t) stacks; /* stack pointers of all threads */
};

/* A word through which the PLT of a constructor's module jumps, and what it comes to hold. */
struct c_slot {
	uint64_t addr;
	uint64_t to;  /* the function; 0: it stands at `via` */
	uint64_t via; /* a word of the module that chooses among several, which holds its choice */
};

/* What a call needs is looked up when it is opened: nothing of it is worth a stop. */
struct c_callee {
	struct hf_callee base;
	const struct hf_module *linker;  /* the dynamic one; NULL: a static program */
	HF_VEC(struct ghost_hook) hooks; /* a hook's tag is its index */
	HF_VEC(struct c_hook) names;     /* of the hooks */
	HF_VEC(struct hf_range) code;    /* of the allocators */
	uint64_t errno_location;         /* the function; 0: there is none */
	const struct hf_module *bound;   /* whose PLT the next list is of; NULL: none yet */
	HF_VEC(struct c_slot) slots;     /* ascending */
};

/* ---- find.c ---- */
struct hf_err *c_find(struct hf_callee *c, const char *name, struct hf_ctor *ret) HF_CHECKED;

/* ---- prototype.c ---- */
struct hf_err *c_check(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		       struct hf_findings *ret) HF_CHECKED;
/* How a constructor is called and answers. */
enum c_answer { C_ANSWERS_POINTER, C_ANSWERS_NUMBER, C_ANSWERS_NOTHING };
struct c_call {
	bool takes_object; /* the first argument is the object; else its size, where it takes a number */
	bool takes_size;
	enum c_answer answer;
	const char *result; /* the name of the type that it points to; "" unknown */
};
/* By the constructor's own prototype, else the slot's, else as void *(*)(void *). */
void c_call_find(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		 struct c_call *ret);

/* ---- allocator.c ---- */
/* Fills in the lists of a callee. Errors: NOMEM */
struct hf_err *c_allocators_find(struct c_callee *c) HF_CHECKED;
/* Adds the hooks to a job. Reads the target: the dynamic linker's function has no name. */
struct hf_err *c_hooks_add(struct c_callee *c, struct hf_ghost_job *job) HF_CHECKED;
/* What a block takes that was asked for with so many bytes. */
uint64_t c_usable_size(const struct c_callee *c, const struct hf_ghost_run *run,
		       const struct ghost_allocation *block);
/* NULL: a tag that is none of ours. */
const struct c_hook *c_hook_of(const struct c_callee *c, uint32_t tag);

/* ---- binding.c ---- */
/* Lists the PLT's words of the module of a constructor. Reads files. Errors: NOMEM */
struct hf_err *c_slots_find(struct c_callee *c, uint64_t code) HF_CHECKED;
/* Binds in the ghost what the target has not bound yet: its first call would take the dynamic linker through a dozen pages.
 * Reads the target: these words. */
struct hf_err *c_slots_bind(const struct c_callee *c, struct hf_ghost_job *job) HF_CHECKED;

/* ---- borrow.c ---- */
/* A thread whose thread-local storage a call may use: one that is not in the allocator.
 * Errors: STALE (all of them are, or none has stopped) */
struct hf_err *c_borrow(const struct c_callee *c, const struct hf_thread **ret) HF_CHECKED;
/* Where the thread's errno is; 0: unknown. */
uint64_t c_errno_addr(const struct c_callee *c, uint64_t fs_base);

/* ---- judge.c ---- */
struct hf_err *c_judge(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		       const struct hf_ghost_job *job, const struct hf_ghost_run *run,
		       struct hf_judgement *ret, struct hf_findings *ret_findings) HF_CHECKED;

/* ---- place.c ---- */
/* Where something is, as a run goes. */
struct c_places {
	struct hf_callee *c;
	const struct hf_ghost_job *job;
	const struct hf_ghost_run *run;
	const struct c_run *own;
};
bool c_is_fresh(const struct c_places *p, uint64_t addr); /* of the object, or of what the run allocated */
bool c_is_heap(const struct c_places *p, uint64_t addr);  /* that was there before */
/* Appends "counter", "g_registry[3]", "the heap, at 0x...", "its object, 8 bytes past the end". */
void c_place_name(const struct c_places *p, uint64_t addr, struct hf_str *ret);

#endif
