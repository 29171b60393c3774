/* pools: what waits in them, beside a heap that is walked anew without each of them. */
#include "../../src/query/session.h"
#include "dominator_fake.h"
#include "random.h"

#include <criterion/criterion.h>

enum { BLOCKS = 48, POOLS = 5, ITEMS_MAX = 64, ROUNDS = 400 };

/* Pools 0..n-1 have one store each: block p. Their items are what these lead to. */
struct model {
	struct fake f;
	struct hf_runtime_ops ops;
	struct hf_pools list;
	struct hf_pool pools[POOLS];
	struct hf_pool_item items[ITEMS_MAX];
	uint32_t stores[POOLS], types[BLOCKS];
	uint64_t sizes[BLOCKS];
	const char *const *names; /* by pool */
};

static struct model m;

static struct hf_err *fake_pools(struct hf_runtime *rt, const uint8_t *live, struct hf_pools *ret)
{
	(void)rt;
	(void)live;
	*ret = m.list;
	return NULL;
}

static struct hf_err *fake_pool_name(struct hf_runtime *rt, uint32_t pool, struct hf_str *owner,
				     struct hf_str *path)
{
	(void)rt;
	hf_str_add(owner, m.names[pool]);
	hf_str_add(path, ".p");
	return NULL;
}

/* Each pool a row, but for the last two. */
static const char *const some_names[POOLS] = {"main.a", "main.b", "main.c", "main.T", "main.T"};

static uint32_t row_of(uint32_t pool)
{
	return hf_min(pool, 3u);
}

static void add_item(uint32_t pool, uint32_t block, uint8_t place)
{
	struct hf_pool_item *item = &m.items[m.list.items_n++];

	*item = (struct hf_pool_item){.addr = block == HF_NO_BLOCK ? 16 : FAKE_BASE + block * FAKE_SLOT,
				      .block = block,
				      .place = place};
	if (block != HF_NO_BLOCK) {
		item->type = m.types[block];
		item->whole = m.types[block] == 3 ? 0 : m.types[block];
	}
	m.pools[pool].n++;
}

/* g  taken: its blocks 0..pools-1 are the stores. */
static void open_model(struct hf_graph *g, uint32_t pools)
{
	m.list = (struct hf_pools){
		.pools = m.pools, .items = m.items, .stores = m.stores, .pools_n = pools, .stores_n = pools};
	m.names = some_names;
	for (uint32_t p = 0; p < pools; p++) {
		m.stores[p] = p;
		m.pools[p] = (struct hf_pool){.kind = "sync.Pool",
					      .addr = 0x1000 + p * 64,
					      .block = HF_NO_BLOCK,
					      .constructor_name = "",
					      .first = m.list.items_n,
					      .store = p,
					      .stores = 1};
		for (uint32_t e = g->start[p]; e < g->start[p + 1]; e++)
			add_item(p, g->edges[e], (uint8_t)(e % HF_POOL_PLACES_N));
	}
	fake_open(&m.f, g, m.types, m.sizes);
	m.ops = fake_ops;
	m.ops.pools = fake_pools;
	m.ops.pool_name = fake_pool_name;
	m.f.rt.ops = &m.ops;
}

/* Marks what is reached by ways that do not lead on from stores in `cut`, a bit a pool. */
static void reach(const struct hf_graph *g, uint32_t pools, uint32_t cut, bool *ret)
{
	uint32_t stack[BLOCKS], n = 0;

	memset(ret, 0, BLOCKS * sizeof(*ret));
	for (size_t i = 0; i < g->roots.n; i++)
		if (!ret[g->roots.at[i].block]) {
			ret[g->roots.at[i].block] = true;
			stack[n++] = g->roots.at[i].block;
		}
	while (n) {
		uint32_t b = stack[--n];

		for (uint32_t e = g->start[b]; !(b < pools && cut >> b & 1) && e < g->start[b + 1]; e++)
			if (!ret[g->edges[e]]) {
				ret[g->edges[e]] = true;
				stack[n++] = g->edges[e];
			}
	}
}

/* What would be freed if these pools were emptied. */
static uint64_t freed(const struct hf_graph *g, uint32_t pools, uint32_t cut)
{
	bool all[BLOCKS], left[BLOCKS];
	uint64_t sum = 0;

	reach(g, pools, 0, all);
	reach(g, pools, cut, left);
	for (uint32_t b = pools; b < BLOCKS; b++)
		sum += all[b] && !left[b] ? m.sizes[b] : 0;
	return sum;
}

static uint32_t pools_of(uint32_t row, uint32_t pools)
{
	uint32_t bits = 0;

	for (uint32_t p = 0; p < pools; p++)
		bits |= (uint32_t)(row_of(p) == row) << p;
	return bits;
}

