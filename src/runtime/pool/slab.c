/* Slabs in a list, each with a header and slots; free slots linked by a word in them.
 *
 *	pool: | head | free | ... |          free -> slot -> slot -> ... -> NULL
 *	         |
 *	         v
 *	slab: | next | used | capacity | slots...            |      the first `used` slots were given out at some time
 *	         |                     ^ or a pointer to them
 *	         v
 */
#include "pool.h"

#include "../../base/workers.h"

#include <stdlib.h>

#define SLABS_MAX  65536u /* that are followed while the target stands still */
#define SLOTS_MAX  (UINT64_C(1) << 30)
#define SLOT_LARGE 65536u     /* of slots this large the links alone are taken, */
#define LINKS_MAX  (1u << 20) /* up to so many */

#define HEADER_MAX 4096u

enum {
	HEAD = HF_POOL_KEYS,
	NEXT,
	SLOTS,
	USED,
	CAPACITY,
	FREE_HEAD,
	FREE_IN_SLAB,
	FREE_NEXT,
	SLOT_SIZE,
};
static const struct hf_pool_key keys[] = {
	{"slabs.head", HF_POOL_HOLDS_POINTER, true, false},
	{"slabs.next", HF_POOL_HOLDS_POINTER, false, true},
	{"slabs.items", HF_POOL_HOLDS_SLOTS, true, true},
	{"slabs.used", HF_POOL_HOLDS_MARK, false, true},
	{"slabs.capacity", HF_POOL_HOLDS_MARK, false, true},
	{"free.head", HF_POOL_HOLDS_POINTER, false, false},
	{"free.slab_head", HF_POOL_HOLDS_POINTER, false, true},
	{"free.next_offset", HF_POOL_CONSTANT, false, false},
	{"slot_size", HF_POOL_HOLDS_NUMBER, false, false},
};

struct slab {
	uint64_t addr, slots; /* slots: where the first stands */
	uint64_t used, capacity;
	uint64_t free;  /* its own free list; 0 */
	uint64_t first; /* the number of its first slot */
};
struct slabs {
	HF_VEC(struct slab) list; /* after the walk ascending by slots */
	uint64_t free;            /* the pool's free list; 0 */
	uint64_t slots;           /* used ones, of all */
	uint8_t *is_free;         /* a bit for each of these */
	size_t last;              /* the slab that the last link led to */
};

static uint32_t slab_type(struct hf_syms *s, const struct hf_pool_desc *pool)
{
	return hf_type_strip(s, pool->at[HEAD].type)->elem;
}

static struct hf_err *check(const struct hf_pool_desc *pool)
{
	const struct hf_pool_place *at = pool->at;

	if (!at[USED].given && !at[CAPACITY].given)
		return hf_err(HF_USAGE, "slabs.used and slabs.capacity are missing: at least one is needed");
	if ((at[FREE_HEAD].given || at[FREE_IN_SLAB].given) && !at[FREE_NEXT].given)
		return hf_err(HF_USAGE, "free.next_offset is missing: where in a free slot the link stands");
	if (at[FREE_HEAD].given && at[FREE_IN_SLAB].given)
		return hf_err(HF_USAGE,
			      "both free.head and free.slab_head are given: there is one free list, or "
			      "one in each slab");
	return NULL;
}

static struct slabs *slabs_of(const struct hf_pool_desc *pool)
{
	return pool->own;
}

static void deinit(struct hf_pool_desc *pool)
{
	struct slabs *s = slabs_of(pool);

	if (!s)
		return;
	hf_vec_deinit(&s->list);
	hf_free(s->is_free);
	hf_free(s);
	pool->own = NULL;
}

/* ---- while the target is stopped ------------------------------------------------------------------------- */

