/* Types of variables that have no descriptor in the executable: from DWARF. */
#include "types_private.h"

/* Named types are typedefs of unnamed ones: looked through, with a bound. */
static const struct hf_type *underlying(struct go *go, const struct hf_type *type)
{
	for (int i = 0; i < GO_DEPTH_MAX && type->kind == HF_TYPE_TYPEDEF; i++)
		type = hf_type_get(go->syms, type->elem);
	return type;
}

static void decode_members(struct go *go, const struct hf_type *type, struct go_type *row)
{
	struct go_member *members;

	if (type->members_n > GO_MEMBERS_MAX)
		return;
	members = hf_arena_alloc(&go->types->arena, type->members_n * sizeof(*members));
	if (!members) {
		go->types->failed = true;
		return;
	}
	for (uint32_t i = 0; i < type->members_n; i++)
		members[i] = (struct go_member){
			.name = type->members[i].name,
			.type = go_type_of_dwarf(go, type->members[i].type),
			.offset = type->members[i].offset,
			.embedded = type->members[i].embedded,
		};
	row->members = members;
	row->members_n = type->members_n;
}

/* The kind where the attribute is absent (older toolchains leave it out of some). */
static uint8_t guess_kind(const struct hf_type *type)
{
	switch (type->kind) {
	case HF_TYPE_POINTER:
		return type->elem ? GO_KIND_POINTER : GO_KIND_UNSAFE_POINTER;
	case HF_TYPE_ARRAY:
		return GO_KIND_ARRAY;
	case HF_TYPE_FUNCTION:
		return GO_KIND_FUNC;
	case HF_TYPE_STRUCT:
		if (!strcmp(type->name, "string"))
			return GO_KIND_STRING;
		if (!strncmp(type->name, "[]", 2))
			return GO_KIND_SLICE;
		if (!strcmp(type->name, "runtime.eface") || !strcmp(type->name, "runtime.iface"))
			return GO_KIND_INTERFACE;
		return GO_KIND_STRUCT;
	default:
		return GO_KIND_INVALID;
	}
}

/* Pointer words do not follow from DWARF's size alone, only whether there are any; an upper bound serves. */
static uint64_t pointer_bytes(const struct go_type *row)
{
	return row->kind >= GO_KIND_ARRAY ? row->size : 0;
}

static uint32_t slice_elem(struct go *go, const struct hf_type *type)
{
	if (type->go_elem)
		return go_type_of_dwarf(go, type->go_elem);
	if (type->kind == HF_TYPE_STRUCT && type->members_n)
		return go_type_of_dwarf(go, hf_type_strip(go->syms, type->members[0].type)->elem);
	return GO_NO_TYPE;
}

void go_dwarf_decode(struct go *go, struct go_type *row)
{
	const struct hf_type *named = hf_type_get(go->syms, row->dwarf), *type = underlying(go, named);
	uint8_t kind = named->go_kind ? named->go_kind : type->go_kind ? type->go_kind : guess_kind(type);
	const struct hf_type *with_elem = named->go_elem ? named : type;

	row->kind = kind & GO_KIND_MASK;
	row->size = type->size;
	row->name = named->name;
	row->name_tried = true;
	switch (row->kind) {
	case GO_KIND_ARRAY:
		row->count = type->count;
		row->elem = go_type_of_dwarf(go, type->elem);
		break;
	case GO_KIND_POINTER:
		row->elem = go_type_of_dwarf(go, type->elem);
		break;
	case GO_KIND_SLICE:
		row->elem = slice_elem(go, with_elem);
		break;
	case GO_KIND_CHAN:
		row->elem = go_type_of_dwarf(go, with_elem->go_elem);
		break;
	case GO_KIND_MAP:
		row->key = go_type_of_dwarf(go, named->go_key ? named->go_key : type->go_key);
		row->elem = go_type_of_dwarf(go, with_elem->go_elem);
		break;
	case GO_KIND_INTERFACE:
		row->count = !strcmp(type->name, "runtime.iface");
		break;
	case GO_KIND_STRUCT:
		decode_members(go, type, row);
		break;
	default:
		break;
	}
	row->ptr_bytes = pointer_bytes(row);
}
