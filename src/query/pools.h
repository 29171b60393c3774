/* What pools keep: their items, who else leads to them, what is out. Private to this folder.
 *
 * Rows are of pools of one name. All is found in passes over the graph: what is reached without passing a pool's stores is
 * in use; the rest of what items lead to, the idle part, is coloured by the item, or items, that lead to it. */
#ifndef HF_QUERY_POOLS_H
#define HF_QUERY_POOLS_H

#include "session.h"

/* Colours of idle blocks: an item's number; items_n + a row's number: several items of that row; these two. */
#define HF_COLOUR_NONE UINT32_MAX
#define HF_COLOUR_MANY (UINT32_MAX - 1) /* items of several rows */

struct hf_pool_work {
	struct hf_session *s;
	const void *result; /* names live in it */
	struct hf_pools list;
	struct hf_pool_row *rows;
	uint32_t rows_n;
	uint32_t *row_of_pool, *row_of_item;
	uint8_t *closed;          /* a bit a block: stores */
	uint8_t *waits;           /* a bit a block: an item stands in it */
	struct hf_nearest in_use; /* by ways that lead through no store */
	uint64_t *item_bytes;     /* by item: what it alone retains */
	uint64_t shared_bytes;    /* of colour MANY */
};

static inline bool hf_pool_in_use(const struct hf_pool_work *w, uint32_t block)
{
	return w->in_use.root[block] != UINT32_MAX;
}

/* Names the pools, and makes rows of those of one name: sets rows with kind, name, count, constructor, row_of_pool. */
struct hf_err *hf_pools_name(struct hf_pool_work *w) HF_CHECKED;
/* Sets what idle items and their tables take; in_use, closed, waits, row_of_item and rows must be set. */
struct hf_err *hf_pools_sum(struct hf_pool_work *w) HF_CHECKED;
/* Sets what is out, and who holds it. */
struct hf_err *hf_pools_find_out(struct hf_pool_work *w) HF_CHECKED;

#endif
