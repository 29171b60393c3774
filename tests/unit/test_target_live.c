/* Live targets are children of the test. A victim prepares, says so on a pipe, and then does what its test needs. */
#define _GNU_SOURCE
#include "../../src/base/workers.h"
#include "../../src/target/live.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   ((size_t)HF_ARCH_PAGE)
#define MEGA   ((size_t)1 << 20)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Shared between the test and its victims. */
struct shared {
	_Atomic uint64_t counter, signals, wrong;
	_Atomic int go, tid;
};

static struct shared *shared;
static int ready_pipe[2];

static void say_ready(void)
{
	if (write(ready_pipe[1], "r", 1) != 1)
		_exit(9);
}

static void wait_ready(void)
{
	struct pollfd p = {.fd = ready_pipe[0], .events = POLLIN};
	char c;

	cr_assert_eq(poll(&p, 1, 20000), 1, "the victim does not get ready");
	cr_assert_eq(read(ready_pipe[0], &c, 1), 1);
}

static void sleep_on(void)
{
	for (;;)
		pause();
}

typedef void victim_fn(void *arg);

static pid_t start(victim_fn *fn, void *arg)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(arg);
		_exit(0);
	}
	wait_ready();
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
}

static char state_of(pid_t pid)
{
	char path[64], text[512], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return '?';
	if (fgets(text, sizeof(text), f) && strrchr(text, ')'))
		state = strrchr(text, ')')[2];
	fclose(f);
	return state;
}

/* The figure of a line of /proc/PID/status. */
static uint64_t status_of(pid_t pid, const char *key)
{
	char path[64], line[256];
	uint64_t v = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			v = strtoull(line + strlen(key) + 1, NULL, 10);
	if (f)
		fclose(f);
	return v;
}

static void wait_state(pid_t pid, const char *states)
{
	for (int i = 0; i < 20000 && !strchr(states, state_of(pid)); i++)
		usleep(500);
	cr_assert(strchr(states, state_of(pid)), "process %d is in state %c, not one of %s", pid, state_of(pid), states);
}

#define assert_ok(expr)                                                                                      \
	do {                                                                                                 \
		struct hf_err *ok_err_ = (expr);                                                             \
		cr_assert_null(ok_err_, "%s", hf_err_message(ok_err_));                                      \
	} while (0)

#define assert_code(expr, code, text)                                                                        \
	do {                                                                                                 \
		struct hf_err *code_err_ = (expr);                                                           \
		cr_assert_eq(hf_err_code(code_err_), code, "%s", hf_err_message(code_err_));                 \
		cr_assert(strstr(hf_err_message(code_err_), text), "%s", hf_err_message(code_err_));         \
		cr_assert_not(strchr(hf_err_message(code_err_), '\n'));                                      \
		hf_err_destroy(code_err_);                                                                   \
	} while (0)

static struct hf_target *open_live(pid_t pid)
{
	struct hf_target *t = NULL;

	assert_ok(hf_target_open_pid(pid, &t));
	return t;
}

static void setup(void)
{
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(shared, MAP_FAILED);
	cr_assert_eq(pipe2(ready_pipe, O_CLOEXEC), 0);
	hf_interrupt_clear();
}

static uint8_t *map_pages(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

TestSuite(target_live, .init = setup, .timeout = 120);

/* ---- which processes open ------------------------------------------------------------------------- */

static void sleeper(void *arg)
{
	(void)arg;
	say_ready();
	sleep_on();
}

Test(target_live, process_opens_without_a_stop)
{
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint64_t v;
	char want[64];

	snprintf(want, sizeof(want), "process %d (", pid);
	cr_assert_eq(strncmp(t->label, want, strlen(want)), 0, "%s", t->label);
	cr_assert_eq(t->pid, pid);
	cr_assert_gt(t->maps.n, 5);
	cr_assert(hf_target_auxv(t, AT_ENTRY, &v));
	cr_assert_not_null(hf_target_find_map(t, v));
	cr_assert_eq(t->pause.stops, 0);
	cr_assert_eq(t->threads.n, 0);
	cr_assert_not_null(t->facts);
	cr_assert_null(strchr("tT", state_of(pid)));
	hf_target_close(t);
	end(pid);
}

Test(target_live, what_is_no_process_is_refused)
{
	struct hf_target *t = NULL;

	assert_code(hf_target_open_pid(0, &t), HF_TARGET, "no such process");
	assert_code(hf_target_open_pid(-1, &t), HF_TARGET, "no such process");
	assert_code(hf_target_open_pid(0x7fffffff, &t), HF_TARGET, "no such process");
	assert_code(hf_target_open_pid(getpid(), &t), HF_TARGET, "this very program");
	cr_assert_null(t);
}

Test(target_live, zombie_is_refused)
{
	struct hf_target *t = NULL;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	wait_state(pid, "Z");
	assert_code(hf_target_open_pid(pid, &t), HF_TARGET, "zombie");
	end(pid);
}

Test(target_live, kernel_thread_is_refused)
{
	struct hf_target *t = NULL;

	if (access("/proc/2/stat", R_OK) || !(status_of(2, "Kthread") == 1))
		cr_skip_test("process 2 is not a kernel thread that we see");
	assert_code(hf_target_open_pid(2, &t), HF_TARGET, "kernel thread");
}

static void *wait_in_thread(void *arg)
{
	(void)arg;
	shared->tid = (int)syscall(SYS_gettid);
	say_ready();
	sleep_on();
	return NULL;
}

static void two_threads(void *arg)
{
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, wait_in_thread, NULL);
	sleep_on();
}

