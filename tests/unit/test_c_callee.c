/* C as a callee: functions of this very program by name and type, and what is made of runs that never were. */
#define _GNU_SOURCE
#include "../../src/runtime/c/c.h"
#include "sym_target.h"

#include <signal.h>
#include <sys/syscall.h>

/* ---- what is asked about ------------------------------------------------------------------------------------- */

struct c_thing {
	void *extra;
	struct {
		int a, b[3];
	} inner;
};

enum c_color { C_RED, C_GREEN };
typedef void *c_make_fn(struct c_thing *thing);

c_make_fn *c_slot;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes" /* it is what is asked about */
void *(*c_slot_open)();
#pragma GCC diagnostic pop
void (*c_slot_void)(void *);
int (*c_slot_number)(void *);
void *(*c_slot_sized)(size_t);
void *(*c_slot_none)(void);
void *(*c_slot_two)(void *, int);
struct c_thing c_global = {.inner = {.a = 1}};
int c_counter;

#define KEEP __attribute__((noinline, used))
KEEP void *c_good(void *p);
KEEP const char *c_other_pointer(const volatile int *p);
KEEP int c_gives_int(void *p);
KEEP void c_gives_nothing(void *p);
KEEP void *c_takes_double(double d);
KEEP void *c_takes_two(void *p, int n);
KEEP void *c_takes_none(void);
KEEP void *c_takes_any(void *p, ...);
KEEP void *c_takes_whole(struct c_thing t);
KEEP void *c_takes_long(long n);
KEEP enum c_color c_gives_color(void *p);

void *c_good(void *p)
{
	return p;
}
const char *c_other_pointer(const volatile int *p)
{
	return p ? "x" : "y";
}
int c_gives_int(void *p)
{
	return p != NULL;
}
void c_gives_nothing(void *p)
{
	c_counter += p != NULL;
}
void *c_takes_double(double d)
{
	return d > 1 ? &c_counter : NULL;
}
void *c_takes_two(void *p, int n)
{
	return n ? p : NULL;
}
void *c_takes_none(void)
{
	return &c_counter;
}
void *c_takes_any(void *p, ...)
{
	return p;
}
void *c_takes_whole(struct c_thing t)
{
	return t.extra;
}
void *c_takes_long(long n)
{
	return n ? &c_counter : NULL;
}
enum c_color c_gives_color(void *p)
{
	return p ? C_RED : C_GREEN;
}

static struct sym_file file;
static struct hf_target *target;
static struct hf_syms *syms;
static struct hf_callee *callee;
extern const struct hf_callee_ops *const hf_c_callee;

static void open_callee(void)
{
	file = (struct sym_file){.fd = -1};
	target = open_self(&file);
	MUST(hf_syms_open(target, NULL, &syms));
	MUST(hf_c_callee->open(target, syms, NULL, &callee));
}

static void close_callee(void)
{
	hf_c_callee->close(callee);
	hf_syms_close(syms);
	hf_target_close(target);
}

TestSuite(c_callee, .init = open_callee, .fini = close_callee, .timeout = 120);

/* ---- names ---------------------------------------------------------------------------------------------------- */

Test(c_callee, function_is_found_by_name_file_and_address)
{
	struct hf_ctor ctor;
	char text[64];

	MUST(hf_c_callee->find(callee, "c_good", &ctor));
	cr_expect_eq(ctor.code, (uint64_t)c_good);
	cr_expect_eq(ctor.value, ctor.code);
	snprintf(text, sizeof(text), "0x%lx", (unsigned long)(uintptr_t)c_good);
	MUST(hf_c_callee->find(callee, text, &ctor));
	cr_expect_str_eq(ctor.name, "c_good");
	MUST(hf_c_callee->find(callee, "test_c_callee:c_good", &ctor));
	cr_expect_eq(ctor.code, (uint64_t)c_good);
}

