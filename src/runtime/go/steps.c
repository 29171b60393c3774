#include "steps.h"

#define KEYS_MAX (1u << 20) /* fields that are remembered by place; beyond, their names are made each time */

/* A step is known by the type and the offset that it stands at, and by its name. */
struct go_steps_table {
	HF_VEC(struct hf_step_info) at;
	HF_VEC(uint32_t) next;  /* with the same hash; 0: none */
	struct hf_map64 by_key; /* type and offset -> step */
	struct hf_map64 by_name;
};

void go_steps_destroy(struct go *go)
{
	struct go_steps_table *t = go->steps;

	if (!t)
		return;
	hf_vec_deinit(&t->at);
	hf_vec_deinit(&t->next);
	hf_map64_deinit(&t->by_key);
	hf_map64_deinit(&t->by_name);
	hf_free(take_ptr(go->steps));
}

static struct hf_err *open_table(struct go *go)
{
	struct hf_err *err;

	if (go->steps)
		return NULL;
	go->steps = hf_calloc(1, sizeof(*go->steps));
	if (!go->steps)
		return hf_err_nomem();
	err = hf_vec_push(&go->steps->at, ((struct hf_step_info){.name = "", .file = ""}));
	if (!err)
		err = hf_vec_push(&go->steps->next, 0);
	if (err)
		go_steps_destroy(go);
	return err;
}

struct hf_step_info go_step_info(struct hf_runtime *rt, uint32_t step)
{
	return ((struct go *)rt)->steps->at.at[step];
}

/* ---- numbers for names -------------------------------------------------------------------------------------- */

static bool same(const struct hf_step_info *a, const struct hf_step_info *b)
{
	return !strcmp(a->name, b->name) && a->pc == b->pc && !a->pool == !b->pool &&
	       (!a->pool || !strcmp(a->pool, b->pool));
}

/* The step of that name; its strings are copied, but for the file, which lives as long. */
static struct hf_err *intern(struct go *go, struct hf_step_info *info, uint32_t *ret)
{
	struct go_steps_table *t = go->steps;
	uint64_t hash = hf_text_hash(0, info->name), first = 0;

	hf_map64_find(&t->by_name, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = t->next.at[i])
		if (same(&t->at.at[i], info)) {
			*ret = i;
			return NULL;
		}
	info->name = hf_arena_strndup(&go->names, info->name, strlen(info->name));
	if (info->pool)
		info->pool = hf_arena_strndup(&go->names, info->pool, strlen(info->pool));
	info->file = info->file ? info->file : "";
	if (!info->name)
		return hf_err_nomem();
	HF_TRY(hf_vec_push(&t->at, *info));
	HF_TRY(hf_vec_push(&t->next, (uint32_t)first));
	*ret = (uint32_t)t->at.n - 1;
	return hf_map64_put(&t->by_name, hash, *ret);
}

static struct hf_err *intern_name(struct go *go, struct hf_str *name, struct hf_str *pool, uint32_t *ret)
{
	struct hf_step_info info = {.name = hf_str_get(name), .pool = pool->n ? hf_str_get(pool) : NULL};

	HF_TRY(hf_str_check(name));
	HF_TRY(hf_str_check(pool));
	return intern(go, &info, ret);
}

/* ---- paths without indexes ------------------------------------------------------------------------------------ */

/* Adds the path to offset in a value to its name; true where there is any. pool: gets the name of a sync.Pool on the way. */
static bool fold_path(struct go *go, uint32_t type, uint64_t offset, struct hf_str *name, struct hf_str *pool)
{
	bool hidden = false, any = false;

	for (int depth = 0; depth < GO_PATH_DEPTH; depth++) {
		bool is_struct = go_type_get(go, type)->kind == GO_KIND_STRUCT;
		const struct go_member *m;

		if (is_struct && !pool->n && !strcmp(go_type_name(go, type), "sync.Pool"))
			hf_str_add(pool, hf_str_get(name));
		hidden = hidden || (is_struct && go_type_is_hidden(go, type));
		if (!go_type_enter(go, &type, &offset, &m))
			break;
		if (!hidden && m)
			hf_str_addf(name, ".%s", *m->name ? m->name : "_");
		else if (!hidden)
			hf_str_add(name, "[]");
		any = any || (m && !hidden);
	}
	return any;
}

/* A place in a type, whatever the element of an array or the slot of a map it is in. */
struct place {
	uint32_t type; /* whose value it is in; GO_NO_TYPE: it has no name */
	uint64_t offset;
	bool is_key; /* of a map: type is the map */
};

static struct place map_place(struct go *go, uint32_t map, uint64_t offset)
{
	uint64_t group = go_type_get(go, go_type_get(go, map)->group)->size;
	struct go_map_slot slot;

	if (!group || !go_map_slot_find(go, go_type_get(go, map)->group, offset % group, &slot))
		return (struct place){0};
	return slot.is_key ? (struct place){map, 0, true}
			   : (struct place){slot.elem_type, slot.in_part, false};
}

