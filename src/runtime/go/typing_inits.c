/* What code has put into static data that no variable says the type of: parts of composite literals, whose types only the
 * compiler knew; variables that nothing but their initialisation uses, which the linker has dropped; unsafe.Pointers. The
 * code says what: the one instruction that stores there comes after the call that made the value, of which the type is
 * known.
 *
 *     lea  type(%rip), %rax        (of newobject, makeslice ... alone)
 *     call function                its result, or the first word of it, is in %rax
 *     ...                          all of it understood: see flow.h
 *     mov  %rax, slot(%rip)
 */
#include "../../sym/sym.h"
#include "flow.h"
#include "typing_private.h"

#define BEFORE_MAX   192u       /* bytes of code between the call and the store */
#define ARGUMENT_MAX 48u        /* between the type and the call */
#define TEXT_MAX     (1u << 30) /* bytes of code of a module */
#define SLOTS_MAX    65536u

/* Code of one module, as the file has it: at addr. */
struct code {
	const uint8_t *bytes;
	uint64_t len, addr;
};

enum how { NOT_SEEN, NOT_KNOWN, BY_NEWOBJECT, BY_MAKESLICE, BY_MAKECHAN, BY_MAKEMAP, AS_RESULT };

/* What is stored. */
struct made {
	enum how how;
	uint32_t type;
	int64_t offset; /* in what was made */
	unsigned words; /* of the result, from the slot on */
};

struct slot {
	uint64_t addr, value; /* value: leads to a block without a type */
	struct made made;
};

struct inits {
	struct typing *t;
	HF_VEC(struct slot) slots;
	struct hf_map64 by_addr; /* -> its index */
	struct code code;
};

/* ---- code ---------------------------------------------------------------------------------------------------------- */

/* The target of a displacement at `at`, behind which the instruction ends. */
static uint64_t relative(const struct code *c, uint64_t at)
{
	return c->addr + at + 4 + (uint64_t)(int64_t)(int32_t)hf_load_u32(c->bytes + at);
}

static bool is_call(const struct inits *in, uint64_t at, struct go_func *ret)
{
	const struct code *c = &in->code;

	return c->bytes[at] == 0xe8 && go_find_func(in->t->go, relative(c, at + 1), ret) &&
	       ret->entry == relative(c, at + 1);
}

static bool is_barrier(const struct go_func *f)
{
	return !strncmp(f->name, "runtime.gcWriteBarrier", 22);
}

/* Follows the code from a call's end to the store. False: it is not straight, or does something that is not known. */
static bool follow(const struct inits *in, uint64_t at, uint64_t store, uint64_t slot, struct made *ret)
{
	struct go_flow flow;
	const uint8_t *p = in->code.bytes;
	struct go_func f;
	bool second = false, third = false;
	int reg;

	go_flow_begin(&flow);
	while (at < store) {
		unsigned n;

		reg = go_flow_store(p + at);
		if (reg >= 0 && !flow.reg[reg].offset) {
			second |= flow.reg[reg].of == 2 && relative(&in->code, at + 3) == slot + 8;
			third |= flow.reg[reg].of == 3 && relative(&in->code, at + 3) == slot + 16;
		}
		n = go_flow_step(&flow, p + at);
		/* The barrier keeps all registers but r11. */
		if (!n && is_call(in, at, &f) && is_barrier(&f))
			n = 5;
		if (!n)
			return false;
		at += n;
	}
	reg = go_flow_store(p + store);
	if (at != store || reg < 0 || flow.reg[reg].of != 1)
		return false;
	ret->offset = flow.reg[reg].offset;
	ret->words = !second ? 1 : !third ? 2 : 3;
	return true;
}

/* The type that a call of the runtime is given; GO_NO_TYPE: not in sight. */
static uint32_t argument_type(const struct inits *in, uint64_t call)
{
	const struct code *c = &in->code;
	struct go_flow flow;

	for (uint64_t back = 7; back <= hf_min(call, (uint64_t)ARGUMENT_MAX); back++) {
		uint64_t at = call - back, rtype = relative(c, at + 3);

		if (memcmp(c->bytes + at, "\x48\x8d\x05", 3) || !go_types_module_of(in->t->go, rtype))
			continue;
		/* As if it was a result: it must still be in rax. */
		go_flow_begin(&flow);
		for (at += 7; at < call;) {
			unsigned n = go_flow_step(&flow, c->bytes + at);

			if (!n)
				break;
			at += n;
		}
		return at == call && flow.reg[0].of == 1 && !flow.reg[0].offset
			       ? go_type_of_rtype(in->t->go, rtype)
			       : GO_NO_TYPE;
	}
	return GO_NO_TYPE;
}

