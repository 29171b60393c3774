#include "json.h"

#include <jansson.h>

static json_t *types_of(struct hf_json *j, const struct hf_pool_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->types_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "type", hf_json_text(row->types[i].name));
		hf_json_set(j, o, "count", hf_json_number(row->types[i].count));
		hf_json_set(j, o, "bytes", hf_json_number(row->types[i].bytes));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *type_names(struct hf_json *j, const struct hf_pool_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->types_n; i++)
		hf_json_append(j, list, hf_json_text(row->types[i].name));
	return list;
}

static json_t *holders_of(struct hf_json *j, const struct hf_pool_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < row->holders_n; i++) {
		json_t *o = json_object();

		hf_json_set(j, o, "name", hf_json_text(row->holders[i].name));
		hf_json_set(j, o, "count", hf_json_number(row->holders[i].count));
		hf_json_set(j, o, "bytes", hf_json_number(row->holders[i].bytes));
		hf_json_append(j, list, o);
	}
	return list;
}

/* What is absent cannot be known. */
static void set_known(struct hf_json *j, json_t *o, const char *key, uint64_t n)
{
	if (n != HF_UNKNOWN)
		hf_json_set(j, o, key, hf_json_number(n));
}

static json_t *text_or_null(const char *s)
{
	return hf_json_text(*s ? s : NULL);
}

static void set_described(struct hf_json *j, json_t *o, const struct hf_pool_row *row)
{
	hf_json_set(j, o, "object_size", hf_json_number(row->object_size));
	hf_json_set(j, o, "slabs", hf_json_number(row->slabs));
	hf_json_set(j, o, "slots", hf_json_number(row->slots));
	hf_json_set(j, o, "slab_bytes", hf_json_number(row->slab_bytes));
	hf_json_set(j, o, "problem", text_or_null(row->problem));
}

static json_t *pool(struct hf_json *j, const struct hf_pool_row *row)
{
	json_t *o = json_object(), *largest = json_object();
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"idle", row->idle},
		{"private", row->in_private},
		{"shared", row->in_shared},
		{"victim", row->in_victim},
		{"idle_bytes", row->idle_bytes},
		{"victim_bytes", row->victim_bytes},
		{"own_bytes", row->own_bytes},
		{"median_bytes", row->median_bytes},
		{"p99_bytes", row->p99_bytes},
		{"heavy", row->heavy},
		{"held", row->held},
		{"twice", row->twice},
	};

	hf_json_set(j, o, "kind", hf_json_text(row->kind));
	hf_json_set(j, o, "name", hf_json_text(row->name));
	hf_json_set(j, o, "address", hf_json_address(row->addr));
	hf_json_set(j, o, "count", hf_json_number(row->count));
	hf_json_set(j, o, "parent", text_or_null(row->parent));
	hf_json_set(j, o, "held_by", text_or_null(row->held_by));
	hf_json_set(j, o, "constructor", text_or_null(row->constructor));
	hf_json_set(j, o, "constructor_address",
		    row->constructor_addr ? hf_json_address(row->constructor_addr) : json_null());
	hf_json_set(j, o, "makes", text_or_null(row->makes));
	set_known(j, o, "items", row->items);
	set_known(j, o, "used_bytes", row->used_bytes);
	for (size_t i = 0; i < HF_LEN(numbers); i++)
		hf_json_set(j, o, numbers[i].key, hf_json_number(numbers[i].value));
	hf_json_set(j, o, "item_types", type_names(j, row));
	hf_json_set(j, o, "types", types_of(j, row));
	hf_json_set(j, largest, "address", hf_json_address(row->largest_addr));
	hf_json_set(j, largest, "size", hf_json_number(row->largest_size));
	hf_json_set(j, largest, "bytes", hf_json_number(row->largest_bytes));
	if (row->largest_addr)
		hf_json_set(j, o, "largest", largest);
	else
		json_decref(largest);
	if (!strcmp(row->kind, "described"))
		set_described(j, o, row);
	set_known(j, o, "out", row->out);
	set_known(j, o, "out_bytes", row->out_bytes);
	if (row->out != HF_UNKNOWN) {
		hf_json_set(j, o, "out_pools", hf_json_number(row->out_pools));
		hf_json_set(j, o, "out_holders", holders_of(j, row));
	}
	return o;
}

json_t *hf_json_pools(struct hf_json *j, const void *result)
{
	const struct hf_pools_answer *answer = result;
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < answer->n; i++)
		hf_json_append(j, list, pool(j, &answer->rows[i]));
	hf_json_set(j, o, "pools", list);
	hf_json_set(j, o, "left_out", hf_json_number(answer->left_out));
	hf_json_set(j, o, "left_out_bytes", hf_json_number(answer->left_out_bytes));
	hf_json_set(j, o, "total_pools", hf_json_number(answer->total_pools));
	hf_json_set(j, o, "total_idle", hf_json_number(answer->total_idle));
	hf_json_set(j, o, "total_idle_bytes", hf_json_number(answer->total_idle_bytes));
	hf_json_set(j, o, "shared_bytes", hf_json_number(answer->shared_bytes));
	return o;
}
