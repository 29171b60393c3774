/* Where the memory is, by scenario: the figures of real incidents, rounded. */
#include <criterion/criterion.h>

#include "../../src/query/shares.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct hf_facts unknown_facts(void)
{
	struct hf_facts f = {
#define FACT(name, text) .name = HF_UNKNOWN,
		HF_FACTS(FACT)
#undef FACT
	};
	return f;
}

struct scenario {
	const char *name;
	/* MiB; -1: unknown; -2: no limit */
	int current, max, anon, file, inactive, dirty, shmem, kernel, procs;
	int rss, rss_anon, rss_file, lazy, swap;
	int heaps, live, garbage, in_use, idle, released, stacks, metadata;
	/* what must come out */
	const char *of, *verdict;
	bool heap;
	int total;                  /* MiB */
	const char *first, *second; /* keys of the largest shares; NULL: not looked at */
	int first_mib, second_mib;
	const char *says[4];
};

static uint64_t mib(int v)
{
	return v == -1 ? HF_UNKNOWN : v == -2 ? HF_NOLIMIT : (uint64_t)v * MIB;
}

/* clang-format off */
static const struct scenario scenarios[] = {
	/* cgroup: current, max, anon, file, inactive, dirty, shmem, kernel, procs;  process: rss, anon, file, lazy, swap;
	 * heap: n, live, garbage, in_use, idle, released, stacks, metadata */
	{"page cache pod",
	 2662, 4096, 60, 2150, 1945, 10, 0, 20, 1,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "page-cache", false, 2662, "page-cache", NULL, 2135, 0,
	 {"Not a heap leak: 2.1 GiB of 2.6 GiB charged to the cgroup are page cache",
	  "of which 1.9 GiB is inactive (the kernel reclaims it when needed)",
	  "the Go heap is 35.0 MiB live"}},
	{"heap leak",
	 530, 1024, 500, 20, 5, 0, 0, 8, 1,  515, 500, 15, 0, 0,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-live", true, 530, "heap-live", "off-heap", 412, 48,
	 {"It is the heap: 412 MiB of 530 MiB charged to the cgroup are live Go objects."}},
	{"heap leak under a steady load: neither live nor garbage is half",
	 500, -2, 480, 10, 5, 0, 0, 8, 1,  490, 480, 10, 0, 0,  1, 220, 180, 440, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-live", true, 500, "heap-live", "heap-garbage", 220, 180,
	 {"It is the heap: 220 MiB of 500 MiB", "another 180 MiB are garbage not yet collected"}},
	{"garbage",
	 800, 1024, 780, 10, 5, 0, 0, 8, 1,  790, 780, 10, 0, 0,  1, 100, 600, 720, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-garbage", true, 800, "heap-garbage", "heap-live", 600, 100,
	 {"The heap is mostly garbage not yet collected: 600 MiB of 800 MiB", "GOGC=100, GOMEMLIMIT=off",
	  "next collection at 1.2 GiB, the last one 3 min ago.",
	  "A GOMEMLIMIT below the cgroup's limit of 1.0 GiB"}},
	{"idle heap after a peak",
	 900, -2, 880, 10, 5, 0, 0, 8, 1,  890, 880, 10, 0, 0,  1, 50, 20, 80, 900, 120, 4, 12,
	 "the cgroup's charge", "heap-idle", true, 900, "heap-idle", "heap-live", 780, 50,
	 {"Not a heap leak, but what a peak left behind: 780 MiB of 900 MiB",
	  "not yet given back to the system", "the Go heap is 50.0 MiB live"}},
	{"lazily freed",
	 900, -2, 880, 10, 5, 0, 0, 8, 1,  890, 880, 10, 780, 0,  1, 50, 20, 80, 800, 800, 4, 12,
	 "the cgroup's charge", "lazy-free", false, 900, "lazy-free", "heap-live", 780, 50,
	 {"Not a leak: 780 MiB of 900 MiB charged to the cgroup are lazily freed pages"}},
	{"C leak beside a small heap",
	 1600, -2, 1550, 30, 5, 0, 0, 8, 1,  1580, 1550, 30, 0, 0,  1, 40, 10, 60, 8, 2, 4, 12,
	 "the cgroup's charge", "off-heap", false, 1600, "off-heap", "heap-live", 1468, 40,
	 {"Not the heap: 1.4 GiB of 1.6 GiB", "outside of it: C allocations (cgo), mmap",
	  "the Go heap is 40.0 MiB live."}},
	{"goroutine stacks",
	 1100, -2, 1080, 10, 5, 0, 0, 8, 1,  1090, 1080, 10, 0, 0,  1, 120, 10, 140, 8, 2, 900, 20,
	 "the cgroup's charge", "stacks", false, 1100, "stacks", "heap-live", 900, 120,
	 {"Not the heap: 900 MiB of 1.1 GiB", "stacks of goroutines, of which there are 120000"}},
	{"fragmentation",
	 1000, -2, 980, 10, 5, 0, 0, 8, 1,  990, 980, 10, 0, 0,  1, 150, 20, 950, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-free-slots", true, 1000, "heap-free-slots", "heap-live", 780, 150,
	 {"fragmentation of the heap: 780 MiB of 1000 MiB"}},
	{"a sidecar has it, in a limited pod",
	 2100, 2200, 2050, 20, 5, 0, 0, 8, 3,  65, 50, 15, 0, 0,  1, 20, 5, 30, 8, 2, 1, 4,
	 "the cgroup's charge", "other-processes", false, 2100, "other-processes", "heap-live", 2000, 20,
	 {"Not this process: 2.0 GiB of 2.1 GiB", "The cgroup stands at 95% of its limit of 2.1 GiB."}},
	{"a login session of many",
	 9000, -2, 6000, 2500, 1900, 0, 100, 300, 240,  515, 500, 15, 0, 0,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the resident size", "heap-live", true, 515, "heap-live", "off-heap", 412, 48,
	 {"It is the heap: 412 MiB of 515 MiB resident", "The cgroup is charged 8.8 GiB for 240 processes"}},
	{"the same under v1, where no limit is a huge number",
	 9000, 2147483647, 6000, 2500, 1900, 0, 100, 300, 240,  515, 500, 15, 0, 0,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the resident size", "heap-live", true, 515, "heap-live", NULL, 412, 0,
	 {"It is the heap"}},
	{"a leak beside the page cache of a session's builds",
	 1600, -2, 270, 1200, 400, 0, 0, 60, 7,  265, 255, 10, 0, 0,  1, 251, 8, 262, 4, 4, 1, 3,
	 "the resident size", "heap-live", true, 265, "heap-live", NULL, 251, 0,
	 {"It is the heap: 251 MiB of 265 MiB resident", "The cgroup is charged 1.6 GiB for 7 processes"}},
	{"page cache that dwarfs the process, without a limit",
	 2662, -2, 70, 2150, 1945, 10, 0, 20, 3,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "page-cache", false, 2662, "page-cache", NULL, 2135, 0,
	 {"Not a heap leak: 2.1 GiB of 2.6 GiB charged to the cgroup are page cache"}},
	{"no cgroup",
	 -1, -1, -1, -1, -1, -1, -1, -1, -1,  515, 500, 15, 0, 0,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the resident size", "heap-live", true, 515, "heap-live", "off-heap", 412, 48,
	 {"412 MiB of 515 MiB resident are live Go objects."}},
	{"foreign core: the heap is all that is known",
	 -1, -1, -1, -1, -1, -1, -1, -1, -1,  -1, -1, -1, -1, -1,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the heap", "heap-live", true, 452, "heap-live", "metadata", 412, 12,
	 {"412 MiB of 452 MiB that the heap has are live Go objects",
	  "What the system charges is not known here"}},
	{"nothing known",
	 -1, -1, -1, -1, -1, -1, -1, -1, -1,  -1, -1, -1, -1, -1,  0, 0, 0, 0, 0, 0, 0, 0,
	 "nothing", "unknown", false, 0, NULL, NULL, 0, 0,
	 {"Not known: neither"}},
	{"a C program",
	 600, -2, 560, 30, 5, 0, 0, 8, 1,  590, 560, 30, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
	 "the cgroup's charge", "off-heap", false, 600, "off-heap", "files", 560, 30,
	 {"It is the process's own memory: 560 MiB of 600 MiB", "no managed heap was found"}},
	{"a heap that was never touched: no more than what is resident",
	 60, -2, 50, 5, 5, 0, 0, 4, 1,  55, 50, 5, 0, 0,  1, 1024, 0, 1030, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-live", true, 60, "heap-live", "files", 50, 5,
	 {"It is the heap: 50.0 MiB of 60.0 MiB"}},
	{"swapped out",
	 100, -2, 80, 10, 5, 0, 0, 4, 1,  90, 80, 10, 0, 700,  1, 600, 10, 620, 8, 2, 4, 12,
	 "the cgroup's charge and swap", "swap", false, 800, "swap", "heap-live", 700, 80,
	 {"Swapped out: 700 MiB of 800 MiB", "the Go heap is 600 MiB live, 80.0 MiB of it in memory"}},
	{"tmpfs",
	 1000, 1024, 60, 920, 900, 0, 900, 10, 1,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "shmem", false, 1000, "shmem", "heap-live", 900, 35,
	 {"Not a heap leak: 900 MiB of 1000 MiB", "stay until they are deleted", "98% of its limit"}},
	{"dirty page cache",
	 1000, 1024, 60, 920, 100, 800, 0, 10, 1,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "page-cache", false, 1000, "page-cache", NULL, 905, 0,
	 {"of which 100 MiB is inactive", "and 800 MiB waits to be written (not reclaimable until then)"}},
	{"kernel memory",
	 1000, -2, 60, 40, 20, 0, 0, 890, 1,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "kernel", false, 1000, "kernel", "heap-live", 890, 35,
	 {"Not a heap leak: 890 MiB of 1000 MiB", "kernel memory"}},
	{"nothing explains it",
	 1000, -2, 60, 40, 20, 0, 0, 10, 1,  80, 60, 15, 0, 0,  1, 35, 2, 40, 6, 2, 1, 4,
	 "the cgroup's charge", "unexplained", false, 1000, NULL, NULL, 0, 0,
	 {"Not known: 890 MiB of 1000 MiB"}},
	{"nothing dominates",
	 1000, -2, 600, 300, 300, 0, 0, 10, 1,  620, 600, 20, 0, 0,  1, 200, 50, 270, 6, 2, 1, 4,
	 "the cgroup's charge", "off-heap", false, 1000, "off-heap", "page-cache", 321, 280,
	 {"Nothing dominates; the largest share: 321 MiB of 1000 MiB"}},
	{"parts beyond the total",
	 100, -2, 500, 20, 5, 0, 0, 8, 1,  515, 500, 15, 0, 0,  1, 412, 10, 430, 8, 2, 4, 12,
	 "the cgroup's charge", "heap-live", true, 100, "heap-live", "off-heap", 412, 48,
	 {"It is the heap"}},
};
/* clang-format on */

