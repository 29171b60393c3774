/* From views to rows: unions, copies, unknown pointers, names that go round in circles. */
#include "dominator_fake.h"

/* Blocks of 1000 bytes, 1024 apart, the last of them is asked for all 1000. Views are what the test says. */
enum { SIZE = 1000, BLOCKS = 8 };

struct slack_fake {
	struct hf_runtime rt;
	struct hf_session s;
	struct hf_syms syms;
	const struct hf_view *views;
	size_t n;
	enum hf_view_kind root_kind; /* of what roots see; POINTER: 100 bytes from their value on */
	bool open;                   /* places have no names of their own */
};

static const struct slack_fake *slack_fake_of(const struct hf_runtime *rt)
{
	return (const struct slack_fake *)rt;
}

static uint64_t addr_of(uint32_t b)
{
	return FAKE_BASE + (uint64_t)b * 1024;
}

static struct hf_block sized_block(struct hf_runtime *rt, uint32_t b)
{
	(void)rt;
	return (struct hf_block){addr_of(b), SIZE};
}

static uint32_t one_type(struct hf_runtime *rt, uint32_t b)
{
	(void)rt;
	(void)b;
	return 1;
}

static struct hf_err *say_views(struct hf_runtime *rt, const uint8_t *live, hf_view_fn *fn, void *arg)
{
	(void)live;
	for (size_t i = 0; i < slack_fake_of(rt)->n; i++)
		HF_TRY(fn(arg, &slack_fake_of(rt)->views[i]));
	return NULL;
}

static struct hf_err *say_root_view(struct hf_runtime *rt, const struct hf_found_root *root,
				    struct hf_view *ret)
{
	*ret = (struct hf_view){.kind = slack_fake_of(rt)->root_kind,
				.block = root->block,
				.from = HF_NO_BLOCK,
				.start = root->value,
				.end = root->value + 100,
				.reach = root->value + 100};
	return NULL;
}

static void say_extent(struct hf_runtime *rt, uint32_t block, uint64_t reach, uint64_t *ret_start,
		       uint64_t *ret_end)
{
	(void)rt;
	*ret_start = addr_of(block);
	*ret_end = reach > addr_of(block) + 900 ? reach : addr_of(block) + SIZE;
}

/* Places are named by where in the block they stand; or all are open. */
static void say_place(struct hf_runtime *rt, uint32_t block, uint64_t slot, struct hf_view_place *ret)
{
	*ret = (struct hf_view_place){1, slot - addr_of(block), slack_fake_of(rt)->open};
}

static struct hf_err *say_place_name(struct hf_runtime *rt, const struct hf_view_place *place,
				     struct hf_str *ret)
{
	(void)rt;
	hf_str_addf(ret, place->open ? "[*]" : "main.T.f%" PRIu64, place->offset);
	return NULL;
}

static struct hf_err *say_root_place(struct hf_runtime *rt, const struct hf_found_root *root,
				     struct hf_str *ret)
{
	(void)rt;
	hf_str_addf(ret, "main.r%u", root->owner);
	return NULL;
}

static struct hf_err *say_pointers(struct hf_runtime *rt, uint32_t block,
				   void (*fn)(void *arg, uint64_t slot, uint32_t to), void *arg)
{
	const struct hf_graph *g = slack_fake_of(rt)->s.graph;

	for (uint32_t e = g->start[block]; e < g->start[block + 1]; e++)
		fn(arg, addr_of(block) + (uint64_t)(e - g->start[block]) * 8, g->edges[e]);
	return NULL;
}

static const struct hf_runtime_ops slack_ops = {
	.name = "fake",
	.block = sized_block,
	.block_type = one_type,
	.types = fake_types,
	.type_name = fake_type_name,
	.holder_name = fake_holder_name,
	.views = say_views,
	.root_view = say_root_view,
	.extent = say_extent,
	.place = say_place,
	.place_name = say_place_name,
	.root_place = say_root_place,
	.pointers = say_pointers,
};

struct edge {
	uint32_t from, to;
};

static struct hf_graph *graph_of(const struct edge *edges, size_t n)
{
	struct hf_graph_chunk chunk = {0};
	struct hf_graph *g;

	cr_assert_null(hf_graph_chunk_init(&chunk, 0, BLOCKS));
	for (uint32_t b = 0; b < BLOCKS; b++) {
		hf_graph_begin_block(&chunk);
		for (size_t i = 0; i < n; i++)
			if (edges[i].from == b)
				cr_assert_null(hf_graph_edge(&chunk, edges[i].to));
	}
	cr_assert_null(hf_graph_create(&chunk, 1, BLOCKS, &g));
	return g;
}

