#include "buildinfo.h"

#include "../../base/vec.h"

#define MAGIC       "\xff Go buildinf:"
#define MAGIC_LEN   14
#define ALIGN       16
#define FLAGS       15
#define FLAG_INLINE 2
#define HEADER      32
#define SENTINEL    16 /* cmd/go/internal/modload, infoStart and infoEnd */
#define VERSION_MAX 256
#define DEPS_MAX    100000

/* A run of bytes being consumed. */
struct text {
	const char *at;
	size_t n;
};

/* A length in base 128, as binary.Uvarint, then as many bytes. False: overlong, or more than is there. */
static bool take_string(struct text *from, struct text *ret)
{
	uint64_t len = 0;
	size_t i = 0;
	uint8_t byte;

	do {
		if (i == from->n || i == 10)
			return false;
		byte = (uint8_t)from->at[i];
		if (i == 9 && byte > 1)
			return false;
		len |= (uint64_t)(byte & 0x7f) << (7 * i);
		i++;
	} while (byte & 0x80);
	if (len > from->n - i)
		return false;
	*ret = (struct text){from->at + i, (size_t)len};
	from->at += i + len;
	from->n -= i + (size_t)len;
	return true;
}

static const char *find_magic(const char *bytes, size_t len)
{
	for (size_t i = 0; i + HEADER <= len; i += ALIGN)
		if (!memcmp(bytes + i, MAGIC, MAGIC_LEN))
			return bytes + i;
	return NULL;
}

bool go_buildinfo_split(const void *bytes, size_t len, struct go_buildinfo *ret)
{
	const char *header = find_magic(bytes, len);
	struct text rest, version, modules;

	if (!header || !((uint8_t)header[FLAGS] & FLAG_INLINE))
		return false;
	rest.at = header + HEADER;
	rest.n = len - (size_t)(rest.at - (const char *)bytes);
	if (!take_string(&rest, &version) || !version.n || version.n > VERSION_MAX)
		return false;
	*ret = (struct go_buildinfo){.version = version.at, .version_n = version.n};
	if (take_string(&rest, &modules) && modules.n > 2 * SENTINEL &&
	    modules.at[modules.n - SENTINEL - 1] == '\n') {
		ret->modules = modules.at + SENTINEL;
		ret->modules_n = modules.n - 2 * SENTINEL;
	}
	return true;
}

static void make_printable(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			s[i] = '?';
}

char *go_buildinfo_text(struct hf_arena *arena, const char *s, size_t n)
{
	size_t shown = hf_min(n, (size_t)GO_BUILDINFO_TEXT);
	char *copy = hf_arena_alloc(arena, shown + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, shown);
	make_printable(copy, shown);
	if (shown < n)
		memcpy(copy + shown - 3, "...", 3);
	return copy;
}

/* Cuts what stands before the first `end` off; all of it where there is none. */
static struct text cut(struct text *from, char end)
{
	const char *at = from->n ? memchr(from->at, end, from->n) : NULL;
	size_t len = at ? (size_t)(at - from->at) : from->n;
	struct text before = {from->at, len};

	from->at += len + (at ? 1 : 0);
	from->n -= len + (at ? 1 : 0);
	return before;
}

static bool take_word(struct text *line, const char *word)
{
	size_t len = strlen(word);

	if (line->n < len || memcmp(line->at, word, len))
		return false;
	line->at += len;
	line->n -= len;
	return true;
}

struct parser {
	struct hf_arena *arena;
	struct text path, main_path, main_version, revision, time;
	bool modified, replaceable; /* the last line was a dep */
	HF_VEC(struct hf_dep) deps;
};

static struct hf_err *add_dep(struct parser *p, struct text line)
{
	struct text path = cut(&line, '\t'), version = cut(&line, '\t');
	struct hf_dep dep = {.replaced_by = ""};

