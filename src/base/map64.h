/* A hash map from a 64-bit key (often a target address) to a 64-bit value; open addressing. */
#ifndef HF_MAP64_H
#define HF_MAP64_H

#include "base.h"

/* Zero-initialised is empty. */
struct hf_map64 {
	uint64_t *keys, *values; /* key 0 marks an empty slot; the key 0 itself lives in zero_value */
	size_t n, cap;           /* cap: 0 or a power of two */
	bool has_zero;
	uint64_t zero_value;
	uint64_t seed; /* of this process: a target cannot choose keys that all fall on one slot */
};

/* Sets key's value, new or not. Errors: NOMEM. */
struct hf_err *hf_map64_put(struct hf_map64 *map, uint64_t key, uint64_t value) HF_CHECKED;
/* False where the key is absent. */
bool hf_map64_find(const struct hf_map64 *map, uint64_t key, uint64_t *ret);
void hf_map64_deinit(struct hf_map64 *map);

#endif
