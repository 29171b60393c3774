/* patch get, patch set: numbers of the runtime in the running process. */
#include "../patch/switch.h"
#include "../target/identity.h"
#include "../target/busy.h"
#include "patch_private.h"

#include "../base/workers.h"

#include <strings.h>
#include <time.h>

#define MEASURE_NS 1000000000l

/* ---- the knobs of a runtime ---------------------------------------------------------------------------------------- */

static struct hf_err *open_knobs(struct hf_session *s)
{
	HF_TRY(hf_session_open_runtime(s));
	if (!s->rt->ops->knob)
		return hf_err(HF_UNSUPPORTED, "%s: its runtime has no number that can be set from outside",
			      s->t->label);
	return NULL;
}

static struct hf_err *unknown_knob(struct hf_session *s, const char *name)
{
	_cleanup_(hf_str_deinit) struct hf_str names = {0};
	struct hf_knob k;

	for (size_t i = 0; s->rt->ops->knob(s->rt, i, &k); i++)
		hf_str_addf(&names, "%s%s", i ? ", " : "", k.name);
	return hf_err(HF_USAGE, "there is no switch '%s'; there are: %s", name, hf_str_get(&names));
}

static struct hf_err *find_knob(struct hf_session *s, const char *name, struct hf_knob *ret)
{
	struct hf_knob k;

	for (size_t i = 0; s->rt->ops->knob(s->rt, i, &k); i++)
		if (!strcasecmp(name, k.name) || !strcasecmp(name, k.alias)) {
			*ret = k;
			return NULL;
		}
	return unknown_knob(s, name);
}

static bool read_word(struct hf_session *s, const struct hf_knob *k, uint64_t *ret)
{
	uint8_t bytes[8];

	if (!k->word_addr || hf_err_ignore(hf_target_read_now(s->t, k->word_addr, bytes, sizeof(bytes))))
		return false;
	*ret = hf_load_u64(bytes);
	return true;
}

static void tell_standing(const void *result, const struct hf_knob *k, const struct hf_journal_entry *e,
			  struct hf_switch *ret)
{
	ret->plan = hf_result_str(result, e->plan);
	ret->before = hf_knob_value(k, e->restore);
	ret->set_at = e->at;
	ret->expires_at = e->expires;
}

/* journal, id  NULL: none, as of a core. */
static void tell_knob(struct hf_session *s, const void *result, const struct hf_knob *k,
		      const struct hf_journal *journal, const struct hf_identity *id, struct hf_switch *ret)
{
	const struct hf_journal_entry *ours;
	uint64_t word;

	*ret = (struct hf_switch){
		.name = k->name,
		.alias = k->alias,
		.what = k->what,
		.unit = k->unit,
		.addr = k->word_addr,
		.off = k->off,
		.min = k->min,
		.max = k->max,
		.effect = k->effect,
		.why_not = k->why_not,
		.plan = "",
	};
	if (!read_word(s, k, &word))
		return;
	ret->known = true;
	ret->value = hf_knob_value(k, word);
	ours = journal ? hf_switch_standing(journal, id, k, word) : NULL;
	if (ours)
		tell_standing(result, k, ours, ret);
}

/* ---- get ------------------------------------------------------------------------------------------------------------ */

static struct hf_err *tell_all(struct hf_session *s, const char *name, const struct hf_journal *journal,
			       const struct hf_identity *id, struct hf_switches *ret)
{
	struct hf_switch *rows;
	struct hf_knob k;
	size_t n = 0;

	while (s->rt->ops->knob(s->rt, n, &k))
		n++;
	rows = hf_result_alloc(ret, n + 1, sizeof(*rows));
	if (!rows)
		return hf_err_nomem();
	if (name) {
		HF_TRY(find_knob(s, name, &k));
		tell_knob(s, ret, &k, journal, id, &rows[ret->n++]);
	}
	for (size_t i = 0; !name && i < n && s->rt->ops->knob(s->rt, i, &k); i++)
		tell_knob(s, ret, &k, journal, id, &rows[ret->n++]);
	ret->rows = rows;
	ret->journal = journal ? hf_result_str(ret, journal->path) : "";
	return NULL;
}

static struct hf_err *get(struct hf_session *s, const char *name, const char *path, struct hf_switches *ret)
{
	_cleanup_(hf_journal_close) struct hf_journal journal = {.fd = -1};
	bool live = !strcmp(s->t->ops->kind, "live");
	struct hf_identity id;

	HF_TRY(open_knobs(s));
	if (live) {
		HF_TRY(hf_target_identity(s->t, &id));
		HF_TRY(hf_journal_open(path, false, &journal));
	}
	return tell_all(s, name, live ? &journal : NULL, &id, ret);
}

