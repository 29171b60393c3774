#include "../../src/graph/parties.h"
#include "graph_make.h"
#include "random.h"

#include <criterion/criterion.h>

#define NONE HF_NO_PARTY

static struct hf_graph *graph;

static void teardown(void)
{
	hf_graph_destroy(graph);
	graph = NULL;
}

TestSuite(parties, .fini = teardown);

static bool is_set(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/* A global leads to 1 and to the list of all tasks, 2, and that to their descriptors 3, 4 and 5. Each of those leads to
 * what its task waits on, and that back to it: 6, 7, 8. The stacks: task 0 has 9, task 1 has 10 -> 8, task 2 has 11. 1 -> 6. */
static const struct test_edge tasks_edges[] = {{1, 6}, {2, 3}, {2, 4}, {2, 5}, {3, 6}, {4, 7},
					       {5, 8}, {6, 3}, {7, 4}, {8, 5}, {9, 7}, {10, 8}};
static const uint32_t tasks_roots[] = {1, 2, 9, 10, 11}, tasks_of_root[] = {NONE, NONE, 0, 1, 2};
static const struct hf_party_block tasks_own[] = {{2, 5}, {0, 3}, {1, 4}};
static const struct hf_party_block tasks_keys[] = {{0, 6}, {1, 7}, {2, 8}};
static const struct hf_parties tasks = {
	.n = 3, .of_root = tasks_of_root, .own = tasks_own, .own_n = 3, .keys = tasks_keys, .keys_n = 3};

static void make_tasks(void)
{
	cr_assert_null(make_graph(12, 5, tasks_edges, HF_LEN(tasks_edges), &graph));
	for (size_t i = 0; i < HF_LEN(tasks_roots); i++)
		cr_assert_null(root_graph(graph, tasks_roots[i], (uint32_t)i, 0));
}

Test(parties, keys_that_are_reached_open_one_after_another)
{
	struct hf_gate *gate;

	make_tasks();
	cr_assert_null(hf_gate_create(graph, &tasks, &gate));
	cr_assert_null(hf_gate_run(gate));
	/* 1 -> 6 opens task 0, whose 9 -> 7 opens task 1, whose 10 -> 8 opens task 2. */
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect(gate->open[i]);
		cr_expect_eq(gate->key[i], 6 + i);
	}
	cr_expect(is_set(gate->live, 11));
	cr_expect_not(is_set(gate->live, 0));
	hf_gate_destroy(gate);
}

Test(parties, what_only_descriptors_lead_to_opens_nothing)
{
	static const uint32_t of_root[] = {2, NONE, 0, 1, 2}; /* 1 is of task 2 now: nobody else has 6 */
	struct hf_parties p = tasks;
	struct hf_gate *gate;

	p.of_root = of_root;
	make_tasks();
	cr_assert_null(hf_gate_create(graph, &p, &gate));
	cr_assert_null(hf_gate_run(gate));
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_not(gate->open[i]);
		cr_expect_eq(gate->key[i], HF_NO_BLOCK);
	}
	for (uint32_t b = 6; b < 12; b++)
		cr_expect_not(is_set(gate->live, b));
	/* Opened from outside, the others follow. */
	hf_gate_open(gate, 2);
	hf_gate_open(gate, 2);
	cr_assert_null(hf_gate_run(gate));
	cr_expect(gate->open[0] && gate->open[1] && gate->open[2]);
	cr_expect_eq(gate->key[2], HF_NO_BLOCK);
	cr_expect_eq(gate->key[1], 7);
	hf_gate_destroy(gate);
}

Test(parties, path_begins_at_a_root_that_counts)
{
	struct hf_gate *gate;
	struct hf_path path;

	make_tasks();
	cr_assert_null(hf_gate_create(graph, &tasks, &gate));
	cr_assert_null(hf_gate_run(gate));
	cr_assert_null(hf_gate_path(gate, 8, &path));
	cr_assert_eq(path.n, 2);
	cr_expect_eq(path.root, 3);
	cr_expect_eq(path.path[0], 10);
	cr_expect_eq(path.path[1], 8);
	hf_free(path.path);
	/* An own block, and one that nothing reaches. */
	cr_assert_null(hf_gate_path(gate, 3, &path));
	cr_expect_eq(path.n, 0);
	cr_assert_null(hf_gate_path(gate, 0, &path));
	cr_expect_eq(path.n, 0);
	hf_gate_destroy(gate);
}

Test(parties, each_holds_what_no_other_reaches)
{
	/* 0: of 9; 1: of 10; 2: of 11. 8 is reached by task 1's stack and by task 2's descriptor, 7 by 0's and 1's. */
	static const uint32_t expected[] = {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 0, 1, 2};
	uint32_t *held;

	make_tasks();
	cr_assert_null(hf_parties_hold(graph, &tasks, &held));
	for (uint32_t b = 0; b < 12; b++)
		cr_expect_eq(held[b], expected[b], "block %u: %u", b, held[b]);
	hf_free(held);
}

