/* What a constructor made and gave back. */
#include "ctor.h"
#include "types_private.h"

#define MALLOC_MAX  32768u /* larger ones are whole pages */
#define TINY        16u
#define PIECE_WORDS 512u
#define RETAINS_MAX 16 /* that are told one by one */

/* Go 1.20-1.27 runtime/sizeclasses.go (since 1.25 internal/runtime/gc): the same in all of them. */
static const uint16_t classes[] = {
	8,     16,    24,    32,    48,    64,    80,    96,    112,   128,   144,   160,   176,   192,
	208,   224,   240,   256,   288,   320,   352,   384,   416,   448,   480,   512,   576,   640,
	704,   768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304,  2688,  3072,  3200,
	3456,  4096,  4864,  5376,  6144,  6528,  6784,  6912,  8192,  9472,  9728,  10240, 10880, 12288,
	13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
};

uint64_t go_allocated_size(const struct go_layout *l, uint64_t bytes, bool pointers)
{
	uint64_t size = bytes;

	/* Of several tiny objects in one block, each is counted as a block. */
	if (!pointers && bytes < TINY)
		return bytes ? TINY : 0;
	if (pointers && l->alloc_headers && bytes > GO_HEADER_ABOVE && bytes <= MALLOC_MAX - GO_HEADER)
		size += GO_HEADER;
	for (size_t i = 0; i < HF_LEN(classes); i++)
		if (size <= classes[i])
			return classes[i];
	return bytes > UINT64_MAX - GO_PAGE ? bytes : hf_align_up(bytes, GO_PAGE);
}

const struct ghost_allocation *go_run_made(const struct hf_ghost_run *run, uint64_t addr)
{
	hf_vec_each(&run->allocations, a)
		if (addr - a->addr < hf_max(a->bytes, (uint64_t)1))
			return a;
	return NULL;
}

/* ---- what it allocated ----------------------------------------------------------------------------------------------- */

static bool has_pointers(struct go *go, uint64_t rtype)
{
	struct go_rtype r;

	return rtype && go_rtype_read(go, rtype, &r) && r.ptr_bytes;
}

/* "main.Buf", "[]main.Item", "[]byte"; "" where the allocator was not told. */
static const char *made_name(const struct go_judge *j, const struct ghost_allocation *a)
{
	const struct go_type *type = go_type_get(j->go, go_type_of_rtype(j->go, a->info));
	const char *name = a->info && type->size ? go_type_name(j->go, go_type_of_rtype(j->go, a->info)) : "";
	struct hf_str text = {0};
	const char *ret;

	if (*name && a->bytes > type->size)
		hf_str_add(&text, "[]");
	hf_str_add(&text, type->kind == GO_KIND_UINT8 && !strcmp(name, "uint8") ? "byte" : name);
	ret = hf_arena_strndup(&j->findings->names, hf_str_get(&text), text.n);
	hf_str_deinit(&text);
	return ret;
}

struct hf_err *go_judge_made(struct go_judge *j)
{
	hf_vec_each(&j->run->allocations, a) {
		struct hf_made made = {
			.addr = a->addr,
			.bytes = go_allocated_size(&j->go->layout, a->bytes, has_pointers(j->go, a->info)),
			.type = made_name(j, a),
		};

		if (!made.type)
			return hf_err_nomem();
		HF_TRY(hf_vec_push(&j->ret->made, made));
		if (hf_add_overflows(j->ret->allocated_bytes, made.bytes, &j->ret->allocated_bytes))
			j->ret->allocated_bytes = UINT64_MAX;
	}
	return NULL;
}

/* ---- what it keeps alive ------------------------------------------------------------------------------------------------ */

/* False: the word is no pointer. Without a mask, any word may be one. */
static bool may_point(const struct go_mask *mask, uint64_t word)
{
	uint64_t i = mask && mask->size_words ? word % mask->size_words : word;

	return !mask || (i < mask->ptr_words && mask->bits[i / 64] >> (i % 64) & 1);
}

static struct hf_err *tell_kept(const struct go_judge *j, const struct ghost_allocation *a, uint64_t off,
				uint64_t word)
{
	struct hf_finding at =
		go_finding_at(j->go, HF_REFUSAL_RETAINS, "retains", a->caller ? a->caller - 1 : 0);

	at.addr = word;
	return hf_findings_add(j->findings, &at,
			       "what it made (%s+%" PRIu64 ") leads to the heap at 0x%" PRIx64
			       ", which existed before",
			       made_name(j, a), off, word);
}

/* Each word of a fresh block; `told` counts what was told of all of them. */
static struct hf_err *check_block(const struct go_judge *j, const struct ghost_allocation *a, size_t *told)
{
	const struct go_mask *mask = NULL;
	uint64_t words[PIECE_WORDS];

