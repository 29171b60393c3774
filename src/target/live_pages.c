#define _GNU_SOURCE
#include "live.h"

#include "../base/workers.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Source: Linux 6.7 include/uapi/linux/fs.h */
struct page_region {
	uint64_t start, end, categories;
};
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO    (1u << 5) /* the shared page of zeros */

/* Source: Linux Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_GUARD   (UINT64_C(1) << 58) /* Linux 6.15; such a page looks swapped, too */

static enum hf_run_state state_of(uint64_t entry)
{
	if (entry & PAGEMAP_PRESENT)
		return HF_RUN_PRESENT;
	return entry & PAGEMAP_GUARD ? HF_RUN_GUARD : HF_RUN_SWAPPED;
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

enum hf_map_kind hf_map_kind(const struct hf_map *map)
{
	const char *path = map->path;

	if (starts_with(path, "[vvar") || !strcmp(path, "[vsyscall]") || !strcmp(path, "[uprobes]"))
		return HF_MAP_NEVER;
	if (!strcmp(path, "[vdso]"))
		return HF_MAP_WHOLE;
	if (starts_with(path, "anon_inode:"))
		return HF_MAP_DEVICE;
	if (starts_with(path, "/dev/") && strcmp(path, "/dev/zero") && !starts_with(path, "/dev/shm/") &&
	    !starts_with(path, "/dev/hugepages/"))
		return HF_MAP_DEVICE;
	if (!map->inode || (!map->shared && !strcmp(path, "/anon_hugepage")))
		return HF_MAP_ANON;
	return HF_MAP_FILE;
}

static struct hf_err *push_run(struct hf_page_runs *runs, size_t first, uint64_t start, uint64_t end,
			       enum hf_run_state state)
{
	struct hf_page_run *last = runs->n > first ? &runs->at[runs->n - 1] : NULL;

	if (last && last->end == start && last->state == state) {
		last->end = end;
		return NULL;
	}
	return hf_vec_push(runs, ((struct hf_page_run){start, end, state}));
}

/* Asks the kernel for the runs: its cost follows what is there, not how large the range is.
 * ret  false where the kernel cannot. */
static struct hf_err *scan_by_ioctl(struct hf_live *live, const struct hf_map *map, uint64_t start,
				    uint64_t end, struct hf_page_runs *runs, bool *ret)
{
	struct page_region found[512];
	struct scan_arg arg = {
		.size = sizeof(arg), .end = end, .vec = (uintptr_t)found, .vec_len = HF_LEN(found)};
	size_t first = runs->n;

	arg.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED;
	arg.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_ZERO;
	for (arg.start = start; arg.start < end; arg.start = arg.walk_end) {
		int n = ioctl(live->pagemap_fd, SCAN_IOCTL, &arg);

		if (n < 0 || arg.walk_end <= arg.start) {
			live->no_scan = n < 0 && errno == ENOTTY;
			runs->n = first;
			*ret = false;
			return NULL;
		}
		for (int i = 0; i < n; i++) {
			bool zero = found[i].categories & SCAN_ZERO && hf_map_kind(map) == HF_MAP_ANON;

			if (!zero)
				HF_TRY(push_run(runs, first, found[i].start, found[i].end,
						found[i].categories & SCAN_SWAPPED ? HF_RUN_SWAPPED
										   : HF_RUN_PRESENT));
		}
	}
	*ret = true;
	return NULL;
}

static struct hf_err *gone(const struct hf_live *live)
{
	return hf_err(HF_TARGET, "process %d ended, or execed, while it was read", live->pid);
}

struct hf_err *hf_live_rescan(struct hf_live *live, uint64_t start, uint64_t end, struct hf_page_runs *ret)
{
	uint64_t entries[4096];
	size_t first = ret->n;

	for (uint64_t at = start; at < end;) {
		size_t want = (size_t)hf_min((end - at) / HF_ARCH_PAGE, (uint64_t)HF_LEN(entries));
		ssize_t n = pread(live->pagemap_fd, entries, want * 8, (off_t)(at / HF_ARCH_PAGE * 8));

		if (n < 8)
			return gone(live);
		for (size_t i = 0; i < (size_t)n / 8; i++, at += HF_ARCH_PAGE)
			if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
				HF_TRY(push_run(ret, first, at, at + HF_ARCH_PAGE, state_of(entries[i])));
		HF_TRY(hf_interrupt_check());
	}
	return NULL;
}

struct hf_err *hf_live_scan(struct hf_live *live, const struct hf_map *map, uint64_t start, uint64_t end,
			    struct hf_page_runs *ret)
{
	bool done = false;

	if (live->pagemap_fd < 0 || hf_map_kind(map) == HF_MAP_WHOLE)
		return push_run(ret, ret->n, start, end, HF_RUN_PRESENT);
	if (!live->no_scan)
		HF_TRY(scan_by_ioctl(live, map, start, end, ret, &done));
	return done ? NULL : hf_live_rescan(live, start, end, ret);
}

struct hf_err *hf_live_copy(struct hf_live *live, uint64_t addr, void *buf, size_t len, hf_bad_page_fn *bad,
			    void *arg)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(live->mem_fd, to, len, (off_t)addr);
		size_t done = n > 0 ? (size_t)n : 0;

		/* Nothing, and no error: the memory itself is gone. */
		if (!n)
			return gone(live);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			done = (size_t)hf_min((uint64_t)len,
					      hf_align_down(addr, HF_ARCH_PAGE) + HF_ARCH_PAGE - addr);
			bad(arg, addr);
		}
		to += done;
		addr += done;
		len -= done;
	}
	return NULL;
}
