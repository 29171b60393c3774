/* SHA-256 (FIPS 180-4): names a record by what it says. */
#ifndef HF_SHA256_H
#define HF_SHA256_H

#include "base.h"

#define HF_SHA256_SIZE 32

void hf_sha256(const void *bytes, size_t len, uint8_t ret[HF_SHA256_SIZE]);

#endif
