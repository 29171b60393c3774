/* What to paste into a ticket: a screen and a half, the verdict first. */
#include "text.h"

#define TYPE_ROWS   5
#define ROOT_ROWS   5
#define GROUP_ROWS  4
#define LEAST_SHARE 0.005

static void title(struct hf_text *t, const char *text)
{
	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "%s", text);
	hf_text_end(t);
}

static void show_heap(struct hf_text *t, const struct hf_heap *heap)
{
	struct hf_line line = {.indent = 6, .column = 6};

	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "heap");
	hf_text_spaces(t, 2);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s live in %s objects", hf_show_size(heap->live_bytes).s,
		     hf_show_count(heap->live_objects).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s garbage", hf_show_size(heap->garbage_bytes).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s idle, %s of it given back", hf_show_size(heap->idle).s,
		     hf_show_size(heap->released).s);
	hf_text_end(t);
	hf_text_spaces(t, 6);
	hf_text_self_check(t, 6, heap);
}

static void show_rows(struct hf_text *t, const char *name, const char *column, const struct hf_top *top,
		      size_t max)
{
	if (!top || !top->n)
		return;
	title(t, name);
	hf_text_rows(t, 2, top, column, max);
	hf_text_left_out(t, 2, top->left_out + (top->n - hf_min(top->n, max)), "", "");
}

static void show_goroutines(struct hf_text *t, const struct hf_goroutines *g)
{
	if (!g || !g->n)
		return;
	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "goroutines");
	hf_text_line(t, "  %s", hf_show_count(g->total).s);
	hf_text_leaked(t, g);
	hf_text_groups(t, 2, g, GROUP_ROWS);
	hf_text_left_out(t, 2, g->left_out + (g->n - hf_min(g->n, (size_t)GROUP_ROWS)), "groups", "");
}

static void show_example(struct hf_text *t, const struct hf_page *page)
{
	struct hf_str type = {0};

	if (!page->example || !page->example->n)
		return;
	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "example");
	hf_str_add_short(&type, page->example_type);
	hf_text_line(t, "  what holds one %s", hf_str_get(&type));
	t->out.failed |= type.failed;
	hf_str_deinit(&type);
	hf_text_spaces(t, 2);
	hf_text_chain_expression(t, 2, page->example);
	hf_text_chain_steps(t, 2, page->example);
}

static void show_hints(struct hf_text *t, const struct hf_head *head, const struct hf_page *page)
{
	static const struct hf_column columns[] = {{.flexible = false}, {.flexible = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	bool live = strcmp(head->kind, "live") == 0;
	struct hf_str word = {0}, type = {0};

	if (page->example_type && *page->example_type) {
		hf_str_add_short(&type, page->example_type);
		hf_str_add_shell(&word, hf_str_get(&type));
	}
	title(t, "next");
	if (word.n) {
		hf_table_add(&table, "holdfast why%s %s", t->ask, hf_str_get(&word));
		hf_table_add(&table, "all that holds this type");
	}
	hf_table_add(&table, "holdfast top%s --by root", t->ask);
	hf_table_add(&table, "which variable or goroutine holds how much");
	hf_table_add(&table, "holdfast goroutines%s", t->ask);
	hf_table_add(&table, "who waits, where, since when");
	if (live) {
		hf_table_add(&table, "holdfast snap%s -o FILE", t->ask);
		hf_table_add(&table, "keep this moment: questions on it stop nothing");
	}
	hf_table_print(&table, t, 2);
	t->out.failed |= word.failed | type.failed;
	hf_str_deinit(&word);
	hf_str_deinit(&type);
}

void hf_text_page(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_page *page = result;
	const struct hf_overview *o = page->overview;

	hf_text_header(t, head, o);
	hf_text_end(t);
	hf_text_verdict(t, o);
	hf_text_end(t);
	hf_text_shares(t, o, LEAST_SHARE);
	for (size_t i = 0; i < o->heaps_n; i++)
		show_heap(t, &o->heaps[i]);
	show_rows(t, "live objects by type", "type", page->types, TYPE_ROWS);
	show_rows(t, "what one root alone holds", "root", page->roots, ROOT_ROWS);
	show_goroutines(t, page->goroutines);
	show_example(t, page);
	show_hints(t, head, page);
}
