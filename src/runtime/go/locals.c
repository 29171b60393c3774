/* The local variables of functions, by pc, as DWARF knows them; cached, as thousands of goroutines stand at few places. */
#include "typing_private.h"

#define VARIABLES_MAX 65536        /* places of the variables of one function */
#define OF_FUNCTION   (1ull << 63) /* in a key of the cache: all places, not those at one pc */

struct go_locals_list {
	HF_VEC(go_locals *) at;
};

struct gather {
	struct go *go;
	go_locals *locals;
	uint64_t line; /* of the function */
};

static struct hf_err *begin_local(struct go *go, const struct hf_local *local, struct go_local *ret)
{
	struct go_local one = {
		.name = local->name,
		.type = go_type_of_dwarf(go, local->type),
		.cfa_offset = local->cfa_offset,
		.piece_offset = local->piece_offset,
		.size = local->piece_size,
	};
	size_t n = strlen(local->name);

	/* "held.ptr", "held.len", "held.cap" are the parts of a slice that lives in pieces. */
	if (n > 4 && !strcmp(local->name + n - 4, ".ptr") &&
	    go_type_get(go, one.type)->kind == GO_KIND_POINTER) {
		one.name = hf_arena_strndup(&go->names, local->name, n - 4);
		one.bare_pointer = true;
		if (!one.name)
			return hf_err_nomem();
	}
	if (!one.size)
		one.size = (uint32_t)hf_min(go_type_get(go, one.type)->size, (uint64_t)UINT32_MAX);
	*ret = one;
	return NULL;
}

static struct hf_err *gather_local(void *arg, const struct hf_local *local)
{
	struct gather *g = arg;
	struct go_local one;

	HF_TRY(begin_local(g->go, local, &one));
	if (local->closure_offset >= 0) {
		struct go_local captured = one;

		captured.captured = true;
		captured.cfa_offset = local->closure_offset;
		captured.piece_offset = 0;
		captured.size = (uint32_t)hf_min(go_type_get(g->go, one.type)->size, (uint64_t)UINT32_MAX);
		HF_TRY(hf_vec_push(g->locals, captured));
	}
	return local->in_register || local->unplaced ? NULL : hf_vec_push(g->locals, one);
}

/* A method value ("main.(*T).Run-fm") captures its receiver, of which DWARF says nothing: the name does. */
static struct hf_err *add_receiver(struct go *go, uint64_t pc, go_locals *locals)
{
	struct go_local receiver = {.name = "receiver", .cfa_offset = 8, .captured = true};
	struct hf_str type = {0};
	struct go_func f;
	const char *dot;
	size_t n;

	if (!go_find_func(go, pc, &f) || (n = strlen(f.name)) < 4 || strcmp(f.name + n - 3, "-fm") ||
	    !(dot = strrchr(f.name, '.')))
		return NULL;
	/* "pkg.(*T)" is *pkg.T; "pkg.T" is itself. */
	for (const char *p = f.name; p < dot; p++) {
		if (p[0] == '(' && p[1] == '*') {
			_free_ char *rest = hf_strndup(type.s ? type.s : "", type.n);

			if (!rest)
				return hf_err_nomem();
			hf_str_truncate(&type, 0);
			hf_str_addf(&type, "*%s", rest);
			p++;
		} else if (*p != ')') {
			hf_str_addc(&type, *p);
		}
	}
	receiver.type = go_type_of_dwarf(go, hf_syms_find_type(go->syms, hf_str_get(&type)));
	hf_str_deinit(&type);
	receiver.size = (uint32_t)hf_min(go_type_get(go, receiver.type)->size, (uint64_t)UINT32_MAX);
	return receiver.type ? hf_vec_push(locals, receiver) : NULL;
}

static struct hf_err *gather_variable(void *arg, const struct hf_local *local)
{
	struct gather *g = arg;
	struct go_local one;
	/* What a closure captures is declared, to DWARF, where its function is. */
	bool outer = local->line && local->line == g->line;

	if (g->locals->n >= VARIABLES_MAX)
		return NULL;
	HF_TRY(begin_local(g->go, local, &one));
	one.unplaced = local->unplaced || local->in_register;
	one.outer = outer;
	one.parameter = local->is_parameter;
	one.result = local->is_result;
	return hf_vec_push(g->locals, one);
}

/* A list for a key, made where there is none yet: *ret_new. */
static struct hf_err *list_of(struct go *go, uint64_t key, go_locals **ret, bool *ret_new)
{
	uint64_t index;
	go_locals *list;

	*ret_new = false;
	if (!go->locals_list && !(go->locals_list = hf_calloc(1, sizeof(*go->locals_list))))
		return hf_err_nomem();
	if (hf_map64_find(&go->locals, key, &index)) {
		*ret = go->locals_list->at.at[index];
		return NULL;
	}
	list = hf_calloc(1, sizeof(*list));
	if (!list || hf_err_ignore(hf_vec_push(&go->locals_list->at, list))) {
		hf_free(list);
		return hf_err_nomem();
	}
	*ret = list;
	*ret_new = true;
	return hf_map64_put(&go->locals, key, go->locals_list->at.n - 1);
}

