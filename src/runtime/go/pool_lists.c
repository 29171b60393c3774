/* sync.allPools and sync.oldPools in a program without symbols: lists of what looks like pools. */
#include "pools.h"

#define PROCESSORS_MAX (1u << 16)
#define SAMPLES        64u /* of the processors of one pool */
#define WORDS          5   /* of a pool: local, localSize, victim, victimSize, New */

static uint64_t field(const struct go *go, const uint8_t *p, enum go_field id)
{
	return hf_load_u64(p + hf_max(go->layout.off[id], 0));
}

static bool is_interface(struct go *go, const uint8_t *p)
{
	uint64_t word = hf_load_u64(p);

	return word ? go_types_module_of(go, word) : !hf_load_u64(p + 8);
}

static bool is_chain(const struct go *go, uint64_t head, uint64_t tail)
{
	uint32_t block;
	uint64_t size = (uint64_t)hf_max(go_off(go, POOLCHAINELT_SIZE), 0);

	if (!head || !tail)
		return !head && !tail;
	return go_room_at(go, head, &block) >= size && go_room_at(go, tail, &block) >= size;
}

/* poolLocal {private any, shared {head, tail}, pad}. */
static bool is_local(struct go *go, const uint8_t *p, uint64_t size)
{
	uint64_t tail = (uint64_t)hf_max(go_off(go, POOLLOCAL_TAIL), 8);

	if (!is_interface(go, p + hf_max(go_off(go, POOLLOCAL_PRIVATE), 0)) ||
	    !is_chain(go, hf_load_u64(p + tail - 8), hf_load_u64(p + tail)))
		return false;
	for (uint64_t i = tail + 8; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static bool are_locals(struct go *go, uint64_t array, uint64_t n)
{
	uint64_t size = (uint64_t)hf_max(go_off(go, POOLLOCAL_SIZE), 1), room;
	struct hf_scratch *scratch = &go->pools->scratch[0];
	const void *bytes;
	uint32_t block;

	if (!array)
		return !n;
	room = go_room_at(go, array, &block) / size;
	if (!room || n > room || n > PROCESSORS_MAX)
		return false;
	n = hf_min(n ? n : room, (uint64_t)SAMPLES);
	if (hf_err_ignore(hf_target_get(go->t, array, n * size, scratch, &bytes)))
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!is_local(go, (const uint8_t *)bytes + i * size, size))
			return false;
	return true;
}

static bool is_function(struct go *go, uint64_t closure)
{
	struct go_func f;
	uint64_t code;

	return !closure || (closure % 8 == 0 && !hf_err_ignore(hf_target_read_u64(go->t, closure, &code)) &&
			    go_find_func(go, code, &f) && f.entry == code);
}

static bool is_pool(struct go *go, uint64_t addr)
{
	uint8_t p[WORDS * 8];

	if (addr < 4096 || addr % 8 || hf_err_ignore(hf_target_read(go->t, addr, p, sizeof(p))))
		return false;
	return (field(go, p, GO_POOL_LOCAL) || field(go, p, GO_POOL_VICTIM)) &&
	       are_locals(go, field(go, p, GO_POOL_LOCAL), field(go, p, GO_POOL_LOCAL_SIZE)) &&
	       are_locals(go, field(go, p, GO_POOL_VICTIM), field(go, p, GO_POOL_VICTIM_SIZE)) &&
	       is_function(go, field(go, p, GO_POOL_NEW));
}

/* A slice's header in data, whose elements all lead to pools. */
static bool is_list(struct go *go, const uint8_t *p, struct hf_scratch *scratch)
{
	uint64_t array = hf_load_u64(p), n = hf_load_u64(p + 8), cap = hf_load_u64(p + 16);
	const void *bytes;
	uint32_t block;

	if (!array || !n || n > cap || cap > go_room_at(go, array, &block) / 8 ||
	    hf_err_ignore(hf_target_get(go->t, array, n * 8, scratch, &bytes)))
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!is_pool(go, hf_load_u64((const uint8_t *)bytes + i * 8)))
			return false;
	return true;
}

struct search {
	struct go *go;
	struct hf_scratch list;
};

static struct hf_err *search_section(void *arg, const struct go_section *s)
{
	struct search *search = arg;

	for (uint64_t i = 0; i + 2 < s->n; i++)
		if (go_section_has(s, i) && !go_section_has(s, i + 1) && !go_section_has(s, i + 2) &&
		    is_list(search->go, s->words + i * 8, &search->list))
			HF_TRY(go_pools_read_list(search->go, s->start + i * 8, &(uint32_t){0}));
	return NULL;
}

struct hf_err *go_pools_search(struct go *go)
{
	struct search search = {.go = go};
	struct hf_err *err = go_each_section(go, search_section, &search);

	hf_vec_deinit(&search.list);
	return err;
}
