/* Who allocates, by the names that every allocator gives its functions; and who ends a run. */
#define _GNU_SOURCE
#include "c.h"

#include "../../base/map64.h"

#define R_NONE                           GHOST_REG_NONE
#define ALLOCATES(size, count, old, out) C_ALLOCATES, size, count, old, out, HF_REFUSAL_NONE, NULL, NULL
#define FREES(reg)                       C_FREES, reg, R_NONE, R_NONE, R_NONE, HF_REFUSAL_NONE, NULL, NULL
#define RESOLVES                         C_RESOLVES, R_NONE, R_NONE, R_NONE, R_NONE, HF_REFUSAL_NONE, NULL, NULL
#define ENDS(refusal, kind, what)        C_ENDS, R_NONE, R_NONE, R_NONE, R_NONE, HF_REFUSAL_##refusal, kind, what
#define NEW                              ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)
#define DELETE                           FREES(GHOST_RDI)
#define GLIBC_MALLOC_SIZE                                                                                    \
	0x6000u /* of malloc.o's functions before malloc itself (glibc 2.28 to 2.41: 0x4800 at most) */

/* Operators by their mangled names: m is size_t, St11align_val_t is the alignment, RKSt9nothrow_t is std::nothrow. */
static const struct c_name names[] = {
	{"malloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"__libc_malloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"calloc", ALLOCATES(GHOST_RSI, GHOST_RDI, R_NONE, R_NONE)},
	{"__libc_calloc", ALLOCATES(GHOST_RSI, GHOST_RDI, R_NONE, R_NONE)},
	{"realloc", ALLOCATES(GHOST_RSI, R_NONE, GHOST_RDI, R_NONE)},
	{"__libc_realloc", ALLOCATES(GHOST_RSI, R_NONE, GHOST_RDI, R_NONE)},
	{"reallocarray", ALLOCATES(GHOST_RDX, GHOST_RSI, GHOST_RDI, R_NONE)},
	{"__libc_reallocarray", ALLOCATES(GHOST_RDX, GHOST_RSI, GHOST_RDI, R_NONE)},
	{"aligned_alloc", ALLOCATES(GHOST_RSI, R_NONE, R_NONE, R_NONE)},
	{"memalign", ALLOCATES(GHOST_RSI, R_NONE, R_NONE, R_NONE)},
	{"__libc_memalign", ALLOCATES(GHOST_RSI, R_NONE, R_NONE, R_NONE)},
	{"posix_memalign", ALLOCATES(GHOST_RDX, R_NONE, R_NONE, GHOST_RDI)},
	{"__posix_memalign", ALLOCATES(GHOST_RDX, R_NONE, R_NONE, GHOST_RDI)},
	{"valloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"__libc_valloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"pvalloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"__libc_pvalloc", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"mallocx", ALLOCATES(GHOST_RDI, R_NONE, R_NONE, R_NONE)},
	{"rallocx", ALLOCATES(GHOST_RSI, R_NONE, GHOST_RDI, R_NONE)},
	{"_Znwm", NEW},
	{"_Znam", NEW},
	{"_ZnwmRKSt9nothrow_t", NEW},
	{"_ZnamRKSt9nothrow_t", NEW},
	{"_ZnwmSt11align_val_t", NEW},
	{"_ZnamSt11align_val_t", NEW},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", NEW},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", NEW},
	{"free", FREES(GHOST_RDI)},
	{"cfree", FREES(GHOST_RDI)},
	{"__libc_free", FREES(GHOST_RDI)},
	{"dallocx", FREES(GHOST_RDI)},
	{"sdallocx", FREES(GHOST_RDI)},
	{"_ZdlPv", DELETE},
	{"_ZdaPv", DELETE},
	{"_ZdlPvm", DELETE},
	{"_ZdaPvm", DELETE},
	{"_ZdlPvSt11align_val_t", DELETE},
	{"_ZdaPvSt11align_val_t", DELETE},
	{"_ZdlPvmSt11align_val_t", DELETE},
	{"_ZdaPvmSt11align_val_t", DELETE},
	{"_dl_fixup", RESOLVES},
	{"_dl_tlsdesc_dynamic", RESOLVES},
	{"abort", ENDS(FAULT, "abort", "it aborts")},
	{"__assert_fail", ENDS(FAULT, "abort", "an assertion fails")},
	{"__assert_perror_fail", ENDS(FAULT, "abort", "an assertion fails")},
	{"__assert", ENDS(FAULT, "abort", "an assertion fails")},
	{"__stack_chk_fail", ENDS(FAULT, "abort", "it writes past the end of an array on its stack")},
	{"__fortify_fail", ENDS(FAULT, "abort", "a check of the C library's fails")},
	{"__chk_fail", ENDS(FAULT, "abort", "it writes past the end of a buffer")},
	{"__cxa_throw", ENDS(FAULT, "exception", "it throws an exception")},
	{"raise", ENDS(FAULT, "abort", "it raises a signal")},
	{"pthread_create", ENDS(SYSCALL, "thread", "it starts a thread")},
	{"thrd_create", ENDS(SYSCALL, "thread", "it starts a thread")},
	{"fork", ENDS(SYSCALL, "process", "it starts a process")},
	{"vfork", ENDS(SYSCALL, "process", "it starts a process")},
	{"_Fork", ENDS(SYSCALL, "process", "it starts a process")},
	{"posix_spawn", ENDS(SYSCALL, "process", "it starts a process")},
	{"posix_spawnp", ENDS(SYSCALL, "process", "it starts a process")},
	{"system", ENDS(SYSCALL, "process", "it starts a process")},
	{"popen", ENDS(SYSCALL, "process", "it starts a process")},
	{"exit", ENDS(SYSCALL, "exit", "it ends the program")},
	{"_exit", ENDS(SYSCALL, "exit", "it ends the program")},
	{"_Exit", ENDS(SYSCALL, "exit", "it ends the program")},
	{"quick_exit", ENDS(SYSCALL, "exit", "it ends the program")},
	{"pthread_exit", ENDS(FORBIDDEN_CALL, "exit", "it ends its thread")},
	{"thrd_exit", ENDS(FORBIDDEN_CALL, "exit", "it ends its thread")},
	{"longjmp", ENDS(FORBIDDEN_CALL, "longjmp", "it jumps out of its caller")},
	{"_longjmp", ENDS(FORBIDDEN_CALL, "longjmp", "it jumps out of its caller")},
	{"siglongjmp", ENDS(FORBIDDEN_CALL, "longjmp", "it jumps out of its caller")},
	{"__longjmp_chk", ENDS(FORBIDDEN_CALL, "longjmp", "it jumps out of its caller")},
	{"dlopen", ENDS(SYSCALL, "dlopen", "it loads code")},
	{"dlmopen", ENDS(SYSCALL, "dlopen", "it loads code")},
};