Test(target_live, thread_id_is_refused_by_the_name_of_its_process)
{
	pid_t pid = start(two_threads, NULL);
	struct hf_target *t = NULL;
	char want[64];

	snprintf(want, sizeof(want), "is a thread of process %d", pid);
	assert_code(hf_target_open_pid(shared->tid, &t), HF_TARGET, want);
	end(pid);
}

static void trace_parent_of(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		_exit(3);
	prctl(PR_SET_NAME, "a tracer");
	say_ready();
	sleep_on();
}

Test(target_live, traced_process_is_refused_by_the_name_of_the_tracer)
{
	pid_t pid = start(sleeper, NULL), tracer;
	struct hf_target *t = NULL, *before = open_live(pid);

	tracer = start(trace_parent_of, &pid);
	assert_code(hf_target_open_pid(pid, &t), HF_TARGET, "(a tracer)");
	assert_code(hf_target_stop(before), HF_TARGET, "(a tracer)");
	end(tracer);
	assert_ok(hf_target_stop(before));
	hf_target_close(before);
	end(pid);
}

static void open_as_nobody(void *arg)
{
	struct hf_target *t = NULL;
	struct hf_err *err;
	const char *message;

	(void)arg;
	if (geteuid() == 0 && setresuid(65534, 65534, 65534))
		_exit(3);
	err = hf_target_open_pid(1, &t);
	message = hf_err_message(err);
	shared->wrong = hf_err_code(err) != HF_NOTPERM || !strstr(message, "CAP_SYS_PTRACE") ||
			!strstr(message, "--cap-add=SYS_PTRACE") || strchr(message, '\n');
	say_ready();
}

Test(target_live, missing_permission_names_the_capability)
{
	pid_t pid = start(open_as_nobody, NULL);

	cr_assert_not(shared->wrong);
	end(pid);
}

/* ---- stopping -------------------------------------------------------------------------------------- */

static void count_up(void *arg)
{
	(void)arg;
	say_ready();
	for (;;)
		shared->counter++;
}

static bool counter_moves(void)
{
	uint64_t was = shared->counter;

	for (int i = 0; i < 20000; i++) {
		if (shared->counter != was)
			return true;
		usleep(500);
	}
	return false;
}

Test(target_live, stop_and_resume_are_a_pair)
{
	pid_t pid = start(count_up, NULL);
	struct hf_target *t = open_live(pid);
	uint64_t was;

	for (int i = 0; i < 50; i++) {
		assert_ok(hf_target_stop(t));
		was = shared->counter;
		cr_assert_eq(t->threads.n, 1);
		cr_assert_eq(t->threads.at[0].tid, pid);
		cr_assert_eq(t->threads.at[0].state, HF_THREAD_STOPPED);
		cr_assert_not_null(hf_target_find_map(t, t->threads.at[0].regs.pc));
		cr_assert(hf_target_find_map(t, t->threads.at[0].regs.pc)->executable);
		cr_assert_not_null(hf_target_find_map(t, t->threads.at[0].regs.sp));
		assert_ok(hf_target_stop(t));
		usleep(200);
		cr_assert_eq(shared->counter, was, "the target ran while it was stopped");
		hf_target_resume(t);
		hf_target_resume(t);
		cr_assert(counter_moves());
		cr_assert_eq(t->threads.at[0].state, HF_THREAD_RUNNING);
	}
	cr_assert_eq(t->pause.stops, 50);
	cr_assert(t->pause.stopped_s > 50 * 200e-6 && t->pause.stopped_s < 20);
	hf_target_close(t);
	cr_assert_eq(status_of(pid, "TracerPid"), 0);
	end(pid);
}

Test(target_live, close_of_a_stopped_target_resumes_it)
{
	pid_t pid = start(count_up, NULL);
	struct hf_target *t = open_live(pid);

	assert_ok(hf_target_stop(t));
	hf_target_close(t);
	cr_assert(counter_moves());
	cr_assert_eq(status_of(pid, "TracerPid"), 0);
	end(pid);
}

static void *short_life(void *arg)
{
	shared->counter++;
	return arg;
}

static void churn(void *arg)
{
	pthread_attr_t attr;

	(void)arg;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	say_ready();
	for (;;) {
		pthread_t thread;

		pthread_create(&thread, &attr, short_life, NULL);
	}
}

