/* Who manages memory: the contract between the graph's users and a language runtime or an allocator.
 *
 * A runtime is opened while the target still runs (files only), captures what it needs while the target is stopped,
 * and walks what was captured after. Blocks are its allocated objects, numbered densely from 0 in ascending order of
 * address. Each runtime lives in a folder of its own and is named in one list: hf_runtimes in runtime.c.
 */
#ifndef HF_RUNTIME_H
#define HF_RUNTIME_H

#include "../base/base.h"
#include "../base/str.h"
#include "../graph/parties.h"
#include "../sym/sym.h"
#include "../target/target.h"

struct hf_ctor_slot; /* callee.h */
struct hf_runtime;

/* In the order in which chains of one length prefer them. */
#define HF_ROOT_KINDS(X)                                                                                     \
	X(GLOBAL, "global")                                                                                  \
	X(TLS, "tls")                                                                                        \
	X(GOROUTINE, "goroutine")                                                                            \
	X(STACK, "stack")                                                                                    \
	X(FINALIZER, "finalizer")                                                                            \
	X(CLEANUP, "cleanup")                                                                                \
	X(REGISTER, "register")                                                                              \
	X(OTHER, "runtime")

enum hf_root_kind {
#define HF_ROOT_ENUM(name, text) HF_ROOT_##name,
	HF_ROOT_KINDS(HF_ROOT_ENUM)
#undef HF_ROOT_ENUM
};
const char *hf_root_kind_name(enum hf_root_kind kind);

/* A root as the walk finds it. owner: what the runtime names it by, with the kind. */
struct hf_found_root {
	enum hf_root_kind kind;
	uint32_t owner;
	uint32_t block;
	uint64_t slot;  /* where the pointer stands; 0: a register */
	uint64_t value; /* the pointer */
};
typedef struct hf_err *hf_root_fn(void *arg, const struct hf_found_root *root);

struct hf_block {
	uint64_t addr; /* of the slot, header included */
	uint64_t size; /* what the program may use of it, from addr on */
};

/* What an address is, short of a live or free block's number. */
enum hf_place {
	HF_PLACE_BLOCK,   /* an allocated block: `block` */
	HF_PLACE_FREE,    /* managed memory that is not allocated: a free slot or span */
	HF_PLACE_STACK,   /* a goroutine's stack */
	HF_PLACE_RUNTIME, /* the runtime's own structures, and tails of spans */
	HF_PLACE_NONE,    /* none of this runtime's */
};
struct hf_where {
	enum hf_place place;
	uint32_t block;
	uint64_t start, size; /* of the slot, span or stack; 0: none */
};

/* A field, variable or function on the way to a block, without indexes and keys: what profiles fold ways by. */
struct hf_step_info {
	const char *name,
		*file; /* "main.Session.Payload"; file: "" where unknown; valid while the runtime lives */
	uint32_t line;
	uint64_t pc; /* of a function: its entry; 0 */
	const char *
		pool; /* NULL; or the pool of free objects that the way leads through here: its variable or field */
};
/* The steps from a root to its block, outermost first: the variable or the goroutine's function, and where in it. */
#define HF_ROOT_STEPS_MAX 4
struct hf_root_steps {
	uint32_t step[HF_ROOT_STEPS_MAX];
	uint32_t n;    /* at least 1 */
	uint32_t task; /* the goroutine's number for task(); UINT32_MAX: none */
};
/* A pointer to block `to`, by a step; 0: it has no name, as inside a map or from an array to its elements. */
typedef struct hf_err *hf_step_fn(void *arg, uint32_t to, uint32_t step);

/* A stack frame for people. */
struct hf_stack_frame {
	const char *function, *file; /* valid while the runtime lives */
	uint64_t pc;
	uint32_t line;
	bool inlined;
};

