/* What a walk asks of addresses: bytes, functions, variables. */
#include "vet_private.h"

#include <stdio.h>

/* ---- code ------------------------------------------------------------------------------------------------- */

/* The executable section at pc, with its bytes in the file; false: there is none. */
static bool find_section(struct hf_vet_code *c, uint64_t pc)
{
	const struct hf_module *m = hf_syms_find_module(c->s, pc);
	struct hf_section section;
	const void *bytes;
	size_t len;

	if (pc - c->start < c->end - c->start)
		return true;
	if (!m || !hf_module_section_at(m, pc, &section) || !section.executable ||
	    hf_err_ignore(hf_module_section_bytes(m, section.name, &bytes, &len)))
		return false;
	c->start = section.addr;
	c->end = section.addr + len;
	c->bytes = bytes;
	return pc - c->start < len;
}

/* Code that no file has: what a debugger or a test holds, or a core. */
static size_t read_memory(struct hf_vet_code *c, uint64_t pc, uint8_t buf[HF_INSN_MAX])
{
	const struct hf_map *map = hf_target_find_map(c->t, pc);
	size_t n = map && map->executable ? (size_t)hf_min(map->end - pc, (uint64_t)HF_INSN_MAX) : 0;

	return n && !hf_err_ignore(hf_target_read(c->t, pc, buf, n)) ? n : 0;
}

size_t hf_vet_code_read(struct hf_vet_code *c, uint64_t pc, uint8_t buf[HF_INSN_MAX])
{
	size_t n;

	if (!c->s || !find_section(c, pc))
		return read_memory(c, pc, buf);
	n = (size_t)hf_min(c->end - pc, (uint64_t)HF_INSN_MAX);
	memcpy(buf, c->bytes + (pc - c->start), n);
	return n;
}

bool hf_vet_code_function(struct hf_vet_code *c, uint64_t pc, struct hf_symbol *ret)
{
	if (c->options->name_of && c->options->name_of(c->options->arg, pc, ret))
		return true;
	return c->s && hf_syms_symbol_at(c->s, pc, ret) && !ret->is_object;
}

/* ---- words that lead elsewhere ------------------------------------------------------------------------------- */

bool hf_vet_code_slot(struct hf_vet_code *c, uint64_t slot, struct hf_vet_callee *ret)
{
	struct hf_relocation r;
	struct hf_symbol sym;
	const char *section;

	if (!c->s || hf_vet_code_memory(c, slot, &section) != HF_VET_CONSTANT ||
	    !hf_syms_relocation_at(c->s, slot, &r))
		return false;
	*ret = (struct hf_vet_callee){.name = r.name, .addr = r.addr, .is_ifunc = r.is_ifunc};
	if (!ret->name[0] && ret->addr && hf_syms_symbol_at(c->s, ret->addr, &sym))
		ret->name = sym.name;
	return true;
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* Writable for the dynamic linker alone, or never written after the program has begun. */
static bool is_constant_name(const char *name)
{
	static const char *const begins[] = {".got",        ".data.rel.ro", ".dynamic",       ".init_array",
					     ".fini_array", ".typelink",    ".itablink",      ".gopclntab",
					     ".gosymtab",   ".go.",         ".tm_clone_table"};

	for (size_t i = 0; i < HF_LEN(begins); i++)
		if (!strncmp(name, begins[i], strlen(begins[i])))
			return true;
	return false;
}

enum hf_vet_memory hf_vet_code_memory(const struct hf_vet_code *c, uint64_t addr, const char **ret_section)
{
	const struct hf_module *m = c->s ? hf_syms_find_module(c->s, addr) : NULL;
	const struct hf_map *map;
	struct hf_section section;

	*ret_section = "";
	if (m && hf_module_section_at(m, addr, &section)) {
		*ret_section = section.name;
		return section.writable && !is_constant_name(section.name) ? HF_VET_MUTABLE : HF_VET_CONSTANT;
	}
	map = hf_target_find_map(c->t, addr);
	if (!map)
		return HF_VET_UNKNOWN;
	return map->writable ? HF_VET_MUTABLE : HF_VET_CONSTANT;
}

const char *hf_vet_code_place(struct hf_vet_code *c, uint64_t addr, char *buf, size_t len)
{
	struct hf_symbol sym;
	const char *section;

	hf_vet_code_memory(c, addr, &section);
	if (!c->s || !hf_syms_symbol_at(c->s, addr, &sym))
		snprintf(buf, len, "0x%" PRIx64 "%s%s", addr, section[0] ? " in " : "", section);
	else if (addr == sym.addr)
		snprintf(buf, len, "%s", sym.name);
	else
		snprintf(buf, len, "%s+%" PRIu64, sym.name, addr - sym.addr);
	return buf;
}
