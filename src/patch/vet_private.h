/* What vet.c, vet_code.c and vet_names.c share. */
#ifndef HF_PATCH_VET_PRIVATE_H
#define HF_PATCH_VET_PRIVATE_H

#include "insn.h"
#include "vet.h"

/* ---- vet_names.c: functions that are known by name, so that nobody walks into them ---- */

struct hf_vet_rule {
	const char *name; /* Go: how it begins; C: all of it */
	const char *kind; /* of the finding; NULL: it is trusted, nothing is told */
	const char *what; /* "writes to a map"; of those that are trusted: "" an allocator, NULL others */
	enum hf_refusal refusal;
};
/* NULL: a function like any other. */
const struct hf_vet_rule *hf_vet_rule_find(bool go, const char *name);
/* Go: a variable that every function reads, and that says nothing of it: the runtime's own. */
bool hf_vet_is_runtime_variable(const char *name);

/* ---- vet_code.c: the bytes, and what stands at addresses ---- */

/* Zero-initialised but for t, s, options. */
struct hf_vet_code {
	struct hf_target *t;
	struct hf_syms *s;
	const struct hf_vet_options *options;
	/* The executable section of last time, with its bytes in the file. */
	uint64_t start, end;
	const uint8_t *bytes;
};

/* Up to HF_INSN_MAX bytes of code at pc; returns how many, 0: there is no code. */
size_t hf_vet_code_read(struct hf_vet_code *c, uint64_t pc, uint8_t buf[HF_INSN_MAX]);
/* The function that holds pc. False: nobody knows. */
bool hf_vet_code_function(struct hf_vet_code *c, uint64_t pc, struct hf_symbol *ret);

/* What a word that is called or jumped through leads to. */
struct hf_vet_callee {
	const char *name; /* "" */
	uint64_t addr;    /* 0: not known */
	bool is_ifunc;
};
/* False: it is a variable like any other. */
bool hf_vet_code_slot(struct hf_vet_code *c, uint64_t slot, struct hf_vet_callee *ret);

enum hf_vet_memory {
	HF_VET_CONSTANT, /* code, constants, what the dynamic linker fills in */
	HF_VET_MUTABLE,
	HF_VET_UNKNOWN, /* in no section */
};
enum hf_vet_memory hf_vet_code_memory(const struct hf_vet_code *c, uint64_t addr, const char **ret_section);
/* "main.counter", "g_registry+24", "0x4242 in .bss"; in buf. */
const char *hf_vet_code_place(struct hf_vet_code *c, uint64_t addr, char *buf, size_t len);

#endif
