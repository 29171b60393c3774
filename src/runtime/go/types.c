#include "pools.h"
#include "types_private.h"

#define STEPS_MAX (4 * GO_MEMBERS_MAX)

struct hf_err *go_types_create(struct go *go)
{
	struct go_types *types = hf_calloc(1, sizeof(*types));

	if (!types)
		return hf_err_nomem();
	go->types = types;
	go_types_add(
		go, &(struct go_type){.name = "?", .name_tried = true, .slots_built = true, .decoded = true});
	HF_TRY(go_types_check(go));
	HF_TRY(hf_vec_push(&types->mask, (struct go_mask){0}));
	hf_vec_each(&go->modules, m) {
		struct hf_scratch scratch = {0};
		const void *bytes = NULL;

		/* Descriptors are read by the ten thousands: one copy of the section serves them all. */
		if (m->etypes > m->types && m->etypes - m->types < 1u << 30 &&
		    hf_err_ignore(hf_target_get(go->t, m->types, m->etypes - m->types, &scratch, &bytes)))
			bytes = NULL;
		HF_TRY(hf_vec_push(&types->section, scratch));
		HF_TRY(hf_vec_push(&types->section_bytes, (const uint8_t *)bytes));
	}
	return NULL;
}

struct hf_err *go_types_own(struct go *go)
{
	struct go_types *types = go->types;

	for (size_t i = 0; i < types->section_bytes.n; i++) {
		const struct go_module *m = &go->modules.at[i];
		struct hf_scratch *copy = &types->section.at[i];
		const uint8_t **at = &types->section_bytes.at[i];

		if (!*at || *at == copy->at)
			continue;
		HF_TRY(hf_vec_reserve(copy, m->etypes - m->types));
		memcpy(copy->at, *at, m->etypes - m->types);
		*at = copy->at;
	}
	return NULL;
}

void go_types_destroy(struct go *go)
{
	struct go_types *types = go->types;

	if (!types)
		return;
	hf_vec_each(&types->section, scratch)
		hf_free(scratch->at);
	hf_vec_deinit(&types->section);
	hf_vec_deinit(&types->section_bytes);
	hf_vec_deinit(&types->all);
	hf_vec_deinit(&types->mask);
	hf_map64_deinit(&types->by_rtype);
	hf_map64_deinit(&types->by_dwarf);
	hf_map64_deinit(&types->by_shape);
	hf_map64_deinit(&types->masks);
	hf_map64_deinit(&types->unknown);
	hf_map64_deinit(&types->chans);
	hf_arena_deinit(&types->arena);
	hf_free(types);
	go->types = NULL;
}

struct go_type *go_types_row(struct go *go, uint32_t id)
{
	return go->types->all.at[id < go->types->all.n ? id : GO_NO_TYPE];
}

const struct go_type *go_type_get(struct go *go, uint32_t id)
{
	struct go_type *row = go_types_row(go, id);

	if (row->decoded)
		return row;
	row->decoded = true;
	if (row->rtype)
		go_rtype_decode(go, row);
	else if (row->dwarf)
		go_dwarf_decode(go, row);
	return row;
}

uint32_t go_types_count(const struct go *go)
{
	return (uint32_t)go->types->all.n;
}

struct hf_err *go_types_check(struct go *go)
{
	return go->types->failed ? hf_err_nomem() : NULL;
}

uint32_t go_types_add(struct go *go, const struct go_type *type)
{
	struct go_types *types = go->types;
	struct go_type *row = hf_arena_alloc(&types->arena, sizeof(*row));

	if (!row || types->all.n >= UINT32_MAX || hf_err_ignore(hf_vec_push(&types->all, row))) {
		types->failed = true;
		return GO_NO_TYPE;
	}
	*row = *type;
	return (uint32_t)types->all.n - 1;
}

static void remember(struct go *go, struct hf_map64 *map, uint64_t key, uint32_t id)
{
	if (hf_err_ignore(hf_map64_put(map, key, id)))
		go->types->failed = true;
}

uint32_t go_type_of_rtype(struct go *go, uint64_t addr)
{
	struct go_rtype r;
	uint64_t found;
	uint32_t id = GO_NO_TYPE;

	if (!addr)
		return GO_NO_TYPE;
	if (hf_map64_find(&go->types->by_rtype, addr, &found))
		return (uint32_t)found;
	if (go_rtype_read(go, addr, &r))
		id = go_types_add(go, &(struct go_type){.rtype = addr});
	remember(go, &go->types->by_rtype, addr, id);
	return id;
}

