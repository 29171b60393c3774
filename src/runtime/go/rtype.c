/* The runtime's own type descriptors. Source: Go 1.20-1.27 internal/abi/type.go (1.20: runtime/type.go, same bytes). */
#include "types_private.h"

/* Offsets behind the common part, by kind. */
#define ELEM_AT       48 /* pointer, slice, array, chan */
#define ARRAY_LEN_AT  64
#define CHAN_DIR_AT   56
#define MAP_KEY_AT    48
#define MAP_ELEM_AT   56
#define MAP_GROUP_AT  64 /* old maps: bucket */
#define METHODS_N_AT  64 /* interface: length of the slice of methods at 56 */
#define FUNC_IN_AT    48 /* func: two bytes, then as many for the results */
#define FUNC_OUT_AT   50
#define FIELDS_AT     56 /* struct: slice of {name, type, offset} */
#define FIELD_SIZE    24
#define UNCOMMON_SIZE 16

const struct go_module *go_types_module(const struct go *go, uint64_t rtype)
{
	hf_vec_each(&go->modules, m)
		if (rtype >= m->types && rtype < m->etypes)
			return m;
	return NULL;
}

bool go_types_module_of(const struct go *go, uint64_t rtype)
{
	return go_types_module(go, rtype) != NULL;
}

const uint8_t *go_rtype_bytes(struct go *go, uint64_t addr, size_t len, uint8_t *buf)
{
	for (size_t i = 0; i < go->modules.n && i < go->types->section_bytes.n; i++) {
		const struct go_module *m = &go->modules.at[i];

		if (addr >= m->types && addr < m->etypes && len <= m->etypes - addr &&
		    go->types->section_bytes.at[i])
			return go->types->section_bytes.at[i] + (addr - m->types);
	}
	return hf_err_ignore(hf_target_read(go->t, addr, buf, len)) ? NULL : buf;
}

static uint64_t word_at(struct go *go, uint64_t addr)
{
	uint8_t buf[8];
	const uint8_t *p = go_rtype_bytes(go, addr, 8, buf);

	return p ? hf_load_u64(p) : 0;
}

bool go_kind_has_size(uint8_t kind, uint64_t size)
{
	static const uint8_t sizes[] = {
		[GO_KIND_BOOL] = 1,        [GO_KIND_INT] = 8,     [GO_KIND_INT8] = 1,
		[GO_KIND_INT16] = 2,       [GO_KIND_INT32] = 4,   [GO_KIND_INT64] = 8,
		[GO_KIND_UINT] = 8,        [GO_KIND_UINT8] = 1,   [GO_KIND_UINT16] = 2,
		[GO_KIND_UINT32] = 4,      [GO_KIND_UINT64] = 8,  [GO_KIND_UINTPTR] = 8,
		[GO_KIND_FLOAT32] = 4,     [GO_KIND_FLOAT64] = 8, [GO_KIND_COMPLEX64] = 8,
		[GO_KIND_COMPLEX128] = 16, [GO_KIND_CHAN] = 8,    [GO_KIND_FUNC] = 8,
		[GO_KIND_INTERFACE] = 16,  [GO_KIND_MAP] = 8,     [GO_KIND_POINTER] = 8,
		[GO_KIND_SLICE] = 24,      [GO_KIND_STRING] = 16, [GO_KIND_UNSAFE_POINTER] = 8,
	};

	return kind < HF_LEN(sizes) && (!sizes[kind] || sizes[kind] == size);
}

bool go_rtype_read(struct go *go, uint64_t addr, struct go_rtype *ret)
{
	uint8_t buf[GO_RTYPE_SIZE];
	const uint8_t *p = addr % 8 ? NULL : go_rtype_bytes(go, addr, sizeof(buf), buf);

	if (!p)
		return false;
	*ret = (struct go_rtype){
		.addr = addr,
		.size = hf_load_u64(p),
		.ptr_bytes = hf_load_u64(p + 8),
		.tflag = p[20],
		.kind = p[23],
		.gcdata = hf_load_u64(p + 32),
		.str = hf_load_u32(p + 40),
	};
	uint8_t kind = ret->kind & GO_KIND_MASK;

	return kind >= GO_KIND_BOOL && go_kind_has_size(kind, ret->size) && ret->size < 1ull << 47 &&
	       ret->ptr_bytes <= ret->size && ret->ptr_bytes % 8 == 0;
}

