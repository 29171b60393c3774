/* Is what was walked what the runtime says there is? Never a wrong number: what cannot be believed is not answered. */
#include "go.h"

/* A stop in the middle of an allocation, of a sweep or of a flush of counters explains a few objects for each thread, and
 * an unfinished flush those of one P's caches; not a twentieth of a large heap. */
#define DIFFERENCE_SHARE 20
#define DIFFERENCE_MIN   10000
#define SPANS_MIN        64 /* fewer bad ones may be chance */

static bool differs_much(uint64_t walked, uint64_t counted)
{
	uint64_t more = hf_max(walked, counted), less = hf_min(walked, counted);

	return more - less > DIFFERENCE_MIN && more - less > more / DIFFERENCE_SHARE;
}

/* found, of: what contradicts it, of how many. */
static struct hf_err *unsupported(const struct go *go, uint64_t found, uint64_t of, const char *what)
{
	return hf_err(HF_UNSUPPORTED,
		      "%s cannot be read: %" PRIu64 " of %" PRIu64 " %s: its heap is not laid out as %s",
		      go->version, found, of, what,
		      go->layout.from_dwarf ? "its DWARF says" : "that release's usually is");
}

/* Spans whose objects are not as many as their own count. */
static bool is_miscounted(const struct go *go)
{
	return go->miscounted_spans >= SPANS_MIN && go->miscounted_spans > go->spans.n / 2;
}

/* On a release that we know, spans that make no sense are damage, and the rest is answered; on others, and where the
 * variables were guessed, it is we who do not understand them. */
static bool is_misread(const struct go *go)
{
	bool sure = go->layout.minor <= GO_NEWEST && !go->layout.stripped;

	return !sure && go->damaged_spans.n >= SPANS_MIN && go->damaged_spans.n > go->spans.n;
}

void go_tell_damage(struct go *go)
{
	static const struct {
		bool incomplete;
		const char *what, *then;
	} kinds[] = {
#define KIND(name, incomplete, what, then) {incomplete, what, then},
		GO_DAMAGES(KIND)
#undef KIND
	};

	for (size_t i = 0; i < HF_LEN(kinds); i++) {
		struct go_damage *d = &go->damage[i];
		bool by_type = i == GO_DAMAGE_MAPS || i == GO_DAMAGE_CHANS || i == GO_DAMAGE_DESCRIPTORS;

		/* Where types are guesses, what does not fit one is no damage. */
		if (d->n == d->told || (by_type && go->layout.stripped))
			continue;
		d->told = d->n;
		/* A process may be caught in the middle of a write to a map. */
		hf_target_warn(go->t, kinds[i].incomplete && !(by_type && go->t->ops->stop),
			       "%" PRIu64 " %s, the first at 0x%" PRIx64 ": %s", d->n, kinds[i].what,
			       d->lowest, kinds[i].then);
	}
}

static void warn_of_damage(struct go *go)
{
	if (go->damaged_spans.n)
		hf_target_warn(go->t, true,
			       "%" PRIu64
			       " spans of the Go heap are damaged or unreadable, and left out: the first of "
			       "these mspans is at 0x%" PRIx64,
			       go->damaged_spans.n, go->damaged_spans.lowest);
	if (go->damaged_types.n)
		hf_target_warn(go->t, true,
			       "%" PRIu64 " types of Go objects are unreadable, the first at 0x%" PRIx64
			       ": their objects are scanned word by word",
			       go->damaged_types.n, go->damaged_types.lowest);
	go_tell_damage(go);
}

static void warn_of_counts(struct go *go)
{
	const struct go_counters *c = &go->counters;

	if (!c->valid)
		hf_target_warn(go->t, false,
			       "self-check: not made, the runtime's own counters could not be %s",
			       go->layout.stripped ? "found in the stripped executable" : "read");
	else if (c->objects != go->objects || c->bytes != go->bytes)
		hf_target_warn(go->t, false,
			       "self-check: the walk found %" PRIu64 " objects (%" PRIu64
			       " bytes), the runtime counts %" PRIu64 " (%" PRIu64 " bytes)",
			       go->objects, go->bytes, c->objects, c->bytes);
}

struct hf_err *go_self_check(struct go *go)
{
	const struct go_counters *c = &go->counters;
	bool whole = !go->t->incomplete && !go->damaged_spans.n;

	if (is_misread(go))
		return unsupported(go, go->damaged_spans.n, go->damaged_spans.n + go->spans.n,
				   "spans make no sense");
	if (whole && is_miscounted(go))
		return unsupported(go, go->miscounted_spans, go->spans.n,
				   "spans hold more or fewer objects than they say");
	if (whole && c->valid && differs_much(go->objects, c->objects))
		return unsupported(go, go->objects, c->objects, "objects that the runtime counts are found");
	warn_of_damage(go);
	warn_of_counts(go);
	if (go->layout.stripped)
		hf_target_warn(
			go->t, false,
			"the executable is stripped: finalizers and cleanups that wait to run cannot be "
			"found, and what they alone hold is called garbage");
	return NULL;
}