uint32_t go_type_of_dwarf(struct go *go, uint32_t dwarf_id)
{
	const struct hf_type *type;
	uint64_t found;
	uint32_t id;

	if (!dwarf_id)
		return GO_NO_TYPE;
	if (hf_map64_find(&go->types->by_dwarf, dwarf_id, &found))
		return (uint32_t)found;
	type = hf_type_get(go->syms, dwarf_id);
	if (type->go_rtype && (id = go_type_of_rtype(go, type->go_rtype)))
		go_types_row(go, id)->dwarf = dwarf_id;
	else
		id = go_types_add(go, &(struct go_type){.dwarf = dwarf_id});
	remember(go, &go->types->by_dwarf, dwarf_id, id);
	return id;
}

uint32_t go_type_shape(struct go *go, enum go_shape shape, uint32_t elem, uint64_t code)
{
	uint64_t key = (uint64_t)shape << 56 | (shape == GO_SHAPE_CLOSURE ? code & ((1ull << 48) - 1) : elem);
	uint64_t found;
	uint32_t id;

	if (hf_map64_find(&go->types->by_shape, key, &found))
		return (uint32_t)found;
	id = go_types_add(go, &(struct go_type){.shape = shape, .elem = elem, .code = code, .decoded = true});
	remember(go, &go->types->by_shape, key, id);
	return id;
}

bool go_type_is_shaped(struct go *go, uint32_t id)
{
	struct go_type *row = go_types_row(go, id);

	if (!row->shaped_tried) {
		row->shaped_tried = true;
		row->is_shaped = strstr(go_type_name(go, id), "go.shape.") != NULL;
	}
	return row->is_shaped;
}

uint32_t go_eface_type(struct go *go, uint64_t word)
{
	return go_type_of_rtype(go, word);
}

uint32_t go_iface_type(struct go *go, uint64_t itab)
{
	uint64_t rtype;

	/* internal/abi/iface.go, ITab: Inter, Type, ... Static ones stand in read-only data. */
	if (!hf_map64_find(&go->itab_type, itab, &rtype)) {
		if (hf_err_ignore(hf_target_read_u64(go->t, itab + 8, &rtype)))
			rtype = 0;
		remember(go, &go->itab_type, itab, 0);
		if (rtype && hf_err_ignore(hf_map64_put(&go->itab_type, itab, rtype)))
			go->types->failed = true;
	}
	return go_type_of_rtype(go, rtype);
}

uint32_t go_word_type(struct go *go, uint64_t word)
{
	uint64_t inter;

	if (go_types_module_of(go, word))
		return go_eface_type(go, word);
	if (hf_map64_find(&go->itab_type, word, &inter) ||
	    (!hf_err_ignore(hf_target_read_u64(go->t, word, &inter)) && go_types_module_of(go, inter)))
		return go_iface_type(go, word);
	return GO_NO_TYPE;
}

/* ---- slots ------------------------------------------------------------------------------------------------- */

struct slot_list {
	HF_VEC(struct go_slot) slots;
	bool failed;
};

static void add_slot(struct slot_list *list, enum go_slot_kind kind, uint64_t offset, uint32_t type)
{
	struct go_slot slot = {.offset = offset, .type = type, .kind = (uint8_t)kind};

	if (list->slots.n >= GO_MEMBERS_MAX || hf_err_ignore(hf_vec_push(&list->slots, slot)))
		list->failed = true;
}

/* sync/atomic.Pointer[T] and its like: a [0]*T beside an unsafe.Pointer. Source: Go 1.20-1.27 sync/atomic/type.go. */
static bool is_atomic_pointer(struct go *go, const struct go_type *type, uint64_t *ret_offset,
			      uint32_t *ret_elem)
{
	bool has_elem = false, has_value = false;

	if (type->members_n > 4)
		return false;
	for (uint32_t i = 0; i < type->members_n; i++) {
		const struct go_type *m = go_type_get(go, type->members[i].type);

		if (m->kind == GO_KIND_ARRAY && !m->count &&
		    go_type_get(go, m->elem)->kind == GO_KIND_POINTER) {
			*ret_elem = go_type_get(go, m->elem)->elem;
			has_elem = true;
		} else if (m->kind == GO_KIND_UNSAFE_POINTER) {
			/* weak.Pointer's leads to a handle. Source: Go 1.24-1.27 weak/pointer.go. */
			if (!strcmp(type->members[i].name, "u"))
				return false;
			*ret_offset = type->members[i].offset;
			has_value = true;
		} else if (m->kind == GO_KIND_STRUCT && m->size == 8 && m->members_n && m->members_n <= 2 &&
			   go_type_get(go, m->members[0].type)->kind == GO_KIND_UNSAFE_POINTER) {
			/* internal/runtime/atomic.UnsafePointer {value, noCopy} */
			*ret_offset = type->members[i].offset + m->members[0].offset;
			has_value = true;
		}
	}
	return has_elem && has_value;
}

