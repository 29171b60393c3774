/* Where the tool keeps what it must remember: a folder of the user's own. */
#ifndef HF_PATCH_STATE_H
#define HF_PATCH_STATE_H

#include "../base/base.h"
#include "../base/str.h"

/* The path of a file in it: holdfast/NAME in XDG_STATE_HOME, by default ~/.local/state. Errors: IO (there is no home) */
struct hf_err *hf_state_path(const char *name, struct hf_str *ret) HF_CHECKED;
/* Makes the folders on the way to a file of ours, 0700. Errors: IO, NOMEM */
struct hf_err *hf_state_make_folders(const char *path) HF_CHECKED;

#endif
