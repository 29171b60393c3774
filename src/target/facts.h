/* What the system, not the memory, says of a process: cgroup figures, smaps totals, threads, times.
 *
 * Live: read from /proc and /sys/fs/cgroup (no stop needed; none of it harms). Core: from the note that our snap
 * writes; unknown (HF_UNKNOWN, "", 0 counts) in a foreign core.
 */
#ifndef HF_FACTS_H
#define HF_FACTS_H

#include "../base/base.h"
#include "../base/str.h"

#include <sys/types.h>

/* name, text for people. Every number of a process's facts, in the order of the note. Bytes, unless said. */
#define HF_FACTS(X)                                                                                          \
	X(cgroup_version, "cgroup version")                                                                  \
	X(cgroup_current, "charged now")                                                                     \
	X(cgroup_peak, "peak")                                                                               \
	X(cgroup_high, "high")                                                                               \
	X(cgroup_max, "limit")                                                                               \
	X(cgroup_swap, "swap")                                                                               \
	X(cgroup_swap_max, "swap limit")                                                                     \
	X(cgroup_anon, "anonymous")                                                                          \
	X(cgroup_file, "page cache")                                                                         \
	X(cgroup_inactive_file, "page cache, inactive")                                                      \
	X(cgroup_dirty, "page cache, dirty")                                                                 \
	X(cgroup_writeback, "page cache, being written")                                                     \
	X(cgroup_shmem, "tmpfs and shared memory")                                                           \
	X(cgroup_kernel, "kernel")                                                                           \
	X(cgroup_slab, "kernel slab")                                                                        \
	X(cgroup_sock, "socket buffers")                                                                     \
	X(cgroup_events_high, "times above high")                                                            \
	X(cgroup_events_max, "times at the limit")                                                           \
	X(cgroup_events_oom, "out-of-memory events")                                                         \
	X(cgroup_events_oom_kill, "processes killed")                                                        \
	X(cgroup_procs, "processes in the cgroup")                                                           \
	X(rss, "resident")                                                                                   \
	X(rss_anon, "resident, anonymous")                                                                   \
	X(rss_file, "resident, files")                                                                       \
	X(rss_shmem, "resident, shared memory")                                                              \
	X(peak_rss, "peak resident")                                                                         \
	X(pss, "proportional")                                                                               \
	X(private_dirty, "private dirty")                                                                    \
	X(shared_dirty, "shared dirty")                                                                      \
	X(lazy_free, "lazily freed")                                                                         \
	X(anon_huge, "huge pages")                                                                           \
	X(swap, "on swap")                                                                                   \
	X(locked, "locked")                                                                                  \
	X(page_tables, "page tables")                                                                        \
	X(virtual_size, "address space")                                                                     \
	X(threads, "threads")                                                                                \
	X(thread_stacks, "thread stacks, resident")                                                          \
	X(uid, "user")                                                                                       \
	X(ns_pid, "pid in its namespace")

struct hf_facts {
#define HF_FACT_FIELD(name, text) uint64_t name;
	HF_FACTS(HF_FACT_FIELD)
#undef HF_FACT_FIELD
	pid_t pid;
	double taken_at;   /* unix time of the reading; of the stop in a snap. 0: unknown */
	double started_at; /* unix time of the process's start; 0: unknown */
	char *comm, *exe, *cmdline, *cgroup_path, *hostname; /* "" where unknown */
	char *tool_version;                                  /* what wrote the note; "" in a live process */
};

/* Reads the facts of a live process. Whatever cannot be read is unknown; that is no error.
 * pid  of our namespace; proc_fd  an open directory /proc/PID.    ret  caller frees with hf_facts_destroy.
 * Errors: NOMEM. Cost: some twenty small files; smaps_rollup walks the page tables (some ms per GB), so call it
 * outside the stop. */
struct hf_err *hf_facts_read(pid_t pid, int proc_fd, struct hf_facts **ret) HF_CHECKED;

/* Facts that say nothing. Errors: NOMEM. */
struct hf_err *hf_facts_unknown(struct hf_facts **ret) HF_CHECKED;

/* As the text of a core's note ("key value\n" lines, values escaped), and back. Unknown keys are passed over,
 * missing ones are unknown; hostile text gives BADDATA or unknown values, never more than len bytes' work. */
struct hf_err *hf_facts_print(const struct hf_facts *facts, struct hf_str *ret) HF_CHECKED;
struct hf_err *hf_facts_parse(const char *text, size_t len, struct hf_facts **ret) HF_CHECKED;

void hf_facts_destroy(struct hf_facts *facts); /* takes NULL */

/* Where the number of a known fact stands: text for people and value, in the order above; NULL past the end. */
const char *hf_facts_name(size_t i);  /* "cgroup_current" */
const char *hf_facts_label(size_t i); /* "charged now" */
uint64_t hf_facts_value(const struct hf_facts *facts, size_t i);

#endif
