#include "text.h"

static void add_row(struct hf_table *table, const struct hf_slack_row *row)
{
	struct hf_str holder = {0};

	hf_str_add_short(&holder, row->holder);
	if (row->shared_with_n) {
		hf_str_add(&holder, " (with ");
		hf_str_add_short(&holder, row->shared_with[0]);
		hf_str_add(&holder, row->shared_with_n > 1 ? ", ...)" : ")");
	}
	hf_table_add(table, "%s", hf_show_size(row->wasted_bytes).s);
	hf_table_add(table, "%s", hf_show_size(row->block_bytes).s);
	hf_table_add(table, "%s", hf_show_count(row->count).s);
	hf_table_add(table, "%s", row->hidden_bytes ? hf_show_size(row->hidden_bytes).s : "");
	hf_table_add(table, "%s", row->kind);
	hf_table_add(table, "0x%" PRIx64, row->addr);
	hf_table_add(table, "%s", hf_str_get(&holder));
	table->cells.failed |= holder.failed;
	hf_str_deinit(&holder);
}

void hf_text_slack(struct hf_text *t, const struct hf_head *head, const void *result)
{
	static const struct hf_column columns[] = {
		{"wasted", .right = true},
		{"of", .right = true},
		{"blocks", .right = true},
		{"hidden", .right = true},
		{"kind", .right = false},
		{"the largest", .right = false},
		{"holder", .flexible = true, .wraps = true},
	};
	const struct hf_slack *slack = result;
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	struct hf_str sum = {0};

	hf_text_header(t, head, NULL);
	hf_str_addf(&sum, "%s of %s live are kept, but seen or used by nothing",
		    hf_show_size(slack->wasted_bytes).s, hf_show_size(slack->total_bytes).s);
	if (slack->hidden_bytes)
		hf_str_addf(&sum, "; pointers in there keep %s more", hf_show_size(slack->hidden_bytes).s);
	t->out.failed |= sum.failed;
	hf_text_wrap(t, 0, hf_str_get(&sum));
	hf_str_deinit(&sum);
	if (slack->n)
		hf_text_end(t);
	for (size_t i = 0; i < slack->n; i++)
		add_row(&table, &slack->rows[i]);
	hf_table_print(&table, t, 0);
	if (slack->left_out) {
		hf_text_styled(t, HF_STYLE_DIM, "... and %s more, %s together (--limit 0 shows all)",
			       hf_show_count(slack->left_out).s, hf_show_size(slack->left_out_bytes).s);
		hf_text_end(t);
	}
}
