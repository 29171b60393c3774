#include "base.h"

#include <stdlib.h>
#include <unistd.h>

static unsigned long fail_countdown;

void hf_alloc_fail_nth(unsigned long nth)
{
	fail_countdown = nth;
}

static bool fails_now(void)
{
	return __builtin_expect(fail_countdown, 0) && --fail_countdown == 0;
}

void *hf_malloc(size_t size)
{
	return fails_now() ? NULL : malloc(size ? size : 1);
}

void *hf_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *hf_realloc(void *p, size_t n, size_t size)
{
	size_t total;

	if (hf_mul_overflows(n, size, &total) || fails_now())
		return NULL;
	return realloc(p, total ? total : 1);
}

char *hf_strdup(const char *s)
{
	return hf_strndup(s, strlen(s));
}

char *hf_strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *copy = hf_malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void hf_free(void *p)
{
	free(p);
}

void hf_free_p(void *p)
{
	hf_free(*(void **)p);
}

void hf_close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
