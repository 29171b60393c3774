#include "infer.h"

#include <stdlib.h>

#define ROUNDS      4
#define CAP_MAX     (1ull << 31)
#define ITABLE_TYPE 8u /* internal/abi/iface.go, ITab.Type */

/* ---- interfaces, wherever they stand -------------------------------------------------------------------------- */

/* The type that a word before a pointer names: a descriptor, or an itab that leads to one. */
static uint32_t dynamic_type(struct typing *t, const struct go_universe *u, uint64_t word)
{
	struct go *go = t->go;
	uint64_t rtype, inter;
	uint32_t id;

	if (word < 4096 || word % 8)
		return GO_NO_TYPE;
	if (go_universe_has(u, word, &id))
		return id;
	if (!hf_map64_find(&go->itab_type, word, &rtype) &&
	    (hf_err_ignore(hf_target_read_u64(go->t, word, &inter)) || !go_universe_has(u, inter, &id) ||
	     go_type_get(go, id)->kind != GO_KIND_INTERFACE ||
	     hf_err_ignore(hf_target_read_u64(go->t, word + ITABLE_TYPE, &rtype))))
		return GO_NO_TYPE;
	return go_universe_has(u, rtype, &id) ? id : GO_NO_TYPE;
}

/* What the data word of an interface leads to. It is taken only where the whole block is that. */
static void offer_dynamic(struct typing *t, uint32_t dynamic, uint64_t value)
{
	const struct go_type *type = go_type_get(t->go, dynamic);
	uint8_t data[8];

	if (type->direct_iface) {
		memcpy(data, &value, sizeof(data));
		t->slots = 64;
		go_visit_value(t, dynamic, (struct place){data, sizeof(data)}, 1);
	} else {
		go_offer(t, value, dynamic, type->size);
	}
}

void go_try_interface(struct inference *in, uint64_t word, uint64_t value)
{
	uint32_t dynamic = dynamic_type(in->t, in->u, word);

	if (dynamic && go_find_block(in->t->go, value) != HF_NO_BLOCK)
		offer_dynamic(in->t, dynamic, value);
}

/* ---- roots ------------------------------------------------------------------------------------------------------- */

/* A slice's header in a variable: the block has this many elements. */
static void note_slice(struct inference *in, uint64_t ptr, uint64_t len, uint64_t cap)
{
	struct go *go = in->t->go;
	uint32_t block = go_find_block(go, ptr);
	const struct go_span *span = go_find_span(go, ptr);

	if (block == HF_NO_BLOCK || len > cap || !cap || cap > CAP_MAX || cap > span->elemsize / 8 ||
	    (ptr - span->start - go_slot_of(span, ptr) * span->elemsize) != go_header_size(span))
		return;
	if (hf_err_ignore(hf_map64_put(&in->caps, block, cap)))
		in->t->err = hf_err_nomem();
}

static struct hf_err *infer_section(void *arg, const struct go_section *s)
{
	struct inference *in = arg;

	for (uint64_t i = 0; i < s->n && !in->t->err; i++) {
		uint64_t word = go_section_word(s, i);

		if (!go_section_has(s, i) || !word)
			continue;
		if (i && !go_section_has(s, i - 1))
			go_try_interface(in, go_section_word(s, i - 1), word);
		if (i + 2 < s->n && !go_section_has(s, i + 1) && !go_section_has(s, i + 2))
			note_slice(in, word, go_section_word(s, i + 1), go_section_word(s, i + 2));
	}
	return in->t->err;
}

static struct hf_err *infer_roots(struct inference *in)
{
	struct go *go = in->t->go;

	HF_TRY(go_each_section(go, infer_section, in));
	for (size_t i = 0; i < go->stack_roots.n && !in->t->err; i++) {
		const struct go_raw_root *root = &go->stack_roots.at[i];
		uint64_t word;

		if (root->slot >= 8 && go_find_block(go, root->value) != HF_NO_BLOCK &&
		    !hf_err_ignore(hf_target_read_u64(go->t, root->slot - 8, &word)))
			go_try_interface(in, word, root->value);
	}
	return in->t->err;
}

/* ---- one block --------------------------------------------------------------------------------------------------- */

static bool mark_pointer(void *arg, uint64_t slot, uint64_t value)
{
	struct go_trial *x = arg;
	uint64_t offset = slot - x->addr;

	(void)value;
	if (offset < x->len)
		((uint64_t *)x->pointers)[offset / 512] |= 1ull << (offset / 8 % 64);
	return true;
}

