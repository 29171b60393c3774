/* The nearest root of each live block: a breadth-first forest. */
#include "session.h"

#include "../base/workers.h"

#include <stdlib.h>

/* Roots in the order in which chains of one length prefer them. */
static uint32_t *order_roots(const struct hf_graph *g)
{
	uint32_t *order = hf_malloc(hf_max(g->roots.n, (size_t)1) * sizeof(*order));
	uint32_t count[256] = {0}, at = 0;

	if (!order)
		return NULL;
	for (size_t i = 0; i < g->roots.n; i++)
		count[g->roots.at[i].kind]++;
	for (int k = 0; k < 256; k++) {
		uint32_t n = count[k];

		count[k] = at;
		at += n;
	}
	for (uint32_t i = 0; i < g->roots.n; i++)
		order[count[g->roots.at[i].kind]++] = i;
	return order;
}

static bool is_closed(const uint8_t *closed, uint32_t b)
{
	return closed && closed[b / 8] >> (b % 8) & 1;
}

static struct hf_err *search(const struct hf_graph *g, const uint8_t *closed, uint32_t *queue,
			     const uint32_t *order, struct hf_nearest *ret)
{
	uint32_t n = 0;

	for (size_t i = 0; i < g->roots.n; i++) {
		uint32_t block = g->roots.at[order[i]].block;

		if (ret->root[block] != UINT32_MAX)
			continue;
		ret->root[block] = order[i];
		queue[n++] = block;
	}
	for (uint32_t at = 0; at < n; at++) {
		uint32_t b = queue[at];

		if (at % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		for (uint32_t e = g->start[b]; !is_closed(closed, b) && e < g->start[b + 1]; e++) {
			uint32_t to = g->edges[e];

			if (ret->root[to] != UINT32_MAX)
				continue;
			ret->root[to] = ret->root[b];
			if (ret->parent)
				ret->parent[to] = b;
			queue[n++] = to;
		}
	}
	return NULL;
}

struct hf_err *hf_nearest_find(const struct hf_graph *g, const uint8_t *closed, bool parents,
			       struct hf_nearest *ret)
{
	_free_ uint32_t *queue = NULL, *order = NULL;
	size_t n = g->blocks;
	struct hf_err *err;

	*ret = (struct hf_nearest){.root = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t))};
	if (parents)
		ret->parent = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t));
	queue = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t));
	order = order_roots(g);
	if (ret->root && (ret->parent || !parents) && queue && order) {
		memset(ret->root, 0xff, n * sizeof(uint32_t));
		if (parents)
			memset(ret->parent, 0xff, n * sizeof(uint32_t));
		err = search(g, closed, queue, order, ret);
	} else {
		err = hf_err_nomem();
	}
	if (err)
		hf_nearest_deinit(ret);
	return err;
}

void hf_nearest_deinit(struct hf_nearest *n)
{
	hf_free(take_ptr(n->root));
	hf_free(take_ptr(n->parent));
}

struct hf_err *hf_session_nearest(struct hf_session *s)
{
	struct hf_nearest found;

	if (s->nearest)
		return NULL;
	HF_TRY(hf_nearest_find(s->graph, NULL, true, &found));
	s->nearest = found.root;
	s->parent = found.parent;
	return NULL;
}
