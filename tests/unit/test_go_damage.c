/* Structures of a Go heap that lie: bounded work, and each told once, with its address. */
#include "../../src/runtime/go/names.h"
#include "../../src/runtime/go/types_private.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

enum { T_DAMAGED = 0x600 };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
}

static void teardown(void)
{
	hf_vec_deinit(&go.specials);
	hf_vec_deinit(&go.queue_roots);
	fake_heap_close(&go, target);
}

TestSuite(go_damage, .init = setup, .fini = teardown);

/* A finalizer's special, of the object at an offset of its span. */
static void put_special(uint32_t at, uint64_t next, uint64_t offset)
{
	uint8_t *p = fake.meta + LISTS + at;

	put64(p + go_off(&go, SPECIAL_NEXT), next);
	put64(p + go_off(&go, SPECIAL_OFFSET), offset);
	p[go_off(&go, SPECIAL_KIND)] = (uint8_t)go.layout.special_kind[GO_SPECIAL_FINALIZER];
}

static void put_list(uint32_t span, uint64_t head)
{
	put64(fake.meta + SPANS + span * 0x100 + go_off(&go, MSPAN_SPECIALS), head);
}

static const struct go_damage *read_specials(void)
{
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_specials_read(&go));
	cr_assert_null(go_queues_read(&go));
	return &go.damage[GO_DAMAGE_SPECIALS];
}

Test(go_damage, sound_specials_are_read)
{
	put_special(0, list_addr(0x40), 0);
	put_special(0x40, 0, 64);
	put_list(0, list_addr(0));
	cr_expect_eq(read_specials()->n, 0);
	cr_assert_eq(go.specials.n, 2);
	cr_expect_eq(go.specials.at[1].object, heap_addr(SMALL + 64));
}

Test(go_damage, list_of_specials_that_lies_is_cut_and_told)
{
	static const struct {
		const char *what;
		uint64_t head, next, lowest;
		size_t specials;
	} rows[] = {
		{"itself", META_BASE + LISTS, META_BASE + LISTS, META_BASE + LISTS, 1},
		{"not mapped", META_BASE + LISTS, 0x10, 0x10, 1},
		{"end of the address space", META_BASE + LISTS, UINT64_MAX - 7, UINT64_MAX - 7, 1},
		{"no address", META_BASE + LISTS, META_BASE + LISTS + 4, META_BASE + LISTS + 4, 1},
		{"the first is not mapped", 0x20, 0, 0x20, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		teardown();
		setup();
		put_special(0, rows[i].next, 0);
		put_list(0, rows[i].head);
		cr_expect_eq(read_specials()->n, 1, "%s", rows[i].what);
		cr_expect_eq(go.damage[GO_DAMAGE_SPECIALS].lowest, rows[i].lowest, "%s", rows[i].what);
		cr_expect_eq(go.specials.n, rows[i].specials, "%s", rows[i].what);
	}
}

Test(go_damage, list_that_two_spans_share_is_read_once)
{
	put_special(0, list_addr(0x40), 0);
	put_special(0x40, 0, 64);
	put_list(0, list_addr(0));
	put_list(1, list_addr(0));
	put_list(2, list_addr(0x40));
	cr_expect_eq(read_specials()->n, 2);
	cr_expect_eq(go.specials.n, 2);
}

/* A block of the queue: alllink, next, count, and what waits. */
static void put_queue(uint32_t at, uint64_t link, uint32_t count)
{
	put64(fake.meta + LISTS + at, link);
	put32(fake.meta + LISTS + at + 16, count);
	put64(fake.meta + LISTS + at + 24, heap_addr(SMALL));
}

Test(go_damage, queue_of_finalizers_that_is_a_ring_ends)
{
	put_queue(0x200, list_addr(0x400), UINT32_MAX);
	put_queue(0x400, list_addr(0x200), 1);
	put64(fake.meta + LISTS, list_addr(0x200));
	go.layout.var[GO_VAR_ALLFIN] = list_addr(0);
	read_specials();
	cr_expect_eq(go.damage[GO_DAMAGE_QUEUES].n, 1);
	cr_expect_lt(go.queue_roots.n, 4 * 101 * 4);
}

Test(go_damage, steps_find_rings_of_any_length)
{
	for (uint64_t length = 1; length < 40; length++)
		for (uint64_t tail = 0; tail < 20; tail++) {
			struct go_steps steps = {0};
			uint64_t n = 0;

			/* tail, and then round and round */
			while (go_step(&steps, 8 + 8 * (n < tail ? n : tail + (n - tail) % length), 1000))
				n++;
			cr_assert_leq(n, 3 * (tail + length), "%lu after %lu", length, tail);
			cr_assert_geq(n, tail + length);
		}
}

Test(go_damage, steps_end_at_their_most)
{
	struct go_steps steps = {0};
	uint64_t n = 0;

	while (go_step(&steps, 8 + 8 * n, 1000))
		n++;
	cr_expect_eq(n, 1000);
	cr_expect_not(go_step(&(struct go_steps){0}, 12, 1000));
}

static uint32_t type_at(uint32_t off)
{
	cr_assert_null(go_types_create(&go));
	return go_type_of_rtype(&go, type_addr(off));
}

Test(go_damage, type_that_contains_itself_twice_is_told)
{
	uint32_t type, n;

	fake_type(&fake, T_DAMAGED, GO_KIND_STRUCT, 0, 32, 32, "main.Self");
	fake_field(&fake, T_DAMAGED, 0, "a", T_DAMAGED, 0);
	fake_field(&fake, T_DAMAGED, 1, "b", T_DAMAGED, 0);
	type = type_at(T_DAMAGED);
	go_type_slots(&go, type, &n);
	cr_expect_eq(n, 0);
	cr_expect_eq(go.damage[GO_DAMAGE_DESCRIPTORS].n, 1);
	cr_expect_eq(go.damage[GO_DAMAGE_DESCRIPTORS].lowest, type_addr(T_DAMAGED));
}

Test(go_damage, text_of_a_value_that_contains_itself_is_short)
{
	struct hf_str text = {0};
	uint8_t bytes[64] = {0};

	fake_type(&fake, T_DAMAGED, GO_KIND_STRUCT, 0, 32, 32, "main.Self");
	for (uint32_t i = 0; i < 8; i++)
		fake_field(&fake, T_DAMAGED, i, "a", T_DAMAGED, 0);
	go_value_text(&go, type_at(T_DAMAGED), 0, bytes, sizeof(bytes), &text);
	cr_expect_gt(text.n, 0);
	cr_expect_lt(text.n, 2000);
	hf_str_deinit(&text);
}

Test(go_damage, fields_that_are_too_many_or_nowhere_are_told)
{
	static const struct {
		uint64_t fields, n;
	} rows[] = {
		{META_BASE + TYPES, 1 << 20}, {META_BASE + TYPES, UINT64_MAX}, {0x10, 3}, {UINT64_MAX, 1}};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		teardown();
		setup();
		fake_type(&fake, T_DAMAGED, GO_KIND_STRUCT, 0, 32, 32, "main.Lie");
		put64(fake.meta + TYPES + T_DAMAGED + 56, rows[i].fields);
		put64(fake.meta + TYPES + T_DAMAGED + 64, rows[i].n);
		cr_expect_eq(go_type_get(&go, type_at(T_DAMAGED))->members_n, 0);
		cr_expect_eq(go.damage[GO_DAMAGE_DESCRIPTORS].n, 1);
	}
}

