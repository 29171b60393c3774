/* What is left when all that is declared has been followed: what a stack holds in slots that DWARF knows no variable of. The
 * function's variables, anywhere in it, are few: where the block has the size, pointers and contents of what one of them
 * leads to, and of no other, it is that. */
#include "infer.h"

#include <stdlib.h>

#define ROUNDS_MAX  8
#define LEADS_MAX   256 /* types that one function's variables lead to */
#define CAPTURE_MAX 256 /* bytes of a closure on a stack */
#define MOVED_MIN   64  /* bytes of a variable of which its size alone tells */
#define HEADER_MIN  256 /* bytes of an array of which a slice's header alone tells */

/* What variables of a function may lead to: the types of whole blocks. */
struct go_leads {
	uint32_t shapes[LEADS_MAX];
	size_t n;
};

static void add_lead(struct go_leads *leads, uint32_t shape)
{
	for (size_t i = 0; i < leads->n; i++)
		if (leads->shapes[i] == shape)
			return;
	if (shape && leads->n < LEADS_MAX)
		leads->shapes[leads->n++] = shape;
}

static void add_slot(struct go *go, const struct go_slot *slot, struct go_leads *leads)
{
	switch ((enum go_slot_kind)slot->kind) {
	case GO_SLOT_POINTER:
	case GO_SLOT_ATOMIC:
		add_lead(leads, slot->type);
		break;
	case GO_SLOT_SLICE:
		add_lead(leads, slot->type ? go_type_shape(go, GO_SHAPE_BACKING, slot->type, 0) : 0);
		break;
	case GO_SLOT_MAP:
		if (go_type_get(go, slot->type)->group)
			add_lead(leads, go_type_shape(go, GO_SHAPE_MAP_GROUPS, slot->type, 0));
		break;
	default:
		break;
	}
}

static void list_leads(struct go *go, const go_locals *all, struct go_leads *ret)
{
	hf_vec_each(all, local) {
		const struct go_type *type = go_type_get(go, local->type);
		const struct go_slot *slots;
		uint32_t n;

		slots = go_type_slots(go, local->type, &n);
		for (uint32_t i = 0; i < n && i < LEADS_MAX; i++)
			add_slot(go, &slots[i], ret);
		if (local->bare_pointer)
			add_lead(ret, go_type_shape(go, GO_SHAPE_BACKING, type->elem, 0));
	}
}

/* Those of the function that starts at entry; made once. */
static struct hf_err *leads_of(struct inference *in, uint64_t entry, const struct go_leads **ret)
{
	const go_locals *all;
	struct go_leads *leads;
	uint64_t index;

	if (hf_map64_find(&in->leads_of, entry, &index)) {
		*ret = in->leads.at[index];
		return NULL;
	}
	HF_TRY(go_variables_of(in->t->go, entry, &all));
	leads = hf_calloc(1, sizeof(*leads));
	if (!leads || hf_err_ignore(hf_vec_push(&in->leads, leads))) {
		hf_free(leads);
		return hf_err_nomem();
	}
	list_leads(in->t->go, all, leads);
	*ret = leads;
	return hf_map64_put(&in->leads_of, entry, in->leads.n - 1);
}

void go_leads_deinit(struct inference *in)
{
	hf_vec_each(&in->leads, leads)
		hf_free(*leads);
	hf_vec_deinit(&in->leads);
	hf_map64_deinit(&in->leads_of);
}

/* Values of a type from the start of a block to its end. */
static bool all_fit(struct go_trial *x, uint32_t type)
{
	uint64_t size = go_type_get(x->t->go, type)->size;

	for (uint64_t at = 0; size && at + size <= x->len; at += size)
		if (!go_trial_fits(x, type, at))
			return false;
	return size > 0;
}

static bool shape_fits(struct go_trial *x, const struct go_span *span, uint32_t id)
{
	struct go *go = x->t->go;
	const struct go_type *type = go_type_get(go, id), *elem;

	switch (type->shape) {
	case GO_SHAPE_VALUE:
		return type->rtype && type->size && type->ptr_bytes && go_fits(span, type->size) &&
		       !strstr(go_type_name(go, id), "go.shape.") && go_trial_fits(x, id, 0);
	case GO_SHAPE_MAP_GROUPS:
		return all_fit(x, go_type_get(go, type->elem)->group);
	case GO_SHAPE_BACKING:
		elem = go_type_get(go, type->elem);
		return elem->rtype && elem->size && elem->ptr_bytes &&
		       go_fits(span, x->len / elem->size * elem->size) && all_fit(x, type->elem);
	default:
		return false;
	}
}

/* The one shape that a block fits, of those of the function and of the closure in its frame (which may be NULL);
 * GO_NO_TYPE: none, or several. */
