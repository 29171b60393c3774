#include "views.h"
#include "names.h"
#include "typing_private.h"

/* The values of one block, or one root's. */
struct viewer {
	struct go *go;
	struct hf_view view; /* from, and what comes next */
	uint64_t slots;      /* of the value, as many as may still be looked at */
	hf_view_fn *fn;
	void *arg;
	struct hf_err *err;
};

/* A value in local memory: bytes to the end of what holds it, and where it stands in the target. */
struct spot {
	const uint8_t *bytes;
	uint64_t len, at;
};

static struct spot behind(struct spot s, uint64_t offset)
{
	return (struct spot){s.bytes + offset, s.len - offset, s.at + offset};
}

/* Blocks that are more than what points into them says: they are looked at as what they are. */
static bool has_parts(struct go *go, uint32_t block)
{
	enum go_shape shape = go_type_get(go, go->block_type[block])->shape;

	return shape != GO_SHAPE_VALUE && shape != GO_SHAPE_BACKING && shape != GO_SHAPE_STRING &&
	       shape != GO_SHAPE_PART;
}

static void call(struct viewer *v)
{
	if (!v->err)
		v->err = v->fn(v->arg, &v->view);
}

/* A pointer at `slot` to `value`, which sees size bytes from there on, and may come to see reach. What cannot be so sees
 * all: of it nothing is said. */
static void see(struct viewer *v, enum hf_view_kind kind, uint64_t slot, uint64_t value, uint64_t size,
		uint64_t reach)
{
	struct go *go = v->go;
	uint32_t block = go_find_block(go, value);
	const struct go_span *span;
	uint64_t start, end;

	if (block == HF_NO_BLOCK)
		return;
	span = go_find_span(go, value);
	start = span->start + go_slot_of(span, value) * span->elemsize;
	end = start + span->elemsize;
	start += go_header_size(span);
	v->view = (struct hf_view){
		.kind = kind, .block = block, .from = v->view.from, .slot = slot, .start = value};
	if (kind != HF_VIEW_LONE &&
	    ((span->noscan && span->elemsize == 16) || has_parts(go, block) || value < start ||
	     reach < size || reach > end - value || (value == start && go_fits(span, size))))
		v->view.kind = HF_VIEW_WHOLE;
	if (v->view.kind != HF_VIEW_WHOLE && kind != HF_VIEW_LONE) {
		v->view.end = value + size;
		v->view.reach = value + reach;
	}
	call(v);
}

static void see_whole(struct viewer *v, uint64_t slot, uint64_t value)
{
	see(v, HF_VIEW_WHOLE, slot, value, 0, 0);
}

static bool is_number(const struct go_type *type)
{
	return type->kind && type->kind < GO_KIND_ARRAY;
}

/* A pointer to the start of a block that is larger: an array's first number may stand for all of them, and what is known
 * only in part may be a structure that begins with this one (time.Timer's is). */
static void see_pointer(struct viewer *v, uint64_t slot, uint64_t value, uint32_t elem)
{
	struct go *go = v->go;
	const struct go_type *type = go_type_get(go, elem);
	uint32_t block = go_find_block(go, value);
	const struct go_span *span;
	enum go_shape shape;
	uint64_t start;

	if (block == HF_NO_BLOCK)
		return;
	start = go_block_addr(go, block, &span) + go_header_size(span);
	shape = go_type_get(go, go->block_type[block])->shape;
	if (!type->size || go_is_trie_node(go, elem) ||
	    (value == start && (is_number(type) || !go->block_type[block] ||
				(shape != GO_SHAPE_VALUE && shape != GO_SHAPE_BACKING))))
		see_whole(v, slot, value);
	else
		see(v, HF_VIEW_POINTER, slot, value, type->size, type->size);
}

static void see_slice(struct viewer *v, uint64_t slot, const uint8_t *header, uint32_t elem)
{
	uint64_t size = go_type_get(v->go, elem)->size, value = hf_load_u64(header),
		 n = hf_load_u64(header + 8), cap = hf_load_u64(header + 16), len, reach;

	if (!size || n > cap || hf_mul_overflows(cap, size, &reach) || hf_mul_overflows(n, size, &len))
		see_whole(v, slot, value);
	else
		see(v, HF_VIEW_SLICE, slot, value, len, reach);
}

static void see_map(struct viewer *v, uint64_t slot, uint64_t value, uint32_t type, bool chan)
{
	struct go *go = v->go;
	uint32_t block = go_find_block(go, value);

	if (block == HF_NO_BLOCK)
		return;
	v->view = (struct hf_view){
		.kind = HF_VIEW_WHOLE, .block = block, .from = v->view.from, .slot = slot, .start = value};
	if (!go_spare_begin(go, block))
		;
	else if (chan)
		go_chan_spare(go, type, value, &v->view);
	else
		go_map_spare(go, type, value, &v->view);
	call(v);
}

