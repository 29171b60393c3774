#include "parties.h"

#include "../base/workers.h"

#include <stdlib.h>

#define PIECE 4096u /* blocks between two looks at the wish to stop */

static bool bit(const uint8_t *bits, uint32_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

static bool set_bit(uint8_t *bits, uint32_t i)
{
	uint8_t mask = (uint8_t)(1u << i % 8);
	bool was = bits[i / 8] & mask;

	bits[i / 8] |= mask;
	return !was;
}

static struct hf_err *check(const struct hf_graph *g, const struct hf_parties *p)
{
	for (size_t i = 0; i < p->own_n; i++)
		if (p->own[i].block >= g->blocks ||
		    (p->own[i].party >= p->n && p->own[i].party != HF_NO_PARTY))
			return hf_err(HF_BADDATA, "own block %" PRIu32 " of party %" PRIu32 ": there is none",
				      p->own[i].block, p->own[i].party);
	for (size_t i = 0; i < p->keys_n; i++)
		if (p->keys[i].block >= g->blocks || p->keys[i].party >= p->n)
			return hf_err(HF_BADDATA, "key %" PRIu32 " of party %" PRIu32 ": there is none",
				      p->keys[i].block, p->keys[i].party);
	for (size_t i = 0; i < g->roots.n; i++)
		if (p->of_root[i] >= p->n && p->of_root[i] != HF_NO_PARTY)
			return hf_err(HF_BADDATA, "root %zu of party %" PRIu32 ": there is none", i,
				      p->of_root[i]);
	return NULL;
}

static int by_party(const void *a, const void *b)
{
	const struct hf_party_block *x = a, *y = b;

	return x->party != y->party ? (x->party < y->party ? -1 : 1)
				    : (x->block > y->block) - (x->block < y->block);
}

static int by_block(const void *a, const void *b)
{
	const struct hf_party_block *x = a, *y = b;

	return x->block != y->block ? (x->block < y->block ? -1 : 1)
				    : (x->party > y->party) - (x->party < y->party);
}

static struct hf_party_block *sorted(const struct hf_party_block *at, size_t n,
				     int (*compare)(const void *, const void *))
{
	struct hf_party_block *copy = hf_calloc(n + 1, sizeof(*copy));

	if (copy && n) {
		memcpy(copy, at, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), compare);
	}
	return copy;
}

/* ---- a mark with gates ------------------------------------------------------------------------------------------ */

/* The roots of each party side by side; those of none come last. */
static struct hf_err *sort_roots(struct hf_gate *gate)
{
	const struct hf_graph *g = gate->g;
	uint32_t n = gate->p.n, sum = 0;

	gate->root_start = hf_calloc((size_t)n + 3, sizeof(uint32_t));
	gate->roots = hf_malloc(g->roots.n * sizeof(uint32_t) + 1);
	if (!gate->root_start || !gate->roots)
		return hf_err_nomem();
	for (size_t i = 0; i < g->roots.n; i++)
		gate->root_start[hf_min(gate->p.of_root[i], n) + 2]++;
	for (uint32_t i = 0; i <= n + 2; i++)
		gate->root_start[i] = sum += gate->root_start[i];
	/* Each start, kept one further on, moves to its end while the roots are put in place. */
	for (size_t i = 0; i < g->roots.n; i++)
		gate->roots[gate->root_start[hf_min(gate->p.of_root[i], n) + 1]++] = (uint32_t)i;
	return NULL;
}

static struct hf_err *sort_blocks(struct hf_gate *gate, const struct hf_parties *p)
{
	struct hf_party_block *own, *keys;
	uint32_t at = 0;

	gate->p.own = own = sorted(p->own, p->own_n, by_party);
	gate->p.keys = keys = sorted(p->keys, p->keys_n, by_block);
	gate->own_start = hf_calloc((size_t)p->n + 2, sizeof(uint32_t));
	if (!own || !keys || !gate->own_start)
		return hf_err_nomem();
	for (uint32_t party = 0; party <= p->n; party++) {
		gate->own_start[party] = at;
		while (at < p->own_n && hf_min(own[at].party, p->n) == party)
			at++;
	}
	gate->own_start[p->n + 1] = at;
	return NULL;
}

static struct hf_err *allocate(struct hf_gate *gate)
{
	size_t blocks = gate->g->blocks, bits = blocks / 8 + 1;

