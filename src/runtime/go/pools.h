/* sync.Pool: which there are, what waits in them, and their names.
 *
 *   Pool {local, localSize, victim, victimSize, New}
 *            |                 '-> the same, of before the last collection
 *            v
 *   [P]poolLocal {private any, shared {head, tail}}
 *                                            |
 *            .-------------------------------'
 *            v
 *   poolChainElt {headTail, vals []eface, next, prev} -> next -> ...     a ring buffer each, towards the head
 *
 * Source: Go 1.20-1.27 sync/pool.go, sync/poolqueue.go. */
#ifndef HF_GO_POOLS_H
#define HF_GO_POOLS_H

#include "types.h"

enum { GO_POOLS_ALL, GO_POOLS_OLD, GO_POOLS_LISTS };

/* A pool that has items is in one of the lists sync.allPools and sync.oldPools, or both. */
struct go_pools {
	HF_VEC(struct hf_pool) pools;
	HF_VEC(struct hf_pool_item) items;
	HF_VEC(uint32_t) stores;
	struct hf_map64 by_addr; /* index into pools */
	struct hf_map64 seen;    /* blocks in stores */
	uint32_t list
		[GO_POOLS_LISTS]; /* the blocks of these lists; HF_NO_BLOCK: none, or it is not known which they are */
	size_t listed
		[GO_POOLS_LISTS]; /* of pools, as many from the start on are in this list, or in the one before */
	size_t emitted;           /* of these, the first so many were late roots, where they had to be */
	bool is_known;            /* how pools are laid out; false: none is read */
	bool complete;            /* pools that were never used are there, too */
	struct hf_scratch scratch[2];
};

/* After the blocks are numbered, before they are scanned: reads all pools that may have items. */
struct hf_err *go_pools_read(struct go *go) HF_CHECKED;
void go_pools_destroy(struct go *go);

/* The array of one of the lists: what it leads to is held by whoever uses the pool, too, and what is not, is a late
 * root. */
static inline bool go_is_pool_list(const struct go_pools *p, uint32_t block)
{
	return p && (block == p->list[GO_POOLS_ALL] || block == p->list[GO_POOLS_OLD]);
}
/* Calls fn for each pool that nothing but the lists holds, once. */
struct hf_err *go_pools_late_roots(struct go *go, const uint8_t *live, hf_root_fn *fn, void *arg,
				   size_t *ret_n) HF_CHECKED;

/* Reads the pools of a list, a slice at `variable`. *ret_block: the list's array. */
struct hf_err *go_pools_read_list(struct go *go, uint64_t variable, uint32_t *ret_block) HF_CHECKED;
/* Reads all lists of pools that there are in a program without symbols. */
struct hf_err *go_pools_search(struct go *go) HF_CHECKED;
/* How much is left from addr to the end of its block; 0: it is in none. */
uint64_t go_room_at(const struct go *go, uint64_t addr, uint32_t *ret_block);

/* Adds the pool at addr, where it is not there yet. */
struct hf_err *go_pool_add(struct go *go, uint64_t addr, uint32_t *ret, bool *ret_new) HF_CHECKED;

/* The type of what the function at code returns as an interface, as far as its code tells; GO_NO_TYPE: it does not. */
uint32_t go_pool_made(struct go *go, uint64_t code);

bool go_type_is_pool(struct go *go, uint32_t type);
/* Appends the way to the pool at offset in a value of a type: ".bufs[2]"; nothing where there is none. */
void go_pool_path(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret);

/* The ops. */
struct hf_err *go_pools(struct hf_runtime *rt, const uint8_t *live, struct hf_pools *ret) HF_CHECKED;
struct hf_err *go_pool_name(struct hf_runtime *rt, uint32_t pool, struct hf_str *owner, struct hf_str *path)
	HF_CHECKED;
struct hf_err *go_ctor_slot(struct hf_runtime *rt, uint32_t pool, struct hf_ctor_slot *ret) HF_CHECKED;

#endif
