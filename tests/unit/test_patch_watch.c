#include "../../src/patch/watch.h"

#include <criterion/criterion.h>

#define NONE HF_UNKNOWN

Test(patch_watch, verdict_is_against_the_baseline_and_a_twentieth)
{
	static const struct {
		struct hf_watch_figures before, after;
		const char *verdict;
		size_t rows;
	} table[] = {
		{{1000, 100, 50, 5, 0}, {500, 100, 50, 5, 5}, "better than before: live heap at 50 % of", 5},
		{{1000, 100, 50, 5, 0}, {1050, 105, 50, 9, 9}, "as before", 5},
		{{1000, 100, 50, 5, 0}, {1051, 100, 50, 5, 5}, "worse than before: live heap at 105 %", 5},
		{{1000, 100, 50, 5, 0}, {1, 200, 50, 5, 5}, "worse than before: allocation rate at 200 %", 5},
		{{1000, 100, 0, 5, 0}, {1000, 100, 1, 5, 5}, "worse than before: pool bytes from none", 5},
		{{1000, 100, 50, NONE, NONE},
		 {2000, 200, 50, NONE, NONE},
		 "live heap at 200 % of what it was, allocation rate at 200 %",
		 3},
		{{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, "as before", 5},
		{{NONE, NONE, NONE, 1, 1}, {1, 1, 1, 900, 900}, "", 5},
		{{1, NONE, NONE, NONE, NONE}, {NONE, NONE, NONE, NONE, NONE}, "", 1},
		{{NONE, NONE, NONE, NONE, NONE}, {NONE, NONE, NONE, NONE, NONE}, "", 0},
		{{NONE - 1, NONE, NONE, NONE, NONE}, {1, NONE, NONE, NONE, NONE}, "better", 1},
	};

	for (size_t i = 0; i < HF_LEN(table); i++) {
		struct hf_patch_watch rows[HF_WATCH_ROWS];
		struct hf_arena names = {0};
		const char *verdict;
		size_t n;

		cr_assert_null(
			hf_watch_compare(&table[i].before, &table[i].after, &names, rows, &n, &verdict));
		cr_assert_eq(n, table[i].rows, "row %zu: %zu", i, n);
		cr_assert(strstr(verdict, table[i].verdict), "row %zu: %s", i, verdict);
		cr_assert(!*verdict == !*table[i].verdict, "row %zu: %s", i, verdict);
		hf_arena_deinit(&names);
	}
}
