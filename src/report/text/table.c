#include "text.h"

#include <stdarg.h>

#define GAP          2
#define MIN_FLEXIBLE 12 /* columns below which a flexible cell says nothing any more */
#define COLUMNS_MAX  8

void hf_table_add(struct hf_table *table, const char *fmt, ...)
{
	struct hf_str raw = {0};
	va_list args;

	va_start(args, fmt);
	hf_str_addv(&raw, fmt, args);
	va_end(args);
	table->cells.failed |= raw.failed;
	hf_str_add_clean(&table->cells, hf_str_get(&raw));
	hf_str_deinit(&raw);
	if (hf_err_ignore(hf_vec_push(&table->ends, table->cells.n)))
		table->cells.failed = true;
}

void hf_table_add_name(struct hf_table *table, const char *prefix, const char *name)
{
	struct hf_str brief = {0};

	hf_str_add_short(&brief, name);
	hf_table_add(table, *prefix ? "%s %s" : "%s%s", prefix, hf_str_get(&brief));
	table->cells.failed |= brief.failed;
	hf_str_deinit(&brief);
}

struct cell {
	const char *s;
	size_t n;
};

static struct cell cell_at(const struct hf_table *table, size_t row, size_t column)
{
	size_t i = row * table->columns_n + column, start = i ? table->ends.at[i - 1] : 0;

	return (struct cell){hf_str_get(&table->cells) + start, table->ends.at[i] - start};
}

/* Shares what the fixed columns leave among the flexible ones: narrow ones keep what they need. */
static void fit(const struct hf_table *table, size_t *widths, size_t room)
{
	bool settled[COLUMNS_MAX];
	size_t open = 0;

	for (size_t c = 0; c < table->columns_n; c++) {
		settled[c] = !table->columns[c].flexible;
		open += !settled[c];
		if (settled[c])
			room -= hf_min(room, widths[c]);
		room -= c ? hf_min(room, (size_t)GAP) : 0;
	}
	while (open) {
		size_t even = hf_max(room / open, (size_t)MIN_FLEXIBLE), before = open;

		for (size_t c = 0; c < table->columns_n; c++) {
			if (settled[c] || widths[c] > even)
				continue;
			settled[c] = true;
			room -= hf_min(room, widths[c]);
			open--;
		}
		if (open != before)
			continue;
		for (size_t c = 0; c < table->columns_n; c++)
			if (!settled[c])
				widths[c] = even;
		return;
	}
}

static void print_cell(struct hf_text *t, const struct hf_table *table, size_t column, struct cell cell,
		       size_t *pending, size_t width)
{
	struct hf_str cut = {0};
	size_t columns;

	hf_text_cut(&cut, cell.s, cell.n, width);
	t->out.failed |= cut.failed;
	columns = hf_text_columns(hf_str_get(&cut), cut.n);
	if (columns) {
		hf_text_spaces(t, *pending + (table->columns[column].right ? width - columns : 0));
		hf_str_addn(&t->out, cut.s, cut.n);
		*pending = (table->columns[column].right ? 0 : width - columns) + GAP;
	} else {
		*pending += width + GAP;
	}
	hf_str_deinit(&cut);
}

static void print_titles(struct hf_text *t, const struct hf_table *table, const size_t *widths, size_t indent)
{
	size_t pending = indent;

	hf_text_style(t, HF_STYLE_DIM);
	for (size_t c = 0; c < table->columns_n; c++) {
		const char *title = table->columns[c].title;

		print_cell(t, table, c, (struct cell){title, strlen(title)}, &pending, widths[c]);
	}
	hf_text_style(t, HF_STYLE_NONE);
	hf_text_end(t);
}

/* Bytes of the words at the start of a cell that fit, and at least one word; all where it fits. */
static size_t words_that_fit(struct cell cell, size_t width)
{
	size_t fit = 0;

	for (size_t end = 0; end <= cell.n; end++) {
		if (end < cell.n && cell.s[end] != ' ')
			continue;
		if (fit && hf_text_columns(cell.s, end) > width)
			break;
		fit = end;
	}
	return fit;
}

static void print_row(struct hf_text *t, const struct hf_table *table, size_t row, const size_t *widths,
		      size_t indent)
{
	size_t pending = indent, last = table->columns_n - 1, column = indent;
	struct cell rest = {"", 0};

	for (size_t c = 0; c <= last; c++) {
		struct cell cell = cell_at(table, row, c);

		if (table->columns[c].wraps) {
			rest = cell;
			cell.n = words_that_fit(rest, widths[c]);
			rest.s += cell.n;
			rest.n -= cell.n;
		}
		print_cell(t, table, c, cell, &pending, widths[c]);
		column += c < last ? widths[c] + GAP : 0;
	}
	hf_text_end(t);
	while (rest.n > 1) {
		size_t n;

		rest.s++; /* the space that it was broken at */
		rest.n--;
		n = words_that_fit(rest, widths[last]);
		hf_text_spaces(t, column);
		hf_text_cut(&t->out, rest.s, n, widths[last]);
		hf_text_end(t);
		rest.s += n;
		rest.n -= n;
	}
}

void hf_table_print(struct hf_table *table, struct hf_text *t, size_t indent)
{
	size_t rows, widths[COLUMNS_MAX] = {0};

	while (table->ends.n % table->columns_n && !table->cells.failed)
		hf_table_add(table, "%s", "");
	rows = table->ends.n / table->columns_n;
	if (table->cells.failed) {
		t->out.failed = true;
		rows = 0;
	}
	for (size_t c = 0; c < table->columns_n && rows; c++) {
		if (table->columns[0].title)
			widths[c] = strlen(table->columns[c].title);
		for (size_t r = 0; r < rows; r++) {
			struct cell cell = cell_at(table, r, c);

			widths[c] = hf_max(widths[c], hf_text_columns(cell.s, cell.n));
		}
	}
	fit(table, widths, t->width - hf_min((size_t)t->width, indent));
	if (rows && table->columns[0].title)
		print_titles(t, table, widths, indent);
	for (size_t r = 0; r < rows; r++)
		print_row(t, table, r, widths, indent);
	hf_str_deinit(&table->cells);
	hf_vec_deinit(&table->ends);
}