bool go_trial_begin(struct inference *in, uint32_t block, struct go_trial *ret)
{
	struct go *go = in->t->go;
	const struct go_span *span;
	uint64_t addr = go_block_addr(go, block, &span);
	size_t n = (size_t)(span->elemsize / 512 + 1);
	const void *p;

	in->pointers.n = 0;
	if (hf_err_ignore(hf_vec_reserve(&in->pointers, n)))
		return false;
	memset(in->pointers.at, 0, n * 8);
	in->pointers.n = n;
	*ret = (struct go_trial){
		.t = in->t, .u = in->u, .addr = addr + go_header_size(span), .pointers = in->pointers.at};
	ret->len = span->elemsize - go_header_size(span);
	if (hf_err_ignore(hf_target_get(go->t, ret->addr, ret->len, &in->scratch, &p)) ||
	    hf_err_ignore(go_walk_pointers(go, block, mark_pointer, ret)))
		return false;
	ret->bytes = p;
	for (size_t i = 0; i < n; i++)
		if (in->pointers.at[i])
			return true;
	return false;
}

static uint64_t word(const struct go_trial *x, int64_t offset)
{
	return offset >= 0 && (uint64_t)offset + 8 <= x->len ? hf_load_u64(x->bytes + offset) : 0;
}

static bool is_pointer(const struct go_trial *x, uint64_t offset)
{
	return offset < x->len && x->pointers[offset / 512] >> (offset / 8 % 64) & 1;
}

/* A function value starts with its code, which is no pointer to the collector. */
static uint32_t closure_type(struct inference *in, const struct go_trial *x)
{
	struct go_func f;

	if (is_pointer(x, 0) || !go_find_func(in->t->go, word(x, 0), &f) || f.entry != word(x, 0) ||
	    (!strstr(f.name, ".func") && !strstr(f.name, "-fm") && !strstr(f.name, "wrap")))
		return GO_NO_TYPE;
	return go_type_shape(in->t->go, GO_SHAPE_CLOSURE, 0, f.entry);
}

/* A channel names the type of its elements. Source: Go 1.20-1.27 runtime/chan.go, hchan. */
static uint32_t chan_type(struct inference *in, const struct go_trial *x)
{
	struct go *go = in->t->go;
	uint32_t elem;
	uint64_t chan;

	if (go_off(go, HCHAN_SIZE) <= 0 || x->len < (uint64_t)go_off(go, HCHAN_SIZE) ||
	    !go_universe_has(in->u, word(x, go_off(go, HCHAN_ELEMTYPE)), &elem) ||
	    (uint16_t)word(x, go_off(go, HCHAN_ELEMSIZE)) != go_type_get(go, elem)->size ||
	    word(x, go_off(go, HCHAN_QCOUNT)) > word(x, go_off(go, HCHAN_DATAQSIZ)) ||
	    !hf_map64_find(&in->u->chan_of_elem, elem, &chan))
		return GO_NO_TYPE;
	return go_type_shape(go, GO_SHAPE_CHAN, (uint32_t)chan, 0);
}

/* The map whose part of some shape an address leads to the start of; GO_NO_TYPE: none. */
static uint32_t map_behind(struct go *go, uint64_t addr, enum go_shape shape)
{
	uint32_t block = go_find_block(go, addr);
	const struct go_type *type = block == HF_NO_BLOCK ? NULL : go_type_get(go, go->block_type[block]);

	return type && type->shape == shape ? type->elem : GO_NO_TYPE;
}

