/* What the runtime's Ps, counters and tables look like. */
#include "stripped_private.h"

#define DELTAS       3u
#define SPAN_CLASSES 136u
#define REASONS_MAX  100u
#define STACK_MAX    1024u

/* ---- Ps ------------------------------------------------------------------------------------------------------ */

/* mcache.alloc: one span for each class, its own or the empty one. */
static bool is_mcache(struct search *s, uint64_t mcache)
{
	uint64_t spans[SPAN_CLASSES], empty = 0;

	if (hf_err_ignore(hf_target_read(s->in->t, mcache + (uint64_t)s->l->off[GO_MCACHE_ALLOC], spans,
					 sizeof(spans))))
		return false;
	for (size_t i = 0; i < HF_LEN(spans); i++) {
		uint8_t class;

		if (hf_err_ignore(hf_target_read_u8(
			    s->in->t, spans[i] + (uint64_t)s->l->off[GO_MSPAN_SPANCLASS], &class)))
			return false;
		if (class == i && spans[i] != empty)
			continue;
		if (class || (empty && spans[i] != empty))
			return false;
		empty = spans[i];
	}
	return true;
}

/* True where addr is in m0, the only m that is a variable: since 1.24 it may hold a copy of allp (m.allpSnapshot). */
static bool is_in_m0(struct search *s, uint64_t addr)
{
	const int32_t *off = s->l->off;

	for (uint64_t back = 0; back < (uint64_t)hf_max(off[GO_M_SIZE], 8); back += 8) {
		uint64_t m = addr - back, g0, owner;

		if (in_data(s, m, 8) && read_u64(s, m + (uint64_t)off[GO_M_G0], &g0) && in_data(s, g0, 8) &&
		    read_u64(s, g0 + (uint64_t)off[GO_G_M], &owner) && owner == m)
			return true;
	}
	return false;
}

/* p: id int32, status uint32, ... Source: Go 1.20-1.27 runtime/runtime2.go. */
bool go_is_allp(struct search *s, const struct word *w)
{
	uint64_t ptr, n, p, head, mcache;
	bool cached = false;

	if (!is_slice(w, &ptr, &n) || n > 1u << 16 || s->l->off[GO_P_MCACHE] < 0 ||
	    s->l->off[GO_MCACHE_ALLOC] < 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!read_u64(s, ptr + i * 8, &p) || p < 4096 || p % 8 || p >> 47 || !read_u64(s, p, &head) ||
		    (uint32_t)head != i || head >> 32 > 4)
			return false;
		if (!read_u64(s, p + (uint64_t)s->l->off[GO_P_MCACHE], &mcache))
			return false;
		if (mcache && !is_mcache(s, mcache))
			return false;
		cached = cached || mcache;
	}
	s->weight = n;
	return cached && !is_in_m0(s, w->addr);
}

/* ---- counters ----------------------------------------------------------------------------------------------------- */

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Close enough to the spans, which were summed up while the target ran; the closest is taken. */
static bool is_near(struct search *s, uint64_t in_use, uint64_t manual)
{
	uint64_t off = difference(in_use, s->sums.in_use), off_manual = difference(manual, s->sums.manual);

	s->weight = UINT64_MAX - off / 2 - off_manual / 2;
	return s->sums.in_use && off <= hf_max(in_use, s->sums.in_use) / 4 + (1u << 20) &&
	       off_manual <= hf_max(manual, s->sums.manual) / 4 + (1u << 20);
}

static uint64_t delta_sum(const struct word *w, int64_t size, int64_t off)
{
	uint64_t sum = 0;

	for (int64_t k = 0; k < (int64_t)DELTAS; k++)
		sum += at(w, k * size + off);
	return sum;
}

/* memstats begins with heapStats, three heapStatsDelta {committed, released, inHeap, inStacks, inWorkBufs, ...}: sums of
 * pages, and counts of allocations and frees. Source: Go 1.20-1.27 runtime/mstats.go. */
bool go_is_memstats(struct search *s, const struct word *w)
{
	const int32_t *off = s->l->off;
	int64_t size = off[GO_HEAPSTATSDELTA_SIZE], allocs = off[GO_HEAPSTATSDELTA_SMALL_ALLOC_COUNT],
		frees = off[GO_HEAPSTATSDELTA_SMALL_FREE_COUNT], large = off[GO_HEAPSTATSDELTA_LARGE_FREE];
	uint64_t in_heap;

	if (size <= 0 || off[GO_MSTATS_HEAP_STATS] || (uint64_t)size * DELTAS > w->left || allocs < 0 ||
	    frees < 0 || large < allocs || off[GO_HEAPSTATSDELTA_IN_STACKS] != 24)
		return false;
	/* Behind the three: which of them is in use, and the system's memory for spans and caches, never 0. A place that is
	 * one of the three too far has neither. */
	if ((uint32_t)at(w, size * (int64_t)DELTAS) >= DELTAS || !at(w, off[GO_MSTATS_MSPAN_SYS]) ||
	    !at(w, off[GO_MSTATS_MCACHE_SYS]) || at(w, off[GO_MSTATS_MSPAN_SYS]) >> 47 ||
	    at(w, off[GO_MSTATS_MCACHE_SYS]) >> 47)
		return false;
	in_heap = delta_sum(w, size, 16);
	if (in_heap % GO_STRIPPED_PAGE ||
	    !is_near(s, in_heap, delta_sum(w, size, 24) + delta_sum(w, size, 32)) ||
	    delta_sum(w, size, 24) % GO_STRIPPED_PAGE || delta_sum(w, size, 32) % GO_STRIPPED_PAGE ||
	    delta_sum(w, size, 0) % 4096 || delta_sum(w, size, 8) % 4096)
		return false;
	if (delta_sum(w, size, 0) < in_heap + delta_sum(w, size, 24) || delta_sum(w, size, 0) >> 47)
		return false;
	for (int64_t i = 0; i < (large - allocs) / 8; i++)
		if ((delta_sum(w, size, allocs + i * 8) - delta_sum(w, size, frees + i * 8)) >> 47)
			return false;
	return true;
}