Test(parties, own_blocks_lead_on_for_their_party_alone)
{
	static const uint32_t of_root[] = {NONE, NONE, 0, 0,
					   0}; /* one party: all but 6, which the global has */
	static const struct hf_party_block own[] = {{0, 3}, {0, 4}, {0, 5}};
	struct hf_parties p = {.n = 1, .of_root = of_root, .own = own, .own_n = 3};
	uint32_t *held;

	make_tasks();
	cr_assert_null(hf_parties_hold(graph, &p, &held));
	for (uint32_t b = 0; b < 12; b++)
		cr_expect_eq(held[b], b >= 7 ? 0 : NONE, "block %u: %u", b, held[b]);
	hf_free(held);
}

/* Cycles between what two hold are held by both. */
Test(parties, cycle_that_two_reach_is_no_ones)
{
	static const struct test_edge edges[] = {{0, 2}, {1, 3}, {2, 3}, {3, 2}, {3, 4}, {4, 4}};
	static const uint32_t of_root[] = {0, 1};
	const struct hf_parties p = {.n = 2, .of_root = of_root};
	uint32_t *held;

	cr_assert_null(make_graph(5, 5, edges, HF_LEN(edges), &graph));
	cr_assert_null(root_graph(graph, 0, 0, 0));
	cr_assert_null(root_graph(graph, 1, 1, 0));
	cr_assert_null(hf_parties_hold(graph, &p, &held));
	cr_expect_eq(held[0], 0);
	cr_expect_eq(held[1], 1);
	for (uint32_t b = 2; b < 5; b++)
		cr_expect_eq(held[b], NONE);
	hf_free(held);
}

Test(parties, empty_graph_has_nothing)
{
	const struct hf_parties p = {0};
	struct hf_gate *gate;
	uint32_t *held;

	cr_assert_null(make_graph(0, 1, NULL, 0, &graph));
	cr_assert_null(hf_gate_create(graph, &p, &gate));
	cr_assert_null(hf_gate_run(gate));
	hf_gate_destroy(gate);
	cr_assert_null(hf_parties_hold(graph, &p, &held));
	hf_free(held);
}

Test(parties, what_there_is_not_is_refused)
{
	static const struct hf_party_block bad[] = {{3, 0}, {0, 12}, {NONE - 1, 1}, {0, UINT32_MAX}};
	static const uint32_t bad_root[] = {NONE, 3, 0, 1, 2};

	make_tasks();
	for (size_t i = 0; i <= 2 * HF_LEN(bad); i++) {
		struct hf_parties p = tasks;
		struct hf_gate *gate;
		struct hf_err *err;
		uint32_t *held;

		if (i == 2 * HF_LEN(bad)) {
			p.of_root = bad_root;
		} else if (i < HF_LEN(bad)) {
			p.own = &bad[i];
			p.own_n = 1;
		} else {
			p.keys = &bad[i - HF_LEN(bad)];
			p.keys_n = 1;
		}
		err = hf_gate_create(graph, &p, &gate);
		cr_expect_eq(hf_err_code(err), HF_BADDATA, "%zu", i);
		hf_err_destroy(err);
		err = hf_parties_hold(graph, &p, &held);
		cr_expect_eq(hf_err_code(err), HF_BADDATA, "%zu", i);
		hf_err_destroy(err);
	}
}

/* Own blocks of two, keys that are own, keys twice, keys of all: nothing is marked twice, and it ends. */
Test(parties, lists_that_overlap_end)
{
	static const struct hf_party_block own[] = {{0, 3}, {1, 3}, {1, 3}, {NONE, 4}, {2, 4}};
	static const struct hf_party_block keys[] = {{0, 3}, {1, 6}, {0, 6}, {2, 6}, {2, 6}, {1, 1}};
	struct hf_parties p = tasks;
	struct hf_gate *gate;
	uint32_t *held;

	p.own = own;
	p.own_n = HF_LEN(own);
	p.keys = keys;
	p.keys_n = HF_LEN(keys);
	make_tasks();
	cr_assert_null(hf_gate_create(graph, &p, &gate));
	cr_assert_null(hf_gate_run(gate));
	cr_expect(gate->open[0] && gate->open[1] && gate->open[2]);
	cr_expect_eq(gate->key[1], 1);
	cr_expect(is_set(gate->live, 7), "what belongs to none leads on from the start");
	hf_gate_destroy(gate);
	cr_assert_null(hf_parties_hold(graph, &p, &held));
	cr_expect_eq(held[7], NONE);
	hf_free(held);
}

/* ---- against the plain way ------------------------------------------------------------------------------------- */

enum { BLOCKS = 40, PARTIES = 6, ROOTS = 12, EDGES = 90, LISTED = 8 };

struct random_parties {
	struct hf_parties p;
	uint32_t of_root[ROOTS];
	struct hf_party_block own[LISTED], keys[LISTED];
	bool is_own[BLOCKS];
};

