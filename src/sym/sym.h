/* Names, types and layouts of what is loaded in a target: ELF symbols, DWARF, and where debug files are found.
 *
 * All addresses are the target's (load bias applied) unless called `file` addresses. All of it is read from files, so
 * it needs no stopped target. Everything is lazy: opening reads ELF headers alone; the first question about DWARF
 * makes one pass over the top-level DIEs of that module (0.5 s for an 80 MB server); types are decoded one at a time.
 * Strings live as long as the hf_syms. Not thread-safe, but for the functions that say so.
 *
 * libdw and libelf appear in the .c files of this folder only.
 */
#ifndef HF_SYM_H
#define HF_SYM_H

#include "../base/base.h"
#include "../base/str.h"
#include "../base/vec.h"
#include "../target/target.h"

struct hf_syms;
struct hf_elf;   /* elf.h */
struct hf_dwarf; /* dwarf.h */

/* One loaded ELF file. */
struct hf_module {
	const char *path;    /* as mapped */
	uint64_t start, end; /* addresses that its segments span */
	uint64_t bias;       /* target address - file address */
	bool is_main;        /* the executable */
	struct hf_elf *elf;  /* NULL where the file could not be opened; then why is in `problem` */
	const char *problem; /* "" or one line */
	uint8_t build_id[64];
	size_t build_id_len;     /* GNU build-id; 0: none */
	const char *go_build_id; /* "" where none */
	/* Internal, opened on the first question: the separate debug file, and the DWARF of either. */
	struct hf_elf *debug;
	struct hf_dwarf *dwarf;
	bool debug_tried, dwarf_tried;
};

struct hf_syms_options {
	size_t size;           /* sizeof(struct hf_syms_options) */
	bool debuginfod;       /* ask debuginfod servers (the network) for missing debug files */
	const char *debug_dir; /* NULL: /usr/lib/debug, in the target's root first */
};

/* Finds the modules of a target (from its maps and auxiliary vector). The main executable must be readable; others
 * that are not are noted in their `problem`.
 * t  borrowed, must outlive.     options  NULL for defaults.      ret  caller frees with hf_syms_close.
 * Errors: TARGET, IO (the executable cannot be had), BADDATA (it is not an ELF of this machine), NOMEM */
struct hf_err *hf_syms_open(struct hf_target *t, const struct hf_syms_options *options, struct hf_syms **ret)
	HF_CHECKED;
void hf_syms_close(struct hf_syms *s); /* takes NULL */

size_t hf_syms_modules(const struct hf_syms *s, const struct hf_module **ret); /* the main executable first */
const struct hf_module *hf_syms_main(const struct hf_syms *s);
const struct hf_module *hf_syms_find_module(const struct hf_syms *s, uint64_t addr); /* NULL: none */

/* ---- ELF --------------------------------------------------------------------------------------------- */

struct hf_section {
	const char *name;
	uint64_t addr, size; /* target address; 0 where not loaded */
	bool writable, executable;
};

/* False where the module has no such section. */
bool hf_module_section(const struct hf_module *m, const char *name, struct hf_section *ret);
/* The section that holds a target address; false where none does. */
bool hf_module_section_at(const struct hf_module *m, uint64_t addr, struct hf_section *ret);
/* The section's bytes in the file, decompressed where compressed; valid while the syms live.
 * Errors: FAULT (no such section, or no bytes in the file), BADDATA, NOMEM */
struct hf_err *hf_module_section_bytes(const struct hf_module *m, const char *name, const void **ret,
				       size_t *ret_len) HF_CHECKED;

struct hf_symbol {
	const char *name;
	uint64_t addr, size;
	bool is_function, is_object;
	bool is_ifunc; /* addr is of the function that chooses it */
	const struct hf_module *module;
};

/* By exact name, in the main executable first, then the others (.symtab, else .dynsym, else the debug file's).
 * False where none has it. */
bool hf_syms_find_symbol(struct hf_syms *s, const char *name, struct hf_symbol *ret);
/* The same in one module alone. */
bool hf_syms_find_symbol_in(struct hf_syms *s, const struct hf_module *m, const char *name,
			    struct hf_symbol *ret);
/* Calls fn for each function symbol of a module, ascending by address, aliases one by one; false from fn ends it. */
typedef bool hf_symbol_fn(void *arg, const struct hf_symbol *sym);
void hf_syms_walk_functions(struct hf_syms *s, const struct hf_module *m, hf_symbol_fn *fn, void *arg);
/* The symbol that covers addr (for one without a size: the nearest below in its section). False: none. */
bool hf_syms_symbol_at(struct hf_syms *s, uint64_t addr, struct hf_symbol *ret);

