#include "../../src/base/workers.h"
#include "graph_make.h"
#include "random.h"

#include <criterion/criterion.h>

/* 0 -> 1 -> 2 -> 0, 1 -> 1, 0 -> 2 twice, 3 -> 4; 5 alone */
static const struct test_edge small[] = {{0, 1}, {0, 2}, {0, 2}, {1, 1}, {1, 2}, {2, 0}, {3, 4}};

static struct hf_graph *make_small(uint32_t chunk_blocks)
{
	struct hf_graph *g;

	cr_assert_null(make_graph(6, chunk_blocks, small, HF_LEN(small), &g));
	return g;
}

static void assert_live(struct hf_graph *g, const char *expected)
{
	for (uint32_t b = 0; b < g->blocks; b++)
		cr_expect_eq(hf_graph_is_live(g, b), expected[b] == '1', "block %u of %s", b, expected);
}

static void assert_err(struct hf_err *err, enum hf_err_code code, const char *part)
{
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	cr_expect_not_null(strstr(hf_err_message(err), part), "%s", hf_err_message(err));
	hf_err_destroy(err);
}

Test(graph, chunks_of_any_size_make_the_same_graph)
{
	static const uint32_t start[] = {0, 3, 5, 6, 7, 7, 7};

	for (uint32_t chunk = 1; chunk <= 7; chunk++) {
		struct hf_graph *g = make_small(chunk);

		cr_expect_arr_eq(g->start, start, sizeof(start));
		for (size_t e = 0; e < HF_LEN(small); e++)
			cr_expect_eq(g->edges[e], small[e].to, "edge %zu", e);
		hf_graph_destroy(g);
	}
}

Test(graph, no_blocks_make_an_empty_graph)
{
	struct hf_graph *g;
	struct hf_path *paths;
	uint32_t blocks, roots;
	size_t n;

	cr_assert_null(hf_graph_create(NULL, 0, 0, &g));
	cr_assert_null(hf_graph_mark(g));
	assert_err(hf_graph_retainers(g, 0, &blocks, &roots), HF_USAGE, "does not exist");
	assert_err(hf_graph_paths(g, 0, 1, &paths, &n), HF_USAGE, "does not exist");
	assert_err(root_graph(g, 0, 0, 0), HF_BADDATA, "block 0");
	hf_graph_destroy(g);
	hf_graph_destroy(NULL);
}

Test(graph, blocks_that_were_never_begun_have_no_edges)
{
	struct hf_graph_chunk c;
	struct hf_graph *g;

	cr_assert_null(hf_graph_chunk_init(&c, 0, 3));
	hf_graph_begin_block(&c);
	cr_assert_null(hf_graph_edge(&c, 2));
	cr_assert_null(hf_graph_create(&c, 1, 3, &g));
	cr_expect_eq(g->start[1], 1);
	cr_expect_eq(g->start[2], 1);
	cr_expect_eq(g->start[3], 1);
	hf_graph_destroy(g);
}

Test(graph, chunks_that_miss_a_block_are_refused)
{
	static const struct {
		uint32_t first[2], blocks[2], total;
	} rows[] = {
		{{0, 2}, {1, 2}, 4}, /* a gap */
		{{0, 1}, {2, 2}, 4}, /* an overlap */
		{{1, 2}, {1, 2}, 4}, /* the first is missing */
		{{0, 2}, {2, 1}, 4}, /* the last is missing */
		{{0, 2}, {2, 3}, 4}, /* one too many */
		{{2, 0}, {2, 2}, 4}, /* out of order */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_graph_chunk c[2];
		struct hf_graph *g = NULL;

		cr_assert_null(hf_graph_chunk_init(&c[0], rows[i].first[0], rows[i].blocks[0]));
		cr_assert_null(hf_graph_chunk_init(&c[1], rows[i].first[1], rows[i].blocks[1]));
		assert_err(hf_graph_create(c, 2, rows[i].total, &g), HF_USAGE, "chunk");
		cr_expect_null(g, "row %zu", i);
	}
}

Test(graph, edge_to_a_block_that_does_not_exist_is_refused)
{
	static const uint32_t beyond[] = {6, 7, UINT32_MAX - 1, HF_NO_BLOCK};

	for (size_t i = 0; i < HF_LEN(beyond); i++) {
		struct test_edge edges[] = {{0, 1}, {4, beyond[i]}, {5, 0}};
		struct hf_graph *g = NULL;

		assert_err(make_graph(6, 2, edges, HF_LEN(edges), &g), HF_BADDATA, "only 6");
		cr_expect_null(g);
	}
}

