#define _GNU_SOURCE
#include "ghost.h"

#include "../base/workers.h"
#include "ghost_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_SECONDS 10.0 /* to start: a busy machine is slow, and nothing is held meanwhile */
#define SANDBOX_FD    3
/* Where the ghost's own memory may be: above what programs are linked at, below where the kernel puts things of its own. */
#define LOWEST      UINT64_C(0x20000000)
#define HIGHEST     UINT64_C(0x7e0000000000)
#define TASK_END    UINT64_C(0x7ffffffff000)
#define VDSO_MAX    65536u
#define WALL_US     UINT64_C(1000000) /* that a run may take on the clock, besides ten times its processor time */
#define GRACE_S     2.0               /* after which a sandbox that should have ended is broken */
#define END_SECONDS 5.0

struct hf_ghost {
	struct hf_target *t;
	pid_t pid;
	int pid_fd, fd;
	struct ghost_setup setup;
	bool used;
};

/* ---- start --------------------------------------------------------------------------------------------- */

static struct hf_err *find_scratch(const struct hf_target *t, uint64_t *ret)
{
	uint64_t at = LOWEST;

	hf_vec_each(&t->maps, m) {
		/* A page on both sides stays free: to run past an end is a fault. */
		if (m->start > at && m->start - at >= GHOST_SCRATCH + 2 * GHOST_PAGE)
			break;
		at = hf_max(at, m->end);
	}
	if (at > HIGHEST)
		return hf_err(HF_UNSUPPORTED, "there is no room for a dry run in the address space of %s",
			      t->label);
	*ret = at + GHOST_PAGE;
	return NULL;
}

/* The kernel's code for reading clocks is moved to where the target has it, if that is the very same code. */
static void find_vdso(struct hf_target *t, struct ghost_setup *setup)
{
	const uint8_t *ours = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const struct hf_map *vdso = NULL;
	_free_ uint8_t *theirs = NULL;
	size_t size;

	hf_vec_each(&t->maps, m)
		if (!strcmp(m->path, "[vdso]"))
			vdso = m;
	if (!vdso || !ours || vdso->end - vdso->start > VDSO_MAX)
		return;
	size = (size_t)(vdso->end - vdso->start);
	theirs = hf_malloc(size);
	if (!theirs || hf_err_ignore(hf_target_read(t, vdso->start, theirs, size)) ||
	    memcmp(theirs, ours, GHOST_PAGE))
		return;
	setup->vdso = vdso->start;
	setup->vdso_size = size;
}

/* Nothing of ours goes with it but its end of the socket: no environment, no signals, no terminal. */
static struct hf_err *spawn(const char *program, int fd, pid_t *ret)
{
	char *const argv[] = {(char *)"holdfast-sandbox", NULL}, *const env[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int failed;

	sigfillset(&all);
	sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions))
		return hf_err_nomem();
	if (posix_spawnattr_init(&attr)) {
		posix_spawn_file_actions_destroy(&actions);
		return hf_err_nomem();
	}
	posix_spawn_file_actions_adddup2(&actions, fd, SANDBOX_FD);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	failed = posix_spawn(ret, program, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return failed ? hf_err(HF_IO, "%s cannot be started: %s", program, strerror(failed)) : NULL;
}

static struct hf_err *start_program(struct hf_ghost *g)
{
	_free_ char *program = NULL;
	_close_ int theirs = -1;
	int pair[2];

	HF_TRY(hf_ghost_find_program(&program));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return hf_err(HF_IO, "no socket for the sandbox: %s", strerror(errno));
	g->fd = pair[0];
	theirs = pair[1];
	HF_TRY(spawn(program, theirs, &g->pid));
	g->pid_fd = (int)syscall(SYS_pidfd_open, g->pid, 0);
	return NULL;
}

static struct hf_err *wait_ready(struct hf_ghost *g)
{
	struct ghost_ready ready;
	double deadline = hf_now() + READY_SECONDS;

	HF_TRY(hf_ghost_send(g->fd, &g->setup, sizeof(g->setup), deadline));
	HF_TRY(hf_ghost_receive(g->fd, &ready, sizeof(ready), deadline));
	ready.what[sizeof(ready.what) - 1] = '\0';
	if (ready.protocol != GHOST_PROTOCOL)
		return hf_err(HF_IO,
			      "the sandbox is of another version than this program: install both anew");
	if (ready.error)
		return hf_err(HF_IO, "the sandbox could not be made (%s): %s", ready.what,
			      strerror(ready.error));
	return NULL;
}

struct hf_err *hf_ghost_start(struct hf_target *t, struct hf_ghost **ret)
{
	struct hf_ghost *g = hf_calloc(1, sizeof(*g));
	struct hf_err *err;

