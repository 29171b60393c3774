/* Where objects were allocated: the samples of the program's own profile, put together by place. */
#include "sites.h"

#include "../base/workers.h"
#include "retained.h"

#include <stdlib.h>

/* One record of the profile, scaled: place is the frame that it counts for. */
struct stack {
	uint32_t site, place; /* place: a number a name; after put_together the row's */
	const char *function, *file;
	unsigned line;
	uint64_t count, bytes, alloc_count, alloc_bytes;
	int64_t samples, alloc_samples;
};

typedef HF_VEC(struct stack) stacks_vec;

static struct hf_err *frame_at(struct hf_session *s, uint64_t pc, struct hf_stack_frame *ret)
{
	struct hf_stack_frame found[2] = {
		{.function = "?", .file = ""}}; /* the last: what all are inlined into */
	size_t n = 0;

	HF_TRY(s->rt->ops->frames(s->rt, pc - 1, found, HF_LEN(found), &n));
	*ret = found[0];
	return NULL;
}

/* A site's frames, without the runtime's own at the inner end; into memory of the result. */
static struct hf_err *site_frames(struct hf_session *s, const void *result, uint32_t number,
				  const struct hf_frame **ret, size_t *ret_n)
{
	struct hf_alloc_site site;
	struct hf_frame *kept;

	s->rt->ops->alloc_sites(s->rt, number, &site);
	*ret_n = site.pcs_n - site.own;
	*ret = kept = hf_result_alloc(result, *ret_n + 1, sizeof(*kept));
	if (!kept)
		return hf_err_nomem();
	for (size_t i = 0; i < *ret_n; i++) {
		struct hf_stack_frame found;

		HF_TRY(frame_at(s, site.pcs[site.own + i], &found));
		kept[i] = (struct hf_frame){.function = hf_result_str(result, found.function),
					    .file = hf_result_str(result, found.file),
					    .pc = site.pcs[site.own + i],
					    .line = found.line,
					    .inlined = found.inlined};
	}
	return NULL;
}

