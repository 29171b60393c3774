/* Unwinding, as the runtime does it: Go 1.20 to 1.27 runtime/traceback.go (unwinder; gentraceback in 1.20),
 * amd64.
 *
 *	argp = fp ->	arguments and results on the stack, spill area
 *	fp - 8		return address: lr
 *	fp - 16 = varp	the caller's frame pointer, where there is a frame; locals end here
 *	sp ->		end of the frame, at its pc
 */
#include "unwind.h"

#define STACK_MAX (UINT64_C(1) << 30) /* runtime/proc.go, maxstacksize on 64-bit systems: 1 GB */

static struct hf_err *read_page_wise(struct go *go, struct go_stack *s)
{
	s->copy.n = 0;
	HF_TRY(hf_vec_reserve(&s->copy, s->hi - s->lo));
	memset(s->copy.at, 0, s->hi - s->lo);
	for (uint64_t at = s->lo, end; at < s->hi; at = end) {
		end = hf_min(s->hi, hf_align_down(at, HF_ARCH_PAGE) + HF_ARCH_PAGE);
		if (hf_err_ignore(hf_target_read(go->t, at, s->copy.at + (at - s->lo), end - at)))
			s->damaged = true;
	}
	s->at = s->copy.at;
	return NULL;
}

struct hf_err *go_stack_read(struct go *go, const struct go_goroutine *g, uint64_t from, struct go_stack *ret)
{
	struct hf_err *err;
	const void *at;

	ret->damaged = false;
	ret->lo = ret->hi = g->hi;
	ret->at = NULL;
	from = hf_align_down(from, 8);
	if (g->lo >= g->hi || from < g->lo || from >= g->hi || g->hi - from > STACK_MAX) {
		ret->damaged = from != g->hi;
		return NULL;
	}
	ret->lo = from;
	err = hf_target_get(go->t, from, g->hi - from, &ret->copy, &at);
	if (!err) {
		ret->at = at;
		return NULL;
	}
	if (hf_err_code(err) == HF_NOMEM || hf_err_code(err) == HF_INTERRUPTED)
		return err;
	hf_err_destroy(err);
	/* Neither end is mapped: the bounds are no stack's, and nothing is set aside for them. */
	if (!hf_target_find_map(go->t, from) || !hf_target_find_map(go->t, g->hi - 1)) {
		ret->lo = g->hi;
		ret->damaged = true;
		return NULL;
	}
	return read_page_wise(go, ret);
}

void go_stack_deinit(struct go_stack *s)
{
	hf_vec_deinit(&s->copy);
}

enum go_role go_func_role(const char *name)
{
	static const struct {
		const char *name;
		enum go_role role;
	} roles[] = {
		{"gogo", GO_ROLE_GOGO},
		{"gcWriteBarrier", GO_ROLE_NO_SAFEPOINT},
		{"runtime.gogo", GO_ROLE_GOGO},
		{"runtime.asyncPreempt", GO_ROLE_ASYNC_PREEMPT},
		{"runtime.debugCallV2", GO_ROLE_DEBUG_CALL},
		{"runtime.sigpanic", GO_ROLE_SIGPANIC},
		{"runtime.sigpanic0", GO_ROLE_SIGPANIC},
		{"runtime.cgocallback", GO_ROLE_CGOCALLBACK},
		/* cmd/compile/internal/liveness/plive.go, hasStackMap: no map for calls of write barriers,
		 * nor for what is no call to the compiler. */
		{"runtime.wbZero", GO_ROLE_NO_SAFEPOINT},
		{"runtime.wbMove", GO_ROLE_NO_SAFEPOINT},
		{"runtime.duffzero", GO_ROLE_NO_SAFEPOINT},
		{"runtime.duffcopy", GO_ROLE_NO_SAFEPOINT},
		{"reflect.makeFuncStub", GO_ROLE_REFLECT},
		{"reflect.methodValueCall", GO_ROLE_REFLECT},
	};

	if (strncmp(name, "runtime.gcWriteBarrier", 22) == 0)
		return GO_ROLE_NO_SAFEPOINT;
	for (size_t i = 0; i < HF_LEN(roles); i++)
		if (strcmp(name, roles[i].name) == 0)
			return roles[i].role;
	return GO_ROLE_NORMAL;
}

const struct go_pc_info *go_pc_info(struct go *go, struct go_cache *cache, uint64_t pc)
{
	struct go_pc_info *info = &cache->pcs[go_cache_slot(pc)];

	if (info->pc == pc && pc)
		return info;
	*info = (struct go_pc_info){.pc = pc};
	info->found = go_find_func(go, pc, &info->func);
	if (info->found) {
		info->role = go_func_role(info->func.name);
		info->has_delta = go_pc_value(go, &info->func, info->func.pcsp, pc, &info->sp_delta) &&
				  info->sp_delta >= 0;
	}
	return info;
}

static bool stop(struct go_unwinder *u, const char *why)
{
	u->complete = why == NULL;
	u->why = why;
	return false;
}

static bool is_code(struct go_unwinder *u, uint64_t pc)
{
	return go_pc_info(u->go, u->cache, pc)->found;
}

/* A function that sets SP itself, as those do that go to the system stack and back, may have told the tables
 * nothing: then its frame pointer knows. Only for one that was interrupted; no other one is ever looked
 * into. */
