/* Who alone holds what: retained sizes, by root, type and object. */
#include "retained.h"

#include "../base/workers.h"

static void sizes(void *arg, uint32_t first, uint32_t n, uint64_t *ret)
{
	struct hf_session *s = arg;

	for (uint32_t i = 0; i < n; i++)
		ret[i] = s->rt->ops->block(s->rt, first + i).size;
}

struct hf_err *hf_session_dominators(struct hf_session *s)
{
	struct hf_holders *holders;
	struct hf_err *err;

	if (s->dominators)
		return NULL;
	HF_TRY(hf_session_type(s)); /* finalizers are named by types */
	hf_result_free(take_ptr(s->holders_memory));
	HF_TRY(hf_result_new(sizeof(*holders), &s->holders_memory));
	holders = s->holders_memory;
	HF_TRY(hf_holders_number(s, holders, holders));
	s->holders = holders;
	HF_TRY(hf_dominators_create(s->graph, holders->of_root, holders->n, &s->dominators));
	err = hf_dominators_measure(s->dominators, sizes, s);
	if (err)
		hf_session_free_dominators(s);
	return err;
}

void hf_session_free_dominators(struct hf_session *s)
{
	hf_dominators_destroy(take_ptr(s->dominators));
	hf_result_free(take_ptr(s->holders_memory));
	s->holders = NULL;
}

void hf_domtree_deinit(struct hf_domtree *t)
{
	hf_free(t->start);
	hf_free(t->children);
	*t = (struct hf_domtree){0};
}

struct hf_err *hf_domtree_init(struct hf_domtree *t, const struct hf_dominators *d)
{
	uint32_t nodes = hf_dominators_top(d) + 1, sum = 0;

	*t = (struct hf_domtree){.start = hf_calloc((size_t)nodes + 1, sizeof(uint32_t)),
				 .children = hf_malloc((size_t)d->n * sizeof(uint32_t))};
	if (!t->start || !t->children) {
		hf_domtree_deinit(t);
		return hf_err_nomem();
	}
	for (uint32_t i = 0; i < d->n; i++)
		if (d->idom[d->order[i]] != HF_NO_BLOCK)
			t->start[d->idom[d->order[i]]]++;
	for (uint32_t v = 0; v <= nodes; v++) {
		uint32_t n = t->start[v];

		t->start[v] = sum;
		sum += n;
	}
	/* Each start moves to its end while the children are put in place, and back after. */
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t v = d->order[i];

		if (d->idom[v] != HF_NO_BLOCK)
			t->children[t->start[d->idom[v]]++] = v;
	}
	for (uint32_t v = nodes; v > 0; v--)
		t->start[v] = t->start[v - 1];
	t->start[0] = 0;
	return NULL;
}

/* A walk down the tree with a count of the groups on the way: an object inside another of its group is not counted
 * again. */
struct descent {
	struct hf_session *s;
	const struct hf_domtree *tree;
	hf_group_fn *group_of;
	void *arg;
	uint32_t *inside; /* a group: how many objects of it are on the way */
	uint64_t *retained;
	uint32_t *stack, *next; /* a node on the way, and its child to visit */
	uint32_t depth;
};

static uint32_t group_of(const struct descent *d, uint32_t node)
{
	return node < d->s->dominators->blocks ? d->group_of(d->arg, node) : UINT32_MAX;
}

static void enter(struct descent *d, uint32_t node)
{
	uint32_t group = group_of(d, node);

	d->stack[d->depth] = node;
	d->next[d->depth++] = d->tree->start[node];
	if (group != UINT32_MAX && d->inside[group]++ == 0)
		d->retained[group] += d->s->dominators->retained[node];
}

static struct hf_err *descend(struct descent *d)
{
	enter(d, hf_dominators_top(d->s->dominators));
	for (uint64_t steps = 0; d->depth; steps++) {
		uint32_t node = d->stack[d->depth - 1], group;

		if (steps % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		if (d->next[d->depth - 1] < d->tree->start[node + 1]) {
			enter(d, d->tree->children[d->next[d->depth - 1]++]);
			continue;
		}
		group = group_of(d, node);
		if (group != UINT32_MAX)
			d->inside[group]--;
		d->depth--;
	}
	return NULL;
}

struct hf_err *hf_retained_by_group(struct hf_session *s, uint32_t groups, hf_group_fn *fn, void *arg,
				    uint64_t *ret)
{
	struct hf_domtree tree;
	_free_ uint32_t *inside = NULL, *stack = NULL, *next = NULL;
	struct descent d;
	struct hf_err *err;

	HF_TRY(hf_session_dominators(s));
	HF_TRY(hf_domtree_init(&tree, s->dominators));
	inside = hf_calloc(groups, sizeof(uint32_t));
	stack = hf_malloc(((size_t)s->dominators->n + 1) * sizeof(uint32_t));
	next = hf_malloc(((size_t)s->dominators->n + 1) * sizeof(uint32_t));
	d = (struct descent){.s = s,
			     .tree = &tree,
			     .group_of = fn,
			     .arg = arg,
			     .inside = inside,
			     .retained = ret,
			     .stack = stack,
			     .next = next};
	err = inside && stack && next ? descend(&d) : hf_err_nomem();
	hf_domtree_deinit(&tree);
	return err;
}

static uint32_t type_of(void *arg, uint32_t block)
{
	struct hf_session *s = arg;

	return s->rt->ops->block_type(s->rt, block);
}

struct hf_err *hf_retained_by_type(struct hf_session *s, uint64_t *ret)
{
	HF_TRY(hf_session_type(s));
	return hf_retained_by_group(s, s->rt->ops->types(s->rt), type_of, s, ret);
}
