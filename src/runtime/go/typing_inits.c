/* What initialisation code has put into static data that no variable names: parts of composite literals, whose types only
 * the compiler knew, and variables that nothing but their initialisation uses, which the linker has dropped. The code says
 * what: the one instruction that stores there comes right after the call that made the value, of which the type is known.
 *
 *     lea  type(%rip), %rax        (of newobject, makeslice ... alone)
 *     call function                its result, or the first word of it, is in %rax
 *     ...                          nothing that changes %rax
 *     mov  %rax, slot(%rip)
 *
 * Source: Go 1.20-1.27 cmd/compile/abi-internal.md; cmd/compile/internal/ssa/writebarrier.go (1.20: without a buffer). */
#define _GNU_SOURCE /* memmem */
#include "../../sym/sym.h"
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

struct inits {
	struct typing *t;
	struct hf_map64 slots; /* -> what it holds: a block without a type */
	struct code code;
};

/* What is put beside the pointer: the words of a string or slice. */
struct stored {
	bool second, third;
};

/* ---- instructions that leave %rax alone ----------------------------------------------------------------------- */

/* The target of a displacement that ends at `end`. */
static uint64_t relative(const struct code *c, uint64_t at, uint64_t end)
{
	return c->addr + end + (uint64_t)(int64_t)(int32_t)hf_load_u32(c->bytes + at);
}

/* Bytes of a no-op; 0: it is none. Source: Intel SDM 2B, NOP. */
static unsigned nop_size(const uint8_t *p)
{
	unsigned prefix = *p == 0x66, n = 0;

	p += prefix;
	if (p[0] == 0x90)
		return prefix + 1;
	if (p[0] != 0x0f || p[1] != 0x1f)
		return 0;
	switch (p[2]) {
	case 0x00:
		n = 3;
		break;
	case 0x40:
		n = 4;
		break;
	case 0x44:
		n = 5;
		break;
	case 0x80:
		n = 7;
		break;
	case 0x84:
		n = 8;
		break;
	}
	return n ? prefix + n : 0;
}

/* mov reg, addr(%rip), mov reg, (%r11) and mov reg, x(%rsp); what it reads from memory must not go to %rax. */
static unsigned move_size(const uint8_t *p)
{
	unsigned reg = p[2] >> 3 & 7, mode = p[2] >> 6, base = p[2] & 7;
	bool loads = p[1] == 0x8b || p[1] == 0x8d;

	if ((p[0] & 0xfa) != 0x48 || (p[1] != 0x89 && !loads))
		return 0;
	if (loads && !reg && !(p[0] & 4))
		return 0;
	if (!(p[0] & 1) && !mode && base == 5)
		return 7;
	if ((p[0] & 1) && !loads && base == 3 && mode < 2)
		return mode ? 4 : 3;
	if (!(p[0] & 1) && p[1] != 0x8d && base == 4 && p[3] == 0x24 && mode == 1)
		return 5;
	return 0;
}

/* Constants to memory at an address, and the question whether the collector wants to know of it. */
static unsigned constant_size(const uint8_t *p)
{
	if (p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0x05)
		return 11;
	if (p[0] == 0xc7 && p[1] == 0x05)
		return 10;
	return (p[0] == 0xc6 && p[1] == 0x05) || (p[0] == 0x83 && p[1] == 0x3d) ? 7 : 0;
}

static bool is_call_of(const struct inits *in, uint64_t at, const char *prefix, struct go_func *ret)
{
	const struct code *c = &in->code;

	return c->bytes[at] == 0xe8 && go_find_func(in->t->go, relative(c, at + 1, at + 5), ret) &&
	       ret->entry == relative(c, at + 1, at + 5) && !strncmp(ret->name, prefix, strlen(prefix));
}

/* The barrier keeps all registers that it is not told of. */
static unsigned barrier_size(const struct inits *in, uint64_t at)
{
	struct go_func f;

	return is_call_of(in, at, "runtime.gcWriteBarrier", &f) ? 5 : 0;
}

/* A branch forward, around the barrier or to it. */
static unsigned branch_size(const uint8_t *p)
{
	if ((p[0] == 0x74 || p[0] == 0x75) && p[1] < 0x80)
		return 2;
	return p[0] == 0x0f && (p[1] == 0x84 || p[1] == 0x85) && p[5] < 0x80 ? 6 : 0;
}

