/* The pools that may have items, and these. */
#include "pools.h"

#define CHAIN_MAX     (1u << 20)
#define VALS_MAX      (1ull << 30) /* sync/poolqueue.go, dequeueLimit */
#define EFACE         16u
#define STRUCTURE_MAX 256u /* bytes of a pool, or of a part of one */

static const enum go_variable list_variables[GO_POOLS_LISTS] = {
	[GO_POOLS_ALL] = GO_VAR_ALLPOOLS,
	[GO_POOLS_OLD] = GO_VAR_OLDPOOLS,
};

static uint64_t off(const struct go *go, enum go_field field)
{
	return (uint64_t)hf_max(go->layout.off[field], 0);
}

static void damaged(struct go *go, uint64_t addr)
{
	go_damage_add(&go->damage[GO_DAMAGE_POOLS], addr);
}

uint64_t go_room_at(const struct go *go, uint64_t addr, uint32_t *ret_block)
{
	const struct go_span *span;
	uint64_t start;

	*ret_block = go_find_block(go, addr);
	if (*ret_block == HF_NO_BLOCK)
		return 0;
	start = go_block_addr(go, *ret_block, &span);
	return start + span->elemsize - addr;
}

/* *ret_new false: it was one before, so that its items are known. */
static struct hf_err *add_store(struct go_pools *p, uint32_t block, bool *ret_new)
{
	uint64_t before;

	*ret_new = !hf_map64_find(&p->seen, block, &before);
	if (!*ret_new)
		return NULL;
	HF_TRY(hf_map64_put(&p->seen, block, 1));
	return hf_vec_push(&p->stores, block);
}

/* What an interface of this type leads to. A value that is no pointer is copied when it is put in, and again when it is
 * taken out. */
static uint32_t whole_of(struct go *go, uint32_t type)
{
	const struct go_type *row = go_type_get(go, type);

	return row->kind == GO_KIND_POINTER ? row->elem : GO_NO_TYPE;
}

static struct hf_err *add_item(struct go *go, const uint8_t *eface, enum hf_pool_place place)
{
	uint64_t word = hf_load_u64(eface);
	struct hf_pool_item item = {.place = (uint8_t)place};

	if (!word)
		return NULL;
	item.addr = hf_load_u64(eface + 8);
	item.type = go_eface_type(go, word);
	item.block = go_find_block(go, item.addr);
	item.whole = whole_of(go, item.type);
	if (go->pools->items.n >= UINT32_MAX)
		return hf_err(HF_UNSUPPORTED, "more than 2^32-2 items wait in pools");
	return hf_vec_push(&go->pools->items, item);
}

/* The ring of an element of the chain. */
static struct hf_err *read_ring(struct go *go, const uint8_t *elt, uint64_t addr, enum hf_pool_place place)
{
	struct go_pools *p = go->pools;
	uint64_t head_tail = hf_load_u64(elt + off(go, GO_POOLCHAINELT_HEAD_TAIL)),
		 vals = hf_load_u64(elt + off(go, GO_POOLCHAINELT_VALS)),
		 n = hf_load_u64(elt + off(go, GO_POOLCHAINELT_VALS) + 8);
	uint32_t tail = (uint32_t)head_tail, count = (uint32_t)(head_tail >> 32) - tail, block;
	uint64_t room = go_room_at(go, vals, &block);
	bool is_new = false;
	const void *bytes;

	if (!n || n > VALS_MAX || n & (n - 1) || count > n || n * EFACE > room) {
		damaged(go, addr);
		return NULL;
	}
	HF_TRY(add_store(p, block, &is_new));
	if (!is_new || hf_err_ignore(hf_target_get(go->t, vals, n * EFACE, &p->scratch[1], &bytes))) {
		damaged(go, addr);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		HF_TRY(add_item(go, (const uint8_t *)bytes + ((tail + i) & (n - 1)) * EFACE, place));
	return NULL;
}

/* From the tail, as takers from other processors do: an element that was emptied is cut off there. */
static struct hf_err *read_chain(struct go *go, uint64_t addr, enum hf_pool_place place)
{
	uint64_t size = off(go, GO_POOLCHAINELT_SIZE);
	uint8_t elt[STRUCTURE_MAX];
	uint32_t block;
	bool is_new;

	for (uint32_t steps = 0; addr; steps++) {
		if (steps == CHAIN_MAX || go_room_at(go, addr, &block) < size ||
		    hf_err_ignore(hf_target_read(go->t, addr, elt, size))) {
			damaged(go, addr);
			return NULL;
		}
		HF_TRY(add_store(go->pools, block, &is_new));
		if (!is_new) {
			damaged(go, addr);
			return NULL;
		}
		HF_TRY(read_ring(go, elt, addr, place));
		addr = hf_load_u64(elt + off(go, GO_POOLCHAINELT_NEXT));
	}
	return NULL;
}

/* One array of poolLocal. A size of 0 says that takers found no shared items; what other processors have put aside is
 * there until the next collection (sync/pool.go, getSlow). */
static struct hf_err *read_locals(struct go *go, uint64_t array, uint64_t n, bool is_victim)
{
	struct go_pools *p = go->pools;
	uint64_t size = off(go, GO_POOLLOCAL_SIZE), room;
	uint32_t block;
	bool is_new;
	const void *bytes;

