/* Calls of a pool's constructor, a func() any, outside of its process: what callee*.c share.
 *
 *   callee.c          open and close, what it knows of its own     callee_find.c     a name to code and function value
 *   callee_check.c    what is known without running it             callee_hooks.c    functions whose calls tell
 *   callee_prepare.c  registers and memory of a call               callee_judge.c    what a run did
 *   callee_result.c   what it allocated and returned       callee_slot.c     the pool's word, and names of code
 *   thunk.c           a constructor made of nothing
 */
#ifndef HF_GO_CTOR_H
#define HF_GO_CTOR_H

#include "../callee.h"
#include "pcln.h"
#include "types.h"

struct go_callee {
	struct hf_callee c; /* first */
	struct go *go; /* of its own: tables of functions and types in local memory, nothing of the heap */
	HF_VEC(struct ghost_hook) hooks;
	/* What the last call borrowed. The same again touches the same pages, if it is still as good. */
	pid_t last_tid;
	uint64_t last_p;
};

extern const struct hf_callee_ops *const hf_go_callee;

static inline struct go_callee *go_callee_of(struct hf_callee *c)
{
	return (struct go_callee *)c;
}

/* What prepare keeps for judge: hf_ghost_job.own. */
struct go_call {
	HF_VEC(uint64_t) arenas; /* of the heap, by number, ascending */
};

/* ---- callee_find.c ---- */

struct hf_err *go_ctor_find(struct hf_callee *c, const char *name, struct hf_ctor *ret) HF_CHECKED;
/* The function of that very name. False: there is none. */
bool go_function_named(struct go *go, const char *name, struct go_func *ret);
/* The read-only word that holds a function's entry, as the linker makes one for each function that is used as a value.
 * *ret 0: there is none. */
struct hf_err *go_static_funcval(struct go *go, uint64_t entry, uint64_t *ret) HF_CHECKED;
/* True where addr is of a module's image, variables or constants. */
bool go_is_static(const struct go *go, uint64_t addr);
/* True where it is of its variables. */
bool go_is_variable(const struct go *go, uint64_t addr);

/* ---- thunk.c ---- */

#define GO_THUNK_CODE 50u /* bytes */
struct hf_err *go_thunk_make(struct hf_callee *c, const struct hf_ctor_slot *slot, const char *type,
			     struct hf_ctor *ret) HF_CHECKED;
struct hf_err *go_thunk_build(struct hf_callee *c, const struct hf_ctor *ctor, uint64_t page,
			      struct hf_new_code *ret) HF_CHECKED;
/* Its code, the same wherever it stands.     ret  of GO_THUNK_CODE bytes. */
void go_thunk_code(const struct hf_ctor *ctor, uint8_t *ret);
/* A page of it, without the link.     next  the module that follows in the runtime's list; 0: none.
 * Errors: UNSUPPORTED (a name that is too long, a layout that has no room) */
struct hf_err *go_thunk_page(struct go *go, const struct hf_ctor *ctor, uint64_t page, uint64_t next,
			     struct hf_new_code *ret) HF_CHECKED;
/* What can be said of it without running it. */
struct hf_err *go_thunk_check(struct go *go, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			      struct hf_findings *ret) HF_CHECKED;

/* ---- callee_slot.c ---- */

struct hf_err *go_ctor_slot_at(struct hf_callee *c, uint64_t pool_addr, struct hf_ctor_slot *ret) HF_CHECKED;
bool go_ctor_name_of(struct hf_callee *c, uint64_t pc, struct hf_symbol *ret);
bool go_ctor_line_of(struct hf_callee *c, uint64_t pc, struct hf_source_frame *ret);
struct hf_err *go_ctor_moment(struct hf_callee *c, struct hf_moment *ret) HF_CHECKED;

/* ---- callee_check.c ---- */

struct hf_err *go_ctor_check(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			     struct hf_findings *ret) HF_CHECKED;
/* A finding with the function and line of a code address; pc 0: none. */
struct hf_finding go_finding_at(struct go *go, enum hf_refusal refusal, const char *kind, uint64_t pc);

/* ---- callee_hooks.c ---- */

/* What a hook's tag says. */
struct go_hook {
	const char *function; /* or all that begin with it, where it ends in a '*' */
	uint8_t kind;         /* enum ghost_hook_kind */
	uint8_t refusal;      /* enum hf_refusal, of STOP and NOTE */
	const char *finding;  /* kind of the finding */
	const char *what;     /* that the constructor does */
};
struct hf_err *go_hooks_find(struct go_callee *c) HF_CHECKED;
/* NULL: no tag of ours. */
const struct go_hook *go_hook_get(uint32_t tag);

/* ---- callee_prepare.c ---- */

struct hf_err *go_ctor_prepare(struct hf_callee *c, const struct hf_ctor_slot *slot,
			       const struct hf_ctor *ctor, struct hf_ghost_job *ret) HF_CHECKED;
/* True where the heap had memory there when the target was stopped. */
bool go_call_had(const struct go_call *call, uint64_t addr);

/* ---- callee_judge.c, callee_result.c ---- */

struct go_judge {
	struct go *go;
	const struct hf_ctor_slot *slot;
	const struct hf_ctor *ctor;
	const struct go_call *call;
	const struct hf_ghost_run *run;
	struct hf_judgement *ret;
	struct hf_findings *findings;
};
struct hf_err *go_ctor_judge(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			     const struct hf_ghost_job *job, const struct hf_ghost_run *run,
			     struct hf_judgement *ret, struct hf_findings *ret_findings) HF_CHECKED;
/* What it allocated: bytes as the allocator gives them out, types. */
struct hf_err *go_judge_made(struct go_judge *j) HF_CHECKED;
/* What it returned, and what that leads to. */
struct hf_err *go_judge_result(struct go_judge *j) HF_CHECKED;
/* The allocation of the run that addr is in; NULL: none. */
const struct ghost_allocation *go_run_made(const struct hf_ghost_run *run, uint64_t addr);
/* Bytes that the allocator gives out for a request. Source: Go 1.20-1.27 runtime/msize.go, sizeclasses.go. */
uint64_t go_allocated_size(const struct go_layout *l, uint64_t bytes, bool pointers);

#endif
