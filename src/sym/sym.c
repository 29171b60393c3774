/* Questions to all modules of a target. */
#include "internal.h"

#include <stdlib.h>

#define NESTED_MAX 16 /* variables that may begin inside another, when looking for the outer one */

struct hf_err *hf_syms_open(struct hf_target *t, const struct hf_syms_options *options, struct hf_syms **ret)
{
	struct hf_syms *s = hf_calloc(1, sizeof(*s));
	struct hf_err *err;

	if (!s)
		return hf_err_nomem();
	s->t = t;
	s->debug_dir = "/usr/lib/debug";
	if (options && options->debug_dir) {
		s->debug_dir = hf_arena_strndup(&s->arena, options->debug_dir, strlen(options->debug_dir));
		err = s->debug_dir ? NULL : hf_err_nomem();
		if (err)
			goto fail;
	}
	s->debuginfod = options && options->debuginfod;
	err = hf_modules_find(s);
	if (err)
		goto fail;
	*ret = s;
	return NULL;
fail:
	hf_syms_close(s);
	return err;
}

void hf_syms_close(struct hf_syms *s)
{
	if (!s)
		return;
	hf_vec_each(&s->modules, m) {
		hf_dwarf_close(m->dwarf);
		hf_elf_close(m->debug);
		hf_elf_close(m->elf);
	}
	hf_vec_deinit(&s->modules);
	hf_vec_deinit(&s->by_start);
	hf_vec_deinit(&s->types);
	hf_map64_deinit(&s->type_ids);
	hf_map64_deinit(&s->go_rtypes);
	hf_arena_deinit(&s->arena);
	hf_free(s);
}

size_t hf_syms_modules(const struct hf_syms *s, const struct hf_module **ret)
{
	*ret = s->modules.at;
	return s->modules.n;
}

const struct hf_module *hf_syms_main(const struct hf_syms *s)
{
	return &s->modules.at[0];
}

const struct hf_module *hf_syms_find_module(const struct hf_syms *s, uint64_t addr)
{
	return hf_module_at(s, addr);
}

/* ---- symbols ------------------------------------------------------------------------------------------ */

static void tell_symbol(const struct hf_module *m, const struct hf_elf_symbol *sym, struct hf_symbol *ret)
{
	*ret = (struct hf_symbol){.name = sym->name,
				  .addr = sym->addr + m->bias,
				  .size = sym->size,
				  .is_function = sym->is_function,
				  .is_object = sym->is_object,
				  .is_ifunc = sym->is_ifunc,
				  .module = m};
}

/* The debug file's symbols are more than .dynsym, so it is asked where the module has no table of its own. */
static struct hf_elf *debug_symbols(struct hf_syms *s, struct hf_module *m)
{
	return hf_elf_has_symtab(m->elf) ? NULL : hf_module_debug(s, m);
}

bool hf_syms_find_symbol_in(struct hf_syms *s, const struct hf_module *module, const char *name,
			    struct hf_symbol *ret)
{
	struct hf_module *m = &s->modules.at[module - s->modules.at];
	struct hf_elf_symbol sym;
	struct hf_elf *debug;

	if (!m->elf)
		return false;
	if (!hf_elf_find_symbol(m->elf, name, &sym)) {
		debug = debug_symbols(s, m);
		if (!debug || !hf_elf_find_symbol(debug, name, &sym))
			return false;
	}
	tell_symbol(m, &sym, ret);
	return true;
}

bool hf_syms_find_symbol(struct hf_syms *s, const char *name, struct hf_symbol *ret)
{
	hf_vec_each(&s->modules, m)
		if (hf_syms_find_symbol_in(s, m, name, ret))
			return true;
	return false;
}

void hf_syms_walk_functions(struct hf_syms *s, const struct hf_module *module, hf_symbol_fn *fn, void *arg)
{
	struct hf_module *m = &s->modules.at[module - s->modules.at];
	struct hf_elf *debug = m->elf ? debug_symbols(s, m) : NULL;
	struct hf_elf_symbol sym;
	struct hf_symbol told;

	for (size_t i = 0; m->elf && hf_elf_symbol_get(debug ? debug : m->elf, i, &sym); i++) {
		tell_symbol(m, &sym, &told);
		if (sym.is_function && !fn(arg, &told))
			return;
	}
}

bool hf_syms_symbol_at(struct hf_syms *s, uint64_t addr, struct hf_symbol *ret)
{
	struct hf_module *m = hf_module_at(s, addr);
	struct hf_elf *debug;
	struct hf_elf_symbol sym;

	if (!m || !m->elf)
		return false;
	if (!hf_elf_symbol_at(m->elf, addr - m->bias, &sym)) {
		debug = debug_symbols(s, m);
		if (!debug || !hf_elf_symbol_at(debug, addr - m->bias, &sym))
			return false;
	}
	tell_symbol(m, &sym, ret);
	return true;
}

/* ---- DWARF -------------------------------------------------------------------------------------------- */

struct hf_dwarf *hf_dwarf_each(struct hf_syms *s, size_t *i)
{
	while (*i < s->modules.n) {
		struct hf_module *m = &s->modules.at[(*i)++], *main = &s->modules.at[0];
		struct hf_dwarf *d;

		/* A Go program's libraries are C's: not worth the opening for each name that is probed for. */
		if (m != main && main->dwarf && hf_dwarf_is_go(main->dwarf) && !m->dwarf_tried)
			continue;
		d = hf_module_dwarf(s, m);
		if (d)
			return d;
	}
	return NULL;
}

