/* Names of places whatever the block: "main.Session.Payload", "main.headers[*]". */
#include "names.h"
#include "views.h"

#define KEY_BIT (1ull << 62) /* of a place's offset: in a map's key, not in its element */

/* What users do not write: the inside of atomic pointers and of sync.Map, up to Go 1.23 {read, dirty}, since then a trie. */
static bool is_inner(struct go *go, uint32_t type)
{
	const char *name = go_type_name(go, type);

	return go_type_is_hidden(go, type) || !strcmp(name, "sync.readOnly") || !strcmp(name, "sync.entry");
}

/* Has a name of the program's: "main.Session", "main.Box[int]". */
static bool is_named_struct(struct go *go, uint32_t type)
{
	const char *name;

	if (go_type_get(go, type)->kind != GO_KIND_STRUCT || is_inner(go, type))
		return false;
	name = go_type_name(go, type);
	return strncmp(name, "struct {", 8) != 0 && name[strcspn(name, ".[{ ")] == '.';
}

/* The path to offset in a value, every index a star; the offset that it has with every index 0. ret may be NULL. */
static uint64_t walk(struct go *go, uint32_t type, uint64_t offset, struct hf_str *ret)
{
	uint64_t normal = 0;
	bool hidden = false;

	for (int depth = 0; depth < GO_PATH_DEPTH; depth++) {
		const struct go_member *m;

		hidden = hidden || (go_type_get(go, type)->kind == GO_KIND_STRUCT && is_inner(go, type));
		if (!go_type_enter(go, &type, &offset, &m))
			break;
		normal += m ? m->offset : 0;
		if (ret && !hidden && m)
			hf_str_addf(ret, ".%s", *m->name ? m->name : "_");
		else if (ret && !hidden)
			hf_str_add(ret, "[*]");
	}
	return normal;
}

/* A value of a type that is part of a block of type `shape`. */
static void set_place(struct go *go, uint32_t shape, uint32_t part, uint64_t offset, uint64_t mark,
		      struct hf_view_place *ret)
{
	bool named = is_named_struct(go, part);

	*ret = (struct hf_view_place){.type = named ? part : shape,
				      .offset = walk(go, part, offset, NULL) | (named ? 0 : mark),
				      .open = !named};
}

static void set_map_place(struct go *go, uint32_t id, uint64_t offset, struct hf_view_place *ret)
{
	const struct go_type *map = go_type_get(go, go_type_get(go, id)->elem);
	uint64_t size = go_type_get(go, map->group)->size;
	struct go_map_slot slot;

	if (!size || !go_map_slot_find(go, map->group, offset % size, &slot))
		return;
	set_place(go, id, slot.is_key ? slot.key_type : slot.elem_type, slot.in_part,
		  slot.is_key ? KEY_BIT : 0, ret);
}

static const struct go_member *trie_member(struct go *go, uint32_t node, uint64_t offset)
{
	const struct go_type *entry = go_type_get(go, go_trie_type(go, node, true));
	const struct go_member *m = go_member_at(go, entry, offset);

	return m && (!strcmp(m->name, "key") || !strcmp(m->name, "value")) ? m : NULL;
}

static void set_trie_place(struct go *go, uint32_t id, uint64_t start, uint64_t offset,
			   struct hf_view_place *ret)
{
	const struct go_member *m = trie_member(go, go_type_get(go, id)->elem, offset);
	uint8_t is_entry;

	if (!m || hf_err_ignore(hf_target_read_u8(go->t, start, &is_entry)) || !(is_entry & 1))
		return;
	set_place(go, id, m->type, offset - m->offset, !strcmp(m->name, "key") ? KEY_BIT : 0, ret);
	if (ret->open)
		ret->offset |= KEY_BIT >> 1;
}

void go_place(struct hf_runtime *rt, uint32_t block, uint64_t slot, struct hf_view_place *ret)
{
	struct go *go = (struct go *)rt;
	uint64_t type_offset, start, offset, size;
	uint32_t id = go_block_type(go, block, &type_offset);
	const struct go_type *type = go_type_get(go, id);
	const struct go_span *span;

	start = go_block_addr(go, block, &span) + type_offset;
	offset = slot > start ? slot - start : 0;
	size = go_type_get(go, type->elem)->size;
	*ret = (struct hf_view_place){.type = id, .open = true};
	switch (type->shape) {
	case GO_SHAPE_VALUE:
		if (id)
			set_place(go, id, id, offset, 0, ret);
		else
			ret->open = false;
		break;
	case GO_SHAPE_PART:
		set_place(go, id, type->elem, offset, 0, ret);
		break;
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		set_place(go, id, type->elem, size ? offset % size : 0, 0, ret);
		break;
	case GO_SHAPE_MAP_GROUPS:
		set_map_place(go, id, offset, ret);
		break;
	case GO_SHAPE_CLOSURE:
		*ret = (struct hf_view_place){.type = id, .offset = offset};
		break;
	case GO_SHAPE_TRIE_NODE:
		set_trie_place(go, id, start, offset, ret);
		break;
	case GO_SHAPE_STRING:
	case GO_SHAPE_MAP:
	case GO_SHAPE_MAP_DIR:
	case GO_SHAPE_MAP_TABLE:
	case GO_SHAPE_CHAN:
		break;
	}
}

static struct hf_err *closure_place(struct go *go, const struct go_type *type, uint64_t offset,
				    struct hf_str *ret)
{
	const go_locals *locals;
	const struct go_local *local;
	struct go_func f;

