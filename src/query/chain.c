/* Chains: blocks in a row, from a root, in words. */
#include "session.h"

struct hf_err *hf_chain_fill(struct hf_session *s, const void *result, uint32_t root, const uint32_t *path, uint32_t n, struct hf_chain *ret)
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

		steps[i] = (struct hf_step){.addr = block.addr, .size = block.size, .via = "", .type = hf_block_type_name(s, result, path[i])};
		if (i + 1 == n)
			break;
		err = ops->edge_name(s->rt, path[i], path[i + 1], s->options.redact, &via);
		steps[i].via = hf_result_take_str(result, &via);
	}
	return err;
}

struct hf_err *hf_chain_nearest(struct hf_session *s, const void *result, uint32_t block, struct hf_chain *ret)
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

const char *hf_holder_name(struct hf_session *s, const void *result, uint32_t root)
{
	struct hf_found_root found = hf_root_at(s, root);
	struct hf_str name = {0}, via = {0};

	if (hf_err_ignore(s->rt->ops->root_name(s->rt, &found, &name, &via)))
		hf_str_add(&name, "?");
	hf_str_deinit(&via);
	return hf_result_take_str(result, &name);
}
