#include "../../src/base/base.h"
#include "report_make.h"

#include <criterion/criterion.h>
#include <stdio.h>

static char *render(const char *command, const void *result, const struct hf_report_options *options)
{
	char *text = NULL;
	struct hf_err *err = hf_report(command, &live_head, result, options, &text);

	cr_assert_null(err, "%s: %s", command, hf_err_message(err));
	cr_assert_not_null(text);
	return text;
}

static void expect_part(const char *command, const void *result, const char *part)
{
	struct hf_report_options options = {.size = sizeof(options), .ask = "-p 7"};
	char *text = render(command, result, &options);

	cr_expect(strstr(text, part), "'%s' is not in:\n%s", part, text);
	hf_text_free(text);
}

static size_t columns_of(const char *line, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i < n; i++)
		columns += ((unsigned char)line[i] & 0xc0) != 0x80;
	return columns;
}

static void expect_harmless(const char *text, size_t width)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		cr_expect_leq(columns_of(line, n), width, "too wide: %.*s", (int)n, line);
		cr_expect(!n || line[n - 1] != ' ', "a space at the end of: '%.*s'", (int)n, line);
		for (size_t i = 0; i < n; i++)
			cr_expect((unsigned char)line[i] >= 0x20 && line[i] != 0x7f &&
				  (unsigned char)line[i] != 0xff);
		cr_expect_eq(line[n], '\n');
		line += n + 1;
	}
	cr_expect(!strstr(text, "\xe2\x80\xae"), "a bidirectional override is shown");
}

Test(report_text, unknown_command_is_refused)
{
	const char *const names[] = {"", "pag", "pages", "why ", "TOP"};
	char *text = NULL;

	for (size_t i = 0; i < HF_LEN(names); i++) {
		struct hf_err *err = hf_report(names[i], &live_head, &some_top, NULL, &text);

		cr_expect_eq(hf_err_code(err), HF_USAGE);
		cr_expect_null(text);
		hf_err_destroy(err);
	}
}

Test(report_text, sites_spans_and_memstats_say_what_they_mean)
{
	expect_part("top", &some_top_by_site, "scaled from samples, one in 512 KiB");
	expect_part("top", &some_top_by_site,
		    "2.0 MiB  50.0%  1,000   64.0 MiB  1,048,640   1.0 MiB  main.makeRecord");
	expect_part("why", &some_allocated, "allocated by main.makeRecord main.go:42, of main.");
	expect_part("why", &some_allocated, "and 1 more");
	expect_part("spans", &some_spans, "288 KiB are held by 34 spans");
	expect_part("spans", &some_spans, "2 in caches  60 with free slots  38 full  5 not yet swept");
	expect_part("spans", &no_spans, "in no span: unknown");
	expect_part("memstats", &some_memstats, "12.50%");
	expect_part("memstats", &some_memstats, "no limit");
	expect_part("memstats", &some_memstats, "never");
	expect_part("memstats", &some_memstats, "30.5 us  1000.0 us");
}

Test(report_text, every_command_keeps_to_its_width)
{
	const unsigned widths[] = {0, 80, 100, 132, 400};

	for (size_t i = 0; i < HF_LEN(all_results); i++) {
		for (size_t w = 0; w < HF_LEN(widths); w++) {
			struct hf_report_options options = {.size = sizeof(options), .width = widths[w]};
			char *text = render(all_results[i].command, all_results[i].result, &options);

			expect_harmless(text, widths[w] ? widths[w] : 100);
			hf_text_free(text);
		}
	}
}

Test(report_text, narrow_terminals_get_the_least_width)
{
	struct hf_report_options options = {.size = sizeof(options), .width = 1};
	char *narrow = render("page", &some_page, &options), *least;

	options.width = 80;
	least = render("page", &some_page, &options);
	cr_expect_str_eq(narrow, least);
	hf_text_free(narrow);
	hf_text_free(least);
}

Test(report_text, colors_come_only_when_asked_for)
{
	for (size_t i = 0; i < HF_LEN(all_results); i++) {
		struct hf_report_options options = {.size = sizeof(options), .color = true};
		char *text = render(all_results[i].command, all_results[i].result, &options);
		size_t on = 0, off = 0;

		for (const char *p = text; (p = strchr(p, '\033')); p++) {
			if (strncmp(p, "\033[0m", 4) == 0)
				off++;
			else
				on++;
		}
		cr_expect(on > 0 && on == off, "%s: %zu styles begin, %zu end", all_results[i].command, on,
			  off);
		hf_text_free(text);
	}
}

