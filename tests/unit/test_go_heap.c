#include "go_heap_fake.h"

#include <criterion/criterion.h>

static struct go_heap_fake fake;
static struct go go;
static struct hf_target *t;
static struct hf_graph *graph;

static void setup(void)
{
	fake_heap_init(&fake);
}

static void teardown(void)
{
	hf_graph_destroy(graph);
	graph = NULL;
	fake_heap_close(&go, t);
}

TestSuite(go_heap, .init = setup, .fini = teardown);

static void walk(void)
{
	struct hf_err *err;

	cr_assert(fake_heap_open(&fake, &go, &t));
	err = fake_heap_walk(&go, &graph);
	cr_assert_null(err, "%s", hf_err_message(err));
}

static uint8_t *span_field(uint32_t span, enum go_field field)
{
	struct go_layout l;

	go_layout_from_table(&l, 26);
	return fake.meta + SPANS + span * 0x100 + l.off[field];
}

static bool has_edge(uint64_t from, uint64_t to)
{
	uint32_t a = go_find_block(&go, from), b = go_find_block(&go, to);

	cr_assert_neq(a, HF_NO_BLOCK);
	for (uint32_t e = graph->start[a]; e < graph->start[a + 1]; e++)
		if (graph->edges[e] == b)
			return true;
	return false;
}

Test(go_heap, sound_spans_are_counted_and_numbered)
{
	uint32_t slot;

	walk();
	cr_assert_eq(go.objects, 5 + 2 + 1 + 3);
	cr_assert_eq(go.bytes, 5 * 64 + 2 * 1024 + 8192 + 3 * 48);
	cr_assert_eq(go.damaged_spans.n + go.miscounted_spans + go.damaged_types.n, 0);
	for (uint32_t b = 0; b < go.blocks; b++) {
		const struct go_span *span = go_block_span(&go, b, &slot);

		cr_assert_eq(go_find_block(&go, span->start + slot * span->elemsize), b);
		cr_assert_eq(go_find_block(&go, span->start + (slot + 1) * span->elemsize - 1), b);
	}
}

Test(go_heap, span_caught_in_the_sweep_keeps_what_is_marked)
{
	/* freeindex is reset already, the marks are not yet the allocation bits: slots 0, 1, 2 and 3 would be lost. */
	*(uint16_t *)span_field(0, GO_MSPAN_FREEINDEX) = 0;
	put64(fake.meta + BITS, 0);
	put64(span_field(0, GO_MSPAN_GCMARK_BITS), meta_addr(BITS + 0x80));
	put64(fake.meta + BITS + 0x80, 0x2f);
	put32(span_field(0, GO_MSPAN_SWEEPGEN), UINT32_MAX); /* the heap's is 0 */
	walk();
	cr_assert_eq(go.objects, 5 + 2 + 1 + 3);
	cr_assert(has_edge(heap_addr(SMALL), heap_addr(SMALL + 64)));
}

Test(go_heap, marks_of_a_span_that_is_not_swept_now_are_no_allocations)
{
	put64(span_field(0, GO_MSPAN_GCMARK_BITS), meta_addr(BITS + 0x80));
	put64(fake.meta + BITS + 0x80, 0xff);
	walk();
	cr_assert_eq(go.objects, 5 + 2 + 1 + 3);
}

Test(go_heap, addresses_outside_of_objects_are_no_blocks)
{
	static const uint32_t none[] = {SMALL + 256 /* free */,
					SMALL + 64 * 100,
					SMALL + 124 * 64 /* the bitmap */,
					SMALL + 8191,
					HEADERS + 2 * 1024,
					NOSCAN + 3 * 48,
					0x8000,
					0xffff};

	walk();
	for (size_t i = 0; i < HF_LEN(none); i++)
		cr_assert_eq(go_find_block(&go, heap_addr(none[i])), HF_NO_BLOCK, "0x%x", none[i]);
	cr_assert_eq(go_find_block(&go, 0), HF_NO_BLOCK);
	cr_assert_eq(go_find_block(&go, UINT64_MAX), HF_NO_BLOCK);
	cr_assert_eq(go_find_block(&go, 1ull << 47), HF_NO_BLOCK);
	cr_assert_eq(go_find_block(&go, META_BASE), HF_NO_BLOCK);
}

