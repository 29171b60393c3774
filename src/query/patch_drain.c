/* patch drain: what collections free of pools, told and waited for. Nothing is called in the target. */
#include "../patch/switch.h"
#include "../target/identity.h"
#include "patch_private.h"

#include "../base/workers.h"

#include <time.h>

#define ENOUGH        2 /* collections: what waits becomes a victim by one, and is dropped by the next */
#define POLL_NS       100000000l
#define POOL_MAX_SIZE 64 /* bytes from a pool's address on that are its own */

struct drain {
	struct hf_session *s;
	const struct hf_drain_options *o;
	struct hf_drain *ret;
	struct hf_pulse pulse;
};

static bool is_wanted(const struct hf_pool_row *row, const char *pool)
{
	uint64_t addr;

	return !pool || !strcmp(row->name, pool) || (hf_parse_address(pool, &addr) && addr == row->addr);
}

/* Only what the collector itself empties. */
static bool is_drained(const struct hf_pool_row *row)
{
	return strcmp(row->kind, "described") != 0;
}

static struct hf_err *check_found(const struct drain *d, const struct hf_pools_answer *pools)
{
	if (!d->o->pool || d->ret->n)
		return NULL;
	for (size_t i = 0; i < pools->n; i++)
		if (is_wanted(&pools->rows[i], d->o->pool))
			return hf_err(HF_USAGE, "no collection empties %s: it is a pool of the program's own",
				      d->o->pool);
	return hf_err(HF_USAGE, "there is no pool '%s' ('holdfast pools' lists them)", d->o->pool);
}

static struct hf_err *add_rows(struct drain *d, const struct hf_pools_answer *pools)
{
	struct hf_drain_row *rows = hf_result_alloc(d->ret, pools->n + 1, sizeof(*rows));

	if (!rows)
		return hf_err_nomem();
	for (size_t i = 0; i < pools->n; i++) {
		const struct hf_pool_row *row = &pools->rows[i];

		if (!is_wanted(row, d->o->pool) || !is_drained(row))
			continue;
		rows[d->ret->n++] = (struct hf_drain_row){
			.pool = hf_result_str(d->ret, row->name),
			.addr = row->addr,
			.idle = row->idle,
			.victims = row->in_victim,
			.idle_bytes = row->idle_bytes,
			.victim_bytes = row->victim_bytes,
			.since = HF_UNKNOWN,
			.idle_after = HF_UNKNOWN,
			.idle_bytes_after = HF_UNKNOWN,
		};
	}
	d->ret->rows = rows;
	return check_found(d, pools);
}

/* ---- since the patch ------------------------------------------------------------------------------------------------- */

static void count_since(const struct hf_pulse *pulse, struct hf_drain_row *row)
{
	size_t n = 0;

	if (row->patched_at <= 0 || pulse->collections == HF_UNKNOWN)
		return;
	while (n < pulse->n && pulse->ended[n] > row->patched_at)
		n++;
	row->since = n;
	row->since_at_least = n == pulse->n && pulse->collections > n;
}

static struct hf_err *find_patches(struct drain *d)
{
	_cleanup_(hf_journal_close) struct hf_journal journal = {.fd = -1};
	struct hf_drain_row *rows = (struct hf_drain_row *)d->ret->rows;
	struct hf_identity id;

	if (strcmp(d->s->t->ops->kind, "live") != 0)
		return NULL;
	HF_TRY(hf_target_identity(d->s->t, &id));
	HF_TRY(hf_journal_open(d->o->journal, false, &journal));
	hf_vec_each(&journal.entries, e) {
		if (!hf_journal_is_of(e, &id) || e->event == HF_JOURNAL_FAILED ||
		    e->event == HF_JOURNAL_REVERTED)
			continue;
		for (size_t i = 0; i < d->ret->n; i++)
			if (e->slot_addr - rows[i].addr < POOL_MAX_SIZE)
				rows[i].patched_at = e->at;
	}
	for (size_t i = 0; i < d->ret->n; i++)
		count_since(&d->pulse, &rows[i]);
	return NULL;
}

/* ---- the wait --------------------------------------------------------------------------------------------------------- */

/* Words are read of the running process; nobody is stopped for it. */
static struct hf_err *wait_for_collections(struct drain *d)
{
	const struct hf_runtime_ops *ops = d->s->rt->ops;
	uint64_t before = d->pulse.collections;
	double from = hf_now();

	while (hf_now() - from < d->o->wait_s && d->pulse.collections - before < ENOUGH) {
		struct timespec pause = {.tv_nsec = POLL_NS};

		HF_TRY(hf_interrupt_check());
		nanosleep(&pause, NULL);
		HF_TRY(hf_target_check_same(d->s->t));
		HF_TRY(ops->pulse(d->s->rt, &d->pulse));
		if (d->pulse.collections == HF_UNKNOWN)
			return hf_err(HF_TARGET, "the collections of %s cannot be counted any more",
				      d->s->t->label);
	}
	d->ret->waited_s = hf_now() - from;
	d->ret->waited_for = d->pulse.collections - before;
	return NULL;
}

