/* Local variables of the function at a code address, and where their parts stand. */
#include <dwarf.h>
#include <elfutils/libdw.h>

#include "dwarf_die.h"
#include "internal.h"

#define OPS_MAX     64
#define ENTRIES_MAX 4096 /* of one location list */

/* One walk. */
struct walk {
	struct hf_syms *s;
	struct hf_dwarf *d;
	uint64_t pc, order;
	bool everywhere;   /* not at pc alone */
	bool frame_is_cfa; /* the frame base is the canonical frame address plus frame_offset */
	int64_t frame_offset;
	hf_local_fn *fn;
	void *arg;
};

enum place { NOWHERE, REGISTER, FRAME };

/* What the operations of one piece come to. */
struct piece {
	enum place place;
	int64_t offset;   /* from the CFA */
	int64_t constant; /* a pending DW_OP_consts or constu */
};

/* False: something that we do not follow. */
static bool apply(const struct walk *w, const Dwarf_Op *op, struct piece *p)
{
	int64_t sum;

	if ((op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) || op->atom == DW_OP_regx) {
		p->place = REGISTER;
		return true;
	}
	switch (op->atom) {
	case DW_OP_fbreg:
		p->place = FRAME;
		return w->frame_is_cfa && !hf_add_overflows((int64_t)op->number, w->frame_offset, &p->offset);
	case DW_OP_call_frame_cfa:
		p->place = FRAME;
		p->offset = 0;
		return true;
	case DW_OP_plus_uconst:
	case DW_OP_consts:
	case DW_OP_constu:
		p->constant = (int64_t)op->number;
		if (op->atom != DW_OP_plus_uconst)
			return true;
		/* fallthrough */
	case DW_OP_plus:
		if (p->place != FRAME || hf_add_overflows(p->offset, p->constant, &sum))
			return false;
		p->offset = sum;
		return true;
	}
	return false;
}

static struct hf_err *report(struct walk *w, struct hf_local *local, const struct piece *p)
{
	if (p->place == NOWHERE)
		return NULL;
	local->in_register = p->place == REGISTER;
	local->cfa_offset = p->place == FRAME ? p->offset : 0;
	return w->fn(w->arg, local);
}

/* Calls fn for each piece that has a place. *ret_placed: there was one. */
static struct hf_err *report_pieces(struct walk *w, struct hf_local *local, const Dwarf_Op *ops, size_t n,
				    bool *ret_placed)
{
	struct piece p = {NOWHERE, 0, 0};
	uint64_t done = 0;

	for (size_t i = 0; i < n && i < OPS_MAX; i++) {
		if (ops[i].atom != DW_OP_piece) {
			if (!apply(w, &ops[i], &p))
				return NULL;
			continue;
		}
		if (ops[i].number > UINT32_MAX || done + ops[i].number > UINT32_MAX)
			return NULL;
		local->piece_offset = (uint32_t)done;
		local->piece_size = (uint32_t)ops[i].number;
		*ret_placed |= p.place != NOWHERE;
		HF_TRY(report(w, local, &p));
		done += ops[i].number;
		p = (struct piece){NOWHERE, 0, 0};
	}
	if (done)
		return NULL;
	*ret_placed |= p.place != NOWHERE;
	return report(w, local, &p);
}

/* Each entry of a location list; for one without a list, the place. */
static struct hf_err *report_everywhere(struct walk *w, struct hf_local *local, Dwarf_Attribute *location,
					bool *ret_placed)
{
	Dwarf_Addr base = 0, start = 0, end = 0;
	Dwarf_Op room[OPS_MAX], *ops;
	ptrdiff_t next = 0;
	size_t n;

	if (hf_die_location_is_single(location))
		return hf_die_location(location, w->pc, room, OPS_MAX, &ops, &n)
			       ? report_pieces(w, local, ops, n, ret_placed)
			       : NULL;
	local->at_some_pcs = true;
	for (unsigned i = 0; i < ENTRIES_MAX; i++) {
		next = dwarf_getlocations(location, next, &base, &start, &end, &ops, &n);
		if (next <= 0)
			break;
		HF_TRY(report_pieces(w, local, ops, n, ret_placed));
	}
	return NULL;
}

/* Go's results are parameters with a flag. */
static bool is_result(Dwarf_Die *die)
{
	Dwarf_Attribute a;
	bool flag;

	return dwarf_attr_integrate(die, DW_AT_variable_parameter, &a) && !dwarf_formflag(&a, &flag) && flag;
}

static struct hf_err *visit_variable(struct walk *w, Dwarf_Die *die, bool inlined)
{
	const char *name = hf_die_name(w->d, die);
	struct hf_local local = {.name = name ? name : "",
				 .decl_order = w->order++,
				 .closure_offset = -1,
				 .inlined = inlined,
				 .is_parameter = dwarf_tag(die) == DW_TAG_formal_parameter};
	Dwarf_Op room[OPS_MAX], *ops;
	Dwarf_Attribute location;
	Dwarf_Die type;
	uint64_t closure;
	bool placed = false, has_location;
	size_t n;