	gate->live = hf_calloc(bits, 1);
	gate->by_root = hf_calloc(bits, 1);
	gate->watched = hf_calloc(bits, 1);
	gate->parent = hf_malloc((blocks + 1) * sizeof(uint32_t));
	gate->queue = hf_malloc((blocks + 1) * sizeof(uint32_t));
	gate->open = hf_calloc((size_t)gate->p.n + 1, 1);
	gate->key = hf_malloc(((size_t)gate->p.n + 1) * sizeof(uint32_t));
	gate->opened = hf_malloc(((size_t)gate->p.n + 1) * sizeof(uint32_t));
	return gate->live && gate->by_root && gate->watched && gate->parent && gate->queue && gate->open &&
			       gate->key && gate->opened
		       ? NULL
		       : hf_err_nomem();
}

void hf_gate_open(struct hf_gate *gate, uint32_t party)
{
	if (gate->open[party])
		return;
	gate->open[party] = 1;
	gate->opened[gate->to_take++] = party;
}

/* The keys are in ascending order of block. */
static void use_key(struct hf_gate *gate, uint32_t block)
{
	size_t lo = 0, hi = gate->p.keys_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (gate->p.keys[mid].block < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < gate->p.keys_n && gate->p.keys[lo].block == block; lo++) {
		uint32_t party = gate->p.keys[lo].party;

		if (!gate->open[party])
			gate->key[party] = block;
		hf_gate_open(gate, party);
	}
}

static void reach(struct hf_gate *gate, uint32_t block, uint32_t from, bool by_root)
{
	if (!set_bit(gate->live, block))
		return;
	gate->parent[block] = from;
	if (by_root)
		set_bit(gate->by_root, block);
	gate->queue[gate->tail++] = block;
	if (bit(gate->watched, block))
		use_key(gate, block);
}

static void follow(struct hf_gate *gate, uint32_t block)
{
	const struct hf_graph *g = gate->g;

	for (uint32_t e = g->start[block]; e < g->start[block + 1]; e++)
		reach(gate, g->edges[e], block, false);
}

/* party: n for what belongs to none. */
static void admit(struct hf_gate *gate, uint32_t party)
{
	for (uint32_t i = gate->root_start[party]; i < gate->root_start[party + 1]; i++)
		reach(gate, gate->g->roots.at[gate->roots[i]].block, gate->roots[i], true);
	for (uint32_t i = gate->own_start[party]; i < gate->own_start[party + 1]; i++)
		follow(gate, gate->p.own[i].block);
}

struct hf_err *hf_gate_create(const struct hf_graph *g, const struct hf_parties *parties,
			      struct hf_gate **ret)
{
	struct hf_gate *gate;
	struct hf_err *err;

	HF_TRY(check(g, parties));
	gate = hf_calloc(1, sizeof(*gate));
	if (!gate)
		return hf_err_nomem();
	gate->g = g;
	gate->p = *parties;
	gate->p.own = gate->p.keys = NULL;
	err = allocate(gate);
	if (!err)
		err = sort_roots(gate);
	if (!err)
		err = sort_blocks(gate, parties);
	if (err) {
		hf_gate_destroy(gate);
		return err;
	}
	for (uint32_t i = 0; i < parties->n; i++)
		gate->key[i] = HF_NO_BLOCK;
	for (size_t i = 0; i < parties->keys_n; i++)
		set_bit(gate->watched, parties->keys[i].block);
	for (size_t i = 0; i < parties->own_n; i++) {
		set_bit(gate->live, parties->own[i].block);
		gate->parent[parties->own[i].block] = HF_NO_BLOCK;
	}
	admit(gate, parties->n);
	*ret = gate;
	return NULL;
}

void hf_gate_destroy(struct hf_gate *gate)
{
	if (!gate)
		return;
	hf_free(gate->live);
	hf_free(gate->open);
	hf_free(gate->key);
	hf_free(gate->parent);
	hf_free(gate->by_root);
	hf_free((void *)gate->p.own);
	hf_free((void *)gate->p.keys);
	hf_free(gate->root_start);
	hf_free(gate->roots);
	hf_free(gate->own_start);
	hf_free(gate->watched);
	hf_free(gate->queue);
	hf_free(gate->opened);
	hf_free(gate);
}

struct hf_err *hf_gate_run(struct hf_gate *gate)
{
	uint32_t steps = 0;

	while (gate->head < gate->tail || gate->taken < gate->to_take) {
		if (steps++ % PIECE == 0)
			HF_TRY(hf_interrupt_check());
		if (gate->head < gate->tail)
			follow(gate, gate->queue[gate->head++]);
		else
			admit(gate, gate->opened[gate->taken++]);
	}
	return NULL;
}

