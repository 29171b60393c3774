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
	hf_table_add(table, "%s", at->size ? hf_show_count(at->cached).s : "");
	hf_table_add(table, "%s", at->size ? hf_show_count(at->partial).s : "");
}

static void show_classes(struct hf_text *t, const struct hf_spans *spans)
{
	static const struct hf_column columns[] = {
		{"slot", .right = true},    {"spans", .right = true},    {"bytes", .right = true},
		{"live", .right = true},    {"full", .right = true},     {"free", .right = true},
		{"tails", .right = true},   {"rounding", .right = true}, {"cached", .right = true},
		{"partial", .right = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	struct hf_span_class total = spans->total;

	for (size_t i = 0; i < spans->n; i++)
		add_class(&table, spans->classes[i].size ? hf_show_count(spans->classes[i].size).s : "large",
			  &spans->classes[i]);
	total.size = 1; /* its caches are shown */
	add_class(&table, "all", &total);
	hf_table_print(&table, t, 0);
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
	if (total->unswept)
		hf_text_line(t, "%s spans are not yet swept: what is dead in them is not yet free",
			     hf_show_count(total->unswept).s);
	show_large(t, spans);
	hf_text_end(t);
	hf_text_add(t, "in no span: %s", hf_show_size(spans->idle_bytes).s);
	if (spans->idle_bytes != HF_UNKNOWN)
		hf_text_add(t, ", of which the system has %s back; %s runs of pages, the largest %s",
			    hf_show_size(spans->idle_released).s, hf_show_count(spans->idle_runs).s,
			    hf_show_size(spans->idle_largest).s);
	hf_text_end(t);
}