static void note_store(const struct inits *in, uint64_t at, uint64_t slot, struct stored *s)
{
	const uint8_t *p = in->code.bytes + at;

	if (p[0] != 0x48 || p[1] != 0x89 || (p[2] & 0xc7) != 0x05)
		return;
	s->second |= p[2] == 0x1d && relative(&in->code, at + 3, at + 7) == slot + 8;
	s->third |= p[2] == 0x0d && relative(&in->code, at + 3, at + 7) == slot + 16;
}

/* True where the code from `at` runs straight to `end`, and all of it leaves %rax alone. */
static bool keeps_result(const struct inits *in, uint64_t at, uint64_t end, uint64_t slot, struct stored *s)
{
	*s = (struct stored){false, false};
	while (at < end) {
		const uint8_t *p = in->code.bytes + at;
		unsigned n = nop_size(p);

		n = n ? n : move_size(p);
		n = n ? n : constant_size(p);
		n = n ? n : branch_size(p);
		n = n ? n : barrier_size(in, at);
		if (!n)
			return false;
		note_store(in, at, slot, s);
		at += n;
	}
	return at == end;
}

/* Sizes and hints for the runtime: mov $x, %ebx (or %ecx, %edi, %esi), xor of them, moves between them. */
static unsigned argument_size(const uint8_t *p)
{
	unsigned reg = p[0] & 7, to = p[1] & 7;

	if (p[0] >= 0xb9 && p[0] <= 0xbf && reg != 4 && reg != 5)
		return 5;
	if ((p[0] == 0x31 || p[0] == 0x89) && p[1] >= 0xc0 && to)
		return 2;
	return p[0] == 0x48 && p[1] == 0x89 && p[2] >= 0xc0 && p[2] & 7 ? 3 : 0;
}

/* The type that a call of the runtime is given; GO_NO_TYPE: not in sight. */
static uint32_t argument_type(const struct inits *in, uint64_t call)
{
	const struct code *c = &in->code;

	for (uint64_t back = 7; back <= hf_min(call, (uint64_t)ARGUMENT_MAX); back++) {
		uint64_t at = call - back;
		uint64_t rtype = relative(c, at + 3, at + 7);

		if (memcmp(c->bytes + at, "\x48\x8d\x05", 3) || !go_types_module_of(in->t->go, rtype))
			continue;
		for (at += 7; at < call;) {
			unsigned n = nop_size(c->bytes + at);

			n = n ? n : argument_size(c->bytes + at);
			if (!n)
				break;
			at += n;
		}
		return at == call ? go_type_of_rtype(in->t->go, rtype) : GO_NO_TYPE;
	}
	return GO_NO_TYPE;
}

/* ---- what is stored ------------------------------------------------------------------------------------------------ */

/* The block must be as large as one of that type, and not have pointers where it has none. */
static void offer_made(struct typing *t, uint64_t value, uint32_t type, uint64_t size, uint32_t of)
{
	const struct go_span *span = go_find_span(t->go, value);

	if (go_fits(span, size) && !(span->noscan && go_type_get(t->go, of)->ptr_bytes) &&
	    (span->noscan || go_type_get(t->go, of)->ptr_bytes))
		go_offer(t, value, type, size);
}

