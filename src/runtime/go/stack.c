/* What a goroutine's stack holds, as the collector sees it: Go 1.20 to 1.27 runtime/mgcmark.go (scanstack,
 * scanframeworker), mgcstack.go (stack objects), stkframe.go. Where the collector would first bring the
 * goroutine to a safe point, and we cannot, any word counts. */
#include "unwind.h"

#include <stdlib.h>

#define NO_FRAME    UINT32_MAX
#define LOWEST      4096u /* no pointer is below the first page */
#define HIGHEST     (UINT64_C(1) << 47)
#define XREGS_BYTES 2112u /* Go 1.26 runtime/preempt_amd64.go, xRegs */
#define DEFERS_MAX  (1u << 20)
#define LOOKS_MAX   4          /* at each word of a stack, by and large: locals, arguments, objects */
#define REFLECT_MAX (1u << 16) /* words of arguments of a reflect call */
/* internal/abi/abi.go, RegArgs on amd64: Ints [9], Floats [15], Ptrs [9], ReturnIsPtr [2]byte */
#define REGARGS_SIZE 272u
#define REGARGS_PTRS 192u
#define REGARGS_END  264u

struct local_frame {
	struct go_frame frame;
	bool is_live; /* it has roots */
	uint32_t out; /* its index in the output, once all is scanned */
};

/* A stack-allocated variable whose address was taken: its pointers count if something live points to it. */
struct object {
	uint64_t start, end;
	uint64_t mask;           /* one bit a word; 0: all words from first on */
	uint64_t first, ptr_end; /* bytes from start */
	uint32_t frame;
	bool done;
};

struct go_scan_state {
	struct go_cache cache;
	struct go_stack stack;
	struct hf_scratch bits;
	HF_VEC(struct local_frame) frames;
	HF_VEC(struct object) objects;
	HF_VEC(uint64_t) queue; /* pointers into the stack */
	bool any_next;          /* the next frame's map does not hold where it was left */
	uint64_t left;          /* words that may still be looked at */
	bool gave_up;           /* the maps lie: all words count, once */

	struct go *go;
	const struct go_goroutine *g;
	uint32_t index;
	struct go_scan_output *out; /* roots name their frame by its index in frames, until out_frames */
};

struct go_scan_state *go_scan_state_create(void)
{
	return hf_calloc(1, sizeof(struct go_scan_state));
}

void go_scan_state_destroy(struct go_scan_state *s)
{
	if (!s)
		return;
	go_stack_deinit(&s->stack);
	hf_vec_deinit(&s->bits);
	hf_vec_deinit(&s->frames);
	hf_vec_deinit(&s->objects);
	hf_vec_deinit(&s->queue);
	hf_free(s);
}

/* A word that may be a pointer: into this very stack it makes a stack object live, into the heap it is a
 * root. */
static struct hf_err *add(struct go_scan_state *s, enum hf_root_kind kind, uint64_t slot, uint64_t value,
			  uint32_t frame)
{
	struct go_raw_root root = {
		.slot = slot, .value = value, .owner = s->index, .kind = (uint8_t)kind, .frame = frame};

	if (value < LOWEST || value >= HIGHEST)
		return NULL;
	if (value >= s->g->lo && value < s->g->hi)
		return hf_vec_push(&s->queue, value);
	if (s->go->arena_index && !go_find_span(s->go, value))
		return NULL;
	if (frame != NO_FRAME)
		s->frames.at[frame].is_live = true;
	return hf_vec_push(&s->out->roots, root);
}

/* Frames lie apart, and their variables, too: maps by which a stack is looked at many times over are no maps. Then any
 * word of it counts. False: nothing is left to look at. */
static struct hf_err *spend(struct go_scan_state *s, uint64_t words, bool *ret)
{
	uint64_t value;

	*ret = !s->gave_up && words <= s->left;
	if (*ret)
		s->left -= words;
	if (*ret || s->gave_up)
		return NULL;
	s->gave_up = true;
	for (uint64_t slot = s->stack.lo; slot < s->stack.hi; slot += 8)
		if (go_stack_word(&s->stack, slot, &value))
			HF_TRY(add(s, HF_ROOT_GOROUTINE, slot, value, NO_FRAME));
	return NULL;
}

