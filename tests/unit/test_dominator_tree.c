#include "dominator_fake.h"
#include "random.h"

/* All that can be seen is seen: nothing is too small, too much or too deep. */
static const struct hf_dominators_options all = {
	.size = sizeof(all), .depth = 100, .max = SIZE_MAX, .min_bytes = 0};

static const struct hf_dominator_trees *ask_at(struct fake *f, const char *word,
					       const struct hf_dominators_options *options)
{
	const struct hf_dominator_trees *trees = NULL;
	struct hf_err *err = hf_dominators(&f->s, &word, word != NULL, options, &trees);

	cr_assert_null(err, "%s: %s", word ? word : "", err ? hf_err_message(err) : "");
	return trees;
}

static const struct hf_dominator_row *child_of(const struct hf_dominator_tree *t, size_t parent, size_t nth)
{
	for (size_t i = parent + 1; i < t->n && t->rows[i].depth > t->rows[parent].depth; i++)
		if (t->rows[i].depth == t->rows[parent].depth + 1 && !nth--)
			return &t->rows[i];
	return NULL;
}

/* What a row's children and the row itself hold is what the row retains; in order, the rest last. */
static void expect_sums(const struct hf_dominator_tree *t, size_t at)
{
	const struct hf_dominator_row *row = &t->rows[at], *child, *before = NULL;
	uint64_t bytes = row->own_bytes, count = 0;
	size_t n = 0;

	for (; (child = child_of(t, at, n)); n++, before = child) {
		bytes += child->retained_bytes;
		count += child->retained_count;
		if (before && child->kind != HF_DOMINATOR_REST)
			cr_expect_geq(before->retained_bytes, child->retained_bytes);
		cr_expect(!before || before->kind != HF_DOMINATOR_REST, "a rest is not the last");
	}
	cr_expect_leq(row->own_bytes, row->retained_bytes);
	if (!n)
		return;
	cr_expect_eq(bytes, row->retained_bytes, "row %zu: %" PRIu64 ", not %" PRIu64, at, bytes,
		     row->retained_bytes);
	cr_expect_leq(count, row->retained_count);
}

static void expect_sound(const struct hf_dominator_trees *trees)
{
	for (size_t i = 0; i < trees->n; i++) {
		const struct hf_dominator_tree *t = &trees->trees[i];

		cr_assert_gt(t->n, 0);
		cr_expect_eq(t->rows[0].depth, 0);
		for (size_t k = 0; k < t->n; k++) {
			cr_expect(!k ||
				  (t->rows[k].depth > 0 && t->rows[k].depth <= t->rows[k - 1].depth + 1));
			cr_expect_leq(t->rows[k].depth, trees->depth);
			expect_sums(t, k);
		}
	}
}

/* ---- a small heap, by hand ---------------------------------------------------------------------------------- */

enum { T1 = 1, T2, T3, SAME_A, SAME_B, MAP };

/* r0 -> 0 (T1, 100) -> 1..6 (T2, 10 each; the 6th: 500), 0 -> 7 (T3, 30)
 * r1 -> 8 (map) -> 9, 10 (its slots) -> 11, 12 (T2)          goroutines r2 -> 13 (T3) -> 14 -> 15 (T3): a list
 * r0, r1 -> 16 (T3): shared                                   17 (T2) is garbage */
static const uint32_t small_types[] = {T1, T2, T2, T2, T2, T2, T2, T3, MAP, 7, 7, T2, T2, T3, T3, T3, T3, T2};
static const uint64_t small_sizes[] = {100, 10,  10, 10, 10, 10, 500, 30,   48,
				       200, 300, 16, 16, 1,  2,  4,   1000, 7};

static void open_small(struct fake *f)
{
	static const struct test_edge edges[] = {{0, 1},  {0, 2},  {0, 3},   {0, 4},   {0, 5},
						 {0, 6},  {0, 7},  {0, 16},  {8, 9},   {8, 10},
						 {8, 16}, {9, 11}, {10, 12}, {13, 14}, {14, 15}};
	struct hf_graph *g = make(18, edges, HF_LEN(edges));

	cr_assert_null(root_graph(g, 0, 0, HF_ROOT_GLOBAL));
	cr_assert_null(root_graph(g, 8, 1, HF_ROOT_GLOBAL));
	cr_assert_null(root_graph(g, 13, 2, HF_ROOT_GOROUTINE));
	fake_open(f, g, small_types, small_sizes);
}

