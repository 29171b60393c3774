/* Retained sizes, and the tree of dominators from above. Private to this folder. */
#ifndef HF_RETAINED_H
#define HF_RETAINED_H

#include "../graph/dominators.h"
#include "session.h"

/* What no single root holds, in lists of roots. */
#define HF_SHARED_NAME "(shared by several roots)"

/* The nodes that each node dominates at once: children[start[v]] .. children[start[v+1]-1]. */
struct hf_domtree {
	uint32_t *start, *children;
};
struct hf_err *hf_domtree_init(struct hf_domtree *t, const struct hf_dominators *d) HF_CHECKED;
void hf_domtree_deinit(struct hf_domtree *t);

/* The group that a block belongs to; UINT32_MAX: none. */
typedef uint32_t hf_group_fn(void *arg, uint32_t block);
/* Adds to ret[group] the bytes that the objects of each group retain together, as below. */
struct hf_err *hf_retained_by_group(struct hf_session *s, uint32_t groups, hf_group_fn *fn, void *arg,
				    uint64_t *ret) HF_CHECKED;

/* Adds to ret[type] the bytes that the objects of each type retain together: an object that another one of its type
 * dominates is not counted twice. Cost: a pass over the tree, 16 bytes a block. */
struct hf_err *hf_retained_by_type(struct hf_session *s, uint64_t *ret) HF_CHECKED;

#endif
