#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU            31
#define PTRACE_SYSEMU_SINGLESTEP 32
#endif

#define HURRY_NS 20000000u /* no target is held for much longer */

static bool relaxed;
static enum ghost_end_kind cut; /* why the ghost was stopped by us */
static bool is_cut;

bool end_run(enum ghost_end_kind kind, uint64_t pc, uint64_t addr, uint64_t number)
{
	if (!sandbox.ended) {
		sandbox.ended = true;
		sandbox.end.kind = kind;
		sandbox.end.pc = pc;
		sandbox.end.addr = addr;
		sandbox.end.number = number;
	}
	return false;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* The processor time of the ghost. Source: Linux include/linux/posix-timers.h, MAKE_PROCESS_CPUCLOCK, CPUCLOCK_SCHED */
static uint64_t ghost_cpu_ns(void)
{
	return read_clock((clockid_t)(~(unsigned)sandbox.ghost << 3 | 2));
}

/* Each stop costs the ghost some time in the kernel, which is ours: as much as steps over nothing take. */
int run_measure(void)
{
	struct user_regs_struct regs;
	int failed = ghost_get_regs(&regs), status;

	regs.rip = sandbox.setup.scratch + 2; /* nothing to do is there: see ghost.c */
	regs.orig_rax = (uint64_t)-1;
	failed = failed ? failed : ghost_set_regs(&regs);
	sandbox.stop_ns = UINT64_MAX;
	for (int i = 0; i < 4 && !failed; i++) {
		uint64_t before = ghost_cpu_ns(), cost;

		if (ptrace(PTRACE_SYSEMU_SINGLESTEP, sandbox.ghost, NULL, NULL) ||
		    waitpid(sandbox.ghost, &status, __WALL) != sandbox.ghost)
			return errno;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			return EIO;
		cost = ghost_cpu_ns() - before;
		sandbox.stop_ns = cost < sandbox.stop_ns ? cost : sandbox.stop_ns;
	}
	return failed;
}

/* How long the ghost may go on before one of its clocks can have run out; 0: one has, *ret says which. */
static uint64_t time_left(uint64_t cpu_before, enum ghost_end_kind *ret)
{
	const struct ghost_job *job = &sandbox.job.head;
	uint64_t wall = now_ns() - sandbox.began_ns, cpu = sandbox.cpu_ns + (ghost_cpu_ns() - cpu_before);
	uint64_t max_cpu = job->cpu_us * 1000, max_wall = job->wall_us * 1000;

	*ret = cpu >= max_cpu ? GHOST_END_CPU : GHOST_END_WALL;
	if (cpu >= max_cpu || wall >= max_wall)
		return 0;
	return max_cpu - cpu < max_wall - wall ? max_cpu - cpu : max_wall - wall;
}

static uint64_t hurry_left(void)
{
	uint64_t wall = now_ns() - sandbox.began_ns;

	if (!relaxed && wall >= HURRY_NS) {
		confine_relax();
		relaxed = true;
	}
	return relaxed ? UINT64_MAX : HURRY_NS - wall;
}

/* Waits for the next stop, and brings one about where time is up. */
static bool wait_stop(uint64_t cpu_before, int *ret)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t pid = waitpid(sandbox.ghost, ret, WNOHANG | __WALL);
		struct timespec ts = {.tv_sec = 1};
		uint64_t left;

		if (pid < 0)
			return end_run(GHOST_END_BROKEN, 0, 0, (uint64_t)errno);
		if (pid)
			return true;
		left = is_cut ? 1000000000u : time_left(cpu_before, &cut);
		if (!left) {
			is_cut = true;
			kill(sandbox.ghost, SIGSTOP);
			continue;
		}
		left = left < hurry_left() ? left : hurry_left();
		/* A clock of the processor does not run while the ghost waits for it: look again, not too often. */
		left = left < 50000 ? 50000 : left;
		ts.tv_sec = (time_t)(left / 1000000000u);
		ts.tv_nsec = (long)(left % 1000000000u);
		sigtimedwait(&child, NULL, &ts);
	}
}

static bool go_on(int *ret)
{
	bool steps = sandbox.stepping || sandbox.job.head.count_max;
	int request = steps ? PTRACE_SYSEMU_SINGLESTEP : PTRACE_SYSEMU;
	uint64_t before = ghost_cpu_ns(), used;

	if (ptrace(request, sandbox.ghost, NULL, NULL))
		return end_run(GHOST_END_BROKEN, 0, 0, (uint64_t)errno);
	if (!wait_stop(before, ret))
		return false;
	if (!WIFSTOPPED(*ret)) {
		sandbox.ghost = 0;
		return end_run(GHOST_END_BROKEN, 0, 0, WIFSIGNALED(*ret) ? (uint64_t)WTERMSIG(*ret) : 0);
	}
	used = ghost_cpu_ns() - before;
	sandbox.cpu_ns += used > sandbox.stop_ns ? used - sandbox.stop_ns : 0;
	return true;
}

/* An instruction was executed. */
static bool count(uint64_t pc)
{
	if (!sandbox.job.head.count_max)
		return true;
	if (sandbox.end.instructions == sandbox.job.head.count_max)
		return end_run(GHOST_END_LIMIT, pc, 0, 0);
	sandbox.end.instructions++;
	return true;
}

static bool answer_signal(int signal, struct user_regs_struct *regs)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, sandbox.ghost, NULL, &info))
		return end_run(GHOST_END_BROKEN, regs->rip, 0, (uint64_t)errno);
	if (signal == SIGSEGV)
		return pages_fault((uint64_t)info.si_addr, info.si_code, regs->rip);
	if (signal == SIGSTOP && is_cut)
		return end_run(cut, regs->rip, 0, 0);
	if (signal == SIGTRAP && info.si_code == TRAP_TRACE &&
	    (sandbox.stepping || sandbox.job.head.count_max)) {
		if (sandbox.stepping)
			hooks_stepped();
		return count(regs->rip);
	}
	if (signal == SIGTRAP && info.si_code == SI_KERNEL)
		return hooks_hit(regs);
	if (signal == SIGTRAP || signal == SIGBUS || signal == SIGILL || signal == SIGFPE)
		return end_run(GHOST_END_FAULT, regs->rip, (uint64_t)info.si_addr, (uint64_t)signal);
	return true; /* someone else's: it is not passed on */
}

static bool answer_stop(int status)
{
	struct user_regs_struct regs;
	int failed = ghost_get_regs(&regs);

	if (failed)
		return end_run(GHOST_END_BROKEN, 0, 0, (uint64_t)failed);
	if (WSTOPSIG(status) != (SIGTRAP | 0x80))
		return answer_signal(WSTOPSIG(status), &regs);
	if (sandbox.stepping)
		hooks_stepped();
	if (!count(regs.rip))
		return false;
	return syscall_answer(&regs);
}

static void keep_regs(void)
{
	struct user_regs_struct regs;

	if (!sandbox.ghost || ghost_get_regs(&regs))
		return;
	for (unsigned i = 0; i < GHOST_REGS; i++)
		sandbox.end.regs[i] = ghost_reg(&regs, i);
}

void run(void)
{
	int status;

	while (!sandbox.ended && go_on(&status))
		answer_stop(status);
	keep_regs();
	hooks_finish();
	sandbox.end.cpu_us = sandbox.cpu_ns / 1000;
	sandbox.end.wall_us = (now_ns() - sandbox.began_ns) / 1000;
}