/* Any word of [start, end) of the stack. */
static struct hf_err *add_any(struct go_scan_state *s, uint64_t start, uint64_t end, uint32_t frame)
{
	uint64_t value;
	bool more;

	start = hf_max(hf_align_up(start, 8), s->stack.lo);
	end = hf_min(end, s->stack.hi);
	if (start >= end)
		return NULL;
	HF_TRY(spend(s, (end - start) / 8, &more));
	for (uint64_t slot = start; more && slot < end; slot += 8)
		if (go_stack_word(&s->stack, slot, &value))
			HF_TRY(add(s, HF_ROOT_GOROUTINE, slot, value, frame));
	return NULL;
}

static struct hf_err *add_masked(struct go_scan_state *s, uint64_t start, const uint8_t *bits, uint64_t n,
				 uint32_t frame)
{
	uint64_t value;
	bool more;

	HF_TRY(spend(s, n, &more));
	for (uint64_t i = 0; more && i < n; i++)
		if (bits[i / 8] >> (i % 8) & 1 && go_stack_word(&s->stack, start + i * 8, &value))
			HF_TRY(add(s, HF_ROOT_GOROUTINE, start + i * 8, value, frame));
	return NULL;
}

/* The words from start on that a bitmap in the target marks; any of them where it cannot be read. */
static struct hf_err *add_bits(struct go_scan_state *s, uint64_t start, const struct go_bits *bits,
			       uint32_t frame)
{
	uint64_t bytes = ((uint64_t)bits->n + 7) / 8;
	const void *at = bits->at;
	struct hf_err *err;

	if (start < s->stack.lo || start > s->stack.hi || bits->n > (s->stack.hi - start) / 8)
		return add_any(s, start, s->stack.hi, frame);
	if (bytes > GO_MAP_INLINE) {
		err = hf_target_get(s->go->t, bits->addr, bytes, &s->bits, &at);
		if (hf_err_code(err) == HF_NOMEM)
			return err;
		if (hf_err_ignore(err))
			return add_any(s, start, start + 8 * (uint64_t)bits->n, frame);
	}
	return add_masked(s, start, at, bits->n, frame);
}

static struct hf_err *add_object(struct go_scan_state *s, const struct go_stkframe *f,
				 const struct go_object_record *r, uint32_t frame)
{
	uint64_t start = (r->off < 0 ? f->varp : f->argp) + (uint64_t)(int64_t)r->off;
	struct object o = {.start = start, .frame = frame};
	bool more;

	if (r->size <= 0 || start < f->sp || start < s->stack.lo || start >= s->stack.hi ||
	    (uint64_t)r->size > s->stack.hi - start)
		return NULL;
	o.end = start + (uint32_t)r->size;
	/* Up to 1.23 a negative size says that a program, no bitmap, tells the pointers: any word. */
	o.ptr_end = r->ptr_bytes < 0 ? (uint32_t)r->size : hf_min((uint32_t)r->ptr_bytes, (uint32_t)r->size);
	o.mask = r->ptr_bytes < 0 ? 0 : f->func.module->rodata + r->mask_off;
	if (s->objects.n > (s->stack.hi - s->stack.lo) / 8)
		return spend(s, UINT64_MAX, &more);
	return o.ptr_end ? hf_vec_push(&s->objects, o) : NULL;
}

static struct hf_err *add_objects(struct go_scan_state *s, const struct go_stkframe *f,
				  const struct go_map_info *maps, uint32_t frame)
{
	struct go_object_record r;
	uint8_t bytes[16];

	for (uint32_t i = 0; i < maps->objects_n; i++) {
		if (i < GO_OBJECTS_INLINE) {
			r = maps->objects[i];
		} else {
			if (hf_err_ignore(hf_target_read(s->go->t, maps->objects_addr + 16 * (uint64_t)i,
							 bytes, 16)))
				return add_any(s, f->sp, f->varp, frame);
			r = (struct go_object_record){
				(int32_t)hf_load_u32(bytes), (int32_t)hf_load_u32(bytes + 4),
				(int32_t)hf_load_u32(bytes + 8), hf_load_u32(bytes + 12)};
		}
		HF_TRY(add_object(s, f, &r, frame));
	}
	return NULL;
}

