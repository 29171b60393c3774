/* The runtime's own counters, as runtime.ReadMemStats would sum them up.
 *
 * Source: Go 1.20-1.27 runtime/mstats.go, readmemstats_m; mgcpacer.go, heapGoalInternal; mcache.go, refill.
 */
#include "go.h"

#define CLASSES_MAX GO_CLASSES_MAX
#define DELTA_MAX   65536 /* bytes of a heapStatsDelta that we believe */
#define DELTAS      3     /* consistentHeapStats.stats: generations, any of which may be negative alone */
#define PROCS_MAX   100000
#define SPAN_MAX    4096 /* bytes of an mspan that we believe */

/* Go 1.24 runtime/sizeclasses.go, class_to_size; 1.26 and 1.27 internal/runtime/gc/sizeclasses.go. */
static const uint16_t usual_sizes[] = {
	0,     8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,   160,   176,
	192,   208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,   512,   576,
	640,   704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304,  2688,  3072,
	3200,  3456,  4096,  4864,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728,  10240, 10880,
	12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
};

struct sizes {
	uint16_t of[CLASSES_MAX];
	size_t n;
};

/* ---- reading: what cannot be had is unknown --------------------------------------------------- */

static uint64_t read_member(struct go *go, enum go_variable variable, enum go_field field)
{
	uint64_t base = go->layout.var[variable], value;

	if (!base || go->layout.off[field] < 0)
		return HF_UNKNOWN;
	if (hf_err_ignore(hf_target_read_u64(go->t, base + (uint64_t)go->layout.off[field], &value)))
		return HF_UNKNOWN;
	return value;
}

static bool read_member_u32(struct go *go, enum go_variable variable, enum go_field field, uint32_t *ret)
{
	uint64_t base = go->layout.var[variable];

	if (!base || go->layout.off[field] < 0)
		return false;
	return !hf_err_ignore(hf_target_read_u32(go->t, base + (uint64_t)go->layout.off[field], ret));
}

#define MEMSTATS(go, field)   read_member((go), GO_VAR_MEMSTATS, GO_MSTATS_##field)
#define CONTROLLER(go, field) read_member((go), GO_VAR_GCCONTROLLER, GO_GCCONTROLLERSTATE_##field)

/* ---- sizes of the classes --------------------------------------------------------------------- */

/* Ascending multiples of 8, the first of them 0: class 0 is that of large objects. */
static bool are_sizes(const struct sizes *sizes)
{
	if (sizes->n < 2 || sizes->of[0])
		return false;
	for (size_t i = 1; i < sizes->n; i++)
		if (sizes->of[i] <= sizes->of[i - 1] || sizes->of[i] % 8)
			return false;
	return true;
}

static bool find_table(struct hf_syms *s, uint64_t *ret)
{
	static const char *const names[] = {"internal/runtime/gc.SizeClassToSize", "runtime.class_to_size"};
	struct hf_variable variable;
	struct hf_symbol symbol;

	for (size_t i = 0; i < HF_LEN(names); i++) {
		if (hf_syms_find_symbol(s, names[i], &symbol)) {
			*ret = symbol.addr;
			return true;
		}
		if (hf_syms_find_variable(s, names[i], &variable)) {
			*ret = variable.addr;
			return true;
		}
	}
	return false;
}

/* n: how many classes the counters have. False: we do not know their sizes. */
static bool read_sizes(struct go *go, size_t n, struct sizes *ret)
{
	uint64_t addr;

	*ret = (struct sizes){.n = n};
	if (find_table(go->syms, &addr) &&
	    !hf_err_ignore(hf_target_read(go->t, addr, ret->of, n * sizeof(ret->of[0]))) && are_sizes(ret))
		return true;
	if (n != HF_LEN(usual_sizes))
		return false;
	memcpy(ret->of, usual_sizes, sizeof(usual_sizes));
	return true;
}

