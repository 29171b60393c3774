#include "text.h"

#include <stdio.h>

#define BAR 16

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_program(struct hf_text *t, const struct hf_head *head, const struct hf_overview *o)
{
	struct hf_line line = {0};

	hf_text_item(t, &line, HF_STYLE_NONE, "%s", *head->exe ? head->exe : "executable unknown");
	if (*o->main_path)
		hf_text_item(t, &line, HF_STYLE_NONE, "%s %s", o->main_path, o->main_version);
	for (size_t i = 0; i < o->heaps_n; i++)
		hf_text_item(t, &line, HF_STYLE_NONE, "%s", o->heaps[i].version);
	hf_text_end(t);
}

void hf_text_header(struct hf_text *t, const struct hf_head *head, const struct hf_overview *o)
{
	struct hf_line line = {0};

	if (!o) {
		hf_text_item(t, &line, HF_STYLE_DIM, "%s", head->label);
		if (*head->exe)
			hf_text_item(t, &line, HF_STYLE_DIM, "%s", base_name(head->exe));
		hf_text_end(t);
		return;
	}
	hf_text_item(t, &line, HF_STYLE_BOLD, "%s", head->label);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s", hf_show_time(o->taken_at).s);
	if (o->started_at > 0 && o->taken_at >= o->started_at)
		hf_text_item(t, &line, HF_STYLE_NONE, "up %s, since %s",
			     hf_show_duration(o->taken_at - o->started_at).s, hf_show_time(o->started_at).s);
	hf_text_end(t);
	add_program(t, head, o);
}

void hf_text_verdict(struct hf_text *t, const struct hf_overview *o)
{
	hf_text_style(t, HF_STYLE_BOLD);
	hf_text_wrap(t, 0, o->verdict_text);
	hf_text_style(t, HF_STYLE_NONE);
}

static void add_bar(char *bar, uint64_t part, uint64_t total)
{
	double share = total ? (double)part / (double)total : 0;
	size_t n = (size_t)(hf_min(share, 1.0) * BAR + 0.5);

	memset(bar, '#', n);
	bar[n] = '\0';
}

static uint64_t fact(const struct hf_overview *o, const char *key)
{
	for (size_t i = 0; i < o->facts_n; i++)
		if (strcmp(o->facts[i].key, key) == 0)
			return o->facts[i].value;
	return HF_UNKNOWN;
}

/* "the cgroup's charge is 512 MiB, limit 1.0 GiB, killed for memory: 2" */
static void add_total(struct hf_text *t, const struct hf_overview *o)
{
	uint64_t limit = fact(o, "cgroup_max"), kills = fact(o, "cgroup_events_oom_kill");

	hf_text_styled(t, HF_STYLE_BOLD, "memory");
	hf_text_add(t, "  %s is %s", o->shares_of, hf_show_size(o->shares_total).s);
	if (limit < HF_NOLIMIT)
		hf_text_add(t, ", limit %s", hf_show_size(limit).s);
	if (kills && kills < HF_NOLIMIT)
		hf_text_styled(t, HF_STYLE_BAD, ", killed for memory: %s", hf_show_count(kills).s);
	hf_text_end(t);
}

