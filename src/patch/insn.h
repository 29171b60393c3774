/* One x86-64 instruction, as far as a walk over code wants to know it. What capstone says stays in insn.c. */
#ifndef HF_PATCH_INSN_H
#define HF_PATCH_INSN_H

#include "../base/base.h"

#define HF_INSN_MAX 15 /* bytes */

enum hf_insn_kind {
	HF_INSN_OTHER,
	HF_INSN_CALL,
	HF_INSN_JUMP,
	HF_INSN_BRANCH, /* goes on at `target`, or after it */
	HF_INSN_RETURN,
	HF_INSN_SYSCALL,
	HF_INSN_TRAP, /* ud2, int3, hlt: it ends there */
};

/* Registers by the numbers of enum ghost_reg; parts of one count as the whole. */
#define HF_INSN_NO_REG 255

/* An operand in memory. */
struct hf_insn_place {
	uint8_t base, index;
	uint64_t disp;  /* of a fixed place: the address */
	bool is_fixed;  /* no register but rip, and maybe an index */
	bool is_thread; /* counts from fs or gs */
	bool read, write;
};

/* What it does to the one register that it sets, as far as that can be followed. */
enum hf_insn_set {
	HF_INSN_SET_NONE,
	HF_INSN_SET_VALUE,   /* to value */
	HF_INSN_SET_ADDRESS, /* to the address of place */
	HF_INSN_SET_COPY,    /* to what register `from` holds */
	HF_INSN_SET_LOAD,    /* to the 8 bytes at place */
};

struct hf_insn {
	uint64_t pc;
	uint8_t len;
	enum hf_insn_kind kind;
	bool indirect;   /* CALL, JUMP: not to `target`, but to what a register or place says */
	uint64_t target; /* direct: the address */
	struct hf_insn_place places[2];
	uint8_t places_n;
	uint16_t reads,
		writes; /* registers, a bit each; through places, too; a call writes those that it may */
	enum hf_insn_set set;
	uint8_t set_reg, from;
	uint64_t value;
};

struct hf_decoder;

/* ret  caller frees with hf_decoder_close.     Errors: UNSUPPORTED (the library refuses), NOMEM */
struct hf_err *hf_decoder_open(struct hf_decoder **ret) HF_CHECKED;
void hf_decoder_close(struct hf_decoder *d); /* takes NULL */
/* The instruction that begins at bytes, which stand at pc. False: there is none, or it does not end in len. */
bool hf_insn_decode(struct hf_decoder *d, const uint8_t *bytes, size_t len, uint64_t pc, struct hf_insn *ret);

#endif