	hf_str_add(ret, go_find_func(go, type->code, &f) ? f.name : "closure");
	HF_TRY(go_locals_at(go, type->code, &locals));
	local = go_local_find(locals, (int64_t)offset, true);
	if (!local || !local->name) {
		hf_str_addf(ret, ".captured+%" PRIu64, offset);
		return NULL;
	}
	/* "&view" is captured by reference: the pointer to it is the compiler's. */
	hf_str_addf(ret, ".%s", local->name + (local->name[0] == '&'));
	walk(go, local->type, offset - (uint64_t)local->cfa_offset, ret);
	return NULL;
}

/* The key or element of a map's slots, whichever the place is in. */
static uint32_t map_part(struct go *go, const struct go_type *groups, bool is_key)
{
	const struct go_type *map = go_type_get(go, groups->elem);
	struct go_map_slot slot;

	for (uint64_t at = 8; at < go_type_get(go, map->group)->size && at < 4096; at += 8)
		if (go_map_slot_find(go, map->group, at, &slot))
			return is_key ? slot.key_type : slot.elem_type;
	return is_key ? map->key : map->elem;
}

struct hf_err *go_view_place_name(struct hf_runtime *rt, const struct hf_view_place *place,
				  struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	const struct go_type *type = go_type_get(go, place->type);
	bool is_key = place->offset & KEY_BIT;
	uint64_t offset = place->offset & ~(KEY_BIT | KEY_BIT >> 1);
	const struct go_type *entry;

	if (type->shape == GO_SHAPE_CLOSURE)
		return closure_place(go, type, offset, ret);
	if (!place->open) {
		hf_str_add(ret, go_type_name(go, place->type));
		walk(go, place->type, offset, ret);
		return NULL;
	}
	switch (type->shape) {
	case GO_SHAPE_VALUE:
		walk(go, place->type, offset, ret);
		break;
	case GO_SHAPE_PART:
		walk(go, type->elem, offset, ret);
		break;
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		hf_str_add(ret, "[*]");
		walk(go, type->elem, offset, ret);
		break;
	case GO_SHAPE_MAP_GROUPS:
		hf_str_add(ret, is_key ? "[key *]" : "[*]");
		walk(go, map_part(go, type, is_key), offset, ret);
		break;
	case GO_SHAPE_TRIE_NODE:
		if (!(place->offset & KEY_BIT >> 1))
			break;
		hf_str_add(ret, is_key ? "[key *]" : "[*]");
		entry = go_type_get(go, go_trie_type(go, type->elem, true));
		for (uint32_t i = 0; i < entry->members_n; i++)
			if (!strcmp(entry->members[i].name, is_key ? "key" : "value"))
				walk(go, entry->members[i].type, offset, ret);
		break;
	default:
		break;
	}
	return NULL;
}

/* ---- roots ------------------------------------------------------------------------------------------------------- */

static struct hf_err *stack_place(struct go *go, const struct hf_found_root *root, struct hf_str *ret)
{
	const struct go_frame *frame = go_frame_of(go, root->owner, root->slot);
	const go_locals *locals;
	const struct go_local *local;
	struct go_func f;

	if (!frame || !go_find_func(go, frame->entry, &f)) {
		go_holder_name(&go->rt, root, ret);
		return NULL;
	}
	HF_TRY(go_locals_at(go, frame->pc, &locals));
	local = go_local_find(locals, (int64_t)(root->slot - frame->cfa), false);
	hf_str_add(ret, f.name);
	if (!local) {
		hf_str_add(ret, " (stack)");
		return NULL;
	}
	hf_str_addf(ret, ".%s", local->name + (local->name[0] == '&'));
	if (!local->bare_pointer)
		walk(go, local->type,
		     local->piece_offset + (root->slot - frame->cfa - (uint64_t)local->cfa_offset), ret);
	return NULL;
}

/* Every index a star. */
static void add_starred(const char *path, struct hf_str *ret)
{
	while (*path) {
		size_t n = strcspn(path, "[");
		const char *end = path[n] ? strchr(path + n, ']') : NULL;

		hf_str_addn(ret, path, n);
		if (!end) {
			hf_str_add(ret, path + n);
			return;
		}
		hf_str_add(ret, "[*]");
		path = end + 1;
	}
}

/* What the compiler made has no variable: as an object of the heap, it is named by its type, or else by what leads to it. */
static struct hf_err *static_place(struct go *go, const struct hf_found_root *root, struct hf_str *ret,
				   bool *ret_found)
{
	struct hf_str name = {0}, path = {0};
	struct go_static at;
	struct hf_err *err = go_static_find(go, root->slot, &name, &path, &at);

	*ret_found = !err && name.n;
	if (*ret_found && is_named_struct(go, at.type)) {
		hf_str_add(ret, go_type_name(go, at.type));
	} else if (*ret_found) {
		hf_str_add(ret, hf_str_get(&name));
		add_starred(hf_str_get(&path), ret);
	}
	if (*ret_found)
		walk(go, at.type, at.offset, ret);
	ret->failed |= name.failed || path.failed;
	hf_str_deinit(&name);
	hf_str_deinit(&path);
	return err;
}

struct hf_err *go_root_place(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	const struct hf_variable *variables;
	bool found = false;
	size_t n;

	if (root->kind == HF_ROOT_GOROUTINE || root->kind == HF_ROOT_STACK)
		return stack_place(go, root, ret);
	HF_TRY(hf_syms_variables(go->syms, &variables, &n));
	if (root->kind == HF_ROOT_GLOBAL && root->owner >= n)
		HF_TRY(static_place(go, root, ret, &found));
	if (found)
		return NULL;
	if (root->kind != HF_ROOT_GLOBAL || root->owner >= n) {
		go_holder_name(rt, root, ret);
		return NULL;
	}
	hf_str_add(ret, variables[root->owner].name);
	walk(go, go_type_of_dwarf(go, variables[root->owner].type), root->slot - variables[root->owner].addr,
	     ret);
	return NULL;
}
