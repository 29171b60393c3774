/* Described pools: what a file says, where its names lead, and pools whose links lie. */
#include "../../src/runtime/pool/pool.h"
#include "sym_target.h"

/* ---- a pool in bytes, described by addresses and offsets ------------------------------------------------ */

enum { POOL = 0x10000, SLABS = 0x20000, SLOTS = 16, SIZE = 32, SLAB = 24 + SLOTS * SIZE, N = 4 };

struct memory {
	uint64_t pool[4];            /* head, free, object size */
	uint64_t slabs[N][SLAB / 8]; /* next, used, capacity, slots */
};
static struct memory m;

static const char layout[] =
	"{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"0x10000\", \"object_size\": 16,"
	"\"slabs\": {\"head\": 0, \"next\": 0, \"used\": 8, \"capacity\": 16, \"items\": 24},"
	"\"free\": {\"head\": 8, \"next_offset\": 8}}]}";

static uint64_t slab_addr(unsigned i)
{
	return SLABS + i * SLAB;
}

static uint64_t slot_addr(unsigned slab, unsigned i)
{
	return slab_addr(slab) + 24 + i * SIZE;
}

static uint64_t *link_of(unsigned slab, unsigned i)
{
	return &m.slabs[slab][(24 + i * SIZE + 8) / 8];
}

/* N slabs, full but the first, and a free list of ten: slots 0 to 4 of the last slab and the first one, by turns. */
static void make_pool(void)
{
	uint64_t *last = &m.pool[1];

	memset(&m, 0, sizeof(m));
	m.pool[0] = slab_addr(0);
	m.pool[2] = SIZE;
	for (unsigned i = 0; i < N; i++) {
		m.slabs[i][0] = i + 1 < N ? slab_addr(i + 1) : 0;
		m.slabs[i][1] = i ? SLOTS : 5;
		m.slabs[i][2] = SLOTS;
	}
	for (unsigned i = 0; i < 10; i++) {
		*last = slot_addr(i % 2 ? 0 : N - 1, i / 2);
		last = link_of(i % 2 ? 0 : N - 1, i / 2);
	}
}

static struct hf_described *describe(struct hf_target *t, struct hf_syms *s, const char *text)
{
	struct hf_described *d = NULL;
	struct hf_pool_file file = {0};

	MUST(hf_pool_file_parse("p.json", text, strlen(text), &file));
	MUST(hf_described_of_file(t, s, "p.json", &file, &d));
	hf_pool_file_deinit(&file);
	return d;
}

/* Walks m as a description says. problem: a part of what must be said; NULL: nothing. */
static void expect_pool(const char *text, uint64_t slabs, uint64_t used, uint64_t idle, const char *problem)
{
	struct hf_mem_range ranges[] = {{POOL, m.pool, sizeof(m.pool), true},
					{SLABS, m.slabs, sizeof(m.slabs), true}};
	const struct hf_described_pool *p;
	struct hf_described *d;
	struct hf_target *t;

	MUST(hf_target_open_mem(ranges, HF_LEN(ranges), &t));
	d = describe(t, NULL, text);
	MUST(hf_described_prepare(d));
	MUST(hf_described_capture(d));
	MUST(hf_described_walk(d));
	cr_assert_eq(hf_described_pools(d, &p), 1);
	cr_expect_eq(p->slabs, slabs, "%" PRIu64 " slabs: %s", p->slabs, p->problem);
	cr_expect_eq(p->used, used, "%" PRIu64 " used: %s", p->used, p->problem);
	cr_expect_eq(p->idle, idle, "%" PRIu64 " idle: %s", p->idle, p->problem);
	if (problem)
		cr_expect_not_null(strstr(p->problem, problem), "'%s' does not say '%s'", p->problem,
				   problem);
	else
		cr_expect_str_eq(p->problem, "");
	cr_expect_eq(t->incomplete, problem != NULL);
	hf_described_close(d);
	hf_target_close(t);
}

