/* What is live by what holds it: under the shortest way to it, and under its dominators. */
#include "../base/workers.h"
#include "profile_stacks.h"
#include "retained.h"

struct maker {
	struct hf_profile_maker *m;
	struct hf_session *s;
	const struct hf_runtime_ops *ops;
	struct hf_stacks stacks;
	uint32_t *whole;   /* by type: type_whole; UINT32_MAX: not asked for yet */
	uint32_t *node;    /* by block: its stack on the shortest way; HF_STACK_NONE */
	uint32_t *step;    /* by block: that leads to it from its parent */
	uint32_t *behind;  /* by node of the dominators' tree: its stack there */
	uint32_t *root_of; /* by holder: one of its roots */
	uint32_t *task_of; /* by root; HF_STACK_NONE: none */
	uint32_t *queue, queue_n;
	uint32_t at; /* the block whose pointers are walked */
	uint32_t steps;
};

static inline struct hf_err *check(struct maker *k)
{
	return ++k->steps % 65536 ? NULL : hf_interrupt_check();
}

static uint32_t type_of(struct maker *k, uint32_t block)
{
	uint32_t type = k->ops->block_type(k->s->rt, block);

	if (!k->ops->type_whole)
		return type;
	if (k->whole[type] == UINT32_MAX)
		k->whole[type] = k->ops->type_whole(k->s->rt, type);
	return k->whole[type];
}

/* ---- the shortest ways -------------------------------------------------------------------------------------- */

static struct hf_err *reach(struct maker *k, uint32_t above, uint32_t block, uint32_t step)
{
	struct hf_stack_node *node;
	uint32_t task;

	HF_TRY(check(k));
	HF_TRY(hf_stacks_below(&k->stacks, above, step, type_of(k, block), &k->node[block]));
	k->step[block] = step;
	k->queue[k->queue_n++] = block;
	node = &k->stacks.at.at[k->node[block]];
	task = k->task_of[k->s->nearest[block]];
	node->task = !node->objects || node->task == task ? task : HF_STACK_NONE;
	node->objects++;
	node->bytes += k->ops->block(k->s->rt, block).size;
	return NULL;
}

/* Whatever part of a goroutine it is that holds: to profiles it is the goroutine. */
static uint8_t kind_of(enum hf_root_kind kind)
{
	return kind == HF_ROOT_STACK || kind == HF_ROOT_REGISTER ? HF_ROOT_GOROUTINE : (uint8_t)kind;
}

static struct hf_err *reach_roots(struct maker *k)
{
	for (uint32_t i = 0; i < k->s->graph->roots.n; i++) {
		struct hf_found_root root = hf_root_at(k->s, i);
		uint32_t node = HF_STACK_NONE;
		struct hf_root_steps steps;

		if (k->s->nearest[root.block] != i || k->s->parent[root.block] != HF_NO_BLOCK ||
		    k->node[root.block] != HF_STACK_NONE)
			continue;
		HF_TRY(k->ops->root_steps(k->s->rt, &root, &steps));
		k->task_of[i] = steps.task;
		for (uint32_t n = 0; n < steps.n; n++)
			HF_TRY(hf_stacks_root(&k->stacks, node, steps.step[n], kind_of(root.kind), &node));
		HF_TRY(reach(k, node, root.block, 0));
	}
	return NULL;
}

static struct hf_err *follow(void *arg, uint32_t to, uint32_t step)
{
	struct maker *k = arg;

	if (k->s->parent[to] != k->at || k->node[to] != HF_STACK_NONE)
		return NULL;
	return reach(k, k->node[k->at], to, step);
}

/* What the walk of steps has left out has no step, but is held. */
static struct hf_err *follow_edges(struct maker *k)
{
	const struct hf_graph *g = k->s->graph;
	bool first = true;

	for (uint32_t e = g->start[k->at]; e < g->start[k->at + 1]; e++) {
		uint32_t to = g->edges[e];

		if (k->s->parent[to] != k->at || k->node[to] != HF_STACK_NONE)
			continue;
		if (first)
			HF_TRY(k->ops->walk_steps(k->s->rt, k->at, follow, k));
		first = false;
		if (k->node[to] == HF_STACK_NONE)
			HF_TRY(reach(k, k->node[k->at], to, 0));
	}
	return NULL;
}

static struct hf_err *walk_nearest(struct maker *k)
{
	HF_TRY(reach_roots(k));
	for (uint32_t i = 0; i < k->queue_n; i++) {
		k->at = k->queue[i];
		HF_TRY(check(k));
		HF_TRY(follow_edges(k));
	}
	return NULL;
}

/* ---- the dominators ------------------------------------------------------------------------------------------- */

static struct hf_err *holder_node(struct maker *k, uint32_t holder, uint32_t *ret)
{
	struct hf_found_root root = hf_root_at(k->s, k->root_of[holder]);
	struct hf_root_steps steps;

