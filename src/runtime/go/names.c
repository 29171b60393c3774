#include "names.h"

/* ---- paths in values ---------------------------------------------------------------------------------------- */

const struct go_member *go_member_at(struct go *go, const struct go_type *type, uint64_t offset)
{
	const struct go_member *found = NULL;

	for (uint32_t i = 0; i < type->members_n; i++) {
		const struct go_member *m = &type->members[i];

		if (m->offset <= offset &&
		    offset - m->offset < hf_max(go_type_get(go, m->type)->size, (uint64_t)1) &&
		    go_type_get(go, m->type)->size)
			found = m;
	}
	return found;
}

bool go_type_enter(struct go *go, uint32_t *type, uint64_t *offset, const struct go_member **ret_member)
{
	const struct go_type *row = go_type_get(go, *type);
	uint64_t size = row->kind == GO_KIND_ARRAY ? go_type_get(go, row->elem)->size : 0;
	const struct go_member *m = row->kind == GO_KIND_STRUCT ? go_member_at(go, row, *offset) : NULL;

	if (!m && !size)
		return false;
	*offset = m ? *offset - m->offset : *offset % size;
	*type = m ? m->type : row->elem;
	*ret_member = m;
	return true;
}

bool go_type_is_hidden(struct go *go, uint32_t type)
{
	const char *name = go_type_name(go, type);

	return !strcmp(name, "sync.Map") || !strncmp(name, "internal/sync.HashTrieMap[", 26) ||
	       !strncmp(name, "sync/atomic.Pointer[", 20) ||
	       !strncmp(name, "internal/runtime/atomic.Pointer[", 32) || !strcmp(name, "sync/atomic.Value") ||
	       !strncmp(name, "internal/sync.indirect[", 23);
}

/* A sync.Pool's tables: of the way to an item, its array, processor and place are worth a word. */
static bool is_unwritten(struct go *go, uint32_t type)
{
	static const char *const names[] = {"poolLocal", "poolChain", "poolChainElt", "poolDequeue", "eface"};
	const char *name = go_type_name(go, type);

	for (size_t i = 0; i < HF_LEN(names) && !strncmp(name, "sync.", 5); i++)
		if (!strcmp(name + 5, names[i]))
			return true;
	return false;
}

/* Adds the type that an interface holds where offset is its data word: ".(*main.T)". */
static void add_assertion(struct go *go, const struct go_type *type, uint64_t word, struct hf_str *ret)
{
	uint32_t dynamic = type->count ? go_iface_type(go, word) : go_eface_type(go, word);

	if (!dynamic)
		return;
	hf_str_add(ret, ".(");
	hf_str_add_short(ret, go_type_name(go, dynamic));
	hf_str_addc(ret, ')');
}

void go_path_walk(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret, uint32_t *ret_type,
		  uint64_t *ret_offset)
{
	bool hidden = false;

	for (int depth = 0; depth < GO_PATH_DEPTH; depth++) {
		uint32_t whole = type;
		uint64_t before = offset;
		const struct go_member *m;

		*ret_type = type;
		*ret_offset = offset;
		hidden = hidden ||
			 (go_type_get(go, type)->kind == GO_KIND_STRUCT && go_type_is_hidden(go, type));
		if (!go_type_enter(go, &type, &offset, &m))
			return;
		if (!hidden && !m)
			hf_str_addf(ret, "[%" PRIu64 "]", before / go_type_get(go, type)->size);
		else if (!hidden && !is_unwritten(go, whole))
			hf_str_addf(ret, ".%s", *m->name ? m->name : "_");
	}
}

void go_path_name(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret)
{
	uint32_t inner;
	uint64_t rest;

	go_path_walk(go, type, offset, ret, &inner, &rest);
}

/* The path to a pointer's slot, with the dynamic type where it is an interface's data word. word: what stands before the
 * slot (the interface's type word). */
static void add_slot_path(struct go *go, uint32_t type, uint64_t offset, uint64_t word, struct hf_str *ret)
{
	uint32_t inner;
	uint64_t rest;

	go_path_walk(go, type, offset, ret, &inner, &rest);
	if (offset == 8 && go_type_get(go, inner)->kind == GO_KIND_UNSAFE_POINTER &&
	    !strcmp(go_type_name(go, type), "sync.eface"))
		add_assertion(go, go_type_get(go, GO_NO_TYPE), word, ret);
	if (go_type_get(go, inner)->kind == GO_KIND_INTERFACE && rest == 8)
		add_assertion(go, go_type_get(go, inner), word, ret);
}

