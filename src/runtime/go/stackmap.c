/* Which words of a frame are pointers: Go 1.20 to 1.27 runtime/stkframe.go (getStackMap), symtab.go
 * (stackmap). */
#include "unwind.h"

#define OBJECTS_MAX (1u << 16)

/* struct stackmap { n, nbit int32; bytedata [n][(nbit+7)/8]byte }. False: there is no such map. */
static bool read_map(struct go *go, uint64_t addr, int32_t index, struct go_bits *ret)
{
	uint8_t header[8];
	int32_t n, bits;
	uint64_t bytes;

	if (!addr || hf_err_ignore(hf_target_read(go->t, addr, header, sizeof(header))))
		return false;
	n = (int32_t)hf_load_u32(header);
	bits = (int32_t)hf_load_u32(header + 4);
	if (n <= 0 || bits < 0 || index < 0 || (bits && index >= n))
		return false;
	bytes = ((uint64_t)bits + 7) / 8;
	*ret = (struct go_bits){.addr = addr + sizeof(header) + (uint64_t)index * bytes, .n = (uint32_t)bits};
	return bytes > GO_MAP_INLINE || !hf_err_ignore(hf_target_read(go->t, ret->addr, ret->at, bytes));
}

static void decode_record(const uint8_t *bytes, struct go_object_record *ret)
{
	*ret = (struct go_object_record){(int32_t)hf_load_u32(bytes), (int32_t)hf_load_u32(bytes + 4),
					 (int32_t)hf_load_u32(bytes + 8), hf_load_u32(bytes + 12)};
}

static bool read_objects(struct go *go, uint64_t addr, struct go_map_info *ret)
{
	uint8_t bytes[GO_OBJECTS_INLINE * 16];
	uint64_t n;
	size_t here;

	if (!addr)
		return true;
	if (hf_err_ignore(hf_target_read_u64(go->t, addr, &n)) || n > OBJECTS_MAX)
		return false;
	here = hf_min(n, (uint64_t)GO_OBJECTS_INLINE);
	if (hf_err_ignore(hf_target_read(go->t, addr + 8, bytes, here * 16)))
		return false;
	for (size_t i = 0; i < here; i++)
		decode_record(bytes + i * 16, &ret->objects[i]);
	ret->objects_addr = addr + 8;
	ret->objects_n = (uint32_t)n;
	return true;
}

static void read_maps(struct go *go, const struct go_stkframe *f, struct go_map_info *ret)
{
	uint64_t pc = f->continpc;
	int32_t index = -1;

	/* At the entry nothing of the function has run: the entry's map, whatever the first instruction
	 * says. */
	if (pc != f->func.entry)
		index = go_pcdata(go, &f->func, GO_PCDATA_STACK_MAP, pc - 1);
	if (index == -1)
		index = 0;
	ret->locals_known = f->varp <= f->sp ||
			    read_map(go, go_funcdata(go, &f->func, GO_FUNCDATA_LOCALS), index, &ret->locals);
	ret->args_known = f->func.args == GO_ARGS_UNKNOWN || f->func.args < 8 ||
			  read_map(go, go_funcdata(go, &f->func, GO_FUNCDATA_ARGS), index, &ret->args);
	if (!read_objects(go, go_funcdata(go, &f->func, GO_FUNCDATA_STACK_OBJECTS), ret))
		ret->locals_known = false;
}

const struct go_map_info *go_frame_maps(struct go *go, struct go_cache *cache, const struct go_stkframe *f)
{
	struct go_map_info *info = &cache->maps[go_cache_slot(f->continpc)];

	if (!f->continpc)
		return NULL;
	if (info->pc != f->continpc) {
		*info = (struct go_map_info){.pc = f->continpc};
		read_maps(go, f, info);
	}
	return info;
}
