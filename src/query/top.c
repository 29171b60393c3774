/* top: what there is most of. */
#include "sites.h"
#include "top.h"

#include "../base/workers.h"

#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct hf_row *)a)->name, ((const struct hf_row *)b)->name);
}

static int compare_bytes(const void *a, const void *b)
{
	const struct hf_row *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

static int compare_retained(const void *a, const void *b)
{
	const struct hf_row *x = a, *y = b;

	return x->retained_bytes != y->retained_bytes ? (x->retained_bytes < y->retained_bytes ? 1 : -1)
						      : compare_bytes(a, b);
}

struct hf_err *hf_top_finish(struct hf_top *result, hf_rows *rows, bool by_bytes, size_t limit)
{
	struct hf_row *kept;
	size_t n = 0;

	if (rows->n)
		qsort(rows->at, rows->n, sizeof(*rows->at), compare_names);
	for (size_t i = 0; i < rows->n; i++) {
		if (n && !strcmp(rows->at[n - 1].name, rows->at[i].name)) {
			rows->at[n - 1].count += rows->at[i].count;
			rows->at[n - 1].bytes += rows->at[i].bytes;
			rows->at[n - 1].retained_bytes += rows->at[i].retained_bytes;
		} else {
			rows->at[n++] = rows->at[i];
		}
	}
	rows->n = n;
	if (n)
		qsort(rows->at, n, sizeof(*rows->at), by_bytes ? compare_bytes : compare_retained);
	result->n = limit ? hf_min(limit, n) : n;
	for (size_t i = result->n; i < n; i++) {
		result->left_out++;
		result->left_out_bytes += rows->at[i].bytes;
	}
	kept = hf_result_alloc(result, result->n, sizeof(*kept));
	if (!kept)
		return hf_err_nomem();
	if (result->n)
		memcpy(kept, rows->at, result->n * sizeof(*kept));
	result->rows = kept;
	return NULL;
}

static struct hf_err *by_type(struct hf_session *s, struct hf_top *result, hf_rows *rows)
{
	uint32_t n = s->rt->ops->types(s->rt);
	_free_ struct hf_row *all = hf_calloc(n, sizeof(*all));
	_free_ uint64_t *retained = hf_calloc(n, sizeof(*retained));

	if (!all || !retained)
		return hf_err_nomem();
	HF_TRY(hf_retained_by_type(s, retained));
	for (uint32_t b = 0; b < s->graph->blocks; b++) {
		struct hf_row *row;

		if (!hf_graph_is_live(s->graph, b))
			continue;
		row = &all[s->rt->ops->block_type(s->rt, b)];
		row->count++;
		row->bytes += s->rt->ops->block(s->rt, b).size;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct hf_str name = {0};

		if (!all[i].count)
			continue;
		s->rt->ops->type_name(s->rt, i, &name);
		all[i].name = hf_result_take_str(result, &name);
		all[i].retained_bytes = retained[i];
		HF_TRY(hf_vec_push(rows, all[i]));
	}
	return NULL;
}

/* What no single holder holds alone: the blocks that only the top of the tree dominates, and theirs. */
static struct hf_row shared_row(struct hf_session *s)
{
	const struct hf_dominators *d = s->dominators;
	struct hf_row row = {.name = HF_SHARED_NAME};

	for (uint32_t b = 0; b < d->blocks; b++)
		if (d->idom[b] == hf_dominators_top(d)) {
			row.count += d->retained_blocks[b];
			row.bytes += d->retained[b];
		}
	row.retained_bytes = row.bytes;
	return row;
}

static bool is_goroutine(uint8_t kind)
{
	return kind == HF_ROOT_GOROUTINE || kind == HF_ROOT_STACK || kind == HF_ROOT_REGISTER;
}

/* Bytes and count are of what a holder alone holds, so that the rows add up to all that is live. */
static struct hf_err *by_root(struct hf_session *s, bool goroutines, hf_rows *rows)
{
	struct hf_row shared;

	HF_TRY(hf_session_dominators(s));
	HF_TRY(hf_vec_reserve(rows, (size_t)s->holders->n + 1));
	for (uint32_t i = 0; i < s->holders->n; i++) {
		uint32_t node = hf_dominators_holder(s->dominators, i);
		uint64_t bytes = s->dominators->retained[node];

		if (s->dominators->retained_blocks[node] &&
		    (!goroutines || is_goroutine(s->holders->kinds[i])))
			rows->at[rows->n++] = (struct hf_row){.name = s->holders->names[i],
							      .count = s->dominators->retained_blocks[node],
							      .bytes = bytes,
							      .retained_bytes = bytes};
	}
	shared = shared_row(s);
	if (!goroutines && shared.count)
		rows->at[rows->n++] = shared;
	return NULL;
}

/* Keeps the n largest of what it is given: a heap with the smallest of them on top. */
struct largest {
	uint32_t *at;
	size_t n, cap;
	const uint64_t *key;
};

static void sink(struct largest *l, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;
		uint32_t v = l->at[i];

		if (child + 1 < l->n && l->key[l->at[child + 1]] < l->key[l->at[child]])
			child++;
		if (child >= l->n || l->key[v] <= l->key[l->at[child]])
			return;
		l->at[i] = l->at[child];
		l->at[child] = v;
		i = child;
	}
}

