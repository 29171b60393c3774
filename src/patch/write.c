#define _GNU_SOURCE
#include "write.h"
#include "fault.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <ucontext.h>

struct store {
	struct hf_target *t;
	pid_t tid;
	uint64_t addr, expect, value;
	uint64_t seen, after; /* before and after the store; after: what is there in the end */
	uint64_t quiet_addr;
	bool wrote, restored, busy, unstopped;
	int failed; /* errno of what could not be done; 0: none */
	const char *what;
};

/* A thread that ptrace can be asked through; 0: none. What could run while the word changes must stand still. */
static pid_t choose_thread(const struct hf_target *t, bool *ret_all_stopped)
{
	pid_t tid = 0;

	*ret_all_stopped = true;
	hf_vec_each(&t->threads, thread) {
		if (thread->state == HF_THREAD_STOPPED && !tid)
			tid = thread->tid;
		*ret_all_stopped &= thread->state == HF_THREAD_STOPPED || thread->state == HF_THREAD_ZOMBIE;
	}
	return tid;
}

struct hf_err *hf_patch_check_place(const struct hf_target *t, uint64_t addr)
{
	const struct hf_map *map = hf_target_find_map(t, addr);

	if (addr % 8)
		return hf_err_at(HF_REFUSED, addr,
				 "0x%" PRIx64 " is no place for a pointer: nothing was written", addr);
	if (!map)
		return hf_err_at(HF_REFUSED, addr, "0x%" PRIx64 " is not mapped in %s: nothing was written",
				 addr, t->label);
	if (map->shared || !map->writable)
		return hf_err_at(HF_REFUSED, addr,
				 "0x%" PRIx64
				 " of %s is %s memory, which is never patched: nothing was written",
				 addr, t->label, map->shared ? "shared" : "read-only");
	return NULL;
}

/* ---- a word of a process that we trace: in the tracer's thread ------------------------------------------------ */

static bool peek(struct store *s, uint64_t *ret)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, s->tid, (void *)(uintptr_t)s->addr, NULL);
	if (errno) {
		s->failed = errno;
		s->what = "read";
		return false;
	}
	*ret = (uint64_t)word;
	return true;
}

static bool poke(struct store *s, uint64_t word)
{
	if (!ptrace(PTRACE_POKEDATA, s->tid, (void *)(uintptr_t)s->addr, (void *)(uintptr_t)word))
		return true;
	s->failed = errno;
	s->what = "written";
	return false;
}

static void store_traced(void *arg)
{
	struct store *s = arg;

	if (!peek(s, &s->seen) || s->seen != s->expect)
		return;
	hf_fault_point("the old value verified");
	if (!poke(s, s->value))
		return;
	s->wrote = true;
	hf_fault_point("the word stored");
	if (peek(s, &s->after) && s->after == s->value)
		return;
	s->restored = poke(s, s->expect) && peek(s, &s->after) && s->after == s->expect;
}

/* ---- the same through the debugger that holds it ---------------------------------------------------------------- */

static bool read_held(struct store *s, uint64_t *ret)
{
	uint8_t bytes[8];

	if (hf_err_ignore(hf_target_read_now(s->t, s->addr, bytes, sizeof(bytes)))) {
		s->failed = EIO;
		s->what = "read";
		return false;
	}
	*ret = hf_load_u64(bytes);
	return true;
}

static bool write_held(struct store *s, uint64_t word)
{
	if (s->t->host_write(s->t->host_arg, s->addr, &word, sizeof(word)))
		return true;
	s->failed = EIO;
	s->what = "written through the debugger";
	return false;
}

