/* The runtime's counters, from bytes: sums over generations, what caches hold back, and damage. */
#include <criterion/criterion.h>

#include "../../src/runtime/go/go.h"
#include "../../src/sym/internal.h"

/* Where the pieces lie in target memory; offsets within are those of Go 1.26. */
#define BASE       UINT64_C(0x100000)
#define MEMSTATS   0x0000
#define CONTROLLER 0x3000
#define ALLP       0x4000 /* slice header */
#define ALLP_ITEMS 0x4040
#define P0         0x5000
#define P1         0x5100
#define MCACHE     0x6000
#define SPAN0      0x7000
#define SPAN1      0x7100
#define SCALARS    0x8000 /* gomaxprocs, gcphase */
#define SIZE       0x9000
#define CLASSES    68

enum { C_16 = 2, C_64 = 6, C_1024 = 32 }; /* size classes */

struct image {
	uint8_t at[SIZE];
	struct hf_syms syms;
	struct hf_target *t;
	struct go go;
};

static void put_u64(struct image *m, size_t at, uint64_t v)
{
	memcpy(m->at + at, &v, 8);
}

#define SWEEPGEN 8

static void put_u32(struct image *m, size_t at, uint32_t v)
{
	memcpy(m->at + at, &v, 4);
}

static size_t off(const struct image *m, enum go_field field)
{
	return (size_t)m->go.layout.off[field];
}

/* A word of one generation of heapStats. */
static size_t delta(const struct image *m, int generation, enum go_field field, size_t i)
{
	return MEMSTATS + (size_t)generation * off(m, GO_HEAPSTATSDELTA_SIZE) + off(m, field) + i * 8;
}

static void put_span(struct image *m, size_t at, uint64_t elemsize, uint16_t count, uint16_t before)
{
	put_u64(m, at + off(m, GO_MSPAN_ELEMSIZE), elemsize);
	memcpy(m->at + at + off(m, GO_MSPAN_ALLOC_COUNT), &count, 2);
	memcpy(m->at + at + off(m, GO_MSPAN_ALLOC_COUNT_BEFORE_CACHE), &before, 2);
	put_u32(m, at + off(m, GO_MSPAN_SWEEPGEN), SWEEPGEN + 3); /* cached and swept */
}

static void put_heap_stats(struct image *m)
{
	/* 100 of 16 bytes; 30 of 64, of which another generation freed 10; large: 3 of 100,000, one freed. */
	put_u64(m, delta(m, 0, GO_HEAPSTATSDELTA_SMALL_ALLOC_COUNT, C_16), 100);
	put_u64(m, delta(m, 1, GO_HEAPSTATSDELTA_SMALL_ALLOC_COUNT, C_64), 30);
	put_u64(m, delta(m, 2, GO_HEAPSTATSDELTA_SMALL_FREE_COUNT, C_64), 10);
	put_u64(m, delta(m, 0, GO_HEAPSTATSDELTA_LARGE_ALLOC, 0), 300000);
	put_u64(m, delta(m, 0, GO_HEAPSTATSDELTA_LARGE_ALLOC_COUNT, 0), 3);
	put_u64(m, delta(m, 1, GO_HEAPSTATSDELTA_LARGE_FREE, 0), 100000);
	put_u64(m, delta(m, 1, GO_HEAPSTATSDELTA_LARGE_FREE_COUNT, 0), 1);
	/* A generation alone may be negative. */
	put_u64(m, delta(m, 0, GO_HEAPSTATSDELTA_IN_STACKS, 0), 65536);
	put_u64(m, delta(m, 2, GO_HEAPSTATSDELTA_IN_STACKS, 0), (uint64_t)-32768);
	put_u64(m, delta(m, 1, GO_HEAPSTATSDELTA_IN_WORK_BUFS, 0), 4096);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_MSPAN_SYS), 1000);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_MCACHE_SYS), 200);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_BUCKHASH_SYS), 30);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_GC_MISC_SYS), 4);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_NUMGC), 7);
	put_u64(m, MEMSTATS + off(m, GO_MSTATS_LAST_GC_UNIX), 1234567);
}

