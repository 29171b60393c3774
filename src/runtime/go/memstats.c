/* runtime.MemStats, field by field, without the program's help.
 *
 * Source: Go 1.20-1.27 runtime/mstats.go, MemStats and readmemstats_m.
 */
#include "go.h"

#define PAUSES 256u /* mstats.pause_ns, a ring */

/* id, unit, what it means */
#define FIGURES(X)                                                                                           \
	X(Alloc, BYTES, "the same as HeapAlloc")                                                             \
	X(TotalAlloc, BYTES, "all that was ever allocated, freed or not")                                    \
	X(Sys, BYTES, "got from the system, resident or not: all ...Sys together")                           \
	X(Lookups, COUNT, "pointer lookups: always 0")                                                       \
	X(Mallocs, COUNT, "objects ever allocated, tiny ones counted each")                                  \
	X(Frees, COUNT, "objects ever freed")                                                                \
	X(HeapAlloc, BYTES, "allocated objects, with dead ones not yet swept")                               \
	X(HeapSys, BYTES, "HeapInuse and HeapIdle together")                                                 \
	X(HeapIdle, BYTES, "pages in no span, given back to the system or not")                              \
	X(HeapInuse, BYTES, "spans that hold objects; `spans` says how full")                                \
	X(HeapReleased, BYTES, "of HeapIdle, what the system has back")                                      \
	X(HeapObjects, COUNT, "allocated objects: Mallocs less Frees")                                       \
	X(StackInuse, BYTES, "goroutine stacks, with those kept for new ones")                               \
	X(StackSys, BYTES, "StackInuse, and threads' own stacks")                                            \
	X(MSpanInuse, BYTES, "descriptors of spans in use")                                                  \
	X(MSpanSys, BYTES, "memory for descriptors of spans")                                                \
	X(MCacheInuse, BYTES, "caches of the Ps in use")                                                     \
	X(MCacheSys, BYTES, "memory for caches of the Ps")                                                   \
	X(BuckHashSys, BYTES, "records of profiles: allocations, blocking, mutexes")                         \
	X(GCSys, BYTES, "the collector's own: bitmaps, work buffers")                                        \
	X(OtherSys, BYTES, "the rest of the runtime's own")                                                  \
	X(NextGC, BYTES, "the heap's size when the next collection is to end")                               \
	X(LastGC, TIME_NS, "when the last collection ended")                                                 \
	X(PauseTotalNs, NS, "how long the world stood still for collections")                                \
	X(NumGC, COUNT, "collections completed")                                                             \
	X(NumForcedGC, COUNT, "of these, asked for by the program (runtime.GC)")                             \
	X(GCCPUFraction, FRACTION, "the collector's part of the CPU time since the start")                   \
	X(EnableGC, BOOL, "always true: GOGC=off does not change it")

enum {
#define FIGURE_ENUM(id, unit, meaning) F_##id,
	FIGURES(FIGURE_ENUM)
#undef FIGURE_ENUM
		FIGURES_N
};

static const struct {
	const char *name, *meaning;
	enum hf_unit unit;
} rows[] = {
#define FIGURE_ROW(id, unit, meaning) {#id, meaning, HF_UNIT_##unit},
	FIGURES(FIGURE_ROW)
#undef FIGURE_ROW
};

/* Globals are captured: they can be read after the stop. HF_UNKNOWN: they cannot. */
static uint64_t read_at(struct go *go, enum go_variable variable, enum go_field field, size_t len)
{
	uint64_t base = go->layout.var[variable], value = 0;
	int32_t off = go->layout.off[field];

	if (!base || off < 0 || hf_err_ignore(hf_target_read(go->t, base + (uint64_t)off, &value, len)))
		return HF_UNKNOWN;
	return value;
}

#define MEMSTATS(go, field) read_at((go), GO_VAR_MEMSTATS, GO_MSTATS_##field, 8)

/* Unknown where a part is. */
static uint64_t sum(const uint64_t *parts, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (parts[i] == HF_UNKNOWN || hf_add_overflows(total, parts[i], &total))
			return HF_UNKNOWN;
	return total;
}

#define SUM(...) sum((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

static void fill_objects(const struct go_counters *c, uint64_t *v)
{
	const struct go_tally *t = &c->tally;

	if (!c->valid)
		return;
	v[F_Alloc] = v[F_HeapAlloc] = c->bytes;
	v[F_TotalAlloc] = t->total_alloc;
	v[F_Mallocs] = t->mallocs;
	v[F_Frees] = t->frees;
	v[F_HeapObjects] = c->objects;
}