static struct hf_facts facts_of(const struct scenario *s)
{
	struct hf_facts f = unknown_facts();

	f.cgroup_current = mib(s->current);
	f.cgroup_max = s->max == 2147483647 ? UINT64_C(9223372036854771712) : mib(s->max);
	f.cgroup_anon = mib(s->anon);
	f.cgroup_file = mib(s->file);
	f.cgroup_inactive_file = mib(s->inactive);
	f.cgroup_dirty = mib(s->dirty);
	f.cgroup_shmem = mib(s->shmem);
	f.cgroup_kernel = mib(s->kernel);
	f.cgroup_procs = s->procs < 0 ? HF_UNKNOWN : (uint64_t)s->procs;
	f.rss = mib(s->rss);
	f.rss_anon = mib(s->rss_anon);
	f.rss_file = mib(s->rss_file);
	f.lazy_free = mib(s->lazy);
	f.swap = mib(s->swap);
	f.taken_at = 1000180;
	return f;
}

static struct hf_heap heap_of(const struct scenario *s)
{
	return (struct hf_heap){
		.runtime = "go",
		.version = "go1.26.8",
		.bytes = mib(s->live + s->garbage),
		.live_bytes = mib(s->live),
		.garbage_bytes = mib(s->garbage),
		.runtime_bytes = mib(s->live + s->garbage),
		.in_use = mib(s->in_use),
		.idle = mib(s->idle),
		.released = mib(s->released),
		.stacks = mib(s->stacks),
		.metadata = mib(s->metadata),
		.goroutines = 120000,
		.gc_phase = "off",
		.gc_percent = 100,
		.memory_limit = HF_NOLIMIT,
		.next_gc = 1200 * MIB,
		.last_gc_at = 1000000,
	};
}

