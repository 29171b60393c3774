#include "../../src/base/workers.h"
#include "../../src/graph/dominators.h"
#include "graph_make.h"
#include "random.h"

#include <criterion/criterion.h>

/* Block b is of b + 1 bytes. */
static void count_up(void *arg, uint32_t first, uint32_t n, uint64_t *ret)
{
	(void)arg;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (uint64_t)first + i + 1;
}

static void all_huge(void *arg, uint32_t first, uint32_t n, uint64_t *ret)
{
	(void)arg;
	(void)first;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = UINT64_MAX / 2;
}

static void interrupt_us(void *arg, uint32_t first, uint32_t n, uint64_t *ret)
{
	count_up(arg, first, n, ret);
	hf_interrupt();
}

static void assert_err(struct hf_err *err, enum hf_err_code code, const char *part)
{
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	cr_expect_not_null(strstr(hf_err_message(err), part), "%s", hf_err_message(err));
	hf_err_destroy(err);
}

static struct hf_graph *make(uint32_t blocks, const struct test_edge *edges, size_t n)
{
	struct hf_graph *g;

	cr_assert_null(make_graph(blocks, 1 + blocks / 3, edges, n, &g));
	return g;
}

static struct hf_dominators *dominate(const struct hf_graph *g, const uint32_t *holder_of_root,
				      uint32_t holders)
{
	struct hf_dominators *d;

	cr_assert_null(hf_dominators_create(g, holder_of_root, holders, &d));
	cr_assert_null(hf_dominators_measure(d, count_up, NULL));
	return d;
}

/* ---- small graphs with known answers ---- */

/* Up to 8 blocks, 3 roots and 2 holders; edges end with {0, 0}, roots with HF_NO_BLOCK. Nodes: H and I are the holders,
 * T is the top, - is none. */
static const struct {
	const char *what;
	struct test_edge edges[10];
	uint32_t roots[4], of[3];
	const char *idom;
	uint64_t held[2];
} known[] = {
	{"nothing is held", {{0, 1}}, {HF_NO_BLOCK}, {0}, "--------", {0, 0}},
	{"a list", {{0, 1}, {1, 2}}, {0, HF_NO_BLOCK}, {0}, "H01-----", {6, 0}},
	{"a ring entered twice by one holder",
	 {{0, 1}, {1, 2}, {2, 0}},
	 {0, 2, HF_NO_BLOCK},
	 {0, 0},
	 "H0H-----",
	 {6, 0}},
	{"a ring entered by two holders",
	 {{0, 1}, {1, 2}, {2, 0}},
	 {0, 2, HF_NO_BLOCK},
	 {0, 1},
	 "T0T-----",
	 {0, 0}},
	{"a diamond", {{0, 1}, {0, 2}, {1, 3}, {2, 3}}, {0, HF_NO_BLOCK}, {1}, "I000----", {0, 10}},
	{"a diamond whose side is held by another",
	 {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {3, 4}},
	 {0, 2, HF_NO_BLOCK},
	 {0, 1},
	 "H0TT3---",
	 {3, 0}},
	{"a shared block gathers what is below",
	 {{0, 2}, {1, 2}, {2, 3}},
	 {0, 1, HF_NO_BLOCK},
	 {0, 1},
	 "HIT2----",
	 {1, 2}},
	{"one root twice", {{3, 3}}, {3, 3, 3, HF_NO_BLOCK}, {1, 1, 1}, "---I----", {0, 4}},
	{"garbage that points to what is live",
	 {{0, 1}, {2, 1}, {3, 2}, {3, 3}},
	 {0, HF_NO_BLOCK},
	 {0},
	 "H0------",
	 {3, 0}},
	{"edges twice, and to themselves",
	 {{0, 0}, {0, 1}, {0, 1}, {1, 1}, {1, 0}},
	 {0, HF_NO_BLOCK},
	 {1},
	 "I0------",
	 {0, 3}},
	{"no dominator is a parent in the tree",
	 {{0, 1}, {0, 6}, {1, 2}, {1, 3}, {2, 4}, {3, 4}, {4, 5}, {6, 5}},
	 {0, HF_NO_BLOCK},
	 {0},
	 "H011100-",
	 {28, 0}},
};

static uint32_t node_of(char c)
{
	return c == '-'               ? HF_NO_BLOCK
	       : c == 'T'             ? 10
	       : c == 'H' || c == 'I' ? (uint32_t)(8 + c - 'H')
				      : (uint32_t)(c - '0');
}

static struct hf_graph *make_known(size_t row, bool reverse)
{
	size_t n = 0;
	struct test_edge edges[HF_LEN(known[0].edges)] = {0};
	struct hf_graph *g;

