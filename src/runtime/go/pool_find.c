/* Pools that were never used are in no list: they are told by their type, where the types of variables and objects are
 * known. */
#include "pools.h"
#include "typing.h"

#include <stdlib.h>

#define OFFSETS_MAX 4096u /* pools in one value */
#define STEPS_MAX   65536u
#define DEPTH_MAX   16u

bool go_type_is_pool(struct go *go, uint32_t type)
{
	return go_type_get(go, type)->kind == GO_KIND_STRUCT && !strcmp(go_type_name(go, type), "sync.Pool");
}

/* ---- where in a value of a type there are pools ----------------------------------------------------------------- */

typedef HF_VEC(uint64_t) offsets_vec;

struct level {
	uint32_t type;
	uint64_t offset, at; /* at: the member or element that is next */
};

/* The next part of a type that may hold a pool; false: there is none left. */
static bool next_part(struct go *go, struct level *l, struct level *ret)
{
	const struct go_type *type = go_type_get(go, l->type);

	if (type->kind == GO_KIND_STRUCT && l->at < type->members_n) {
		const struct go_member *m = &type->members[l->at++];

		*ret = (struct level){.type = m->type, .offset = l->offset + m->offset};
		return true;
	}
	if (type->kind == GO_KIND_ARRAY && l->at < type->count) {
		*ret = (struct level){.type = type->elem,
				      .offset = l->offset + l->at++ * go_type_get(go, type->elem)->size};
		return true;
	}
	return false;
}

static bool may_hold(struct go *go, uint32_t id)
{
	const struct go_type *type = go_type_get(go, id);

	return type->size >= 40 && type->ptr_bytes &&
	       (type->kind == GO_KIND_STRUCT || type->kind == GO_KIND_ARRAY);
}

/* Bounded, without recursion: types may nest and repeat as they like to claim. */
static struct hf_err *list_offsets(struct go *go, uint32_t id, offsets_vec *ret)
{
	struct level stack[DEPTH_MAX] = {{.type = id}}, part;
	unsigned depth = may_hold(go, id);

	ret->n = 0;
	for (unsigned steps = 0; depth && steps < STEPS_MAX && ret->n < OFFSETS_MAX; steps++) {
		struct level *l = &stack[depth - 1];

		if (!l->at && go_type_is_pool(go, l->type)) {
			HF_TRY(hf_vec_push(ret, l->offset));
			depth--;
			continue;
		}
		if (!next_part(go, l, &part)) {
			depth--;
			continue;
		}
		if (depth < DEPTH_MAX && may_hold(go, part.type))
			stack[depth++] = part;
		else if (go_type_get(go, l->type)->kind == GO_KIND_ARRAY)
			depth--;
	}
	return NULL;
}

/* ---- variables and objects --------------------------------------------------------------------------------------- */

/* Offsets of all types that were asked for: most have none. */
struct finder {
	struct go *go;
	HF_VEC(uint32_t)
	first; /* by type: 1 + where in offsets its own begin, after their number; 0: not asked yet */
	offsets_vec offsets, scratch;
};

static struct hf_err *offsets_of(struct finder *f, uint32_t type, const uint64_t **ret, uint64_t *ret_n)
{
	while (f->first.n <= type)
		HF_TRY(hf_vec_push(&f->first, 0));
	if (!f->first.at[type]) {
		HF_TRY(list_offsets(f->go, type, &f->scratch));
		f->first.at[type] = 1 + (uint32_t)f->offsets.n;
		HF_TRY(hf_vec_push(&f->offsets, f->scratch.n));
		hf_vec_each(&f->scratch, offset)
			HF_TRY(hf_vec_push(&f->offsets, *offset));
	}
	*ret = &f->offsets.at[f->first.at[type]];
	*ret_n = (*ret)[-1];
	return NULL;
}