Test(described, sound_pool_is_counted)
{
	make_pool();
	expect_pool(layout, N, 3 * SLOTS + 5, 10, NULL);
	m.pool[1] = 0;
	expect_pool(layout, N, 3 * SLOTS + 5, 0, NULL);
	m.pool[0] = 0;
	expect_pool(layout, 0, 0, 0, NULL);
}

Test(described, links_that_lie_are_told)
{
	static const struct {
		uint64_t link; /* in the place of the sixth */
		uint64_t idle;
		const char *problem;
	} cases[] = {
		{SLABS + 24 + 1, 5, ", 1 bytes into a slot"},
		{SLABS + 24 + 31, 5, ", 31 bytes into a slot"},
		{SLABS, 5, "leads to 0x20000, which is in no slab"},
		{SLABS - 1, 5, "in no slab"},
		{SLABS + 24 + SLOTS * SIZE, 5, "in no slab"}, /* the next one's header */
		{SLABS + N * SLAB, 5, "in no slab"},
		{POOL, 5, "in no slab"},
		{8, 5, "in no slab"},
		{UINT64_MAX, 5, "in no slab"},
		{UINT64_MAX - 7, 5, "in no slab"},
		{UINT64_C(1) << 63, 5, "in no slab"},
		{SLABS + 24 + 5 * SIZE, 5, "never given out"},
		{SLABS + 24 + 15 * SIZE, 5, "never given out"},
		{SLABS + (N - 1) * SLAB + 24, 5, "comes back to"},            /* the first of the list */
		{SLABS + (N - 1) * SLAB + 24 + 2 * SIZE, 5, "comes back to"}, /* the fifth: itself */
		{0, 5, NULL},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		make_pool();
		*link_of(N - 1, 2) = cases[i].link;
		expect_pool(layout, N, 3 * SLOTS + 5, cases[i].idle, cases[i].problem);
	}
}

Test(described, head_of_the_free_list_that_lies_is_told)
{
	make_pool();
	m.pool[1] = 0x41414141;
	expect_pool(layout, N, 3 * SLOTS + 5, 0, "leads to 0x41414141");
}

Test(described, slabs_that_lie_are_told_and_left_out)
{
	static const struct {
		unsigned slab, word;
		uint64_t value, slabs, used, idle;
		const char *problem;
	} cases[] = {
		{2, 1, SLOTS + 1, N - 1, 2 * SLOTS + 5, 10, "17 of its 16 slots"},
		{2, 1, UINT64_MAX, N - 1, 2 * SLOTS + 5, 10, "of its 16 slots"},
		{2, 2, 3, N - 1, 2 * SLOTS + 5, 10, "16 of its 3 slots"},
		{2, 2, UINT64_MAX, N - 1, 2 * SLOTS + 5, 10, "not mapped"},
		{2, 2, UINT64_C(1) << 59, N - 1, 2 * SLOTS + 5, 10, "not mapped"},
		{2, 2, 1000, N - 1, 2 * SLOTS + 5, 10, "not mapped"},
		{2, 2, SLOTS + 2, N - 1, 2 * SLOTS + 5, 0, "lies in another one"},
		{3, 1, 0, N, 2 * SLOTS + 5, 0, "never given out"},
		{1, 0, SLABS, 2, SLOTS + 5, 0, "comes back to 0x20000 after 2"},
		{0, 0, SLABS, 1, 5, 0, "comes back to 0x20000 after 1"},
		{1, 0, 8, 2, SLOTS + 5, 0, "0x8"},
		{1, 0, UINT64_MAX - 3, 2, SLOTS + 5, 0, "slab 0xfffffffffffffffc"},
		{1, 0, SLABS + N * SLAB - 8, 2, SLOTS + 5, 0, "slab 0x"},
		{1, 0, POOL - 8, 2, SLOTS + 5, 0, "slab 0xfff8"},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		make_pool();
		m.slabs[cases[i].slab][cases[i].word] = cases[i].value;
		expect_pool(layout, cases[i].slabs, cases[i].used, cases[i].idle, cases[i].problem);
	}
}

