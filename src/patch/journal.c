#define _GNU_SOURCE
#include "journal.h"
#include "state.h"
#include "fault.h"

#include "../base/safe.h"
#include "../base/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536u
#define LOCK_SECONDS   10.0
#define ROOM           4096u /* asked for ahead of a line: what follows it must fit, too */

enum field_kind { TEXT, HEX, NUMBER, FLAG, REAL, HEX_OR_NONE };

/* Every member of an entry but event. */
static const struct field {
	const char *key;
	enum field_kind kind;
	size_t at;
} fields[] = {
	{"plan", TEXT, offsetof(struct hf_journal_entry, plan)},
	{"start_time", NUMBER, offsetof(struct hf_journal_entry, start_time)},
	{"boot", TEXT, offsetof(struct hf_journal_entry, boot)},
	{"build_id", TEXT, offsetof(struct hf_journal_entry, build_id)},
	{"exe", TEXT, offsetof(struct hf_journal_entry, exe)},
	{"runtime", TEXT, offsetof(struct hf_journal_entry, runtime)},
	{"pool", TEXT, offsetof(struct hf_journal_entry, pool)},
	{"kind", TEXT, offsetof(struct hf_journal_entry, kind)},
	{"old_function", TEXT, offsetof(struct hf_journal_entry, old_function)},
	{"new_function", TEXT, offsetof(struct hf_journal_entry, new_function)},
	{"slot_addr", HEX, offsetof(struct hf_journal_entry, slot_addr)},
	{"old_value", HEX, offsetof(struct hf_journal_entry, old_value)},
	{"new_value", HEX, offsetof(struct hf_journal_entry, new_value)},
	{"restore", HEX, offsetof(struct hf_journal_entry, restore)},
	{"link_addr", HEX_OR_NONE, offsetof(struct hf_journal_entry, link_addr)},
	{"link_value", HEX_OR_NONE, offsetof(struct hf_journal_entry, link_value)},
	{"old_on_heap", FLAG, offsetof(struct hf_journal_entry, old_on_heap)},
	{"uid", NUMBER, offsetof(struct hf_journal_entry, uid)},
	{"at", REAL, offsetof(struct hf_journal_entry, at)},
	{"expires", REAL, offsetof(struct hf_journal_entry, expires)},
	{"ended", REAL, offsetof(struct hf_journal_entry, ended)},
	{"stopped_s", REAL, offsetof(struct hf_journal_entry, stopped_s)},
	{"why", TEXT, offsetof(struct hf_journal_entry, why)},
};

static const char *const events[] = {
#define EVENT_NAME(name, text) text,
	HF_JOURNAL_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};

