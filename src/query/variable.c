/* The names of global variables, as words of a question. */
#include "session.h"

/* Go's reflect.Kind (Go 1.20-1.27 internal/abi/type.go). A value of these is, or starts with, a pointer to what it holds;
 * an interface's is its second word. */
enum { GO_CHAN = 18, GO_FUNC, GO_INTERFACE, GO_MAP, GO_POINTER, GO_SLICE, GO_STRING, GO_UNSAFE_POINTER = 26 };

#define WORD         8
#define POINTERS_MAX 16 /* that one word leads through */
#define NAME_MAX     4096

struct place {
	uint64_t addr;
	uint32_t type;
};

/* The offset of the pointer in a value; -1: it is none. */
static int pointer_offset(struct hf_syms *syms, uint32_t type)
{
	const struct hf_type *named = hf_type_get(syms, type), *plain = hf_type_strip(syms, type);

	switch (named->go_kind ? named->go_kind : plain->go_kind) {
	case GO_INTERFACE:
		return WORD;
	case GO_CHAN:
	case GO_FUNC:
	case GO_MAP:
	case GO_POINTER:
	case GO_SLICE:
	case GO_STRING:
	case GO_UNSAFE_POINTER:
		return 0;
	default:
		return plain->kind == HF_TYPE_POINTER ? 0 : -1;
	}
}

static struct hf_err *read_pointer(struct hf_session *s, const char *word, uint64_t addr, uint64_t *ret)
{
	HF_TRY(hf_err_prefix(hf_target_read(s->t, addr, ret, WORD), "%s", word));
	if (!*ret)
		return hf_err_at(HF_USAGE, addr, "%s is nil: it points to nothing", word);
	return NULL;
}

static const struct hf_member *find_member(const struct hf_type *type, const char *name, size_t len)
{
	for (uint32_t i = 0; type->kind == HF_TYPE_STRUCT && i < type->members_n; i++)
		if (!strncmp(type->members[i].name, name, len) && !type->members[i].name[len])
			return &type->members[i];
	return NULL;
}

/* Follows ".field.field", through pointers to structures, too. */
static struct hf_err *follow(struct hf_session *s, const char *word, const char *path, struct place *place)
{
	for (unsigned pointers = 0; *path;) {
		const struct hf_type *type = hf_type_strip(s->syms, place->type);
		size_t len = strcspn(path + 1, ".");
		const struct hf_member *member;

		if (type->kind == HF_TYPE_POINTER && pointers++ < POINTERS_MAX) {
			HF_TRY(read_pointer(s, word, place->addr, &place->addr));
			place->type = type->elem;
			continue;
		}
		member = find_member(type, path + 1, len);
		if (!member)
			return hf_err(HF_USAGE, "%s: %s has no field '%.*s'", word, type->name, (int)len,
				      path + 1);
		place->addr += member->offset;
		place->type = member->type;
		path += 1 + len;
	}
	return NULL;
}

/* The variable that name starts with; *ret_path: what follows its own name. */
static bool find_variable(struct hf_session *s, const char *name, struct hf_variable *ret,
			  const char **ret_path)
{
	char part[NAME_MAX];
	size_t n = strlen(name);

	if (n >= sizeof(part))
		return false;
	memcpy(part, name, n + 1);
	while (!hf_syms_find_variable(s->syms, part, ret)) {
		char *dot = strrchr(part, '.');

		if (!dot)
			return false;
		*dot = '\0';
	}
	*ret_path = name + strlen(part);
	return true;
}

struct hf_err *hf_session_find_variable(struct hf_session *s, const char *word, bool *ret_found,
					uint64_t *ret)
{
	bool own = word[0] == '&';
	struct hf_variable variable;
	struct place place;
	const char *path;
	int offset;

	if (!find_variable(s, word + own, &variable, &path)) {
		*ret_found = false;
		return NULL;
	}
	place = (struct place){variable.addr, variable.type};
	HF_TRY(follow(s, word, path, &place));
	offset = own ? -1 : pointer_offset(s->syms, place.type);
	if (offset >= 0)
		HF_TRY(read_pointer(s, word, place.addr + (unsigned)offset, &place.addr));
	*ret_found = true;
	*ret = place.addr;
	return NULL;
}