static void visit_value(struct viewer *v, uint32_t type, struct spot s, unsigned depth);

static void visit_interface(struct viewer *v, uint32_t dynamic, struct spot data, unsigned depth)
{
	if (!dynamic)
		see_whole(v, data.at, hf_load_u64(data.bytes));
	else if (go_type_get(v->go, dynamic)->direct_iface)
		visit_value(v, dynamic, (struct spot){data.bytes, 8, data.at}, depth + 1);
	else
		see_pointer(v, data.at, hf_load_u64(data.bytes), dynamic);
}

static void visit_array(struct viewer *v, uint32_t array, struct spot s, unsigned depth)
{
	const struct go_type *type = go_type_get(v->go, array);
	uint64_t size = go_type_get(v->go, type->elem)->size,
		 n = size ? hf_min(type->count, s.len / size) : 0;

	for (uint64_t i = 0; i < n && !v->err && v->slots; i++)
		visit_value(v, type->elem, (struct spot){s.bytes + i * size, size, s.at + i * size},
			    depth + 1);
}

static void visit_slot(struct viewer *v, const struct go_slot *slot, struct spot whole, unsigned depth)
{
	struct spot s;
	uint64_t value;

	if (slot->offset > whole.len || whole.len - slot->offset < go_slot_size[slot->kind] || !v->slots)
		return;
	v->slots--;
	s = behind(whole, slot->offset);
	if (slot->kind == GO_SLOT_ARRAY) {
		visit_array(v, slot->type, s, depth);
		return;
	}
	value = hf_load_u64(s.bytes);
	switch ((enum go_slot_kind)slot->kind) {
	case GO_SLOT_POINTER:
	case GO_SLOT_ATOMIC:
		see_pointer(v, s.at, value, slot->type);
		break;
	case GO_SLOT_SLICE:
		see_slice(v, s.at, s.bytes, slot->type);
		break;
	case GO_SLOT_STRING:
		see(v, HF_VIEW_STRING, s.at, value, hf_load_u64(s.bytes + 8), hf_load_u64(s.bytes + 8));
		break;
	case GO_SLOT_EFACE:
		if (value)
			visit_interface(v, go_eface_type(v->go, value), behind(s, 8), depth);
		break;
	case GO_SLOT_IFACE:
		if (value)
			visit_interface(v, go_iface_type(v->go, value), behind(s, 8), depth);
		break;
	case GO_SLOT_MAP:
		see_map(v, s.at, value, slot->type, false);
		break;
	case GO_SLOT_CHAN:
		see_map(v, s.at, value, slot->type, true);
		break;
	case GO_SLOT_COUNTED:
	case GO_SLOT_FUNC:
		see_whole(v, s.at, value);
		break;
	case GO_SLOT_REFLECT: /* what it holds may be the pointer itself */
		see_whole(v, s.at + 8, hf_load_u64(s.bytes + 8));
		break;
	case GO_SLOT_ARRAY:
		break;
	}
}