Test(target_live, threads_that_come_and_go_are_all_stopped)
{
	pid_t pid = start(churn, NULL);
	struct hf_target *t = open_live(pid);

	for (int i = 0; i < 40; i++) {
		uint64_t was;

		assert_ok(hf_target_stop(t));
		was = shared->counter;
		cr_assert_geq(t->threads.n, 1);
		cr_assert_eq(t->pause.stuck, 0);
		usleep(300);
		cr_assert_eq(shared->counter, was, "a thread ran while all were stopped");
		hf_target_resume(t);
		cr_assert(counter_moves());
	}
	hf_target_close(t);
	end(pid);
}

Test(target_live, group_stop_outlives_the_resume)
{
	pid_t pid = start(count_up, NULL);
	struct hf_target *t = open_live(pid);

	kill(pid, SIGSTOP);
	wait_state(pid, "T");
	for (int i = 0; i < 5; i++) {
		assert_ok(hf_target_stop(t));
		cr_assert_eq(t->threads.at[0].state, HF_THREAD_STOPPED);
		hf_target_resume(t);
		wait_state(pid, "T");
	}
	hf_target_close(t);
	wait_state(pid, "T");
	kill(pid, SIGCONT);
	cr_assert(counter_moves());
	end(pid);
}

static void count_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	/* Queued signals of one number arrive in order: a lost, doubled or invented one shows. */
	shared->wrong += info->si_code != SI_QUEUE || (uint64_t)info->si_value.sival_int != shared->signals;
	shared->signals++;
}

static void count_signals(void *arg)
{
	struct sigaction action = {.sa_sigaction = count_signal, .sa_flags = SA_SIGINFO};

	(void)arg;
	sigaction(SIGRTMIN, &action, NULL);
	say_ready();
	for (;;)
		shared->counter++;
}

static void send_signals(void *arg)
{
	pid_t pid = *(pid_t *)arg;

	say_ready();
	for (int i = 0; i < 20000; i++) {
		union sigval value = {.sival_int = i};

		while (sigqueue(pid, SIGRTMIN, value))
			usleep(100);
	}
}

Test(target_live, no_signal_is_lost_or_invented)
{
	pid_t pid = start(count_signals, NULL), sender;
	struct hf_target *t = open_live(pid);

	sender = start(send_signals, &pid);
	for (int i = 0; i < 20000 && shared->signals < 20000; i++) {
		assert_ok(hf_target_stop(t));
		hf_target_resume(t);
	}
	hf_target_close(t);
	for (int i = 0; i < 20000 && shared->signals < 20000; i++)
		usleep(500);
	cr_assert_eq(shared->signals, 20000);
	cr_assert_eq(shared->wrong, 0);
	end(sender);
	end(pid);
}

static void *leader_is_gone(void *arg)
{
	(void)arg;
	while (state_of(getpid()) != 'Z')
		usleep(500);
	say_ready();
	for (;;)
		shared->counter++;
	return NULL;
}

static void end_leader(void *arg)
{
	pthread_t thread;

	*(volatile uint8_t *)arg = 77;
	pthread_create(&thread, NULL, leader_is_gone, NULL);
	pthread_exit(NULL);
}

Test(target_live, process_whose_leader_has_ended_is_read)
{
	uint8_t *page = map_pages(PAGE), byte = 0;
	pid_t pid = start(end_leader, page);
	struct hf_target *t = open_live(pid);

	assert_ok(hf_target_stop(t));
	cr_assert_eq(t->threads.n, 2);
	cr_assert_eq(t->pause.zombies, 1);
	cr_assert_eq(t->threads.at[0].state, HF_THREAD_ZOMBIE);
	cr_assert_eq(t->threads.at[1].state, HF_THREAD_STOPPED);
	assert_ok(hf_target_read_u8(t, (uintptr_t)page, &byte));
	cr_assert_eq(byte, 77);
	hf_target_close(t);
	cr_assert(counter_moves());
	end(pid);
}

static void wait_in_vfork(void *arg)
{
	(void)arg;
	say_ready();
	/* The child shares all with its parent, which sleeps in the kernel until it ends. */
	if (!vfork()) {
		while (!shared->go)
			;
		_exit(0);
	}
	for (;;)
		shared->counter++;
}

Test(target_live, thread_that_does_not_stop_is_named_and_let_go)
{
	pid_t pid = start(wait_in_vfork, NULL);
	struct hf_target *t = open_live(pid);

	wait_state(pid, "D");
	assert_ok(hf_target_stop(t));
	cr_assert_eq(t->pause.stuck, 1);
	cr_assert_eq(t->threads.at[0].state, HF_THREAD_STUCK);
	cr_assert_eq(t->warnings.n, 1);
	cr_assert(strstr(t->warnings.at[0].text, "did not stop"));
	cr_assert(t->incomplete);
	hf_target_resume(t);
	cr_assert_lt(t->pause.stopped_s, 5);
	shared->go = 1;
	cr_assert(counter_moves(), "the thread stays seized after the resume");
	hf_target_close(t);
	end(pid);
}

static void exec_when_told(void *arg)
{
	(void)arg;
	say_ready();
	while (!shared->go)
		usleep(100);
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
}

