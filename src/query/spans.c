/* spans: what the heap's pages are used for, and what it costs that they are not full. */
#include "session.h"

#include "../base/vec.h"
#include "../base/workers.h"

#include <stdlib.h>

#define SPARSE 0.25

typedef HF_VEC(struct hf_span_class) classes_vec;

/* classes: ascending by size. */
static struct hf_err *find_class(classes_vec *classes, uint64_t size, struct hf_span_class **ret)
{
	size_t lo = 0, hi = classes->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (classes->at[mid].size < size)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == classes->n || classes->at[lo].size != size) {
		HF_TRY(hf_vec_reserve(classes, 1));
		memmove(classes->at + lo + 1, classes->at + lo, (classes->n - lo) * sizeof(*classes->at));
		classes->at[lo] = (struct hf_span_class){.size = size};
		classes->n++;
	}
	*ret = &classes->at[lo];
	return NULL;
}

/* Adds one span; returns its live bytes. */
static uint64_t add_span(struct hf_session *s, const struct hf_span *span, struct hf_span_class *to)
{
	uint64_t live = 0, rounding;

	for (uint32_t i = 0; i < span->blocks; i++) {
		if (!hf_graph_is_live(s->graph, span->first_block + i))
			continue;
		live++;
		if (s->rt->ops->rounding(s->rt, span->first_block + i, &rounding)) {
			to->rounding_bytes += rounding;
			to->rounding_objects++;
		}
	}
	to->spans++;
	to->bytes += span->bytes;
	to->slots += span->slots;
	to->objects += span->blocks;
	to->live += live;
	to->live_bytes += live * span->slot_size;
	to->free_bytes += (span->slots - span->blocks) * span->slot_size;
	to->tail_bytes += span->bytes - span->slots * span->slot_size;
	to->cached += span->holder == HF_SPAN_CACHED;
	to->partial += span->holder == HF_SPAN_PARTIAL;
	to->full += span->holder == HF_SPAN_FULL;
	to->unswept += span->unswept;
	return live * span->slot_size;
}

static void add_up(struct hf_span_class *total, const struct hf_span_class *row)
{
	total->spans += row->spans;
	total->bytes += row->bytes;
	total->slots += row->slots;
	total->objects += row->objects;
	total->live += row->live;
	total->live_bytes += row->live_bytes;
	total->free_bytes += row->free_bytes;
	total->tail_bytes += row->tail_bytes;
	total->rounding_bytes += row->rounding_bytes;
	total->rounding_objects += row->rounding_objects;
	total->cached += row->cached;
	total->partial += row->partial;
	total->full += row->full;
	total->unswept += row->unswept;
}

struct gather {
	struct hf_session *s;
	classes_vec classes;
	struct hf_span_class large;
	struct hf_span_type *types; /* by number of the type, without names */
};

static struct hf_err *gather_span(struct gather *g, uint32_t i, struct hf_spans *result)
{
	struct hf_span span;
	struct hf_span_class *to;
	uint64_t live;

	g->s->rt->ops->span(g->s->rt, i, &span);
	if (span.holder == HF_SPAN_LARGE) {
		struct hf_span_type *type;

		live = add_span(g->s, &span, &g->large);
		if (!span.blocks)
			return NULL;
		type = &g->types[g->s->rt->ops->block_type(g->s->rt, span.first_block)];
		type->count++;
		type->bytes += span.bytes;
		type->live_bytes += live;
		return NULL;
	}
	HF_TRY(find_class(&g->classes, span.slot_size, &to));
	live = add_span(g->s, &span, to);
	if ((double)live <= SPARSE * (double)(span.slots * span.slot_size)) {
		result->sparse_spans++;
		result->sparse_bytes += span.bytes;
		result->sparse_live_bytes += live;
	}
	return NULL;
}

static int compare_types(const void *a, const void *b)
{
	const struct hf_span_type *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->type, y->type);
}

static struct hf_err *keep_types(struct gather *g, size_t limit, struct hf_spans *result)
{
	uint32_t all = g->s->rt->ops->types(g->s->rt);
	HF_VEC(struct hf_span_type) rows = {0};
	struct hf_span_type *kept = NULL;
	struct hf_err *err = NULL;

