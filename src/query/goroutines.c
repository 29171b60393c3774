/* goroutines: how many do what, since when, and who started them. */
#include "session.h"

#include "../base/vec.h"

#include <stdlib.h>

#define FRAMES_MAX 64

struct task_row {
	struct hf_task task;
	size_t index;
};

static int compare_tasks(const void *a, const void *b)
{
	const struct hf_task *x = &((const struct task_row *)a)->task,
			     *y = &((const struct task_row *)b)->task;
	int by = strcmp(x->function, y->function);

	by = by ? by : strcmp(x->created_by, y->created_by);
	by = by ? by : strcmp(x->wait, y->wait);
	return by ? by : (x->id > y->id) - (x->id < y->id);
}

static bool same_group(const struct hf_task *a, const struct hf_task *b)
{
	return !strcmp(a->function, b->function) && !strcmp(a->created_by, b->created_by) &&
	       !strcmp(a->wait, b->wait);
}

static int compare_groups(const void *a, const void *b)
{
	const struct hf_goroutine_group *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->function, y->function);
}

static struct hf_err *example_frames(struct hf_session *s, const void *result, size_t task,
				     struct hf_goroutine_group *ret)
{
	struct hf_stack_frame found[FRAMES_MAX];
	struct hf_frame *frames;
	size_t n = 0;

	/* A stack that cannot be unwound costs the frames, not the answer. */
	if (hf_err_ignore(s->rt->ops->task_frames(s->rt, task, found, FRAMES_MAX, &n)))
		n = 0;
	frames = hf_result_alloc(result, n, sizeof(*frames));
	if (!frames)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct hf_frame){hf_result_str(result, found[i].function),
					      hf_result_str(result, found[i].file), found[i].pc,
					      found[i].line, found[i].inlined};
	ret->frames = frames;
	ret->frames_n = n;
	return NULL;
}

static struct hf_err *group(struct hf_session *s, struct hf_goroutines *result, const struct task_row *rows,
			    size_t n, size_t limit)
{
	struct hf_goroutine_group *groups = hf_result_alloc(result, n, sizeof(*groups));
	size_t count = 0;

	if (!groups)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++) {
		const struct hf_task *task = &rows[i].task;
		struct hf_goroutine_group *g;

		if (!i || !same_group(task, &rows[i - 1].task)) {
			groups[count++] = (struct hf_goroutine_group){
				.function = hf_result_str(result, task->function),
				.created_by = hf_result_str(result, task->created_by),
				.wait = hf_result_str(result, task->wait),
				.oldest_wait_s = -1,
				.example_id = rows[i].index, /* until the groups are cut: the row's task */
			};
		}
		g = &groups[count - 1];
		g->count++;
		g->stack_bytes += task->stack_bytes;
		g->oldest_wait_s = hf_max(g->oldest_wait_s, task->wait_s);
	}
	if (count)
		qsort(groups, count, sizeof(*groups), compare_groups);
	result->groups = groups;
	result->n = limit ? hf_min(limit, count) : count;
	result->left_out = count - result->n;
	result->total = n;
	for (size_t i = 0; i < result->n; i++) {
		size_t index = groups[i].example_id;
		struct hf_task task;

		HF_TRY(s->rt->ops->task(s->rt, index, &task));
		groups[i].example_id = task.id;
		HF_TRY(example_frames(s, result, index, &groups[i]));
	}
	return NULL;
}

struct hf_err *hf_goroutines(struct hf_session *s, size_t limit, const struct hf_goroutines **ret)
{
	struct hf_goroutines *result = NULL;
	_free_ struct task_row *rows = NULL;
	struct hf_err *err = NULL;
	size_t n;

	HF_TRY(hf_session_load(s));
	n = s->rt->ops->tasks(s->rt);
	rows = hf_calloc(n, sizeof(*rows));
	if (!rows)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++) {
		rows[i].index = i;
		HF_TRY(s->rt->ops->task(s->rt, i, &rows[i].task));
	}
	if (n)
		qsort(rows, n, sizeof(*rows), compare_tasks);
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = group(s, result, rows, n, limit);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
