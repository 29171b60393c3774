/* Types for blocks. Some have them in a header; the rest learn them from what points to them, from variables of known
 * type onward. */
#ifndef HF_GO_TYPING_H
#define HF_GO_TYPING_H

#include "types.h"

/* Gives blocks their types: go->block_type and go->views. */
struct hf_err *go_type_blocks(struct hf_runtime *rt, const uint8_t *live) HF_CHECKED;

/* The type of a block and where in it the type's value starts (after a header, or at an inner offset). */
uint32_t go_block_type(struct go *go, uint32_t block, uint64_t *ret_offset);

/* Map layouts; Swiss (1.24) or buckets. */
#define GO_GROUP_SLOTS 8

/* Local variables of the function at pc, cached; for naming and typing of stack slots. */
struct go_local {
	const char *name;   /* valid while the syms live; NULL: of what is captured, not known */
	uint32_t type;      /* go type id */
	int64_t cfa_offset; /* closures' captured variables: the offset in the closure */
	uint32_t piece_offset, size;
	bool captured;
	bool bare_pointer; /* the pointer of a slice or string that the compiler took apart */
	/* Of go_variables_of alone: */
	bool unplaced, outer, parameter, result; /* outer: declared where its function is, see hf_local */
};
typedef HF_VEC(struct go_local) go_locals;
struct hf_err *go_locals_at(struct go *go, uint64_t pc, const go_locals **ret) HF_CHECKED;
/* What is captured by value, and has its address taken, is to DWARF a reference, "&x", where the value itself stands: the
 * room of a closure on the heap tells. */
void go_captures_settle(struct go *go, const go_locals *locals, uint64_t room);
/* All variables of the function that starts at entry, each with each place on the stack that it has at any pc; cached. */
struct hf_err *go_variables_of(struct go *go, uint64_t entry, const go_locals **ret) HF_CHECKED;
/* The local that covers a CFA offset (or closure offset); NULL: none is known. */
const struct go_local *go_local_find(const go_locals *locals, int64_t offset, bool captured);
/* A closure that lies on the stack (deferred, or never escaping): true where slot is one of its captured variables;
 * where its code is, and the slot's offset in it. */
bool go_stack_closure(struct go *go, uint64_t slot, uint64_t *ret_code, uint64_t *ret_offset);
void go_locals_deinit(struct go *go);

#endif