static void tell_after(struct drain *d, const struct hf_pools_answer *pools)
{
	struct hf_drain_row *rows = (struct hf_drain_row *)d->ret->rows;

	for (size_t i = 0; i < d->ret->n; i++)
		for (size_t k = 0; k < pools->n; k++) {
			const struct hf_pool_row *row = &pools->rows[k];

			if (row->addr != rows[i].addr || strcmp(row->name, rows[i].pool) != 0)
				continue;
			rows[i].idle_after = row->idle;
			rows[i].idle_bytes_after = row->idle_bytes;
		}
}

/* A second capture, as short as the first. */
static struct hf_err *look_again(struct drain *d)
{
	const struct hf_pools_answer *pools = NULL;
	struct hf_session *again = NULL;
	struct hf_err *err = hf_session_open_pid(d->s->t->pid, &d->s->options, &again);

	if (!err)
		err = hf_pools(again, 0, &pools);
	if (!err) {
		tell_after(d, pools);
		d->s->t->pause.stopped_s += again->t->pause.stopped_s;
		d->s->t->pause.stops += again->t->pause.stops;
	}
	hf_result_free(pools);
	hf_session_close(again);
	return err;
}

static struct hf_err *check_wait(const struct drain *d)
{
	if (d->s->t->core || d->s->t->held)
		return hf_err(HF_REFUSED, "%s stands still: no collection will come by", d->s->t->label);
	if (d->pulse.collections == HF_UNKNOWN)
		return hf_err(HF_UNSUPPORTED,
			      "the collections of %s cannot be counted: the executable is stripped",
			      d->s->t->label);
	return NULL;
}

/* ------------------------------------------------------------------------------------------------------------------------ */

static const char *words_of(const struct drain *d)
{
	const struct hf_drain *r = d->ret;

	if (!r->n)
		return "no pool that a collection empties";
	if (r->waited_s > 0 && r->waited_for >= ENOUGH)
		return "two collections have come by: what waits now was put back, or made a victim, since";
	if (r->waited_s > 0)
		return "the wait is over before two collections came by: a victim is dropped by one, the "
		       "rest by "
		       "two";
	if (!r->forced_every_s)
		return "the collector is off: nothing is dropped until the program collects by itself";
	return "one collection drops the victims and makes victims of the rest; two drop all that nobody "
	       "takes "
	       "before";
}

static struct hf_err *keep_times(struct drain *d)
{
	double *ended = hf_result_alloc(d->ret, d->pulse.n + 1, sizeof(*ended));

	if (!ended)
		return hf_err_nomem();
	memcpy(ended, d->pulse.ended, d->pulse.n * sizeof(*ended));
	d->ret->ended = ended;
	d->ret->ended_n = d->pulse.n;
	d->ret->collections = d->pulse.collections;
	d->ret->forced_every_s = d->pulse.forced_every_s;
	d->ret->says = words_of(d);
	return NULL;
}

static struct hf_err *drain(struct drain *d)
{
	const struct hf_pools_answer *pools;
	struct hf_err *err;

	HF_TRY(hf_session_open_runtime(d->s));
	if (!d->s->rt->ops->pulse || !d->s->rt->ops->pools)
		return hf_err(HF_UNSUPPORTED, "%s: its runtime has no collector that empties pools",
			      d->s->t->label);
	HF_TRY(d->s->rt->ops->pulse(d->s->rt, &d->pulse));
	if (d->o->wait_s > 0)
		HF_TRY(check_wait(d));
	HF_TRY(hf_pools(d->s, 0, &pools));
	err = add_rows(d, pools);
	hf_result_free(pools);
	HF_TRY(err);
	HF_TRY(d->s->rt->ops->pulse(d->s->rt, &d->pulse));
	if (d->o->wait_s > 0) {
		HF_TRY(wait_for_collections(d));
		HF_TRY(look_again(d));
	}
	HF_TRY(find_patches(d));
	return keep_times(d);
}

struct hf_err *hf_drain(struct hf_session *s, const struct hf_drain_options *options,
			const struct hf_drain **ret)
{
	struct hf_drain_options asked = {.size = sizeof(asked)};
	struct drain d = {.s = s, .o = &asked};
	struct hf_err *err;

	if (options)
		memcpy(&asked, options, hf_min(options->size, sizeof(asked)));
	HF_TRY(hf_result_new(sizeof(*d.ret), &d.ret));
	err = drain(&d);
	if (err) {
		hf_result_free(d.ret);
		return err;
	}
	*ret = d.ret;
	return NULL;
}
