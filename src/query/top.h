/* Rows of top, whatever they are grouped by. Private to this folder. */
#ifndef HF_TOP_H
#define HF_TOP_H

#include "../base/vec.h"
#include "retained.h"

typedef HF_VEC(struct hf_row) hf_rows;

/* Rows of one name become one; sorted by bytes, else by what they retain; cut at the limit (0: none), into the result. */
struct hf_err *hf_top_finish(struct hf_top *result, hf_rows *rows, bool by_bytes, size_t limit) HF_CHECKED;

#endif
