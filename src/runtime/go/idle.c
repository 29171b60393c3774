/* What the heap's pages are used for: spans as others see them, and pages that are in none.
 *
 * A bitmap a chunk of 512 pages says which pages are allocated, another which the system has back. Two levels lead to it;
 * of the second only what the heap has grown to is looked at. A P keeps up to 64 pages of its own: they look allocated.
 * Source: Go 1.20-1.27 runtime/mpagealloc.go, pageAlloc; mpallocbits.go, pallocData; mpagecache.go, pageCache.
 */
#include "typing.h"

#define CHUNK_SHIFT 22 /* 4 MiB: 512 pages */
#define CHUNK_PAGES 512u
#define WORDS       (CHUNK_PAGES / 64)
#define L2_BITS     13                           /* chunks of one entry of the first level */
#define BASE        UINT64_C(0xffff800000000000) /* arenaBaseOffset on linux/amd64 */
#define RANGES_MAX  65536u
#define CHUNKS_MAX  (1u << 19) /* 2 TiB of heap */
#define PROCS_MAX   100000u
#define DATA_MAX    1024 /* bytes of a pallocData that we believe */

static bool is_laid_out(const struct go *go)
{
	int32_t size = go_off(go, PALLOCDATA_SIZE), scavenged = go_off(go, PALLOCDATA_SCAVENGED);

	return go->layout.var[GO_VAR_MHEAP] && go_has(go, MHEAP_PAGES_CHUNKS) &&
	       go_has(go, MHEAP_PAGES_IN_USE) && size >= (int32_t)(WORDS * 16) && size <= DATA_MAX &&
	       scavenged >= (int32_t)(WORDS * 8) && scavenged <= size - (int32_t)(WORDS * 8);
}

/* Where the bitmaps of a chunk are; false where there are none. */
static bool find_chunk(struct go *go, uint64_t chunk, uint64_t *ret)
{
	uint64_t index = chunk - (BASE >> CHUNK_SHIFT), l2;
	uint64_t table = go->layout.var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_PAGES_CHUNKS);

	index &= (1ull << (48 - CHUNK_SHIFT)) - 1;
	if (hf_err_ignore(hf_target_read_u64(go->t, table + (index >> L2_BITS) * 8, &l2)) || !l2)
		return false;
	*ret = l2 + (index & ((1u << L2_BITS) - 1)) * (uint64_t)go_off(go, PALLOCDATA_SIZE);
	return true;
}

static struct hf_err *capture_chunks(struct go *go)
{
	hf_vec_each(&go->grown, r)
		for (uint64_t c = r->start >> CHUNK_SHIFT; c < r->end >> CHUNK_SHIFT;) {
			uint64_t next = hf_min(((c >> L2_BITS) + 1) << L2_BITS, r->end >> CHUNK_SHIFT), at;

			HF_TRY(hf_interrupt_check());
			if (find_chunk(go, c, &at))
				HF_TRY(hf_target_capture(
					go->t,
					&(struct hf_range){
						at, at + (next - c) * (uint64_t)go_off(go, PALLOCDATA_SIZE)},
					1));
			c = next;
		}
	return NULL;
}

/* addrRanges: a slice of {base, limit}, ascending. What makes no sense ends it: then what is idle is not known. */
static struct hf_err *read_grown(struct go *go, bool *ret_known)
{
	uint64_t list, n, chunks = 0, last = 0;

	*ret_known = false;
	if (hf_err_ignore(
		    go_read_slice(go, go->layout.var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_PAGES_IN_USE),
				  &list, &n)) ||
	    !n || n > RANGES_MAX)
		return NULL;
	for (uint64_t i = 0; i < n; i++) {
		struct hf_range r;

		if (hf_err_ignore(hf_target_read(go->t, list + i * 16, &r, sizeof(r))) || r.start < last ||
		    r.end <= r.start || r.end >> 47 || (r.start | r.end) & ((1u << CHUNK_SHIFT) - 1))
			return NULL;
		last = r.end;
		chunks += (r.end - r.start) >> CHUNK_SHIFT;
		if (chunks > CHUNKS_MAX)
			return NULL;
		HF_TRY(hf_vec_push(&go->grown, r));
	}
	*ret_known = true;
	return NULL;
}

