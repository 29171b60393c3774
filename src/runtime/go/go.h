/* Go's runtime, 1.20 to 1.27, as a reader of its memory sees it. Private to this folder.
 *
 *   layout.c   where the members are           spans.c    spans, blocks, address to block
 *   version.c  version, modules, dependencies  scan.c     pointers of a block (pointer maps)
 *   module.c   moduledata, pclntab             goroutine.c  goroutines, unwinding
 *   stack.c    live slots of frames            roots.c    globals, specials, queues
 *   waits.c    what can wake a goroutine       labels.c   pprof labels
 *   types.c    type descriptors and DWARF      typing.c   types for blocks, by propagation
 *   names.c    fields, indexes, keys           stats.c    the runtime's own counters
 *   sites.c    where objects were allocated    idle.c     pages without a span
 *   memstats.c runtime.MemStats                persist.c  memory that is never given back
 *   pools.c    what waits in each sync.Pool   knobs.c    numbers that may be changed
 *   views.c    what pointers see of blocks     places.c   names of places in any block
 *   spare.c    maps, channels with room        fields.c   fields by path, their values
 *   statics.c  what the compiler laid out      tags.c     names of fields on the wire
 *
 * Two times: capture (the target is stopped: everything that is chased through pointers is read into this struct and
 * block contents are captured in bulk), and after (all else). Facts on layouts: docs/runtimes/go.md.
 */
#ifndef HF_GO_H
#define HF_GO_H

#include "../../base/map64.h"
#include "../../base/vec.h"
#include "../../base/workers.h"
#include "../../graph/graph.h"
#include "../runtime.h"
#include "layout.h"

#define GO_PAGE         8192u
#define GO_ARENA_SHIFT  26 /* 64 MiB on linux/amd64 */
#define GO_ARENA_PAGES  8192u
#define GO_ARENAS       (1u << 21) /* 47-bit addresses */
#define GO_HEADER       8u         /* the type word before objects above 512 bytes, 1.22 and later */
#define GO_HEADER_ABOVE 512u
#define GO_NO_TYPE      0u
#define GO_SPAN_SAMPLE  64u
#define GO_NO_SLOT      UINT32_MAX

/* mSpanState, runtime/mheap.go */
enum { GO_SPAN_DEAD, GO_SPAN_IN_USE, GO_SPAN_MANUAL };

struct go_span {
	uint64_t start, pages_end; /* its pages */
	uint64_t objects_end;      /* start + nelems * elemsize */
	uint64_t elemsize;
	uint64_t large_type; /* mspan.largeType */
	uint64_t alloc_bits, mark_bits, specials, mspan_addr;
	uint32_t nelems, freeindex;
	uint32_t unfinished;  /* the slot that malloc may have taken, but not filled; GO_NO_SLOT */
	uint32_t magic;       /* offset * magic >> 32 is the object's index */
	uint32_t word;        /* index of the first of its allocation words */
	uint32_t first_block; /* number of its first allocated object */
	uint32_t sweepgen;
	uint16_t alloc_count, before_cache;
	uint8_t spanclass, state;
	bool user_arena, noscan, header;
	bool unswept; /* the marks of the cycle before are whole: what they leave out is dead, only not yet free */
	const uint8_t *bytes; /* local copy of its pages; NULL where they do not lie together */
};

/* What could not be read or made no sense. Any thread may add to it. */
struct go_damage {
	uint64_t n, lowest; /* lowest: of the addresses where */
	uint64_t told;      /* of n, in warnings */
};

/* Kinds of damage beside that to spans and masks: whether something may be missing from the answers then, what it is, what
 * follows. Addresses are those of the structures. */
