#include "vet.h"

#include "../../sandbox/verdict.h"
#include "../base/map64.h"
#include "../base/workers.h"
#include "vet_private.h"

#include "../sym/elf.h"

#include <stdio.h>

/* capstone decodes about a million instructions a second. */
#define INSNS_MAX     4096
#define FUNCTIONS_MAX 512
#define FINDINGS_MAX  256
#define STUB_INSNS    3          /* of a PLT entry, up to its jump */
#define FAR           (1u << 20) /* a jump this far leaves a function whose bounds nobody knows */

struct function {
	uint64_t entry;
	uint64_t start, end; /* by its symbol; end 0: unknown */
	const char *name;    /* "" */
};

struct block {
	uint64_t pc;
	bool context; /* Go: RDX still holds the closure */
};

/* Where in a function the walk is, and what it knows there. */
struct place {
	const struct function *f;
	uint64_t pc;
	uint16_t known; /* registers whose value is */
	uint64_t values[GHOST_REGS];
	bool context;
};

struct walk {
	struct hf_vet_code code;
	const struct hf_vet_options *options;
	struct hf_vet *ret;
	struct hf_decoder *decoder;
	HF_VEC(struct function) functions; /* those from `next` on are still to be walked */
	size_t next;
	HF_VEC(struct block) blocks; /* of the function at hand */
	HF_VEC(uint64_t) ends;       /* of its blocks: code may follow that only a table of jumps leads to */
	struct hf_map64 entries;     /* of the functions */
	struct hf_map64 seen;        /* instructions */
	struct hf_map64 told;        /* what was found where */
	bool has_table;              /* the function at hand jumps through a register */
	bool is_full;                /* the bounds are reached */
};

/* ---- findings ------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * 0x9e3779b97f4a7c15u;
	return a ^ a >> 29;
}

/* True the first time that a function does this to that address. */
static struct hf_err *is_new(struct walk *w, const struct place *at, const char *kind, uint64_t addr,
			     bool *ret)
{
	uint64_t key = mix(mix(at->f->entry, hf_text_hash(0, kind)), addr), was;

	*ret = !hf_map64_find(&w->told, key, &was);
	return *ret ? hf_map64_put(&w->told, key, 1) : NULL;
}

/* what  a whole line; addr: what it is about, or 0. */
static struct hf_err *tell(struct walk *w, const struct place *at, enum hf_refusal refusal, const char *kind,
			   uint64_t addr, const char *what)
{
	struct hf_finding finding = {.refusal = refusal,
				     .kind = kind,
				     .function = at->f->name,
				     .offset = at->pc - at->f->start,
				     .pc = at->pc,
				     .addr = addr};
	bool first;

	HF_TRY(is_new(w, at, kind, addr ? addr : at->pc, &first));
	if (!first)
		return NULL;
	if (w->ret->findings.list.n >= FINDINGS_MAX && refusal == HF_REFUSAL_NONE) {
		w->ret->findings_lost++;
		return NULL;
	}
	return hf_findings_add(&w->ret->findings, &finding, "%s", what);
}

static struct hf_err *tell_not_followed(struct walk *w, const struct place *at, const char *kind,
					uint64_t addr, const char *what)
{
	w->ret->not_followed++;
	return tell(w, at, HF_REFUSAL_NONE, kind, addr, what);
}

/* ---- functions ---------------------------------------------------------------------------------------------- */

static struct hf_err *add_function(struct walk *w, uint64_t entry, const struct place *from)
{
	struct function f = {.entry = entry, .start = entry, .name = ""};
	struct hf_symbol sym;
	uint64_t i;

	if (hf_map64_find(&w->entries, entry, &i))
		return NULL;
	if (w->functions.n == FUNCTIONS_MAX)
		return tell_not_followed(w, from, "limit", 1, "calls more functions than are looked at");
	if (hf_vet_code_function(&w->code, entry, &sym)) {
		f.name = sym.name;
		f.start = sym.addr;
		f.end = sym.size ? sym.addr + sym.size : 0;
	}
	HF_TRY(hf_map64_put(&w->entries, entry, w->functions.n));
	return hf_vec_push(&w->functions, f);
}

