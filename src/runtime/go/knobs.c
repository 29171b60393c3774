/* Numbers of the runtime that may be changed while the program runs, and how its collector fares.
 *
 * Each is read again by the running program; when, is told with it. Source: Go 1.20-1.27 runtime/malloc.go, mallocgc,
 * profilealloc, nextSample; mgcpacer.go, commit, memoryLimitHeapGoal, setGCPercent; mgc.go, gcTrigger.test; proc.go,
 * schedinit. Words that make the runtime write to its standard error (GODEBUG's gctrace, schedtrace) are none of them:
 * what that descriptor is by now only the program knows.
 */
#include "go.h"

#define RATE_MAX    (1 << 30)
#define PERCENT_MIN 10 /* below, the collector does little else than collect */
#define PERCENT_MAX 10000
#define LIMIT_MIN   (16 << 20)
#define LEAST_MAX   (UINT64_C(1) << 48) /* 4 MiB at 100 %: no percentage leads there */

/* ---- reading the running program --------------------------------------------------------------------------------- */

static bool read_now(struct go *go, enum go_variable variable, enum go_field field, void *ret, size_t len)
{
	uint64_t base = go->layout.var[variable];

	if (!base || go->layout.off[field] < 0)
		return false;
	return !hf_err_ignore(hf_target_read_now(go->t, base + (uint64_t)go->layout.off[field], ret, len));
}

static bool read_controller(struct go *go, enum go_field field, uint64_t *ret)
{
	return read_now(go, GO_VAR_GCCONTROLLER, field, ret, sizeof(*ret));
}

/* ---- the profile of allocations ------------------------------------------------------------------------------------ */

static void tell_rate(struct go *go, struct hf_knob *k)
{
	k->name = "runtime.MemProfileRate";
	k->alias = "memprofilerate";
	k->what = "the heap profile: one sample of so many bytes allocated, on average; 0: off";
	k->unit = "bytes";
	k->samples = true;
	k->max = RATE_MAX;
	k->word_addr = go->layout.var[GO_VAR_MEMPROFILERATE];
	/* 1.24 has c.nextSample signed and compares c.memProfRate; before, mallocgc looks at the rate, then counts down what
	 * was drawn at the old one. An mcache that began at rate 0 has nothing to count down. */
	k->effect =
		go->layout.minor >= 24
			? "at the next allocation on each P, which is itself sampled; from then on at the "
			  "new "
			  "rate"
			: "off: at the next allocation. Otherwise each P first allocates what was left to "
			  "its "
			  "next sample at the old rate (nothing, where it was off from the start; else about "
			  "the old rate in bytes), then samples at the new one";
	if (!k->word_addr)
		k->why_not = "the executable is stripped, and names the variable nowhere";
}

/* ---- the collector's pace ------------------------------------------------------------------------------------------ */

static void tell_percent(struct go *go, struct hf_knob *k)
{
	uint64_t least, limit;

	k->name = "GOGC";
	k->alias = "gcpercent";
	k->what = "how much the heap may grow until the next collection, in percent of what lived after the "
		  "last";
	k->unit = "percent";
	k->narrow = true; /* before an atomic.Int64, which is aligned to 8 */
	k->off = -1;
	k->min = PERCENT_MIN;
	k->max = PERCENT_MAX;
	k->effect =
		"when the next collection ends: its goal was set by the last; the runtime forces one every 2 "
		"minutes. The least heap (4 MiB at 100) stays as it was";
	k->word_addr = go->layout.var[GO_VAR_GCCONTROLLER];
	if (!k->word_addr || !go_has(go, GCCONTROLLERSTATE_GC_PERCENT) ||
	    go_off(go, GCCONTROLLERSTATE_MEMORY_LIMIT) != go_off(go, GCCONTROLLERSTATE_GC_PERCENT) + 8) {
		k->word_addr = 0;
		k->why_not = "where it stands cannot be told";
		return;
	}
	k->word_addr += (uint64_t)go_off(go, GCCONTROLLERSTATE_GC_PERCENT);
	/* setGCPercent makes the least heap a share of -1 as a uint64; the goal that commit sets is never below it. */
	if (read_controller(go, GO_GCCONTROLLERSTATE_HEAP_MINIMUM, &least) && least > LEAST_MAX)
		k->why_not =
			"the program itself switched it off, by GOGC or debug.SetGCPercent: its least heap "
			"is "
			"without bounds since, which only debug.SetGCPercent undoes. Set GOMEMLIMIT instead";
	if (!read_controller(go, GO_GCCONTROLLERSTATE_MEMORY_LIMIT, &limit) || limit >= INT64_MAX)
		k->no_off = "without a memory limit the heap would grow without end";
}

