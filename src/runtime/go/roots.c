/* What holds objects from outside the heap: globals, specials of spans, the queues of finalizers and cleanups.
 * Source: Go 1.20-1.27 runtime/mgcmark.go, markroot and markrootSpans. */
#include "pools.h"

#define QUEUE_BLOCKS (1u << 16) /* of 4 KiB */

/* ---- specials --------------------------------------------------------------------------------- */

static bool read_word(struct go *go, uint64_t addr, uint64_t *ret)
{
	return !hf_err_ignore(hf_target_read_u64(go->t, addr, ret));
}

/* The member of a special by its own offset (DWARF), or behind the common part. */
static uint64_t payload(const struct go *go, int32_t off, uint64_t special)
{
	return special + (off >= 0 ? (uint64_t)off : go->layout.special_payload);
}

static struct hf_err *add_special(struct go *go, const struct go_span *span, uint64_t addr, int kind)
{
	const struct go_layout *l = &go->layout;
	struct go_special_record record = {0};
	uint64_t offset;

	if (!read_word(go, addr + (uint64_t)l->off[GO_SPECIAL_OFFSET], &offset))
		return NULL;
	if (l->special_payload < 24)
		offset &= 0xffff; /* 16 bits up to 1.23 */
	record.object = span->start + offset;
	if (kind == l->special_kind[GO_SPECIAL_FINALIZER]) {
		record.kind = GO_SPECIAL_FINALIZER;
		read_word(go, payload(go, l->off[GO_SPECIALFINALIZER_FN], addr), &record.fn);
		if (l->off[GO_SPECIALFINALIZER_OT] >= 0)
			read_word(go, payload(go, l->off[GO_SPECIALFINALIZER_OT], addr), &record.object_type);
	} else if (kind == l->special_kind[GO_SPECIAL_WEAK]) {
		record.kind = GO_SPECIAL_WEAK;
		read_word(go, payload(go, l->off[GO_SPECIALWEAKHANDLE_HANDLE], addr), &record.fn);
	} else if (kind == l->special_kind[GO_SPECIAL_CLEANUP]) {
		uint64_t at = payload(go, l->off[GO_SPECIALCLEANUP_CLEANUP], addr);

		record.kind = GO_SPECIAL_CLEANUP;
		if (l->off[GO_SPECIALCLEANUP_CLEANUP] >= 0) {
			/* cleanupFn: call, fn, arg (1.26) */
			read_word(go, at, &record.more[0]);
			read_word(go, at + 8, &record.fn);
			read_word(go, at + 16, &record.more[1]);
		} else {
			read_word(go, payload(go, l->off[GO_SPECIALCLEANUP_FN], addr), &record.fn);
		}
	} else if (kind == l->special_kind[GO_SPECIAL_PROFILE]) {
		struct go_sample sample = {.object = record.object};

		if (!read_word(go, payload(go, l->off[GO_SPECIALPROFILE_B], addr), &sample.site))
			return NULL;
		return hf_vec_push(&go->samples, sample);
	} else {
		return NULL;
	}
	return hf_vec_push(&go->specials, record);
}

/* seen: the specials of all spans so far. A special is in one list, once: what damage makes of them costs no more. */
static struct hf_err *read_span_specials(struct go *go, const struct go_span *span, struct hf_map64 *seen)
{
	const struct go_layout *l = &go->layout;
	uint64_t addr = span->specials;

	while (addr) {
		uint64_t next;
		uint8_t kind;

		if (seen->n % 16384 == 0)
			HF_TRY(hf_interrupt_check());
		if (addr % 8 || hf_map64_find(seen, addr, &next) ||
		    !read_word(go, addr + (uint64_t)l->off[GO_SPECIAL_NEXT], &next) ||
		    hf_err_ignore(
			    hf_target_read_u8(go->t, addr + (uint64_t)l->off[GO_SPECIAL_KIND], &kind))) {
			go_damage_add(&go->damage[GO_DAMAGE_SPECIALS], addr);
			return NULL;
		}
		HF_TRY(hf_map64_put(seen, addr, 1));
		HF_TRY(add_special(go, span, addr, kind));
		addr = next;
	}
	return NULL;
}

static struct hf_err *push_queue_root(struct go *go, uint64_t slot, enum hf_root_kind kind)
{
	struct go_raw_root root = {
		.slot = slot, .kind = (uint8_t)kind, .frame = UINT32_MAX, .owner = UINT32_MAX};

	if (!read_word(go, slot, &root.value) || !root.value)
		return NULL;
	return hf_vec_push(&go->queue_roots, root);
}

/* finBlock: alllink, next, cnt u32, pad, fin[]{fn, arg, nret, fint, ot}. All of a block is scanned, as the collector
 * does with finptrmask. Source: Go 1.20-1.27 runtime/mfinal.go. */
