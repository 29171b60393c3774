/* Names of types as the language writes them, also of those that have none of their own: "char *", "int[8]",
 * "int (*)(void)", "struct node *[4]"; Go: "*map<string,int>". */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"

#define STEPS_MAX    256 /* DIEs visited for one name: functions of functions multiply */
#define COMPOSED_MAX 400 /* bytes composed; names that stand in the DWARF have no bound */
#define PARAMS_MAX   16
#define DEPTH_MAX    3 /* of parameters' types in parameters' types */

struct composer {
	const struct hf_dwarf *d;
	unsigned steps;
};

static void compose(struct composer *c, Dwarf_Die *type, int depth, struct hf_str *ret);

/* "before" + text + "after" */
static void surround(struct hf_str *text, const char *before, const char *after)
{
	struct hf_str out = {0};

	hf_str_add(&out, before);
	hf_str_add(&out, hf_str_get(text));
	hf_str_add(&out, after);
	hf_str_deinit(text);
	*text = out;
}

/* C writes suffixes tighter than the star: (*)[3]. */
static void guard_star(struct hf_str *declarator)
{
	char first = hf_str_get(declarator)[0];

	if (first == '*' || first == '&')
		surround(declarator, "(", ")");
}

static void add_dimensions(Dwarf_Die *array, struct hf_str *declarator)
{
	Dwarf_Die dim;

	if (dwarf_child(array, &dim))
		return;
	do {
		uint64_t n = 0, upper;

		if (dwarf_tag(&dim) != DW_TAG_subrange_type || declarator->n > COMPOSED_MAX)
			continue;
		if (hf_die_uint(&dim, DW_AT_upper_bound, &upper))
			n = upper + 1;
		if (hf_die_uint(&dim, DW_AT_count, &n) || n)
			hf_str_addf(declarator, "[%" PRIu64 "]", n);
		else
			hf_str_add(declarator, "[]");
	} while (hf_die_next(&dim));
}

static void add_parameters(struct composer *c, Dwarf_Die *function, int depth, struct hf_str *declarator)
{
	Dwarf_Die child, type;
	unsigned n = 0;

	hf_str_addc(declarator, '(');
	if (!dwarf_child(function, &child)) {
		do {
			int tag = dwarf_tag(&child);

			if (tag != DW_TAG_formal_parameter && tag != DW_TAG_unspecified_parameters)
				continue;
			hf_str_add(declarator, n ? ", " : "");
			if (tag == DW_TAG_unspecified_parameters || depth >= DEPTH_MAX || n >= PARAMS_MAX) {
				hf_str_add(declarator, "...");
				break;
			}
			n++;
			compose(c, hf_die_type(c->d, &child, DW_AT_type, &type) ? &type : NULL, depth + 1,
				declarator);
		} while (declarator->n < COMPOSED_MAX && hf_die_next(&child));
	}
	if (!n && hf_die_flag(function, DW_AT_prototyped))
		hf_str_add(declarator, "void");
	hf_str_addc(declarator, ')');
}

static bool is_c(Dwarf_Die *die)
{
	Dwarf_Die unit;
	int lang = dwarf_diecu(die, &unit, NULL, NULL) ? dwarf_srclang(&unit) : -1;

	/* dwz's partial units have no language; they hold types of C as a rule. */
	return lang == -1 || lang == DW_LANG_C || lang == DW_LANG_C89 || lang == DW_LANG_C99 ||
	       lang == DW_LANG_C11;
}

static const char *keyword(int tag)
{
	return tag == DW_TAG_structure_type     ? "struct "
	       : tag == DW_TAG_union_type       ? "union "
	       : tag == DW_TAG_enumeration_type ? "enum "
						: "";
}

/* The DIE's own name, with C's keyword. False: it has none. */
static bool add_own_name(const struct hf_dwarf *d, Dwarf_Die *type, struct hf_str *ret)
{
	const char *name = hf_die_name(d, type), *word = keyword(dwarf_tag(type));

	if (name)
		hf_str_addf(ret, "%s%s", *word && is_c(type) ? word : "", name);
	else if (*word)
		hf_str_addf(ret, "%s{...}", word);
	return name || *word;
}

/* One step from a nameless type towards a name: false where there is nothing further, and base is what it ends in. */
static bool step(struct composer *c, Dwarf_Die *type, int depth, struct hf_str *declarator, const char **base)
{
	bool is_go = hf_die_is_go(type);

	*base = "?";
	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
		if (is_go)
			hf_str_addc(declarator, '*');
		else
			surround(declarator, "*", "");
		break;
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		surround(declarator, "&", "");
		break;
	case DW_TAG_array_type:
		if (!is_go)
			guard_star(declarator);
		add_dimensions(type, declarator);
		break;
	case DW_TAG_subroutine_type:
		guard_star(declarator);
		add_parameters(c, type, depth, declarator);
		break;
	default:
		return false;
	}
	*base = "void";
	return hf_die_type(c->d, type, DW_AT_type, type);
}

/* NULL: void. */
static void compose(struct composer *c, Dwarf_Die *type, int depth, struct hf_str *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str declarator = {0}, name = {0};
	const char *base = "void";
	Dwarf_Die at;
	bool is_go = type && hf_die_is_go(type);

	if (type) {
		at = *type;
		for (int i = 0;; i++) {
			if (add_own_name(c->d, &at, &name)) {
				base = hf_str_get(&name);
				break;
			}
			if (i == HF_CHAIN_MAX || c->steps++ >= STEPS_MAX || declarator.n > COMPOSED_MAX) {
				base = "?";
				break;
			}
			if (!step(c, &at, depth, &declarator, &base))
				break;
		}
	}
	if (is_go) {
		hf_str_add(ret, hf_str_get(&declarator));
		hf_str_add(ret, base);
		return;
	}
	hf_str_add(ret, base);
	if (declarator.n && declarator.s[0] != '[')
		hf_str_addc(ret, ' ');
	hf_str_add(ret, hf_str_get(&declarator));
}

const char *hf_die_type_name(const struct hf_dwarf *d, Dwarf_Die *type, struct hf_arena *arena)
{
	struct composer c = {.d = d};
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	const char *name = hf_die_name(d, type), *copy;

	if (name && (!*keyword(dwarf_tag(type)) || !is_c(type)))
		return name;
	compose(&c, type, 0, &text);
	if (!text.n || text.failed)
		return "?";
	copy = hf_arena_strndup(arena, text.s, text.n);
	return copy ? copy : "?";
}
