/* Someone else's memory, whatever it is: a live process, a core file, or bytes in a test.
 *
 * A live target is asked in three acts: open (files only, nothing stops), stop .. capture .. resume, and then as many
 * reads as one likes of what was captured: they see the moment of the stop. A core is always "captured". Nothing here
 * ever writes to a target: patch/write.c does, through hf_target_in_tracer.
 *
 * The target is hostile: every length is checked, every read may fail, nothing is trusted to be where it should be.
 */
#ifndef HF_TARGET_H
#define HF_TARGET_H

#include "../base/base.h"
#include "../base/str.h"
#include "../base/vec.h"
#include "arch.h"

#include <sys/types.h>

struct hf_target;
struct hf_facts; /* facts.h */

/* One mapping of the target: [start, end). */
struct hf_map {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t dev, inode;
	const char *
		path; /* "" where anonymous; "[heap]", "[stack]", "[vdso]"...; as the target's namespace names it */
	bool readable, writable, executable, shared;
	bool deleted; /* the file's name is gone; the path is without " (deleted)" */
	bool in_core; /* core: some bytes of it are in the file */
};

enum hf_thread_state {
	HF_THREAD_STOPPED, /* regs are valid */
	HF_THREAD_ZOMBIE,  /* has ended, not yet gone: no registers */
	HF_THREAD_STUCK,   /* did not stop in time (D state, vfork): no registers */
	HF_THREAD_RUNNING, /* not yet stopped, or resumed: no registers */
};

struct hf_thread {
	pid_t tid;    /* in our pid namespace; core: as the core says */
	pid_t ns_tid; /* in the target's innermost pid namespace: what its own memory says */
	enum hf_thread_state state;
	struct hf_regs regs;
	char name[32];
};

/* What a stop costs, and what it could not reach. */
struct hf_pause {
	double stopped_s; /* all stops together, from the first INTERRUPT to the last DETACH; 0 for a core */
	double began;     /* the latest stop: hf_now, before the first thread was asked to */
	unsigned stops;
	unsigned stuck, zombies;
};

struct hf_range {
	uint64_t start, end;
};

/* Where a page's bytes are. */
enum hf_page_state {
	HF_PAGE_ABSENT, /* untouched: zeros, or the file's bytes */
	HF_PAGE_RESIDENT, /* in memory, and nowhere else: anonymous, or written to since it came from its file */
	HF_PAGE_SWAPPED,
	HF_PAGE_FILE_CLEAN, /* in memory, belongs to its file (or to shared memory) */
};

struct hf_page_span {
	uint64_t start, end;
	enum hf_page_state state;
};
struct hf_page_spans {
	struct hf_page_span *at;
	size_t n, cap;
};

/* What has to happen in the thread that traces a target: ptrace obeys no other. */
typedef void hf_tracer_fn(void *arg);

/* What every kind of target implements; `t->arg` is the backend's own. Any member but read, describe and close may be
 * NULL: it then does nothing, or there is none. */
