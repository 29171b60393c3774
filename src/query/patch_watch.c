/* What came of a patch: figures of before it, kept when it is applied, beside those of now. */
#include "../patch/watch.h"
#include "../runtime/described.h"
#include "../target/identity.h"
#include "patch_private.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A process larger than this is not stopped for figures: they are not what it is patched for. */
#define RESIDENT_MAX (8ull << 30)
/* Nor twice, which takes as much memory of ours again: how much it allocates a second is then not known. */
#define TWICE_MAX (1ull << 30)

static double unix_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double up_s(const struct hf_session *s)
{
	return s->t->facts && s->t->facts->started_at > 0 ? unix_now() - s->t->facts->started_at : 0;
}

static uint64_t memstat(const struct hf_heap *heap, const char *name)
{
	for (size_t i = 0; i < heap->memstats_n; i++)
		if (!strcmp(heap->memstats[i].name, name))
			return heap->memstats[i].value;
	return HF_UNKNOWN;
}

static bool is_larger(const struct hf_session *s, uint64_t bytes)
{
	return s->t->facts && s->t->facts->rss != HF_UNKNOWN && s->t->facts->rss > bytes;
}

/* ---- the heap and the pool ---------------------------------------------------------------------------------------------- */

static struct hf_err *take_heap(struct hf_session *s, struct hf_baseline *ret)
{
	const struct hf_overview *o;

	HF_TRY(hf_overview(s, &o));
	if (o->heaps_n) {
		ret->live_bytes = o->heaps[0].live_bytes;
		ret->total_alloc = memstat(&o->heaps[0], "TotalAlloc");
		ret->collections = o->heaps[0].gc_cycles;
	}
	hf_result_free(o);
	return NULL;
}

static struct hf_err *take_pool(struct hf_session *s, uint64_t slot_addr, struct hf_baseline *ret)
{
	const struct hf_pools_answer *answer;

	HF_TRY(hf_pools(s, 0, &answer));
	/* The slot is a word of the pool: the row whose address is the nearest below. */
	for (size_t i = 0; i < answer->n; i++) {
		const struct hf_pool_row *row = &answer->rows[i];

		if (row->addr <= slot_addr && slot_addr - row->addr < 4096 && row->count == 1)
			ret->pool_bytes = row->idle_bytes;
	}
	hf_result_free(answer);
	return NULL;
}

/* Figures of the process as it is: of a runtime that we know its heap, too. */
static struct hf_err *take(struct hf_session *s, uint64_t slot_addr, struct hf_baseline *ret)
{
	ret->at = unix_now();
	ret->up_s = up_s(s);
	ret->live_bytes = ret->total_alloc = ret->pool_bytes = ret->collections = HF_UNKNOWN;
	ret->alloc_rate = ret->old_items = ret->new_items = HF_UNKNOWN;
	if (is_larger(s, RESIDENT_MAX))
		return NULL;
	HF_TRY(take_pool(s, slot_addr, ret));
	if (s->rt)
		HF_TRY(take_heap(s, ret));
	return NULL;
}

/* ---- objects of either constructor ---------------------------------------------------------------------------------------- */

struct count {
	uint32_t largest; /* of the blocks that an object leads to */
	uint64_t size;
	struct hf_session *s;
};

static void see(void *arg, uint64_t slot, uint32_t to)
{
	struct count *c = arg;
	uint64_t size = c->s->rt->ops->block(c->s->rt, to).size;

	(void)slot;
	c->size = hf_max(c->size, size);
}

/* Live objects of the type whose largest part is of one size, or of the other. */
static struct hf_err *count_objects(struct hf_session *s, const struct hf_baseline *b,
				    struct hf_baseline *ret)
{
	const struct hf_runtime_ops *ops = s->rt ? s->rt->ops : NULL;
	uint32_t wanted = 0;

	if (!ops || !s->loaded || !*b->type || !b->old_size || !b->new_size || b->old_size == b->new_size ||
	    !ops->pointers)
		return NULL;
	HF_TRY(hf_session_type(s));
	for (uint32_t i = 1; i < ops->types(s->rt) && !wanted; i++) {
		_cleanup_(hf_str_deinit) struct hf_str name = {0};

		ops->type_name(s->rt, i, &name);
		if (!strcmp(hf_str_get(&name), b->type))
			wanted = i;
	}
	ret->old_items = ret->new_items = 0;
	for (uint32_t block = 0; wanted && block < s->graph->blocks; block++) {
		struct count c = {.s = s};

		if (ops->block_type(s->rt, block) != wanted || !hf_graph_is_live(s->graph, block))
			continue;
		HF_TRY(ops->pointers(s->rt, block, see, &c));
		ret->old_items += c.size == b->old_size;
		ret->new_items += c.size == b->new_size;
	}
	return NULL;
}

/* ---- before and now --------------------------------------------------------------------------------------------------------- */

