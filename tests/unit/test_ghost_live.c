/* Dry runs of functions of a live C program, that knows nothing of it. */
#define _GNU_SOURCE
#include "ghost_make.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(ghost_live, .timeout = 120);

struct live {
	pid_t pid;
	FILE *says;
	char names[32][24];
	uint64_t values[32];
	size_t n;
	struct hf_target *t;
	struct hf_ghost *g;
	struct hf_ghost_job job;
	struct hf_ghost_run run;
	double hold_s;
};

static uint64_t value(const struct live *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->names[i], name))
			return l->values[i];
	cr_assert_fail("the victim has no '%s'", name);
	return 0;
}

static uint64_t beats(const struct live *l)
{
	uint64_t v = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mem", l->pid);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	fseek(f, (long)value(l, "beats"), SEEK_SET);
	cr_assert_eq(fread(&v, sizeof(v), 1, f), 1);
	fclose(f);
	return v;
}

static bool goes_on(const struct live *l)
{
	uint64_t before = beats(l);

	for (int i = 0; i < 5000 && beats(l) == before; i++)
		usleep(1000);
	return beats(l) != before;
}

static struct live *start(void)
{
	struct live *l = hf_calloc(1, sizeof(*l));
	char self[4096], line[128], *argv[] = {self, NULL}, *env[] = {NULL};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 32);
	posix_spawn_file_actions_t actions;
	int out[2];

	cr_assert_gt(n, 0);
	self[n] = '\0';
	strcpy(strrchr(self, '/') + 1, "victim_constructors");
	cr_assert_eq(pipe(out), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addclose(&actions, out[0]);
	cr_assert_eq(posix_spawn(&l->pid, self, &actions, NULL, argv, env), 0, "%s does not start", self);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	l->says = fdopen(out[0], "r");
	while (fgets(line, sizeof(line), l->says) && strcmp(line, "ready\n"))
		if (l->n < HF_LEN(l->names) &&
		    sscanf(line, "%23s 0x%lx", l->names[l->n], &l->values[l->n]) == 2)
			l->n++;
	return l;
}

static void hook_on(struct live *l, const char *name, enum ghost_hook_kind kind, struct ghost_hook h)
{
	h.addr = value(l, name);
	h.kind = kind;
	h.tag = (uint32_t)l->job.hooks.n;
	h.info = GHOST_REG_NONE;
	assert_ok(hf_vec_push(&l->job.hooks, h));
}

static void prepare_job(struct live *l, const char *function)
{
	enum { NONE = GHOST_REG_NONE };

	hook_on(l, "malloc", GHOST_HOOK_ALLOCATE,
		(struct ghost_hook){.size = GHOST_RDI, .count = NONE, .old = NONE, .out = NONE});
	hook_on(l, "calloc", GHOST_HOOK_ALLOCATE,
		(struct ghost_hook){.size = GHOST_RDI, .count = GHOST_RSI, .old = NONE, .out = NONE});
	hook_on(l, "realloc", GHOST_HOOK_ALLOCATE,
		(struct ghost_hook){.size = GHOST_RSI, .count = NONE, .old = GHOST_RDI, .out = NONE});
	hook_on(l, "free", GHOST_HOOK_FREE,
		(struct ghost_hook){.size = GHOST_RDI, .count = NONE, .old = NONE, .out = NONE});
	hook_on(l, "posix_memalign", GHOST_HOOK_ALLOCATE,
		(struct ghost_hook){.size = GHOST_RDX, .count = NONE, .old = NONE, .out = GHOST_RDI});
	l->job.rip = value(l, function);
	l->job.object_size = 64;
	l->job.regs[GHOST_RDI] = hf_ghost_scratch(l->g) + GHOST_OBJECT_OFFSET;
	l->job.cpu_us = l->job.cpu_us ? l->job.cpu_us : 50000;
	l->job.alloc_bytes = 4 << 20;
}

/* Stops the victim and runs one of its functions on a fresh object of 64 bytes. */
static struct hf_err *try_dry_run(struct live *l, const char *function)
{
	HF_TRY(hf_target_open_pid(l->pid, &l->t));
	HF_TRY(hf_ghost_start(l->t, &l->g));
	prepare_job(l, function);
	HF_TRY(hf_target_stop(l->t));
	l->job.fs_base = l->t->threads.at[0].regs.tls;
	return hf_ghost_run(l->g, &l->job, l->hold_s > 0 ? l->hold_s : 2.0, NULL, &l->run);
}

