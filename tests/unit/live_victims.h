/* Live targets are children of the test. A victim prepares, says so on a pipe, and then does what its test needs. */
#ifndef HF_TEST_LIVE_VICTIMS_H
#define HF_TEST_LIVE_VICTIMS_H

#include "../../src/base/workers.h"
#include "../../src/target/live.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)HF_ARCH_PAGE)
#define MEGA ((size_t)1 << 20)

/* Shared between the test and its victims. */
struct shared {
	_Atomic uint64_t counter, signals, wrong;
	_Atomic int go, tid;
};

static struct shared *shared;
static int ready_pipe[2];

static inline void say_ready(void)
{
	if (write(ready_pipe[1], "r", 1) != 1)
		_exit(9);
}

static inline void wait_ready(void)
{
	struct pollfd p = {.fd = ready_pipe[0], .events = POLLIN};
	char c;

	cr_assert_eq(poll(&p, 1, 20000), 1, "the victim does not get ready");
	cr_assert_eq(read(ready_pipe[0], &c, 1), 1);
}

static inline void sleep_on(void)
{
	for (;;)
		pause();
}

typedef void victim_fn(void *arg);

static inline pid_t start(victim_fn *fn, void *arg)
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

static inline void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
}

static inline char state_of(pid_t pid)
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
static inline uint64_t status_of(pid_t pid, const char *key)
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

static inline void wait_state(pid_t pid, const char *states)
{
	for (int i = 0; i < 20000 && !strchr(states, state_of(pid)); i++)
		usleep(500);
	cr_assert(strchr(states, state_of(pid)), "process %d is in state %c, not one of %s", pid,
		  state_of(pid), states);
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

static inline struct hf_target *open_live(pid_t pid)
{
	struct hf_target *t = NULL;

	assert_ok(hf_target_open_pid(pid, &t));
	return t;
}

static inline void setup(void)
{
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(shared, MAP_FAILED);
	cr_assert_eq(pipe2(ready_pipe, O_CLOEXEC), 0);
	hf_interrupt_clear();
}

static inline uint8_t *map_pages(size_t bytes)
{
	uint8_t *p =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

static inline void sleeper(void *arg)
{
	(void)arg;
	say_ready();
	sleep_on();
}

static inline void count_up(void *arg)
{
	(void)arg;
	say_ready();
	for (;;)
		shared->counter++;
}

static inline bool counter_moves(void)
{
	uint64_t was = shared->counter;

	for (int i = 0; i < 20000; i++) {
		if (shared->counter != was)
			return true;
		usleep(500);
	}
	return false;
}

#endif
