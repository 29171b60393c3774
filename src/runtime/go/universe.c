/* All type descriptors of a program, by their form. Source: Go 1.20-1.27 internal/abi/type.go, reflect/type.go. */
#include "infer.h"

#define ALIGN_AT       21
#define FIELD_ALIGN_AT 22
#define FLAGS_MAX      64

/* Sizes that go with a kind; 0: any. */
static const uint8_t kind_size[] = {
	[GO_KIND_BOOL] = 1,    [GO_KIND_INT] = 8,     [GO_KIND_INT8] = 1,       [GO_KIND_INT16] = 2,
	[GO_KIND_INT32] = 4,   [GO_KIND_INT64] = 8,   [GO_KIND_UINT] = 8,       [GO_KIND_UINT8] = 1,
	[GO_KIND_UINT16] = 2,  [GO_KIND_UINT32] = 4,  [GO_KIND_UINT64] = 8,     [GO_KIND_UINTPTR] = 8,
	[GO_KIND_FLOAT32] = 4, [GO_KIND_FLOAT64] = 8, [GO_KIND_COMPLEX64] = 8,  [GO_KIND_COMPLEX128] = 16,
	[GO_KIND_CHAN] = 8,    [GO_KIND_FUNC] = 8,    [GO_KIND_INTERFACE] = 16, [GO_KIND_MAP] = 8,
	[GO_KIND_POINTER] = 8, [GO_KIND_SLICE] = 24,  [GO_KIND_STRING] = 16,    [GO_KIND_UNSAFE_POINTER] = 8,
};

static bool is_alignment(uint8_t n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

static uint64_t pointer_bytes_of(uint8_t kind)
{
	switch (kind) {
	case GO_KIND_INTERFACE:
		return 16;
	case GO_KIND_CHAN:
	case GO_KIND_FUNC:
	case GO_KIND_MAP:
	case GO_KIND_POINTER:
	case GO_KIND_SLICE:
	case GO_KIND_STRING:
	case GO_KIND_UNSAFE_POINTER:
		return 8;
	default:
		return 0;
	}
}

/* What a word of the section must say to be looked at more closely: local bytes only. */
static bool looks_like(const uint8_t *p)
{
	uint64_t size = hf_load_u64(p), ptr_bytes = hf_load_u64(p + 8);
	uint8_t kind = p[23] & GO_KIND_MASK;

	if (size >> 40 || ptr_bytes > size || ptr_bytes % 8 || p[20] >= FLAGS_MAX ||
	    !is_alignment(p[ALIGN_AT]) || p[ALIGN_AT] != p[FIELD_ALIGN_AT] || kind < GO_KIND_BOOL ||
	    kind > GO_KIND_UNSAFE_POINTER)
		return false;
	if (kind_size[kind] && (size != kind_size[kind] || ptr_bytes != pointer_bytes_of(kind)))
		return false;
	return size % p[ALIGN_AT] == 0 && hf_load_u32(p + 40);
}

static bool is_text(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((uint8_t)*s < ' ' || *s == 127)
			return false;
	return true;
}

static bool is_descriptor(struct go *go, uint64_t addr)
{
	struct go_rtype r;
	uint8_t buf[8];
	const uint8_t *p;

	if (!go_rtype_read(go, addr, &r) || !is_text(go_rtype_string(go, &r)))
		return false;
	switch (r.kind & GO_KIND_MASK) {
	case GO_KIND_POINTER:
	case GO_KIND_SLICE:
	case GO_KIND_CHAN:
	case GO_KIND_ARRAY:
	case GO_KIND_MAP:
		p = go_rtype_bytes(go, addr + GO_RTYPE_SIZE, 8, buf);
		return p && go_types_module_of(go, hf_load_u64(p)) && hf_load_u64(p) % 8 == 0;
	case GO_KIND_STRUCT:
		p = go_rtype_bytes(go, addr + 64, 8, buf); /* the number of fields */
		return p && hf_load_u64(p) <= GO_MEMBERS_MAX && (hf_load_u64(p) || !r.size);
	default:
		return true;
	}
}

static struct hf_err *add_type(struct go *go, struct go_universe *u, uint64_t addr)
{
	uint32_t id = go_type_of_rtype(go, addr);
	const struct go_type *type = go_type_get(go, id);
	uint64_t other;

	if (!id)
		return NULL;
	HF_TRY(hf_vec_push(&u->types, id));
	HF_TRY(hf_map64_put(&u->known, addr, id));
	/* Named types share these with the unnamed one, whose name says more. */
	if (type->kind == GO_KIND_MAP && type->group &&
	    (!hf_map64_find(&u->map_of_group, type->group, &other) ||
	     !strncmp(go_type_name(go, id), "map[", 4)))
		HF_TRY(hf_map64_put(&u->map_of_group, type->group, id));
	if (type->kind == GO_KIND_CHAN && type->elem &&
	    (!hf_map64_find(&u->chan_of_elem, type->elem, &other) ||
	     !strncmp(go_type_name(go, id), "chan ", 5)))
		HF_TRY(hf_map64_put(&u->chan_of_elem, type->elem, id));
	return NULL;
}

/* What a group or bucket consists of is never allocated alone. */
static struct hf_err *add_parts(struct go *go, struct go_universe *u, uint32_t group)
{
	const struct go_type *type = go_type_get(go, group);

	for (uint32_t i = 0; i < type->members_n; i++) {
		const struct go_type *member = go_type_get(go, type->members[i].type);

		if (member->kind == GO_KIND_ARRAY && !strcmp(type->members[i].name, "slots")) {
			HF_TRY(hf_map64_put(&u->parts, type->members[i].type, 1));
			HF_TRY(hf_map64_put(&u->parts, member->elem, 1));
		}
	}
	return NULL;
}

struct hf_err *go_universe_init(struct go *go, struct go_universe *ret)
{
	for (size_t i = 0; i < go->modules.n && i < go->types->section_bytes.n; i++) {
		const struct go_module *m = &go->modules.at[i];
		const uint8_t *bytes = go->types->section_bytes.at[i];

		for (uint64_t at = 0; bytes && at + GO_RTYPE_SIZE <= m->etypes - m->types; at += 8) {
			if (at % (1u << 20) == 0)
				HF_TRY(hf_interrupt_check());
			if (looks_like(bytes + at) && is_descriptor(go, m->types + at))
				HF_TRY(add_type(go, ret, m->types + at));
		}
	}
	hf_vec_each(&ret->types, id)
		if (hf_map64_find(&ret->map_of_group, *id, &(uint64_t){0}))
			HF_TRY(add_parts(go, ret, *id));
	return go_types_check(go);
}

void go_universe_deinit(struct go_universe *u)
{
	hf_vec_deinit(&u->types);
	hf_map64_deinit(&u->known);
	hf_map64_deinit(&u->map_of_group);
	hf_map64_deinit(&u->chan_of_elem);
	hf_map64_deinit(&u->parts);
}

bool go_universe_has(const struct go_universe *u, uint64_t rtype, uint32_t *ret)
{
	uint64_t found;

	if (!rtype || !hf_map64_find(&u->known, rtype, &found))
		return false;
	*ret = (uint32_t)found;
	return true;
}
