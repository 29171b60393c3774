/* One type's DIE, decoded. Never deeper than the DIE's own members: what it refers to gets an id alone. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"
#include "internal.h"

#include <stdlib.h>

static int class_of(int tag)
{
	switch (tag) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return HF_DIE_STRUCT;
	case DW_TAG_union_type:
		return HF_DIE_UNION;
	case DW_TAG_enumeration_type:
		return HF_DIE_ENUM;
	}
	return -1;
}

void hf_die_define(const struct hf_dwarf *d, Dwarf_Die *type)
{
	int class = class_of(dwarf_tag(type));
	Dwarf_Die found;
	const char *name;
	uint64_t key;

	if (class < 0 || !hf_die_flag(type, DW_AT_declaration))
		return;
	if (hf_die_ref(type, DW_AT_signature, &found)) {
		*type = found;
		return;
	}
	name = hf_die_name(d, type);
	if (name && hf_dwarf_find(d, (enum hf_die_class) class, name, &key) && hf_die_get(d, key, &found))
		*type = found;
}

uint64_t hf_die_count(Dwarf_Die *array)
{
	uint64_t count = 1, n, upper, lower;
	Dwarf_Die dim;
	bool any = false;

	if (dwarf_child(array, &dim))
		return 0;
	do {
		if (dwarf_tag(&dim) != DW_TAG_subrange_type)
			continue;
		lower = 0;
		hf_die_uint(&dim, DW_AT_lower_bound, &lower);
		if (hf_die_uint(&dim, DW_AT_count, &n))
			;
		else if (hf_die_uint(&dim, DW_AT_upper_bound, &upper))
			n = upper - lower + 1; /* an upper bound of -1 is an empty array's */
		else
			n = 0;
		if (hf_mul_overflows(count, n, &count))
			return 0;
		any = true;
	} while (hf_die_next(&dim));
	return any ? count : 0;
}

uint64_t hf_die_size(const struct hf_dwarf *d, Dwarf_Die *type)
{
	Dwarf_Die at = *type;
	uint64_t times = 1, size;

	for (int i = 0; i < HF_CHAIN_MAX; i++) {
		hf_die_define(d, &at);
		if (hf_die_uint(&at, DW_AT_byte_size, &size))
			return hf_mul_overflows(size, times, &size) ? 0 : size;
		switch (dwarf_tag(&at)) {
		case DW_TAG_pointer_type:
		case DW_TAG_reference_type:
		case DW_TAG_rvalue_reference_type:
			return hf_mul_overflows(8, times, &size) ? 0 : size;
		case DW_TAG_array_type:
			if (hf_mul_overflows(times, hf_die_count(&at), &times))
				return 0;
			break;
		case DW_TAG_subroutine_type:
			return 0;
		}
		if (!hf_die_type(d, &at, DW_AT_type, &at))
			return 0;
	}
	return 0;
}

uint64_t hf_dwarf_type_size(const struct hf_dwarf *d, uint64_t key)
{
	Dwarf_Die die;

	return key && hf_die_get(d, key, &die) ? hf_die_size(d, &die) : 0;
}

uint64_t hf_dwarf_type_key(const struct hf_dwarf *d, uint64_t key)
{
	Dwarf_Die die;

	return hf_die_get(d, key, &die) && hf_die_unqualify(d, &die) ? hf_die_key(d, &die) : 0;
}

static uint32_t type_of(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, unsigned attr)
{
	Dwarf_Die type;

	return hf_die_type(d, die, attr, &type) ? hf_type_id(s, hf_die_key(d, &type)) : 0;
}

/* ---- members ------------------------------------------------------------------------------------------ */

#define MEMBERS_MAX 65536

typedef HF_VEC(struct hf_member) member_vec;

static bool find_offset(Dwarf_Die *die, struct hf_member *ret)
{
	Dwarf_Attribute a;
	Dwarf_Op room, *op;
	uint64_t bits, value;
	size_t n;

	if (hf_die_uint(die, DW_AT_bit_size, &value) && value <= UINT16_MAX)
		ret->bit_size = (uint16_t)value;
	if (hf_die_uint(die, DW_AT_data_bit_offset, &bits)) {
		ret->offset = bits / 8;
		return true;
	}
	if (hf_die_uint(die, DW_AT_data_member_location, &ret->offset))
		return true;
	/* DWARF 2 */
	if (!dwarf_attr(die, DW_AT_data_member_location, &a))
		return true; /* of a union */
	if (!hf_die_location(&a, 0, &room, 1, &op, &n) || n != 1 || op->atom != DW_OP_plus_uconst)
		return false;
	ret->offset = op->number;
	return true;
}

