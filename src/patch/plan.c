#include "plan.h"

#include "../base/outfile.h"
#include "../base/safe.h"
#include "../base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define FORM      1       /* of the record: "holdfast_plan" */
#define JSON_MAX  1048576 /* bytes of a saved plan */
#define VALUE_MAX 24      /* of a number as text */

enum field_kind { TEXT, HEX, NUMBER, FLAG, PID, HOW };

/* Every member but id and names. The hash is over them in this order; so is the file. */
static const struct field {
	const char *key;
	enum field_kind kind;
	size_t at;
} fields[] = {
	{"pid", PID, offsetof(struct hf_plan, pid)},
	{"start_time", NUMBER, offsetof(struct hf_plan, start_time)},
	{"exe", TEXT, offsetof(struct hf_plan, exe)},
	{"build_id", TEXT, offsetof(struct hf_plan, build_id)},
	{"runtime", TEXT, offsetof(struct hf_plan, runtime)},
	{"pool", TEXT, offsetof(struct hf_plan, pool)},
	{"kind", TEXT, offsetof(struct hf_plan, kind)},
	{"pool_addr", HEX, offsetof(struct hf_plan, pool_addr)},
	{"slot_addr", HEX, offsetof(struct hf_plan, slot_addr)},
	{"old_value", HEX, offsetof(struct hf_plan, old_value)},
	{"new_value", HEX, offsetof(struct hf_plan, new_value)},
	{"old_code", HEX, offsetof(struct hf_plan, old_code)},
	{"new_code", HEX, offsetof(struct hf_plan, new_code)},
	{"old_function", TEXT, offsetof(struct hf_plan, old_function)},
	{"new_function", TEXT, offsetof(struct hf_plan, new_function)},
	{"item_type", TEXT, offsetof(struct hf_plan, item_type)},
	{"object_size", NUMBER, offsetof(struct hf_plan, object_size)},
	{"cpu_us", NUMBER, offsetof(struct hf_plan, cpu_us)},
	{"alloc_bytes", NUMBER, offsetof(struct hf_plan, alloc_bytes)},
	{"hold_us", NUMBER, offsetof(struct hf_plan, hold_us)},
	{"strict", FLAG, offsetof(struct hf_plan, strict)},
	{"expert", FLAG, offsetof(struct hf_plan, expert)},
	{"old_on_heap", FLAG, offsetof(struct hf_plan, old_on_heap)},
	{"how", HOW, offsetof(struct hf_plan, how)},
	{"file", TEXT, offsetof(struct hf_plan, file)},
	{"captured", NUMBER, offsetof(struct hf_plan, captured)},
};

static const char *const ways[] = {
	[HF_PLAN_STORE] = "store",     [HF_PLAN_LOAD] = "load",   [HF_PLAN_FUNCVAL] = "funcval",
	[HF_PLAN_CLOSURE] = "closure", [HF_PLAN_THUNK] = "thunk",
};

static const void *field_of(const struct hf_plan *plan, const struct field *f)
{
	return (const char *)plan + f->at;
}

/* Numbers are texts, too: JSON's own have no 64 bits everywhere.     buf  of VALUE_MAX or more. */
static const char *value_of(const struct hf_plan *plan, const struct field *f, char *buf)
{
	const void *at = field_of(plan, f);
	const char *text;

	switch (f->kind) {
	case TEXT:
		text = *(const char *const *)at;
		return text ? text : "";
	case FLAG:
		return *(const bool *)at ? "yes" : "no";
	case HOW:
		return (size_t)plan->how < HF_LEN(ways) ? ways[plan->how] : "";
	case HEX:
		snprintf(buf, VALUE_MAX, "0x%" PRIx64, *(const uint64_t *)at);
		return buf;
	case NUMBER:
		snprintf(buf, VALUE_MAX, "%" PRIu64, *(const uint64_t *)at);
		return buf;
	case PID:
		snprintf(buf, VALUE_MAX, "%d", *(const pid_t *)at);
		return buf;
	}
	return "";
}

/* Each value with its length, so that no two records make the same text. */
static struct hf_err *make_id(const struct hf_plan *plan, char ret[HF_PLAN_ID])
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	uint8_t hash[HF_SHA256_SIZE];
	char buf[VALUE_MAX];

	hf_str_addf(&text, "holdfast plan %d\n", FORM);
	for (size_t i = 0; i < HF_LEN(fields); i++) {
		const char *value = value_of(plan, &fields[i], buf);

		hf_str_addf(&text, "%s:%zu:", fields[i].key, strlen(value));
		hf_str_add(&text, value);
		hf_str_addc(&text, '\n');
	}
	HF_TRY(hf_str_check(&text));
	hf_sha256(text.s, text.n, hash);
	for (unsigned i = 0; i < (HF_PLAN_ID - 1) / 2; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	return NULL;
}

static struct hf_err *keep(struct hf_plan *plan, const char *text, const char **ret)
{
	*ret = hf_arena_strndup(&plan->names, text, strlen(text));
	return *ret ? NULL : hf_err_nomem();
}

/* Names are the target's text: what JSON cannot say is made harmless first, so that the file says what was hashed. */
static struct hf_err *clean_texts(struct hf_plan *plan)
{
	for (size_t i = 0; i < HF_LEN(fields); i++) {
		_cleanup_(hf_str_deinit) struct hf_str clean = {0};
		const char **at = (const char **)((char *)plan + fields[i].at);

		if (fields[i].kind != TEXT)
			continue;
		hf_str_add_clean(&clean, *at ? *at : "");
		HF_TRY(hf_str_check(&clean));
		if (!*at || strcmp(*at, hf_str_get(&clean)) != 0)
			HF_TRY(keep(plan, hf_str_get(&clean), at));
	}
	return NULL;
}