static enum ghost_hook_kind kind_of(enum c_role role)
{
	switch (role) {
	case C_ALLOCATES:
		return GHOST_HOOK_ALLOCATE;
	case C_FREES:
		return GHOST_HOOK_FREE;
	case C_RESOLVES:
		return GHOST_HOOK_WINDOW;
	default:
		return GHOST_HOOK_STOP;
	}
}

static struct hf_err *add_hook(struct c_callee *c, struct hf_map64 *at, const struct c_name *name,
			       uint64_t addr, bool is_glibc)
{
	struct ghost_hook hook = {.addr = addr,
				  .kind = kind_of(name->role),
				  .tag = (uint32_t)c->hooks.n,
				  .size = name->size,
				  .count = name->count,
				  .old = name->old,
				  .info = R_NONE,
				  .out = name->out};
	uint64_t was;

	/* One is left for the dynamic linker's. */
	if (hf_map64_find(at, addr, &was) || c->hooks.n == GHOST_HOOKS_MAX - 1)
		return NULL;
	HF_TRY(hf_map64_put(at, addr, 1));
	HF_TRY(hf_vec_push(&c->names, ((struct c_hook){name, is_glibc})));
	return hf_vec_push(&c->hooks, hook);
}

/* Its static functions stand before the others: without symbols, as far as they may reach. */
static struct hf_err *add_code(struct c_callee *c, const struct hf_module *m, struct hf_range code)
{
	struct hf_section text;

	if (hf_module_section_at(m, code.start, &text))
		code.start -= hf_min(code.start - text.addr, (uint64_t)GLIBC_MALLOC_SIZE);
	return hf_vec_push(&c->code, code);
}

/* A module's own functions of these names; what it imports is none. */
static struct hf_err *add_module(struct c_callee *c, const struct hf_module *m, struct hf_map64 *at)
{
	struct hf_range code = {UINT64_MAX, 0};
	struct hf_syms *s = c->base.syms;
	struct hf_symbol sym;
	/* The latter is in static programs, too. */
	bool is_glibc = hf_syms_find_symbol_in(s, m, "gnu_get_libc_version", &sym) ||
			hf_syms_find_symbol_in(s, m, "__libc_memalign", &sym);
	bool allocates = false;

