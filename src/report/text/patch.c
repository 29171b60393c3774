#include "text.h"

#define ROWS_MAX 8 /* of a list in one run */

/* ---- the plan ------------------------------------------------------------------------------------------------------ */

static void add_field(struct hf_text *t, const char *name, const char *value)
{
	hf_text_styled(t, HF_STYLE_DIM, "  %-9s", name);
	hf_text_add(t, " ");
	hf_text_wrap(t, 12, value);
}

static void add_formatted(struct hf_text *t, const char *name, const char *fmt, ...) HF_PRINTF(3, 4);
static void add_formatted(struct hf_text *t, const char *name, const char *fmt, ...)
{
	struct hf_str s = {0};
	va_list args;

	va_start(args, fmt);
	hf_str_addv(&s, fmt, args);
	va_end(args);
	add_field(t, name, hf_str_get(&s));
	t->out.failed |= s.failed;
	hf_str_deinit(&s);
}

static const char *or_unknown(const char *s)
{
	return s && *s ? s : "?";
}

/* A name of code, without the folders of its package's path. */
static void add_name(struct hf_text *t, const char *title, const char *name)
{
	struct hf_str s = {0};

	hf_str_add_short(&s, name);
	add_field(t, title, hf_str_get(&s));
	t->out.failed |= s.failed;
	hf_str_deinit(&s);
}

static void add_users(struct hf_text *t, const struct hf_patch_plan *p)
{
	if (!p->users_n)
		return;
	add_formatted(
		t, "inside",
		"%zu now, in the old constructor or the pool's get (told, not waited for):", p->users_n);
	for (size_t i = 0; i < hf_min(p->users_n, (size_t)ROWS_MAX); i++)
		hf_text_line(t, "            %s in %s", p->users[i].name, p->users[i].function);
	hf_text_left_out(t, 12, p->users_n - hf_min(p->users_n, (size_t)ROWS_MAX), "", " (--json has them)");
}

static void add_plan(struct hf_text *t, const struct hf_patch_plan *p)
{
	struct hf_str now = {0}, hold = {0};

	hf_text_styled(t, HF_STYLE_BOLD, "plan %s", p->id);
	hf_text_end(t);
	add_formatted(t, "pool", "%s (%s) at 0x%" PRIx64, p->pool, p->kind, p->pool_addr);
	add_name(t, "from", *p->old_function ? p->old_function : "no constructor");
	add_name(t, "to", or_unknown(p->new_function));
	if (*p->item_type)
		add_field(t, "items", p->item_type);
	else if (p->object_size)
		add_formatted(t, "items", "%s each", hf_show_size(p->object_size).s);
	if (p->new_value != HF_UNKNOWN && p->new_value)
		add_formatted(t, "write",
			      "the word at 0x%" PRIx64 ": 0x%" PRIx64 " becomes 0x%" PRIx64 "; %s",
			      p->slot_addr, p->old_value, p->new_value, p->how);
	else
		add_formatted(t, "write", "the word at 0x%" PRIx64 ", now 0x%" PRIx64 "; %s", p->slot_addr,
			      p->old_value, p->how);
	if (p->held)
		hf_str_add(&hold, "the debugger holds the process");
	else
		hf_str_addf(&hold, "the process held for %.1f ms at most", (double)p->hold_us / 1e3);
	add_formatted(t, "limits", "%.1f ms of processor time, %s allocated, %s%s%s", (double)p->cpu_us / 1e3,
		      hf_show_size(p->alloc_bytes).s, hf_str_get(&hold), p->strict ? ", strict" : "",
		      p->expert ? ", expert" : "");
	if (p->processors != HF_UNKNOWN)
		hf_str_addf(&now, "%" PRIu64 " %s", p->processors,
			    strcmp(p->runtime, "go") ? "threads" : "processors");
	if (p->gc_phase && *p->gc_phase)
		hf_str_addf(&now, "%scollector: %s", now.n ? ", " : "", p->gc_phase);
	if (now.n)
		add_field(t, "now", hf_str_get(&now));
	t->out.failed |= now.failed;
	hf_str_deinit(&now);
	hf_str_deinit(&hold);
	add_users(t, p);
	if (p->saved && *p->saved)
		add_field(t, "saved", p->saved);
}

