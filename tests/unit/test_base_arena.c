#include "../../src/base/str.h"
#include "random.h"

#include <criterion/criterion.h>

Test(arena, empty_arena_is_freed)
{
	struct hf_arena arena = {0};

	hf_arena_deinit(&arena);
	hf_arena_deinit(&arena);
}

Test(arena, pieces_are_zeroed_aligned_and_apart)
{
	enum { N = 4000 };
	static unsigned char *piece[N];
	static size_t size[N];
	struct hf_arena arena = {0};
	uint64_t seed = 5;

	for (int i = 0; i < N; i++) {
		size[i] = i % 500 == 7 ? 20000 + random_below(&seed, 200000) : random_below(&seed, 300);
		piece[i] = hf_arena_alloc(&arena, size[i]);
		cr_assert_not_null(piece[i]);
		cr_assert_eq((uintptr_t)piece[i] % 16, 0);
		for (size_t k = 0; k < size[i]; k++)
			cr_assert_eq(piece[i][k], 0, "piece %d is not zeroed", i);
		memset(piece[i], i & 0xff, size[i]);
	}
	for (int i = 0; i < N; i++)
		for (size_t k = 0; k < size[i]; k++)
			cr_assert_eq(piece[i][k], i & 0xff, "piece %d was overwritten", i);
	hf_arena_deinit(&arena);
	cr_expect_null(arena.page);
}

Test(arena, large_piece_leaves_the_page_in_use)
{
	struct hf_arena arena = {0};
	char *first = hf_arena_alloc(&arena, 16), *large = hf_arena_alloc(&arena, 1 << 20),
	     *next = hf_arena_alloc(&arena, 16);

	cr_assert_not_null(large);
	cr_expect_eq(next, first + 16);
	hf_arena_deinit(&arena);
}

Test(arena, first_piece_may_be_large)
{
	struct hf_arena arena = {0};
	char *large = hf_arena_alloc(&arena, 1 << 20), *small = hf_arena_alloc(&arena, 1);

	memset(large, 1, 1 << 20);
	*small = 2;
	cr_expect_eq(large[(1 << 20) - 1], 1);
	hf_arena_deinit(&arena);
}

Test(arena, sizes_that_cannot_be_give_nothing)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 14, SIZE_MAX - 15, SIZE_MAX - 31, SIZE_MAX / 2};

	for (size_t i = 0; i < HF_LEN(sizes); i++) {
		struct hf_arena arena = {0};
		char *p = hf_arena_alloc(&arena, 1);

		cr_expect_null(hf_arena_alloc(&arena, sizes[i]), "row %zu", i);
		if (sizes[i] > SIZE_MAX / 2)
			cr_expect_null(hf_arena_strndup(&arena, p, sizes[i]), "row %zu", i);
		cr_expect_not_null(hf_arena_alloc(&arena, 8));
		hf_arena_deinit(&arena);
	}
}

Test(arena, strings_are_copied_by_length)
{
	struct hf_arena arena = {0};
	char text[] = {'a', 'b', 'c'}, *copy = hf_arena_strndup(&arena, text, 3);

	text[0] = 'x';
	cr_expect_str_eq(copy, "abc");
	cr_expect_str_eq(hf_arena_strndup(&arena, text, 1), "x");
	cr_expect_str_eq(hf_arena_strndup(&arena, NULL, 0), "");
	hf_arena_deinit(&arena);
}

Test(arena, no_memory_gives_nothing_and_loses_nothing)
{
	struct hf_arena arena = {0};
	char *kept;

	hf_alloc_fail_nth(1);
	cr_expect_null(hf_arena_strndup(&arena, "abc", 3));
	kept = hf_arena_strndup(&arena, "kept", 4);
	hf_alloc_fail_nth(1);
	cr_expect_null(hf_arena_alloc(&arena, 1 << 20));
	cr_expect_str_eq(kept, "kept");
	cr_expect_not_null(hf_arena_alloc(&arena, 16));
	hf_arena_deinit(&arena);
}