/* What must hold whatever the figures are. */
static void check_shape(const char *name, const struct hf_overview *o)
{
	uint64_t sum = 0, largest = 0;
	bool found = false;

	cr_assert(o->verdict && o->verdict_text && o->shares_of, "%s", name);
	if (!o->shares_n) {
		cr_assert_str_eq(o->verdict, "unknown", "%s", name);
		return;
	}
	cr_assert_str_eq(o->shares[o->shares_n - 1].key, "unexplained", "%s", name);
	for (size_t i = 0; i < o->shares_n; i++) {
		cr_assert(i + 2 >= o->shares_n || o->shares[i].bytes >= o->shares[i + 1].bytes, "%s: order",
			  name);
		cr_assert(o->shares[i].note && o->shares[i].label, "%s", name);
		largest = o->shares[i].bytes > largest ? o->shares[i].bytes : largest;
		sum += o->shares[i].bytes;
	}
	for (size_t i = 0; i < o->shares_n; i++)
		found |= o->shares[i].bytes == largest && !strcmp(o->shares[i].key, o->verdict);
	cr_assert(found, "%s: the verdict %s is not the largest share", name, o->verdict);
	cr_assert(sum >= o->shares_total, "%s: shares leave %" PRIu64 " bytes out", name,
		  o->shares_total - sum);
	cr_assert(sum == o->shares_total || o->shares[o->shares_n - 1].bytes == 0, "%s", name);
}

