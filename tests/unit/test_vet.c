/* The walk over a constructor's code: bytes made by hand, functions of this very program, and hostile code. */
#define _GNU_SOURCE
#include "../../sandbox/verdict.h"
#include "../../src/patch/insn.h"
#include "../../src/patch/vet.h"
#include "../../src/patch/vet_private.h"
#include "random.h"
#include "sym_target.h"

#include <sys/mman.h>

/* ---- one instruction ------------------------------------------------------------------------------------------ */

static struct hf_decoder *decoder;

static void open_decoder(void)
{
	MUST(hf_decoder_open(&decoder));
}

static void close_decoder(void)
{
	hf_decoder_close(decoder);
}

TestSuite(insn, .init = open_decoder, .fini = close_decoder);
TestSuite(vet, .timeout = 60);

static const struct {
	const char *text;
	uint8_t bytes[HF_INSN_MAX];
	uint8_t len;
	bool read, write;
} accesses[] = {
	{"mov [rip], eax", {0x89, 0x05, 0, 0, 0, 0}, 6, false, true},
	{"mov eax, [rip]", {0x8b, 0x05, 0, 0, 0, 0}, 6, true, false},
	{"mov dword [rip], 1", {0xc7, 0x05, 0, 0, 0, 0, 1, 0, 0, 0}, 10, false, true},
	{"inc dword [rip]", {0xff, 0x05, 0, 0, 0, 0}, 6, true, true},
	{"test [rip], eax", {0x85, 0x05, 0, 0, 0, 0}, 6, true, false},
	{"cmp byte [rip], 1", {0x80, 0x3d, 0, 0, 0, 0, 1}, 7, true, false},
	{"bt qword [rax], 1", {0x48, 0x0f, 0xba, 0x20, 1}, 5, true, false},
	{"bts qword [rax], 1", {0x48, 0x0f, 0xba, 0x28, 1}, 5, true, true},
	{"movups [rip], xmm0", {0x0f, 0x11, 0x05, 0, 0, 0, 0}, 7, false, true},
	{"movq [rip], xmm0", {0x66, 0x0f, 0xd6, 0x05, 0, 0, 0, 0}, 8, false, true},
	{"vmovdqu [rip], ymm0", {0xc5, 0xfe, 0x7f, 0x05, 0, 0, 0, 0}, 8, false, true},
	{"vmovups [rax], zmm0", {0x62, 0xf1, 0x7c, 0x48, 0x11, 0}, 6, false, true},
	{"movntdq [rax], xmm0", {0x66, 0x0f, 0xe7, 0}, 4, false, true},
	{"movnti [rax], rax", {0x48, 0x0f, 0xc3, 0}, 4, false, true},
	{"lock cmpxchg [rip], ecx", {0xf0, 0x0f, 0xb1, 0x0d, 0, 0, 0, 0}, 8, true, true},
	{"cmpxchg8b [rdi]", {0x0f, 0xc7, 0x0f}, 3, false, true},
	{"xchg [rax], rcx", {0x48, 0x87, 0x08}, 3, true, true},
	{"rep stosq", {0xf3, 0x48, 0xab}, 3, false, true},
	{"sete [rax]", {0x0f, 0x94, 0}, 3, false, true},
	{"fstp qword [rax]", {0xdd, 0x18}, 2, false, true},
	{"idiv dword [rax]", {0xf7, 0x38}, 2, true, false},
	{"push [rax]", {0xff, 0x30}, 2, true, false},
	{"add rax, fs:[0]", {0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0}, 9, true, false},
};

Test(insn, operand_in_memory_is_read_or_written_as_the_manual_says)
{
	for (size_t i = 0; i < HF_LEN(accesses); i++) {
		struct hf_insn in;

		cr_assert(hf_insn_decode(decoder, accesses[i].bytes, accesses[i].len, 0x1000, &in), "%s",
			  accesses[i].text);
		cr_expect_eq(in.len, accesses[i].len, "%s", accesses[i].text);
		cr_assert_geq(in.places_n, 1, "%s", accesses[i].text);
		cr_expect_eq(in.places[0].read, accesses[i].read, "%s: read", accesses[i].text);
		cr_expect_eq(in.places[0].write, accesses[i].write, "%s: written", accesses[i].text);
	}
}

