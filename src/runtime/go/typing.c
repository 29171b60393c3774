#include "types_private.h"
#include "typing_private.h"

/* The size classes. Source: Go 1.20-1.27 runtime/sizeclasses.go (internal/runtime/gc); the same in all of them. */
static const uint16_t class_size[] = {
	0,     8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,   160,  176,
	192,   208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,   512,  576,
	640,   704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304,  2688, 3072,
	3200,  3456,  4096,  4864,  5120,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728, 10240,
	10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768};

/* True where an allocation of this size would have got a slot of this span, and no smaller one. */
bool go_fits(const struct go_span *span, uint64_t size)
{
	uint64_t room = span->elemsize - go_header_size(span), class = span->spanclass >> 1;

	if (size > room)
		return false;
	if (!class || class >= HF_LEN(class_size))
		return size > room - hf_min(room, (uint64_t)GO_PAGE) || room <= 32768;
	return size + go_header_size(span) > class_size[class - 1];
}

bool go_is_class_of(uint64_t room, uint64_t size)
{
	size_t class = 0;
	uint64_t header = size > GO_HEADER_ABOVE ? GO_HEADER : 0;

	while (class < HF_LEN(class_size) && class_size[class] < size + header)
		class ++;
	return class < HF_LEN(class_size) && class_size[class] == room + header;
}

static bool is_tiny(const struct go_span *span)
{
	return span->noscan && span->elemsize == 16;
}

static bool has_views(const struct go *go)
{
	return go->views.n || go->views.has_zero;
}

void go_set_type(struct typing *t, uint32_t block, uint32_t type)
{
	uint64_t view;

	/* All of it is known now, from its start on. */
	if (has_views(t->go) && go_type_get(t->go, type)->shape != GO_SHAPE_PART &&
	    hf_map64_find(&t->go->views, block, &view) && view)
		t->err = t->err ? t->err : hf_map64_put(&t->go->views, block, 0);
	t->go->block_type[block] = type;
	if (!t->err)
		t->err = hf_vec_push(&t->queue, block);
}

/* A header says only what the elements are; that they are a map's slots or a closure's captures is worth more. */
static bool says_more(struct go *go, uint32_t type, uint32_t than, bool garbage)
{
	const struct go_type *a = go_type_get(go, type), *b = go_type_get(go, than);

	/* What a generic function calls it is less than what others do. */
	if (go_type_is_shaped(go, than) && !go_type_is_shaped(go, type) && a->shape != GO_SHAPE_PART)
		return true;
	/* What is dead may lead to what was freed: it has no say in what a part of is known. */
	if (b->shape == GO_SHAPE_PART)
		return !garbage && a->shape != GO_SHAPE_PART;
	return a->shape > GO_SHAPE_STRING && a->shape != GO_SHAPE_PART &&
	       (b->shape == GO_SHAPE_VALUE || b->shape == GO_SHAPE_BACKING);
}

/* Something says that at addr there are `size` bytes of a type. A view that covers its block types it, the first one
 * wins; another is kept for later. size 0: unknown, but the start of a block. */
void go_offer(struct typing *t, uint64_t addr, uint32_t type, uint64_t size)
{
	struct go *go = t->go;
	uint32_t block = type ? go_find_block(go, addr) : HF_NO_BLOCK, slot;
	const struct go_span *span;
	uint64_t offset;

	if (block == HF_NO_BLOCK) {
		if (type)
			go_offer_outside(t, addr, type, size);
		return;
	}
	if (go->block_type[block] && !says_more(go, type, go->block_type[block], t->garbage))
		return;
	span = go_find_span(go, addr);
	slot = go_slot_of(span, addr);
	offset = addr - span->start - slot * span->elemsize - go_header_size(span);
	if ((offset == 0 && (!size || go_fits(span, size))) || is_tiny(span)) {
		go_set_type(t, block, type);
		return;
	}
	if (!t->err && (int64_t)offset >= 0 && !go->block_type[block])
		t->err = hf_vec_push(&t->weak, ((struct view){block, type, offset, size}));
}

static uint64_t map_header_size(const struct go *go)
{
	return (uint64_t)hf_max(go->layout.swiss_maps ? go_off(go, MAP_SIZE) : go_off(go, HMAP_SIZE), 48);
}

