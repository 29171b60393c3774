#include "go.h"

#include <stdlib.h>

/* Spans of these many or fewer bytes an object, without pointers, are captured, too: they hold the strings that are map
 * keys. Larger ones hold payloads that no question needs. */
#define NOSCAN_CAPTURE 128
#define HEAD_BYTES     256
#define HEADS_MAX      16384 /* each is a page to copy */
#define STACKS_SPAN                                                                                          \
	32768 /* runtime/malloc.go, _StackCacheSize: of these spans small stacks are cut; the same 1.20-1.27 */

/* Neighbouring structures are read with one call where the gap between them is no more than this. */
#define GAP 65536

#define SPANS_MAX (1ull << 31)

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_spans(const void *a, const void *b)
{
	return compare_u64(&((const struct go_span *)a)->start, &((const struct go_span *)b)->start);
}

static int compare_ranges(const void *a, const void *b)
{
	return compare_u64(&((const struct hf_range *)a)->start, &((const struct hf_range *)b)->start);
}

typedef HF_VEC(struct hf_range) range_vec;

/* Sorts ranges and joins those that overlap or lie within a gap of one another, then captures them (or prepares for
 * that). Empties the list. */
/* Before the stop nothing is captured: what is read then is read on the spot. */
static struct hf_err *capture_stopped(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	return t->stopped || !t->ops->stop ? hf_target_capture(t, ranges, n) : NULL;
}

typedef struct hf_err *take_fn(struct hf_target *t, const struct hf_range *ranges, size_t n);

static struct hf_err *take_joined(struct go *go, range_vec *ranges, uint64_t gap, take_fn *take)
{
	size_t n = 0;
	struct hf_err *err = NULL;

	if (ranges->n > 1)
		qsort(ranges->at, ranges->n, sizeof(*ranges->at), compare_ranges);
	for (size_t i = 0; i < ranges->n; i++) {
		struct hf_range r = ranges->at[i];

		if (n && r.start - ranges->at[n - 1].start <=
				 ranges->at[n - 1].end - ranges->at[n - 1].start + gap)
			ranges->at[n - 1].end = hf_max(ranges->at[n - 1].end, r.end);
		else
			ranges->at[n++] = r;
	}
	if (n)
		err = take(go->t, ranges->at, n);
	hf_vec_deinit(ranges);
	return err;
}

static struct hf_err *push_range(range_vec *ranges, uint64_t start, uint64_t len)
{
	struct hf_range r = {start, start + len};

	return len && r.end > start ? hf_vec_push(ranges, r) : NULL;
}

static uint64_t load_count(const struct go *go, const uint8_t *p)
{
	return go->layout.nelems_width == 8 ? hf_load_u64(p) : hf_load_u16(p);
}

/* What must hold of a span in use for its slots to be addressed safely. */
static bool is_sane(const struct go_span *span)
{
	uint64_t pages = span->pages_end - span->start;

	if (span->start % GO_PAGE || span->pages_end <= span->start || span->pages_end >> 47 ||
	    !span->elemsize)
		return false;
	if (!span->nelems || span->nelems > pages / 8 || span->elemsize > pages / span->nelems)
		return false;
	return span->nelems == 1 || (span->elemsize <= 32768 && span->elemsize >= 8 && pages <= 1u << 24);
}

/* A slot is the runtime's own when freeIndexForScan passes it; until then it holds what was there before. While the
 * collector marks, 1.25 and later leave that index where it is. A span in a cache, or a large one, of a cycle before says
 * nothing. Source: Go 1.20-1.27 runtime/malloc.go, mallocgc; mgcsweep.go, sweepgen. */
static uint32_t find_unfinished(const struct go *go, const struct go_span *span, uint64_t scan_index)
{
	uint32_t sweepgen = span->spanclass >> 1 ? go->sweepgen + 3 : go->sweepgen;

	return span->freeindex > scan_index && span->sweepgen == sweepgen ? span->freeindex - 1 : GO_NO_SLOT;
}

