/* The index of a module's top-level DIEs. */
#define _GNU_SOURCE
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include "debugfile.h"
#include "dwarf_die.h"

#include <stdlib.h>

#define UNIT_RANGES_MAX 65536    /* of one unit */
#define ALL_RANGES_MAX  4000000u /* of all: units may share one list */

/* What one pass over a DIE's attributes gathers. */
struct facts {
	const struct hf_dwarf *d;
	const char *name;
	Dwarf_Attribute location, type;
	bool has_location, has_type, has_specification, is_declaration;
	uint64_t go_rtype;
};

static int gather(Dwarf_Attribute *a, void *arg)
{
	struct facts *f = arg;
	Dwarf_Word v;

	switch (dwarf_whatattr(a)) {
	case DW_AT_name:
		f->name = hf_die_string(f->d, a);
		break;
	case DW_AT_location:
		f->location = *a;
		f->has_location = true;
		break;
	case DW_AT_type:
		f->type = *a;
		f->has_type = true;
		break;
	case DW_AT_specification:
	case DW_AT_abstract_origin:
		f->has_specification = true;
		break;
	case DW_AT_declaration:
		f->is_declaration = true;
		break;
	case HF_AT_GO_RUNTIME_TYPE:
		if (!(a->form == DW_FORM_addr ? dwarf_formaddr(a, &v) : dwarf_formudata(a, &v)))
			f->go_rtype = v;
		break;
	}
	return DWARF_CB_OK;
}

/* ---- names -------------------------------------------------------------------------------------------- */

