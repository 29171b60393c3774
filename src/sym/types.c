/* Types by id, name and runtime descriptor. */
#include "internal.h"

#define PATH_DEPTH_MAX 8  /* anonymous members within one another */
#define STRIP_MAX      32 /* typedefs of typedefs */

static struct hf_type unknown = {.name = "?"};

uint32_t hf_type_id(struct hf_syms *s, uint64_t key)
{
	uint64_t id;

	if (!key)
		return 0;
	if (hf_map64_find(&s->type_ids, key, &id))
		return (uint32_t)id;
	if (s->types.n >= UINT32_MAX - 1 || hf_err_ignore(hf_vec_reserve(&s->types, 1)) ||
	    hf_err_ignore(hf_map64_put(&s->type_ids, key, s->types.n + 1)))
		return 0;
	s->types.at[s->types.n++] = (struct hf_type_slot){.key = key};
	return (uint32_t)s->types.n;
}

/* DW_AT_go_runtime_type is an offset from moduledata.types; a linker may write the file's address instead. */
static uint64_t rtype_addr(const struct hf_syms *s, uint64_t key, uint64_t value)
{
	uint64_t bias = s->modules.at[HF_KEY_MODULE(key)].bias;

	if (!value || !s->go_types)
		return 0;
	return value + bias - s->go_types < s->go_etypes - s->go_types ? value + bias : s->go_types + value;
}

const struct hf_type *hf_type_get(struct hf_syms *s, uint32_t id)
{
	struct hf_type *t;
	uint64_t key, rtype;

	if (!id || id > s->types.n)
		return &unknown;
	if (s->types.at[id - 1].type)
		return s->types.at[id - 1].type;
	key = s->types.at[id - 1].key;
	t = hf_type_decode(s, s->modules.at[HF_KEY_MODULE(key)].dwarf, key, &rtype);
	if (!t)
		t = &unknown;
	else if (rtype && !hf_err_ignore(hf_map64_put(&s->go_rtypes, id, rtype)))
		t->go_rtype = rtype_addr(s, key, rtype);
	s->types.at[id - 1].type = t;
	return t;
}

const struct hf_type *hf_type_strip(struct hf_syms *s, uint32_t id)
{
	const struct hf_type *t = hf_type_get(s, id);

	for (int i = 0; i < STRIP_MAX && t->kind == HF_TYPE_TYPEDEF; i++)
		t = hf_type_get(s, t->elem);
	return t->kind == HF_TYPE_TYPEDEF ? &unknown : t;
}

/* In one module. C's keyword, where the name has one, says which class. */
static uint32_t find_in(struct hf_syms *s, struct hf_dwarf *d, const char *name)
{
	static const struct {
		const char *word;
		enum hf_die_class class;
	} classes[] = {{"", HF_DIE_TYPE},
		       {"struct ", HF_DIE_STRUCT},
		       {"union ", HF_DIE_UNION},
		       {"enum ", HF_DIE_ENUM}};
	uint64_t key;

	for (size_t i = 0; i < HF_LEN(classes); i++)
		if (hf_dwarf_find(d, classes[i].class, name, &key))
			return hf_type_id(s, hf_dwarf_type_key(d, key));
	for (size_t i = 1; i < HF_LEN(classes); i++) {
		size_t n = strlen(classes[i].word);

		if (!strncmp(name, classes[i].word, n) && hf_dwarf_find(d, classes[i].class, name + n, &key))
			return hf_type_id(s, key);
	}
	return 0;
}

uint32_t hf_syms_find_type(struct hf_syms *s, const char *name)
{
	struct hf_dwarf *d = NULL;
	size_t i = 0;
	uint32_t id;

	while ((d = hf_dwarf_each(s, &i))) {
		id = find_in(s, d, name);
		if (id)
			return id;
	}
	return 0;
}

uint32_t hf_syms_find_go_rtype(struct hf_syms *s, uint64_t addr)
{
	struct hf_dwarf *d = NULL;
	size_t i = 0;
	uint64_t key = 0;

	if (!addr || addr - s->go_types >= s->go_etypes - s->go_types)
		return 0;
	while (!key && (d = hf_dwarf_each(s, &i))) {
		key = hf_dwarf_find_go_rtype(d, addr - s->go_types);
		if (!key)
			key = hf_dwarf_find_go_rtype(d, addr - s->modules.at[i - 1].bias);
	}
	return hf_type_id(s, key);
}