Test(go_heap, bitmaps_say_which_words_are_pointers)
{
	walk();
	cr_assert(has_edge(heap_addr(SMALL), heap_addr(SMALL + 64)));
	cr_assert(has_edge(heap_addr(SMALL + 64), heap_addr(SMALL + 128)));
	cr_assert(has_edge(heap_addr(SMALL + 192), heap_addr(SMALL + 64)), "an interior pointer");
	cr_assert_not(has_edge(heap_addr(SMALL + 64), heap_addr(SMALL + 192)), "a number");
	cr_assert_eq(graph->start[5] - graph->start[4], 0, "a pointer to a free slot is no edge");
}

Test(go_heap, headers_repeat_over_arrays)
{
	walk();
	cr_assert(has_edge(heap_addr(HEADERS), heap_addr(SMALL)));
	cr_assert(has_edge(heap_addr(HEADERS), heap_addr(LARGE)));
	cr_assert(has_edge(heap_addr(HEADERS), heap_addr(NOSCAN + 48)));
	cr_assert_eq(graph->start[6] - graph->start[5], 3, "ids are no pointers");
}

Test(go_heap, half_built_object_has_no_pointers)
{
	put64(fake.heap + HEADERS + 1024 + 8, heap_addr(SMALL));
	walk();
	cr_assert_not(has_edge(heap_addr(HEADERS + 1024), heap_addr(SMALL)));
	cr_assert_eq(go.damaged_types.n, 0);
}

Test(go_heap, large_type_repeats_over_the_span)
{
	walk();
	cr_assert(has_edge(heap_addr(LARGE), heap_addr(HEADERS)));
}

Test(go_heap, damaged_header_is_scanned_word_by_word)
{
	put64(fake.heap + HEADERS, 0x123450);
	put64(fake.heap + HEADERS + 8 + 24, heap_addr(SMALL + 128));
	walk();
	cr_assert_eq(go.damaged_types.n, 1);
	cr_assert(has_edge(heap_addr(HEADERS), heap_addr(SMALL + 128)), "nothing that may be live is lost");
}

struct damage {
	const char *what;
	uint32_t span;
	enum go_field field;
	uint64_t value;
	unsigned width;
};

Test(go_heap, damaged_spans_are_left_out_and_counted)
{
	static const struct damage cases[] = {
		{"no size", 0, GO_MSPAN_ELEMSIZE, 0, 8},
		{"absurd size", 0, GO_MSPAN_ELEMSIZE, 1ull << 40, 8},
		{"more slots than room", 0, GO_MSPAN_NELEMS, 60000, 2},
		{"no slots", 0, GO_MSPAN_NELEMS, 0, 2},
		{"start off a page", 0, GO_MSPAN_START_ADDR, HEAP_BASE + 8, 8},
		{"start not mapped", 0, GO_MSPAN_START_ADDR, 0x7000000000, 8},
		{"start beyond the address space", 0, GO_MSPAN_START_ADDR, 1ull << 63, 8},
		{"no pages", 0, GO_MSPAN_NPAGES, 0, 8},
		{"pages beyond the mapping", 0, GO_MSPAN_NPAGES, 1u << 20, 8},
		{"pages that wrap", 0, GO_MSPAN_NPAGES, UINT64_MAX / 8192, 8},
		{"one over another", 1, GO_MSPAN_START_ADDR, HEAP_BASE, 8},
		{"bits not mapped", 0, GO_MSPAN_ALLOC_BITS, 0x7000000000, 8},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		setup();
		memcpy(span_field(cases[i].span, cases[i].field), &cases[i].value, cases[i].width);
		walk();
		cr_assert_geq(go.damaged_spans.n, 1, "%s", cases[i].what);
		cr_assert_leq(go.objects, 11, "%s", cases[i].what);
		teardown();
	}
	setup();
	cr_assert(fake_heap_open(&fake, &go, &t));
}

