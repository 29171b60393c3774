/* What the tool and the sandbox say to one another, over one socket (SOCK_STREAM); all that the two share.
 *
 *	tool                                     sandbox (its own process, confined)        ghost (its child)
 *	 |-- ghost_setup ----------------------->| starts and empties the ghost ----------->|
 *	 |<------------------- ghost_ready ------|                                          |
 *	 |   (stops the target)                  |                                          |
 *	 |-- ghost_job, maps, hooks, writes ---->| lays out its registers, runs it -------->| calls the function
 *	 |<------------------- ghost_ask(page) --|<------------------------ page fault -----|
 *	 |-- ghost_page, 4096 bytes ------------>|-- puts the page there ------------------>|
 *	 |   (resumes the target when held long enough, or at the end)                      |
 *	 |<-- ghost_end, events, allocations, changes, contents
 *
 * Everything is little-endian and naturally aligned; every count has a bound here, and each side checks what the other
 * says: the ghost runs code of the target. Which function it is, whose language, and what is allowed to change is the
 * tool's knowledge: the sandbox measures and tells.
 */
#ifndef GHOST_VERDICT_H
#define GHOST_VERDICT_H

#include <stdint.h>

#define GHOST_PROTOCOL 2
#define GHOST_PAGE     4096u

/* Addresses of the ghost that the target does not have; the tool finds a gap in the target's maps for them.
 *
 *	scratch                                                              scratch + GHOST_SCRATCH
 *	| trampoline, 1 page | object, 16 pages | guard, 1 | stack, 64 pages |
 */
#define GHOST_OBJECT_OFFSET GHOST_PAGE
#define GHOST_OBJECT_MAX    (16u * GHOST_PAGE)
#define GHOST_STACK_OFFSET  (18u * GHOST_PAGE)
#define GHOST_STACK_SIZE    (64u * GHOST_PAGE)
#define GHOST_SCRATCH       (82u * GHOST_PAGE)
#define GHOST_RETURN_OFFSET 16u /* of the trampoline: where the function returns to */
#define GHOST_WORDS_OFFSET                                                                                   \
	512u /* of the trampoline: 448 words for the tool's own use (a funcval), by writes */

#define GHOST_ASK_MAX         64u
#define GHOST_MAPS_MAX        65536u
#define GHOST_HOOKS_MAX       1024u
#define GHOST_WRITES_MAX      256u
#define GHOST_WRITE_BYTES     64u
#define GHOST_RANGES_MAX      64u
#define GHOST_EVENTS_MAX      256u
#define GHOST_ALLOCATIONS_MAX 4096u
#define GHOST_CHANGES_MAX     4096u
#define GHOST_CHANGE_BYTES    32u
#define GHOST_CONTENTS_MAX    (256u * 1024u)

struct ghost_setup {
	uint32_t protocol, reserved;
	uint64_t scratch;    /* page-aligned */
	uint64_t vdso, vvar; /* where the target has them; 0: nowhere */
	uint64_t vdso_size, vvar_size;
};

struct ghost_ready {
	uint32_t protocol;
	int32_t error; /* errno of what failed; 0: none */
	char what[112];
};

enum ghost_map_flags {
	GHOST_MAP_READ = 1,
	GHOST_MAP_WRITE = 2,
	GHOST_MAP_EXEC = 4,
	GHOST_MAP_SHARED = 8, /* a store there is seen by others: it ends the run */
	GHOST_MAP_UNKNOWN =
		16, /* it may be shared (a core does not say): a store there makes it inconclusive */
	GHOST_MAP_BREAK = 32, /* its end is the program's break */
};
struct ghost_map {
	uint64_t start, end;
	uint32_t flags, reserved;
};

/* Registers, as in hooks. */
enum ghost_reg {
	GHOST_RAX,
	GHOST_RBX,
	GHOST_RCX,
	GHOST_RDX,
	GHOST_RSI,
	GHOST_RDI,
	GHOST_RBP,
	GHOST_RSP,
	GHOST_R8,
	GHOST_R9,
	GHOST_R10,
	GHOST_R11,
	GHOST_R12,
	GHOST_R13,
	GHOST_R14,
	GHOST_R15,
	GHOST_REGS,
	GHOST_REG_NONE = 255,
};