static const struct {
	const char *text;
	uint8_t bytes[HF_INSN_MAX];
	uint8_t len;
	enum hf_insn_kind kind;
	bool indirect;
	uint64_t target;
} flows[] = {
	{"call +0", {0xe8, 0, 0, 0, 0}, 5, HF_INSN_CALL, false, 0x1005},
	{"jmp -2", {0xeb, 0xfe}, 2, HF_INSN_JUMP, false, 0x1000},
	{"je +2", {0x74, 0x02}, 2, HF_INSN_BRANCH, false, 0x1004},
	{"loop -2", {0xe2, 0xfe}, 2, HF_INSN_BRANCH, false, 0x1000},
	{"call [rip]", {0xff, 0x15, 0, 0, 0, 0}, 6, HF_INSN_CALL, true, 0},
	{"bnd jmp [rip]", {0xf2, 0xff, 0x25, 0, 0, 0, 0}, 7, HF_INSN_JUMP, true, 0},
	{"notrack jmp rax", {0x3e, 0xff, 0xe0}, 3, HF_INSN_JUMP, true, 0},
	{"ret", {0xc3}, 1, HF_INSN_RETURN, false, 0},
	{"syscall", {0x0f, 0x05}, 2, HF_INSN_SYSCALL, false, 0},
	{"int 0x80", {0xcd, 0x80}, 2, HF_INSN_SYSCALL, false, 0},
	{"ud2", {0x0f, 0x0b}, 2, HF_INSN_TRAP, false, 0},
	{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}, 4, HF_INSN_OTHER, false, 0},
};

Test(insn, flow_is_told_with_its_target)
{
	for (size_t i = 0; i < HF_LEN(flows); i++) {
		struct hf_insn in;

		cr_assert(hf_insn_decode(decoder, flows[i].bytes, flows[i].len, 0x1000, &in), "%s",
			  flows[i].text);
		cr_expect_eq(in.kind, flows[i].kind, "%s", flows[i].text);
		cr_expect_eq(in.indirect, flows[i].indirect, "%s", flows[i].text);
		cr_expect_eq(in.target, flows[i].target, "%s", flows[i].text);
	}
}