void hf_text_patch_plan(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_patch_plan *p = result;

	add_plan(t, p);
	hf_text_end(t);
	hf_text_line(t, "Next: holdfast patch dry-run%s --plan %s", t->ask, p->id);
	(void)head;
}

/* ---- findings ------------------------------------------------------------------------------------------------------ */

static void add_verdict(struct hf_text *t, const char *what, const char *verdict, const char *reason,
			const char *why)
{
	bool good = !strcmp(verdict, "accepted");

	hf_text_styled(t, HF_STYLE_BOLD, "%s", what);
	hf_text_add(t, ": ");
	hf_text_styled(t, good ? HF_STYLE_GOOD : HF_STYLE_BAD, "%s", verdict);
	if (reason && *reason && strcmp(reason, verdict))
		hf_text_add(t, " (%s)", reason);
	if (why && *why)
		hf_text_add(t, ": %s", why);
	hf_text_end(t);
}

static void add_place(struct hf_text *t, const char *function, uint64_t offset, const char *file,
		      uint32_t line)
{
	if (function && *function) {
		hf_text_add(t, "  in %s", function);
		if (offset)
			hf_text_add(t, "+%" PRIu64, offset);
	}
	if (file && *file && line)
		hf_text_styled(t, HF_STYLE_DIM, " (%s:%" PRIu32 ")", file, line);
	else if (file && *file)
		hf_text_styled(t, HF_STYLE_DIM, " (%s)", file);
	hf_text_end(t);
}

static void add_findings(struct hf_text *t, const struct hf_patch_finding *at, size_t n)
{
	size_t shown = 0;

	for (size_t i = 0; i < n && shown < 2 * (size_t)ROWS_MAX; i++, shown++) {
		hf_text_add(t, "  %s ", *at[i].refusal ? "!" : "-");
		if (*at[i].refusal)
			hf_text_styled(t, HF_STYLE_BAD, "%s", at[i].refusal);
		else
			hf_text_styled(t, HF_STYLE_DIM, "%s", at[i].kind);
		hf_text_add(t, ": %s", at[i].what);
		add_place(t, at[i].function, at[i].offset, at[i].file, at[i].line);
	}
	hf_text_left_out(t, 2, n - shown, "findings", " (--json has them)");
}

static void add_vet(struct hf_text *t, const struct hf_patch_vet *v)
{
	add_verdict(t, "its code", v->verdict, v->reason, "");
	hf_text_styled(t, HF_STYLE_DIM,
		       "  %" PRIu64 " functions, %" PRIu64 " instructions, %" PRIu64
		       " calls of allocators and the like, %" PRIu64 " not followed, %.1f ms",
		       v->functions, v->instructions, v->trusted, v->not_followed, v->elapsed_s * 1e3);
	hf_text_end(t);
	add_findings(t, v->findings, v->findings_n);
}

void hf_text_patch_vet(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_patch_vet *v = result;

	(void)head;
	add_plan(t, v->plan);
	hf_text_end(t);
	add_vet(t, v);
}

/* ---- runs ----------------------------------------------------------------------------------------------------------- */

static void show_run(struct hf_table *table, const struct hf_patch_run *new, const struct hf_patch_run *old,
		     const char *name, void (*fn)(struct hf_str *, const struct hf_patch_run *))
{
	const struct hf_patch_run *runs[] = {new, old};

	hf_table_add(table, "%s", name);
	for (size_t i = 0; i < HF_LEN(runs); i++) {
		struct hf_str cell = {0};

		if (runs[i])
			fn(&cell, runs[i]);
		hf_table_add(table, "%s", hf_str_get(&cell));
		hf_str_deinit(&cell);
	}
}

static void show_function(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_add_short(s, or_unknown(r->function));
}

static void show_end(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_add(s, *r->reason ? r->reason : "returned");
}

