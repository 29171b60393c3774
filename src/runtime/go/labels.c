/* pprof labels, read while stopped: goroutines share sets of them, and sets share their texts. The sets themselves are in
 * the captured heap; texts are not, so they are read once each, and not more than some thousands of them.
 * Source: Go 1.20-1.23 runtime/pprof/label.go: g.labels is a *map[string]string. Go 1.24-1.27: a *struct{list []struct{
 * key, value string}}. */
#include "go.h"

#define SETS_MAX    (1u << 20)
#define ALL_MAX     (1u << 21) /* labels of all sets */
#define TEXTS_MAX   8192u
#define LABELS_MAX  16u  /* of a set */
#define TEXT_MAX    128u /* of a key or value */
#define MAP_B_MAX   4u
#define BUCKET_SIZE 272u /* runtime/map.go, bmap of strings: 8 + 8 * 16 + 8 * 16 + 8 */
#define TOP_MIN     5u   /* tophash of a cell that is full */

struct text {
	const char *s;
	uint64_t n; /* as the target says */
};

struct reader {
	struct go *go;
	struct hf_map64 sets;  /* address -> 1 + index */
	struct hf_map64 texts; /* address -> index */
	HF_VEC(struct text) list;
	uint32_t tries;
	bool left_out;
};

/* NULL: it cannot be had. Each try costs the target time. */
static const char *read_new(struct reader *r, uint64_t addr, uint64_t n)
{
	char text[TEXT_MAX];

	r->left_out |= r->tries >= TEXTS_MAX;
	if (n > INT32_MAX || r->tries++ >= TEXTS_MAX ||
	    (n && hf_err_ignore(hf_target_read(r->go->t, addr, text, hf_min(n, (uint64_t)sizeof(text))))))
		return NULL;
	return hf_arena_strndup(&r->go->names, text, hf_min(n, (uint64_t)sizeof(text)));
}

static struct hf_err *read_text(struct reader *r, const uint8_t *header, const char **ret)
{
	uint64_t addr = hf_load_u64(header), n = hf_load_u64(header + 8), known;

	if (hf_map64_find(&r->texts, addr, &known) && r->list.at[known].n == n) {
		*ret = r->list.at[known].s;
		return NULL;
	}
	*ret = read_new(r, addr, n);
	if (!*ret)
		return NULL;
	HF_TRY(hf_vec_push(&r->list, ((struct text){*ret, n})));
	return hf_map64_put(&r->texts, addr, r->list.n - 1);
}

/* What cannot be read is left out. */
static struct hf_err *add_label(struct reader *r, struct go_label_set *set, const uint8_t *key,
				const uint8_t *value)
{
	struct hf_label label = {0};

	if (set->n >= LABELS_MAX)
		return NULL;
	HF_TRY(read_text(r, key, &label.key));
	if (label.key)
		HF_TRY(read_text(r, value, &label.value));
	if (!label.value)
		return NULL;
	set->n++;
	return hf_vec_push(&r->go->labels, label);
}

static struct hf_err *read_list(struct reader *r, struct go_label_set *set)
{
	uint64_t list, n;
	uint8_t pairs[LABELS_MAX * 32];

	if (hf_err_ignore(go_read_slice(r->go, set->addr, &list, &n)))
		return NULL;
	n = hf_min(n, (uint64_t)LABELS_MAX);
	if (hf_err_ignore(hf_target_read(r->go->t, list, pairs, n * 32)))
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		HF_TRY(add_label(r, set, pairs + i * 32, pairs + i * 32 + 16));
	return NULL;
}

static struct hf_err *read_buckets(struct reader *r, struct go_label_set *set, uint64_t addr, uint64_t n)
{
	uint8_t bucket[BUCKET_SIZE];

	for (uint64_t i = 0; addr && i < n; i++) {
		if (hf_err_ignore(hf_target_read(r->go->t, addr + i * BUCKET_SIZE, bucket, sizeof(bucket))))
			return NULL;
		for (unsigned k = 0; k < 8; k++)
			if (bucket[k] >= TOP_MIN)
				HF_TRY(add_label(r, set, bucket + 8 + k * 16, bucket + 136 + k * 16));
	}
	return NULL;
}

/* Cells of the old buckets that have moved on are not full. */
static struct hf_err *read_map(struct reader *r, struct go_label_set *set)
{
	const int32_t *off = r->go->layout.off;
	uint64_t map, buckets, old;
	uint8_t b;

	if (off[GO_HMAP_B] < 0 || off[GO_HMAP_BUCKETS] < 0 || off[GO_HMAP_OLDBUCKETS] < 0 ||
	    hf_err_ignore(hf_target_read_u64(r->go->t, set->addr, &map)) || !map ||
	    hf_err_ignore(hf_target_read_u8(r->go->t, map + (uint64_t)off[GO_HMAP_B], &b)) || b > MAP_B_MAX ||
	    hf_err_ignore(hf_target_read_u64(r->go->t, map + (uint64_t)off[GO_HMAP_BUCKETS], &buckets)) ||
	    hf_err_ignore(hf_target_read_u64(r->go->t, map + (uint64_t)off[GO_HMAP_OLDBUCKETS], &old)))
		return NULL;
	HF_TRY(read_buckets(r, set, buckets, 1ull << b));
	return b ? read_buckets(r, set, old, 1ull << (b - 1)) : NULL;
}

static struct hf_err *read_set(struct reader *r, uint64_t addr, uint32_t *ret)
{
	struct go_label_set set = {.addr = addr, .first = (uint32_t)r->go->labels.n};

	HF_TRY(r->go->layout.minor >= 24 ? read_list(r, &set) : read_map(r, &set));
	HF_TRY(hf_vec_push(&r->go->label_sets, set));
	*ret = (uint32_t)r->go->label_sets.n;
	return NULL;
}

static struct hf_err *read_all(struct reader *r)
{
	for (size_t i = 0; i < r->go->goroutines.n; i++) {
		struct go_goroutine *g = &r->go->goroutines.at[i];
		uint64_t known;

		if (!g->labels_addr)
			continue;
		if (hf_map64_find(&r->sets, g->labels_addr, &known)) {
			g->labels = (uint32_t)known;
			continue;
		}
		if (r->sets.n >= SETS_MAX || r->go->labels.n >= ALL_MAX) {
			r->left_out = true;
			continue;
		}
		HF_TRY(read_set(r, g->labels_addr, &g->labels));
		HF_TRY(hf_map64_put(&r->sets, g->labels_addr, g->labels));
	}
	return NULL;
}

struct hf_err *go_labels_read(struct go *go)
{
	struct reader r = {.go = go};
	struct hf_err *err = read_all(&r);

	if (r.left_out)
		hf_target_warn(go->t, false,
			       "goroutines have more than %u different pprof labels: the rest is left out",
			       TEXTS_MAX);
	hf_map64_deinit(&r.sets);
	hf_map64_deinit(&r.texts);
	hf_vec_deinit(&r.list);
	return err;
}
