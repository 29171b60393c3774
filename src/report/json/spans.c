/* What the heap's pages are used for. */
#include "json.h"

#include <jansson.h>

static json_t *class_row(struct hf_json *j, const struct hf_span_class *at)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"size", at->size},
		{"spans", at->spans},
		{"bytes", at->bytes},
		{"slots", at->slots},
		{"objects", at->objects},
		{"live_objects", at->live},
		{"live_bytes", at->live_bytes},
		{"free_slots", at->slots - at->objects},
		{"free_bytes", at->free_bytes},
		{"tail_bytes", at->tail_bytes},
		{"rounding_bytes", at->rounding_bytes},
		{"rounding_objects", at->rounding_objects},
		{"cached_spans", at->cached},
		{"partial_spans", at->partial},
		{"full_spans", at->full},
		{"unswept_spans", at->unswept},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < HF_LEN(numbers); i++)
		hf_json_set(j, o, numbers[i].key, hf_json_number(numbers[i].value));
	return o;
}

static json_t *large(struct hf_json *j, const struct hf_spans *spans)
{
	json_t *list = json_array();

	for (size_t i = 0; i < spans->large_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "type", hf_json_text(spans->large[i].type));
		hf_json_set(j, o, "count", hf_json_number(spans->large[i].count));
		hf_json_set(j, o, "bytes", hf_json_number(spans->large[i].bytes));
		hf_json_set(j, o, "live_bytes", hf_json_number(spans->large[i].live_bytes));
		hf_json_append(j, list, o);
	}
	return list;
}

json_t *hf_json_spans(struct hf_json *j, const void *result)
{
	const struct hf_spans *spans = result;
	json_t *o = json_object(), *classes = json_array(), *idle = json_object(), *sparse = json_object();

	for (size_t i = 0; i < spans->n; i++)
		hf_json_append(j, classes, class_row(j, &spans->classes[i]));
	hf_json_set(j, o, "classes", classes);
	hf_json_set(j, o, "total", class_row(j, &spans->total));
	hf_json_set(j, o, "large", large(j, spans));
	hf_json_set(j, o, "left_out", hf_json_number(spans->large_left_out));
	hf_json_set(j, idle, "bytes", hf_json_number(spans->idle_bytes));
	hf_json_set(j, idle, "released_bytes", hf_json_number(spans->idle_released));
	hf_json_set(j, idle, "runs", hf_json_number(spans->idle_runs));
	hf_json_set(j, idle, "largest_run_bytes", hf_json_number(spans->idle_largest));
	hf_json_set(j, idle, "cached_bytes", hf_json_number(spans->idle_cached));
	hf_json_set(j, idle, "padding_bytes", hf_json_number(spans->padding_bytes));
	hf_json_set(j, o, "idle", idle);
	hf_json_set(j, sparse, "text", hf_json_text(spans->text));
	hf_json_set(j, sparse, "at_most", hf_json_real(spans->sparse_share));
	hf_json_set(j, sparse, "spans", hf_json_number(spans->sparse_spans));
	hf_json_set(j, sparse, "bytes", hf_json_number(spans->sparse_bytes));
	hf_json_set(j, sparse, "live_bytes", hf_json_number(spans->sparse_live_bytes));
	hf_json_set(j, o, "fragmentation", sparse);
	return o;
}
