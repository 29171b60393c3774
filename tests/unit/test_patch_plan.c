/* A plan that was saved says what it said, or is none. */
#include "../../src/patch/plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define assert_ok(expr)                                                                                      \
	do {                                                                                                 \
		struct hf_err *ok_err_ = (expr);                                                             \
		cr_assert_null(ok_err_, "%s", hf_err_message(ok_err_));                                      \
	} while (0)

static struct hf_plan sample(void)
{
	return (struct hf_plan){
		.pid = 1234,
		.start_time = 5678,
		.exe = "/usr/bin/server",
		.build_id = "00ff",
		.runtime = "go",
		.pool = "main.pool",
		.kind = "sync.Pool",
		.pool_addr = 0xc000010000,
		.slot_addr = 0xc000010020,
		.old_value = 0x4f7430,
		.new_value = UINT64_MAX,
		.old_code = 1,
		.new_code = 2,
		.old_function = "main.newHuge",
		.new_function = "main.newSmall",
		.item_type = "*main.Buf",
		.object_size = 64,
		.cpu_us = 5000,
		.alloc_bytes = 1024,
		.hold_us = 10000,
		.how = HF_PLAN_CLOSURE,
		.captured = 256,
	};
}

static char *sealed_json(void)
{
	struct hf_plan plan = sample();
	char *text = NULL;

	assert_ok(hf_plan_seal(&plan));
	assert_ok(hf_plan_to_json(&plan, &text));
	hf_plan_deinit(&plan);
	return text;
}

static void check_no_plan(const char *json, const char *why)
{
	struct hf_plan plan = {0};
	struct hf_err *err = hf_plan_from_json(json, &plan);

	cr_assert_eq(hf_err_code(err), HF_USAGE, "%s: %s", json, hf_err_message(err));
	cr_assert(strstr(hf_err_message(err), why), "%s: %s", json, hf_err_message(err));
	hf_err_destroy(err);
	hf_plan_deinit(&plan);
}

Test(patch_plan, comes_back_as_it_was_saved)
{
	struct hf_plan plan = sample(), back = {0};
	char path[] = "/tmp/planXXXXXX", *text = NULL, *again = NULL;
	struct stat st;
	int fd = mkstemp(path);

	assert_ok(hf_plan_seal(&plan));
	assert_ok(hf_plan_save(&plan, path));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	assert_ok(hf_plan_load(path, &back));
	cr_assert_str_eq(back.id, plan.id);
	cr_assert_eq(back.new_value, UINT64_MAX);
	cr_assert_eq(back.how, HF_PLAN_CLOSURE);
	cr_assert_str_eq(back.new_function, "main.newSmall");
	assert_ok(hf_plan_to_json(&plan, &text));
	assert_ok(hf_plan_to_json(&back, &again));
	cr_assert_str_eq(text, again);
	hf_free(text);
	hf_free(again);
	hf_plan_deinit(&plan);
	hf_plan_deinit(&back);
	unlink(path);
	close(fd);
}

