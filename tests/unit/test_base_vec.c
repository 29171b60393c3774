#include "../../src/base/str.h"
#include "../../src/base/vec.h"

#include <criterion/criterion.h>

Test(vec, empty_vector_is_walked_and_freed)
{
	HF_VEC(int) v = {0};
	int seen = 0;

	hf_vec_each(&v, it)
		seen++;
	cr_expect_eq(seen, 0);
	hf_vec_deinit(&v);
	hf_vec_deinit(&v);
}

Test(vec, items_keep_their_order_while_it_grows)
{
	HF_VEC(uint64_t) v = {0};
	uint64_t i = 0;

	for (; i < 10000; i++)
		cr_assert_null(hf_vec_push(&v, i * i));
	cr_expect_eq(v.n, 10000);
	cr_expect_leq(v.n, v.cap);
	i = 0;
	hf_vec_each(&v, it) {
		cr_assert_eq(*it, i * i, "item %" PRIu64, i);
		i++;
	}
	cr_expect_eq(i, 10000);
	hf_vec_deinit(&v);
	cr_expect_null(v.at);
	cr_expect_eq(v.n + v.cap, 0);
}

Test(vec, push_of_an_own_item_survives_the_move)
{
	HF_VEC(uint64_t) v = {0};

	cr_assert_null(hf_vec_push(&v, 11));
	for (int i = 0; i < 1000; i++)
		cr_assert_null(hf_vec_push(&v, v.at[v.n - 1] + 1));
	cr_expect_eq(v.at[1000], 1011);
	hf_vec_deinit(&v);
}

Test(vec, push_without_memory_leaves_the_vector_alone)
{
	HF_VEC(int) v = {0};
	struct hf_err *err;
	size_t cap;
	int *at;

	cr_assert_null(hf_vec_push(&v, 5));
	while (v.n < v.cap)
		cr_assert_null(hf_vec_push(&v, 5));
	at = v.at;
	cap = v.cap;
	hf_alloc_fail_nth(1);
	err = hf_vec_push(&v, 6);
	cr_expect_eq(hf_err_code(err), HF_NOMEM);
	cr_expect_eq(v.at, at);
	cr_expect_eq(v.n, cap);
	cr_expect_eq(v.cap, cap);
	cr_assert_null(hf_vec_push(&v, 6));
	cr_expect_eq(v.at[cap], 6);
	hf_vec_deinit(&v);
}

Test(vec, reserve_makes_room_once)
{
	HF_VEC(uint32_t) v = {0};
	uint32_t *at;

	cr_assert_null(hf_vec_push(&v, 1));
	cr_assert_null(hf_vec_reserve(&v, 5000));
	cr_expect_geq(v.cap, 5001);
	at = v.at;
	for (uint32_t i = 0; i < 5000; i++)
		cr_assert_null(hf_vec_push(&v, i));
	cr_expect_eq(v.at, at);
	cr_assert_null(hf_vec_reserve(&v, 0));
	cr_expect_eq(v.at, at);
	hf_vec_deinit(&v);
}

Test(vec, room_that_cannot_be_is_refused)
{
	static const size_t more[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 8,
				      SIZE_MAX / sizeof(struct hf_str) + 1};

	for (size_t i = 0; i < HF_LEN(more); i++) {
		HF_VEC(struct hf_str) v = {0};
		struct hf_err *err;

		cr_assert_null(hf_vec_reserve(&v, 2));
		v.n = 2;
		err = hf_vec_reserve(&v, more[i]);
		cr_expect_eq(hf_err_code(err), HF_NOMEM, "row %zu", i);
		cr_expect_eq(v.n, 2);
		hf_vec_deinit(&v);
	}
}
