/* Pages in no span, from the page allocator's bitmaps: runs, caches, padding; and ranges that lie. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>

enum { RANGES = 0x0, ALLP = 0x80, PS = 0xa0, P = 0x100, L2 = 0x400 };
enum {
	CHUNK = 4 << 20,
	ENTRY = 16,
	PAGES = CHUNK / 8192
}; /* ENTRY: of the first level's, the heap's chunk */

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void put(uint32_t at, uint64_t v)
{
	put64(fake.meta + LISTS + at, v);
}

static void put_mheap(int32_t off, uint64_t v)
{
	put64(fake.meta + MHEAP + off, v);
}

/* The bitmaps of the heap's one chunk: word i of what is allocated, of what is given back. */
static uint32_t bits(uint32_t word)
{
	return L2 + word * 8;
}

static uint32_t scavenged(uint32_t word)
{
	return L2 + 64 + word * 8;
}

static void put_ranges(uint64_t start, uint64_t end, uint64_t n)
{
	put(RANGES, start);
	put(RANGES + 8, end);
	put_mheap(go_off(&go, MHEAP_PAGES_IN_USE), list_addr(RANGES));
	put_mheap(go_off(&go, MHEAP_PAGES_IN_USE) + 8, n);
}

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	go.layout.var[GO_VAR_ALLP] = list_addr(ALLP);
	put(ALLP, list_addr(PS));
	put(ALLP + 8, 1);
	put(PS, list_addr(P));
	put_ranges(HEAP_BASE, HEAP_BASE + CHUNK, 1);
	/* The chunk's index is 2^25 + 16: entry 4096 of the first level, 16 of the second. */
	put_mheap(go_off(&go, MHEAP_PAGES_CHUNKS) + 4096 * 8, list_addr(L2) - ENTRY * 128);
	put(bits(0), 0xf); /* the four spans */
}

static void teardown(void)
{
	fake_heap_close(&go, target);
}

TestSuite(go_idle, .init = setup, .fini = teardown);

static bool read_idle(struct hf_idle *ret)
{
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_idle_capture(&go));
	cr_assert_null(go_spans_number(&go));
	return go_idle(&go.rt, ret);
}

Test(go_idle, free_pages_are_one_run)
{
	struct hf_idle idle;

	cr_assert(read_idle(&idle));
	cr_expect_eq(idle.bytes, (PAGES - 4) * 8192u);
	cr_expect_eq(idle.runs, 1);
	cr_expect_eq(idle.largest_run, idle.bytes);
	cr_expect_eq(idle.released, 0);
	cr_expect_eq(idle.padding, 0);
}

Test(go_idle, runs_go_on_over_words_and_end_at_allocated_pages)
{
	struct hf_idle idle;

	put(bits(1), 1ull << 63 | 1); /* pages 64 and 127: 60, 62 and 384 free ones */
	put(scavenged(0), ~0ull);     /* of those that are allocated it says nothing */
	cr_assert(read_idle(&idle));
	cr_expect_eq(idle.bytes, (PAGES - 6) * 8192u);
	cr_expect_eq(idle.runs, 3);
	cr_expect_eq(idle.largest_run, 384 * 8192u);
	cr_expect_eq(idle.released, 60 * 8192u);
	cr_expect_eq(idle.padding, 2 * 8192u); /* allocated, and in no span */
}

Test(go_idle, all_allocated_or_none)
{
	struct hf_idle idle;

	for (uint32_t i = 0; i < 8; i++)
		put(bits(i), ~0ull);
	cr_assert(read_idle(&idle));
	cr_expect_eq(idle.bytes + idle.runs + idle.largest_run, 0);
	teardown();
	setup();
	put(bits(0), 0);
	cr_assert(read_idle(&idle));
	cr_expect_eq(idle.bytes, CHUNK);
	cr_expect_eq(idle.padding, 0); /* less is allocated than in spans: damage, not less than nothing */
}

