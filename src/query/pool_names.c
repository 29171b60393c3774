/* What pools are called. */
#include "pools.h"

#include <stdlib.h>

#define CLIMB_MAX 8

/* Appends a step of a way, with each index or key as [*]: pools that differ in that alone are one row. Assertions,
 * ".(T)", stay as they are. */
static void add_general(struct hf_str *ret, const char *via)
{
	unsigned in_parens = 0;

	for (; *via; via++) {
		bool quoted = false;

		in_parens += *via == '(';
		in_parens -= *via == ')' && in_parens;
		hf_str_addc(ret, *via);
		if (*via != '[' || in_parens)
			continue;
		while (via[1] && (quoted || via[1] != ']')) {
			via++;
			if (quoted && *via == '\\' && via[1])
				via++;
			else if (*via == '"')
				quoted = !quoted;
		}
		hf_str_addc(ret, '*');
	}
}

/* The ways that lead to a block, nearest last. */
struct climb {
	struct hf_str via[CLIMB_MAX];
	unsigned n;
};

static void add_climb(struct climb *c, const char *path, struct hf_str *ret)
{
	while (c->n > 0)
		add_general(ret, hf_str_get(&c->via[--c->n]));
	add_general(ret, path);
}

static void climb_deinit(struct climb *c)
{
	for (size_t i = 0; i < HF_LEN(c->via); i++)
		hf_str_deinit(&c->via[i]);
}

/* By the nearest object that has the pool in a field, if there is only an index or key between them, else by the root. */
static struct hf_err *name_by_holder(struct hf_session *s, uint32_t block, const char *path,
				     struct hf_str *ret)
{
	_cleanup_(climb_deinit) struct climb c = {.n = 0};
	struct hf_str name = {0}, via = {0};
	struct hf_found_root root;
	struct hf_err *err;
	uint32_t parent;

	HF_TRY(hf_session_nearest(s));
	for (; s->parent[block] != HF_NO_BLOCK && c.n < CLIMB_MAX; block = parent) {
		struct hf_str *step = &c.via[c.n++];

		parent = s->parent[block];
		HF_TRY(s->rt->ops->edge_name(s->rt, parent, block, false, step));
		HF_TRY(hf_str_check(step));
		if (*hf_str_get(step) != '.')
			continue;
		s->rt->ops->type_name(s->rt, s->rt->ops->block_type(s->rt, parent), ret);
		add_climb(&c, path, ret);
		return NULL;
	}
	if (s->nearest[block] == UINT32_MAX || s->parent[block] != HF_NO_BLOCK) {
		s->rt->ops->type_name(s->rt, s->rt->ops->block_type(s->rt, block), ret);
		add_climb(&c, path, ret);
		return NULL;
	}
	/* All goroutines of one function are one holder. */
	root = hf_root_at(s, s->nearest[block]);
	s->rt->ops->holder_name(s->rt, &root, ret);
	err = s->rt->ops->root_name(s->rt, &root, &name, &via);
	err = err ? err : hf_str_check(&via);
	add_general(ret, hf_str_get(&via));
	hf_str_deinit(&name);
	hf_str_deinit(&via);
	add_climb(&c, path, ret);
	return err;
}

static struct hf_err *name_pool(struct hf_pool_work *w, uint32_t i, struct hf_str *ret)
{
	const struct hf_pool *pool = &w->list.pools[i];
	struct hf_str path = {0};
	struct hf_err *err = w->s->rt->ops->pool_name(w->s->rt, i, ret, &path);

	err = err ? err : hf_str_check(&path);
	if (!err && ret->n && pool->block == HF_NO_BLOCK)
		hf_str_add(ret, hf_str_get(&path));
	else if (!err && ret->n)
		add_general(ret, hf_str_get(&path));
	else if (!err && pool->block != HF_NO_BLOCK)
		err = name_by_holder(w->s, pool->block, hf_str_get(&path), ret);
	hf_str_deinit(&path);
	return err ? err : hf_str_check(ret);
}

struct named {
	const char *name, *kind;
	uint32_t pool;
};

static int compare_names(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->pool < y->pool ? -1 : x->pool > y->pool;
}

static void begin_row(struct hf_pool_work *w, const struct named *named)
{
	w->rows[w->rows_n++] = (struct hf_pool_row){
		.kind = named->kind,
		.name = named->name,
		.parent = "",
		.held_by = "",
		.constructor = "",
		.makes = "",
		.problem = "",
		.items = HF_UNKNOWN,
		.used_bytes = HF_UNKNOWN,
		.out = HF_UNKNOWN,
		.out_bytes = HF_UNKNOWN,
	};
}

/* Pools of one name that make their items in different ways have a row each. */
static bool is_same(const struct hf_pool_work *w, const struct named *a, const struct named *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind) &&
	       w->list.pools[a->pool].constructor == w->list.pools[b->pool].constructor;
}

struct hf_err *hf_pools_name(struct hf_pool_work *w)
{
	uint32_t n = w->list.pools_n;
	struct hf_arena *arena = hf_result_arena(w->result);
	_free_ struct named *named = hf_calloc(hf_max(n, 1u), sizeof(*named));

	w->rows = hf_result_alloc(w->result, hf_max(n, 1u), sizeof(*w->rows));
	w->row_of_pool = hf_malloc(hf_max(n, 1u) * sizeof(uint32_t));
	if (!named || !w->rows || !w->row_of_pool)
		return hf_err_nomem();
	for (uint32_t i = 0; i < n; i++) {
		struct hf_str name = {0};
		struct hf_err *err = name_pool(w, i, &name);

		const char *kept = err ? "" : hf_arena_strndup(arena, hf_str_get(&name), name.n);

		hf_str_deinit(&name);
		HF_TRY(err);
		if (!kept)
			return hf_err_nomem();
		named[i] = (struct named){.name = kept, .kind = w->list.pools[i].kind, .pool = i};
	}
	if (n)
		qsort(named, n, sizeof(*named), compare_names);
	for (uint32_t i = 0; i < n; i++) {
		if (!i || !is_same(w, &named[i - 1], &named[i]))
			begin_row(w, &named[i]);
		w->row_of_pool[named[i].pool] = w->rows_n - 1;
		w->rows[w->rows_n - 1].count++;
	}
	return NULL;
}