Test(target_live, exec_since_open_is_an_error_and_nothing_stays_stopped)
{
	pid_t pid = start(exec_when_told, NULL);
	struct hf_target *t = open_live(pid);
	char comm[64] = "", path[64];

	shared->go = 1;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	for (int i = 0; i < 20000 && strcmp(comm, "sleep\n"); i++) {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, comm, sizeof(comm) - 1);

		comm[n > 0 ? n : 0] = '\0';
		close(fd);
		usleep(500);
	}
	cr_assert_str_eq(comm, "sleep\n");
	assert_code(hf_target_stop(t), HF_TARGET, "execed");
	wait_state(pid, "S");
	cr_assert_eq(status_of(pid, "TracerPid"), 0);
	hf_target_close(t);
	end(pid);
}

Test(target_live, process_that_ends_is_an_error_at_every_step)
{
	uint8_t *page = map_pages(PAGE), byte;
	struct hf_range range = {(uintptr_t)page, (uintptr_t)page + PAGE};
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint64_t entry = 0;
	int status, fd;

	*page = 1;
	cr_assert(hf_target_auxv(t, AT_ENTRY, &entry));
	assert_ok(hf_target_stop(t));
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid, "the end of a child is its parent's to see");
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_code(hf_target_capture(t, &range, 1), HF_TARGET, "ended");
	assert_code(hf_target_read_u8(t, range.start, &byte), HF_TARGET, "ended");
	hf_target_resume(t);
	assert_code(hf_target_stop(t), HF_TARGET, "ended");
	assert_code(hf_target_open_file(t, hf_target_find_map(t, entry), &fd), HF_TARGET, "ended");
	hf_target_close(t);
}

static void interrupt_us(void *arg)
{
	(void)arg;
	say_ready();
	usleep(100000);
	kill(getppid(), SIGUSR1);
}

static void on_usr1(int sig)
{
	(void)sig;
	hf_interrupt();
}

Test(target_live, interrupted_stop_resumes_at_once)
{
	pid_t pid = start(wait_in_vfork, NULL), interrupter;
	struct hf_target *t = open_live(pid);
	double began;

	wait_state(pid, "D");
	signal(SIGUSR1, on_usr1);
	began = hf_now();
	interrupter = start(interrupt_us, NULL);
	assert_code(hf_target_stop(t), HF_INTERRUPTED, "runs on");
	cr_assert_lt(hf_now() - began, 0.9, "the interrupt was seen only with the time limit");
	shared->go = 1;
	cr_assert(counter_moves());
	hf_interrupt_clear();
	hf_target_close(t);
	end(interrupter);
	end(pid);
}

Test(target_live, interrupted_capture_resumes_at_once)
{
	uint8_t *p = map_pages(8 * MEGA);
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 8 * MEGA};
	struct hf_target *t;
	pid_t pid;

	memset(p, 1, 8 * MEGA);
	pid = start(count_up, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	hf_interrupt();
	assert_code(hf_target_capture(t, &range, 1), HF_INTERRUPTED, "interrupted");
	hf_interrupt_clear();
	cr_assert_not(t->stopped);
	cr_assert(counter_moves());
	hf_target_close(t);
	end(pid);
}

static void stop_and_die(void *arg)
{
	struct hf_target *t = open_live(*(pid_t *)arg);
	struct hf_range all = {0, UINT64_MAX};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	assert_ok(hf_target_stop(t));
	say_ready();
	hf_err_ignore(hf_target_capture(t, &all, 1));
	sleep_on();
}

Test(target_live, death_of_the_tool_lets_the_target_go_on)
{
	pid_t pid = start(count_signals, NULL), sender = start(send_signals, &pid);

	for (int i = 0; i < 10; i++) {
		pid_t tool = start(stop_and_die, &pid);

		cr_assert_eq(state_of(pid), 't');
		end(tool);
		cr_assert(counter_moves(), "the target stays stopped");
		cr_assert_eq(status_of(pid, "TracerPid"), 0);
	}
	for (int i = 0; i < 20000 && shared->signals < 20000; i++)
		usleep(500);
	cr_assert_eq(shared->signals, 20000, "a signal was lost");
	cr_assert_eq(shared->wrong, 0);
	end(sender);
	end(pid);
}

static void in_pid_namespace(void *arg)
{
	pid_t child;

	(void)arg;
	if (unshare(CLONE_NEWPID)) {
		say_ready();
		sleep_on();
	}
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		say_ready();
		sleep_on();
	}
	shared->tid = child;
	sleep_on();
}

