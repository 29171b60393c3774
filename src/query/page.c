/* The page: the overview, the first of each list, and one chain, for a ticket. */
#include "session.h"

#define ROWS 8

/* What most of a type's bytes are held by, and one object of them. */
static struct hf_err *example_chain(struct hf_session *s, struct hf_page *page, const char *type)
{
	const struct hf_why *why;
	struct hf_err *err = hf_why(s, &type, 1, 1, &why);

	/* A type without a name of its own cannot be asked for: no example then. */
	if (hf_err_code(err) == HF_USAGE) {
		hf_err_destroy(err);
		return NULL;
	}
	HF_TRY(err);
	hf_result_adopt(page, why);
	if (why->n && why->objects[0].n) {
		page->example = &why->objects[0].chains[0];
		page->example_type = type;
	}
	return NULL;
}

static struct hf_err *fill(struct hf_session *s, struct hf_page *page)
{
	const struct hf_goroutines_options goroutines = {.size = sizeof(goroutines), .limit = ROWS};

	HF_TRY(hf_overview(s, &page->overview));
	hf_result_adopt(page, page->overview);
	HF_TRY(hf_top(s, HF_TOP_BY_TYPE, ROWS, &page->types));
	hf_result_adopt(page, page->types);
	HF_TRY(hf_top(s, HF_TOP_BY_ROOT, ROWS, &page->roots));
	hf_result_adopt(page, page->roots);
	HF_TRY(hf_goroutines(s, &goroutines, &page->goroutines));
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