struct expected {
	uint32_t depth;
	enum hf_dominator_kind kind;
	const char *name;
	uint64_t n, nested, own, retained, count;
	bool more;
};

static void expect_rows(const struct hf_dominator_trees *trees, const struct expected *rows, size_t n)
{
	const struct hf_dominator_tree *t = &trees->trees[0];

	expect_sound(trees);
	cr_assert_eq(t->n, n, "%zu rows", t->n);
	for (size_t i = 0; i < n; i++) {
		const struct hf_dominator_row *got = &t->rows[i];

		cr_expect(got->depth == rows[i].depth && got->kind == rows[i].kind && got->n == rows[i].n &&
				  got->nested == rows[i].nested && got->more == rows[i].more,
			  "row %zu: depth %u, kind %d, n %" PRIu64 ", nested %" PRIu64, i, got->depth,
			  got->kind, got->n, got->nested);
		cr_expect_str_eq(got->name, rows[i].name, "row %zu: %s", i, got->name);
		cr_expect(got->own_bytes == rows[i].own && got->retained_bytes == rows[i].retained &&
				  got->retained_count == rows[i].count,
			  "row %zu: own %" PRIu64 ", retained %" PRIu64 " in %" PRIu64, i, got->own_bytes,
			  got->retained_bytes, got->retained_count);
	}
	hf_result_free(trees);
}

Test(dominator_tree, whole_heap_is_roots_and_what_they_share)
{
	const struct expected rows[] = {
		{0, HF_DOMINATOR_HEAP, "", 1, 0, 0, 2267, 17, false},
		{1, HF_DOMINATOR_SHARED, "", 1, 0, 0, 1000, 1, false},
		{2, HF_DOMINATOR_OBJECT, "main.T3", 1, 0, 1000, 1000, 1, false},
		{1, HF_DOMINATOR_ROOT, "main.r0", 1, 0, 0, 680, 8, false},
		{2, HF_DOMINATOR_OBJECT, "main.T1", 1, 0, 100, 680, 8, false},
		{3, HF_DOMINATOR_OBJECT, "main.T2", 1, 0, 500, 500, 1, false},
		{3, HF_DOMINATOR_OBJECT, "main.T2", 5, 0, 50, 50, 5, true},
		{3, HF_DOMINATOR_OBJECT, "main.T3", 1, 0, 30, 30, 1, false},
		{1, HF_DOMINATOR_ROOT, "main.r1", 1, 0, 0, 580, 5, false},
		{2, HF_DOMINATOR_OBJECT, "main.Map", 1, 0, 548, 580, 5, false},
		{3, HF_DOMINATOR_OBJECT, "main.T2", 1, 0, 16, 16, 1, false},
		{3, HF_DOMINATOR_OBJECT, "main.T2", 1, 0, 16, 16, 1, false},
		{1, HF_DOMINATOR_ROOT, "main.r2 goroutines", 1, 0, 0, 7, 3, false},
		{2, HF_DOMINATOR_OBJECT, "main.T3", 1, 2, 7, 7, 3, false},
	};
	struct fake f;

	open_small(&f);
	expect_rows(ask_at(&f, NULL, &all), rows, HF_LEN(rows));
	fake_close(&f);
}

