/* A call needs thread-local storage (errno, the allocator's caches, the stack protector's canary): that of a thread. */
#include "c.h"

#define STACK_LOOKED 256 /* words from the stack pointer up */

static bool holds(const struct c_callee *c, uint64_t addr)
{
	hf_vec_each(&c->code, r)
		if (addr - r->start < r->end - r->start)
			return true;
	return false;
}

/* By its pc, or by a word on the top of its stack that may be a return address: what a thread in the allocator has is
 * half-made. Old words on the stack make a thread look busy that is not: then another one is taken. */
static bool is_allocating(const struct c_callee *c, const struct hf_thread *thread)
{
	uint64_t words[STACK_LOOKED];
	const struct hf_map *map = hf_target_find_map(c->base.t, thread->regs.sp);
	size_t n = map ? (size_t)hf_min((map->end - thread->regs.sp) / 8, (uint64_t)STACK_LOOKED) : 0;

	if (holds(c, thread->regs.pc))
		return true;
	if (!n || hf_err_ignore(hf_target_read(c->base.t, thread->regs.sp, words, n * 8)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (holds(c, words[i]))
			return true;
	return false;
}

struct hf_err *c_borrow(const struct c_callee *c, const struct hf_thread **ret)
{
	const struct hf_thread *busy = NULL, *looks_busy = NULL;

	hf_vec_each(&c->base.t->threads, thread) {
		if (thread->state != HF_THREAD_STOPPED || !thread->regs.tls)
			continue;
		if (!is_allocating(c, thread)) {
			*ret = thread;
			return NULL;
		}
		busy = busy ? busy : thread;
		if (!looks_busy && !holds(c, thread->regs.pc))
			looks_busy = thread;
	}
	/* A core does not move on, nor does what a debugger holds: what comes of it is told. */
	if (busy && (!c->base.t->ops->stop || (c->base.t->held && looks_busy))) {
		*ret = looks_busy ? looks_busy : busy;
		return NULL;
	}
	return hf_err(HF_STALE, "%s: every thread %s at this moment: try again",
		      c->base.t->label ? c->base.t->label : "the target",
		      busy ? "is allocating" : "is out of reach");
}

/* ---- errno --------------------------------------------------------------------------------------------------------- */

/* __errno_location adds an offset to the thread pointer: glibc takes it from its GOT, static programs have it in the code;
 * musl's errno stands in the thread's descriptor. */
uint64_t c_errno_addr(const struct c_callee *c, uint64_t fs_base)
{
	static const uint8_t endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
	static const uint8_t load[] = {0x48, 0x8b, 0x05};                         /* mov rel(%rip), %rax */
	static const uint8_t value[] = {0x48, 0xc7, 0xc0};                        /* mov $imm, %rax */
	static const uint8_t add[] = {0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0};  /* add %fs:0, %rax */
	static const uint8_t self[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0}; /* mov %fs:0, %rax */
	uint8_t bytes[32], *code = bytes;
	uint64_t addr = c->errno_location, offset;

	if (!addr || hf_err_ignore(hf_target_read(c->base.t, addr, bytes, sizeof(bytes))))
		return 0;
	if (!memcmp(code, endbr, sizeof(endbr))) {
		code += sizeof(endbr);
		addr += sizeof(endbr);
	}
	if (!memcmp(code, load, sizeof(load)) && !memcmp(code + 7, add, sizeof(add))) {
		addr += 7 + (uint64_t)(int64_t)(int32_t)hf_load_u32(code + 3);
		return hf_err_ignore(hf_target_read_u64(c->base.t, addr, &offset)) ? 0 : fs_base + offset;
	}
	if (!memcmp(code, value, sizeof(value)) && !memcmp(code + 7, add, sizeof(add)))
		return fs_base + (uint64_t)(int64_t)(int32_t)hf_load_u32(code + 3);
	if (memcmp(code, self, sizeof(self)) != 0)
		return 0;
	code += sizeof(self);
	if (code[0] == 0x48 && code[1] == 0x05) /* add $imm, %rax */
		return fs_base + (uint64_t)(int64_t)(int32_t)hf_load_u32(code + 2);
	if (code[0] == 0x48 && code[1] == 0x83 && code[2] == 0xc0) /* add $imm8, %rax */
		return fs_base + (uint64_t)(int64_t)(int8_t)code[3];
	return 0;
}