Test(insn, what_a_register_is_set_to_is_followed)
{
	static const uint8_t lea[] = {0x48, 0x8d, 0x05, 0x10, 0, 0, 0},
			     imm[] = {0xb8, 0xff, 0xff, 0xff, 0xff}, clear[] = {0x31, 0xd2},
			     copy[] = {0x48, 0x89, 0xc1}, part[] = {0xb0, 0x01},
			     load[] = {0x48, 0x8b, 0x05, 0x10, 0, 0, 0};
	struct hf_insn in;

	cr_assert(hf_insn_decode(decoder, lea, sizeof(lea), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_ADDRESS && in.places[0].disp == 0x1017 && !in.places_n);
	cr_assert(hf_insn_decode(decoder, imm, sizeof(imm), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_VALUE && in.value == 0xffffffff && in.set_reg == GHOST_RAX);
	cr_assert(hf_insn_decode(decoder, clear, sizeof(clear), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_VALUE && !in.value && !in.reads && in.writes & 1 << GHOST_RDX);
	cr_assert(hf_insn_decode(decoder, copy, sizeof(copy), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_COPY && in.set_reg == GHOST_RCX && in.from == GHOST_RAX);
	cr_assert(hf_insn_decode(decoder, part, sizeof(part), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_NONE && in.writes & 1 << GHOST_RAX);
	cr_assert(hf_insn_decode(decoder, load, sizeof(load), 0x1000, &in));
	cr_expect(in.set == HF_INSN_SET_LOAD && in.places[0].disp == 0x1017);
}

Test(insn, bytes_that_are_none_or_cut_are_refused)
{
	static const uint8_t call[] = {0xe8, 0, 0, 0, 0}, none[] = {0x06}, prefixes[15] = {0x66, 0x66, 0x66};
	struct hf_insn in;

	for (size_t n = 0; n < sizeof(call); n++)
		cr_expect_not(hf_insn_decode(decoder, call, n, 0x1000, &in));
	cr_expect_not(hf_insn_decode(decoder, none, sizeof(none), 0x1000, &in));
	cr_expect_not(hf_insn_decode(decoder, prefixes, 3, 0x1000, &in));
}

/* ---- bytes made by hand ------------------------------------------------------------------------------------------ */

#define CODE 0x400000u
#define DATA 0x500000u

static uint8_t data_page[4096];

/* Walks code at CODE, with writable memory at DATA and no symbols. */
static void walk_bytes(const void *code, size_t len, const struct hf_vet_options *options, struct hf_vet *ret)
{
	struct hf_mem_range ranges[] = {
		{.addr = CODE, .bytes = code, .len = len},
		{.addr = DATA, .bytes = data_page, .len = sizeof(data_page), .writable = true}};
	struct hf_target *t;

	MUST(hf_target_open_mem(ranges, HF_LEN(ranges), &t));
	t->maps.at[0].executable = true;
	MUST(hf_vet_walk(t, NULL, CODE, options, ret));
	hf_target_close(t);
}

static size_t count(const struct hf_vet *v, const char *kind)
{
	size_t n = 0;

	hf_vec_each(&v->findings.list, f)
		n += !strcmp(f->kind, kind);
	return n;
}

static const struct hf_finding *find(const struct hf_vet *v, const char *kind)
{
	hf_vec_each(&v->findings.list, f)
		if (!strcmp(f->kind, kind))
			return f;
	cr_assert_fail("no finding of kind %s", kind);
	return NULL;
}

#define WALK(ret, ...)                                                                                       \
	do {                                                                                                 \
		static const uint8_t code_[] = {__VA_ARGS__};                                                \
		walk_bytes(code_, sizeof(code_), &(struct hf_vet_options){0}, (ret));                        \
	} while (0)

Test(vet, function_that_only_returns_has_nothing_to_tell)
{
	struct hf_vet v;

	WALK(&v, 0x31, 0xc0, 0xc3);
	cr_expect_eq(v.findings.list.n, 0);
	cr_expect_eq(v.instructions, 2);
	cr_expect_eq(v.functions, 1);
	hf_vet_deinit(&v);
}

Test(vet, store_through_a_known_register_is_a_store_to_a_global)
{
	struct hf_vet v;

	/* mov eax, DATA; mov qword [rax+8], 1; ret */
	WALK(&v, 0xb8, 0x00, 0x00, 0x50, 0x00, 0x48, 0xc7, 0x40, 0x08, 1, 0, 0, 0, 0xc3);
	cr_expect_eq(find(&v, "global-store")->addr, DATA + 8);
	cr_expect_eq(v.stores, 0);
	hf_vet_deinit(&v);
	/* the same, but a call is between: mov eax, DATA; call +0; mov [rax+8], 1 */
	WALK(&v, 0xb8, 0x00, 0x00, 0x50, 0x00, 0xe8, 0, 0, 0, 0, 0x48, 0xc7, 0x40, 0x08, 1, 0, 0, 0, 0xc3);
	cr_expect_eq(count(&v, "global-store"), 0);
	cr_expect_eq(v.stores, 1);
	hf_vet_deinit(&v);
}

Test(vet, read_of_what_can_change_is_refused_where_it_is_asked_to_be_strict)
{
	static const uint8_t code[] = {0x8b, 0x04, 0x25, 0x00, 0x00, 0x50, 0x00, /* mov eax, [DATA] */
				       0x8b, 0x04, 0x25, 0x00, 0x00, 0x40, 0x00, /* mov eax, [CODE] */
				       0xc3};
	struct hf_vet_options strict = {.strict = true}, lax = {0};
	struct hf_vet v;

	walk_bytes(code, sizeof(code), &lax, &v);
	cr_expect_eq(count(&v, "global-read"), 1);
	cr_expect_eq(find(&v, "global-read")->refusal, HF_REFUSAL_NONE);
	cr_expect(v.reads_mutable);
	hf_vet_deinit(&v);
	walk_bytes(code, sizeof(code), &strict, &v);
	cr_expect_eq(find(&v, "global-read")->refusal, HF_REFUSAL_MUTABLE_READ);
	hf_vet_deinit(&v);
}

Test(vet, system_call_is_named_by_its_number)
{
	struct hf_vet v;

	/* mov eax, 1; syscall; mov al, 2; syscall */
	WALK(&v, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xb0, 2, 0x0f, 0x05, 0xc3);
	cr_expect_eq(count(&v, "syscall"), 2);
	cr_expect_str_eq(v.findings.list.at[0].what, "makes the system call write");
	cr_expect_str_eq(v.findings.list.at[1].what, "makes a system call");
	hf_vet_deinit(&v);
}

Test(vet, closure_that_is_read_has_captured_variables)
{
	static const uint8_t reads[] = {0x48, 0x8b, 0x42, 0x08, 0xc3},      /* mov rax, [rdx+8] */
		clears[] = {0x31, 0xd2, 0x48, 0x8b, 0x42, 0x08, 0xc3},      /* xor edx, edx first */
		calls[] = {0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x42, 0x08, 0xc3}, /* a call first */
		behind[] = {0x74, 0x01, 0xc3, 0x48, 0x89, 0xd1, 0xc3};      /* je; mov rcx, rdx */
	struct hf_vet_options go = {.go = true}, c = {0};
	struct hf_vet v;

	walk_bytes(reads, sizeof(reads), &go, &v);
	cr_expect_eq(find(&v, "captures")->refusal, HF_REFUSAL_CAPTURES);
	hf_vet_deinit(&v);
	walk_bytes(behind, sizeof(behind), &go, &v);
	cr_expect_eq(count(&v, "captures"), 1);
	hf_vet_deinit(&v);
	walk_bytes(clears, sizeof(clears), &go, &v);
	cr_expect_eq(count(&v, "captures"), 0);
	hf_vet_deinit(&v);
	walk_bytes(calls, sizeof(calls), &go, &v);
	cr_expect_eq(count(&v, "captures"), 0);
	hf_vet_deinit(&v);
	walk_bytes(reads, sizeof(reads), &c, &v);
	cr_expect_eq(count(&v, "captures"), 0);
	hf_vet_deinit(&v);
}

/* A namer for code without symbols, as a stripped program's runtime has: functions of 16 bytes. */
static bool name_of(void *arg, uint64_t pc, struct hf_symbol *ret)
{
	const char *const *names = arg;

	*ret = (struct hf_symbol){.name = names[(pc - CODE) / 16], .addr = pc & ~15ull, .size = 16};
	return true;
}

Test(vet, names_of_a_stripped_program_come_from_its_runtime)
{
	static const char *const names[] = {"main.make", "runtime.newobject", "reflect.New",
					    "runtime.newproc"};
	static const uint8_t code[64] = {0xe8, 11, 0, 0, 0, 0xe8, 22, 0, 0, 0, 0xe8, 33, 0, 0, 0, 0xc3};
	struct hf_vet_options options = {.go = true, .name_of = name_of, .arg = (void *)names};
	struct hf_vet v;

	walk_bytes(code, sizeof(code), &options, &v);
	cr_expect_eq(v.trusted, 1);
	cr_expect_eq(v.functions, 1);
	cr_expect_eq(v.findings.list.n, 2);
	cr_expect_eq(find(&v, "reflection")->refusal, HF_REFUSAL_FORBIDDEN_CALL);
	cr_expect_str_eq(find(&v, "reflection")->function, "main.make");
	cr_expect_eq(find(&v, "reflection")->offset, 5);
	cr_expect_eq(find(&v, "goroutine")->refusal, HF_REFUSAL_NONE);
	hf_vet_deinit(&v);
}

/* ---- hostile code --------------------------------------------------------------------------------------------------- */

Test(vet, no_code_at_the_entry_is_a_fault)
{
	struct hf_mem_range range = {
		.addr = DATA, .bytes = data_page, .len = sizeof(data_page), .writable = true};
	struct hf_vet_options options = {0};
	struct hf_target *t;
	struct hf_vet v;
	struct hf_err *err;

	MUST(hf_target_open_mem(&range, 1, &t));
	err = hf_vet_walk(t, NULL, DATA, &options, &v);
	cr_expect_eq(hf_err_code(err), HF_FAULT);
	hf_err_destroy(err);
	hf_vet_deinit(&v);
	err = hf_vet_walk(t, NULL, 0, &options, &v);
	cr_expect_eq(hf_err_code(err), HF_FAULT);
	hf_err_destroy(err);
	hf_vet_deinit(&v);
	hf_target_close(t);
}

Test(vet, code_that_calls_itself_ends)
{
	struct hf_vet v;

	WALK(&v, 0xe8, 0xfb, 0xff, 0xff, 0xff, 0xeb, 0xf9);
	cr_expect_eq(v.instructions, 2);
	cr_expect_eq(v.functions, 1);
	hf_vet_deinit(&v);
}

Test(vet, jump_into_the_middle_of_an_instruction_is_walked_from_there)
{
	struct hf_vet v;

	/* mov eax, 0x00c3050f (hides syscall; ret); jmp to its second byte */
	WALK(&v, 0xb8, 0x0f, 0x05, 0xc3, 0x00, 0xeb, 0xfa);
	cr_expect_eq(count(&v, "syscall"), 1);
	hf_vet_deinit(&v);
}

Test(vet, code_that_runs_off_its_end_is_told)
{
	struct hf_vet v;

	WALK(&v, 0x90, 0x90);
	cr_expect_eq(count(&v, "unknown-code"), 1);
	cr_expect_eq(v.not_followed, 1);
	hf_vet_deinit(&v);
	WALK(&v, 0x90, 0xe8, 0x00); /* cut */
	cr_expect_eq(count(&v, "unknown-code"), 1);
	hf_vet_deinit(&v);
	WALK(&v, 0xe9, 0x00, 0x00, 0x00, 0x70); /* far away */
	cr_expect_eq(count(&v, "unknown-code"), 1);
	hf_vet_deinit(&v);
}

Test(vet, calls_through_what_nobody_knows_are_counted)
{
	struct hf_vet v;

	/* call rax; call [rbx+8]; call [DATA]; jmp rcx */
	WALK(&v, 0xff, 0xd0, 0xff, 0x53, 0x08, 0xff, 0x14, 0x25, 0x00, 0x00, 0x50, 0x00, 0xff, 0xe1);
	cr_expect_eq(count(&v, "indirect-call"), 4);
	cr_expect_eq(v.not_followed, 4);
	hf_vet_deinit(&v);
}

Test(vet, million_instructions_are_not_all_looked_at)
{
	size_t len = 1 << 20;
	uint8_t *code = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hf_vet v;

	cr_assert_neq(code, MAP_FAILED);
	memset(code, 0x90, len);
	walk_bytes(code, len, &(struct hf_vet_options){0}, &v);
	cr_expect_leq(v.instructions, 4096);
	cr_expect_eq(count(&v, "limit"), 1);
	cr_expect_gt(v.not_followed, 0);
	hf_vet_deinit(&v);
	/* Ten thousand functions that call one another in a chain, and each the one after. */
	for (size_t i = 0; i + 16 < len; i += 16) {
		static const uint8_t calls[16] = {0xe8, 11, 0, 0, 0, 0xe8, 22, 0, 0, 0, 0xc3};

		memcpy(code + i, calls, sizeof(calls));
	}
	walk_bytes(code, len, &(struct hf_vet_options){0}, &v);
	cr_expect_leq(v.functions, 512);
	cr_expect_geq(count(&v, "limit"), 1);
	hf_vet_deinit(&v);
	munmap(code, len);
}

Test(vet, many_findings_are_bounded_and_those_left_out_counted)
{
	uint8_t code[7 * 400 + 1];
	struct hf_vet v;

	for (uint32_t i = 0; i < 400; i++) {
		uint8_t store[] = {0x89, 0x04, 0x25, 0, 0, 0x50, 0}; /* mov [DATA + 4 i], eax */
		uint16_t offset = (uint16_t)(4 * i);

		memcpy(store + 3, &offset, sizeof(offset));
		memcpy(code + i * sizeof(store), store, sizeof(store));
	}
	code[sizeof(code) - 1] = 0xc3;
	walk_bytes(code, sizeof(code), &(struct hf_vet_options){0}, &v);
	cr_expect_eq(v.findings.list.n, 256);
	cr_expect_eq(v.findings_lost, 144);
	hf_vet_deinit(&v);
}

Test(vet, noise_is_walked_without_harm)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	uint8_t code[512];

	for (int run = 0; run < 300; run++) {
		struct hf_vet_options options = {.go = run % 2, .strict = run % 3};
		struct hf_vet v;

		for (size_t i = 0; i < sizeof(code); i++)
			code[i] = (uint8_t)random_next(&state);
		walk_bytes(code, sizeof(code), &options, &v);
		cr_expect_leq(v.instructions, 4096);
		hf_vet_deinit(&v);
	}
}

/* ---- functions of this program ----------------------------------------------------------------------------------------- */

int vet_counter, vet_table[8];
void (*vet_handler)(void);

/* In assembly, so that no sanitizer and no optimizer changes them. */
__asm__(".text\n"
	".macro function name\n.globl \\name\n.type \\name, @function\n\\name:\n.endm\n"
	".macro end name\n.size \\name, . - \\name\n.endm\n"
	"function vet_counts\n incl vet_counter(%rip)\n ret\nend vet_counts\n"
	"function vet_indexes\n lea vet_table(%rip), %rax\n movl $1, 12(%rax)\n ret\nend vet_indexes\n"
	"function vet_through_got\n mov vet_counter@GOTPCREL(%rip), %rax\n movl $1, (%rax)\n ret\nend "
	"vet_through_got\n"
	"function vet_writes\n call write@PLT\n ret\nend vet_writes\n"
	"function vet_writes_through_got\n call *write@GOTPCREL(%rip)\n ret\nend vet_writes_through_got\n"
	"function vet_ends_in_a_call\n jmp vet_counts\nend vet_ends_in_a_call\n"
	"function vet_allocates\n call malloc@PLT\n jmp free@PLT\nend vet_allocates\n"
	"function vet_handles\n call *vet_handler(%rip)\n ret\nend vet_handles\n"
	"function vet_known\n lea vet_counts(%rip), %rax\n call *%rax\n ret\nend vet_known\n"
	"function vet_switches\n lea 1f(%rip), %rcx\n movslq (%rcx,%rdi,4), %rax\n add %rcx, %rax\n jmp "
	"*%rax\n"
	" .cfi_startproc\n .cfi_endproc\n"
	" mov $1, %eax\n syscall\n ret\nend vet_switches\n"
	".section .rodata\n1: .long 0\n.text\n"
	"function vet_thread_local\n movl $1, %fs:-4\n ret\nend vet_thread_local\n");
void vet_counts(void);
void vet_indexes(void);
void vet_through_got(void);
void vet_writes(void);
void vet_writes_through_got(void);
void vet_ends_in_a_call(void);
void vet_allocates(void);
void vet_handles(void);
void vet_known(void);
void vet_switches(void);
void vet_thread_local(void);

static void walk_own(void (*function)(void), struct hf_vet *ret)
{
	struct sym_file file = {.fd = -1};
	struct hf_target *t = open_self(&file);
	struct hf_syms *s;

	MUST(hf_syms_open(t, NULL, &s));
	MUST(hf_vet_walk(t, s, (uint64_t)function, &(struct hf_vet_options){0}, ret));
	hf_syms_close(s);
	hf_target_close(t);
}

static void expect_one(void (*function)(void), const char *kind, const char *what)
{
	struct hf_vet v;

	walk_own(function, &v);
	cr_expect_str_eq(find(&v, kind)->what, what);
	hf_vet_deinit(&v);
}

Test(vet, variables_are_named)
{
	expect_one(vet_counts, "global-store", "stores to vet_counter");
	expect_one(vet_counts, "global-read", "reads vet_counter");
	expect_one(vet_indexes, "global-store", "stores to vet_table+12");
	expect_one(vet_through_got, "global-store", "stores to vet_counter");
	expect_one(vet_ends_in_a_call, "global-store", "stores to vet_counter");
	expect_one(vet_known, "global-store", "stores to vet_counter");
	expect_one(vet_thread_local, "thread-local-store", "stores to a thread's own variable");
}

Test(vet, calls_of_libraries_are_resolved)
{
	struct hf_vet v;

	walk_own(vet_writes, &v);
	cr_expect_eq(count(&v, "io"), 1);
	cr_expect_str_eq(find(&v, "io")->function, "vet_writes");
	hf_vet_deinit(&v);
	walk_own(vet_writes_through_got, &v);
	cr_expect_eq(count(&v, "io"), 1);
	hf_vet_deinit(&v);
	walk_own(vet_allocates, &v);
	cr_expect_eq(v.trusted, 2);
	cr_expect_eq(v.findings.list.n, 0);
	hf_vet_deinit(&v);
}

Test(vet, variable_that_is_called_through_is_named)
{
	expect_one(vet_handles, "indirect-call", "calls through vet_handler: not followed");
}

Test(vet, cases_behind_a_table_of_jumps_are_walked)
{
	expect_one(vet_switches, "syscall", "makes the system call write");
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

Test(vet, functions_are_known_by_name)
{
	static const struct {
		bool go;
		const char *name, *kind; /* kind NULL: trusted; "": like any other */
	} known[] = {
		{true, "runtime.mallocgcSmallNoScanSC3", NULL},
		{true, "runtime.gcWriteBarrier2", NULL},
		{true, "runtime.panicIndex", NULL},
		{true, "runtime.gopanic", "panic"},
		{true, "runtime.newproc", "goroutine"},
		{true, "runtime.chansend1", "channel"},
		{true, "runtime.mapassign_fast64", "map-write"},
		{true, "sync.(*Mutex).lockSlow", "lock"},
		{true, "os.(*File).Write", "io"},
		{true, "os.Exit", "exit"},
		{true, "main._Cfunc_free", "cgo"},
		{true, "main.reflect", ""},
		{true, "main.runtime.newproc", ""},
		{false, "__libc_malloc", NULL},
		{false, "__GI___write", "io"},
		{false, "fork@@GLIBC_2.2.5", "process"},
		{false, "_ZnwmSt11align_val_t", NULL},
		{false, "pthread_mutex_lock", "lock"},
		{false, "writes", ""},
		{false, "writ", ""},
		{false, "", ""},
	};

	for (size_t i = 0; i < HF_LEN(known); i++) {
		const struct hf_vet_rule *rule = hf_vet_rule_find(known[i].go, known[i].name);

		if (known[i].kind && !known[i].kind[0]) {
			cr_expect_null(rule, "%s", known[i].name);
			continue;
		}
		cr_assert_not_null(rule, "%s", known[i].name);
		cr_expect(known[i].kind ? rule->kind && !strcmp(rule->kind, known[i].kind) : !rule->kind,
			  "%s", known[i].name);
	}
}
