#include "../../src/target/maps.h"

#include <criterion/criterion.h>
#include <sys/sysmacros.h>

static struct hf_target *open_empty(void)
{
	struct hf_target *t = NULL;

	cr_assert_null(hf_target_open_mem(NULL, 0, &t));
	return t;
}

static const char good[] = "00400000-00452000 r-xp 00000000 08:02 173521 /usr/bin/name with  spaces\n"
			   "00651000-00652000 r--p 00051000 08:02 173521 /usr/bin/gone (deleted)\n"
			   "00652000-00655000 rw-s 00052000 00:01 9 /a\\012b\n"
			   "00e03000-00e24000 rw-p 00000000 00:00 0 [heap]\n"
			   "7f0000000000-7f0000001000 ---p 00000000 00:00 0\n"
			   "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";

Test(maps, kernel_text_parses)
{
	struct hf_target *t = open_empty();

	cr_assert_null(hf_maps_parse(t, good, sizeof(good) - 1));
	cr_assert_eq(t->maps.n, 6);
	cr_assert_eq(t->maps.at[0].start, 0x400000);
	cr_assert_eq(t->maps.at[0].end, 0x452000);
	cr_assert(t->maps.at[0].readable && !t->maps.at[0].writable && t->maps.at[0].executable);
	cr_assert_eq(t->maps.at[0].dev, makedev(8, 2));
	cr_assert_eq(t->maps.at[0].inode, 173521);
	cr_assert_str_eq(t->maps.at[0].path, "/usr/bin/name with  spaces");
	cr_assert_eq(t->maps.at[1].offset, 0x51000);
	cr_assert(t->maps.at[1].deleted);
	cr_assert_str_eq(t->maps.at[1].path, "/usr/bin/gone");
	cr_assert(t->maps.at[2].shared);
	cr_assert_str_eq(t->maps.at[2].path, "/a\nb");
	cr_assert_str_eq(t->maps.at[3].path, "[heap]");
	cr_assert_str_eq(t->maps.at[4].path, "");
	cr_assert_eq(t->maps.at[5].end, 0xffffffffff601000);
	hf_target_close(t);
}

Test(maps, printed_text_is_the_parsed_one)
{
	struct hf_target *t = open_empty();
	struct hf_str text = {0};

	cr_assert_null(hf_maps_parse(t, good, sizeof(good) - 1));
	hf_maps_print(t, &text);
	cr_assert_str_eq(hf_str_get(&text), good);
	hf_str_deinit(&text);
	hf_target_close(t);
}

Test(maps, again_replaces_and_keeps_names)
{
	struct hf_target *t = open_empty();
	const char *path;

	cr_assert_null(hf_maps_parse(t, good, sizeof(good) - 1));
	path = t->maps.at[0].path;
	cr_assert_null(hf_maps_parse(t, good, sizeof(good) - 1));
	cr_assert_eq(t->maps.n, 6);
	cr_assert_eq(t->maps.at[0].path, path, "the same name was stored twice");
	hf_target_close(t);
}

Test(maps, no_text_is_no_mappings)
{
	struct hf_target *t = open_empty();

	cr_assert_null(hf_maps_parse(t, "", 0));
	cr_assert_eq(t->maps.n, 0);
	hf_target_close(t);
}

Test(maps, line_without_newline_parses)
{
	struct hf_target *t = open_empty();
	const char line[] = "1000-2000 r--p 00000000 00:00 0";

	cr_assert_null(hf_maps_parse(t, line, sizeof(line) - 1));
	cr_assert_eq(t->maps.n, 1);
	hf_target_close(t);
}

Test(maps, damaged_text_is_baddata_and_keeps_what_was)
{
	static const char *const bad[] = {
		"\n",
		"x\n",
		"1000\n",
		"1000-\n",
		"1000-2000\n",
		"1000-2000 \n",
		"1000-2000 rwxp\n",
		"1000-2000 rwx 00000000 00:00 0\n",
		"1000-2000 rwxq 00000000 00:00 0\n",
		"1000-2000 wr-p 00000000 00:00 0\n",
		"1000-2000 r--p 00000000 0000 0\n",
		"1000-2000 r--p 00000000 00:00 \n",
		"1000-2000 r--p 00000000 00:00 zz\n",
		"1000-2000 r--p 00000000 fffffffff:00 0\n",
		"1000:2000 r--p 00000000 00:00 0\n",
		"g000-2000 r--p 00000000 00:00 0\n",
		"2000-1000 r--p 00000000 00:00 0\n",
		"1000-1000 r--p 00000000 00:00 0\n",
		"1001-2000 r--p 00000000 00:00 0\n",
		"1000-2001 r--p 00000000 00:00 0\n",
		"1000-20000000000000000 r--p 00000000 00:00 0\n",
		"1000-2000 r--p 00000000 00:00 99999999999999999999999\n",
		"2000-3000 r--p 00000000 00:00 0\n1000-2000 r--p 00000000 00:00 0\n",
		"1000-3000 r--p 00000000 00:00 0\n2000-4000 r--p 00000000 00:00 0\n",
		"1000-2000 r--p 00000000 00:00 0\n\n2000-3000 r--p 00000000 00:00 0\n",
	};
	struct hf_target *t = open_empty();

	cr_assert_null(hf_maps_parse(t, good, sizeof(good) - 1));
	for (size_t i = 0; i < HF_LEN(bad); i++) {
		struct hf_err *err = hf_maps_parse(t, bad[i], strlen(bad[i]));

		cr_expect_eq(hf_err_code(err), HF_BADDATA, "case %zu: %s", i, hf_err_message(err));
		cr_expect_null(strchr(hf_err_message(err), '\n'));
		cr_expect_eq(t->maps.n, 6, "case %zu", i);
		hf_err_destroy(err);
	}
	hf_target_close(t);
}

Test(maps, name_with_nul_or_without_end_is_baddata)
{
	static char text[20000];
	struct hf_target *t = open_empty();
	struct hf_err *err;

	memset(text, 'x', sizeof(text));
	memcpy(text, "1000-2000 r--p 00000000 00:00 0 /", 33);
	err = hf_maps_parse(t, text, sizeof(text));
	cr_assert_eq(hf_err_code(err), HF_BADDATA);
	hf_err_destroy(err);
	text[40] = '\0';
	err = hf_maps_parse(t, text, 60);
	cr_assert_eq(hf_err_code(err), HF_BADDATA);
	hf_err_destroy(err);
	hf_target_close(t);
}

Test(maps, every_cut_of_the_text_is_parsed_or_refused)
{
	struct hf_target *t = open_empty();

	for (size_t n = 0; n < sizeof(good); n++) {
		char *copy = hf_strndup(good, n); /* so that a read past the end is seen */
		struct hf_err *err = hf_maps_parse(t, copy, n);

		cr_expect(!err || hf_err_code(err) == HF_BADDATA);
		hf_err_destroy(err);
		hf_free(copy);
	}
	hf_target_close(t);
}

Test(maps, every_failed_allocation_is_nomem)
{
	unsigned long nth = 1;

	for (; nth < 100; nth++) {
		struct hf_target *t = open_empty();
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_maps_parse(t, good, sizeof(good) - 1);
		hf_alloc_fail_nth(0);
		hf_target_close(t);
		if (!err)
			break;
		cr_expect_eq(hf_err_code(err), HF_NOMEM, "%s", hf_err_message(err));
		hf_err_destroy(err);
	}
	cr_assert(nth > 2 && nth < 100);
}
