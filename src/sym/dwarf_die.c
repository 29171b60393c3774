#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"

bool hf_die_get(const struct hf_dwarf *d, uint64_t key, Dwarf_Die *ret)
{
	uint64_t off = HF_KEY_OFFSET(key);

	switch (HF_KEY_SECTION(key)) {
	case HF_DIE_INFO:
		return dwarf_offdie(d->dw, off, ret);
	case HF_DIE_TYPES:
		return dwarf_offdie_types(d->dw, off, ret);
	case HF_DIE_ALT:
		return d->alt && dwarf_offdie(d->alt, off, ret);
	}
	return false;
}

uint64_t hf_die_key(const struct hf_dwarf *d, Dwarf_Die *die)
{
	uint64_t off = dwarf_dieoffset(die), section = HF_DIE_INFO;
	Dwarf_Half version;
	uint8_t unit_type;

	if (off > HF_KEY_OFFSET(UINT64_MAX))
		return 0;
	if (dwarf_cu_getdwarf(die->cu) != d->dw)
		section = HF_DIE_ALT;
	else if (!dwarf_cu_info(die->cu, &version, &unit_type, NULL, NULL, NULL, NULL, NULL) &&
		 version == 4 && unit_type == DW_UT_type)
		section = HF_DIE_TYPES;
	return off | section << 48 | (uint64_t)d->module << 51;
}

bool hf_die_ref(Dwarf_Die *die, unsigned attr, Dwarf_Die *ret)
{
	Dwarf_Attribute a;

	return dwarf_attr_integrate(die, attr, &a) && dwarf_formref_die(&a, ret);
}

const char *hf_die_string(const struct hf_dwarf *d, Dwarf_Attribute *attr)
{
	const char *text = dwarf_formstring(attr);

	/* libdw knows that .debug_str ends in NUL, but not that a string in place does before its section. */
	if (!text || attr->form != DW_FORM_string)
		return text;
	for (size_t i = 0; i < HF_LEN(d->inlined); i++) {
		size_t off = (size_t)((uintptr_t)text - (uintptr_t)d->inlined[i].at);

		if (off < d->inlined[i].len)
			return memchr(text, '\0', d->inlined[i].len - off) ? text : NULL;
	}
	return NULL;
}

const char *hf_die_name(const struct hf_dwarf *d, Dwarf_Die *die)
{
	Dwarf_Attribute a;

	return dwarf_attr_integrate(die, DW_AT_name, &a) ? hf_die_string(d, &a) : NULL;
}

bool hf_die_next(Dwarf_Die *die)
{
	Dwarf_Off before = dwarf_dieoffset(die);

	return dwarf_siblingof(die, die) == 0 && dwarf_dieoffset(die) > before;
}

bool hf_die_uint(Dwarf_Die *die, unsigned attr, uint64_t *ret)
{
	Dwarf_Attribute a;
	Dwarf_Word v;

	if (!dwarf_attr_integrate(die, attr, &a))
		return false;
	if (a.form == DW_FORM_addr ? dwarf_formaddr(&a, &v) : dwarf_formudata(&a, &v))
		return false;
	*ret = v;
	return true;
}

bool hf_die_flag(Dwarf_Die *die, unsigned attr)
{
	Dwarf_Attribute a;
	bool set = false;

	return dwarf_attr(die, attr, &a) && !dwarf_formflag(&a, &set) && set;
}

static bool is_qualifier(int tag)
{
	return tag == DW_TAG_const_type || tag == DW_TAG_volatile_type || tag == DW_TAG_restrict_type ||
	       tag == DW_TAG_atomic_type || tag == DW_TAG_immutable_type || tag == DW_TAG_packed_type;
}

/* Go's linker names a defined type twice: a typedef without attributes, of a structure (array...) of the same name. */
static bool is_same_named_typedef(const struct hf_dwarf *d, Dwarf_Die *die)
{
	const char *name, *other;
	Dwarf_Die type;

	if (!d->is_go || dwarf_tag(die) != DW_TAG_typedef || !hf_die_ref(die, DW_AT_type, &type))
		return false;
	name = hf_die_name(d, die);
	other = hf_die_name(d, &type);
	return name && other && !strcmp(name, other) && hf_die_is_go(die);
}

bool hf_die_unqualify(const struct hf_dwarf *d, Dwarf_Die *die)
{
	for (int i = 0; i < HF_CHAIN_MAX; i++) {
		if (!is_qualifier(dwarf_tag(die)) && !is_same_named_typedef(d, die))
			return dwarf_tag(die) != DW_TAG_invalid;
		if (!hf_die_ref(die, DW_AT_type, die))
			return false;
	}
	return false;
}

