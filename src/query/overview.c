#include "overview.h"

#include "leaked.h"

#include "shares.h"

/* Texts belong to the runtimes, which may be gone before the answer is. False where memory is out. */
static bool keep(struct hf_arena *a, const char **text)
{
	const char *s = *text ? *text : "";

	*text = hf_arena_strndup(a, s, strlen(s));
	return *text;
}

static struct hf_err *fill_facts(const struct hf_facts *facts, struct hf_arena *a, struct hf_overview *ret)
{
	struct hf_fact *list;
	size_t n = 0;

	while (hf_facts_name(n))
		n++;
	list = hf_arena_alloc(a, n * sizeof(*list));
	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		list[i] = (struct hf_fact){hf_facts_name(i), hf_facts_label(i), hf_facts_value(facts, i)};
	ret->facts = list;
	ret->facts_n = n;
	ret->started_at = facts->started_at;
	ret->taken_at = facts->taken_at;
	ret->cmdline = facts->cmdline;
	ret->cgroup_path = facts->cgroup_path;
	return NULL;
}

static struct hf_err *copy(struct hf_arena *a, const void *from, size_t n, size_t size, const void **ret)
{
	void *to = n ? hf_arena_alloc(a, n * size) : NULL;

	if (n && !to)
		return hf_err_nomem();
	if (n)
		memcpy(to, from, n * size);
	*ret = to;
	return NULL;
}

/* Names and meanings are constants of ours. */
static struct hf_err *keep_memstats(struct hf_arena *a, struct hf_heap *heap)
{
	HF_TRY(copy(a, heap->memstats, heap->memstats_n, sizeof(*heap->memstats),
		    (const void **)&heap->memstats));
	HF_TRY(copy(a, heap->pauses, heap->pauses_n, sizeof(*heap->pauses), (const void **)&heap->pauses));
	return copy(a, heap->by_size, heap->by_size_n, sizeof(*heap->by_size), (const void **)&heap->by_size);
}

static struct hf_err *fill_heaps(const struct hf_runtime_stats *stats, size_t n, struct hf_arena *a,
				 struct hf_overview *ret)
{
	struct hf_heap *heaps = hf_arena_alloc(a, n * sizeof(*heaps));

	if (!heaps)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++) {
		heaps[i] = stats[i].heap;
		if (!keep(a, &heaps[i].runtime) || !keep(a, &heaps[i].version) ||
		    !keep(a, &heaps[i].gc_phase))
			return hf_err_nomem();
		HF_TRY(keep_memstats(a, &heaps[i]));
	}
	ret->heaps = heaps;
	ret->heaps_n = n;
	return NULL;
}

static struct hf_err *fill_build(const struct hf_runtime_stats *stats, struct hf_arena *a,
				 struct hf_overview *ret)
{
	struct hf_dep *deps = hf_arena_alloc(a, stats->deps_n * sizeof(*deps));

	if (!deps)
		return hf_err_nomem();
	for (size_t i = 0; i < stats->deps_n; i++) {
		deps[i] = stats->deps[i];
		if (!keep(a, &deps[i].path) || !keep(a, &deps[i].version) || !keep(a, &deps[i].replaced_by))
			return hf_err_nomem();
	}
	ret->main_path = stats->main_path;
	ret->main_version = stats->main_version;
	ret->vcs = stats->vcs;
	ret->deps = deps;
	ret->deps_n = stats->deps_n;
	return NULL;
}

struct hf_err *hf_overview_fill(const struct hf_facts *facts, const struct hf_runtime_stats *stats, size_t n,
				struct hf_arena *a, struct hf_overview *ret)
{
	struct hf_overview o = {0};

	if (facts)
		HF_TRY(fill_facts(facts, a, &o));
	HF_TRY(fill_heaps(stats, n, a, &o));
	for (size_t i = 0; i < n && !o.main_path; i++)
		if (stats[i].main_path && *stats[i].main_path)
			HF_TRY(fill_build(&stats[i], a, &o));
	if (!keep(a, &o.cmdline) || !keep(a, &o.cgroup_path) || !keep(a, &o.main_path) ||
	    !keep(a, &o.main_version) || !keep(a, &o.vcs))
		return hf_err_nomem();
	hf_shares_compute(facts, o.heaps, o.heaps_n, a, &o);
	*ret = o;
	return NULL;
}

static void count_typed(struct hf_session *s, uint32_t block, uint64_t size, struct hf_heap *heap)
{
	uint32_t type = s->rt->ops->block_type(s->rt, block);

	heap->live_objects++;
	heap->live_bytes += size;
	if (!type) {
		heap->untyped_objects++;
	} else if (s->rt->ops->type_is_partial(s->rt, type)) {
		heap->partly_typed_objects++;
		heap->partly_typed_bytes += size;
	} else {
		heap->typed_objects++;
		heap->typed_bytes += size;
	}
}

/* What the walk found, beside what the runtime counts. */
static void fill_live(struct hf_session *s, struct hf_heap *heap)
{
	for (uint32_t b = 0; b < s->graph->blocks; b++) {
		if (!hf_graph_is_live(s->graph, b))
			continue;
		count_typed(s, b, s->rt->ops->block(s->rt, b).size, heap);
	}
	heap->garbage_objects = heap->objects - heap->live_objects;
	heap->garbage_bytes = heap->bytes - heap->live_bytes;
	/* Where memory is missing, what would wake them may be in it. */
	heap->leaked_goroutines = s->t->incomplete ? HF_UNKNOWN : s->leaks->leaked_n;
	heap->leaked_bytes = s->t->incomplete ? HF_UNKNOWN : s->leaks->bytes;
	heap->roots = s->graph->roots.n;
	heap->edges = s->graph->start[s->graph->blocks];
}

struct hf_err *hf_overview(struct hf_session *s, const struct hf_overview **ret)
{
	struct hf_overview *result = NULL;
	struct hf_runtime_stats stats;
	struct hf_err *err;
	uint64_t first;

	HF_TRY(hf_session_type(s));
	HF_TRY(s->rt->ops->stats(s->rt, &stats));
	HF_TRY(hf_session_leaks(s));
	fill_live(s, &stats.heap);
	HF_TRY(s->rt->ops->count_dangling(s->rt, s->graph->live, &stats.heap.dangling_pointers, &first));
	if (stats.heap.dangling_pointers)
		hf_target_warn(s->t, true,
			       "self-check: %" PRIu64
			       " pointers of live objects lead to free memory, the first at 0x%" PRIx64,
			       stats.heap.dangling_pointers, first);
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = hf_overview_fill(s->t->facts, &stats, 1, hf_result_arena(result), result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
