/* A live process: what the live_*.c files share.
 *
 *   live_open.c   which process may be opened, and what to say where it may not
 *   live_stop.c   stop and resume: the tracer's thread
 *   live_held.c   the same where a debugger has stopped the process already
 *   live_image.c  what was captured: mirrored memory and its bitmaps
 *   live_pages.c  which pages are in memory, and their bytes
 *   live_capture.c  from ranges to pages to the image
 *   live_prepare.c  memory set aside before the stop
 *   live_file.c   the files behind mappings
 *   live.c        the vtable
 */
#ifndef HF_LIVE_H
#define HF_LIVE_H

#include "target.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct hf_tracer;
struct hf_image;

/* Why bytes that were asked for could not be had. */
enum hf_lost {
	HF_LOST_SWAPPED,
	HF_LOST_REMOTE, /* FUSE, NFS and their like: asking may block while everything is stopped */
	HF_LOST_FILE,   /* neither in memory nor in a file that we may open */
	HF_LOST_DEVICE,
	HF_LOST_BROKEN, /* the kernel says no: guard pages, secret or poisoned memory */
	HF_LOST_REASONS,
};

/* A file behind a mapping, kept open for the pages that are not in memory. */
struct hf_live_file {
	uint64_t dev, inode;
	int fd; /* -1: cannot be opened */
};

struct hf_live {
	pid_t pid;
	int proc_fd; /* /proc/PID */
	int task_fd; /* the same, or /proc/PID/task/TID of a living thread where the leader has ended */
	int pid_fd;  /* -1 where the kernel has none */
	int mem_fd, pagemap_fd;   /* pagemap: -1 where it may not be read */
	uint64_t start;           /* of the process, ticks since boot: a reused pid has another */
	bool our_child;           /* its end is our caller's to wait for */
	bool no_scan;             /* the kernel has no PAGEMAP_SCAN (Linux 6.7): pagemap is read instead */
	struct hf_tracer *tracer; /* while stopped */
	bool held;                /* a debugger stopped it, for as long as we are open: never traced by us */
	HF_VEC(struct hf_thread) held_threads; /* as the debugger gave them */
	sigset_t old_mask;                     /* the caller's, while stopped */
	struct hf_image *image;                /* of the last stop; NULL before the first */
	struct hf_image *prepared; /* mirrors for the next stop: memory of ours, nothing captured; or NULL */
	uint64_t set_aside;        /* bytes of it, or of the image's, that are ours already */
	pthread_mutex_t lock;      /* reads that miss the image; files; lost */
	HF_VEC(struct hf_live_file) files;
	bool mounts_read;
	HF_VEC(uint64_t) remote_devs;           /* mounted file systems that may block */
	_Atomic uint64_t lost[HF_LOST_REASONS]; /* bytes, since the last stop */
	_Atomic uint64_t told[HF_LOST_REASONS]; /* what the warnings said so far */
	bool pagemap_told;
};

/* ---- live_open.c ---- */

/* Opens the descriptors of a process that may be opened. Errors: as hf_target_open_pid. */
struct hf_err *hf_live_open_fds(struct hf_live *live) HF_CHECKED;
/* "reading process 12 of user 1000 needs CAP_SYS_PTRACE...": a NOTPERM error that says what is missing. */
struct hf_err *hf_live_not_permitted(const struct hf_live *live) HF_CHECKED;
/* Errors: TARGET where the process has ended, or (mem_fd) its memory was replaced by an exec. */
struct hf_err *hf_live_check_same(const struct hf_live *live) HF_CHECKED;
struct hf_err *hf_live_check_memory(const struct hf_target *t) HF_CHECKED;
/* TARGET error that names who traces a thread. */
struct hf_err *hf_live_traced_by(pid_t tid, pid_t tracer) HF_CHECKED;

/* ---- live_stop.c ---- */

/* Stops all threads; t->threads is filled. On error everything runs. */
struct hf_err *hf_live_stop_threads(struct hf_target *t) HF_CHECKED;
void hf_live_resume_threads(struct hf_target *t);
/* As hf_target_in_tracer. */
struct hf_err *hf_live_in_tracer(struct hf_target *t, hf_tracer_fn *fn, void *arg) HF_CHECKED;
/* As hf_target_in_stop. */
struct hf_err *hf_live_in_stop(struct hf_target *t, hf_tracer_fn *fn, void *arg) HF_CHECKED;

/* ---- live.c ---- */

/* Makes t, of which pid and threads are set, a live target that is held. Errors: as hf_target_open_host. */
struct hf_err *hf_live_open_held(struct hf_target *t) HF_CHECKED;

/* ---- live_held.c ---- */

/* As hf_live_stop_threads, but only looks. Errors: TARGET (a thread runs, or the process has ended). */
struct hf_err *hf_live_hold_threads(struct hf_target *t) HF_CHECKED;

/* ---- live_pages.c ---- */

enum hf_run_state {
	HF_RUN_PRESENT,
	HF_RUN_SWAPPED, /* or, until hf_live_rescan says so, one of the others: the kernel is moving it, or a guard */
	HF_RUN_GUARD, /* MADV_GUARD_INSTALL: the target itself cannot touch it */
};
struct hf_page_run {
	uint64_t start, end;
	enum hf_run_state state;
};
struct hf_page_runs {
	struct hf_page_run *at;
	size_t n, cap;
};

