#include "pprof.h"

#include "../../base/map64.h"
#include "../../base/safe.h"
#include "../../base/str.h"
#include "../../base/vec.h"
#include "../../base/workers.h"
#include "profile.pb-c.h"

#include <zlib.h>

#define PIECE (1u << 20) /* compressed between two looks at whether to go on */

typedef Perftools__Profiles__Profile profile_msg;
typedef Perftools__Profiles__ValueType value_msg;
typedef Perftools__Profiles__Sample sample_msg;
typedef Perftools__Profiles__Label label_msg;
typedef Perftools__Profiles__Mapping mapping_msg;
typedef Perftools__Profiles__Location location_msg;
typedef Perftools__Profiles__Function function_msg;
typedef Perftools__Profiles__Line line_msg;

/* The messages in the making; all but the vectors lives in the arena. */
struct encoder {
	struct hf_arena arena;
	HF_VEC(char *) strings;
	HF_VEC(uint32_t) next; /* by string: another of the same hash; 0: none */
	struct hf_map64 by_hash;
	HF_VEC(function_msg *) functions;
	struct hf_map64 by_names; /* of function and file, as strings' numbers */
	profile_msg msg;
};

static void encoder_deinit(struct encoder *e)
{
	hf_arena_deinit(&e->arena);
	hf_vec_deinit(&e->strings);
	hf_vec_deinit(&e->next);
	hf_map64_deinit(&e->by_hash);
	hf_vec_deinit(&e->functions);
	hf_map64_deinit(&e->by_names);
}

/* n zeroed ones; at least one, so that NULL is out of memory. */
static void *make(struct encoder *e, size_t n, size_t size)
{
	size_t total;

	return hf_mul_overflows(n, size, &total) ? NULL : hf_arena_alloc(&e->arena, hf_max(total, (size_t)1));
}

/* ---- strings ---------------------------------------------------------------------------------------------- */

/* The number of a text of the target, made valid UTF-8 on one line. */
static struct hf_err *text(struct encoder *e, const char *s, int64_t *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str clean = {0};
	uint64_t hash, first = 0;
	char *kept;

	hf_str_add_clean(&clean, s);
	HF_TRY(hf_str_check(&clean));
	s = hf_str_get(&clean);
	hash = hf_text_hash(0, s);
	hf_map64_find(&e->by_hash, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = e->next.at[i])
		if (!strcmp(e->strings.at[i], s)) {
			*ret = i;
			return NULL;
		}
	*ret = 0;
	if (!*s && e->strings.n)
		return NULL;
	kept = hf_arena_strndup(&e->arena, s, strlen(s));
	if (!kept)
		return hf_err_nomem();
	*ret = (int64_t)e->strings.n;
	HF_TRY(hf_vec_push(&e->strings, kept));
	HF_TRY(hf_vec_push(&e->next, (uint32_t)first));
	return *ret ? hf_map64_put(&e->by_hash, hash, (uint64_t)*ret) : NULL;
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

static struct hf_err *value(struct encoder *e, const struct hf_profile_value *from, value_msg **ret)
{
	value_msg *m = make(e, 1, sizeof(*m));

	if (!m)
		return hf_err_nomem();
	perftools__profiles__value_type__init(m);
	HF_TRY(text(e, from->type, &m->type));
	HF_TRY(text(e, from->unit, &m->unit));
	*ret = m;
	return NULL;
}

static struct hf_err *add_values(struct encoder *e, const struct hf_profile *p)
{
	value_msg **list = make(e, p->values_n, sizeof(*list));

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < p->values_n; i++)
		HF_TRY(value(e, &p->values[i], &list[i]));
	e->msg.sample_type = list;
	e->msg.n_sample_type = p->values_n;
	HF_TRY(text(e, p->values[p->default_value].type, &e->msg.default_sample_type));
	if (!p->period)
		return NULL;
	e->msg.period = p->period;
	return value(e, &p->period_type, &e->msg.period_type);
}

/* Locations of one function share it. */
static struct hf_err *function(struct encoder *e, const struct hf_profile_location *from, uint64_t *ret)
{
	int64_t name, file;
	function_msg *m;

