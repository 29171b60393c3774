/* The process of ours that takes back what has expired: `holdfast patch revert -p PID --expired --wait SECONDS`. */
#define _GNU_SOURCE
#include "switch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the folder of our library. */
static const char *const places[] = {"holdfast", "../bin/holdfast", "../../bin/holdfast", "../holdfast"};

static struct hf_err *find_beside(const char *library, char ret[PATH_MAX])
{
	char folder[PATH_MAX];
	char *slash;

	if (!realpath(library, folder) || !(slash = strrchr(folder, '/')))
		return hf_err(HF_IO, "%s cannot be found: %s", library, strerror(errno));
	slash[1] = 0;
	for (size_t i = 0; i < HF_LEN(places); i++) {
		int n = snprintf(ret, PATH_MAX, "%s%s", folder, places[i]);

		if (n > 0 && n < PATH_MAX && !access(ret, X_OK))
			return NULL;
	}
	return hf_err(HF_IO, "the program holdfast is not beside %s", library);
}

/* Our own program where this code is in it, else the one that belongs to the library. */
static struct hf_err *find_program(char ret[PATH_MAX])
{
	static const char mark;
	Dl_info info;
	ssize_t n;

	if (dladdr(&mark, &info) && info.dli_fname && strstr(info.dli_fname, ".so"))
		return find_beside(info.dli_fname, ret);
	n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	if (n < 0)
		return hf_err(HF_IO, "our own program cannot be found: %s", strerror(errno));
	ret[n] = 0;
	return NULL;
}

struct keeper {
	const char *path;
	char *const *words;
	int report; /* tells errno where the program cannot be executed, and then its pid */
};

/* Between fork and exec: async-signal-safe calls alone. */
static _Noreturn void become(const struct keeper *k)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), failed;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGHUP, SIG_IGN);
	if (null_fd >= 0)
		for (int fd = 0; fd <= 2; fd++)
			dup2(null_fd, fd);
	if (!chdir("/"))
		execv(k->path, k->words);
	failed = errno;
	_exit(write(k->report, &failed, sizeof(failed)) == sizeof(failed) ? 1 : 2);
}

/* A child's child, in a session of its own: nobody of ours has to wait for it. */
static _Noreturn void fork_again(const struct keeper *k, int pid_fd)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (!pid)
		become(k);
	_exit(pid > 0 && write(pid_fd, &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
}

static struct hf_err *start(struct keeper *k, pid_t *ret)
{
	_close_ int pid_read = -1, failed_read = -1;
	int pids[2], fails[2], failed = 0, got;
	pid_t child, pid = 0;

	if (pipe2(pids, O_CLOEXEC))
		return hf_err(HF_IO, "a process cannot be started: %s", strerror(errno));
	pid_read = pids[0];
	if (pipe2(fails, O_CLOEXEC)) {
		failed = errno;
		close(pids[1]);
		return hf_err(HF_IO, "a process cannot be started: %s", strerror(failed));
	}
	failed_read = fails[0];
	k->report = fails[1];
	child = fork();
	if (!child)
		fork_again(k, pids[1]);
	close(pids[1]);
	close(fails[1]);
	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	got = child > 0 && read(pid_read, &pid, sizeof(pid)) == sizeof(pid);
	if (!got)
		return hf_err(HF_IO, "a process cannot be started: %s", strerror(EAGAIN));
	if (read(failed_read, &failed, sizeof(failed)) == sizeof(failed))
		return hf_err(HF_IO, "%s cannot be executed: %s", k->path, strerror(failed));
	*ret = pid;
	return NULL;
}

struct hf_err *hf_keeper_start(pid_t target, double seconds, pid_t *ret)
{
	char path[PATH_MAX], pid[16], wait[32];
	char *const words[] = {(char *)"holdfast",
			       (char *)"patch",
			       (char *)"revert",
			       (char *)"-p",
			       pid,
			       (char *)"--expired",
			       (char *)"--wait",
			       wait,
			       NULL};
	struct keeper k = {.path = path, .words = words};

	HF_TRY(find_program(path));
	snprintf(pid, sizeof(pid), "%d", target);
	/* A whole number of seconds, past the moment. */
	snprintf(wait, sizeof(wait), "%.0f", seconds + 1);
	return start(&k, ret);
}
