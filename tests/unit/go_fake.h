/* A Go program's tables, one goroutine and its stack, made by hand in one piece of memory: for the tests and
 * the fuzzer of the readers of pclntab and stacks. The layout is Go 1.26's.
 *
 *	goexit <- main.work.gowrap1 (main.work inlined) <- main.caller <- main.leaf, where it waits
 *
 * main.caller has one live local, which may point to its stack object, which may point to the heap. */
#ifndef HF_TEST_GO_FAKE_H
#define HF_TEST_GO_FAKE_H

#include "../../src/runtime/go/unwind.h"

#define FAKE_BASE 0x100000u
#define FAKE_SIZE 0xa000u
enum {
	FAKE_ALLGS = 0x0,
	FAKE_MODULE = 0x100,
	FAKE_NAMES = 0x800,
	FAKE_CU = 0x1000,
	FAKE_FILES = 0x1100,
	FAKE_PCTAB = 0x1200,
	FAKE_FUNCS = 0x1800,
	FAKE_FTAB = 0x2000,
	FAKE_GOFUNC = 0x2800,
	FAKE_RODATA = 0x3000,
	FAKE_GS = 0x3800,
	FAKE_G = 0x4000,
	FAKE_M = 0x4800,
	FAKE_DEFER = 0x5000,
	FAKE_STACK = 0x6000,
	FAKE_STACK_END = 0x7000,
	FAKE_TEXT = 0x8000,
	FAKE_HEAP = 0x9000,
};
enum { LEAF = 0, CALLER = 0x100, WRAPPER = 0x200, GOEXIT = 0x300, SWITCH = 0x400, MOVES_SP = 0x500,
       TEXT_END = 0x600 };
enum { LEAF_SP = 0x6fa8, CALLER_SP = 0x6fc0, OBJECT = 0x6fc0, LOCAL = 0x6fc8, WRAPPER_SP = 0x6fe8,
       GOEXIT_SP = 0x6ff8 };

struct fake {
	uint8_t at[FAKE_SIZE];
	uint32_t names_n, pctab_n, funcs_n, ftab_n, gofunc_n;
};

static inline uint64_t fake_addr(uint32_t off)
{
	return FAKE_BASE + (uint64_t)off;
}

static inline void fake_u64(struct fake *f, uint32_t off, uint64_t value)
{
	memcpy(f->at + off, &value, 8);
}

static inline void fake_u32(struct fake *f, uint32_t off, uint32_t value)
{
	memcpy(f->at + off, &value, 4);
}

static inline uint32_t fake_name(struct fake *f, const char *name)
{
	uint32_t off = f->names_n;

	memcpy(f->at + FAKE_NAMES + off, name, strlen(name) + 1);
	f->names_n += (uint32_t)strlen(name) + 1;
	return off;
}

/* value for the first `before` bytes, then `then` for the other ones of 0x100. Small numbers only. */
static inline uint32_t fake_values(struct fake *f, int value, uint32_t before, int then)
{
	uint8_t *at = f->at + FAKE_PCTAB + f->pctab_n;
	uint32_t off = f->pctab_n;
	int first = value + 1, second = then - value;

	*at++ = (uint8_t)(first >= 0 ? first << 1 : (-first << 1) - 1);
	*at++ = (uint8_t)(before | 0x80);
	*at++ = (uint8_t)(before >> 7);
	*at++ = (uint8_t)(second >= 0 ? second << 1 : (-second << 1) - 1);
	*at++ = (uint8_t)((0x100 - before) | 0x80);
	*at++ = (uint8_t)((0x100 - before) >> 7);
	*at++ = 0;
	f->pctab_n += 7;
	return off;
}

struct fake_func {
	const char *name;
	uint32_t entry;
	int delta; /* of the stack pointer, from byte 4 on */
	uint8_t id, flag;
	uint32_t locals, objects, tree; /* funcdata; 0: none */
	int inlined; /* index into tree at all pcs; -1 */
};

static inline void fake_func(struct fake *f, const struct fake_func *d)
{
	uint32_t at = FAKE_FUNCS + f->funcs_n, data[4] = {0, d->locals, d->objects, d->tree};

	fake_u32(f, FAKE_FTAB + f->ftab_n * 8, d->entry);
	fake_u32(f, FAKE_FTAB + f->ftab_n * 8 + 4, f->funcs_n);
	f->ftab_n++;
	fake_u32(f, at, d->entry);
	fake_u32(f, at + 4, fake_name(f, d->name));
	fake_u32(f, at + 16, fake_values(f, 0, 4, d->delta));
	fake_u32(f, at + 20, fake_values(f, 1, 0xf0, 0));
	fake_u32(f, at + 24, fake_values(f, 10, 0x20, 20));
	fake_u32(f, at + 28, 3);
	f->at[at + 40] = d->id;
	f->at[at + 41] = d->flag;
	f->at[at + 43] = 4;
	fake_u32(f, at + 44 + 8, fake_values(f, d->inlined, 0x80, -1));
	for (unsigned i = 0; i < 4; i++)
		fake_u32(f, at + 56 + 4 * i, data[i] ? data[i] : UINT32_MAX);
	f->funcs_n += 72;
}

static inline uint32_t fake_map(struct fake *f, uint32_t bits, uint8_t mask)
{
	uint32_t off = f->gofunc_n;

	fake_u32(f, FAKE_GOFUNC + off, 1);
	fake_u32(f, FAKE_GOFUNC + off + 4, bits);
	f->at[FAKE_GOFUNC + off + 8] = mask;
	f->gofunc_n += 16;
	return off;
}

