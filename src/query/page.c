/* The page: the overview, the first of each list, and one chain, for a ticket. */
#include "session.h"

#define ROWS 8

/* A live object of a type of that name, and what holds it. */
static struct hf_err *example_chain(struct hf_session *s, struct hf_page *page, const char *type)
{
	uint32_t types = s->rt->ops->types(s->rt);
	_free_ uint8_t *wanted = hf_calloc(types, 1);
	struct hf_str name = {0};

	if (!wanted)
		return hf_err_nomem();
	HF_TRY(hf_session_nearest(s));
	for (uint32_t i = 0; i < types; i++) {
		hf_str_truncate(&name, 0);
		s->rt->ops->type_name(s->rt, i, &name);
		wanted[i] = !strcmp(hf_str_get(&name), type);
	}
	hf_str_deinit(&name);
	for (uint32_t b = 0; b < s->graph->blocks; b++) {
		struct hf_chain *chain;

		if (s->nearest[b] == UINT32_MAX || !wanted[s->rt->ops->block_type(s->rt, b)])
			continue;
		chain = hf_result_alloc(page, 1, sizeof(*chain));
		if (!chain)
			return hf_err_nomem();
		HF_TRY(hf_chain_nearest(s, page, b, chain));
		page->example = chain;
		page->example_type = type;
		return NULL;
	}
	return NULL;
}

static struct hf_err *fill(struct hf_session *s, struct hf_page *page)
{
	HF_TRY(hf_overview(s, &page->overview));
	hf_result_adopt(page, page->overview);
	HF_TRY(hf_top(s, HF_TOP_BY_TYPE, ROWS, &page->types));
	hf_result_adopt(page, page->types);
	HF_TRY(hf_top(s, HF_TOP_BY_ROOT, ROWS, &page->roots));
	hf_result_adopt(page, page->roots);
	HF_TRY(hf_goroutines(s, ROWS, &page->goroutines));
	hf_result_adopt(page, page->goroutines);
	return page->types->n ? example_chain(s, page, page->types->rows[0].name) : NULL;
}

struct hf_err *hf_page(struct hf_session *s, const struct hf_page **ret)
{
	struct hf_page *page = NULL;
	struct hf_err *err;

	HF_TRY(hf_result_new(sizeof(*page), &page));
	err = fill(s, page);
	if (err) {
		hf_result_free(page);
		return err;
	}
	*ret = page;
	return NULL;
}
