/* From names to offsets, by DWARF; and from offsets to what stands there. */
#include "pool.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define NAMES_MAX 12 /* members that an error lists */

/* ---- reading ------------------------------------------------------------------------------------------ */

struct hf_err *hf_pool_read(const struct hf_pool_reader *r, uint64_t addr, void *buf, size_t len)
{
	return r->now ? hf_target_reread(r->t, addr, buf, len) : hf_target_read(r->t, addr, buf, len);
}

struct hf_err *hf_pool_place_find(const struct hf_pool_reader *r, const struct hf_pool_place *place,
				  uint64_t base, uint64_t *ret)
{
	uint64_t at = base + place->offset[0]; /* that wraps cannot be read */
	uint8_t word[8];

	for (unsigned i = 1; i < place->n; i++) {
		HF_TRY(hf_pool_read(r, at, word, sizeof(word)));
		at = hf_load_u64(word);
		if (!at)
			break;
		at += place->offset[i];
	}
	*ret = at;
	return NULL;
}

struct hf_err *hf_pool_place_read(const struct hf_pool_reader *r, const struct hf_pool_place *place,
				  uint64_t base, uint64_t *ret)
{
	uint8_t bytes[8] = {0};
	uint64_t at;

	if (place->constant) {
		*ret = place->value;
		return NULL;
	}
	HF_TRY(hf_pool_place_find(r, place, base, &at));
	if (at)
		HF_TRY(hf_pool_read(r, at, bytes, place->pointer ? 8 : place->size));
	*ret = hf_load_u64(bytes); /* little-endian: short ones fill up with zeros */
	return NULL;
}

/* ---- names -------------------------------------------------------------------------------------------- */

/* Where we are on the way. */
struct way {
	struct hf_syms *s;
	struct hf_pool_place *place;
	const char *at; /* what is left of the path */
	bool bit_field;
};

static struct hf_err *add_offset(struct way *w, uint64_t offset)
{
	struct hf_pool_place *p = w->place;

	if (hf_add_overflows(p->offset[p->n - 1], offset, &p->offset[p->n - 1]))
		return hf_err(HF_USAGE, "'%s' passes the end of the address space", w->at);
	return NULL;
}

/* What stands here is a pointer: on to what it leads to. */
static struct hf_err *follow(struct way *w)
{
	struct hf_pool_place *p = w->place;
	const struct hf_type *t = hf_type_strip(w->s, p->type);

	if (p->type && t->kind != HF_TYPE_POINTER)
		return hf_err(HF_USAGE, "there is a %s before '%s', no pointer", t->name, w->at);
	if (p->n == HF_PLACE_STEPS)
		return hf_err(HF_USAGE, "more than %d pointers are on the way", HF_PLACE_STEPS - 1);
	p->offset[p->n++] = 0;
	p->type = t->elem;
	return NULL;
}

static bool is_structure(const struct hf_type *t)
{
	return t->kind == HF_TYPE_STRUCT || t->kind == HF_TYPE_UNION;
}

static struct hf_err *no_member(const struct hf_type *t, const char *name, size_t n)
{
	struct hf_str has = {0};
	struct hf_err *err;

	for (uint32_t i = 0; i < t->members_n && i < NAMES_MAX; i++)
		hf_str_addf(&has, "%s%s", i ? ", " : "", t->members[i].name);
	err = hf_err(HF_USAGE, "'%s' has no member '%.*s'; it has: %s%s", t->name,
		     (int)hf_min(n, (size_t)100), name, hf_str_get(&has),
		     t->members_n > NAMES_MAX ? "..." : "");
	hf_str_deinit(&has);
	return err;
}

static struct hf_err *step_member(struct way *w)
{
	size_t n = strcspn(w->at, ".[+-");
	const struct hf_type *t = hf_type_strip(w->s, w->place->type);
	struct hf_field field;

	if (!n)
		return hf_err(HF_USAGE, "a name is missing before '%s'", w->at);
	if (t->kind == HF_TYPE_POINTER) {
		HF_TRY(follow(w));
		t = hf_type_strip(w->s, w->place->type);
	}
	if (!w->place->type || t->kind == HF_TYPE_UNKNOWN)
		return hf_err(HF_USAGE,
			      "'%.*s' cannot be looked up: there is no debug information on what it is a "
			      "member of; "
			      "give \"type\", or an offset in its place",
			      (int)hf_min(n, (size_t)100), w->at);
	if (!is_structure(t))
		return hf_err(HF_USAGE, "'%.*s' is looked up in a '%s', which has no members",
			      (int)hf_min(n, (size_t)100), w->at, t->name);
	if (!hf_type_find_member(w->s, w->place->type, w->at, n, &field))
		return no_member(t, w->at, n);
	HF_TRY(add_offset(w, field.offset));
	w->place->type = field.type;
	w->bit_field = field.bit_size;
	w->at += n;
	return NULL;
}

static struct hf_err *parse_number(const char **at, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = isdigit((unsigned char)**at) ? strtoull(*at, &end, 0) : 0;
	if (!isdigit((unsigned char)**at) || errno)
		return hf_err(HF_USAGE, "'%s' is no number", *at);
	*at = end;
	return NULL;
}

static struct hf_err *step_index(struct way *w)
{
	const struct hf_type *t = hf_type_strip(w->s, w->place->type);
	uint64_t index, bytes;
	uint32_t elem = t->elem;