void hf_syms_set_go_types(struct hf_syms *s, uint64_t types_addr, uint64_t etypes_addr)
{
	s->go_types = types_addr;
	s->go_etypes = hf_max(types_addr, etypes_addr);
	for (size_t i = 0; i < s->types.n; i++) {
		struct hf_type_slot *slot = &s->types.at[i];
		uint64_t value;

		if (slot->type && hf_map64_find(&s->go_rtypes, i + 1, &value))
			slot->type->go_rtype = rtype_addr(s, slot->key, value);
	}
}

/* ---- members by path ---------------------------------------------------------------------------------- */

/* The member of that name (n bytes), also within anonymous members; the offset is from the start of t. */
static bool find_member(struct hf_syms *s, const struct hf_type *t, const char *name, size_t n, int depth,
			struct hf_field *ret)
{
	for (uint32_t i = 0; i < t->members_n; i++) {
		const struct hf_member *m = &t->members[i];

		if (strlen(m->name) == n && !memcmp(m->name, name, n)) {
			*ret = (struct hf_field){m->offset, hf_type_get(s, m->type)->size, m->type,
						 m->bit_size};
			return true;
		}
	}
	for (uint32_t i = 0; i < t->members_n && depth < PATH_DEPTH_MAX; i++) {
		const struct hf_member *m = &t->members[i];

		if (!m->name[0] && find_member(s, hf_type_strip(s, m->type), name, n, depth + 1, ret)) {
			ret->offset += m->offset;
			return true;
		}
	}
	return false;
}

bool hf_type_find_member(struct hf_syms *s, uint32_t structure, const char *name, size_t n,
			 struct hf_field *ret)
{
	return find_member(s, hf_type_strip(s, structure), name, n, 0, ret);
}

bool hf_syms_find_field(struct hf_syms *s, const char *structure, const char *path, struct hf_field *ret)
{
	struct hf_field at = {.type = hf_syms_find_type(s, structure)}, next;

	if (!at.type || !*path)
		return false;
	for (;;) {
		size_t n = strcspn(path, ".");

		if (!find_member(s, hf_type_strip(s, at.type), path, n, 0, &next))
			return false;
		next.offset += at.offset;
		at = next;
		if (!path[n])
			break;
		path += n + 1;
	}
	*ret = at;
	return true;
}

/* ---- and back ------------------------------------------------------------------------------------------ */

bool hf_type_prototype(struct hf_syms *s, uint32_t id, struct hf_prototype *ret)
{
	uint64_t key;

	if (hf_type_get(s, id)->kind != HF_TYPE_FUNCTION)
		return false;
	key = s->types.at[id - 1].key;
	return hf_dwarf_prototype(s, s->modules.at[HF_KEY_MODULE(key)].dwarf, key, ret);
}

/* The last member that begins at or before an offset, and reaches it; of a union: the first that does. */
static const struct hf_member *member_at(struct hf_syms *s, const struct hf_type *t, uint64_t offset)
{
	const struct hf_member *best = NULL;

	for (uint32_t i = 0; i < t->members_n && t->members[i].offset <= offset; i++) {
		const struct hf_member *m = &t->members[i];

		if (offset - m->offset >= hf_max(hf_type_get(s, m->type)->size, (uint64_t)1))
			continue;
		best = m;
		if (t->kind == HF_TYPE_UNION)
			break;
	}
	return best;
}

void hf_type_path(struct hf_syms *s, uint32_t type, uint64_t offset, struct hf_str *ret)
{
	for (int depth = 0; depth < STRIP_MAX; depth++) {
		const struct hf_type *t = hf_type_strip(s, type);
		const struct hf_member *m;
		uint64_t size;

		if (t->kind == HF_TYPE_STRUCT || t->kind == HF_TYPE_UNION) {
			m = member_at(s, t, offset);
			if (!m)
				break;
			hf_str_addf(ret, "%s%s", m->name[0] ? "." : "", m->name);
			type = m->type;
			offset -= m->offset;
		} else if (t->kind == HF_TYPE_ARRAY) {
			size = hf_type_get(s, t->elem)->size;
			/* Rows of rows are one array here: its elements are counted through. */
			if (!size)
				break;
			hf_str_addf(ret, "[%" PRIu64 "]", offset / size);
			offset %= size;
			type = t->elem;
		} else {
			break;
		}
	}
	if (offset)
		hf_str_addf(ret, "+%" PRIu64, offset);
}
