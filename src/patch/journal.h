/* What was done to processes, written down before and after it is done: one JSON object a line, only ever appended to.
 *
 *	intent -> applied | failed        reverting -> reverted
 *
 * Each line is on the disk before what it announces happens, so that whoever comes after a killed tool finds in it all
 * that a revert takes. What the process's word says decides between what was announced and what was done.
 */
#ifndef HF_JOURNAL_H
#define HF_JOURNAL_H

#include "../base/map64.h"
#include "../base/str.h"
#include "../base/vec.h"
#include "../target/identity.h"
#include "plan.h"

#define HF_JOURNAL_EVENTS(X)                                                                                 \
	X(INTENT, "intent")                                                                                  \
	X(APPLIED, "applied")                                                                                \
	X(FAILED, "failed")                                                                                  \
	X(REVERTING, "reverting")                                                                            \
	X(REVERTED, "reverted")

enum hf_journal_event {
#define HF_JOURNAL_ENUM(name, text) HF_JOURNAL_##name,
	HF_JOURNAL_EVENTS(HF_JOURNAL_ENUM)
#undef HF_JOURNAL_ENUM
};
const char *hf_journal_event_name(enum hf_journal_event event);

/* One plan applied to one process: the last that the journal says of it. Strings are the journal's; "" for none. */
struct hf_journal_entry {
	enum hf_journal_event event;
	const char *plan;
	pid_t pid;
	uint64_t start_time;
	const char *boot, *build_id, *exe, *runtime, *pool, *kind, *old_function, *new_function;
	uint64_t slot_addr, old_value, new_value;
	uint64_t restore; /* what a revert stores: the old value, or what stands for it */
	uint64_t link_addr,
		link_value; /* code of ours: the word that made it known, and what it was given. 0: no code */
	bool old_on_heap;   /* the old value cannot come back: nothing kept it alive */
	uint64_t uid;       /* who did it */
	double at;          /* of the intent: seconds since 1970 */
	double expires;     /* 0: never */
	double ended;       /* of the last event */
	double stopped_s;   /* by the last write */
	const char *why;    /* of a failure */
};

struct hf_journal {
	int fd; /* -1: there is none yet, and it was only to be read */
	char *path;
	HF_VEC(struct hf_journal_entry) entries; /* the oldest first */
	size_t damaged; /* lines that say nothing of ours, but for a last one that was cut short */
	struct hf_map64 index;
	struct hf_arena names;
};

/* Opens and reads the journal.
 *
 * path   NULL: holdfast/journal.jsonl in XDG_STATE_HOME, by default ~/.local/state.
 * write  it is made where there is none (0600, its folders 0700), and held alone until hf_journal_close.
 * ret    caller frees with hf_journal_close, on errors, too (zeroed at first: fd is set).
 * Errors: IO (it cannot be made or read, there is no home), NOMEM,
 *         REFUSED (it is another user's, or others may write to it; another holdfast holds it for 10 s) */
struct hf_err *hf_journal_open(const char *path, bool write, struct hf_journal *ret) HF_CHECKED;
void hf_journal_close(struct hf_journal *j);

/* Appends what the entry says, and waits until it is on the disk.
 * Errors: IO (it cannot be written: what was begun of the line is taken back), NOMEM */
struct hf_err *hf_journal_append(struct hf_journal *j, const struct hf_journal_entry *entry) HF_CHECKED;

/* Whether the entry is of that very process. */
bool hf_journal_is_of(const struct hf_journal_entry *entry, const struct hf_identity *id);

#endif
