/* The image: for each run of adjacent readable mappings a mirror of the same size here, reserved when it is first
 * needed, in which captured bytes lie as far apart as in the target.
 *
 *   target   |--- map ---|--- map ---|            region [start, end)
 *   bytes    |...cccc....|cc...ccccccc|           c: captured; else zero, and not in memory
 *   captured 000111100000110001111111             a bit a page
 *   lost     000000000001000000000000             asked for, not to be had
 *
 * Bits are set after the bytes (release) and tested before they are used (acquire): readers need no lock.
 */
#include "live.h"

#include <errno.h>
#include <sys/mman.h>

#define REGION_MAX (UINT64_C(1) << 32)

static uint64_t page_of(const struct hf_region *r, uint64_t addr)
{
	return (addr - r->start) / HF_ARCH_PAGE;
}

static size_t words_of(const struct hf_region *r)
{
	return (size_t)((r->end - r->start) / HF_ARCH_PAGE + 63) / 64;
}

/* The bits of pages [first, last] that are in word w, of which both ends' words are known to overlap. */
static uint64_t mask_of(uint64_t w, uint64_t first, uint64_t last)
{
	uint64_t mask = ~UINT64_C(0);

	if (w == first / 64)
		mask &= ~UINT64_C(0) << first % 64;
	if (w == last / 64)
		mask &= ~UINT64_C(0) >> (63 - last % 64);
	return mask;
}

static struct hf_err *add_regions(struct hf_image *image, size_t *cap, uint64_t start, uint64_t end)
{
	struct {
		struct hf_region *at;
		size_t n, cap;
	} v = {image->regions, image->n, *cap};
	struct hf_err *err = NULL;

	while (start < end && !err) {
		struct hf_region r = {.start = start, .end = start + hf_min(end - start, REGION_MAX)};

		err = hf_vec_push(&v, r);
		start = r.end;
	}
	image->regions = v.at;
	image->n = v.n;
	*cap = v.cap;
	return err;
}

/* The bytes, then the bits: one mapping, as a thousand threads' stacks are as many regions. */
static size_t mirror_size(const struct hf_region *r)
{
	return (size_t)(r->end - r->start) + words_of(r) * 16;
}

void hf_image_destroy(struct hf_image *image)
{
	if (!image)
		return;
	for (struct hf_region *r = image->regions; r < image->regions + image->n; r++)
		if (r->bytes)
			munmap(r->bytes, mirror_size(r));
	hf_free(image->regions);
	hf_free(image);
}

struct hf_err *hf_image_create(const struct hf_target *t, struct hf_image **ret)
{
	struct hf_image *image = hf_calloc(1, sizeof(*image));
	struct hf_err *err = NULL;
	size_t cap = 0;

	if (!image)
		return hf_err_nomem();
	for (size_t i = 0; i < t->maps.n && !err;) {
		uint64_t start = t->maps.at[i].start, end = start;

		for (; i < t->maps.n && t->maps.at[i].readable && (t->maps.at[i].start == end); i++)
			end = t->maps.at[i].end;
		if (start == end)
			i++;
		else
			err = add_regions(image, &cap, start, end);
	}
	if (err)
		hf_image_destroy(image);
	else
		*ret = image;
	return err;
}

void hf_image_destroy_p(struct hf_image **image)
{
	hf_image_destroy(*image);
}

struct hf_region *hf_image_find(const struct hf_image *image, uint64_t addr)
{
	static _Thread_local size_t last; /* walks stay in one region for long */
	size_t lo = 0, hi = image->n;

	if (last < hi &&
	    addr - image->regions[last].start < image->regions[last].end - image->regions[last].start)
		return &image->regions[last];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (image->regions[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == image->n || image->regions[lo].start > addr)
		return NULL;
	last = lo;
	return &image->regions[lo];
}

/* Fresh zeros that cost nothing until they are written, and stay out of our core dumps and children. */
static void *map_zeros(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, len, MADV_DONTDUMP);
	madvise(p, len, MADV_DONTFORK);
	return p;
}

