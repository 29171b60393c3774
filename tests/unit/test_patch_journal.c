/* The journal survives what befalls it. */
#include "../../src/base/workers.h"
#include "../../src/patch/journal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define assert_ok(expr)                                                                                      \
	do {                                                                                                 \
		struct hf_err *ok_err_ = (expr);                                                             \
		cr_assert_null(ok_err_, "%s", hf_err_message(ok_err_));                                      \
	} while (0)

#define assert_code(expr, code, text)                                                                        \
	do {                                                                                                 \
		struct hf_err *code_err_ = (expr);                                                           \
		cr_assert_eq(hf_err_code(code_err_), code, "%s", hf_err_message(code_err_));                 \
		cr_assert(strstr(hf_err_message(code_err_), text), "%s", hf_err_message(code_err_));         \
		hf_err_destroy(code_err_);                                                                   \
	} while (0)

static char folder[64], path[128];

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/journalXXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a/b/journal.jsonl", folder);
	hf_interrupt_clear();
}

static void teardown(void)
{
	char other[160];

	unlink(path);
	for (const char *const *name = (const char *const[]){"a/b", "a", "", NULL}; *name; name++) {
		snprintf(other, sizeof(other), "%s/%s", folder, *name);
		rmdir(other);
	}
}

TestSuite(patch_journal, .init = setup, .fini = teardown, .timeout = 120);

static struct hf_journal_entry sample(pid_t pid, enum hf_journal_event event)
{
	return (struct hf_journal_entry){.event = event,
					 .plan = "0123456789abcdef",
					 .pid = pid,
					 .start_time = 99,
					 .boot = "boot",
					 .build_id = "00ff",
					 .pool = "main.pool",
					 .old_function = "old",
					 .new_function = "new",
					 .slot_addr = 0xc000010020,
					 .old_value = 1,
					 .new_value = UINT64_MAX,
					 .restore = 1,
					 .at = 1.5};
}

static void append(pid_t pid, enum hf_journal_event event)
{
	struct hf_journal_entry e = sample(pid, event);
	struct hf_journal j = {0};

	assert_ok(hf_journal_open(path, true, &j));
	assert_ok(hf_journal_append(&j, &e));
	hf_journal_close(&j);
}

static void put(const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static void expect_entries(size_t n, size_t damaged)
{
	struct hf_journal j = {0};

	assert_ok(hf_journal_open(path, false, &j));
	cr_assert_eq(j.entries.n, n, "%zu entries, not %zu", j.entries.n, n);
	cr_assert_eq(j.damaged, damaged, "%zu damaged, not %zu", j.damaged, damaged);
	hf_journal_close(&j);
}

Test(patch_journal, none_is_empty_and_is_not_made_by_reading)
{
	expect_entries(0, 0);
	cr_assert_neq(access(path, F_OK), 0);
}

Test(patch_journal, last_event_of_a_patch_counts)
{
	struct hf_journal j = {0};
	struct stat st;

	append(7, HF_JOURNAL_INTENT);
	append(7, HF_JOURNAL_APPLIED);
	append(8, HF_JOURNAL_INTENT);
	append(7, HF_JOURNAL_REVERTING);
	assert_ok(hf_journal_open(path, false, &j));
	cr_assert_eq(j.entries.n, 2);
	cr_assert_eq(j.entries.at[0].pid, 7);
	cr_assert_eq(j.entries.at[0].event, HF_JOURNAL_REVERTING);
	cr_assert_eq(j.entries.at[0].new_value, UINT64_MAX);
	cr_assert_eq(j.entries.at[0].at, 1.5);
	cr_assert_str_eq(j.entries.at[0].pool, "main.pool");
	cr_assert_eq(j.entries.at[1].event, HF_JOURNAL_INTENT);
	hf_journal_close(&j);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	*strrchr(path, '/') = 0;
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	path[strlen(path)] = '/';
}

Test(patch_journal, torn_last_line_says_nothing_and_harms_none)
{
	struct stat st;
	char *line;
	int fd;

	append(7, HF_JOURNAL_INTENT);
	fd = open(path, O_RDONLY);
	cr_assert_eq(fstat(fd, &st), 0);
	line = hf_malloc((size_t)st.st_size);
	cr_assert_eq(read(fd, line, (size_t)st.st_size), st.st_size);
	close(fd);
	for (off_t n = 1; n < st.st_size; n += 13) {
		cr_assert_eq(truncate(path, st.st_size), 0);
		put(line, (size_t)n);
		expect_entries(1, 0);
		append(9, HF_JOURNAL_INTENT); /* on a line of its own */
		expect_entries(2, 1);
	}
	hf_free(line);
}

Test(patch_journal, lines_that_are_not_ours_are_counted)
{
	static const char *const lines[] = {
		"x",
		"{}",
		"[]",
		"null",
		"{\"event\":\"intent\"}",
		"{\"event\":\"exploded\",\"pid\":1}",
		"\"\xff\"",
		"{\"event\":\"intent\",\"pid\":-1}",
		"{\"event\":\"intent\",\"pid\":\"7\"}",
		"{\"event\":1,\"pid\":7}",
	};
	static char zeros[100];

	append(7, HF_JOURNAL_INTENT);
	for (size_t i = 0; i < HF_LEN(lines); i++) {
		put(lines[i], strlen(lines[i]));
		put("\n", 1);
	}
	put(zeros, sizeof(zeros));
	put("\n\n\n", 3);
	expect_entries(1, HF_LEN(lines) + 1);
	append(8, HF_JOURNAL_INTENT);
	expect_entries(2, HF_LEN(lines) + 1);
}

/* Each member with a value of another kind, or out of its bounds. */
Test(patch_journal, members_of_another_kind_damage_a_line)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"\"slot_addr\":\"0x", "\"slot_addr\":\"1x"},
		{"\"slot_addr\":\"0xc", "\"slot_addr\":\"0xg"},
		{"\"start_time\":99", "\"start_time\":-9"},
		{"\"old_on_heap\":false", "\"old_on_heap\":\"alse"},
		{"\"at\":1.5", "\"at\":\"1\""},
		{"\"at\":1.5", "\"at\":-.5"},
		{"\"plan\":\"", "\"plam\":\""},
		{"\"uid\":0", "\"uid\":x"},
		{"\"expires\":0.0", "\"expires\":-1."},
	};
	char text[4096];
	ssize_t n;
	int fd;

	append(7, HF_JOURNAL_INTENT);
	fd = open(path, O_RDWR);
	n = read(fd, text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = 0;
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		char *at = strstr(text, rows[i].from);

		cr_assert_not_null(at, "%s", rows[i].from);
		cr_assert_eq(strlen(rows[i].from), strlen(rows[i].to), "%s", rows[i].to);
		cr_assert_eq(pwrite(fd, rows[i].to, strlen(rows[i].to), at - text),
			     (ssize_t)strlen(rows[i].to));
		expect_entries(0, 1);
		cr_assert_eq(pwrite(fd, text, (size_t)n, 0), n);
	}
	close(fd);
	expect_entries(1, 0);
}

