/* sync.Pool's tables: read whole where they are sound; where they lie, bounded, told, and never a wrong item. */
#include "../../src/runtime/go/pools.h"
#include "../../src/sym/internal.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

/* Two spans of our own: of tables behind a type header, and of chain elements.
 *
 *	TABLES + 0x0000  the list, + 0x400 locals, + 0x800 ring, + 0xc00 locals of the victim, + 0x1000 another ring
 *	CHAINS + 0x0000  the element, + 0x40 the next one */
enum { TABLES = 0x8000, CHAINS = 0xa000, STATIC = 0x1c000, CODE = 0x1d000 };
enum { LIST = TABLES + 8, LOCALS = TABLES + 0x408, RING = TABLES + 0x808, VICTIM = TABLES + 0xc08 };
enum { RING2 = TABLES + 0x1008, SLOTS = 8 };
enum { ALLPOOLS = STATIC, OLDPOOLS = STATIC + 0x20, POOL = STATIC + 0x100, POOL2 = STATIC + 0x180 };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;
static struct hf_syms syms; /* which know of nothing */

static uint8_t *heap(uint32_t at)
{
	return fake.heap + at;
}

static void put_item(uint32_t at, uint32_t object)
{
	put64(heap(at), type_addr(T_NODE_PTR));
	put64(heap(at) + 8, heap_addr(object));
}

static void put_chain(uint32_t at, uint32_t ring, uint32_t tail, uint32_t head, uint64_t next)
{
	put64(heap(at), (uint64_t)head << 32 | tail);
	put64(heap(at) + 8, heap_addr(ring));
	put64(heap(at) + 16, SLOTS);
	put64(heap(at) + 24, SLOTS);
	put64(heap(at) + 32, next);
}

static void put_pool(uint32_t at, uint64_t local, uint64_t n, uint64_t victim, uint64_t victims)
{
	put64(fake.meta + at, local);
	put64(fake.meta + at + 8, n);
	put64(fake.meta + at + 16, victim);
	put64(fake.meta + at + 24, victims);
}

static void put_list(uint32_t at, uint32_t n, uint64_t array)
{
	put64(fake.meta + at, array);
	put64(fake.meta + at + 8, n);
	put64(fake.meta + at + 16, n);
}

/* One pool: a private item, two in the ring around its end, one in the next ring, one victim. */
static void setup(void)
{
	fake_heap_init(&fake);
	fake_span(&fake, &(struct fake_span){TABLES, 1, 8, 8, 1024, 8, 32 << 1, 0xff, 0});
	fake_span(&fake, &(struct fake_span){CHAINS, 1, 124, 4, 64, 4, 5 << 1, 0xf, 0});
	cr_assert(fake_heap_open(&fake, &go, &target));
	cr_assert_null(hf_vec_push(&syms.modules, (struct hf_module){0}));
	go.syms = &syms;
	put64(fake.meta + MHEAP + go_off(&go, MHEAP_ALLSPANS) + 8, fake.spans);
	put_list(ALLPOOLS, 1, heap_addr(LIST));
	put64(heap(LIST), meta_addr(POOL));
	put_pool(POOL, heap_addr(LOCALS), 2, heap_addr(VICTIM), 1);
	put_item(LOCALS, NOSCAN);
	put64(heap(LOCALS + 128 + 16), heap_addr(CHAINS + 64));
	put64(heap(LOCALS + 128 + 24), heap_addr(CHAINS));
	put_chain(CHAINS, RING, SLOTS - 1, SLOTS + 1, heap_addr(CHAINS + 64));
	put_item(RING + 16 * (SLOTS - 1), NOSCAN + 48);
	put_item(RING, NOSCAN + 96);
	put_chain(CHAINS + 64, RING2, UINT32_MAX, 0, 0);
	put_item(RING2 + 16 * (SLOTS - 1), SMALL);
	put_item(VICTIM, SMALL + 64);
	go.layout.var[GO_VAR_ALLPOOLS] = meta_addr(ALLPOOLS);
	go.layout.var[GO_VAR_OLDPOOLS] = meta_addr(OLDPOOLS);
}

static void teardown(void)
{
	go_pools_destroy(&go);
	hf_vec_deinit(&syms.modules);
	hf_arena_deinit(&syms.arena);
	fake_heap_close(&go, target);
}

