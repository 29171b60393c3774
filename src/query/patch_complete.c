/* How a word of a question on patches may go on: pools, constructors that fit, patches of the process. */
#include "../base/workers.h"
#include "../patch/apply.h"
#include "../runtime/described.h"
#include "patch_private.h"

#define NAMES_MAX  1000
#define CHECKS_MAX 20000 /* functions whose type is looked at */

struct names {
	const char *prefix;
	size_t prefix_len, n;
	struct hf_str *out;
};

static bool begins_so(const struct names *names, const char *name)
{
	return !strncmp(name, names->prefix, names->prefix_len);
}

static void add(struct names *names, const char *name)
{
	if (!*name || names->n == NAMES_MAX || !begins_so(names, name) || strchr(name, '\n'))
		return;
	hf_str_add(names->out, name);
	hf_str_addc(names->out, '\n');
	names->n++;
}

/* ---- pools -------------------------------------------------------------------------------------------------------- */

static bool is_pool_type(const char *type)
{
	size_t n;
	const struct hf_callee_ops *const *list = hf_callees(&n);

	for (size_t i = 0; i < n; i++)
		if (list[i]->pool_type && !strcmp(list[i]->pool_type, type))
			return true;
	return false;
}

static struct hf_err *add_variables(struct hf_session *s, struct names *names)
{
	const struct hf_variable *variables;
	size_t n;

	HF_TRY(hf_session_open_syms(s));
	HF_TRY(hf_syms_variables(s->syms, &variables, &n));
	for (size_t i = 0; i < n; i++)
		if (begins_so(names, variables[i].name) &&
		    is_pool_type(hf_type_get(s->syms, variables[i].type)->name))
			add(names, variables[i].name);
	return NULL;
}

/* All that there are, where the heap is known anyway. */
static struct hf_err *add_rows(struct hf_session *s, struct names *names)
{
	const struct hf_pools_answer *answer;

	if (!s->loaded)
		return NULL;
	HF_TRY(hf_pools(s, 0, &answer));
	for (size_t i = 0; i < answer->n; i++)
		add(names, answer->rows[i].name);
	hf_result_free(answer);
	return NULL;
}

static struct hf_err *add_pools(struct hf_session *s, struct names *names)
{
	const struct hf_described_pool *pools;
	size_t n = 0;

	HF_TRY(hf_session_open_described(s));
	n = s->described ? hf_described_pools(s->described, &pools) : 0;
	for (size_t i = 0; i < n; i++)
		add(names, pools[i].name);
	HF_TRY(add_variables(s, names));
	return add_rows(s, names);
}

/* ---- constructors -------------------------------------------------------------------------------------------------- */

struct fitting {
	struct hf_patch *p;
	struct names *names;
	size_t checked;
	struct hf_err *err;
};

/* What its type says against it. Without a pool only a language that has pools of its own knows what they call. */
static struct hf_err *fits(struct hf_patch *p, const struct hf_symbol *sym, bool *ret)
{
	_cleanup_(hf_findings_deinit) struct hf_findings findings = {0};
	const struct hf_ctor ctor = {.name = sym->name, .code = sym->addr, .value = sym->addr};
	const struct hf_finding *first;

	if (p->callee && (p->slot.slot_addr || p->callee->ops->pool_type))
		HF_TRY(p->callee->ops->check(p->callee, &p->slot, &ctor, &findings));
	*ret = hf_findings_refusal(&findings, &first) == HF_REFUSAL_NONE && sym->addr != p->slot.code;
	return NULL;
}

static bool look_at(void *arg, const struct hf_symbol *sym)
{
	struct fitting *f = arg;
	bool is = false;

	if (!begins_so(f->names, sym->name))
		return true;
	f->err = hf_interrupt_check();
	if (!f->err)
		f->err = fits(f->p, sym, &is);
	if (is)
		add(f->names, sym->name);
	return !f->err && ++f->checked < CHECKS_MAX && f->names->n < NAMES_MAX;
}

static struct hf_err *add_constructors(struct hf_session *s, const char *pool, struct names *names)
{
	_cleanup_(hf_patch_close) struct hf_patch p = {.s = s};
	struct fitting f = {.p = &p, .names = names};

	HF_TRY(hf_session_open_syms(s));
	/* A pool that is not there is told when it is asked about. */
	if (pool && hf_err_ignore(hf_patch_find_pool(&p, pool)))
		p.slot = (struct hf_ctor_slot){0};
	hf_syms_walk_functions(s->syms, hf_syms_main(s->syms), look_at, &f);
	return f.err;
}

/* ---- patches ------------------------------------------------------------------------------------------------------- */

static struct hf_err *add_patches(struct hf_session *s, struct names *names)
{
	_cleanup_(hf_patched_list_deinit) struct hf_patched_list list = {0};
	const struct hf_revert_options o = {0};

	if (s->t->core)
		return NULL;
	HF_TRY(hf_patched_list(s->t, &o, &list));
	hf_vec_each(&list.list, patch)
		add(names, patch->entry.plan);
	return NULL;
}

static struct hf_err *add_words(struct hf_session *s, enum hf_patch_word kind, const char *pool,
				struct names *names)
{
	switch (kind) {
	case HF_PATCH_WORD_POOL:
		return add_pools(s, names);
	case HF_PATCH_WORD_TO:
		return add_constructors(s, pool, names);
	case HF_PATCH_WORD_ID:
		return add_patches(s, names);
	}
	return hf_err(HF_USAGE, "there is no such word in a question on patches");
}

struct hf_err *hf_patch_complete(struct hf_session *s, enum hf_patch_word kind, const char *pool,
				 const char *prefix, char **ret)
{
	_cleanup_(hf_str_deinit) struct hf_str out = {0};
	struct names names = {.prefix = prefix, .prefix_len = strlen(prefix), .out = &out};

	HF_TRY(add_words(s, kind, pool, &names));
	HF_TRY(hf_str_check(&out));
	*ret = out.s ? take_ptr(out.s) : hf_strdup("");
	return *ret ? NULL : hf_err_nomem();
}