/* ---- map slots -------------------------------------------------------------------------------------------------- */

/* Bytes of a block from some place on: local, and where they stand in the target. */
struct part {
	const uint8_t *bytes;
	uint64_t len, at;
};

bool go_map_slot_find(struct go *go, uint32_t group, uint64_t offset, struct go_map_slot *ret)
{
	const struct go_type *type = go_type_get(go, group), *array, *slot;
	const struct go_member *m = go_member_at(go, type, offset), *part;
	uint64_t size;

	array = m ? go_type_get(go, m->type) : NULL;
	if (!array || array->kind != GO_KIND_ARRAY || m->offset == 0 || array->count != GO_GROUP_SLOTS)
		return false;
	size = go_type_get(go, array->elem)->size;
	slot = go_type_get(go, array->elem);
	if (!size)
		return false;
	*ret = (struct go_map_slot){.index = (uint32_t)((offset - m->offset) / size)};
	if (slot->kind == GO_KIND_STRUCT && slot->members_n == 2 && !strcmp(slot->members[0].name, "key")) {
		uint64_t in_slot = (offset - m->offset) % size;

		part = go_member_at(go, slot, in_slot);
		if (!part)
			return false;
		ret->is_key = part == &slot->members[0];
		ret->key_at = m->offset + ret->index * size + slot->members[0].offset;
		ret->in_part = in_slot - part->offset;
		ret->key_type = slot->members[0].type;
		ret->elem_type = slot->members[1].type;
		return true;
	}
	if (type->members_n < 3)
		return false;
	ret->is_key = m == &type->members[1];
	ret->key_type = go_type_get(go, type->members[1].type)->elem;
	ret->elem_type = go_type_get(go, type->members[2].type)->elem;
	ret->key_at = type->members[1].offset + ret->index * go_type_get(go, ret->key_type)->size;
	ret->in_part = (offset - m->offset) % size;
	return true;
}

/* Keys above 128 bytes are stored by pointer: the group's type then says *K where the map says K. */
static void add_key(struct go *go, const struct go_type *map, const struct go_map_slot *slot,
		    const struct part *group, struct hf_str *ret)
{
	uint8_t bytes[512];
	const uint8_t *key = group->bytes + slot->key_at;
	uint64_t at = group->at + slot->key_at, len = group->len - slot->key_at;
	uint64_t size = go_type_get(go, map->key)->size;

	if (slot->key_type == map->key || go_type_get(go, slot->key_type)->kind != GO_KIND_POINTER ||
	    len < 8 || go_type_get(go, slot->key_type)->elem != map->key) {
		go_value_text(go, slot->key_type, at, key, len, ret);
		return;
	}
	if (size > sizeof(bytes) || hf_err_ignore(hf_target_read(go->t, hf_load_u64(key), bytes, size)))
		hf_str_addf(ret, "key at 0x%" PRIx64, hf_load_u64(key));
	else
		go_value_text(go, map->key, hf_load_u64(key), bytes, size, ret);
}

static void add_map_slot(struct go *go, uint32_t map_id, const struct part *group, uint64_t offset,
			 bool redact, struct hf_str *ret)
{
	uint64_t before = offset >= 8 && offset <= group->len ? hf_load_u64(group->bytes + offset - 8) : 0;
	const struct go_type *map = go_type_get(go, map_id);
	struct go_map_slot slot;

	if (!go_map_slot_find(go, map->group, offset, &slot))
		return;
	hf_str_add(ret, slot.is_key ? "[key " : "[");
	if (redact)
		hf_str_add(ret, "...");
	else if (slot.key_at < group->len)
		add_key(go, map, &slot, group, ret);
	hf_str_addc(ret, ']');
	add_slot_path(go, slot.is_key ? slot.key_type : slot.elem_type, slot.in_part, before, ret);
}

/* ---- edges -------------------------------------------------------------------------------------------------------- */