bool hf_syms_has_dwarf(struct hf_syms *s)
{
	return hf_module_dwarf(s, &s->modules.at[0]);
}

static struct hf_variable tell_variable(struct hf_syms *s, const struct hf_module *m,
					const struct hf_dwarf_variable *v)
{
	return (struct hf_variable){.name = v->name,
				    .addr = v->addr + m->bias,
				    .type = hf_type_id(s, v->type_key),
				    .size = hf_dwarf_type_size(m->dwarf, v->type_key)};
}

static int compare_variables(const void *a, const void *b)
{
	const struct hf_variable *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct hf_err *hf_syms_variables(struct hf_syms *s, const struct hf_variable **ret, size_t *ret_n)
{
	const struct hf_dwarf_variable *from;
	struct hf_variable *all;
	size_t n = 0, k = 0;

	hf_syms_has_dwarf(s);
	if (s->variables_of != s->dwarfs) {
		hf_vec_each(&s->modules, m)
			n += m->dwarf ? hf_dwarf_variables(m->dwarf, &from) : 0;
		/* The array before stays in the arena: it was promised to live as long. */
		all = hf_arena_alloc(&s->arena, n * sizeof(*all));
		if (!all)
			return hf_err_nomem();
		hf_vec_each(&s->modules, m) {
			size_t here = m->dwarf ? hf_dwarf_variables(m->dwarf, &from) : 0;

			for (size_t i = 0; i < here; i++)
				all[k++] = tell_variable(s, m, &from[i]);
		}
		qsort(all, n, sizeof(*all), compare_variables);
		s->variables = all;
		s->variables_n = n;
		s->variables_of = s->dwarfs;
	}
	*ret = s->variables;
	*ret_n = s->variables_n;
	return NULL;
}

bool hf_syms_find_variable(struct hf_syms *s, const char *name, struct hf_variable *ret)
{
	const struct hf_dwarf_variable *v;
	struct hf_dwarf *d = NULL;
	uint64_t at;
	size_t i = 0;

	while ((d = hf_dwarf_each(s, &i))) {
		if (hf_dwarf_find(d, HF_DIE_VARIABLE, name, &at)) {
			hf_dwarf_variables(d, &v);
			*ret = tell_variable(s, &s->modules.at[i - 1], &v[at]);
			return true;
		}
	}
	return false;
}

bool hf_syms_variable_at(struct hf_syms *s, uint64_t addr, struct hf_variable *ret)
{
	struct hf_module *m = hf_module_at(s, addr);
	const struct hf_variable *v;
	size_t lo = 0, hi, n;

	if (!m || !hf_module_dwarf(s, m) || hf_err_ignore(hf_syms_variables(s, &v, &n)))
		return false;
	for (hi = n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t tries = 0; tries < NESTED_MAX && lo > 0; tries++) {
		lo--;
		if (addr - v[lo].addr < hf_max(v[lo].size, (uint64_t)1)) {
			*ret = v[lo];
			return true;
		}
	}
	return false;
}

bool hf_syms_find_constant(struct hf_syms *s, const char *name, int64_t *ret)
{
	struct hf_dwarf *d = NULL;
	uint64_t key;
	size_t i = 0;

	while ((d = hf_dwarf_each(s, &i)))
		if (hf_dwarf_find(d, HF_DIE_CONSTANT, name, &key) && hf_dwarf_constant(d, key, ret))
			return true;
	return false;
}

struct hf_err *hf_syms_source_frames(struct hf_syms *s, uint64_t pc, struct hf_source_frame *ret, size_t max,
				     size_t *ret_n)
{
	struct hf_module *m = hf_module_at(s, pc);
	struct hf_dwarf *d = m ? hf_module_dwarf(s, m) : NULL;
	struct hf_symbol sym = {0};
	size_t n = 0;

	if (d && max)
		HF_TRY(hf_dwarf_source_frames(d, pc - m->bias, ret, max, &n));
	if (max && (!n || !ret[0].function) && hf_syms_symbol_at(s, pc, &sym)) {
		if (!n)
			ret[0] = (struct hf_source_frame){.file = ""};
		ret[0].function = sym.name;
		n = 1;
	} else if (n && !ret[0].function) {
		ret[0].function = "?";
	}
	*ret_n = n;
	return NULL;
}

bool hf_syms_prototype_at(struct hf_syms *s, uint64_t pc, struct hf_prototype *ret)
{
	struct hf_module *m = hf_module_at(s, pc);
	struct hf_dwarf *d = m ? hf_module_dwarf(s, m) : NULL;

	return d && hf_dwarf_prototype_at(s, d, pc - m->bias, ret);
}

struct hf_err *hf_syms_walk_locals(struct hf_syms *s, uint64_t pc, hf_local_fn *fn, void *arg)
{
	struct hf_module *m = hf_module_at(s, pc);
	struct hf_dwarf *d = m ? hf_module_dwarf(s, m) : NULL;

	return d ? hf_dwarf_walk_locals(s, d, pc - m->bias, fn, arg) : NULL;
}

struct hf_err *hf_syms_walk_variables(struct hf_syms *s, uint64_t pc, hf_local_fn *fn, void *arg)
{
	struct hf_module *m = hf_module_at(s, pc);
	struct hf_dwarf *d = m ? hf_module_dwarf(s, m) : NULL;

	return d ? hf_dwarf_walk_variables(s, d, pc - m->bias, fn, arg) : NULL;
}
