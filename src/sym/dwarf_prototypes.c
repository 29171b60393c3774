/* What functions take and give. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"
#include "internal.h"

#define PARAMS_MAX 256

static uint32_t type_of(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die)
{
	Dwarf_Die type;

	return hf_die_type(d, die, DW_AT_type, &type) ? hf_type_id(s, hf_die_key(d, &type)) : 0;
}

/* Adds the parameters that a DIE has as children. False: there are none. */
static bool find_params(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, uint32_t params[PARAMS_MAX],
			struct hf_prototype *ret)
{
	Dwarf_Die child;
	bool any = false;

	if (dwarf_child(die, &child))
		return false;
	do {
		if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			ret->is_variadic = any = true;
		if (dwarf_tag(&child) != DW_TAG_formal_parameter || ret->params_n == PARAMS_MAX)
			continue;
		params[ret->params_n++] = type_of(s, d, &child);
		any = true;
	} while (hf_die_next(&child));
	return any;
}

static bool find_prototype(struct hf_syms *s, struct hf_dwarf *d, Dwarf_Die *die, struct hf_prototype *ret)
{
	uint32_t params[PARAMS_MAX], *kept;
	struct hf_prototype p = {0};
	Dwarf_Die origin;
	Dwarf_Attribute a;

	/* Its parameters may be told where it was declared alone. */
	if (!find_params(s, d, die, params, &p) && hf_die_ref(die, DW_AT_abstract_origin, &origin))
		find_params(s, d, &origin, params, &p);
	kept = hf_arena_alloc(&s->arena, hf_max(p.params_n, 1u) * sizeof(*kept));
	if (!kept)
		return false;
	memcpy(kept, params, p.params_n * sizeof(*kept));
	p.params = kept;
	p.has_result = dwarf_attr_integrate(die, DW_AT_type, &a);
	p.result = type_of(s, d, die);
	/* C's f() is told as f(...), where no variadic function is without a first parameter. */
	p.is_open = p.is_variadic && !p.params_n;
	*ret = p;
	return true;
}

bool hf_dwarf_prototype(struct hf_syms *s, struct hf_dwarf *d, uint64_t key, struct hf_prototype *ret)
{
	Dwarf_Die die;

	return hf_die_get(d, key, &die) && hf_die_unqualify(d, &die) &&
	       dwarf_tag(&die) == DW_TAG_subroutine_type && find_prototype(s, d, &die, ret);
}

bool hf_dwarf_prototype_at(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, struct hf_prototype *ret)
{
	Dwarf_Die die;

	return hf_die_function_at(d, pc, &die) && find_prototype(s, d, &die, ret);
}
