/* What the walk found against what the runtime counts: small differences are told, large ones refused. */
#include <criterion/criterion.h>

#include "../../src/runtime/go/go.h"

static const uint8_t nothing[8];

static struct hf_err *check(struct go *go, size_t spans, size_t *ret_warnings, bool *ret_incomplete)
{
	struct hf_mem_range range = {0x1000, nothing, sizeof(nothing), false};
	bool was_incomplete = *ret_incomplete;
	struct hf_err *err;

	cr_assert_null(hf_target_open_mem(&range, 1, &go->t));
	go->t->incomplete = was_incomplete;
	go->spans.n = spans; /* only counted */
	go->version = (char *)"go1.28.0";
	err = go_self_check(go);
	*ret_warnings = go->t->warnings.n;
	*ret_incomplete = go->t->incomplete;
	hf_target_close(go->t);
	return err;
}

struct row {
	const char *what;
	uint64_t walked, counted, damaged, miscounted;
	size_t spans, warnings;
	int minor;
	bool valid, incomplete, refused, becomes_incomplete;
};

/* A go whose layout came from DWARF; the release is known where minor is 26. */
static const struct row rows[] = {
	{"equal", 5000, 5000, 0, 0, 100, 0, 26, true, false, false, false},
	{"a few more", 5000, 5003, 0, 0, 100, 1, 26, true, false, false, false},
	{"all of few", 0, 9000, 0, 0, 100, 1, 26, true, false, false, false},
	{"a twentieth of many", 2000000, 2100000, 0, 0, 100, 1, 28, true, false, false, false},
	{"more of many", 2000000, 2200000, 0, 0, 100, 0, 28, true, false, true, false},
	{"too many", 2200000, 2000000, 0, 0, 100, 0, 26, true, false, true, false},
	{"none of many", 0, 2000000, 0, 0, 100, 0, 28, true, false, true, false},
	{"counters of nonsense", 20000, UINT64_MAX - 5, 0, 0, 100, 0, 28, true, false, true, false},
	{"no counters", 5000, 0, 0, 0, 100, 1, 28, false, false, false, false},
	{"a truncated core", 1000, 2000000, 0, 0, 100, 1, 26, true, true, false, true},
	{"damage on a known release", 1000, 2000000, 500, 0, 100, 2, 26, true, false, false, true},
	{"nonsense on an unknown one", 1000, 1000, 500, 0, 100, 0, 28, true, false, true, false},
	{"little nonsense", 1000, 1000, 63, 0, 10, 1, 28, true, false, false, true},
	{"spans that hold other than they say", 5000, 5000, 0, 80, 100, 0, 28, true, false, true, false},
	{"the same, without counters", 5000, 0, 0, 80, 100, 0, 26, false, false, true, false},
	{"few such spans", 5000, 5000, 0, 40, 100, 0, 28, true, false, false, false},
};

Test(go_selfcheck, differences_are_told_or_refused)
{
	for (size_t i = 0; i < HF_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct go go = {.objects = r->walked,
				.bytes = r->walked * 16,
				.damaged_spans = {r->damaged, 0x4000},
				.miscounted_spans = r->miscounted};
		bool incomplete = r->incomplete;
		size_t warnings;
		struct hf_err *err;

		go.layout = (struct go_layout){.minor = r->minor, .from_dwarf = true};
		go.counters = (struct go_counters){
			.valid = r->valid, .objects = r->counted, .bytes = r->counted * 16};
		err = check(&go, r->spans, &warnings, &incomplete);
		cr_assert_eq(err != NULL, r->refused, "%s: %s", r->what, err ? hf_err_message(err) : "taken");
		if (err) {
			cr_assert_eq(hf_err_code(err), HF_UNSUPPORTED, "%s", r->what);
			cr_assert_not_null(strstr(hf_err_message(err), "go1.28.0"), "%s", r->what);
		} else {
			cr_assert_eq(warnings, r->warnings, "%s: %zu warnings", r->what, warnings);
			cr_assert_eq(incomplete, r->becomes_incomplete, "%s", r->what);
		}
		hf_err_destroy(err);
	}
}
