#include "target.h"
#include "../base/workers.h"
#include "facts.h"

#include <pthread.h>
#include <stdarg.h>

/* More than this at once is a damaged length, not an object. */
#define GET_MAX (UINT64_C(1) << 30)

void hf_target_close(struct hf_target *t)
{
	if (!t)
		return;
	hf_target_resume(t);
	if (t->ops && t->ops->close)
		t->ops->close(t);
	hf_vec_each(&t->warnings, w)
		hf_free(w->text);
	hf_vec_deinit(&t->warnings);
	hf_vec_deinit(&t->maps);
	hf_vec_deinit(&t->threads);
	hf_vec_deinit(&t->auxv);
	hf_facts_destroy(t->facts);
	hf_arena_deinit(&t->names);
	hf_free(t->label);
	hf_free(t);
}

void hf_target_close_p(struct hf_target **t)
{
	hf_target_close(*t);
}

struct hf_err *hf_target_prepare(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	return t->ops->prepare && !t->stopped ? t->ops->prepare(t, ranges, n) : NULL;
}

struct hf_err *hf_target_stop(struct hf_target *t)
{
	if (t->stopped || !t->ops->stop)
		return NULL;
	t->pause.began = hf_now();
	HF_TRY(t->ops->stop(t));
	t->stopped = true;
	return NULL;
}

void hf_target_resume(struct hf_target *t)
{
	if (!t->stopped)
		return;
	t->stopped = false;
	if (t->ops->resume)
		t->ops->resume(t);
}

struct hf_err *hf_target_in_tracer(struct hf_target *t, hf_tracer_fn *fn, void *arg)
{
	if (!t->stopped || !t->ops->in_tracer)
		return hf_err(HF_UNSUPPORTED, "%s is not traced by us", t->label);
	return t->ops->in_tracer(t, fn, arg);
}

struct hf_err *hf_target_in_stop(struct hf_target *t, hf_tracer_fn *fn, void *arg)
{
	struct hf_err *err;

	if (t->stopped || !t->ops->in_stop)
		return hf_err(HF_UNSUPPORTED, "%s is not traced by us", t->label);
	t->stopped = true;
	err = t->ops->in_stop(t, fn, arg);
	t->stopped = false;
	return err;
}

struct hf_err *hf_target_capture(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	struct hf_err *err;

	if (!t->ops->capture)
		return NULL;
	if (!t->stopped)
		return hf_err(HF_USAGE, "%s has to be stopped before its memory is captured", t->label);
	err = t->ops->capture(t, ranges, n);
	/* Whoever interrupts us wants the target to run again now, not when the caller has cleaned up. */
	if (hf_err_code(err) == HF_INTERRUPTED)
		hf_target_resume(t);
	return err;
}

struct hf_err *hf_target_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	uint64_t end;

	if (!len)
		return NULL;
	if (hf_add_overflows(addr, len - 1, &end))
		return hf_err_at(HF_FAULT, addr,
				 "%zu bytes at 0x%" PRIx64 " pass the end of the address space", len, addr);
	return t->ops->read(t, addr, buf, len);
}

struct hf_err *hf_target_read_u64(struct hf_target *t, uint64_t addr, uint64_t *ret)
{
	uint8_t bytes[8];

	HF_TRY(hf_target_read(t, addr, bytes, sizeof(bytes)));
	*ret = hf_load_u64(bytes);
	return NULL;
}

struct hf_err *hf_target_read_u32(struct hf_target *t, uint64_t addr, uint32_t *ret)
{
	uint8_t bytes[4];

	HF_TRY(hf_target_read(t, addr, bytes, sizeof(bytes)));
	*ret = hf_load_u32(bytes);
	return NULL;
}

struct hf_err *hf_target_read_u8(struct hf_target *t, uint64_t addr, uint8_t *ret)
{
	uint8_t byte;

	HF_TRY(hf_target_read(t, addr, &byte, sizeof(byte)));
	*ret = byte;
	return NULL;
}

/* Says no before memory is set aside for bytes that cannot be there: a length may be the target's own. */
static struct hf_err *check_mapped(const struct hf_target *t, uint64_t addr, size_t len)
{
	const struct hf_map *end = t->maps.at + t->maps.n, *m;
	uint64_t at = addr;