/* The nodes of internal/sync.HashTrieMap, and of package unique's (since 1.25): what they are shows only when one looks. */
bool go_is_trie_node(struct go *go, uint32_t type)
{
	struct go_type *row = (struct go_type *)go_type_get(go, type);

	if (!row->trie_tried) {
		row->trie_tried = true;
		row->is_trie = row->kind == GO_KIND_STRUCT &&
			       (!strncmp(go_type_name(go, type), "internal/sync.node[", 19) ||
				!strncmp(go_type_name(go, type), "unique.node[", 12));
	}
	return row->is_trie;
}

void go_offer_pointer(struct typing *t, uint64_t value, uint32_t elem)
{
	uint32_t chan;

	if (!value || !elem)
		return;
	if (go_is_named(t->go, elem, &t->hchan, "runtime.hchan") && (chan = go_chan_at(t->go, value)))
		go_offer_chan(t, value, chan);
	else if (go_is_trie_node(t->go, elem))
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_TRIE_NODE, elem, 0), 0);
	else
		go_offer(t, value, elem, go_type_get(t->go, elem)->size);
}

static void offer_array(struct typing *t, uint64_t value, uint32_t elem, uint64_t n)
{
	uint64_t size;

	if (!value || !n || hf_mul_overflows(go_type_get(t->go, elem)->size, n, &size) || !size)
		return;
	go_offer(t, value, go_type_shape(t->go, GO_SHAPE_BACKING, elem, 0), size);
}

void go_offer_chan(struct typing *t, uint64_t value, uint32_t chan)
{
	struct go *go = t->go;
	const struct go_type *elem = go_type_get(go, go_type_get(go, chan)->elem);
	uint64_t size = (uint64_t)hf_max(go_off(go, HCHAN_SIZE), 0), n;

	if (!value)
		return;
	/* Elements without pointers lie behind the channel, in one block. Source: Go 1.26 runtime/chan.go, makechan. */
	if (!elem->ptr_bytes &&
	    !hf_err_ignore(
		    hf_target_read_u64(go->t, value + (uint64_t)hf_max(go_off(go, HCHAN_DATAQSIZ), 0), &n)) &&
	    n < 1u << 31)
		size += n * elem->size;
	go_offer(t, value, go_type_shape(go, GO_SHAPE_CHAN, chan, 0), size);
}

void go_offer_closure(struct typing *t, uint64_t value)
{
	uint64_t code;

	if (!value || (go_find_block(t->go, value) == HF_NO_BLOCK && !go_is_outside(t, value)) ||
	    hf_err_ignore(hf_target_read_u64(t->go->t, value, &code)))
		return;
	go_offer(t, value, go_type_shape(t->go, GO_SHAPE_CLOSURE, 0, code), 0);
}

void go_visit_interface(struct typing *t, uint32_t dynamic, const uint8_t *data, unsigned depth)
{
	const struct go_type *type = go_type_get(t->go, dynamic);

	if (!dynamic)
		return;
	if (type->direct_iface)
		go_visit_value(t, dynamic, (struct place){data, 8}, depth + 1);
	else
		go_offer(t, hf_load_u64(data), dynamic, type->size);
}

/* Source: Go 1.20-1.27 reflect/value.go, flagIndir: ptr leads to the value; otherwise it is the value. */
#define REFLECT_INDIRECT (1u << 7)

static void visit_reflect_value(struct typing *t, uint32_t type, const uint8_t *value, unsigned depth)
{
	if (!type)
		return;
	if (hf_load_u64(value + 16) & REFLECT_INDIRECT)
		go_offer_pointer(t, hf_load_u64(value + 8), type);
	else
		go_visit_value(t, type, (struct place){value + 8, 8}, depth + 1);
}

static void visit_array(struct typing *t, uint32_t array, struct place p, unsigned depth)
{
	const struct go_type *type = go_type_get(t->go, array);
	uint64_t size = go_type_get(t->go, type->elem)->size,
		 n = size ? hf_min(type->count, p.len / size) : 0;

	for (uint64_t i = 0; i < n && !t->err; i++)
		go_visit_value(t, type->elem, (struct place){p.bytes + i * size, size}, depth + 1);
}

const uint8_t go_slot_size[] = {
	[GO_SLOT_POINTER] = 8, [GO_SLOT_SLICE] = 24,   [GO_SLOT_STRING] = 16,  [GO_SLOT_EFACE] = 16,
	[GO_SLOT_IFACE] = 16,  [GO_SLOT_MAP] = 8,      [GO_SLOT_CHAN] = 8,     [GO_SLOT_FUNC] = 8,
	[GO_SLOT_ATOMIC] = 8,  [GO_SLOT_COUNTED] = 16, [GO_SLOT_REFLECT] = 24, [GO_SLOT_ARRAY] = 0,
};

