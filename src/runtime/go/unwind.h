/* Goroutine stacks and how to unwind them; private to goroutine.c, stack.c and their like. */
#ifndef HF_GO_UNWIND_H
#define HF_GO_UNWIND_H

#include "pcln.h"

/* The used part of a goroutine's stack, local: [lo, hi). */
struct go_stack {
	const uint8_t *at;
	uint64_t lo, hi;
	struct hf_scratch copy;
	bool damaged; /* some of it could not be read: zeros there */
};

/* Reads [from, g->hi). Errors: NOMEM, INTERRUPTED; what cannot be read is zero and `damaged` is set. */
struct hf_err *go_stack_read(struct go *go, const struct go_goroutine *g, uint64_t from, struct go_stack *ret)
	HF_CHECKED;
void go_stack_deinit(struct go_stack *s);

static inline bool go_stack_word(const struct go_stack *s, uint64_t addr, uint64_t *ret)
{
	if (addr < s->lo || addr >= s->hi || s->hi - addr < 8)
		return false;
	*ret = hf_load_u64(s->at + (addr - s->lo));
	return true;
}

/* Functions that the unwinder or the scan treat in their own ways; by name, for FuncIDs change. */
enum go_role {
	GO_ROLE_NORMAL,
	GO_ROLE_ASYNC_PREEMPT,
	GO_ROLE_DEBUG_CALL,
	GO_ROLE_SIGPANIC,
	GO_ROLE_CGOCALLBACK,
	GO_ROLE_GOGO,
	GO_ROLE_NO_SAFEPOINT, /* called where the caller has no valid stack map */
	GO_ROLE_REFLECT,      /* reflect.makeFuncStub, reflect.methodValueCall */
};
enum go_role go_func_role(const char *name);

/* What is known of one code address; the same ones come again and again. */
struct go_pc_info {
	uint64_t pc; /* 0: empty */
	struct go_func func;
	enum go_role role;
	int32_t sp_delta;
	bool found, has_delta;
};

#define GO_MAP_INLINE     64u /* bytes: 512 words */
#define GO_OBJECTS_INLINE 4u

/* A stack map: bit i is the word at start + 8 * i. */
struct go_bits {
	uint64_t addr; /* of the bits in the target */
	uint32_t n;
	uint8_t at[GO_MAP_INLINE]; /* where they fit */
};

/* runtime/stkframe.go, stackObjectRecord */
struct go_object_record {
	int32_t off, size, ptr_bytes;
	uint32_t mask_off;
};

/* The stack maps of one continuation pc. */
struct go_map_info {
	uint64_t pc; /* 0: empty */
	bool locals_known, args_known;
	struct go_bits locals, args;
	uint64_t objects_addr;
	uint32_t objects_n;
	struct go_object_record objects[GO_OBJECTS_INLINE]; /* the first ones */
};

/* The name that a frame gives its goroutine; NULL: none, look further in. */
struct go_name_info {
	uint64_t pc; /* 0: empty */
	const char *name;
};

#define GO_CACHE 1024u /* direct-mapped */

/* One a thread. Zero-initialised is empty. */
struct go_cache {
	struct go_pc_info pcs[GO_CACHE];
	struct go_map_info maps[GO_CACHE];
	struct go_name_info names[GO_CACHE];
};

static inline size_t go_cache_slot(uint64_t pc)
{
	return (size_t)((pc * UINT64_C(0x9e3779b97f4a7c15)) >> 54) % GO_CACHE;
}

const struct go_pc_info *go_pc_info(struct go *go, struct go_cache *cache, uint64_t pc);

struct go_unwinder {
	struct go *go;
	const struct go_goroutine *g;
	const struct go_stack *stack;
	struct go_cache *cache;
	struct go_stkframe frame; /* valid after true */
	enum go_role role, callee_role;
	bool complete;   /* after false: it reached the top */
	const char *why; /* after false: why it did not; for tests and logs */
};

/* Goes to the innermost frame, and on to callers; false: there is no (further) frame. The stack pointer only
 * ever grows: this ends. After false without `complete`, the unknown part begins at frame.sp. */
bool go_unwind_begin(struct go_unwinder *u, struct go *go, const struct go_goroutine *g,
		     const struct go_stack *stack, struct go_cache *cache);
bool go_unwind_next(struct go_unwinder *u);

/* Stack maps at the frame's continuation pc; valid until the next call with this cache. NULL: the frame is
 * dead. */
const struct go_map_info *go_frame_maps(struct go *go, struct go_cache *cache, const struct go_stkframe *f);

/* Where a scan puts what it finds. */
struct go_scan_output {
	HF_VEC(struct go_raw_root) roots;
	HF_VEC(struct go_frame) frames;
};
struct go_scan_state; /* stack.c: what it works on, reused from goroutine to goroutine */
struct go_scan_state *go_scan_state_create(void);    /* NULL: out of memory */
void go_scan_state_destroy(struct go_scan_state *s); /* takes NULL */

/* As go_stack_scan, into out; frames ascend by stack pointer. *ret_name: what the goroutine runs, "" unknown.
 * *ret_why: of an incomplete unwinding. */
struct hf_err *go_scan_goroutine(struct go *go, struct go_scan_state *s, uint32_t goroutine,
				 struct go_scan_output *out, const char **ret_name, const char **ret_why)
	HF_CHECKED;

/* goroutine.c: its thread, not g.sched, knows where it is. */
bool go_is_running(const struct go_goroutine *g);
/* machine.c: finds the thread that runs a goroutine, and where it is: fills pc, sp, on_thread... */
void go_machine_attach(struct go *go, struct go_goroutine *g);

/* walk.c: what a frame says of what its goroutine runs; NULL: it is scaffolding, look further in. */
const char *go_task_name(struct go *go, struct go_cache *cache, uint64_t call_pc);

#endif
