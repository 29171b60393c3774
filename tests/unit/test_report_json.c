#include "../../src/base/base.h"
#include "report_make.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

static const struct hf_report_options as_json = {.size = sizeof(as_json), .format = HF_REPORT_JSON};

static json_t *answer_of(const char *command, const struct hf_head *head, const void *result)
{
	struct hf_err *err;
	json_error_t problem;
	char *text = NULL;
	json_t *answer;

	err = hf_report(command, head, result, &as_json, &text);
	cr_assert_null(err, "%s: %s", command, hf_err_message(err));
	answer = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
	cr_assert_not_null(answer, "%s: %s\n%s", command, problem.text, text);
	cr_expect_eq(text[strlen(text) - 1], '\n');
	hf_text_free(text);
	return answer;
}

/* Follows "a.2.b" through objects and arrays. */
static const json_t *get(const json_t *value, const char *path)
{
	char key[64];

	while (*path && value) {
		size_t n = strcspn(path, ".");

		cr_assert_lt(n, sizeof(key));
		memcpy(key, path, n);
		key[n] = '\0';
		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(key))
					     : json_object_get(value, key);
		path += n + (path[n] == '.');
	}
	return value;
}

static void expect_value(const char *command, const void *result, const char *path, const char *expected)
{
	json_t *answer = answer_of(command, &live_head, result);
	const json_t *value = get(answer, path);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;

	cr_expect_str_eq(text ? text : "(absent)", expected, "%s %s: %s, not %s", command, path,
			 text ? text : "(absent)", expected);
	free(text);
	json_decref(answer);
}