static void offer_allocated(struct typing *t, const char *function, uint32_t type, uint64_t value)
{
	struct go *go = t->go;
	const struct go_type *row = go_type_get(go, type);
	uint64_t room;

	if (!type || !row->size)
		return;
	if (!strcmp(function, "newobject")) {
		offer_made(t, value, type, row->size, type);
	} else if (!strcmp(function, "makeslice") || !strcmp(function, "makeslicecopy")) {
		room = go_find_span(go, value)->elemsize - go_header_size(go_find_span(go, value));
		offer_made(t, value, go_type_shape(go, GO_SHAPE_BACKING, type, 0),
			   room / row->size * row->size, type);
	} else if (!strcmp(function, "makechan") && row->kind == GO_KIND_CHAN) {
		go_offer_chan(t, value, type);
	} else if (!strcmp(function, "makemap") && row->kind == GO_KIND_MAP) {
		offer_made(t, value, go_type_shape(go, GO_SHAPE_MAP, type, 0), 48, type);
	}
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

static void visit_result(struct typing *t, uint32_t type, uint64_t slot, const struct stored *s)
{
	uint8_t bytes[24] = {0};
	size_t n = 8;

	switch (go_type_get(t->go, type)->kind) {
	case GO_KIND_POINTER:
	case GO_KIND_MAP:
	case GO_KIND_CHAN:
	case GO_KIND_FUNC:
		break;
	case GO_KIND_STRING:
		n = s->second ? 16 : 0;
		break;
	case GO_KIND_SLICE:
		n = s->second && s->third ? 24 : 0;
		break;
	default:
		return;
	}
	if (n && !hf_err_ignore(hf_target_read(t->go->t, slot, bytes, n)))
		go_visit_value(t, type, (struct place){bytes, n}, 0);
}

/* An interface says what it holds by now, which the code may have changed. */
static bool is_in_interface(struct go *go, uint64_t slot)
{
	uint64_t word;

	return !hf_err_ignore(hf_target_read_u64(go->t, slot - 8, &word)) && word && go_word_type(go, word);
}

static void visit_store(struct inits *in, uint64_t store, uint64_t slot, uint64_t value)
{
	struct typing *t = in->t;
	struct stored s;
	struct go_func f;
	uint32_t type;

	if (is_in_interface(t->go, slot))
		return;
	/* The last call before it, but for the barrier's. */
	for (uint64_t back = 5; back <= hf_min(store, (uint64_t)BEFORE_MAX); back++) {
		if (!is_call_of(in, store - back, "", &f) || !strncmp(f.name, "runtime.gcWriteBarrier", 22) ||
		    !keeps_result(in, store - back + 5, store, slot, &s))
			continue;
		if (!strncmp(f.name, "runtime.", 8)) {
			offer_allocated(t, f.name + 8, argument_type(in, store - back), value);
			return;
		}
		type = first_result(t->go, f.entry);
		if (type)
			visit_result(t, type, slot, &s);
		return;
	}
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static struct hf_err *add_slots(struct inits *in, uint64_t start, uint64_t end)
{
	struct go *go = in->t->go;
	uint64_t n = end > start ? (end - start) / 8 : 0;
	struct hf_variable variable;
	const void *words;

	if (!n || hf_err_ignore(hf_target_get(go->t, start, n * 8, &in->t->outside_scratch, &words)))
		return NULL;
	for (uint64_t i = 0; i < n && in->slots.n < SLOTS_MAX; i++) {
		uint64_t value = hf_load_u64((const uint8_t *)words + i * 8), slot = start + i * 8;
		uint32_t block = value ? go_find_block(go, value) : HF_NO_BLOCK;

		if (block != HF_NO_BLOCK && !go->block_type[block] &&
		    !hf_syms_variable_at(go->syms, slot, &variable))
			HF_TRY(hf_map64_put(&in->slots, slot, value));
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
	    m->text < text.addr || m->text >= text.addr + len)
		return false;
	*ret = (struct code){.bytes = bytes, .len = len, .addr = text.addr};
	return true;
}

/* All stores of %rax to one of the slots. */
static void scan_code(struct inits *in)
{
	const struct code *c = &in->code;
	const uint8_t *at = c->bytes;
	uint64_t left = c->len > BEFORE_MAX ? c->len : 0, value;

	while (!in->t->err && left && (at = memmem(at, left, "\x48\x89\x05", 3))) {
		uint64_t offset = (uint64_t)(at - c->bytes);

		at++;
		left = c->len - offset - 1;
		if (left >= 6 && hf_map64_find(&in->slots, relative(c, offset + 3, offset + 7), &value))
			visit_store(in, offset, relative(c, offset + 3, offset + 7), value);
	}
}

struct hf_err *go_type_inits(struct typing *t)
{
	struct inits in = {.t = t};
	struct hf_err *err = NULL;

	hf_vec_each(&t->go->modules, m) {
		err = err ? err : add_slots(&in, m->data, m->edata);
		err = err ? err : add_slots(&in, m->bss, m->ebss);
	}
	hf_vec_each(&t->go->modules, m)
		if (!err && in.slots.n && find_code(t->go, m, &in.code))
			scan_code(&in);
	hf_map64_deinit(&in.slots);
	return err ? err : t->err;
}
