#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(err, no_error_is_ok)
{
	uint64_t addr = 7;

	cr_expect_eq(hf_err_code(NULL), HF_OK);
	cr_expect_eq(hf_err_exit_code(NULL), 0);
	cr_expect_str_eq(hf_err_message(NULL), "success");
	cr_expect_not(hf_err_addr(NULL, &addr));
	cr_expect_eq(addr, 7);
	cr_expect_not(hf_err_ignore(NULL));
	cr_expect_null(hf_err_prefix(NULL, "ignored %d", 1));
	hf_err_destroy(NULL);
}

Test(err, each_code_has_a_name_and_an_exit_code)
{
	static const struct {
		enum hf_err_code code;
		const char *name, *python;
		int exit_code;
	} rows[] = {
#define ROW(name, exit, python, text) {HF_##name, #name, python, exit},
		HF_ERR_CODES(ROW)
#undef ROW
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		_cleanup_(hf_err_destroy_p) struct hf_err *err = hf_err(rows[i].code, "x");

		cr_expect_eq(hf_err_code(err), rows[i].code);
		cr_expect_eq(hf_err_exit_code(err), rows[i].exit_code);
		cr_expect_str_eq(hf_err_code_name(rows[i].code), rows[i].name);
		cr_expect_str_eq(hf_err_python_name(rows[i].code), rows[i].python);
	}
}

Test(err, unknown_code_has_no_name)
{
	static const int unknown[] = {HF_INTERRUPTED + 1, 1000, -1, INT32_MIN};

	for (size_t i = 0; i < HF_LEN(unknown); i++) {
		cr_expect_str_eq(hf_err_code_name((enum hf_err_code)unknown[i]), "?");
		cr_expect_str_eq(hf_err_python_name((enum hf_err_code)unknown[i]), "RuntimeError");
	}
}

Test(err, address_is_kept)
{
	static const uint64_t addrs[] = {0, 1, 0x7fffffffffff, UINT64_MAX};

	for (size_t i = 0; i < HF_LEN(addrs); i++) {
		struct hf_err *err = hf_err_at(HF_FAULT, addrs[i], "at %" PRIx64, addrs[i]);
		uint64_t addr = 42;
		char expected[64];

		snprintf(expected, sizeof(expected), "span 3: at %" PRIx64, addrs[i]);
		err = hf_err_prefix(err, "span %d", 3);
		cr_expect(hf_err_addr(err, &addr));
		cr_expect_eq(addr, addrs[i]);
		cr_expect_eq(hf_err_code(err), HF_FAULT);
		cr_expect_str_eq(hf_err_message(err), expected);
		cr_expect(hf_err_ignore(err));
	}
}

Test(err, error_without_address_gets_none_by_a_prefix)
{
	_cleanup_(hf_err_destroy_p) struct hf_err *err =
		hf_err_prefix(hf_err(HF_IO, "disk full"), "%s", "core");
	uint64_t addr;

	cr_expect_not(hf_err_addr(err, &addr));
	cr_expect_str_eq(hf_err_message(err), "core: disk full");
}

Test(err, message_of_the_target_stays_one_line)
{
	static const char *const hostile[][2] = {
		{"a\nb", "a?b"},
		{"\r\033[2Jgone", "??[2Jgone"},
		{"tab\there\x7f", "tab?here?"},
		{"\xe4\xbd\xa0 stays", "\xe4\xbd\xa0 stays"},
		{"", ""},
	};

	for (size_t i = 0; i < HF_LEN(hostile); i++) {
		_cleanup_(hf_err_destroy_p) struct hf_err *err = hf_err(HF_BADDATA, "%s", hostile[i][0]);

		cr_expect_str_eq(hf_err_message(err), hostile[i][1]);
	}
}

Test(err, long_message_is_cut)
{
	char text[5000];
	struct hf_err *err;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err = hf_err(HF_BADDATA, "%s", text);
	cr_expect_eq(strlen(hf_err_message(err)), 1023);
	for (int i = 0; i < 3; i++)
		err = hf_err_prefix(err, "%s", text);
	cr_expect_eq(strlen(hf_err_message(err)), 1023);
	cr_expect_eq(hf_err_code(err), HF_BADDATA);
	hf_err_destroy(err);
}

Test(err, prefix_may_quote_the_message_itself)
{
	struct hf_err *err = hf_err(HF_IO, "once");

	err = hf_err_prefix(err, "%s", hf_err_message(err));
	cr_expect_str_eq(hf_err_message(err), "once: once");
	hf_err_destroy(err);
}

Test(err, no_memory_for_an_error_is_nomem)
{
	struct hf_err *err;
	uint64_t addr;

	hf_alloc_fail_nth(1);
	err = hf_err_at(HF_FAULT, 16, "lost");
	cr_expect_eq(hf_err_code(err), HF_NOMEM);
	cr_expect_str_eq(hf_err_message(err), "out of memory");
	cr_expect_not(hf_err_addr(err, &addr));
	hf_alloc_fail_nth(1);
	err = hf_err_prefix(err, "while %s", "reading");
	cr_expect_eq(err, hf_err_nomem());
	hf_err_destroy(err);
	hf_err_destroy(err); /* static: never freed */
	cr_expect_str_eq(hf_err_message(err), "out of memory");
}

Test(err, failed_prefix_frees_the_first_error)
{
	struct hf_err *err = hf_err(HF_IO, "first");

	hf_alloc_fail_nth(1);
	err = hf_err_prefix(err, "second");
	cr_expect_eq(hf_err_code(err), HF_NOMEM);
	hf_err_destroy(err);
}

static struct hf_err *try_it(struct hf_err *err, bool *went_on)
{
	HF_TRY(err);
	*went_on = true;
	return NULL;
}

Test(err, try_returns_the_error_and_nothing_else_happens)
{
	bool went_on = false;
	struct hf_err *err = hf_err(HF_STALE, "moved"), *got = try_it(err, &went_on);

	cr_expect_eq(got, err);
	cr_expect_not(went_on);
	hf_err_destroy(got);
	cr_expect_null(try_it(NULL, &went_on));
	cr_expect(went_on);
}
