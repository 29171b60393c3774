/* Objects of the items' types that do not wait: who holds them. */
#include "pools.h"

#include "../base/map64.h"
#include "../base/vec.h"
#include "../base/workers.h"

#include <stdlib.h>

#define HOLDERS_MAX 10

/* Objects of a type that a holder leads to. */
struct held {
	uint32_t type, holder;
	uint64_t count, bytes;
};

/* A type that the objects of a row are of when they are out. */
struct wanted {
	uint32_t row, type;
};

struct out {
	struct hf_pool_work *w;
	uint8_t *is_wanted; /* by type */
	uint32_t *pools;    /* by type: rows that have it */
	HF_VEC(struct wanted) wanted;
	HF_VEC(struct held) held; /* by type after the count */
	struct hf_holders holders;
};

static struct hf_err *want(struct out *o, struct hf_map64 *seen, uint32_t row, uint32_t type)
{
	uint64_t key = (uint64_t)row << 32 | type, before;

	if (!type || hf_map64_find(seen, key, &before))
		return NULL;
	o->is_wanted[type] = 1;
	o->pools[type]++;
	HF_TRY(hf_map64_put(seen, key, 1));
	return hf_vec_push(&o->wanted, ((struct wanted){.row = row, .type = type}));
}

/* Of the items that wait, and of what constructors make. */
static struct hf_err *list_types(struct out *o)
{
	const struct hf_pools *l = &o->w->list;
	struct hf_map64 seen = {0};
	struct hf_err *err = NULL;

	for (uint32_t i = 0; i < l->items_n && !err; i++)
		err = want(o, &seen, o->w->row_of_item[i], l->items[i].whole);
	for (uint32_t p = 0; p < l->pools_n && !err; p++)
		err = want(o, &seen, o->w->row_of_pool[p], l->pools[p].makes_whole);
	hf_map64_deinit(&seen);
	return err;
}

static bool waits(const struct hf_pool_work *w, uint32_t block)
{
	return w->waits[block / 8] >> (block % 8) & 1;
}

static int compare_held(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->holder < y->holder ? -1 : x->holder > y->holder;
}

static struct hf_err *count_held(struct out *o)
{
	const struct hf_runtime_ops *ops = o->w->s->rt->ops;
	struct hf_runtime *rt = o->w->s->rt;
	struct hf_map64 index = {0};
	struct hf_err *err = NULL;

	for (uint32_t b = 0; b < o->w->s->graph->blocks && !err; b++) {
		uint32_t type = ops->block_type(rt, b);
		uint64_t key, at;

		if (b % 65536 == 0)
			err = hf_interrupt_check();
		if (!o->is_wanted[type] || !hf_pool_in_use(o->w, b) || waits(o->w, b))
			continue;
		key = (uint64_t)type << 32 | o->holders.of_root[o->w->in_use.root[b]];
		if (!err && !hf_map64_find(&index, key, &at)) {
			at = o->held.n;
			err = hf_map64_put(&index, key, at);
			err = err ? err
				  : hf_vec_push(&o->held,
						((struct held){.type = type, .holder = (uint32_t)key}));
		}
		if (!err) {
			o->held.at[at].count++;
			o->held.at[at].bytes += ops->block(rt, b).size;
		}
	}
	hf_map64_deinit(&index);
	if (!err && o->held.n)
		qsort(o->held.at, o->held.n, sizeof(*o->held.at), compare_held);
	return err;
}

static int compare_holders(const void *a, const void *b)
{
	const struct hf_pool_holder *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

/* The first that is of the type, or of a later one. */
static size_t first_held(const struct out *o, uint32_t type)
{
	size_t low = 0, high = o->held.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (o->held.at[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A row's holders of a further type: those that are there stay, as far as they are among the first. */
static void add_holders(struct out *o, struct hf_pool_row *row, uint32_t type)
{
	struct hf_pool_holder *list = (struct hf_pool_holder *)row->holders;
	size_t taken = 0;

	for (size_t i = first_held(o, type); i < o->held.n && o->held.at[i].type == type; i++) {
		const struct held *h = &o->held.at[i];
		const char *name = o->holders.names[h->holder];
		size_t at = 0;

		row->out += h->count;
		row->out_bytes += h->bytes;
		if (taken++ >= HOLDERS_MAX)
			continue;
		while (at < row->holders_n && strcmp(list[at].name, name))
			at++;
		if (at == row->holders_n)
			list[row->holders_n++] = (struct hf_pool_holder){.name = name};
		list[at].count += h->count;
		list[at].bytes += h->bytes;
	}
	qsort(list, row->holders_n, sizeof(*list), compare_holders);
	row->holders_n = hf_min(row->holders_n, (size_t)HOLDERS_MAX);
}

static struct hf_err *give(struct out *o)
{
	hf_vec_each(&o->wanted, wanted) {
		struct hf_pool_row *row = &o->w->rows[wanted->row];

		if (row->out == HF_UNKNOWN) {
			row->out = row->out_bytes = 0;
			row->holders = hf_result_alloc(o->w->result, 2 * HOLDERS_MAX, sizeof(*row->holders));
			if (!row->holders)
				return hf_err_nomem();
		}
		row->out_pools = hf_max(row->out_pools, (uint64_t)o->pools[wanted->type]);
		add_holders(o, row, wanted->type);
	}
	return NULL;
}

struct hf_err *hf_pools_find_out(struct hf_pool_work *w)
{
	uint32_t types = w->s->rt->ops->types(w->s->rt);
	_free_ uint8_t *is_wanted = hf_calloc(hf_max(types, 1u), 1);
	_free_ uint32_t *pools = hf_calloc(hf_max(types, 1u), sizeof(*pools));
	struct out o = {.w = w, .is_wanted = is_wanted, .pools = pools};
	struct hf_err *err;

	if (!is_wanted || !pools)
		return hf_err_nomem();
	err = list_types(&o);
	if (!err && o.wanted.n)
		err = hf_holders_number(w->s, w->result, &o.holders);
	if (!err && o.wanted.n)
		err = count_held(&o);
	if (!err)
		err = give(&o);
	hf_vec_deinit(&o.wanted);
	hf_vec_deinit(&o.held);
	return err;
}
