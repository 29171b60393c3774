/* A Go heap, its spans and its types with any bytes changed: the walk, the masks and the names must end, soon, and
 * without harm. Input: {place u24, value u8} quadruples, patched into a sound heap. */
#include "../../src/runtime/go/names.h"
#include "../unit/go_heap_fake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Text of values and paths: bounded, however types nest. */
static void describe(struct go *go, const struct go_heap_fake *fake, uint32_t type)
{
	struct hf_str text = {0};

	go_value_text(go, type, HEAP_BASE, fake->heap, 1024, &text);
	check(text.n < 65536);
	hf_str_truncate(&text, 0);
	for (uint64_t off = 0; off < 64; off += 8)
		go_path_name(go, type, off, &text);
	hf_str_deinit(&text);
}

static void look(struct go *go, const struct go_heap_fake *fake, const struct hf_graph *g)
{
	uint32_t slot, n;

	for (uint32_t b = 0; b < go->blocks; b++) {
		const struct go_span *span = go_block_span(go, b, &slot);

		check(go_find_block(go, span->start + slot * span->elemsize) == b);
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++)
			check(g->edges[e] < go->blocks);
	}
	for (uint32_t off = 0; off < 0x800; off += 8)
		go_type_of_rtype(go, type_addr(off));
	for (uint32_t id = 0; id < go_types_count(go) && id < 4096; id++) {
		check(go_type_name(go, id) != NULL);
		go_type_slots(go, id, &n);
		if (id < 64)
			describe(go, fake, id);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct go_heap_fake fake;
	struct hf_target *t = NULL;
	struct hf_graph *g = NULL;
	struct go go;

	fake_heap_init(&fake);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		uint32_t place = (uint32_t)(data[i] | data[i + 1] << 8 | data[i + 2] << 16);

		if (place & 0x800000)
			fake.heap[place % HEAP_SIZE] = data[i + 3];
		else
			fake.meta[place % META_SIZE] = data[i + 3];
	}
	if (!fake_heap_open(&fake, &go, &t))
		return 0;
	if (!hf_err_ignore(fake_heap_walk(&go, &g)))
		look(&go, &fake, g);
	hf_graph_destroy(g);
	fake_heap_close(&go, t);
	return 0;
}
