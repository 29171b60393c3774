/* pools: what waits in them, what that retains, who has what is out. */
#include "pools.h"

#include "../runtime/described.h"

#include <stdlib.h>

static int compare_rows(const void *a, const void *b)
{
	const struct hf_pool_row *x = a, *y = b;
	uint64_t x_out = x->out == HF_UNKNOWN ? 0 : x->out, y_out = y->out == HF_UNKNOWN ? 0 : y->out;

	if (x->idle_bytes != y->idle_bytes)
		return x->idle_bytes < y->idle_bytes ? 1 : -1;
	if (x->idle != y->idle)
		return x->idle < y->idle ? 1 : -1;
	if (x_out != y_out)
		return x_out < y_out ? 1 : -1;
	return strcmp(x->name, y->name) ? strcmp(x->name, y->name)
					: (x->addr > y->addr) - (x->addr < y->addr);
}

static void set_bit(uint8_t *bits, uint32_t block)
{
	bits[block / 8] |= (uint8_t)(1u << (block % 8));
}

/* What is in use: reached, but not by way of a pool's tables. */
static struct hf_err *part(struct hf_pool_work *w)
{
	const struct hf_pools *l = &w->list;
	size_t bits = (size_t)w->s->graph->blocks / 8 + 1;

	w->closed = hf_calloc(bits, 1);
	w->waits = hf_calloc(bits, 1);
	w->row_of_item = hf_malloc(hf_max(l->items_n, 1u) * sizeof(uint32_t));
	if (!w->closed || !w->waits || !w->row_of_item)
		return hf_err_nomem();
	for (uint32_t i = 0; i < l->stores_n; i++)
		set_bit(w->closed, l->stores[i]);
	for (uint32_t i = 0; i < l->items_n; i++)
		if (l->items[i].block != HF_NO_BLOCK)
			set_bit(w->waits, l->items[i].block);
	for (uint32_t p = 0; p < l->pools_n; p++)
		for (uint32_t i = 0; i < l->pools[p].n; i++)
			w->row_of_item[l->pools[p].first + i] = w->row_of_pool[p];
	return hf_nearest_find(w->s->graph, w->closed, false, &w->in_use);
}

/* Who leads to a pool that is no variable, and how large the largest items are. */
static struct hf_err *fill_in(struct hf_pool_work *w)
{
	const struct hf_runtime_ops *ops = w->s->rt->ops;

	for (uint32_t i = 0; i < w->rows_n; i++) {
		struct hf_pool_row *row = &w->rows[i];
		struct hf_found_root root;
		struct hf_str name = {0};
		uint32_t block;

		if (row->largest_addr && ops->find_block(w->s->rt, row->largest_addr, &block))
			row->largest_size = ops->block(w->s->rt, block).size;
		if (!ops->find_block(w->s->rt, row->addr, &block) || !hf_pool_in_use(w, block))
			continue;
		root = hf_root_at(w->s, w->in_use.root[block]);
		ops->holder_name(w->s->rt, &root, &name);
		HF_TRY(hf_str_check(&name));
		row->held_by = hf_result_take_str(w->result, &name);
	}
	return NULL;
}

static struct hf_err *describe(const void *result, const struct hf_described_pool *p, struct hf_pool_row *ret)
{
	struct hf_pool_type *type = hf_result_alloc(result, 1, sizeof(*type));

	if (!type)
		return hf_err_nomem();
	*ret = (struct hf_pool_row){
		.kind = HF_POOL_DESCRIBED,
		.name = hf_result_str(result, p->name),
		.count = 1,
		.addr = p->addr,
		.parent = "",
		.held_by = "",
		.constructor = hf_result_str(result, p->constructor_name),
		.constructor_addr = p->constructor,
		.makes = hf_result_str(result, p->item_type),
		.items = p->used - p->idle,
		.used_bytes = (p->used - p->idle) * p->object_size,
		.idle = p->idle,
		.in_shared = p->idle,
		.idle_bytes = p->idle * p->object_size,
		.own_bytes = p->slab_bytes - p->used * p->object_size,
		.out = HF_UNKNOWN,
		.out_bytes = HF_UNKNOWN,
		.object_size = p->object_size,
		.slabs = p->slabs,
		.slots = p->slots,
		.slab_bytes = p->slab_bytes,
		.problem = hf_result_str(result, p->problem),
	};
	if (!p->idle)
		return NULL;
	ret->median_bytes = ret->p99_bytes = ret->largest_bytes = ret->largest_size = p->object_size;
	*type = (struct hf_pool_type){ret->makes, p->idle, ret->idle_bytes};
	ret->types = type;
	ret->types_n = *ret->makes ? 1 : 0;
	return NULL;
}

static void total(const struct hf_pool_work *w, size_t limit, struct hf_pools_answer *ret)
{
	ret->rows = w->rows;
	ret->n = limit ? hf_min(limit, (size_t)w->rows_n) : w->rows_n;
	ret->total_idle_bytes = ret->shared_bytes = w->shared_bytes;
	ret->live_bytes = w->s->loaded ? hf_session_live_bytes(w->s) : 0;
	for (size_t i = 0; i < w->rows_n; i++) {
		ret->total_pools += w->rows[i].count;
		ret->total_idle += w->rows[i].idle;
		ret->total_idle_bytes += w->rows[i].idle_bytes;
		ret->left_out += i >= ret->n;
		ret->left_out_bytes += i >= ret->n ? w->rows[i].idle_bytes : 0;
	}
}

static struct hf_err *ask(struct hf_pool_work *w)
{
	const struct hf_runtime_ops *ops = w->s->rt->ops;

	if (ops->pools)
		HF_TRY(ops->pools(w->s->rt, w->s->graph->live, &w->list));
	if (w->list.items_n >= HF_COLOUR_MANY - w->list.pools_n)
		return hf_err(HF_UNSUPPORTED, "%" PRIu32 " items wait in pools: too many", w->list.items_n);
	HF_TRY(hf_pools_name(w));
	HF_TRY(part(w));
	HF_TRY(hf_pools_sum(w));
	HF_TRY(hf_pools_find_out(w));
	return fill_in(w);
}

static struct hf_err *add_described(struct hf_pool_work *w)
{
	const struct hf_described_pool *list;
	size_t n = w->s->described ? hf_described_pools(w->s->described, &list) : 0;
	struct hf_pool_row *rows =
		hf_result_alloc(w->result, hf_max(w->rows_n + n, (size_t)1), sizeof(*rows));

	if (!rows)
		return hf_err_nomem();
	if (w->rows_n)
		memcpy(rows, w->rows, w->rows_n * sizeof(*rows));
	w->rows = rows;
	for (size_t i = 0; i < n; i++)
		HF_TRY(describe(w->result, &list[i], &w->rows[w->rows_n++]));
	return NULL;
}

struct hf_err *hf_pools(struct hf_session *s, size_t limit, const struct hf_pools_answer **ret)
{
	struct hf_pools_answer *result = NULL;
	struct hf_pool_work w = {.s = s};
	struct hf_err *err;

	HF_TRY(hf_session_load_pools(s));
	if (s->loaded)
		HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	w.result = result;
	err = s->loaded ? ask(&w) : NULL;
	err = err ? err : add_described(&w);
	if (!err) {
		qsort(w.rows, w.rows_n, sizeof(*w.rows), compare_rows);
		total(&w, limit, result);
	}
	hf_free(w.row_of_pool);
	hf_free(w.row_of_item);
	hf_free(w.closed);
	hf_free(w.waits);
	hf_free(w.item_bytes);
	hf_nearest_deinit(&w.in_use);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
