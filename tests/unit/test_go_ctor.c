/* Constructors of Go's pools: which are found and refused unseen, what is borrowed for a call, what a run says. */
#include "../../src/runtime/go/ctor.h"
#include "../../src/sym/internal.h"
#include "go_fake.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

static struct hf_syms syms; /* which know of nothing */
static struct hf_target *target;
static struct go go;
static struct go_callee callee;
static struct hf_findings findings;

static void open_syms(void)
{
	cr_assert_null(hf_vec_push(&syms.modules, (struct hf_module){0}));
	go.syms = &syms;
	callee = (struct go_callee){.c = {.t = target, .syms = &syms}, .go = &go};
}

static void close_syms(void)
{
	hf_findings_deinit(&findings);
	hf_vec_deinit(&callee.hooks);
	hf_vec_deinit(&syms.modules);
	hf_arena_deinit(&syms.arena);
}

static void assert_err(struct hf_err *err, enum hf_err_code code)
{
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	hf_err_destroy(err);
}

/* The first reason in order. */
static enum hf_refusal reason(void)
{
	enum hf_refusal first = HF_REFUSAL_NONE;

	hf_vec_each(&findings.list, f)
		if (f->refusal && (!first || f->refusal < first))
			first = f->refusal;
	return first;
}

static bool says(const char *text)
{
	hf_vec_each(&findings.list, f)
		if (strstr(f->what, text))
			return true;
	return false;
}

/* ---- by the tables of functions ------------------------------------------------------------------------------- */

#define TEXT(off) fake_addr(FAKE_TEXT + (off))

static struct fake fake;

static void set_up(void)
{
	struct hf_mem_range range = {FAKE_BASE, fake.at, sizeof(fake.at), true};

	fake_init(&fake);
	cr_assert_null(hf_target_open_mem(&range, 1, &target));
	target->stopped = true;
	fake_open(&go, target);
	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_types_create(&go));
	open_syms();
}

static void tear_down(void)
{
	close_syms();
	go_types_destroy(&go);
	fake_close(&go);
	hf_target_close(target);
}

TestSuite(go_ctor_find, .init = set_up, .fini = tear_down);

static uint32_t func_at(unsigned i)
{
	return FAKE_FUNCS + i * 72;
}

Test(go_ctor_find, name_and_address_find_one_function)
{
	const char *const names[] = {"main.leaf", "leaf", "0x108000"};

	for (size_t i = 0; i < HF_LEN(names); i++) {
		struct hf_ctor ctor;

		cr_assert_null(go_ctor_find(&callee.c, names[i], &ctor), "%s", names[i]);
		cr_expect_eq(ctor.code, TEXT(LEAF));
		cr_expect_str_eq(ctor.name, "main.leaf");
		cr_expect_eq(ctor.value, 0);
	}
}

Test(go_ctor_find, function_value_at_an_address_finds_its_function)
{
	struct hf_ctor ctor;

	fake_u64(&fake, FAKE_HEAP, TEXT(CALLER));
	cr_assert_null(go_ctor_find(&callee.c, "0x109000", &ctor));
	cr_expect_eq(ctor.code, TEXT(CALLER));
	cr_expect_eq(ctor.value, fake_addr(FAKE_HEAP));
}

Test(go_ctor_find, what_is_no_function_is_refused)
{
	const char *const names[] = {
		"",           "main",     "main.",    "main.leaves and more", "0x",  "0x108001",
		"0x108000zz", "0x109004", "0x109000", "0xffffffffffffffff",   "0x1", "0xfffffffffffffffff",
		"main.leaf ",
	};

	for (size_t i = 0; i < HF_LEN(names); i++) {
		struct hf_ctor ctor;
		struct hf_err *err = go_ctor_find(&callee.c, names[i], &ctor);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "\"%s\"", names[i]);
		hf_err_destroy(err);
	}
}

Test(go_ctor_find, misspelt_name_gets_the_nearest)
{
	struct hf_ctor ctor;
	struct hf_err *err = go_ctor_find(&callee.c, "main.laef", &ctor);

	cr_assert_eq(hf_err_code(err), HF_USAGE);
	cr_expect(strstr(hf_err_message(err), "main.leaf"), "%s", hf_err_message(err));
	hf_err_destroy(err);
}

