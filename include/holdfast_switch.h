/* A part of holdfast.h, which includes it: single numbers of the runtime, changed in the running process; and what its
 * collections do to pools.
 *
 * A switch is one word of a fixed list. It is journaled, expires and is taken back as a patch is: hf_patch_status and
 * hf_patch_revert know it, too. */
#ifndef HOLDFAST_SWITCH_H
#define HOLDFAST_SWITCH_H

struct hf_switch {
	const char *name, *alias; /* "runtime.MemProfileRate", "memprofilerate" */
	const char *what;         /* one line */
	const char *unit;         /* "bytes", "percent" */
	uint64_t addr;            /* 0: not known here: why_not */
	bool known;               /* value is */
	int64_t value, off;       /* off: the value that means that it is off */
	int64_t min, max;         /* that it may be set to; off, too */
	const char *effect;       /* when a change is seen by this program */
	const char *why_not;      /* "", or why it cannot be set here */
	/* Where the value is ours, by the journal: else "" and 0. */
	const char *plan;
	int64_t before;
	double set_at, expires_at; /* seconds since 1970; 0: none */
};

struct hf_switches {
	const struct hf_switch *rows;
	size_t n;
	const char *journal;
};
/* name  of one, by its name or alias; NULL: all.     journal  NULL: by XDG_STATE_HOME. Stops nothing.
 * Errors: USAGE (no such switch; says which there are), UNSUPPORTED (the runtime has none) */
HF_API struct hf_err *hf_patch_get(struct hf_session *s, const char *name, const char *journal,
				   const struct hf_switches **ret) HF_CHECKED;

struct hf_switch_change {
	const struct hf_switch *row; /* as it is after it, or, where confirm is asked, before */
	int64_t old_value, new_value;
	/* "set", "reverted" (what stood there before us stands there again), "extended" (only when it expires has changed),
	 * "unchanged" */
	const char *state;
	const char *chosen; /* "auto": why this value; "" */
	double cpu_share;   /* of the processors that it may use, measured for "auto"; negative: not */
	double stopped_s;
	int keeper; /* the process of ours that waits to take it back when it expires; 0: there is none */
	const char *keeper_says; /* "": one line on why there is none */
	const char *warning;     /* ""; one line on what is so although it was set */
	const char *journal;
};
struct hf_patch_set_options {
	size_t size;       /* sizeof(struct hf_patch_set_options) */
	const char *name;  /* or alias */
	const char *value; /* "512", "1GiB", "off"; of runtime.MemProfileRate also "auto" */
	double expires_s;  /* from now; 0: as value says: never, but for "auto" under load */
	bool allow_write;
	/* Where allow_write is not set: asked once all gates are passed, with what is going to be done; true: do it. */
	bool (*confirm)(void *arg, const struct hf_switch_change *what);
	void *arg;
	const char
		*leave; /* for the error where neither is given: how the user allows it; NULL: "say --yes" */
	const char *journal; /* NULL: by XDG_STATE_HOME */
};
/* Errors: USAGE (no such switch, no such value), REFUSED (a gate; a core; nothing was written), REVERTED, STALE, TARGET */
HF_API struct hf_err *hf_patch_set(struct hf_session *s, const struct hf_patch_set_options *options,
				   const struct hf_switch_change **ret) HF_CHECKED;

/* ---- drain: what collections free of pools ------------------------------------------------------------------------- */

struct hf_drain_row {
	const char *pool;
	uint64_t addr;
	/* What waits in it. Each collection drops the victims, and makes victims of the rest. */
	uint64_t idle, victims, idle_bytes, victim_bytes;
	double patched_at;   /* seconds since 1970; 0: no patch of it stands in the journal */
	uint64_t since;      /* collections since then; HF_UNKNOWN */
	bool since_at_least; /* or more: the runtime remembers 256 */
	/* After the wait; HF_UNKNOWN: there was none, or the pool is not there any more. */
	uint64_t idle_after, idle_bytes_after;
};
struct hf_drain {
	const struct hf_drain_row *rows; /* most idle bytes first */
	size_t n;
	uint64_t collections; /* that have ended since its start; HF_UNKNOWN */
	const double *ended;  /* when the last ones did, seconds since 1970; the newest first */
	size_t ended_n;
	uint64_t forced_every_s; /* the runtime collects at least so often; 0: never, its collector is off */
	uint64_t waited_for;     /* collections that came by while we waited */
	double waited_s;         /* 0: there was no wait */
	const char *says;        /* one line */
};
struct hf_drain_options {
	size_t size;         /* sizeof(struct hf_drain_options) */
	const char *pool;    /* its name or address; NULL: all */
	double wait_s;       /* until two collections have come by, at most; 0: none */
	const char *journal; /* NULL: by XDG_STATE_HOME */
};
/* Calls nothing in the target, and frees nothing itself. options  NULL: all pools, no wait.
 * Errors: USAGE (no such pool; one that no collection empties), UNSUPPORTED, REFUSED (waiting for a core), INTERRUPTED */
HF_API struct hf_err *hf_drain(struct hf_session *s, const struct hf_drain_options *options,
			       const struct hf_drain **ret) HF_CHECKED;

#endif
