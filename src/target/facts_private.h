/* Inside of facts*.c, and what their tests need. */
#ifndef HF_FACTS_PRIVATE_H
#define HF_FACTS_PRIVATE_H

#include "facts.h"

/* As hf_facts_read, with root before every absolute path ("" is the real system). For a test's tree of
 * files. */
struct hf_err *hf_facts_read_under(const char *root, pid_t pid, int proc_fd, struct hf_facts **ret)
	HF_CHECKED;

/* The cgroup's part: fills in facts->cgroup_*. Errors: NOMEM. */
struct hf_err *hf_facts_read_cgroup(const char *root, int proc_fd, struct hf_facts *facts) HF_CHECKED;

/* A small file as text, up to a bound; false (and ret is "") where it cannot be read. dir_fd as for
 * openat. */
bool hf_facts_read_text(int dir_fd, const char *name, struct hf_str *ret);

/* The number after "key" at the beginning of a line, and spaces or a colon; HF_UNKNOWN where there is
 * none. */
uint64_t hf_facts_find_number(const char *text, const char *key);

/* A whole string that is a number: decimal, or "max" (HF_NOLIMIT); HF_UNKNOWN where it is neither. */
uint64_t hf_facts_number(const char *text);

/* Sets one of the facts' strings. Errors: NOMEM. */
struct hf_err *hf_facts_set_text(char **text, const char *value, size_t n) HF_CHECKED;

#endif
