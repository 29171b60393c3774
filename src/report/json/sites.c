/* Where objects were allocated. */
#include "json.h"

#include <jansson.h>

static json_t *stack(struct hf_json *j, const struct hf_frame *at, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		hf_json_append(j, list, hf_json_source(j, &at[i]));
	return list;
}

void hf_json_site(struct hf_json *j, json_t *row, const struct hf_row *at)
{
	const struct hf_site *site = at->site;

	if (!site)
		return;
	hf_json_set(j, row, "alloc_count", hf_json_number(site->alloc_count));
	hf_json_set(j, row, "alloc_bytes", hf_json_number(site->alloc_bytes));
	hf_json_set(j, row, "samples", hf_json_number(site->samples));
	hf_json_set(j, row, "alloc_samples", hf_json_number(site->alloc_samples));
	hf_json_set(j, row, "function", hf_json_text(site->function));
	hf_json_set(j, row, "file", hf_json_text(site->file));
	hf_json_set(j, row, "line", json_integer(site->line));
	hf_json_set(j, row, "stacks", hf_json_number(site->stacks));
	hf_json_set(j, row, "stack", stack(j, site->stack, site->stack_n));
}

void hf_json_allocated(struct hf_json *j, json_t *object, const struct hf_frame *at, size_t n)
{
	if (n)
		hf_json_set(j, object, "allocated", stack(j, at, n));
}
