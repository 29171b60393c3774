#include "dryrun.h"

#include "../base/workers.h"

#include <time.h>

#define COUNT_CPU_US 500000u
#define RUNS_MAX     8u /* those that come to no end included */

/* What a run may allocate at most: far above any limit, so that the other reasons to refuse it are seen, too. */
#define RUN_BYTES    (64u << 20)
#define BORROW_TRIES 10u /* stops until there is a thread that a call can borrow its state from */
#define LEARN_TRIES  8u  /* rehearsals, and runs that came to pages which nobody knew of */
#define FREE_TRIES   4u  /* of these, as many without holding the target while it runs */

enum hf_refusal hf_findings_refusal(const struct hf_findings *f, const struct hf_finding **ret)
{
	const struct hf_finding *first = NULL;

	hf_vec_each(&f->list, it)
		if (it->refusal != HF_REFUSAL_NONE && (!first || it->refusal < first->refusal))
			first = it;
	*ret = first;
	return first ? first->refusal : HF_REFUSAL_NONE;
}

void hf_dry_run_deinit(struct hf_dry_run *d)
{
	hf_ghost_run_deinit(&d->run);
	hf_judgement_deinit(&d->judgement);
	hf_findings_deinit(&d->findings);
	*d = (struct hf_dry_run){0};
}

static void nap(unsigned turn)
{
	/* Of different lengths: what it waits for may come and go in step with us. */
	struct timespec t = {.tv_nsec = 500000L + 700000L * (long)turn};

	nanosleep(&t, NULL);
}

static void stop_ghost(struct hf_ghost **g)
{
	hf_ghost_stop(*g);
}

/* Stops the target, prepares and runs. */
static struct hf_err *run_once(struct hf_callee *c, const struct hf_ctor_slot *slot,
			       const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
			       struct hf_ghost_pages *pages, struct hf_ghost_job *job,
			       struct hf_ghost_run *ret)
{
	_cleanup_(stop_ghost) struct hf_ghost *ghost = NULL;
	struct hf_err *err;

	HF_TRY(hf_ghost_start(c->t, &ghost));
	job->scratch = hf_ghost_scratch(ghost);
	job->cpu_us = limits->cpu_us;
	job->count_max = limits->count_max;
	job->alloc_bytes = hf_max((uint64_t)RUN_BYTES, limits->alloc_bytes);
	HF_TRY(hf_target_stop(c->t));
	err = c->ops->prepare(c, slot, ctor, job);
	if (!err)
		err = hf_ghost_run(ghost, job, (double)limits->hold_us / 1e6, pages, ret);
	hf_target_resume(c->t);
	return err;
}

static struct hf_err *add_limit(struct hf_findings *f, enum hf_refusal refusal, const char *kind, uint64_t pc,
				const char *what)
{
	const struct hf_finding finding = {.refusal = refusal, .kind = kind, .pc = pc};

	return hf_findings_add(f, &finding, "%s", what);
}

/* What is patch/'s to judge: time, memory, and whether the run says anything at all. */
static struct hf_err *judge_limits(const struct hf_dry_run_limits *limits, struct hf_dry_run *d)
{
	const struct ghost_end *end = &d->run.end;
	char allocated[16], limit[16], what[160];

	switch ((enum ghost_end_kind)end->kind) {
	case GHOST_END_CPU:
		snprintf(what, sizeof(what), "it did not return within %.1f ms of processor time",
			 (double)limits->cpu_us / 1e3);
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_TIMEOUT, "timeout", end->pc, what));
		break;
	case GHOST_END_MEMORY:
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_ALLOCATION, "allocation", end->pc,
				 "it allocates without end"));
		break;
	case GHOST_END_WALL:
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_INCONCLUSIVE, "time", end->pc,
				 "the run got too little processor time to end: try again"));
		break;
	case GHOST_END_LATE:
		snprintf(what, sizeof(what),
			 "the target may be held for %.1f ms, and it needed a page after that: raise "
			 "--hold-max",
			 (double)limits->hold_us / 1e3);
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_INCONCLUSIVE, "held", end->pc, what));
		break;
	case GHOST_END_ABSENT:
		snprintf(what, sizeof(what), "it needs the page at 0x%" PRIx64 ", which cannot be had",
			 end->addr);
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_INCONCLUSIVE, "absent", end->pc, what));
		break;
	case GHOST_END_LIMIT:
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_INCONCLUSIVE, "limit", end->pc,
				 "it does more than the sandbox keeps record of"));
		break;
	case GHOST_END_BROKEN:
		snprintf(what, sizeof(what), "the sandbox failed (%s)", strerror((int)end->number));
		HF_TRY(add_limit(&d->findings, HF_REFUSAL_INCONCLUSIVE, "sandbox", end->pc, what));
		break;
	default:
		break;
	}
	if (d->judgement.allocated_bytes <= limits->alloc_bytes)
		return NULL;
	snprintf(what, sizeof(what), "it allocates %s, more than %s",
		 hf_format_size(d->judgement.allocated_bytes, allocated, sizeof(allocated)),
		 hf_format_size(limits->alloc_bytes, limit, sizeof(limit)));
	return add_limit(&d->findings, HF_REFUSAL_ALLOCATION, "allocation", 0, what);
}