/* pageCache {base, cache, scav}: bits of pages. */
static void read_page_caches(struct go *go)
{
	uint64_t header[2], p, cache, scav, bytes = 0, released = 0;

	go->page_caches = HF_UNKNOWN;
	if (!go->layout.var[GO_VAR_ALLP] || !go_has(go, P_PCACHE) || !go_has(go, PAGECACHE_CACHE) ||
	    !go_has(go, PAGECACHE_SCAV) ||
	    hf_err_ignore(hf_target_read(go->t, go->layout.var[GO_VAR_ALLP], header, sizeof(header))) ||
	    header[1] > PROCS_MAX)
		return;
	for (uint64_t i = 0; i < header[1]; i++) {
		if (hf_err_ignore(hf_target_read_u64(go->t, header[0] + i * 8, &p)))
			return;
		p += (uint64_t)go_off(go, P_PCACHE);
		if (hf_err_ignore(
			    hf_target_read_u64(go->t, p + (uint64_t)go_off(go, PAGECACHE_CACHE), &cache)) ||
		    hf_err_ignore(hf_target_read_u64(go->t, p + (uint64_t)go_off(go, PAGECACHE_SCAV), &scav)))
			return;
		bytes += (uint64_t)__builtin_popcountll(cache) * GO_PAGE;
		released += (uint64_t)__builtin_popcountll(cache & scav) * GO_PAGE;
	}
	go->page_caches = bytes;
	go->page_caches_released = released;
}

struct hf_err *go_idle_capture(struct go *go)
{
	bool known;

	read_page_caches(go);
	if (!is_laid_out(go))
		return NULL;
	HF_TRY(read_grown(go, &known));
	if (!known)
		hf_vec_deinit(&go->grown);
	return capture_chunks(go);
}

/* ---- after ------------------------------------------------------------------------------------------------------------ */

struct runs {
	struct hf_idle *idle;
	uint64_t pages; /* of the run that goes on */
};

static void end_run(struct runs *r)
{
	if (!r->pages)
		return;
	r->idle->runs++;
	r->idle->largest_run = hf_max(r->idle->largest_run, r->pages * GO_PAGE);
	r->pages = 0;
}

/* free: a bit a page. */
static void add_word(struct runs *r, uint64_t free, uint64_t scavenged)
{
	unsigned at = 0;

	r->idle->bytes += (uint64_t)__builtin_popcountll(free) * GO_PAGE;
	r->idle->released += (uint64_t)__builtin_popcountll(free & scavenged) * GO_PAGE;
	while (at < 64) {
		uint64_t rest = free >> at;
		unsigned n;

		if (rest & 1) {
			n = ~rest ? (unsigned)__builtin_ctzll(~rest) : 64;
			n = hf_min(n, 64 - at);
			r->pages += n;
		} else {
			end_run(r);
			n = rest ? (unsigned)__builtin_ctzll(rest) : 64 - at;
		}
		at += n;
	}
}

static bool add_chunk(struct go *go, uint64_t chunk, struct runs *runs)
{
	uint8_t data[DATA_MAX];
	uint64_t at;

	if (!find_chunk(go, chunk, &at) ||
	    hf_err_ignore(hf_target_read(go->t, at, data, (size_t)go_off(go, PALLOCDATA_SIZE))))
		return false;
	for (size_t i = 0; i < WORDS; i++)
		add_word(runs, ~hf_load_u64(data + i * 8),
			 hf_load_u64(data + go_off(go, PALLOCDATA_SCAVENGED) + i * 8));
	return true;
}