const char *hf_journal_event_name(enum hf_journal_event event)
{
	return events[event];
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

/* Who can write to it says what a later revert, perhaps as root, stores in a process. */
static struct hf_err *check_owner(const struct hf_journal *j)
{
	struct stat st;

	if (fstat(j->fd, &st) || !S_ISREG(st.st_mode))
		return hf_err(HF_IO, "%s: is no regular file", j->path);
	if (st.st_uid != geteuid())
		return hf_err(
			HF_REFUSED,
			"%s: the journal belongs to user %u: set XDG_STATE_HOME to a folder of your own",
			j->path, st.st_uid);
	if (st.st_mode & 022)
		return hf_err(HF_REFUSED, "%s: others may write to the journal: chmod 600 it", j->path);
	return NULL;
}

static struct hf_err *lock(const struct hf_journal *j)
{
	double until = hf_now() + LOCK_SECONDS;

	while (flock(j->fd, LOCK_EX | LOCK_NB)) {
		struct timespec pause = {.tv_nsec = 5000000};

		if (errno != EWOULDBLOCK && errno != EINTR)
			return hf_err(HF_IO, "%s: cannot be locked: %s", j->path, strerror(errno));
		if (hf_now() > until)
			return hf_err(HF_REFUSED, "%s: another holdfast is at work with it: try again",
				      j->path);
		HF_TRY(hf_interrupt_check());
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static struct hf_err *open_file(struct hf_journal *j, bool write)
{
	int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	if (write)
		HF_TRY(hf_state_make_folders(j->path));
	j->fd = write ? open(j->path, O_RDWR | O_APPEND | O_CREAT | flags, 0600)
		      : open(j->path, O_RDONLY | flags);
	if (j->fd < 0 && errno == ENOENT && !write)
		return NULL;
	if (j->fd < 0)
		return hf_err(HF_IO, "%s: the journal cannot be opened: %s", j->path, strerror(errno));
	HF_TRY(check_owner(j));
	return write ? lock(j) : NULL;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

bool hf_journal_is_of(const struct hf_journal_entry *entry, const struct hf_identity *id)
{
	return entry->pid == id->pid && entry->start_time == id->start_time &&
	       !strcmp(entry->boot, id->boot) && !strcmp(entry->build_id, id->build_id);
}

static bool same_patch(const struct hf_journal_entry *a, const struct hf_journal_entry *b)
{
	return a->pid == b->pid && a->start_time == b->start_time && a->slot_addr == b->slot_addr &&
	       !strcmp(a->plan, b->plan) && !strcmp(a->boot, b->boot);
}

/* The entry of the same patch; or a new one. */
static struct hf_err *place_of(struct hf_journal *j, const struct hf_journal_entry *like,
			       struct hf_journal_entry **ret)
{
	uint64_t key = hf_text_hash(hf_text_hash(like->start_time, like->plan), like->boot) ^ like->slot_addr;
	uint64_t at;

	for (; hf_map64_find(&j->index, key, &at); key++) {
		if (!same_patch(&j->entries.at[at], like))
			continue;
		*ret = &j->entries.at[at];
		return NULL;
	}
	HF_TRY(hf_map64_put(&j->index, key, j->entries.n));
	HF_TRY(hf_vec_push(&j->entries, *like));
	*ret = &j->entries.at[j->entries.n - 1];
	return NULL;
}

static bool read_hex(const char *text, uint64_t *ret)
{
	char *end;

	if (!text || strncmp(text, "0x", 2) != 0 || !text[2] || strlen(text) > 18)
		return false;
	*ret = strtoull(text + 2, &end, 16);
	return !*end;
}

/* False: it is of another kind. Texts stay in the JSON value. */
static bool read_field(const struct field *f, const json_t *value, struct hf_journal_entry *ret)
{
	void *at = (char *)ret + f->at;

	switch (f->kind) {
	case TEXT:
		*(const char **)at = json_string_value(value);
		return json_is_string(value);
	case HEX:
		return read_hex(json_string_value(value), at);
	case HEX_OR_NONE:
		return !value || read_hex(json_string_value(value), at);
	case NUMBER:
		*(uint64_t *)at = (uint64_t)json_integer_value(value);
		return json_is_integer(value) && json_integer_value(value) >= 0;
	case FLAG:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case REAL:
		*(double *)at = json_number_value(value);
		return json_is_number(value) && *(double *)at >= 0;
	}
	return false;
}

static bool read_entry(const json_t *o, struct hf_journal_entry *ret)
{
	const char *event = json_string_value(json_object_get(o, "event"));
	json_int_t pid = json_integer_value(json_object_get(o, "pid"));
	size_t i = 0;

	while (event && i < HF_LEN(events) && strcmp(events[i], event) != 0)
		i++;
	if (!event || i == HF_LEN(events) || pid <= 0 || pid > INT32_MAX)
		return false;
	ret->event = (enum hf_journal_event)i;
	ret->pid = (pid_t)pid;
	for (i = 0; i < HF_LEN(fields); i++)
		if (!read_field(&fields[i], json_object_get(o, fields[i].key), ret))
			return false;
	return true;
}

static struct hf_err *keep_texts(struct hf_journal *j, struct hf_journal_entry *entry)
{
	for (size_t i = 0; i < HF_LEN(fields); i++) {
		const char **at = (const char **)((char *)entry + fields[i].at);

		if (fields[i].kind != TEXT)
			continue;
		*at = hf_arena_strndup(&j->names, *at ? *at : "", *at ? strlen(*at) : 0);
		if (!*at)
			return hf_err_nomem();
	}
	return NULL;
}

static struct hf_err *take_line(struct hf_journal *j, const char *line, size_t len)
{
	struct hf_journal_entry said = {0}, *entry;
	json_t *o;
	struct hf_err *err = NULL;

	if (!len)
		return NULL;
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o) || !read_entry(o, &said)) {
		j->damaged++;
	} else {
		err = keep_texts(j, &said);
		if (!err)
			err = place_of(j, &said, &entry);
		if (!err)
			*entry = said;
	}
	json_decref(o);
	return err;
}

/* Line by line; a last one that was cut short says nothing: what it was to announce did not happen. */
static struct hf_err *read_lines(struct hf_journal *j)
{
	_free_ char *buf = hf_malloc(LINE_MAX_BYTES);
	bool skipping = false; /* a line that is too long for ours */
	size_t n = 0;
	ssize_t got;
	off_t at = 0;

	if (!buf)
		return hf_err_nomem();
	while ((got = pread(j->fd, buf + n, LINE_MAX_BYTES - n, at)) != 0) {
		char *from = buf, *end;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return hf_err(HF_IO, "%s: the journal cannot be read: %s", j->path, strerror(errno));
		at += got;
		n += (size_t)got;
		while ((end = memchr(from, '\n', n - (size_t)(from - buf)))) {
			if (!skipping)
				HF_TRY(take_line(j, from, (size_t)(end - from)));
			skipping = false;
			from = end + 1;
		}
		n -= (size_t)(from - buf);
		memmove(buf, from, n);
		if (n < LINE_MAX_BYTES)
			continue;
		j->damaged += !skipping;
		skipping = true;
		n = 0;
	}
	return NULL;
}

struct hf_err *hf_journal_open(const char *path, bool write, struct hf_journal *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str name = {0};

	ret->fd = -1;
	if (path)
		hf_str_add(&name, path);
	else
		HF_TRY(hf_state_path("journal.jsonl", &name));
	HF_TRY(hf_str_check(&name));
	ret->path = hf_strdup(hf_str_get(&name));
	if (!ret->path)
		return hf_err_nomem();
	HF_TRY(open_file(ret, write));
	return ret->fd >= 0 ? read_lines(ret) : NULL;
}

void hf_journal_close(struct hf_journal *j)
{
	hf_close_p(&j->fd);
	hf_free(j->path);
	hf_vec_deinit(&j->entries);
	hf_map64_deinit(&j->index);
	hf_arena_deinit(&j->names);
	*j = (struct hf_journal){.fd = -1};
}

/* ---- appending -------------------------------------------------------------------------------------------------- */

static json_t *to_json(const struct field *f, const struct hf_journal_entry *entry)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	const void *at = (const char *)entry + f->at;

	switch (f->kind) {
	case TEXT:
		hf_str_add_clean(&text, *(const char *const *)at ? *(const char *const *)at : "");
		return text.failed ? NULL : json_string(hf_str_get(&text));
	case HEX:
	case HEX_OR_NONE:
		hf_str_addf(&text, "0x%" PRIx64, *(const uint64_t *)at);
		return text.failed ? NULL : json_string(hf_str_get(&text));
	case NUMBER:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case FLAG:
		return json_boolean(*(const bool *)at);
	case REAL:
		return json_real(*(const double *)at);
	}
	return NULL;
}

/* The line, after the end of one that was cut short. */
static struct hf_err *make_line(const struct hf_journal_entry *entry, bool torn, struct hf_str *ret)
{
	json_t *o = json_object();
	int failed = !o || json_object_set_new(o, "event", json_string(events[entry->event])) ||
		     json_object_set_new(o, "pid", json_integer(entry->pid));
	size_t len;

	for (size_t i = 0; i < HF_LEN(fields) && !failed; i++)
		failed = json_object_set_new(o, fields[i].key, to_json(&fields[i], entry));
	len = failed ? 0 : json_dumpb(o, NULL, 0, JSON_COMPACT);
	if (len && len < LINE_MAX_BYTES - 1) {
		_free_ char *text = hf_malloc(len);

		if (torn)
			hf_str_addc(ret, '\n');
		if (text && json_dumpb(o, text, len, JSON_COMPACT) == len)
			hf_str_addn(ret, text, len);
		else
			len = 0;
		hf_str_addc(ret, '\n');
	}
	json_decref(o);
	if (failed || !len)
		return hf_err_nomem();
	if (len >= LINE_MAX_BYTES - 1)
		return hf_err(HF_UNSUPPORTED, "names of %zu bytes are too long for the journal", len);
	return hf_str_check(ret);
}

static struct hf_err *not_written(const struct hf_journal *j, const char *why)
{
	return hf_err(HF_IO, "%s: the journal cannot be written: %s", j->path, why);
}

static struct hf_err *check_room(const struct hf_journal *j, uint64_t size, uint64_t more)
{
	struct rlimit limit;

	/* Past this limit a write would end us by SIGXFSZ, in the middle of what we do. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < size + more)
		return not_written(j, "it would be larger than ulimit -f allows");
	/* Takes the blocks now, for this line and those that follow it; where it cannot, the write itself will tell. */
	if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, (off_t)size, (off_t)more) && errno == ENOSPC)
		return not_written(j, strerror(ENOSPC));
	return NULL;
}

