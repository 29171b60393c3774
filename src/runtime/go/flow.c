#include "flow.h"

/* Source of all encodings: Intel SDM volume 2. */
#define RAX 0
#define RCX 1
#define RBX 3

void go_flow_begin(struct go_flow *f)
{
	*f = (struct go_flow){.reg = {[RAX] = {.of = 1}, [RBX] = {.of = 2}, [RCX] = {.of = 3}}};
}

unsigned go_flow_nop(const uint8_t *p)
{
	unsigned prefix = *p == 0x66, n = 0;

	p += prefix;
	if (p[0] == 0x90)
		return prefix + 1;
	if (p[0] != 0x0f || p[1] != 0x1f)
		return 0;
	switch (p[2]) {
	case 0x00:
		n = 3;
		break;
	case 0x40:
		n = 4;
		break;
	case 0x44:
		n = 5;
		break;
	case 0x80:
		n = 7;
		break;
	case 0x84:
		n = 8;
		break;
	}
	return n ? prefix + n : 0;
}

static bool is_wide(const uint8_t *p)
{
	return (p[0] & 0xf8) == 0x48;
}

int go_flow_store(const uint8_t *p)
{
	if ((p[0] & 0xfb) != 0x48 || p[1] != 0x89 || (p[2] & 0xc7) != 0x05)
		return -1;
	return (p[2] >> 3 & 7) | (p[0] & 4) << 1;
}

/* Bytes of a memory operand that stands at p: its form, and a distance. 0: a register, or scaled. */
static unsigned memory_size(const uint8_t *p)
{
	unsigned mode = p[0] >> 6, base = p[0] & 7, n = 1;

	if (mode == 3)
		return 0;
	if (base == 4) {
		/* The stack pointer alone. */
		if (p[1] != 0x24)
			return 0;
		n = 2;
	}
	if (mode == 0)
		return base == 5 ? 5 : n;
	return n + (mode == 1 ? 1 : 4);
}

static int64_t distance(const uint8_t *operand)
{
	if (operand[0] >> 6 == 1)
		return (int8_t)operand[1];
	return operand[0] >> 6 == 2 ? (int32_t)hf_load_u32(operand + 1) : 0;
}

/* mov and lea of 64 bits. */
static unsigned step_move(struct go_flow *f, const uint8_t *p)
{
	unsigned reg = (p[2] >> 3 & 7) | (p[0] & 4) << 1, base = (p[2] & 7) | (p[0] & 1) << 3,
		 n = memory_size(p + 2);
	struct go_flow_value none = {0, 0};

	if (!is_wide(p) || (p[1] != 0x89 && p[1] != 0x8b && p[1] != 0x8d))
		return 0;
	if (p[2] >> 6 == 3 && p[1] != 0x8d) {
		f->reg[p[1] == 0x89 ? base : reg] = f->reg[p[1] == 0x89 ? reg : base];
		return 3;
	}
	if (!n)
		return 0;
	if (p[1] == 0x8b)
		f->reg[reg] = none;
	if (p[1] == 0x8d) {
		bool follows = (p[2] & 7) != 4 && (p[2] >> 6 == 1 || p[2] >> 6 == 2);

		f->reg[reg] = follows ? f->reg[base] : none;
		f->reg[reg].offset += follows ? distance(p + 2) : 0;
	}
	return 2 + n;
}

/* add $x, reg */
static unsigned step_add(struct go_flow *f, const uint8_t *p)
{
	unsigned reg = (p[2] & 7) | (p[0] & 1) << 3;

	if ((p[0] & 0xfe) != 0x48)
		return 0;
	if (p[0] == 0x48 && p[1] == 0x05) {
		f->reg[RAX].offset += (int32_t)hf_load_u32(p + 2);
		return 6;
	}
	if ((p[1] != 0x83 && p[1] != 0x81) || (p[2] & 0xf8) != 0xc0)
		return 0;
	f->reg[reg].offset += p[1] == 0x83 ? (int8_t)p[3] : (int32_t)hf_load_u32(p + 3);
	return p[1] == 0x83 ? 4 : 7;
}

/* Constants: to memory at an address, to a register of 32 bits; xor of such a register. */
static unsigned step_constant(struct go_flow *f, const uint8_t *p)
{
	if (p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0x05)
		return 11;
	if (p[0] == 0xc7 && p[1] == 0x05)
		return 10;
	if ((p[0] == 0xc6 && p[1] == 0x05) || (p[0] == 0x83 && p[1] == 0x3d))
		return 7;
	if (p[0] >= 0xb8 && p[0] <= 0xbf) {
		f->reg[p[0] & 7] = (struct go_flow_value){0, 0};
		return 5;
	}
	if ((p[0] == 0x31 || p[0] == 0x89) && p[1] >= 0xc0) {
		f->reg[p[1] & 7] = (struct go_flow_value){0, 0};
		return 2;
	}
	return 0;
}

/* A branch forward, around a write barrier or to it. */
static unsigned step_branch(const uint8_t *p)
{
	if ((p[0] == 0x74 || p[0] == 0x75) && p[1] < 0x80)
		return 2;
	return p[0] == 0x0f && (p[1] == 0x84 || p[1] == 0x85) && p[5] < 0x80 ? 6 : 0;
}

unsigned go_flow_step(struct go_flow *f, const uint8_t *p)
{
	unsigned n = go_flow_nop(p);

	n = n ? n : step_move(f, p);
	n = n ? n : step_add(f, p);
	n = n ? n : step_constant(f, p);
	return n ? n : step_branch(p);
}
