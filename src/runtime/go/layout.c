#include "layout.h"
#include "stripped.h"

#include <stdlib.h>

#define OLDEST GO_OLDEST
#define NEWEST GO_NEWEST

static const struct {
	const char *structure, *member;
	int32_t off[NEWEST - OLDEST + 1];
} fields[GO_FIELDS_N] = {
#define GO_FIELD_ROW(id, structure, member, ...) [GO_##id] = {structure, member, {__VA_ARGS__}},
	GO_FIELDS(GO_FIELD_ROW)
#undef GO_FIELD_ROW
};

static const char *const variables[GO_VARIABLES_N] = {
#define GO_VARIABLE_ROW(id, name) [GO_VAR_##id] = name,
	GO_VARIABLES(GO_VARIABLE_ROW)
#undef GO_VARIABLE_ROW
};

/* runtime/mheap.go, _KindSpecial*, in 1.20..1.27. */
static const struct {
	const char *constant;
	int kind[NEWEST - OLDEST + 1];
} specials[GO_SPECIALS] = {
	[GO_SPECIAL_FINALIZER] = {"runtime._KindSpecialFinalizer", {1, 1, 1, 1, 1, 2, 2, 2}},
	[GO_SPECIAL_WEAK] = {"runtime._KindSpecialWeakHandle", {-1, -1, -1, 2, 2, 3, 3, 3}},
	[GO_SPECIAL_PROFILE] = {"runtime._KindSpecialProfile", {2, 2, 2, 3, 3, 4, 4, 4}},
	[GO_SPECIAL_CLEANUP] = {"runtime._KindSpecialCleanup", {-1, -1, -1, -1, 6, 7, 7, 7}},
};

int go_version_minor(const char *version)
{
	const char *p = strstr(version, "go1.");
	char *end;
	long minor;

	if (!p)
		return -1;
	minor = strtol(p + 4, &end, 10);
	return end == p + 4 || minor < 0 || minor > 1000 ? -1 : (int)minor;
}

/* 1.20 names the type structures otherwise; allArenas and the like moved with their names. */
static bool field_in_dwarf(struct hf_syms *s, const char *structure, const char *member, int32_t *ret)
{
	struct hf_field field;
	uint32_t id;
	const struct hf_type *type;

	if (*member) {
		if (!hf_syms_find_field(s, structure, member, &field) || field.offset > INT32_MAX)
			return false;
		*ret = (int32_t)field.offset;
		return true;
	}
	id = hf_syms_find_type(s, structure);
	type = id ? hf_type_strip(s, id) : NULL;
	if (!type || !type->size || type->size > INT32_MAX)
		return false;
	*ret = (int32_t)type->size;
	return true;
}

static bool offsets_from_dwarf(struct go_layout *l, struct hf_syms *s)
{
	if (!hf_syms_has_dwarf(s) || !hf_syms_find_type(s, "runtime.mspan"))
		return false;
	for (size_t i = 0; i < GO_FIELDS_N; i++)
		if (!field_in_dwarf(s, fields[i].structure, fields[i].member, &l->off[i]))
			l->off[i] = -1;
	return true;
}

/* DWARF drops structures that the program never mentions: those come from the table, if the rest agrees with it. */
static void fill_from_table(struct go_layout *l)
{
	int column = l->minor - OLDEST;

	for (size_t i = 0; i < GO_FIELDS_N; i++)
		if (l->off[i] < 0)
			l->off[i] = fields[i].off[column];
}

static void special_kinds(struct go_layout *l, struct hf_syms *s)
{
	bool known = l->minor >= OLDEST && l->minor <= NEWEST;
	int64_t value;

	for (int i = 0; i < GO_SPECIALS; i++) {
		l->special_kind[i] = known ? specials[i].kind[l->minor - OLDEST] : -1;
		if (l->from_dwarf && hf_syms_find_constant(s, specials[i].constant, &value))
			l->special_kind[i] = (int)value;
	}
}

static void find_variables(struct go_layout *l, struct hf_syms *s)
{
	for (int i = 0; i < GO_VARIABLES_N; i++) {
		struct hf_variable variable;
		struct hf_symbol symbol;

		if (hf_syms_find_symbol(s, variables[i], &symbol))
			l->var[i] = symbol.addr;
		else if (hf_syms_find_variable(s, variables[i], &variable))
			l->var[i] = variable.addr;
	}
	struct hf_symbol reasons;

	if (hf_syms_find_symbol(s, variables[GO_VAR_WAITREASONS], &reasons))
		l->wait_reasons_n = hf_min(reasons.size / 16, (uint64_t)255);
}

