#include "text.h"

void hf_text_groups(struct hf_text *t, size_t indent, const struct hf_goroutines *g, size_t max)
{
	static const struct hf_column columns[] = {
		{"count", .right = true},  {"waits in", .right = false},   {"longest", .right = true},
		{"stacks", .right = true}, {"function", .flexible = true}, {"created by", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < hf_min(g->n, max); i++) {
		const struct hf_goroutine_group *group = &g->groups[i];

		hf_table_add(&table, "%s", hf_show_count(group->count).s);
		hf_table_add(&table, "%s", group->wait);
		hf_table_add(&table, "%s",
			     group->oldest_wait_s < 0 ? "" : hf_show_duration(group->oldest_wait_s).s);
		hf_table_add(&table, "%s", hf_show_size(group->stack_bytes).s);
		hf_table_add_name(&table, "", group->function);
		hf_table_add_name(&table, "", group->created_by);
	}
	hf_table_print(&table, t, indent);
}

void hf_text_frames(struct hf_text *t, size_t indent, const struct hf_frame *frames, size_t n, size_t max)
{
	static const struct hf_column columns[] = {{.flexible = true}, {.flexible = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < hf_min(n, max); i++) {
		const struct hf_frame *frame = &frames[i];

		hf_table_add_name(&table, frame->inlined ? "(inlined)" : "", frame->function);
		if (*frame->file)
			hf_table_add(&table, "%s:%u", frame->file, frame->line);
		else
			hf_table_add(&table, "0x%" PRIx64, frame->pc);
	}
	hf_table_print(&table, t, indent);
	hf_text_left_out(t, indent, n - hf_min(n, max), "frames", "");
}

void hf_text_goroutines(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_goroutines *g = result;

	hf_text_header(t, head, NULL);
	hf_text_line(t, "%s goroutines in %s groups", hf_show_count(g->total).s,
		     hf_show_count(g->n + g->left_out).s);
	if (!g->n)
		return;
	hf_text_end(t);
	hf_text_groups(t, 0, g, SIZE_MAX);
	hf_text_left_out(t, 0, g->left_out, "groups", " (--limit 0 shows all)");
	for (size_t i = 0; i < hf_min(g->n, (size_t)3); i++) {
		const struct hf_goroutine_group *group = &g->groups[i];

		if (!group->frames_n)
			continue;
		hf_text_end(t);
		hf_text_styled(t, HF_STYLE_BOLD, "goroutine %" PRIu64 " [%s], one of %s", group->example_id,
			       group->wait, hf_show_count(group->count).s);
		hf_text_end(t);
		hf_text_frames(t, 2, group->frames, group->frames_n, 12);
	}
}
