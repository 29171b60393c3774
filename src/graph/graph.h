/* Blocks and edges, with no word about who manages the memory: who points to whom, from which root, how far.
 *
 * Blocks are numbered 0..blocks-1, densely. Edges are a compressed sparse row array: the targets of block b are
 * edges[start[b]] .. edges[start[b+1]-1], in ascending order of where in b the pointer stands; repeats are kept.
 * All of it is 32-bit; a graph beyond 2^32-2 edges is refused with UNSUPPORTED. No recursion, no malloc a block.
 */
#ifndef HF_GRAPH_H
#define HF_GRAPH_H

#include "../base/base.h"
#include "../base/vec.h"

#define HF_NO_BLOCK UINT32_MAX

/* A pointer from outside the heap into a block. `owner` is what the runtime names it by (a variable, a goroutine...):
 * two roots of one owner and kind are one holder to the user. `slot` is where the pointer stands, `value` what it is. */
struct hf_root {
	uint32_t block;
	uint32_t owner;
	uint8_t kind; /* enum hf_root_kind of runtime.h; lower kinds are preferred in chains of one length */
	uint64_t slot, value;
};

struct hf_graph {
	uint32_t blocks;
	uint32_t *start; /* blocks + 1 */
	uint32_t *edges;
	HF_VEC(struct hf_root) roots;
	/* Made on demand: */
	uint32_t *back_start, *back_edges; /* the reverse: who points to b */
	uint32_t *root_start, *root_index; /* roots that point to b: roots.at[root_index[root_start[b]..]] */
	uint8_t *live;                     /* a bit a block: reached from some root */
	size_t marked_roots;               /* the roots that live counts: more may have been added since */
};

/* Builds the edges, in any order of chunks and by several threads: chunk i covers the blocks from first_block[i] to
 * first_block[i+1]. Each chunk is filled by one thread: hf_graph_begin_block for each of its blocks in turn, and
 * hf_graph_edge for each pointer. */
struct hf_graph_chunk {
	uint32_t first_block, blocks; /* set by hf_graph_builder_init's caller */
	uint32_t at;                  /* blocks begun */
	uint32_t *degrees;            /* of this chunk's blocks */
	HF_VEC(uint32_t) edges;
};

/* Makes the graph of `blocks` blocks from chunks that together cover all of them, in ascending order; takes the
 * chunks' memory (also on error). Errors: NOMEM, UNSUPPORTED (too many edges), BADDATA (an edge to a block that does
 * not exist), USAGE (chunks that do not cover the blocks), INTERRUPTED.
 * Cost: one copy of the edges, at most a chunk of them twice in memory. */
struct hf_err *hf_graph_create(struct hf_graph_chunk *chunks, size_t n, uint32_t blocks,
			       struct hf_graph **ret) HF_CHECKED;
void hf_graph_destroy(struct hf_graph *g); /* takes NULL */

struct hf_err *hf_graph_chunk_init(struct hf_graph_chunk *c, uint32_t first_block, uint32_t blocks)
	HF_CHECKED;
void hf_graph_chunk_deinit(struct hf_graph_chunk *c);

/* Ends the block before and begins the next. */
static inline void hf_graph_begin_block(struct hf_graph_chunk *c)
{
	c->at++;
}

/* A pointer of the block begun last to block `to`. Errors: NOMEM. */
static inline struct hf_err *hf_graph_edge(struct hf_graph_chunk *c, uint32_t to)
{
	HF_TRY(hf_vec_push(&c->edges, to));
	c->degrees[c->at - 1]++;
	return NULL;
}

/* Adds a root. root.block may be HF_NO_BLOCK: it is then dropped. After the first question for paths or retainers
 * none may be added; after a mark they may, and the next mark counts them.
 * Errors: NOMEM, BADDATA (there is no such block), USAGE (after a query), UNSUPPORTED (2^32-2 roots and more). */
struct hf_err *hf_graph_add_root(struct hf_graph *g, const struct hf_root *root) HF_CHECKED;

/* Marks all that the roots reach; g->live is valid after. Breadth-first, on a queue of block numbers.
 * Errors: NOMEM, INTERRUPTED. Cost: every edge of a live block once. */
struct hf_err *hf_graph_mark(struct hf_graph *g) HF_CHECKED;

static inline bool hf_graph_is_live(const struct hf_graph *g, uint32_t block)
{
	return g->live[block / 8] >> (block % 8) & 1;
}

/* A chain of blocks from a root to a target: path[0] is held by roots.at[root], path[n-1] is the target. */
struct hf_path {
	uint32_t root;
	uint32_t *path;
	uint32_t n;
};

/* The shortest chains to a block, at most max, each from another holder (owner and kind), shortest first; of one length
 * the lower root kind first, then the lower root index. None: the block is garbage; that is no error.
 * ret  caller frees with hf_paths_free.     Errors: NOMEM, INTERRUPTED, USAGE (there is no such block)
 * Cost: makes the reverse edges once (as much memory as the edges), then visits each retainer once: a backward
 * breadth-first search from the target. */
struct hf_err *hf_graph_paths(struct hf_graph *g, uint32_t target, size_t max, struct hf_path **ret,
			      size_t *ret_n) HF_CHECKED;
void hf_paths_free(struct hf_path *paths, size_t n);

/* How many distinct blocks point to this one (self excluded), and how many roots. Makes the reverse edges. */
struct hf_err *hf_graph_retainers(struct hf_graph *g, uint32_t block, uint32_t *ret_blocks,
				  uint32_t *ret_roots) HF_CHECKED;

#endif