/* A PLT entry is a jump through a word that the dynamic linker fills in. False: it is a function. */
static bool find_stub(struct walk *w, uint64_t target, struct hf_vet_callee *ret)
{
	const struct hf_module *m = w->code.s ? hf_syms_find_module(w->code.s, target) : NULL;
	uint8_t bytes[HF_INSN_MAX];
	struct hf_section section;
	struct hf_insn in;

	if (!m || !hf_module_section_at(m, target, &section) || strncmp(section.name, ".plt", 4) != 0)
		return false;
	for (int i = 0; i < STUB_INSNS; i++) {
		size_t n = hf_vet_code_read(&w->code, target, bytes);

		if (!n || !hf_insn_decode(w->decoder, bytes, n, target, &in))
			return false;
		if (in.kind == HF_INSN_JUMP && in.indirect)
			return in.places_n && in.places[0].is_fixed &&
			       hf_vet_code_slot(&w->code, in.places[0].disp, ret);
		target += in.len;
	}
	return false;
}

/* The program's own function of such a name is not the C library's, unless it is the program's allocator. */
static bool is_own(const struct walk *w, uint64_t addr, const struct hf_vet_rule *rule)
{
	const struct hf_module *m = w->code.s && addr ? hf_syms_find_module(w->code.s, addr) : NULL;
	bool allocates = !rule->kind && rule->what;

	return !w->options->go && m && m->is_main && m->elf && m->elf->has_interpreter && !allocates;
}

static struct hf_err *apply_rule(struct walk *w, const struct place *at, const struct hf_vet_rule *rule,
				 const struct hf_vet_callee *callee)
{
	char what[256];

	if (!rule->kind) {
		w->ret->trusted++;
		return NULL;
	}
	snprintf(what, sizeof(what), "%s: %s", rule->what, callee->name);
	return tell(w, at, rule->refusal, rule->kind, callee->addr, what);
}

/* What a call or a jump leads to that leaves the function at hand. */
static struct hf_err *follow(struct walk *w, const struct place *at, struct hf_vet_callee callee)
{
	const struct hf_vet_rule *rule;
	struct hf_symbol sym;
	char what[256];

	if (callee.addr && find_stub(w, callee.addr, &callee))
		;
	else if (!callee.name[0] && hf_vet_code_function(&w->code, callee.addr, &sym)) {
		callee.name = sym.name;
		callee.is_ifunc |= sym.is_ifunc && sym.addr == callee.addr;
	}
	rule = hf_vet_rule_find(w->options->go, callee.name);
	if (rule && !is_own(w, callee.addr, rule))
		return apply_rule(w, at, rule, &callee);
	if (callee.is_ifunc) {
		snprintf(what, sizeof(what), "calls %s, which is chosen by the processor: not followed",
			 callee.name[0] ? callee.name : "a function");
		return tell_not_followed(w, at, "ifunc", callee.addr, what);
	}
	if (!callee.addr) {
		snprintf(what, sizeof(what), "calls %s, which no loaded file has: not followed", callee.name);
		return tell_not_followed(w, at, "unknown-code", 0, what);
	}
	return add_function(w, callee.addr, at);
}

/* ---- one instruction ------------------------------------------------------------------------------------------ */

/* The address of a place, where it can be told; an index leaves the variable that it begins at. */
static bool find_addr(const struct place *at, const struct hf_insn_place *p, uint64_t *ret)
{
	if (p->is_thread)
		return false;
	*ret = p->disp;
	if (p->is_fixed)
		return true;
	if (p->base == HF_INSN_NO_REG || !(at->known >> p->base & 1))
		return false;
	*ret += at->values[p->base];
	return true;
}