/* What leads to a map's slots: their type is known, so what leads to them follows. */
static uint32_t map_part(struct inference *in, const struct go_trial *x)
{
	struct go *go = in->t->go;
	uint64_t dir;
	uint32_t map;

	if (!go->layout.swiss_maps) {
		map = x->len <= 64 ? map_behind(go, word(x, go_off(go, HMAP_BUCKETS)), GO_SHAPE_MAP_GROUPS)
				   : 0;
		return map ? go_type_shape(go, GO_SHAPE_MAP, map, 0) : GO_NO_TYPE;
	}
	dir = word(x, go_off(go, MAP_DIR_PTR));
	if (x->len == (uint64_t)go_off(go, MAP_SIZE)) {
		map = map_behind(go, dir,
				 word(x, go_off(go, MAP_DIR_LEN)) ? GO_SHAPE_MAP_DIR : GO_SHAPE_MAP_GROUPS);
		if (map)
			return go_type_shape(go, GO_SHAPE_MAP, map, 0);
	}
	if (x->len == (uint64_t)go_off(go, TABLE_SIZE)) {
		map = map_behind(go, word(x, go_off(go, TABLE_GROUPS_DATA)), GO_SHAPE_MAP_GROUPS);
		if (map)
			return go_type_shape(go, GO_SHAPE_MAP_TABLE, map, 0);
	}
	map = map_behind(go, word(x, 0), GO_SHAPE_MAP_TABLE);
	for (uint64_t at = 8; map && at < x->len && word(x, (int64_t)at); at += 8)
		if (map_behind(go, word(x, (int64_t)at), GO_SHAPE_MAP_TABLE) != map)
			return GO_NO_TYPE;
	return map ? go_type_shape(go, GO_SHAPE_MAP_DIR, map, 0) : GO_NO_TYPE;
}

/* A sync.Map's nodes, since 1.24. An entry: {isEntry, overflow, key any, value any}; inner ones are known by theirs:
 * {isEntry, dead, mu, parent, children [16]}. Source: Go 1.24-1.27 internal/sync/hashtriemap.go. */
static uint32_t trie_type(struct inference *in, const struct go_trial *x)
{
	struct go *go = in->t->go;
	uint32_t node = go_trie_any_node(go);
	const uint32_t shape = node ? go_type_shape(go, GO_SHAPE_TRIE_NODE, node, 0) : GO_NO_TYPE;

	if (go->layout.minor < 24 || !shape)
		return GO_NO_TYPE;
	if (x->len == GO_TRIE_ENTRY_SIZE)
		return word(x, 0) == 1 && dynamic_type(in->t, in->u, word(x, GO_TRIE_KEY)) &&
				       (dynamic_type(in->t, in->u, word(x, GO_TRIE_VALUE)) ||
					!word(x, GO_TRIE_VALUE))
			       ? shape
			       : GO_NO_TYPE;
	if (x->len != GO_TRIE_INNER_SIZE || x->bytes[0])
		return GO_NO_TYPE;
	for (int64_t at = GO_TRIE_CHILDREN; at < GO_TRIE_CHILDREN + 128; at += 8) {
		uint32_t block = go_find_block(go, word(x, at));

		if (block != HF_NO_BLOCK && go->block_type[block] == shape)
			return shape;
	}
	return GO_NO_TYPE;
}

/* ---- the one type that fits ---------------------------------------------------------------------------------------- */

static bool is_like(const struct go_span *a, const struct go_span *b)
{
	return a && a->elemsize == b->elemsize && a->spanclass == b->spanclass && a->header == b->header;
}

/* The parts of maps are told by what they lead to, with the map's own type; shapes of generic types are known to the
 * compiler alone: what is allocated has the type itself. */
static bool is_map_part(struct inference *in, uint32_t type)
{
	const char *name = go_type_name(in->t->go, type);

	if (strstr(name, "map.bucket[") && !hf_map64_find(&in->u->map_of_group, type, &(uint64_t){0}))
		return true;
	return hf_map64_find(&in->u->parts, type, &(uint64_t){0}) || strstr(name, "go.shape.") ||
	       !strcmp(name, "runtime.hmap") || !strcmp(name, "internal/runtime/maps.Map") ||
	       !strcmp(name, "internal/runtime/maps.table");
}

/* The size of the elements that so many of would have got such a block; 0: not one alone. */
static uint64_t element_size(const struct go_span *span, uint64_t cap)
{
	uint64_t room = span->elemsize - go_header_size(span), most = room / cap / 8 * 8;

	return most && go_fits(span, most * cap) && (most == 8 || !go_fits(span, (most - 8) * cap)) ? most
												    : 0;
}

/* A map's slots are an array of groups or buckets. */
static uint32_t shape_of(struct inference *in, const struct candidate *c, bool is_array)
{
	uint64_t map;

	if (hf_map64_find(&in->u->map_of_group, c->type, &map))
		return go_type_shape(in->t->go, GO_SHAPE_MAP_GROUPS, (uint32_t)map, 0);
	return is_array ? go_type_shape(in->t->go, GO_SHAPE_BACKING, c->type, 0) : c->type;
}

static struct hf_err *list_candidates(struct inference *in, const struct go_span *span)
{
	struct go *go = in->t->go;
	uint64_t room = span->elemsize - go_header_size(span);