Test(dominator_tree, what_is_small_or_beyond_max_is_summed_up)
{
	const struct expected small[] = {
		{0, HF_DOMINATOR_HEAP, "", 1, 0, 0, 2267, 17, false},
		{1, HF_DOMINATOR_SHARED, "", 1, 0, 0, 1000, 1, false},
		{2, HF_DOMINATOR_OBJECT, "main.T3", 1, 0, 1000, 1000, 1, false},
		{1, HF_DOMINATOR_ROOT, "main.r0", 1, 0, 0, 680, 8, false},
		{2, HF_DOMINATOR_OBJECT, "main.T1", 1, 0, 100, 680, 8, false},
		{1, HF_DOMINATOR_REST, "", 2, 0, 0, 587, 8, false},
	};
	const struct expected none[] = {
		{0, HF_DOMINATOR_HEAP, "", 1, 0, 0, 2267, 17, false},
		{1, HF_DOMINATOR_SHARED, "", 1, 0, 0, 1000, 1, false},
		{1, HF_DOMINATOR_REST, "", 3, 0, 0, 1267, 16, false},
	};
	/* Of two more lines below 0 one is kept with max 1: the rest has two. */
	const struct expected few[] = {
		{0, HF_DOMINATOR_OBJECT, "main.T1", 1, 0, 100, 680, 8, false},
		{1, HF_DOMINATOR_OBJECT, "main.T2", 1, 0, 500, 500, 1, false},
		{1, HF_DOMINATOR_REST, "", 2, 0, 0, 80, 6, false},
	};
	/* What would be alone in a rest has its line. */
	const struct expected alone[] = {
		{0, HF_DOMINATOR_OBJECT, "main.T1", 1, 0, 100, 680, 8, false},
		{1, HF_DOMINATOR_OBJECT, "main.T2", 1, 0, 500, 500, 1, false},
		{1, HF_DOMINATOR_OBJECT, "main.T2", 5, 0, 50, 50, 5, true},
		{1, HF_DOMINATOR_OBJECT, "main.T3", 1, 0, 30, 30, 1, false},
	};
	/* Neither of the two is large enough for a line, but both are. */
	const struct expected both[] = {
		{0, HF_DOMINATOR_ROOT, "main.r1", 1, 0, 0, 580, 5, false},
		{1, HF_DOMINATOR_OBJECT, "main.Map", 1, 0, 548, 580, 5, false},
		{2, HF_DOMINATOR_OBJECT, "main.T2", 2, 0, 32, 32, 2, false},
	};
	const struct {
		struct hf_dominators_options options;
		const char *word;
		const struct expected *rows;
		size_t n;
	} cases[] = {
		{{.size = sizeof(all), .min_bytes = 600, .max = 10}, NULL, small, HF_LEN(small)},
		{{.size = sizeof(all), .min_bytes = 2000, .max = 10}, NULL, none, HF_LEN(none)},
		{{.size = sizeof(all), .min_bytes = UINT64_MAX - 1, .max = 10}, NULL, none, HF_LEN(none)},
		{{.size = sizeof(all), .min_bytes = HF_UNKNOWN, .min_share = 1}, NULL, none, HF_LEN(none)},
		{{.size = sizeof(all), .max = 1}, "0xc000000000", few, HF_LEN(few)},
		{{.size = sizeof(all), .max = 2}, "0xc000000000", alone, HF_LEN(alone)},
		{{.size = sizeof(all), .min_bytes = 50}, "0xc000000007", alone, HF_LEN(alone)},
		{{.size = sizeof(all), .min_bytes = 20}, "main.r1", both, HF_LEN(both)},
	};
	struct fake f;

	open_small(&f);
	for (size_t i = 0; i < HF_LEN(cases); i++)
		expect_rows(ask_at(&f, cases[i].word, &cases[i].options), cases[i].rows, cases[i].n);
	fake_close(&f);
}

Test(dominator_tree, depth_ends_the_tree_where_it_says)
{
	struct hf_dominators_options options = all;
	struct fake f;

	open_small(&f);
	for (options.depth = 1; options.depth < 5; options.depth++) {
		const struct hf_dominator_trees *trees = ask_at(&f, NULL, &options);
		uint32_t deepest = 0;

		for (size_t i = 0; i < trees->trees[0].n; i++)
			deepest = hf_max(deepest, trees->trees[0].rows[i].depth);
		cr_expect_eq(deepest, hf_min(options.depth, 3u));
		cr_expect_eq(trees->depth, options.depth);
		expect_sound(trees);
		hf_result_free(trees);
	}
	fake_close(&f);
}

Test(dominator_tree, words_say_where_it_begins)
{
	const struct {
		const char *word, *name;
		enum hf_dominator_kind kind;
		uint64_t n, nested, retained;
	} rows[] = {
		{"0xc000000040", "main.T2", HF_DOMINATOR_OBJECT, 1, 0, 10},
		{"824633720832", "main.T1", HF_DOMINATOR_OBJECT, 1, 0, 680},
		{"main.r0", "main.r0", HF_DOMINATOR_ROOT, 1, 0, 680},
		{"main.r2 goroutines", "main.r2 goroutines", HF_DOMINATOR_ROOT, 1, 0, 7},
		{"main.r2", "main.r2 goroutines", HF_DOMINATOR_ROOT, 1, 0, 7},
		{"main.T2", "main.T2", HF_DOMINATOR_OBJECT, 8, 0, 582},
		{"T3", "main.T3", HF_DOMINATOR_OBJECT, 3, 2, 1037},
		{"main.Map", "main.Map", HF_DOMINATOR_OBJECT, 1, 0, 580},
	};
	struct fake f;

	open_small(&f);
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct hf_dominator_trees *trees = ask_at(&f, rows[i].word, &all);
		const struct hf_dominator_row *row = &trees->trees[0].rows[0];

		expect_sound(trees);
		cr_expect_str_eq(trees->trees[0].query, rows[i].word);
		cr_expect_str_eq(row->name, rows[i].name);
		cr_expect(row->kind == rows[i].kind && row->n == rows[i].n && row->nested == rows[i].nested &&
				  row->retained_bytes == rows[i].retained,
			  "%s: %" PRIu64 " objects, %" PRIu64 " nested, %" PRIu64 " bytes", rows[i].word,
			  row->n, row->nested, row->retained_bytes);
		hf_result_free(trees);
	}
	fake_close(&f);
}

