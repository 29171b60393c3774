/* Leaked goroutines, by what can be reached: a mark that the stacks of blocked ones join only once something that they
 * wait on was reached. Those that never join will never run again. */
#include "leaked.h"

static void leaks_destroy(struct hf_leaks *l)
{
	if (!l)
		return;
	hf_free(l->leaked);
	hf_free(l->of_root);
	hf_free(l->waits_on);
	hf_free(l->waits.state);
	hf_vec_deinit(&l->waits.wakers);
	hf_vec_deinit(&l->waits.own);
	hf_gate_destroy(l->gate);
	hf_free(l);
}

void hf_session_free_leaks(struct hf_session *s)
{
	leaks_destroy(take_ptr(s->leaks));
}

static struct hf_err *allocate(struct hf_session *s, struct hf_leaks *l)
{
	l->n = (uint32_t)s->rt->ops->tasks(s->rt);
	l->leaked = hf_calloc((size_t)l->n + 1, 1);
	l->of_root = hf_malloc((s->graph->roots.n + 1) * sizeof(uint32_t));
	l->waits_on = hf_malloc(((size_t)l->n + 1) * sizeof(uint32_t));
	if (!l->leaked || !l->of_root || !l->waits_on)
		return hf_err_nomem();
	memset(l->waits_on, 0xff, (size_t)l->n * sizeof(uint32_t));
	return NULL;
}

static void assign_roots(struct hf_session *s, struct hf_leaks *l)
{
	for (uint32_t i = 0; i < s->graph->roots.n; i++) {
		struct hf_found_root root = hf_root_at(s, i);

		if (!s->rt->ops->root_task || !s->rt->ops->root_task(s->rt, &root, &l->of_root[i]))
			l->of_root[i] = HF_NO_PARTY;
	}
}

/* The runtime's own are woken by the runtime. *ret_main: a main one that waits for nothing; UINT32_MAX. */
static struct hf_err *open_free(struct hf_session *s, struct hf_leaks *l, uint32_t *ret_main)
{
	*ret_main = UINT32_MAX;
	for (uint32_t i = 0; i < l->n; i++) {
		struct hf_task task;

		HF_TRY(s->rt->ops->task(s->rt, i, &task));
		if (task.system || l->waits.state[i] == HF_TASK_FREE)
			hf_gate_open(l->gate, i);
		else if (task.main && l->waits.state[i] == HF_TASK_NEVER)
			*ret_main = i;
	}
	return NULL;
}

/* What main holds is not held by leaked ones alone. */
static struct hf_err *let_main_in(struct hf_leaks *l, uint32_t main_task)
{
	if (main_task == UINT32_MAX)
		return NULL;
	l->leaked[main_task] = 0;
	for (uint32_t i = 0; i < l->n; i++)
		l->gate->open[i] |= l->leaked[i]; /* as they are: what main reaches wakes no one */
	hf_gate_open(l->gate, main_task);
	return hf_gate_run(l->gate);
}

static void measure(struct hf_session *s, struct hf_leaks *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		l->leaked_n += l->leaked[i];
	for (uint32_t b = 0; b < s->graph->blocks && l->leaked_n; b++) {
		if (!hf_graph_is_live(s->graph, b) || l->gate->live[b / 8] >> (b % 8) & 1)
			continue;
		l->objects++;
		l->bytes += s->rt->ops->block(s->rt, b).size;
	}
}

static struct hf_err *find(struct hf_session *s, struct hf_leaks *l)
{
	struct hf_parties parties = {.n = l->n, .of_root = l->of_root};
	uint32_t main_task;

	if (!s->rt->ops->task_waits)
		return NULL;
	HF_TRY(s->rt->ops->task_waits(s->rt, &l->waits));
	hf_vec_each(&l->waits.wakers, w)
		if (l->waits_on[w->party] == HF_NO_BLOCK)
			l->waits_on[w->party] = w->block;
	parties.own = l->waits.own.at;
	parties.own_n = l->waits.own.n;
	parties.keys = l->waits.wakers.at;
	parties.keys_n = l->waits.wakers.n;
	HF_TRY(hf_gate_create(s->graph, &parties, &l->gate));
	HF_TRY(open_free(s, l, &main_task));
	HF_TRY(hf_gate_run(l->gate));
	for (uint32_t i = 0; i < l->n; i++)
		l->leaked[i] = !l->gate->open[i];
	HF_TRY(let_main_in(l, main_task));
	measure(s, l);
	return NULL;
}

struct hf_err *hf_session_leaks(struct hf_session *s)
{
	struct hf_leaks *l;
	struct hf_err *err;

	HF_TRY(hf_session_load(s));
	if (s->leaks)
		return NULL;
	l = hf_calloc(1, sizeof(*l));
	if (!l)
		return hf_err_nomem();
	err = allocate(s, l);
	if (!err) {
		assign_roots(s, l);
		err = find(s, l);
	}
	if (err) {
		leaks_destroy(l);
		return err;
	}
	s->leaks = l;
	return NULL;
}
