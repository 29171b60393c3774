/* What is read of a target that may run on: the word that a pool keeps its constructor in, names of code, how the
 * collector stands. */
#include "ctor.h"
#include "pools.h"

#define POOL_GET "sync.(*Pool).Get"

/* The function that a function value leads to; false: it is none. */
static bool find_code(struct go *go, uint64_t value, struct go_func *ret)
{
	uint64_t code;

	return !hf_err_ignore(hf_target_read_now(go->t, value, &code, sizeof(code))) &&
	       go_find_func(go, code, ret) && ret->entry == code;
}

struct hf_err *go_ctor_slot_at(struct hf_callee *c, uint64_t pool_addr, struct hf_ctor_slot *ret)
{
	struct go *go = go_callee_of(c)->go;
	int32_t at = go->layout.off[GO_POOL_NEW];
	struct hf_ctor_slot slot = {.pool = "",
				    .kind = "sync.Pool",
				    .pool_addr = pool_addr,
				    .slot_addr = pool_addr + (uint64_t)hf_max(at, 0),
				    .function = "",
				    .item_type_name = "",
				    .getter = POOL_GET};
	struct go_func f;
	uint32_t made;

	if (at < 0)
		return hf_err(HF_UNSUPPORTED, "%s: it is not known where a sync.Pool keeps its constructor",
			      go->version);
	if (pool_addr % 8)
		return hf_err_at(HF_USAGE, pool_addr, "there is no sync.Pool at 0x%" PRIx64, pool_addr);
	HF_TRY(hf_target_read_now(go->t, slot.slot_addr, &slot.value, sizeof(slot.value)));
	*ret = slot;
	if (!slot.value)
		return NULL;
	if (!find_code(go, slot.value, &f))
		return hf_err_at(HF_USAGE, pool_addr,
				 "there is no sync.Pool at 0x%" PRIx64
				 ": no constructor stands where it would have one",
				 pool_addr);
	ret->code = f.entry;
	ret->function = f.name;
	ret->value_on_heap = !hf_syms_find_module(go->syms, slot.value);
	/* What waits in it is not looked at: what its constructor makes is as good. */
	made = go_pool_made(go, f.entry);
	ret->item_type = go_type_get(go, made)->rtype;
	if (ret->item_type)
		ret->item_type_name = go_type_name(go, made);
	return go_types_check(go);
}

bool go_ctor_name_of(struct hf_callee *c, uint64_t pc, struct hf_symbol *ret)
{
	struct go *go = go_callee_of(c)->go;
	struct go_func f, next;
	uint64_t end;

	if (!go_find_func(go, pc, &f))
		return false;
	/* Where the next one begins: found by halves, as functions may be large. */
	end = pc;
	for (uint64_t step = 1u << 20; step; step >>= 1)
		if (go_find_func(go, end + step, &next) && next.entry == f.entry)
			end += step;
	*ret = (struct hf_symbol){
		.name = f.name, .addr = f.entry, .size = end + 1 - f.entry, .is_function = true};
	return true;
}

bool go_ctor_line_of(struct hf_callee *c, uint64_t pc, struct hf_source_frame *ret)
{
	struct hf_stack_frame frame;
	size_t n;

	if (hf_err_ignore(go_source_frames(go_callee_of(c)->go, pc, &frame, 1, &n)) || !n)
		return false;
	*ret = (struct hf_source_frame){frame.function, frame.file, frame.line, frame.inlined};
	return true;
}

static bool read_word(struct go *go, const char *symbol, uint32_t *ret)
{
	struct hf_symbol found;

	return hf_syms_find_symbol(go->syms, symbol, &found) &&
	       !hf_err_ignore(hf_target_read_now(go->t, found.addr, ret, sizeof(*ret)));
}

struct hf_err *go_ctor_moment(struct hf_callee *c, struct hf_moment *ret)
{
	static const char *const phases[] = {"off", "mark",
					     "mark termination"}; /* runtime/mgc.go, _GCoff... */
	struct go *go = go_callee_of(c)->go;
	uint32_t word;

	*ret = (struct hf_moment){.processors = HF_UNKNOWN, .gc_phase = ""};
	if (read_word(go, "runtime.gomaxprocs", &word))
		ret->processors = word;
	if (read_word(go, "runtime.gcphase", &word) && word < HF_LEN(phases))
		ret->gc_phase = phases[word];
	return NULL;
}