	HF_TRY(text(e, from->function, &name));
	HF_TRY(text(e, from->file, &file));
	if (hf_map64_find(&e->by_names, (uint64_t)name << 32 | (uint64_t)file, ret))
		return NULL;
	m = make(e, 1, sizeof(*m));
	if (!m)
		return hf_err_nomem();
	perftools__profiles__function__init(m);
	HF_TRY(hf_vec_push(&e->functions, m));
	*ret = m->id = e->functions.n;
	m->name = m->system_name = name;
	m->filename = file;
	return hf_map64_put(&e->by_names, (uint64_t)name << 32 | (uint64_t)file, m->id);
}

static struct hf_err *add_locations(struct encoder *e, const struct hf_profile *p)
{
	location_msg *all = make(e, p->locations_n, sizeof(*all)),
		     **list = make(e, p->locations_n, sizeof(*list));
	line_msg *lines = make(e, p->locations_n, sizeof(*lines)),
		 **of = make(e, p->locations_n, sizeof(*of));

	if (!all || !list || !lines || !of)
		return hf_err_nomem();
	for (size_t i = 0; i < p->locations_n; i++) {
		const struct hf_profile_location *from = &p->locations[i];

		perftools__profiles__location__init(&all[i]);
		perftools__profiles__line__init(&lines[i]);
		all[i].id = i + 1;
		all[i].address = from->pc;
		all[i].mapping_id = from->pc >= p->exe_start && from->pc < p->exe_end;
		all[i].n_line = 1;
		all[i].line = &of[i];
		lines[i].line = from->line;
		HF_TRY(function(e, from, &lines[i].function_id));
		of[i] = &lines[i];
		list[i] = &all[i];
	}
	e->msg.location = list;
	e->msg.n_location = p->locations_n;
	e->msg.function = e->functions.at;
	e->msg.n_function = e->functions.n;
	return NULL;
}

static struct hf_err *add_labels(struct encoder *e, const struct hf_profile_sample *from, sample_msg *to)
{
	label_msg *all = make(e, from->labels_n, sizeof(*all)),
		  **list = make(e, from->labels_n, sizeof(*list));

	if (!all || !list)
		return hf_err_nomem();
	for (uint32_t i = 0; i < from->labels_n; i++) {
		perftools__profiles__label__init(&all[i]);
		HF_TRY(text(e, from->labels[i].key, &all[i].key));
		if (from->labels[i].text)
			HF_TRY(text(e, from->labels[i].text, &all[i].str));
		else
			all[i].num = from->labels[i].number;
		if (from->labels[i].unit)
			HF_TRY(text(e, from->labels[i].unit, &all[i].num_unit));
		list[i] = &all[i];
	}
	to->label = list;
	to->n_label = from->labels_n;
	return NULL;
}

static struct hf_err *add_sample(struct encoder *e, const struct hf_profile *p,
				 const struct hf_profile_sample *from, sample_msg *to)
{
	uint64_t *ids = make(e, from->locations_n, sizeof(*ids));

	if (!ids)
		return hf_err_nomem();
	perftools__profiles__sample__init(to);
	for (uint32_t i = 0; i < from->locations_n; i++)
		ids[i] = from->locations[i] + (uint64_t)1;
	to->location_id = ids;
	to->n_location_id = from->locations_n;
	to->value = (int64_t *)from->values;
	to->n_value = p->values_n;
	return add_labels(e, from, to);
}

static struct hf_err *add_samples(struct encoder *e, const struct hf_profile *p)
{
	sample_msg *all = make(e, p->samples_n, sizeof(*all)), **list = make(e, p->samples_n, sizeof(*list));

	if (!all || !list)
		return hf_err_nomem();
	for (size_t i = 0; i < p->samples_n; i++) {
		if (i % 4096 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(add_sample(e, p, &p->samples[i], &all[i]));
		list[i] = &all[i];
	}
	e->msg.sample = list;
	e->msg.n_sample = p->samples_n;
	return NULL;
}

/* All that there is to know of its addresses stands in the profile: pprof shall look for no file. */
static struct hf_err *add_mapping(struct encoder *e, const struct hf_profile *p)
{
	mapping_msg *m = make(e, 1, sizeof(*m)), **list = make(e, 1, sizeof(*list));