static const struct ghost_end *dry_run(struct live *l, const char *function)
{
	assert_ok(try_dry_run(l, function));
	cr_assert_not(l->t->stopped);
	return &l->run.end;
}

static void free_live(struct live *l)
{
	hf_ghost_stop(l->g);
	hf_ghost_run_deinit(&l->run);
	hf_ghost_job_deinit(&l->job);
	hf_target_close(l->t);
	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
	fclose(l->says);
	hf_free(l);
}

static void end(struct live *l)
{
	cr_assert(goes_on(l), "the victim stands still");
	free_live(l);
}

/* Changes that no allocator made, by where they are. */
static size_t others(const struct live *l, uint64_t addr, uint64_t len)
{
	size_t n = 0;

	hf_vec_each(&l->run.changes, c)
		n += !c->by_allocator && c->addr + c->len > addr && c->addr < addr + len;
	return n;
}

Test(ghost_live, object_is_filled_and_nothing_else)
{
	struct live *l = start();
	const struct ghost_end *e = dry_run(l, "plain");
	uint8_t object[64], want[64];

	assert_end(e, RETURNED);
	cr_assert_eq(e->regs[GHOST_RAX], l->job.regs[GHOST_RDI]);
	cr_assert_eq(l->run.changes.n, 0);
	cr_assert_eq(l->run.allocations.n, 0);
	memset(want, 1, sizeof(want));
	cr_assert(hf_ghost_run_read(&l->run, e->regs[GHOST_RAX], object, sizeof(object)));
	cr_assert_arr_eq(object, want, sizeof(want));
	cr_assert_gt(l->run.held_s, 0);
	end(l);
}

/* What each asks for is told, with the caller; what it filled is there to read; but for its object and its allocations no
 * byte is changed by anyone but the allocator. */
static void expect_allocated(const char *function, uint64_t bytes, uint8_t filling)
{
	struct live *l = start();
	const struct ghost_end *e = dry_run(l, function);
	const struct ghost_allocation *a;
	uint64_t extra;
	uint8_t last;

	assert_end(e, RETURNED);
	cr_assert_eq(l->run.allocations.n, 1, "%s: %zu allocations", function, l->run.allocations.n);
	a = &l->run.allocations.at[0];
	cr_assert_eq(a->bytes, bytes);
	cr_assert_eq(e->allocated_bytes, bytes);
	cr_assert_lt(a->caller - value(l, function), 256);
	cr_assert(hf_ghost_run_read(&l->run, e->regs[GHOST_RAX], &extra, 8));
	cr_assert_eq(extra, a->addr);
	cr_assert(hf_ghost_run_read(&l->run, a->addr + 90, &last, 1));
	cr_assert_eq(last, filling);
	cr_assert_eq(others(l, a->addr - 16, bytes + 16), 0);
	cr_assert_eq(others(l, value(l, "counter"), 8), 0);
	end(l);
}

Test(ghost_live, small_block_is_told)
{
	expect_allocated("small", 100, 2);
}

Test(ghost_live, larger_block_is_told)
{
	expect_allocated("middling", 100000, 3);
}

Test(ghost_live, block_of_its_own_mapping_is_told)
{
	expect_allocated("mapped", 1 << 20, 4);
}

Test(ghost_live, blocks_that_are_freed_again_do_not_count)
{
	struct live *l = start();
	const struct ghost_end *e = dry_run(l, "many");

	assert_end(e, RETURNED);
	cr_assert_eq(l->run.allocations.n, 20);
	hf_vec_each(&l->run.allocations, a)
		cr_assert_eq(a->bytes, 48);
	cr_assert_eq(e->allocated_bytes, 20 * 48 + 10 + 2000);
	cr_assert_eq(e->freed_bytes, 10 + 2000);
	cr_assert_eq(l->run.events.n, 0);
	end(l);
}

Test(ghost_live, block_that_is_given_out_by_a_pointer_is_told)
{
	struct live *l = start();
	const struct ghost_end *e = dry_run(l, "aligned");

	assert_end(e, RETURNED);
	cr_assert_eq(l->run.allocations.n, 1);
	cr_assert_eq(l->run.allocations.at[0].bytes, 256);
	cr_assert_eq(l->run.allocations.at[0].addr % 64, 0);
	end(l);
}