/* A varint length and as many bytes, into the arena; NULL where it is empty, too long or unreadable. *ret_next: what follows. */
static const char *counted_string(struct go *go, uint64_t addr, uint64_t *ret_next)
{
	uint8_t head[4], *buf = NULL;
	const uint8_t *p = go_rtype_bytes(go, addr, 3, head);
	uint64_t len = 0;
	unsigned i = 0, shift = 0;
	char *text = NULL;

	if (!p)
		return NULL;
	/* Two length bytes reach 16383, beyond our limit. */
	do {
		len |= (uint64_t)(p[i] & 0x7f) << shift;
		shift += 7;
	} while (p[i++] & 0x80 && i < 3);
	*ret_next = addr + i + len;
	if (!len || len > GO_NAME_MAX)
		return NULL;
	buf = hf_malloc(len);
	p = buf ? go_rtype_bytes(go, addr + i, len, buf) : NULL;
	if (p)
		text = hf_arena_strndup(&go->types->arena, (const char *)p, len);
	hf_free(buf);
	return text;
}

/* Name: flags, length, bytes; then, where the flags say so, a tag of the same form. Source: Go 1.20-1.27
 * internal/abi/type.go, Name (1.20: reflect/type.go, name). */
const char *go_rtype_name_at(struct go *go, uint64_t addr, uint8_t *ret_flags)
{
	uint8_t flags;
	const uint8_t *p = addr ? go_rtype_bytes(go, addr, 1, &flags) : NULL;
	const char *name;
	uint64_t next;

	if (!p)
		return "";
	if (ret_flags)
		*ret_flags = *p;
	name = counted_string(go, addr + 1, &next);
	return name ? name : "";
}

const char *go_rtype_tag_at(struct go *go, uint64_t addr)
{
	uint64_t next = 0;

	(void)counted_string(go, addr + 1, &next);
	return next ? counted_string(go, next, &next) : NULL;
}

const char *go_rtype_string(struct go *go, const struct go_rtype *r)
{
	const struct go_module *m = go_types_module(go, r->addr);
	const char *name;

	if (!m || !r->str)
		return "";
	name = go_rtype_name_at(go, m->types + r->str, NULL);
	return r->tflag & GO_TFLAG_EXTRA_STAR && name[0] == '*' ? name + 1 : name;
}

/* Where the uncommon part stands: behind the kind's own. */
static uint64_t uncommon_offset(const struct go *go, uint8_t kind)
{
	switch (kind) {
	case GO_KIND_STRUCT:
	case GO_KIND_INTERFACE:
		return 80;
	case GO_KIND_POINTER:
	case GO_KIND_SLICE:
	case GO_KIND_FUNC:
		return 56;
	case GO_KIND_CHAN:
		return 64;
	case GO_KIND_ARRAY:
		return 72;
	case GO_KIND_MAP:
		return !go->layout.swiss_maps ? 88 : go->layout.minor >= 27 ? 128 : 112;
	default:
		return GO_RTYPE_SIZE;
	}
}

const char *go_rtype_pkg_path(struct go *go, const struct go_rtype *r)
{
	const struct go_module *m = go_types_module(go, r->addr);
	uint8_t buf[4];
	const uint8_t *p;
	uint32_t off;

	if (!m || !(r->tflag & GO_TFLAG_UNCOMMON))
		return "";
	p = go_rtype_bytes(go, r->addr + uncommon_offset(go, r->kind & GO_KIND_MASK), 4, buf);
	off = p ? hf_load_u32(p) : 0;
	return off ? go_rtype_name_at(go, m->types + off, NULL) : "";
}

/* Each member takes its bytes in a module; what was made at run time, by reflection, is little. */
static uint64_t members_max(const struct go *go)
{
	uint64_t bytes = 0;

	hf_vec_each(&go->modules, m)
		bytes += m->etypes > m->types ? hf_min(m->etypes - m->types, (uint64_t)1 << 30) : 0;
	return bytes / FIELD_SIZE + 16 * (uint64_t)GO_MEMBERS_MAX;
}

static void decode_struct(struct go *go, struct go_type *row)
{
	uint64_t fields = word_at(go, row->rtype + FIELDS_AT), n = word_at(go, row->rtype + FIELDS_AT + 8);
	struct go_member *members;
	uint32_t kept = 0;

	go->types->members += hf_min(n, (uint64_t)GO_MEMBERS_MAX);
	if (n > GO_MEMBERS_MAX || go->types->members > members_max(go)) {
		go_damage_add(&go->damage[GO_DAMAGE_DESCRIPTORS], row->rtype);
		return;
	}
	members = hf_arena_alloc(&go->types->arena, n * sizeof(*members));
	if (!members) {
		go->types->failed = true;
		return;
	}
	for (uint64_t i = 0; i < n; i++) {
		uint8_t buf[FIELD_SIZE], flags = 0;
		const uint8_t *p = go_rtype_bytes(go, fields + i * FIELD_SIZE, sizeof(buf), buf);
		uint64_t name, type, offset;

		if (!p) {
			go_damage_add(&go->damage[GO_DAMAGE_DESCRIPTORS], row->rtype);
			break;
		}
		name = hf_load_u64(p);
		type = hf_load_u64(p + 8);
		offset = hf_load_u64(p + 16);
		if (offset > row->size)
			continue;
		members[kept].name = go_rtype_name_at(go, name, &flags);
		members[kept].embedded = flags & 8;
		members[kept].tag = flags & 2 ? go_rtype_tag_at(go, name) : NULL;
		members[kept].offset = offset;
		members[kept++].type = go_type_of_rtype(go, type);
	}
	row->members = members;
	row->members_n = kept;
}

