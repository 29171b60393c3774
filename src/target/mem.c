#include "target.h"

#include <stdlib.h>

struct memory {
	struct hf_mem_range *ranges; /* ascending */
	size_t n;
};

/* Range i is mapping i. */
static const struct hf_mem_range *find_range(const struct hf_target *t, uint64_t addr)
{
	const struct memory *m = t->arg;
	const struct hf_map *map = hf_target_find_map(t, addr);

	return map ? &m->ranges[map - t->maps.at] : NULL;
}

static const void *memory_view(struct hf_target *t, uint64_t addr, size_t len)
{
	const struct hf_mem_range *r = find_range(t, addr);

	if (!r || len > r->len - (addr - r->addr))
		return NULL;
	return (const uint8_t *)r->bytes + (addr - r->addr);
}

static struct hf_err *memory_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		const struct hf_mem_range *r = find_range(t, addr);
		size_t n;

		if (!r)
			return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is not mapped in %s", addr, t->label);
		n = hf_min(len, (size_t)(r->len - (addr - r->addr)));
		memcpy(to, (const uint8_t *)r->bytes + (addr - r->addr), n);
		to += n;
		addr += n;
		len -= n;
	}
	return NULL;
}

static uint64_t memory_resident(struct hf_target *t, uint64_t addr, uint64_t len)
{
	const struct memory *m = t->arg;
	uint64_t end, sum = 0;

	if (hf_add_overflows(addr, len, &end))
		end = UINT64_MAX;
	for (size_t i = 0; i < m->n; i++) {
		uint64_t from = hf_max(addr, m->ranges[i].addr);
		uint64_t to = hf_min(end, m->ranges[i].addr + m->ranges[i].len);

		sum += to > from ? to - from : 0;
	}
	return sum;
}

static void memory_close(struct hf_target *t)
{
	struct memory *m = t->arg;

	if (m)
		hf_free(m->ranges);
	hf_free(m);
}

static const struct hf_target_ops memory_ops = {
	.kind = "memory",
	.read = memory_read,
	.view = memory_view,
	.resident = memory_resident,
	.close = memory_close,
};

static int by_addr(const void *a, const void *b)
{
	const struct hf_mem_range *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Keeps what is not empty, in order, with a mapping for each. */
static struct hf_err *take_ranges(struct hf_target *t, const struct hf_mem_range *ranges, size_t n)
{
	struct memory *m = t->arg;

	m->ranges = hf_calloc(n, sizeof(*ranges));
	if (!m->ranges)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		if (ranges[i].len)
			m->ranges[m->n++] = ranges[i];
	if (m->n)
		qsort(m->ranges, m->n, sizeof(*m->ranges), by_addr);
	for (size_t i = 0; i < m->n; i++) {
		const struct hf_mem_range *r = &m->ranges[i];
		struct hf_map map = {.start = r->addr, .path = "", .readable = true, .writable = r->writable};

		if (hf_add_overflows(r->addr, r->len, &map.end))
			return hf_err_at(HF_USAGE, r->addr, "a range passes the end of the address space");
		if (i && r->addr < t->maps.at[i - 1].end)
			return hf_err_at(HF_USAGE, r->addr, "two ranges overlap");
		HF_TRY(hf_vec_push(&t->maps, map));
	}
	return NULL;
}

struct hf_err *hf_target_open_mem(const struct hf_mem_range *ranges, size_t n, struct hf_target **ret)
{
	_cleanup_(hf_target_close_p) struct hf_target *t = hf_calloc(1, sizeof(*t));

	if (!t)
		return hf_err_nomem();
	t->ops = &memory_ops;
	t->arg = hf_calloc(1, sizeof(struct memory));
	t->label = hf_strdup("memory");
	if (!t->arg || !t->label)
		return hf_err_nomem();
	HF_TRY(take_ranges(t, ranges, n));
	*ret = take_ptr(t);
	return NULL;
}
