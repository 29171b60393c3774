/* Functions of the runtime and of the standard library whose calls tell what a constructor does. Names as of Go 1.20 to
 * 1.27; what a release does not have is not found. They come from pclntab, which stripped programs have, too. */
#include "ctor.h"

#define NONE HF_REFUSAL_NONE

/* mallocgc(size, typ, needzero), and since 1.24 variants that the compiler calls by themselves: the size in AX, the type
 * in BX, the result in AX. */
static const struct go_hook hooks[] = {
	{"runtime.mallocgc*", GHOST_HOOK_ALLOCATE, NONE, "", ""},

	/* What the runtime keeps for itself, or for the collector. */
	{"runtime.gcWriteBarrier*", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.wbBufFlush", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.bulkBarrierPreWrite", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.bulkBarrierPreWriteSrcOnly", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.bulkBarrierBitmap", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.typeBitsBulkBarrier", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.persistentalloc", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.getitab", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.typeAssert", GHOST_HOOK_WINDOW, NONE, "", ""},
	{"runtime.interfaceSwitch", GHOST_HOOK_WINDOW, NONE, "", ""},

	{"runtime.newproc", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "goroutine", "starts a goroutine"},
	{"runtime.newproc1", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "goroutine", "starts a goroutine"},
	{"runtime.newcoro", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "goroutine", "starts a coroutine"},
	{"runtime.doaddtimer", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "timer", "starts a timer"},
	{"runtime.(*timers).addHeap", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "timer", "starts a timer"},
	{"runtime.SetFinalizer", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "finalizer", "sets a finalizer"},
	{"runtime.addfinalizer", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "finalizer", "sets a finalizer"},
	{"runtime.addCleanup", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "finalizer", "adds a cleanup"},
	{"runtime.getOrAddWeakHandle", GHOST_HOOK_STOP, HF_REFUSAL_SIDE_EFFECT, "finalizer",
	 "makes a weak pointer"},

	{"runtime.gopark", GHOST_HOOK_STOP, HF_REFUSAL_BLOCKS, "blocks", "waits"},
	{"runtime.mcall", GHOST_HOOK_STOP, HF_REFUSAL_BLOCKS, "blocks", "gives its processor up"},
	{"runtime.stopTheWorld*", GHOST_HOOK_STOP, HF_REFUSAL_BLOCKS, "blocks", "stops the world"},

	{"runtime.gopanic", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "panic", "panics"},
	{"runtime.Goexit", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "panic", "ends its goroutine"},
	{"runtime.throw", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "throw", "throws: that would end the program"},
	{"runtime.fatal", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "throw", "throws: that would end the program"},
	{"runtime.fatalthrow", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "throw",
	 "throws: that would end the program"},
	{"runtime.sigpanic*", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "panic", "panics"},
	{"runtime.morestack*", GHOST_HOOK_STOP, HF_REFUSAL_FAULT, "stack",
	 "needs more stack than a dry run has"},

	{"syscall.Syscall*", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", ""},
	{"syscall.RawSyscall*", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", ""},
	{"internal/runtime/syscall.Syscall6", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", ""},
	{"runtime/internal/syscall.Syscall6", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", ""},
	{"internal/runtime/syscall/linux.Syscall6", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", ""},
	{"runtime.entersyscall", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", "enters a system call"},
	{"runtime.entersyscallblock", GHOST_HOOK_STOP, HF_REFUSAL_SYSCALL, "syscall", "enters a system call"},

	{"runtime.cgocall", GHOST_HOOK_STOP, HF_REFUSAL_FORBIDDEN_CALL, "cgo", "calls C"},
	{"runtime.asmcgocall", GHOST_HOOK_STOP, HF_REFUSAL_FORBIDDEN_CALL, "cgo", "calls C"},
	{"reflect.New", GHOST_HOOK_NOTE, HF_REFUSAL_FORBIDDEN_CALL, "reflection", "uses reflection"},
	{"reflect.unsafe_New*", GHOST_HOOK_NOTE, HF_REFUSAL_FORBIDDEN_CALL, "reflection", "uses reflection"},
	{"reflect.Make*", GHOST_HOOK_NOTE, HF_REFUSAL_FORBIDDEN_CALL, "reflection", "uses reflection"},
	{"reflect.Value.*", GHOST_HOOK_NOTE, HF_REFUSAL_FORBIDDEN_CALL, "reflection", "uses reflection"},
};

const struct go_hook *go_hook_get(uint32_t tag)
{
	return tag < HF_LEN(hooks) ? &hooks[tag] : NULL;
}

static bool matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (pattern[n - 1] != '*')
		return !strcmp(pattern, name);
	/* Their closures run within them. */
	return !strncmp(pattern, name, n - 1) && !strstr(name + n - 1, ".func");
}

static bool may_match(const char *name)
{
	return !strncmp(name, "runtime", 7) || !strncmp(name, "syscall.", 8) ||
	       !strncmp(name, "reflect.", 8) || !strncmp(name, "internal/runtime/", 17);
}

static struct hf_err *add_function(struct go_callee *c, const struct go_func *f)
{
	struct ghost_hook hook = {
		.addr = f->entry,
		.size = GHOST_REG_NONE,
		.count = GHOST_REG_NONE,
		.old = GHOST_REG_NONE,
		.info = GHOST_REG_NONE,
		.out = GHOST_REG_NONE,
	};

	for (uint32_t i = 0; i < HF_LEN(hooks); i++) {
		if (!matches(hooks[i].function, f->name))
			continue;
		hook.kind = hooks[i].kind;
		hook.tag = i;
		/* A wrapper for assembly has its arguments on the stack; what it calls has them in registers. */
		if (hook.kind == GHOST_HOOK_ALLOCATE && go_is_wrapper(f->module, f->func_id, f->name))
			return NULL;
		if (hook.kind == GHOST_HOOK_ALLOCATE) {
			hook.size = GHOST_RAX;
			hook.info = GHOST_RBX;
		}
		return c->hooks.n < GHOST_HOOKS_MAX ? hf_vec_push(&c->hooks, hook) : NULL;
	}
	return NULL;
}

struct hf_err *go_hooks_find(struct go_callee *c)
{
	bool allocates = false;

	hf_vec_each(&c->go->modules, m) {
		const struct pcln *p = m->pcln;

		for (uint64_t i = 0; p && i + 16 <= p->ftab.n; i += 8) {
			struct go_func f;

			if (go_func_decode(m, hf_load_u32(p->ftab.at + i + 4), &f) && may_match(f.name))
				HF_TRY(add_function(c, &f));
		}
	}
	hf_vec_each(&c->hooks, hook)
		allocates = allocates || hook->kind == GHOST_HOOK_ALLOCATE;
	if (!allocates)
		return hf_err(HF_UNSUPPORTED, "runtime.mallocgc is not among the functions of this program: "
					      "its allocations could not be counted");
	return NULL;
}