static void store_held(struct store *s)
{
	if (!read_held(s, &s->seen) || s->seen != s->expect || !write_held(s, s->value))
		return;
	s->wrote = true;
	if (read_held(s, &s->after) && s->after == s->value)
		return;
	s->restored = write_held(s, s->expect) && read_held(s, &s->after) && s->after == s->expect;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static struct hf_err *tell(const struct store *s)
{
	const char *label = s->t->label;

	if (s->restored)
		return hf_err_at(HF_REVERTED, s->addr,
				 "0x%" PRIx64 " of %s did not hold what was stored there: 0x%" PRIx64
				 " stands there again, as before",
				 s->addr, label, s->expect);
	if (s->wrote && s->after != s->value)
		return hf_err_at(HF_TARGET, s->addr,
				 "0x%" PRIx64 " of %s holds 0x%" PRIx64
				 ", neither what was stored nor what stood there, and cannot be written",
				 s->addr, label, s->after);
	if (s->failed)
		return hf_err_at(HF_TARGET, s->addr,
				 "0x%" PRIx64 " of %s cannot be %s: %s; nothing was written", s->addr, label,
				 s->what, strerror(s->failed));
	if (s->seen != s->expect)
		return hf_err_at(HF_STALE, s->addr,
				 "0x%" PRIx64 " of %s holds 0x%" PRIx64 " by now, not 0x%" PRIx64
				 ": nothing was written; plan it anew",
				 s->addr, label, s->seen, s->expect);
	return NULL;
}

struct hf_err *hf_patch_store_word(struct hf_target *t, uint64_t addr, uint64_t expect, uint64_t value)
{
	struct store s = {.t = t, .addr = addr, .expect = expect, .value = value};
	bool all_stopped;

	if (!t->stopped || strcmp(t->ops->kind, "live") != 0)
		return hf_err(HF_REFUSED, "%s is not stopped, or no process: there is nothing to write to",
			      t->label);
	HF_TRY(hf_patch_check_place(t, addr));
	s.tid = choose_thread(t, &all_stopped);
	if (!s.tid || !all_stopped)
		return hf_err_at(HF_STALE, addr,
				 "not all threads of %s could be stopped: nothing was written; try again",
				 t->label);
	if (t->host_write) {
		store_held(&s);
		return tell(&s);
	}
	if (hf_err_ignore(hf_target_in_tracer(t, store_traced, &s)))
		return hf_err_at(HF_REFUSED, addr,
				 "a debugger holds %s, and does not let us write: nothing was written",
				 t->label);
	return tell(&s);
}

/* ---- the same in one go --------------------------------------------------------------------------------------------- */

static void swap(void *arg)
{
	struct store *s = arg;
	uint32_t quiet = 0;
	bool all_stopped;

	hf_fault_point("stopped");
	s->tid = choose_thread(s->t, &all_stopped);
	s->unstopped = !s->tid || !all_stopped;
	if (s->quiet_addr && hf_err_ignore(hf_target_read_now(s->t, s->quiet_addr, &quiet, sizeof(quiet)))) {
		s->failed = EIO;
		s->what = "written, as whether the collector rests cannot be read";
		return;
	}
	s->busy = quiet != 0;
	if (!s->unstopped && !s->busy)
		store_traced(s);
	hf_fault_point("before the resume");
}

static struct hf_err *swap_held(struct hf_target *t, const struct hf_word *word, bool *ret_busy)
{
	uint32_t quiet = 0;
	struct hf_err *err;

	HF_TRY(hf_target_stop(t));
	err = word->quiet_addr ? hf_target_read_now(t, word->quiet_addr, &quiet, sizeof(quiet)) : NULL;
	*ret_busy = quiet != 0;
	if (!err && !quiet)
		err = hf_patch_store_word(t, word->addr, word->expect, word->value);
	hf_target_resume(t);
	return err;
}

struct hf_err *hf_patch_swap_word(struct hf_target *t, const struct hf_word *word, bool *ret_busy)
{
	struct store s = {.t = t,
			  .addr = word->addr,
			  .expect = word->expect,
			  .value = word->value,
			  .quiet_addr = word->quiet_addr};
	struct hf_err *err;

	HF_TRY(hf_patch_check_place(t, word->addr));
	err = hf_target_in_stop(t, swap, &s);
	if (hf_err_code(err) == HF_UNSUPPORTED) {
		hf_err_destroy(err);
		return swap_held(t, word, ret_busy);
	}
	HF_TRY(err);
	hf_fault_point("resumed");
	*ret_busy = s.busy;
	if (s.unstopped)
		return hf_err_at(HF_STALE, s.addr,
				 "not all threads of %s could be stopped: nothing was written; try again",
				 t->label);
	return s.busy ? NULL : tell(&s);
}

/* ---- a call in a borrowed thread ---------------------------------------------------------------------------------- */

#define RED_ZONE    128u
#define STACK_NEEDS 65536u
#define STATE_MAX   16384u /* of the processor's extended state */
#define DATA_MAX    4096u
#define FRAME_SIZE  (8 + sizeof(ucontext_t))

/* Source: Linux arch/x86/include/uapi/asm/sigcontext.h */
#define FP_MAGIC1       0x46505853u
#define FP_MAGIC2       0x46505845u
#define FP_SW_OFFSET    464u /* of struct _fpx_sw_bytes in the state */
#define FP_XSTATE_BV    512u
#define UC_HAS_FP_STATE 1u
#define UC_HAS_SS       6u /* UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define USER_CS         0x33u
#define USER_SS         0x2bu

/* All signals but the last: no program blocks just these, so that their being blocked says that the call is under way. */
#define BORROWED (~(UINT64_C(1) << 63 | UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)))

/* Waits in which a thread holds no lock of the allocator or the loader. */
static const uint16_t rests[] = {
	SYS_nanosleep,     SYS_clock_nanosleep, SYS_poll,       SYS_ppoll,       SYS_select,
	SYS_pselect6,      SYS_pause,           SYS_epoll_wait, SYS_epoll_pwait, SYS_accept,
	SYS_accept4,       SYS_recvfrom,        SYS_recvmsg,    SYS_read,        SYS_rt_sigtimedwait,
	SYS_rt_sigsuspend, SYS_wait4,           SYS_waitid,
};

struct borrow {
	struct hf_target *t;
	const struct hf_call *call;
	pid_t tid; /* 0: no thread will do */
	struct user_regs_struct regs;
	uint64_t mask;
	size_t state_len;
	int failed; /* errno */
	uint8_t state[STATE_MAX];
	uint8_t bytes[FRAME_SIZE + DATA_MAX + STATE_MAX + 256];
};

static bool is_at_rest(const struct user_regs_struct *regs)
{
	for (size_t i = 0; i < HF_LEN(rests); i++)
		if (regs->orig_rax == rests[i])
			return true;
	return false;
}

static bool has_stack(const struct borrow *b)
{
	const struct hf_map *map = hf_target_find_map(b->t, b->regs.rsp);

	if (!map || !map->writable || map->shared ||
	    b->regs.rsp - map->start < STACK_NEEDS + sizeof(b->bytes))
		return false;
	return !b->call->main_only || !strcmp(map->path, "[stack]");
}

/* Whether this thread will do; takes what of it has to come back. */
static bool choose(struct borrow *b, pid_t tid)
{
	struct iovec regs = {&b->regs, sizeof(b->regs)}, state = {b->state, sizeof(b->state) - 64};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &regs) ||
	    ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &state) ||
	    ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(b->mask), &b->mask))
		return false;
	b->state_len = state.iov_len;
	return b->mask != BORROWED && b->regs.cs == USER_CS && has_stack(b) &&
	       b->state_len > FP_XSTATE_BV + 64 && (!b->call->at_rest || is_at_rest(&b->regs));
}