Test(shares, each_scenario_gets_its_verdict)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];
		struct hf_facts f = facts_of(s);
		struct hf_heap heap = heap_of(s);
		struct hf_arena a = {0};
		struct hf_overview o = {0};

		hf_shares_compute(&f, &heap, (size_t)s->heaps, &a, &o);
		check_shape(s->name, &o);
		cr_expect_str_eq(o.verdict, s->verdict, "%s: %s: %s", s->name, o.verdict, o.verdict_text);
		cr_expect_str_eq(o.shares_of, s->of, "%s: %s", s->name, o.shares_of);
		cr_expect_eq(o.verdict_heap, s->heap, "%s", s->name);
		cr_expect_eq(o.shares_total, mib(s->total), "%s: %" PRIu64, s->name, o.shares_total / MIB);
		for (size_t k = 0; k < 4 && s->says[k]; k++)
			cr_expect(strstr(o.verdict_text, s->says[k]), "%s: no \"%s\" in \"%s\"", s->name,
				  s->says[k], o.verdict_text);
		if (s->first) {
			cr_expect_str_eq(o.shares[0].key, s->first, "%s: %s", s->name, o.shares[0].key);
			cr_expect_eq(o.shares[0].bytes, mib(s->first_mib), "%s: %" PRIu64, s->name,
				     o.shares[0].bytes / MIB);
		}
		if (s->second) {
			cr_expect_str_eq(o.shares[1].key, s->second, "%s: %s", s->name, o.shares[1].key);
			cr_expect_eq(o.shares[1].bytes, mib(s->second_mib), "%s: %" PRIu64, s->name,
				     o.shares[1].bytes / MIB);
		}
		hf_arena_deinit(&a);
	}
}

