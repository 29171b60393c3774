/* A made-up target of a few pages, and dry runs of machine code in it. */
#ifndef HF_TEST_GHOST_MAKE_H
#define HF_TEST_GHOST_MAKE_H

#include "../../src/base/workers.h"
#include "../../src/patch/ghost.h"

#include <criterion/criterion.h>

#define CODE     UINT64_C(0x40000000)
#define DATA     UINT64_C(0x40100000)
#define CONSTANT UINT64_C(0x40200000)
#define SHARED   UINT64_C(0x40300000)
#define HEAP     UINT64_C(0x40400000)
#define NOWHERE  UINT64_C(0x40500000)

struct world {
	_Alignas(8) uint8_t code[3 * GHOST_PAGE], data[3 * GHOST_PAGE], constant[GHOST_PAGE],
		shared[GHOST_PAGE];
	_Alignas(8) uint8_t heap[16 * GHOST_PAGE];
	size_t code_n;
	struct hf_target *t;
	struct hf_ghost *g;
	struct hf_ghost_job job;
	struct hf_ghost_run run;
};

#define assert_ok(expr)                                                                                      \
	do {                                                                                                 \
		struct hf_err *ok_err_ = (expr);                                                             \
		cr_assert_null(ok_err_, "%s", hf_err_message(ok_err_));                                      \
	} while (0)

#define assert_code(expr, code, text)                                                                        \
	do {                                                                                                 \
		struct hf_err *code_err_ = (expr);                                                           \
		cr_assert_eq(hf_err_code(code_err_), code, "%s", hf_err_message(code_err_));                 \
		cr_assert(strstr(hf_err_message(code_err_), text), "%s", hf_err_message(code_err_));         \
		cr_assert_not(strchr(hf_err_message(code_err_), '\n'));                                      \
		hf_err_destroy(code_err_);                                                                   \
	} while (0)

static inline struct hf_map *map_at(struct world *w, uint64_t addr)
{
	return &w->t->maps.at[hf_target_find_map(w->t, addr) - w->t->maps.at];
}

static inline struct world *make_world(void)
{
	struct world *w = hf_calloc(1, sizeof(*w));
	struct hf_mem_range ranges[] = {
		{CODE, w->code, sizeof(w->code), false},
		{DATA, w->data, sizeof(w->data), true},
		{CONSTANT, w->constant, sizeof(w->constant), false},
		{SHARED, w->shared, sizeof(w->shared), true},
		{HEAP, w->heap, sizeof(w->heap), true},
	};

	assert_ok(hf_target_open_mem(ranges, HF_LEN(ranges), &w->t));
	map_at(w, CODE)->executable = true;
	map_at(w, SHARED)->shared = true;
	map_at(w, HEAP)->path = "[heap]";
	w->job.cpu_us = 50000;
	w->job.alloc_bytes = 4096;
	w->job.rip = CODE;
	w->job.regs[GHOST_RDI] = DATA;
	return w;
}

/* Machine code between two labels of the test, placed in the target; where it then stands. */
static inline uint64_t place(struct world *w, const void *start, const void *end)
{
	size_t len = (size_t)((const uint8_t *)end - (const uint8_t *)start), at = w->code_n;

	cr_assert_leq(at + len, sizeof(w->code));
	memcpy(w->code + at, start, len);
	w->code_n = (size_t)hf_align_up(at + len, 64);
	return CODE + at;
}

/* A function of the test's, in assembler, and its placing. */
#define FUNCTION(name, text)                                                                                 \
	extern const uint8_t name##_start[], name##_end[];                                                   \
	__asm__(".pushsection .rodata\n" #name "_start:\n" text "\n" #name "_end:\n.popsection\n")
#define PLACE(w, name) place(w, name##_start, name##_end)

static inline struct ghost_hook *add_hook(struct world *w, uint64_t addr, enum ghost_hook_kind kind,
					  uint32_t tag)
{
	struct ghost_hook hook = {.addr = addr,
				  .kind = kind,
				  .tag = tag,
				  .size = GHOST_REG_NONE,
				  .count = GHOST_REG_NONE,
				  .old = GHOST_REG_NONE,
				  .info = GHOST_REG_NONE,
				  .out = GHOST_REG_NONE};

	assert_ok(hf_vec_push(&w->job.hooks, hook));
	return &w->job.hooks.at[w->job.hooks.n - 1];
}

static inline const struct ghost_end *run_world(struct world *w)
{
	assert_ok(hf_ghost_start(w->t, &w->g));
	assert_ok(hf_ghost_run(w->g, &w->job, 1.0, NULL, &w->run));
	return &w->run.end;
}

static inline void end_world(struct world *w)
{
	hf_ghost_stop(w->g);
	hf_ghost_run_deinit(&w->run);
	hf_ghost_job_deinit(&w->job);
	hf_target_close(w->t);
	hf_free(w);
}

static inline const char *end_name(const struct ghost_end *end)
{
	static const char *const names[] = {
#define END_NAME(name, text) #name,
		GHOST_ENDS(END_NAME)
#undef END_NAME
	};

	return names[end->kind];
}

#define assert_end(end, want)                                                                                \
	cr_assert_eq((end)->kind, GHOST_END_##want,                                                          \
		     "it ended with %s, number %" PRIu64 ", pc %" PRIx64 ", addr %" PRIx64, end_name(end),   \
		     (end)->number, (end)->pc, (end)->addr)

#endif
