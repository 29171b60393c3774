/* Semi-NCA: number the nodes depth first; find each one's semidominator, highest number first, over paths
 * that are compressed as they are walked; then, lowest number first, climb from the parent to the first
 * dominator that is not below the semidominator. Plain climbing is quadratic where a target has us climb
 * far again and again: each node knows a jump to a distant dominator, too, which makes a climb
 * logarithmic. All arrays are by number where not said. */
#include "dominators.h"

#include "../base/workers.h"

#define CHECK_STEPS (1u << 16) /* between two looks at whether to stop */
#define AHEAD       16u        /* how many edges ahead to fetch */
#define NONE        UINT32_MAX

struct work {
	const struct hf_graph *g;
	uint32_t holders, top;       /* top: its node */
	uint32_t *held_start, *held; /* the edges of the holders and the top, as g's; by node - blocks */
	uint32_t n;                  /* nodes that have a number */
	uint32_t *number;            /* by node; NONE: not reached */
	uint32_t *order;             /* the nodes */
	uint32_t *parent;            /* in the depth-first tree */
	uint32_t *semi;              /* the lowest found yet */
	uint32_t *back_start, *back; /* the sources, all of higher number, of edges from later nodes */
	uint64_t steps, total;
};

/* The edges that leave a node. */
struct out {
	const uint32_t *edges;
	uint32_t at, end;
};

static void deinit_work(struct work *k)
{
	hf_free(k->held_start);
	hf_free(k->held);
	hf_free(k->number);
	hf_free(k->order);
	hf_free(k->parent);
	hf_free(k->semi);
	hf_free(k->back_start);
	hf_free(k->back);
}

static struct hf_err *look_up(const struct work *k)
{
	hf_progress("dominators", hf_min(k->steps, k->total - 1), k->total);
	return hf_interrupt_check();
}

static inline struct hf_err *step(struct work *k)
{
	return __builtin_expect(++k->steps % CHECK_STEPS != 0, 1) ? NULL : look_up(k);
}

static inline struct out out_of(const struct work *k, uint32_t node)
{
	const struct hf_graph *g = k->g;

	if (node < g->blocks)
		return (struct out){g->edges, g->start[node], g->start[node + 1]};
	node -= g->blocks;
	return (struct out){k->held, k->held_start[node], k->held_start[node + 1]};
}

/* ---- the holders' edges -------------------------------------------------------------------------------- */

static struct hf_err *init_work(struct work *k, const struct hf_graph *g, uint32_t holders)
{
	uint64_t nodes = (uint64_t)g->blocks + holders + 1;
	uint64_t edges = (uint64_t)g->start[g->blocks] + g->roots.n + holders;

	k->g = g;
	k->holders = holders;
	if (nodes >= NONE || edges >= NONE)
		return hf_err(HF_UNSUPPORTED,
			      "%" PRIu64 " blocks and holders with %" PRIu64 " pointers: at most %" PRIu32
			      " can be handled",
			      nodes, edges, NONE - 1);
	k->top = g->blocks + holders;
	k->total = 4 * edges + 6 * nodes;
	return hf_interrupt_check();
}

static struct hf_err *check_holders(const struct work *k, const uint32_t *holder_of_root)
{
	for (size_t i = 0; i < k->g->roots.n; i++)
		if (holder_of_root[i] >= k->holders)
			return hf_err(HF_USAGE,
				      "root %zu is of holder %" PRIu32 ", but there are only %" PRIu32, i,
				      holder_of_root[i], k->holders);
	return NULL;
}

/* A counting sort of the roots by holder; then the top's edges, one to each holder. */
static struct hf_err *gather_roots(struct work *k, const uint32_t *holder_of_root)
{
	const struct hf_graph *g = k->g;
	uint32_t n = (uint32_t)g->roots.n, *start;

