/* What every file of ours may assume: attributes, cleanup, checked arithmetic. No project knowledge. */
#ifndef HF_BASE_H
#define HF_BASE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../include/holdfast.h"
#include "alloc.h"
#include "err.h"

#define HF_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define HF_LEN(array)         (sizeof(array) / sizeof((array)[0]))
#define hf_min(a, b)          ((a) < (b) ? (a) : (b))
#define hf_max(a, b)          ((a) > (b) ? (a) : (b))

/* Runs fn(&local) where the scope ends. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Hands a pointer over: the value, with the local set to NULL so that its cleanup does nothing. */
#define take_ptr(p)                                                                                          \
	({                                                                                                   \
		__typeof__(p) *take_p_ = &(p);                                                               \
		__typeof__(p) take_v_ = *take_p_;                                                            \
		*take_p_ = NULL;                                                                             \
		take_v_;                                                                                     \
	})

void hf_free_p(void *p);  /* for _cleanup_: frees *(void **)p with hf_free */
void hf_close_p(int *fd); /* for _cleanup_: closes where >= 0 */
#define _free_  _cleanup_(hf_free_p)
#define _close_ _cleanup_(hf_close_p)

/* True where the sum or product does not fit; *ret is written either way. */
#define hf_add_overflows(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define hf_mul_overflows(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

/* Little-endian loads from a byte buffer at any alignment. */
static inline uint64_t hf_load_u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t hf_load_u32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t hf_load_u16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t hf_align_down(uint64_t v, uint64_t power_of_two)
{
	return v & ~(power_of_two - 1);
}

/* Wraps to 0 at the very top of the address space: callers compare ranges by length. */
static inline uint64_t hf_align_up(uint64_t v, uint64_t power_of_two)
{
	return (v + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
