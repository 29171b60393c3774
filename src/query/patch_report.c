/* Plans, findings and runs, as parts of results. */
#include "../target/arch.h"
#include "patch_private.h"

/* ---- the plan ------------------------------------------------------------------------------------------------------ */

static const char *how_text(const struct hf_plan *plan)
{
	switch (plan->how) {
	case HF_PLAN_STORE:
		break;
	case HF_PLAN_LOAD:
		return "the file is loaded first";
	case HF_PLAN_FUNCVAL:
		return "a page with that function's value is mapped first";
	case HF_PLAN_CLOSURE:
		return "a page with that closure is mapped first";
	case HF_PLAN_THUNK:
		return "code that makes a zero value is mapped, and made known to the runtime, first";
	}
	return "one aligned store";
}

struct hf_err *hf_patch_tell_plan(const void *result, const struct hf_patch *p,
				  const struct hf_patch_plan **ret)
{
	const struct hf_plan *plan = &p->plan;
	struct hf_patch_plan *told = hf_result_alloc(result, 1, sizeof(*told));
	struct hf_moment now = {.processors = HF_UNKNOWN, .gc_phase = ""};

	if (!told)
		return hf_err_nomem();
	if (p->callee->ops->moment)
		HF_TRY(p->callee->ops->moment(p->callee, &now));
	*told = (struct hf_patch_plan){
		.id = hf_result_str(result, plan->id),
		.pid = plan->pid,
		.start_time = plan->start_time,
		.exe = hf_result_str(result, plan->exe),
		.build_id = hf_result_str(result, plan->build_id),
		.runtime = hf_result_str(result, plan->runtime),
		.pool = hf_result_str(result, plan->pool),
		.kind = hf_result_str(result, plan->kind),
		.pool_addr = plan->pool_addr,
		.slot_addr = plan->slot_addr,
		.old_value = plan->old_value,
		.new_value = plan->new_value ? plan->new_value : HF_UNKNOWN,
		.old_function = hf_result_str(result, plan->old_function),
		.new_function = hf_result_str(result, plan->new_function),
		.item_type = hf_result_str(result, plan->item_type),
		.old_code = plan->old_code,
		.new_code = plan->new_code,
		.object_size = plan->object_size,
		.cpu_us = plan->cpu_us,
		.alloc_bytes = plan->alloc_bytes,
		.hold_us = plan->hold_us,
		.strict = plan->strict,
		.expert = plan->expert,
		.how = how_text(plan),
		.held = p->s->t->held,
		.processors = now.processors,
		.gc_phase = now.gc_phase,
		.saved = "",
	};
	*ret = told;
	return NULL;
}

/* ---- findings ------------------------------------------------------------------------------------------------------ */

/* Where code stands, for people: the innermost function and line, and how far it is from the function's start. */
struct place {
	const char *function, *file;
	uint64_t offset;
	uint32_t line;
};

static struct hf_err *find_place(const void *result, const struct hf_patch *p, uint64_t pc, struct place *ret)
{
	struct hf_source_frame frame = {.function = "", .file = ""};
	struct hf_symbol symbol;
	size_t n = 0;

	*ret = (struct place){.function = "", .file = ""};
	if (!pc)
		return NULL;
	HF_TRY(hf_syms_source_frames(p->s->syms, pc, &frame, 1, &n));
	if (n) {
		ret->function = hf_result_str(result, frame.function ? frame.function : "");
		ret->file = hf_result_str(result, frame.file ? frame.file : "");
		ret->line = frame.line;
	}
	if (hf_syms_symbol_at(p->s->syms, pc, &symbol) && symbol.is_function) {
		if (!*ret->function)
			ret->function = hf_result_str(result, symbol.name);
		ret->offset = pc - symbol.addr;
	}
	return NULL;
}

struct hf_err *hf_patch_tell_findings(const void *result, const struct hf_patch *p,
				      const struct hf_findings *f, const struct hf_patch_finding **ret,
				      size_t *ret_n)
{
	struct hf_patch_finding *list = hf_result_alloc(result, f->list.n + 1, sizeof(*list));

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < f->list.n; i++) {
		const struct hf_finding *at = &f->list.at[i];
		struct place place;

		HF_TRY(find_place(result, p, *at->function ? 0 : at->pc, &place));
		list[i] = (struct hf_patch_finding){
			.refusal = hf_refusal_name(at->refusal),
			.kind = hf_result_str(result, at->kind),
			.what = hf_result_str(result, at->what),
			.function = *at->function ? hf_result_str(result, at->function) : place.function,
			.file = *at->function ? hf_result_str(result, at->file) : place.file,
			.offset = *at->function ? at->offset : place.offset,
			.line = *at->function ? at->line : place.line,
			.addr = at->addr,
		};
	}
	*ret = list;
	*ret_n = f->list.n;
	return NULL;
}

/* ---- a run ----------------------------------------------------------------------------------------------------------- */

/* A word as a number, anything else as bytes. */
static const char *show_bytes(const void *result, const uint8_t *bytes, uint32_t len)
{
	struct hf_str s = {0};
	uint64_t word = 0;

	if (len <= 8) {
		memcpy(&word, bytes, len);
		hf_str_addf(&s, "0x%" PRIx64, word);
	} else {
		for (uint32_t i = 0; i < len; i++)
			hf_str_addf(&s, "%02x", bytes[i]);
	}
	return hf_result_take_str(result, &s);
}

