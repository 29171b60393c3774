/* PLT entries that the target has not called yet. */
#include "c.h"

#include "../../base/map64.h"

#include <stdlib.h>

#define SLOTS_MAX  1024
#define WRITES_MAX (GHOST_WRITES_MAX / 2)
#define GOT_MAX    65536 /* bytes that they may lie apart */
#define CHUNK      (GHOST_WRITE_BYTES / 8)

struct search {
	struct c_callee *c;
	const struct hf_module *m; /* that chooses, for find_choice */
	struct hf_map64 choices;   /* the function that chooses -> the word with its choice */
	struct hf_err *err;
};

static bool add_choice(void *arg, uint64_t slot_addr, const struct hf_relocation *told)
{
	struct search *s = arg;

	if (told->is_ifunc && !told->name[0])
		s->err = hf_map64_put(&s->choices, told->addr, slot_addr);
	return !s->err;
}

/* A function of several forms: the library calls it itself through a word that holds what was chosen. */
static bool find_choice(struct search *s, uint64_t chooser, uint64_t *ret)
{
	struct hf_syms *syms = s->c->base.syms;
	const struct hf_module *m = hf_syms_find_module(syms, chooser);

	if (m && m != s->m) {
		s->m = m;
		hf_syms_walk_slots(syms, m, add_choice, s);
	}
	return hf_map64_find(&s->choices, chooser, ret);
}

static bool add_slot(void *arg, uint64_t slot_addr, const struct hf_relocation *told)
{
	struct search *s = arg;
	struct c_slot slot = {.addr = slot_addr, .to = told->addr};

	if (!told->name[0] || !told->addr || (told->is_ifunc && !find_choice(s, told->addr, &slot.via)))
		return !s->err;
	if (told->is_ifunc)
		slot.to = 0;
	if (!s->err)
		s->err = hf_vec_push(&s->c->slots, slot);
	return !s->err && s->c->slots.n < SLOTS_MAX;
}

static int by_addr(const void *a, const void *b)
{
	const struct c_slot *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

struct hf_err *c_slots_find(struct c_callee *c, uint64_t code)
{
	const struct hf_module *m = hf_syms_find_module(c->base.syms, code);
	struct search s = {.c = c};

	if (!m || m == c->bound || !c->linker)
		return NULL;
	c->slots.n = 0;
	c->bound = NULL;
	hf_syms_walk_slots(c->base.syms, m, add_slot, &s);
	hf_map64_deinit(&s.choices);
	HF_TRY(s.err);
	if (c->slots.n)
		qsort(c->slots.at, c->slots.n, sizeof(*c->slots.at), by_addr);
	c->bound = m;
	return NULL;
}

/* What a word is to hold; false: it stays as it is. Bound already: it leads out of the module's own PLT. */
static bool find_word(const struct c_callee *c, const struct c_slot *slot, uint64_t now, uint64_t *ret)
{
	const struct hf_map *map;

	if (hf_syms_find_module(c->base.syms, now) != c->bound)
		return false;
	*ret = slot->to;
	if (slot->via && hf_err_ignore(hf_target_read_u64(c->base.t, slot->via, ret)))
		return false;
	map = hf_target_find_map(c->base.t, *ret);
	return map && map->executable;
}

struct hf_err *c_slots_bind(const struct c_callee *c, struct hf_ghost_job *job)
{
	size_t n = c->slots.n, writes = 0;
	struct hf_scratch scratch = {0};
	uint64_t start = n ? c->slots.at[0].addr : 0, end = n ? c->slots.at[n - 1].addr + 8 : 0, words[CHUNK];
	const void *got;
	struct hf_err *err = NULL;

	if (!n || end - start > GOT_MAX ||
	    hf_err_ignore(hf_target_get(c->base.t, start, (size_t)(end - start), &scratch, &got)))
		goto out;
	for (size_t i = 0; i < n && !err && writes < WRITES_MAX;) {
		const struct c_slot *first = &c->slots.at[i];
		size_t k = 0;

		/* Words that stand together are one write. */
		while (i < n && k < CHUNK && c->slots.at[i].addr == first->addr + 8 * k) {
			uint64_t now = hf_load_u64((const uint8_t *)got + (c->slots.at[i].addr - start));

			if (!find_word(c, &c->slots.at[i], now, &words[k]))
				break;
			i++;
			k++;
		}
		i += !k;
		writes += k > 0;
		if (k)
			err = hf_ghost_job_write(job, first->addr, words, 8 * k);
	}
out:
	hf_vec_deinit(&scratch);
	return err;
}