static uint32_t only_lead(struct inference *in, uint32_t block, const struct go_leads *of_frame,
			  const struct go_leads *of_closure)
{
	size_t more = of_closure ? of_closure->n : 0;
	const struct go_span *span;
	struct go_trial x;
	uint32_t found = GO_NO_TYPE;

	go_block_addr(in->t->go, block, &span);
	if (span->noscan || in->checks > GO_CHECKS_MAX || !go_trial_begin(in, block, &x))
		return GO_NO_TYPE;
	for (size_t i = 0; i < of_frame->n + more; i++) {
		uint32_t shape = i < of_frame->n ? of_frame->shapes[i] : of_closure->shapes[i - of_frame->n];

		x.evidence = 0;
		if (shape == found || !shape_fits(&x, span, shape) || !x.evidence)
			continue;
		if (found)
			return GO_NO_TYPE;
		found = shape;
	}
	in->checks += x.checks;
	return found;
}

/* ---- closures on stacks ---------------------------------------------------------------------------------------------- */

static bool fill_trial(struct inference *in, uint64_t addr, struct go_trial *ret, uint64_t *ret_words)
{
	struct go *go = in->t->go;
	const void *p;

	if (hf_err_ignore(hf_target_get(go->t, addr, CAPTURE_MAX, &in->scratch, &p)))
		return false;
	memset(ret_words, 0, CAPTURE_MAX / 64 + 8);
	*ret = (struct go_trial){
		.t = in->t, .u = in->u, .addr = addr, .bytes = p, .len = CAPTURE_MAX, .pointers = ret_words};
	for (uint64_t at = 0; at < CAPTURE_MAX; at += 8)
		if (go_find_block(go, hf_load_u64(ret->bytes + at)) != HF_NO_BLOCK)
			ret_words[at / 512] |= 1ull << (at / 8 % 64);
	return true;
}

/* What DWARF says is captured is one variable: it stands behind the code. Of several the order is not known, so that one
 * of the heap's closures must tell. */
static struct hf_err *infer_stack_closure(struct inference *in, uint64_t addr, uint64_t code)
{
	struct go *go = in->t->go;
	const struct go_local *only = NULL;
	const go_locals *all, *locals;
	uint64_t words[CAPTURE_MAX / 64 + 1];
	struct go_trial x;

	HF_TRY(go_locals_at(go, code, &locals));
	HF_TRY(go_variables_of(go, code, &all));
	hf_vec_each(all, v) {
		if (!v->outer || v->parameter || (only && !strcmp(only->name, v->name)))
			continue;
		if (only)
			return NULL;
		only = v;
	}
	if (!only || go_local_find(locals, 8, true) || !fill_trial(in, addr, &x, words) ||
	    !go_trial_fits(&x, only->type, 8))
		return NULL;
	return hf_vec_push((go_locals *)locals,
			   ((struct go_local){.name = *only->name == '&' ? only->name + 1 : only->name,
					      .type = only->type,
					      .cfa_offset = 8,
					      .size = (uint32_t)hf_min(go_type_get(go, only->type)->size,
								       (uint64_t)UINT32_MAX),
					      .captured = true}));
}

/* ---- slices in memory ------------------------------------------------------------------------------------------------ */

/* The slot and the two words after it are a slice of that type, which has just such a block as it would have been given:
 * of some size, that is no chance. */
static bool is_slice_header(struct go *go, const struct go_raw_root *root, const struct go_type *slice)
{
	const struct go_span *span = go_find_span(go, root->value);
	uint64_t words[2], bytes;

	if (hf_err_ignore(hf_target_read(go->t, root->slot + 8, words, sizeof(words))) ||
	    words[0] > words[1] || hf_mul_overflows(words[1], go_type_get(go, slice->elem)->size, &bytes))
		return false;
	return bytes >= HEADER_MIN && go_fits(span, bytes) &&
	       (root->value - span->start) % span->elemsize == go_header_size(span);
}

/* What is passed on, or waits in a deferred call's closure, is of a type of one of the function's variables. */
static uint32_t slice_of(struct go *go, const struct go_raw_root *root, const go_locals *all)
{
	uint32_t found = GO_NO_TYPE;

	hf_vec_each(all, local) {
		const struct go_type *type = go_type_get(go, local->type);

		if (type->kind != GO_KIND_SLICE || type->elem == found || !type->elem ||
		    !is_slice_header(go, root, type))
			continue;
		if (found)
			return GO_NO_TYPE;
		found = type->elem;
	}
	return found ? go_type_shape(go, GO_SHAPE_BACKING, found, 0) : GO_NO_TYPE;
}

/* A variable that was moved to the heap ("&x", to DWARF) has a block of its own, of its size. What has no pointers shows
 * no more than that: it must be of some size, and one alone. */
