/* Chains: blocks in a row, from a root, in words. */
#include "session.h"

#include "../base/map64.h"
#include "../base/vec.h"

struct hf_err *hf_chain_fill(struct hf_session *s, const void *result, uint32_t root, const uint32_t *path,
			     uint32_t n, struct hf_chain *ret)
{
	const struct hf_runtime_ops *ops = s->rt->ops;
	struct hf_found_root found = hf_root_at(s, root);
	struct hf_str name = {0}, via = {0};
	struct hf_step *steps = hf_result_alloc(result, n, sizeof(*steps));
	struct hf_err *err;

	if (!steps)
		return hf_err_nomem();
	err = ops->root_name(s->rt, &found, &name, &via);
	*ret = (struct hf_chain){
		.root_kind = hf_root_kind_name(found.kind),
		.root_name = hf_result_take_str(result, &name),
		.root_via = hf_result_take_str(result, &via),
		.root_addr = found.slot,
		.steps = steps,
		.n = n,
	};
	for (uint32_t i = 0; i < n && !err; i++) {
		struct hf_block block = ops->block(s->rt, path[i]);

		steps[i] = (struct hf_step){.addr = block.addr,
					    .size = block.size,
					    .via = "",
					    .tags = "",
					    .type = hf_block_type_name(s, result, path[i])};
		if (i + 1 == n)
			break;
		err = ops->edge_name(s->rt, path[i], path[i + 1], s->options.redact, &via);
		steps[i].via = hf_result_take_str(result, &via);
		if (!err && ops->edge_tags)
			err = ops->edge_tags(s->rt, path[i], path[i + 1], &via);
		steps[i].tags = hf_result_take_str(result, &via);
	}
	return err;
}

struct hf_err *hf_chain_nearest(struct hf_session *s, const void *result, uint32_t block,
				struct hf_chain *ret)
{
	_free_ uint32_t *path = NULL;
	uint32_t n = 0;

	HF_TRY(hf_session_nearest(s));
	for (uint32_t b = block; b != HF_NO_BLOCK; b = s->parent[b])
		n++;
	path = hf_malloc(n * sizeof(*path));
	if (!path)
		return hf_err_nomem();
	for (uint32_t b = block, i = n; b != HF_NO_BLOCK; b = s->parent[b])
		path[--i] = b;
	return hf_chain_fill(s, result, s->nearest[block], path, n, ret);
}

/* Numbers names: equal ones get equal numbers. */
struct names {
	struct hf_map64 at; /* hash -> 1 + index of the first name with it; then by next */
	HF_VEC(const char *) names;
	HF_VEC(uint32_t) next;
};

static struct hf_err *number_of(struct names *n, const void *result, const char *name, uint32_t *ret)
{
	uint64_t hash = hf_text_hash(0, name), first = 0;
	const char *copy;

	hf_map64_find(&n->at, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = n->next.at[i - 1])
		if (!strcmp(n->names.at[i - 1], name)) {
			*ret = i - 1;
			return NULL;
		}
	copy = hf_arena_strndup(hf_result_arena(result), name, strlen(name));
	if (!copy)
		return hf_err_nomem();
	HF_TRY(hf_vec_push(&n->names, copy));
	HF_TRY(hf_vec_push(&n->next, (uint32_t)first));
	*ret = (uint32_t)n->names.n - 1;
	return hf_map64_put(&n->at, hash, n->names.n);
}

/* Roots of one owner and kind share a holder: the name is asked for once. */
static struct hf_err *number_roots(struct hf_session *s, const void *result, struct names *n,
				   uint32_t *holder)
{
	struct hf_map64 owners = {0};
	struct hf_err *err = NULL;

	for (uint32_t i = 0; i < s->graph->roots.n && !err; i++) {
		struct hf_found_root root = hf_root_at(s, i);
		uint64_t key = (uint64_t)root.kind << 32 | root.owner, found;
		struct hf_str name = {0};

		if (hf_map64_find(&owners, key, &found)) {
			holder[i] = (uint32_t)found;
			continue;
		}
		s->rt->ops->holder_name(s->rt, &root, &name);
		err = hf_str_check(&name);
		if (!err)
			err = number_of(n, result, hf_str_get(&name), &holder[i]);
		hf_str_deinit(&name);
		if (!err)
			err = hf_map64_put(&owners, key, holder[i]);
	}
	hf_map64_deinit(&owners);
	return err;
}

struct hf_err *hf_holders_number(struct hf_session *s, const void *result, struct hf_holders *ret)
{
	struct names n = {0};
	uint32_t *holder = hf_result_alloc(result, s->graph->roots.n, sizeof(*holder));
	struct hf_err *err = holder ? number_roots(s, result, &n, holder) : hf_err_nomem();
	const char **names = err ? NULL : hf_result_alloc(result, n.names.n, sizeof(*names));
	uint8_t *kinds = err ? NULL : hf_result_alloc(result, n.names.n, sizeof(*kinds));

	if (!err && (!names || !kinds))
		err = hf_err_nomem();
	if (!err) {
		if (n.names.n)
			memcpy(names, n.names.at, n.names.n * sizeof(*names));
		for (size_t i = 0; i < s->graph->roots.n; i++)
			kinds[holder[i]] = s->graph->roots.at[i].kind;
		*ret = (struct hf_holders){
			.of_root = holder, .names = names, .kinds = kinds, .n = (uint32_t)n.names.n};
	}
	hf_map64_deinit(&n.at);
	hf_vec_deinit(&n.names);
	hf_vec_deinit(&n.next);
	return err;
}
