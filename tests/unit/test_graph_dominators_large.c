/* Large graphs whose dominators are known: what is quadratic, or recursive, does not end. */
#include "dominate.h"

/* The expected dominator of block b, by its number alone, of n blocks that holder 0 holds. */
typedef uint32_t expect_fn(uint32_t b, uint32_t n);
/* Adds the edges of block b. */
typedef struct hf_err *edges_fn(struct hf_graph_chunk *c, uint32_t b, uint32_t n);

static struct hf_err *edge_below(struct hf_graph_chunk *c, uint32_t to, uint32_t end)
{
	return to < end ? hf_graph_edge(c, to) : NULL;
}

static struct hf_err *list_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	return edge_below(c, b + 1, n);
}

static uint32_t list_idom(uint32_t b, uint32_t n)
{
	return b ? b - 1 : n;
}

/* Each block points to all earlier ones that are a power of two away, and to the next. */
static struct hf_err *back_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	for (uint32_t away = 1; away && away <= b; away *= 2)
		HF_TRY(hf_graph_edge(c, b - away));
	return edge_below(c, b + 1, n);
}

/* A list of the even blocks, each with an odd one, which points to the tooth before. */
static struct hf_err *comb_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	if (b % 2)
		return b > 1 ? hf_graph_edge(c, b - 2) : NULL;
	HF_TRY(edge_below(c, b + 2, n));
	return edge_below(c, b + 1, n);
}

static uint32_t comb_idom(uint32_t b, uint32_t n)
{
	return b % 2 ? b - 1 : b ? b - 2 : n;
}

/* Layers of 64, each block to all of the next layer; but the last of a layer alone leads on from every
 * third. */
static struct hf_err *layer_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	uint32_t next = (b / 64 + 1) * 64;

	if (b / 64 % 3 == 2 && b % 64 != 63)
		return NULL;
	for (uint32_t to = next; to < next + 64; to++)
		HF_TRY(edge_below(c, to, n));
	/* To the layer before, too. */
	return b >= 64 ? hf_graph_edge(c, b - 64) : NULL;
}

static uint32_t layer_idom(uint32_t b, uint32_t n)
{
	uint32_t layer = b / 64;

	if (b < 64)
		return n;
	if (layer < 3)
		return n;
	return (layer / 3 * 3 - 1) * 64 + 63;
}

/* A list of half of the blocks; its end and its begin lead to all of the others: each climbs the whole
 * list, if it climbs by steps. */
static struct hf_err *climb_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	if (b + 1 < n / 2)
		HF_TRY(hf_graph_edge(c, b + 1));
	if (b == 0 || b + 1 == n / 2)
		for (uint32_t to = n / 2; to < n; to++)
			HF_TRY(hf_graph_edge(c, to));
	return NULL;
}

static uint32_t climb_idom(uint32_t b, uint32_t n)
{
	return b >= n / 2 ? 0 : list_idom(b, n);
}

/* Two rails: down one, a rung from each to the other, and up the other: what iterates settles one block a
 * round. */
static struct hf_err *rail_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	uint32_t half = n / 2;

	if (b >= half)
		return b > half ? hf_graph_edge(c, b - 1) : NULL;
	if (b + 1 < half)
		HF_TRY(hf_graph_edge(c, b + 1));
	return b + 1 == half || b == 0 ? hf_graph_edge(c, half + b) : NULL;
}

static uint32_t rail_idom(uint32_t b, uint32_t n)
{
	uint32_t half = n / 2;

	if (b < half)
		return list_idom(b, n);
	return b == half ? 0 : b == n - 1 ? half - 1 : b + 1;
}

/* A heap's shape, with pointers to the parent. */
static struct hf_err *tree_edges(struct hf_graph_chunk *c, uint32_t b, uint32_t n)
{
	if (b)
		HF_TRY(hf_graph_edge(c, (b - 1) / 2));
	HF_TRY(edge_below(c, 2 * b + 1, n));
	return edge_below(c, 2 * b + 2, n);
}

static uint32_t tree_idom(uint32_t b, uint32_t n)
{
	return b ? (b - 1) / 2 : n;
}

static const struct {
	const char *what;
	uint32_t n;
	uint32_t roots; /* the first blocks */
	edges_fn *edges;
	expect_fn *idom;
} large[] = {
	{"list", 5000000, 1, list_edges, list_idom},
	{"list with ways back", 300000, 1, back_edges, list_idom},
	{"comb", 1000000, 1, comb_edges, comb_idom},
	{"layers", 64 * 3 * 150, 64, layer_edges, layer_idom},
	{"climb", 1000000, 1, climb_edges, climb_idom},
	{"rails", 1000000, 1, rail_edges, rail_idom},
	{"tree", 1000000, 1, tree_edges, tree_idom},
};

static struct hf_graph *make_large(size_t row)
{
	struct hf_graph_chunk c;
	struct hf_graph *g;

	cr_assert_null(hf_graph_chunk_init(&c, 0, large[row].n));
	for (uint32_t b = 0; b < large[row].n; b++) {
		hf_graph_begin_block(&c);
		cr_assert_null(large[row].edges(&c, b, large[row].n));
	}
	cr_assert_null(hf_graph_create(&c, 1, large[row].n, &g));
	for (uint32_t r = 0; r < large[row].roots; r++)
		cr_assert_null(root_graph(g, r, r, 0));
	return g;
}

Test(dominators, of_large_regular_graphs_are_as_known, .timeout = 240)
{
	static const uint32_t of[64] = {0};

	for (size_t row = 0; row < HF_LEN(large); row++) {
		uint32_t n = large[row].n;
		struct hf_graph *g = make_large(row);
		struct hf_dominators *d = dominate(g, of, 1);

		cr_assert_eq(d->n, n + 2, "%s", large[row].what);
		for (uint32_t b = 0; b < n; b++)
			if (d->idom[b] != large[row].idom(b, n))
				cr_assert_fail("%s: block %u has %u, not %u", large[row].what, b, d->idom[b],
					       large[row].idom(b, n));
		cr_expect_eq(d->retained[n], (uint64_t)n * ((uint64_t)n + 1) / 2);
		cr_expect_eq(d->retained_blocks[n], n);
		hf_dominators_destroy(d);
		hf_graph_destroy(g);
	}
}