Test(go_heap, a_list_that_repeats_a_span_counts_it_once)
{
	put64(fake.meta + SPAN_LIST + 8, meta_addr(SPANS));
	walk();
	cr_assert_eq(go.objects, 11 - 2);
}

/* recordspan: the length grows before the entry is set. */
Test(go_heap, an_entry_in_the_making_is_no_damage)
{
	struct go_layout l;

	go_layout_from_table(&l, 26);
	put64(fake.meta + MHEAP + l.off[GO_MHEAP_ALLSPANS] + 8, fake.spans + 1);
	walk();
	cr_assert_eq(go.objects, 11);
	cr_assert_eq(go.damaged_spans.n, 0);
}

Test(go_heap, the_lowest_damaged_span_is_told)
{
	put64(span_field(1, GO_MSPAN_ELEMSIZE), 0);
	put64(span_field(2, GO_MSPAN_NPAGES), 0);
	walk();
	cr_assert_eq(go.damaged_spans.n, 2);
	cr_assert_eq(go.damaged_spans.lowest, meta_addr(SPANS + 0x100));
}

enum { GC_PHASE = 0x1f000 };

struct moment {
	const char *what;
	uint32_t scan_index, span_sweepgen, phase;
	uint8_t bits;
	bool followed;
};

/* Slot 1 of the first span is the last below its freeindex, and points to slot 2. */
Test(go_heap, what_malloc_has_not_filled_is_not_followed)
{
	static const struct moment moments[] = {
		{"taken, not filled", 1, 3, 0, 0x2c, false},
		{"filled", 2, 3, 0, 0x2c, true},
		{"while the collector marks the index may stay", 1, 3, 1, 0x2c, true},
		{"in a cache of the cycle before", 1, 1, 0, 0x2c, true},
		{"in no cache", 1, 0, 0, 0x2c, true},
		{"allocated before the last sweep", 1, 3, 0, 0x2e, true},
	};

	for (size_t i = 0; i < HF_LEN(moments); i++) {
		const struct moment *m = &moments[i];
		struct hf_err *err;

		setup();
		memcpy(span_field(0, GO_MSPAN_FREE_INDEX_FOR_SCAN), &m->scan_index, 2);
		memcpy(span_field(0, GO_MSPAN_SWEEPGEN), &m->span_sweepgen, 4);
		memcpy(fake.meta + GC_PHASE, &m->phase, 4);
		fake.meta[BITS] = m->bits;
		cr_assert(fake_heap_open(&fake, &go, &t));
		go.layout.var[GO_VAR_GCPHASE] = meta_addr(GC_PHASE);
		err = fake_heap_walk(&go, &graph);
		cr_assert_null(err, "%s", hf_err_message(err));
		cr_assert_eq(has_edge(heap_addr(SMALL + 64), heap_addr(SMALL + 128)), m->followed, "%s",
			     m->what);
		cr_assert_eq(go.objects, 11, "%s: it is allocated all the same", m->what);
		teardown();
	}
	setup();
	cr_assert(fake_heap_open(&fake, &go, &t));
}

enum { MARKS = 0x1f100 };

struct cycle {
	const char *what;
	uint32_t span_sweepgen;
	uint8_t marks, inline_marks;
	bool dead;
};

