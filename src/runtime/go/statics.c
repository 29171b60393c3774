/* Variables that have no name of their own: what the compiler lays out for `var p = &T{...}`, or for the array behind a
 * slice. They are called after the variable that leads to them. */
#include "names.h"

#include <stdlib.h>

#define LEVELS_MAX 4

struct lead {
	uint64_t value, slot;
	bool named; /* the slot stands in a variable */
};

struct go_statics {
	HF_VEC(struct lead) leads; /* to static data outside of variables; ascending by value */
};

/* ---- what leads to static data ------------------------------------------------------------------------------------- */

static bool in_data(const struct go *go, uint64_t addr)
{
	hf_vec_each(&go->modules, m)
		if ((addr >= m->data && addr < m->edata) || (addr >= m->bss && addr < m->ebss) ||
		    (addr >= m->noptrdata && addr < m->enoptrdata) ||
		    (addr >= m->noptrbss && addr < m->enoptrbss))
			return true;
	return false;
}

static struct hf_err *add_leads(void *arg, const struct go_section *s)
{
	struct go *go = arg;
	struct hf_variable variable;

	for (uint64_t i = 0; i < s->n; i++) {
		struct lead lead = {.value = go_section_word(s, i), .slot = s->start + i * 8};

		if (!go_section_has(s, i) || !in_data(go, lead.value) ||
		    hf_syms_variable_at(go->syms, lead.value, &variable))
			continue;
		lead.named = hf_syms_variable_at(go->syms, lead.slot, &variable);
		HF_TRY(hf_vec_push(&go->statics->leads, lead));
	}
	return NULL;
}

/* Of slots that lead to one place, one in a variable comes last. */
static int compare_leads(const void *a, const void *b)
{
	const struct lead *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	if (x->named != y->named)
		return x->named ? 1 : -1;
	return x->slot < y->slot ? 1 : -(x->slot > y->slot);
}

static struct hf_err *read_leads(struct go *go)
{
	if (go->statics)
		return NULL;
	go->statics = hf_calloc(1, sizeof(*go->statics));
	if (!go->statics)
		return hf_err_nomem();
	HF_TRY(go_each_section(go, add_leads, go));
	if (go->statics->leads.n)
		qsort(go->statics->leads.at, go->statics->leads.n, sizeof(*go->statics->leads.at),
		      compare_leads);
	return NULL;
}

void go_statics_destroy(struct go *go)
{
	if (go->statics)
		hf_vec_deinit(&go->statics->leads);
	hf_free(go->statics);
	go->statics = NULL;
}

/* The last that leads to addr or before it. */
static const struct lead *find_lead(const struct go *go, uint64_t addr)
{
	size_t low = 0, high = go->statics->leads.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (go->statics->leads.at[middle].value <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &go->statics->leads.at[low - 1] : NULL;
}

/* ---- the way there ------------------------------------------------------------------------------------------------------ */

/* What a pointer of an interface leads to, and the assertion that says so. */
static uint32_t pointed_type(struct go *go, const struct go_type *interface, const struct lead *lead,
			     struct hf_str *path)
{
	const struct go_type *row;
	uint64_t word;
	uint32_t dynamic;

	if (hf_err_ignore(hf_target_read_u64(go->t, lead->slot - 8, &word)))
		return GO_NO_TYPE;
	dynamic = interface->count ? go_iface_type(go, word) : go_eface_type(go, word);
	row = go_type_get(go, dynamic);
	hf_str_add(path, ".(");
	hf_str_add_short(path, go_type_name(go, dynamic));
	hf_str_addc(path, ')');
	return row->kind == GO_KIND_POINTER ? row->elem : dynamic;
}

/* Follows a slot in the value at `base` to the value that it leads to, which must reach to addr. */
static bool follow(struct go *go, const struct lead *lead, uint64_t addr, struct go_static *at,
		   struct hf_str *path)
{
	const struct go_type *row;
	uint32_t inner, elem;
	uint64_t rest, size, n = 1;

	if (at->offset >= go_type_get(go, at->type)->size)
		return false;
	go_path_walk(go, at->type, at->offset, path, &inner, &rest);
	row = go_type_get(go, inner);
	elem = row->elem;
	if (row->kind == GO_KIND_INTERFACE && rest == 8)
		elem = pointed_type(go, row, lead, path);
	else if (rest || (row->kind != GO_KIND_POINTER && row->kind != GO_KIND_SLICE))
		return false;
	if (row->kind == GO_KIND_SLICE && hf_err_ignore(hf_target_read_u64(go->t, lead->slot + 16, &n)))
		return false;
	size = go_type_get(go, elem)->size;
	if (!size || (addr - lead->value) / size >= n)
		return false;
	*at = (struct go_static){.type = elem, .offset = (addr - lead->value) % size};
	if (row->kind == GO_KIND_SLICE)
		hf_str_addf(path, "[%" PRIu64 "]", (addr - lead->value) / size);
	return true;
}

static void begin(struct go *go, const struct hf_variable *v, uint64_t addr, struct go_static *ret)
{
	*ret = (struct go_static){.type = go_type_of_dwarf(go, v->type), .offset = addr - v->addr};
}

struct hf_err *go_static_find(struct go *go, uint64_t addr, struct hf_str *name, struct hf_str *path,
			      struct go_static *ret)
{
	const struct lead *leads[LEVELS_MAX];
	struct hf_variable variable;
	struct hf_symbol symbol;
	struct hf_str way = {0};
	unsigned n = 0;
	bool found;

	found = hf_syms_variable_at(go->syms, addr, &variable);
	/* A symbol is a name, but for the compiler's own. */
	if (!found && hf_syms_symbol_at(go->syms, addr, &symbol) && symbol.is_object &&
	    addr - symbol.addr < symbol.size && !strstr(symbol.name, "..stmp_"))
		return NULL;
	if (!found)
		HF_TRY(read_leads(go));
	for (uint64_t at = addr; !found && n < LEVELS_MAX; at = leads[n++]->slot) {
		leads[n] = find_lead(go, at);
		if (!leads[n])
			return NULL;
		found = hf_syms_variable_at(go->syms, leads[n]->slot, &variable);
	}
	if (!found)
		return NULL;
	begin(go, &variable, n ? leads[n - 1]->slot : addr, ret);
	for (unsigned i = n; i-- > 0 && found;)
		found = follow(go, leads[i], i ? leads[i - 1]->slot : addr, ret, &way);
	if (found) {
		hf_str_add(name, variable.name);
		hf_str_add(path, hf_str_get(&way));
	}
	hf_str_deinit(&way);
	return NULL;
}
