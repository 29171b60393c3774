/* Stop and resume.
 *
 * The tracer is a thread of its own, that lives from stop to resume. ptrace belongs to a thread, and the kernel lets go
 * of all that a thread traces when it ends: so a thread of the target that did not stop in time, and cannot be detached
 * for that (it sleeps in the kernel, in D state or vfork), does not stay seized; and the tracer's end by kill -9 is no
 * special case. PTRACE_O_EXITKILL is never set.
 *
 * Stops are looked at (WNOWAIT), not taken: where a thread was caught as a signal was delivered to it, the signal stays
 * with the thread, and reaches it also when we die before we detach.
 */
#define _GNU_SOURCE
#include "live.h"

#include "../base/map64.h"
#include "../base/workers.h"
#include "procfs.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 1.0

enum task_state {
	TASK_SEEN,   /* in the list, not yet touched */
	TASK_SEIZED, /* traced, running, asked to stop */
	TASK_STOPPED,
	TASK_ZOMBIE,
	TASK_GONE,
};

struct task {
	enum task_state state;
	int signal; /* caught at its delivery: goes on with the detach; 0: none */
	struct hf_thread thread;
};

struct hf_tracer {
	struct hf_live *live;
	HF_VEC(struct task) tasks;
	struct hf_map64 index; /* tid -> tasks */
	pthread_t thread;
	sem_t stopped, release, done;
	struct hf_err *err; /* of the stop */
	hf_tracer_fn *job;  /* to run before the release; NULL: none */
	void *job_arg;
	struct hf_target *
		at_once; /* job runs as soon as all stand still, and is all there is to do; NULL: no such job */
	double began, seconds;
};

/* Adds a thread with what /proc says of it, unless it is known. The first list is made before the stop, so that this
 * costs no pause. */
static struct hf_err *add_task(struct hf_tracer *tr, pid_t tid)
{
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	struct task task = {.thread = {.tid = tid, .ns_tid = tid, .state = HF_THREAD_RUNNING}};
	uint64_t known, ns_tid;
	char path[64];

	if (hf_map64_find(&tr->index, (uint64_t)tid, &known))
		return NULL;
	snprintf(path, sizeof(path), "task/%d/status", tid);
	if (!hf_proc_read(tr->live->proc_fd, path, &status) &&
	    hf_proc_last_number(hf_str_get(&status), "NSpid", &ns_tid))
		task.thread.ns_tid = (pid_t)ns_tid;
	snprintf(path, sizeof(path), "task/%d/comm", tid);
	hf_proc_comm(tr->live->proc_fd, path, task.thread.name, sizeof(task.thread.name));
	HF_TRY(hf_map64_put(&tr->index, (uint64_t)tid, tr->tasks.n));
	return hf_vec_push(&tr->tasks, task);
}

static struct hf_err *list_tasks(struct hf_tracer *tr)
{
	int fd = openat(tr->live->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	struct hf_err *err = NULL;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return hf_err(HF_TARGET, "process %d has ended", tr->live->pid);
	}
	while (!err && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0)
			err = add_task(tr, tid);
	}
	closedir(dir);
	return err;
}

/* Why a thread could not be seized: it has ended, or someone else traces it, or we may not. */
static struct hf_err *explain_seize(struct hf_tracer *tr, struct task *task, int failed)
{
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	struct hf_proc_stat stat;
	uint64_t by = 0;
	char path[64];

	snprintf(path, sizeof(path), "task/%d/stat", task->thread.tid);
	if (failed == ESRCH || hf_proc_stat(tr->live->proc_fd, path, &stat)) {
		task->state = TASK_GONE;
		return NULL;
	}
	if (stat.state == 'Z' || stat.state == 'X') {
		task->state = TASK_ZOMBIE;
		return NULL;
	}
	snprintf(path, sizeof(path), "task/%d/status", task->thread.tid);
	if (!hf_proc_read(tr->live->proc_fd, path, &status))
		hf_proc_first_number(hf_str_get(&status), "TracerPid", &by);
	if (by)
		return hf_live_traced_by(task->thread.tid, (pid_t)by);
	/* It was about to end, and another thread, that executes a program, has taken over its number. */
	if (!ptrace(PTRACE_SEIZE, task->thread.tid, NULL, NULL))
		return NULL;
	return hf_live_not_permitted(tr->live);
}

