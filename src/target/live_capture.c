#include "live.h"

#include "../base/workers.h"
#include "headroom.h"

#include <unistd.h>

#define PIECE                                                                                                \
	(UINT64_C(1) << 20) /* of one pread: larger ones are not faster, and answer an interrupt later */
#define BATCH    256u       /* pieces between two words of progress */
#define PARALLEL 4u         /* fewer pieces are not worth a thread */

/* A part of a range that lies in one mapping and one region, and of which nothing is captured yet. */
struct seg {
	uint64_t start, end;
	const struct hf_map *map;
	struct hf_region *region;
};

struct plan {
	struct hf_target *t;
	struct hf_live *live;
	struct hf_ranges ranges;
	HF_VEC(struct seg) segs;
	HF_VEC(struct seg) holes;   /* of file mappings */
	struct hf_page_runs runs;   /* of one seg */
	struct hf_page_runs pieces; /* present: to copy */
	struct hf_page_runs swapped;
	uint64_t bytes; /* of pieces */
};

static void plan_deinit(struct plan *p)
{
	hf_vec_deinit(&p->ranges);
	hf_vec_deinit(&p->segs);
	hf_vec_deinit(&p->holes);
	hf_vec_deinit(&p->runs);
	hf_vec_deinit(&p->pieces);
	hf_vec_deinit(&p->swapped);
}

static struct hf_err *add_segs(struct plan *p, const struct hf_map *map, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct hf_region *r = hf_image_find(p->live->image, start);
		uint64_t cut = r ? hf_min(end, r->end) : end;

		while (r && start < cut) {
			bool known;
			uint64_t stop = hf_region_run(r, start, cut, &known);

			if (!known)
				HF_TRY(hf_vec_push(&p->segs, ((struct seg){start, stop, map, r})));
			start = stop;
		}
		start = cut;
	}
	return NULL;
}

static struct hf_err *split_ranges(struct plan *p)
{
	const struct hf_map *m = p->t->maps.at, *end = m + p->t->maps.n;

	hf_vec_each(&p->ranges, r) {
		while (m < end && m->end <= r->start)
			m++;
		for (const struct hf_map *in = m; in < end && in->start < r->end; in++)
			if (in->readable && hf_map_kind(in) != HF_MAP_NEVER)
				HF_TRY(add_segs(p, in, hf_max(in->start, r->start), hf_min(in->end, r->end)));
	}
	return NULL;
}

static void lose(struct hf_live *live, struct hf_region *r, uint64_t start, uint64_t end, enum hf_lost reason)
{
	uint64_t pages = 0;

	for (uint64_t at = start; at < end; at += HF_ARCH_PAGE)
		pages += hf_region_lose(r, at);
	atomic_fetch_add(&live->lost[reason], pages * HF_ARCH_PAGE);
}

static struct hf_err *add_piece(struct plan *p, const struct hf_page_run *run)
{
	for (uint64_t at = run->start; at < run->end;) {
		uint64_t end = hf_min(run->end, hf_align_down(at, PIECE) + PIECE);

		HF_TRY(hf_vec_push(&p->pieces, ((struct hf_page_run){at, end, HF_RUN_PRESENT})));
		p->bytes += end - at;
		at = end;
	}
	return NULL;
}

static struct hf_err *add_hole(struct plan *p, const struct seg *seg, uint64_t start, uint64_t end)
{
	if (start == end || hf_map_kind(seg->map) != HF_MAP_FILE)
		return NULL;
	p->bytes += end - start;
	return hf_vec_push(&p->holes, ((struct seg){start, end, seg->map, seg->region}));
}

/* Finds what of a seg has to be copied, and what to be read from a file; the rest is zero. */
static struct hf_err *plan_seg(struct plan *p, const struct seg *seg)
{
	struct hf_region *r = seg->region;
	bool device = hf_map_kind(seg->map) == HF_MAP_DEVICE;
	uint64_t at = seg->start;

