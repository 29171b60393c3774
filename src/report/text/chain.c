/* A chain as one Go-like expression, and as its steps. */
#include "text.h"

#define PERIOD_MAX   4  /* parts of a group that repeats: a list through up to four types */
#define REPEAT_MIN   3  /* fewer are shorter written out */
#define RUNS_MAX     24 /* of an expression, shown */
#define PART_COLUMNS 64
#define STEPS_HEAD   6
#define STEPS_TAIL   4

/* Parts [first, first + period), `repeat` times. */
struct run {
	size_t first, period, repeat;
};

struct expression {
	HF_VEC(const char *) parts; /* the root's and the steps' vias that are not empty */
	HF_VEC(struct run) runs;
};

static bool same(const char *const *a, const char *const *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static struct run run_at(const struct expression *e, size_t at)
{
	const char *const *parts = e->parts.at + at;
	size_t left = e->parts.n - at;

	for (size_t period = 1; period <= PERIOD_MAX; period++) {
		size_t repeat = 1;

		while ((repeat + 1) * period <= left && same(parts, parts + repeat * period, period))
			repeat++;
		if (repeat >= REPEAT_MIN)
			return (struct run){at, period, repeat};
	}
	return (struct run){at, 1, 1};
}

/* A goroutine's name is several words, and ends in a mark where the path begins: with a variable, which is no field. */
static bool has_long_name(const struct hf_chain *chain)
{
	return strchr(chain->root_name, ' ') != NULL;
}

static struct hf_err *split(const struct hf_chain *chain, struct expression *ret)
{
	const char *first = chain->root_via + (has_long_name(chain) && *chain->root_via == '.');

	if (*first)
		HF_TRY(hf_vec_push(&ret->parts, first));
	for (size_t i = 0; i < chain->n; i++)
		if (*chain->steps[i].via)
			HF_TRY(hf_vec_push(&ret->parts, chain->steps[i].via));
	for (size_t at = 0; at < ret->parts.n;) {
		struct run run = run_at(ret, at);

		HF_TRY(hf_vec_push(&ret->runs, run));
		at += run.period * run.repeat;
	}
	return NULL;
}

static void add_part(struct hf_str *ret, const char *part)
{
	struct hf_str clean = {0};

	hf_str_add_clean(&clean, part);
	ret->failed |= clean.failed;
	hf_text_cut(ret, hf_str_get(&clean), clean.n, PART_COLUMNS);
	hf_str_deinit(&clean);
}

static void add_run(struct hf_str *ret, const struct expression *e, const struct run *run)
{
	if (run->period > 1)
		hf_str_addc(ret, '(');
	for (size_t i = 0; i < run->period; i++)
		add_part(ret, e->parts.at[run->first + i]);
	if (run->period > 1)
		hf_str_addc(ret, ')');
	if (run->repeat > 1)
		hf_str_addf(ret, " ×%s", hf_show_count(run->repeat).s);
}

/* Puts a piece where it fits, on the next line where it does not. */
static void place(struct hf_text *t, size_t indent, size_t *column, struct hf_str *piece)
{
	size_t columns = hf_text_columns(hf_str_get(piece), piece->n);

	if (*column > indent + 2 && *column + columns > t->width) {
		hf_text_end(t);
		hf_text_spaces(t, indent + 2);
		*column = indent + 2;
	}
	t->out.failed |= piece->failed;
	hf_str_add(&t->out, hf_str_get(piece));
	*column += columns;
	hf_str_deinit(piece);
}

static void print(struct hf_text *t, size_t indent, const struct hf_chain *chain, const struct expression *e)
{
	size_t column = indent, n = e->runs.n;
	size_t skip_from = n > RUNS_MAX ? RUNS_MAX / 2 : n, skip_to = n > RUNS_MAX ? n - RUNS_MAX / 2 : n;
	struct hf_str piece = {0}, name = {0};

	hf_str_add_short(&name, *chain->root_name ? chain->root_name : chain->root_kind);
	hf_str_add_clean(&piece, hf_str_get(&name));
	piece.failed |= name.failed;
	hf_str_deinit(&name);
	if (n && has_long_name(chain))
		hf_str_add(&piece, ": ");
	place(t, indent, &column, &piece);
	for (size_t i = 0; i < n; i++) {
		if (i && e->runs.at[i - 1].repeat > 1)
			hf_str_addc(&piece, ' ');
		if (i == skip_from) {
			hf_str_addf(&piece, " ...%s parts... ", hf_show_count(skip_to - skip_from).s);
			place(t, indent, &column, &piece);
			i = skip_to;
		}
		add_run(&piece, e, &e->runs.at[i]);
		place(t, indent, &column, &piece);
	}
	hf_text_end(t);
}

void hf_text_chain_expression(struct hf_text *t, size_t indent, const struct hf_chain *chain)
{
	struct expression e = {0};

	if (hf_err_ignore(split(chain, &e))) {
		t->out.failed = true;
	} else {
		hf_text_style(t, HF_STYLE_BOLD);
		print(t, indent, chain, &e);
		hf_text_style(t, HF_STYLE_NONE);
	}
	hf_vec_deinit(&e.parts);
	hf_vec_deinit(&e.runs);
}

static void add_step(struct hf_table *table, const struct hf_step *step)
{
	hf_table_add(table, "0x%" PRIx64, step->addr);
	hf_table_add(table, "%s", hf_show_size(step->size).s);
	hf_table_add_name(table, "", step->type);
	if (step->tags && *step->tags)
		hf_table_add(table, "%s (%s)", step->via, step->tags);
	else
		hf_table_add(table, "%s", step->via);
}

void hf_text_chain_steps(struct hf_text *t, size_t indent, const struct hf_chain *chain)
{
	static const struct hf_column columns[] = {
		{.right = false},
		{.right = true},
		{.flexible = true},
		{.flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	size_t skipped = chain->n > STEPS_HEAD + STEPS_TAIL + 1 ? chain->n - STEPS_HEAD - STEPS_TAIL : 0;

	if (chain->root_addr)
		hf_table_add(&table, "0x%" PRIx64, chain->root_addr);
	else
		hf_table_add(&table, "%s", "");
	hf_table_add(&table, "%s", "");
	hf_table_add_name(&table, chain->root_kind, chain->root_name);
	hf_table_add(&table, "%s", chain->root_via);
	for (size_t i = 0; i < chain->n; i++) {
		if (skipped && i == STEPS_HEAD) {
			hf_table_add(&table, "%s", "");
			hf_table_add(&table, "%s", "");
			hf_table_add(&table, "... %s more steps", hf_show_count(skipped).s);
			hf_table_add(&table, "%s", "");
			i += skipped;
		}
		add_step(&table, &chain->steps[i]);
	}
	hf_table_print(&table, t, indent);
}