void go_visit_slot(struct typing *t, const struct go_slot *slot, struct place p, unsigned depth)
{
	const uint8_t *at = p.bytes + slot->offset;
	uint64_t value;

	if (slot->offset > p.len || p.len - slot->offset < go_slot_size[slot->kind] || !t->slots)
		return;
	t->slots--;
	if (slot->kind == GO_SLOT_ARRAY) {
		visit_array(t, slot->type, (struct place){at, p.len - slot->offset}, depth);
		return;
	}
	value = hf_load_u64(at);
	if (!value)
		return;
	switch ((enum go_slot_kind)slot->kind) {
	case GO_SLOT_POINTER:
	case GO_SLOT_ATOMIC:
		go_offer_pointer(t, value, slot->type);
		break;
	case GO_SLOT_SLICE:
		offer_array(t, value, slot->type, hf_load_u64(at + 16));
		break;
	case GO_SLOT_COUNTED:
		/* sync.Pool's takers set the size to 0 while there is an array still (sync/pool.go, getSlow). */
		if (value && !hf_load_u64(at + 8))
			go_offer(t, value, go_type_shape(t->go, GO_SHAPE_BACKING, slot->type, 0), 0);
		offer_array(t, value, slot->type, hf_load_u64(at + 8));
		break;
	case GO_SLOT_STRING:
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_STRING, 0, 0),
			 hf_max(hf_load_u64(at + 8), (uint64_t)1));
		break;
	case GO_SLOT_EFACE:
		go_visit_interface(t, go_eface_type(t->go, value), at + 8, depth);
		break;
	case GO_SLOT_IFACE:
		go_visit_interface(t, go_iface_type(t->go, value), at + 8, depth);
		break;
	case GO_SLOT_MAP:
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_MAP, slot->type, 0), map_header_size(t->go));
		break;
	case GO_SLOT_CHAN:
		go_offer_chan(t, value, slot->type);
		break;
	case GO_SLOT_FUNC:
		go_offer_closure(t, value);
		go_visit_once(t, value, slot->type, depth);
		break;
	case GO_SLOT_REFLECT:
		visit_reflect_value(t, go_eface_type(t->go, value), at, depth);
		break;
	case GO_SLOT_ARRAY:
		break;
	}
}

static bool is_untyped_pointer(const struct go_slot *slot)
{
	return slot->kind == GO_SLOT_POINTER && !slot->type;
}

/* Two unsafe pointers, of which the first is to a type's descriptor: an interface, taken apart. What it leads to must be
 * a whole block of that type. */
static void visit_pair(struct typing *t, const struct go_slot *slot, struct place p)
{
	struct go *go = t->go;
	const struct go_type *type;
	const struct go_span *span;
	uint64_t word, data;
	uint32_t dynamic;

	if (slot->offset + 16 > p.len)
		return;
	word = hf_load_u64(p.bytes + slot->offset);
	data = hf_load_u64(p.bytes + slot->offset + 8);
	if (!word || go_find_block(go, data) == HF_NO_BLOCK || !(dynamic = go_word_type(go, word)))
		return;
	type = go_type_get(go, dynamic);
	span = go_find_span(go, data);
	if (type->direct_iface)
		go_offer_pointer(t, data, type->elem);
	else if (go_fits(span, type->size))
		go_offer(t, data, dynamic, type->size);
}

void go_visit_value(struct typing *t, uint32_t type, struct place p, unsigned depth)
{
	uint32_t n;
	const struct go_slot *slots = go_type_slots(t->go, type, &n);

	/* One block may have millions of values. */
	if (!t->err)
		t->err = hf_interrupt_check();
	if (depth > VISIT_DEPTH)
		return;
	/* Slots do not overlap, so a value has no more of them than this: one that has is of a type that lies. */
	if (!depth)
		t->slots = p.len / 2 + 64;
	for (uint32_t i = 0; i < n && !t->err && t->slots && slots[i].offset < p.len; i++) {
		go_visit_slot(t, &slots[i], p, depth);
		if (i + 1 < n && is_untyped_pointer(&slots[i]) && is_untyped_pointer(&slots[i + 1]) &&
		    slots[i + 1].offset == slots[i].offset + 8)
			visit_pair(t, &slots[i], p);
	}
	if (!depth && !t->slots)
		go_damage_add(&t->go->damage[GO_DAMAGE_DESCRIPTORS], go_type_get(t->go, type)->rtype);
}

