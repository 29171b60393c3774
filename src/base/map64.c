#include "map64.h"

#include <sys/auxv.h>

/* Every bit of the key reaches the low bits: addresses at any stride spread. Multipliers: MurmurHash3, fmix64. */
static uint64_t mix(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdu;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53u;
	return key ^ key >> 33;
}

/* The kernel's random bytes for this process. */
static uint64_t read_seed(void)
{
	const void *bytes = (const void *)getauxval(AT_RANDOM);

	return bytes ? hf_load_u64(bytes) : 0;
}

static size_t slot_of(const struct hf_map64 *map, uint64_t key)
{
	size_t mask = map->cap - 1, i = (size_t)mix(key ^ map->seed) & mask;

	while (map->keys[i] && map->keys[i] != key)
		i = (i + 1) & mask;
	return i;
}

static struct hf_err *grow(struct hf_map64 *map)
{
	struct hf_map64 bigger = {.cap = map->cap ? map->cap * 2 : 64,
				  .seed = map->cap ? map->seed : read_seed()};

	bigger.keys = hf_calloc(bigger.cap, sizeof(uint64_t));
	bigger.values = hf_malloc(bigger.cap * sizeof(uint64_t));
	if (!bigger.keys || !bigger.values) {
		hf_free(bigger.keys);
		hf_free(bigger.values);
		return hf_err_nomem();
	}
	for (size_t i = 0; i < map->cap; i++) {
		if (!map->keys[i])
			continue;
		size_t s = slot_of(&bigger, map->keys[i]);

		bigger.keys[s] = map->keys[i];
		bigger.values[s] = map->values[i];
	}
	hf_free(map->keys);
	hf_free(map->values);
	map->keys = bigger.keys;
	map->values = bigger.values;
	map->cap = bigger.cap;
	map->seed = bigger.seed;
	return NULL;
}

struct hf_err *hf_map64_put(struct hf_map64 *map, uint64_t key, uint64_t value)
{
	size_t s;

	if (!key) {
		map->has_zero = true;
		map->zero_value = value;
		return NULL;
	}
	if (map->n * 4 >= map->cap * 3)
		HF_TRY(grow(map));
	s = slot_of(map, key);
	map->n += !map->keys[s];
	map->keys[s] = key;
	map->values[s] = value;
	return NULL;
}

bool hf_map64_find(const struct hf_map64 *map, uint64_t key, uint64_t *ret)
{
	size_t s;

	if (!key) {
		if (map->has_zero)
			*ret = map->zero_value;
		return map->has_zero;
	}
	if (!map->cap)
		return false;
	s = slot_of(map, key);
	if (!map->keys[s])
		return false;
	*ret = map->values[s];
	return true;
}

void hf_map64_deinit(struct hf_map64 *map)
{
	hf_free(map->keys);
	hf_free(map->values);
	*map = (struct hf_map64){0};
}