struct hf_err *hf_plan_seal(struct hf_plan *plan)
{
	HF_TRY(clean_texts(plan));
	return make_id(plan, plan->id);
}

struct hf_err *hf_plan_to_json(const struct hf_plan *plan, char **ret)
{
	json_t *o = json_object();
	int failed = !o || json_object_set_new(o, "holdfast_plan", json_integer(FORM)) ||
		     json_object_set_new(o, "id", json_string(plan->id));
	char buf[VALUE_MAX], *text = NULL;

	for (size_t i = 0; i < HF_LEN(fields) && !failed; i++) {
		const struct field *f = &fields[i];

		failed = json_object_set_new(o, f->key,
					     f->kind == FLAG ? json_boolean(*(const bool *)field_of(plan, f))
							     : json_string(value_of(plan, f, buf)));
	}
	if (!failed) {
		size_t len = json_dumpb(o, NULL, 0, JSON_INDENT(2));

		text = len ? hf_malloc(len + 2) : NULL;
		if (text) {
			json_dumpb(o, text, len, JSON_INDENT(2));
			memcpy(text + len, "\n", 2);
		}
	}
	json_decref(o);
	if (!text)
		return hf_err_nomem();
	*ret = text;
	return NULL;
}

static bool parse_u64(const char *text, int base, uint64_t max, uint64_t *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return !errno && !*end && *ret <= max;
}

static struct hf_err *set_number(struct hf_plan *plan, const struct field *f, const char *text)
{
	uint64_t v;

	if (!parse_u64(text, f->kind == HEX ? 16 : 10, f->kind == PID ? INT32_MAX : UINT64_MAX, &v))
		return hf_err(HF_USAGE, "no plan of holdfast: %s is not a number", f->key);
	if (f->kind == PID)
		plan->pid = (pid_t)v;
	else
		*(uint64_t *)((char *)plan + f->at) = v;
	return NULL;
}

static struct hf_err *set_field(struct hf_plan *plan, const struct field *f, const json_t *value)
{
	const char *text = json_string_value(value);

	if (f->kind == FLAG && json_is_boolean(value)) {
		*(bool *)((char *)plan + f->at) = json_is_true(value);
		return NULL;
	}
	if (f->kind == FLAG || !text)
		return hf_err(HF_USAGE, "no plan of holdfast: %s is missing, or of another kind", f->key);
	if (f->kind == TEXT)
		return keep(plan, text, (const char **)((char *)plan + f->at));
	if (f->kind != HOW)
		return set_number(plan, f, text);
	for (size_t i = 0; i < HF_LEN(ways); i++) {
		if (strcmp(ways[i], text) != 0)
			continue;
		plan->how = (enum hf_plan_how)i;
		return NULL;
	}
	return hf_err(HF_USAGE, "no plan of holdfast: there is no way to patch of that name");
}

static struct hf_err *set_all(struct hf_plan *plan, const json_t *o)
{
	const char *id = json_string_value(json_object_get(o, "id"));
	char real[HF_PLAN_ID];

	if (json_integer_value(json_object_get(o, "holdfast_plan")) != FORM)
		return hf_err(HF_USAGE, "no plan of holdfast, or of another version of it");
	if (json_object_size(o) != HF_LEN(fields) + 2)
		return hf_err(HF_USAGE, "no plan of holdfast: it has %zu members, not %zu",
			      json_object_size(o), HF_LEN(fields) + 2);
	for (size_t i = 0; i < HF_LEN(fields); i++)
		HF_TRY(set_field(plan, &fields[i], json_object_get(o, fields[i].key)));
	HF_TRY(make_id(plan, real));
	if (!id || strcmp(id, real) != 0)
		return hf_err(
			HF_USAGE,
			"the plan was changed after it was made: what it says is plan %s; make it anew with "
			"`patch plan`",
			real);
	memcpy(plan->id, real, sizeof(real));
	return NULL;
}

struct hf_err *hf_plan_from_json(const char *json, struct hf_plan *ret)
{
	json_error_t why;
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &why);
	struct hf_err *err;

	if (!json_is_object(o)) {
		json_decref(o);
		return hf_err(HF_USAGE, "no plan of holdfast: not one JSON object");
	}
	err = set_all(ret, o);
	json_decref(o);
	return err;
}

struct hf_err *hf_plan_save(const struct hf_plan *plan, const char *path)
{
	_cleanup_(hf_outfile_deinit) struct hf_outfile file = {.fd = -1};
	_free_ char *text = NULL;

	HF_TRY(hf_plan_to_json(plan, &text));
	HF_TRY(hf_outfile_create(path, &file));
	HF_TRY(hf_outfile_check_room(&file, strlen(text)));
	HF_TRY(hf_outfile_write(&file, text, strlen(text), 0));
	return hf_outfile_publish(&file);
}

struct hf_err *hf_plan_load(const char *path, struct hf_plan *ret)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_free_ char *text = hf_malloc(JSON_MAX + 1);
	size_t n = 0;
	ssize_t got = 0;

	if (fd < 0)
		return hf_err(HF_IO, "%s: the plan cannot be read: %s", path, strerror(errno));
	if (!text)
		return hf_err_nomem();
	while (n < JSON_MAX && ((got = read(fd, text + n, JSON_MAX - n)) > 0 || (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	if (got < 0)
		return hf_err(HF_IO, "%s: the plan cannot be read: %s", path, strerror(errno));
	text[n] = 0;
	if (n == JSON_MAX || strlen(text) != n)
		return hf_err(HF_USAGE, "%s: no plan of holdfast: not one JSON object", path);
	return hf_err_prefix(hf_plan_from_json(text, ret), "%s", path);
}

void hf_plan_deinit(struct hf_plan *plan)
{
	hf_arena_deinit(&plan->names);
}
