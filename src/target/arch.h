/* What depends on the processor, in one place: x86-64 is arch_x86_64.c; arm64 can follow beside it. */
#ifndef HF_ARCH_H
#define HF_ARCH_H

#include "../base/base.h"

#define HF_ARCH_REGS 24

/* A thread's registers. gpr: all that can hold a pointer, in the order of hf_arch_reg_name. */
struct hf_regs {
	uint64_t pc, sp, fp;
	uint64_t tls;  /* thread pointer (fs_base) */
	uint64_t go_g; /* the register in which Go code keeps its g (r14) */
	uint64_t gpr[HF_ARCH_REGS];
	unsigned gprs;
};

extern const uint16_t hf_arch_elf_machine; /* EM_X86_64 */
extern const char *const hf_arch_name;     /* "x86-64" */
#define HF_ARCH_PAGE     4096u
#define HF_ARCH_PRSTATUS 512u /* room for a NT_PRSTATUS descriptor's register part */

/* "rax"... for gpr[i]; "" past the end. */
const char *hf_arch_reg_name(unsigned i);

/* "write"; NULL: a number that this table does not know. */
const char *hf_arch_syscall_name(uint64_t number);

/* Converts the kernel's register set (struct user_regs_struct, as in PTRACE_GETREGSET NT_PRSTATUS and at the end of
 * the core note). Errors: BADDATA where len is not that of this machine. */
struct hf_err *hf_arch_regs_decode(const void *user_regs, size_t len, struct hf_regs *ret) HF_CHECKED;

#endif
