/* Can these bytes be a value of this type? */
#include "infer.h"

#define DEPTH_MAX    3
#define ELEMENTS_MAX 256 /* of an array, looked at */

static bool is_pointer(const struct go_trial *x, uint64_t offset)
{
	return x->pointers[offset / 512] >> (offset / 8 % 64) & 1;
}

/* In the program's own data or code: static values. */
static bool in_image(const struct go *go, uint64_t addr)
{
	hf_vec_each(&go->modules, m) {
		uint64_t start = hf_min(hf_min(m->text, m->types), m->noptrdata ? m->noptrdata : m->text);

		if (addr >= start && addr < hf_max(hf_max(m->enoptrbss, m->ebss), m->etypes))
			return true;
	}
	return false;
}

/* The dynamic type of an interface's first word. */
static uint32_t interface_type(struct go_trial *x, const struct go_type *type, uint64_t word)
{
	uint32_t id = GO_NO_TYPE;
	uint64_t rtype = word;

	if (type->count && hf_err_ignore(hf_target_read_u64(x->t->go->t, word + 8, &rtype)))
		return GO_NO_TYPE;
	return go_universe_has(x->u, rtype, &id) ? id : GO_NO_TYPE;
}

/* Room from addr to the end of its block; 0: no block. */
static uint64_t room_at(const struct go *go, uint64_t addr, const struct go_span **ret_span,
			uint64_t *ret_offset)
{
	uint64_t in_slot;

	if (go_find_block(go, addr) == HF_NO_BLOCK)
		return 0;
	*ret_span = go_find_span(go, addr);
	in_slot = addr - (*ret_span)->start - go_slot_of(*ret_span, addr) * (*ret_span)->elemsize;
	*ret_offset = in_slot - hf_min(in_slot, (uint64_t)go_header_size(*ret_span));
	return (*ret_span)->elemsize - in_slot;
}

/* A pointer to n values of a type. */
static bool pointer_fits(struct go_trial *x, uint64_t value, uint32_t elem, uint64_t n)
{
	struct go *go = x->t->go;
	const struct go_type *type = go_type_get(go, elem), *is;
	const struct go_span *span;
	uint64_t offset = 0, room = room_at(go, value, &span, &offset), size;
	uint32_t found;

	if (!room)
		return in_image(go, value);
	if (!elem)
		return true;
	if (hf_mul_overflows(type->size, n, &size) || size > room || (span->noscan && type->ptr_bytes))
		return false;
	if (offset)
		return true;
	/* An object of its own, of no smaller size class. A slice may view part of an array. */
	if (n == 1 && type->kind == GO_KIND_STRUCT && !go_fits(span, type->size) && size <= room / 4)
		return false;
	/* Objects with pointers are not made for types without. */
	if (n == 1 && type->size && !type->ptr_bytes && !span->noscan)
		return false;
	x->evidence += (type->kind == GO_KIND_STRUCT || type->kind == GO_KIND_ARRAY) && n == 1 &&
		       go_fits(span, type->size);
	found = go->block_type[go_find_block(go, value)];
	is = go_type_get(go, found);
	if (!found || is->shape != GO_SHAPE_VALUE || n != 1)
		return true;
	if (found == elem)
		x->evidence += 2;
	return found == elem || type->kind != GO_KIND_STRUCT || is->kind != GO_KIND_STRUCT ||
	       is->size != type->size;
}

static bool string_fits(struct go_trial *x, uint64_t ptr, uint64_t len)
{
	const struct go_span *span;
	uint64_t offset, room;

	if (!ptr || !len)
		return !len;
	room = room_at(x->t->go, ptr, &span, &offset);
	if (room ? len > room || !span->noscan : len >> 32 || !in_image(x->t->go, ptr))
		return false;
	x->evidence++;
	return true;
}

static bool slice_fits(struct go_trial *x, const uint8_t *p, uint32_t elem)
{
	uint64_t ptr = hf_load_u64(p), len = hf_load_u64(p + 8), cap = hf_load_u64(p + 16);

	if (len > cap || (!ptr && cap) ||
	    !pointer_fits(x, ptr ? ptr : x->addr, ptr ? elem : 0, ptr ? cap : 1))
		return false;
	x->evidence += ptr && cap;
	return true;
}

static bool func_fits(struct go_trial *x, uint64_t value)
{
	struct go_func f;
	uint64_t code;

	if (hf_err_ignore(hf_target_read_u64(x->t->go->t, value, &code)) ||
	    !go_find_func(x->t->go, code, &f) || f.entry != code)
		return false;
	x->evidence++;
	return true;
}

static bool interface_fits(struct go_trial *x, const uint8_t *p, uint32_t type)
{
	uint64_t word = hf_load_u64(p), data = hf_load_u64(p + 8);
	uint32_t dynamic;
	const struct go_type *row;

	if (!word)
		return !data;
	dynamic = interface_type(x, go_type_get(x->t->go, type), word);
	row = go_type_get(x->t->go, dynamic);
	if (!dynamic)
		return false;
	x->evidence += 2;
	return row->direct_iface || (data && pointer_fits(x, data, dynamic, 1));
}

/* A block of at least this size, with pointers, that something may lead to the start of. */
static bool is_block(const struct go *go, uint64_t addr, uint64_t size)
{
	const struct go_span *span;
	uint64_t offset, room = room_at(go, addr, &span, &offset);

	return room ? !offset && room >= size : in_image(go, addr);
}

static bool slot_fits(struct go_trial *x, const struct go_slot *slot, uint64_t offset);

