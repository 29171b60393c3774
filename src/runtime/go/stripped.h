/* Where the runtime's variables are in a program without symbols and DWARF: found by what they hold. */
#ifndef HF_GO_STRIPPED_H
#define HF_GO_STRIPPED_H

#include "layout.h"

/* What there is to go on. */
struct go_stripped {
	struct hf_target *t;
	uint64_t pclntab;      /* address of the table of functions; 0: it is told by its first bytes */
	struct hf_range image; /* addresses of the executable */
	const struct hf_range *holders; /* sections that may hold the moduledata */
	size_t holders_n;
	const char *version; /* for messages */
};

/* Fills l->var (and wait_reasons_n) with what can be told for certain; the rest stays 0: those figures are unknown then.
 * l->off must be known. The target may run: what is read may be inconsistent, so every candidate must pass many tests.
 *
 * Errors: UNSUPPORTED  moduledata, mheap_ or allgs are not found, or there are several that could be it
 * Target: reads only, all of the program's data, in pieces.   Source: docs/runtimes/go.md, stripped binaries */
struct hf_err *go_stripped_find(const struct go_stripped *in, struct go_layout *l) HF_CHECKED;

/* The same, for the main executable of a target. */
struct hf_err *go_stripped_find_main(struct hf_target *t, struct hf_syms *s, const char *version,
				     struct go_layout *l) HF_CHECKED;

#endif
