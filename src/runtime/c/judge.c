/* What a run did, by C's rules. */
#include "c.h"

#include <signal.h>
#include <sys/syscall.h>

struct judge {
	struct c_places places;
	const struct c_callee *c;
	const struct hf_ctor *ctor;
	struct hf_judgement *ret;
	struct hf_findings *findings;
	struct c_call call;
};

/* ---- findings ------------------------------------------------------------------------------------------------ */

/* Adds one; text is used up. pc: where it happened, addr: what it is about; 0: neither is known. */
static struct hf_err *tell(struct judge *j, enum hf_refusal refusal, const char *kind, uint64_t pc,
			   uint64_t addr, struct hf_str *text)
{
	struct hf_finding finding = {.refusal = refusal, .kind = kind, .pc = pc, .addr = addr};
	struct hf_syms *s = j->places.c->syms;
	struct hf_source_frame frame = {.file = ""};
	struct hf_symbol sym;
	size_t n = 0;
	struct hf_err *err = hf_str_check(text);

	if (!err && pc && hf_syms_symbol_at(s, pc, &sym)) {
		finding.function = sym.name;
		finding.offset = pc - sym.addr;
	}
	if (!err && pc)
		err = hf_syms_source_frames(s, pc, &frame, 1, &n);
	if (n) {
		finding.file = frame.file;
		finding.line = frame.line;
	}
	if (!err)
		err = hf_findings_add(j->findings, &finding, "%s", hf_str_get(text));
	hf_str_deinit(text);
	return err;
}

static struct hf_err *say(struct judge *j, enum hf_refusal refusal, const char *kind, uint64_t pc,
			  uint64_t addr, const char *what)
{
	struct hf_str text = {0};

	hf_str_add(&text, what);
	return tell(j, refusal, kind, pc, addr, &text);
}

/* The innermost place that is in the constructor's own file: where the C library was called. */
static uint64_t own_pc(const struct judge *j)
{
	const struct ghost_end *end = &j->places.run->end;
	struct hf_syms *s = j->places.c->syms;
	const struct hf_module *own = hf_syms_find_module(s, j->ctor->code);

	if (!own || hf_syms_find_module(s, end->pc) == own)
		return end->pc;
	/* Return addresses: the call is before. */
	for (uint32_t i = 0; i < end->trace_n && i < HF_LEN(end->trace); i++)
		if (hf_syms_find_module(s, end->trace[i]) == own)
			return end->trace[i] - 1;
	return end->pc;
}

/* ---- how it ended ---------------------------------------------------------------------------------------------- */

static struct hf_err *judge_hook(struct judge *j, const struct ghost_end *end)
{
	const struct c_hook *hook = c_hook_of(j->c, end->tag);
	struct hf_str text = {0};

	if (!hook || hook->name->role != C_ENDS)
		return say(j, HF_REFUSAL_INCONCLUSIVE, "sandbox", end->pc, 0,
			   "the run ended at a place that it was not to end at");
	hf_str_addf(&text, "%s: %s", hook->name->what, hook->name->name);
	return tell(j, hook->name->refusal, hook->name->kind, own_pc(j), end->pc, &text);
}

static void add_syscall_name(struct hf_str *text, uint64_t number)
{
	const char *name = hf_arch_syscall_name(number);

	if (name)
		hf_str_add(text, name);
	else
		hf_str_addf(text, "number %" PRIu64, number);
}

/* In a call of the allocator, or of the dynamic linker, that did not return. */
static bool is_inside(const struct judge *j, const struct ghost_end *end)
{
	const struct c_hook *hook = c_hook_of(j->c, end->tag);

	return end->tag == C_TAG_RESOLVER || (hook && hook->name->role != C_ENDS);
}

static struct hf_err *judge_wait(struct judge *j, const struct ghost_end *end)
{
	struct hf_str text = {0}, place = {0};

