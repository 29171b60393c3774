/* pools: what waits in them, what that retains, who has what is out. */
#include "pools.h"

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

static void total(const struct hf_pool_work *w, size_t limit, struct hf_pools_answer *ret)
{
	ret->rows = w->rows;
	ret->n = limit ? hf_min(limit, (size_t)w->rows_n) : w->rows_n;
	ret->total_pools = w->list.pools_n;
	ret->total_idle = w->list.items_n;
	ret->total_idle_bytes = ret->shared_bytes = w->shared_bytes;
	ret->live_bytes = hf_session_live_bytes(w->s);
	for (size_t i = 0; i < w->rows_n; i++) {
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
	HF_TRY(fill_in(w));
	if (w->rows_n)
		qsort(w->rows, w->rows_n, sizeof(*w->rows), compare_rows);
	return NULL;
}

struct hf_err *hf_pools(struct hf_session *s, size_t limit, const struct hf_pools_answer **ret)
{
	struct hf_pools_answer *result = NULL;
	struct hf_pool_work w = {.s = s};
	struct hf_err *err;

	HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	w.result = result;
	err = ask(&w);
	if (!err)
		total(&w, limit, result);
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