	HF_TRY(check_holders(k, holder_of_root));
	k->held_start = start = hf_calloc((size_t)k->holders + 2, sizeof(*start));
	k->held = hf_malloc(((size_t)n + k->holders) * sizeof(*k->held));
	if (!k->held_start || !k->held)
		return hf_err_nomem();
	for (uint32_t i = 0; i < n; i++)
		start[holder_of_root[i]]++;
	for (uint32_t h = 1; h <= k->holders; h++)
		start[h] += start[h - 1];
	start[k->holders + 1] = n + k->holders;
	for (uint32_t i = n; i-- > 0;)
		k->held[--start[holder_of_root[i]]] = g->roots.at[i].block;
	for (uint32_t h = 0; h < k->holders; h++)
		k->held[n + h] = g->blocks + h;
	return NULL;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

static struct hf_err *alloc_numbers(struct work *k)
{
	size_t nodes = (size_t)k->top + 1;

	k->number = hf_malloc(nodes * sizeof(*k->number));
	k->order = hf_malloc(nodes * sizeof(*k->order));
	k->parent = hf_malloc(nodes * sizeof(*k->parent));
	k->semi = hf_malloc(nodes * sizeof(*k->semi));
	k->back_start = hf_calloc(nodes + 1, sizeof(*k->back_start));
	if (!k->number || !k->order || !k->parent || !k->semi || !k->back_start)
		return hf_err_nomem();
	memset(k->number, 0xff, nodes * sizeof(*k->number));
	return NULL;
}

static inline bool set_seen(uint8_t *seen, uint32_t node)
{
	uint8_t bit = (uint8_t)(1u << node % 8);

	if (seen[node / 8] & bit)
		return false;
	seen[node / 8] |= bit;
	return true;
}

static inline struct out number_node(struct work *k, uint32_t node, uint32_t parent)
{
	struct out out = out_of(k, node);

	k->number[node] = k->n;
	k->order[k->n] = node;
	k->parent[k->n] = parent;
	k->n++;
	if (node < k->g->blocks)
		for (uint32_t e = out.at; e < out.end && e < out.at + AHEAD; e++)
			__builtin_prefetch(&k->g->start[out.edges[e]]);
	return out;
}

/* Numbers what the top reaches. It waits for memory at each turn, so it looks at as little of it as can
 * be: seen has a bit a node, and edges to what has been seen are left to sort_edges. */
static struct hf_err *number_nodes(struct work *k)
{
	_free_ uint8_t *seen = hf_calloc((size_t)k->top / 8 + 1, 1);
	_free_ uint32_t *resume = hf_malloc(((size_t)k->top + 1) * sizeof(*resume));
	uint32_t at = 0;
	struct out out;

	if (!seen || !resume)
		return hf_err_nomem();
	out = number_node(k, k->top, 0);
	for (;;) {
		HF_TRY(step(k));
		if (out.at < out.end) {
			uint32_t to = out.edges[out.at++];
			struct out child;

			if (!set_seen(seen, to))
				continue;
			child = number_node(k, to, at);
			if (child.at == child.end)
				continue;
			resume[at] = out.at;
			at = k->n - 1;
			out = child;
		} else if (at) {
			at = k->parent[at];
			out = out_of(k, k->order[at]);
			out.at = resume[at];
		} else {
			return NULL;
		}
	}
}

/* Looks at all edges between numbered nodes. Where the target is later, its source is above it in the
 * depth-first tree: the source itself is a candidate, and the edge is done with. The others are counted,
 * or put in k->back, where that is there. */
static struct hf_err *sort_edges(struct work *k)
{
	for (uint32_t node = 0; node <= k->top; node++) {
		struct out out = out_of(k, node);
		uint32_t source = k->number[node];
		uint32_t last =
			node < k->g->blocks ? k->g->start[k->g->blocks] : k->held_start[k->holders + 1];

		HF_TRY(step(k));
		if (source == NONE)
			continue;
		for (uint32_t e = out.at; e < out.end; e++) {
			uint32_t to = k->number[out.edges[e]];

			if (last - e > 2 * AHEAD)
				__builtin_prefetch(&k->number[out.edges[e + 2 * AHEAD]]);
			HF_TRY(step(k));
			if (to > source)
				k->semi[to] = hf_min(k->semi[to], source);
			else if (to < source && k->back)
				k->back[--k->back_start[to]] = source;
			else if (to < source)
				k->back_start[to]++;
		}
	}
	return NULL;
}

static struct hf_err *gather_back(struct work *k)
{
	uint32_t sum = 0;