static bool array_fits(struct go_trial *x, uint32_t array, uint64_t offset, unsigned depth);

static bool value_fits(struct go_trial *x, uint32_t type, uint64_t offset, unsigned depth)
{
	const struct go_slot *slots;
	uint32_t n;

	x->checks++;
	slots = go_type_slots(x->t->go, type, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (slots[i].kind == GO_SLOT_ARRAY) {
			if (depth < DEPTH_MAX &&
			    !array_fits(x, slots[i].type, offset + slots[i].offset, depth + 1))
				return false;
		} else if (!slot_fits(x, &slots[i], offset + slots[i].offset)) {
			return false;
		}
	}
	return true;
}

static bool array_fits(struct go_trial *x, uint32_t array, uint64_t offset, unsigned depth)
{
	const struct go_type *type = go_type_get(x->t->go, array);
	uint64_t size = go_type_get(x->t->go, type->elem)->size;

	for (uint64_t i = 0; size && i < hf_min(type->count, (uint64_t)ELEMENTS_MAX); i++)
		if (!value_fits(x, type->elem, offset + i * size, depth))
			return false;
	return true;
}

static bool slot_fits(struct go_trial *x, const struct go_slot *slot, uint64_t offset)
{
	struct go *go = x->t->go;
	const uint8_t *p = x->bytes + offset;
	uint64_t value;

	if (offset > x->len || x->len - offset < hf_max(go_slot_size[slot->kind], 8))
		return false;
	value = hf_load_u64(p);
	switch ((enum go_slot_kind)slot->kind) {
	case GO_SLOT_POINTER:
	case GO_SLOT_ATOMIC:
		return !value || pointer_fits(x, value, slot->type, 1);
	case GO_SLOT_SLICE:
		return slice_fits(x, p, slot->type);
	case GO_SLOT_STRING:
		return string_fits(x, value, hf_load_u64(p + 8));
	case GO_SLOT_EFACE:
	case GO_SLOT_IFACE:
		return interface_fits(x, p, slot->type);
	case GO_SLOT_MAP:
		return !value || is_block(go, value, 48);
	case GO_SLOT_CHAN:
		return !value || is_block(go, value, (uint64_t)hf_max(go_off(go, HCHAN_SIZE), 96));
	case GO_SLOT_FUNC:
		return !value || func_fits(x, value);
	case GO_SLOT_COUNTED:
	case GO_SLOT_REFLECT:
	case GO_SLOT_ARRAY:
		break;
	}
	return true;
}

/* Words that hold pointers are words of the type that do, and the other way round. */
static bool mask_fits(struct go_trial *x, const struct go_mask *mask, uint64_t offset, uint64_t words)
{
	for (uint64_t w = 0; w < words && offset + w * 8 + 8 <= x->len; w++) {
		bool by_type = w < mask->ptr_words && mask->bits[w / 64] >> (w % 64) & 1;

		if (is_pointer(x, offset + w * 8) ? !by_type
						  : by_type && hf_load_u64(x->bytes + offset + w * 8))
			return false;
	}
	return true;
}

/* An interface that the type does not know of: a type's descriptor before a pointer, where the type has a number. */
static bool has_strange_interface(struct go_trial *x, uint32_t type, uint64_t offset, uint64_t size)
{
	const struct go_slot *slots;
	uint32_t n, i = 0, id;

	slots = go_type_slots(x->t->go, type, &n);
	for (uint64_t at = 0; at + 16 <= size && offset + at + 16 <= x->len; at += 8) {
		while (i < n && slots[i].offset + hf_max(go_slot_size[slots[i].kind], 8) <= at)
			i++;
		if (i < n && (slots[i].kind == GO_SLOT_ARRAY || slots[i].offset <= at))
			continue;
		if (is_pointer(x, offset + at + 8) && !is_pointer(x, offset + at) &&
		    go_universe_has(x->u, hf_load_u64(x->bytes + offset + at), &id))
			return true;
	}
	return false;
}

/* F is code. */
static bool is_closure_without_code(const struct go_trial *x, const struct go_type *row, uint64_t offset)
{
	struct go_func f;

	return go_is_closure_struct(x->t->go, row) &&
	       (!go_find_func(x->t->go, hf_load_u64(x->bytes + offset), &f) ||
		f.entry != hf_load_u64(x->bytes + offset));
}

/* Numbers tell little, but a truth value is 0 or 1. */
static bool numbers_fit(const struct go_trial *x, uint32_t type, uint64_t offset)
{
	const struct go_type *row = go_type_get(x->t->go, type);

	if (row->size >= 8 && is_closure_without_code(x, row, offset))
		return false;

	for (uint32_t i = 0; row->kind == GO_KIND_STRUCT && i < row->members_n; i++) {
		uint64_t at = offset + row->members[i].offset;

		if (go_type_get(x->t->go, row->members[i].type)->kind == GO_KIND_BOOL && at < x->len &&
		    x->bytes[at] > 1)
			return false;
	}
	return true;
}

bool go_trial_fits(struct go_trial *x, uint32_t type, uint64_t offset)
{
	struct go *go = x->t->go;
	const struct go_type *row = go_type_get(go, type);
	const struct go_mask *mask = go_mask_find(go, row->rtype);

	x->checks++;
	if (!mask && hf_err_ignore(go_mask_build(go, row->rtype, 1u << 30, &mask)))
		return false;
	return mask_fits(x, mask, offset, row->size / 8) && numbers_fit(x, type, offset) &&
	       value_fits(x, type, offset, 0) && !has_strange_interface(x, type, offset, row->size);
}
