/* The state that a call of Go code needs, made up in the ghost: a goroutine of its own on an M and a P that the stopped
 * process has.
 *
 *	fs:-8 --> g --m--> M --g0--> g0      the ghost's stack area:
 *	          ^        | ^                 | g0's stack, half of it | g's stack, the rest | g, a page |
 *	          '--curg--' '-m- P
 *
 * The M runs on, as far as the process knows; of the P, the cache is used where nobody is about to allocate from it.
 * Source: Go 1.20-1.27 runtime/runtime2.go, proc.go, asm_amd64.s; docs/runtimes/go.md. */
#include "ctor.h"

#include <stdlib.h>

#define ALLP_MAX     65536u
#define ARENAS_MAX   (1u << 21)
#define TLS_MAX      32 /* words below the thread pointer that are looked at */
#define G_RUNNING    2
#define P_IDLE       0
#define P_RUNNING    1
#define P_DEAD       4
#define STACK_GUARD  4096u
#define NO_SAMPLE    (1ull << 62) /* bytes before the next sample of the profile */
#define ASSIST       (1ull << 40) /* bytes that it may allocate before it would have to help the collector */
#define G0_STACK     (GHOST_STACK_SIZE / 2)
#define G_PAGE       (GHOST_STACK_SIZE - GHOST_PAGE)
#define CACHE_AT     1024u /* in that page, behind g: an mcache */
#define CLASSES      136   /* of spans: sizes, with and without pointers */
#define BEST_MACHINE 3u
#define UNCALM       2u
#define BEST         6u
#define FUNCVAL      GHOST_WORDS_OFFSET
#define MADE_CODE    (GHOST_WORDS_OFFSET + 64) /* where code runs that the program does not have */

/* A thread to borrow, and what belongs to it. */
struct machine {
	const struct hf_thread *thread;
	uint64_t tls_slot; /* where it keeps its g */
	uint64_t m, g0, p;
	uint32_t mallocing, locks;
};

/* A processor to borrow. */
struct processor {
	uint64_t addr, m, mcache;
	unsigned rank; /* 0: none; up to UNCALM: its cache cannot be used */
};

static bool read_u64(struct go *go, uint64_t addr, int32_t off, uint64_t *ret)
{
	return off >= 0 && addr && addr % 8 == 0 &&
	       !hf_err_ignore(hf_target_read_u64(go->t, addr + (uint64_t)off, ret));
}