/* One goroutine (or the like), for the groups. Strings live while the runtime lives. */
struct hf_task {
	uint64_t id;
	const char *function, *created_by, *wait;
	double wait_s; /* negative: unknown */
	uint64_t stack_bytes;
	bool system;                   /* the runtime's own */
	bool main;                     /* the one that ends the program when it ends */
	uint64_t created_pc;           /* inside the instruction that made it; 0: unknown */
	const struct hf_label *labels; /* that the program gave it; count is 0 */
	size_t labels_n;
};

/* What can wake a task. */
enum hf_task_state {
	HF_TASK_FREE, /* it runs, or it waits for what is not of the heap: time, the network, a global lock */
	HF_TASK_BLOCKED, /* who reaches one of the blocks that it waits on, and no one else */
	HF_TASK_NEVER,   /* nothing: it says so itself (a nil channel, a select without cases) */
};
struct hf_task_waits {
	uint8_t *state;         /* enum hf_task_state a task; freed by hf_free */
	hf_party_blocks wakers; /* party: the task, a blocked one; block: what it waits on */
	hf_party_blocks own; /* blocks that stand for a task: they lead on to what it holds and waits for */
};

/* A place that allocates, as the runtime's own profile of allocations samples it: one stack, one size of object. Raw
 * figures of the samples alone: hf_alloc_scale makes of them what they stand for. */
struct hf_alloc_site {
	/* Innermost first. Each is a return address, and one function: inlined ones have addresses of their own, so of the
	 * frames at pc - 1 the first alone is meant. Valid while the runtime lives. */
	const uint64_t *pcs;
	size_t pcs_n;
	size_t own; /* of these, from the innermost on, are the runtime's own functions */
	uint64_t size;
	int64_t allocs, frees, alloc_bytes, free_bytes;
};

/* Who has a span's free slots. */
enum hf_span_holder {
	HF_SPAN_CACHED,  /* a processor's cache: it allocates from it */
	HF_SPAN_PARTIAL, /* the central list, with free slots */
	HF_SPAN_FULL,    /* the central list, without */
	HF_SPAN_LARGE,   /* nobody: one object */
};
struct hf_span {
	uint64_t start, bytes; /* its pages */
	uint64_t slot_size, slots;
	uint32_t first_block, blocks; /* allocated, numbered from first_block on */
	enum hf_span_holder holder;
	bool unswept; /* what is dead in it is not yet free */
};

/* Pages of the heap without a span. */
struct hf_idle {
	uint64_t bytes, released;   /* released: the system has them back */
	uint64_t runs, largest_run; /* of neighbouring pages; bytes of the largest */
	uint64_t cached;            /* of bytes: in caches of processors, in no run */
	uint64_t padding; /* beside them: never to be used, so that the heap starts at a random address */
};

/* Where an item waits in its pool, in the order in which lists count them. */
#define HF_POOL_PLACES(X)                                                                                    \
	X(PRIVATE, "private") /* a processor's own, the next that it takes */                                \
	X(SHARED, "shared")   /* anybody's */                                                                \
	X(VICTIM, "victim")   /* goes with the next collection, if nobody takes it before */

enum hf_pool_place {
#define HF_POOL_ENUM(name, text) HF_POOL_##name,
	HF_POOL_PLACES(HF_POOL_ENUM)
#undef HF_POOL_ENUM
		HF_POOL_PLACES_N
};

/* An object that waits in a pool to be used again. */
struct hf_pool_item {
	uint64_t addr;  /* as the pool has it: the object's own, after a header */
	uint32_t block; /* UINT32_MAX: none of the runtime's, a constant */
	uint32_t type;  /* as the pool has it ("*bytes.Buffer"), for type_name; 0: unknown */
	uint32_t whole; /* the type of the block while it is out; 0: what is out cannot be told by its type */
	uint8_t place;  /* enum hf_pool_place */
};

struct hf_pool {
	const char *kind; /* "sync.Pool" */
	uint64_t addr;
	uint32_t block;               /* that it stands in; UINT32_MAX: it is a variable, or in one */
	uint64_t constructor;         /* its code; 0: it has none */
	const char *constructor_name; /* "" where unknown; valid while the runtime lives */
	uint32_t makes, makes_whole;  /* the type of what it makes, as of an item; 0: not known */
	uint32_t first, n;            /* of its items */
	uint32_t store, stores;       /* the first of its stores, and how many */
};

