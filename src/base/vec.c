#include "vec.h"

struct hf_err *hf_vec_reserve_(void **at, size_t n, size_t *cap, size_t more, size_t item)
{
	size_t want, grown;
	void *moved;

	if (hf_add_overflows(n, more, &want))
		return hf_err_nomem();
	if (want <= *cap)
		return NULL;
	grown = *cap + *cap / 2 + 8;
	if (grown < want)
		grown = want;
	moved = hf_realloc(*at, grown, item);
	if (!moved)
		return hf_err_nomem();
	*at = moved;
	*cap = grown;
	return NULL;
}