enum ghost_hook_kind {
	/* The entry of a function that allocates. What changes until it returns is the allocator's own doing. Within such a
	 * call further hooks of this kind say nothing, but for STOP. */
	GHOST_HOOK_ALLOCATE,
	GHOST_HOOK_FREE,   /* the same for one that frees: size: the register with the pointer */
	GHOST_HOOK_WINDOW, /* the same for one that does neither: what it changes counts as the allocator's */
	GHOST_HOOK_STOP,   /* the run ends here */
	GHOST_HOOK_NOTE,   /* noted, and goes on */
};
struct ghost_hook {
	uint64_t addr;
	uint32_t kind;
	uint32_t tag; /* the tool's own number for it; comes back in what is told */
	/* ALLOCATE: bytes = size register (x count register); old: of a realloc, the register with the old pointer; info: a
	 * register that is told as it was at the entry (Go: the type); out: the pointer is not returned but stored where
	 * this register pointed at the entry. GHOST_REG_NONE: none. */
	uint8_t size, count, old, info, out, reserved[3];
};

/* Into the ghost's memory, before it starts: no change that is told. */
struct ghost_write {
	uint64_t addr;
	uint32_t len, reserved;
	uint8_t bytes[GHOST_WRITE_BYTES];
};

/* Changes there are not told: the stack of its own is such a range without being named. */
struct ghost_range {
	uint64_t start, end;
};

struct ghost_job {
	uint32_t protocol;
	uint32_t maps_n, hooks_n, writes_n, ranges_n;
	uint32_t
		object_size; /* of the object area that counts as freshly allocated: zeroed memory for the function */
	int32_t pid, tid; /* what the function is told, where it asks who it is */
	uint64_t
		cpu_us; /* the ghost's own processor time, kernel's page work for us not counted; then it ends: CPU */
	uint64_t wall_us;     /* then it ends, too: WALL */
	uint64_t alloc_bytes; /* live bytes that it may have allocated; then it ends: MEMORY */
	uint64_t
		count_max; /* instructions are counted, one step each, up to this number: then it ends: LIMIT; 0: they
			       * are not */
	uint64_t rip, fs_base, gs_base;
	uint64_t
		regs[GHOST_REGS]; /* rsp: inside the stack, 8 mod 16; the sandbox stores the return address at
				    * [rsp]; 0: the sandbox chooses */
				  /* what follows: maps, hooks, writes, ranges */
};

/* ---- sandbox to tool ------------------------------------------------------------------------------------------------ */

enum ghost_message {
	GHOST_ASK = 1, /* ghost_ask follows; then ghost_page comes */
	GHOST_END = 2, /* ghost_end and its lists follow; the last message */
};
struct ghost_head {
	uint32_t message, length; /* of what follows, for GHOST_ASK and the fixed part of GHOST_END */
};
struct ghost_ask {
	uint64_t addr;            /* of a page */
	uint32_t pages, reserved; /* that many from there on, as far as they can be had; 1 to GHOST_ASK_MAX */
};
enum ghost_page_state {
	GHOST_PAGE_HERE,   /* 4096 bytes follow for each of `pages` */
	GHOST_PAGE_ABSENT, /* it cannot be read: not there, not in the core */
	GHOST_PAGE_LATE,   /* the target runs on: it cannot be had any more */
};
struct ghost_page {
	uint32_t state, pages;
};