	/* Whose lock a thread of the target held when it was stopped: no other thread goes on in a run. */
	if (is_inside(j, end))
		return say(j, HF_REFUSAL_INCONCLUSIVE, "busy", end->pc, end->args[0],
			   "the allocator was locked by a thread at this moment: try again");
	hf_str_add(&text, "it waits: ");
	add_syscall_name(&text, end->number);
	if (end->number == SYS_futex) {
		c_place_name(&j->places, end->args[0], &place);
		hf_str_addf(&text, ", for %s", hf_str_get(&place));
	}
	hf_str_deinit(&place);
	return tell(j, HF_REFUSAL_BLOCKS, "blocks", own_pc(j), end->number == SYS_futex ? end->args[0] : 0,
		    &text);
}

static const char *signal_name(uint64_t number)
{
	switch (number) {
	case SIGSEGV:
		return "a fault";
	case SIGBUS:
		return "a bus error";
	case SIGILL:
		return "an illegal instruction";
	case SIGFPE:
		return "a division by zero, or the like";
	case SIGTRAP:
		return "a breakpoint";
	default:
		return "a signal";
	}
}

static struct hf_err *judge_fault(struct judge *j, const struct ghost_end *end)
{
	struct hf_str text = {0};

	if (end->kind == GHOST_END_READ_ONLY)
		hf_str_add(&text, "it stores to memory that is read-only: ");
	else
		hf_str_addf(&text, "%s at ", signal_name(end->number));
	c_place_name(&j->places, end->addr, &text);
	return tell(j, HF_REFUSAL_FAULT, "fault", end->pc, end->addr, &text);
}

static struct hf_err *judge_shared(struct judge *j, const struct ghost_end *end)
{
	bool sure = end->kind == GHOST_END_SHARED;
	struct hf_str text = {0};

	hf_str_add(&text, sure ? "it stores to memory that is shared: "
			       : "it stores to memory that may be shared, the core does not say: ");
	c_place_name(&j->places, end->addr, &text);
	return tell(j, sure ? HF_REFUSAL_SIDE_EFFECT : HF_REFUSAL_INCONCLUSIVE, "write", end->pc, end->addr,
		    &text);
}

static struct hf_err *judge_end(struct judge *j, const struct ghost_end *end)
{
	struct hf_str text = {0};

	switch (end->kind) {
	case GHOST_END_HOOK:
		return judge_hook(j, end);
	case GHOST_END_SYSCALL:
		hf_str_add(&text, "it makes the system call ");
		add_syscall_name(&text, end->number);
		return tell(j, HF_REFUSAL_SYSCALL, "syscall", own_pc(j), 0, &text);
	case GHOST_END_BLOCKS:
		return judge_wait(j, end);
	case GHOST_END_FAULT:
	case GHOST_END_READ_ONLY:
		return judge_fault(j, end);
	case GHOST_END_SHARED:
	case GHOST_END_UNKNOWN:
		return judge_shared(j, end);
	default:
		return NULL; /* it returned, or ran into a limit, which is not ours to judge */
	}
}

/* ---- what it changed --------------------------------------------------------------------------------------------- */

/* The dynamic linker's words: PLT entries that are bound at their first call, and its own books. */
static bool is_binding(const struct judge *j, const struct ghost_change *ch)
{
	const struct hf_module *m = hf_syms_find_module(j->places.c->syms, ch->addr);
	struct hf_section s;

	if (!m)
		return false;
	if (m == j->c->linker)
		return true;
	return hf_module_section_at(m, ch->addr, &s) && !strncmp(s.name, ".got", 4);
}

/* The changed bytes within the words that are told. */
static void trim(const struct ghost_change *ch, uint32_t *ret_from, uint32_t *ret_to)
{
	uint32_t from = 0, to = hf_min(ch->len, GHOST_CHANGE_BYTES);

	while (from < to && ch->before[from] == ch->after[from])
		from++;
	while (to > from && ch->before[to - 1] == ch->after[to - 1])
		to--;
	*ret_from = from;
	*ret_to = to;
}

