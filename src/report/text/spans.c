#include "text.h"

static void add_class(struct hf_table *table, const char *name, const struct hf_span_class *at)
{
	hf_table_add(table, "%s", name);
	hf_table_add(table, "%s", hf_show_count(at->spans).s);
	hf_table_add(table, "%s", hf_show_size(at->bytes).s);
	hf_table_add(table, "%s", hf_show_count(at->live).s);
	hf_table_add(table, "%s", hf_show_share(at->live_bytes, at->bytes).s);
	hf_table_add(table, "%s", hf_show_size(at->free_bytes).s);
	hf_table_add(table, "%s", hf_show_size(at->tail_bytes).s);
	hf_table_add(table, "%s", at->rounding_objects ? hf_show_size(at->rounding_bytes).s : "");
}

static void show_classes(struct hf_text *t, const struct hf_spans *spans)
{
	static const struct hf_column columns[] = {
		{"slot", .right = true},  {"spans", .right = true},    {"bytes", .right = true},
		{"live", .right = true},  {"full", .right = true},     {"free", .right = true},
		{"tails", .right = true}, {"rounding", .right = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < spans->n; i++)
		add_class(&table, spans->classes[i].size ? hf_show_count(spans->classes[i].size).s : "large",
			  &spans->classes[i]);
	add_class(&table, "all", &spans->total);
	hf_table_print(&table, t, 0);
}

/* Who has the free slots. */
static void show_holders(struct hf_text *t, const struct hf_span_class *total)
{
	struct hf_line line = {0};

	hf_text_end(t);
	hf_text_item(t, &line, HF_STYLE_NONE, "spans of small objects:");
	hf_text_item(t, &line, HF_STYLE_NONE, "%s in caches", hf_show_count(total->cached).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s with free slots", hf_show_count(total->partial).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s full", hf_show_count(total->full).s);
	if (total->unswept)
		hf_text_item(t, &line, HF_STYLE_NONE, "%s not yet swept", hf_show_count(total->unswept).s);
	hf_text_end(t);
}

static void show_large(struct hf_text *t, const struct hf_spans *spans)
{
	static const struct hf_column columns[] = {
		{"bytes", .right = true},
		{"spans", .right = true},
		{"live", .right = true},
		{"large objects of type", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	if (!spans->large_n)
		return;
	hf_text_end(t);
	for (size_t i = 0; i < spans->large_n; i++) {
		hf_table_add(&table, "%s", hf_show_size(spans->large[i].bytes).s);
		hf_table_add(&table, "%s", hf_show_count(spans->large[i].count).s);
		hf_table_add(&table, "%s", hf_show_size(spans->large[i].live_bytes).s);
		hf_table_add_name(&table, "", spans->large[i].type);
	}
	hf_table_print(&table, t, 0);
	hf_text_left_out(t, 0, spans->large_left_out, "types", " (--limit 0 shows all)");
}

static void show_idle(struct hf_text *t, const struct hf_spans *spans)
{
	struct hf_line line = {0};

	hf_text_item(t, &line, HF_STYLE_NONE, "in no span: %s", hf_show_size(spans->idle_bytes).s);
	if (spans->idle_bytes != HF_UNKNOWN) {
		hf_text_item(t, &line, HF_STYLE_NONE, "given back: %s", hf_show_size(spans->idle_released).s);
		hf_text_item(t, &line, HF_STYLE_NONE, "runs: %s", hf_show_count(spans->idle_runs).s);
		hf_text_item(t, &line, HF_STYLE_NONE, "the largest: %s", hf_show_size(spans->idle_largest).s);
	}
	hf_text_end(t);
}

void hf_text_spans(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_spans *spans = result;
	const struct hf_span_class *total = &spans->total;

	hf_text_header(t, head, NULL);
	hf_text_end(t);
	hf_text_style(t, HF_STYLE_BOLD);
	hf_text_wrap(t, 0, spans->text);
	hf_text_style(t, HF_STYLE_NONE);
	hf_text_end(t);
	show_classes(t, spans);
	show_holders(t, total);
	show_large(t, spans);
	hf_text_end(t);
	show_idle(t, spans);
}
