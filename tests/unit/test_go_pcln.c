#include "go_fake.h"

#include <criterion/criterion.h>

#define TEXT(off) fake_addr(FAKE_TEXT + (off))

static struct fake fake;
static struct hf_target *target;
static struct go go;

static void open_fake(void)
{
	struct hf_mem_range range = {FAKE_BASE, fake.at, sizeof(fake.at), true};

	cr_assert_null(hf_target_open_mem(&range, 1, &target));
	target->stopped = true;
	fake_open(&go, target);
}

static void set_up(void)
{
	fake_init(&fake);
	open_fake();
}

static void tear_down(void)
{
	fake_close(&go);
	hf_target_close(target);
	target = NULL;
}

static void assert_err(struct hf_err *err, enum hf_err_code code)
{
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	hf_err_destroy(err);
}

static void read_all(void)
{
	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_goroutines_read(&go));
	cr_assert_null(go_goroutines_walk(&go));
}

static bool has_root(uint64_t slot, uint64_t value)
{
	hf_vec_each(&go.stack_roots, root)
		if (root->slot == slot && root->value == value)
			return true;
	return false;
}

static uint32_t func_at(unsigned i)
{
	return FAKE_FUNCS + i * 72;
}

TestSuite(go_pcln, .init = set_up, .fini = tear_down);
TestSuite(go_stack, .init = set_up, .fini = tear_down);

Test(go_pcln, pc_in_a_function_finds_it)
{
	static const struct {
		uint32_t off;
		const char *name;
	} rows[] = {
		{LEAF, "main.leaf"},
		{LEAF + 0xff, "main.leaf"},
		{CALLER, "main.caller"},
		{GOEXIT + 1, "runtime.goexit"},
		{TEXT_END - 1, "main.movesStack"},
	};
	struct go_func f;

	cr_assert_null(go_modules_read(&go));
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		cr_assert(go_find_func(&go, TEXT(rows[i].off), &f), "%s", rows[i].name);
		cr_expect_str_eq(f.name, rows[i].name);
		cr_expect_eq(f.entry, TEXT(rows[i].off & ~0xffu));
	}
}

Test(go_pcln, pc_outside_of_text_finds_nothing)
{
	const uint64_t pcs[] = {0, TEXT(0) - 1, TEXT(TEXT_END), fake_addr(FAKE_HEAP), UINT64_MAX};
	struct go_func f;

	cr_assert_null(go_modules_read(&go));
	for (size_t i = 0; i < HF_LEN(pcs); i++)
		cr_expect_not(go_find_func(&go, pcs[i], &f));
}

Test(go_pcln, value_table_answers_up_to_its_end)
{
	struct go_func f;
	int32_t v = 0;

	cr_assert_null(go_modules_read(&go));
	cr_assert(go_find_func(&go, TEXT(CALLER), &f));
	cr_expect(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER), &v) && v == 0);
	cr_expect(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER + 4), &v) && v == 32);
	cr_expect(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER + 0xff), &v) && v == 32);
	cr_expect_not(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER + 0x100), &v));
	cr_expect_not(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER) - 1, &v));
	cr_expect_not(go_pc_value(&go, &f, 0, TEXT(CALLER), &v));
	cr_expect_not(go_pc_value(&go, &f, UINT32_MAX, TEXT(CALLER), &v));
	cr_expect_eq(go_pcdata(&go, &f, 77, TEXT(CALLER)), -1);
	cr_expect_eq(go_funcdata(&go, &f, 77), 0);
	cr_expect_eq(go_funcdata(&go, &f, GO_FUNCDATA_INL_TREE), 0);
}

Test(go_pcln, inlined_call_comes_before_its_function)
{
	struct hf_stack_frame frames[8];
	size_t n;

	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_source_frames(&go, TEXT(WRAPPER + 0x1f), frames, HF_LEN(frames), &n));
	cr_assert_eq(n, 2);
	cr_expect_str_eq(frames[0].function, "main.work");
	cr_expect_str_eq(frames[0].file, "/a/work.go");
	cr_expect_eq(frames[0].line, 10);
	cr_expect(frames[0].inlined);
	cr_expect_str_eq(frames[1].function, "main.work.gowrap1");
	cr_expect_eq(frames[1].line, 20);
	cr_expect_not(frames[1].inlined);
}

