/* Maps that shrank but kept their tables; channels whose buffers are large and all but empty. */
#include "views.h"

#define CHAN_LEAST 4096 /* bytes of a buffer: a small one is no waste */

static uint64_t word_at(struct go *go, uint64_t addr, int64_t offset)
{
	uint64_t v;

	return offset < 0 || hf_err_ignore(hf_target_read_u64(go->t, addr + (uint64_t)offset, &v)) ? 0 : v;
}

bool go_spare_begin(struct go *go, uint32_t block)
{
	uint8_t bit = (uint8_t)(1u << (block % 8));

	if (block == HF_NO_BLOCK ||
	    (!go->spare_seen && !(go->spare_seen = hf_calloc((size_t)go->blocks / 8 + 1, 1))) ||
	    go->spare_seen[block / 8] & bit)
		return false;
	go->spare_seen[block / 8] |= bit;
	return true;
}

/* The block that part of a map is, of at least len bytes; HF_NO_BLOCK: it cannot be one. */
static uint32_t part_block(struct go *go, uint64_t addr, uint64_t len)
{
	uint32_t block = go_find_block(go, addr);
	const struct go_span *span = block == HF_NO_BLOCK ? NULL : go_find_span(go, addr);

	return span && addr - span->start - go_slot_of(span, addr) * span->elemsize + len <= span->elemsize
		       ? block
		       : HF_NO_BLOCK;
}

/* Slots in all tables of a Swiss map. The directory names a table in a row of entries. Source: Go 1.24-1.27
 * internal/runtime/maps/map.go, Map, and table.go, table. */
static uint64_t swiss_slots(struct go *go, uint64_t map, uint64_t group_size)
{
	uint64_t dir = word_at(go, map, go_off(go, MAP_DIR_PTR)),
		 n = word_at(go, map, go_off(go, MAP_DIR_LEN)), last = 0, slots = 0;

	if (!n || n >= 1u << 30 || !go_spare_begin(go, part_block(go, dir, n * 8)))
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t table = word_at(go, dir, (int64_t)(i * 8)), groups, size;

		if (!table || table == last)
			continue;
		last = table;
		groups = word_at(go, table, go_off(go, TABLE_GROUPS_LENGTH_MASK)) + 1;
		if (!groups || groups >= 1u << 30 || hf_mul_overflows(groups, group_size, &size) ||
		    part_block(go, word_at(go, table, go_off(go, TABLE_GROUPS_DATA)), size) == HF_NO_BLOCK)
			return 0;
		slots += groups * GO_GROUP_SLOTS;
	}
	return slots;
}

/* Source: Go 1.20-1.23 runtime/map.go, hmap: 2^B buckets; what overflows them is not counted. */
static uint64_t old_slots(struct go *go, uint64_t map, uint64_t bucket_size)
{
	uint64_t buckets = word_at(go, map, go_off(go, HMAP_BUCKETS)), size;
	uint8_t shift;

	if (hf_err_ignore(hf_target_read_u8(go->t, map + (uint64_t)hf_max(go_off(go, HMAP_B), 0), &shift)) ||
	    shift > 40 || hf_mul_overflows((uint64_t)1 << shift, bucket_size, &size) ||
	    !go_spare_begin(go, part_block(go, buckets, size)))
		return 0;
	return (uint64_t)GO_GROUP_SLOTS << shift;
}

/* A map that has grown and not shrunk has at most 2.1 times the slots of a new one for its entries: tables grow, or split,
 * at 7/8 of their slots (old maps: buckets double at 6.5 of 8), and hashes do not spread evenly. */
void go_map_spare(struct go *go, uint32_t map, uint64_t addr, struct hf_view *ret)
{
	bool swiss = go->layout.swiss_maps;
	uint64_t group = go_type_get(go, go_type_get(go, map)->group)->size;
	uint64_t slots = !group ? 0 : swiss ? swiss_slots(go, addr, group) : old_slots(go, addr, group);
	uint64_t count = word_at(go, addr, swiss ? go_off(go, MAP_USED) : go_off(go, HMAP_COUNT));
	uint64_t need = GO_GROUP_SLOTS;

	/* No map holds more than its slots and what overflows them. */
	if (slots < 4 * GO_GROUP_SLOTS || count > slots)
		return;
	while ((swiss ? need - need / 8 : need / 16 * 13 + need % 16) < count)
		need *= 2;
	if (slots * 2 <= need * 5)
		return;
	ret->kind = HF_VIEW_MAP;
	ret->of = slots / GO_GROUP_SLOTS * group;
	ret->spare = (slots - need) / GO_GROUP_SLOTS * group;
}

/* Source: Go 1.20-1.27 runtime/chan.go, hchan, makechan: elements without pointers lie behind the channel. */
void go_chan_spare(struct go *go, uint32_t chan, uint64_t addr, struct hf_view *ret)
{
	uint64_t size = go_type_get(go, go_type_get(go, chan)->elem)->size;
	uint64_t n = word_at(go, addr, go_off(go, HCHAN_DATAQSIZ)),
		 used = word_at(go, addr, go_off(go, HCHAN_QCOUNT)),
		 buf = word_at(go, addr, go_off(go, HCHAN_BUF)), bytes;

	if (!size || used > n || hf_mul_overflows(n, size, &bytes) || bytes < CHAN_LEAST || used >= n / 4 ||
	    part_block(go, buf, bytes) == HF_NO_BLOCK)
		return;
	ret->kind = HF_VIEW_CHAN;
	ret->of = bytes;
	ret->spare = bytes - used * size;
}
