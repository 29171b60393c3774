/* Types for blocks: what stands outside of the heap leads on, and what does not make sense leads nowhere. */
#include <criterion/criterion.h>

#include "../../src/runtime/go/infer.h"
#include "../../src/sym/internal.h"
#include "go_heap_fake.h"

enum {
	T_LINK = 0x400,
	T_LINK_PTR = 0x4c0,
	T_CLOSURE = 0x500,
	T_UINTPTR = 0x5c0,
	T_FUNC = 0x600,
	DATA = 0x1c000,
	DATA_END = 0x1c400
};

static struct go_heap_fake fake;
static struct go go;
static struct hf_target *t;
static struct hf_syms no_syms; /* a program without names */
static struct typing typing;

static void setup(void)
{
	fake_heap_init(&fake);
	/* main.Link {next *main.Link; ...}: 64 bytes, as the blocks at SMALL are. */
	fake_type(&fake, T_LINK, GO_KIND_STRUCT, 16 | 4, 64, 8, "main.Link");
	fake_field(&fake, T_LINK, 0, "next", T_LINK_PTR, 0);
	fake_type(&fake, T_LINK_PTR, GO_KIND_POINTER, 16, 8, 8, "*main.Link");
	put64(fake.meta + TYPES + T_LINK_PTR + 48, type_addr(T_LINK));
	fake_type(&fake, T_UINTPTR, GO_KIND_UINTPTR, 4, 8, 0, "uintptr");
	fake_type(&fake, T_CLOSURE, GO_KIND_STRUCT, 16, 16, 16, "struct { F uintptr; X0 *main.Link }");
	fake_field(&fake, T_CLOSURE, 0, ".F", T_UINTPTR, 0);
	fake_field(&fake, T_CLOSURE, 1, "X0", T_LINK_PTR, 8);
	cr_assert(fake_heap_open(&fake, &go, &t));
	go.syms = &no_syms;
	go.modules.at[0].data = meta_addr(DATA);
	go.modules.at[0].edata = meta_addr(DATA_END);
	cr_assert(!hf_err_ignore(go_spans_read(&go)) && !hf_err_ignore(go_spans_number(&go)) &&
		  !hf_err_ignore(go_types_create(&go)));
	go.block_type = hf_calloc(go.blocks, sizeof(uint32_t));
	typing = (struct typing){.go = &go, .hchan = UINT32_MAX, .sudog = UINT32_MAX};
	cr_assert(!hf_err_ignore(go_outside_init(&typing)));
}

static void teardown(void)
{
	cr_assert_null(typing.err);
	hf_vec_deinit(&typing.queue);
	hf_vec_deinit(&typing.weak);
	hf_free(typing.scratch.at);
	hf_free(typing.outside_scratch.at);
	go_outside_deinit(&typing);
	hf_free(go.block_type);
	hf_map64_deinit(&go.views);
	fake_heap_close(&go, t);
}

TestSuite(go_typing, .init = setup, .fini = teardown);

static uint32_t link_type(void)
{
	return go_type_of_rtype(&go, type_addr(T_LINK));
}

static uint32_t type_at(uint32_t off)
{
	uint32_t block = go_find_block(&go, heap_addr(off));

	cr_assert_neq(block, HF_NO_BLOCK);
	return go.block_type[block];
}

static void settle(void)
{
	cr_assert(!hf_err_ignore(go_typing_settle(&typing)));
}

Test(go_typing, a_value_in_static_data_leads_on)
{
	put64(fake.meta + DATA + 0x40, heap_addr(SMALL));
	go_offer_pointer(&typing, meta_addr(DATA + 0x40), link_type());
	settle();
	cr_assert_eq(type_at(SMALL), link_type());
	cr_assert_eq(type_at(SMALL + 64), link_type(), "and what that leads to");
	cr_assert_eq(type_at(SMALL + 192), GO_NO_TYPE);
}

Test(go_typing, values_in_data_that_lead_in_a_circle_end)
{
	put64(fake.meta + DATA, meta_addr(DATA + 0x40));
	put64(fake.meta + DATA + 0x40, meta_addr(DATA + 0x80));
	put64(fake.meta + DATA + 0x80, meta_addr(DATA));
	go_offer_pointer(&typing, meta_addr(DATA), link_type());
	settle();
	cr_assert_eq(typing.outside_seen.n, 3);
}