	if (!has_pointers(j->go, a->info))
		return NULL;
	if (hf_err_ignore(go_mask_build(j->go, a->info, a->bytes, &mask)))
		mask = NULL;
	for (uint64_t off = 0; off + 8 <= a->bytes;) {
		uint64_t n = hf_min((a->bytes - off) / 8, (uint64_t)PIECE_WORDS);

		if (!hf_ghost_run_read(j->run, a->addr + off, words, n * 8))
			return NULL;
		for (uint64_t i = 0; i < n; i++) {
			if (!words[i] || !may_point(mask, off / 8 + i) || go_run_made(j->run, words[i]) ||
			    !go_call_had(j->call, words[i]))
				continue;
			if (++*told > RETAINS_MAX)
				return NULL;
			HF_TRY(tell_kept(j, a, off + i * 8, words[i]));
		}
		off += n * 8;
	}
	return NULL;
}

/* ---- what it returned ---------------------------------------------------------------------------------------------------- */

static struct hf_err *tell(const struct go_judge *j, enum hf_refusal refusal, const char *kind,
			   const char *what)
{
	struct hf_finding at = go_finding_at(j->go, refusal, kind, j->ctor->code);

	at.addr = j->ret->result;
	return hf_findings_add(j->findings, &at, "%s", what);
}

static struct hf_err *check_type(const struct go_judge *j, uint32_t type)
{
	uint32_t items = go_type_of_rtype(j->go, j->slot->item_type);
	struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_TYPE, "type", j->ctor->code);

	if (!items)
		return j->ctor->code == j->slot->code ? NULL
						      : tell(j, HF_REFUSAL_INCONCLUSIVE, "type",
							     "what the pool's items are is not known, so "
							     "that it is not known whether "
							     "this is one");
	if (items == type)
		return NULL;
	return hf_findings_add(j->findings, &at, "it returned a %s; the pool's items are %s",
			       go_type_name(j->go, type), go_type_name(j->go, items));
}

/* Hidden from the collector's types, and from ours. */
static struct hf_err *tell_unsafe(const struct go_judge *j, uint32_t type)
{
	const struct go_type *row = go_type_get(j->go, type);
	uint32_t of = row->kind == GO_KIND_POINTER ? row->elem : type, n;
	const struct go_slot *slots = go_type_slots(j->go, of, &n);

	for (uint32_t i = 0; i < n; i++) {
		struct hf_finding at = go_finding_at(j->go, HF_REFUSAL_NONE, "unsafe-pointer", j->ctor->code);

		if (slots[i].kind == GO_SLOT_POINTER && !slots[i].type)
			return hf_findings_add(j->findings, &at,
					       "%s has an unsafe.Pointer at offset %" PRIu64
					       ": what it leads to is not checked",
					       go_type_name(j->go, of), slots[i].offset);
	}
	return NULL;
}

/* The object itself: a pointer that the interface holds, or the copy of a value that it leads to. */
static struct hf_err *check_object(const struct go_judge *j, const struct go_type *type)
{
	uint64_t at = j->ret->result;
	bool is_empty = type->kind == GO_KIND_POINTER && type->elem && !go_type_get(j->go, type->elem)->size;

	if (!at || go_run_made(j->run, at) || (is_empty && at == j->go->layout.var[GO_VAR_ZEROBASE]))
		return NULL;
	if (go_call_had(j->call, at))
		return tell(j, HF_REFUSAL_RETAINS, "retains",
			    "it returned an object of the heap that existed before");
	if (type->direct_iface && go_is_variable(j->go, at))
		return tell(j, HF_REFUSAL_RETAINS, "retains",
			    "it returned a variable, the same one each time");
	return NULL;
}

struct hf_err *go_judge_result(struct go_judge *j)
{
	const struct ghost_end *end = &j->run->end;
	uint32_t type;
	size_t told = 0;

	if (!end->regs[GHOST_RAX])
		return tell(j, HF_REFUSAL_NULL, "null", "it returned nil");
	type = go_eface_type(j->go, end->regs[GHOST_RAX]);
	if (!type)
		return tell(j, HF_REFUSAL_SIGNATURE, "signature",
			    "what it returned is no interface: it is no func() any");
	j->ret->result = end->regs[GHOST_RBX];
	j->ret->result_type = end->regs[GHOST_RAX];
	j->ret->result_type_name = go_type_name(j->go, type);
	j->ret->result_type_name = hf_arena_strndup(&j->findings->names, j->ret->result_type_name,
						    strlen(j->ret->result_type_name));
	if (!j->ret->result_type_name)
		return hf_err_nomem();
	if (!j->ret->result && go_type_get(j->go, type)->direct_iface)
		HF_TRY(tell(j, HF_REFUSAL_NULL, "null", "it returned a nil pointer"));
	HF_TRY(check_object(j, go_type_get(j->go, type)));
	hf_vec_each(&j->run->allocations, a)
		HF_TRY(check_block(j, a, &told));
	HF_TRY(check_type(j, type));
	return tell_unsafe(j, type);
}