static struct hf_err *read_finalizer_queue(struct go *go)
{
	struct go_steps steps = {0};
	uint64_t block = 0, link;

	if (go->layout.var[GO_VAR_ALLFIN])
		read_word(go, go->layout.var[GO_VAR_ALLFIN], &block);
	for (; block; block = link) {
		uint32_t count;

		if (!go_step(&steps, block, QUEUE_BLOCKS) || !read_word(go, block, &link) ||
		    hf_err_ignore(hf_target_read_u32(go->t, block + 16, &count))) {
			go_damage_add(&go->damage[GO_DAMAGE_QUEUES], block);
			break;
		}
		for (uint32_t i = 0; i < hf_min(count, 101u); i++) {
			uint64_t fin = block + 24 + i * 40;

			HF_TRY(push_queue_root(go, fin, HF_ROOT_FINALIZER));
			HF_TRY(push_queue_root(go, fin + 8, HF_ROOT_FINALIZER));
			HF_TRY(push_queue_root(go, fin + 24, HF_ROOT_FINALIZER));
			HF_TRY(push_queue_root(go, fin + 32, HF_ROOT_FINALIZER));
		}
	}
	return NULL;
}

/* cleanupBlock: lfnode {next, pushcnt}, alllink, n u32, then funcvals (1.25) or {call, fn, arg} (1.26). Where `all` is in
 * cleanupQueue comes from DWARF. Source: Go 1.25-1.27 runtime/mcleanup.go. */
static struct hf_err *read_cleanup_queue(struct go *go)
{
	struct hf_field all, first;
	struct go_steps steps = {0};
	uint64_t block = 0, link, words = go_has(go, SPECIALCLEANUP_CLEANUP) ? 3 : 1, at = 32;

	if (!go->layout.var[GO_VAR_GCCLEANUPS] ||
	    !hf_syms_find_field(go->syms, "runtime.cleanupQueue", "all", &all))
		return NULL;
	if (hf_syms_find_field(go->syms, "runtime.cleanupBlock", "cleanups", &first))
		at = first.offset;
	read_word(go, go->layout.var[GO_VAR_GCCLEANUPS] + all.offset, &block);
	for (; block; block = link) {
		uint32_t count;

		if (!go_step(&steps, block, QUEUE_BLOCKS) || !read_word(go, block + 16, &link) ||
		    hf_err_ignore(hf_target_read_u32(go->t, block + 24, &count))) {
			go_damage_add(&go->damage[GO_DAMAGE_QUEUES], block);
			break;
		}
		for (uint64_t i = 0; i < hf_min(count, 64u) * words && at + i * 8 < 512; i++)
			HF_TRY(push_queue_root(go, block + at + i * 8, HF_ROOT_CLEANUP));
	}
	return NULL;
}

struct hf_err *go_specials_read(struct go *go)
{
	struct hf_map64 seen = {0};
	struct hf_err *err = NULL;

	for (size_t i = 0; i < go->spans.n && !err; i++)
		err = read_span_specials(go, &go->spans.at[i], &seen);
	hf_map64_deinit(&seen);
	return err;
}

struct hf_err *go_queues_read(struct go *go)
{
	HF_TRY(read_finalizer_queue(go));
	return read_cleanup_queue(go);
}

/* ---- globals --------------------------------------------------------------------------------------------------- */

struct globals {
	struct go *go;
	const struct hf_variable *variables;
	size_t n, at; /* at: the variable that slots have reached; slots come in ascending order */
	hf_root_fn *fn;
	void *arg;
};

/* The variable that holds slot, by index; without DWARF the symbol's place, or the slot's own, stands for it. */
static uint32_t owner_of(struct globals *g, uint64_t slot)
{
	struct hf_symbol symbol;

	while (g->at + 1 < g->n && g->variables[g->at + 1].addr <= slot)
		g->at++;
	if (g->at < g->n && slot >= g->variables[g->at].addr &&
	    slot - g->variables[g->at].addr < hf_max(g->variables[g->at].size, (uint64_t)8))
		return (uint32_t)g->at;
	if (hf_syms_symbol_at(g->go->syms, slot, &symbol) && symbol.is_object && symbol.size)
		return GO_OWNER_SECTION | (uint32_t)(symbol.addr / 8 % GO_OWNER_SECTION);
	return GO_OWNER_SECTION | (uint32_t)(slot / 8 % GO_OWNER_SECTION);
}

struct hf_err *go_global_owner(struct go *go, uint64_t slot, uint32_t *ret)
{
	struct globals g = {.go = go};

	HF_TRY(hf_syms_variables(go->syms, &g.variables, &g.n));
	*ret = owner_of(&g, slot);
	return NULL;
}

static struct hf_err *section_roots(void *arg, const struct go_section *s)
{
	struct globals *g = arg;

