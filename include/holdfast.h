/* holdfast: what holds the memory of a process.
 *
 * The one public header. Handles are opaque; everything that can fail returns a `struct hf_err *` (NULL is
 * success) and writes its out parameters, always last, only on success.
 *
 * Threads: a session belongs to the thread that opened it (ptrace ties a stopped process to one thread).
 * Addresses are the target's, sizes bytes, times seconds unless the name says otherwise.
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HF_VERSION "0.1.0"
#define HF_API     __attribute__((visibility("default")))
#define HF_CHECKED __attribute__((warn_unused_result))

/* ---- errors ---------------------------------------------------------------------------------------- */

/* name, exit code, Python exception, what it means. The one list of error codes. */
#define HF_ERR_CODES(X)                                                                                      \
	X(NOMEM, 4, "MemoryError", "out of memory")                                                          \
	X(USAGE, 2, "ValueError", "the question is malformed")                                               \
	X(NOTPERM, 3, "PermissionError", "the system did not permit it")                                     \
	X(TARGET, 4, "TargetError", "the target cannot be used")                                             \
	X(IO, 4, "OSError", "a file of ours could not be read or written")                                   \
	X(FAULT, 4, "FaultError", "an address of the target cannot be read")                                 \
	X(BADDATA, 4, "BadDataError", "a structure of the target is inconsistent")                           \
	X(STALE, 4, "StaleError", "the target changed, or was not captured, while we read")                  \
	X(UNSUPPORTED, 5, "UnsupportedError", "a layout that we do not know")                                \
	X(REFUSED, 6, "RefusedError", "a safety gate said no")                                               \
	X(REVERTED, 7, "RevertedError", "a change was made and taken back")                                  \
	X(INTERRUPTED, 130, "KeyboardInterrupt", "interrupted")

enum hf_err_code {
	HF_OK = 0,
#define HF_ERR_ENUM(name, exit, python, text) HF_##name,
	HF_ERR_CODES(HF_ERR_ENUM)
#undef HF_ERR_ENUM
};

struct hf_err;

HF_API enum hf_err_code hf_err_code(const struct hf_err *err);    /* HF_OK for NULL */
HF_API const char *hf_err_code_name(enum hf_err_code code);       /* "FAULT"; static */
HF_API const char *hf_err_python_name(enum hf_err_code code);     /* "FaultError"; static */
HF_API int hf_err_exit_code(const struct hf_err *err);            /* 0 for NULL; see README, exit codes */
HF_API const char *hf_err_message(const struct hf_err *err);      /* one line; valid while err lives */
HF_API bool hf_err_addr(const struct hf_err *err, uint64_t *ret); /* false: the error has no address */
HF_API void hf_err_destroy(struct hf_err *err);                   /* takes NULL, too */

/* ---- a session: one target, asked many times ---------------------------------------------------------- */

struct hf_session;

struct hf_options {
	size_t size;      /* sizeof(struct hf_options): so that it can grow */
	bool show_values; /* give the contents of strings and byte slices, too */
	bool redact;      /* leave map keys out of chains */
	bool debuginfod;  /* ask debuginfod servers (the network) for missing debug files */
	unsigned workers; /* threads to work with; 0: two, or one where there is one processor */
	const char *
		pool_file; /* describes pools of the program's own (docs/howto/pool-file.md); NULL: none. Copied */
};

/* Opens a live process for questions. Nothing stops yet: the first question that needs memory stops the process once,
 * captures what all later ones need, and resumes it.
 * options  NULL for defaults; copied.     ret  caller closes with hf_session_close.
 * Errors: NOTPERM (names the capability), TARGET (no such process, kernel thread, already traced), UNSUPPORTED */
HF_API struct hf_err *hf_session_open_pid(int pid, const struct hf_options *options, struct hf_session **ret)
	HF_CHECKED;
/* The same on a core file. exe: the executable, or NULL: the one that the core names.
 * Errors: IO, TARGET (no core, of another machine, exe does not belong to it), BADDATA */
HF_API struct hf_err *hf_session_open_core(const char *core, const char *exe,
					   const struct hf_options *options, struct hf_session **ret)
	HF_CHECKED;
