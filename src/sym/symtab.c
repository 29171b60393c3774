/* Symbols of one ELF file by name and by address. Nothing is copied but 8 bytes a symbol of indices. */
#define _GNU_SOURCE
#include "elf.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>

#define VERSION_HIDDEN 0x8000 /* .gnu.version: not the default one */

struct hf_elf_symtab {
	const Elf64_Sym *syms;    /* libelf's */
	const char *names;        /* libelf's; every name used ends within it */
	const uint16_t *versions; /* libelf's, one a symbol; NULL: there are none */
	uint32_t *by_addr;        /* n indices, ascending by address, then size descending, then index */
	uint32_t *by_name;        /* hash table of indices + 1; 0: empty */
	size_t n, mask;
};

static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

static const char *name_of(const struct hf_elf_symtab *tab, uint32_t i)
{
	return tab->names + tab->syms[i].st_name;
}

static bool is_wanted(const Elf64_Sym *sym, size_t names_len)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || !sym->st_name ||
	    sym->st_name >= names_len)
		return false;
	return type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC || type == STT_GNU_IFUNC;
}

static int compare_addr(const void *a, const void *b, void *arg)
{
	const Elf64_Sym *syms = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const Elf64_Sym *x = &syms[i], *y = &syms[j];

	if (x->st_value != y->st_value)
		return x->st_value < y->st_value ? -1 : 1;
	if (x->st_size != y->st_size)
		return x->st_size > y->st_size ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* How a name prefers its symbols: a global one, and of several versions the one that a program linked today gets. */
static int rank(const struct hf_elf_symtab *tab, uint32_t i)
{
	bool is_global = ELF64_ST_BIND(tab->syms[i].st_info) != STB_LOCAL;
	bool is_old = tab->versions && tab->versions[i] & VERSION_HIDDEN;

	return 2 * is_global + !is_old;
}

static void hash_symbols(struct hf_elf_symtab *tab)
{
	for (size_t k = 0; k < tab->n; k++) {
		uint32_t i = tab->by_addr[k];
		size_t s = hash_name(name_of(tab, i)) & tab->mask;

		while (tab->by_name[s] && strcmp(name_of(tab, tab->by_name[s] - 1), name_of(tab, i)))
			s = (s + 1) & tab->mask;
		if (!tab->by_name[s] || rank(tab, i) > rank(tab, tab->by_name[s] - 1))
			tab->by_name[s] = i + 1;
	}
}

/* The symbols and their names, whole and checked; false where they cannot be used. */
static bool find_data(struct hf_elf *elf, const struct hf_elf_section *s, struct hf_elf_symtab *tab,
		      size_t *ret_n, size_t *ret_names_len)
{
	Elf_Scn *scn = elf_getscn(elf->elf, s->index), *strings;
	Elf_Data *syms, *names;
	GElf_Shdr h;
	size_t len;

	if (!scn || !gelf_getshdr(scn, &h) || h.sh_entsize != sizeof(Elf64_Sym))
		return false;
	strings = elf_getscn(elf->elf, h.sh_link);
	syms = elf_getdata(scn, NULL);
	names = strings ? elf_getdata(strings, NULL) : NULL;
	if (!syms || !syms->d_buf || !names || !names->d_buf)
		return false;
	len = names->d_size;
	while (len && ((const char *)names->d_buf)[len - 1])
		len--;
	tab->syms = syms->d_buf;
	tab->names = names->d_buf;
	/* No linker puts them off their alignment; a file that does is damaged. */
	if ((uintptr_t)syms->d_buf % _Alignof(Elf64_Sym))
		return false;
	*ret_n = hf_min(syms->d_size / sizeof(Elf64_Sym), (size_t)UINT32_MAX / 4);
	*ret_names_len = len;
	return true;
}

/* The versions of .dynsym's symbols. */
static const uint16_t *find_versions(struct hf_elf *elf, const struct hf_elf_section *symbols, size_t n)
{
	const struct hf_elf_section *s = hf_elf_find_section(elf, ".gnu.version");
	const void *bytes;
	size_t len;

	if (symbols->type != SHT_DYNSYM || !s || hf_err_ignore(hf_elf_section_bytes(elf, s, &bytes, &len)) ||
	    len / sizeof(uint16_t) < n || (uintptr_t)bytes % _Alignof(uint16_t))
		return NULL;
	return bytes;
}

static struct hf_elf_symtab *load(struct hf_elf *elf, const char *section)
{
	const struct hf_elf_section *s = hf_elf_find_section(elf, section);
	_cleanup_(hf_free_p) struct hf_elf_symtab *tab = s ? hf_calloc(1, sizeof(*tab)) : NULL;
	size_t all, names_len, cap = 64;

	if (!tab || !find_data(elf, s, tab, &all, &names_len))
		return NULL;
	for (size_t i = 0; i < all; i++)
		tab->n += is_wanted(&tab->syms[i], names_len);
	while (cap < tab->n * 2)
		cap *= 2;
	tab->mask = cap - 1;
	tab->by_addr = hf_calloc(tab->n + 1, sizeof(uint32_t));
	tab->by_name = hf_calloc(cap, sizeof(uint32_t));
	if (!tab->by_addr || !tab->by_name) {
		hf_free(tab->by_addr);
		hf_free(tab->by_name);
		return NULL;
	}
	for (size_t i = 0, k = 0; i < all; i++)
		if (is_wanted(&tab->syms[i], names_len))
			tab->by_addr[k++] = (uint32_t)i;
	qsort_r(tab->by_addr, tab->n, sizeof(uint32_t), compare_addr, (void *)tab->syms);
	tab->versions = find_versions(elf, s, all);
	hash_symbols(tab);
	return take_ptr(tab);
}

static struct hf_elf_symtab *symbols_of(struct hf_elf *elf)
{
	if (!elf->symbols_tried) {
		elf->symbols_tried = true;
		elf->symtab = load(elf, ".symtab");
		if (!elf->symtab)
			elf->dynsym = load(elf, ".dynsym");
	}
	return elf->symtab ? elf->symtab : elf->dynsym;
}

static void describe(const struct hf_elf_symtab *tab, uint32_t i, struct hf_elf_symbol *ret)
{
	unsigned type = ELF64_ST_TYPE(tab->syms[i].st_info);

	*ret = (struct hf_elf_symbol){.name = name_of(tab, i),
				      .addr = tab->syms[i].st_value,
				      .size = tab->syms[i].st_size,
				      .is_function = type == STT_FUNC || type == STT_GNU_IFUNC,
				      .is_object = type == STT_OBJECT,
				      .is_ifunc = type == STT_GNU_IFUNC};
}

bool hf_elf_find_symbol(struct hf_elf *elf, const char *name, struct hf_elf_symbol *ret)
{
	const struct hf_elf_symtab *tab = symbols_of(elf);

	if (!tab)
		return false;
	for (size_t s = hash_name(name) & tab->mask; tab->by_name[s]; s = (s + 1) & tab->mask) {
		if (!strcmp(name_of(tab, tab->by_name[s] - 1), name)) {
			describe(tab, tab->by_name[s] - 1, ret);
			return true;
		}
	}
	return false;
}

/* How many symbols stand at or below addr. */
static size_t count_up_to(const struct hf_elf_symtab *tab, uint64_t addr)
{
	size_t lo = 0, hi = tab->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (tab->syms[tab->by_addr[mid]].st_value <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_same_section(const struct hf_elf *elf, uint64_t a, uint64_t b)
{
	const struct hf_elf_section *s = hf_elf_section_at(elf, a);

	return s && b - s->addr < s->size;
}

bool hf_elf_symbol_at(struct hf_elf *elf, uint64_t addr, struct hf_elf_symbol *ret)
{
	const struct hf_elf_symtab *tab = symbols_of(elf);
	size_t k = tab ? count_up_to(tab, addr) : 0;
	uint32_t sizeless = UINT32_MAX;

	/* A symbol inside another (a label in a function) ends before it: look a few further down for the outer one. */
	for (size_t tries = 0; k > 0 && tries < 16; tries++) {
		uint32_t i = tab->by_addr[--k];
		const Elf64_Sym *sym = &tab->syms[i];

		if (sym->st_size && addr - sym->st_value < sym->st_size) {
			describe(tab, i, ret);
			return true;
		}
		if (!sym->st_size && sizeless == UINT32_MAX && tries == 0)
			sizeless = i;
	}
	if (sizeless == UINT32_MAX || !is_same_section(elf, tab->syms[sizeless].st_value, addr))
		return false;
	describe(tab, sizeless, ret);
	return true;
}

bool hf_elf_symbol_get(struct hf_elf *elf, size_t index, struct hf_elf_symbol *ret)
{
	const struct hf_elf_symtab *tab = symbols_of(elf);

	if (!tab || index >= tab->n)
		return false;
	describe(tab, tab->by_addr[index], ret);
	return true;
}

bool hf_elf_has_symtab(const struct hf_elf *elf)
{
	return hf_elf_find_section(elf, ".symtab") != NULL;
}

void hf_elf_symtab_destroy(struct hf_elf_symtab *symtab)
{
	if (!symtab)
		return;
	hf_free(symtab->by_addr);
	hf_free(symtab->by_name);
	hf_free(symtab);
}
