/* slack: what small views keep of larger blocks. One pass over all pointers; what sees all of its block is forgotten at
 * once, so that memory goes with the views that do not. */
#include "slack_private.h"

#include "../base/workers.h"
#include "retained.h"

#include <stdlib.h>

static bool is_whole(const struct slack *k, uint32_t block)
{
	return k->whole[block / 8] >> (block % 8) & 1;
}

static struct hf_err *add_view(struct slack *k, const struct hf_view *view, uint32_t from, uint64_t at)
{
	struct slack_view v = {.block = view->block,
			       .from = from,
			       .at = at,
			       .start = view->start,
			       .end = view->end,
			       .reach = view->reach,
			       .kind = (uint8_t)view->kind};

	if (view->kind == HF_VIEW_MAP || view->kind == HF_VIEW_CHAN)
		HF_TRY(hf_vec_push(&k->spares, ((struct slack_spare){view->block, (uint8_t)view->kind,
								     view->spare, view->of})));
	if (view->kind == HF_VIEW_WHOLE || view->kind == HF_VIEW_MAP || view->kind == HF_VIEW_CHAN)
		k->whole[view->block / 8] |= (uint8_t)(1u << (view->block % 8));
	else if (!is_whole(k, view->block))
		return hf_vec_push(&k->views, v);
	return NULL;
}

static struct hf_err *take_view(void *arg, const struct hf_view *view)
{
	struct slack *k = arg;
	struct slack_anchor *anchor = &k->anchors[view->block];
	uint64_t words = (view->slot - k->s->rt->ops->block(k->s->rt, view->from).addr) / 8;

	if (anchor->from == HF_NO_BLOCK && view->from != view->block && words < UINT32_MAX)
		*anchor = (struct slack_anchor){view->from, (uint32_t)words};
	if (k->unknown[view->block])
		k->unknown[view->block]--;
	return add_view(k, view, view->from, view->slot);
}

static struct hf_err *take_roots(struct slack *k)
{
	for (uint32_t i = 0; i < k->s->graph->roots.n; i++) {
		struct hf_found_root root = hf_root_at(k->s, i);
		struct hf_view view;

		if (i % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(k->s->rt->ops->root_view(k->s->rt, &root, &view));
		if (k->anchors[root.block].from == HF_NO_BLOCK)
			k->anchors[root.block] = (struct slack_anchor){SLACK_ROOT, i};
		HF_TRY(add_view(k, &view, SLACK_ROOT, i));
	}
	return NULL;
}

/* Each pointer of a live block is one that views must account for. */
static void count_pointers(struct slack *k)
{
	const struct hf_graph *g = k->s->graph;

	for (uint32_t b = 0; b < g->blocks; b++) {
		if (!hf_graph_is_live(g, b))
			continue;
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++)
			k->unknown[g->edges[e]]++;
	}
}

static int compare_views(const void *a, const void *b)
{
	const struct slack_view *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* What is left where all that sees a block is known; in the order of blocks and of where they begin. */
static void sort_views(struct slack *k)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->views.n; i++)
		if (!is_whole(k, k->views.at[i].block) && !k->unknown[k->views.at[i].block])
			k->views.at[kept++] = k->views.at[i];
	k->views.n = kept;
	if (kept)
		qsort(k->views.at, kept, sizeof(*k->views.at), compare_views);
}

/* ---- one block ---------------------------------------------------------------------------------------------------- */

/* The views of a block, ascending. */
struct of_block {
	struct slack_view *at;
	size_t n;
	uint64_t start, end; /* what was asked for */
};

/* A pointer whose end is not known is taken for a copy of one that begins at the same place, as registers and stacks hold
 * them beside the variable. False: there is one that is no such copy. */
static bool drop_copies(struct of_block *of)
{
	size_t kept = 0;

	for (size_t i = 0, group = 0; i < of->n; i++) {
		bool known = false;

		if (of->at[i].start != of->at[group].start)
			group = i;
		if (of->at[i].kind != HF_VIEW_LONE) {
			of->at[kept++] = of->at[i];
			continue;
		}
		known = kept && of->at[kept - 1].start == of->at[i].start;
		for (size_t j = i + 1; j < of->n && !known && of->at[j].start == of->at[i].start; j++)
			known = of->at[j].kind != HF_VIEW_LONE;
		if (!known)
			return false;
	}
	of->n = kept;
	return true;
}