	if (!path.n || p->deps.n >= DEPS_MAX)
		return NULL;
	dep.path = go_buildinfo_text(p->arena, path.at, path.n);
	dep.version = go_buildinfo_text(p->arena, version.at, version.n);
	if (!dep.path || !dep.version)
		return hf_err_nomem();
	HF_TRY(hf_vec_push(&p->deps, dep));
	p->replaceable = true;
	return NULL;
}

static struct hf_err *replace_dep(struct parser *p, struct text line)
{
	struct text path = cut(&line, '\t'), version = cut(&line, '\t');
	size_t n = path.n + (version.n ? 1 + version.n : 0);
	char *by;

	if (!p->replaceable || !path.n)
		return NULL;
	/* The two stand side by side, with a tab between. */
	by = go_buildinfo_text(p->arena, path.at, n);
	if (!by)
		return hf_err_nomem();
	if (path.n < n && path.n < GO_BUILDINFO_TEXT)
		by[path.n] = ' ';
	p->deps.at[p->deps.n - 1].replaced_by = by;
	return NULL;
}

static void note_setting(struct parser *p, struct text line)
{
	if (take_word(&line, "vcs.revision="))
		p->revision = line;
	else if (take_word(&line, "vcs.time="))
		p->time = line;
	else if (take_word(&line, "vcs.modified="))
		p->modified = line.n == 4 && !memcmp(line.at, "true", 4);
}

static struct hf_err *parse_line(struct parser *p, struct text line)
{
	if (take_word(&line, "dep\t"))
		return add_dep(p, line);
	if (take_word(&line, "=>\t")) {
		struct hf_err *err = replace_dep(p, line);

		p->replaceable = false;
		return err;
	}
	p->replaceable = false;
	if (take_word(&line, "path\t")) {
		p->path = line;
	} else if (take_word(&line, "mod\t")) {
		p->main_path = cut(&line, '\t');
		p->main_version = cut(&line, '\t');
	} else if (take_word(&line, "build\t")) {
		note_setting(p, line);
	}
	return NULL;
}

static struct hf_err *name_vcs(struct parser *p, const char **ret)
{
	struct text revision = p->revision, time = p->time;
	char line[256];
	int n;

	*ret = "";
	if (!revision.n)
		return NULL;
	n = snprintf(line, sizeof(line), "%.*s%s%.*s%s", (int)hf_min(revision.n, (size_t)128), revision.at,
		     time.n ? ", " : "", (int)hf_min(time.n, (size_t)64), time.n ? time.at : "",
		     p->modified ? " (modified)" : "");
	*ret = go_buildinfo_text(p->arena, line, hf_min((size_t)n, sizeof(line) - 1));
	return *ret ? NULL : hf_err_nomem();
}

static struct hf_err *finish(struct parser *p, struct go_modinfo *ret)
{
	struct text path = p->path.n ? p->path : p->main_path;
	struct hf_dep *deps = hf_arena_alloc(p->arena, p->deps.n * sizeof(*deps));

	ret->path = go_buildinfo_text(p->arena, path.n ? path.at : "", path.n);
	ret->version =
		go_buildinfo_text(p->arena, p->main_version.n ? p->main_version.at : "", p->main_version.n);
	if (!ret->path || !ret->version || !deps)
		return hf_err_nomem();
	if (p->deps.n)
		memcpy(deps, p->deps.at, p->deps.n * sizeof(*deps));
	ret->deps = deps;
	ret->deps_n = p->deps.n;
	return name_vcs(p, &ret->vcs);
}

struct hf_err *go_modinfo_parse(const char *text, size_t n, struct hf_arena *arena, struct go_modinfo *ret)
{
	struct parser p = {.arena = arena};
	struct text rest = {text, n};
	struct go_modinfo info = {0};
	struct hf_err *err = NULL;

	while (!err && rest.n)
		err = parse_line(&p, cut(&rest, '\n'));
	if (!err)
		err = finish(&p, &info);
	hf_vec_deinit(&p.deps);
	if (!err)
		*ret = info;
	return err;
}