/* How the bytes of a mapping come to be. */
enum hf_map_kind {
	HF_MAP_ANON,   /* what is not there is zero */
	HF_MAP_FILE,   /* what is not there is in a file */
	HF_MAP_WHOLE,  /* always there: the vdso */
	HF_MAP_DEVICE, /* reading may have effects, or block: never */
	HF_MAP_NEVER,  /* the kernel's own business: vvar, vsyscall */
};
enum hf_map_kind hf_map_kind(const struct hf_map *map);

/* Appends the runs of pages of [start, end), in one mapping, that are not holes.
 * Touches nothing. Errors: NOMEM, TARGET (it is gone). */
struct hf_err *hf_live_scan(struct hf_live *live, const struct hf_map *map, uint64_t start, uint64_t end,
			    struct hf_page_runs *ret) HF_CHECKED;
/* The same for what hf_live_scan found swapped; slower, and sure. */
struct hf_err *hf_live_rescan(struct hf_live *live, uint64_t start, uint64_t end, struct hf_page_runs *ret)
	HF_CHECKED;
/* Copies pages, of which all should be present. bad  is called for each page that cannot be read.
 * Errors: TARGET (it is gone). */
typedef void hf_bad_page_fn(void *arg, uint64_t addr);
struct hf_err *hf_live_copy(struct hf_live *live, uint64_t addr, void *buf, size_t len, hf_bad_page_fn *bad,
			    void *arg) HF_CHECKED;

/* ---- live_file.c ---- */

struct hf_err *hf_live_open_file(struct hf_target *t, const struct hf_map *map, int *ret) HF_CHECKED;
/* Reads a mapping's bytes from its file; *ret is what was lost and why (0 bytes: all is there). Bytes past the end of
 * the file do not exist: zero. Needs live->lock. */
struct hf_err *hf_live_read_file(struct hf_target *t, const struct hf_map *map, uint64_t addr, void *buf,
				 size_t len, enum hf_lost *reason, bool *ret) HF_CHECKED;

/* ---- live_image.c ---- */

/* At most 4 GiB of adjacent readable mappings, and their mirror here, made when first needed. */
struct hf_region {
	uint64_t start, end;
	_Atomic(uint8_t *) bytes;             /* end - start, zero where not captured */
	_Atomic(_Atomic uint64_t *) captured; /* a bit a page; set after `bytes` */
	_Atomic uint64_t *lost; /* a bit a page: asked for, and not to be had; follows `captured` */
	atomic_bool zeros;      /* captured, and all of it untouched: neither bytes nor bits are kept */
};

struct hf_image {
	struct hf_region *regions; /* ascending */
	size_t n;
};

struct hf_err *hf_image_create(const struct hf_target *t, struct hf_image **ret) HF_CHECKED;
void hf_image_destroy(struct hf_image *image); /* takes NULL */
void hf_image_destroy_p(struct hf_image **image);
struct hf_region *hf_image_find(const struct hf_image *image, uint64_t addr); /* NULL: none */
/* Makes the mirror of a region. Errors: NOMEM. Needs live->lock, or that no other thread is at work. */
struct hf_err *hf_region_reserve(struct hf_region *r) HF_CHECKED;
const void *hf_image_view(const struct hf_image *image, uint64_t addr, size_t len);
/* Copies as much as is captured from addr on, at most len bytes; returns how much. */
size_t hf_image_read(const struct hf_image *image, uint64_t addr, void *buf, size_t len);
/* Pages from addr on, up to end, that are all captured (or lost), or all not; returns where that ends. */
uint64_t hf_region_run(const struct hf_region *r, uint64_t addr, uint64_t end, bool *ret_known);
/* Marks pages as captured, but for those that are lost. */
void hf_region_mark(struct hf_region *r, uint64_t start, uint64_t end);
/* Marks a page as lost; true where it was not so before. */
bool hf_region_lose(struct hf_region *r, uint64_t addr);

/* ---- live_capture.c ---- */

/* Captures page-aligned ranges into live->image. Needs live->lock. Errors: as hf_target_capture. */
struct hf_err *hf_live_capture(struct hf_target *t, const struct hf_range *ranges, size_t n) HF_CHECKED;
/* Reads past the image, as the memory is now; of one mapping. */
struct hf_err *hf_live_read_now(struct hf_target *t, const struct hf_map *map, uint64_t addr, void *buf,
				size_t len) HF_CHECKED;
/* Sets memory aside for the next stop's image. Errors: as hf_target_prepare. */
struct hf_err *hf_live_prepare(struct hf_target *t, const struct hf_range *ranges, size_t n) HF_CHECKED;
/* Hands what was set aside to the regions of a fresh image, and drops the rest. */
void hf_live_adopt_prepared(struct hf_live *live);
/* Whole pages, in order, without overlap. to  appended to. Errors: NOMEM. */
struct hf_ranges {
	struct hf_range *at;
	size_t n, cap;
};
struct hf_err *hf_ranges_normalise(const struct hf_range *ranges, size_t n, struct hf_ranges *to) HF_CHECKED;
/* One warning for each new reason why something is missing. From the thread that opened the target. */
void hf_live_tell_lost(struct hf_target *t);

#endif