bool hf_die_type(const struct hf_dwarf *d, Dwarf_Die *die, unsigned attr, Dwarf_Die *ret)
{
	return hf_die_ref(die, attr, ret) && hf_die_unqualify(d, ret);
}

bool hf_die_is_go(Dwarf_Die *die)
{
	Dwarf_Die unit;

	return dwarf_diecu(die, &unit, NULL, NULL) && dwarf_srclang(&unit) == DW_LANG_Go;
}

/* ---- locations ---------------------------------------------------------------------------------------- */

struct bytes {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t read_leb(struct bytes *b, bool is_signed)
{
	uint64_t v = 0;

	for (unsigned shift = 0; b->at < b->end && shift < 70; shift += 7) {
		uint8_t byte = *b->at++;

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && (byte & 0x40) && shift + 7 < 64)
			v |= UINT64_MAX << (shift + 7);
		return v;
	}
	b->failed = true;
	return 0;
}

static uint64_t read_u64(struct bytes *b)
{
	uint64_t v;

	if (b->end - b->at < 8) {
		b->failed = true;
		return 0;
	}
	v = hf_load_u64(b->at);
	b->at += 8;
	return v;
}

/* One operation of those that Go's compiler and linker write; false for any other. */
static bool read_op(struct bytes *b, Dwarf_Op *ret)
{
	uint8_t atom = *b->at++;

	*ret = (Dwarf_Op){.atom = atom};
	if (atom == DW_OP_addr)
		ret->number = read_u64(b);
	else if (atom == DW_OP_fbreg || atom == DW_OP_consts || (atom >= DW_OP_breg0 && atom <= DW_OP_breg31))
		ret->number = read_leb(b, true);
	else if (atom == DW_OP_addrx || atom == DW_OP_piece || atom == DW_OP_plus_uconst ||
		 atom == DW_OP_constu || atom == DW_OP_regx)
		ret->number = read_leb(b, false);
	else if (atom != DW_OP_call_frame_cfa && atom != DW_OP_plus && atom != DW_OP_deref &&
		 atom != DW_OP_stack_value && !(atom >= DW_OP_reg0 && atom <= DW_OP_reg31))
		return false;
	return !b->failed;
}

/* An index into .debug_addr; libdw asks the attribute for nothing but its unit. */
static bool resolve_addrx(Dwarf_Attribute *location, Dwarf_Op *op)
{
	Dwarf_Attribute a;
	Dwarf_Addr addr;

	if (dwarf_getlocation_attr(location, op, &a) || dwarf_formaddr(&a, &addr))
		return false;
	*op = (Dwarf_Op){.atom = DW_OP_addr, .number = addr};
	return true;
}

/* Go writes expressions as DW_FORM_block1 in DWARF 4 and 5, too; libdw 0.188 takes exprloc alone. */
static bool decode_block(Dwarf_Attribute *location, Dwarf_Op *room, size_t max, size_t *ret_n)
{
	Dwarf_Block block;
	struct bytes b;
	size_t n = 0;

	if (dwarf_formblock(location, &block))
		return false;
	b = (struct bytes){.at = block.data, .end = block.data + block.length};
	while (b.at < b.end) {
		if (n == max || !read_op(&b, &room[n]))
			return false;
		if (room[n].atom == DW_OP_addrx && !resolve_addrx(location, &room[n]))
			return false;
		n++;
	}
	*ret_n = n;
	return n;
}

static bool is_block(const Dwarf_Attribute *a)
{
	return a->form == DW_FORM_block1 || a->form == DW_FORM_block2 || a->form == DW_FORM_block4 ||
	       a->form == DW_FORM_block || a->form == DW_FORM_exprloc;
}

bool hf_die_address(Dwarf_Attribute *location, uint64_t *ret)
{
	Dwarf_Op op;
	size_t n;

	if (!is_block(location) || !decode_block(location, &op, 1, &n) || op.atom != DW_OP_addr)
		return false;
	*ret = op.number;
	return true;
}

bool hf_die_location_is_single(Dwarf_Attribute *location)
{
	return is_block(location);
}

bool hf_die_location(Dwarf_Attribute *location, uint64_t pc, Dwarf_Op *room, size_t max, Dwarf_Op **ret,
		     size_t *ret_n)
{
	int n;

	if (is_block(location) && decode_block(location, room, max, ret_n)) {
		*ret = room;
		return true;
	}
	if (is_block(location) && location->form != DW_FORM_exprloc)
		return false;
	n = dwarf_getlocation_addr(location, pc, ret, ret_n, 1);
	return n == 1 && *ret_n > 0;
}
