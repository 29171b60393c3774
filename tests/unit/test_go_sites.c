/* Allocation sites from records in memory: what they sum up to, and lists that lie. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>

#define END (META_SIZE - LISTS) /* of what can be read */

enum { HEAD = 0x0, RATE = 0x8, OFF = 0x10, FIRST = 0x100, SECOND = 0x400, THIRD = 0x700 };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void put(uint32_t at, uint64_t v)
{
	put64(fake.meta + LISTS + at, v);
}

static void set_release(int minor)
{
	go_layout_from_table(&go.layout, minor);
	go.layout.var[GO_VAR_MHEAP] = meta_addr(MHEAP);
	go.layout.var[GO_VAR_MBUCKETS] = list_addr(HEAD);
	go.layout.var[GO_VAR_MEMPROFILERATE] = list_addr(RATE);
	go.layout.var[GO_VAR_DISABLEMEMORYPROFILING] = list_addr(OFF);
}

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	set_release(26);
	put(RATE, 1);
}

static void teardown(void)
{
	hf_vec_deinit(&go.specials);
	hf_vec_deinit(&go.queue_roots);
	fake_heap_close(&go, target);
}

TestSuite(go_sites, .init = setup, .fini = teardown);

/* A record of nstk return addresses, whose four cycles count allocs and frees each. */
static void put_record(uint32_t at, uint64_t next, uint64_t size, uint64_t nstk, uint64_t allocs,
		       uint64_t frees)
{
	uint32_t record = at + 48 + (uint32_t)nstk * 8, cycle = (uint32_t)go_off(&go, MEMRECORDCYCLE_SIZE);

	put(at + (uint32_t)go_off(&go, BUCKET_ALLNEXT), next);
	put(at + (uint32_t)go_off(&go, BUCKET_TYP), 1);
	put(at + (uint32_t)go_off(&go, BUCKET_OBJECT_SIZE), size);
	put(at + (uint32_t)go_off(&go, BUCKET_NSTK), nstk);
	for (uint32_t i = 0; i < nstk; i++)
		put(at + 48 + i * 8, 0x400000 + i);
	for (uint32_t i = 0; i < 4; i++) {
		put(record + i * cycle, allocs);
		put(record + i * cycle + 8, frees);
		if (cycle < 32)
			continue;
		put(record + i * cycle + 16, allocs * size);
		put(record + i * cycle + 24, frees * size);
	}
}

static uint32_t read_sites(void)
{
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_specials_read(&go));
	cr_assert_null(go_sites_capture(&go));
	cr_assert_null(go_spans_number(&go));
	cr_assert_null(go_sites_read(&go));
	return go_sites_n(&go.rt);
}

Test(go_sites, records_sum_up_all_cycles)
{
	struct hf_alloc_site site;

	put(HEAD, list_addr(SECOND));
	put_record(SECOND, list_addr(FIRST), 48, 3, 10, 4);
	put_record(FIRST, 0, 64, 0, 1, 0);
	cr_assert_eq(read_sites(), 2);
	cr_expect_eq(go.damage[GO_DAMAGE_SITES].n, 0);
	go_site_get(&go.rt, 0, &site);
	cr_expect_eq(site.allocs, 40);
	cr_expect_eq(site.frees, 16);
	cr_expect_eq(site.alloc_bytes, 40 * 48);
	cr_expect_eq(site.free_bytes, 16 * 48);
	cr_assert_eq(site.pcs_n, 3);
	cr_expect_eq(site.pcs[2], 0x400002);
	cr_expect_eq(site.size, 48);
	go_site_get(&go.rt, 1, &site);
	cr_expect_eq(site.pcs_n, 0);
	cr_expect_eq(site.allocs, 4);
}

Test(go_sites, bytes_follow_from_counts_where_records_have_none)
{
	struct hf_alloc_site site;

	set_release(27);
	put(HEAD, list_addr(FIRST));
	put_record(FIRST, 0, 4096, 2, 3, 1);
	cr_assert_eq(read_sites(), 1);
	go_site_get(&go.rt, 0, &site);
	cr_expect_eq(site.allocs, 12);
	cr_expect_eq(site.alloc_bytes, 12 * 4096);
	cr_expect_eq(site.free_bytes, 4 * 4096);
}