	p->runs.n = 0;
	if (!device)
		HF_TRY(hf_live_scan(p->live, seg->map, seg->start, seg->end, &p->runs));
	if (!p->runs.n && !r->captured && seg->start == r->start && seg->end == r->end &&
	    hf_map_kind(seg->map) == HF_MAP_ANON) {
		atomic_store_explicit(&r->zeros, true, memory_order_release);
		return NULL;
	}
	HF_TRY(hf_region_reserve(r));
	if (device)
		lose(p->live, r, seg->start, seg->end, HF_LOST_DEVICE);
	hf_vec_each(&p->runs, run) {
		HF_TRY(add_hole(p, seg, at, run->start));
		HF_TRY(run->state == HF_RUN_PRESENT ? add_piece(p, run) : hf_vec_push(&p->swapped, *run));
		at = run->end;
	}
	return add_hole(p, seg, at, seg->end);
}

struct bad_page {
	struct hf_live *live;
	struct hf_region *region;
};

static void note_bad_page(void *arg, uint64_t addr)
{
	const struct bad_page *bad = arg;

	lose(bad->live, bad->region, addr, addr + HF_ARCH_PAGE, HF_LOST_BROKEN);
}

static struct hf_err *copy_piece(void *arg, size_t i, unsigned worker)
{
	struct plan *p = arg;
	const struct hf_page_run *piece = &p->pieces.at[i];
	struct bad_page bad = {p->live, hf_image_find(p->live->image, piece->start)};

	(void)worker;
	return hf_live_copy(p->live, piece->start, bad.region->bytes + (piece->start - bad.region->start),
			    piece->end - piece->start, note_bad_page, &bad);
}

struct batch {
	struct plan *plan;
	size_t first;
};

static struct hf_err *copy_in_batch(void *arg, size_t i, unsigned worker)
{
	const struct batch *batch = arg;

	return copy_piece(batch->plan, batch->first + i, worker);
}

static struct hf_err *copy_pieces(struct plan *p)
{
	if (p->pieces.n < PARALLEL) {
		for (size_t i = 0; i < p->pieces.n; i++)
			HF_TRY(copy_piece(p, i, 0));
		return NULL;
	}
	for (struct batch b = {p, 0}; b.first < p->pieces.n; b.first += BATCH) {
		if (p->pieces.n > BATCH)
			hf_progress("copying memory", b.first, p->pieces.n);
		HF_TRY(hf_parallel(hf_min(p->pieces.n - b.first, (size_t)BATCH), copy_in_batch, &b));
	}
	if (p->pieces.n > BATCH)
		hf_progress("copying memory", p->pieces.n, p->pieces.n);
	return NULL;
}

/* What seemed to be on swap, once more: present by now, or not. */
static struct hf_err *settle_swapped(struct plan *p, const struct hf_page_run *run)
{
	struct hf_region *r = hf_image_find(p->live->image, run->start);

	if (run->state == HF_RUN_PRESENT)
		return add_piece(p, run);
	if (run->state == HF_RUN_SWAPPED)
		lose(p->live, r, run->start, run->end, HF_LOST_SWAPPED);
	for (uint64_t at = run->start; at < run->end; at += HF_ARCH_PAGE)
		hf_region_lose(r, at);
	return NULL;
}

/* A page that the kernel is just moving looks like one on swap: ask again a moment later. */
static struct hf_err *copy_swapped(struct plan *p)
{
	if (!p->swapped.n)
		return NULL;
	usleep(1000);
	p->pieces.n = 0;
	hf_vec_each(&p->swapped, before) {
		p->runs.n = 0;
		HF_TRY(hf_live_rescan(p->live, before->start, before->end, &p->runs));
		hf_vec_each(&p->runs, run)
			HF_TRY(settle_swapped(p, run));
	}
	return copy_pieces(p);
}

static struct hf_err *read_hole(struct plan *p, const struct seg *hole)
{
	struct hf_region *r = hole->region;

	for (uint64_t at = hole->start; at < hole->end;) {
		uint64_t end = hf_min(hole->end, at + PIECE);
		enum hf_lost reason;
		bool done;

		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_live_read_file(p->t, hole->map, at, r->bytes + (at - r->start), end - at, &reason,
					 &done));
		if (!done)
			lose(p->live, r, at, end, reason);
		at = end;
	}
	return NULL;
}

/* What was set aside before the stop has been counted there. */
static struct hf_err *check_headroom(struct plan *p)
{
	uint64_t ours = hf_min(p->bytes, p->live->set_aside);

	HF_TRY(hf_headroom_check(p->bytes - ours));
	p->live->set_aside -= ours;
	return NULL;
}

