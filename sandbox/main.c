#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET      3 /* that the tool left us */
#define STACK_ROOM  GHOST_PAGE
#define FLAGS_CLEAR 0x202 /* interrupts, and the bit that is always set */

struct sandbox sandbox = {.sock = SOCKET};

static int prepare(const char **what)
{
	int failed = EPROTO;

	*what = "the protocol";
	if (sandbox.setup.protocol == GHOST_PROTOCOL)
		failed = ghost_make(what);
	if (failed)
		return failed;
	*what = "the ghost's confinement";
	failed = confine_ghost();
	if (failed)
		return failed;
	*what = "its processor's clock";
	failed = run_measure();
	if (failed)
		return failed;
	*what = "its own confinement";
	return confine_self();
}

static int read_job(void)
{
	size_t len;

	wire_read(&sandbox.job.head, sizeof(sandbox.job.head));
	len = job_lists(&sandbox.job.head);
	if (!len)
		return errno;
	sandbox.job.bytes = malloc(len);
	if (!sandbox.job.bytes)
		return ENOMEM;
	wire_read(sandbox.job.bytes, len);
	return job_parse(&sandbox.job, &sandbox.setup);
}

static int set_regs(void)
{
	const struct ghost_job *job = &sandbox.job.head;
	const uint64_t *r = job->regs;
	struct user_regs_struct regs;
	uint64_t scratch = sandbox.setup.scratch, rsp = r[GHOST_RSP], ret = scratch + GHOST_RETURN_OFFSET;
	int failed = ghost_get_regs(&regs);

	if (failed)
		return failed;
	rsp = rsp ? rsp : scratch + GHOST_SCRATCH - STACK_ROOM - 8;
	memcpy(sandbox.memory + (rsp - scratch), &ret, sizeof(ret));
	regs = (struct user_regs_struct){
		.rax = r[GHOST_RAX],
		.rbx = r[GHOST_RBX],
		.rcx = r[GHOST_RCX],
		.rdx = r[GHOST_RDX],
		.rsi = r[GHOST_RSI],
		.rdi = r[GHOST_RDI],
		.rbp = r[GHOST_RBP],
		.rsp = rsp,
		.r8 = r[GHOST_R8],
		.r9 = r[GHOST_R9],
		.r10 = r[GHOST_R10],
		.r11 = r[GHOST_R11],
		.r12 = r[GHOST_R12],
		.r13 = r[GHOST_R13],
		.r14 = r[GHOST_R14],
		.r15 = r[GHOST_R15],
		.rip = job->rip,
		.eflags = FLAGS_CLEAR,
		.orig_rax = (uint64_t)-1,
		.cs = regs.cs,
		.ss = regs.ss,
		.ds = regs.ds,
		.es = regs.es,
		.fs = regs.fs,
		.gs = regs.gs,
		.fs_base = job->fs_base,
		.gs_base = job->gs_base,
	};
	return ghost_set_regs(&regs);
}

/* The tool's own stores come before the page is looked at for the first time: they are no change. */
static bool apply_writes(void)
{
	for (uint32_t i = 0; i < sandbox.job.head.writes_n; i++) {
		const struct ghost_write *w = &sandbox.job.writes[i];

		for (uint32_t o = 0; o < w->len; o++) {
			struct page *page;

			if (!pages_reach(w->addr + o, 0, &page))
				return false;
			page_bytes(page)[(w->addr + o) % GHOST_PAGE] = w->bytes[o];
		}
	}
	return true;
}

static void run_job(void)
{
	int failed = read_job();

	failed = failed ? failed : maps_fill();
	sandbox.began_ns = now_ns();
	if (failed) {
		end_run(GHOST_END_BROKEN, 0, 0, (uint64_t)failed);
		return;
	}
	hooks_fill();
	if (!pages_fill() || !apply_writes())
		return;
	failed = set_regs();
	if (failed)
		end_run(GHOST_END_BROKEN, 0, 0, (uint64_t)failed);
	run();
}

int main(void)
{
	struct ghost_ready ready = {.protocol = GHOST_PROTOCOL};
	const char *what = "";

	confine_early();
	wire_read(&sandbox.setup, sizeof(sandbox.setup));
	ready.error = prepare(&what);
	snprintf(ready.what, sizeof(ready.what), "%s", ready.error ? what : "");
	wire_write(&ready, sizeof(ready));
	if (ready.error)
		return 1;
	run_job();
	tell_end();
	return 0;
}