static bool resolve_by_fp(struct go_unwinder *u)
{
	struct go_stkframe *f = &u->frame;
	uint64_t lr;

	if (!f->innermost || !u->g->on_thread || u->g->fp < f->sp || u->g->fp % 8 ||
	    !go_stack_word(u->stack, u->g->fp + 8, &lr) || !is_code(u, lr))
		return false;
	f->fp = u->g->fp + 16;
	f->lr = lr;
	return true;
}

static bool find_caller(struct go_unwinder *u, const struct go_pc_info *info, uint8_t flag)
{
	struct go_stkframe *f = &u->frame;

	f->fp = f->sp + (uint32_t)info->sp_delta + 8;
	f->lr = 0;
	if (flag & GO_FUNCFLAG_TOP_FRAME)
		return true;
	if (f->fp <= u->stack->hi && go_stack_word(u->stack, f->fp - 8, &f->lr)) {
		if (!(flag & GO_FUNCFLAG_SPWRITE) || is_code(u, f->lr) || resolve_by_fp(u))
			return true;
	} else if ((flag & GO_FUNCFLAG_SPWRITE) && resolve_by_fp(u)) {
		return true;
	}
	return stop(u, "the return address is outside of the stack");
}

/* The frame of u->frame.pc and sp; runtime/traceback.go, resolveInternal. */
static bool resolve(struct go_unwinder *u)
{
	struct go_stkframe *f = &u->frame;
	struct go_pc_info info = *go_pc_info(u->go, u->cache, f->pc);
	uint8_t flag = info.func.flag;

	if (!info.found)
		return stop(u, f->innermost ? "the pc is in no Go function"
					    : "the return address is in no Go function");
	if (!info.func.pcsp)
		return stop(u, "a function has no frame information");
	if (!info.has_delta)
		return stop(u, "a function's stack table is damaged");
	f->func = info.func;
	u->role = info.role;
	/* On both stacks cgocallback's frame is such that it can be unwound. */
	if (u->role == GO_ROLE_CGOCALLBACK || (f->innermost && u->g->in_syscall))
		flag &= (uint8_t)~GO_FUNCFLAG_SPWRITE;
	if ((flag & GO_FUNCFLAG_SPWRITE) && !f->innermost && !(flag & GO_FUNCFLAG_TOP_FRAME))
		return stop(u, "a function moves the stack pointer");
	if (!find_caller(u, &info, flag))
		return false;
	f->varp = f->fp - 8;
	if (f->varp > f->sp)
		f->varp -= 8;
	f->argp = f->fp;
	f->continpc = f->pc;
	if (u->callee_role == GO_ROLE_SIGPANIC)
		f->continpc = f->func.deferreturn ? f->func.entry + f->func.deferreturn + 1 : 0;
	return true;
}

static void set_call_pc(struct go_unwinder *u, bool trap)
{
	struct go_stkframe *f = &u->frame;

	f->call_pc = !trap && f->pc > f->func.entry ? f->pc - 1 : f->pc;
}

bool go_unwind_begin(struct go_unwinder *u, struct go *go, const struct go_goroutine *g,
		     const struct go_stack *stack, struct go_cache *cache)
{
	*u = (struct go_unwinder){.go = go, .g = g, .stack = stack, .cache = cache};
	u->frame = (struct go_stkframe){.pc = g->pc, .sp = g->sp, .innermost = true};
	if (g->sp < stack->lo || g->sp >= stack->hi || g->sp % 8)
		return stop(u, "the stack pointer is outside of the stack");
	/* A call of a nil function: its caller is what runs. */
	if (!u->frame.pc) {
		if (!go_stack_word(stack, g->sp, &u->frame.pc))
			return stop(u, "the stack is empty");
		u->frame.sp += 8;
	}
	if (!resolve(u))
		return false;
	set_call_pc(u, g->on_thread);
	return true;
}

bool go_unwind_next(struct go_unwinder *u)
{
	struct go_stkframe *f = &u->frame;
	bool trap = u->role == GO_ROLE_SIGPANIC || u->role == GO_ROLE_ASYNC_PREEMPT ||
		    u->role == GO_ROLE_DEBUG_CALL;
	uint64_t lr = f->lr, sp = f->fp;
	uint8_t id = f->func.func_id;

	if (!lr)
		return stop(u, f->func.flag & GO_FUNCFLAG_TOP_FRAME ? NULL : "a return address is 0");
	u->callee_role = u->role;
	*f = (struct go_stkframe){.pc = lr, .sp = sp, .callee_id = id};
	if (!resolve(u))
		return false;
	set_call_pc(u, trap);
	return true;
}

static void free_cache(struct go_cache **cache)
{
	hf_free(*cache);
}

struct hf_err *go_unwind(struct go *go, const struct go_goroutine *g, go_frame_fn *fn, void *arg,
			 bool *ret_complete)
{
	_cleanup_(free_cache) struct go_cache *cache = hf_calloc(1, sizeof(*cache));
	_cleanup_(go_stack_deinit) struct go_stack stack = {0};
	struct go_unwinder u;

	*ret_complete = false;
	if (!cache)
		return hf_err_nomem();
	HF_TRY(go_stack_read(go, g, g->sp, &stack));
	for (bool more = go_unwind_begin(&u, go, g, &stack, cache); more; more = go_unwind_next(&u)) {
		if (!fn(arg, &u.frame))
			return NULL;
	}
	*ret_complete = u.complete;
	return NULL;
}