#define GO_DAMAGES(X)                                                                                        \
	X(MODULES, true, "tables of functions are unreadable",                                               \
	  "stacks that lead through their functions are scanned word by word")                               \
	X(GOROUTINES, true, "goroutines are damaged or unreadable", "what they hold is not known")           \
	X(STACKS, true, "goroutine stacks are unreadable in part", "what that part holds is not known")      \
	X(UNWIND, false, "goroutine stacks could not be unwound to the end",                                 \
	  "the rest of each is scanned word by word")                                                        \
	X(DEFERS, true, "lists of deferred calls are damaged", "the rest of each is left out")               \
	X(SPECIALS, true, "lists of specials (finalizers, cleanups, weak pointers) are damaged",             \
	  "the rest of each is left out")                                                                    \
	X(QUEUES, true, "queues of finalizers or cleanups are damaged", "the rest of each is left out")      \
	X(SITES, false, "lists of allocation sites are damaged", "the rest of each is left out")             \
	X(ITABS, true, "tables of interfaces are damaged", "what some interfaces hold has no type")          \
	X(MAPS, true, "maps are damaged", "what is in them may have no type and no key")                     \
	X(CHANS, true, "channels are damaged", "what is in them may have no type")                           \
	X(DESCRIPTORS, true, "type descriptors are damaged", "what their values lead to may have no type")   \
	X(POOLS, true, "pools (sync.Pool) are damaged", "what waits in them may be missing from their lists")

enum go_damage_kind {
#define GO_DAMAGE_ENUM(name, incomplete, what, then) GO_DAMAGE_##name,
	GO_DAMAGES(GO_DAMAGE_ENUM)
#undef GO_DAMAGE_ENUM
		GO_DAMAGE_KINDS
};