	for (size_t i = 0; i < HF_LEN(names); i++) {
		if (!hf_syms_find_symbol_in(s, m, names[i].name, &sym) || !sym.is_function || sym.is_ifunc)
			continue;
		HF_TRY(add_hook(c, at, &names[i], sym.addr, is_glibc));
		if (names[i].role > C_FREES)
			continue;
		allocates |= names[i].role == C_ALLOCATES;
		code.start = hf_min(code.start, sym.addr);
		code.end = hf_max(code.end, sym.addr + hf_max(sym.size, (uint64_t)1));
	}
	return allocates ? add_code(c, m, code) : NULL;
}

struct hf_err *c_allocators_find(struct c_callee *c)
{
	const struct hf_module *m;
	size_t n = hf_syms_modules(c->base.syms, &m);
	struct hf_map64 at = {0};
	struct hf_err *err = NULL;

	for (size_t i = 0; i < n && !err; i++)
		err = add_module(c, &m[i], &at);
	hf_map64_deinit(&at);
	return err;
}

/* The dynamic linker's function that binds a PLT entry has no symbol where it is stripped. The third word of .got.plt leads
 * to _dl_runtime_resolve, which does not return as functions do, but calls it: sysdeps/x86_64/dl-trampoline.h,
 *	mov 16(%rbx), %rsi; mov 8(%rbx), %rdi; call _dl_fixup */
static bool find_resolver(const struct c_callee *c, uint64_t *ret)
{
	static const uint8_t before[] = {0x48, 0x8b, 0x73, 0x10, 0x48, 0x8b, 0x7b, 0x08, 0xe8};
	struct hf_target *t = c->base.t;
	const struct hf_module *m;
	size_t n = hf_syms_modules(c->base.syms, &m);
	uint64_t trampoline;
	struct hf_section got;
	const uint8_t *call;
	uint8_t code[256];

	for (size_t i = 0; i < n && c->linker; i++) {
		if (!hf_module_section(&m[i], ".got.plt", &got) || !got.addr || got.size < 24 ||
		    hf_err_ignore(hf_target_read_u64(t, got.addr + 16, &trampoline)) ||
		    hf_syms_find_module(c->base.syms, trampoline) != c->linker ||
		    hf_err_ignore(hf_target_read(t, trampoline, code, sizeof(code))))
			continue;
		call = memmem(code, sizeof(code) - 4, before, sizeof(before));
		if (!call)
			continue;
		call += sizeof(before);
		*ret = trampoline + (uint64_t)(call - code) + 4 +
		       (uint64_t)(int64_t)(int32_t)hf_load_u32(call);
		return true;
	}
	return false;
}

struct hf_err *c_hooks_add(struct c_callee *c, struct hf_ghost_job *job)
{
	struct ghost_hook resolver = {.kind = GHOST_HOOK_WINDOW,
				      .tag = C_TAG_RESOLVER,
				      .size = R_NONE,
				      .count = R_NONE,
				      .old = R_NONE,
				      .info = R_NONE,
				      .out = R_NONE};

	hf_vec_each(&c->hooks, hook)
		HF_TRY(hf_vec_push(&job->hooks, *hook));
	return find_resolver(c, &resolver.addr) ? hf_vec_push(&job->hooks, resolver) : NULL;
}

const struct c_hook *c_hook_of(const struct c_callee *c, uint32_t tag)
{
	return tag < c->names.n ? &c->names.at[tag] : NULL;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

/* glibc malloc.c: a chunk's size stands in the word before the block, its low three bits are flags; bit 1: mmapped. */
static bool chunk_size(const struct hf_ghost_run *run, uint64_t block, uint64_t *ret)
{
	hf_vec_each(&run->changes, ch) {
		if (block - 8 - ch->addr >= ch->len || ch->len - (block - 8 - ch->addr) < 8)
			continue;
		*ret = hf_load_u64(ch->after + (block - 8 - ch->addr));
		return true;
	}
	return false;
}

uint64_t c_usable_size(const struct c_callee *c, const struct hf_ghost_run *run,
		       const struct ghost_allocation *block)
{
	const struct c_hook *hook = c_hook_of(c, block->tag);
	uint64_t size, chunk;

	if (!hook || !hook->is_glibc || block->bytes > (UINT64_MAX >> 1))
		return block->bytes;
	if (chunk_size(run, block->addr, &chunk)) {
		size = (chunk & ~(uint64_t)7) - (chunk & 2 ? 16 : 8);
		if (size >= block->bytes && size - block->bytes <= 2 * HF_ARCH_PAGE)
			return size;
	}
	/* malloc.c, request2size: a word for the size, at least four words, in steps of two. */
	return hf_max(hf_align_up(block->bytes + 8, 16), (uint64_t)32) - 8;
}
