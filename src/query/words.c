/* Words of a question: what they may mean. */
#include "session.h"

/* By the full name, without the folders of package paths ("http.Request"), or by the last part alone ("Request"). */
static bool type_is(struct hf_session *s, const char *name, uint32_t type, bool *failed)
{
	struct hf_str full = {0}, brief = {0};
	const char *last;
	bool is;

	s->rt->ops->type_name(s->rt, type, &full);
	hf_str_add_short(&brief, hf_str_get(&full));
	last = strrchr(hf_str_get(&brief), '.');
	is = !strcmp(hf_str_get(&full), name) || !strcmp(hf_str_get(&brief), name);
	is = is || (last && !strcmp(last + 1, name) && !strpbrk(hf_str_get(&brief), "[]*( "));
	*failed |= full.failed || brief.failed;
	hf_str_deinit(&full);
	hf_str_deinit(&brief);
	return is;
}

struct hf_err *hf_types_match(struct hf_session *s, const char *word, uint8_t *ret, bool *ret_any)
{
	uint32_t n = s->rt->ops->types(s->rt);
	struct hf_str first = {0}, other = {0};
	struct hf_err *err = NULL;
	bool failed = false;

	for (uint32_t type = 0; type < n && !err; type++) {
		if (!type_is(s, word, type, &failed))
			continue;
		ret[type] = 1;
		hf_str_truncate(&other, 0);
		s->rt->ops->type_name(s->rt, type, first.n ? &other : &first);
		if (other.n && strcmp(hf_str_get(&first), hf_str_get(&other)))
			err = hf_err(HF_USAGE, "\"%s\" is ambiguous: %s or %s? Give the full path", word,
				     hf_str_get(&first), hf_str_get(&other));
	}
	*ret_any = first.n != 0;
	failed |= first.failed || other.failed;
	hf_str_deinit(&first);
	hf_str_deinit(&other);
	return failed && !err ? hf_err_nomem() : err;
}

/* "main.worker goroutines" may be asked for as main.worker. */
static bool holder_is(const char *name, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(name, word, n) && (!name[n] || !strcmp(name + n, " goroutines"));
}

struct hf_err *hf_holder_match(const struct hf_holders *holders, const char *word, uint32_t *ret)
{
	uint32_t found = UINT32_MAX, other = UINT32_MAX;

	for (uint32_t i = 0; i < holders->n; i++) {
		struct hf_str brief = {0};
		bool is, failed;

		if (holder_is(holders->names[i], word)) {
			*ret = i;
			return NULL;
		}
		hf_str_add_short(&brief, holders->names[i]);
		is = holder_is(hf_str_get(&brief), word);
		failed = brief.failed;
		hf_str_deinit(&brief);
		if (failed)
			return hf_err_nomem();
		if (!is)
			continue;
		other = found;
		found = i;
	}
	if (other != UINT32_MAX)
		return hf_err(HF_USAGE, "\"%s\" is ambiguous: %s or %s? Give the full path", word,
			      holders->names[other], holders->names[found]);
	*ret = found;
	return NULL;
}

static struct hf_err *no_object(struct hf_session *s, const char *word, uint64_t addr)
{
	struct hf_where where = s->rt->ops->where(s->rt, addr);
	struct hf_variable variable;
	struct hf_str what = {0};
	struct hf_err *err;

	if (where.place == HF_PLACE_FREE)
		hf_str_addf(&what, "free: nothing is allocated there");
	else if (hf_syms_variable_at(s->syms, addr, &variable))
		hf_str_addf(&what, "in the global variable %s, which needs no holder", variable.name);
	else if (hf_err_ignore(s->rt->ops->describe(s->rt, addr, &what)) || !what.n)
		hf_str_add(&what, hf_target_find_map(s->t, addr) ? "memory that is not the Go heap's"
								 : "not mapped");
	err = hf_err_at(HF_USAGE, addr, "%s is no heap object: it is %s (see: holdfast info %s)", word,
			hf_str_get(&what), word);
	hf_str_deinit(&what);
	return err;
}

struct hf_err *hf_block_find(struct hf_session *s, const char *word, uint64_t addr, uint32_t *ret)
{
	return s->rt->ops->find_block(s->rt, addr, ret) ? NULL : no_object(s, word, addr);
}