Test(go_pcln, one_frame_of_room_gets_the_function)
{
	struct hf_stack_frame frame;
	size_t n;

	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_source_frames(&go, TEXT(WRAPPER + 0x1f), &frame, 1, &n));
	cr_assert_eq(n, 1);
	cr_expect_str_eq(frame.function, "main.work.gowrap1");
	cr_assert_null(go_source_frames(&go, TEXT(WRAPPER + 0x1f), &frame, 0, &n));
	cr_expect_eq(n, 0);
	cr_assert_null(go_source_frames(&go, 1, &frame, 1, &n));
	cr_expect_eq(n, 0);
}

Test(go_pcln, damaged_function_is_not_found)
{
	static const struct {
		uint32_t off, value;
	} rows[] = {
		{FAKE_FTAB + 12, UINT32_MAX},       /* its offset leaves pclntable */
		{FAKE_FTAB + 12, 72 * 6 - 20},      /* it is cut short */
		{FAKE_FUNCS + 72, 0x180},           /* its entry is past the pc */
		{FAKE_FUNCS + 72 + 28, UINT32_MAX}, /* npcdata */
		{FAKE_FUNCS + 72 + 28, 65},
		{FAKE_MODULE + 136, 0},  /* ftab is empty */
		{FAKE_MODULE + 136, 1},  /* ... and has an end alone */
		{FAKE_MODULE + 112, 72}, /* pclntable ends before */
	};
	struct go_func f;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		fake_init(&fake);
		fake_u32(&fake, rows[i].off, rows[i].value);
		cr_assert_null(go_modules_read(&go));
		cr_expect_not(go_find_func(&go, TEXT(CALLER + 0x10), &f), "row %zu", i);
	}
}

Test(go_pcln, damaged_names_and_lines_are_left_out)
{
	struct hf_stack_frame frame;
	struct go_func f;
	size_t n;

	fake_u32(&fake, func_at(1) + 4, UINT32_MAX);
	fake_u32(&fake, func_at(1) + 32, UINT32_MAX); /* cu */
	fake_u64(&fake, FAKE_MODULE + 88, 8);         /* pctab */
	cr_assert_null(go_modules_read(&go));
	cr_assert(go_find_func(&go, TEXT(CALLER), &f));
	cr_expect_str_eq(f.name, "?");
	cr_assert_null(go_source_frames(&go, TEXT(CALLER), &frame, 1, &n));
	cr_assert_eq(n, 1);
	cr_expect_str_eq(frame.file, "");
	cr_expect_eq(frame.line, 0);
}

Test(go_pcln, name_that_does_not_end_is_none)
{
	struct go_func f;

	fake_u64(&fake, FAKE_MODULE + 16,
		 hf_load_u32(fake.at + func_at(0) + 4) + 4); /* funcnametab ends in "main" */
	cr_assert_null(go_modules_read(&go));
	cr_assert(go_find_func(&go, TEXT(LEAF), &f));
	cr_expect_str_eq(f.name, "?");
}

Test(go_pcln, unterminated_varint_ends)
{
	struct go_func f;
	int32_t v;

	memset(fake.at + FAKE_PCTAB, 0xff, 0x600);
	cr_assert_null(go_modules_read(&go));
	cr_assert(go_find_func(&go, TEXT(CALLER), &f));
	cr_expect_not(go_pc_value(&go, &f, f.pcsp, TEXT(CALLER + 4), &v));
}

Test(go_pcln, damaged_moduledata_is_an_error)
{
	static const struct {
		uint32_t off;
		uint64_t value;
		enum hf_err_code code;
	} rows[] = {
		{FAKE_MODULE + 584, FAKE_BASE + FAKE_MODULE, HF_BADDATA}, /* next: itself */
		{FAKE_MODULE + 584, 0x10, HF_FAULT},
		{FAKE_MODULE + 537, 1, HF_BADDATA}, /* bad: no module is left */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		fake_init(&fake);
		fake_u64(&fake, rows[i].off, rows[i].value);
		assert_err(go_modules_read(&go), rows[i].code);
	}
}

