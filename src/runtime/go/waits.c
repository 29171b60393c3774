/* What can wake a goroutine: the channels, locks, wait groups and conditions that blocked ones wait on.
 *
 * A goroutine that waits has a sudog for each thing that it waits on, a block of the heap: {g, next, prev, elem, ..., c}.
 * c is the channel; elem is the address of a semaphore (locks, wait groups), or, from 1.26 on, of a condition's list.
 * g.waiting is the first one of channels, and from 1.26 on of all; before, those of semaphores and conditions hang in
 * tables of others, but their frame has them, as it gives them back when it goes on.
 * Source: Go 1.20-1.27 runtime/chan.go, select.go, sema.go, runtime2.go; which of them the runtime itself calls leaked:
 * Go 1.26-1.27 runtime/mgc.go (isMaybeRunnable, checkIfMaybeRunnable). */
#include "go.h"

#define CASES_MAX 65536u /* of a select: runtime/select.go */
/* sync.Cond {noCopy; L Locker; notify notifyList{wait, notify uint32; lock, head, tail}}: Go 1.20-1.27 */
#define COND_HEAD 32u

enum wait_kind { WAIT_OTHER, WAIT_NEVER, WAIT_CHAN, WAIT_SEMA, WAIT_COND };

static const struct {
	const char *reason;
	enum wait_kind kind;
} kinds[] = {
	{"chan receive", WAIT_CHAN},
	{"chan send", WAIT_CHAN},
	{"select", WAIT_CHAN},
	{"chan receive (nil chan)", WAIT_NEVER},
	{"chan send (nil chan)", WAIT_NEVER},
	{"select (no cases)", WAIT_NEVER},
	{"semacquire", WAIT_SEMA},
	{"sync.Mutex.Lock", WAIT_SEMA},
	{"sync.RWMutex.RLock", WAIT_SEMA},
	{"sync.RWMutex.Lock", WAIT_SEMA},
	{"sync.WaitGroup.Wait", WAIT_SEMA},
	{"sync.Cond.Wait", WAIT_COND},
};

struct waits {
	struct go *go;
	struct hf_task_waits *ret;
	uint8_t *kind;        /* enum wait_kind a goroutine */
	uint64_t *sudog;      /* a goroutine: its own one, where it has one; 0 */
	struct hf_map64 of_g; /* address of a g -> its index */
	struct hf_map64 seen; /* conditions whose list was walked */
};

static bool read_word(struct go *go, uint64_t addr, uint64_t *ret)
{
	return !hf_err_ignore(hf_target_read_u64(go->t, addr, ret));
}

/* The numbers of the reasons differ from release to release, their words do not. */
static enum wait_kind kind_of(struct waits *w, const struct go_goroutine *g)
{
	const char *reason;

	if (!go_is_parked(g))
		return WAIT_OTHER;
	/* Where the words could not be found: only channels are in g.waiting up to 1.25. */
	if (!w->go->wait_reasons_n)
		return g->waiting_addr && w->go->layout.minor < 26 ? WAIT_CHAN : WAIT_OTHER;
	reason = go_wait_reason(w->go, g);
	for (size_t i = 0; i < HF_LEN(kinds); i++)
		if (!strcmp(reason, kinds[i].reason))
			return kinds[i].kind;
	return WAIT_OTHER;
}

/* The block that begins at addr, if a sudog fits into it and it is g's. */
static bool is_sudog_of(struct waits *w, uint64_t addr, uint64_t g_addr, uint32_t *ret)
{
	const struct go_span *span;
	uint64_t g;

	*ret = go_find_block(w->go, addr);
	return *ret != HF_NO_BLOCK && go_block_addr(w->go, *ret, &span) == addr &&
	       span->elemsize >= (uint64_t)hf_max(go_off(w->go, SUDOG_SIZE), 8) &&
	       read_word(w->go, addr + (uint64_t)go_off(w->go, SUDOG_G), &g) && g == g_addr;
}

