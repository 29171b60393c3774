#include "../../src/base/workers.h"
#include "graph_make.h"
#include "random.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define NONE 0

static void assert_path(const struct hf_path *path, uint32_t root, const uint32_t *blocks, uint32_t n)
{
	cr_expect_eq(path->root, root, "root %u, not %u", path->root, root);
	cr_assert_eq(path->n, n, "%u blocks, not %u", path->n, n);
	for (uint32_t i = 0; i < n; i++)
		cr_expect_eq(path->path[i], blocks[i], "block %u is %u, not %u", i, path->path[i], blocks[i]);
}

static struct hf_graph *make(uint32_t blocks, const struct test_edge *edges, size_t n)
{
	struct hf_graph *g;

	cr_assert_null(make_graph(blocks, 3, edges, n, &g));
	return g;
}

Test(paths, garbage_has_no_paths)
{
	static const struct test_edge edges[] = {{0, 1}, {2, 3}, {3, 2}};
	struct hf_graph *g = make(4, edges, HF_LEN(edges));
	struct hf_path *paths = NULL;
	size_t n = 99;

	cr_assert_null(root_graph(g, 0, 1, 1));
	for (int marked = 0; marked < 2; marked++) {
		cr_assert_null(hf_graph_paths(g, 2, 8, &paths, &n));
		cr_expect_eq(n, NONE);
		hf_paths_free(paths, n);
		cr_assert_null(hf_graph_mark(g));
	}
	hf_graph_destroy(g);
}