Test(target_live, thread_has_the_number_that_its_namespace_knows)
{
	pid_t pid = start(in_pid_namespace, NULL);
	struct hf_target *t;

	for (int i = 0; i < 2000 && !shared->tid; i++)
		usleep(500);
	if (!shared->tid)
		cr_skip_test("no permission for a pid namespace");
	t = open_live(shared->tid);
	assert_ok(hf_target_stop(t));
	cr_assert_eq(t->threads.at[0].tid, shared->tid);
	cr_assert_eq(t->threads.at[0].ns_tid, 1);
	hf_target_close(t);
	end(pid);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

struct layout {
	uint8_t *p;
	size_t pages;
};

/* Rewrites page i's first word with an ever greater number: all are equal, or differ by one, at any moment. */
static void rewrite(void *arg)
{
	const struct layout *l = arg;

	say_ready();
	for (uint64_t n = 1;; n++) {
		for (size_t i = 0; i < l->pages; i++)
			*(volatile uint64_t *)(l->p + i * PAGE) = n;
		shared->counter = n;
	}
}

Test(target_live, captured_memory_is_of_the_moment_of_the_stop)
{
	struct layout l = {map_pages(600 * PAGE), 600};
	struct hf_range range = {(uintptr_t)l.p, (uintptr_t)l.p + l.pages * PAGE};
	pid_t pid = start(rewrite, &l);
	struct hf_target *t = open_live(pid);

	while (shared->counter < 3)
		usleep(100);
	for (int round = 0; round < 10; round++) {
		uint64_t first, last, moved, v;

		assert_ok(hf_target_stop(t));
		assert_ok(hf_target_capture(t, &range, 1));
		hf_target_resume(t);
		cr_assert(counter_moves());
		assert_ok(hf_target_read_u64(t, range.start, &first));
		assert_ok(hf_target_read_u64(t, range.end - PAGE, &last));
		cr_assert(first - last <= 1, "%" PRIu64 " and %" PRIu64, first, last);
		moved = shared->counter;
		cr_assert_gt(moved, first);
		for (size_t i = 0; i < l.pages; i++) {
			assert_ok(hf_target_read_u64(t, range.start + i * PAGE, &v));
			cr_assert(v == first || v == last, "page %zu", i);
		}
		cr_assert_not_null(t->ops->view(t, range.start, l.pages * PAGE));
		cr_assert_eq(hf_load_u64(t->ops->view(t, range.start, 8)), first);
	}
	hf_target_close(t);
	end(pid);
}

Test(target_live, what_was_not_captured_is_stale_after_resume)
{
	uint8_t *p = map_pages(64 * PAGE), byte;
	struct hf_range one = {(uintptr_t)p + 5 * PAGE + 100, (uintptr_t)p + 5 * PAGE + 101};
	uint8_t buf[2 * HF_ARCH_PAGE];
	struct hf_target *t;
	uint64_t at;
	struct hf_err *err;
	pid_t pid;

	memset(p, 3, 64 * PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_read_u8(t, (uintptr_t)p, &byte));
	cr_assert_eq(byte, 3, "reads work before any stop");
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &one, 1));
	cr_assert_null(t->ops->view(t, one.start - PAGE, 1));
	cr_assert_null(t->ops->view(t, one.start, PAGE));
	cr_assert_not_null(t->ops->view(t, (uintptr_t)p + 5 * PAGE, PAGE));
	hf_target_resume(t);
	assert_ok(hf_target_read(t, (uintptr_t)p + 5 * PAGE, buf, PAGE));
	assert_code(hf_target_read_u8(t, (uintptr_t)p, &byte), HF_STALE, "not captured");
	err = hf_target_read(t, (uintptr_t)p + 5 * PAGE + 8, buf, PAGE);
	cr_assert_eq(hf_err_code(err), HF_STALE);
	cr_assert(hf_err_addr(err, &at));
	cr_assert_eq(at, (uintptr_t)p + 6 * PAGE);
	hf_err_destroy(err);
	/* A second stop forgets the first. */
	assert_ok(hf_target_stop(t));
	hf_target_resume(t);
	assert_code(hf_target_read_u8(t, one.start, &byte), HF_STALE, "not captured");
	hf_target_close(t);
	end(pid);
}

Test(target_live, read_while_stopped_captures_around_it)
{
	uint8_t *p = map_pages(64 * PAGE), byte;
	struct hf_target *t;
	pid_t pid;

	memset(p, 3, 64 * PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_read_u8(t, (uintptr_t)p + 20 * PAGE, &byte));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, hf_align_down((uintptr_t)p + 20 * PAGE, 65536) + 65535, &byte));
	cr_assert_eq(byte, 3);
	hf_target_close(t);
	end(pid);
}

Test(target_live, what_is_not_mapped_or_not_readable_faults)
{
	uint8_t *p = map_pages(4 * PAGE), byte, buf[HF_ARCH_PAGE];
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	struct hf_target *t;
	pid_t pid;

	memset(p, 3, 4 * PAGE);
	mprotect(p + PAGE, PAGE, PROT_NONE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			assert_ok(hf_target_stop(t));
		if (round == 1)
			assert_ok(hf_target_capture(t, &range, 1));
		if (round == 2)
			hf_target_resume(t);
		assert_ok(hf_target_read_u8(t, (uintptr_t)p, &byte));
		assert_code(hf_target_read_u8(t, (uintptr_t)p + PAGE, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read(t, (uintptr_t)p + 8, buf, PAGE), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, 0, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, UINT64_MAX, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, UINT64_C(1) << 62, &byte), HF_FAULT, "not mapped");
	}
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_live, odd_ranges_capture_what_there_is)
{
	uint8_t *p = map_pages(8 * PAGE);
	uintptr_t a = (uintptr_t)p;
	const struct hf_range ranges[] = {
		{a + 3 * PAGE + 1, a + 3 * PAGE + 1}, {a + 5 * PAGE, a + 4 * PAGE},   {0, 1},
		{a + 2 * PAGE, a + 3 * PAGE},	      {a + 1, a + 2 * PAGE + 5},	{a, a + 2},
		{UINT64_MAX - 5, UINT64_MAX},	      {UINT64_MAX, 0},		{a + 7 * PAGE, a + 9 * PAGE},
	};
	struct hf_target *t;
	pid_t pid;

	memset(p, 9, 8 * PAGE);
	munmap(p + 7 * PAGE, PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, ranges, HF_LEN(ranges)));
	assert_ok(hf_target_capture(t, ranges, HF_LEN(ranges)));
	assert_ok(hf_target_capture(t, NULL, 0));
	cr_assert_not_null(t->ops->view(t, a, 3 * PAGE));
	cr_assert_null(t->ops->view(t, a, 3 * PAGE + 1));
	hf_target_close(t);
	end(pid);
}

