/* What waits, and what would be freed without it. */
#include "pools.h"

#include "../base/map64.h"
#include "../base/vec.h"
#include "../base/workers.h"

#include <stdlib.h>

/* ---- colours ------------------------------------------------------------------------------------------------------ */

struct colours {
	struct hf_pool_work *w;
	uint32_t *of;           /* by block */
	HF_VEC(uint32_t) stack; /* blocks whose colour has changed; each changes three times at most */
	uint64_t *row_bytes;
};

static uint32_t row_of(const struct hf_pool_work *w, uint32_t colour)
{
	return colour < w->list.items_n ? w->row_of_item[colour] : colour - w->list.items_n;
}

static uint32_t mix(const struct hf_pool_work *w, uint32_t a, uint32_t b)
{
	if (a == b || b == HF_COLOUR_NONE)
		return a;
	if (a == HF_COLOUR_NONE)
		return b;
	if (a == HF_COLOUR_MANY || b == HF_COLOUR_MANY || row_of(w, a) != row_of(w, b))
		return HF_COLOUR_MANY;
	return w->list.items_n + row_of(w, a);
}

static bool is_store(const struct hf_pool_work *w, uint32_t block)
{
	return w->closed[block / 8] >> (block % 8) & 1;
}

static struct hf_err *paint(struct colours *c, uint32_t block, uint32_t colour)
{
	uint32_t mixed;

	if (hf_pool_in_use(c->w, block) || is_store(c->w, block))
		return NULL;
	mixed = mix(c->w, c->of[block], colour);
	if (mixed == c->of[block])
		return NULL;
	c->of[block] = mixed;
	return hf_vec_push(&c->stack, block);
}

static struct hf_err *paint_all(struct colours *c)
{
	const struct hf_pool_work *w = c->w;
	const struct hf_graph *g = w->s->graph;

	for (uint32_t i = 0; i < w->list.items_n; i++) {
		if (w->list.items[i].block != HF_NO_BLOCK)
			HF_TRY(paint(c, w->list.items[i].block, i));
		for (uint64_t steps = 1; c->stack.n; steps++) {
			uint32_t b = c->stack.at[--c->stack.n];

			if (steps % 65536 == 0)
				HF_TRY(hf_interrupt_check());
			for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++)
				HF_TRY(paint(c, g->edges[e], c->of[b]));
		}
	}
	return NULL;
}

static void add_up(struct colours *c)
{
	struct hf_pool_work *w = c->w;

	for (uint32_t b = 0; b < w->s->graph->blocks; b++) {
		uint32_t colour = c->of[b];
		uint64_t size;

		if (colour == HF_COLOUR_NONE)
			continue;
		size = w->s->rt->ops->block(w->s->rt, b).size;
		if (colour == HF_COLOUR_MANY)
			w->shared_bytes += size;
		else if (colour < w->list.items_n)
			w->item_bytes[colour] += size;
		else
			w->rows[colour - w->list.items_n].idle_bytes += size;
	}
}

static struct hf_err *colour(struct hf_pool_work *w)
{
	size_t n = w->s->graph->blocks;
	_free_ uint32_t *of = hf_malloc(hf_max(n, (size_t)1) * sizeof(*of));
	struct colours c = {.w = w, .of = of};
	struct hf_err *err;

	if (!of)
		return hf_err_nomem();
	memset(of, 0xff, n * sizeof(*of));
	err = paint_all(&c);
	if (!err)
		add_up(&c);
	hf_vec_deinit(&c.stack);
	return err;
}

/* ---- types ---------------------------------------------------------------------------------------------------------- */

struct type_row {
	uint32_t row, type;
	uint64_t count, bytes;
};

static int compare_types(const void *a, const void *b)
{
	const struct type_row *x = a, *y = b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->type < y->type ? -1 : x->type > y->type;
}

typedef HF_VEC(struct type_row) types_vec;

static struct hf_err *count_types(const struct hf_pool_work *w, types_vec *ret)
{
	struct hf_map64 index = {0};
	struct hf_err *err = NULL;

	for (uint32_t i = 0; i < w->list.items_n && !err; i++) {
		struct type_row row = {.row = w->row_of_item[i], .type = w->list.items[i].type};
		uint64_t key = (uint64_t)row.row << 32 | row.type, at;

		if (!hf_map64_find(&index, key, &at)) {
			at = ret->n;
			err = hf_map64_put(&index, key, at);
			err = err ? err : hf_vec_push(ret, row);
		}
		if (!err) {
			ret->at[at].count++;
			ret->at[at].bytes += w->item_bytes[i];
		}
	}
	hf_map64_deinit(&index);
	if (!err && ret->n)
		qsort(ret->at, ret->n, sizeof(*ret->at), compare_types);
	return err;
}

static struct hf_err *give_types(struct hf_pool_work *w)
{
	types_vec all = {0};
	struct hf_err *err = count_types(w, &all);
	struct hf_pool_type *types = err ? NULL : hf_result_alloc(w->result, all.n, sizeof(*types));

	if (!err && !types)
		err = hf_err_nomem();
	for (size_t i = 0; i < all.n && !err; i++) {
		struct hf_pool_row *row = &w->rows[all.at[i].row];
		struct hf_str name = {0};

		w->s->rt->ops->type_name(w->s->rt, all.at[i].type, &name);
		types[i] = (struct hf_pool_type){.name = hf_result_take_str(w->result, &name),
						 .count = all.at[i].count,
						 .bytes = all.at[i].bytes};
		if (!row->types_n++)
			row->types = &types[i];
	}
	hf_vec_deinit(&all);
	return err;
}

