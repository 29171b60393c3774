/* The type of a function against that of the pointer that is to call it. */
#include "c.h"

#define DW_ATE_FLOAT 0x04

/* How a value is passed. */
enum pass { PASS_UNKNOWN, PASS_NOTHING, PASS_POINTER, PASS_NUMBER, PASS_FLOAT, PASS_WHOLE };

static enum pass pass_of(const struct hf_type *t)
{
	switch (t->kind) {
	case HF_TYPE_POINTER:
	case HF_TYPE_FUNCTION:
	case HF_TYPE_ARRAY:
		return PASS_POINTER;
	case HF_TYPE_BASE:
		return t->encoding == DW_ATE_FLOAT ? PASS_FLOAT : PASS_NUMBER;
	case HF_TYPE_ENUM:
		return PASS_NUMBER;
	case HF_TYPE_STRUCT:
	case HF_TYPE_UNION:
		return PASS_WHOLE;
	default:
		return PASS_UNKNOWN;
	}
}

static bool is_compatible(struct hf_syms *s, uint32_t a, uint32_t b)
{
	const struct hf_type *x = hf_type_strip(s, a), *y = hf_type_strip(s, b);
	enum pass p = pass_of(x), q = pass_of(y);

	if (p == PASS_UNKNOWN || q == PASS_UNKNOWN)
		return true; /* nothing is known against it */
	if (p != q)
		return false;
	if (p == PASS_POINTER)
		return true;
	return x->size == y->size && (p != PASS_WHOLE || !strcmp(x->name, y->name));
}

static const char *type_name(struct hf_syms *s, bool there, uint32_t type)
{
	return there ? hf_type_get(s, type)->name : "void";
}

/* "int (double)" */
static void add_prototype(struct hf_syms *s, const struct hf_prototype *p, struct hf_str *ret)
{
	hf_str_addf(ret, "%s (", type_name(s, p->has_result, p->result));
	for (uint32_t i = 0; i < p->params_n; i++)
		hf_str_addf(ret, "%s%s", i ? ", " : "", type_name(s, true, p->params[i]));
	if (p->is_variadic && !p->is_open)
		hf_str_add(ret, ", ...");
	hf_str_add(ret, p->params_n || p->is_open ? ")" : "void)");
}

static bool is_same_call(struct hf_syms *s, const struct hf_prototype *a, const struct hf_prototype *b)
{
	if (a->has_result != b->has_result ||
	    (a->has_result && a->result && b->result && !is_compatible(s, a->result, b->result)))
		return false;
	if (a->is_open || b->is_open)
		return true;
	if (a->params_n != b->params_n || a->is_variadic != b->is_variadic)
		return false;
	for (uint32_t i = 0; i < a->params_n; i++)
		if (!is_compatible(s, a->params[i], b->params[i]))
			return false;
	return true;
}

/* The prototype that a slot's type says: of a pointer to a function. */
static bool slot_prototype(struct hf_syms *s, const struct hf_ctor_slot *slot, struct hf_prototype *ret)
{
	const struct hf_type *t = hf_type_strip(s, slot->slot_type);
	uint32_t function = slot->slot_type;

	if (t->kind == HF_TYPE_POINTER)
		function = t->elem;
	for (int i = 0; i < 32 && hf_type_get(s, function)->kind == HF_TYPE_TYPEDEF; i++)
		function = hf_type_get(s, function)->elem;
	return hf_type_prototype(s, function, ret);
}

/* Pieces that an optimizer made: they are not called as their source says. */
static bool is_piece(const char *name)
{
	static const char *const marks[] = {".constprop", ".isra", ".part", ".cold"};

	for (size_t i = 0; i < HF_LEN(marks); i++)
		if (strstr(name, marks[i]))
			return true;
	return false;
}

static struct hf_err *add(struct hf_findings *f, const struct hf_ctor *ctor, enum hf_refusal refusal,
			  const char *kind, const char *what)
{
	struct hf_finding finding = {.refusal = refusal,
				     .kind = kind,
				     .function = ctor->name,
				     .pc = ctor->code,
				     .addr = ctor->code};

	return hf_findings_add(f, &finding, "%s", what);
}

static struct hf_err *mismatch(struct hf_callee *c, const struct hf_ctor *ctor, const struct hf_prototype *is,
			       const struct hf_prototype *wanted, struct hf_findings *ret)
{
	struct hf_str text = {0};
	struct hf_err *err;

	hf_str_addf(&text, "%s is ", ctor->name);
	add_prototype(c->syms, is, &text);
	hf_str_add(&text, ", the pool calls ");
	add_prototype(c->syms, wanted, &text);
	err = hf_str_check(&text);
	if (!err)
		err = add(ret, ctor, HF_REFUSAL_SIGNATURE, "signature", hf_str_get(&text));
	hf_str_deinit(&text);
	return err;
}

struct hf_err *c_check(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		       struct hf_findings *ret)
{
	struct hf_prototype is, wanted;

	HF_TRY(c_slots_find((struct c_callee *)c, ctor->code));
	if (is_piece(ctor->name))
		return add(ret, ctor, HF_REFUSAL_SIGNATURE, "signature",
			   "it is a piece that the compiler made of a function, and not called as one");
	if (!slot_prototype(c->syms, slot, &wanted))
		return add(ret, ctor, HF_REFUSAL_NONE, "unchecked",
			   "what the pool calls its constructor with cannot be told: its type has no DWARF");
	if (!hf_syms_prototype_at(c->syms, ctor->code, &is))
		return add(ret, ctor, HF_REFUSAL_NONE, "unchecked",
			   "what the function takes and returns cannot be told: it has no DWARF");
	if (!is_same_call(c->syms, &is, &wanted))
		return mismatch(c, ctor, &is, &wanted, ret);
	if (wanted.params_n > 1)
		return add(ret, ctor, HF_REFUSAL_NONE, "arguments",
			   "it takes more than the object: a dry run passes 0 for the rest");
	return NULL;
}

void c_call_find(struct hf_callee *c, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
		 struct c_call *ret)
{
	const struct hf_type *t;
	struct hf_prototype p;

	*ret = (struct c_call){.takes_object = true, .answer = C_ANSWERS_POINTER, .result = ""};
	if (!hf_syms_prototype_at(c->syms, ctor->code, &p) && !slot_prototype(c->syms, slot, &p))
		return;
	if (!p.is_open) {
		enum pass first = p.params_n ? pass_of(hf_type_strip(c->syms, p.params[0])) : PASS_NOTHING;

		ret->takes_object = first == PASS_POINTER || first == PASS_UNKNOWN;
		ret->takes_size = first == PASS_NUMBER;
	}
	t = hf_type_strip(c->syms, p.result);
	if (!p.has_result)
		ret->answer = C_ANSWERS_NOTHING;
	else if (pass_of(t) != PASS_POINTER && pass_of(t) != PASS_UNKNOWN)
		ret->answer = C_ANSWERS_NUMBER;
	else if (t->kind == HF_TYPE_POINTER && t->elem)
		ret->result = hf_type_get(c->syms, t->elem)->name;
}
