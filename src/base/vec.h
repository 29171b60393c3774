/* A growing array of one type: HF_VEC(struct hf_span) spans = {0}; */
#ifndef HF_VEC_H
#define HF_VEC_H

#include "base.h"

#define HF_VEC(type)                                                                                         \
	struct {                                                                                             \
		type *at;                                                                                    \
		size_t n, cap;                                                                               \
	}

/* Room for `more` further items. Errors: NOMEM (the vector is untouched). */
#define hf_vec_reserve(v, more)                                                                              \
	hf_vec_reserve_((void **)&(v)->at, (v)->n, &(v)->cap, (more), sizeof(*(v)->at))

/* Appends a copy of item. Errors: NOMEM. */
#define hf_vec_push(v, item)                                                                                 \
	({                                                                                                   \
		struct hf_err *vec_err_ = (v)->n < (v)->cap ? NULL : hf_vec_reserve((v), 1);                 \
		if (!vec_err_) {                                                                             \
			(v)->at[(v)->n] = (item); /* item may look at the vector */                          \
			(v)->n++;                                                                            \
		}                                                                                            \
		vec_err_;                                                                                    \
	})

/* An empty vector has no array: nothing is added to its NULL. */
#define hf_vec_each(v, it) for (__typeof__((v)->at + 0) it = (v)->at; it && it < (v)->at + (v)->n; it++)

/* Frees the items' memory; the vector is empty again. */
#define hf_vec_deinit(v)                                                                                     \
	do {                                                                                                 \
		hf_free((v)->at);                                                                            \
		(v)->at = NULL;                                                                              \
		(v)->n = (v)->cap = 0;                                                                       \
	} while (0)

struct hf_err *hf_vec_reserve_(void **at, size_t n, size_t *cap, size_t more, size_t item) HF_CHECKED;

#endif
