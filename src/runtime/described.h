/* Pools that a file describes (--pool-file; its form: docs/howto/pool-file.md): a program's own, that no runtime knows.
 * As a runtime, they are opened from files alone, captured while the target is stopped, and walked after. Each kind of
 * pool is a file in pool/.
 */
#ifndef HF_RUNTIME_DESCRIBED_H
#define HF_RUNTIME_DESCRIBED_H

#include "../base/base.h"
#include "../sym/sym.h"
#include "../target/target.h"
#include "callee.h"

#define HF_POOL_DESCRIBED "described" /* what their kind is called */

struct hf_described;

/* What was found of one. Strings live as long as the list. */
struct hf_described_pool {
	const char *name;
	uint64_t addr;        /* of the structure; 0: the program has not made it yet */
	uint64_t constructor; /* its code; 0: none */
	const char *constructor_name;
	const char *item_type; /* "" unknown */
	uint64_t object_size, slot_size;
	uint64_t slabs, slab_bytes; /* bytes: of all slots there are */
	uint64_t slots;             /* that there are; of these: */
	uint64_t used;              /* were given out at some time; of these: */
	uint64_t idle;              /* are in the free list */
	const char *problem;        /* "" or one line: what is damaged, so that the figures are of the rest */
};

/* Reads the file, and finds what it names in symbols and DWARF. The target need not be stopped, and is not read.
 * ret  freed by hf_described_close.     Errors: IO, USAGE (file, pool and key, and what to do), NOMEM */
struct hf_err *hf_described_open(struct hf_target *t, struct hf_syms *s, const char *path,
				 struct hf_described **ret) HF_CHECKED;
/* Before the stop: sets memory aside. What is read of a target that runs may be inconsistent: no error but NOMEM and
 * INTERRUPTED means more than a longer pause. */
struct hf_err *hf_described_prepare(struct hf_described *d) HF_CHECKED;
/* The target is stopped, or stands still anyway: follows slabs, and takes them in bulk. What is damaged or beyond our bounds is noted in the pool's
 * `problem`. Errors: NOMEM, INTERRUPTED, TARGET.     Cost: some reads a slab, then a pread a run of pages. */
struct hf_err *hf_described_capture(struct hf_described *d) HF_CHECKED;
/* After the resume: free lists. A pool with a problem makes the target incomplete, with a warning.
 * Errors: NOMEM, INTERRUPTED.     Cost: a step for each free object */
struct hf_err *hf_described_walk(struct hf_described *d) HF_CHECKED;
/* In the order of the file; figures are there after the walk. */
size_t hf_described_pools(const struct hf_described *d, const struct hf_described_pool **ret);
void hf_described_close(struct hf_described *d); /* takes NULL */

/* Where a pool keeps its constructor, and what stands there at this moment, whether the target runs or is stopped: before
 * a store, ask anew while it is stopped.
 * pool  its name, or its address ("0x...").     ret  strings live as long as d
 * Errors: USAGE (no such pool: says which there are; no constructor is described), FAULT, BADDATA, TARGET */
struct hf_err *hf_pool_ctor_slot(struct hf_described *d, const char *pool, struct hf_ctor_slot *ret)
	HF_CHECKED;

#endif
