/* Where the results of a call go in the straight code after it: the instructions that compilers put between a call and the
 * store of what it returned, no more. Registers by their number in the encoding: rax, rcx, rdx, rbx, ... */
#ifndef HF_GO_FLOW_H
#define HF_GO_FLOW_H

#include "../../base/base.h"

#define GO_FLOW_ROOM 16u /* bytes that must be there from an instruction's start */

/* What a register holds: word `of` of the results (1 is the first; 0: something else) plus an offset. */
struct go_flow_value {
	uint8_t of;
	int64_t offset;
};
struct go_flow {
	struct go_flow_value reg[16];
};

/* Right after a call. Source: Go 1.20-1.27 cmd/compile/abi-internal.md: results in rax, rbx, rcx. */
void go_flow_begin(struct go_flow *f);
/* Follows one instruction. Its size; 0: it is not known, or goes elsewhere (but for branches that are not taken). */
unsigned go_flow_step(struct go_flow *f, const uint8_t *p);
/* A store of a whole register to an address relative to the next instruction: 7 bytes, the distance in the last four of
 * them. Its register; -1: it is none. */
int go_flow_store(const uint8_t *p);
/* Bytes of a no-op; 0: it is none. */
unsigned go_flow_nop(const uint8_t *p);

#endif
