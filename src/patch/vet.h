/* What a constructor's code says before it runs: a walk over the calls that it can reach, by capstone. A filter before the
 * dry run, no proof: where a store through a pointer leads, code does not say. */
#ifndef HF_PATCH_VET_H
#define HF_PATCH_VET_H

#include "../runtime/callee.h"

struct hf_vet {
	struct hf_findings findings; /* in the order of the walk, each place once */
	uint32_t functions;          /* that it went through */
	uint64_t instructions;
	uint32_t trusted;       /* calls of allocators and the like, which it did not follow */
	uint32_t stores;        /* through pointers: undecided */
	uint32_t not_followed;  /* calls whose target it does not know, or beyond its bounds */
	uint32_t findings_lost; /* beyond the bound on findings */
	double elapsed_s;       /* but for finding source lines, which may open DWARF */
	bool reads_mutable;     /* reads variables that can change: refused where it is asked to be strict */
};

struct hf_vet_options {
	bool go;     /* Go's names and rules; else C's */
	bool strict; /* what reads mutable globals is refused, too: MUTABLE_READ */
	/* Names code that the symbols do not (a stripped Go program: its pclntab); addr and size: the function's. NULL: there is
	 * no such one. */
	bool (*name_of)(void *arg, uint64_t pc, struct hf_symbol *ret);
	/* The source line of a pc where DWARF is missing; NULL: there is no such one. */
	bool (*line_of)(void *arg, uint64_t pc, struct hf_source_frame *ret);
	void *arg;
};

/* Kinds of findings: "global-store", "global-read", "thread-local-store", "syscall", "goroutine", "thread", "process",
 * "panic", "exit", "channel", "map-write", "lock", "blocks", "io", "format", "env", "memory", "timer", "finalizer",
 * "defer", "pool", "runtime", "reflection", "plugin", "dlopen", "cgo", "longjmp", "captures", "indirect-call", "ifunc",
 * "unknown-code", "limit".
 *
 * Walks the code from `entry` on. Reads text from the files, through the symbols (the target need not be stopped; what it
 * would read of a core or process is not patched text).
 * ret  zeroed; caller frees with hf_vet_deinit, on errors, too.
 * Errors: FAULT (no code there), UNSUPPORTED, NOMEM.     Cost: under 5 ms; bounded in functions, bytes and depth */
struct hf_err *hf_vet_walk(struct hf_target *t, struct hf_syms *s, uint64_t entry,
			   const struct hf_vet_options *options, struct hf_vet *ret) HF_CHECKED;
void hf_vet_deinit(struct hf_vet *v);

#endif