static int compare_edges(const void *a, const void *b)
{
	const struct test_edge *x = a, *y = b;

	return x->from != y->from ? (x->from < y->from ? -1 : 1) : 0;
}

static void make_random(uint64_t *seed, struct random_parties *r)
{
	struct test_edge edges[EDGES];

	*r = (struct random_parties){0};
	for (size_t i = 0; i < EDGES; i++)
		edges[i] = (struct test_edge){(uint32_t)(random_next(seed) % BLOCKS),
					      (uint32_t)(random_next(seed) % BLOCKS)};
	qsort(edges, EDGES, sizeof(*edges), compare_edges);
	cr_assert_null(make_graph(BLOCKS, 7, edges, EDGES, &graph));
	for (uint32_t i = 0; i < ROOTS; i++) {
		cr_assert_null(root_graph(graph, (uint32_t)(random_next(seed) % BLOCKS), i, 0));
		r->of_root[i] = (uint32_t)(random_next(seed) % (PARTIES + 1));
		r->of_root[i] = r->of_root[i] == PARTIES ? NONE : r->of_root[i];
	}
	for (uint32_t i = 0; i < LISTED; i++) {
		/* Own blocks are of one party each, and are no keys. */
		r->own[i] = (struct hf_party_block){i % PARTIES, i};
		r->is_own[i] = true;
		r->keys[i] =
			(struct hf_party_block){(uint32_t)(random_next(seed) % PARTIES),
						LISTED + (uint32_t)(random_next(seed) % (BLOCKS - LISTED))};
	}
	r->p = (struct hf_parties){PARTIES, r->of_root, r->own, LISTED, r->keys, LISTED};
}

/* All that the parties of a set reach, with what belongs to none. */
static void reach_plainly(const struct random_parties *r, uint32_t set, bool none, bool *ret)
{
	bool changed = true;

	memset(ret, 0, BLOCKS);
	for (uint32_t i = 0; i < ROOTS; i++)
		if (r->of_root[i] == NONE ? none : set >> r->of_root[i] & 1)
			ret[graph->roots.at[i].block] = true;
	while (changed) {
		changed = false;
		for (uint32_t b = 0; b < BLOCKS; b++) {
			if (r->is_own[b] ? !(set >> r->own[b].party & 1) : !ret[b])
				continue;
			for (uint32_t e = graph->start[b]; e < graph->start[b + 1]; e++) {
				changed |= !ret[graph->edges[e]];
				ret[graph->edges[e]] = true;
			}
		}
	}
}

Test(parties, random_graphs_agree_with_the_plain_way, .timeout = 60)
{
	uint64_t seed = 7;

	for (int round = 0; round < 400; round++) {
		struct random_parties r;
		bool reached[BLOCKS], by[PARTIES + 1][BLOCKS];
		uint32_t set = 0, before = 1, *held;
		struct hf_gate *gate;

		make_random(&seed, &r);
		while (set != before) {
			before = set;
			reach_plainly(&r, set, true, reached);
			for (size_t i = 0; i < LISTED; i++)
				set |= (uint32_t)reached[r.keys[i].block] << r.keys[i].party;
		}
		cr_assert_null(hf_gate_create(graph, &r.p, &gate));
		cr_assert_null(hf_gate_run(gate));
		for (uint32_t i = 0; i < PARTIES; i++)
			cr_assert_eq(gate->open[i], set >> i & 1, "round %d, party %u", round, i);
		for (uint32_t b = LISTED; b < BLOCKS; b++)
			cr_assert_eq(is_set(gate->live, b), reached[b], "round %d, block %u", round, b);
		hf_gate_destroy(gate);

		for (uint32_t i = 0; i <= PARTIES; i++)
			reach_plainly(&r, i < PARTIES ? 1u << i : 0, i == PARTIES, by[i]);
		cr_assert_null(hf_parties_hold(graph, &r.p, &held));
		for (uint32_t b = 0; b < BLOCKS; b++) {
			uint32_t owner = NONE, n = 0;

			for (uint32_t i = 0; i <= PARTIES; i++)
				if (by[i][b]) {
					owner = i;
					n++;
				}
			if (n != 1 || owner == PARTIES || r.is_own[b])
				owner = NONE;
			cr_assert_eq(held[b], owner, "round %d, block %u: %u, not %u", round, b, held[b],
				     owner);
		}
		hf_free(held);
		teardown();
	}
}

Test(parties, each_failed_allocation_is_an_error)
{
	unsigned long failures = 0;

	make_tasks();
	for (unsigned long nth = 1; nth < 40; nth++) {
		struct hf_gate *gate = NULL;
		uint32_t *held = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_gate_create(graph, &tasks, &gate);
		if (!err) {
			hf_gate_destroy(gate);
			err = hf_parties_hold(graph, &tasks, &held);
		}
		hf_alloc_fail_nth(0);
		failures += err != NULL;
		cr_expect(!err || hf_err_code(err) == HF_NOMEM);
		hf_err_destroy(err);
		hf_free(held);
	}
	cr_expect_gt(failures, 12);
}