/* Slot 3 of the first span, when the heap's sweepgen is 10. */
Test(go_heap, what_the_collector_found_dead_is_dead_before_it_is_swept)
{
	static const struct cycle cycles[] = {
		{"unswept and not marked", 8, 0x07, 0x07, true},
		{"in a cache of the cycle before", 11, 0x07, 0x07, true},
		{"marked", 8, 0x08, 0, false},
		{"marked in the span", 8, 0, 0x08, false},
		{"swept", 10, 0, 0, false},
		{"in a cache of this cycle", 13, 0, 0, false},
		{"half swept", 9, 0, 0, false},
	};

	for (size_t i = 0; i < HF_LEN(cycles); i++) {
		const struct cycle *c = &cycles[i];
		struct go_layout l;

		setup();
		go_layout_from_table(&l, 26);
		put32(fake.meta + MHEAP + l.off[GO_MHEAP_SWEEPGEN], 10);
		put32(span_field(0, GO_MSPAN_SWEEPGEN), c->span_sweepgen);
		put64(span_field(0, GO_MSPAN_GCMARK_BITS), meta_addr(MARKS));
		fake.meta[MARKS] = c->marks;
		fake.heap[SMALL + 8192 - 64] = c->inline_marks;
		cr_assert(fake_heap_open(&fake, &go, &t));
		cr_assert_null(fake_heap_walk(&go, &graph));
		cr_assert_eq(go_is_dead(&go, go_find_block(&go, heap_addr(SMALL + 192))), c->dead, "%s",
			     c->what);
		cr_assert_eq(go.objects, 11, "%s: it is allocated all the same", c->what);
		teardown();
	}
	setup();
	cr_assert(fake_heap_open(&fake, &go, &t));
}

Test(go_heap, a_list_longer_than_memory_is_an_error)
{
	struct go_layout l;
	struct hf_err *err;

	go_layout_from_table(&l, 26);
	put64(fake.meta + MHEAP + l.off[GO_MHEAP_ALLSPANS] + 8, 1u << 30);
	cr_assert(fake_heap_open(&fake, &go, &t));
	err = fake_heap_walk(&go, &graph);
	cr_assert_neq(hf_err_code(err), HF_OK);
	hf_err_destroy(err);
}

/* ---- types ---------------------------------------------------------------------------------------------------- */

static const struct go_type *type_at(uint32_t off, uint32_t *ret_id)
{
	uint32_t id = go_type_of_rtype(&go, type_addr(off));

	if (ret_id)
		*ret_id = id;
	return go_type_get(&go, id);
}

Test(go_heap, descriptors_give_names_and_fields)
{
	const struct go_type *node;
	uint32_t id;

	walk();
	node = type_at(T_NODE, &id);
	cr_assert_eq(node->kind, GO_KIND_STRUCT);
	cr_assert_eq(node->size, 32);
	cr_assert_eq(node->members_n, 3);
	cr_assert_str_eq(node->members[1].name, "name");
	cr_assert_eq(node->members[2].offset, 24);
	cr_assert_eq(go_type_get(&go, node->members[0].type)->elem, id, "it points to itself");
	cr_assert_str_eq(go_type_name(&go, id), "main.Node");
	cr_assert_str_eq(go_type_name(&go, node->members[0].type), "*main.Node");
	cr_assert_str_eq(go_type_name(&go, go_type_of_rtype(&go, type_addr(T_PTR_ARRAY))), "[3]*main.Node");
	cr_assert_str_eq(go_type_name(&go, go_type_shape(&go, GO_SHAPE_BACKING, id, 0)), "[]main.Node");
	cr_assert_eq(type_at(T_NODE, NULL), node, "one id a descriptor");
}

Test(go_heap, slots_say_where_a_value_leads)
{
	const struct go_slot *slots;
	uint32_t id, n;

	walk();
	type_at(T_NODE, &id);
	slots = go_type_slots(&go, id, &n);
	cr_assert_eq(n, 2);
	cr_assert_eq(slots[0].kind, GO_SLOT_POINTER);
	cr_assert_eq(slots[0].type, id);
	cr_assert_eq(slots[1].kind, GO_SLOT_STRING);
	cr_assert_eq(slots[1].offset, 8);
}

