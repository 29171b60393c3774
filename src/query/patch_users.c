/* Who is inside of the old constructor, or of the pool's own function that calls it, at one moment. */
#include "patch_private.h"

#define USERS_MAX  1000
#define FRAMES_MAX 100

static bool is_inside(const struct hf_patch *p, const char *function)
{
	return (*p->slot.function && !strcmp(function, p->slot.function)) ||
	       (p->slot.getter && *p->slot.getter && !strcmp(function, p->slot.getter));
}

/* Goroutines that have it on their stacks. */
static struct hf_err *find_tasks(struct hf_patch *p, struct hf_patch_user *users, size_t *ret_n)
{
	const struct hf_runtime_ops *ops = p->s->rt->ops;
	struct hf_stack_frame frames[FRAMES_MAX];
	size_t n;

	for (size_t i = 0; i < ops->tasks(p->s->rt) && *ret_n < USERS_MAX; i++) {
		struct hf_patch_user *user = &users[*ret_n];
		struct hf_task task;

		HF_TRY(ops->task_frames(p->s->rt, i, frames, FRAMES_MAX, &n));
		for (size_t k = 0; k < n; k++) {
			if (!is_inside(p, frames[k].function))
				continue;
			HF_TRY(ops->task(p->s->rt, i, &task));
			snprintf(user->name, sizeof(user->name), "goroutine %" PRIu64, task.id);
			snprintf(user->function, sizeof(user->function), "%s", frames[k].function);
			++*ret_n;
			break;
		}
	}
	return NULL;
}

/* Threads that execute it; who has it further up a stack, a C program does not say. */
static struct hf_err *find_threads(struct hf_patch *p, struct hf_patch_user *users, struct hf_patch_plan *ret)
{
	struct hf_target *t = p->s->t;
	struct hf_symbol symbol;

	HF_TRY(hf_target_stop(t));
	hf_target_resume(t);
	ret->processors = t->threads.n ? t->threads.n : HF_UNKNOWN;
	hf_vec_each(&t->threads, thread) {
		struct hf_patch_user *user = &users[ret->users_n];

		if (ret->users_n == USERS_MAX || !thread->regs.pc ||
		    !hf_syms_symbol_at(p->s->syms, thread->regs.pc, &symbol) || !is_inside(p, symbol.name))
			continue;
		snprintf(user->name, sizeof(user->name), "thread %d (%s)", thread->tid, thread->name);
		snprintf(user->function, sizeof(user->function), "%s", symbol.name);
		ret->users_n++;
	}
	return NULL;
}

struct hf_err *hf_patch_find_users(struct hf_patch *p, struct hf_patch_plan *ret)
{
	struct hf_patch_user *users = hf_result_alloc(ret, USERS_MAX + 1, sizeof(*users));

	if (!users)
		return hf_err_nomem();
	ret->users = users;
	if (!p->s->rt || strcmp(p->callee->ops->name, p->s->rt->ops->name) != 0)
		return find_threads(p, users, ret);
	HF_TRY(hf_session_load(p->s));
	return find_tasks(p, users, &ret->users_n);
}
