#include "../../include/holdfast.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

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
		{"patch", "takes a second word"},
		{"patch frob", "takes a second word"},
		{"patch apply word", "'word'"},
		{"patch apply -p 1", "leave -p out"},
		{"patch vet --yes", "no --yes"},
		{"patch status one --all", "no --all"},
		{"patch apply --cpu-max 0", "--cpu-max"},
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
	cr_assert_null(hf_command_help("patch", &text));
	cr_expect(strstr(text, "patch apply") && strstr(text, "patch revert") && !strstr(text, "overview"),
		  "%s", text);
	hf_text_free(text);
	err = hf_command_help("frob", &text);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
}

/* ---- leave to write ------------------------------------------------------------------------------------------------- */

static bool was_asked;

static bool write_nothing(void *arg, uint64_t addr, const void *buf, size_t len)
{
	(void)arg;
	(void)addr;
	(void)buf;
	(void)len;
	was_asked = true;
	return false;
}

static bool read_nothing(void *arg, uint64_t addr, void *buf, size_t len)
{
	(void)arg;
	(void)addr;
	(void)buf;
	(void)len;
	return false;
}

/* A process that is elsewhere, held by a debugger: what comes first is asked of it. */
static struct hf_session *open_elsewhere(void)
{
	static const unsigned char regs[27 * 8];
	const struct hf_host_thread thread = {.tid = 7, .regs = regs, .regs_len = sizeof(regs)};
	const struct hf_host host = {.size = sizeof(host),
				     .pid = 7,
				     .threads = &thread,
				     .threads_n = 1,
				     .maps = "400000-401000 r-xp 00000000 00:00 0 \n",
				     .read = read_nothing,
				     .write = write_nothing};
	struct hf_session *s = NULL;
	struct hf_err *err = hf_session_open_host(&host, NULL, &s);

	cr_assert_null(err, "%s", hf_err_message(err));
	return s;
}

static void expect_refused(const char *line, bool allow, const char *part)
{
	struct hf_session *s = open_elsewhere();
	struct hf_question *q = NULL;
	struct hf_err *err;
	char *text = NULL;

	was_asked = false;
	cr_assert_null(parse(line, &q));
	cr_assert_null(hf_question_allow_write(q, allow, "turn the key"));
	err = hf_question_ask(q, s, NULL, &text);
	cr_expect_eq(hf_err_code(err), HF_REFUSED, "%s: %s", line, hf_err_message(err));
	cr_expect(strstr(hf_err_message(err), part), "%s: %s", line, hf_err_message(err));
	cr_expect_not(was_asked);
	hf_err_destroy(err);
	hf_question_free(q);
	hf_session_close(s);
}

Test(question, a_process_elsewhere_is_not_patched_with_leave_or_without)
{
	const char *const lines[] = {"patch apply --pool p --to f", "patch apply --pool p --to f --yes",
				     "patch revert --all", "patch status"};

	for (size_t i = 0; i < LEN(lines); i++) {
		expect_refused(lines[i], false, "not a process of this machine");
		expect_refused(lines[i], true, "not a process of this machine");
	}
}

Test(question, it_says_which_command_it_is)
{
	const struct {
		const char *line, *command;
	} rows[] = {{"", "page"},
		    {"why x", "why"},
		    {"patch dry-run --pool p --to f", "patch dry-run"},
		    {"--help", ""}};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct hf_question *q = NULL;

		cr_assert_null(parse(rows[i].line, &q));
		cr_expect_str_eq(hf_question_command(q), rows[i].command);
		hf_question_free(q);
	}
}

Test(question, what_nobody_can_allow_is_not_begun)
{
	struct hf_patch_options options = {
		.size = sizeof(options), .pool = "p", .to = "f", .leave = "turn the key"};
	const struct hf_patch_states *states = NULL;
	struct hf_session *s = NULL;
	struct hf_err *err = hf_session_open_pid(getppid(), NULL, &s);

	if (err) {
		hf_err_destroy(err);
		cr_skip("the process that started this one cannot be opened");
	}
	err = hf_patch_apply(s, &options, &states);
	cr_expect_eq(hf_err_code(err), HF_REFUSED);
	cr_expect(strstr(hf_err_message(err), "without leave: turn the key"), "%s", hf_err_message(err));
	hf_err_destroy(err);
	options.all = true;
	err = hf_patch_revert(s, &options, &states);
	cr_expect_eq(hf_err_code(err), HF_REFUSED);
	cr_expect(strstr(hf_err_message(err), "without leave: turn the key"), "%s", hf_err_message(err));
	hf_err_destroy(err);
	hf_session_close(s);
}