Test(go_typing, what_is_in_no_data_and_on_no_stack_is_not_read)
{
	static const uint64_t none[] = {0,
					1,
					META_BASE + DATA - 64,
					META_BASE + DATA_END,
					META_BASE + DATA + 4,
					META_BASE,
					1ull << 47,
					UINT64_MAX,
					UINT64_MAX - 63,
					1ull << 63};

	for (size_t i = 0; i < HF_LEN(none); i++)
		go_offer_outside(&typing, none[i], link_type(), 64);
	go_offer_outside(&typing, meta_addr(DATA), GO_NO_TYPE, 64);
	go_offer_outside(&typing, meta_addr(DATA), go_type_of_rtype(&go, type_addr(T_INT)), 8);
	cr_assert_eq(typing.outside.n, 0);
}

Test(go_typing, a_value_ends_where_its_place_does)
{
	put64(fake.meta + DATA_END - 8, heap_addr(SMALL));
	go_offer_outside(&typing, meta_addr(DATA_END - 8), link_type(), UINT64_MAX);
	cr_assert_eq(typing.outside.n, 1);
	cr_assert_eq(typing.outside.at[0].size, 8);
	settle();
	cr_assert_eq(type_at(SMALL), link_type());
}

Test(go_typing, what_is_dead_leads_to_no_data)
{
	typing.garbage = true;
	go_offer_outside(&typing, meta_addr(DATA), link_type(), 64);
	cr_assert_eq(typing.outside.n, 0);
}

Test(go_typing, a_stack_that_was_caught_anyhow_is_no_place_for_values)
{
	struct go_goroutine lost = {.lo = meta_addr(0x1d000),
				    .hi = meta_addr(0x1e000),
				    .sp = meta_addr(0x1d800),
				    .conservative = true},
			    sound = lost;

	sound.lo += 0x1000;
	sound.sp += 0x1000;
	sound.hi += 0x1000;
	sound.conservative = false;
	go_outside_deinit(&typing);
	typing.outside_ranges.n = 0;
	cr_assert(!hf_err_ignore(hf_vec_push(&go.goroutines, lost)));
	cr_assert(!hf_err_ignore(hf_vec_push(&go.goroutines, sound)));
	cr_assert(!hf_err_ignore(go_outside_init(&typing)));
	cr_assert_not(go_is_outside(&typing, lost.sp));
	cr_assert_not(go_is_outside(&typing, sound.sp - 8), "below the stack pointer");
	cr_assert(go_is_outside(&typing, sound.sp) && go_is_outside(&typing, sound.hi - 8));
	hf_vec_deinit(&go.goroutines);
}

Test(go_typing, two_pointers_are_an_interface_where_the_first_is_to_a_type)
{
	uint8_t pair[16], lie[16];

	/* main.box {a, b unsafe.Pointer}, made of what there is: a structure of two pointers without a type. */
	uint32_t word = go_types_add(&go, &(struct go_type){.name = "unsafe.Pointer",
							    .name_tried = true,
							    .decoded = true,
							    .kind = GO_KIND_UNSAFE_POINTER,
							    .size = 8,
							    .ptr_bytes = 8});
	struct go_member members[] = {{.name = "a", .type = word}, {.name = "b", .type = word, .offset = 8}};
	uint32_t box = go_types_add(&go, &(struct go_type){.name = "main.box",
							   .name_tried = true,
							   .decoded = true,
							   .kind = GO_KIND_STRUCT,
							   .size = 16,
							   .ptr_bytes = 16,
							   .members = members,
							   .members_n = 2});

	put64(lie, type_addr(T_NODE)); /* of 32 bytes: not the whole block */
	put64(lie + 8, heap_addr(SMALL));
	go_visit_value(&typing, box, (struct place){lie, 16}, 0);
	put64(lie, meta_addr(DATA)); /* no type */
	go_visit_value(&typing, box, (struct place){lie, 16}, 0);
	put64(lie, type_addr(T_LINK));
	go_visit_value(&typing, box, (struct place){lie, 8}, 0); /* cut off */
	settle();
	cr_assert_eq(type_at(SMALL), GO_NO_TYPE);
	put64(pair, type_addr(T_LINK));
	put64(pair + 8, heap_addr(SMALL));
	go_visit_value(&typing, box, (struct place){pair, 16}, 0);
	settle();
	cr_assert_eq(type_at(SMALL), link_type());
}

