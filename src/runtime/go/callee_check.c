/* What is known of a constructor before it runs: that it is a func() any which captures nothing. */
#include "ctor.h"
#include "pools.h"

#define FUNCFLAG_ASM 4u /* Go 1.20-1.27 internal/abi/symtab.go, FuncFlagAsm (1.20: runtime/symtab.go) */

struct hf_finding go_finding_at(struct go *go, enum hf_refusal refusal, const char *kind, uint64_t pc)
{
	struct hf_finding ret = {.refusal = refusal, .kind = kind, .pc = pc};
	struct hf_stack_frame frame = {0};
	struct go_func f;
	size_t n = 0;

	if (!pc || !go_find_func(go, pc, &f))
		return ret;
	ret.function = f.name;
	ret.offset = pc - f.entry;
	if (!hf_err_ignore(go_source_frames(go, pc, &frame, 1, &n)) && n) {
		ret.function = frame.function;
		ret.file = frame.file;
		ret.line = frame.line;
	}
	return ret;
}

/* What DWARF says of the parameters. */
struct signature {
	struct go *go;
	struct hf_str takes, gives, captures;
	uint64_t last;      /* 1 + the order of the last one: each comes with all its places */
	const char *result; /* the name of the last result */
	unsigned parameters, results, captured;
	bool gives_any, captures_number; /* the last one is a number in the word behind the code */
};

static void add_word(struct hf_str *to, const char *name, const char *type)
{
	if (to->n)
		hf_str_add(to, ", ");
	if (name[0] && name[0] != '~')
		hf_str_addf(to, "%s ", name);
	hf_str_add(to, type);
}

static bool is_number(struct go *go, uint32_t type)
{
	uint8_t kind = go_type_get(go, go_type_of_dwarf(go, type))->kind;

	return kind >= GO_KIND_INT && kind <= GO_KIND_UINTPTR;
}

static struct hf_err *look_at(void *arg, const struct hf_local *local)
{
	struct signature *s = arg;
	const struct hf_type *type = hf_type_get(s->go->syms, local->type);

	if (local->inlined || local->decl_order < s->last)
		return NULL;
	s->last = local->decl_order + 1;
	if (local->closure_offset >= 0) {
		add_word(&s->captures, local->name, type->name);
		s->captures_number = local->closure_offset == 8 && is_number(s->go, local->type);
		s->captured++;
	} else if (local->is_result) {
		/* Of a function that defers, the compiler tells results twice. */
		if (s->result && !strcmp(s->result, local->name) && strcmp(local->name, "_"))
			return NULL;
		s->result = local->name;
		add_word(&s->gives, "", type->name);
		s->gives_any = !strcmp(hf_type_strip(s->go->syms, local->type)->name, "runtime.eface");
		s->results++;
	} else if (local->is_parameter) {
		add_word(&s->takes, local->name, type->name);
		s->parameters++;
	}
	return NULL;
}

static struct hf_err *tell_dwarf(struct signature *s, const struct hf_ctor *ctor, struct hf_findings *ret)
{
	struct hf_finding at = go_finding_at(s->go, HF_REFUSAL_SIGNATURE, "signature", ctor->code);

	if (s->parameters || s->results != 1 || !s->gives_any)
		HF_TRY(hf_findings_add(ret, &at, "it is func(%s)%s%s%s: a pool calls a func() any",
				       hf_str_get(&s->takes), s->results ? " (" : "", hf_str_get(&s->gives),
				       s->results ? ")" : ""));
	at.refusal = HF_REFUSAL_CAPTURES;
	at.kind = "captures";
	if (ctor->captures && (s->captured != 1 || !s->captures_number))
		return hf_findings_add(ret, &at,
				       "it captures %s: only a closure of one number can be made anew",
				       s->captured ? hf_str_get(&s->captures) : "nothing that DWARF tells");
	if (s->captured && !ctor->captures)
		return hf_findings_add(ret, &at, "it captures %s, which nothing in a pool would give it",
				       hf_str_get(&s->captures));
	return NULL;
}

/* Nothing says what a closure captures. */
static struct hf_err *tell_blind(struct go *go, const struct hf_ctor *ctor, struct hf_findings *ret)
{
	struct hf_finding at = go_finding_at(go, HF_REFUSAL_CAPTURES, "captures", ctor->code);

	return ctor->captures
		       ? hf_findings_add(
				 ret, &at,
				 "without DWARF it is not known what it captures: it cannot be made anew")
		       : NULL;
}

