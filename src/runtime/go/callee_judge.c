/* What a run of a constructor did to what existed before it. */
#include "ctor.h"
#include "names.h"

#define WRITES_MAX 64 /* that are told one by one */

/* ---- how it ended --------------------------------------------------------------------------------------------------- */

static bool is_of_runtime(const char *name)
{
	static const char *const packages[] = {"runtime.", "internal/runtime/", "runtime/internal/",
					       "syscall.", "internal/syscall/", "internal/poll."};

	for (size_t i = 0; i < HF_LEN(packages); i++)
		if (!strncmp(name, packages[i], strlen(packages[i])))
			return true;
	return false;
}

/* The innermost code of the program itself on the way to where it ended. */
static uint64_t ended_at(const struct go_judge *j)
{
	const struct ghost_end *end = &j->run->end;
	struct go_func f;

	if (go_find_func(j->go, end->pc, &f) && !is_of_runtime(f.name))
		return end->pc;
	for (uint32_t i = 0; i < end->trace_n && i < HF_LEN(end->trace); i++)
		if (end->trace[i] && go_find_func(j->go, end->trace[i] - 1, &f) && !is_of_runtime(f.name))
			return end->trace[i] - 1;
	return j->ctor->code;
}

static struct hf_err *tell(const struct go_judge *j, enum hf_refusal refusal, const char *kind,
			   const char *what)
{
	struct hf_finding at = go_finding_at(j->go, refusal, kind, ended_at(j));

	return hf_findings_add(j->findings, &at, "%s", what);
}

static struct hf_err *tell_syscall(const struct go_judge *j, uint64_t number)
{
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_SYSCALL, "syscall", ended_at(j));
	const char *name = hf_arch_syscall_name(number);

	if (name)
		return hf_findings_add(j->findings, &at, "makes a system call: %s", name);
	return hf_findings_add(j->findings, &at, "makes a system call: number %" PRIu64, number);
}

static struct hf_err *judge_hook(const struct go_judge *j)
{
	const struct go_hook *hook = go_hook_get(j->run->end.tag);

	if (!hook)
		return tell(j, HF_REFUSAL_INCONCLUSIVE, "sandbox",
			    "the run ended at a place that is not ours");
	if (hook->refusal == HF_REFUSAL_SYSCALL && !*hook->what)
		return tell_syscall(j, j->run->end.regs[GHOST_RAX]);
	return tell(j, hook->refusal, hook->finding, hook->what);
}

/* The runtime's own way to wait for a lock: a thread held it when the process was stopped. Go code waits by gopark. */
static bool is_lock(const struct go_judge *j)
{
	static const char *const waits[] = {"runtime.futex", "runtime.usleep", "runtime.osyield",
					    "runtime.procyield"};
	struct go_func f;

	if (!go_find_func(j->go, j->run->end.pc, &f))
		return false;
	for (size_t i = 0; i < HF_LEN(waits); i++)
		if (!strncmp(f.name, waits[i], strlen(waits[i])))
			return true;
	return false;
}

static struct hf_err *judge_fault(const struct go_judge *j)
{
	const struct ghost_end *end = &j->run->end;
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_FAULT, "fault", end->pc);

	at.addr = end->addr;
	if (end->kind == GHOST_END_READ_ONLY)
		return hf_findings_add(j->findings, &at, "stores to read-only memory at 0x%" PRIx64,
				       end->addr);
	return hf_findings_add(j->findings, &at, "faults at 0x%" PRIx64 " (signal %" PRIu64 "%s)", end->addr,
			       end->number, end->addr < 4096 ? ": a nil pointer" : "");
}

static void name_place(const struct go_judge *j, uint64_t addr, struct hf_str *ret);

/* A core does not say which mappings were shared; those of a program's variables never are. */
static struct hf_err *judge_unknown(const struct go_judge *j)
{
	const struct ghost_end *end = &j->run->end;
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_SIDE_EFFECT, "write", end->pc);
	struct hf_str place = {0};
	struct hf_err *err;
	struct go_func f;

	if (!go_is_variable(j->go, end->addr) || !go_find_func(j->go, end->pc, &f) || is_of_runtime(f.name))
		return tell(j, HF_REFUSAL_INCONCLUSIVE, "sandbox",
			    "stores to memory of which the core does not say whether it was shared");
	at.addr = end->addr;
	name_place(j, end->addr, &place);
	err = hf_findings_add(j->findings, &at, "writes to %s", hf_str_get(&place));
	hf_str_deinit(&place);
	return err;
}

static struct hf_err *judge_end(const struct go_judge *j)
{
	static const char *const names[] = {
#define END_NAME(name, text) text,
		GHOST_ENDS(END_NAME)
#undef END_NAME
	};
	const struct ghost_end *end = &j->run->end;

	switch (end->kind) {
	case GHOST_END_RETURNED:
	case GHOST_END_CPU: /* limits are not ours to judge */
	case GHOST_END_MEMORY:
		return NULL;
	case GHOST_END_HOOK:
		return judge_hook(j);
	case GHOST_END_SYSCALL:
	case GHOST_END_BLOCKS:
		if (is_lock(j))
			return tell(j, HF_REFUSAL_INCONCLUSIVE, "lock",
				    "a lock of Go's runtime was held at this moment: try again");
		if (end->kind == GHOST_END_SYSCALL)
			return tell_syscall(j, end->number);
		return tell(j, HF_REFUSAL_BLOCKS, "blocks", "waits");
	case GHOST_END_FAULT:
	case GHOST_END_READ_ONLY:
		return judge_fault(j);
	case GHOST_END_UNKNOWN:
		return judge_unknown(j);
	case GHOST_END_SHARED:
		return tell(j, HF_REFUSAL_SIDE_EFFECT, "write", "stores to shared memory");
	default:
		return tell(j, HF_REFUSAL_INCONCLUSIVE, "sandbox",
			    end->kind < HF_LEN(names) ? names[end->kind] : "the sandbox failed");
	}
}

