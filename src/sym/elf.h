/* One ELF file, 64-bit little-endian x86-64: headers at opening, symbols on the first question.
 *
 * The file is untrusted: libelf checks what it decodes, this layer checks the rest. It is mapped, as every ELF reader
 * does; the descriptor is not kept. All addresses here are the file's.
 */
#ifndef HF_SYM_ELF_H
#define HF_SYM_ELF_H

#include "../base/base.h"
#include "../base/str.h"
#include "../base/vec.h"

struct hf_elf_section {
	const char *name;
	uint64_t addr, size; /* size as in the header: of a compressed section, compressed */
	uint64_t flags;
	uint32_t type;
	size_t index;
};

struct hf_elf_segment { /* PT_LOAD */
	uint64_t vaddr, memsz, offset, filesz;
	bool executable;
};

struct hf_elf_symbol {
	const char *name;
	uint64_t addr, size;
	bool is_function, is_object, is_ifunc;
};

struct hf_elf_symtab; /* symtab.c */

struct hf_elf {
	struct Elf *elf;
	void *image; /* what was opened from memory; ours */
	uint64_t entry;
	bool is_fixed; /* ET_EXEC: its addresses are the target's */
	bool has_interpreter;
	HF_VEC(struct hf_elf_section) sections;
	HF_VEC(struct hf_elf_segment) segments; /* ascending by vaddr as the format demands, but unchecked */
	uint64_t start, end;                    /* that the segments span */
	uint8_t build_id[64];
	size_t build_id_len;     /* 0: none */
	const char *go_build_id; /* "" where none */
	struct hf_elf_symtab *symtab, *dynsym;
	bool symbols_tried;
	struct hf_arena names;
};

/* fd  borrowed, not needed afterwards.     ret  caller frees with hf_elf_close.
 * Errors: BADDATA (not an ELF file of x86-64, or damaged), NOMEM */
struct hf_err *hf_elf_open(int fd, struct hf_elf **ret) HF_CHECKED;
/* The same of bytes; they are copied. Sections may lie beyond what is there. */
struct hf_err *hf_elf_open_bytes(const void *bytes, size_t len, struct hf_elf **ret) HF_CHECKED;
void hf_elf_close(struct hf_elf *elf); /* takes NULL */
void hf_elf_close_p(struct hf_elf **elf);

/* NULL: absent. */
const struct hf_elf_section *hf_elf_find_section(const struct hf_elf *elf, const char *name);
const struct hf_elf_section *hf_elf_section_at(const struct hf_elf *elf,
					       uint64_t addr); /* loaded ones, not TLS */
/* Valid until close. Errors: FAULT (it has no bytes in the file), BADDATA */
struct hf_err *hf_elf_section_bytes(const struct hf_elf *elf, const struct hf_elf_section *section,
				    const void **ret, size_t *ret_len) HF_CHECKED;
/* Name and CRC of the separate debug file (.gnu_debuglink). */
bool hf_elf_debuglink(const struct hf_elf *elf, const char **ret_name, uint32_t *ret_crc);

/* ---- symbols (symtab.c) ------------------------------------------------------------------------------- */

/* .symtab where there is one, else .dynsym. False: absent, or memory is out. */
bool hf_elf_find_symbol(struct hf_elf *elf, const char *name, struct hf_elf_symbol *ret);
bool hf_elf_symbol_at(struct hf_elf *elf, uint64_t addr, struct hf_elf_symbol *ret);
/* By index from 0, ascending by address. False: past the end. */
bool hf_elf_symbol_get(struct hf_elf *elf, size_t index, struct hf_elf_symbol *ret);
bool hf_elf_has_symtab(const struct hf_elf *elf);
void hf_elf_symtab_destroy(struct hf_elf_symtab *symtab); /* takes NULL */

#endif