Test(described, objects_of_no_size_are_told)
{
	make_pool();
	m.pool[2] = 0;
	expect_pool(layout, 0, 0, 0, "have 0 bytes");
	m.pool[2] = UINT64_MAX;
	expect_pool(layout, 0, 0, 0, "bytes");
	m.pool[2] = 15; /* the link stands at 8 */
	expect_pool(layout, 0, 0, 0, "no room for the links");
	m.pool[2] = UINT64_C(1) << 40;
	expect_pool(layout, 0, 0, 0, "not mapped");
}

Test(described, pool_that_is_not_mapped_is_told)
{
	make_pool();
	expect_pool("{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"0x999000\", "
		    "\"object_size\": 16,"
		    "\"slabs\": {\"head\": 0, \"used\": 8, \"items\": 24}}]}",
		    0, 0, 0, "0x999010");
	expect_pool(
		"{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"0xffffffffffffffff\", "
		"\"object_size\": {\"value\": 8}, \"slabs\": {\"head\": 0, \"used\": 8, \"items\": 24}}]}",
		0, 0, 0, "pass the end of the address space");
	expect_pool("{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"0x10000\", "
		    "\"object_size\": 16,"
		    "\"slabs\": {\"head\": 0, \"used\": 8, \"items\": 18446744073709551}}]}",
		    0, 0, 0, "not mapped");
}

Test(described, pointer_to_a_pool_that_is_not_made_yet_is_no_damage)
{
	make_pool();
	m.pool[3] = 0;
	expect_pool("{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"*0x10018\", "
		    "\"object_size\": 16,"
		    "\"slabs\": {\"head\": 0, \"used\": 8, \"items\": 24}}]}",
		    0, 0, 0, NULL);
	m.pool[3] = POOL;
	expect_pool("{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"*0x10018\", "
		    "\"object_size\": 16,"
		    "\"slabs\": {\"head\": 0, \"used\": 8, \"items\": 24}}]}",
		    1, 5, 0, NULL);
}

Test(described, memory_that_runs_out_is_an_error)
{
	struct hf_mem_range ranges[] = {{POOL, m.pool, sizeof(m.pool), true},
					{SLABS, m.slabs, sizeof(m.slabs), true}};
	unsigned long failures = 0;
	bool failed = true;

	make_pool();
	for (unsigned long nth = 1; failed; nth++) {
		struct hf_pool_file file = {0};
		struct hf_described *d = NULL;
		struct hf_target *t;
		struct hf_err *err;

		MUST(hf_target_open_mem(ranges, HF_LEN(ranges), &t));
		hf_alloc_fail_nth(nth);
		err = hf_pool_file_parse("p.json", layout, strlen(layout), &file);
		err = err ? err : hf_described_of_file(t, NULL, "p.json", &file, &d);
		err = err ? err : hf_described_capture(d);
		err = err ? err : hf_described_walk(d);
		hf_alloc_fail_nth(0);
		failed = err;
		failures += failed;
		cr_expect(!err || hf_err_code(err) == HF_NOMEM, "%s", hf_err_message(err));
		hf_err_destroy(err);
		hf_pool_file_deinit(&file);
		hf_described_close(d);
		hf_target_close(t);
	}
	cr_expect_gt(failures, 8);
}

/* ---- names: this program's own ----------------------------------------------------------------------------- */

struct test_slab {
	struct test_slab *next;
	uint16_t used;
	unsigned flag : 3;
	char mem[4][24];
};
struct test_table {
	void *(*make)(void *);
};
struct test_pool {
	struct test_table *table;
	void *(*ctor)(void *);
	struct {
		uint8_t size;
	};
	struct test_slab *slabs;
	void *free;
	void *untyped;
	unsigned narrow : 5;
};

void *test_make_one(void *p);
void *test_make_two(void *p);

__attribute__((noinline)) void *test_make_one(void *p)
{
	return (char *)p + 1;
}

