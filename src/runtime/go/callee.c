#include "ctor.h"

static void close_callee(struct hf_callee *c)
{
	struct go_callee *callee = go_callee_of(c);

	if (callee->go)
		callee->go->rt.ops->close(&callee->go->rt);
	hf_vec_deinit(&callee->hooks);
	hf_free(callee);
}

/* Into memory of its own: what a target shows of its memory is gone when it is stopped again. */
static struct hf_err *own_bytes(const uint8_t **at, uint64_t n, struct hf_scratch *copy)
{
	if (!n || !*at || *at == copy->at)
		return NULL;
	HF_TRY(hf_vec_reserve(copy, n));
	memcpy(copy->at, *at, n);
	*at = copy->at;
	return NULL;
}

static struct hf_err *own_tables(struct pcln *p)
{
	struct go_table *tables[] = {&p->names, &p->cu, &p->files, &p->pc, &p->functions, &p->ftab};

	for (size_t i = 0; i < HF_LEN(tables); i++)
		HF_TRY(own_bytes(&tables[i]->at, tables[i]->n, &tables[i]->copy));
	return NULL;
}

/* Its tables still belong to the other one. */
static struct pcln *borrow_tables(const struct pcln *from)
{
	struct pcln *p = hf_malloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = *from;
	p->names.copy = p->cu.copy = p->files.copy = p->pc.copy = p->functions.copy = p->ftab.copy =
		(struct hf_scratch){0};
	return p;
}

static struct hf_err *copy_modules(struct go *go, const struct go *from)
{
	hf_vec_each(&from->modules, m) {
		struct go_module copy = *m;

		HF_TRY(hf_vec_reserve(&go->modules, 1));
		if (m->pcln && !(copy.pcln = borrow_tables(m->pcln)))
			return hf_err_nomem();
		go->modules.at[go->modules.n++] = copy;
	}
	return NULL;
}

/* A session's runtime spares us the search for a stripped program's variables, and tables that may not be readable any
 * more. */
static struct hf_err *copy_runtime(struct go *go, const struct go *from)
{
	go->rt.ops = from->rt.ops;
	go->t = from->t;
	go->syms = from->syms;
	go->layout = from->layout;
	go->version = hf_strdup(from->version);
	if (!go->version)
		return hf_err_nomem();
	return copy_modules(go, from);
}

static struct hf_err *open_tables(struct go *go)
{
	if (!go->modules.n)
		HF_TRY(go_modules_read(go));
	hf_vec_each(&go->modules, m)
		if (m->pcln)
			HF_TRY(own_tables(m->pcln));
	HF_TRY(go_types_create(go));
	return go_types_own(go);
}

static struct hf_err *open_go(struct go_callee *c, const struct hf_runtime *rt)
{
	struct hf_runtime *own;

	if (rt) {
		c->go = hf_calloc(1, sizeof(*c->go));
		if (!c->go)
			return hf_err_nomem();
		c->go->rt.ops = rt->ops;
		HF_TRY(copy_runtime(c->go, (const struct go *)rt));
	} else {
		HF_TRY(hf_go_runtime->open(c->c.t, c->c.syms, &own));
		c->go = (struct go *)own;
	}
	HF_TRY(open_tables(c->go));
	return go_hooks_find(c);
}

static struct hf_err *open_callee(struct hf_target *t, struct hf_syms *s, const struct hf_runtime *rt,
				  struct hf_callee **ret)
{
	struct go_callee *c = hf_calloc(1, sizeof(*c));
	struct hf_err *err;

	if (!c)
		return hf_err_nomem();
	c->c = (struct hf_callee){.ops = hf_go_callee, .t = t, .syms = s};
	err = open_go(c, rt);
	if (err) {
		close_callee(&c->c);
		return err;
	}
	*ret = &c->c;
	return NULL;
}

static void deinit_job(struct hf_callee *c, struct hf_ghost_job *job)
{
	struct go_call *call = job->own;

	(void)c;
	if (!call)
		return;
	hf_vec_deinit(&call->arenas);
	hf_free(call);
	job->own = NULL;
}

static const struct hf_callee_ops callee_ops = {
	.name = "go",
	.open = open_callee,
	.find = go_ctor_find,
	.make = go_thunk_make,
	.build = go_thunk_build,
	.check = go_ctor_check,
	.prepare = go_ctor_prepare,
	.judge = go_ctor_judge,
	.pool_type = "sync.Pool",
	.slot_at = go_ctor_slot_at,
	.name_of = go_ctor_name_of,
	.line_of = go_ctor_line_of,
	.moment = go_ctor_moment,
	.deinit_job = deinit_job,
	.close = close_callee,
};

const struct hf_callee_ops *const hf_go_callee = &callee_ops;
