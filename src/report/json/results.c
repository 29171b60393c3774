/* The results, field by field. Keys are documented in docs/json.md and stay as they are. */
#include "json.h"

#include <jansson.h>

json_t *hf_json_source(struct hf_json *j, const struct hf_frame *at)
{
	json_t *o = json_object();

	hf_json_set(j, o, "function", hf_json_text(at->function));
	hf_json_set(j, o, "file", hf_json_text(at->file));
	hf_json_set(j, o, "line", json_integer(at->line));
	return o;
}

json_t *hf_json_frames(struct hf_json *j, const struct hf_frame *at, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = hf_json_source(j, &at[i]);

		hf_json_set(j, o, "pc", hf_json_address(at[i].pc));
		hf_json_set(j, o, "inlined", json_boolean(at[i].inlined));
		hf_json_append(j, list, o);
	}
	return list;
}

static json_t *heap(struct hf_json *j, const struct hf_heap *heap)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"objects", heap->objects},
		{"bytes", heap->bytes},
		{"live_objects", heap->live_objects},
		{"live_bytes", heap->live_bytes},
		{"garbage_objects", heap->garbage_objects},
		{"garbage_bytes", heap->garbage_bytes},
		{"runtime_objects", heap->runtime_objects},
		{"runtime_bytes", heap->runtime_bytes},
		{"in_use_bytes", heap->in_use},
		{"idle_bytes", heap->idle},
		{"released_bytes", heap->released},
		{"stack_bytes", heap->stacks},
		{"metadata_bytes", heap->metadata},
		{"roots", heap->roots},
		{"edges", heap->edges},
		{"typed_objects", heap->typed_objects},
		{"typed_bytes", heap->typed_bytes},
		{"partly_typed_objects", heap->partly_typed_objects},
		{"partly_typed_bytes", heap->partly_typed_bytes},
		{"untyped_objects", heap->untyped_objects},
		{"dangling_pointers", heap->dangling_pointers},
		{"goroutines", heap->goroutines},
		{"leaked_goroutines", heap->leaked_goroutines},
		{"leaked_bytes", heap->leaked_bytes},
		{"gomaxprocs", heap->gomaxprocs},
		{"gc_cycles", heap->gc_cycles},
		{"gc_percent", heap->gc_percent},
		{"memory_limit", heap->memory_limit},
		{"next_gc", heap->next_gc},
	};
	json_t *o = json_object();

	hf_json_set(j, o, "runtime", hf_json_text(heap->runtime));
	hf_json_set(j, o, "version", hf_json_text(heap->version));
	for (size_t i = 0; i < HF_LEN(numbers); i++)
		hf_json_set(j, o, numbers[i].key, hf_json_number(numbers[i].value));
	hf_json_set(j, o, "exact", json_boolean(heap->exact));
	hf_json_set(j, o, "gc_phase", hf_json_text(heap->gc_phase));
	hf_json_set(j, o, "last_gc_at", hf_json_time(heap->last_gc_at));
	if (heap->memstats_n)
		hf_json_set(j, o, "memstats", hf_json_memstats_of(j, heap));
	return o;
}

static json_t *memory(struct hf_json *j, const struct hf_overview *overview)
{
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < overview->facts_n; i++)
		hf_json_set(j, o, overview->facts[i].key, hf_json_number(overview->facts[i].value));
	hf_json_set(j, o, "cgroup_path", hf_json_text(overview->cgroup_path));
	for (size_t i = 0; i < overview->shares_n; i++) {
		const struct hf_share *share = &overview->shares[i];
		json_t *row = json_object();

		hf_json_set(j, row, "key", hf_json_text(share->key));
		hf_json_set(j, row, "label", hf_json_text(share->label));
		hf_json_set(j, row, "bytes", hf_json_number(share->bytes));
		hf_json_set(j, row, "note", hf_json_text(share->note));
		hf_json_append(j, list, row);
	}
	hf_json_set(j, o, "shares", list);
	hf_json_set(j, o, "shares_of", hf_json_text(overview->shares_of));
	hf_json_set(j, o, "shares_total", hf_json_number(overview->shares_total));
	return o;
}

static json_t *build(struct hf_json *j, const struct hf_overview *overview)
{
	json_t *o = json_object(), *deps = json_array();

	hf_json_set(j, o, "main", hf_json_text(overview->main_path));
	hf_json_set(j, o, "version", hf_json_text(overview->main_version));
	hf_json_set(j, o, "vcs", hf_json_text(overview->vcs));
	for (size_t i = 0; i < overview->deps_n; i++) {
		json_t *dep = json_object();

		hf_json_set(j, dep, "path", hf_json_text(overview->deps[i].path));
		hf_json_set(j, dep, "version", hf_json_text(overview->deps[i].version));
		hf_json_set(j, dep, "replaced_by", hf_json_text(overview->deps[i].replaced_by));
		hf_json_append(j, deps, dep);
	}
	hf_json_set(j, o, "deps", deps);
	return o;
}