static void untouched(void *arg)
{
	uint8_t *p = arg;

	p[100 * MEGA] = 5;
	p[300 * MEGA + 7] = 6;
	say_ready();
	sleep_on();
}

/* Both ways of finding out what is there. */
static void check_untouched(bool no_scan)
{
	size_t size = 512 * MEGA;
	uint8_t *p = map_pages(size), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + size};
	pid_t pid = start(untouched, p);
	struct hf_target *t = open_live(pid);
	uint64_t tables = status_of(pid, "VmPTE"), rss = status_of(pid, "VmRSS");

	((struct hf_live *)t->arg)->no_scan = no_scan;
	cr_assert_leq(t->ops->resident(t, range.start, size), 4 * MEGA);
	cr_assert_geq(t->ops->resident(t, range.start, size), 2 * PAGE);
	assert_ok(hf_target_prepare(t, &range, 1));
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &range, 1));
	cr_assert_eq(status_of(pid, "VmPTE"), tables, "page tables grew");
	cr_assert_leq(status_of(pid, "VmRSS"), rss + 64);
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, range.start + 100 * MEGA, &byte));
	cr_assert_eq(byte, 5);
	assert_ok(hf_target_read_u8(t, range.start + 300 * MEGA + 7, &byte));
	cr_assert_eq(byte, 6);
	assert_ok(hf_target_read_u8(t, range.start + 200 * MEGA, &byte));
	cr_assert_eq(byte, 0);
	cr_assert_not_null(t->ops->view(t, range.start, size));
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_live, untouched_memory_stays_so_and_reads_as_zeros)
{
	check_untouched(false);
}

Test(target_live, untouched_memory_stays_so_where_the_kernel_is_old)
{
	check_untouched(true);
}

Test(target_live, terabyte_of_nothing_costs_nothing)
{
	size_t size = (size_t)1 << 40;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + size};
	struct hf_target *t;
	pid_t pid;

	if (p == MAP_FAILED)
		cr_skip_test("no terabyte of addresses here");
	p[size / 2] = 1;
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	if (((struct hf_live *)t->arg)->no_scan) {
		hf_target_close(t);
		end(pid);
		cr_skip_test("this kernel has no PAGEMAP_SCAN");
	}
	assert_ok(hf_target_capture(t, &range, 1));
	hf_target_resume(t);
	cr_assert_lt(t->pause.stopped_s, 2);
	assert_ok(hf_target_read_u8(t, range.start + size / 2, &byte));
	cr_assert_eq(byte, 1);
	assert_ok(hf_target_read_u8(t, range.start + size / 4, &byte));
	cr_assert_eq(byte, 0);
	hf_target_close(t);
	end(pid);
}

struct file_pages {
	uint8_t *p;
	uint8_t *shared_p;
};

static void map_file(struct file_pages *f, bool keep)
{
	char name[] = "/tmp/hf-test-XXXXXX";
	int fd = mkstemp(name);

	cr_assert_geq(fd, 0);
	for (int i = 0; i < 64; i++) {
		uint8_t page[HF_ARCH_PAGE];

		memset(page, 'a' + i % 26, PAGE);
		cr_assert_eq(write(fd, page, i == 63 ? 100 : PAGE), i == 63 ? 100 : (ssize_t)PAGE);
	}
	f->p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	f->shared_p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert(f->p != MAP_FAILED && f->shared_p != MAP_FAILED);
	/* In the page cache, and in no page table. */
	madvise(f->p, 64 * PAGE, MADV_RANDOM);
	madvise(f->shared_p, 64 * PAGE, MADV_RANDOM);
	if (!keep)
		unlink(name);
	close(fd);
}