/* The first result of a function; GO_NO_TYPE: it is not known. */
static uint32_t first_result(struct go *go, uint64_t entry)
{
	const go_locals *all;

	if (hf_err_ignore(go_variables_of(go, entry, &all)))
		return GO_NO_TYPE;
	hf_vec_each(all, local)
		if (local->result)
			return local->bare_pointer || go_type_is_shaped(go, local->type) ? GO_NO_TYPE
											 : local->type;
	return GO_NO_TYPE;
}

static enum how how_made(const char *function)
{
	static const struct {
		const char *name;
		enum how how;
	} makers[] = {{"runtime.newobject", BY_NEWOBJECT},
		      {"runtime.makeslice", BY_MAKESLICE},
		      {"runtime.makeslicecopy", BY_MAKESLICE},
		      {"runtime.makechan", BY_MAKECHAN},
		      {"runtime.makemap", BY_MAKEMAP}};

	for (size_t i = 0; i < HF_LEN(makers); i++)
		if (!strcmp(function, makers[i].name))
			return makers[i].how;
	return strncmp(function, "runtime.", 8) ? AS_RESULT : NOT_KNOWN;
}

/* What the store at `store` puts into a slot. */
static struct made find_made(const struct inits *in, uint64_t store, uint64_t slot)
{
	struct made made = {.how = NOT_KNOWN};
	struct go_func f;

	/* The last call before it, but for the barrier's. */
	for (uint64_t back = 5; back <= hf_min(store, (uint64_t)BEFORE_MAX); back++) {
		if (!is_call(in, store - back, &f) || is_barrier(&f) ||
		    !follow(in, store - back + 5, store, slot, &made))
			continue;
		made.how = how_made(f.name);
		if (made.how != NOT_KNOWN)
			made.type = made.how == AS_RESULT ? first_result(in->t->go, f.entry)
							  : argument_type(in, store - back);
		/* What a shape stands for is found out later, and only with DWARF. */
		if (!made.type ||
		    (!hf_syms_has_dwarf(in->t->go->syms) && go_type_is_shaped(in->t->go, made.type)))
			made.how = NOT_KNOWN;
		break;
	}
	return made;
}

/* A second store must be of the same. */
static void see_store(struct inits *in, uint64_t store, struct slot *slot)
{
	struct made made = {.how = NOT_KNOWN}, *known = &slot->made;

	if (known->how != NOT_KNOWN)
		made = find_made(in, store, slot->addr);
	if (known->how == NOT_SEEN)
		*known = made;
	else if (made.how != known->how || made.type != known->type || made.offset != known->offset)
		known->how = NOT_KNOWN;
	else
		known->words = hf_min(known->words, made.words);
}

/* All stores to one of the slots. */
static struct hf_err *scan_code(struct inits *in)
{
	const struct code *c = &in->code;
	const uint8_t *at = c->bytes, *end = at + c->len;
	uint64_t i, rounds = 0;

	while (c->len > GO_FLOW_ROOM && at < end - GO_FLOW_ROOM &&
	       (at = memchr(at + 1, 0x89, (size_t)(end - GO_FLOW_ROOM - at)))) {
		uint64_t store = (uint64_t)(at - c->bytes) - 1;

		if (go_flow_store(at - 1) >= 0 && hf_map64_find(&in->by_addr, relative(c, store + 3), &i))
			see_store(in, store, &in->slots.at[i]);
		if (++rounds % (1u << 20) == 0)
			HF_TRY(hf_interrupt_check());
	}
	return in->t->err;
}

/* ---- what is stored ------------------------------------------------------------------------------------------------ */

/* The block must be as large as one of that type, and have pointers where it has some. */
static void offer_made(struct typing *t, uint64_t value, uint32_t type, uint64_t size, uint32_t of)
{
	const struct go_span *span = go_find_span(t->go, value);

	if (go_fits(span, size) && span->noscan == !go_type_get(t->go, of)->ptr_bytes)
		go_offer(t, value, type, size);
}

