#include "../../src/base/map64.h"
#include "random.h"

#include <criterion/criterion.h>

static void expect_value(const struct hf_map64 *map, uint64_t key, uint64_t value)
{
	uint64_t got = ~value;

	cr_assert(hf_map64_find(map, key, &got), "key %" PRIx64 " is absent", key);
	cr_assert_eq(got, value, "key %" PRIx64 ": %" PRIu64 ", not %" PRIu64, key, got, value);
}

Test(map64, empty_map_has_no_key)
{
	struct hf_map64 map = {0};
	uint64_t got = 9;

	cr_expect_not(hf_map64_find(&map, 0, &got));
	cr_expect_not(hf_map64_find(&map, 1, &got));
	cr_expect_not(hf_map64_find(&map, UINT64_MAX, &got));
	cr_expect_eq(got, 9);
	hf_map64_deinit(&map);
}

Test(map64, zero_and_the_highest_are_keys_as_any_other)
{
	static const uint64_t keys[] = {
		0, 1, UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 63, (uint64_t)1 << 32};
	struct hf_map64 map = {0};
	uint64_t got;

	for (size_t i = 0; i < HF_LEN(keys); i++) {
		cr_expect_not(hf_map64_find(&map, keys[i], &got), "key %" PRIx64, keys[i]);
		cr_assert_null(hf_map64_put(&map, keys[i], i));
	}
	for (size_t i = 0; i < HF_LEN(keys); i++)
		expect_value(&map, keys[i], i);
	hf_map64_deinit(&map);
	cr_expect_not(hf_map64_find(&map, 0, &got));
}

Test(map64, put_again_replaces)
{
	struct hf_map64 map = {0};

	for (uint64_t round = 0; round < 3; round++)
		for (uint64_t key = 0; key < 100; key++)
			cr_assert_null(hf_map64_put(&map, key, key + round));
	for (uint64_t key = 0; key < 100; key++)
		expect_value(&map, key, key + 2);
	cr_expect_eq(map.n, 99); /* and the zero */
	hf_map64_deinit(&map);
}

/* Each stride is a way that addresses really lie: they must neither be lost nor pile up. */
Test(map64, regular_addresses_are_all_found, .timeout = 60)
{
	static const uint64_t strides[] = {
		1, 8, 16, 4096, 8192, 1 << 20, (uint64_t)1 << 32, (uint64_t)1 << 44};

	for (size_t s = 0; s < HF_LEN(strides); s++) {
		struct hf_map64 map = {0};
		uint64_t got;

		for (uint64_t i = 0; i < 100000; i++)
			cr_assert_null(hf_map64_put(&map, 0xc000000000 + i * strides[s], i));
		for (uint64_t i = 0; i < 100000; i++)
			expect_value(&map, 0xc000000000 + i * strides[s], i);
		cr_expect_not(hf_map64_find(&map, 0xc000000000 - strides[s], &got));
		cr_expect_not(hf_map64_find(&map, 0xc000000000 + 100000 * strides[s], &got));
		hf_map64_deinit(&map);
	}
}

Test(map64, random_keys_answer_as_a_plain_list_does)
{
	enum { N = 3000 };
	static uint64_t keys[N], values[N];
	struct hf_map64 map = {0};
	uint64_t seed = 99, got;
	size_t n = 0;

	for (int i = 0; i < N; i++) {
		uint64_t key = random_below(&seed, 2000), value = random_next(&seed);
		size_t at = 0;

		while (at < n && keys[at] != key)
			at++;
		keys[at] = key;
		values[at] = value;
		n += at == n;
		cr_assert_null(hf_map64_put(&map, key, value));
	}
	for (size_t i = 0; i < n; i++)
		expect_value(&map, keys[i], values[i]);
	for (uint64_t key = 2000; key < 4000; key++)
		cr_expect_not(hf_map64_find(&map, key, &got));
	hf_map64_deinit(&map);
}

Test(map64, put_without_memory_keeps_what_is_there)
{
	for (unsigned long nth = 1; nth <= 4; nth++) {
		struct hf_map64 map = {0};
		uint64_t got, failures = 0;

		hf_alloc_fail_nth(nth);
		for (uint64_t key = 1; key <= 80; key++)
			if (hf_err_ignore(hf_map64_put(&map, key, key * 2))) {
				failures++;
				cr_expect_not(hf_map64_find(&map, key, &got));
				cr_assert_null(hf_map64_put(&map, key, key * 2));
			}
		cr_expect_eq(failures, 1, "%" PRIu64 " failures", failures);
		for (uint64_t key = 1; key <= 80; key++)
			expect_value(&map, key, key * 2);
		hf_map64_deinit(&map);
	}
}