/* What the dynamic linker puts into a word of a module, as its relocation says. */
struct hf_relocation {
	const char *name; /* of the symbol; "" where it names none */
	uint64_t addr;    /* that the word comes to hold; 0: no loaded module defines the symbol */
	bool is_ifunc;    /* addr is of the function that chooses */
};
/* False where no relocation fills the 8 bytes at addr. A symbol is looked for in the order of the modules, where versions
 * and name spaces do not count. Cost: a pass over the module's relocations, 1 ns each. */
bool hf_syms_relocation_at(struct hf_syms *s, uint64_t addr, struct hf_relocation *ret);

/* Calls fn for each word through which a module's PLT jumps, in no order; false from fn ends it. */
typedef bool hf_slot_fn(void *arg, uint64_t slot_addr, const struct hf_relocation *told);
void hf_syms_walk_slots(struct hf_syms *s, const struct hf_module *m, hf_slot_fn *fn, void *arg);

/* ---- DWARF: variables, constants, functions ----------------------------------------------------------- */

/* True where the main executable (or its separate debug file) has DWARF. Opens it. */
bool hf_syms_has_dwarf(struct hf_syms *s);

struct hf_variable {
	const char *name; /* as the language writes it: "main.sessionCache" */
	uint64_t addr;
	uint32_t type; /* for hf_type_get; 0: unknown */
	uint64_t size; /* of the type; 0: unknown */
};

/* All variables at a fixed address of all modules whose DWARF was asked for (the main one is), ascending by address.
 * ret  valid while the syms live.     Errors: BADDATA, NOMEM */
struct hf_err *hf_syms_variables(struct hf_syms *s, const struct hf_variable **ret, size_t *ret_n) HF_CHECKED;
/* By name (DWARF's, else none). False: absent. */
bool hf_syms_find_variable(struct hf_syms *s, const char *name, struct hf_variable *ret);
/* The variable that covers addr. False: none. */
bool hf_syms_variable_at(struct hf_syms *s, uint64_t addr, struct hf_variable *ret);
/* A named constant (DW_TAG_constant, or an enumerator): "runtime.pageSize". False: absent. */
bool hf_syms_find_constant(struct hf_syms *s, const char *name, int64_t *ret);

/* One line of a code address: the innermost (possibly inlined) function first, then its callers by inlining. */
struct hf_source_frame {
	const char *function, *file; /* file: "" where unknown */
	uint32_t line;               /* 0: unknown */
	bool inlined;                /* into the next frame */
};
/* From DWARF, where there is; otherwise one frame by symbol. ret_n 0: nothing is known. ret: room for max. */
struct hf_err *hf_syms_source_frames(struct hf_syms *s, uint64_t pc, struct hf_source_frame *ret, size_t max,
				     size_t *ret_n) HF_CHECKED;

/* Where a part of a local variable stands at one pc. */
struct hf_local {
	const char *name;
	uint32_t type;       /* for hf_type_get */
	uint64_t decl_order; /* as in the source */
	bool is_parameter;
	bool is_result;     /* Go: a parameter that the function gives back */
	bool inlined;       /* of a function that was inlined into this one, or of a block in it */
	bool in_register;   /* of no further use to us: skip */
	int64_t cfa_offset; /* of this piece, from the canonical frame address (Go: fp = CFA) */
	uint32_t piece_offset, piece_size; /* within the variable; size 0: all of it */
	int64_t closure_offset; /* Go: a captured variable, at this offset of the closure object; -1: none. It is reported
				   where it has no other place, too: then `unplaced` */
	bool unplaced;
	bool at_some_pcs; /* hf_syms_walk_variables: the place holds in some part of the function */
	uint64_t line;    /* where it is declared; 0: unknown */
};
/* Calls fn for each variable (pieces one by one) of the function that holds pc which has a place in memory or a
 * register at pc; inlined functions' variables too. Errors: as fn; BADDATA. Cost: one function's DIEs. */
typedef struct hf_err *hf_local_fn(void *arg, const struct hf_local *local);
struct hf_err *hf_syms_walk_locals(struct hf_syms *s, uint64_t pc, hf_local_fn *fn, void *arg) HF_CHECKED;
/* The same, for each place that a variable has anywhere in the function that holds pc, in all of its scopes; variables
 * without any come as `unplaced`. */
struct hf_err *hf_syms_walk_variables(struct hf_syms *s, uint64_t pc, hf_local_fn *fn, void *arg) HF_CHECKED;

