#include "text.h"

#include <stdlib.h>

#define PAUSES 6
#define SIZES  12

static void add_value(struct hf_table *table, const struct hf_figure *f)
{
	switch (f->unit) {
	case HF_UNIT_BYTES:
		hf_table_add(table, "%s", hf_show_size(f->value).s);
		break;
	case HF_UNIT_COUNT:
		hf_table_add(table, "%s", hf_show_count(f->value).s);
		break;
	case HF_UNIT_NS:
		hf_table_add(table, "%s", hf_show_pause((double)f->value / 1e9).s);
		break;
	case HF_UNIT_TIME_NS:
		hf_table_add(table, "%s", f->value ? hf_show_time((double)f->value / 1e9).s : "never");
		break;
	case HF_UNIT_FRACTION:
		hf_table_add(table, "%.2f%%", f->real * 100);
		break;
	case HF_UNIT_BOOL:
		hf_table_add(table, "%s", f->value ? "true" : "false");
		break;
	}
}

static void show_pauses(struct hf_text *t, const struct hf_heap *heap)
{
	struct hf_line line = {.indent = 2, .column = 2};

	if (!heap->pauses_n)
		return;
	hf_text_spaces(t, 2);
	hf_text_item(t, &line, HF_STYLE_NONE, "PauseNs, the latest first:");
	for (size_t i = 0; i < hf_min(heap->pauses_n, (size_t)PAUSES); i++)
		hf_text_item(t, &line, HF_STYLE_NONE, "%.1f us", (double)heap->pauses[i] / 1e3);
	hf_text_end(t);
}

static int compare_use(const void *a, const void *b)
{
	const struct hf_size_count *x = a, *y = b;
	uint64_t used_x = (x->mallocs - x->frees) * x->size, used_y = (y->mallocs - y->frees) * y->size;

	return (used_x < used_y) - (used_x > used_y);
}

/* The sizes that hold most. */
static void show_sizes(struct hf_text *t, const struct hf_heap *heap)
{
	static const struct hf_column columns[] = {
		{"Size", .right = true},
		{"Mallocs", .right = true},
		{"Frees", .right = true},
		{"in use", .right = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	HF_VEC(struct hf_size_count) sorted = {0};

	for (size_t i = 0; i < heap->by_size_n; i++)
		if (heap->by_size[i].mallocs)
			t->out.failed |= hf_err_ignore(hf_vec_push(&sorted, heap->by_size[i]));
	if (sorted.n)
		qsort(sorted.at, sorted.n, sizeof(*sorted.at), compare_use);
	for (size_t i = 0; i < hf_min(sorted.n, (size_t)SIZES); i++) {
		const struct hf_size_count *at = &sorted.at[i];

		hf_table_add(&table, "%s", hf_show_count(at->size).s);
		hf_table_add(&table, "%s", hf_show_count(at->mallocs).s);
		hf_table_add(&table, "%s", hf_show_count(at->frees).s);
		hf_table_add(&table, "%s", hf_show_size((at->mallocs - at->frees) * at->size).s);
	}
	hf_text_end(t);
	hf_text_line(t, "  BySize, most in use first");
	hf_table_print(&table, t, 2);
	hf_text_left_out(t, 2, sorted.n - hf_min(sorted.n, (size_t)SIZES), "sizes", " (--json has them)");
	hf_vec_deinit(&sorted);
}

void hf_text_memstats(struct hf_text *t, const struct hf_head *head, const void *result)
{
	static const struct hf_column columns[] = {
		{NULL}, {.right = true}, {.flexible = true, .wraps = true}};
	const struct hf_overview *o = result;

	hf_text_header(t, head, NULL);
	for (size_t i = 0; i < o->heaps_n; i++) {
		const struct hf_heap *heap = &o->heaps[i];
		struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

		hf_text_end(t);
		hf_text_styled(t, HF_STYLE_BOLD, "runtime.MemStats");
		hf_text_line(t, "  %s, as ReadMemStats would say at that moment", heap->version);
		for (size_t k = 0; k < heap->memstats_n; k++) {
			hf_table_add(&table, "%s", heap->memstats[k].name);
			add_value(&table, &heap->memstats[k]);
			hf_table_add(&table, "%s", heap->memstats[k].meaning);
		}
		hf_table_print(&table, t, 2);
		show_pauses(t, heap);
		if (heap->by_size_n)
			show_sizes(t, heap);
	}
}