static bool read_u32(struct go *go, uint64_t addr, int32_t off, uint32_t *ret)
{
	return off >= 0 && addr && addr % 8 == 0 &&
	       !hf_err_ignore(hf_target_read_u32(go->t, addr + (uint64_t)off, ret));
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* An M names its thread, and its g0 names it. */
static bool read_machine(struct go *go, uint64_t g, struct machine *ret)
{
	uint64_t procid, back;

	return read_u64(go, g, go_off(go, G_M), &ret->m) &&
	       read_u64(go, ret->m, go_off(go, M_PROCID), &procid) &&
	       (procid == (uint64_t)ret->thread->ns_tid || procid == (uint64_t)ret->thread->tid) &&
	       read_u64(go, ret->m, go_off(go, M_G0), &ret->g0) &&
	       read_u64(go, ret->g0, go_off(go, G_M), &back) && back == ret->m &&
	       read_u64(go, ret->m, go_off(go, M_P), &ret->p) &&
	       read_u32(go, ret->m, go_off(go, M_MALLOCING), &ret->mallocing) &&
	       read_u32(go, ret->m, go_off(go, M_LOCKS), &ret->locks);
}

/* Most programs have their g in the word below the thread pointer; those that are linked with C code that has
 * thread-local variables, somewhat further down. */
static bool find_machine(struct go *go, const struct hf_thread *thread, struct machine *ret)
{
	uint64_t words[TLS_MAX], tls = thread->regs.tls;

	if (thread->state != HF_THREAD_STOPPED || tls % 8 || tls < sizeof(words) ||
	    hf_err_ignore(hf_target_read(go->t, tls - sizeof(words), words, sizeof(words))))
		return false;
	for (int i = TLS_MAX - 1; i >= 0; i--) {
		*ret = (struct machine){.thread = thread, .tls_slot = tls - sizeof(words) + (uint64_t)i * 8};
		if (words[i] && read_machine(go, words[i], ret))
			return true;
	}
	return false;
}

static bool is_calm(const struct machine *m)
{
	return !m->mallocing && !m->locks;
}

/* One that has no P and nothing to do is best; any is good enough, as its own stacks are not used. */
static unsigned rank_machine(struct go *go, const struct hf_thread *thread, struct machine *ret)
{
	if (!find_machine(go, thread, ret))
		return 0;
	return 1 + is_calm(ret) + (is_calm(ret) && !ret->p);
}

static bool choose_machine(struct go_callee *c, struct machine *ret)
{
	unsigned best = 0;

	hf_vec_each(&c->go->t->threads, thread)
		if (thread->tid == c->last_tid)
			best = rank_machine(c->go, thread, ret);
	hf_vec_each(&c->go->t->threads, thread) {
		struct machine m;
		unsigned rank = best < BEST_MACHINE ? rank_machine(c->go, thread, &m) : 0;

		if (rank <= best)
			continue;
		best = rank;
		*ret = m;
	}
	c->last_tid = best ? ret->thread->tid : 0;
	return best;
}

/* ---- the processor ------------------------------------------------------------------------------------------------- */

/* A cache that was not flushed since the last cycle of collection began is of no use: its spans are not swept. */
static bool is_flushed(struct go *go, uint64_t mcache)
{
	uint32_t flushed, sweepgen;

	return read_u32(go, mcache, go_off(go, MCACHE_FLUSH_GEN), &flushed) &&
	       read_u32(go, go->layout.var[GO_VAR_MHEAP], go_off(go, MHEAP_SWEEPGEN), &sweepgen) &&
	       flushed == sweepgen;
}

/* Nobody should be about to allocate from it. */
static void rank_processor(struct go *go, const struct machine *m, uint64_t addr, struct processor *best)
{
	struct processor p = {.addr = addr};
	struct machine owner = {0};
	uint32_t status;
	bool calm;

	if (!read_u32(go, addr, go_off(go, P_STATUS), &status) || status >= P_DEAD ||
	    !read_u64(go, addr, go_off(go, P_M), &p.m) ||
	    !read_u64(go, addr, go_off(go, P_MCACHE), &p.mcache) || !p.mcache)
		return;
	calm = is_flushed(go, p.mcache) &&
	       (!p.m || (read_u32(go, p.m, go_off(go, M_MALLOCING), &owner.mallocing) &&
			 read_u32(go, p.m, go_off(go, M_LOCKS), &owner.locks) && is_calm(&owner)));
	if (!calm)
		p.rank = p.m ? 1 : UNCALM;
	else if (!p.m)
		p.rank = status == P_IDLE ? BEST : UNCALM + 2;
	else
		p.rank = addr == m->p ? UNCALM + 3 : UNCALM + 1;
	if (p.rank > best->rank)
		*best = p;
}

static bool choose_processor(struct go_callee *c, const struct machine *m, struct processor *ret)
{
	struct go *go = c->go;
	uint64_t list = 0, n = 0;

	*ret = (struct processor){0};
	if (c->last_p)
		rank_processor(go, m, c->last_p, ret);
	if (m->p)
		rank_processor(go, m, m->p, ret);
	if (!go->layout.var[GO_VAR_ALLP] ||
	    hf_err_ignore(go_read_slice(go, go->layout.var[GO_VAR_ALLP], &list, &n)) || n > ALLP_MAX)
		n = 0;
	for (uint64_t i = 0; i < n && ret->rank < BEST; i++) {
		uint64_t p;

		if (!hf_err_ignore(hf_target_read_u64(go->t, list + i * 8, &p)) && p)
			rank_processor(go, m, p, ret);
	}
	c->last_p = ret->addr;
	return ret->rank;
}

/* A lock of the heap that a stopped thread holds would never be given back. */
static bool is_heap_locked(struct go *go)
{
	uint64_t key;

	return read_u64(go, go->layout.var[GO_VAR_MHEAP], go_off(go, MHEAP_LOCK_KEY), &key) && key;
}

/* ---- the job --------------------------------------------------------------------------------------------------------- */

static uint64_t member_at(struct go *go, uint64_t at, enum go_field field)
{
	return at + (uint64_t)hf_max(go->layout.off[field], 0);
}

static struct hf_err *write_member(struct go *go, struct hf_ghost_job *job, uint64_t at, enum go_field field,
				   uint64_t value)
{
	return hf_ghost_job_write_u64(job, member_at(go, at, field), value);
}

static struct hf_err *write_stack(struct go *go, struct hf_ghost_job *job, uint64_t g,
				  const struct hf_range *stack)
{
	HF_TRY(write_member(go, job, g, GO_G_STACK_LO, stack->start));
	HF_TRY(write_member(go, job, g, GO_G_STACK_HI, stack->end));
	HF_TRY(write_member(go, job, g, GO_G_STACKGUARD0, stack->start + STACK_GUARD));
	return write_member(go, job, g, GO_G_STACKGUARD1, stack->start + STACK_GUARD);
}

static struct hf_err *write_u32(struct hf_ghost_job *job, uint64_t addr, uint32_t value)
{
	return hf_ghost_job_write(job, addr, &value, sizeof(value));
}

static struct hf_err *write_goroutine(struct go *go, struct hf_ghost_job *job, const struct machine *m,
				      const struct processor *p)
{
	uint64_t area = job->scratch + GHOST_STACK_OFFSET, g = area + G_PAGE;
	struct hf_range system = {area, area + G0_STACK}, own = {area + G0_STACK, g};

	HF_TRY(write_stack(go, job, g, &own));
	HF_TRY(write_member(go, job, g, GO_G_M, m->m));
	HF_TRY(write_u32(job, member_at(go, g, GO_G_ATOMICSTATUS), G_RUNNING));
	HF_TRY(write_member(go, job, g, GO_G_GC_ASSIST_BYTES, ASSIST));
	HF_TRY(write_stack(go, job, m->g0, &system));
	HF_TRY(write_member(go, job, m->g0, GO_G_SCHED_SP, system.end - 64));
	HF_TRY(write_member(go, job, m->m, GO_M_CURG, g));
	HF_TRY(write_member(go, job, m->m, GO_M_P, p->addr));
	HF_TRY(write_u32(job, member_at(go, m->m, GO_M_MALLOCING), 0));
	/* With a lock held, nothing starts a collection (runtime/mgc.go, gcStart). */
	HF_TRY(write_u32(job, member_at(go, m->m, GO_M_LOCKS), 1));
	HF_TRY(write_member(go, job, p->addr, GO_P_M, m->m));
	HF_TRY(write_u32(job, member_at(go, p->addr, GO_P_STATUS), P_RUNNING));
	return hf_ghost_job_write_u64(job, m->tls_slot, g);
}

/* Of a P that was stopped within the allocator, the cache may be half changed: it is given one without spans, as one that
 * was just made (runtime/mcache.go, allocmcache); the first allocation of each size then takes a span from the heap. The
 * span that stands for none is what the class of large objects always has. */
static struct hf_err *make_cache(struct go *go, struct hf_ghost_job *job, const struct processor *p,
				 uint64_t cache)
{
	uint64_t empty, line[8];
	uint32_t sweepgen, seq;

	if (!read_u64(go, p->mcache, go_off(go, MCACHE_ALLOC), &empty) ||
	    !read_u32(go, go->layout.var[GO_VAR_MHEAP], go_off(go, MHEAP_SWEEPGEN), &sweepgen) ||
	    !read_u32(go, p->addr, go_off(go, P_STATS_SEQ), &seq))
		return hf_err_at(HF_STALE, p->addr, "the P at 0x%" PRIx64 " cannot be read: try again",
				 p->addr);
	for (size_t i = 0; i < HF_LEN(line); i++)
		line[i] = empty;
	for (unsigned i = 0; i < CLASSES / HF_LEN(line); i++)
		HF_TRY(hf_ghost_job_write(job, member_at(go, cache, GO_MCACHE_ALLOC) + i * sizeof(line), line,
					  sizeof(line)));
	HF_TRY(write_u32(job, member_at(go, cache, GO_MCACHE_FLUSH_GEN), sweepgen));
	HF_TRY(write_member(go, job, p->addr, GO_P_MCACHE, cache));
	/* Even: nobody is counting (runtime/mstats.go, consistentHeapStats.acquire). */
	return write_u32(job, member_at(go, p->addr, GO_P_STATS_SEQ), (seq + 1) & ~1u);
}

/* A cache that takes no sample for the profile. Since 1.24 it remembers the rate that it was set up for. */
static struct hf_err *write_cache(struct go *go, struct hf_ghost_job *job, const struct processor *p)
{
	uint64_t cache = p->mcache, rate = 0;

	if (p->rank <= UNCALM) {
		cache = job->scratch + GHOST_STACK_OFFSET + G_PAGE + CACHE_AT;
		HF_TRY(make_cache(go, job, p, cache));
	}
	HF_TRY(write_member(go, job, cache, GO_MCACHE_NEXT_SAMPLE, NO_SAMPLE));
	if (!go->layout.var[GO_VAR_MEMPROFILERATE] &&
	    !read_u64(go, p->mcache, go_off(go, MCACHE_MEM_PROF_RATE), &rate))
		return NULL;
	return go_has(go, MCACHE_MEM_PROF_RATE) ? write_member(go, job, cache, GO_MCACHE_MEM_PROF_RATE, rate)
						: NULL;
}

/* The collector is off in the ghost: no marking, no barriers, no samples. Where the variables are not known, the
 * goroutine's credit and the lock do. */
static struct hf_err *write_collector(struct go *go, struct hf_ghost_job *job)
{
	static const enum go_variable flags[] = {GO_VAR_GCPHASE, GO_VAR_GCBLACKENENABLED,
						 GO_VAR_WRITEBARRIER};
	const uint64_t *var = go->layout.var;
	uint8_t off = 0;

	for (size_t i = 0; i < HF_LEN(flags); i++)
		if (var[flags[i]])
			HF_TRY(write_u32(job, var[flags[i]], 0));
	/* No sweeping ahead of allocations, either (mgcsweep.go, deductSweepCredit): 0.0 pages a byte. */
	HF_TRY(write_member(go, job, var[GO_VAR_MHEAP], GO_MHEAP_SWEEP_PAGES_PER_BYTE, 0));
	if (var[GO_VAR_MEMPROFILERATE])
		HF_TRY(hf_ghost_job_write_u64(job, var[GO_VAR_MEMPROFILERATE], 0));
	if (var[GO_VAR_MEMSTATS] && go_has(go, MSTATS_ENABLEGC))
		HF_TRY(hf_ghost_job_write(job, member_at(go, var[GO_VAR_MEMSTATS], GO_MSTATS_ENABLEGC), &off,
					  sizeof(off)));
	return NULL;
}

static struct hf_err *add_range(struct hf_ghost_job *job, uint64_t start, uint64_t end)
{
	struct ghost_range range = {start, end};

	return start < end ? hf_vec_push(&job->ranges, range) : NULL;
}

/* What all Ms share: free records of deferred calls among it. Who makes something run is told by hooks. */
static struct hf_err *add_scheduler(struct go *go, struct hf_ghost_job *job)
{
	struct hf_symbol sched;

	return hf_syms_find_symbol(go->syms, "runtime.sched", &sched)
		       ? add_range(job, sched.addr, sched.addr + sched.size)
		       : NULL;
}

/* The runtime's own bookkeeping of the M and P that it runs on: random numbers, locks, buffers of barriers, pools of
 * records. Not: what waits to run on the P, and its timers. */
static struct hf_err *add_ranges(struct go *go, struct hf_ghost_job *job, const struct machine *m,
				 const struct processor *p)
{
	HF_TRY(add_scheduler(go, job));
	HF_TRY(add_range(job, m->m, member_at(go, m->m, GO_M_SIZE)));
	HF_TRY(add_range(job, m->g0, member_at(go, m->g0, GO_G_SIZE)));
	HF_TRY(add_range(job, m->tls_slot, m->tls_slot + 8));
	HF_TRY(add_range(job, p->addr, member_at(go, p->addr, GO_P_RUNQHEAD)));
	return add_range(job, member_at(go, p->addr, GO_P_RUNNEXT) + 8, member_at(go, p->addr, GO_P_TIMERS));
}

static void set_registers(struct hf_ghost_job *job, const struct machine *m, const struct hf_ctor *ctor)
{
	uint64_t area = job->scratch + GHOST_STACK_OFFSET;

	job->rip = ctor->code ? ctor->code : job->scratch + MADE_CODE;
	job->fs_base = m->thread->regs.tls;
	job->gs_base = 0;
	memset(job->regs, 0, sizeof(job->regs));
	job->regs[GHOST_RSP] = area + G_PAGE - 256 - 8;
	/* What stands in the pool may be a closure. */
	job->regs[GHOST_RDX] = ctor->value && !ctor->captures ? ctor->value : job->scratch + FUNCVAL;
	job->regs[GHOST_R14] = area + G_PAGE;
}

/* ---- the heap -------------------------------------------------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* mheap_.allArenas, a []arenaIdx; heapArenas since 1.25. An index counts from the lowest address of all, which is half
 * of the address space below 0. */
static struct hf_err *read_arenas(struct go *go, struct go_call *call)
{
	enum go_field field = go_has(go, MHEAP_HEAP_ARENAS) ? GO_MHEAP_HEAP_ARENAS : GO_MHEAP_ALL_ARENAS;
	uint64_t list, n;

	if (go->layout.off[field] < 0)
		return hf_err(HF_UNSUPPORTED, "%s: where the list of the heap's arenas is is not known",
			      go->version);
	HF_TRY(go_read_slice(go, member_at(go, go->layout.var[GO_VAR_MHEAP], field), &list, &n));
	if (n > ARENAS_MAX)
		return hf_err_at(HF_BADDATA, list, "Go's heap has %" PRIu64 " arenas: it is damaged", n);
	HF_TRY(hf_vec_reserve(&call->arenas, n));
	HF_TRY(hf_target_read(go->t, list, call->arenas.at, n * 8));
	call->arenas.n = n;
	hf_vec_each(&call->arenas, arena)
		*arena &= GO_ARENAS - 1;
	if (n)
		qsort(call->arenas.at, n, sizeof(uint64_t), compare_u64);
	return NULL;
}

bool go_call_had(const struct go_call *call, uint64_t addr)
{
	uint64_t arena = addr >> GO_ARENA_SHIFT;

	return call->arenas.n && bsearch(&arena, call->arenas.at, call->arenas.n, sizeof(arena), compare_u64);
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

static struct hf_err *check_slot(struct go *go, const struct hf_ctor_slot *slot)
{
	uint64_t now;

	if (!slot->slot_addr)
		return NULL;
	HF_TRY(hf_target_read_u64(go->t, slot->slot_addr, &now));
	if (now != slot->value)
		return hf_err_at(HF_STALE, slot->slot_addr,
				 "the pool's constructor is another now (0x%" PRIx64 ", not 0x%" PRIx64
				 "): plan anew",
				 now, slot->value);
	return NULL;
}

static struct hf_err *check_layout(const struct go *go)
{
	static const enum go_field needed[] = {
		GO_M_P,
		GO_M_MALLOCING,
		GO_M_LOCKS,
		GO_M_SIZE,
		GO_G_SIZE,
		GO_P_STATUS,
		GO_P_M,
		GO_P_RUNQHEAD,
		GO_P_RUNNEXT,
		GO_P_TIMERS,
		GO_MCACHE_FLUSH_GEN,
		GO_MHEAP_LOCK_KEY,
		GO_M_G0,
		GO_G_STACKGUARD0,
		GO_G_STACKGUARD1,
		GO_G_GC_ASSIST_BYTES,
		GO_P_STATS_SEQ,
		GO_P_MCACHE,
		GO_MCACHE_ALLOC,
		GO_MHEAP_SWEEP_PAGES_PER_BYTE,
	};

	for (size_t i = 0; i < HF_LEN(needed); i++)
		if (go->layout.off[needed[i]] < 0)
			return hf_err(
				HF_UNSUPPORTED,
				"%s: a member of the scheduler's structures that a dry run needs is not "
				"where it was in any release that we know",
				go->version);
	return NULL;
}

/* The very bytes that would be put into the program. */
static struct hf_err *write_code(struct hf_ghost_job *job, const struct hf_ctor *ctor)
{
	uint8_t code[GO_THUNK_CODE];

	if (!ctor->is_made || ctor->code)
		return NULL;
	go_thunk_code(ctor, code);
	return hf_ghost_job_write(job, job->scratch + MADE_CODE, code, sizeof(code));
}

static struct hf_err *fill_job(struct go_callee *c, const struct hf_ctor *ctor, struct hf_ghost_job *job)
{
	struct go *go = c->go;
	struct processor p;
	struct machine m;

	if (is_heap_locked(go))
		return hf_err(HF_STALE, "Go's heap was locked at this moment: try again");
	if (!choose_machine(c, &m))
		return hf_err(HF_STALE, "no thread of Go's could be borrowed at this moment: try again");
	if (!choose_processor(c, &m, &p))
		return hf_err(HF_STALE,
			      "none of Go's processors (Ps) could be borrowed at this moment: try again");
	set_registers(job, &m, ctor);
	HF_TRY(hf_ghost_job_write_u64(job, job->scratch + FUNCVAL, job->rip));
	HF_TRY(hf_ghost_job_write_u64(job, job->scratch + FUNCVAL + 8, ctor->captured));
	HF_TRY(write_code(job, ctor));
	HF_TRY(write_goroutine(go, job, &m, &p));
	HF_TRY(write_cache(go, job, &p));
	HF_TRY(write_collector(go, job));
	HF_TRY(add_ranges(go, job, &m, &p));
	hf_vec_each(&c->hooks, hook)
		HF_TRY(hf_vec_push(&job->hooks, *hook));
	return NULL;
}

struct hf_err *go_ctor_prepare(struct hf_callee *c, const struct hf_ctor_slot *slot,
			       const struct hf_ctor *ctor, struct hf_ghost_job *ret)
{
	struct go_callee *callee = go_callee_of(c);
	struct go_call *call = hf_calloc(1, sizeof(*call));

	if (!call)
		return hf_err_nomem();
	ret->own = call; /* freed by deinit_job, on errors, too */
	HF_TRY(check_layout(callee->go));
	HF_TRY(check_slot(callee->go, slot));
	HF_TRY(read_arenas(callee->go, call));
	return fill_job(callee, ctor, ret);
}
