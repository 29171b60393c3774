/* Goroutines, read while the target is stopped: Go 1.20 to 1.27 runtime/runtime2.go (g), proc.go (allgs). */
#include "unwind.h"

#include <stdlib.h>

#define GOROUTINES_MAX 10000000u
#define G_MAX          4096u /* bytes of a g; 456 at most so far */
#define BELOW_SP       256u  /* red zones and pushes in flight */
#define GAP_MAX        8192u /* one stack of the smallest kinds */
#define REASONS_MAX    255u
#define REASON_LEN_MAX 100u
#define SCAN_BIT       0x1000u
#define XREGS_BYTES    2112u /* Go 1.26 runtime/preempt_amd64.go, xRegs: 32 * 64 + 8 * 8 */

/* runtime/runtime2.go, _G* */
enum {
	G_IDLE,
	G_RUNNABLE,
	G_RUNNING,
	G_SYSCALL,
	G_WAITING,
	G_DEAD = 6,
	G_COPYSTACK = 8,
	G_PREEMPTED,
	G_LEAKED,
	G_DEADEXTRA
};

bool go_is_running(const struct go_goroutine *g)
{
	return g->status == G_RUNNING || (g->status == G_SYSCALL && !g->in_syscall);
}

bool go_is_parked(const struct go_goroutine *g)
{
	return g->status == G_WAITING || g->status == G_LEAKED;
}

