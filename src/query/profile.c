/* export: profiles, made of what is held or runs. */
#define _GNU_SOURCE
#include "profile.h"

#include "../base/workers.h"

#include <stdlib.h>

#define SAMPLES_DEFAULT 20000

/* ---- locations -------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct hf_profile_location *l)
{
	return hf_text_hash(hf_text_hash(l->line, l->function), l->file);
}

static bool same(const struct hf_profile_location *a, const struct hf_profile_location *b)
{
	return a->line == b->line && !strcmp(a->function, b->function) && !strcmp(a->file, b->file);
}

struct hf_err *hf_profile_location(struct hf_profile_maker *m, const struct hf_profile_location *location,
				   uint32_t *ret)
{
	struct hf_profile_location kept = *location;
	uint64_t hash = hash_of(location), first = 0;

	hf_map64_find(&m->by_hash, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = m->next.at[i - 1])
		if (same(&m->locations.at[i - 1], location)) {
			*ret = i - 1;
			return NULL;
		}
	kept.function =
		hf_arena_strndup(hf_result_arena(m->result), location->function, strlen(location->function));
	kept.file = hf_arena_strndup(hf_result_arena(m->result), location->file, strlen(location->file));
	if (!kept.function || !kept.file)
		return hf_err_nomem();
	HF_TRY(hf_vec_push(&m->locations, kept));
	HF_TRY(hf_vec_push(&m->next, (uint32_t)first));
	*ret = (uint32_t)m->locations.n - 1;
	return hf_map64_put(&m->by_hash, hash, m->locations.n);
}

/* ---- samples ------------------------------------------------------------------------------------------------ */

static void *copy(const struct hf_profile_maker *m, const void *from, size_t n, size_t size)
{
	void *to = hf_result_alloc(m->result, n, size);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

struct hf_err *hf_profile_add(struct hf_profile_maker *m, const struct hf_profile_sample *sample)
{
	struct hf_profile_sample kept = *sample;

	kept.locations = copy(m, sample->locations, sample->locations_n, sizeof(*sample->locations));
	kept.values = copy(m, sample->values, m->result->values_n, sizeof(*sample->values));
	kept.labels = copy(m, sample->labels, sample->labels_n, sizeof(*sample->labels));
	if (!kept.locations || !kept.values || !kept.labels)
		return hf_err_nomem();
	return hf_vec_push(&m->samples, kept);
}

/* The largest of its values: counts are below the bytes that they are of. */
static int64_t size_of(const struct hf_profile_sample *s, size_t values)
{
	int64_t most = 0;

	for (size_t i = 0; i < values; i++)
		most = hf_max(most, s->values[i]);
	return most;
}

static int compare_samples(const void *a, const void *b, void *arg)
{
	const struct hf_profile_maker *m = arg;
	const struct hf_profile_sample *x = a, *y = b;
	size_t values = m->result->values_n, at = m->result->default_value;
	int64_t p = x->values[at], q = y->values[at];

	if (p == q) {
		p = size_of(x, values);
		q = size_of(y, values);
	}
	if (p != q)
		return p < q ? 1 : -1;
	if (x->locations_n != y->locations_n)
		return x->locations_n < y->locations_n ? -1 : 1;
	return memcmp(x->locations, y->locations, x->locations_n * sizeof(*x->locations));
}

/* Leaves out locations that no sample is at any more. */
static struct hf_err *drop_unused(struct hf_profile_maker *m)
{
	_free_ uint32_t *number = hf_calloc(m->locations.n, sizeof(*number));
	uint32_t n = 0;

	if (!number)
		return hf_err_nomem();
	hf_vec_each(&m->samples, s)
		for (uint32_t i = 0; i < s->locations_n; i++)
			number[s->locations[i]] = 1;
	for (uint32_t i = 0; i < m->locations.n; i++)
		if (number[i]) {
			m->locations.at[n] = m->locations.at[i];
			number[i] = n++;
		}
	m->locations.n = n;
	hf_vec_each(&m->samples, r)
		for (uint32_t i = 0; i < r->locations_n; i++) {
			uint32_t *at = &((uint32_t *)r->locations)[i];

			*at = number[*at];
		}
	return NULL;
}

static struct hf_err *sum_up(struct hf_profile_maker *m)
{
	struct hf_profile *p = m->result;
	int64_t totals[HF_PROFILE_VALUES_MAX] = {0}, others[HF_PROFILE_VALUES_MAX] = {0};
	struct hf_profile_sample rest = {.values = others, .locations_n = 1};
	uint32_t location;

	if (m->samples.n)
		qsort_r(m->samples.at, m->samples.n, sizeof(*m->samples.at), compare_samples, m);
	for (size_t i = 0; i < m->samples.n; i++)
		for (size_t v = 0; v < p->values_n; v++) {
			int64_t value = m->samples.at[i].values[v];

			totals[v] = hf_profile_sum(totals[v], value);
			others[v] = hf_profile_sum(others[v], i >= m->max ? value : 0);
		}
	if (m->samples.n > m->max) {
		p->left_out += m->samples.n - m->max;
		m->samples.n = m->max;
		HF_TRY(hf_profile_location(
			m, &(struct hf_profile_location){.function = "(others)", .file = ""}, &location));
		rest.locations = &location;
		HF_TRY(hf_profile_add(m, &rest));
		HF_TRY(drop_unused(m));
	}
	p->totals = copy(m, totals, p->values_n, sizeof(*totals));
	p->samples = copy(m, m->samples.at, m->samples.n, sizeof(*m->samples.at));
	p->samples_n = m->samples.n;
	p->locations = copy(m, m->locations.at, m->locations.n, sizeof(*m->locations.at));
	p->locations_n = m->locations.n;
	return p->totals && p->samples && p->locations ? NULL : hf_err_nomem();
}

/* ---- where it is from -------------------------------------------------------------------------------------------- */

static void add_fact(struct hf_str *text, const char *name, uint64_t value)
{
	if (value == HF_NOLIMIT)
		hf_str_addf(text, "%s: max\n", name);
	else if (value != HF_UNKNOWN)
		hf_str_addf(text, "%s: %" PRIu64 " bytes\n", name, value);
}

static void add_label(struct hf_profile_label *labels, uint32_t *n, const char *key, uint64_t value)
{
	if (value == HF_NOLIMIT)
		labels[(*n)++] = (struct hf_profile_label){.key = key, .text = "max"};
	else if (value != HF_UNKNOWN)
		labels[(*n)++] = (struct hf_profile_label){
			.key = key, .number = hf_profile_value(value), .unit = "bytes"};
}

/* What the cgroup is charged, and may be: the same for all samples, behind what labels they have. */
static struct hf_err *add_cgroup(struct hf_profile_maker *m)
{
	const struct hf_facts *facts = m->s->t->facts;
	struct hf_profile_label common[2];
	uint32_t n = 0;

	if (!facts)
		return NULL;
	add_label(common, &n, "cgroup_current", facts->cgroup_current);
	add_label(common, &n, "cgroup_max", facts->cgroup_max);
	hf_vec_each(&m->samples, sample) {
		struct hf_profile_label *labels =
			hf_result_alloc(m->result, sample->labels_n + n, sizeof(*labels));

		if (!labels)
			return hf_err_nomem();
		if (sample->labels_n)
			memcpy(labels, sample->labels, sample->labels_n * sizeof(*labels));
		memcpy(labels + sample->labels_n, common, n * sizeof(*labels));
		sample->labels = labels;
		sample->labels_n += n;
	}
	return NULL;
}

static struct hf_err *add_comments(struct hf_profile_maker *m)
{
	const struct hf_target *t = m->s->t;
	struct hf_str text = {0};
	const char **lines;
	char *at;
	size_t n = 0;

	hf_str_addf(&text, "%s profile of %s, by holdfast " HF_VERSION "\n", m->result->name, t->label);
	if (t->facts) {
		add_fact(&text, "cgroup_current", t->facts->cgroup_current);
		add_fact(&text, "cgroup_max", t->facts->cgroup_max);
		add_fact(&text, "rss", t->facts->rss);
	}
	if (*m->result->note)
		hf_str_addf(&text, "%s\n", m->result->note);
	if (t->incomplete)
		hf_str_add(&text, "not complete: the answer of the command says what is missing\n");
	HF_TRY(hf_str_check(&text));
	at = (char *)hf_result_take_str(m->result, &text);
	for (const char *s = at; *s; s++)
		n += *s == '\n';
	lines = hf_result_alloc(m->result, n, sizeof(*lines));
	if (!lines)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++) {
		lines[i] = at;
		at = strchr(at, '\n');
		*at++ = '\0';
	}
	m->result->comments = lines;
	m->result->comments_n = n;
	m->result->taken_at = t->facts ? t->facts->taken_at : 0;
	return NULL;
}

