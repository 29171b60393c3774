/* What pointers see: headers of slices and strings that lie, interior pointers, fields by path. */
#include "../../src/runtime/go/names.h"
#include "../../src/runtime/go/types_private.h"
#include "../../src/runtime/go/views.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

enum { TARGET = LARGE, TARGET_SIZE = 8192 }; /* the block that is seen: numbers, for these tests */
enum { FROM = 0 };                           /* the block that views stand in: 64 bytes */

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;
static struct hf_graph *graph;
static HF_VEC(struct hf_view) views;

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	/* Of the size class of 8192 bytes, without pointers: what asks for 6912 and less gets another. */
	fake.meta[SPANS + 2 * 0x100 + go_off(&go, MSPAN_SPANCLASS)] = 52 << 1 | 1;
	cr_assert_null(fake_heap_walk(&go, &graph));
	go.block_type = hf_calloc(go.blocks, sizeof(uint32_t));
	cr_assert_not_null(go.block_type);
}

static void teardown(void)
{
	hf_graph_destroy(graph);
	hf_free(go.block_type);
	hf_free(go.spare_seen);
	hf_vec_deinit(&views);
	fake_heap_close(&go, target);
}

TestSuite(go_views, .init = setup, .fini = teardown);

static uint32_t a_type(uint8_t kind, uint64_t size, uint32_t elem)
{
	return go_types_add(&go, &(struct go_type){.name = "main.X",
						   .name_tried = true,
						   .decoded = true,
						   .kind = kind,
						   .size = size,
						   .ptr_bytes = size,
						   .elem = elem});
}

static uint32_t the_int(void)
{
	return go_type_of_rtype(&go, type_addr(T_INT));
}

static uint32_t block_at(uint32_t off)
{
	return go_find_block(&go, heap_addr(off));
}

static struct hf_err *keep(void *arg, const struct hf_view *view)
{
	(void)arg;
	return hf_vec_push(&views, *view);
}

/* What the words of a value of a type in FROM see. */
static const struct hf_view *see(uint32_t type, uint64_t a, uint64_t b, uint64_t c)
{
	uint8_t live[64];

	memset(live, 0xff, sizeof(live));
	memset(fake.heap + SMALL, 0, 64);
	put64(fake.heap + SMALL, a);
	put64(fake.heap + SMALL + 8, b);
	put64(fake.heap + SMALL + 16, c);
	memset(go.block_type, 0, go.blocks * sizeof(uint32_t));
	go.block_type[FROM] = type;
	go.block_type[block_at(TARGET)] = go_type_shape(&go, GO_SHAPE_BACKING, the_int(), 0);
	views.n = 0;
	cr_assert_null(go_views(&go.rt, live, keep, NULL));
	return views.n ? &views.at[0] : NULL;
}

Test(go_views, slice_header_tells_what_is_seen)
{
	static const struct {
		const char *what;
		uint64_t off, len, cap;
		enum hf_view_kind kind;
		uint64_t end, reach;
	} rows[] = {
		{"a part", 800, 10, 20, HF_VIEW_SLICE, 880, 960},
		{"nothing of it", 800, 0, 20, HF_VIEW_SLICE, 800, 960},
		{"the start, with capacity for all", 0, 1, 1024, HF_VIEW_SLICE, 8, 8192},
		{"all", 0, 1024, 1024, HF_VIEW_WHOLE, 0, 0},
		{"length above capacity", 800, 21, 20, HF_VIEW_WHOLE, 0, 0},
		{"negative length", 800, UINT64_MAX, 20, HF_VIEW_WHOLE, 0, 0},
		{"both negative", 800, UINT64_MAX, UINT64_MAX, HF_VIEW_WHOLE, 0, 0},
		{"capacity that wraps in bytes", 800, 1, 1ull << 61, HF_VIEW_WHOLE, 0, 0},
		{"capacity beyond the block", 800, 1, 925, HF_VIEW_WHOLE, 0, 0},
		{"absurd capacity", 800, 1, 1ull << 47, HF_VIEW_WHOLE, 0, 0},
		{"the last byte", 8191, 1, 1, HF_VIEW_WHOLE, 0, 0},
	};
	uint32_t slice = a_type(GO_KIND_SLICE, 24, the_int());

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct hf_view *v =
			see(slice, heap_addr(TARGET) + rows[i].off, rows[i].len, rows[i].cap);

		cr_assert_not_null(v, "%s", rows[i].what);
		cr_expect_eq(views.n, 1, "%s", rows[i].what);
		cr_expect_eq(v->kind, rows[i].kind, "%s: %d", rows[i].what, (int)v->kind);
		cr_expect_eq(v->block, block_at(TARGET), "%s", rows[i].what);
		cr_expect(v->from == FROM && v->slot == heap_addr(SMALL), "%s", rows[i].what);
		cr_expect_eq(v->end, rows[i].end ? heap_addr(TARGET) + rows[i].end : 0, "%s", rows[i].what);
		cr_expect_eq(v->reach, rows[i].reach ? heap_addr(TARGET) + rows[i].reach : 0, "%s",
			     rows[i].what);
	}
}

