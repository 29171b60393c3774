/* Returned errors: a code, a one-line message that the user can act on, the target address where there is one. */
#ifndef HF_BASE_ERR_H
#define HF_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/holdfast.h"

/* Makes an error; never NULL (where memory is out: a static HF_NOMEM). Caller frees with hf_err_destroy. */
struct hf_err *hf_err(enum hf_err_code code, const char *fmt, ...) HF_CHECKED
	__attribute__((format(printf, 2, 3)));
struct hf_err *hf_err_at(enum hf_err_code code, uint64_t addr, const char *fmt, ...) HF_CHECKED
	__attribute__((format(printf, 3, 4)));
struct hf_err *hf_err_nomem(void) HF_CHECKED;

/* Puts "<text>: " before the message. Takes err; returns it (or another). NULL stays NULL. */
struct hf_err *hf_err_prefix(struct hf_err *err, const char *fmt, ...) HF_CHECKED
	__attribute__((format(printf, 2, 3)));

/* For _cleanup_. */
void hf_err_destroy_p(struct hf_err **err);

/* Returns the error of an expression from this function. */
#define HF_TRY(expr)                                                                                         \
	do {                                                                                                 \
		struct hf_err *hf_try_err_ = (expr);                                                         \
		if (__builtin_expect(hf_try_err_ != NULL, 0))                                                \
			return hf_try_err_;                                                                  \
	} while (0)

/* Drops an error that the caller has a better answer to than failing; true where there was one. */
bool hf_err_ignore(struct hf_err *err);

#endif