Test(c_callee, what_is_no_function_is_refused_in_one_line)
{
	static char long_name[5000];
	char middle[64], data[64];
	const struct {
		const char *name, *why;
	} bad[] = {
		{"c_goot", "nearest are c_good"},
		{"", "there is no function"},
		{"c_counter", "is a variable"},
		{"0x", "is no address"},
		{"0xzz", "is no address"},
		{"0x1", "there is no code"},
		{"0xffffffffffffffffff", "is no address"},
		{middle, "is in the middle of c_good"},
		{data, "no code"},
		{":", "there is no function"},
		{"libnone.so:c_good", "there is no function"},
		{long_name, "there is no function"},
		{"%s%n", "there is no function"},
	};

	memset(long_name, 'x', sizeof(long_name) - 1);
	snprintf(middle, sizeof(middle), "0x%lx", (unsigned long)(uintptr_t)c_good + 1);
	snprintf(data, sizeof(data), "0x%lx", (unsigned long)(uintptr_t)&c_counter);
	for (size_t i = 0; i < HF_LEN(bad); i++) {
		struct hf_ctor ctor;
		struct hf_err *err = hf_c_callee->find(callee, bad[i].name, &ctor);

		cr_assert_eq(hf_err_code(err), HF_USAGE, "%.40s", bad[i].name);
		cr_expect(strstr(hf_err_message(err), bad[i].why), "%s", hf_err_message(err));
		cr_expect_not(strchr(hf_err_message(err), '\n'));
		hf_err_destroy(err);
	}
}

/* ---- types ---------------------------------------------------------------------------------------------------- */

static struct hf_ctor_slot slot_of(const char *variable)
{
	struct hf_ctor_slot slot = {
		.pool = "things", .kind = "described", .function = "", .item_type_name = ""};
	struct hf_variable v;

	slot.object_size = sizeof(struct c_thing);
	if (variable) {
		cr_assert(hf_syms_find_variable(syms, variable, &v));
		slot.slot_type = v.type;
	}
	return slot;
}

static enum hf_refusal check(const char *variable, const char *function, char kind[32], char what[256])
{
	struct hf_ctor_slot slot = slot_of(variable);
	struct hf_findings found = {0};
	enum hf_refusal refusal = HF_REFUSAL_NONE;
	struct hf_ctor ctor;

	kind[0] = what[0] = '\0';
	MUST(hf_c_callee->find(callee, function, &ctor));
	MUST(hf_c_callee->check(callee, &slot, &ctor, &found));
	hf_vec_each(&found.list, f) {
		refusal = f->refusal;
		snprintf(kind, 32, "%s", f->kind);
		snprintf(what, 256, "%s", f->what);
	}
	hf_findings_deinit(&found);
	return refusal;
}

Test(c_callee, type_of_a_function_is_held_against_that_of_the_slot)
{
	static const struct {
		const char *slot, *function;
		enum hf_refusal refusal;
		const char *kind;
	} cases[] = {
		{"c_slot", "c_good", HF_REFUSAL_NONE, ""},
		{"c_slot", "c_other_pointer", HF_REFUSAL_NONE, ""},
		{"c_slot", "c_gives_int", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_gives_nothing", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_double", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_two", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_none", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_any", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_whole", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot", "c_takes_long", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot_open", "c_takes_double", HF_REFUSAL_NONE, ""},
		{"c_slot_open", "c_gives_int", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot_void", "c_gives_nothing", HF_REFUSAL_NONE, ""},
		{"c_slot_void", "c_good", HF_REFUSAL_SIGNATURE, "signature"},
		{"c_slot_number", "c_gives_color", HF_REFUSAL_NONE, ""},
		{"c_slot_sized", "c_takes_long", HF_REFUSAL_NONE, ""},
		{"c_slot_none", "c_takes_none", HF_REFUSAL_NONE, ""},
		{"c_slot_two", "c_takes_two", HF_REFUSAL_NONE, "arguments"},
		{"c_counter", "c_good", HF_REFUSAL_NONE, "unchecked"},
		{NULL, "c_good", HF_REFUSAL_NONE, "unchecked"},
	};
	char kind[32], what[256];

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		cr_expect_eq(check(cases[i].slot, cases[i].function, kind, what), cases[i].refusal,
			     "%s, %s: %s", cases[i].slot, cases[i].function, what);
		cr_expect_str_eq(kind, cases[i].kind, "%s, %s: %s", cases[i].slot, cases[i].function, what);
	}
	check("c_slot", "c_takes_double", kind, what);
	cr_expect_str_eq(what, "c_takes_double is void * (double), the pool calls void * (struct c_thing *)");
}