static struct hf_err *see_global(struct walk *w, const struct place *at, const struct hf_insn_place *p,
				 uint64_t addr)
{
	char name[192], what[256];
	const char *section;
	enum hf_vet_memory memory = hf_vet_code_memory(&w->code, addr, &section);
	bool strict = w->options->strict;

	if (p->write) {
		hf_vet_code_place(&w->code, addr, name, sizeof(name));
		snprintf(what, sizeof(what), "stores to %s%s%s", name,
			 p->index != HF_INSN_NO_REG ? "[...]" : "",
			 memory == HF_VET_UNKNOWN ? ", where nothing is mapped" : "");
		HF_TRY(tell(w, at, HF_REFUSAL_NONE, "global-store", addr, what));
	}
	if (!p->read || memory != HF_VET_MUTABLE)
		return NULL;
	hf_vet_code_place(&w->code, addr, name, sizeof(name));
	if (w->options->go && hf_vet_is_runtime_variable(name))
		return NULL;
	w->ret->reads_mutable = true;
	snprintf(what, sizeof(what), "reads %s%s", name, p->index != HF_INSN_NO_REG ? "[...]" : "");
	return tell(w, at, strict ? HF_REFUSAL_MUTABLE_READ : HF_REFUSAL_NONE, "global-read", addr, what);
}

static struct hf_err *see_place(struct walk *w, const struct place *at, const struct hf_insn_place *p)
{
	uint64_t addr;

	if (find_addr(at, p, &addr))
		return see_global(w, at, p, addr);
	if (!p->write)
		return NULL;
	if (p->is_thread)
		return tell(w, at, HF_REFUSAL_NONE, "thread-local-store", 0,
			    "stores to a thread's own variable");
	if (p->base != GHOST_RSP && p->base != GHOST_RBP)
		w->ret->stores++;
	return NULL;
}

static struct hf_err *see_syscall(struct walk *w, const struct place *at)
{
	const char *name = NULL;
	char what[128];

	if (at->known >> GHOST_RAX & 1)
		name = hf_arch_syscall_name((uint32_t)at->values[GHOST_RAX]);
	snprintf(what, sizeof(what), "makes %s%s", name ? "the system call " : "a system call",
		 name ? name : "");
	return tell(w, at, HF_REFUSAL_NONE, "syscall", 0, what);
}

/* What it knows of registers after an instruction. */
static void learn(struct walk *w, struct place *at, const struct hf_insn *in)
{
	struct hf_vet_callee slot;
	uint64_t value = in->value;
	bool known = in->set == HF_INSN_SET_VALUE;

	if (in->set == HF_INSN_SET_ADDRESS)
		known = in->places[0].index == HF_INSN_NO_REG && find_addr(at, &in->places[0], &value);
	if (in->set == HF_INSN_SET_COPY) {
		known = at->known >> in->from & 1;
		value = at->values[in->from];
	}
	if (in->set == HF_INSN_SET_LOAD && in->places[0].index == HF_INSN_NO_REG &&
	    find_addr(at, &in->places[0], &value)) {
		known = hf_vet_code_slot(&w->code, value, &slot) && slot.addr && !slot.is_ifunc;
		value = known ? slot.addr : 0;
	}
	at->known &= (uint16_t)~in->writes;
	if (!known)
		return;
	at->known |= (uint16_t)(1u << in->set_reg);
	at->values[in->set_reg] = value;
}

/* ---- one function ------------------------------------------------------------------------------------------------ */

static bool is_inside(const struct function *f, uint64_t pc)
{
	if (f->end)
		return pc >= f->start && pc < f->end;
	return pc + FAR - f->entry < 2 * FAR;
}

/* Through a register or a word: a slot of the dynamic linker's, a known address, a table of jumps, or somebody unknown. */
static struct hf_err *see_indirect(struct walk *w, const struct place *at, const struct hf_insn *in)
{
	struct hf_vet_callee callee = {.name = ""};
	char name[192], what[256];
	uint64_t addr = 0;

