/* The tool's end of sandbox/verdict.h: bytes to and from a process that is not to be trusted. Private to patch/ghost*.c. */
#ifndef HF_PATCH_GHOST_WIRE_H
#define HF_PATCH_GHOST_WIRE_H

#include "../runtime/callee.h"

/* All of it, until the deadline (hf_now). Errors: IO (it is gone, or says nothing in time), INTERRUPTED */
struct hf_err *hf_ghost_send(int fd, const void *bytes, size_t len, double deadline) HF_CHECKED;
struct hf_err *hf_ghost_receive(int fd, void *buf, size_t len, double deadline) HF_CHECKED;

struct hf_err *hf_ghost_wait(int fd, double deadline) HF_CHECKED; /* until there is something to receive */

/* How many bytes follow the fixed part of an end; checks every count against the protocol. Errors: IO (absurd). */
struct hf_err *hf_ghost_end_check(const struct ghost_end *end, size_t *ret) HF_CHECKED;
/* Fills in the lists of ret, of which `end` is set and checked, from these bytes. Errors: IO (they contradict it), NOMEM */
struct hf_err *hf_ghost_end_parse(const uint8_t *bytes, size_t len, struct hf_ghost_run *ret) HF_CHECKED;

/* The sandbox program's path: HOLDFAST_SANDBOX, beside ourselves, or where it is installed.
 * ret  caller frees.     Errors: IO (says where it was looked for), NOMEM */
struct hf_err *hf_ghost_find_program(char **ret) HF_CHECKED;

#endif