/* What a walk cannot do without, whatever the version. */
static struct hf_err *check_fields(const struct go_layout *l, const char *version)
{
	static const enum go_field needed[] = {
		GO_MHEAP_ALLSPANS,
		GO_MHEAP_SWEEPGEN,
		GO_MSPAN_SIZE,
		GO_MSPAN_START_ADDR,
		GO_MSPAN_NPAGES,
		GO_MSPAN_FREEINDEX,
		GO_MSPAN_NELEMS,
		GO_MSPAN_ALLOC_BITS,
		GO_MSPAN_ALLOC_COUNT,
		GO_MSPAN_SPANCLASS,
		GO_MSPAN_STATE,
		GO_MSPAN_ELEMSIZE,
		GO_MSPAN_SPECIALS,
		GO_SPECIAL_SIZE,
		GO_SPECIAL_NEXT,
		GO_SPECIAL_OFFSET,
		GO_SPECIAL_KIND,
		GO_G_STACK_LO,
		GO_G_STACK_HI,
		GO_G_SCHED_SP,
		GO_G_SCHED_PC,
		GO_G_SCHED_CTXT,
		GO_G_ATOMICSTATUS,
		GO_G_GOID,
		GO_G_M,
		GO_G_DEFER,
		GO_G_PANIC,
		GO_G_SYSCALLSP,
		GO_G_SYSCALLPC,
		GO_G_WAITREASON,
		GO_G_GOPC,
		GO_G_STARTPC,
		GO_M_PROCID,
		GO_M_CURG,
		GO_P_MCACHE,
		GO_MODULEDATA_SIZE,
		GO_MODULEDATA_FTAB,
		GO_MODULEDATA_PCLNTABLE,
		GO_MODULEDATA_PCTAB,
		GO_MODULEDATA_TEXT,
		GO_MODULEDATA_TYPES,
		GO_MODULEDATA_GOFUNC,
		GO_MODULEDATA_GCDATAMASK,
		GO_MODULEDATA_GCBSSMASK,
		GO_MODULEDATA_NEXT,
	};

	for (size_t i = 0; i < HF_LEN(needed); i++)
		if (l->off[needed[i]] < 0)
			return hf_err(HF_UNSUPPORTED, "%s: neither DWARF nor our tables say where %s.%s is",
				      version, fields[needed[i]].structure, fields[needed[i]].member);
	return NULL;
}

static struct hf_err *check_variables(const struct go_layout *l, const char *version)
{
	static const enum go_variable variables_needed[] = {GO_VAR_MHEAP, GO_VAR_FIRSTMODULEDATA,
							    GO_VAR_ALLGS};

	for (size_t i = 0; i < HF_LEN(variables_needed); i++)
		if (!l->var[variables_needed[i]])
			return hf_err(HF_UNSUPPORTED,
				      "%s: no symbol or DWARF for %s: is the executable stripped?", version,
				      variables[variables_needed[i]]);
	return NULL;
}

/* What the version alone says of how the heap is kept. */
static void set_era(struct go_layout *l)
{
	l->nelems_width = l->minor <= 21 ? 8 : 2;
	l->alloc_headers = l->off[GO_MSPAN_LARGE_TYPE] >= 0;
	l->special_payload = (uint32_t)hf_max(l->off[GO_SPECIAL_SIZE], 0);
	l->sudog_value = l->minor >= 26 ? 8 : 0;
	l->green_tea = l->minor >= 26;
	l->swiss_maps = l->minor >= 24;
	l->mask_on_demand = l->minor >= 24;
	/* internal/abi/type.go: KindDirectIface = 1<<5 up to 1.25, TFlagDirectIface = 1<<5 since 1.26. */
	l->direct_iface_kind = l->minor <= 25 ? 1 << 5 : 0;
	l->direct_iface_tflag = l->minor >= 26 ? 1 << 5 : 0;
}

/* "go1.25.14 X:greenteagc,noswissmap", "go1.26.8-X:nogreenteagc": what differs from the release's own choice.
 * Source: Go 1.20-1.27 internal/buildcfg/exp.go, cmd/go version strings. */
