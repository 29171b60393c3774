#include "stripped.h"

#include "../../base/workers.h"

#include <time.h>

#define PCLN_MAGIC   0xfffffff1u /* Go 1.20 to 1.27 internal/abi/symtab.go, CurrentPCLnTabMagic */
#define CHUNK        (1u << 20)
#define OVERLAP      8192u /* what a test may look at from a word on */
#define DATA_MAX     (4ull << 30)
#define SAMPLES      64u
#define DELTAS       3u
#define SPAN_CLASSES 136u
#define REASONS_MAX  100u
#define PAGE         8192u
#define ATTEMPTS     20u
#define ALLSPANS_CAP 8192u /* runtime/mheap.go, recordspan: 64 KiB at first */

/* Words of data, in local memory; `left` bytes from here on may be looked at. */
struct word {
	uint64_t addr;
	const uint8_t *p;
	size_t left;
};

struct search;
typedef bool test_fn(struct search *s, const struct word *w);

/* How many passed the test, and which was the best. */
struct found {
	uint64_t addr, weight, before; /* before: the last but one */
	unsigned n;                    /* with that weight */
};

struct search {
	const struct go_stripped *in;
	struct go_layout *l;
	struct hf_range data[4]; /* data, bss, and those without pointers */
	uint64_t types, etypes, text, etext;
	uint64_t weight; /* of the word that has just passed */
	uint64_t in_use; /* bytes of the spans that hold objects */
	struct hf_scratch scratch, list;
};

static uint64_t at(const struct word *w, int64_t off)
{
	return off >= 0 && (uint64_t)off + 8 <= w->left ? hf_load_u64(w->p + off) : 0;
}

static bool read_u64(struct search *s, uint64_t addr, uint64_t *ret)
{
	return !hf_err_ignore(hf_target_read_u64(s->in->t, addr, ret));
}

static bool is_within(const struct hf_range *r, uint64_t addr, uint64_t len)
{
	return addr >= r->start && addr <= r->end && len <= r->end - addr;
}

static bool in_data(const struct search *s, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < HF_LEN(s->data); i++)
		if (is_within(&s->data[i], addr, len))
			return true;
	return false;
}

/* Calls the test for each word of a range that can be read, and keeps the one with the greatest weight. */
static struct hf_err *scan_range(struct search *s, const struct hf_range *r, test_fn *test, struct found *ret)
{
	uint64_t end = hf_min(r->end, r->start + DATA_MAX);

	for (uint64_t start = r->start; start < end; start += CHUNK) {
		uint64_t n = hf_min(end - start, (uint64_t)CHUNK), whole = hf_min(end - start, n + OVERLAP);
		const void *p;

		HF_TRY(hf_interrupt_check());
		if (hf_err_ignore(hf_target_get(s->in->t, start, whole, &s->scratch, &p)))
			continue;
		for (uint64_t i = 0; i + 8 <= n; i += 8) {
			struct word w = {start + i, (const uint8_t *)p + i, whole - i};

			s->weight = 1;
			if (!test(s, &w) || (ret->n && s->weight < ret->weight))
				continue;
			ret->n = ret->n && s->weight == ret->weight ? ret->n + 1 : 1;
			ret->before = ret->addr;
			ret->addr = w.addr;
			ret->weight = s->weight;
		}
	}
	return NULL;
}

static struct hf_err *scan_data(struct search *s, test_fn *test, struct found *ret)
{
	*ret = (struct found){0};
	for (size_t i = 0; i < HF_LEN(s->data); i++)
		HF_TRY(scan_range(s, &s->data[i], test, ret));
	return NULL;
}

/* A slice header of pointers, by its numbers alone. */
static bool is_slice(const struct word *w, uint64_t *ret_ptr, uint64_t *ret_n)
{
	uint64_t ptr = at(w, 0), n = at(w, 8), cap = at(w, 16);

	*ret_ptr = ptr;
	*ret_n = n;
	return w->left >= 24 && ptr >= 4096 && ptr % 8 == 0 && ptr >> 47 == 0 && n && n <= cap &&
	       cap < 1ull << 31;
}

/* Item i of SAMPLES that lie evenly in a list of n. */
static uint64_t sample(uint64_t n, uint64_t i)
{
	return n <= SAMPLES ? i : i * (n - 1) / (SAMPLES - 1);
}

/* ---- moduledata --------------------------------------------------------------------------------------------- */