static void check_file(bool keep)
{
	struct file_pages f;
	struct hf_range ranges[2];
	struct hf_target *t;
	uint64_t tables;
	uint8_t byte;
	pid_t pid;
	int fd;

	map_file(&f, keep);
	f.p[10 * PAGE] = '!';
	ranges[0] = (struct hf_range){(uintptr_t)f.p, (uintptr_t)f.p + 64 * PAGE};
	ranges[1] = (struct hf_range){(uintptr_t)f.shared_p, (uintptr_t)f.shared_p + 64 * PAGE};
	pid = start(sleeper, NULL);
	tables = status_of(pid, "VmPTE");
	t = open_live(pid);
	assert_ok(hf_target_read_u8(t, ranges[0].start + 3 * PAGE, &byte));
	cr_assert_eq(byte, 'd');
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, ranges, 2));
	hf_target_resume(t);
	cr_assert_eq(status_of(pid, "VmPTE"), tables);
	for (int i = 0; i < 2; i++) {
		assert_ok(hf_target_read_u8(t, ranges[i].start + 3 * PAGE + 5, &byte));
		cr_assert_eq(byte, 'd');
		assert_ok(hf_target_read_u8(t, ranges[i].start + 10 * PAGE, &byte));
		cr_assert_eq(byte, i ? 'k' : '!');
		assert_ok(hf_target_read_u8(t, ranges[i].start + 63 * PAGE + 99, &byte));
		cr_assert_eq(byte, 'a' + 63 % 26);
		assert_ok(hf_target_read_u8(t, ranges[i].start + 63 * PAGE + 100, &byte));
		cr_assert_eq(byte, 0);
	}
	assert_ok(hf_target_open_file(t, hf_target_find_map(t, ranges[1].start), &fd));
	cr_assert_eq(pread(fd, &byte, 1, PAGE), 1);
	cr_assert_eq(byte, 'b');
	close(fd);
	cr_assert_not(t->incomplete, "%s", t->warnings.n ? t->warnings.at[0].text : "");
	hf_target_close(t);
	end(pid);
}

Test(target_live, file_pages_that_nobody_touched_come_from_the_file)
{
	check_file(true);
}

Test(target_live, deleted_file_is_read_all_the_same)
{
	if (geteuid())
		cr_skip_test("map_files takes CAP_CHECKPOINT_RESTORE");
	check_file(false);
}

Test(target_live, read_only_file_memory_is_read_after_resume)
{
	struct file_pages f;
	struct hf_target *t;
	uint8_t byte;
	pid_t pid;

	map_file(&f, true);
	/* As a relocated page that was made read-only: its bytes are not those of the file. */
	f.p[10 * PAGE] = '!';
	mprotect(f.p, 64 * PAGE, PROT_READ);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, (uintptr_t)f.p + 4 * PAGE, &byte));
	cr_assert_eq(byte, 'e');
	assert_ok(hf_target_read_u8(t, (uintptr_t)f.p + 10 * PAGE, &byte));
	cr_assert_eq(byte, '!');
	hf_target_close(t);
	end(pid);
}

Test(target_live, executable_opens_by_its_mapping)
{
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint64_t entry;
	char magic[4];
	int fd;

	cr_assert(hf_target_auxv(t, AT_ENTRY, &entry));
	assert_ok(hf_target_open_file(t, hf_target_find_map(t, entry), &fd));
	cr_assert_eq(pread(fd, magic, 4, 0), 4);
	cr_assert_eq(memcmp(magic, ELFMAG, 4), 0);
	close(fd);
	hf_vec_each(&t->maps, m)
		if (!strcmp(m->path, "[stack]"))
			assert_code(hf_target_open_file(t, m, &fd), HF_TARGET, "has no file");
	hf_target_close(t);
	end(pid);
}

Test(target_live, kernel_and_device_mappings_are_never_read)
{
	static const struct {
		const char *path;
		uint64_t inode;
		bool is_shared;
		enum hf_map_kind kind;
	} cases[] = {
		{"", 0, false, HF_MAP_ANON},		   {"[heap]", 0, false, HF_MAP_ANON},
		{"[anon:name]", 0, false, HF_MAP_ANON},	   {"[vvar]", 0, false, HF_MAP_NEVER},
		{"[vvar_vclock]", 0, false, HF_MAP_NEVER}, {"[vsyscall]", 0, false, HF_MAP_NEVER},
		{"[vdso]", 0, false, HF_MAP_WHOLE},	   {"/dev/zero", 5, true, HF_MAP_FILE},
		{"/dev/shm/x", 5, true, HF_MAP_FILE},	   {"/dev/nvidia0", 5, true, HF_MAP_DEVICE},
		{"/dev/mem", 5, false, HF_MAP_DEVICE},	   {"anon_inode:[perf_event]", 5, true, HF_MAP_DEVICE},
		{"/usr/lib/x.so", 5, false, HF_MAP_FILE},  {"/anon_hugepage", 5, false, HF_MAP_ANON},
	};
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint8_t byte;

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_map map = {.path = cases[i].path, .inode = cases[i].inode, .shared = cases[i].is_shared};

		cr_expect_eq(hf_map_kind(&map), cases[i].kind, "%s", cases[i].path);
	}
	assert_ok(hf_target_stop(t));
	hf_vec_each(&t->maps, m) {
		struct hf_range range = {m->start, m->end};

		if (!strcmp(m->path, "[vdso]")) {
			assert_ok(hf_target_read_u8(t, m->start, &byte));
			cr_assert_eq(byte, 0x7f);
		}
		if (strcmp(m->path, "[vvar]"))
			continue;
		assert_ok(hf_target_capture(t, &range, 1));
		assert_code(hf_target_read_u8(t, m->start, &byte), HF_FAULT, "not to be read");
	}
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_live, guard_pages_are_not_taken_for_swap)
{
	uint8_t *p = map_pages(4 * PAGE), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	struct hf_target *t;
	pid_t pid;

	memset(p, 7, 4 * PAGE);
	if (madvise(p + PAGE, PAGE, MADV_GUARD_INSTALL))
		cr_skip_test("this kernel has no guard pages");
	pid = start(sleeper, NULL);
	madvise(p + PAGE, PAGE, MADV_GUARD_INSTALL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &range, 1));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, range.start + 2 * PAGE, &byte));
	cr_assert_eq(byte, 7);
	hf_target_close(t);
	end(pid);
}

