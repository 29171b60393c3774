/* Go's types, from two sources made one: the runtime's own descriptors (in every executable; exact) and DWARF (which
 * also knows the types of variables). A type has one id, whichever way it is met. */
#ifndef HF_GO_TYPES_H
#define HF_GO_TYPES_H

#include "go.h"

/* reflect.Kind; internal/abi/type.go */
enum go_kind {
	GO_KIND_INVALID,
	GO_KIND_BOOL,
	GO_KIND_INT,
	GO_KIND_INT8,
	GO_KIND_INT16,
	GO_KIND_INT32,
	GO_KIND_INT64,
	GO_KIND_UINT,
	GO_KIND_UINT8,
	GO_KIND_UINT16,
	GO_KIND_UINT32,
	GO_KIND_UINT64,
	GO_KIND_UINTPTR,
	GO_KIND_FLOAT32,
	GO_KIND_FLOAT64,
	GO_KIND_COMPLEX64,
	GO_KIND_COMPLEX128,
	GO_KIND_ARRAY,
	GO_KIND_CHAN,
	GO_KIND_FUNC,
	GO_KIND_INTERFACE,
	GO_KIND_MAP,
	GO_KIND_POINTER,
	GO_KIND_SLICE,
	GO_KIND_STRING,
	GO_KIND_STRUCT,
	GO_KIND_UNSAFE_POINTER,
};

/* What a block can be beside a value of a Go type. `elem` is the type that it is made for. */
enum go_shape {
	GO_SHAPE_VALUE,      /* a value of a Go type */
	GO_SHAPE_BACKING,    /* the array behind a []elem: as many as fit */
	GO_SHAPE_STRING,     /* the bytes of a string */
	GO_SHAPE_MAP,        /* the header of a map; elem: the map type */
	GO_SHAPE_MAP_DIR,    /* Swiss: the directory of tables */
	GO_SHAPE_MAP_TABLE,  /* Swiss: a table */
	GO_SHAPE_MAP_GROUPS, /* Swiss: groups of slots; old maps: buckets */
	GO_SHAPE_CHAN,       /* hchan; elem: the channel type */
	GO_SHAPE_CHAN_BUF,   /* the ring buffer of a channel; elem: of its elements */
	GO_SHAPE_CLOSURE,    /* a function value; `code` says which */
	GO_SHAPE_PART,       /* an elem is somewhere in it, but it is more than that */
	GO_SHAPE_TRIE_NODE, /* sync.Map and unique: a node of HashTrieMap, entry or indirect; elem: the node type */
};

struct go_member {
	const char *name; /* "" for none */
	uint32_t type;
	uint64_t offset;
	const char *tag; /* NULL: none */
	bool embedded;
};

/* Where a value holds something that leads on. */
enum go_slot_kind {
	GO_SLOT_POINTER, /* to elem; unsafe.Pointer has elem 0 */
	GO_SLOT_SLICE,
	GO_SLOT_STRING,
	GO_SLOT_EFACE,
	GO_SLOT_IFACE,
	GO_SLOT_MAP,
	GO_SLOT_CHAN,
	GO_SLOT_FUNC,
	GO_SLOT_ATOMIC,  /* sync/atomic.Pointer[elem] */
	GO_SLOT_COUNTED, /* unsafe.Pointer to an array of elem, its length in the next word: sync.Pool */
	GO_SLOT_REFLECT, /* reflect.Value: a type, a pointer, flags */
	GO_SLOT_ARRAY,   /* a nested array: type says what of, and how many */
};
struct go_slot {
	uint64_t offset;
	uint32_t type; /* as the kind says; ARRAY: the array type */
	uint8_t kind;
};

struct go_type {
	uint64_t rtype; /* address of the descriptor; 0: only DWARF knows it */
	uint32_t dwarf; /* hf_type id; 0: only the descriptor is known */
	enum go_shape shape;
	uint8_t kind; /* enum go_kind */
	bool direct_iface, name_tried, decoded, trie_tried, is_trie, shaped_tried, is_shaped;
	uint64_t size, ptr_bytes;
	uint32_t elem;       /* pointer, slice, array, chan; map: element; shapes: as there */
	uint32_t key, group; /* map: key; group (Swiss) or bucket (old) */
	uint64_t count;      /* array */
	uint64_t code;       /* closure */
	const struct go_member *members;
	uint32_t members_n;
	const struct go_slot *slots; /* built on demand, by go_type_slots */
	uint32_t slots_n;
	bool slots_built;
	const char *name;
};

