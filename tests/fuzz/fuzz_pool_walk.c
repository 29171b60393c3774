/* Pools in memory of any contents: a walk ends, counts no slot twice, and tells what is damaged. */
#include "../../src/runtime/pool/pool.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BASE = 0x10000, BYTES = 4096 };

#define COMMON                                                                                               \
	"\"object_size\": {\"offset\": 16, \"size\": 1}, \"instance\": \"0x10000\", \"kind\": \"slab\", "

static const char *const forms[] = {
	"{\"pools\": [{\"name\": \"list\", " COMMON
	"\"slabs\": {\"head\": 0, \"next\": 0, \"used\": 8, \"capacity\": 16,"
	"\"items\": 24}, \"free\": {\"head\": 8, \"next_offset\": 0}}]}",
	"{\"pools\": [{\"name\": \"marks\", " COMMON
	"\"slabs\": {\"head\": 0, \"next\": 8, \"used\": {\"offset\": 16,"
	"\"pointer\": true}, \"capacity\": {\"offset\": 24, \"pointer\": true}, \"items\": {\"offset\": 0, "
	"\"pointer\": true}},"
	"\"free\": {\"slab_head\": 32, \"next_offset\": 8}, \"slot_size\": {\"offset\": 20, \"size\": 2}}]}",
	"{\"pools\": [{\"name\": \"deep\", \"instance\": \"*0x10000+8\", \"kind\": \"slab\", "
	"\"object_size\": {\"value\": 24},"
	"\"slabs\": {\"head\": 0, \"next\": 0, \"used\": {\"offset\": 8, \"size\": 2}, \"items\": 16},"
	"\"free\": {\"head\": 8, \"next_offset\": 16}}]}",
};

static void must(struct hf_err *err)
{
	if (err)
		abort();
}

/* Numbers in the data below BYTES / 8 become words that lead into the memory, so that lists get somewhere. */
static void fill(uint64_t *words, const uint8_t *data, size_t size)
{
	memset(words, 0, BYTES);
	for (size_t i = 0; i + 3 <= size; i += 3) {
		uint16_t at = hf_load_u16(data + i) % (BYTES / 8);

		words[at] = data[i + 2] & 0x80 ? BASE + (uint64_t)(data[i + 2] & 0x7f) * 8 : data[i + 2];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t words[BYTES / 8];
	struct hf_mem_range range = {BASE, words, sizeof(words), true};
	const struct hf_described_pool *pools;
	struct hf_pool_file file = {0};
	struct hf_described *d;
	struct hf_target *t;
	const char *form;

	if (!size)
		return 0;
	form = forms[data[0] % HF_LEN(forms)];
	fill(words, data + 1, size - 1);
	must(hf_target_open_mem(&range, 1, &t));
	must(hf_pool_file_parse("file", form, strlen(form), &file));
	must(hf_described_of_file(t, NULL, "file", &file, &d));
	hf_pool_file_deinit(&file);
	must(hf_described_prepare(d));
	must(hf_described_capture(d));
	must(hf_described_walk(d));
	for (size_t i = 0; i < hf_described_pools(d, &pools); i++)
		if (pools[i].idle > pools[i].used || pools[i].used > pools[i].slots ||
		    pools[i].slab_bytes > BYTES || t->incomplete != (*pools[i].problem != 0))
			abort();
	hf_described_close(d);
	hf_target_close(t);
	return 0;
}