void hf_text_shares(struct hf_text *t, const struct hf_overview *o, double least)
{
	static const struct hf_column columns[] = {
		{.flexible = true},
		{.right = true},
		{.right = true},
		{.right = false},
		{.flexible = true, .wraps = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	add_total(t, o);
	for (size_t i = 0; i < o->shares_n; i++) {
		const struct hf_share *share = &o->shares[i];
		char bar[BAR + 1];

		if (i && i + 1 < o->shares_n && (double)share->bytes < least * (double)o->shares_total)
			continue;
		add_bar(bar, share->bytes, o->shares_total);
		hf_table_add(&table, "%s", share->label);
		hf_table_add(&table, "%s", hf_show_size(share->bytes).s);
		hf_table_add(&table, "%s", hf_show_share(share->bytes, o->shares_total).s);
		hf_table_add(&table, "%s", bar);
		hf_table_add(&table, "%s", share->note);
	}
	hf_table_print(&table, t, 2);
}

void hf_text_self_check(struct hf_text *t, size_t indent, const struct hf_heap *heap)
{
	struct hf_line line = {.indent = indent, .column = indent};

	if (heap->exact) {
		hf_text_item(t, &line, HF_STYLE_GOOD, "walk agrees with the runtime's own counters: exact");
	} else if (heap->runtime_objects == HF_UNKNOWN || heap->runtime_bytes == HF_UNKNOWN) {
		hf_text_item(t, &line, HF_STYLE_BAD, "the runtime's own counters are unknown: not checked");
	} else {
		hf_text_item(t, &line, HF_STYLE_BAD, "walk and the runtime's own counters differ:");
		hf_text_item(t, &line, HF_STYLE_BAD, "%s against %s objects,", hf_show_count(heap->objects).s,
			     hf_show_count(heap->runtime_objects).s);
		hf_text_item(t, &line, HF_STYLE_BAD, "%s against %s bytes", hf_show_count(heap->bytes).s,
			     hf_show_count(heap->runtime_bytes).s);
	}
	hf_text_end(t);
}

/* name: what runtime.MemStats calls it, where there is one. */
static void add_pair(struct hf_table *table, const char *label, uint64_t objects, uint64_t bytes,
		     const char *name)
{
	hf_table_add(table, "%s", label);
	hf_table_add(table, "%s", hf_show_size(bytes).s);
	hf_table_add(table, "%s", objects == HF_UNKNOWN ? "" : hf_show_count(objects).s);
	hf_table_add(table, "%s", objects == HF_UNKNOWN ? "" : "objects");
	hf_table_add(table, "%s", name);
}

static void show_collector(struct hf_text *t, const struct hf_heap *heap, double taken_at)
{
	struct hf_line line = {.indent = 2, .column = 2};

	hf_text_spaces(t, 2);
	hf_text_item(t, &line, HF_STYLE_NONE, "collector: %s", heap->gc_phase);
	hf_text_item(t, &line, HF_STYLE_NONE, "cycles: %s", hf_show_count(heap->gc_cycles).s);
	if (heap->last_gc_at > 0 && taken_at >= heap->last_gc_at)
		hf_text_item(t, &line, HF_STYLE_NONE, "last: %s ago",
			     hf_show_duration(taken_at - heap->last_gc_at).s);
	else if (heap->last_gc_at > 0)
		hf_text_item(t, &line, HF_STYLE_NONE, "last: %s", hf_show_time(heap->last_gc_at).s);
	if (heap->gc_percent == HF_NOLIMIT) {
		hf_text_item(t, &line, HF_STYLE_NONE, "GOGC: off");
	} else {
		hf_text_item(t, &line, HF_STYLE_NONE, "GOGC: %s", hf_show_count(heap->gc_percent).s);
		hf_text_item(t, &line, HF_STYLE_NONE, "next at: %s", hf_show_size(heap->next_gc).s);
	}
	hf_text_item(t, &line, HF_STYLE_NONE, "memory limit: %s", hf_show_size(heap->memory_limit).s);
	hf_text_end(t);
}

static void show_counts(struct hf_text *t, const struct hf_heap *heap)
{
	struct hf_line line = {.indent = 2, .column = 2};

	hf_text_spaces(t, 2);
	hf_text_item(t, &line, HF_STYLE_NONE, "goroutines: %s", hf_show_count(heap->goroutines).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "GOMAXPROCS: %s", hf_show_count(heap->gomaxprocs).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "roots: %s", hf_show_count(heap->roots).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "pointers: %s", hf_show_count(heap->edges).s);
	hf_text_end(t);
}

/* Rounded down: all is said of all alone. */
static double percent(uint64_t part, uint64_t all)
{
	return all ? (double)(uint64_t)((double)part / (double)all * 1e4) / 100 : 100;
}

static void show_typed(struct hf_text *t, const struct hf_heap *heap)
{
	struct hf_line line = {.indent = 2, .column = 2};

	hf_text_spaces(t, 2);
	hf_text_item(t, &line, HF_STYLE_NONE, "of a known type: %.2f%% of live objects",
		     percent(heap->typed_objects, heap->live_objects));
	hf_text_item(t, &line, HF_STYLE_NONE, "%.2f%% of live bytes",
		     percent(heap->typed_bytes, heap->live_bytes));
	hf_text_item(t, &line, HF_STYLE_NONE, "in part: %s objects, %s",
		     hf_show_count(heap->partly_typed_objects).s, hf_show_size(heap->partly_typed_bytes).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "unknown: %s", hf_show_count(heap->untyped_objects).s);
	hf_text_end(t);
	if (heap->memstats_n) {
		hf_text_styled(t, HF_STYLE_DIM, "  all of runtime.MemStats: holdfast memstats%s", t->ask);
		hf_text_end(t);
	}
}

static void show_heap(struct hf_text *t, const struct hf_heap *heap, double taken_at)
{
	static const struct hf_column columns[] = {{NULL}, {.right = true}, {.right = true}, {NULL}, {NULL}};
	bool named = heap->memstats_n;
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	hf_text_styled(t, HF_STYLE_BOLD, "heap");
	hf_text_line(t, "  %s", heap->version);
	hf_text_spaces(t, 2);
	hf_text_self_check(t, 2, heap);
	add_pair(&table, "allocated", heap->objects, heap->bytes, named ? "HeapAlloc" : "");
	add_pair(&table, "live", heap->live_objects, heap->live_bytes, "");
	add_pair(&table, "garbage", heap->garbage_objects, heap->garbage_bytes, "");
	add_pair(&table, "spans in use", HF_UNKNOWN, heap->in_use, named ? "HeapInuse" : "");
	add_pair(&table, "free spans", HF_UNKNOWN, heap->idle, named ? "HeapIdle" : "");
	add_pair(&table, "of these, given back", HF_UNKNOWN, heap->released, named ? "HeapReleased" : "");
	add_pair(&table, "goroutine stacks", HF_UNKNOWN, heap->stacks, named ? "StackInuse" : "");
	add_pair(&table, "runtime's own", HF_UNKNOWN, heap->metadata, "");
	hf_table_print(&table, t, 2);
	show_collector(t, heap, taken_at);
	show_counts(t, heap);
	show_typed(t, heap);
}

static bool is_among(const char *key, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(key, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

/* Facts are bytes, but for those whose keys begin so. */
static void add_fact(struct hf_table *table, const struct hf_fact *fact)
{
	static const char *const counts[] = {"cgroup_events_", "cgroup_procs"}, *const names[] = {
											"cgroup_version",
											"uid", "ns_pid"};

	hf_table_add(table, "%s", fact->label);
	if (is_among(fact->key, names, HF_LEN(names)))
		hf_table_add(table, "%" PRIu64, fact->value);
	else if (strcmp(fact->key, "threads") == 0 || is_among(fact->key, counts, HF_LEN(counts)))
		hf_table_add(table, "%s", hf_show_count(fact->value).s);
	else
		hf_table_add(table, "%s", hf_show_size(fact->value).s);
}

/* What is known, in two columns; then the names of what is not. */
static void show_facts(struct hf_text *t, const struct hf_overview *o)
{
	static const struct hf_column columns[] = {
		{.flexible = true}, {.right = true}, {NULL}, {.flexible = true}, {.right = true},
	};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	struct hf_str unknown = {0};
	HF_VEC(const struct hf_fact *) known = {0};

	for (size_t i = 0; i < o->facts_n; i++) {
		const struct hf_fact *fact = &o->facts[i];

		if (fact->value == HF_UNKNOWN)
			hf_str_addf(&unknown, "%s%s", unknown.n ? ", " : "unknown: ", fact->label);
		else
			t->out.failed |= hf_err_ignore(hf_vec_push(&known, fact));
	}
	hf_text_styled(t, HF_STYLE_BOLD, "system");
	if (*o->cgroup_path)
		hf_text_add(t, "  cgroup %s", o->cgroup_path);
	hf_text_end(t);
	for (size_t i = 0, rows = (known.n + 1) / 2; i < rows; i++) {
		add_fact(&table, known.at[i]);
		hf_table_add(&table, "%s", "");
		if (i + rows < known.n)
			add_fact(&table, known.at[i + rows]);
	}
	hf_table_print(&table, t, 2);
	if (unknown.n) {
		hf_text_spaces(t, 2);
		hf_text_wrap(t, 2, hf_str_get(&unknown));
	}
	t->out.failed |= unknown.failed;
	hf_vec_deinit(&known);
	hf_str_deinit(&unknown);
}

static void show_build(struct hf_text *t, const struct hf_overview *o)
{
	static const struct hf_column columns[] = {
		{.flexible = true}, {.flexible = true}, {.flexible = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};
	size_t max = 12;

	if (!*o->main_path)
		return;
	hf_text_end(t);
	hf_text_styled(t, HF_STYLE_BOLD, "build");
	hf_text_line(t, "  %s %s%s%s", o->main_path, o->main_version, *o->vcs ? " " : "", o->vcs);
	for (size_t i = 0; i < hf_min(o->deps_n, max); i++) {
		hf_table_add(&table, "%s", o->deps[i].path);
		hf_table_add(&table, "%s", o->deps[i].version);
		hf_table_add(&table, "%s%s", *o->deps[i].replaced_by ? "replaced by " : "",
			     o->deps[i].replaced_by);
	}
	hf_table_print(&table, t, 2);
	hf_text_left_out(t, 2, o->deps_n - hf_min(o->deps_n, max), "modules", " (--json has them)");
}

void hf_text_overview(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_overview *o = result;

	hf_text_header(t, head, o);
	hf_text_end(t);
	hf_text_verdict(t, o);
	hf_text_end(t);
	hf_text_shares(t, o, 0);
	for (size_t i = 0; i < o->heaps_n; i++) {
		hf_text_end(t);
		show_heap(t, &o->heaps[i], o->taken_at);
	}
	hf_text_end(t);
	show_facts(t, o);
	show_build(t, o);
}