struct hf_err *go_variables_of(struct go *go, uint64_t entry, const go_locals **ret)
{
	struct gather g = {.go = go};
	struct go_func f;
	bool is_new;

	HF_TRY(list_of(go, entry | OF_FUNCTION, &g.locals, &is_new));
	*ret = g.locals;
	g.line = go_find_func(go, entry, &f) && f.start_line > 0 ? (uint64_t)f.start_line : 0;
	/* Damaged DWARF costs types, no more. */
	if (is_new && hf_syms_has_dwarf(go->syms))
		hf_err_ignore(hf_syms_walk_variables(go->syms, entry, gather_variable, &g));
	return NULL;
}

struct hf_err *go_locals_at(struct go *go, uint64_t pc, const go_locals **ret)
{
	struct gather g = {.go = go};
	bool is_new;

	HF_TRY(list_of(go, pc, &g.locals, &is_new));
	*ret = g.locals;
	if (!is_new)
		return NULL;
	/* While a call is under way its function's variables are where they will be after it: at the return address. The
	 * compiler says of the call itself that they are still in registers, which the callee has long used for others.
	 * Damaged DWARF costs names, no more. */
	if (hf_syms_has_dwarf(go->syms)) {
		hf_err_ignore(hf_syms_walk_locals(go->syms, pc + 1, gather_local, &g));
		hf_err_ignore(hf_syms_walk_locals(go->syms, pc, gather_local, &g));
	}
	return add_receiver(go, pc, g.locals);
}

/* Nothing else that is captured stands in [start, end). */
static bool is_alone(const go_locals *locals, const struct go_local *one, uint64_t end)
{
	hf_vec_each(locals, other)
		if (other != one && other->captured && other->cfa_offset > one->cfa_offset &&
		    (uint64_t)other->cfa_offset < end)
			return false;
	return true;
}

void go_captures_settle(struct go *go, const go_locals *locals, uint64_t room)
{
	struct go_local *reference = NULL;
	uint64_t end = 8, by_value, size;
	int64_t at;
	uint32_t elem;

	hf_vec_each(locals, local) {
		if (!local->captured || local->cfa_offset < 0)
			continue;
		end = hf_max(end, (uint64_t)local->cfa_offset + local->size);
		if (local->name && *local->name == '&' &&
		    go_type_get(go, local->type)->kind == GO_KIND_POINTER)
			reference = (struct go_local *)local;
	}
	/* As references they would have had less room. */
	if (!reference || go_is_class_of(room, end))
		return;
	elem = go_type_get(go, reference->type)->elem;
	size = go_type_get(go, elem)->size;
	if (size > UINT32_MAX)
		return;
	by_value = (uint64_t)reference->cfa_offset + size;
	if (!go_is_class_of(room, hf_max(end, by_value)) || !is_alone(locals, reference, by_value))
		return;
	at = reference->cfa_offset;
	hf_vec_each(locals, local) {
		struct go_local *one = (struct go_local *)local;

		if (!one->captured || one->cfa_offset != at)
			continue;
		one->name += one->name && *one->name == '&';
		one->type = elem;
		one->size = (uint32_t)size;
	}
}

const struct go_local *go_local_find(const go_locals *locals, int64_t offset, bool captured)
{
	hf_vec_each(locals, local)
		if (local->captured == captured && offset >= local->cfa_offset &&
		    offset - local->cfa_offset < (int64_t)local->size)
			return local;
	return NULL;
}

#define CLOSURE_WORDS 32

/* False: what is known to be captured ends before. */
static bool is_in_closure(struct go *go, uint64_t code, uint64_t offset)
{
	const go_locals *locals;
	bool any = false;

	if (hf_err_ignore(go_locals_at(go, code, &locals)))
		return true;
	hf_vec_each(locals, local) {
		any = any || local->captured;
		if (local->captured && local->cfa_offset >= 0 &&
		    offset < (uint64_t)local->cfa_offset + hf_max(local->size, 8u))
			return true;
	}
	return !any;
}

bool go_stack_closure(struct go *go, uint64_t slot, uint64_t *ret_code, uint64_t *ret_offset)
{
	for (uint64_t i = 1; i < CLOSURE_WORDS; i++) {
		uint64_t word;
		struct go_func f;

		if (hf_err_ignore(hf_target_read_u64(go->t, slot - i * 8, &word)))
			return false;
		/* Only a function value holds an entry address; return addresses lie behind calls. */
		if (!go_find_func(go, word, &f))
			continue;
		*ret_code = word;
		*ret_offset = i * 8;
		return f.entry == word && is_in_closure(go, word, i * 8);
	}
	return false;
}

void go_locals_deinit(struct go *go)
{
	if (go->locals_list) {
		for (size_t i = 0; i < go->locals_list->at.n; i++) {
			hf_vec_deinit(go->locals_list->at.at[i]);
			hf_free(go->locals_list->at.at[i]);
		}
		hf_vec_deinit(&go->locals_list->at);
		hf_free(go->locals_list);
		go->locals_list = NULL;
	}
	hf_map64_deinit(&go->locals);
}
