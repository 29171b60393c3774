/* The pointers of blocks: from the span's bitmap, the type header, the large type or (1.20, 1.21) the arena's bitmap. */
#include "pools.h"

#define SPANS_A_CHUNK 256

/* Called for each pointer word: offset of the slot in the span, its value (never 0). False ends the walk. */
typedef bool emit_fn(void *arg, uint64_t offset, uint64_t value);

/* Calls emit for the words of [base, base+words*8) whose bit is set in a mask that begins at bit `at`. */
static inline __attribute__((always_inline)) bool emit_masked(const uint8_t *bytes, uint64_t base,
							      const uint8_t *mask, uint64_t at,
							      uint64_t words, emit_fn *emit, void *arg)
{
	for (uint64_t w = 0; w < words;) {
		uint64_t bit = at + w, n = hf_min(words - w, 64 - bit % 64);
		uint64_t bits = hf_load_u64(mask + bit / 64 * 8) >> (bit % 64);

		if (n < 64)
			bits &= (1ull << n) - 1;
		for (; bits; bits &= bits - 1) {
			uint64_t offset = base + (w + (uint64_t)__builtin_ctzll(bits)) * 8;
			uint64_t value = hf_load_u64(bytes + offset);

			if (value && !emit(arg, offset, value))
				return false;
		}
		w += n;
	}
	return true;
}

static inline bool emit_all(const uint8_t *bytes, uint64_t base, uint64_t words, emit_fn *emit, void *arg)
{
	for (uint64_t w = 0; w < words; w++) {
		uint64_t value = hf_load_u64(bytes + base + w * 8);

		if (value && !emit(arg, base + w * 8, value))
			return false;
	}
	return true;
}

/* A type's mask, repeated over an array of its values: the tail of a slot is zeroed. */
static inline __attribute__((always_inline)) bool emit_typed(const uint8_t *bytes, uint64_t base,
							     uint64_t len, const struct go_mask *mask,
							     emit_fn *emit, void *arg)
{
	uint64_t words = len / 8;

	if (!mask->size_words)
		return true;
	for (uint64_t w = 0; w < words; w += mask->size_words)
		if (!emit_masked(bytes, base + w * 8, (const uint8_t *)mask->bits, 0,
				 hf_min((uint64_t)mask->ptr_words, words - w), emit, arg))
			return false;
	return true;
}

/* Where the bitmap of a span of small objects starts. Source: Go 1.22-1.27 runtime/mbitmap.go, heapBitsInSpan: the last
 * 1/64 of the span; below the inline mark bits (mgcmark_greenteagc.go) where those are.
 *
 *   start          objects_end      end-256        end-128         end (8192)
 *   | slot | slot | .. | unused      | bitmap 128   | inline marks  |
 */
static uint64_t span_bitmap(const struct go *go, const struct go_span *span)
{
	uint64_t len = span->pages_end - span->start,
		 marks = go->layout.green_tea && span->elemsize >= 16 ? 128 : 0;

	return len - len / 64 - marks;
}

/* 1.20, 1.21. A set bit in noMorePtrs says that the bitmap after this 64-word piece is stale for this object. */
static bool emit_from_arena(struct go *go, const struct go_span *span, const uint8_t *bytes, uint64_t base,
			    uint64_t len, emit_fn *emit, void *arg)
{
	uint64_t addr = span->start + base, end = addr + len;

	while (addr < end) {
		uint64_t arena = addr >> GO_ARENA_SHIFT, word = addr / 8 % ((1u << GO_ARENA_SHIFT) / 8), meta,
			 bits;
		uint64_t n = hf_min(64 - word % 64, (end - addr) / 8);
		uint8_t no_more;

		if (!hf_map64_find(&go->arena_meta, arena, &meta) ||
		    hf_err_ignore(hf_target_read_u64(
			    go->t, meta + (uint64_t)go_off(go, HEAPARENA_BITMAP) + word / 64 * 8, &bits)) ||
		    hf_err_ignore(hf_target_read_u8(
			    go->t, meta + (uint64_t)go_off(go, HEAPARENA_NO_MORE_PTRS) + word / 64 / 8,
			    &no_more)))
			return emit_all(bytes, addr - span->start, (end - addr) / 8, emit, arg);
		bits >>= word % 64;
		if (!emit_masked(bytes, addr - span->start, (const uint8_t *)&bits, 0, n, emit, arg))
			return false;
		if (no_more >> (word / 64 % 8) & 1)
			break;
		addr += n * 8;
	}
	return true;
}