static void show_allocated(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_addf(s, "%s in %" PRIu64 " block%s", hf_show_size(r->allocated_bytes).s, r->blocks,
		    r->blocks == 1 ? "" : "s");
}

static void show_result(struct hf_str *s, const struct hf_patch_run *r)
{
	if (!r->result)
		hf_str_add(s, "nothing");
	else
		hf_str_addf(s, "%s at 0x%" PRIx64, *r->result_type ? r->result_type : "an object", r->result);
}

static void show_writes(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_addf(s, "%zu", r->writes_n + (size_t)r->writes_left_out);
}

static void show_syscalls(struct hf_str *s, const struct hf_patch_run *r)
{
	if (!r->syscalls_n)
		hf_str_add(s, "none");
	for (size_t i = 0; i < r->syscalls_n && i < ROWS_MAX; i++)
		hf_str_addf(s, "%s%s%s", i ? ", " : "", r->syscalls[i].name,
			    r->syscalls[i].allowed ? "" : " (refused)");
}

static void show_started(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_addf(s, "%" PRIu64, r->started);
}

static void show_time(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_addf(s, "%" PRIu64 " us, %" PRIu64 " us of processor time", r->elapsed_us, r->cpu_us);
}

static void show_instructions(struct hf_str *s, const struct hf_patch_run *r)
{
	if (r->instructions)
		hf_str_add(s, hf_show_count(r->instructions).s);
}

static void show_held(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_add(s, r->held_s > 0 ? hf_show_pause(r->held_s).s : "not at all");
}

static void show_runs(struct hf_str *s, const struct hf_patch_run *r)
{
	hf_str_addf(s, "%u of %u agree", r->agreed, r->runs);
}