static void add_executable(struct hf_profile_maker *m)
{
	const struct hf_module *module = hf_syms_main(m->s->syms);
	struct hf_profile *p = m->result;
	struct hf_str id = {0};

	p->exe = p->build_id = "";
	if (!module)
		return;
	p->exe = hf_result_str(p, module->path);
	p->exe_start = module->start;
	p->exe_end = module->end;
	for (size_t i = 0; i < hf_min(module->build_id_len, sizeof(module->build_id)); i++)
		hf_str_addf(&id, "%02x", module->build_id[i]);
	if (!id.n)
		hf_str_add(&id, module->go_build_id);
	p->build_id = hf_result_take_str(p, &id);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

static struct hf_err *make(struct hf_profile_maker *m, enum hf_profile_kind kind)
{
	static struct hf_err *(*const kinds[])(struct hf_profile_maker * m) = {
		[HF_PROFILE_RETAINED] = hf_profile_retained,
		[HF_PROFILE_GOROUTINE] = hf_profile_goroutines,
		[HF_PROFILE_ALLOC] = hf_profile_alloc,
	};

	if ((unsigned)kind >= HF_LEN(kinds))
		return hf_err(HF_USAGE, "there is no profile of kind %d", (int)kind);
	m->result->kind = kind;
	HF_TRY(kinds[kind](m));
	HF_TRY(add_cgroup(m));
	HF_TRY(sum_up(m));
	add_executable(m);
	return add_comments(m);
}

static void maker_deinit(struct hf_profile_maker *m)
{
	hf_vec_deinit(&m->locations);
	hf_vec_deinit(&m->next);
	hf_vec_deinit(&m->samples);
	hf_map64_deinit(&m->by_hash);
}

struct hf_err *hf_profile_make(struct hf_session *s, const struct hf_profile_options *options,
			       struct hf_profile **ret)
{
	_cleanup_(maker_deinit) struct hf_profile_maker m = {.s = s};
	struct hf_profile_options set = {.size = sizeof(set)};
	struct hf_err *err;

	if (options)
		memcpy(&set, options, hf_min(options->size, sizeof(set)));
	m.max = set.max ? set.max : SAMPLES_DEFAULT;
	HF_TRY(hf_session_load(s));
	HF_TRY(hf_result_new(sizeof(*m.result), &m.result));
	m.result->note = "";
	err = make(&m, set.kind);
	if (err) {
		hf_result_free(m.result);
		return err;
	}
	*ret = m.result;
	return NULL;
}
