#include "snap_private.h"

#include <sys/user.h>

static const struct {
	const char *name;
	size_t offset;
} places[] = {
#define PLACE(name)                                                                                          \
	{                                                                                                    \
#name, offsetof(struct user_regs_struct, name)                                               \
	}
	PLACE(rax), PLACE(rbx), PLACE(rcx), PLACE(rdx), PLACE(rsi), PLACE(rdi), PLACE(rbp), PLACE(rsp),
	PLACE(r8),  PLACE(r9),  PLACE(r10), PLACE(r11), PLACE(r12), PLACE(r13), PLACE(r14), PLACE(r15),
#undef PLACE
};

void hf_snap_regs(const struct hf_regs *regs, void *ret, size_t len)
{
	/* Linux arch/x86/include/asm/segment.h: __USER_CS, __USER_DS; interrupts on; in no system call. */
	struct user_regs_struct set = {
		.cs = 0x33, .ss = 0x2b, .eflags = 0x202, .orig_rax = (unsigned long long)-1};

	for (unsigned i = 0; i < hf_min(regs->gprs, (unsigned)HF_ARCH_REGS); i++)
		for (size_t p = 0; p < HF_LEN(places); p++)
			if (!strcmp(hf_arch_reg_name(i), places[p].name))
				memcpy((char *)&set + places[p].offset, &regs->gpr[i], sizeof(regs->gpr[i]));
	set.rip = regs->pc;
	set.rsp = regs->sp;
	set.rbp = regs->fp;
	set.fs_base = regs->tls;
	memcpy(ret, &set, hf_min(len, sizeof(set)));
}
