/* Types for a program without DWARF: variables have none there, and below 513 bytes (before 1.22: at all) objects have no
 * header either. What is left are interfaces, closures, channels and finalizers, which say what they lead to, and this:
 * an object whose size, pointers and contents only one of the program's types fits is of that type. */
#ifndef HF_GO_INFER_H
#define HF_GO_INFER_H

#include "types_private.h"
#include "typing_private.h"

/* All type descriptors of the program: whatever is allocated has one. universe.c */
struct go_universe {
	HF_VEC(uint32_t) types;       /* ids of all */
	struct hf_map64 known;        /* descriptor -> id */
	struct hf_map64 map_of_group; /* type of a map's group or bucket -> map */
	struct hf_map64 chan_of_elem;
	struct hf_map64 parts; /* of groups: types that stand in no block of their own */
};
/* Finds them by their form: the linker lists only some, and no longer any since 1.27. */
struct hf_err *go_universe_init(struct go *go, struct go_universe *ret) HF_CHECKED;
void go_universe_deinit(struct go_universe *u);
bool go_universe_has(const struct go_universe *u, uint64_t rtype, uint32_t *ret);

/* A block while it is tried on: its content, and which of its words hold pointers. */
struct go_trial {
	struct typing *t;
	const struct go_universe *u;
	uint64_t addr; /* of the content */
	const uint8_t *bytes;
	uint64_t len;
	const uint64_t *pointers; /* a bit a word: the collector follows it, and it is not nil */
	uint64_t evidence;        /* gathered by go_trial_fits */
	uint64_t checks;          /* done so far, of all blocks */
};
/* True where the content at `offset` can be a value of a type. trial.c */
bool go_trial_fits(struct go_trial *x, uint32_t type, uint64_t offset);

struct candidate {
	uint32_t type;
	bool is_array; /* of it; the block's size says of how many */
};

struct go_leads;

struct inference {
	struct typing *t;
	const struct go_universe *u;
	const uint8_t *live;
	struct hf_map64 caps;                /* block -> how many elements a slice says that it has */
	HF_VEC(struct candidate) candidates; /* for blocks like those of `like` */
	const struct go_span *like;
	HF_VEC(uint64_t) pointers;
	struct hf_scratch scratch;
	struct hf_map64 leads_of; /* function -> index into leads: infer_rest.c */
	HF_VEC(struct go_leads *) leads;
	HF_VEC(uint32_t) structs; /* {F uintptr, captures...} */
	uint64_t checks, typed;
	bool sure; /* what says itself what it is, alone: DWARF has told the rest */
};

/* Fills a trial in; false where there is nothing to go by. */
bool go_trial_begin(struct inference *in, uint32_t block, struct go_trial *ret);

/* What a word and the pointer behind it lead to, where the word is an interface's first. */
void go_try_interface(struct inference *in, uint64_t word, uint64_t value);

#define GO_CHECKS_MAX 100000000u /* trials of all blocks together: beyond, the rest stays without a type */

/* Types what live blocks it can. After the headers, specials and closures have said what they know; sure: after DWARF has,
 * too. */
struct hf_err *go_infer_types(struct typing *t, const uint8_t *live, bool sure) HF_CHECKED;
/* {F uintptr, ...}: what a function value is made as. */
bool go_is_closure_struct(struct go *go, const struct go_type *type);
struct hf_err *go_infer_closures(struct inference *in) HF_CHECKED; /* infer_closures.c */
struct hf_err *go_infer_shapes(struct inference *in) HF_CHECKED;   /* infer_shapes.c */
/* infer_rest.c: what closures capture, by the structures that the compiler made for them; what stacks hold, by the types
 * of the function's variables. */
void go_leads_deinit(struct inference *in);
struct hf_err *go_infer_rest(struct inference *in) HF_CHECKED;

#endif
