#include "../../src/base/workers.h"
#include "dominate.h"

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

/* ---- small graphs with known answers ---- */

/* Up to 8 blocks, 3 roots and 2 holders; edges end with {0, 0}, roots with HF_NO_BLOCK. Nodes: H and I are
 * the holders, T is the top, - is none. */
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
