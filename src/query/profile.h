/* Profiles in the making: frames by number, stacks as a tree, samples. Private to this folder. */
#ifndef HF_PROFILE_H
#define HF_PROFILE_H

#include "session.h"

#include "../base/map64.h"
#include "../base/vec.h"

#define HF_PROFILE_VALUES_MAX 4
#define HF_PROFILE_LABELS_MAX 8

struct hf_profile_maker {
	struct hf_session *s;
	struct hf_profile *result;
	HF_VEC(struct hf_profile_location) locations;
	HF_VEC(uint32_t) next; /* by location: 1 + another with the same hash; 0: none */
	struct hf_map64 by_hash;
	HF_VEC(struct hf_profile_sample) samples;
	size_t max;
};

/* What the target says may be beyond what a profile's values hold: it stays at the largest. */
static inline int64_t hf_profile_value(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static inline int64_t hf_profile_sum(int64_t a, int64_t b)
{
	int64_t sum;

	return hf_add_overflows(a, b, &sum) ? INT64_MAX : sum;
}

/* The number of a location; equal ones get equal numbers. Strings are copied. Errors: NOMEM */
struct hf_err *hf_profile_location(struct hf_profile_maker *m, const struct hf_profile_location *location,
				   uint32_t *ret) HF_CHECKED;
/* Copies a sample, its arrays included; texts of labels must live as long as the result. Errors: NOMEM */
struct hf_err *hf_profile_add(struct hf_profile_maker *m, const struct hf_profile_sample *sample) HF_CHECKED;

/* One each kind: sets name, values and default_value, and adds the samples. */
struct hf_err *hf_profile_retained(struct hf_profile_maker *m) HF_CHECKED;
struct hf_err *hf_profile_goroutines(struct hf_profile_maker *m) HF_CHECKED;
struct hf_err *hf_profile_alloc(struct hf_profile_maker *m) HF_CHECKED;

#endif