static void put_caches(struct image *m)
{
	put_u64(m, ALLP, BASE + ALLP_ITEMS);
	put_u64(m, ALLP + 8, 2);
	put_u64(m, ALLP_ITEMS, BASE + P0);
	put_u64(m, ALLP_ITEMS + 8, BASE + P1); /* its mcache is nil */
	put_u64(m, P0 + off(m, GO_P_MCACHE), BASE + MCACHE);
	put_u64(m, MCACHE + off(m, GO_MCACHE_ALLOC) + 8 * (2 * C_16), BASE + SPAN0);
	put_u64(m, MCACHE + off(m, GO_MCACHE_ALLOC) + 8 * (2 * C_1024 + 1), BASE + SPAN1);
	put_span(m, SPAN0, 16, 40, 38);
	put_span(m, SPAN1, 1024, 5, 5);
}

static void put_controller(struct image *m)
{
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_HEAP_IN_USE), 500000);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_HEAP_FREE), 60000);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_HEAP_RELEASED), 7000);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_GC_PERCENT), 100);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_MEMORY_LIMIT), INT64_MAX);
	put_u64(m, SCALARS, 4);
	put_u64(m, SCALARS + 8, 1);
}

static struct image *make_image(void)
{
	struct image *m = calloc(1, sizeof(*m));
	struct hf_mem_range range = {BASE, m->at, SIZE, true};
	struct hf_err *err = hf_target_open_mem(&range, 1, &m->t);

	cr_assert_null(err);
	m->go.t = m->t;
	m->go.syms = &m->syms;
	go_layout_from_table(&m->go.layout, 26);
	m->go.sweepgen = SWEEPGEN;
	m->go.layout.var[GO_VAR_MEMSTATS] = BASE + MEMSTATS;
	m->go.layout.var[GO_VAR_GCCONTROLLER] = BASE + CONTROLLER;
	m->go.layout.var[GO_VAR_ALLP] = BASE + ALLP;
	m->go.layout.var[GO_VAR_GOMAXPROCS] = BASE + SCALARS;
	m->go.layout.var[GO_VAR_GCPHASE] = BASE + SCALARS + 8;
	put_heap_stats(m);
	put_caches(m);
	put_controller(m);
	return m;
}

static void free_image(struct image *m)
{
	hf_target_close(m->t);
	free(m);
}

static const struct go_counters *read_counters(struct image *m)
{
	struct hf_err *err = go_counters_read(&m->go);

	cr_assert_null(err);
	return &m->go.counters;
}

Test(go_stats, span_that_refill_gave_back_is_not_counted_twice)
{
	struct image *m = make_image();
	const struct go_counters *c;

	put_u32(m, SPAN0 + off(m, GO_MSPAN_SWEEPGEN), SWEEPGEN);
	c = read_counters(m);
	cr_expect_eq(c->objects, 100 + 20 + 2);
	cr_expect_eq(c->bytes, 100 * 16 + 20 * 64 + 200000);
	free_image(m);
}

Test(go_stats, counters_sum_generations_and_caches)
{
	struct image *m = make_image();
	const struct go_counters *c = read_counters(m);

	cr_assert(c->valid);
	cr_expect_eq(c->objects, 100 + 20 + 2 + 2);
	cr_expect_eq(c->bytes, 100 * 16 + 20 * 64 + 200000 + 2 * 16);
	cr_expect_eq(c->stacks, 32768);
	cr_expect_eq(c->metadata, 1234 + 4096);
	cr_expect_eq(c->num_gc, 7);
	cr_expect_eq(c->last_gc_unix_ns, 1234567);
	cr_expect_eq(c->in_use, 500000);
	cr_expect_eq(c->free, 60000);
	cr_expect_eq(c->released, 7000);
	cr_expect_eq(c->gc_percent, 100);
	cr_expect_eq(c->memory_limit, HF_NOLIMIT);
	cr_expect_eq(c->next_gc, 64 << 10, "above where the last cycle was triggered: at 0");
	cr_expect_eq(c->gomaxprocs, 4);
	cr_expect_eq(c->gc_phase, 1);
	free_image(m);
}

Test(go_stats, goal_without_offsets_is_unknown)
{
	struct image *m = make_image();

	m->go.layout.off[GO_GCCONTROLLERSTATE_GC_PERCENT_HEAP_GOAL] = -1;
	cr_expect_eq(read_counters(m)->next_gc, HF_UNKNOWN);
	free_image(m);
}