/* How a run ended, or what in it is against the rules. */
#define GHOST_ENDS(X)                                                                                        \
	X(RETURNED, "it returned")                                                                           \
	X(HOOK, "it called a function that ends the run")       /* tag, pc */                                \
	X(SYSCALL, "system call")                               /* number, args, pc */                       \
	X(BLOCKS, "it waits")                                   /* a futex wait or the like: number, pc */   \
	X(FAULT, "fault")                                       /* addr, pc, number: the signal */           \
	X(READ_ONLY, "store to read-only memory")               /* addr, pc */                               \
	X(SHARED, "store to shared memory")                     /* addr, pc */                               \
	X(UNKNOWN, "store to memory that may be shared")        /* addr, pc: inconclusive */                 \
	X(CPU, "out of processor time")                         /* pc */                                     \
	X(WALL, "out of time")                                  /* pc: inconclusive */                       \
	X(MEMORY, "out of memory to allocate")                  /* number: bytes; pc */                      \
	X(ABSENT, "a page that cannot be had")                  /* addr, pc: inconclusive */                 \
	X(LATE, "a page was asked for after the target ran on") /* addr, pc: inconclusive */                 \
	X(LIMIT, "a limit of the sandbox")                      /* inconclusive */                           \
	X(BROKEN, "the sandbox failed")                         /* number: errno; inconclusive */

enum ghost_end_kind {
#define GHOST_END_ENUM(name, text) GHOST_END_##name,
	GHOST_ENDS(GHOST_END_ENUM)
#undef GHOST_END_ENUM
};

#define GHOST_NO_TAG UINT32_MAX

struct ghost_end {
	uint32_t kind; /* enum ghost_end_kind */
	uint32_t
		tag; /* of the hook that ended it; else of the call of one that it ended in, or GHOST_NO_TAG */
	uint64_t pc, addr, number, args[6];
	uint64_t regs[GHOST_REGS]; /* at the end; what it returned is among them */
	uint64_t cpu_us, wall_us, faults, pages, dirty_pages;
	uint64_t instructions;                 /* 0: not counted here */
	uint64_t allocated_bytes, freed_bytes; /* in all; as the requests said */
	uint32_t events_n, allocations_n, changes_n, contents_n;
	uint32_t events_lost, allocations_lost, changes_lost; /* beyond the bounds */
	uint32_t
		trace_n; /* of pcs below: return addresses found by frame pointers at the end, innermost first */
	uint64_t contents_bytes; /* of all contents, heads and padding included */
	uint64_t trace[16];
	/* what follows: events, allocations, changes, contents */
};

enum ghost_event_kind {
	GHOST_EVENT_SYSCALL, /* allowed: number, args, result; tag: of the call of a hook that it was made in */
	GHOST_EVENT_NOTE,    /* a hook: tag */
	GHOST_EVENT_FREE, /* a hook's call freed what the run had not allocated: number: its address; tag */
};
struct ghost_event {
	uint32_t kind, tag;
	uint64_t number, pc, args[6], result;
};

/* A block that it allocated and did not free again, in the order of allocation. */
struct ghost_allocation {
	uint64_t addr, bytes; /* bytes: as it asked for them */
	uint64_t info;
	uint64_t caller; /* the return address */
	uint32_t tag, reserved;
};

/* Memory that existed before and is not as it was, outside of the object (what is stored past its size is a change), its
 * stack, what it allocated and the ranges. Whole aligned words, in which a byte changed, in runs of up to
 * GHOST_CHANGE_BYTES; ascending. */
struct ghost_change {
	uint64_t addr;
	/* pc of the first store to that page, or to the one before it, where one instruction fills page after page */
	uint64_t writer;
	uint32_t len;
	uint32_t by_allocator; /* what changed did so during ALLOCATE, FREE or WINDOW calls, alone */
	uint8_t before[GHOST_CHANGE_BYTES], after[GHOST_CHANGE_BYTES];
};

/* What the object area and its allocations hold at the end, for who wants to follow pointers: up to GHOST_CONTENTS_MAX
 * in all; each is this head, then its bytes, padded to 8, then a bit for each 8 of them, padded to 8 bytes: 1 where the
 * function itself stored to them, no allocator; what else stands in fresh memory is left from before. */
struct ghost_contents {
	uint64_t addr;
	uint32_t len, reserved;
};

#endif
