#include "sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TASK_END  UINT64_C(0x7ffffffff000)
#define FIRST_GAP UINT64_C(0x100000000000) /* where the ghost's own maps go: far from what programs choose */

/* Index of the first map that ends after addr. */
static uint32_t lower(uint64_t addr)
{
	uint32_t lo = 0, hi = sandbox.maps_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (sandbox.maps[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool insert(uint32_t at, struct map map)
{
	if (sandbox.maps_n == sandbox.maps_cap)
		return false;
	memmove(&sandbox.maps[at + 1], &sandbox.maps[at], (sandbox.maps_n - at) * sizeof(map));
	sandbox.maps[at] = map;
	sandbox.maps_n++;
	return true;
}

static void erase(uint32_t at)
{
	sandbox.maps_n--;
	memmove(&sandbox.maps[at], &sandbox.maps[at + 1], (sandbox.maps_n - at) * sizeof(*sandbox.maps));
}

bool maps_remove(uint64_t start, uint64_t len)
{
	uint64_t end = start + len;
	uint32_t i = lower(start);

	while (i < sandbox.maps_n && sandbox.maps[i].start < end) {
		struct map *m = &sandbox.maps[i], rest = *m;

		if (m->start < start && m->end > end) {
			rest.start = end;
			m->end = start;
			return insert(i + 1, rest);
		}
		if (m->start < start) {
			m->end = start;
			i++;
		} else if (m->end > end) {
			m->start = end;
		} else {
			erase(i);
		}
	}
	return true;
}

bool maps_put(uint64_t start, uint64_t len, uint32_t flags)
{
	struct map *before;
	uint32_t i;

	if (!maps_remove(start, len))
		return false;
	i = lower(start);
	before = i ? &sandbox.maps[i - 1] : NULL;
	if (before && before->own && before->end == start && before->flags == flags) {
		before->end += len;
		return true;
	}
	return insert(i, (struct map){start, start + len, flags, true});
}

const struct map *maps_find(uint64_t addr)
{
	uint32_t i = lower(addr);

	return i < sandbox.maps_n && sandbox.maps[i].start <= addr ? &sandbox.maps[i] : NULL;
}

bool maps_are_free(uint64_t start, uint64_t len)
{
	uint32_t i = lower(start);

	if (!len || start < GHOST_PAGE || start > TASK_END || len > TASK_END - start)
		return false;
	return i == sandbox.maps_n || sandbox.maps[i].start >= start + len;
}

bool maps_cover(uint64_t start, uint64_t len, uint32_t without, bool own)
{
	uint64_t at = start;

	if (!len || start > TASK_END || len > TASK_END - start)
		return false;
	for (uint32_t i = lower(start); i < sandbox.maps_n && sandbox.maps[i].start <= at; i++) {
		const struct map *m = &sandbox.maps[i];

		if ((m->flags & without) || (own && !m->own))
			return false;
		if (m->end >= start + len)
			return true;
		at = m->end;
	}
	return false;
}

uint64_t maps_find_gap(uint64_t len)
{
	uint64_t at = FIRST_GAP;

	if (len > TASK_END)
		return 0;
	/* A page is left free on both sides. */
	for (uint32_t i = lower(at); i < sandbox.maps_n; i++) {
		if (sandbox.maps[i].start > at && sandbox.maps[i].start - at >= len + 2 * GHOST_PAGE)
			break;
		at = sandbox.maps[i].end > at ? sandbox.maps[i].end : at;
	}
	return TASK_END - at >= len + 2 * GHOST_PAGE ? at + GHOST_PAGE : 0;
}

int maps_fill(void)
{
	const struct ghost_job *job = &sandbox.job.head;
	uint64_t scratch = sandbox.setup.scratch;
	uint64_t object = (job->object_size + (uint64_t)GHOST_PAGE - 1) / GHOST_PAGE * GHOST_PAGE;

	sandbox.maps_cap = job->maps_n + OWN_MAPS;
	sandbox.maps = calloc(sandbox.maps_cap, sizeof(*sandbox.maps));
	if (!sandbox.maps)
		return ENOMEM;
	for (uint32_t i = 0; i < job->maps_n; i++) {
		const struct ghost_map *m = &sandbox.job.maps[i];

		sandbox.maps[sandbox.maps_n++] = (struct map){m->start, m->end, m->flags, false};
	}
	maps_put(scratch, GHOST_PAGE, GHOST_MAP_READ | GHOST_MAP_EXEC);
	if (object)
		maps_put(scratch + GHOST_OBJECT_OFFSET, object, GHOST_MAP_READ | GHOST_MAP_WRITE);
	maps_put(scratch + GHOST_STACK_OFFSET, GHOST_STACK_SIZE, GHOST_MAP_READ | GHOST_MAP_WRITE);
	return 0;
}