static inline void fake_functions(struct fake *f)
{
	uint32_t leaf = fake_map(f, 1, 0), caller = fake_map(f, 2, 1), empty = fake_map(f, 0, 0);
	uint32_t objects = f->gofunc_n, tree = f->gofunc_n + 32;
	const struct fake_func funcs[] = {
		{"main.leaf", LEAF, 16, 0, 0, leaf, 0, 0, -1},
		{"main.caller", CALLER, 32, 0, 0, caller, objects, 0, -1},
		{"main.work.gowrap1", WRAPPER, 8, 23, 0, empty, 0, tree, 0},
		{"runtime.goexit", GOEXIT, 0, 8, GO_FUNCFLAG_TOP_FRAME, 0, 0, 0, -1},
		{"runtime.systemstack_switch", SWITCH, 0, 22, 0, 0, 0, 0, -1},
		{"main.movesStack", MOVES_SP, 8, 0, GO_FUNCFLAG_SPWRITE, 0, 0, 0, -1},
	};

	fake_u64(f, FAKE_GOFUNC + objects, 1);
	fake_u32(f, FAKE_GOFUNC + objects + 8, (uint32_t)-24);
	fake_u32(f, FAKE_GOFUNC + objects + 12, 8);
	fake_u32(f, FAKE_GOFUNC + objects + 16, 8);
	f->at[FAKE_RODATA] = 1;
	fake_u32(f, FAKE_GOFUNC + tree + 4, fake_name(f, "main.work"));
	fake_u32(f, FAKE_GOFUNC + tree + 8, 0x90);
	for (size_t i = 0; i < HF_LEN(funcs); i++)
		fake_func(f, &funcs[i]);
	fake_u32(f, FAKE_FTAB + f->ftab_n * 8, TEXT_END);
	f->ftab_n++;
}

static inline void fake_slice(struct fake *f, uint32_t off, uint32_t to, uint64_t n)
{
	fake_u64(f, off, fake_addr(to));
	fake_u64(f, off + 8, n);
	fake_u64(f, off + 16, n);
}

static inline void fake_module(struct fake *f)
{
	uint32_t m = FAKE_MODULE;

	fake_slice(f, m + 8, FAKE_NAMES, f->names_n);
	fake_slice(f, m + 32, FAKE_CU, 2);
	fake_slice(f, m + 56, FAKE_FILES, 24);
	fake_slice(f, m + 80, FAKE_PCTAB, f->pctab_n);
	fake_slice(f, m + 104, FAKE_FUNCS, f->funcs_n);
	fake_slice(f, m + 128, FAKE_FTAB, f->ftab_n);
	fake_u64(f, m + 160, fake_addr(FAKE_TEXT));
	fake_u64(f, m + 168, fake_addr(FAKE_TEXT + TEXT_END));
	fake_u64(f, m + 176, fake_addr(FAKE_TEXT));
	fake_u64(f, m + 184, fake_addr(FAKE_TEXT + TEXT_END));
	fake_u64(f, m + 312, fake_addr(FAKE_RODATA));
	fake_u64(f, m + 320, fake_addr(FAKE_GOFUNC));
}

static inline void fake_goroutine(struct fake *f)
{
	fake_slice(f, FAKE_ALLGS, FAKE_GS, 1);
	fake_u64(f, FAKE_GS, fake_addr(FAKE_G));
	fake_u64(f, FAKE_G, fake_addr(FAKE_STACK));
	fake_u64(f, FAKE_G + 8, fake_addr(FAKE_STACK_END));
	fake_u64(f, FAKE_G + 56, fake_addr(LEAF_SP));
	fake_u64(f, FAKE_G + 64, fake_addr(FAKE_TEXT + LEAF + 0x20));
	fake_u32(f, FAKE_G + 144, 4);
	fake_u64(f, FAKE_G + 152, 7);
	fake_u64(f, FAKE_G + 288, fake_addr(FAKE_TEXT + CALLER + 0x40));
	fake_u64(f, CALLER_SP - 8, fake_addr(FAKE_TEXT + CALLER + 0x30));
	fake_u64(f, WRAPPER_SP - 8, fake_addr(FAKE_TEXT + WRAPPER + 0x20));
	fake_u64(f, GOEXIT_SP - 8, fake_addr(FAKE_TEXT + GOEXIT + 1));
	fake_u64(f, OBJECT, fake_addr(FAKE_HEAP));
	fake_u64(f, LOCAL, fake_addr(OBJECT));
}

static inline void fake_init(struct fake *f)
{
	*f = (struct fake){.gofunc_n = 16, .pctab_n = 1, .names_n = 1};
	memcpy(f->at + FAKE_FILES, "/a/unused.go\0/a/work.go", 24);
	fake_u32(f, FAKE_CU, 0);
	fake_u32(f, FAKE_CU + 4, 13);
	fake_functions(f);
	fake_module(f);
	fake_goroutine(f);
}

/* go gets a layout of Go 1.26 and t, borrowed. */
static inline void fake_open(struct go *go, struct hf_target *t)
{
	static const int32_t off[GO_FIELDS_N] = {
#define FAKE_FIELD(id, structure, member, go20, go21, go22, go23, go24, go25, go26, go27) [GO_##id] = go26,
		GO_FIELDS(FAKE_FIELD)
#undef FAKE_FIELD
	};

	*go = (struct go){.t = t};
	go->layout.minor = 26;
	memcpy(go->layout.off, off, sizeof(off));
	go->layout.var[GO_VAR_FIRSTMODULEDATA] = fake_addr(FAKE_MODULE);
	go->layout.var[GO_VAR_ALLGS] = fake_addr(FAKE_ALLGS);
}

static inline void fake_close(struct go *go)
{
	go_goroutines_deinit(go);
	go_modules_deinit(go);
	hf_arena_deinit(&go->names);
}

#endif