/* ---- blocks that are no plain values -------------------------------------------------------------------------- */

static uint64_t word(struct place p, int64_t offset)
{
	return offset >= 0 && (uint64_t)offset + 8 <= p.len ? hf_load_u64(p.bytes + offset) : 0;
}

static void offer_groups(struct typing *t, uint64_t value, uint32_t map, uint64_t n)
{
	uint64_t size;

	if (value && n && go_type_get(t->go, map)->group &&
	    !hf_mul_overflows(go_type_get(t->go, go_type_get(t->go, map)->group)->size, n, &size))
		go_offer(t, value, go_type_shape(t->go, GO_SHAPE_MAP_GROUPS, map, 0), size);
}

/* The part of a live map or channel must be there, and have a size that memory can have. What is being changed is at each
 * moment so, too. */
static void check_part(struct typing *t, uint64_t part, uint64_t n, enum go_damage_kind kind)
{
	if (!t->garbage && part && (go_find_block(t->go, part) == HF_NO_BLOCK || n >= 1u << 30))
		go_damage_add(&t->go->damage[kind], part);
}

/* Source: Go 1.24-1.27 internal/runtime/maps/map.go, Map: without a directory, dirPtr is the one group. */
static void visit_swiss_map(struct typing *t, uint32_t map, struct place p)
{
	uint64_t dir = word(p, go_off(t->go, MAP_DIR_PTR)), n = word(p, go_off(t->go, MAP_DIR_LEN));

	if (!go_type_get(t->go, map)->group)
		return;
	check_part(t, dir, n, GO_DAMAGE_MAPS);
	if (!n)
		offer_groups(t, dir, map, 1);
	else if (n < 1u << 30)
		go_offer(t, dir, go_type_shape(t->go, GO_SHAPE_MAP_DIR, map, 0), n * 8);
}

/* Source: Go 1.20-1.23 runtime/map.go, hmap; while it grows the old buckets hold entries, too. Preallocated overflow
 * buckets follow the array: the sizes only have a lower bound, so the block's start must do. */
static void visit_old_map(struct typing *t, uint32_t map, struct place p)
{
	struct go *go = t->go;
	uint32_t groups = go_type_shape(go, GO_SHAPE_MAP_GROUPS, map, 0);

	if (!go_type_get(go, map)->group)
		return;
	check_part(t, word(p, go_off(go, HMAP_BUCKETS)), 0, GO_DAMAGE_MAPS);
	check_part(t, word(p, go_off(go, HMAP_OLDBUCKETS)), 0, GO_DAMAGE_MAPS);
	go_offer(t, word(p, go_off(go, HMAP_BUCKETS)), groups, 0);
	go_offer(t, word(p, go_off(go, HMAP_OLDBUCKETS)), groups, 0);
	go_offer_pointer(t, word(p, go_off(go, HMAP_EXTRA)),
			 go_type_of_dwarf(go, hf_syms_find_type(go->syms, "runtime.mapextra")));
}

static void visit_groups(struct typing *t, uint32_t map, struct place p)
{
	struct go *go = t->go;
	uint32_t group = go_type_get(go, map)->group, groups = go_type_shape(go, GO_SHAPE_MAP_GROUPS, map, 0);
	uint64_t size = go_type_get(go, group)->size;

	for (uint64_t at = 0; size && at + size <= p.len && !t->err; at += size) {
		go_visit_value(t, group, (struct place){p.bytes + at, size}, 0);
		/* A bucket's last word leads to its overflow bucket. */
		if (!go->layout.swiss_maps && size >= 8)
			go_offer(t, hf_load_u64(p.bytes + at + size - 8), groups, size);
	}
}

static void visit_chan(struct typing *t, uint32_t chan, struct place p)
{
	struct go *go = t->go;
	uint32_t elem = go_type_get(go, chan)->elem;
	uint64_t n = word(p, go_off(go, HCHAN_DATAQSIZ)), buf = word(p, go_off(go, HCHAN_BUF)), size;

	check_part(t, buf, word(p, go_off(go, HCHAN_QCOUNT)) > n ? UINT64_MAX : 0, GO_DAMAGE_CHANS);
	if (go_type_get(go, elem)->ptr_bytes && !hf_mul_overflows(n, go_type_get(go, elem)->size, &size) &&
	    size)
		go_offer(t, buf, go_type_shape(go, GO_SHAPE_CHAN_BUF, elem, 0), size);
	go_visit_value(t, go_type_of_dwarf(go, hf_syms_find_type(go->syms, "runtime.hchan")), p, 0);
}

