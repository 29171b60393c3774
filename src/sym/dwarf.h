/* The DWARF of one module: an index of its top-level DIEs made in one pass, and what hangs below a few of them.
 *
 * A DIE is named by a key: its offset, which section that counts in, and the module.
 *
 *	63      51 50  48 47                    0
 *	[ module  | sect | offset in the section ]	sect: HF_DIE_INFO, HF_DIE_TYPES, HF_DIE_ALT
 *
 * Key 0 is no DIE (offset 0 is a unit's header). Addresses are the file's. Strings live in the mapped sections, as
 * long as the hf_dwarf.
 */
#ifndef HF_SYM_DWARF_H
#define HF_SYM_DWARF_H

#include "../base/base.h"
#include "elf.h"
#include "sym.h"

struct hf_dwarf;

enum {
	HF_DIE_INFO,  /* .debug_info */
	HF_DIE_TYPES, /* .debug_types, DWARF 4's type units */
	HF_DIE_ALT,   /* .debug_info of dwz's supplementary file */
};

#define HF_KEY_OFFSET(key)  ((key)&0xffffffffffffu)
#define HF_KEY_SECTION(key) ((unsigned)((key) >> 48) & 7)
#define HF_KEY_MODULE(key)  ((uint32_t)((key) >> 51))

/* What a name is looked up as; several DIEs may have one name. */
enum hf_die_class {
	HF_DIE_TYPE,   /* base, pointer, typedef, array, function */
	HF_DIE_STRUCT, /* class, too */
	HF_DIE_UNION,
	HF_DIE_ENUM,
	HF_DIE_VARIABLE, /* the value is an index into the variables */
	HF_DIE_CONSTANT, /* enumerator, too */
};

struct hf_dwarf_variable {
	const char *name;
	uint64_t addr;
	uint64_t type_key; /* 0: unknown */
};

struct hf_dwarf_source {
	struct hf_elf *elf; /* borrowed, must outlive */
	uint32_t module;
	uint64_t start, end;          /* of the module: variables elsewhere were dropped by the linker */
	const char *path, *debug_dir; /* these and t: to find dwz's supplementary file */
	struct hf_target *t;
	bool debuginfod;
};

/* Opens and indexes. Damage in one unit ends that unit alone.     ret  caller frees with hf_dwarf_close.
 * Errors: BADDATA (no DWARF that libdw can read), NOMEM */
struct hf_err *hf_dwarf_open(const struct hf_dwarf_source *src, struct hf_dwarf **ret) HF_CHECKED;
void hf_dwarf_close(struct hf_dwarf *d); /* takes NULL */
void hf_dwarf_close_p(struct hf_dwarf **d);

bool hf_dwarf_is_go(const struct hf_dwarf *d); /* a unit of it is */
/* The key (of a variable: its index) of the first definition of that name. False: absent. */
bool hf_dwarf_find(const struct hf_dwarf *d, enum hf_die_class class, const char *name, uint64_t *ret);
size_t hf_dwarf_variables(const struct hf_dwarf *d, const struct hf_dwarf_variable **ret); /* in no order */
bool hf_dwarf_constant(const struct hf_dwarf *d, uint64_t key, int64_t *ret);
/* By the value of DW_AT_go_runtime_type. 0: none has it. */
uint64_t hf_dwarf_find_go_rtype(const struct hf_dwarf *d, uint64_t value);

/* The key of a type as members and variables refer to it: qualifiers folded away. 0: it is no type. */
uint64_t hf_dwarf_type_key(const struct hf_dwarf *d, uint64_t key);
/* Bytes of the type of a key; 0: unknown. */
uint64_t hf_dwarf_type_size(const struct hf_dwarf *d, uint64_t key);

/* dwarf_lines.c: as hf_syms_source_frames, for a file address. ret_n 0: this DWARF knows nothing of pc; a function NULL:
 * it knows the line alone. */
struct hf_err *hf_dwarf_source_frames(struct hf_dwarf *d, uint64_t pc, struct hf_source_frame *ret,
				      size_t max, size_t *ret_n) HF_CHECKED;
/* dwarf_locals.c: as hf_syms_walk_locals, for a file address. */
struct hf_err *hf_dwarf_walk_locals(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, hf_local_fn *fn,
				    void *arg) HF_CHECKED;
/* As hf_syms_walk_variables, for a file address. */
struct hf_err *hf_dwarf_walk_variables(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, hf_local_fn *fn,
				       void *arg) HF_CHECKED;

#endif
