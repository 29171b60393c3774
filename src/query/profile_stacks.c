#include "profile_stacks.h"

static struct hf_err *add(struct hf_stacks *t, const struct hf_stack_node *node, uint32_t *ret)
{
	HF_TRY(hf_vec_push(&t->at, *node));
	*ret = (uint32_t)t->at.n - 1;
	return NULL;
}

struct hf_err *hf_stacks_init(struct hf_stacks *t, uint32_t max)
{
	const struct hf_stack_node others = {.parent = HF_STACK_NONE,
					     .type = HF_STACK_NO_TYPE,
					     .task = HF_STACK_NONE,
					     .kind = HF_STACK_SHARED};

	*t = (struct hf_stacks){.max = max, .last.node = HF_STACK_NONE};
	return add(t, &others, &t->others);
}

void hf_stacks_deinit(struct hf_stacks *t)
{
	hf_vec_deinit(&t->at);
	hf_map64_deinit(&t->pairs);
	hf_map64_deinit(&t->below);
}

static struct hf_err *pair_of(struct hf_stacks *t, uint32_t step, uint32_t type, uint32_t *ret)
{
	uint64_t key = (uint64_t)step << 32 | type, found;

	if (hf_map64_find(&t->pairs, key, &found)) {
		*ret = (uint32_t)found;
		return NULL;
	}
	*ret = t->pairs_n++;
	return hf_map64_put(&t->pairs, key, *ret);
}

/* True where node is in the tree already; otherwise *ret_key is what to remember it by. */
static struct hf_err *find(struct hf_stacks *t, uint32_t parent, uint32_t step, uint32_t type,
			   bool *ret_found, uint64_t *ret_key, uint32_t *ret)
{
	uint64_t found;
	uint32_t pair;

	HF_TRY(pair_of(t, step, type, &pair));
	*ret_key = (uint64_t)parent << 32 | pair;
	*ret_found = hf_map64_find(&t->below, *ret_key, &found);
	if (*ret_found)
		*ret = (uint32_t)found;
	return NULL;
}

static struct hf_err *new_node(struct hf_stacks *t, uint64_t key, const struct hf_stack_node *node,
			       uint32_t *ret)
{
	if (t->at.n >= t->max || node->depth > HF_STACK_DEPTH_MAX) {
		*ret = t->others;
		t->refused++;
	} else {
		HF_TRY(add(t, node, ret));
	}
	return hf_map64_put(&t->below, key, *ret);
}

struct hf_err *hf_stacks_root(struct hf_stacks *t, uint32_t parent, uint32_t step, uint8_t kind,
			      uint32_t *ret)
{
	const struct hf_stack_node node = {
		.parent = parent,
		.step = step,
		.type = HF_STACK_NO_TYPE,
		.task = HF_STACK_NONE,
		.kind = kind,
	};
	/* Roots of several kinds may have one name: the kind is part of the key, where no node's number can be. */
	uint32_t above = parent == HF_STACK_NONE ? UINT32_MAX - kind : parent;
	uint64_t key;
	bool found;

	if (parent == t->others) {
		*ret = parent;
		return NULL;
	}
	HF_TRY(find(t, above, step, HF_STACK_NO_TYPE, &found, &key, ret));
	return found ? NULL : new_node(t, key, &node, ret);
}

/* The node above, or this one, of that type; HF_STACK_NONE. */
static uint32_t type_above(const struct hf_stacks *t, uint32_t node, uint32_t type)
{
	for (; node != HF_STACK_NONE; node = t->at.at[node].parent)
		if (t->at.at[node].type == type)
			return node;
	return HF_STACK_NONE;
}

static struct hf_err *make_below(struct hf_stacks *t, uint32_t above, uint32_t step, uint32_t type,
				 uint64_t key, uint32_t *ret)
{
	const struct hf_stack_node *parent = &t->at.at[above];
	struct hf_stack_node node = {
		.parent = above,
		.step = step,
		.type = type,
		.task = HF_STACK_NONE,
		.kind = parent->kind,
		.again = type_above(t, above, type) != HF_STACK_NONE,
		.depth = (uint16_t)(parent->depth + 1),
	};
	uint64_t other;
	bool found;

	if (node.again && parent->again) {
		/* Above a node that came again stands a new one. */
		node.parent = parent->parent;
		node.depth--;
		if (t->at.at[node.parent].type == type)
			*ret = node.parent;
		else {
			HF_TRY(find(t, node.parent, step, type, &found, &other, ret));
			if (!found)
				HF_TRY(new_node(t, other, &node, ret));
		}
		return hf_map64_put(&t->below, key, *ret);
	}
	return new_node(t, key, &node, ret);
}

struct hf_err *hf_stacks_below(struct hf_stacks *t, uint32_t node, uint32_t step, uint32_t type,
			       uint32_t *ret)
{
	uint64_t key;
	bool found;

	if (node == t->others || t->at.at[node].type == type) {
		*ret = node;
		return NULL;
	}
	if (t->last.node == node && t->last.step == step && t->last.type == type) {
		*ret = t->last.ret;
		return NULL;
	}
	HF_TRY(find(t, node, step, type, &found, &key, ret));
	if (!found)
		HF_TRY(make_below(t, node, step, type, key, ret));
	t->last.node = node;
	t->last.step = step;
	t->last.type = type;
	t->last.ret = *ret;
	return NULL;
}