Test(dominator_tree, words_that_mean_nothing_are_refused)
{
	const struct {
		const char *word, *part;
	} rows[] = {
		{"main.nothing", "neither an address"},
		{"", "neither an address"},
		{"main.r", "neither an address"},
		{"main.r2 goroutine", "neither an address"},
		{"goroutines", "neither an address"},
		{"main", "neither an address"},
		{"0x", "neither an address"},
		{"0xzz", "neither an address"},
		{"0x10000000000000000", "neither an address"},
		{"-1", "neither an address"},
		{"0x0", "no heap object"},
		{"0xffffffffffffffff", "no heap object"},
		{"0xc000000480", "no heap object"},
		{"0xc000000440", "garbage"},
		{"pkg.Same", "ambiguous"},
		{"Same", "ambiguous"},
		{"a/pkg.Same", "no live object"},
	};
	struct fake f;

	open_small(&f);
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const char *words[] = {"main.r0", rows[i].word};
		const struct hf_dominator_trees *trees = NULL;
		struct hf_err *err = hf_dominators(&f.s, words, 2, &all, &trees);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "'%s' is taken", rows[i].word);
		cr_expect(strstr(hf_err_message(err), rows[i].part), "'%s': %s", rows[i].word,
			  hf_err_message(err));
		cr_expect_null(trees);
		hf_err_destroy(err);
	}
	fake_close(&f);
}

Test(dominator_tree, names_without_their_path_must_be_of_one_root)
{
	const char *both = "pkg.r", *one = "c/pkg.r";
	const struct hf_dominator_trees *trees = NULL;
	struct hf_graph *g = make(2, NULL, 0);
	struct hf_err *err;
	struct fake f;

	cr_assert_null(root_graph(g, 0, 3, HF_ROOT_GLOBAL));
	cr_assert_null(root_graph(g, 1, 4, HF_ROOT_GLOBAL));
	fake_open(&f, g, NULL, NULL);
	err = hf_dominators(&f.s, &both, 1, NULL, &trees);
	cr_expect(strstr(hf_err_message(err), "ambiguous"), "%s", hf_err_message(err));
	hf_err_destroy(err);
	trees = ask_at(&f, one, NULL);
	cr_expect_str_eq(trees->trees[0].rows[0].name, "c/pkg.r");
	hf_result_free(trees);
	fake_close(&f);
}

Test(dominator_tree, options_out_of_range_are_refused)
{
	const struct hf_dominators_options wrong[] = {
		{.size = sizeof(all), .depth = 101, .min_bytes = 1},
		{.size = sizeof(all), .depth = UINT32_MAX, .min_bytes = 1},
		{.size = sizeof(all), .min_bytes = HF_UNKNOWN, .min_share = -0.01},
		{.size = sizeof(all), .min_bytes = HF_UNKNOWN, .min_share = 1.01},
		{.size = sizeof(all), .min_bytes = HF_UNKNOWN, .min_share = __builtin_nan("")},
	};
	struct fake f;

	open_small(&f);
	for (size_t i = 0; i < HF_LEN(wrong); i++) {
		const struct hf_dominator_trees *trees = NULL;
		struct hf_err *err = hf_dominators(&f.s, NULL, 0, &wrong[i], &trees);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "%zu is taken", i);
		cr_expect_null(trees);
		hf_err_destroy(err);
	}
	fake_close(&f);
}

Test(dominator_tree, a_heap_without_live_objects_has_its_row)
{
	const struct expected rows[] = {{0, HF_DOMINATOR_HEAP, "", 1, 0, 0, 0, 0, false}};
	struct fake f;

	fake_open(&f, make(3, NULL, 0), NULL, NULL);
	expect_rows(ask_at(&f, NULL, NULL), rows, 1);
	fake_close(&f);
}

/* ---- many of a type ----------------------------------------------------------------------------------------- */

