#include "json.h"

#include "../../base/safe.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

void hf_json_set(struct hf_json *j, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, value))
		j->failed = true;
}

void hf_json_append(struct hf_json *j, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		j->failed = true;
}

json_t *hf_json_text(const char *s)
{
	struct hf_str clean = {0};
	json_t *value;

	if (!s)
		return json_null();
	value = json_string(s);
	if (value)
		return value;
	hf_str_add_clean(&clean, s);
	value = clean.failed ? NULL : json_string(hf_str_get(&clean));
	hf_str_deinit(&clean);
	return value;
}

json_t *hf_json_address(uint64_t addr)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, addr);
	return json_string(text);
}

json_t *hf_json_number(uint64_t n)
{
	if (n == HF_UNKNOWN)
		return json_null();
	if (n == HF_NOLIMIT)
		return json_string("max");
	return n > INT64_MAX ? json_real((double)n) : json_integer((json_int_t)n);
}

json_t *hf_json_real(double v)
{
	double scaled = v * 1e3;

	if (!(scaled > -9e15 && scaled < 9e15))
		return isfinite(v) ? json_real(v) : json_null();
	return json_real((double)(int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5)) / 1e3);
}

json_t *hf_json_time(double unix_time)
{
	return unix_time > 0 ? hf_json_real(unix_time) : json_null();
}

static json_t *target(struct hf_json *j, const struct hf_head *head)
{
	json_t *o = json_object();

	hf_json_set(j, o, "kind", hf_json_text(head->kind));
	hf_json_set(j, o, "pid", head->pid ? json_integer(head->pid) : json_null());
	hf_json_set(j, o, "core", hf_json_text(head->core));
	hf_json_set(j, o, "exe", *head->exe ? hf_json_text(head->exe) : json_null());
	hf_json_set(j, o, "label", hf_json_text(head->label));
	return o;
}

static json_t *warnings(struct hf_json *j, const struct hf_head *head)
{
	json_t *list = json_array();

	for (size_t i = 0; i < head->warnings_n; i++)
		hf_json_append(j, list, hf_json_text(head->warnings[i]));
	return list;
}

static int add_chunk(const char *bytes, size_t n, void *arg)
{
	hf_str_addn(arg, bytes, n);
	return 0;
}

struct hf_err *hf_json_answer(struct hf_json *j, const char *command, const struct hf_head *head,
			      json_t *result, struct hf_str *ret)
{
	json_t *o = json_object();

	hf_json_set(j, o, "holdfast", json_string(HF_VERSION));
	hf_json_set(j, o, "command", hf_json_text(command));
	hf_json_set(j, o, "target", target(j, head));
	hf_json_set(j, o, "stopped_ms", hf_json_real(head->stopped_s * 1e3));
	hf_json_set(j, o, "complete", json_boolean(head->complete));
	hf_json_set(j, o, "warnings", warnings(j, head));
	hf_json_set(j, o, "result", result);
	if (!j->failed && json_dump_callback(o, add_chunk, ret,
					     JSON_PRESERVE_ORDER | JSON_INDENT(2) | JSON_REAL_PRECISION(15)))
		j->failed = true;
	json_decref(o);
	hf_str_addc(ret, '\n');
	return j->failed ? hf_err_nomem() : hf_str_check(ret);
}
