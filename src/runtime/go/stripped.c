#include "stripped_private.h"

#include "../../base/workers.h"

#include <time.h>

#define PCLN_MAGIC   0xfffffff1u /* Go 1.20 to 1.27 internal/abi/symtab.go, CurrentPCLnTabMagic */
#define CHUNK        (1u << 20)
#define PIECE        4096u
#define OVERLAP      8192u /* what a test may look at from a word on */
#define DATA_MAX     (4ull << 30)
#define SPAN_SAMPLES 1024u
#define ATTEMPTS     20u
#define ALLSPANS_CAP 8192u /* runtime/mheap.go, recordspan: 64 KiB at first */

/* How many passed the test, and which was the best. */
struct found {
	uint64_t addr, weight, before; /* before: the last but one */
	unsigned n;                    /* with that weight */
};

static void scan_words(struct search *s, const struct word *first, uint64_t n, test_fn *test,
		       struct found *ret)
{
	for (uint64_t i = 0; i + 8 <= n; i += 8) {
		struct word w = {first->addr + i, first->p + i, first->left - i};

		s->weight = 1;
		if (!test(s, &w) || (ret->n && s->weight < ret->weight))
			continue;
		ret->n = ret->n && s->weight == ret->weight ? ret->n + 1 : 1;
		ret->before = ret->addr;
		ret->addr = w.addr;
		ret->weight = s->weight;
	}
}

/* Calls the test for each word of a range that can be read, and keeps the one with the greatest weight. Where a piece
 * cannot be read, its pages are tried one by one. */
static struct hf_err *scan_range(struct search *s, const struct hf_range *r, test_fn *test, struct found *ret)
{
	uint64_t end = hf_min(r->end, r->start + DATA_MAX), size = CHUNK, n;

	for (uint64_t start = r->start; start < end; start += n) {
		struct word first = {.addr = start};
		const void *p;

		HF_TRY(hf_interrupt_check());
		n = hf_min(end - start, size);
		first.left = hf_min(end - start, n + OVERLAP);
		if (hf_err_ignore(hf_target_get(s->in->t, start, first.left, &s->scratch, &p))) {
			first.left = n;
			if (hf_err_ignore(hf_target_get(s->in->t, start, n, &s->scratch, &p))) {
				n = size > PIECE ? 0 : n;
				size = PIECE;
				continue;
			}
		}
		first.p = p;
		scan_words(s, &first, n, test, ret);
		size = CHUNK;
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
	return hf_target_read_u64(t, module + (uint64_t)off[GO_MODULEDATA_ETYPES], &s->etypes);
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

/* Adds what it holds to the sums. */
static bool is_span(struct search *s, uint64_t addr, struct span_sums *sums)
{
	const int32_t *off = s->l->off;
	uint64_t start, npages, elemsize;
	uint8_t state;

	if (addr < 4096 || addr % 8 || addr >> 47 ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_START_ADDR], &start) ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_NPAGES], &npages) ||
	    !read_u64(s, addr + (uint64_t)off[GO_MSPAN_ELEMSIZE], &elemsize) ||
	    hf_err_ignore(hf_target_read_u8(s->in->t, addr + (uint64_t)off[GO_MSPAN_STATE], &state)))
		return false;
	if (!state && !start && !npages) /* given back: runtime/mheap.go, freeSpanLocked */
		return true;
	if (!start || start % GO_STRIPPED_PAGE || start >> 47 || !npages || npages >= 1ull << 34 || state > 2)
		return false;
	if (state == 2)
		sums->manual += npages * GO_STRIPPED_PAGE;
	if (state != 1)
		return true;
	sums->in_use += npages * GO_STRIPPED_PAGE;
	return elemsize && elemsize <= npages * GO_STRIPPED_PAGE;
}

/* mheap_.allspans: a list from the system's own memory. A few spans may be in the making while the target runs. */
static bool is_allspans(struct search *s, const struct word *w)
{
	uint64_t ptr, n, mheap = w->addr - (uint64_t)s->l->off[GO_MHEAP_ALLSPANS], count, good = 0;
	struct span_sums sums = {0};
	uint32_t sweepgen;

	if (!is_slice(w, &ptr, &n) || ptr % 4096 || at(w, 16) < ALLSPANS_CAP ||
	    !in_data(s, mheap, (uint64_t)s->l->off[GO_MHEAP_ARENAS]))
		return false;
	if (hf_err_ignore(hf_target_read_u32(s->in->t, mheap + (uint64_t)s->l->off[GO_MHEAP_SWEEPGEN],
					     &sweepgen)) ||
	    sweepgen % 2)
		return false;
	count = hf_min(n, (uint64_t)SPAN_SAMPLES);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t span;

		good += read_u64(s, ptr + sample(n, i, SPAN_SAMPLES) * 8, &span) && is_span(s, span, &sums);
		if (i + 1 - good > count / 8)
			return false;
	}
	return sums.in_use;
}

/* The bytes of all spans in use: what the counters are held against. */
static void sum_spans(struct search *s)
{
	struct span_sums sums = {0};
	uint64_t list, n;
	uint64_t header = s->l->var[GO_VAR_MHEAP] + (uint64_t)s->l->off[GO_MHEAP_ALLSPANS];
	const void *p;

	if (!read_u64(s, header, &list) || !read_u64(s, header + 8, &n) || n > 1u << 27 ||
	    hf_err_ignore(hf_target_get(s->in->t, list, n * 8, &s->list, &p)))
		return;
	for (uint64_t i = 0; i < n; i++)
		(void)is_span(s, hf_load_u64((const uint8_t *)p + i * 8), &sums);
	s->sums = sums;
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
	count = hf_min(n, (uint64_t)GO_STRIPPED_SAMPLES);
	for (uint64_t i = 0; i < count; i++)
		good += read_u64(s, ptr + sample(n, i, GO_STRIPPED_SAMPLES) * 8, &g) && is_g(s, g);
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
	HF_TRY(find_optional(s, GO_VAR_ALLP, go_is_allp));
	HF_TRY(find_optional(s, GO_VAR_MEMSTATS, go_is_memstats));
	HF_TRY(find_optional(s, GO_VAR_GCCONTROLLER, go_is_controller));
	HF_TRY(find_optional(s, GO_VAR_ITABTABLE, go_is_itab_table));
	HF_TRY(find_optional(s, GO_VAR_MBUCKETS, go_is_mbuckets));
	HF_TRY(find_optional(s, GO_VAR_WAITREASONS, go_is_reasons));
	if (s->l->var[GO_VAR_WAITREASONS])
		s->l->wait_reasons_n = go_count_reasons(s, s->l->var[GO_VAR_WAITREASONS]);
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
