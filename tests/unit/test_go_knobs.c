/* Numbers of the runtime that may be changed, and the collector's pulse: what cannot be believed is not. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>

#define STATS      0x4000u /* in the heap's bytes: memstats is large */
#define CONTROLLER 0x9000u
#define RATE       0xa000u

enum { KNOB_RATE, KNOB_PERCENT, KNOB_LIMIT, KNOBS };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static uint8_t *controller(enum go_field field)
{
	return fake.heap + CONTROLLER + go.layout.off[field];
}

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	go.t = target;
	go.layout.var[GO_VAR_MEMSTATS] = heap_addr(STATS);
	go.layout.var[GO_VAR_GCCONTROLLER] = heap_addr(CONTROLLER);
	go.layout.var[GO_VAR_MEMPROFILERATE] = heap_addr(RATE);
	put64(controller(GO_GCCONTROLLERSTATE_GC_PERCENT), 100);
	put64(controller(GO_GCCONTROLLERSTATE_MEMORY_LIMIT), INT64_MAX);
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MINIMUM), 4 << 20);
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MARKED), 1000);
}

static void teardown(void)
{
	fake_heap_close(&go, target);
}

TestSuite(go_knobs, .init = setup, .fini = teardown);

static struct hf_knob knob(size_t i)
{
	struct hf_knob k;

	cr_assert(go_knob(&go.rt, i, &k));
	return k;
}

Test(go_knobs, words_are_aligned_and_stand_where_they_should)
{
	struct hf_knob k;

	cr_expect_eq(knob(KNOB_RATE).word_addr, heap_addr(RATE));
	cr_expect_eq(knob(KNOB_PERCENT).word_addr, heap_addr(CONTROLLER));
	cr_expect_eq(knob(KNOB_LIMIT).word_addr, heap_addr(CONTROLLER) + 8);
	cr_expect(knob(KNOB_PERCENT).narrow && !knob(KNOB_LIMIT).narrow && !knob(KNOB_RATE).narrow);
	cr_expect_not(go_knob(&go.rt, KNOBS, &k));
	cr_expect_not(go_knob(&go.rt, SIZE_MAX, &k));
	for (size_t i = 0; i < KNOBS; i++)
		cr_expect(knob(i).word_addr % 8 == 0 && !*knob(i).why_not && *knob(i).effect, "%s",
			  knob(i).name);
}

Test(go_knobs, what_a_stripped_program_lacks_is_told)
{
	go.layout.var[GO_VAR_MEMPROFILERATE] = 0;
	go.layout.var[GO_VAR_GCCONTROLLER] = 0;
	for (size_t i = 0; i < KNOBS; i++)
		cr_expect(!knob(i).word_addr && *knob(i).why_not, "%s", knob(i).name);
}

Test(go_knobs, what_was_found_by_what_it_holds_is_not_written)
{
	go.layout.stripped = true;
	for (size_t i = 0; i < KNOBS; i++)
		cr_expect(knob(i).word_addr && strstr(knob(i).why_not, "not to write"), "%s", knob(i).name);
}

Test(go_knobs, percent_that_is_not_alone_in_its_word_is_not_set)
{
	go.layout.off[GO_GCCONTROLLERSTATE_MEMORY_LIMIT] = 4;
	cr_expect(!knob(KNOB_PERCENT).word_addr && *knob(KNOB_PERCENT).why_not);
	go.layout.off[GO_GCCONTROLLERSTATE_MEMORY_LIMIT] = -1;
	cr_expect(!knob(KNOB_PERCENT).word_addr && *knob(KNOB_PERCENT).why_not);
	cr_expect(!knob(KNOB_LIMIT).word_addr && *knob(KNOB_LIMIT).why_not);
}

Test(go_knobs, collector_is_not_switched_off_twice)
{
	cr_expect(*knob(KNOB_PERCENT).no_off, "without a limit");
	cr_expect_not(*knob(KNOB_LIMIT).no_off, "with a percentage");
	put64(controller(GO_GCCONTROLLERSTATE_MEMORY_LIMIT), 1 << 30);
	cr_expect_not(*knob(KNOB_PERCENT).no_off, "with a limit");
	put64(controller(GO_GCCONTROLLERSTATE_GC_PERCENT), UINT32_MAX);
	cr_expect(*knob(KNOB_LIMIT).no_off, "without a percentage");
	go.layout.off[GO_GCCONTROLLERSTATE_MEMORY_LIMIT] =
		INT32_MAX - 7; /* cannot be read: then it is not off */
	cr_expect(*knob(KNOB_PERCENT).no_off || *knob(KNOB_PERCENT).why_not);
}