Test(go_ctor_find, function_without_arguments_passes)
{
	struct hf_ctor_slot slot = {0};
	struct hf_ctor ctor = {.code = TEXT(LEAF)};

	cr_assert_null(go_ctor_check(&callee.c, &slot, &ctor, &findings));
	cr_expect_eq(reason(), HF_REFUSAL_NONE);
}

Test(go_ctor_find, what_no_pool_may_call_is_refused_unseen)
{
	const struct {
		uint32_t at, value; /* of its _func */
		uint64_t code, funcval;
		const char *name; /* over its own, of as many bytes at least */
		enum hf_refusal reason;
	} rows[] = {
		{8, 16, TEXT(CALLER), 0, NULL, HF_REFUSAL_SIGNATURE}, /* takes arguments */
		{8, UINT32_MAX, TEXT(CALLER), 0, NULL, HF_REFUSAL_SIGNATURE},
		{8, (uint32_t)INT32_MIN, TEXT(CALLER), 0, NULL, HF_REFUSAL_SIGNATURE}, /* it is not known */
		{40, 4 << 8 | 4 << 24, TEXT(CALLER), 0, NULL, HF_REFUSAL_SIGNATURE},   /* assembly */
		{40, 23 | 4u << 24, TEXT(CALLER), 0, NULL, HF_REFUSAL_SIGNATURE},      /* a wrapper */
		{36, 0, TEXT(CALLER) + 1, 0, NULL, HF_REFUSAL_SIGNATURE},              /* not its start */
		{36, 0, 0, 0, NULL, HF_REFUSAL_SIGNATURE},
		{36, 0, fake_addr(FAKE_HEAP), 0, NULL, HF_REFUSAL_SIGNATURE},
		{36, 0, UINT64_MAX, 0, NULL, HF_REFUSAL_SIGNATURE},
		{36, 0, TEXT(CALLER), fake_addr(FAKE_HEAP), NULL, HF_REFUSAL_CAPTURES}, /* allocated */
		{36, 0, TEXT(CALLER), 0, "m.f.func1", HF_REFUSAL_CAPTURES}, /* no constant value */
		{36, 0, TEXT(CALLER), 0, "m.T.New-fm", HF_REFUSAL_CAPTURES},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_ctor_slot slot = {0};
		struct hf_ctor ctor = {.code = rows[i].code, .value = rows[i].funcval};

		tear_down();
		findings = (struct hf_findings){0};
		set_up();
		fake_u32(&fake, func_at(1) + rows[i].at, rows[i].value);
		if (rows[i].name)
			strcpy((char *)fake.at + FAKE_NAMES + hf_load_u32(fake.at + func_at(1) + 4),
			       rows[i].name);
		go_modules_deinit(&go);
		cr_assert_null(go_modules_read(&go));
		cr_assert_null(go_ctor_check(&callee.c, &slot, &ctor, &findings), "row %zu", i);
		cr_expect_eq(reason(), rows[i].reason, "row %zu: %s", i, hf_refusal_name(reason()));
	}
}