/* reflect's two stubs take arguments of which only the value that is called knows the map:
 * reflect/makefunc.go (makeFuncCtxt {fn, stack *bitVector, argLen}), at 0(SP); 32(SP) says whether the
 * results are there yet. Their frame ends in a RegArgs. False: they are not as they should be. */
static bool reflect_args(struct go_scan_state *s, const struct go_stkframe *f, struct go_bits *ret)
{
	uint64_t value, valid, stack, n, fn;
	uint8_t context[24], vector[16];

	*ret = (struct go_bits){0};
	if (f->sp >= f->fp - 8)
		return f->pc == f->func.entry;
	if (!go_stack_word(&s->stack, f->sp, &value) || !go_stack_word(&s->stack, f->sp + 32, &valid) ||
	    hf_err_ignore(hf_target_read(s->go->t, value, context, sizeof(context))))
		return false;
	fn = hf_load_u64(context);
	stack = hf_load_u64(context + 8);
	if (fn != f->func.entry || hf_err_ignore(hf_target_read(s->go->t, stack, vector, sizeof(vector))))
		return false;
	n = hf_load_u32(vector);
	if (!(valid & 0xff))
		n = hf_min(n, hf_load_u64(context + 16) / 8);
	if (n > REFLECT_MAX)
		return false;
	*ret = (struct go_bits){.addr = hf_load_u64(vector + 8), .n = (uint32_t)n};
	return n > 8 * GO_MAP_INLINE || !n ||
	       !hf_err_ignore(hf_target_read(s->go->t, ret->addr, ret->at, (n + 7) / 8));
}

static struct hf_err *scan_reflect(struct go_scan_state *s, const struct go_stkframe *f, uint32_t frame)
{
	struct object o = {.start = f->varp - REGARGS_SIZE,
			   .end = f->varp,
			   .first = REGARGS_PTRS,
			   .ptr_end = REGARGS_END,
			   .frame = frame};
	struct go_bits args;

	if (!reflect_args(s, f, &args)) {
		s->any_next = true;
		return add_any(s, f->sp, f->varp, frame);
	}
	HF_TRY(add_bits(s, f->argp, &args, frame));
	if (f->sp >= f->fp - 8 || o.start < f->sp)
		return NULL;
	return hf_vec_push(&s->objects, o);
}

static struct hf_err *add_args_any(struct go_scan_state *s, const struct go_stkframe *f, uint32_t frame)
{
	if (f->func.args == GO_ARGS_UNKNOWN || f->func.args <= 0)
		return NULL;
	return add_any(s, f->argp, f->argp + (uint32_t)f->func.args, frame);
}

static struct hf_err *scan_frame(struct go_scan_state *s, const struct go_unwinder *u, uint32_t frame)
{
	const struct go_stkframe *f = &u->frame;
	bool preempted = u->role == GO_ROLE_ASYNC_PREEMPT || u->role == GO_ROLE_DEBUG_CALL;
	bool running = f->innermost && s->g->on_thread;
	bool any = s->any_next || preempted || running || u->callee_role == GO_ROLE_NO_SAFEPOINT;
	const struct go_map_info *maps;

	/* A preempted frame's registers are in asyncPreempt's; assembly may not say what arguments it has. */
	s->any_next = preempted || (running && f->func.args == GO_ARGS_UNKNOWN);
	if (any) {
		HF_TRY(add_any(s, f->sp, f->varp, frame));
		return add_args_any(s, f, frame);
	}
	if (u->role == GO_ROLE_REFLECT && f->continpc)
		return scan_reflect(s, f, frame);
	maps = go_frame_maps(s->go, &s->cache, f);
	if (!maps)
		return NULL;
	HF_TRY(add_objects(s, f, maps, frame));
	if (!maps->locals_known)
		HF_TRY(add_any(s, f->sp, f->varp, frame));
	else
		HF_TRY(add_bits(s, f->varp - 8 * (uint64_t)maps->locals.n, &maps->locals, frame));
	return maps->args_known ? add_bits(s, f->argp, &maps->args, frame) : add_args_any(s, f, frame);
}

