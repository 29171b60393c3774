#define _GNU_SOURCE
#include "core.h"
#include "facts.h"
#include "snap_private.h"
#include "../base/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* All that a snap needs from its beginning to its end. */
struct snap {
	struct hf_target *t;
	struct hf_outfile file;
	struct hf_snap_plan plan;
	struct hf_snap_copy copy;
	struct hf_facts *facts;
	struct hf_str headers, notes;
	size_t lost, lost_room; /* in notes */
	double stopped_s;
};

static void snap_deinit(struct snap *snap)
{
	hf_outfile_deinit(&snap->file);
	hf_snap_plan_deinit(&snap->plan);
	hf_vec_deinit(&snap->copy.lost);
	hf_facts_destroy(snap->facts);
	hf_str_deinit(&snap->headers);
	hf_str_deinit(&snap->notes);
}

/* The facts of now, not of when the target was opened; read before the stop, as some take their time. */
static struct hf_err *take_facts(struct snap *snap)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	_close_ int proc_fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)snap->t->pid);
	if (!strcmp(snap->t->ops->kind, "live"))
		proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd >= 0) {
		HF_TRY(hf_facts_read(snap->t->pid, proc_fd, &snap->facts));
	} else if (snap->t->facts) {
		HF_TRY(hf_facts_print(snap->t->facts, &text));
		HF_TRY(hf_facts_parse(hf_str_get(&text), text.n, &snap->facts));
	} else {
		HF_TRY(hf_facts_unknown(&snap->facts));
	}
	hf_free(snap->facts->tool_version);
	snap->facts->tool_version = hf_strdup("holdfast " HF_VERSION);
	return snap->facts->tool_version ? NULL : hf_err_nomem();
}

/* What has to be done while the target stands still. */
static struct hf_err *take_memory(struct snap *snap)
{
	struct hf_target *t = snap->t;
	struct timespec now;
	uint64_t data;

	clock_gettime(CLOCK_REALTIME, &now);
	snap->facts->taken_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	HF_TRY(hf_snap_plan(t, &snap->plan));
	HF_TRY(hf_snap_notes(t, snap->facts, &snap->plan, &snap->notes, &snap->lost, &snap->lost_room));
	HF_TRY(hf_snap_headers(&snap->plan, snap->notes.n, &snap->headers, &data));
	HF_TRY(hf_outfile_check_room(&snap->file, data + snap->plan.data_bytes));
	snap->copy.t = t;
	snap->copy.plan = &snap->plan;
	snap->copy.file = &snap->file;
	snap->copy.data_off = data;
	return hf_snap_copy_memory(&snap->copy);
}

static struct hf_err *stop_and_take(struct snap *snap)
{
	bool was_stopped = snap->t->stopped;
	double before = snap->t->pause.stopped_s;
	struct hf_err *err;

	HF_TRY(hf_target_stop(snap->t));
	err = take_memory(snap);
	if (!was_stopped)
		hf_target_resume(snap->t);
	snap->stopped_s = snap->t->pause.stopped_s - before;
	return err;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct hf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Says in the note, and to the user, which pages the snap does not have. */
static struct hf_err *note_lost(struct snap *snap)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	uint64_t swapped = 0, broken = 0;
	char size[16];

	hf_vec_each(&snap->plan.lost, range)
		swapped += range->end - range->start;
	hf_vec_each(&snap->copy.lost, range) {
		broken += range->end - range->start;
		HF_TRY(hf_vec_push(&snap->plan.lost, *range));
	}
	if (!snap->plan.lost.n)
		return NULL;
	qsort(snap->plan.lost.at, snap->plan.lost.n, sizeof(*snap->plan.lost.at), compare_ranges);
	hf_vec_each(&snap->plan.lost, range)
		hf_str_addf(&text, "%" PRIx64 "-%" PRIx64 "\n", range->start, range->end);
	HF_TRY(hf_str_check(&text));
	if (text.n > snap->lost_room)
		return hf_err(HF_TARGET, "%s: too much of its memory cannot be read (%s in %zu places)",
			      snap->t->label, hf_format_size(broken, size, sizeof(size)), snap->copy.lost.n);
	memcpy(snap->notes.s + snap->lost, text.s, text.n);
	if (swapped)
		hf_target_warn(snap->t, true,
			       "%s on swap are not in the snap: fetching them would have cost the process",
			       hf_format_size(swapped, size, sizeof(size)));
	if (broken)
		hf_target_warn(snap->t, true, "%s that could not be read are not in the snap",
			       hf_format_size(broken, size, sizeof(size)));
	return NULL;
}

