/* The rows of slack: a name for each place, and what stands in it. */
#include "slack_private.h"

#include <stdlib.h>

#define UP_MAX      16 /* blocks without a name of their own, one in another */
#define SHARED_WITH 3

/* Equal names get equal numbers. Takes name. */
static struct hf_err *number_of(struct slack *k, struct hf_str *name, uint32_t *ret)
{
	uint64_t hash = hf_text_hash(0, hf_str_get(name)), first = 0;
	struct hf_err *err = hf_str_check(name);

	hf_map64_find(&k->by_text, hash, &first);
	for (uint32_t i = (uint32_t)first; i && !err; i = k->next.at[i - 1])
		if (!strcmp(k->names.at[i - 1], hf_str_get(name))) {
			*ret = i - 1;
			hf_str_deinit(name);
			return NULL;
		}
	if (!err)
		err = hf_vec_push(&k->names, hf_result_take_str(k->result, name));
	if (!err)
		err = hf_vec_push(&k->next, (uint32_t)first);
	if (!err)
		err = hf_map64_put(&k->by_text, hash, k->names.n);
	hf_str_deinit(name);
	*ret = (uint32_t)k->names.n - 1;
	return err;
}

static struct hf_err *add_root_name(struct slack *k, uint32_t root, struct hf_str *ret)
{
	struct hf_found_root found = hf_root_at(k->s, root);

	return k->s->rt->ops->root_place(k->s->rt, &found, ret);
}

/* Up from an open place to one that has a name: the name of what leads to the block, without the place's own part. */
static struct hf_err *add_outer_name(struct slack *k, uint32_t block, struct hf_str *ret)
{
	const struct hf_runtime_ops *ops = k->s->rt->ops;
	struct hf_view_place places[UP_MAX];
	unsigned n = 0;
	bool closed = false;
	uint64_t known;

	for (uint32_t at = block; n < UP_MAX && !closed;) {
		struct slack_anchor anchor = k->anchors[at];

		if (n && hf_map64_find(&k->by_block, at, &known)) {
			hf_str_add(ret, k->names.at[known]);
			break;
		}
		if (anchor.from == SLACK_ROOT) {
			HF_TRY(add_root_name(k, anchor.at, ret));
			break;
		}
		if (anchor.from == HF_NO_BLOCK) {
			ops->type_name(k->s->rt, ops->block_type(k->s->rt, at), ret);
			break;
		}
		ops->place(k->s->rt, anchor.from,
			   ops->block(k->s->rt, anchor.from).addr + (uint64_t)anchor.at * 8, &places[n]);
		closed = !places[n++].open;
		at = anchor.from;
	}
	if (n == UP_MAX && !closed)
		hf_str_add(ret, "...");
	while (n)
		HF_TRY(ops->place_name(k->s->rt, &places[--n], ret));
	return NULL;
}

struct hf_err *hf_slack_name_block(struct slack *k, uint32_t block, uint32_t *ret)
{
	struct hf_str name = {0};
	uint64_t known;
	struct hf_err *err;

	if (hf_map64_find(&k->by_block, block, &known)) {
		*ret = (uint32_t)known;
		return NULL;
	}
	err = add_outer_name(k, block, &name);
	if (err) {
		hf_str_deinit(&name);
		return err;
	}
	HF_TRY(number_of(k, &name, ret));
	return hf_map64_put(&k->by_block, block, *ret);
}

static struct hf_err *name_place(struct slack *k, const struct hf_view_place *place, const char *before,
				 uint32_t *ret)
{
	struct hf_str name = {0};
	struct hf_err *err;

	hf_str_add(&name, before);
	err = k->s->rt->ops->place_name(k->s->rt, place, &name);
	if (err) {
		hf_str_deinit(&name);
		return err;
	}
	return number_of(k, &name, ret);
}

struct hf_err *hf_slack_name(struct slack *k, uint32_t from, uint64_t at, uint32_t *ret)
{
	struct hf_view_place place;
	struct hf_str name = {0};
	struct hf_err *err;
	uint64_t key, known;
	uint32_t outer;

	if (from == SLACK_ROOT) {
		err = add_root_name(k, (uint32_t)at, &name);
		if (!err)
			return number_of(k, &name, ret);
		hf_str_deinit(&name);
		return err;
	}
	k->s->rt->ops->place(k->s->rt, from, at, &place);
	if (place.open) {
		HF_TRY(hf_slack_name_block(k, from, &outer));
		return name_place(k, &place, k->names.at[outer], ret);
	}
	key = (uint64_t)place.type << 32 | (uint32_t)place.offset;
	if (place.offset <= UINT32_MAX && hf_map64_find(&k->by_place, key, &known)) {
		*ret = (uint32_t)known;
		return NULL;
	}
	HF_TRY(name_place(k, &place, "", ret));
	return place.offset <= UINT32_MAX ? hf_map64_put(&k->by_place, key, *ret) : NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static struct hf_err *make_row(struct slack *k, uint32_t holder)
{
	while (k->rows.n <= holder) {
		HF_TRY(hf_vec_push(&k->rows,
				   ((struct hf_slack_row){.holder = k->names.at[k->rows.n], .kind = ""})));
		HF_TRY(hf_vec_push(&k->most, 0));
		for (int i = 0; i < SLACK_KINDS; i++)
			HF_TRY(hf_vec_push(&k->of_kind, 0));
	}
	return NULL;
}

static struct hf_err *set_example(struct slack *k, struct hf_slack_row *row, const struct slack_waste *w)
{
	const char **names = NULL;

