#include "graph.h"

#include "../base/workers.h"

#define PARALLEL_LEVEL (1u << 16) /* a level of the search with fewer blocks is marked by one thread */
#define PIECE          4096u /* blocks that a thread takes at a time, and gathers before it hands them on */
#define AHEAD          16u   /* how far ahead to fetch: a block's edges are far from the last one's */

/* A breadth-first search. The queue holds each block at most once, so that it never outgrows the blocks. */
struct mark {
	const struct hf_graph *g;
	uint8_t *live;
	uint32_t *queue;
	uint32_t level, end; /* the blocks of this level: queue[level..end) */
	uint32_t tail;       /* past the last block of the next level */
};

static bool set_live(uint8_t *live, uint32_t block)
{
	uint8_t bit = (uint8_t)(1u << block % 8);

	if (live[block / 8] & bit)
		return false;
	live[block / 8] |= bit;
	return true;
}

/* As set_live, among threads: true for the one that was first. */
static bool claim_live(uint8_t *live, uint32_t block)
{
	uint8_t bit = (uint8_t)(1u << block % 8);

	if (__atomic_load_n(&live[block / 8], __ATOMIC_RELAXED) & bit)
		return false;
	return !(__atomic_fetch_or(&live[block / 8], bit, __ATOMIC_RELAXED) & bit);
}

static void fetch_ahead(const struct mark *m, uint32_t at, uint32_t end)
{
	const struct hf_graph *g = m->g;

	if (at + 2 * AHEAD < end)
		__builtin_prefetch(&g->start[m->queue[at + 2 * AHEAD]]);
	if (at + AHEAD < end)
		__builtin_prefetch(&g->edges[g->start[m->queue[at + AHEAD]]]);
}

static void mark_alone(struct mark *m)
{
	const struct hf_graph *g = m->g;

	for (uint32_t q = m->level; q < m->end; q++) {
		uint32_t b = m->queue[q];

		fetch_ahead(m, q, m->end);
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++)
			if (set_live(m->live, g->edges[e]))
				m->queue[m->tail++] = g->edges[e];
	}
}

static void hand_on(struct mark *m, const uint32_t *found, uint32_t n)
{
	uint32_t at = __atomic_fetch_add(&m->tail, n, __ATOMIC_RELAXED);

	memcpy(m->queue + at, found, n * sizeof(*found));
}

/* Marks piece i of the level. */
static struct hf_err *mark_piece(void *arg, size_t i, unsigned worker)
{
	struct mark *m = arg;
	const struct hf_graph *g = m->g;
	uint32_t at = m->level + (uint32_t)i * PIECE, end = at + hf_min(PIECE, m->end - at);
	uint32_t found[PIECE], n = 0;

	(void)worker;
	for (; at < end; at++) {
		uint32_t b = m->queue[at];

		fetch_ahead(m, at, end);
		for (uint32_t e = g->start[b]; e < g->start[b + 1]; e++) {
			if (!claim_live(m->live, g->edges[e]))
				continue;
			found[n++] = g->edges[e];
			if (n == PIECE) {
				hand_on(m, found, n);
				n = 0;
			}
		}
	}
	hand_on(m, found, n);
	return NULL;
}

static struct hf_err *mark_level(struct mark *m)
{
	uint32_t n = m->end - m->level;

	if (n >= PARALLEL_LEVEL && hf_workers() > 1)
		return hf_parallel((n + PIECE - 1) / PIECE, mark_piece, m);
	mark_alone(m);
	return NULL;
}

struct hf_err *hf_graph_mark(struct hf_graph *g)
{
	_free_ uint8_t *live = hf_calloc((size_t)g->blocks / 8 + 1, 1);
	_free_ uint32_t *queue = hf_malloc((size_t)g->blocks * sizeof(*queue));
	struct mark m = {.g = g, .live = live, .queue = queue};
	uint32_t looked = 0;

	if (!live || !queue)
		return hf_err_nomem();
	hf_vec_each(&g->roots, root)
		if (set_live(live, root->block))
			queue[m.tail++] = root->block;
	while (m.level < m.tail) {
		/* A list has as many levels as items: look at the wish to stop by blocks, not by levels. */
		if (m.end - looked >= PIECE || m.level == 0) {
			HF_TRY(hf_interrupt_check());
			looked = m.end;
		}
		m.end = m.tail;
		HF_TRY(mark_level(&m));
		m.level = m.end;
	}
	hf_free(g->live);
	g->live = take_ptr(live);
	g->marked_roots = g->roots.n;
	return NULL;
}