Test(graph, more_edges_than_32_bits_count_are_refused)
{
	struct hf_graph_chunk c;
	struct hf_graph *g = NULL;

	cr_assert_null(hf_graph_chunk_init(&c, 0, 1));
	c.edges.n = UINT32_MAX; /* never read: refused by the number alone */
	assert_err(hf_graph_create(&c, 1, 1, &g), HF_UNSUPPORTED, "4294967295 pointers");
	cr_expect_null(g);
}

Test(graph, root_of_no_block_is_dropped)
{
	struct hf_graph *g = make_small(6);

	cr_assert_null(root_graph(g, HF_NO_BLOCK, 0, 0));
	cr_expect_eq(g->roots.n, 0);
	cr_assert_null(root_graph(g, 5, 0, 0));
	cr_expect_eq(g->roots.n, 1);
	hf_graph_destroy(g);
}

Test(graph, root_added_after_a_mark_is_counted_by_the_next)
{
	struct hf_graph *g = make_small(6);

	cr_assert_null(root_graph(g, 3, 0, 0));
	cr_assert_null(hf_graph_mark(g));
	cr_assert_null(root_graph(g, 5, 1, 0));
	assert_live(g, "000110");
	cr_assert_null(hf_graph_mark(g));
	assert_live(g, "000111");
	hf_graph_destroy(g);
}

Test(graph, root_added_after_a_query_is_refused)
{
	struct hf_graph *g = make_small(6);
	uint32_t blocks, roots;

	cr_assert_null(hf_graph_retainers(g, 0, &blocks, &roots));
	assert_err(root_graph(g, 5, 0, 0), HF_USAGE, "queried");
	cr_expect_eq(g->roots.n, 0);
	hf_graph_destroy(g);
}

Test(graph, mark_reaches_what_the_roots_reach)
{
	static const struct {
		uint32_t roots[3];
		const char *live;
	} rows[] = {
		{{HF_NO_BLOCK, HF_NO_BLOCK, HF_NO_BLOCK}, "000000"},
		{{0, HF_NO_BLOCK, HF_NO_BLOCK}, "111000"},
		{{1, HF_NO_BLOCK, HF_NO_BLOCK}, "111000"},
		{{4, HF_NO_BLOCK, HF_NO_BLOCK}, "000010"},
		{{3, 3, 3}, "000110"},
		{{5, 4, HF_NO_BLOCK}, "000011"},
		{{2, 3, 5}, "111111"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_graph *g = make_small(4);

		for (uint32_t r = 0; r < 3; r++)
			cr_assert_null(root_graph(g, rows[i].roots[r], r, 0));
		cr_assert_null(hf_graph_mark(g));
		assert_live(g, rows[i].live);
		cr_assert_null(hf_graph_mark(g)); /* again: the same */
		assert_live(g, rows[i].live);
		hf_graph_destroy(g);
	}
}

Test(graph, retainers_count_each_block_once_and_not_itself)
{
	static const struct {
		uint32_t blocks, roots;
	} rows[] = {{1, 0}, {1, 2}, {2, 0}, {0, 1}, {1, 0}, {0, 0}};
	struct hf_graph *g = make_small(2);

	cr_assert_null(root_graph(g, 1, 7, 0));
	cr_assert_null(root_graph(g, 3, 7, 0));
	cr_assert_null(root_graph(g, 1, 7, 0));
	for (uint32_t b = 0; b < HF_LEN(rows); b++) {
		uint32_t blocks, roots;

		cr_assert_null(hf_graph_retainers(g, b, &blocks, &roots));
		cr_expect_eq(blocks, rows[b].blocks, "block %u: %u blocks", b, blocks);
		cr_expect_eq(roots, rows[b].roots, "block %u: %u roots", b, roots);
	}
	hf_graph_destroy(g);
}

Test(graph, interrupted_query_leaves_the_graph_usable)
{
	struct hf_graph *g = make_small(2);
	uint32_t blocks, roots;
	struct hf_path *paths;
	size_t n;

	cr_assert_null(root_graph(g, 0, 0, 0));
	hf_interrupt();
	assert_err(hf_graph_mark(g), HF_INTERRUPTED, "interrupted");
	cr_expect_null(g->live);
	assert_err(hf_graph_retainers(g, 2, &blocks, &roots), HF_INTERRUPTED, "interrupted");
	assert_err(hf_graph_paths(g, 2, 1, &paths, &n), HF_INTERRUPTED, "interrupted");
	hf_interrupt_clear();
	cr_assert_null(hf_graph_mark(g));
	cr_assert_null(hf_graph_retainers(g, 2, &blocks, &roots));
	cr_expect_eq(blocks, 2);
	hf_graph_destroy(g);
}

/* ---- graphs large enough for several threads, against a plain search ---- */

enum { LARGE = 400000, LARGE_EDGES = 1600000 };

static struct test_edge *make_large_edges(uint64_t *seed)
{
	struct test_edge *edges = hf_calloc(LARGE_EDGES, sizeof(*edges));

	cr_assert_not_null(edges);
	for (uint32_t e = 0; e < LARGE_EDGES; e++)
		edges[e] = (struct test_edge){e / (LARGE_EDGES / LARGE), random_below(seed, LARGE)};
	return edges;
}

/* Marks by sweeping over the edges until nothing changes. */
static void sweep(const struct test_edge *edges, uint8_t *live)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t e = 0; e < LARGE_EDGES; e++)
			if (live[edges[e].from] && !live[edges[e].to])
				live[edges[e].to] = true, changed = true;
	}
}

