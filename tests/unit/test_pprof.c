/* What is written for pprof, read back by protobuf-c and zlib. */
#include "../../src/base/base.h"
#include "../../src/base/workers.h"
#include "profile.pb-c.h"

#include <criterion/criterion.h>
#include <zlib.h>

typedef Perftools__Profiles__Profile profile_msg;

static const struct hf_profile_value values[] = {{"objects", "count"}, {"space", "bytes"}};
static const struct hf_profile_location locations[] = {
	{"main.f", "/src/f.go", 12, 0x401010},
	{"main.f", "/src/f.go", 13, 0x401020},
	{"main.cache", "", 0, 0},
	{"main.f", "", 0, 0x7f0000000000},
};
static const struct hf_profile_label labels[] = {{.key = "type", .text = "main.T"},
						 {.key = "id", .number = 77, .unit = "bytes"},
						 {.key = "empty", .text = ""}};

static struct hf_profile whole(void)
{
	static const uint32_t first[] = {0, 1, 2}, second[] = {3};
	static const int64_t first_values[] = {2, 100}, second_values[] = {INT64_MAX, -1};
	static const struct hf_profile_sample samples[] = {
		{.locations = first,
		 .locations_n = 3,
		 .values = first_values,
		 .labels = labels,
		 .labels_n = 3},
		{.locations = second, .locations_n = 1, .values = second_values},
	};
	static const char *const comments[] = {"one", "two"};

	return (struct hf_profile){
		.name = "test",
		.values = values,
		.values_n = 2,
		.default_value = 1,
		.locations = locations,
		.locations_n = HF_LEN(locations),
		.samples = samples,
		.samples_n = HF_LEN(samples),
		.note = "",
		.comments = comments,
		.comments_n = 2,
		.taken_at = 1700000000.5,
		.period = 512,
		.period_type = {"space", "bytes"},
		.exe = "/bin/victim",
		.build_id = "c0ffee",
		.exe_start = 0x400000,
		.exe_end = 0x500000,
	};
}

static profile_msg *decode(const char *bytes, size_t n)
{
	static uint8_t plain[1 << 20];
	z_stream z = {.next_in = (uint8_t *)bytes,
		      .avail_in = (unsigned)n,
		      .next_out = plain,
		      .avail_out = sizeof(plain)};
	profile_msg *msg;

	cr_assert_eq(inflateInit2(&z, 15 + 16), Z_OK);
	cr_assert_eq(inflate(&z, Z_FINISH), Z_STREAM_END, "it is no gzip file, or has no end");
	cr_assert_eq(z.avail_in, 0, "something stands behind its end");
	inflateEnd(&z);
	msg = perftools__profiles__profile__unpack(NULL, z.total_out, plain);
	cr_assert_not_null(msg);
	return msg;
}

static profile_msg *coded(const struct hf_profile *p)
{
	struct hf_err *err;
	profile_msg *msg;
	char *bytes;
	size_t n;

	err = hf_profile_encode(p, HF_EXPORT_PPROF, &bytes, &n);
	cr_assert_null(err, "%s", hf_err_message(err));
	msg = decode(bytes, n);
	hf_text_free(bytes);
	return msg;
}

#define EXPECT_TEXT(msg, i, text) cr_expect_str_eq((msg)->string_table[i], text)

Test(pprof, what_is_written_is_read)
{
	struct hf_profile p = whole();
	profile_msg *msg = coded(&p);

	EXPECT_TEXT(msg, 0, "");
	cr_assert_eq(msg->n_sample_type, 2);
	EXPECT_TEXT(msg, msg->sample_type[1]->type, "space");
	EXPECT_TEXT(msg, msg->sample_type[1]->unit, "bytes");
	EXPECT_TEXT(msg, msg->default_sample_type, "space");
	EXPECT_TEXT(msg, msg->period_type->type, "space");
	cr_expect_eq(msg->period, 512);
	cr_expect_eq(msg->time_nanos, 1700000000500000000);
	cr_assert_eq(msg->n_comment, 2);
	EXPECT_TEXT(msg, msg->comment[1], "two");
	cr_assert_eq(msg->n_mapping, 1);
	EXPECT_TEXT(msg, msg->mapping[0]->build_id, "c0ffee");
	EXPECT_TEXT(msg, msg->mapping[0]->filename, "/bin/victim");
	cr_expect(msg->mapping[0]->has_functions, "pprof would look for the file");

	cr_assert_eq(msg->n_sample, 2);
	cr_assert_eq(msg->sample[0]->n_location_id, 3);
	cr_expect_eq(msg->sample[0]->location_id[2], 3);
	cr_expect_eq(msg->sample[0]->value[1], 100);
	cr_expect_eq(msg->sample[1]->value[0], INT64_MAX);
	cr_expect_eq(msg->sample[1]->value[1], -1);
	cr_assert_eq(msg->sample[0]->n_label, 3);
	EXPECT_TEXT(msg, msg->sample[0]->label[0]->str, "main.T");
	cr_expect_eq(msg->sample[0]->label[1]->num, 77);
	cr_expect_eq(msg->sample[1]->n_label, 0);
	perftools__profiles__profile__free_unpacked(msg, NULL);
}

Test(pprof, locations_of_one_function_share_it)
{
	struct hf_profile p = whole();
	profile_msg *msg = coded(&p);

	cr_assert_eq(msg->n_location, 4);
	cr_assert_eq(msg->n_function, 3);
	cr_expect_eq(msg->location[0]->line[0]->function_id, msg->location[1]->line[0]->function_id);
	cr_expect_neq(msg->location[0]->line[0]->function_id, msg->location[3]->line[0]->function_id,
		      "of another file");
	cr_expect_eq(msg->location[1]->line[0]->line, 13);
	for (size_t i = 0; i < msg->n_location; i++) {
		cr_expect_eq(msg->location[i]->id, i + 1);
		cr_expect_eq(msg->location[i]->mapping_id, i < 2,
			     "only what lies in the executable is of it");
	}
	perftools__profiles__profile__free_unpacked(msg, NULL);
}

