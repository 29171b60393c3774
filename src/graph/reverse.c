#include "private.h"

#include "../base/workers.h"

#define CHECK_BLOCKS (1u << 16) /* between two looks at whether to stop */

/* A counting sort of the edges by target. The targets are cut in slices, each filled by one thread that looks at
 * all edges: no two threads write one counter, and the sources of a block come out in ascending order. */
struct sort {
	const struct hf_graph *g;
	uint32_t *at; /* blocks + 2: while filling, at[t + 1] is where the next source of t goes */
	uint32_t *sources;
	uint32_t slice; /* blocks in a slice */
};

static uint32_t first_of_slice(const struct sort *s, size_t i)
{
	return (uint32_t)hf_min(i * s->slice, s->g->blocks);
}

static struct hf_err *count_slice(void *arg, size_t i, unsigned worker)
{
	const struct sort *s = arg;
	const uint32_t *edges = s->g->edges;
	uint32_t low = first_of_slice(s, i), n = s->g->start[s->g->blocks];
	uint32_t *counts = s->at + 2 + low;

	(void)worker;
	for (uint32_t e = 0; e < n; e++)
		if (edges[e] - low < s->slice)
			counts[edges[e] - low]++;
	return NULL;
}

static struct hf_err *fill_slice(void *arg, size_t i, unsigned worker)
{
	const struct sort *s = arg;
	const struct hf_graph *g = s->g;
	uint32_t low = first_of_slice(s, i);
	uint32_t *next = s->at + 1 + low;

	(void)worker;
	for (uint32_t b = 0; b < g->blocks; b++) {
		if (b % CHECK_BLOCKS == 0)
			HF_TRY(hf_interrupt_check());
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++)
			if (g->edges[e] - low < s->slice)
				s->sources[next[g->edges[e] - low]++] = b;
	}
	return NULL;
}

static struct hf_err *each_slice(struct sort *s, size_t slices, hf_work_fn *fn)
{
	return slices > 1 ? hf_parallel(slices, fn, s) : fn(s, 0, 0);
}

static struct hf_err *reverse_edges(struct hf_graph *g)
{
	uint32_t edges = g->start[g->blocks];
	size_t slices = edges >= PARALLEL_EDGES ? hf_workers() : 1;
	_free_ uint32_t *at = hf_calloc((size_t)g->blocks + 2, sizeof(*at));
	_free_ uint32_t *sources = hf_malloc((size_t)edges * sizeof(*sources));
	struct sort s = {.g = g, .at = at, .sources = sources, .slice = g->blocks / (uint32_t)slices + 1};

	if (!at || !sources)
		return hf_err_nomem();
	HF_TRY(each_slice(&s, slices, count_slice));
	for (size_t t = 0; t < g->blocks; t++)
		at[t + 2] += at[t + 1];
	HF_TRY(each_slice(&s, slices, fill_slice));
	/* Every cursor stands at its end now: at[t + 1] is where the sources of t + 1 begin, as back_start wants it. */
	g->back_start = take_ptr(at);
	g->back_edges = take_ptr(sources);
	return NULL;
}

static struct hf_err *index_roots(struct hf_graph *g)
{
	_free_ uint32_t *at = hf_calloc((size_t)g->blocks + 2, sizeof(*at));
	_free_ uint32_t *index = hf_malloc(g->roots.n * sizeof(*index));

	if (!at || !index)
		return hf_err_nomem();
	hf_vec_each(&g->roots, root)
		at[root->block + 2]++;
	for (size_t b = 0; b < g->blocks; b++)
		at[b + 2] += at[b + 1];
	for (uint32_t i = 0; i < g->roots.n; i++)
		index[at[g->roots.at[i].block + 1]++] = i;
	g->root_start = take_ptr(at);
	g->root_index = take_ptr(index);
	return NULL;
}

struct hf_err *hf_graph_reverse(struct hf_graph *g)
{
	if (!g->back_start)
		HF_TRY(reverse_edges(g));
	return g->root_start ? NULL : index_roots(g);
}

struct hf_err *hf_graph_retainers(struct hf_graph *g, uint32_t block, uint32_t *ret_blocks,
				  uint32_t *ret_roots)
{
	uint32_t last = block, distinct = 0;

	if (block >= g->blocks)
		return hf_err(HF_USAGE, "block %" PRIu32 " does not exist: there are %" PRIu32, block,
			      g->blocks);
	HF_TRY(hf_graph_reverse(g));
	for (uint32_t e = g->back_start[block]; e < g->back_start[block + 1]; e++) {
		uint32_t source = g->back_edges[e];

		distinct += source != block && source != last;
		if (source != block)
			last = source;
	}
	*ret_blocks = distinct;
	*ret_roots = g->root_start[block + 1] - g->root_start[block];
	return NULL;
}
