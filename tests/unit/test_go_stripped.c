/* The runtime's variables, found by what they hold: in memory made by hand, with candidates that lie. */
#include <criterion/criterion.h>

#include "../../src/runtime/go/go.h"
#include "../../src/runtime/go/stripped.h"

/* One image. The offsets within the structures are those of Go 1.26. */
#define BASE UINT64_C(0x400000)
enum {
	TEXT = 0x0,
	PCLNTAB = 0x1000,
	TYPES = 0x2000,
	TYPES_END = 0x3000,
	MODULE = 0x4000, /* .go.module */
	MODULE_END = 0x5000,
	DATA = 0x6000, /* reasons, allgs, lists that lie */
	REASONS = 0x6000,
	ALLGS = 0x6100,
	SECOND_GS = 0x6200,
	SECOND_SPANS = 0x6300,
	TEXTS = 0x6800,
	DATA_END = 0x7000,
	BSS = 0x8000, /* mheap_ */
	BSS_END = 0x19000,
	IMAGE_END = 0x1a000,
	SPAN_LIST = 0x1b000,
	G_LIST = 0x1c000,
	SPANS = 0x1d000,
	GS = 0x1f000,
	SIZE = 0x22000,
};
enum { SPANS_N = 20, GS_N = 5, SPAN_STRIDE = 0xa0, G_STRIDE = 0x200 };

struct image {
	uint8_t at[SIZE];
	struct go_layout l;
	struct hf_target *t;
	struct hf_range holder;
	struct go_stripped in;
};

static void put(struct image *m, uint64_t at, uint64_t v)
{
	memcpy(m->at + at, &v, 8);
}

static uint64_t off(const struct image *m, enum go_field field)
{
	return (uint64_t)m->l.off[field];
}

static void put_range(struct image *m, uint64_t module, enum go_field start, enum go_field end, uint64_t from,
		      uint64_t to)
{
	put(m, module + off(m, start), BASE + from);
	put(m, module + off(m, end), BASE + to);
}

static void put_module(struct image *m, uint64_t at)
{
	put(m, at, BASE + PCLNTAB);
	put_range(m, at, GO_MODULEDATA_TEXT, GO_MODULEDATA_ETEXT, TEXT, PCLNTAB);
	put_range(m, at, GO_MODULEDATA_MINPC, GO_MODULEDATA_MAXPC, TEXT, PCLNTAB);
	put_range(m, at, GO_MODULEDATA_NOPTRDATA, GO_MODULEDATA_ENOPTRDATA, DATA_END, DATA_END);
	put_range(m, at, GO_MODULEDATA_DATA, GO_MODULEDATA_EDATA, DATA, DATA_END);
	put_range(m, at, GO_MODULEDATA_BSS, GO_MODULEDATA_EBSS, BSS, BSS_END);
	put_range(m, at, GO_MODULEDATA_NOPTRBSS, GO_MODULEDATA_ENOPTRBSS, BSS_END, BSS_END);
	put_range(m, at, GO_MODULEDATA_TYPES, GO_MODULEDATA_ETYPES, TYPES, TYPES_END);
	put(m, at + off(m, GO_MODULEDATA_FTAB), BASE + PCLNTAB + 0x100);
}

static void put_slice(struct image *m, uint64_t at, uint64_t ptr, uint64_t n, uint64_t cap)
{
	put(m, at, ptr);
	put(m, at + 8, n);
	put(m, at + 16, cap);
}

static uint64_t allspans(const struct image *m)
{
	return BSS + off(m, GO_MHEAP_ALLSPANS);
}

static void put_heap(struct image *m)
{
	put(m, BSS + off(m, GO_MHEAP_SWEEPGEN), 8);
	put_slice(m, allspans(m), BASE + SPAN_LIST, SPANS_N, 8192);
	for (uint64_t i = 0; i < SPANS_N; i++) {
		uint64_t span = SPANS + i * SPAN_STRIDE;

		put(m, SPAN_LIST + i * 8, BASE + span);
		put(m, span + off(m, GO_MSPAN_START_ADDR), 0xc000000000 + i * 8192);
		put(m, span + off(m, GO_MSPAN_NPAGES), 1);
		put(m, span + off(m, GO_MSPAN_ELEMSIZE), 64);
		m->at[span + off(m, GO_MSPAN_STATE)] = 1;
	}
}

static void put_gs(struct image *m)
{
	put_slice(m, ALLGS, BASE + G_LIST, GS_N, 8);
	for (uint64_t i = 0; i < GS_N; i++) {
		uint64_t g = GS + i * G_STRIDE;

		put(m, G_LIST + i * 8, BASE + g);
		put(m, g + off(m, GO_G_SCHED_SP) + 16, BASE + g);
		put(m, g + off(m, GO_G_STACK_LO), 0xc000100000 + i * 0x1000);
		put(m, g + off(m, GO_G_STACK_HI), 0xc000100800 + i * 0x1000);
		put(m, g + off(m, GO_G_ATOMICSTATUS), 4);
	}
}

