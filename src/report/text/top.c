#include "text.h"

/* By root, what is listed is what is retained: one column says both. */
static bool retained_says_more(const struct hf_top *top)
{
	for (size_t i = 0; i < top->n; i++)
		if (top->rows[i].retained_bytes != HF_UNKNOWN &&
		    top->rows[i].retained_bytes != top->rows[i].bytes)
			return true;
	return false;
}

void hf_text_rows(struct hf_text *t, size_t indent, const struct hf_top *top, const char *what, size_t max)
{
	const struct hf_column with_retained[] = {
		{"bytes", .right = true},    {"share", .right = true}, {"count", .right = true},
		{"retained", .right = true}, {what, .flexible = true},
	};
	const struct hf_column plain[] = {
		{"bytes", .right = true},
		{"share", .right = true},
		{"count", .right = true},
		{what, .flexible = true},
	};
	bool retained = retained_says_more(top);
	struct hf_table table = {.columns = retained ? with_retained : plain,
				 .columns_n = retained ? HF_LEN(with_retained) : HF_LEN(plain)};

	for (size_t i = 0; i < hf_min(top->n, max); i++) {
		const struct hf_row *row = &top->rows[i];

		hf_table_add(&table, "%s", hf_show_size(row->bytes).s);
		hf_table_add(&table, "%s", hf_show_share(row->bytes, top->total_bytes).s);
		hf_table_add(&table, "%s", hf_show_count(row->count).s);
		if (retained)
			hf_table_add(&table, "%s", hf_show_size(row->retained_bytes).s);
		if (top->field) /* a value, of which nothing is left out */
			hf_table_add(&table, "%s", row->name);
		else
			hf_table_add_name(&table, "", row->name);
	}
	hf_table_print(&table, t, indent);
}

static void add_field_title(struct hf_text *t, const struct hf_top *top)
{
	struct hf_str title = {0};

	hf_str_addf(&title, "%s objects by %s%s%s%s, %s", hf_show_count(top->total_count).s, top->field,
		    *top->tags ? " (" : "", top->tags, *top->tags ? ")" : "",
		    hf_show_size(top->total_bytes).s);
	t->out.failed |= title.failed;
	hf_text_wrap(t, 0, hf_str_get(&title));
	hf_str_deinit(&title);
}

void hf_text_top(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_top *top = result;

	hf_text_header(t, head, NULL);
	if (top->n && top->rows[0].site) {
		hf_text_sites(t, top);
		return;
	}
	if (top->field)
		add_field_title(t, top);
	else
		hf_text_line(t, "%s live objects, %s", hf_show_count(top->total_count).s,
			     hf_show_size(top->total_bytes).s);
	if (top->n) {
		hf_text_end(t);
		hf_text_rows(t, 0, top, top->field ? "value" : "name", SIZE_MAX);
	}
	if (top->left_out) {
		hf_text_styled(t, HF_STYLE_DIM, "... and %s more, %s together (--limit 0 shows all)",
			       hf_show_count(top->left_out).s, hf_show_size(top->left_out_bytes).s);
		hf_text_end(t);
	}
}