static void add_root(struct hf_graph *g, uint32_t block, uint32_t owner, uint64_t value)
{
	cr_assert_null(hf_graph_add_root(
		g, &(struct hf_root){.block = block, .owner = owner, .slot = 8, .value = value}));
}

static const struct hf_slack *ask(struct slack_fake *f, struct hf_graph *g, const struct hf_view *views,
				  size_t n)
{
	const struct hf_slack *slack = NULL;
	struct hf_err *err;

	f->rt.ops = &slack_ops;
	f->s = (struct hf_session){.rt = &f->rt, .graph = g, .syms = &f->syms, .loaded = true, .typed = true};
	f->views = views;
	f->n = n;
	cr_assert_null(hf_graph_mark(g));
	err = hf_slack(&f->s, 0, &slack);
	cr_assert_null(err, "%s", err ? hf_err_message(err) : "");
	return slack;
}

static void done(struct slack_fake *f, const struct hf_slack *slack)
{
	hf_result_free(slack);
	hf_session_free_dominators(&f->s);
	hf_graph_destroy(f->s.graph);
}

static struct hf_view view(uint32_t from, uint32_t slot, uint32_t block, enum hf_view_kind kind,
			   uint64_t start, uint64_t end, uint64_t reach)
{
	return (struct hf_view){.kind = kind,
				.from = from,
				.slot = addr_of(from) + slot * 8,
				.block = block,
				.start = addr_of(block) + start,
				.end = addr_of(block) + end,
				.reach = addr_of(block) + reach};
}

Test(slack, views_of_one_block_are_a_union_and_counted_once)
{
	const struct edge edges[] = {{0, 1}, {0, 1}, {0, 1}};
	const struct hf_view views[] = {view(0, 0, 1, HF_VIEW_SLICE, 100, 200, 500),
					view(0, 1, 1, HF_VIEW_STRING, 150, 300, 300),
					view(0, 2, 1, HF_VIEW_STRING, 120, 130, 130)};
	struct hf_graph *g = graph_of(edges, 3);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	add_root(g, 0, 0, addr_of(0));
	slack = ask(&f, g, views, 3);
	cr_assert_eq(slack->n, 1);
	cr_expect_eq(slack->rows[0].wasted_bytes, 800);
	cr_expect_eq(slack->rows[0].visible_bytes, 200);
	cr_expect_eq(slack->rows[0].capacity_bytes, 200);
	cr_expect_eq(slack->rows[0].count, 1);
	cr_expect_eq(slack->rows[0].shared_views, 2);
	cr_expect_eq(slack->rows[0].shared_with_n, 2);
	cr_expect_str_eq(slack->rows[0].holder, "main.T.f8", "that which sees most");
	cr_expect_str_eq(slack->rows[0].kind, "substring");
	cr_expect_eq(slack->wasted_bytes, 800);
	done(&f, slack);
}

Test(slack, capacity_rounding_and_full_views)
{
	const struct edge edges[] = {{0, 1}, {0, 2}, {0, 3}};
	const struct hf_view views[] = {view(0, 0, 1, HF_VIEW_SLICE, 0, 100, 1000),
					view(0, 1, 2, HF_VIEW_SLICE, 0, 950, 950),
					view(0, 2, 3, HF_VIEW_WHOLE, 0, 0, 0)};
	struct hf_graph *g = graph_of(edges, 3);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	add_root(g, 0, 0, addr_of(0));
	slack = ask(&f, g, views, 3);
	cr_assert_eq(slack->n, 1, "rounding is no waste");
	cr_expect_str_eq(slack->rows[0].kind, "capacity");
	cr_expect_eq(slack->rows[0].wasted_bytes, 900);
	cr_expect_eq(slack->rows[0].capacity_bytes, 900);
	done(&f, slack);
}

Test(slack, block_with_an_unknown_pointer_is_left_alone)
{
	const struct edge edges[] = {{0, 1}, {2, 1}};
	const struct hf_view views[] = {view(0, 0, 1, HF_VIEW_SLICE, 0, 100, 1000)};
	struct hf_graph *g = graph_of(edges, 2);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	add_root(g, 0, 0, addr_of(0));
	add_root(g, 2, 1, addr_of(2));
	slack = ask(&f, g, views, 1);
	cr_expect_eq(slack->n, 0, "block 2 leads there, too, and nobody knows how much it sees");
	done(&f, slack);
}

Test(slack, dead_holders_do_not_count)
{
	const struct edge edges[] = {{0, 1}, {2, 1}};
	const struct hf_view views[] = {view(0, 0, 1, HF_VIEW_SLICE, 0, 100, 1000)};
	struct hf_graph *g = graph_of(edges, 2);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	add_root(g, 0, 0, addr_of(0));
	slack = ask(&f, g, views, 1);
	cr_assert_eq(slack->n, 1, "block 2 is garbage");
	cr_expect_eq(slack->rows[0].wasted_bytes, 900);
	done(&f, slack);
}