struct hf_target_ops {
	const char *kind; /* "live", "core", "memory" */
	/* Reads exactly len bytes. Errors: FAULT, STALE (addr: the first byte that cannot be had). Thread-safe. */
	struct hf_err *(*read)(struct hf_target *t, uint64_t addr, void *buf, size_t len);
	/* Local bytes of [addr, addr+len), valid until close or the next stop; NULL where they do not lie together here.
	 * Thread-safe. */
	const void *(*view)(struct hf_target *t, uint64_t addr, size_t len);
	struct hf_err *(*prepare)(struct hf_target *t, const struct hf_range *ranges, size_t n);
	struct hf_err *(*stop)(struct hf_target *t);
	void (*resume)(struct hf_target *t);
	struct hf_err *(*capture)(struct hf_target *t, const struct hf_range *ranges, size_t n);
	/* Opens the file behind a mapping, checked to be that very file. Caller closes *ret. */
	struct hf_err *(*open_file)(struct hf_target *t, const struct hf_map *map, int *ret);
	/* For snaps, only while stopped (live_snap.c): as read, but never captures, keeps, or caches a byte. Reads what
	 * it is told to, so ask page_spans first: untouched pages would be made, swapped ones fetched. Thread-safe. */
	struct hf_err *(*read_raw)(struct hf_target *t, uint64_t addr, void *buf, size_t len);
	/* Appends what is known of the pages of [start, end), which are page-aligned: ascending spans of those that are
	 * not absent. Touches nothing. Errors: NOTPERM, TARGET (it is gone), NOMEM. */
	struct hf_err *(*page_spans)(struct hf_target *t, uint64_t start, uint64_t end,
				     struct hf_page_spans *ret);
	/* Reads what is there now, of a target that runs; at most 64 KiB. NULL: as read. */
	struct hf_err *(*reread)(struct hf_target *t, uint64_t addr, void *buf, size_t len);
	/* Bytes of [addr, addr+len) that are in memory, no file or zero-fill to be asked. */
	uint64_t (*resident)(struct hf_target *t, uint64_t addr, uint64_t len);
	/* Runs fn in the thread that traces the stopped target. */
	struct hf_err *(*in_tracer)(struct hf_target *t, hf_tracer_fn *fn, void *arg);
	/* Stops, runs fn in that thread, and resumes. */
	struct hf_err *(*in_stop)(struct hf_target *t, hf_tracer_fn *fn, void *arg);
	/* Frees t->arg (which may be NULL) and what it owns, alone: hf_target_close frees t and its members. */
	void (*close)(struct hf_target *t);
};

struct hf_warning {
	char *text;
};

/* Backends fill this in; everyone else reads it through the functions below, except maps and threads. */
struct hf_target {
	const struct hf_target_ops *ops;
	void *arg;
	pid_t pid;                          /* 0 where unknown */
	char *label;                        /* "process 1234 (name)", "core PATH": for messages */
	const char *core;                   /* the file's path, as it was given; NULL: not a core */
	HF_VEC(struct hf_map) maps;         /* ascending, not overlapping */
	HF_VEC(struct hf_thread) threads;   /* live: filled by stop */
	HF_VEC(uint8_t) auxv;               /* raw, as the kernel gave it; may be empty */
	HF_VEC(struct hf_warning) warnings; /* what makes the answer less than whole, one line each */
	bool incomplete; /* something that was asked for could not be had: answers say complete: false */
	bool stopped;
	struct hf_pause pause;
	bool held; /* by a debugger: it stands still all the while, and neither stop nor resume moves it */
	/* Of that debugger: writes all of [addr, addr+len), or says false. NULL: it does not. For patch/write.c alone. */
	bool (*host_write)(void *arg, uint64_t addr, const void *buf, size_t len);
	void *host_arg;
	struct hf_facts *facts; /* what the system says of the process; NULL where unknown */
	struct hf_arena names;  /* map paths and the like */
};

/* Opens a live process for reading. Stops nothing.
 *
 * pid  of our pid namespace; a thread's id is refused.     ret  caller closes with hf_target_close.
 * Errors: NOTPERM  says which capability is missing, and the container flag
 *         TARGET   no such process, a kernel thread, a zombie, already being traced, ourselves
 * Target: reads /proc only. A pidfd and the start time keep a recycled PID from being taken for the target.
 */
struct hf_err *hf_target_open_pid(pid_t pid, struct hf_target **ret) HF_CHECKED;

/* Opens a core file (ELF64, x86-64), written by the kernel, gdb, or hf_snap_write.
 *
 * core  path.     exe  path of the executable, or NULL: then the one that the core names is used, if it is there.
 *                 Its build-id must agree with what the core holds; pages that the core leaves out come from the
 *                 mapped files only where that is so.
 * A truncated core opens: `incomplete` is set and a warning says how much is missing.
 * Errors: IO      the file cannot be read
 *         TARGET  not a core, of another machine or class, empty, or exe does not belong to it
 *         BADDATA its headers contradict one another
 */