/* Bytes that are seen, or with capacity: that can be. */
static uint64_t covered(const struct of_block *of, bool capacity)
{
	uint64_t sum = 0, upto = of->start;

	for (size_t i = 0; i < of->n; i++) {
		uint64_t from = hf_max(of->at[i].start, upto),
			 to = hf_min(capacity ? of->at[i].reach : of->at[i].end, of->end);

		if (to > from) {
			sum += to - from;
			upto = to;
		}
	}
	return sum;
}

static enum slack_kind kind_of(const struct of_block *of, const struct slack_view *v)
{
	if (v->kind == HF_VIEW_STRING)
		return SLACK_STRING;
	if (v->kind == HF_VIEW_POINTER)
		return SLACK_POINTER;
	return v->start == of->start && v->reach >= of->end ? SLACK_CAPACITY : SLACK_SLICE;
}

struct hidden {
	struct slack *k;
	const struct of_block *of;
	size_t at; /* the view that slots have reached */
	uint64_t upto;
	HF_VEC(uint32_t) hidden, seen;
	struct hf_err *err;
};

/* Slots come in ascending order, and so do the views. */
static void take_pointer(void *arg, uint64_t slot, uint32_t to)
{
	struct hidden *h = arg;

	for (; h->at < h->of->n && h->of->at[h->at].start <= slot; h->at++)
		h->upto = hf_max(h->upto, h->of->at[h->at].end);
	if (h->err || slot < h->of->start || slot >= h->of->end)
		return;
	h->err = slot < h->upto ? hf_vec_push(&h->seen, to) : hf_vec_push(&h->hidden, to);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* What the hidden pointers alone keep: nothing else leads there, nor does a pointer of the block that can be seen. */
static struct hf_err *weigh_hidden(struct hidden *h, uint32_t block, struct slack_waste *w)
{
	const struct hf_dominators *d;
	size_t seen = 0;

	HF_TRY(hf_session_dominators(h->k->s));
	d = h->k->s->dominators;
	qsort(h->hidden.at, h->hidden.n, sizeof(uint32_t), compare_numbers);
	if (h->seen.n)
		qsort(h->seen.at, h->seen.n, sizeof(uint32_t), compare_numbers);
	for (size_t i = 0; i < h->hidden.n; i++) {
		uint32_t to = h->hidden.at[i];

		while (seen < h->seen.n && h->seen.at[seen] < to)
			seen++;
		if ((i && to == h->hidden.at[i - 1]) || (seen < h->seen.n && h->seen.at[seen] == to) ||
		    d->idom[to] != block)
			continue;
		w->hidden_bytes += d->retained[to];
	}
	return NULL;
}

static struct hf_err *look_for_hidden(struct slack *k, const struct of_block *of, struct slack_waste *w)
{
	struct hidden h = {.k = k, .of = of};

	if (k->s->graph->start[w->block] == k->s->graph->start[w->block + 1])
		return NULL;
	h.err = k->s->rt->ops->pointers(k->s->rt, w->block, take_pointer, &h);
	w->hidden = h.hidden.n;
	if (!h.err && h.hidden.n)
		h.err = weigh_hidden(&h, w->block, w);
	hf_vec_deinit(&h.hidden);
	hf_vec_deinit(&h.seen);
	return h.err;
}

static int compare_holders(const void *a, const void *b)
{
	const struct slack_view *x = *(const struct slack_view *const *)a,
				*y = *(const struct slack_view *const *)b;

	return x->holder != y->holder ? (x->holder < y->holder ? -1 : 1) : x < y ? -1 : x > y;
}

/* The holder with most views, then the one that sees most: to it the block is counted. */
static struct hf_err *attribute(struct slack *k, struct of_block *of, struct slack_waste *w)
{
	_free_ const struct slack_view **by = hf_malloc(of->n * sizeof(*by));
	_free_ uint32_t *others = hf_malloc(of->n * sizeof(*others));
	const struct slack_view *widest = NULL;
	size_t best = 0, first = 0;
	uint64_t seen = 0, best_seen = 0;

	if (!by || !others)
		return hf_err_nomem();
	for (size_t i = 0; i < of->n; i++) {
		HF_TRY(hf_slack_name(k, of->at[i].from, of->at[i].at, &of->at[i].holder));
		by[i] = &of->at[i];
	}
	qsort(by, of->n, sizeof(*by), compare_holders);
	for (size_t i = 1; i <= of->n; i++) {
		seen += by[i - 1]->end - by[i - 1]->start;
		if (i < of->n && by[i]->holder == by[first]->holder)
			continue;
		if (i - first > best || (i - first == best && seen > best_seen)) {
			best = i - first;
			best_seen = seen;
			w->holder = by[first]->holder;
		}
		seen = 0;
		others[w->others_n++] = by[first]->holder;
		first = i;
	}
	for (size_t i = 0; i < of->n; i++)
		if (of->at[i].holder == w->holder &&
		    (!widest || of->at[i].end - of->at[i].start > widest->end - widest->start))
			widest = &of->at[i];
	w->kind = kind_of(of, widest);
	w->views = best;
	w->shared = of->n - best;
	w->others = others;
	return hf_slack_add(k, w);
}

static struct hf_err *weigh_block(struct slack *k, struct slack_view *views, size_t n)
{
	struct of_block of = {.at = views, .n = n};
	struct slack_waste w = {.block = views->block};
	uint64_t reach = 0;

	if (!drop_copies(&of))
		return NULL;
	for (size_t i = 0; i < of.n; i++)
		reach = hf_max(reach, of.at[i].reach);
	k->s->rt->ops->extent(k->s->rt, w.block, reach, &of.start, &of.end);
	w.size = of.end - of.start;
	w.visible = covered(&of, false);
	w.wasted = w.size - w.visible;
	w.capacity = covered(&of, true) - w.visible;
	if (!w.wasted)
		return NULL;
	HF_TRY(look_for_hidden(k, &of, &w));
	return attribute(k, &of, &w);
}

static struct hf_err *weigh_all(struct slack *k)
{
	for (size_t first = 0, i = 1; i <= k->views.n; i++) {
		if (i < k->views.n && k->views.at[i].block == k->views.at[first].block)
			continue;
		HF_TRY(hf_interrupt_check());
		HF_TRY(weigh_block(k, k->views.at + first, i - first));
		first = i;
	}
	hf_vec_each(&k->spares, spare) {
		struct slack_waste w = {.block = spare->block,
					.kind = spare->kind == HF_VIEW_MAP ? SLACK_MAP : SLACK_CHAN,
					.wasted = spare->spare,
					.visible = spare->of - spare->spare,
					.size = spare->of,
					.views = 1};

		if (!spare->spare)
			continue;
		HF_TRY(hf_slack_name_block(k, spare->block, &w.holder));
		HF_TRY(hf_slack_add(k, &w));
	}
	return NULL;
}

static struct hf_err *collect(struct slack *k)
{
	uint32_t n = k->s->graph->blocks;

	k->anchors = hf_malloc(((size_t)n + 1) * sizeof(*k->anchors));
	k->unknown = hf_calloc((size_t)n + 1, sizeof(*k->unknown));
	k->whole = hf_calloc((size_t)n / 8 + 1, 1);
	if (!k->anchors || !k->unknown || !k->whole)
		return hf_err_nomem();
	for (uint32_t i = 0; i < n; i++)
		k->anchors[i].from = HF_NO_BLOCK;
	count_pointers(k);
	HF_TRY(take_roots(k));
	HF_TRY(k->s->rt->ops->views(k->s->rt, k->s->graph->live, take_view, k));
	sort_views(k);
	return weigh_all(k);
}

struct hf_err *hf_slack(struct hf_session *s, size_t limit, const struct hf_slack **ret)
{
	struct slack k = {.s = s};
	struct hf_err *err;

	s->heads = true; /* channels of numbers are in one block with their buffer */
	HF_TRY(hf_session_type(s));
	if (!s->rt->ops->views)
		return hf_err(HF_UNSUPPORTED,
			      "slack: the pointers of this runtime do not tell what they see");
	HF_TRY(hf_result_new(sizeof(*k.result), &k.result));
	err = collect(&k);
	if (!err)
		err = hf_slack_finish(&k, limit);
	hf_slack_deinit(&k);
	if (err) {
		hf_result_free(k.result);
		return err;
	}
	k.result->total_bytes = hf_session_live_bytes(s);
	*ret = k.result;
	return NULL;
}