	if (is_like(in->like, span))
		return NULL;
	in->like = span;
	in->candidates.n = 0;
	hf_vec_each(&in->u->types, id) {
		const struct go_type *type = go_type_get(go, *id);

		if (!type->ptr_bytes || !type->size || type->size > room || is_map_part(in, *id))
			continue;
		if (go_fits(span, type->size))
			HF_TRY(hf_vec_push(&in->candidates, ((struct candidate){*id, false})));
		if (type->size <= room / 2 && go_fits(span, room / type->size * type->size))
			HF_TRY(hf_vec_push(&in->candidates, ((struct candidate){*id, true})));
	}
	return NULL;
}

static bool array_fits(struct go_trial *x, uint32_t elem)
{
	uint64_t size = go_type_get(x->t->go, elem)->size;

	for (uint64_t at = 0; at + size <= x->len; at += size)
		if (!go_trial_fits(x, elem, at))
			return false;
	return true;
}

/* A pointer and then nothing is a structure rather than an array that was hardly filled. */
static bool is_half_empty(const struct go_trial *x)
{
	for (uint64_t at = x->len / 2 / 8 * 8; at + 8 <= x->len; at += 8)
		if (hf_load_u64(x->bytes + at))
			return false;
	return true;
}

/* Types with their own names and the same content: the plain one is meant. */
static bool is_plain(struct go *go, uint32_t shape, uint32_t than)
{
	const struct go_type *a = go_type_get(go, shape), *b = go_type_get(go, than);

	if (a->shape == GO_SHAPE_BACKING && b->shape == GO_SHAPE_BACKING) {
		shape = a->elem;
		a = go_type_get(go, a->elem);
		b = go_type_get(go, b->elem);
	}
	return a->kind == GO_KIND_STRING && b->kind == GO_KIND_STRING &&
	       !strcmp(go_type_name(go, shape), "string");
}

/* cap: as a slice says; 0: unknown. */
static uint32_t only_candidate(struct inference *in, struct go_trial *x, uint64_t cap, uint64_t elem_size)
{
	bool half_empty = !cap && is_half_empty(x);
	uint32_t found = GO_NO_TYPE;

	for (size_t i = 0; i < in->candidates.n; i++) {
		const struct candidate *c = &in->candidates.at[i];
		uint64_t size = go_type_get(in->t->go, c->type)->size;
		uint64_t map;
		uint32_t shape;

		if (cap && (size != elem_size || (cap > 1) != c->is_array))
			continue;
		if (c->is_array && half_empty && !hf_map64_find(&in->u->map_of_group, c->type, &map))
			continue;
		x->evidence = 0;
		if (!(c->is_array ? array_fits(x, c->type) : go_trial_fits(x, c->type, 0)) || !x->evidence)
			continue;
		shape = shape_of(in, c, c->is_array || cap);
		if (found && is_plain(in->t->go, found, shape))
			continue;
		if (found && found != shape && !is_plain(in->t->go, shape, found))
			return GO_NO_TYPE;
		found = shape;
	}
	return found;
}

/* "[]?": a slice says how many elements there are, and no more is known of them. */
static uint32_t unknown_elements(struct go *go, uint64_t size)
{
	uint64_t found;
	uint32_t id;

	if (hf_map64_find(&go->types->unknown, size, &found))
		return go_type_shape(go, GO_SHAPE_BACKING, (uint32_t)found, 0);
	id = go_types_add(go, &(struct go_type){.name = "?",
						.name_tried = true,
						.kind = GO_KIND_STRUCT,
						.size = size,
						.ptr_bytes = size,
						.decoded = true});
	if (id && hf_err_ignore(hf_map64_put(&go->types->unknown, size, id)))
		go->types->failed = true;
	return go_type_shape(go, GO_SHAPE_BACKING, id, 0);
}

static void infer_interfaces(struct inference *in, const struct go_trial *x)
{
	for (uint64_t at = 8; at + 8 <= x->len && !in->t->err; at += 8)
		if (is_pointer(x, at) && !is_pointer(x, at - 8))
			go_try_interface(in, word(x, (int64_t)at - 8), word(x, (int64_t)at));
}

static struct hf_err *infer_block(struct inference *in, const struct go_span *span, uint32_t block, bool last)
{
	struct go *go = in->t->go;
	uint64_t cap = 0, elem_size = 0;
	struct go_trial x;
	uint32_t type;

