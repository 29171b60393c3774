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

#define REALS_MAX 32 /* types of one form */

/* The real types of the form of one shape, in `reals` from `first` on. */
struct form {
	uint32_t first, n;
};

struct forms {
	struct hf_map64 of; /* shaped type -> index into list */
	HF_VEC(struct form) list;
	HF_VEC(uint32_t) reals;
};

static struct hf_err *list_reals(struct inference *in, uint32_t shaped, struct forms *forms)
{
	struct go *go = in->t->go;
	const struct go_type *type = go_type_get(go, shaped);
	struct form form = {.first = (uint32_t)forms->reals.n};

	hf_vec_each(&in->u->types, id) {
		const struct go_type *real = go_type_get(go, *id);

		if (type->shape != GO_SHAPE_VALUE || type->kind != GO_KIND_STRUCT ||
		    in->checks > GO_CHECKS_MAX)
			break;
		in->checks++;
		if (real->kind != GO_KIND_STRUCT || real->size != type->size ||
		    real->members_n != type->members_n || go_type_is_shaped(go, *id) ||
		    !names_agree(go_type_name(go, shaped), go_type_name(go, *id)) ||
		    !members_agree(go, type, real))
			continue;
		HF_TRY(hf_vec_push(&forms->reals, *id));
		form.n++;
	}
	/* Too many to try on each object. */
	if (form.n > REALS_MAX)
		form.n = 0;
	HF_TRY(hf_map64_put(&forms->of, shaped, forms->list.n));
	return hf_vec_push(&forms->list, form);
}

/* The one real type that a block fits; GO_NO_TYPE: none, or several. */
static uint32_t real_type(struct inference *in, uint32_t block, const struct forms *forms, uint64_t index)
{
	const struct form *form = &forms->list.at[index];
	uint32_t found = GO_NO_TYPE;
	struct go_trial x;

	if (form->n < 2)
		return form->n ? forms->reals.at[form->first] : GO_NO_TYPE;
	if (!go_trial_begin(in, block, &x))
		return GO_NO_TYPE;
	for (uint32_t i = form->first; i < form->first + form->n; i++) {
		if (!go_trial_fits(&x, forms->reals.at[i], 0))
			continue;
		if (found)
			return GO_NO_TYPE;
		found = forms->reals.at[i];
	}
	in->checks += x.checks;
	return found;
}

static struct hf_err *name_shapes(struct inference *in, struct forms *forms)
{
	struct go *go = in->t->go;

	for (uint32_t block = 0; block < go->blocks; block++) {
		uint32_t type = go->block_type[block];
		uint64_t index;

		if (!type || !go_type_is_shaped(go, type))
			continue;
		if (!hf_map64_find(&forms->of, type, &index)) {
			HF_TRY(hf_interrupt_check());
			index = forms->list.n;
			HF_TRY(list_reals(in, type, forms));
		}
		type = real_type(in, block, forms, index);
		if (type)
			go_set_type(in->t, block, type);
		HF_TRY(in->t->err);
	}
	return NULL;
}

struct hf_err *go_infer_shapes(struct inference *in)
{
	struct forms forms = {.list = {0}};
	struct hf_err *err = name_shapes(in, &forms);

	hf_map64_deinit(&forms.of);
	hf_vec_deinit(&forms.list);
	hf_vec_deinit(&forms.reals);
	return err;
}