json_t *hf_json_overview(struct hf_json *j, const void *result)
{
	const struct hf_overview *overview = result;
	json_t *o = json_object(), *heaps = json_array(), *verdict = json_object();

	for (size_t i = 0; i < overview->heaps_n; i++)
		hf_json_append(j, heaps, heap(j, &overview->heaps[i]));
	hf_json_set(j, verdict, "kind", hf_json_text(overview->verdict));
	hf_json_set(j, verdict, "heap", json_boolean(overview->verdict_heap));
	hf_json_set(j, verdict, "text", hf_json_text(overview->verdict_text));
	hf_json_set(j, o, "verdict", verdict);
	hf_json_set(j, o, "heaps", heaps);
	hf_json_set(j, o, "memory", memory(j, overview));
	hf_json_set(j, o, "build", build(j, overview));
	hf_json_set(j, o, "cmdline", hf_json_text(overview->cmdline));
	hf_json_set(j, o, "started_at", hf_json_time(overview->started_at));
	hf_json_set(j, o, "taken_at", hf_json_time(overview->taken_at));
	return o;
}

static json_t *info_object(struct hf_json *j, const struct hf_info_object *at)
{
	json_t *o = json_object();

	hf_json_set(j, o, "query", hf_json_text(at->query));
	hf_json_set(j, o, "address", hf_json_address(at->size ? at->start : at->addr));
	hf_json_set(j, o, "size", json_integer((json_int_t)hf_min(at->size, (uint64_t)INT64_MAX)));
	hf_json_set(j, o, "type", hf_json_text(at->type));
	hf_json_set(j, o, "state", hf_json_text(at->state));
	hf_json_set(j, o, "where", hf_json_text(at->where));
	hf_json_set(j, o, "path", hf_json_text(at->path));
	hf_json_set(j, o, "text", hf_json_text(at->text));
	if (*at->value)
		hf_json_set(j, o, "value", hf_json_text(at->value));
	if (at->frames_n)
		hf_json_set(j, o, "frames", hf_json_frames(j, at->frames, at->frames_n));
	hf_json_set(j, o, "retainers", json_integer(at->retainers));
	hf_json_set(j, o, "roots", json_integer(at->roots));
	hf_json_allocated(j, o, at->allocated, at->allocated_n);
	return o;
}

json_t *hf_json_info(struct hf_json *j, const void *result)
{
	const struct hf_info *info = result;
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < info->n; i++)
		hf_json_append(j, list, info_object(j, &info->objects[i]));
	hf_json_set(j, o, "objects", list);
	return o;
}

json_t *hf_json_chain(struct hf_json *j, const struct hf_chain *at)
{
	json_t *o = json_object(), *root = json_object(), *steps = json_array();

	hf_json_set(j, root, "kind", hf_json_text(at->root_kind));
	hf_json_set(j, root, "name", hf_json_text(at->root_name));
	hf_json_set(j, root, "via", hf_json_text(at->root_via));
	hf_json_set(j, root, "address", at->root_addr ? hf_json_address(at->root_addr) : json_null());
	for (size_t i = 0; i < at->n; i++) {
		json_t *step = json_object();

		hf_json_set(j, step, "address", hf_json_address(at->steps[i].addr));
		hf_json_set(j, step, "type", hf_json_text(at->steps[i].type));
		hf_json_set(j, step, "size", hf_json_number(at->steps[i].size));
		hf_json_set(j, step, "via", hf_json_text(at->steps[i].via));
		if (at->steps[i].tags && *at->steps[i].tags)
			hf_json_set(j, step, "tags", hf_json_text(at->steps[i].tags));
		hf_json_append(j, steps, step);
	}
	hf_json_set(j, o, "root", root);
	hf_json_set(j, o, "steps", steps);
	return o;
}

static json_t *why_object(struct hf_json *j, const struct hf_why_object *at)
{
	json_t *o = json_object(), *chains = json_array();

	hf_json_set(j, o, "query", hf_json_text(at->query));
	hf_json_set(j, o, "address", hf_json_address(at->addr));
	hf_json_set(j, o, "size", hf_json_number(at->size));
	hf_json_set(j, o, "type", hf_json_text(at->type));
	hf_json_set(j, o, "state", hf_json_text(at->state));
	hf_json_set(j, o, "count", hf_json_number(at->count));
	hf_json_set(j, o, "bytes", hf_json_number(at->bytes));
	for (size_t i = 0; i < at->n; i++)
		hf_json_append(j, chains, hf_json_chain(j, &at->chains[i]));
	hf_json_set(j, o, "chains", chains);
	hf_json_allocated(j, o, at->allocated, at->allocated_n);
	return o;
}

json_t *hf_json_why(struct hf_json *j, const void *result)
{
	const struct hf_why *why = result;
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < why->n; i++)
		hf_json_append(j, list, why_object(j, &why->objects[i]));
	hf_json_set(j, o, "objects", list);
	hf_json_set(j, o, "left_out", hf_json_number(why->left_out));
	return o;
}