Test(ghost_live, stores_to_what_existed_are_changes)
{
	struct live *l = start();
	const struct ghost_change *c;

	assert_end(dry_run(l, "counts"), RETURNED);
	cr_assert_eq(l->run.changes.n, 1);
	c = &l->run.changes.at[0];
	cr_assert_eq(c->addr, value(l, "counter"));
	cr_assert_eq(hf_load_u64(c->before), 0);
	cr_assert_eq(hf_load_u64(c->after), 1);
	cr_assert_lt(c->writer - value(l, "counts"), 64);
	end(l);
	l = start();
	assert_end(dry_run(l, "registers"), RETURNED);
	cr_assert_eq(others(l, value(l, "registry"), 32), 1);
	end(l);
	l = start();
	assert_end(dry_run(l, "overruns"), RETURNED);
	cr_assert_eq(others(l, l->job.regs[GHOST_RDI] + 64, 8), 1);
	cr_assert_eq(l->run.changes.n, 1);
	end(l);
}

Test(ghost_live, freeing_what_existed_is_told)
{
	struct live *l = start();

	assert_end(dry_run(l, "frees"), RETURNED);
	cr_assert_eq(l->run.events.n, 1);
	cr_assert_eq(l->run.events.at[0].kind, GHOST_EVENT_FREE);
	cr_assert_eq(l->run.events.at[0].number, value(l, "kept"));
	end(l);
}

Test(ghost_live, free_lock_and_own_number_are_no_reason_to_end)
{
	struct live *l = start();
	const struct ghost_end *e = dry_run(l, "locks");
	uint64_t words[2];

	assert_end(e, RETURNED);
	cr_assert(hf_ghost_run_read(&l->run, e->regs[GHOST_RAX], words, sizeof(words)));
	cr_assert_eq(words[1], (uint64_t)l->pid);
	end(l);
}

Test(ghost_live, what_is_against_the_rules_ends_it)
{
	static const struct {
		const char *function;
		enum ghost_end_kind kind;
		uint64_t number;
	} cases[] = {
		{"shares", GHOST_END_SHARED, 0},
		{"writes", GHOST_END_SYSCALL, 1},
		{"spins", GHOST_END_CPU, 0},
		{"waits", GHOST_END_BLOCKS, 202},
		{"recurses", GHOST_END_FAULT, SIGSEGV},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct live *l = start();
		const struct ghost_end *e = dry_run(l, cases[i].function);

		cr_assert_eq(e->kind, cases[i].kind, "%s: %s", cases[i].function, end_name(e));
		cr_assert_eq(e->number, cases[i].number, "%s: %" PRIu64, cases[i].function, e->number);
		cr_assert_neq(e->pc, 0);
		if (e->kind == GHOST_END_SHARED)
			cr_assert_eq(e->addr, value(l, "shared"));
		end(l);
	}
}

/* It is held no longer than that, though the function spins for far longer; which ends by its own clock all the same. */
Test(ghost_live, target_goes_on_while_the_ghost_spins)
{
	struct live *l = start();
	const struct ghost_end *e;

	l->job.cpu_us = 300000;
	l->hold_s = 0.005;
	e = dry_run(l, "spins");
	assert_end(e, CPU);
	cr_assert_geq(e->cpu_us, 299000);
	cr_assert_lt(e->cpu_us, 400000);
	cr_assert_lt(l->run.held_s, 0.25, "held for %f s", l->run.held_s);
	end(l);
}

/* ---- ends in the middle --------------------------------------------------------------------------------- */

static bool exists(pid_t pid)
{
	char path[64], line[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return line[0] && !strstr(line, ") Z ");
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	pid_t child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &child) != 1)
		child = 0;
	if (f)
		fclose(f);
	return child;
}

static pid_t last_child_of(pid_t pid)
{
	char path[64];
	pid_t child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &child) == 1)
		;
	if (f)
		fclose(f);
	return child;
}

static pid_t wait_child(pid_t pid)
{
	for (int i = 0; i < 5000; i++) {
		pid_t child = child_of(pid);

		if (child)
			return child;
		usleep(1000);
	}
	return 0;
}

