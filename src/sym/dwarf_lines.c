/* Source lines of a code address, with what is inlined there. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"

/* The inlined subroutine or block below parent that holds pc. */
static bool find_scope(Dwarf_Die *parent, uint64_t pc, Dwarf_Die *ret)
{
	Dwarf_Die die;
	size_t budget = HF_DIES_MAX;

	if (dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);

		if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block) &&
		    dwarf_haspc(&die, pc) > 0) {
			*ret = die;
			return true;
		}
	} while (--budget && hf_die_next(&die));
	return false;
}

/* The functions at pc, the outermost first: the subprogram and what is inlined in it. */
static size_t find_functions(Dwarf_Die *function, uint64_t pc, Dwarf_Die chain[HF_CHAIN_MAX])
{
	Dwarf_Die at = *function;
	size_t n = 0;

	chain[n++] = at;
	for (int depth = 0; depth < 4 * HF_CHAIN_MAX && find_scope(&at, pc, &at); depth++) {
		if (dwarf_tag(&at) == DW_TAG_inlined_subroutine && n < HF_CHAIN_MAX)
			chain[n++] = at;
	}
	return n;
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *inlined)
{
	Dwarf_Files *files;
	uint64_t index;
	size_t n;
	const char *name;

	if (!hf_die_uint(inlined, DW_AT_call_file, &index) || dwarf_getsrcfiles(unit, &files, &n) ||
	    index >= n)
		return "";
	name = dwarf_filesrc(files, index, NULL, NULL);
	return name ? name : "";
}

static void find_line(Dwarf_Die *unit, uint64_t pc, struct hf_source_frame *ret)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, pc);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int number;

	ret->file = file ? file : "";
	if (line && !dwarf_lineno(line, &number) && number > 0)
		ret->line = (uint32_t)number;
}

struct hf_err *hf_dwarf_source_frames(struct hf_dwarf *d, uint64_t pc, struct hf_source_frame *ret,
				      size_t max, size_t *ret_n)
{
	Dwarf_Die function, unit, chain[HF_CHAIN_MAX];
	struct hf_source_frame here = {0};
	size_t n, out = 0;

	*ret_n = 0;
	if (!max || !hf_die_unit_at(d, pc, &unit))
		return NULL;
	find_line(&unit, pc, &here);
	if (!hf_die_function_at(d, pc, &function)) {
		ret[0] = here;
		*ret_n = here.line > 0;
		return NULL;
	}
	n = find_functions(&function, pc, chain);
	while (n-- > 0 && out < max) {
		const char *name = hf_die_name(d, &chain[n]);
		uint64_t line = 0;

		here.function = name ? name : "?";
		here.inlined = n > 0;
		ret[out++] = here;
		here.file = call_file(&unit, &chain[n]);
		hf_die_uint(&chain[n], DW_AT_call_line, &line);
		here.line = line <= UINT32_MAX ? (uint32_t)line : 0;
	}
	*ret_n = out;
	return NULL;
}