json_t *hf_json_top(struct hf_json *j, const void *result)
{
	const struct hf_top *top = result;
	json_t *o = json_object(), *rows = json_array();

	for (size_t i = 0; i < top->n; i++) {
		json_t *row = json_object();

		hf_json_set(j, row, "name", hf_json_text(top->rows[i].name));
		hf_json_set(j, row, "count", hf_json_number(top->rows[i].count));
		hf_json_set(j, row, "bytes", hf_json_number(top->rows[i].bytes));
		hf_json_set(j, row, "retained_bytes", hf_json_number(top->rows[i].retained_bytes));
		hf_json_site(j, row, &top->rows[i]);
		hf_json_append(j, rows, row);
	}
	hf_json_set(j, o, "rows", rows);
	hf_json_set(j, o, "left_out", hf_json_number(top->left_out));
	hf_json_set(j, o, "left_out_bytes", hf_json_number(top->left_out_bytes));
	hf_json_set(j, o, "total_count", hf_json_number(top->total_count));
	hf_json_set(j, o, "total_bytes", hf_json_number(top->total_bytes));
	if (top->n && top->rows[0].site)
		hf_json_set(j, o, "sample_rate", hf_json_number(top->sample_rate));
	if (top->field) {
		hf_json_set(j, o, "field", hf_json_text(top->field));
		hf_json_set(j, o, "tags", hf_json_text(top->tags));
	}
	return o;
}

static json_t *dominator_row(struct hf_json *j, const struct hf_dominator_row *row)
{
	static const char *const kinds[] = {
		[HF_DOMINATOR_HEAP] = "heap",     [HF_DOMINATOR_ROOT] = "root",
		[HF_DOMINATOR_SHARED] = "shared", [HF_DOMINATOR_OBJECT] = "object",
		[HF_DOMINATOR_REST] = "rest",
	};
	json_t *o = json_object();

	hf_json_set(j, o, "depth", hf_json_number(row->depth));
	hf_json_set(j, o, "kind", hf_json_text(kinds[row->kind]));
	hf_json_set(j, o, "name", hf_json_text(row->name));
	hf_json_set(j, o, "address", row->addr ? hf_json_address(row->addr) : json_null());
	hf_json_set(j, o, "count", hf_json_number(row->n));
	hf_json_set(j, o, "nested", hf_json_number(row->nested));
	hf_json_set(j, o, "more", json_boolean(row->more));
	hf_json_set(j, o, "own_bytes", hf_json_number(row->own_bytes));
	hf_json_set(j, o, "retained_bytes", hf_json_number(row->retained_bytes));
	hf_json_set(j, o, "retained_count", hf_json_number(row->retained_count));
	return o;
}

json_t *hf_json_dominators(struct hf_json *j, const void *result)
{
	const struct hf_dominator_trees *trees = result;
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < trees->n; i++) {
		const struct hf_dominator_tree *at = &trees->trees[i];
		json_t *tree = json_object(), *rows = json_array();

		for (size_t k = 0; k < at->n; k++)
			hf_json_append(j, rows, dominator_row(j, &at->rows[k]));
		hf_json_set(j, tree, "query", *at->query ? hf_json_text(at->query) : json_null());
		hf_json_set(j, tree, "min_bytes", hf_json_number(at->min_bytes));
		hf_json_set(j, tree, "rows", rows);
		hf_json_append(j, list, tree);
	}
	hf_json_set(j, o, "trees", list);
	hf_json_set(j, o, "depth", hf_json_number(trees->depth));
	hf_json_set(j, o, "max", hf_json_number(trees->max));
	hf_json_set(j, o, "total_count", hf_json_number(trees->total_count));
	hf_json_set(j, o, "total_bytes", hf_json_number(trees->total_bytes));
	return o;
}

json_t *hf_json_snap(struct hf_json *j, const void *result)
{
	const struct hf_snap *snap = result;
	json_t *o = json_object();

	hf_json_set(j, o, "path", hf_json_text(snap->path));
	hf_json_set(j, o, "file_bytes", hf_json_number(snap->file_bytes));
	hf_json_set(j, o, "resident_bytes", hf_json_number(snap->resident_bytes));
	hf_json_set(j, o, "skipped_bytes", hf_json_number(snap->skipped_bytes));
	hf_json_set(j, o, "segments", hf_json_number(snap->segments));
	return o;
}

json_t *hf_json_page(struct hf_json *j, const void *result)
{
	const struct hf_page *page = result;
	json_t *o = json_object(), *example = NULL;

	hf_json_set(j, o, "overview", hf_json_overview(j, page->overview));
	hf_json_set(j, o, "types", page->types ? hf_json_top(j, page->types) : json_null());
	hf_json_set(j, o, "roots", page->roots ? hf_json_top(j, page->roots) : json_null());
	hf_json_set(j, o, "goroutines",
		    page->goroutines ? hf_json_goroutines(j, page->goroutines) : json_null());
	if (page->example) {
		example = hf_json_chain(j, page->example);
		hf_json_set(j, example, "type", hf_json_text(page->example_type));
	}
	hf_json_set(j, o, "example", example ? example : json_null());
	return o;
}