static bool is_pclntab(struct search *s, uint64_t addr)
{
	uint64_t head;

	if (s->in->pclntab)
		return addr == s->in->pclntab;
	/* pcHeader: magic, two zeros, the quantum of instructions (1), the size of pointers. */
	return addr % 8 == 0 && is_within(&s->in->image, addr, 8) && read_u64(s, addr, &head) &&
	       head == (8ull << 56 | 1ull << 48 | PCLN_MAGIC);
}

static bool is_section(struct search *s, const struct word *w, enum go_field start, enum go_field end)
{
	uint64_t from = at(w, s->l->off[start]), to = at(w, s->l->off[end]);

	return from <= to && is_within(&s->in->image, from, to - from);
}

/* Source: Go 1.20-1.27 runtime/symtab.go, moduledata: pcHeader comes first. */
static bool is_moduledata(struct search *s, const struct word *w)
{
	int32_t size = s->l->off[GO_MODULEDATA_SIZE];
	uint64_t ftab;

	if (size <= 0 || (size_t)size > w->left || !is_pclntab(s, at(w, 0)))
		return false;
	ftab = at(w, s->l->off[GO_MODULEDATA_FTAB]);
	return is_section(s, w, GO_MODULEDATA_TEXT, GO_MODULEDATA_ETEXT) &&
	       is_section(s, w, GO_MODULEDATA_MINPC, GO_MODULEDATA_MAXPC) &&
	       is_section(s, w, GO_MODULEDATA_NOPTRDATA, GO_MODULEDATA_ENOPTRDATA) &&
	       is_section(s, w, GO_MODULEDATA_DATA, GO_MODULEDATA_EDATA) &&
	       is_section(s, w, GO_MODULEDATA_BSS, GO_MODULEDATA_EBSS) &&
	       is_section(s, w, GO_MODULEDATA_NOPTRBSS, GO_MODULEDATA_ENOPTRBSS) &&
	       is_section(s, w, GO_MODULEDATA_TYPES, GO_MODULEDATA_ETYPES) &&
	       at(w, s->l->off[GO_MODULEDATA_TEXT]) < at(w, s->l->off[GO_MODULEDATA_ETEXT]) &&
	       at(w, s->l->off[GO_MODULEDATA_TYPES]) < at(w, s->l->off[GO_MODULEDATA_ETYPES]) &&
	       is_within(&s->in->image, ftab, 8);
}

static struct hf_err *take_ranges(struct search *s, uint64_t module)
{
	static const enum go_field starts[] = {GO_MODULEDATA_DATA, GO_MODULEDATA_BSS, GO_MODULEDATA_NOPTRDATA,
					       GO_MODULEDATA_NOPTRBSS};
	static const enum go_field ends[] = {GO_MODULEDATA_EDATA, GO_MODULEDATA_EBSS,
					     GO_MODULEDATA_ENOPTRDATA, GO_MODULEDATA_ENOPTRBSS};
	struct hf_target *t = s->in->t;
	const int32_t *off = s->l->off;

	for (size_t i = 0; i < HF_LEN(starts); i++) {
		HF_TRY(hf_target_read_u64(t, module + (uint64_t)off[starts[i]], &s->data[i].start));
		HF_TRY(hf_target_read_u64(t, module + (uint64_t)off[ends[i]], &s->data[i].end));
	}
	HF_TRY(hf_target_read_u64(t, module + (uint64_t)off[GO_MODULEDATA_TYPES], &s->types));
	HF_TRY(hf_target_read_u64(t, module + (uint64_t)off[GO_MODULEDATA_ETYPES], &s->etypes));
	HF_TRY(hf_target_read_u64(t, module + (uint64_t)off[GO_MODULEDATA_TEXT], &s->text));
	return hf_target_read_u64(t, module + (uint64_t)off[GO_MODULEDATA_ETEXT], &s->etext);
}

static struct hf_err *find_module(struct search *s)
{
	struct found found = {0};

	for (size_t i = 0; i < s->in->holders_n; i++)
		HF_TRY(scan_range(s, &s->in->holders[i], is_moduledata, &found));
	if (found.n != 1)
		return hf_err(HF_UNSUPPORTED,
			      "%s: the executable is stripped, and %s: use one with symbols or DWARF",
			      s->in->version,
			      found.n ? "several places look like runtime.firstmoduledata"
				      : "runtime.firstmoduledata cannot be found");
	s->l->var[GO_VAR_FIRSTMODULEDATA] = found.addr;
	return take_ranges(s, found.addr);
}

/* ---- spans ---------------------------------------------------------------------------------------------------- */