static const struct hf_pools_answer *ask(size_t limit)
{
	const struct hf_pools_answer *answer = NULL;

	cr_assert_null(hf_pools(&m.f.s, limit, &answer));
	return answer;
}

static void done(const struct hf_pools_answer *answer)
{
	hf_result_free(answer);
	fake_close(&m.f);
}

static const struct hf_pool_row *find_row(const struct hf_pools_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n; i++)
		if (!strcmp(answer->rows[i].name, name))
			return &answer->rows[i];
	return NULL;
}

static bool is_item(uint32_t block)
{
	for (uint32_t i = 0; i < m.list.items_n; i++)
		if (m.items[i].block == block)
			return true;
	return false;
}

/* Whether items of the row have the type, while they are out. */
static bool row_has(uint32_t row, uint32_t pools, uint32_t type)
{
	for (uint32_t p = 0; p < pools; p++)
		for (uint32_t i = 0; i < m.pools[p].n; i++)
			if (row_of(p) == row && m.items[m.pools[p].first + i].whole == type)
				return true;
	return false;
}

static void expect_row(const struct hf_graph *g, uint32_t pools, uint32_t row,
		       const struct hf_pools_answer *answer, uint64_t seed)
{
	static const char *const names[] = {"main.a.p", "main.b.p", "main.c.p", "main.T.p"};
	const struct hf_pool_row *r = find_row(answer, names[row]);
	uint64_t out = 0, held = 0, idle = 0, holders = 0;
	bool used[BLOCKS], any = false;

	cr_assert_not_null(r, "seed %lu: %s", seed, names[row]);
	reach(g, pools, UINT32_MAX, used);
	for (uint32_t b = pools; b < BLOCKS; b++)
		out += used[b] && !is_item(b) && m.types[b] != 3 && row_has(row, pools, m.types[b]);
	for (uint32_t p = 0; p < pools; p++)
		for (uint32_t i = 0; row_of(p) == row && i < m.pools[p].n; i++) {
			held += used[m.items[m.pools[p].first + i].block];
			any = any || m.items[m.pools[p].first + i].whole;
			idle++;
		}
	cr_expect_eq(r->idle_bytes, freed(g, pools, pools_of(row, pools)), "seed %lu: %s", seed, names[row]);
	cr_expect_eq(r->idle, idle, "seed %lu: %s", seed, names[row]);
	cr_expect_eq(r->held, held, "seed %lu: %s", seed, names[row]);
	cr_expect_eq(r->out, any ? out : HF_UNKNOWN, "seed %lu: %s", seed, names[row]);
	for (size_t i = 0; i < r->holders_n; i++)
		holders += r->holders[i].count;
	cr_expect_eq(holders, any ? out : 0, "seed %lu: %s", seed, names[row]);
}

static void make_random(uint64_t seed, uint32_t pools)
{
	struct test_edge edges[BLOCKS * 4];
	uint64_t state = seed * 2654435761u + 1;
	uint32_t n = 0, density = 1 + random_below(&state, 3);
	struct hf_graph *g;

	for (uint32_t b = 0; b < BLOCKS; b++) {
		uint32_t degree = b < pools ? random_below(&state, 8) : random_below(&state, density);

		m.types[b] = b < pools ? 5 : 1 + random_below(&state, 4);
		m.sizes[b] = 1 + random_below(&state, 1000);
		for (uint32_t e = 0; e < degree; e++)
			edges[n++] = (struct test_edge){b, pools + random_below(&state, BLOCKS - pools)};
	}
	cr_assert_null(make_graph(BLOCKS, 7, edges, n, &g));
	for (uint32_t p = 0; p < pools; p++)
		cr_assert_null(root_graph(g, p, 0, HF_ROOT_GLOBAL));
	for (uint32_t i = random_below(&state, 6); i > 0; i--)
		cr_assert_null(root_graph(g, pools + random_below(&state, BLOCKS - pools),
					  random_below(&state, 5), HF_ROOT_GLOBAL));
	open_model(g, pools);
}

Test(pools, idle_bytes_are_what_would_be_freed)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		uint32_t pools = 1 + (uint32_t)(seed % POOLS), rows = hf_min(pools, 4u);
		const struct hf_pools_answer *answer;
		uint64_t sum = 0;

		make_random(seed, pools);
		cr_assert_null(hf_pools(&m.f.s, 0, &answer));
		cr_assert_eq(answer->n, rows);
		for (uint32_t r = 0; r < rows; r++)
			expect_row(m.f.s.graph, pools, r, answer, seed);
		for (size_t i = 0; i < answer->n; i++)
			sum += answer->rows[i].idle_bytes;
		cr_expect_eq(answer->total_idle_bytes, freed(m.f.s.graph, pools, UINT32_MAX));
		cr_expect_eq(sum + answer->shared_bytes, answer->total_idle_bytes);
		cr_expect_eq(answer->total_idle, m.list.items_n);
		done(answer);
	}
}