static struct hf_err *run_plan(struct plan *p)
{
	hf_vec_each(&p->segs, seg) {
		HF_TRY(hf_interrupt_check());
		HF_TRY(plan_seg(p, seg));
	}
	HF_TRY(check_headroom(p));
	HF_TRY(copy_pieces(p));
	HF_TRY(copy_swapped(p));
	hf_vec_each(&p->holes, hole)
		HF_TRY(read_hole(p, hole));
	hf_vec_each(&p->segs, seg)
		if (seg->region->captured)
			hf_region_mark(seg->region, seg->start, seg->end);
	return NULL;
}

struct hf_err *hf_live_capture(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	_cleanup_(plan_deinit) struct plan plan = {.t = t, .live = t->arg};

	HF_TRY(hf_ranges_normalise(ranges, n, &plan.ranges));
	HF_TRY(split_ranges(&plan));
	return run_plan(&plan);
}

static void note_bad_read(void *arg, uint64_t addr)
{
	uint64_t *first = arg;

	*first = hf_min(*first, addr);
}

/* Pages of one mapping into a zeroed buffer. */
static struct hf_err *read_pages_now(struct hf_target *t, const struct hf_map *map, uint64_t start,
				     uint64_t end, uint8_t *buf, struct hf_page_runs *runs)
{
	struct hf_live *live = t->arg;
	uint64_t at = start, bad = UINT64_MAX;

	HF_TRY(hf_live_scan(live, map, start, end, runs));
	for (size_t i = 0; i <= runs->n; i++) {
		uint64_t hole_end = i < runs->n ? runs->at[i].start : end;
		enum hf_lost reason;
		bool done = true;

		if (hole_end > at && hf_map_kind(map) == HF_MAP_FILE)
			HF_TRY(hf_live_read_file(t, map, at, buf + (at - start), hole_end - at, &reason,
						 &done));
		if (!done || (i < runs->n && runs->at[i].state != HF_RUN_PRESENT))
			return hf_err_at(HF_STALE, at,
					 "0x%" PRIx64 " of %s is not in memory, and was left alone", at,
					 t->label);
		if (i == runs->n)
			break;
		at = runs->at[i].end;
		HF_TRY(hf_live_copy(live, hole_end, buf + (hole_end - start), at - hole_end, note_bad_read,
				    &bad));
	}
	if (bad != UINT64_MAX)
		return hf_err_at(HF_FAULT, bad, "0x%" PRIx64 " of %s cannot be read", bad, t->label);
	return NULL;
}

struct hf_err *hf_live_read_now(struct hf_target *t, const struct hf_map *map, uint64_t addr, void *buf,
				size_t len)
{
	uint64_t start = hf_align_down(addr, HF_ARCH_PAGE), end = hf_align_up(addr + len, HF_ARCH_PAGE);
	_free_ uint8_t *pages = hf_calloc(1, end - start);
	struct hf_page_runs runs = {0};
	struct hf_err *err;

	if (!pages)
		return hf_err_nomem();
	err = read_pages_now(t, map, start, end, pages, &runs);
	hf_vec_deinit(&runs);
	if (!err)
		memcpy(buf, pages + (addr - start), len);
	return err;
}

void hf_live_tell_lost(struct hf_target *t)
{
	static const char *const why[HF_LOST_REASONS] = {
		[HF_LOST_SWAPPED] = "is on swap and was left there: what it refers to may seem lost",
		[HF_LOST_REMOTE] = "is of files on a network or FUSE file system, not in memory now, and was "
				   "not fetched",
		[HF_LOST_FILE] =
			"is shared or of files, not in the process's own page table, and cannot be opened "
			"(CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN would let it)",
		[HF_LOST_DEVICE] = "belongs to devices and was not read",
		[HF_LOST_BROKEN] = "was refused by the kernel (guarded, secret or poisoned pages)",
	};
	struct hf_live *live = t->arg;
	char size[16];

	for (size_t i = 0; i < HF_LOST_REASONS; i++) {
		uint64_t bytes = live->lost[i];

		if (bytes && !live->told[i])
			hf_target_warn(t, true, "%s of memory %s", hf_format_size(bytes, size, sizeof(size)),
				       why[i]);
		live->told[i] = bytes;
	}
	if (live->pagemap_fd < 0 && !live->pagemap_told)
		hf_target_warn(
			t, false,
			"/proc/%d/pagemap cannot be read: untouched memory was read as if it were used",
			live->pid);
	live->pagemap_told = live->pagemap_fd < 0;
}
