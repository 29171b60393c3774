/* Applies and reverts patches of given words, for the end-to-end tests of what comes after vet and dry run.
 *
 *	patcher apply PID SLOT OLD NEW [KEY=VALUE...]    verdict=accepted|refused|inconclusive|none|other, yes=0, heap=1,
 *	                                                 expert=1, accept=1, quiet=ADDR, expires=SECONDS, build=HEX, start=N;
 *	                                                 file=PATH function=NAME; code=ADDR [captured=N];
 *	                                                 thunk=TYPE: code that makes zero values of it;
 *	                                                 copy0=CODE copy1=N: of the closure that stands there
 *	patcher set PID WORD VALUE [narrow=1, expires=SECONDS]
 *	patcher revert PID|all [PLAN|expired]
 *	patcher list PID|all
 *	patcher bench PID SLOT OLD NEW TIMES             apply and revert; prints how long each apply stopped it
 *
 * The journal is where XDG_STATE_HOME says. One JSON object a line on stdout; errors as the tool has them.
 */
#include "../../src/patch/apply.h"
#include "../../src/patch/switch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char *option(char **words, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (; *words; words++)
		if (!strncmp(*words, key, n) && (*words)[n] == '=')
			return *words + n + 1;
	return otherwise;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static int end(struct hf_err *err)
{
	int code = hf_err_exit_code(err);

	if (err)
		fprintf(stderr, "holdfast: %s\n", hf_err_message(err));
	hf_err_destroy(err);
	return code;
}

static struct hf_err *make_plan(struct hf_target *t, char **words, struct hf_plan *ret)
{
	struct hf_identity id;

	HF_TRY(hf_target_identity(t, &id));
	ret->pid = id.pid;
	ret->start_time = number(option(words, "start", "0"));
	if (!ret->start_time)
		ret->start_time = id.start_time;
	ret->build_id = hf_arena_strndup(&ret->names, id.build_id, strlen(id.build_id));
	if (!ret->build_id)
		return hf_err_nomem();
	ret->build_id = option(words, "build", ret->build_id);
	ret->pool = "the pool";
	ret->slot_addr = number(words[0]);
	ret->old_value = number(words[1]);
	ret->new_value = number(words[2]);
	ret->old_function = "old";
	ret->old_on_heap = option(words, "heap", NULL);
	ret->expert = option(words, "expert", NULL);
	ret->file = option(words, "file", "");
	ret->new_function = option(words, "function", "new");
	ret->new_code = number(option(words, "code", "0"));
	ret->captured = number(option(words, "captured", "0"));
	if (*ret->file)
		ret->how = HF_PLAN_LOAD;
	if (option(words, "thunk", NULL) && !ret->new_value)
		ret->how = HF_PLAN_THUNK;
	if (ret->new_code)
		ret->how = option(words, "captured", NULL) ? HF_PLAN_CLOSURE : HF_PLAN_FUNCVAL;
	return hf_plan_seal(ret);
}

static struct hf_err *apply_made(struct hf_target *t, char **words, struct hf_callee *callee,
				 double *ret_stopped)
{
	const char *verdict = option(words, "verdict", "accepted");
	struct hf_accepted accepted = {.accept = HF_ACCEPT_ACCEPTED};
	struct hf_apply_options o = {.allow_write = strcmp(option(words, "yes", "1"), "0") != 0,
				     .accept_inconclusive = option(words, "accept", NULL),
				     .quiet_addr = number(option(words, "quiet", "0")),
				     .expires_s = atof(option(words, "expires", "0"))};
	uint64_t old_words[] = {number(option(words, "copy0", "0")), number(option(words, "copy1", "0"))};
	struct hf_apply_result r = {0};
	struct hf_plan plan = {0};
	struct hf_ctor_slot slot = {.pool = ""};
	struct hf_ctor ctor = {0};
	struct hf_err *err = make_plan(t, words, &plan);

	if (!err && callee)
		err = callee->ops->make(callee, &slot, option(words, "thunk", ""), &ctor);
	/* As query/ does it: what was made before is stored. */
	if (!err && ctor.value && plan.how == HF_PLAN_THUNK) {
		plan.new_value = ctor.value;
		plan.how = HF_PLAN_STORE;
		err = hf_plan_seal(&plan);
	}
	o.callee = callee;
	o.ctor = &ctor;
	if (option(words, "copy0", NULL)) {
		o.old_words = old_words;
		o.old_words_n = HF_LEN(old_words);
	}
	memcpy(accepted.id, plan.id, sizeof(plan.id));
	accepted.pid = plan.pid;
	accepted.start_time = plan.start_time;
	if (!strcmp(verdict, "refused"))
		accepted.accept = HF_ACCEPT_REFUSED;
	if (!strcmp(verdict, "inconclusive"))
		accepted.accept = HF_ACCEPT_INCONCLUSIVE;
	if (!strcmp(verdict, "other"))
		accepted.id[0] = 'x';
	if (strcmp(verdict, "none") != 0)
		o.accepted = &accepted;
	if (!err)
		err = hf_apply(t, &plan, &o, &r);
	if (!err)
		printf("{\"plan\":\"%s\",\"state\":\"applied\",\"stops\":%u,\"stopped_us\":%.1f,\"journal\":"
		       "\"%s\",\"warning\":\"%s\"}\n",
		       plan.id, r.stops, r.stopped_s * 1e6, r.journal, r.warning);
	*ret_stopped = r.stopped_s;
	hf_apply_result_deinit(&r);
	hf_plan_deinit(&plan);
	return err;
}