static void add_bytes(struct hf_str *text, const uint8_t *bytes, uint32_t n)
{
	uint64_t v = 0;

	if (n <= 8) {
		memcpy(&v, bytes, n);
		hf_str_addf(text, v < 4096 ? "%" PRIu64 : "0x%" PRIx64, v);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		hf_str_addf(text, "%02x", bytes[i]);
}

/* Where the words that changed now point: to what the run made, which so becomes reachable. */
static struct hf_err *judge_pointers(struct judge *j, const struct ghost_change *ch)
{
	for (uint32_t at = 0; at + 8 <= hf_min(ch->len, GHOST_CHANGE_BYTES); at += 8) {
		struct hf_str text = {0};

		if (!memcmp(ch->before + at, ch->after + at, 8) ||
		    !c_is_fresh(&j->places, hf_load_u64(ch->after + at)))
			continue;
		c_place_name(&j->places, ch->addr + at, &text);
		hf_str_add(&text, " now points to what it made");
		HF_TRY(tell(j, HF_REFUSAL_RETAINS, "retained-by", ch->writer, ch->addr + at, &text));
	}
	return NULL;
}

/* From the bytes that differ to the number that they are most likely part of. */
static void widen(uint64_t addr, uint32_t *from, uint32_t *to)
{
	for (uint32_t size = 4; size <= 8; size *= 2) {
		uint32_t start = *from - (uint32_t)((addr + *from) % size);

		if (start <= *from && *to <= start + size) {
			*from = start;
			*to = start + size;
			return;
		}
	}
}

static struct hf_err *judge_change(struct judge *j, const struct ghost_change *ch)
{
	struct hf_str text = {0};
	uint32_t from, to;

	trim(ch, &from, &to);
	if (ch->by_allocator || is_binding(j, ch)) {
		j->ret->metadata_bytes += to - from;
		return NULL;
	}
	widen(ch->addr, &from, &to);
	hf_str_add(&text, "writes ");
	c_place_name(&j->places, ch->addr + from, &text);
	hf_str_add(&text, ": ");
	add_bytes(&text, ch->before + from, to - from);
	hf_str_add(&text, " -> ");
	add_bytes(&text, ch->after + from, to - from);
	HF_TRY(tell(j, HF_REFUSAL_SIDE_EFFECT, "write", ch->writer, ch->addr + from, &text));
	return judge_pointers(j, ch);
}

static struct hf_err *judge_changes(struct judge *j)
{
	const struct hf_ghost_run *run = j->places.run;

	hf_vec_each(&run->changes, ch)
		HF_TRY(judge_change(j, ch));
	if (run->end.changes_lost)
		HF_TRY(say(j, HF_REFUSAL_SIDE_EFFECT, "write", 0, 0,
			   "it writes to more places than are told"));
	hf_vec_each(&run->events, e) {
		struct hf_str text = {0};

		if (e->kind != GHOST_EVENT_FREE)
			continue;
		hf_str_add(&text, "it frees what was there before: ");
		c_place_name(&j->places, e->number, &text);
		HF_TRY(tell(j, HF_REFUSAL_SIDE_EFFECT, "free", 0, e->number, &text));
	}
	return NULL;
}

/* ---- what it made --------------------------------------------------------------------------------------------------- */

static struct hf_err *add_made(struct judge *j, uint64_t addr, uint64_t bytes)
{
	if (hf_add_overflows(j->ret->allocated_bytes, bytes, &j->ret->allocated_bytes))
		j->ret->allocated_bytes = UINT64_MAX;
	return hf_vec_push(&j->ret->made, ((struct hf_made){.addr = addr, .bytes = bytes, .type = ""}));
}

static bool succeeded(uint64_t result)
{
	return result < (uint64_t)-4095;
}

/* Anonymous memory that it mapped itself, and did not unmap whole. */
static struct hf_err *add_mapping(struct judge *j, const struct ghost_event *map)
{
	const struct hf_ghost_run *run = j->places.run;

	for (const struct ghost_event *e = map + 1; e < run->events.at + run->events.n; e++)
		if (e->kind == GHOST_EVENT_SYSCALL && e->number == SYS_munmap && e->args[0] == map->result &&
		    e->args[1] >= map->args[1] && succeeded(e->result))
			return NULL;
	return add_made(j, map->result, map->args[1]);
}

static struct hf_err *find_made(struct judge *j)
{
	const struct hf_ghost_run *run = j->places.run;

	hf_vec_each(&run->allocations, a)
		HF_TRY(add_made(j, a->addr, c_usable_size(j->c, run, a)));
	hf_vec_each(&run->events, e)
		if (e->kind == GHOST_EVENT_SYSCALL && e->number == SYS_mmap && e->tag == GHOST_NO_TAG &&
		    succeeded(e->result))
			HF_TRY(add_mapping(j, e));
	return NULL;
}

static bool is_made(const struct judge *j, uint64_t addr)
{
	hf_vec_each(&j->ret->made, m)
		if (addr - m->addr < hf_max(m->bytes, (uint64_t)1))
			return true;
	return c_is_fresh(&j->places, addr);
}

/* Words that it stored in what it made, and that lead to heap memory which was there before: that lives as long now. */
static struct hf_err *judge_contents(struct judge *j)
{
	const struct hf_ghost_run *run = j->places.run;

	hf_vec_each(&run->contents, block) {
		for (size_t at = 0; at + 8 <= block->len; at += 8) {
			uint64_t v = hf_load_u64(run->bytes.at + block->offset + at);
			struct hf_str text = {0};

			if (!hf_ghost_run_stored(run, block, at) || is_made(j, v) ||
			    !c_is_heap(&j->places, v))
				continue;
			hf_str_add(&text, "what it made points to what was there before: ");
			c_place_name(&j->places, v, &text);
			HF_TRY(tell(j, HF_REFUSAL_RETAINS, "retains", 0, v, &text));
		}
	}
	return NULL;
}

static struct hf_err *judge_result(struct judge *j)
{
	uint64_t result = j->places.run->end.regs[GHOST_RAX], scratch = j->places.job->scratch;
	struct hf_str text = {0};

	j->ret->result_type_name = "";
	if (j->call.answer != C_ANSWERS_POINTER)
		return NULL;
	if (!result)
		return say(j, HF_REFUSAL_NULL, "null", 0, 0, "it returns NULL");
	j->ret->result = result;
	j->ret->result_type_name =
		hf_arena_strndup(&j->findings->names, j->call.result, strlen(j->call.result));
	if (!j->ret->result_type_name)
		return hf_err_nomem();
	if (is_made(j, result))
		return NULL;
	if (result - scratch < GHOST_SCRATCH) {
		return say(j, HF_REFUSAL_RETAINS, "result", 0, result,
			   "it returns an address of its stack, which is gone");
	}
	hf_str_add(&text, "it returns what was there before: ");
	c_place_name(&j->places, result, &text);
	return tell(j, HF_REFUSAL_RETAINS, "result", 0, result, &text);
}

struct hf_err *c_judge(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		       const struct hf_ghost_job *job, const struct hf_ghost_run *run,
		       struct hf_judgement *ret, struct hf_findings *ret_findings)
{
	struct judge j = {.places = {.c = c, .job = job, .run = run, .own = job->own},
			  .c = (const struct c_callee *)c,
			  .ctor = ctor,
			  .ret = ret,
			  .findings = ret_findings};

	ret->result_type_name = "";
	c_call_find(c, slot, ctor, &j.call);
	HF_TRY(judge_end(&j, &run->end));
	HF_TRY(find_made(&j));
	HF_TRY(judge_changes(&j));
	if (run->end.kind != GHOST_END_RETURNED)
		return NULL;
	HF_TRY(judge_result(&j));
	return judge_contents(&j);
}