Test(report_text, answers_say_what_people_need)
{
	const struct {
		const char *command;
		const void *result;
		const char *part;
	} parts[] = {
		{"page", &some_page, "It is the heap."},
		{"page", &some_page, "the cgroup's charge is 512 MiB, limit 1.0 GiB, killed for memory: 2"},
		{"page", &some_page, "up 3 h 20 min, since 2023-11-14 22:13:20 UTC"},
		{"page", &some_page, "walk agrees with the runtime's own counters: exact"},
		{"page", &some_page, "main.cache[\"session-7\"].Payload"},
		{"page", &some_page, "holdfast why -p 7 '[]uint8'"},
		{"page", &some_page, "process 7 (leaky) was stopped for 12.3 ms"},
		{"page", &some_page, "a note that is so long that"},
		{"page", &some_page, " from here\n"},
		{"overview", &some_overview, "1,234,567  objects"},
		{"overview", &some_overview, "unknown: resident"},
		{"overview", &some_overview, "no limit"},
		{"overview", &some_overview, "1000"},
		{"overview", &some_overview, "replaced by ../new v2"},
		{"top", &some_top, "60.0%"},
		{"top", &some_top, "main.\\x1b[2J\\nrm -rf \"x\"\\xff"},
		{"top", &some_top, "... and 3 more, 1.0 MiB together"},
		{"info", &some_info, "what holds it: holdfast why -p 7 0xc000456008"},
		{"info", &some_info, "the address is 8 B into it"},
		{"info", &some_info, "/go/proc.go:435"},
		{"why", &some_why, "nothing holds it"},
		{"why", &some_why, "... and 5 more groups"},
		{"goroutines", &some_goroutines, "200 are leaked: nothing that can still run"},
		{"goroutines", &some_goroutines, "200 main.worker [chan send] for up to 2 h 1 min"},
		{"goroutines", &some_goroutines, "goroutine 34:"},
		{"goroutines", &some_goroutines, "started at /src/main.go:42 (150), /src/other.go:7 (50)"},
		{"goroutines", &some_goroutines, "labels handler=/api/orders (200)"},
		{"page", &some_page, "200 are leaked: nothing that can still run"},
		{"goroutines", &some_goroutines, "2 h 1 min"},
		{"snap", &some_snap, "holdfast -c 'a b.core'"},
		{"pools", &some_pools,
		 "8 pools; 51 items wait in them and retain 5.0 MiB, 12.5% of what is live\n"},
		{"pools", &some_pools, "4.0 MiB  10.0%     51  2.0 MiB     35  main.bufPool"},
		{"pools", &some_pools,
		 "4,000 objects of 64 B are in use: 250 KiB;  5 slabs with 5,000 slots"},
		{"pools", &some_pools, "  the free list leads to 0x40\\x1b[2J\\xff\n"},
		{"pools", &some_pools, "main.newBuffer\n"},
		{"pools", &some_pools, "      7  main.Server.bufs\\x1b[2J\\xff (3 pools)\n"},
		{"pools", &some_pools, "... and 4 more pools (--limit 0 shows all)\n"},
		{"pools", &some_pools,
		 "50 *bytes.Buffer  1 *main.T  wait: 1 private, 40 shared, 10 victim\n"},
		{"pools", &some_pools,
		 "largest 0xc000456000: 2.0 MiB, the median 64.0 KiB  3 items hold 90% of the bytes\n"},
		{"pools", &some_pools, "2 of the items that wait are held by others, too\n"},
		{"pools", &some_pools, "1 of the items were put back twice\n"},
		{"pools", &some_pools,
		 "out: 35 (other pools have items of this type, too),  held by main.cache (30),\n    "
		 "main.worker goroutines (5)\n"},
		{"dominators", &some_dominators,
		 "30,000 live objects, 5.0 MiB; what is below 50.0 KiB is summed up"},
		{"dominators", &some_dominators, " 3.0 MiB  60.0%              20,000  main.cache\n"},
		{"dominators", &some_dominators, "20,000    map[string]*main.Session 0xc000010000\n"},
		{"dominators", &some_dominators, "      3      main.Session 0xc000456000\n"},
		{"dominators", &some_dominators, "      4,990 more main.Session\n"},
		{"dominators", &some_dominators, "      ... 1,234 more\n"},
		{"dominators", &some_dominators, "  (shared by several roots)\n"},
		{"dominators", &some_dominators, "000458000 and 999,999 below it\n"},
		{"dominators", &some_dominators, "    2 main.node and 7 below them\n"},
		{"dominators", &some_dominators, "  ... 40 more\n"},
		{"dominators", &two_dominators, "\n\n0xc000457000\n\nretained"},
		{"dominators", &two_dominators, "main.other\n"},
		{"slack", &some_slack, "2.0 MiB of 5.0 MiB live are kept, but seen or used by nothing"},
		{"slack", &some_slack, "; pointers in there keep 3.0 MiB more"},
		{"slack", &some_slack,
		 "2.0 MiB  2.0 MiB      32  3.0 MiB  sub-slice  0xc000480000  main.headers[*]\n"},
		{"slack", &some_slack, "... and 4 more, 1.0 KiB together"},
		{"top", &some_field_top, "21 objects by main.Request.Header.Tenant (thrift 1: tenant"},
		{"top", &some_field_top, "  \"a/b.c\"\n"},
		{"why", &some_why, ".Payload (thrift 2: payload)\n"},
	};

	for (size_t i = 0; i < HF_LEN(parts); i++)
		expect_part(parts[i].command, parts[i].result, parts[i].part);
}