	g->at = 0;
	if (!s->words)
		hf_target_warn(g->go->t, true,
			       "global variables at 0x%" PRIx64 "-0x%" PRIx64
			       " cannot be read: what they hold looks like garbage",
			       s->start, s->end);
	for (uint64_t i = 0; i < s->n; i++) {
		struct hf_found_root root = {.kind = HF_ROOT_GLOBAL, .slot = s->start + i * 8};

		if (!go_section_has(s, i))
			continue;
		root.value = go_section_word(s, i);
		root.block = root.value ? go_find_block(g->go, root.value) : HF_NO_BLOCK;
		if (root.block == HF_NO_BLOCK)
			continue;
		root.owner = owner_of(g, root.slot);
		HF_TRY(g->fn(g->arg, &root));
	}
	return NULL;
}

static struct hf_err *global_roots(struct go *go, hf_root_fn *fn, void *arg)
{
	struct globals g = {.go = go, .fn = fn, .arg = arg};

	HF_TRY(hf_syms_variables(go->syms, &g.variables, &g.n));
	return go_each_section(go, section_roots, &g);
}

/* ---- all roots ---------------------------------------------------------------------------------------------------- */

static struct hf_err *emit(struct go *go, enum hf_root_kind kind, uint32_t owner, uint64_t slot,
			   uint64_t value, hf_root_fn *fn, void *arg)
{
	struct hf_found_root root = {.kind = kind,
				     .owner = owner,
				     .slot = slot,
				     .value = value,
				     .block = go_find_block(go, value)};

	return value && root.block != HF_NO_BLOCK ? fn(arg, &root) : NULL;
}

static struct hf_err *special_roots(struct go *go, hf_root_fn *fn, void *arg)
{
	for (uint32_t i = 0; i < go->specials.n; i++) {
		const struct go_special_record *s = &go->specials.at[i];
		enum hf_root_kind kind = s->kind == GO_SPECIAL_FINALIZER ? HF_ROOT_FINALIZER
					 : s->kind == GO_SPECIAL_CLEANUP ? HF_ROOT_CLEANUP
									 : HF_ROOT_OTHER;

		HF_TRY(emit(go, kind, i, 0, s->fn, fn, arg));
		for (size_t k = 0; k < HF_LEN(s->more); k++)
			HF_TRY(emit(go, kind, i, 0, s->more[k], fn, arg));
	}
	return NULL;
}

struct hf_err *go_roots(struct hf_runtime *rt, hf_root_fn *fn, void *arg)
{
	struct go *go = (struct go *)rt;

	HF_TRY(global_roots(go, fn, arg));
	for (size_t i = 0; i < go->stack_roots.n; i++) {
		const struct go_raw_root *r = &go->stack_roots.at[i];
		uint32_t block = go_find_block(go, r->value);

		/* Registers, and slots of frames that cannot be told, keep what was there long ago. */
		if (block != HF_NO_BLOCK && go_is_dead(go, block))
			continue;
		HF_TRY(emit(go, (enum hf_root_kind)r->kind, r->owner, r->slot, r->value, fn, arg));
	}
	HF_TRY(special_roots(go, fn, arg));
	hf_vec_each(&go->queue_roots, r)
		HF_TRY(emit(go, (enum hf_root_kind)r->kind, r->owner, r->slot, r->value, fn, arg));
	return NULL;
}

/* A dead object with a finalizer keeps all that it points to, but not itself, until the finalizer has run. Objects that
 * are held otherwise need no such roots. */
struct late {
	struct go *go;
	hf_root_fn *fn;
	void *arg;
	uint32_t owner;
	struct hf_err *err;
};

static bool late_pointer(void *arg, uint64_t slot, uint64_t value)
{
	struct late *l = arg;

	l->err = emit(l->go, HF_ROOT_FINALIZER, l->owner, slot, value, l->fn, l->arg);
	return !l->err;
}

struct hf_err *go_late_roots(struct hf_runtime *rt, const uint8_t *live, hf_root_fn *fn, void *arg,
			     size_t *ret_n)
{
	struct go *go = (struct go *)rt;
	struct late l = {.go = go, .fn = fn, .arg = arg};

	/* What pools hold is live, whatever finalizers it has. */
	HF_TRY(go_pools_late_roots(go, live, fn, arg, ret_n));
	if (*ret_n)
		return NULL;
	for (uint32_t i = 0; i < go->specials.n; i++) {
		struct go_special_record *s = &go->specials.at[i];
		uint32_t block = s->kind == GO_SPECIAL_FINALIZER ? go_find_block(go, s->object) : HF_NO_BLOCK;

		if (block == HF_NO_BLOCK || s->content_is_root || live[block / 8] >> (block % 8) & 1)
			continue;
		s->content_is_root = true;
		l.owner = i;
		++*ret_n;
		HF_TRY(go_walk_pointers(go, block, late_pointer, &l));
		HF_TRY(l.err);
	}
	return NULL;
}