Test(graph, large_graph_on_threads_is_marked_as_by_a_plain_search, .timeout = 120)
{
	uint64_t seed = 20240229;
	_free_ struct test_edge *edges = make_large_edges(&seed);
	_free_ uint8_t *live = hf_calloc(LARGE, 1);

	for (unsigned threads = 1; threads <= 3; threads++) {
		struct hf_graph *g;

		hf_workers_set(threads);
		cr_assert_null(make_graph(LARGE, 10007, edges, LARGE_EDGES, &g));
		for (uint32_t i = 0; i < 1000; i++) {
			uint32_t b = random_below(&seed, LARGE / 2);

			live[b] = true;
			cr_assert_null(root_graph(g, b, i, 0));
		}
		sweep(edges, live);
		cr_assert_null(hf_graph_mark(g));
		for (uint32_t b = 0; b < LARGE; b++)
			cr_assert_eq(hf_graph_is_live(g, b), live[b], "block %u, %u threads", b, threads);
		memset(live, 0, LARGE);
		hf_graph_destroy(g);
	}
}

Test(graph, large_graph_on_threads_is_reversed_in_order, .timeout = 120)
{
	uint64_t seed = 7;
	_free_ struct test_edge *edges = make_large_edges(&seed);
	_free_ uint32_t *next = hf_calloc(LARGE, sizeof(*next));

	for (unsigned threads = 1; threads <= HF_WORKERS_MAX; threads += 7) {
		struct hf_graph *g;
		uint32_t blocks, roots;

		hf_workers_set(threads);
		cr_assert_null(make_graph(LARGE, 50000, edges, LARGE_EDGES, &g));
		cr_assert_null(hf_graph_retainers(g, 0, &blocks, &roots));
		memcpy(next, g->back_start, LARGE * sizeof(*next));
		for (size_t e = 0; e < LARGE_EDGES; e++)
			cr_assert_eq(g->back_edges[next[edges[e].to]++], edges[e].from, "edge %zu", e);
		for (uint32_t b = 0; b < LARGE; b++)
			cr_assert_eq(next[b], g->back_start[b + 1], "block %u", b);
		hf_graph_destroy(g);
	}
}

Test(graph, more_threads_than_blocks_reverse_a_crowded_block)
{
	struct hf_graph_chunk c;
	struct hf_graph *g;
	uint32_t blocks, roots;

	hf_workers_set(HF_WORKERS_MAX);
	cr_assert_null(hf_graph_chunk_init(&c, 0, 9));
	for (uint32_t b = 0; b < 9; b++) {
		hf_graph_begin_block(&c);
		for (uint32_t i = 0; i < 150000; i++)
			cr_assert_null(hf_graph_edge(&c, 8));
	}
	cr_assert_null(hf_graph_create(&c, 1, 9, &g));
	cr_assert_null(hf_graph_retainers(g, 8, &blocks, &roots));
	cr_expect_eq(blocks, 8);
	cr_expect_eq(g->back_start[8], 0);
	cr_expect_eq(g->back_start[9], 1350000);
	hf_graph_destroy(g);
}

/* ---- no memory ---- */

Test(graph, create_and_queries_survive_each_failed_allocation)
{
	bool failed = true;

	for (unsigned long nth = 1; failed; nth++) {
		struct hf_graph *g = NULL;
		uint32_t blocks, roots;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = make_graph(6, 2, small, HF_LEN(small), &g);
		if (!err)
			err = root_graph(g, 0, 1, 1);
		if (!err)
			err = hf_graph_mark(g);
		if (!err)
			err = hf_graph_retainers(g, 2, &blocks, &roots);
		hf_alloc_fail_nth(0);
		failed = err != NULL;
		if (failed) {
			assert_err(err, HF_NOMEM, "out of memory");
		} else {
			cr_expect_eq(blocks, 2);
			cr_expect_gt(nth, 10, "only %lu allocations failed", nth - 1);
		}
		hf_graph_destroy(g);
	}
}