	while (n < HF_LEN(edges) && (n == 0 || known[row].edges[n].from || known[row].edges[n].to))
		n++;
	/* The edges of a block the other way round: another depth-first tree, the same dominators. */
	for (size_t i = 0; i < n; i++) {
		size_t low = i, high = i;

		while (low > 0 && known[row].edges[low - 1].from == known[row].edges[i].from)
			low--;
		while (high + 1 < n && known[row].edges[high + 1].from == known[row].edges[i].from)
			high++;
		edges[i] = known[row].edges[reverse ? low + high - i : i];
	}
	g = make(8, edges, n);
	for (uint32_t r = 0; known[row].roots[r] != HF_NO_BLOCK; r++)
		cr_assert_null(root_graph(g, known[row].roots[r], r, 0));
	return g;
}

Test(dominators, of_small_graphs_are_as_known)
{
	for (size_t row = 0; row < 2 * HF_LEN(known); row++) {
		size_t i = row / 2;
		struct hf_graph *g = make_known(i, row % 2);
		struct hf_dominators *d = dominate(g, known[i].of, 2);

		for (uint32_t b = 0; known[i].idom[b]; b++)
			cr_expect_eq(d->idom[b], node_of(known[i].idom[b]), "%s: block %u has %u",
				     known[i].what, b, d->idom[b]);
		for (uint32_t h = 0; h < 2; h++) {
			cr_expect_eq(d->idom[hf_dominators_holder(d, h)], hf_dominators_top(d));
			cr_expect_eq(d->retained[hf_dominators_holder(d, h)], known[i].held[h],
				     "%s: holder %u retains %" PRIu64, known[i].what, h,
				     d->retained[hf_dominators_holder(d, h)]);
		}
		cr_expect_eq(d->idom[hf_dominators_top(d)], HF_NO_BLOCK);
		hf_dominators_destroy(d);
		hf_graph_destroy(g);
	}
}

Test(dominators, of_no_blocks_are_the_top_and_the_holders)
{
	static const uint32_t none[1] = {0};
	struct hf_graph *g;

	cr_assert_null(hf_graph_create(NULL, 0, 0, &g));
	for (uint32_t holders = 0; holders < 3; holders++) {
		struct hf_dominators *d = dominate(g, none, holders);

		cr_expect_eq(d->n, holders + 1);
		cr_expect_eq(d->order[0], hf_dominators_top(d));
		cr_expect_eq(d->retained[hf_dominators_top(d)], 0);
		hf_dominators_destroy(d);
	}
	hf_graph_destroy(g);
	hf_dominators_destroy(NULL);
}

Test(dominators, leave_the_graph_as_it_is)
{
	static const struct test_edge edges[] = {{0, 1}, {1, 2}};
	static const uint32_t of[] = {0, 0};
	struct hf_graph *g = make(3, edges, HF_LEN(edges));

	for (uint32_t r = 0; r < 2; r++) {
		struct hf_dominators *d;

		cr_assert_null(root_graph(g, 2 - r, 0, 0)); /* a query would make it too late for this */
		d = dominate(g, of, 1);
		cr_expect_eq(d->n, 3 + r);
		cr_expect_null(g->live);
		cr_expect_null(g->back_start);
		hf_dominators_destroy(d);
	}
	hf_graph_destroy(g);
}

/* ---- what is refused ---- */

Test(dominators, holder_that_does_not_exist_is_refused)
{
	static const struct {
		uint32_t of[2], holders;
		const char *part;
	} rows[] = {
		{{0, 2}, 2, "root 1 is of holder 2, but there are only 2"},
		{{HF_NO_BLOCK, 0}, 2, "root 0 is of holder 4294967295"},
		{{0, 0}, 0, "root 0 is of holder 0, but there are only 0"},
	};
	struct hf_graph *g = make(2, NULL, 0);

	cr_assert_null(root_graph(g, 0, 0, 0));
	cr_assert_null(root_graph(g, 1, 1, 0));
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_dominators *d = NULL;

		assert_err(hf_dominators_create(g, rows[i].of, rows[i].holders, &d), HF_USAGE, rows[i].part);
		cr_expect_null(d);
	}
	hf_graph_destroy(g);
}

Test(dominators, more_nodes_or_edges_than_32_bits_count_are_refused)
{
	uint32_t start[] = {0, 0};
	/* Never read: refused by the numbers alone. */
	const struct {
		uint32_t edges, holders;
		size_t roots;
	} rows[] = {
		{0, UINT32_MAX, 0},         {0, UINT32_MAX - 1, 0}, {0, UINT32_MAX - 2, 0},
		{UINT32_MAX - 1, 1, 0},     {UINT32_MAX - 1, 0, 1}, {1u << 31, 1u << 30, 1u << 30},
		{0, 1, (size_t)UINT32_MAX},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_graph g = {.blocks = 1, .start = start, .roots.n = rows[i].roots};
		struct hf_dominators *d = NULL;

		start[1] = rows[i].edges;
		assert_err(hf_dominators_create(&g, NULL, rows[i].holders, &d), HF_UNSUPPORTED,
			   "can be handled");
		cr_expect_null(d, "row %zu", i);
	}
}