static struct place trie_place(struct go *go, uint32_t node, uint64_t offset, bool is_entry)
{
	uint32_t entry = is_entry ? go_trie_type(go, node, true) : GO_NO_TYPE;
	const struct go_member *m = entry ? go_member_at(go, go_type_get(go, entry), offset) : NULL;

	if (!m || strcmp(m->name, "value"))
		return (struct place){0};
	return (struct place){m->type, offset - m->offset, false};
}

/* Arrays in themselves have no names: their elements do. */
static struct place in_element(struct go *go, struct place p)
{
	for (int depth = 0; depth < GO_PATH_DEPTH; depth++) {
		const struct go_type *row = go_type_get(go, p.type);
		uint64_t size =
			row->kind == GO_KIND_ARRAY && !p.is_key ? go_type_get(go, row->elem)->size : 0;

		if (!size)
			break;
		p.offset %= size;
		p.type = row->elem;
	}
	return p;
}

/* first: the first byte of the content. */
static struct place place_of(struct go *go, uint32_t id, uint64_t offset, uint8_t first)
{
	const struct go_type *type = go_type_get(go, id);
	uint64_t size = go_type_get(go, type->elem)->size;

	switch (type->shape) {
	case GO_SHAPE_VALUE:
	case GO_SHAPE_CLOSURE:
		return in_element(go, (struct place){id, offset, false});
	case GO_SHAPE_PART:
		return offset < size ? in_element(go, (struct place){type->elem, offset, false})
				     : (struct place){0};
	case GO_SHAPE_BACKING:
	case GO_SHAPE_CHAN_BUF:
		return size ? in_element(go, (struct place){type->elem, offset % size, false})
			    : (struct place){0};
	case GO_SHAPE_MAP_GROUPS:
		return in_element(go, map_place(go, type->elem, offset));
	case GO_SHAPE_TRIE_NODE:
		return in_element(go, trie_place(go, type->elem, offset, first & 1));
	case GO_SHAPE_CHAN:
	case GO_SHAPE_STRING:
	case GO_SHAPE_MAP:
	case GO_SHAPE_MAP_DIR:
	case GO_SHAPE_MAP_TABLE:
		break;
	}
	return (struct place){0};
}

static struct hf_err *add_captured(struct go *go, uint64_t code, uint64_t offset, struct hf_str *name,
				   struct hf_str *pool, bool *ret_any)
{
	const go_locals *locals;
	const struct go_local *local;

	HF_TRY(go_locals_at(go, code, &locals));
	local = go_local_find(locals, (int64_t)offset, true);
	*ret_any = local && local->name;
	if (!*ret_any)
		return NULL;
	hf_str_addf(name, ".%s", local->name);
	fold_path(go, local->type, offset - (uint64_t)local->cfa_offset, name, pool);
	return NULL;
}

static struct hf_err *name_place(struct go *go, const struct place *p, uint32_t *ret)
{
	const struct go_type *type = go_type_get(go, p->type);
	_cleanup_(hf_str_deinit) struct hf_str name = {0};
	_cleanup_(hf_str_deinit) struct hf_str pool = {0};
	bool any = true;

	*ret = 0;
	hf_str_add(&name, go_type_name(go, p->type));
	if (p->is_key)
		hf_str_add(&name, "[key]");
	else if (type->shape == GO_SHAPE_CLOSURE)
		HF_TRY(add_captured(go, type->code, p->offset, &name, &pool, &any));
	else
		any = fold_path(go, p->type, p->offset, &name, &pool);
	return any ? intern_name(go, &name, &pool, ret) : NULL;
}

static struct hf_err *step_of(struct go *go, const struct place *p, uint32_t *ret)
{
	uint64_t key = (uint64_t)p->type << 32 | (uint32_t)p->offset, found;

	*ret = 0;
	if (!p->type || p->offset >= 1u << 31)
		return NULL;
	if (p->is_key)
		key |= 1u << 31;
	if (hf_map64_find(&go->steps->by_key, key, &found)) {
		*ret = (uint32_t)found;
		return NULL;
	}
	HF_TRY(name_place(go, p, ret));
	return go->steps->by_key.n < KEYS_MAX ? hf_map64_put(&go->steps->by_key, key, *ret) : NULL;
}

/* ---- the pointers of a block ------------------------------------------------------------------------------------ */

struct walk {
	struct go *go;
	uint64_t start; /* of the content */
	uint32_t type, from;
	uint8_t first;
	hf_step_fn *fn;
	void *arg;
	struct hf_err *err;
};

static bool walk_pointer(void *arg, uint64_t slot, uint64_t value)
{
	struct walk *w = arg;
	uint32_t to = go_find_block(w->go, value), step = 0;
	struct place p;

	if (to == HF_NO_BLOCK || to == w->from)
		return true;
	if (slot >= w->start) {
		p = place_of(w->go, w->type, slot - w->start, w->first);
		w->err = step_of(w->go, &p, &step);
	}
	if (!w->err)
		w->err = w->fn(w->arg, to, step);
	return !w->err;
}