struct hf_err *hf_patch_get(struct hf_session *s, const char *name, const char *journal,
			    const struct hf_switches **ret)
{
	struct hf_switches *result;
	struct hf_err *err;

	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = get(s, name, journal, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

/* ---- auto ------------------------------------------------------------------------------------------------------------ */

static struct hf_err *measure(struct hf_session *s, struct hf_load *ret)
{
	struct timespec second = {.tv_sec = MEASURE_NS / 1000000000l, .tv_nsec = MEASURE_NS % 1000000000l};
	uint64_t processors = hf_target_processors(s->t);
	struct hf_pulse pulse = {.processors = HF_UNKNOWN};
	double cpu, cpu_after, from;

	*ret = (struct hf_load){.cpu_share = -1};
	if (s->rt->ops->pulse)
		HF_TRY(s->rt->ops->pulse(s->rt, &pulse));
	hf_load_pauses(&pulse, ret);
	processors = hf_min(processors, pulse.processors);
	HF_TRY(hf_target_cpu_time(s->t, &cpu));
	from = hf_now();
	nanosleep(&second, NULL);
	HF_TRY(hf_interrupt_check());
	HF_TRY(hf_target_cpu_time(s->t, &cpu_after));
	if (processors && processors != HF_UNKNOWN && hf_now() > from)
		ret->cpu_share = (cpu_after - cpu) / (hf_now() - from) / (double)processors;
	return NULL;
}

/* ---- set ------------------------------------------------------------------------------------------------------------- */

struct setting {
	const struct hf_patch_set_options *options;
	struct hf_switch_change *change;
};

static bool allowed(void *arg, int64_t old_value)
{
	struct setting *set = arg;

	set->change->old_value = old_value;
	return set->options->allow_write ||
	       (set->options->confirm && set->options->confirm(set->options->arg, set->change));
}

static void start_keeper(struct hf_session *s, const struct hf_patch_set_options *o, double expires_s,
			 struct hf_switch_change *change)
{
	struct hf_err *err;
	pid_t pid;

	/* It would find the process in the debugger's hands, and could take nothing back. */
	if (s->t->held) {
		change->keeper_says = "a debugger holds the process";
		return;
	}
	if (o->journal) {
		change->keeper_says = "the journal is not where it would look";
		return;
	}
	err = hf_keeper_start(s->t->pid, expires_s, &pid);
	if (err)
		change->keeper_says = hf_result_str(change, hf_err_message(err));
	else
		change->keeper = pid;
	hf_err_destroy(err);
}

static struct hf_err *choose(struct hf_session *s, const struct hf_patch_set_options *o,
			     struct hf_switch_request *request, struct hf_switch_change *change)
{
	struct hf_load load;
	struct hf_auto chosen;

	if (*request->knob->why_not)
		return hf_err(HF_REFUSED, "%s cannot be set here: %s", request->knob->name,
			      request->knob->why_not);
	if (!request->knob->samples)
		return hf_err(HF_USAGE, "%s takes no auto: only a rate of samples does", request->knob->name);
	HF_TRY(measure(s, &load));
	hf_switch_choose(&load, &chosen);
	request->value = chosen.rate;
	request->expires_s = o->expires_s > 0 ? o->expires_s : chosen.expires_s;
	change->cpu_share = load.cpu_share;
	change->chosen = hf_result_str(change, chosen.why);
	return NULL;
}

static struct hf_err *set(struct hf_session *s, const struct hf_patch_set_options *o,
			  struct hf_switch_change *change)
{
	struct hf_switch *row = hf_result_alloc(change, 1, sizeof(*row));
	struct setting setting = {o, change};
	struct hf_knob knob;
	struct hf_switch_request request = {
		.knob = &knob,
		.runtime = s->rt->ops->name,
		.expires_s = o->expires_s,
		.journal = o->journal,
		.allowed = allowed,
		.arg = &setting,
		.leave = o->leave ? o->leave : "say --yes",
	};
	struct hf_switch_result done;

	if (!row)
		return hf_err_nomem();
	HF_TRY(find_knob(s, o->name, &knob));
	tell_knob(s, change, &knob, NULL, NULL, row);
	*change = (struct hf_switch_change){
		.row = row, .state = "", .chosen = "", .cpu_share = -1, .keeper_says = "", .warning = ""};
	if (!strcmp(o->value, "auto"))
		HF_TRY(choose(s, o, &request, change));
	else
		HF_TRY(hf_switch_parse(&knob, o->value, &request.value));
	change->new_value = request.value;
	HF_TRY(hf_switch_set(s->t, &request, &done));
	change->state = hf_switch_end_name(done.end);
	change->old_value = done.old_value;
	change->stopped_s = done.stopped_s;
	change->warning = hf_result_str(change, done.warning);
	change->journal = hf_result_str(change, done.journal);
	row->value = request.value;
	row->plan = hf_result_str(change, done.plan);
	row->expires_at = done.expires;
	if (done.expires > 0 && done.end != HF_SWITCH_UNCHANGED)
		start_keeper(s, o, request.expires_s, change);
	return NULL;
}

struct hf_err *hf_patch_set(struct hf_session *s, const struct hf_patch_set_options *options,
			    const struct hf_switch_change **ret)
{
	struct hf_patch_set_options asked = {.size = sizeof(asked)};
	struct hf_switch_change *result;
	struct hf_err *err;

	memcpy(&asked, options, hf_min(options->size, sizeof(asked)));
	if (!asked.name || !asked.value)
		return hf_err(HF_USAGE, "a switch is set to a value: both must be named");
	if (s->t->core)
		return hf_err(HF_REFUSED, "%s: a core has nothing to set: get works on it", s->t->label);
	HF_TRY(open_knobs(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = set(s, &asked, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}

/* ---- the wait of a keeper -------------------------------------------------------------------------------------------- */

struct hf_err *hf_patch_wait(struct hf_session *s, double seconds)
{
	double until = hf_now() + seconds;

	while (hf_now() < until) {
		double left = hf_min(until - hf_now(), 1.0);
		struct timespec pause = {.tv_sec = (time_t)left,
					 .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};

		HF_TRY(hf_interrupt_check());
		nanosleep(&pause, NULL);
		if (s)
			HF_TRY(hf_target_check_same(s->t));
	}
	return NULL;
}
