#define _GNU_SOURCE
#include "live.h"
#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PF_KTHREAD 0x00200000u /* Source: Linux include/linux/sched.h */

/* No address: bits 62 and 63 differ, so it is neither the user's nor the kernel's half. */
#define NO_ADDR (UINT64_C(1) << 62)

static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return !syscall(SYS_capget, &head, data) && data[cap / 32].effective >> cap % 32 & 1;
}

static int yama_scope(void)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};

	return hf_proc_read(AT_FDCWD, "/proc/sys/kernel/yama/ptrace_scope", &text) ? 0
										   : atoi(hf_str_get(&text));
}

struct hf_err *hf_live_not_permitted(const struct hf_live *live)
{
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	bool ptrace = has_capability(CAP_SYS_PTRACE);
	bool dac = has_capability(CAP_DAC_READ_SEARCH) || has_capability(CAP_DAC_OVERRIDE);
	uint64_t uid = 0;
	bool other, known = !hf_proc_read(live->proc_fd, "status", &status) &&
			    hf_proc_first_number(hf_str_get(&status), "Uid", &uid);
	int scope = yama_scope();

	other = known && uid != geteuid();
	if (scope >= 3)
		return hf_err(HF_NOTPERM,
			      "process %d cannot be read: /proc/sys/kernel/yama/ptrace_scope is %d, which "
			      "forbids it until "
			      "the next boot; write a core and read that",
			      live->pid, scope);
	if (!ptrace && !other && scope)
		return hf_err(
			HF_NOTPERM,
			"reading process %d needs CAP_SYS_PTRACE (in a container: --cap-add=SYS_PTRACE), as "
			"/proc/sys/kernel/yama/ptrace_scope is %d",
			live->pid, scope);
	if (!ptrace)
		return hf_err(HF_NOTPERM,
			      "CAP_SYS_PTRACE is needed to read process %d of user %" PRIu64
			      " (in a container: --cap-add=SYS_PTRACE)%s",
			      live->pid, uid,
			      other && !dac
				      ? "; /proc/PID/mem needs CAP_DAC_READ_SEARCH, too, as the user differs"
				      : "");
	if (other && !dac)
		return hf_err(HF_NOTPERM,
			      "CAP_DAC_READ_SEARCH is needed to open /proc/%d/mem of user %" PRIu64
			      " (in a container: --cap-add=DAC_READ_SEARCH)",
			      live->pid, uid);
	return hf_err(HF_NOTPERM,
		      "process %d cannot be read although we have CAP_SYS_PTRACE: a security module forbids "
		      "it, or it is "
		      "of an outer user namespace",
		      live->pid);
}

struct hf_err *hf_live_traced_by(pid_t tid, pid_t tracer)
{
	char path[32], comm[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", tracer);
	return hf_err(HF_TARGET, "process %d is being traced by process %d (%s): detach that first", tid,
		      tracer, hf_proc_comm(AT_FDCWD, path, comm, sizeof(comm)));
}

struct hf_err *hf_live_check_same(const struct hf_live *live)
{
	struct pollfd ended = {.fd = live->pid_fd, .events = POLLIN};
	struct hf_proc_stat stat;

	/* /proc/PID is open: it is that of the process, not of the number. */
	if (hf_proc_stat(live->proc_fd, "stat", &stat) || stat.start != live->start ||
	    (live->pid_fd >= 0 && poll(&ended, 1, 0) > 0))
		return hf_err(HF_TARGET, "process %d has ended", live->pid);
	return NULL;
}

struct hf_err *hf_live_check_memory(const struct hf_target *t)
{
	const struct hf_live *live = t->arg;
	char byte;

