/* Where types come from: headers, variables, stacks, finalizers. */
#include "infer.h"
#include "pools.h"

#define SPILL_SLOTS 65536 /* words of a frame that are looked at; a power of two */

/* The type that a header names: of the value, or of an array's elements where more than one fit. */
static uint32_t header_type(struct go *go, const struct go_span *span, uint64_t rtype)
{
	uint32_t type = go_type_of_rtype(go, rtype);
	uint64_t size = go_type_get(go, type)->size, room = span->elemsize - go_header_size(span);

	if (!type || !size || !go_types_module_of(go, rtype))
		return GO_NO_TYPE;
	return size <= room / 2 || !go_fits(span, size) ? go_type_shape(go, GO_SHAPE_BACKING, type, 0) : type;
}

static void type_header_span(struct typing *t, const struct go_span *span, const uint8_t *live)
{
	struct go *go = t->go;
	uint32_t block = span->first_block;

	for (uint32_t slot = 0; slot < span->nelems; slot++) {
		uint64_t rtype = span->large_type;
		uint32_t type;

		if (!(go->words.at[span->word + slot / 64].bits >> (slot % 64) & 1))
			continue;
		if (span->header &&
		    hf_err_ignore(hf_target_read_u64(go->t, span->start + slot * span->elemsize, &rtype)))
			rtype = 0;
		type = rtype ? header_type(go, span, rtype) : GO_NO_TYPE;
		if (type && (live[block / 8] >> (block % 8) & 1))
			go_set_type(t, block, type);
		else
			go->block_type[block] = type;
		block++;
	}
}

static void type_headers(struct typing *t, const uint8_t *live)
{
	hf_vec_each(&t->go->spans, span)
		if (!span->noscan &&
		    (span->header || (t->go->layout.alloc_headers && !(span->spanclass >> 1))))
			type_header_span(t, span, live);
}

static struct hf_err *type_globals(struct typing *t)
{
	const struct hf_variable *variables;
	size_t n;

	HF_TRY(hf_syms_variables(t->go->syms, &variables, &n));
	for (size_t i = 0; i < n && !t->err; i++) {
		uint32_t type = go_type_of_dwarf(t->go, variables[i].type);
		uint64_t size = go_type_get(t->go, type)->size;
		const void *p;

		if (!go_leads_on(t->go, type) || !size || size > 1u << 26 ||
		    hf_err_ignore(hf_target_get(t->go->t, variables[i].addr, size, &t->scratch, &p)))
			continue;
		go_visit_value(t, type, (struct place){p, size}, 0);
	}
	return t->err;
}

/* The pointer of a slice or string whose length is elsewhere (in a register, or gone). */
static void type_lone_pointer(struct typing *t, const struct go_slot *slot, uint64_t value)
{
	if (slot->kind == GO_SLOT_SLICE)
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_BACKING, slot->type, 0), 0);
	else if (slot->kind == GO_SLOT_STRING)
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_STRING, 0, 0), 0);
}

bool go_slot_at(struct go *go, uint32_t type, uint64_t offset, struct go_slot *ret, uint64_t *ret_lead)
{
	for (int depth = 0; depth < VISIT_DEPTH; depth++) {
		const struct go_slot *slots, *found = NULL;
		uint64_t size;
		uint32_t n;

		slots = go_type_slots(go, type, &n);
		for (uint32_t i = 0; i < n && slots[i].offset <= offset; i++)
			found = &slots[i];
		if (!found)
			return false;
		offset -= found->offset;
		if (found->kind != GO_SLOT_ARRAY) {
			*ret = *found;
			*ret_lead = offset;
			return offset <= 8 && offset < go_slot_size[found->kind];
		}
		type = go_type_get(go, found->type)->elem;
		size = go_type_get(go, type)->size;
		if (!size || offset / size >= go_type_get(go, found->type)->count)
			return false;
		offset %= size;
	}
	return false;
}

/* A stack slot whose variable DWARF knows: visits the one thing in the variable that stands there. */
static void type_stack_slot(struct typing *t, const struct go_raw_root *root, const struct go_local *local,
			    int64_t offset)
{
	uint64_t in_type = local->piece_offset + (uint64_t)(offset - local->cfa_offset), lead;
	uint8_t bytes[24] = {0};
	struct go_slot slot;

	if (local->bare_pointer) {
		go_offer(t, root->value,
			 go_type_shape(t->go, GO_SHAPE_BACKING, go_type_get(t->go, local->type)->elem, 0), 0);
		return;
	}
	if (!go_slot_at(t->go, local->type, in_type, &slot, &lead))
		return;
	if (local->size < go_slot_size[slot.kind]) {
		type_lone_pointer(t, &slot, root->value);
		return;
	}
	if (hf_err_ignore(hf_target_read(t->go->t, root->slot - lead, bytes, go_slot_size[slot.kind])))
		return;
	slot.offset = 0;
	t->slots = 64;
	go_visit_slot(t, &slot, (struct place){bytes, sizeof(bytes)}, 0);
}

