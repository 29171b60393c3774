#include "dominator_rows.h"

#include "../base/workers.h"

#include <stdlib.h>

#define FEW         3  /* of one type: each has a line, if it is large enough */
#define STANDS_OUT  10 /* of more: those that retain a tenth of all of them, and twice the average */
#define CHECK_STEPS 65536

/* The nodes of one type among the children of a line. */
struct group {
	uint32_t type, n, at;
	uint64_t bytes, count;
};
typedef HF_VEC(struct group) groups_vec;

struct hf_err *hf_forest_init(struct hf_forest *f, struct hf_session *s)
{
	uint32_t types = s->rt->ops->types(s->rt);

	*f = (struct hf_forest){.s = s, .d = s->dominators};
	f->whole = hf_malloc((size_t)types * sizeof(*f->whole));
	f->group = hf_calloc(types, sizeof(*f->group));
	if (!f->whole || !f->group) {
		hf_forest_deinit(f);
		return hf_err_nomem();
	}
	memset(f->whole, 0xff, (size_t)types * sizeof(*f->whole));
	return hf_domtree_init(&f->tree, f->d);
}

void hf_forest_deinit(struct hf_forest *f)
{
	hf_domtree_deinit(&f->tree);
	hf_vec_deinit(&f->nodes);
	hf_vec_deinit(&f->inner);
	hf_free(take_ptr(f->whole));
	hf_free(take_ptr(f->group));
}

static inline struct hf_err *step(struct hf_forest *f)
{
	return ++f->steps % CHECK_STEPS ? NULL : hf_interrupt_check();
}

static uint32_t type_of(const struct hf_forest *f, uint32_t node)
{
	return f->s->rt->ops->block_type(f->s->rt, node);
}

static bool is_block(const struct hf_forest *f, uint32_t node)
{
	return node < f->d->blocks;
}

/* Sums that do not fit stay at the largest number, as the retained sizes themselves. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t s;

	return hf_add_overflows(a, b, &s) ? UINT64_MAX : s;
}

static void add_node(const struct hf_forest *f, struct hf_line *line, uint32_t node)
{
	line->n++;
	line->bytes = sum(line->bytes, f->d->retained[node]);
	line->count += f->d->retained_blocks[node];
}

struct hf_err *hf_forest_begin(struct hf_forest *f, enum hf_dominator_kind kind, uint32_t node,
			       struct hf_line *ret)
{
	*ret = (struct hf_line){.kind = kind, .first = (uint32_t)f->nodes.n};
	add_node(f, ret, node);
	return hf_vec_push(&f->nodes, node);
}

struct hf_err *hf_forest_begin_types(struct hf_forest *f, const uint8_t *wanted, struct hf_line *ret)
{
	/* By node: it, or one that dominates it, is of the types. */
	_free_ uint8_t *below = hf_calloc((size_t)hf_dominators_top(f->d) + 1, 1);

	if (!below)
		return hf_err_nomem();
	*ret = (struct hf_line){.kind = HF_DOMINATOR_OBJECT, .first = (uint32_t)f->nodes.n};
	for (uint32_t i = 1; i < f->d->n; i++) {
		uint32_t node = f->d->order[i];

		HF_TRY(step(f));
		below[node] = below[f->d->idom[node]];
		if (below[node] || !is_block(f, node) || !wanted[type_of(f, node)])
			continue;
		below[node] = 1;
		add_node(f, ret, node);
		HF_TRY(hf_vec_push(&f->nodes, node));
	}
	return NULL;
}

/* ---- what a line holds itself, and what is below it ------------------------------------------------------ */

static bool is_nested(struct hf_forest *f, uint32_t type, uint32_t node)
{
	uint32_t own = type_of(f, node);

	if (own == type || !f->s->rt->ops->type_whole)
		return own == type;
	if (f->whole[own] == UINT32_MAX)
		f->whole[own] = f->s->rt->ops->type_whole(f->s->rt, own);
	return f->whole[own] == type;
}

/* The objects of a line, and what is nested in them; the others that they dominate are added to the nodes, where below. */
static struct hf_err *open_objects(struct hf_forest *f, const struct hf_line *line, bool below,
				   struct hf_dominator_row *ret)
{
	uint32_t type = type_of(f, f->nodes.at[line->first]);
	uint64_t most = 0;