HF_API void hf_session_close(struct hf_session *s); /* resumes the target, where stopped; takes NULL */
/* For questions from now on; debuginfod and workers stay as they were at the opening, and the file of pools of a live
 * process that was stopped before. */
HF_API void hf_session_set_options(struct hf_session *s, const struct hf_options *options);

/* ---- a session on what a debugger holds ------------------------------------------------------------------ */

struct hf_host_thread {
	int tid;          /* as its system numbers it */
	const void *regs; /* the kernel's struct user_regs_struct */
	size_t regs_len;
};

/* What a debugger says of a process that it holds stopped. All is borrowed until the session is open, but read, write and
 * arg: until it is closed. */
struct hf_host {
	size_t size; /* sizeof(struct hf_host) */
	int pid;
	const struct hf_host_thread *threads;
	size_t threads_n;
	bool local; /* the process is of this machine and pid namespace: its memory is read through /proc, and what
		       follows is not needed */
	const char *name; /* of the process; NULL: unknown */
	const char *exe;  /* a file here that is its executable; NULL: looked for where the maps say */
	const char *maps; /* text in the form of /proc/PID/maps */
	const void *auxv; /* as in /proc/PID/auxv */
	size_t auxv_len;
	/* Reads all of [addr, addr+len), whole pages of at most 1 MiB; false: not all of it can be read. Called from
	 * the session's thread alone. */
	bool (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	void *arg;
	/* Writes all of [addr, addr+len): a word of a patch. NULL: nothing may be written. Called as read is. */
	bool (*write)(void *arg, uint64_t addr, const void *buf, size_t len);
};

/* Opens what a debugger holds. Nothing is stopped, traced or resumed by us; the session is of this moment: close it
 * before the process moves.
 * Errors: NOTPERM, TARGET (a thread of it runs, it is of another machine type), BADDATA (maps, registers), USAGE */
HF_API struct hf_err *hf_session_open_host(const struct hf_host *host, const struct hf_options *options,
					   struct hf_session **ret) HF_CHECKED;

/* The words of `why` and `info` that begin with prefix, one a line: global variables, and the types that the heap holds
 * where a question has found them. Stops nothing.     ret  caller frees with hf_text_free. */
HF_API struct hf_err *hf_session_complete(struct hf_session *s, const char *prefix, char **ret) HF_CHECKED;

/* Asks the work under way, in any session, to end soon with HF_INTERRUPTED: async-signal-safe. */
HF_API void hf_interrupt(void);
HF_API void hf_interrupt_clear(void);

/* Called from the session's thread, at most ten times a second, while a long question is worked on. */
typedef void hf_progress_fn(void *arg, const char *stage, uint64_t done, uint64_t total);
HF_API void hf_progress_set(hf_progress_fn *fn, void *arg);

/* What belongs on every answer: ask after the question. Strings live as long as the session. */
struct hf_head {
	const char *kind;  /* "live" or "core" */
	const char *label; /* "process 1234 (name)", "core PATH" */
	int pid;           /* 0: unknown */
	const char *core;  /* path; NULL where live */
	const char *exe;   /* path; "" where unknown */
	double stopped_s;  /* how long the target was stopped, all stops together; 0 for a core */
	bool complete;     /* false: something could not be had; a warning says what */
	const char *const *warnings;
	size_t warnings_n;
};
/* s  NULL: of an answer that was asked of no target. */
HF_API void hf_session_head(const struct hf_session *s, struct hf_head *ret);

/* Results are trees of plain structs: all they point to is freed with them by hf_result_free. */
HF_API void hf_result_free(const void *result); /* takes NULL */

#define HF_UNKNOWN UINT64_MAX       /* this number is not known */
#define HF_NOLIMIT (UINT64_MAX - 1) /* a limit that is not set */

/* A named number, in an order that makes sense to read. */
struct hf_fact {
	const char *key;   /* "cgroup_current" */
	const char *label; /* "charged now" */
	uint64_t value;    /* HF_UNKNOWN, HF_NOLIMIT */
};

/* ---- overview: is it the heap at all? ------------------------------------------------------------------ */

enum hf_unit {
	HF_UNIT_BYTES,
	HF_UNIT_COUNT,
	HF_UNIT_NS,       /* a duration */
	HF_UNIT_TIME_NS,  /* since 1970; 0: never */
	HF_UNIT_FRACTION, /* the figure is in `real` */
	HF_UNIT_BOOL,
};
/* A figure by the name that the runtime's own interface gives it. */
struct hf_figure {
	const char *name, *meaning; /* "HeapInuse"; one line */
	enum hf_unit unit;
	uint64_t value;
	double real;
};
/* What was ever allocated and freed of one size. */
struct hf_size_count {
	uint64_t size, mallocs, frees;
};

/* A managed heap, as its runtime counts it and as we walked it. Bytes are of whole slots (size classes). */
struct hf_heap {
	const char *runtime;                 /* "go" */
	const char *version;                 /* "go1.26.8" */
	uint64_t objects, bytes;             /* allocated, live or not, as walked */
	uint64_t live_objects, live_bytes;   /* reached from a root */
	uint64_t typed_objects, typed_bytes; /* of the live ones: their type is known, all of it */
	uint64_t partly_typed_objects,
		partly_typed_bytes; /* of the live ones: a value of a known type is in them, and more than that */
	uint64_t garbage_objects, garbage_bytes; /* allocated, reached from none */
	uint64_t runtime_objects, runtime_bytes; /* allocated, by the runtime's own counters; HF_UNKNOWN */
	bool exact;                              /* the walk and the counters agree */
	uint64_t in_use, idle,
		released;           /* spans with objects; free spans; of these given back to the system */
	uint64_t stacks, metadata;  /* goroutine stacks; the runtime's own structures */
	uint64_t dangling_pointers; /* of live objects, to free memory: the self-check of the walk; 0 */
	uint64_t roots, edges, untyped_objects;
	uint64_t goroutines, gomaxprocs;
	const char *gc_phase;                                  /* "off", "mark", "mark termination" */
	uint64_t gc_cycles, gc_percent, memory_limit, next_gc; /* gc_percent: HF_NOLIMIT where off */
	double last_gc_at;                                     /* unix time; 0: never */
	/* Go: what runtime.ReadMemStats would say: the figures that are known, in its order; the pauses that it keeps, the
	 * latest first, nanoseconds; BySize, by size class (the first, of size 0, counts nothing). */
	const struct hf_figure *memstats;
	size_t memstats_n;
	const uint64_t *pauses;
	size_t pauses_n;
	const struct hf_size_count *by_size;
	size_t by_size_n;
	uint64_t leaked_goroutines; /* nothing can wake them: see hf_goroutine_group */
	uint64_t leaked_bytes;      /* heap objects that they alone hold */
};

struct hf_dep {
	const char *path, *version, *replaced_by; /* replaced_by: "" or "path version" */
};

/* A share of the memory charged to the target: together they explain all of it. */
struct hf_share {
	const char *key, *label;
	uint64_t bytes;
	const char *note; /* "" or a word of advice: "reclaimable" */
};

struct hf_overview {
	const struct hf_fact *facts; /* what the system says: cgroup, smaps, threads */
	size_t facts_n;
	double started_at, taken_at; /* unix time; 0: unknown */
	const char *cmdline, *cgroup_path;
	const struct hf_heap *heaps;
	size_t heaps_n;
	const struct hf_share *shares; /* largest first; the last is what nothing explains */
	size_t shares_n;
	uint64_t shares_total;    /* of what: the cgroup's charge, or the resident size */
	const char *shares_of;    /* "the cgroup's charge", "the resident size", "the heap" */
	const char *verdict;      /* key of the largest share: "heap-live", "heap-garbage", "page-cache"... */
	bool verdict_heap;        /* it is the heap */
	const char *verdict_text; /* one or two sentences */
	const char *main_path, *main_version, *vcs; /* build info; "" where there is none */
	const struct hf_dep *deps;
	size_t deps_n;
};
HF_API struct hf_err *hf_overview(struct hf_session *s, const struct hf_overview **ret) HF_CHECKED;

/* ---- info: what is at this address? --------------------------------------------------------------------- */

struct hf_frame {
	const char *function, *file; /* file: "" where unknown */
	uint64_t pc;
	unsigned line;
	bool inlined; /* into the next frame */
};

struct hf_info_object {
	const char *query; /* as asked */
	uint64_t addr;     /* as asked */
	const char *where; /* "heap", "code", "stack", "data", "runtime", "mapped", "unmapped" */
	const char *state; /* heap: "live", "garbage", "free"; else "unknown" */
	uint64_t start,
		size;      /* of the block, variable, function, stack or mapping that holds addr; 0: none */
	const char *type;  /* heap, data: its type; "" where unknown */
	const char *path;  /* where in it addr stands: ".Payload[3]", "+24"; "" at its start */
	const char *text;  /* one line for people: what this is */
	const char *value; /* with show_values: strings and bytes; "" otherwise */
	const struct hf_frame *frames; /* code: innermost first */
	size_t frames_n;
	uint32_t retainers, roots; /* heap: blocks and roots that point to it */
	const struct hf_frame
		*allocated; /* heap: the stack that allocated it, where it is a sample of the program's own
					     profile; innermost first, without the runtime's functions */
	size_t allocated_n;
};
struct hf_info {
	const struct hf_info_object *objects;
	size_t n;
};
/* Words: addresses, hexadecimal with 0x or decimal, or global variables ("main.cache", "main.server.sessions",
 * "&main.server"): a map, slice, string, pointer, channel, function or interface means what it points to, any other
 * itself. Errors: USAGE (a word that is neither) */
HF_API struct hf_err *hf_info(struct hf_session *s, const char *const *words, size_t n,
			      const struct hf_info **ret) HF_CHECKED;

/* ---- why: what holds it? --------------------------------------------------------------------------------- */

struct hf_step {
	uint64_t addr, size;
	const char *type; /* "?" where unknown */
	const char *
		via; /* the field, index or key that leads on from here: ".Payload", "[63]", "[\"key\"]"; "" for the
			     last, and inside a map or the like */
	const char *tags; /* what that field is on the wire, by its tag: "thrift 2: body", "json: body"; "" */
};
struct hf_chain {
	const char *root_kind;       /* "global", "goroutine", "finalizer"... */
	const char *root_name;       /* starts with the variable, function or type */
	const char *root_via;        /* as a step's */
	uint64_t root_addr;          /* where the pointer stands; 0: a register */
	const struct hf_step *steps; /* at least one: the object is the last */
	size_t n;
};
struct hf_why_object {
	const char *query;
	uint64_t addr, size;
	const char *type, *state;      /* as in info */
	uint64_t count, bytes;         /* 1 and size; for a type: the live objects that this one stands for */
	const struct hf_chain *chains; /* each from another root, shortest first; none: nothing holds it */
	size_t n;
	const struct hf_frame *allocated; /* as in info */
	size_t allocated_n;
};
struct hf_why {
	const struct hf_why_object *objects;
	size_t n;
	uint64_t left_out; /* for types: groups of objects beyond max */
};
/* Words: addresses and variables as for hf_info, or names of types ("main.Session", without the folders of its path, or its last
 * part alone, if that is one type). For a type: its live
 * objects, grouped by what leads to them, one example a group, most bytes first.
 * max  chains an address, groups a type; at least 1.
 * Errors: USAGE (neither address, variable nor type; several types; the address is no object: says what it is) */
HF_API struct hf_err *hf_why(struct hf_session *s, const char *const *words, size_t n, size_t max,
			     const struct hf_why **ret) HF_CHECKED;

/* ---- top: what is there most of? ---------------------------------------------------------------------------- */

enum hf_top_by {
	HF_TOP_BY_TYPE, /* live objects by type; retained: by all objects of the type together */
	HF_TOP_BY_ROOT, /* by the root that is nearest to them; retained: what no other root reaches. What only
				several roots together hold is one row of its own */
	HF_TOP_BY_GOROUTINE, /* the same, of goroutines only */
	HF_TOP_BY_OBJECT,    /* the objects that retain most, one a row; count: of what it retains */
	HF_TOP_BY_SITE, /* by where it was allocated, as the program samples that itself; count and bytes: what the
			   samples in use, live or not, stand for; retained: by the samples alone, not scaled */
};

/* A place that allocates: the innermost function that is not the runtime's, and its line. */
struct hf_site {
	const char *function, *file; /* file: "" where unknown */
	unsigned line;
	uint64_t alloc_count, alloc_bytes; /* all that it allocated so far, as the samples stand for */
	uint64_t samples, alloc_samples;   /* in use; of all */
	uint64_t stacks;                   /* in how many ways it was called */
	const struct hf_frame
		*stack; /* the one with most bytes in use; innermost first, without the runtime's */
	size_t stack_n;
};
struct hf_row {
	const char *name;
	uint64_t count, bytes;
	uint64_t retained_bytes;    /* what would be garbage without it: itself and all that it dominates */
	const struct hf_site *site; /* by site; else NULL */
};
struct hf_top {
	const struct hf_row *rows; /* by type: most bytes first; otherwise most retained bytes first */
	size_t n;
	uint64_t left_out, left_out_bytes; /* rows beyond limit, and theirs */
	uint64_t total_count, total_bytes;
	uint64_t sample_rate; /* by site: bytes of allocations between two samples; else 0 */
	const char *field;    /* what hf_top_field was asked: "can.Frame.ID"; NULL otherwise */
	const char *tags;     /* what that field is on the wire: "thrift 2: body"; "" */
};
/* limit  rows at most; 0: all.     Errors: TARGET (by site: it does not sample its allocations; says what to do) */
HF_API struct hf_err *hf_top(struct hf_session *s, enum hf_top_by by, size_t limit, const struct hf_top **ret)
	HF_CHECKED;
/* The live objects of a type by the value of a field: "can.Frame.ID", "main.Request.Header.Tenant" (pointers on the way are
 * followed); fields by their names in Go, on the wire, or as Field2. Rows: most retained bytes first; retained: by the
 * objects of a row together. total: of all objects of the type.
 * Errors: USAGE (no such type or field; none lives; it is text, and show_values is not set) */
HF_API struct hf_err *hf_top_field(struct hf_session *s, const char *field, size_t limit,
				   const struct hf_top **ret) HF_CHECKED;

/* ---- dominators: the tree of who alone holds what --------------------------------------------------------------- */

enum hf_dominator_kind {
	HF_DOMINATOR_HEAP,   /* all that is live: where the tree begins, unless words say otherwise */
	HF_DOMINATOR_ROOT,   /* a root, or all goroutines of one function */
	HF_DOMINATOR_SHARED, /* what several roots hold, and no single one */
	HF_DOMINATOR_OBJECT, /* an object, or several of one type in the same place */
	HF_DOMINATOR_REST,   /* what is left of a row's children: rows below min, and beyond max */
};
struct hf_dominator_row {
	uint32_t depth; /* of the row before it that is one less deep, it is a child */
	enum hf_dominator_kind kind;
	const char *name;   /* the root's, or the type; "" for others */
	uint64_t addr;      /* of the object; where there are several: the one that retains most; 0: none */
	uint64_t n;         /* objects side by side; rows, for a rest */
	uint64_t nested;    /* further objects of the type that these hold one in another: a list, a tree */
	bool more;          /* others of this type stand out: they have rows of their own beside this one */
	uint64_t own_bytes; /* of these objects themselves, the nested ones and the inner parts of maps */
	uint64_t retained_bytes; /* what would be garbage without them: own, and what their children retain */
	uint64_t retained_count; /* of objects */
};
struct hf_dominator_tree {
	const char *query;  /* the word that it begins with; "" for the whole heap */
	uint64_t min_bytes; /* what retains less has no row */
	/* In the order of a tree's listing: each row, then its children, most retained bytes first, a rest last. The
	 * children of a row, where it has any, retain together what it retains but does not own. What several roots share
	 * has its row however little it is; so has what is alone in a rest. */
	const struct hf_dominator_row *rows;
	size_t n;
};
struct hf_dominator_trees {
	const struct hf_dominator_tree *trees; /* one a word; one of all where there is none */
	size_t n;
	uint32_t depth;
	size_t max;
	uint64_t total_count, total_bytes; /* of all live objects */
};
struct hf_dominators_options {
	size_t size;        /* sizeof(struct hf_dominators_options) */
	uint32_t depth;     /* rows down to this depth; 1 to 100, 0: 5 */
	size_t max;         /* rows a row may have, a rest not counted; 0: 10 */
	uint64_t min_bytes; /* HF_UNKNOWN: as min_share says */
	double min_share;   /* of what the tree begins with, 0 to 1 */
};
/* Words: addresses, names of roots ("main.cache", "main.worker goroutines" or "main.worker"), of types as for why: then
 * the objects of the type, all together.
 * options  NULL: all defaults, of 1 % of the tree.
 * Errors: USAGE (none of these, several of them; an object that is garbage; a depth beyond 100) */
HF_API struct hf_err *hf_dominators(struct hf_session *s, const char *const *words, size_t n,
				    const struct hf_dominators_options *options,
				    const struct hf_dominator_trees **ret) HF_CHECKED;

/* ---- spans: what the heap's pages are used for --------------------------------------------------------------------- */

struct hf_span_class {
	uint64_t size;                 /* of a slot; 0: large objects, a span each */
	uint64_t spans, bytes;         /* bytes: of all their pages */
	uint64_t slots, objects, live; /* objects: allocated; live: of these, reached from a root */
	uint64_t live_bytes;           /* of whole slots, as these: */
	uint64_t free_bytes;           /* free slots */
	uint64_t tail_bytes;           /* in no slot: pointer maps, mark bits, and what is left over */
	uint64_t rounding_bytes;       /* of live slots, what their types cannot use, */
	uint64_t rounding_objects;     /* where that is known: of so many */
	uint64_t cached, partial,
		full;     /* spans that caches hold; in the central lists, with and without free slots */
	uint64_t unswept; /* of all, spans whose dead objects are not yet free */
};
struct hf_span_type {
	const char *type;
	uint64_t count, bytes, live_bytes; /* spans, with one object each */
};
struct hf_spans {
	const struct hf_span_class *classes; /* that have spans, by size; large ones last */
	size_t n;
	struct hf_span_class total;
	const struct hf_span_type *large; /* by type, most bytes first */
	size_t large_n;
	uint64_t large_left_out;
	/* Pages in no span; HF_UNKNOWN. Runs: of neighbouring ones. Cached: kept by processors, in no run. */
	uint64_t idle_bytes, idle_released, idle_runs, idle_largest, idle_cached;
	uint64_t padding_bytes; /* further pages, never to be used: the heap starts at a random address */
	/* Spans of small objects that are at most sparse_share full. */
	double sparse_share;
	uint64_t sparse_spans, sparse_bytes, sparse_live_bytes;
	const char *text; /* fragmentation, in one line */
};
/* limit  rows of large at most; 0: all.     Errors: UNSUPPORTED (the runtime has no spans) */
HF_API struct hf_err *hf_spans(struct hf_session *s, size_t limit, const struct hf_spans **ret) HF_CHECKED;

/* ---- slack: what small views keep of larger blocks ------------------------------------------------------------------ */

struct hf_slack_row {
	const char *
		holder; /* where the views stand: "main.headers[*]", "main.Session.Payload", "main.worker.buf" */
	const char *
		kind; /* "sub-slice", "substring", "interior pointer", "capacity", "map", "channel": of most of it */
	uint64_t count;                 /* blocks that it keeps more of than anything sees; maps; channels */
	uint64_t views;                 /* that it has on these blocks */
	uint64_t shared_views;          /* that others have on them, too */
	const char *const *shared_with; /* where some of those stand */
	size_t shared_with_n;
	uint64_t wasted_bytes;   /* of the blocks, what no view of anyone sees */
	uint64_t capacity_bytes; /* of these, what lies in the capacity of a slice, beyond its length */
	uint64_t visible_bytes;  /* of the blocks, what views see */
	uint64_t
		block_bytes; /* of the blocks, without what rounding adds; of the tables of maps, buffers of channels */
	uint64_t hidden_pointers; /* to objects, in the bytes that are wasted */
	uint64_t hidden_bytes;    /* what these alone keep: it would be garbage without them */
	uint64_t addr;            /* of the block that wastes most */
};
struct hf_slack {
	const struct hf_slack_row
		*rows; /* most wasted bytes first; a block is in one row, that of most of its views */
	size_t n;
	uint64_t left_out, left_out_bytes;   /* rows beyond limit, and what they waste */
	uint64_t wasted_bytes, hidden_bytes; /* of all rows */
	uint64_t total_bytes;                /* of all live objects */
};
/* limit  rows at most; 0: all.     Errors: UNSUPPORTED (a runtime whose pointers do not tell what they see) */
HF_API struct hf_err *hf_slack(struct hf_session *s, size_t limit, const struct hf_slack **ret) HF_CHECKED;

/* ---- goroutines -------------------------------------------------------------------------------------------------- */

struct hf_label {
	const char *key, *value;
	uint64_t count; /* of goroutines that have it */
};
struct hf_start_site {
	const char *file;
	unsigned line;
	uint64_t count; /* of goroutines that were started there */
};
/* Goroutines of one verdict that run the same function, started by the same one, and wait for the same. */
struct hf_goroutine_group {
	const char *function, *created_by, *wait; /* wait: the runtime's words: "chan send" */
	uint64_t count;
	/* Nothing that can still run reaches what they wait on (a channel, a lock, a wait group, a condition), or they
	 * wait for nothing at all (a nil channel, a select without cases): they will wait forever. */
	bool leaked;
	double oldest_wait_s, newest_wait_s; /* negative: unknown (no collection since they began to wait) */
	uint64_t stack_bytes;
	uint64_t retained_bytes, retained_count; /* heap objects that would be garbage without them */
	const struct hf_start_site *sites;       /* where they were started, most first; the first few */
	size_t sites_n;
	const struct hf_label *labels; /* of pprof, most first; the first few */
	size_t labels_n;
	uint64_t example_id; /* a goroutine of the group, the lowest id */
	uint64_t
		waits_on; /* the address of what the example waits on, the first where there are several; 0: unknown */
	const struct hf_chain
		*waker; /* how the example can still be woken: what reaches what it waits on; NULL: it is
					 leaked, runs, or is woken by what is not of the heap */
	const struct hf_frame *frames; /* of the example */
	size_t frames_n;
};
struct hf_goroutines {
	const struct hf_goroutine_group *groups; /* most goroutines first */
	size_t n;
	uint64_t left_out; /* groups */
	uint64_t total;    /* goroutines, filtered out or not */
	uint64_t matched;  /* that the filter lets through: in groups */
	uint64_t leaked, leaked_groups,
		leaked_bytes; /* of these; bytes: what all leaked ones of the target hold together,
							 without their stacks */
};
struct hf_goroutines_options {
	size_t size;  /* sizeof(struct hf_goroutines_options) */
	size_t limit; /* groups; 0: all */
	const char *
		filter; /* a POSIX extended regular expression: only goroutines with a function on their stack, or that
			       started them, that it matches; NULL: all */
};
/* options  NULL: all of them, no filter.     Errors: USAGE (no regular expression) */
HF_API struct hf_err *hf_goroutines(struct hf_session *s, const struct hf_goroutines_options *options,
				    const struct hf_goroutines **ret) HF_CHECKED;

/* ---- pools: what waits in them, and what is out ------------------------------------------------------------------- */

#include "holdfast_pools.h"

/* ---- snap: keep it for later ----------------------------------------------------------------------------------- */

struct hf_snap {
	const char *path;
	uint64_t file_bytes, resident_bytes, skipped_bytes, segments;
};
/* Writes a core that gdb opens, too; 0600, whole or not at all. Errors: IO, NOTPERM, TARGET, INTERRUPTED */
HF_API struct hf_err *hf_snap(struct hf_session *s, const char *path, const struct hf_snap **ret) HF_CHECKED;

/* ---- export: a profile, for the tools that read them --------------------------------------------------------------- */

#include "holdfast_profile.h"

/* ---- patch: another constructor for a pool -------------------------------------------------------------------------- */

#include "holdfast_patch.h"

/* ---- switches: numbers of the runtime; drain: what collections free of pools ------------------------------------------ */

#include "holdfast_switch.h"

/* ---- the page: what to paste into a ticket ------------------------------------------------------------------------ */

struct hf_page {
	const struct hf_overview *overview;
	const struct hf_top *types, *roots; /* the first few */
	const struct hf_goroutines *goroutines;
	const struct hf_chain *example; /* what holds the largest type, by its nearest root; NULL: none */
	const char *example_type;
};
HF_API struct hf_err *hf_page(struct hf_session *s, const struct hf_page **ret) HF_CHECKED;

/* ---- reports: pure functions of the results ------------------------------------------------------------------------- */

enum hf_report_format {
	HF_REPORT_TEXT, /* for people */
	HF_REPORT_JSON, /* one object; see docs/json.md */
};
struct hf_report_options {
	size_t size; /* sizeof(struct hf_report_options) */
	enum hf_report_format format;
	bool color;      /* text: with terminal styles */
	unsigned width;  /* text: columns; 0: 100 */
	const char *ask; /* text: how the user names the target in commands: "-p 1234"; "": not at all */
};
/* Renders the result of a command ("overview", "memstats", "info", "why", "top", "dominators", "spans",
 * "goroutines", "snap", "export", "page", "pools", "slack") as one
 * string, ending in a newline. ret  caller frees with hf_text_free.     Errors: NOMEM, USAGE (no such command) */
HF_API struct hf_err *hf_report(const char *command, const struct hf_head *head, const void *result,
				const struct hf_report_options *options, char **ret) HF_CHECKED;
HF_API void hf_text_free(char *text); /* takes NULL */

/* ---- commands: questions in the words of a command line, for those of debuggers ---------------------------------- */

struct hf_command_info {
	const char *name, *words, *summary; /* words: "ADDR..."; "" where it takes none */
};
/* The commands in the order of the help; false past the end. The first is what no verb asks. */
HF_API bool hf_command_at(size_t i, struct hf_command_info *ret);
/* The help of a command, as it is asked in a debugger; of those that share a first word ("patch"); NULL: of all. ret  caller frees with hf_text_free.
 * Errors: USAGE (no such command), NOMEM */
HF_API struct hf_err *hf_command_help(const char *name, char **ret) HF_CHECKED;

/* A command line, understood: "why 0xc000012345 --max 1". It names no target: that is the session's. */
struct hf_question;
/* words  copied.     ret  caller frees with hf_question_free.     Errors: USAGE, NOMEM */
HF_API struct hf_err *hf_question_parse(const char *const *words, size_t n, struct hf_question **ret)
	HF_CHECKED;
HF_API void hf_question_free(struct hf_question *q); /* takes NULL */
/* What to open a session with for it. Valid while q lives. */
HF_API const struct hf_options *hf_question_options(const struct hf_question *q);
/* Its words that are neither the command nor options; and another for one of them (copied). */
HF_API size_t hf_question_words(const struct hf_question *q, const char *const **ret);
HF_API struct hf_err *hf_question_set_word(struct hf_question *q, size_t i, const char *word) HF_CHECKED;
/* The command that it asks: "patch apply". Static. */
HF_API const char *hf_question_command(const struct hf_question *q);
/* Whether it may write to the target, where that is what it asks: no, unless this allows it.
 * how  what the user does to allow it, for the error: "set holdfast allow-write on"; copied.     Errors: NOMEM */
HF_API struct hf_err *hf_question_allow_write(struct hf_question *q, bool allow, const char *how) HF_CHECKED;
/* It asks for help or the version, which take no session. */
HF_API bool hf_question_is_help(const struct hf_question *q);
/* Asks it, and renders the answer: the format is the question's (--json), the rest is of options (NULL for defaults).
 * s  NULL where it asks for help.     ret  caller frees with hf_text_free.     Errors: of all questions */
HF_API struct hf_err *hf_question_ask(const struct hf_question *q, struct hf_session *s,
				      const struct hf_report_options *options, char **ret) HF_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
