#include "private.h"

#include "../base/map64.h"
#include "../base/workers.h"

#include <stdlib.h>

#define CHECK_EDGES (1u << 18) /* between two looks at whether to stop */

/* A block that reaches the target; next is the visit one pointer nearer to it (the target's own: itself). */
struct visit {
	uint32_t block, next;
};

/* A root that holds a block of this level. */
struct holder {
	uint32_t root, visit;
	uint8_t kind;
};

struct search {
	const struct hf_graph *g;
	size_t max;
	uint8_t *seen; /* a bit a block; what it costs follows from what is visited, not from the blocks */
	HF_VEC(struct visit) visits;
	HF_VEC(struct holder) holders; /* of this level */
	HF_VEC(struct hf_path) paths;
	struct hf_map64 held; /* owner and kind of the paths there are */
	uint64_t work;
	bool all_marked;
};

static void deinit_search(struct search *s)
{
	hf_free(s->seen);
	hf_vec_deinit(&s->visits);
	hf_vec_deinit(&s->holders);
	hf_paths_free(s->paths.at, s->paths.n);
	hf_map64_deinit(&s->held);
}

static uint64_t holder_key(const struct hf_root *root)
{
	return (uint64_t)root->owner << 8 | root->kind;
}

static struct hf_err *visit(struct search *s, uint32_t block, uint32_t next)
{
	uint8_t bit = (uint8_t)(1u << block % 8);
	struct visit v = {.block = block, .next = next};

	/* What no root reaches can be on no chain. */
	if (s->seen[block / 8] & bit || (s->all_marked && !hf_graph_is_live(s->g, block)))
		return NULL;
	s->seen[block / 8] |= bit;
	return hf_vec_push(&s->visits, v);
}

static struct hf_err *look_around(struct search *s, uint32_t at)
{
	const struct hf_graph *g = s->g;
	uint32_t b = s->visits.at[at].block;

	s->work += 1 + g->back_start[b + 1] - g->back_start[b];
	if (s->work >= CHECK_EDGES) {
		HF_TRY(hf_interrupt_check());
		s->work = 0;
	}
	for (uint32_t e = g->back_start[b]; e < g->back_start[b + 1]; e++)
		HF_TRY(visit(s, g->back_edges[e], at));
	return NULL;
}

static struct hf_err *gather_holders(struct search *s, uint32_t at)
{
	const struct hf_graph *g = s->g;
	uint32_t b = s->visits.at[at].block;
	uint64_t unused;

	for (uint32_t r = g->root_start[b]; r < g->root_start[b + 1]; r++) {
		uint32_t root = g->root_index[r];
		struct holder holder = {.root = root, .visit = at, .kind = g->roots.at[root].kind};

		if (!hf_map64_find(&s->held, holder_key(&g->roots.at[root]), &unused))
			HF_TRY(hf_vec_push(&s->holders, holder));
	}
	return NULL;
}

static int by_kind_and_root(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->root < y->root ? -1 : x->root > y->root;
}

static struct hf_err *add_path(struct search *s, const struct holder *holder)
{
	struct hf_path path = {.root = holder->root, .n = 1};
	struct hf_err *err;
	uint32_t at;

	for (at = holder->visit; at; at = s->visits.at[at].next)
		path.n++;
	path.path = hf_malloc((size_t)path.n * sizeof(*path.path));
	if (!path.path)
		return hf_err_nomem();
	at = holder->visit;
	for (uint32_t i = 0; i < path.n; i++, at = s->visits.at[at].next)
		path.path[i] = s->visits.at[at].block;
	err = hf_vec_push(&s->paths, path);
	if (err)
		hf_free(path.path);
	return err;
}

/* Makes the paths of this level's holders, best first, and forgets the holders. */
static struct hf_err *add_level(struct search *s)
{
	uint64_t unused;

	if (s->holders.n)
		qsort(s->holders.at, s->holders.n, sizeof(*s->holders.at), by_kind_and_root);
	for (size_t i = 0; i < s->holders.n && s->paths.n < s->max; i++) {
		const struct holder *holder = &s->holders.at[i];
		uint64_t key = holder_key(&s->g->roots.at[holder->root]);

		if (hf_map64_find(&s->held, key, &unused))
			continue;
		HF_TRY(hf_map64_put(&s->held, key, 1));
		HF_TRY(add_path(s, holder));
	}
	s->holders.n = 0;
	return NULL;
}

static struct hf_err *search(struct search *s, uint32_t target)
{
	uint32_t end;

	s->seen = hf_calloc((size_t)s->g->blocks / 8 + 1, 1);
	if (!s->seen)
		return hf_err_nomem();
	HF_TRY(visit(s, target, 0));
	for (uint32_t level = 0; level < s->visits.n && s->paths.n < s->max; level = end) {
		end = (uint32_t)s->visits.n;
		for (uint32_t at = level; at < end; at++)
			HF_TRY(gather_holders(s, at));
		HF_TRY(add_level(s));
		for (uint32_t at = level; at < end && s->paths.n < s->max; at++)
			HF_TRY(look_around(s, at));
	}
	return NULL;
}

struct hf_err *hf_graph_paths(struct hf_graph *g, uint32_t target, size_t max, struct hf_path **ret,
			      size_t *ret_n)
{
	_cleanup_(deinit_search) struct search s = {.g = g, .max = max};

	s.all_marked = g->live && g->marked_roots == g->roots.n;
	if (target >= g->blocks)
		return hf_err(HF_USAGE, "block %" PRIu32 " does not exist: there are %" PRIu32, target,
			      g->blocks);
	HF_TRY(hf_graph_reverse(g));
	HF_TRY(search(&s, target));
	*ret_n = s.paths.n;
	*ret = take_ptr(s.paths.at);
	s.paths.n = 0;
	return NULL;
}

void hf_paths_free(struct hf_path *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hf_free(paths[i].path);
	hf_free(paths);
}