/* The pointers of one slot. Where its header is no descriptor (damage; a half-built object has a nil one, and no pointers
 * yet), every word counts: nothing that is live may be called garbage. */
static inline __attribute__((always_inline)) bool emit_slot(struct go *go, const struct go_span *span,
							    const uint8_t *bytes, uint32_t slot,
							    emit_fn *emit, void *arg)
{
	uint64_t base = slot * span->elemsize, type;
	const struct go_mask *mask;

	if (!go->layout.alloc_headers)
		return emit_from_arena(go, span, bytes, base, span->elemsize, emit, arg);
	if (span->elemsize <= GO_HEADER_ABOVE && span->spanclass >> 1)
		return emit_masked(bytes, base, bytes + span_bitmap(go, span), base / 8, span->elemsize / 8,
				   emit, arg);
	type = span->header ? hf_load_u64(bytes + base) : span->large_type;
	if (!type)
		return true;
	base += go_header_size(span);
	mask = go_mask_find(go, type);
	if (!mask)
		return emit_all(bytes, base, (span->elemsize - go_header_size(span)) / 8, emit, arg);
	return emit_typed(bytes, base, span->elemsize - go_header_size(span), mask, emit, arg);
}

/* What a slot holds that malloc has not finished are remains, which lead anywhere: to free memory, too. Where it is not
 * sure that it is unfinished, they are followed: nothing that is live may be called garbage. */
static bool is_unfinished(const struct go *go, const struct go_span *span, uint32_t slot)
{
	return go->gc_off && slot == span->unfinished;
}

static struct hf_err *span_bytes(struct go *go, const struct go_span *span, struct hf_scratch *scratch,
				 const uint8_t **ret)
{
	const void *p;

	if (span->bytes) {
		*ret = span->bytes;
		return NULL;
	}
	HF_TRY(hf_target_get(go->t, span->start, span->pages_end - span->start, scratch, &p));
	*ret = p;
	return NULL;
}

/* ---- all blocks -------------------------------------------------------------------------------------------- */

size_t go_scan_chunks(struct hf_runtime *rt)
{
	return (((struct go *)rt)->spans.n + SPANS_A_CHUNK - 1) / SPANS_A_CHUNK;
}

struct collect {
	struct go *go;
	struct hf_graph_chunk *chunk;
	uint64_t to_free; /* pointers to slots that are not allocated */
	struct hf_err *err;
};

/* A slot of a span in use, but not an allocated one. */
static bool is_free_slot(const struct go *go, uint64_t value)
{
	const struct go_span *span = go_find_span(go, value);

	return span && value < span->objects_end;
}

static bool collect_edge(void *arg, uint64_t offset, uint64_t value)
{
	struct collect *c = arg;
	uint32_t block = go_find_block(c->go, value);

	(void)offset;
	if (block == HF_NO_BLOCK) {
		c->to_free += is_free_slot(c->go, value);
		return true;
	}
	c->err = hf_graph_edge(c->chunk, block);
	return !c->err;
}

static struct hf_err *scan_span(struct go *go, const struct go_span *span, struct hf_graph_chunk *chunk,
				struct hf_scratch *scratch)
{
	struct collect c = {.go = go, .chunk = chunk};
	const uint8_t *bytes = NULL;

	if (!span->noscan && hf_err_ignore(span_bytes(go, span, scratch, &bytes)))
		go_damage_add(&go->damaged_spans, span->mspan_addr);
	for (uint32_t w = 0; w < (span->nelems + 63) / 64; w++) {
		for (uint64_t bits = go->words.at[span->word + w].bits; bits; bits &= bits - 1) {
			uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(bits);

			hf_graph_begin_block(chunk);
			if (go_is_pool_list(go->pools, chunk->first_block + chunk->at - 1))
				continue;
			if (bytes && !is_unfinished(go, span, slot))
				emit_slot(go, span, bytes, slot, collect_edge, &c);
			if (c.err)
				return c.err;
		}
	}
	if (c.to_free)
		__atomic_fetch_add(&go->to_free, c.to_free, __ATOMIC_RELAXED);
	return NULL;
}

