/* A Go program's tables, goroutine and stack with any bytes changed: reading, looking up, unwinding and
 * scanning must end, soon, and without harm. Input: {offset u16, value u8} triples, patched into a sound
 * program. */
#include "../unit/go_fake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void look_up(struct go *go, uint64_t pc)
{
	struct hf_stack_frame frames[16];
	struct go_func f;
	size_t n;

	check(!hf_err_ignore(go_source_frames(go, pc, frames, HF_LEN(frames), &n)) && n <= HF_LEN(frames));
	for (size_t i = 0; i < n; i++)
		check(frames[i].function && *frames[i].function && frames[i].file);
	if (!go_find_func(go, pc, &f))
		return;
	check(f.entry <= pc && strlen(f.name) > 0);
	for (unsigned i = 0; i < 8; i++) {
		go_pcdata(go, &f, i, pc);
		go_funcdata(go, &f, i);
	}
}

static void check_found(const struct go *go)
{
	hf_vec_each(&go->stack_roots, root) {
		check(root->owner < go->goroutines.n);
		check(root->frame == UINT32_MAX || root->frame < go->frames.n);
	}
	hf_vec_each(&go->goroutines, g)
		check(g->function && g->created_by);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake fake;
	struct hf_mem_range range = {FAKE_BASE, fake.at, sizeof(fake.at), true};
	struct hf_thread thread = {.ns_tid = 99, .state = HF_THREAD_STOPPED};
	struct hf_target *t = NULL;
	struct go go;

	fake_init(&fake);
	fake_u64(&fake, FAKE_G + 48, fake_addr(FAKE_M));
	fake_u64(&fake, FAKE_M + 64, 99);
	fake_u64(&fake, FAKE_M + 184, fake_addr(FAKE_G));
	for (size_t i = 0; i + 3 <= size; i += 3)
		fake.at[hf_load_u16(data + i) % FAKE_SIZE] = data[i + 2];
	if (hf_err_ignore(hf_target_open_mem(&range, 1, &t)))
		return 0;
	t->stopped = true;
	thread.regs = (struct hf_regs){
		.pc = fake_addr(FAKE_TEXT + 0x30), .sp = fake_addr(LEAF_SP), .fp = fake_addr(CALLER_SP)};
	check(!hf_err_ignore(hf_vec_push(&t->threads, thread)));
	fake_open(&go, t);
	if (!hf_err_ignore(go_modules_read(&go))) {
		for (uint32_t off = 0; off < TEXT_END; off += 0x2f)
			look_up(&go, fake_addr(FAKE_TEXT + off));
		if (!hf_err_ignore(go_goroutines_read(&go)) && !hf_err_ignore(go_goroutines_walk(&go)))
			check_found(&go);
	}
	fake_close(&go);
	hf_target_close(t);
	return 0;
}