Test(go_typing, a_channel_that_is_none_has_no_type)
{
	uint64_t at = (uint64_t)go_off(&go, HCHAN_ELEMTYPE);

	cr_assert_eq(go_chan_at(&go, 0), GO_NO_TYPE);
	cr_assert_eq(go_chan_at(&go, UINT64_MAX), GO_NO_TYPE);
	cr_assert_eq(go_chan_at(&go, 0x7000000000), GO_NO_TYPE);
	put64(fake.meta + DATA + at, meta_addr(DATA));
	cr_assert_eq(go_chan_at(&go, meta_addr(DATA)), GO_NO_TYPE, "no descriptor");
	put64(fake.meta + DATA + at, type_addr(T_LINK_PTR));
	cr_assert_str_eq(go_type_name(&go, go_chan_at(&go, meta_addr(DATA))), "chan *main.Link");
	cr_assert_eq(go_chan_at(&go, meta_addr(DATA)), go_chan_at(&go, meta_addr(DATA)));
}

Test(go_typing, a_waiter_tells_the_type_of_its_value)
{
	uint8_t sudog[128] = {0};
	uint64_t chan_at = (uint64_t)go_off(&go, SUDOG_C) + 8,
		 elem_at = (uint64_t)go_off(&go, SUDOG_ELEM) + 8;

	put64(fake.meta + DATA + 0x100, heap_addr(SMALL)); /* the value: a *main.Link */
	put64(fake.meta + DATA + (uint64_t)go_off(&go, HCHAN_ELEMTYPE), type_addr(T_LINK_PTR));
	put64(sudog + elem_at, meta_addr(DATA + 0x100));
	go_visit_sudog(&typing, (struct place){sudog, sizeof(sudog)}); /* no channel: a mutex's */
	put64(sudog + chan_at, meta_addr(DATA));
	for (uint64_t cut = 0; cut < chan_at + 8; cut += 8)
		go_visit_sudog(&typing, (struct place){sudog, cut});
	settle();
	cr_assert_eq(type_at(SMALL), GO_NO_TYPE);
	go_visit_sudog(&typing, (struct place){sudog, sizeof(sudog)});
	settle();
	cr_assert_eq(type_at(SMALL), link_type());
}

Test(go_typing, closures_are_told_by_their_first_member)
{
	const struct go_type *closure = go_type_get(&go, go_type_of_rtype(&go, type_addr(T_CLOSURE)));

	cr_assert(go_is_closure_struct(&go, closure));
	cr_assert_not(go_is_closure_struct(&go, go_type_get(&go, link_type())));
	cr_assert_not(go_is_closure_struct(&go, go_type_get(&go, go_type_of_rtype(&go, type_addr(T_INT)))));
	cr_assert_not(go_is_closure_struct(&go, go_type_get(&go, GO_NO_TYPE)));
}

Test(go_typing, nothing_holds_a_timer_where_no_type_says_so)
{
	const struct go_span *span = go_find_span(&go, heap_addr(SMALL));

	cr_assert_eq(go_container_of(&go, link_type(), heap_addr(SMALL), 0, span), GO_NO_TYPE);
	cr_assert_eq(go_container_of(&go, GO_NO_TYPE, heap_addr(SMALL), 16, span), GO_NO_TYPE);
}

/* ---- results of functions ------------------------------------------------------------------------------------------- */

/* func() (*main.Link, uintptr), or what its numbers make of it. */
static uint32_t func_type(uint8_t tflag, uint32_t in, uint32_t out)
{
	uint32_t types = T_FUNC + 56 + (tflag & 1 ? 16 : 0);

	fake_type(&fake, T_FUNC, GO_KIND_FUNC, tflag, 8, 8, "func() (*main.Link, uintptr)");
	put32(fake.meta + TYPES + T_FUNC + 48, in | out << 16);
	put64(fake.meta + TYPES + types, type_addr(T_LINK_PTR));
	put64(fake.meta + TYPES + types + 8, type_addr(T_UINTPTR));
	return go_type_of_rtype(&go, type_addr(T_FUNC));
}