/* Where the span is between allocation, marking and sweeping. */
static void decode_moment(const struct go *go, const uint8_t *p, struct go_span *ret)
{
	const int32_t *off = go->layout.off;

	ret->unfinished = GO_NO_SLOT;
	if (off[GO_MSPAN_SWEEPGEN] < 0)
		return;
	ret->sweepgen = hf_load_u32(p + off[GO_MSPAN_SWEEPGEN]);
	if (off[GO_MSPAN_FREE_INDEX_FOR_SCAN] >= 0)
		ret->unfinished =
			find_unfinished(go, ret, load_count(go, p + off[GO_MSPAN_FREE_INDEX_FOR_SCAN]));
	if (off[GO_MSPAN_GCMARK_BITS] < 0)
		return;
	/* To be swept, in a cache or not: the collector does not mark as long as there are such. */
	ret->unswept = !ret->noscan && !ret->user_arena &&
		       (ret->sweepgen == go->sweepgen - 2 || ret->sweepgen == go->sweepgen + 1);
	/* sweepgen - 1: being swept, caught half way. Then freeindex may be 0 already and the mark bits not yet be the new
	 * allocation bits: what is in either is allocated. Source: Go 1.20-1.27 runtime/mgcsweep.go, sweepLocked.sweep. */
	if (ret->unswept || ret->sweepgen == go->sweepgen - 1)
		ret->mark_bits = hf_load_u64(p + off[GO_MSPAN_GCMARK_BITS]);
}

/* Decodes one mspan. Source: Go 1.20-1.27 runtime/mheap.go, mspan. */
static void decode_span(struct go *go, const uint8_t *p, uint64_t addr, struct go_span *ret)
{
	const struct go_layout *l = &go->layout;
	uint64_t npages = hf_load_u64(p + l->off[GO_MSPAN_NPAGES]);
	uint64_t nelems = load_count(go, p + l->off[GO_MSPAN_NELEMS]);
	uint64_t freeindex = load_count(go, p + l->off[GO_MSPAN_FREEINDEX]);

	*ret = (struct go_span){
		.mspan_addr = addr,
		.start = hf_load_u64(p + l->off[GO_MSPAN_START_ADDR]),
		.elemsize = hf_load_u64(p + l->off[GO_MSPAN_ELEMSIZE]),
		.alloc_bits = hf_load_u64(p + l->off[GO_MSPAN_ALLOC_BITS]),
		.specials = hf_load_u64(p + l->off[GO_MSPAN_SPECIALS]),
		.nelems = nelems > UINT32_MAX ? 0 : (uint32_t)nelems,
		.alloc_count = hf_load_u16(p + l->off[GO_MSPAN_ALLOC_COUNT]),
		.spanclass = p[l->off[GO_MSPAN_SPANCLASS]],
		.state = p[l->off[GO_MSPAN_STATE]],
	};
	if (npages < 1ull << 34)
		ret->pages_end = ret->start + npages * GO_PAGE;
	ret->freeindex = (uint32_t)hf_min(freeindex, nelems);
	if (l->off[GO_MSPAN_ALLOC_COUNT_BEFORE_CACHE] >= 0)
		ret->before_cache = hf_load_u16(p + l->off[GO_MSPAN_ALLOC_COUNT_BEFORE_CACHE]);
	if (l->off[GO_MSPAN_IS_USER_ARENA_CHUNK] >= 0)
		ret->user_arena = p[l->off[GO_MSPAN_IS_USER_ARENA_CHUNK]] & 1;
	if (l->alloc_headers)
		ret->large_type = hf_load_u64(p + l->off[GO_MSPAN_LARGE_TYPE]);
	ret->noscan = ret->spanclass & 1;
	decode_moment(go, p, ret);
	ret->header =
		l->alloc_headers && !ret->noscan && ret->elemsize > GO_HEADER_ABOVE && ret->spanclass >> 1;
	ret->objects_end = ret->start + (uint64_t)ret->nelems * ret->elemsize;
	if (ret->nelems > 1 && ret->elemsize && ret->elemsize <= UINT32_MAX)
		ret->magic = UINT32_MAX / (uint32_t)ret->elemsize + 1;
}