/* Seizes what is new, then asks it to stop: the pause begins with the first asked. */
static struct hf_err *seize_new(struct hf_tracer *tr, bool *ret_found)
{
	size_t first = 0;

	*ret_found = false;
	while (first < tr->tasks.n && tr->tasks.at[first].state != TASK_SEEN)
		first++;
	for (size_t i = first; i < tr->tasks.n; i++) {
		struct task *task = &tr->tasks.at[i];

		*ret_found = true;
		task->state = TASK_SEIZED;
		if (ptrace(PTRACE_SEIZE, task->thread.tid, NULL, NULL))
			HF_TRY(explain_seize(tr, task, errno));
	}
	/* Only now is it sure that the numbers are those of our process, and stay so. */
	if (*ret_found)
		HF_TRY(hf_live_check_same(tr->live));
	if (tr->began == 0)
		tr->began = hf_now();
	for (size_t i = first; i < tr->tasks.n; i++)
		if (tr->tasks.at[i].state == TASK_SEIZED &&
		    ptrace(PTRACE_INTERRUPT, tr->tasks.at[i].thread.tid, NULL, NULL))
			tr->tasks.at[i].state = TASK_GONE;
	return NULL;
}

static struct hf_err *read_regs(struct task *task)
{
	uint8_t regs[HF_ARCH_PRSTATUS];
	struct iovec iov = {regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, task->thread.tid, (void *)NT_PRSTATUS, &iov)) {
		task->state = TASK_GONE; /* killed since */
		return NULL;
	}
	task->thread.state = HF_THREAD_STOPPED;
	return hf_err_prefix(hf_arch_regs_decode(regs, iov.iov_len, &task->thread.regs), "thread %d",
			     task->thread.tid);
}

/* Looks whether a thread has stopped, or ended. */
static struct hf_err *poll_task(struct hf_tracer *tr, struct task *task)
{
	bool leader = task->thread.tid == tr->live->pid;
	/* The end of our caller's own child is for the caller to see. */
	int ends = leader && tr->live->our_child ? 0 : WEXITED;
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)task->thread.tid, &info, ends | WSTOPPED | WNOHANG | WNOWAIT | __WALL)) {
		task->state = TASK_GONE;
		return NULL;
	}
	if (!info.si_pid)
		return NULL;
	if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
		task->state = TASK_GONE;
		waitid(P_PID, (id_t)task->thread.tid, &info, WEXITED | WNOHANG | __WALL);
		return NULL;
	}
	task->state = TASK_STOPPED;
	/* An event (PTRACE_EVENT_STOP: ours, or a group-stop) has nothing to deliver; what has none is a signal. */
	task->signal = info.si_status >> 8 ? 0 : info.si_status & 0x7f;
	return read_regs(task);
}

/* Waits until all have stopped, or the deadline. */
static struct hf_err *wait_all(struct hf_tracer *tr, double deadline)
{
	for (long pause_us = 10;; pause_us = hf_min(pause_us * 2, 1000L)) {
		struct timespec pause = {.tv_nsec = pause_us * 1000};
		bool pending = false;

		hf_vec_each(&tr->tasks, task) {
			if (task->state == TASK_SEIZED)
				HF_TRY(poll_task(tr, task));
			pending |= task->state == TASK_SEIZED;
		}
		if (!pending || hf_now() > deadline)
			return NULL;
		HF_TRY(hf_interrupt_check());
		nanosleep(&pause, NULL);
	}
}

static struct hf_err *stop_all(struct hf_tracer *tr)
{
	double deadline = hf_now() + STOP_SECONDS;
	bool found;