static struct hf_err *add_own(struct waits *w, uint32_t task, uint32_t block)
{
	return hf_vec_push(&w->ret->own, ((struct hf_party_block){task, block}));
}

/* The goroutine waits on addr. Where that is no block of the heap, it is a global or on a stack: anyone may have it. */
static struct hf_err *add_waker(struct waits *w, uint32_t task, uint64_t addr)
{
	uint32_t block = go_find_block(w->go, addr);

	if (block == HF_NO_BLOCK) {
		w->ret->state[task] = HF_TASK_FREE;
		w->kind[task] = WAIT_OTHER;
		return NULL;
	}
	w->ret->state[task] = HF_TASK_BLOCKED;
	return hf_vec_push(&w->ret->wakers, ((struct hf_party_block){task, block}));
}

static uint64_t value_off(const struct waits *w, int32_t off)
{
	return (uint64_t)off + w->go->layout.sudog_value;
}

/* All cases of a select, or the one channel. */
static struct hf_err *wait_on_channels(struct waits *w, uint32_t task, const struct go_goroutine *g)
{
	struct go_steps steps = {0};
	size_t first = w->ret->wakers.n;
	uint64_t at = g->waiting_addr, chan;
	uint32_t block;

	/* Who wakes it says so here before its status changes, and may have let go of the channel by then. */
	if (g->param)
		w->kind[task] = WAIT_OTHER;
	while (at && w->kind[task] == WAIT_CHAN) {
		if (!go_step(&steps, at, CASES_MAX) || !is_sudog_of(w, at, g->addr, &block) ||
		    !read_word(w->go, at + value_off(w, go_off(w->go, SUDOG_C)), &chan) ||
		    !read_word(w->go, at + (uint64_t)go_off(w->go, SUDOG_WAITLINK), &at)) {
			/* It is just being woken, or damaged: what it waits on is not known. */
			w->kind[task] = WAIT_OTHER;
			break;
		}
		HF_TRY(add_own(w, task, block));
		HF_TRY(add_waker(w, task, chan));
	}
	if (w->kind[task] != WAIT_CHAN) {
		w->ret->state[task] = HF_TASK_FREE;
		w->ret->wakers.n = first;
	} else if (!steps.n) {
		/* A select of nil channels has none. Of any other it is not known. */
		w->ret->state[task] =
			!strcmp(go_wait_reason(w->go, g), "select") ? HF_TASK_NEVER : HF_TASK_FREE;
	}
	return NULL;
}

/* What a goroutine says itself that it waits on. */
static struct hf_err *wait_by_g(struct waits *w, uint32_t task)
{
	const struct go_goroutine *g = &w->go->goroutines.at[task];
	uint32_t block = go_find_block(w->go, g->addr);

	w->ret->state[task] = HF_TASK_FREE;
	if (block != HF_NO_BLOCK)
		HF_TRY(add_own(w, task, block));
	w->kind[task] = (uint8_t)kind_of(w, g);
	if (w->kind[task] == WAIT_NEVER)
		w->ret->state[task] = HF_TASK_NEVER;
	if (w->kind[task] == WAIT_CHAN)
		return wait_on_channels(w, task, g);
	if ((w->kind[task] == WAIT_SEMA || w->kind[task] == WAIT_COND) &&
	    is_sudog_of(w, g->waiting_addr, g->addr, &block))
		w->sudog[task] = g->waiting_addr;
	return NULL;
}

/* The innermost frames come first, so the first sudog is the one that it waits by. */
static void find_sudogs(struct waits *w)
{
	uint32_t block;

	hf_vec_each(&w->go->stack_roots, r) {
		if (r->owner >= w->go->goroutines.n || w->sudog[r->owner] ||
		    (w->kind[r->owner] != WAIT_SEMA && w->kind[r->owner] != WAIT_COND))
			continue;
		if (is_sudog_of(w, r->value, w->go->goroutines.at[r->owner].addr, &block))
			w->sudog[r->owner] = r->value;
	}
}

static struct hf_err *wait_by_sudog(struct waits *w, uint32_t task)
{
	uint64_t addr = 0;
	uint32_t block = go_find_block(w->go, w->sudog[task]);

