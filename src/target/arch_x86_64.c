#include "arch.h"

#include <elf.h>

const uint16_t hf_arch_elf_machine = EM_X86_64;
const char *const hf_arch_name = "x86-64";

/* Places in struct user_regs_struct, in words. Source: Linux arch/x86/include/asm/user_64.h */
enum {
	R15,
	R14,
	R13,
	R12,
	RBP,
	RBX,
	R11,
	R10,
	R9,
	R8,
	RAX,
	RCX,
	RDX,
	RSI,
	RDI,
	ORIG_RAX,
	RIP,
	CS,
	EFLAGS,
	RSP,
	SS,
	FS_BASE,
	GS_BASE,
	DS,
	ES,
	FS,
	GS,
	USER_REGS,
};

static const struct {
	const char *name;
	unsigned at;
} gprs[] = {
	{"rax", RAX}, {"rbx", RBX}, {"rcx", RCX}, {"rdx", RDX}, {"rsi", RSI}, {"rdi", RDI},
	{"rbp", RBP}, {"rsp", RSP}, {"r8", R8},   {"r9", R9},   {"r10", R10}, {"r11", R11},
	{"r12", R12}, {"r13", R13}, {"r14", R14}, {"r15", R15},
};
_Static_assert(HF_LEN(gprs) <= HF_ARCH_REGS, "struct hf_regs has room for all");
_Static_assert(USER_REGS * 8 <= HF_ARCH_PRSTATUS, "the buffer has room for the kernel's set");

const char *hf_arch_reg_name(unsigned i)
{
	return i < HF_LEN(gprs) ? gprs[i].name : "";
}

struct hf_err *hf_arch_regs_decode(const void *user_regs, size_t len, struct hf_regs *ret)
{
	const uint8_t *words = user_regs;
	struct hf_regs regs = {.gprs = HF_LEN(gprs)};

	if (len != USER_REGS * 8)
		return hf_err(HF_BADDATA,
			      "a register set of %zu bytes is not that of an %s program (%d bytes)", len,
			      hf_arch_name, USER_REGS * 8);
	for (unsigned i = 0; i < HF_LEN(gprs); i++)
		regs.gpr[i] = hf_load_u64(words + gprs[i].at * 8);
	regs.pc = hf_load_u64(words + RIP * 8);
	regs.sp = hf_load_u64(words + RSP * 8);
	regs.fp = hf_load_u64(words + RBP * 8);
	regs.tls = hf_load_u64(words + FS_BASE * 8);
	regs.go_g = hf_load_u64(words + R14 * 8);
	*ret = regs;
	return NULL;
}
