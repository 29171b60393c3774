#define _GNU_SOURCE
#include "live.h"
#include "live_snap.h"
#include "facts.h"
#include "maps.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER    65536u /* what a read that misses the image captures around it */
#define MAPS_TRIES 20

static struct hf_err *read_maps(struct hf_target *t)
{
	const struct hf_live *live = t->arg;
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	int failed = hf_proc_read(live->task_fd, "maps", &text);

	if (failed == EACCES || failed == EPERM)
		return hf_live_not_permitted(live);
	if (failed || !text.n)
		return hf_err(HF_TARGET, "%s has ended", t->label);
	return hf_maps_parse(t, text.s, text.n);
}

/* The kernel tells the mappings in pieces: those of a target that runs may have changed between two. */
static struct hf_err *refresh_maps(struct hf_target *t)
{
	struct hf_err *err = read_maps(t);

	for (int i = 0; i < MAPS_TRIES && hf_err_code(err) == HF_BADDATA && !t->stopped; i++) {
		hf_err_destroy(err);
		err = read_maps(t);
	}
	return err;
}

/* Whether a mapping still is what it was when we stopped the target, and cannot have changed: the kernel keeps one
 * link for each file mapping, named by its range. */
static bool is_unchanging(const struct hf_target *t, const struct hf_map *map)
{
	const struct hf_live *live = t->arg;
	struct stat st;
	char name[64];

	if (map->writable || hf_err_ignore(hf_live_check_same(live)) ||
	    hf_err_ignore(hf_live_check_memory(t)))
		return false;
	if (hf_map_kind(map) == HF_MAP_WHOLE)
		return true;
	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, map->start, map->end);
	return hf_map_kind(map) == HF_MAP_FILE && !fstatat(live->task_fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

/* Captures around addr what the image lacks, where that is still possible. */
static struct hf_err *fill_image(struct hf_target *t, const struct hf_map *map, uint64_t addr)
{
	struct hf_live *live = t->arg;
	struct hf_range around = {hf_max(map->start, hf_align_down(addr, CLUSTER)), map->end};
	uint8_t byte;

	around.end = hf_min(around.end - around.start, CLUSTER) + around.start;
	if (hf_image_read(live->image, addr, &byte, 1)) /* another thread was faster */
		return NULL;
	if (!t->stopped && !live->held && !is_unchanging(t, map))
		return hf_err_at(HF_STALE, addr, "0x%" PRIx64 " was not captured while %s was stopped", addr,
				 t->label);
	HF_TRY(hf_live_capture(t, &around, 1));
	if (!hf_image_read(live->image, addr, &byte, 1))
		return hf_err_at(HF_STALE, addr,
				 "0x%" PRIx64
				 " of %s is not in memory (on swap, or in a file that may not be read)",
				 addr, t->label);
	return NULL;
}

static struct hf_err *read_missing(struct hf_target *t, uint64_t addr, void *buf, size_t len, size_t *ret)
{
	struct hf_live *live = t->arg;
	const struct hf_map *map = hf_target_find_map(t, addr);
	struct hf_err *err;

	*ret = 0;
	if (!map || !map->readable || hf_map_kind(map) == HF_MAP_NEVER)
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is not mapped, or not to be read, in %s",
				 addr, t->label);
	if (hf_map_kind(map) == HF_MAP_DEVICE)
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " of %s is a device's (%s)", addr, t->label,
				 map->path);
	pthread_mutex_lock(&live->lock);
	if (live->image) {
		err = fill_image(t, map, addr);
	} else {
		len = (size_t)hf_min(hf_min((uint64_t)len, map->end - addr), (uint64_t)CLUSTER);
		err = hf_live_read_now(t, map, addr, buf, len);
		*ret = err ? 0 : len;
	}
	pthread_mutex_unlock(&live->lock);
	return err;
}

static struct hf_err *live_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	const struct hf_live *live = t->arg;
	uint8_t *to = buf;

	while (len) {
		size_t n = live->image ? hf_image_read(live->image, addr, to, len) : 0;

		if (!n)
			HF_TRY(read_missing(t, addr, to, len, &n));
		to += n;
		addr += n;
		len -= n;
	}
	return NULL;
}

static struct hf_err *live_reread(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	struct hf_live *live = t->arg;
	const struct hf_map *map = hf_target_find_map(t, addr);
	struct hf_err *err;

	if (!map || !map->readable || hf_map_kind(map) > HF_MAP_FILE || len > CLUSTER ||
	    len > map->end - addr)
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is not memory of %s that can be read now",
				 addr, t->label);
	pthread_mutex_lock(&live->lock);
	err = hf_live_read_now(t, map, addr, buf, len);
	pthread_mutex_unlock(&live->lock);
	return err;
}

static const void *live_view(struct hf_target *t, uint64_t addr, size_t len)
{
	const struct hf_live *live = t->arg;

	return live->image ? hf_image_view(live->image, addr, len) : NULL;
}

static struct hf_err *live_prepare(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	HF_TRY(hf_live_check_same(t->arg));
	HF_TRY(refresh_maps(t));
	return hf_live_prepare(t, ranges, n);
}

static struct hf_err *live_stop(struct hf_target *t)
{
	struct hf_live *live = t->arg;
	struct hf_err *err;

