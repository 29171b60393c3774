/* Anonymous memory, as the kernel would give it, but never where the target has any. */
#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define HARMLESS_FLAGS                                                                                       \
	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_POPULATE | MAP_FIXED |                \
	 MAP_FIXED_NOREPLACE)
#define LENGTH_MAX (UINT64_C(1) << 46)
#define BREAK_MAX  (UINT64_C(1) << 32) /* that the break grows at once */
#define READABLE   (GHOST_MAP_READ | GHOST_MAP_WRITE | GHOST_MAP_EXEC)
#define SHARED     (GHOST_MAP_SHARED | GHOST_MAP_UNKNOWN)

static uint64_t whole_pages(uint64_t len)
{
	return (len + GHOST_PAGE - 1) & ~(uint64_t)(GHOST_PAGE - 1);
}

static uint32_t flags_of(uint64_t prot)
{
	return (prot & PROT_READ ? GHOST_MAP_READ : 0) | (prot & PROT_WRITE ? GHOST_MAP_WRITE : 0);
}

/* Memory that the ghost may replace without a loss: its own, or reserved by the target and not to be touched. */
static bool is_spare(uint64_t start, uint64_t len)
{
	return maps_cover(start, len, 0, true) || maps_cover(start, len, READABLE | SHARED, false);
}

static bool put(uint64_t start, uint64_t len, uint32_t flags)
{
	if (!pages_drop(start, len))
		return false;
	return maps_put(start, len, flags) || end_run(GHOST_END_LIMIT, 0, start, OWN_MAPS);
}

static bool answer_mmap(const uint64_t args[6], uint64_t *ret)
{
	uint64_t at = args[0], len = whole_pages(args[1]), flags = args[3];

	if (!(flags & MAP_ANONYMOUS) || (flags & MAP_TYPE) != MAP_PRIVATE ||
	    flags & ~(uint64_t)HARMLESS_FLAGS || args[2] & ~(uint64_t)(PROT_READ | PROT_WRITE))
		return false;
	*ret = (uint64_t)(args[1] ? -ENOMEM : -EINVAL);
	if (!args[1] || args[1] > LENGTH_MAX)
		return true;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		bool vacant = maps_are_free(at, len);

		if (at % GHOST_PAGE || (!vacant && (flags & MAP_FIXED_NOREPLACE || !is_spare(at, len))))
			return false;
	} else {
		at = at && at % GHOST_PAGE == 0 && maps_are_free(at, len) ? at : maps_find_gap(len);
	}
	if (!at)
		return true;
	*ret = at;
	return put(at, len, flags_of(args[2]));
}

static bool answer_munmap(const uint64_t args[6], uint64_t *ret)
{
	uint64_t len = whole_pages(args[1]);

	if (args[0] % GHOST_PAGE || args[1] > LENGTH_MAX || !maps_cover(args[0], len, 0, true))
		return false;
	*ret = 0;
	if (!pages_drop(args[0], len))
		return false;
	return maps_remove(args[0], len) || end_run(GHOST_END_LIMIT, 0, args[0], OWN_MAPS);
}

/* An allocator reserves memory that is not to be touched, and opens it bit by bit: what it opens is new. */
static bool answer_mprotect(const uint64_t args[6], uint64_t *ret)
{
	uint64_t len = whole_pages(args[1]);

	if (args[0] % GHOST_PAGE || args[1] > LENGTH_MAX || args[2] & ~(uint64_t)(PROT_READ | PROT_WRITE) ||
	    !maps_cover(args[0], len, READABLE | SHARED, false))
		return false;
	*ret = 0;
	return put(args[0], len, flags_of(args[2]));
}

static bool answer_madvise(const uint64_t args[6], uint64_t *ret)
{
	uint64_t len = whole_pages(args[1]);

	*ret = 0;
	switch (args[2]) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case 25: /* MADV_COLLAPSE, Linux 6.1 */
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return maps_cover(args[0], len, 0, false);
	case MADV_DONTNEED:
	case MADV_FREE:
		return args[0] % GHOST_PAGE == 0 && args[1] <= LENGTH_MAX &&
		       maps_cover(args[0], len, 0, true) && pages_drop(args[0], len);
	default:
		return false;
	}
}

/* Where the break is: the map that says so and what the ghost added to it; without one, the nearest writable map below
 * the break that is asked for. */
static uint64_t find_break(uint64_t asked)
{
	const struct map *at = NULL;

	for (uint32_t i = 0; i < sandbox.maps_n && !(at && at->flags & GHOST_MAP_BREAK); i++) {
		const struct map *m = &sandbox.maps[i];

		if (m->flags & GHOST_MAP_BREAK ||
		    (m->end <= asked && m->flags & GHOST_MAP_WRITE && !(m->flags & SHARED)))
			at = m;
	}
	if (at && at + 1 < sandbox.maps + sandbox.maps_n && at[1].own && at[1].start == at->end)
		at++;
	return at ? at->end : 0;
}

static bool answer_brk(const uint64_t args[6], uint64_t *ret)
{
	uint64_t now = find_break(args[0]), end;

	if (!now)
		return false;
	*ret = now;
	if (!args[0] || args[0] > UINT64_MAX - GHOST_PAGE)
		return true;
	end = whole_pages(args[0]);
	/* What it gives back stays; what the kernel would refuse leaves the break where it is. */
	if (end <= now) {
		*ret = args[0];
		return true;
	}
	if (end - now > BREAK_MAX || !maps_are_free(now, end - now))
		return true;
	*ret = args[0];
	return put(now, end - now, GHOST_MAP_READ | GHOST_MAP_WRITE);
}

bool memcall_answer(uint64_t number, const uint64_t args[6], uint64_t *ret)
{
	switch (number) {
	case SYS_mmap:
		return answer_mmap(args, ret);
	case SYS_munmap:
		return answer_munmap(args, ret);
	case SYS_mprotect:
		return answer_mprotect(args, ret);
	case SYS_madvise:
		return answer_madvise(args, ret);
	case SYS_brk:
		return answer_brk(args, ret);
	default:
		return false;
	}
}
