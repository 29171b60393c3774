#define _GNU_SOURCE
#include "live.h"

#include "../base/workers.h"
#include "headroom.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PIECE    (UINT64_C(4) << 20)
#define HUGE_MIN (UINT64_C(32) << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Source: Linux 5.14 include/uapi/asm-generic/mman-common.h */
#endif

static int by_start(const void *a, const void *b)
{
	const struct hf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct hf_err *hf_ranges_normalise(const struct hf_range *ranges, size_t n, struct hf_ranges *to)
{
	size_t o = 0;

	HF_TRY(hf_vec_reserve(to, n));
	for (size_t i = 0; i < n; i++) {
		struct hf_range r = {hf_align_down(ranges[i].start, HF_ARCH_PAGE),
				     hf_align_up(ranges[i].end, HF_ARCH_PAGE)};

		if (ranges[i].end > r.end) /* wrapped */
			r.end = hf_align_down(UINT64_MAX, HF_ARCH_PAGE);
		if (ranges[i].start < ranges[i].end)
			to->at[to->n++] = r;
	}
	if (!to->n)
		return NULL;
	qsort(to->at, to->n, sizeof(*to->at), by_start);
	for (size_t i = 1; i < to->n; i++) {
		struct hf_range *last = &to->at[o], next = to->at[i];

		if (next.start <= last->end)
			last->end = hf_max(last->end, next.end);
		else
			to->at[++o] = next;
	}
	to->n = o + 1;
	return NULL;
}

struct local {
	uint8_t *at;
	size_t len;
};

struct pieces {
	struct local *at;
	size_t n, cap;
};

static struct hf_err *populate_piece(void *arg, size_t i, unsigned worker)
{
	const struct local *piece = &((const struct pieces *)arg)->at[i];

	(void)worker;
	if (madvise(piece->at, piece->len, MADV_POPULATE_WRITE) && errno == EINVAL)
		for (size_t k = 0; k < piece->len; k += HF_ARCH_PAGE)
			*(volatile uint8_t *)(piece->at + k) = 0;
	return NULL;
}

/* Huge pages are set aside four times as fast, but would waste memory on what is sparse. */
static void advise_huge(const struct hf_region *r, uint64_t start, uint64_t end,
			const struct hf_page_runs *runs)
{
	uint64_t present = 0;

	hf_vec_each(runs, run)
		present += run->state == HF_RUN_PRESENT ? run->end - run->start : 0;
	if (end - start >= HUGE_MIN && present >= (end - start) / 8 * 7)
		madvise(r->bytes + (start - r->start), end - start, MADV_HUGEPAGE);
}

/* Adds the mirrors of the pages of [start, end), in one mapping and region, that are present. */
static struct hf_err *add_pieces(struct hf_live *live, const struct hf_map *map, struct hf_region *r,
				 uint64_t start, uint64_t end, struct pieces *ret)
{
	struct hf_page_runs runs = {0};
	struct hf_err *err = hf_live_scan(live, map, start, end, &runs);

	if (!err && runs.n)
		err = hf_region_reserve(r);
	if (!err && runs.n)
		advise_huge(r, start, end, &runs);
	for (size_t i = 0; i < runs.n && !err; i++)
		for (uint64_t at = runs.at[i].start; at < runs.at[i].end && !err; at += PIECE)
			if (runs.at[i].state == HF_RUN_PRESENT)
				err = hf_vec_push(ret, ((struct local){r->bytes + (at - r->start),
								       hf_min(PIECE, runs.at[i].end - at)}));
	hf_vec_deinit(&runs);
	return err;
}

static struct hf_err *add_range(struct hf_target *t, const struct hf_range *range, struct pieces *ret)
{
	struct hf_live *live = t->arg;

	hf_vec_each(&t->maps, m) {
		uint64_t at = hf_max(m->start, range->start), end = hf_min(m->end, range->end);

		if (!m->readable || hf_map_kind(m) >= HF_MAP_DEVICE)
			continue;
		while (at < end) {
			struct hf_region *r = hf_image_find(live->prepared, at);

			HF_TRY(hf_interrupt_check());
			HF_TRY(add_pieces(live, m, r, at, hf_min(end, r->end), ret));
			at = r->end;
		}
	}
	return NULL;
}

static struct hf_err *populate(struct hf_target *t, const struct hf_ranges *ranges, struct pieces *pieces)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ranges->n; i++)
		HF_TRY(add_range(t, &ranges->at[i], pieces));
	hf_vec_each(pieces, piece)
		bytes += piece->len;
	HF_TRY(hf_headroom_check(bytes));
	HF_TRY(hf_parallel(pieces->n, populate_piece, pieces));
	((struct hf_live *)t->arg)->set_aside = bytes;
	return NULL;
}

struct hf_err *hf_live_prepare(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	struct hf_live *live = t->arg;
	struct hf_ranges sorted = {0};
	struct pieces pieces = {0};
	struct hf_err *err;

	hf_image_destroy(take_ptr(live->prepared));
	live->set_aside = 0;
	HF_TRY(hf_image_create(t, &live->prepared));
	err = hf_ranges_normalise(ranges, n, &sorted);
	if (!err)
		err = populate(t, &sorted, &pieces);
	hf_vec_deinit(&sorted);
	hf_vec_deinit(&pieces);
	if (err)
		hf_image_destroy(take_ptr(live->prepared));
	return err;
}

/* The mappings changed since: moves the part of a prepared mirror that a region of the image shares with it. */
static void move_part(const struct hf_region *from, struct hf_region *to)
{
	uint64_t start = hf_max(from->start, to->start), end = hf_min(from->end, to->end);

	if (!hf_err_ignore(hf_region_reserve(to)))
		/* Where it fails (before Linux 5.7), the region keeps zeros of its own. The old range stays ours, to be
		 * unmapped with the rest: nothing else can come to lie in it. */
		(void)!mremap(from->bytes + (start - from->start), end - start, end - start,
			      MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
			      to->bytes + (start - to->start));
}

void hf_live_adopt_prepared(struct hf_live *live)
{
	_cleanup_(hf_image_destroy_p) struct hf_image *prepared = take_ptr(live->prepared);
	struct hf_region *to = live->image->regions, *end = to + live->image->n;

	for (size_t i = 0; prepared && i < prepared->n; i++) {
		struct hf_region *from = &prepared->regions[i];

		if (!from->captured)
			continue;
		while (to < end && to->end <= from->start)
			to++;
		if (to < end && to->start == from->start && to->end == from->end) {
			to->lost = from->lost;
			to->bytes = take_ptr(from->bytes);
			to->captured = take_ptr(from->captured);
			continue;
		}
		for (struct hf_region *r = to; r < end && r->start < from->end; r++)
			move_part(from, r);
	}
}
