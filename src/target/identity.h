/* Which process a target is, beyond its number: what a record of it has to say to be sure, later, that it is the same. */
#ifndef HF_IDENTITY_H
#define HF_IDENTITY_H

#include "target.h"

#define HF_BOOT_ID      37  /* of 36 characters, and 0 */
#define HF_BUILD_ID_HEX 257 /* of up to 256 hex digits, and 0 */

struct hf_identity {
	pid_t pid;
	uint64_t start_time;   /* in clock ticks since boot */
	char boot[HF_BOOT_ID]; /* that boot: the kernel's boot_id; "" unknown */
	char build_id
		[HF_BUILD_ID_HEX]; /* of the executable: the GNU build-id, else Go's as the digits of its text; "" none */
	uint64_t uid;              /* effective */
	bool privileged; /* setuid, setgid, with file capabilities, or not dumpable for another reason */
	bool init;       /* process 1 of the machine, not of a container */
};

/* Of a live process; stops nothing. Errors: TARGET (it has ended), UNSUPPORTED (no process of this machine), NOMEM */
struct hf_err *hf_target_identity(struct hf_target *t, struct hf_identity *ret) HF_CHECKED;
/* Whether the process is still the one that was opened, and executes the same program. Errors: TARGET */
struct hf_err *hf_target_check_same(struct hf_target *t) HF_CHECKED;

#endif
