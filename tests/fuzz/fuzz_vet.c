/* Any bytes as the code of a constructor: the walk ends, within its bounds, and each finding has its words. */
#include "../../src/patch/vet.h"

#include <stdlib.h>

#define CODE 0x400000u
#define DATA 0x500000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Functions of 32 bytes, some of them known by name. */
static bool name_of(void *arg, uint64_t pc, struct hf_symbol *ret)
{
	static const char *const names[] = {"main.f", "runtime.newobject", "main.g", "reflect.New", "",
					    "malloc"};
	size_t i = (pc - CODE) / 32;

	(void)arg;
	*ret = (struct hf_symbol){
		.name = names[i % HF_LEN(names)], .addr = pc & ~31ull, .size = i % 2 ? 32 : 0};
	return pc % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t page[4096];
	struct hf_mem_range ranges[] = {{.addr = DATA, .bytes = page, .len = sizeof(page), .writable = true},
					{.addr = CODE}};
	struct hf_vet_options options = {0};
	struct hf_target *t;
	struct hf_vet v;

	if (size < 2)
		return 0;
	options.go = data[0] & 1;
	options.strict = data[0] & 2;
	options.name_of = data[0] & 4 ? name_of : NULL;
	ranges[1].bytes = data + 1;
	ranges[1].len = size - 1;
	if (hf_err_ignore(hf_target_open_mem(ranges, HF_LEN(ranges), &t)))
		abort();
	hf_vec_each(&t->maps, map)
		map->executable = !map->writable;
	if (hf_err_ignore(hf_vet_walk(t, NULL, CODE, &options, &v)) || v.instructions > 4096 ||
	    v.functions > 512 || v.findings.list.n > 4096)
		abort();
	hf_vec_each(&v.findings.list, f)
		if (!f->kind[0] || !f->what[0] || !f->function || !f->file)
			abort();
	hf_vet_deinit(&v);
	hf_target_close(t);
	return 0;
}
