/* top: what there is most of. */
#include "session.h"

#include "../base/vec.h"
#include "../base/workers.h"

#include <stdlib.h>

typedef HF_VEC(struct hf_row) rows_vec;

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct hf_row *)a)->name, ((const struct hf_row *)b)->name);
}

static int compare_bytes(const void *a, const void *b)
{
	const struct hf_row *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

/* Rows of one name become one; sorted by bytes, cut at the limit. */
static struct hf_err *finish(struct hf_top *result, rows_vec *rows, size_t limit)
{
	struct hf_row *kept;
	size_t n = 0;

	if (rows->n)
		qsort(rows->at, rows->n, sizeof(*rows->at), compare_names);
	for (size_t i = 0; i < rows->n; i++) {
		result->total_count += rows->at[i].count;
		result->total_bytes += rows->at[i].bytes;
		if (n && !strcmp(rows->at[n - 1].name, rows->at[i].name)) {
			rows->at[n - 1].count += rows->at[i].count;
			rows->at[n - 1].bytes += rows->at[i].bytes;
		} else {
			rows->at[n++] = rows->at[i];
		}
	}
	rows->n = n;
	if (n)
		qsort(rows->at, n, sizeof(*rows->at), compare_bytes);
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

static struct hf_err *by_type(struct hf_session *s, struct hf_top *result, rows_vec *rows)
{
	uint32_t n = s->rt->ops->types(s->rt);
	_free_ struct hf_row *all = hf_calloc(n, sizeof(*all));

	if (!all)
		return hf_err_nomem();
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
		all[i].retained_bytes = HF_UNKNOWN;
		HF_TRY(hf_vec_push(rows, all[i]));
	}
	return NULL;
}

static struct hf_err *by_root(struct hf_session *s, struct hf_top *result, rows_vec *rows)
{
	struct hf_holders holders;

	HF_TRY(hf_session_nearest(s));
	HF_TRY(hf_holders_number(s, result, &holders));
	HF_TRY(hf_vec_reserve(rows, holders.n));
	for (uint32_t i = 0; i < holders.n; i++)
		rows->at[rows->n++] = (struct hf_row){.name = holders.names[i], .retained_bytes = HF_UNKNOWN};
	for (uint32_t b = 0; b < s->graph->blocks; b++) {
		struct hf_row *row;

		if (s->nearest[b] == UINT32_MAX)
			continue;
		row = &rows->at[holders.of_root[s->nearest[b]]];
		row->count++;
		row->bytes += s->rt->ops->block(s->rt, b).size;
	}
	/* Who is nearest to nothing is listed by nobody. */
	for (size_t i = 0; i < rows->n;)
		if (rows->at[i].count)
			i++;
		else
			rows->at[i] = rows->at[--rows->n];
	return NULL;
}

struct hf_err *hf_top(struct hf_session *s, enum hf_top_by by, size_t limit, const struct hf_top **ret)
{
	struct hf_top *result = NULL;
	rows_vec rows = {0};
	struct hf_err *err;

	HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = by == HF_TOP_BY_ROOT ? by_root(s, result, &rows) : by_type(s, result, &rows);
	if (!err)
		err = finish(result, &rows, limit);
	hf_vec_deinit(&rows);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