struct hf_err *go_type_stack_closure(struct typing *t, const struct go_raw_root *root)
{
	const go_locals *locals;
	const struct go_local *local;
	uint64_t code, offset;

	if (!go_stack_closure(t->go, root->slot, &code, &offset))
		return NULL;
	HF_TRY(go_locals_at(t->go, code, &locals));
	local = go_local_find(locals, (int64_t)offset, true);
	if (local)
		type_stack_slot(t, root, local, (int64_t)offset);
	return NULL;
}

static bool is_same_slot(const struct go_slot *a, uint64_t lead_a, const struct go_slot *b, uint64_t lead_b)
{
	return a->kind == b->kind && a->type == b->type && lead_a == lead_b;
}

/* Bytes behind a lone pointer are a string's, or a slice's: values of both are kept in the same slots. */
static bool is_of_bytes(struct go *go, const struct go_local *local, const struct go_slot *slot)
{
	if (local->bare_pointer)
		return go_type_get(go, go_type_get(go, local->type)->elem)->size == 1;
	return local->size < go_slot_size[slot->kind] &&
	       (slot->kind == GO_SLOT_STRING || go_type_get(go, slot->type)->size == 1);
}

/* Other parts of the variable stand beside this one: it is the variable's own place, which no other value is kept in. Or
 * it is where variables of several names, all of this type, are kept. */
static bool is_own_place(const go_locals *all, const struct go_local *local)
{
	hf_vec_each(all, other) {
		bool same_name = !strcmp(other->name, local->name);

		if (other->unplaced || other->type != local->type)
			continue;
		if (same_name ? other->piece_offset != local->piece_offset &&
					other->cfa_offset - other->piece_offset ==
						local->cfa_offset - local->piece_offset
			      : other->piece_offset == local->piece_offset &&
					other->cfa_offset == local->cfa_offset)
			return true;
	}
	return false;
}

/* The variable, as one place among all, that tells what a slot of a frame is; SIZE_MAX: none, or they differ. */
static size_t find_spilled(struct go *go, const go_locals *all, int64_t offset)
{
	size_t found = SIZE_MAX;
	struct go_slot slot = {0}, other;
	uint64_t lead = 0, other_lead;

	for (size_t i = 0; i < all->n; i++) {
		const struct go_local *local = &all->at[i];

		if (local->unplaced || offset < local->cfa_offset ||
		    offset - local->cfa_offset >= (int64_t)local->size ||
		    !go_slot_at(go, local->type, local->piece_offset + (uint64_t)(offset - local->cfa_offset),
				&other, &other_lead) ||
		    (offset < 0 && is_of_bytes(go, local, &other) && !is_own_place(all, local)))
			continue;
		if (found != SIZE_MAX && (!is_same_slot(&slot, lead, &other, other_lead) ||
					  all->at[found].bare_pointer != local->bare_pointer))
			return SIZE_MAX;
		found = i;
		slot = other;
		lead = other_lead;
	}
	return found;
}

/* A live slot that DWARF knows no variable of at this pc. The compiler gives a slot to values of one type alone (Go
 * 1.20-1.27 cmd/compile/internal/ssa/stackalloc.go), so that what its variables are elsewhere in the function tells.
 * Goroutines stand in few functions: what is found is kept. */
static struct hf_err *type_spill_slot(struct typing *t, const struct go_raw_root *root,
				      const struct go_frame *frame)
{
	int64_t offset = (int64_t)(root->slot - frame->cfa);
	uint64_t key = frame->entry * SPILL_SLOTS + (uint64_t)(offset / 8 + SPILL_SLOTS / 2), found;
	const go_locals *all;

	if (offset / 8 <= -SPILL_SLOTS / 2 || offset / 8 >= SPILL_SLOTS / 2)
		return NULL;
	HF_TRY(go_variables_of(t->go, frame->entry, &all));
	if (!hf_map64_find(&t->spilled, key, &found)) {
		found = find_spilled(t->go, all, offset);
		HF_TRY(hf_map64_put(&t->spilled, key, found));
	}
	if (found < all->n)
		type_stack_slot(t, root, &all->at[found], offset);
	return NULL;
}

