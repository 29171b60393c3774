/* patch vet and patch dry-run. */
#include "patch_private.h"

/* ---- what the code says ---------------------------------------------------------------------------------------------- */

static bool name_of(void *arg, uint64_t pc, struct hf_symbol *ret)
{
	struct hf_callee *c = arg;

	return c->ops->name_of && c->ops->name_of(c, pc, ret);
}

static bool line_of(void *arg, uint64_t pc, struct hf_source_frame *ret)
{
	struct hf_callee *c = arg;

	return c->ops->line_of && c->ops->line_of(c, pc, ret);
}

struct hf_err *hf_patch_vet_it(struct hf_patch *p, struct hf_vet *ret, enum hf_refusal *ret_refusal)
{
	const struct hf_vet_options options = {.go = !strcmp(p->callee->ops->name, "go"),
					       .strict = p->plan.strict,
					       .name_of = name_of,
					       .line_of = line_of,
					       .arg = p->callee};
	const struct hf_finding *first;

	if (p->ctor.none) {
		const struct hf_finding nothing = {.kind = "null"};

		*ret_refusal = HF_REFUSAL_NONE;
		return hf_findings_add(&ret->findings, &nothing,
				       "there is no constructor: the pool gives out nil, and whoever does "
				       "not expect that panics");
	}
	/* What we make ourselves calls the allocator, and nothing else. */
	if (p->ctor.is_made)
		*ret = (struct hf_vet){.functions = 1, .trusted = 1};
	else
		HF_TRY(hf_vet_walk(p->s->t, p->s->syms, p->ctor.code, &options, ret));
	/* That it reads what it captured is why it is asked for. */
	hf_vec_each(&ret->findings.list, f)
		if (p->ctor.captures && f->refusal == HF_REFUSAL_CAPTURES)
			f->refusal = HF_REFUSAL_NONE;
	HF_TRY(p->callee->ops->check(p->callee, &p->slot, &p->ctor, &ret->findings));
	*ret_refusal = hf_findings_refusal(&ret->findings, &first);
	return NULL;
}

static struct hf_err *tell_vet(const void *result, const struct hf_patch *p, const struct hf_vet *vet,
			       enum hf_refusal refusal, struct hf_patch_vet *ret)
{
	*ret = (struct hf_patch_vet){
		.plan = ret->plan,
		.verdict = refusal == HF_REFUSAL_NONE ? "accepted" : "refused",
		.reason = hf_refusal_name(refusal),
		.functions = vet->functions,
		.instructions = vet->instructions,
		.trusted = vet->trusted,
		.stores = vet->stores,
		.not_followed = vet->not_followed,
		.elapsed_s = vet->elapsed_s,
	};
	return hf_patch_tell_findings(result, p, &vet->findings, &ret->findings, &ret->findings_n);
}