Test(paths, root_added_after_the_mark_gives_a_path)
{
	static const struct test_edge edges[] = {{0, 1}, {2, 1}};
	struct hf_graph *g = make(3, edges, HF_LEN(edges));
	struct hf_path *paths;
	size_t n;

	cr_assert_null(root_graph(g, 0, 1, 1));
	cr_assert_null(hf_graph_mark(g));
	cr_assert_null(root_graph(g, 2, 2, 0));
	cr_assert_null(hf_graph_paths(g, 1, 8, &paths, &n));
	cr_assert_eq(n, 2);
	assert_path(&paths[0], 1, (uint32_t[]){2, 1}, 2);
	assert_path(&paths[1], 0, (uint32_t[]){0, 1}, 2);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

Test(paths, max_of_zero_gives_none)
{
	static const struct test_edge edges[] = {{0, 1}};
	struct hf_graph *g = make(2, edges, 1);
	struct hf_path *paths = NULL;
	size_t n = 99;

	cr_assert_null(root_graph(g, 0, 1, 1));
	cr_assert_null(hf_graph_paths(g, 1, 0, &paths, &n));
	cr_expect_eq(n, NONE);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

Test(paths, root_on_the_block_itself_is_a_path_of_one)
{
	static const struct test_edge edges[] = {{0, 0}, {0, 0}};
	struct hf_graph *g = make(1, edges, 2);
	struct hf_path *paths;
	size_t n;

	cr_assert_null(root_graph(g, 0, 1, 1));
	cr_assert_null(hf_graph_paths(g, 0, SIZE_MAX, &paths, &n));
	cr_assert_eq(n, 1);
	assert_path(&paths[0], 0, (uint32_t[]){0}, 1);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

Test(paths, of_one_length_the_lower_kind_comes_first_then_the_lower_root)
{
	/* 0, 1, 2 -> 3 */
	static const struct test_edge edges[] = {{0, 3}, {1, 3}, {2, 3}};
	struct hf_graph *g = make(4, edges, HF_LEN(edges));
	struct hf_path *paths;
	size_t n;

	cr_assert_null(root_graph(g, 2, 10, 2));
	cr_assert_null(root_graph(g, 2, 11, 1));
	cr_assert_null(root_graph(g, 0, 12, 1));
	cr_assert_null(root_graph(g, 1, 12, 1)); /* the same holder */
	cr_assert_null(root_graph(g, 1, 12, 0)); /* the same owner, another kind */
	cr_assert_null(hf_graph_paths(g, 3, 8, &paths, &n));
	cr_assert_eq(n, 4);
	assert_path(&paths[0], 4, (uint32_t[]){1, 3}, 2);
	assert_path(&paths[1], 1, (uint32_t[]){2, 3}, 2);
	assert_path(&paths[2], 2, (uint32_t[]){0, 3}, 2);
	assert_path(&paths[3], 0, (uint32_t[]){2, 3}, 2);
	hf_paths_free(paths, n);
	cr_assert_null(hf_graph_paths(g, 3, 2, &paths, &n));
	cr_assert_eq(n, 2);
	assert_path(&paths[1], 1, (uint32_t[]){2, 3}, 2);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

Test(paths, shorter_path_of_a_high_kind_comes_before_a_longer_of_a_low_kind)
{
	static const struct test_edge edges[] = {{0, 1}, {1, 2}};
	struct hf_graph *g = make(3, edges, HF_LEN(edges));
	struct hf_path *paths;
	size_t n;

	cr_assert_null(root_graph(g, 0, 1, 0));
	cr_assert_null(root_graph(g, 1, 2, 255));
	cr_assert_null(hf_graph_paths(g, 2, 1, &paths, &n));
	cr_assert_eq(n, 1);
	assert_path(&paths[0], 1, (uint32_t[]){1, 2}, 2);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

Test(paths, list_of_a_million_needs_no_stack, .timeout = 60)
{
	enum { LENGTH = 1000000 };
	_free_ struct test_edge *edges = hf_calloc(LENGTH, sizeof(*edges));
	struct hf_graph *g;
	struct hf_path *paths;
	size_t n;

	for (uint32_t i = 0; i < LENGTH; i++)
		edges[i] = (struct test_edge){i, (i + 1) % LENGTH};
	cr_assert_null(make_graph(LENGTH, LENGTH / 3, edges, LENGTH, &g));
	cr_assert_null(root_graph(g, 0, 1, 0));
	cr_assert_null(hf_graph_mark(g));
	cr_assert_null(hf_graph_paths(g, LENGTH - 1, 8, &paths, &n));
	cr_assert_eq(n, 1);
	cr_assert_eq(paths[0].n, LENGTH);
	for (uint32_t i = 0; i < LENGTH; i++)
		cr_assert_eq(paths[0].path[i], i);
	hf_paths_free(paths, n);
	hf_graph_destroy(g);
}

/* ---- random graphs against a brute-force answer ---- */

#define BLOCKS_MAX 12
#define ROOTS_MAX  10
#define FAR        1000u

struct model {
	uint32_t blocks, roots;
	uint32_t distance[BLOCKS_MAX][BLOCKS_MAX]; /* pointers to follow; FAR: no way */
	bool edge[BLOCKS_MAX][BLOCKS_MAX];
	struct hf_root root[ROOTS_MAX];
};

/* What is expected of one holder: its best root, how long its chain is. */
struct answer {
	uint32_t length, root;
	uint8_t kind;
};

static struct hf_graph *make_random(uint64_t *seed, struct model *m)
{
	uint32_t density = random_below(seed, 24);
	struct test_edge edges[2 * BLOCKS_MAX * BLOCKS_MAX];
	struct hf_graph *g;
	size_t n = 0;

	memset(m, 0, sizeof(*m));
	m->blocks = 1 + random_below(seed, BLOCKS_MAX);
	m->roots = random_below(seed, ROOTS_MAX + 1);
	for (uint32_t i = 0; i < m->blocks; i++)
		for (uint32_t j = 0; j < m->blocks; j++) {
			uint32_t to = random_below(seed, m->blocks); /* j picks how many, not where */

			for (uint32_t k = random_below(seed, 32) < density ? 1 + random_below(seed, 2) : 0; k;
			     k--)
				edges[n++] = (struct test_edge){i, to};
		}
	for (size_t e = 0; e < n; e++)
		m->edge[edges[e].from][edges[e].to] = true;
	cr_assert_null(make_graph(m->blocks, 1 + random_below(seed, BLOCKS_MAX), edges, n, &g));
	for (uint32_t r = 0; r < m->roots; r++) {
		m->root[r] = (struct hf_root){.block = random_below(seed, m->blocks),
					      .owner = random_below(seed, 4),
					      .kind = (uint8_t)random_below(seed, 3)};
		cr_assert_null(hf_graph_add_root(g, &m->root[r]));
	}
	return g;
}

static void measure(struct model *m)
{
	for (uint32_t i = 0; i < m->blocks; i++)
		for (uint32_t j = 0; j < m->blocks; j++)
			m->distance[i][j] = i == j ? 0 : m->edge[i][j] ? 1 : FAR;
	for (uint32_t k = 0; k < m->blocks; k++)
		for (uint32_t i = 0; i < m->blocks; i++)
			for (uint32_t j = 0; j < m->blocks; j++)
				m->distance[i][j] =
					hf_min(m->distance[i][j], m->distance[i][k] + m->distance[k][j]);
}

static int by_answer(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->root < y->root ? -1 : x->root > y->root;
}

static size_t expect_answers(const struct model *m, uint32_t target, struct answer *answers)
{
	size_t n = 0;

	for (uint32_t r = 0; r < m->roots; r++) {
		struct answer mine = {.length = m->distance[m->root[r].block][target] + 1,
				      .root = r,
				      .kind = m->root[r].kind};
		bool best = mine.length <= FAR;

		for (uint32_t o = 0; o < m->roots && best; o++) {
			uint32_t length = m->distance[m->root[o].block][target] + 1;

			if (m->root[o].owner == m->root[r].owner && m->root[o].kind == m->root[r].kind)
				best = length > mine.length || (length == mine.length && o >= r);
		}
		if (best)
			answers[n++] = mine;
	}
	qsort(answers, n, sizeof(*answers), by_answer);
	return n;
}

static void check_target(const struct model *m, struct hf_graph *g, uint32_t target, size_t max)
{
	struct answer answers[ROOTS_MAX];
	size_t expected = expect_answers(m, target, answers), n;
	struct hf_path *paths;

	cr_assert_null(hf_graph_paths(g, target, max, &paths, &n));
	cr_assert_eq(n, hf_min(expected, max), "%zu paths, not %zu", n, hf_min(expected, max));
	for (size_t i = 0; i < n; i++) {
		const struct hf_path *p = &paths[i];

		cr_assert_eq(p->root, answers[i].root, "path %zu: root %u, not %u", i, p->root,
			     answers[i].root);
		cr_assert_eq(p->n, answers[i].length, "path %zu: %u long, not %u", i, p->n,
			     answers[i].length);
		cr_assert_eq(p->path[0], m->root[p->root].block);
		cr_assert_eq(p->path[p->n - 1], target);
		for (uint32_t k = 0; k + 1 < p->n; k++)
			cr_assert(m->edge[p->path[k]][p->path[k + 1]], "no edge %u -> %u", p->path[k],
				  p->path[k + 1]);
	}
	hf_paths_free(paths, n);
}

static void check_retainers(const struct model *m, struct hf_graph *g, uint32_t block)
{
	uint32_t blocks, roots, expected_blocks = 0, expected_roots = 0;

	for (uint32_t i = 0; i < m->blocks; i++)
		expected_blocks += i != block && m->edge[i][block];
	for (uint32_t r = 0; r < m->roots; r++)
		expected_roots += m->root[r].block == block;
	cr_assert_null(hf_graph_retainers(g, block, &blocks, &roots));
	cr_assert_eq(blocks, expected_blocks);
	cr_assert_eq(roots, expected_roots);
}

static bool reached(const struct model *m, uint32_t block)
{
	for (uint32_t r = 0; r < m->roots; r++)
		if (m->distance[m->root[r].block][block] < FAR)
			return true;
	return false;
}

Test(paths, random_graphs_answer_as_brute_force_does, .timeout = 120)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;
	size_t garbage = 0, held = 0;

	for (int round = 0; round < 6000; round++) {
		struct model m;
		struct hf_graph *g = make_random(&seed, &m);
		bool marked = round % 2;

		measure(&m);
		if (marked)
			cr_assert_null(hf_graph_mark(g));
		for (uint32_t b = 0; b < m.blocks; b++) {
			if (marked)
				cr_assert_eq(hf_graph_is_live(g, b), reached(&m, b), "round %d, block %u",
					     round, b);
			check_target(&m, g, b, 1 + random_below(&seed, 4));
			check_target(&m, g, b, SIZE_MAX);
			check_retainers(&m, g, b);
			garbage += !reached(&m, b);
			held += reached(&m, b);
		}
		hf_graph_destroy(g);
	}
	cr_expect_gt(garbage, 5000, "the graphs are too dense to test: %zu", garbage);
	cr_expect_gt(held, 5000, "the graphs are too thin to test: %zu", held);
}

/* ---- no memory ---- */

Test(paths, survive_each_failed_allocation)
{
	/* 0 -> 1 -> 2 -> 3, 4 -> 3 */
	static const struct test_edge edges[] = {{0, 1}, {1, 2}, {2, 3}, {4, 3}};
	bool failed = true;

	for (unsigned long nth = 1; failed; nth++) {
		struct hf_graph *g = make(5, edges, HF_LEN(edges));
		struct hf_path *paths = NULL;
		struct hf_err *err;
		size_t n = 0;

		cr_assert_null(root_graph(g, 0, 1, 0));
		cr_assert_null(root_graph(g, 4, 2, 0));
		cr_assert_null(root_graph(g, 1, 3, 0));
		hf_alloc_fail_nth(nth);
		err = hf_graph_paths(g, 3, 8, &paths, &n);
		hf_alloc_fail_nth(0);
		failed = err != NULL;
		if (failed) {
			cr_expect_eq(hf_err_code(err), HF_NOMEM);
			cr_expect_null(paths);
			hf_err_destroy(err);
			/* The next question is answered. */
			cr_assert_null(hf_graph_paths(g, 3, 8, &paths, &n));
		} else {
			cr_expect_gt(nth, 8, "only %lu allocations failed", nth - 1);
		}
		cr_expect_eq(n, 3);
		hf_paths_free(paths, n);
		hf_graph_destroy(g);
	}
}