static inline void go_damage_add(struct go_damage *d, uint64_t addr)
{
	uint64_t lowest = __atomic_load_n(&d->lowest, __ATOMIC_RELAXED);

	__atomic_fetch_add(&d->n, 1, __ATOMIC_RELAXED);
	while ((!lowest || addr < lowest) && !__atomic_compare_exchange_n(&d->lowest, &lowest, addr, true,
									  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Which of 64 neighbouring slots are allocated, and the number of the first that is. */
struct go_word {
	uint64_t bits;
	uint32_t block;
};

/* One moduledata (the program itself, or a plugin). Ranges are [x, ex). */
struct go_module {
	uint64_t addr;
	uint64_t text, etext, minpc, maxpc;
	uint64_t noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss;
	uint64_t types, etypes, rodata, gofunc;
	uint64_t funcnametab, funcnametab_n, cutab, cutab_n, filetab, filetab_n, pctab, pctab_n, pclntable,
		pclntable_n;
	uint64_t ftab, ftab_n;
	uint64_t datamask, bssmask;     /* one bit a word */
	uint32_t datamask_n, bssmask_n; /* bits */
	struct pcln *pcln;              /* module.c's own: local copies of the tables */
};

/* One function of pclntab; from go_find_func. */
struct go_func {
	const struct go_module *module; /* NULL: none */
	uint64_t entry;
	uint32_t off;     /* of its _func in pclntable */
	const char *name; /* "main.(*T).Run"; valid while the runtime lives */
	uint32_t name_off;
	int32_t args;
	uint32_t deferreturn, pcsp, pcfile, pcln, cu, npcdata;
	uint8_t func_id, flag, nfuncdata;
	int32_t start_line;
};

/* A goroutine, read while stopped. */
struct go_goroutine {
	uint64_t addr; /* of its g */
	uint64_t id, lo, hi;
	uint64_t pc, sp; /* where unwinding starts */
	uint64_t ctxt, defer_addr, panic_addr, m_addr, gopc, startpc;
	uint64_t wait_since, xregs_addr;
	uint64_t waiting_addr; /* the first of its sudogs; 0: none, or not kept here */
	uint64_t param; /* of one that waits on channels: the sudog by which it is just being woken; 0 */
	uint64_t labels_addr;
	uint32_t labels; /* 1 + index into go->label_sets; 0: none, or not known */
	uint32_t status; /* without the scan bit */
	uint8_t wait_reason;
	bool async_safe_point;
	bool in_syscall;   /* pc and sp are those of entersyscall */
	bool on_thread;    /* it runs: pc and sp are a thread's, its registers are roots */
	bool conservative; /* it was caught where its frames cannot be told: any word of its stack is a root */
	uint64_t extra_start,
		extra_end; /* used part of its thread's own or signal stack: any word is a root; 0: none */
	uint64_t fp;       /* on_thread: frame pointer register */
	int thread;        /* index into target->threads; -1 */
	const char *function,
		*created_by; /* outermost frame, go statement's function; "" unknown. Filled by go_goroutines_walk */
};

/* The pprof labels that goroutines share. */
struct go_label_set {
	uint64_t addr;
	uint32_t first, n; /* of go->labels */
};

/* A root as capture or the stack walk found it; resolved to a block by go_roots. */
struct go_raw_root {
	uint64_t slot, value;
	uint32_t owner;
	uint8_t kind;   /* enum hf_root_kind */
	uint32_t frame; /* index into go->frames for stack slots; UINT32_MAX */
};

/* A frame with live slots, kept for naming: the owner goroutine, the function, where its CFA is. */
struct go_frame {
	uint32_t goroutine;
	uint64_t pc;    /* for lookups: already pc-1 for callers */
	uint64_t entry; /* of the function */
	uint64_t cfa, sp;
};

/* A special that roots something (finalizer, cleanup) or a weak handle. */
struct go_special_record {
	uint64_t object;      /* address that it is attached to */
	uint64_t fn;          /* finalizer: funcval; cleanup: funcval */
	uint64_t more[2];     /* cleanup 1.26: call, arg; weak: the handle */
	uint64_t object_type; /* finalizer: ot, the pointer's type descriptor */
	uint8_t kind;         /* enum go_special */
	bool content_is_root; /* finalizer of a dead object: what it points to is held */
};

#define GO_CLASSES_MAX 256

/* What was ever allocated and freed, with what the caches of the Ps have not yet told. */
struct go_tally {
	uint64_t total_alloc, total_free; /* bytes */
	uint64_t mallocs, frees;          /* objects; tiny ones of one block each count as both */
	uint64_t work_bufs, scalar_bits;  /* bytes */
	size_t classes;                   /* of sizes; the first is that of large objects */
	uint16_t sizes[GO_CLASSES_MAX];
	uint64_t class_mallocs[GO_CLASSES_MAX], class_frees[GO_CLASSES_MAX];
};

/* The runtime's own counters, read while stopped (stats.c). */
struct go_counters {
	bool valid;
	uint64_t objects, bytes; /* HeapObjects, HeapAlloc */
	uint64_t stacks;
	uint64_t in_use, free, released;
	uint64_t metadata; /* mspan, mcache, buckhash, GC and other system bytes */
	uint64_t num_gc, last_gc_unix_ns;
	uint64_t gc_percent, memory_limit, next_gc, gomaxprocs;
	uint32_t gc_phase;
	struct go_tally tally; /* where valid */
};

/* A record of the runtime's profile of allocations. */
struct go_site {
	uint64_t bucket; /* its address */
	uint64_t size;
	uint32_t pcs, pcs_n; /* where its stack stands in go->site_pcs */
	uint32_t own;        /* of these are the runtime's own, from the innermost on */
	int64_t allocs, frees, alloc_bytes, free_bytes;
};

/* An object that is a sample: its address and its record's, while stopped; its block and site, after. */
struct go_sample {
	uint64_t object, site;
};

struct go_types;   /* types.h */
struct go_pools;   /* pools.h */
struct go_statics; /* statics.c */

struct go {
	struct hf_runtime rt; /* first */
	struct hf_target *t;
	struct hf_syms *syms;
	char *version;
	struct go_layout layout;

	/* module.c */
	HF_VEC(struct go_module) modules;

	/* spans.c */
	uint32_t sweepgen;
	bool gc_off;                    /* it is known that the collector does not mark */
	HF_VEC(struct go_span) spans;   /* in use, ascending by start */
	HF_VEC(struct hf_range) manual; /* manual spans: stacks and the like; ascending */
	HF_VEC(struct go_word) words;
	uint32_t *arena_index;        /* GO_ARENAS: 1 + index into pages; 0: no arena */
	HF_VEC(uint32_t) pages;       /* GO_ARENA_PAGES an arena: 1 + index into spans; 0: none */
	HF_VEC(uint64_t) arena_start; /* of each arena in pages */
	uint32_t *
		span_of; /* by block / GO_SPAN_SAMPLE: the last span that begins at or before its first block */
	uint32_t blocks;
	uint64_t objects, bytes;        /* allocated, as walked */
	struct hf_map64 arena_meta;     /* 1.20, 1.21: arena number -> its heapArena */
	struct go_damage damaged_spans; /* by the address of their mspan */
	struct go_damage damaged_types; /* of objects with pointers: by descriptor */
	struct go_damage damage[GO_DAMAGE_KINDS];
	uint64_t miscounted_spans;
	uint64_t to_free; /* pointers of objects, live or not, to slots that are not allocated */

	/* goroutine.c, stack.c, roots.c */
	HF_VEC(struct go_goroutine) goroutines; /* but for dead and idle ones */
	HF_VEC(struct go_frame) frames;         /* those with roots, ascending by goroutine, then by sp */
	HF_VEC(struct go_raw_root) stack_roots; /* and registers, defers, panics */
	HF_VEC(struct go_special_record) specials;
	HF_VEC(struct go_raw_root)
	queue_roots; /* finalizers and cleanups that wait to run; immortal weak handles */
	HF_VEC(struct go_label_set) label_sets;
	HF_VEC(struct hf_label) labels;
	const char **wait_reasons; /* wait_reasons_n, by number; freed by go_goroutines_deinit */
	size_t wait_reasons_n;

	/* types.c, typing.c */
	struct go_types *types;
	struct go_steps_table *steps; /* steps.c */
	uint32_t *block_type;         /* a type id a block; GO_NO_TYPE: unknown */
	struct hf_map64 views;        /* block -> offset of its type's start, where that is not the block's */
	struct hf_map64 locals;       /* pc -> index into locals_list: typing.h */
	struct go_locals_list *locals_list;
	uint8_t *spare_seen;       /* spare.c: a bit a block; of this round of views */
	struct hf_map64 itab_type; /* itab -> type descriptor, read while stopped */

	/* persist.c */
	HF_VEC(struct hf_range) chunks;
	uint64_t chunks_known; /* the first of those that were there before the stop */
	bool persistent;       /* all are captured: what lies in them is walked after the stop */

	/* idle.c */
	HF_VEC(struct hf_range) grown;              /* addresses that the heap has grown to, ascending */
	uint64_t page_caches, page_caches_released; /* bytes in caches of the Ps; HF_UNKNOWN */

	/* sites.c */
	uint64_t sites_head; /* the first record */
	HF_VEC(struct go_site) sites;
	HF_VEC(uint64_t) site_pcs;
	HF_VEC(struct go_sample) samples;
	uint64_t sample_rate;   /* HF_UNKNOWN */
	bool sampling_left_out; /* the linker found no use of the profile */
	struct go_pools *pools; /* NULL: not read */
	struct go_statics *statics;

	double now_monotonic; /* the target's CLOCK_MONOTONIC when captured; 0: unknown (another machine's core) */
	struct go_counters counters;
	struct hf_arena names; /* strings that live as long as this */
	struct hf_scratch scratch;
};

extern const struct hf_runtime_ops *const hf_go_runtime;

/* ---- version.c ---------------------------------------------------------------------------------------- */

/* The version that the executable was built with, from .go.buildinfo, else runtime.buildVersion. ret: "" where it is
 * no Go program; caller frees. Errors: NOMEM. */
struct hf_err *go_read_version(struct hf_target *t, struct hf_syms *s, char **ret) HF_CHECKED;
/* Main module and dependencies, from .go.buildinfo; strings in go->names. */
struct hf_err *go_read_build_info(struct go *go, struct hf_runtime_stats *ret) HF_CHECKED;

/* ---- module.c: moduledata and pclntab ------------------------------------------------------------------ */

/* Reads the list of moduledata. Works stopped, or on files alone where data is initialised statically. */
struct hf_err *go_modules_read(struct go *go) HF_CHECKED;
void go_modules_deinit(struct go *go);
const struct go_module *go_find_module(const struct go *go, uint64_t pc); /* by text; NULL */

/* Variables that may hold pointers: the data or the bss of a module. */
struct go_section {
	uint64_t start, end;
	const uint8_t *words; /* n of them, from start on; NULL: they or their mask cannot be read */
	const uint8_t *mask;  /* a bit a word: it is a pointer */
	uint64_t n;
};
typedef struct hf_err *go_section_fn(void *arg, const struct go_section *section);
/* Calls fn for each section that is not empty; what it gets is valid until it returns. Errors: fn's, which end the walk. */
struct hf_err *go_each_section(struct go *go, go_section_fn *fn, void *arg) HF_CHECKED;
static inline bool go_section_has(const struct go_section *s, uint64_t i) /* word i is there, and a pointer */
{
	return i < s->n && s->mask[i / 8] >> (i % 8) & 1;
}
static inline uint64_t go_section_word(const struct go_section *s, uint64_t i)
{
	return hf_load_u64(s->words + i * 8);
}

/* The function that holds pc; false where none does. Any thread. */
bool go_find_func(struct go *go, uint64_t pc, struct go_func *ret);
/* A value of a pc-value table (pctab offset `table`) at pc; false where the table ends before. Bounded. */
bool go_pc_value(struct go *go, const struct go_func *f, uint32_t table, uint64_t pc, int32_t *ret);
/* PCDATA table i at pc; -1 where there is none. */
int32_t go_pcdata(struct go *go, const struct go_func *f, unsigned i, uint64_t pc);
/* Address of FUNCDATA i; 0 where there is none. */
uint64_t go_funcdata(struct go *go, const struct go_func *f, unsigned i);
/* File and line, inlined callers; pc is one inside the instruction (a return address less 1). */
struct hf_err *go_source_frames(struct go *go, uint64_t pc, struct hf_stack_frame *ret, size_t max,
				size_t *ret_n) HF_CHECKED;

#define GO_PCDATA_STACK_MAP       1
#define GO_PCDATA_INL_TREE        2
#define GO_FUNCDATA_ARGS          0
#define GO_FUNCDATA_LOCALS        1
#define GO_FUNCDATA_STACK_OBJECTS 2
#define GO_FUNCDATA_INL_TREE      3
#define GO_FUNCFLAG_TOP_FRAME     1
#define GO_FUNCFLAG_SPWRITE       2

/* ---- spans.c --------------------------------------------------------------------------------------------- */

/* Before the stop: sets memory aside for what go_spans_capture will copy, so that the pause is short. */
struct hf_err *go_spans_prepare(struct go *go) HF_CHECKED;
struct hf_err *go_spans_read(struct go *go) HF_CHECKED;    /* stopped */
struct hf_err *go_spans_capture(struct go *go) HF_CHECKED; /* stopped: contents, in bulk */
struct hf_err *go_spans_number(struct go *go) HF_CHECKED;  /* after: allocation words, block numbers, views */
void go_spans_deinit(struct go *go);

static inline struct go_span *go_find_span(const struct go *go, uint64_t addr)
{
	uint64_t arena = addr >> GO_ARENA_SHIFT;
	uint32_t index, span;

	if (arena >= GO_ARENAS || !(index = go->arena_index[arena]))
		return NULL;
	span = go->pages.at[(uint64_t)(index - 1) * GO_ARENA_PAGES + (addr / GO_PAGE) % GO_ARENA_PAGES];
	return span ? &go->spans.at[span - 1] : NULL;
}

/* The slot of a span that holds addr; addr must be below objects_end. */
static inline uint32_t go_slot_of(const struct go_span *span, uint64_t addr)
{
	return span->nelems == 1 ? 0 : (uint32_t)((addr - span->start) * span->magic >> 32);
}

/* The block that holds addr; HF_NO_BLOCK where there is none allocated. */
static inline uint32_t go_find_block(const struct go *go, uint64_t addr)
{
	const struct go_span *span = go_find_span(go, addr);
	const struct go_word *word;
	uint32_t slot;

	if (!span || addr >= span->objects_end)
		return HF_NO_BLOCK;
	slot = go_slot_of(span, addr);
	word = &go->words.at[span->word + slot / 64];
	if (!(word->bits >> (slot % 64) & 1))
		return HF_NO_BLOCK;
	return word->block + (uint32_t)__builtin_popcountll(word->bits & ((1ull << (slot % 64)) - 1));
}

/* The span and slot of a block. */
const struct go_span *go_block_span(const struct go *go, uint32_t block, uint32_t *ret_slot);
/* The manual span (of stacks and the like) that addr lies in; NULL. */
const struct hf_range *go_find_manual(const struct go *go, uint64_t addr);
/* The collector has found it to be dead, and the sweeper has not come by yet: what leads to it are remains. */
bool go_is_dead(struct go *go, uint32_t block);
/* Where a block starts (its slot), and where its content does (after the header). */
uint64_t go_block_addr(const struct go *go, uint32_t block, const struct go_span **ret_span);
static inline uint32_t go_header_size(const struct go_span *span)
{
	return span->header ? GO_HEADER : 0;
}

/* ---- scan.c: pointers of a block ---------------------------------------------------------------------------- */

/* Calls fn for each pointer word of a block that is not nil: slot address, value. False from fn ends the walk. */
typedef bool go_pointer_fn(void *arg, uint64_t slot, uint64_t value);
struct hf_err *go_walk_pointers(struct go *go, uint32_t block, go_pointer_fn *fn, void *arg) HF_CHECKED;
/* Builds the masks of all types that headers name; go_scan only looks them up, from any thread. */
struct hf_err *go_scan_prepare(struct go *go) HF_CHECKED;
size_t go_scan_chunks(struct hf_runtime *rt);
struct hf_err *go_count_dangling(struct hf_runtime *rt, const uint8_t *live, uint64_t *ret,
				 uint64_t *ret_first) HF_CHECKED;
struct hf_err *go_scan(struct hf_runtime *rt, size_t chunk, struct hf_graph_chunk *ret) HF_CHECKED;

/* ---- goroutine.c, stack.c ------------------------------------------------------------------------------------- */

/* Stopped: reads all g's, matches running ones with threads, captures the used part of their stacks. */
struct hf_err *go_goroutines_read(struct go *go) HF_CHECKED;
/* After: unwinds every goroutine; fills function names, frames and stack_roots. A stack that cannot be unwound is
 * counted (GO_DAMAGE_UNWIND) and what is left of it is scanned conservatively: nothing live may be called garbage. */
struct hf_err *go_goroutines_walk(struct go *go) HF_CHECKED;
void go_goroutines_deinit(struct go *go); /* goroutines, frames, stack_roots, wait_reasons */

/* One physical frame while unwinding; runtime/stkframe.go. */
struct go_stkframe {
	struct go_func func;
	uint64_t pc, continpc, lr, sp, fp, varp, argp;
	uint64_t call_pc;  /* for names and lines: pc, less 1 after a call */
	uint8_t callee_id; /* funcID of the frame below; 0 normal */
	bool innermost;
};
/* Calls fn for each frame of a goroutine, innermost first; false from fn ends the walk. *ret_complete: reached the top.
 * Bounded by the stack's size. */
typedef bool go_frame_fn(void *arg, const struct go_stkframe *frame);
struct hf_err *go_unwind(struct go *go, const struct go_goroutine *g, go_frame_fn *fn, void *arg,
			 bool *ret_complete) HF_CHECKED;

/* Appends what a goroutine's stack, registers, defers and panics hold to go->stack_roots (any values, also such that
 * lead to no block), and frames to go->frames: goroutines must come in ascending order. stack.c */
struct hf_err *go_stack_scan(struct go *go, uint32_t goroutine, bool *ret_complete) HF_CHECKED;
/* The frame of a goroutine that an address of its stack is taken to be in: of those with roots the highest that begins at
 * or below it. NULL: none, or slot is 0 (a register's). */
const struct go_frame *go_frame_of(const struct go *go, uint32_t goroutine, uint64_t slot);

const char *go_wait_reason(struct go *go,
			   const struct go_goroutine *g); /* "chan send", "running"...; never NULL */
bool go_is_parked(const struct go_goroutine *g);          /* something has to wake it */

/* ---- waits.c, labels.c ------------------------------------------------------------------------------------------- */

/* After: which goroutines wait, and on what. */
struct hf_err *go_task_waits(struct hf_runtime *rt, struct hf_task_waits *ret) HF_CHECKED;
/* Stopped, after the goroutines were read: their labels, as far as they can be had. */
struct hf_err *go_labels_read(struct go *go) HF_CHECKED;

/* ---- roots.c ------------------------------------------------------------------------------------------------------ */

/* Stopped; the specials of spans, where all that is persistent was captured, after. */
struct hf_err *go_specials_read(struct go *go) HF_CHECKED;
struct hf_err *go_queues_read(struct go *go) HF_CHECKED; /* stopped: of finalizers and cleanups */
struct hf_err *go_roots(struct hf_runtime *rt, hf_root_fn *fn, void *arg) HF_CHECKED;
/* Of the root that a global variable's slot is: by variable, else by place. */
struct hf_err *go_global_owner(struct go *go, uint64_t slot, uint32_t *ret) HF_CHECKED;
struct hf_err *go_late_roots(struct hf_runtime *rt, const uint8_t *live, hf_root_fn *fn, void *arg,
			     size_t *ret_n) HF_CHECKED;
/* Owner numbers of global roots: an index into hf_syms_variables; or, with this
 * bit, a number made of the place of the symbol or slot. */
#define GO_OWNER_SECTION 0x80000000u

/* ---- stats.c -------------------------------------------------------------------------------------------------------- */

struct hf_err *go_counters_read(struct go *go) HF_CHECKED; /* stopped, after go_spans_read */

/* ---- idle.c ---------------------------------------------------------------------------------------------------------- */

struct hf_err *go_idle_capture(struct go *go) HF_CHECKED; /* stopped */
bool go_idle(struct hf_runtime *rt, struct hf_idle *ret);
uint32_t go_spans_n(struct hf_runtime *rt);
void go_span_get(struct hf_runtime *rt, uint32_t i, struct hf_span *ret);
bool go_rounding(struct hf_runtime *rt, uint32_t block, uint64_t *ret);

/* ---- memstats.c ------------------------------------------------------------------------------------------------------ */

/* What runtime.ReadMemStats would have said when the target was stopped, into memory of go->names: the figures that can
 * be known. */
struct hf_err *go_memstats(struct go *go, struct hf_heap *ret) HF_CHECKED;

/* ---- knobs.c --------------------------------------------------------------------------------------------------------- */

bool go_knob(struct hf_runtime *rt, size_t i, struct hf_knob *ret);
struct hf_err *go_pulse(struct hf_runtime *rt, struct hf_pulse *ret) HF_CHECKED;

/* ---- persist.c ------------------------------------------------------------------------------------------------------- */

/* While the target runs: where the chunks are, so that they can be copied with few reads. */
struct hf_err *go_persist_prepare(struct go *go) HF_CHECKED;
struct hf_err *go_persist_capture(struct go *go) HF_CHECKED; /* stopped: sets go->persistent */

/* ---- sites.c -------------------------------------------------------------------------------------------------------- */

struct hf_err *go_sites_capture(struct go *go) HF_CHECKED; /* stopped */
/* After, when blocks have numbers: decodes the records; finds the blocks that are samples. */
struct hf_err *go_sites_read(struct go *go) HF_CHECKED;
void go_sites_deinit(struct go *go);
uint32_t go_sites_n(struct hf_runtime *rt);
void go_site_get(struct hf_runtime *rt, uint32_t i, struct hf_alloc_site *ret);
uint64_t go_sample_rate(struct hf_runtime *rt, const char **ret_why_not);
uint32_t go_block_site(struct hf_runtime *rt, uint32_t block);

/* ---- selfcheck.c ---------------------------------------------------------------------------------------------------- */

/* After the walk: warns of what is damaged or differs. Errors: UNSUPPORTED (it differs by so much that nothing can be
 * believed: the layout is another). */
struct hf_err *go_self_check(struct go *go) HF_CHECKED;
/* Warns of damage that was found since it was last called. */
void go_tell_damage(struct go *go);

/* ---- lists ------------------------------------------------------------------------------------------------------------- */

/* Steps along a linked list of the target. False: the link is no address, it was passed before (a cycle, found after at
 * most three rounds), or there were `max` of them. Zero-initialised at first. */
struct go_steps {
	uint64_t n, seen, mark;
};
static inline bool go_step(struct go_steps *s, uint64_t at, uint64_t max)
{
	if (at % 8 || at == s->seen || s->n >= max)
		return false;
	if (++s->n > s->mark) {
		s->seen = at;
		s->mark = s->n * 2;
	}
	return true;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* A Go slice or string header at addr: pointer and length (and capacity). Errors: FAULT. */
struct hf_err *go_read_slice(struct go *go, uint64_t addr, uint64_t *ret_ptr, uint64_t *ret_len) HF_CHECKED;

#define go_off(go, id) ((go)->layout.off[GO_##id])
#define go_has(go, id) ((go)->layout.off[GO_##id] >= 0)

#endif