	if (!go_trial_begin(in, block, &x))
		return NULL;
	if (!in->sure)
		HF_TRY(list_candidates(in, span));
	infer_interfaces(in, &x);
	type = closure_type(in, &x);
	type = type ? type : chan_type(in, &x);
	type = type ? type : map_part(in, &x);
	type = type ? type : trie_type(in, &x);
	if (!type && in->sure)
		return NULL;
	if (!type && hf_map64_find(&in->caps, block, &cap))
		elem_size = element_size(span, cap);
	cap = elem_size ? cap : 0;
	type = type ? type : only_candidate(in, &x, cap, elem_size);
	in->checks += x.checks;
	if (!type && last && cap)
		type = unknown_elements(go, elem_size);
	if (type) {
		in->typed++;
		go_set_type(in->t, block, type);
	}
	return in->t->err;
}

/* ---- all blocks ---------------------------------------------------------------------------------------------------- */

/* Blocks that a header names the elements of, where these are a map's groups. */
static void name_groups(struct inference *in)
{
	struct go *go = in->t->go;

	for (uint32_t block = 0; block < go->blocks; block++) {
		const struct go_type *type = go_type_get(go, go->block_type[block]);
		uint32_t elem = type->shape == GO_SHAPE_BACKING ? type->elem : go->block_type[block];
		uint64_t map;

		if (elem && type->shape <= GO_SHAPE_BACKING &&
		    hf_map64_find(&in->u->map_of_group, elem, &map))
			go_set_type(in->t, block, go_type_shape(go, GO_SHAPE_MAP_GROUPS, (uint32_t)map, 0));
	}
}

static struct hf_err *infer_span(struct inference *in, const struct go_span *span, bool last)
{
	struct go *go = in->t->go;
	uint32_t block = span->first_block;

	HF_TRY(hf_interrupt_check());
	for (uint32_t w = 0; w < (span->nelems + 63) / 64; w++)
		for (uint64_t bits = go->words.at[span->word + w].bits; bits; bits &= bits - 1, block++)
			if (!go->block_type[block] && in->live[block / 8] >> (block % 8) & 1 &&
			    in->checks < GO_CHECKS_MAX)
				HF_TRY(infer_block(in, span, block, last));
	return go_typing_drain(in->t);
}

static int by_size(const void *a, const void *b)
{
	const struct go_span *x = *(const struct go_span *const *)a, *y = *(const struct go_span *const *)b;

	if (x->elemsize != y->elemsize)
		return x->elemsize < y->elemsize ? 1 : -1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* The largest first: arrays and map slots tell of many small objects what those alone do not show. */
static struct hf_err *infer_spans(struct inference *in, const struct go_span **spans, size_t n)
{
	for (int round = 0; round < ROUNDS; round++) {
		bool last = round == ROUNDS - 1;

		in->typed = 0;
		for (size_t i = 0; i < n; i++)
			HF_TRY(infer_span(in, spans[i], last));
		if (!in->typed && !last)
			round = ROUNDS - 2;
	}
	return NULL;
}

static struct hf_err *infer_all(struct inference *in)
{
	struct go *go = in->t->go;
	_free_ const struct go_span **spans = hf_calloc(go->spans.n, sizeof(*spans));
	size_t n = 0;

	if (!spans)
		return hf_err_nomem();
	hf_vec_each(&go->spans, span)
		if (!span->noscan && !span->user_arena)
			spans[n++] = span;
	if (n)
		qsort(spans, n, sizeof(*spans), by_size);
	name_groups(in);
	if (!in->sure)
		HF_TRY(infer_roots(in));
	HF_TRY(go_typing_drain(in->t));
	HF_TRY(infer_spans(in, spans, n));
	return go_infer_rest(in);
}

struct hf_err *go_infer_types(struct typing *t, const uint8_t *live, bool sure)
{
	struct go_universe u = {0};
	struct inference in = {.t = t, .u = &u, .live = live, .sure = sure};
	struct hf_err *err = go_universe_init(t->go, &u);

	if (!err)
		err = infer_all(&in);
	hf_map64_deinit(&in.caps);
	hf_vec_deinit(&in.candidates);
	hf_vec_deinit(&in.pointers);
	hf_vec_deinit(&in.scratch);
	hf_vec_deinit(&in.structs);
	go_leads_deinit(&in);
	go_universe_deinit(&u);
	return err;
}
