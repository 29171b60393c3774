/* Roots in parties: what each holds, and which of them can be reached at all by the others.
 *
 * A party is a group of roots and of blocks that are its own: descriptors that lead on to what the party holds, but that
 * are reached from elsewhere for reasons of their own (lists of all there are). Whoever reaches such a block does not by
 * that reach what it leads to: its pointers count for its party alone.
 */
#ifndef HF_PARTIES_H
#define HF_PARTIES_H

#include "graph.h"

#define HF_NO_PARTY UINT32_MAX

struct hf_party_block {
	uint32_t party, block;
};
typedef HF_VEC(struct hf_party_block) hf_party_blocks;

struct hf_parties {
	uint32_t n;
	const uint32_t *of_root; /* for each of the graph's roots: its party; HF_NO_PARTY: none's */
	const struct hf_party_block
		*own; /* HF_NO_PARTY: own, but of none: its pointers count from the start */
	size_t own_n;
	const struct hf_party_block *keys; /* hf_gate: blocks that open their party once they are reached */
	size_t keys_n;
};

/* A mark in which parties are closed at first: their roots and own blocks do not count. Where a key of a closed party is
 * reached, the party opens, and what it holds is marked, too, until no more opens. */
struct hf_gate {
	uint8_t *live; /* a bit a block: reached, or own */
	uint8_t *open; /* a byte a party */
	uint32_t *key; /* by party: the key that opened it; HF_NO_BLOCK: none did */
	uint32_t *
		parent; /* by block that was reached: the block before it on the way, or the root, where by_root */
	uint8_t *
		by_root; /* a bit a block; own blocks that nothing but their party leads to have neither: HF_NO_BLOCK */

	/* private */
	const struct hf_graph *g;
	struct hf_parties p;              /* own, keys: copies in ascending order of party, of block */
	uint32_t *root_start, *roots;     /* by party; the last is HF_NO_PARTY's */
	uint32_t *own_start;              /* by party */
	uint8_t *watched;                 /* a bit a block: it is a key */
	uint32_t *queue, head, tail;      /* blocks that were reached */
	uint32_t *opened, taken, to_take; /* parties that were opened */
};

/* parties  borrowed until the gate is destroyed, but own and keys, which are copied.
 * Errors: NOMEM, BADDATA (a party or a block that there is not).     Cost: 9 bytes a block. */
struct hf_err *hf_gate_create(const struct hf_graph *g, const struct hf_parties *parties,
			      struct hf_gate **ret) HF_CHECKED;
void hf_gate_destroy(struct hf_gate *gate); /* takes NULL */
/* Opens a party, from the next run on. */
void hf_gate_open(struct hf_gate *gate, uint32_t party);
/* Marks what can be reached by now. Errors: INTERRUPTED. Cost of all runs together: every edge reached, once. */
struct hf_err *hf_gate_run(struct hf_gate *gate) HF_CHECKED;

/* The way by which a block was reached: from a root to the block. Empty where it is own and nothing else led to it.
 * ret  caller frees with hf_free.     Errors: NOMEM */
struct hf_err *hf_gate_path(const struct hf_gate *gate, uint32_t block, struct hf_path *ret) HF_CHECKED;

/* By block, the one party whose roots and own blocks alone reach it; HF_NO_PARTY: nothing reaches it, several do, or what
 * belongs to none; own blocks, too. What is a party's would be garbage without it.
 * ret  caller frees with hf_free.     Errors: NOMEM, BADDATA, INTERRUPTED.     Cost: every edge twice at most; 12 bytes a block */
struct hf_err *hf_parties_hold(const struct hf_graph *g, const struct hf_parties *parties, uint32_t **ret)
	HF_CHECKED;

#endif