Test(go_stats, tally_counts_all_that_ever_was)
{
	struct image *m = make_image();
	const struct go_tally *t;

	put_u64(m, delta(m, 1, GO_HEAPSTATSDELTA_TINY_ALLOC_COUNT, 0), 50);
	put_u64(m, delta(m, 2, GO_HEAPSTATSDELTA_TINY_ALLOC_COUNT, 0), (uint64_t)-8);
	put_u64(m, MCACHE + off(m, GO_MCACHE_TINY_ALLOCS), 5);
	t = &read_counters(m)->tally;
	cr_expect_eq(t->mallocs, 100 + 30 + 3 + 2 + 47);
	cr_expect_eq(t->frees, 10 + 1 + 47);
	cr_expect_eq(t->total_alloc, 100 * 16 + 30 * 64 + 300000 + 2 * 16);
	cr_expect_eq(t->total_free, 10 * 64 + 100000);
	cr_expect_eq(t->class_mallocs[C_16], 102);
	cr_expect_eq(t->class_frees[C_64], 10);
	cr_expect_eq(t->sizes[C_1024], 1024);
	cr_expect_eq(t->work_bufs, 4096);
	free_image(m);
}

/* The goal's members get offsets of their own here. */
static void give_goal(struct image *m, uint64_t goal, uint64_t distance, uint64_t triggered)
{
	m->go.layout.off[GO_GCCONTROLLERSTATE_GC_PERCENT_HEAP_GOAL] = 0x400;
	m->go.layout.off[GO_GCCONTROLLERSTATE_SWEEP_DIST_MIN_TRIGGER] = 0x408;
	m->go.layout.off[GO_GCCONTROLLERSTATE_TRIGGERED] = 0x410;
	put_u64(m, CONTROLLER + 0x400, goal);
	put_u64(m, CONTROLLER + 0x408, distance);
	put_u64(m, CONTROLLER + 0x410, triggered);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_MAPPED_READY), 20 << 20);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_HEAP_FREE), 2 << 20);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_TOTAL_ALLOC), 50 << 20);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_TOTAL_FREE), 40 << 20);
	put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_HEAP_MARKED), 9 << 20);
}

Test(go_stats, next_collection_follows_the_pacer)
{
	static const struct {
		const char *what;
		uint32_t percent;
		uint64_t limit, goal, distance, triggered, next;
	} cases[] = {
		{"GOGC alone", 100, INT64_MAX, 30 << 20, 0, UINT64_MAX, 30 << 20},
		{"off", UINT32_MAX, INT64_MAX, UINT64_MAX, 0, UINT64_MAX, HF_NOLIMIT},
		{"a late sweep", 100, INT64_MAX, 30 << 20, 31 << 20, UINT64_MAX, 31 << 20},
		{"a cycle under way", 100, INT64_MAX, 30 << 20, 0, 30 << 20, (30 << 20) + 65536},
		/* 8 MiB are no heap: 32 are left, less 3 in a hundred */
		{"the limit is nearer", 100, 40 << 20, 60 << 20, 0, UINT64_MAX, (32 << 20) - 1048576},
		{"the limit alone", UINT32_MAX, 40 << 20, UINT64_MAX, 0, UINT64_MAX, (32 << 20) - 1048576},
		{"the limit cannot be kept: the marked heap", UINT32_MAX, 4 << 20, UINT64_MAX, 0, UINT64_MAX,
		 9 << 20},
		{"GOGC is nearer than the limit", 100, 40 << 20, 20 << 20, 0, UINT64_MAX, 20 << 20},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image *m = make_image();

		give_goal(m, cases[i].goal, cases[i].distance, cases[i].triggered);
		memcpy(m->at + CONTROLLER + off(m, GO_GCCONTROLLERSTATE_GC_PERCENT), &cases[i].percent, 4);
		put_u64(m, CONTROLLER + off(m, GO_GCCONTROLLERSTATE_MEMORY_LIMIT), cases[i].limit);
		cr_expect_eq(read_counters(m)->next_gc, cases[i].next, "%s: %" PRIu64, cases[i].what,
			     m->go.counters.next_gc);
		free_image(m);
	}
}

