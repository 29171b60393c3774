#include "maps.h"

#include <sys/sysmacros.h>

/* What is left of one line. */
struct cursor {
	const char *at, *end;
};

static bool take_number(struct cursor *c, unsigned base, uint64_t *ret)
{
	uint64_t v = 0;
	const char *from = c->at;

	for (; c->at < c->end; c->at++) {
		char ch = *c->at;
		unsigned digit = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
				 : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10
							  : 99;

		if (digit >= base)
			break;
		if (hf_mul_overflows(v, base, &v) || hf_add_overflows(v, digit, &v))
			return false;
	}
	*ret = v;
	return c->at > from;
}

static bool take_char(struct cursor *c, char want)
{
	if (c->at >= c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

static bool take_perms(struct cursor *c, struct hf_map *map)
{
	const char *p = c->at;

	if (c->end - p < 4)
		return false;
	if ((p[0] != 'r' && p[0] != '-') || (p[1] != 'w' && p[1] != '-') || (p[2] != 'x' && p[2] != '-') ||
	    (p[3] != 'p' && p[3] != 's'))
		return false;
	map->readable = p[0] == 'r';
	map->writable = p[1] == 'w';
	map->executable = p[2] == 'x';
	map->shared = p[3] == 's';
	c->at += 4;
	return true;
}

static bool take_fields(struct cursor *c, struct hf_map *map)
{
	uint64_t major, minor;

	if (!take_number(c, 16, &map->start) || !take_char(c, '-') || !take_number(c, 16, &map->end) ||
	    !take_char(c, ' ') || !take_perms(c, map) || !take_char(c, ' ') ||
	    !take_number(c, 16, &map->offset) || !take_char(c, ' ') || !take_number(c, 16, &major) ||
	    !take_char(c, ':') || !take_number(c, 16, &minor) || !take_char(c, ' ') ||
	    !take_number(c, 10, &map->inode) || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	map->dev = makedev((unsigned)major, (unsigned)minor);
	while (take_char(c, ' '))
		;
	return true;
}

/* The path as a string that lives as long as t: one that t has already, where the text is the same, so that stopping
 * over and over does not pile up names. */
static struct hf_err *keep_path(struct hf_target *t, const struct hf_map *before, const struct hf_map *map,
				const char *path, size_t len, const char **ret)
{
	const struct hf_map *old = hf_target_find_map(t, map->start);

	if (!len) {
		*ret = "";
	} else if (before && strlen(before->path) == len && !memcmp(before->path, path, len)) {
		*ret = before->path;
	} else if (old && strlen(old->path) == len && !memcmp(old->path, path, len)) {
		*ret = old->path;
	} else {
		*ret = hf_arena_strndup(&t->names, path, len);
		if (!*ret)
			return hf_err_nomem();
	}
	return NULL;
}

/* The kernel writes a newline in a name as \012, and nothing else so. Source: Linux fs/proc/task_mmu.c */
static size_t unescape(char *path, size_t len)
{
	size_t o = 0;

	for (size_t i = 0; i < len; o++) {
		bool newline = len - i >= 4 && !memcmp(path + i, "\\012", 4);

		path[o] = newline ? '\n' : path[i];
		i += newline ? 4 : 1;
	}
	return o;
}

static struct hf_err *parse_path(struct hf_target *t, const struct hf_map *before, struct cursor c,
				 struct hf_map *map)
{
	static const char suffix[] = " (deleted)";
	size_t len = (size_t)(c.end - c.at), tail = sizeof(suffix) - 1;
	char name[8192];

	if (len > sizeof(name) || memchr(c.at, '\0', len))
		return hf_err(HF_BADDATA, "the name of a mapping is no path (%zu bytes)", len);
	memcpy(name, c.at, len);
	if (len > tail && name[0] == '/' && !memcmp(name + len - tail, suffix, tail)) {
		map->deleted = true;
		len -= tail;
	}
	len = unescape(name, len);
	return keep_path(t, before, map, name, len, &map->path);
}

static struct hf_err *parse_line(struct hf_target *t, const struct hf_map *before, struct cursor c,
				 struct hf_map *ret)
{
	if (!take_fields(&c, ret))
		return hf_err(HF_BADDATA, "not a mapping");
	if (ret->start >= ret->end || ret->start % HF_ARCH_PAGE || ret->end % HF_ARCH_PAGE)
		return hf_err_at(HF_BADDATA, ret->start, "a mapping of no whole pages");
	if (before && ret->start < before->end)
		return hf_err_at(HF_BADDATA, ret->start, "a mapping out of order");
	return parse_path(t, before, c, ret);
}

struct hf_err *hf_maps_parse(struct hf_target *t, const char *text, size_t len)
{
	__typeof__(t->maps) maps = {0};
	struct hf_err *err = NULL;
	size_t line = 0;

	for (const char *at = text, *end = text + len; at < end && !err;) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		struct cursor c = {at, eol ? eol : end};
		struct hf_map map = {0};

		line++;
		err = hf_err_prefix(parse_line(t, maps.n ? &maps.at[maps.n - 1] : NULL, c, &map),
				    "line %zu of the mappings", line);
		if (!err)
			err = hf_vec_push(&maps, map);
		at = eol ? eol + 1 : end;
	}
	if (err) {
		hf_vec_deinit(&maps);
		return err;
	}
	hf_vec_deinit(&t->maps);
	t->maps = maps;
	return NULL;
}

void hf_maps_print(const struct hf_target *t, struct hf_str *ret)
{
	hf_vec_each(&t->maps, m) {
		hf_str_addf(ret, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64,
			    m->start, m->end, m->readable ? 'r' : '-', m->writable ? 'w' : '-',
			    m->executable ? 'x' : '-', m->shared ? 's' : 'p', m->offset, major(m->dev),
			    minor(m->dev), m->inode);
		if (m->path[0])
			hf_str_addc(ret, ' ');
		for (const char *p = m->path; *p; p++)
			if (*p == '\n')
				hf_str_add(ret, "\\012");
			else
				hf_str_addc(ret, *p);
		hf_str_add(ret, m->deleted ? " (deleted)\n" : "\n");
	}
}