static struct hf_err *apply(struct hf_target *t, char **words, double *ret_stopped)
{
	struct hf_callee *callee = NULL;
	struct hf_syms *syms = NULL;
	struct hf_err *err = NULL;
	size_t n;

	if (option(words, "thunk", NULL))
		err = hf_syms_open(t, NULL, &syms);
	for (size_t i = 0; syms && !err && i < (hf_callees(&n), n); i++)
		if (!strcmp(hf_callees(&n)[i]->name, "go"))
			err = hf_callees(&n)[i]->open(t, syms, NULL, &callee);
	if (!err)
		err = apply_made(t, words, callee, ret_stopped);
	if (callee)
		callee->ops->close(callee);
	hf_syms_close(syms);
	return err;
}

static bool allow(void *arg, int64_t old_value)
{
	(void)arg;
	(void)old_value;
	return true;
}

static struct hf_err *set(struct hf_target *t, char **words)
{
	const struct hf_knob knob = {
		.name = "the knob",
		.unit = "bytes",
		.word_addr = number(words[0]),
		.narrow = option(words, "narrow", NULL),
	};
	const struct hf_switch_request request = {
		.knob = &knob,
		.runtime = "go",
		.value = (int64_t)number(words[1]),
		.expires_s = atof(option(words, "expires", "0")),
		.allowed = allow,
		.leave = "",
	};
	struct hf_switch_result r;

	HF_TRY(hf_switch_set(t, &request, &r));
	printf("{\"plan\":\"%s\",\"state\":\"%s\",\"old\":%" PRId64 ",\"stopped_us\":%.1f}\n", r.plan,
	       hf_switch_end_name(r.end), r.old_value, r.stopped_s * 1e6);
	return NULL;
}

static struct hf_err *look(struct hf_target *t, bool revert, const char *which, bool quiet)
{
	struct hf_revert_options o = {.allow_write = true};
	struct hf_patched_list l = {0};
	struct hf_err *err;

	o.expired_only = which && !strcmp(which, "expired");
	o.plan = o.expired_only ? NULL : which;
	err = revert ? hf_revert(t, &o, &l) : hf_patched_list(t, &o, &l);
	if (!quiet)
		hf_vec_each(&l.list, p)
			printf("{\"plan\":\"%s\",\"state\":\"%s\",\"event\":\"%s\",\"why\":\"%s\","
			       "\"changed\":%s,\"pid\":%d,"
			       "\"value\":\"0x%" PRIx64 "\",\"stopped_us\":%.1f,\"damaged\":%zu}\n",
			       p->entry.plan, hf_patched_state_name(p->state),
			       hf_journal_event_name(p->entry.event), p->why, p->changed ? "true" : "false",
			       p->entry.pid, p->value, p->entry.stopped_s * 1e6, l.damaged);
	hf_patched_list_deinit(&l);
	return err;
}

static struct hf_err *bench(struct hf_target *t, char **words)
{
	unsigned long times = strtoul(words[3], NULL, 10);

	for (unsigned long i = 0; i < times; i++) {
		double stopped;

		HF_TRY(apply(t, words, &stopped));
		HF_TRY(look(t, true, NULL, true));
	}
	return NULL;
}

static struct hf_err *run(char **words, int n)
{
	_cleanup_(hf_target_close_p) struct hf_target *t = NULL;
	double stopped;

	if (strcmp(words[1], "all") != 0)
		HF_TRY(hf_target_open_pid(atoi(words[1]), &t));
	if (!strcmp(words[0], "apply") && n >= 5 && t)
		return apply(t, words + 2, &stopped);
	if (!strcmp(words[0], "set") && n >= 4 && t)
		return set(t, words + 2);
	if (!strcmp(words[0], "bench") && n >= 6 && t)
		return bench(t, words + 2);
	if (!strcmp(words[0], "revert") || !strcmp(words[0], "list"))
		return look(t, words[0][0] == 'r', n > 2 ? words[2] : NULL, false);
	return hf_err(HF_USAGE, "see patcher.c");
}

int main(int argc, char **argv)
{
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 3)
		return end(hf_err(HF_USAGE, "see patcher.c"));
	return end(run(argv + 1, argc - 1));
}