	memset(k->semi, 0xff, (size_t)k->n * sizeof(*k->semi));
	HF_TRY(sort_edges(k));
	for (uint32_t w = 0; w < k->n; w++)
		k->back_start[w] = sum += k->back_start[w];
	k->back_start[k->n] = sum;
	k->back = hf_malloc((size_t)sum * sizeof(*k->back));
	return k->back ? sort_edges(k) : hf_err_nomem();
}

/* ---- semidominators ------------------------------------------------------------------------------------ */

/* A node's way up its depth-first tree, compressed: best is the lowest semidominator from the node to
 * below up. */
struct link {
	uint32_t up, best;
};

/* The lowest semidominator from v to below the first of its ancestors that has no link yet, i.e. a number
 * below linked. The way there is turned round while we climb, so that we find back without a stack. */
static inline uint32_t find_best(struct link *links, uint32_t v, uint32_t linked)
{
	uint32_t below = NONE, root, best;

	while (links[v].up >= linked) {
		uint32_t up = links[v].up;

		links[v].up = below;
		below = v;
		v = up;
	}
	root = links[v].up;
	best = links[v].best;
	while (below != NONE) {
		v = below;
		below = links[v].up;
		best = hf_min(best, links[v].best);
		links[v] = (struct link){root, best};
	}
	return best;
}

static struct hf_err *find_semidominators(struct work *k)
{
	_free_ struct link *links = hf_calloc(k->n, sizeof(*links));

	if (!links)
		return hf_err_nomem();
	for (uint32_t w = k->n - 1; w > 0; w--) {
		uint32_t first = k->back_start[w], semi = k->semi[w];

		HF_TRY(step(k));
		for (uint32_t e = k->back_start[w + 1]; e-- > first;) {
			uint32_t best;

			if (e >= 2 * AHEAD) {
				__builtin_prefetch(&links[k->back[e - 2 * AHEAD]]);
				__builtin_prefetch(&links[links[k->back[e - AHEAD]].up]);
			}
			HF_TRY(step(k));
			best = find_best(links, k->back[e], w + 1);
			semi = hf_min(semi, best);
		}
		k->semi[w] = semi;
		links[w] = (struct link){k->parent[w], semi};
	}
	return NULL;
}

/* ---- dominators ---------------------------------------------------------------------------------------- */

/* Jumps over ancestors, so sized that any ancestor is a logarithmic number of steps and jumps away.
 * Source: Myers, An applicative random-access stack (1983). */
struct climb {
	uint32_t depth, jump;
};

static struct climb climb_from(const struct climb *climbs, uint32_t up)
{
	uint32_t jump = climbs[up].jump, far = climbs[jump].jump;
	bool equal = climbs[up].depth - climbs[jump].depth == climbs[jump].depth - climbs[far].depth;

	return (struct climb){climbs[up].depth + 1, equal ? far : up};
}

/* Makes k->parent the nearest dominators: all before w are done when w looks at them. */
static struct hf_err *find_dominators(struct work *k)
{
	_free_ struct climb *climbs = hf_malloc((size_t)k->n * sizeof(*climbs));
	uint32_t *idom = k->parent;