Test(go_idle, caches_of_processors_are_idle_and_in_no_run)
{
	struct hf_idle idle;

	put(bits(1), 0xff);
	put(P + (uint32_t)go_off(&go, P_PCACHE) + 8, 0xff);
	put(P + (uint32_t)go_off(&go, P_PCACHE) + 16, 0x0f);
	cr_assert(read_idle(&idle));
	cr_expect_eq(idle.cached, 8 * 8192u);
	cr_expect_eq(idle.bytes, (PAGES - 4) * 8192u);
	cr_expect_eq(idle.released, 4 * 8192u);
	cr_expect_eq(idle.runs, 2);
	cr_expect_eq(idle.padding, 0);
}

Test(go_idle, ranges_that_lie_are_unknown)
{
	static const struct {
		const char *what;
		uint64_t start, end, n;
	} rows[] = {
		{"none", HEAP_BASE, HEAP_BASE + CHUNK, 0},
		{"more than there can be", HEAP_BASE, HEAP_BASE + CHUNK, UINT64_MAX},
		{"a second that is empty", HEAP_BASE, HEAP_BASE + CHUNK, 2},
		{"nothing in it", HEAP_BASE, HEAP_BASE, 1},
		{"backwards", HEAP_BASE + CHUNK, HEAP_BASE, 1},
		{"no chunks", HEAP_BASE + 8192, HEAP_BASE + CHUNK, 1},
		{"half a chunk", HEAP_BASE, HEAP_BASE + CHUNK / 2, 1},
		{"beyond all addresses", HEAP_BASE, 1ull << 63, 1},
		{"all addresses", 0, 1ull << 46, 1},
		{"chunks without bitmaps", HEAP_BASE + (1ull << 36), HEAP_BASE + (1ull << 36) + CHUNK, 1},
	};
	struct hf_idle idle;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		teardown();
		setup();
		put_ranges(rows[i].start, rows[i].end, rows[i].n);
		cr_expect_not(read_idle(&idle), "%s", rows[i].what);
	}
}

Test(go_idle, bitmaps_that_cannot_be_read_are_unknown)
{
	struct hf_idle idle;

	put_mheap(go_off(&go, MHEAP_PAGES_CHUNKS) + 4096 * 8, UINT64_MAX - 64);
	cr_expect_not(read_idle(&idle));
}

Test(go_idle, processors_that_cannot_be_read_are_unknown)
{
	static const uint64_t lists[][2] = {
		{0x10, 1}, {META_BASE + LISTS + PS, UINT64_MAX}, {META_BASE + LISTS + PS, 3}};
	struct hf_idle idle;

	for (size_t i = 0; i < HF_LEN(lists); i++) {
		teardown();
		setup();
		put(ALLP, lists[i][0]);
		put(ALLP + 8, lists[i][1]);
		cr_expect_not(read_idle(&idle));
	}
}

Test(go_idle, spans_say_who_holds_them)
{
	struct hf_span span;
	uint32_t sweepgen = 8;

	put32(fake.meta + MHEAP + go_off(&go, MHEAP_SWEEPGEN), sweepgen);
	put32(fake.meta + SPANS + go_off(&go, MSPAN_SWEEPGEN), sweepgen + 3);         /* cached */
	put32(fake.meta + SPANS + 0x100 + go_off(&go, MSPAN_SWEEPGEN), sweepgen);     /* swept */
	put32(fake.meta + SPANS + 0x300 + go_off(&go, MSPAN_SWEEPGEN), sweepgen - 2); /* not swept */
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_spans_number(&go));
	cr_assert_eq(go_spans_n(&go.rt), 4);
	go_span_get(&go.rt, 0, &span);
	cr_expect_eq(span.holder, HF_SPAN_CACHED);
	cr_expect_eq(span.blocks, 5);
	cr_expect_eq(span.slots, 124);
	go_span_get(&go.rt, 1, &span);
	cr_expect_eq(span.holder, HF_SPAN_PARTIAL);
	cr_expect_not(span.unswept);
	go_span_get(&go.rt, 2, &span);
	cr_expect_eq(span.holder, HF_SPAN_LARGE);
	cr_expect_eq(span.blocks, 1);
	go_span_get(&go.rt, 3, &span);
	cr_expect_eq(span.holder, HF_SPAN_PARTIAL);
	cr_expect(span.unswept);
	cr_expect_eq(span.first_block + span.blocks, go.blocks);
}