struct hf_err *hf_gate_path(const struct hf_gate *gate, uint32_t block, struct hf_path *ret)
{
	uint32_t n = 1, at = block;

	*ret = (struct hf_path){0};
	if (!bit(gate->live, block))
		return NULL;
	for (; !bit(gate->by_root, at) && gate->parent[at] != HF_NO_BLOCK; at = gate->parent[at])
		n++;
	if (!bit(gate->by_root, at))
		return NULL;
	ret->root = gate->parent[at];
	ret->path = hf_malloc(n * sizeof(uint32_t));
	if (!ret->path)
		return hf_err_nomem();
	ret->n = n;
	for (at = block; n > 0; at = gate->parent[at])
		ret->path[--n] = at;
	return NULL;
}

/* ---- what each holds alone ----------------------------------------------------------------------------------------- */

#define SEVERAL (HF_NO_PARTY - 1) /* or what belongs to none */

/* Each block takes its first party, then at most once SEVERAL: it is queued twice at most. */
struct holding {
	const struct hf_graph *g;
	uint32_t *party;
	uint8_t *own, *queued;
	uint32_t *queue; /* a ring */
	uint32_t head, n;
};

static void give(struct holding *h, uint32_t block, uint32_t party)
{
	uint32_t at, was = h->party[block];

	if (was == SEVERAL || was == party || bit(h->own, block))
		return;
	h->party[block] = was == HF_NO_PARTY ? party : SEVERAL;
	if (!set_bit(h->queued, block))
		return;
	at = h->head + h->n++;
	if (at >= h->g->blocks)
		at -= h->g->blocks;
	h->queue[at] = block;
}

static void give_edges(struct holding *h, uint32_t block, uint32_t party)
{
	for (uint32_t e = h->g->start[block]; e < h->g->start[block + 1]; e++)
		give(h, h->g->edges[e], party);
}

static struct hf_err *spread(struct holding *h)
{
	for (uint32_t steps = 0; h->n; steps++) {
		uint32_t block = h->queue[h->head];

		if (steps % PIECE == 0)
			HF_TRY(hf_interrupt_check());
		h->head = h->head + 1 == h->g->blocks ? 0 : h->head + 1;
		h->n--;
		h->queued[block / 8] &= (uint8_t) ~(1u << block % 8);
		give_edges(h, block, h->party[block]);
	}
	return NULL;
}

static uint32_t party_or_several(uint32_t party)
{
	return party == HF_NO_PARTY ? SEVERAL : party;
}

/* What belongs to none goes first, and is done with when the parties come. */
static struct hf_err *hold(struct holding *h, const struct hf_parties *p)
{
	for (int of_none = 1; of_none >= 0; of_none--) {
		for (size_t i = 0; i < h->g->roots.n; i++)
			if ((p->of_root[i] == HF_NO_PARTY) == of_none)
				give(h, h->g->roots.at[i].block, party_or_several(p->of_root[i]));
		for (size_t i = 0; i < p->own_n; i++)
			if ((p->own[i].party == HF_NO_PARTY) == of_none)
				give_edges(h, p->own[i].block, party_or_several(p->own[i].party));
		HF_TRY(spread(h));
	}
	return NULL;
}

struct hf_err *hf_parties_hold(const struct hf_graph *g, const struct hf_parties *parties, uint32_t **ret)
{
	size_t bits = (size_t)g->blocks / 8 + 1;
	_free_ uint32_t *party = hf_malloc(((size_t)g->blocks + 1) * sizeof(uint32_t));
	_free_ uint32_t *queue = hf_malloc(((size_t)g->blocks + 1) * sizeof(uint32_t));
	_free_ uint8_t *own = hf_calloc(bits, 1), *queued = hf_calloc(bits, 1);
	struct holding h = {.g = g, .party = party, .queue = queue, .own = own, .queued = queued};

	HF_TRY(check(g, parties));
	if (!party || !queue || !own || !queued)
		return hf_err_nomem();
	memset(party, 0xff, (size_t)g->blocks * sizeof(uint32_t));
	for (size_t i = 0; i < parties->own_n; i++)
		set_bit(own, parties->own[i].block);
	HF_TRY(hold(&h, parties));
	for (uint32_t b = 0; b < g->blocks; b++)
		if (party[b] == SEVERAL)
			party[b] = HF_NO_PARTY;
	*ret = take_ptr(party);
	return NULL;
}
