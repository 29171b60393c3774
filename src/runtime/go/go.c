#include "go.h"
#include "names.h"
#include "pools.h"
#include "steps.h"
#include "typing.h"
#include "views.h"

#define ITABS_MAX (1u << 20)

static struct go *go_of(struct hf_runtime *rt)
{
	return (struct go *)rt;
}

struct hf_err *go_read_slice(struct go *go, uint64_t addr, uint64_t *ret_ptr, uint64_t *ret_len)
{
	uint64_t header[2];

	HF_TRY(hf_target_read(go->t, addr, header, sizeof(header)));
	*ret_ptr = header[0];
	*ret_len = header[1];
	return NULL;
}

static struct hf_err *probe(struct hf_target *t, struct hf_syms *s, bool *ret)
{
	_free_ char *version = NULL;

	HF_TRY(go_read_version(t, s, &version));
	*ret = *version != '\0';
	return NULL;
}

static void close_runtime(struct hf_runtime *rt)
{
	struct go *go = go_of(rt);

	go_steps_destroy(go);
	go_locals_deinit(go);
	go_pools_destroy(go);
	go_statics_destroy(go);
	go_types_destroy(go);
	go_modules_deinit(go);
	go_spans_deinit(go);
	go_sites_deinit(go);
	go_goroutines_deinit(go);
	hf_vec_deinit(&go->specials);
	hf_vec_deinit(&go->grown);
	hf_vec_deinit(&go->chunks);
	hf_vec_deinit(&go->queue_roots);
	hf_map64_deinit(&go->views);
	hf_map64_deinit(&go->itab_type);
	hf_free(go->block_type);
	hf_free(go->spare_seen);
	hf_free(go->scratch.at);
	hf_free(go->version);
	hf_arena_deinit(&go->names);
	hf_free(go);
}

static struct hf_err *open_parts(struct go *go)
{
	struct hf_field types;
	uint64_t start = 0, end = 0;

	HF_TRY(go_read_version(go->t, go->syms, &go->version));
	HF_TRY(go_layout_init(&go->layout, go->t, go->syms, go->version));
	/* moduledata is initialised by the linker: readable before any stop. */
	HF_TRY(hf_target_read_u64(
		go->t, go->layout.var[GO_VAR_FIRSTMODULEDATA] + (uint64_t)go_off(go, MODULEDATA_TYPES),
		&start));
	HF_TRY(hf_target_read_u64(
		go->t, go->layout.var[GO_VAR_FIRSTMODULEDATA] + (uint64_t)go_off(go, MODULEDATA_ETYPES),
		&end));
	hf_syms_set_go_types(go->syms, start, end);
	/* The pass over DWARF's top level is made here, before the target stops. */
	(void)hf_syms_find_field(go->syms, "runtime.mspan", "startAddr", &types);
	return NULL;
}

static const struct hf_runtime_ops go_ops;

static struct hf_err *open_runtime(struct hf_target *t, struct hf_syms *s, struct hf_runtime **ret)
{
	struct go *go = hf_calloc(1, sizeof(*go));
	struct hf_err *err;

	if (!go)
		return hf_err_nomem();
	go->rt.ops = &go_ops;
	go->t = t;
	go->syms = s;
	err = open_parts(go);
	if (err) {
		close_runtime(&go->rt);
		return err;
	}
	*ret = &go->rt;
	return NULL;
}

/* itabs that were made at run time stand in memory that is not captured otherwise. The table is walked while stopped.
 * Source: Go 1.20-1.27 runtime/iface.go, itabTableType {size, count, entries}. */
static struct hf_err *read_itabs(struct go *go)
{
	uint64_t table, size;

