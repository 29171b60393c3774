/* MemStats from counters and memory: what is not known is left out, what cannot be is not believed. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>
#include <math.h>

#define STATS 0x4000u /* in the heap's bytes: memstats is large */

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	go.layout.var[GO_VAR_MEMSTATS] = heap_addr(STATS);
	go.counters = (struct go_counters){
		.valid = true,
		.objects = 70,
		.bytes = 7000,
		.stacks = 1 << 16,
		.in_use = 1 << 20,
		.free = 1 << 18,
		.released = 1 << 17,
		.num_gc = 3,
		.next_gc = HF_NOLIMIT,
		.tally = {
			.total_alloc = 10000, .total_free = 3000, .mallocs = 100, .frees = 30, .classes = 3}};
}

static void teardown(void)
{
	fake_heap_close(&go, target);
}

TestSuite(go_memstats, .init = setup, .fini = teardown);

static void put_stat(int32_t off, uint64_t v)
{
	put64(fake.heap + STATS + off, v);
}

static const struct hf_figure *find(const struct hf_heap *heap, const char *name)
{
	for (size_t i = 0; i < heap->memstats_n; i++)
		if (!strcmp(heap->memstats[i].name, name))
			return &heap->memstats[i];
	return NULL;
}

static void expect_figure(const struct hf_heap *heap, const char *name, uint64_t value)
{
	const struct hf_figure *f = find(heap, name);

	cr_assert(f, "%s is left out", name);
	cr_expect_eq(f->value, value, "%s is %lu", name, f->value);
	cr_expect(*f->meaning && strlen(f->meaning) <= 60, "%s: %s", name, f->meaning);
}

Test(go_memstats, figures_follow_from_counters)
{
	struct hf_heap heap = {0};

	put_stat(go_off(&go, MSTATS_STACKS_SYS), 100);
	put_stat(go_off(&go, MSTATS_GC_MISC_SYS), 50);
	cr_assert_null(go_memstats(&go, &heap));
	expect_figure(&heap, "Alloc", 7000);
	expect_figure(&heap, "HeapObjects", 70);
	expect_figure(&heap, "Frees", 30);
	expect_figure(&heap, "HeapIdle", (1 << 18) + (1 << 17));
	expect_figure(&heap, "HeapSys", (1 << 20) + (1 << 18) + (1 << 17));
	expect_figure(&heap, "StackSys", (1 << 16) + 100);
	expect_figure(&heap, "Sys", (1 << 20) + (1 << 18) + (1 << 17) + (1 << 16) + 100 + 50);
	expect_figure(&heap, "NextGC", HF_NOLIMIT);
	cr_expect_eq(heap.by_size_n, 3);
}

Test(go_memstats, what_is_not_known_is_left_out)
{
	struct hf_heap heap = {0};

	go.layout.var[GO_VAR_MEMSTATS] = 0;
	go.counters.valid = false;
	go.counters.released = go.counters.stacks = go.counters.num_gc = HF_UNKNOWN;
	cr_assert_null(go_memstats(&go, &heap));
	cr_expect_null(find(&heap, "Alloc"));
	cr_expect_null(find(&heap, "Mallocs"));
	cr_expect_null(find(&heap, "HeapIdle"));
	cr_expect_null(find(&heap, "HeapSys"));
	cr_expect_null(find(&heap, "StackSys"));
	cr_expect_null(find(&heap, "Sys"));
	cr_expect_null(find(&heap, "GCCPUFraction"));
	expect_figure(&heap, "HeapInuse", 1 << 20);
	expect_figure(&heap, "Lookups", 0);
	cr_expect_eq(heap.pauses_n + heap.by_size_n, 0);
}

Test(go_memstats, memory_that_cannot_be_read_is_left_out)
{
	struct hf_heap heap = {0};

	go.layout.var[GO_VAR_MEMSTATS] = UINT64_MAX - 4096;
	cr_assert_null(go_memstats(&go, &heap));
	cr_expect_null(find(&heap, "PauseTotalNs"));
	cr_expect_null(find(&heap, "Sys"));
	cr_expect_eq(heap.pauses_n, 0);
}

Test(go_memstats, sums_that_wrap_are_left_out)
{
	struct hf_heap heap = {0};

	put_stat(go_off(&go, MSTATS_STACKS_SYS), UINT64_MAX - 5);
	cr_assert_null(go_memstats(&go, &heap));
	cr_expect_null(find(&heap, "StackSys"));
	cr_expect_null(find(&heap, "Sys"));
}

Test(go_memstats, fraction_that_is_none_is_left_out)
{
	static const double values[] = {-0.5, 1.5, 1e300, (double)INFINITY, (double)NAN};

	for (size_t i = 0; i < HF_LEN(values); i++) {
		struct hf_heap heap = {0};

		memcpy(fake.heap + STATS + go_off(&go, MSTATS_GC_CPU_FRACTION), &values[i], 8);
		cr_assert_null(go_memstats(&go, &heap));
		cr_expect_null(find(&heap, "GCCPUFraction"));
	}
}

Test(go_memstats, pauses_are_the_latest_first)
{
	struct hf_heap heap = {0};

	for (uint32_t i = 0; i < 256; i++)
		put_stat(go_off(&go, MSTATS_PAUSE_NS) + (int32_t)i * 8, i);
	cr_assert_null(go_memstats(&go, &heap));
	cr_assert_eq(heap.pauses_n, 3);
	cr_expect_eq(heap.pauses[0], 2);
	cr_expect_eq(heap.pauses[2], 0);
	go.counters.num_gc = UINT32_MAX; /* the ring is full: the last is in the slot before the next */
	cr_assert_null(go_memstats(&go, &heap));
	cr_assert_eq(heap.pauses_n, 256);
	cr_expect_eq(heap.pauses[0], (UINT32_MAX - 1) % 256);
	cr_expect_eq(heap.pauses[255], (UINT32_MAX - 256) % 256);
}
