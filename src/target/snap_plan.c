#include "live.h"
#include "snap_private.h"
#include "../base/workers.h"

#include <elf.h>

/* Untouched pages between two runs that are cheaper as zeros (holes of the file) than as one more segment. */
#define GAP_PAGES 16u
/* How much is asked about at once: bounds what the answer takes. */
#define STRETCH (UINT64_C(4) << 30)

/* A walk over one mapping's pages. */
struct walk {
	struct hf_target *t;
	struct hf_snap_plan *plan;
	const struct hf_map *map;
	enum hf_map_kind kind;
	bool nameless_shared; /* its pages are nowhere but in memory */
	bool nameless_file;   /* a deleted file, or memory of one: nobody will find it later */
	bool zeros_before;
	size_t first_run;
};

void hf_snap_plan_deinit(struct hf_snap_plan *plan)
{
	hf_vec_deinit(&plan->runs);
	hf_vec_deinit(&plan->segs);
	hf_vec_deinit(&plan->lost);
}

static struct hf_err *add_run(struct walk *w, uint64_t start, uint64_t end, bool from_file)
{
	struct hf_snap_run run = {.start = start, .end = end, .map = w->map, .from_file = from_file};
	struct hf_snap_run *last =
		w->plan->runs.n > w->first_run ? &w->plan->runs.at[w->plan->runs.n - 1] : NULL;

	w->plan->resident_bytes += end - start;
	if (last && last->end == start && last->from_file == from_file) {
		last->end = end;
		return NULL;
	}
	run.zeros_before = w->zeros_before;
	w->zeros_before = true;
	return hf_vec_push(&w->plan->runs, run);
}

static struct hf_err *add_lost(struct walk *w, uint64_t start, uint64_t end)
{
	struct hf_range range = {start, end};
	struct hf_range *last = w->plan->lost.n ? &w->plan->lost.at[w->plan->lost.n - 1] : NULL;

	w->zeros_before = false;
	w->plan->skipped_bytes += end - start;
	if (last && last->end == start) {
		last->end = end;
		return NULL;
	}
	return hf_vec_push(&w->plan->lost, range);
}

/* Takes a run of pages that are in the same state. */
static struct hf_err *take_pages(struct walk *w, uint64_t start, uint64_t end, enum hf_page_state state)
{
	bool file = w->kind == HF_MAP_FILE;

	if (state == HF_PAGE_SWAPPED)
		return add_lost(w, start, end);
	if (state == HF_PAGE_RESIDENT || (state == HF_PAGE_FILE_CLEAN && (!file || w->nameless_shared)))
		return add_run(w, start, end, false);
	if (w->nameless_file)
		return add_run(w, start, end, true);
	/* The first page of a file: its build-id is what later tells whether a file is the right one. */
	if (file && start == w->map->start && !w->map->offset && w->map->readable && !w->map->shared) {
		HF_TRY(add_run(w, start, start + HF_ARCH_PAGE, state != HF_PAGE_FILE_CLEAN));
		start += HF_ARCH_PAGE;
	}
	w->zeros_before &= !file || start == end;
	w->plan->skipped_bytes += end - start;
	return NULL;
}

static struct hf_err *take_spans(struct walk *w, uint64_t start, uint64_t end,
				 const struct hf_page_spans *spans)
{
	uint64_t pos = start;

	for (size_t i = 0; i < spans->n; i++) {
		const struct hf_page_span *span = &spans->at[i];

		if (span->start > pos)
			HF_TRY(take_pages(w, pos, span->start, HF_PAGE_ABSENT));
		HF_TRY(take_pages(w, span->start, span->end, span->state));
		pos = span->end;
	}
	return pos < end ? take_pages(w, pos, end, HF_PAGE_ABSENT) : NULL;
}

static struct hf_err *walk_pages(struct walk *w)
{
	struct hf_page_spans spans = {0};
	struct hf_err *err = NULL;

	for (uint64_t at = w->map->start, next; at < w->map->end && !err; at = next) {
		next = at + hf_min(w->map->end - at, STRETCH);
		spans.n = 0;
		err = hf_interrupt_check();
		if (!err)
			err = w->t->ops->page_spans(w->t, at, next, &spans);
		if (!err)
			err = take_spans(w, at, next, &spans);
	}
	hf_vec_deinit(&spans);
	return err;
}