	HF_TRY(k->ops->root_steps(k->s->rt, &root, &steps));
	return hf_stacks_root(&k->stacks, HF_STACK_NONE, steps.step[0], kind_of(root.kind), ret);
}

/* Below a dominator that also leads to it on the shortest way, a block stands where it stands there. */
static struct hf_err *place_block(struct maker *k, uint32_t block, uint32_t *ret)
{
	const struct hf_dominators *d = k->s->dominators;
	uint32_t above = d->idom[block], parent = k->s->parent[block], type = type_of(k, block);
	bool at_root = parent == HF_NO_BLOCK && k->s->nearest[block] != UINT32_MAX;

	if (above >= d->blocks && above < hf_dominators_top(d)) {
		if (at_root && k->s->holders->of_root[k->s->nearest[block]] == above - d->blocks) {
			*ret = k->node[block];
			return NULL;
		}
		if (k->behind[above] == HF_STACK_NONE)
			HF_TRY(holder_node(k, above - d->blocks, &k->behind[above]));
	}
	return hf_stacks_below(&k->stacks, k->behind[above], above == parent ? k->step[block] : 0, type, ret);
}

static struct hf_err *walk_dominators(struct maker *k)
{
	const struct hf_dominators *d = k->s->dominators;

	for (uint32_t i = (uint32_t)k->s->graph->roots.n; i-- > 0;)
		k->root_of[k->s->holders->of_root[i]] = i;
	HF_TRY(hf_stacks_root(&k->stacks, HF_STACK_NONE, 0, HF_STACK_SHARED,
			      &k->behind[hf_dominators_top(d)]));
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t v = d->order[i];
		struct hf_stack_node *node;

		HF_TRY(check(k));
		if (v >= d->blocks)
			continue;
		HF_TRY(place_block(k, v, &k->behind[v]));
		node = &k->stacks.at.at[k->behind[v]];
		node->retained_objects++;
		node->retained_bytes += k->ops->block(k->s->rt, v).size;
	}
	return NULL;
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

/* The longest stack: each object's type and step, and the steps of a root. */
#define FRAMES_MAX (2 * (HF_STACK_DEPTH_MAX + 2) + HF_ROOT_STEPS_MAX)

/* Locations of what nodes are made of: 1 + its number, 0: not asked for yet. */
struct frames {
	uint32_t *of_type;
	HF_VEC(uint32_t) of_step;
	uint32_t at[FRAMES_MAX];
	uint32_t n;
};

static struct hf_err *push(struct maker *k, struct frames *f, uint32_t *cache,
			   const struct hf_profile_location *location)
{
	uint32_t number;

	if (!cache || !*cache) {
		HF_TRY(hf_profile_location(k->m, location, &number));
		if (cache)
			*cache = number + 1;
	} else {
		number = *cache - 1;
	}
	if (f->n < FRAMES_MAX)
		f->at[f->n++] = number;
	return NULL;
}

static struct hf_err *push_type(struct maker *k, struct frames *f, uint32_t type)
{
	struct hf_profile_location location = {.file = ""};
	_cleanup_(hf_str_deinit) struct hf_str name = {0};

	if (!f->of_type[type]) {
		k->ops->type_name(k->s->rt, type, &name);
		HF_TRY(hf_str_check(&name));
	}
	location.function = hf_str_get(&name);
	return push(k, f, &f->of_type[type], &location);
}

static struct hf_err *push_step(struct maker *k, struct frames *f, uint32_t step)
{
	struct hf_step_info info = k->ops->step(k->s->rt, step);
	const struct hf_profile_location location = {
		.function = info.name, .file = info.file, .line = info.line, .pc = info.pc};

	while (f->of_step.n <= step)
		HF_TRY(hf_vec_push(&f->of_step, 0));
	return push(k, f, &f->of_step.at[step], &location);
}

/* The frames of a stack, the leaf first. *ret_top: the node of its root. */
static struct hf_err *make_frames(struct maker *k, struct frames *f, uint32_t node, uint32_t *ret_top,
				  const char **ret_pool)
{
	*ret_pool = NULL;
	f->n = 0;
	for (; node != HF_STACK_NONE; node = k->stacks.at.at[node].parent) {
		const struct hf_stack_node *at = &k->stacks.at.at[node];

		*ret_top = node;
		if (at->type != HF_STACK_NO_TYPE)
			HF_TRY(push_type(k, f, at->type));
		if (at->step) {
			HF_TRY(push_step(k, f, at->step));
			*ret_pool = *ret_pool ? *ret_pool : k->ops->step(k->s->rt, at->step).pool;
		} else if (at->type == HF_STACK_NO_TYPE) {
			const struct hf_profile_location location = {
				.function = node == k->stacks.others ? "(others)" : HF_SHARED_NAME,
				.file = ""};

			HF_TRY(push(k, f, NULL, &location));
		}
	}
	return NULL;
}