/* Both constructors side by side. */
static void add_runs(struct hf_text *t, const struct hf_patch_plan *plan, const struct hf_patch_run *new,
		     const struct hf_patch_run *old)
{
	static const struct hf_column columns[] = {
		{.title = ""}, {"new", .flexible = true}, {"now in the pool", .flexible = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	show_run(&table, new, old, "constructor", show_function);
	show_run(&table, new, old, "ended", show_end);
	show_run(&table, new, old, "allocated", show_allocated);
	show_run(&table, new, old, "returned", show_result);
	show_run(&table, new, old, "writes to what existed", show_writes);
	show_run(&table, new, old, "system calls", show_syscalls);
	show_run(&table, new, old, "threads or goroutines", show_started);
	show_run(&table, new, old, "took", show_time);
	if (new->instructions)
		show_run(&table, new, old, "instructions", show_instructions);
	if (!plan->held)
		show_run(&table, new, old, "target held", show_held);
	show_run(&table, new, old, "runs", show_runs);
	hf_table_print(&table, t, 2);
}

static void add_writes(struct hf_text *t, const struct hf_patch_run *run)
{
	size_t shown = hf_min(run->writes_n, (size_t)ROWS_MAX);

	for (size_t i = 0; i < shown; i++) {
		const struct hf_patch_write *w = &run->writes[i];

		hf_text_add(t, "  writes %s, %" PRIu64 " bytes at 0x%" PRIx64 ": %s becomes %s",
			    *w->name ? w->name : "memory", w->bytes, w->addr, w->before, w->after);
		add_place(t, w->writer, 0, w->file, w->line);
	}
	hf_text_left_out(t, 2, run->writes_n - shown + run->writes_left_out, "writes", " (--json has them)");
}

static void add_dry_run(struct hf_text *t, const struct hf_patch_dry_run *d)
{
	add_vet(t, d->vet);
	hf_text_end(t);
	if (d->run) {
		add_verdict(t, "its run", d->run->verdict, d->run->reason, d->run->why);
		add_runs(t, d->plan, d->run, d->old);
		add_writes(t, d->run);
		add_findings(t, d->run->findings, d->run->findings_n);
		hf_text_end(t);
	}
	add_verdict(t, "verdict", d->verdict, d->reason, d->why);
}

void hf_text_patch_dry_run(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_patch_dry_run *d = result;

	(void)head;
	add_plan(t, d->plan);
	hf_text_end(t);
	add_dry_run(t, d);
	if (!strcmp(d->verdict, "inconclusive") && d->plan->held)
		hf_text_line(
			t,
			"In the debugger nothing moves: let the process run for a moment, then try again.");
	if (strcmp(d->verdict, "accepted") != 0)
		return;
	if (d->plan->start_time)
		hf_text_line(t, "Next: holdfast patch apply%s --plan %s", t->ask, d->plan->id);
	else if (d->plan->pid)
		hf_text_line(t, "The process is not of this machine: it is patched where it runs.");
	else
		hf_text_line(t, "This is a core: there is nothing to patch.");
}

/* ---- what became of patches -------------------------------------------------------------------------------------- */

static void add_state(struct hf_text *t, const struct hf_head *head, const struct hf_patch_state *s)
{
	bool applied = !strcmp(s->state, "applied");

	hf_text_styled(t, HF_STYLE_BOLD, "patch %s", s->id);
	hf_text_add(t, "  ");
	hf_text_styled(t, applied ? HF_STYLE_GOOD : HF_STYLE_NONE, "%s", s->state);
	if (s->applied_at > 0)
		hf_text_add(t, "  %s", hf_show_time(s->applied_at).s);
	if (!head->pid)
		hf_text_add(t, "  process %d", s->pid);
	hf_text_end(t);
	add_name(t, "pool", s->pool);
	add_name(t, "now", or_unknown(applied ? s->new_function : s->old_function));
	add_name(t, "before", or_unknown(applied ? s->old_function : s->new_function));
	if (s->stopped_s > 0)
		add_field(t, "held", hf_show_pause(s->stopped_s).s);
	if (s->expires_at > 0 && applied)
		add_field(t, "until", hf_show_time(s->expires_at).s);
	if (s->why && *s->why)
		add_field(t, "why", s->why);
}

static void add_figure(struct hf_table *table, const char *unit, uint64_t n)
{
	bool bytes = !strncmp(unit, "bytes", 5);

	if (n == HF_UNKNOWN)
		hf_table_add(table, "?");
	else if (bytes)
		hf_table_add(table, "%s%s", hf_show_size(n).s, unit[5] ? unit + 5 : "");
	else
		hf_table_add(table, "%s", hf_show_count(n).s);
}

static void add_watch(struct hf_text *t, const struct hf_patch_states *r)
{
	static const struct hf_column columns[] = {
		{.title = ""}, {"before", .right = true}, {"now", .right = true}, {"change", .right = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	if (!r->watch_n)
		return;
	hf_text_end(t);
	for (size_t i = 0; i < r->watch_n; i++) {
		const struct hf_patch_watch *w = &r->watch[i];
		bool known = w->before != HF_UNKNOWN && w->after != HF_UNKNOWN && w->before;

		hf_table_add(&table, "%s", w->name);
		add_figure(&table, w->unit, w->before);
		add_figure(&table, w->unit, w->after);
		if (known)
			hf_table_add(&table, "%+.1f%%", ((double)w->after / (double)w->before - 1) * 100);
		else
			hf_table_add(&table, "%s", "");
	}
	hf_table_print(&table, t, 0);
	if (r->watch_verdict && *r->watch_verdict)
		hf_text_wrap(t, 0, r->watch_verdict);
}

void hf_text_patch_states(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_patch_states *r = result;

	if (r->dry_run) {
		add_plan(t, r->dry_run->plan);
		hf_text_end(t);
		add_dry_run(t, r->dry_run);
		hf_text_end(t);
	}
	if (!r->n)
		hf_text_line(t, "No patch of %s is in the journal.",
			     head->pid ? "this process" : "any process");
	for (size_t i = 0; i < r->n; i++) {
		if (i)
			hf_text_end(t);
		add_state(t, head, &r->states[i]);
	}
	add_watch(t, r);
	if (!strcmp(r->verb, "apply") && r->n && !strcmp(r->states[0].state, "applied")) {
		hf_text_end(t);
		hf_text_line(t, "To take it back: holdfast patch revert%s %s", t->ask, r->states[0].id);
	}
}