	if (in->places_n && in->places[0].index == HF_INSN_NO_REG && find_addr(at, &in->places[0], &addr)) {
		if (hf_vet_code_slot(&w->code, addr, &callee))
			return follow(w, at, callee);
		snprintf(what, sizeof(what), "calls through %s: not followed",
			 hf_vet_code_place(&w->code, addr, name, sizeof(name)));
		return tell_not_followed(w, at, "indirect-call", addr, what);
	}
	for (int r = 0; !in->places_n && r < GHOST_REGS; r++) {
		if ((in->reads & ~(1u << GHOST_RSP)) == 1u << r && (at->known >> r & 1)) {
			callee.addr = at->values[r];
			return follow(w, at, callee);
		}
	}
	if (in->kind == HF_INSN_JUMP && at->f->end) {
		w->has_table = true;
		return NULL;
	}
	return tell_not_followed(w, at, "indirect-call", 0, "calls through a register: not followed");
}

static struct hf_err *see_flow(struct walk *w, const struct place *at, const struct hf_insn *in)
{
	struct block block = {.pc = in->target, .context = at->context};

	if (in->kind == HF_INSN_SYSCALL)
		return see_syscall(w, at);
	if (in->kind == HF_INSN_OTHER || in->kind == HF_INSN_RETURN || in->kind == HF_INSN_TRAP)
		return NULL;
	if (in->indirect)
		return see_indirect(w, at, in);
	if (in->kind != HF_INSN_CALL && is_inside(at->f, in->target))
		return hf_vec_push(&w->blocks, block);
	return follow(w, at, (struct hf_vet_callee){.name = "", .addr = in->target});
}

/* Go: RDX is the closure at the entry; who reads it has captured variables. */
static struct hf_err *see_context(struct walk *w, struct place *at, const struct hf_insn *in)
{
	if (!at->context)
		return NULL;
	if (in->reads >> GHOST_RDX & 1) {
		at->context = false;
		return tell(w, at, HF_REFUSAL_CAPTURES, "captures", at->f->entry,
			    "reads captured variables, through its closure");
	}
	/* What is called keeps or saves it: morestack at the end, which starts over. */
	if (in->writes >> GHOST_RDX & 1)
		at->context = false;
	return NULL;
}

static struct hf_err *see(struct walk *w, struct place *at, const struct hf_insn *in)
{
	bool flows = in->kind == HF_INSN_CALL || in->kind == HF_INSN_JUMP;

	HF_TRY(see_context(w, at, in));
	for (unsigned i = 0; i < in->places_n && !flows; i++)
		HF_TRY(see_place(w, at, &in->places[i]));
	return see_flow(w, at, in);
}

static bool ends_block(const struct hf_insn *in)
{
	return in->kind == HF_INSN_JUMP || in->kind == HF_INSN_RETURN || in->kind == HF_INSN_TRAP;
}

/* Decodes at a place not seen before. *ret_more false: the block is at its end. */
static struct hf_err *step(struct walk *w, struct place *at, struct hf_insn *in, bool *ret_more)
{
	uint8_t bytes[HF_INSN_MAX];
	uint64_t was;
	size_t n;

	*ret_more = false;
	if (hf_map64_find(&w->seen, at->pc, &was))
		return NULL;
	if (w->seen.n >= INSNS_MAX) {
		w->is_full = true;
		return tell_not_followed(w, at, "limit", 1, "is longer than what is looked at");
	}
	HF_TRY(hf_map64_put(&w->seen, at->pc, 1));
	n = hf_vet_code_read(&w->code, at->pc, bytes);
	if (!n || !hf_insn_decode(w->decoder, bytes, n, at->pc, in))
		return tell_not_followed(w, at, "unknown-code", at->pc,
					 n ? "has bytes that are no instruction: not followed"
					   : "goes where no code is: not followed");
	w->ret->instructions++;
	*ret_more = true;
	return NULL;
}