TestSuite(go_pools, .init = setup, .fini = teardown);

static const struct go_pools *read_pools(void)
{
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_spans_capture(&go));
	cr_assert_null(go_spans_number(&go));
	cr_assert_null(go_types_create(&go));
	cr_assert_null(go_pools_read(&go));
	return go.pools;
}

static uint64_t damage(void)
{
	return go.damage[GO_DAMAGE_POOLS].n;
}

Test(go_pools, sound_pool_is_read_whole)
{
	static const struct {
		uint32_t at;
		uint8_t place;
	} wanted[] = {{NOSCAN, HF_POOL_PRIVATE},
		      {NOSCAN + 48, HF_POOL_SHARED},
		      {NOSCAN + 96, HF_POOL_SHARED},
		      {SMALL, HF_POOL_SHARED},
		      {SMALL + 64, HF_POOL_VICTIM}};
	const struct go_pools *p = read_pools();

	cr_expect_eq(damage(), 0);
	cr_assert_eq(p->pools.n, 1);
	cr_expect_eq(p->pools.at[0].addr, meta_addr(POOL));
	cr_expect_eq(p->pools.at[0].block, HF_NO_BLOCK);
	cr_expect_eq(p->pools.at[0].n, 5);
	cr_expect_eq(p->pools.at[0].stores, 6);
	cr_assert_eq(p->items.n, HF_LEN(wanted));
	for (size_t i = 0; i < HF_LEN(wanted); i++) {
		cr_expect_eq(p->items.at[i].addr, heap_addr(wanted[i].at), "item %zu", i);
		cr_expect_eq(p->items.at[i].place, wanted[i].place, "item %zu", i);
		cr_expect_eq(p->items.at[i].block, go_find_block(&go, heap_addr(wanted[i].at)));
		cr_expect_eq(p->items.at[i].whole, go_type_of_rtype(&go, type_addr(T_NODE)));
	}
	cr_expect(go_is_pool_list(p, go_find_block(&go, heap_addr(LIST))));
}

/* A word that is changed; damage is told, and some of the items are left out. */
struct lie {
	const char *what;
	bool in_heap;
	uint32_t at;
	uint64_t word;
	size_t items; /* that are still found */
};

static void tell(const struct lie *lie)
{
	put64(lie->in_heap ? heap(lie->at) : fake.meta + lie->at, lie->word);
}

Test(go_pools, tables_that_lie_are_told_and_the_rest_is_read)
{
	static const struct lie lies[] = {
		{"list: not mapped", false, ALLPOOLS, 0x1230, 0},
		{"list: not in the heap", false, ALLPOOLS, META_BASE + STATIC, 0},
		{"list: free memory", false, ALLPOOLS, HEAP_BASE + SMALL + 256, 0},
		{"list: longer than its block", false, ALLPOOLS + 8, 128, 0},
		{"list: of any length", false, ALLPOOLS + 8, UINT64_MAX, 0},
		{"list: a pool that is not mapped", true, LIST, 0x10, 0},
		{"list: a pool off its alignment", true, LIST, META_BASE + POOL + 4, 0},
		{"list: a pool at the end of all", true, LIST, UINT64_MAX - 7, 0},
		{"locals: not mapped", false, POOL, 0x1230, 1},
		{"locals: in free memory", false, POOL, HEAP_BASE + SMALL + 256, 1},
		{"locals: in too small a block", false, POOL, HEAP_BASE + CHAINS + 128, 1},
		{"locals: more than there is room for", false, POOL + 8, 8, 1},
		{"locals: any number", false, POOL + 8, UINT64_MAX, 1},
		{"victims: not mapped", false, POOL + 16, 0x1230, 4},
		{"victims: any number", false, POOL + 24, UINT64_MAX / 128, 4},
		{"chain: not mapped", true, LOCALS + 128 + 24, 0x1230, 2},
		{"chain: in free memory", true, LOCALS + 128 + 24, HEAP_BASE + CHAINS + 256, 2},
		{"chain: at the end of its block", true, LOCALS + 128 + 24, HEAP_BASE + CHAINS + 32, 2},
		{"chain: the second is not mapped", true, CHAINS + 32, 0x1230, 4},
		{"chain: leads to itself", true, CHAINS + 32, HEAP_BASE + CHAINS, 4},
		{"chain: leads back", true, CHAINS + 64 + 32, HEAP_BASE + CHAINS, 5},
		{"ring: not mapped", true, CHAINS + 8, 0x1230, 3},
		{"ring: no slots", true, CHAINS + 16, 0, 3},
		{"ring: no power of two", true, CHAINS + 16, 7, 3},
		{"ring: more than its block", true, CHAINS + 16, 64, 3},
		{"ring: any number", true, CHAINS + 16, 1ull << 63, 3},
		{"ring: more items than slots", true, CHAINS, 100ull << 32, 3},
		{"ring: a head before its tail", true, CHAINS, 4ull << 32 | 5, 3},
		{"ring: of another element", true, CHAINS + 64 + 8, HEAP_BASE + RING, 4},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		const struct go_pools *p;

		teardown();
		setup();
		tell(&lies[i]);
		p = read_pools();
		cr_expect_eq(damage(), 1, "%s: %lu", lies[i].what, damage());
		cr_expect_eq(p->items.n, lies[i].items, "%s: %zu items", lies[i].what, p->items.n);
		for (size_t k = 0; k < p->items.n; k++)
			cr_expect_neq(p->items.at[k].block, HF_NO_BLOCK, "%s", lies[i].what);
	}
}

