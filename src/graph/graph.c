#include "private.h"

#include "../base/workers.h"

struct hf_err *hf_graph_chunk_init(struct hf_graph_chunk *c, uint32_t first_block, uint32_t blocks)
{
	*c = (struct hf_graph_chunk){.first_block = first_block, .blocks = blocks};
	c->degrees = hf_calloc(blocks, sizeof(*c->degrees));
	return c->degrees ? NULL : hf_err_nomem();
}

void hf_graph_chunk_deinit(struct hf_graph_chunk *c)
{
	hf_free(c->degrees);
	c->degrees = NULL;
	hf_vec_deinit(&c->edges);
}

struct copy {
	struct hf_graph *g;
	struct hf_graph_chunk *chunks;
};

/* Moves a chunk's edges to their place and frees the chunk, so that no more than a chunk per thread stands twice. */
static struct hf_err *copy_chunk(void *arg, size_t i, unsigned worker)
{
	const struct copy *copy = arg;
	struct hf_graph *g = copy->g;
	struct hf_graph_chunk *c = &copy->chunks[i];
	uint32_t *to = g->edges + g->start[c->first_block];
	uint32_t highest = 0;

	(void)worker;
	for (size_t e = 0; e < c->edges.n; e++) {
		highest = hf_max(highest, c->edges.at[e]);
		to[e] = c->edges.at[e];
	}
	if (c->edges.n && highest >= g->blocks)
		return hf_err(HF_BADDATA, "a pointer leads to block %" PRIu32 ", but there are only %" PRIu32,
			      highest, g->blocks);
	hf_graph_chunk_deinit(c);
	return NULL;
}

/* Sets g->start from the degrees; the chunks must cover the blocks without a gap. */
static struct hf_err *sum_degrees(struct hf_graph *g, const struct hf_graph_chunk *chunks, size_t n)
{
	uint64_t edges = 0, sum = 0;
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (chunks[i].first_block != at || chunks[i].blocks > g->blocks - at)
			return hf_err(HF_USAGE,
				      "chunk %zu of the graph begins at block %" PRIu32 ", not at %" PRIu32,
				      i, chunks[i].first_block, at);
		at += chunks[i].blocks;
		edges += chunks[i].edges.n;
	}
	if (at != g->blocks)
		return hf_err(HF_USAGE, "the graph's chunks end at block %" PRIu32 " of %" PRIu32, at,
			      g->blocks);
	if (edges > UINT32_MAX - 1)
		return hf_err(HF_UNSUPPORTED,
			      "%" PRIu64 " pointers between blocks: at most %" PRIu32 " can be handled",
			      edges, UINT32_MAX - 1);
	for (size_t i = 0; i < n; i++)
		for (uint32_t b = 0; b < chunks[i].blocks; b++) {
			g->start[chunks[i].first_block + b] = (uint32_t)sum;
			sum += chunks[i].degrees[b];
		}
	g->start[g->blocks] = (uint32_t)sum;
	return NULL;
}

static struct hf_err *fill(struct hf_graph *g, struct hf_graph_chunk *chunks, size_t n)
{
	struct copy copy = {.g = g, .chunks = chunks};

	g->start = hf_malloc(((size_t)g->blocks + 1) * sizeof(*g->start));
	if (!g->start)
		return hf_err_nomem();
	HF_TRY(sum_degrees(g, chunks, n));
	g->edges = hf_malloc((size_t)g->start[g->blocks] * sizeof(*g->edges));
	if (!g->edges)
		return hf_err_nomem();
	if (g->start[g->blocks] >= PARALLEL_EDGES)
		return hf_parallel(n, copy_chunk, &copy);
	for (size_t i = 0; i < n; i++)
		HF_TRY(copy_chunk(&copy, i, 0));
	return NULL;
}

struct hf_err *hf_graph_create(struct hf_graph_chunk *chunks, size_t n, uint32_t blocks,
			       struct hf_graph **ret)
{
	struct hf_graph *g = hf_calloc(1, sizeof(*g));
	struct hf_err *err = g ? NULL : hf_err_nomem();

	if (g) {
		g->blocks = blocks;
		err = fill(g, chunks, n);
	}
	for (size_t i = 0; i < n; i++)
		hf_graph_chunk_deinit(&chunks[i]);
	if (err)
		hf_graph_destroy(g);
	else
		*ret = g;
	return err;
}

void hf_graph_destroy(struct hf_graph *g)
{
	if (!g)
		return;
	hf_free(g->start);
	hf_free(g->edges);
	hf_vec_deinit(&g->roots);
	hf_free(g->back_start);
	hf_free(g->back_edges);
	hf_free(g->root_start);
	hf_free(g->root_index);
	hf_free(g->live);
	hf_free(g);
}

struct hf_err *hf_graph_add_root(struct hf_graph *g, const struct hf_root *root)
{
	if (root->block == HF_NO_BLOCK)
		return NULL;
	if (root->block >= g->blocks)
		return hf_err(HF_BADDATA, "a root points to block %" PRIu32 ", but there are only %" PRIu32,
			      root->block, g->blocks);
	if (g->root_start)
		return hf_err(HF_USAGE, "a root was added to a graph that has been queried already");
	if (g->roots.n >= UINT32_MAX - 1)
		return hf_err(HF_UNSUPPORTED, "more than %" PRIu32 " roots: they cannot be handled",
			      UINT32_MAX - 1);
	return hf_vec_push(&g->roots, *root);
}
