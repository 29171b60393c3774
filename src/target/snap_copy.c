#define _GNU_SOURCE
#include "snap_private.h"
#include "../base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* One read and one write are of at most this many bytes. */
#define WINDOW (UINT64_C(4) << 20)

struct pass {
	struct hf_snap_copy *copy;
	uint8_t *buffers; /* WINDOW for each worker */
	pthread_mutex_t lock;
};

static struct hf_err *lose(struct pass *pass, uint64_t start, uint64_t end)
{
	struct hf_range range = {start, end};
	struct hf_err *err;

	pthread_mutex_lock(&pass->lock);
	err = hf_vec_push(&pass->copy->lost, range);
	pthread_mutex_unlock(&pass->lock);
	return err;
}

static struct hf_err *read_once(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	return t->ops->read_raw ? t->ops->read_raw(t, addr, buf, len) : hf_target_read(t, addr, buf, len);
}

/* Reads what is there: a page that cannot be read is zero, and noted. */
static struct hf_err *read_pages(struct pass *pass, uint64_t addr, uint8_t *buf, uint64_t len)
{
	struct hf_target *t = pass->copy->t;
	struct hf_err *err = read_once(t, addr, buf, len);

	if (hf_err_code(err) != HF_FAULT)
		return err;
	hf_err_destroy(err);
	for (uint64_t off = 0, part; off < len; off += part) {
		part = hf_min(len - off, (uint64_t)HF_ARCH_PAGE);
		err = read_once(t, addr + off, buf + off, part);
		if (err && hf_err_code(err) != HF_FAULT)
			return err;
		if (!hf_err_ignore(err))
			continue;
		memset(buf + off, 0, part);
		HF_TRY(lose(pass, addr + off, addr + off + part));
	}
	return NULL;
}

/* The first run that ends behind off in the file. */
static size_t find_run(const struct hf_snap_plan *plan, uint64_t off)
{
	size_t lo = 0, hi = plan->runs.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (plan->runs.at[mid].file_off + (plan->runs.at[mid].end - plan->runs.at[mid].start) <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Copies what lies in one window of the file: runs that are adjacent there go out in one write. */
static struct hf_err *copy_window(void *arg, size_t i, unsigned worker)
{
	struct pass *pass = arg;
	const struct hf_snap_plan *plan = pass->copy->plan;
	uint64_t from = i * WINDOW, to = hf_min(from + WINDOW, plan->data_bytes), done = from, have = from;
	uint8_t *buf = pass->buffers + worker * WINDOW;

	for (size_t r = find_run(plan, from); r < plan->runs.n && plan->runs.at[r].file_off < to; r++) {
		const struct hf_snap_run *run = &plan->runs.at[r];
		uint64_t start = hf_max(run->file_off, from);
		uint64_t end = hf_min(run->file_off + (run->end - run->start), to);

		if (run->from_file)
			continue;
		if (start != have) {
			HF_TRY(hf_outfile_write(pass->copy->file, buf + (done - from), have - done,
						pass->copy->data_off + done));
			done = start;
		}
		HF_TRY(read_pages(pass, run->start + (start - run->file_off), buf + (start - from),
				  end - start));
		have = end;
	}
	return hf_outfile_write(pass->copy->file, buf + (done - from), have - done,
				pass->copy->data_off + done);
}

struct hf_err *hf_snap_copy_memory(struct hf_snap_copy *copy)
{
	_free_ uint8_t *buffers = hf_malloc(hf_workers() * WINDOW);
	struct pass pass = {.copy = copy, .buffers = buffers, .lock = PTHREAD_MUTEX_INITIALIZER};

	if (!buffers)
		return hf_err_nomem();
	return hf_parallel((size_t)((copy->plan->data_bytes + WINDOW - 1) / WINDOW), copy_window, &pass);
}

/* Past the end of a file its pages are not to be read; within its last one they are zero, as they are in
 * buf. */
static struct hf_err *copy_run_of_file(struct pass *pass, const struct hf_snap_run *run, int fd)
{
	uint64_t len = run->end - run->start, got = 0;

	while (got < len) {
		size_t want = (size_t)hf_min(len - got, WINDOW);
		off_t off = (off_t)(run->map->offset + (run->start - run->map->start) + got);
		ssize_t n = pread(fd, pass->buffers, want, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_outfile_write(pass->copy->file, pass->buffers, (size_t)n,
					pass->copy->data_off + run->file_off + got));
		got += (uint64_t)n;
	}
	got = hf_align_up(got, HF_ARCH_PAGE);
	return got < len ? lose(pass, run->start + got, run->end) : NULL;
}

struct hf_err *hf_snap_copy_files(struct hf_snap_copy *copy)
{
	_free_ uint8_t *buffer = hf_malloc(WINDOW);
	struct pass pass = {.copy = copy, .buffers = buffer, .lock = PTHREAD_MUTEX_INITIALIZER};

	if (!buffer)
		return hf_err_nomem();
	for (size_t i = 0; i < copy->plan->runs.n; i++) {
		const struct hf_snap_run *run = &copy->plan->runs.at[i];
		_close_ int fd = -1;

		if (!run->from_file)
			continue;
		if (hf_err_ignore(hf_target_open_file(copy->t, run->map, &fd)))
			HF_TRY(lose(&pass, run->start, run->end));
		else
			HF_TRY(copy_run_of_file(&pass, run, fd));
	}
	return NULL;
}