/* All pools, ascending by address, and what waits in them. A store is a block that pools keep their items in: whatever is
 * reached by way of it waits. */
struct hf_pools {
	const struct hf_pool *pools;
	const struct hf_pool_item *items;
	const uint32_t *stores;
	uint32_t pools_n, items_n, stores_n;
};

struct hf_runtime_stats {
	struct hf_heap heap; /* as in the public header; the graph's figures are filled in by the caller */
	const char *main_path, *main_version, *vcs;
	const struct hf_dep *deps;
	size_t deps_n;
};

/* A number of the runtime's own that may be changed while the program runs: one of a fixed list. It is signed, and alone in
 * its aligned word: where it is narrow it is the lower half, and the upper half is padding. */
struct hf_knob {
	const char *name,
		*alias; /* "runtime.MemProfileRate", "memprofilerate"; all texts live while the runtime lives */
	const char *what, *unit; /* unit: "bytes", "percent" */
	uint64_t word_addr;      /* 0: not known: why_not */
	bool narrow;
	bool samples; /* it is the rate of the profile of allocations: "auto" chooses one by the load */
	int64_t off, min, max; /* off: the value that switches it off, allowed beside min to max */
	const char *effect;    /* when a change is seen */
	const char *why_not;   /* ""; or why it cannot be set in this program */
	const char *no_off;    /* ""; or why it cannot be switched off now */
	char why_min[120];     /* ""; or why min is what it is now */
};

/* How the collector fares, as single words of the running program say. */
#define HF_PULSE_RING 256
struct hf_pulse {
	uint64_t processors;     /* that the language works on; HF_UNKNOWN */
	uint64_t collections;    /* ended since the start; HF_UNKNOWN */
	uint64_t forced_every_s; /* it collects at least so often; 0: it is off */
	size_t n;                /* of the last ones, the newest first: */
	double ended[HF_PULSE_RING], paused_s[HF_PULSE_RING]; /* ended: seconds since 1970 */
};

/* The way from the start of a block to a value in it, or behind pointers in it. */
#define HF_FIELD_STEPS 8
struct hf_field_way {
	uint32_t type; /* of the value, the runtime's own */
	bool is_text;  /* it may show contents of strings or bytes */
	unsigned n;    /* steps: at the end of each but the last stands a pointer, which is followed */
	uint64_t offset[HF_FIELD_STEPS];
	const char
		*tags; /* what the field is on the wire: "thrift 2: body"; ""; lives as long as the runtime */
};

/* How far a pointer sees into the block that it leads to. */
enum hf_view_kind {
	HF_VIEW_WHOLE,   /* all of it, as far as can be told */
	HF_VIEW_POINTER, /* one value in it */
	HF_VIEW_STRING,
	HF_VIEW_SLICE,
	HF_VIEW_MAP,  /* a map, all of it; its tables have room that nothing uses */
	HF_VIEW_CHAN, /* the same of a channel's buffer */
	HF_VIEW_LONE, /* it begins at start, where it ends is not known: a slice's pointer without its length */
};
struct hf_view {
	enum hf_view_kind kind;
	uint32_t block;      /* that it sees */
	uint32_t from;       /* the block that it stands in; UINT32_MAX: a root */
	uint64_t slot;       /* where its pointer stands; 0: a register */
	uint64_t start, end; /* what it sees; empty for MAP and CHAN, only start for WHOLE and LONE */
	uint64_t reach;      /* how far it may come to see: the end of a slice's capacity; else end */
	uint64_t spare, of;  /* MAP, CHAN: bytes that nothing uses, of how many */
};
typedef struct hf_err *hf_view_fn(void *arg, const struct hf_view *view);

/* A place in blocks, whatever the block and the indexes on the way. */
struct hf_view_place {
	uint32_t type; /* the runtime's own, with offset: equal for places of one name */
	uint64_t offset;
	bool open; /* it has no name of its own: its name goes on behind the name of what leads to the block */
};