/* A number of slots, or where the last of them ends. */
static struct hf_err *read_mark(const struct hf_pool_reader *r, const struct hf_pool_desc *pool, int key,
				const struct slab *slab, uint64_t *ret)
{
	const struct hf_pool_place *p = &pool->at[key];
	uint64_t value;

	HF_TRY(hf_pool_place_read(r, p, slab->addr, &value));
	if (p->pointer && value < slab->slots)
		return hf_err_at(HF_BADDATA, value,
				 "in slab 0x%" PRIx64 ", 0x%" PRIx64
				 " should point behind slots, but lies before them",
				 slab->addr, value);
	*ret = p->pointer ? (value - slab->slots) / pool->found.slot_size : value;
	return NULL;
}

/* All of [start, start + len) is mapped, so that its size is no made-up number. */
static bool is_mapped(const struct hf_target *t, uint64_t start, uint64_t len)
{
	const struct hf_map *m = hf_target_find_map(t, start), *end = t->maps.at + t->maps.n;
	uint64_t stop;

	if (hf_add_overflows(start, len, &stop))
		return false;
	for (; m && m < end && m->start <= start && m->readable; m++) {
		if (m->end >= stop)
			return true;
		start = m->end;
	}
	return false;
}

static struct hf_err *read_slab(const struct hf_pool_reader *r, const struct hf_pool_desc *pool,
				struct slab *ret)
{
	const struct hf_pool_place *at = pool->at;
	struct slab s = {.addr = ret->addr};
	uint64_t bytes;

	if (at[SLOTS].pointer)
		HF_TRY(hf_pool_place_read(r, &at[SLOTS], s.addr, &s.slots));
	else
		HF_TRY(hf_pool_place_find(r, &at[SLOTS], s.addr, &s.slots));
	if (at[FREE_IN_SLAB].given)
		HF_TRY(hf_pool_place_read(r, &at[FREE_IN_SLAB], s.addr, &s.free));
	if (at[CAPACITY].given)
		HF_TRY(read_mark(r, pool, CAPACITY, &s, &s.capacity));
	if (at[USED].given)
		HF_TRY(read_mark(r, pool, USED, &s, &s.used));
	else
		s.used = s.capacity;
	if (!at[CAPACITY].given)
		s.capacity = s.used;
	if (s.used > s.capacity)
		return hf_err_at(HF_BADDATA, s.addr,
				 "slab 0x%" PRIx64 " says that %" PRIu64 " of its %" PRIu64 " slots are used",
				 s.addr, s.used, s.capacity);
	if (hf_mul_overflows(s.capacity, pool->found.slot_size, &bytes) || !is_mapped(r->t, s.slots, bytes))
		return hf_err_at(HF_BADDATA, s.addr,
				 "slab 0x%" PRIx64 " says that it has %" PRIu64 " slots of %" PRIu64
				 " bytes, which are not mapped",
				 s.addr, s.capacity, pool->found.slot_size);
	*ret = s;
	return NULL;
}

/* The header, and what the free list may lead to: all used slots, or, where they are large, their links. */
static struct hf_err *add_ranges(const struct hf_pool_desc *pool, const struct slab *s,
				 struct hf_ranges_vec *ret)
{
	uint64_t size = pool->found.slot_size, link = pool->at[FREE_NEXT].value, header = 8;

	for (int key = NEXT; key <= FREE_IN_SLAB; key++)
		if (keys[key - HF_POOL_KEYS].of_slab)
			header = hf_max(header, pool->at[key].offset[0] + 8);
	if (header <= HEADER_MAX)
		HF_TRY(hf_vec_push(&ret->list, ((struct hf_range){s->addr, s->addr + header})));
	if (!pool->at[FREE_NEXT].given || !s->used)
		return NULL;
	if (size < SLOT_LARGE)
		return hf_vec_push(&ret->list, ((struct hf_range){s->slots, s->slots + s->used * size}));
	if (s->used > LINKS_MAX - hf_min(ret->list.n, (size_t)LINKS_MAX))
		return hf_err_at(HF_UNSUPPORTED, s->addr,
				 "slab 0x%" PRIx64 " and those before it have more than %u large slots",
				 s->addr, LINKS_MAX);
	for (uint64_t i = 0; i < s->used; i++) {
		uint64_t at = s->slots + i * size + link;

		HF_TRY(hf_vec_push(&ret->list, ((struct hf_range){at, at + 8})));
	}
	return NULL;
}