static struct hf_err *type_stacks(struct typing *t)
{
	for (size_t i = 0; i < t->go->stack_roots.n && !t->err; i++) {
		const struct go_raw_root *root = &t->go->stack_roots.at[i];
		const struct go_frame *frame;
		const go_locals *locals;
		const struct go_local *local;

		if (root->frame == UINT32_MAX || !root->slot ||
		    go_find_block(t->go, root->value) == HF_NO_BLOCK)
			continue;
		frame = &t->go->frames.at[root->frame];
		HF_TRY(go_locals_at(t->go, frame->pc, &locals));
		local = go_local_find(locals, (int64_t)(root->slot - frame->cfa), false);
		if (local) {
			type_stack_slot(t, root, local, (int64_t)(root->slot - frame->cfa));
		} else {
			HF_TRY(go_type_stack_closure(t, root));
			HF_TRY(type_spill_slot(t, root, frame));
		}
	}
	return t->err;
}

static void type_specials(struct typing *t)
{
	for (size_t i = 0; i < t->go->specials.n && !t->err; i++) {
		const struct go_special_record *s = &t->go->specials.at[i];

		if (s->kind == GO_SPECIAL_FINALIZER && s->object_type)
			go_offer_pointer(t, s->object,
					 go_type_get(t->go, go_type_of_rtype(t->go, s->object_type))->elem);
		go_visit_special(t, s);
		if (s->kind != GO_SPECIAL_WEAK) {
			go_offer_closure(t, s->fn);
			go_offer_closure(t, s->more[0]);
		}
	}
	hf_vec_each(&t->go->goroutines, g)
		go_offer_closure(t, g->ctxt);
}

/* What waits in pools is of the type that they have it by. The pools themselves may stand in variables that have no
 * name. */
static void type_pools(struct typing *t)
{
	struct go *go = t->go;
	uint32_t pool_type = go_type_of_dwarf(go, hf_syms_find_type(go->syms, "sync.Pool"));
	uint64_t size = go_type_get(go, pool_type)->size;
	const void *p;

	if (!go->pools)
		return;
	for (size_t i = 0; i < go->pools->pools.n && size && !t->err; i++)
		if (!hf_err_ignore(hf_target_get(go->t, go->pools->pools.at[i].addr, size, &t->scratch, &p)))
			go_visit_value(t, pool_type, (struct place){p, size}, 0);
	for (size_t i = 0; i < go->pools->items.n && !t->err; i++) {
		uint8_t data[8];

		memcpy(data, &go->pools->items.at[i].addr, sizeof(data));
		t->slots = 64;
		go_visit_interface(t, go->pools->items.at[i].type, data, 0);
	}
}

/* Blocks that nothing live points to, but whose header names a type, may type other garbage. */
static void queue_dead(struct typing *t, const uint8_t *live)
{
	for (uint32_t block = 0; block < t->go->blocks && !t->err; block++)
		if (t->go->block_type[block] && !(live[block / 8] >> (block % 8) & 1))
			t->err = hf_vec_push(&t->queue, block);
}

struct hf_err *go_type_blocks(struct hf_runtime *rt, const uint8_t *live)
{
	struct go *go = (struct go *)rt;
	struct typing t = {.go = go, .hchan = UINT32_MAX, .sudog = UINT32_MAX};
	struct hf_err *err;

	go->block_type = hf_calloc(go->blocks, sizeof(uint32_t));
	if (!go->block_type)
		return hf_err_nomem();
	err = go_outside_init(&t);
	type_headers(&t, live);
	if (!err)
		err = t.err ? t.err : type_globals(&t);
	if (!err)
		err = type_stacks(&t);
	type_specials(&t);
	type_pools(&t);
	if (!err && !hf_syms_has_dwarf(go->syms))
		err = go_infer_types(&t, live, false);
	if (!err)
		err = go_typing_settle(&t);
	if (!err)
		err = go_type_reflect_names(&t);
	if (!err)
		err = go_type_switch_caches(&t);
	if (!err)
		err = go_type_inits(&t);
	if (!err && hf_syms_has_dwarf(go->syms))
		err = go_infer_types(&t, live, true);
	if (!err)
		go_revisit_once(&t);
	if (!err)
		err = go_typing_settle(&t);
	if (!err) {
		queue_dead(&t, live);
		t.garbage = true;
		err = go_typing_settle(&t);
	}
	hf_progress("types", go->blocks, go->blocks);
	hf_vec_deinit(&t.queue);
	hf_vec_deinit(&t.weak);
	go_outside_deinit(&t);
	hf_map64_deinit(&t.spilled);
	hf_map64_deinit(&t.once);
	hf_map64_deinit(&t.called_once);
	hf_free(t.scratch.at);
	hf_free(t.outside_scratch.at);
	go_tell_damage(go);
	return err ? err : go_types_check(go);
}
