/* What the dynamic linker writes into a module's words. Nothing is kept: a question is a pass over the entries. */
#define _GNU_SOURCE
#include "internal.h"

#include <gelf.h>
#include <libelf.h>

#define ENTRIES_MAX 1000000 /* of one section: 1 ms */

/* The name of a relocation's symbol, checked; "" for none. */
static const char *symbol_name(const struct hf_elf *elf, size_t section, uint64_t info)
{
	Elf_Scn *scn = elf_getscn(elf->elf, section);
	GElf_Shdr rela, syms;
	Elf_Data *data;
	GElf_Sym sym;
	const char *name;

	if (!GELF_R_SYM(info) || !scn || !gelf_getshdr(scn, &rela))
		return "";
	scn = elf_getscn(elf->elf, rela.sh_link);
	data = scn && gelf_getshdr(scn, &syms) && syms.sh_type == SHT_DYNSYM ? elf_getdata(scn, NULL) : NULL;
	if (!data || GELF_R_SYM(info) > INT32_MAX || !gelf_getsym(data, (int)GELF_R_SYM(info), &sym))
		return "";
	name = elf_strptr(elf->elf, syms.sh_link, sym.st_name);
	return name ? name : "";
}

static void resolve(struct hf_syms *s, const struct hf_module *m, size_t section, const Elf64_Rela *r,
		    struct hf_relocation *ret)
{
	uint64_t type = ELF64_R_TYPE(r->r_info), addend = (uint64_t)r->r_addend;
	struct hf_symbol sym;

	*ret = (struct hf_relocation){.name = ""};
	if (type == R_X86_64_RELATIVE || type == R_X86_64_IRELATIVE) {
		ret->addr = addend + m->bias;
		ret->is_ifunc = type == R_X86_64_IRELATIVE;
		return;
	}
	ret->name = symbol_name(m->elf, section, r->r_info);
	if (ret->name[0] && hf_syms_find_symbol(s, ret->name, &sym)) {
		ret->addr = sym.addr + (type == R_X86_64_64 ? addend : 0);
		ret->is_ifunc = sym.is_ifunc;
	}
}

static bool fills_word(uint64_t type)
{
	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64 ||
	       type == R_X86_64_RELATIVE || type == R_X86_64_IRELATIVE;
}

/* Calls fn for each entry that fills a word of a module; true from fn ends it. Returns whether it did. */
typedef bool entry_fn(void *arg, size_t section, const Elf64_Rela *r);

static bool walk_entries(const struct hf_module *m, entry_fn *fn, void *arg)
{
	const void *bytes;
	size_t len;

	hf_vec_each(&m->elf->sections, section) {
		if (section->type != SHT_RELA || !(section->flags & SHF_ALLOC) ||
		    hf_err_ignore(hf_elf_section_bytes(m->elf, section, &bytes, &len)))
			continue;
		len = hf_min(len / sizeof(Elf64_Rela), (size_t)ENTRIES_MAX);
		for (size_t i = 0; i < len; i++) {
			Elf64_Rela r;

			memcpy(&r, (const char *)bytes + i * sizeof(r), sizeof(r));
			if (fills_word(ELF64_R_TYPE(r.r_info)) && fn(arg, section->index, &r))
				return true;
		}
	}
	return false;
}

struct wanted {
	uint64_t offset;
	Elf64_Rela found;
	size_t section;
};

static bool is_wanted(void *arg, size_t section, const Elf64_Rela *r)
{
	struct wanted *w = arg;

	w->found = *r;
	w->section = section;
	return r->r_offset == w->offset;
}

bool hf_syms_relocation_at(struct hf_syms *s, uint64_t addr, struct hf_relocation *ret)
{
	struct hf_module *m = hf_module_at(s, addr);
	struct wanted w = {.offset = m ? addr - m->bias : 0};

	if (!m || !m->elf || !walk_entries(m, is_wanted, &w))
		return false;
	resolve(s, m, w.section, &w.found, ret);
	return true;
}

struct slots {
	struct hf_syms *s;
	const struct hf_module *m;
	hf_slot_fn *fn;
	void *arg;
};

static bool visit_slot(void *arg, size_t section, const Elf64_Rela *r)
{
	struct slots *slots = arg;
	uint64_t type = ELF64_R_TYPE(r->r_info);
	struct hf_relocation told;

	if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_IRELATIVE)
		return false;
	resolve(slots->s, slots->m, section, r, &told);
	return !slots->fn(slots->arg, r->r_offset + slots->m->bias, &told);
}

void hf_syms_walk_slots(struct hf_syms *s, const struct hf_module *m, hf_slot_fn *fn, void *arg)
{
	struct slots slots = {s, m, fn, arg};

	if (m->elf)
		walk_entries(m, visit_slot, &slots);
}