struct hf_err *hf_patch_vet(struct hf_session *s, const struct hf_patch_options *options,
			    const struct hf_patch_vet **ret)
{
	_cleanup_(hf_patch_close) struct hf_patch p = {0};
	_cleanup_(hf_vet_deinit) struct hf_vet vet = {0};
	enum hf_refusal refusal;
	struct hf_patch_vet *result;
	struct hf_err *err;

	HF_TRY(hf_patch_open(s, options, &p));
	HF_TRY(hf_patch_vet_it(&p, &vet, &refusal));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = hf_patch_tell_plan(result, &p, &result->plan);
	if (!err)
		err = tell_vet(result, &p, &vet, refusal, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

/* ---- what runs of it say ---------------------------------------------------------------------------------------------- */

/* The constructor that is there is known to be allowed more: what matters is what it returns, and to see both. */
#define COUNT_MAX  50000u /* instructions */
#define OLD_BYTES  (64u << 20)
#define OLD_CPU_US 50000u

/* What it returns is what the pool's users expect. */
static struct hf_err *expect_type(struct hf_patch *p, uint64_t type, const char *name)
{
	if (p->slot.item_type || !type)
		return NULL;
	p->slot.item_type = type;
	p->slot.item_type_name = hf_arena_strndup(&p->names, name, strlen(name));
	return p->slot.item_type_name ? NULL : hf_err_nomem();
}

static struct hf_err *run_old(struct hf_patch *p, struct hf_ghost_pages *pages, struct hf_dry_run *ret)
{
	const struct hf_ctor old = {.name = p->slot.function, .code = p->slot.code, .value = p->slot.value};
	const struct hf_dry_run_limits limits = {.cpu_us = hf_max(p->plan.cpu_us, (uint64_t)OLD_CPU_US),
						 .alloc_bytes =
							 hf_max(p->plan.alloc_bytes, (uint64_t)OLD_BYTES),
						 .hold_us = p->plan.hold_us,
						 .agree = 1};

	if (!p->slot.code)
		return NULL;
	HF_TRY(hf_dry_run_make(p->callee, &p->slot, &old, &limits, pages, ret));
	return expect_type(p, ret->judgement.result_type, ret->judgement.result_type_name);
}

/* Where the old constructor's run did not tell what the pool's items are, what waits in it may, or that constructor's code.
 * Nothing of the target is needed any more after it. */
static struct hf_err *ask_pool(struct hf_patch *p)
{
	const struct hf_runtime_ops *ops;
	const struct hf_ctor_slot *found = NULL;
	struct hf_ctor_slot slot;
	struct hf_pools list;

	if (p->slot.item_type || !p->callee->ops->pool_type || !p->s->rt || !p->s->rt->ops->ctor_slot)
		return NULL;
	ops = p->s->rt->ops;
	HF_TRY(hf_session_type(p->s));
	HF_TRY(ops->pools(p->s->rt, p->s->graph->live, &list));
	for (uint32_t i = 0; i < list.pools_n && !found; i++)
		if (list.pools[i].addr == p->slot.pool_addr &&
		    !hf_err_ignore(ops->ctor_slot(p->s->rt, i, &slot)))
			found = &slot;
	return found ? expect_type(p, found->item_type, found->item_type_name) : NULL;
}

/* What is not known to be of the pool's type is not accepted. */
static struct hf_err *check_type_known(const struct hf_patch *p, struct hf_dry_run *d)
{
	const struct hf_finding finding = {.refusal = HF_REFUSAL_INCONCLUSIVE, .kind = "type"};

	if (d->refusal != HF_REFUSAL_NONE || p->slot.item_type || !p->callee->ops->pool_type)
		return NULL;
	HF_TRY(hf_findings_add(
		&d->findings, &finding,
		"what the pool's items are is not known: neither does one wait in it, nor did %s's run end",
		*p->slot.function ? p->slot.function : "the old constructor"));
	d->refusal = HF_REFUSAL_INCONCLUSIVE;
	d->why = d->findings.list.at[d->findings.list.n - 1].what;
	return NULL;
}

static struct hf_err *run_both(struct hf_patch *p, const void *result, struct hf_patch_dry_run *ret)
{
	_cleanup_(hf_dry_run_deinit) struct hf_dry_run old = {0};
	_cleanup_(hf_dry_run_deinit) struct hf_dry_run new = {0};
	_cleanup_(hf_ghost_pages_deinit) struct hf_ghost_pages pages = {0};
	const struct hf_dry_run_limits limits = {.cpu_us = p->plan.cpu_us,
						 .alloc_bytes = p->plan.alloc_bytes,
						 .hold_us = p->plan.hold_us,
						 .count_max = COUNT_MAX,
						 .agree = 2};

	HF_TRY(run_old(p, &pages, &old));
	HF_TRY(ask_pool(p));
	HF_TRY(hf_dry_run_make(p->callee, &p->slot, &p->ctor, &limits, &pages, &new));
	HF_TRY(check_type_known(p, &new));
	if (old.runs)
		HF_TRY(hf_patch_tell_run(result, p, p->slot.function, &old, &ret->old));
	HF_TRY(hf_patch_tell_run(result, p, p->ctor.name, &new, &ret->run));
	ret->verdict = ret->run->verdict;
	ret->reason = ret->run->reason;
	ret->why = ret->run->why;
	return NULL;
}

struct hf_err *hf_patch_try_it(struct hf_patch *p, const void *result, struct hf_patch_dry_run *ret)
{
	_cleanup_(hf_vet_deinit) struct hf_vet vet = {0};
	struct hf_patch_vet *told = hf_result_alloc(result, 1, sizeof(*told));
	const struct hf_finding *first;
	enum hf_refusal refusal;

	if (!told)
		return hf_err_nomem();
	HF_TRY(hf_patch_vet_it(p, &vet, &refusal));
	HF_TRY(hf_patch_tell_plan(result, p, &ret->plan));
	told->plan = ret->plan;
	HF_TRY(tell_vet(result, p, &vet, refusal, told));
	ret->vet = told;
	if (refusal == HF_REFUSAL_NONE && !p->ctor.none)
		return run_both(p, result, ret);
	if (p->ctor.none) {
		ret->verdict = told->verdict;
		ret->reason = "";
		ret->why = "there is nothing to run: an expert's word";
		return NULL;
	}
	hf_findings_refusal(&vet.findings, &first);
	ret->verdict = told->verdict;
	ret->reason = told->reason;
	ret->why = hf_result_str(result, first->what);
	return NULL;
}

struct hf_err *hf_patch_dry_run(struct hf_session *s, const struct hf_patch_options *options,
				const struct hf_patch_dry_run **ret)
{
	_cleanup_(hf_patch_close) struct hf_patch p = {0};
	struct hf_patch_dry_run *result;
	struct hf_err *err;

	HF_TRY(hf_patch_open(s, options, &p));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = hf_patch_try_it(&p, result, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