static const char *entry_key(struct go *go, uint32_t entry, uint64_t *ret_offset, uint32_t *ret_type)
{
	const struct go_type *type = go_type_get(go, entry);

	for (uint32_t i = 0; i < type->members_n; i++)
		if (!strcmp(type->members[i].name, "key")) {
			*ret_offset = type->members[i].offset;
			*ret_type = type->members[i].type;
			return type->members[i].name;
		}
	return NULL;
}

/* A sync.Map's entry: the value by its key; the rest of the trie is not the user's. */
static void add_trie_slot(struct go *go, uint32_t node, const struct part *p, uint64_t offset, bool redact,
			  struct hf_str *ret)
{
	uint32_t entry = go_trie_type(go, node, true), key_type = 0;
	uint64_t key_at = 0;
	const struct go_member *m;

	if (!p->len || !(p->bytes[0] & 1) || !entry_key(go, entry, &key_at, &key_type))
		return;
	m = go_member_at(go, go_type_get(go, entry), offset);
	if (!m || !strcmp(m->name, "overflow") || !strcmp(m->name, "node"))
		return;
	hf_str_add(ret, !strcmp(m->name, "key") ? "[key " : "[");
	if (redact)
		hf_str_add(ret, "...");
	else if (key_at < p->len)
		go_value_text(go, key_type, p->at + key_at, p->bytes + key_at, p->len - key_at, ret);
	hf_str_addc(ret, ']');
	if (strcmp(m->name, "key"))
		add_slot_path(go, m->type, offset - m->offset,
			      offset >= 8 && offset <= p->len ? hf_load_u64(p->bytes + offset - 8) : 0, ret);
}

static struct hf_err *add_captured(struct go *go, uint64_t code, uint64_t offset, uint64_t before,
				   struct hf_str *ret)
{
	const go_locals *locals;
	const struct go_local *local;

	HF_TRY(go_locals_at(go, code, &locals));
	local = go_local_find(locals, (int64_t)offset, true);
	if (!local || !local->name)
		hf_str_addf(ret, ".captured+%" PRIu64, offset);
	if (!local)
		return NULL;
	if (local->name)
		hf_str_addf(ret, ".%s", local->name);
	add_slot_path(go, local->type, offset - (uint64_t)local->cfa_offset, before, ret);
	return NULL;
}

/* Names the slot at `offset` of a block's content. */
static struct hf_err *add_slot_name(struct go *go, uint32_t id, const struct part *p, uint64_t offset,
				    bool redact, struct hf_str *ret)
{
	const struct go_type *type = go_type_get(go, id);
	uint64_t size = go_type_get(go, type->elem)->size,
		 before = offset >= 8 && offset <= p->len ? hf_load_u64(p->bytes + offset - 8) : 0;
	uint64_t group, first;

	switch (type->shape) {
	case GO_SHAPE_VALUE:
		if (id)
			add_slot_path(go, id, offset, before, ret);
		else
			hf_str_addf(ret, "+%" PRIu64, offset);
		break;
	case GO_SHAPE_PART:
		if (offset < size)
			add_slot_path(go, type->elem, offset, before, ret);
		else
			hf_str_addf(ret, "+%" PRIu64, offset);
		break;
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		if (!size)
			break;
		hf_str_addf(ret, "[%" PRIu64 "]", offset / size);
		add_slot_path(go, type->elem, offset % size, before, ret);
		break;
	case GO_SHAPE_MAP_GROUPS:
		group = go_type_get(go, go_type_get(go, type->elem)->group)->size;
		if (!group)
			break;
		first = offset / group * group;
		add_map_slot(go, type->elem, &(struct part){p->bytes + first, p->len - first, p->at + first},
			     offset % group, redact, ret);
		break;
	case GO_SHAPE_CHAN:
		hf_str_add(ret, offset == (uint64_t)go_off(go, HCHAN_BUF) ? ".buf" : "");
		break;
	case GO_SHAPE_CLOSURE:
		return add_captured(go, type->code, offset, before, ret);
	case GO_SHAPE_TRIE_NODE:
		add_trie_slot(go, type->elem, p, offset, redact, ret);
		break;
	case GO_SHAPE_STRING:
	case GO_SHAPE_MAP:
	case GO_SHAPE_MAP_DIR:
	case GO_SHAPE_MAP_TABLE:
		break;
	}
	return NULL;
}

