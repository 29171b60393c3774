/* The pool that a word names, and who knows how its constructor is called. */
#include "../runtime/described.h"
#include "patch_private.h"

#include <stdlib.h>

static struct hf_err *open_callee(struct hf_patch *p, const char *language)
{
	size_t n;
	const struct hf_callee_ops *const *list = hf_callees(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i]->name, language))
			return list[i]->open(p->s->t, p->s->syms, p->s->rt, &p->callee);
	return hf_err(HF_UNSUPPORTED, "constructors of %s are not called by this version", language);
}

static struct hf_err *name_pool(struct hf_patch *p, const char *name)
{
	p->slot.pool = hf_arena_strndup(&p->names, name, strlen(name));
	return p->slot.pool ? NULL : hf_err_nomem();
}

/* ---- of the language's own kind ----------------------------------------------------------------------------------- */

/* A variable that is a pool: no heap has to be looked at for it. */
static bool find_variable(struct hf_patch *p, const char *word, uint64_t *ret)
{
	const char *wanted = p->callee->ops->pool_type;
	struct hf_variable v;

	if (!wanted || !hf_syms_find_variable(p->s->syms, word, &v) ||
	    strcmp(hf_type_get(p->s->syms, v.type)->name, wanted) != 0)
		return false;
	*ret = v.addr;
	return true;
}

/* By the name that `pools` gives it. */
static struct hf_err *find_row(struct hf_patch *p, const char *word, uint64_t *ret)
{
	const struct hf_pools_answer *answer;
	const struct hf_pool_row *row = NULL;
	struct hf_err *err = NULL;

	HF_TRY(hf_pools(p->s, 0, &answer));
	for (size_t i = 0; i < answer->n && !row; i++)
		if (!strcmp(answer->rows[i].name, word))
			row = &answer->rows[i];
	if (!row)
		err = hf_err(HF_USAGE, "there is no pool '%s': 'holdfast pools' lists %" PRIu64 " of them",
			     word, answer->total_pools);
	else if (row->count > 1)
		err = hf_err(HF_USAGE,
			     "%" PRIu64
			     " pools are called %s: name one by its address, as the largest, 0x%" PRIx64,
			     row->count, word, row->addr);
	else
		*ret = row->addr;
	hf_result_free(answer);
	return err;
}

static struct hf_err *find_own(struct hf_patch *p, const char *word)
{
	uint64_t addr;

	HF_TRY(hf_session_open_runtime(p->s));
	HF_TRY(open_callee(p, p->s->rt->ops->name));
	if (!hf_parse_address(word, &addr) && !find_variable(p, word, &addr))
		HF_TRY(find_row(p, word, &addr));
	HF_TRY(p->callee->ops->slot_at(p->callee, addr, &p->slot));
	return name_pool(p, word);
}

/* ---- described by a file ---------------------------------------------------------------------------------------------- */

/* Whether the file has it, by its name or address. */
static struct hf_err *find_described(struct hf_patch *p, const char *word, bool *ret)
{
	const struct hf_described_pool *pools;
	uint64_t addr = 0;
	bool by_addr = hf_parse_address(word, &addr);
	size_t n;

	HF_TRY(hf_session_open_described(p->s));
	n = p->s->described ? hf_described_pools(p->s->described, &pools) : 0;
	for (size_t i = 0; i < n; i++)
		if (by_addr ? pools[i].addr == addr : !strcmp(pools[i].name, word))
			*ret = true;
	return NULL;
}

struct hf_err *hf_patch_find_pool(struct hf_patch *p, const char *word)
{
	bool described = false;

	HF_TRY(find_described(p, word, &described));
	if (!described && !hf_err_ignore(hf_session_open_runtime(p->s)))
		return find_own(p, word);
	if (!p->s->described)
		return hf_session_open_runtime(p->s);
	/* No other pool is known: the error lists those of the file. */
	HF_TRY(hf_pool_ctor_slot(p->s->described, word, &p->slot));
	return open_callee(p, "c");
}
