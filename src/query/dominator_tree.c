/* dominators: the tree of who alone holds what. */
#include "dominator_rows.h"

#define DEPTH_DEFAULT 5
#define DEPTH_MAX     100
#define MAX_DEFAULT   10
#define SHARE_DEFAULT 0.01

static struct hf_err *read_options(const struct hf_dominators_options *given,
				   struct hf_dominators_options *ret)
{
	*ret = (struct hf_dominators_options){.min_bytes = HF_UNKNOWN, .min_share = SHARE_DEFAULT};
	if (given)
		memcpy(ret, given, hf_min(given->size, sizeof(*ret)));
	ret->depth = ret->depth ? ret->depth : DEPTH_DEFAULT;
	ret->max = ret->max ? ret->max : MAX_DEFAULT;
	if (ret->depth > DEPTH_MAX)
		return hf_err(HF_USAGE, "a depth of %" PRIu32 " is too much: at most %d", ret->depth,
			      DEPTH_MAX);
	if (ret->min_bytes == HF_UNKNOWN && !(ret->min_share >= 0 && ret->min_share <= 1))
		return hf_err(HF_USAGE, "the least share of a tree is from 0 to 1, not %g", ret->min_share);
	return NULL;
}

static uint64_t least(const struct hf_dominators_options *options, uint64_t bytes)
{
	double share = options->min_share * (double)bytes;

	if (options->min_bytes != HF_UNKNOWN)
		return options->min_bytes;
	return share < (double)bytes ? (uint64_t)share : bytes;
}

/* ---- where it begins ----------------------------------------------------------------------------------------- */

static struct hf_err *begin_at(struct hf_forest *f, const char *word, uint64_t addr, struct hf_line *ret)
{
	uint32_t block;

	HF_TRY(hf_block_find(f->s, word, addr, &block));
	if (f->d->idom[block] == HF_NO_BLOCK)
		return hf_err_at(HF_USAGE, addr,
				 "%s is garbage: no root leads to it, and it has no place in the tree", word);
	return hf_forest_begin(f, HF_DOMINATOR_OBJECT, block, ret);
}

static struct hf_err *begin_at_type(struct hf_forest *f, const char *word, struct hf_line *ret)
{
	_free_ uint8_t *wanted = hf_calloc(f->s->rt->ops->types(f->s->rt), 1);
	bool any;

	if (!wanted)
		return hf_err_nomem();
	HF_TRY(hf_types_match(f->s, word, wanted, &any));
	if (!any)
		return hf_err(
			HF_USAGE,
			"\"%s\" is neither an address (0x...), nor a root or a type that this heap has (see: "
			"holdfast top --by root)",
			word);
	HF_TRY(hf_forest_begin_types(f, wanted, ret));
	return ret->n ? NULL : hf_err(HF_USAGE, "no live object is of type %s", word);
}

/* word  NULL: the whole heap. */
static struct hf_err *begin(struct hf_forest *f, const char *word, struct hf_line *ret)
{
	uint32_t holder;
	uint64_t addr;
	bool found;

	if (!word)
		return hf_forest_begin(f, HF_DOMINATOR_HEAP, hf_dominators_top(f->d), ret);
	if (hf_parse_address(word, &addr))
		return begin_at(f, word, addr, ret);
	HF_TRY(hf_holder_match(f->s->holders, word, &holder));
	if (holder != UINT32_MAX)
		return hf_forest_begin(f, HF_DOMINATOR_ROOT, hf_dominators_holder(f->d, holder), ret);
	HF_TRY(hf_session_find_variable(f->s, word, &found, &addr));
	return found ? begin_at(f, word, addr, ret) : begin_at_type(f, word, ret);
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

typedef HF_VEC(struct hf_dominator_row) rows_vec;

static struct hf_err *name_row(struct hf_forest *f, const void *result, const struct hf_line *line,
			       struct hf_dominator_row *row)
{
	struct hf_runtime *rt = f->s->rt;
	struct hf_str name = {0};
	struct hf_err *err;

