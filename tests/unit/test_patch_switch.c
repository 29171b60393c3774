/* What a switch may be set to, and what "auto" makes of the load. */
#include "../../src/patch/switch.h"

#include <criterion/criterion.h>
#include <math.h>

static const struct hf_knob rate = {.name = "rate",
				    .unit = "bytes",
				    .samples = true,
				    .off = 0,
				    .min = 0,
				    .max = 1 << 30,
				    .why_not = "",
				    .no_off = ""};
static const struct hf_knob percent = {.name = "percent",
				       .unit = "percent",
				       .narrow = true,
				       .off = -1,
				       .min = 10,
				       .max = 10000,
				       .why_not = "",
				       .no_off = "it would grow"};
static const struct hf_knob limit = {.name = "limit",
				     .unit = "bytes",
				     .off = INT64_MAX,
				     .min = 5000,
				     .max = INT64_MAX,
				     .why_not = "",
				     .no_off = "",
				     .why_min = "5000 bytes live"};
static const struct hf_knob lost = {
	.name = "lost", .unit = "bytes", .max = 100, .why_not = "it is stripped", .no_off = ""};

Test(patch_switch, what_is_no_value_is_refused_and_says_why)
{
	static const struct {
		const struct hf_knob *knob;
		const char *text;
		enum hf_err_code code;
		const char *says;
	} table[] = {
		{&rate, "", HF_USAGE, "not ''"},
		{&rate, " 5", HF_USAGE, "not ' 5'"},
		{&rate, "-1", HF_USAGE, "not '-1'"},
		{&rate, "+1", HF_USAGE, "not '+1'"},
		{&rate, "0x200", HF_USAGE, "not '0x200'"},
		{&rate, "5.5", HF_USAGE, "bytes"},
		{&rate, "512 ", HF_USAGE, "auto"},
		{&rate, "1KK", HF_USAGE, "bytes"},
		{&rate, "1Ki", HF_USAGE, "bytes"},
		{&rate, "1p", HF_USAGE, "bytes"},
		{&rate, "on", HF_USAGE, "or off"},
		{&rate, "auto", HF_USAGE, "not 'auto'"}, /* for who measures */
		{&rate, "1073741825", HF_USAGE, "0 to 1073741824"},
		{&rate, "9223372036854775808", HF_USAGE, "not"},
		{&rate, "18446744073709551617", HF_USAGE, "not"},
		{&rate, "8388608T", HF_USAGE, "not"},
		{&percent, "9", HF_USAGE, "10 to 10000"},
		{&percent, "0", HF_USAGE, "10 to 10000"},
		{&percent, "10001", HF_USAGE, "10 to 10000"},
		{&percent, "4294967396", HF_USAGE, "10 to 10000"}, /* 100, of 32 bits */
		{&percent, "100%", HF_USAGE, "not '100%'"},
		{&percent, "1k", HF_USAGE, "a number, or off"},
		{&percent, "-1", HF_USAGE, "not '-1'"},
		{&percent, "off", HF_REFUSED, "it would grow"},
		{&limit, "4999", HF_REFUSED, "5000 bytes live"},
		{&limit, "0", HF_REFUSED, "5000 bytes live"},
		{&limit, "9223372036854775808", HF_USAGE, "bytes"},
		{&lost, "50", HF_REFUSED, "it is stripped"},
		{&lost, "off", HF_REFUSED, "it is stripped"},
		{&lost, "?", HF_REFUSED, "it is stripped"},
	};

	for (size_t i = 0; i < HF_LEN(table); i++) {
		int64_t value = 77;
		struct hf_err *err = hf_switch_parse(table[i].knob, table[i].text, &value);

		cr_expect_eq(hf_err_code(err), table[i].code, "'%s': %s", table[i].text, hf_err_message(err));
		cr_expect(err && strstr(hf_err_message(err), table[i].says), "'%s': %s", table[i].text,
			  hf_err_message(err));
		cr_expect_eq(value, 77);
		hf_err_destroy(err);
	}
}

Test(patch_switch, values_are_read_and_printed)
{
	static const struct {
		const struct hf_knob *knob;
		const char *text;
		int64_t value;
		const char *printed;
	} table[] = {
		{&rate, "0", 0, "off"},
		{&rate, "off", 0, "off"},
		{&rate, "1", 1, "1"},
		{&rate, "4k", 4096, "4096"},
		{&rate, "512B", 512, "512"},
		{&rate, "1GiB", 1 << 30, "1073741824"},
		{&percent, "10", 10, "10"},
		{&percent, "10000", 10000, "10000"},
		{&limit, "5000", 5000, "5000"},
		{&limit, "4TB", INT64_C(4) << 40, "4398046511104"},
		{&limit, "off", INT64_MAX, "off"},
		{&limit, "9223372036854775807", INT64_MAX, "off"},
	};

	for (size_t i = 0; i < HF_LEN(table); i++) {
		struct hf_str text = {0};
		int64_t value;

		cr_assert_null(hf_switch_parse(table[i].knob, table[i].text, &value), "%s", table[i].text);
		cr_expect_eq(value, table[i].value, "%s: %ld", table[i].text, value);
		hf_switch_print(table[i].knob, value, &text);
		cr_expect_str_eq(hf_str_get(&text), table[i].printed);
		hf_str_deinit(&text);
	}
}