Test(c_callee, call_is_made_as_the_function_says)
{
	static const struct {
		const char *function;
		bool object, size;
		enum c_answer answer;
	} cases[] = {
		{"c_good", true, false, C_ANSWERS_POINTER},
		{"c_takes_long", false, true, C_ANSWERS_POINTER},
		{"c_takes_none", false, false, C_ANSWERS_POINTER},
		{"c_gives_nothing", true, false, C_ANSWERS_NOTHING},
		{"c_gives_color", true, false, C_ANSWERS_NUMBER},
		{"c_takes_double", false, false, C_ANSWERS_POINTER},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_ctor_slot slot = slot_of("c_slot");
		struct hf_ctor ctor;
		struct c_call call;

		MUST(hf_c_callee->find(callee, cases[i].function, &ctor));
		c_call_find(callee, &slot, &ctor, &call);
		cr_expect_eq(call.takes_object, cases[i].object, "%s", cases[i].function);
		cr_expect_eq(call.takes_size, cases[i].size, "%s", cases[i].function);
		cr_expect_eq(call.answer, cases[i].answer, "%s", cases[i].function);
	}
}

/* ---- runs that never were ---------------------------------------------------------------------------------------- */

#define SCRATCH UINT64_C(0x20000000)
#define OBJECT  (SCRATCH + GHOST_OBJECT_OFFSET)

struct trial {
	struct hf_ctor_slot slot;
	struct hf_ctor ctor;
	struct hf_ghost_job job;
	struct hf_ghost_run run;
	struct hf_judgement judgement;
	struct hf_findings findings;
	struct c_run own;
};

static void begin(struct trial *t)
{
	*t = (struct trial){.slot = slot_of("c_slot")};
	MUST(hf_c_callee->find(callee, "c_good", &t->ctor));
	t->job.scratch = SCRATCH;
	t->job.object_size = sizeof(struct c_thing);
	t->job.own = &t->own;
	t->run.end.kind = GHOST_END_RETURNED;
	t->run.end.tag = GHOST_NO_TAG;
	t->run.end.pc = t->ctor.code;
	t->run.end.regs[GHOST_RAX] = OBJECT;
}

static void judge(struct trial *t)
{
	MUST(hf_c_callee->judge(callee, &t->slot, &t->ctor, &t->job, &t->run, &t->judgement, &t->findings));
	hf_vec_each(&t->findings.list, f) {
		cr_expect(f->kind[0] && f->what[0]);
		cr_expect_not(strchr(f->what, '\n'));
	}
}

static void end(struct trial *t)
{
	hf_ghost_run_deinit(&t->run);
	hf_judgement_deinit(&t->judgement);
	hf_findings_deinit(&t->findings);
}

/* The one finding, by its refusal and a part of its text. */
static void expect_finding(struct trial *t, enum hf_refusal refusal, const char *text)
{
	hf_vec_each(&t->findings.list, f)
		if (f->refusal == refusal && strstr(f->what, text))
			return;
	cr_expect(false, "no finding \"%s\"; the first is \"%s\"", text,
		  t->findings.list.n ? t->findings.list.at[0].what : "");
}

Test(c_callee, run_that_gives_the_object_back_is_sound)
{
	struct trial t;

	begin(&t);
	judge(&t);
	cr_expect_eq(t.findings.list.n, 0);
	cr_expect_eq(t.judgement.result, OBJECT);
	end(&t);
}

Test(c_callee, end_of_a_run_is_told_by_name)
{
	static const struct {
		enum ghost_end_kind kind;
		uint64_t number, addr;
		uint32_t tag;
		enum hf_refusal refusal;
		const char *text;
	} cases[] = {
		{GHOST_END_SYSCALL, SYS_write, 0, GHOST_NO_TAG, HF_REFUSAL_SYSCALL, "system call write"},
		{GHOST_END_SYSCALL, UINT64_MAX, 0, GHOST_NO_TAG, HF_REFUSAL_SYSCALL,
		 "number 18446744073709551615"},
		{GHOST_END_SYSCALL, 399, 0, GHOST_NO_TAG, HF_REFUSAL_SYSCALL, "number 399"},
		{GHOST_END_BLOCKS, SYS_futex, 0, GHOST_NO_TAG, HF_REFUSAL_BLOCKS,
		 "it waits: futex, for c_counter"},
		{GHOST_END_BLOCKS, SYS_futex, 0, 0, HF_REFUSAL_INCONCLUSIVE, "the allocator was locked"},
		{GHOST_END_BLOCKS, SYS_nanosleep, 0, GHOST_NO_TAG, HF_REFUSAL_BLOCKS, "it waits: nanosleep"},
		{GHOST_END_FAULT, SIGSEGV, 8, GHOST_NO_TAG, HF_REFUSAL_FAULT, "0x8, where nothing is mapped"},
		{GHOST_END_FAULT, 4242, UINT64_MAX, GHOST_NO_TAG, HF_REFUSAL_FAULT, "a signal at"},
		{GHOST_END_SHARED, 0, 16, GHOST_NO_TAG, HF_REFUSAL_SIDE_EFFECT, "shared"},
		{GHOST_END_UNKNOWN, 0, 16, GHOST_NO_TAG, HF_REFUSAL_INCONCLUSIVE, "may be shared"},
		{GHOST_END_HOOK, 0, 0, 0, HF_REFUSAL_INCONCLUSIVE, "was not to end at"},
		{GHOST_END_HOOK, 0, 0, 123456, HF_REFUSAL_INCONCLUSIVE, "was not to end at"},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct trial t;

		begin(&t);
		t.run.end.kind = cases[i].kind;
		t.run.end.number = cases[i].number;
		t.run.end.addr = cases[i].addr;
		t.run.end.tag = cases[i].tag;
		t.run.end.args[0] = (uint64_t)&c_counter;
		judge(&t);
		expect_finding(&t, cases[i].refusal, cases[i].text);
		cr_expect_eq(t.judgement.result, 0);
		end(&t);
	}
}