struct hf_err *hf_allocated_by(struct hf_session *s, const void *result, uint32_t block,
			       const struct hf_frame **ret, size_t *ret_n)
{
	uint32_t site = s->rt->ops->block_site ? s->rt->ops->block_site(s->rt, block) : UINT32_MAX;

	*ret = NULL;
	*ret_n = 0;
	return site == UINT32_MAX ? NULL : site_frames(s, result, site, ret, ret_n);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static struct hf_err *add_stack(struct hf_session *s, uint32_t number, uint64_t rate, stacks_vec *ret)
{
	struct hf_alloc_site site;
	struct hf_stack_frame at = {.function = "?", .file = ""};
	struct stack stack = {.site = number};

	s->rt->ops->alloc_sites(s->rt, number, &site);
	if (site.own < site.pcs_n)
		HF_TRY(frame_at(s, site.pcs[site.own], &at));
	stack.function = at.function;
	stack.file = at.file;
	stack.line = at.line;
	stack.samples = (int64_t)((uint64_t)site.allocs - (uint64_t)site.frees);
	stack.alloc_samples = site.allocs;
	hf_alloc_scale(rate, stack.samples, (int64_t)((uint64_t)site.alloc_bytes - (uint64_t)site.free_bytes),
		       &stack.count, &stack.bytes);
	hf_alloc_scale(rate, site.allocs, site.alloc_bytes, &stack.alloc_count, &stack.alloc_bytes);
	return hf_vec_push(ret, stack);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* By place; in it the most bytes in use first. */
static int compare_stacks(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;
	int order = strcmp(x->function, y->function);

	order = order ? order : strcmp(base_name(x->file), base_name(y->file));
	order = order ? order : (x->line > y->line) - (x->line < y->line);
	order = order ? order : (x->bytes < y->bytes) - (x->bytes > y->bytes);
	return order ? order : (x->site > y->site) - (x->site < y->site);
}

static bool is_same_place(const struct stack *x, const struct stack *y)
{
	return x->line == y->line && !strcmp(x->function, y->function) &&
	       !strcmp(base_name(x->file), base_name(y->file));
}

static const char *place_name(const void *result, const struct hf_site *site)
{
	struct hf_str name = {0};

	hf_str_add(&name, site->function);
	if (*site->file)
		hf_str_addf(&name, " %s:%u", base_name(site->file), site->line);
	return hf_result_take_str(result, &name);
}

static void add_positive(uint64_t *sum, int64_t n)
{
	*sum += n > 0 ? (uint64_t)n : 0;
}

/* The row of the n stacks of one place. */
static struct hf_err *make_row(struct hf_session *s, const void *result, const struct stack *at, size_t n,
			       struct hf_row *ret)
{
	struct hf_site *site = hf_result_alloc(result, 1, sizeof(*site));

	if (!site)
		return hf_err_nomem();
	*site = (struct hf_site){.function = hf_result_str(result, at->function),
				 .file = hf_result_str(result, at->file),
				 .line = at->line,
				 .stacks = n};
	*ret = (struct hf_row){.name = place_name(result, site), .site = site};
	for (size_t i = 0; i < n; i++) {
		ret->count += at[i].count;
		ret->bytes += at[i].bytes;
		site->alloc_count += at[i].alloc_count;
		site->alloc_bytes += at[i].alloc_bytes;
		add_positive(&site->samples, at[i].samples);
		add_positive(&site->alloc_samples, at[i].alloc_samples);
	}
	return site_frames(s, result, at->site, &site->stack, &site->stack_n);
}

struct rows_of {
	struct hf_session *s;
	const uint32_t *row_of; /* a site's row */
};

static uint32_t row_of_block(void *arg, uint32_t block)
{
	const struct rows_of *r = arg;
	uint32_t site = r->s->rt->ops->block_site(r->s->rt, block);

	return site == UINT32_MAX ? UINT32_MAX : r->row_of[site];
}

static struct hf_err *put_together(struct hf_session *s, const void *result, stacks_vec *stacks, hf_rows *ret)
{
	_free_ uint32_t *row_of = hf_calloc(stacks->n + 1, sizeof(*row_of));
	_free_ uint64_t *retained = hf_calloc(stacks->n + 1, sizeof(*retained));
	struct rows_of rows = {s, row_of};

	if (!row_of || !retained)
		return hf_err_nomem();
	if (stacks->n)
		qsort(stacks->at, stacks->n, sizeof(*stacks->at), compare_stacks);
	for (size_t i = 0, end; i < stacks->n; i = end) {
		struct hf_row row;

		for (end = i; end < stacks->n && is_same_place(&stacks->at[i], &stacks->at[end]); end++)
			row_of[stacks->at[end].site] = (uint32_t)ret->n;
		HF_TRY(make_row(s, result, &stacks->at[i], end - i, &row));
		HF_TRY(hf_vec_push(ret, row));
	}
	HF_TRY(hf_retained_by_group(s, (uint32_t)ret->n, row_of_block, &rows, retained));
	for (size_t i = 0; i < ret->n; i++)
		ret->at[i].retained_bytes = retained[i];
	return NULL;
}

struct hf_err *hf_sites_check(struct hf_session *s)
{
	const struct hf_runtime_ops *ops;
	const char *why_not;
	uint64_t rate;

	HF_TRY(hf_session_load(s));
	ops = s->rt->ops;
	if (!ops->alloc_sites_n)
		return hf_err(HF_UNSUPPORTED, "%s keeps no profile of its allocations: ask --by type",
			      ops->name);
	rate = ops->alloc_rate(s->rt, &why_not);
	if (!ops->alloc_sites_n(s->rt) && (!rate || rate == HF_UNKNOWN))
		return hf_err(HF_TARGET, "%s: %s; top --by type and --by root need none", s->t->label,
			      why_not);
	return NULL;
}

struct hf_err *hf_site_rows(struct hf_session *s, const void *result, hf_rows *ret)
{
	stacks_vec stacks = {0};
	struct hf_err *err = NULL;
	const char *why_not;
	uint64_t rate = s->rt->ops->alloc_rate(s->rt, &why_not);
	uint32_t n = s->rt->ops->alloc_sites_n(s->rt);

	for (uint32_t i = 0; i < n && !err; i++) {
		if (i % 1024 == 0)
			err = hf_interrupt_check();
		if (!err)
			err = add_stack(s, i, rate, &stacks);
	}
	if (!err)
		err = put_together(s, result, &stacks, ret);
	hf_vec_deinit(&stacks);
	return err;
}