Test(patch_plan, every_field_changes_the_id)
{
	struct hf_plan first = sample(), other = sample();

	assert_ok(hf_plan_seal(&first));
#define CHANGED(member, value)                                                                               \
	do {                                                                                                 \
		other = sample();                                                                            \
		other.member = (value);                                                                      \
		assert_ok(hf_plan_seal(&other));                                                             \
		cr_assert_str_neq(first.id, other.id, #member);                                              \
		hf_plan_deinit(&other);                                                                      \
	} while (0)
	CHANGED(pid, 1);
	CHANGED(start_time, 1);
	CHANGED(exe, "x");
	CHANGED(build_id, "x");
	CHANGED(runtime, "c");
	CHANGED(pool, "x");
	CHANGED(kind, "x");
	CHANGED(pool_addr, 1);
	CHANGED(slot_addr, 1);
	CHANGED(old_value, 1);
	CHANGED(new_value, 1);
	CHANGED(old_code, 9);
	CHANGED(new_code, 9);
	CHANGED(old_function, "x");
	CHANGED(new_function, "x");
	CHANGED(item_type, "x");
	CHANGED(object_size, 1);
	CHANGED(cpu_us, 1);
	CHANGED(alloc_bytes, 1);
	CHANGED(hold_us, 1);
	CHANGED(strict, true);
	CHANGED(expert, true);
	CHANGED(old_on_heap, true);
	CHANGED(how, HF_PLAN_STORE);
	CHANGED(file, "x");
	CHANGED(captured, 1);
	hf_plan_deinit(&first);
}

/* What moves from one field to the next is another plan. */
Test(patch_plan, fields_do_not_run_together)
{
	struct hf_plan a = sample(), b = sample();

	a.pool = "x\nkind:1:y";
	a.kind = "";
	b.pool = "x";
	b.kind = "y";
	assert_ok(hf_plan_seal(&a));
	assert_ok(hf_plan_seal(&b));
	cr_assert_str_neq(a.id, b.id);
	hf_plan_deinit(&a);
	hf_plan_deinit(&b);
}

Test(patch_plan, names_of_the_target_are_made_harmless)
{
	struct hf_plan plan = sample(), back = {0};
	char *text = NULL;

	plan.old_function = "bad \xff name\n\x1b[2J";
	assert_ok(hf_plan_seal(&plan));
	assert_ok(hf_plan_to_json(&plan, &text));
	assert_ok(hf_plan_from_json(text, &back));
	cr_assert_str_eq(plan.id, back.id);
	cr_assert_not(strchr(back.old_function, '\x1b'));
	hf_free(text);
	hf_plan_deinit(&plan);
	hf_plan_deinit(&back);
}

/* text with the first `from` as `to`; of the same length. */
static void check_changed(const char *from, const char *to, const char *why)
{
	char *text = sealed_json(), *at = strstr(text, from);

	cr_assert_not_null(at, "%s", from);
	cr_assert_eq(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	check_no_plan(text, why);
	hf_free(text);
}

Test(patch_plan, changed_by_hand_is_refused)
{
	check_changed("0x4f7430", "0x4f7431", "was changed");
	check_changed("\"1234\"", "\"1235\"", "was changed");
	check_changed("main.newSmall", "main.newSmals", "was changed");
	check_changed("\"old_on_heap\": false", "\"old_on_heap\": true ", "was changed");
	check_changed("closure", "funcval", "was changed");
	check_changed("closure", "magical", "no way to patch");
	check_changed("\"1234\"", "\"12x4\"", "not a number");
	check_changed("\"1234\"", "\"-123\"", "not a number");
	check_changed("\"1234\"", " 12345", "another kind");
	check_changed("0x4f7430", "0x4f743g", "not a number");
	check_changed("\"pool\"", "\"poll\"", "is missing");
	check_changed("\"holdfast_plan\": 1", "\"holdfast_plan\": 2", "another version");
}

Test(patch_plan, another_id_is_refused)
{
	char *text = sealed_json(), *id = strstr(text, "\"id\": \"") + 7;

	id[0] = id[0] == '0' ? '1' : '0';
	check_no_plan(text, "was changed");
	hf_free(text);
}

Test(patch_plan, what_is_no_plan_is_refused)
{
	static const char *const texts[] = {"",
					    "x",
					    "[]",
					    "{}",
					    "null",
					    "1",
					    "{\"holdfast_plan\": 1}",
					    "{\"a\":",
					    "{\"holdfast_plan\": \"1\", \"id\": \"\"}"};
	char *text = sealed_json(), *doubled;

	for (size_t i = 0; i < HF_LEN(texts); i++)
		check_no_plan(texts[i], "no plan of holdfast");
	for (size_t n = strlen(text) - 2; n > 0; n -= hf_min(n, (size_t)37)) {
		text[n] = 0;
		check_no_plan(text, "no plan of holdfast");
	}
	hf_free(text);
	text = sealed_json();
	doubled = hf_malloc(2 * strlen(text) + 1);
	snprintf(doubled, 2 * strlen(text) + 1, "%s%s", text, text);
	check_no_plan(doubled, "no plan of holdfast");
	hf_free(doubled);
	hf_free(text);
}

Test(patch_plan, files_that_cannot_be_read)
{
	struct hf_plan plan = {0};
	char path[] = "/tmp/planXXXXXX";
	int fd = mkstemp(path);
	struct hf_err *err = hf_plan_load("/nonexistent/plan", &plan);

	cr_assert_eq(hf_err_code(err), HF_IO);
	hf_err_destroy(err);
	err = hf_plan_load("/tmp", &plan);
	cr_assert_eq(hf_err_code(err), HF_IO);
	hf_err_destroy(err);
	cr_assert_eq(write(fd, "{}\0{}", 5), 5);
	err = hf_plan_load(path, &plan);
	cr_assert_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
	cr_assert_eq(ftruncate(fd, 1 << 21), 0);
	err = hf_plan_load(path, &plan);
	cr_assert_eq(hf_err_code(err), HF_USAGE);
	hf_err_destroy(err);
	err = hf_plan_save(&plan, "/nonexistent/plan");
	cr_assert_eq(hf_err_code(err), HF_IO);
	hf_err_destroy(err);
	hf_plan_deinit(&plan);
	unlink(path);
	close(fd);
}