static uint32_t hash_name(unsigned class, const char *name)
{
	uint32_t h = 2166136261u + class;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

/* The slot that holds the name, or the empty one where it belongs. */
static size_t find_slot(const struct hf_dwarf *d, unsigned class, const char *name, uint32_t hash)
{
	size_t mask = d->table_cap - 1, s = hash & mask;

	for (; d->table[s]; s = (s + 1) & mask) {
		const struct hf_die_name *have = &d->names.at[d->table[s] - 1];

		if (have->hash == hash && have->class == class && !strcmp(have->name, name))
			break;
	}
	return s;
}

static struct hf_err *grow_table(struct hf_dwarf *d)
{
	size_t cap = d->table_cap ? d->table_cap * 2 : 4096;
	uint32_t *table = hf_calloc(cap, sizeof(*table));

	if (!table)
		return hf_err_nomem();
	for (uint32_t i = 0; i < d->names.n; i++) {
		size_t s = d->names.at[i].hash & (cap - 1);

		while (table[s])
			s = (s + 1) & (cap - 1);
		table[s] = i + 1;
	}
	hf_free(d->table);
	d->table = table;
	d->table_cap = cap;
	return NULL;
}

/* The first definition of a name stays. */
static struct hf_err *add_name(struct hf_dwarf *d, enum hf_die_class class, const char *name, uint64_t value)
{
	uint32_t hash = hash_name(class, name);
	size_t s;

	if (d->names.n * 2 >= d->table_cap)
		HF_TRY(grow_table(d));
	s = find_slot(d, class, name, hash);
	if (d->table[s] || d->names.n >= UINT32_MAX / 4)
		return NULL;
	HF_TRY(hf_vec_push(&d->names, ((struct hf_die_name){name, value, hash, (uint8_t) class})));
	d->table[s] = (uint32_t)d->names.n;
	return NULL;
}

bool hf_dwarf_find(const struct hf_dwarf *d, enum hf_die_class class, const char *name, uint64_t *ret)
{
	size_t s;

	if (!d->table_cap)
		return false;
	s = find_slot(d, class, name, hash_name(class, name));
	if (!d->table[s])
		return false;
	*ret = d->names.at[d->table[s] - 1].value;
	return true;
}

/* ---- the pass ----------------------------------------------------------------------------------------- */

static struct hf_err *index_variable(struct hf_dwarf *d, Dwarf_Die *die, struct facts *f)
{
	struct hf_dwarf_variable v = {.name = f->name};
	Dwarf_Die type;

	if (!f->has_location || !hf_die_address(&f->location, &v.addr) || v.addr < d->start ||
	    v.addr >= d->end)
		return NULL;
	/* C: a definition that refers to its declaration in a header. */
	if (!v.name && f->has_specification)
		v.name = hf_die_name(d, die);
	if (!f->has_type && f->has_specification)
		f->has_type = dwarf_attr_integrate(die, DW_AT_type, &f->type);
	if (f->has_type && dwarf_formref_die(&f->type, &type) && hf_die_unqualify(d, &type))
		v.type_key = hf_die_key(d, &type);
	if (!v.name)
		return NULL;
	HF_TRY(hf_vec_push(&d->variables, v));
	return add_name(d, HF_DIE_VARIABLE, v.name, d->variables.n - 1);
}

static struct hf_err *index_enumerators(struct hf_dwarf *d, Dwarf_Die *die)
{
	Dwarf_Die child;

	if (dwarf_child(die, &child))
		return NULL;
	do {
		const char *name = dwarf_tag(&child) == DW_TAG_enumerator ? hf_die_name(d, &child) : NULL;

		if (name)
			HF_TRY(add_name(d, HF_DIE_CONSTANT, name, hf_die_key(d, &child)));
	} while (hf_die_next(&child));
	return NULL;
}

static struct hf_err *index_type(struct hf_dwarf *d, Dwarf_Die *die, enum hf_die_class class,
				 const struct facts *f)
{
	uint64_t key = hf_die_key(d, die);

	if (f->is_declaration)
		return NULL;
	if (f->go_rtype)
		HF_TRY(hf_map64_put(&d->go_rtypes, f->go_rtype, key));
	return f->name ? add_name(d, class, f->name, key) : NULL;
}

static struct hf_err *index_die(struct hf_dwarf *d, Dwarf_Die *die)
{
	struct facts f = {.d = d};
	int tag = dwarf_tag(die);

	switch (tag) {
	case DW_TAG_variable:
	case DW_TAG_constant:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_base_type:
	case DW_TAG_pointer_type:
	case DW_TAG_typedef:
	case DW_TAG_array_type:
	case DW_TAG_subroutine_type:
	case DW_TAG_unspecified_type:
		dwarf_getattrs(die, gather, &f, 0);
		break;
	default:
		return NULL;
	}
	switch (tag) {
	case DW_TAG_variable:
		return index_variable(d, die, &f);
	case DW_TAG_constant:
		return f.name ? add_name(d, HF_DIE_CONSTANT, f.name, hf_die_key(d, die)) : NULL;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		return index_type(d, die, HF_DIE_STRUCT, &f);
	case DW_TAG_union_type:
		return index_type(d, die, HF_DIE_UNION, &f);
	case DW_TAG_enumeration_type:
		HF_TRY(index_enumerators(d, die));
		return index_type(d, die, HF_DIE_ENUM, &f);
	}
	return index_type(d, die, HF_DIE_TYPE, &f);
}

static struct hf_err *index_ranges(struct hf_dwarf *d, Dwarf_Die *unit)
{
	uint64_t key = hf_die_key(d, unit);
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	for (size_t n = 0; n < UNIT_RANGES_MAX && d->ranges.n < ALL_RANGES_MAX; n++) {
		at = dwarf_ranges(unit, at, &base, &start, &end);
		if (at <= 0)
			break;
		if (start < end)
			HF_TRY(hf_vec_push(&d->ranges, ((struct hf_die_unit_range){start, end, key})));
	}
	return NULL;
}

static struct hf_err *index_unit(struct hf_dwarf *d, Dwarf_Die *unit, uint8_t unit_type)
{
	Dwarf_Die die;

	if (dwarf_srclang(unit) == DW_LANG_Go)
		d->is_go = true;
	if (unit_type == DW_UT_compile)
		HF_TRY(index_ranges(d, unit));
	if (dwarf_child(unit, &die))
		return NULL;
	do {
		HF_TRY(index_die(d, &die));
	} while (hf_die_next(&die));
	return NULL;
}

static struct hf_err *index_units(struct hf_dwarf *d, Dwarf *dw)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Half version;
	uint8_t unit_type;
	Dwarf_Die die;

	while (dwarf_get_units(dw, unit, &unit, &version, &unit_type, &die, NULL) == 0)
		HF_TRY(index_unit(d, &die, unit_type));
	return NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static void remember_bytes(struct hf_dwarf *d, const struct hf_elf *elf, unsigned section, const char *name)
{
	const struct hf_elf_section *s = hf_elf_find_section(elf, name);
	const void *bytes;
	size_t len;

	if (s && !hf_err_ignore(hf_elf_section_bytes(elf, s, &bytes, &len)))
		d->inlined[section] = (struct hf_die_bytes){bytes, len};
}

static struct hf_err *open_alt(struct hf_dwarf *d, const struct hf_dwarf_source *src)
{
	struct hf_debugfile_query query = {.t = src->t,
					   .debug_dir = src->debug_dir,
					   .path = src->path,
					   .elf = src->elf,
					   .debuginfod = src->debuginfod};
	const char *name;
	const void *id;
	ssize_t id_len = dwelf_dwarf_gnu_debugaltlink(d->dw, &name, &id);

	if (id_len <= 0)
		return NULL;
	HF_TRY(hf_debugfile_find_alt(&query, name, id, (size_t)id_len, &d->alt_elf));
	d->alt = d->alt_elf ? dwarf_begin_elf(d->alt_elf->elf, DWARF_C_READ, NULL) : NULL;
	/* Without one libdw would look for it itself, and open whatever stands at the path that the file names. */
	if (!d->alt)
		return hf_err(HF_BADDATA, "the DWARF of %s needs the supplementary file %s: install it",
			      src->path, name);
	remember_bytes(d, d->alt_elf, HF_DIE_ALT, ".debug_info");
	dwarf_setalt(d->dw, d->alt);
	return NULL;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct hf_die_unit_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct hf_err *hf_dwarf_open(const struct hf_dwarf_source *src, struct hf_dwarf **ret)
{
	_cleanup_(hf_dwarf_close_p) struct hf_dwarf *d = hf_calloc(1, sizeof(*d));

	if (!d)
		return hf_err_nomem();
	d->module = src->module;
	d->start = src->start;
	d->end = src->end;
	d->dw = dwarf_begin_elf(src->elf->elf, DWARF_C_READ, NULL);
	if (!d->dw)
		return hf_err(HF_BADDATA, "the DWARF of %s cannot be read: %s", src->path, dwarf_errmsg(-1));
	remember_bytes(d, src->elf, HF_DIE_INFO, ".debug_info");
	remember_bytes(d, src->elf, HF_DIE_TYPES, ".debug_types");
	HF_TRY(open_alt(d, src)); /* first: names of the main file may stand in it */
	HF_TRY(index_units(d, d->dw));
	if (d->alt)
		HF_TRY(index_units(d, d->alt));
	if (d->ranges.n)
		qsort(d->ranges.at, d->ranges.n, sizeof(*d->ranges.at), compare_ranges);
	*ret = take_ptr(d);
	return NULL;
}

void hf_dwarf_close(struct hf_dwarf *d)
{
	if (!d)
		return;
	hf_vec_each(&d->functions, f)
		hf_free(f->at);
	hf_vec_deinit(&d->functions);
	hf_vec_deinit(&d->names);
	hf_vec_deinit(&d->variables);
	hf_vec_deinit(&d->ranges);
	hf_free(d->table);
	hf_map64_deinit(&d->go_rtypes);
	hf_map64_deinit(&d->units);
	dwarf_end(d->dw);
	dwarf_end(d->alt);
	hf_elf_close(d->alt_elf);
	hf_free(d);
}

void hf_dwarf_close_p(struct hf_dwarf **d)
{
	hf_dwarf_close(*d);
}

bool hf_dwarf_is_go(const struct hf_dwarf *d)
{
	return d->is_go;
}

size_t hf_dwarf_variables(const struct hf_dwarf *d, const struct hf_dwarf_variable **ret)
{
	*ret = d->variables.at;
	return d->variables.n;
}

bool hf_dwarf_constant(const struct hf_dwarf *d, uint64_t key, int64_t *ret)
{
	Dwarf_Die die;
	Dwarf_Attribute a;
	Dwarf_Sword v;

	if (!hf_die_get(d, key, &die) || !dwarf_attr_integrate(&die, DW_AT_const_value, &a) ||
	    dwarf_formsdata(&a, &v))
		return false;
	*ret = v;
	return true;
}

uint64_t hf_dwarf_find_go_rtype(const struct hf_dwarf *d, uint64_t value)
{
	uint64_t key;

	return hf_map64_find(&d->go_rtypes, value, &key) ? key : 0;
}
