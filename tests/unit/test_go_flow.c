/* Code between a call and the store of what it returned: what is followed, and what must not be. */
#include "../../src/runtime/go/flow.h"

#include <criterion/criterion.h>

enum { RAX, RCX, RDX, RBX };

struct row {
	const char *what, *code;
	size_t len;
	unsigned reg;
	uint8_t of;
	int64_t offset;
};
#define CODE(text) text, sizeof(text) - 1

/* Follows code that must be understood to its end. */
static struct go_flow follow(const struct row *row)
{
	uint8_t bytes[64 + GO_FLOW_ROOM] = {0};
	struct go_flow flow;
	size_t at = 0;

	cr_assert(row->len <= 64);
	memcpy(bytes, row->code, row->len);
	go_flow_begin(&flow);
	while (at < row->len) {
		unsigned n = go_flow_step(&flow, bytes + at);

		cr_assert(n, "%s: stopped at byte %zu", row->what, at);
		at += n;
	}
	cr_expect_eq(at, row->len, "%s: ends at %zu of %zu", row->what, at, row->len);
	return flow;
}

Test(go_flow, results_are_followed)
{
	static const struct row rows[] = {
		{"nothing", CODE(""), RAX, 1, 0},
		{"second word", CODE("\x90"), RBX, 2, 0},
		{"third word", CODE("\x66\x90"), RCX, 3, 0},
		{"no-ops of all sizes",
		 CODE("\x0f\x1f\x00\x0f\x1f\x40\x00\x0f\x1f\x44\x00\x00\x66\x0f\x1f\x44\x00\x00"
		      "\x0f\x1f\x80\x00\x00\x00\x00\x0f\x1f\x84\x00\x00\x00\x00\x00"),
		 RAX, 1, 0},
		{"mov %rax,%rdx", CODE("\x48\x89\xc2"), RDX, 1, 0},
		{"mov %rax,%r8", CODE("\x49\x89\xc0"), 8, 1, 0},
		{"mov %r8,%rdx behind it", CODE("\x49\x89\xc0\x4c\x89\xc2"), RDX, 1, 0},
		{"lea 0x1f60(%rax),%rcx", CODE("\x48\x8d\x88\x60\x1f\x00\x00"), RCX, 1, 0x1f60},
		{"lea -8(%rax),%rcx", CODE("\x48\x8d\x48\xf8"), RCX, 1, -8},
		{"add $8,%rax", CODE("\x48\x83\xc0\x08"), RAX, 1, 8},
		{"add $0x12345678,%rax", CODE("\x48\x05\x78\x56\x34\x12"), RAX, 1, 0x12345678},
		{"add $0x1000,%rbx", CODE("\x48\x81\xc3\x00\x10\x00\x00"), RBX, 2, 0x1000},
		{"two additions", CODE("\x48\x83\xc0\x08\x48\x83\xc0\xf0"), RAX, 1, -8},
		{"cmpl $0,x(%rip); je; mov x(%rip),%rcx; mov %rax,(%r11); mov %rcx,8(%r11)",
		 CODE("\x83\x3d\x11\x22\x33\x00\x00\x74\x13\x48\x8b\x0d\x11\x22\x33\x00\x49\x89\x03\x49\x89"
		      "\x4b"
		      "\x08"),
		 RAX, 1, 0},
		{"movq $1,x(%rip); movl; movb",
		 CODE("\x48\xc7\x05\x01\x02\x03\x04\x01\x00\x00\x00\xc7\x05\x01\x02\x03"
		      "\x04\x01\x00\x00\x00\xc6\x05\x01\x02\x03\x04\x01"),
		 RAX, 1, 0},
		{"mov %rax,8(%rsp)", CODE("\x48\x89\x44\x24\x08"), RAX, 1, 0},
		{"jne far", CODE("\x0f\x85\x00\x01\x00\x00"), RAX, 1, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct go_flow flow = follow(&rows[i]);

		cr_expect_eq(flow.reg[rows[i].reg].of, rows[i].of, "%s", rows[i].what);
		cr_expect_eq(flow.reg[rows[i].reg].offset, rows[i].offset, "%s", rows[i].what);
	}
}

Test(go_flow, what_is_overwritten_is_no_result)
{
	static const struct row rows[] = {
		{"mov 8(%rsp),%rax", CODE("\x48\x8b\x44\x24\x08"), RAX, 0, 0},
		{"mov x(%rip),%rax", CODE("\x48\x8b\x05\x01\x02\x03\x04"), RAX, 0, 0},
		{"mov (%rax),%rax", CODE("\x48\x8b\x00"), RAX, 0, 0},
		{"lea x(%rip),%rax", CODE("\x48\x8d\x05\x01\x02\x03\x04"), RAX, 0, 0},
		{"lea 8(%rsp),%rax", CODE("\x48\x8d\x44\x24\x08"), RAX, 0, 0},
		{"lea 8(%rdx),%rax", CODE("\x48\x8d\x42\x08"), RAX, 0, 8},
		{"mov $1,%eax", CODE("\xb8\x01\x00\x00\x00"), RAX, 0, 0},
		{"xor %eax,%eax", CODE("\x31\xc0"), RAX, 0, 0},
		{"mov %ecx,%eax", CODE("\x89\xc8"), RAX, 0, 0},
		{"mov %rdx,%rax", CODE("\x48\x89\xd0"), RAX, 0, 0},
		{"mov %rbx,%rax", CODE("\x48\x89\xd8"), RAX, 2, 0},
		{"mov $1,%ebx", CODE("\xbb\x01\x00\x00\x00"), RBX, 0, 0},
		{"mov %r9,%rcx", CODE("\x4c\x89\xc9"), RCX, 0, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct go_flow flow = follow(&rows[i]);

		cr_expect_eq(flow.reg[rows[i].reg].of, rows[i].of, "%s", rows[i].what);
	}
}

Test(go_flow, what_is_not_known_ends_it)
{
	static const struct row rows[] = {
		{"call", CODE("\xe8\x01\x02\x03\x04"), 0, 0, 0},
		{"call *%rax", CODE("\xff\xd0"), 0, 0, 0},
		{"ret", CODE("\xc3"), 0, 0, 0},
		{"jmp", CODE("\xeb\x05"), 0, 0, 0},
		{"jmp far", CODE("\xe9\x01\x02\x03\x04"), 0, 0, 0},
		{"je backwards", CODE("\x74\xf0"), 0, 0, 0},
		{"jne far backwards", CODE("\x0f\x85\x00\xff\xff\xff"), 0, 0, 0},
		{"pop %rax", CODE("\x58"), 0, 0, 0},
		{"xchg %rax,%rbx", CODE("\x48\x93"), 0, 0, 0},
		{"xchg %rax,x(%rip)", CODE("\x48\x87\x05\x01\x02\x03\x04"), 0, 0, 0},
		{"lock cmpxchg", CODE("\xf0\x48\x0f\xb1\x0d\x01\x02\x03\x04"), 0, 0, 0},
		{"cmove %rbx,%rax", CODE("\x48\x0f\x44\xc3"), 0, 0, 0},
		{"sub $8,%rax", CODE("\x48\x83\xe8\x08"), 0, 0, 0},
		{"add %rbx,%rax", CODE("\x48\x01\xd8"), 0, 0, 0},
		{"mov (%rax,%rbx,8),%rcx", CODE("\x48\x8b\x0c\xd8"), 0, 0, 0},
		{"mov %al,(%rbx)", CODE("\x88\x03"), 0, 0, 0},
		{"movups %xmm0,(%rax)", CODE("\x0f\x11\x00"), 0, 0, 0},
		{"int3", CODE("\xcc"), 0, 0, 0},
		{"ud2", CODE("\x0f\x0b"), 0, 0, 0},
		{"repeated prefix", CODE("\x66\x66\x90"), 0, 0, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		uint8_t bytes[16 + GO_FLOW_ROOM] = {0};
		struct go_flow flow;

		memcpy(bytes, rows[i].code, rows[i].len);
		go_flow_begin(&flow);
		cr_expect_eq(go_flow_step(&flow, bytes), 0, "%s", rows[i].what);
	}
}

Test(go_flow, only_whole_registers_to_fixed_places_are_stores)
{
	static const struct {
		const char *code;
		int reg;
	} rows[] = {
		{"\x48\x89\x05\x01\x02\x03\x04", RAX}, {"\x48\x89\x0d\x01\x02\x03\x04", RCX},
		{"\x48\x89\x1d\x01\x02\x03\x04", RBX}, {"\x4c\x89\x05\x01\x02\x03\x04", 8},
		{"\x4c\x89\x3d\x01\x02\x03\x04", 15},  {"\x89\x05\x01\x02\x03\x04\x00", -1},
		{"\x48\x8b\x05\x01\x02\x03\x04", -1},  {"\x48\x89\x04\x24\x00\x00\x00", -1},
		{"\x48\x89\xc3\x00\x00\x00\x00", -1},  {"\x48\x88\x05\x01\x02\x03\x04", -1},
		{"\x49\x89\x05\x01\x02\x03\x04", -1},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_eq(go_flow_store((const uint8_t *)rows[i].code), rows[i].reg, "row %zu", i);
}
