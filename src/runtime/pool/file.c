/* What the file says, as a flat list of keys. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (1u << 20)
#define POOLS_MAX 1024
#define KEYS_MAX  64 /* of one pool */

struct parser {
	const char *path;
	size_t pool; /* which one we are at */
	struct hf_pool_file *file;
	struct hf_pool_entries *entries;
};

void hf_pool_file_deinit(struct hf_pool_file *f)
{
	hf_vec_each(&f->pools, p)
		hf_vec_deinit(&p->list);
	hf_vec_deinit(&f->pools);
	hf_arena_deinit(&f->names);
}

static struct hf_err *keep(struct parser *p, const char *s, const char **ret)
{
	*ret = hf_arena_strndup(&p->file->names, s, strlen(s));
	return *ret ? NULL : hf_err_nomem();
}

static struct hf_err *refuse(const struct parser *p, const char *key, const char *what)
{
	return hf_err(HF_USAGE, "%s: pools[%zu].%s: %s", p->path, p->pool, key, what);
}

static bool is_natural(const json_t *v)
{
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

/* {"offset": 24, "size": 4, "pointer": true} or {"value": 64}. */
static struct hf_err *parse_place(const struct parser *p, const char *key, json_t *object,
				  struct hf_pool_entry *ret)
{
	bool constant = json_object_get(object, "value");
	const char *name;
	json_t *v;

	ret->word = constant ? HF_POOL_VALUE : HF_POOL_OFFSET;
	json_object_foreach(object, name, v)
	{
		if (!strcmp(name, constant ? "value" : "offset") && is_natural(v))
			ret->number = (uint64_t)json_integer_value(v);
		else if (!constant && !strcmp(name, "size") && is_natural(v) &&
			 (json_integer_value(v) == 1 || json_integer_value(v) == 2 ||
			  json_integer_value(v) == 4 || json_integer_value(v) == 8))
			ret->size = (uint8_t)json_integer_value(v);
		else if (!constant && !strcmp(name, "pointer") && json_is_boolean(v))
			ret->pointer = json_is_true(v);
		else
			return refuse(p, key,
				      "write {\"value\": N}, or {\"offset\": N, \"size\": 1, 2, 4 or 8, "
				      "\"pointer\": true or false}");
	}
	return NULL;
}

static bool is_place(const json_t *v)
{
	return json_is_object(v) && (json_object_get(v, "offset") || json_object_get(v, "value"));
}

static struct hf_err *parse_entry(struct parser *p, const char *key, json_t *v)
{
	struct hf_pool_entry entry = {.size = 8, .text = ""};

	if (p->entries->list.n == KEYS_MAX)
		return refuse(p, key, "more keys than any kind of pool has");
	if (is_place(v)) {
		HF_TRY(parse_place(p, key, v, &entry));
	} else if (json_is_string(v)) {
		entry.word = HF_POOL_TEXT;
		HF_TRY(keep(p, json_string_value(v), &entry.text));
	} else if (is_natural(v)) {
		entry.word = HF_POOL_OFFSET;
		entry.number = (uint64_t)json_integer_value(v);
	} else {
		return refuse(
			p, key,
			"write a name in quotes, an offset from 0, or {\"value\": N} for a number as such");
	}
	HF_TRY(keep(p, key, &entry.key));
	return hf_vec_push(&p->entries->list, entry);
}

/* The keys of a group: "slabs.head". */
static struct hf_err *parse_group(struct parser *p, const char *group, json_t *object)
{
	struct hf_str key = {0};
	struct hf_err *err = NULL;
	const char *name;
	json_t *v;

	json_object_foreach(object, name, v)
	{
		hf_str_truncate(&key, 0);
		hf_str_addf(&key, "%s.%s", group, name);
		err = hf_str_check(&key);
		err = err ? err : parse_entry(p, hf_str_get(&key), v);
		if (err)
			break;
	}
	hf_str_deinit(&key);
	return err;
}

static struct hf_err *parse_pool(struct parser *p, json_t *object)
{
	const char *name;
	json_t *v;

	if (!json_is_object(object))
		return hf_err(HF_USAGE, "%s: pools[%zu] is no object: write {\"name\": ...} for each pool",
			      p->path, p->pool);
	json_object_foreach(object, name, v)
		HF_TRY(json_is_object(v) && !is_place(v) ? parse_group(p, name, v) : parse_entry(p, name, v));
	return NULL;
}

static struct hf_err *parse_pools(const char *path, json_t *root, struct hf_pool_file *ret)
{
	json_t *list = json_object_get(root, "pools"), *v;
	struct parser p = {.path = path, .file = ret};
	const char *name;

	json_object_foreach(root, name, v) if (strcmp(name, "pools")) return hf_err(
		HF_USAGE, "%s: unknown key '%s': the file has one key, \"pools\", with a list", path, name);
	if (!json_array_size(list) || json_array_size(list) > POOLS_MAX)
		return hf_err(HF_USAGE,
			      "%s: describes no pool: write {\"pools\": [...]} with 1 to %d of them", path,
			      POOLS_MAX);
	json_array_foreach(list, p.pool, v)
	{
		HF_TRY(hf_vec_push(&ret->pools, (struct hf_pool_entries){0}));
		p.entries = &ret->pools.at[ret->pools.n - 1];
		HF_TRY(parse_pool(&p, v));
	}
	return NULL;
}

struct hf_err *hf_pool_file_parse(const char *path, const char *text, size_t len, struct hf_pool_file *ret)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	struct hf_err *err;

	if (!root)
		return hf_err(HF_USAGE, "%s:%d:%d: %s: a file of pools is JSON", path, why.line, why.column,
			      why.text);
	err = parse_pools(path, root, ret);
	json_decref(root);
	return err;
}

/* A pipe that nobody writes to would keep us waiting. */
static struct hf_err *open_file(const char *path, int *ret)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return hf_err(HF_IO, "the file of pools %s cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return hf_err(HF_IO, "the file of pools %s is no regular file", path);
	*ret = fd;
	fd = -1;
	return NULL;
}

struct hf_err *hf_pool_file_read(const char *path, struct hf_pool_file *ret)
{
	_free_ char *text = hf_malloc(FILE_MAX + 1);
	_close_ int fd = -1;
	size_t n = 0;
	ssize_t got;

	if (!text)
		return hf_err_nomem();
	HF_TRY(open_file(path, &fd));
	do {
		got = read(fd, text + n, FILE_MAX + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	} while ((got > 0 && n <= FILE_MAX) || (got < 0 && errno == EINTR));
	if (got < 0)
		return hf_err(HF_IO, "the file of pools %s cannot be read: %s", path, strerror(errno));
	if (n > FILE_MAX)
		return hf_err(HF_USAGE, "%s is larger than 1 MiB: no file of pools is", path);
	return hf_pool_file_parse(path, text, n, ret);
}