__attribute__((noinline)) void *test_make_two(void *p)
{
	return (char *)p + 2;
}

static struct test_table test_table = {test_make_two};
static struct test_slab test_slab = {NULL, 3, 0, {{0}}};
struct test_pool test_pools[2] = {
	{&test_table, test_make_one, {24}, &test_slab, &test_slab.mem[1], &test_slab, 0},
	{NULL, NULL, {24}, NULL, NULL, NULL, 0},
};
struct test_pool *test_pool_pointer = &test_pools[0];
void *test_pool_untyped = &test_pools[0];
int test_number = 3;

static struct sym_file file = {.fd = -1};
static struct hf_target *target;
static struct hf_syms *syms;

static void setup(void)
{
	target = open_self(&file);
	MUST(hf_syms_open(target, NULL, &syms));
}

static void teardown(void)
{
	hf_syms_close(syms);
	hf_target_close(target);
}

#define FORM(instance, ctor)                                                                                 \
	"{\"pools\": [{\"name\": \"p\", \"kind\": \"slab\", \"instance\": \"" instance                       \
	"\", \"constructor\": " ctor ", \"object_size\": \"size\", \"slabs\": {\"head\": \"slabs\", "        \
	"\"next\": \"next\", \"items\": \"mem\", "                                                           \
	"\"used\": \"used\"}, \"free\": {\"head\": \"free\", \"next_offset\": 0}}]}"

TestSuite(described_names, .init = setup, .fini = teardown);

Test(described_names, pool_is_found_by_whatever_way_leads_to_it)
{
	static const char *const forms[] = {
		FORM("test_pools[0]", "\"ctor\""),
		FORM("test_pool_pointer", "\"ctor\""),
		FORM("*test_pool_pointer", "\"ctor\""),
		FORM("test_pool_pointer[0]", "\"ctor\""),
		FORM("test_pools[0]", "8"),
		FORM("test_pools", "\"ctor\", \"type\": \"struct test_pool\""),
		FORM("test_pool_untyped", "\"ctor\", \"type\": \"struct test_pool\""),
		FORM("*test_pool_untyped", "\"ctor\", \"type\": \"test_pool\""),
		FORM("test_pools+0",
		     "\"ctor\", \"type\": \"struct test_pool\", \"slab_type\": \"test_slab\""),
	};

	for (size_t i = 0; i < HF_LEN(forms); i++) {
		struct hf_described *d = describe(target, syms, forms[i]);
		const struct hf_described_pool *p;

		MUST(hf_described_capture(d));
		MUST(hf_described_walk(d));
		cr_assert_eq(hf_described_pools(d, &p), 1);
		cr_expect_eq(p->addr, (uint64_t)(uintptr_t)&test_pools[0], "%s", forms[i]);
		cr_expect_str_eq(p->constructor_name, "test_make_one", "%s", forms[i]);
		cr_expect_eq(p->used, 3, "%s: %s", forms[i], p->problem);
		cr_expect_eq(p->idle, 1, "%s: %s", forms[i], p->problem);
		hf_described_close(d);
	}
}

