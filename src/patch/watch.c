#include "watch.h"

/* How much more than before is still as before: a heap is never quite still. */
#define ALLOWED 1.05

static const struct {
	const char *name, *unit;
	size_t at;
} figures[HF_WATCH_ROWS] = {
	{"live heap", "bytes", offsetof(struct hf_watch_figures, live_bytes)},
	{"allocation rate", "bytes/s", offsetof(struct hf_watch_figures, alloc_rate)},
	{"pool bytes", "bytes", offsetof(struct hf_watch_figures, pool_bytes)},
	{"old items", "objects", offsetof(struct hf_watch_figures, old_items)},
	{"new items", "objects", offsetof(struct hf_watch_figures, new_items)},
};

static uint64_t figure(const struct hf_watch_figures *f, size_t i)
{
	return *(const uint64_t *)((const char *)f + figures[i].at);
}

/* Of the figures that are worse, or else better, by more than the allowance: "live heap at 130 % of what it was, ...". */
static unsigned list(const struct hf_patch_watch *rows, size_t n, bool worse, struct hf_str *ret)
{
	unsigned found = 0;

	for (size_t i = 0; i < n; i++) {
		double before = (double)rows[i].before, after = (double)rows[i].after;
		bool is = worse ? after > before * ALLOWED : after * ALLOWED < before;

		if (!is || rows[i].before == HF_UNKNOWN || rows[i].after == HF_UNKNOWN ||
		    !strcmp(rows[i].unit, "objects"))
			continue;
		hf_str_addf(ret, "%s%s ", found++ ? ", " : "", rows[i].name);
		if (rows[i].before)
			hf_str_addf(ret, "at %.0f %% of what it was", 100 * after / before);
		else
			hf_str_add(ret, "from none");
	}
	return found;
}

static unsigned known_of_both(const struct hf_patch_watch *rows, size_t n)
{
	unsigned known = 0;

	for (size_t i = 0; i < n; i++)
		known += strcmp(rows[i].unit, "objects") != 0 && rows[i].before != HF_UNKNOWN &&
			 rows[i].after != HF_UNKNOWN;
	return known;
}

static void judge(const struct hf_patch_watch *rows, size_t n, struct hf_str *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str worse = {0}, better = {0};

	if (!known_of_both(rows, n))
		return;
	if (list(rows, n, true, &worse))
		hf_str_addf(ret, "worse than before: %s; revert it if that stays", hf_str_get(&worse));
	else if (list(rows, n, false, &better))
		hf_str_addf(ret, "better than before: %s", hf_str_get(&better));
	else
		hf_str_add(ret, "as before: nothing is more than 1.05 times what it was");
	ret->failed |= worse.failed || better.failed;
}

struct hf_err *hf_watch_compare(const struct hf_watch_figures *before, const struct hf_watch_figures *after,
				struct hf_arena *names, struct hf_patch_watch rows[HF_WATCH_ROWS],
				size_t *ret_n, const char **ret_verdict)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	size_t n = 0;

	for (size_t i = 0; i < HF_WATCH_ROWS; i++) {
		struct hf_patch_watch row = {figures[i].name, figures[i].unit, figure(before, i),
					     figure(after, i)};

		if (row.before != HF_UNKNOWN || row.after != HF_UNKNOWN)
			rows[n++] = row;
	}
	judge(rows, n, &text);
	HF_TRY(hf_str_check(&text));
	*ret_verdict = hf_arena_strndup(names, hf_str_get(&text), text.n);
	*ret_n = n;
	return *ret_verdict ? NULL : hf_err_nomem();
}