static struct hf_err *judge_notes(const struct go_judge *j)
{
	uint32_t last = UINT32_MAX;

	hf_vec_each(&j->run->events, event) {
		const struct go_hook *hook = go_hook_get(event->tag);
		struct hf_finding at;

		/* One function of a kind is enough: reflection calls itself. */
		if (event->kind != GHOST_EVENT_NOTE || !hook || event->tag == last)
			continue;
		last = event->tag;
		at = go_finding_at(j->go, hook->refusal, hook->finding, event->pc);
		HF_TRY(hf_findings_add(j->findings, &at, "%s", hook->what));
	}
	return NULL;
}

/* ---- what it changed -------------------------------------------------------------------------------------------------- */

/* "main.registry+8", "main.state.count", "the heap at 0xc000012345". */
static void name_place(const struct go_judge *j, uint64_t addr, struct hf_str *ret)
{
	struct hf_variable variable;
	const struct hf_map *map;

	if (go_is_variable(j->go, addr) && hf_syms_variable_at(j->go->syms, addr, &variable)) {
		hf_str_add(ret, variable.name);
		go_path_name(j->go, go_type_of_dwarf(j->go, variable.type), addr - variable.addr, ret);
	} else if (go_is_static(j->go, addr)) {
		go_place_name(j->go, addr, ret);
	} else if (go_call_had(j->call, addr)) {
		hf_str_addf(ret, "the heap at 0x%" PRIx64, addr);
	} else {
		map = hf_target_find_map(j->go->t, addr);
		hf_str_addf(ret, "memory at 0x%" PRIx64 "%s%s%s", addr, map && *map->path ? " (" : "",
			    map ? map->path : "", map && *map->path ? ")" : "");
	}
}

/* Words as numbers, else bytes. */
static void add_value(struct hf_str *ret, const uint8_t *bytes, uint32_t len)
{
	uint64_t word = 0;

	if (len <= 8) {
		memcpy(&word, bytes, len);
		hf_str_addf(ret, "0x%" PRIx64, word);
		return;
	}
	for (uint32_t i = 0; i < len; i++)
		hf_str_addf(ret, "%02x", bytes[i]);
}

static struct hf_err *tell_change(const struct go_judge *j, const struct ghost_change *change)
{
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_SIDE_EFFECT, "write", change->writer);
	uint32_t len = hf_min(change->len, GHOST_CHANGE_BYTES);
	struct hf_str text = {0};
	struct hf_err *err;

	at.addr = change->addr;
	name_place(j, change->addr, &text);
	hf_str_addf(&text, " (%" PRIu32 " byte%s: ", len, len == 1 ? "" : "s");
	add_value(&text, change->before, len);
	hf_str_add(&text, " -> ");
	add_value(&text, change->after, len);
	hf_str_addc(&text, ')');
	err = hf_findings_add(j->findings, &at, "writes to %s", hf_str_get(&text));
	hf_str_deinit(&text);
	return err;
}

/* A word of what changed leads to what it made. */
static struct hf_err *check_kept(const struct go_judge *j, const struct ghost_change *change)
{
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_RETAINS, "retains", change->writer);
	uint32_t len = hf_min(change->len, GHOST_CHANGE_BYTES);

	at.addr = change->addr;
	for (uint32_t i = (uint32_t)(-change->addr & 7); i + 8 <= len; i += 8) {
		uint64_t word = hf_load_u64(change->after + i);

		if (go_run_made(j->run, word))
			return hf_findings_add(j->findings, &at,
					       "what existed before, at 0x%" PRIx64
					       ", leads to what it made at 0x%" PRIx64,
					       change->addr + i, word);
	}
	return NULL;
}

static struct hf_err *judge_changes(const struct go_judge *j)
{
	size_t told = 0, more = j->run->end.changes_lost;
	struct hf_finding at = {.refusal = HF_REFUSAL_SIDE_EFFECT, .kind = "write"};

	hf_vec_each(&j->run->changes, change) {
		if (change->by_allocator) {
			j->ret->metadata_bytes += change->len;
			continue;
		}
		if (told == WRITES_MAX) {
			more++;
			continue;
		}
		told++;
		HF_TRY(tell_change(j, change));
		HF_TRY(check_kept(j, change));
	}
	return more ? hf_findings_add(j->findings, &at, "writes to %zu places more", more) : NULL;
}

struct hf_err *go_ctor_judge(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			     const struct hf_ghost_job *job, const struct hf_ghost_run *run,
			     struct hf_judgement *ret, struct hf_findings *ret_findings)
{
	static const struct go_call none;
	struct go_judge j = {
		.go = go_callee_of(c)->go,
		.slot = slot,
		.ctor = ctor,
		.call = job->own ? job->own : &none,
		.run = run,
		.ret = ret,
		.findings = ret_findings,
	};

	ret->result_type_name = "";
	HF_TRY(judge_end(&j));
	HF_TRY(judge_notes(&j));
	HF_TRY(judge_changes(&j));
	HF_TRY(go_judge_made(&j));
	if (run->end.kind == GHOST_END_RETURNED)
		HF_TRY(go_judge_result(&j));
	return go_types_check(j.go);
}
