/* A session: one target, loaded once, asked many times. Private to this folder. */
#ifndef HF_SESSION_H
#define HF_SESSION_H

#include "../base/base.h"
#include "../base/str.h"
#include "../graph/graph.h"
#include "../runtime/runtime.h"
#include "../sym/sym.h"
#include "../target/facts.h"
#include "../target/target.h"

struct hf_described;
struct hf_dominators;
struct hf_holders;
struct hf_leaks;

struct hf_session {
	struct hf_target *t;
	struct hf_syms *syms;
	struct hf_runtime *rt;
	struct hf_graph *graph;
	struct hf_options options; /* pool_file is ours */
	/* The pools of options.pool_file, NULL where none is given: opened, and captured and walked. */
	struct hf_described *described;
	bool described_taken;
	bool pool_file_lost; /* memory was out for its name */
	bool tried;          /* to load it */
	bool loaded;         /* captured, walked and marked */
	bool typed;
	/* What the question needs of blocks without pointers, where not yet loaded: all of those up to this size; the start of
	 * large ones. */
	uint64_t values_max;
	bool heads;
	uint32_t *
		parent; /* nearest.c: on the shortest way from a root; HF_NO_BLOCK where a root holds it, or it is garbage */
	uint32_t *nearest;     /* the root at the start of that way; UINT32_MAX: garbage */
	const char **warnings; /* for the head; rebuilt when asked */
	char *exe;
	/* retained.c: who alone holds what; all NULL before it was asked */
	struct hf_dominators *dominators;
	struct hf_holders *holders;
	void *holders_memory;   /* a result that the names live in */
	struct hf_leaks *leaks; /* leaked.c; NULL before it was asked */
};

/* Opens the symbols; once. The target is not stopped. */
struct hf_err *hf_session_open_syms(struct hf_session *s) HF_CHECKED;
/* And finds the runtime, from files; once. Errors: TARGET (no runtime that we know), UNSUPPORTED */
struct hf_err *hf_session_open_runtime(struct hf_session *s) HF_CHECKED;
/* Stops, captures, resumes, walks and marks; once. Errors: of all of these; TARGET (no runtime that we know). */
struct hf_err *hf_session_load(struct hf_session *s) HF_CHECKED;
/* Finds the pools that options.pool_file describes, where there is one; once for each file. The target is not stopped. */
struct hf_err *hf_session_open_described(struct hf_session *s) HF_CHECKED;
/* As load; but a program of no runtime that we know will do where pools are described: `loaded` then stays false.
 * Errors: STALE (it was stopped before, for a question without this file), too. */
struct hf_err *hf_session_load_pools(struct hf_session *s) HF_CHECKED;
/* And finds types for all blocks; once. */
struct hf_err *hf_session_type(struct hf_session *s) HF_CHECKED;
/* And the nearest root of each live block; once. Cost: 8 bytes a block, every edge once. */
struct hf_err *hf_session_nearest(struct hf_session *s) HF_CHECKED;
/* The same for any graph, by whatever way does not lead on from a closed block (a bit a block; NULL: none is). */
struct hf_nearest {
	uint32_t *root, *parent; /* as nearest and parent above; parent: NULL where it was not asked for */
};
struct hf_err *hf_nearest_find(const struct hf_graph *g, const uint8_t *closed, bool parents,
			       struct hf_nearest *ret) HF_CHECKED;
void hf_nearest_deinit(struct hf_nearest *n);

/* And the dominators with their sums, over the holders of hf_holders_number; once. */
struct hf_err *hf_session_dominators(struct hf_session *s) HF_CHECKED;
void hf_session_free_dominators(struct hf_session *s);

/* A result: plain structs in memory of its own, freed by hf_result_free. */
struct hf_arena *hf_result_arena(const void *result);
/* Zeroed. Errors: NOMEM. */
struct hf_err *hf_result_new(size_t size, void *ret) HF_CHECKED;
/* Frees child with parent. */
void hf_result_adopt(const void *parent, const void *child);
/* Memory of the result; NULL where there is none. */
void *hf_result_alloc(const void *result, size_t n, size_t size);
const char *hf_result_str(const void *result, const char *s);         /* a copy; "" where memory is out */
const char *hf_result_take_str(const void *result, struct hf_str *s); /* a copy; s is emptied */

/* Parses "0x1234" or "4660". False: the word is no address. */
bool hf_parse_address(const char *word, uint64_t *ret);

/* What the name of a global variable, or of a field of one, means ("main.cache", "main.server.sessions"): of a map, slice,
 * string, pointer, channel, function or interface the address that it holds, of any other its own; with a '&' before it
 * always its own. The session must be loaded. *ret_found false: the word names no variable.
 * Errors: USAGE (no such field; it is nil), FAULT, STALE (where it stands cannot be read) */
struct hf_err *hf_session_find_variable(struct hf_session *s, const char *word, bool *ret_found,
					uint64_t *ret) HF_CHECKED;

/* The block that addr stands in. Errors: USAGE (none: says what it is). */
struct hf_err *hf_block_find(struct hf_session *s, const char *word, uint64_t addr, uint32_t *ret) HF_CHECKED;
/* Sets ret[type] for the types of that name: the full one, without the folders of its path, or its last part alone.
 * Errors: USAGE (types of several names). */
struct hf_err *hf_types_match(struct hf_session *s, const char *word, uint8_t *ret, bool *ret_any) HF_CHECKED;

const char *hf_block_type_name(struct hf_session *s, const void *result, uint32_t block);
const char *hf_block_state(const struct hf_session *s, uint32_t block); /* "live", "garbage" */
uint64_t hf_session_live_bytes(const struct hf_session *s);             /* of all live blocks; loaded */
struct hf_found_root hf_root_at(const struct hf_session *s, uint32_t root);

/* Fills a chain from a path of blocks held by a root. */
struct hf_err *hf_chain_fill(struct hf_session *s, const void *result, uint32_t root, const uint32_t *path,
			     uint32_t n, struct hf_chain *ret) HF_CHECKED;
/* The way from the nearest root to a live block. */
struct hf_err *hf_chain_nearest(struct hf_session *s, const void *result, uint32_t block,
				struct hf_chain *ret) HF_CHECKED;
/* Whom lists count a root under, numbered: goroutines of one function are one holder. In the result's memory. */
struct hf_holders {
	const uint32_t *of_root; /* a holder's number a root */
	const char *const *names;
	const uint8_t *kinds; /* enum hf_root_kind of one of its roots */
	uint32_t n;
};
struct hf_err *hf_holders_number(struct hf_session *s, const void *result, struct hf_holders *ret) HF_CHECKED;
/* The holder of that name, with or without the folders of its path and the word "goroutines"; UINT32_MAX: none.
 * Errors: USAGE (several). */
struct hf_err *hf_holder_match(const struct hf_holders *holders, const char *word, uint32_t *ret) HF_CHECKED;

#endif