/* ---- heapStats: three deltas ------------------------------------------------------------------ */

struct deltas {
	uint8_t *bytes; /* DELTAS of size */
	size_t size, classes;
};

static bool has_word(const struct deltas *d, int32_t off, size_t words)
{
	return off >= 0 && (size_t)off <= d->size && words <= (d->size - (size_t)off) / 8;
}

/* The arrays of counts lie between their neighbours: their length follows from the layout. */
static bool check_deltas(struct go *go, struct deltas *d)
{
	int32_t size = go_off(go, HEAPSTATSDELTA_SIZE), from = go_off(go, HEAPSTATSDELTA_SMALL_ALLOC_COUNT);
	int32_t to = go_off(go, HEAPSTATSDELTA_LARGE_FREE);

	if (size <= 0 || size > DELTA_MAX || from < 0 || to <= from)
		return false;
	d->size = (size_t)size;
	d->classes = (size_t)(to - from) / 8;
	return d->classes <= CLASSES_MAX && has_word(d, from, d->classes) &&
	       has_word(d, go_off(go, HEAPSTATSDELTA_SMALL_FREE_COUNT), d->classes) && has_word(d, to, 1) &&
	       has_word(d, go_off(go, HEAPSTATSDELTA_LARGE_ALLOC), 1) &&
	       has_word(d, go_off(go, HEAPSTATSDELTA_LARGE_ALLOC_COUNT), 1) &&
	       has_word(d, go_off(go, HEAPSTATSDELTA_LARGE_FREE_COUNT), 1);
}

/* Word `i` after a member, summed over the deltas: it may wrap around within, not in the end. */
static uint64_t sum_word(const struct deltas *d, int32_t off, size_t i)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < DELTAS; k++)
		sum += hf_load_u64(d->bytes + k * d->size + (size_t)off + i * 8);
	return sum;
}

#define SUM(go, d, field) sum_word((d), go_off((go), HEAPSTATSDELTA_##field), 0)

static void sum_class(struct go *go, const struct deltas *d, size_t class, struct go_tally *tally)
{
	uint64_t mallocs = sum_word(d, go_off(go, HEAPSTATSDELTA_SMALL_ALLOC_COUNT), class);
	uint64_t frees = sum_word(d, go_off(go, HEAPSTATSDELTA_SMALL_FREE_COUNT), class);

	tally->class_mallocs[class] += mallocs;
	tally->class_frees[class] += frees;
	tally->mallocs += mallocs;
	tally->frees += frees;
	tally->total_alloc += mallocs * tally->sizes[class];
	tally->total_free += frees * tally->sizes[class];
}

static void sum_deltas(struct go *go, const struct deltas *d, struct go_tally *tally)
{
	tally->mallocs += SUM(go, d, LARGE_ALLOC_COUNT);
	tally->frees += SUM(go, d, LARGE_FREE_COUNT);
	tally->total_alloc += SUM(go, d, LARGE_ALLOC);
	tally->total_free += SUM(go, d, LARGE_FREE);
	for (size_t i = 0; i < d->classes; i++)
		sum_class(go, d, i, tally);
	if (has_word(d, go_off(go, HEAPSTATSDELTA_TINY_ALLOC_COUNT), 1)) {
		tally->mallocs += SUM(go, d, TINY_ALLOC_COUNT);
		tally->frees += SUM(go, d, TINY_ALLOC_COUNT);
	}
}

/* ---- what the caches of the Ps have not yet told the counters --------------------------------- */