Test(go_damage, kind_of_another_size_is_no_type)
{
	static const struct {
		uint8_t kind;
		uint64_t size;
	} rows[] = {{GO_KIND_INT, 0},
		    {GO_KIND_INT8, 8},
		    {GO_KIND_STRING, 1},
		    {GO_KIND_STRING, 8},
		    {GO_KIND_SLICE, 16},
		    {GO_KIND_INTERFACE, 8},
		    {GO_KIND_FLOAT64, 4},
		    {GO_KIND_MAP, 48},
		    {GO_KIND_BOOL, 0},
		    {GO_KIND_POINTER, 0},
		    {31, 8},
		    {0, 8}};

	cr_assert_null(go_types_create(&go));
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		uint32_t off = T_DAMAGED + (uint32_t)i * 0x10;

		memset(fake.meta + TYPES + off, 0, 0x40);
		fake_type(&fake, off, rows[i].kind, 0, rows[i].size, 0, "lie");
		cr_expect_eq(go_type_of_rtype(&go, type_addr(off)), GO_NO_TYPE, "kind %u, size %lu",
			     rows[i].kind, rows[i].size);
		memset(fake.meta + TYPES + off, 0, 0x40);
	}
	cr_expect_neq(go_type_of_rtype(&go, type_addr(T_STRING)), GO_NO_TYPE);
}

Test(go_damage, damage_is_told_once_with_its_count_and_first_address)
{
	go_damage_add(&go.damage[GO_DAMAGE_MAPS], 0x3000);
	go_damage_add(&go.damage[GO_DAMAGE_MAPS], 0x2000);
	go_tell_damage(&go);
	go_tell_damage(&go);
	cr_assert_eq(target->warnings.n, 1);
	cr_expect_str_eq(target->warnings.at[0].text,
			 "2 maps are damaged, the first at 0x2000: what is in them "
			 "may have no type and no key");
	cr_expect(target->incomplete);
}

Test(go_damage, stack_that_is_scanned_whole_leaves_nothing_out)
{
	go_damage_add(&go.damage[GO_DAMAGE_UNWIND], 0x2000);
	go_tell_damage(&go);
	cr_assert_eq(target->warnings.n, 1);
	cr_expect_not(target->incomplete);
}
