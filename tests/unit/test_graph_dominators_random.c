/* Against the definition: what is out of reach without a node is what the node dominates. */
#include "dominate.h"
#include "random.h"

/* ---- small random graphs, against brute force ---- */

enum { BLOCKS_MAX = 40, HOLDERS_MAX = 5, ROOTS_MAX = 12, NODES_MAX = BLOCKS_MAX + HOLDERS_MAX + 1 };

struct model {
	uint32_t blocks, holders, roots;
	uint32_t holder_of_root[ROOTS_MAX];
	uint64_t to[NODES_MAX]; /* a bit for each target */
	uint64_t live;          /* a bit for each node that the top reaches */
	uint64_t dominated[NODES_MAX];
};

/* Mostly along a line, so that chains get long; or anywhere. */
static uint32_t random_target(uint64_t *seed, uint32_t from, uint32_t blocks, uint32_t spread)
{
	uint32_t to = (from > spread ? from - spread : 0) + random_below(seed, 2 * spread + 2);

	return spread && to < blocks ? to : random_below(seed, blocks);
}

static struct hf_graph *make_random(uint64_t *seed, struct model *m)
{
	struct test_edge edges[BLOCKS_MAX * 6];
	uint32_t spread = random_below(seed, 4), degree = 1 + random_below(seed, 3);
	struct hf_graph *g;
	size_t n = 0;

	memset(m, 0, sizeof(*m));
	m->blocks = 1 + random_below(seed, BLOCKS_MAX);
	m->holders = 1 + random_below(seed, HOLDERS_MAX);
	m->roots = random_below(seed, 4) ? 1 + random_below(seed, 3) : random_below(seed, ROOTS_MAX + 1);
	for (uint32_t b = 0; b < m->blocks; b++)
		for (uint32_t k = random_below(seed, 2 * degree); k; k--) {
			uint32_t to = random_target(seed, b, m->blocks, spread);

			m->to[b] |= (uint64_t)1 << to;
			edges[n++] = (struct test_edge){b, to};
		}
	g = make(m->blocks, edges, n);
	for (uint32_t r = 0; r < m->roots; r++) {
		uint32_t block = random_below(seed, random_below(seed, 2) ? m->blocks : 1);

		m->holder_of_root[r] = random_below(seed, m->holders);
		m->to[m->blocks + m->holder_of_root[r]] |= (uint64_t)1 << block;
		cr_assert_null(root_graph(g, block, r, 0));
	}
	for (uint32_t h = 0; h < m->holders; h++)
		m->to[m->blocks + m->holders] |= (uint64_t)1 << (m->blocks + h);
	return g;
}

/* What the top reaches on ways that do not pass the node left out. */
static uint64_t reach(const struct model *m, uint32_t left_out)
{
	uint64_t seen = 0, next = (uint64_t)1 << (m->blocks + m->holders);

	if (left_out == m->blocks + m->holders)
		return 0;
	while (next) {
		uint32_t node = (uint32_t)__builtin_ctzll(next);

		seen |= (uint64_t)1 << node;
		next |= m->to[node];
		next &= ~seen;
		if (left_out < NODES_MAX)
			next &= ~((uint64_t)1 << left_out);
	}
	return seen;
}

static void brute_force(struct model *m)
{
	m->live = reach(m, NODES_MAX);
	for (uint32_t v = 0; v <= m->blocks + m->holders; v++)
		m->dominated[v] = m->live >> v & 1 ? m->live & ~reach(m, v) : 0;
}

/* Of the nodes that dominate this one, and are not it, the one that all others dominate. */
static uint32_t expect_idom(const struct model *m, uint32_t node)
{
	uint32_t nearest = HF_NO_BLOCK;

	if (!(m->live >> node & 1))
		return HF_NO_BLOCK;
	for (uint32_t v = 0; v <= m->blocks + m->holders; v++)
		if (v != node && m->dominated[v] >> node & 1 &&
		    (nearest == HF_NO_BLOCK || m->dominated[nearest] >> v & 1))
			nearest = v;
	return nearest;
}

static void check_node(const struct model *m, const struct hf_dominators *d, uint32_t node)
{
	uint64_t blocks = m->dominated[node] & (((uint64_t)1 << m->blocks) - 1), bytes = 0;

	for (uint32_t b = 0; b < m->blocks; b++)
		bytes += blocks >> b & 1 ? b + 1 : 0;
	cr_assert_eq(d->idom[node], expect_idom(m, node), "node %u: %u, not %u", node, d->idom[node],
		     expect_idom(m, node));
	cr_assert_eq(d->retained[node], bytes, "node %u: %" PRIu64 ", not %" PRIu64, node, d->retained[node],
		     bytes);
	cr_assert_eq(d->retained_blocks[node], __builtin_popcountll(blocks));
}

static void check_order(const struct hf_dominators *d, uint64_t live)
{
	uint64_t seen = 0;

	cr_assert_eq(d->n, __builtin_popcountll(live));
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t node = d->order[i];

		cr_assert(live >> node & 1 && !(seen >> node & 1), "node %u", node);
		cr_assert(i == 0 ? node == hf_dominators_top(d) : seen >> d->idom[node] & 1, "node %u", node);
		seen |= (uint64_t)1 << node;
	}
}