static void keep_if_large(struct largest *l, uint32_t v)
{
	if (l->n < l->cap) {
		l->at[l->n++] = v;
		if (l->n == l->cap)
			for (size_t i = l->n / 2; i-- > 0;)
				sink(l, i);
	} else if (l->cap && l->key[v] > l->key[l->at[0]]) {
		l->at[0] = v;
		sink(l, 0);
	}
}

static struct hf_err *by_object(struct hf_session *s, struct hf_top *result, size_t limit, hf_rows *rows)
{
	struct largest l = {.cap = limit && limit < s->graph->blocks ? limit : s->graph->blocks};
	_free_ uint32_t *at = hf_malloc(l.cap * sizeof(*at));

	if (!at)
		return hf_err_nomem();
	HF_TRY(hf_session_dominators(s));
	l.at = at;
	l.key = s->dominators->retained;
	for (uint32_t b = 0; b < s->graph->blocks; b++)
		if (hf_graph_is_live(s->graph, b))
			keep_if_large(&l, b);
	for (size_t i = 0; i < l.n; i++) {
		struct hf_block block = s->rt->ops->block(s->rt, at[i]);
		struct hf_str name = {0};

		hf_str_addf(&name, "0x%" PRIx64 " ", block.addr);
		s->rt->ops->type_name(s->rt, s->rt->ops->block_type(s->rt, at[i]), &name);
		HF_TRY(hf_vec_push(rows,
				   ((struct hf_row){.name = hf_result_take_str(result, &name),
						    .count = s->dominators->retained_blocks[at[i]],
						    .bytes = block.size,
						    .retained_bytes = s->dominators->retained[at[i]]})));
	}
	return NULL;
}

/* Of sites: what all samples in use stand for. */
static void set_site_totals(struct hf_session *s, const hf_rows *rows, struct hf_top *result)
{
	const char *why_not;

	result->sample_rate = s->rt->ops->alloc_rate(s->rt, &why_not);
	for (size_t i = 0; i < rows->n; i++) {
		result->total_count += rows->at[i].count;
		result->total_bytes += rows->at[i].bytes;
	}
}

/* What is live in all: objects may stand in several rows, or in none. */
static void set_totals(struct hf_session *s, struct hf_top *result)
{
	uint32_t top = hf_dominators_top(s->dominators);

	result->total_count = s->dominators->retained_blocks[top];
	result->total_bytes = s->dominators->retained[top];
}

struct hf_err *hf_top(struct hf_session *s, enum hf_top_by by, size_t limit, const struct hf_top **ret)
{
	struct hf_top *result = NULL;
	hf_rows rows = {0};
	struct hf_err *err;

	if (by == HF_TOP_BY_SITE)
		HF_TRY(hf_sites_check(s));
	HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	if (by == HF_TOP_BY_TYPE)
		err = by_type(s, result, &rows);
	else if (by == HF_TOP_BY_OBJECT)
		err = by_object(s, result, limit, &rows);
	else if (by == HF_TOP_BY_SITE)
		err = hf_site_rows(s, result, &rows);
	else
		err = by_root(s, by == HF_TOP_BY_GOROUTINE, &rows);
	if (!err && by == HF_TOP_BY_SITE)
		set_site_totals(s, &rows, result);
	if (!err)
		err = hf_top_finish(result, &rows, by == HF_TOP_BY_TYPE || by == HF_TOP_BY_SITE, limit);
	hf_vec_deinit(&rows);
	if (err) {
		hf_result_free(result);
		return err;
	}
	if (by != HF_TOP_BY_SITE)
		set_totals(s, result);
	*ret = result;
	return NULL;
}