static void expect_results(uint8_t tflag, uint32_t in, uint32_t out, uint32_t first, uint32_t second)
{
	uint32_t type = func_type(tflag, in, out);

	cr_assert_neq(type, GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, type, 0),
		     first ? go_type_of_rtype(&go, type_addr(first)) : GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, type, 1),
		     second ? go_type_of_rtype(&go, type_addr(second)) : GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, type, 2), GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, type, UINT32_MAX), GO_NO_TYPE);
}

Test(go_typing, results_follow_the_functions_type)
{
	expect_results(0, 0, 2, T_LINK_PTR, T_UINTPTR);
}

Test(go_typing, results_follow_its_uncommon_part)
{
	expect_results(1, 0, 2, T_LINK_PTR, T_UINTPTR);
}

Test(go_typing, the_flag_in_the_number_of_results_is_none_of_them)
{
	expect_results(0, 0, 0x8001, T_LINK_PTR, 0);
}

Test(go_typing, functions_with_parameters_or_without_results_have_none)
{
	expect_results(0, 1, 2, 0, 0);
	expect_results(0, 0, 0, 0, 0);
	expect_results(0, 0xffff, 0xffff, 0, 0);
}

Test(go_typing, a_result_that_is_no_type_is_not_known)
{
	uint32_t type = func_type(0, 0, 2);
	static const uint64_t none[] = {0, 1, 1ull << 47, UINT64_MAX, META_BASE + TYPES + T_LINK + 4};

	for (size_t i = 0; i < HF_LEN(none); i++) {
		put64(fake.meta + TYPES + T_FUNC + 56, none[i]);
		cr_expect_eq(go_func_result(&go, type, 0), GO_NO_TYPE, "%zu", i);
	}
}

Test(go_typing, what_is_no_function_has_no_results)
{
	cr_expect_eq(go_func_result(&go, link_type(), 0), GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, GO_NO_TYPE, 0), GO_NO_TYPE);
	cr_expect_eq(go_func_result(&go, UINT32_MAX, 0), GO_NO_TYPE);
}

/* ---- what is known in part ------------------------------------------------------------------------------------------- */

static uint32_t part_of_small(void)
{
	uint32_t part = go_type_shape(&go, GO_SHAPE_PART, go_type_of_rtype(&go, type_addr(T_UINTPTR)), 0),
		 block = go_find_block(&go, heap_addr(SMALL));

	cr_assert(!hf_err_ignore(hf_map64_put(&go.views, block, 8)));
	go.block_type[block] = part;
	return part;
}

Test(go_typing, all_of_a_block_is_more_than_a_part_of_it)
{
	uint64_t offset;

	part_of_small();
	go_offer_pointer(&typing, heap_addr(SMALL), link_type());
	settle();
	cr_expect_eq(go_block_type(&go, go_find_block(&go, heap_addr(SMALL)), &offset), link_type());
	cr_expect_eq(offset, 0, "from its start on");
}

Test(go_typing, another_part_is_no_more_than_a_part)
{
	uint32_t part = part_of_small();

	go_offer_pointer(&typing, heap_addr(SMALL) + 16, link_type());
	go_offer_pointer(&typing, heap_addr(SMALL), go_type_of_rtype(&go, type_addr(T_UINTPTR)));
	settle();
	cr_expect_eq(type_at(SMALL), part);
}

Test(go_typing, the_dead_have_no_say_in_what_is_known_in_part)
{
	uint32_t part = part_of_small();

	typing.garbage = true;
	go_offer_pointer(&typing, heap_addr(SMALL), link_type());
	settle();
	cr_expect_eq(type_at(SMALL), part);
}

Test(go_typing, room_is_that_of_the_size_class)
{
	static const struct {
		uint64_t room, size;
		bool is;
	} rows[] = {{16, 16, true},        {16, 9, true},
		    {16, 8, false},        {16, 17, false},
		    {80, 72, true},        {80, 80, true},
		    {80, 16, false},       {512, 512, true},
		    {568, 513, true},      {568, 568, true},
		    {576, 569, false},     {632, 569, true},
		    {0, 0, true},          {32760, 32760, true},
		    {40960, 40960, false}, {UINT64_MAX, UINT64_MAX, false}};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_eq(go_is_class_of(rows[i].room, rows[i].size), rows[i].is, "row %zu", i);
}