/* emptymspan stands for "none" and counts nothing. */
static bool add_cached_span(struct go *go, uint64_t span_addr, size_t class, struct go_tally *tally)
{
	uint8_t span[SPAN_MAX];
	int32_t size = go_off(go, MSPAN_SIZE);
	uint64_t elemsize, used;
	uint32_t state;

	if (!span_addr)
		return true;
	if (hf_err_ignore(hf_target_read(go->t, span_addr, span, (size_t)size)))
		return false;
	/* A span that refill has given back, and not yet replaced, is in the statistics already. sweepgen + 3: cached and
	 * swept; + 1: cached before the sweep began. Source: Go 1.20-1.27 runtime/mheap.go, mspan.sweepgen. */
	state = hf_load_u32(span + go_off(go, MSPAN_SWEEPGEN)) - go->sweepgen;
	if (state != 3 && state != 1)
		return true;
	elemsize = hf_load_u64(span + go_off(go, MSPAN_ELEMSIZE));
	used = (uint64_t)hf_load_u16(span + go_off(go, MSPAN_ALLOC_COUNT)) -
	       hf_load_u16(span + go_off(go, MSPAN_ALLOC_COUNT_BEFORE_CACHE));
	tally->mallocs += used;
	tally->total_alloc += used * elemsize;
	tally->class_mallocs[class] += used;
	return true;
}

/* The mspan members that add_cached_span reads are within it. */
static bool check_span(struct go *go)
{
	int32_t size = go_off(go, MSPAN_SIZE);

	return size >= 8 && size <= SPAN_MAX && go_off(go, MSPAN_ELEMSIZE) >= 0 &&
	       go_off(go, MSPAN_ELEMSIZE) <= size - 8 && go_off(go, MSPAN_ALLOC_COUNT) >= 0 &&
	       go_off(go, MSPAN_ALLOC_COUNT) <= size - 2 && go_off(go, MSPAN_ALLOC_COUNT_BEFORE_CACHE) >= 0 &&
	       go_off(go, MSPAN_ALLOC_COUNT_BEFORE_CACHE) <= size - 2 && go_off(go, MSPAN_SWEEPGEN) >= 0 &&
	       go_off(go, MSPAN_SWEEPGEN) <= size - 4 && go_has(go, P_MCACHE) && go_has(go, MCACHE_ALLOC);
}

static bool add_cache(struct go *go, uint64_t p_addr, size_t span_classes, struct go_tally *tally)
{
	uint64_t mcache, spans[2 * CLASSES_MAX], tiny;

	if (hf_err_ignore(hf_target_read_u64(go->t, p_addr + (uint64_t)go_off(go, P_MCACHE), &mcache)))
		return false;
	if (!mcache)
		return true;
	if (hf_err_ignore(hf_target_read(go->t, mcache + (uint64_t)go_off(go, MCACHE_ALLOC), spans,
					 span_classes * sizeof(spans[0]))))
		return false;
	if (go_has(go, MCACHE_TINY_ALLOCS) &&
	    !hf_err_ignore(
		    hf_target_read_u64(go->t, mcache + (uint64_t)go_off(go, MCACHE_TINY_ALLOCS), &tiny))) {
		tally->mallocs += tiny;
		tally->frees += tiny;
	}
	for (size_t i = 0; i < span_classes; i++)
		if (!add_cached_span(go, spans[i], i / 2, tally))
			return false;
	return true;
}

/* *ret_known: false where a cache could not be read. */
static struct hf_err *add_caches(struct go *go, size_t span_classes, struct go_tally *tally, bool *ret_known)
{
	uint64_t allp = go->layout.var[GO_VAR_ALLP], header[2], p_addr;
	bool known =
		allp && check_span(go) && !hf_err_ignore(hf_target_read(go->t, allp, header, sizeof(header)));

	for (uint64_t i = 0; known && i < header[1]; i++) {
		HF_TRY(hf_interrupt_check());
		known = i < PROCS_MAX &&
			!hf_err_ignore(hf_target_read_u64(go->t, header[0] + i * 8, &p_addr));
		if (known && p_addr)
			known = add_cache(go, p_addr, span_classes, tally);
	}
	*ret_known = known;
	return NULL;
}

/* ---- the parts of the answer ------------------------------------------------------------------ */

