#include "../../src/base/str.h"
#include "random.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void expect_str(struct hf_str *str, const char *expected)
{
	cr_expect_str_eq(hf_str_get(str), expected);
	cr_expect_eq(str->n, strlen(expected));
	cr_expect_null(hf_str_check(str));
	hf_str_deinit(str);
}

Test(str, empty_string_is_empty_text)
{
	struct hf_str s = {0};

	hf_str_truncate(&s, 0);
	hf_str_truncate(&s, 10);
	hf_str_addn(&s, NULL, 0);
	hf_str_add(&s, "");
	expect_str(&s, "");
	expect_str(&s, "");
}

Test(str, pieces_are_put_together)
{
	struct hf_str s = {0};

	hf_str_add(&s, "ab");
	hf_str_addc(&s, 'c');
	hf_str_addn(&s, "defgh", 2);
	hf_str_addf(&s, "%d-%s", 42, "x");
	expect_str(&s, "abcde42-x");
}

Test(str, long_text_grows)
{
	struct hf_str s = {0};
	char word[16];

	for (int i = 0; i < 20000; i++)
		hf_str_addf(&s, "%05d ", i);
	cr_expect_eq(s.n, 120000);
	for (int i = 0; i < 20000; i += 999) {
		snprintf(word, sizeof(word), "%05d ", i);
		cr_expect_arr_eq(s.s + 6 * i, word, 6);
	}
	hf_str_truncate(&s, 6);
	expect_str(&s, "00000 ");
}

Test(str, truncate_beyond_the_end_does_nothing)
{
	struct hf_str s = {0};

	hf_str_add(&s, "abc");
	hf_str_truncate(&s, 3);
	hf_str_truncate(&s, SIZE_MAX);
	hf_str_truncate(&s, 1);
	hf_str_add(&s, "z");
	expect_str(&s, "az");
}

Test(str, failed_addition_is_remembered)
{
	struct hf_str s = {0};
	struct hf_err *err;

	hf_str_add(&s, "kept");
	hf_alloc_fail_nth(1);
	for (int i = 0; i < 100; i++)
		hf_str_addf(&s, "%d", i);
	hf_str_add_quoted(&s, "abc", 3, 3);
	cr_expect(s.failed);
	cr_expect_lt(s.n, 190, "what came after the failure was added, too");
	err = hf_str_check(&s);
	cr_expect_eq(hf_err_code(err), HF_NOMEM);
	hf_err_destroy(err);
	hf_str_deinit(&s);
	hf_str_add(&s, "new");
	expect_str(&s, "new");
}

Test(str, first_addition_without_memory_is_an_error_not_a_crash)
{
	struct hf_str s = {0};

	hf_alloc_fail_nth(1);
	hf_str_addc(&s, 'x');
	cr_expect_str_eq(hf_str_get(&s), "");
	hf_str_truncate(&s, 0);
	cr_expect(hf_err_ignore(hf_str_check(&s)));
	hf_str_deinit(&s);
}

Test(str, length_that_wraps_is_an_error)
{
	static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 3};

	for (size_t i = 0; i < HF_LEN(lengths); i++) {
		struct hf_str s = {0};

		hf_str_add(&s, "abc");
		hf_str_addn(&s, "x", lengths[i]);
		cr_expect_str_eq(hf_str_get(&s), "abc");
		cr_expect(hf_err_ignore(hf_str_check(&s)), "row %zu", i);
		hf_str_deinit(&s);
	}
}

struct quoted {
	const char *bytes;
	size_t n, max;
	const char *expected;
};

#define QUOTED(bytes, max, expected)                                                                         \
	{                                                                                                    \
		bytes, sizeof(bytes) - 1, max, expected                                                      \
	}

static void check_quoted(const struct quoted *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* An exact copy: a byte read past it is seen by the sanitizer. */
		_free_ char *exact = hf_malloc(rows[i].n);
		struct hf_str s = {0};

		memcpy(exact, rows[i].bytes, rows[i].n);
		hf_str_add_quoted(&s, exact, rows[i].n, rows[i].max);
		cr_expect_str_eq(hf_str_get(&s), rows[i].expected, "row %zu: %s, not %s", i, hf_str_get(&s),
				 rows[i].expected);
		hf_str_deinit(&s);
	}
}

Test(quoted, printable_text_is_kept)
{
	static const struct quoted rows[] = {
		QUOTED("", 10, "\"\""),
		QUOTED("plain ~", 10, "\"plain ~\""),
		QUOTED("a\"b\\c", 10, "\"a\\\"b\\\\c\""),
		QUOTED("gr\xc3\xbc\xc3\x9f", 10, "\"gr\xc3\xbc\xc3\x9f\""),
		QUOTED("\xe4\xbd\xa0\xe5\xa5\xbd", 10, "\"\xe4\xbd\xa0\xe5\xa5\xbd\""),
		QUOTED("\xf0\x9f\x98\x80", 10, "\"\xf0\x9f\x98\x80\""),
		QUOTED("\xc2\xa0\xc2\xa1", 10, "\"\xc2\xa0\xc2\xa1\""),
		QUOTED("\xef\xbf\xbd", 10, "\"\xef\xbf\xbd\""),
	};

	check_quoted(rows, HF_LEN(rows));
}

