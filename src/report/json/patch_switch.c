/* patch get, patch set, patch drain. */
#include "json.h"

#include <jansson.h>

static json_t *text_or_null(const char *s)
{
	return s && *s ? hf_json_text(s) : json_null();
}

static json_t *switch_of(struct hf_json *j, const struct hf_switch *s)
{
	bool ours = *s->plan;
	json_t *o = json_object();

	hf_json_set(j, o, "name", hf_json_text(s->name));
	hf_json_set(j, o, "alias", hf_json_text(s->alias));
	hf_json_set(j, o, "value", s->known ? json_integer(s->value) : json_null());
	hf_json_set(j, o, "on", s->known ? json_boolean(s->value != s->off) : json_null());
	hf_json_set(j, o, "off", json_integer(s->off));
	hf_json_set(j, o, "unit", hf_json_text(s->unit));
	hf_json_set(j, o, "min", json_integer(s->min));
	hf_json_set(j, o, "max", json_integer(s->max));
	hf_json_set(j, o, "addr", s->addr ? hf_json_address(s->addr) : json_null());
	hf_json_set(j, o, "what", hf_json_text(s->what));
	hf_json_set(j, o, "effect", hf_json_text(s->effect));
	hf_json_set(j, o, "why_not", text_or_null(s->why_not));
	hf_json_set(j, o, "set_by_us", json_boolean(ours));
	hf_json_set(j, o, "id", text_or_null(s->plan));
	hf_json_set(j, o, "before", ours && s->set_at > 0 ? json_integer(s->before) : json_null());
	hf_json_set(j, o, "set_at", hf_json_time(s->set_at));
	hf_json_set(j, o, "expires_at", hf_json_time(s->expires_at));
	return o;
}

json_t *hf_json_patch_get(struct hf_json *j, const void *result)
{
	const struct hf_switches *r = result;
	json_t *o = json_object(), *rows = json_array();

	for (size_t i = 0; i < r->n; i++)
		hf_json_append(j, rows, switch_of(j, &r->rows[i]));
	hf_json_set(j, o, "switches", rows);
	hf_json_set(j, o, "journal", text_or_null(r->journal));
	return o;
}

json_t *hf_json_patch_set(struct hf_json *j, const void *result)
{
	const struct hf_switch_change *c = result;
	json_t *o = json_object();

	hf_json_set(j, o, "state", hf_json_text(c->state));
	hf_json_set(j, o, "name", hf_json_text(c->row->name));
	hf_json_set(j, o, "old", json_integer(c->old_value));
	hf_json_set(j, o, "new", json_integer(c->new_value));
	hf_json_set(j, o, "id", text_or_null(c->row->plan));
	hf_json_set(j, o, "chosen", text_or_null(c->chosen));
	hf_json_set(j, o, "cpu_share", c->cpu_share >= 0 ? hf_json_real(c->cpu_share) : json_null());
	hf_json_set(j, o, "expires_at", hf_json_time(c->row->expires_at));
	hf_json_set(j, o, "keeper", c->keeper ? json_integer(c->keeper) : json_null());
	hf_json_set(j, o, "keeper_says", text_or_null(c->keeper_says));
	hf_json_set(j, o, "effect", hf_json_text(c->row->effect));
	hf_json_set(j, o, "warning", text_or_null(c->warning));
	hf_json_set(j, o, "stopped_us", hf_json_real(c->stopped_s * 1e6));
	hf_json_set(j, o, "journal", text_or_null(c->journal));
	return o;
}

static json_t *drain_row(struct hf_json *j, const struct hf_drain_row *r)
{
	json_t *o = json_object();

	hf_json_set(j, o, "pool", hf_json_text(r->pool));
	hf_json_set(j, o, "addr", hf_json_address(r->addr));
	hf_json_set(j, o, "idle", hf_json_number(r->idle));
	hf_json_set(j, o, "victims", hf_json_number(r->victims));
	hf_json_set(j, o, "idle_bytes", hf_json_number(r->idle_bytes));
	hf_json_set(j, o, "victim_bytes", hf_json_number(r->victim_bytes));
	hf_json_set(j, o, "patched_at", hf_json_time(r->patched_at));
	hf_json_set(j, o, "collections_since", hf_json_number(r->since));
	hf_json_set(j, o, "at_least", json_boolean(r->since_at_least));
	hf_json_set(j, o, "idle_after", hf_json_number(r->idle_after));
	hf_json_set(j, o, "idle_bytes_after", hf_json_number(r->idle_bytes_after));
	return o;
}

json_t *hf_json_patch_drain(struct hf_json *j, const void *result)
{
	const struct hf_drain *r = result;
	json_t *o = json_object(), *rows = json_array(), *ended = json_array();

	for (size_t i = 0; i < r->n; i++)
		hf_json_append(j, rows, drain_row(j, &r->rows[i]));
	for (size_t i = 0; i < r->ended_n; i++)
		hf_json_append(j, ended, hf_json_time(r->ended[i]));
	hf_json_set(j, o, "pools", rows);
	hf_json_set(j, o, "collections", hf_json_number(r->collections));
	hf_json_set(j, o, "ended", ended);
	hf_json_set(j, o, "forced_every_s",
		    r->forced_every_s ? hf_json_number(r->forced_every_s) : json_null());
	hf_json_set(j, o, "waited_s", r->waited_s > 0 ? hf_json_real(r->waited_s) : json_null());
	hf_json_set(j, o, "waited_for", r->waited_s > 0 ? hf_json_number(r->waited_for) : json_null());
	hf_json_set(j, o, "says", hf_json_text(r->says));
	return o;
}
