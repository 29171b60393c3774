/* A Go heap made by hand, for the tests and the fuzzer of spans, types and pointer maps. The layout is Go 1.26's.
 *
 *	FAKE_HEAP  + 0x0000  64-byte objects with pointers, bitmap in the span: A -> B -> C, D alone, slot 4 free
 *	           + 0x2000  1024-byte objects with a type header: two nodes, the second without a header yet
 *	           + 0x4000  one large object of 8192 bytes, an array of pointers
 *	           + 0x6000  48-byte objects without pointers
 */
#ifndef HF_TEST_GO_HEAP_FAKE_H
#define HF_TEST_GO_HEAP_FAKE_H

#include "../../src/runtime/go/types.h"

#define HEAP_BASE 0x4000000u /* an arena's start */
#define META_BASE 0x1000000u
enum { META_SIZE = 0x20000, HEAP_SIZE = 0x10000 };
enum {
	MHEAP = 0x0,
	SPAN_LIST = 0x12000,
	SPANS = 0x13000,
	BITS = 0x14000,
	TYPES = 0x16000,
	TYPES_END = 0x1a000,
	MODULE = 0x1b000,
	LISTS = 0x1c000 /* of a test's own */
};
enum { SMALL = 0x0, HEADERS = 0x2000, LARGE = 0x4000, NOSCAN = 0x6000 };
enum {
	T_INT = 0x100,
	T_NODE_PTR = 0x140,
	T_NODE = 0x200,
	T_STRING = 0x300,
	T_PTR_ARRAY = 0x380,
	T_PAIR = 0x400,
	NAMES = 0x800
};

struct go_heap_fake {
	uint8_t meta[META_SIZE];
	uint8_t heap[HEAP_SIZE];
	uint32_t spans, names;
};

static inline void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static inline void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static inline uint64_t meta_addr(uint32_t off)
{
	return META_BASE + (uint64_t)off;
}

static inline uint64_t list_addr(uint32_t off)
{
	return meta_addr(LISTS + off);
}

static inline uint64_t heap_addr(uint32_t off)
{
	return HEAP_BASE + (uint64_t)off;
}

struct fake_span {
	uint32_t at, npages, nelems, freeindex, elemsize, count;
	uint8_t spanclass;
	uint64_t bits, large_type;
};

static inline void fake_span(struct go_heap_fake *f, const struct fake_span *d)
{
	struct go_layout l;
	uint32_t n = f->spans++;
	uint8_t *p = f->meta + SPANS + n * 0x100;

	go_layout_from_table(&l, 26);
	put64(f->meta + SPAN_LIST + n * 8, meta_addr(SPANS + n * 0x100));
	put64(p + l.off[GO_MSPAN_START_ADDR], heap_addr(d->at));
	put64(p + l.off[GO_MSPAN_NPAGES], d->npages);
	put64(p + l.off[GO_MSPAN_ELEMSIZE], d->elemsize);
	put64(p + l.off[GO_MSPAN_ALLOC_BITS], meta_addr(BITS + n * 0x100));
	put64(p + l.off[GO_MSPAN_LARGE_TYPE], d->large_type);
	memcpy(p + l.off[GO_MSPAN_NELEMS], &(uint16_t){(uint16_t)d->nelems}, 2);
	memcpy(p + l.off[GO_MSPAN_FREEINDEX], &(uint16_t){(uint16_t)d->freeindex}, 2);
	memcpy(p + l.off[GO_MSPAN_ALLOC_COUNT], &(uint16_t){(uint16_t)d->count}, 2);
	p[l.off[GO_MSPAN_SPANCLASS]] = d->spanclass;
	p[l.off[GO_MSPAN_STATE]] = GO_SPAN_IN_USE;
	put64(f->meta + BITS + n * 0x100, d->bits);
}

static inline uint32_t fake_type_name(struct go_heap_fake *f, const char *name, uint8_t flags)
{
	uint32_t off = NAMES + f->names;
	uint8_t *p = f->meta + TYPES + off;

	p[0] = flags;
	p[1] = (uint8_t)strlen(name);
	memcpy(p + 2, name, strlen(name));
	f->names += (uint32_t)strlen(name) + 2;
	return off;
}

static inline uint64_t type_addr(uint32_t off)
{
	return meta_addr(TYPES + off);
}

static inline void fake_type(struct go_heap_fake *f, uint32_t off, uint8_t kind, uint8_t tflag, uint64_t size,
			     uint64_t ptr, const char *name)
{
	uint8_t *p = f->meta + TYPES + off;

	put64(p, size);
	put64(p + 8, ptr);
	p[20] = tflag;
	p[23] = kind;
	put32(p + 40, fake_type_name(f, name, 0));
}

static inline void fake_field(struct go_heap_fake *f, uint32_t type, uint32_t i, const char *name,
			      uint32_t of, uint64_t offset)
{
	uint8_t *list = f->meta + TYPES + type + 0x50 + i * 24; /* right behind the descriptor */

	put64(f->meta + TYPES + type + 56, type_addr(type + 0x50));
	put64(f->meta + TYPES + type + 64, i + 1);
	put64(list, type_addr(fake_type_name(f, name, 0)));
	put64(list + 8, type_addr(of));
	put64(list + 16, offset);
}

