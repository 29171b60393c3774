/* Profiles of heaps, goroutines and allocations that are made up. */
#include "../../src/base/workers.h"
#include "../../src/query/leaked.h"
#include "dominator_fake.h"
#include "random.h"

#include <stdio.h>

enum { T1 = 1, T2, T3, MAP = 6, PART };
enum { OBJECTS_BEHIND, BYTES_BEHIND, OBJECTS, BYTES };

static struct hf_target target = {.label = "process 1 (fake)"};
static bool steps_are_lost; /* the walk of a block's pointers tells of none */

/* Steps: 1 to 8 of the owners' roots, 10 * type of block + 10 of the fields that lead on. */
static struct hf_err *walk_steps(struct hf_runtime *rt, uint32_t from, hf_step_fn *fn, void *arg)
{
	const struct hf_graph *g = fake_of(rt)->s.graph;

	for (uint32_t e = g->start[from]; e < g->start[from + 1] && !steps_are_lost; e++)
		HF_TRY(fn(arg, g->edges[e], 10 * fake_block_type(rt, from) + 10));
	return NULL;
}

static struct hf_err *root_steps(struct hf_runtime *rt, const struct hf_found_root *root,
				 struct hf_root_steps *ret)
{
	(void)rt;
	*ret = (struct hf_root_steps){.step = {1 + root->owner},
				      .n = 1,
				      .task = root->kind == HF_ROOT_GOROUTINE ? root->owner : UINT32_MAX};
	return NULL;
}

static struct hf_step_info step(struct hf_runtime *rt, uint32_t number)
{
	static char names[100][16];

	(void)rt;
	snprintf(names[number], sizeof(names[number]), "step%u", number);
	return (struct hf_step_info){
		.name = names[number], .file = "", .pool = number == 10 * T3 + 10 ? "main.pool" : NULL};
}

static struct hf_stack_frame stack[200];
static size_t stack_n, tasks_n;
static bool unwinds;

static size_t tasks(struct hf_runtime *rt)
{
	(void)rt;
	return tasks_n;
}

static struct hf_err *task(struct hf_runtime *rt, size_t i, struct hf_task *ret)
{
	(void)rt;
	*ret = (struct hf_task){.id = 100 + i,
				.function = "main.work",
				.created_by = "main.main",
				.wait = i % 3 ? "select" : "chan send",
				.stack_bytes = 2048};
	return NULL;
}

static struct hf_err *task_frames(struct hf_runtime *rt, size_t i, struct hf_stack_frame *ret, size_t max,
				  size_t *ret_n)
{
	(void)rt;
	(void)i;
	if (!unwinds)
		return hf_err(HF_BADDATA, "the stack makes no sense");
	*ret_n = hf_min(max, stack_n);
	memcpy(ret, stack, *ret_n * sizeof(*ret));
	return NULL;
}

static const uint64_t pcs[] = {0x1001, 0x2001, 0x3001};
static struct hf_alloc_site sites[3];
static uint32_t sites_n;
static uint64_t rate;

static uint32_t alloc_sites_n(struct hf_runtime *rt)
{
	(void)rt;
	return sites_n;
}

static void alloc_site(struct hf_runtime *rt, uint32_t i, struct hf_alloc_site *ret)
{
	(void)rt;
	*ret = sites[i];
}

static uint64_t alloc_rate(struct hf_runtime *rt, const char **ret_why_not)
{
	(void)rt;
	*ret_why_not = "it does not sample";
	return rate;
}

static struct hf_err *frames(struct hf_runtime *rt, uint64_t pc, struct hf_stack_frame *ret, size_t max,
			     size_t *ret_n)
{
	(void)rt;
	*ret_n = 0;
	if (max && pc == 0x1000)
		ret[(*ret_n)++] =
			(struct hf_stack_frame){.function = "main.make", .file = "make.go", .line = 7};
	return NULL;
}

static struct hf_runtime_ops ops;