	/* Memory that an exec or exit left reads as empty; memory in use has no such address. */
	if (pread(live->mem_fd, &byte, 1, (off_t)NO_ADDR) == 0)
		return hf_err(HF_TARGET,
			      "%s has ended, or execed another program since it was opened: open it again",
			      t->label);
	return NULL;
}

static struct hf_err *open_proc(struct hf_live *live)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", live->pid);
	live->proc_fd = live->pid > 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (live->proc_fd >= 0)
		return NULL;
	if (live->pid > 0 && (!kill(live->pid, 0) || errno == EPERM))
		return hf_err(
			HF_NOTPERM,
			"process %d is hidden (/proc is mounted with hidepid): ask as root, or its user",
			live->pid);
	return hf_err(HF_TARGET, "no such process: %d", live->pid);
}

/* Says no to what is not a process of its own that we may stop. */
static struct hf_err *check_process(struct hf_live *live)
{
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	struct hf_proc_stat stat = {0};
	uint64_t leader = 0, tracer = 0;
	int failed = hf_proc_read(live->proc_fd, "status", &status);

	if (!failed)
		failed = hf_proc_stat(live->proc_fd, "stat", &stat);
	if (failed == EACCES || failed == EPERM)
		return hf_live_not_permitted(live);
	if (failed == ENOMEM)
		return hf_err_nomem();
	if (failed)
		return hf_err(HF_TARGET, "no such process: %d (%s)", live->pid, strerror(failed));
	hf_proc_first_number(hf_str_get(&status), "Tgid", &leader);
	hf_proc_first_number(hf_str_get(&status), "TracerPid", &tracer);
	if ((pid_t)leader == getpid())
		return hf_err(HF_TARGET, "process %d is this very program", live->pid);
	if ((pid_t)leader != live->pid)
		return hf_err(HF_TARGET, "%d is a thread of process %" PRIu64 ": ask for that", live->pid,
			      leader);
	if (stat.flags & PF_KTHREAD)
		return hf_err(HF_TARGET, "process %d is a kernel thread: it has no memory of its own",
			      live->pid);
	if (tracer && !live->held)
		return hf_live_traced_by(live->pid, (pid_t)tracer);
	if (!tracer && live->held)
		return hf_err(HF_TARGET, "process %d is held by no debugger", live->pid);
	live->start = stat.start;
	live->our_child = stat.parent == getpid();
	return NULL;
}

/* A leader that has ended has no memory any more; the threads that it left have. */
static struct hf_err *open_task(struct hf_live *live)
{
	struct hf_proc_stat stat;
	const struct dirent *entry;
	char name[300];
	DIR *dir;
	int fd;

	if (!hf_proc_stat(live->proc_fd, "stat", &stat) && stat.state != 'Z' && stat.state != 'X') {
		live->task_fd = openat(live->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (live->task_fd >= 0)
			return NULL;
	}
	fd = openat(live->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	while (dir && live->task_fd < 0 && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "task/%s/stat", entry->d_name);
		if (entry->d_name[0] == '.' || hf_proc_stat(live->proc_fd, name, &stat) ||
		    stat.state == 'Z' || stat.state == 'X')
			continue;
		snprintf(name, sizeof(name), "task/%s", entry->d_name);
		live->task_fd = openat(live->proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return live->task_fd >= 0 ? NULL
				  : hf_err(HF_TARGET, "process %d has ended (it is a zombie)", live->pid);
}

struct hf_err *hf_live_open_fds(struct hf_live *live)
{
	HF_TRY(open_proc(live));
	live->pid_fd = (int)syscall(SYS_pidfd_open, live->pid, 0);
	/* That the directory still answers shows that the number was not used again before pidfd_open. */
	HF_TRY(check_process(live));
	HF_TRY(open_task(live));
	live->mem_fd = openat(live->task_fd, "mem", O_RDONLY | O_CLOEXEC);
	if (live->mem_fd < 0 && (errno == EACCES || errno == EPERM))
		return hf_live_not_permitted(live);
	if (live->mem_fd < 0)
		return hf_err(HF_TARGET, "the memory of process %d cannot be opened: %s", live->pid,
			      strerror(errno));
	live->pagemap_fd = openat(live->task_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	return NULL;
}