struct hf_runtime_ops {
	const char *name;
	/* Is it in the target? Cheap; reads files. */
	struct hf_err *(*probe)(struct hf_target *t, struct hf_syms *s, bool *ret);
	/* Learns the layout. ret: freed by close. Errors: UNSUPPORTED (a version or layout that we do not know). */
	struct hf_err *(*open)(struct hf_target *t, struct hf_syms *s, struct hf_runtime **ret);
	/* Before the stop: set memory aside for capture, so that the pause is short. The target runs: what is read may be
	 * inconsistent, and an error means no more than a longer pause. May be NULL. */
	struct hf_err *(*prepare)(struct hf_runtime *rt);
	/* The target is stopped: take what later questions need. Errors: as reads; BADDATA. */
	struct hf_err *(*capture)(struct hf_runtime *rt);
	/* After resume: numbers the blocks. */
	struct hf_err *(*walk)(struct hf_runtime *rt, uint32_t *ret_blocks);
	/* Splits the blocks into chunks for hf_parallel, and fills one; any thread. */
	size_t (*chunks)(struct hf_runtime *rt);
	struct hf_err *(*scan)(struct hf_runtime *rt, size_t chunk, struct hf_graph_chunk *ret);
	/* Calls fn for each root. */
	struct hf_err *(*roots)(struct hf_runtime *rt, hf_root_fn *fn, void *arg);
	/* Calls fn for roots that only hold where an object is not held otherwise (what a dead object with a finalizer
	 * points to), given the mark so far; each root once. *ret_n: 0 where there was none left. May be NULL. */
	struct hf_err *(*late_roots)(struct hf_runtime *rt, const uint8_t *live, hf_root_fn *fn, void *arg,
				     size_t *ret_n);
	/* Pointers of live blocks to memory of this runtime that is not allocated: none, in a sound heap. *ret_first: where
	 * the first of them stands. */
	struct hf_err *(*count_dangling)(struct hf_runtime *rt, const uint8_t *live, uint64_t *ret,
					 uint64_t *ret_first);
	/* Finds types for all blocks; live: a bit a block. */
	struct hf_err *(*type_blocks)(struct hf_runtime *rt, const uint8_t *live);

