/* A process that a debugger holds stopped: no ptrace of ours, which would be refused. Registers come from the debugger;
 * all else is as in a process that we stop. */
#define _GNU_SOURCE
#include "live.h"
#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct hf_thread *find_given(const struct hf_live *live, pid_t tid)
{
	hf_vec_each(&live->held_threads, given)
		if (given->tid == tid)
			return given;
	return NULL;
}

/* Adds a thread, which must stand still. */
static struct hf_err *add_thread(struct hf_target *t, pid_t tid)
{
	const struct hf_live *live = t->arg;
	const struct hf_thread *given = find_given(live, tid);
	struct hf_thread thread = given ? *given : (struct hf_thread){.state = HF_THREAD_STUCK};
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	struct hf_proc_stat stat;
	uint64_t ns_tid;
	char path[64];

	thread.tid = thread.ns_tid = tid;
	snprintf(path, sizeof(path), "task/%d/stat", tid);
	if (hf_proc_stat(live->proc_fd, path, &stat))
		return NULL; /* has ended */
	if (stat.state == 'Z' || stat.state == 'X') {
		thread.state = HF_THREAD_ZOMBIE;
		t->pause.zombies++;
	} else if (stat.state != 't' && stat.state != 'T') {
		return hf_err(HF_TARGET, "thread %d of %s runs: interrupt all threads first", tid, t->label);
	}
	snprintf(path, sizeof(path), "task/%d/status", tid);
	if (!hf_proc_read(live->proc_fd, path, &status) &&
	    hf_proc_last_number(hf_str_get(&status), "NSpid", &ns_tid))
		thread.ns_tid = (pid_t)ns_tid;
	snprintf(path, sizeof(path), "task/%d/comm", tid);
	hf_proc_comm(live->proc_fd, path, thread.name, sizeof(thread.name));
	if (thread.state == HF_THREAD_STUCK) {
		t->pause.stuck++;
		hf_target_warn(t, true, "the debugger gives no registers of thread %d (%s)", tid,
			       thread.name);
	}
	return hf_vec_push(&t->threads, thread);
}

struct hf_err *hf_live_hold_threads(struct hf_target *t)
{
	const struct hf_live *live = t->arg;
	int fd = openat(live->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	struct hf_err *err = NULL;

	if (!dir) {
		hf_close_p(&fd);
		return hf_err(HF_TARGET, "process %d has ended", live->pid);
	}
	t->threads.n = 0;
	t->pause.stuck = t->pause.zombies = 0;
	while (!err && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0)
			err = add_thread(t, tid);
	}
	closedir(dir);
	HF_TRY(err);
	return t->threads.n ? hf_live_check_memory(t) : hf_err(HF_TARGET, "%s has ended", t->label);
}
