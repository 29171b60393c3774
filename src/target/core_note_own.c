#include "core.h"
#include "facts.h"
#include "maps.h"

#include <stdio.h>

/* A part of our note: the lines from a heading to the next one. */
struct part {
	const char *text;
	size_t len;
};

static bool is_heading(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line[i] < 'a' || line[i] > 'z')
			return false;
	return n > 0;
}

/* The lines of text after the line "name", up to the next line that is a heading: letters only. */
static struct part find_part(const char *text, size_t len, const char *name)
{
	struct part part = {0};
	size_t pos = 0;

	while (pos < len) {
		const char *line = text + pos, *nl = memchr(line, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - line) : len - pos;
		bool heading = is_heading(line, n);

		pos += n + (nl ? 1 : 0);
		if (heading && part.text)
			break;
		if (heading && n == strlen(name) && !memcmp(line, name, n))
			part.text = text + pos;
		else if (part.text)
			part.len = (size_t)(text + pos - part.text);
	}
	return part;
}

/* The next line of a part as a string, cut at size; false at the end. */
static bool next_line(struct part *part, char *line, size_t size)
{
	const char *nl = part->len ? memchr(part->text, '\n', part->len) : NULL;
	size_t n = nl ? (size_t)(nl - part->text) : part->len;

	if (!part->len)
		return false;
	snprintf(line, size, "%.*s", (int)hf_min(n, size - 1), part->text);
	part->text += n + (nl ? 1 : 0);
	part->len -= n + (nl ? 1 : 0);
	return true;
}

static struct hf_err *read_lost(struct hf_target *t, struct part part)
{
	struct hf_core *core = t->arg;
	uint64_t end = 0;
	char line[64];

	while (next_line(&part, line, sizeof(line))) {
		struct hf_range range;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &range.start, &range.end) != 2 ||
		    range.start >= range.end || range.start < end)
			continue;
		end = range.end;
		HF_TRY(hf_vec_push(&core->lost, range));
	}
	return NULL;
}

/* Lines "tid ns_tid name", in the order of the NT_PRSTATUS notes. */
static void read_threads(struct hf_target *t, struct part part)
{
	char line[96];

	for (size_t i = 0; i < t->threads.n && next_line(&part, line, sizeof(line)); i++) {
		struct hf_thread *thread = &t->threads.at[i];
		int tid, ns_tid, at = 0;

		if (sscanf(line, "%d %d %n", &tid, &ns_tid, &at) != 2 || !at || tid != thread->tid)
			continue;
		thread->ns_tid = ns_tid;
		snprintf(thread->name, sizeof(thread->name), "%.31s", line + at);
		for (char *c = thread->name; *c; c++)
			*c = (unsigned char)*c >= ' ' && *c != 0x7f ? *c : '?';
	}
}

static struct hf_err *read_maps(struct hf_target *t, struct part part)
{
	struct hf_core *core = t->arg;
	struct hf_err *err;

	if (!part.text || !part.len)
		return NULL;
	err = hf_maps_parse(t, part.text, part.len);
	if (hf_err_code(err) == HF_NOMEM)
		return err;
	if (err)
		hf_target_warn(t, true, "the snap's list of mappings is damaged: %s", hf_err_message(err));
	core->own_maps = !hf_err_ignore(err) && t->maps.n;
	hf_vec_each(&t->maps, map)
		if (map->path[strcspn(map->path, "\n\r\033")])
			HF_TRY(hf_core_keep_text(t, map->path, strlen(map->path), &map->path));
	return NULL;
}

struct hf_err *hf_core_read_own_note(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	struct part maps = find_part(core->note, core->note_len, "maps");
	size_t facts_len = maps.text ? (size_t)(maps.text - core->note) - strlen("maps\n") : core->note_len;
	struct hf_err *err = hf_facts_parse(core->note, facts_len, &t->facts);

	if (hf_err_code(err) == HF_NOMEM)
		return err;
	if (err)
		hf_target_warn(t, true, "the snap's facts are damaged: %s", hf_err_message(err));
	hf_err_ignore(err);
	HF_TRY(read_maps(t, maps));
	read_threads(t, find_part(core->note, core->note_len, "threads"));
	return read_lost(t, find_part(core->note, core->note_len, "lost"));
}