static struct hf_err *write_line(struct hf_journal *j, const struct hf_str *line, off_t size)
{
	size_t n = 0;
	ssize_t put = 0;

	while (n < line->n &&
	       ((put = write(j->fd, line->s + n, line->n - n)) > 0 || (put < 0 && errno == EINTR)))
		n += put > 0 ? (size_t)put : 0;
	if (n == line->n && !fsync(j->fd))
		return NULL;
	put = errno;
	if (!ftruncate(j->fd, size)) /* a line is there whole, or not at all */
		fsync(j->fd);
	return not_written(j, strerror((int)put));
}

struct hf_err *hf_journal_append(struct hf_journal *j, const struct hf_journal_entry *entry)
{
	_cleanup_(hf_str_deinit) struct hf_str line = {0};
	struct hf_journal_entry kept = *entry, *place;
	struct stat st;
	char last = '\n';

	if (fstat(j->fd, &st))
		return not_written(j, strerror(errno));
	if (st.st_size && pread(j->fd, &last, 1, st.st_size - 1) != 1)
		return not_written(j, strerror(errno));
	HF_TRY(make_line(entry, last != '\n', &line));
	HF_TRY(keep_texts(j, &kept));
	HF_TRY(place_of(j, &kept, &place));
	HF_TRY(check_room(j, (uint64_t)st.st_size, line.n + ROOM));
	HF_TRY(write_line(j, &line, st.st_size));
	*place = kept;
	hf_fault_point(hf_journal_event_name(entry->event));
	return NULL;
}
