/* The guarded, journaled store of a switch. */
#include "fault.h"
#include "switch.h"
#include "write.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct set {
	struct hf_target *t;
	const struct hf_switch_request *request;
	const struct hf_knob *knob;
	struct hf_identity id;
	struct hf_journal journal;
	uint64_t word; /* that stands there */
	const struct hf_journal_entry *standing;
	struct hf_plan plan;
	struct hf_str old_text, new_text;
};

static const char *const ends[] = {
#define END_NAME(name, text) text,
	HF_SWITCH_ENDS(END_NAME)
#undef END_NAME
};

const char *hf_switch_end_name(enum hf_switch_end end)
{
	return ends[end];
}

static double seconds_since_1970(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct hf_err *hf_patch_check_rights(const struct hf_identity *id)
{
	if (id->init)
		return hf_err(HF_REFUSED, "process 1 of this machine is never patched");
	if (id->privileged)
		return hf_err(
			HF_REFUSED,
			"process %d runs with other rights than its user's (setuid, setgid, capabilities "
			"of its file, or not dumpable): it is never patched",
			id->pid);
	if (geteuid() != 0 && id->uid != geteuid())
		return hf_err(HF_REFUSED, "process %d is user %" PRIu64 "'s: only root patches another's",
			      id->pid, id->uid);
	return NULL;
}

const struct hf_journal_entry *hf_switch_standing(const struct hf_journal *j, const struct hf_identity *id,
						  const struct hf_knob *k, uint64_t word)
{
	const struct hf_journal_entry *found = NULL;

	hf_vec_each(&j->entries, e)
		if (hf_journal_is_of(e, id) && e->slot_addr == k->word_addr && e->new_value == word &&
		    e->event != HF_JOURNAL_REVERTED && e->event != HF_JOURNAL_FAILED)
			found = e;
	return found;
}

static struct hf_err *read_word(struct set *s, uint64_t *ret)
{
	uint8_t bytes[8];

	HF_TRY(hf_target_read_now(s->t, s->knob->word_addr, bytes, sizeof(bytes)));
	*ret = hf_load_u64(bytes);
	return NULL;
}

/* ---- the journal's lines -------------------------------------------------------------------------------------------- */

static struct hf_err *make_plan(struct set *s)
{
	struct hf_plan *p = &s->plan;

	hf_switch_print(s->knob, hf_knob_value(s->knob, s->word), &s->old_text);
	hf_switch_print(s->knob, s->request->value, &s->new_text);
	HF_TRY(hf_str_check(&s->old_text));
	HF_TRY(hf_str_check(&s->new_text));
	*p = (struct hf_plan){
		.pid = s->id.pid,
		.start_time = s->id.start_time,
		.exe = "",
		.build_id = s->id.build_id,
		.runtime = s->request->runtime,
		.pool = s->knob->name,
		.kind = HF_SWITCH_KIND,
		.pool_addr = s->knob->word_addr,
		.slot_addr = s->knob->word_addr,
		.old_value = s->word,
		.new_value = hf_knob_word(s->knob, s->word, s->request->value),
		.old_function = hf_str_get(&s->old_text),
		.new_function = hf_str_get(&s->new_text),
		.item_type = "",
		.how = HF_PLAN_STORE,
		.file = "",
	};
	return hf_plan_seal(p);
}

static struct hf_journal_entry new_entry(const struct set *s)
{
	const struct hf_plan *p = &s->plan;
	double now = seconds_since_1970();

	return (struct hf_journal_entry){
		.event = HF_JOURNAL_INTENT,
		.plan = p->id,
		.pid = p->pid,
		.start_time = p->start_time,
		.boot = s->id.boot,
		.build_id = p->build_id,
		.exe = p->exe,
		.runtime = p->runtime,
		.pool = p->pool,
		.kind = p->kind,
		.old_function = s->standing ? s->standing->old_function : p->old_function,
		.new_function = p->new_function,
		.slot_addr = p->slot_addr,
		.old_value = p->old_value,
		.new_value = p->new_value,
		.restore = s->standing ? s->standing->restore : p->old_value,
		.uid = geteuid(),
		.at = now,
		.expires = s->request->expires_s > 0 ? now + s->request->expires_s : 0,
		.why = "",
	};
}

static struct hf_err *append(struct set *s, struct hf_journal_entry *e, enum hf_journal_event event,
			     const char *why)
{
	e->event = event;
	e->why = why;
	e->ended = event == HF_JOURNAL_INTENT ? 0 : seconds_since_1970();
	return hf_journal_append(&s->journal, e);
}

/* ---- steps ---------------------------------------------------------------------------------------------------------- */

static struct hf_err *store(struct set *s, uint64_t value, struct hf_journal_entry *e)
{
	const struct hf_word word = {.addr = s->knob->word_addr, .expect = s->word, .value = value};
	double before = s->t->pause.stopped_s;
	bool busy = false;
	struct hf_err *err = hf_patch_swap_word(s->t, &word, &busy);

	e->stopped_s = s->t->pause.stopped_s - before;
	return err;
}

/* The word has changed; that a line cannot be written any more is told, and no reason to fail. */
static void keep_warning(struct hf_err *err, struct hf_switch_result *ret)
{
	if (err)
		snprintf(ret->warning, sizeof(ret->warning), "it is so, but %s", hf_err_message(err));
	hf_err_destroy(err);
}

static struct hf_err *set_anew(struct set *s, struct hf_switch_result *ret)
{
	struct hf_journal_entry e = new_entry(s), replaced;
	struct hf_err *err;

	/* Appending moves what standing points to. */
	if (s->standing)
		replaced = *s->standing;
	HF_TRY(append(s, &e, HF_JOURNAL_INTENT, ""));
	err = store(s, e.new_value, &e);
	if (err) {
		/* Whether the word was stored is not known: the intent stays, and the word tells. */
		if (hf_err_code(err) != HF_TARGET)
			hf_err_ignore(append(s, &e, HF_JOURNAL_FAILED, hf_err_message(err)));
		return err;
	}
	keep_warning(append(s, &e, HF_JOURNAL_APPLIED, ""), ret);
	if (s->standing)
		keep_warning(append(s, &replaced, HF_JOURNAL_REVERTED, "set again"), ret);
	ret->end = HF_SWITCH_SET;
	ret->expires = e.expires;
	ret->stopped_s = e.stopped_s;
	memcpy(ret->plan, s->plan.id, sizeof(ret->plan));
	return NULL;
}

/* What stood there before us is wanted again: that is a revert. */
static struct hf_err *take_back(struct set *s, struct hf_switch_result *ret)
{
	struct hf_journal_entry e = *s->standing;
	struct hf_err *err;

	HF_TRY(append(s, &e, HF_JOURNAL_REVERTING, ""));
	err = store(s, e.restore, &e);
	if (err) {
		hf_err_ignore(append(s, &e, HF_JOURNAL_APPLIED, ""));
		return err;
	}
	keep_warning(append(s, &e, HF_JOURNAL_REVERTED, ""), ret);
	ret->end = HF_SWITCH_REVERTED;
	ret->stopped_s = e.stopped_s;
	return NULL;
}

/* The value stands there. Where it is ours its time may change. */
static struct hf_err *extend(struct set *s, struct hf_switch_result *ret)
{
	struct hf_journal_entry e;

	ret->end = HF_SWITCH_UNCHANGED;
	if (!s->standing)
		return NULL;
	e = *s->standing;
	snprintf(ret->plan, sizeof(ret->plan), "%s", e.plan);
	ret->expires = e.expires;
	if (s->request->expires_s <= 0 && e.expires <= 0)
		return NULL;
	e.expires = s->request->expires_s > 0 ? seconds_since_1970() + s->request->expires_s : 0;
	HF_TRY(append(s, &e, HF_JOURNAL_APPLIED, ""));
	ret->end = HF_SWITCH_EXTENDED;
	ret->expires = e.expires;
	return NULL;
}

/* Before the journal is held: whoever is asked may think about it. */
static struct hf_err *check_allowed(struct set *s)
{
	const struct hf_switch_request *r = s->request;
	uint64_t word;

	HF_TRY(read_word(s, &word));
	if (r->allowed && r->allowed(r->arg, hf_knob_value(s->knob, word)))
		return NULL;
	return hf_err(HF_REFUSED, "nothing is written to %s without leave: %s to set %s", s->t->label,
		      r->leave, s->knob->name);
}

static struct hf_err *set(struct set *s, struct hf_switch_result *ret)
{
	const struct hf_switch_request *r = s->request;
	uint64_t wanted;

	HF_TRY(hf_target_identity(s->t, &s->id));
	HF_TRY(hf_patch_check_rights(&s->id));
	HF_TRY(hf_patch_check_place(s->t, s->knob->word_addr));
	HF_TRY(check_allowed(s));
	HF_TRY(hf_journal_open(r->journal, true, &s->journal));
	HF_TRY(read_word(s, &s->word));
	snprintf(ret->journal, sizeof(ret->journal), "%s", s->journal.path);
	ret->old_value = hf_knob_value(s->knob, s->word);
	wanted = hf_knob_word(s->knob, s->word, r->value);
	s->standing = hf_switch_standing(&s->journal, &s->id, s->knob, s->word);
	if (wanted == s->word)
		return extend(s, ret);
	if (s->standing && wanted == s->standing->restore)
		return take_back(s, ret);
	HF_TRY(make_plan(s));
	return set_anew(s, ret);
}

struct hf_err *hf_switch_set(struct hf_target *t, const struct hf_switch_request *request,
			     struct hf_switch_result *ret)
{
	struct set s = {.t = t, .request = request, .knob = request->knob, .journal = {.fd = -1}};
	struct hf_switch_result result = {0};
	struct hf_err *err;

	hf_fault_begin("set");
	err = set(&s, &result);
	hf_journal_close(&s.journal);
	hf_str_deinit(&s.old_text);
	hf_str_deinit(&s.new_text);
	if (!err)
		*ret = result;
	return err;
}
