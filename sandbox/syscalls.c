#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define RANDOM_MAX 256u

struct call {
	uint64_t number, pc;
	const uint64_t *args;
	uint64_t result;
};

/* It is answered, it would wait, or nobody but the kernel could say what it does. False where the run is over. */
enum answer { ANSWERED, WAITS, FORBIDDEN, OVER };

static bool waits_always(uint64_t number)
{
	switch (number) {
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_pause:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
#ifdef SYS_futex_waitv
	case SYS_futex_waitv:
#endif
	case SYS_wait4:
	case SYS_waitid:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
		return true;
	default:
		return false;
	}
}

/* Nobody waits in the ghost, so nobody is woken; a wait for what has changed already does not wait. */
static enum answer answer_futex(struct call *c)
{
	uint32_t value;

	switch (c->args[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		c->result = 0;
		return ANSWERED;
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (!pages_load(c->args[0], &value, sizeof(value), c->pc))
			return OVER;
		c->result = (uint64_t)-EAGAIN;
		return value == (uint32_t)c->args[2] ? WAITS : ANSWERED;
	case FUTEX_LOCK_PI:
		return WAITS;
	default:
		return FORBIDDEN;
	}
}

static enum answer store(struct call *c, uint64_t addr, const void *bytes, size_t len)
{
	if (!addr)
		return ANSWERED;
	return pages_store(addr, bytes, len, c->pc) ? ANSWERED : OVER;
}

static enum answer answer_time(struct call *c)
{
	struct timespec ts;
	struct timeval tv;
	clockid_t clock = c->number == SYS_clock_gettime ? (clockid_t)c->args[0] : CLOCK_REALTIME;

	/* Of clocks of processes we have others than the function asks for. */
	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID ||
	    clock_gettime(clock, &ts))
		return FORBIDDEN;
	tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
	c->result = c->number == SYS_time ? (uint64_t)ts.tv_sec : 0;
	if (c->number == SYS_clock_gettime)
		return store(c, c->args[1], &ts, sizeof(ts));
	if (c->number == SYS_time)
		return store(c, c->args[0], &ts.tv_sec, sizeof(ts.tv_sec));
	return c->args[1] ? FORBIDDEN : store(c, c->args[0], &tv, sizeof(tv));
}

static enum answer answer_random(struct call *c)
{
	uint8_t bytes[RANDOM_MAX];

	if (c->args[1] > sizeof(bytes) || getrandom(bytes, c->args[1], GRND_NONBLOCK) < 0)
		return FORBIDDEN;
	c->result = c->args[1];
	return store(c, c->args[0], bytes, c->args[1]);
}

/* No signal ever comes, so a mask is a number that is given back. */
static enum answer answer_mask(struct call *c)
{
	uint64_t before = sandbox.signal_mask, set;

	if (c->args[3] != sizeof(set))
		return FORBIDDEN;
	if (c->args[1]) {
		if (!pages_load(c->args[1], &set, sizeof(set), c->pc))
			return OVER;
		if (c->args[0] == SIG_BLOCK)
			sandbox.signal_mask |= set;
		else if (c->args[0] == SIG_UNBLOCK)
			sandbox.signal_mask &= ~set;
		else
			sandbox.signal_mask = set;
	}
	c->result = 0;
	return store(c, c->args[2], &before, sizeof(before));
}

static enum answer answer(struct call *c)
{
	const struct ghost_job *job = &sandbox.job.head;

	c->result = 0;
	switch (c->number) {
	case SYS_getpid:
		c->result = (uint64_t)job->pid;
		return ANSWERED;
	case SYS_gettid:
		c->result = (uint64_t)job->tid;
		return ANSWERED;
	case SYS_sched_yield:
		return ANSWERED;
	case SYS_futex:
		return answer_futex(c);
	case SYS_clock_gettime:
	case SYS_gettimeofday:
	case SYS_time:
		return answer_time(c);
	case SYS_getrandom:
		return answer_random(c);
	case SYS_rt_sigprocmask:
		return answer_mask(c);
	default:
		break;
	}
	if (memcall_answer(c->number, c->args, &c->result))
		return ANSWERED;
	if (sandbox.ended)
		return OVER;
	return waits_always(c->number) ? WAITS : FORBIDDEN;
}

/* Of another machine's numbering (int 0x80, x32) no number means what it seems to. */
static bool is_native(uint64_t number)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, sandbox.ghost, (void *)sizeof(info), &info) > 0 &&
	       info.arch == AUDIT_ARCH_X86_64 && number < 0x40000000u;
}

static bool end_by_call(enum ghost_end_kind kind, const struct call *c)
{
	if (!sandbox.ended)
		for (unsigned i = 0; i < 6; i++)
			sandbox.end.args[i] = c->args[i];
	return end_run(kind, c->pc, 0, c->number);
}

bool syscall_answer(struct user_regs_struct *regs)
{
	const uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
	struct call c = {.number = regs->orig_rax, .pc = regs->rip - 2, .args = args};
	struct ghost_event event = {.kind = GHOST_EVENT_SYSCALL, .number = c.number, .pc = c.pc};
	enum answer how = is_native(c.number) ? answer(&c) : FORBIDDEN;

	if (how == OVER)
		return false;
	if (how != ANSWERED)
		return end_by_call(how == WAITS ? GHOST_END_BLOCKS : GHOST_END_SYSCALL, &c);
	event.tag = sandbox.window.open ? sandbox.window.hook->tag : GHOST_NO_TAG;
	event.result = c.result;
	for (unsigned i = 0; i < 6; i++)
		event.args[i] = args[i];
	event_add(&event);
	regs->rax = c.result;
	regs->orig_rax = (uint64_t)-1;
	return ghost_set_regs(regs) ? end_run(GHOST_END_BROKEN, c.pc, 0, EIO) : true;
}
