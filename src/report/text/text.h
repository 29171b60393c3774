/* Text for people: what a target says is made harmless on its way in, so no caller can forget it. */
#ifndef HF_TEXT_H
#define HF_TEXT_H

#include "../../base/base.h"
#include "../../base/safe.h"
#include "../../base/str.h"
#include "../../base/vec.h"

struct hf_text {
	struct hf_str out;
	bool color;
	unsigned width;  /* columns */
	const char *ask; /* " -p 1234", or "" */
};

enum hf_style {
	HF_STYLE_NONE, /* back to normal */
	HF_STYLE_BOLD,
	HF_STYLE_DIM,
	HF_STYLE_GOOD,
	HF_STYLE_BAD,
};

/* Adds text; control characters, line ends and what is not UTF-8 come out as \n, \xNN. */
void hf_text_add(struct hf_text *t, const char *fmt, ...) HF_PRINTF(2, 3);
void hf_text_styled(struct hf_text *t, enum hf_style style, const char *fmt, ...) HF_PRINTF(3, 4);
void hf_text_line(struct hf_text *t, const char *fmt, ...) HF_PRINTF(2, 3); /* and ends the line */
void hf_text_end(struct hf_text *t);                                        /* ends the line */
void hf_text_style(struct hf_text *t, enum hf_style style);
void hf_text_spaces(struct hf_text *t, size_t n);
/* Adds words and the line's end, broken at spaces to the width; lines after the first are indented. */
void hf_text_wrap(struct hf_text *t, size_t indent, const char *words);

/* A line of items, two spaces between them; one that does not fit begins the next line. */
struct hf_line {
	size_t indent; /* of the lines after the first */
	size_t column; /* where we are */
};
void hf_text_item(struct hf_text *t, struct hf_line *line, enum hf_style style, const char *fmt, ...)
	HF_PRINTF(4, 5);

/* "... and 12 more", with the option that shows them; nothing where n is 0. */
void hf_text_left_out(struct hf_text *t, size_t indent, uint64_t n, const char *what, const char *how);

/* Columns that clean text takes: characters, whatever their width. */
size_t hf_text_columns(const char *s, size_t n);
/* Adds clean text, its middle replaced by "..." where it is wider than columns. */
void hf_text_cut(struct hf_str *ret, const char *s, size_t n, size_t columns);

/* Values by value, for use in the argument list of one of the above. */
struct hf_shown {
	char s[40];
};
struct hf_shown hf_show_size(uint64_t bytes);                 /* "1.5 MiB", "unknown", "no limit" */
struct hf_shown hf_show_count(uint64_t count);                /* "1,234,567", "unknown", "no limit" */
struct hf_shown hf_show_share(uint64_t part, uint64_t total); /* "84.0%"; "" where there is no total */
struct hf_shown hf_show_time(double unix_time);               /* "2025-03-01 12:00:00 UTC" */
struct hf_shown hf_show_duration(double seconds);
struct hf_shown hf_show_pause(double seconds); /* "12.3 ms" */

/* ---- tables ------------------------------------------------------------------------------------------ */

struct hf_column {
	const char *title; /* NULL in all columns: no line of titles */
	bool right;        /* numbers: aligned to the right */
	bool flexible;     /* cut where the line would be too wide */
	bool wraps;        /* and this, the last column, is not cut but goes on below */
};

struct hf_table {
	const struct hf_column *columns;
	size_t columns_n;
	struct hf_str cells; /* clean text of all cells, one after another */
	HF_VEC(size_t) ends; /* where each ends */
};

/* Adds the next cell, row by row. */
void hf_table_add(struct hf_table *table, const char *fmt, ...) HF_PRINTF(2, 3);
/* The same for a name of code or of a type, which is shown without the folders of its package paths; prefix: "" or a
 * word before it. */
void hf_table_add_name(struct hf_table *table, const char *prefix, const char *name);
/* Prints the rows, the last one filled up with empty cells, and frees what the table holds. */
void hf_table_print(struct hf_table *table, struct hf_text *t, size_t indent);

/* ---- parts that several commands show ------------------------------------------------------------------ */

/* main.cache["k"].Payload: one expression, runs of repeated parts collapsed, broken to the width. */
void hf_text_chain_expression(struct hf_text *t, size_t indent, const struct hf_chain *chain);
void hf_text_chain_steps(struct hf_text *t, size_t indent, const struct hf_chain *chain);

void hf_text_rows(struct hf_text *t, size_t indent, const struct hf_top *top, const char *what, size_t max);
void hf_text_sites(struct hf_text *t, const struct hf_top *top);
/* "allocated by ..."; nothing where n is 0. */
void hf_text_allocated(struct hf_text *t, size_t indent, const struct hf_frame *frames, size_t n);
void hf_text_groups(struct hf_text *t, size_t indent, const struct hf_goroutines *g, size_t max);
/* What is to be said of leaked ones; nothing where there is none. */
void hf_text_leaked(struct hf_text *t, const struct hf_goroutines *g);
void hf_text_frames(struct hf_text *t, size_t indent, const struct hf_frame *frames, size_t n, size_t max);

/* least: leave out shares below this part of the total, but for the first and the last. */
void hf_text_shares(struct hf_text *t, const struct hf_overview *o, double least);
void hf_text_verdict(struct hf_text *t, const struct hf_overview *o);
void hf_text_header(struct hf_text *t, const struct hf_head *head, const struct hf_overview *o);
/* One line, or what it takes; the cursor is at indent. */
void hf_text_self_check(struct hf_text *t, size_t indent, const struct hf_heap *heap);

/* One renderer a command; table in report.c. */
typedef void hf_text_fn(struct hf_text *t, const struct hf_head *head, const void *result);
hf_text_fn hf_text_overview, hf_text_info, hf_text_why, hf_text_top, hf_text_dominators, hf_text_goroutines,
	hf_text_snap, hf_text_export, hf_text_page, hf_text_memstats, hf_text_spans, hf_text_pools,
	hf_text_slack, hf_text_patch_plan, hf_text_patch_vet, hf_text_patch_dry_run, hf_text_patch_states,
	hf_text_patch_get, hf_text_patch_set, hf_text_patch_drain;

#endif
