/* The one place that writes to a process: a lint finds every other. */
#ifndef HF_PATCH_WRITE_H
#define HF_PATCH_WRITE_H

#include "../target/target.h"

struct hf_word {
	uint64_t addr, expect, value;
	uint64_t quiet_addr;
};

/* Stores one word, if another stands there, and reads it back. The undo is the same with the values exchanged.
 *
 * addr  8-aligned, in private writable memory.
 * Errors: STALE     the word is not `expect`, or a thread of the target could not be stopped: nothing was written (addr)
 *         REFUSED   no such memory, a core, a debugger that does not let us write: nothing was written (addr)
 *         REVERTED  what was read back was not `value`: `expect` stands there again (addr)
 *         TARGET    it is gone, or what stands there now is neither (addr)
 * Target: must be stopped by hf_target_stop; writes. */
struct hf_err *hf_patch_store_word(struct hf_target *t, uint64_t addr, uint64_t expect, uint64_t value)
	HF_CHECKED;

/* The same to a target that runs, in the shortest stop there is.
 *
 * quiet_addr  0, or a 32-bit word that has to be 0 then; else *ret_busy, and nothing is written.
 * Errors: as above, but REFUSED as by hf_patch_check_place for the mappings that are known; those of hf_target_stop
 * Target: must not be stopped; stopped, written to, resumed. */
struct hf_err *hf_patch_swap_word(struct hf_target *t, const struct hf_word *word, bool *ret_busy) HF_CHECKED;

/* Whether a word may be written there, as far as the mappings tell, which are those of the last stop or of the opening.
 * Errors: REFUSED (addr) */
struct hf_err *hf_patch_check_place(const struct hf_target *t, uint64_t addr) HF_CHECKED;

/* A call that the target makes by itself, as soon as it is resumed, in a thread that is borrowed for it. The thread gets
 * its registers, its blocked signals and its system call back as if from a signal's handler, by the kernel's own
 * rt_sigreturn: nobody has to wait for that, so it happens whether we live or not.
 *
 *	sp of the thread    red zone                            entry                      what the call uses
 *	| ... | its frames | 128 bytes | state of the processor | data | signal frame, return address | 64 KiB at least |
 */
struct hf_call {
	uint64_t code;     /* a function, or `syscall; ret` */
	uint64_t restorer; /* code that calls rt_sigreturn: what the function returns to */
	uint64_t args[6];
	int64_t number;   /* >= 0: of a system call, that code is for */
	const void *data; /* NULL, or bytes that the first argument is to point to: at most 4096 */
	size_t len;
	bool main_only; /* in the first thread alone, and on the stack that the kernel gave it */
	bool at_rest; /* only where it waits in a system call in which it cannot hold a lock of the C library */
};
/* ret_tid  the thread that makes it.
 * Errors: STALE (no such thread at this moment: nothing was written), TARGET, UNSUPPORTED (shadow stacks, seccomp)
 * Target: must be stopped; writes dead bytes of a stack, and registers. */
struct hf_err *hf_patch_call(struct hf_target *t, const struct hf_call *call, pid_t *ret_tid) HF_CHECKED;
/* Whether the call has returned.     Target: must be stopped.     Errors: TARGET (the thread has ended) */
struct hf_err *hf_patch_call_done(struct hf_target *t, pid_t tid, bool *ret) HF_CHECKED;

/* Fills words of an anonymous private page that such a call has mapped, and nothing uses yet: all of them 0 before.
 * Errors: STALE (they are not), REFUSED, TARGET.     Target: must be stopped; writes */
struct hf_err *hf_patch_fill_page(struct hf_target *t, uint64_t page, const uint64_t *words, size_t n)
	HF_CHECKED;

/* The same for a page that can be executed and not written to, a mapping of its own; then compares what stands there.
 * bytes  a page of them. */
struct hf_err *hf_patch_fill_code(struct hf_target *t, uint64_t page, const void *bytes) HF_CHECKED;

#endif
