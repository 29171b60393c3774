#include "sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BREAKPOINT 0xcc

static int by_addr(const void *a, const void *b)
{
	const struct ghost_hook *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* By address, each once. */
void hooks_fill(void)
{
	uint32_t n = 0;

	memcpy(sandbox.hooks, sandbox.job.hooks, sandbox.job.head.hooks_n * sizeof(*sandbox.hooks));
	qsort(sandbox.hooks, sandbox.job.head.hooks_n, sizeof(*sandbox.hooks), by_addr);
	for (uint32_t i = 0; i < sandbox.job.head.hooks_n; i++)
		if (!n || sandbox.hooks[n - 1].addr != sandbox.hooks[i].addr)
			sandbox.hooks[n++] = sandbox.hooks[i];
	sandbox.hooks_n = n;
}

/* Index of the first hook at addr or later. */
static uint32_t lower(uint64_t addr)
{
	uint32_t lo = 0, hi = sandbox.hooks_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (sandbox.hooks[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint32_t find(uint64_t addr)
{
	uint32_t i = lower(addr);

	return i < sandbox.hooks_n && sandbox.hooks[i].addr == addr ? i : UINT32_MAX;
}

void hooks_arm(struct page *page)
{
	uint8_t *bytes = page_bytes(page);

	for (uint32_t i = lower(page->addr);
	     i < sandbox.hooks_n && sandbox.hooks[i].addr - page->addr < GHOST_PAGE; i++) {
		sandbox.hook_saved[i] = bytes[sandbox.hooks[i].addr - page->addr];
		bytes[sandbox.hooks[i].addr - page->addr] = BREAKPOINT;
	}
}

static void put_byte(uint64_t addr, uint8_t byte)
{
	const struct page *page = pages_find(addr);

	if (page)
		page_bytes(page)[addr % GHOST_PAGE] = byte;
}

void event_add(const struct ghost_event *event)
{
	if (sandbox.events_n < GHOST_EVENTS_MAX)
		sandbox.events[sandbox.events_n++] = *event;
	else
		sandbox.end.events_lost++;
}

/* ---- what allocators gave out, and took back ---- */

static void release(uint64_t addr, uint64_t pc)
{
	struct ghost_event event = {
		.kind = GHOST_EVENT_FREE, .tag = sandbox.window.hook->tag, .number = addr, .pc = pc};

	if (!addr)
		return;
	for (uint32_t i = sandbox.allocations_n; i-- > 0;) {
		struct allocation *a = &sandbox.allocations[i];

		if (a->told.addr != addr || a->freed)
			continue;
		a->freed = true;
		sandbox.end.freed_bytes += a->told.bytes;
		sandbox.live_bytes -= a->told.bytes;
		return;
	}
	event_add(&event);
}

static bool keep(uint64_t addr, uint64_t pc)
{
	const struct window *w = &sandbox.window;
	struct allocation a = {.told = {addr, w->bytes, w->info, w->ret, w->hook->tag, 0}};

	if (!addr)
		return true;
	if (sandbox.allocations_n < GHOST_ALLOCATIONS_MAX)
		sandbox.allocations[sandbox.allocations_n++] = a;
	else
		sandbox.allocations_lost++;
	if (__builtin_add_overflow(sandbox.live_bytes, w->bytes, &sandbox.live_bytes))
		sandbox.live_bytes = UINT64_MAX;
	sandbox.end.allocated_bytes += w->bytes;
	if (sandbox.live_bytes > sandbox.job.head.alloc_bytes)
		return end_run(GHOST_END_MEMORY, pc, addr, sandbox.live_bytes);
	return true;
}

/* ---- the outermost call of a hook ---- */

static uint64_t bytes_asked(const struct ghost_hook *hook, const struct user_regs_struct *regs)
{
	uint64_t bytes = hook->size == GHOST_REG_NONE ? 0 : ghost_reg(regs, hook->size);

	if (hook->count != GHOST_REG_NONE &&
	    __builtin_mul_overflow(bytes, ghost_reg(regs, hook->count), &bytes))
		return UINT64_MAX;
	return bytes;
}

/* Where it returns to is at [rsp]; that page is there already, but for a jump to the allocator at a caller's end. */
static bool open_window(const struct ghost_hook *hook, const struct user_regs_struct *regs)
{
	struct window *w = &sandbox.window;
	struct page *page;

	*w = (struct window){.rsp = regs->rsp, .hook = hook, .bytes = bytes_asked(hook, regs)};
	w->old = ghost_reg(regs, hook->kind == GHOST_HOOK_FREE ? hook->size : hook->old);
	w->info = ghost_reg(regs, hook->info);
	w->out = ghost_reg(regs, hook->out);
	if (!pages_load(regs->rsp, &w->ret, sizeof(w->ret), hook->addr) ||
	    !pages_reach(w->ret, hook->addr, &page))
		return false;
	shadow_boundary(false);
	w->open = true;
	w->saved = page_bytes(page)[w->ret % GHOST_PAGE];
	w->breakpoint = w->saved != BREAKPOINT;
	put_byte(w->ret, BREAKPOINT);
	return true;
}

static void leave_window(bool returned)
{
	struct window *w = &sandbox.window;

	shadow_boundary(returned);
	if (w->breakpoint)
		put_byte(w->ret, w->saved);
	w->open = false;
}

static bool close_window(const struct user_regs_struct *regs)
{
	struct window *w = &sandbox.window;
	uint64_t result = regs->rax;

	leave_window(true);
	if (w->hook->kind == GHOST_HOOK_WINDOW)
		return true;
	if (w->hook->kind == GHOST_HOOK_FREE) {
		release(w->old, w->hook->addr);
		return true;
	}
	if (w->hook->out != GHOST_REG_NONE && (regs->rax & UINT32_MAX || !pages_peek(w->out, &result, 8)))
		result = 0;
	/* A realloc that failed leaves the old block; one to 0 bytes frees it. */
	if (result || !w->bytes)
		release(w->old, w->hook->addr);
	return keep(result, w->hook->addr);
}

void hooks_finish(void)
{
	bool inside = sandbox.window.open && sandbox.end.regs[GHOST_RSP] <= sandbox.window.rsp;

	if (sandbox.end.kind != GHOST_END_HOOK)
		sandbox.end.tag = inside ? sandbox.window.hook->tag : GHOST_NO_TAG;
	if (sandbox.window.open)
		leave_window(inside);
	shadow_boundary(false);
}

/* ---- breakpoints ---- */

static bool enter(const struct ghost_hook *hook, const struct user_regs_struct *regs)
{
	struct ghost_event note = {.kind = GHOST_EVENT_NOTE, .tag = hook->tag, .pc = hook->addr};

	if (hook->kind == GHOST_HOOK_STOP) {
		sandbox.end.tag = hook->tag;
		return end_run(GHOST_END_HOOK, hook->addr, 0, 0);
	}
	/* The frame is gone that was to return: by a jump out of it. */
	if (sandbox.window.open && regs->rsp > sandbox.window.rsp)
		leave_window(false);
	if (sandbox.window.open)
		return true;
	if (hook->kind != GHOST_HOOK_NOTE)
		return open_window(hook, regs);
	event_add(&note);
	return true;
}

/* The byte that belongs at addr, where one of our breakpoints is. */
static bool find_saved(uint64_t addr, uint8_t *ret)
{
	uint32_t i = find(addr);

	if (i != UINT32_MAX)
		*ret = sandbox.hook_saved[i];
	else if (sandbox.window.open && sandbox.window.breakpoint && sandbox.window.ret == addr)
		*ret = sandbox.window.saved;
	else
		return false;
	return true;
}

bool hooks_hit(struct user_regs_struct *regs)
{
	const struct window *w = &sandbox.window;
	uint64_t addr = regs->rip - 1;
	uint32_t i = find(addr);
	bool ours = i != UINT32_MAX, returns = w->open && w->ret == addr;
	uint8_t saved;

	if (returns && regs->rsp == w->rsp + 8 && !close_window(regs))
		return false;
	if (addr == sandbox.setup.scratch + GHOST_RETURN_OFFSET)
		return end_run(GHOST_END_RETURNED, addr, 0, 0);
	if (!ours && !returns)
		return end_run(GHOST_END_FAULT, addr, addr, SIGTRAP);
	regs->rip = addr;
	regs->orig_rax = (uint64_t)-1;
	if (ghost_set_regs(regs))
		return end_run(GHOST_END_BROKEN, addr, 0, EIO);
	if (ours && !enter(&sandbox.hooks[i], regs))
		return false;
	if (find_saved(addr, &saved)) {
		put_byte(addr, saved);
		sandbox.stepping = addr;
	}
	return true;
}

void hooks_stepped(void)
{
	uint8_t saved;

	if (find_saved(sandbox.stepping, &saved))
		put_byte(sandbox.stepping, BREAKPOINT);
	sandbox.stepping = 0;
}
