/* Which live processes open, and that stopping one harms nothing. */
#define _GNU_SOURCE
#include "live_victims.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

TestSuite(target_live, .init = setup, .timeout = 120);

/* ---- which processes open ------------------------------------------------------------------------- */

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
	assert_code(hf_target_stop(t), HF_INTERRUPTED, "nothing was changed");
	cr_assert_lt(hf_now() - began, 0.9, "the interrupt was seen only with the time limit");
	shared->go = 1;
	cr_assert(counter_moves());
	hf_interrupt_clear();
	hf_target_close(t);
	end(interrupter);
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