struct hf_err *go_scan(struct hf_runtime *rt, size_t index, struct hf_graph_chunk *ret)
{
	struct go *go = (struct go *)rt;
	size_t first = index * SPANS_A_CHUNK, end = hf_min(go->spans.n, first + SPANS_A_CHUNK);
	uint32_t first_block = go->spans.at[first].first_block;
	uint32_t end_block = end < go->spans.n ? go->spans.at[end].first_block : go->blocks;
	struct hf_scratch scratch = {0};
	struct hf_err *err = hf_graph_chunk_init(ret, first_block, end_block - first_block);

	for (size_t i = first; i < end && !err; i++)
		err = scan_span(go, &go->spans.at[i], ret, &scratch);
	hf_free(scratch.at);
	return err;
}

/* ---- one block --------------------------------------------------------------------------------------------------- */

struct forward {
	const struct go_span *span;
	go_pointer_fn *fn;
	void *arg;
};

static bool forward_pointer(void *arg, uint64_t offset, uint64_t value)
{
	struct forward *f = arg;

	return f->fn(f->arg, f->span->start + offset, value);
}

struct hf_err *go_walk_pointers(struct go *go, uint32_t block, go_pointer_fn *fn, void *arg)
{
	uint32_t slot;
	const struct go_span *span = go_block_span(go, block, &slot);
	struct forward f = {.span = span, .fn = fn, .arg = arg};
	struct hf_scratch scratch = {0};
	const uint8_t *bytes;
	struct hf_err *err = NULL;

	if (span->noscan || is_unfinished(go, span, slot))
		return NULL;
	err = span_bytes(go, span, &scratch, &bytes);
	if (!err)
		emit_slot(go, span, bytes, slot, forward_pointer, &f);
	hf_free(scratch.at);
	return err;
}

/* ---- dangling pointers ------------------------------------------------------------------------------------------ */

struct count_free {
	struct go *go;
	uint64_t n, first;
};

static bool count_free(void *arg, uint64_t slot, uint64_t value)
{
	struct count_free *c = arg;

	if (go_find_block(c->go, value) != HF_NO_BLOCK || !is_free_slot(c->go, value))
		return true;
	if (!c->n++)
		c->first = slot;
	return true;
}

/* Garbage that is not yet swept may point to what was freed before it; nothing that is live does. */
struct hf_err *go_count_dangling(struct hf_runtime *rt, const uint8_t *live, uint64_t *ret,
				 uint64_t *ret_first)
{
	struct count_free c = {.go = (struct go *)rt};

	for (uint32_t b = 0; c.go->to_free && b < c.go->blocks; b++) {
		uint32_t slot;

		if (live[b / 8] >> (b % 8) & 1 && go_block_span(c.go, b, &slot)->unfinished != slot)
			HF_TRY(go_walk_pointers(c.go, b, count_free, &c));
	}
	*ret = c.n;
	*ret_first = c.first;
	return NULL;
}

/* ---- masks, before the scan ------------------------------------------------------------------------------------------ */

static struct hf_err *build_mask(struct go *go, uint64_t type, uint64_t size)
{
	const struct go_mask *mask;
	struct hf_err *err;

	if (!type || go_mask_find(go, type))
		return NULL;
	err = go_mask_build(go, type, size, &mask);
	if (hf_err_code(err) != HF_BADDATA)
		return err;
	hf_err_destroy(err);
	go_damage_add(&go->damaged_types, type);
	return NULL;
}

struct hf_err *go_scan_prepare(struct go *go)
{
	hf_vec_each(&go->spans, span) {
		if (span->noscan || !go->layout.alloc_headers)
			continue;
		if (!(span->spanclass >> 1))
			HF_TRY(build_mask(go, span->large_type, span->elemsize));
		if (!span->header)
			continue;
		for (uint32_t slot = 0; slot < span->nelems; slot++) {
			uint64_t type;

			if (!(go->words.at[span->word + slot / 64].bits >> (slot % 64) & 1))
				continue;
			if (span->bytes)
				type = hf_load_u64(span->bytes + slot * span->elemsize);
			else if (hf_err_ignore(hf_target_read_u64(go->t, span->start + slot * span->elemsize,
								  &type)))
				continue;
			HF_TRY(build_mask(go, type, span->elemsize));
		}
	}
	return NULL;
}