	hf_image_destroy(take_ptr(live->image));
	for (size_t i = 0; i < HF_LOST_REASONS; i++)
		live->lost[i] = 0;
	if (!live->prepared)
		live->set_aside = 0;
	HF_TRY(live->held ? hf_live_hold_threads(t) : hf_live_stop_threads(t));
	err = refresh_maps(t);
	if (!err)
		err = hf_image_create(t, &live->image);
	if (!err)
		hf_live_adopt_prepared(live);
	if (err)
		hf_live_resume_threads(t);
	return err;
}

static void live_resume(struct hf_target *t)
{
	hf_live_resume_threads(t);
	hf_live_tell_lost(t);
}

static struct hf_err *live_capture(struct hf_target *t, const struct hf_range *ranges, size_t n)
{
	struct hf_live *live = t->arg;
	struct hf_err *err;

	pthread_mutex_lock(&live->lock);
	err = hf_live_capture(t, ranges, n);
	pthread_mutex_unlock(&live->lock);
	for (size_t i = 0; i < HF_LOST_REASONS; i++)
		t->incomplete |= live->lost[i] > 0;
	return err;
}

static uint64_t resident_of_map(struct hf_live *live, const struct hf_map *map, uint64_t start, uint64_t end)
{
	struct hf_page_runs runs = {0};
	uint64_t sum = 0;

	if (!hf_err_ignore(hf_live_scan(live, map, hf_align_down(start, HF_ARCH_PAGE),
					hf_align_up(end, HF_ARCH_PAGE), &runs)))
		hf_vec_each(&runs, run)
			if (run->state == HF_RUN_PRESENT)
				sum += hf_min(end, run->end) - hf_max(start, run->start);
	hf_vec_deinit(&runs);
	return sum;
}

static uint64_t live_resident(struct hf_target *t, uint64_t addr, uint64_t len)
{
	uint64_t end, sum = 0;

	if (hf_add_overflows(addr, len, &end))
		end = UINT64_MAX;
	hf_vec_each(&t->maps, m)
		if (m->start < end && m->end > addr && hf_map_kind(m) < HF_MAP_DEVICE)
			sum += resident_of_map(t->arg, m, hf_max(addr, m->start), hf_min(end, m->end));
	return sum;
}

static void live_close(struct hf_target *t)
{
	struct hf_live *live = t->arg;

	if (!live)
		return;
	hf_image_destroy(live->image);
	hf_image_destroy(live->prepared);
	hf_vec_each(&live->files, f)
		hf_close_p(&f->fd);
	hf_vec_deinit(&live->files);
	hf_vec_deinit(&live->held_threads);
	hf_vec_deinit(&live->remote_devs);
	hf_close_p(&live->pagemap_fd);
	hf_close_p(&live->mem_fd);
	hf_close_p(&live->task_fd);
	hf_close_p(&live->pid_fd);
	hf_close_p(&live->proc_fd);
	pthread_mutex_destroy(&live->lock);
	hf_free(live);
}

static const struct hf_target_ops live_ops = {
	.kind = "live",
	.read = live_read,
	.view = live_view,
	.reread = live_reread,
	.prepare = live_prepare,
	.stop = live_stop,
	.resume = live_resume,
	.capture = live_capture,
	.open_file = hf_live_open_file,
	.read_raw = hf_live_read_raw,
	.page_spans = hf_live_page_spans,
	.resident = live_resident,
	.in_tracer = hf_live_in_tracer,
	.in_stop = hf_live_in_stop,
	.close = live_close,
};

static struct hf_live *live_create(pid_t pid)
{
	struct hf_live *live = hf_calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->pid = pid;
	live->proc_fd = live->task_fd = live->pid_fd = live->mem_fd = live->pagemap_fd = -1;
	pthread_mutex_init(&live->lock, NULL);
	return live;
}

/* What can be had without stopping anything. */
static struct hf_err *read_process(struct hf_target *t)
{
	struct hf_live *live = t->arg;
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	char comm[32];

	HF_TRY(hf_live_open_fds(live));
	hf_str_addf(&text, "process %d (%s)", t->pid,
		    hf_proc_comm(live->proc_fd, "comm", comm, sizeof(comm)));
	t->label = text.s ? hf_strdup(text.s) : NULL;
	if (!t->label)
		return hf_err_nomem();
	HF_TRY(refresh_maps(t));
	if (!hf_proc_read(live->task_fd, "auxv", &text)) {
		HF_TRY(hf_vec_reserve(&t->auxv, text.n));
		memcpy(t->auxv.at, text.s, text.n);
		t->auxv.n = text.n;
	}
	return hf_facts_read(t->pid, live->proc_fd, &t->facts);
}

struct hf_err *hf_live_open_held(struct hf_target *t)
{
	struct hf_live *live = live_create(t->pid);

	t->ops = &live_ops;
	t->arg = live;
	if (!live)
		return hf_err_nomem();
	live->held = true;
	HF_TRY(hf_vec_reserve(&live->held_threads, t->threads.n));
	hf_vec_each(&t->threads, thread)
		live->held_threads.at[live->held_threads.n++] = *thread;
	t->threads.n = 0;
	return read_process(t);
}

struct hf_err *hf_target_open_pid(pid_t pid, struct hf_target **ret)
{
	_cleanup_(hf_target_close_p) struct hf_target *t = hf_calloc(1, sizeof(*t));

	if (!t)
		return hf_err_nomem();
	t->ops = &live_ops;
	t->pid = pid;
	t->arg = live_create(pid);
	if (!t->arg)
		return hf_err_nomem();
	HF_TRY(read_process(t));
	*ret = take_ptr(t);
	return NULL;
}