static uint32_t moved_variable(struct go *go, const struct go_raw_root *root, const go_locals *all)
{
	const struct go_span *span = go_find_span(go, root->value);
	uint32_t found = GO_NO_TYPE;

	if (!span->noscan || (root->value - span->start) % span->elemsize)
		return GO_NO_TYPE;
	hf_vec_each(all, local) {
		uint32_t elem = go_type_get(go, local->type)->elem;
		const struct go_type *type = go_type_get(go, elem);

		if (*local->name != '&' || go_type_get(go, local->type)->kind != GO_KIND_POINTER ||
		    elem == found || type->ptr_bytes || type->size < MOVED_MIN || !go_fits(span, type->size))
			continue;
		if (found)
			return GO_NO_TYPE;
		found = elem;
	}
	return found;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static struct hf_err *infer_slot(struct inference *in, const struct go_raw_root *root,
				 const struct go_frame *frame, uint32_t block)
{
	struct go *go = in->t->go;
	const struct go_leads *of_closure = NULL, *of_frame;
	const go_locals *all;
	uint64_t code, offset, word;
	uint32_t type;

	if (go_stack_closure(go, root->slot, &code, &offset)) {
		HF_TRY(infer_stack_closure(in, root->slot - offset, code));
		HF_TRY(go_type_stack_closure(in->t, root));
		HF_TRY(go_typing_drain(in->t));
		if (go->block_type[block])
			return NULL;
		HF_TRY(leads_of(in, code, &of_closure));
	}
	HF_TRY(leads_of(in, frame->entry, &of_frame));
	type = only_lead(in, block, of_frame, of_closure);
	if (!type && in->checks < GO_CHECKS_MAX) {
		HF_TRY(go_variables_of(go, frame->entry, &all));
		in->checks += all->n;
		type = slice_of(go, root, all);
		type = type ? type : moved_variable(go, root, all);
	}
	/* What is passed to a deferred call lies in its closure, of which DWARF does not tell. */
	if (type)
		go_set_type(in->t, block, type);
	else if (!hf_err_ignore(hf_target_read_u64(go->t, root->slot - 8, &word)))
		go_try_interface(in, word, root->value);
	return in->t->err;
}

static struct hf_err *infer_stacks(struct inference *in)
{
	struct go *go = in->t->go;

	for (size_t i = 0; i < go->stack_roots.n && !in->t->err; i++) {
		const struct go_raw_root *root = &go->stack_roots.at[i];
		uint32_t block = root->slot ? go_find_block(go, root->value) : HF_NO_BLOCK;

		if (root->frame == UINT32_MAX || block == HF_NO_BLOCK || go->block_type[block] ||
		    !(in->live[block / 8] >> (block % 8) & 1))
			continue;
		HF_TRY(infer_slot(in, root, &go->frames.at[root->frame], block));
		HF_TRY(go_typing_drain(in->t));
	}
	return in->t->err;
}

/* Each worker of the collector keeps a node, by a variable that its stack does not name. Source: Go 1.20-1.27
 * runtime/mgc.go, gcBgMarkWorker; padded since 1.27. */
static struct hf_err *type_gc_workers(struct inference *in)
{
	struct go *go = in->t->go;
	uint32_t type = GO_NO_TYPE;

	hf_vec_each(&in->u->types, id)
		if (go_type_get(go, *id)->kind == GO_KIND_STRUCT &&
		    !strncmp(go_type_name(go, *id), "runtime.gcBgMarkWorkerNode", 26) &&
		    go_type_get(go, *id)->size > go_type_get(go, type)->size)
			type = *id;
	for (size_t i = 0; i < go->stack_roots.n && type && !in->t->err; i++) {
		const struct go_raw_root *root = &go->stack_roots.at[i];
		uint32_t block = go_find_block(go, root->value);
		struct go_func f;

		if (root->frame != UINT32_MAX && block != HF_NO_BLOCK && !go->block_type[block] &&
		    go_find_func(go, go->frames.at[root->frame].entry, &f) &&
		    !strcmp(f.name, "runtime.gcBgMarkWorker"))
			go_offer(in->t, root->value, type, go_type_get(go, type)->size);
	}
	return in->t->err;
}

struct hf_err *go_infer_rest(struct inference *in)
{
	size_t before = SIZE_MAX;

	HF_TRY(type_gc_workers(in));
	/* Each round but the last types something new. */
	for (int round = 0; round < ROUNDS_MAX && in->t->queue.n != before; round++) {
		before = in->t->queue.n;
		HF_TRY(go_infer_shapes(in));
		HF_TRY(go_infer_closures(in));
		HF_TRY(go_typing_settle(in->t));
		HF_TRY(infer_stacks(in));
		HF_TRY(go_typing_settle(in->t));
	}
	return NULL;
}
