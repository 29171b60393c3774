#include "json.h"

#include <jansson.h>

static json_t *slack_row(struct hf_json *j, const struct hf_slack_row *row)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"count", row->count},
		{"views", row->views},
		{"wasted_bytes", row->wasted_bytes},
		{"capacity_bytes", row->capacity_bytes},
		{"visible_bytes", row->visible_bytes},
		{"block_bytes", row->block_bytes},
		{"hidden_pointers", row->hidden_pointers},
		{"hidden_bytes", row->hidden_bytes},
		{"shared_views", row->shared_views},
	};
	json_t *o = json_object(), *with = json_array();

	hf_json_set(j, o, "holder", hf_json_text(row->holder));
	hf_json_set(j, o, "kind", hf_json_text(row->kind));
	for (size_t i = 0; i < HF_LEN(numbers); i++)
		hf_json_set(j, o, numbers[i].key, hf_json_number(numbers[i].value));
	for (size_t i = 0; i < row->shared_with_n; i++)
		hf_json_append(j, with, hf_json_text(row->shared_with[i]));
	hf_json_set(j, o, "shared_with", with);
	hf_json_set(j, o, "address", hf_json_address(row->addr));
	return o;
}

json_t *hf_json_slack(struct hf_json *j, const void *result)
{
	const struct hf_slack *slack = result;
	json_t *o = json_object(), *rows = json_array();

	for (size_t i = 0; i < slack->n; i++)
		hf_json_append(j, rows, slack_row(j, &slack->rows[i]));
	hf_json_set(j, o, "rows", rows);
	hf_json_set(j, o, "left_out", hf_json_number(slack->left_out));
	hf_json_set(j, o, "left_out_bytes", hf_json_number(slack->left_out_bytes));
	hf_json_set(j, o, "wasted_bytes", hf_json_number(slack->wasted_bytes));
	hf_json_set(j, o, "hidden_bytes", hf_json_number(slack->hidden_bytes));
	hf_json_set(j, o, "total_bytes", hf_json_number(slack->total_bytes));
	return o;
}
