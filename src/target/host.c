/* What a debugger holds that is not of this machine: a process behind gdbserver, or a core in a form that only the
 * debugger reads. Memory comes through the debugger, in large pieces, into an image (live_image.c); it stands still for
 * as long as the session lives, so that there is nothing to stop.
 *
 * The debugger is asked from the thread that opened the target alone: others get what was captured.
 */
#define _GNU_SOURCE
#include "core.h"
#include "facts.h"
#include "live.h"
#include "maps.h"

#include "../base/safe.h"
#include "../base/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE   (UINT64_C(1) << 20) /* of one question to the debugger */
#define CLUSTER UINT64_C(65536)     /* what a read that misses the image captures around it */

struct host {
	bool (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	void *arg;
	char *exe; /* NULL: not given */
	pthread_t owner;
	struct hf_image *image;
	struct hf_ranges ranges; /* of one capture */
	uint64_t lost;           /* bytes that the debugger could not read */
};

static bool is_readable(const struct hf_map *map)
{
	enum hf_map_kind kind = hf_map_kind(map);

	return map->readable && kind != HF_MAP_DEVICE && kind != HF_MAP_NEVER;
}

/* A piece that is not readable as a whole is halved, down to the pages that are to blame. */
static struct hf_err *fetch(struct host *host, struct hf_region *r, uint64_t start, uint64_t end)
{
	uint64_t step = PIECE;

	for (uint64_t at = start; at < end;) {
		uint64_t len = hf_min(step, end - at);

		HF_TRY(hf_interrupt_check());
		if (host->read(host->arg, at, r->bytes + (at - r->start), (size_t)len)) {
			hf_region_mark(r, at, at + len);
			at += len;
			step = hf_min(step * 2, PIECE);
		} else if (len > HF_ARCH_PAGE) {
			step = hf_align_up(len / 2, HF_ARCH_PAGE);
		} else {
			HF_TRY(hf_interrupt_check());
			host->lost += hf_region_lose(r, at) ? len : 0;
			at += len;
		}
	}
	return NULL;
}

/* What of [start, end), in one mapping, the image lacks. */
static struct hf_err *capture_part(struct host *host, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct hf_region *r = hf_image_find(host->image, start);
		uint64_t cut = r ? hf_min(end, r->end) : end;

		if (r)
			HF_TRY(hf_region_reserve(r));
		while (r && start < cut) {
			bool known;
			uint64_t stop = hf_region_run(r, start, cut, &known);

			if (!known)
				HF_TRY(fetch(host, r, start, stop));
			start = stop;
		}
		start = cut;
	}
	return NULL;
}

static struct hf_err *host_capture(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	struct host *host = t->arg;
	const struct hf_map *m = t->maps.at, *end = m + t->maps.n;
	uint64_t before = host->lost, done = 0;

	host->ranges.n = 0;
	HF_TRY(hf_ranges_normalise(ranges, n, &host->ranges));
	hf_vec_each(&host->ranges, r) {
		hf_progress("memory through the debugger", done++, host->ranges.n);
		while (m < end && m->end <= r->start)
			m++;
		for (const struct hf_map *in = m; in < end && in->start < r->end; in++)
			if (is_readable(in))
				HF_TRY(capture_part(host, hf_max(in->start, r->start),
						    hf_min(in->end, r->end)));
	}
	if (host->lost > before)
		hf_target_warn(t, true, "%" PRIu64 " bytes of memory could not be read through the debugger",
			       host->lost - before);
	return NULL;
}

static struct hf_err *fill_image(struct hf_target *t, uint64_t addr)
{
	struct host *host = t->arg;
	const struct hf_map *map = hf_target_find_map(t, addr);
	uint64_t start;
	uint8_t byte;

	if (!map || !is_readable(map))
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is not mapped, or not to be read, in %s",
				 addr, t->label);
	if (!pthread_equal(host->owner, pthread_self()))
		return hf_err_at(HF_STALE, addr, "0x%" PRIx64 " of %s was not captured", addr, t->label);
	start = hf_max(map->start, hf_align_down(addr, CLUSTER));
	HF_TRY(capture_part(host, start, start + hf_min(map->end - start, CLUSTER)));
	if (!hf_image_read(host->image, addr, &byte, 1))
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " of %s cannot be read through the debugger",
				 addr, t->label);
	return NULL;
}

static struct hf_err *host_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	const struct host *host = t->arg;
	uint8_t *to = buf;

	while (len) {
		size_t n = hf_image_read(host->image, addr, to, len);

		if (!n)
			HF_TRY(fill_image(t, addr));
		to += n;
		addr += n;
		len -= n;
	}
	return NULL;
}

static const void *host_view(struct hf_target *t, uint64_t addr, size_t len)
{
	const struct host *host = t->arg;

	return hf_image_view(host->image, addr, len);
}

static struct hf_err *host_stop(struct hf_target *t)
{
	(void)t;
	return NULL;
}

static uint64_t host_resident(struct hf_target *t, uint64_t addr, uint64_t len)
{
	uint64_t end, sum = 0;

	if (hf_add_overflows(addr, len, &end))
		end = UINT64_MAX;
	hf_vec_each(&t->maps, m)
		if (m->start < end && m->end > addr && is_readable(m))
			sum += hf_min(end, m->end) - hf_max(addr, m->start);
	return sum;
}

/* ---- files: what has the same name here may be another; only one with the same build-id is used -------------- */

static bool ids_of_file(int fd, struct hf_build_ids *ret)
{
	struct stat st;
	void *bytes;
	bool is_elf;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return false;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	is_elf = hf_build_ids_read(bytes, (size_t)st.st_size, ret);
	munmap(bytes, (size_t)st.st_size);
	return is_elf;
}