/* A system call that the stop has interrupted is made once more, as the kernel would; its time, if it has one, begins
 * anew. Source: Linux include/linux/errno.h, arch/x86/kernel/signal.c */
static void restart(const struct user_regs_struct *regs, greg_t *gregs)
{
	int64_t result = (int64_t)regs->rax;

	if ((int64_t)regs->orig_rax < 0 || result > -512 || result < -516 || result == -515)
		return;
	gregs[REG_RIP] -= 2;
	gregs[REG_RAX] = (greg_t)regs->orig_rax;
}

static void fill_context(const struct borrow *b, uint64_t state_addr, ucontext_t *uc)
{
	const struct user_regs_struct *r = &b->regs;
	const uint64_t gregs[] = {
		[REG_R8] = r->r8,
		[REG_R9] = r->r9,
		[REG_R10] = r->r10,
		[REG_R11] = r->r11,
		[REG_R12] = r->r12,
		[REG_R13] = r->r13,
		[REG_R14] = r->r14,
		[REG_R15] = r->r15,
		[REG_RDI] = r->rdi,
		[REG_RSI] = r->rsi,
		[REG_RBP] = r->rbp,
		[REG_RBX] = r->rbx,
		[REG_RDX] = r->rdx,
		[REG_RAX] = r->rax,
		[REG_RCX] = r->rcx,
		[REG_RSP] = r->rsp,
		[REG_RIP] = r->rip,
		[REG_EFL] = r->eflags,
		[REG_CSGSFS] = USER_CS | (uint64_t)USER_SS << 48,
	};

	memset(uc, 0, sizeof(*uc));
	uc->uc_flags = UC_HAS_FP_STATE | UC_HAS_SS;
	uc->uc_stack.ss_flags = 0x7f; /* no such kind: the signal stack stays as it is */
	memcpy(uc->uc_mcontext.gregs, gregs, sizeof(gregs));
	restart(r, uc->uc_mcontext.gregs);
	memcpy(&uc->uc_mcontext.fpregs, &state_addr, sizeof(state_addr));
	memcpy(&uc->uc_sigmask, &b->mask, sizeof(b->mask));
}

