/* New values for a slot: code that the process does not have yet, and words that it has nowhere. Each is made by a call
 * that the process makes itself, in a thread that is borrowed for it: see write.h. */
#ifndef HF_LOAD_H
#define HF_LOAD_H

#include "../target/target.h"

/* Loads a shared object, unless it is loaded already, and finds a function of it: dlopen in a thread that waits in a
 * system call. It stays loaded, whatever comes then: nothing refers to it until a slot does.
 *
 * file  absolute, as the target sees it.     dlopen_addr  of the C library's function; 0: looked for among its symbols.
 * ret   the function's address.
 * Errors: USAGE, REFUSED, IO  as hf_object_read; it needs a library that the process does not have; the process is static
 *                             or has a seccomp filter
 *         STALE    no thread rests at this moment; the call has not returned after seconds, and goes on by itself
 *         TARGET   the process could not load it, or has ended
 * Target: must not be stopped; writes dead bytes of a stack, and registers of one thread. */
struct hf_err *hf_patch_load(struct hf_target *t, const char *file, const char *function,
			     uint64_t dlopen_addr, uint64_t *ret) HF_CHECKED;

/* The same for one that is loaded. *ret 0: it is not. Errors: USAGE, REFUSED, IO as above.     Target: reads nothing */
struct hf_err *hf_patch_find_loaded(struct hf_target *t, const char *file, const char *function,
				    uint64_t *ret) HF_CHECKED;

/* Words at a fresh address: a page of its own, mapped by the target's first thread.
 *
 * n    1 to 16.     ret  where the first stands.
 * Errors: STALE (as above), REFUSED (a seccomp filter), UNSUPPORTED (no code in it to borrow), TARGET
 * Target: must not be stopped; writes as above, and the page. */
struct hf_err *hf_patch_map_words(struct hf_target *t, const uint64_t *words, size_t n, uint64_t *ret)
	HF_CHECKED;

/* An address that a page can be mapped at; 0: there is none.     Target: reads nothing */
uint64_t hf_patch_find_room(const struct hf_target *t);
/* Code, at a page found so: that page of its own, that the target may read and execute, and never write to.
 *
 * bytes    a page of them.
 * Errors: as above; STALE (the page is taken by now)     Target: as above */
struct hf_err *hf_patch_map_code(struct hf_target *t, uint64_t page, const void *bytes) HF_CHECKED;

#endif
