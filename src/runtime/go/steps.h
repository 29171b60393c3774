/* Steps of profiles: fields, variables and functions, without indexes and keys, by number. See runtime.h. */
#ifndef HF_GO_STEPS_H
#define HF_GO_STEPS_H

#include "names.h"

struct hf_err *go_walk_steps(struct hf_runtime *rt, uint32_t from, hf_step_fn *fn, void *arg) HF_CHECKED;
struct hf_err *go_root_steps(struct hf_runtime *rt, const struct hf_found_root *root,
			     struct hf_root_steps *ret) HF_CHECKED;
struct hf_step_info go_step_info(struct hf_runtime *rt, uint32_t step);
void go_steps_destroy(struct go *go);

#endif