	if (!go->layout.var[GO_VAR_ITABTABLE] ||
	    hf_err_ignore(hf_target_read_u64(go->t, go->layout.var[GO_VAR_ITABTABLE], &table)))
		return NULL;
	/* A power of two, so that it can be hashed into. */
	if (hf_err_ignore(hf_target_read_u64(go->t, table, &size)) || size > ITABS_MAX ||
	    (size & (size - 1))) {
		go_damage_add(&go->damage[GO_DAMAGE_ITABS], table);
		return NULL;
	}
	HF_TRY(hf_target_capture(go->t, &(struct hf_range){table, table + 16 + size * 8}, 1));
	for (uint64_t i = 0; i < size; i++) {
		uint64_t itab, type;

		if (hf_err_ignore(hf_target_read_u64(go->t, table + 16 + i * 8, &itab))) {
			go_damage_add(&go->damage[GO_DAMAGE_ITABS], table);
			break;
		}
		if (itab && !hf_err_ignore(hf_target_read_u64(go->t, itab + 8, &type)) && type)
			HF_TRY(hf_map64_put(&go->itab_type, itab, type));
	}
	return NULL;
}

static struct hf_err *capture_globals(struct go *go)
{
	hf_vec_each(&go->modules, m) {
		struct hf_range ranges[] = {
			{m->data, m->edata},
			{m->bss, m->ebss},
			{m->noptrdata, m->enoptrdata},
			{m->noptrbss, m->enoptrbss},
			{m->datamask, m->datamask + (m->datamask_n + 7) / 8},
			{m->bssmask, m->bssmask + (m->bssmask_n + 7) / 8},
		};

		HF_TRY(hf_target_capture(go->t, ranges, HF_LEN(ranges)));
	}
	return NULL;
}

static struct hf_err *prepare(struct hf_runtime *rt)
{
	/* The tables of functions are large and constant: read now, they need not be while it is stopped. */
	HF_TRY(go_modules_read(go_of(rt)));
	HF_TRY(go_persist_prepare(go_of(rt)));
	return go_spans_prepare(go_of(rt));
}

static struct hf_err *capture(struct hf_runtime *rt)
{
	struct go *go = go_of(rt);

	if (!strcmp(go->t->ops->kind, "live"))
		go->now_monotonic = hf_now();
	HF_TRY(go_modules_read(go));
	HF_TRY(capture_globals(go));
	HF_TRY(go_spans_read(go));
	HF_TRY(go_spans_capture(go));
	HF_TRY(go_goroutines_read(go));
	HF_TRY(go_persist_capture(go));
	if (!go->persistent)
		HF_TRY(go_specials_read(go));
	HF_TRY(go_queues_read(go));
	HF_TRY(go_sites_capture(go));
	HF_TRY(go_idle_capture(go));
	HF_TRY(go_labels_read(go));
	HF_TRY(read_itabs(go));
	return go_counters_read(go);
}

static struct hf_err *walk(struct hf_runtime *rt, uint32_t *ret_blocks)
{
	struct go *go = go_of(rt);

	if (go->persistent)
		HF_TRY(go_specials_read(go));
	HF_TRY(go_spans_number(go));
	HF_TRY(go_sites_read(go));
	HF_TRY(go_types_create(go));
	HF_TRY(go_scan_prepare(go));
	HF_TRY(go_pools_read(go));
	HF_TRY(go_goroutines_walk(go));
	HF_TRY(go_self_check(go));
	*ret_blocks = go->blocks;
	return NULL;
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

static bool find_block(struct hf_runtime *rt, uint64_t addr, uint32_t *ret)
{
	*ret = go_find_block(go_of(rt), addr);
	return *ret != HF_NO_BLOCK;
}

static const struct go_goroutine *find_stack(const struct go *go, uint64_t addr)
{
	hf_vec_each(&go->goroutines, g)
		if (addr >= g->lo && addr < g->hi)
			return g;
	return NULL;
}

static struct hf_where where(struct hf_runtime *rt, uint64_t addr)
{
	struct go *go = go_of(rt);
	const struct go_span *span = go_find_span(go, addr);
	const struct go_goroutine *g = find_stack(go, addr);
	const struct hf_range *manual;
	struct hf_where ret = {.place = HF_PLACE_NONE};