Test(go_views, header_that_leads_to_no_block_sees_nothing)
{
	static const uint64_t to[] = {
		0,          8,          HEAP_BASE - 8, HEAP_BASE + SMALL + 256, HEAP_BASE + 0x9000,
		1ull << 47, UINT64_MAX, UINT64_MAX - 7};
	uint32_t slice = a_type(GO_KIND_SLICE, 24, the_int()), string = a_type(GO_KIND_STRING, 16, 0),
		 pointer = a_type(GO_KIND_POINTER, 8, the_int());

	for (size_t i = 0; i < HF_LEN(to); i++) {
		cr_expect_null(see(slice, to[i], 1, 2), "0x%" PRIx64, to[i]);
		cr_expect_null(see(string, to[i], 1, 0), "0x%" PRIx64, to[i]);
		cr_expect_null(see(pointer, to[i], 0, 0), "0x%" PRIx64, to[i]);
	}
}

Test(go_views, string_and_pointer_see_their_part)
{
	uint32_t string = a_type(GO_KIND_STRING, 16, 0), pointer = a_type(GO_KIND_POINTER, 8, the_int()),
		 bare = a_type(GO_KIND_UNSAFE_POINTER, 8, 0);
	const struct hf_view *v = see(string, heap_addr(TARGET) + 5, 100, 0);

	cr_assert_not_null(v);
	cr_expect(v->kind == HF_VIEW_STRING && v->end == heap_addr(TARGET) + 105 && v->reach == v->end);
	cr_expect_eq(see(string, heap_addr(TARGET) + 5, UINT64_MAX, 0)->kind, HF_VIEW_WHOLE);
	cr_expect_eq(see(string, heap_addr(TARGET) + 5, TARGET_SIZE - 4, 0)->kind, HF_VIEW_WHOLE);
	v = see(pointer, heap_addr(TARGET) + 80, 0, 0);
	cr_expect(v->kind == HF_VIEW_POINTER && v->end == heap_addr(TARGET) + 88);
	cr_expect_eq(see(pointer, heap_addr(TARGET), 0, 0)->kind, HF_VIEW_WHOLE, "the first number of all");
	cr_expect_eq(see(pointer, heap_addr(TARGET) + 8188, 0, 0)->kind, HF_VIEW_WHOLE, "half outside");
	cr_expect_eq(see(bare, heap_addr(TARGET) + 80, 0, 0)->kind, HF_VIEW_WHOLE, "of no type");
}