/* The state as the kernel itself puts it on a signal's stack. */
static void fill_state(struct borrow *b, uint8_t *to)
{
	uint32_t sw[5] = {FP_MAGIC1, (uint32_t)b->state_len + 4, 0, 0, (uint32_t)b->state_len};
	const uint32_t end = FP_MAGIC2;

	memcpy(to, b->state, b->state_len);
	if (hf_load_u32(to + FP_SW_OFFSET) == FP_MAGIC1 &&
	    hf_load_u32(to + FP_SW_OFFSET + 16) <= b->state_len) {
		memcpy(sw, to + FP_SW_OFFSET, sizeof(sw));
		sw[1] = sw[4] + 4;
	} else {
		memcpy(&sw[2], to + FP_XSTATE_BV, 8);
	}
	memcpy(to + FP_SW_OFFSET, sw, sizeof(sw));
	memcpy(to + sw[4], &end, sizeof(end));
}

static bool put(pid_t tid, uint64_t addr, void *bytes, size_t len)
{
	struct iovec here = {bytes, len}, there = {(void *)(uintptr_t)addr, len};

	return process_vm_writev(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

static bool begin_call(struct borrow *b)
{
	const struct hf_call *c = b->call;
	uint64_t top = hf_align_down(b->regs.rsp - RED_ZONE, 64);
	uint64_t state = hf_align_down(top - b->state_len - 4, 64);
	uint64_t data = hf_align_down(state - c->len, 16);
	uint64_t entry = hf_align_down(data - FRAME_SIZE, 16) - 8; /* as a call leaves it */
	uint64_t args[6], mask = BORROWED;
	struct user_regs_struct regs = b->regs;
	struct iovec iov = {&regs, sizeof(regs)};
	ucontext_t uc;

	memcpy(args, c->args, sizeof(args));
	if (c->data)
		args[0] = data;
	memcpy(b->bytes, &c->restorer, 8);
	fill_context(b, state, &uc);
	memcpy(b->bytes + 8, &uc, sizeof(uc));
	if (c->data)
		memcpy(b->bytes + (data - entry), c->data, c->len);
	fill_state(b, b->bytes + (state - entry));
	if (!put(b->tid, entry, b->bytes, (size_t)(state - entry) + b->state_len + 4))
		return false;
	hf_fault_point("the frame of a call written");
	regs.orig_rax = UINT64_MAX;
	regs.rip = c->code;
	regs.rsp = entry;
	regs.rax = c->number >= 0 ? (uint64_t)c->number : 0;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.rcx = regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	regs.eflags &= ~UINT64_C(0x500); /* neither backwards nor in single steps */
	/* In this order: the frame gives back both, but signals that are blocked without the call would stay so. */
	if (ptrace(PTRACE_SETREGSET, b->tid, (void *)NT_PRSTATUS, &iov))
		return false;
	hf_fault_point("registers of a call set");
	if (!ptrace(PTRACE_SETSIGMASK, b->tid, (void *)sizeof(mask), &mask)) {
		hf_fault_point("signals of a call blocked");
		return true;
	}
	b->failed = errno;
	iov = (struct iovec){&b->regs, sizeof(b->regs)};
	ptrace(PTRACE_SETREGSET, b->tid, (void *)NT_PRSTATUS, &iov);
	return false;
}

static void borrow_thread(void *arg)
{
	struct borrow *b = arg;

	hf_vec_each(&b->t->threads, thread) {
		if (thread->state != HF_THREAD_STOPPED || (b->call->main_only && thread->tid != b->t->pid) ||
		    !choose(b, thread->tid))
			continue;
		b->tid = thread->tid;
		if (!begin_call(b) && !b->failed)
			b->failed = errno ? errno : EIO;
		return;
	}
}

struct hf_err *hf_patch_call(struct hf_target *t, const struct hf_call *call, pid_t *ret_tid)
{
	_free_ struct borrow *b = hf_calloc(1, sizeof(*b));

	if (!b)
		return hf_err_nomem();
	if (call->len > DATA_MAX)
		return hf_err(HF_UNSUPPORTED, "%zu bytes are too many for a call in %s", call->len, t->label);
	b->t = t;
	b->call = call;
	HF_TRY(hf_target_in_tracer(t, borrow_thread, b));
	if (!b->tid)
		return hf_err(
			HF_STALE,
			"no thread of %s can be borrowed at this moment: nothing was written; try again",
			t->label);
	if (b->failed)
		return hf_err(HF_TARGET, "thread %d of %s cannot be borrowed: %s; it goes on as before",
			      b->tid, t->label, strerror(b->failed));
	*ret_tid = b->tid;
	return NULL;
}

struct look {
	pid_t tid;
	uint64_t mask;
	bool failed;
};

static void look_at_mask(void *arg)
{
	struct look *l = arg;

	l->failed = ptrace(PTRACE_GETSIGMASK, l->tid, (void *)sizeof(l->mask), &l->mask) != 0;
}

struct hf_err *hf_patch_call_done(struct hf_target *t, pid_t tid, bool *ret)
{
	struct look l = {.tid = tid};

	HF_TRY(hf_target_in_tracer(t, look_at_mask, &l));
	if (l.failed)
		return hf_err(HF_TARGET, "thread %d of %s has ended in a call of ours", tid, t->label);
	*ret = l.mask != BORROWED;
	return NULL;
}

struct fill {
	pid_t tid;
	uint64_t page;
	const uint64_t *words;
	size_t n;
	bool filled, was_zero;
};

static void fill_page(void *arg)
{
	struct fill *f = arg;
	uint64_t was[16] = {0}, bytes[16];
	struct iovec here = {was, f->n * 8}, there = {(void *)(uintptr_t)f->page, f->n * 8};

	memcpy(bytes, f->words, f->n * 8);
	f->was_zero = process_vm_readv(f->tid, &here, 1, &there, 1, 0) == (ssize_t)(f->n * 8);
	for (size_t i = 0; i < f->n; i++)
		f->was_zero &= !was[i];
	f->filled = f->was_zero && put(f->tid, f->page, bytes, f->n * 8);
}

struct hf_err *hf_patch_fill_page(struct hf_target *t, uint64_t page, const uint64_t *words, size_t n)
{
	const struct hf_map *map = hf_target_find_map(t, page);
	struct fill f = {.page = page, .words = words, .n = n};
	bool all_stopped;

	f.tid = choose_thread(t, &all_stopped);
	if (n > 16 || page % HF_ARCH_PAGE || !map || map->start > page || !map->writable || map->shared ||
	    map->path[0])
		return hf_err_at(HF_REFUSED, page,
				 "0x%" PRIx64 " of %s is no page of ours: nothing was written", page,
				 t->label);
	HF_TRY(hf_target_in_tracer(t, fill_page, &f));
	if (!f.was_zero)
		return hf_err_at(HF_STALE, page, "0x%" PRIx64 " of %s is in use: nothing was written", page,
				 t->label);
	return f.filled ? NULL
			: hf_err_at(HF_TARGET, page, "0x%" PRIx64 " of %s cannot be written", page, t->label);
}

/* ---- code ------------------------------------------------------------------------------------------------------------ */

struct fill_code {
	pid_t tid;
	uint64_t page;
	const uint8_t *bytes;
	bool is_read, was_zero, is_same;
};

static void fill_code(void *arg)
{
	struct fill_code *f = arg;
	uint8_t was[HF_ARCH_PAGE];
	struct iovec here = {was, sizeof(was)}, there = {(void *)(uintptr_t)f->page, sizeof(was)};

	f->is_read = process_vm_readv(f->tid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(was);
	f->was_zero = f->is_read && !was[0] && !memcmp(was, was + 1, sizeof(was) - 1);
	if (!f->was_zero)
		return;
	for (size_t i = 0; i < sizeof(was); i += 8) {
		uint64_t word = hf_load_u64(f->bytes + i);

		/* It is mapped so that the target cannot: this way goes past that, as for a debugger's breakpoints. */
		if (word && ptrace(PTRACE_POKEDATA, f->tid, (void *)(uintptr_t)(f->page + i),
				   (void *)(uintptr_t)word))
			return;
	}
	f->is_same = process_vm_readv(f->tid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(was) &&
		     !memcmp(was, f->bytes, sizeof(was));
}

struct hf_err *hf_patch_fill_code(struct hf_target *t, uint64_t page, const void *bytes)
{
	const struct hf_map *map = hf_target_find_map(t, page);
	struct fill_code f = {.page = page, .bytes = bytes};
	bool all_stopped;

	f.tid = choose_thread(t, &all_stopped);
	if (page % HF_ARCH_PAGE || !map || map->start != page || map->end - page != HF_ARCH_PAGE ||
	    map->writable || !map->executable || map->shared || map->path[0])
		return hf_err_at(HF_REFUSED, page,
				 "0x%" PRIx64 " of %s is no page of ours: nothing was written", page,
				 t->label);
	if (!f.tid)
		return hf_err(HF_STALE, "no thread of %s could be stopped: nothing was written; try again",
			      t->label);
	HF_TRY(hf_target_in_tracer(t, fill_code, &f));
	if (f.is_read && !f.was_zero)
		return hf_err_at(HF_STALE, page, "0x%" PRIx64 " of %s is in use: nothing was written", page,
				 t->label);
	return f.is_same ? NULL
			 : hf_err_at(HF_TARGET, page,
				     "0x%" PRIx64 " of %s cannot be written; nothing refers to it", page,
				     t->label);
}