Test(dominators, random_graphs_answer_as_brute_force_does, .timeout = 120)
{
	uint64_t seed = 0x853c49e6748fea9bu;
	size_t garbage = 0, shared = 0, far = 0, held = 0;

	for (int round = 0; round < 40000; round++) {
		struct model m;
		struct hf_graph *g = make_random(&seed, &m);
		struct hf_dominators *d = dominate(g, m.holder_of_root, m.holders);

		brute_force(&m);
		check_order(d, m.live);
		for (uint32_t v = 0; v <= m.blocks + m.holders; v++)
			check_node(&m, d, v);
		for (uint32_t b = 0; b < m.blocks; b++) {
			garbage += d->idom[b] == HF_NO_BLOCK;
			shared += d->idom[b] == hf_dominators_top(d);
			held += d->idom[b] >= m.blocks && d->idom[b] < hf_dominators_top(d);
			far += d->idom[b] < m.blocks && !(m.to[d->idom[b]] >> b & 1);
		}
		hf_dominators_destroy(d);
		hf_graph_destroy(g);
	}
	cr_expect_gt(garbage, 5000, "garbage %zu", garbage);
	cr_expect_gt(shared, 5000, "shared %zu", shared);
	cr_expect_gt(held, 5000, "held %zu", held);
	cr_expect_gt(far, 5000, "dominated from afar %zu", far);
}

/* ---- a large random graph, by the definition ---- */

enum { RANDOM = 100000, RANDOM_EDGES = 150000, RANDOM_ROOTS = 60, RANDOM_HOLDERS = 7 };

/* Sets a bit of lost for each block that the roots do not reach where the chains may not pass node. */
static void lose(const struct hf_graph *g, const uint32_t *of, uint32_t node, uint8_t *lost, uint32_t *queue)
{
	uint32_t n = 0;

	memset(lost, 1, g->blocks);
	for (uint32_t r = 0; r < g->roots.n; r++) {
		uint32_t b = g->roots.at[r].block;

		if (g->blocks + of[r] == node || b == node || !lost[b])
			continue;
		lost[b] = 0;
		queue[n++] = b;
	}
	for (uint32_t at = 0; at < n; at++)
		for (uint32_t e = g->start[queue[at]]; e < g->start[queue[at] + 1]; e++) {
			uint32_t to = g->edges[e];

			if (to == node || !lost[to])
				continue;
			lost[to] = 0;
			queue[n++] = to;
		}
}

static void check_lost(const struct hf_graph *g, const struct hf_dominators *d, uint32_t node,
		       const uint8_t *lost)
{
	_free_ uint8_t *below = hf_calloc((size_t)d->blocks + d->holders + 1, 1);
	uint32_t blocks = 0;

	below[node] = 1;
	for (uint32_t i = 1; i < d->n; i++)
		below[d->order[i]] |= below[d->idom[d->order[i]]];
	for (uint32_t b = 0; b < g->blocks; b++) {
		bool live = hf_graph_is_live(g, b);

		cr_assert_eq(d->idom[b] != HF_NO_BLOCK, live, "block %u", b);
		if (live && below[b] != lost[b])
			cr_assert_fail("without node %u block %u is %s", node, b, lost[b] ? "lost" : "held");
		blocks += live && lost[b];
	}
	cr_assert_eq(d->retained_blocks[node], blocks);
}

static struct hf_graph *make_large_random(uint64_t *seed, uint32_t *of)
{
	_free_ struct test_edge *edges = hf_calloc(RANDOM_EDGES, sizeof(*edges));
	struct hf_graph *g;

	for (uint32_t e = 0; e < RANDOM_EDGES; e++)
		edges[e] = (struct test_edge){(uint32_t)((uint64_t)e * RANDOM / RANDOM_EDGES),
					      random_below(seed, RANDOM)};
	g = make(RANDOM, edges, RANDOM_EDGES);
	for (uint32_t r = 0; r < RANDOM_ROOTS; r++) {
		of[r] = random_below(seed, RANDOM_HOLDERS);
		cr_assert_null(root_graph(g, random_below(seed, RANDOM), r, 0));
	}
	return g;
}

Test(dominators, of_a_large_random_graph_lose_what_they_retain, .timeout = 240)
{
	uint64_t seed = 42;
	uint32_t of[RANDOM_ROOTS], checked = 0;
	struct hf_graph *g = make_large_random(&seed, of);
	struct hf_dominators *d = dominate(g, of, RANDOM_HOLDERS);
	_free_ uint8_t *lost = hf_malloc(RANDOM);
	_free_ uint32_t *queue = hf_malloc(RANDOM * sizeof(*queue));

	cr_assert_null(hf_graph_mark(g));
	for (uint32_t node = 0; node < RANDOM + RANDOM_HOLDERS; node++) {
		if (node < RANDOM && d->retained_blocks[node] < 5)
			continue;
		lose(g, of, node, lost, queue);
		check_lost(g, d, node, lost);
		if (++checked == 300)
			node = hf_max(node, RANDOM - 1); /* the holders are left */
	}
	cr_expect_eq(checked, 300 + RANDOM_HOLDERS, "only %u nodes dominate anything", checked);
	hf_dominators_destroy(d);
	hf_graph_destroy(g);
}
