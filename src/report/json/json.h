/* Results as JSON, see docs/json.md. Values made here may be NULL where memory is out: hf_json_set and
 * hf_json_append take them and remember. */
#ifndef HF_JSON_H
#define HF_JSON_H

#include "../../base/base.h"
#include "../../base/str.h"

struct json_t;

struct hf_json {
	bool failed; /* memory is out: nothing of the answer is to be used */
};

/* takes value; keys keep the order of addition */
void hf_json_set(struct hf_json *j, struct json_t *object, const char *key, struct json_t *value);
void hf_json_append(struct hf_json *j, struct json_t *array, struct json_t *value);

struct json_t *hf_json_text(const char *s);    /* NULL gives null; bytes that are no UTF-8 as \xNN */
struct json_t *hf_json_address(uint64_t addr); /* "0x..." */
struct json_t *hf_json_number(uint64_t n);     /* null where unknown, "max" where there is no limit */
struct json_t *hf_json_real(double v);         /* rounded to thousandths; null where it is no number */
struct json_t *hf_json_time(double unix_time); /* null where unknown (0) */

struct hf_row;
struct hf_frame;
/* json/sites.c: what a row by site says beside; the stack that allocated an object, where it is known. */
void hf_json_site(struct hf_json *j, struct json_t *row, const struct hf_row *at);
void hf_json_allocated(struct hf_json *j, struct json_t *object, const struct hf_frame *at, size_t n);

/* json/memstats.c: {Alloc, TotalAlloc, ..., PauseNs, BySize} of a heap. */
struct hf_heap;
struct json_t *hf_json_memstats_of(struct hf_json *j, const struct hf_heap *heap);
/* Parts of several results. */
struct json_t *hf_json_source(struct hf_json *j, const struct hf_frame *at); /* {function, file, line} */
struct json_t *hf_json_frames(struct hf_json *j, const struct hf_frame *at, size_t n);
struct json_t *hf_json_chain(struct hf_json *j, const struct hf_chain *at);

/* The result of each command; table in report.c. */
typedef struct json_t *hf_json_fn(struct hf_json *j, const void *result);
hf_json_fn hf_json_overview, hf_json_info, hf_json_why, hf_json_top, hf_json_dominators, hf_json_goroutines,
	hf_json_snap, hf_json_export, hf_json_page, hf_json_memstats, hf_json_spans, hf_json_pools,
	hf_json_slack, hf_json_patch_plan, hf_json_patch_vet, hf_json_patch_dry_run, hf_json_patch_states,
	hf_json_patch_get, hf_json_patch_set, hf_json_patch_drain;

/* The answer around it, as text and a newline. takes result.     Errors: NOMEM */
struct hf_err *hf_json_answer(struct hf_json *j, const char *command, const struct hf_head *head,
			      struct json_t *result, struct hf_str *ret) HF_CHECKED;

#endif