/* Of the image that starts where the file's first mapping does: notes stand in its first pages. */
static bool ids_in_memory(struct hf_target *t, const struct hf_map *map, struct hf_build_ids *ret)
{
	hf_vec_each(&t->maps, m) {
		uint8_t bytes[HF_ARCH_PAGE];

		if (m->offset || strcmp(m->path, map->path) != 0 || !m->readable)
			continue;
		return !hf_err_ignore(hf_target_read(t, m->start, bytes, sizeof(bytes))) &&
		       hf_build_ids_read(bytes, sizeof(bytes), ret);
	}
	return false;
}

/* -1: not there, or another file. */
static int open_same(const char *path, const struct hf_build_ids *ids)
{
	struct hf_build_ids here = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && (!ids_of_file(fd, &here) || hf_build_ids_compare(&here, ids) != HF_IDS_SAME))
		hf_close_p(&fd);
	return fd < 0 ? -1 : fd;
}

static struct hf_err *host_open_file(struct hf_target *t, const struct hf_map *map, int *ret)
{
	const struct host *host = t->arg;
	struct hf_build_ids ids = {0};
	int fd = -1;

	if (map->path[0] != '/' || !ids_in_memory(t, map, &ids))
		return hf_err_at(HF_TARGET, map->start,
				 "the mapping at 0x%" PRIx64 " of %s has no file with a build-id", map->start,
				 t->label);
	if (host->exe)
		fd = open_same(host->exe, &ids);
	if (fd < 0)
		fd = open_same(map->path, &ids);
	if (fd < 0)
		return hf_err_at(HF_TARGET, map->start,
				 "%s, as mapped in %s, is not here: load it in the debugger (file %s)",
				 map->path, t->label, map->path);
	*ret = fd;
	return NULL;
}

static void host_close(struct hf_target *t)
{
	struct host *host = t->arg;

	if (!host)
		return;
	hf_image_destroy(host->image);
	hf_vec_deinit(&host->ranges);
	hf_free(host->exe);
	hf_free(host);
}

static const struct hf_target_ops host_ops = {
	.kind = "host",
	.read = host_read,
	.view = host_view,
	.stop = host_stop,
	.capture = host_capture,
	.open_file = host_open_file,
	.resident = host_resident,
	.close = host_close,
};

/* ---- opening -------------------------------------------------------------------------------------------------- */

static struct hf_err *take_threads(const struct hf_host *from, struct hf_target *t)
{
	HF_TRY(hf_vec_reserve(&t->threads, from->threads_n));
	for (size_t i = 0; i < from->threads_n; i++) {
		const struct hf_host_thread *given = &from->threads[i];
		struct hf_thread thread = {
			.tid = given->tid, .ns_tid = given->tid, .state = HF_THREAD_STOPPED};

		HF_TRY(hf_err_prefix(hf_arch_regs_decode(given->regs, given->regs_len, &thread.regs),
				     "thread %d", given->tid));
		t->threads.at[t->threads.n++] = thread;
	}
	return NULL;
}

static struct hf_err *set_label(const struct hf_host *from, struct hf_target *t)
{
	struct hf_str label = {0};

	hf_str_addf(&label, "process %d", from->pid);
	if (from->name && *from->name) {
		hf_str_add(&label, " (");
		hf_str_add_clean(&label, from->name);
		hf_str_add(&label, ")");
	}
	t->label = label.s;
	return hf_str_check(&label);
}

static struct hf_err *take_all(const struct hf_host *from, struct hf_target *t)
{
	struct host *host = t->arg;

	if (!from->read || !from->maps)
		return hf_err(HF_USAGE, "the debugger gives neither memory nor mappings of process %d",
			      from->pid);
	host->read = from->read;
	host->arg = from->arg;
	host->owner = pthread_self();
	host->exe = from->exe ? hf_strdup(from->exe) : NULL;
	if (from->exe && !host->exe)
		return hf_err_nomem();
	HF_TRY(set_label(from, t));
	HF_TRY(hf_maps_parse(t, from->maps, strlen(from->maps)));
	if (!t->maps.n)
		return hf_err(HF_TARGET, "%s has no mappings: the debugger does not say them", t->label);
	if (from->auxv_len) {
		HF_TRY(hf_vec_reserve(&t->auxv, from->auxv_len));
		memcpy(t->auxv.at, from->auxv, from->auxv_len);
		t->auxv.n = from->auxv_len;
	}
	HF_TRY(hf_image_create(t, &host->image));
	HF_TRY(hf_facts_unknown(&t->facts));
	t->facts->taken_at = (double)time(NULL);
	return NULL;
}

struct hf_err *hf_target_open_host(const struct hf_host *from, struct hf_target **ret)
{
	_cleanup_(hf_target_close_p) struct hf_target *t = hf_calloc(1, sizeof(*t));

	if (!t)
		return hf_err_nomem();
	t->pid = from->pid;
	t->held = true;
	/* What an older caller does not have. */
	if (from->size >= offsetof(struct hf_host, write) + sizeof(from->write)) {
		t->host_write = from->write;
		t->host_arg = from->arg;
	}
	HF_TRY(take_threads(from, t));
	if (from->local) {
		HF_TRY(hf_live_open_held(t));
		*ret = take_ptr(t);
		return NULL;
	}
	t->ops = &host_ops;
	t->arg = hf_calloc(1, sizeof(struct host));
	if (!t->arg)
		return hf_err_nomem();
	HF_TRY(take_all(from, t));
	*ret = take_ptr(t);
	return NULL;
}