/* Its pages are mapped memory: what a hostile list claims beyond that must cost us nothing. */
static bool is_mapped(struct go *go, const struct go_span *span)
{
	const struct hf_map *first = hf_target_find_map(go->t, span->start);
	const struct hf_map *last = hf_target_find_map(go->t, span->pages_end - 1);
	const struct hf_map *maps = go->t->maps.at;

	if (!first || !last || last < first)
		return false;
	for (size_t i = (size_t)(first - maps); i < (size_t)(last - maps); i++)
		if (maps[i].end != maps[i + 1].start)
			return false;
	return true;
}

static struct hf_err *add_span(struct go *go, const struct go_span *span)
{
	struct hf_range pages = {span->start, span->pages_end};

	if (span->state == GO_SPAN_MANUAL && pages.end > pages.start)
		return hf_vec_push(&go->manual, pages);
	if (span->state != GO_SPAN_IN_USE)
		return NULL;
	if (!is_sane(span) || !is_mapped(go, span)) {
		go_damage_add(&go->damaged_spans, span->mspan_addr);
		return NULL;
	}
	return hf_vec_push(&go->spans, *span);
}

/* Sorted by address, and without those that overlap one before: a damaged list must not count an object twice. */
static void order_spans(struct go *go)
{
	size_t n = 0;

	if (go->spans.n)
		qsort(go->spans.at, go->spans.n, sizeof(*go->spans.at), compare_spans);
	for (size_t i = 0; i < go->spans.n; i++) {
		if (n && go->spans.at[i].start < go->spans.at[n - 1].pages_end) {
			go_damage_add(&go->damaged_spans, go->spans.at[i].mspan_addr);
			continue;
		}
		go->spans.at[n++] = go->spans.at[i];
	}
	go->spans.n = n;
	if (go->manual.n)
		qsort(go->manual.at, go->manual.n, sizeof(*go->manual.at), compare_ranges);
}

/* The addresses of all mspans, ascending, their memory captured. Caller frees *ret. */
static struct hf_err *read_span_addrs(struct go *go, uint64_t **ret, size_t *ret_n)
{
	uint64_t list, n, size = (uint64_t)go_off(go, MSPAN_SIZE);
	_free_ uint64_t *addrs = NULL;
	range_vec ranges = {0};

	HF_TRY(go_read_slice(go, go->layout.var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_ALLSPANS), &list,
			     &n));
	if (n > SPANS_MAX)
		return hf_err_at(HF_BADDATA, list, "the runtime's list of spans claims %" PRIu64 " entries",
				 n);
	HF_TRY(capture_stopped(go->t, &(struct hf_range){list, list + n * 8}, 1));
	/* A length that lies must not make us allocate: the list's end must be readable. */
	if (n) {
		uint64_t last;

		HF_TRY(hf_target_read_u64(go->t, list + (n - 1) * 8, &last));
	}
	addrs = hf_malloc(n * 8);
	if (!addrs)
		return hf_err_nomem();
	HF_TRY(hf_target_read(go->t, list, addrs, n * 8));
	/* The length grows before the entry is set. Source: Go 1.20-1.27 runtime/mheap.go, recordspan. */
	n -= n && !addrs[n - 1];
	qsort(addrs, n, 8, compare_u64);
	for (size_t i = 0; i < n; i++) {
		struct hf_err *err = push_range(&ranges, addrs[i], size);

		if (err) {
			hf_vec_deinit(&ranges);
			return err;
		}
	}
	HF_TRY(take_joined(go, &ranges, GAP, capture_stopped));
	*ret = take_ptr(addrs);
	*ret_n = n;
	return NULL;
}

/* Without DWARF the layout knows what the release usually does; the spans know. Where small objects' spans carry their
 * mark bits they hold fewer objects: 128 bytes go to the marks, 128 to the pointers of those that have any.
 * Source: Go 1.25-1.27 runtime/mheap.go, initSpan. */
static void probe_green_tea(struct go *go)
{
	size_t with = 0, without = 0;

	hf_vec_each(&go->spans, span) {
		uint64_t room = GO_PAGE - (span->noscan ? 0 : GO_PAGE / 64);

		if (span->elemsize < 16 || span->elemsize > GO_HEADER_ABOVE || !(span->spanclass >> 1) ||
		    span->pages_end - span->start != GO_PAGE ||
		    room / span->elemsize == (room - 128) / span->elemsize)
			continue;
		with += span->nelems == (room - 128) / span->elemsize;
		without += span->nelems == room / span->elemsize;
	}
	if (with || without)
		go->layout.green_tea = with > without;
}

