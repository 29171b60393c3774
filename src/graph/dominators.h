/* Who alone holds what: the dominator tree, and exact retained sizes.
 *
 * A node dominates a block where every chain of pointers from a root to the block passes it: without the node
 * the block is garbage. Holders are the caller's groups of roots (all roots of one variable, all goroutines of
 * one function): a group holds as one. What several holders reach, and no block in between gathers, is shared:
 * only the top node dominates it, and it is retained by none of them. The nodes stand in one numbering:
 *
 *   0                  blocks               blocks + holders
 *   | blocks           | holders            | top
 */
#ifndef HF_DOMINATORS_H
#define HF_DOMINATORS_H

#include "graph.h"

struct hf_dominators {
	uint32_t blocks, holders;
	uint32_t n;      /* nodes in the tree: the top, all holders, and the live blocks */
	uint32_t *idom;  /* by node: its nearest dominator; HF_NO_BLOCK: the top, what is not live */
	uint32_t *order; /* the n nodes, each after its dominator: the top comes first */
	/* Made by hf_dominators_measure: what a node dominates and, if it is a block, itself; 0 where not live. */
	uint64_t *retained; /* bytes */
	uint32_t *retained_blocks;
};

static inline uint32_t hf_dominators_holder(const struct hf_dominators *d, uint32_t holder)
{
	return d->blocks + holder;
}

static inline uint32_t hf_dominators_top(const struct hf_dominators *d)
{
	return d->blocks + d->holders;
}

/* Finds the nearest dominator of every live block. What is live follows from the roots: no mark is needed, and
 * the graph is left as it is.
 *
 * holder_of_root  borrowed; for each of g->roots a number below holders.
 * ret             caller frees with hf_dominators_destroy.
 * Errors: NOMEM, INTERRUPTED, USAGE (a holder that is none), UNSUPPORTED (nodes or edges beyond 32 bits)
 * Cost: time in edges * log(blocks) at worst, near to edges in practice. Memory at the peak: 28 bytes a live
 * block, and 4 an edge that leads back in depth-first order; 8 a block are left after.
 * Source: Georgiadis, Linear-Time Algorithms for Dominators and Related Problems (2005): semi-NCA */
struct hf_err *hf_dominators_create(const struct hf_graph *g, const uint32_t *holder_of_root,
				    uint32_t holders, struct hf_dominators **ret) HF_CHECKED;
void hf_dominators_destroy(struct hf_dominators *d); /* takes NULL */

/* Sets ret[0..n-1] to the sizes in bytes of the blocks from first on. Called for all blocks, ascending. */
typedef void hf_dominators_sizes_fn(void *arg, uint32_t first, uint32_t n, uint64_t *ret);

/* Makes retained and retained_blocks, anew where they are there. Sums that do not fit stay at UINT64_MAX.
 * Errors: NOMEM, INTERRUPTED (the old sums stay).     Cost: a pass over the nodes, 12 bytes a block. */
struct hf_err *hf_dominators_measure(struct hf_dominators *d, hf_dominators_sizes_fn *sizes, void *arg)
	HF_CHECKED;

#endif