	if (line->kind == HF_DOMINATOR_ROOT)
		hf_str_add(&name, f->s->holders->names[f->nodes.at[line->first] - f->d->blocks]);
	else if (line->kind == HF_DOMINATOR_OBJECT)
		rt->ops->type_name(rt, rt->ops->block_type(rt, f->nodes.at[line->first]), &name);
	err = hf_str_check(&name);
	row->name = err ? NULL : hf_arena_strndup(hf_result_arena(result), hf_str_get(&name), name.n);
	hf_str_deinit(&name);
	return err || row->name ? err : hf_err_nomem();
}

/* Depth first, with the lines that are still to come on a stack. */
static struct hf_err *list(struct hf_forest *f, const void *result, const struct hf_line *start,
			   uint32_t depth, rows_vec *rows)
{
	hf_lines stack = {0}, below = {0};
	struct hf_err *err = hf_vec_push(&stack, *start);

	while (stack.n && !err) {
		struct hf_line line = stack.at[--stack.n];
		struct hf_dominator_row row;

		below.n = 0;
		err = hf_forest_open(f, &line, &row, line.depth < depth ? &below : NULL);
		if (!err)
			err = name_row(f, result, &line, &row);
		if (!err)
			err = hf_vec_push(rows, row);
		while (below.n && !err)
			err = hf_vec_push(&stack, below.at[--below.n]);
	}
	hf_vec_deinit(&stack);
	hf_vec_deinit(&below);
	return err;
}

static struct hf_err *grow(struct hf_session *s, const void *result, const char *word,
			   const struct hf_dominators_options *options, struct hf_dominator_tree *ret)
{
	_cleanup_(hf_forest_deinit) struct hf_forest f;
	struct hf_dominator_row *kept;
	struct hf_line start;
	rows_vec rows = {0};
	struct hf_err *err;

	HF_TRY(hf_forest_init(&f, s));
	HF_TRY(begin(&f, word, &start));
	f.min = least(options, start.bytes);
	f.max = options->max;
	err = list(&f, result, &start, options->depth, &rows);
	kept = err ? NULL : hf_result_alloc(result, rows.n, sizeof(*kept));
	if (kept)
		memcpy(kept, rows.at, rows.n * sizeof(*kept));
	else if (!err)
		err = hf_err_nomem();
	*ret = (struct hf_dominator_tree){.query = hf_result_str(result, word ? word : ""),
					  .min_bytes = f.min,
					  .rows = kept,
					  .n = rows.n};
	hf_vec_deinit(&rows);
	return err;
}

static struct hf_err *grow_all(struct hf_session *s, const char *const *words, size_t n,
			       const struct hf_dominators_options *options, struct hf_dominator_trees *ret)
{
	struct hf_dominator_tree *trees = hf_result_alloc(ret, hf_max(n, (size_t)1), sizeof(*trees));
	uint32_t top = hf_dominators_top(s->dominators);

	if (!trees)
		return hf_err_nomem();
	ret->trees = trees;
	ret->n = hf_max(n, (size_t)1);
	ret->depth = options->depth;
	ret->max = options->max;
	ret->total_count = s->dominators->retained_blocks[top];
	ret->total_bytes = s->dominators->retained[top];
	for (size_t i = 0; i < ret->n; i++)
		HF_TRY(grow(s, ret, n ? words[i] : NULL, options, &trees[i]));
	return NULL;
}

struct hf_err *hf_dominators(struct hf_session *s, const char *const *words, size_t n,
			     const struct hf_dominators_options *given, const struct hf_dominator_trees **ret)
{
	struct hf_dominators_options options;
	struct hf_dominator_trees *result = NULL;
	struct hf_err *err;

	HF_TRY(read_options(given, &options));
	HF_TRY(hf_session_dominators(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = grow_all(s, words, n, &options, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