static void expect_gone(pid_t pid, const char *what)
{
	for (int i = 0; i < 5000 && exists(pid); i++)
		usleep(1000);
	cr_assert_not(exists(pid), "the %s %d is still there", what, pid);
}

/* In a child of the test: a tool that is in the middle of a dry run. */
static pid_t start_tool(struct live *l, const char *function)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid) {
		struct hf_err *err;

		l->job.cpu_us = 20000000;
		l->hold_s = 20;
		err = try_dry_run(l, function);
		_exit(hf_err_code(err) == HF_IO ? 42 : 43);
	}
	return pid;
}

Test(ghost_live, killed_tool_leaves_nothing_behind)
{
	for (int i = 0; i < 10; i++) {
		struct live *l = start();
		pid_t tool = start_tool(l, "spins"), sandbox = wait_child(tool), ghost;

		cr_assert(sandbox);
		ghost = i % 2 ? wait_child(sandbox) : 0;
		usleep((useconds_t)i * 3000);
		kill(tool, SIGKILL);
		waitpid(tool, NULL, 0);
		expect_gone(sandbox, "sandbox");
		if (ghost)
			expect_gone(ghost, "ghost");
		end(l);
	}
}

Test(ghost_live, killed_sandbox_is_an_error_and_lets_the_target_go)
{
	struct live *l = start();
	pid_t tool = start_tool(l, "spins"), sandbox = wait_child(tool), ghost = wait_child(sandbox);
	int status;

	cr_assert(sandbox && ghost);
	usleep(100000);
	kill(sandbox, SIGKILL);
	cr_assert_eq(waitpid(tool, &status, 0), tool);
	cr_assert_eq(WEXITSTATUS(status), 42, "the tool ended with %d", WEXITSTATUS(status));
	expect_gone(ghost, "ghost");
	end(l);
}

/* A sandbox that stands still says nothing: neither the target nor the tool waits for it for long. */
Test(ghost_live, sandbox_that_hangs_holds_nobody)
{
	struct live *l = start();
	struct hf_err *err;
	double began;

	assert_ok(hf_target_open_pid(l->pid, &l->t));
	assert_ok(hf_ghost_start(l->t, &l->g));
	prepare_job(l, "small");
	l->job.cpu_us = 1000;
	kill(last_child_of(getpid()), SIGSTOP); /* the sandbox came after the victim */
	assert_ok(hf_target_stop(l->t));
	began = hf_now();
	err = hf_ghost_run(l->g, &l->job, 0.01, NULL, &l->run);
	cr_assert_eq(hf_err_code(err), HF_IO, "%s", hf_err_message(err));
	hf_err_destroy(err);
	cr_assert_lt(hf_now() - began, 20);
	cr_assert_lt(l->run.held_s, 1, "held for %f s", l->run.held_s);
	end(l);
}

Test(ghost_live, killed_target_is_an_error)
{
	struct live *l = start();
	struct hf_err *err;

	assert_ok(hf_target_open_pid(l->pid, &l->t));
	assert_ok(hf_ghost_start(l->t, &l->g));
	prepare_job(l, "small");
	assert_ok(hf_target_stop(l->t));
	kill(l->pid, SIGKILL);
	usleep(20000);
	err = hf_ghost_run(l->g, &l->job, 1.0, NULL, &l->run);
	cr_assert(hf_err_code(err) == HF_TARGET || (!err && l->run.end.kind == GHOST_END_ABSENT), "%s",
		  hf_err_message(err));
	hf_err_destroy(err);
	free_live(l);
}

Test(ghost_live, interrupt_ends_it_at_once)
{
	struct live *l = start();
	struct hf_err *err;

	assert_ok(hf_target_open_pid(l->pid, &l->t));
	assert_ok(hf_ghost_start(l->t, &l->g));
	prepare_job(l, "spins");
	assert_ok(hf_target_stop(l->t));
	hf_interrupt();
	err = hf_ghost_run(l->g, &l->job, 1.0, NULL, &l->run);
	hf_interrupt_clear();
	cr_assert_eq(hf_err_code(err), HF_INTERRUPTED, "%s", hf_err_message(err));
	cr_assert_not(l->t->stopped);
	hf_err_destroy(err);
	end(l);
}