Test(go_ctor_find, program_without_the_allocator_is_unsupported)
{
	assert_err(go_hooks_find(&callee), HF_UNSUPPORTED);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */

/* In LISTS: one thread's M and g0, a P, its cache, the pool. */
enum { M = 0x0, G0 = 0x800, P = 0xc00 };
enum { CACHE = 0x14000, ALLP = 0x15000, ARENAS = 0x15100, SLOT = 0x15200, TLS = 0x15400 }; /* of meta */
enum { TID = 77, SWEEPGEN = 6 };

static struct go_heap_fake heap;
static uint8_t processor[0x4000];
#define P_BASE 0x2000000u

static void put_member(uint32_t at, enum go_field field, uint64_t value)
{
	put64(heap.meta + at + go.layout.off[field], value);
}

static void set_up_heap(void)
{
	struct hf_mem_range ranges[] = {{META_BASE, heap.meta, META_SIZE, true},
					{HEAP_BASE, heap.heap, HEAP_SIZE, true},
					{P_BASE, processor, sizeof(processor), true}};

	fake_heap_init(&heap);
	heap.meta[TYPES + T_NODE_PTR + 20] |= 32; /* direct in interfaces */
	memset(processor, 0, sizeof(processor));
	memset(&go, 0, sizeof(go));
	cr_assert_null(hf_target_open_mem(ranges, HF_LEN(ranges), &target));
	go.t = target;
	go_layout_from_table(&go.layout, 26);
	go.version = NULL;
	go.layout.var[GO_VAR_MHEAP] = meta_addr(MHEAP);
	go.layout.var[GO_VAR_ALLP] = meta_addr(ALLP);
	go.layout.var[GO_VAR_ZEROBASE] = list_addr(0x40);
	cr_assert_null(hf_vec_push(&go.modules, ((struct go_module){.types = type_addr(0),
								    .etypes = meta_addr(TYPES_END),
								    .bss = list_addr(0),
								    .ebss = list_addr(0x100)})));
	cr_assert_null(go_types_create(&go));
	open_syms();
}

static void tear_down_heap(void)
{
	close_syms();
	fake_heap_close(&go, target);
}

/* A thread whose M is idle, an idle P with a cache that is up to date. */
static void put_machine(void)
{
	struct hf_thread thread = {.tid = TID, .ns_tid = TID, .state = HF_THREAD_STOPPED};
	uint64_t p = P_BASE;

	thread.regs.tls = meta_addr(TLS);
	cr_assert_null(hf_vec_push(&target->threads, thread));
	put64(heap.meta + TLS - 8, list_addr(G0));
	put_member(LISTS + G0, GO_G_M, list_addr(M));
	put_member(LISTS + M, GO_M_G0, list_addr(G0));
	put_member(LISTS + M, GO_M_PROCID, TID);
	put64(processor + go.layout.off[GO_P_MCACHE], meta_addr(CACHE));
	put_member(CACHE, GO_MCACHE_ALLOC, meta_addr(SPANS));
	put_member(CACHE, GO_MCACHE_FLUSH_GEN, SWEEPGEN);
	put_member(MHEAP, GO_MHEAP_SWEEPGEN, SWEEPGEN);
	put64(heap.meta + ALLP, meta_addr(ALLP + 0x40));
	put64(heap.meta + ALLP + 8, 1);
	put64(heap.meta + ALLP + 0x40, p);
	put_member(MHEAP, GO_MHEAP_HEAP_ARENAS, meta_addr(ARENAS));
	put64(heap.meta + MHEAP + go.layout.off[GO_MHEAP_HEAP_ARENAS] + 8, 1);
	put64(heap.meta + ARENAS, 1u << 21 | HEAP_BASE >> GO_ARENA_SHIFT);
	put64(heap.meta + SLOT, 0x1234);
}

TestSuite(go_ctor, .init = set_up_heap, .fini = tear_down_heap);

static struct hf_err *prepare(struct hf_ghost_job *job)
{
	struct hf_ctor_slot slot = {.slot_addr = meta_addr(SLOT), .value = 0x1234};
	struct hf_ctor ctor = {.code = 0x401000};

	*job = (struct hf_ghost_job){.scratch = 0x10000000};
	return go_ctor_prepare(&callee.c, &slot, &ctor, job);
}

static void deinit_job(struct hf_ghost_job *job)
{
	hf_go_callee->deinit_job(&callee.c, job);
	hf_ghost_job_deinit(job);
}

static bool has_write(const struct hf_ghost_job *job, uint64_t addr, uint64_t value)
{
	hf_vec_each(&job->writes, w)
		if (w->addr == addr && hf_load_u64(w->bytes) == value)
			return true;
	return false;
}

Test(go_ctor, idle_thread_and_processor_are_borrowed)
{
	uint64_t g = 0x10000000 + GHOST_STACK_OFFSET + GHOST_STACK_SIZE - GHOST_PAGE;
	struct hf_ghost_job job;

	put_machine();
	cr_assert_null(prepare(&job));
	cr_expect_eq(job.rip, 0x401000);
	cr_expect_eq(job.fs_base, meta_addr(TLS));
	cr_expect_eq(job.regs[GHOST_R14], g);
	cr_expect_eq(job.regs[GHOST_RSP] % 16, 8);
	cr_expect(has_write(&job, meta_addr(TLS - 8), g));
	cr_expect(has_write(&job, list_addr(M) + (uint64_t)go.layout.off[GO_M_P], P_BASE));
	cr_expect(has_write(&job, P_BASE + (uint64_t)go.layout.off[GO_P_M], list_addr(M)));
	cr_expect_not(has_write(&job, P_BASE + (uint64_t)go.layout.off[GO_P_MCACHE], g + 1024));
	cr_expect(go_call_had(job.own, heap_addr(SMALL)));
	cr_expect_not(go_call_had(job.own, 0x401000));
	cr_expect_not(go_call_had(job.own, UINT64_MAX));
	deinit_job(&job);
}

Test(go_ctor, processor_within_the_allocator_gets_a_cache_of_its_own)
{
	static const struct {
		uint32_t at; /* of meta */
		enum go_field field;
		uint64_t value;
		bool owned;
	} rows[] = {
		{LISTS + M, GO_M_MALLOCING, 1, true},
		{LISTS + M, GO_M_LOCKS, 2, true},
		{CACHE, GO_MCACHE_FLUSH_GEN, SWEEPGEN - 2, false},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		uint64_t g = 0x10000000 + GHOST_STACK_OFFSET + GHOST_STACK_SIZE - GHOST_PAGE;
		struct hf_ghost_job job;

		tear_down_heap();
		set_up_heap();
		put_machine();
		put64(processor + go.layout.off[GO_P_M], rows[i].owned ? list_addr(M) : 0);
		put32(heap.meta + rows[i].at + go.layout.off[rows[i].field], (uint32_t)rows[i].value);
		put32(processor + go.layout.off[GO_P_STATS_SEQ], 7);
		cr_assert_null(prepare(&job), "row %zu", i);
		cr_expect(has_write(&job, P_BASE + (uint64_t)go.layout.off[GO_P_MCACHE], g + 1024), "row %zu",
			  i);
		cr_expect(has_write(&job, P_BASE + (uint64_t)go.layout.off[GO_P_STATS_SEQ], 8), "row %zu", i);
		deinit_job(&job);
	}
}

Test(go_ctor, what_cannot_be_borrowed_is_told)
{
	static const struct {
		uint32_t at; /* of meta; above META_SIZE: of the P */
		uint64_t value;
		enum hf_err_code code;
	} rows[] = {
		{TLS - 8, 0, HF_STALE},
		{TLS - 8, 1, HF_STALE},
		{TLS - 8, UINT64_MAX, HF_STALE},
		{LISTS + G0 + 48, 0, HF_STALE}, /* g.m */
		{LISTS + G0 + 48, META_BASE + 4, HF_STALE},
		{LISTS + M, 0, HF_STALE}, /* m.g0 */
		{LISTS + M, META_BASE, HF_STALE},
		{LISTS + M + 64, TID + 1, HF_STALE}, /* m.procid: another thread's */
		{ALLP, 0, HF_STALE},
		{ALLP, UINT64_MAX - 7, HF_STALE},
		{ALLP + 8, UINT64_MAX, HF_STALE},
		{ALLP + 8, 0, HF_STALE},
		{ALLP + 0x40, 0, HF_STALE},
		{ALLP + 0x40, 12, HF_STALE},
		{META_SIZE + 4, 4, HF_STALE},                /* p.status: dead */
		{META_SIZE + 56, 0, HF_STALE},               /* p.mcache */
		{MHEAP, 1, HF_STALE},                        /* mheap_.lock */
		{SLOT, 0x1235, HF_STALE},                    /* another constructor by now */
		{MHEAP + 66096 + 8, UINT64_MAX, HF_BADDATA}, /* arenas */
		{MHEAP + 66096 + 8, (1u << 21) + 1, HF_BADDATA},
		{MHEAP + 66096, 0, HF_FAULT},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_ghost_job job;
		struct hf_err *err;

		tear_down_heap();
		set_up_heap();
		put_machine();
		if (rows[i].at < META_SIZE)
			put64(heap.meta + rows[i].at, rows[i].value);
		else
			put32(processor + rows[i].at - META_SIZE, (uint32_t)rows[i].value);
		err = prepare(&job);
		cr_expect_eq(hf_err_code(err), rows[i].code, "row %zu: %s", i,
			     err ? hf_err_message(err) : "none");
		hf_err_destroy(err);
		deinit_job(&job);
	}
}

Test(go_ctor, thread_that_is_not_stopped_is_not_borrowed)
{
	struct hf_ghost_job job;

	put_machine();
	target->threads.at[0].state = HF_THREAD_STUCK;
	assert_err(prepare(&job), HF_STALE);
	deinit_job(&job);
}

/* ---- what a run says -------------------------------------------------------------------------------------------------- */

enum { MADE = 0xe000, MADE_BYTES = 32 }; /* of the heap */

static struct hf_ghost_run run;
static struct hf_judgement judgement;
static struct hf_ghost_job judged;

static void set_up_run(void)
{
	static uint64_t arena[] = {HEAP_BASE >> GO_ARENA_SHIFT};
	struct go_call *call;

	set_up_heap();
	call = hf_calloc(1, sizeof(*call));
	cr_assert(call);
	cr_assert_null(hf_vec_push(&call->arenas, arena[0]));
	judged = (struct hf_ghost_job){.own = call};
	run = (struct hf_ghost_run){0};
	judgement = (struct hf_judgement){0};
	run.end.kind = GHOST_END_RETURNED;
	run.end.regs[GHOST_RAX] = type_addr(T_NODE_PTR);
	run.end.regs[GHOST_RBX] = heap_addr(MADE);
	cr_assert_null(hf_vec_push(&run.allocations, ((struct ghost_allocation){.addr = heap_addr(MADE),
										.bytes = MADE_BYTES,
										.info = type_addr(T_NODE)})));
	for (unsigned i = 0; i < MADE_BYTES; i++)
		cr_assert_null(hf_vec_push(&run.bytes, (uint8_t)0));
	cr_assert_null(
		hf_vec_push(&run.contents, ((struct hf_ghost_contents){heap_addr(MADE), MADE_BYTES, 0, 0})));
}

static void tear_down_run(void)
{
	hf_judgement_deinit(&judgement);
	hf_ghost_run_deinit(&run);
	deinit_job(&judged);
	tear_down_heap();
}

TestSuite(go_ctor_judge, .init = set_up_run, .fini = tear_down_run);

static void judge(void)
{
	struct hf_ctor_slot slot = {.item_type = type_addr(T_NODE_PTR)};
	struct hf_ctor ctor = {.code = 0x401000};

	cr_assert_null(go_ctor_judge(&callee.c, &slot, &ctor, &judged, &run, &judgement, &findings));
}

static void judge_as(enum hf_refusal wanted)
{
	judge();
	cr_expect_eq(reason(), wanted, "%s", hf_refusal_name(reason()));
}

static struct hf_ctor_slot unknown_slot = {.code = 0x402000};

Test(go_ctor_judge, items_of_unknown_type_leave_it_open)
{
	struct hf_ctor ctor = {.code = 0x401000};

	cr_assert_null(go_ctor_judge(&callee.c, &unknown_slot, &ctor, &judged, &run, &judgement, &findings));
	cr_expect_eq(reason(), HF_REFUSAL_INCONCLUSIVE, "%s", hf_refusal_name(reason()));
}

Test(go_ctor_judge, what_the_pool_has_now_says_what_its_items_are)
{
	struct hf_ctor ctor = {.code = 0x402000};

	cr_assert_null(go_ctor_judge(&callee.c, &unknown_slot, &ctor, &judged, &run, &judgement, &findings));
	cr_expect_eq(reason(), HF_REFUSAL_NONE, "%s", hf_refusal_name(reason()));
	cr_expect_eq(judgement.result_type, type_addr(T_NODE_PTR));
}

Test(go_ctor_judge, fresh_object_of_the_right_type_passes)
{
	judge_as(HF_REFUSAL_NONE);
	cr_expect_eq(judgement.result, heap_addr(MADE));
	cr_expect_str_eq(judgement.result_type_name, "*main.Node");
	cr_expect_eq(judgement.allocated_bytes, 32);
	cr_assert_eq(judgement.made.n, 1);
	cr_expect_str_eq(judgement.made.at[0].type, "main.Node");
}

Test(go_ctor_judge, results_that_no_pool_wants_are_refused)
{
	static const struct {
		uint64_t rax, rbx;
		enum hf_refusal reason;
	} rows[] = {
		{0, 0, HF_REFUSAL_NULL},
		{META_BASE + TYPES + T_NODE_PTR, 0, HF_REFUSAL_NULL},
		{1, 0, HF_REFUSAL_SIGNATURE},
		{UINT64_MAX, 0, HF_REFUSAL_SIGNATURE},
		{HEAP_BASE, 0, HF_REFUSAL_SIGNATURE},
		{META_BASE + TYPES + T_STRING, HEAP_BASE + MADE, HF_REFUSAL_TYPE},
		{META_BASE + TYPES + T_NODE_PTR, HEAP_BASE + SMALL, HF_REFUSAL_RETAINS},
		{META_BASE + TYPES + T_NODE_PTR, HEAP_BASE + MADE + MADE_BYTES, HF_REFUSAL_RETAINS},
		{META_BASE + TYPES + T_NODE_PTR, META_BASE + LISTS, HF_REFUSAL_RETAINS}, /* a variable */
		{META_BASE + TYPES + T_NODE_PTR, META_BASE + LISTS + 0x40,
		 HF_REFUSAL_RETAINS},                                               /* not empty */
		{META_BASE + TYPES + T_STRING, META_BASE + LISTS, HF_REFUSAL_TYPE}, /* a constant's copy */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		tear_down_run();
		findings = (struct hf_findings){0};
		set_up_run();
		run.end.regs[GHOST_RAX] = rows[i].rax;
		run.end.regs[GHOST_RBX] = rows[i].rbx;
		judge();
		cr_expect_eq(reason(), rows[i].reason, "row %zu: %s", i, hf_refusal_name(reason()));
	}
}

Test(go_ctor_judge, pointers_to_the_old_heap_are_seen_where_pointers_are)
{
	static const struct {
		uint32_t at;
		uint64_t word;
		enum hf_refusal reason;
	} rows[] = {
		{0, HEAP_BASE + SMALL, HF_REFUSAL_RETAINS}, {8, HEAP_BASE + LARGE + 100, HF_REFUSAL_RETAINS},
		{16, HEAP_BASE + SMALL, HF_REFUSAL_NONE},   /* a length */
		{24, HEAP_BASE + SMALL, HF_REFUSAL_NONE},   /* a number */
		{0, HEAP_BASE + MADE + 8, HF_REFUSAL_NONE}, /* itself */
		{0, META_BASE + LISTS, HF_REFUSAL_NONE},    /* a variable */
		{0, UINT64_MAX, HF_REFUSAL_NONE},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		tear_down_run();
		findings = (struct hf_findings){0};
		set_up_run();
		put64(run.bytes.at + rows[i].at, rows[i].word);
		judge();
		cr_expect_eq(reason(), rows[i].reason, "row %zu: %s", i, hf_refusal_name(reason()));
	}
}

static struct ghost_change change_at(uint64_t addr, uint64_t after)
{
	struct ghost_change c = {.addr = addr, .len = 8};

	put64(c.after, after);
	return c;
}

Test(go_ctor_judge, what_the_allocator_changed_is_counted_alone)
{
	struct ghost_change change = change_at(list_addr(0), 1);

	change.by_allocator = 1;
	cr_assert_null(hf_vec_push(&run.changes, change));
	judge_as(HF_REFUSAL_NONE);
	cr_expect_eq(judgement.metadata_bytes, 8);
}

Test(go_ctor_judge, other_changes_are_side_effects)
{
	const uint64_t places[] = {list_addr(8), heap_addr(SMALL), 0x7f0000000000, 0, UINT64_MAX - 7};

	for (size_t i = 0; i < HF_LEN(places); i++)
		cr_assert_null(hf_vec_push(&run.changes, change_at(places[i], 1)));
	judge_as(HF_REFUSAL_SIDE_EFFECT);
	cr_expect_eq(findings.list.n, HF_LEN(places));
	cr_expect(says("the heap at 0x4000000"));
	cr_expect_eq(judgement.metadata_bytes, 0);
}

Test(go_ctor_judge, place_that_keeps_the_new_object_is_told)
{
	cr_assert_null(hf_vec_push(&run.changes, change_at(list_addr(8), heap_addr(MADE))));
	judge_as(HF_REFUSAL_SIDE_EFFECT);
	cr_assert_eq(findings.list.n, 2);
	cr_expect_eq(findings.list.at[1].refusal, HF_REFUSAL_RETAINS);
}

Test(go_ctor_judge, many_changes_are_told_as_a_number)
{
	for (uint64_t i = 0; i < 1000; i++)
		cr_assert_null(hf_vec_push(&run.changes, change_at(heap_addr(0) + i * 16, 1)));
	run.end.changes_lost = 5;
	judge_as(HF_REFUSAL_SIDE_EFFECT);
	cr_expect_eq(findings.list.n, 65);
	cr_expect(says("941 places more"));
}

Test(go_ctor_judge, change_longer_than_its_room_is_cut)
{
	struct ghost_change change = change_at(list_addr(4), heap_addr(MADE));

	change.len = UINT32_MAX;
	cr_assert_null(hf_vec_push(&run.changes, change));
	judge_as(HF_REFUSAL_SIDE_EFFECT);
}

Test(go_ctor_judge, ends_are_refused_for_what_they_are)
{
	static const struct {
		enum ghost_end_kind kind;
		enum hf_refusal reason;
	} rows[] = {
		{GHOST_END_SYSCALL, HF_REFUSAL_SYSCALL},
		{GHOST_END_BLOCKS, HF_REFUSAL_BLOCKS},
		{GHOST_END_FAULT, HF_REFUSAL_FAULT},
		{GHOST_END_READ_ONLY, HF_REFUSAL_FAULT},
		{GHOST_END_SHARED, HF_REFUSAL_SIDE_EFFECT},
		{GHOST_END_UNKNOWN, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_WALL, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_ABSENT, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_LATE, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_LIMIT, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_BROKEN, HF_REFUSAL_INCONCLUSIVE},
		{(enum ghost_end_kind)77, HF_REFUSAL_INCONCLUSIVE},
		{GHOST_END_CPU, HF_REFUSAL_NONE},
		{GHOST_END_MEMORY, HF_REFUSAL_NONE},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		hf_findings_deinit(&findings);
		findings = (struct hf_findings){0};
		hf_judgement_deinit(&judgement);
		judgement = (struct hf_judgement){0};
		run.end.kind = rows[i].kind;
		run.end.trace_n = UINT32_MAX;
		judge();
		cr_expect_eq(reason(), rows[i].reason, "row %zu: %s", i, hf_refusal_name(reason()));
		cr_expect_eq(judgement.result, 0);
	}
}

Test(go_ctor_judge, hooks_of_no_kind_of_ours_are_inconclusive)
{
	run.end.kind = GHOST_END_HOOK;
	run.end.tag = UINT32_MAX;
	cr_assert_null(
		hf_vec_push(&run.events, ((struct ghost_event){.kind = GHOST_EVENT_NOTE, .tag = 12345})));
	judge_as(HF_REFUSAL_INCONCLUSIVE);
}

Test(go_ctor_judge, allocations_of_unknown_types_are_counted)
{
	const struct ghost_allocation made[] = {
		{.addr = 0, .bytes = 0},
		{.addr = 8, .bytes = 5},
		{.addr = heap_addr(0xf000), .bytes = 100, .info = 1},
		{.addr = UINT64_MAX, .bytes = UINT64_MAX, .info = UINT64_MAX},
	};

	for (size_t i = 0; i < HF_LEN(made); i++)
		cr_assert_null(hf_vec_push(&run.allocations, made[i]));
	judge();
	cr_assert_eq(judgement.made.n, 5);
	cr_expect_eq(judgement.made.at[1].bytes, 0);
	cr_expect_eq(judgement.made.at[2].bytes, 16);
	cr_expect_eq(judgement.made.at[3].bytes, 112);
	cr_expect_str_eq(judgement.made.at[3].type, "");
	cr_expect_eq(judgement.allocated_bytes, UINT64_MAX);
}

Test(go_ctor_judge, sizes_are_those_of_the_allocator)
{
	static const struct {
		uint64_t asked;
		bool pointers;
		uint64_t given;
	} rows[] = {
		{1, false, 16},       {8, true, 8},          {16, false, 16},          {17, false, 24},
		{256, false, 256},    {512, true, 512},      {513, true, 576},         {576, true, 640},
		{4096, false, 4096},  {4097, false, 4864},   {32768, false, 32768},    {32760, true, 32768},
		{32761, true, 32768}, {32769, false, 40960}, {1 << 20, true, 1 << 20},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_eq(go_allocated_size(&go.layout, rows[i].asked, rows[i].pointers), rows[i].given,
			     "%zu", i);
}
