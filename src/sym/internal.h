/* What the files of this folder share. */
#ifndef HF_SYM_INTERNAL_H
#define HF_SYM_INTERNAL_H

#include "../base/map64.h"
#include "dwarf.h"
#include "elf.h"
#include "sym.h"

struct hf_type_slot {
	uint64_t key;         /* which DIE: see dwarf.h */
	struct hf_type *type; /* NULL: not yet decoded */
};

struct hf_syms {
	struct hf_target *t;
	bool debuginfod;
	const char *debug_dir;
	HF_VEC(struct hf_module) modules;  /* the main one first; never moved once open */
	HF_VEC(uint32_t) by_start;         /* indices, ascending by start */
	HF_VEC(struct hf_type_slot) types; /* by id - 1 */
	struct hf_map64 type_ids;          /* key -> id */
	struct hf_map64 go_rtypes; /* id -> DW_AT_go_runtime_type as it stands, of the decoded types */
	uint64_t go_types, go_etypes;
	struct hf_variable *variables; /* in the arena; of the first variables_of modules with DWARF */
	size_t variables_n, variables_of, dwarfs;
	struct hf_arena arena;
};

#define HF_MODULES_MAX 8192 /* a DIE's key has 13 bits for the module */

/* modules.c */
struct hf_err *hf_modules_find(struct hf_syms *s) HF_CHECKED;           /* fills s->modules and s->by_start */
struct hf_module *hf_module_at(const struct hf_syms *s, uint64_t addr); /* NULL: none */
/* The separate debug file, looked for once. NULL: none. */
struct hf_elf *hf_module_debug(struct hf_syms *s, struct hf_module *m);
/* The DWARF, opened and indexed once. NULL: none. */
struct hf_dwarf *hf_module_dwarf(struct hf_syms *s, struct hf_module *m);

/* The DWARF of the modules that may answer a question of a name, the main one first: *i starts at 0, and is one past the
 * module of the answer. NULL: no further. Opens them as it goes, but no libraries of a Go program. */
struct hf_dwarf *hf_dwarf_each(struct hf_syms *s, size_t *i);

/* types.c */
uint32_t hf_type_id(struct hf_syms *s,
		    uint64_t key); /* of a DIE, given on first sight; 0: key 0, or memory is out */
/* dwarf_prototypes.c: of a subroutine's type, or of the function at a file address. */
bool hf_dwarf_prototype(struct hf_syms *s, struct hf_dwarf *d, uint64_t key, struct hf_prototype *ret);
bool hf_dwarf_prototype_at(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, struct hf_prototype *ret);
/* dwarf_types.c: in the arena; NULL where memory is out or the DIE is no type. *ret_rtype: as DWARF has it, 0 none. */
struct hf_type *hf_type_decode(struct hf_syms *s, struct hf_dwarf *d, uint64_t key, uint64_t *ret_rtype);

#endif