struct find_edge {
	struct go *go;
	uint32_t to;
	uint64_t slot;
};

static bool find_pointer(void *arg, uint64_t slot, uint64_t value)
{
	struct find_edge *f = arg;

	if (go_find_block(f->go, value) != f->to)
		return true;
	f->slot = slot;
	return false;
}

/* The content of a block: where it starts and its bytes. */
static struct hf_err *block_content(struct go *go, uint32_t block, uint64_t *ret_type_offset,
				    uint64_t *ret_start, const uint8_t **ret, uint64_t *ret_len)
{
	const struct go_span *span;
	uint64_t addr = go_block_addr(go, block, &span);
	const void *p;

	go_block_type(go, block, ret_type_offset);
	*ret_start = addr + *ret_type_offset;
	*ret_len = span->elemsize - hf_min(span->elemsize, *ret_type_offset);
	HF_TRY(hf_target_get(go->t, *ret_start, *ret_len, &go->scratch, &p));
	*ret = p;
	return NULL;
}

struct hf_err *go_edge_name(struct hf_runtime *rt, uint32_t from, uint32_t to, bool redact,
			    struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	struct find_edge f = {.go = go, .to = to};
	uint64_t type_offset, start, len;
	const uint8_t *bytes;

	HF_TRY(go_walk_pointers(go, from, find_pointer, &f));
	if (!f.slot)
		return NULL;
	HF_TRY(block_content(go, from, &type_offset, &start, &bytes, &len));
	if (f.slot < start) {
		hf_str_addf(ret, "-%" PRIu64, start - f.slot);
		return NULL;
	}
	return add_slot_name(go, go->block_type[from], &(struct part){bytes, len, start}, f.slot - start,
			     redact, ret);
}

/* The members of the value that lie on the way to offset: of those with wire names the last one's tag. */
static const char *tag_at(struct go *go, uint32_t type, uint64_t offset)
{
	const struct go_member *m;
	const char *tag = NULL;
	struct go_wire wire;

	for (int depth = 0; depth < GO_PATH_DEPTH && go_type_enter(go, &type, &offset, &m); depth++)
		if (m && go_tag_read(m->tag, &wire))
			tag = m->tag;
	return tag;
}

struct hf_err *go_edge_tags(struct hf_runtime *rt, uint32_t from, uint32_t to, struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	struct find_edge f = {.go = go, .to = to};
	uint64_t start, offset, size;
	uint32_t id = go_block_type(go, from, &start);
	const struct go_type *type = go_type_get(go, id);
	const struct go_span *span;
	struct go_map_slot slot;

	HF_TRY(go_walk_pointers(go, from, find_pointer, &f));
	start += go_block_addr(go, from, &span);
	if (f.slot < start)
		return NULL;
	offset = f.slot - start;
	switch (type->shape) {
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		size = go_type_get(go, type->elem)->size;
		id = type->elem;
		offset = size ? offset % size : 0;
		break;
	case GO_SHAPE_PART:
		id = type->elem;
		break;
	case GO_SHAPE_MAP_GROUPS:
		id = go_type_get(go, type->elem)->group;
		size = go_type_get(go, id)->size;
		if (!size || !go_map_slot_find(go, id, offset % size, &slot))
			return NULL;
		id = slot.is_key ? slot.key_type : slot.elem_type;
		offset = slot.in_part;
		break;
	case GO_SHAPE_VALUE:
		break;
	default:
		return NULL;
	}
	go_tag_text(tag_at(go, id, offset), ret);
	return NULL;
}

struct hf_err *go_offset_name(struct hf_runtime *rt, uint32_t block, uint64_t addr, struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	uint64_t type_offset, offset;
	uint32_t type = go_block_type(go, block, &type_offset), inner;
	const struct go_type *row = go_type_get(go, type);
	const struct go_span *span;
	uint64_t start = go_block_addr(go, block, &span) + type_offset, rest = 0;

	if (addr <= start)
		return NULL;
	offset = addr - start;
	if (row->shape == GO_SHAPE_BACKING && go_type_get(go, row->elem)->size) {
		uint64_t size = go_type_get(go, row->elem)->size;

		hf_str_addf(ret, "[%" PRIu64 "]", offset / size);
		go_path_walk(go, row->elem, offset % size, ret, &inner, &rest);
	} else if (row->shape == GO_SHAPE_VALUE && type && offset < row->size) {
		go_path_walk(go, type, offset, ret, &inner, &rest);
	} else {
		rest = offset;
	}
	if (rest)
		hf_str_addf(ret, "+%" PRIu64, rest);
	return NULL;
}