Test(report_text, disagreement_says_by_how_much)
{
	struct hf_heap heap = some_heap;
	struct hf_overview overview = some_overview;

	overview.heaps = &heap;
	heap.exact = false;
	heap.runtime_objects = 1234570;
	expect_part("overview", &overview, "1,234,567 against 1,234,570 objects");
	heap.runtime_objects = HF_UNKNOWN;
	expect_part("overview", &overview, "not checked");
}

Test(report_text, incomplete_answer_says_so)
{
	const char *const warnings[] = {"a page was missing\n\033[1m", "another"};
	struct hf_head head = live_head;
	char *text = NULL;

	head.complete = false;
	head.warnings = warnings;
	head.warnings_n = 2;
	cr_assert_null(hf_report("top", &head, &some_top, NULL, &text));
	cr_expect(strstr(text, "not complete"));
	cr_expect(strstr(text, "warning: a page was missing\\n\\x1b[1m\n"));
	expect_harmless(text, 100);
	hf_text_free(text);
}

/* A chain of n steps whose vias come from `vias`, over and over. */
static char *render_chain(const char *root, const char *root_via, const char *const *vias, size_t vias_n,
			  size_t n)
{
	struct hf_step *steps = hf_calloc(n, sizeof(*steps));
	struct hf_chain chain = {
		.root_kind = "global", .root_name = root, .root_via = root_via, .steps = steps, .n = n};
	struct hf_why_object object = {.query = "0x1",
				       .addr = 1,
				       .size = 1,
				       .type = "T",
				       .state = "live",
				       .count = 1,
				       .bytes = 1,
				       .chains = &chain,
				       .n = 1};
	struct hf_why why = {&object, 1, 0};
	char *text;

	cr_assert_not_null(steps);
	for (size_t i = 0; i < n; i++)
		steps[i] = (struct hf_step){0xc000000000 + i * 64, 64, "main.T",
					    i + 1 < n ? vias[i % vias_n] : "", ""};
	text = render("why", &why, NULL);
	expect_harmless(text, 100);
	hf_free(steps);
	return text;
}