Test(described_names, mistakes_are_told)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{FORM("test_none", "\"ctor\""), "no variable or symbol 'test_none'"},
		{FORM("", "\"ctor\""), "instance: write a name"},
		{FORM("*", "\"ctor\""), "no variable or symbol ''"},
		{FORM("test_pools", "\"ctor\""), "array of 2"},
		{FORM("test_pools[2]", "\"ctor\""), "has 2 elements"},
		{FORM("test_pools[-1]", "\"ctor\""), "'-1]' is no number"},
		{FORM("test_pools[99999999999999999999]", "\"ctor\""), "is no number"},
		{FORM("test_pools[0", "\"ctor\""), "']' is missing"},
		{FORM("test_pool_pointer[9999999999999999999]", "\"ctor\""), "passes the end"},
		{FORM("test_pools[0].", "\"ctor\""), "a name is missing"},
		{FORM("test_pools[0]..x", "\"ctor\""), "a name is missing"},
		{FORM("test_pools[0]x", "\"ctor\""), "'x' is no part of a path"},
		{FORM("test_pools[0]->", "\"ctor\""), "a name is missing"},
		{FORM("test_number", "\"ctor\""), "'int', no structure"},
		{FORM("*test_number", "\"ctor\""), "no pointer"},
		{FORM("test_pools+", "\"ctor\""), "'' is no number"},
		{FORM("test_pool_untyped", "\"ctor\""), "no debug information"},
		{FORM("test_pools[0]", "\"none\""), "no member 'none'; it has: table, ctor"},
		{FORM("test_pools[0]", "\"size.x\""), "which has no members"},
		{FORM("test_pools[0]", "\"slabs\", \"item_type\": 3"), "item_type: write a name"},
		{FORM("test_pools[0]", "\"size\""), "no pointer to a function"},
		{FORM("test_pools[0]", "\"table->make\", \"slot_size\": \"narrow\""),
		 "slot_size: 'narrow' is a"},
		{FORM("test_pools[0]", "\"table->make->x\""), "'x'"},
		{FORM("test_pools[0]", "\"untyped.x\""), "no debug information"},
		{FORM("test_pools[0]",
		      "\"slabs->next->next->next->next->next->next->next->next->next->next->next\""),
		 "more than 7 pointers"},
		{FORM("test_pools[0]", "{\"value\": 3}"), "has no place"},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_pool_file f = {0};
		struct hf_described *d = NULL;
		struct hf_err *err;

		MUST(hf_pool_file_parse("p.json", cases[i].text, strlen(cases[i].text), &f));
		err = hf_described_of_file(target, syms, "p.json", &f, &d);
		cr_expect(hf_err_code(err) == HF_USAGE && !d, "%s", cases[i].text);
		cr_expect_not_null(strstr(hf_err_message(err), cases[i].problem), "%s: %s", cases[i].text,
				   hf_err_message(err));
		cr_expect_eq(strncmp(hf_err_message(err), "p.json: pools[0] (p): ", 22), 0, "%s",
			     hf_err_message(err));
		hf_err_destroy(err);
		hf_pool_file_deinit(&f);
		hf_described_close(d);
	}
}

static void expect_no_slot(struct hf_described *d, const char *pool, enum hf_err_code code,
			   const char *problem)
{
	struct hf_ctor_slot slot = {.pool = "untouched"};
	struct hf_err *err = hf_pool_ctor_slot(d, pool, &slot);

	cr_expect_eq(hf_err_code(err), code, "%s", pool);
	cr_expect_not_null(strstr(hf_err_message(err), problem), "%s", hf_err_message(err));
	cr_expect_str_eq(slot.pool, "untouched");
	hf_err_destroy(err);
}

Test(described_names, constructor_is_where_it_stands_now)
{
	struct hf_described *d = describe(target, syms, FORM("test_pool_pointer", "\"ctor\""));
	struct hf_ctor_slot slot;
	char address[32];

	MUST(hf_pool_ctor_slot(d, "p", &slot));
	cr_expect_str_eq(slot.kind, "described");
	cr_expect_str_eq(slot.function, "test_make_one");
	cr_expect_eq(slot.slot_addr, (uint64_t)(uintptr_t)&test_pools[0].ctor);
	cr_expect_eq(slot.value, (uint64_t)(uintptr_t)test_make_one);
	cr_expect_eq(slot.code, slot.value);
	cr_expect_eq(slot.object_size, 24);
	cr_expect_eq(hf_type_strip(syms, slot.slot_type)->kind, HF_TYPE_POINTER);
	test_pools[0].ctor = test_make_two;
	snprintf(address, sizeof(address), "%p", (void *)&test_pools[0]);
	MUST(hf_pool_ctor_slot(d, address, &slot));
	cr_expect_str_eq(slot.function, "test_make_two");
	expect_no_slot(d, "q", HF_USAGE, "no pool 'q' is described; these are: p");
	expect_no_slot(d, "0x10", HF_USAGE, "no pool '0x10'");
	expect_no_slot(d, "", HF_USAGE, "no pool ''");
	test_pool_pointer = NULL;
	expect_no_slot(d, "p", HF_TARGET, "not there yet");
	test_pool_pointer = (void *)0x1000;
	expect_no_slot(d, "p", HF_FAULT, "not mapped");
	test_pool_pointer = (struct test_pool *)((char *)&test_pools[0] + 4);
	expect_no_slot(d, "p", HF_BADDATA, "no aligned word");
	hf_described_close(d);
}