Test(go_heap, what_is_no_descriptor_has_no_type)
{
	static const uint32_t bad[] = {0x104, 0x1000, TYPES_END - TYPES - 8};

	walk();
	for (size_t i = 0; i < HF_LEN(bad); i++)
		cr_assert_eq(go_type_of_rtype(&go, type_addr(bad[i])), GO_NO_TYPE, "0x%x", bad[i]);
	cr_assert_eq(go_type_of_rtype(&go, 0), GO_NO_TYPE);
	cr_assert_eq(go_type_of_rtype(&go, UINT64_MAX - 7), GO_NO_TYPE);
	cr_assert_str_eq(go_type_name(&go, GO_NO_TYPE), "?");
}

Test(go_heap, mask_on_demand_is_made_from_the_descriptor)
{
	const struct go_mask *mask;

	walk();
	cr_assert_null(go_mask_build(&go, type_addr(T_PTR_ARRAY), 1024, &mask));
	cr_assert_eq(mask->size_words, 3);
	cr_assert_eq(mask->ptr_words, 3);
	cr_assert_eq(mask->bits[0], 7);
	cr_assert_null(go_mask_build(&go, type_addr(T_NODE), 1024, &mask));
	cr_assert_eq(mask->bits[0], 3);
}

static void mask_fails(uint32_t off, uint64_t max)
{
	const struct go_mask *mask;
	struct hf_err *err = go_mask_build(&go, type_addr(off), max, &mask);

	cr_assert_eq(hf_err_code(err), HF_BADDATA, "0x%x: %s", off, hf_err_message(err));
	hf_err_destroy(err);
}

Test(go_heap, masks_of_hostile_descriptors_are_errors)
{
	/* A struct that contains itself, an array that contains itself, one larger than its block, one that is no type. */
	fake_type(&fake, T_PAIR, GO_KIND_STRUCT, 16, 64, 64, "main.Pair");
	fake_field(&fake, T_PAIR, 0, "a", T_PAIR, 0);
	fake_field(&fake, T_PAIR, 1, "b", T_PAIR, 0);
	fake_type(&fake, T_PTR_ARRAY, GO_KIND_ARRAY, 16, 1ull << 40, 1ull << 40, "[]");
	put64(fake.meta + TYPES + T_PTR_ARRAY + 48, type_addr(T_PTR_ARRAY));
	put64(fake.meta + TYPES + T_PTR_ARRAY + 64, UINT64_MAX);
	walk();
	mask_fails(T_PAIR, 4096);
	mask_fails(T_PTR_ARRAY, 4096);
	mask_fails(T_STRING, 8); /* larger than its block */
	mask_fails(0x1000, 4096);
	mask_fails(0x1000, 4096); /* the answer is remembered, and the same */
}

Test(go_heap, fields_that_lie_are_cut)
{
	uint32_t id, n;

	put64(fake.meta + TYPES + T_NODE + 64, UINT64_MAX); /* so many fields */
	walk();
	type_at(T_NODE, &id);
	go_type_slots(&go, id, &n);
	cr_assert_eq(n, 0);
	cr_assert_str_eq(go_type_name(&go, id), "main.Node");
}

Test(go_heap, types_nested_without_end_are_cut)
{
	uint32_t id, n;

	fake_type(&fake, T_PAIR, GO_KIND_STRUCT, 16, 64, 64, "main.Pair");
	fake_field(&fake, T_PAIR, 0, "inner", T_PAIR, 0);
	walk();
	type_at(T_PAIR, &id);
	go_type_slots(&go, id, &n);
	cr_assert_eq(n, 0);
}

Test(go_layout, versions_are_parsed)
{
	static const struct {
		const char *version;
		int minor;
	} cases[] = {{"go1.26.8", 26}, {"go1.27rc1", 27},
		     {"go1.20", 20},   {"devel go1.28-2d0a1b2", 28},
		     {"go1.", -1},     {"go2.1", -1},
		     {"", -1},         {"go1.x", -1},
		     {"go1.-5", -1},   {"go1.99999999999999999999", -1},
		     {"1.26.8", -1}};

	for (size_t i = 0; i < HF_LEN(cases); i++)
		cr_assert_eq(go_version_minor(cases[i].version), cases[i].minor, "%s", cases[i].version);
}