static struct hf_err *add_member(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, member_vec *ret)
{
	const char *name = hf_die_name(d, die);
	struct hf_member m = {.name = name ? name : "", .embedded = hf_die_flag(die, HF_AT_GO_EMBEDDED)};

	if (dwarf_tag(die) == DW_TAG_inheritance)
		m.embedded = true;
	else if (dwarf_tag(die) != DW_TAG_member || hf_die_flag(die, DW_AT_declaration) ||
		 hf_die_flag(die, DW_AT_external))
		return NULL;
	if (!find_offset(die, &m))
		return NULL;
	m.type = type_of(s, d, die, DW_AT_type);
	return hf_vec_push(ret, m);
}

static int compare_offset(const void *a, const void *b)
{
	const struct hf_member *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Members come in order but for C++'s bases and hostile files; a union's stay as they are. */
static void sort_members(member_vec *v)
{
	for (size_t i = 1; i < v->n; i++) {
		if (v->at[i].offset < v->at[i - 1].offset) {
			qsort(v->at, v->n, sizeof(*v->at), compare_offset);
			return;
		}
	}
}

static bool decode_members(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, struct hf_type *ret)
{
	member_vec v = {0};
	struct hf_member *kept = NULL;
	struct hf_err *err = NULL;
	Dwarf_Die child;

	if (dwarf_child(die, &child))
		return true;
	do {
		err = add_member(s, d, &child, &v);
	} while (!err && v.n < MEMBERS_MAX && hf_die_next(&child));
	if (!hf_err_ignore(err)) {
		sort_members(&v);
		kept = hf_arena_alloc(&s->arena, v.n * sizeof(*kept));
		if (kept && v.n)
			memcpy(kept, v.at, v.n * sizeof(*kept));
		ret->members = kept;
		ret->members_n = (uint32_t)v.n;
	}
	hf_vec_deinit(&v);
	return kept;
}

/* ---- types -------------------------------------------------------------------------------------------- */

static enum hf_type_kind kind_of(int tag)
{
	switch (tag) {
	case DW_TAG_base_type:
		return HF_TYPE_BASE;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return HF_TYPE_POINTER;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return HF_TYPE_STRUCT;
	case DW_TAG_union_type:
		return HF_TYPE_UNION;
	case DW_TAG_array_type:
		return HF_TYPE_ARRAY;
	case DW_TAG_enumeration_type:
		return HF_TYPE_ENUM;
	case DW_TAG_subroutine_type:
		return HF_TYPE_FUNCTION;
	case DW_TAG_typedef:
		return HF_TYPE_TYPEDEF;
	}
	return HF_TYPE_UNKNOWN;
}

static void decode_go(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, struct hf_type *ret,
		      uint64_t *ret_rtype)
{
	uint64_t kind;

	if (!d->is_go || !hf_die_uint(die, HF_AT_GO_KIND, &kind))
		return;
	ret->go_kind = kind <= 31 ? (uint8_t)kind : 0;
	ret->go_key = type_of(s, d, die, HF_AT_GO_KEY);
	ret->go_elem = type_of(s, d, die, HF_AT_GO_ELEM);
	hf_die_uint(die, HF_AT_GO_RUNTIME_TYPE, ret_rtype);
}

struct hf_type *hf_type_decode(struct hf_syms *s, struct hf_dwarf *d, uint64_t key, uint64_t *ret_rtype)
{
	struct hf_type *t = hf_arena_alloc(&s->arena, sizeof(*t));
	uint64_t encoding;
	Dwarf_Die die;

	*ret_rtype = 0;
	if (!t || !hf_die_get(d, key, &die) || !hf_die_unqualify(d, &die))
		return NULL;
	hf_die_define(d, &die);
	t->kind = kind_of(dwarf_tag(&die));
	t->name = hf_die_type_name(d, &die, &s->arena);
	t->size = hf_die_size(d, &die);
	if (hf_die_uint(&die, DW_AT_encoding, &encoding) && encoding <= UINT8_MAX)
		t->encoding = (uint8_t)encoding;
	if (t->kind == HF_TYPE_ARRAY)
		t->count = hf_die_count(&die);
	if (t->kind == HF_TYPE_STRUCT || t->kind == HF_TYPE_UNION) {
		if (!decode_members(s, d, &die, t))
			return NULL;
	} else {
		t->elem = type_of(s, d, &die, DW_AT_type);
	}
	decode_go(s, d, &die, t, ret_rtype);
	return t;
}