Test(patch_journal, long_lines_are_passed_over)
{
	char *line = hf_malloc(300000);

	append(7, HF_JOURNAL_INTENT);
	memset(line, 'x', 300000);
	put(line, 65536);
	put("\n", 1);
	put(line, 300000);
	put("\n", 1);
	hf_free(line);
	append(8, HF_JOURNAL_INTENT);
	expect_entries(2, 2);
}

Test(patch_journal, what_others_may_write_to_is_refused)
{
	struct hf_journal j = {0};

	append(7, HF_JOURNAL_INTENT);
	cr_assert_eq(chmod(path, 0620), 0);
	assert_code(hf_journal_open(path, true, &j), HF_REFUSED, "others may write");
	hf_journal_close(&j);
	assert_code(hf_journal_open(path, false, &j), HF_REFUSED, "others may write");
	hf_journal_close(&j);
	cr_assert_eq(chmod(path, 0600), 0);
	if (geteuid() || chown(path, 65534, 65534))
		return;
	assert_code(hf_journal_open(path, false, &j), HF_REFUSED, "user 65534");
	hf_journal_close(&j);
}

Test(patch_journal, what_is_no_file_is_refused)
{
	struct hf_journal j = {0};

	assert_code(hf_journal_open(folder, false, &j), HF_IO, "no regular file");
	hf_journal_close(&j);
	assert_code(hf_journal_open(folder, true, &j), HF_IO, "cannot be opened");
	hf_journal_close(&j);
	assert_code(hf_journal_open("/dev/null", false, &j), HF_IO, "no regular file");
	hf_journal_close(&j);
	assert_code(hf_journal_open("/proc/none/journal", true, &j), HF_IO, "folder");
	hf_journal_close(&j);
	append(7, HF_JOURNAL_INTENT);
	snprintf(folder + strlen(folder), 8, "/link");
	cr_assert_eq(symlink(path, folder), 0);
	assert_code(hf_journal_open(folder, true, &j), HF_IO, "cannot be opened");
	hf_journal_close(&j);
	unlink(folder);
	*strrchr(folder, '/') = 0;
}

