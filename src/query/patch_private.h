/* A patch being asked about: one pool, one new constructor. Private to query/patch*.c. */
#ifndef HF_QUERY_PATCH_PRIVATE_H
#define HF_QUERY_PATCH_PRIVATE_H

#include "../patch/baseline.h"
#include "../patch/dryrun.h"
#include "../patch/plan.h"
#include "../patch/vet.h"
#include "session.h"

struct hf_patch {
	struct hf_session *s;
	const struct hf_patch_options *options;
	struct hf_callee *callee;
	struct hf_ctor_slot slot;
	struct hf_ctor ctor;
	struct hf_plan plan;
	struct hf_arena names; /* of slot and ctor */
};

/* Finds the pool and the constructor, and makes the plan. Stops nothing where the pool is named by its address or is a
 * variable.     ret  zeroed; caller frees with hf_patch_close, on errors, too. */
struct hf_err *hf_patch_open(struct hf_session *s, const struct hf_patch_options *options,
			     struct hf_patch *ret) HF_CHECKED;
void hf_patch_close(struct hf_patch *p);

/* FILE.so:FUNCTION, the file named from / on. False: the word has no such form. */
struct hf_patch_file {
	char path[4096];
	const char *function;
};
bool hf_patch_names_file(const char *word, struct hf_patch_file *ret);

/* patch_pool.c: the pool that a word names, and the callee of its language. */
struct hf_err *hf_patch_find_pool(struct hf_patch *p, const char *word) HF_CHECKED;

/* patch_users.c: sets users of a plan, and of C processors. Stops the target. */
struct hf_err *hf_patch_find_users(struct hf_patch *p, struct hf_patch_plan *ret) HF_CHECKED;

/* patch_report.c: what was found, as parts of a result. */
struct hf_err *hf_patch_tell_plan(const void *result, const struct hf_patch *p,
				  const struct hf_patch_plan **ret) HF_CHECKED;
struct hf_err *hf_patch_tell_findings(const void *result, const struct hf_patch *p,
				      const struct hf_findings *f, const struct hf_patch_finding **ret,
				      size_t *ret_n) HF_CHECKED;
struct hf_err *hf_patch_tell_run(const void *result, const struct hf_patch *p, const char *function,
				 const struct hf_dry_run *d, const struct hf_patch_run **ret) HF_CHECKED;

/* patch_check.c: what its code says, together with what the language says. ret  zeroed; freed by hf_vet_deinit. */
struct hf_err *hf_patch_vet_it(struct hf_patch *p, struct hf_vet *ret, enum hf_refusal *ret_refusal)
	HF_CHECKED;
/* Vet, then runs of the old and the new constructor, as parts of a result. */
struct hf_err *hf_patch_try_it(struct hf_patch *p, const void *result, struct hf_patch_dry_run *ret)
	HF_CHECKED;

/* patch_watch.c: figures of the process as it is. */
struct hf_err *hf_patch_take_baseline(struct hf_session *s, const struct hf_plan *plan,
				      struct hf_baseline *ret) HF_CHECKED;
/* The same once more, after runs of both constructors: how much it allocates a second, and what each has made. */
struct hf_err *hf_patch_look_again(struct hf_session *s, const struct hf_patch_dry_run *d, uint64_t slot_addr,
				   struct hf_baseline *ret) HF_CHECKED;
/* Compares those that were kept with now; nothing where none were. */
struct hf_err *hf_patch_watch_it(struct hf_session *s, const char *id, uint64_t slot_addr,
				 struct hf_patch_states *ret) HF_CHECKED;

/* patch_set.c: waits so long, or until the process has ended. s  NULL: of no process. Errors: INTERRUPTED, TARGET */
struct hf_err *hf_patch_wait(struct hf_session *s, double seconds) HF_CHECKED;

#endif
