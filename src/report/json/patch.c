#include "json.h"

#include <jansson.h>

static json_t *text_or_null(const char *s)
{
	return hf_json_text(s && *s ? s : NULL);
}

static json_t *address_or_null(uint64_t addr)
{
	return addr && addr != HF_UNKNOWN ? hf_json_address(addr) : json_null();
}

static json_t *limits_of(struct hf_json *j, const struct hf_patch_plan *p)
{
	json_t *o = json_object();

	hf_json_set(j, o, "cpu_us", hf_json_number(p->cpu_us));
	hf_json_set(j, o, "alloc_bytes", hf_json_number(p->alloc_bytes));
	hf_json_set(j, o, "hold_us", hf_json_number(p->hold_us));
	return o;
}

static json_t *users_of(struct hf_json *j, const struct hf_patch_plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->users_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "name", hf_json_text(p->users[i].name));
		hf_json_set(j, o, "function", hf_json_text(p->users[i].function));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *plan_of(struct hf_json *j, const struct hf_patch_plan *p)
{
	json_t *o = json_object();

	hf_json_set(j, o, "id", hf_json_text(p->id));
	hf_json_set(j, o, "pid", p->pid ? json_integer(p->pid) : json_null());
	hf_json_set(j, o, "start_time", hf_json_number(p->start_time));
	hf_json_set(j, o, "exe", text_or_null(p->exe));
	hf_json_set(j, o, "build_id", text_or_null(p->build_id));
	hf_json_set(j, o, "runtime", hf_json_text(p->runtime));
	hf_json_set(j, o, "pool", hf_json_text(p->pool));
	hf_json_set(j, o, "kind", hf_json_text(p->kind));
	hf_json_set(j, o, "pool_address", hf_json_address(p->pool_addr));
	hf_json_set(j, o, "slot", hf_json_address(p->slot_addr));
	hf_json_set(j, o, "old", hf_json_address(p->old_value));
	hf_json_set(j, o, "new", address_or_null(p->new_value));
	hf_json_set(j, o, "old_function", text_or_null(p->old_function));
	hf_json_set(j, o, "new_function", text_or_null(p->new_function));
	hf_json_set(j, o, "item_type", text_or_null(p->item_type));
	hf_json_set(j, o, "object_size", p->object_size ? hf_json_number(p->object_size) : json_null());
	hf_json_set(j, o, "how", hf_json_text(p->how));
	hf_json_set(j, o, "limits", limits_of(j, p));
	hf_json_set(j, o, "strict", json_boolean(p->strict));
	hf_json_set(j, o, "expert", json_boolean(p->expert));
	hf_json_set(j, o, "held", json_boolean(p->held));
	hf_json_set(j, o, "processors", hf_json_number(p->processors));
	hf_json_set(j, o, "gc_phase", text_or_null(p->gc_phase));
	hf_json_set(j, o, "inside", users_of(j, p));
	hf_json_set(j, o, "saved", text_or_null(p->saved));
	return o;
}

static json_t *findings_of(struct hf_json *j, const struct hf_patch_finding *at, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "kind", hf_json_text(at[i].kind));
		hf_json_set(j, o, "what", hf_json_text(at[i].what));
		hf_json_set(j, o, "refusal", text_or_null(at[i].refusal));
		hf_json_set(j, o, "function", text_or_null(at[i].function));
		hf_json_set(j, o, "offset", hf_json_number(at[i].offset));
		hf_json_set(j, o, "file", text_or_null(at[i].file));
		hf_json_set(j, o, "line", at[i].line ? json_integer(at[i].line) : json_null());
		hf_json_set(j, o, "address", address_or_null(at[i].addr));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *made_of(struct hf_json *j, const struct hf_patch_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->made_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "address", hf_json_address(run->made[i].addr));
		hf_json_set(j, o, "bytes", hf_json_number(run->made[i].bytes));
		hf_json_set(j, o, "type", text_or_null(run->made[i].type));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *writes_of(struct hf_json *j, const struct hf_patch_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->writes_n; i++) {
		const struct hf_patch_write *w = &run->writes[i];
		json_t *o = json_object();

		hf_json_set(j, o, "address", hf_json_address(w->addr));
		hf_json_set(j, o, "bytes", hf_json_number(w->bytes));
		hf_json_set(j, o, "name", text_or_null(w->name));
		hf_json_set(j, o, "before", hf_json_text(w->before));
		hf_json_set(j, o, "after", hf_json_text(w->after));
		hf_json_set(j, o, "writer", text_or_null(w->writer));
		hf_json_set(j, o, "file", text_or_null(w->file));
		hf_json_set(j, o, "line", w->line ? json_integer(w->line) : json_null());
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *syscalls_of(struct hf_json *j, const struct hf_patch_run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->syscalls_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "name", hf_json_text(run->syscalls[i].name));
		hf_json_set(j, o, "allowed", json_boolean(run->syscalls[i].allowed));
		hf_json_append(j, list, o);
	}
	return list;
}