	HF_TRY(seize_new(tr, &found));
	do {
		HF_TRY(wait_all(tr, deadline));
		HF_TRY(hf_interrupt_check());
		/* What ran until now may have made more threads. */
		HF_TRY(list_tasks(tr));
		HF_TRY(seize_new(tr, &found));
	} while (found && hf_now() < deadline);
	return found ? wait_all(tr, hf_now() + 0.01) : NULL;
}

/* What was reached, for everyone else to see. */
static struct hf_err *publish_threads(struct hf_target *t, const struct hf_tracer *tr)
{
	struct hf_str stuck = {0};
	unsigned n = 0;

	t->threads.n = 0;
	HF_TRY(hf_vec_reserve(&t->threads, tr->tasks.n));
	hf_vec_each(&tr->tasks, task) {
		struct hf_thread thread = task->thread;

		if (task->state == TASK_GONE || task->state == TASK_SEEN)
			continue;
		if (task->state == TASK_ZOMBIE) {
			thread.state = HF_THREAD_ZOMBIE;
			t->pause.zombies++;
		}
		if (task->state == TASK_SEIZED) {
			thread.state = HF_THREAD_STUCK;
			t->pause.stuck++;
			if (n++ < 8)
				hf_str_addf(&stuck, "%s%d (%s)", n > 1 ? ", " : "", thread.tid, thread.name);
		}
		t->threads.at[t->threads.n++] = thread;
	}
	if (n)
		hf_target_warn(t, true, "%u of %zu threads did not stop within a second and ran on: %s%s", n,
			       t->threads.n, hf_str_get(&stuck), n > 8 ? ", ..." : "");
	hf_str_deinit(&stuck);
	if (!t->threads.n)
		return hf_err(HF_TARGET, "%s has ended", t->label);
	return hf_live_check_memory(t);
}

/* Lets everything go; what cannot be detached goes when this thread ends. */
static void release_all(struct hf_tracer *tr)
{
	hf_vec_each(&tr->tasks, task) {
		if (task->state == TASK_SEIZED)
			hf_err_ignore(poll_task(tr, task));
		if (task->state == TASK_STOPPED)
			ptrace(PTRACE_DETACH, task->thread.tid, NULL, (void *)(intptr_t)task->signal);
	}
	if (tr->began > 0)
		tr->seconds = hf_now() - tr->began;
}

/* The pause ends when the last thread is let go: those that run again already, and whoever else is busy, must not keep
 * us from it (with a thousand busy threads that takes seconds). Best effort: needs CAP_SYS_NICE. */
static void hurry(void)
{
	struct sched_param first = {.sched_priority = 1};

	prctl(PR_SET_TIMERSLACK, 1); /* sleeps of microseconds, not of 50 more */
	if (pthread_setschedparam(pthread_self(), SCHED_RR, &first))
		setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
}

static void *trace(void *arg)
{
	struct hf_tracer *tr = arg;

	hurry();
	tr->err = list_tasks(tr);
	if (!tr->err)
		tr->err = stop_all(tr);
	if (!tr->err && tr->at_once) {
		tr->err = publish_threads(tr->at_once, tr);
		if (!tr->err)
			tr->job(tr->job_arg);
	}
	if (tr->err || tr->at_once) {
		release_all(tr);
		sem_post(&tr->stopped);
		return NULL;
	}
	sem_post(&tr->stopped);
	for (;;) {
		while (sem_wait(&tr->release) && errno == EINTR)
			;
		if (!tr->job)
			break;
		tr->job(tr->job_arg);
		tr->job = NULL;
		sem_post(&tr->done);
	}
	release_all(tr);
	return NULL;
}

static void tracer_destroy(struct hf_tracer *tr)
{
	hf_vec_deinit(&tr->tasks);
	hf_map64_deinit(&tr->index);
	sem_destroy(&tr->stopped);
	sem_destroy(&tr->release);
	sem_destroy(&tr->done);
	hf_free(tr);
}