static const char *name_place(const void *result, const struct hf_patch *p, uint64_t addr)
{
	const struct hf_map *map = hf_target_find_map(p->s->t, addr);
	struct hf_variable v;
	struct hf_symbol symbol;
	struct hf_str s = {0};
	uint64_t offset = 0;

	if (hf_syms_variable_at(p->s->syms, addr, &v)) {
		hf_str_add(&s, v.name);
		offset = addr - v.addr;
	} else if (hf_syms_symbol_at(p->s->syms, addr, &symbol)) {
		hf_str_add(&s, symbol.name);
		offset = addr - symbol.addr;
	} else if (map && *map->path) {
		hf_str_add(&s, map->path);
		offset = addr - map->start;
	}
	if (offset)
		hf_str_addf(&s, "+%" PRIu64, offset);
	return hf_result_take_str(result, &s);
}

/* The changes that the callee held against it, as findings of kind "write" name their addresses. */
static bool is_held_against(const struct hf_dry_run *d, uint64_t addr)
{
	hf_vec_each(&d->findings.list, it)
		if (it->addr == addr && !strcmp(it->kind, "write"))
			return true;
	return false;
}

#define WRITES_MAX 256

static struct hf_err *tell_writes(const void *result, const struct hf_patch *p, const struct hf_dry_run *d,
				  struct hf_patch_run *ret)
{
	struct hf_patch_write *list =
		hf_result_alloc(result, hf_min(d->run.changes.n, (size_t)WRITES_MAX) + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return hf_err_nomem();
	hf_vec_each(&d->run.changes, c) {
		struct place place;

		if (c->by_allocator || !is_held_against(d, c->addr))
			continue;
		if (n == WRITES_MAX) {
			ret->writes_left_out++;
			continue;
		}
		HF_TRY(find_place(result, p, c->writer, &place));
		list[n++] = (struct hf_patch_write){
			.addr = c->addr,
			.bytes = c->len,
			.name = name_place(result, p, c->addr),
			.before = show_bytes(result, c->before, c->len),
			.after = show_bytes(result, c->after, c->len),
			.writer = place.function,
			.file = place.file,
			.line = place.line,
		};
	}
	ret->writes = list;
	ret->writes_n = n;
	ret->writes_left_out += d->run.end.changes_lost;
	return NULL;
}

static struct hf_err *tell_made(const void *result, const struct hf_dry_run *d, struct hf_patch_run *ret)
{
	struct hf_patch_made *list = hf_result_alloc(result, d->judgement.made.n + 1, sizeof(*list));

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < d->judgement.made.n; i++) {
		const struct hf_made *m = &d->judgement.made.at[i];

		list[i] = (struct hf_patch_made){m->addr, m->bytes,
						 hf_result_str(result, m->type ? m->type : "")};
	}
	ret->made = list;
	ret->made_n = d->judgement.made.n;
	ret->blocks = d->judgement.made.n + d->run.end.allocations_lost;
	return NULL;
}

static const char *syscall_name(uint64_t number)
{
	const char *name = hf_arch_syscall_name(number);

	return name ? name : "an unknown one";
}

static struct hf_err *tell_syscalls(const void *result, const struct hf_dry_run *d, struct hf_patch_run *ret)
{
	bool refused = d->run.end.kind == GHOST_END_SYSCALL || (d->run.end.kind == GHOST_END_BLOCKS);
	struct hf_patch_syscall *list = hf_result_alloc(result, d->run.events.n + 2, sizeof(*list));
	size_t n = 0;

	if (!list)
		return hf_err_nomem();
	hf_vec_each(&d->run.events, e)
		if (e->kind == GHOST_EVENT_SYSCALL)
			list[n++] = (struct hf_patch_syscall){syscall_name(e->number), true};
	if (refused)
		list[n++] = (struct hf_patch_syscall){syscall_name(d->run.end.number), false};
	ret->syscalls = list;
	ret->syscalls_n = n;
	return NULL;
}

static uint64_t count_started(const struct hf_dry_run *d)
{
	uint64_t n = 0;

	hf_vec_each(&d->findings.list, it)
		n += !strcmp(it->kind, "goroutine") || !strcmp(it->kind, "thread");
	return n;
}

static const char *verdict_of(enum hf_refusal refusal)
{
	return refusal == HF_REFUSAL_NONE           ? "accepted"
	       : refusal == HF_REFUSAL_INCONCLUSIVE ? "inconclusive"
						    : "refused";
}

struct hf_err *hf_patch_tell_run(const void *result, const struct hf_patch *p, const char *function,
				 const struct hf_dry_run *d, const struct hf_patch_run **ret)
{
	struct hf_patch_run *run = hf_result_alloc(result, 1, sizeof(*run));

	if (!run)
		return hf_err_nomem();
	*run = (struct hf_patch_run){
		.function = hf_result_str(result, function),
		.verdict = verdict_of(d->refusal),
		.reason = hf_refusal_name(d->refusal),
		.why = hf_result_str(result, d->why ? d->why : ""),
		.allocated_bytes = d->judgement.allocated_bytes,
		.metadata_bytes = d->judgement.metadata_bytes,
		.started = count_started(d),
		.result = d->judgement.result,
		.result_type = hf_result_str(
			result, d->judgement.result_type_name ? d->judgement.result_type_name : ""),
		.elapsed_us = d->run.end.wall_us,
		.cpu_us = d->run.end.cpu_us,
		.instructions = d->run.end.instructions,
		.pages = d->run.end.pages,
		.held_s = d->held_s,
		.runs = d->runs,
		.agreed = d->agreed,
	};
	HF_TRY(tell_made(result, d, run));
	HF_TRY(tell_writes(result, p, d, run));
	HF_TRY(tell_syscalls(result, d, run));
	HF_TRY(hf_patch_tell_findings(result, p, &d->findings, &run->findings, &run->findings_n));
	*ret = run;
	return NULL;
}
