#include "../../include/holdfast.h"

#include <criterion/criterion.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct hf_err *parse(const char *line, struct hf_question **ret)
{
	const char *words[16];
	char text[256];
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	return hf_question_parse(words, n, ret);
}

Test(question, mistakes_are_refused_and_say_what)
{
	const struct {
		const char *line, *part;
	} rows[] = {
		{"top -p 1", "leave -p out"},
		{"top -c core", "leave -c out"},
		{"top -e exe", "leave -e out"},
		{"-p 1", "leave -p out"},
		{"overvew", "did you mean 'overview'"},
		{"why", "needs ADDR"},
		{"top word", "'word'"},
		{"why --max 0 x", "not '0'"},
		{"snap", "--output"},
		{"--bogus", "--bogus"},
		{"help frob", "no command 'frob'"},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct hf_question *q = NULL;
		struct hf_err *err = parse(rows[i].line, &q);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "%s", rows[i].line);
		cr_expect(strstr(hf_err_message(err), rows[i].part), "%s: %s", rows[i].line,
			  hf_err_message(err));
		cr_expect_null(q);
		hf_err_destroy(err);
	}
}

Test(question, words_can_be_replaced_but_not_added)
{
	struct hf_question *q = NULL;
	const char *const *words;
	struct hf_err *err;

	cr_assert_null(parse("why one --max 2 two", &q));
	cr_assert_eq(hf_question_words(q, &words), 2);
	cr_expect_str_eq(words[0], "one");
	cr_assert_null(hf_question_set_word(q, 1, "0x2"));
	cr_assert_null(hf_question_set_word(q, 1, "0x3"));
	cr_assert_eq(hf_question_words(q, &words), 2);
	cr_expect_str_eq(words[0], "one");
	cr_expect_str_eq(words[1], "0x3");
	err = hf_question_set_word(q, 2, "0x4");
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
	hf_question_free(q);
	hf_question_free(NULL);
}

Test(question, without_a_session_only_help_is_answered)
{
	const struct {
		const char *line, *part;
	} rows[] = {{"help why", "example: holdfast why main."},
		    {"--help", "goroutines"},
		    {"--version", "holdfast 0."}};
	struct hf_question *q = NULL;
	struct hf_err *err;
	char *text = NULL;

	for (size_t i = 0; i < LEN(rows); i++) {
		cr_assert_null(parse(rows[i].line, &q));
		cr_expect(hf_question_is_help(q));
		cr_assert_null(hf_question_ask(q, NULL, NULL, &text));
		cr_expect(strstr(text, rows[i].part) && !strstr(text, "-p "), "%s: %s", rows[i].line, text);
		hf_text_free(text);
		hf_question_free(q);
	}
	cr_assert_null(parse("", &q));
	cr_expect_not(hf_question_is_help(q));
	err = hf_question_ask(q, NULL, NULL, &text);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
	hf_question_free(q);
}

Test(question, every_command_has_a_help_that_names_no_target)
{
	struct hf_command_info info;
	struct hf_err *err;
	size_t n = 0;
	char *text;

	for (; hf_command_at(n, &info); n++) {
		cr_assert_null(hf_command_help(info.name, &text));
		cr_expect(strstr(text, info.summary) && strstr(text, "example: holdfast") &&
				  !strstr(text, " -p "),
			  "%s", text);
		hf_text_free(text);
	}
	cr_expect_gt(n, 5);
	err = hf_command_help("frob", &text);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
}
