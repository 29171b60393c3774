#include "apply.h"
#include "fault.h"
#include "load.h"
#include "switch.h"
#include "write.h"

#include "../base/workers.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define TRIES     40 /* stops until the collector rests */
#define OLD_WORDS 8  /* at most; they follow as many of the new value on its page */

/* What was done, for undo() to undo in the reverse order. The stop and the store undo themselves. */
enum rung {
	NOTHING_DONE,
	INTENT_WRITTEN, /* undo: the journal says that it failed */
	WORD_STORED,    /* the last: what fails from here on is told, not undone */
};

struct apply {
	struct hf_target *t;
	const struct hf_plan *plan;
	const struct hf_apply_options *options;
	struct hf_journal journal;
	struct hf_journal_entry entry;
	enum rung rung;
	unsigned stops;
	double stopped_s;
};

static double seconds_since_1970(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- gates: all that can be said before anything is touched ------------------------------------------------------ */

static struct hf_err *check_verdict(const struct hf_plan *plan, const struct hf_apply_options *o)
{
	const struct hf_accepted *a = o->accepted;

	if (!o->allow_write)
		return hf_err(HF_REFUSED,
			      "nothing is written to a process without leave: apply with --yes (in a "
			      "debugger: set holdfast allow-write on)");
	if (!a || strcmp(a->id, plan->id) != 0 || a->pid != plan->pid || a->start_time != plan->start_time)
		return hf_err(HF_REFUSED, "plan %s was not dry-run on process %d: nothing was written",
			      plan->id, plan->pid);
	if (a->accept == HF_ACCEPT_REFUSED)
		return hf_err(HF_REFUSED, "the dry run refused plan %s: nothing was written", plan->id);
	if (a->accept == HF_ACCEPT_INCONCLUSIVE && !o->accept_inconclusive)
		return hf_err(HF_REFUSED,
			      "the dry run of plan %s was inconclusive: nothing was written "
			      "(--accept-inconclusive applies it nevertheless)",
			      plan->id);
	return NULL;
}

static struct hf_err *check_process(const struct hf_plan *plan, const struct hf_identity *id)
{
	if (id->pid != plan->pid || id->start_time != plan->start_time)
		return hf_err(
			HF_STALE,
			"plan %s is of process %d as it was started then, not of process %d: plan it anew",
			plan->id, plan->pid, id->pid);
	if (strcmp(id->build_id, plan->build_id) != 0)
		return hf_err(HF_STALE,
			      "process %d executes another program than when plan %s was made: plan it anew",
			      id->pid, plan->id);
	return hf_patch_check_rights(id);
}

static struct hf_err *check_closure(const struct hf_plan *plan, const struct hf_apply_options *o)
{
	if (!plan->old_on_heap)
		return NULL;
	/* Once the pool leads elsewhere, the collector may free it: there is no way back. */
	if (o->old_words_n > OLD_WORDS)
		return hf_err(HF_REFUSED,
			      "the constructor that stands there captured more than can be copied");
	if (!o->old_words_n && !plan->expert)
		return hf_err(HF_REFUSED,
			      "the constructor that stands there is a closure that the program allocated: "
			      "nothing would keep it alive for a revert (--expert applies without one)");
	if (!o->quiet_addr)
		return hf_err(HF_REFUSED,
			      "whether the collector is at work cannot be seen here, and the constructor "
			      "that stands there is an allocated closure: nothing was written");
	return NULL;
}

static struct hf_err *check_slot(const struct apply *a, const struct hf_identity *id)
{
	const struct hf_plan *plan = a->plan;
	uint8_t bytes[8];
	uint64_t value;

	HF_TRY(hf_target_read_now(a->t, plan->slot_addr, bytes, sizeof(bytes)));
	value = hf_load_u64(bytes);
	hf_vec_each(&a->journal.entries, e) {
		if (!hf_journal_is_of(e, id) || e->slot_addr != plan->slot_addr ||
		    e->event == HF_JOURNAL_REVERTED || e->event == HF_JOURNAL_FAILED)
			continue;
		if (value == e->new_value)
			return hf_err_at(
				HF_REFUSED, e->slot_addr,
				"the constructor of %s is patched already, by plan %s: revert that first",
				e->pool, e->plan);
	}
	/* Once more when it stands still; but an intent must not be written down of what was so before. */
	if (value != plan->old_value)
		return hf_err_at(HF_STALE, plan->slot_addr,
				 "0x%" PRIx64 " of %s holds 0x%" PRIx64 " by now, not 0x%" PRIx64
				 ": nothing was written; plan it anew",
				 plan->slot_addr, a->t->label, value, plan->old_value);
	return NULL;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static struct hf_journal_entry entry_of(const struct hf_plan *plan, const struct hf_identity *id)
{
	return (struct hf_journal_entry){
		.event = HF_JOURNAL_INTENT,
		.plan = plan->id,
		.pid = id->pid,
		.start_time = id->start_time,
		.boot = id->boot,
		.build_id = id->build_id,
		.exe = plan->exe,
		.runtime = plan->runtime,
		.pool = plan->pool,
		.kind = plan->kind,
		.old_function = plan->old_function,
		.new_function = plan->new_function,
		.slot_addr = plan->slot_addr,
		.old_value = plan->old_value,
		.new_value = plan->new_value,
		.restore = plan->old_value,
		.old_on_heap = plan->old_on_heap,
		.uid = geteuid(),
		.at = seconds_since_1970(),
		.why = "",
	};
}

static struct hf_err *check_value(const struct apply *a)
{
	const struct hf_plan *plan = a->plan;

	if (plan->how == HF_PLAN_THUNK && !plan->expert)
		return hf_err(HF_REFUSED,
			      "code that the program does not have is for experts alone (--expert)");
	if (plan->how == HF_PLAN_THUNK &&
	    (!a->options->callee || !a->options->callee->ops->build || !a->options->ctor))
		return hf_err(HF_UNSUPPORTED, "code for %s cannot be made in %s", plan->new_function,
			      a->t->label);
	if (plan->how != HF_PLAN_STORE)
		return NULL;
	if (!plan->new_value && !plan->expert)
		return hf_err(HF_REFUSED, "no constructor at all is for experts alone (--expert)");
	if (plan->new_value == plan->old_value)
		return hf_err(HF_REFUSED, "%s stands there already: nothing was written", plan->new_function);
	return NULL;
}

/* A page of words: the new value's, and from OLD_WORDS on a copy of the old closure. */
static struct hf_err *map_words(struct apply *a, uint64_t first, uint64_t second)
{
	uint64_t words[2 * OLD_WORDS] = {first, second}, page;

	if (a->options->old_words_n)
		memcpy(words + OLD_WORDS, a->options->old_words, a->options->old_words_n * sizeof(*words));
	HF_TRY(hf_patch_map_words(a->t, words, HF_LEN(words), &page));
	if (first)
		a->entry.new_value = page;
	if (a->options->old_words_n)
		a->entry.restore = page + OLD_WORDS * sizeof(*words);
	return NULL;
}

static struct hf_err *link_code(struct apply *a, const struct hf_new_code *code)
{
	const struct hf_word word = {code->link_addr, code->link_expect, code->link_value, 0};
	bool busy;

	HF_TRY(hf_patch_swap_word(a->t, &word, &busy));
	a->stops++;
	hf_fault_point("the code made known");
	return NULL;
}

/* The page first, that nothing refers to; then the word that the runtime finds it by. From there on it is for good: a stack
 * may lead into it. */
static struct hf_err *make_code(struct apply *a)
{
	_free_ struct hf_new_code *code = hf_malloc(sizeof(*code));
	uint64_t page = hf_patch_find_room(a->t);

	if (!code)
		return hf_err_nomem();
	if (!page)
		return hf_err(HF_UNSUPPORTED, "%s has no room: no page can be mapped", a->t->label);
	HF_TRY(a->options->callee->ops->build(a->options->callee, a->options->ctor, page, code));
	HF_TRY(hf_patch_check_place(a->t, code->link_addr));
	HF_TRY(hf_patch_map_code(a->t, page, code->bytes));
	a->entry.new_value = code->value;
	a->entry.link_addr = code->link_addr;
	a->entry.link_value = code->link_value;
	HF_TRY(hf_journal_append(&a->journal, &a->entry));
	return link_code(a, code);
}

/* What the slot is to hold, where the target does not have it yet. Whatever is made stays there: nothing leads to it but
 * the slot. The journal then has a second intent, with the value. */
static struct hf_err *make_value(struct apply *a)
{
	const struct hf_plan *plan = a->plan;
	bool copies = plan->old_on_heap && a->options->old_words_n;

	switch (plan->how) {
	case HF_PLAN_LOAD:
		HF_TRY(hf_patch_load(a->t, plan->file, plan->new_function, a->options->dlopen_addr,
				     &a->entry.new_value));
		break;
	case HF_PLAN_FUNCVAL:
	case HF_PLAN_CLOSURE:
		HF_TRY(map_words(a, plan->new_code, plan->how == HF_PLAN_CLOSURE ? plan->captured : 0));
		break;
	case HF_PLAN_THUNK:
		if (copies)
			HF_TRY(map_words(a, 0, 0));
		return make_code(a);
	case HF_PLAN_STORE:
		if (!copies)
			return NULL;
		HF_TRY(map_words(a, 0, 0));
		break;
	}
	return hf_journal_append(&a->journal, &a->entry);
}

/* One short stop. *ret_busy: the collector is at work, nothing was written. */
static struct hf_err *stop_and_store(struct apply *a, bool *ret_busy)
{
	const struct hf_word word = {a->plan->slot_addr, a->plan->old_value, a->entry.new_value,
				     a->plan->old_on_heap ? a->options->quiet_addr : 0};
	double before = a->t->pause.stopped_s;
	struct hf_err *err = hf_patch_swap_word(a->t, &word, ret_busy);

	a->stops++;
	a->stopped_s = a->t->pause.stopped_s - before;
	if (!err && !*ret_busy)
		a->rung = WORD_STORED;
	return err;
}

static struct hf_err *store(struct apply *a)
{
	for (unsigned i = 0; i < TRIES; i++) {
		struct timespec pause = {.tv_nsec = 5000000};
		bool busy = false;

		HF_TRY(hf_interrupt_check());
		HF_TRY(stop_and_store(a, &busy));
		if (!busy)
			return NULL;
		nanosleep(&pause, NULL);
	}
	return hf_err(HF_STALE,
		      "the collector of %s was at work at each of %d stops: nothing was written; try again",
		      a->t->label, TRIES);
}

/* The journal says how it ended. Where that cannot be written, the intent and the slot tell as much. */
static struct hf_err *write_end(struct apply *a, enum hf_journal_event event, const char *why)
{
	a->entry.event = event;
	a->entry.why = why;
	a->entry.ended = seconds_since_1970();
	a->entry.stopped_s = a->stopped_s;
	return hf_journal_append(&a->journal, &a->entry);
}

static void undo(struct apply *a, const struct hf_err *failed)
{
	switch (a->rung) {
	case INTENT_WRITTEN:
		/* Whether the word was stored is not known: the intent stays, and the slot tells. */
		if (hf_err_code(failed) != HF_TARGET)
			hf_err_ignore(write_end(a, HF_JOURNAL_FAILED, hf_err_message(failed)));
		break;
	case WORD_STORED:
	case NOTHING_DONE:
		break;
	}
}

static struct hf_err *climb(struct apply *a, struct hf_identity *id)
{
	HF_TRY(hf_target_identity(a->t, id));
	HF_TRY(check_process(a->plan, id));
	HF_TRY(hf_journal_open(a->options->journal, true, &a->journal));
	HF_TRY(check_value(a));
	HF_TRY(hf_target_prepare(a->t, NULL, 0)); /* its mappings, as they are now */
	HF_TRY(hf_patch_check_place(a->t, a->plan->slot_addr));
	HF_TRY(check_slot(a, id));
	a->entry = entry_of(a->plan, id);
	if (a->options->expires_s > 0)
		a->entry.expires = a->entry.at + a->options->expires_s;
	HF_TRY(hf_journal_append(&a->journal, &a->entry));
	a->rung = INTENT_WRITTEN;
	HF_TRY(make_value(a));
	return store(a);
}

static struct hf_err *fill_result(const struct apply *a, const struct hf_err *unwritten,
				  struct hf_apply_result *ret)
{
	struct hf_journal_entry e = a->entry;
	const char **texts[] = {&e.plan, &e.boot, &e.build_id,     &e.exe,          &e.runtime,
				&e.pool, &e.kind, &e.old_function, &e.new_function, &e.why};

	for (size_t i = 0; i < HF_LEN(texts); i++) {
		const char *text = *texts[i] ? *texts[i] : "";

		*texts[i] = hf_arena_strndup(&ret->names, text, strlen(text));
		if (!*texts[i])
			return hf_err_nomem();
	}
	ret->entry = e;
	ret->stops = a->stops;
	ret->stopped_s = a->stopped_s;
	ret->journal = hf_arena_strndup(&ret->names, a->journal.path, strlen(a->journal.path));
	ret->warning = unwritten ? hf_arena_strndup(&ret->names, hf_err_message(unwritten),
						    strlen(hf_err_message(unwritten)))
				 : "";
	return ret->journal && ret->warning ? NULL : hf_err_nomem();
}

struct hf_err *hf_apply(struct hf_target *t, const struct hf_plan *plan,
			const struct hf_apply_options *options, struct hf_apply_result *ret)
{
	_cleanup_(hf_err_destroy_p) struct hf_err *unwritten = NULL;
	struct apply a = {.t = t, .plan = plan, .options = options, .journal = {.fd = -1}};
	struct hf_identity id;
	struct hf_err *err;

	hf_fault_begin("apply");
	HF_TRY(check_verdict(plan, options));
	HF_TRY(check_closure(plan, options));
	err = climb(&a, &id);
	if (err)
		undo(&a, err);
	else
		unwritten = write_end(&a, HF_JOURNAL_APPLIED, "");
	if (!err)
		err = fill_result(&a, unwritten, ret);
	hf_journal_close(&a.journal);
	return err;
}

void hf_apply_result_deinit(struct hf_apply_result *r)
{
	hf_arena_deinit(&r->names);
}
