/* What pointers see of the blocks that they lead to, and what is left of maps and channels beside their contents. */
#ifndef HF_GO_VIEWS_H
#define HF_GO_VIEWS_H

#include "typing.h"

/* See runtime.h. */
struct hf_err *go_views(struct hf_runtime *rt, const uint8_t *live, hf_view_fn *fn, void *arg) HF_CHECKED;
struct hf_err *go_root_view(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_view *ret)
	HF_CHECKED;
void go_extent(struct hf_runtime *rt, uint32_t block, uint64_t reach, uint64_t *ret_start, uint64_t *ret_end);
struct hf_err *go_pointers(struct hf_runtime *rt, uint32_t block,
			   void (*fn)(void *arg, uint64_t slot, uint32_t to), void *arg) HF_CHECKED;

/* places.c */
void go_place(struct hf_runtime *rt, uint32_t block, uint64_t slot, struct hf_view_place *ret);
struct hf_err *go_view_place_name(struct hf_runtime *rt, const struct hf_view_place *place,
				  struct hf_str *ret) HF_CHECKED;
struct hf_err *go_root_place(struct hf_runtime *rt, const struct hf_found_root *root, struct hf_str *ret)
	HF_CHECKED;

/* spare.c: fills kind, spare and of, where the map or channel at addr has room to spare. A map or channel, and what damage
 * makes several of them share, is looked at once a round. */
bool go_spare_begin(struct go *go, uint32_t block); /* false: it was looked at, or memory is out */
void go_map_spare(struct go *go, uint32_t map, uint64_t addr, struct hf_view *ret);
void go_chan_spare(struct go *go, uint32_t chan, uint64_t addr, struct hf_view *ret);

#endif