static void put_string(struct image *m, uint64_t header, uint64_t at, const char *text)
{
	memcpy(m->at + at, text, strlen(text));
	put(m, header, *text ? BASE + at : 0);
	put(m, header + 8, strlen(text));
}

static void put_reasons(struct image *m)
{
	put_string(m, REASONS, TEXTS, "");
	put_string(m, REASONS + 16, TEXTS, "GC assist marking");
	put_string(m, REASONS + 32, TEXTS + 32, "IO wait");
}

static struct image *image_create(void)
{
	struct image *m = calloc(1, sizeof(*m));

	go_layout_from_table(&m->l, 26);
	put_module(m, MODULE);
	put_heap(m);
	put_gs(m);
	put_reasons(m);
	m->holder = (struct hf_range){BASE + MODULE, BASE + MODULE_END};
	m->in = (struct go_stripped){.pclntab = BASE + PCLNTAB,
				     .image = {BASE, BASE + IMAGE_END},
				     .holders = &m->holder,
				     .holders_n = 1,
				     .version = "go1.26.8"};
	return m;
}

static struct hf_err *find(struct image *m)
{
	struct hf_mem_range range = {BASE, m->at, SIZE, true};
	struct hf_err *err;

	cr_assert_null(hf_target_open_mem(&range, 1, &m->t));
	m->in.t = m->t;
	err = go_stripped_find(&m->in, &m->l);
	hf_target_close(m->t);
	return err;
}

static void expect_refused(struct image *m, const char *words)
{
	struct hf_err *err = find(m);

	cr_assert_not_null(err, "taken, though it should not: %s", words);
	cr_assert_eq(hf_err_code(err), HF_UNSUPPORTED);
	cr_assert_not_null(strstr(hf_err_message(err), words), "%s", hf_err_message(err));
	cr_assert_null(strchr(hf_err_message(err), '\n'));
	hf_err_destroy(err);
	free(m);
}

static void expect_found(struct image *m)
{
	struct hf_err *err = find(m);

	cr_assert_null(err, "%s", err ? hf_err_message(err) : "");
	cr_assert_eq(m->l.var[GO_VAR_FIRSTMODULEDATA], BASE + MODULE);
	cr_assert_eq(m->l.var[GO_VAR_MHEAP], BASE + BSS);
	cr_assert_eq(m->l.var[GO_VAR_ALLGS], BASE + ALLGS);
}

Test(go_stripped, whole_image_is_found)
{
	struct image *m = image_create();

	expect_found(m);
	cr_assert_eq(m->l.var[GO_VAR_WAITREASONS], BASE + REASONS);
	cr_assert_eq(m->l.wait_reasons_n, 3);
	free(m);
}

Test(go_stripped, table_without_a_section_is_told_by_its_head)
{
	struct image *m = image_create();

	m->in.pclntab = 0;
	put(m, PCLNTAB, 8ull << 56 | 1ull << 48 | 0xfffffff1);
	expect_found(m);
	free(m);
}

Test(go_stripped, what_is_not_there_is_unknown)
{
	static const enum go_variable absent[] = {GO_VAR_ALLP,     GO_VAR_ALLM,         GO_VAR_MEMSTATS,
						  GO_VAR_GCPHASE,  GO_VAR_GCCONTROLLER, GO_VAR_GOMAXPROCS,
						  GO_VAR_ITABTABLE};
	struct image *m = image_create();

	expect_found(m);
	for (size_t i = 0; i < HF_LEN(absent); i++)
		cr_assert_eq(m->l.var[absent[i]], 0);
	free(m);
}

Test(go_stripped, no_moduledata_is_unsupported)
{
	struct image *m = image_create();

	put(m, MODULE, BASE + PCLNTAB + 8);
	expect_refused(m, "firstmoduledata cannot be found");
}

Test(go_stripped, two_moduledata_are_unsupported)
{
	struct image *m = image_create();

	put_module(m, MODULE + 0x800);
	expect_refused(m, "several places look like runtime.firstmoduledata");
}

Test(go_stripped, moduledata_with_sections_that_lie_is_unsupported)
{
	static const struct {
		enum go_field field;
		uint64_t value;
	} lies[] = {
		{GO_MODULEDATA_ETEXT, BASE},
		{GO_MODULEDATA_ETYPES, BASE + TYPES},
		{GO_MODULEDATA_EBSS, UINT64_MAX},
		{GO_MODULEDATA_EBSS, BASE + IMAGE_END + 8},
		{GO_MODULEDATA_BSS, 0},
		{GO_MODULEDATA_EDATA, BASE + DATA - 8},
		{GO_MODULEDATA_ENOPTRBSS, 1ull << 62},
		{GO_MODULEDATA_FTAB, 0},
		{GO_MODULEDATA_MAXPC, BASE - 8},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		struct image *m = image_create();

		put(m, MODULE + off(m, lies[i].field), lies[i].value);
		expect_refused(m, "cannot be found");
	}
}