static void open_fake(struct fake *f, struct hf_graph *g, const uint32_t *types, const uint64_t *sizes)
{
	fake_open(f, g, types, sizes);
	ops = fake_ops;
	ops.walk_steps = walk_steps;
	ops.root_steps = root_steps;
	ops.step = step;
	ops.tasks = tasks;
	ops.task = task;
	ops.task_frames = task_frames;
	ops.alloc_sites_n = alloc_sites_n;
	ops.alloc_sites = alloc_site;
	ops.alloc_rate = alloc_rate;
	ops.frames = frames;
	f->rt.ops = &ops;
	f->s.t = &target;
}

static void close_fake(struct fake *f)
{
	hf_session_free_leaks(&f->s);
	hf_free(take_ptr(f->s.nearest));
	hf_free(take_ptr(f->s.parent));
	fake_close(f);
}

static struct hf_profile *make_profile(struct fake *f, enum hf_profile_kind kind, size_t max)
{
	const struct hf_profile_options options = {.size = sizeof(options), .kind = kind, .max = max};
	struct hf_profile *p = NULL;
	struct hf_err *err = hf_profile_make(&f->s, &options, &p);

	cr_assert_null(err, "%s", err ? hf_err_message(err) : "");
	return p;
}

/* r0 (a global) -> 0 (T1, 100) -> 1, 2 (T2, 10 each) -> 3 (T2, 5)        r2 (a goroutine) -> 4 (T3, 1) -> 5 (T1, 2)
 * r0, r1 -> 6 (T3, 1000): shared, nearest to r0                           r1 -> 7 (map, 8) -> 8 (its part, 9) -> 9 (T2, 3)
 * 10 (T2) is garbage */
static const uint32_t small_types[] = {T1, T2, T2, T2, T3, T1, T3, MAP, PART, T2, T2};
static const uint64_t small_sizes[] = {100, 10, 10, 5, 1, 2, 1000, 8, 9, 3, 77};

static void open_small(struct fake *f)
{
	static const struct test_edge edges[] = {{0, 1}, {0, 2}, {0, 6}, {1, 3}, {2, 3},
						 {4, 5}, {7, 6}, {7, 8}, {8, 9}};
	struct hf_graph *g = make(11, edges, HF_LEN(edges));

	cr_assert_null(root_graph(g, 0, 0, HF_ROOT_GLOBAL));
	cr_assert_null(root_graph(g, 7, 1, HF_ROOT_GLOBAL));
	cr_assert_null(root_graph(g, 4, 2, HF_ROOT_GOROUTINE));
	open_fake(f, g, small_types, small_sizes);
}

/* "root step type", for a sample. */
static const char *spell(const struct hf_profile *p, const struct hf_profile_sample *s)
{
	static char text[4096];
	size_t at = 0;

	for (uint32_t i = s->locations_n; i-- > 0;)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
				       p->locations[s->locations[i]].function, i ? " > " : "");
	return text;
}

static const struct hf_profile_sample *find(const struct hf_profile *p, const char *spelled)
{
	for (size_t i = 0; i < p->samples_n; i++)
		if (!strcmp(spell(p, &p->samples[i]), spelled))
			return &p->samples[i];
	return NULL;
}

static const char *label_of(const struct hf_profile_sample *s, const char *key)
{
	for (uint32_t i = 0; i < s->labels_n; i++)
		if (!strcmp(s->labels[i].key, key))
			return s->labels[i].text ? s->labels[i].text : "a number";
	return "";
}

/* Each sample's values are a part of the totals, each location is at one of them, the largest come first. */
static void expect_sound(const struct hf_profile *p)
{
	_free_ uint8_t *used = hf_calloc(p->locations_n, 1);
	int64_t sums[4] = {0};

	for (size_t i = 0; i < p->samples_n; i++) {
		const struct hf_profile_sample *s = &p->samples[i];

		cr_assert_gt(s->locations_n, 0);
		for (uint32_t k = 0; k < s->locations_n; k++) {
			cr_assert_lt(s->locations[k], p->locations_n);
			used[s->locations[k]] = 1;
		}
		for (size_t v = 0; v < p->values_n; v++) {
			cr_expect_geq(s->values[v], 0);
			if (__builtin_add_overflow(sums[v], s->values[v], &sums[v]))
				sums[v] = INT64_MAX;
		}
		cr_expect(!i || p->left_out || s->values[p->default_value] <= s[-1].values[p->default_value]);
	}
	for (size_t v = 0; v < p->values_n; v++)
		cr_expect_eq(sums[v], p->totals[v]);
	for (size_t i = 0; i < p->locations_n; i++)
		cr_expect(used[i], "%s is at no sample", p->locations[i].function);
}