	f->inner.n = 0;
	HF_TRY(hf_vec_reserve(&f->inner, line->n));
	for (uint32_t i = 0; i < line->n; i++) {
		uint32_t node = f->nodes.at[line->first + i];

		f->inner.at[f->inner.n++] = node;
		if (f->d->retained[node] > most || !i) {
			most = f->d->retained[node];
			ret->addr = f->s->rt->ops->block(f->s->rt, node).addr;
		}
	}
	for (size_t at = 0; at < f->inner.n; at++) {
		uint32_t node = f->inner.at[at];

		ret->own_bytes = sum(ret->own_bytes, f->s->rt->ops->block(f->s->rt, node).size);
		for (uint32_t i = f->tree.start[node]; i < f->tree.start[node + 1]; i++) {
			uint32_t child = f->tree.children[i];

			HF_TRY(step(f));
			if (is_nested(f, type, child)) {
				ret->nested += type_of(f, child) == type;
				HF_TRY(hf_vec_push(&f->inner, child));
			} else if (below) {
				HF_TRY(hf_vec_push(&f->nodes, child));
			}
		}
	}
	return NULL;
}

static struct hf_err *add_children(struct hf_forest *f, uint32_t node)
{
	uint32_t first = f->tree.start[node], n = f->tree.start[node + 1] - first;

	HF_TRY(hf_vec_reserve(&f->nodes, n));
	if (n)
		memcpy(f->nodes.at + f->nodes.n, f->tree.children + first, n * sizeof(*f->nodes.at));
	f->nodes.n += n;
	return NULL;
}

/* ---- objects, by type -------------------------------------------------------------------------------------- */

static struct hf_err *count_groups(struct hf_forest *f, uint32_t first, uint32_t n, groups_vec *groups)
{
	for (uint32_t i = first; i < first + n; i++) {
		uint32_t node = f->nodes.at[i], type = type_of(f, node);
		struct group *g;

		HF_TRY(step(f));
		if (!f->group[type]) {
			HF_TRY(hf_vec_push(groups, (struct group){.type = type}));
			f->group[type] = (uint32_t)groups->n;
		}
		g = &groups->at[f->group[type] - 1];
		g->n++;
		g->bytes = sum(g->bytes, f->d->retained[node]);
		g->count += f->d->retained_blocks[node];
	}
	return NULL;
}

/* Orders the nodes by group: a counting sort. */
static struct hf_err *sort_by_group(struct hf_forest *f, uint32_t first, uint32_t n, groups_vec *groups)
{
	_free_ uint32_t *sorted = hf_malloc((size_t)n * sizeof(*sorted));
	uint32_t at = 0;

	if (!sorted)
		return hf_err_nomem();
	hf_vec_each(groups, g) {
		g->at = at;
		at += g->n;
	}
	for (uint32_t i = first; i < first + n; i++)
		sorted[groups->at[f->group[type_of(f, f->nodes.at[i])] - 1].at++] = f->nodes.at[i];
	if (n)
		memcpy(f->nodes.at + first, sorted, n * sizeof(*sorted));
	hf_vec_each(groups, h)
		h->at += first - h->n;
	return NULL;
}

/* What a node must retain to stand on a line of its own. */
static uint64_t line_of_its_own(const struct hf_forest *f, const struct group *g)
{
	uint64_t tenth = g->bytes / STANDS_OUT + (g->bytes % STANDS_OUT != 0);
	uint64_t least = g->n <= FEW ? 1 : hf_max(tenth, g->bytes / g->n * 2 + 1);

	return hf_max(least, f->min);
}

/* Those that stand out, and the others of the type together. */
static struct hf_err *add_group(const struct hf_forest *f, const struct group *g, uint32_t depth,
				hf_lines *lines)
{
	uint64_t own = line_of_its_own(f, g);
	struct hf_line others = {.kind = HF_DOMINATOR_OBJECT, .depth = depth};
	uint32_t at = g->at, *nodes = f->nodes.at;

	for (uint32_t i = g->at; i < g->at + g->n; i++) {
		uint32_t node = nodes[i];
		struct hf_line line = {.kind = HF_DOMINATOR_OBJECT, .depth = depth, .first = at};

		if (f->d->retained[node] < own) {
			add_node(f, &others, node);
			continue;
		}
		nodes[i] = nodes[at];
		nodes[at++] = node;
		add_node(f, &line, node);
		HF_TRY(hf_vec_push(lines, line));
	}
	others.first = at;
	others.more = at > g->at && others.n > 1;
	return others.n ? hf_vec_push(lines, others) : NULL;
}

static struct hf_err *add_objects(struct hf_forest *f, uint32_t first, uint32_t n, uint32_t depth,
				  hf_lines *lines)
{
	groups_vec groups = {0};
	struct hf_err *err = count_groups(f, first, n, &groups);

	if (!err)
		err = sort_by_group(f, first, n, &groups);
	hf_vec_each(&groups, g) {
		f->group[g->type] = 0;
		if (!err)
			err = add_group(f, g, depth, lines);
	}
	hf_vec_deinit(&groups);
	return err;
}