struct hf_err *go_types_create(struct go *go) HF_CHECKED; /* after the modules are read */
/* The types of modules are read from memory of our own from here on: a target that is stopped again takes its own away. */
struct hf_err *go_types_own(struct go *go) HF_CHECKED;
void go_types_destroy(struct go *go);

/* Valid while the runtime lives; decoded on first use. id GO_NO_TYPE: a type of kind invalid and size 0. */
const struct go_type *go_type_get(struct go *go, uint32_t id);
uint32_t go_types_count(const struct go *go);

/* The type of a descriptor at addr; of a DWARF type; GO_NO_TYPE where it is none, or damaged. Never fails otherwise, but
 * for NOMEM, which is remembered: go_types_check. */
uint32_t go_type_of_rtype(struct go *go, uint64_t addr);
uint32_t go_type_of_dwarf(struct go *go, uint32_t dwarf_id);
/* The derived type of a shape; code only for closures. */
uint32_t go_type_shape(struct go *go, enum go_shape shape, uint32_t elem, uint64_t code);
struct hf_err *go_types_check(struct go *go) HF_CHECKED;

/* As the language writes it, with full package paths: "map[string]*main.Session"; "?" for GO_NO_TYPE. Valid while the
 * runtime lives. */
const char *go_type_name(struct go *go, uint32_t id);
/* True where the compiler's shape of a type parameter is in it, not what the parameter stands for. */
bool go_type_is_shaped(struct go *go, uint32_t id);
/* False for synthetic descriptors outside of all modules: their names mean nothing. */
bool go_types_module_of(const struct go *go, uint64_t rtype);

/* Where a value of the type leads on: ascending offsets; nested structs are flattened, arrays are not. Bounded. */
const struct go_slot *go_type_slots(struct go *go, uint32_t id, uint32_t *ret_n);

/* The i-th result of a type of functions without parameters; GO_NO_TYPE: it has none, or it is not known. */
uint32_t go_func_result(struct go *go, uint32_t type, unsigned i);

/* The dynamic type of an interface's first word. */
uint32_t go_eface_type(struct go *go, uint64_t word);
uint32_t go_iface_type(struct go *go, uint64_t itab);
/* Of a word that may be either of them, or none. */
uint32_t go_word_type(struct go *go, uint64_t word);

/* The type of an internal/sync.HashTrieMap's node, seen as an entry or an inner node; GO_NO_TYPE: not known. */
uint32_t go_trie_type(struct go *go, uint32_t node, bool is_entry);

/* sync.Map's nodes where DWARF does not tell: its node type, made up. Source: Go 1.24-1.27
 * internal/sync/hashtriemap.go: entry {node, overflow, key, value}, indirect {node, dead, mu, parent, children}. */
uint32_t go_trie_any_node(struct go *go);
#define GO_TRIE_KEY        16
#define GO_TRIE_VALUE      32
#define GO_TRIE_CHILDREN   24
#define GO_TRIE_ENTRY_SIZE 48
#define GO_TRIE_INNER_SIZE 160 /* of the size class */

/* Pointer mask of the values of a type descriptor, for scan.c: bit i of word i/64 is the i-th word. */
struct go_mask {
	uint64_t size_words; /* of one value */
	uint32_t ptr_words;  /* the mask covers these */
	const uint64_t *bits;
};
/* Builds and remembers the mask of a descriptor, for values of up to max_size bytes. Errors: BADDATA (no descriptor, or
 * one that cannot be), NOMEM. Not thread-safe; go_mask_find is, afterwards. */
struct hf_err *go_mask_build(struct go *go, uint64_t rtype, uint64_t max_size, const struct go_mask **ret)
	HF_CHECKED;
const struct go_mask *go_mask_find(const struct go *go, uint64_t rtype); /* NULL: not built */

/* Local copy of the descriptor at addr, len bytes: from the module's type section without a read, else through the
 * target into buf (of len bytes). NULL where it cannot be read. */
const uint8_t *go_rtype_bytes(struct go *go, uint64_t addr, size_t len, uint8_t *buf);

#endif
