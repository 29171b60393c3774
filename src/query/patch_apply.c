/* patch apply, status and revert. */
#include "../patch/apply.h"
#include "../patch/load.h"
#include "../patch/switch.h"
#include "../target/identity.h"
#include "patch_private.h"

#define REVERT_TRIES   60 /* after a wait, */
#define REVERT_AGAIN_S 10 /* so far apart */

/* ---- states ------------------------------------------------------------------------------------------------------------ */

static void tell_entry(const void *result, const struct hf_journal_entry *e, struct hf_patch_state *ret)
{
	*ret = (struct hf_patch_state){
		.id = hf_result_str(result, e->plan),
		.why = "",
		.pid = e->pid,
		.pool = hf_result_str(result, e->pool),
		.old_function = hf_result_str(result, e->old_function),
		.new_function = hf_result_str(result, e->new_function),
		.slot_addr = e->slot_addr,
		.old_value = e->old_value,
		.new_value = e->new_value,
		.value = HF_UNKNOWN,
		.applied_at = e->at,
		.expires_at = e->expires,
		.stopped_s = e->stopped_s,
	};
}

static struct hf_err *tell_list(const char *verb, const struct hf_patched_list *l,
				struct hf_patch_states *ret)
{
	struct hf_patch_state *states = hf_result_alloc(ret, l->list.n + 1, sizeof(*states));

	if (!states)
		return hf_err_nomem();
	for (size_t i = 0; i < l->list.n; i++) {
		const struct hf_patched *p = &l->list.at[i];

		tell_entry(ret, &p->entry, &states[i]);
		states[i].state = hf_patched_state_name(p->state);
		states[i].why = hf_result_str(ret, p->why);
		states[i].value = p->value;
	}
	*ret = (struct hf_patch_states){.verb = verb,
					.states = states,
					.n = l->list.n,
					.watch_verdict = "",
					.journal = hf_result_str(ret, l->journal ? l->journal : "")};
	return NULL;
}

static struct hf_err *check_live(const struct hf_session *s)
{
	if (s && s->t->core)
		return hf_err(HF_REFUSED, "%s: a core has nothing to patch: vet and dry-run work on it",
			      s->t->label);
	if (s && strcmp(s->t->ops->kind, "live") != 0)
		return hf_err(
			HF_REFUSED,
			"%s is not a process of this machine: it is patched where it runs; vet and dry-run "
			"work here",
			s->t->label);
	return NULL;
}

static const char *how_to_allow(const struct hf_patch_options *o)
{
	return o->leave ? o->leave : "say --yes";
}

/* What nobody can say yes to is not begun. */
static struct hf_err *check_leave(const struct hf_session *s, const struct hf_patch_options *o)
{
	if (o->allow_write || o->confirm)
		return NULL;
	return hf_err(HF_REFUSED, "nothing is written to %s without leave: %s",
		      s ? s->t->label : "any process", how_to_allow(o));
}

/* Of the last that is applied, or was, the figures are shown; a switch has none. */
static const struct hf_patched *last_pool(const struct hf_patched_list *l)
{
	for (size_t i = l->list.n; i > 0; i--)
		if (strcmp(l->list.at[i - 1].entry.kind, HF_SWITCH_KIND) != 0)
			return &l->list.at[i - 1];
	return NULL;
}

