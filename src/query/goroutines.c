/* goroutines: how many do what, since when, who started them, what they hold, and whether they can ever go on. */
#include "leaked.h"

#include "../base/map64.h"
#include "../base/vec.h"
#include "../base/workers.h"

#include <regex.h>
#include <stdlib.h>

#define FRAMES_MAX  64
#define FILTER_MAX  512 /* frames of a stack that a filter looks at */
#define SITES_MAX   5
#define LABELS_MAX  8
#define MESSAGE_MAX 120

struct task_row {
	struct hf_task task;
	uint32_t index;
	bool leaked;
};

struct group {
	struct hf_goroutine_group out;
	struct task_row *rows; /* out.count of them, the lowest id first */
};

struct grouping {
	struct hf_session *s;
	struct hf_goroutines *result;
	struct task_row *rows;
	size_t rows_n;
	struct group *groups;
	size_t n;
	bool filtered;
	regex_t filter;
	struct hf_map64 matches; /* address of a name -> whether the filter matches it */
};

static int compare_tasks(const void *a, const void *b)
{
	const struct task_row *rx = a, *ry = b;
	const struct hf_task *x = &rx->task, *y = &ry->task;
	int by = strcmp(x->function, y->function);

	by = by ? by : strcmp(x->created_by, y->created_by);
	by = by ? by : strcmp(x->wait, y->wait);
	by = by ? by : ry->leaked - rx->leaked;
	return by ? by : (x->id > y->id) - (x->id < y->id);
}

static bool same_group(const struct task_row *a, const struct task_row *b)
{
	return !strcmp(a->task.function, b->task.function) &&
	       !strcmp(a->task.created_by, b->task.created_by) && !strcmp(a->task.wait, b->task.wait) &&
	       a->leaked == b->leaked;
}

static int compare_groups(const void *a, const void *b)
{
	const struct hf_goroutine_group *x = &((const struct group *)a)->out,
					*y = &((const struct group *)b)->out;
	int by = x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->function, y->function);

	by = by ? by : strcmp(x->created_by, y->created_by);
	by = by ? by : strcmp(x->wait, y->wait);
	return by ? by : y->leaked - x->leaked;
}

/* ---- the filter --------------------------------------------------------------------------------------------- */

static struct hf_err *compile(const char *filter, regex_t *ret)
{
	char message[MESSAGE_MAX];
	int code = regcomp(ret, filter, REG_EXTENDED | REG_NOSUB);

	if (!code)
		return NULL;
	regerror(code, NULL, message, sizeof(message));
	return hf_err(HF_USAGE, "--filter takes a POSIX extended regular expression, not '%s': %s", filter,
		      message);
}

/* Names live as long as the runtime, so that each is looked at once. */
static struct hf_err *matches_name(struct grouping *g, const char *name, bool *ret)
{
	uint64_t known = 0;

	if (!hf_map64_find(&g->matches, (uintptr_t)name, &known)) {
		known = !regexec(&g->filter, name, 0, NULL, 0);
		HF_TRY(hf_map64_put(&g->matches, (uintptr_t)name, known));
	}
	*ret = known;
	return NULL;
}

static struct hf_err *matches(struct grouping *g, const struct task_row *row, bool *ret)
{
	struct hf_stack_frame frames[FILTER_MAX];
	size_t n = 0;

	HF_TRY(matches_name(g, row->task.function, ret));
	if (!*ret)
		HF_TRY(matches_name(g, row->task.created_by, ret));
	if (*ret)
		return NULL;
	/* Of a stack that cannot be unwound, its ends are known. */
	if (hf_err_ignore(g->s->rt->ops->task_frames(g->s->rt, row->index, frames, FILTER_MAX, &n)))
		return NULL;
	for (size_t i = 0; i < n && !*ret; i++)
		HF_TRY(matches_name(g, frames[i].function, ret));
	return NULL;
}

/* ---- rows to groups -------------------------------------------------------------------------------------------- */

static struct hf_err *read_rows(struct grouping *g)
{
	const struct hf_leaks *leaks = g->s->leaks;

	g->rows = hf_calloc((size_t)leaks->n + 1, sizeof(*g->rows));
	if (!g->rows)
		return hf_err_nomem();
	for (uint32_t i = 0; i < leaks->n; i++) {
		struct task_row *row = &g->rows[g->rows_n];
		bool kept = true;

		if (i % 256 == 0)
			HF_TRY(hf_interrupt_check());
		row->index = i;
		row->leaked = leaks->leaked[i];
		HF_TRY(g->s->rt->ops->task(g->s->rt, i, &row->task));
		if (g->filtered)
			HF_TRY(matches(g, row, &kept));
		g->rows_n += kept;
	}
	g->result->total = leaks->n;
	g->result->matched = g->rows_n;
	return NULL;
}

