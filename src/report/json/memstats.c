/* runtime.MemStats, by the names of its fields. */
#include "json.h"

#include <jansson.h>

json_t *hf_json_memstats_of(struct hf_json *j, const struct hf_heap *heap)
{
	json_t *o = json_object(), *pauses = json_array(), *sizes = json_array();

	for (size_t i = 0; i < heap->memstats_n; i++) {
		const struct hf_figure *f = &heap->memstats[i];

		hf_json_set(j, o, f->name,
			    f->unit == HF_UNIT_FRACTION ? json_real(f->real)
			    : f->unit == HF_UNIT_BOOL   ? json_boolean(f->value)
							: hf_json_number(f->value));
	}
	for (size_t i = 0; i < heap->pauses_n; i++)
		hf_json_append(j, pauses, hf_json_number(heap->pauses[i]));
	for (size_t i = 0; i < heap->by_size_n; i++) {
		json_t *row = json_object();

		hf_json_set(j, row, "Size", hf_json_number(heap->by_size[i].size));
		hf_json_set(j, row, "Mallocs", hf_json_number(heap->by_size[i].mallocs));
		hf_json_set(j, row, "Frees", hf_json_number(heap->by_size[i].frees));
		hf_json_append(j, sizes, row);
	}
	hf_json_set(j, o, "PauseNs", pauses);
	hf_json_set(j, o, "BySize", sizes);
	return o;
}

json_t *hf_json_memstats(struct hf_json *j, const void *result)
{
	const struct hf_overview *overview = result;
	json_t *o = json_object(), *heaps = json_array();

	for (size_t i = 0; i < overview->heaps_n; i++) {
		json_t *heap = json_object();

		hf_json_set(j, heap, "runtime", hf_json_text(overview->heaps[i].runtime));
		hf_json_set(j, heap, "version", hf_json_text(overview->heaps[i].version));
		hf_json_set(j, heap, "memstats", hf_json_memstats_of(j, &overview->heaps[i]));
		hf_json_append(j, heaps, heap);
	}
	hf_json_set(j, o, "heaps", heaps);
	return o;
}