static void visit_closure(struct typing *t, uint64_t code, struct place p)
{
	const go_locals *locals;

	t->err = go_locals_at(t->go, code, &locals);
	if (t->err)
		return;
	go_captures_settle(t->go, locals, p.len);
	hf_vec_each(locals, local)
		if (local->captured && local->cfa_offset >= 0 && (uint64_t)local->cfa_offset < p.len)
			go_visit_value(t, local->type,
				       (struct place){p.bytes + local->cfa_offset,
						      p.len - (uint64_t)local->cfa_offset},
				       0);
}

static void visit_elements(struct typing *t, uint32_t elem, struct place p)
{
	uint64_t size = go_type_get(t->go, elem)->size;
	uint32_t n;

	go_type_slots(t->go, elem, &n);
	for (uint64_t at = 0; n && size && at + size <= p.len && !t->err; at += size)
		go_visit_value(t, elem, (struct place){p.bytes + at, size}, 0);
}

void go_visit_shape(struct typing *t, uint32_t id, struct place p)
{
	const struct go_type *type = go_type_get(t->go, id);

	switch (type->shape) {
	case GO_SHAPE_VALUE:
	case GO_SHAPE_PART:
		go_visit_value(t, type->shape == GO_SHAPE_PART ? type->elem : id, p, 0);
		if (go_is_named(t->go, id, &t->sudog, "runtime.sudog"))
			go_visit_sudog(t, p);
		break;
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		visit_elements(t, type->elem, p);
		break;
	case GO_SHAPE_MAP:
		if (t->go->layout.swiss_maps)
			visit_swiss_map(t, type->elem, p);
		else
			visit_old_map(t, type->elem, p);
		break;
	case GO_SHAPE_MAP_DIR:
		for (uint64_t at = 0; at + 8 <= p.len; at += 8)
			go_offer(t, hf_load_u64(p.bytes + at),
				 go_type_shape(t->go, GO_SHAPE_MAP_TABLE, type->elem, 0),
				 (uint64_t)hf_max(go_off(t->go, TABLE_SIZE), 32));
		break;
	case GO_SHAPE_MAP_TABLE:
		offer_groups(t, word(p, go_off(t->go, TABLE_GROUPS_DATA)), type->elem,
			     word(p, go_off(t->go, TABLE_GROUPS_LENGTH_MASK)) + 1);
		break;
	case GO_SHAPE_MAP_GROUPS:
		visit_groups(t, type->elem, p);
		break;
	case GO_SHAPE_CHAN:
		visit_chan(t, type->elem, p);
		break;
	case GO_SHAPE_CLOSURE:
		visit_closure(t, type->code, p);
		break;
	case GO_SHAPE_TRIE_NODE:
		if (p.len >= 8)
			go_visit_value(t, go_trie_type(t->go, type->elem, p.bytes[0] & 1), p, 0);
		break;
	case GO_SHAPE_STRING:
		break;
	}
}

bool go_leads_on(struct go *go, uint32_t id)
{
	const struct go_type *type = go_type_get(go, id);
	uint32_t n;

	if (type->shape == GO_SHAPE_STRING)
		return false;
	if (type->shape == GO_SHAPE_VALUE || type->shape == GO_SHAPE_BACKING ||
	    type->shape == GO_SHAPE_PART) {
		go_type_slots(go, type->shape == GO_SHAPE_VALUE ? id : type->elem, &n);
		return n > 0;
	}
	return true;
}

static void visit_block(struct typing *t, uint32_t block)
{
	struct go *go = t->go;
	uint64_t offset = 0, addr;
	uint32_t type = go->block_type[block];
	const struct go_span *span;
	const void *p;

	if (!go_leads_on(go, type))
		return;
	addr = go_block_addr(go, block, &span);
	if (has_views(go))
		hf_map64_find(&go->views, block, &offset);
	offset += go_header_size(span);
	if (offset >= span->elemsize)
		return;
	if (span->bytes)
		p = span->bytes + (addr - span->start) + offset;
	else if (hf_err_ignore(hf_target_get(go->t, addr + offset, span->elemsize - offset, &t->scratch, &p)))
		return;
	go_visit_shape(t, type, (struct place){p, span->elemsize - offset});
}

