/* Goroutines by their stacks, as they stand in memory. */
#include "../base/workers.h"
#include "leaked.h"
#include "profile.h"

#define FRAMES_MAX 128

/* The samples: goroutines that stand in the same place for the same reason. */
struct groups {
	HF_VEC(uint32_t) next; /* by sample: 1 + another of the same hash; 0: none */
	struct hf_map64 by_hash;
};

static void groups_deinit(struct groups *g)
{
	hf_vec_deinit(&g->next);
	hf_map64_deinit(&g->by_hash);
}

static uint64_t hash_of(const struct hf_profile_sample *s)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < s->locations_n; i++)
		h = (h ^ s->locations[i]) * 0x100000001b3u;
	for (uint32_t i = 0; i < s->labels_n; i++)
		h = hf_text_hash(h, s->labels[i].text);
	return h;
}

static bool same(const struct hf_profile_sample *a, const struct hf_profile_sample *b)
{
	if (a->locations_n != b->locations_n || a->labels_n != b->labels_n ||
	    memcmp(a->locations, b->locations, a->locations_n * sizeof(*a->locations)))
		return false;
	for (uint32_t i = 0; i < a->labels_n; i++)
		if (strcmp(a->labels[i].key, b->labels[i].key) ||
		    strcmp(a->labels[i].text, b->labels[i].text))
			return false;
	return true;
}

/* Adds a goroutine to its group. Labels and locations are kept, where it is the first. */
static struct hf_err *add_to_group(struct hf_profile_maker *m, struct groups *g,
				   const struct hf_profile_sample *sample)
{
	uint64_t hash = hash_of(sample), first = 0;

	hf_map64_find(&g->by_hash, hash, &first);
	for (uint32_t i = (uint32_t)first; i; i = g->next.at[i - 1])
		if (same(&m->samples.at[i - 1], sample)) {
			int64_t *values = (int64_t *)m->samples.at[i - 1].values;

			values[0] = hf_profile_sum(values[0], sample->values[0]);
			values[1] = hf_profile_sum(values[1], sample->values[1]);
			return NULL;
		}
	HF_TRY(hf_profile_add(m, sample));
	HF_TRY(hf_vec_push(&g->next, (uint32_t)first));
	return hf_map64_put(&g->by_hash, hash, m->samples.n);
}

static struct hf_err *add_task(struct hf_profile_maker *m, struct groups *g, size_t i)
{
	const struct hf_runtime_ops *ops = m->s->rt->ops;
	struct hf_stack_frame frames[FRAMES_MAX];
	uint32_t locations[FRAMES_MAX + 1];
	struct hf_profile_label labels[HF_PROFILE_LABELS_MAX];
	const struct hf_profile_location further = {.function = "(further frames)", .file = ""};
	struct hf_task task;
	int64_t values[2] = {0, 1};
	struct hf_profile_sample sample = {.locations = locations, .values = values, .labels = labels};
	size_t n = 0;

	HF_TRY(hf_interrupt_check());
	HF_TRY(ops->task(m->s->rt, i, &task));
	/* A stack that cannot be unwound costs the frames, not the goroutine. */
	if (hf_err_ignore(ops->task_frames(m->s->rt, i, frames, FRAMES_MAX, &n)) || !n) {
		frames[0] = (struct hf_stack_frame){.function = task.function, .file = ""};
		n = 1;
	}
	for (size_t f = 0; f < n; f++)
		HF_TRY(hf_profile_location(
			m,
			&(struct hf_profile_location){.function = frames[f].function,
						      .file = frames[f].file ? frames[f].file : "",
						      .line = frames[f].line,
						      .pc = frames[f].pc},
			&locations[f]));
	if (n == FRAMES_MAX)
		HF_TRY(hf_profile_location(m, &further, &locations[n++]));
	values[0] = hf_profile_value(task.stack_bytes);
	sample.locations_n = (uint32_t)n;
	labels[sample.labels_n++] = (struct hf_profile_label){.key = "function", .text = task.function};
	labels[sample.labels_n++] = (struct hf_profile_label){.key = "wait", .text = task.wait};
	labels[sample.labels_n++] = (struct hf_profile_label){.key = "created_by", .text = task.created_by};
	if (m->s->leaks->leaked[i])
		labels[sample.labels_n++] = (struct hf_profile_label){.key = "leaked", .text = "yes"};
	return add_to_group(m, g, &sample);
}

struct hf_err *hf_profile_goroutines(struct hf_profile_maker *m)
{
	static const struct hf_profile_value values[] = {{"stack_space", "bytes"}, {"goroutine", "count"}};
	_cleanup_(groups_deinit) struct groups g = {0};
	size_t n = m->s->rt->ops->tasks(m->s->rt);

	HF_TRY(hf_session_leaks(m->s));
	m->result->name = "goroutine";
	m->result->values = values;
	m->result->values_n = HF_LEN(values);
	m->result->default_value = 1;
	m->result->period = 1;
	m->result->period_type = values[1];
	for (size_t i = 0; i < n; i++)
		HF_TRY(add_task(m, &g, i));
	/* What the labels say lives as long as the runtime: the result lives longer. */
	hf_vec_each(&m->samples, s)
		for (uint32_t i = 0; i < s->labels_n; i++) {
			struct hf_profile_label *label = (struct hf_profile_label *)&s->labels[i];

			label->text = hf_result_str(m->result, label->text);
		}
	return NULL;
}
