/* why: what holds an object, or the objects of a type. */
#include "session.h"
#include "sites.h"

#include "../base/map64.h"
#include "../base/vec.h"

#include <stdlib.h>

static struct hf_err *why_block(struct hf_session *s, struct hf_why *result, uint32_t block, size_t max,
				struct hf_why_object *ret)
{
	struct hf_path *paths = NULL;
	size_t n = 0;
	struct hf_chain *chains;
	struct hf_err *err;
	struct hf_block b = s->rt->ops->block(s->rt, block);

	ret->addr = b.addr;
	ret->size = b.size;
	ret->type = hf_block_type_name(s, result, block);
	ret->state = hf_block_state(s, block);
	ret->count = 1;
	ret->bytes = b.size;
	HF_TRY(hf_allocated_by(s, result, block, &ret->allocated, &ret->allocated_n));
	HF_TRY(hf_graph_paths(s->graph, block, max, &paths, &n));
	chains = hf_result_alloc(result, n, sizeof(*chains));
	err = chains ? NULL : hf_err_nomem();
	for (size_t i = 0; i < n && !err; i++)
		err = hf_chain_fill(s, result, paths[i].root, paths[i].path, paths[i].n, &chains[i]);
	hf_paths_free(paths, n);
	ret->chains = chains;
	ret->n = n;
	return err;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

/* Live objects of a type that the same holder leads to through the same type of object. */
struct group {
	uint32_t example, root, parent_type;
	uint64_t count, bytes;
};

typedef HF_VEC(struct group) groups_vec;

static struct hf_err *gather(struct hf_session *s, const struct hf_holders *holders, const uint8_t *wanted,
			     groups_vec *groups)
{
	struct hf_map64 index = {0};
	struct hf_err *err = NULL;

	for (uint32_t b = 0; b < s->graph->blocks && !err; b++) {
		uint64_t key, at;
		uint32_t parent_type;

		if (!wanted[s->rt->ops->block_type(s->rt, b)] || s->nearest[b] == UINT32_MAX)
			continue;
		parent_type = s->parent[b] == HF_NO_BLOCK ? UINT32_MAX
							  : s->rt->ops->block_type(s->rt, s->parent[b]);
		key = (uint64_t)holders->of_root[s->nearest[b]] << 32 | parent_type;
		if (!hf_map64_find(&index, key, &at)) {
			at = groups->n;
			err = hf_map64_put(&index, key, at);
			if (!err)
				err = hf_vec_push(groups, ((struct group){.example = b,
									  .root = s->nearest[b],
									  .parent_type = parent_type}));
		}
		if (!err) {
			groups->at[at].count++;
			groups->at[at].bytes += s->rt->ops->block(s->rt, b).size;
		}
	}
	hf_map64_deinit(&index);
	return err;
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1)
				    : (x->example > y->example) - (x->example < y->example);
}

typedef HF_VEC(struct hf_why_object) objects_vec;

static struct hf_err *why_group(struct hf_session *s, struct hf_why *result, const char *word,
				const struct group *g, objects_vec *objects)
{
	struct hf_block b = s->rt->ops->block(s->rt, g->example);
	struct hf_chain *chain = hf_result_alloc(result, 1, sizeof(*chain));
	struct hf_why_object o = {
		.query = hf_result_str(result, word),
		.addr = b.addr,
		.size = b.size,
		.type = hf_block_type_name(s, result, g->example),
		.state = "live",
		.count = g->count,
		.bytes = g->bytes,
		.chains = chain,
		.n = 1,
	};

	if (!chain)
		return hf_err_nomem();
	HF_TRY(hf_allocated_by(s, result, g->example, &o.allocated, &o.allocated_n));
	HF_TRY(hf_chain_nearest(s, result, g->example, chain));
	return hf_vec_push(objects, o);
}

static struct hf_err *why_type(struct hf_session *s, struct hf_why *result, const char *word, size_t max,
			       objects_vec *objects)
{
	_free_ uint8_t *wanted = hf_calloc(s->rt->ops->types(s->rt) + 1, 1);
	groups_vec groups = {0};
	struct hf_holders holders;
	struct hf_err *err;
	bool any;

	if (!wanted)
		return hf_err_nomem();
	HF_TRY(hf_types_match(s, word, wanted, &any));
	if (!any)
		return hf_err(
			HF_USAGE,
			"\"%s\" is no address (0x...), no type that this heap holds, and no global variable "
			"(see: holdfast top --by type)",
			word);
	HF_TRY(hf_session_nearest(s));
	HF_TRY(hf_holders_number(s, result, &holders));
	err = gather(s, &holders, wanted, &groups);
	if (!err && !groups.n)
		err = hf_err(HF_USAGE, "no live object is of type %s", word);
	if (groups.n)
		qsort(groups.at, groups.n, sizeof(*groups.at), compare_groups);
	for (size_t i = 0; i < groups.n && i < max && !err; i++)
		err = why_group(s, result, word, &groups.at[i], objects);
	if (groups.n > max)
		result->left_out += groups.n - max;
	hf_vec_deinit(&groups);
	return err;
}

static struct hf_err *why_word(struct hf_session *s, struct hf_why *result, const char *word, size_t max,
			       objects_vec *objects)
{
	struct hf_why_object object = {.query = hf_result_str(result, word)};
	uint64_t addr;
	uint32_t block;
	bool found = hf_parse_address(word, &addr);

	if (!found)
		HF_TRY(hf_session_find_variable(s, word, &found, &addr));
	if (!found)
		return why_type(s, result, word, max, objects);
	HF_TRY(hf_block_find(s, word, addr, &block));
	HF_TRY(why_block(s, result, block, max, &object));
	return hf_vec_push(objects, object);
}

struct hf_err *hf_why(struct hf_session *s, const char *const *words, size_t n, size_t max,
		      const struct hf_why **ret)
{
	struct hf_why *result = NULL;
	objects_vec objects = {0};
	struct hf_err *err = NULL;

	if (!n)
		return hf_err(HF_USAGE, "why what? Give addresses or names of types");
	HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	for (size_t i = 0; i < n && !err; i++)
		err = why_word(s, result, words[i], hf_max(max, (size_t)1), &objects);
	if (!err) {
		struct hf_why_object *kept = hf_result_alloc(result, objects.n, sizeof(*kept));

		if (kept)
			memcpy(kept, objects.at, objects.n * sizeof(*kept));
		result->objects = kept;
		result->n = kept ? objects.n : 0;
	}
	hf_vec_deinit(&objects);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
