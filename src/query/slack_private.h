/* What slack.c (views into groups of a block) and slack_rows.c (names, rows) share. */
#ifndef HF_SLACK_PRIVATE_H
#define HF_SLACK_PRIVATE_H

#include "../base/map64.h"
#include "../base/vec.h"
#include "session.h"

#define SLACK_ROOT (UINT32_MAX - 1) /* in the place of a block: `at` is the number of a root */

/* A view that does not see all of its block. */
struct slack_view {
	uint32_t block, from;
	uint64_t at; /* slot, or the number of a root */
	uint64_t start, end, reach;
	uint32_t holder; /* number of its name; once the block is known to waste */
	uint8_t kind;    /* enum hf_view_kind */
};

/* A map or a channel that could do with less. */
struct slack_spare {
	uint32_t block;
	uint8_t kind;
	uint64_t spare, of;
};

/* Who was first found to lead to a block: where names of open places go on. */
struct slack_anchor {
	uint32_t from; /* HF_NO_BLOCK: nobody yet */
	uint32_t at;   /* in words from the start of the block; or the number of a root */
};

struct slack {
	struct hf_session *s;
	struct hf_slack *result;
	struct slack_anchor *anchors;
	uint32_t *unknown; /* a block: pointers to it whose view is not known */
	uint8_t *whole;    /* a bit a block: something sees all of it */
	HF_VEC(struct slack_view) views;
	HF_VEC(struct slack_spare) spares;
	/* names: by text; closed places and open blocks by what they are */
	struct hf_map64 by_text, by_place, by_block;
	HF_VEC(const char *) names;
	HF_VEC(uint32_t) next;            /* of names with the same hash */
	HF_VEC(struct hf_slack_row) rows; /* by name */
	HF_VEC(uint64_t) most;            /* of the row: what its example wastes; */
	HF_VEC(uint64_t) of_kind;         /* SLACK_KINDS a row: bytes */
};

enum slack_kind {
	SLACK_SLICE,
	SLACK_STRING,
	SLACK_POINTER,
	SLACK_CAPACITY,
	SLACK_MAP,
	SLACK_CHAN,
	SLACK_KINDS,
};

/* What one block adds to its row. */
struct slack_waste {
	uint32_t block, holder;
	enum slack_kind kind;
	uint64_t wasted, capacity, visible, size, views, shared, hidden, hidden_bytes;
	const uint32_t *others; /* holders of its other views */
	size_t others_n;
};

/* The number of the name of where a view stands; of what leads to a block. */
struct hf_err *hf_slack_name(struct slack *k, uint32_t from, uint64_t at, uint32_t *ret) HF_CHECKED;
struct hf_err *hf_slack_name_block(struct slack *k, uint32_t block, uint32_t *ret) HF_CHECKED;
struct hf_err *hf_slack_add(struct slack *k, const struct slack_waste *w) HF_CHECKED;
/* Sorts the rows into the result, cut at limit. */
struct hf_err *hf_slack_finish(struct slack *k, size_t limit) HF_CHECKED;
void hf_slack_deinit(struct slack *k);

#endif
