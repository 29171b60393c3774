/* The verdict in words, for someone who was woken up: what it is, what to make of it, how near the end is. */
#include "shares_private.h"

/* Below this part of the total nothing dominates. */
#define HALF(total) ((total) / 2)

static const char *runtime_name(const struct shares *s)
{
	if (!s->heap)
		return "managed";
	return strcmp(s->heap->runtime, "go") ? s->heap->runtime : "Go";
}

static const char *charged(const struct shares *s)
{
	switch (s->frame) {
	case FRAME_CGROUP:
		return "charged to the cgroup";
	case FRAME_RESIDENT:
		return "resident";
	default:
		return "that the heap has";
	}
}

/* "It is the heap: " ... and what the bytes are: " are live Go objects". %s: the runtime's name. */
static const struct {
	const char *lead, *what;
} words[SHARES_N] = {
	[SHARE_LIVE] = {"It is the heap", "live %s objects"},
	[SHARE_GARBAGE] = {"The heap is mostly garbage not yet collected", "%s objects that nothing reaches"},
	[SHARE_SLOTS] = {"It is fragmentation of the heap",
			 "free slots in %s heap spans that still hold objects"},
	[SHARE_IDLE] = {"Not a heap leak, but what a peak left behind",
			"free %s heap spans, not yet given back to the system"},
	[SHARE_STACKS] = {"Not the heap", "stacks of goroutines"},
	[SHARE_METADATA] = {"Not the heap", "the %s runtime's own structures"},
	[SHARE_LAZY] = {"Not a leak",
			"lazily freed pages (MADV_FREE): the kernel takes them when it needs memory"},
	[SHARE_THREADS] = {"Not the heap", "stacks of threads"},
	[SHARE_OFFHEAP] = {"Not the heap",
			   "private memory outside of it: C allocations (cgo), mmap, variables"},
	[SHARE_FILES] = {"Not a heap leak", "pages of the executable and mapped files"},
	[SHARE_SHMEM] = {"Not a heap leak",
			 "tmpfs files or shared memory, which stay until they are deleted"},
	[SHARE_CACHE] = {"Not a heap leak", "page cache"},
	[SHARE_KERNEL] = {"Not a heap leak", "kernel memory (slab, sockets, page tables)"},
	[SHARE_OTHERS] = {"Not this process", "private memory of other processes in the cgroup"},
	[SHARE_SWAP] = {"Swapped out", "on swap: whose they are is not known here"},
	[SHARE_REST] = {"Not known", "explained by none of the figures that we have"},
};

static void add_what(const struct shares *s, enum share share, struct hf_str *str)
{
	const char *what = words[share].what, *at = strstr(what, "%s");

	if (!s->heap && share == SHARE_OFFHEAP) {
		hf_str_add(str, "private memory (malloc, mmap, variables); no managed heap was found");
		return;
	}
	if (!at) {
		hf_str_add(str, what);
		return;
	}
	hf_str_addn(str, what, (size_t)(at - what));
	hf_str_add(str, runtime_name(s));
	hf_str_add(str, at + 2);
}

static bool dominates(const struct shares *s, enum share largest)
{
	uint64_t bytes = s->bytes[largest];

	if (largest <= SHARE_IDLE)
		bytes = s->bytes[SHARE_LIVE] + s->bytes[SHARE_GARBAGE] + s->bytes[SHARE_SLOTS] +
			s->bytes[SHARE_IDLE];
	return bytes >= HALF(s->total);
}

static void say_largest(const struct shares *s, enum share largest, struct hf_str *str)
{
	uint64_t bytes = s->bytes[largest];

	if (!dominates(s, largest))
		hf_str_add(str, "Nothing dominates; the largest share");
	else if (!s->heap && largest == SHARE_OFFHEAP)
		hf_str_add(str, "It is the process's own memory");
	else
		hf_str_add(str, words[largest].lead);
	hf_str_addf(str, ": %s of %s %s are ", hf_shares_size(bytes).s, hf_shares_size(s->total).s,
		    charged(s));
	add_what(s, largest, str);
	if (largest == SHARE_LIVE && s->bytes[SHARE_GARBAGE] >= s->total / 10)
		hf_str_addf(str, ", another %s are garbage not yet collected",
			    hf_shares_size(s->bytes[SHARE_GARBAGE]).s);
	if (largest == SHARE_STACKS && s->goroutines)
		hf_str_addf(str, ", of which there are %" PRIu64, s->goroutines);
}

static void say_cache(const struct shares *s, struct hf_str *str)
{
	if (s->cache_inactive)
		hf_str_addf(str, ", of which %s is inactive (the kernel reclaims it when needed)",
			    hf_shares_size(s->cache_inactive).s);
	if (s->cache_dirty)
		hf_str_addf(str, "%s %s waits to be written (not reclaimable until then)",
			    s->cache_inactive ? " and" : ", of which", hf_shares_size(s->cache_dirty).s);
}