/* ---- how items are spread ---------------------------------------------------------------------------------------------- */

static int compare_bytes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* bytes: ascending. */
static void spread(struct hf_pool_row *row, const uint64_t *bytes, size_t n)
{
	uint64_t total = 0, most = 0;

	for (size_t i = 0; i < n; i++)
		total += bytes[i];
	row->median_bytes = bytes[(n - 1) / 2];
	row->p99_bytes = bytes[(n - 1) - (n - 1) / 100];
	while (row->heavy < n && most < total - total / 10)
		most += bytes[n - 1 - row->heavy++];
}

/* Items by row, one row after another. */
static struct hf_err *spread_all(struct hf_pool_work *w)
{
	_free_ uint32_t *at = hf_calloc((size_t)w->rows_n + 1, sizeof(*at));
	_free_ uint64_t *bytes = hf_malloc(hf_max(w->list.items_n, 1u) * sizeof(*bytes));

	if (!at || !bytes)
		return hf_err_nomem();
	for (uint32_t r = 0; r < w->rows_n; r++)
		at[r + 1] = at[r] + (uint32_t)w->rows[r].idle;
	for (uint32_t i = 0; i < w->list.items_n; i++)
		bytes[at[w->row_of_item[i]]++] = w->item_bytes[i];
	for (uint32_t r = 0; r < w->rows_n; r++) {
		size_t n = (size_t)w->rows[r].idle;
		uint64_t *first = bytes + at[r] - n;

		if (!n)
			continue;
		qsort(first, n, sizeof(*first), compare_bytes);
		spread(&w->rows[r], first, n);
	}
	return NULL;
}

/* ---- counts ---------------------------------------------------------------------------------------------------------- */

static void count_place(struct hf_pool_row *row, enum hf_pool_place place, uint64_t bytes)
{
	row->in_private += place == HF_POOL_PRIVATE;
	row->in_shared += place == HF_POOL_SHARED;
	row->in_victim += place == HF_POOL_VICTIM;
	row->victim_bytes += place == HF_POOL_VICTIM ? bytes : 0;
}

static struct hf_err *count_items(struct hf_pool_work *w)
{
	struct hf_map64 seen = {0};
	struct hf_err *err = NULL;

	for (uint32_t i = 0; i < w->list.items_n && !err; i++) {
		const struct hf_pool_item *item = &w->list.items[i];
		struct hf_pool_row *row = &w->rows[w->row_of_item[i]];
		uint64_t before;

		row->idle++;
		row->idle_bytes += w->item_bytes[i];
		count_place(row, (enum hf_pool_place)item->place, w->item_bytes[i]);
		if (!row->largest_addr || w->item_bytes[i] > row->largest_bytes) {
			row->largest_bytes = w->item_bytes[i];
			row->largest_addr = item->addr;
		}
		if (item->block == HF_NO_BLOCK)
			continue;
		row->held += hf_pool_in_use(w, item->block);
		row->twice += hf_map64_find(&seen, item->addr, &before);
		err = hf_map64_put(&seen, item->addr, 1);
	}
	hf_map64_deinit(&seen);
	return err;
}

static struct hf_err *name_type(const struct hf_pool_work *w, uint32_t type, const char **ret)
{
	struct hf_str name = {0};
	struct hf_err *err;

	w->s->rt->ops->type_name(w->s->rt, type, &name);
	err = hf_str_check(&name);
	*ret = hf_result_take_str(w->result, &name);
	return err;
}

/* The pool that a row of several shows the address of: what its items retain one by one. */
static struct hf_err *choose_pools(struct hf_pool_work *w)
{
	_free_ uint64_t *best = hf_calloc(hf_max(w->rows_n, 1u), sizeof(*best));

	if (!best)
		return hf_err_nomem();
	for (uint32_t i = 0; i < w->list.pools_n; i++) {
		const struct hf_pool *pool = &w->list.pools[i];
		struct hf_pool_row *row = &w->rows[w->row_of_pool[i]];
		uint64_t bytes = 0;

		for (uint32_t k = 0; k < pool->n; k++)
			bytes += w->item_bytes[pool->first + k];
		for (uint32_t k = 0; k < pool->stores; k++)
			row->own_bytes +=
				w->s->rt->ops->block(w->s->rt, w->list.stores[pool->store + k]).size;
		if (row->addr && bytes <= best[w->row_of_pool[i]])
			continue;
		best[w->row_of_pool[i]] = bytes;
		row->addr = pool->addr;
		row->constructor_addr = pool->constructor;
		row->constructor = pool->constructor_name;
		if (pool->makes)
			HF_TRY(name_type(w, pool->makes, &row->makes));
	}
	return NULL;
}

struct hf_err *hf_pools_sum(struct hf_pool_work *w)
{
	w->item_bytes = hf_calloc(hf_max(w->list.items_n, 1u), sizeof(uint64_t));
	if (!w->item_bytes)
		return hf_err_nomem();
	HF_TRY(colour(w));
	HF_TRY(count_items(w));
	HF_TRY(choose_pools(w));
	HF_TRY(give_types(w));
	return spread_all(w);
}