Test(go_pcln, damaged_tables_are_left_out_and_counted)
{
	static const struct {
		uint32_t off;
		uint64_t value;
	} rows[] = {
		{FAKE_MODULE + 8, 0x10}, /* funcnametab is not mapped */
		{FAKE_MODULE + 16, UINT64_MAX},
		{FAKE_MODULE + 136, UINT64_MAX / 4}, /* ftab: n * 8 wraps */
		{FAKE_MODULE + 344, UINT64_MAX},     /* textsectmap */
	};
	struct go_func f;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		fake_init(&fake);
		fake_u64(&fake, rows[i].off, rows[i].value);
		cr_assert_null(go_modules_read(&go));
		cr_expect_eq(go.modules.n, 1);
		cr_expect_eq(go.damage[GO_DAMAGE_MODULES].n, 1);
		cr_expect_eq(go.damage[GO_DAMAGE_MODULES].lowest, fake_addr(FAKE_MODULE));
		cr_expect_not(go_find_func(&go, TEXT(CALLER), &f));
	}
}

Test(go_pcln, module_list_that_cannot_be_read_is_an_error)
{
	go.layout.var[GO_VAR_FIRSTMODULEDATA] = 0;
	assert_err(go_modules_read(&go), HF_BADDATA);
	go.layout.var[GO_VAR_FIRSTMODULEDATA] = 0x10;
	assert_err(go_modules_read(&go), HF_FAULT);
	go.layout.off[GO_MODULEDATA_SIZE] = INT32_MAX;
	assert_err(go_modules_read(&go), HF_BADDATA);
}

Test(go_pcln, text_sections_are_followed)
{
	struct go_func f;

	/* The linker's 0x0..0x1ff is at 0x0, its 0x200..0x5ff at 0x300. */
	fake_slice(&fake, FAKE_MODULE + 336, FAKE_HEAP, 2);
	fake_u64(&fake, FAKE_HEAP + 8, 0x200);
	fake_u64(&fake, FAKE_HEAP + 16, TEXT(0));
	fake_u64(&fake, FAKE_HEAP + 24, 0x200);
	fake_u64(&fake, FAKE_HEAP + 32, 0x600);
	fake_u64(&fake, FAKE_HEAP + 40, TEXT(0x300));
	cr_assert_null(go_modules_read(&go));
	cr_assert(go_find_func(&go, TEXT(0x310), &f));
	cr_expect_str_eq(f.name, "main.work.gowrap1");
	cr_expect_eq(f.entry, TEXT(0x300));
}

Test(go_pcln, each_failing_allocation_is_reported)
{
	bool failed = true;

	for (unsigned long n = 1; failed; n++) {
		struct hf_err *err;

		cr_assert_lt(n, 100);
		hf_alloc_fail_nth(n);
		err = go_modules_read(&go);
		hf_alloc_fail_nth(0);
		failed = err != NULL;
		if (failed)
			assert_err(err, HF_NOMEM);
	}
	cr_expect_eq(go.modules.n, 1);
}

Test(go_stack, blocked_goroutine_unwinds_to_its_top)
{
	read_all();
	cr_assert_eq(go.goroutines.n, 1);
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 0);
	cr_expect_eq(go.goroutines.at[0].id, 7);
	cr_expect_str_eq(go.goroutines.at[0].function, "main.work");
	cr_expect_str_eq(go.goroutines.at[0].created_by, "main.caller");
	cr_expect_str_eq(go_wait_reason(&go, &go.goroutines.at[0]), "waiting");
}

Test(go_stack, live_local_leads_through_its_stack_object)
{
	read_all();
	cr_assert_eq(go.stack_roots.n, 1);
	cr_expect_eq(go.stack_roots.at[0].slot, fake_addr(OBJECT));
	cr_expect_eq(go.stack_roots.at[0].value, fake_addr(FAKE_HEAP));
	cr_expect_eq(go.stack_roots.at[0].kind, HF_ROOT_GOROUTINE);
	cr_assert_eq(go.frames.n, 1);
	cr_expect_eq(go.stack_roots.at[0].frame, 0);
	cr_expect_eq(go.frames.at[0].entry, TEXT(CALLER));
	cr_expect_eq(go.frames.at[0].pc, TEXT(CALLER + 0x2f));
	cr_expect_eq(go.frames.at[0].cfa, fake_addr(WRAPPER_SP));
}

