#define _GNU_SOURCE
#include "live_snap.h"
#include "live.h"

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
#define SCAN_FILE    (1u << 2)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO    (1u << 5)

/* Source: Linux Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE    (UINT64_C(1) << 61) /* or shared anonymous */
#define PAGEMAP_GUARD   (UINT64_C(1) << 58) /* Linux 6.15: MADV_GUARD_INSTALL, shown as swapped */

struct hf_err *hf_live_read_raw(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	const struct hf_live *live = t->arg;
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(live->mem_fd, to, len, (off_t)addr);

		if (n < 0 && errno == EINTR)
			continue;
		if (!n)
			return hf_err(HF_TARGET, "process %d ended, or execed, while it was read", live->pid);
		if (n < 0)
			return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " of %s cannot be read: %s", addr,
					 t->label, strerror(errno));
		to += n;
		addr += (uint64_t)n;
		len -= (size_t)n;
	}
	return NULL;
}

static enum hf_page_state state_of(bool present, bool swapped, bool file)
{
	if (!present)
		return swapped ? HF_PAGE_SWAPPED : HF_PAGE_ABSENT;
	return file ? HF_PAGE_FILE_CLEAN : HF_PAGE_RESIDENT;
}

static struct hf_err *add_span(struct hf_page_spans *spans, uint64_t start, uint64_t end,
			       enum hf_page_state state)
{
	struct hf_page_span *last = spans->n ? &spans->at[spans->n - 1] : NULL;

	if (state == HF_PAGE_ABSENT)
		return NULL;
	if (last && last->end == start && last->state == state) {
		last->end = end;
		return NULL;
	}
	return hf_vec_push(spans, ((struct hf_page_span){start, end, state}));
}

/* Its cost follows what is there, not how large the range is.     ret  false where the kernel cannot. */
static struct hf_err *scan_by_ioctl(struct hf_live *live, uint64_t start, uint64_t end,
				    struct hf_page_spans *spans, bool *ret)
{
	struct page_region found[512];
	struct scan_arg arg = {
		.size = sizeof(arg), .end = end, .vec = (uintptr_t)found, .vec_len = HF_LEN(found)};
	size_t before = spans->n;

	arg.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED;
	arg.return_mask = SCAN_FILE | SCAN_PRESENT | SCAN_SWAPPED | SCAN_ZERO;
	for (arg.start = start; arg.start < end; arg.start = arg.walk_end) {
		int n = ioctl(live->pagemap_fd, SCAN_IOCTL, &arg);

		if (n < 0 || arg.walk_end <= arg.start) {
			live->no_scan = n < 0 && errno == ENOTTY;
			spans->n = before;
			*ret = false;
			return NULL;
		}
		for (int i = 0; i < n; i++) {
			uint64_t has = found[i].categories;

			/* The kernel's one page of zeros is nobody's. */
			if (!(has & SCAN_ZERO))
				HF_TRY(add_span(
					spans, found[i].start, found[i].end,
					state_of(has & SCAN_PRESENT, has & SCAN_SWAPPED, has & SCAN_FILE)));
		}
	}
	*ret = true;
	return NULL;
}

static struct hf_err *scan_by_pagemap(struct hf_live *live, uint64_t start, uint64_t end,
				      struct hf_page_spans *spans)
{
	uint64_t entries[4096];

	for (uint64_t at = start; at < end;) {
		size_t want = (size_t)hf_min((end - at) / HF_ARCH_PAGE, (uint64_t)HF_LEN(entries));
		ssize_t n = pread(live->pagemap_fd, entries, want * 8, (off_t)(at / HF_ARCH_PAGE * 8));

		if (n < 8)
			return hf_err(HF_TARGET, "process %d ended, or execed, while it was read", live->pid);
		for (size_t i = 0; i < (size_t)n / 8; i++, at += HF_ARCH_PAGE) {
			bool present = entries[i] & PAGEMAP_PRESENT, guard = entries[i] & PAGEMAP_GUARD;

			HF_TRY(add_span(spans, at, at + HF_ARCH_PAGE,
					state_of(present, entries[i] & PAGEMAP_SWAPPED && !guard,
						 entries[i] & PAGEMAP_FILE)));
		}
	}
	return NULL;
}

struct hf_err *hf_live_page_spans(struct hf_target *t, uint64_t start, uint64_t end,
				  struct hf_page_spans *ret)
{
	struct hf_live *live = t->arg;
	bool done = false;

	if (live->pagemap_fd < 0)
		return hf_err(HF_NOTPERM,
			      "%s: /proc/%d/pagemap cannot be read, so a snap would touch pages that it must "
			      "not: run as its user, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
			      t->label, live->pid);
	if (!live->no_scan)
		HF_TRY(scan_by_ioctl(live, start, end, ret, &done));
	return done ? NULL : scan_by_pagemap(live, start, end, ret);
}