static void fill_system(struct go *go, const struct go_counters *c, uint64_t *v)
{
	v[F_HeapInuse] = c->in_use;
	v[F_HeapReleased] = c->released;
	v[F_HeapIdle] = SUM(c->free, c->released);
	v[F_HeapSys] = SUM(v[F_HeapIdle], v[F_HeapInuse]);
	v[F_StackInuse] = c->stacks;
	v[F_StackSys] = SUM(c->stacks, MEMSTATS(go, STACKS_SYS));
	v[F_MSpanInuse] = read_at(go, GO_VAR_MHEAP, GO_MHEAP_SPANALLOC_INUSE, 8);
	v[F_MSpanSys] = MEMSTATS(go, MSPAN_SYS);
	v[F_MCacheInuse] = read_at(go, GO_VAR_MHEAP, GO_MHEAP_CACHEALLOC_INUSE, 8);
	v[F_MCacheSys] = MEMSTATS(go, MCACHE_SYS);
	v[F_BuckHashSys] = MEMSTATS(go, BUCKHASH_SYS);
	v[F_GCSys] = SUM(MEMSTATS(go, GC_MISC_SYS), c->tally.work_bufs, c->tally.scalar_bits);
	v[F_OtherSys] = MEMSTATS(go, OTHER_SYS);
	v[F_Sys] = SUM(v[F_HeapSys], v[F_StackSys], v[F_MSpanSys], v[F_MCacheSys], v[F_BuckHashSys],
		       v[F_GCSys], v[F_OtherSys]);
}

static void fill_collector(struct go *go, const struct go_counters *c, uint64_t *v)
{
	v[F_Lookups] = 0;
	v[F_NextGC] = c->next_gc;
	v[F_LastGC] = MEMSTATS(go, LAST_GC_UNIX);
	v[F_PauseTotalNs] = MEMSTATS(go, PAUSE_TOTAL_NS);
	v[F_NumGC] = c->num_gc;
	v[F_NumForcedGC] = read_at(go, GO_VAR_MEMSTATS, GO_MSTATS_NUMFORCEDGC, 4);
	v[F_GCCPUFraction] = MEMSTATS(go, GC_CPU_FRACTION);
	v[F_EnableGC] = read_at(go, GO_VAR_MEMSTATS, GO_MSTATS_ENABLEGC, 1);
}

static struct hf_err *add_figures(struct go *go, const uint64_t *v, struct hf_heap *ret)
{
	struct hf_figure *list = hf_arena_alloc(&go->names, FIGURES_N * sizeof(*list));
	size_t n = 0;

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < FIGURES_N; i++) {
		double real = 0;

		if (v[i] == HF_UNKNOWN)
			continue;
		if (rows[i].unit == HF_UNIT_FRACTION) {
			memcpy(&real, &v[i], sizeof(real));
			if (!(real >= 0 && real <= 1))
				continue;
		}
		list[n++] = (struct hf_figure){rows[i].name, rows[i].meaning, rows[i].unit,
					       rows[i].unit == HF_UNIT_FRACTION ? 0 : v[i], real};
	}
	ret->memstats = list;
	ret->memstats_n = n;
	return NULL;
}

/* The latest first. */
static struct hf_err *add_pauses(struct go *go, uint64_t cycles, struct hf_heap *ret)
{
	uint64_t base = go->layout.var[GO_VAR_MEMSTATS], ring[PAUSES], *list;
	size_t n = cycles == HF_UNKNOWN ? 0 : (size_t)hf_min(cycles, (uint64_t)PAUSES);

	if (!base || !n || !go_has(go, MSTATS_PAUSE_NS) ||
	    hf_err_ignore(
		    hf_target_read(go->t, base + (uint64_t)go_off(go, MSTATS_PAUSE_NS), ring, sizeof(ring))))
		return NULL;
	list = hf_arena_alloc(&go->names, n * sizeof(*list));
	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		list[i] = ring[(cycles - 1 - i) % PAUSES];
	ret->pauses = list;
	ret->pauses_n = n;
	return NULL;
}

static struct hf_err *add_sizes(struct go *go, const struct go_tally *t, struct hf_heap *ret)
{
	struct hf_size_count *list = hf_arena_alloc(&go->names, t->classes * sizeof(*list));

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < t->classes; i++)
		list[i] = (struct hf_size_count){t->sizes[i], t->class_mallocs[i], t->class_frees[i]};
	ret->by_size = list;
	ret->by_size_n = t->classes;
	return NULL;
}

struct hf_err *go_memstats(struct go *go, struct hf_heap *ret)
{
	const struct go_counters *c = &go->counters;
	uint64_t values[FIGURES_N];

	memset(values, 0xff, sizeof(values)); /* HF_UNKNOWN */
	fill_objects(c, values);
	fill_system(go, c, values);
	fill_collector(go, c, values);
	HF_TRY(add_figures(go, values, ret));
	HF_TRY(add_pauses(go, c->num_gc, ret));
	return c->valid ? add_sizes(go, &c->tally, ret) : NULL;
}