Test(go_sites, list_that_lies_is_cut_and_told)
{
	static const struct {
		const char *what;
		uint64_t next, lowest;
		uint32_t sites;
	} rows[] = {
		{"itself", META_BASE + LISTS + FIRST, META_BASE + LISTS + FIRST, 1},
		{"not mapped", 0x1000, 0x1000, 1},
		{"end of the address space", UINT64_MAX - 7, UINT64_MAX - 7, 1},
		{"no address", META_BASE + LISTS + SECOND + 4, META_BASE + LISTS + SECOND + 4, 1},
		{"no record of this kind", META_BASE + LISTS + THIRD, META_BASE + LISTS + THIRD, 1},
		{"cut by the end of its memory", META_BASE + META_SIZE - 48, META_BASE + META_SIZE - 48, 1},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		teardown();
		setup();
		put(HEAD, list_addr(FIRST));
		put_record(FIRST, rows[i].next, 48, 2, 1, 0);
		put(END - 48 + 16, 1); /* its type */
		cr_expect_eq(read_sites(), rows[i].sites, "%s", rows[i].what);
		cr_expect_eq(go.damage[GO_DAMAGE_SITES].n, 1, "%s", rows[i].what);
		cr_expect_eq(go.damage[GO_DAMAGE_SITES].lowest, rows[i].lowest, "%s", rows[i].what);
	}
}

Test(go_sites, ring_of_two_ends)
{
	put(HEAD, list_addr(FIRST));
	put_record(FIRST, list_addr(SECOND), 48, 1, 1, 0);
	put_record(SECOND, list_addr(FIRST), 64, 1, 1, 0);
	cr_expect_leq(read_sites(), 8);
	cr_expect_eq(go.damage[GO_DAMAGE_SITES].n, 1);
}

Test(go_sites, depth_that_cannot_be_is_not_read)
{
	static const uint64_t depths[] = {2049, 1u << 20, UINT32_MAX, UINT64_MAX / 8, UINT64_MAX};

	for (size_t i = 0; i < HF_LEN(depths); i++) {
		teardown();
		setup();
		put(HEAD, list_addr(FIRST));
		put_record(FIRST, 0, 48, 1, 1, 0);
		put(FIRST + (uint32_t)go_off(&go, BUCKET_NSTK), depths[i]);
		cr_expect_eq(read_sites(), 0);
		cr_expect_eq(go.site_pcs.n, 0);
		cr_expect_eq(go.damage[GO_DAMAGE_SITES].n, 1);
	}
}

Test(go_sites, layout_that_cannot_be_gives_none)
{
	static const enum go_field fields[] = {GO_BUCKET_SIZE, GO_BUCKET_ALLNEXT, GO_MEMRECORD_SIZE,
					       GO_MEMRECORDCYCLE_SIZE, GO_MEMRECORDCYCLE_FREES};
	static const int32_t values[] = {-1, 4096, INT32_MAX};

	for (size_t i = 0; i < HF_LEN(fields); i++)
		for (size_t k = 0; k < HF_LEN(values); k++) {
			teardown();
			setup();
			put(HEAD, list_addr(FIRST));
			put_record(FIRST, 0, 48, 1, 1, 0);
			go.layout.off[fields[i]] = values[k];
			cr_expect_eq(read_sites(), 0);
		}
}

/* A profile's special, of the object at an offset of the first span. */
static void put_special(uint32_t at, uint64_t next, uint64_t offset, uint64_t record)
{
	put(at + (uint32_t)go_off(&go, SPECIAL_NEXT), next);
	put(at + (uint32_t)go_off(&go, SPECIAL_OFFSET), offset);
	fake.meta[LISTS + at + (uint32_t)go_off(&go, SPECIAL_KIND)] =
		(uint8_t)go.layout.special_kind[GO_SPECIAL_PROFILE];
	put(at + (uint32_t)go_off(&go, SPECIALPROFILE_B), record);
}

