/* Code that is made for a program that does not have it: what Go's runtime is told of it, and where it is not made. */
#include "../../src/runtime/go/ctor.h"
#include "../../src/sym/internal.h"
#include "go_fake.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

#define PAGE_ADDR  0x3000000u
#define MODULE_OFF 384u
#define CODE_OFF   64u
#define NEWOBJECT  (fake_addr(FAKE_TEXT + MOVES_SP))
#define NEXT_OFF   (go.layout.off[GO_MODULEDATA_NEXT])

static struct hf_syms syms; /* which know of nothing */
static struct hf_target *target;
static struct go go;
static struct go_callee callee;
static struct fake fake;
static struct go_heap_fake heap;
static uint8_t page[HF_NEW_CODE_MAX];
static char version[32];
static const struct hf_ctor_slot slot;
static struct hf_ctor node;

static void read_modules(void)
{
	go_types_destroy(&go);
	cr_assert_null(go_modules_read(&go));
	cr_assert_null(go_types_create(&go));
}

/* A program of Go 1.26.8 with types main.Node and *main.Node, and with runtime.newobject. */
static void set_up(void)
{
	struct hf_mem_range ranges[] = {{FAKE_BASE, fake.at, sizeof(fake.at), true},
					{META_BASE, heap.meta, META_SIZE, true},
					{PAGE_ADDR, page, sizeof(page), true}};
	uint32_t f = FAKE_FUNCS + 5 * 72;

	fake_init(&fake);
	fake_heap_init(&heap);
	for (unsigned i = 21; i <= 22; i++) /* how they are aligned */
		heap.meta[TYPES + T_NODE + i] = heap.meta[TYPES + T_NODE_PTR + i] = 8;
	fake_u32(&fake, f + 4, fake_name(&fake, "runtime.newobject"));
	fake_u32(&fake, f + 8, 8);
	fake.at[f + 41] = 0;
	fake_u64(&fake, FAKE_MODULE + 16, fake.names_n);
	fake_u64(&fake, FAKE_MODULE + 296, type_addr(0));
	fake_u64(&fake, FAKE_MODULE + 304, meta_addr(TYPES_END));
	fake_u64(&fake, FAKE_MODULE, 0x1234500);
	memset(page, 0, sizeof(page));
	cr_assert_null(hf_target_open_mem(ranges, HF_LEN(ranges), &target));
	target->stopped = true;
	fake_open(&go, target);
	strcpy(version, "go1.26.8");
	go.version = version;
	cr_assert_null(hf_vec_push(&syms.modules, (struct hf_module){0}));
	go.syms = &syms;
	callee = (struct go_callee){.c = {.t = target, .syms = &syms}, .go = &go};
	read_modules();
	node = (struct hf_ctor){.is_made = true,
				.made_type = type_addr(T_NODE),
				.made_pointer = type_addr(T_NODE_PTR),
				.allocator = NEWOBJECT};
}

static void tear_down(void)
{
	go_types_destroy(&go);
	go.version = NULL;
	fake_close(&go);
	hf_vec_deinit(&syms.modules);
	hf_arena_deinit(&syms.arena);
	hf_target_close(target);
}

TestSuite(go_thunk, .init = set_up, .fini = tear_down);

static void expect_err(struct hf_err *err, enum hf_err_code code, const char *text)
{
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	cr_expect(err && strstr(hf_err_message(err), text), "'%s' does not say %s", hf_err_message(err),
		  text);
	hf_err_destroy(err);
}

/* Puts the page into the program as apply would. */
static void link_page(void)
{
	struct hf_new_code code;

	cr_assert_null(go_thunk_build(&callee.c, &node, PAGE_ADDR, &code));
	cr_expect_eq(code.link_addr, fake_addr(FAKE_MODULE) + (uint64_t)NEXT_OFF);
	cr_expect_eq(code.link_value, PAGE_ADDR + MODULE_OFF);
	cr_expect_eq(code.link_expect, hf_load_u64(fake.at + FAKE_MODULE + NEXT_OFF));
	memcpy(page, code.bytes, sizeof(page));
	fake_u64(&fake, FAKE_MODULE + (uint32_t)NEXT_OFF, code.link_value);
	read_modules();
}

static struct hf_err *make(struct hf_ctor *ret)
{
	return go_thunk_make(&callee.c, &slot, "main.Node", ret);
}