/* ---- roots -------------------------------------------------------------------------------------------------------- */

/* What stands before a global's or stack's slot: for interfaces. */
static uint64_t word_before(struct go *go, uint64_t slot)
{
	uint64_t word;

	return hf_err_ignore(hf_target_read_u64(go->t, slot - 8, &word)) ? 0 : word;
}

void go_place_name(struct go *go, uint64_t addr, struct hf_str *name)
{
	struct hf_symbol symbol;
	const struct hf_module *module = hf_syms_find_module(go->syms, addr);
	struct hf_section section;

	if (hf_syms_symbol_at(go->syms, addr, &symbol) && symbol.is_object) {
		hf_str_add(name, symbol.name);
		if (addr > symbol.addr)
			hf_str_addf(name, "+%" PRIu64, addr - symbol.addr);
	} else if (module && hf_module_section_at(module, addr, &section)) {
		hf_str_addf(name, "%s+0x%" PRIx64, section.name, addr - section.addr);
	} else {
		hf_str_addf(name, "0x%" PRIx64, addr);
	}
}

/* By its symbol, what is in it by the distance from its start; without symbols by the section. */
static struct hf_err *place_name(struct go *go, uint64_t slot, struct hf_str *name, struct hf_str *via)
{
	struct hf_symbol symbol;
	uint32_t dynamic;

	if (!hf_syms_symbol_at(go->syms, slot, &symbol) || !symbol.is_object || slot < symbol.addr) {
		go_place_name(go, slot, name);
		return NULL;
	}
	hf_str_add(name, symbol.name);
	if (slot == symbol.addr)
		return NULL;
	/* Two words, of which the first names a type: an interface. */
	dynamic = symbol.size == 16 && slot == symbol.addr + 8 ? go_word_type(go, word_before(go, slot)) : 0;
	if (dynamic)
		hf_str_addf(via, ".(%s)", go_type_name(go, dynamic));
	else
		hf_str_addf(via, "+%" PRIu64, slot - symbol.addr);
	return NULL;
}

static struct hf_err *global_name(struct go *go, const struct hf_found_root *root, struct hf_str *name,
				  struct hf_str *via)
{
	const struct hf_variable *variables;
	size_t n;
	uint32_t type;

	HF_TRY(hf_syms_variables(go->syms, &variables, &n));
	if (root->owner >= n) {
		struct go_static at;

		HF_TRY(go_static_find(go, root->slot, name, via, &at));
		if (!name->n)
			return place_name(go, root->slot, name, via);
		add_slot_path(go, at.type, at.offset, word_before(go, root->slot), via);
		return NULL;
	}
	hf_str_add(name, variables[root->owner].name);
	type = go_type_of_dwarf(go, variables[root->owner].type);
	add_slot_path(go, type, root->slot - variables[root->owner].addr, word_before(go, root->slot), via);
	return NULL;
}

static struct hf_err *goroutine_name(struct go *go, const struct hf_found_root *root, struct hf_str *name,
				     struct hf_str *via)
{
	const struct go_goroutine *g;
	const struct go_frame *frame;
	const go_locals *locals;
	const struct go_local *local;
	struct go_func f;
	uint64_t code, offset;

	if (root->owner >= go->goroutines.n)
		return NULL;
	g = &go->goroutines.at[root->owner];
	hf_str_addf(name, "%s goroutine %" PRIu64 " [%s]", g->function && *g->function ? g->function : "?",
		    g->id, go_wait_reason(go, g));
	if (root->kind == HF_ROOT_REGISTER)
		hf_str_add(via, "(register)");
	frame = go_frame_of(go, root->owner, root->slot);
	if (!frame || !go_find_func(go, frame->entry, &f))
		return NULL;
	if (strcmp(f.name, g->function ? g->function : ""))
		hf_str_addf(via, "(%s)", f.name);
	HF_TRY(go_locals_at(go, frame->pc, &locals));
	local = go_local_find(locals, (int64_t)(root->slot - frame->cfa), false);
	if (local) {
		hf_str_addf(via, ".%s", local->name);
		if (!local->bare_pointer)
			add_slot_path(go, local->type,
				      local->piece_offset +
					      (root->slot - frame->cfa - (uint64_t)local->cfa_offset),
				      word_before(go, root->slot), via);
	} else if (go_stack_closure(go, root->slot, &code, &offset) && go_find_func(go, code, &f)) {
		hf_str_addf(via, "(%s)", f.name);
		return add_captured(go, code, offset, word_before(go, root->slot), via);
	}
	return NULL;
}