/* What each damage leaves: the counts are unknown, the rest is told. */
Test(go_stats, damage_makes_counts_unknown)
{
	static const struct {
		const char *what;
		size_t at;
		uint64_t value;
	} cases[] = {
		{"allp leads nowhere", ALLP, 0x10},
		{"a P leads nowhere", ALLP_ITEMS, 0xdead0000},
		{"a P at the end of the address space", ALLP_ITEMS, UINT64_MAX - 8},
		{"allp says more than there is", ALLP + 8, 1 << 20},
		{"allp says as much as there can be", ALLP + 8, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image *m = make_image();

		put_u64(m, cases[i].at, cases[i].value);
		read_counters(m);
		cr_expect_not(m->go.counters.valid, "%s", cases[i].what);
		cr_expect_eq(m->go.counters.objects, HF_UNKNOWN, "%s", cases[i].what);
		cr_expect_eq(m->go.counters.bytes, HF_UNKNOWN, "%s", cases[i].what);
		cr_expect_eq(m->go.counters.stacks, 32768, "%s", cases[i].what);
		cr_expect_eq(m->go.counters.in_use, 500000, "%s", cases[i].what);
		free_image(m);
	}
}

Test(go_stats, damaged_caches_make_counts_unknown)
{
	static const uint64_t bad[] = {0x10, BASE + SIZE - 4, UINT64_MAX, BASE + SIZE};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct image *m = make_image();
		size_t slot = MCACHE + off(m, GO_MCACHE_ALLOC);

		put_u64(m, slot, bad[i]);
		cr_expect_not(read_counters(m)->valid, "span at 0x%" PRIx64, bad[i]);
		put_u64(m, slot, 0);
		cr_expect(read_counters(m)->valid);
		put_u64(m, P1 + off(m, GO_P_MCACHE), bad[i]);
		cr_expect_not(read_counters(m)->valid, "mcache at 0x%" PRIx64, bad[i]);
		free_image(m);
	}
}

/* Offsets come from DWARF, which is as hostile as the rest. */
Test(go_stats, absurd_offsets_do_no_harm)
{
	static const int32_t absurd[] = {-1, 0, 1, 7, 4095, 65535, 65536, INT32_MAX, INT32_MIN};

	for (int field = 0; field < GO_FIELDS_N; field++)
		for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
			struct image *m = make_image();

			m->go.layout.off[field] = absurd[i];
			read_counters(m);
			cr_expect(m->go.counters.valid || m->go.counters.objects == HF_UNKNOWN);
			free_image(m);
		}
}

Test(go_stats, missing_variables_are_unknown)
{
	for (int v = 0; v < GO_VARIABLES_N; v++) {
		struct image *m = make_image();

		m->go.layout.var[v] = 0;
		read_counters(m);
		if (v == GO_VAR_MEMSTATS || v == GO_VAR_ALLP)
			cr_expect_not(m->go.counters.valid);
		if (v == GO_VAR_GCCONTROLLER)
			cr_expect_eq(m->go.counters.in_use, HF_UNKNOWN);
		if (v == GO_VAR_GOMAXPROCS)
			cr_expect_eq(m->go.counters.gomaxprocs, HF_UNKNOWN);
		if (v == GO_VAR_MEMSTATS)
			cr_expect_eq(m->go.counters.last_gc_unix_ns, 0, "never, as far as we know");
		free_image(m);
	}
}

Test(go_stats, classes_of_another_number_are_not_guessed)
{
	struct image *m = make_image();

	/* One more class in both arrays, and no table in the target that says how large. */
	m->go.layout.off[GO_HEAPSTATSDELTA_LARGE_FREE] += 8;
	cr_expect_not(read_counters(m)->valid);
	free_image(m);
}

Test(go_stats, memory_out_is_an_error)
{
	struct image *m = make_image();
	struct hf_err *err;

	hf_alloc_fail_nth(1);
	err = go_counters_read(&m->go);
	hf_alloc_fail_nth(0);
	cr_expect_eq(hf_err_code(err), HF_NOMEM);
	hf_err_destroy(err);
	free_image(m);
}