	if (len > GET_MAX)
		return hf_err_at(HF_FAULT, addr,
				 "%zu bytes at 0x%" PRIx64 " are more than one read takes (1 GiB)", len,
				 addr);
	for (m = hf_target_find_map(t, addr); m && m < end && m->start <= at && m->readable; m++) {
		if (m->end - 1 - addr >= len - 1)
			return NULL;
		at = m->end;
	}
	return hf_err_at(HF_FAULT, at, "0x%" PRIx64 " cannot be read: it is not mapped in %s", at, t->label);
}

struct hf_err *hf_target_reread(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	return t->ops->reread ? t->ops->reread(t, addr, buf, len) : hf_target_read(t, addr, buf, len);
}

struct hf_err *hf_target_read_now(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	return t->stopped && t->ops->read_raw ? t->ops->read_raw(t, addr, buf, len)
					      : hf_target_reread(t, addr, buf, len);
}

static struct hf_err *check_holder(struct hf_target *t, uint64_t holder, uint64_t addr, uint64_t len)
{
	uint64_t header[2];

	HF_TRY(hf_target_reread(t, holder, header, sizeof(header)));
	if (header[0] != addr || header[1] != len)
		return hf_err_at(HF_STALE, holder, "what 0x%" PRIx64 " led to has changed since the stop",
				 holder);
	return NULL;
}

struct hf_err *hf_target_reread_held(struct hf_target *t, uint64_t holder, uint64_t addr, uint64_t whole_len,
				     void *buf, size_t len)
{
	HF_TRY(check_holder(t, holder, addr, whole_len));
	HF_TRY(hf_target_reread(t, addr, buf, len));
	return check_holder(t, holder, addr, whole_len);
}

const void *hf_target_view(struct hf_target *t, uint64_t addr, size_t len)
{
	return t->ops->view && len ? t->ops->view(t, addr, len) : NULL;
}

struct hf_err *hf_target_get(struct hf_target *t, uint64_t addr, size_t len, struct hf_scratch *scratch,
			     const void **ret)
{
	const void *here = hf_target_view(t, addr, len);

	if (!here) {
		if (len)
			HF_TRY(check_mapped(t, addr, len));
		scratch->n = 0;
		HF_TRY(hf_vec_reserve(scratch, hf_max(len, (size_t)1)));
		HF_TRY(hf_target_read(t, addr, scratch->at, len));
		scratch->n = len;
		here = scratch->at;
	}
	*ret = here;
	return NULL;
}

const struct hf_map *hf_target_find_map(const struct hf_target *t, uint64_t addr)
{
	size_t lo = 0, hi = t->maps.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->maps.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->maps.n && t->maps.at[lo].start <= addr ? &t->maps.at[lo] : NULL;
}

struct hf_err *hf_target_open_file(struct hf_target *t, const struct hf_map *map, int *ret)
{
	if (!t->ops->open_file)
		return hf_err(HF_TARGET, "%s has no files", t->label);
	return t->ops->open_file(t, map, ret);
}

bool hf_target_auxv(const struct hf_target *t, uint64_t type, uint64_t *ret)
{
	for (size_t i = 0; i + 16 <= t->auxv.n; i += 16) {
		uint64_t key = hf_load_u64(t->auxv.at + i);

		if (key == type) {
			*ret = hf_load_u64(t->auxv.at + i + 8);
			return true;
		}
		if (!key) /* AT_NULL ends it */
			break;
	}
	return false;
}

void hf_target_warn(struct hf_target *t, bool incomplete, const char *fmt, ...)
{
	static pthread_mutex_t lock =
		PTHREAD_MUTEX_INITIALIZER; /* loops over a target warn from several threads */
	struct hf_warning warning = {0};
	struct hf_str text = {0};
	va_list args;

	va_start(args, fmt);
	hf_str_addv(&text, fmt, args);
	va_end(args);
	warning.text = text.s;
	pthread_mutex_lock(&lock);
	t->incomplete |= incomplete;
	/* Out of memory: the warning is lost, that answers are not whole is not. */
	if (text.failed || !text.s || hf_err_ignore(hf_vec_push(&t->warnings, warning)))
		hf_free(text.s);
	pthread_mutex_unlock(&lock);
}
