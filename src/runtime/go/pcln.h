/* What module.c, pcln.c and inline.c share: a module's tables, local. Private to them and to the unwinder. */
#ifndef HF_GO_PCLN_H
#define HF_GO_PCLN_H

#include "go.h"

#define GO_ARGS_UNKNOWN INT32_MIN /* internal/abi/symtab.go, ArgsSizeUnknown: assembly that does not say */
#define GO_MAX_SECTIONS 64u

struct go_table {
	const uint8_t *at;
	uint64_t n; /* bytes */
	struct hf_scratch copy;
};

/* runtime/symtab.go, textsect: a text section of a program too large for one. */
struct go_text_section {
	uint64_t vaddr, end, base;
};

struct pcln {
	struct go_table names, cu, files, pc, functions, ftab;
	struct go_text_section sections[GO_MAX_SECTIONS];
	size_t sections_n; /* 0: offsets are linear from moduledata.text */
	int wrapper_id;    /* internal/abi FuncIDWrapper in this version; -1 unknown */
};

/* The string at an offset of a table; NULL where it leaves the table or does not end in it. */
const char *go_table_string(const struct go_table *t, uint64_t off);
uint64_t go_text_addr(const struct go_module *m, uint32_t off);
bool go_text_offset(const struct go_module *m, uint64_t addr, uint32_t *ret);
/* The _func at an offset of pclntable; false where it is damaged. */
bool go_func_decode(const struct go_module *m, uint32_t off, struct go_func *ret);
/* True for functions of the compiler's own making, those that hide in Go's own tracebacks. */
bool go_is_wrapper(const struct go_module *m, uint8_t func_id, const char *name);

/* One function as the source has it, at one code address. */
struct go_logical_frame {
	const char *name;
	uint64_t pc; /* whose file and line are those of this frame */
	uint8_t func_id;
	bool inlined;
};
/* Innermost first, at most max; the physical function is the last. Returns how many. */
size_t go_logical_frames(struct go *go, const struct go_func *f, uint64_t pc, struct go_logical_frame *ret,
			 size_t max);

#endif