Test(report_json, values_are_in_their_places)
{
	const struct {
		const char *command;
		const void *result;
		const char *path, *expected;
	} rows[] = {
		{"top", &some_top, "holdfast", "\"" HF_VERSION "\""},
		{"top", &some_top, "command", "\"top\""},
		{"top", &some_top, "target.kind", "\"live\""},
		{"top", &some_top, "target.pid", "7"},
		{"top", &some_top, "target.core", "null"},
		{"top", &some_top, "stopped_ms", "12.3"},
		{"top", &some_top, "complete", "true"},
		{"top", &some_top, "warnings", "[]"},
		{"top", &some_top, "result.rows.0.name", "\"[]uint8\""},
		{"top", &some_top, "result.rows.0.retained_bytes", "null"},
		{"top", &some_top, "result.rows.1.name",
		 "\"main.\\\\x1b[2J\\\\nrm -rf \\\"x\\\"\\\\xff\\\\xe2\\\\x80\\\\xae\""},
		{"top", &some_top, "result.left_out", "3"},
		{"overview", &some_overview, "result.heaps.0.runtime", "\"go\""},
		{"overview", &some_overview, "result.heaps.0.objects", "1234567"},
		{"overview", &some_overview, "result.heaps.0.exact", "true"},
		{"overview", &some_overview, "result.heaps.0.metadata_bytes", "null"},
		{"overview", &some_overview, "result.heaps.0.gc_percent", "\"max\""},
		{"overview", &some_overview, "result.heaps.0.last_gc_at", "null"},
		{"overview", &some_overview, "result.memory.cgroup_current", "536870912"},
		{"overview", &some_overview, "result.memory.cgroup_high", "\"max\""},
		{"overview", &some_overview, "result.memory.rss", "null"},
		{"overview", &some_overview, "result.memory.shares.0.key", "\"heap-live\""},
		{"overview", &some_overview, "result.verdict.kind", "\"heap-live\""},
		{"overview", &some_overview, "result.verdict.heap", "true"},
		{"overview", &some_overview, "result.build.deps.1.replaced_by", "\"../new v2\""},
		{"overview", &some_overview, "result.started_at", "1700000000.0"},
		{"info", &some_info, "result.objects.0.address", "\"0xc000456000\""},
		{"info", &some_info, "result.objects.0.size", "64"},
		{"info", &some_info, "result.objects.2.address", "\"0x10\""},
		{"info", &some_info, "result.objects.2.state", "\"unknown\""},
		{"info", &some_info, "result.objects.1.frames.0.line", "435"},
		{"info", &some_info, "result.objects.0.value", "(absent)"},
		{"why", &some_why, "result.objects.0.chains.0.root.name", "\"main.cache\""},
		{"why", &some_why, "result.objects.0.chains.0.root.address", "\"0x5a3c20\""},
		{"why", &some_why, "result.objects.0.chains.0.steps.1.via", "\"[\\\"session-7\\\"]\""},
		{"why", &some_why, "result.objects.0.chains.0.steps.3.address", "\"0xc0004ab000\""},
		{"why", &some_why, "result.objects.1.chains", "[]"},
		{"why", &some_why, "result.left_out", "5"},
		{"goroutines", &some_goroutines, "result.groups.0.wait", "\"chan send\""},
		{"goroutines", &some_goroutines, "result.groups.0.oldest_wait_s", "7300.0"},
		{"goroutines", &some_goroutines, "result.groups.1.oldest_wait_s", "null"},
		{"goroutines", &some_goroutines, "result.groups.0.leaked", "true"},
		{"goroutines", &some_goroutines, "result.groups.1.leaked", "false"},
		{"goroutines", &some_goroutines, "result.groups.0.retained_bytes", "3145728"},
		{"goroutines", &some_goroutines, "result.groups.0.created_at.1.line", "7"},
		{"goroutines", &some_goroutines, "result.groups.0.labels.0.value", "\"/api/orders\""},
		{"goroutines", &some_goroutines, "result.groups.0.waker", "null"},
		{"goroutines", &some_goroutines, "result.groups.1.waker.root.kind", "\"global\""},
		{"goroutines", &some_goroutines, "result.groups.1.newest_wait_s", "null"},
		{"goroutines", &some_goroutines, "result.leaked", "200"},
		{"goroutines", &some_goroutines, "result.leaked_bytes", "3145728"},
		{"goroutines", &some_goroutines, "result.total", "201"},
		{"pools", &some_pools, "result.pools.0.name", "\"example.com/app/main.bufPool\""},
		{"pools", &some_pools, "result.pools.0.address", "\"0x5a3c20\""},
		{"pools", &some_pools, "result.pools.0.parent", "null"},
		{"pools", &some_pools, "result.pools.0.items", "(absent)"},
		{"pools", &some_pools, "result.pools.0.used_bytes", "(absent)"},
		{"pools", &some_pools, "result.pools.0.item_types.1", "\"*main.T\""},
		{"pools", &some_pools, "result.pools.0.types.0.bytes", "3145728"},
		{"pools", &some_pools, "result.pools.0.victim", "10"},
		{"pools", &some_pools, "result.pools.0.largest.bytes", "2097152"},
		{"pools", &some_pools, "result.pools.0.out", "35"},
		{"pools", &some_pools, "result.pools.0.out_holders.1.name", "\"main.worker goroutines\""},
		{"pools", &some_pools, "result.pools.0.makes", "\"*bytes.Buffer\""},
		{"pools", &some_pools, "result.pools.1.makes", "null"},
		{"pools", &some_pools, "result.pools.1.constructor", "null"},
		{"pools", &some_pools, "result.pools.1.constructor_address", "null"},
		{"pools", &some_pools, "result.pools.1.parent", "\"main.outer\""},
		{"pools", &some_pools, "result.pools.1.held_by", "\"main.servers\""},
		{"pools", &some_pools, "result.pools.1.items", "7"},
		{"pools", &some_pools, "result.pools.1.used_bytes", "700"},
		{"pools", &some_pools, "result.pools.1.largest", "(absent)"},
		{"pools", &some_pools, "result.pools.1.slabs", "(absent)"},
		{"pools", &some_pools, "result.pools.2.kind", "\"described\""},
		{"pools", &some_pools, "result.pools.2.items", "4000"},
		{"pools", &some_pools, "result.pools.2.slots", "5000"},
		{"pools", &some_pools, "result.pools.2.largest", "(absent)"},
		{"pools", &some_pools, "result.pools.2.problem",
		 "\"the free list leads to 0x40\\\\x1b[2J\\\\xff\""},
		{"pools", &some_pools, "result.pools.1.out", "(absent)"},
		{"pools", &some_pools, "result.pools.1.out_holders", "(absent)"},
		{"pools", &some_pools, "result.left_out", "4"},
		{"pools", &some_pools, "result.shared_bytes", "1048576"},
		{"snap", &some_snap, "result.file_bytes", "1048576"},
		{"dominators", &some_dominators, "result.total_bytes", "5242880"},
		{"dominators", &some_dominators, "result.depth", "3"},
		{"dominators", &some_dominators, "result.max", "10"},
		{"dominators", &some_dominators, "result.trees.0.query", "null"},
		{"dominators", &some_dominators, "result.trees.0.min_bytes", "51200"},
		{"dominators", &some_dominators, "result.trees.0.rows.0.kind", "\"heap\""},
		{"dominators", &some_dominators, "result.trees.0.rows.1.kind", "\"root\""},
		{"dominators", &some_dominators, "result.trees.0.rows.1.address", "null"},
		{"dominators", &some_dominators, "result.trees.0.rows.2.address", "\"0xc000010000\""},
		{"dominators", &some_dominators, "result.trees.0.rows.4.count", "4990"},
		{"dominators", &some_dominators, "result.trees.0.rows.4.more", "true"},
		{"dominators", &some_dominators, "result.trees.0.rows.4.depth", "3"},
		{"dominators", &some_dominators, "result.trees.0.rows.5.kind", "\"rest\""},
		{"dominators", &some_dominators, "result.trees.0.rows.5.retained_count", "6"},
		{"dominators", &some_dominators, "result.trees.0.rows.6.kind", "\"shared\""},
		{"dominators", &some_dominators, "result.trees.0.rows.7.kind", "\"object\""},
		{"dominators", &some_dominators, "result.trees.0.rows.7.nested", "999999"},
		{"dominators", &some_dominators, "result.trees.0.rows.7.own_bytes", "1048576"},
		{"dominators", &two_dominators, "result.trees.1.query", "\"0xc000457000\""},
		{"dominators", &two_dominators, "result.trees.1.rows.0.retained_bytes", "null"},
		{"top", &some_top, "result.rows.0.stack", "(absent)"},
		{"top", &some_top, "result.sample_rate", "(absent)"},
		{"top", &some_top_by_site, "result.sample_rate", "524288"},
		{"top", &some_top_by_site, "result.rows.0.alloc_count", "1048640"},
		{"top", &some_top_by_site, "result.rows.0.samples", "7"},
		{"top", &some_top_by_site, "result.rows.0.file", "\"/src/a/main.go\""},
		{"top", &some_top_by_site, "result.rows.0.stack.4.function", "\"main.main\""},
		{"top", &some_top_by_site, "result.rows.1.stack", "[]"},
		{"why", &some_allocated, "result.objects.0.allocated.0.line", "42"},
		{"why", &some_why, "result.objects.0.allocated", "(absent)"},
		{"spans", &some_spans, "result.classes.0.free_slots", "800"},
		{"spans", &some_spans, "result.classes.0.partial_spans", "60"},
		{"spans", &some_spans, "result.total.spans", "103"},
		{"spans", &some_spans, "result.large.1.live_bytes", "0"},
		{"spans", &some_spans, "result.idle.largest_run_bytes", "1048576"},
		{"spans", &some_spans, "result.fragmentation.at_most", "0.25"},
		{"spans", &no_spans, "result.idle.bytes", "null"},
		{"spans", &no_spans, "result.classes", "[]"},
		{"memstats", &some_memstats, "result.heaps.0.memstats.Mallocs", "1234567"},
		{"memstats", &some_memstats, "result.heaps.0.memstats.NextGC", "\"max\""},
		{"memstats", &some_memstats, "result.heaps.0.memstats.GCCPUFraction", "0.125"},
		{"memstats", &some_memstats, "result.heaps.0.memstats.EnableGC", "true"},
		{"memstats", &some_memstats, "result.heaps.0.memstats.PauseNs.1", "1000000"},
		{"memstats", &some_memstats, "result.heaps.0.memstats.BySize.2.Frees", "400"},
		{"overview", &some_memstats, "result.heaps.0.memstats.HeapAlloc", "5242880"},
		{"overview", &some_overview, "result.heaps.0.memstats", "(absent)"},
		{"slack", &some_slack, "result.rows.0.holder", "\"main.headers[*]\""},
		{"slack", &some_slack, "result.rows.0.kind", "\"sub-slice\""},
		{"slack", &some_slack, "result.rows.0.count", "32"},
		{"slack", &some_slack, "result.rows.0.wasted_bytes", "2097152"},
		{"slack", &some_slack, "result.rows.0.capacity_bytes", "1048576"},
		{"slack", &some_slack, "result.rows.0.hidden_pointers", "1000"},
		{"slack", &some_slack, "result.rows.0.shared_with", "[]"},
		{"slack", &some_slack, "result.rows.0.address", "\"0xc000480000\""},
		{"slack", &some_slack, "result.rows.1.shared_with.1", "\"main.Doc.Author\""},
		{"slack", &some_slack, "result.rows.1.shared_views", "9"},
		{"slack", &some_slack, "result.left_out", "4"},
		{"slack", &some_slack, "result.hidden_bytes", "3145728"},
		{"top", &some_field_top, "result.field", "\"main.Request.Header.Tenant\""},
		{"top", &some_field_top, "result.rows.0.name", "\"\\\"a/b.c\\\"\""},
		{"page", &some_page, "result.overview.verdict.heap", "true"},
		{"page", &some_page, "result.types.rows.0.count", "20000"},
		{"page", &some_page, "result.example.type", "\"[]uint8\""},
		{"page", &some_page, "result.example.steps.3.size", "1024"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		expect_value(rows[i].command, rows[i].result, rows[i].path, rows[i].expected);
}

Test(report_json, numbers_at_their_ends_stay_numbers)
{
	const struct {
		uint64_t value;
		const char *expected;
	} rows[] = {
		{0, "0"},
		{INT64_MAX, "9223372036854775807"},
		{(uint64_t)INT64_MAX + 1, "9.22337203685478e18"},
		{UINT64_MAX - 2, "1.84467440737096e19"},
		{HF_NOLIMIT, "\"max\""},
		{HF_UNKNOWN, "null"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_row row = {.name = "x", .count = 1, .bytes = rows[i].value};
		struct hf_top top = {.rows = &row, .n = 1};

		expect_value("top", &top, "result.rows.0.bytes", rows[i].expected);
	}
}

Test(report_json, times_that_are_none_are_null)
{
	const double times[] = {0, -1, -1e300, __builtin_nan(""), __builtin_inf(), -__builtin_inf()};

	for (size_t i = 0; i < HF_LEN(times); i++) {
		struct hf_overview overview = some_overview;

		overview.taken_at = times[i];
		expect_value("overview", &overview, "result.taken_at", "null");
	}
}

Test(report_json, bytes_that_are_no_text_become_text)
{
	const struct {
		const char *text, *expected;
	} rows[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"gr\xc3\xb6\xc3\x9f", "\"gr\xc3\xb6\xc3\x9f\""},
		{"\x01\n", "\"\\u0001\\n\""}, /* valid: JSON has its own escapes */
		{"\xff", "\"\\\\xff\""},
		{"\xc3", "\"\\\\xc3\""},
		{"a\xed\xa0\x80z", "\"a\\\\xed\\\\xa0\\\\x80z\""}, /* a surrogate */
		{"\xc0\xaf", "\"\\\\xc0\\\\xaf\""},                /* overlong */
		{"\xf8\x88\x80\x80\x80", "\"\\\\xf8\\\\x88\\\\x80\\\\x80\\\\x80\""},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_row row = {.name = rows[i].text, .count = 1, .bytes = 1, .retained_bytes = 1};
		struct hf_top top = {.rows = &row, .n = 1};

		expect_value("top", &top, "result.rows.0.name", rows[i].expected);
	}
}

Test(report_json, hostile_heads_give_valid_answers)
{
	const char *const warnings[] = {EVIL, ""};
	const struct hf_head head = {.kind = "core",
				     .label = EVIL,
				     .core = EVIL,
				     .exe = "",
				     .stopped_s = __builtin_nan(""),
				     .warnings = warnings,
				     .warnings_n = 2};
	json_t *answer = answer_of("snap", &head, &some_snap);

	cr_expect(json_is_null(get(answer, "stopped_ms")));
	cr_expect(json_is_null(get(answer, "target.exe")));
	cr_expect(json_is_null(get(answer, "target.pid")));
	cr_expect(json_is_false(get(answer, "complete")));
	cr_expect_eq(json_array_size(get(answer, "warnings")), 2);
	json_decref(answer);
}

static unsigned long countdown;

static void *failing_malloc(size_t size)
{
	return countdown && !--countdown ? NULL : malloc(size);
}

/* A string that jansson has no room for is tried once more, escaped: the answer must then be whole. */
Test(report_json, memory_that_runs_out_is_an_error)
{
	for (size_t i = 0; i < HF_LEN(all_results); i++) {
		char *whole = NULL, *text = NULL;
		unsigned long nth = 0, errors = 0;
		bool failed = true;

		cr_assert_null(hf_report(all_results[i].command, &live_head, all_results[i].result, &as_json,
					 &whole));
		json_set_alloc_funcs(failing_malloc, free);
		while (failed) {
			struct hf_err *err;

			countdown = ++nth;
			text = NULL;
			err = hf_report(all_results[i].command, &live_head, all_results[i].result, &as_json,
					&text);
			failed = !countdown;
			countdown = 0;
			errors += err != NULL;
			cr_expect(err ? hf_err_code(err) == HF_NOMEM && !text : strcmp(text, whole) == 0);
			hf_text_free(text);
			hf_err_destroy(err);
		}
		json_set_alloc_funcs(malloc, free);
		cr_expect_gt(errors, 20);
		hf_text_free(whole);
	}
}