	if (!array)
		return NULL;
	room = go_room_at(go, array, &block) / size;
	if (!room || n > room) {
		damaged(go, array);
		return NULL;
	}
	HF_TRY(add_store(p, block, &is_new));
	/* A pool that was copied, which its users must not do, leads to the same as the first. */
	if (!is_new)
		return NULL;
	n = n ? n : room;
	if (hf_err_ignore(hf_target_get(go->t, array, n * size, &p->scratch[0], &bytes))) {
		damaged(go, array);
		return NULL;
	}
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *local = (const uint8_t *)bytes + i * size;

		HF_TRY(add_item(go, local + off(go, GO_POOLLOCAL_PRIVATE),
				is_victim ? HF_POOL_VICTIM : HF_POOL_PRIVATE));
		HF_TRY(read_chain(go, hf_load_u64(local + off(go, GO_POOLLOCAL_TAIL)),
				  is_victim ? HF_POOL_VICTIM : HF_POOL_SHARED));
	}
	return NULL;
}

/* The code behind New, a function value. */
static void read_constructor(struct go *go, uint64_t closure, struct hf_pool *pool)
{
	struct go_func f;
	size_t n;

	pool->constructor_name = "";
	if (!closure || hf_err_ignore(hf_target_read_u64(go->t, closure, &pool->constructor)) ||
	    !go_find_func(go, pool->constructor, &f))
		return;
	/* A method that is bound to its receiver has a wrapper. */
	n = strlen(f.name);
	if (n > 3 && !strcmp(f.name + n - 3, "-fm"))
		pool->constructor_name = hf_arena_strndup(&go->names, f.name, n - 3);
	else
		pool->constructor_name = f.name;
	pool->constructor_name = pool->constructor_name ? pool->constructor_name : "";
	pool->makes = go_pool_made(go, f.entry);
	pool->makes_whole = whole_of(go, pool->makes);
}

static bool read_pool(struct go *go, uint64_t addr, uint8_t *ret, size_t len)
{
	uint64_t size = off(go, GO_POOL_SIZE);

	return addr % 8 == 0 && size >= 40 && size <= len &&
	       !hf_err_ignore(hf_target_read(go->t, addr, ret, size));
}

struct hf_err *go_pool_add(struct go *go, uint64_t addr, uint32_t *ret, bool *ret_new)
{
	struct go_pools *p = go->pools;
	struct hf_pool pool = {.kind = "sync.Pool", .addr = addr};
	uint8_t bytes[STRUCTURE_MAX];
	uint64_t index;

	*ret_new = false;
	if (hf_map64_find(&p->by_addr, addr, &index)) {
		*ret = (uint32_t)index;
		return NULL;
	}
	if (!read_pool(go, addr, bytes, sizeof(bytes))) {
		damaged(go, addr);
		return NULL;
	}
	pool.block = go_find_block(go, addr);
	read_constructor(go, hf_load_u64(bytes + off(go, GO_POOL_NEW)), &pool);
	*ret = (uint32_t)p->pools.n;
	*ret_new = true;
	HF_TRY(hf_map64_put(&p->by_addr, addr, *ret));
	return hf_vec_push(&p->pools, pool);
}

static struct hf_err *add_listed(struct go *go, uint64_t addr)
{
	struct go_pools *p = go->pools;
	uint8_t bytes[STRUCTURE_MAX];
	uint32_t i;
	bool is_new;

	HF_TRY(go_pool_add(go, addr, &i, &is_new));
	if (!is_new || !read_pool(go, addr, bytes, sizeof(bytes)))
		return NULL;
	p->pools.at[i].first = (uint32_t)p->items.n;
	p->pools.at[i].store = (uint32_t)p->stores.n;
	HF_TRY(read_locals(go, hf_load_u64(bytes + off(go, GO_POOL_LOCAL)),
			   hf_load_u64(bytes + off(go, GO_POOL_LOCAL_SIZE)), false));
	HF_TRY(read_locals(go, hf_load_u64(bytes + off(go, GO_POOL_VICTIM)),
			   hf_load_u64(bytes + off(go, GO_POOL_VICTIM_SIZE)), true));
	p->pools.at[i].n = (uint32_t)p->items.n - p->pools.at[i].first;
	p->pools.at[i].stores = (uint32_t)p->stores.n - p->pools.at[i].store;
	return NULL;
}

