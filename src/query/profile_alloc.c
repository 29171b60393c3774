/* Allocations by their stacks, as the runtime's own profile samples them. */
#include "../base/workers.h"
#include "profile.h"

#define FRAMES_MAX 1024 /* of a stack: the runtime keeps no more */

/* The runtime records an address for each function, inlined ones too: the innermost at each is the one that is meant.
 * Source: Go 1.20-1.27 runtime/symtab.go, Frames.Next */
static struct hf_err *add_frame(struct hf_profile_maker *m, uint64_t pc, uint32_t *ret)
{
	struct hf_profile_location location = {.function = "?", .file = "", .pc = pc - 1};
	struct hf_stack_frame frame;
	size_t n = 0;

	HF_TRY(m->s->rt->ops->frames(m->s->rt, pc - 1, &frame, 1, &n));
	if (n) {
		location.function = frame.function;
		location.file = frame.file ? frame.file : "";
		location.line = frame.line;
	}
	return hf_profile_location(m, &location, ret);
}

static struct hf_err *add_site(struct hf_profile_maker *m, uint32_t i, uint64_t rate)
{
	uint64_t allocs, alloc_bytes, live, live_bytes;
	uint32_t locations[FRAMES_MAX];
	struct hf_profile_label label = {.key = "bytes"};
	struct hf_profile_sample sample = {.locations = locations, .labels = &label, .labels_n = 1};
	struct hf_alloc_site site;

	m->s->rt->ops->alloc_sites(m->s->rt, i, &site);
	hf_alloc_scale(rate, site.allocs, site.alloc_bytes, &allocs, &alloc_bytes);
	hf_alloc_scale(rate, (int64_t)((uint64_t)site.allocs - (uint64_t)site.frees),
		       (int64_t)((uint64_t)site.alloc_bytes - (uint64_t)site.free_bytes), &live, &live_bytes);
	for (size_t at = site.own; at < site.pcs_n && sample.locations_n < FRAMES_MAX; at++)
		HF_TRY(add_frame(m, site.pcs[at], &locations[sample.locations_n++]));
	if (!sample.locations_n || !allocs)
		return NULL;
	sample.values = (const int64_t[]){hf_profile_value(allocs), hf_profile_value(alloc_bytes),
					  hf_profile_value(live), hf_profile_value(live_bytes)};
	label.number = hf_profile_value(site.size);
	return hf_profile_add(m, &sample);
}

struct hf_err *hf_profile_alloc(struct hf_profile_maker *m)
{
	static const struct hf_profile_value values[] = {
		{"alloc_objects", "count"},
		{"alloc_space", "bytes"},
		{"inuse_objects", "count"},
		{"inuse_space", "bytes"},
	};
	const struct hf_runtime_ops *ops = m->s->rt->ops;
	const char *why_not = "";
	uint64_t rate;
	uint32_t n;

	if (!ops->alloc_sites_n)
		return hf_err(HF_UNSUPPORTED,
			      "%s keeps no profile of its allocations: export --profile retained", ops->name);
	rate = ops->alloc_rate(m->s->rt, &why_not);
	n = ops->alloc_sites_n(m->s->rt);
	if (!n && !rate)
		return hf_err(HF_TARGET, "%s: %s; --profile retained needs none", m->s->t->label, why_not);
	m->result->name = "alloc";
	m->result->values = values;
	m->result->values_n = HF_LEN(values);
	m->result->default_value = 3;
	m->result->note = rate ? "" : hf_result_str(m->result, why_not);
	m->result->period = rate == HF_UNKNOWN ? 0 : hf_profile_value(rate);
	m->result->period_type = (struct hf_profile_value){"space", "bytes"};
	for (uint32_t i = 0; i < n; i++) {
		if (i % 1024 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(add_site(m, i, rate));
	}
	return NULL;
}
