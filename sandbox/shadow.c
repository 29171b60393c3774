#include "sandbox.h"

#include <stdlib.h>
#include <string.h>

#define WORD 8u

struct ghost_change shadow_changes[GHOST_CHANGES_MAX];

static uint32_t dirty[SLOTS]; /* slots of pages that have a shadow */
static uint32_t dirty_n;
/* What counts as fresh: by address, without overlap. */
static struct ghost_range fresh[GHOST_ALLOCATIONS_MAX + GHOST_RANGES_MAX + 1];
static uint32_t fresh_n;

bool shadow_begin(struct page *page)
{
	page->before = malloc(2 * GHOST_PAGE);
	page->outside = calloc(1, GHOST_PAGE / 8);
	if (!page->before || !page->outside)
		return false;
	page->last = page->before + GHOST_PAGE;
	memcpy(page->before, page_bytes(page), GHOST_PAGE);
	memcpy(page->last, page->before, GHOST_PAGE);
	dirty[dirty_n++] = (uint32_t)(page - sandbox.pages);
	return true;
}

static void compare(struct page *page, bool by_allocator)
{
	const uint8_t *now = page_bytes(page);

	for (uint32_t w = 0; w < GHOST_PAGE; w += WORD) {
		if (!memcmp(now + w, page->last + w, WORD))
			continue;
		for (uint32_t i = w; i < w + WORD && !by_allocator; i++)
			if (now[i] != page->last[i])
				page->outside[i / 8] |= (uint8_t)(1u << i % 8);
		memcpy(page->last + w, now + w, WORD);
	}
}

void shadow_boundary(bool by_allocator)
{
	for (uint32_t i = 0; i < dirty_n; i++) {
		struct page *page = &sandbox.pages[dirty[i]];

		if (memcmp(page_bytes(page), page->last, GHOST_PAGE))
			compare(page, by_allocator);
	}
}

/* Memory of the ghost's own was zeros. */
bool shadow_stored(uint64_t addr, uint64_t len)
{
	for (uint64_t i = addr; i < addr + len; i++) {
		const struct page *page = pages_find(i);
		uint64_t at = i % GHOST_PAGE;

		if (!page)
			continue;
		if (page->own ? page_bytes(page)[at] != 0
			      : page->outside && page->outside[at / 8] >> at % 8 & 1)
			return true;
	}
	return false;
}

static int by_start(const void *a, const void *b)
{
	const struct ghost_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int by_page(const void *a, const void *b)
{
	const struct page *x = &sandbox.pages[*(const uint32_t *)a],
			  *y = &sandbox.pages[*(const uint32_t *)b];

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void add_fresh(uint64_t start, uint64_t len)
{
	if (len)
		fresh[fresh_n++] =
			(struct ghost_range){start, len > UINT64_MAX - start ? UINT64_MAX : start + len};
}

/* What it allocated and freed again was its own, too. */
static void collect_fresh(void)
{
	uint32_t n = 0;

	fresh_n = 0;
	for (uint32_t i = 0; i < sandbox.allocations_n; i++)
		add_fresh(sandbox.allocations[i].told.addr, sandbox.allocations[i].told.bytes);
	for (uint32_t i = 0; i < sandbox.job.head.ranges_n; i++)
		add_fresh(sandbox.job.ranges[i].start,
			  sandbox.job.ranges[i].end - sandbox.job.ranges[i].start);
	add_fresh(sandbox.setup.scratch + GHOST_OBJECT_OFFSET, sandbox.job.head.object_size);
	qsort(fresh, fresh_n, sizeof(*fresh), by_start);
	for (uint32_t i = 0; i < fresh_n; i++) {
		if (n && fresh[i].start <= fresh[n - 1].end)
			fresh[n - 1].end = fresh[i].end > fresh[n - 1].end ? fresh[i].end : fresh[n - 1].end;
		else
			fresh[n++] = fresh[i];
	}
	fresh_n = n;
}

static bool is_fresh(uint64_t addr)
{
	uint32_t lo = 0, hi = fresh_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (fresh[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < fresh_n && fresh[lo].start <= addr;
}

/* A word of a page: what of it changed and is to be told; ret  whether an allocator did all of that. */
static bool word_changed(const struct page *page, uint32_t w, bool *ret)
{
	const uint8_t *now = page_bytes(page);
	bool changed = false;

	*ret = true;
	if (!memcmp(now + w, page->before + w, WORD))
		return false;
	for (uint32_t i = w; i < w + WORD; i++) {
		if (now[i] == page->before[i] || is_fresh(page->addr + i))
			continue;
		changed = true;
		*ret &= !(page->outside[i / 8] >> i % 8 & 1);
	}
	return changed;
}

static void add_word(const struct page *page, uint32_t w, bool by_allocator)
{
	struct ghost_change *c = sandbox.end.changes_n ? &shadow_changes[sandbox.end.changes_n - 1] : NULL;

	if (!c || c->addr + c->len != page->addr + w || c->len == GHOST_CHANGE_BYTES ||
	    c->by_allocator != by_allocator || c->addr < page->addr) {
		if (sandbox.end.changes_n == GHOST_CHANGES_MAX) {
			sandbox.end.changes_lost++;
			return;
		}
		c = &shadow_changes[sandbox.end.changes_n++];
		c->addr = page->addr + w;
		c->writer = page->writer;
		c->by_allocator = by_allocator;
	}
	memcpy(c->before + c->len, page->before + w, WORD);
	memcpy(c->after + c->len, page_bytes(page) + w, WORD);
	c->len += WORD;
}

void shadow_tell(void)
{
	collect_fresh();
	qsort(dirty, dirty_n, sizeof(*dirty), by_page);
	for (uint32_t i = 0; i < dirty_n; i++) {
		const struct page *page = &sandbox.pages[dirty[i]];
		bool by_allocator;

		for (uint32_t w = 0; w < GHOST_PAGE; w += WORD)
			if (word_changed(page, w, &by_allocator))
				add_word(page, w, by_allocator);
		sandbox.end.dirty_pages += !page->ahead || memcmp(page_bytes(page), page->before, GHOST_PAGE);
	}
}