static struct hf_err *make_groups(struct grouping *g)
{
	g->groups = hf_calloc(g->rows_n + 1, sizeof(*g->groups));
	if (!g->groups)
		return hf_err_nomem();
	if (g->rows_n)
		qsort(g->rows, g->rows_n, sizeof(*g->rows), compare_tasks);
	for (size_t i = 0; i < g->rows_n; i++) {
		struct task_row *row = &g->rows[i];
		const struct hf_task *task = &row->task;
		struct hf_goroutine_group *out;

		if (!i || !same_group(row, &g->rows[i - 1]))
			g->groups[g->n++] = (struct group){
				.rows = row,
				.out = {.function = task->function,
					.created_by = task->created_by,
					.wait = task->wait,
					.leaked = row->leaked,
					.oldest_wait_s = -1,
					.newest_wait_s = -1,
					.example_id = task->id},
			};
		out = &g->groups[g->n - 1].out;
		out->count++;
		out->stack_bytes += task->stack_bytes;
		out->oldest_wait_s = hf_max(out->oldest_wait_s, task->wait_s);
		if (task->wait_s >= 0 && (out->newest_wait_s < 0 || task->wait_s < out->newest_wait_s))
			out->newest_wait_s = task->wait_s;
		g->result->leaked += row->leaked;
	}
	for (size_t i = 0; i < g->n; i++)
		g->result->leaked_groups += g->groups[i].out.leaked;
	return NULL;
}

/* ---- what each holds -------------------------------------------------------------------------------------------- */

/* of_task: its group; HF_NO_PARTY: filtered out. */
static struct hf_err *add_retained(struct grouping *g, const uint32_t *of_task)
{
	const struct hf_graph *graph = g->s->graph;
	const struct hf_leaks *leaks = g->s->leaks;
	_free_ uint32_t *of_root = hf_malloc((graph->roots.n + 1) * sizeof(uint32_t)), *held = NULL;
	_free_ struct hf_party_block *own = hf_calloc(leaks->waits.own.n + 1, sizeof(*own));
	struct hf_parties parties = {.n = (uint32_t)g->n, .own = own, .own_n = leaks->waits.own.n};

	if (!of_root || !own)
		return hf_err_nomem();
	for (size_t i = 0; i < graph->roots.n; i++)
		of_root[i] = leaks->of_root[i] == HF_NO_PARTY ? HF_NO_PARTY : of_task[leaks->of_root[i]];
	for (size_t i = 0; i < leaks->waits.own.n; i++)
		own[i] = (struct hf_party_block){of_task[leaks->waits.own.at[i].party],
						 leaks->waits.own.at[i].block};
	parties.of_root = of_root;
	HF_TRY(hf_parties_hold(graph, &parties, &held));
	for (uint32_t b = 0; b < graph->blocks; b++) {
		if (held[b] == HF_NO_PARTY)
			continue;
		g->groups[held[b]].out.retained_count++;
		g->groups[held[b]].out.retained_bytes += g->s->rt->ops->block(g->s->rt, b).size;
	}
	return NULL;
}

static struct hf_err *find_retained(struct grouping *g)
{
	_free_ uint32_t *of_task = hf_malloc(((size_t)g->s->leaks->n + 1) * sizeof(uint32_t));

	if (!of_task)
		return hf_err_nomem();
	memset(of_task, 0xff, (size_t)g->s->leaks->n * sizeof(uint32_t));
	for (size_t i = 0; i < g->n; i++)
		for (uint64_t k = 0; k < g->groups[i].out.count; k++)
			of_task[g->groups[i].rows[k].index] = (uint32_t)i;
	return add_retained(g, of_task);
}

/* ---- what belongs to one group ------------------------------------------------------------------------------------ */

static int compare_pcs(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int compare_sites(const void *a, const void *b)
{
	const struct hf_start_site *x = a, *y = b;
	int by = x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->file, y->file);

	return by ? by : (x->line > y->line) - (x->line < y->line);
}

typedef HF_VEC(struct hf_start_site) sites;

/* The place of a go statement: that of the innermost function there. */
static struct hf_err *add_site(struct grouping *g, uint64_t pc, uint64_t count, sites *ret)
{
	struct hf_stack_frame frames[FRAMES_MAX];
	size_t n = 0;