struct hf_err *go_pools_read_list(struct go *go, uint64_t variable, uint32_t *ret_block)
{
	struct hf_scratch scratch = {0};
	struct hf_err *err = NULL;
	uint64_t array, n;
	const void *bytes;

	if (!variable || hf_err_ignore(go_read_slice(go, variable, &array, &n)) || !array || !n)
		return NULL;
	if (n > go_room_at(go, array, ret_block) / 8 ||
	    hf_err_ignore(hf_target_get(go->t, array, n * 8, &scratch, &bytes))) {
		damaged(go, array);
		*ret_block = HF_NO_BLOCK;
		n = 0;
	}
	for (uint64_t i = 0; i < n && !err; i++)
		err = add_listed(go, hf_load_u64((const uint8_t *)bytes + i * 8));
	hf_free(scratch.at);
	return err;
}

/* DWARF may say what it likes: members lie within what is read of each structure. */
static bool is_layout_sound(const struct go *go)
{
	static const struct {
		enum go_field member, size;
		uint64_t len;
	} members[] = {
		{GO_POOL_LOCAL, GO_POOL_SIZE, 8},
		{GO_POOL_LOCAL_SIZE, GO_POOL_SIZE, 8},
		{GO_POOL_VICTIM, GO_POOL_SIZE, 8},
		{GO_POOL_VICTIM_SIZE, GO_POOL_SIZE, 8},
		{GO_POOL_NEW, GO_POOL_SIZE, 8},
		{GO_POOLLOCAL_PRIVATE, GO_POOLLOCAL_SIZE, EFACE},
		{GO_POOLLOCAL_TAIL, GO_POOLLOCAL_SIZE, 8},
		{GO_POOLCHAINELT_HEAD_TAIL, GO_POOLCHAINELT_SIZE, 8},
		{GO_POOLCHAINELT_VALS, GO_POOLCHAINELT_SIZE, 24},
		{GO_POOLCHAINELT_NEXT, GO_POOLCHAINELT_SIZE, 8},
	};

	for (size_t i = 0; i < HF_LEN(members); i++)
		if (!go->layout.off[members[i].size] || go->layout.off[members[i].member] < 0 ||
		    off(go, members[i].member) + members[i].len > off(go, members[i].size) ||
		    off(go, members[i].size) > STRUCTURE_MAX)
			return false;
	return true;
}

struct hf_err *go_pools_read(struct go *go)
{
	struct go_pools *p = go->pools = hf_calloc(1, sizeof(*p));

	if (!p)
		return hf_err_nomem();
	p->list[GO_POOLS_ALL] = p->list[GO_POOLS_OLD] = HF_NO_BLOCK;
	p->is_known = is_layout_sound(go);
	if (!p->is_known)
		return NULL;
	for (int i = 0; i < GO_POOLS_LISTS; i++) {
		HF_TRY(go_pools_read_list(go, go->layout.var[list_variables[i]], &p->list[i]));
		p->listed[i] = p->pools.n;
	}
	/* Which list is which is not known then: they lead on, like any other. */
	if (!go->layout.var[GO_VAR_ALLPOOLS] && go->layout.stripped)
		return go_pools_search(go);
	return NULL;
}

void go_pools_destroy(struct go *go)
{
	struct go_pools *p = go->pools;

	if (!p)
		return;
	hf_vec_deinit(&p->pools);
	hf_vec_deinit(&p->items);
	hf_vec_deinit(&p->stores);
	hf_map64_deinit(&p->by_addr);
	hf_map64_deinit(&p->seen);
	hf_vec_deinit(&p->scratch[0]);
	hf_vec_deinit(&p->scratch[1]);
	hf_free(p);
	go->pools = NULL;
}

/* The program has dropped the pool, its items wait for the collections that will empty it. */
struct hf_err *go_pools_late_roots(struct go *go, const uint8_t *live, hf_root_fn *fn, void *arg,
				   size_t *ret_n)
{
	struct go_pools *p = go->pools;

	*ret_n = 0;
	for (; p && p->emitted < p->listed[GO_POOLS_OLD]; p->emitted++) {
		const struct hf_pool *pool = &p->pools.at[p->emitted];
		int list = p->emitted < p->listed[GO_POOLS_ALL] ? GO_POOLS_ALL : GO_POOLS_OLD;
		struct hf_found_root root = {.kind = HF_ROOT_GLOBAL,
					     .block = pool->block,
					     .slot = go->layout.var[list_variables[list]],
					     .value = pool->addr};

		if (pool->block == HF_NO_BLOCK || live[pool->block / 8] >> (pool->block % 8) & 1)
			continue;
		HF_TRY(go_global_owner(go, root.slot, &root.owner));
		++*ret_n;
		HF_TRY(fn(arg, &root));
	}
	return NULL;
}