struct hf_err *go_spans_read(struct go *go)
{
	_free_ uint64_t *addrs = NULL;
	size_t n = 0, size = (size_t)go_off(go, MSPAN_SIZE);
	uint32_t phase;

	HF_TRY(hf_target_read_u32(go->t, go->layout.var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_SWEEPGEN),
				  &go->sweepgen));
	go->gc_off = go->layout.var[GO_VAR_GCPHASE] &&
		     !hf_err_ignore(hf_target_read_u32(go->t, go->layout.var[GO_VAR_GCPHASE], &phase)) &&
		     !phase;
	HF_TRY(read_span_addrs(go, &addrs, &n));
	for (size_t i = 0; i < n; i++) {
		struct go_span span;
		const void *p;

		if (i && addrs[i] == addrs[i - 1])
			continue;
		if (hf_err_ignore(hf_target_get(go->t, addrs[i], size, &go->scratch, &p))) {
			go_damage_add(&go->damaged_spans, addrs[i]);
			continue;
		}
		decode_span(go, p, addrs[i], &span);
		HF_TRY(add_span(go, &span));
	}
	order_spans(go);
	if (!go->layout.from_dwarf && go->layout.minor >= 25)
		probe_green_tea(go);
	return NULL;
}

const struct hf_range *go_find_manual(const struct go *go, uint64_t addr)
{
	size_t lo = 0, hi = go->manual.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (go->manual.at[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < go->manual.at[lo - 1].end ? &go->manual.at[lo - 1] : NULL;
}

/* 1.20 and 1.21 keep pointer maps by arena. Source: Go 1.21 runtime/mheap.go, heapArena.bitmap, noMorePtrs. */
static struct hf_err *capture_arena_bitmaps(struct go *go, range_vec *ranges)
{
	uint64_t table, last = UINT64_MAX;

	HF_TRY(hf_target_read_u64(go->t, go->layout.var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_ARENAS),
				  &table));
	hf_vec_each(&go->spans, span) {
		for (uint64_t a = span->start >> GO_ARENA_SHIFT; a <= (span->pages_end - 1) >> GO_ARENA_SHIFT;
		     a++) {
			uint64_t arena;

			if (a == last)
				continue;
			last = a;
			/* arenaIndex: addresses are offset by 1<<47, arenaBaseOffset. */
			HF_TRY(hf_target_read_u64(go->t, table + (a + GO_ARENAS) * 8, &arena));
			HF_TRY(hf_map64_put(&go->arena_meta, a, arena));
			HF_TRY(push_range(ranges, arena,
					  (uint64_t)go_off(go, HEAPARENA_NO_MORE_PTRS) + 16384));
		}
	}
	return NULL;
}

static struct hf_err *content_ranges(struct go *go, range_vec *bits, range_vec *content)
{
	uint64_t small = hf_max(go->rt.values_max, (uint64_t)NOSCAN_CAPTURE);
	const struct hf_range *made;
	uint32_t heads = go->rt.heads ? HEADS_MAX : 0;

	hf_vec_each(&go->spans, span) {
		HF_TRY(push_range(bits, span->alloc_bits, ((uint64_t)span->nelems + 7) / 8));
		if (span->mark_bits)
			HF_TRY(push_range(bits, span->mark_bits, ((uint64_t)span->nelems + 7) / 8));
		made = span->large_type ? go_find_manual(go, span->large_type) : NULL;
		if (made) /* a descriptor that the runtime made for this object: mask.c */
			HF_TRY(push_range(bits, made->start, made->end - made->start));
		if (!span->noscan || span->elemsize <= small)
			HF_TRY(push_range(content, span->start, span->pages_end - span->start));
		else if (heads && !(span->spanclass >> 1) && heads--)
			HF_TRY(push_range(content, span->start, HEAD_BYTES));
	}
	/* Small stacks lie between them: with these, few long copies are made instead of one for each. */
	hf_vec_each(&go->manual, m)
		if (m->end - m->start <= STACKS_SPAN)
			HF_TRY(push_range(content, m->start, m->end - m->start));
	return go->layout.alloc_headers ? NULL : capture_arena_bitmaps(go, bits);
}

static struct hf_err *take_contents(struct go *go, take_fn *take)
{
	range_vec bits = {0}, content = {0};
	struct hf_err *err = content_ranges(go, &bits, &content);

	if (!err)
		err = take_joined(go, &bits, GAP, take);
	if (!err)
		err = take_joined(go, &content, 0, take);
	hf_vec_deinit(&bits);
	hf_vec_deinit(&content);
	return err;
}

struct hf_err *go_spans_capture(struct go *go)
{
	return take_contents(go, hf_target_capture);
}

struct hf_err *go_spans_prepare(struct go *go)
{
	struct hf_err *err = go_spans_read(go);

	if (!err)
		err = take_contents(go, hf_target_prepare);
	/* Read while the target ran: good enough to know how much memory it will take, and for nothing else. */
	hf_vec_deinit(&go->spans);
	hf_vec_deinit(&go->manual);
	hf_map64_deinit(&go->arena_meta);
	go->damaged_spans = (struct go_damage){0};
	return err;
}

/* Source: Go 1.25-1.27 runtime/mgcmark_greenteagc.go, spanInlineMarkBits: {scans [63]uint8, owned, marks [63]uint8, class}
 * at a span's end; sweep merges them into gcmarkBits. */
bool go_is_dead(struct go *go, uint32_t block)
{
	uint32_t slot;
	const struct go_span *span = go_block_span(go, block, &slot);
	uint8_t marks, inline_marks = 0;
	bool has_inline = go->layout.green_tea && span->elemsize >= 16 && span->elemsize <= GO_HEADER_ABOVE &&
			  slot / 8 < 63;

	if (!span->unswept || hf_err_ignore(hf_target_read_u8(go->t, span->mark_bits + slot / 8, &marks)))
		return false;
	if (has_inline &&
	    hf_err_ignore(hf_target_read_u8(go->t, span->pages_end - 64 + slot / 8, &inline_marks)))
		return false;
	return !((marks | inline_marks) >> (slot % 8) & 1);
}

/* ---- numbering ------------------------------------------------------------------------------------------ */

static struct hf_err *index_pages(struct go *go, uint32_t index)
{
	const struct go_span *span = &go->spans.at[index];

	for (uint64_t page = span->start / GO_PAGE; page < span->pages_end / GO_PAGE; page++) {
		uint64_t arena = page / GO_ARENA_PAGES;

		if (!go->arena_index[arena]) {
			HF_TRY(hf_vec_reserve(&go->pages, GO_ARENA_PAGES));
			memset(go->pages.at + go->pages.n, 0, GO_ARENA_PAGES * sizeof(uint32_t));
			go->pages.n += GO_ARENA_PAGES;
			HF_TRY(hf_vec_push(&go->arena_start, arena << GO_ARENA_SHIFT));
			go->arena_index[arena] = (uint32_t)go->arena_start.n;
		}
		go->pages
			.at[(uint64_t)(go->arena_index[arena] - 1) * GO_ARENA_PAGES + page % GO_ARENA_PAGES] =
			index + 1;
	}
	return NULL;
}

/* The mark bits of 64 slots from `slot` on, for a span that is being swept; 0 otherwise. */
static uint64_t marks_at(struct go *go, const struct go_span *span, uint32_t slot)
{
	uint64_t bits = 0;
	size_t len = ((size_t)span->nelems + 7) / 8;

	if (span->mark_bits && !span->unswept &&
	    hf_err_ignore(hf_target_read(go->t, span->mark_bits + slot / 8, &bits,
					 hf_min((size_t)8, len - slot / 8))))
		bits = 0;
	return bits;
}

/* Allocated: below freeindex, or its bit is set. Source: Go 1.20-1.27 runtime/mbitmap.go, isFree. */
static struct hf_err *number_span(struct go *go, struct go_span *span)
{
	size_t len = ((size_t)span->nelems + 7) / 8;
	const uint8_t *bits = NULL;
	const void *p;
	uint32_t count = 0;

	span->word = (uint32_t)go->words.n;
	span->first_block = go->blocks;
	if (!hf_err_ignore(hf_target_get(go->t, span->alloc_bits, len, &go->scratch, &p)))
		bits = p;
	else
		go_damage_add(&go->damaged_spans, span->mspan_addr);
	/* What was allocated before the last sweep is finished, whatever the indexes say when a span is found to be full. */
	if (!bits ||
	    (span->unfinished != GO_NO_SLOT && bits[span->unfinished / 8] >> (span->unfinished % 8) & 1))
		span->unfinished = GO_NO_SLOT;
	HF_TRY(hf_vec_reserve(&go->words, (span->nelems + 63) / 64));
	for (uint32_t slot = 0; slot < span->nelems; slot += 64) {
		uint32_t left = span->nelems - slot;
		struct go_word word = {.block = go->blocks + count};

		if (bits)
			memcpy(&word.bits, bits + slot / 8, hf_min((size_t)8, len - slot / 8));
		word.bits |= marks_at(go, span, slot);
		if (span->freeindex >= slot + 64)
			word.bits = ~0ull;
		else if (span->freeindex > slot)
			word.bits |= (1ull << (span->freeindex - slot)) - 1;
		if (left < 64)
			word.bits &= (1ull << left) - 1;
		count += (uint32_t)__builtin_popcountll(word.bits);
		go->words.at[go->words.n++] = word;
	}
	if (go->blocks + (uint64_t)count >= UINT32_MAX)
		return hf_err(HF_UNSUPPORTED, "the heap holds more than 4,294,967,294 objects");
	if ((uint16_t)count != span->alloc_count)
		go->miscounted_spans++;
	go->blocks += count;
	go->bytes += count * span->elemsize;
	return NULL;
}

/* Spans without blocks share their number with the next one: the last of equals has the blocks. */
static struct hf_err *sample_spans(struct go *go)
{
	uint32_t n = go->blocks / GO_SPAN_SAMPLE + 1, span = 0;

	go->span_of = hf_malloc(n * sizeof(uint32_t));
	if (!go->span_of)
		return hf_err_nomem();
	for (uint32_t i = 0; i < n; i++) {
		while (span + 1 < go->spans.n && go->spans.at[span + 1].first_block <= i * GO_SPAN_SAMPLE)
			span++;
		go->span_of[i] = span;
	}
	return NULL;
}

struct hf_err *go_spans_number(struct go *go)
{
	go->arena_index = hf_calloc(GO_ARENAS, sizeof(uint32_t));
	if (!go->arena_index)
		return hf_err_nomem();
	for (uint32_t i = 0; i < go->spans.n; i++) {
		struct go_span *span = &go->spans.at[i];

		HF_TRY(index_pages(go, i));
		HF_TRY(number_span(go, span));
		span->bytes = hf_target_view(go->t, span->start, span->pages_end - span->start);
	}
	go->objects = go->blocks;
	return sample_spans(go);
}

const struct go_span *go_block_span(const struct go *go, uint32_t block, uint32_t *ret_slot)
{
	const struct go_span *span = &go->spans.at[go->span_of[block / GO_SPAN_SAMPLE]],
			     *last = &go->spans.at[go->spans.n - 1];
	const struct go_word *word;
	uint64_t bits;
	uint32_t slot;

	while (span < last && span[1].first_block <= block)
		span++;
	word = &go->words.at[span->word];
	for (slot = 0; slot + 64 < span->nelems && word[1].block <= block; word++)
		slot += 64;
	bits = word->bits;
	for (uint32_t skip = block - word->block; skip; skip--)
		bits &= bits - 1;
	*ret_slot = slot + (uint32_t)__builtin_ctzll(bits);
	return span;
}

uint64_t go_block_addr(const struct go *go, uint32_t block, const struct go_span **ret_span)
{
	uint32_t slot;
	const struct go_span *span = go_block_span(go, block, &slot);

	*ret_span = span;
	return span->start + slot * span->elemsize;
}

void go_spans_deinit(struct go *go)
{
	hf_vec_deinit(&go->spans);
	hf_vec_deinit(&go->manual);
	hf_vec_deinit(&go->words);
	hf_vec_deinit(&go->pages);
	hf_vec_deinit(&go->arena_start);
	hf_map64_deinit(&go->arena_meta);
	hf_free(go->arena_index);
	hf_free(go->span_of);
	go->span_of = NULL;
	go->arena_index = NULL;
}
