/* The only way to allocate: so that a test can make the Nth allocation fail, and sizes cannot wrap. */
#ifndef HF_ALLOC_H
#define HF_ALLOC_H

#include <stddef.h>

/* All return NULL where memory is out or n * size wraps; free with hf_free. */
void *hf_malloc(size_t size);
void *hf_calloc(size_t n, size_t size);
void *hf_realloc(void *p, size_t n, size_t size); /* on failure p is untouched */
char *hf_strdup(const char *s);
char *hf_strndup(const char *s, size_t max);
void hf_free(void *p);

/* Tests: the nth allocation from now on (1 is the next) fails, once. 0: none. Not for several threads. */
void hf_alloc_fail_nth(unsigned long nth);

#endif