Test(go_stack, arguments_that_lie_cost_one_look_at_the_stack)
{
	uint32_t sp = GOEXIT_SP - 100 * 40;

	for (uint32_t at = FAKE_STACK; at < FAKE_STACK_END; at += 8)
		fake_u64(&fake, at, fake_addr(FAKE_HEAP));
	for (uint32_t at = sp + 32; at < GOEXIT_SP - 8; at += 40)
		fake_u64(&fake, at, TEXT(CALLER + 0x30));
	fake_u64(&fake, GOEXIT_SP - 8, TEXT(GOEXIT + 1));
	fake_u64(&fake, FAKE_G + 56, fake_addr(sp));
	fake_u64(&fake, FAKE_G + 64, TEXT(CALLER + 0x30));
	fake_u32(&fake, func_at(1) + 8, 0x7ffffff8);
	read_all();
	cr_expect_lt(go.stack_roots.n, 5000);
	cr_expect(has_root(fake_addr(GOEXIT_SP), fake_addr(FAKE_HEAP)));
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 1);
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].lowest, fake_addr(FAKE_G));
}

/* main.leaf's only root is in an object that main.caller leads to: it is found when those of all frames are. */
Test(go_stack, frames_ascend_whenever_their_roots_are_found)
{
	const struct go_frame *frame;

	fake_u64(&fake, FAKE_GOFUNC + 0x200, 1);
	fake_u32(&fake, FAKE_GOFUNC + 0x208, (uint32_t)-8);
	fake_u32(&fake, FAKE_GOFUNC + 0x20c, 8);
	fake_u32(&fake, FAKE_GOFUNC + 0x210, 8);
	fake_u32(&fake, func_at(0) + 56 + 8, 0x200);
	fake.at[FAKE_GOFUNC + 0x20 + 8] = 3; /* both of main.caller's locals are pointers */
	fake_u64(&fake, LEAF_SP, fake_addr(FAKE_HEAP));
	fake_u64(&fake, LOCAL, fake_addr(LEAF_SP));
	fake_u64(&fake, LOCAL + 8, fake_addr(FAKE_HEAP));
	read_all();
	cr_assert_eq(go.stack_roots.n, 2);
	cr_expect_eq(go.stack_roots.at[0].slot, fake_addr(LOCAL + 8));
	cr_expect_eq(go.stack_roots.at[1].slot, fake_addr(LEAF_SP));
	cr_assert_eq(go.frames.n, 2);
	cr_expect_lt(go.frames.at[0].sp, go.frames.at[1].sp);
	hf_vec_each(&go.stack_roots, root) {
		frame = go_frame_of(&go, 0, root->slot);
		cr_assert_not_null(frame);
		cr_expect_eq(frame, &go.frames.at[root->frame]);
	}
	cr_expect_eq(go_frame_of(&go, 0, fake_addr(LEAF_SP))->entry, TEXT(LEAF));
	cr_expect_eq(go_frame_of(&go, 0, fake_addr(LOCAL))->entry, TEXT(CALLER));
}

