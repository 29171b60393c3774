/* Which subprogram holds a code address: lists of [start, end) made unit by unit, on the first question. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"

#include <stdlib.h>

#define FUNCTION_RANGES_MAX 64 /* of one function */
#define NESTED_MAX          16 /* how far below the nearest start an enclosing range is looked for */

typedef HF_VEC(struct hf_die_function) function_vec;

static struct hf_err *add_function(struct hf_dwarf *d, Dwarf_Die *die, function_vec *ret)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	uint64_t key = 0;

	for (int n = 0; n < FUNCTION_RANGES_MAX; n++) {
		at = dwarf_ranges(die, at, &base, &start, &end);
		if (at <= 0)
			break;
		key = key ? key : hf_die_key(d, die);
		if (start < end)
			HF_TRY(hf_vec_push(ret, ((struct hf_die_function){start, end, key})));
	}
	return NULL;
}

static int compare_start(const void *a, const void *b)
{
	const struct hf_die_function *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct hf_err *list_functions(struct hf_dwarf *d, uint64_t unit_key, struct hf_die_functions *ret)
{
	function_vec v = {0};
	Dwarf_Die die;
	struct hf_err *err = NULL;

	if (hf_die_get(d, unit_key, &die) && dwarf_child(&die, &die) == 0) {
		do {
			if (dwarf_tag(&die) == DW_TAG_subprogram)
				err = add_function(d, &die, &v);
		} while (!err && hf_die_next(&die));
	}
	if (err) {
		hf_vec_deinit(&v);
		return err;
	}
	if (v.n)
		qsort(v.at, v.n, sizeof(*v.at), compare_start);
	*ret = (struct hf_die_functions){v.at, v.n};
	return NULL;
}

static struct hf_err *functions_of(struct hf_dwarf *d, uint64_t unit_key, struct hf_die_functions *ret)
{
	struct hf_err *err;
	uint64_t i;

	*ret = (struct hf_die_functions){0};
	if (hf_map64_find(&d->units, unit_key, &i)) {
		*ret = d->functions.at[i];
		return NULL;
	}
	HF_TRY(hf_vec_reserve(&d->functions, 1));
	HF_TRY(list_functions(d, unit_key, ret));
	err = hf_map64_put(&d->units, unit_key, d->functions.n);
	if (err) {
		hf_free(ret->at);
		*ret = (struct hf_die_functions){0};
		return err;
	}
	d->functions.at[d->functions.n++] = *ret;
	return NULL;
}

/* The range with the highest start that holds pc; among NESTED_MAX below it. */
#define FIND_RANGE(ranges, count, pc)                                                                        \
	({                                                                                                   \
		size_t lo_ = 0, hi_ = (count);                                                               \
		__typeof__(&(ranges)[0]) found_ = NULL;                                                      \
		while (lo_ < hi_) {                                                                          \
			size_t mid_ = lo_ + (hi_ - lo_) / 2;                                                 \
			if ((ranges)[mid_].start <= (pc))                                                    \
				lo_ = mid_ + 1;                                                              \
			else                                                                                 \
				hi_ = mid_;                                                                  \
		}                                                                                            \
		for (size_t n_ = 0; n_ < NESTED_MAX && lo_ > 0 && !found_; n_++)                             \
			found_ = (pc) < (ranges)[--lo_].end ? &(ranges)[lo_] : NULL;                         \
		found_;                                                                                      \
	})

bool hf_die_function_at(struct hf_dwarf *d, uint64_t pc, Dwarf_Die *ret)
{
	struct hf_die_unit_range *unit = FIND_RANGE(d->ranges.at, d->ranges.n, pc);
	struct hf_die_functions list;
	struct hf_die_function *f;

	if (!unit || hf_err_ignore(functions_of(d, unit->key, &list)))
		return false;
	f = FIND_RANGE(list.at, list.n, pc);
	return f && hf_die_get(d, f->key, ret);
}

bool hf_die_unit_at(struct hf_dwarf *d, uint64_t pc, Dwarf_Die *ret)
{
	struct hf_die_unit_range *unit = FIND_RANGE(d->ranges.at, d->ranges.n, pc);

	return unit && hf_die_get(d, unit->key, ret);
}