void go_rtype_decode(struct go *go, struct go_type *row)
{
	const struct go_layout *l = &go->layout;
	struct go_rtype r;

	if (!go_rtype_read(go, row->rtype, &r))
		return;
	row->kind = r.kind & GO_KIND_MASK;
	row->size = r.size;
	row->ptr_bytes = r.ptr_bytes;
	row->direct_iface = (r.tflag & l->direct_iface_tflag) || (r.kind & l->direct_iface_kind);
	switch (row->kind) {
	case GO_KIND_ARRAY:
		row->count = word_at(go, r.addr + ARRAY_LEN_AT);
		/* fall through */
	case GO_KIND_POINTER:
	case GO_KIND_SLICE:
	case GO_KIND_CHAN:
		row->elem = go_type_of_rtype(go, word_at(go, r.addr + ELEM_AT));
		break;
	case GO_KIND_MAP:
		row->key = go_type_of_rtype(go, word_at(go, r.addr + MAP_KEY_AT));
		row->elem = go_type_of_rtype(go, word_at(go, r.addr + MAP_ELEM_AT));
		row->group = go_type_of_rtype(go, word_at(go, r.addr + MAP_GROUP_AT));
		break;
	case GO_KIND_INTERFACE:
		row->count = word_at(go, r.addr + METHODS_N_AT);
		break;
	case GO_KIND_STRUCT:
		decode_struct(go, row);
		break;
	default:
		break;
	}
}

/* The results follow the parameters, behind the uncommon part. The top bit of their number is another flag. Source: Go
 * 1.20-1.27 internal/abi/type.go, FuncType. */
static uint32_t result_of_rtype(struct go *go, uint64_t rtype, unsigned i)
{
	uint8_t buf[4];
	const uint8_t *p = go_rtype_bytes(go, rtype + FUNC_IN_AT, sizeof(buf), buf);
	struct go_rtype r;

	if (!p || hf_load_u16(p) || i >= (hf_load_u16(p + FUNC_OUT_AT - FUNC_IN_AT) & 0x7fff) ||
	    !go_rtype_read(go, rtype, &r))
		return GO_NO_TYPE;
	return go_type_of_rtype(go, word_at(go, rtype + uncommon_offset(go, GO_KIND_FUNC) +
							(r.tflag & GO_TFLAG_UNCOMMON ? UNCOMMON_SIZE : 0) +
							8 * (uint64_t)i));
}

/* Where the first of several types of a list ends. */
static size_t element_length(const char *list)
{
	size_t n;
	int depth = 0;

	for (n = 0; list[n]; n++) {
		depth += strchr("([{", list[n]) != NULL;
		depth -= strchr(")]}", list[n]) != NULL;
		if (depth < 0 || (!depth && list[n] == ','))
			break;
	}
	return n;
}

uint32_t go_func_result(struct go *go, uint32_t type, unsigned i)
{
	const struct go_type *row = go_type_get(go, type);
	const char *name;
	char one[GO_NAME_MAX];
	size_t n;

	if (row->kind != GO_KIND_FUNC)
		return GO_NO_TYPE;
	if (row->rtype)
		return result_of_rtype(go, row->rtype, i);
	/* DWARF's types without a descriptor: "func() T", "func() (A, B)". */
	name = go_type_name(go, type);
	if (strncmp(name, "func() ", 7))
		return GO_NO_TYPE;
	name += 7;
	if (*name != '(')
		return i ? GO_NO_TYPE : go_type_of_dwarf(go, hf_syms_find_type(go->syms, name));
	for (name++; n = element_length(name), i; i--) {
		if (name[n] != ',')
			return GO_NO_TYPE;
		name += n + 1;
		name += *name == ' ';
	}
	if (!n || n >= sizeof(one))
		return GO_NO_TYPE;
	snprintf(one, sizeof(one), "%.*s", (int)n, name);
	return go_type_of_dwarf(go, hf_syms_find_type(go->syms, one));
}