/* The largest block behind the object that a run returned; 0: there is none. */
static uint64_t largest_part(const struct hf_patch_run *run)
{
	uint64_t size = 0;

	for (size_t i = 0; run && i < run->made_n; i++)
		if (run->made[i].addr != run->result)
			size = hf_max(size, run->made[i].bytes);
	return size;
}

struct hf_err *hf_patch_take_baseline(struct hf_session *s, const struct hf_plan *plan,
				      struct hf_baseline *ret)
{
	*ret = (struct hf_baseline){.pid = plan->pid, .start_time = plan->start_time};
	memcpy(ret->id, plan->id, sizeof(ret->id));
	return take(s, plan->slot_addr, ret);
}

static uint64_t rate(uint64_t from, uint64_t to, double seconds)
{
	return from == HF_UNKNOWN || to == HF_UNKNOWN || to < from || seconds <= 0
		       ? HF_UNKNOWN
		       : (uint64_t)((double)(to - from) / seconds);
}

static void tell_apart(const struct hf_patch_dry_run *d, struct hf_baseline *ret)
{
	const char *type = d->run && d->run->result_type ? d->run->result_type : "";

	ret->old_size = largest_part(d->old);
	ret->new_size = largest_part(d->run);
	type += *type == '*';
	if (strlen(type) < sizeof(ret->type))
		memcpy(ret->type, type, strlen(type) + 1);
}

static struct hf_err *look_again(struct hf_session *s, uint64_t slot_addr, struct hf_baseline *ret)
{
	struct hf_baseline now = {.old_items = HF_UNKNOWN, .new_items = HF_UNKNOWN};

	HF_TRY(take(s, slot_addr, &now));
	now.alloc_rate = rate(ret->total_alloc, now.total_alloc, now.at - ret->at);
	HF_TRY(count_objects(s, ret, &now));
	ret->at = now.at;
	ret->live_bytes = now.live_bytes;
	ret->total_alloc = now.total_alloc;
	ret->alloc_rate = now.alloc_rate;
	ret->pool_bytes = now.pool_bytes;
	ret->collections = now.collections;
	ret->old_items = now.old_items;
	ret->new_items = now.new_items;
	return NULL;
}

struct hf_err *hf_patch_look_again(struct hf_session *s, const struct hf_patch_dry_run *d, uint64_t slot_addr,
				   struct hf_baseline *ret)
{
	struct hf_session *again = NULL;
	struct hf_err *err;

	tell_apart(d, ret);
	/* What a debugger holds stands still: a second look would see the same, and could not be had. */
	if (!s->t->ops->stop || s->t->held || is_larger(s, TWICE_MAX))
		return NULL;
	HF_TRY(hf_session_open_pid(s->t->pid, &s->options, &again));
	err = look_again(again, slot_addr, ret);
	s->t->pause.stopped_s += again->t->pause.stopped_s;
	hf_session_close(again);
	return err;
}

struct hf_err *hf_patch_watch_it(struct hf_session *s, const char *id, uint64_t slot_addr,
				 struct hf_patch_states *ret)
{
	struct hf_watch_figures before = {HF_UNKNOWN, HF_UNKNOWN, HF_UNKNOWN, HF_UNKNOWN, HF_UNKNOWN},
				after = before;
	struct hf_patch_watch *rows = hf_result_alloc(ret, HF_WATCH_ROWS, sizeof(*rows));
	struct hf_baseline then, now = {0};
	struct hf_identity who;
	struct hf_err *err;
	bool found;

	if (!rows)
		return hf_err_nomem();
	HF_TRY(hf_target_identity(s->t, &who));
	HF_TRY(hf_baseline_find(id, who.pid, who.start_time, &then, &found));
	if (!found)
		return NULL;
	err = take(s, slot_addr, &now);
	if (hf_err_code(err) == HF_INTERRUPTED || hf_err_code(err) == HF_NOMEM)
		return err;
	/* A process whose heap cannot be read now, or not without the file of its pools, is patched all the same. */
	if (hf_err_ignore(err))
		return NULL;
	before.live_bytes = then.live_bytes;
	before.pool_bytes = then.pool_bytes;
	before.alloc_rate = then.alloc_rate;
	before.old_items = then.old_items;
	before.new_items = then.new_items;
	HF_TRY(count_objects(s, &then, &now));
	after.live_bytes = now.live_bytes;
	after.pool_bytes = now.pool_bytes;
	/* What a debugger holds has stood still for some of that time, nobody knows how long. */
	if (!s->t->held)
		after.alloc_rate = rate(then.total_alloc, now.total_alloc, now.at - then.at);
	after.old_items = now.old_items;
	after.new_items = now.new_items;
	ret->watch = rows;
	return hf_watch_compare(&before, &after, hf_result_arena(ret), rows, &ret->watch_n,
				&ret->watch_verdict);
}