	if (!pc || hf_err_ignore(g->s->rt->ops->frames(g->s->rt, pc, frames, FRAMES_MAX, &n)) || !n ||
	    !frames[0].file || !*frames[0].file)
		return NULL;
	return hf_vec_push(ret, ((struct hf_start_site){frames[0].file, frames[0].line, count}));
}

static struct hf_err *copy_sites(struct grouping *g, struct group *group, const sites *list)
{
	size_t n = hf_min(list->n, (size_t)SITES_MAX);
	struct hf_start_site *out = hf_result_alloc(g->result, n, sizeof(*out));

	if (!out)
		return hf_err_nomem();
	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), compare_sites);
	for (size_t i = 0; i < n; i++) {
		out[i] = list->at[i];
		out[i].file = hf_result_str(g->result, out[i].file);
	}
	group->out.sites = out;
	group->out.sites_n = n;
	return NULL;
}

static struct hf_err *fill_sites(struct grouping *g, struct group *group)
{
	size_t count = group->out.count;
	_free_ uint64_t *pcs = hf_calloc(count, sizeof(*pcs));
	sites list = {0};
	struct hf_err *err = pcs ? NULL : hf_err_nomem();

	for (size_t i = 0; !err && i < count; i++)
		pcs[i] = group->rows[i].task.created_pc;
	if (!err)
		qsort(pcs, count, sizeof(*pcs), compare_pcs);
	for (size_t i = 0, first = 0; i < count && !err; i++) {
		if (i + 1 < count && pcs[i + 1] == pcs[first])
			continue;
		err = add_site(g, pcs[first], i + 1 - first, &list);
		first = i + 1;
	}
	if (!err)
		err = copy_sites(g, group, &list);
	hf_vec_deinit(&list);
	return err;
}

static int compare_labels(const void *a, const void *b)
{
	const struct hf_label *x = a, *y = b;
	int by = strcmp(x->key, y->key);

	return by ? by : strcmp(x->value, y->value);
}

static int compare_label_counts(const void *a, const void *b)
{
	const struct hf_label *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : compare_labels(a, b);
}

/* Goroutines that share their labels share the array. ret  by address: how many have it. */
static struct hf_err *count_sets(const struct group *group, struct hf_map64 *ret)
{
	for (uint64_t i = 0; i < group->out.count; i++) {
		const struct hf_task *task = &group->rows[i].task;
		uint64_t count = 0;

		if (!task->labels_n)
			continue;
		hf_map64_find(ret, (uintptr_t)task->labels, &count);
		HF_TRY(hf_map64_put(ret, (uintptr_t)task->labels, count + 1));
	}
	return NULL;
}

typedef HF_VEC(struct hf_label) labels;

/* Each set once, with its count. */
static struct hf_err *list_labels(const struct group *group, struct hf_map64 *sets, labels *ret)
{
	for (uint64_t i = 0; i < group->out.count; i++) {
		const struct hf_task *task = &group->rows[i].task;
		uint64_t count = 0;

		if (!task->labels_n || !hf_map64_find(sets, (uintptr_t)task->labels, &count) || !count)
			continue;
		HF_TRY(hf_map64_put(sets, (uintptr_t)task->labels, 0));
		for (size_t k = 0; k < task->labels_n; k++)
			HF_TRY(hf_vec_push(
				ret, ((struct hf_label){task->labels[k].key, task->labels[k].value, count})));
	}
	return NULL;
}

static struct hf_err *copy_labels(struct grouping *g, struct group *group, labels *list)
{
	struct hf_label *out = hf_result_alloc(g->result, LABELS_MAX, sizeof(*out));
	size_t n = 0;

	if (!out)
		return hf_err_nomem();
	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), compare_labels);
	for (size_t i = 0; i < list->n; i++) {
		if (n && !compare_labels(&list->at[i], &list->at[n - 1]))
			list->at[n - 1].count += list->at[i].count;
		else
			list->at[n++] = list->at[i];
	}
	if (n)
		qsort(list->at, n, sizeof(*list->at), compare_label_counts);
	for (size_t i = 0; i < hf_min(n, (size_t)LABELS_MAX); i++)
		out[i] = (struct hf_label){hf_result_str(g->result, list->at[i].key),
					   hf_result_str(g->result, list->at[i].value), list->at[i].count};
	group->out.labels = out;
	group->out.labels_n = hf_min(n, (size_t)LABELS_MAX);
	return NULL;
}

static struct hf_err *fill_labels(struct grouping *g, struct group *group)
{
	struct hf_map64 sets = {0};
	labels list = {0};
	struct hf_err *err = count_sets(group, &sets);