static uint64_t sum_metadata(struct go *go, const struct go_tally *tally)
{
	const uint64_t parts[] = {
		MEMSTATS(go, MSPAN_SYS),   MEMSTATS(go, MCACHE_SYS), MEMSTATS(go, BUCKHASH_SYS),
		MEMSTATS(go, GC_MISC_SYS), MEMSTATS(go, OTHER_SYS),
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < HF_LEN(parts); i++)
		if (parts[i] == HF_UNKNOWN || hf_add_overflows(sum, parts[i], &sum))
			return HF_UNKNOWN;
	return sum + tally->work_bufs + tally->scalar_bits;
}

static struct hf_err *read_heap_stats(struct go *go, struct go_counters *c)
{
	_free_ uint8_t *bytes = NULL;
	struct deltas d = {0};
	struct sizes sizes;
	uint64_t base = go->layout.var[GO_VAR_MEMSTATS];
	bool known;

	if (!base || !go_has(go, MSTATS_HEAP_STATS) || !check_deltas(go, &d))
		return NULL;
	d.bytes = bytes = hf_malloc(DELTAS * d.size);
	if (!bytes)
		return hf_err_nomem();
	if (hf_err_ignore(hf_target_read(go->t, base + (uint64_t)go_off(go, MSTATS_HEAP_STATS), bytes,
					 DELTAS * d.size)))
		return NULL;
	if (has_word(&d, go_off(go, HEAPSTATSDELTA_IN_STACKS), 1))
		c->stacks = SUM(go, &d, IN_STACKS);
	if (has_word(&d, go_off(go, HEAPSTATSDELTA_IN_WORK_BUFS), 1))
		c->tally.work_bufs = SUM(go, &d, IN_WORK_BUFS);
	if (has_word(&d, go_off(go, HEAPSTATSDELTA_IN_PTR_SCALAR_BITS), 1))
		c->tally.scalar_bits = SUM(go, &d, IN_PTR_SCALAR_BITS);
	c->metadata = sum_metadata(go, &c->tally);
	HF_TRY(add_caches(go, 2 * d.classes, &c->tally, &known));
	if (!known || !read_sizes(go, d.classes, &sizes))
		return NULL;
	c->tally.classes = sizes.n;
	memcpy(c->tally.sizes, sizes.of, sizes.n * sizeof(sizes.of[0]));
	sum_deltas(go, &d, &c->tally);
	c->objects = c->tally.mallocs - c->tally.frees;
	c->bytes = c->tally.total_alloc - c->tally.total_free;
	c->valid = true;
	return NULL;
}

/* The goal that follows from the memory limit. Source: runtime/mgcpacer.go, memoryLimitHeapGoal. */
static uint64_t limit_goal(struct go *go, uint64_t limit, uint64_t marked)
{
	const uint64_t headroom_min = 1 << 20;
	uint64_t mapped = CONTROLLER(go, MAPPED_READY),
		 alloc = CONTROLLER(go, TOTAL_ALLOC) - CONTROLLER(go, TOTAL_FREE);
	uint64_t other = mapped - CONTROLLER(go, HEAP_FREE) - alloc;
	uint64_t over = mapped > limit ? mapped - limit : 0, sum, goal, headroom;

	if (hf_add_overflows(other, over, &sum) || sum >= limit)
		return marked;
	goal = limit - sum;
	headroom = hf_max(goal / 100 * 3, headroom_min);
	goal = goal < headroom || goal - headroom < headroom ? headroom : goal - headroom;
	return hf_max(goal, marked);
}

