/* Single DIEs, for the files of this folder that include <elfutils/libdw.h> before this one.
 *
 * DWARF is untrusted: libdw checks each read, the functions here bound each chain.
 */
#ifndef HF_SYM_DWARF_DIE_H
#define HF_SYM_DWARF_DIE_H

#include "../base/map64.h"
#include "../base/str.h"
#include "dwarf.h"

/* Go cmd/internal/dwarf/dwarf.go, DW_AT_go_*. */
enum {
	HF_AT_GO_KIND = 0x2900,
	HF_AT_GO_KEY = 0x2901,
	HF_AT_GO_ELEM = 0x2902,
	HF_AT_GO_EMBEDDED = 0x2903,
	HF_AT_GO_RUNTIME_TYPE = 0x2904,
	HF_AT_GO_CLOSURE_OFFSET = 0x2907,
};

#define HF_CHAIN_MAX 32      /* of typedefs, qualifiers, pointers, nested scopes */
#define HF_DIES_MAX  1000000 /* that one question visits */

struct hf_die_function {
	uint64_t start, end;
	uint64_t key;
};

struct hf_die_bytes {
	const char *at;
	size_t len;
};

struct hf_die_functions {
	struct hf_die_function *at; /* ascending by start */
	size_t n;
};

struct hf_die_unit_range {
	uint64_t start, end;
	uint64_t key; /* of the unit's DIE */
};

struct hf_die_name {
	const char *name;
	uint64_t value; /* key, or the variable's index */
	uint32_t hash;
	uint8_t class;
};

struct hf_dwarf {
	Dwarf *dw, *alt; /* alt: NULL where there is none */
	struct hf_elf *alt_elf;
	struct hf_die_bytes inlined[3]; /* the sections that hold strings in place: info, types, alt's info */
	uint32_t module;
	uint64_t start, end;
	bool is_go;
	HF_VEC(struct hf_die_name) names;
	uint32_t *table; /* hash table: index into names + 1, 0 empty */
	size_t table_cap;
	HF_VEC(struct hf_dwarf_variable) variables;
	HF_VEC(struct hf_die_unit_range) ranges; /* ascending by start */
	struct hf_map64 go_rtypes;               /* DW_AT_go_runtime_type -> key */
	struct hf_map64 units;                   /* key of a unit -> index + 1 of its list of functions */
	HF_VEC(struct hf_die_functions) functions;
};

bool hf_die_get(const struct hf_dwarf *d, uint64_t key, Dwarf_Die *ret);
uint64_t hf_die_key(const struct hf_dwarf *d, Dwarf_Die *die); /* 0: not nameable */
/* The DIE that an attribute refers to, also through abstract origins and specifications. */
bool hf_die_ref(Dwarf_Die *die, unsigned attr, Dwarf_Die *ret);
/* Also through abstract origins and specifications; NULL: none. */
const char *hf_die_name(const struct hf_dwarf *d, Dwarf_Die *die);
const char *hf_die_string(const struct hf_dwarf *d, Dwarf_Attribute *attr); /* NULL: no string that ends */
/* Steps to the next sibling. False: that was the last, or the rest is damaged. */
bool hf_die_next(Dwarf_Die *die);
bool hf_die_uint(Dwarf_Die *die, unsigned attr, uint64_t *ret);
bool hf_die_flag(Dwarf_Die *die, unsigned attr);
/* The type of a DIE with cv-qualifiers folded away. False: none, that is void. */
bool hf_die_type(const struct hf_dwarf *d, Dwarf_Die *die, unsigned attr, Dwarf_Die *ret);
/* From a qualified type to what it qualifies; so are Go's doubled names folded. False: void, or a chain without end. */
bool hf_die_unqualify(const struct hf_dwarf *d, Dwarf_Die *die);
/* Bytes of a type; 0: unknown, or more than 64 bits hold. */
uint64_t hf_die_size(const struct hf_dwarf *d, Dwarf_Die *type);
/* Elements of an array, all its dimensions; 0: unknown. */
uint64_t hf_die_count(Dwarf_Die *array);
/* From a declaration to the definition, by signature or name, where there is one. */
void hf_die_define(const struct hf_dwarf *d, Dwarf_Die *type);
/* dwarf_names.c: the type's name as the language writes it, never NULL; in the DWARF or the arena. type NULL: void. */
const char *hf_die_type_name(const struct hf_dwarf *d, Dwarf_Die *type, struct hf_arena *arena);
bool hf_die_is_go(Dwarf_Die *die); /* by its unit's language */
/* A location that is one address. */
bool hf_die_address(Dwarf_Attribute *location, uint64_t *ret);
/* The operations of a location that holds at a file address pc, whatever its form; blocks, too, which libdw refuses.
 * room  for blocks' operations, of max items.   ret  valid while room and the Dwarf are.     False: no place at pc. */
bool hf_die_location(Dwarf_Attribute *location, uint64_t pc, Dwarf_Op *room, size_t max, Dwarf_Op **ret,
		     size_t *ret_n);

bool hf_die_location_is_single(
	Dwarf_Attribute *location); /* it is no list: it holds wherever its scope does */

/* The subprogram's DIE that holds pc (dwarf_functions.c). False: none. */
bool hf_die_function_at(struct hf_dwarf *d, uint64_t pc, Dwarf_Die *ret);
bool hf_die_unit_at(struct hf_dwarf *d, uint64_t pc, Dwarf_Die *ret); /* the unit that holds pc */

#endif