/* What looks allocated, but is in no span and no cache. Source: Go 1.26-1.27 runtime/mheap.go, grow,
 * markRandomPaddingPages. */
static uint64_t find_padding(const struct go *go, uint64_t allocated)
{
	uint64_t used = go->page_caches;

	hf_vec_each(&go->spans, span)
		used += span->pages_end - span->start;
	hf_vec_each(&go->manual, r)
		used += r->end - r->start;
	return allocated > used ? allocated - used : 0;
}

bool go_idle(struct hf_runtime *rt, struct hf_idle *ret)
{
	struct go *go = (struct go *)rt;
	struct runs runs = {.idle = ret};
	uint64_t grown = 0;

	*ret = (struct hf_idle){0};
	if (!go->grown.n || go->page_caches == HF_UNKNOWN)
		return false;
	hf_vec_each(&go->grown, r) {
		for (uint64_t c = r->start >> CHUNK_SHIFT; c < r->end >> CHUNK_SHIFT; c++)
			if (!add_chunk(go, c, &runs))
				return false;
		end_run(&runs);
		grown += r->end - r->start;
	}
	ret->padding = find_padding(go, grown - ret->bytes);
	ret->cached = go->page_caches;
	ret->bytes += go->page_caches;
	ret->released += go->page_caches_released;
	return true;
}

uint32_t go_spans_n(struct hf_runtime *rt)
{
	return (uint32_t)((struct go *)rt)->spans.n;
}

/* Source: Go 1.20-1.27 runtime/mheap.go, mspan.sweepgen: + 1 and + 3 are cached, - 2 and + 1 not yet swept. */
void go_span_get(struct hf_runtime *rt, uint32_t i, struct hf_span *ret)
{
	const struct go *go = (struct go *)rt;
	const struct go_span *span = &go->spans.at[i];
	uint32_t age = span->sweepgen - go->sweepgen;
	uint32_t end = i + 1 < go->spans.n ? go->spans.at[i + 1].first_block : go->blocks;

	*ret = (struct hf_span){
		.start = span->start,
		.bytes = span->pages_end - span->start,
		.slot_size = span->elemsize,
		.slots = span->nelems,
		.first_block = span->first_block,
		.blocks = end - span->first_block,
		.holder = !(span->spanclass >> 1)                  ? HF_SPAN_LARGE
			  : age == 1 || age == 3                   ? HF_SPAN_CACHED
			  : end - span->first_block < span->nelems ? HF_SPAN_PARTIAL
								   : HF_SPAN_FULL,
		.unswept = age == (uint32_t)-2 || age == 1,
	};
}

/* The size that is rounded up to slot: above the class below it. */
static bool is_rounded_to(const struct go *go, uint64_t size, const struct go_span *span)
{
	const struct go_tally *t = &go->counters.tally;
	size_t class = span->spanclass >> 1;

	if (!class)
		return size + GO_PAGE > span->elemsize;
	return go->counters.valid && class < t->classes && size > t->sizes[class - 1];
}

/* A value has its own size; of an array as many elements as fit may be there. What is seen as one value and would have
 * got a smaller slot is more than that. */
bool go_rounding(struct hf_runtime *rt, uint32_t block, uint64_t *ret)
{
	struct go *go = (struct go *)rt;
	uint32_t slot;
	const struct go_span *span = go_block_span(go, block, &slot);
	uint64_t offset, room = span->elemsize - go_header_size(span), element;
	const struct go_type *type = go_type_get(go, go_block_type(go, block, &offset));

	if (type->shape == GO_SHAPE_BACKING) {
		element = go_type_get(go, type->elem)->size;
		*ret = element ? room % element : 0;
		return element && element <= room;
	}
	if (type->shape != GO_SHAPE_VALUE || !type->size || type->size > room ||
	    !is_rounded_to(go, type->size + go_header_size(span), span))
		return false;
	*ret = room - type->size;
	return true;
}
