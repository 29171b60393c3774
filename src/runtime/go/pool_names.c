/* The names of pools: by the variable, or the object, that they stand in. */
#include "names.h"
#include "pools.h"

void go_pool_path(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret)
{
	const struct go_member *m;

	for (int depth = 0; depth < GO_PATH_DEPTH && !go_type_is_pool(go, type); depth++) {
		uint64_t before = offset;

		if (!go_type_enter(go, &type, &offset, &m))
			return;
		if (m)
			hf_str_addf(ret, ".%s", m->name);
		else
			hf_str_addf(ret, "[%" PRIu64 "]", before / go_type_get(go, type)->size);
	}
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */

static struct hf_err *name_static(struct go *go, uint64_t addr, struct hf_str *owner, struct hf_str *path)
{
	struct go_static at;

	HF_TRY(go_static_find(go, addr, owner, path, &at));
	if (owner->n)
		go_pool_path(go, at.type, at.offset, path);
	else
		go_place_name(go, addr, owner);
	return NULL;
}

static void name_in_block(struct go *go, const struct hf_pool *pool, struct hf_str *owner,
			  struct hf_str *path)
{
	uint64_t offset, in, size;
	uint32_t type = go_block_type(go, pool->block, &offset), elem;
	const struct go_type *row = go_type_get(go, type);
	const struct go_span *span;

	in = pool->addr - go_block_addr(go, pool->block, &span);
	in -= hf_min(in, offset);
	elem = row->shape == GO_SHAPE_BACKING || row->shape == GO_SHAPE_PART ? row->elem : type;
	size = go_type_get(go, elem)->size;
	if (!type || !size) {
		if (in)
			hf_str_addf(path, "+%" PRIu64, in);
		return;
	}
	if (go_type_is_pool(go, elem)) {
		if (row->shape == GO_SHAPE_BACKING)
			hf_str_addf(path, "[%" PRIu64 "]", in / size);
		return;
	}
	hf_str_add(owner, go_type_name(go, elem));
	go_pool_path(go, elem, in % size, path);
}

struct hf_err *go_pool_name(struct hf_runtime *rt, uint32_t index, struct hf_str *owner, struct hf_str *path)
{
	struct go *go = (struct go *)rt;
	const struct hf_pool *pool = &go->pools->pools.at[index];

	if (pool->block == HF_NO_BLOCK)
		return name_static(go, pool->addr, owner, path);
	name_in_block(go, pool, owner, path);
	return NULL;
}
