/* Pointer masks of type descriptors: which words of a value the collector follows. */
#include "types_private.h"

#define MASK_MAX                                                                                             \
	(1ull << 40) /* bytes of one value; a mask is 1/64 of it, and never larger than the block asks for */

static void set_bits(uint64_t *bits, uint64_t at, uint64_t n)
{
	for (; n; n--, at++)
		bits[at / 64] |= 1ull << (at % 64);
}

/* What waits to be expanded: `count` values of a type at a word, `stride` words apart. */
struct pending {
	uint32_t type;
	uint64_t at, stride, count;
};

struct expansion {
	HF_VEC(struct pending) stack;
	uint64_t *bits;
	uint64_t words; /* of the mask */
	uint64_t steps; /* done; bounded by a multiple of the words */
};

static struct hf_err *push(struct expansion *x, uint32_t type, uint64_t at, uint64_t stride, uint64_t count)
{
	if (at >= x->words || !count)
		return NULL;
	return hf_vec_push(&x->stack, ((struct pending){type, at, stride, count}));
}

static struct hf_err *expand_one(struct go *go, struct expansion *x, uint32_t id, uint64_t at)
{
	const struct go_type *type = go_type_get(go, id);

	if (!type->ptr_bytes || at >= x->words)
		return NULL;
	switch (type->kind) {
	case GO_KIND_ARRAY:
		return push(x, type->elem, at, go_type_get(go, type->elem)->size / 8, type->count);
	case GO_KIND_STRUCT:
		for (uint32_t i = type->members_n; i-- > 0;)
			HF_TRY(push(x, type->members[i].type, at + type->members[i].offset / 8, 0, 1));
		return NULL;
	case GO_KIND_INTERFACE:
		/* The type word is no pointer to the collector. Source: Go 1.26 cmd/compile typebits. */
		if (at + 1 < x->words)
			set_bits(x->bits, at + 1, 1);
		return NULL;
	default:
		set_bits(x->bits, at, 1);
		return NULL;
	}
}

/* Expands a type into x->bits, with a stack of our own. Each step sets a bit or takes a value apart; a descriptor
 * that would need more steps than its size allows for lies. */
static struct hf_err *expand(struct go *go, struct expansion *x, uint32_t root)
{
	struct hf_err *err = push(x, root, 0, 0, 1);
	uint64_t most = x->words * GO_DEPTH_MAX + 1000;

	while (!err && x->stack.n) {
		struct pending *top = &x->stack.at[x->stack.n - 1], one = *top;

		if (--top->count && top->stride && top->at + top->stride < x->words)
			top->at += top->stride;
		else
			x->stack.n--;
		if (x->stack.n > 100000 || x->steps++ > most)
			err = hf_err(HF_BADDATA, "a type descriptor contains itself");
		else
			err = expand_one(go, x, one.type, one.at);
	}
	hf_vec_deinit(&x->stack);
	return err;
}

/* The mask as the runtime keeps it; false where it is not there or not to be had. */
static bool copy_mask(struct go *go, const struct go_rtype *r, uint64_t *bits, uint64_t words)
{
	size_t len = (size_t)((words + 7) / 8);

	if (r->kind & GO_KIND_GC_PROG && !go->layout.mask_on_demand)
		return false;
	if (r->tflag & GO_TFLAG_MASK_ON_DEMAND && go->layout.mask_on_demand)
		return false;
	return !hf_err_ignore(hf_target_read(go->t, r->gcdata, bits, len));
}

/* A descriptor that the runtime made up, of no kind, with a bitmap behind it: in the tail of a user arena's chunk, or, for
 * a large object whose type has a program for a mask, in a span of its own.
 * Source: Go 1.22-1.27 runtime/arena.go, initUserArenaChunk (GOEXPERIMENT=arenas); 1.22 and 1.23 mbitmap.go, heapSetType. */
static bool read_made_type(struct go *go, uint64_t addr, struct go_rtype *ret)
{
	const struct go_span *span = go_find_span(go, addr);
	const struct hf_range *manual = go_find_manual(go, addr);
	uint8_t p[GO_RTYPE_SIZE];

	if (!(span && span->user_arena && addr == span->large_type) && !(manual && addr == manual->start))
		return false;
	if (hf_err_ignore(hf_target_read(go->t, addr, p, sizeof(p))))
		return false;
	*ret = (struct go_rtype){.addr = addr,
				 .size = hf_load_u64(p),
				 .ptr_bytes = hf_load_u64(p + 8),
				 .gcdata = hf_load_u64(p + 32)};
	return ret->gcdata == addr + GO_RTYPE_SIZE && ret->ptr_bytes <= ret->size && ret->ptr_bytes % 8 == 0;
}

struct hf_err *go_mask_build(struct go *go, uint64_t rtype, uint64_t max_size, const struct go_mask **ret)
{
	struct go_types *types = go->types;
	struct expansion x = {0};
	struct go_rtype r;
	uint64_t found;

	if (hf_map64_find(&types->masks, rtype, &found)) {
		if (!found)
			return hf_err_at(HF_BADDATA, rtype, "no type descriptor");
		*ret = &types->mask.at[found];
		return NULL;
	}
	HF_TRY(hf_map64_put(&types->masks, rtype, 0));
	if ((!go_rtype_read(go, rtype, &r) && !read_made_type(go, rtype, &r)) || !r.size ||
	    r.size > hf_min(max_size, MASK_MAX))
		return hf_err_at(HF_BADDATA, rtype, "no type descriptor, or one too large for its block");
	x.words = r.ptr_bytes / 8;
	x.bits = hf_arena_alloc(&types->arena, (size_t)(x.words + 63) / 64 * 8 + 8);
	if (!x.bits)
		return hf_err_nomem();
	if (!copy_mask(go, &r, x.bits, x.words))
		HF_TRY(expand(go, &x, go_type_of_rtype(go, rtype)));
	if (x.words % 64)
		x.bits[x.words / 64] &= (1ull << (x.words % 64)) - 1;
	HF_TRY(hf_vec_push(&types->mask, ((struct go_mask){r.size / 8, (uint32_t)x.words, x.bits})));
	HF_TRY(hf_map64_put(&types->masks, rtype, types->mask.n - 1));
	*ret = &types->mask.at[types->mask.n - 1];
	return NULL;
}

const struct go_mask *go_mask_find(const struct go *go, uint64_t rtype)
{
	uint64_t found;

	return hf_map64_find(&go->types->masks, rtype, &found) && found ? &go->types->mask.at[found] : NULL;
}
