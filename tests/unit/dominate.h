/* Makes graphs and their dominators, which must succeed. */
#ifndef TEST_DOMINATE_H
#define TEST_DOMINATE_H

#include "../../src/graph/dominators.h"
#include "graph_make.h"

#include <criterion/criterion.h>

/* Block b is of b + 1 bytes. */
static inline void count_up(void *arg, uint32_t first, uint32_t n, uint64_t *ret)
{
	(void)arg;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (uint64_t)first + i + 1;
}

static inline struct hf_graph *make(uint32_t blocks, const struct test_edge *edges, size_t n)
{
	struct hf_graph *g;

	cr_assert_null(make_graph(blocks, 1 + blocks / 3, edges, n, &g));
	return g;
}

static inline struct hf_dominators *dominate(const struct hf_graph *g, const uint32_t *holder_of_root,
					     uint32_t holders)
{
	struct hf_dominators *d;

	cr_assert_null(hf_dominators_create(g, holder_of_root, holders, &d));
	cr_assert_null(hf_dominators_measure(d, count_up, NULL));
	return d;
}

#endif