/* The caller must not be stopped while it holds the target, so not by the terminal either; all signals of the tracer
 * are the caller's. */
static struct hf_err *start_tracer(struct hf_live *live, struct hf_tracer *tr)
{
	sigset_t all, terminal;
	int failed;

	sigemptyset(&terminal);
	sigaddset(&terminal, SIGTSTP);
	sigaddset(&terminal, SIGTTIN);
	sigaddset(&terminal, SIGTTOU);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &live->old_mask);
	failed = pthread_create(&tr->thread, NULL, trace, tr);
	pthread_sigmask(SIG_SETMASK, &live->old_mask, NULL);
	if (failed)
		return hf_err(HF_NOMEM, "no thread for the tracer: %s", strerror(failed));
	pthread_sigmask(SIG_BLOCK, &terminal, NULL);
	while (sem_wait(&tr->stopped) && errno == EINTR)
		;
	return NULL;
}

static void finish(struct hf_target *t, struct hf_tracer *tr)
{
	struct hf_live *live = t->arg;

	pthread_join(tr->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &live->old_mask, NULL);
	t->pause.stopped_s += tr->seconds;
	live->tracer = NULL;
	hf_vec_each(&t->threads, thread)
		thread->state = thread->state == HF_THREAD_ZOMBIE ? HF_THREAD_ZOMBIE : HF_THREAD_RUNNING;
	tracer_destroy(tr);
}

static struct hf_tracer *tracer_create(struct hf_live *live)
{
	struct hf_tracer *tr = hf_calloc(1, sizeof(*tr));

	if (!tr)
		return NULL;
	tr->live = live;
	sem_init(&tr->stopped, 0, 0);
	sem_init(&tr->release, 0, 0);
	sem_init(&tr->done, 0, 0);
	return tr;
}

struct hf_err *hf_live_stop_threads(struct hf_target *t)
{
	struct hf_live *live = t->arg;
	struct hf_tracer *tr = tracer_create(live);
	struct hf_err *err;

	if (!tr)
		return hf_err_nomem();
	err = start_tracer(live, tr);
	if (err) {
		tracer_destroy(tr);
		return err;
	}
	err = take_ptr(tr->err);
	if (err) {
		finish(t, tr);
		return err;
	}
	live->tracer = tr;
	t->pause.stops++;
	err = publish_threads(t, tr);
	if (err)
		hf_live_resume_threads(t);
	return err;
}

void hf_live_resume_threads(struct hf_target *t)
{
	struct hf_live *live = t->arg;

	if (!live->tracer)
		return;
	sem_post(&live->tracer->release);
	finish(t, live->tracer);
}

struct hf_err *hf_live_in_tracer(struct hf_target *t, hf_tracer_fn *fn, void *arg)
{
	struct hf_live *live = t->arg;
	struct hf_tracer *tr = live->tracer;

	if (!tr)
		return hf_err(HF_UNSUPPORTED, "%s is not traced by us", t->label);
	tr->job_arg = arg;
	tr->job = fn;
	sem_post(&tr->release);
	while (sem_wait(&tr->done) && errno == EINTR)
		;
	return NULL;
}

struct hf_err *hf_live_in_stop(struct hf_target *t, hf_tracer_fn *fn, void *arg)
{
	struct hf_live *live = t->arg;
	struct hf_tracer *tr;
	struct hf_err *err;

	if (live->held)
		return hf_err(HF_UNSUPPORTED, "%s is not traced by us", t->label);
	tr = tracer_create(live);
	if (!tr)
		return hf_err_nomem();
	tr->job = fn;
	tr->job_arg = arg;
	tr->at_once = t;
	err = start_tracer(live, tr);
	if (err) {
		tracer_destroy(tr);
		return err;
	}
	err = take_ptr(tr->err);
	t->pause.stops += err ? 0 : 1;
	finish(t, tr);
	return err;
}