Test(profile, ways_are_stacks_and_sums_are_what_is_live)
{
	static const struct {
		const char *stack;
		int64_t values[4];
	} rows[] = {
		{"step1 > main.T1", {1, 100, 1, 100}},
		{"step1 > main.T1 > step20 > main.T2", {2, 20, 3, 25}},
		{"step1 > main.T1 > main.T2", {1, 5, 0, 0}},
		{"step1 > main.T1 > step20 > main.T3", {0, 0, 1, 1000}},
		{"(shared by several roots) > main.T3", {1, 1000, 0, 0}},
		{"step2 > main.Map", {2, 17, 2, 17}},
		{"step2 > main.Map > step80 > main.T2", {1, 3, 1, 3}},
		{"step3 > main.T3", {1, 1, 1, 1}},
		{"step3 > main.T3 > step40 > main.T1", {1, 2, 1, 2}},
	};
	struct hf_profile *p;
	struct fake f;

	open_small(&f);
	p = make_profile(&f, HF_PROFILE_RETAINED, 0);
	expect_sound(p);
	cr_expect_eq(p->totals[BYTES], 1148);
	cr_expect_eq(p->totals[OBJECTS], 10);
	cr_expect_eq(p->totals[BYTES_BEHIND], 1148);
	cr_expect_eq(p->totals[OBJECTS_BEHIND], 10);
	cr_expect_eq(p->samples_n, HF_LEN(rows));
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct hf_profile_sample *s = find(p, rows[i].stack);

		cr_assert_not_null(s, "there is no %s", rows[i].stack);
		for (size_t v = 0; v < 4; v++)
			cr_expect_eq(s->values[v], rows[i].values[v], "%s: %s is %" PRIi64, rows[i].stack,
				     p->values[v].type, s->values[v]);
	}
	hf_result_free(p);
	close_fake(&f);
}

Test(profile, labels_say_type_root_goroutine_and_pool)
{
	const struct hf_profile_sample *s;
	struct hf_profile *p;
	struct fake f;

	open_small(&f);
	p = make_profile(&f, HF_PROFILE_RETAINED, 0);
	s = find(p, "step1 > main.T1 > step20 > main.T2");
	cr_expect_str_eq(label_of(s, "type"), "main.T2");
	cr_expect_str_eq(label_of(s, "root"), "global");
	cr_expect_str_eq(label_of(s, "goroutine"), "");
	cr_expect_str_eq(label_of(s, "pool"), "");
	s = find(p, "step3 > main.T3 > step40 > main.T1");
	cr_expect_str_eq(label_of(s, "root"), "goroutine");
	cr_expect_str_eq(label_of(s, "goroutine"), "step3");
	cr_expect_str_eq(label_of(s, "goroutine_id"), "a number");
	cr_expect_str_eq(label_of(s, "pool"), "main.pool");
	s = find(p, "(shared by several roots) > main.T3");
	cr_expect_str_eq(label_of(s, "root"), "several");
	hf_result_free(p);
	close_fake(&f);
}

Test(profile, what_the_walk_of_steps_leaves_out_is_still_held)
{
	struct hf_profile *p;
	struct fake f;

	open_small(&f);
	steps_are_lost = true;
	p = make_profile(&f, HF_PROFILE_RETAINED, 0);
	expect_sound(p);
	cr_expect_eq(p->totals[BYTES], 1148);
	cr_expect_not_null(find(p, "step1 > main.T1 > main.T2"));
	hf_result_free(p);
	close_fake(&f);
}

Test(profile, beyond_max_the_rest_is_one_sample)
{
	struct hf_profile *p;
	struct fake f;

	open_small(&f);
	for (size_t max = 1; max < 12; max++) {
		p = make_profile(&f, HF_PROFILE_RETAINED, max);
		expect_sound(p);
		cr_expect_eq(p->totals[BYTES], 1148);
		cr_expect_eq(p->left_out, max < 9 ? 9 - max : 0);
		cr_expect_eq(p->samples_n, max < 9 ? max + 1 : 9);
		cr_expect((find(p, "(others)") != NULL) == (max < 9));
		cr_expect_str_eq(spell(p, &p->samples[0]), "step1 > main.T1 > step20 > main.T3");
		hf_result_free(p);
	}
	close_fake(&f);
}

