/* What a closure captures, where DWARF does not say at which offsets (up to 1.22, and of variables that the function does
 * not use): a closure on the heap is made as a structure {F uintptr, captures...}, whose descriptor is in the program. Of
 * those, the ones that fit all of a function's closures are few. Source: Go 1.20-1.27 cmd/compile/internal/typecheck
 * (ClosureType) and walk/closure.go. */
#include "infer.h"

#include <stdlib.h>

#define CANDIDATES_MAX 64 /* structures of one size that fit a closure */
#define CLOSURE_TRIES  16 /* closures of one function that are tried */

bool go_is_closure_struct(struct go *go, const struct go_type *type)
{
	const char *name = type->members_n ? type->members[0].name : "";

	return type->kind == GO_KIND_STRUCT && !type->members[0].offset &&
	       (!strcmp(name, ".F") || !strcmp(name, "F")) &&
	       go_type_get(go, type->members[0].type)->kind == GO_KIND_UINTPTR;
}

/* {F, R}: a method value's, whose function ends so. */
static bool is_method_value(const struct go_type *type)
{
	return type->members_n == 2 && !strcmp(type->members[1].name, "R");
}

static struct hf_err *list_structs(struct inference *in)
{
	hf_vec_each(&in->u->types, id)
		if (go_is_closure_struct(in->t->go, go_type_get(in->t->go, *id)) &&
		    !is_method_value(go_type_get(in->t->go, *id)))
			HF_TRY(hf_vec_push(&in->structs, *id));
	return NULL;
}

/* The function's name for it: without the package, or the mark of a reference; NULL for what has none. */
static const char *plain_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (strstr(name, ".autotmp_") || !strcmp(name, "~"))
		return NULL;
	name = dot ? dot + 1 : name;
	return *name == '&' ? name + 1 : name;
}

/* Up to 1.21 members have the variables' names; since then they are X0, X1... */
static bool is_numbered(const char *name)
{
	return name[0] == 'X' && name[1] >= '0' && name[1] <= '9';
}

static bool is_same_type(struct go *go, uint32_t a, uint32_t b)
{
	return a == b || (a && b && !strcmp(go_type_name(go, a), go_type_name(go, b)));
}

/* The variable of the closure's function that a member is; NULL: none, or no single one by its type alone. */
static const struct go_local *variable_of(struct go *go, const go_locals *all, const struct go_member *m,
					  bool *ret_any)
{
	const struct go_local *found = NULL;
	const char *name = is_numbered(m->name) ? NULL : plain_name(m->name);
	bool several = false;

	hf_vec_each(all, v) {
		if (!v->outer || v->parameter || !is_same_type(go, v->type, m->type) ||
		    (name && strcmp(name, plain_name(v->name) ? plain_name(v->name) : "")))
			continue;
		several = several || (found && strcmp(found->name, v->name));
		found = v;
	}
	*ret_any = found != NULL;
	return several ? NULL : found;
}

/* Each captured variable that DWARF knows of is a member, and the other way round. */
static bool is_as_declared(struct go *go, const go_locals *all, const struct go_type *type)
{
	bool any;

	for (uint32_t i = 1; i < type->members_n; i++) {
		variable_of(go, all, &type->members[i], &any);
		if (!any)
			return false;
	}
	hf_vec_each(all, v) {
		any = !v->outer || v->parameter;
		for (uint32_t i = 1; i < type->members_n && !any; i++)
			any = is_same_type(go, v->type, type->members[i].type);
		if (!any)
			return false;
	}
	return true;
}

/* What is captured by value, and has its address taken, is to DWARF a reference, "&x", where the value itself stands. */
static bool is_by_value(struct go *go, const struct go_local *local, uint32_t member)
{
	return local->name && *local->name == '&' && go_type_get(go, local->type)->kind == GO_KIND_POINTER &&
	       is_same_type(go, go_type_get(go, local->type)->elem, member);
}

/* Where DWARF does say an offset (since 1.23), the member there must be of that type. */
static bool agrees(struct go *go, const go_locals *locals, const struct go_type *type)
{
	hf_vec_each(locals, local) {
		bool found = !local->captured;

		for (uint32_t i = 1; i < type->members_n && !found; i++)
			found = (int64_t)type->members[i].offset == local->cfa_offset &&
				(is_same_type(go, type->members[i].type, local->type) ||
				 is_by_value(go, local, type->members[i].type));
		if (!found)
			return false;
	}
	return true;
}