/* Store 0 leads to blocks from 1 on, each by itself. */
static void make_flat(uint32_t items)
{
	struct test_edge edges[ITEMS_MAX];
	struct hf_graph *g;

	for (uint32_t b = 0; b < BLOCKS; b++) {
		m.types[b] = 1;
		m.sizes[b] = 100;
	}
	for (uint32_t i = 0; i < items; i++)
		edges[i] = (struct test_edge){0, 1 + i};
	cr_assert_null(make_graph(BLOCKS, 7, edges, items, &g));
	cr_assert_null(root_graph(g, 0, 0, HF_ROOT_GLOBAL));
	open_model(g, 1);
}

Test(pools, outlier_stands_out)
{
	const struct hf_pools_answer *answer;

	make_flat(20);
	m.sizes[7] = 1000000;
	answer = ask(0);
	cr_expect_eq(answer->rows[0].largest_bytes, 1000000);
	cr_expect_eq(answer->rows[0].largest_addr, FAKE_BASE + 7 * FAKE_SLOT);
	cr_expect_eq(answer->rows[0].median_bytes, 100);
	cr_expect_eq(answer->rows[0].p99_bytes, 1000000);
	cr_expect_eq(answer->rows[0].heavy, 1);
	cr_expect_eq(answer->rows[0].own_bytes, 100);
	done(answer);
}

Test(pools, items_alike_are_nine_tenths_together)
{
	const struct hf_pools_answer *answer;

	make_flat(20);
	answer = ask(0);
	cr_expect_eq(answer->rows[0].heavy, 18);
	cr_expect_eq(answer->rows[0].largest_bytes, 100);
	done(answer);
}

Test(pools, item_that_was_put_back_twice_retains_once)
{
	const struct hf_pools_answer *answer;

	make_flat(3);
	add_item(0, 2, HF_POOL_SHARED);
	add_item(0, 2, HF_POOL_VICTIM);
	answer = ask(0);
	cr_expect_eq(answer->rows[0].idle, 5);
	cr_expect_eq(answer->rows[0].twice, 2);
	cr_expect_eq(answer->rows[0].idle_bytes, 300);
	done(answer);
}

Test(pools, items_that_are_no_objects_retain_nothing)
{
	const struct hf_pools_answer *answer;

	make_flat(0);
	add_item(0, HF_NO_BLOCK, HF_POOL_PRIVATE);
	add_item(0, HF_NO_BLOCK, HF_POOL_SHARED);
	answer = ask(0);
	cr_expect_eq(answer->rows[0].idle, 2);
	cr_expect_eq(answer->rows[0].twice, 0);
	cr_expect_eq(answer->rows[0].idle_bytes, 0);
	cr_expect_eq(answer->rows[0].heavy, 0);
	cr_expect_eq(answer->rows[0].out, HF_UNKNOWN);
	done(answer);
}

Test(pools, pools_that_are_made_in_other_ways_have_rows_of_their_own)
{
	const struct hf_pools_answer *answer;

	make_random(5, POOLS);
	m.pools[4].constructor = 0x4a0000;
	m.pools[4].constructor_name = "main.newT";
	answer = ask(0);
	cr_expect_eq(answer->n, 5);
	cr_expect_eq(answer->total_pools, 5);
	hf_result_free(answer);
	answer = ask(2);
	cr_expect_eq(answer->n, 2);
	cr_expect_eq(answer->left_out, 3);
	cr_expect_eq(answer->total_pools, 5);
	done(answer);
}

Test(pools, runtime_without_pools_has_none)
{
	const struct hf_pools_answer *answer;

	make_flat(3);
	m.ops.pools = NULL;
	answer = ask(0);
	cr_expect_eq(answer->n, 0);
	cr_expect_eq(answer->total_idle_bytes, 0);
	done(answer);
}

/* Whatever allocation fails: an error, or the answer, and nothing is lost. */
Test(pools, memory_that_runs_out_is_an_error)
{
	unsigned long errors = 0;

	make_random(9, POOLS);
	for (unsigned long nth = 1; nth < 400; nth++) {
		const struct hf_pools_answer *answer = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_pools(&m.f.s, 0, &answer);
		hf_alloc_fail_nth(0);
		cr_expect(err ? hf_err_code(err) == HF_NOMEM : answer->n == 4, "%lu: %s", nth,
			  err ? hf_err_message(err) : "");
		errors += err != NULL;
		hf_err_destroy(err);
		if (answer)
			hf_result_free(answer);
	}
	cr_expect_gt(errors, 20);
	fake_close(&m.f);
}