static struct hf_err *finish(struct snap *snap, struct hf_snap_stats *ret)
{
	uint64_t size = snap->copy.data_off + snap->plan.data_bytes;

	HF_TRY(hf_snap_copy_files(&snap->copy));
	HF_TRY(note_lost(snap));
	HF_TRY(hf_outfile_write(&snap->file, snap->headers.s, snap->headers.n, 0));
	HF_TRY(hf_outfile_write(&snap->file, snap->notes.s, snap->notes.n, snap->headers.n));
	/* Its last pages may be untouched ones, that were not written. */
	if (ftruncate(snap->file.fd, (off_t)size))
		return hf_err(HF_IO, "%s: cannot be written: %s", snap->file.path, strerror(errno));
	HF_TRY(hf_interrupt_check());
	HF_TRY(hf_outfile_publish(&snap->file));
	*ret = (struct hf_snap_stats){
		.file_bytes = size,
		.resident_bytes = snap->plan.resident_bytes,
		.skipped_bytes = snap->plan.skipped_bytes,
		.segments = (uint32_t)snap->plan.segs.n,
		.stopped_s = snap->stopped_s,
	};
	return NULL;
}

/* A core's bytes as they are; its holes stay holes. */
static struct hf_err *copy_core(struct hf_target *t, const char *path, struct hf_snap_stats *ret)
{
	const struct hf_core *core = t->arg;
	_cleanup_(hf_outfile_deinit) struct hf_outfile file = {.fd = -1};
	const uint64_t piece = UINT64_C(4) << 20;
	struct stat st;

	HF_TRY(hf_outfile_create(path, &file));
	if (!fstat(core->fd, &st))
		HF_TRY(hf_outfile_check_room(&file, (uint64_t)st.st_blocks * 512));
	for (off_t at = 0; (uint64_t)at < core->size;) {
		off_t from = lseek(core->fd, at, SEEK_DATA),
		      to = from < 0 ? -1 : lseek(core->fd, from, SEEK_HOLE);

		if (from < 0 && errno == ENXIO)
			break;
		if (from < 0 || to < 0) {
			from = at;
			to = (off_t)core->size;
		}
		to = (off_t)hf_min((uint64_t)to, hf_min(core->size, (uint64_t)from + piece));
		if (to <= from)
			break;
		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_outfile_write(&file, core->bytes + from, (size_t)(to - from), (uint64_t)from));
		at = to;
	}
	if (ftruncate(file.fd, (off_t)core->size))
		return hf_err(HF_IO, "%s: cannot be written: %s", path, strerror(errno));
	HF_TRY(hf_outfile_publish(&file));
	*ret = (struct hf_snap_stats){.file_bytes = core->size, .segments = (uint32_t)core->segs.n};
	hf_vec_each(&core->segs, seg) {
		ret->resident_bytes += seg->file_end - seg->start;
		ret->skipped_bytes += seg->mem_end - seg->file_end;
	}
	return NULL;
}

struct hf_err *hf_snap_write(struct hf_target *t, const char *path, struct hf_snap_stats *ret)
{
	_cleanup_(snap_deinit) struct snap snap = {.t = t, .file = {.fd = -1}};

	if (!strcmp(t->ops->kind, "core"))
		return copy_core(t, path, ret);
	HF_TRY(hf_outfile_create(path, &snap.file));
	HF_TRY(take_facts(&snap));
	HF_TRY(stop_and_take(&snap));
	return finish(&snap, ret);
}
