/* Inlined calls, files and lines: Go 1.20 to 1.27 runtime/symtabinl.go and symtab.go (funcline1). */
#include "pcln.h"

#define INLINED_BYTES 16u /* funcID u8, pad, nameOff, parentPc, startLine: i32 each */
#define INLINED_MAX   (1u << 20)
#define DEPTH_MAX     64u

/* One call of the function's tree of inlined calls; false: it is the function itself, or the tree is
 * damaged. */
static bool read_inlined(struct go *go, const struct go_func *f, uint64_t tree, uint64_t pc,
			 struct go_logical_frame *ret, uint64_t *ret_parent)
{
	int32_t index = tree ? go_pcdata(go, f, GO_PCDATA_INL_TREE, pc) : -1;
	uint8_t bytes[INLINED_BYTES];
	const char *name;

	if (index < 0 || (uint32_t)index >= INLINED_MAX)
		return false;
	if (hf_err_ignore(hf_target_read(go->t, tree + (uint64_t)(uint32_t)index * INLINED_BYTES, bytes,
					 sizeof(bytes))))
		return false;
	name = go_table_string(&f->module->pcln->names, hf_load_u32(bytes + 4));
	*ret = (struct go_logical_frame){
		.name = name && *name ? name : "?", .pc = pc, .func_id = bytes[0], .inlined = true};
	*ret_parent = f->entry + hf_load_u32(bytes + 8);
	return true;
}

size_t go_logical_frames(struct go *go, const struct go_func *f, uint64_t pc, struct go_logical_frame *ret,
			 size_t max)
{
	uint64_t tree = go_funcdata(go, f, GO_FUNCDATA_INL_TREE), parent;
	size_t n = 0;

	while (n + 1 < hf_min(max, (size_t)DEPTH_MAX) && read_inlined(go, f, tree, pc, &ret[n], &parent)) {
		pc = parent;
		n++;
	}
	if (max)
		ret[n++] = (struct go_logical_frame){.name = f->name, .pc = pc, .func_id = f->func_id};
	return n;
}

static void find_line(struct go *go, const struct go_func *f, uint64_t pc, struct hf_stack_frame *ret)
{
	const struct pcln *p = f->module->pcln;
	const char *file;
	int32_t number, line;
	uint64_t at;

	ret->file = "";
	if (!go_pc_value(go, f, f->pcfile, pc, &number) || !go_pc_value(go, f, f->pcln, pc, &line) ||
	    number < 0 || line < 0)
		return;
	at = ((uint64_t)f->cu + (uint32_t)number) * 4;
	if (at + 4 > p->cu.n)
		return;
	file = go_table_string(&p->files, hf_load_u32(p->cu.at + at));
	if (!file)
		return;
	ret->file = file;
	ret->line = (uint32_t)line;
}

struct hf_err *go_source_frames(struct go *go, uint64_t pc, struct hf_stack_frame *ret, size_t max,
				size_t *ret_n)
{
	struct go_logical_frame frames[DEPTH_MAX];
	struct go_func f;
	size_t n;

	*ret_n = 0;
	if (!go_find_func(go, pc, &f))
		return NULL;
	n = go_logical_frames(go, &f, pc, frames, hf_min(max, HF_LEN(frames)));
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct hf_stack_frame){
			.function = frames[i].name, .pc = pc, .inlined = frames[i].inlined};
		find_line(go, &f, frames[i].pc, &ret[i]);
	}
	*ret_n = n;
	return NULL;
}
