/* Profiles as pprof reads them: profile.proto, compressed by gzip. */
#ifndef HF_PPROF_H
#define HF_PPROF_H

#include "../../base/base.h"

/* ret  caller frees with hf_free.     Errors: NOMEM, INTERRUPTED, UNSUPPORTED (beyond 32 bits of anything) */
struct hf_err *hf_pprof_encode(const struct hf_profile *profile, uint8_t **ret, size_t *ret_n) HF_CHECKED;

#endif
