/* Numbers of a runtime, changed in the running process: what may be set, what "auto" means, and the guarded, journaled store.
 *
 * In the journal a switch is an entry of kind "switch": its pool is the knob's name, its functions are the values as text, its
 * values are whole words. So status and revert need to know nothing of it. One that is set again while ours stands there
 * keeps what stood there before us for its revert; the entry that it replaces is over. */
#ifndef HF_SWITCH_H
#define HF_SWITCH_H

#include "../runtime/runtime.h"
#include "journal.h"
#include "plan.h"

#define HF_SWITCH_KIND "switch"

/* ---- policy: pure ------------------------------------------------------------------------------------------------ */

/* The value in a knob's word, and the word with another value in it. */
int64_t hf_knob_value(const struct hf_knob *k, uint64_t word);
uint64_t hf_knob_word(const struct hf_knob *k, uint64_t word, int64_t value);

/* "4096", "64K", "1GiB" where it is of bytes; "off". Errors: USAGE (no number, beyond its range: says which), REFUSED (it
 * cannot be switched off now, or not be set at all) */
struct hf_err *hf_switch_parse(const struct hf_knob *k, const char *text, int64_t *ret) HF_CHECKED;
/* As the journal and people have it: "off", "100", "1073741824". */
void hf_switch_print(const struct hf_knob *k, int64_t value, struct hf_str *ret);

struct hf_load {
	double cpu_share; /* of the processors that it may use, 0 to 1; negative: not known */
	double pause_before_s, pause_recent_s; /* of collections, on average; 0: not known */
};
struct hf_auto {
	int64_t rate;
	double expires_s; /* from now; 0: it may stay */
	char why[200];
};
/* What the pauses of the last collections say. */
void hf_load_pauses(const struct hf_pulse *pulse, struct hf_load *ret);
/* A rate of samples by the load: 512 bytes below 30 % of its processors; 4096 to 70 %, for 5 minutes; 32768 above, or where
 * the collector's pauses rise, for 5 minutes. */
void hf_switch_choose(const struct hf_load *load, struct hf_auto *ret);

/* ---- the store --------------------------------------------------------------------------------------------------- */

struct hf_switch_request {
	const struct hf_knob *knob;
	const char *runtime;
	int64_t value;
	double expires_s;    /* from now; 0: never */
	const char *journal; /* NULL: by XDG_STATE_HOME */
	/* Asked once all gates are passed; false: nothing is written. */
	bool (*allowed)(void *arg, int64_t old_value);
	void *arg;
	const char *leave; /* how the user allows it: "say --yes" */
};

#define HF_SWITCH_ENDS(X)                                                                                    \
	X(SET, "set")                                                                                        \
	X(REVERTED, "reverted")                                                                              \
	X(EXTENDED, "extended")                                                                              \
	X(UNCHANGED, "unchanged")
enum hf_switch_end {
#define HF_SWITCH_ENUM(name, text) HF_SWITCH_##name,
	HF_SWITCH_ENDS(HF_SWITCH_ENUM)
#undef HF_SWITCH_ENUM
};
const char *hf_switch_end_name(enum hf_switch_end end);

struct hf_switch_result {
	enum hf_switch_end end;
	int64_t old_value;
	char plan[HF_PLAN_ID]; /* "": none is ours now */
	double expires;        /* seconds since 1970; 0: never */
	double stopped_s;
	char journal[4096];
	char warning[200]; /* "" */
};

/* t    not stopped; stopped for the store, and resumed.
 * Errors: REFUSED (a gate; not allowed), STALE (the word changes under our hands), REVERTED, IO, TARGET: as hf_apply.
 * Target: writes one word. */
struct hf_err *hf_switch_set(struct hf_target *t, const struct hf_switch_request *request,
			     struct hf_switch_result *ret) HF_CHECKED;

/* The entry of a journal that is ours and stands in the word now; NULL. Valid while the journal is not appended to. */
const struct hf_journal_entry *hf_switch_standing(const struct hf_journal *j, const struct hf_identity *id,
						  const struct hf_knob *k, uint64_t word);

/* Whether a process may be written to at all: not the machine's first, none with other rights than its user's, no other
 * user's. Errors: REFUSED */
struct hf_err *hf_patch_check_rights(const struct hf_identity *id) HF_CHECKED;

/* ---- expiry ------------------------------------------------------------------------------------------------------- */

/* Starts a process of ours, apart from this one and its terminal, that waits until a moment and then takes back what has
 * expired by then: it ends with the target, and what it cannot do `revert --expired` still can.
 * ret  its pid.     Errors: IO (there is no program to start, or it cannot be started) */
struct hf_err *hf_keeper_start(pid_t target, double seconds, pid_t *ret) HF_CHECKED;

#endif