static struct hf_err *special_name(struct go *go, const struct hf_found_root *root, struct hf_str *name,
				   struct hf_str *via)
{
	const struct go_special_record *s;
	uint32_t block;
	uint64_t code = 0;
	struct go_func f;

	if (root->owner >= go->specials.n) {
		hf_str_add(name, root->kind == HF_ROOT_FINALIZER ? "runtime.allfin" : "runtime.gcCleanups");
		return NULL;
	}
	s = &go->specials.at[root->owner];
	block = go_find_block(go, s->object);
	if (s->object_type)
		hf_str_add(name,
			   go_type_name(go, go_type_get(go, go_type_of_rtype(go, s->object_type))->elem));
	else
		hf_str_add(name, block != HF_NO_BLOCK && go->block_type
					 ? go_type_name(go, go->block_type[block])
					 : "?");
	hf_str_addf(name, " %s of 0x%" PRIx64,
		    root->kind == HF_ROOT_FINALIZER ? "finalizer"
		    : root->kind == HF_ROOT_CLEANUP ? "cleanup"
						    : "weak handle",
		    s->object);
	if (!hf_err_ignore(hf_target_read_u64(go->t, s->fn, &code)) && root->kind != HF_ROOT_OTHER &&
	    go_find_func(go, code, &f))
		hf_str_addf(via, "%s%s%s", root->value == s->fn ? "(" : "",
			    root->value == s->fn ? f.name : "", root->value == s->fn ? ")" : "");
	return NULL;
}

void go_holder_name(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	struct hf_str via = {0};

	if ((root->kind == HF_ROOT_GOROUTINE || root->kind == HF_ROOT_REGISTER) &&
	    root->owner < go->goroutines.n) {
		const char *function = go->goroutines.at[root->owner].function;

		hf_str_addf(ret, "%s goroutines", function && *function ? function : "?");
	} else if (root->kind == HF_ROOT_GLOBAL) {
		hf_err_ignore(global_name(go, root, ret, &via));
	} else if (root->owner < go->specials.n && go->specials.at[root->owner].object_type) {
		hf_str_addf(ret, "%s finalizers",
			    go_type_name(
				    go, go_type_get(go, go_type_of_rtype(
								go, go->specials.at[root->owner].object_type))
						->elem));
	} else {
		hf_str_addf(ret, "%ss", hf_root_kind_name(root->kind));
	}
	hf_str_deinit(&via);
}

struct hf_err *go_root_name(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *name,
			    struct hf_str *via)
{
	struct go *go = (struct go *)rt;

	switch (root->kind) {
	case HF_ROOT_GLOBAL:
		return global_name(go, root, name, via);
	case HF_ROOT_GOROUTINE:
	case HF_ROOT_STACK:
	case HF_ROOT_REGISTER:
		return goroutine_name(go, root, name, via);
	default:
		return special_name(go, root, name, via);
	}
}

/* ---- contents ------------------------------------------------------------------------------------------------------ */

struct hf_err *go_value(struct hf_runtime *rt, uint32_t block, struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	uint64_t offset, start, len;
	const struct go_type *type = go_type_get(go, go_block_type(go, block, &offset));
	const uint8_t *bytes;

	if (type->shape != GO_SHAPE_STRING &&
	    !(type->shape == GO_SHAPE_BACKING && go_type_get(go, type->elem)->kind == GO_KIND_UINT8))
		return NULL;
	if (hf_err_ignore(block_content(go, block, &offset, &start, &bytes, &len)))
		return NULL;
	while (len && !bytes[len - 1])
		len--;
	hf_str_add_quoted(ret, bytes, len, 256);
	return NULL;
}
