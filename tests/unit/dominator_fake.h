/* A session on a heap that is made up: blocks with sizes and types, and roots of holders with names. */
#ifndef TEST_DOMINATOR_FAKE_H
#define TEST_DOMINATOR_FAKE_H

#include "../../src/query/retained.h"
#include "../../src/sym/internal.h"
#include "dominate.h"

#define FAKE_BASE  0xc000000000u
#define FAKE_SLOT  64u
#define FAKE_TYPES 8u
#define FAKE_PART  7u /* the type of inner parts of objects of type 6 */

struct fake {
	struct hf_runtime rt;
	struct hf_session s;
	struct hf_syms syms;   /* which know of nothing */
	const uint32_t *types; /* by block; NULL: all are of type 1 */
	const uint64_t *sizes; /* NULL: block b is of b + 1 bytes */
};

static inline const struct fake *fake_of(const struct hf_runtime *rt)
{
	return (const struct fake *)rt;
}

static inline struct hf_block fake_block(struct hf_runtime *rt, uint32_t b)
{
	const struct fake *f = fake_of(rt);

	return (struct hf_block){FAKE_BASE + (uint64_t)b * FAKE_SLOT,
				 f->sizes ? f->sizes[b] : (uint64_t)b + 1};
}

static inline bool fake_find_block(struct hf_runtime *rt, uint64_t addr, uint32_t *ret)
{
	if (addr < FAKE_BASE || (addr - FAKE_BASE) / FAKE_SLOT >= fake_of(rt)->s.graph->blocks)
		return false;
	*ret = (uint32_t)((addr - FAKE_BASE) / FAKE_SLOT);
	return true;
}

static inline struct hf_where fake_where(struct hf_runtime *rt, uint64_t addr)
{
	(void)rt;
	(void)addr;
	return (struct hf_where){.place = HF_PLACE_FREE};
}

static inline uint32_t fake_block_type(struct hf_runtime *rt, uint32_t b)
{
	return fake_of(rt)->types ? fake_of(rt)->types[b] : 1;
}

static inline uint32_t fake_types(struct hf_runtime *rt)
{
	(void)rt;
	return FAKE_TYPES;
}

static inline uint32_t fake_type_whole(struct hf_runtime *rt, uint32_t type)
{
	(void)rt;
	return type == FAKE_PART ? 6 : type;
}

static inline void fake_type_name(struct hf_runtime *rt, uint32_t type, struct hf_str *ret)
{
	/* Two that are one but for their paths. */
	static const char *const names[FAKE_TYPES] = {"?",        "main.T1",       "main.T2",
						      "main.T3",  "a/pkg.Same",    "b/pkg.Same",
						      "main.Map", "main.Map slots"};

	(void)rt;
	hf_str_add(ret, names[type]);
}

static inline void fake_holder_name(struct hf_runtime *rt, const struct hf_found_root *root,
				    struct hf_str *ret)
{
	static const char *const names[] = {"main.r0", "main.r1", "main.r2 goroutines", "c/pkg.r", "d/pkg.r"};

	(void)rt;
	hf_str_add(ret, names[root->owner]);
}

static const struct hf_runtime_ops fake_ops = {
	.name = "fake",
	.find_block = fake_find_block,
	.where = fake_where,
	.block = fake_block,
	.block_type = fake_block_type,
	.types = fake_types,
	.type_name = fake_type_name,
	.type_whole = fake_type_whole,
	.holder_name = fake_holder_name,
};

/* g  taken, with its roots: their owners are the holders' numbers. */
static inline void fake_open(struct fake *f, struct hf_graph *g, const uint32_t *types, const uint64_t *sizes)
{
	*f = (struct fake){.rt = {&fake_ops}, .types = types, .sizes = sizes};
	f->s = (struct hf_session){.rt = &f->rt, .graph = g, .syms = &f->syms, .loaded = true, .typed = true};
	cr_assert_null(hf_graph_mark(g));
}

static inline void fake_close(struct fake *f)
{
	hf_session_free_dominators(&f->s);
	hf_graph_destroy(f->s.graph);
	hf_arena_deinit(&f->syms.arena);
}

#endif
