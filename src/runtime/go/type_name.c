/* Names of types, with full package paths, without a limit of the target's making. */
#include "types_private.h"

/* "main.List[int]" with path "example.com/app/main" gives "example.com/app/main.List[int]"... but for package main, whose
 * path is "main". */
static void add_named(struct go *go, const struct go_rtype *r, const char *string, struct hf_str *ret)
{
	const char *path = go_rtype_pkg_path(go, r), *dot = strchr(string, '.'),
		   *bracket = strchr(string, '[');

	if (!*path || !dot || (bracket && bracket < dot)) {
		hf_str_add(ret, string);
		return;
	}
	hf_str_add(ret, path);
	hf_str_add(ret, dot);
}

/* The prefix of an unnamed type before its (last) element's name; the element to go on with. False: no such type. */
static bool add_prefix(const struct go_type *type, struct hf_str *ret, uint32_t *ret_next)
{
	switch (type->kind) {
	case GO_KIND_POINTER:
		hf_str_addc(ret, '*');
		break;
	case GO_KIND_SLICE:
		hf_str_add(ret, "[]");
		break;
	case GO_KIND_ARRAY:
		hf_str_addf(ret, "[%" PRIu64 "]", type->count);
		break;
	default:
		return false;
	}
	*ret_next = type->elem;
	return true;
}

static const char *chan_prefix(struct go *go, uint64_t rtype)
{
	uint8_t buf[8];
	/* internal/abi/type.go, ChanType.Dir: RecvDir 1, SendDir 2. */
	const uint8_t *p = go_rtype_bytes(go, rtype + 56, 8, buf);

	return p && p[0] == 1 ? "<-chan " : p && p[0] == 2 ? "chan<- " : "chan ";
}

static void add_name(struct go *go, uint32_t id, unsigned depth, struct hf_str *ret);

/* A value's type. Elements are followed in a loop; only a map's key nests, at most GO_DEPTH_MAX deep. */
static void add_value_name(struct go *go, uint32_t id, unsigned depth, struct hf_str *ret)
{
	for (unsigned i = 0; i < GO_DEPTH_MAX && ret->n < GO_NAME_MAX; i++) {
		const struct go_type *type = go_type_get(go, id);
		struct go_rtype r;

		if (type->name) {
			hf_str_add(ret, type->name);
			return;
		}
		if (!type->rtype || !go_rtype_read(go, type->rtype, &r)) {
			hf_str_addc(ret, '?');
			return;
		}
		if (r.tflag & GO_TFLAG_NAMED) {
			add_named(go, &r, go_rtype_string(go, &r), ret);
			return;
		}
		if (add_prefix(type, ret, &id))
			continue;
		if (type->kind == GO_KIND_CHAN) {
			hf_str_add(ret, chan_prefix(go, type->rtype));
			id = type->elem;
		} else if (type->kind == GO_KIND_MAP && depth) {
			hf_str_add(ret, "map[");
			add_name(go, type->key, depth - 1, ret);
			hf_str_addc(ret, ']');
			id = type->elem;
		} else {
			const char *string = go_rtype_string(go, &r);

			hf_str_add(ret, !strncmp(string, "noalg.", 6) ? string + 6 : *string ? string : "?");
			return;
		}
	}
	hf_str_add(ret, "...");
}

static void add_name(struct go *go, uint32_t id, unsigned depth, struct hf_str *ret)
{
	const struct go_type *type = go_type_get(go, id);
	struct go_func f;

	switch (type->shape) {
	case GO_SHAPE_BACKING:
		hf_str_add(ret, "[]");
		break;
	case GO_SHAPE_STRING:
		hf_str_add(ret, "string bytes");
		return;
	case GO_SHAPE_CLOSURE:
		hf_str_addf(ret, "func %s", go_find_func(go, type->code, &f) ? f.name : "?");
		return;
	case GO_SHAPE_CHAN_BUF:
		hf_str_add(ret, "chan ");
		break;
	default:
		break;
	}
	add_value_name(go, type->shape == GO_SHAPE_VALUE ? id : type->elem, depth, ret);
	if (type->shape == GO_SHAPE_PART)
		hf_str_add(ret, " (within)");
	else if (type->shape == GO_SHAPE_MAP_DIR)
		hf_str_add(ret, " directory");
	else if (type->shape == GO_SHAPE_MAP_TABLE)
		hf_str_add(ret, " table");
	else if (type->shape == GO_SHAPE_MAP_GROUPS)
		hf_str_add(ret, " slots");
	else if (type->shape == GO_SHAPE_CHAN_BUF)
		hf_str_add(ret, " buffer");
}

const char *go_type_name(struct go *go, uint32_t id)
{
	struct go_type *row = go_types_row(go, id);
	struct hf_str name = {0};
	const char *kept;

	go_type_get(go, id);
	if (row->name)
		return row->name;
	add_name(go, id, 4, &name);
	kept = hf_arena_strndup(&go->types->arena, hf_str_get(&name), name.n);
	hf_str_deinit(&name);
	row->name = kept ? kept : "?";
	return row->name;
}