Test(go_pools, what_is_odd_but_sound_is_no_damage)
{
	static const struct lie rows[] = {
		{"a list that is empty", false, ALLPOOLS + 8, 0, 0},
		{"no list", false, ALLPOOLS, 0, 0},
		{"a pool that was not used", false, POOL, 0, 1},
		{"an array whose number is not there yet", false, POOL + 8, 0, 5},
		{"victims that takers gave up on", false, POOL + 24, 0, 5},
		{"a ring that was emptied", true, CHAINS, 0, 3},
		{"an item that is being taken", true, RING, 0, 4},
		{"an item of no type", true, RING, META_BASE + TYPES + 0x3000, 5},
		{"an item that is no object", true, RING + 8, META_BASE + STATIC, 5},
		{"a constructor that is nowhere", false, POOL + 32, 0x1230, 5},
		{"a constructor that is no code", false, POOL + 32, META_BASE + CODE, 5},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct go_pools *p;

		teardown();
		setup();
		tell(&rows[i]);
		p = read_pools();
		cr_expect_eq(damage(), 0, "%s", rows[i].what);
		cr_expect_eq(p->items.n, rows[i].items, "%s: %zu items", rows[i].what, p->items.n);
		if (p->pools.n)
			cr_expect_str_eq(p->pools.at[0].constructor_name, "");
	}
}

Test(go_pools, layout_that_cannot_be_reads_nothing)
{
	static const struct {
		enum go_field field;
		int32_t off;
	} rows[] = {{GO_POOL_NEW, 40},           {GO_POOL_NEW, INT32_MAX},       {GO_POOL_LOCAL, -1},
		    {GO_POOL_SIZE, 32},          {GO_POOL_SIZE, INT32_MAX},      {GO_POOLLOCAL_SIZE, 0},
		    {GO_POOLLOCAL_PRIVATE, 120}, {GO_POOLLOCAL_TAIL, 128},       {GO_POOLCHAINELT_VALS, 40},
		    {GO_POOLCHAINELT_NEXT, 48},  {GO_POOLCHAINELT_SIZE, 1 << 20}};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		teardown();
		setup();
		go.layout.off[rows[i].field] = rows[i].off;
		cr_expect_eq(read_pools()->pools.n, 0, "row %zu", i);
		cr_expect_eq(damage(), 0);
	}
}

Test(go_pools, pool_in_both_lists_is_one)
{
	put_list(OLDPOOLS, 1, heap_addr(LIST));
	cr_expect_eq(read_pools()->pools.n, 1);
	cr_expect_eq(go.pools->items.n, 5);
}