Test(c_callee, functions_that_end_a_run_have_their_own_reasons)
{
	const struct c_callee *c = (const struct c_callee *)callee;
	size_t seen = 0;

	for (uint32_t i = 0; i < c->names.n; i++) {
		const struct c_name *name = c->names.at[i].name;
		struct trial t;

		if (name->role != C_ENDS)
			continue;
		begin(&t);
		t.run.end.kind = GHOST_END_HOOK;
		t.run.end.tag = i;
		judge(&t);
		expect_finding(&t, name->refusal, name->name);
		end(&t);
		seen++;
	}
	cr_expect_gt(seen, 10, "the C library's functions were not found");
	cr_expect_eq(c->hooks.n, c->names.n);
}

static struct ghost_change change_of(const void *at, uint32_t len, uint64_t before, uint64_t after)
{
	struct ghost_change ch = {.addr = (uint64_t)at, .len = len};

	memcpy(ch.before, &before, sizeof(before));
	memcpy(ch.after, &after, sizeof(after));
	return ch;
}

Test(c_callee, changes_are_named_by_variable_and_member)
{
	struct trial t;
	uint64_t base = (uint64_t)&c_global;
	struct ghost_change ch = change_of((void *)(base + 16), 8, 0, 7);

	begin(&t);
	MUST(hf_vec_push(&t.run.changes, ch));
	judge(&t);
	expect_finding(&t, HF_REFUSAL_SIDE_EFFECT, "writes c_global.inner.b[1]: 0 -> 7");
	end(&t);

	begin(&t);
	ch.by_allocator = 1;
	MUST(hf_vec_push(&t.run.changes, ch));
	judge(&t);
	cr_expect_eq(t.findings.list.n, 0);
	cr_expect_eq(t.judgement.metadata_bytes, 1);
	end(&t);

	begin(&t);
	ch = change_of((void *)base, 8, 0, OBJECT + 8);
	MUST(hf_vec_push(&t.run.changes, ch));
	judge(&t);
	expect_finding(&t, HF_REFUSAL_SIDE_EFFECT, "writes c_global.extra");
	expect_finding(&t, HF_REFUSAL_RETAINS, "c_global.extra now points to what it made");
	end(&t);

	begin(&t);
	ch = change_of((void *)(uintptr_t)(OBJECT + sizeof(struct c_thing)), 8, 0, 1);
	MUST(hf_vec_push(&t.run.changes, ch));
	judge(&t);
	expect_finding(&t, HF_REFUSAL_SIDE_EFFECT, "0 bytes past the end of its object");
	end(&t);
}