/* *ret_in_use: its bytes, where it holds objects. */
static bool is_span(struct search *s, uint64_t addr, uint64_t *ret_in_use)
{
	const int32_t *off = s->l->off;
	uint64_t start, npages, elemsize;
	uint8_t state;

	*ret_in_use = 0;
	if (addr < 4096 || addr % 8 || addr >> 47 ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_START_ADDR], &start) ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_NPAGES], &npages) ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_ELEMSIZE], &elemsize) ||
	    hf_err_ignore(hf_target_read_u8(s->in->t, addr + (uint64_t)off[GO_MSPAN_STATE], &state)))
		return false;
	if (!state && !start && !npages) /* given back: runtime/mheap.go, freeSpanLocked */
		return true;
	if (!start || start % PAGE || start >> 47 || !npages || npages >= 1ull << 34 || state > 2)
		return false;
	if (state != 1)
		return true;
	*ret_in_use = npages * PAGE;
	return elemsize && elemsize <= npages * PAGE;
}

/* mheap_.allspans: a list from the system's own memory. A few spans may be in the making while the target runs. */
static bool is_allspans(struct search *s, const struct word *w)
{
	uint64_t ptr, n, mheap = w->addr - (uint64_t)s->l->off[GO_MHEAP_ALLSPANS], count, good = 0,
			 in_use = 0;
	uint32_t sweepgen;

	if (!is_slice(w, &ptr, &n) || ptr % 4096 || at(w, 16) < ALLSPANS_CAP ||
	    !in_data(s, mheap, (uint64_t)s->l->off[GO_MHEAP_ARENAS]))
		return false;
	if (hf_err_ignore(hf_target_read_u32(s->in->t, mheap + (uint64_t)s->l->off[GO_MHEAP_SWEEPGEN],
					     &sweepgen)) ||
	    sweepgen % 2)
		return false;
	count = hf_min(n, (uint64_t)SAMPLES);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t span, bytes;

		if (read_u64(s, ptr + sample(n, i) * 8, &span) && is_span(s, span, &bytes)) {
			good++;
			in_use += bytes;
		}
	}
	return in_use && good >= count - count / 8;
}

/* The bytes of all spans in use: what the counters are held against. */
static void sum_spans(struct search *s)
{
	uint64_t list, n, bytes;
	uint64_t header = s->l->var[GO_VAR_MHEAP] + (uint64_t)s->l->off[GO_MHEAP_ALLSPANS];
	const void *p;

	s->in_use = 0;
	if (!read_u64(s, header, &list) || !read_u64(s, header + 8, &n) || n > 1u << 27 ||
	    hf_err_ignore(hf_target_get(s->in->t, list, n * 8, &s->list, &p)))
		return;
	for (uint64_t i = 0; i < n; i++)
		if (is_span(s, hf_load_u64((const uint8_t *)p + i * 8), &bytes))
			s->in_use += bytes;
}

static struct hf_err *find_mheap(struct search *s)
{
	struct found found;

	HF_TRY(scan_data(s, is_allspans, &found));
	if (found.n != 1)
		return hf_err(HF_UNSUPPORTED, "%s: the executable is stripped, and %s", s->in->version,
			      found.n ? "several lists look like that of the heap's spans"
				      : "the heap's list of spans cannot be found: is it still starting?");
	s->l->var[GO_VAR_MHEAP] = found.addr - (uint64_t)s->l->off[GO_MHEAP_ALLSPANS];
	sum_spans(s);
	return NULL;
}

/* ---- goroutines, Ms and Ps ---------------------------------------------------------------------------------------- */

/* gobuf {sp, pc, g, ctxt, ...}: a g's own says where it is. Source: Go 1.20-1.27 runtime/runtime2.go. */
static bool is_g(struct search *s, uint64_t addr)
{
	const int32_t *off = s->l->off;
	uint64_t self, lo, hi;
	uint32_t status;

	return addr >= 4096 && addr % 8 == 0 && addr >> 47 == 0 &&
	       read_u64(s, addr + (uint64_t)off[GO_G_SCHED_SP] + 16, &self) && self == addr &&
	       read_u64(s, addr + (uint64_t)off[GO_G_STACK_LO], &lo) &&
	       read_u64(s, addr + (uint64_t)off[GO_G_STACK_HI], &hi) && lo <= hi && hi >> 47 == 0 &&
	       !hf_err_ignore(
		       hf_target_read_u32(s->in->t, addr + (uint64_t)off[GO_G_ATOMICSTATUS], &status)) &&
	       (status & ~0x1000u) <= 11;
}