static void grow_when_told(void *arg)
{
	const struct layout *l = arg;

	say_ready();
	while (!shared->go)
		usleep(100);
	/* The prepared memory is now the middle of a larger mapping, and has other bytes. */
	if (mmap(l->p, 48 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != l->p)
		_exit(3);
	memset(l->p, 4, 48 * PAGE);
	say_ready();
	sleep_on();
}

Test(target_live, prepared_memory_follows_mappings_that_change)
{
	struct layout l = {map_pages(48 * PAGE), 48};
	uintptr_t a = (uintptr_t)l.p;
	struct hf_range middle = {a + 16 * PAGE, a + 32 * PAGE}, all = {a, a + 48 * PAGE};
	struct hf_target *t;
	const uint8_t *view;
	pid_t pid;

	memset(l.p, 3, 48 * PAGE);
	mprotect(l.p, 16 * PAGE, PROT_NONE);
	mprotect(l.p + 32 * PAGE, 16 * PAGE, PROT_NONE);
	pid = start(grow_when_told, &l);
	t = open_live(pid);
	assert_ok(hf_target_prepare(t, &middle, 1));
	shared->go = 1;
	wait_ready();
	assert_ok(hf_target_stop(t));
	cr_assert_null(t->ops->view(t, middle.start, PAGE), "set aside is not captured");
	assert_ok(hf_target_capture(t, &all, 1));
	hf_target_resume(t);
	view = t->ops->view(t, all.start, 48 * PAGE);
	cr_assert_not_null(view);
	for (size_t i = 0; i < 48 * PAGE; i++)
		cr_assert_eq(view[i], 4);
	/* And unchanged. */
	assert_ok(hf_target_prepare(t, &all, 1));
	assert_ok(hf_target_prepare(t, &all, 1));
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &all, 1));
	view = t->ops->view(t, all.start, 48 * PAGE);
	cr_assert(view && view[0] == 4 && view[48 * PAGE - 1] == 4);
	hf_target_close(t);
	end(pid);
}

struct reads {
	struct hf_target *t;
	uint64_t start;
	size_t pages;
};

static struct hf_err *read_one(void *arg, size_t i, unsigned worker)
{
	const struct reads *r = arg;
	uint64_t v, page = i * 7919 % r->pages;

	(void)worker;
	HF_TRY(hf_target_read_u64(r->t, r->start + page * PAGE + i % 500 * 8, &v));
	return v == 0x0101010101010101 * (page % 200 + 1) ? NULL : hf_err_at(HF_BADDATA, i, "wrong bytes");
}

Test(target_live, several_threads_read_while_it_is_stopped)
{
	struct reads r = {.pages = 3000};
	uint8_t *p = map_pages(r.pages * PAGE);
	pid_t pid;

	for (size_t i = 0; i < r.pages; i++)
		memset(p + i * PAGE, (int)(i % 200 + 1), PAGE);
	pid = start(sleeper, NULL);
	r.t = open_live(pid);
	r.start = (uintptr_t)p;
	hf_workers_set(4);
	assert_ok(hf_target_stop(r.t));
	assert_ok(hf_parallel(20000, read_one, &r));
	hf_target_resume(r.t);
	assert_ok(hf_parallel(20000, read_one, &r));
	hf_target_close(r.t);
	end(pid);
}

Test(target_live, every_failed_allocation_is_an_error_and_resumes)
{
	uint8_t *p = map_pages(4 * PAGE);
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	unsigned failed = 0;
	pid_t pid;

	memset(p, 3, 4 * PAGE);
	pid = start(count_up, NULL);
	for (unsigned long nth = 1; nth < 300; nth++) {
		struct hf_target *t = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_target_open_pid(pid, &t);
		if (!err)
			err = hf_target_stop(t);
		if (!err)
			err = hf_target_capture(t, &range, 1);
		failed += err != NULL;
		hf_alloc_fail_nth(0);
		hf_err_destroy(err);
		hf_target_close(t);
		cr_assert_eq(status_of(pid, "TracerPid"), 0);
	}
	cr_assert_gt(failed, 10); /* some do without: facts that cannot be kept are unknown */
	cr_assert(counter_moves());
	end(pid);
}
