/* The sandbox: runs a function of another process in a child of its own, the ghost, that has the other's memory, page by
 * page as it is touched. Nothing that the ghost does leaves it: its system calls never run, its stores stay in memory
 * that only the two of us share.
 *
 *   main.c      the order of things      confine.c   what we ourselves may still do
 *   wire.c      bytes to and from the tool           job.c   what is asked of us, checked
 *   ghost.c     the child: made, emptied, and system calls run in it for us
 *   maps.c      what of the address space is the target's, and what the ghost made
 *   pages.c     pages: fetched, put in place, made writable
 *   hooks.c     breakpoints; calls of allocators, and what they gave out
 *   shadow.c    which bytes changed, and who changed them
 *   syscalls.c  which system calls are emulated, and how; memcalls.c  those about memory
 *   run.c       the loop, and its clocks
 *   tell.c      what is told at the end
 *
 * Functions that return bool: false where the run is over; why stands in sandbox.end. There is one sandbox a process.
 */
#ifndef GHOST_SANDBOX_H
#define GHOST_SANDBOX_H

#include "verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/user.h>

/* The ghost's memory is one file of ours, that both map: a page of the ghost is a slot of it. */
#define SLOTS         16384u
#define SCRATCH_SLOTS (GHOST_SCRATCH / GHOST_PAGE) /* the first: slot i is page i of the scratch area */
#define OWN_MAPS      1024u                        /* that the ghost may add to those of the target */

struct page {
	uint64_t addr;
	bool writable; /* now */
	bool own;      /* did not exist before: what is stored there is no change */
	bool ahead;    /* writable before it was stored to */
	uint8_t run;   /* how many came with it */
	uint64_t writer;
	uint8_t *before,
		*last;    /* of pages that existed before and were stored to; last: at the latest boundary */
	uint8_t *outside; /* a bit a byte: changed while no allocator was at work */
};

struct map {
	uint64_t start, end;
	uint32_t flags; /* enum ghost_map_flags */
	bool own;       /* the ghost's: zeros, nothing to ask for */
};

/* The tool's question, whole, as checked by job_parse. */
struct job {
	struct ghost_job head;
	const struct ghost_map *maps;
	const struct ghost_hook *hooks;
	const struct ghost_write *writes;
	const struct ghost_range *ranges;
	uint8_t *bytes; /* that the lists lie in */
};

struct allocation {
	struct ghost_allocation told;
	bool freed;
};

/* The outermost call of a hook that has not returned yet. */
struct window {
	bool open, breakpoint; /* breakpoint: at ret is one of its own */
	uint8_t saved;         /* the byte that it stands on */
	uint64_t ret, rsp;     /* at the entry: [rsp] is ret */
	uint64_t bytes, old, info, out;
	const struct ghost_hook *hook;
};

struct sandbox {
	int sock;
	pid_t ghost;
	struct ghost_setup setup;
	struct job job;

	uint8_t *memory; /* the slots */
	struct page pages[SLOTS];
	uint32_t pages_n;
	uint32_t index[4 * SLOTS]; /* page address -> slot + 1 */

	struct map *maps;
	uint32_t maps_n, maps_cap;

	struct ghost_hook hooks[GHOST_HOOKS_MAX]; /* by address */
	uint8_t hook_saved[GHOST_HOOKS_MAX];
	uint32_t hooks_n;
	struct window window;
	uint64_t stepping; /* over a breakpoint at this address; 0: no */

	struct allocation allocations[GHOST_ALLOCATIONS_MAX];
	uint32_t allocations_n, allocations_lost;
	uint64_t live_bytes;
	struct ghost_event events[GHOST_EVENTS_MAX];
	uint32_t events_n;
	uint64_t signal_mask; /* as the function set it */

	uint64_t cpu_ns, stop_ns; /* stop_ns: what one stop costs it of its own */
	uint64_t began_ns;
	struct ghost_end end;
	bool ended;
};

extern struct sandbox sandbox;

/* The run is over; the first to say so is heard. Returns false. */
bool end_run(enum ghost_end_kind kind, uint64_t pc, uint64_t addr, uint64_t number);

/* ---- wire.c: exits where the tool is gone ---- */
void wire_read(void *buf, size_t len);
void wire_write(const void *buf, size_t len);

/* ---- job.c ---- */
/* How many bytes of lists follow the head; 0 and errno where it is none of ours, or absurd. */
size_t job_lists(const struct ghost_job *head);
/* Fills in the lists of job, of which head and bytes are set. 0, or EINVAL where they contradict the protocol. */
int job_parse(struct job *job, const struct ghost_setup *setup);

