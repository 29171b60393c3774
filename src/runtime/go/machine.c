/* Which thread runs a goroutine, and where it was stopped: Go 1.20 to 1.27 runtime/proc.go, asm_amd64.s,
 * sys_linux_amd64.s, signal_unix.go.
 *
 * A thread (an M) is on one of: the goroutine's own stack: its registers say where; its own stack (g0), gone
 * there by mcall, systemstack, morestack or asmcgocall: g.sched says where the goroutine is; in the vdso on
 * g0: m.vdsoSP does, for nothing was saved; its signal stack: the kernel put the registers at the top of
 * that stack.
 */
#include "unwind.h"

#define M_MAX     8192u  /* bytes of an M that we look at */
#define EXTRA_MAX 65536u /* of the thread's own or signal stack: 16 KiB and 32 KiB where Go made them */

struct machine {
	uint64_t g0, gsignal, curg, procid, vdso_sp;
};

/* Where a signal came in. */
struct interrupted {
	uint64_t pc, sp, fp;
};

static uint64_t member(const uint8_t *bytes, size_t n, int32_t off)
{
	return off >= 0 && (size_t)off + 8 <= n ? hf_load_u64(bytes + off) : 0;
}

static bool read_machine(struct go *go, uint64_t addr, struct machine *ret)
{
	static const enum go_field fields[] = {GO_M_G0, GO_M_GSIGNAL, GO_M_CURG, GO_M_PROCID, GO_M_VDSO_SP};
	const int32_t *off = go->layout.off;
	uint8_t bytes[M_MAX];
	size_t n = 0;

	for (size_t i = 0; i < HF_LEN(fields); i++)
		if (off[fields[i]] >= 0)
			n = hf_max(n, (size_t)off[fields[i]] + 8);
	if (!addr || n > sizeof(bytes) || hf_err_ignore(hf_target_read(go->t, addr, bytes, n)))
		return false;
	*ret = (struct machine){
		.g0 = member(bytes, n, off[GO_M_G0]),
		.gsignal = member(bytes, n, off[GO_M_GSIGNAL]),
		.curg = member(bytes, n, off[GO_M_CURG]),
		.procid = member(bytes, n, off[GO_M_PROCID]),
		.vdso_sp = member(bytes, n, off[GO_M_VDSO_SP]),
	};
	return true;
}

static int find_thread(const struct hf_target *t, uint64_t procid)
{
	for (size_t i = 0; i < t->threads.n; i++)
		if ((uint64_t)t->threads.at[i].ns_tid == procid &&
		    t->threads.at[i].state == HF_THREAD_STOPPED)
			return (int)i;
	return -1;
}

static bool read_bounds(struct go *go, uint64_t g, uint64_t *ret_lo, uint64_t *ret_hi)
{
	return g && !hf_err_ignore(hf_target_read_u64(go->t, g + (uint64_t)go_off(go, G_STACK_LO), ret_lo)) &&
	       !hf_err_ignore(hf_target_read_u64(go->t, g + (uint64_t)go_off(go, G_STACK_HI), ret_hi));
}

/* The stack of another g of the same M: is sp on it? */
static bool is_on(struct go *go, uint64_t g, uint64_t sp, uint64_t *ret_lo, uint64_t *ret_hi)
{
	return read_bounds(go, g, ret_lo, ret_hi) && sp >= *ret_lo && sp < *ret_hi;
}

/* The kernel's signal frame holds a struct ucontext (Linux arch/x86/include/uapi/asm/ucontext.h,
 * sigcontext.h): it is known by its uc_stack, which is the signal stack that we are on.
 *
 *	+16 ss_sp  +24 ss_flags  +32 ss_size  +40 r8..r15 di si  +120 bp  bx dx ax cx  +160 sp  +168 ip
 */
static bool find_signal_frame(struct go *go, uint64_t sp, uint64_t lo, uint64_t hi, struct interrupted *ret)
{
	struct hf_scratch copy = {0};
	const void *at;
	const uint8_t *p;
	bool found = false;

	sp = hf_align_down(sp, 8);
	if (hi - sp > EXTRA_MAX || hf_err_ignore(hf_target_get(go->t, sp, hi - sp, &copy, &at))) {
		hf_vec_deinit(&copy);
		return false;
	}
	p = at;
	for (uint64_t i = 0; i + 176 <= hi - sp && !found; i += 8) {
		if (hf_load_u64(p + i + 16) != lo || hf_load_u64(p + i + 32) != hi - lo)
			continue;
		*ret = (struct interrupted){.fp = hf_load_u64(p + i + 120),
					    .sp = hf_load_u64(p + i + 160),
					    .pc = hf_load_u64(p + i + 168)};
		found = true;
	}
	hf_vec_deinit(&copy);
	return found;
}

static bool is_own(const struct go_goroutine *g, uint64_t sp)
{
	return sp >= g->lo && sp < g->hi;
}

/* vdsoSP is the caller's stack pointer; its pc was pushed below that. (m.vdsoPC is set a moment later.) */
static bool set_vdso_caller(struct go *go, struct go_goroutine *g, const struct machine *m)
{
	uint64_t pc;

	if (!m->vdso_sp || !is_own(g, m->vdso_sp) ||
	    hf_err_ignore(hf_target_read_u64(go->t, m->vdso_sp - 8, &pc)))
		return false;
	g->pc = pc;
	g->sp = m->vdso_sp;
	return true;
}

/* In gogo the stack is the goroutine's already, and what it goes on to is still in g.sched alone. In code
 * that is not Go's, the vdso, its caller is where the goroutine is. */
static void set_own(struct go *go, struct go_goroutine *g, const struct machine *m,
		    const struct interrupted *at)
{
	struct go_func f;
	bool found = go_find_func(go, at->pc, &f);

	g->on_thread = true;
	g->fp = at->fp;
	if ((!found || (f.flag & GO_FUNCFLAG_SPWRITE)) && set_vdso_caller(go, g, m))
		return;
	g->sp = at->sp;
	if (!found || go_func_role(f.name) != GO_ROLE_GOGO)
		g->pc = at->pc;
}

static void set_extra(struct go_goroutine *g, uint64_t sp, uint64_t hi)
{
	g->extra_start = hf_align_down(sp, 8);
	g->extra_end = hi - g->extra_start > EXTRA_MAX ? g->extra_start + EXTRA_MAX : hi;
}

void go_machine_attach(struct go *go, struct go_goroutine *g)
{
	struct interrupted at = {0};
	struct machine m;
	uint64_t lo, hi;
	const struct hf_regs *regs;

	g->thread = read_machine(go, g->m_addr, &m) && m.curg == g->addr ? find_thread(go->t, m.procid) : -1;
	if (g->thread < 0) {
		g->conservative = true;
		return;
	}
	regs = &go->t->threads.at[g->thread].regs;
	at = (struct interrupted){.pc = regs->pc, .sp = regs->sp, .fp = regs->fp};
	if (is_on(go, m.gsignal, at.sp, &lo, &hi)) {
		set_extra(g, at.sp, hi);
		if (!find_signal_frame(go, at.sp, lo, hi, &at)) {
			g->conservative = true;
			return;
		}
	} else if (is_on(go, m.g0, at.sp, &lo, &hi)) {
		set_extra(g, at.sp, hi);
	}
	if (is_own(g, at.sp))
		set_own(go, g, &m, &at);
	else
		set_vdso_caller(go, g, &m);
}
