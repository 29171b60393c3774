#include "text.h"

#define STACKS 3 /* of rows, shown below them */
#define FRAMES 8 /* of a stack */
#define BY_MAX 4 /* functions in one line */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "allocated by main.makeRecord main.go:42, of main.keepRecords main.go:50, of main.main main.go:99" */
void hf_text_allocated(struct hf_text *t, size_t indent, const struct hf_frame *frames, size_t n)
{
	struct hf_str line = {0};

	if (!n)
		return;
	for (size_t i = 0; i < hf_min(n, (size_t)BY_MAX); i++) {
		hf_str_add(&line, i ? ", of " : "allocated by ");
		hf_str_add_short(&line, frames[i].function);
		if (*frames[i].file)
			hf_str_addf(&line, " %s:%u", base_name(frames[i].file), frames[i].line);
	}
	if (n > BY_MAX)
		hf_str_addf(&line, ", and %s more", hf_show_count(n - BY_MAX).s);
	hf_text_spaces(t, indent);
	hf_text_wrap(t, indent, hf_str_get(&line));
	t->out.failed |= line.failed;
	hf_str_deinit(&line);
}

static void show_rate(struct hf_text *t, const struct hf_top *top)
{
	if (top->sample_rate == 1)
		hf_text_line(t, "every allocation is a sample: these figures are exact");
	else if (top->sample_rate == HF_UNKNOWN)
		hf_text_line(t, "the program's rate of samples is not known: these are the samples alone, "
				"not scaled");
	else if (top->sample_rate)
		hf_text_line(t, "scaled from samples, one in %s allocated on average",
			     hf_show_size(top->sample_rate).s);
	else
		hf_text_line(t,
			     "sampling is off by now: these are samples that were taken before, not scaled");
}

static void show_rows(struct hf_text *t, const struct hf_top *top)
{
	static const struct hf_column columns[] = {
		{"in use", .right = true},    {"share", .right = true}, {"count", .right = true},
		{"allocated", .right = true}, {"count", .right = true}, {"retained", .right = true},
		{"site", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < top->n; i++) {
		const struct hf_row *row = &top->rows[i];

		hf_table_add(&table, "%s", hf_show_size(row->bytes).s);
		hf_table_add(&table, "%s", hf_show_share(row->bytes, top->total_bytes).s);
		hf_table_add(&table, "%s", hf_show_count(row->count).s);
		hf_table_add(&table, "%s", hf_show_size(row->site->alloc_bytes).s);
		hf_table_add(&table, "%s", hf_show_count(row->site->alloc_count).s);
		hf_table_add(&table, "%s", hf_show_size(row->retained_bytes).s);
		hf_table_add_name(&table, "", row->name);
	}
	hf_table_print(&table, t, 0);
}

void hf_text_sites(struct hf_text *t, const struct hf_top *top)
{
	hf_text_line(t, "%s objects in use, %s, by where they were allocated",
		     hf_show_count(top->total_count).s, hf_show_size(top->total_bytes).s);
	show_rate(t, top);
	hf_text_end(t);
	show_rows(t, top);
	hf_text_left_out(t, 0, top->left_out, "places", " (--limit 0 shows all)");
	for (size_t i = 0; i < hf_min(top->n, (size_t)STACKS); i++) {
		if (!top->rows[i].site->stack_n)
			continue;
		hf_text_end(t);
		hf_text_styled(t, HF_STYLE_BOLD, "%s", top->rows[i].name);
		hf_text_end(t);
		hf_text_frames(t, 2, top->rows[i].site->stack, top->rows[i].site->stack_n, FRAMES);
	}
}