static struct hf_err *walk_block(struct walk *w, const struct function *f, struct block block)
{
	struct place at = {.f = f, .pc = block.pc, .context = block.context};
	struct hf_insn in;
	bool more = true;

	/* Past the end of a function: after a call that does not return. */
	while (!f->end || is_inside(f, at.pc)) {
		HF_TRY(step(w, &at, &in, &more));
		if (!more)
			return NULL;
		HF_TRY(see(w, &at, &in));
		learn(w, &at, &in);
		at.pc += in.len;
		if (ends_block(&in))
			return hf_vec_push(&w->ends, at.pc);
	}
	return NULL;
}

static struct hf_err *walk_blocks(struct walk *w, const struct function *f)
{
	while (w->blocks.n && !w->is_full)
		HF_TRY(walk_block(w, f, w->blocks.at[--w->blocks.n]));
	return NULL;
}

static struct hf_err *walk_function(struct walk *w, size_t index)
{
	struct function f = w->functions.at[index];
	struct block first = {.pc = f.entry, .context = w->options->go && index == 0};

	w->blocks.n = w->ends.n = 0;
	w->has_table = false;
	HF_TRY(hf_vec_push(&w->blocks, first));
	HF_TRY(walk_blocks(w, &f));
	/* A switch: its cases stand behind the ends of blocks. */
	while (w->has_table && w->ends.n && !w->is_full) {
		struct block next = {.pc = w->ends.at[--w->ends.n]};

		HF_TRY(hf_vec_push(&w->blocks, next));
		HF_TRY(walk_blocks(w, &f));
	}
	w->ret->functions++;
	return NULL;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static struct hf_err *walk_all(struct walk *w, uint64_t entry)
{
	uint8_t bytes[HF_INSN_MAX];

	if (!hf_vet_code_read(&w->code, entry, bytes))
		return hf_err_at(HF_FAULT, entry, "there is no code at 0x%" PRIx64, entry);
	HF_TRY(hf_decoder_open(&w->decoder));
	HF_TRY(add_function(w, entry, NULL));
	while (w->next < w->functions.n && !w->is_full)
		HF_TRY(walk_function(w, w->next++));
	return NULL;
}

static struct hf_err *find_lines(struct walk *w)
{
	struct hf_findings *all = &w->ret->findings;

	hf_vec_each(&all->list, f) {
		struct hf_source_frame frame = {0};
		size_t n = 0;

		if (w->code.s)
			HF_TRY(hf_syms_source_frames(w->code.s, f->pc, &frame, 1, &n));
		if ((!n || !frame.line) && w->options->line_of)
			n = w->options->line_of(w->options->arg, f->pc, &frame);
		if (!n || !frame.line)
			continue;
		f->file = hf_arena_strndup(&all->names, frame.file, strlen(frame.file));
		f->line = frame.line;
		if (!f->file)
			return hf_err_nomem();
	}
	return NULL;
}

struct hf_err *hf_vet_walk(struct hf_target *t, struct hf_syms *s, uint64_t entry,
			   const struct hf_vet_options *options, struct hf_vet *ret)
{
	struct walk w = {.code = {.t = t, .s = s, .options = options}, .options = options, .ret = ret};
	double began = hf_now();
	struct hf_err *err;

	*ret = (struct hf_vet){0};
	err = walk_all(&w, entry);
	ret->elapsed_s = hf_now() - began;
	if (!err)
		err = find_lines(&w);
	hf_decoder_close(w.decoder);
	hf_vec_deinit(&w.functions);
	hf_vec_deinit(&w.blocks);
	hf_vec_deinit(&w.ends);
	hf_map64_deinit(&w.entries);
	hf_map64_deinit(&w.seen);
	hf_map64_deinit(&w.told);
	return err;
}

void hf_vet_deinit(struct hf_vet *v)
{
	hf_findings_deinit(&v->findings);
}
