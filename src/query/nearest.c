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

static struct hf_err *search(struct hf_session *s, uint32_t *queue, const uint32_t *order)
{
	const struct hf_graph *g = s->graph;
	uint32_t n = 0;

	for (size_t i = 0; i < g->roots.n; i++) {
		uint32_t block = g->roots.at[order[i]].block;

		if (s->nearest[block] != UINT32_MAX)
			continue;
		s->nearest[block] = order[i];
		queue[n++] = block;
	}
	for (uint32_t at = 0; at < n; at++) {
		uint32_t b = queue[at];

		if (at % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++) {
			uint32_t to = g->edges[e];

			if (s->nearest[to] != UINT32_MAX)
				continue;
			s->nearest[to] = s->nearest[b];
			s->parent[to] = b;
			queue[n++] = to;
		}
	}
	return NULL;
}

struct hf_err *hf_session_nearest(struct hf_session *s)
{
	_free_ uint32_t *queue = NULL, *order = NULL;
	size_t n = s->graph->blocks;
	struct hf_err *err;

	if (s->nearest)
		return NULL;
	s->nearest = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t));
	s->parent = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t));
	queue = hf_malloc(hf_max(n, (size_t)1) * sizeof(uint32_t));
	order = order_roots(s->graph);
	if (s->nearest && s->parent && queue && order) {
		memset(s->nearest, 0xff, n * sizeof(uint32_t));
		memset(s->parent, 0xff, n * sizeof(uint32_t));
		err = search(s, queue, order);
	} else {
		err = hf_err_nomem();
	}
	if (err) {
		hf_free(take_ptr(s->nearest));
		hf_free(take_ptr(s->parent));
	}
	return err;
}