struct hf_err *go_walk_steps(struct hf_runtime *rt, uint32_t from, hf_step_fn *fn, void *arg)
{
	struct go *go = (struct go *)rt;
	struct walk w = {.go = go, .from = from, .fn = fn, .arg = arg};
	const struct go_span *span;
	uint64_t type_offset;

	HF_TRY(open_table(go));
	w.type = go_block_type(go, from, &type_offset);
	w.start = go_block_addr(go, from, &span) + type_offset;
	if (go_type_get(go, w.type)->shape == GO_SHAPE_TRIE_NODE &&
	    hf_err_ignore(hf_target_read(go->t, w.start, &w.first, 1)))
		w.first = 0;
	HF_TRY(go_walk_pointers(go, from, walk_pointer, &w));
	return w.err;
}

/* ---- roots ---------------------------------------------------------------------------------------------------------- */

static struct hf_err *add_step(struct hf_root_steps *steps, uint32_t step)
{
	if (steps->n < HF_ROOT_STEPS_MAX && (!steps->n || steps->step[steps->n - 1] != step))
		steps->step[steps->n++] = step;
	return NULL;
}

static struct hf_err *function_step(struct go *go, const char *name, uint64_t entry, uint32_t *ret)
{
	struct hf_stack_frame frame;
	size_t n = 0;
	struct hf_step_info info = {.name = name, .pc = entry};

	if (entry && !hf_err_ignore(go_source_frames(go, entry, &frame, 1, &n)) && n) {
		info.file = frame.file;
		info.line = frame.line;
	}
	return intern(go, &info, ret);
}

static struct hf_err *local_step(struct go *go, const struct go_frame *frame, uint64_t slot,
				 const char *function, struct hf_root_steps *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str name = {0};
	_cleanup_(hf_str_deinit) struct hf_str pool = {0};
	const struct go_local *local;
	const go_locals *locals;
	uint32_t step;

	HF_TRY(go_locals_at(go, frame->pc, &locals));
	local = go_local_find(locals, (int64_t)(slot - frame->cfa), false);
	if (!local)
		return NULL;
	hf_str_addf(&name, "%s.%s", function, local->name);
	if (!local->bare_pointer)
		fold_path(go, local->type,
			  local->piece_offset + (slot - frame->cfa - (uint64_t)local->cfa_offset), &name,
			  &pool);
	HF_TRY(intern_name(go, &name, &pool, &step));
	return add_step(ret, step);
}

/* Where the goroutine began, the function whose frame holds the pointer, its variable. */
static struct hf_err *goroutine_steps(struct go *go, const struct hf_found_root *root,
				      struct hf_root_steps *ret)
{
	const struct go_goroutine *g = &go->goroutines.at[root->owner];
	const char *function = g->function && *g->function ? g->function : "?";
	const struct go_frame *frame = go_frame_of(go, root->owner, root->slot);
	struct go_func f;
	uint32_t step;

	ret->task = root->owner;
	HF_TRY(function_step(go, function,
			     go_find_func(go, g->startpc, &f) && !strcmp(f.name, function) ? f.entry : 0,
			     &step));
	HF_TRY(add_step(ret, step));
	if (!frame || !go_find_func(go, frame->entry, &f))
		return NULL;
	if (strcmp(f.name, function)) {
		HF_TRY(function_step(go, f.name, f.entry, &step));
		HF_TRY(add_step(ret, step));
	}
	return local_step(go, frame, root->slot, f.name, ret);
}

static struct hf_err *global_steps(struct go *go, const struct hf_found_root *root, struct hf_root_steps *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str name = {0};
	_cleanup_(hf_str_deinit) struct hf_str pool = {0};
	const struct hf_variable *variables;
	size_t n;
	uint32_t step;

	go_holder_name(&go->rt, root, &name);
	HF_TRY(intern_name(go, &name, &pool, &step));
	HF_TRY(add_step(ret, step));
	HF_TRY(hf_syms_variables(go->syms, &variables, &n));
	if (root->kind != HF_ROOT_GLOBAL || root->owner >= n)
		return NULL;
	fold_path(go, go_type_of_dwarf(go, variables[root->owner].type),
		  root->slot - variables[root->owner].addr, &name, &pool);
	HF_TRY(intern_name(go, &name, &pool, &step));
	return add_step(ret, step);
}

struct hf_err *go_root_steps(struct hf_runtime *rt, const struct hf_found_root *root,
			     struct hf_root_steps *ret)
{
	struct go *go = (struct go *)rt;
	struct hf_root_steps steps = {.task = UINT32_MAX};
	bool on_stack = root->kind == HF_ROOT_GOROUTINE || root->kind == HF_ROOT_STACK ||
			root->kind == HF_ROOT_REGISTER;

	HF_TRY(open_table(go));
	if (on_stack && root->owner < go->goroutines.n)
		HF_TRY(goroutine_steps(go, root, &steps));
	else
		HF_TRY(global_steps(go, root, &steps));
	*ret = steps;
	return NULL;
}