static size_t lines_of(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

Test(report_text, repeated_parts_of_a_chain_collapse)
{
	const struct {
		const char *root, *root_via;
		const char *vias[4];
		size_t vias_n, n;
		const char *expected;
	} rows[] = {
		{"main.x", "", {".next"}, 1, 1, "1. main.x\n"},
		{"main.x", ".f", {".next"}, 1, 1, "1. main.x.f\n"},
		{"main.x", "", {".next"}, 1, 3, "main.x.next.next\n"},
		{"main.x", "", {".next"}, 1, 4, "main.x.next ×3\n"},
		{"main.head", "", {".next"}, 1, 1000, "main.head.next ×999\n"},
		{"main.x", ".f", {".next"}, 1, 1001, "main.x.f.next ×1,000\n"},
		{"main.x", "", {".a", ".b"}, 2, 21, "main.x(.a.b) ×10\n"},
		{"main.x", "", {".a", ".b", ".c", ".d"}, 4, 42, "main.x(.a.b.c.d) ×10 .a\n"},
		{"main.x", "", {"", ""}, 2, 9, "1. main.x\n"},
		{"main.f goroutine 3 [select]",
		 "req",
		 {".body"},
		 1,
		 2,
		 "main.f goroutine 3 [select]: req.body\n"},
		{"main.f goroutine 3 [select]",
		 ".req",
		 {".body"},
		 1,
		 2,
		 "main.f goroutine 3 [select]: req.body\n"},
		{"main.f goroutine 3 [select]", ".", {".body"}, 1, 2, "main.f goroutine 3 [select]: .body\n"},
		{"main.f goroutine 3 [select]", "", {""}, 1, 2, "1. main.f goroutine 3 [select]\n"},
		{EVIL, EVIL, {EVIL}, 1, 2, "\\x1b[2J"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		char *text =
			render_chain(rows[i].root, rows[i].root_via, rows[i].vias, rows[i].vias_n, rows[i].n);

		cr_expect(strstr(text, rows[i].expected), "%zu: '%s' is not in:\n%s", i, rows[i].expected,
			  text);
		hf_text_free(text);
	}
}

Test(report_text, steps_of_a_long_chain_are_cut_with_a_count)
{
	const char *const vias[] = {".next"};
	char *text = render_chain("main.x", "", vias, 1, 11);

	cr_expect(!strstr(text, "more steps"));
	hf_text_free(text);
	text = render_chain("main.x", "", vias, 1, 12);
	cr_expect(strstr(text, "... 2 more steps"));
	hf_text_free(text);
	text = render_chain("main.x", "", vias, 1, 1000000);
	cr_expect(strstr(text, "... 999,990 more steps"));
	cr_expect_leq(lines_of(text), 24);
	hf_text_free(text);
}

Test(report_text, parts_that_differ_are_cut_with_a_count)
{
	const char *const vias[] = {".a", ".b", ".c", ".d", ".e", ".f", ".g"};
	char *text = render_chain("main.x", "", vias, 7, 100000);

	cr_expect(strstr(text, " parts... "));
	cr_expect_leq(lines_of(text), 24);
	hf_text_free(text);
}

Test(report_text, huge_names_and_numbers_stay_in_their_columns)
{
	char name[5000];
	struct hf_row rows[] = {
		{.name = name, .count = UINT64_MAX - 2, .bytes = UINT64_MAX - 2, .retained_bytes = 17},
		{.name = "", .retained_bytes = HF_NOLIMIT}};
	struct hf_top top = {.rows = rows, .n = 2, .left_out = UINT64_MAX - 2, .total_bytes = 0};
	struct hf_report_options options = {.size = sizeof(options), .width = 80};
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	text = render("top", &top, &options);
	expect_harmless(text, 80);
	hf_text_free(text);
}

Test(report_text, times_beyond_reason_are_unknown)
{
	const double times[] = {-1, 0, 1e300, -1e300, 253402300800.0, __builtin_nan(""), __builtin_inf()};

	for (size_t i = 0; i < HF_LEN(times); i++) {
		struct hf_overview overview = some_overview;
		struct hf_report_options options = {.size = sizeof(options)};
		char *text;

		overview.taken_at = times[i];
		overview.started_at = times[HF_LEN(times) - 1 - i];
		text = render("overview", &overview, &options);
		cr_expect(strstr(text, "process 7 (leaky)  unknown"));
		hf_text_free(text);
	}
}

Test(report_text, memory_that_runs_out_is_an_error)
{
	for (size_t i = 0; i < HF_LEN(all_results); i++) {
		unsigned long nth = 1;

		for (;; nth++) {
			char *text = NULL;
			struct hf_err *err;

			hf_alloc_fail_nth(nth);
			err = hf_report(all_results[i].command, &live_head, all_results[i].result, NULL,
					&text);
			hf_alloc_fail_nth(0);
			if (!err) {
				hf_text_free(text);
				break;
			}
			cr_expect_eq(hf_err_code(err), HF_NOMEM);
			cr_expect_null(text);
			hf_err_destroy(err);
		}
		cr_expect_gt(nth, 10, "%s: %lu allocations", all_results[i].command, nth);
	}
}