Test(patch_switch, narrow_knob_keeps_the_other_half_of_its_word)
{
	uint64_t word = 0x1122334400000064;

	cr_expect_eq(hf_knob_value(&percent, word), 100);
	cr_expect_eq(hf_knob_word(&percent, word, 200), 0x11223344000000c8);
	cr_expect_eq(hf_knob_word(&percent, word, -1), 0x11223344ffffffff);
	cr_expect_eq(hf_knob_value(&percent, 0x11223344ffffffff), -1);
	cr_expect_eq(hf_knob_value(&limit, INT64_MAX), INT64_MAX);
	cr_expect_eq(hf_knob_word(&limit, word, 5000), 5000);
}

Test(patch_switch, auto_goes_by_the_load)
{
	static const struct {
		struct hf_load load;
		int64_t rate;
		double expires;
		const char *why;
	} table[] = {
		{{0, 0, 0}, 512, 0, "uses 0 %"},
		{{0.2999, 0, 0}, 512, 0, "may stay"},
		{{0.30, 0, 0}, 4096, 300, "5 minutes"},
		{{0.70, 0, 0}, 4096, 300, "uses 70 %"},
		{{0.7001, 0, 0}, 32768, 300, "coarse"},
		{{3.5, 0, 0}, 32768, 300, "uses 350 %"},
		{{-1, 0, 0}, 32768, 300, "cannot be told"},
		{{NAN, 0, 0}, 32768, 300, "cannot be told"},
		{{0.1, 0.001, 0.002}, 32768, 300, "from 1.00 to 2.00 ms"},
		{{0.1, 0.001, 0.0019}, 512, 0, "may stay"},
		{{0.1, 0.00001, 0.0009}, 512, 0, "may stay"}, /* doubled, but not felt */
		{{0.5, 0, 0.001}, 32768, 300, "risen"},
		{{0.5, 0.5, 0.5}, 4096, 300, "uses 50 %"}, /* long, but no longer than before */
	};

	for (size_t i = 0; i < HF_LEN(table); i++) {
		struct hf_auto chosen;

		hf_switch_choose(&table[i].load, &chosen);
		cr_expect_eq(chosen.rate, table[i].rate, "row %zu: %ld", i, chosen.rate);
		cr_expect_eq(chosen.expires_s, table[i].expires, "row %zu: %g", i, chosen.expires_s);
		cr_expect(strstr(chosen.why, table[i].why), "row %zu: %s", i, chosen.why);
	}
}

Test(patch_switch, pauses_are_compared_where_there_are_enough)
{
	struct hf_pulse pulse = {.n = 16};
	struct hf_load load;

	for (size_t i = 0; i < HF_PULSE_RING; i++)
		pulse.paused_s[i] = i < 8 ? 0.004 : 0.001;
	hf_load_pauses(&pulse, &load);
	cr_expect_float_eq(load.pause_recent_s, 0.004, 1e-9);
	cr_expect_float_eq(load.pause_before_s, 0.001, 1e-9);
	pulse.n = 15;
	hf_load_pauses(&pulse, &load);
	cr_expect(load.pause_recent_s <= 0 && load.pause_before_s <= 0);
	pulse.n = HF_PULSE_RING;
	hf_load_pauses(&pulse, &load);
	cr_expect_float_eq(load.pause_before_s, 0.001, 1e-9);
}

Test(patch_switch, what_stands_is_the_last_of_ours_that_the_word_says)
{
	struct hf_identity id = {.pid = 7, .start_time = 99, .boot = "b", .build_id = "00"};
	struct hf_knob knob = {.word_addr = 0x1000};
	struct hf_journal_entry list[] = {
		{.event = HF_JOURNAL_APPLIED,
		 .plan = "reverted by hand",
		 .new_value = 5,
		 .slot_addr = 0x1000},
		{.event = HF_JOURNAL_INTENT, .plan = "killed", .new_value = 6, .slot_addr = 0x1000},
		{.event = HF_JOURNAL_REVERTED, .plan = "over", .new_value = 7, .slot_addr = 0x1000},
		{.event = HF_JOURNAL_FAILED, .plan = "never", .new_value = 8, .slot_addr = 0x1000},
		{.event = HF_JOURNAL_APPLIED, .plan = "elsewhere", .new_value = 9, .slot_addr = 0x2000},
		{.event = HF_JOURNAL_APPLIED, .plan = "last", .new_value = 6, .slot_addr = 0x1000},
	};
	struct hf_journal journal = {.fd = -1};

	for (size_t i = 0; i < HF_LEN(list); i++) {
		list[i].pid = 7;
		list[i].start_time = i == 0 ? 98 : 99;
		list[i].boot = "b";
		list[i].build_id = "00";
	}
	journal.entries.at = list;
	journal.entries.n = HF_LEN(list);
	for (uint64_t word = 0; word < 12; word++) {
		const struct hf_journal_entry *e = hf_switch_standing(&journal, &id, &knob, word);

		cr_expect_eq(e != NULL, word == 6, "word %lu: %s", word, e ? e->plan : "");
	}
	cr_expect_str_eq(hf_switch_standing(&journal, &id, &knob, 6)->plan, "last");
}