	bool (*find_block)(struct hf_runtime *rt, uint64_t addr, uint32_t *ret);
	struct hf_where (*where)(struct hf_runtime *rt, uint64_t addr);
	struct hf_block (*block)(struct hf_runtime *rt, uint32_t block);
	/* A number for the block's type, equal for equal types, below types(); 0: unknown. */
	uint32_t (*block_type)(struct hf_runtime *rt, uint32_t block);
	uint32_t (*types)(struct hf_runtime *rt);
	void (*type_name)(struct hf_runtime *rt, uint32_t type, struct hf_str *ret);
	/* The type whose inner part this one is: a map's, of its tables and slots; any other type is its own. May be NULL:
	 * no type is a part. */
	uint32_t (*type_whole)(struct hf_runtime *rt, uint32_t type);
	/* True where blocks of this type are known to hold a value of it somewhere, but are more than that. */
	bool (*type_is_partial)(struct hf_runtime *rt, uint32_t type);
	/* How block `from` leads to `to`: ".field", "[3]", "[\"key\"]"; nothing where inside a map or the like. */
	struct hf_err *(*edge_name)(struct hf_runtime *rt, uint32_t from, uint32_t to, bool redact,
				    struct hf_str *ret);
	/* What the field that edge_name names last is on the wire, by its tag: "thrift 2: body"; nothing where there is none.
	 * May be NULL. */
	struct hf_err *(*edge_tags)(struct hf_runtime *rt, uint32_t from, uint32_t to, struct hf_str *ret);
	/* Finds a field of a type by its path ("Header.Tenant"), of Go's or of wire names. May be NULL, with field_value.
	 * Errors: USAGE (no such field: says which there are) */
	struct hf_err *(*find_field)(struct hf_runtime *rt, uint32_t type, const char *path,
				     struct hf_field_way *ret);
	/* The value of a field of a block, as text: 42, true, "acme", nil, len 3. */
	struct hf_err *(*field_value)(struct hf_runtime *rt, uint32_t block, const struct hf_field_way *way,
				      struct hf_str *ret);
	/* Where addr stands in block: ".Payload[3]", "+24"; nothing at its start. */
	struct hf_err *(*offset_name)(struct hf_runtime *rt, uint32_t block, uint64_t addr,
				      struct hf_str *ret);
	/* Calls fn for each pointer of live blocks to a block; types must be known. A round ends with it: what is told once a
	 * round (MAP, CHAN) may have been told by root_view before. May be NULL, as all that follows on views: it is then
	 * not known what pointers see. */
	struct hf_err *(*views)(struct hf_runtime *rt, const uint8_t *live, hf_view_fn *fn, void *arg);
	/* The same for one root. */
	struct hf_err *(*root_view)(struct hf_runtime *rt, const struct hf_found_root *root,
				    struct hf_view *ret);
	/* The part of a block that a program asked for, given that it asked for all up to reach: what is beyond, and no more
	 * than rounding, is left out. */
	void (*extent)(struct hf_runtime *rt, uint32_t block, uint64_t reach, uint64_t *ret_start,
		       uint64_t *ret_end);
	/* Where in a block a slot stands; its name ("main.Session.Payload", "[*].Name" where open); a root's ("main.cache",
	 * "main.worker.buf"). Indexes and keys are [*]. */
	void (*place)(struct hf_runtime *rt, uint32_t block, uint64_t slot, struct hf_view_place *ret);
	struct hf_err *(*place_name)(struct hf_runtime *rt, const struct hf_view_place *place,
				     struct hf_str *ret);
	struct hf_err *(*root_place)(struct hf_runtime *rt, const struct hf_found_root *root,
				     struct hf_str *ret);
	/* Calls fn for each pointer of a block to a block: where it stands, what it leads to. */
	struct hf_err *(*pointers)(struct hf_runtime *rt, uint32_t block,
				   void (*fn)(void *arg, uint64_t slot, uint32_t to), void *arg);
	/* The root's name ("main.cache", "main.worker goroutine 7 [chan send]") and how it leads on (".items[3]"). */
	struct hf_err *(*root_name)(struct hf_runtime *rt, const struct hf_found_root *root,
				    struct hf_str *name, struct hf_str *via);
	/* What a list of holders counts a root under: a variable's name, "main.worker goroutines"; cheaper than root_name. */
	void (*holder_name)(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *ret);
	/* Steps are numbered from 1 as they are met, equal ones alike. After type_blocks. Calls fn for each pointer of a
	 * block that leads to another one. Cost: each pointer once; a name is made once for each field of each type. */
	struct hf_err *(*walk_steps)(struct hf_runtime *rt, uint32_t from, hf_step_fn *fn, void *arg);
	struct hf_err *(*root_steps)(struct hf_runtime *rt, const struct hf_found_root *root,
				     struct hf_root_steps *ret);
	struct hf_step_info (*step)(struct hf_runtime *rt, uint32_t step);
	/* The contents of a block of text or bytes, quoted and cut; nothing for others. */
	struct hf_err *(*value)(struct hf_runtime *rt, uint32_t block, struct hf_str *ret);
	/* One line on an address that is no block; frames, where it is code. ret_n: 0 where none. */
	struct hf_err *(*describe)(struct hf_runtime *rt, uint64_t addr, struct hf_str *ret);
	struct hf_err *(*frames)(struct hf_runtime *rt, uint64_t pc, struct hf_stack_frame *ret, size_t max,
				 size_t *ret_n);