struct hf_err *go_typing_drain(struct typing *t)
{
	go_visit_outside(t);
	for (; t->at < t->queue.n && !t->err; t->at++) {
		if (t->at % 65536 == 0) {
			t->err = hf_interrupt_check();
			hf_progress("types", t->at, t->go->blocks);
		}
		if (!t->err)
			visit_block(t, t->queue.at[t->at]);
		if (t->outside.n)
			go_visit_outside(t);
	}
	return t->err;
}

/* ---- weak views --------------------------------------------------------------------------------------------------- */

/* The better of two views of one block: the larger, then the earlier in the block. */
static bool is_better(const struct view *a, const struct view *b)
{
	return a->size != b->size ? a->size > b->size : a->offset < b->offset;
}

static uint32_t weak_type(struct go *go, struct view *view, const struct go_span *span)
{
	const struct go_type *type = go_type_get(go, view->type);
	uint32_t outer;

	/* Structures with as many entries behind them as they say. Source: Go 1.20-1.27 runtime/iface.go,
	 * internal/abi/switch.go. */
	if (!view->offset && go_is_open_ended(go, view->type))
		return view->type;
	if (type->shape == GO_SHAPE_VALUE &&
	    (outer = go_container_of(go, view->type,
				     go_block_addr(go, view->block, &span) + go_header_size(span) +
					     view->offset,
				     view->offset, span))) {
		view->offset = 0;
		return outer;
	}

	/* A slice or substring is a window on an array or string of its kind. */
	if ((type->shape == GO_SHAPE_BACKING || type->shape == GO_SHAPE_STRING) &&
	    (span->noscan ||
	     (type->elem && view->offset % hf_max(go_type_get(go, type->elem)->size, (uint64_t)1) == 0)))
		return view->type;
	/* So is a pointer to the first of many numbers. */
	if (type->shape == GO_SHAPE_VALUE && span->noscan && !view->offset && type->kind &&
	    type->kind < GO_KIND_ARRAY)
		return go_type_shape(go, GO_SHAPE_BACKING, view->type, 0);
	if (type->shape == GO_SHAPE_VALUE)
		return go_type_shape(go, GO_SHAPE_PART, view->type, 0);
	return view->offset ? GO_NO_TYPE : view->type;
}

/* Takes the best view of each block that is still without a type. *ret: whether there was one. */
static struct hf_err *take_weak(struct typing *t, bool *ret)
{
	struct go *go = t->go;
	struct hf_map64 best = {0};
	struct hf_err *err = NULL;
	size_t n = t->weak.n;

	*ret = false;
	for (size_t i = 0; i < n && !err; i++) {
		uint64_t other;

		if (go->block_type[t->weak.at[i].block])
			continue;
		if (!hf_map64_find(&best, t->weak.at[i].block, &other) ||
		    is_better(&t->weak.at[i], &t->weak.at[other]))
			err = hf_map64_put(&best, t->weak.at[i].block, i);
	}
	for (size_t i = 0; i < n && !err; i++) {
		struct view view = t->weak.at[i];
		uint64_t chosen;
		const struct go_span *span;
		uint32_t type;

		if (!hf_map64_find(&best, view.block, &chosen) || chosen != i)
			continue;
		go_block_addr(go, view.block, &span);
		type = weak_type(go, &view, span);
		if (!type)
			continue;
		*ret = true;
		if (go_type_get(go, type)->shape == GO_SHAPE_PART && view.offset)
			err = hf_map64_put(&go->views, view.block, view.offset);
		go_set_type(t, view.block, type);
	}
	t->weak.n = 0;
	hf_map64_deinit(&best);
	return err ? err : t->err;
}

struct hf_err *go_typing_settle(struct typing *t)
{
	bool more = true;

	HF_TRY(go_typing_drain(t));
	/* Each round types at least one block, so that this ends; in practice after two or three. */
	while (more) {
		HF_TRY(take_weak(t, &more));
		HF_TRY(go_typing_drain(t));
	}
	return NULL;
}

uint32_t go_block_type(struct go *go, uint32_t block, uint64_t *ret_offset)
{
	uint64_t offset = 0;
	uint32_t slot;

	*ret_offset = go_header_size(go_block_span(go, block, &slot));
	if (hf_map64_find(&go->views, block, &offset))
		*ret_offset += offset;
	return go->block_type ? go->block_type[block] : GO_NO_TYPE;
}