static bool has_experiment(const char *version, const char *name)
{
	const char *p = strstr(version, "X:");
	size_t n = strlen(name);

	for (p = p ? p + 2 : NULL; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, name, n) && (!p[n] || p[n] == ',' || p[n] == ' '))
			return true;
	return false;
}

/* Without swiss maps, 1.24 and 1.25 keep the old ones, with a word more before `extra`.
 * Source: Go 1.24 runtime/map_noswiss.go, hmap. */
static void keep_old_maps(struct go_layout *l)
{
	static const enum go_field same[] = {GO_HMAP_COUNT,          GO_HMAP_FLAGS,      GO_HMAP_B,
					     GO_HMAP_BUCKETS,        GO_HMAP_OLDBUCKETS, GO_MAPEXTRA_OVERFLOW,
					     GO_MAPEXTRA_OLDOVERFLOW};

	l->swiss_maps = false;
	for (size_t i = 0; i < HF_LEN(same); i++)
		if (l->off[same[i]] < 0)
			l->off[same[i]] = fields[same[i]].off[23 - OLDEST];
	if (l->off[GO_HMAP_SIZE] < 0)
		l->off[GO_HMAP_SIZE] = fields[GO_HMAP_SIZE].off[23 - OLDEST] + 8;
	if (l->off[GO_HMAP_EXTRA] < 0)
		l->off[GO_HMAP_EXTRA] = fields[GO_HMAP_EXTRA].off[23 - OLDEST] + 8;
}

/* What experiments change, by the version's own words. */
static void set_named_experiments(struct go_layout *l, const char *version)
{
	if (has_experiment(version, "greenteagc"))
		l->green_tea = true;
	if (has_experiment(version, "nogreenteagc"))
		l->green_tea = false;
	if (l->minor >= 24 && has_experiment(version, "noswissmap"))
		keep_old_maps(l);
}

/* What experiments of the toolchain change, where DWARF tells. */
static void set_experiments(struct go_layout *l, struct hf_syms *s)
{
	struct hf_field field;
	int32_t inline_marks;

	if (hf_syms_find_field(s, "runtime.mspan", "nelems", &field))
		l->nelems_width = field.size == 8 ? 8 : 2;
	if (hf_syms_find_field(s, "runtime.sudog", "elem", &field))
		l->sudog_value = field.size == 16 ? 8 : 0;
	/* runtime/mgcmark_greenteagc.go: 128 bytes where the experiment is on, an empty structure where it is off. */
	l->green_tea =
		field_in_dwarf(s, "runtime.spanInlineMarkBits", "", &inline_marks) && inline_marks == 128;
	l->swiss_maps =
		hf_syms_find_type(s, "internal/runtime/maps.Map") && !hf_syms_find_type(s, "runtime.hmap");
}

void go_layout_from_table(struct go_layout *l, int minor)
{
	*l = (struct go_layout){.minor = minor};
	for (size_t i = 0; i < GO_FIELDS_N; i++)
		l->off[i] = fields[i].off[minor - OLDEST];
	for (int i = 0; i < GO_SPECIALS; i++)
		l->special_kind[i] = specials[i].kind[minor - OLDEST];
	set_era(l);
}

struct hf_err *go_layout_init(struct go_layout *l, struct hf_target *t, struct hf_syms *s,
			      const char *version)
{
	*l = (struct go_layout){.minor = go_version_minor(version)};
	for (size_t i = 0; i < GO_FIELDS_N; i++)
		l->off[i] = -1;
	l->from_dwarf = offsets_from_dwarf(l, s);
	if (l->minor < OLDEST || (l->minor > NEWEST && !l->from_dwarf))
		return hf_err(HF_UNSUPPORTED, "%s is not supported: known are go1.%d to go1.%d%s", version,
			      OLDEST, NEWEST,
			      l->minor > NEWEST ? ", and later ones if the executable has DWARF" : "");
	if (l->minor <= NEWEST)
		fill_from_table(l);
	special_kinds(l, s);
	find_variables(l, s);
	set_era(l);
	set_named_experiments(l, version);
	if (l->from_dwarf)
		set_experiments(l, s);
	HF_TRY(check_fields(l, version));
	/* Stripped: neither symbols nor DWARF. */
	if (!l->var[GO_VAR_FIRSTMODULEDATA] && !l->from_dwarf) {
		l->stripped = true;
		HF_TRY(go_stripped_find_main(t, s, version, l));
	}
	return check_variables(l, version);
}
