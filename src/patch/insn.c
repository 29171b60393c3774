#include "insn.h"

#include "../../sandbox/verdict.h"

#include <capstone/capstone.h>

struct hf_decoder {
	csh handle;
	cs_insn *insn;
};

#define REG_NAMES(r64, r32, r16, r8, reg)                                                                    \
	[X86_REG_##r64] = (reg) + 1, [X86_REG_##r32] = (reg) + 1, [X86_REG_##r16] = (reg) + 1,               \
	[X86_REG_##r8] = (reg) + 1

/* + 1: 0 is none. */
static const uint8_t regs[X86_REG_ENDING] = {
	REG_NAMES(RAX, EAX, AX, AL, GHOST_RAX),
	REG_NAMES(RBX, EBX, BX, BL, GHOST_RBX),
	REG_NAMES(RCX, ECX, CX, CL, GHOST_RCX),
	REG_NAMES(RDX, EDX, DX, DL, GHOST_RDX),
	REG_NAMES(RSI, ESI, SI, SIL, GHOST_RSI),
	REG_NAMES(RDI, EDI, DI, DIL, GHOST_RDI),
	REG_NAMES(RBP, EBP, BP, BPL, GHOST_RBP),
	REG_NAMES(RSP, ESP, SP, SPL, GHOST_RSP),
	REG_NAMES(R8, R8D, R8W, R8B, GHOST_R8),
	REG_NAMES(R9, R9D, R9W, R9B, GHOST_R9),
	REG_NAMES(R10, R10D, R10W, R10B, GHOST_R10),
	REG_NAMES(R11, R11D, R11W, R11B, GHOST_R11),
	REG_NAMES(R12, R12D, R12W, R12B, GHOST_R12),
	REG_NAMES(R13, R13D, R13W, R13B, GHOST_R13),
	REG_NAMES(R14, R14D, R14W, R14B, GHOST_R14),
	REG_NAMES(R15, R15D, R15W, R15B, GHOST_R15),
	[X86_REG_AH] = GHOST_RAX + 1,
	[X86_REG_BH] = GHOST_RBX + 1,
	[X86_REG_CH] = GHOST_RCX + 1,
	[X86_REG_DH] = GHOST_RDX + 1,
};

/* System V: a callee need not keep these; Go's keeps fewer still. */
#define CALL_WRITES                                                                                          \
	(1u << GHOST_RAX | 1u << GHOST_RCX | 1u << GHOST_RDX | 1u << GHOST_RSI | 1u << GHOST_RDI |           \
	 1u << GHOST_R8 | 1u << GHOST_R9 | 1u << GHOST_R10 | 1u << GHOST_R11)

static uint8_t reg_of(unsigned reg)
{
	return reg < X86_REG_ENDING && regs[reg] ? (uint8_t)(regs[reg] - 1) : HF_INSN_NO_REG;
}

static uint16_t bit_of(unsigned reg)
{
	uint8_t r = reg_of(reg);

	return r == HF_INSN_NO_REG ? 0 : (uint16_t)(1u << r);
}

/* All of a register, or its lower half, which clears the upper one. */
static bool is_whole(unsigned reg)
{
	return (reg >= X86_REG_RAX && reg <= X86_REG_RSP && reg != X86_REG_RIP) ||
	       (reg >= X86_REG_R8 && reg <= X86_REG_R15) || (reg >= X86_REG_R8D && reg <= X86_REG_R15D) ||
	       reg == X86_REG_EAX || reg == X86_REG_EBX || reg == X86_REG_ECX || reg == X86_REG_EDX ||
	       reg == X86_REG_ESI || reg == X86_REG_EDI || reg == X86_REG_EBP || reg == X86_REG_ESP;
}

/* ---- what is read and written --------------------------------------------------------------------------- */

/* With memory as the first of several operands, but it is not stored to. */
static bool only_reads(unsigned id)
{
	switch (id) {
	case X86_INS_TEST: /* capstone 4: "written" */
	case X86_INS_CMP:
	case X86_INS_BT:
	case X86_INS_CMPSB:
	case X86_INS_CMPSW:
	case X86_INS_CMPSD:
	case X86_INS_CMPSQ:
	case X86_INS_NOP:
	case X86_INS_PUSH:
	case X86_INS_OUTSB:
	case X86_INS_OUTSW:
	case X86_INS_OUTSD:
		return true;
	}
	return false;
}

/* With memory as their one operand, and it is stored to; capstone 4 says so of few of them. */
static bool stores_alone(unsigned id)
{
	switch (id) {
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
	case X86_INS_FST:
	case X86_INS_FSTP:
	case X86_INS_FSTPNCE:
	case X86_INS_FIST:
	case X86_INS_FISTP:
	case X86_INS_FISTTP:
	case X86_INS_FBSTP:
	case X86_INS_FNSTCW:
	case X86_INS_FNSTSW:
	case X86_INS_FNSTENV:
	case X86_INS_FNSAVE:
	case X86_INS_STMXCSR:
	case X86_INS_VSTMXCSR:
	case X86_INS_FXSAVE:
	case X86_INS_FXSAVE64:
	case X86_INS_XSAVE:
	case X86_INS_XSAVE64:
	case X86_INS_XSAVEC:
	case X86_INS_XSAVEC64:
	case X86_INS_XSAVEOPT:
	case X86_INS_XSAVEOPT64:
	case X86_INS_XSAVES:
	case X86_INS_XSAVES64:
	case X86_INS_POP:
		return true;
	}
	return false;
}

/* Copies that do not look at what was there. */
static bool only_writes(unsigned id, const char *mnemonic)
{
	return id == X86_INS_MOV || id == X86_INS_MOVABS || stores_alone(id) ||
	       !strncmp(mnemonic, "mov", 3) || !strncmp(mnemonic, "vmov", 4) ||
	       !strncmp(mnemonic, "set", 3) || !strncmp(mnemonic, "stos", 4) ||
	       !strncmp(mnemonic, "rep stos", 8);
}

/* capstone 4's access flags are wrong for most vector stores (movups: "read"), for cmpxchg and for x87: what Intel's
 * order of operands says comes first, the destination being the first one. */
static void find_access(const cs_insn *in, unsigned i, struct hf_insn_place *ret)
{
	const cs_x86 *x = &in->detail->x86;
	bool is_first = i == 0 && x->op_count > 1;

	ret->write = (is_first && !only_reads(in->id)) || (x->op_count == 1 && stores_alone(in->id)) ||
		     (!is_first && (x->operands[i].access & CS_AC_WRITE)) || in->id == X86_INS_XCHG ||
		     in->id == X86_INS_XADD;
	if (only_reads(in->id))
		ret->write = false;
	ret->read = !ret->write || !only_writes(in->id, in->mnemonic);
}

/* lea and nop name a place, but do not go there. */
static bool is_touched(unsigned id)
{
	return id != X86_INS_LEA && id != X86_INS_NOP && id != X86_INS_PREFETCHNTA &&
	       id != X86_INS_PREFETCHT0 && id != X86_INS_PREFETCHT1 && id != X86_INS_PREFETCHT2 &&
	       id != X86_INS_PREFETCHW && id != X86_INS_PREFETCH;
}

static struct hf_insn_place place_of(const cs_insn *in, const x86_op_mem *m)
{
	struct hf_insn_place p = {.base = reg_of(m->base),
				  .index = reg_of(m->index),
				  .disp = (uint64_t)m->disp,
				  .is_thread = m->segment == X86_REG_FS || m->segment == X86_REG_GS};

	if (m->base == X86_REG_RIP || m->base == X86_REG_EIP)
		p.disp += in->address + in->size;
	p.is_fixed = p.base == HF_INSN_NO_REG && !p.is_thread;
	return p;
}

static void add_place(const cs_insn *in, unsigned i, struct hf_insn *ret)
{
	const cs_x86_op *op = &in->detail->x86.operands[i];
	struct hf_insn_place p = place_of(in, &op->mem);

	ret->reads |= bit_of(op->mem.base) | bit_of(op->mem.index);
	if (!is_touched(in->id) || ret->places_n == HF_LEN(ret->places))
		return;
	find_access(in, i, &p);
	ret->places[ret->places_n++] = p;
}

/* A register against itself is cleared: what it held does not matter. */
static bool is_cleared(const cs_insn *in)
{
	const cs_x86 *x = &in->detail->x86;

	return (in->id == X86_INS_XOR || in->id == X86_INS_SUB) && x->op_count == 2 &&
	       x->operands[0].type == X86_OP_REG && x->operands[1].type == X86_OP_REG &&
	       x->operands[0].reg == x->operands[1].reg;
}

static void find_registers(const cs_insn *in, struct hf_insn *ret)
{
	const cs_x86 *x = &in->detail->x86;
	bool cleared = is_cleared(in);

	for (unsigned i = 0; i < x->op_count; i++) {
		const cs_x86_op *op = &x->operands[i];

		if (op->type == X86_OP_MEM)
			add_place(in, i, ret);
		if (op->type != X86_OP_REG)
			continue;
		if (op->access & CS_AC_WRITE || (i == 0 && x->op_count > 1 && !only_reads(in->id)))
			ret->writes |= bit_of(op->reg);
		if ((op->access & CS_AC_READ || !op->access) && !cleared)
			ret->reads |= bit_of(op->reg);
	}
	for (unsigned i = 0; i < in->detail->regs_write_count; i++)
		ret->writes |= bit_of(in->detail->regs_write[i]);
	for (unsigned i = 0; i < in->detail->regs_read_count; i++)
		ret->reads |= bit_of(in->detail->regs_read[i]);
}

/* ---- what it sets a register to -------------------------------------------------------------------------- */

static void find_set(const cs_insn *in, struct hf_insn *ret)
{
	const cs_x86_op *to = &in->detail->x86.operands[0], *from = &in->detail->x86.operands[1];

	if (in->detail->x86.op_count != 2 || to->type != X86_OP_REG || !is_whole(to->reg) ||
	    reg_of(to->reg) == HF_INSN_NO_REG)
		return;
	ret->set_reg = reg_of(to->reg);
	if (is_cleared(in)) {
		ret->set = HF_INSN_SET_VALUE;
	} else if (in->id == X86_INS_LEA && from->type == X86_OP_MEM) {
		ret->set = HF_INSN_SET_ADDRESS;
		ret->places[0] = place_of(in, &from->mem);
	} else if (in->id != X86_INS_MOV && in->id != X86_INS_MOVABS) {
		return;
	} else if (from->type == X86_OP_IMM) {
		ret->set = HF_INSN_SET_VALUE;
		ret->value = to->size == 4 ? (uint32_t)from->imm : (uint64_t)from->imm;
	} else if (from->type == X86_OP_REG && to->size == 8 && reg_of(from->reg) != HF_INSN_NO_REG) {
		ret->set = HF_INSN_SET_COPY;
		ret->from = reg_of(from->reg);
	} else if (from->type == X86_OP_MEM && to->size == 8) {
		ret->set = HF_INSN_SET_LOAD;
	}
}

/* ---- where it goes ---------------------------------------------------------------------------------------- */

static bool is_branch(unsigned id)
{
	switch (id) {
	case X86_INS_LOOP:
	case X86_INS_LOOPE:
	case X86_INS_LOOPNE:
	case X86_INS_JCXZ:
	case X86_INS_JECXZ:
	case X86_INS_JRCXZ:
	case X86_INS_XBEGIN:
		return true;
	}
	return id >= X86_INS_JAE && id <= X86_INS_JS && id != X86_INS_JMP && id != X86_INS_LJMP;
}

static enum hf_insn_kind kind_of(const cs_insn *in)
{
	switch (in->id) {
	case X86_INS_CALL:
	case X86_INS_LCALL:
		return HF_INSN_CALL;
	case X86_INS_JMP:
	case X86_INS_LJMP:
		return HF_INSN_JUMP;
	case X86_INS_RET:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_IRET:
	case X86_INS_IRETD:
	case X86_INS_IRETQ:
		return HF_INSN_RETURN;
	case X86_INS_SYSCALL:
	case X86_INS_SYSENTER:
	case X86_INS_INT:
		return HF_INSN_SYSCALL;
	case X86_INS_UD2:
	case X86_INS_UD0:
	case X86_INS_UD2B:
	case X86_INS_INT3:
	case X86_INS_HLT:
		return HF_INSN_TRAP;
	}
	return is_branch(in->id) ? HF_INSN_BRANCH : HF_INSN_OTHER;
}

static void find_target(const cs_insn *in, struct hf_insn *ret)
{
	const cs_x86 *x = &in->detail->x86;

	ret->kind = kind_of(in);
	if (ret->kind == HF_INSN_CALL)
		ret->writes |= CALL_WRITES;
	if (ret->kind != HF_INSN_CALL && ret->kind != HF_INSN_JUMP && ret->kind != HF_INSN_BRANCH)
		return;
	ret->indirect = x->op_count < 1 || x->operands[x->op_count - 1].type != X86_OP_IMM;
	if (!ret->indirect)
		ret->target = (uint64_t)x->operands[x->op_count - 1].imm;
}

bool hf_insn_decode(struct hf_decoder *d, const uint8_t *bytes, size_t len, uint64_t pc, struct hf_insn *ret)
{
	const cs_insn *in = d->insn;
	uint64_t at = pc;

	if (!cs_disasm_iter(d->handle, &bytes, &len, &at, d->insn))
		return false;
	*ret = (struct hf_insn){.pc = pc, .len = (uint8_t)in->size, .set_reg = HF_INSN_NO_REG};
	find_registers(in, ret);
	find_set(in, ret);
	find_target(in, ret);
	return true;
}

struct hf_err *hf_decoder_open(struct hf_decoder **ret)
{
	_free_ struct hf_decoder *d = hf_calloc(1, sizeof(*d));

	if (!d)
		return hf_err_nomem();
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &d->handle) != CS_ERR_OK)
		return hf_err(HF_UNSUPPORTED, "the disassembler (capstone) cannot read x86-64 code");
	cs_option(d->handle, CS_OPT_DETAIL, CS_OPT_ON);
	d->insn = cs_malloc(d->handle);
	if (!d->insn) {
		cs_close(&d->handle);
		return hf_err_nomem();
	}
	*ret = take_ptr(d);
	return NULL;
}

void hf_decoder_close(struct hf_decoder *d)
{
	if (!d)
		return;
	cs_free(d->insn, 1);
	cs_close(&d->handle);
	hf_free(d);
}