static const char *note_of(const struct hf_overview *o, const char *key)
{
	for (size_t i = 0; i < o->shares_n; i++)
		if (!strcmp(o->shares[i].key, key))
			return o->shares[i].note;
	return "no such share";
}

static const struct scenario *scenario(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	cr_assert_fail("no scenario %s", name);
	return NULL;
}

static const char *compute(const char *name, void (*change)(struct hf_facts *, struct hf_heap *),
			   struct hf_arena *a, struct hf_overview *ret)
{
	const struct scenario *s = scenario(name);
	struct hf_facts f = facts_of(s);
	struct hf_heap heap = heap_of(s);

	if (change)
		change(&f, &heap);
	*ret = (struct hf_overview){0};
	hf_shares_compute(&f, &heap, (size_t)s->heaps, a, ret);
	check_shape(name, ret);
	return ret->verdict_text;
}

Test(shares, notes_say_what_to_make_of_it)
{
	struct hf_arena a = {0};
	struct hf_overview o;

	compute("page cache pod", NULL, &a, &o);
	cr_expect_str_eq(note_of(&o, "page-cache"),
			 "1.9 GiB inactive: reclaimable, 10.0 MiB not yet written: not "
			 "reclaimable until then, 180 MiB active");
	compute("a heap that was never touched: no more than what is resident", NULL, &a, &o);
	cr_expect_str_eq(note_of(&o, "heap-live"), "974 MiB more is not in memory");
	compute("parts beyond the total", NULL, &a, &o);
	cr_expect(strstr(note_of(&o, "unexplained"), "more in the parts than in the total"));
	cr_expect_eq(o.shares[o.shares_n - 1].bytes, 0);
	compute("heap leak", NULL, &a, &o);
	cr_expect_str_eq(note_of(&o, "heap-live"), "");
	hf_arena_deinit(&a);
}

static void at_the_limit(struct hf_facts *f, struct hf_heap *heap)
{
	(void)heap;
	f->cgroup_events_max = 12;
	f->cgroup_events_oom_kill = 1;
}

static void killed_twice(struct hf_facts *f, struct hf_heap *heap)
{
	(void)heap;
	f->cgroup_events_oom_kill = 2;
}

static void collector_off(struct hf_facts *f, struct hf_heap *heap)
{
	(void)f;
	heap->gc_percent = HF_NOLIMIT;
}

static void collector_unknown(struct hf_facts *f, struct hf_heap *heap)
{
	f->cgroup_max = HF_NOLIMIT;
	heap->gc_percent = heap->memory_limit = heap->next_gc = HF_UNKNOWN;
}

Test(shares, nearness_to_the_limit_is_said)
{
	struct hf_arena a = {0};
	struct hf_overview o;

	cr_expect(strstr(compute("heap leak", at_the_limit, &a, &o),
			 "The cgroup was at its limit 12 times, 1 process was killed for it."),
		  "%s", o.verdict_text);
	cr_expect(strstr(compute("heap leak", killed_twice, &a, &o),
			 "In the cgroup 2 processes were killed for it."),
		  "%s", o.verdict_text);
	cr_expect_not(strstr(compute("heap leak", NULL, &a, &o), "limit"), "%s", o.verdict_text);
	hf_arena_deinit(&a);
}

Test(shares, garbage_names_the_collectors_settings)
{
	struct hf_arena a = {0};
	struct hf_overview o;

	cr_expect(strstr(compute("garbage", collector_off, &a, &o),
			 "The collector is off (GOGC=off, no GOMEMLIMIT)"));
	cr_expect_not(strstr(compute("garbage", collector_unknown, &a, &o), "GO"), "%s", o.verdict_text);
	hf_arena_deinit(&a);
}