	size_t (*tasks)(struct hf_runtime *rt);
	struct hf_err *(*task)(struct hf_runtime *rt, size_t i, struct hf_task *ret);
	/* The task whose stack or registers a root is; false: none's. */
	bool (*root_task)(struct hf_runtime *rt, const struct hf_found_root *root, uint32_t *ret);
	/* ret  zeroed; what it holds is the caller's, on errors, too. Both may be NULL: no task is called leaked. */
	struct hf_err *(*task_waits)(struct hf_runtime *rt, struct hf_task_waits *ret);
	struct hf_err *(*task_frames)(struct hf_runtime *rt, size_t i, struct hf_stack_frame *ret, size_t max,
				      size_t *ret_n);

	/* Allocation sites, as sampled up to the capture; numbered from 0. All four may be NULL: the runtime samples none. */
	uint32_t (*alloc_sites_n)(struct hf_runtime *rt);
	void (*alloc_sites)(struct hf_runtime *rt, uint32_t i, struct hf_alloc_site *ret);
	/* Bytes of allocations between samples, on average: 0: it does not sample, 1: every object is one. *ret_why_not:
	 * where it is 0, why, and what to do, in one line; valid while the runtime lives. HF_UNKNOWN: it cannot be told. */
	uint64_t (*alloc_rate)(struct hf_runtime *rt, const char **ret_why_not);
	/* The site that a block was allocated at, where it is one of the samples; UINT32_MAX: none known. */
	uint32_t (*block_site)(struct hf_runtime *rt, uint32_t block);

	/* Spans that hold objects, ascending. All four may be NULL: it has no such thing. */
	uint32_t (*spans_n)(struct hf_runtime *rt);
	void (*span)(struct hf_runtime *rt, uint32_t i, struct hf_span *ret);
	/* Bytes of a block's slot that its type cannot use, as sizes are rounded up; false: not known. */
	bool (*rounding)(struct hf_runtime *rt, uint32_t block, uint64_t *ret);
	/* False: not known. */
	bool (*idle)(struct hf_runtime *rt, struct hf_idle *ret);
	/* Its pools, of whatever kind; after type_blocks. Valid while the runtime lives. NULL: it has none. */
	struct hf_err *(*pools)(struct hf_runtime *rt, const uint8_t *live, struct hf_pools *ret);
	/* The name of a pool of that list: the variable, or the type of the object, that it stands in, and the way from there
	 * to it. owner stays empty where the pool is an object of its own: then it is named by what leads to that. */
	struct hf_err *(*pool_name)(struct hf_runtime *rt, uint32_t pool, struct hf_str *owner,
				    struct hf_str *path);
	/* Where a pool of that list keeps its constructor, as the capture saw it; its name is left to the caller. NULL: pools
	 * of this runtime keep none that can be replaced. Errors: FAULT, STALE (its memory was not captured) */
	struct hf_err *(*ctor_slot)(struct hf_runtime *rt, uint32_t pool, struct hf_ctor_slot *ret);

	/* The numbers that may be changed, from 0 on; false past the last. Needs no capture: reads what is there now. Both may
	 * be NULL: there are none. */
	bool (*knob)(struct hf_runtime *rt, size_t i, struct hf_knob *ret);
	struct hf_err *(*pulse)(struct hf_runtime *rt, struct hf_pulse *ret);

	struct hf_err *(*stats)(struct hf_runtime *rt, struct hf_runtime_stats *ret);
	void (*close)(struct hf_runtime *rt);
};

/* Every runtime embeds this first. */
struct hf_runtime {
	const struct hf_runtime_ops *ops;
	/* Set before prepare: blocks without pointers up to this size are captured, too; of larger ones the start. */
	uint64_t values_max;
	bool heads;
};

/* What samples stand for, at one in `rate` bytes: count objects of bytes together become what was allocated, by
 * expectation. Negative figures (a record that was caught half way) become 0. Source: Go runtime/pprof/protomem.go,
 * scaleHeapSample. */
void hf_alloc_scale(uint64_t rate, int64_t count, int64_t bytes, uint64_t *ret_count, uint64_t *ret_bytes);

/* All runtimes that we know, in the order in which they are tried. */
size_t hf_runtimes(const struct hf_runtime_ops *const **ret);

#endif
