/* All goroutines, after the target runs again: scans their stacks in parallel and names them. */
#include "unwind.h"

#define BATCH       256u
#define LOGICAL_MAX 32u

/* Scaffolding: above what the go statement named, what follows it, or the compiler's. */
static bool is_scaffolding(const struct go_module *m, const struct go_logical_frame *f)
{
	return strcmp(f->name, "runtime.goexit") == 0 || strcmp(f->name, "runtime.goexit1") == 0 ||
	       strcmp(f->name, "runtime.main") == 0 || strncmp(f->name, "runtime.cgocallback", 19) == 0 ||
	       strncmp(f->name, "_cgoexp_", 8) == 0 || go_is_wrapper(m, f->func_id, f->name);
}

const char *go_task_name(struct go *go, struct go_cache *cache, uint64_t call_pc)
{
	struct go_name_info *info = &cache->names[go_cache_slot(call_pc)];
	struct go_logical_frame frames[LOGICAL_MAX];
	struct go_func f;

	if (info->pc == call_pc && call_pc)
		return info->name;
	*info = (struct go_name_info){.pc = call_pc};
	if (!go_find_func(go, call_pc, &f))
		return NULL;
	for (size_t n = go_logical_frames(go, &f, call_pc, frames, HF_LEN(frames)); n-- > 0;) {
		if (is_scaffolding(f.module, &frames[n]))
			continue;
		info->name = frames[n].name;
		break;
	}
	return info->name;
}

static void name_goroutine(struct go *go, struct go_goroutine *g, const char *name)
{
	struct go_func f;

	if (!name && go_find_func(go, g->startpc, &f))
		name = f.name;
	g->function = name ? name : "";
	/* runtime/traceback.go, printcreatedby: nobody's go statement made the first one. */
	g->created_by = g->gopc && g->id != 1 && go_find_func(go, g->gopc - 1, &f) ? f.name : "";
}

struct batch {
	struct go_scan_output out;
};

struct walk {
	struct go *go;
	struct batch *batches;
	size_t batches_n;
	struct go_scan_state *states[HF_WORKERS_MAX];
};

static struct hf_err *walk_batch(void *arg, size_t i, unsigned worker)
{
	struct walk *w = arg;
	struct go *go = w->go;
	size_t first = i * BATCH, end = hf_min(first + BATCH, go->goroutines.n);

	if (!w->states[worker] && !(w->states[worker] = go_scan_state_create()))
		return hf_err_nomem();
	for (size_t at = first; at < end; at++) {
		const char *name = NULL, *why = NULL;

		if (at % 64 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(go_scan_goroutine(go, w->states[worker], (uint32_t)at, &w->batches[i].out, &name,
					 &why));
		name_goroutine(go, &go->goroutines.at[at], name);
		if (why)
			go_damage_add(&go->damage[GO_DAMAGE_UNWIND], go->goroutines.at[at].addr);
	}
	return NULL;
}

/* In the order of the goroutines, whoever walked them. */
static struct hf_err *collect(struct walk *w)
{
	struct go *go = w->go;
	size_t roots = 0, frames = 0;

	for (size_t i = 0; i < w->batches_n; i++) {
		roots += w->batches[i].out.roots.n;
		frames += w->batches[i].out.frames.n;
	}
	HF_TRY(hf_vec_reserve(&go->stack_roots, roots));
	HF_TRY(hf_vec_reserve(&go->frames, frames));
	for (size_t i = 0; i < w->batches_n; i++) {
		struct batch *b = &w->batches[i];
		uint32_t base = (uint32_t)go->frames.n;

		hf_vec_each(&b->out.roots, root) {
			root->frame += root->frame == UINT32_MAX ? 0 : base;
			go->stack_roots.at[go->stack_roots.n++] = *root;
		}
		hf_vec_each(&b->out.frames, frame)
			go->frames.at[go->frames.n++] = *frame;
		hf_vec_deinit(&b->out.roots);
		hf_vec_deinit(&b->out.frames);
	}
	return NULL;
}

static void walk_deinit(struct walk *w)
{
	for (size_t i = 0; w->batches && i < w->batches_n; i++) {
		hf_vec_deinit(&w->batches[i].out.roots);
		hf_vec_deinit(&w->batches[i].out.frames);
	}
	hf_free(w->batches);
	for (size_t i = 0; i < HF_LEN(w->states); i++)
		go_scan_state_destroy(w->states[i]);
}

struct hf_err *go_goroutines_walk(struct go *go)
{
	_cleanup_(walk_deinit) struct walk w = {.go = go,
						.batches_n = (go->goroutines.n + BATCH - 1) / BATCH};

	go->stack_roots.n = go->frames.n = 0;
	if (!w.batches_n)
		return NULL;
	w.batches = hf_calloc(w.batches_n, sizeof(*w.batches));
	if (!w.batches)
		return hf_err_nomem();
	HF_TRY(hf_parallel(w.batches_n, walk_batch, &w));
	return collect(&w);
}

struct hf_err *go_stack_scan(struct go *go, uint32_t goroutine, bool *ret_complete)
{
	struct go_scan_state *s = go_scan_state_create();
	struct go_scan_output out = {0};
	const char *name, *why = NULL;
	struct hf_err *err;
	uint32_t base = (uint32_t)go->frames.n;

	err = s ? go_scan_goroutine(go, s, goroutine, &out, &name, &why) : hf_err_nomem();
	for (size_t i = 0; !err && i < out.frames.n; i++)
		err = hf_vec_push(&go->frames, out.frames.at[i]);
	for (size_t i = 0; !err && i < out.roots.n; i++) {
		out.roots.at[i].frame += out.roots.at[i].frame == UINT32_MAX ? 0 : base;
		err = hf_vec_push(&go->stack_roots, out.roots.at[i]);
	}
	hf_vec_deinit(&out.roots);
	hf_vec_deinit(&out.frames);
	go_scan_state_destroy(s);
	if (!err)
		*ret_complete = why == NULL;
	return err;
}

const struct go_frame *go_frame_of(const struct go *go, uint32_t goroutine, uint64_t slot)
{
	size_t low = 0, high = go->frames.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct go_frame *f = &go->frames.at[mid];

		if (f->goroutine < goroutine || (f->goroutine == goroutine && f->sp <= slot))
			low = mid + 1;
		else
			high = mid;
	}
	return slot && low && go->frames.at[low - 1].goroutine == goroutine ? &go->frames.at[low - 1] : NULL;
}