struct hf_err *hf_patch_status(struct hf_session *s, const struct hf_patch_options *options,
			       const struct hf_patch_states **ret)
{
	const struct hf_revert_options o = {.journal = options->journal, .plan = options->plan};
	_cleanup_(hf_patched_list_deinit) struct hf_patched_list list = {0};
	const struct hf_patched *watched;
	struct hf_patch_states *result;
	struct hf_err *err;

	HF_TRY(check_live(s));
	HF_TRY(hf_patched_list(s ? s->t : NULL, &o, &list));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = tell_list("status", &list, result);
	watched = s ? last_pool(&list) : NULL;
	if (!err && watched)
		err = hf_patch_watch_it(s, watched->entry.plan, watched->entry.slot_addr, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

static bool any_stands(const struct hf_patched_list *l)
{
	hf_vec_each(&l->list, p)
		if (p->state == HF_PATCHED_APPLIED)
			return true;
	return false;
}

/* Who has waited may find a debugger at work: nobody is there to ask again. */
static struct hf_err *revert(struct hf_session *s, const struct hf_patch_options *options,
			     const struct hf_revert_options *o, struct hf_patched_list *ret)
{
	unsigned tries = options->wait_s > 0 ? REVERT_TRIES : 1;

	HF_TRY(hf_patch_wait(s, options->wait_s));
	HF_TRY(hf_revert(s ? s->t : NULL, o, ret));
	while (--tries && any_stands(ret)) {
		hf_patched_list_deinit(ret);
		*ret = (struct hf_patched_list){0};
		HF_TRY(hf_patch_wait(s, REVERT_AGAIN_S));
		HF_TRY(hf_revert(s ? s->t : NULL, o, ret));
	}
	return NULL;
}

struct hf_err *hf_patch_revert(struct hf_session *s, const struct hf_patch_options *options,
			       const struct hf_patch_states **ret)
{
	const struct hf_revert_options o = {.allow_write = options->allow_write,
					    .journal = options->journal,
					    .plan = options->plan,
					    .expired_only = options->expired};
	_cleanup_(hf_patched_list_deinit) struct hf_patched_list list = {0};
	struct hf_patch_states *result;
	struct hf_err *err;

	HF_TRY(check_live(s));
	HF_TRY(check_leave(s, options));
	HF_TRY(revert(s, options, &o, &list));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = tell_list("revert", &list, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

/* ---- apply ------------------------------------------------------------------------------------------------------------- */

static enum hf_accept accept_of(const char *verdict)
{
	if (!strcmp(verdict, "accepted"))
		return HF_ACCEPT_ACCEPTED;
	return strcmp(verdict, "inconclusive") ? HF_ACCEPT_REFUSED : HF_ACCEPT_INCONCLUSIVE;
}

/* Said yes to, and accepted: before any question is asked of the user, what is refused is. */
static struct hf_err *check_wanted(const struct hf_patch *p, const struct hf_patch_dry_run *d,
				   bool *ret_allow)
{
	const struct hf_patch_options *o = p->options;
	enum hf_accept accept = accept_of(d->verdict);

	if (accept == HF_ACCEPT_REFUSED)
		return hf_err(
			HF_REFUSED,
			"%s is refused (%s): %s; nothing was written ('holdfast patch dry-run' tells more)",
			p->ctor.name, d->reason, d->why);
	if (accept == HF_ACCEPT_INCONCLUSIVE && !o->accept_inconclusive)
		return hf_err(HF_REFUSED,
			      "the dry run of %s is inconclusive: %s; nothing was written (try again)",
			      p->ctor.name, d->why);
	*ret_allow = o->allow_write || (o->confirm && o->confirm(o->arg, d));
	if (!*ret_allow)
		return hf_err(HF_REFUSED, "%s is accepted, but nothing was written without leave: %s",
			      p->ctor.name, how_to_allow(o));
	return NULL;
}

static struct hf_err *write_barrier(const struct hf_patch *p, uint64_t *ret)
{
	struct hf_symbol symbol;

	*ret = hf_syms_find_symbol(p->s->syms, "runtime.writeBarrier", &symbol) ? symbol.addr : 0;
	return NULL;
}

/* Where the old constructor is a closure that Go allocated, and what it holds is one number: its words, for a copy that can be
 * put back. */
static struct hf_err *find_old_words(struct hf_patch *p, uint64_t words[2], size_t *ret_n)
{
	const struct hf_ctor old = {.name = p->slot.function, .code = p->slot.code, .captures = true};
	_cleanup_(hf_findings_deinit) struct hf_findings findings = {0};
	const struct hf_finding *first;

	*ret_n = 0;
	if (!p->slot.value_on_heap)
		return NULL;
	HF_TRY(p->callee->ops->check(p->callee, &p->slot, &old, &findings));
	if (hf_findings_refusal(&findings, &first) != HF_REFUSAL_NONE)
		return NULL;
	HF_TRY(hf_target_read_now(p->s->t, p->slot.value, words, 2 * sizeof(*words)));
	*ret_n = words[0] == p->slot.code ? 2 : 0;
	return NULL;
}

/* Before anything is run: apply itself would say so, too, but last. */
static struct hf_err *check_not_patched(struct hf_patch *p)
{
	const struct hf_revert_options o = {.journal = p->options->journal};
	_cleanup_(hf_patched_list_deinit) struct hf_patched_list list = {0};

	HF_TRY(hf_patched_list(p->s->t, &o, &list));
	hf_vec_each(&list.list, it)
		if (it->state == HF_PATCHED_APPLIED && it->entry.slot_addr == p->plan.slot_addr)
			return hf_err(
				HF_REFUSED,
				"the constructor of %s is patched already, by plan %s: revert that first",
				p->plan.pool, it->entry.plan);
	return NULL;
}

static struct hf_err *apply(struct hf_patch *p, struct hf_patch_states *result)
{
	_cleanup_(hf_apply_result_deinit) struct hf_apply_result done = {0};
	struct hf_patch_dry_run *dry = hf_result_alloc(result, 1, sizeof(*dry));
	struct hf_patch_state *state = hf_result_alloc(result, 1, sizeof(*state));
	struct hf_baseline before;
	uint64_t old_words[2];
	struct hf_accepted accepted = {.pid = p->plan.pid, .start_time = p->plan.start_time};
	struct hf_apply_options o = {.accept_inconclusive = p->options->accept_inconclusive,
				     .accepted = &accepted,
				     .callee = p->callee,
				     .ctor = &p->ctor,
				     .journal = p->options->journal};

	if (!dry || !state)
		return hf_err_nomem();
	HF_TRY(check_not_patched(p));
	HF_TRY(hf_patch_take_baseline(p->s, &p->plan, &before));
	HF_TRY(hf_patch_try_it(p, result, dry));
	HF_TRY(check_wanted(p, dry, &o.allow_write));
	HF_TRY(hf_patch_look_again(p->s, dry, p->plan.slot_addr, &before));
	HF_TRY(hf_baseline_keep(&before));
	snprintf(accepted.id, sizeof(accepted.id), "%s", p->plan.id);
	accepted.accept = accept_of(dry->verdict);
	HF_TRY(write_barrier(p, &o.quiet_addr));
	HF_TRY(find_old_words(p, old_words, &o.old_words_n));
	o.old_words = old_words;
	HF_TRY(hf_apply(p->s->t, &p->plan, &o, &done));
	tell_entry(result, &done.entry, state);
	state->state = "applied";
	state->value = done.entry.new_value;
	state->stopped_s = done.stopped_s;
	state->why = hf_result_str(result, done.warning ? done.warning : "");
	*result =
		(struct hf_patch_states){.verb = "apply",
					 .states = state,
					 .n = 1,
					 .dry_run = dry,
					 .watch_verdict = "",
					 .journal = hf_result_str(result, done.journal ? done.journal : "")};
	return NULL;
}

/* What takes more than a word is done by threads of the process that we trace. */
static struct hf_err *check_way(const struct hf_patch *p)
{
	if (!p->s->t->held || p->plan.how == HF_PLAN_STORE)
		return NULL;
	return hf_err(
		HF_REFUSED,
		"for %s, the process needs more memory first, which it does not get while a debugger holds "
		"it: detach, and apply it from the command line (holdfast patch apply -p %d)",
		p->ctor.name, p->plan.pid);
}

static struct hf_err *apply_known(struct hf_session *s, const struct hf_patch_options *options,
				  const struct hf_patch_states **ret)
{
	_cleanup_(hf_patch_close) struct hf_patch p = {0};
	struct hf_patch_states *result;
	struct hf_err *err;

	HF_TRY(hf_patch_open(s, options, &p));
	HF_TRY(check_way(&p));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = apply(&p, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

/* What a file has is loaded first: then a session that sees it does the rest. Nothing refers to it until then. */
static struct hf_err *load_and_apply(struct hf_session *s, const struct hf_patch_options *options,
				     const struct hf_patch_file *file, const struct hf_patch_states **ret)
{
	struct hf_session *after = NULL;
	struct hf_err *err;
	uint64_t code;

	if (s->t->held)
		return hf_err(HF_REFUSED, "a debugger holds %s: detach, and load %s from the command line",
			      s->t->label, file->path);
	if (!options->allow_write)
		return hf_err(HF_REFUSED, "%s is not loaded in %s, and nothing is loaded without leave: %s",
			      file->path, s->t->label, how_to_allow(options));
	HF_TRY(hf_patch_load(s->t, file->path, file->function, 0, &code));
	HF_TRY(hf_session_open_pid(s->t->pid, &s->options, &after));
	err = apply_known(after, options, ret);
	s->t->pause.stopped_s += after->t->pause.stopped_s;
	hf_session_close(after);
	return hf_err_prefix(err, "%s is loaded, and stays so, but no pool uses it", file->path);
}

struct hf_err *hf_patch_apply(struct hf_session *s, const struct hf_patch_options *options,
			      const struct hf_patch_states **ret)
{
	struct hf_patch_file file;
	uint64_t code = 1;

	HF_TRY(check_live(s));
	HF_TRY(check_leave(s, options));
	if (options->to && hf_patch_names_file(options->to, &file))
		HF_TRY(hf_patch_find_loaded(s->t, file.path, file.function, &code));
	return code ? apply_known(s, options, ret) : load_and_apply(s, options, &file, ret);
}