static bool is_same_slice(struct search *s, uint64_t a, uint64_t b)
{
	uint64_t x[2], y[2];

	return !hf_err_ignore(hf_target_read(s->in->t, a, x, sizeof(x))) &&
	       !hf_err_ignore(hf_target_read(s->in->t, b, y, sizeof(y))) && x[0] == y[0] && x[1] == y[1];
}

/* A g that has never run yet has no sched.g: one in eight may. The longest list is the one with all of them. */
static bool is_allgs(struct search *s, const struct word *w)
{
	uint64_t ptr, n, count, good = 0, g;

	if (!is_slice(w, &ptr, &n) || !read_u64(s, ptr, &g) || !is_g(s, g))
		return false;
	count = hf_min(n, (uint64_t)SAMPLES);
	for (uint64_t i = 0; i < count; i++)
		good += read_u64(s, ptr + sample(n, i) * 8, &g) && is_g(s, g);
	s->weight = 2 * n + (at(w, 16) > n);
	return good >= count - count / 8;
}

/* While it marks, the collector has a copy of the slice, without room behind it (work.stackRoots, runtime/mgcmark.go):
 * where the original has none either, they only differ once it is done. In a core they do not. */
static struct hf_err *find_allgs(struct search *s)
{
	static const struct timespec moment = {.tv_nsec = 10000000};
	struct found found;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		HF_TRY(scan_data(s, is_allgs, &found));
		if (found.n <= 1 || !s->in->t->ops->stop)
			break;
		nanosleep(&moment, NULL);
	}
	if (found.n == 2 && !s->in->t->ops->stop && is_same_slice(s, found.addr, found.before))
		found.n = 1;
	if (found.n != 1)
		return hf_err(HF_UNSUPPORTED, "%s: the executable is stripped, and %s", s->in->version,
			      found.n ? "several lists look like that of the goroutines"
				      : "the list of goroutines cannot be found: is it still starting?");
	s->l->var[GO_VAR_ALLGS] = found.addr;
	return NULL;
}

/* mcache.alloc: one span for each class, its own or the empty one. */
static bool is_mcache(struct search *s, uint64_t mcache)
{
	uint64_t spans[SPAN_CLASSES], empty = 0;

	if (hf_err_ignore(hf_target_read(s->in->t, mcache + (uint64_t)s->l->off[GO_MCACHE_ALLOC], spans,
					 sizeof(spans))))
		return false;
	for (size_t i = 0; i < HF_LEN(spans); i++) {
		uint8_t class;

		if (hf_err_ignore(hf_target_read_u8(
			    s->in->t, spans[i] + (uint64_t)s->l->off[GO_MSPAN_SPANCLASS], &class)))
			return false;
		if (class == i && spans[i] != empty)
			continue;
		if (class || (empty && spans[i] != empty))
			return false;
		empty = spans[i];
	}
	return true;
}

/* True where addr is in m0, the only m that is a variable: since 1.24 it may hold a copy of allp (m.allpSnapshot). */
static bool is_in_m0(struct search *s, uint64_t addr)
{
	const int32_t *off = s->l->off;

	for (uint64_t back = 0; back < (uint64_t)hf_max(off[GO_M_SIZE], 8); back += 8) {
		uint64_t m = addr - back, g0, owner;

		if (in_data(s, m, 8) && read_u64(s, m + (uint64_t)off[GO_M_G0], &g0) && in_data(s, g0, 8) &&
		    read_u64(s, g0 + (uint64_t)off[GO_G_M], &owner) && owner == m)
			return true;
	}
	return false;
}

/* p: id int32, status uint32, ... Source: Go 1.20-1.27 runtime/runtime2.go. */
static bool is_allp(struct search *s, const struct word *w)
{
	uint64_t ptr, n, p, head, mcache;
	bool cached = false;

	if (!is_slice(w, &ptr, &n) || n > 1u << 16 || s->l->off[GO_P_MCACHE] < 0 ||
	    s->l->off[GO_MCACHE_ALLOC] < 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!read_u64(s, ptr + i * 8, &p) || p < 4096 || p % 8 || p >> 47 || !read_u64(s, p, &head) ||
		    (uint32_t)head != i || head >> 32 > 4)
			return false;
		if (!read_u64(s, p + (uint64_t)s->l->off[GO_P_MCACHE], &mcache))
			return false;
		if (mcache && !is_mcache(s, mcache))
			return false;
		cached = cached || mcache;
	}
	s->weight = n;
	return cached && !is_in_m0(s, w->addr);
}

