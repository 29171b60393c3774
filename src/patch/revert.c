#include "apply.h"
#include "fault.h"
#include "write.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const char *const states[] = {
#define STATE_NAME(name, text) text,
	HF_PATCHED_STATES(STATE_NAME)
#undef STATE_NAME
};

const char *hf_patched_state_name(enum hf_patched_state state)
{
	return states[state];
}

void hf_patched_list_deinit(struct hf_patched_list *l)
{
	hf_vec_deinit(&l->list);
	hf_arena_deinit(&l->names);
}

static double seconds_since_1970(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct hf_err *keep(struct hf_patched_list *l, const char *text, const char **ret)
{
	*ret = hf_arena_strndup(&l->names, text, strlen(text));
	return *ret ? NULL : hf_err_nomem();
}

/* Takes the message of err. */
static struct hf_err *tell(struct hf_patched_list *l, struct hf_patched *p, struct hf_err *err)
{
	struct hf_err *failed = keep(l, hf_err_message(err), &p->why);

	hf_err_destroy(err);
	return failed;
}

static struct hf_err *keep_entry(struct hf_patched_list *l, const struct hf_journal_entry *from,
				 struct hf_patched *ret)
{
	struct hf_journal_entry e = *from;
	const char **texts[] = {&e.plan, &e.boot, &e.build_id,     &e.exe,          &e.runtime,
				&e.pool, &e.kind, &e.old_function, &e.new_function, &e.why};

	for (size_t i = 0; i < HF_LEN(texts); i++)
		HF_TRY(keep(l, *texts[i], texts[i]));
	*ret = (struct hf_patched){.entry = e, .state = HF_PATCHED_GONE, .value = HF_UNKNOWN, .why = ""};
	return NULL;
}

/* What was announced may not have happened, or more than was announced: the word decides. */
static enum hf_patched_state state_of(const struct hf_journal_entry *e, uint64_t value)
{
	if (e->event == HF_JOURNAL_FAILED)
		return HF_PATCHED_NOT_APPLIED;
	/* Code that was made stays: another patch may have led the slot to it once more. */
	if (e->event == HF_JOURNAL_REVERTED && e->link_value && value == e->new_value)
		return HF_PATCHED_REVERTED;
	if (value == e->old_value || value == e->restore)
		return e->event == HF_JOURNAL_INTENT ? HF_PATCHED_NOT_APPLIED : HF_PATCHED_REVERTED;
	return value == e->new_value ? HF_PATCHED_APPLIED : HF_PATCHED_FOREIGN;
}

/* Looks at the process and its slot.     t  of the entry's pid; NULL: it is opened here, and *ret_opened is to be closed. */
static struct hf_err *look(struct hf_patched_list *l, struct hf_patched *p, struct hf_target *t,
			   struct hf_target **ret_opened)
{
	struct hf_identity id;
	struct hf_err *err = NULL;
	uint8_t bytes[8];

	if (!t) {
		err = hf_target_open_pid(p->entry.pid, ret_opened);
		t = *ret_opened;
	}
	if (!err)
		err = hf_target_identity(t, &id);
	if (hf_err_code(err) == HF_NOTPERM)
		p->state = HF_PATCHED_FOREIGN; /* it is there, and not ours to look at */
	if (err)
		return tell(l, p, err);
	if (!hf_journal_is_of(&p->entry, &id))
		return tell(l, p,
			    hf_err(HF_STALE, "process %d is another by now, or executes another program",
				   id.pid));
	err = hf_target_read_now(t, p->entry.slot_addr, bytes, sizeof(bytes));
	p->state = HF_PATCHED_FOREIGN;
	if (err)
		return tell(l, p, err);
	p->value = hf_load_u64(bytes);
	p->state = state_of(&p->entry, p->value);
	if (p->state == HF_PATCHED_FOREIGN)
		return tell(l, p,
			    hf_err(HF_STALE,
				   "the slot holds 0x%" PRIx64
				   ", which is not ours: somebody else has set it since",
				   p->value));
	return NULL;
}

static bool is_over(const struct hf_journal_entry *e)
{
	return e->event == HF_JOURNAL_REVERTED || e->event == HF_JOURNAL_FAILED;
}

static bool is_chosen(const struct hf_journal_entry *e, const struct hf_target *t,
		      const struct hf_revert_options *o, bool reverting)
{
	if (o->plan && strcmp(o->plan, e->plan) != 0)
		return false;
	if (o->expired_only && (e->expires <= 0 || e->expires > seconds_since_1970()))
		return false;
	return (t ? e->pid == t->pid : o->plan || !is_over(e)) && !(reverting && !o->plan && is_over(e));
}

/* ---- taking back ------------------------------------------------------------------------------------------------- */

static struct hf_err *stop_and_store(struct hf_target *t, struct hf_patched *p)
{
	const struct hf_word word = {p->entry.slot_addr, p->entry.new_value, p->entry.restore, 0};
	double before = t->pause.stopped_s;
	struct hf_err *err;
	bool busy;

	HF_TRY(hf_target_prepare(t, NULL, 0)); /* its mappings, as they are now */
	err = hf_patch_swap_word(t, &word, &busy);
	p->entry.stopped_s = t->pause.stopped_s - before;
	return err;
}

static struct hf_err *append(struct hf_journal *j, struct hf_patched *p, enum hf_journal_event event)
{
	p->entry.event = event;
	p->entry.ended = seconds_since_1970();
	return hf_journal_append(j, &p->entry);
}

/* A journal that cannot be written is no reason to leave a process patched: that the slot holds the old value again says
 * all that the lines would. */
static struct hf_err *take_back(struct hf_journal *j, struct hf_patched_list *l, struct hf_patched *p,
				struct hf_target *t)
{
	struct hf_err *err, *unwritten;

	if (p->entry.old_on_heap && p->entry.restore == p->entry.old_value)
		return tell(
			l, p,
			hf_err(HF_REFUSED,
			       "what stood there was a closure that the program allocated, and that nothing "
			       "has kept alive since: it cannot come back"));
	unwritten = append(j, p, HF_JOURNAL_REVERTING);
	err = stop_and_store(t, p);
	if (err) {
		hf_err_destroy(unwritten);
		hf_err_ignore(append(j, p, HF_JOURNAL_APPLIED));
		return hf_err_code(err) == HF_INTERRUPTED ? err : tell(l, p, err);
	}
	p->state = HF_PATCHED_REVERTED;
	p->value = p->entry.restore;
	p->changed = true;
	hf_err_destroy(unwritten);
	unwritten = append(j, p, HF_JOURNAL_REVERTED);
	if (unwritten)
		return tell(l, p, hf_err_prefix(unwritten, "reverted, but"));
	return p->entry.link_value ? keep(l,
					  "the code that was made for it stays in the process, unused: a "
					  "stack may lead to it",
					  &p->why)
				   : NULL;
}

static struct hf_err *each(struct hf_journal *j, struct hf_target *t, const struct hf_revert_options *o,
			   bool reverting, struct hf_patched_list *ret)
{
	/* Appending lines changes what stands in the journal's list, not how long it is. */
	for (size_t i = 0; i < j->entries.n; i++) {
		_cleanup_(hf_target_close_p) struct hf_target *opened = NULL;
		struct hf_patched p;

		if (!is_chosen(&j->entries.at[i], t, o, reverting))
			continue;
		HF_TRY(keep_entry(ret, &j->entries.at[i], &p));
		HF_TRY(look(ret, &p, t, &opened));
		if (reverting && p.state == HF_PATCHED_APPLIED)
			HF_TRY(take_back(j, ret, &p, t ? t : opened));
		HF_TRY(hf_vec_push(&ret->list, p));
	}
	ret->damaged = j->damaged;
	if (o->plan && !ret->list.n)
		return hf_err(HF_USAGE, "%s: no patch %s%s is written down there", j->path, o->plan,
			      t ? " of this process" : "");
	return keep(ret, j->path, &ret->journal);
}

static struct hf_err *go(struct hf_target *t, const struct hf_revert_options *o, bool reverting,
			 struct hf_patched_list *ret)
{
	_cleanup_(hf_journal_close) struct hf_journal j = {.fd = -1};

	HF_TRY(hf_journal_open(o->journal, reverting, &j));
	return each(&j, t, o, reverting, ret);
}

struct hf_err *hf_patched_list(struct hf_target *t, const struct hf_revert_options *options,
			       struct hf_patched_list *ret)
{
	return go(t, options, false, ret);
}

struct hf_err *hf_revert(struct hf_target *t, const struct hf_revert_options *options,
			 struct hf_patched_list *ret)
{
	if (!options->allow_write)
		return hf_err(HF_REFUSED,
			      "nothing is written to a process without leave: revert with --yes (in a "
			      "debugger: set holdfast allow-write on)");
	hf_fault_begin("revert");
	return go(t, options, true, ret);
}
