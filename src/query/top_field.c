/* top --by field: the objects of a type by the value of a field. */
#include "top.h"

#include "../base/map64.h"
#include "../base/workers.h"

#define NUMBERS_MAX 1024 /* bytes of an object without pointers whose numbers are asked for */

struct grouping {
	struct hf_session *s;
	struct hf_top *result;
	uint8_t *wanted;              /* a type: is it the one */
	uint32_t *group;              /* a block: its row */
	struct hf_map64 rows_by_text; /* hash -> 1 + the last row of it */
	HF_VEC(uint32_t) next;        /* a row: 1 + another one of the same hash */
	hf_rows rows;
	struct hf_field_way way;
	uint32_t way_type; /* that way is of; types of one name are few, and asked for in runs */
	bool has_way;
};

static struct hf_err *row_of(struct grouping *g, const char *text, uint32_t *ret)
{
	uint64_t hash = hf_text_hash(0, text), first = 0;
	const char *name;

	hf_map64_find(&g->rows_by_text, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = g->next.at[i - 1])
		if (!strcmp(g->rows.at[i - 1].name, text)) {
			*ret = i - 1;
			return NULL;
		}
	name = hf_arena_strndup(hf_result_arena(g->result), text, strlen(text));
	if (!name)
		return hf_err_nomem();
	HF_TRY(hf_vec_push(&g->rows, (struct hf_row){.name = name}));
	HF_TRY(hf_vec_push(&g->next, (uint32_t)first));
	*ret = (uint32_t)g->rows.n - 1;
	return hf_map64_put(&g->rows_by_text, hash, g->rows.n);
}

static struct hf_err *group_block(struct grouping *g, uint32_t block, struct hf_str *text)
{
	uint64_t size = g->s->rt->ops->block(g->s->rt, block).size;
	struct hf_row *row;
	uint32_t i = 0;

	hf_str_truncate(text, 0);
	HF_TRY(g->s->rt->ops->field_value(g->s->rt, block, &g->way, text));
	HF_TRY(hf_str_check(text));
	HF_TRY(row_of(g, hf_str_get(text), &i));
	row = &g->rows.at[i];
	row->count++;
	row->bytes += size;
	g->result->total_count++;
	g->result->total_bytes += size;
	g->group[block] = i;
	return NULL;
}

static struct hf_err *group_all(struct grouping *g, const char *path)
{
	struct hf_str text = {0};
	struct hf_err *err = NULL;

	for (uint32_t b = 0; b < g->s->graph->blocks && !err; b++) {
		uint32_t type = g->s->rt->ops->block_type(g->s->rt, b);

		g->group[b] = UINT32_MAX;
		if (b % 65536 == 0)
			err = hf_interrupt_check();
		if (err || !g->wanted[type] || !hf_graph_is_live(g->s->graph, b))
			continue;
		if (!g->has_way || g->way_type != type)
			err = g->s->rt->ops->find_field(g->s->rt, type, path, &g->way);
		g->has_way = true;
		g->way_type = type;
		if (!err)
			err = group_block(g, b, &text);
	}
	hf_str_deinit(&text);
	return err;
}

/* Which dot ends the type's name: the last one before which there is such a type. *ret_path: behind it. */
static struct hf_err *split(struct grouping *g, const char *field, const char **ret_path)
{
	uint32_t types = g->s->rt->ops->types(g->s->rt);

	for (size_t n = strlen(field); n-- > 1;) {
		_free_ char *name = field[n] == '.' ? hf_strndup(field, n) : NULL;
		bool any = false;

		if (field[n] != '.')
			continue;
		if (!name)
			return hf_err_nomem();
		memset(g->wanted, 0, types);
		HF_TRY(hf_types_match(g->s, name, g->wanted, &any));
		if (any) {
			*ret_path = field + n + 1;
			return NULL;
		}
	}
	return hf_err(HF_USAGE,
		      "'%s' is no TYPE.FIELD of an object in the heap ('top --by type' lists the types)",
		      field);
}

/* The field is looked for before any object: so that a mistake is told even where none lives. */
static struct hf_err *check_field(struct grouping *g, const char *field, const char *path)
{
	uint32_t types = g->s->rt->ops->types(g->s->rt), type = 0;

	while (type < types && !g->wanted[type])
		type++;
	HF_TRY(g->s->rt->ops->find_field(g->s->rt, type, path, &g->way));
	if (g->way.is_text && !g->s->options.show_values)
		return hf_err(HF_USAGE, "%s holds text or bytes, which are shown with --show-values only",
			      field);
	g->result->field = hf_result_str(g->result, field);
	g->result->tags = hf_result_str(g->result, g->way.tags);
	return NULL;
}

static uint32_t group_of(void *arg, uint32_t block)
{
	return ((const uint32_t *)arg)[block];
}

static struct hf_err *ask(struct grouping *g, const char *field, size_t limit)
{
	const char *path = "";
	_free_ uint64_t *retained = NULL;

	g->wanted = hf_calloc((size_t)g->s->rt->ops->types(g->s->rt) + 1, 1);
	g->group = hf_malloc(((size_t)g->s->graph->blocks + 1) * sizeof(*g->group));
	if (!g->wanted || !g->group)
		return hf_err_nomem();
	HF_TRY(split(g, field, &path));
	HF_TRY(check_field(g, field, path));
	HF_TRY(group_all(g, path));
	if (!g->rows.n)
		return hf_err(HF_USAGE,
			      "no live object is of the type of %s (elements of arrays and slices are no "
			      "objects of their own)",
			      field);
	retained = hf_calloc(g->rows.n, sizeof(*retained));
	if (!retained)
		return hf_err_nomem();
	HF_TRY(hf_retained_by_group(g->s, (uint32_t)g->rows.n, group_of, g->group, retained));
	for (size_t i = 0; i < g->rows.n; i++)
		g->rows.at[i].retained_bytes = retained[i];
	return hf_top_finish(g->result, &g->rows, false, limit);
}

struct hf_err *hf_top_field(struct hf_session *s, const char *field, size_t limit, const struct hf_top **ret)
{
	struct grouping g = {.s = s};
	struct hf_err *err;

	s->values_max = hf_max(s->values_max, (uint64_t)NUMBERS_MAX);
	HF_TRY(hf_session_type(s));
	if (!s->rt->ops->find_field || !s->rt->ops->field_value)
		return hf_err(HF_UNSUPPORTED, "the fields of this runtime's objects are not known");
	HF_TRY(hf_result_new(sizeof(*g.result), &g.result));
	err = ask(&g, field, limit);
	hf_free(g.wanted);
	hf_free(g.group);
	hf_map64_deinit(&g.rows_by_text);
	hf_vec_deinit(&g.next);
	hf_vec_deinit(&g.rows);
	if (err) {
		hf_result_free(g.result);
		return err;
	}
	*ret = g.result;
	return NULL;
}