Test(go_knobs, percent_that_nothing_would_come_of_is_not_set)
{
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MINIMUM), (uint64_t) - (4 << 20) / 100);
	cr_expect(strstr(knob(KNOB_PERCENT).why_not, "least heap"));
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MINIMUM), UINT64_C(4) << 40); /* GOGC=100000000 */
	cr_expect_not(*knob(KNOB_PERCENT).why_not);
}

Test(go_knobs, limit_is_not_below_what_lives)
{
	cr_expect(knob(KNOB_LIMIT).min == 16 << 20 && !*knob(KNOB_LIMIT).why_min);
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MARKED), 50 << 20);
	cr_expect(knob(KNOB_LIMIT).min == 50 << 20 && strstr(knob(KNOB_LIMIT).why_min, "52428800"));
	put64(controller(GO_GCCONTROLLERSTATE_HEAP_MARKED), UINT64_MAX); /* no figure */
	cr_expect(knob(KNOB_LIMIT).min == 16 << 20 && !*knob(KNOB_LIMIT).why_min);
}

Test(go_knobs, effect_goes_by_the_release)
{
	go.layout.minor = 23;
	cr_expect(strstr(knob(KNOB_RATE).effect, "what was left"));
	go.layout.minor = 24;
	cr_expect(strstr(knob(KNOB_RATE).effect, "next allocation on each P"));
}

static void put_ring(uint32_t collections)
{
	put32(fake.heap + STATS + go_off(&go, MSTATS_NUMGC), collections);
	for (uint32_t i = 0; i < HF_PULSE_RING; i++) {
		put64(fake.heap + STATS + go_off(&go, MSTATS_PAUSE_NS) + i * 8, i * 1000);
		put64(fake.heap + STATS + go_off(&go, MSTATS_PAUSE_END) + i * 8, i * 1000000000ull);
	}
}

Test(go_knobs, pulse_has_the_newest_first)
{
	static const struct {
		uint32_t collections;
		size_t n;
		double newest, oldest;
	} table[] = {
		{0, 0, 0, 0},
		{1, 1, 0, 0},
		{3, 3, 2, 0},
		{256, 256, 255, 0},
		{257, 256, 0, 1},
		{300, 256, 43, 44},
		{UINT32_MAX, 256, 254, 255},
	};
	struct hf_pulse pulse;

	for (size_t i = 0; i < HF_LEN(table); i++) {
		put_ring(table[i].collections);
		cr_assert_null(go_pulse(&go.rt, &pulse));
		cr_expect_eq(pulse.collections, table[i].collections);
		cr_assert_eq(pulse.n, table[i].n, "row %zu: %zu", i, pulse.n);
		if (!pulse.n)
			continue;
		cr_expect_float_eq(pulse.ended[0], table[i].newest, 1e-6, "row %zu: %g", i, pulse.ended[0]);
		cr_expect_float_eq(pulse.ended[pulse.n - 1], table[i].oldest, 1e-6, "row %zu", i);
		cr_expect_float_eq(pulse.paused_s[0], table[i].newest * 1e-6, 1e-12, "row %zu", i);
	}
}

Test(go_knobs, pulse_that_cannot_be_felt_is_unknown)
{
	struct hf_pulse pulse;

	put_ring(3);
	go.layout.off[GO_MSTATS_PAUSE_END] = HEAP_SIZE; /* beyond what is mapped */
	cr_assert_null(go_pulse(&go.rt, &pulse));
	cr_expect(pulse.collections == HF_UNKNOWN && !pulse.n);
	go.layout.off[GO_MSTATS_PAUSE_END] = -1;
	cr_assert_null(go_pulse(&go.rt, &pulse));
	cr_expect(pulse.collections == HF_UNKNOWN && !pulse.n);
	go.layout.var[GO_VAR_MEMSTATS] = 0;
	go.layout.var[GO_VAR_GOMAXPROCS] = 0x10; /* not mapped */
	cr_assert_null(go_pulse(&go.rt, &pulse));
	cr_expect(pulse.processors == HF_UNKNOWN);
}

Test(go_knobs, collector_that_is_off_forces_nothing)
{
	struct hf_pulse pulse;

	cr_assert_null(go_pulse(&go.rt, &pulse));
	cr_expect_eq(pulse.forced_every_s, 120);
	put64(controller(GO_GCCONTROLLERSTATE_GC_PERCENT), UINT32_MAX);
	cr_assert_null(go_pulse(&go.rt, &pulse));
	cr_expect_eq(pulse.forced_every_s, 0);
}