Test(go_stack, slot_is_in_the_highest_frame_at_or_below_it)
{
	static const struct {
		const char *what;
		uint32_t goroutine;
		uint64_t slot;
		int frame; /* its index; -1: none */
	} rows[] = {
		{"where the first begins", 1, 0x1000, 0},
		{"in the first", 1, 0x10f8, 0},
		{"where the second begins", 1, 0x1100, 1},
		{"above all of them", 1, UINT64_MAX, 2},
		{"of another goroutine, at the same address", 3, 0x1100, 3},
		{"below the first", 1, 0xff8, -1},
		{"a register's", 1, 0, -1},
		{"below the first of a later goroutine", 3, 0x1000, -1},
		{"of a goroutine without frames", 2, 0x1100, -1},
		{"of one before all others", 0, 0x1100, -1},
		{"of one after all others", 4, 0x1100, -1},
		{"of no goroutine", UINT32_MAX, 0x1100, -1},
	};
	static const struct go_frame frames[] = {{.goroutine = 1, .sp = 0x1000},
						 {.goroutine = 1, .sp = 0x1100},
						 {.goroutine = 1, .sp = 0x1200},
						 {.goroutine = 3, .sp = 0x1080}};

	cr_expect_null(go_frame_of(&go, 0, 0x1000), "no frames");
	for (size_t i = 0; i < HF_LEN(frames); i++)
		cr_assert_null(hf_vec_push(&go.frames, frames[i]));
	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_eq(go_frame_of(&go, rows[i].goroutine, rows[i].slot),
			     rows[i].frame < 0 ? NULL : &go.frames.at[rows[i].frame], "%s", rows[i].what);
}

Test(go_stack, object_that_nothing_points_to_is_dead)
{
	fake_u64(&fake, LOCAL, 0);
	read_all();
	cr_expect_eq(go.stack_roots.n, 0);
	cr_expect_eq(go.frames.n, 0);
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 0);
}

Test(go_stack, dead_goroutines_are_left_out)
{
	static const uint32_t dead[] = {0, 6, 11, 0x1006};

	for (size_t i = 0; i < HF_LEN(dead); i++) {
		fake_u32(&fake, FAKE_G + 144, dead[i]);
		read_all();
		cr_expect_eq(go.goroutines.n, 0);
	}
}

/* Nothing that might be live is lost: what cannot be unwound is scanned word by word. */
Test(go_stack, what_cannot_be_unwound_is_scanned_whole)
{
	static const struct {
		const char *what;
		uint32_t off;
		uint64_t value;
	} rows[] = {
		{"return address in no function", CALLER_SP - 8, 0x1234},
		{"return address 0", CALLER_SP - 8, 0},
		{"caller that moves the stack pointer", CALLER_SP - 8,
		 FAKE_BASE + FAKE_TEXT + MOVES_SP + 0x10},
		{"pc in no function", FAKE_G + 64, 0x1234},
		{"pc nil", FAKE_G + 64, 0},
		{"sp below the stack", FAKE_G + 56, 0x10},
		{"sp above the stack", FAKE_G + 56, UINT64_MAX - 7},
		{"sp odd", FAKE_G + 56, FAKE_BASE + LEAF_SP + 1},
		{"sp at the very end", FAKE_G + 56, FAKE_BASE + FAKE_STACK_END},
		{"stack table is damaged", FAKE_PCTAB + 1, UINT64_MAX},
		{"frame of an odd size", FAKE_PCTAB + 4, 0x7e},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		fake_init(&fake);
		fake_u64(&fake, rows[i].off, rows[i].value);
		read_all();
		cr_assert_eq(go.goroutines.n, 1);
		cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 1, "%s", rows[i].what);
		cr_expect(has_root(fake_addr(OBJECT), fake_addr(FAKE_HEAP)), "%s", rows[i].what);
	}
}

Test(go_stack, running_goroutine_without_a_thread_is_scanned_whole)
{
	fake_u32(&fake, FAKE_G + 144, 2);
	fake_u64(&fake, FAKE_STACK + 8, fake_addr(FAKE_HEAP + 8));
	read_all();
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 1);
	cr_expect(go.goroutines.at[0].conservative);
	cr_assert_geq(go.stack_roots.n, 2);
	cr_expect_eq(go.stack_roots.at[0].slot, fake_addr(FAKE_STACK + 8));
}

