/* The text of /proc/PID/maps, and of the "maps" part of a snap's note, which has the same form. */
#ifndef HF_MAPS_H
#define HF_MAPS_H

#include "target.h"

/* Replaces t->maps by what text says (names go to t->names). Errors: BADDATA (a line that is no mapping, mappings out
 * of order), NOMEM. */
struct hf_err *hf_maps_parse(struct hf_target *t, const char *text, size_t len) HF_CHECKED;
/* Writes t->maps in the same form. */
void hf_maps_print(const struct hf_target *t, struct hf_str *ret);

#endif