/* ---- roots ---------------------------------------------------------------------------------------------------- */

/* What is below the top: the roots, one a line, and what none of them holds alone. */
static struct hf_err *split_roots(struct hf_forest *f, uint32_t first, uint32_t n, hf_lines *lines,
				  struct hf_line *shared)
{
	uint32_t at = first, *nodes = f->nodes.at;

	*shared = (struct hf_line){.kind = HF_DOMINATOR_SHARED, .depth = 1, .first = first};
	for (uint32_t i = first; i < first + n; i++) {
		uint32_t node = nodes[i];

		if (!is_block(f, node))
			continue;
		nodes[i] = nodes[at];
		nodes[at++] = node;
		add_node(f, shared, node);
	}
	for (; at < first + n; at++) {
		struct hf_line line = {.kind = HF_DOMINATOR_ROOT, .depth = 1, .first = at};

		add_node(f, &line, nodes[at]);
		if (line.count)
			HF_TRY(hf_vec_push(lines, line));
	}
	return NULL;
}

/* ---- the lines below one ---------------------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
	const struct hf_line *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1)
				    : (x->first > y->first) - (x->first < y->first);
}

/* Keeps the largest lines, and sums the others up; where that is one, it is as well kept. Where none is large enough,
 * their sum must be worth a line, but for where the tree begins. */
static struct hf_err *cut(const struct hf_forest *f, hf_lines *lines, size_t before, uint32_t depth)
{
	struct hf_line rest = {.kind = HF_DOMINATOR_REST, .depth = depth};
	size_t n = lines->n - before, kept = 0;

	if (n)
		qsort(lines->at + before, n, sizeof(*lines->at), compare_lines);
	while (kept < n && kept < f->max && lines->at[before + kept].bytes >= f->min)
		kept++;
	if (n - kept == 1 && (kept || depth == 1))
		kept++;
	for (size_t i = before + kept; i < lines->n; i++) {
		rest.n++;
		rest.bytes = sum(rest.bytes, lines->at[i].bytes);
		rest.count += lines->at[i].count;
	}
	lines->n = before + kept;
	return rest.n && (kept || rest.bytes >= f->min || depth == 1) ? hf_vec_push(lines, rest) : NULL;
}

/* The roots, and among them what none of them holds alone: however little that is, it is told. */
static struct hf_err *add_roots(struct hf_forest *f, uint32_t first, uint32_t n, hf_lines *lines)
{
	struct hf_line shared;
	size_t before = lines->n, at;

	HF_TRY(split_roots(f, first, n, lines, &shared));
	HF_TRY(cut(f, lines, before, 1));
	if (!shared.n)
		return NULL;
	HF_TRY(hf_vec_push(lines, shared));
	for (at = lines->n - 1; at > before; at--) {
		const struct hf_line *above = &lines->at[at - 1];

		if (above->kind != HF_DOMINATOR_REST && above->bytes >= shared.bytes)
			break;
		lines->at[at] = *above;
	}
	lines->at[at] = shared;
	return NULL;
}

static struct hf_err *add_lines(struct hf_forest *f, const struct hf_line *line, uint32_t first, uint32_t n,
				hf_lines *lines)
{
	size_t before = lines->n;

	if (line->kind == HF_DOMINATOR_HEAP)
		return add_roots(f, first, n, lines);
	HF_TRY(add_objects(f, first, n, line->depth + 1, lines));
	return cut(f, lines, before, line->depth + 1);
}

struct hf_err *hf_forest_open(struct hf_forest *f, const struct hf_line *line, struct hf_dominator_row *ret,
			      hf_lines *ret_below)
{
	uint32_t first = (uint32_t)f->nodes.n;

	*ret = (struct hf_dominator_row){.depth = line->depth,
					 .kind = line->kind,
					 .n = line->n,
					 .more = line->more,
					 .retained_bytes = line->bytes,
					 .retained_count = line->count};
	if (line->kind == HF_DOMINATOR_REST)
		return NULL;
	if (line->kind == HF_DOMINATOR_OBJECT)
		HF_TRY(open_objects(f, line, ret_below != NULL, ret));
	if (!ret_below)
		return NULL;
	if (line->kind == HF_DOMINATOR_SHARED)
		return add_lines(f, line, line->first, line->n, ret_below);
	if (line->kind != HF_DOMINATOR_OBJECT)
		HF_TRY(add_children(f, f->nodes.at[line->first]));
	return add_lines(f, line, first, (uint32_t)f->nodes.n - first, ret_below);
}