Test(go_stack, running_goroutine_is_where_its_thread_is)
{
	struct hf_thread thread = {.ns_tid = 99, .state = HF_THREAD_STOPPED};

	thread.regs = (struct hf_regs){.pc = TEXT(CALLER + 0x30), .sp = fake_addr(CALLER_SP), .gprs = 1};
	thread.regs.gpr[0] = fake_addr(FAKE_HEAP + 64);
	fake_u32(&fake, FAKE_G + 144, 2);
	fake_u64(&fake, FAKE_G + 48, fake_addr(FAKE_M));
	fake_u64(&fake, FAKE_M + 64, 99);
	fake_u64(&fake, FAKE_M + 184, fake_addr(FAKE_G));
	cr_assert_null(hf_vec_push(&target->threads, thread));
	read_all();
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 0);
	cr_expect(go.goroutines.at[0].on_thread);
	cr_expect_str_eq(go.goroutines.at[0].function, "main.work");
	cr_assert_eq(go.stack_roots.n, 2);
	cr_expect_eq(go.stack_roots.at[0].slot, fake_addr(OBJECT));
	cr_expect_eq(go.stack_roots.at[1].kind, HF_ROOT_REGISTER);
	cr_expect_eq(go.stack_roots.at[1].value, fake_addr(FAKE_HEAP + 64));
}

/* The kernel's ucontext on the signal stack says where the goroutine was. */
Test(go_stack, goroutine_in_a_signal_handler_is_where_it_was_interrupted)
{
	enum {
		GSIGNAL = FAKE_M + 0x400,
		SIGNAL_STACK = FAKE_DEFER,
		SIZE = 0x800,
		UCONTEXT = SIGNAL_STACK + 0x400
	};
	struct hf_thread thread = {.ns_tid = 99, .state = HF_THREAD_STOPPED};

	thread.regs = (struct hf_regs){.pc = TEXT(LEAF), .sp = fake_addr(SIGNAL_STACK + 0x100)};
	fake_u32(&fake, FAKE_G + 144, 2);
	fake_u64(&fake, FAKE_G + 48, fake_addr(FAKE_M));
	fake_u64(&fake, FAKE_G + 56, 0);
	fake_u64(&fake, FAKE_M + 64, 99);
	fake_u64(&fake, FAKE_M + 72, fake_addr(GSIGNAL));
	fake_u64(&fake, FAKE_M + 184, fake_addr(FAKE_G));
	fake_u64(&fake, GSIGNAL, fake_addr(SIGNAL_STACK));
	fake_u64(&fake, GSIGNAL + 8, fake_addr(SIGNAL_STACK + SIZE));
	fake_u64(&fake, UCONTEXT + 16, fake_addr(SIGNAL_STACK));
	fake_u64(&fake, UCONTEXT + 32, SIZE);
	fake_u64(&fake, UCONTEXT + 160, fake_addr(CALLER_SP));
	fake_u64(&fake, UCONTEXT + 168, TEXT(CALLER + 0x30));
	fake_u64(&fake, UCONTEXT + 40, fake_addr(FAKE_HEAP + 32));
	cr_assert_null(hf_vec_push(&target->threads, thread));
	read_all();
	cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 0);
	cr_expect_str_eq(go.goroutines.at[0].function, "main.work");
	cr_expect(has_root(fake_addr(UCONTEXT + 40), fake_addr(FAKE_HEAP + 32)));
	cr_expect(has_root(fake_addr(OBJECT), fake_addr(FAKE_HEAP)));
}

Test(go_stack, deferred_calls_are_roots)
{
	fake_u64(&fake, FAKE_G + 40, fake_addr(FAKE_DEFER));
	fake_u64(&fake, FAKE_DEFER + 24, fake_addr(FAKE_HEAP + 16));
	fake_u64(&fake, LOCAL, 0);
	read_all();
	cr_assert_eq(go.stack_roots.n, 2);
	cr_expect_eq(go.stack_roots.at[0].value, fake_addr(FAKE_DEFER));
	cr_expect_eq(go.stack_roots.at[1].value, fake_addr(FAKE_HEAP + 16));
}

Test(go_stack, defer_list_without_an_end_ends)
{
	for (uint32_t i = 0; i < 5; i++)
		fake_u64(&fake, FAKE_DEFER + i * 64 + 32, fake_addr(FAKE_DEFER + (i + 1) % 5 * 64));
	fake_u64(&fake, FAKE_G + 40, fake_addr(FAKE_DEFER));
	read_all();
	cr_expect_lt(go.stack_roots.n, 40);
	cr_expect_eq(go.damage[GO_DAMAGE_DEFERS].n, 1);
	fake_u64(&fake, FAKE_DEFER + 32, UINT64_MAX - 3);
	read_all();
	cr_expect_lt(go.stack_roots.n, 5);
}