struct hf_err *hf_region_reserve(struct hf_region *r)
{
	size_t len = (size_t)(r->end - r->start);
	_Atomic uint64_t *bits;
	uint8_t *bytes;

	if (r->captured)
		return NULL;
	bytes = map_zeros(mirror_size(r));
	if (!bytes)
		return hf_err(HF_NOMEM,
			      "no address space for a copy of %zu bytes: %s (see ulimit -v and "
			      "vm.overcommit_memory)",
			      len, strerror(errno));
	bits = (_Atomic uint64_t *)(bytes + len); /* whole pages: aligned */
	r->lost = bits + words_of(r);
	atomic_store_explicit(&r->bytes, bytes, memory_order_release);
	atomic_store_explicit(&r->captured, bits, memory_order_release);
	return NULL;
}

static bool all_captured(_Atomic uint64_t *bits, uint64_t first, uint64_t last)
{
	for (uint64_t w = first / 64; w <= last / 64; w++) {
		uint64_t mask = mask_of(w, first, last);

		if ((atomic_load_explicit(&bits[w], memory_order_acquire) & mask) != mask)
			return false;
	}
	return true;
}

const void *hf_image_view(const struct hf_image *image, uint64_t addr, size_t len)
{
	const struct hf_region *r = hf_image_find(image, addr);
	_Atomic uint64_t *bits;

	if (!r || !len || len > r->end - addr)
		return NULL;
	bits = atomic_load_explicit(&r->captured, memory_order_acquire);
	if (!bits || !all_captured(bits, page_of(r, addr), page_of(r, addr + len - 1)))
		return NULL;
	return r->bytes + (addr - r->start);
}

size_t hf_image_read(const struct hf_image *image, uint64_t addr, void *buf, size_t len)
{
	const struct hf_region *r = hf_image_find(image, addr);
	_Atomic uint64_t *bits;
	uint64_t page, last;

	if (!r)
		return 0;
	len = (size_t)hf_min((uint64_t)len, r->end - addr);
	bits = atomic_load_explicit(&r->captured, memory_order_acquire);
	if (atomic_load_explicit(&r->zeros, memory_order_acquire)) {
		memset(buf, 0, len);
		return len;
	}
	if (!bits)
		return 0;
	last = page_of(r, addr + len - 1);
	for (page = page_of(r, addr); page <= last && all_captured(bits, page, page); page++)
		;
	if (page <= last)
		len = page * HF_ARCH_PAGE > addr - r->start
			      ? (size_t)(page * HF_ARCH_PAGE - (addr - r->start))
			      : 0;
	memcpy(buf, r->bytes + (addr - r->start), len);
	return len;
}

static bool is_known(const struct hf_region *r, uint64_t page)
{
	return (r->captured[page / 64] | r->lost[page / 64]) >> page % 64 & 1;
}

uint64_t hf_region_run(const struct hf_region *r, uint64_t addr, uint64_t end, bool *ret_known)
{
	uint64_t page = page_of(r, addr), last = page_of(r, end - 1);
	bool known;

	*ret_known = r->zeros;
	if (!r->captured || r->zeros)
		return end;
	known = is_known(r, page);
	while (page <= last) {
		uint64_t word = r->captured[page / 64] | r->lost[page / 64];

		if (page % 64 == 0 && word == (known ? ~UINT64_C(0) : 0))
			page += 64;
		else if (is_known(r, page) == known)
			page++;
		else
			break;
	}
	*ret_known = known;
	return hf_min(end, r->start + page * HF_ARCH_PAGE);
}

void hf_region_mark(struct hf_region *r, uint64_t start, uint64_t end)
{
	uint64_t first = page_of(r, start), last = page_of(r, end - 1);

	for (uint64_t w = first / 64; w <= last / 64; w++)
		atomic_fetch_or_explicit(&r->captured[w], mask_of(w, first, last) & ~r->lost[w],
					 memory_order_release);
}

bool hf_region_lose(struct hf_region *r, uint64_t addr)
{
	uint64_t page = page_of(r, addr), bit = UINT64_C(1) << page % 64;

	return !(atomic_fetch_or(&r->lost[page / 64], bit) & bit);
}
