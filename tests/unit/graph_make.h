/* Makes graphs for tests from a list of edges. */
#ifndef TEST_GRAPH_MAKE_H
#define TEST_GRAPH_MAKE_H

#include "../../src/graph/graph.h"

struct test_edge {
	uint32_t from, to;
};

/* The edges must be sorted by `from`. The blocks are cut in chunks of chunk_blocks. */
static inline struct hf_err *make_graph(uint32_t blocks, uint32_t chunk_blocks, const struct test_edge *edges,
					size_t n, struct hf_graph **ret)
{
	size_t chunks = (blocks + chunk_blocks - 1) / chunk_blocks, e = 0;
	_free_ struct hf_graph_chunk *c = hf_calloc(chunks, sizeof(*c));
	struct hf_err *err = c ? NULL : hf_err_nomem();

	if (!c)
		return err;
	for (size_t i = 0; i < chunks && !err; i++) {
		uint32_t first = (uint32_t)i * chunk_blocks, count = hf_min(chunk_blocks, blocks - first);

		err = hf_graph_chunk_init(&c[i], first, count);
		for (uint32_t b = first; b < first + count && !err; b++) {
			hf_graph_begin_block(&c[i]);
			for (; e < n && edges[e].from == b && !err; e++)
				err = hf_graph_edge(&c[i], edges[e].to);
		}
	}
	if (!err)
		return hf_graph_create(c, chunks, blocks, ret);
	for (size_t i = 0; i < chunks; i++)
		hf_graph_chunk_deinit(&c[i]);
	return err;
}

static inline struct hf_err *root_graph(struct hf_graph *g, uint32_t block, uint32_t owner, uint8_t kind)
{
	struct hf_root root = {.block = block, .owner = owner, .kind = kind, .slot = 8 * g->roots.n};

	return hf_graph_add_root(g, &root);
}

#endif