	if (t->kind != HF_TYPE_ARRAY && t->kind != HF_TYPE_POINTER)
		return hf_err(HF_USAGE, "there is a '%s' before '%s', no array", t->name, w->at);
	w->at++;
	HF_TRY(parse_number(&w->at, &index));
	if (*w->at++ != ']')
		return hf_err(HF_USAGE, "a ']' is missing");
	if (t->kind == HF_TYPE_ARRAY && t->count && index >= t->count)
		return hf_err(HF_USAGE, "[%" PRIu64 "]: the array has %" PRIu64 " elements", index, t->count);
	if (t->kind == HF_TYPE_POINTER)
		HF_TRY(follow(w));
	w->place->type = elem;
	if (hf_mul_overflows(index, hf_type_strip(w->s, elem)->size, &bytes))
		return hf_err(HF_USAGE, "[%" PRIu64 "] passes the end of the address space", index);
	return add_offset(w, bytes);
}

static struct hf_err *step_offset(struct way *w)
{
	uint64_t offset;

	w->at++;
	HF_TRY(parse_number(&w->at, &offset));
	w->place->type = 0;
	return add_offset(w, offset);
}

/* All that is left of the path. */
static struct hf_err *walk_path(struct way *w)
{
	while (*w->at) {
		if (*w->at == '[') {
			HF_TRY(step_index(w));
		} else if (*w->at == '+') {
			HF_TRY(step_offset(w));
		} else if (*w->at == '.' || !strncmp(w->at, "->", 2)) {
			w->at += *w->at == '.' ? 1 : 2;
			HF_TRY(step_member(w));
		} else {
			return hf_err(HF_USAGE, "'%s' is no part of a path", w->at);
		}
	}
	return NULL;
}

/* What kind of thing stands at the end. */
static void tell_end(struct way *w)
{
	const struct hf_type *t = hf_type_strip(w->s, w->place->type);
	bool number = t->kind == HF_TYPE_BASE || t->kind == HF_TYPE_ENUM || t->kind == HF_TYPE_POINTER;

	w->place->pointer = t->kind == HF_TYPE_POINTER;
	if (number && !w->bit_field && (t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8))
		w->place->size = (uint8_t)t->size;
}

struct hf_err *hf_pool_place_member(struct hf_syms *s, uint32_t type, const char *path,
				    struct hf_pool_place *ret)
{
	struct hf_pool_place place = {.given = true, .n = 1, .type = type};
	struct way w = {.s = s, .place = &place, .at = path};

	/* The structure's own address is known: a pointer to it would be another way. */
	HF_TRY(step_member(&w));
	HF_TRY(walk_path(&w));
	tell_end(&w);
	*ret = place;
	return NULL;
}

/* The first n bytes are a variable, or a symbol. */
static bool is_name(struct way *w, size_t n)
{
	struct hf_variable v;
	struct hf_symbol sym;
	char name[512];

	if (!n || n >= sizeof(name))
		return false;
	memcpy(name, w->at, n);
	name[n] = '\0';
	if (hf_syms_find_variable(w->s, name, &v)) {
		w->place->offset[0] = v.addr;
		w->place->type = v.type;
	} else if (hf_syms_find_symbol(w->s, name, &sym)) {
		w->place->offset[0] = sym.addr;
	} else {
		return false;
	}
	w->at += n;
	return true;
}

/* The longest part of the path that is a name: names of other languages have dots of their own. */
static struct hf_err *find_name(struct way *w)
{
	size_t n = strcspn(w->at, "[+-"), first = strcspn(w->at, ".[+-");

	if (is_name(w, strlen(w->at)))
		return NULL;
	for (; n > 0; n--)
		if ((n == strcspn(w->at, "[+-") || w->at[n] == '.') && is_name(w, n))
			return NULL;
	return hf_err(HF_USAGE, "%s has no variable or symbol '%.*s'", hf_syms_main(w->s)->path,
		      (int)hf_min(first, (size_t)100), w->at);
}

static struct hf_err *find_start(struct way *w)
{
	if (isdigit((unsigned char)*w->at))
		return parse_number(&w->at, &w->place->offset[0]);
	return find_name(w);
}

/* The structure that the path ends in, or that the pointer there leads to. */
static struct hf_err *end_in_structure(struct way *w)
{
	const struct hf_type *t = hf_type_strip(w->s, w->place->type);

	if (t->kind == HF_TYPE_POINTER) {
		HF_TRY(follow(w));
		t = hf_type_strip(w->s, w->place->type);
	}
	if (t->kind == HF_TYPE_ARRAY)
		return hf_err(HF_USAGE, "it is an array of %" PRIu64 ": name an element by [0]", t->count);
	if (t->kind != HF_TYPE_UNKNOWN && !is_structure(t))
		return hf_err(HF_USAGE, "it is a '%s', no structure", t->name);
	return NULL;
}

struct hf_err *hf_pool_place_variable(struct hf_syms *s, const char *path, const char *type_name,
				      struct hf_pool_place *ret)
{
	struct hf_pool_place place = {.given = true, .n = 1};
	struct way w = {.s = s, .place = &place, .at = path};
	bool deref = *path == '*';

	w.at += deref;
	HF_TRY(find_start(&w));
	HF_TRY(walk_path(&w));
	if (deref)
		HF_TRY(follow(&w));
	if (type_name && *type_name) {
		if (hf_type_strip(s, place.type)->kind == HF_TYPE_POINTER)
			HF_TRY(follow(&w));
		place.type = hf_syms_find_type(s, type_name);
		if (!place.type)
			return hf_err(HF_USAGE, "there is no type '%s' in the debug information of %s",
				      type_name, hf_syms_main(s)->path);
	}
	HF_TRY(end_in_structure(&w));
	*ret = place;
	return NULL;
}
