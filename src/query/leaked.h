/* Which goroutines can never run again. Private to this folder. */
#ifndef HF_LEAKED_H
#define HF_LEAKED_H

#include "../graph/parties.h"
#include "session.h"

struct hf_leaks {
	uint32_t n;         /* tasks */
	uint8_t *leaked;    /* a byte a task */
	uint32_t *of_root;  /* by root: the task whose it is; HF_NO_PARTY */
	uint32_t *waits_on; /* by task: a block that it waits on, where it is blocked; HF_NO_BLOCK */
	struct hf_task_waits waits;
	struct hf_gate *gate; /* by task; NULL: none is blocked */
	uint64_t leaked_n;
	uint64_t objects, bytes; /* that leaked ones hold, and nothing else does */
};

/* Finds them; once. A goroutine that is blocked is leaked unless what can still run reaches something that it waits on.
 * The main one, where it waits for nothing at all, is none: it keeps the program going. But nothing is woken by it.
 * Cost: a mark, 9 bytes a block. */
struct hf_err *hf_session_leaks(struct hf_session *s) HF_CHECKED;
void hf_session_free_leaks(struct hf_session *s);

#endif