Test(c_callee, result_must_be_the_object_or_new)
{
	static const struct ghost_allocation block = {.addr = 0x7000, .bytes = 100, .tag = GHOST_NO_TAG};
	const struct {
		uint64_t result;
		enum hf_refusal refusal;
		const char *text;
	} bad[] = {
		{0, HF_REFUSAL_NULL, "returns NULL"},
		{(uint64_t)&c_counter, HF_REFUSAL_RETAINS, "what was there before: c_counter"},
		{0x7000 + 100, HF_REFUSAL_RETAINS, "what was there before"},
		{0x6fff, HF_REFUSAL_RETAINS, "what was there before"},
		{SCRATCH + GHOST_STACK_OFFSET, HF_REFUSAL_RETAINS, "of its stack"},
		{UINT64_MAX, HF_REFUSAL_RETAINS, "what was there before"},
	};
	struct trial t;

	for (size_t i = 0; i < HF_LEN(bad); i++) {
		begin(&t);
		MUST(hf_vec_push(&t.run.allocations, block));
		t.run.end.regs[GHOST_RAX] = bad[i].result;
		judge(&t);
		expect_finding(&t, bad[i].refusal, bad[i].text);
		end(&t);
	}
	begin(&t);
	MUST(hf_vec_push(&t.run.allocations, block));
	t.run.end.regs[GHOST_RAX] = 0x7000;
	judge(&t);
	cr_expect_eq(t.findings.list.n, 0);
	cr_expect_eq(t.judgement.allocated_bytes, 100);
	end(&t);
}

Test(c_callee, what_is_mapped_counts_until_it_is_unmapped)
{
	struct ghost_event map = {.kind = GHOST_EVENT_SYSCALL,
				  .tag = GHOST_NO_TAG,
				  .number = SYS_mmap,
				  .args = {0, 8192},
				  .result = 0x9000},
			   unmap = {.kind = GHOST_EVENT_SYSCALL,
				    .tag = GHOST_NO_TAG,
				    .number = SYS_munmap,
				    .args = {0x9000, 8192}},
			   failed = map, own = map,
			   old = {.kind = GHOST_EVENT_FREE, .number = (uint64_t)&c_counter};
	struct trial t;

	failed.result = (uint64_t)-12;
	own.tag = 0;
	begin(&t);
	MUST(hf_vec_push(&t.run.events, map));
	MUST(hf_vec_push(&t.run.events, failed));
	MUST(hf_vec_push(&t.run.events, own));
	judge(&t);
	cr_expect_eq(t.judgement.allocated_bytes, 8192);
	end(&t);
	begin(&t);
	MUST(hf_vec_push(&t.run.events, map));
	MUST(hf_vec_push(&t.run.events, unmap));
	MUST(hf_vec_push(&t.run.events, old));
	judge(&t);
	cr_expect_eq(t.judgement.allocated_bytes, 0);
	expect_finding(&t, HF_REFUSAL_SIDE_EFFECT, "frees what was there before: c_counter");
	end(&t);
}

Test(c_callee, old_heap_counts_where_the_function_stored_it)
{
	uint64_t heap = 0x30000000, words[2] = {heap + 64, heap + 128};
	struct hf_map map = {
		.start = heap, .end = heap + 4096, .readable = true, .writable = true, .path = "[heap]"};
	uint8_t bits[8] = {2};
	struct hf_ghost_contents contents = {.addr = OBJECT, .len = sizeof(words), .stored = sizeof(words)};
	struct trial t;

	/* Below all others of this process. */
	MUST(hf_vec_push(&target->maps, map));
	memmove(target->maps.at + 1, target->maps.at, (target->maps.n - 1) * sizeof(map));
	target->maps.at[0] = map;
	begin(&t);
	for (size_t i = 0; i < sizeof(words); i++)
		MUST(hf_vec_push(&t.run.bytes, ((uint8_t *)words)[i]));
	for (size_t i = 0; i < sizeof(bits); i++)
		MUST(hf_vec_push(&t.run.bytes, bits[i]));
	MUST(hf_vec_push(&t.run.contents, contents));
	judge(&t);
	cr_expect_eq(t.findings.list.n, 1);
	expect_finding(&t, HF_REFUSAL_RETAINS, "the heap, at 0x30000080");
	end(&t);
}

Test(c_callee, absurd_figures_of_a_run_are_survived)
{
	struct ghost_allocation huge = {.addr = UINT64_MAX, .bytes = UINT64_MAX, .tag = 0};
	struct ghost_change ch = change_of((void *)UINTPTR_MAX, UINT32_MAX, 1, 2);
	struct trial t;

	begin(&t);
	MUST(hf_vec_push(&t.run.allocations, huge));
	MUST(hf_vec_push(&t.run.allocations, huge));
	MUST(hf_vec_push(&t.run.changes, ch));
	t.run.end.changes_lost = 9;
	t.run.end.trace_n = UINT32_MAX;
	judge(&t);
	cr_expect_eq(t.judgement.allocated_bytes, UINT64_MAX);
	expect_finding(&t, HF_REFUSAL_SIDE_EFFECT, "more places than are told");
	end(&t);
}
