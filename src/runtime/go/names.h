/* How one block leads to another, in the language's words. */
#ifndef HF_GO_NAMES_H
#define HF_GO_NAMES_H

#include "typing.h"

/* Appends the path to `offset` in a value of a type: ".a.b[3]". Nothing where the type is unknown or the offset 0 of a
 * scalar. */
void go_path_name(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret);
/* The same; *ret_type: the innermost scalar's type, *ret_offset: where in it. */
void go_path_walk(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret, uint32_t *ret_type,
		  uint64_t *ret_offset);
/* Where in a variable something stands: in a value of a type, at an offset. */
struct go_static {
	uint32_t type;
	uint64_t offset;
};
/* The variable that addr stands in, or that leads there through variables without names: what the compiler lays out for
 * `var p = &T{...}`. Appends its name, and the way to where the value at addr begins (nothing for the variable itself);
 * name stays empty where there is none. Cost: a pass over the program's data, once. */
struct hf_err *go_static_find(struct go *go, uint64_t addr, struct hf_str *name, struct hf_str *path,
			      struct go_static *ret) HF_CHECKED;
void go_statics_destroy(struct go *go);
/* Appends what stands at a static address: "main.cache+8", by section without symbols. */
void go_place_name(struct go *go, uint64_t addr, struct hf_str *name);
/* Appends a value as a key is written: "text", 42, {1, 2}. bytes: local; len: that are there; at: where they stand in the
 * target, 0: unknown. Strings are cut at 64. */
void go_value_text(struct go *go, uint32_t type, uint64_t at, const uint8_t *bytes, uint64_t len,
		   struct hf_str *ret);

/* ---- what names are made of ---- */

/* The member that covers an offset: the last that starts at or before it and is long enough; NULL: none. */
const struct go_member *go_member_at(struct go *go, const struct go_type *type, uint64_t offset);
/* One level down in a value, into the member or the array's element that covers the offset; *ret_member: NULL of an element.
 * False: there is none, and all stays as it is. */
bool go_type_enter(struct go *go, uint32_t *type, uint64_t *offset, const struct go_member **ret_member);
#define GO_PATH_DEPTH 64 /* levels that paths are followed for: types may lie, too */
/* What users do not write: the inside of atomic pointers and of sync.Map. */
bool go_type_is_hidden(struct go *go, uint32_t type);

/* Where in a group or bucket an offset stands. */
struct go_map_slot {
	uint32_t index; /* 0..7 */
	bool is_key;
	uint64_t key_at;              /* of this slot, from the group's start */
	uint64_t in_part;             /* offset in the key or element */
	uint32_t key_type, elem_type; /* as stored: a pointer where the map stores it indirectly */
};

/* A group is {ctrl, slots [8]struct{key, elem}}, or (split groups) {ctrl, keys, elems}, a bucket {tophash, keys, elems,
 * overflow}; all of them tell by their own type. False: the offset is in none of the slots. */
bool go_map_slot_find(struct go *go, uint32_t group, uint64_t offset, struct go_map_slot *ret);

/* ---- names ---- */

/* What a field's tag says that it is on the wire. */
struct go_wire {
	const char *format; /* "thrift" */
	char name[64];      /* cut; "" where there is none */
	char id[12];        /* digits; "" where there is none */
};
/* False: the tag (NULL: there is none) names no wire field. */
bool go_tag_read(const char *tag, struct go_wire *ret);
/* Appends "thrift 2: body", "json: body", or nothing. */
void go_tag_text(const char *tag, struct hf_str *ret);

/* fields.c; see runtime.h */
struct hf_err *go_find_field(struct hf_runtime *rt, uint32_t type, const char *path, struct hf_field_way *ret)
	HF_CHECKED;
struct hf_err *go_field_value(struct hf_runtime *rt, uint32_t block, const struct hf_field_way *way,
			      struct hf_str *ret) HF_CHECKED;

struct hf_err *go_edge_tags(struct hf_runtime *rt, uint32_t from, uint32_t to, struct hf_str *ret) HF_CHECKED;
struct hf_err *go_edge_name(struct hf_runtime *rt, uint32_t from, uint32_t to, bool redact,
			    struct hf_str *ret) HF_CHECKED;
struct hf_err *go_offset_name(struct hf_runtime *rt, uint32_t block, uint64_t addr, struct hf_str *ret)
	HF_CHECKED;
struct hf_err *go_root_name(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *name,
			    struct hf_str *via) HF_CHECKED;
void go_holder_name(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *ret);
struct hf_err *go_value(struct hf_runtime *rt, uint32_t block, struct hf_str *ret) HF_CHECKED;

#endif
