/* Semi-NCA: number the nodes depth first; find each one's semidominator, highest number first, over paths that are
 * compressed as they are walked; then, lowest number first, climb from the parent to the first dominator that is not
 * below the semidominator. Plain climbing is quadratic where a target has us climb far again and again: each node knows
 * a jump to a distant dominator, too, which makes a climb logarithmic. All arrays are by number where not said. */
#include "dominators.h"

#include "../base/workers.h"

#define CHECK_STEPS (1u << 16) /* between two looks at whether to stop */
#define AHEAD	    16u	       /* how many edges ahead to fetch */
#define NONE	    UINT32_MAX

struct work {
	const struct hf_graph *g;
	uint32_t holders, top;	     /* top: its node */
	uint32_t *held_start, *held; /* the edges of the holders and the top, as g's; by node - blocks */
	uint32_t n;		     /* nodes that have a number */
	uint32_t *number;	     /* by node; NONE: not reached */
	uint32_t *order;	     /* the nodes */
	uint32_t *parent;	     /* in the depth-first tree */
	uint32_t *semi;		     /* the lowest found yet */
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

/* ---- the holders' edges --------------------------------------------------------------------------------- */

static struct hf_err *init_work(struct work *k, const struct hf_graph *g, uint32_t holders)
{
	uint64_t nodes = (uint64_t)g->blocks + holders + 1;
	uint64_t edges = (uint64_t)g->start[g->blocks] + g->roots.n + holders;

	k->g = g;
	k->holders = holders;
	if (nodes >= NONE || edges >= NONE)
		return hf_err(HF_UNSUPPORTED,
			      "%" PRIu64 " blocks and holders with %" PRIu64
			      " pointers: at most %" PRIu32 " can be handled",
			      nodes, edges, NONE - 1);
	k->top = g->blocks + holders;
	k->total = 3 * edges + 5 * nodes;
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

/* ---- numbers -------------------------------------------------------------------------------------------- */

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

static inline struct out number_node(struct work *k, uint32_t node, uint32_t parent)
{
	struct out out = out_of(k, node);

	k->number[node] = k->n;
	k->order[k->n] = node;
	k->parent[k->n] = parent;
	k->semi[k->n] = parent;
	k->n++;
	if (node >= k->g->blocks)
		return out;
	for (uint32_t e = out.at; e < out.end && e < out.at + AHEAD; e++) {
		__builtin_prefetch(&k->number[out.edges[e]]);
		__builtin_prefetch(&k->g->start[out.edges[e]]);
	}
	return out;
}

/* Numbers what the top reaches. An edge to a later node is done with here: its source is above its target in the tree,
 * so that the source itself is the candidate. The others are counted. */
static struct hf_err *number_nodes(struct work *k)
{
	_free_ uint32_t *resume = hf_malloc(((size_t)k->top + 1) * sizeof(*resume));
	struct out out;
	uint32_t at = 0;

	if (!resume)
		return hf_err_nomem();
	out = number_node(k, k->top, 0);
	for (;;) {
		uint32_t to, number;

		HF_TRY(step(k));
		if (out.at == out.end) {
			if (!at)
				return NULL;
			at = k->parent[at];
			out = out_of(k, k->order[at]);
			out.at = resume[at];
			continue;
		}
		to = out.edges[out.at++];
		number = k->number[to];
		if (number == NONE) {
			resume[at] = out.at;
			at = k->n;
			out = number_node(k, to, k->number[k->order[at]]);
		} else if (number > at) {
			k->semi[number] = hf_min(k->semi[number], at);
		} else if (number < at) {
			k->back_start[number]++;
		}
	}
}