	if (!err)
		err = list_labels(group, &sets, &list);
	if (!err)
		err = copy_labels(g, group, &list);
	hf_map64_deinit(&sets);
	hf_vec_deinit(&list);
	return err;
}

static struct hf_err *fill_waker(struct grouping *g, struct group *group)
{
	const struct hf_leaks *leaks = g->s->leaks;
	uint32_t task = group->rows[0].index, key = leaks->gate ? leaks->gate->key[task] : HF_NO_BLOCK;
	struct hf_chain *chain;
	struct hf_path path;
	struct hf_err *err;

	if (leaks->waits_on[task] != HF_NO_BLOCK)
		group->out.waits_on =
			g->s->rt->ops
				->block(g->s->rt,
					group->out.leaked || key == HF_NO_BLOCK ? leaks->waits_on[task] : key)
				.addr;
	if (group->out.leaked || key == HF_NO_BLOCK)
		return NULL;
	HF_TRY(hf_session_type(g->s));
	HF_TRY(hf_gate_path(leaks->gate, key, &path));
	chain = path.n ? hf_result_alloc(g->result, 1, sizeof(*chain)) : NULL;
	err = path.n && !chain ? hf_err_nomem() : NULL;
	if (chain)
		err = hf_chain_fill(g->s, g->result, path.root, path.path, path.n, chain);
	hf_free(path.path);
	group->out.waker = chain;
	return err;
}

static struct hf_err *fill_frames(struct grouping *g, struct group *group)
{
	struct hf_stack_frame found[FRAMES_MAX];
	struct hf_frame *frames;
	size_t n = 0;

	/* A stack that cannot be unwound costs the frames, not the answer. */
	if (hf_err_ignore(g->s->rt->ops->task_frames(g->s->rt, group->rows[0].index, found, FRAMES_MAX, &n)))
		n = 0;
	frames = hf_result_alloc(g->result, n, sizeof(*frames));
	if (!frames)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct hf_frame){hf_result_str(g->result, found[i].function),
					      hf_result_str(g->result, found[i].file), found[i].pc,
					      found[i].line, found[i].inlined};
	group->out.frames = frames;
	group->out.frames_n = n;
	return NULL;
}

static struct hf_err *fill_group(struct grouping *g, struct group *group, struct hf_goroutine_group *ret)
{
	struct hf_goroutine_group *out = &group->out;

	out->function = hf_result_str(g->result, out->function);
	out->created_by = hf_result_str(g->result, out->created_by);
	out->wait = hf_result_str(g->result, out->wait);
	HF_TRY(fill_sites(g, group));
	HF_TRY(fill_labels(g, group));
	HF_TRY(fill_waker(g, group));
	HF_TRY(fill_frames(g, group));
	*ret = *out;
	return NULL;
}

static struct hf_err *fill(struct grouping *g, size_t limit)
{
	struct hf_goroutine_group *groups;

	HF_TRY(read_rows(g));
	HF_TRY(make_groups(g));
	HF_TRY(find_retained(g));
	if (g->n)
		qsort(g->groups, g->n, sizeof(*g->groups), compare_groups);
	g->result->n = limit ? hf_min(limit, g->n) : g->n;
	g->result->left_out = g->n - g->result->n;
	g->result->leaked_bytes = g->s->leaks->bytes;
	groups = hf_result_alloc(g->result, g->result->n, sizeof(*groups));
	if (!groups)
		return hf_err_nomem();
	for (size_t i = 0; i < g->result->n; i++)
		HF_TRY(fill_group(g, &g->groups[i], &groups[i]));
	g->result->groups = groups;
	return NULL;
}

static struct hf_err *ask(struct grouping *g, size_t limit)
{
	struct hf_err *err;

	HF_TRY(hf_session_leaks(g->s));
	HF_TRY(hf_result_new(sizeof(*g->result), &g->result));
	err = fill(g, limit);
	if (err)
		hf_result_free(g->result);
	return err;
}

struct hf_err *hf_goroutines(struct hf_session *s, const struct hf_goroutines_options *options,
			     const struct hf_goroutines **ret)
{
	struct grouping g = {.s = s, .filtered = options && options->filter};
	struct hf_err *err;

	/* Before anything is stopped. */
	if (g.filtered)
		HF_TRY(compile(options->filter, &g.filter));
	err = ask(&g, options ? options->limit : 0);
	if (g.filtered)
		regfree(&g.filter);
	hf_map64_deinit(&g.matches);
	hf_free(g.rows);
	hf_free(g.groups);
	if (!err)
		*ret = g.result;
	return err;
}