/* Of heaps at random, the sums are right and nothing is behind a root but what it retains. */
Test(profile, any_heap_sums_up)
{
	uint64_t seed = 7;

	for (int round = 0; round < 200; round++) {
		uint32_t n = 1 + random_below(&seed, 60), types[60];
		struct test_edge edges[200];
		size_t edges_n = 0;
		struct hf_graph *g;
		struct hf_profile *p;
		struct fake f;
		int64_t behind[3] = {0};

		for (uint32_t b = 0; b < n; b++) {
			types[b] = random_below(&seed, FAKE_TYPES);
			for (uint32_t e = random_below(&seed, 4); e-- > 0;)
				edges[edges_n++] = (struct test_edge){b, random_below(&seed, n)};
		}
		g = make(n, edges, edges_n);
		for (uint32_t r = 0; r < 3; r++)
			cr_assert_null(root_graph(g, random_below(&seed, n), r, HF_ROOT_GLOBAL));
		open_fake(&f, g, types, NULL);
		p = make_profile(&f, HF_PROFILE_RETAINED, 0);
		expect_sound(p);
		cr_expect_eq(p->totals[BYTES], p->totals[BYTES_BEHIND]);
		cr_expect_eq(p->totals[OBJECTS],
			     f.s.dominators->retained_blocks[hf_dominators_top(f.s.dominators)]);
		cr_expect_eq(p->totals[BYTES],
			     (int64_t)f.s.dominators->retained[hf_dominators_top(f.s.dominators)]);
		for (size_t i = 0; i < p->samples_n; i++) {
			const char *root = spell(p, &p->samples[i]);

			if (!strncmp(root, "step", 4))
				behind[root[4] - '1'] += p->samples[i].values[BYTES_BEHIND];
		}
		for (uint32_t r = 0; r < 3; r++)
			cr_expect_eq(
				behind[r],
				(int64_t)f.s.dominators->retained[hf_dominators_holder(f.s.dominators, r)]);
		hf_result_free(p);
		close_fake(&f);
	}
}

Test(profile, goroutines_in_one_place_for_one_reason_are_one_sample)
{
	struct hf_profile *p;
	struct fake f;

	open_small(&f);
	stack[0] = (struct hf_stack_frame){.function = "runtime.gopark", .file = "proc.go", .line = 1};
	stack[1] = (struct hf_stack_frame){.function = "main.work", .file = NULL, .line = 0};
	stack_n = 2;
	tasks_n = 9;
	unwinds = true;
	p = make_profile(&f, HF_PROFILE_GOROUTINE, 0);
	expect_sound(p);
	cr_assert_eq(p->samples_n, 2);
	cr_expect_eq(p->totals[p->default_value], 9);
	cr_expect_eq(p->samples[0].values[p->default_value], 6);
	cr_expect_str_eq(label_of(&p->samples[0], "wait"), "select");
	cr_expect_str_eq(label_of(&p->samples[1], "created_by"), "main.main");
	cr_expect_str_eq(spell(p, &p->samples[0]), "main.work > runtime.gopark");
	hf_result_free(p);

	unwinds = false;
	p = make_profile(&f, HF_PROFILE_GOROUTINE, 0);
	expect_sound(p);
	cr_expect_eq(p->totals[p->default_value], 9, "a stack that cannot be unwound costs no goroutine");
	cr_expect_str_eq(spell(p, &p->samples[0]), "main.work");
	hf_result_free(p);

	unwinds = true;
	stack_n = HF_LEN(stack);
	for (size_t i = 0; i < stack_n; i++)
		stack[i] = (struct hf_stack_frame){
			.function = "main.deep", .file = "deep.go", .line = (uint32_t)i};
	p = make_profile(&f, HF_PROFILE_GOROUTINE, 0);
	expect_sound(p);
	cr_expect_eq(strncmp(spell(p, &p->samples[0]), "(further frames) > main.deep", 28), 0);
	hf_result_free(p);
	tasks_n = 0;
	p = make_profile(&f, HF_PROFILE_GOROUTINE, 0);
	cr_expect_eq(p->samples_n, 0);
	hf_result_free(p);
	close_fake(&f);
}

