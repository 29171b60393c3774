/* A string that grows, and an arena for names that live as long as their owner. */
#ifndef HF_STR_H
#define HF_STR_H

#include "base.h"

#include <stdarg.h>

/* Zero-initialised is empty. `s` is NUL-terminated where n > 0 or anything was added; else NULL. Out of memory is
 * remembered (`failed`) and asked for once, by hf_str_check: building text stays free of error checks. */
struct hf_str {
	char *s;
	size_t n, cap;
	bool failed;
};

void hf_str_add(struct hf_str *str, const char *text);
void hf_str_addn(struct hf_str *str, const char *text, size_t n);
void hf_str_addc(struct hf_str *str, char c);
void hf_str_addf(struct hf_str *str, const char *fmt, ...) HF_PRINTF(2, 3);
void hf_str_addv(struct hf_str *str, const char *fmt, va_list args);
/* Adds bytes of the target as a quoted literal: printable UTF-8 as it is, the rest escaped; cut at max bytes, with
 * an ellipsis. */
void hf_str_add_quoted(struct hf_str *str, const void *bytes, size_t n, size_t max);
/* Adds a name of code or of a type without the folders of its package paths: "map[string]*net/http.Request" as
 * "map[string]*http.Request". */
void hf_str_add_short(struct hf_str *str, const char *name);
void hf_str_truncate(struct hf_str *str, size_t n);
const char *hf_str_get(const struct hf_str *str); /* "" where empty; valid until the next change */
struct hf_err *hf_str_check(const struct hf_str *str) HF_CHECKED; /* NOMEM where an addition failed */
void hf_str_deinit(struct hf_str *str);

/* Of texts, to look them up by; more of it: the hash of what came before, at first 0. */
uint64_t hf_text_hash(uint64_t before, const char *text);

/* Sizes as people read them: "0 B", "999 B", "1.5 KiB", "110 MiB". buf of 16 bytes or more; returns buf. */
const char *hf_format_size(uint64_t bytes, char *buf, size_t len);
/* Counts with separators: "1,234,567". buf of 28 bytes or more; returns buf. */
const char *hf_format_count(uint64_t count, char *buf, size_t len);
/* "45 s", "12 min", "3 h 20 min", "2 d 4 h"; buf of 24 bytes or more; returns buf. */
const char *hf_format_duration(double seconds, char *buf, size_t len);

/* Bump allocation; everything is freed at once. Zero-initialised is empty. */
struct hf_arena {
	struct hf_arena_page *page;
};

void *hf_arena_alloc(struct hf_arena *arena, size_t size); /* zeroed, 16-aligned; NULL where memory is out */
char *hf_arena_strndup(struct hf_arena *arena, const char *s, size_t n); /* NULL where memory is out */
void hf_arena_deinit(struct hf_arena *arena);

#endif