Test(quoted, hostile_bytes_are_escaped)
{
	static const struct quoted rows[] = {
		QUOTED("a\nb\tc", 10, "\"a\\nb\\tc\""),
		QUOTED("\0\x01\x1f\x7f", 10, "\"\\x00\\x01\\x1f\\x7f\""),
		QUOTED("\033[2J\r", 10, "\"\\x1b[2J\\x0d\""),
		QUOTED("\x80", 10, "\"\\x80\""), /* a continuation alone */
		QUOTED("\xff\xfe", 10, "\"\\xff\\xfe\""),
		QUOTED("\xc3", 10, "\"\\xc3\""), /* cut short */
		QUOTED("\xe4\xbd", 10, "\"\\xe4\\xbd\""),
		QUOTED("\xf0\x9f\x98", 10, "\"\\xf0\\x9f\\x98\""),
		QUOTED("\xc3(", 10, "\"\\xc3(\""), /* no continuation */
		QUOTED("\xe4\xbd(", 10, "\"\\xe4\\xbd(\""),
		QUOTED("\xf0\x9f\x98(", 10, "\"\\xf0\\x9f\\x98(\""),
		QUOTED("\xc0\x80\xc1\xbf", 10, "\"\\xc0\\x80\\xc1\\xbf\""), /* overlong */
		QUOTED("\xe0\x80\xaf", 10, "\"\\xe0\\x80\\xaf\""),
		QUOTED("\xe0\x9f\xbf", 10, "\"\\xe0\\x9f\\xbf\""),
		QUOTED("\xf0\x8f\xbf\xbf", 10, "\"\\xf0\\x8f\\xbf\\xbf\""),
		QUOTED("\xed\xa0\x80", 10, "\"\\xed\\xa0\\x80\""), /* a surrogate */
		QUOTED("\xed\xbf\xbf", 10, "\"\\xed\\xbf\\xbf\""),
		QUOTED("\xf4\x90\x80\x80", 10, "\"\\xf4\\x90\\x80\\x80\""), /* beyond U+10FFFF */
		QUOTED("\xf5\x80\x80\x80", 10, "\"\\xf5\\x80\\x80\\x80\""),
		QUOTED("\xc2\x85\xc2\x9b", 10, "\"\\xc2\\x85\\xc2\\x9b\""), /* C1: next line, CSI */
		QUOTED("\xe2\x80\xae", 10, "\"\\xe2\\x80\\xae\""),          /* right-to-left override */
		QUOTED("\xe2\x80\xa8", 10, "\"\\xe2\\x80\\xa8\""),          /* line separator */
		QUOTED("\xe2\x81\xa6", 10, "\"\\xe2\\x81\\xa6\""),          /* isolate */
		QUOTED("\xd8\x9c", 10, "\"\\xd8\\x9c\""),                   /* Arabic letter mark */
		QUOTED("\xef\xbb\xbf", 10, "\"\\xef\\xbb\\xbf\""),          /* byte order mark */
		QUOTED("\xf3\xa0\x81\x81", 10, "\"\\xf3\\xa0\\x81\\x81\""), /* a tag letter */
	};

	check_quoted(rows, HF_LEN(rows));
}

Test(quoted, long_text_is_cut_between_characters)
{
	static const struct quoted rows[] = {
		QUOTED("abc", 3, "\"abc\""),
		QUOTED("abcd", 3, "\"abc\"..."),
		QUOTED("abc", 0, "\"\"..."),
		QUOTED("", 0, "\"\""),
		QUOTED("ab\xc3\xbc", 3, "\"ab\"..."),
		QUOTED("ab\xc3\xbc", 4, "\"ab\xc3\xbc\""),
		QUOTED("\xf0\x9f\x98\x80", 3, "\"\"..."),
		QUOTED("\xff\xff\xff", 2, "\"\\xff\\xff\"..."),
		QUOTED("abc", SIZE_MAX, "\"abc\""),
	};

	check_quoted(rows, HF_LEN(rows));
}