static void offer_result(struct typing *t, const struct slot *s)
{
	uint8_t bytes[24] = {0};
	size_t words = 1;

	switch (go_type_get(t->go, s->made.type)->kind) {
	case GO_KIND_POINTER:
	case GO_KIND_MAP:
	case GO_KIND_CHAN:
	case GO_KIND_FUNC:
		break;
	case GO_KIND_STRING:
		words = 2;
		break;
	case GO_KIND_SLICE:
		words = 3;
		break;
	default:
		return;
	}
	if (s->made.words >= words && !s->made.offset &&
	    !hf_err_ignore(hf_target_read(t->go->t, s->addr, bytes, words * 8)))
		go_visit_value(t, s->made.type, (struct place){bytes, words * 8}, 0);
}

/* Small values without pointers share a block. */
static bool is_start(const struct go_span *span, uint64_t addr)
{
	uint64_t offset = addr - span->start - go_slot_of(span, addr) * span->elemsize;

	return offset == go_header_size(span) || (span->noscan && span->elemsize == 16);
}

static void offer_slot(struct typing *t, const struct slot *s)
{
	struct go *go = t->go;
	uint32_t type = s->made.type;
	const struct go_type *row = go_type_get(go, type);
	const struct go_span *span = go_find_span(go, s->value);
	uint64_t room = span->elemsize - go_header_size(span), at = s->value - (uint64_t)s->made.offset;

	if (go_find_block(go, at) != go_find_block(go, s->value) ||
	    (s->made.how != AS_RESULT && !is_start(span, at)))
		return;
	switch (s->made.how) {
	case BY_NEWOBJECT:
		offer_made(t, at, type, row->size, type);
		break;
	case BY_MAKESLICE:
		if (row->size)
			offer_made(t, at, go_type_shape(go, GO_SHAPE_BACKING, type, 0),
				   room / row->size * row->size, type);
		break;
	case BY_MAKECHAN:
		if (row->kind == GO_KIND_CHAN && !s->made.offset)
			go_offer_chan(t, at, type);
		break;
	case BY_MAKEMAP:
		if (row->kind == GO_KIND_MAP && !s->made.offset)
			offer_made(t, at, go_type_shape(go, GO_SHAPE_MAP, type, 0), room, type);
		break;
	case AS_RESULT:
		offer_result(t, s);
		break;
	case NOT_SEEN:
	case NOT_KNOWN:
		break;
	}
}

/* An interface says what it holds by now, which the code may have changed. */
static bool is_in_interface(struct go *go, uint64_t slot)
{
	uint64_t word;

	return !hf_err_ignore(hf_target_read_u64(go->t, slot - 8, &word)) && word && go_word_type(go, word);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static struct hf_err *add_slots(void *arg, const struct go_section *section)
{
	struct inits *in = arg;
	struct go *go = in->t->go;

	for (uint64_t i = 0; i < section->n && in->slots.n < SLOTS_MAX; i++) {
		uint64_t value = go_section_word(section, i), addr = section->start + i * 8;
		uint32_t block = go_section_has(section, i) && value ? go_find_block(go, value) : HF_NO_BLOCK;

		if (block == HF_NO_BLOCK || go->block_type[block] || is_in_interface(go, addr))
			continue;
		HF_TRY(hf_map64_put(&in->by_addr, addr, in->slots.n));
		HF_TRY(hf_vec_push(&in->slots, ((struct slot){.addr = addr, .value = value})));
	}
	return NULL;
}

/* False: the code is not in the file, or not where it should be. */
static bool find_code(struct go *go, const struct go_module *m, struct code *ret)
{
	const struct hf_module *module = hf_syms_find_module(go->syms, m->text);
	struct hf_section text;
	const void *bytes;
	size_t len;

	if (!module || !hf_module_section(module, ".text", &text) ||
	    hf_err_ignore(hf_module_section_bytes(module, ".text", &bytes, &len)) || len > TEXT_MAX ||
	    m->text < text.addr || m->text - text.addr >= len)
		return false;
	*ret = (struct code){.bytes = bytes, .len = len, .addr = text.addr};
	return true;
}

struct hf_err *go_type_inits(struct typing *t)
{
	struct inits in = {.t = t};
	struct hf_err *err = go_each_section(t->go, add_slots, &in);

	hf_vec_each(&t->go->modules, m)
		if (!err && in.slots.n && find_code(t->go, m, &in.code))
			err = scan_code(&in);
	for (size_t i = 0; i < in.slots.n && !err && !t->err; i++)
		offer_slot(t, &in.slots.at[i]);
	hf_vec_deinit(&in.slots);
	hf_map64_deinit(&in.by_addr);
	return err ? err : t->err;
}