Test(go_views, extent_leaves_out_rounding_alone)
{
	uint64_t start, end;
	uint32_t block = block_at(TARGET);

	go_extent(&go.rt, block, heap_addr(TARGET) + 8000, &start, &end);
	cr_expect(start == heap_addr(TARGET) && end == heap_addr(TARGET) + 8000,
		  "a block of 8000 bytes is of this size");
	go_extent(&go.rt, block_at(NOSCAN), heap_addr(NOSCAN) + 33, &start, &end);
	cr_expect_eq(end, heap_addr(NOSCAN) + 33);
	go_extent(&go.rt, block_at(NOSCAN), heap_addr(NOSCAN) + 24, &start, &end);
	cr_expect_eq(end, heap_addr(NOSCAN) + 48, "one of 24 bytes would be elsewhere");
	go_extent(&go.rt, block_at(NOSCAN), 0, &start, &end);
	cr_expect_eq(end, heap_addr(NOSCAN) + 48);
	go_extent(&go.rt, block_at(NOSCAN), UINT64_MAX, &start, &end);
	cr_expect_eq(end, heap_addr(NOSCAN) + 48);
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

static uint32_t a_map(uint64_t group_size)
{
	uint32_t id = a_type(GO_KIND_MAP, 8, the_int()), group = a_type(GO_KIND_STRUCT, group_size, 0);

	go_types_row(&go, id)->group = group;
	return id;
}

/* A Swiss map in slot 1, a directory of one table in slot 2, the table in slot 3, its groups in TARGET. */
static const struct hf_view *see_map(uint64_t used, uint64_t dir, uint64_t dir_len, uint64_t mask)
{
	uint8_t *map = fake.heap + SMALL + 64;

	memset(map, 0, 192);
	put64(map + go_off(&go, MAP_USED), used);
	put64(map + go_off(&go, MAP_DIR_PTR), dir);
	put64(map + go_off(&go, MAP_DIR_LEN), dir_len);
	for (int i = 0; i < 8; i++)
		put64(map + 64 + i * 8, heap_addr(SMALL + 192));
	put64(map + 128 + go_off(&go, TABLE_GROUPS_DATA), heap_addr(TARGET));
	put64(map + 128 + go_off(&go, TABLE_GROUPS_LENGTH_MASK), mask);
	return see(a_map(64), heap_addr(SMALL + 64), 0, 0);
}

Test(go_views, map_that_shrank_has_room_to_spare)
{
	const struct hf_view *v = see_map(10, heap_addr(SMALL + 128), 4, 127);

	cr_assert_not_null(v);
	cr_expect_eq(v->kind, HF_VIEW_MAP);
	cr_expect_eq(v->of, 128 * 64, "%" PRIu64, v->of);
	cr_expect_eq(v->spare, 126 * 64, "two groups hold ten entries: %" PRIu64, v->spare);
	cr_expect_eq(see_map(897, heap_addr(SMALL + 128), 4, 127)->kind, HF_VIEW_WHOLE, "full");
	cr_expect_eq(see_map(450, heap_addr(SMALL + 128), 4, 127)->kind, HF_VIEW_WHOLE, "just split");
}

Test(go_views, map_that_lies_has_none)
{
	static const struct {
		uint64_t used, dir, len, mask;
	} rows[] = {
		{10, 0, 4, 127},
		{10, 8, 4, 127},
		{10, HEAP_BASE + SMALL + 128, 0, 127},
		{10, HEAP_BASE + SMALL + 128, 9, 127},
		{10, HEAP_BASE + SMALL + 128, UINT64_MAX, 127},
		{10, HEAP_BASE + SMALL + 128, 1ull << 61, 127},
		{10, HEAP_BASE + SMALL + 128, 4, 128},
		{10, HEAP_BASE + SMALL + 128, 4, UINT64_MAX},
		{10, HEAP_BASE + SMALL + 128, 4, 1ull << 58},
		{UINT64_MAX, HEAP_BASE + SMALL + 128, 4, 127},
		{2000, HEAP_BASE + SMALL + 128, 4, 127},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct hf_view *v = see_map(rows[i].used, rows[i].dir, rows[i].len, rows[i].mask);

		cr_assert_not_null(v, "%zu", i);
		cr_expect_eq(v->kind, HF_VIEW_WHOLE, "%zu", i);
	}
}

static enum hf_view_kind see_chan(uint64_t count, uint64_t size, uint64_t buf)
{
	uint8_t *chan = fake.heap + SMALL + 64;

	memset(chan, 0, 64);
	put64(chan + go_off(&go, HCHAN_QCOUNT), count);
	put64(chan + go_off(&go, HCHAN_DATAQSIZ), size);
	put64(chan + go_off(&go, HCHAN_BUF), buf);
	return see(a_type(GO_KIND_CHAN, 8, the_int()), heap_addr(SMALL + 64), 0, 0)->kind;
}

Test(go_views, large_empty_channel_has_room_one_that_lies_has_none)
{
	cr_expect_eq(see_chan(1, 1024, heap_addr(TARGET)), HF_VIEW_CHAN);
	cr_expect_eq(views.at[0].spare, 1023 * 8);
	cr_expect_eq(see_chan(256, 1024, heap_addr(TARGET)), HF_VIEW_WHOLE, "used");
	cr_expect_eq(see_chan(0, 511, heap_addr(TARGET)), HF_VIEW_WHOLE, "small");
	cr_expect_eq(see_chan(0, 1025, heap_addr(TARGET)), HF_VIEW_WHOLE, "beyond its block");
	cr_expect_eq(see_chan(0, 1024, 8), HF_VIEW_WHOLE, "no buffer");
	cr_expect_eq(see_chan(0, UINT64_MAX, heap_addr(TARGET)), HF_VIEW_WHOLE);
	cr_expect_eq(see_chan(0, 1ull << 61, heap_addr(TARGET)), HF_VIEW_WHOLE);
	cr_expect_eq(see_chan(1025, 1024, heap_addr(TARGET)), HF_VIEW_WHOLE, "more in it than fits");
}

/* ---- fields ------------------------------------------------------------------------------------------------------- */

Test(go_views, field_is_found_by_its_path)
{
	uint32_t node = go_type_of_rtype(&go, type_addr(T_NODE));
	struct hf_field_way way;
	struct hf_str text = {0};

	cr_assert_null(go_find_field(&go.rt, node, "next.next.id", &way));
	cr_expect(way.n == 3 && way.offset[0] == 0 && way.offset[2] == 24 && !way.is_text);
	cr_assert_null(go_find_field(&go.rt, node, "name", &way));
	cr_expect(way.n == 1 && way.offset[0] == 8 && way.is_text);
	cr_assert_null(go_find_field(&go.rt, node, "id", &way));
	put64(fake.heap + SMALL + 24, 42);
	go.block_type[FROM] = node;
	cr_assert_null(go_field_value(&go.rt, FROM, &way, &text));
	cr_expect_str_eq(hf_str_get(&text), "42");
	hf_str_deinit(&text);
}

Test(go_views, way_down_ends_where_a_value_has_no_parts)
{
	uint32_t node = go_type_of_rtype(&go, type_addr(T_NODE)),
		 array = a_type(GO_KIND_ARRAY, 80, the_int()),
		 nothings = a_type(GO_KIND_ARRAY, 80, a_type(GO_KIND_STRUCT, 0, 0)),
		 itself = a_type(GO_KIND_ARRAY, 80, (uint32_t)go.types->all.n);
	const struct {
		const char *what;
		uint32_t type;
		uint64_t offset;
		const char *member; /* NULL: of an element */
		bool found;
		uint64_t rest;
	} rows[] = {
		{"a member", node, 24, "id", true, 0},
		{"in a member", node, 12, "name", true, 4},
		{"an element", array, 17, NULL, true, 1},
		{"beyond an array", array, UINT64_MAX, NULL, true, 7},
		{"beyond a structure", node, 1 << 20, NULL, false, 0},
		{"far beyond it", node, UINT64_MAX, NULL, false, 0},
		{"a number", the_int(), 0, NULL, false, 0},
		{"a pointer", a_type(GO_KIND_POINTER, 8, node), 0, NULL, false, 0},
		{"an array of nothing", nothings, 8, NULL, false, 0},
		{"an array of itself", itself, 90, NULL, true, 10},
		{"a structure without members", a_type(GO_KIND_STRUCT, 8, 0), 0, NULL, false, 0},
		{"no type", GO_NO_TYPE, 8, NULL, false, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct go_member *m = NULL;
		uint32_t type = rows[i].type;
		uint64_t offset = rows[i].offset;

		cr_assert_eq(go_type_enter(&go, &type, &offset, &m), rows[i].found, "%s", rows[i].what);
		cr_expect_eq(offset, rows[i].found ? rows[i].rest : rows[i].offset, "%s", rows[i].what);
		cr_expect(rows[i].found || type == rows[i].type, "%s", rows[i].what);
		cr_expect_str_eq(m ? m->name : "", rows[i].member ? rows[i].member : "", "%s", rows[i].what);
	}
}

Test(go_views, path_that_leads_nowhere_is_refused)
{
	static const char *const rows[] = {
		"",         ".",         "nope",   "Next",
		"next.",    ".next",     "id.x",   "name.x",
		"next..id", "next.nope", "i",      "idx",
		"next id",  "Field",     "Field1", "next.next.next.next.next.next.next.next.next.id"};
	uint32_t node = go_type_of_rtype(&go, type_addr(T_NODE));
	struct hf_field_way way;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_err *err = go_find_field(&go.rt, node, rows[i], &way);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "'%s'", rows[i]);
		hf_err_destroy(err);
	}
}

Test(go_views, value_behind_a_pointer_that_lies_is_told_as_such)
{
	static const struct {
		uint64_t next;
		const char *text;
	} rows[] = {{0, "nil"},
		    {8, "(not captured)"},
		    {UINT64_MAX, "(not captured)"},
		    {UINT64_MAX - 23, "(not captured)"}};
	struct hf_field_way way;

	cr_assert_null(go_find_field(&go.rt, go_type_of_rtype(&go, type_addr(T_NODE)), "next.id", &way));
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_str text = {0};

		put64(fake.heap + SMALL, rows[i].next);
		cr_assert_null(go_field_value(&go.rt, FROM, &way, &text));
		cr_expect_str_eq(hf_str_get(&text), rows[i].text, "0x%" PRIx64 ": %s", rows[i].next,
				 hf_str_get(&text));
		hf_str_deinit(&text);
	}
}