	if (g)
		return (struct hf_where){.place = HF_PLACE_STACK, .start = g->lo, .size = g->hi - g->lo};
	if (span && addr < span->objects_end) {
		ret.block = go_find_block(go, addr);
		ret.place = ret.block == HF_NO_BLOCK ? HF_PLACE_FREE : HF_PLACE_BLOCK;
		ret.start = span->start + go_slot_of(span, addr) * span->elemsize;
		ret.size = span->elemsize;
		return ret;
	}
	if (span)
		return (struct hf_where){.place = HF_PLACE_RUNTIME,
					 .start = span->objects_end,
					 .size = span->pages_end - span->objects_end};
	manual = go_find_manual(go, addr);
	if (manual)
		return (struct hf_where){.place = HF_PLACE_RUNTIME,
					 .start = manual->start,
					 .size = manual->end - manual->start};
	/* Pages of the heap's arenas in no span are free. */
	if (addr >> GO_ARENA_SHIFT < GO_ARENAS && go->arena_index[addr >> GO_ARENA_SHIFT])
		return (struct hf_where){
			.place = HF_PLACE_FREE, .start = hf_align_down(addr, GO_PAGE), .size = GO_PAGE};
	return ret;
}

static struct hf_block block(struct hf_runtime *rt, uint32_t number)
{
	const struct go_span *span;
	uint64_t addr = go_block_addr(go_of(rt), number, &span);

	return (struct hf_block){addr, span->elemsize};
}

static uint32_t block_type(struct hf_runtime *rt, uint32_t number)
{
	return go_of(rt)->block_type ? go_of(rt)->block_type[number] : GO_NO_TYPE;
}

static uint32_t types(struct hf_runtime *rt)
{
	return go_types_count(go_of(rt));
}

static void type_name(struct hf_runtime *rt, uint32_t type, struct hf_str *ret)
{
	hf_str_add(ret, go_type_name(go_of(rt), type));
}

static uint32_t type_whole(struct hf_runtime *rt, uint32_t type)
{
	const struct go_type *of = go_type_get(go_of(rt), type);

	if (of->shape != GO_SHAPE_MAP_DIR && of->shape != GO_SHAPE_MAP_TABLE &&
	    of->shape != GO_SHAPE_MAP_GROUPS)
		return type;
	return go_type_shape(go_of(rt), GO_SHAPE_MAP, of->elem, 0);
}

static bool type_is_partial(struct hf_runtime *rt, uint32_t type)
{
	return go_type_get(go_of(rt), type)->shape == GO_SHAPE_PART;
}

static struct hf_err *frames(struct hf_runtime *rt, uint64_t pc, struct hf_stack_frame *ret, size_t max,
			     size_t *ret_n)
{
	return go_source_frames(go_of(rt), pc, ret, max, ret_n);
}

/* The frame of a goroutine that a stack address is in. */
struct find_frame {
	uint64_t addr;
	struct go_stkframe found;
	bool is_found;
};

static bool find_frame(void *arg, const struct go_stkframe *frame)
{
	struct find_frame *f = arg;

	f->is_found = f->addr >= frame->sp && f->addr < frame->fp;
	if (f->is_found)
		f->found = *frame;
	return !f->is_found;
}

/* "main.worker.req": the frame's function and its variable that covers the address, where they are known. */
static struct hf_err *describe_frame(struct go *go, const struct go_goroutine *g, uint64_t addr,
				     struct hf_str *ret)
{
	struct find_frame f = {.addr = addr};
	const go_locals *locals;
	const struct go_local *local;
	bool complete;

