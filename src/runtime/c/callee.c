/* A call of a C constructor: its registers and what is watched. */
#include "c.h"

#include <elf.h>

#define ERRNO_SIZE 4u

extern const struct hf_callee_ops *const hf_c_callee;

static struct c_callee *own(struct hf_callee *c)
{
	return (struct c_callee *)c;
}

static void close_callee(struct hf_callee *c)
{
	hf_vec_deinit(&own(c)->hooks);
	hf_vec_deinit(&own(c)->names);
	hf_vec_deinit(&own(c)->code);
	hf_vec_deinit(&own(c)->slots);
	hf_free(c);
}

static struct hf_err *open_callee(struct hf_target *t, struct hf_syms *s, const struct hf_runtime *rt,
				  struct hf_callee **ret)
{
	struct c_callee *c = hf_calloc(1, sizeof(*c));
	struct hf_symbol sym;
	struct hf_err *err;
	uint64_t base;

	(void)rt;
	if (!c)
		return hf_err_nomem();
	c->base.ops = hf_c_callee;
	c->base.t = t;
	c->base.syms = s;
	if (hf_target_auxv(t, AT_BASE, &base) && base)
		c->linker = hf_syms_find_module(s, base);
	if (hf_syms_find_symbol(s, "__errno_location", &sym))
		c->errno_location = sym.addr;
	err = c_allocators_find(c);
	if (err) {
		close_callee(&c->base);
		return err;
	}
	*ret = &c->base;
	return NULL;
}

static void deinit_job(struct hf_callee *c, struct hf_ghost_job *job)
{
	struct c_run *run = job->own;

	(void)c;
	if (!run)
		return;
	hf_vec_deinit(&run->stacks);
	hf_free(run);
	job->own = NULL;
}

static struct hf_err *add_errno(struct hf_callee *c, struct hf_ghost_job *job)
{
	uint64_t addr = c_errno_addr(own(c), job->fs_base);

	/* Every call may set it: what it was is nobody's. */
	return addr ? hf_vec_push(&job->ranges, ((struct ghost_range){addr, addr + ERRNO_SIZE})) : NULL;
}

static struct hf_err *prepare(struct hf_callee *c, const struct hf_ctor_slot *slot,
			      const struct hf_ctor *ctor, struct hf_ghost_job *ret)
{
	const struct hf_thread *thread;
	struct c_call call;
	struct c_run *run;

	/* Read before the stop, where the caller asked check first. */
	HF_TRY(c_slots_find(own(c), ctor->code));
	if (slot->object_size > GHOST_OBJECT_MAX)
		return hf_err(HF_UNSUPPORTED,
			      "%s: its objects are of %" PRIu64 " bytes: a dry run has room for %u",
			      slot->pool, slot->object_size, GHOST_OBJECT_MAX);
	HF_TRY(c_borrow(own(c), &thread));
	c_call_find(c, slot, ctor, &call);
	run = hf_calloc(1, sizeof(*run));
	if (!run)
		return hf_err_nomem();
	ret->own = run;
	ret->rip = ctor->code;
	ret->fs_base = run->fs_base = thread->regs.tls;
	ret->object_size = call.takes_object ? (uint32_t)slot->object_size : 0;
	memset(ret->regs, 0, sizeof(ret->regs));
	if (call.takes_object)
		ret->regs[GHOST_RDI] = ret->scratch + GHOST_OBJECT_OFFSET;
	else if (call.takes_size)
		ret->regs[GHOST_RDI] = slot->object_size;
	/* At a function's entry, the stack is 8 off a multiple of 16: the return address stands there. */
	ret->regs[GHOST_RSP] = ret->scratch + GHOST_STACK_OFFSET + GHOST_STACK_SIZE - GHOST_PAGE - 8;
	hf_vec_each(&c->t->threads, it)
		if (it->state == HF_THREAD_STOPPED)
			HF_TRY(hf_vec_push(&run->stacks, it->regs.sp));
	HF_TRY(add_errno(c, ret));
	HF_TRY(c_slots_bind(own(c), ret));
	return c_hooks_add(own(c), ret);
}

static const struct hf_callee_ops ops = {
	.name = "c",
	.open = open_callee,
	.find = c_find,
	.check = c_check,
	.prepare = prepare,
	.judge = c_judge,
	.deinit_job = deinit_job,
	.close = close_callee,
};

const struct hf_callee_ops *const hf_c_callee = &ops;
