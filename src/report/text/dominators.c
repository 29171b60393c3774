#include "text.h"

#define INDENT     2
#define INDENT_MAX 40 /* columns; what is deeper stands there, too */

/* "main.Session 0xc000123400", "49,990 more main.Session", "main.node 0xc000123400 and 999,999 below it" */
static void add_objects(struct hf_str *name, const struct hf_dominator_row *row)
{
	if (row->n != 1)
		hf_str_addf(name, "%s %s", hf_show_count(row->n).s, row->more ? "more " : "");
	hf_str_add_short(name, row->name);
	if (row->n == 1)
		hf_str_addf(name, " 0x%" PRIx64, row->addr);
	if (row->nested)
		hf_str_addf(name, " and %s below %s", hf_show_count(row->nested).s,
			    row->n == 1 ? "it" : "them");
}

static void add_row(struct hf_table *table, const struct hf_dominator_row *row, uint32_t depth,
		    uint64_t total)
{
	struct hf_str name = {0};

	for (uint32_t i = 0; i < hf_min(depth * INDENT, (uint32_t)INDENT_MAX); i++)
		hf_str_addc(&name, ' ');
	switch (row->kind) {
	case HF_DOMINATOR_HEAP:
		hf_str_add(&name, "(all that is live)");
		break;
	case HF_DOMINATOR_ROOT:
		hf_str_add_short(&name, row->name);
		break;
	case HF_DOMINATOR_SHARED:
		hf_str_add(&name, "(shared by several roots)");
		break;
	case HF_DOMINATOR_OBJECT:
		add_objects(&name, row);
		break;
	case HF_DOMINATOR_REST:
		hf_str_addf(&name, "... %s more", hf_show_count(row->n).s);
		break;
	}
	hf_table_add(table, "%s", hf_show_size(row->retained_bytes).s);
	hf_table_add(table, "%s", hf_show_share(row->retained_bytes, total).s);
	hf_table_add(table, "%s", row->own_bytes ? hf_show_size(row->own_bytes).s : "");
	hf_table_add(table, "%s", hf_show_count(row->retained_count).s);
	hf_table_add(table, "%s", hf_str_get(&name));
	table->cells.failed |= name.failed;
	hf_str_deinit(&name);
}

/* All that is live is told above the table, and the roots are what it begins with. */
static void add_tree(struct hf_text *t, const struct hf_dominator_tree *tree, const char *title,
		     uint64_t total)
{
	static const struct hf_column columns[] = {
		{"retained", .right = true}, {"share", .right = true},   {"own", .right = true},
		{"objects", .right = true},  {"what", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	uint32_t above = tree->n && tree->rows[0].kind == HF_DOMINATOR_HEAP;

	for (size_t i = above; i < tree->n; i++)
		add_row(&table, &tree->rows[i], tree->rows[i].depth - above, total);
	hf_text_add(t, "%s", title);
	if (tree->min_bytes)
		hf_text_add(t, "; what is below %s is summed up", hf_show_size(tree->min_bytes).s);
	hf_text_end(t);
	hf_text_end(t);
	hf_table_print(&table, t, 0);
}

void hf_text_dominators(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_dominator_trees *trees = result;
	struct hf_str live = {0};

	hf_str_addf(&live, "%s live objects, %s", hf_show_count(trees->total_count).s,
		    hf_show_size(trees->total_bytes).s);
	t->out.failed |= live.failed;
	hf_text_header(t, head, NULL);
	if (trees->n > 1)
		hf_text_line(t, "%s", hf_str_get(&live));
	for (size_t i = 0; i < trees->n; i++) {
		if (trees->n > 1)
			hf_text_end(t);
		add_tree(t, &trees->trees[i], trees->n > 1 ? trees->trees[i].query : hf_str_get(&live),
			 trees->total_bytes);
	}
	hf_str_deinit(&live);
}