Test(go_thunk, type_is_found_by_its_name_or_its_pointers)
{
	const char *const names[] = {"main.Node", "*main.Node"};

	for (size_t i = 0; i < HF_LEN(names); i++) {
		struct hf_ctor ctor;

		cr_assert_null(go_thunk_make(&callee.c, &slot, names[i], &ctor), "%s", names[i]);
		cr_expect(ctor.is_made && !ctor.code && !ctor.value);
		cr_expect_eq(ctor.made_type, type_addr(T_NODE));
		cr_expect_eq(ctor.made_pointer, type_addr(T_NODE_PTR));
		cr_expect_eq(ctor.allocator, NEWOBJECT);
	}
}

Test(go_thunk, frame_is_what_the_code_makes_at_each_instruction)
{
	static const struct {
		unsigned pc;
		int32_t depth;
	} at[] = {{0, 0},   {1, 8},   {4, 8},   {8, 16}, {18, 16}, {28, 16},
		  {31, 16}, {34, 16}, {44, 16}, {48, 8}, {49, 0}};
	uint64_t code = PAGE_ADDR + CODE_OFF;
	struct go_func f;
	int32_t depth;

	link_page();
	cr_assert_eq(go.modules.n, 2);
	for (size_t i = 0; i < HF_LEN(at); i++) {
		cr_assert(go_find_func(&go, code + at[i].pc, &f), "%u", at[i].pc);
		cr_expect(go_pc_value(&go, &f, f.pcsp, code + at[i].pc, &depth) && depth == at[i].depth,
			  "%u: %d", at[i].pc, depth);
		cr_expect_eq(go_pcdata(&go, &f, 0, code + at[i].pc), -2, "%u can be preempted", at[i].pc);
		cr_expect_eq(go_pcdata(&go, &f, 1, code + at[i].pc), 0);
	}
	cr_expect_str_eq(f.name, "holdfast.new[main.Node]");
	cr_expect(f.entry == code && !f.args && !f.flag && !f.func_id && f.npcdata == 2 && f.nfuncdata == 2);
	cr_expect_eq(hf_load_u32(page + (go_funcdata(&go, &f, 1) - PAGE_ADDR)), 1, "one map of locals");
	cr_expect_eq(hf_load_u32(page + (go_funcdata(&go, &f, 1) + 4 - PAGE_ADDR)), 0, "of no bits");
	cr_expect_not(go_find_func(&go, code - 1, &f) || go_find_func(&go, code + GO_THUNK_CODE, &f));
	cr_expect_eq(hf_load_u64(page), code, "the funcval");
	cr_expect_eq(hf_load_u64(page + MODULE_OFF), 0x1234500, "the header is that of the first module");
	cr_expect_eq(page[CODE_OFF + GO_THUNK_CODE - 1], 0xc3);
}

Test(go_thunk, what_was_made_before_is_used_again)
{
	struct hf_ctor ctor;

	link_page();
	cr_assert_null(make(&ctor));
	cr_expect_eq(ctor.code, PAGE_ADDR + CODE_OFF);
	cr_expect_eq(ctor.value, PAGE_ADDR);
}

/* Its header is not looked at, and what follows it in the list may have changed. */
static bool may_differ(unsigned at)
{
	unsigned next = MODULE_OFF + (unsigned)NEXT_OFF;

	return (at >= MODULE_OFF && at < MODULE_OFF + 8) || (at >= next && at < next + 8);
}

Test(go_thunk, page_that_is_not_as_we_write_it_is_never_used)
{
	link_page();
	for (unsigned i = 0; i < sizeof(page); i++) {
		struct hf_ctor ctor = {0};
		struct hf_err *err;

		page[i] ^= 0x40;
		err = make(&ctor);
		cr_expect(err ? hf_err_code(err) == HF_UNSUPPORTED : !ctor.code || may_differ(i), "byte %u",
			  i);
		hf_err_destroy(err);
		page[i] ^= 0x40;
	}
}

Test(go_thunk, programs_that_it_was_not_tested_in_are_unsupported)
{
	const char *const versions[] = {"go1.26.7",
					"go1.26.80",
					"go1.26",
					"go1.26.8 X:boringcrypto",
					"devel go1.27",
					"go1.19.13",
					"go1.28.1",
					"go1.26.8-custom",
					""};
	struct hf_ctor ctor;

	for (size_t i = 0; i < HF_LEN(versions); i++) {
		strcpy(version, versions[i]);
		expect_err(make(&ctor), HF_UNSUPPORTED, "was tested on");
	}
	strcpy(version, "go1.26.8");
	fake_u32(&fake, FAKE_FUNCS + 4, hf_load_u32(fake.at + FAKE_FUNCS + 72 + 4));
	memcpy(fake.at + FAKE_NAMES + hf_load_u32(fake.at + FAKE_FUNCS + 4), "plugin.open", 12);
	go_modules_deinit(&go);
	read_modules();
	expect_err(make(&ctor), HF_UNSUPPORTED, "may load plugins");
}