	if (hf_die_uint(die, HF_AT_GO_CLOSURE_OFFSET, &closure) && closure <= UINT32_MAX)
		local.closure_offset = (int64_t)closure;
	local.is_result = local.is_parameter && is_result(die);
	if (hf_die_type(w->d, die, DW_AT_type, &type))
		local.type = hf_type_id(w->s, hf_die_key(w->d, &type));
	if (!hf_die_uint(die, DW_AT_decl_line, &local.line))
		local.line = 0;
	has_location = dwarf_attr_integrate(die, DW_AT_location, &location);
	if (has_location && w->everywhere)
		HF_TRY(report_everywhere(w, &local, &location, &placed));
	else if (has_location && hf_die_location(&location, w->pc, room, OPS_MAX, &ops, &n))
		HF_TRY(report_pieces(w, &local, ops, n, &placed));
	if (placed || (local.closure_offset < 0 && !w->everywhere))
		return NULL;
	local.unplaced = true;
	local.piece_offset = local.piece_size = 0;
	return w->fn(w->arg, &local);
}

/* Depth first, blocks and inlined functions that hold pc alone; a stack of ours, as the nesting is the file's. */
static struct hf_err *visit_scopes(struct walk *w, Dwarf_Die *function)
{
	Dwarf_Die stack[HF_CHAIN_MAX * 2];
	bool below[HF_LEN(stack)] = {false}; /* these are not the function's own, but of a scope in it */
	size_t depth = 1, budget = HF_DIES_MAX;

	if (dwarf_child(function, &stack[0]))
		return NULL;
	while (depth && --budget) {
		Dwarf_Die die = stack[depth - 1];
		bool is_below = below[depth - 1];
		int tag = dwarf_tag(&die);

		if (!hf_die_next(&stack[depth - 1]))
			depth--;
		if (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter)
			HF_TRY(visit_variable(w, &die, is_below));
		else if ((tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) &&
			 depth < HF_LEN(stack) && (w->everywhere || dwarf_haspc(&die, w->pc) > 0) &&
			 !dwarf_child(&die, &stack[depth]))
			below[depth++] = true;
	}
	return NULL;
}

/* How far the CFA lies above a register at pc, where the call frame information puts it so. */
static bool find_cfa(struct hf_dwarf *d, uint64_t pc, unsigned reg, int64_t *ret)
{
	Dwarf_CFI *cfi = dwarf_getcfi_elf(dwarf_getelf(d->dw));
	Dwarf_Frame *frame = NULL;
	Dwarf_Op *op;
	size_t n;
	bool found;

	/* libdw makes one DW_OP_bregx of a plain rule. */
	found = cfi && !dwarf_cfi_addrframe(cfi, pc, &frame) && !dwarf_frame_cfa(frame, &op, &n) && n == 1 &&
		op->atom == DW_OP_bregx && op->number == reg && op->number2 <= INT32_MAX;
	if (found)
		*ret = (int64_t)op->number2;
	hf_free(frame);
	dwarf_cfi_end(cfi);
	return found;
}

/* The CFA of Go and gcc, or clang's frame register. */
static void find_frame_base(struct walk *w, Dwarf_Die *function)
{
	Dwarf_Op room[2], *ops;
	Dwarf_Attribute a;
	int64_t above;
	size_t n;

	if (!dwarf_attr_integrate(function, DW_AT_frame_base, &a) ||
	    !hf_die_location(&a, w->pc, room, HF_LEN(room), &ops, &n) || n != 1)
		return;
	w->frame_is_cfa = ops[0].atom == DW_OP_call_frame_cfa;
	if (w->frame_is_cfa || ops[0].atom < DW_OP_reg0 || ops[0].atom > DW_OP_reg31)
		return;
	if (find_cfa(w->d, w->pc, ops[0].atom - DW_OP_reg0, &above)) {
		w->frame_is_cfa = true;
		w->frame_offset = -above;
	}
}

static struct hf_err *walk_function(struct walk *w)
{
	Dwarf_Die function;

	if (!hf_die_function_at(w->d, w->pc, &function))
		return NULL;
	find_frame_base(w, &function);
	return visit_scopes(w, &function);
}

struct hf_err *hf_dwarf_walk_locals(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, hf_local_fn *fn,
				    void *arg)
{
	struct walk w = {.s = s, .d = d, .pc = pc, .fn = fn, .arg = arg};

	return walk_function(&w);
}

struct hf_err *hf_dwarf_walk_variables(struct hf_syms *s, struct hf_dwarf *d, uint64_t pc, hf_local_fn *fn,
				       void *arg)
{
	struct walk w = {.s = s, .d = d, .pc = pc, .fn = fn, .arg = arg, .everywhere = true};

	return walk_function(&w);
}
