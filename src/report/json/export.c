#include "json.h"

#include <jansson.h>

json_t *hf_json_export(struct hf_json *j, const void *result)
{
	const struct hf_profile *p = result;
	json_t *o = json_object(), *totals = json_object();

	hf_json_set(j, o, "path", hf_json_text(p->path));
	hf_json_set(j, o, "format", hf_json_text(p->format));
	hf_json_set(j, o, "profile", hf_json_text(p->name));
	hf_json_set(j, o, "file_bytes", hf_json_number(p->file_bytes));
	hf_json_set(j, o, "samples", hf_json_number(p->samples_n));
	hf_json_set(j, o, "locations", hf_json_number(p->locations_n));
	hf_json_set(j, o, "left_out", hf_json_number(p->left_out));
	hf_json_set(j, o, "note", *p->note ? hf_json_text(p->note) : json_null());
	for (size_t i = 0; i < p->values_n; i++)
		hf_json_set(j, totals, p->values[i].type, hf_json_number((uint64_t)p->totals[i]));
	hf_json_set(j, o, "totals", totals);
	return o;
}
