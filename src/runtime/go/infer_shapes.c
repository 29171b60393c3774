/* What generic code calls by the shapes of its type parameters, by its real type: what is allocated has a descriptor, which
 * is of that form but names the types that the shapes stand for. Where the program has one such type, it is that. */
#include "infer.h"

static bool names_agree(const char *shaped, const char *real)
{
	size_t n = strcspn(shaped, "[");

	if (!strncmp(shaped, "struct {", 8))
		return !strncmp(real, "struct {", 8);
	return shaped[n] && !strncmp(shaped, real, n + 1);
}

static bool members_agree(struct go *go, const struct go_type *shaped, const struct go_type *real)
{
	for (uint32_t i = 0; i < shaped->members_n; i++) {
		const struct go_member *a = &shaped->members[i], *b = &real->members[i];

		if (a->offset != b->offset || strcmp(a->name, b->name) ||
		    go_type_get(go, a->type)->size != go_type_get(go, b->type)->size ||
		    go_type_get(go, a->type)->kind != go_type_get(go, b->type)->kind ||
		    (!go_type_is_shaped(go, a->type) && a->type != b->type &&
		     strcmp(go_type_name(go, a->type), go_type_name(go, b->type))))
			return false;
	}
	return true;
}

/* The one real type of that form; GO_NO_TYPE: none, or several. */
static uint32_t real_type(struct inference *in, uint32_t shaped)
{
	struct go *go = in->t->go;
	const struct go_type *type = go_type_get(go, shaped);
	uint32_t found = GO_NO_TYPE;

	if (type->shape != GO_SHAPE_VALUE || type->kind != GO_KIND_STRUCT)
		return GO_NO_TYPE;
	hf_vec_each(&in->u->types, id) {
		const struct go_type *real = go_type_get(go, *id);

		if (real->kind != GO_KIND_STRUCT || real->size != type->size ||
		    real->members_n != type->members_n || go_type_is_shaped(go, *id) ||
		    !names_agree(go_type_name(go, shaped), go_type_name(go, *id)) ||
		    !members_agree(go, type, real))
			continue;
		if (found)
			return GO_NO_TYPE;
		found = *id;
	}
	return found;
}

struct hf_err *go_infer_shapes(struct inference *in)
{
	struct go *go = in->t->go;
	struct hf_map64 real = {0};
	struct hf_err *err = NULL;

	for (uint32_t block = 0; block < go->blocks && !err; block++) {
		uint32_t type = go->block_type[block];
		uint64_t found;

		if (!type || !go_type_is_shaped(go, type))
			continue;
		if (!hf_map64_find(&real, type, &found)) {
			err = hf_interrupt_check();
			found = real_type(in, type);
			if (!err)
				err = hf_map64_put(&real, type, found);
		}
		if (found && !err)
			go_set_type(in->t, block, (uint32_t)found);
		err = err ? err : in->t->err;
	}
	hf_map64_deinit(&real);
	return err;
}