/* The size of the heap at which the next collection ends. Source: runtime/mgcpacer.go, heapGoalInternal. */
static uint64_t next_goal(struct go *go, const struct go_counters *c)
{
	const uint64_t runway = 64 << 10;
	const enum go_field needed[] = {
		GO_GCCONTROLLERSTATE_GC_PERCENT_HEAP_GOAL,
		GO_GCCONTROLLERSTATE_SWEEP_DIST_MIN_TRIGGER,
		GO_GCCONTROLLERSTATE_TRIGGERED,
		GO_GCCONTROLLERSTATE_HEAP_MARKED,
		GO_GCCONTROLLERSTATE_MAPPED_READY,
		GO_GCCONTROLLERSTATE_TOTAL_ALLOC,
		GO_GCCONTROLLERSTATE_TOTAL_FREE,
		GO_GCCONTROLLERSTATE_HEAP_FREE,
	};
	uint64_t goal, by_limit, triggered;

	if (c->gc_percent == HF_NOLIMIT && c->memory_limit == HF_NOLIMIT)
		return HF_NOLIMIT;
	for (size_t i = 0; i < HF_LEN(needed); i++)
		if (go->layout.off[needed[i]] < 0)
			return HF_UNKNOWN;
	if (!go->layout.var[GO_VAR_GCCONTROLLER] || c->memory_limit == HF_UNKNOWN)
		return HF_UNKNOWN;
	goal = CONTROLLER(go, GC_PERCENT_HEAP_GOAL);
	by_limit = c->memory_limit == HF_NOLIMIT
			   ? UINT64_MAX
			   : limit_goal(go, c->memory_limit, CONTROLLER(go, HEAP_MARKED));
	if (by_limit < goal)
		return by_limit;
	goal = hf_max(goal, CONTROLLER(go, SWEEP_DIST_MIN_TRIGGER));
	triggered = CONTROLLER(go, TRIGGERED);
	if (triggered < UINT64_MAX - runway)
		goal = hf_max(goal, triggered + runway);
	return goal;
}

static void read_collector(struct go *go, struct go_counters *c)
{
	uint32_t number;
	uint64_t limit = CONTROLLER(go, MEMORY_LIMIT);

	c->in_use = CONTROLLER(go, HEAP_IN_USE);
	c->free = CONTROLLER(go, HEAP_FREE);
	c->released = CONTROLLER(go, HEAP_RELEASED);
	c->last_gc_unix_ns = MEMSTATS(go, LAST_GC_UNIX);
	if (c->last_gc_unix_ns == HF_UNKNOWN)
		c->last_gc_unix_ns = 0;
	if (read_member_u32(go, GO_VAR_MEMSTATS, GO_MSTATS_NUMGC, &number))
		c->num_gc = number;
	/* An int32; negative: GOGC=off. */
	if (read_member_u32(go, GO_VAR_GCCONTROLLER, GO_GCCONTROLLERSTATE_GC_PERCENT, &number))
		c->gc_percent = number > INT32_MAX ? HF_NOLIMIT : number;
	if (limit != HF_UNKNOWN)
		c->memory_limit = limit >= INT64_MAX ? HF_NOLIMIT : limit;
	if (go->layout.var[GO_VAR_GOMAXPROCS] &&
	    !hf_err_ignore(hf_target_read_u32(go->t, go->layout.var[GO_VAR_GOMAXPROCS], &number)))
		c->gomaxprocs = number;
	if (go->layout.var[GO_VAR_GCPHASE] &&
	    !hf_err_ignore(hf_target_read_u32(go->t, go->layout.var[GO_VAR_GCPHASE], &number)))
		c->gc_phase = number;
	c->next_gc = next_goal(go, c);
}

struct hf_err *go_counters_read(struct go *go)
{
	struct go_counters c = {
		.objects = HF_UNKNOWN,
		.bytes = HF_UNKNOWN,
		.stacks = HF_UNKNOWN,
		.metadata = HF_UNKNOWN,
		.num_gc = HF_UNKNOWN,
		.gc_percent = HF_UNKNOWN,
		.memory_limit = HF_UNKNOWN,
		.gomaxprocs = HF_UNKNOWN,
		.gc_phase = UINT32_MAX,
	};

	HF_TRY(read_heap_stats(go, &c));
	read_collector(go, &c);
	go->counters = c;
	return NULL;
}