struct choice {
	uint32_t types[CANDIDATES_MAX];
	size_t n;
};

/* Leaves those that fit one more closure. */
static void try_closure(struct go_trial *x, const struct go_span *span, struct choice *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		if (go_fits(span, go_type_get(x->t->go, c->types[i])->size) &&
		    go_trial_fits(x, c->types[i], 0))
			c->types[kept++] = c->types[i];
	c->n = kept;
}

/* True where two structures are captures of the same types at the same places: it does not matter which it is. */
static bool is_same_layout(struct go *go, const struct go_type *a, const struct go_type *b)
{
	if (a->members_n != b->members_n)
		return false;
	for (uint32_t i = 1; i < a->members_n; i++)
		if (a->members[i].offset != b->members[i].offset ||
		    !is_same_type(go, a->members[i].type, b->members[i].type))
			return false;
	return true;
}

static uint32_t only_layout(struct go *go, const struct choice *c)
{
	for (size_t i = 1; i < c->n; i++)
		if (!is_same_layout(go, go_type_get(go, c->types[0]), go_type_get(go, c->types[i])))
			return GO_NO_TYPE;
	return c->n ? c->types[0] : GO_NO_TYPE;
}

/* "main.f" of "main.f.func1": whose variables are captured. False: it was inlined wherever it is called. */
static bool find_outer(struct go *go, uint64_t code, uint64_t *ret)
{
	struct go_func f;
	struct hf_symbol symbol;
	const char *dot;
	char *name;
	bool found;

	if (!go_find_func(go, code, &f) || !(dot = strrchr(f.name, '.')))
		return false;
	name = hf_strndup(f.name, (size_t)(dot - f.name));
	found = name && hf_syms_find_symbol(go->syms, name, &symbol) && symbol.is_function;
	hf_free(name);
	if (found)
		*ret = symbol.addr;
	return found;
}

/* Each member is a variable of the function around it, or leads to one. */
static bool is_of_outer(struct go *go, const go_locals *outer, const struct go_type *type)
{
	for (uint32_t i = 1; i < type->members_n; i++) {
		uint32_t is = type->members[i].type;
		const struct go_type *row = go_type_get(go, is);
		bool found = false;

		hf_vec_each(outer, v) {
			found = is_same_type(go, v->type, is) ||
				(row->kind == GO_KIND_POINTER && is_same_type(go, v->type, row->elem));
			if (found)
				break;
		}
		if (!found)
			return false;
	}
	return true;
}

/* Those that DWARF's variables speak for come first: of the function, then of the one around it. */
static struct hf_err *choose(struct go *go, uint64_t code, const go_locals *all, const struct choice *fit,
			     uint32_t *ret)
{
	struct choice declared = {.n = 0};
	const go_locals *outer;
	uint64_t entry;

	for (size_t i = 0; i < fit->n; i++)
		if (is_as_declared(go, all, go_type_get(go, fit->types[i])))
			declared.types[declared.n++] = fit->types[i];
	*ret = only_layout(go, declared.n ? &declared : fit);
	if (*ret || declared.n || !find_outer(go, code, &entry))
		return NULL;
	HF_TRY(go_variables_of(go, entry, &outer));
	for (size_t i = 0; i < fit->n; i++)
		if (is_of_outer(go, outer, go_type_get(go, fit->types[i])))
			declared.types[declared.n++] = fit->types[i];
	*ret = only_layout(go, &declared);
	return NULL;
}

/* The offsets of what is captured are now known like those that DWARF tells. */
static struct hf_err *add_captures(struct go *go, uint64_t code, const struct go_type *type,
				   const go_locals *all)
{
	const go_locals *locals;

	HF_TRY(go_locals_at(go, code, &locals));
	for (uint32_t i = 1; i < type->members_n; i++) {
		const struct go_member *m = &type->members[i];
		struct go_local one = {
			.type = m->type,
			.cfa_offset = (int64_t)m->offset,
			.size = (uint32_t)hf_min(go_type_get(go, m->type)->size, (uint64_t)UINT32_MAX),
			.captured = true};
		const struct go_local *variable, *known;
		bool any;

		known = go_local_find(locals, one.cfa_offset, true);
		if (known && is_by_value(go, known, m->type)) {
			one.name = known->name + 1;
			*(struct go_local *)known = one;
		}
		if (known)
			continue;
		variable = variable_of(go, all, m, &any);
		one.name = variable               ? plain_name(variable->name)
			   : is_numbered(m->name) ? NULL
						  : plain_name(m->name);
		HF_TRY(hf_vec_push((go_locals *)locals, one));
	}
	return NULL;
}