	if (!w->sudog[task] || block == HF_NO_BLOCK)
		return NULL;
	HF_TRY(add_own(w, task, block));
	if (!read_word(w->go, w->sudog[task] + value_off(w, go_off(w->go, SUDOG_ELEM)), &addr) || !addr)
		return NULL;
	HF_TRY(add_waker(w, task, addr));
	w->kind[task] = WAIT_OTHER; /* done */
	return NULL;
}

/* The goroutine whose sudog stands at addr, if it waits on a condition and we do not know which. */
static bool condition_waiter(struct waits *w, uint64_t addr, uint32_t *ret)
{
	uint64_t g, task;

	if (go_find_block(w->go, addr) == HF_NO_BLOCK ||
	    !read_word(w->go, addr + (uint64_t)go_off(w->go, SUDOG_G), &g) ||
	    !hf_map64_find(&w->of_g, g, &task))
		return false;
	*ret = (uint32_t)task;
	return w->sudog[task] == addr && w->kind[task] == WAIT_COND;
}

/* Up to 1.25 a condition's list leads to its waiters, but not back: addr is one if a waiter is in its list. */
static struct hf_err *try_condition(struct waits *w, uint64_t addr)
{
	struct go_steps steps = {0};
	uint64_t at, seen;
	uint32_t task;

	if (go_find_block(w->go, addr) == HF_NO_BLOCK || !read_word(w->go, addr + COND_HEAD, &at) ||
	    !condition_waiter(w, at, &task) || hf_map64_find(&w->seen, addr, &seen))
		return NULL;
	HF_TRY(hf_map64_put(&w->seen, addr, 1));
	while (go_step(&steps, at, w->go->goroutines.n) && condition_waiter(w, at, &task)) {
		HF_TRY(add_waker(w, task, addr));
		w->kind[task] = WAIT_OTHER;
		if (!read_word(w->go, at + (uint64_t)go_off(w->go, SUDOG_NEXT), &at))
			break;
	}
	return NULL;
}

static struct hf_err *find_conditions(struct waits *w)
{
	hf_vec_each(&w->go->stack_roots, r)
		if (r->owner < w->go->goroutines.n && w->kind[r->owner] == WAIT_COND && w->sudog[r->owner])
			HF_TRY(try_condition(w, r->value));
	return NULL;
}

static struct hf_err *find_waits(struct waits *w)
{
	uint32_t n = (uint32_t)w->go->goroutines.n;

	for (uint32_t i = 0; i < n; i++) {
		if (i % 4096 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(hf_map64_put(&w->of_g, w->go->goroutines.at[i].addr, i));
		HF_TRY(wait_by_g(w, i));
	}
	find_sudogs(w);
	for (uint32_t i = 0; i < n; i++)
		if (w->kind[i] == WAIT_SEMA || w->kind[i] == WAIT_COND)
			HF_TRY(wait_by_sudog(w, i));
	return find_conditions(w);
}

struct hf_err *go_task_waits(struct hf_runtime *rt, struct hf_task_waits *ret)
{
	struct go *go = (struct go *)rt;
	_free_ uint8_t *kind = hf_calloc(go->goroutines.n + 1, 1);
	_free_ uint64_t *sudog = hf_calloc(go->goroutines.n + 1, sizeof(*sudog));
	struct waits w = {.go = go, .ret = ret, .kind = kind, .sudog = sudog};
	struct hf_err *err;

	ret->state = hf_calloc(go->goroutines.n + 1, 1);
	if (!kind || !sudog || !ret->state)
		return hf_err_nomem();
	if (!go_has(go, SUDOG_G) || !go_has(go, SUDOG_C) || !go_has(go, SUDOG_ELEM) ||
	    !go_has(go, SUDOG_WAITLINK) || !go_has(go, SUDOG_NEXT))
		return NULL;
	err = find_waits(&w);
	hf_map64_deinit(&w.of_g);
	hf_map64_deinit(&w.seen);
	return err;
}
