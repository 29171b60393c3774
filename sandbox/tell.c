#include "sandbox.h"

#include <string.h>
#include <stdlib.h>

/* The end as one message: text that grows up to what all lists together may hold. */
static struct {
	uint8_t *bytes;
	size_t n, cap;
} out;

static void add(const void *bytes, size_t len)
{
	if (out.n + len > out.cap) {
		wire_write(out.bytes, out.n);
		out.n = 0;
	}
	if (len > out.cap) {
		wire_write(bytes, len);
		return;
	}
	memcpy(out.bytes + out.n, bytes, len);
	out.n += len;
}

/* How many bytes from addr on lie in pages that the ghost has, up to len; or that it lacks, up to the first it has. */
static uint64_t run_length(uint64_t addr, uint64_t len, bool *ret_here)
{
	uint64_t n = 0;

	*ret_here = pages_find(addr) != NULL;
	while (n < len && (pages_find(addr + n) != NULL) == *ret_here)
		n += GHOST_PAGE - (addr + n) % GHOST_PAGE;
	return n < len ? n : len;
}

/* What a piece of contents takes: its head, its bytes, and a bit for each word of them. */
static uint64_t piece_size(uint64_t n)
{
	return sizeof(struct ghost_contents) + (n + 7) / 8 * 8 + (n + 511) / 512 * 8;
}

static void add_piece(uint64_t addr, uint32_t n)
{
	static const uint8_t zeros[8];
	struct ghost_contents head = {.addr = addr, .len = n};
	uint8_t bytes[GHOST_PAGE], stored[GHOST_PAGE / 64] = {0};

	if (!pages_peek(addr, bytes, n))
		memset(bytes, 0, n);
	for (uint32_t i = 0; i < n; i += 8)
		if (shadow_stored(addr + i, n - i < 8 ? n - i : 8))
			stored[i / 64] |= (uint8_t)(1u << i / 8 % 8);
	add(&head, sizeof(head));
	add(bytes, n);
	add(zeros, (8 - n % 8) % 8);
	add(stored, (n + 511) / 512 * 8);
}

/* Counts contents, or writes them. left  what is left of the bound, heads and padding included. */
static void add_block(uint64_t addr, uint64_t len, bool counts, uint64_t *left)
{
	/* What is beyond the bound is not even looked at: the function chose len. */
	len = len < *left ? len : *left;
	while (len) {
		bool here;
		uint64_t n = run_length(addr, len, &here), room;

		room = *left > piece_size(GHOST_PAGE) - GHOST_PAGE
			       ? *left - (piece_size(GHOST_PAGE) - GHOST_PAGE)
			       : 0;
		if (!here || !room) {
			addr += n;
			len -= n;
			continue;
		}
		n = n < GHOST_PAGE ? n : GHOST_PAGE;
		n = n < room ? n : room & ~(uint64_t)7;
		if (!n)
			return;
		*left -= piece_size(n);
		if (counts) {
			sandbox.end.contents_n++;
			sandbox.end.contents_bytes += piece_size(n);
		} else {
			add_piece(addr, (uint32_t)n);
		}
		addr += n;
		len -= n;
	}
}

static void add_contents(bool counts)
{
	uint64_t left = GHOST_CONTENTS_MAX;

	add_block(sandbox.setup.scratch + GHOST_OBJECT_OFFSET, sandbox.job.head.object_size, counts, &left);
	for (uint32_t i = 0; i < sandbox.allocations_n; i++)
		if (!sandbox.allocations[i].freed)
			add_block(sandbox.allocations[i].told.addr, sandbox.allocations[i].told.bytes, counts,
				  &left);
}

static bool is_code(uint64_t addr)
{
	const struct map *map = maps_find(addr);

	return map && map->flags & GHOST_MAP_EXEC;
}

/* Who called: what frame pointers lead to, as far as it looks like a stack of frames. */
static void trace(void)
{
	uint64_t frame[2], fp = sandbox.end.regs[GHOST_RBP], ret;
	uint64_t low = sandbox.end.regs[GHOST_RSP], high = sandbox.setup.scratch + GHOST_SCRATCH;

	if (sandbox.end.kind == GHOST_END_HOOK && pages_peek(low, &ret, sizeof(ret)) && is_code(ret))
		sandbox.end.trace[sandbox.end.trace_n++] = ret;
	while (sandbox.end.trace_n < 16 && fp >= low && fp < high && pages_peek(fp, frame, sizeof(frame)) &&
	       is_code(frame[1])) {
		sandbox.end.trace[sandbox.end.trace_n++] = frame[1];
		low = fp + 1;
		fp = frame[0];
	}
}

void tell_end(void)
{
	struct ghost_head head = {GHOST_END, sizeof(sandbox.end)};

	out.cap = 1 << 20;
	out.bytes = malloc(out.cap);
	if (!out.bytes)
		out.cap = 0;
	trace();
	shadow_tell();
	sandbox.end.events_n = sandbox.events_n;
	sandbox.end.allocations_lost = sandbox.allocations_lost;
	for (uint32_t i = 0; i < sandbox.allocations_n; i++)
		sandbox.end.allocations_n += !sandbox.allocations[i].freed;
	add_contents(true);
	add(&head, sizeof(head));
	add(&sandbox.end, sizeof(sandbox.end));
	add(sandbox.events, sandbox.events_n * sizeof(*sandbox.events));
	for (uint32_t i = 0; i < sandbox.allocations_n; i++)
		if (!sandbox.allocations[i].freed)
			add(&sandbox.allocations[i].told, sizeof(sandbox.allocations[i].told));
	add(shadow_changes, sandbox.end.changes_n * sizeof(*shadow_changes));
	add_contents(false);
	wire_write(out.bytes, out.n);
}