static struct hf_err *follow(const struct hf_pool_reader *r, struct hf_pool_desc *pool, struct hf_map64 *seen,
			     struct hf_ranges_vec *ret)
{
	struct slabs *slabs = slabs_of(pool);
	uint64_t at, before;

	HF_TRY(hf_pool_place_read(r, &pool->at[HEAD], pool->found.addr, &at));
	while (at) {
		struct slab s = {.addr = at};
		struct hf_err *err;

		if (hf_map64_find(seen, at, &before))
			return hf_err_at(HF_BADDATA, at,
					 "the list of slabs comes back to 0x%" PRIx64 " after %zu of them",
					 at, seen->n);
		if (seen->n == SLABS_MAX)
			return hf_err_at(HF_UNSUPPORTED, at,
					 "the pool has more than %u slabs: they end for us at 0x%" PRIx64,
					 SLABS_MAX, at);
		HF_TRY(hf_map64_put(seen, at, 1));
		HF_TRY(hf_interrupt_check());
		err = read_slab(r, pool, &s);
		if (hf_err_code(err) == HF_FAULT || hf_err_code(err) == HF_STALE)
			err = hf_err_prefix(err, "slab 0x%" PRIx64, at);
		if (!err) {
			HF_TRY(hf_vec_push(&slabs->list, s));
			err = add_ranges(pool, &s, ret);
		}
		HF_TRY(hf_pool_note(pool, err)); /* the next one is known whatever this one says of itself */
		if (!pool->at[NEXT].given)
			break;
		HF_TRY(hf_pool_place_read(r, &pool->at[NEXT], at, &at));
	}
	return NULL;
}

static struct hf_err *take(const struct hf_pool_reader *r, struct hf_pool_desc *pool,
			   struct hf_ranges_vec *ret)
{
	struct hf_described_pool *f = &pool->found;
	uint64_t link = pool->at[FREE_NEXT].value, end;
	struct hf_map64 seen = {0};
	struct hf_err *err;

	deinit(pool);
	pool->own = hf_calloc(1, sizeof(struct slabs));
	if (!pool->own)
		return hf_err_nomem();
	f->slot_size = f->object_size;
	if (pool->at[SLOT_SIZE].given)
		HF_TRY(hf_pool_place_read(r, &pool->at[SLOT_SIZE], f->addr, &f->slot_size));
	if (f->slot_size < f->object_size || hf_add_overflows(link, (uint64_t)8, &end) ||
	    (pool->at[FREE_NEXT].given && end > f->slot_size))
		return hf_err_at(HF_BADDATA, f->addr,
				 "slots of %" PRIu64 " bytes have no room for %s of the pool at 0x%" PRIx64,
				 f->slot_size, f->slot_size < f->object_size ? "the objects" : "the links",
				 f->addr);
	if (pool->at[FREE_HEAD].given)
		HF_TRY(hf_pool_place_read(r, &pool->at[FREE_HEAD], f->addr, &slabs_of(pool)->free));
	err = follow(r, pool, &seen, ret);
	hf_map64_deinit(&seen);
	return err;
}

/* ---- after ------------------------------------------------------------------------------------------------- */

static int by_slots(const void *a, const void *b)
{
	const struct slab *x = a, *y = b;

	return x->slots < y->slots ? -1 : x->slots > y->slots;
}

/* Sorts and numbers the slots; a slab within another one is left out. */
static struct hf_err *number_slots(struct hf_pool_desc *pool)
{
	struct slabs *s = slabs_of(pool);
	struct hf_described_pool *f = &pool->found;
	uint64_t end = 0;
	size_t kept = 0;