static struct hf_err *check_dwarf(struct go *go, const struct hf_ctor *ctor, struct hf_findings *ret)
{
	struct signature s = {.go = go};
	struct hf_prototype prototype; /* that there is one: DWARF knows the function */
	struct hf_err *err;

	if (!hf_syms_has_dwarf(go->syms))
		return tell_blind(go, ctor, ret);
	err = hf_syms_walk_variables(go->syms, ctor->code, look_at, &s);
	if (!err && hf_syms_prototype_at(go->syms, ctor->code, &prototype))
		err = tell_dwarf(&s, ctor, ret);
	hf_str_deinit(&s.takes);
	hf_str_deinit(&s.gives);
	hf_str_deinit(&s.captures);
	return err;
}

static bool is_method_value(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && !strcmp(name + n - 3, "-fm");
}

/* What the tables of functions say. args: bytes of parameters, and of the room to spill those that come in registers;
 * results in registers take none. Source: Go 1.20-1.27 cmd/compile/internal/abi, ABIParamResultInfo.ArgWidth. */
static struct hf_err *check_function(struct go *go, const struct go_func *f, struct hf_findings *ret)
{
	struct hf_finding at = go_finding_at(go, HF_REFUSAL_SIGNATURE, "signature", f->entry);

	if (is_method_value(f->name)) {
		at.refusal = HF_REFUSAL_CAPTURES;
		at.kind = "captures";
		return hf_findings_add(ret, &at, "it is a method value, which holds its receiver");
	}
	if (f->flag & FUNCFLAG_ASM)
		return hf_findings_add(ret, &at,
				       "it is assembly, which nothing says the arguments and results of");
	if (go_is_wrapper(f->module, f->func_id, f->name))
		return hf_findings_add(
			ret, &at, "it is a wrapper of the compiler's: of a method, or for assembly (ABI0)");
	if (f->args)
		return hf_findings_add(ret, &at,
				       "it takes arguments or gives back too much for registers (%" PRId32
				       " bytes): a pool calls a func() any",
				       f->args);
	return NULL;
}

/* "main.capturing.func1", not "main.(*T).function". */
static bool is_closure(const char *name)
{
	const char *p = strstr(name, ".func");

	return p && p[5] >= '0' && p[5] <= '9';
}

static struct hf_err *check_value(struct go *go, const struct hf_ctor *ctor, const struct go_func *f,
				  bool told, struct hf_findings *ret)
{
	struct hf_finding at = go_finding_at(go, HF_REFUSAL_CAPTURES, "captures", f->entry);

	at.addr = ctor->value;
	if (ctor->captures)
		return NULL;
	if (ctor->value && !go_is_static(go, ctor->value))
		return hf_findings_add(ret, &at,
				       "the function value at 0x%" PRIx64
				       " was allocated: it is a closure that holds variables",
				       ctor->value);
	if (!ctor->value && is_closure(f->name) && !told)
		return hf_findings_add(
			ret, &at,
			"it is a closure for which the program has no constant function value: it "
			"captures variables");
	return NULL;
}

/* What its code says that it makes. */
static struct hf_err *check_type(struct go *go, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
				 struct hf_findings *ret)
{
	struct hf_finding at = go_finding_at(go, HF_REFUSAL_TYPE, "type", ctor->code);
	uint32_t made = go_pool_made(go, ctor->code), items = go_type_of_rtype(go, slot->item_type);

	if (!made || !items || made == items)
		return NULL;
	return hf_findings_add(ret, &at, "it makes a %s; the pool's items are %s", go_type_name(go, made),
			       go_type_name(go, items));
}

struct hf_err *go_ctor_check(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			     struct hf_findings *ret)
{
	struct go *go = go_callee_of(c)->go;
	struct hf_finding unknown = {
		.refusal = HF_REFUSAL_SIGNATURE, .kind = "signature", .addr = ctor->code};
	struct go_func f;
	size_t before = ret->list.n;
	bool captures = false;

	if (ctor->is_made)
		return go_thunk_check(go, slot, ctor, ret);
	if (!go_find_func(go, ctor->code, &f) || f.entry != ctor->code)
		return hf_findings_add(ret, &unknown,
				       "no function of Go's tables starts at 0x%" PRIx64
				       ": the runtime could not unwind its stack",
				       ctor->code);
	HF_TRY(check_function(go, &f, ret));
	HF_TRY(check_dwarf(go, ctor, ret));
	for (size_t i = before; i < ret->list.n; i++)
		captures = captures || ret->list.at[i].refusal == HF_REFUSAL_CAPTURES;
	HF_TRY(check_value(go, ctor, &f, captures, ret));
	HF_TRY(check_type(go, slot, ctor, ret));
	return go_types_check(go);
}