	if (!g)
		return hf_err_nomem();
	g->t = t;
	g->fd = g->pid_fd = -1;
	g->setup.protocol = GHOST_PROTOCOL;
	err = find_scratch(t, &g->setup.scratch);
	if (!err)
		find_vdso(t, &g->setup);
	if (!err)
		err = start_program(g);
	if (!err)
		err = wait_ready(g);
	if (err) {
		hf_ghost_stop(g);
		return err;
	}
	*ret = g;
	return NULL;
}

void hf_ghost_stop(struct hf_ghost *g)
{
	int status;

	if (!g)
		return;
	if (g->fd >= 0)
		close(g->fd);
	/* By its descriptor where there is one: whoever else waits for our children may have let the number go. */
	if (g->pid_fd >= 0)
		syscall(SYS_pidfd_send_signal, g->pid_fd, SIGKILL, NULL, 0);
	else if (g->pid > 0)
		kill(g->pid, SIGKILL);
	while (g->pid > 0 && waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (g->pid_fd >= 0)
		close(g->pid_fd);
	hf_free(g);
}

uint64_t hf_ghost_scratch(const struct hf_ghost *g)
{
	return g->setup.scratch;
}

/* ---- the question -------------------------------------------------------------------------------------- */

struct answer {
	struct ghost_page head;
	uint8_t bytes[GHOST_ASK_MAX * GHOST_PAGE];
};

struct running {
	struct hf_ghost *g;
	struct answer *answer;
	struct hf_ghost_run *ret;
	struct hf_ghost_pages *pages; /* NULL: nobody wants to know */
	double resume_at, broken_at;
	double held_before; /* of the target's pause, when the run began */
	bool was_stopped, resumed;
	bool rehearsal; /* it has pages of different moments */
};

static void let_go(struct running *r)
{
	if (r->resumed || !r->was_stopped)
		return;
	r->resumed = true;
	hf_target_resume(r->g->t);
	r->ret->held_s = r->g->t->pause.stopped_s - r->held_before;
}

/* The data of a program or library, as its loader maps it: private, whoever maps the file. */
static bool is_of_module(const struct hf_target *t, const struct hf_map *m)
{
	if (m->path[0] != '/')
		return false;
	hf_vec_each(&t->maps, other)
		if (other->executable && !strcmp(other->path, m->path))
			return true;
	return false;
}

static uint32_t flags_of(const struct hf_target *t, const struct hf_map *m)
{
	uint32_t flags = (m->readable ? GHOST_MAP_READ : 0u) | (m->writable ? GHOST_MAP_WRITE : 0u) |
			 (m->executable ? GHOST_MAP_EXEC : 0u) | (m->shared ? GHOST_MAP_SHARED : 0u);

	/* A core says nothing of sharing, unless what wrote it kept the maps: then some are shared, if any was. */
	if (t->core && !m->shared && m->writable && (m->path[0] == '/' || m->inode) && !is_of_module(t, m))
		flags |= GHOST_MAP_UNKNOWN;
	if (!strcmp(m->path, "[heap]"))
		flags |= GHOST_MAP_BREAK;
	return flags;
}

typedef HF_VEC(uint8_t) hf_bytes;

static struct hf_err *append(hf_bytes *to, const void *bytes, size_t len)
{
	if (!len)
		return NULL;
	HF_TRY(hf_vec_reserve(to, len));
	memcpy(to->at + to->n, bytes, len);
	to->n += len;
	return NULL;
}

/* The target's maps below the kernel's half, as the ghost is to see them. */
static struct hf_err *append_maps(const struct hf_ghost *g, hf_bytes *to, uint32_t *ret)
{
	uint64_t scratch = g->setup.scratch;

	*ret = 0;
	hf_vec_each(&g->t->maps, m) {
		struct ghost_map map = {.start = m->start, .end = m->end, .flags = flags_of(g->t, m)};

		if (m->end > TASK_END)
			continue;
		if (m->start < scratch + GHOST_SCRATCH && m->end > scratch)
			return hf_err_at(HF_STALE, scratch,
					 "%s has mapped memory where the dry run was to be: try again",
					 g->t->label);
		if (++*ret > GHOST_MAPS_MAX)
			return hf_err(HF_UNSUPPORTED, "%s has more than %u mappings", g->t->label,
				      GHOST_MAPS_MAX);
		HF_TRY(append(to, &map, sizeof(map)));
	}
	return NULL;
}

/* Who the function is told that it is, in the target's own numbers. */
static void name_thread(const struct hf_target *t, struct ghost_job *job)
{
	job->pid = job->tid = t->pid;
	hf_vec_each(&t->threads, thread)
		if (thread->tid == t->pid)
			job->pid = job->tid = thread->ns_tid;
	hf_vec_each(&t->threads, thread)
		if (thread->state == HF_THREAD_STOPPED && thread->regs.tls == job->fs_base)
			job->tid = thread->ns_tid;
}

static struct hf_err *fill_head(const struct hf_ghost *g, const struct hf_ghost_job *job,
				struct ghost_job *ret)
{
	if (job->hooks.n > GHOST_HOOKS_MAX || job->writes.n > GHOST_WRITES_MAX ||
	    job->ranges.n > GHOST_RANGES_MAX || job->object_size > GHOST_OBJECT_MAX)
		return hf_err(HF_UNSUPPORTED,
			      "a dry run's set-up is too large (%zu hooks, an object of %u bytes)",
			      job->hooks.n, job->object_size);
	*ret = (struct ghost_job){
		.protocol = GHOST_PROTOCOL,
		.hooks_n = (uint32_t)job->hooks.n,
		.writes_n = (uint32_t)job->writes.n,
		.ranges_n = (uint32_t)job->ranges.n,
		.object_size = job->object_size,
		.cpu_us = job->cpu_us,
		.alloc_bytes = job->alloc_bytes,
		.count_max = job->count_max,
		.rip = job->rip,
		.fs_base = job->fs_base,
		.gs_base = job->gs_base,
	};
	if (hf_mul_overflows(job->cpu_us, 10, &ret->wall_us) ||
	    hf_add_overflows(ret->wall_us, WALL_US, &ret->wall_us))
		ret->wall_us = UINT64_MAX / 1000;
	memcpy(ret->regs, job->regs, sizeof(ret->regs));
	name_thread(g->t, ret);
	return NULL;
}

static struct hf_err *build_job(const struct hf_ghost *g, const struct hf_ghost_job *job, hf_bytes *ret,
				uint64_t *ret_wall)
{
	struct ghost_job head;
	uint32_t maps_n;

	HF_TRY(fill_head(g, job, &head));
	HF_TRY(append(ret, &head, sizeof(head)));
	HF_TRY(append_maps(g, ret, &maps_n));
	memcpy(ret->at + offsetof(struct ghost_job, maps_n), &maps_n, sizeof(maps_n));
	HF_TRY(append(ret, job->hooks.at, job->hooks.n * sizeof(*job->hooks.at)));
	HF_TRY(append(ret, job->writes.at, job->writes.n * sizeof(*job->writes.at)));
	*ret_wall = head.wall_us;
	return append(ret, job->ranges.at, job->ranges.n * sizeof(*job->ranges.at));
}

/* ---- its answers --------------------------------------------------------------------------------------- */

void hf_ghost_pages_deinit(struct hf_ghost_pages *p)
{
	hf_vec_deinit(&p->at);
	hf_map64_deinit(&p->seen);
}

#define PAGES_MAX 65536u /* that are worth to be known */

static struct hf_err *learn(struct running *r, uint64_t page)
{
	uint64_t unused;

	if (!r->pages || r->pages->at.n == PAGES_MAX || hf_map64_find(&r->pages->seen, page, &unused))
		return NULL;
	HF_TRY(hf_map64_put(&r->pages->seen, page, 1));
	return hf_vec_push(&r->pages->at, page);
}

/* Takes what is known to be needed, in one go. */
static struct hf_err *take_known(struct running *r)
{
	HF_VEC(struct hf_range) ranges = {0};
	struct hf_err *err;

	if (!r->pages || !r->was_stopped)
		return NULL;
	hf_vec_each(&r->pages->at, page) {
		err = hf_vec_push(&ranges, ((struct hf_range){*page, *page + GHOST_PAGE}));
		if (err) {
			hf_vec_deinit(&ranges);
			return err;
		}
	}
	err = ranges.n ? hf_target_capture(r->g->t, ranges.at, ranges.n) : NULL;
	hf_vec_deinit(&ranges);
	if (!err && !r->pages->hold)
		let_go(r);
	return err;
}

static bool ends_run(const struct hf_err *err)
{
	return hf_err_code(err) == HF_TARGET || hf_err_code(err) == HF_INTERRUPTED ||
	       hf_err_code(err) == HF_NOMEM;
}

/* Of the running target where a rehearsal needs it; what may never be touched is not worth that. */
static struct hf_err *read_page(struct running *r, uint64_t page, bool is_touched, uint8_t *ret)
{
	struct hf_err *err = hf_target_read(r->g->t, page, ret, GHOST_PAGE);

	if (hf_err_code(err) != HF_STALE || !r->pages || !r->resumed || !is_touched)
		return err;
	hf_err_destroy(err);
	r->rehearsal = true;
	return hf_target_reread(r->g->t, page, ret, GHOST_PAGE);
}

/* The pages that are asked for, up to the first that cannot be had; the first of them is the one that is touched. */
static struct hf_err *read_pages(struct running *r, const struct ghost_ask *ask, uint32_t *ret)
{
	uint64_t addr = hf_align_down(ask->addr, GHOST_PAGE);

	for (*ret = 0; *ret < hf_min(ask->pages, GHOST_ASK_MAX); ++*ret) {
		uint64_t offset = (uint64_t)*ret * GHOST_PAGE;
		struct hf_err *err = read_page(r, addr + offset, !offset, r->answer->bytes + offset);

		if (ends_run(err))
			return err;
		if (hf_err_ignore(err))
			break;
		HF_TRY(learn(r, addr + offset));
	}
	return NULL;
}

static struct hf_err *answer_ask(struct running *r)
{
	struct answer *answer = r->answer;
	struct ghost_ask ask;

	HF_TRY(hf_ghost_receive(r->g->fd, &ask, sizeof(ask), r->broken_at));
	HF_TRY(read_pages(r, &ask, &answer->head.pages));
	answer->head.state = answer->head.pages ? GHOST_PAGE_HERE
			     : r->resumed       ? GHOST_PAGE_LATE
						: GHOST_PAGE_ABSENT;
	return hf_ghost_send(r->g->fd, answer, sizeof(answer->head) + (size_t)answer->head.pages * GHOST_PAGE,
			     r->broken_at);
}

static struct hf_err *take_end(struct running *r)
{
	_cleanup_(hf_free_p) uint8_t *bytes = NULL;
	double deadline = hf_now() + END_SECONDS;
	size_t len;

	HF_TRY(hf_ghost_receive(r->g->fd, &r->ret->end, sizeof(r->ret->end), deadline));
	HF_TRY(hf_ghost_end_check(&r->ret->end, &len));
	bytes = hf_malloc(hf_max(len, (size_t)1));
	if (!bytes)
		return hf_err_nomem();
	HF_TRY(hf_ghost_receive(r->g->fd, bytes, len, deadline));
	return hf_ghost_end_parse(bytes, len, r->ret);
}

/* Its next word; the target goes on when it was held long enough, also while we wait. */
static struct hf_err *next_head(struct running *r, struct ghost_head *ret)
{
	for (;;) {
		bool holds = r->was_stopped && !r->resumed;
		struct hf_err *err = hf_ghost_wait(r->g->fd, holds ? r->resume_at : r->broken_at);

		if (!err)
			break;
		if (!holds || hf_err_code(err) != HF_IO)
			return err;
		hf_err_destroy(err);
		let_go(r);
	}
	return hf_ghost_receive(r->g->fd, ret, sizeof(*ret), r->broken_at);
}

static struct hf_err *converse(struct running *r)
{
	for (;;) {
		struct ghost_head head;

		if (r->was_stopped && hf_now() >= r->resume_at)
			let_go(r);
		if (hf_now() >= r->broken_at)
			return hf_err(HF_IO, "the sandbox does not end in time: try again");
		HF_TRY(next_head(r, &head));
		if (head.message == GHOST_END && head.length == sizeof(struct ghost_end)) {
			let_go(r);
			return take_end(r);
		}
		if (head.message != GHOST_ASK || head.length != sizeof(struct ghost_ask))
			return hf_err(HF_IO, "the sandbox says what no sandbox of this version says");
		HF_TRY(answer_ask(r));
	}
}

struct hf_err *hf_ghost_run(struct hf_ghost *g, const struct hf_ghost_job *job, double hold_max_s,
			    struct hf_ghost_pages *pages, struct hf_ghost_run *ret)
{
	struct running r = {.g = g,
			    .ret = ret,
			    .pages = pages,
			    .was_stopped = g->t->stopped && !g->t->held,
			    .held_before = g->t->pause.stopped_s};
	hf_bytes bytes = {0};
	struct hf_err *err = NULL;
	uint64_t wall_us = 0;

	r.answer = hf_malloc(sizeof(*r.answer));
	r.resume_at = g->t->pause.began + hold_max_s;
	if (!r.answer)
		err = hf_err_nomem();
	else if (g->used)
		err = hf_err(HF_USAGE, "a ghost runs once");
	g->used = true;
	if (!err)
		err = build_job(g, job, &bytes, &wall_us);
	r.broken_at = hf_now() + (double)wall_us / 1e6 + GRACE_S;
	if (!err)
		err = hf_ghost_send(g->fd, bytes.at, bytes.n, hf_min(r.broken_at, hf_now() + GRACE_S));
	if (!err)
		err = take_known(&r);
	if (!err)
		err = converse(&r);
	let_go(&r);
	hf_free(r.answer);
	if (r.rehearsal)
		ret->end.kind = GHOST_END_LATE;
	hf_vec_deinit(&bytes);
	return err;
}