Test(described_names, constructor_in_a_table_is_followed)
{
	struct hf_described *d = describe(target, syms, FORM("test_pools[0]", "\"table->make\""));
	struct hf_ctor_slot slot;

	MUST(hf_pool_ctor_slot(d, "p", &slot));
	cr_expect_eq(slot.slot_addr, (uint64_t)(uintptr_t)&test_table.make);
	cr_expect_str_eq(slot.function, "test_make_two");
	test_pools[0].table = NULL;
	expect_no_slot(d, "p", HF_BADDATA, "no aligned word");
	hf_described_close(d);
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

Test(described, file_that_is_none_is_refused)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{"", "p.json:1"},
		{"x", "is JSON"},
		{"[]", "describes no pool"},
		{"3", "is JSON"},
		{"{}", "describes no pool"},
		{"{\"pools\": {}}", "describes no pool"},
		{"{\"pools\": []}", "describes no pool"},
		{"{\"pools\": [[]]}", "pools[0] is no object"},
		{"{\"pools\": [{}], \"more\": 1}", "unknown key 'more'"},
		{"{\"pools\": [{\"a\": null}]}", "pools[0].a: write a name"},
		{"{\"pools\": [{\"a\": 1.5}]}", "pools[0].a: write a name"},
		{"{\"pools\": [{\"a\": -1}]}", "pools[0].a: write a name"},
		{"{\"pools\": [{\"a\": []}]}", "pools[0].a: write a name"},
		{"{\"pools\": [{\"a\": {\"b\": {\"c\": 1}}}]}", "pools[0].a.b: write a name"},
		{"{\"pools\": [{\"a\": {\"offset\": \"x\"}}]}", "pools[0].a: write {\"value\": N}"},
		{"{\"pools\": [{\"a\": {\"offset\": -1}}]}", "pools[0].a: write {\"value\": N}"},
		{"{\"pools\": [{\"a\": {\"offset\": 1, \"size\": 0}}]}", "\"size\": 1, 2, 4 or 8"},
		{"{\"pools\": [{\"a\": {\"offset\": 1, \"size\": 16}}]}", "\"size\": 1, 2, 4 or 8"},
		{"{\"pools\": [{\"a\": {\"offset\": 1, \"pointer\": 1}}]}", "\"pointer\": true or false"},
		{"{\"pools\": [{\"a\": {\"offset\": 1, \"value\": 1}}]}", "write {\"value\": N}"},
		{"{\"pools\": [{\"a\": {\"value\": true}}]}", "write {\"value\": N}"},
		{"{\"pools\": [{\"a\": 99999999999999999999}]}", "is JSON"},
		{"{\"pools\": [{\"a\": 1}, {\"a\": true}]}", "pools[1].a"},
		{"{\"pools\": [{\"a\": 1, \"a\": 2}]}", "is JSON"},
		{"{\"pools\": [{\"a\\u0000\": 1}]}", "is JSON"},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_pool_file f = {0};
		struct hf_err *err = hf_pool_file_parse("p.json", cases[i].text, strlen(cases[i].text), &f);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "%s", cases[i].text);
		cr_expect(err && strstr(hf_err_message(err), cases[i].problem), "%s: %s", cases[i].text,
			  err ? hf_err_message(err) : "");
		hf_err_destroy(err);
		hf_pool_file_deinit(&f);
	}
}