	for (uint32_t i = 0; i < all && !err; i++) {
		struct hf_span_type row = g->types[i];
		struct hf_str name = {0};

		if (!row.count)
			continue;
		g->s->rt->ops->type_name(g->s->rt, i, &name);
		row.type = hf_result_take_str(result, &name);
		err = hf_vec_push(&rows, row);
	}
	if (rows.n)
		qsort(rows.at, rows.n, sizeof(*rows.at), compare_types);
	result->large_n = limit ? hf_min(limit, rows.n) : rows.n;
	result->large_left_out = rows.n - result->large_n;
	if (!err && result->large_n) {
		kept = hf_result_alloc(result, result->large_n, sizeof(*kept));
		err = kept ? NULL : hf_err_nomem();
	}
	if (kept)
		memcpy(kept, rows.at, result->large_n * sizeof(*kept));
	result->large = kept;
	hf_vec_deinit(&rows);
	return err;
}

static struct hf_err *keep_classes(struct gather *g, struct hf_spans *result)
{
	struct hf_span_class *kept;

	if (g->large.spans)
		HF_TRY(hf_vec_push(&g->classes, g->large));
	kept = hf_result_alloc(result, g->classes.n, sizeof(*kept));
	if (!kept)
		return hf_err_nomem();
	if (g->classes.n)
		memcpy(kept, g->classes.at, g->classes.n * sizeof(*kept));
	for (size_t i = 0; i < g->classes.n; i++)
		add_up(&result->total, &kept[i]);
	result->classes = kept;
	result->n = g->classes.n;
	return NULL;
}

static void set_idle(struct hf_session *s, struct hf_spans *result)
{
	struct hf_idle idle;

	if (s->rt->ops->idle(s->rt, &idle)) {
		result->idle_bytes = idle.bytes;
		result->idle_released = idle.released;
		result->idle_runs = idle.runs;
		result->idle_largest = idle.largest_run;
		result->idle_cached = idle.cached;
		result->padding_bytes = idle.padding;
		return;
	}
	result->idle_bytes = result->idle_released = result->idle_runs = HF_UNKNOWN;
	result->idle_largest = result->idle_cached = result->padding_bytes = HF_UNKNOWN;
}

static const char *describe(const struct hf_spans *r)
{
	char held[16], live[16];
	struct hf_str text = {0};

	hf_format_size(r->sparse_bytes, held, sizeof(held));
	hf_format_size(r->sparse_live_bytes, live, sizeof(live));
	if (!r->sparse_spans)
		hf_str_addf(&text, "no span of small objects is less than %.0f%% full", SPARSE * 100);
	else
		hf_str_addf(&text,
			    "%s are held by %" PRIu64 " span%s that %s %.0f%% full: by %s of live objects",
			    held, r->sparse_spans, r->sparse_spans == 1 ? "" : "s",
			    r->sparse_spans == 1 ? "is" : "are",
			    100 * (double)r->sparse_live_bytes / (double)r->sparse_bytes, live);
	return hf_result_take_str(r, &text);
}

static struct hf_err *gather_all(struct gather *g, size_t limit, struct hf_spans *result)
{
	const struct hf_runtime_ops *ops = g->s->rt->ops;
	uint32_t n = ops->spans_n(g->s->rt);

	g->types = hf_calloc((size_t)ops->types(g->s->rt) + 1, sizeof(*g->types));
	if (!g->types)
		return hf_err_nomem();
	for (uint32_t i = 0; i < n; i++) {
		if (i % 1024 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(gather_span(g, i, result));
	}
	HF_TRY(keep_types(g, limit, result));
	return keep_classes(g, result);
}

struct hf_err *hf_spans(struct hf_session *s, size_t limit, const struct hf_spans **ret)
{
	struct gather g = {.s = s};
	struct hf_spans *result = NULL;
	struct hf_err *err;

	HF_TRY(hf_session_type(s));
	if (!s->rt->ops->spans_n)
		return hf_err(HF_UNSUPPORTED, "the heap of %s has no spans", s->rt->ops->name);
	HF_TRY(hf_result_new(sizeof(*result), &result));
	result->sparse_share = SPARSE;
	err = gather_all(&g, limit, result);
	hf_vec_deinit(&g.classes);
	hf_free(g.types);
	if (err) {
		hf_result_free(result);
		return err;
	}
	set_idle(s, result);
	result->text = describe(result);
	*ret = result;
	return NULL;
}
