#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

Test(alloc, sizes_that_wrap_give_nothing)
{
	static const size_t wraps[][2] = {
		{SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {(size_t)1 << 32, (size_t)1 << 32}};
	char *p = hf_strdup("kept");

	for (size_t i = 0; i < HF_LEN(wraps); i++) {
		volatile size_t n = wraps[i][0], size = wraps[i][1]; /* the compiler need not know */

		cr_expect_null(hf_calloc(n, size), "row %zu", i);
		cr_expect_null(hf_realloc(p, n, size), "row %zu", i);
	}
	cr_expect_str_eq(p, "kept");
	hf_free(p);
}

Test(alloc, nothing_is_still_a_pointer)
{
	void *p[] = {hf_malloc(0), hf_calloc(0, 8), hf_calloc(8, 0), hf_realloc(NULL, 0, 8), hf_strdup("")};

	for (size_t i = 0; i < HF_LEN(p); i++) {
		cr_expect_not_null(p[i], "%zu", i);
		hf_free(p[i]);
	}
	hf_free(NULL);
}

Test(alloc, only_the_nth_allocation_fails)
{
	for (unsigned long nth = 1; nth <= 5; nth++) {
		hf_alloc_fail_nth(nth);
		for (unsigned long i = 1; i <= 6; i++) {
			void *p = i % 2 ? hf_malloc(8) : hf_calloc(1, 8);

			cr_expect_eq(p == NULL, i == nth, "the %luth of %lu", i, nth);
			hf_free(p);
		}
	}
	hf_alloc_fail_nth(1);
	hf_alloc_fail_nth(0);
	void *p = hf_malloc(1);

	cr_expect_not_null(p);
	hf_free(p);
}

Test(alloc, strndup_stops_at_the_end_and_at_max)
{
	static const struct {
		const char *s;
		size_t max;
		const char *expected;
	} rows[] = {{"abc", 0, ""}, {"abc", 2, "ab"}, {"abc", 3, "abc"}, {"abc", 9, "abc"}, {"", 5, ""}};
	char unterminated[3] = {'x', 'y', 'z'}, *copy;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		copy = hf_strndup(rows[i].s, rows[i].max);
		cr_expect_str_eq(copy, rows[i].expected);
		hf_free(copy);
	}
	copy = hf_strndup(unterminated, sizeof(unterminated));
	cr_expect_str_eq(copy, "xyz");
	hf_free(copy);
	hf_alloc_fail_nth(1);
	cr_expect_null(hf_strdup("abc"));
}

static int *hand_over(void)
{
	_free_ int *mine = hf_malloc(sizeof(*mine));

	*mine = 3;
	return take_ptr(mine);
}

Test(base, pointer_taken_outlives_its_scope)
{
	_free_ int *p = hand_over();

	cr_expect_eq(*p, 3);
}

Test(base, file_is_closed_where_its_scope_ends)
{
	int fd;

	{
		_close_ int mine = open("/dev/null", O_RDONLY | O_CLOEXEC);

		fd = mine;
		cr_assert_geq(fd, 0);
	}
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	{
		_close_ int none = -1;

		(void)none;
	}
}

Test(base, arithmetic_that_does_not_fit_is_noticed)
{
	uint64_t sum;
	uint32_t narrow;

	cr_expect(hf_add_overflows(UINT64_MAX, (uint64_t)1, &sum));
	cr_expect_not(hf_add_overflows(UINT64_MAX, (uint64_t)0, &sum));
	cr_expect_eq(sum, UINT64_MAX);
	cr_expect(hf_mul_overflows((uint64_t)1 << 32, (uint64_t)1 << 32, &sum));
	cr_expect_not(hf_mul_overflows((uint64_t)1 << 32, (uint64_t)UINT32_MAX, &sum));
	cr_expect(hf_mul_overflows((uint64_t)1 << 16, (uint64_t)1 << 16, &narrow));
	cr_expect(hf_add_overflows((uint64_t)UINT32_MAX, 1, &narrow));
}

Test(base, loads_are_little_endian_at_any_alignment)
{
	static const unsigned char bytes[] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};

	cr_expect_eq(hf_load_u64(bytes + 1), 0x0807060504030201u);
	cr_expect_eq(hf_load_u32(bytes + 1), 0x04030201u);
	cr_expect_eq(hf_load_u16(bytes + 1), 0x0201u);
	cr_expect_eq(hf_load_u16(bytes), 0x01ffu);
}

Test(base, align_rounds_and_wraps_at_the_top)
{
	static const struct {
		uint64_t v, to, down, up;
	} rows[] = {
		{0, 8, 0, 0}, {1, 8, 0, 8},
		{8, 8, 8, 8}, {4097, 4096, 4096, 8192},
		{5, 1, 5, 5}, {UINT64_MAX, 4096, UINT64_MAX - 4095, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		cr_expect_eq(hf_align_down(rows[i].v, rows[i].to), rows[i].down, "row %zu", i);
		cr_expect_eq(hf_align_up(rows[i].v, rows[i].to), rows[i].up, "row %zu", i);
	}
}