static struct hf_err *add_labels(struct maker *k, const struct frames *f, const struct hf_stack_node *node,
				 uint32_t top, const char *pool, struct hf_profile_label *labels,
				 uint32_t *ret_n)
{
	struct hf_task task;
	uint32_t n = 0;

	*ret_n = 0;
	if (node->type == HF_STACK_NO_TYPE)
		return NULL;
	labels[n++] = (struct hf_profile_label){.key = "type", .text = k->m->locations.at[f->at[0]].function};
	labels[n++] = (struct hf_profile_label){
		.key = "root",
		.text = node->kind == HF_STACK_SHARED ? "several" : hf_root_kind_name(node->kind)};
	if (node->kind == HF_ROOT_GOROUTINE && k->stacks.at.at[top].step)
		labels[n++] = (struct hf_profile_label){.key = "goroutine",
							.text = k->m->locations.at[f->at[f->n - 1]].function};
	if (node->objects && node->task != HF_STACK_NONE) {
		HF_TRY(k->ops->task(k->s->rt, node->task, &task));
		labels[n++] = (struct hf_profile_label){.key = "goroutine_id", .number = (int64_t)task.id};
	}
	if (pool)
		labels[n++] =
			(struct hf_profile_label){.key = "pool", .text = hf_result_str(k->m->result, pool)};
	*ret_n = n;
	return NULL;
}

static struct hf_err *add_sample(struct maker *k, struct frames *f, uint32_t number)
{
	const struct hf_stack_node *node = &k->stacks.at.at[number];
	struct hf_profile_label labels[HF_PROFILE_LABELS_MAX];
	const int64_t values[] = {hf_profile_value(node->retained_objects),
				  hf_profile_value(node->retained_bytes), hf_profile_value(node->objects),
				  hf_profile_value(node->bytes)};
	struct hf_profile_sample sample = {.values = values, .labels = labels};
	const char *pool;
	uint32_t top = number;

	if (!node->objects && !node->retained_objects)
		return NULL;
	HF_TRY(make_frames(k, f, number, &top, &pool));
	HF_TRY(add_labels(k, f, node, top, pool, labels, &sample.labels_n));
	sample.locations = f->at;
	sample.locations_n = f->n;
	return hf_profile_add(k->m, &sample);
}

static struct hf_err *add_samples(struct maker *k)
{
	struct frames f = {.of_type = hf_calloc(k->ops->types(k->s->rt), sizeof(uint32_t))};
	struct hf_err *err = f.of_type ? NULL : hf_err_nomem();

	for (uint32_t i = 0; i < k->stacks.at.n && !err; i++)
		err = add_sample(k, &f, i);
	hf_free(f.of_type);
	hf_vec_deinit(&f.of_step);
	k->m->result->left_out = k->stacks.refused;
	return err;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static void maker_deinit(struct maker *k)
{
	hf_stacks_deinit(&k->stacks);
	hf_free(k->whole);
	hf_free(k->node);
	hf_free(k->step);
	hf_free(k->behind);
	hf_free(k->root_of);
	hf_free(k->task_of);
	hf_free(k->queue);
}

static uint32_t *numbers(size_t n)
{
	uint32_t *at = hf_malloc(hf_max(n, (size_t)1) * sizeof(*at));

	if (at)
		memset(at, 0xff, n * sizeof(*at));
	return at;
}

static struct hf_err *make(struct maker *k)
{
	size_t blocks = k->s->graph->blocks;

	k->whole = numbers(k->ops->types(k->s->rt));
	k->node = numbers(blocks);
	k->step = numbers(blocks);
	k->queue = numbers(blocks);
	k->behind = numbers(blocks + k->s->holders->n + 1);
	k->root_of = numbers(k->s->holders->n);
	k->task_of = numbers(k->s->graph->roots.n);
	if (!k->whole || !k->node || !k->step || !k->queue || !k->behind || !k->root_of || !k->task_of)
		return hf_err_nomem();
	HF_TRY(hf_stacks_init(&k->stacks, HF_STACKS_MAX));
	HF_TRY(walk_nearest(k));
	HF_TRY(walk_dominators(k));
	return add_samples(k);
}

struct hf_err *hf_profile_retained(struct hf_profile_maker *m)
{
	static const struct hf_profile_value values[] = {
		{"retained_objects", "count"},
		{"retained_space", "bytes"},
		{"inuse_objects", "count"},
		{"inuse_space", "bytes"},
	};
	_cleanup_(maker_deinit) struct maker k = {.m = m, .s = m->s, .ops = m->s->rt->ops};

	m->result->name = "retained";
	m->result->values = values;
	m->result->values_n = HF_LEN(values);
	m->result->default_value = 3;
	HF_TRY(hf_session_dominators(m->s));
	HF_TRY(hf_session_nearest(m->s));
	return make(&k);
}