Test(go_stripped, span_lists_that_lie_are_unsupported)
{
	static const struct {
		uint64_t ptr, n, cap;
	} lies[] = {
		{0, SPANS_N, 8192},
		{BASE + SPAN_LIST, 0, 8192},
		{BASE + SPAN_LIST, 8193, 8192},
		{BASE + SPAN_LIST, SPANS_N, 100},
		{BASE + SPAN_LIST + 8, SPANS_N - 1, 8192},
		{BASE + SIZE, SPANS_N, 8192},
		{UINT64_MAX - 4095, SPANS_N, 8192},
		{BASE + SPAN_LIST, (1ull << 31) - 2, (1ull << 31) - 1},
		{BASE + G_LIST, GS_N, 8192},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		struct image *m = image_create();

		put_slice(m, allspans(m), lies[i].ptr, lies[i].n, lies[i].cap);
		expect_refused(m, "list of spans cannot be found");
	}
}

Test(go_stripped, spans_that_make_no_sense_are_unsupported)
{
	static const struct {
		enum go_field field;
		uint64_t value;
	} lies[] = {
		{GO_MSPAN_START_ADDR, 0xc000000001},
		{GO_MSPAN_START_ADDR, UINT64_MAX - 8191},
		{GO_MSPAN_NPAGES, 0},
		{GO_MSPAN_NPAGES, UINT64_MAX},
		{GO_MSPAN_ELEMSIZE, 0},
		{GO_MSPAN_ELEMSIZE, 8193},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		struct image *m = image_create();

		for (uint64_t k = 0; k < SPANS_N; k++)
			put(m, SPANS + k * SPAN_STRIDE + off(m, lies[i].field), lies[i].value);
		expect_refused(m, "list of spans cannot be found");
	}
}

Test(go_stripped, spans_that_were_given_back_are_no_doubt)
{
	struct image *m = image_create();

	for (uint64_t k = 0; k < SPANS_N / 2; k++)
		memset(m->at + SPANS + k * SPAN_STRIDE, 0, SPAN_STRIDE);
	expect_found(m);
	free(m);
}

Test(go_stripped, odd_sweepgen_is_no_heap)
{
	struct image *m = image_create();

	put(m, BSS + off(m, GO_MHEAP_SWEEPGEN), 9);
	expect_refused(m, "list of spans cannot be found");
}

Test(go_stripped, span_list_outside_of_a_heap_is_none)
{
	struct image *m = image_create();

	put_slice(m, SECOND_SPANS, BASE + SPAN_LIST, SPANS_N, 8192); /* mheap_ would begin before the data */
	expect_found(m);
	free(m);
}

Test(go_stripped, two_heaps_are_unsupported)
{
	struct image *m = image_create();

	put(m, BSS + 0x40 + off(m, GO_MHEAP_SWEEPGEN), 8);
	put_slice(m, allspans(m) + 0x40, BASE + SPAN_LIST, SPANS_N, 8192);
	expect_refused(m, "several lists look like that of the heap's spans");
}

Test(go_stripped, goroutines_that_are_none_are_unsupported)
{
	static const struct {
		enum go_field field;
		uint64_t add, value;
	} lies[] = {
		{GO_G_SCHED_SP, 16, 0},     {GO_G_SCHED_SP, 16, BASE + GS + 8},
		{GO_G_STACK_HI, 0, 0},      {GO_G_STACK_HI, 0, UINT64_MAX},
		{GO_G_ATOMICSTATUS, 0, 12}, {GO_G_ATOMICSTATUS, 0, 0x2004},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		struct image *m = image_create();

		for (uint64_t k = 0; k < GS_N; k++)
			put(m, GS + k * G_STRIDE + off(m, lies[i].field) + lies[i].add, lies[i].value);
		expect_refused(m, "list of goroutines cannot be found");
	}
}

Test(go_stripped, the_longer_list_of_goroutines_is_taken)
{
	struct image *m = image_create();

	put_slice(m, SECOND_GS, BASE + G_LIST, 1, 1);
	expect_found(m);
	free(m);
}

Test(go_stripped, the_collectors_copy_of_the_list_is_not_taken)
{
	struct image *m = image_create();

	put_slice(m, SECOND_GS, BASE + G_LIST, GS_N, GS_N);
	expect_found(m);
	free(m);
}

Test(go_stripped, two_other_lists_of_goroutines_are_unsupported)
{
	struct image *m = image_create();

	memcpy(m->at + G_LIST + 0x100, m->at + G_LIST, GS_N * 8);
	put_slice(m, SECOND_GS, BASE + G_LIST + 0x100, GS_N, 8);
	expect_refused(m, "several lists look like that of the goroutines");
}

Test(go_stripped, reasons_that_lie_are_unknown)
{
	struct image *m = image_create();

	put(m, REASONS + 16, BASE + SIZE); /* its text cannot be read */
	expect_found(m);
	cr_assert_eq(m->l.var[GO_VAR_WAITREASONS], 0);
	cr_assert_eq(m->l.wait_reasons_n, 0);
	free(m);
}

Test(go_stripped, reasons_end_where_the_text_does)
{
	struct image *m = image_create();

	put(m, REASONS + 40, UINT64_MAX);
	expect_found(m);
	cr_assert_eq(m->l.wait_reasons_n, 2);
	free(m);
}
