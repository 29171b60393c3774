#include "text.h"

#define EXAMPLES 3
#define FRAMES   12
#define SITES    2

void hf_text_groups(struct hf_text *t, size_t indent, const struct hf_goroutines *g, size_t max)
{
	static const struct hf_column columns[] = {
		{"count", .right = true},         {"verdict", .right = false},
		{"waits in", .right = false},     {"longest", .right = true},
		{"holds alone", .right = true},   {"function", .flexible = true},
		{"created by", .flexible = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < hf_min(g->n, max); i++) {
		const struct hf_goroutine_group *group = &g->groups[i];

		hf_table_add(&table, "%s", hf_show_count(group->count).s);
		hf_table_add(&table, "%s", group->leaked ? "leaked" : "");
		hf_table_add(&table, "%s", group->wait);
		hf_table_add(&table, "%s",
			     group->oldest_wait_s < 0 ? "" : hf_show_duration(group->oldest_wait_s).s);
		hf_table_add(&table, "%s", hf_show_size(group->retained_bytes).s);
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

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* What of all of them is to be known, in one line. */
static void show_sum(struct hf_text *t, const struct hf_goroutines *g)
{
	hf_text_line(t, "%s goroutine%s%s in %s group%s%s", hf_show_count(g->matched).s, plural(g->matched),
		     g->matched < g->total ? " that the filter lets through," : "",
		     hf_show_count(g->n + g->left_out).s, plural(g->n + g->left_out),
		     g->leaked ? "" : "; none is leaked");
	hf_text_leaked(t, g);
}

void hf_text_leaked(struct hf_text *t, const struct hf_goroutines *g)
{
	struct hf_str words = {0};

	if (!g->leaked)
		return;
	hf_str_addf(&words, "%s %s leaked: nothing that can still run reaches what %s on",
		    hf_show_count(g->leaked).s, g->leaked == 1 ? "is" : "are",
		    g->leaked == 1 ? "it waits" : "they wait");
	if (g->matched == g->total)
		hf_str_addf(&words, "; %s of the heap are held by %s alone", hf_show_size(g->leaked_bytes).s,
			    g->leaked == 1 ? "it" : "them");
	hf_text_style(t, HF_STYLE_BAD);
	hf_text_wrap(t, 0, hf_str_get(&words));
	hf_text_style(t, HF_STYLE_NONE);
	t->out.failed |= words.failed;
	hf_str_deinit(&words);
}

/* A line of a group, where there is any. Takes words. */
static void show_words(struct hf_text *t, struct hf_str *words)
{
	if (words->n) {
		hf_text_spaces(t, 2);
		hf_text_wrap(t, 2, hf_str_get(words));
	}
	t->out.failed |= words->failed;
	hf_str_deinit(words);
}

/* "started at FILE:LINE (150), FILE:LINE (50)" */
static void show_sites(struct hf_text *t, const struct hf_goroutine_group *group)
{
	struct hf_str words = {0};

	for (size_t i = 0; i < hf_min(group->sites_n, (size_t)SITES); i++) {
		const struct hf_start_site *site = &group->sites[i];

		hf_str_addf(&words, "%s%s:%u", i ? ", " : "started at ", site->file, site->line);
		if (site->count != group->count)
			hf_str_addf(&words, " (%s)", hf_show_count(site->count).s);
	}
	if (group->sites_n > SITES)
		hf_str_add(&words, ", ...");
	show_words(t, &words);
}

static void show_labels(struct hf_text *t, const struct hf_goroutine_group *group)
{
	struct hf_str words = {0};

	for (size_t i = 0; i < group->labels_n; i++)
		hf_str_addf(&words, "%s%s=%s (%s)", i ? ", " : "labels ", group->labels[i].key,
			    group->labels[i].value, hf_show_count(group->labels[i].count).s);
	show_words(t, &words);
}

/* Who could wake them. */
static void show_waker(struct hf_text *t, const struct hf_goroutine_group *group)
{
	if (group->leaked) {
		hf_text_spaces(t, 2);
		hf_text_style(t, HF_STYLE_BAD);
		hf_text_wrap(t, 2,
			     group->waits_on ? "leaked: nothing that can still run reaches what they wait on"
					     : "leaked: they wait for nothing that could come");
		hf_text_style(t, HF_STYLE_NONE);
	} else if (group->waker) {
		hf_text_line(t, "  what they wait on is in reach of");
		hf_text_spaces(t, 4);
		hf_text_chain_expression(t, 4, group->waker);
	}
}

static void show_group(struct hf_text *t, const struct hf_goroutine_group *group)
{
	struct hf_str words = {0};

	hf_str_addf(&words, "%s ", hf_show_count(group->count).s);
	hf_str_add_short(&words, group->function);
	hf_str_addf(&words, " [%s]", group->wait);
	if (group->oldest_wait_s >= 0)
		hf_str_addf(&words, " for up to %s", hf_show_duration(group->oldest_wait_s).s);
	hf_str_addf(&words, ", with %s of stacks", hf_show_size(group->stack_bytes).s);
	if (group->retained_bytes)
		hf_str_addf(&words, " and %s of the heap that nothing else holds",
			    hf_show_size(group->retained_bytes).s);
	hf_text_end(t);
	hf_text_style(t, HF_STYLE_BOLD);
	hf_text_wrap(t, 2, hf_str_get(&words));
	hf_text_style(t, HF_STYLE_NONE);
	t->out.failed |= words.failed;
	hf_str_deinit(&words);
	show_waker(t, group);
	show_sites(t, group);
	show_labels(t, group);
	hf_text_line(t, "  goroutine %" PRIu64 ":", group->example_id);
	hf_text_frames(t, 4, group->frames, group->frames_n, FRAMES);
}

/* Those with most goroutines, and the leaked ones with most. */
void hf_text_goroutines(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_goroutines *g = result;
	size_t shown = 0;

	hf_text_header(t, head, NULL);
	show_sum(t, g);
	if (!g->n)
		return;
	hf_text_end(t);
	hf_text_groups(t, 0, g, SIZE_MAX);
	hf_text_left_out(t, 0, g->left_out, "groups", " (--limit 0 shows all)");
	for (int leaked = 1; leaked >= 0; leaked--)
		for (size_t i = 0; i < g->n && shown < EXAMPLES; i++)
			if (g->groups[i].leaked == leaked && g->groups[i].frames_n) {
				show_group(t, &g->groups[i]);
				shown++;
			}
}
