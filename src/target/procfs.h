/* Small files of /proc. Failures are errno values, not hf_err: what ENOENT or EACCES means only the caller can say. */
#ifndef HF_PROCFS_H
#define HF_PROCFS_H

#include "../base/base.h"
#include "../base/str.h"

#include <sys/types.h>

/* Reads a file whole. dir_fd  as for openat.   ret  replaced; caller frees.   Returns 0 or an errno value. */
int hf_proc_read(int dir_fd, const char *name, struct hf_str *ret);

/* The first (or last) number of the line "key:\t..." of a status file; false where there is none. */
bool hf_proc_first_number(const char *status, const char *key, uint64_t *ret);
bool hf_proc_last_number(const char *status, const char *key, uint64_t *ret);

struct hf_proc_stat {
	char state; /* 'R', 'S', 'D', 'T', 't', 'Z', 'X' */
	pid_t parent;
	uint64_t flags; /* PF_... */
	uint64_t start; /* ticks since boot */
};

/* What a stat file says; returns 0 or an errno value (EINVAL where it says something else). */
int hf_proc_stat(int dir_fd, const char *name, struct hf_proc_stat *ret);

/* The name in a comm file, each byte that is not printable ASCII as '?'; "?" where unknown. buf of 16 or more. */
const char *hf_proc_comm(int dir_fd, const char *name, char *buf, size_t len);

#endif
