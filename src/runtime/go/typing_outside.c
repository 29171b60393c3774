/* Typed values that stand outside of the heap: in a module's data, where composite literals of globals are kept, and on
 * stacks, where what never escapes is: what they lead to has a type, too. */
#include "typing_private.h"

#include <stdlib.h>

#define TYPE_BITS   17u        /* of a key: addresses have 47 */
#define VISITS_MAX  (1u << 22) /* values, of all places together */
#define VALUE_MAX   (1u << 26) /* bytes of one */
#define CLOSURE_MAX 256u       /* of one on a stack: its captured variables say where they end */

static int by_start(const void *a, const void *b)
{
	const struct hf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct hf_err *go_outside_init(struct typing *t)
{
	struct go *go = t->go;

	hf_vec_each(&go->modules, m) {
		HF_TRY(hf_vec_push(&t->outside_ranges, ((struct hf_range){m->noptrdata, m->enoptrdata})));
		HF_TRY(hf_vec_push(&t->outside_ranges, ((struct hf_range){m->data, m->edata})));
		HF_TRY(hf_vec_push(&t->outside_ranges, ((struct hf_range){m->bss, m->ebss})));
		HF_TRY(hf_vec_push(&t->outside_ranges, ((struct hf_range){m->noptrbss, m->enoptrbss})));
	}
	/* Below its stack pointer a stack holds what calls have left behind. */
	hf_vec_each(&go->goroutines, g)
		if (g->sp >= g->lo && g->sp < g->hi && !g->conservative)
			HF_TRY(hf_vec_push(&t->outside_ranges, ((struct hf_range){g->sp, g->hi})));
	if (t->outside_ranges.n > 1)
		qsort(t->outside_ranges.at, t->outside_ranges.n, sizeof(*t->outside_ranges.at), by_start);
	return NULL;
}

void go_outside_deinit(struct typing *t)
{
	hf_vec_deinit(&t->outside_ranges);
	hf_vec_deinit(&t->outside);
	hf_map64_deinit(&t->outside_seen);
}

/* The range that holds addr; NULL: none. Those of a damaged target may overlap: then one of them, or none. */
static const struct hf_range *find_range(const struct typing *t, uint64_t addr)
{
	size_t lo = 0, hi = t->outside_ranges.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->outside_ranges.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->outside_ranges.n && t->outside_ranges.at[lo].start <= addr ? &t->outside_ranges.at[lo]
										  : NULL;
}

bool go_is_outside(const struct typing *t, uint64_t addr)
{
	return find_range(t, addr) != NULL;
}

/* How long a value is of which only the start is known. */
static uint64_t natural_size(struct typing *t, uint32_t id)
{
	const struct go_type *type = go_type_get(t->go, id);

	switch (type->shape) {
	case GO_SHAPE_VALUE:
		return type->size;
	case GO_SHAPE_MAP_GROUPS:
		return go_type_get(t->go, go_type_get(t->go, type->elem)->group)->size;
	case GO_SHAPE_CLOSURE:
		return CLOSURE_MAX;
	default:
		return 0;
	}
}

void go_offer_outside(struct typing *t, uint64_t addr, uint32_t type, uint64_t size)
{
	const struct hf_range *range;
	uint64_t key = addr | (uint64_t)type << (64 - TYPE_BITS), before;

	/* What is dead may lead to what a stack or variable holds no longer. */
	if (t->garbage || t->err || addr >> (64 - TYPE_BITS) || type >> TYPE_BITS || addr % 8 ||
	    !go_leads_on(t->go, type))
		return;
	range = find_range(t, addr);
	if (!range)
		return;
	size = size ? size : natural_size(t, type);
	size = hf_min(size, hf_min(range->end - addr, (uint64_t)VALUE_MAX));
	if (!size || t->outside_seen.n >= VISITS_MAX ||
	    (hf_map64_find(&t->outside_seen, key, &before) && before >= size))
		return;
	t->err = hf_map64_put(&t->outside_seen, key, size);
	if (!t->err)
		t->err = hf_vec_push(&t->outside, ((struct view){HF_NO_BLOCK, type, addr, size}));
}

void go_visit_outside(struct typing *t)
{
	while (t->outside.n && !t->err) {
		struct view value = t->outside.at[--t->outside.n];
		const void *p;

		if (!hf_err_ignore(
			    hf_target_get(t->go->t, value.offset, value.size, &t->outside_scratch, &p)))
			go_visit_shape(t, value.type, (struct place){p, value.size});
	}
}
