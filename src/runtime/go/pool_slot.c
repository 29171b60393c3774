/* Where a sync.Pool keeps its constructor, and what its items are. */
#include "../callee.h"
#include "pools.h"

/* What waits in it says it; else what its constructor's code makes. */
static uint32_t item_type(const struct go *go, const struct hf_pool *pool)
{
	for (uint32_t i = 0; i < pool->n; i++)
		if (go->pools->items.at[pool->first + i].type)
			return go->pools->items.at[pool->first + i].type;
	return pool->makes;
}

struct hf_err *go_ctor_slot(struct hf_runtime *rt, uint32_t index, struct hf_ctor_slot *ret)
{
	struct go *go = (struct go *)rt;
	const struct hf_pool *pool = &go->pools->pools.at[index];
	struct hf_ctor_slot slot = {
		.pool = "",
		.kind = pool->kind,
		.pool_addr = pool->addr,
		.slot_addr = pool->addr + (uint64_t)hf_max(go_off(go, POOL_NEW), 0),
		.code = pool->constructor,
		.function = pool->constructor_name,
	};
	struct hf_field field;
	uint32_t type = item_type(go, pool);

	HF_TRY(hf_target_read_u64(go->t, slot.slot_addr, &slot.value));
	/* Function values that need no memory of their own stand in the program's constants. */
	slot.value_on_heap = slot.value && !hf_syms_find_module(go->syms, slot.value);
	slot.item_type = go_type_get(go, type)->rtype;
	slot.item_type_name = type ? go_type_name(go, type) : "";
	if (hf_syms_find_field(go->syms, "sync.Pool", "New", &field))
		slot.slot_type = field.type;
	*ret = slot;
	return go_types_check(go);
}
