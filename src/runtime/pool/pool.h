/* The contract of a kind of described pools: its keys, how its parts are taken, and how they are counted. Private to this
 * folder.
 *
 * A description is a list of keys ("slabs.head"), each a member of a structure, an offset or a number. pool.c finds out
 * where they stand (places); the kind reads them.
 */
#ifndef HF_POOL_H
#define HF_POOL_H

#include "../../base/base.h"
#include "../../base/map64.h"
#include "../../base/str.h"
#include "../../base/vec.h"
#include "../described.h"

/* ---- the file (file.c) ------------------------------------------------------------------------------- */

enum hf_pool_word {
	HF_POOL_TEXT,   /* "slabs.head": text */
	HF_POOL_OFFSET, /* 24, or {"offset": 24, "size": 4, "pointer": true} */
	HF_POOL_VALUE,  /* {"value": 64} */
};
struct hf_pool_entry {
	const char *key; /* with its group's name: "slabs.head" */
	enum hf_pool_word word;
	const char *text;
	uint64_t number;
	uint8_t size; /* OFFSET: of the number that stands there; 1, 2, 4 or 8 */
	bool pointer;
};
struct hf_pool_entries {
	HF_VEC(struct hf_pool_entry) list;
};
struct hf_pool_file {
	HF_VEC(struct hf_pool_entries) pools;
	struct hf_arena names;
};
/* Parses what a file says; path: for messages. ret: zeroed; freed by hf_pool_file_deinit, on errors, too.
 * Errors: USAGE, NOMEM */
struct hf_err *hf_pool_file_parse(const char *path, const char *text, size_t len, struct hf_pool_file *ret)
	HF_CHECKED;
/* And reads it. Errors: IO, too */
struct hf_err *hf_pool_file_read(const char *path, struct hf_pool_file *ret) HF_CHECKED;
void hf_pool_file_deinit(struct hf_pool_file *f);

/* hf_described_open, of what a file says. */
struct hf_err *hf_described_of_file(struct hf_target *t, struct hf_syms *s, const char *path,
				    const struct hf_pool_file *file, struct hf_described **ret) HF_CHECKED;

/* ---- places (place.c) ---------------------------------------------------------------------------------- */

#define HF_PLACE_STEPS 8

/* Where something stands, from an address: at offset[0]; or what stands there is followed, and offset[1] added... */
struct hf_pool_place {
	bool given, constant;
	uint64_t value; /* constant */
	uint64_t offset[HF_PLACE_STEPS];
	unsigned n;    /* offsets: at least 1 */
	uint8_t size;  /* of a number there; 0: it is none */
	bool pointer;  /* a pointer stands there */
	uint32_t type; /* of what stands there, for hf_type_get; 0: not known */
};

/* What reads: the capture, or, where `now`, the target as it is at this moment. */
struct hf_pool_reader {
	struct hf_target *t;
	bool now;
};
struct hf_err *hf_pool_read(const struct hf_pool_reader *r, uint64_t addr, void *buf, size_t len) HF_CHECKED;
/* Follows a place from base. *ret 0: there is a NULL on the way. Errors: as reads. */
struct hf_err *hf_pool_place_find(const struct hf_pool_reader *r, const struct hf_pool_place *place,
				  uint64_t base, uint64_t *ret) HF_CHECKED;
/* The number or pointer there; behind a NULL: 0. */
struct hf_err *hf_pool_place_read(const struct hf_pool_reader *r, const struct hf_pool_place *place,
				  uint64_t base, uint64_t *ret) HF_CHECKED;

/* Finds a member of a structure by its path ("slabs", "ops->make", "lists[2].head"); pointers on the way are followed.
 * type  of the structure.     Errors: USAGE */
struct hf_err *hf_pool_place_member(struct hf_syms *s, uint32_t type, const char *path,
				    struct hf_pool_place *ret) HF_CHECKED;
/* Finds a variable, or a part of one, by its path ("g_pool", "*g_pool", "g_pools[3]", "g_server.pool", "g_heap+0x40",
 * "0x404040"); as the type there is a pointer, what it leads to. type_name: NULL or "" where it is the variable's.
 * Offsets count from 0.     Errors: USAGE */
struct hf_err *hf_pool_place_variable(struct hf_syms *s, const char *path, const char *type_name,
				      struct hf_pool_place *ret) HF_CHECKED;

/* ---- kinds -------------------------------------------------------------------------------------------- */

/* What a place is to hold. */
enum hf_pool_holds {
	HF_POOL_HOLDS_POINTER,
	HF_POOL_HOLDS_CODE,
	HF_POOL_HOLDS_NUMBER,
	HF_POOL_HOLDS_MARK,  /* a number of slots, or a pointer to the one behind them */
	HF_POOL_HOLDS_SLOTS, /* slots themselves, or a pointer to them */
	HF_POOL_CONSTANT,    /* nothing: it is a number of the file's own */
};
struct hf_pool_key {
	const char *name;
	enum hf_pool_holds holds;
	bool required;
	bool of_slab; /* a member of the slab; else of the pool */
};

/* Keys that every kind has, in this order before its own. */
enum {
	HF_POOL_CONSTRUCTOR,
	HF_POOL_OBJECT_SIZE,
	HF_POOL_KEYS, /* the first of the kind's */
};
#define HF_POOL_KEYS_MAX 16

struct hf_pool_desc {
	const struct hf_pool_kind *kind;
	struct hf_pool_place instance;
	struct hf_pool_place at[HF_POOL_KEYS_MAX]; /* by key */
	struct hf_described_pool found;
	struct hf_str problem;
	void *own; /* the kind's */
};

/* Notes what is wrong with a pool, and drops err: the first is told, NOMEM, INTERRUPTED and TARGET are returned. */
struct hf_err *hf_pool_note(struct hf_pool_desc *pool, struct hf_err *err) HF_CHECKED;

struct hf_ranges_vec {
	HF_VEC(struct hf_range) list;
};

struct hf_pool_kind {
	const char *name;
	const struct hf_pool_key *keys;
	size_t keys_n;
	/* The type of what `of_slab` keys are members of; 0: not known. Called when all other keys are known. */
	uint32_t (*slab_type)(struct hf_syms *s, const struct hf_pool_desc *pool);
	/* Do the keys make sense together? May be NULL. Errors: USAGE */
	struct hf_err *(*check)(const struct hf_pool_desc *pool);
	/* Follows the slabs of found.addr and adds what must be captured to ret. Called again, it begins anew. Errors go to
	 * hf_pool_note. */
	struct hf_err *(*take)(const struct hf_pool_reader *r, struct hf_pool_desc *pool,
			       struct hf_ranges_vec *ret);
	/* Counts what take took. */
	struct hf_err *(*walk)(struct hf_target *t, struct hf_pool_desc *pool);
	void (*deinit)(struct hf_pool_desc *pool);
};

#endif