/* main.Node {next *main.Node; name string; id int}: 32 bytes, pointers at 0 and 8. Masks are on demand. */
static inline void fake_types(struct go_heap_fake *f)
{
	fake_type(f, T_INT, GO_KIND_INT, 4, 8, 0, "int");
	fake_type(f, T_STRING, GO_KIND_STRING, 4, 16, 8, "string");
	fake_type(f, T_NODE_PTR, GO_KIND_POINTER, 16 | 2, 8, 8, "**main.Node");
	put64(f->meta + TYPES + T_NODE_PTR + 48, type_addr(T_NODE));
	fake_type(f, T_NODE, GO_KIND_STRUCT, 16 | 4, 32, 16, "main.Node");
	fake_field(f, T_NODE, 0, "next", T_NODE_PTR, 0);
	fake_field(f, T_NODE, 1, "name", T_STRING, 8);
	fake_field(f, T_NODE, 2, "id", T_INT, 24);
	fake_type(f, T_PTR_ARRAY, GO_KIND_ARRAY, 16, 24, 24, "[3]*main.Node");
	put64(f->meta + TYPES + T_PTR_ARRAY + 48, type_addr(T_NODE_PTR));
	put64(f->meta + TYPES + T_PTR_ARRAY + 64, 3);
}

static inline void fake_heap_init(struct go_heap_fake *f)
{
	uint8_t *bitmap = f->heap + SMALL + 8192 - 256; /* below the inline mark bits */
	struct go_layout l;

	memset(f, 0, sizeof(*f));
	go_layout_from_table(&l, 26);
	fake_types(f);
	/* 8192 - 128 (marks) - 128 (bitmap) = 7936 bytes: 124 slots of 64. Slots 0-3 and 5 are allocated. */
	fake_span(f, &(struct fake_span){SMALL, 1, 124, 2, 64, 5, 5 << 1, 0x2c, 0});
	fake_span(f, &(struct fake_span){HEADERS, 1, 8, 2, 1024, 2, 32 << 1, 0, 0});
	fake_span(f, &(struct fake_span){LARGE, 1, 1, 1, 8192, 1, 0, 0, type_addr(T_NODE_PTR)});
	fake_span(f, &(struct fake_span){NOSCAN, 1, 167, 3, 48, 3, 4 << 1 | 1, 0, 0});
	put64(f->meta + MHEAP + l.off[GO_MHEAP_ALLSPANS], meta_addr(SPAN_LIST));
	put64(f->meta + MHEAP + l.off[GO_MHEAP_ALLSPANS] + 8, f->spans);
	/* A (slot 0) -> B (slot 1) -> C (slot 2); D (slot 3) points into B's middle; slot 5 to free memory. */
	put64(f->heap + SMALL, heap_addr(SMALL + 64));
	put64(f->heap + SMALL + 64 + 8, heap_addr(SMALL + 128));
	put64(f->heap + SMALL + 64 + 16,
	      heap_addr(SMALL + 192)); /* a number: no bit says that it is a pointer */
	put64(f->heap + SMALL + 192, heap_addr(SMALL + 64 + 40));
	put64(f->heap + SMALL + 320, heap_addr(SMALL + 256));
	bitmap[0] = 0x01;
	bitmap[1] = 0x02;
	bitmap[3] = 0x01;
	bitmap[5] = 0x01;
	/* Nodes of 32 bytes behind a header: an array of 31. The first's next, the second's next and name. */
	put64(f->heap + HEADERS, type_addr(T_NODE));
	put64(f->heap + HEADERS + 8, heap_addr(SMALL));
	put64(f->heap + HEADERS + 8 + 32, heap_addr(LARGE + 100));
	put64(f->heap + HEADERS + 8 + 40, heap_addr(NOSCAN + 50));
	put64(f->heap + HEADERS + 8 + 32 + 24, heap_addr(SMALL)); /* id: a number */
	put64(f->heap + LARGE + 16, heap_addr(HEADERS + 8));
}

/* A struct go over it, as after capture; close with fake_heap_close. */
static inline bool fake_heap_open(struct go_heap_fake *f, struct go *go, struct hf_target **t)
{
	struct hf_mem_range ranges[] = {{META_BASE, f->meta, META_SIZE, true},
					{HEAP_BASE, f->heap, HEAP_SIZE, true}};

	memset(go, 0, sizeof(*go));
	if (hf_err_ignore(hf_target_open_mem(ranges, 2, t)))
		return false;
	go->t = *t;
	go_layout_from_table(&go->layout, 26);
	go->layout.var[GO_VAR_MHEAP] = meta_addr(MHEAP);
	return !hf_err_ignore(hf_vec_push(
		&go->modules, ((struct go_module){.types = type_addr(0), .etypes = meta_addr(TYPES_END)})));
}

static inline void fake_heap_close(struct go *go, struct hf_target *t)
{
	go_types_destroy(go);
	go_spans_deinit(go);
	go_sites_deinit(go);
	hf_vec_deinit(&go->grown);
	hf_vec_deinit(&go->modules);
	hf_map64_deinit(&go->itab_type);
	hf_free(go->scratch.at);
	hf_arena_deinit(&go->names);
	hf_target_close(t);
}

/* Everything from spans to edges, as a session does it; NULL on success. */
static inline struct hf_err *fake_heap_walk(struct go *go, struct hf_graph **ret)
{
	struct hf_graph_chunk *chunks;
	struct hf_err *err = NULL;
	size_t n;

	HF_TRY(go_spans_read(go));
	HF_TRY(go_spans_capture(go));
	HF_TRY(go_spans_number(go));
	HF_TRY(go_types_create(go));
	HF_TRY(go_scan_prepare(go));
	n = go_scan_chunks(&go->rt);
	chunks = hf_calloc(n, sizeof(*chunks));
	if (!chunks)
		return hf_err_nomem();
	for (size_t i = 0; i < n && !err; i++)
		err = go_scan(&go->rt, i, &chunks[i]);
	if (err)
		for (size_t i = 0; i < n; i++)
			hf_graph_chunk_deinit(&chunks[i]);
	else
		err = hf_graph_create(chunks, n, go->blocks, ret);
	hf_free(chunks);
	return err;
}

#endif