Test(pprof, hostile_names_come_out_as_text_on_one_line)
{
	static const struct hf_profile_location hostile[] = {{"a\nb", "\x1b[31m", 1, 0},
							     {"\xff\xfe", "\xe2\x80\xae", 0, UINT64_MAX},
							     {"", "", UINT32_MAX, 0}};
	struct hf_profile p = whole();
	profile_msg *msg;

	p.locations = hostile;
	p.locations_n = HF_LEN(hostile);
	p.samples_n = 0;
	p.exe = "\n";
	msg = coded(&p);
	cr_expect_eq(msg->n_sample, 0);
	for (size_t i = 0; i < msg->n_string_table; i++)
		for (const char *s = msg->string_table[i]; *s; s++)
			cr_expect(*s >= ' ' && *s < 0x7f, "'%s'", msg->string_table[i]);
	cr_expect_eq(msg->location[2]->line[0]->line, UINT32_MAX);
	perftools__profiles__profile__free_unpacked(msg, NULL);
}

Test(pprof, times_that_cannot_be_are_none)
{
	static const double times[] = {0, -5, 1e300};
	struct hf_profile p = whole();

	for (size_t i = 0; i < HF_LEN(times); i++) {
		profile_msg *msg;

		p.taken_at = times[i];
		p.period = 0;
		msg = coded(&p);
		cr_expect_eq(msg->time_nanos, 0, "of %g", times[i]);
		cr_expect_null(msg->period_type);
		perftools__profiles__profile__free_unpacked(msg, NULL);
	}
}

Test(pprof, without_memory_there_is_no_file)
{
	struct hf_profile p = whole();

	for (unsigned long nth = 1; nth < 1000; nth++) {
		char *bytes = NULL;
		struct hf_err *err;
		size_t n;

		hf_alloc_fail_nth(nth);
		err = hf_profile_encode(&p, HF_EXPORT_PPROF, &bytes, &n);
		hf_alloc_fail_nth(0);
		if (!err) {
			hf_text_free(bytes);
			cr_expect_gt(nth, 3);
			return;
		}
		cr_expect_eq(hf_err_code(err), HF_NOMEM, "%lu: %s", nth, hf_err_message(err));
		hf_err_destroy(err);
	}
	cr_assert_fail("it never had enough memory");
}

Test(pprof, interrupted_there_is_no_file)
{
	struct hf_profile p = whole();
	char *bytes = NULL;
	struct hf_err *err;
	size_t n;

	hf_interrupt();
	err = hf_profile_encode(&p, HF_EXPORT_PPROF, &bytes, &n);
	hf_interrupt_clear();
	cr_expect_eq(hf_err_code(err), HF_INTERRUPTED);
	cr_expect_null(bytes);
	hf_err_destroy(err);
}

Test(pprof, a_format_that_is_none_is_refused)
{
	struct hf_profile p = whole();
	char *bytes = NULL;
	struct hf_err *err;
	size_t n;

	err = hf_profile_encode(&p, (enum hf_export_format)99, &bytes, &n);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	cr_expect_null(hf_export_format_name((enum hf_export_format)99));
	cr_expect_str_eq(hf_export_format_name(HF_EXPORT_PPROF), "pprof");
	hf_err_destroy(err);
}

Test(pprof, the_answer_tells_of_the_file_where_there_is_one)
{
	const struct hf_head head = {.kind = "live", .label = "process 1 (x)", .exe = "", .complete = true};
	const struct hf_report_options json = {.size = sizeof(json), .format = HF_REPORT_JSON};
	static const int64_t totals[] = {1234567, 2048};
	struct hf_profile p = whole();
	char *text;

	p.totals = totals;
	p.left_out = 5;
	p.note = "it does not sample";
	cr_assert_null(hf_report("export", &head, &p, NULL, &text));
	cr_expect_null(strstr(text, "look at it"), "%s", text);
	hf_text_free(text);
	cr_assert_null(hf_report("export", &head, &p, &json, &text));
	cr_expect_not_null(strstr(text, "\"path\": null"), "%s", text);
	hf_text_free(text);

	p.path = "a b\n.pb.gz";
	p.format = "pprof";
	p.file_bytes = 4096;
	cr_assert_null(hf_report("export", &head, &p, NULL, &text));
	cr_expect_not_null(strstr(text, "go tool pprof -top -cum 'a b\\n.pb.gz'"), "%s", text);
	cr_expect_not_null(strstr(text, "test profile for pprof  4.0 KiB  2 samples of 4 locations"), "%s",
			   text);
	cr_expect_not_null(strstr(text, "  objects           1,234,567\n"), "%s", text);
	cr_expect_not_null(strstr(text, "  space             2.0 KiB\n"), "%s", text);
	cr_expect_not_null(strstr(text, "it does not sample\n5 smaller stacks"), "%s", text);
	hf_text_free(text);
	cr_assert_null(hf_report("export", &head, &p, &json, &text));
	cr_expect_not_null(strstr(text, "\"left_out\": 5"), "%s", text);
	cr_expect_not_null(strstr(text, "\"objects\": 1234567"), "%s", text);
	cr_expect_not_null(strstr(text, "\"note\": \"it does not sample\""), "%s", text);
	hf_text_free(text);
}