Test(go_pools, pool_that_was_copied_has_its_items_once)
{
	put_list(ALLPOOLS, 2, heap_addr(LIST));
	put64(heap(LIST + 8), meta_addr(POOL2));
	put_pool(POOL2, heap_addr(LOCALS), 2, heap_addr(VICTIM), 1);
	cr_expect_eq(read_pools()->pools.n, 2);
	cr_expect_eq(go.pools->items.n, 5);
	cr_expect_eq(go.pools->pools.at[1].n, 0);
	cr_expect_eq(damage(), 0);
}

static struct hf_err *count_root(void *arg, const struct hf_found_root *root)
{
	struct hf_found_root *ret = arg;

	*ret = *root;
	return NULL;
}

Test(go_pools, pool_that_nothing_holds_is_a_late_root_once)
{
	uint8_t none[64] = {0}, all[64];
	struct hf_found_root root = {0};
	size_t n;

	memset(all, 0xff, sizeof(all));
	put_list(OLDPOOLS, 2, heap_addr(LIST));
	put64(heap(LIST + 8), heap_addr(LARGE + 64)); /* within an object */
	put64(heap(LARGE + 16), 0);
	cr_assert_eq(read_pools()->pools.n, 2);
	cr_assert_lt(go.blocks, sizeof(all) * 8);
	cr_assert_null(go_pools_late_roots(&go, all, count_root, &root, &n));
	cr_expect_eq(n, 0, "others hold it");
	go.pools->emitted = 0;
	for (size_t i = 0; i < 2; i++) {
		struct hf_err *err = go_pools_late_roots(&go, none, count_root, &root, &n);

		hf_err_destroy(err);
		cr_expect_null(err);
		cr_expect_eq(n, i ? 0 : 1);
	}
	cr_expect_eq(root.block, go_find_block(&go, heap_addr(LARGE)));
	cr_expect_eq(root.slot, meta_addr(OLDPOOLS));
	cr_expect_eq(root.value, heap_addr(LARGE + 64));
}

Test(go_pools, list_does_not_lead_on)
{
	struct hf_graph_chunk chunk;
	uint32_t list, locals;

	put64(heap(LIST - 8), type_addr(T_NODE_PTR));
	put64(heap(LOCALS - 8), type_addr(T_NODE_PTR));
	put64(heap(LIST + 8), heap_addr(SMALL));
	read_pools();
	list = go_find_block(&go, heap_addr(LIST));
	locals = go_find_block(&go, heap_addr(LOCALS));
	cr_assert_null(go_scan_prepare(&go));
	cr_assert_eq(go_scan_chunks(&go.rt), 1);
	cr_assert_null(go_scan(&go.rt, 0, &chunk));
	cr_expect_eq(chunk.at, go.blocks);
	cr_expect_eq(chunk.degrees[list], 0);
	cr_expect_gt(chunk.degrees[locals], 0);
	hf_graph_chunk_deinit(&chunk);
}

/* Without symbols the lists are told by what they hold. */
Test(go_pools, list_without_a_name_is_found)
{
	static const struct lie lies[] = {
		{"as it is", false, STATIC + 0x800, 0, 5},
		{"a size that is too large", false, POOL + 8, 9, 0},
		{"an array of something else", true, LOCALS + 128 + 64, 1, 0},
		{"an interface of no type", true, LOCALS, 0x1230, 0},
		{"half a chain", true, LOCALS + 128 + 16, 0, 0},
		{"a function that is none", false, POOL + 32, META_BASE + STATIC + 0x800, 0},
		{"not in the heap", false, ALLPOOLS, META_BASE + LIST, 0},
	};

	for (size_t i = 0; i < HF_LEN(lies); i++) {
		static uint8_t *mask = fake.meta + STATIC + 0x900;

		teardown();
		setup();
		tell(&lies[i]);
		go.layout.stripped = true;
		go.layout.var[GO_VAR_ALLPOOLS] = go.layout.var[GO_VAR_OLDPOOLS] = 0;
		go.modules.at[0].bss = meta_addr(ALLPOOLS);
		go.modules.at[0].ebss = meta_addr(ALLPOOLS + 24);
		go.modules.at[0].bssmask = meta_addr(STATIC + 0x900);
		go.modules.at[0].bssmask_n = 3;
		mask[0] = 1;
		cr_expect_eq(read_pools()->items.n, lies[i].items, "%s", lies[i].what);
		cr_expect_eq(damage(), 0, "%s", lies[i].what);
	}
}