/* The room behind an array's last element is all zeros, and no pool. */
static bool is_zero(struct go *go, uint64_t addr)
{
	uint8_t bytes[40];

	if (hf_err_ignore(hf_target_read(go->t, addr, bytes, sizeof(bytes))))
		return true;
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i])
			return false;
	return true;
}

static struct hf_err *add_all(struct finder *f, uint32_t type, uint64_t addr, uint64_t size, bool is_array)
{
	const uint64_t *offsets;
	uint64_t n;
	uint32_t pool;
	bool is_new;

	HF_TRY(offsets_of(f, type, &offsets, &n));
	for (uint64_t i = 0; i < n && offsets[i] + 40 <= size; i++)
		if (!is_array || !is_zero(f->go, addr + offsets[i]))
			HF_TRY(go_pool_add(f->go, addr + offsets[i], &pool, &is_new));
	return NULL;
}

static struct hf_err *find_in_block(struct finder *f, uint32_t block)
{
	struct go *go = f->go;
	uint64_t offset, elem_size, n;
	uint32_t id = go_block_type(go, block, &offset), elem;
	const struct go_type *type = go_type_get(go, id);
	const struct go_span *span;
	uint64_t addr = go_block_addr(go, block, &span) + offset;
	const uint64_t *offsets;

	if (offset >= span->elemsize || (type->shape != GO_SHAPE_VALUE && type->shape != GO_SHAPE_BACKING &&
					 type->shape != GO_SHAPE_PART))
		return NULL;
	elem = type->shape == GO_SHAPE_VALUE ? id : type->elem;
	HF_TRY(offsets_of(f, elem, &offsets, &n));
	if (!n)
		return NULL;
	if (type->shape != GO_SHAPE_BACKING)
		return add_all(f, elem, addr, span->elemsize - offset, false);
	elem_size = go_type_get(go, elem)->size;
	for (uint64_t at = 0; elem_size && at + elem_size <= span->elemsize - offset; at += elem_size)
		HF_TRY(add_all(f, elem, addr + at, elem_size, true));
	return NULL;
}

static struct hf_err *find_all(struct finder *f, const uint8_t *live)
{
	struct go *go = f->go;
	const struct hf_variable *variables;
	size_t n;

	HF_TRY(hf_syms_variables(go->syms, &variables, &n));
	for (size_t i = 0; i < n; i++) {
		uint32_t type = go_type_of_dwarf(go, variables[i].type);

		HF_TRY(add_all(f, type, variables[i].addr, go_type_get(go, type)->size, false));
	}
	for (uint32_t block = 0; block < go->blocks; block++) {
		if (block % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		if (live[block / 8] >> (block % 8) & 1 && go->block_type[block])
			HF_TRY(find_in_block(f, block));
	}
	return NULL;
}

static int compare_pools(const void *a, const void *b)
{
	const struct hf_pool *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

struct hf_err *go_pools(struct hf_runtime *rt, const uint8_t *live, struct hf_pools *ret)
{
	struct go *go = (struct go *)rt;
	struct go_pools *p = go->pools;
	struct finder f = {.go = go};
	struct hf_err *err;

	*ret = (struct hf_pools){0};
	if (!p || !p->is_known)
		return NULL;
	err = p->complete ? NULL : find_all(&f, live);
	hf_vec_deinit(&f.first);
	hf_vec_deinit(&f.offsets);
	hf_vec_deinit(&f.scratch);
	HF_TRY(err);
	if (!p->complete && p->pools.n)
		qsort(p->pools.at, p->pools.n, sizeof(*p->pools.at), compare_pools);
	p->complete = true;
	*ret = (struct hf_pools){.pools = p->pools.at,
				 .items = p->items.at,
				 .stores = p->stores.at,
				 .pools_n = (uint32_t)p->pools.n,
				 .items_n = (uint32_t)p->items.n,
				 .stores_n = (uint32_t)p->stores.n};
	go_tell_damage(go);
	return NULL;
}
