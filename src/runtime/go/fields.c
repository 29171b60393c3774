/* Fields by their path, and their values as text. */
#include "names.h"
#include "types_private.h"

#define EMBEDDED_MAX 64 /* structs that are looked through for a promoted field */
#define TEXT_DEPTH   6
#define TEXT_SHOWN   256
#define VALUE_MAX    4096
#define LISTED       400 /* bytes of field names in an error */

/* ---- finding ------------------------------------------------------------------------------------------------- */

static bool is_called(const struct go_member *m, const char *name, size_t n, bool wire)
{
	struct go_wire w;

	if (!wire)
		return strlen(m->name) == n && !strncmp(m->name, name, n);
	if (!go_tag_read(m->tag, &w))
		return false;
	return (strlen(w.name) == n && !strncmp(w.name, name, n)) ||
	       (n > 5 && !strncmp(name, "Field", 5) && strlen(w.id) == n - 5 &&
		!strncmp(w.id, name + 5, n - 5));
}

/* A member by name, promoted ones of embedded structs, too, the least deep first; *ret_offset: of what holds it. */
static const struct go_member *find_member(struct go *go, uint32_t type, const char *name, size_t n,
					   bool wire, uint64_t *ret_offset)
{
	struct {
		uint32_t type;
		uint64_t offset;
	} queue[EMBEDDED_MAX] = {{type, 0}};
	unsigned end = 1;

	for (unsigned at = 0; at < end; at++) {
		const struct go_type *row = go_type_get(go, queue[at].type);

		for (uint32_t i = 0; i < row->members_n; i++) {
			const struct go_member *m = &row->members[i];

			if (is_called(m, name, n, wire)) {
				*ret_offset = queue[at].offset;
				return m;
			}
			if (m->embedded && end < EMBEDDED_MAX &&
			    go_type_get(go, m->type)->kind == GO_KIND_STRUCT) {
				queue[end].type = m->type;
				queue[end++].offset = queue[at].offset + m->offset;
			}
		}
	}
	return NULL;
}

static struct hf_err *no_field(struct go *go, uint32_t type, const char *name, size_t n)
{
	const struct go_type *row = go_type_get(go, type);
	struct hf_str list = {0};
	struct hf_err *err;

	if (row->kind != GO_KIND_STRUCT)
		return hf_err(HF_USAGE, "%s has no fields, so no '%.*s'", go_type_name(go, type), (int)n,
			      name);
	for (uint32_t i = 0; i < row->members_n && list.n < LISTED; i++)
		hf_str_addf(&list, "%s%s", i ? ", " : "", row->members[i].name);
	err = hf_err(HF_USAGE, "%s has no field '%.*s'; it has %s", go_type_name(go, type), (int)n, name,
		     list.n ? hf_str_get(&list) : "none");
	hf_str_deinit(&list);
	return err;
}

/* Shows more than numbers. */
static bool holds_text(struct go *go, uint32_t type, unsigned depth)
{
	const struct go_type *row = go_type_get(go, type);

	if (depth > TEXT_DEPTH || row->kind == GO_KIND_STRING || row->kind == GO_KIND_INTERFACE)
		return true;
	if (row->kind == GO_KIND_ARRAY || row->kind == GO_KIND_SLICE)
		return go_type_get(go, row->elem)->kind == GO_KIND_UINT8 ||
		       (row->kind == GO_KIND_ARRAY && holds_text(go, row->elem, depth + 1));
	if (row->kind == GO_KIND_POINTER)
		return go_type_get(go, row->elem)->kind == GO_KIND_STRING;
	for (uint32_t i = 0; row->kind == GO_KIND_STRUCT && i < row->members_n; i++)
		if (holds_text(go, row->members[i].type, depth + 1))
			return true;
	return false;
}

struct hf_err *go_find_field(struct hf_runtime *rt, uint32_t type, const char *path, struct hf_field_way *ret)
{
	struct go *go = (struct go *)rt;
	struct hf_field_way way = {.n = 1, .tags = ""};
	const struct go_member *m = NULL;
	struct hf_str tags = {0};

