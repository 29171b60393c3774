/* Stacks of steps and types as a tree in which each stands once, folded. Private to this folder.
 *
 * A node is the stack from it up to its root. Below it, what is of its own type is the node itself, and a type that was
 * passed already goes back to the last node that was new, with one frame more: so that a stack holds each type on the way
 * to it, but is at most twice as deep as there are types. */
#ifndef HF_PROFILE_STACKS_H
#define HF_PROFILE_STACKS_H

#include "profile.h"

#define HF_STACK_NONE      UINT32_MAX
#define HF_STACK_NO_TYPE   UINT32_MAX
#define HF_STACKS_MAX      (1u << 18)
#define HF_STACK_DEPTH_MAX 200 /* objects in a stack; deeper ones are `others` */

struct hf_stack_node {
	uint32_t parent; /* HF_STACK_NONE: a root */
	uint32_t step;   /* that leads here; 0: none */
	uint32_t type;   /* HF_STACK_NO_TYPE: a root's step, no object */
	uint32_t task;   /* of all that stands here; HF_STACK_NONE: none, or several */
	uint8_t kind;    /* enum hf_root_kind; HF_STACK_SHARED */
	bool again;      /* its type stands above already */
	uint16_t depth;
	uint64_t objects, bytes, retained_objects, retained_bytes;
};
#define HF_STACK_SHARED 0xff

struct hf_stacks {
	HF_VEC(struct hf_stack_node) at;
	struct hf_map64 pairs; /* step and type -> a number */
	struct hf_map64 below; /* node and pair -> node */
	uint32_t pairs_n;
	uint32_t max; /* nodes; what is beyond goes to `others` */
	uint32_t others;
	struct {
		uint32_t node, step, type, ret;
	} last;           /* what was asked for below: neighbours are often alike */
	uint64_t refused; /* nodes that there was no room for */
};

/* Errors: NOMEM */
struct hf_err *hf_stacks_init(struct hf_stacks *t, uint32_t max) HF_CHECKED;
void hf_stacks_deinit(struct hf_stacks *t);
/* A node of a root: its first step, or one below another node of the root. Errors: NOMEM */
struct hf_err *hf_stacks_root(struct hf_stacks *t, uint32_t parent, uint32_t step, uint8_t kind,
			      uint32_t *ret) HF_CHECKED;
/* Where objects of a type stand that a step leads to from node. Errors: NOMEM */
struct hf_err *hf_stacks_below(struct hf_stacks *t, uint32_t node, uint32_t step, uint32_t type,
			       uint32_t *ret) HF_CHECKED;

#endif
