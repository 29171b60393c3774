/* What the files of the type table share: types.c (the table), rtype.c (descriptors), dwarf_types.c, type_name.c,
 * mask.c. */
#ifndef HF_GO_TYPES_PRIVATE_H
#define HF_GO_TYPES_PRIVATE_H

#include "types.h"

#define GO_MEMBERS_MAX 65536 /* fields of one struct */
#define GO_NAME_MAX    4096  /* bytes of one type's or field's name */
#define GO_DEPTH_MAX   32    /* nesting of types within one another */
#define GO_RTYPE_SIZE  48    /* internal/abi/type.go, Type; the same 1.20-1.27 */

/* internal/abi/type.go, TFlag */
#define GO_TFLAG_UNCOMMON       1
#define GO_TFLAG_EXTRA_STAR     2
#define GO_TFLAG_NAMED          4
#define GO_TFLAG_MASK_ON_DEMAND 16 /* since 1.24 */
#define GO_KIND_MASK            31
#define GO_KIND_GC_PROG         64 /* up to 1.23 */

/* A descriptor's common part. */
struct go_rtype {
	uint64_t addr, size, ptr_bytes, gcdata;
	uint8_t tflag, kind; /* kind: with its flag bits */
	uint32_t str;
};

struct go_types {
	HF_VEC(struct go_type *) all; /* in the arena; 0 is GO_NO_TYPE */
	struct hf_map64 by_rtype, by_dwarf, by_shape, masks;
	struct hf_map64 unknown; /* size -> a type of which no more is known: infer.c */
	HF_VEC(struct go_mask) mask;
	HF_VEC(struct hf_scratch) section;     /* a copy of each module's types, where it is no view */
	HF_VEC(const uint8_t *) section_bytes; /* NULL: unreadable */
	struct hf_arena arena;
	struct hf_map64 chans;  /* element -> channel, of those known by their hchan: typing_runtime.c */
	uint32_t timer, ticker; /* typing_runtime.c, made on demand */
	uint32_t trie_node, trie_entry, trie_inner; /* trie.c, made on demand */
	uint64_t members;                           /* of all descriptors that were decoded */
	bool failed;                                /* NOMEM met */
};

/* Adds a type; its id, or GO_NO_TYPE where memory is out. */
uint32_t go_types_add(struct go *go, const struct go_type *type);
/* The table's own row, decoded or not. */
struct go_type *go_types_row(struct go *go, uint32_t id);

/* Reads the common part; false where addr holds no plausible descriptor. */
bool go_rtype_read(struct go *go, uint64_t addr, struct go_rtype *ret);
/* On amd64 values of a kind have one size, but for arrays and structs: what says otherwise is damaged. */
bool go_kind_has_size(uint8_t kind, uint64_t size);
/* Fills a row from its descriptor; the types that it refers to get rows, but are not decoded themselves: however deep
 * the target's types are nested, nothing recurses. */
void go_rtype_decode(struct go *go, struct go_type *row);
/* Name bytes (internal/abi Name) at addr, into the arena; "" where damaged. ret_flags may be NULL. */
const char *go_rtype_name_at(struct go *go, uint64_t addr, uint8_t *ret_flags);
/* The tag that follows a field's name; NULL: none, or damaged. */
const char *go_rtype_tag_at(struct go *go, uint64_t addr);
/* The descriptor's own string, without the extra star; "" where it has none. */
const char *go_rtype_string(struct go *go, const struct go_rtype *r);
/* Import path of a named type; "" where none. */
const char *go_rtype_pkg_path(struct go *go, const struct go_rtype *r);
const struct go_module *go_types_module(const struct go *go, uint64_t rtype);

/* Fills a row from DWARF alone; as above. */
void go_dwarf_decode(struct go *go, struct go_type *row);

#endif