/* ---- counters ----------------------------------------------------------------------------------------------------- */

/* Close enough to the spans that were summed up while the target ran. */
static bool is_near(const struct search *s, uint64_t bytes)
{
	uint64_t larger = hf_max(bytes, s->in_use), smaller = hf_min(bytes, s->in_use);

	return s->in_use && larger - smaller <= larger / 4 + (1u << 20);
}

static uint64_t delta_sum(const struct word *w, int64_t size, int64_t off)
{
	uint64_t sum = 0;

	for (int64_t k = 0; k < (int64_t)DELTAS; k++)
		sum += at(w, k * size + off);
	return sum;
}

/* memstats begins with heapStats, three heapStatsDelta {committed, released, inHeap, inStacks, inWorkBufs, ...}: sums of
 * pages, and counts of allocations and frees. Source: Go 1.20-1.27 runtime/mstats.go. */
static bool is_memstats(struct search *s, const struct word *w)
{
	const int32_t *off = s->l->off;
	int64_t size = off[GO_HEAPSTATSDELTA_SIZE], allocs = off[GO_HEAPSTATSDELTA_SMALL_ALLOC_COUNT],
		frees = off[GO_HEAPSTATSDELTA_SMALL_FREE_COUNT], large = off[GO_HEAPSTATSDELTA_LARGE_FREE];
	uint64_t in_heap;

	if (size <= 0 || off[GO_MSTATS_HEAP_STATS] || (uint64_t)size * DELTAS > w->left || allocs < 0 ||
	    frees < 0 || large < allocs || off[GO_HEAPSTATSDELTA_IN_STACKS] != 24)
		return false;
	in_heap = delta_sum(w, size, 16);
	if (in_heap % PAGE || !is_near(s, in_heap) || delta_sum(w, size, 24) % PAGE ||
	    delta_sum(w, size, 32) % PAGE || delta_sum(w, size, 0) % 4096 || delta_sum(w, size, 8) % 4096)
		return false;
	if (delta_sum(w, size, 0) < in_heap + delta_sum(w, size, 24) || delta_sum(w, size, 0) >> 47)
		return false;
	for (int64_t i = 0; i < (large - allocs) / 8; i++)
		if ((delta_sum(w, size, allocs + i * 8) - delta_sum(w, size, frees + i * 8)) >> 47)
			return false;
	return true;
}

/* Source: Go 1.20-1.27 runtime/mgcpacer.go, gcControllerState. */
static bool is_controller(struct search *s, const struct word *w)
{
	const int32_t *off = s->l->off;
	uint64_t in_use = at(w, off[GO_GCCONTROLLERSTATE_HEAP_IN_USE]),
		 mapped = at(w, off[GO_GCCONTROLLERSTATE_MAPPED_READY]);
	int32_t percent = (int32_t)at(w, off[GO_GCCONTROLLERSTATE_GC_PERCENT]);
	int64_t limit = (int64_t)at(w, off[GO_GCCONTROLLERSTATE_MEMORY_LIMIT]);

	return in_use && in_use % PAGE == 0 && is_near(s, in_use) && percent >= -1 && percent <= 1000000 &&
	       limit > 0 && mapped >= in_use && mapped >> 47 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_HEAP_RELEASED]) % 4096 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_HEAP_FREE]) % 4096 == 0 &&
	       at(w, off[GO_GCCONTROLLERSTATE_TOTAL_ALLOC]) >= at(w, off[GO_GCCONTROLLERSTATE_TOTAL_FREE]) &&
	       at(w, off[GO_GCCONTROLLERSTATE_TOTAL_ALLOC]);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static bool is_type(const struct search *s, uint64_t addr)
{
	return addr % 8 == 0 && addr >= s->types && addr < s->etypes;
}

/* itabTableType {size, count, entries}; an itab is {inter, type, ...}. Source: Go 1.20-1.27 runtime/iface.go. */
static bool is_itab_table(struct search *s, const struct word *w)
{
	uint64_t table = at(w, 0), size, count, seen = 0;

	if (table < 4096 || table % 8 || table >> 47 || !read_u64(s, table, &size) || size < 512 ||
	    size > 1u << 24 || size & (size - 1) || !read_u64(s, table + 8, &count) || !count || count > size)
		return false;
	for (uint64_t i = 0; i < size && seen < hf_min(count, (uint64_t)SAMPLES); i++) {
		uint64_t itab, inter, type;

		if (!read_u64(s, table + 16 + i * 8, &itab))
			return false;
		if (!itab)
			continue;
		if (!read_u64(s, itab, &inter) || !read_u64(s, itab + 8, &type) || !is_type(s, inter))
			return false;
		seen += is_type(s, type);
	}
	return seen > 0;
}