/* A block that holds n others of one type; the first `large` of them are of `size` bytes, the others of 1. */
static const struct hf_dominator_trees *ask_flat(uint32_t n, uint32_t large, uint64_t size, struct fake *f)
{
	struct test_edge *edges = hf_calloc(n, sizeof(*edges));
	uint32_t *types = hf_calloc(n + 1, sizeof(*types));
	uint64_t *sizes = hf_calloc(n + 1, sizeof(*sizes));
	struct hf_graph *g;

	for (uint32_t i = 0; i < n; i++) {
		edges[i] = (struct test_edge){0, i + 1};
		types[i + 1] = T2;
		sizes[i + 1] = i < large ? size : 1;
	}
	types[0] = T1;
	g = make(n + 1, edges, n);
	cr_assert_null(root_graph(g, 0, 0, HF_ROOT_GLOBAL));
	fake_open(f, g, types, sizes);
	hf_free(edges);
	return ask_at(f, NULL, &all);
}

static void close_flat(struct fake *f)
{
	hf_free((void *)f->types);
	hf_free((void *)f->sizes);
	fake_close(f);
}

Test(dominator_tree, objects_of_one_type_are_one_line_but_for_those_that_stand_out)
{
	const struct {
		uint32_t n, large;
		uint64_t size;
		size_t alone; /* lines of one object */
		uint64_t folded;
	} rows[] = {
		{1, 0, 1, 1, 0},
		{2, 0, 1, 2, 0},
		{3, 0, 1, 3, 0},
		{4, 0, 1, 0, 4},
		{100, 0, 1, 0, 100},
		{100, 1, 1000, 1, 99},
		{100, 9, 1000, 9, 91},
		{100, 11, 1000, 0, 100}, /* each less than a tenth */
		{10, 5, 1000, 0, 10},    /* less than twice the average */
		{100000, 3, 1000000, 3, 99997},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct fake f;
		const struct hf_dominator_trees *trees = ask_flat(rows[i].n, rows[i].large, rows[i].size, &f);
		size_t alone = 0;
		uint64_t folded = 0;

		expect_sound(trees);
		for (size_t k = 3; k < trees->trees[0].n; k++) {
			const struct hf_dominator_row *row = &trees->trees[0].rows[k];

			alone += row->n == 1;
			folded += row->n == 1 ? 0 : row->n;
			cr_expect_eq(row->more, row->n > 1 && rows[i].alone > 0);
		}
		cr_expect(alone == rows[i].alone && folded == rows[i].folded,
			  "%zu: %zu alone, %" PRIu64 " folded", i, alone, folded);
		hf_result_free(trees);
		close_flat(&f);
	}
}

/* ---- large ------------------------------------------------------------------------------------------------------ */

/* Every block holds the next; the types repeat after `period`. */
static void expect_chain(uint32_t n, uint32_t period)
{
	struct test_edge *edges = hf_calloc(n, sizeof(*edges));
	uint32_t *types = hf_calloc(n, sizeof(*types));
	const struct hf_dominator_trees *trees;
	struct hf_graph *g;
	struct fake f;

	for (uint32_t i = 0; i < n; i++) {
		edges[i] = (struct test_edge){i, i + 1};
		types[i] = T1 + i % period;
	}
	g = make(n, edges, n - 1);
	cr_assert_null(root_graph(g, 0, 0, HF_ROOT_GLOBAL));
	fake_open(&f, g, types, NULL);
	trees = ask_at(&f, NULL, &all);
	expect_sound(trees);
	cr_expect_eq(trees->total_bytes, (uint64_t)n * (n + 1) / 2);
	cr_expect_eq(trees->trees[0].n, period == 1 ? 3 : 101);
	if (period == 1)
		cr_expect_eq(trees->trees[0].rows[2].nested, n - 1);
	hf_result_free(trees);
	trees = ask_at(&f, "main.T1", &all);
	cr_expect_eq(trees->trees[0].rows[0].retained_bytes, (uint64_t)n * (n + 1) / 2);
	hf_result_free(trees);
	hf_free(edges);
	hf_free(types);
	fake_close(&f);
}

Test(dominator_tree, lists_of_a_million_are_one_line_or_end_at_the_depth)
{
	expect_chain(1000000, 1);
	expect_chain(1000000, 2);
}

