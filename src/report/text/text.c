#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static void addv(struct hf_text *t, const char *fmt, va_list args)
{
	struct hf_str raw = {0};

	hf_str_addv(&raw, fmt, args);
	t->out.failed |= raw.failed;
	hf_str_add_clean(&t->out, hf_str_get(&raw));
	hf_str_deinit(&raw);
}

void hf_text_add(struct hf_text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	addv(t, fmt, args);
	va_end(args);
}

void hf_text_styled(struct hf_text *t, enum hf_style style, const char *fmt, ...)
{
	va_list args;

	hf_text_style(t, style);
	va_start(args, fmt);
	addv(t, fmt, args);
	va_end(args);
	hf_text_style(t, HF_STYLE_NONE);
}

void hf_text_line(struct hf_text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	addv(t, fmt, args);
	va_end(args);
	hf_text_end(t);
}

void hf_text_end(struct hf_text *t)
{
	hf_str_addc(&t->out, '\n');
}

void hf_text_style(struct hf_text *t, enum hf_style style)
{
	static const char *const codes[] = {
		[HF_STYLE_NONE] = "\033[0m",  [HF_STYLE_BOLD] = "\033[1m",   [HF_STYLE_DIM] = "\033[2m",
		[HF_STYLE_GOOD] = "\033[32m", [HF_STYLE_BAD] = "\033[1;31m",
	};

	if (t->color)
		hf_str_add(&t->out, codes[style]);
}

void hf_text_spaces(struct hf_text *t, size_t n)
{
	while (n--)
		hf_str_addc(&t->out, ' ');
}

void hf_text_wrap(struct hf_text *t, size_t indent, const char *words)
{
	struct hf_str clean = {0};
	size_t column = indent;
	const char *p;

	hf_str_add_clean(&clean, words);
	t->out.failed |= clean.failed;
	for (p = hf_str_get(&clean); *p;) {
		size_t len = strcspn(p, " "), columns = hf_text_columns(p, len);

		if (column > indent && column + 1 + columns > t->width) {
			hf_text_end(t);
			hf_text_spaces(t, indent);
			column = indent;
		} else if (column > indent) {
			hf_text_spaces(t, 1);
			column++;
		}
		hf_str_addn(&t->out, p, len);
		column += columns;
		p += len;
		p += strspn(p, " ");
	}
	hf_text_end(t);
	hf_str_deinit(&clean);
}

void hf_text_item(struct hf_text *t, struct hf_line *line, enum hf_style style, const char *fmt, ...)
{
	struct hf_str raw = {0}, clean = {0};
	size_t columns;
	va_list args;

	va_start(args, fmt);
	hf_str_addv(&raw, fmt, args);
	va_end(args);
	hf_str_add_clean(&clean, hf_str_get(&raw));
	columns = hf_text_columns(hf_str_get(&clean), clean.n);
	if (line->column > line->indent && line->column + 2 + columns > t->width) {
		hf_text_end(t);
		hf_text_spaces(t, line->indent);
		line->column = line->indent;
	} else if (line->column > line->indent) {
		hf_text_spaces(t, 2);
		line->column += 2;
	}
	line->column += columns;
	t->out.failed |= raw.failed || clean.failed;
	if (style != HF_STYLE_NONE)
		hf_text_style(t, style);
	hf_str_add(&t->out, hf_str_get(&clean));
	if (style != HF_STYLE_NONE)
		hf_text_style(t, HF_STYLE_NONE);
	hf_str_deinit(&raw);
	hf_str_deinit(&clean);
}

void hf_text_left_out(struct hf_text *t, size_t indent, uint64_t n, const char *what, const char *how)
{
	size_t word = strcspn(what, " ");

	if (!n)
		return;
	hf_text_spaces(t, indent);
	/* "1 more group": its first word is the plural. */
	hf_text_styled(t, HF_STYLE_DIM, "... and %s more%s%.*s%s%s", hf_show_count(n).s, *what ? " " : "",
		       (int)(word - (n == 1 && word)), what, what + word, how);
	hf_text_end(t);
}

size_t hf_text_columns(const char *s, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i < n; i++)
		columns += ((unsigned char)s[i] & 0xc0) != 0x80;
	return columns;
}

/* Bytes that the first `columns` characters take. */
static size_t bytes_of(const char *s, size_t n, size_t columns)
{
	size_t i = 0;

	for (; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && !columns--)
			break;
	return i;
}

void hf_text_cut(struct hf_str *ret, const char *s, size_t n, size_t columns)
{
	size_t have = hf_text_columns(s, n), head, tail, from;

	if (have <= columns) {
		hf_str_addn(ret, s, n);
		return;
	}
	if (columns < 4) {
		hf_str_addn(ret, "...", columns);
		return;
	}
	head = (columns - 3 + 1) / 2;
	tail = columns - 3 - head;
	from = bytes_of(s, n, have - tail);
	hf_str_addn(ret, s, bytes_of(s, n, head));
	hf_str_add(ret, "...");
	hf_str_addn(ret, s + from, n - from);
}

static bool show_special(struct hf_shown *shown, uint64_t v)
{
	if (v == HF_UNKNOWN)
		strcpy(shown->s, "unknown");
	else if (v == HF_NOLIMIT)
		strcpy(shown->s, "no limit");
	return v == HF_UNKNOWN || v == HF_NOLIMIT;
}

struct hf_shown hf_show_size(uint64_t bytes)
{
	struct hf_shown shown;

	if (!show_special(&shown, bytes))
		hf_format_size(bytes, shown.s, sizeof(shown.s));
	return shown;
}

struct hf_shown hf_show_count(uint64_t count)
{
	struct hf_shown shown;

	if (!show_special(&shown, count))
		hf_format_count(count, shown.s, sizeof(shown.s));
	return shown;
}

struct hf_shown hf_show_share(uint64_t part, uint64_t total)
{
	struct hf_shown shown = {""};

	if (total && total < HF_NOLIMIT && part < HF_NOLIMIT)
		snprintf(shown.s, sizeof(shown.s), "%.1f%%", 100.0 * (double)part / (double)total);
	return shown;
}

struct hf_shown hf_show_time(double unix_time)
{
	struct hf_shown shown = {"unknown"};
	struct tm tm;
	time_t at;

	/* Beyond the year 9999 the number is no time. */
	if (!(unix_time > 0 && unix_time < 253402300800.0))
		return shown;
	at = (time_t)unix_time;
	if (gmtime_r(&at, &tm))
		strftime(shown.s, sizeof(shown.s), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return shown;
}

struct hf_shown hf_show_duration(double seconds)
{
	struct hf_shown shown = {"unknown"};

	if (seconds >= 0 && seconds < 1e15)
		hf_format_duration(seconds, shown.s, sizeof(shown.s));
	return shown;
}

struct hf_shown hf_show_pause(double seconds)
{
	struct hf_shown shown;

	if (seconds < 10)
		snprintf(shown.s, sizeof(shown.s), "%.1f ms", seconds * 1e3);
	else
		snprintf(shown.s, sizeof(shown.s), "%.1f s", hf_min(seconds, 1e15));
	return shown;
}