Test(go_thunk, allocator_that_is_not_what_we_know_is_unsupported)
{
	const uint32_t f = FAKE_FUNCS + 5 * 72;
	struct hf_ctor ctor;

	for (uint32_t args = 0; args < 32; args += 16) {
		fake_u32(&fake, f + 8, args);
		go_modules_deinit(&go);
		read_modules();
		expect_err(make(&ctor), HF_UNSUPPORTED, "no runtime.newobject");
	}
	fake_u32(&fake, f + 8, 8);
	fake.at[FAKE_NAMES + hf_load_u32(fake.at + f + 4)] = 'x';
	go_modules_deinit(&go);
	read_modules();
	expect_err(make(&ctor), HF_UNSUPPORTED, "no runtime.newobject");
}

Test(go_thunk, names_of_no_type_are_told)
{
	const char *const names[] = {
		"",           "*",   "main",   "Node",         "main.node", "**main.Node",
		"main.Node ", "int", "string", "[3]*main.Node"};
	struct hf_ctor ctor;

	for (size_t i = 0; i < HF_LEN(names); i++)
		expect_err(go_thunk_make(&callee.c, &slot, names[i], &ctor), HF_USAGE, "no type");
}

Test(go_thunk, modules_of_others_are_left_alone)
{
	struct hf_ctor ctor;

	/* One in the middle of nowhere, one that is not on a page of its own, an empty page. */
	for (unsigned i = 0; i < 2; i++) {
		fake_u64(&fake, FAKE_MODULE + (uint32_t)NEXT_OFF,
			 PAGE_ADDR + (i ? MODULE_OFF : MODULE_OFF + 8));
		read_modules();
		expect_err(make(&ctor), HF_UNSUPPORTED, "has loaded modules");
	}
}

Test(go_thunk, list_that_has_changed_is_stale)
{
	struct hf_new_code code;

	fake_u64(&fake, FAKE_MODULE + (uint32_t)NEXT_OFF, PAGE_ADDR + MODULE_OFF);
	expect_err(go_thunk_build(&callee.c, &node, PAGE_ADDR, &code), HF_STALE, "loaded modules by now");
}

Test(go_thunk, layout_without_room_is_unsupported)
{
	static const enum go_field fields[] = {GO_MODULEDATA_FTAB, GO_MODULEDATA_FINDFUNCTAB,
					       GO_MODULEDATA_NEXT, GO_MODULEDATA_GOFUNC};
	struct hf_new_code code;

	for (size_t i = 0; i < HF_LEN(fields); i++) {
		const int32_t was = go.layout.off[fields[i]],
			      bad[] = {-1, go.layout.off[GO_MODULEDATA_SIZE] - 7, INT32_MAX};

		for (size_t k = 0; k < HF_LEN(bad); k++) {
			go.layout.off[fields[i]] = bad[k];
			expect_err(go_thunk_build(&callee.c, &node, PAGE_ADDR, &code), HF_UNSUPPORTED,
				   "go1.26.8");
		}
		go.layout.off[fields[i]] = was;
	}
	for (int32_t size = -1; size < 1 << 20; size = size < 0 ? 16 : size * 8) {
		go.layout.off[GO_MODULEDATA_SIZE] = size;
		expect_err(go_thunk_build(&callee.c, &node, PAGE_ADDR, &code), HF_UNSUPPORTED, "go1.26.8");
	}
}

Test(go_thunk, other_items_are_refused_unseen)
{
	struct hf_ctor_slot items = {.item_type = type_addr(T_PTR_ARRAY)};
	struct hf_findings findings = {0};

	cr_assert_null(go_ctor_check(&callee.c, &slot, &node, &findings));
	cr_expect_eq(findings.list.n, 0);
	cr_assert_null(go_ctor_check(&callee.c, &items, &node, &findings));
	cr_assert_eq(findings.list.n, 1);
	cr_expect_eq(findings.list.at[0].refusal, HF_REFUSAL_TYPE);
	hf_findings_deinit(&findings);
}