	HF_TRY(go_unwind(go, g, find_frame, &f, &complete));
	if (!f.is_found)
		return NULL;
	hf_str_addf(ret, ", in the frame of %s", f.found.func.name);
	HF_TRY(go_locals_at(go, f.found.call_pc, &locals));
	local = go_local_find(locals, (int64_t)(addr - f.found.fp), false);
	if (!local)
		return NULL;
	hf_str_addf(ret, ", variable %s", local->name);
	if (!local->bare_pointer)
		go_path_name(go, local->type,
			     local->piece_offset + (addr - f.found.fp - (uint64_t)local->cfa_offset), ret);
	return NULL;
}

static struct hf_err *describe(struct hf_runtime *rt, uint64_t addr, struct hf_str *ret)
{
	struct go *go = go_of(rt);
	const struct go_goroutine *g = find_stack(go, addr);
	struct go_func f;

	if (g) {
		hf_str_addf(ret, "stack of goroutine %" PRIu64 " (%s) [%s]", g->id,
			    g->function ? g->function : "?", go_wait_reason(go, g));
		if (addr >= g->sp)
			return describe_frame(go, g, addr, ret);
		hf_str_add(ret, ", not in use");
		return NULL;
	}
	if (go_find_func(go, addr, &f))
		hf_str_addf(ret, "code of %s+0x%" PRIx64, f.name, addr - f.entry);
	else if (go_find_manual(go, addr))
		hf_str_add(ret, "Go runtime memory: a free stack, or the runtime's own");
	else if (go_find_span(go, addr))
		hf_str_add(ret, "Go heap: bitmap or unused tail of a span");
	else if (addr >> GO_ARENA_SHIFT < GO_ARENAS && go->arena_index[addr >> GO_ARENA_SHIFT])
		hf_str_add(ret, "Go heap: free pages");
	return NULL;
}

/* ---- goroutines ------------------------------------------------------------------------------------------------- */

static size_t tasks(struct hf_runtime *rt)
{
	return go_of(rt)->goroutines.n;
}

static struct hf_err *task(struct hf_runtime *rt, size_t i, struct hf_task *ret)
{
	struct go *go = go_of(rt);
	const struct go_goroutine *g = &go->goroutines.at[i];