static void visit_value(struct viewer *v, uint32_t type, struct spot s, unsigned depth)
{
	uint32_t n;
	const struct go_slot *slots = go_type_slots(v->go, type, &n);

	/* One block may have millions of values. */
	if (!v->err)
		v->err = hf_interrupt_check();
	if (depth > VISIT_DEPTH)
		return;
	/* As in typing.c: a value has no more slots than this. */
	if (!depth)
		v->slots = s.len / 2 + 64;
	for (uint32_t i = 0; i < n && !v->err && v->slots && slots[i].offset < s.len; i++)
		visit_slot(v, &slots[i], s, depth);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

static void visit_elements(struct viewer *v, uint32_t elem, struct spot s)
{
	uint64_t size = go_type_get(v->go, elem)->size;
	uint32_t n;

	go_type_slots(v->go, elem, &n);
	for (uint64_t at = 0; n && size && at + size <= s.len && !v->err; at += size)
		visit_value(v, elem, (struct spot){s.bytes + at, size, s.at + at}, 0);
}

static void see_word(struct viewer *v, struct spot s, int64_t offset)
{
	if (offset >= 0 && (uint64_t)offset + 8 <= s.len)
		see_whole(v, s.at + (uint64_t)offset, hf_load_u64(s.bytes + offset));
}

static void visit_groups(struct viewer *v, uint32_t map, struct spot s)
{
	struct go *go = v->go;
	uint32_t group = go_type_get(go, map)->group;
	uint64_t size = go_type_get(go, group)->size;

	for (uint64_t at = 0; size >= 8 && at + size <= s.len && !v->err; at += size) {
		struct spot one = {s.bytes + at, size, s.at + at};

		/* A bucket's last word leads to its overflow bucket; descriptors call it a number or a pointer. */
		if (go->layout.swiss_maps) {
			visit_value(v, group, one, 0);
		} else {
			one.len -= 8;
			visit_value(v, group, one, 0);
			see_word(v, (struct spot){one.bytes, size, one.at}, (int64_t)size - 8);
		}
	}
}

static void visit_closure(struct viewer *v, uint64_t code, struct spot s)
{
	const go_locals *locals;

	v->err = go_locals_at(v->go, code, &locals);
	if (v->err)
		return;
	hf_vec_each(locals, local)
		if (local->captured && local->cfa_offset >= 0 && (uint64_t)local->cfa_offset < s.len)
			visit_value(v, local->type, behind(s, (uint64_t)local->cfa_offset), 0);
}

static void visit_shape(struct viewer *v, uint32_t id, struct spot s)
{
	struct go *go = v->go;
	const struct go_type *type = go_type_get(go, id);

	switch (type->shape) {
	case GO_SHAPE_VALUE:
		visit_value(v, id, s, 0);
		break;
	case GO_SHAPE_PART:
		visit_value(v, type->elem, s, 0);
		break;
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		visit_elements(v, type->elem, s);
		break;
	case GO_SHAPE_MAP:
		see_word(v, s, go->layout.swiss_maps ? go_off(go, MAP_DIR_PTR) : go_off(go, HMAP_BUCKETS));
		see_word(v, s, go->layout.swiss_maps ? -1 : go_off(go, HMAP_OLDBUCKETS));
		break;
	case GO_SHAPE_MAP_DIR:
		for (uint64_t at = 0; at + 8 <= s.len && !v->err; at += 8)
			see_word(v, s, (int64_t)at);
		break;
	case GO_SHAPE_MAP_TABLE:
		see_word(v, s, go_off(go, TABLE_GROUPS_DATA));
		break;
	case GO_SHAPE_MAP_GROUPS:
		visit_groups(v, type->elem, s);
		break;
	case GO_SHAPE_CHAN:
		see_word(v, s, go_off(go, HCHAN_BUF));
		break;
	case GO_SHAPE_CLOSURE:
		visit_closure(v, type->code, s);
		break;
	case GO_SHAPE_TRIE_NODE:
		if (s.len >= 8)
			visit_value(v, go_trie_type(go, type->elem, s.bytes[0] & 1), s, 0);
		break;
	case GO_SHAPE_STRING:
		break;
	}
}

static void visit_block(struct viewer *v, const struct go_span *span, const uint8_t *bytes, uint32_t slot,
			uint32_t block)
{
	struct go *go = v->go;
	uint64_t offset = 0;

	if (!go_leads_on(go, go->block_type[block]))
		return;
	if (go->views.n || go->views.has_zero)
		hf_map64_find(&go->views, block, &offset);
	offset += go_header_size(span);
	if (offset >= span->elemsize)
		return;
	v->view.from = block;
	visit_shape(v, go->block_type[block],
		    (struct spot){bytes + slot * span->elemsize + offset, span->elemsize - offset,
				  span->start + slot * span->elemsize + offset});
}

static void visit_span(struct viewer *v, const struct go_span *span, const uint8_t *live,
		       struct hf_scratch *scratch)
{
	struct go *go = v->go;
	const void *bytes = span->bytes;
	uint32_t block = span->first_block;

	if (!bytes &&
	    hf_err_ignore(hf_target_get(go->t, span->start, span->pages_end - span->start, scratch, &bytes)))
		return;
	for (uint32_t slot = 0; slot < span->nelems && !v->err; slot++) {
		if (!(go->words.at[span->word + slot / 64].bits >> (slot % 64) & 1))
			continue;
		if (live[block / 8] >> (block % 8) & 1)
			visit_block(v, span, bytes, slot, block);
		block++;
	}
}

struct hf_err *go_views(struct hf_runtime *rt, const uint8_t *live, hf_view_fn *fn, void *arg)
{
	struct go *go = (struct go *)rt;
	struct viewer v = {.go = go, .fn = fn, .arg = arg};
	struct hf_scratch scratch = {0};

	for (size_t i = 0; i < go->spans.n && !v.err; i++) {
		if (i % 1024 == 0) {
			v.err = hf_interrupt_check();
			hf_progress("views", i, go->spans.n);
		}
		if (!v.err && !go->spans.at[i].noscan)
			visit_span(&v, &go->spans.at[i], live, &scratch);
	}
	hf_progress("views", go->spans.n, go->spans.n);
	hf_free(scratch.at);
	hf_free(take_ptr(go->spare_seen));
	return v.err;
}

/* ---- roots ------------------------------------------------------------------------------------------------------- */

struct root_view {
	uint64_t slot;
	struct hf_view *ret;
	bool found;
};

static struct hf_err *take_root_view(void *arg, const struct hf_view *view)
{
	struct root_view *r = arg;

	if (view->slot == r->slot) {
		*r->ret = *view;
		r->found = true;
	}
	return NULL;
}

/* A pointer of a variable: at an offset of its type, `held` bytes of the value that it is part of are in memory. */
static void see_variable(struct viewer *v, uint32_t type, uint64_t offset, uint64_t at, uint64_t held)
{
	uint8_t bytes[24] = {0};
	struct go_slot slot;
	uint64_t lead;

	if (!go_slot_at(v->go, type, offset, &slot, &lead) || held < go_slot_size[slot.kind] ||
	    hf_err_ignore(hf_target_read(v->go->t, at - lead, bytes, go_slot_size[slot.kind])))
		return;
	slot.offset = 0;
	v->slots = 64;
	visit_slot(v, &slot, (struct spot){bytes, sizeof(bytes), at - lead}, 0);
}

static struct hf_err *see_static(struct viewer *v, uint64_t slot)
{
	struct hf_str name = {0}, path = {0};
	struct go_static at;
	struct hf_err *err = go_static_find(v->go, slot, &name, &path, &at);

	if (!err && name.n)
		see_variable(v, at.type, at.offset, slot, UINT64_MAX);
	hf_str_deinit(&name);
	hf_str_deinit(&path);
	return err;
}

static void see_local(struct viewer *v, const struct go_local *local, int64_t offset, uint64_t at)
{
	if (local && !local->bare_pointer)
		see_variable(v, local->type, local->piece_offset + (uint64_t)(offset - local->cfa_offset), at,
			     local->size);
}

static struct hf_err *see_stack(struct viewer *v, const struct hf_found_root *root)
{
	struct go *go = v->go;
	const struct go_frame *frame = go_frame_of(go, root->owner, root->slot);
	const go_locals *locals;
	const struct go_local *local;
	uint64_t code, offset;

	if (!frame)
		return NULL;
	HF_TRY(go_locals_at(go, frame->pc, &locals));
	local = go_local_find(locals, (int64_t)(root->slot - frame->cfa), false);
	if (local) {
		see_local(v, local, (int64_t)(root->slot - frame->cfa), root->slot);
	} else if (go_stack_closure(go, root->slot, &code, &offset)) {
		HF_TRY(go_locals_at(go, code, &locals));
		see_local(v, go_local_find(locals, (int64_t)offset, true), (int64_t)offset, root->slot);
	}
	return NULL;
}

struct hf_err *go_root_view(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_view *ret)
{
	struct go *go = (struct go *)rt;
	struct root_view r = {.slot = root->slot, .ret = ret};
	struct viewer v = {.go = go, .view = {.from = HF_NO_BLOCK}, .fn = take_root_view, .arg = &r};
	const struct hf_variable *variables;
	size_t n;

	*ret = (struct hf_view){.kind = HF_VIEW_LONE,
				.block = root->block,
				.from = HF_NO_BLOCK,
				.slot = root->slot,
				.start = root->value};
	switch (root->kind) {
	case HF_ROOT_GLOBAL:
		HF_TRY(hf_syms_variables(go->syms, &variables, &n));
		if (root->owner < n)
			see_variable(&v, go_type_of_dwarf(go, variables[root->owner].type),
				     root->slot - variables[root->owner].addr, root->slot, UINT64_MAX);
		else
			HF_TRY(see_static(&v, root->slot));
		break;
	case HF_ROOT_GOROUTINE:
	case HF_ROOT_STACK:
		if (root->slot)
			HF_TRY(see_stack(&v, root));
		break;
	case HF_ROOT_REGISTER:
		break;
	default:
		ret->kind = HF_VIEW_WHOLE;
	}
	return v.err;
}

/* ---- blocks for those who ask ---------------------------------------------------------------------------------------- */

void go_extent(struct hf_runtime *rt, uint32_t block, uint64_t reach, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct go_span *span;
	uint64_t start = go_block_addr((struct go *)rt, block, &span), end = start + span->elemsize;

	start += go_header_size(span);
	*ret_start = start;
	*ret_end = reach > start && reach < end && go_fits(span, reach - start) ? reach : end;
}

struct each_pointer {
	struct go *go;
	void (*fn)(void *arg, uint64_t slot, uint32_t to);
	void *arg;
};

static bool each_pointer(void *arg, uint64_t slot, uint64_t value)
{
	struct each_pointer *e = arg;
	uint32_t to = go_find_block(e->go, value);

	if (to != HF_NO_BLOCK)
		e->fn(e->arg, slot, to);
	return true;
}

struct hf_err *go_pointers(struct hf_runtime *rt, uint32_t block,
			   void (*fn)(void *arg, uint64_t slot, uint32_t to), void *arg)
{
	struct each_pointer e = {.go = (struct go *)rt, .fn = fn, .arg = arg};

	return go_walk_pointers(e.go, block, each_pointer, &e);
}