Test(profile, allocations_are_scaled_and_what_makes_no_sense_is_none)
{
	const struct hf_profile_options options = {.size = sizeof(options), .kind = HF_PROFILE_ALLOC};
	struct hf_profile *p;
	struct hf_err *err;
	struct fake f;

	open_small(&f);
	sites[0] = (struct hf_alloc_site){.pcs = pcs,
					  .pcs_n = 3,
					  .size = 64,
					  .allocs = 10,
					  .frees = 4,
					  .alloc_bytes = 640,
					  .free_bytes = 256};
	sites[1] = (struct hf_alloc_site){.pcs = pcs, .pcs_n = 3, .own = 3, .allocs = 1, .alloc_bytes = 8};
	sites[2] = (struct hf_alloc_site){.pcs = pcs + 1,
					  .pcs_n = 1,
					  .allocs = INT64_MAX,
					  .alloc_bytes = INT64_MAX,
					  .frees = -5,
					  .free_bytes = -5};
	sites_n = 2;
	rate = 1;
	p = make_profile(&f, HF_PROFILE_ALLOC, 0);
	expect_sound(p);
	cr_assert_eq(p->samples_n, 1, "a site without frames is in it");
	cr_expect_str_eq(spell(p, &p->samples[0]), "? > ? > main.make");
	cr_expect_eq(p->samples[0].values[0], 10);
	cr_expect_eq(p->samples[0].values[1], 640);
	cr_expect_eq(p->samples[0].values[2], 6);
	cr_expect_eq(p->samples[0].values[3], 384);
	cr_expect_str_eq(p->note, "");
	hf_result_free(p);

	sites_n = 3;
	rate = 0;
	p = make_profile(&f, HF_PROFILE_ALLOC, 0);
	cr_expect_eq(p->samples_n, 2);
	cr_expect_str_eq(p->note, "it does not sample");
	hf_result_free(p);

	sites_n = 0;
	err = hf_profile_make(&f.s, &options, &p);
	cr_expect_eq(hf_err_code(err), HF_TARGET);
	hf_err_destroy(err);
	ops.alloc_sites_n = NULL;
	err = hf_profile_make(&f.s, &options, &p);
	cr_expect_eq(hf_err_code(err), HF_UNSUPPORTED);
	hf_err_destroy(err);
	close_fake(&f);
}

Test(profile, a_kind_that_is_none_is_refused)
{
	const struct hf_profile_options options = {.size = sizeof(options), .kind = (enum hf_profile_kind)9};
	struct hf_profile *p;
	struct hf_err *err;
	struct fake f;

	open_small(&f);
	err = hf_profile_make(&f.s, &options, &p);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
	close_fake(&f);
}

Test(profile, without_memory_it_is_said)
{
	struct hf_profile *p;
	struct hf_err *err;

	for (unsigned long nth = 1; nth < 3000; nth++) {
		struct fake f;

		open_small(&f);
		hf_alloc_fail_nth(nth);
		err = hf_profile_make(&f.s, NULL, &p);
		hf_alloc_fail_nth(0);
		close_fake(&f);
		if (!err) {
			hf_result_free(p);
			cr_expect_gt(nth, 20);
			return;
		}
		cr_expect_eq(hf_err_code(err), HF_NOMEM, "%lu: %s", nth, hf_err_message(err));
		hf_err_destroy(err);
	}
	cr_assert_fail("it never had enough memory");
}

Test(profile, interrupted_there_is_none)
{
	struct hf_profile *p;
	struct hf_err *err;
	struct fake f;

	open_small(&f);
	hf_interrupt();
	err = hf_profile_make(&f.s, NULL, &p);
	hf_interrupt_clear();
	cr_expect_eq(hf_err_code(err), HF_INTERRUPTED);
	hf_err_destroy(err);
	close_fake(&f);
}
