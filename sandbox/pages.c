#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define GHOST_MEMORY 0   /* as in ghost.c */
#define OWN_RUN      16u /* of the ghost's own zeros so many pages come at once */
#define FIRST_RUN    4u  /* pages of the target at once */
#define DROPPED      1u  /* the address of a page that is no more */

static uint64_t page_of(uint64_t addr)
{
	return addr & ~(uint64_t)(GHOST_PAGE - 1);
}

static uint32_t slot_of(const struct page *page)
{
	return (uint32_t)(page - sandbox.pages);
}

static uint32_t hash(uint64_t addr)
{
	return (uint32_t)((addr / GHOST_PAGE * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % (4 * SLOTS);
}

uint8_t *page_bytes(const struct page *page)
{
	return sandbox.memory + (size_t)slot_of(page) * GHOST_PAGE;
}

struct page *pages_find(uint64_t addr)
{
	for (uint32_t i = hash(page_of(addr)); sandbox.index[i]; i = (i + 1) % (4 * SLOTS)) {
		struct page *page = &sandbox.pages[sandbox.index[i] - 1];

		if (page->addr == page_of(addr))
			return page;
	}
	return NULL;
}

/* Slots are not used twice, so the index never fills beyond a quarter. */
static struct page *add_to_index(uint32_t slot, uint64_t addr)
{
	struct page *page = &sandbox.pages[slot];
	uint32_t i = hash(page_of(addr));

	while (sandbox.index[i])
		i = (i + 1) % (4 * SLOTS);
	sandbox.index[i] = slot + 1;
	page->addr = page_of(addr);
	return page;
}

/* Takes the next slot, without a word to the ghost; NULL: there is none left. */
static struct page *pages_add(uint64_t addr)
{
	return sandbox.pages_n < SLOTS ? add_to_index(sandbox.pages_n++, addr) : NULL;
}

static bool map_pages(const struct page *first, uint32_t n, uint32_t flags)
{
	int prot = PROT_READ | (flags & GHOST_MAP_EXEC ? PROT_EXEC : 0) | (first->writable ? PROT_WRITE : 0);
	long at = ghost_call(SYS_mmap, first->addr, (uint64_t)n * GHOST_PAGE, (uint64_t)prot,
			     MAP_SHARED | MAP_FIXED | MAP_POPULATE, GHOST_MEMORY,
			     (uint64_t)slot_of(first) * GHOST_PAGE);

	if (at == (long)first->addr)
		return true;
	return end_run(GHOST_END_BROKEN, 0, first->addr, (uint64_t)-at);
}

bool pages_fill(void)
{
	uint32_t object = (sandbox.job.head.object_size + GHOST_PAGE - 1) / GHOST_PAGE;
	uint32_t first = GHOST_OBJECT_OFFSET / GHOST_PAGE, stack = GHOST_STACK_OFFSET / GHOST_PAGE;
	uint64_t scratch = sandbox.setup.scratch;

	sandbox.pages_n = SCRATCH_SLOTS;
	add_to_index(0, scratch);
	for (uint32_t i = 0; i < object; i++)
		add_to_index(first + i, scratch + (uint64_t)(first + i) * GHOST_PAGE);
	for (uint32_t i = stack; i < SCRATCH_SLOTS; i++) {
		struct page *page = add_to_index(i, scratch + (uint64_t)i * GHOST_PAGE);

		page->own = page->writable = true;
	}
	return !object || map_pages(&sandbox.pages[first], object, GHOST_MAP_READ | GHOST_MAP_WRITE);
}

/* Pages of zeros that the ghost made itself: this one, and some after it. */
static bool reach_own(uint64_t addr, const struct map *map, uint64_t pc, struct page **ret)
{
	uint64_t at = page_of(addr);
	uint32_t n = 0;

	for (; n < OWN_RUN && at < map->end && !pages_find(at); n++, at += GHOST_PAGE) {
		struct page *page = pages_add(at);

		if (!page)
			break;
		*ret = n ? *ret : page;
		page->own = true;
		page->writable = map->flags & GHOST_MAP_WRITE;
	}
	return n ? map_pages(*ret, n, map->flags) : end_run(GHOST_END_LIMIT, pc, addr, SLOTS);
}

/* How many pages to ask for at once: a few, and twice as many each time that the function goes on where they end. */
static uint32_t choose_run(uint64_t addr, const struct map *map)
{
	const struct page *before = pages_find(addr - GHOST_PAGE);
	uint32_t want = before && before->run ? 2u * before->run : FIRST_RUN, n = 1;

	want = want < GHOST_ASK_MAX ? want : GHOST_ASK_MAX;
	want = want < SLOTS - sandbox.pages_n ? want : SLOTS - sandbox.pages_n;
	while (n < want && addr + (uint64_t)n * GHOST_PAGE < map->end &&
	       !pages_find(addr + (uint64_t)n * GHOST_PAGE))
		n++;
	return n;
}

/* Asks the tool for pages of the target, which come to stand in the next slots; 0: none can be had, the run is over. */
static uint32_t ask(uint64_t addr, uint32_t n, uint64_t pc)
{
	struct {
		struct ghost_head head;
		struct ghost_ask ask;
	} question = {{GHOST_ASK, sizeof(struct ghost_ask)}, {page_of(addr), n, 0}};
	struct ghost_page answer;
	bool late;

	wire_write(&question, sizeof(question));
	wire_read(&answer, sizeof(answer));
	late = answer.state == GHOST_PAGE_LATE;
	if (answer.state == GHOST_PAGE_HERE && answer.pages && answer.pages <= n) {
		wire_read(page_bytes(&sandbox.pages[sandbox.pages_n]), (size_t)answer.pages * GHOST_PAGE);
		return answer.pages;
	}
	end_run(late ? GHOST_END_LATE : GHOST_END_ABSENT, pc, addr, 0);
	return 0;
}

bool pages_reach(uint64_t addr, uint64_t pc, struct page **ret)
{
	const struct map *map = maps_find(addr);
	struct page *page = pages_find(addr);
	uint32_t n;

	*ret = page;
	if (page)
		return true;
	if (!map || !(map->flags & (GHOST_MAP_READ | GHOST_MAP_WRITE | GHOST_MAP_EXEC)))
		return end_run(GHOST_END_FAULT, pc, addr, SIGSEGV);
	if (map->own)
		return reach_own(addr, map, pc, ret);
	if (sandbox.pages_n == SLOTS)
		return end_run(GHOST_END_LIMIT, pc, addr, SLOTS);
	n = ask(addr, choose_run(page_of(addr), map), pc);
	if (!n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		page = pages_add(addr + (uint64_t)i * GHOST_PAGE);
		page->run = (uint8_t)n;
		if (map->flags & GHOST_MAP_EXEC)
			hooks_arm(page);
		*ret = i ? *ret : page;
	}
	sandbox.end.pages += n;
	return map_pages(*ret, n, map->flags);
}

static bool open_page(struct page *page, uint64_t pc)
{
	if (!page->own && !shadow_begin(page))
		return end_run(GHOST_END_LIMIT, pc, page->addr, 0);
	page->writer = pc;
	page->writable = true;
	return true;
}

/* Where one instruction fills page after page, those that follow are opened with it: as many as it has filled, about. */
static bool open_ahead(const struct page *page, const struct map *map, uint64_t pc, uint32_t *ret)
{
	const struct page *before = pages_find(page->addr - GHOST_PAGE);
	uint32_t want = 1;

	for (; before && before->writable && before->writer == pc && want < GHOST_ASK_MAX; want *= 2)
		before = pages_find(page->addr - 2 * (uint64_t)want * GHOST_PAGE);
	for (*ret = 1; *ret < want; ++*ret) {
		uint64_t at = page->addr + (uint64_t)*ret * GHOST_PAGE;
		struct page *next = at < map->end ? pages_find(at) : NULL;

		if (!next || next->writable)
			break;
		next->ahead = true;
		if (!open_page(next, pc))
			return false;
	}
	return true;
}

bool pages_open(uint64_t addr, uint64_t pc, struct page **ret)
{
	const struct map *map = maps_find(addr);
	int prot = PROT_READ | PROT_WRITE;
	uint32_t n;
	long failed;

	if (!pages_reach(addr, pc, ret))
		return false;
	if ((*ret)->writable)
		return true;
	if (!map || !(map->flags & GHOST_MAP_WRITE))
		return end_run(GHOST_END_READ_ONLY, pc, addr, SIGSEGV);
	if (map->flags & GHOST_MAP_SHARED)
		return end_run(GHOST_END_SHARED, pc, addr, 0);
	if (map->flags & GHOST_MAP_UNKNOWN)
		return end_run(GHOST_END_UNKNOWN, pc, addr, 0);
	if (!open_page(*ret, pc) || !open_ahead(*ret, map, pc, &n))
		return false;
	prot |= map->flags & GHOST_MAP_EXEC ? PROT_EXEC : 0;
	failed = ghost_call(SYS_mprotect, (*ret)->addr, (uint64_t)n * GHOST_PAGE, (uint64_t)prot, 0, 0, 0);
	return failed ? end_run(GHOST_END_BROKEN, pc, addr, (uint64_t)-failed) : true;
}

bool pages_store(uint64_t addr, const void *buf, size_t len, uint64_t pc)
{
	const uint8_t *from = buf;

	while (len) {
		size_t in = addr % GHOST_PAGE, n = len < GHOST_PAGE - in ? len : GHOST_PAGE - in;
		struct page *page;

		if (!pages_open(addr, pc, &page))
			return false;
		memcpy(page_bytes(page) + in, from, n);
		from += n;
		addr += n;
		len -= n;
	}
	return true;
}

/* reach: what the ghost does not have yet is asked for; else it is missing. */
static bool load(uint64_t addr, void *buf, size_t len, bool reach, uint64_t pc)
{
	uint8_t *to = buf;

	while (len) {
		size_t in = addr % GHOST_PAGE, n = len < GHOST_PAGE - in ? len : GHOST_PAGE - in;
		struct page *page = NULL;

		if (reach && !pages_reach(addr, pc, &page))
			return false;
		if (!reach)
			page = pages_find(addr);
		if (!page)
			return false;
		memcpy(to, page_bytes(page) + in, n);
		to += n;
		addr += n;
		len -= n;
	}
	return true;
}

bool pages_load(uint64_t addr, void *buf, size_t len, uint64_t pc)
{
	return load(addr, buf, len, true, pc);
}

bool pages_peek(uint64_t addr, void *buf, size_t len)
{
	return load(addr, buf, len, false, 0);
}

bool pages_drop(uint64_t start, uint64_t len)
{
	long failed = ghost_call(SYS_munmap, start, len, 0, 0, 0, 0);

	for (uint32_t i = SCRATCH_SLOTS; i < sandbox.pages_n; i++)
		if (sandbox.pages[i].addr - start < len)
			sandbox.pages[i].addr = DROPPED;
	return failed ? end_run(GHOST_END_BROKEN, 0, start, (uint64_t)-failed) : true;
}

/* An instruction that cannot be executed faults at its own address, or where it goes on in the next page. */
static bool is_fetch(uint64_t addr, uint64_t pc)
{
	return addr == pc || (addr % GHOST_PAGE == 0 && addr > pc && addr - pc < 15);
}

bool pages_fault(uint64_t addr, int code, uint64_t pc)
{
	const struct map *map = maps_find(addr);
	struct page *page = pages_find(addr);

	if (code != SEGV_MAPERR && code != SEGV_ACCERR)
		return end_run(GHOST_END_FAULT, pc, addr, SIGSEGV);
	sandbox.end.faults++;
	if (!page && !(addr == pc && map && !(map->flags & GHOST_MAP_EXEC)))
		return pages_reach(addr, pc, &page);
	if (!map || page == NULL || page->writable || (is_fetch(addr, pc) && !(map->flags & GHOST_MAP_EXEC)))
		return end_run(GHOST_END_FAULT, pc, addr, SIGSEGV);
	return pages_open(addr, pc, &page);
}