	if (!climbs)
		return hf_err_nomem();
	climbs[0] = (struct climb){0, 0};
	for (uint32_t w = 1; w < k->n; w++) {
		uint32_t up = idom[w], semi = k->semi[w];

		HF_TRY(step(k));
		while (up > semi)
			up = climbs[up].jump > semi ? climbs[up].jump : idom[up];
		idom[w] = up;
		climbs[w] = climb_from(climbs, up);
	}
	return NULL;
}

/* From numbers to nodes, in place: k->number becomes the dominators by node. */
static struct hf_err *hand_over(struct work *k, struct hf_dominators **ret)
{
	struct hf_dominators *d;

	for (uint32_t w = 0; w < k->n; w++) {
		HF_TRY(step(k));
		k->number[k->order[w]] = w ? k->order[k->parent[w]] : HF_NO_BLOCK;
	}
	d = hf_calloc(1, sizeof(*d));
	if (!d)
		return hf_err_nomem();
	d->blocks = k->g->blocks;
	d->holders = k->holders;
	d->n = k->n;
	d->idom = take_ptr(k->number);
	d->order = take_ptr(k->order);
	hf_progress("dominators", k->total, k->total);
	*ret = d;
	return NULL;
}

struct hf_err *hf_dominators_create(const struct hf_graph *g, const uint32_t *holder_of_root,
				    uint32_t holders, struct hf_dominators **ret)
{
	_cleanup_(deinit_work) struct work k = {0};

	HF_TRY(init_work(&k, g, holders));
	HF_TRY(gather_roots(&k, holder_of_root));
	HF_TRY(alloc_numbers(&k));
	HF_TRY(number_nodes(&k));
	HF_TRY(gather_back(&k));
	HF_TRY(find_semidominators(&k));
	hf_free(take_ptr(k.back));
	hf_free(take_ptr(k.back_start));
	HF_TRY(find_dominators(&k));
	return hand_over(&k, ret);
}

void hf_dominators_destroy(struct hf_dominators *d)
{
	if (!d)
		return;
	hf_free(d->idom);
	hf_free(d->order);
	hf_free(d->retained);
	hf_free(d->retained_blocks);
	hf_free(d);
}

/* ---- retained sizes ------------------------------------------------------------------------------------ */

static struct hf_err *get_sizes(const struct hf_dominators *d, hf_dominators_sizes_fn *sizes, void *arg,
				uint64_t *bytes, uint32_t *blocks)
{
	for (uint32_t first = 0, n; first < d->blocks; first += n) {
		n = hf_min(CHECK_STEPS, d->blocks - first);
		sizes(arg, first, n, bytes + first);
		for (uint32_t b = first; b < first + n; b++) {
			blocks[b] = d->idom[b] != HF_NO_BLOCK;
			bytes[b] = blocks[b] ? bytes[b] : 0;
		}
		HF_TRY(hf_interrupt_check());
	}
	return NULL;
}

struct hf_err *hf_dominators_measure(struct hf_dominators *d, hf_dominators_sizes_fn *sizes, void *arg)
{
	size_t nodes = (size_t)d->blocks + d->holders + 1;
	_free_ uint64_t *bytes = hf_calloc(nodes, sizeof(*bytes));
	_free_ uint32_t *blocks = hf_calloc(nodes, sizeof(*blocks));

	if (!bytes || !blocks)
		return hf_err_nomem();
	HF_TRY(get_sizes(d, sizes, arg, bytes, blocks));
	for (uint32_t i = d->n - 1; i > 0; i--) {
		uint32_t node = d->order[i], up = d->idom[node];

		if (i % CHECK_STEPS == 0)
			HF_TRY(hf_interrupt_check());
		if (hf_add_overflows(bytes[up], bytes[node], &bytes[up]))
			bytes[up] = UINT64_MAX;
		blocks[up] += blocks[node];
	}
	hf_free(d->retained);
	hf_free(d->retained_blocks);
	d->retained = take_ptr(bytes);
	d->retained_blocks = take_ptr(blocks);
	return NULL;
}
