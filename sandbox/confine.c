#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_MAX  (UINT64_C(1) << 30)
#define SECONDS_MAX 60
#define FILTER_MAX  4096
#define HURRY       1 /* the lowest of the priorities that come before all others */

static cpu_set_t all_cpus; /* that we may use */

/* It ends with the tool, holds nothing of it but the socket, and is sent no signal by a terminal. */
void confine_early(void)
{
	sigset_t all;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	syscall(SYS_close_range, (unsigned)sandbox.sock + 1, ~0u, 0);
}

static int limit(int what, uint64_t value)
{
	const struct rlimit l = {value, value};

	return setrlimit((__rlimit_resource_t)what, &l) ? errno : 0;
}

/* Of the ghost, too, which inherits them. */
int confine_limits(void)
{
	int failed = limit(RLIMIT_CORE, 0);

	failed = failed ? failed : limit(RLIMIT_FSIZE, 4096); /* the ghost's program is yet to be written */
	failed = failed ? failed : limit(RLIMIT_AS, MEMORY_MAX);
	return failed ? failed : limit(RLIMIT_CPU, SECONDS_MAX);
}

/* The target stands still until the ghost has its pages: both of us take turns on one processor, before all others, where
 * that may be asked for; and we before the ghost, to stop it. */
void confine_hurry(void)
{
	const struct sched_param first = {.sched_priority = HURRY + 1};
	cpu_set_t one;
	int cpu = sched_getcpu();

	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	CPU_ZERO(&one);
	if (cpu >= 0 && cpu < CPU_SETSIZE) {
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setscheduler(0, SCHED_RR, &first);
}

void confine_hurry_ghost(void)
{
	const struct sched_param second = {.sched_priority = HURRY};

	sched_setscheduler(0, SCHED_RR, &second);
}

void confine_relax(void)
{
	const struct sched_param none = {0};
	const pid_t both[] = {sandbox.ghost, 0}; /* the other way round, it would not let us go on */

	for (size_t i = 0; i < 2; i++) {
		sched_setscheduler(both[i], SCHED_OTHER, &none);
		sched_setaffinity(both[i], sizeof(all_cpus), &all_cpus);
	}
}

static int export(scmp_filter_ctx filter, uint8_t bytes[FILTER_MAX], size_t *ret)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), failed = fd < 0 ? -errno : 0;
	ssize_t n = 0;

	if (!failed)
		failed = seccomp_export_bpf(filter, fd);
	if (!failed)
		n = pread(fd, bytes, FILTER_MAX, 0);
	if (fd >= 0)
		close(fd);
	*ret = n > 0 && n < FILTER_MAX ? (size_t)n : 0;
	return failed ? -failed : *ret ? 0 : EIO;
}

/* None of its own system calls reaches the kernel; should one ever, then none but those that we run in it. */
int confine_ghost(void)
{
	static const int allowed[] = {SYS_mmap, SYS_munmap, SYS_mprotect};
	uint64_t at = sandbox.setup.scratch + GHOST_STACK_OFFSET;
	uint8_t *here = sandbox.memory + GHOST_STACK_OFFSET;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	struct sock_fprog program = {.filter = (void *)(at + sizeof(program))};
	size_t len = 0;
	int failed = filter ? 0 : ENOMEM;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed) && !failed; i++)
		failed = -seccomp_rule_add_exact(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!failed)
		failed = export(filter, here + sizeof(program), &len);
	if (filter)
		seccomp_release(filter);
	if (failed)
		return failed;
	program.len = (unsigned short)(len / sizeof(struct sock_filter));
	memcpy(here, &program, sizeof(program));
	failed = (int)-ghost_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, at, 0, 0, 0);
	memset(here, 0, sizeof(program) + len);
	return failed;
}

int confine_self(void)
{
	static const int allowed[] = {
		SYS_read,
		SYS_write,
		SYS_mmap,
		SYS_munmap,
		SYS_mremap,
		SYS_brk,
		SYS_madvise,
		SYS_wait4,
		SYS_rt_sigtimedwait,
		SYS_getrandom,
		SYS_exit,
		SYS_exit_group,
		SYS_clock_gettime,
		SYS_sysinfo, /* qsort asks how much memory there is */
		SYS_sched_setscheduler,
		SYS_sched_setaffinity,
	};
	static const int on_ghost[] = {SYS_ptrace, SYS_kill};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int failed = filter ? 0 : ENOMEM;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed) && !failed; i++)
		failed = -seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < sizeof(on_ghost) / sizeof(*on_ghost) && !failed; i++) {
		int arg = on_ghost[i] == SYS_ptrace ? 1 : 0;
		struct scmp_arg_cmp is_ghost = SCMP_CMP((unsigned)arg, SCMP_CMP_EQ, (uint64_t)sandbox.ghost);

		failed = -seccomp_rule_add(filter, SCMP_ACT_ALLOW, on_ghost[i], 1, is_ghost);
	}
	failed = failed ? failed : limit(RLIMIT_FSIZE, 0);
	failed = failed ? failed : limit(RLIMIT_NOFILE, 0);
	failed = failed ? failed : limit(RLIMIT_NPROC, 0);
	if (!failed)
		failed = -seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return failed;
}