static void interrupt_once(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	cr_expect_str_eq(stage, "dominators");
	cr_expect_lt(done, total);
	++*(int *)arg;
	hf_interrupt();
}

Test(dominators, interrupted_before_or_amid_leave_nothing)
{
	enum { MANY = 200000 };
	struct test_edge *edges = hf_calloc(MANY, sizeof(*edges));
	uint32_t of = 0;
	struct hf_dominators *d = NULL;
	struct hf_graph *g;
	int told = 0;

	for (uint32_t b = 0; b + 1 < MANY; b++)
		edges[b] = (struct test_edge){b, b + 1};
	g = make(MANY, edges, MANY - 1);
	hf_free(edges);
	cr_assert_null(root_graph(g, 0, 0, 0));
	hf_interrupt();
	assert_err(hf_dominators_create(g, &of, 1, &d), HF_INTERRUPTED, "interrupted");
	hf_interrupt_clear();
	hf_progress_set(interrupt_once, &told);
	assert_err(hf_dominators_create(g, &of, 1, &d), HF_INTERRUPTED, "interrupted");
	cr_expect_eq(told, 1);
	cr_expect_null(d);
	hf_progress_set(NULL, NULL);
	hf_interrupt_clear();
	d = dominate(g, &of, 1);
	assert_err(hf_dominators_measure(d, interrupt_us, NULL), HF_INTERRUPTED, "interrupted");
	cr_expect_eq(d->retained[0], (uint64_t)MANY * (MANY + 1) / 2, "the old sums are gone");
	hf_interrupt_clear();
	hf_dominators_destroy(d);
	hf_graph_destroy(g);
}

Test(dominators, sums_that_do_not_fit_stay_at_the_most)
{
	static const struct test_edge edges[] = {{0, 1}, {0, 2}, {0, 3}};
	static const uint32_t of[] = {0};
	struct hf_graph *g = make(4, edges, HF_LEN(edges));
	struct hf_dominators *d;

	cr_assert_null(root_graph(g, 0, 0, 0));
	d = dominate(g, of, 1);
	cr_expect_eq(d->retained[0], 10);
	cr_assert_null(hf_dominators_measure(d, all_huge, NULL));
	cr_expect_eq(d->retained[3], UINT64_MAX / 2);
	cr_expect_eq(d->retained[0], UINT64_MAX);
	cr_expect_eq(d->retained[hf_dominators_top(d)], UINT64_MAX);
	cr_expect_eq(d->retained_blocks[hf_dominators_top(d)], 4);
	hf_dominators_destroy(d);
	hf_graph_destroy(g);
}

Test(dominators, survive_each_failed_allocation)
{
	/* 0 -> 1 -> 2 -> 0, 3 -> 2 */
	static const struct test_edge edges[] = {{0, 1}, {1, 2}, {2, 0}, {3, 2}};
	static const uint32_t of[] = {0, 1};
	struct hf_graph *g = make(4, edges, HF_LEN(edges));
	bool failed = true;

	cr_assert_null(root_graph(g, 0, 0, 0));
	cr_assert_null(root_graph(g, 3, 0, 0));
	for (unsigned long nth = 1; failed; nth++) {
		struct hf_dominators *d = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_dominators_create(g, of, 2, &d);
		if (!err)
			err = hf_dominators_measure(d, count_up, NULL);
		if (!err)
			err = hf_dominators_measure(d, count_up, NULL);
		hf_alloc_fail_nth(0);
		failed = err != NULL;
		if (failed) {
			cr_expect_eq(hf_err_code(err), HF_NOMEM);
			hf_err_destroy(err);
			if (d && d->retained)
				cr_expect_eq(d->retained[hf_dominators_top(d)], 10, "the old sums stay");
		} else {
			cr_expect_gt(nth, 17, "only %lu allocations failed", nth - 1);
			cr_expect_eq(d->retained[hf_dominators_top(d)], 10);
		}
		hf_dominators_destroy(d);
	}
	hf_graph_destroy(g);
}

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

/* ---- large graphs: what is quadratic, or recursive, does not end ---- */

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

/* Layers of 64, each block to all of the next layer; but the last of a layer alone leads on from every third. */
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

/* A list of half of the blocks; its end and its begin lead to all of the others: each climbs the whole list, if it climbs
 * by steps. */
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

/* Two rails: down one, a rung from each to the other, and up the other: what iterates settles one block a round. */
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
