#include "../../src/cli/cli.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define WORDS_MAX 20

/* Splits at spaces; "''" is the empty word. */
static struct hf_err *parse(const char *line, struct hf_cli *ret)
{
	static char text[256];
	static char *argv[WORDS_MAX + 2];
	int argc = 0;

	argv[argc++] = (char *)"holdfast";
	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word && argc <= WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") == 0 ? (char *)"" : word;
	argv[argc] = NULL;
	return hf_cli_parse(argc, argv, false, ret);
}

Test(cli, mistakes_are_refused_and_say_what)
{
	const struct {
		const char *line, *part;
	} rows[] = {
		{"", "no target"},
		{"top", "no target"},
		{"-p 1 -c core", "both"},
		{"-p", "-p needs a value"},
		{"-p ''", "not ''"},
		{"-p x", "not 'x'"},
		{"-p 0", "not '0'"},
		{"-p -7", "not '-7'"},
		{"-p +7", "not '+7'"},
		{"-p 0x10", "not '0x10'"},
		{"-p 7a", "not '7a'"},
		{"-p 2147483648", "not '2147483648'"},
		{"-p 18446744073709551623", "not '18446744073709551623'"},
		{"-p 1 -p 1", "twice"},
		{"-p 1 --pid=1", "twice"},
		{"-p 1 -e x", "-e goes with -c"},
		{"-e x", "no target"},
		{"1234", "-p 1234"},
		{"tpo -p 1", "did you mean 'top'"},
		{"over -p 1", "did you mean 'overview'"},
		{"GOROUTINES -p 1", "no command"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -p 1", "no command"},
		{"'' -p 1", "no command ''"},
		{"help whi", "did you mean 'why'"},
		{"top -p 1 word", "'word'"},
		{"why -p 1", "needs ADDR"},
		{"info -p 1", "needs ADDR"},
		{"why -p 1 --max 0 x", "not '0'"},
		{"why -p 1 --max", "--max needs a value"},
		{"why -p 1 --limit 3 x", "takes no --limit"},
		{"top -p 1 --limit -1", "not '-1'"},
		{"top -p 1 --limit 18446744073709551616", "--limit takes a number"},
		{"top -p 1 --by", "--by needs a value"},
		{"top -p 1 --by ''", "type, root, goroutine, object, site or field:TYPE"},
		{"top -p 1 --by types", "type, root, goroutine, object, site or field:TYPE"},
		{"top -p 1 --by field", "type, root, goroutine, object, site or field:TYPE"},
		{"top -p 1 --by field:", "type, root, goroutine, object, site or field:TYPE"},
		{"top -p 1 --by fields:main.T.F", "type, root, goroutine, object, site or field:TYPE"},
		{"slack -p 1 main.T", "takes no word"},
		{"slack -p 1 --max 3", "takes no --max"},
		{"overview -p 1 --by type", "takes no --by"},
		{"snap -p 1", "needs --output FILE"},
		{"page -p 1 -o x", "takes no --output"},
		{"patch set GOGC 1 --yes", "no target"},
		{"patch get", "no target"},
		{"patch set -p 1", "needs NAME VALUE"},
		{"patch set -p 1 GOGC 1 --expires 0", "up to a week"},
		{"patch set -p 1 GOGC 1 --expires 604801", "up to a week"},
		{"patch set -p 1 GOGC 1 --expires -1", "not '-1'"},
		{"patch set -p 1 GOGC 1 --expires 5m", "not '5m'"},
		{"patch set -p 1 GOGC 1 --wait 5", "takes no --wait"},
		{"patch get -p 1 --yes", "takes no --yes"},
		{"patch status --wait 1", "takes no --wait"},
		{"patch drain -p 1 --wait", "--wait needs a value"},
		{"patch drain -p 1 --to x", "takes no --to"},
		{"patch drain -p 1 main.pool", "takes no word"},
		{"patch revert -p 1 -c core --all", "both"},
		{"dominators -p 1 --depth 0", "from 1 to 100"},
		{"dominators -p 1 --depth 101", "from 1 to 100"},
		{"dominators -p 1 --max 0", "not '0'"},
		{"dominators -p 1 --limit 3", "takes no --limit"},
		{"dominators -p 1 --min", "--min needs a value"},
		{"dominators -p 1 --min ''", "not ''"},
		{"dominators -p 1 --min K", "not 'K'"},
		{"dominators -p 1 --min -1", "not '-1'"},
		{"dominators -p 1 --min 1KK", "not '1KK'"},
		{"dominators -p 1 --min 1X", "not '1X'"},
		{"dominators -p 1 --min 1.K", "not '1.K'"},
		{"dominators -p 1 --min .5K", "not '.5K'"},
		{"dominators -p 1 --min 1.5", "not '1.5'"},
		{"dominators -p 1 --min 1,5K", "not '1,5K'"},
		{"dominators -p 1 --min 0x10", "not '0x10'"},
		{"dominators -p 1 --min 100.1%", "not '100.1%'"},
		{"dominators -p 1 --min 1%%", "not '1%%'"},
		{"dominators -p 1 --min 1K%", "not '1K%'"},
		{"dominators -p 1 --min 99999999999G", "not '99999999999G'"},
		{"dominators -p 1 --min 99999999999999999999", "not '99999999999999999999'"},
		{"dominators -p 1 --min 1 --min 2", "twice"},
		{"top -p 1 --min 1", "takes no --min"},
		{"top -p 1 --depth 1", "takes no --depth"},
		{"-p 1 --workers 0", "from 1 to 8"},
		{"-p 1 --workers 9", "from 1 to 8"},
		{"-p 1 --json=1", "takes no value"},
		{"-p 1 --nothing", "no option '--nothing'"},
		{"-p 1 -q", "no option '-q'"},
		{"-p 1 -", "no command '-'"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_cli cli;
		struct hf_err *err = parse(rows[i].line, &cli);

		cr_expect_eq(hf_err_code(err), HF_USAGE, "'%s' is taken", rows[i].line);
		cr_expect(strstr(hf_err_message(err), rows[i].part), "'%s': %s", rows[i].line,
			  hf_err_message(err));
		cr_expect(!strchr(hf_err_message(err), '\n'));
		hf_err_destroy(err);
	}
}

Test(cli, options_stand_anywhere)
{
	const char *const lines[] = {
		"why -p 12 --max 5 --json a b",
		"-p 12 why a --max 5 b --json",
		"--json why a b --max=5 --pid=12",
		"-p12 --json --max 5 -- why a b",
	};

	for (size_t i = 0; i < HF_LEN(lines); i++) {
		struct hf_cli cli;
		struct hf_err *err = parse(lines[i], &cli);

		cr_assert_null(err, "%s: %s", lines[i], hf_err_message(err));
		cr_expect_str_eq(cli.command->name, "why");
		cr_expect_eq(cli.pid, 12);
		cr_expect_eq(cli.args.max, 5);
		cr_expect(cli.json);
		cr_assert_eq(cli.args.words_n, 2);
		cr_expect_str_eq(cli.args.words[0], "a");
		cr_expect_str_eq(cli.args.words[1], "b");
	}
}

Test(cli, what_is_not_given_has_its_default)
{
	struct hf_cli cli;

	cr_assert_null(parse("-c core", &cli));
	cr_expect_str_eq(cli.command->name, "page");
	cr_expect_str_eq(cli.core, "core");
	cr_expect_null(cli.exe);
	cr_expect_eq(cli.args.limit, HF_LIMIT_DEFAULT);
	cr_expect_eq(cli.args.max, HF_MAX_DEFAULT);
	cr_expect_eq(cli.args.by, HF_TOP_BY_TYPE);
	cr_expect_eq(cli.options.size, sizeof(struct hf_options));
	cr_expect(!cli.json && !cli.options.show_values && !cli.options.redact && !cli.options.debuginfod);
	cr_expect_eq(cli.options.workers, 0);
}

Test(cli, values_arrive)
{
	struct hf_cli cli;

	cr_assert_null(parse(
		"top -c core -e exe --by root --limit 0 --show-values --redact --debuginfod --workers 8",
		&cli));
	cr_expect_str_eq(cli.exe, "exe");
	cr_expect_eq(cli.args.by, HF_TOP_BY_ROOT);
	cr_expect_eq(cli.args.limit, 0);
	cr_expect(cli.options.show_values && cli.options.redact && cli.options.debuginfod);
	cr_expect_eq(cli.options.workers, 8);
	cr_assert_null(parse("snap -p 2147483647 -o file", &cli));
	cr_expect_eq(cli.pid, 2147483647);
	cr_expect_str_eq(cli.args.output, "file");
	cr_assert_null(parse("why -p 1 -- -1", &cli));
	cr_expect_str_eq(cli.args.words[0], "-1");
}

Test(cli, the_least_of_a_tree_is_a_size_or_a_share)
{
	const struct {
		const char *text;
		uint64_t bytes;
		double share;
	} rows[] = {
		{"0", 0, 0},
		{"4096", 4096, 0},
		{"4096B", 4096, 0},
		{"64K", 65536, 0},
		{"64k", 65536, 0},
		{"64KiB", 65536, 0},
		{"64kb", 65536, 0},
		{"1.5MiB", 1572864, 0},
		{"0.5G", 1 << 29, 0},
		{"2T", UINT64_C(2) << 40, 0},
		{"1.0000009999K", 1024, 0},
		{"2.0", 2, 0},
		{"1%", HF_UNKNOWN, 0.01},
		{"0.25%", HF_UNKNOWN, 0.0025},
		{"0%", HF_UNKNOWN, 0},
		{"100%", HF_UNKNOWN, 1},
		{"100.0000001%", HF_UNKNOWN, 1},
	};
	struct hf_cli cli;

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		char line[64];

		snprintf(line, sizeof(line), "dominators -p 1 --min %s", rows[i].text);
		cr_assert_null(parse(line, &cli), "%s", rows[i].text);
		cr_expect_eq(cli.args.min_bytes, rows[i].bytes, "%s: %" PRIu64, rows[i].text,
			     cli.args.min_bytes);
		if (rows[i].bytes == HF_UNKNOWN)
			cr_expect_eq(cli.args.min_share, rows[i].share, "%s: %g", rows[i].text,
				     cli.args.min_share);
	}
	cr_assert_null(parse("dominators -p 1 --depth 7 main.cache 0x10", &cli));
	cr_expect(cli.args.depth == 7 && cli.args.max == 10 && cli.args.words_n == 2);
	cr_expect(cli.args.min_bytes == HF_UNKNOWN && cli.args.min_share == HF_MIN_SHARE_DEFAULT);
	cr_assert_null(parse("dominators -p 1", &cli), "it needs no word");
	cr_expect(cli.args.depth == 0 && cli.args.words_n == 0);
}

Test(cli, help_needs_no_target)
{
	const char *const lines[] = {"--help",     "-h",        "help",         "help top",
				     "top --help", "--version", "help -p 1 why"};

	for (size_t i = 0; i < HF_LEN(lines); i++) {
		struct hf_cli cli;

		cr_assert_null(parse(lines[i], &cli), "%s", lines[i]);
		cr_expect(cli.help || cli.version);
	}
}

Test(cli, every_command_has_its_help_and_its_report)
{
	for (size_t i = 0; i < hf_commands_n; i++) {
		const struct hf_command *command = hf_commands[i];
		struct hf_str help = {0};

		hf_cli_add_help(&help, command, NULL, false);
		cr_assert_null(hf_str_check(&help));
		cr_expect(strstr(help.s, command->name) && strstr(help.s, command->summary) &&
			  strstr(help.s, command->example));
		cr_expect_eq(hf_command_find(command->name), command);
		cr_expect_eq(hf_command_nearest(command->name), command);
		cr_expect_not_null(command->ask);
		for (const char *line = help.s; *line; line += strcspn(line, "\n") + 1)
			cr_expect_leq(strcspn(line, "\n"), 110, "%s: a long line in its help", command->name);
		hf_str_deinit(&help);
	}
	cr_expect_null(hf_command_find(""));
	cr_expect_null(hf_command_find("pag"));
	cr_expect_null(hf_command_nearest("xylophone"));
}

Test(cli, target_is_named_so_that_a_shell_takes_it)
{
	const struct {
		struct hf_cli cli;
		const char *expected;
	} rows[] = {
		{{.pid = 7}, "-p 7"},
		{{.core = "a.core"}, "-c a.core"},
		{{.core = "a b", .exe = "$x"}, "-c 'a b' -e '$x'"},
		{{.core = "it's"}, "-c 'it'\\''s'"},
		{{.core = ""}, "-c ''"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_str text = {0};

		hf_cli_add_target(&text, &rows[i].cli);
		cr_expect_str_eq(hf_str_get(&text), rows[i].expected);
		hf_str_deinit(&text);
	}
}

Test(cli, what_the_journal_answers_needs_no_target)
{
	static const char *const lines[] = {"patch status", "patch revert --expired",
					    "patch revert --expired --wait 2.5"};
	struct hf_str named = {0};
	struct hf_cli cli;

	for (size_t i = 0; i < HF_LEN(lines); i++) {
		cr_assert_null(parse(lines[i], &cli), "%s", lines[i]);
		cr_expect(cli.command->alone && !cli.pid && !cli.core);
	}
	cr_expect_float_eq(cli.args.patch.wait_s, 2.5, 1e-9);
	hf_cli_add_target(&named, &cli);
	cr_expect_str_eq(hf_str_get(&named), "");
	hf_str_deinit(&named);
}