/* Source: Go 1.20-1.27 runtime/mgcpacer.go, gcControllerState. */
bool go_is_controller(struct search *s, const struct word *w)
{
	const int32_t *off = s->l->off;
	uint64_t in_use = at(w, off[GO_GCCONTROLLERSTATE_HEAP_IN_USE]),
		 mapped = at(w, off[GO_GCCONTROLLERSTATE_MAPPED_READY]);
	int32_t percent = (int32_t)at(w, off[GO_GCCONTROLLERSTATE_GC_PERCENT]);
	int64_t limit = (int64_t)at(w, off[GO_GCCONTROLLERSTATE_MEMORY_LIMIT]);

	return in_use && in_use % GO_STRIPPED_PAGE == 0 && is_near(s, in_use, s->sums.manual) &&
	       percent >= -1 && percent <= 1000000 && limit > 0 && mapped >= in_use && mapped >> 47 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_HEAP_RELEASED]) % 4096 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_HEAP_FREE]) % 4096 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_TOTAL_ALLOC]) >= at(w, off[GO_GCCONTROLLERSTATE_TOTAL_FREE]) &&
	       at(w, off[GO_GCCONTROLLERSTATE_TOTAL_ALLOC]);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static bool is_type(const struct search *s, uint64_t addr)
{
	return addr % 8 == 0 && addr >= s->types && addr < s->etypes;
}

/* itabTableType {size, count, entries}; an itab is {inter, type, ...}. Source: Go 1.20-1.27 runtime/iface.go. */
bool go_is_itab_table(struct search *s, const struct word *w)
{
	uint64_t table = at(w, 0), size, count, seen = 0;

	if (table < 4096 || table % 8 || table >> 47 || !read_u64(s, table, &size) || size < 512 ||
	    size > 1u << 24 || size & (size - 1) || !read_u64(s, table + 8, &count) || !count || count > size)
		return false;
	for (uint64_t i = 0; i < size && seen < hf_min(count, (uint64_t)GO_STRIPPED_SAMPLES); i++) {
		uint64_t itab, inter, type;

		if (!read_u64(s, table + 16 + i * 8, &itab))
			return false;
		if (!itab)
			continue;
		if (!read_u64(s, itab, &inter) || !read_u64(s, itab + 8, &type) || !is_type(s, inter))
			return false;
		seen += is_type(s, type);
	}
	return seen > 0;
}

/* A bucket of the profile of allocations knows the hash of its stack and size. Source: Go 1.20-1.27 runtime/mprof.go,
 * stkbucket. */
bool go_is_mbuckets(struct search *s, const struct word *w)
{
	const int32_t *off = s->l->off;
	uint64_t bucket = at(w, 0), type, hash, size, n, pcs[STACK_MAX], h = 0;

	if (bucket < 4096 || bucket % 8 || bucket >> 47 || is_within(&s->in->image, bucket, 8) ||
	    off[GO_BUCKET_SIZE] <= 0 || !read_u64(s, bucket + (uint64_t)off[GO_BUCKET_TYP], &type) ||
	    type != 1 || !read_u64(s, bucket + (uint64_t)off[GO_BUCKET_NSTK], &n) || !n || n > STACK_MAX ||
	    !read_u64(s, bucket + (uint64_t)off[GO_BUCKET_HASH], &hash) ||
	    !read_u64(s, bucket + (uint64_t)off[GO_BUCKET_OBJECT_SIZE], &size) ||
	    hf_err_ignore(hf_target_read(s->in->t, bucket + (uint64_t)off[GO_BUCKET_SIZE], pcs, n * 8)))
		return false;
	for (uint64_t i = 0; i <= n; i++) {
		h += i < n ? pcs[i] : size;
		h += h << 10;
		h ^= h >> 6;
	}
	h += h << 3;
	h ^= h >> 11;
	return h == hash;
}

static bool read_text(struct search *s, uint64_t header, char *buf, size_t max, uint64_t *ret_n)
{
	uint64_t ptr;

	return read_u64(s, header, &ptr) && read_u64(s, header + 8, ret_n) && *ret_n <= max &&
	       (!*ret_n || !hf_err_ignore(hf_target_read(s->in->t, ptr, buf, *ret_n)));
}

/* {"", "GC assist marking", ...}: the same first two in all versions. Source: Go 1.20-1.27 runtime/runtime2.go. */
bool go_is_reasons(struct search *s, const struct word *w)
{
	static const char second[] = "GC assist marking";
	char text[sizeof(second)];
	uint64_t n;

	return w->left >= 32 && !at(w, 8) && at(w, 24) == sizeof(second) - 1 &&
	       read_text(s, w->addr + 16, text, sizeof(text), &n) &&
	       !memcmp(text, second, sizeof(second) - 1);
}

uint64_t go_count_reasons(struct search *s, uint64_t addr)
{
	char text[REASONS_MAX];
	uint64_t n, count = 2;

	for (; count < REASONS_MAX && read_text(s, addr + count * 16, text, sizeof(text), &n) && n; count++)
		for (uint64_t i = 0; i < n; i++)
			if (text[i] < ' ' || text[i] > '~')
				return count;
	return count;
}