Test(slack, lone_pointer_is_a_copy_only_where_a_view_begins)
{
	const struct edge edges[] = {{0, 1}};
	const struct hf_view views[] = {view(0, 0, 1, HF_VIEW_SLICE, 40, 100, 100)};

	for (int copy = 0; copy < 2; copy++) {
		struct hf_graph *g = graph_of(edges, 1);
		struct slack_fake f = {.root_kind = HF_VIEW_LONE};
		const struct hf_slack *slack;

		add_root(g, 0, 0, addr_of(0));
		add_root(g, 1, 1, addr_of(1) + (copy ? 40 : 48));
		slack = ask(&f, g, views, 1);
		cr_expect_eq(slack->n, copy ? 1 : 0);
		cr_expect(!copy || slack->rows[0].views == 1);
		done(&f, slack);
	}
}

Test(slack, names_in_a_circle_end)
{
	/* 1 and 2 hold each other, and places have no names: what is asked up goes round. */
	const struct edge edges[] = {{1, 2}, {2, 1}, {1, 3}, {2, 2}};
	const struct hf_view views[] = {
		view(1, 0, 2, HF_VIEW_WHOLE, 0, 0, 0), view(2, 0, 1, HF_VIEW_WHOLE, 0, 0, 0),
		view(1, 1, 3, HF_VIEW_SLICE, 0, 10, 1000), view(2, 1, 2, HF_VIEW_WHOLE, 0, 0, 0)};
	struct hf_graph *g = graph_of(edges, 4);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE, .open = true};
	const struct hf_slack *slack;

	add_root(g, 1, 0, addr_of(1));
	slack = ask(&f, g, views, 4);
	cr_assert_eq(slack->n, 1);
	cr_expect_str_eq(slack->rows[0].holder, "main.r0[*]", "a root comes first: %s",
			 slack->rows[0].holder);
	done(&f, slack);
}

Test(slack, hidden_pointers_and_what_they_alone_keep)
{
	/* Block 1 has four pointers: the first is seen; 2 hangs on the second, 3 on seen and hidden, 4 on a root, too. */
	const struct edge edges[] = {{0, 1}, {1, 3}, {1, 2}, {1, 3}, {1, 4}};
	const struct hf_view views[] = {
		view(0, 0, 1, HF_VIEW_SLICE, 0, 8, 1000), view(1, 0, 3, HF_VIEW_WHOLE, 0, 0, 0),
		view(1, 1, 2, HF_VIEW_WHOLE, 0, 0, 0), view(1, 2, 3, HF_VIEW_WHOLE, 0, 0, 0),
		view(1, 3, 4, HF_VIEW_WHOLE, 0, 0, 0)};
	struct hf_graph *g = graph_of(edges, 5);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	add_root(g, 0, 0, addr_of(0));
	add_root(g, 4, 1, addr_of(4));
	slack = ask(&f, g, views, 5);
	cr_assert_eq(slack->n, 1);
	cr_expect_eq(slack->rows[0].hidden_pointers, 3);
	cr_expect_eq(slack->rows[0].hidden_bytes, SIZE, "block 2 alone: %" PRIu64,
		     slack->rows[0].hidden_bytes);
	done(&f, slack);
}

Test(slack, maps_stand_under_what_leads_to_them)
{
	const struct edge edges[] = {{0, 1}, {0, 1}};
	struct hf_view views[] = {view(0, 3, 1, HF_VIEW_MAP, 0, 0, 0), view(0, 4, 1, HF_VIEW_WHOLE, 0, 0, 0)};
	struct hf_graph *g = graph_of(edges, 2);
	struct slack_fake f = {.root_kind = HF_VIEW_WHOLE};
	const struct hf_slack *slack;

	views[0].spare = 700;
	views[0].of = 800;
	add_root(g, 0, 0, addr_of(0));
	slack = ask(&f, g, views, 2);
	cr_assert_eq(slack->n, 1);
	cr_expect_str_eq(slack->rows[0].holder, "main.T.f24");
	cr_expect_str_eq(slack->rows[0].kind, "map");
	cr_expect(slack->rows[0].wasted_bytes == 700 && slack->rows[0].visible_bytes == 100);
	done(&f, slack);
}

Test(slack, runtime_without_views_is_refused)
{
	struct hf_runtime_ops ops = slack_ops;
	struct hf_runtime rt = {.ops = &ops};
	struct hf_session s = {.rt = &rt, .loaded = true, .typed = true};
	const struct hf_slack *slack;
	struct hf_err *err;

	ops.views = NULL;
	err = hf_slack(&s, 0, &slack);
	cr_expect_eq(hf_err_code(err), HF_UNSUPPORTED);
	hf_err_destroy(err);
}
