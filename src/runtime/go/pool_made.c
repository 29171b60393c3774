/* What a pool's constructor makes, where its code says so: it ends with the type of the interface that it returns in AX.
 *
 *	48 8d 05 d32    lea  type(ip), ax
 *	48 8b 6c 24 d8  mov  d8(sp), bp     up to 1.20
 *	48 83 c4 i8     add  i8, sp         48 81 c4 i32 where the frame is large
 *	5d              pop  bp             since 1.21
 *	c3              ret
 *
 * Source: Go 1.20-1.27, what the compiler makes of `func() any { return p }` on amd64 (internal/abi: results in AX, BX). */
#include "pools.h"

#define CODE_MAX 4096u /* of a function, as much as is looked at */
#define LEA_SIZE 7u
#define END_MAX  14u /* bytes of the longest end */

/* Skips what is there; false where neither is. */
static bool skip(const uint8_t **p, const char *bytes, size_t n, size_t operand)
{
	if (memcmp(*p, bytes, n))
		return false;
	*p += n + operand;
	return true;
}

static bool is_end(const uint8_t *p)
{
	bool ends;

	(void)(skip(&p, "\x48\x8b\x6c\x24", 4, 1) || skip(&p, "\x48\x8b\xac\x24", 4, 4));
	ends = skip(&p, "\x48\x83\xc4", 3, 1) || skip(&p, "\x48\x81\xc4", 3, 4);
	(void)skip(&p, "\x5d", 1, 0);
	return ends && *p == 0xc3;
}

/* The type that the code at p loads before it ends; GO_NO_TYPE: it does something else. */
static uint32_t type_at(struct go *go, uint64_t addr, const uint8_t *p)
{
	uint64_t target;

	if (memcmp(p, "\x48\x8d\x05", 3) || !is_end(p + LEA_SIZE))
		return GO_NO_TYPE;
	target = addr + LEA_SIZE + (uint64_t)(int64_t)(int32_t)hf_load_u32(p + 3);
	return go_types_module_of(go, target) ? go_type_of_rtype(go, target) : GO_NO_TYPE;
}

uint32_t go_pool_made(struct go *go, uint64_t code)
{
	uint8_t bytes[CODE_MAX + LEA_SIZE + 2 * END_MAX] = {0};
	struct go_func f, at;
	uint32_t made = GO_NO_TYPE;
	size_t n = CODE_MAX;

	if (!go_find_func(go, code, &f) || f.entry != code)
		return GO_NO_TYPE;
	while (n > 16 && hf_err_ignore(hf_target_read(go->t, code, bytes, n)))
		n /= 2;
	for (size_t i = 0; n > 16 && i < n; i++) {
		uint32_t type = bytes[i] == 0x48 ? type_at(go, code + i, bytes + i) : GO_NO_TYPE;

		if (!type)
			continue;
		if (!go_find_func(go, code + i, &at) || at.entry != code)
			break;
		/* Of several that differ none is what it makes. */
		if (made && made != type)
			return GO_NO_TYPE;
		made = type;
	}
	return made;
}
