#include "text.h"

#define DETAILS_MAX 3 /* rows that are told more of */
#define HOLDERS_MAX 3

static void add_count_or_nothing(struct hf_table *table, uint64_t n)
{
	if (n == HF_UNKNOWN)
		hf_table_add(table, "?");
	else
		hf_table_add(table, "%s", hf_show_count(n).s);
}

static void add_rows(struct hf_text *t, const struct hf_pools_answer *answer)
{
	static const struct hf_column columns[] = {
		{"idle", .right = true},           {"share", .right = true}, {"items", .right = true},
		{"largest", .right = true},        {"out", .right = true},   {"pool", .flexible = true},
		{"constructor", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < answer->n; i++) {
		const struct hf_pool_row *row = &answer->rows[i];
		struct hf_str name = {0};

		hf_str_add(&name, row->name);
		if (row->count > 1)
			hf_str_addf(&name, " (%s pools)", hf_show_count(row->count).s);
		hf_table_add(&table, "%s", hf_show_size(row->idle_bytes).s);
		hf_table_add(&table, "%s", hf_show_share(row->idle_bytes, answer->live_bytes).s);
		hf_table_add(&table, "%s", hf_show_count(row->idle).s);
		hf_table_add(&table, "%s", row->idle ? hf_show_size(row->largest_bytes).s : "");
		add_count_or_nothing(&table, row->items == HF_UNKNOWN ? row->out : row->items);
		hf_table_add_name(&table, "", hf_str_get(&name));
		hf_table_add_name(&table, "", row->constructor);
		hf_str_deinit(&name);
	}
	hf_table_print(&table, t, 0);
}

static void begin_line(struct hf_text *t, struct hf_line *line)
{
	*line = (struct hf_line){.indent = 4, .column = 2};
	hf_text_spaces(t, line->column);
}

static void add_items(struct hf_text *t, const struct hf_pool_row *row)
{
	struct hf_line line;

	begin_line(t, &line);
	for (size_t i = 0; i < hf_min(row->types_n, (size_t)HOLDERS_MAX); i++) {
		struct hf_str name = {0};

		hf_str_add_short(&name, row->types[i].name);
		hf_text_item(t, &line, HF_STYLE_NONE, "%s %s", hf_show_count(row->types[i].count).s,
			     hf_str_get(&name));
		hf_str_deinit(&name);
	}
	hf_text_item(t, &line, HF_STYLE_NONE, "wait: %s private, %s shared, %s victim",
		     hf_show_count(row->in_private).s, hf_show_count(row->in_shared).s,
		     hf_show_count(row->in_victim).s);
	hf_text_end(t);
}

static void add_largest(struct hf_text *t, const struct hf_pool_row *row)
{
	struct hf_line line;

	if (!row->largest_bytes)
		return;
	begin_line(t, &line);
	hf_text_item(t, &line, HF_STYLE_NONE, "largest 0x%" PRIx64 ": %s, the median %s", row->largest_addr,
		     hf_show_size(row->largest_bytes).s, hf_show_size(row->median_bytes).s);
	if (row->heavy * 2 < row->idle)
		hf_text_item(t, &line, HF_STYLE_NONE, "%s %s 90%% of the bytes", hf_show_count(row->heavy).s,
			     row->heavy == 1 ? "item holds" : "items hold");
	hf_text_end(t);
}

static void add_misuse(struct hf_text *t, const struct hf_pool_row *row)
{
	if (row->held) {
		hf_text_styled(t, HF_STYLE_BAD, "  %s of the items that wait are held by others, too",
			       hf_show_count(row->held).s);
		hf_text_end(t);
	}
	if (row->twice) {
		hf_text_styled(t, HF_STYLE_BAD, "  %s of the items were put back twice",
			       hf_show_count(row->twice).s);
		hf_text_end(t);
	}
}

static void add_out(struct hf_text *t, const struct hf_pool_row *row)
{
	struct hf_line line;

	if (row->out == HF_UNKNOWN || !row->out)
		return;
	begin_line(t, &line);
	hf_text_item(t, &line, HF_STYLE_NONE, "out: %s%s,", hf_show_count(row->out).s,
		     row->out_pools > 1 ? " (other pools have items of this type, too)" : "");
	for (size_t i = 0; i < hf_min(row->holders_n, (size_t)HOLDERS_MAX); i++) {
		struct hf_str name = {0};

		hf_str_add_short(&name, row->holders[i].name);
		hf_text_item(t, &line, HF_STYLE_NONE, "%s%s (%s)%s", i ? "" : "held by ", hf_str_get(&name),
			     hf_show_count(row->holders[i].count).s,
			     i + 1 < hf_min(row->holders_n, (size_t)HOLDERS_MAX) ? "," : "");
		hf_str_deinit(&name);
	}
	hf_text_end(t);
}

/* A pool whose items are in use or not by its own account. */
static void add_slabs(struct hf_text *t, const struct hf_pool_row *row)
{
	struct hf_line line;

	begin_line(t, &line);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s objects of %s are in use: %s;", hf_show_count(row->items).s,
		     hf_show_size(row->object_size).s, hf_show_size(row->used_bytes).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s %s with %s slots: %s", hf_show_count(row->slabs).s,
		     row->slabs == 1 ? "slab" : "slabs", hf_show_count(row->slots).s,
		     hf_show_size(row->slab_bytes).s);
	hf_text_end(t);
	if (*row->problem) {
		hf_text_styled(t, HF_STYLE_BAD, "  %s", row->problem);
		hf_text_end(t);
	}
}

static void add_detail(struct hf_text *t, const struct hf_pool_row *row)
{
	struct hf_str name = {0};

	hf_str_add_short(&name, row->name);
	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "%s 0x%" PRIx64, hf_str_get(&name), row->addr);
	hf_str_deinit(&name);
	if (*row->held_by) {
		hf_str_add_short(&name, row->held_by);
		hf_text_add(t, ", of %s", hf_str_get(&name));
		hf_str_deinit(&name);
	}
	hf_text_end(t);
	if (!strcmp(row->kind, "described")) {
		add_slabs(t, row);
		return;
	}
	add_items(t, row);
	add_largest(t, row);
	add_misuse(t, row);
	add_out(t, row);
}

void hf_text_pools(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_pools_answer *answer = result;
	size_t details = 0;

	hf_text_header(t, head, NULL);
	hf_text_line(t, "%s pools; %s items wait in them and retain %s%s%s%s",
		     hf_show_count(answer->total_pools).s, hf_show_count(answer->total_idle).s,
		     hf_show_size(answer->total_idle_bytes).s, answer->live_bytes ? ", " : "",
		     hf_show_share(answer->total_idle_bytes, answer->live_bytes).s,
		     answer->live_bytes ? " of what is live" : "");
	if (!answer->n)
		return;
	hf_text_end(t);
	add_rows(t, answer);
	hf_text_left_out(t, 0, answer->left_out, "pools", " (--limit 0 shows all)");
	for (size_t i = 0; i < answer->n && details < DETAILS_MAX; i++) {
		const struct hf_pool_row *row = &answer->rows[i];

		if (!row->idle && !row->slots && !*row->problem)
			continue;
		add_detail(t, row);
		details++;
	}
}
