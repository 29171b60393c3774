/* What the search in stripped programs shares: stripped.c (the search; module, heap, goroutines), stripped_tests.c (what
 * Ps, counters and tables look like). */
#ifndef HF_GO_STRIPPED_PRIVATE_H
#define HF_GO_STRIPPED_PRIVATE_H

#include "stripped.h"

#define GO_STRIPPED_PAGE    8192u
#define GO_STRIPPED_SAMPLES 64u /* of a list that is looked at */

/* Words of data, in local memory; `left` bytes from here on may be looked at. */
struct word {
	uint64_t addr;
	const uint8_t *p;
	size_t left;
};

struct search;
typedef bool test_fn(struct search *s, const struct word *w);

/* Bytes of the spans that hold objects, and of those of stacks and the like. */
struct span_sums {
	uint64_t in_use, manual;
};

struct search {
	const struct go_stripped *in;
	struct go_layout *l;
	struct hf_range data[4]; /* data, bss, and those without pointers */
	uint64_t types, etypes;
	uint64_t weight; /* of the word that has just passed */
	struct span_sums sums;
	struct hf_scratch scratch, list;
};

static inline uint64_t at(const struct word *w, int64_t off)
{
	return off >= 0 && (uint64_t)off + 8 <= w->left ? hf_load_u64(w->p + off) : 0;
}

static inline bool read_u64(struct search *s, uint64_t addr, uint64_t *ret)
{
	return !hf_err_ignore(hf_target_read_u64(s->in->t, addr, ret));
}

static inline bool is_within(const struct hf_range *r, uint64_t addr, uint64_t len)
{
	return addr >= r->start && addr <= r->end && len <= r->end - addr;
}

static inline bool in_data(const struct search *s, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < HF_LEN(s->data); i++)
		if (is_within(&s->data[i], addr, len))
			return true;
	return false;
}

/* A slice header of pointers, by its numbers alone. */
static inline bool is_slice(const struct word *w, uint64_t *ret_ptr, uint64_t *ret_n)
{
	uint64_t ptr = at(w, 0), n = at(w, 8), cap = at(w, 16);

	*ret_ptr = ptr;
	*ret_n = n;
	return w->left >= 24 && ptr >= 4096 && ptr % 8 == 0 && ptr >> 47 == 0 && n && n <= cap &&
	       cap < 1ull << 31;
}

/* Item i of so many samples that lie evenly in a list of n. */
static inline uint64_t sample(uint64_t n, uint64_t i, uint64_t samples)
{
	return n <= samples ? i : i * (n - 1) / (samples - 1);
}

/* What a word may be the start of. */
test_fn go_is_allp, go_is_memstats, go_is_controller, go_is_itab_table, go_is_mbuckets, go_is_reasons;
uint64_t go_count_reasons(struct search *s, uint64_t addr);

#endif
