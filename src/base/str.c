#include "str.h"

#include <stdio.h>

static bool reserve(struct hf_str *str, size_t more)
{
	size_t want, cap = str->cap;
	char *moved;

	if (str->failed)
		return false;
	if (hf_add_overflows(str->n + 1, more, &want)) {
		str->failed = true;
		return false;
	}
	if (want <= cap)
		return true;
	cap = hf_max(want, cap * 2 + 32);
	moved = hf_realloc(str->s, cap, 1);
	if (!moved) {
		str->failed = true;
		return false;
	}
	str->s = moved;
	str->cap = cap;
	return true;
}

void hf_str_addn(struct hf_str *str, const char *text, size_t n)
{
	if (!reserve(str, n))
		return;
	if (n)
		memcpy(str->s + str->n, text, n);
	str->n += n;
	str->s[str->n] = '\0';
}

void hf_str_add(struct hf_str *str, const char *text)
{
	hf_str_addn(str, text, strlen(text));
}

void hf_str_addc(struct hf_str *str, char c)
{
	hf_str_addn(str, &c, 1);
}

void hf_str_addv(struct hf_str *str, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n < 0)
		str->failed = true;
	else if (reserve(str, (size_t)n)) {
		vsnprintf(str->s + str->n, (size_t)n + 1, fmt, again);
		str->n += (size_t)n;
	}
	va_end(again);
}

void hf_str_addf(struct hf_str *str, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	hf_str_addv(str, fmt, args);
	va_end(args);
}

/* Printable for a terminal: no controls, nothing invisible, and none of the marks that turn the writing direction
 * and could forge a line. */
static bool is_printable(uint32_t rune)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0, 0x1f},             /* controls */
		{0x7f, 0x9f},          /* delete; C1 controls */
		{0xad, 0xad},          /* soft hyphen */
		{0x61c, 0x61c},        /* Arabic letter mark */
		{0x180e, 0x180e},      /* Mongolian vowel separator */
		{0x200b, 0x200f},      /* zero width; direction marks */
		{0x2028, 0x202e},      /* line and paragraph separators; direction overrides */
		{0x2060, 0x206f},      /* invisible operators; direction isolates */
		{0xd800, 0xf8ff},      /* surrogates; private: no glyphs that anyone agrees on */
		{0xfeff, 0xfeff},      /* byte order mark */
		{0xfff9, 0xfffb},      /* interlinear annotations */
		{0xfffe, 0xffff},      /* no characters */
		{0xe0000, 0xe0fff},    /* tags */
		{0xf0000, UINT32_MAX}, /* private; beyond Unicode */
	};

	for (size_t i = 0; i < HF_LEN(hidden); i++)
		if (rune >= hidden[i].first && rune <= hidden[i].last)
			return false;
	return true;
}

/* How long the UTF-8 sequence is that begins with this byte; 0: none does. */
static size_t utf8_expected(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The length of a well-formed, printable UTF-8 sequence at p; 0 where there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000}; /* below: an overlong form */
	size_t len = utf8_expected(p[0]);
	uint32_t rune = p[0];

	if (!len || len > left)
		return 0;
	if (len > 1)
		rune &= 0xffu >> (len + 1);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		rune = rune << 6 | (p[i] & 0x3f);
	}
	return rune >= lowest[len] && is_printable(rune) ? len : 0;
}

static void add_escaped(struct hf_str *str, unsigned char c)
{
	if (c == '\n')
		hf_str_add(str, "\\n");
	else if (c == '\t')
		hf_str_add(str, "\\t");
	else
		hf_str_addf(str, "\\x%02x", c);
}

void hf_str_add_quoted(struct hf_str *str, const void *bytes, size_t n, size_t max)
{
	const unsigned char *p = bytes;
	size_t shown = 0;

	hf_str_addc(str, '"');
	while (shown < n && shown < max) {
		size_t len = utf8_length(p + shown, n - shown);

		if (len > max - shown)
			break;
		if (!len) {
			add_escaped(str, p[shown]);
			len = 1;
		} else {
			if (p[shown] == '"' || p[shown] == '\\')
				hf_str_addc(str, '\\');
			hf_str_addn(str, (const char *)p + shown, len);
		}
		shown += len;
	}
	hf_str_add(str, shown < n ? "\"..." : "\"");
}