/* Unwinds, and scans frame by frame unless the whole stack was scanned already. */
static struct hf_err *scan_frames(struct go_scan_state *s, bool names_only, const char **ret_why)
{
	struct go_unwinder u;
	bool more = go_unwind_begin(&u, s->go, s->g, &s->stack, &s->cache);

	for (; more; more = go_unwind_next(&u)) {
		const struct go_stkframe *f = &u.frame;
		struct local_frame local = {.frame = {s->index, f->call_pc, f->func.entry, f->fp, f->sp}};

		HF_TRY(hf_vec_push(&s->frames, local));
		if (!names_only)
			HF_TRY(scan_frame(s, &u, (uint32_t)(s->frames.n - 1)));
	}
	*ret_why = u.why;
	if (u.complete || names_only)
		return NULL;
	return add_any(s, u.frame.sp < s->stack.lo ? s->stack.lo : u.frame.sp, s->stack.hi, NO_FRAME);
}

static int by_start(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct object *find_object(struct go_scan_state *s, uint64_t addr)
{
	size_t lo = 0, hi = s->objects.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->objects.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->objects.n && s->objects.at[lo].start <= addr ? &s->objects.at[lo] : NULL;
}

static struct hf_err *scan_object(struct go_scan_state *s, const struct object *o)
{
	uint64_t words = o->ptr_end / 8;
	const void *mask;
	struct hf_err *err;

	if (!o->mask)
		return add_any(s, o->start + o->first, o->start + o->ptr_end, o->frame);
	err = hf_target_get(s->go->t, o->mask, (words + 7) / 8, &s->bits, &mask);
	if (hf_err_code(err) == HF_NOMEM)
		return err;
	if (hf_err_ignore(err))
		return add_any(s, o->start, o->start + o->ptr_end, o->frame);
	return add_masked(s, o->start, mask, words, o->frame);
}

/* Each object is scanned once, so this ends. */
static struct hf_err *scan_objects(struct go_scan_state *s)
{
	if (s->objects.n > 1)
		qsort(s->objects.at, s->objects.n, sizeof(*s->objects.at), by_start);
	while (s->queue.n) {
		struct object *o = find_object(s, s->queue.at[--s->queue.n]);

		if (!o || o->done)
			continue;
		o->done = true;
		HF_TRY(scan_object(s, o));
	}
	return NULL;
}

/* In the order of the unwinding, whenever their first root was found: that of a stack object comes after all others. */
static struct hf_err *out_frames(struct go_scan_state *s, size_t first_root)
{
	hf_vec_each(&s->frames, f) {
		if (!f->is_live)
			continue;
		f->out = (uint32_t)s->out->frames.n;
		HF_TRY(hf_vec_push(&s->out->frames, f->frame));
	}
	for (size_t i = first_root; i < s->out->roots.n; i++) {
		struct go_raw_root *root = &s->out->roots.at[i];

		if (root->frame != NO_FRAME)
			root->frame = s->frames.at[root->frame].out;
	}
	return NULL;
}

static bool word(struct go_scan_state *s, uint64_t addr, uint64_t *ret)
{
	return go_stack_word(&s->stack, addr, ret) || !hf_err_ignore(hf_target_read_u64(s->go->t, addr, ret));
}

/* The chain weaves between stack and heap. */
static struct hf_err *scan_defers(struct go_scan_state *s)
{
	uint64_t fn_off = (uint64_t)go_off(s->go, DEFER_FN), link_off = (uint64_t)go_off(s->go, DEFER_LINK);
	uint64_t slot = s->g->addr + (uint64_t)go_off(s->go, G_DEFER), at = s->g->defer_addr, fn, link;
	struct go_steps steps = {0};

	if (!go_has(s->go, DEFER_FN) || !go_has(s->go, DEFER_LINK))
		return NULL;
	while (at) {
		HF_TRY(add(s, HF_ROOT_GOROUTINE, slot, at, NO_FRAME));
		if (!go_step(&steps, at, DEFERS_MAX) || !word(s, at + fn_off, &fn) ||
		    !word(s, at + link_off, &link)) {
			go_damage_add(&s->go->damage[GO_DAMAGE_DEFERS], at);
			return NULL;
		}
		HF_TRY(add(s, HF_ROOT_GOROUTINE, at + fn_off, fn, NO_FRAME));
		slot = at + link_off;
		at = link;
	}
	return NULL;
}

static struct hf_err *scan_outside(struct go_scan_state *s, uint64_t start, uint64_t end)
{
	const void *at;
	struct hf_err *err;

	if (!start || start >= end)
		return NULL;
	err = hf_target_get(s->go->t, start, end - start, &s->bits, &at);
	if (hf_err_code(err) == HF_NOMEM)
		return err;
	if (hf_err_ignore(err))
		return NULL;
	for (uint64_t i = 0; i + 8 <= end - start; i += 8)
		HF_TRY(add(s, HF_ROOT_REGISTER, start + i, hf_load_u64((const uint8_t *)at + i), NO_FRAME));
	return NULL;
}

static struct hf_err *scan_registers(struct go_scan_state *s)
{
	const struct go_goroutine *g = s->g;

	HF_TRY(add(s, HF_ROOT_GOROUTINE, g->addr + (uint64_t)go_off(s->go, G_SCHED_CTXT), g->ctxt, NO_FRAME));
	if (g->thread >= 0 && (size_t)g->thread < s->go->t->threads.n) {
		const struct hf_regs *regs = &s->go->t->threads.at[g->thread].regs;

		for (unsigned i = 0; i < hf_min(regs->gprs, (unsigned)HF_ARCH_REGS); i++)
			HF_TRY(add(s, HF_ROOT_REGISTER, 0, regs->gpr[i], NO_FRAME));
	}
	HF_TRY(scan_outside(s, g->extra_start, g->extra_end));
	if (g->async_safe_point && g->xregs_addr < HIGHEST)
		HF_TRY(scan_outside(s, g->xregs_addr, g->xregs_addr ? g->xregs_addr + XREGS_BYTES : 0));
	return NULL;
}

static const char *find_name(struct go_scan_state *s)
{
	const char *name;

	for (size_t i = s->frames.n; i-- > 0;) {
		name = go_task_name(s->go, &s->cache, s->frames.at[i].frame.pc);
		if (name)
			return name;
	}
	return NULL;
}

/* Where the used part of the stack begins; its very start for one that runs who knows where. */
static uint64_t used_start(const struct go_goroutine *g, bool lost)
{
	return lost || g->sp < g->lo || g->sp >= g->hi ? g->lo : g->sp;
}

struct hf_err *go_scan_goroutine(struct go *go, struct go_scan_state *s, uint32_t goroutine,
				 struct go_scan_output *out, const char **ret_name, const char **ret_why)
{
	const struct go_goroutine *g = &go->goroutines.at[goroutine];
	bool lost = g->conservative && go_is_running(g);
	bool whole = g->conservative || g->sp < g->lo || g->sp >= g->hi;
	size_t first_root = out->roots.n;

	s->go = go;
	s->g = g;
	s->index = goroutine;
	s->out = out;
	s->frames.n = s->objects.n = s->queue.n = 0;
	s->any_next = false;
	HF_TRY(go_stack_read(go, g, used_start(g, lost), &s->stack));
	s->left = LOOKS_MAX * ((s->stack.hi - s->stack.lo) / 8 + 128);
	s->gave_up = false;
	if (whole)
		HF_TRY(add_any(s, s->stack.lo, s->stack.hi, NO_FRAME));
	HF_TRY(scan_frames(s, whole, ret_why));
	if (lost && g->thread < 0)
		*ret_why = "it runs on a thread whose registers are not known";
	if (s->stack.damaged) {
		*ret_why = "its stack could not be read";
		go_damage_add(&go->damage[GO_DAMAGE_STACKS], g->addr);
	}
	HF_TRY(scan_registers(s));
	HF_TRY(scan_defers(s));
	HF_TRY(add(s, HF_ROOT_GOROUTINE, g->addr + (uint64_t)go_off(go, G_PANIC), g->panic_addr, NO_FRAME));
	HF_TRY(scan_objects(s));
	HF_TRY(out_frames(s, first_root));
	if (s->gave_up)
		*ret_why = "its maps lie";
	*ret_name = find_name(s);
	return NULL;
}