Test(dominator_tree, a_million_roots_objects_are_summed_up)
{
	const uint32_t n = 1000000;
	const struct hf_dominator_trees *trees;
	struct hf_graph *g = make(n, NULL, 0);
	struct fake f;

	/* Each is held by two roots: all are shared. */
	for (uint32_t b = 0; b < n; b++) {
		cr_assert_null(root_graph(g, b, 0, HF_ROOT_GLOBAL));
		cr_assert_null(root_graph(g, b, 1, HF_ROOT_GLOBAL));
	}
	fake_open(&f, g, NULL, NULL);
	trees = ask_at(&f, NULL, &all);
	expect_sound(trees);
	cr_assert_eq(trees->trees[0].n, 3);
	cr_expect_eq(trees->trees[0].rows[1].kind, HF_DOMINATOR_SHARED);
	cr_expect_eq(trees->trees[0].rows[1].retained_bytes, trees->total_bytes);
	cr_expect_eq(trees->trees[0].rows[2].n, n);
	hf_result_free(trees);
	fake_close(&f);
}

/* ---- any ------------------------------------------------------------------------------------------------------- */

Test(dominator_tree, random_heaps_lose_nothing)
{
	uint64_t seed = 20260731;

	for (int round = 0; round < 2000; round++) {
		struct test_edge edges[400];
		uint32_t types[100], blocks = 1 + random_below(&seed, 100);
		struct hf_dominators_options options = {.size = sizeof(options)};
		const struct hf_dominator_trees *trees;
		uint64_t live = 0, sum = 0;
		struct hf_graph *g;
		struct fake f;
		size_t n = 0;

		for (uint32_t b = 0; b < blocks; b++) {
			types[b] = random_below(&seed, round % 2 ? FAKE_TYPES : 3);
			for (uint32_t k = random_below(&seed, 4); k; k--)
				edges[n++] = (struct test_edge){b, random_below(&seed, blocks)};
		}
		g = make(blocks, edges, n);
		for (uint32_t r = random_below(&seed, 8); r; r--)
			cr_assert_null(root_graph(g, random_below(&seed, blocks), random_below(&seed, 5), 0));
		fake_open(&f, g, types, NULL);
		options.depth = 1 + random_below(&seed, 20);
		options.max = 1 + random_below(&seed, 12);
		options.min_bytes = random_below(&seed, 3) ? random_below(&seed, 300) : HF_UNKNOWN;
		options.min_share = random_below(&seed, 100) / 100.0;
		trees = ask_at(&f, NULL, &options);
		expect_sound(trees);
		for (uint32_t b = 0; b < blocks; b++)
			live += hf_graph_is_live(g, b) ? b + 1 : 0;
		for (size_t i = 0; i < trees->trees[0].n; i++)
			sum += trees->trees[0].rows[i].depth == 1 ? trees->trees[0].rows[i].retained_bytes
								  : 0;
		cr_expect(sum == live && trees->total_bytes == live, "round %d: %" PRIu64 " of %" PRIu64,
			  round, sum, live);
		hf_result_free(trees);
		fake_close(&f);
	}
}

Test(dominator_tree, out_of_memory_is_an_error_and_no_leak)
{
	const char *words[] = {"main.r0", "main.T2", "0xc000000000"};

	for (size_t n = 0; n <= HF_LEN(words); n += HF_LEN(words)) {
		const struct hf_dominator_trees *trees = NULL;

		for (unsigned long nth = 1; !trees; nth++) {
			struct hf_err *err;
			struct fake f;

			open_small(&f);
			hf_alloc_fail_nth(nth);
			err = hf_dominators(&f.s, words, n, &all, &trees);
			hf_alloc_fail_nth(0);
			cr_assert_eq(err == NULL, trees != NULL);
			cr_expect(!err || hf_err_code(err) == HF_NOMEM, "%s", hf_err_message(err));
			cr_expect(err || nth > 20);
			if (trees && !n)
				cr_expect_eq(trees->trees[0].n, 14);
			hf_err_destroy(err);
			fake_close(&f);
		}
		hf_result_free(trees);
	}
}

Test(dominator_tree, an_interrupt_ends_it_and_the_next_question_is_answered)
{
	const struct hf_dominator_trees *trees = NULL;
	struct hf_err *err;
	struct fake f;

	open_small(&f);
	hf_interrupt();
	err = hf_dominators(&f.s, NULL, 0, NULL, &trees);
	cr_expect_eq(hf_err_code(err), HF_INTERRUPTED);
	hf_err_destroy(err);
	hf_interrupt_clear();
	trees = ask_at(&f, NULL, NULL);
	expect_sound(trees);
	hf_result_free(trees);
	fake_close(&f);
}