Test(shares, no_facts_at_all_is_the_heap_alone)
{
	struct hf_heap heap = heap_of(scenario("heap leak"));
	struct hf_arena a = {0};
	struct hf_overview o = {0};

	hf_shares_compute(NULL, &heap, 1, &a, &o);
	check_shape("no facts", &o);
	cr_expect_str_eq(o.shares_of, "the heap");
	hf_shares_compute(NULL, NULL, 0, &a, &o);
	check_shape("nothing", &o);
	cr_expect_str_eq(o.verdict, "unknown");
	hf_arena_deinit(&a);
}

Test(shares, two_heaps_add_up)
{
	const struct scenario *s = scenario("heap leak");
	struct hf_facts f = facts_of(s);
	struct hf_heap heaps[2] = {heap_of(s), heap_of(s)};
	struct hf_arena a = {0};
	struct hf_overview o = {0};

	f.rss = f.rss_anon = f.cgroup_anon = f.cgroup_current = 2 * GIB;
	hf_shares_compute(&f, heaps, 2, &a, &o);
	check_shape("two heaps", &o);
	cr_expect_str_eq(o.shares[0].key, "off-heap");
	cr_expect_str_eq(o.shares[1].key, "heap-live");
	cr_expect_eq(o.shares[1].bytes, 824 * MIB);
	hf_arena_deinit(&a);
}

/* Every figure absurd, one at a time and all at once: no wrap, no negative, the shape holds. */
Test(shares, absurd_figures_keep_the_shape)
{
	static const uint64_t absurd[] = {
		0, 1, UINT64_MAX - 2, UINT64_MAX - 1, UINT64_MAX, UINT64_C(1) << 63};
	struct hf_heap all;

	for (size_t v = 0; v < sizeof(absurd) / sizeof(absurd[0]); v++) {
		for (size_t i = 0; i <= sizeof(struct hf_facts) / 8; i++) {
			struct hf_facts f = facts_of(scenario("heap leak"));
			struct hf_heap heap = heap_of(scenario("heap leak"));
			struct hf_arena a = {0};
			struct hf_overview o = {0};
			size_t at = 0;

#define SET(name, text)                                                                                      \
	if (at++ == i || i == sizeof(struct hf_facts) / 8)                                                   \
		f.name = absurd[v];
			HF_FACTS(SET)
#undef SET
			hf_shares_compute(&f, &heap, 1, &a, &o);
			cr_assert(o.verdict && o.verdict_text);
			cr_assert(!o.shares_n || !strcmp(o.shares[o.shares_n - 1].key, "unexplained"));
			all = heap;
			all.live_bytes = all.garbage_bytes = all.in_use = all.idle = all.stacks =
				all.metadata = absurd[v];
			hf_shares_compute(&f, &all, 1, &a, &o);
			cr_assert(o.verdict && o.verdict_text);
			hf_arena_deinit(&a);
		}
	}
}

Test(shares, memory_out_gives_no_verdict)
{
	struct hf_facts f = facts_of(scenario("heap leak"));
	struct hf_heap heap = heap_of(scenario("heap leak"));
	bool succeeded = false;

	for (unsigned long nth = 1; nth < 50 && !succeeded; nth++) {
		struct hf_arena a = {0};
		struct hf_overview o = {0};

		hf_alloc_fail_nth(nth);
		hf_shares_compute(&f, &heap, 1, &a, &o);
		hf_alloc_fail_nth(0);
		succeeded = o.shares_n > 0;
		cr_expect_str_eq(o.verdict, succeeded ? "heap-live" : "unknown");
		cr_expect(o.verdict_text && *o.verdict_text);
		hf_arena_deinit(&a);
	}
	cr_expect(succeeded);
}