/* What a package path is made of, beside the slash. */
static bool is_path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("._-~%+", c);
}

void hf_str_add_short(struct hf_str *str, const char *name)
{
	const char *kept = name; /* from here on is not yet added */

	for (const char *p = name; *p; p++) {
		bool variadic = !strncmp(p, "...", 3);

		if (*p == '/' && p[1]) {
			kept = p + 1;
		} else if (variadic || !is_path_char(*p)) {
			p += variadic ? 2 : 0;
			hf_str_addn(str, kept, (size_t)(p + 1 - kept));
			kept = p + 1;
		}
	}
	hf_str_add(str, kept);
}

void hf_str_truncate(struct hf_str *str, size_t n)
{
	if (n < str->n) {
		str->n = n;
		str->s[n] = '\0';
	}
}

const char *hf_str_get(const struct hf_str *str)
{
	return str->n ? str->s : "";
}

struct hf_err *hf_str_check(const struct hf_str *str)
{
	return str->failed ? hf_err_nomem() : NULL;
}

void hf_str_deinit(struct hf_str *str)
{
	hf_free(str->s);
	*str = (struct hf_str){0};
}

uint64_t hf_text_hash(uint64_t before, const char *text)
{
	uint64_t h = before ^ 0xcbf29ce484222325u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3u;
	return h;
}

const char *hf_format_size(uint64_t bytes, char *buf, size_t len)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	if (bytes < 1024) {
		snprintf(buf, len, "%" PRIu64 " B", bytes);
		return buf;
	}
	for (v /= 1024; v >= 1023.5 && u + 1 < HF_LEN(units); u++)
		v /= 1024;
	snprintf(buf, len, v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

const char *hf_format_count(uint64_t count, char *buf, size_t len)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t o = 0;

	for (int i = 0; i < n && o + 2 < len; i++) {
		if (i && (n - i) % 3 == 0)
			buf[o++] = ',';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
	return buf;
}

const char *hf_format_duration(double seconds, char *buf, size_t len)
{
	uint64_t s = seconds > 0 ? (uint64_t)hf_min(seconds, 1e18) : 0;

	if (s < 120)
		snprintf(buf, len, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(buf, len, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(buf, len, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, len, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}

struct hf_arena_page {
	struct hf_arena_page *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

/* A page with room for want bytes. A large one of its own goes behind the page in use, whose rest stays usable. */
static struct hf_arena_page *add_page(struct hf_arena *arena, size_t want)
{
	size_t usual = (size_t)65536 - sizeof(struct hf_arena_page), room, total;
	struct hf_arena_page *page, **at = &arena->page;

	room = want > usual / 4 ? want : usual;
	if (hf_add_overflows(room, sizeof(*page), &total))
		return NULL;
	page = hf_calloc(1, total);
	if (!page)
		return NULL;
	page->size = room;
	if (*at && want > usual / 4)
		at = &(*at)->next;
	page->next = *at;
	*at = page;
	return page;
}

void *hf_arena_alloc(struct hf_arena *arena, size_t size)
{
	size_t want = (size + 15) & ~(size_t)15;
	struct hf_arena_page *page = arena->page;

	if (want < size)
		return NULL;
	if (!page || page->size - page->used < want)
		page = add_page(arena, want);
	if (!page)
		return NULL;
	page->used += want;
	return page->bytes + page->used - want;
}

char *hf_arena_strndup(struct hf_arena *arena, const char *s, size_t n)
{
	char *copy = n < SIZE_MAX ? hf_arena_alloc(arena, n + 1) : NULL;

	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}

void hf_arena_deinit(struct hf_arena *arena)
{
	while (arena->page) {
		struct hf_arena_page *next = arena->page->next;

		hf_free(arena->page);
		arena->page = next;
	}
}