static void tell_limit(struct go *go, struct hf_knob *k)
{
	uint64_t marked = 0;
	int32_t percent;

	k->name = "GOMEMLIMIT";
	k->alias = "memorylimit";
	k->what =
		"the memory that the runtime tries to stay below, by collecting sooner and giving pages back";
	k->unit = "bytes";
	k->off = INT64_MAX;
	k->min = LIMIT_MIN;
	k->max = INT64_MAX;
	k->effect = "at the next span that is allocated, where it asks whether to collect; pages are given "
		    "back in "
		    "the background by the new limit after the next collection";
	k->word_addr = go->layout.var[GO_VAR_GCCONTROLLER];
	if (!k->word_addr || !go_has(go, GCCONTROLLERSTATE_MEMORY_LIMIT)) {
		k->word_addr = 0;
		k->why_not = "where it stands cannot be told";
		return;
	}
	k->word_addr += (uint64_t)go_off(go, GCCONTROLLERSTATE_MEMORY_LIMIT);
	if (read_controller(go, GO_GCCONTROLLERSTATE_HEAP_MARKED, &marked) && marked > LIMIT_MIN &&
	    marked < INT64_MAX / 2) {
		k->min = (int64_t)marked;
		snprintf(k->why_min, sizeof(k->why_min),
			 "the last collection left %" PRIu64
			 " bytes alive: below that, the collector would never rest",
			 marked);
	}
	if (read_now(go, GO_VAR_GCCONTROLLER, GO_GCCONTROLLERSTATE_GC_PERCENT, &percent, sizeof(percent)) &&
	    percent < 0)
		k->no_off = "GOGC is off, too: without either the heap would grow without end";
}

bool go_knob(struct hf_runtime *rt, size_t i, struct hf_knob *ret)
{
	static void (*const tell[])(struct go *, struct hf_knob *) = {tell_rate, tell_percent, tell_limit};

	struct go *go = (struct go *)rt;

	if (i >= HF_LEN(tell))
		return false;
	*ret = (struct hf_knob){.why_not = "", .no_off = ""};
	tell[i](go, ret);
	if (go->layout.stripped && ret->word_addr)
		ret->why_not = "the executable is stripped: where it stands was found by what it holds, "
			       "which will do "
			       "to read it, and not to write there";
	return true;
}

/* ---- the collector's pulse ----------------------------------------------------------------------------------------- */

#define FORCED_EVERY_S 120 /* runtime/proc.go, forcegcperiod */
#define TRIES          5   /* a collection may end while we read */

struct rings {
	uint64_t paused[HF_PULSE_RING], ended[HF_PULSE_RING];
};

static bool read_rings(struct go *go, struct rings *ret, uint32_t *ret_n)
{
	uint32_t after = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		if (!read_now(go, GO_VAR_MEMSTATS, GO_MSTATS_NUMGC, ret_n, sizeof(*ret_n)) ||
		    !read_now(go, GO_VAR_MEMSTATS, GO_MSTATS_PAUSE_NS, ret->paused, sizeof(ret->paused)) ||
		    !read_now(go, GO_VAR_MEMSTATS, GO_MSTATS_PAUSE_END, ret->ended, sizeof(ret->ended)) ||
		    !read_now(go, GO_VAR_MEMSTATS, GO_MSTATS_NUMGC, &after, sizeof(after)))
			return false;
		if (after == *ret_n)
			return true;
	}
	return false;
}

struct hf_err *go_pulse(struct hf_runtime *rt, struct hf_pulse *ret)
{
	struct go *go = (struct go *)rt;
	struct rings rings;
	uint32_t number;
	int32_t percent = 0;

	*ret = (struct hf_pulse){.processors = HF_UNKNOWN, .collections = HF_UNKNOWN};
	if (go->layout.var[GO_VAR_GOMAXPROCS] &&
	    !hf_err_ignore(hf_target_read_now(go->t, go->layout.var[GO_VAR_GOMAXPROCS], &number, 4)))
		ret->processors = number;
	if (!read_now(go, GO_VAR_GCCONTROLLER, GO_GCCONTROLLERSTATE_GC_PERCENT, &percent, 4) || percent >= 0)
		ret->forced_every_s = FORCED_EVERY_S;
	if (!read_rings(go, &rings, &number))
		return NULL;
	ret->collections = number;
	ret->n = hf_min((size_t)number, (size_t)HF_PULSE_RING);
	for (size_t i = 0; i < ret->n; i++) {
		size_t at = (number + HF_PULSE_RING - 1 - i) % HF_PULSE_RING;

		ret->ended[i] = (double)rings.ended[at] / 1e9;
		ret->paused_s[i] = (double)rings.paused[at] / 1e9;
	}
	return NULL;
}