static struct hf_err *one_run(struct hf_callee *c, const struct hf_ctor_slot *slot,
			      const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
			      struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	struct hf_ghost_job job = {0};
	const struct hf_finding *first;
	struct hf_err *err = run_once(c, slot, ctor, limits, pages, &job, &ret->run);

	if (!err)
		err = c->ops->judge(c, slot, ctor, &job, &ret->run, &ret->judgement, &ret->findings);
	if (!err)
		err = judge_limits(limits, ret);
	c->ops->deinit_job(c, &job);
	hf_ghost_job_deinit(&job);
	HF_TRY(err);
	ret->refusal = hf_findings_refusal(&ret->findings, &first);
	ret->why = first ? first->what : "";
	ret->held_s = ret->run.held_s;
	return NULL;
}

/* A moment at which no call can be made is not one of the runs. */
static struct hf_err *borrow_and_run(struct hf_callee *c, const struct hf_ctor_slot *slot,
				     const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
				     struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	struct hf_err *err = NULL;

	for (unsigned i = 0; i < BORROW_TRIES; i++) {
		hf_dry_run_deinit(ret);
		err = one_run(c, slot, ctor, limits, pages, ret);
		if (hf_err_code(err) != HF_STALE || c->t->core)
			return err;
		if (c->t->held)
			return hf_err_prefix(
				err, "nothing moves in the debugger: let the process run for a moment");
		if (i + 1 < BORROW_TRIES)
			hf_err_ignore(err);
		HF_TRY(hf_interrupt_check());
		nap(i);
	}
	return err;
}

/* A run that ends for want of a page only says which pages the next one has to have; one that got no time, nothing. */
static struct hf_err *learn_and_run(struct hf_callee *c, const struct hf_ctor_slot *slot,
				    const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
				    struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	double held = 0;

	for (unsigned i = 0; i < LEARN_TRIES; i++) {
		pages->hold = i >= FREE_TRIES;
		HF_TRY(borrow_and_run(c, slot, ctor, limits, pages, ret));
		held = hf_max(held, ret->held_s);
		if (ret->run.end.kind != GHOST_END_LATE && ret->run.end.kind != GHOST_END_WALL)
			break;
		HF_TRY(hf_interrupt_check());
	}
	ret->held_s = held;
	return NULL;
}

/* A run of its own, as it takes a thousand times as long; that it does not end says nothing of the constructor. */
static struct hf_err *count_steps(struct hf_callee *c, const struct hf_ctor_slot *slot,
				  const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
				  struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	struct hf_dry_run_limits counting = *limits;
	_cleanup_(hf_dry_run_deinit) struct hf_dry_run counted = {0};
	struct hf_err *err;

	if (!limits->count_max || ret->run.end.kind != GHOST_END_RETURNED)
		return NULL;
	counting.cpu_us = hf_max(limits->cpu_us, (uint64_t)COUNT_CPU_US);
	/* Twice: the first may come to pages that nobody knew of. Nothing is held up for a number. */
	pages->hold = false;
	err = borrow_and_run(c, slot, ctor, &counting, pages, &counted);
	if (!err && counted.run.end.kind == GHOST_END_LATE)
		err = borrow_and_run(c, slot, ctor, &counting, pages, &counted);
	if (hf_err_code(err) == HF_INTERRUPTED || hf_err_code(err) == HF_NOMEM ||
	    hf_err_code(err) == HF_TARGET)
		return err;
	if (!hf_err_ignore(err) && counted.run.end.kind == GHOST_END_RETURNED)
		ret->run.end.instructions = counted.run.end.instructions;
	ret->held_s = hf_max(ret->held_s, counted.held_s);
	return NULL;
}

static struct hf_err *run_until_agreed(struct hf_callee *c, const struct hf_ctor_slot *slot,
				       const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
				       struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	unsigned agree = c->t->ops->stop ? hf_max(limits->agree, 1u) : 1;
	unsigned seen[HF_REFUSAL_INCONCLUSIVE + 1] = {0}, conclusive = 0;
	double held = 0;

	for (unsigned i = 1; i <= RUNS_MAX && conclusive < HF_DRY_RUN_TRIES; i++) {
		HF_TRY(learn_and_run(c, slot, ctor, limits, pages, ret));
		held = hf_max(held, ret->held_s);
		ret->held_s = held;
		ret->runs = i;
		ret->agreed = ++seen[ret->refusal];
		if (ret->refusal == HF_REFUSAL_INCONCLUSIVE) {
			/* A core does not change: nor does what is missing in it. */
			if (!c->t->ops->stop || i >= RUNS_MAX / 2)
				return NULL;
		} else if (ret->agreed >= agree) {
			return NULL;
		} else {
			conclusive++;
		}
		nap(i);
	}
	ret->refusal = HF_REFUSAL_INCONCLUSIVE;
	HF_TRY(add_limit(&ret->findings, HF_REFUSAL_INCONCLUSIVE, "disagreement", 0,
			 "no two of three runs came to the same end: the program was busy; try again"));
	ret->why = ret->findings.list.at[ret->findings.list.n - 1].what;
	return NULL;
}

struct hf_err *hf_dry_run_make(struct hf_callee *c, const struct hf_ctor_slot *slot,
			       const struct hf_ctor *ctor, const struct hf_dry_run_limits *limits,
			       struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	struct hf_dry_run_limits plain = *limits;

	plain.count_max = 0;
	HF_TRY(run_until_agreed(c, slot, ctor, &plain, pages, ret));
	return count_steps(c, slot, ctor, limits, pages, ret);
}
