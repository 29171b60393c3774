#include "../../src/base/safe.h"

#include <criterion/criterion.h>

static void expect(void (*add)(struct hf_str *, const char *), const char *text, const char *expected)
{
	struct hf_str s = {0};

	hf_str_addc(&s, '>');
	add(&s, text);
	cr_expect_str_eq(s.s + 1, expected);
	hf_str_deinit(&s);
}

Test(safe, clean_text_keeps_what_is_harmless)
{
	const struct {
		const char *text, *expected;
	} rows[] = {
		{"", ""},
		{"plain \"quoted\" \\back\\", "plain \"quoted\" \\back\\"},
		{"gr\xc3\xb6\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		 "gr\xc3\xb6\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\033[31mred", "\\x1b[31mred"},
		{"two\nlines\r\t", "two\\nlines\\x0d\\t"},
		{"\x7f\xc2\x85", "\\x7f\\xc2\\x85"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"cut \xe2\x82", "cut \\xe2\\x82"},
		{"\xe2\x80\xae"
		 "evil",
		 "\\xe2\\x80\\xaeevil"},
		{"\\\n\"", "\\\\n\""},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		expect(hf_str_add_clean, rows[i].text, rows[i].expected);
}

Test(safe, shell_words_are_quoted_where_they_must_be)
{
	const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "''"},
		{"main.Session", "main.Session"},
		{"[]uint8", "'[]uint8'"},
		{"a b", "'a b'"},
		{"$(x)`y`", "'$(x)`y`'"},
		{"it's", "'it'\\''s'"},
		{"'", "''\\'''"},
		{"~", "'~'"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		expect(hf_str_add_shell, rows[i].text, rows[i].expected);
}

Test(safe, failed_allocation_is_remembered)
{
	for (unsigned long nth = 1; nth < 3; nth++) {
		struct hf_str s = {0};

		hf_alloc_fail_nth(nth);
		hf_str_add_clean(&s, "text");
		hf_alloc_fail_nth(0);
		cr_expect(s.failed);
		hf_str_deinit(&s);
	}
}