static struct hf_err *walk_map(struct hf_target *t, const struct hf_map *map, struct hf_snap_plan *plan)
{
	struct walk w = {
		.t = t, .plan = plan, .map = map, .kind = hf_map_kind(map), .first_run = plan->runs.n};

	w.zeros_before = w.kind == HF_MAP_ANON;
	w.nameless_shared = map->shared && (map->deleted || !strncmp(map->path, "/dev/shm/", 9));
	w.nameless_file = w.kind == HF_MAP_FILE && map->deleted && !map->shared;
	if (w.kind == HF_MAP_NEVER || w.kind == HF_MAP_DEVICE) {
		plan->skipped_bytes += map->end - map->start;
		return NULL;
	}
	if (w.kind == HF_MAP_WHOLE || !t->ops->page_spans)
		return add_run(&w, map->start, map->end, false);
	HF_TRY(walk_pages(&w));
	if (plan->runs.n > w.first_run && w.kind == HF_MAP_ANON)
		plan->runs.at[plan->runs.n - 1].zeros_after = w.zeros_before;
	return NULL;
}

static struct hf_err *add_segment(struct hf_snap_plan *plan, const struct hf_map *map, uint64_t start,
				  uint64_t end, bool left_out)
{
	struct hf_snap_seg seg = {.start = start, .end = end, .left_out = left_out};

	if (start >= end)
		return NULL;
	seg.flags = (map->readable ? PF_R : 0) | (map->writable ? PF_W : 0) | (map->executable ? PF_X : 0);
	return hf_vec_push(&plan->segs, seg);
}

/* The segments of one mapping, whose runs are [*i, ...): joined over gaps of up to `gap` bytes. */
static struct hf_err *segment_map(struct hf_snap_plan *plan, const struct hf_map *map, uint64_t gap,
				  size_t *i)
{
	enum hf_map_kind kind = hf_map_kind(map);
	bool shows_rest = kind == HF_MAP_FILE;
	uint64_t pos = map->start;

	while (*i < plan->runs.n && plan->runs.at[*i].map == map) {
		const struct hf_snap_run *run = &plan->runs.at[*i], *last = run;
		uint64_t start = run->start, end;

		if (kind == HF_MAP_ANON && run->zeros_before && pos == map->start && start - pos <= gap)
			start = pos;
		for (++*i; *i < plan->runs.n && plan->runs.at[*i].map == map; ++*i) {
			const struct hf_snap_run *next = &plan->runs.at[*i];

			if (next->start != last->end &&
			    !(next->zeros_before && next->start - last->end <= gap))
				break;
			last = next;
		}
		end = last->zeros_after && map->end - last->end <= gap ? map->end : last->end;
		if (shows_rest)
			HF_TRY(add_segment(plan, map, pos, start, true));
		HF_TRY(add_segment(plan, map, start, end, false));
		pos = end;
	}
	return shows_rest ? add_segment(plan, map, pos, map->end, true) : NULL;
}

/* Where each segment's and each run's bytes are in the file, from the beginning of the data. */
static void place(struct hf_snap_plan *plan)
{
	size_t i = 0;

	plan->data_bytes = 0;
	hf_vec_each(&plan->segs, seg) {
		if (seg->left_out)
			continue;
		seg->file_off = plan->data_bytes;
		for (; i < plan->runs.n && plan->runs.at[i].start < seg->end; i++)
			plan->runs.at[i].file_off = seg->file_off + (plan->runs.at[i].start - seg->start);
		plan->data_bytes += hf_align_up(seg->end - seg->start, HF_ARCH_PAGE);
	}
}

struct hf_err *hf_snap_plan_segments(const struct hf_target *t, struct hf_snap_plan *plan, size_t max)
{
	uint64_t gap = (uint64_t)GAP_PAGES * HF_ARCH_PAGE;

	for (;; gap *= 4) {
		size_t i = 0;

		plan->segs.n = 0;
		for (size_t m = 0; m < t->maps.n; m++)
			HF_TRY(segment_map(plan, &t->maps.at[m], gap, &i));
		/* Joining helps no more where gaps as long as 4 GiB are joined. */
		if (plan->segs.n <= max || gap >> 32)
			break;
	}
	place(plan);
	return NULL;
}

struct hf_err *hf_snap_plan(struct hf_target *t, struct hf_snap_plan *ret)
{
	hf_vec_each(&t->maps, map)
		HF_TRY(walk_map(t, map, ret));
	return hf_snap_plan_segments(t, ret, 60000);
}