	row->addr = k->s->rt->ops->block(k->s->rt, w->block).addr;
	row->shared_with_n = 0;
	if (w->others_n > 1 && !(names = hf_result_alloc(k->result, SHARED_WITH, sizeof(*names))))
		return hf_err_nomem();
	for (size_t i = 0; i < w->others_n && row->shared_with_n < SHARED_WITH && names; i++)
		if (w->others[i] != w->holder)
			names[row->shared_with_n++] = k->names.at[w->others[i]];
	row->shared_with = names;
	return NULL;
}

struct hf_err *hf_slack_add(struct slack *k, const struct slack_waste *w)
{
	struct hf_slack_row *row;

	HF_TRY(make_row(k, w->holder));
	row = &k->rows.at[w->holder];
	if (!row->count || w->wasted > k->most.at[w->holder]) {
		k->most.at[w->holder] = w->wasted;
		HF_TRY(set_example(k, row, w));
	}
	row->count++;
	row->views += w->views;
	row->shared_views += w->shared;
	row->wasted_bytes += w->wasted;
	row->capacity_bytes += w->capacity;
	row->visible_bytes += w->visible;
	row->block_bytes += w->size;
	row->hidden_pointers += w->hidden;
	row->hidden_bytes += w->hidden_bytes;
	k->of_kind.at[(size_t)w->holder * SLACK_KINDS + w->kind] += w->wasted;
	return NULL;
}

static int compare_rows(const void *a, const void *b)
{
	const struct hf_slack_row *x = a, *y = b;

	if (x->wasted_bytes != y->wasted_bytes)
		return x->wasted_bytes < y->wasted_bytes ? 1 : -1;
	return strcmp(x->holder, y->holder);
}

static const char *main_kind(const struct slack *k, size_t row)
{
	static const char *const names[] = {
		[SLACK_SLICE] = "sub-slice",
		[SLACK_STRING] = "substring",
		[SLACK_POINTER] = "interior pointer",
		[SLACK_CAPACITY] = "capacity",
		[SLACK_MAP] = "map",
		[SLACK_CHAN] = "channel",
	};
	const uint64_t *bytes = &k->of_kind.at[row * SLACK_KINDS];
	int best = 0;

	for (int i = 1; i < SLACK_KINDS; i++)
		if (bytes[i] > bytes[best])
			best = i;
	return names[best];
}

struct hf_err *hf_slack_finish(struct slack *k, size_t limit)
{
	struct hf_slack *result = k->result;
	struct hf_slack_row *kept;
	size_t n = 0;

	for (size_t i = 0; i < k->rows.n; i++) {
		if (!k->rows.at[i].count)
			continue;
		k->rows.at[i].kind = main_kind(k, i);
		k->rows.at[n++] = k->rows.at[i];
	}
	if (n)
		qsort(k->rows.at, n, sizeof(*k->rows.at), compare_rows);
	result->n = limit ? hf_min(limit, n) : n;
	for (size_t i = 0; i < n; i++) {
		result->wasted_bytes += k->rows.at[i].wasted_bytes;
		result->hidden_bytes += k->rows.at[i].hidden_bytes;
		result->left_out += i >= result->n;
		result->left_out_bytes += i >= result->n ? k->rows.at[i].wasted_bytes : 0;
	}
	kept = hf_result_alloc(result, result->n, sizeof(*kept));
	if (!kept)
		return hf_err_nomem();
	if (result->n)
		memcpy(kept, k->rows.at, result->n * sizeof(*kept));
	result->rows = kept;
	return NULL;
}

void hf_slack_deinit(struct slack *k)
{
	hf_free(k->anchors);
	hf_free(k->unknown);
	hf_free(k->whole);
	hf_vec_deinit(&k->views);
	hf_vec_deinit(&k->spares);
	hf_map64_deinit(&k->by_text);
	hf_map64_deinit(&k->by_place);
	hf_map64_deinit(&k->by_block);
	hf_vec_deinit(&k->names);
	hf_vec_deinit(&k->next);
	hf_vec_deinit(&k->rows);
	hf_vec_deinit(&k->most);
	hf_vec_deinit(&k->of_kind);
}