	*ret = (struct hf_task){
		.id = g->id,
		.function = g->function && *g->function ? g->function : "?",
		.created_by = g->created_by ? g->created_by : "",
		.wait = go_wait_reason(go, g),
		.wait_s = -1,
		.stack_bytes = g->hi - g->lo,
		.main = g->id == 1,
		.created_pc = g->gopc && g->id != 1 ? g->gopc - 1 : 0,
	};
	if (g->labels) {
		const struct go_label_set *set = &go->label_sets.at[g->labels - 1];

		ret->labels = go->labels.at + set->first;
		ret->labels_n = set->n;
	}
	ret->system = !strncmp(ret->function, "runtime.", 8);
	/* waitsince is the runtime's nanotime: CLOCK_MONOTONIC, the same clock as ours on one machine. */
	if (g->wait_since && go->now_monotonic > 0) {
		ret->wait_s = go->now_monotonic - (double)g->wait_since / 1e9;
		if (ret->wait_s < 0)
			ret->wait_s = -1;
	}
	return NULL;
}

static bool root_task(struct hf_runtime *rt, const struct hf_found_root *root, uint32_t *ret)
{
	*ret = root->owner;
	return (root->kind == HF_ROOT_GOROUTINE || root->kind == HF_ROOT_STACK ||
		root->kind == HF_ROOT_REGISTER) &&
	       root->owner < go_of(rt)->goroutines.n;
}

struct collect_frames {
	struct go *go;
	struct hf_stack_frame *at;
	size_t n, max;
	struct hf_err *err;
};

static bool collect_frame(void *arg, const struct go_stkframe *frame)
{
	struct collect_frames *c = arg;
	size_t n = 0;
	uint64_t pc = frame->innermost || frame->pc == frame->func.entry ? frame->pc : frame->pc - 1;

	c->err = go_source_frames(c->go, pc, c->at + c->n, c->max - c->n, &n);
	c->n += n;
	return !c->err && c->n < c->max;
}

static struct hf_err *task_frames(struct hf_runtime *rt, size_t i, struct hf_stack_frame *ret, size_t max,
				  size_t *ret_n)
{
	struct go *go = go_of(rt);
	struct collect_frames c = {.go = go, .at = ret, .max = max};
	bool complete;

	HF_TRY(go_unwind(go, &go->goroutines.at[i], collect_frame, &c, &complete));
	*ret_n = c.n;
	return c.err;
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

static const char *phase_name(uint32_t phase)
{
	static const char *const names[] = {"off", "mark", "mark termination"};

	return phase < HF_LEN(names) ? names[phase] : "unknown";
}

static struct hf_err *stats(struct hf_runtime *rt, struct hf_runtime_stats *ret)
{
	struct go *go = go_of(rt);
	const struct go_counters *c = &go->counters;

	*ret = (struct hf_runtime_stats){.main_path = "", .main_version = "", .vcs = ""};
	ret->heap = (struct hf_heap){
		.runtime = "go",
		.version = go->version,
		.objects = go->objects,
		.bytes = go->bytes,
		.runtime_objects = c->valid ? c->objects : HF_UNKNOWN,
		.runtime_bytes = c->valid ? c->bytes : HF_UNKNOWN,
		.exact = c->valid && c->objects == go->objects && c->bytes == go->bytes,
		.in_use = c->in_use,
		.idle = c->free == HF_UNKNOWN || c->released == HF_UNKNOWN ? HF_UNKNOWN
									   : c->free + c->released,
		.released = c->released,
		.stacks = c->stacks,
		.metadata = c->metadata,
		.goroutines = go->goroutines.n,
		.gomaxprocs = c->gomaxprocs,
		.gc_phase = phase_name(c->gc_phase),
		.gc_cycles = c->num_gc,
		.gc_percent = c->gc_percent,
		.memory_limit = c->memory_limit,
		.next_gc = c->next_gc,
		.last_gc_at = (double)c->last_gc_unix_ns / 1e9,
	};
	HF_TRY(go_memstats(go, &ret->heap));
	return go_read_build_info(go, ret);
}

static const struct hf_runtime_ops go_ops = {
	.name = "go",
	.probe = probe,
	.open = open_runtime,
	.prepare = prepare,
	.capture = capture,
	.walk = walk,
	.chunks = go_scan_chunks,
	.scan = go_scan,
	.roots = go_roots,
	.late_roots = go_late_roots,
	.count_dangling = go_count_dangling,
	.type_blocks = go_type_blocks,
	.find_block = find_block,
	.where = where,
	.block = block,
	.block_type = block_type,
	.types = types,
	.type_name = type_name,
	.type_whole = type_whole,
	.type_is_partial = type_is_partial,
	.edge_name = go_edge_name,
	.edge_tags = go_edge_tags,
	.find_field = go_find_field,
	.field_value = go_field_value,
	.offset_name = go_offset_name,
	.views = go_views,
	.root_view = go_root_view,
	.extent = go_extent,
	.place = go_place,
	.place_name = go_view_place_name,
	.root_place = go_root_place,
	.pointers = go_pointers,
	.root_name = go_root_name,
	.holder_name = go_holder_name,
	.walk_steps = go_walk_steps,
	.root_steps = go_root_steps,
	.step = go_step_info,
	.value = go_value,
	.describe = describe,
	.frames = frames,
	.tasks = tasks,
	.task = task,
	.root_task = root_task,
	.task_waits = go_task_waits,
	.task_frames = task_frames,
	.alloc_sites_n = go_sites_n,
	.alloc_sites = go_site_get,
	.alloc_rate = go_sample_rate,
	.block_site = go_block_site,
	.spans_n = go_spans_n,
	.span = go_span_get,
	.rounding = go_rounding,
	.idle = go_idle,
	.pools = go_pools,
	.pool_name = go_pool_name,
	.ctor_slot = go_ctor_slot,
	.knob = go_knob,
	.pulse = go_pulse,
	.stats = stats,
	.close = close_runtime,
};

const struct hf_runtime_ops *const hf_go_runtime = &go_ops;