static void set_run(struct hf_json *j, json_t *o, const struct hf_patch_run *run)
{
	hf_json_set(j, o, "function", text_or_null(run->function));
	hf_json_set(j, o, "allocated_bytes", hf_json_number(run->allocated_bytes));
	hf_json_set(j, o, "blocks", hf_json_number(run->blocks));
	hf_json_set(j, o, "made", made_of(j, run));
	hf_json_set(j, o, "writes", writes_of(j, run));
	hf_json_set(j, o, "writes_left_out", hf_json_number(run->writes_left_out));
	hf_json_set(j, o, "metadata_bytes", hf_json_number(run->metadata_bytes));
	hf_json_set(j, o, "syscalls", syscalls_of(j, run));
	hf_json_set(j, o, "started", hf_json_number(run->started));
	hf_json_set(j, o, "result", address_or_null(run->result));
	hf_json_set(j, o, "result_type", text_or_null(run->result_type));
	hf_json_set(j, o, "elapsed_us", hf_json_number(run->elapsed_us));
	hf_json_set(j, o, "cpu_us", hf_json_number(run->cpu_us));
	hf_json_set(j, o, "instructions",
		    run->instructions ? hf_json_number(run->instructions) : json_null());
	hf_json_set(j, o, "pages", hf_json_number(run->pages));
	hf_json_set(j, o, "held_ms", hf_json_real(run->held_s * 1e3));
	hf_json_set(j, o, "runs", json_integer(run->runs));
	hf_json_set(j, o, "agreed", json_integer(run->agreed));
	hf_json_set(j, o, "findings", findings_of(j, run->findings, run->findings_n));
}

static json_t *run_of(struct hf_json *j, const struct hf_patch_run *run)
{
	json_t *o;

	if (!run)
		return json_null();
	o = json_object();
	hf_json_set(j, o, "verdict", hf_json_text(run->verdict));
	hf_json_set(j, o, "reason", text_or_null(run->reason));
	hf_json_set(j, o, "why", text_or_null(run->why));
	set_run(j, o, run);
	return o;
}

static json_t *vet_of(struct hf_json *j, const struct hf_patch_vet *v)
{
	json_t *o = json_object();

	hf_json_set(j, o, "verdict", hf_json_text(v->verdict));
	hf_json_set(j, o, "reason", text_or_null(v->reason));
	hf_json_set(j, o, "findings", findings_of(j, v->findings, v->findings_n));
	hf_json_set(j, o, "functions", hf_json_number(v->functions));
	hf_json_set(j, o, "instructions", hf_json_number(v->instructions));
	hf_json_set(j, o, "trusted", hf_json_number(v->trusted));
	hf_json_set(j, o, "pointer_stores", hf_json_number(v->stores));
	hf_json_set(j, o, "not_followed", hf_json_number(v->not_followed));
	hf_json_set(j, o, "elapsed_us", hf_json_real(v->elapsed_s * 1e6));
	return o;
}

json_t *hf_json_patch_plan(struct hf_json *j, const void *result)
{
	return plan_of(j, result);
}

json_t *hf_json_patch_vet(struct hf_json *j, const void *result)
{
	const struct hf_patch_vet *v = result;
	json_t *o = vet_of(j, v);

	hf_json_set(j, o, "plan", plan_of(j, v->plan));
	return o;
}

static json_t *dry_run_of(struct hf_json *j, const struct hf_patch_dry_run *d)
{
	json_t *o = json_object();

	hf_json_set(j, o, "verdict", hf_json_text(d->verdict));
	hf_json_set(j, o, "reason", text_or_null(d->reason));
	hf_json_set(j, o, "why", text_or_null(d->why));
	if (d->run)
		set_run(j, o, d->run);
	hf_json_set(j, o, "old", run_of(j, d->old));
	hf_json_set(j, o, "vet", vet_of(j, d->vet));
	hf_json_set(j, o, "plan", plan_of(j, d->plan));
	return o;
}

json_t *hf_json_patch_dry_run(struct hf_json *j, const void *result)
{
	return dry_run_of(j, result);
}

static json_t *state_of(struct hf_json *j, const struct hf_patch_state *s)
{
	json_t *o = json_object();

	hf_json_set(j, o, "id", hf_json_text(s->id));
	hf_json_set(j, o, "state", hf_json_text(s->state));
	hf_json_set(j, o, "why", text_or_null(s->why));
	hf_json_set(j, o, "pid", json_integer(s->pid));
	hf_json_set(j, o, "pool", hf_json_text(s->pool));
	hf_json_set(j, o, "old_function", text_or_null(s->old_function));
	hf_json_set(j, o, "new_function", text_or_null(s->new_function));
	hf_json_set(j, o, "slot", hf_json_address(s->slot_addr));
	hf_json_set(j, o, "old", hf_json_address(s->old_value));
	hf_json_set(j, o, "new", hf_json_address(s->new_value));
	hf_json_set(j, o, "value", address_or_null(s->value));
	hf_json_set(j, o, "applied_at", hf_json_time(s->applied_at));
	hf_json_set(j, o, "expires_at", hf_json_time(s->expires_at));
	hf_json_set(j, o, "stopped_us", hf_json_real(s->stopped_s * 1e6));
	return o;
}

json_t *hf_json_patch_states(struct hf_json *j, const void *result)
{
	const struct hf_patch_states *r = result;
	json_t *o = json_object(), *states = json_array(), *watch = json_array();

	for (size_t i = 0; i < r->n; i++)
		hf_json_append(j, states, state_of(j, &r->states[i]));
	for (size_t i = 0; i < r->watch_n; i++) {
		const struct hf_patch_watch *w = &r->watch[i];
		json_t *row = json_object();

		hf_json_set(j, row, "name", hf_json_text(w->name));
		hf_json_set(j, row, "unit", hf_json_text(w->unit));
		hf_json_set(j, row, "before", hf_json_number(w->before));
		hf_json_set(j, row, "after", hf_json_number(w->after));
		hf_json_append(j, watch, row);
	}
	hf_json_set(j, o, "patches", states);
	hf_json_set(j, o, "watch", watch);
	hf_json_set(j, o, "watch_verdict", text_or_null(r->watch_verdict));
	hf_json_set(j, o, "journal", text_or_null(r->journal));
	hf_json_set(j, o, "dry_run", r->dry_run ? dry_run_of(j, r->dry_run) : json_null());
	return o;
}