static bool read_text(struct search *s, uint64_t header, char *buf, size_t max, uint64_t *ret_n)
{
	uint64_t ptr;

	return read_u64(s, header, &ptr) && read_u64(s, header + 8, ret_n) && *ret_n <= max &&
	       (!*ret_n || !hf_err_ignore(hf_target_read(s->in->t, ptr, buf, *ret_n)));
}

/* {"", "GC assist marking", ...}: the same first two in all versions. Source: Go 1.20-1.27 runtime/runtime2.go. */
static bool is_reasons(struct search *s, const struct word *w)
{
	static const char second[] = "GC assist marking";
	char text[sizeof(second)];
	uint64_t n;

	return w->left >= 32 && !at(w, 8) && at(w, 24) == sizeof(second) - 1 &&
	       read_text(s, w->addr + 16, text, sizeof(text), &n) &&
	       !memcmp(text, second, sizeof(second) - 1);
}

static uint64_t count_reasons(struct search *s, uint64_t addr)
{
	char text[REASONS_MAX];
	uint64_t n, count = 2;

	for (; count < REASONS_MAX && read_text(s, addr + count * 16, text, sizeof(text), &n) && n; count++)
		for (uint64_t i = 0; i < n; i++)
			if (text[i] < ' ' || text[i] > '~')
				return count;
	return count;
}

static struct hf_err *find_optional(struct search *s, enum go_variable variable, test_fn *test)
{
	struct found found;

	HF_TRY(scan_data(s, test, &found));
	s->l->var[variable] = found.n == 1 ? found.addr : 0;
	return NULL;
}

static struct hf_err *find_all(struct search *s)
{
	HF_TRY(find_module(s));
	HF_TRY(find_mheap(s));
	HF_TRY(find_allgs(s));
	HF_TRY(find_optional(s, GO_VAR_ALLP, is_allp));
	HF_TRY(find_optional(s, GO_VAR_MEMSTATS, is_memstats));
	HF_TRY(find_optional(s, GO_VAR_GCCONTROLLER, is_controller));
	HF_TRY(find_optional(s, GO_VAR_ITABTABLE, is_itab_table));
	HF_TRY(find_optional(s, GO_VAR_WAITREASONS, is_reasons));
	if (s->l->var[GO_VAR_WAITREASONS])
		s->l->wait_reasons_n = count_reasons(s, s->l->var[GO_VAR_WAITREASONS]);
	/* runtime/proc.go, procresize: allp has gomaxprocs of them. */
	if (s->l->var[GO_VAR_ALLP])
		s->l->var[GO_VAR_GOMAXPROCS] = s->l->var[GO_VAR_ALLP] + 8;
	return NULL;
}

struct hf_err *go_stripped_find(const struct go_stripped *in, struct go_layout *l)
{
	struct search s = {.in = in, .l = l};
	struct hf_err *err = find_all(&s);

	hf_vec_deinit(&s.scratch);
	hf_vec_deinit(&s.list);
	return err;
}

/* cmd/link: .gopclntab, and in position-independent executables, up to 1.25, one of .data.rel.ro; the moduledata is in
 * .go.module since 1.26. */
struct hf_err *go_stripped_find_main(struct hf_target *t, struct hf_syms *s, const char *version,
				     struct go_layout *l)
{
	static const char *const tables[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	static const char *const names[] = {".go.module", ".noptrdata", ".data", ".data.rel.ro"};
	const struct hf_module *m = hf_syms_main(s);
	struct hf_range holders[HF_LEN(names)];
	struct hf_section section;
	struct go_stripped in = {.t = t, .holders = holders, .version = version};

	if (!m)
		return hf_err(HF_UNSUPPORTED, "%s: the executable is not known", version);
	in.image = (struct hf_range){m->start, m->end};
	for (size_t i = 0; i < HF_LEN(tables) && !in.pclntab; i++)
		if (hf_module_section(m, tables[i], &section))
			in.pclntab = section.addr;
	for (size_t i = 0; i < HF_LEN(names); i++)
		if (hf_module_section(m, names[i], &section) && section.addr &&
		    section.size <= m->end - section.addr)
			holders[in.holders_n++] =
				(struct hf_range){section.addr, section.addr + section.size};
	return go_stripped_find(&in, l);
}