static int by_start(const void *a, const void *b)
{
	const struct hf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Captures ranges that mostly lie close together in few copies: to ask for what lies between is cheaper than
 * to ask again. Sorts them. */
static struct hf_err *capture_close(struct go *go, struct hf_range *ranges, size_t n)
{
	size_t used = 0;

	if (!n)
		return NULL;
	qsort(ranges, n, sizeof(*ranges), by_start);
	for (size_t i = 1; i < n; i++) {
		if (ranges[i].start <= ranges[used].end || ranges[i].start - ranges[used].end <= GAP_MAX)
			ranges[used].end = hf_max(ranges[used].end, ranges[i].end);
		else
			ranges[++used] = ranges[i];
	}
	return hf_target_capture(go->t, ranges, used + 1);
}

/* The pointers of allgs, in the order in which the goroutines were made. ret  caller frees. */
static struct hf_err *read_all(struct go *go, uint64_t **ret, size_t *ret_n)
{
	struct hf_scratch copy = {0};
	struct hf_err *err;
	uint8_t header[16];
	const void *at;
	uint64_t addr, n;

	HF_TRY(hf_err_prefix(hf_target_read(go->t, go->layout.var[GO_VAR_ALLGS], header, sizeof(header)),
			     "Go's list of goroutines"));
	addr = hf_load_u64(header);
	n = hf_load_u64(header + 8);
	*ret = NULL;
	*ret_n = 0;
	if (!n)
		return NULL;
	if (n > GOROUTINES_MAX) {
		go_damage_add(&go->damage[GO_DAMAGE_GOROUTINES], addr);
		return NULL;
	}
	err = hf_target_get(go->t, addr, n * 8, &copy, &at);
	if (!err && !(*ret = hf_malloc(n * 8)))
		err = hf_err_nomem();
	if (!err) {
		memcpy(*ret, at, n * 8);
		*ret_n = n;
	}
	hf_vec_deinit(&copy);
	if (hf_err_code(err) == HF_FAULT) {
		go_damage_add(&go->damage[GO_DAMAGE_GOROUTINES], addr);
		return hf_err_ignore(err), NULL;
	}
	return hf_err_prefix(err, "Go's list of goroutines");
}

/* They are heap objects that mostly lie side by side. */
static struct hf_err *capture_gs(struct go *go, const uint64_t *gs, size_t n, uint64_t size)
{
	_free_ struct hf_range *ranges = hf_calloc(n, sizeof(*ranges));
	size_t used = 0;

	if (!ranges)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		if (gs[i] && gs[i] <= UINT64_MAX - size)
			ranges[used++] = (struct hf_range){gs[i], gs[i] + size};
	return capture_close(go, ranges, used);
}

struct raw_g {
	const uint8_t *at;
	size_t n;
};

static uint64_t word_at(const struct raw_g *raw, int32_t off)
{
	return off >= 0 && (size_t)off + 8 <= raw->n ? hf_load_u64(raw->at + off) : 0;
}

static uint8_t byte_at(const struct raw_g *raw, int32_t off)
{
	return off >= 0 && (size_t)off < raw->n ? raw->at[off] : 0;
}

/* False for those that are no goroutines at the time: dead ones wait to be used again. */
static bool decode_g(const struct go *go, uint64_t addr, const struct raw_g *raw, struct go_goroutine *ret)
{
	const int32_t *off = go->layout.off;
	uint32_t status = (uint32_t)word_at(raw, off[GO_G_ATOMICSTATUS]);
	uint64_t syscall_sp = word_at(raw, off[GO_G_SYSCALLSP]);

	*ret = (struct go_goroutine){
		.addr = addr,
		.id = word_at(raw, off[GO_G_GOID]),
		.lo = word_at(raw, off[GO_G_STACK_LO]),
		.hi = word_at(raw, off[GO_G_STACK_HI]),
		.pc = word_at(raw, off[GO_G_SCHED_PC]),
		.sp = word_at(raw, off[GO_G_SCHED_SP]),
		.ctxt = word_at(raw, off[GO_G_SCHED_CTXT]),
		.defer_addr = word_at(raw, off[GO_G_DEFER]),
		.panic_addr = word_at(raw, off[GO_G_PANIC]),
		.m_addr = word_at(raw, off[GO_G_M]),
		.gopc = word_at(raw, off[GO_G_GOPC]),
		.startpc = word_at(raw, off[GO_G_STARTPC]),
		.wait_since = word_at(raw, off[GO_G_WAITSINCE]),
		.xregs_addr = word_at(raw, off[GO_G_X_REGS]),
		.waiting_addr = word_at(raw, off[GO_G_WAITING]),
		.labels_addr = word_at(raw, off[GO_G_LABELS]),
		.param = word_at(raw, off[GO_G_PARAM]),
		.status = status & ~SCAN_BIT,
		.wait_reason = byte_at(raw, off[GO_G_WAITREASON]),
		.async_safe_point = byte_at(raw, off[GO_G_ASYNC_SAFE_POINT]),
		.thread = -1,
		.function = "",
		.created_by = "",
	};
	if (ret->status == G_IDLE || ret->status == G_DEAD || ret->status == G_DEADEXTRA)
		return false;
	/* runtime/traceback.go, initAt: what entersyscall left behind is good until it is taken back. */
	if (syscall_sp && ret->status != G_RUNNING) {
		ret->pc = word_at(raw, off[GO_G_SYSCALLPC]);
		ret->sp = syscall_sp;
		ret->in_syscall = true;
	}
	/* The collector may be shrinking a stack that it scans: pointers into it may be of before. */
	ret->conservative = ret->status == G_COPYSTACK || ((status & SCAN_BIT) && ret->status != G_RUNNING);
	return true;
}

static struct hf_err *read_gs(struct go *go, const uint64_t *gs, size_t n, size_t size)
{
	_free_ uint8_t *bytes = hf_malloc(size);
	struct raw_g raw = {bytes, size};
	struct go_goroutine g;

	if (!bytes)
		return hf_err_nomem();
	HF_TRY(hf_vec_reserve(&go->goroutines, n));
	for (size_t i = 0; i < n; i++) {
		if (i % 1024 == 0)
			HF_TRY(hf_interrupt_check());
		if (!gs[i])
			continue;
		if (hf_err_ignore(hf_target_read(go->t, gs[i], bytes, size))) {
			go_damage_add(&go->damage[GO_DAMAGE_GOROUTINES], gs[i]);
			continue;
		}
		if (!decode_g(go, gs[i], &raw, &g))
			continue;
		if (go_is_running(&g) || g.status == G_COPYSTACK)
			go_machine_attach(go, &g);
		go->goroutines.at[go->goroutines.n++] = g;
	}
	return NULL;
}

static int by_stack(const void *a, const void *b)
{
	const struct go_goroutine *x = *(struct go_goroutine *const *)a,
				  *y = *(struct go_goroutine *const *)b;

	return x->lo != y->lo ? (x->lo < y->lo ? -1 : 1) : x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void drop_stack(struct go *go, struct go_goroutine *g)
{
	go_damage_add(&go->damage[GO_DAMAGE_GOROUTINES], g->addr);
	g->lo = g->hi = 0;
}

/* Stacks never overlap. Of two that say so the larger one lies, or both are the same goroutine twice: no word of memory is
 * looked at for many goroutines. */
static struct hf_err *check_stacks(struct go *go)
{
	_free_ struct go_goroutine **sorted = hf_calloc(go->goroutines.n, sizeof(struct go_goroutine *));
	struct go_goroutine *last = NULL;
	size_t n = 0;

	if (!sorted)
		return hf_err_nomem();
	hf_vec_each(&go->goroutines, g)
		if (g->lo < g->hi)
			sorted[n++] = g;
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_stack);
	for (size_t i = 0; i < n; i++) {
		struct go_goroutine *g = sorted[i];

		if (!last || g->lo >= last->hi) {
			last = g;
		} else if (g->hi - g->lo >= last->hi - last->lo) {
			drop_stack(go, g);
		} else {
			drop_stack(go, last);
			last = g;
		}
	}
	return NULL;
}

static void add_range(struct hf_range *ranges, size_t *n, uint64_t start, uint64_t end)
{
	if (start && start < end)
		ranges[(*n)++] = (struct hf_range){start, end};
}

static struct hf_err *capture_stacks(struct go *go)
{
	_free_ struct hf_range *ranges = hf_calloc(go->goroutines.n * 3, sizeof(*ranges));
	size_t n = 0;

	if (!ranges)
		return hf_err_nomem();
	hf_vec_each(&go->goroutines, g) {
		bool whole = (g->conservative && go_is_running(g)) || g->sp < g->lo || g->sp >= g->hi ||
			     g->sp - g->lo < BELOW_SP;

		add_range(ranges, &n, whole ? g->lo : g->sp - BELOW_SP, g->hi);
		add_range(ranges, &n, g->extra_start, g->extra_end);
		if (g->async_safe_point && g->xregs_addr && g->xregs_addr < UINT64_MAX - XREGS_BYTES)
			add_range(ranges, &n, g->xregs_addr, g->xregs_addr + XREGS_BYTES);
	}
	return capture_close(go, ranges, n);
}

static const char *read_reason(struct go *go, uint64_t header_addr)
{
	uint8_t header[16];
	char text[REASON_LEN_MAX];
	uint64_t n;

	if (hf_err_ignore(hf_target_read(go->t, header_addr, header, sizeof(header))))
		return NULL;
	n = hf_load_u64(header + 8);
	if (!n || n > sizeof(text) || hf_err_ignore(hf_target_read(go->t, hf_load_u64(header), text, n)))
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return NULL;
	return hf_arena_strndup(&go->names, text, n);
}

/* runtime/runtime2.go, waitReasonStrings: renumbered from version to version, so we ask the target. */
static struct hf_err *read_reasons(struct go *go)
{
	uint64_t addr = go->layout.var[GO_VAR_WAITREASONS];
	size_t n = hf_min(go->layout.wait_reasons_n, (uint64_t)REASONS_MAX);

	hf_free(go->wait_reasons);
	go->wait_reasons_n = 0;
	go->wait_reasons = hf_calloc(n, sizeof(*go->wait_reasons));
	if (!go->wait_reasons)
		return hf_err_nomem();
	for (size_t i = 0; addr && i < n; i++)
		go->wait_reasons[i] = read_reason(go, addr + i * 16);
	go->wait_reasons_n = addr ? n : 0;
	return NULL;
}

const char *go_wait_reason(struct go *go, const struct go_goroutine *g)
{
	static const char *const states[] = {
		[G_IDLE] = "idle",           [G_RUNNABLE] = "runnable",
		[G_RUNNING] = "running",     [G_SYSCALL] = "syscall",
		[G_WAITING] = "waiting",     [G_DEAD] = "dead",
		[G_COPYSTACK] = "copystack", [G_PREEMPTED] = "preempted",
		[G_LEAKED] = "leaked",       [G_DEADEXTRA] = "waiting for cgo callback",
	};

	if ((g->status == G_WAITING || g->status == G_LEAKED) && g->wait_reason &&
	    g->wait_reason < go->wait_reasons_n && go->wait_reasons[g->wait_reason])
		return go->wait_reasons[g->wait_reason];
	return g->status < HF_LEN(states) && states[g->status] ? states[g->status] : "unknown";
}

struct hf_err *go_goroutines_read(struct go *go)
{
	_free_ uint64_t *gs = NULL;
	int32_t size = go_off(go, G_SIZE);
	size_t n = 0;

	go_goroutines_deinit(go);
	if (size <= 0 || (uint32_t)size > G_MAX)
		return hf_err(HF_BADDATA, "DWARF says that runtime.g has %" PRId32 " bytes", size);
	HF_TRY(read_all(go, &gs, &n));
	if (n) {
		HF_TRY(capture_gs(go, gs, n, (uint64_t)size));
		HF_TRY(read_gs(go, gs, n, (size_t)size));
		HF_TRY(check_stacks(go));
		HF_TRY(capture_stacks(go));
	}
	return read_reasons(go);
}

void go_goroutines_deinit(struct go *go)
{
	hf_vec_deinit(&go->goroutines);
	hf_vec_deinit(&go->frames);
	hf_vec_deinit(&go->stack_roots);
	hf_vec_deinit(&go->label_sets);
	hf_vec_deinit(&go->labels);
	hf_free(go->wait_reasons);
	go->wait_reasons = NULL;
	go->wait_reasons_n = 0;
	go->damage[GO_DAMAGE_UNWIND] = go->damage[GO_DAMAGE_GOROUTINES] = (struct go_damage){0};
}