	if (s->list.n)
		qsort(s->list.at, s->list.n, sizeof(*s->list.at), by_slots);
	hf_vec_each(&s->list, slab) {
		uint64_t bytes = slab->capacity * f->slot_size; /* checked by read_slab */

		if (slab->slots < end || s->slots + slab->used > SLOTS_MAX) {
			HF_TRY(hf_pool_note(pool, hf_err_at(HF_BADDATA, slab->addr,
							    slab->slots < end
								    ? "slab 0x%" PRIx64 " lies in another one"
								    : "slab 0x%" PRIx64
								      " has more slots than we can count",
							    slab->addr)));
			continue;
		}
		end = slab->slots + bytes;
		slab->first = s->slots;
		s->slots += slab->used;
		f->used += slab->used;
		f->slots += slab->capacity;
		f->slab_bytes += bytes;
		s->list.at[kept++] = *slab;
	}
	s->list.n = kept;
	f->slabs = kept;
	return NULL;
}

static const struct slab *find_slab(struct slabs *s, const struct hf_pool_desc *pool, uint64_t addr)
{
	size_t lo = 0, hi = s->list.n;
	const struct slab *at = hi ? &s->list.at[s->last] : NULL;

	if (at && addr - at->slots < at->capacity * pool->found.slot_size)
		return at;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->list.at[mid].slots <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	s->last = lo - 1;
	at = &s->list.at[s->last];
	return addr - at->slots < at->capacity * pool->found.slot_size ? at : NULL;
}

/* own: the slab whose own list it is; NULL: the list is the pool's. *ret: the slot's number. */
static struct hf_err *check_link(struct hf_pool_desc *pool, const struct slab *own, uint64_t link,
				 uint64_t *ret)
{
	struct slabs *s = slabs_of(pool);
	const struct slab *slab = find_slab(s, pool, link);
	uint64_t off, slot;

	if (!slab || (own && slab != own))
		return hf_err_at(HF_BADDATA, link,
				 "the free list leads to 0x%" PRIx64 ", which is in no slab of %s", link,
				 own ? "its own" : "the pool");
	off = link - slab->slots;
	slot = off / pool->found.slot_size;
	if (off % pool->found.slot_size)
		return hf_err_at(HF_BADDATA, link,
				 "the free list leads to 0x%" PRIx64 ", %" PRIu64
				 " bytes into a slot of slab 0x%" PRIx64,
				 link, off % pool->found.slot_size, slab->addr);
	if (slot >= slab->used)
		return hf_err_at(HF_BADDATA, link,
				 "the free list leads to 0x%" PRIx64 ", a slot of slab 0x%" PRIx64
				 " that was never given out",
				 link, slab->addr);
	*ret = slab->first + slot;
	return NULL;
}

/* A bit a slot tells a cycle when it closes, so the list is no longer than the pool. */
static struct hf_err *walk_list(struct hf_target *t, struct hf_pool_desc *pool, const struct slab *own,
				uint64_t link)
{
	struct slabs *s = slabs_of(pool);
	uint64_t slot = 0, seen = 0;

	for (; link; seen++) {
		if (seen % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(check_link(pool, own, link, &slot));
		if (s->is_free[slot / 8] >> (slot % 8) & 1)
			return hf_err_at(HF_BADDATA, link,
					 "the free list comes back to 0x%" PRIx64 " after %" PRIu64 " slots",
					 link, seen);
		s->is_free[slot / 8] |= (uint8_t)(1u << (slot % 8));
		pool->found.idle++;
		HF_TRY(hf_target_read_u64(t, link + pool->at[FREE_NEXT].value, &link));
	}
	return NULL;
}

static struct hf_err *walk(struct hf_target *t, struct hf_pool_desc *pool)
{
	struct slabs *s = slabs_of(pool);

	if (!s)
		return NULL;
	HF_TRY(number_slots(pool));
	s->is_free = hf_calloc(s->slots / 8 + 1, 1);
	if (!s->is_free)
		return hf_err_nomem();
	HF_TRY(hf_pool_note(pool, walk_list(t, pool, NULL, s->free)));
	hf_vec_each(&s->list, slab)
		HF_TRY(hf_pool_note(pool, walk_list(t, pool, slab, slab->free)));
	return NULL;
}

const struct hf_pool_kind hf_pool_kind_slab = {
	.name = "slab",
	.keys = keys,
	.keys_n = HF_LEN(keys),
	.slab_type = slab_type,
	.check = check,
	.take = take,
	.walk = walk,
	.deinit = deinit,
};
