/* Values as keys are written: "text", 42, {1, 2}. */
#include "names.h"
#include "types_private.h"

#define KEY_BYTES   64
#define VALUE_DEPTH 6
#define TEXT_MAX    512 /* after so many bytes nothing is begun */

/* at: where the string's header stands in the target; 0: nowhere that can be asked again. */
static void add_string(struct go *go, uint64_t at, uint64_t ptr, uint64_t len, struct hf_str *ret)
{
	char bytes[KEY_BYTES + 4];
	uint64_t n = hf_min(len, (uint64_t)sizeof(bytes));

	if (!len)
		hf_str_add(ret, "\"\"");
	else if (hf_err_ignore(hf_target_read(go->t, ptr, bytes, n)) &&
		 (!at || hf_err_ignore(hf_target_reread_held(go->t, at, ptr, len, bytes, n))))
		hf_str_addf(ret, "string at 0x%" PRIx64, ptr);
	else
		hf_str_add_quoted(ret, bytes, n == len ? n : n + (len > n),
				  n < len ? KEY_BYTES : hf_min(n, (uint64_t)KEY_BYTES));
}

static void add_integer(const struct go_type *type, const uint8_t *p, struct hf_str *ret)
{
	bool is_signed = type->kind >= GO_KIND_INT && type->kind <= GO_KIND_INT64;
	uint64_t v = 0;

	memcpy(&v, p, hf_min(type->size, (uint64_t)8));
	if (is_signed && type->size < 8) {
		unsigned shift = (unsigned)(64 - type->size * 8);

		v = (uint64_t)((int64_t)(v << shift) >> shift);
	}
	hf_str_addf(ret, is_signed ? "%" PRId64 : "%" PRIu64, v);
}

/* A value: local bytes, where they stand in the target (0: unknown), how deep inside another. */
struct value {
	uint32_t type;
	const uint8_t *p;
	uint64_t len, at;
	unsigned depth;
	size_t end; /* of the text: nothing is begun beyond */
};
static void add_value(struct go *go, const struct value *v, struct hf_str *ret);

static void add_interface_value(struct go *go, const struct value *v, struct hf_str *ret)
{
	uint64_t word = hf_load_u64(v->p), data = hf_load_u64(v->p + 8);
	uint32_t dynamic = !word                             ? GO_NO_TYPE
			   : go_type_get(go, v->type)->count ? go_iface_type(go, word)
							     : go_eface_type(go, word);
	const struct go_type *row = go_type_get(go, dynamic);
	uint8_t bytes[256];

	if (!word)
		hf_str_add(ret, "nil");
	else if (row->direct_iface)
		add_value(go, &(struct value){dynamic, v->p + 8, 8, 0, v->depth + 1, v->end}, ret);
	else if (dynamic && row->size <= sizeof(bytes) &&
		 !hf_err_ignore(hf_target_read(go->t, data, bytes, row->size)))
		add_value(go, &(struct value){dynamic, bytes, row->size, data, v->depth + 1, v->end}, ret);
	else
		hf_str_addf(ret, "(%s)(0x%" PRIx64 ")", go_type_name(go, dynamic), data);
}

static void add_composite(struct go *go, const struct value *v, struct hf_str *ret)
{
	const struct go_type *type = go_type_get(go, v->type);
	uint64_t n = type->kind == GO_KIND_STRUCT ? type->members_n : type->count,
		 shown = hf_min(n, (uint64_t)8);

	hf_str_addc(ret, '{');
	for (uint64_t i = 0; i < shown; i++) {
		uint32_t inner = type->kind == GO_KIND_STRUCT ? type->members[i].type : type->elem;
		uint64_t size = go_type_get(go, inner)->size;
		uint64_t off = type->kind == GO_KIND_STRUCT ? type->members[i].offset : i * size;

		if (off > v->len || size > v->len - off || ret->n > v->end)
			break;
		hf_str_add(ret, i ? ", " : "");
		add_value(go,
			  &(struct value){inner, v->p + off, size, v->at ? v->at + off : 0, v->depth + 1,
					  v->end},
			  ret);
	}
	hf_str_add(ret, shown < n ? ", ...}" : "}");
}

static void add_float(uint8_t kind, const uint8_t *p, struct hf_str *ret)
{
	double f;
	float f4;

	memcpy(&f4, p, 4);
	f = (double)f4;
	if (kind == GO_KIND_FLOAT64)
		memcpy(&f, p, 8);
	hf_str_addf(ret, "%g", f);
}

/* Nests no deeper than VALUE_DEPTH. */
static void add_value(struct go *go, const struct value *v, struct hf_str *ret)
{
	const struct go_type *type = go_type_get(go, v->type);

	if (v->depth > VALUE_DEPTH || type->size > v->len || !type->kind ||
	    !go_kind_has_size(type->kind, type->size)) {
		hf_str_add(ret, "...");
		return;
	}
	switch (type->kind) {
	case GO_KIND_BOOL:
		hf_str_add(ret, *v->p ? "true" : "false");
		break;
	case GO_KIND_FLOAT32:
	case GO_KIND_FLOAT64:
		add_float(type->kind, v->p, ret);
		break;
	case GO_KIND_STRING:
		add_string(go, v->at, hf_load_u64(v->p), hf_load_u64(v->p + 8), ret);
		break;
	case GO_KIND_INTERFACE:
		add_interface_value(go, v, ret);
		break;
	case GO_KIND_STRUCT:
	case GO_KIND_ARRAY:
		add_composite(go, v, ret);
		break;
	case GO_KIND_POINTER:
	case GO_KIND_CHAN:
	case GO_KIND_UNSAFE_POINTER:
		hf_str_addf(ret, "0x%" PRIx64, hf_load_u64(v->p));
		break;
	default:
		if (type->kind >= GO_KIND_INT && type->kind <= GO_KIND_UINTPTR)
			add_integer(type, v->p, ret);
		else
			hf_str_add(ret, "...");
	}
}

void go_value_text(struct go *go, uint32_t type, uint64_t at, const uint8_t *bytes, uint64_t len,
		   struct hf_str *ret)
{
	add_value(go, &(struct value){type, bytes, len, at, 0, ret->n + TEXT_MAX}, ret);
}