/* True where a pointer of a closure stands where nothing is known to be captured, or it is larger than what is. */
static bool has_unknown(const struct go_trial *x, const struct go_span *span, const go_locals *locals)
{
	uint64_t end = 0;

	hf_vec_each(locals, local)
		if (local->captured && local->cfa_offset > 0)
			end = hf_max(end, (uint64_t)local->cfa_offset + local->size);
	if (end && !go_fits(span, end))
		return true;
	for (uint64_t at = 8; at + 8 <= x->len; at += 8)
		if (x->pointers[at / 512] >> (at / 8 % 64) & 1 && !go_local_find(locals, (int64_t)at, true))
			return true;
	return false;
}

struct closure {
	uint64_t code;
	uint32_t block;
};

static int by_code(const void *a, const void *b)
{
	const struct closure *x = a, *y = b;

	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	return x->block < y->block ? -1 : x->block > y->block;
}

/* Closures of one function. *ret: their captures are known now. */
static struct hf_err *infer_function(struct inference *in, const struct closure *at, size_t n, bool *ret)
{
	struct go *go = in->t->go;
	const go_locals *locals, *all;
	struct choice c = {.n = 0};
	const struct go_span *span;
	struct go_trial x;
	uint32_t type;

	HF_TRY(go_locals_at(go, at->code, &locals));
	HF_TRY(go_variables_of(go, at->code, &all));
	go_block_addr(go, at->block, &span);
	if (!go_trial_begin(in, at->block, &x) || !has_unknown(&x, span, locals))
		return NULL;
	if (in->checks > GO_CHECKS_MAX)
		return NULL;
	in->checks += in->structs.n;
	hf_vec_each(&in->structs, id)
		if (go_fits(span, go_type_get(go, *id)->size) && agrees(go, locals, go_type_get(go, *id)) &&
		    go_trial_fits(&x, *id, 0)) {
			if (c.n == CANDIDATES_MAX)
				return NULL;
			c.types[c.n++] = *id;
		}
	for (size_t i = 1; i < hf_min(n, (size_t)CLOSURE_TRIES) && c.n; i++) {
		go_block_addr(go, at[i].block, &span);
		if (go_trial_begin(in, at[i].block, &x))
			try_closure(&x, span, &c);
	}
	in->checks += x.checks;
	HF_TRY(choose(go, at->code, all, &c, &type));
	if (!type)
		return NULL;
	*ret = true;
	return add_captures(go, at->code, go_type_get(go, type), all);
}

struct hf_err *go_infer_closures(struct inference *in)
{
	struct go *go = in->t->go;
	HF_VEC(struct closure) closures = {0};
	struct hf_err *err = in->structs.n ? NULL : list_structs(in);
	size_t n;

	for (uint32_t block = 0; block < go->blocks && !err; block++) {
		const struct go_type *type = go_type_get(go, go->block_type[block]);

		if (type->shape == GO_SHAPE_CLOSURE && in->live[block / 8] >> (block % 8) & 1)
			err = hf_vec_push(&closures, ((struct closure){type->code, block}));
	}
	if (closures.n > 1)
		qsort(closures.at, closures.n, sizeof(*closures.at), by_code);
	for (size_t i = 0; i < closures.n && !err; i += n) {
		bool found = false;

		for (n = 1; i + n < closures.n && closures.at[i + n].code == closures.at[i].code; n++)
			;
		err = hf_interrupt_check();
		if (!err)
			err = infer_function(in, &closures.at[i], n, &found);
		for (size_t k = 0; k < n && found && !err; k++) {
			go_set_type(in->t, closures.at[i + k].block,
				    go->block_type[closures.at[i + k].block]);
			err = in->t->err;
		}
	}
	hf_vec_deinit(&closures);
	return err;
}