	for (const char *word = path;; word++) {
		size_t n = strcspn(word, ".");
		uint64_t offset = 0;

		if (go_type_get(go, type)->kind == GO_KIND_POINTER && way.n < HF_FIELD_STEPS) {
			type = go_type_get(go, type)->elem;
			way.n++;
		}
		m = n ? find_member(go, type, word, n, false, &offset) : NULL;
		if (!m && n)
			m = find_member(go, type, word, n, true, &offset);
		if (!m)
			return no_field(go, type, word, n);
		way.offset[way.n - 1] += offset + m->offset;
		type = m->type;
		word += n;
		if (!*word)
			break;
	}
	go_tag_text(m->tag, &tags);
	if (tags.n)
		way.tags = hf_arena_strndup(&go->names, tags.s, tags.n);
	hf_str_deinit(&tags);
	if (!way.tags)
		return hf_err_nomem();
	way.type = type;
	way.is_text = holds_text(go, type, 0);
	*ret = way;
	return NULL;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const char not_captured[] = "(not captured)";

static void add_bytes(struct go *go, uint64_t at, uint64_t ptr, uint64_t len, struct hf_str *ret)
{
	char bytes[TEXT_SHOWN + 4];
	uint64_t n = hf_min(len, (uint64_t)sizeof(bytes));

	if (!len)
		hf_str_add(ret, "\"\"");
	else if (hf_err_ignore(hf_target_read(go->t, ptr, bytes, n)) &&
		 hf_err_ignore(hf_target_reread_held(go->t, at, ptr, len, bytes, n)))
		hf_str_add(ret, not_captured);
	else
		hf_str_add_quoted(ret, bytes, n, TEXT_SHOWN);
}

static void add_length(struct go *go, uint64_t map, struct hf_str *ret)
{
	int32_t at = go->layout.swiss_maps ? go_off(go, MAP_USED) : go_off(go, HMAP_COUNT);
	uint64_t n;

	if (!map)
		hf_str_add(ret, "nil");
	else if (hf_err_ignore(hf_target_read_u64(go->t, map + (uint64_t)hf_max(at, 0), &n)))
		hf_str_add(ret, not_captured);
	else
		hf_str_addf(ret, "len %" PRIu64, n);
}

static void add_function(struct go *go, uint64_t closure, struct hf_str *ret)
{
	struct go_func f;
	uint64_t code;

	if (!closure)
		hf_str_add(ret, "nil");
	else if (hf_err_ignore(hf_target_read_u64(go->t, closure, &code)) || !go_find_func(go, code, &f))
		hf_str_add(ret, "not nil");
	else
		hf_str_add(ret, f.name);
}

static bool add_interface(struct go *go, const struct go_type *type, const uint8_t *bytes, struct hf_str *ret)
{
	uint64_t word = hf_load_u64(bytes);
	uint32_t dynamic = !word         ? GO_NO_TYPE
			   : type->count ? go_iface_type(go, word)
					 : go_eface_type(go, word);
	uint8_t kind = go_type_get(go, dynamic)->kind;

	if (word && kind != GO_KIND_POINTER && kind != GO_KIND_FUNC && kind != GO_KIND_MAP &&
	    kind != GO_KIND_CHAN)
		return false;
	hf_str_add(ret, word ? go_type_name(go, dynamic) : "nil");
	return true;
}

static void add_value(struct go *go, uint32_t id, uint64_t at, bool pointee, struct hf_str *ret)
{
	const struct go_type *type = go_type_get(go, id);
	uint8_t bytes[VALUE_MAX];
	uint64_t word;
	uint8_t elem = go_type_get(go, type->elem)->kind;

	if (!type->kind || type->size > sizeof(bytes) || !go_kind_has_size(type->kind, type->size)) {
		hf_str_add(ret, "(too large)");
		return;
	}
	if (hf_err_ignore(hf_target_read(go->t, at, bytes, type->size))) {
		hf_str_add(ret, not_captured);
		return;
	}
	word = type->size >= 8 ? hf_load_u64(bytes) : 0;
	if (type->kind == GO_KIND_STRING || (type->kind == GO_KIND_SLICE && elem == GO_KIND_UINT8))
		add_bytes(go, at, word, hf_load_u64(bytes + 8), ret);
	else if (type->kind == GO_KIND_SLICE)
		hf_str_addf(ret, "len %" PRIu64, hf_load_u64(bytes + 8));
	else if (type->kind == GO_KIND_MAP)
		add_length(go, word, ret);
	else if (type->kind == GO_KIND_FUNC)
		add_function(go, word, ret);
	else if (type->kind == GO_KIND_ARRAY && elem == GO_KIND_UINT8)
		for (uint64_t i = 0; i < hf_min(type->size, (uint64_t)TEXT_SHOWN); i++)
			hf_str_addf(ret, "%02x", bytes[i]);
	else if (type->kind == GO_KIND_POINTER && word && !pointee &&
		 (elem == GO_KIND_STRING || (elem && elem < GO_KIND_ARRAY)))
		add_value(go, type->elem, word, true, ret);
	else if (type->kind == GO_KIND_POINTER || type->kind == GO_KIND_CHAN ||
		 type->kind == GO_KIND_UNSAFE_POINTER)
		hf_str_add(ret, word ? "not nil" : "nil");
	else if (type->kind != GO_KIND_INTERFACE || !add_interface(go, type, bytes, ret))
		go_value_text(go, id, at, bytes, type->size, ret);
}

struct hf_err *go_field_value(struct hf_runtime *rt, uint32_t block, const struct hf_field_way *way,
			      struct hf_str *ret)
{
	struct go *go = (struct go *)rt;
	const struct go_span *span;
	uint64_t start, at;

	go_block_type(go, block, &start);
	at = go_block_addr(go, block, &span) + start + way->offset[0];
	for (unsigned i = 1; i < way->n; i++) {
		uint64_t next;

		if (hf_err_ignore(hf_target_read_u64(go->t, at, &next))) {
			hf_str_add(ret, not_captured);
			return NULL;
		}
		if (!next) {
			hf_str_add(ret, "nil");
			return NULL;
		}
		at = next + way->offset[i];
	}
	add_value(go, way->type, at, false, ret);
	return NULL;
}