static void add_limit(struct hf_str *str, const char *name, uint64_t value, const char *none)
{
	if (value == HF_NOLIMIT)
		hf_str_addf(str, "%s%s", name, none);
	else
		hf_str_addf(str, "%s%s", name, hf_shares_size(value).s);
}

/* Why the collector has not run yet, and what would make it. */
static void say_collector(const struct shares *s, struct hf_str *str)
{
	const struct hf_heap *heap = s->heap;
	bool off = heap->gc_percent == HF_NOLIMIT, unlimited = heap->memory_limit == HF_NOLIMIT;
	double ago = s->facts->taken_at - heap->last_gc_at;
	char buf[32];

	if (off && unlimited) {
		hf_str_add(str, " The collector is off (GOGC=off, no GOMEMLIMIT): nothing frees it.");
		return;
	}
	if (is_known(heap->gc_percent) || off) {
		if (off)
			hf_str_add(str, " GOGC=off");
		else
			hf_str_addf(str, " GOGC=%" PRIu64, heap->gc_percent);
		if (is_known(heap->memory_limit) || unlimited)
			add_limit(str, ", GOMEMLIMIT=", heap->memory_limit, "off");
		if (is_known(heap->next_gc))
			hf_str_addf(str, ", next collection at %s", hf_shares_size(heap->next_gc).s);
		if (heap->last_gc_at > 0 && ago >= 0)
			hf_str_addf(str, ", the last one %s ago", hf_format_duration(ago, buf, sizeof(buf)));
		hf_str_add(str, ".");
	}
	if (unlimited && is_limit(s->facts->cgroup_max))
		hf_str_addf(str,
			    " A GOMEMLIMIT below the cgroup's limit of %s would make it collect in time.",
			    hf_shares_size(s->facts->cgroup_max).s);
}

/* How near the end is, or was. */
static void say_limit(const struct shares *s, struct hf_str *str)
{
	const struct hf_facts *f = s->facts;
	uint64_t kills = known_or_0(f->cgroup_events_oom_kill), times = known_or_0(f->cgroup_events_max);
	uint64_t current = known_or_0(f->cgroup_current);

	if (is_limit(f->cgroup_max) && current >= f->cgroup_max - f->cgroup_max / 10)
		hf_str_addf(str, " The cgroup stands at %.0f%% of its limit of %s.",
			    100.0 * (double)current / (double)f->cgroup_max, hf_shares_size(f->cgroup_max).s);
	if (times)
		hf_str_addf(str, " The cgroup was at its limit %" PRIu64 " time%s", times,
			    times == 1 ? "" : "s");
	if (kills)
		hf_str_addf(str, "%s %" PRIu64 " process%s %s killed for it", times ? "," : " In the cgroup",
			    kills, kills == 1 ? "" : "es", kills == 1 ? "was" : "were");
	if (times || kills)
		hf_str_add(str, ".");
}

static void say_frame(const struct shares *s, struct hf_str *str)
{
	const struct hf_facts *f = s->facts;

	if (s->frame == FRAME_HEAP)
		hf_str_add(str,
			   " What the system charges is not known here: these are shares of the heap alone.");
	if (s->frame != FRAME_RESIDENT || !known_or_0(f->cgroup_current))
		return;
	hf_str_addf(str, " (The cgroup is charged %s", hf_shares_size(f->cgroup_current).s);
	if (known_or_0(f->cgroup_procs) > 1)
		hf_str_addf(str, " for %" PRIu64 " processes", f->cgroup_procs);
	hf_str_add(str, ", most of it not this one's.)");
}

static void say_leaked(const struct shares *s, struct hf_str *str)
{
	uint64_t n = s->heap ? known_or_0(s->heap->leaked_goroutines) : 0;
	char count[32];

	if (!n)
		return;
	hf_str_addf(str, " %s goroutine%s leaked (nothing can wake %s): %s of the heap are held by %s alone.",
		    hf_format_count(n, count, sizeof(count)), n == 1 ? " is" : "s are",
		    n == 1 ? "it" : "them", hf_shares_size(s->heap->leaked_bytes).s, n == 1 ? "it" : "them");
}

void hf_shares_say(const struct shares *s, struct hf_str *ret)
{
	enum share largest = hf_shares_largest(s);

	if (s->frame == FRAME_NONE) {
		hf_str_add(ret, "Not known: neither the system's figures nor a managed heap could be had.");
		return;
	}
	say_largest(s, largest, ret);
	if (largest == SHARE_CACHE)
		say_cache(s, ret);
	if (s->heap && largest > SHARE_GARBAGE) {
		hf_str_addf(ret, "; the %s heap is %s live", runtime_name(s), hf_shares_size(s->live).s);
		if (s->bytes[SHARE_LIVE] < s->live - s->live / 4)
			hf_str_addf(ret, ", %s of it in memory", hf_shares_size(s->bytes[SHARE_LIVE]).s);
	}
	hf_str_add(ret, ".");
	if (s->heap && largest == SHARE_GARBAGE)
		say_collector(s, ret);
	say_leaked(s, ret);
	say_frame(s, ret);
	say_limit(s, ret);
}