/* What is quoted must be one line of printable UTF-8, whatever went in, and at most four times as long. */
Test(quoted, random_bytes_never_escape_their_quotes, .timeout = 60)
{
	uint64_t seed = 4711;

	for (int round = 0; round < 20000; round++) {
		unsigned char bytes[40];
		size_t n = random_below(&seed, sizeof(bytes) + 1), max = random_below(&seed, 48);
		struct hf_str s = {0};

		for (size_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)(random_below(&seed, 2) ? 0x80 | random_next(&seed)
									  : random_next(&seed));
		hf_str_add_quoted(&s, bytes, n, max);
		cr_assert_leq(s.n, 4 * hf_min(n, max) + 5);
		cr_assert_eq(s.s[0], '"');
		for (size_t i = 0; i < s.n; i++) {
			unsigned char c = (unsigned char)s.s[i];
			bool inside = i && i + 1 < s.n && !(n > max && i + 4 >= s.n);

			cr_assert(c >= 0x20 && c != 0x7f, "byte %02x at %zu", c, i);
			if (c == '\\' && inside && (s.s[i + 1] == '\\' || s.s[i + 1] == '"'))
				i++;
			else if (c == '"' && i)
				cr_assert(i + 1 == s.n || !strcmp(s.s + i, "\"..."), "a quote at %zu: %s", i,
					  s.s);
		}
		hf_str_deinit(&s);
	}
}

Test(str, short_names_lose_the_folders_of_packages)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"int", "int"},
		{"/", "/"},
		{"a/", "a/"},
		{"main.Session", "main.Session"},
		{"net/http.Request", "http.Request"},
		{"*example.org/x~y/v2%2e0.T", "*v2%2e0.T"},
		{"map[string]*net/http.Request", "map[string]*http.Request"},
		{"map[a/b.K]map[c/d.K]e/f.V", "map[b.K]map[d.K]f.V"},
		{"func(...a/b.Option) (int, c/d.E)", "func(...b.Option) (int, d.E)"},
		{"struct { F a/b.T; c/d.T }", "struct { F b.T; d.T }"},
		{"a/b.G[c/d.T,int]", "b.G[d.T,int]"},
		{"chan<- a/b.T", "chan<- b.T"},
		{"a/b.(*T).Method.func1", "b.(*T).Method.func1"},
		{"......", "......"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_str s = {0};

		hf_str_add_short(&s, rows[i][0]);
		expect_str(&s, rows[i][1]);
	}
}

Test(format, sizes_are_as_people_read_them)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} rows[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{102348, "99.9 KiB"},
		{102400, "100 KiB"},
		{1048063, "1023 KiB"},
		{1048064, "1.0 MiB"}, /* never "1024 KiB" */
		{1048524, "1.0 MiB"},
		{1048576, "1.0 MiB"},
		{110 << 20, "110 MiB"},
		{1073741823, "1.0 GiB"},
		{(uint64_t)5 << 40, "5.0 TiB"},
		{(uint64_t)1 << 50, "1.0 PiB"},
		{(uint64_t)1 << 60, "1.0 EiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char buf[16];

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		cr_expect_eq(hf_format_size(rows[i].bytes, buf, sizeof(buf)), buf);
		cr_expect_str_eq(buf, rows[i].expected, "%" PRIu64 ": %s", rows[i].bytes, buf);
	}
}

Test(format, no_size_is_longer_than_its_buffer)
{
	char buf[64];

	for (int shift = 0; shift < 64; shift++)
		for (int below = 0; below < 3; below++) {
			uint64_t bytes = ((uint64_t)1 << shift) - (uint64_t)below;

			cr_expect_lt(strlen(hf_format_size(bytes, buf, sizeof(buf))), 16);
			cr_expect_null(strstr(buf, "1024 "), "%s", buf);
		}
}

Test(format, counts_have_separators)
{
	static const struct {
		uint64_t count;
		const char *expected;
	} rows[] = {
		{0, "0"},          {999, "999"},           {1000, "1,000"},
		{99999, "99,999"}, {1234567, "1,234,567"}, {UINT64_MAX, "18,446,744,073,709,551,615"},
	};
	char buf[28];

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_str_eq(hf_format_count(rows[i].count, buf, sizeof(buf)), rows[i].expected);
}

Test(format, durations_are_as_people_read_them)
{
	static const struct {
		double seconds;
		const char *expected;
	} rows[] = {
		{0, "0 s"},
		{-5, "0 s"},
		{0.9, "0 s"},
		{45, "45 s"},
		{119.9, "119 s"},
		{120, "2 min"},
		{7199, "119 min"},
		{12000, "3 h 20 min"},
		{172799, "47 h 59 min"},
		{187200, "2 d 4 h"},
		{1e300, "11574074074074 d 1 h"},
	};
	char buf[24];

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_str_eq(hf_format_duration(rows[i].seconds, buf, sizeof(buf)), rows[i].expected,
				 "%s", buf);
	cr_expect_str_eq(hf_format_duration(__builtin_inf(), buf, sizeof(buf)), "11574074074074 d 1 h");
	cr_expect_str_eq(hf_format_duration(__builtin_nan(""), buf, sizeof(buf)), "0 s");
}
