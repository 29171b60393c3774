#include "shares_private.h"

#include <stdlib.h>

static const struct {
	const char *key, *label;
} names[SHARES_N] = {
#define HF_SHARE_ROW(id, key, label) [SHARE_##id] = {key, label},
	HF_SHARES(HF_SHARE_ROW)
#undef HF_SHARE_ROW
};

struct shown hf_shares_size(uint64_t bytes)
{
	struct shown shown;

	hf_format_size(bytes, shown.s, sizeof(shown.s));
	return shown;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return hf_add_overflows(a, b, &sum) ? HF_NOLIMIT - 1 : hf_min(sum, HF_NOLIMIT - 1);
}

static uint64_t subtract(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* ---- what the runtimes say ----------------------------------------------------------------------------- */

static void add_heap(struct shares *s, const struct hf_heap *heap)
{
	uint64_t live = known_or_0(heap->live_bytes), garbage = known_or_0(heap->garbage_bytes);
	uint64_t counted = is_known(heap->runtime_bytes) ? heap->runtime_bytes : known_or_0(heap->bytes);

	if (!is_known(heap->live_bytes))
		live = subtract(counted, garbage);
	s->live = add(s->live, live);
	s->garbage = add(s->garbage, garbage);
	s->slots = add(s->slots, subtract(known_or_0(heap->in_use), add(live, garbage)));
	s->idle = add(s->idle, subtract(known_or_0(heap->idle), known_or_0(heap->released)));
	s->stacks = add(s->stacks, known_or_0(heap->stacks));
	s->metadata = add(s->metadata, known_or_0(heap->metadata));
	s->goroutines = add(s->goroutines, known_or_0(heap->goroutines));
}

/* ---- of what ---------------------------------------------------------------------------------- */

/* Most of what a cgroup of several processes is charged is not this process's: the private memory of others, or page
 * cache that any of them may have read. Only cache that dwarfs the process is still taken for its story. */
static bool is_guest(const struct hf_facts *f)
{
	if (f->cgroup_procs == 1 || !is_known(f->rss))
		return false;
	if (is_known(f->rss_anon) && is_known(f->cgroup_anon) && f->rss_anon < f->cgroup_anon / 2)
		return true;
	return f->rss < f->cgroup_current / 2 && known_or_0(f->cgroup_file) / 8 < f->rss;
}

static void choose_frame(struct shares *s)
{
	const struct hf_facts *f = s->facts;
	bool limited = is_limit(f->cgroup_max) || is_limit(f->cgroup_high);

	if (known_or_0(f->cgroup_current) && (limited || !is_guest(f) || !known_or_0(f->rss))) {
		s->frame = FRAME_CGROUP;
		s->bytes[SHARE_SWAP] = is_known(f->cgroup_swap) ? f->cgroup_swap : known_or_0(f->swap);
		s->total = add(f->cgroup_current, s->bytes[SHARE_SWAP]);
	} else if (known_or_0(f->rss)) {
		s->frame = FRAME_RESIDENT;
		s->bytes[SHARE_SWAP] = known_or_0(f->swap);
		s->total = add(f->rss, s->bytes[SHARE_SWAP]);
	} else {
		s->total = add(add(add(s->live, s->garbage), add(s->slots, s->idle)),
			       add(s->stacks, s->metadata));
		s->frame = s->total ? FRAME_HEAP : FRAME_NONE;
	}
}

static const char *name_frame(const struct shares *s)
{
	bool swap = s->bytes[SHARE_SWAP];

	switch (s->frame) {
	case FRAME_CGROUP:
		return swap ? "the cgroup's charge and swap" : "the cgroup's charge";
	case FRAME_RESIDENT:
		return swap ? "the resident size and swap" : "the resident size";
	case FRAME_HEAP:
		return "the heap";
	default:
		return "nothing";
	}
}

/* ---- how much --------------------------------------------------------------------------------- */

/* The process's private memory that is resident. */
static uint64_t private_memory(const struct shares *s)
{
	const struct hf_facts *f = s->facts;

	if (s->frame == FRAME_HEAP)
		return s->total;
	if (is_known(f->rss_anon)) /* pages shared with a parent may be charged elsewhere */
		return s->frame == FRAME_CGROUP && is_known(f->cgroup_anon)
			       ? hf_min(f->rss_anon, f->cgroup_anon)
			       : f->rss_anon;
	if (is_known(f->rss))
		return subtract(f->rss, add(known_or_0(f->rss_file), known_or_0(f->rss_shmem)));
	return is_known(f->cgroup_anon) ? f->cgroup_anon : f->cgroup_current;
}

static void take(struct shares *s, enum share share, uint64_t want, uint64_t *left)
{
	s->bytes[share] = hf_min(want, *left);
	*left -= s->bytes[share];
}

/* Lazily freed pages are the system's own figure, and exact; the runtimes' follow, least doubtful first. */
static void split_private(struct shares *s)
{
	uint64_t left = private_memory(s);

	if (s->frame != FRAME_HEAP)
		take(s, SHARE_LAZY, known_or_0(s->facts->lazy_free), &left);
	take(s, SHARE_LIVE, s->live, &left);
	take(s, SHARE_GARBAGE, s->garbage, &left);
	take(s, SHARE_SLOTS, s->slots, &left);
	take(s, SHARE_STACKS, s->stacks, &left);
	take(s, SHARE_IDLE, s->idle, &left);
	take(s, SHARE_METADATA, s->metadata, &left);
	s->bytes[SHARE_THREADS] =
		s->frame == FRAME_HEAP ? 0 : hf_min(known_or_0(s->facts->thread_stacks), left);
	s->bytes[SHARE_OFFHEAP] = left - s->bytes[SHARE_THREADS];
}

/* cgroup_file counts shared memory and mapped files, too.
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst, memory.stat */
static void split_files(struct shares *s)
{
	const struct hf_facts *f = s->facts;
	uint64_t file = known_or_0(f->cgroup_file), cache;

	s->bytes[SHARE_SHMEM] = is_known(f->cgroup_shmem) ? f->cgroup_shmem : known_or_0(f->rss_shmem);
	cache = subtract(file, s->bytes[SHARE_SHMEM]);
	s->bytes[SHARE_FILES] =
		is_known(f->cgroup_file) ? hf_min(known_or_0(f->rss_file), cache) : known_or_0(f->rss_file);
	cache = subtract(cache, s->bytes[SHARE_FILES]);
	s->bytes[SHARE_CACHE] = cache;
	s->cache_dirty = hf_min(add(known_or_0(f->cgroup_dirty), known_or_0(f->cgroup_writeback)), cache);
	s->cache_inactive = hf_min(known_or_0(f->cgroup_inactive_file), cache - s->cache_dirty);
}

static void split_cgroup(struct shares *s)
{
	const struct hf_facts *f = s->facts;
	uint64_t others = is_known(f->rss_anon) ? subtract(known_or_0(f->cgroup_anon), f->rss_anon) : 0;
	bool known_others = is_known(f->cgroup_procs) && f->cgroup_procs > 1;

	/* Counters lag by some pages a processor: one process alone has no others, whatever they say. */
	if (known_others || (f->cgroup_procs != 1 && others > known_or_0(f->rss_anon) / 4))
		s->bytes[SHARE_OTHERS] = others;
	split_files(s);
	s->bytes[SHARE_KERNEL] = is_known(f->cgroup_kernel)
					 ? f->cgroup_kernel
					 : add(known_or_0(f->cgroup_slab), known_or_0(f->page_tables));
	s->bytes[SHARE_KERNEL] = add(s->bytes[SHARE_KERNEL], known_or_0(f->cgroup_sock));
}

static void split(struct shares *s)
{
	uint64_t sum = 0;

	if (s->frame == FRAME_NONE)
		return;
	split_private(s);
	if (s->frame == FRAME_CGROUP)
		split_cgroup(s);
	if (s->frame == FRAME_RESIDENT) {
		s->bytes[SHARE_FILES] = known_or_0(s->facts->rss_file);
		s->bytes[SHARE_SHMEM] = known_or_0(s->facts->rss_shmem);
	}
	for (int i = 0; i < SHARE_REST; i++)
		sum = add(sum, s->bytes[i]);
	s->bytes[SHARE_REST] = subtract(s->total, sum);
	s->excess = subtract(sum, s->total);
}

enum share hf_shares_largest(const struct shares *s)
{
	enum share largest = SHARE_REST;

	for (int i = SHARE_REST - 1; i >= 0; i--)
		if (s->bytes[i] && s->bytes[i] >= s->bytes[largest])
			largest = (enum share)i;
	return largest;
}

/* ---- notes ------------------------------------------------------------------------------------ */

static void add_part(struct hf_str *str, uint64_t bytes, const char *what)
{
	if (bytes)
		hf_str_addf(str, "%s%s %s", str->n ? ", " : "", hf_shares_size(bytes).s, what);
}

/* What a runtime counts and is not in memory. */
static void note_cut(uint64_t counted, uint64_t bytes, struct hf_str *str)
{
	add_part(str, subtract(counted, bytes), "more is not in memory");
}

static void add_note(const struct shares *s, enum share share, struct hf_str *str)
{
	const struct hf_facts *f = s->facts;
	uint64_t bytes = s->bytes[share];

	switch (share) {
	case SHARE_LIVE:
		note_cut(s->live, bytes, str);
		break;
	case SHARE_GARBAGE:
		hf_str_add(str, "not yet collected");
		note_cut(s->garbage, bytes, str);
		break;
	case SHARE_SLOTS:
		hf_str_add(str, "between objects");
		break;
	case SHARE_IDLE:
		hf_str_add(str, "free, not yet given back to the system");
		break;
	case SHARE_STACKS:
		note_cut(s->stacks, bytes, str);
		break;
	case SHARE_LAZY:
		hf_str_add(str, "given back when the system wants it");
		break;
	case SHARE_OFFHEAP:
		hf_str_add(str, "C allocations, mmap, variables");
		break;
	case SHARE_SHMEM:
		hf_str_add(str, s->frame == FRAME_CGROUP ? "until the files are deleted" : "");
		break;
	case SHARE_CACHE:
		add_part(str, s->cache_inactive, "inactive: reclaimable");
		add_part(str, s->cache_dirty, "not yet written: not reclaimable until then");
		add_part(str, bytes - s->cache_inactive - s->cache_dirty, "active");
		break;
	case SHARE_KERNEL:
		add_part(str, known_or_0(f->cgroup_slab), "slab");
		add_part(str, known_or_0(f->cgroup_sock), "socket buffers");
		add_part(str, known_or_0(f->page_tables), "page tables of this process");
		break;
	case SHARE_REST:
		add_part(str, s->excess,
			 "more in the parts than in the total: they were read one after another");
		break;
	default:
		break;
	}
}

/* ---- the answer ------------------------------------------------------------------------------- */

static char *keep(struct hf_arena *a, struct hf_str *str)
{
	char *copy = str->failed ? NULL : hf_arena_strndup(a, hf_str_get(str), str->n);

	hf_str_truncate(str, 0);
	return copy;
}

static int by_size(const void *a, const void *b)
{
	const struct hf_share *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* False where memory is out. */
static bool fill(const struct shares *s, struct hf_arena *a, struct hf_overview *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	struct hf_share *shares = hf_arena_alloc(a, SHARES_N * sizeof(*shares));
	const char *text;
	size_t n = 0;

	if (!shares)
		return false;
	for (int i = 0; s->frame != FRAME_NONE && i < SHARES_N; i++) {
		if (!s->bytes[i] && i != SHARE_REST)
			continue;
		add_note(s, (enum share)i, &str);
		shares[n] = (struct hf_share){names[i].key, names[i].label, s->bytes[i], keep(a, &str)};
		if (!shares[n++].note)
			return false;
	}
	if (n)
		qsort(shares, n - 1, sizeof(*shares), by_size);
	hf_shares_say(s, &str);
	text = keep(a, &str);
	if (!text)
		return false;
	ret->shares = shares;
	ret->shares_n = n;
	ret->verdict_text = text;
	return true;
}

void hf_shares_compute(const struct hf_facts *facts, const struct hf_heap *heaps, size_t n,
		       struct hf_arena *a, struct hf_overview *ret)
{
	static const struct hf_facts nothing = {
#define HF_FACT_UNKNOWN(name, text) .name = HF_UNKNOWN,
		HF_FACTS(HF_FACT_UNKNOWN)
#undef HF_FACT_UNKNOWN
	};
	struct shares s = {.facts = facts ? facts : &nothing, .heap = n ? heaps : NULL};
	enum share largest;

	for (size_t i = 0; i < n; i++)
		add_heap(&s, &heaps[i]);
	choose_frame(&s);
	split(&s);
	largest = hf_shares_largest(&s);
	ret->shares_total = s.total;
	ret->shares_of = name_frame(&s);
	ret->verdict = s.frame == FRAME_NONE ? "unknown" : names[largest].key;
	ret->verdict_heap = s.frame != FRAME_NONE && largest <= SHARE_IDLE;
	if (fill(&s, a, ret))
		return;
	ret->shares = NULL;
	ret->shares_n = 0;
	ret->verdict = "unknown";
	ret->verdict_heap = false;
	ret->verdict_text = "Out of memory: no verdict.";
}