/* Where there is no room, what was there stays, and no half of a line follows it. */
Test(patch_journal, full_disk_leaves_it_whole)
{
	struct hf_journal_entry e = sample(8, HF_JOURNAL_INTENT);
	struct rlimit limit, none;
	struct hf_journal j = {0};
	struct stat st;

	append(7, HF_JOURNAL_INTENT);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
	for (rlim_t room = 0; room < 1000; room += 99) {
		limit = (struct rlimit){(rlim_t)st.st_size + room, none.rlim_max};
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_ok(hf_journal_open(path, true, &j));
		assert_code(hf_journal_append(&j, &e), HF_IO, "cannot be written");
		hf_journal_close(&j);
		cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
		expect_entries(1, 0);
	}
	append(8, HF_JOURNAL_INTENT);
	expect_entries(2, 0);
}

Test(patch_journal, another_that_holds_it_is_waited_for)
{
	struct hf_journal j = {0};
	int held[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(held), 0);
	pid = fork();
	if (!pid) {
		if (hf_journal_open(path, true, &j) || write(held[1], "h", 1) != 1)
			_exit(1);
		usleep(300000);
		hf_journal_close(&j);
		_exit(0);
	}
	cr_assert_eq(read(held[0], &byte, 1), 1);
	append(7, HF_JOURNAL_INTENT);
	expect_entries(1, 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	close(held[0]);
	close(held[1]);
}

Test(patch_journal, two_writers_do_not_mix_their_lines)
{
	pid_t pids[4];

	for (pid_t i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (pid_t k = 0; k < 25; k++)
			append(1 + i * 100 + k, HF_JOURNAL_INTENT);
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		int status;

		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert_eq(status, 0);
	}
	expect_entries(100, 0);
}

Test(patch_journal, standard_place_follows_the_environment)
{
	struct hf_journal j = {0};
	char want[160];

	snprintf(want, sizeof(want), "%s/a", folder);
	setenv("XDG_STATE_HOME", want, 1);
	assert_ok(hf_journal_open(NULL, false, &j));
	snprintf(want, sizeof(want), "%s/a/holdfast/journal.jsonl", folder);
	cr_assert_str_eq(j.path, want);
	hf_journal_close(&j);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", folder, 1);
	assert_ok(hf_journal_open(NULL, false, &j));
	snprintf(want, sizeof(want), "%s/.local/state/holdfast/journal.jsonl", folder);
	cr_assert_str_eq(j.path, want);
	hf_journal_close(&j);
}

Test(patch_journal, another_process_or_program_is_not_the_same)
{
	struct hf_journal_entry e = sample(7, HF_JOURNAL_APPLIED);
	struct hf_identity same = {.pid = 7, .start_time = 99, .boot = "boot", .build_id = "00ff"}, id = same;

	cr_assert(hf_journal_is_of(&e, &id));
	id.pid = 8;
	cr_assert_not(hf_journal_is_of(&e, &id));
	id = same;
	id.start_time++;
	cr_assert_not(hf_journal_is_of(&e, &id));
	id = same;
	id.boot[0] = 'x';
	cr_assert_not(hf_journal_is_of(&e, &id));
	id = same;
	id.build_id[0] = 'x';
	cr_assert_not(hf_journal_is_of(&e, &id));
}

Test(patch_journal, line_of_before_code_was_made_is_read)
{
	static const char line[] =
		"{\"event\":\"intent\",\"pid\":8,\"plan\":\"p\",\"start_time\":1,\"boot\":\"b\",\"build_id\":"
		"\"\",\"exe\":"
		"\"\",\"runtime\":\"go\",\"pool\":\"\",\"kind\":\"\",\"old_function\":\"\",\"new_function\":"
		"\"\","
		"\"slot_addr\":\"0x8\",\"old_value\":\"0x1\",\"new_value\":\"0x2\",\"restore\":\"0x1\",%s"
		"\"old_on_heap\":false,\"uid\":0,\"at\":1,\"expires\":0,\"ended\":0,\"stopped_s\":0,\"why\":"
		"\"\"}\n";
	static const struct {
		const char *links;
		bool good;
	} lines[] = {
		{"", true},
		{"\"link_addr\":\"0x10\",\"link_value\":\"0x20\",", true},
		{"\"link_addr\":\"0x10\",\"link_value\":20,", false},
		{"\"link_addr\":\"10\",", false},
		{"\"link_addr\":null,", false},
		{"\"link_value\":\"0x\",", false},
		{"\"link_value\":\"0x10000000000000000\",", false},
	};
	char text[1024];
	size_t good = 0;

	append(7, HF_JOURNAL_INTENT);
	for (size_t i = 0; i < HF_LEN(lines); i++) {
		put(text, (size_t)snprintf(text, sizeof(text), line, lines[i].links));
		good += lines[i].good;
		expect_entries(2, i + 1 - good);
	}
}