/* An interface as the runtime, reflect and sync take it apart: {typ, data unsafe.Pointer} by other names. Source: Go
 * 1.20-1.27 runtime/runtime2.go, sync/pool.go (poolDequeue), reflect/value.go, internal/abi/iface.go, sync/atomic/value.go. */
static bool is_apart_interface(struct go *go, uint32_t id, const struct go_type *type, bool *ret_empty)
{
	static const struct {
		const char *name;
		bool empty;
	} names[] = {
		{"runtime.eface", true},
		{"runtime.iface", false},
		{"sync.eface", true},
		{"sync/atomic.efaceWords", true},
		{"reflect.emptyInterface", true},
		{"internal/reflectlite.emptyInterface", true},
		{"internal/abi.EmptyInterface", true},
		{"internal/abi.NonEmptyInterface", false},
	};

	if (type->kind != GO_KIND_STRUCT || type->size != 16 || type->members_n != 2)
		return false;
	for (size_t i = 0; i < HF_LEN(names); i++)
		if (!strcmp(go_type_name(go, id), names[i].name)) {
			*ret_empty = names[i].empty;
			return true;
		}
	return false;
}

/* The runtime's atomic pointers say by their name alone what to. Source: Go 1.20-1.27 internal/runtime/atomic
 * (runtime/internal/atomic up to 1.22), Pointer[T]. */
static bool is_runtime_pointer(struct go *go, uint32_t id, const struct go_type *type, uint32_t *ret_elem)
{
	const char *name = type->size == 8 ? go_type_name(go, id) : "", *args;
	char elem[256];
	size_t n;

	if (strncmp(name, "internal/runtime/atomic.Pointer[", 32) &&
	    strncmp(name, "runtime/internal/atomic.Pointer[", 32))
		return false;
	args = name + 32;
	n = strlen(args);
	if (n < 2 || n > sizeof(elem) || args[n - 1] != ']')
		return false;
	snprintf(elem, sizeof(elem), "%.*s", (int)(n - 1), args);
	*ret_elem = go_type_of_dwarf(go, hf_syms_find_type(go->syms, elem));
	return *ret_elem != GO_NO_TYPE;
}

static bool is_empty_interface(const struct go_type *type)
{
	return type->kind == GO_KIND_INTERFACE && !type->count;
}

static void slots_of_scalar(struct go *go, const struct go_type *type, uint32_t id, uint64_t offset,
			    struct slot_list *list)
{
	switch (type->kind) {
	case GO_KIND_POINTER:
	case GO_KIND_UNSAFE_POINTER:
		/* The shape of pointers, *uint8, stands for any. */
		add_slot(list, GO_SLOT_POINTER, offset,
			 type->elem && !strncmp(go_type_name(go, id), "go.shape.", 9) ? GO_NO_TYPE
										      : type->elem);
		break;
	case GO_KIND_SLICE:
		add_slot(list, GO_SLOT_SLICE, offset, type->elem);
		break;
	case GO_KIND_STRING:
		add_slot(list, GO_SLOT_STRING, offset, GO_NO_TYPE);
		break;
	case GO_KIND_INTERFACE:
		add_slot(list, is_empty_interface(type) ? GO_SLOT_EFACE : GO_SLOT_IFACE, offset, id);
		break;
	case GO_KIND_MAP:
		add_slot(list, GO_SLOT_MAP, offset, id);
		break;
	case GO_KIND_CHAN:
		add_slot(list, GO_SLOT_CHAN, offset, id);
		break;
	case GO_KIND_FUNC:
		add_slot(list, GO_SLOT_FUNC, offset, id);
		break;
	default:
		break;
	}
}

/* {typ_ *abi.Type, ptr unsafe.Pointer, flag}. Source: Go 1.20-1.27 reflect/value.go. */
static bool is_reflect_value(struct go *go, uint32_t id, const struct go_type *type)
{
	return type->size == 24 && type->members_n == 3 && !strcmp(go_type_name(go, id), "reflect.Value");
}

/* sync.Pool {noCopy, local, localSize, victim, victimSize, New}: arrays of poolLocal behind unsafe pointers.
 * Source: Go 1.20-1.27 sync/pool.go. */