Test(go_stack, damaged_goroutine_list_is_counted)
{
	static const uint64_t counts[] = {UINT64_MAX, 10000001, 1000000, 0};

	cr_assert_null(go_modules_read(&go));
	for (size_t i = 0; i < HF_LEN(counts); i++) {
		fake_u64(&fake, FAKE_ALLGS + 8, counts[i]);
		cr_assert_null(go_goroutines_read(&go));
		cr_expect_eq(go.goroutines.n, 0);
		cr_expect_eq(go.damage[GO_DAMAGE_GOROUTINES].n, counts[i] != 0);
	}
}

Test(go_stack, one_goroutine_many_times_is_walked_once)
{
	cr_assert_null(go_modules_read(&go));
	fake_u64(&fake, FAKE_ALLGS + 8, 3);
	fake_u64(&fake, FAKE_GS + 8, fake_addr(FAKE_G));
	fake_u64(&fake, FAKE_GS + 16, fake_addr(FAKE_G));
	read_all();
	cr_assert_eq(go.goroutines.n, 3);
	cr_expect_eq(go.damage[GO_DAMAGE_GOROUTINES].n, 2);
	cr_expect_eq(go.damage[GO_DAMAGE_GOROUTINES].lowest, fake_addr(FAKE_G));
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(go.goroutines.at[i].hi != 0, i == 0);
}

Test(go_stack, unreadable_goroutine_is_counted)
{
	fake_u64(&fake, FAKE_ALLGS + 8, 3);
	fake_u64(&fake, FAKE_GS + 8, 0x10);
	fake_u64(&fake, FAKE_GS + 16, UINT64_MAX - 8);
	read_all();
	cr_expect_eq(go.goroutines.n, 1);
	cr_expect_eq(go.damage[GO_DAMAGE_GOROUTINES].n, 2);
	cr_expect_eq(go.damage[GO_DAMAGE_GOROUTINES].lowest, 0x10);
	cr_expect_not(target->incomplete);
	go_tell_damage(&go);
	cr_expect(target->incomplete);
	cr_assert_eq(target->warnings.n, 1);
	cr_expect(strstr(target->warnings.at[0].text,
			 "2 goroutines are damaged or unreadable, the first at 0x10"));
	go_tell_damage(&go);
	cr_expect_eq(target->warnings.n, 1);
}

Test(go_stack, bounds_that_are_no_stack_cost_nothing)
{
	static const uint64_t bounds[][2] = {
		{0, UINT64_MAX}, {0x10, 0x20}, {UINT64_MAX, 0}, {FAKE_BASE, UINT64_MAX - 7}};

	for (size_t i = 0; i < HF_LEN(bounds); i++) {
		fake_u64(&fake, FAKE_G, bounds[i][0]);
		fake_u64(&fake, FAKE_G + 8, bounds[i][1]);
		read_all();
		cr_expect_eq(go.damage[GO_DAMAGE_UNWIND].n, 1);
		cr_expect_eq(go.stack_roots.n, 0);
	}
}

static bool stop_at_second(void *arg, const struct go_stkframe *frame)
{
	unsigned *n = arg;

	cr_expect_eq(frame->innermost, *n == 0);
	return ++*n < 2;
}

Test(go_stack, unwinding_stops_where_told)
{
	bool complete = true;
	unsigned n = 0;

	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_goroutines_read(&go));
	cr_assert_null(go_unwind(&go, &go.goroutines.at[0], stop_at_second, &n, &complete));
	cr_expect_eq(n, 2);
	cr_expect_not(complete);
}

Test(go_stack, one_scan_equals_the_walk)
{
	bool complete = false;

	read_all();
	cr_assert_null(go_stack_scan(&go, 0, &complete));
	cr_expect(complete);
	cr_assert_eq(go.stack_roots.n, 2);
	cr_expect_eq(go.stack_roots.at[1].frame, 1);
	cr_expect_eq(go.stack_roots.at[1].slot, go.stack_roots.at[0].slot);
}