/* ---- ghost.c ---- */
/* Makes the ghost, empty but for the scratch area. 0, or an errno; what failed in *what. */
int ghost_make(const char **what);
/* Runs a system call in the stopped ghost, whose registers are as before afterwards. Returns its result; -EIO where the
 * ghost is gone. */
long ghost_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
/* 0, or an errno. */
int ghost_get_regs(struct user_regs_struct *regs);
int ghost_set_regs(const struct user_regs_struct *regs);
/* The value of an enum ghost_reg. */
uint64_t ghost_reg(const struct user_regs_struct *regs, unsigned reg);

/* ---- maps.c ---- */
int maps_fill(void); /* from the job and the scratch area. 0, or an errno */
const struct map *maps_find(uint64_t addr);
/* True where nothing is mapped in [start, start + len). */
bool maps_are_free(uint64_t start, uint64_t len);
/* True where all of it is mapped, by maps whose flags have no bit of `without`; own: by the ghost's own alone. */
bool maps_cover(uint64_t start, uint64_t len, uint32_t without, bool own);
uint64_t maps_find_gap(uint64_t len); /* 0: there is none */
/* Replaces what is there; false: too many maps. remove: nothing is mapped there then. */
bool maps_put(uint64_t start, uint64_t len, uint32_t flags);
bool maps_remove(uint64_t start, uint64_t len);

/* ---- pages.c ---- */
/* The page that addr stands on, if the ghost has it; else NULL. */
struct page *pages_find(uint64_t addr);
uint8_t *page_bytes(const struct page *page);
bool pages_fill(void); /* with those of the scratch area */
/* Makes the ghost have the page: asks for it where it is the target's. */
bool pages_reach(uint64_t addr, uint64_t pc, struct page **ret);
/* And lets it store there, as far as that is allowed; pc: who does. */
bool pages_open(uint64_t addr, uint64_t pc, struct page **ret);
/* Copies to or from the ghost's memory, as if code at pc did. */
bool pages_store(uint64_t addr, const void *buf, size_t len, uint64_t pc);
bool pages_load(uint64_t addr, void *buf, size_t len, uint64_t pc);
/* Copies what the ghost has; false where it lacks some of it. Asks for nothing, and ends nothing. */
bool pages_peek(uint64_t addr, void *buf, size_t len);
/* Takes pages away. False: the ghost is gone. */
bool pages_drop(uint64_t start, uint64_t len);
/* The ghost's SIGSEGV. */
bool pages_fault(uint64_t addr, int code, uint64_t pc);

/* ---- hooks.c ---- */
void hooks_fill(void);
void hooks_arm(struct page *page); /* of a page that has just come */
/* The ghost hit a breakpoint: regs are behind it, and are set back. What is next may be a step over it: sandbox.stepping. */
bool hooks_hit(struct user_regs_struct *regs);
void hooks_stepped(void); /* the step was done */
/* At the end, when the registers are known: a call that the end cut short was the allocator's, one that was jumped out of
 * was not. */
void hooks_finish(void);
void event_add(const struct ghost_event *event);

/* ---- shadow.c ---- */
/* Keeps a page as it is before its first store; false: no memory. */
bool shadow_begin(struct page *page);
/* What changed since the last boundary was changed by an allocator, or not. */
void shadow_boundary(bool by_allocator);
/* True where the function itself, no allocator, stored to some of these few bytes. */
bool shadow_stored(uint64_t addr, uint64_t len);
void shadow_tell(void); /* changes: counted in sandbox.end, and in shadow_changes */
extern struct ghost_change shadow_changes[GHOST_CHANGES_MAX];

/* ---- syscalls.c ---- */
/* The ghost is about to enter the kernel: what it is told instead. */
bool syscall_answer(struct user_regs_struct *regs);
/* memcalls.c: false where it is none of these, or not allowed; ret  what the function is told. */
bool memcall_answer(uint64_t number, const uint64_t args[6], uint64_t *ret);

/* ---- run.c ---- */
int run_measure(void); /* what a stop costs. 0, or an errno */
void run(void);
uint64_t now_ns(void);

/* ---- tell.c ---- */
void tell_end(void);

/* ---- confine.c ---- */
void confine_early(void);       /* before anything else */
int confine_limits(void);       /* when the memory is there, before the ghost is. 0, or an errno */
void confine_hurry(void);       /* us, and the ghost that is yet to be made */
void confine_hurry_ghost(void); /* it, in its own process */
void confine_relax(void);       /* and no more */
int confine_ghost(void);        /* before its first instruction of the target's. 0, or an errno */
int confine_self(void); /* when the ghost is there: from now on, hardly any system call is left to us */

#endif