struct hf_err *hf_target_open_core(const char *core, const char *exe, struct hf_target **ret) HF_CHECKED;

/* Opens what a debugger holds stopped: a process of this machine through /proc, any other through host->read.
 * `stopped` and the pause stay as they are on a core: nothing here stops or resumes it.
 * Errors: NOTPERM, TARGET (a thread runs, no x86-64 program), BADDATA (maps, registers), USAGE (no way to read) */
struct hf_err *hf_target_open_host(const struct hf_host *host, struct hf_target **ret) HF_CHECKED;

/* A target made of bytes that the caller holds, for tests and fuzzers. Ranges are borrowed until close. */
struct hf_mem_range {
	uint64_t addr;
	const void *bytes;
	size_t len;
	bool writable;
};
struct hf_err *hf_target_open_mem(const struct hf_mem_range *ranges, size_t n, struct hf_target **ret)
	HF_CHECKED;

void hf_target_close(struct hf_target *t); /* resumes first, where stopped; takes NULL */
void hf_target_close_p(struct hf_target **t);

/* Before a stop: sets local memory aside for the capture that is to come, which then stops the target for a third of
 * the time or less (filling fresh memory costs more than copying into it). Nothing depends on it but the pause.
 *
 * ranges  borrowed: what will be captured, as far as is known. Only what is resident in them now costs memory.
 * Errors: TARGET, INTERRUPTED, NOMEM (see hf_target_capture). */
struct hf_err *hf_target_prepare(struct hf_target *t, const struct hf_range *ranges, size_t n) HF_CHECKED;

/* Stops every thread and takes its registers; fills t->threads and refreshes t->maps. Nothing to do on a core.
 *
 * Threads that do not stop within a second are left out, counted in t->pause and named in a warning. A process that
 * was in group-stop stays so after resume; signals that arrive are delivered on resume.
 * Errors: NOTPERM, TARGET (has exited, execed, or is traced by another), INTERRUPTED (resumed already)
 * Must be called, like resume, from the thread that opened the target.
 */
struct hf_err *hf_target_stop(struct hf_target *t) HF_CHECKED;
void hf_target_resume(struct hf_target *t); /* on every path; harmless twice */

/* While stopped: runs fn in the thread that traces the target, and returns when it has ended.
 * Errors: UNSUPPORTED (nothing is traced by us: a core, a debugger's process, one that runs) */
struct hf_err *hf_target_in_tracer(struct hf_target *t, hf_tracer_fn *fn, void *arg) HF_CHECKED;

/* The shortest stop there is: stops every thread, runs fn in the thread that traces them, and resumes them at once,
 * without a turn of the calling thread, which may have to wait for a processor. t->threads are those of this stop; maps,
 * and what was captured, stay as they were.
 * Errors: as hf_target_stop (fn did not run); UNSUPPORTED (not ours to trace: a core, a debugger's process) */
struct hf_err *hf_target_in_stop(struct hf_target *t, hf_tracer_fn *fn, void *arg) HF_CHECKED;

/* Reads what is there at this moment, stopped or not, past what was captured; keeps nothing. At most 64 KiB.
 * Errors: FAULT, TARGET (it is gone) */
struct hf_err *hf_target_read_now(struct hf_target *t, uint64_t addr, void *buf, size_t len) HF_CHECKED;

/* While stopped: copies ranges of the target here, in bulk, so that they can be read after resume. What an earlier
 * stop captured is dropped by the next one.
 *
 * ranges  borrowed; any order, may overlap; parts that are not mapped are passed over without a word.
 * Never touches what is not in memory: untouched anonymous pages read as zeros, file pages come from the file, pages
 * on swap are left out, counted in one warning, and make the target incomplete (reading them: STALE).
 * Pages that a read needs while stopped are captured around it as by this function.
 * Errors: TARGET (it is gone), NOMEM (a copy would leave the machine, or our cgroup, too little memory), INTERRUPTED
 * (resumed already).     Cost: a pread a run of resident pages, up to 1 MiB each.
 */