Test(go_sites, block_that_is_a_sample_knows_its_site)
{
	enum { A = 0xa00, B = 0xa40, C = 0xa80, D = 0xac0, E = 0xb00 };

	put(HEAD, list_addr(FIRST));
	put_record(FIRST, list_addr(SECOND), 48, 1, 1, 0);
	put_record(SECOND, 0, 64, 1, 1, 0);
	put64(fake.meta + SPANS + go_off(&go, MSPAN_SPECIALS), list_addr(A));
	put_special(A, list_addr(B), 0, list_addr(SECOND));
	put_special(B, list_addr(C), 64 + 8, list_addr(FIRST)); /* inside of the object */
	put_special(C, list_addr(D), 128, list_addr(THIRD));    /* no record */
	put_special(D, list_addr(E), 4 * 64, list_addr(FIRST)); /* a free slot */
	put_special(E, 0, UINT64_C(1) << 40, list_addr(FIRST)); /* nowhere */
	read_sites();
	cr_expect_eq(go_block_site(&go.rt, go_find_block(&go, heap_addr(SMALL))), 1);
	cr_expect_eq(go_block_site(&go.rt, go_find_block(&go, heap_addr(SMALL + 64))), 0);
	cr_expect_eq(go_block_site(&go.rt, go_find_block(&go, heap_addr(SMALL + 128))), UINT32_MAX);
	cr_expect_eq(go_block_site(&go.rt, UINT32_MAX), UINT32_MAX);
	cr_expect_eq(go.samples.n, 2);
	cr_expect_eq(go.specials.n, 0);
}

Test(go_sites, rate_says_whether_it_samples)
{
	const char *why;

	put(RATE, 4096);
	read_sites();
	cr_expect_eq(go_sample_rate(&go.rt, &why), 4096);
	cr_expect_str_empty(why);

	put(RATE, (uint64_t)-5); /* as the runtime: not above 0 is off */
	cr_assert_null(go_sites_capture(&go));
	cr_expect_eq(go_sample_rate(&go.rt, &why), 0);
	cr_expect_not_null(strstr(why, "MemProfileRate is 0"));

	put(RATE, 0);
	put(OFF, 1);
	put(HEAD, list_addr(FIRST));
	put_record(FIRST, 0, 48, 1, 1, 0);
	cr_assert_null(go_sites_capture(&go));
	cr_expect_eq(go_sample_rate(&go.rt, &why), 0);
	cr_expect_not_null(strstr(why, "net/http/pprof"));
	cr_expect_eq(go.sites_head, 0); /* what was sampled at the start is no profile */

	go.layout.var[GO_VAR_MEMPROFILERATE] = 0; /* stripped */
	cr_assert_null(go_sites_capture(&go));
	cr_expect_eq(go_sample_rate(&go.rt, &why), HF_UNKNOWN);
	cr_expect_not_null(strstr(why, "stripped"));
}

Test(go_sites, samples_are_scaled_as_pprof_does)
{
	static const struct {
		uint64_t rate;
		int64_t count, bytes;
		uint64_t want_count, want_bytes;
	} rows[] = {
		{1, 7, 700, 7, 700},
		{0, 7, 700, 7, 700},
		{HF_UNKNOWN, 7, 700, 7, 700},
		{524288, 1, 524288, 1, 829411},       /* 1 / (1 - 1/e) */
		{524288, 12, 12 << 20, 13, 14552359}, /* 1 / (1 - 1/e^2) */
		{524288, 2, 32, 65537, 1048592},      /* 16 bytes each: one in 32,768 */
		{524288, 0, 0, 0, 0},
		{524288, -3, -300, 0, 0},
		{524288, 3, -300, 0, 0},
		{524288, 0, 300, 0, 0},
		{524288, INT64_MAX, 1, 0, 0}, /* less than a byte each: bounded, whatever it says */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		uint64_t count, bytes;

		hf_alloc_scale(rows[i].rate, rows[i].count, rows[i].bytes, &count, &bytes);
		if (rows[i].count == INT64_MAX) {
			cr_expect_leq(bytes, 1u << 20);
			continue;
		}
		cr_expect_eq(count, rows[i].want_count, "row %zu: %lu", i, count);
		cr_expect_eq(bytes, rows[i].want_bytes, "row %zu: %lu", i, bytes);
	}
}