/* ---- DWARF: types ------------------------------------------------------------------------------------- */

enum hf_type_kind {
	HF_TYPE_UNKNOWN,
	HF_TYPE_BASE,    /* integers, floats, bool; see encoding */
	HF_TYPE_POINTER, /* target: elem; void * and unsafe.Pointer: elem 0 */
	HF_TYPE_STRUCT,
	HF_TYPE_UNION,
	HF_TYPE_ARRAY, /* count x elem */
	HF_TYPE_ENUM,
	HF_TYPE_FUNCTION, /* Go: a func value (one word); C: the function itself */
	HF_TYPE_TYPEDEF,  /* elem is what it names; cv-qualifiers are folded away */
};

struct hf_member {
	const char *name; /* "" for an anonymous struct or union member */
	uint32_t type;
	uint64_t offset;   /* bytes from the start */
	uint16_t bit_size; /* 0: not a bit field */
	bool embedded;     /* Go: an embedded field */
};

/* A type, decoded. Types refer to one another by id, so that they may be cyclic and lazy. */
struct hf_type {
	const char *name; /* as the language writes it; C: "struct node", "char *", "int[8]"; never NULL */
	enum hf_type_kind kind;
	uint8_t encoding;         /* BASE: the DW_ATE_* value */
	uint8_t go_kind;          /* Go's reflect.Kind (DW_AT_go_kind), 0: none */
	uint64_t size;            /* bytes; 0: unknown or empty */
	uint64_t count;           /* ARRAY: elements; 0: unknown */
	uint32_t elem;            /* POINTER, ARRAY, TYPEDEF, ENUM; FUNCTION: the result */
	uint32_t go_key, go_elem; /* Go's maps, slices, channels (DW_AT_go_key, DW_AT_go_elem); 0: none */
	uint64_t
		go_rtype; /* Go: target address of the runtime's own descriptor; 0: none. DW_AT_go_runtime_type is relative
			      to runtime.types where below it */
	const struct hf_member *members; /* STRUCT, UNION: ascending by offset */
	uint32_t members_n;
};

/* The type of an id; decoded on first use; valid while the syms live. Never fails: what cannot be decoded is
 * HF_TYPE_UNKNOWN named "?". */
const struct hf_type *hf_type_get(struct hf_syms *s, uint32_t id);
/* With typedefs looked through (bounded). */
const struct hf_type *hf_type_strip(struct hf_syms *s, uint32_t id);
/* What a function takes and gives. */
struct hf_prototype {
	bool has_result;
	uint32_t result; /* 0: void, or a type that cannot be told */
	const uint32_t *params;
	uint32_t params_n;
	bool is_variadic;
	bool is_open; /* C's f(): it does not say what it takes */
};
/* Of a type of kind FUNCTION. False: it is none, or memory is out. */
bool hf_type_prototype(struct hf_syms *s, uint32_t id, struct hf_prototype *ret);
/* Of the function whose code holds pc. False: no DWARF knows it. */
bool hf_syms_prototype_at(struct hf_syms *s, uint64_t pc, struct hf_prototype *ret);
/* Appends the way from a value of a type to what stands at an offset in it: ".owner.name[3]", with "+2" where that is in
 * the middle. C's types. */
void hf_type_path(struct hf_syms *s, uint32_t type, uint64_t offset, struct hf_str *ret);
/* By name as the language writes it ("runtime.mspan", "main.Session"; C: "struct node" or "node"). 0: absent. */
uint32_t hf_syms_find_type(struct hf_syms *s, const char *name);
/* Go: the type of a runtime descriptor at a target address. 0: DWARF knows none. */
uint32_t hf_syms_find_go_rtype(struct hf_syms *s, uint64_t rtype_addr);
/* Tells where Go's DW_AT_go_runtime_type offsets count from (runtime.types, moduledata.types). Once, before the above. */
void hf_syms_set_go_types(struct hf_syms *s, uint64_t types_addr, uint64_t etypes_addr);

/* A member by path ("stack.lo", through embedded and anonymous members by their names) of a named structure. False where
 * the structure or member is absent: probe, never compare versions. */
struct hf_field {
	uint64_t offset, size;
	uint32_t type;
	uint16_t bit_size; /* 0: not a bit field */
};
bool hf_syms_find_field(struct hf_syms *s, const char *structure, const char *path, struct hf_field *ret);
/* A member of a structure by its name (n bytes), through anonymous members. */
bool hf_type_find_member(struct hf_syms *s, uint32_t structure, const char *name, size_t n,
			 struct hf_field *ret);

#endif
