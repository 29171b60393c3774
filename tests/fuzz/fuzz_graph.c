/* A graph from bytes: every question about it ends and gives chains that are there. */
#include "../../src/graph/graph.h"

#include <stdlib.h>

#define MAX_PATHS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_edge(const struct hf_graph *g, uint32_t from, uint32_t to)
{
	for (uint32_t e = g->start[from]; e < g->start[from + 1]; e++)
		if (g->edges[e] == to)
			return true;
	return false;
}

static void check_paths(struct hf_graph *g, uint32_t target)
{
	struct hf_path *paths;
	size_t n;

	if (hf_err_ignore(hf_graph_paths(g, target, MAX_PATHS, &paths, &n)) || n > MAX_PATHS)
		abort();
	if (hf_graph_is_live(g, target) != (n > 0))
		abort();
	for (size_t i = 0; i < n; i++) {
		const struct hf_path *p = &paths[i];

		if (p->path[0] != g->roots.at[p->root].block || p->path[p->n - 1] != target ||
		    p->n > g->blocks)
			abort();
		for (uint32_t k = 0; k + 1 < p->n; k++)
			if (!has_edge(g, p->path[k], p->path[k + 1]))
				abort();
	}
	hf_paths_free(paths, n);
}

/* The first byte counts the blocks; then, for each, its degree and what it points to; then roots. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct hf_graph_chunk chunk;
	struct hf_graph *g;
	uint32_t blocks = size ? *data++ : 0;

	if (!blocks || hf_err_ignore(hf_graph_chunk_init(&chunk, 0, blocks)))
		return 0;
	for (uint32_t b = 0; b < blocks; b++) {
		uint32_t degree = data < end ? *data++ % 8 : 0;

		hf_graph_begin_block(&chunk);
		for (; degree && data < end; degree--)
			if (hf_err_ignore(hf_graph_edge(&chunk, *data++ % (blocks + (blocks == 7)))))
				abort();
	}
	if (hf_err_ignore(hf_graph_create(&chunk, 1, blocks, &g)))
		return 0; /* an edge to a block that does not exist */
	for (; data + 2 < end; data += 2) {
		struct hf_root root = {
			.block = data[0] % blocks, .owner = data[1] % 5, .kind = data[1] / 5 % 3};

		if (hf_err_ignore(hf_graph_add_root(g, &root)))
			abort();
	}
	if (hf_err_ignore(hf_graph_mark(g)))
		abort();
	for (uint32_t b = 0; b < blocks; b++)
		check_paths(g, b);
	hf_graph_destroy(g);
	return 0;
}