static bool is_pool(struct go *go, uint32_t id, const struct go_type *type, uint32_t *ret_local)
{
	if (type->members_n < 5 || !go_type_is_pool(go, id))
		return false;
	*ret_local = go_type_of_dwarf(go, hf_syms_find_type(go->syms, "sync.poolLocal"));
	return *ret_local != GO_NO_TYPE;
}

static void slots_of_pool(const struct go_type *type, uint64_t offset, uint32_t local, struct slot_list *list)
{
	for (uint32_t i = 0; i < type->members_n; i++) {
		const char *name = type->members[i].name;

		if (!strcmp(name, "local") || !strcmp(name, "victim"))
			add_slot(list, GO_SLOT_COUNTED, offset + type->members[i].offset, local);
		else if (!strcmp(name, "New"))
			add_slot(list, GO_SLOT_FUNC, offset + type->members[i].offset, type->members[i].type);
	}
}

/* Flattens nested structs with a stack of our own: the target's types may nest as deep as they like to claim. */
static void slots_of_struct(struct go *go, uint32_t id, struct slot_list *list)
{
	struct {
		uint32_t type, member;
		uint64_t offset;
	} stack[GO_DEPTH_MAX] = {{.type = id}};
	unsigned depth = 1;

	/* A type that contains itself, twice, would be taken apart for ages. */
	for (unsigned steps = 0; depth && !list->failed; steps++) {
		const struct go_type *type = go_type_get(go, stack[depth - 1].type);
		uint64_t base = stack[depth - 1].offset, at = 0;
		uint32_t elem = 0;
		const struct go_member *member;
		const struct go_type *inner;
		bool is_empty;

		list->failed = steps > STEPS_MAX;
		if (stack[depth - 1].member == 0 &&
		    (is_runtime_pointer(go, stack[depth - 1].type, type, &elem) ||
		     is_atomic_pointer(go, type, &at, &elem))) {
			add_slot(list, GO_SLOT_ATOMIC, base + at, elem);
			depth--;
			continue;
		}
		if (stack[depth - 1].member == 0 &&
		    is_apart_interface(go, stack[depth - 1].type, type, &is_empty)) {
			add_slot(list, is_empty ? GO_SLOT_EFACE : GO_SLOT_IFACE, base, stack[depth - 1].type);
			depth--;
			continue;
		}
		if (stack[depth - 1].member == 0 && is_reflect_value(go, stack[depth - 1].type, type)) {
			add_slot(list, GO_SLOT_REFLECT, base, stack[depth - 1].type);
			depth--;
			continue;
		}
		if (stack[depth - 1].member == 0 && is_pool(go, stack[depth - 1].type, type, &elem)) {
			slots_of_pool(type, base, elem, list);
			depth--;
			continue;
		}
		if (stack[depth - 1].member >= type->members_n) {
			depth--;
			continue;
		}
		member = &type->members[stack[depth - 1].member++];
		inner = go_type_get(go, member->type);
		if (inner->kind == GO_KIND_STRUCT) {
			if (depth == GO_DEPTH_MAX)
				continue;
			stack[depth].type = member->type;
			stack[depth].member = 0;
			stack[depth++].offset = base + member->offset;
		} else if (inner->kind == GO_KIND_ARRAY) {
			if (inner->count && inner->ptr_bytes)
				add_slot(list, GO_SLOT_ARRAY, base + member->offset, member->type);
		} else {
			slots_of_scalar(go, inner, member->type, base + member->offset, list);
		}
	}
}

const struct go_slot *go_type_slots(struct go *go, uint32_t id, uint32_t *ret_n)
{
	const struct go_type *type = go_type_get(go, id);
	struct slot_list list = {0};
	struct go_slot *kept;

	if (!type->slots_built) {
		if (type->kind == GO_KIND_STRUCT)
			slots_of_struct(go, id, &list);
		else if (type->kind == GO_KIND_ARRAY && type->count && type->ptr_bytes)
			add_slot(&list, GO_SLOT_ARRAY, 0, id);
		else
			slots_of_scalar(go, type, id, 0, &list);
		if (list.failed)
			go_damage_add(&go->damage[GO_DAMAGE_DESCRIPTORS], type->rtype);
		kept = hf_arena_alloc(&go->types->arena, list.slots.n * sizeof(*kept));
		if (kept && list.slots.n)
			memcpy(kept, list.slots.at, list.slots.n * sizeof(*kept));
		struct go_type *row = go_types_row(go, id);

		row->slots = kept;
		row->slots_n = kept ? (uint32_t)list.slots.n : 0;
		row->slots_built = true;
		hf_vec_deinit(&list.slots);
		type = row;
	}
	*ret_n = type->slots_n;
	return type->slots;
}