struct hf_err *hf_target_capture(struct hf_target *t, const struct hf_range *ranges, size_t n) HF_CHECKED;

/* Reads exactly len bytes. Errors: FAULT (not mapped, not readable, not in the core), STALE (resumed, and not
 * captured before) (addr: the first byte that cannot be had). Thread-safe once resumed. */
struct hf_err *hf_target_read(struct hf_target *t, uint64_t addr, void *buf, size_t len) HF_CHECKED;
struct hf_err *hf_target_read_u64(struct hf_target *t, uint64_t addr, uint64_t *ret) HF_CHECKED;
struct hf_err *hf_target_read_u32(struct hf_target *t, uint64_t addr, uint32_t *ret) HF_CHECKED;
struct hf_err *hf_target_read_u8(struct hf_target *t, uint64_t addr, uint8_t *ret) HF_CHECKED;

/* Reads what is there at this moment, stopped or not, whatever was captured; at most 64 KiB of one mapping. As hf_target_read
 * where the target cannot move on. Errors: FAULT (maps are as of the opening or the last stop), TARGET (it is gone) */
struct hf_err *hf_target_reread(struct hf_target *t, uint64_t addr, void *buf, size_t len) HF_CHECKED;

/* Reads a string that was not captured: what `holder`, the address of its pointer and length, leads to at this moment,
 * if that is the very same as in the capture, before and after. The string is then held all the while, so its bytes
 * are what they were; nothing is stopped for it.
 * Errors: STALE (the holder leads elsewhere by now), FAULT, TARGET (it is gone). */
struct hf_err *hf_target_reread_held(struct hf_target *t, uint64_t holder, uint64_t addr, uint64_t whole_len,
				     void *buf, size_t len) HF_CHECKED;

/* Bytes of [addr, addr+len), without a copy where they lie together here, else copied into *scratch (grown as
 * needed; zero-initialised at first; caller frees scratch->at by hf_vec_deinit).
 * ret  valid until the next call with this scratch, or close.   Errors: as hf_target_read; FAULT, too, for more than
 * 1 GiB at once (a damaged length); NOMEM. */
struct hf_scratch {
	uint8_t *at;
	size_t n, cap;
};
struct hf_err *hf_target_get(struct hf_target *t, uint64_t addr, size_t len, struct hf_scratch *scratch,
			     const void **ret) HF_CHECKED;

/* Local bytes of [addr, addr+len), valid until close or the next stop; NULL where they do not lie together here, or were
 * not captured. Thread-safe once resumed. */
const void *hf_target_view(struct hf_target *t, uint64_t addr, size_t len);

/* The mapping that holds addr, or NULL. Valid until the next stop. */
const struct hf_map *hf_target_find_map(const struct hf_target *t, uint64_t addr);

/* Opens the file behind a mapping (executables by /proc/PID/exe or map_files, so that deleted or replaced ones work;
 * otherwise by /proc/PID/root; a core's by path, if the build-id agrees). Caller closes.
 * Errors: IO, TARGET (the file is gone, or another one now) */
struct hf_err *hf_target_open_file(struct hf_target *t, const struct hf_map *map, int *ret) HF_CHECKED;

/* The value of an auxiliary vector entry (AT_ENTRY, AT_PHDR...); false where there is none. */
bool hf_target_auxv(const struct hf_target *t, uint64_t type, uint64_t *ret);

/* Notes what makes answers less than whole: one line; set incomplete where something asked for is missing. */
void hf_target_warn(struct hf_target *t, bool incomplete, const char *fmt, ...) HF_PRINTF(3, 4);

#endif
