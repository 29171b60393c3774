/* Names of functions. */
#include "c.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define NAME_MAX_  96 /* names that are longer are near to none */
#define NEAREST    3
#define LOOKED_MAX 200000 /* functions that are compared with a name that there is not */

/* ---- the nearest names ------------------------------------------------------------------------------------ */

struct near {
	const char *wanted;
	size_t looked;
	const char *names[NEAREST];
	unsigned distances[NEAREST];
};

/* Levenshtein's, of names of up to NAME_MAX_. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_ + 1], n = (unsigned)strlen(b);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned left_up = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned up = row[j], best = hf_min(up, row[j - 1]) + 1;

			best = hf_min(best, left_up + (a[i - 1] != b[j - 1]));
			left_up = up;
			row[j] = best;
		}
	}
	return row[n];
}

static void keep_near(struct near *n, const char *name, unsigned d)
{
	unsigned i = NEAREST;

	while (i && (!n->names[i - 1] || d < n->distances[i - 1])) {
		if (i < NEAREST) {
			n->names[i] = n->names[i - 1];
			n->distances[i] = n->distances[i - 1];
		}
		i--;
	}
	if (i == NEAREST)
		return;
	n->names[i] = name;
	n->distances[i] = d;
}

static bool look_at(void *arg, const struct hf_symbol *sym)
{
	struct near *n = arg;
	size_t len = strlen(sym->name);

	if (++n->looked > LOOKED_MAX)
		return false;
	if (len && len <= NAME_MAX_ && sym->name[0] != '_' && sym->name[0] != '.')
		keep_near(n, sym->name, distance(n->wanted, sym->name));
	return true;
}

static struct hf_err *no_such(struct hf_callee *c, const char *name)
{
	struct near n = {.wanted = name};

	if (strlen(name) <= NAME_MAX_)
		hf_syms_walk_functions(c->syms, hf_syms_main(c->syms), look_at, &n);
	if (!n.names[0])
		return hf_err(HF_USAGE, "there is no function %s in the program or its libraries", name);
	return hf_err(HF_USAGE,
		      "there is no function %s in the program or its libraries; the nearest are %s%s%s%s%s",
		      name, n.names[0], n.names[1] ? ", " : "", n.names[1] ? n.names[1] : "",
		      n.names[2] ? ", " : "", n.names[2] ? n.names[2] : "");
}

/* ---- what is asked for --------------------------------------------------------------------------------------- */

static bool is_code(struct hf_callee *c, uint64_t addr)
{
	const struct hf_map *map = hf_target_find_map(c->t, addr);
	const struct hf_module *m = hf_syms_find_module(c->syms, addr);
	struct hf_section section;

	if (m && hf_module_section_at(m, addr, &section))
		return section.executable;
	return map && map->executable;
}

static struct hf_err *find_at(struct hf_callee *c, const char *name, struct hf_ctor *ret)
{
	struct hf_symbol sym;
	char *end;
	uint64_t addr;

	errno = 0;
	addr = strtoull(name, &end, 16);
	if (errno || *end)
		return hf_err(HF_USAGE, "%s is no address", name);
	if (!is_code(c, addr))
		return hf_err_at(HF_USAGE, addr, "there is no code at 0x%" PRIx64, addr);
	ret->code = ret->value = addr;
	ret->name = name;
	if (!hf_syms_symbol_at(c->syms, addr, &sym))
		return NULL;
	if (sym.addr != addr && sym.size)
		return hf_err_at(HF_USAGE, addr,
				 "0x%" PRIx64 " is in the middle of %s, which begins at 0x%" PRIx64, addr,
				 sym.name, sym.addr);
	if (sym.addr == addr)
		ret->name = sym.name;
	return NULL;
}

/* "libx.so:make": in the module whose file is of that name. */
static bool find_in_file(struct hf_callee *c, const char *name, const char *colon, struct hf_symbol *ret)
{
	const struct hf_module *m;
	size_t n = hf_syms_modules(c->syms, &m), len = (size_t)(colon - name);

	for (size_t i = 0; i < n; i++) {
		const char *base = strrchr(m[i].path, '/');

		base = base ? base + 1 : m[i].path;
		if (((strlen(base) == len && !strncmp(base, name, len)) ||
		     (strlen(m[i].path) == len && !strncmp(m[i].path, name, len))) &&
		    hf_syms_find_symbol_in(c->syms, &m[i], colon + 1, ret))
			return true;
	}
	return false;
}

struct hf_err *c_find(struct hf_callee *c, const char *name, struct hf_ctor *ret)
{
	const char *colon = strrchr(name, ':');
	struct hf_symbol sym;

	if (name[0] == '0' && tolower((unsigned char)name[1]) == 'x')
		return find_at(c, name, ret);
	/* C++'s names have colons, too. */
	if (!hf_syms_find_symbol(c->syms, name, &sym) && !(colon && find_in_file(c, name, colon, &sym)))
		return no_such(c, name);
	if (sym.is_ifunc)
		return hf_err_at(
			HF_UNSUPPORTED, sym.addr,
			"%s is chosen by the processor when the program starts: name the one that it chooses",
			name);
	if (!sym.is_function && !is_code(c, sym.addr))
		return hf_err_at(HF_USAGE, sym.addr, "%s is a variable: a constructor is a function", name);
	*ret = (struct hf_ctor){.name = sym.name, .code = sym.addr, .value = sym.addr};
	return NULL;
}
