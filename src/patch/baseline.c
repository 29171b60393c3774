#include "baseline.h"

#include "../base/outfile.h"
#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX 24

static const struct {
	const char *key;
	size_t at;
} numbers[] = {
	{"start_time", offsetof(struct hf_baseline, start_time)},
	{"live_bytes", offsetof(struct hf_baseline, live_bytes)},
	{"total_alloc", offsetof(struct hf_baseline, total_alloc)},
	{"alloc_rate", offsetof(struct hf_baseline, alloc_rate)},
	{"pool_bytes", offsetof(struct hf_baseline, pool_bytes)},
	{"collections", offsetof(struct hf_baseline, collections)},
	{"old_size", offsetof(struct hf_baseline, old_size)},
	{"new_size", offsetof(struct hf_baseline, new_size)},
	{"old_items", offsetof(struct hf_baseline, old_items)},
	{"new_items", offsetof(struct hf_baseline, new_items)},
};

static uint64_t *number_of(const struct hf_baseline *b, size_t i)
{
	return (uint64_t *)((char *)b + numbers[i].at);
}

static struct hf_err *path_of(const char *id, pid_t pid, struct hf_str *ret)
{
	char name[HF_PLAN_ID + 40];

	snprintf(name, sizeof(name), "baselines/%.16s-%d.json", id, (int)pid);
	return hf_state_path(name, ret);
}

/* Numbers are texts: JSON's own have no 64 bits everywhere. */
static json_t *to_json(const struct hf_baseline *b)
{
	json_t *o = json_pack("{s:s, s:i, s:f, s:f, s:s}", "id", b->id, "pid", (int)b->pid, "at", b->at,
			      "up_s", b->up_s, "type", b->type);
	char text[TEXT_MAX];

	for (size_t i = 0; o && i < HF_LEN(numbers); i++) {
		snprintf(text, sizeof(text), "%" PRIu64, *number_of(b, i));
		if (json_object_set_new(o, numbers[i].key, json_string(text))) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static struct hf_err *write_file(const char *path, const char *text)
{
	_cleanup_(hf_outfile_deinit) struct hf_outfile file = {.fd = -1};

	HF_TRY(hf_state_make_folders(path));
	HF_TRY(hf_outfile_create(path, &file));
	HF_TRY(hf_outfile_write(&file, text, strlen(text), 0));
	return hf_outfile_publish(&file);
}

struct hf_err *hf_baseline_keep(const struct hf_baseline *b)
{
	_cleanup_(hf_str_deinit) struct hf_str path = {0};
	json_t *o = to_json(b);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	struct hf_err *err;

	json_decref(o);
	if (!text)
		return hf_err_nomem();
	err = path_of(b->id, b->pid, &path);
	if (!err)
		err = write_file(path.s, text);
	hf_free(text);
	return err;
}

static bool read_number(const json_t *o, const char *key, uint64_t *ret)
{
	const char *text = json_string_value(json_object_get(o, key));
	char *end;

	if (!text || !*text)
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !*end && !errno;
}

static bool from_json(const json_t *o, struct hf_baseline *ret)
{
	const char *id = json_string_value(json_object_get(o, "id"));

	const char *type = json_string_value(json_object_get(o, "type"));

	if (!id || strlen(id) != HF_PLAN_ID - 1 || !type || strlen(type) >= sizeof(ret->type))
		return false;
	memcpy(ret->id, id, HF_PLAN_ID);
	memcpy(ret->type, type, strlen(type) + 1);
	ret->pid = (pid_t)json_integer_value(json_object_get(o, "pid"));
	ret->at = json_number_value(json_object_get(o, "at"));
	ret->up_s = json_number_value(json_object_get(o, "up_s"));
	for (size_t i = 0; i < HF_LEN(numbers); i++)
		if (!read_number(o, numbers[i].key, number_of(ret, i)))
			return false;
	return true;
}

struct hf_err *hf_baseline_find(const char *id, pid_t pid, uint64_t start_time, struct hf_baseline *ret,
				bool *ret_found)
{
	_cleanup_(hf_str_deinit) struct hf_str path = {0};
	struct hf_baseline b = {0};
	json_error_t why;
	json_t *o;
	bool ours;

	*ret_found = false;
	HF_TRY(path_of(id, pid, &path));
	if (access(path.s, F_OK) != 0)
		return NULL;
	o = json_load_file(path.s, 0, &why);
	ours = o && from_json(o, &b);
	json_decref(o);
	if (!ours)
		return hf_err(HF_USAGE, "%s says nothing that we can read: remove it", path.s);
	/* Another process of that number. */
	if (b.start_time != start_time)
		return NULL;
	*ret = b;
	*ret_found = true;
	return NULL;
}
