#define _GNU_SOURCE
#include "busy.h"
#include "live.h"
#include "procfs.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct hf_err *hf_target_cpu_time(struct hf_target *t, double *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	const struct hf_live *live = t->arg;
	unsigned long long user, system;
	const char *end;

	if (strcmp(t->ops->kind, "live") != 0)
		return hf_err(HF_UNSUPPORTED, "%s is no process of this machine", t->label);
	if (hf_proc_read(live->proc_fd, "stat", &text))
		return hf_err(HF_TARGET, "%s has ended", t->label);
	/* The name may hold anything. Source: proc(5), fields 14 and 15; the state is field 3. */
	end = strrchr(hf_str_get(&text), ')');
	if (!end ||
	    sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return hf_err(HF_TARGET, "what the system says of %s makes no sense", t->label);
	*ret = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	return NULL;
}

uint64_t hf_target_processors(const struct hf_target *t)
{
	cpu_set_t set;

	/* Of more than 1024 processors the set is too small: then it is not known. */
	if (strcmp(t->ops->kind, "live") != 0 || sched_getaffinity(t->pid, sizeof(set), &set))
		return HF_UNKNOWN;
	return (uint64_t)CPU_COUNT(&set);
}
