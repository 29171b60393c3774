#include "json.h"

#include <jansson.h>

static json_t *seconds(double s)
{
	return s < 0 ? json_null() : hf_json_real(s);
}

static json_t *sites(struct hf_json *j, const struct hf_goroutine_group *at)
{
	json_t *list = json_array();

	for (size_t i = 0; i < at->sites_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "file", hf_json_text(at->sites[i].file));
		hf_json_set(j, o, "line", json_integer(at->sites[i].line));
		hf_json_set(j, o, "count", hf_json_number(at->sites[i].count));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *labels(struct hf_json *j, const struct hf_goroutine_group *at)
{
	json_t *list = json_array();

	for (size_t i = 0; i < at->labels_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "key", hf_json_text(at->labels[i].key));
		hf_json_set(j, o, "value", hf_json_text(at->labels[i].value));
		hf_json_set(j, o, "count", hf_json_number(at->labels[i].count));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *group(struct hf_json *j, const struct hf_goroutine_group *at)
{
	json_t *o = json_object();

	hf_json_set(j, o, "function", hf_json_text(at->function));
	hf_json_set(j, o, "created_by", hf_json_text(at->created_by));
	hf_json_set(j, o, "created_at", sites(j, at));
	hf_json_set(j, o, "wait", hf_json_text(at->wait));
	hf_json_set(j, o, "count", hf_json_number(at->count));
	hf_json_set(j, o, "leaked", json_boolean(at->leaked));
	hf_json_set(j, o, "oldest_wait_s", seconds(at->oldest_wait_s));
	hf_json_set(j, o, "newest_wait_s", seconds(at->newest_wait_s));
	hf_json_set(j, o, "retained_bytes", hf_json_number(at->retained_bytes));
	hf_json_set(j, o, "retained_objects", hf_json_number(at->retained_count));
	hf_json_set(j, o, "stack_bytes", hf_json_number(at->stack_bytes));
	hf_json_set(j, o, "labels", labels(j, at));
	hf_json_set(j, o, "example_id", hf_json_number(at->example_id));
	hf_json_set(j, o, "waits_on", at->waits_on ? hf_json_address(at->waits_on) : json_null());
	hf_json_set(j, o, "waker", at->waker ? hf_json_chain(j, at->waker) : json_null());
	hf_json_set(j, o, "frames", hf_json_frames(j, at->frames, at->frames_n));
	return o;
}

json_t *hf_json_goroutines(struct hf_json *j, const void *result)
{
	const struct hf_goroutines *g = result;
	json_t *o = json_object(), *groups = json_array();

	for (size_t i = 0; i < g->n; i++)
		hf_json_append(j, groups, group(j, &g->groups[i]));
	hf_json_set(j, o, "groups", groups);
	hf_json_set(j, o, "left_out", hf_json_number(g->left_out));
	hf_json_set(j, o, "total", hf_json_number(g->total));
	hf_json_set(j, o, "matched", hf_json_number(g->matched));
	hf_json_set(j, o, "leaked", hf_json_number(g->leaked));
	hf_json_set(j, o, "leaked_groups", hf_json_number(g->leaked_groups));
	hf_json_set(j, o, "leaked_bytes", hf_json_number(g->leaked_bytes));
	return o;
}