	if (!m || !list)
		return hf_err_nomem();
	perftools__profiles__mapping__init(m);
	m->id = 1;
	m->memory_start = p->exe_start;
	m->memory_limit = p->exe_end;
	m->file_offset = p->exe_offset;
	m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames = true;
	HF_TRY(text(e, p->exe, &m->filename));
	HF_TRY(text(e, p->build_id, &m->build_id));
	*list = m;
	e->msg.mapping = list;
	e->msg.n_mapping = 1;
	return NULL;
}

static struct hf_err *add_comments(struct encoder *e, const struct hf_profile *p)
{
	int64_t *list = make(e, p->comments_n, sizeof(*list));

	if (!list)
		return hf_err_nomem();
	for (size_t i = 0; i < p->comments_n; i++)
		HF_TRY(text(e, p->comments[i], &list[i]));
	e->msg.comment = list;
	e->msg.n_comment = p->comments_n;
	e->msg.time_nanos = p->taken_at > 0 && p->taken_at < 9e9 ? (int64_t)(p->taken_at * 1e9) : 0;
	return NULL;
}

static struct hf_err *fill(struct encoder *e, const struct hf_profile *p)
{
	int64_t empty;

	perftools__profiles__profile__init(&e->msg);
	if (p->samples_n >= UINT32_MAX || p->locations_n >= UINT32_MAX)
		return hf_err(HF_UNSUPPORTED, "the profile is too large");
	HF_TRY(text(e, "", &empty));
	HF_TRY(add_values(e, p));
	HF_TRY(add_locations(e, p));
	HF_TRY(add_samples(e, p));
	HF_TRY(add_mapping(e, p));
	HF_TRY(add_comments(e, p));
	e->msg.string_table = e->strings.at;
	e->msg.n_string_table = e->strings.n;
	return NULL;
}

/* ---- gzip ------------------------------------------------------------------------------------------------------ */

static struct hf_err *deflate_all(z_stream *z, const uint8_t *from, size_t n, uint8_t *to, size_t room)
{
	int end = Z_OK;

	z->next_in = (uint8_t *)from;
	for (size_t done = 0; end == Z_OK;) {
		size_t in = hf_min(n - done, (size_t)PIECE), out = room - z->total_out;

		HF_TRY(hf_interrupt_check());
		z->avail_in = (unsigned)in;
		z->next_out = to + z->total_out;
		z->avail_out = (unsigned)hf_min(out, (size_t)UINT32_MAX);
		end = deflate(z, done + in == n ? Z_FINISH : Z_NO_FLUSH);
		done += in - z->avail_in;
	}
	return end == Z_STREAM_END ? NULL : hf_err(HF_NOMEM, "the profile cannot be compressed");
}

static struct hf_err *gzip(const uint8_t *from, size_t n, uint8_t **ret, size_t *ret_n)
{
	z_stream z = {0};
	size_t room;
	_free_ uint8_t *to = NULL;
	struct hf_err *err;

	/* 15 bits of window, and 16 for a header of gzip. */
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return hf_err_nomem();
	room = deflateBound(&z, n);
	to = hf_malloc(room);
	err = to ? deflate_all(&z, from, n, to, room) : hf_err_nomem();
	deflateEnd(&z);
	if (err)
		return err;
	*ret = take_ptr(to);
	*ret_n = z.total_out;
	return NULL;
}

struct hf_err *hf_pprof_encode(const struct hf_profile *profile, uint8_t **ret, size_t *ret_n)
{
	_cleanup_(encoder_deinit) struct encoder e = {0};
	_free_ uint8_t *packed = NULL;
	size_t n;

	HF_TRY(fill(&e, profile));
	n = perftools__profiles__profile__get_packed_size(&e.msg);
	packed = hf_malloc(hf_max(n, (size_t)1));
	if (!packed)
		return hf_err_nomem();
	perftools__profiles__profile__pack(&e.msg, packed);
	return gzip(packed, n, ret, ret_n);
}
