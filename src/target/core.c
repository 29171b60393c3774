#include "core.h"

#include <gelf.h>
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The index of the piece that holds addr, or of the first one after it. */
static size_t find_piece(const struct hf_core *core, uint64_t addr)
{
	size_t lo = 0, hi = core->pieces.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (core->pieces.at[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct hf_err *explain_fault(struct hf_target *t, const struct hf_core_piece *piece, uint64_t addr)
{
	const struct hf_map *map = hf_target_find_map(t, addr);
	const char *path = map && map->path ? map->path : "a file";

	if (!piece)
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is not in the core", addr);
	switch (piece->kind) {
	case HF_PIECE_TRUNCATED:
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is in the part of the core that is cut off",
				 addr);
	case HF_PIECE_LOST:
		return hf_err_at(HF_FAULT, addr,
				 "0x%" PRIx64 " was on swap or unreadable when the snap was taken", addr);
	case HF_PIECE_NO_FILE:
		return hf_err_at(
			HF_FAULT, addr,
			"0x%" PRIx64
			" is in %.200s: the core leaves it out, and that file is not here or not the same",
			addr, path);
	default:
		return hf_err_at(HF_FAULT, addr, "0x%" PRIx64 " is mapped, but not readable", addr);
	}
}

static struct hf_err *core_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	const struct hf_core *core = t->arg;
	uint8_t *out = buf;
	size_t i = find_piece(core, addr);

	while (len) {
		const struct hf_core_piece *piece = i < core->pieces.n ? &core->pieces.at[i] : NULL;
		size_t part;

		if (!piece || addr < piece->start)
			return explain_fault(t, NULL, addr);
		if (piece->kind > HF_PIECE_ZEROS)
			return explain_fault(t, piece, addr);
		part = hf_min(len, piece->end - addr);
		if (piece->kind == HF_PIECE_BYTES)
			memcpy(out, piece->bytes + (addr - piece->start), part);
		else
			memset(out, 0, part);
		out += part;
		addr += part;
		len -= part;
		i++;
	}
	return NULL;
}

static const void *core_view(struct hf_target *t, uint64_t addr, size_t len)
{
	const struct hf_core *core = t->arg;
	size_t i = find_piece(core, addr);
	const struct hf_core_piece *piece = i < core->pieces.n ? &core->pieces.at[i] : NULL;

	if (!piece || addr < piece->start || piece->kind != HF_PIECE_BYTES || len > piece->end - addr)
		return NULL;
	return piece->bytes + (addr - piece->start);
}

static uint64_t core_resident(struct hf_target *t, uint64_t addr, uint64_t len)
{
	const struct hf_core *core = t->arg;
	uint64_t end, sum = 0;

	if (hf_add_overflows(addr, len, &end))
		end = UINT64_MAX;
	for (size_t i = 0; i < core->segs.n && core->segs.at[i].start < end; i++) {
		const struct hf_core_seg *seg = &core->segs.at[i];
		uint64_t from = hf_max(seg->start, addr), to = hf_min(seg->file_end, end);

		sum += from < to ? to - from : 0;
	}
	return sum;
}

static void core_close(struct hf_target *t)
{
	struct hf_core *core = t->arg;

	if (!core)
		return;
	hf_core_close_files(core);
	elf_end(core->elf);
	if (core->bytes)
		munmap((void *)(uintptr_t)core->bytes, core->size);
	hf_close_p(&core->fd);
	hf_vec_deinit(&core->segs);
	hf_vec_deinit(&core->entries);
	hf_vec_deinit(&core->lost);
	hf_vec_deinit(&core->pieces);
	hf_free(core->path);
	hf_free(core);
	t->arg = NULL;
}

static const struct hf_target_ops core_ops = {
	.kind = "core",
	.read = core_read,
	.view = core_view,
	.open_file = hf_core_open_file,
	.resident = core_resident,
	.close = core_close,
};

/* The size is that of now: a core that shrinks while it is read is not defended against (as with any
 * mapped file). */
static struct hf_err *map_core(struct hf_core *core)
{
	struct stat st;
	void *bytes;

	if (fstat(core->fd, &st))
		return hf_err(HF_IO, "core %s: %s", core->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return hf_err(HF_TARGET, "core %s: is a directory, not a core file", core->path);
	if (!S_ISREG(st.st_mode))
		return hf_err(HF_TARGET, "core %s: is not a regular file: write the core to a file first",
			      core->path);
	if (!st.st_size)
		return hf_err(HF_TARGET, "core %s: is empty (0 bytes): see ulimit -c and free disk space",
			      core->path);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, core->fd, 0);
	if (bytes == MAP_FAILED)
		return hf_err(HF_IO, "core %s: cannot be mapped: %s", core->path, strerror(errno));
	core->bytes = bytes;
	core->size = (size_t)st.st_size;
	return NULL;
}

static struct hf_err *make_label(struct hf_target *t)
{
	const struct hf_core *core = t->arg;
	struct hf_str label = {0};

	hf_str_addf(&label, "core %s", core->path);
	if (core->comm[0])
		hf_str_addf(&label, " (%s)", core->comm);
	if (label.failed) {
		hf_str_deinit(&label);
		return hf_err_nomem();
	}
	hf_free(t->label);
	t->label = label.s;
	return NULL;
}

static struct hf_err *open_parts(struct hf_target *t, const char *exe)
{
	struct hf_core *core = t->arg;

	t->core = core->path;
	HF_TRY(map_core(core));
	HF_TRY(hf_core_read_headers(t));
	HF_TRY(hf_core_read_notes(t));
	if (core->note)
		HF_TRY(hf_core_read_own_note(t));
	if (!t->facts)
		HF_TRY(hf_facts_unknown(&t->facts));
	HF_TRY(hf_core_build_maps(t));
	HF_TRY(hf_core_open_files(t, exe));
	HF_TRY(hf_core_build_pieces(t));
	return make_label(t);
}

struct hf_err *hf_core_open_fd(int fd, const char *name, const char *exe, struct hf_target **ret)
{
	_close_ int owned = fd;
	_cleanup_(hf_target_close_p) struct hf_target *t = hf_calloc(1, sizeof(*t));
	struct hf_core *core;

	if (!t)
		return hf_err_nomem();
	t->ops = &core_ops;
	core = t->arg = hf_calloc(1, sizeof(*core));
	if (!core)
		return hf_err_nomem();
	core->fd = owned;
	owned = -1;
	core->path = hf_strdup(name);
	if (!core->path)
		return hf_err_nomem();
	HF_TRY(open_parts(t, exe));
	*ret = take_ptr(t);
	return NULL;
}

struct hf_err *hf_target_open_core(const char *core, const char *exe, struct hf_target **ret)
{
	/* O_NONBLOCK: a FIFO must not hang us. */
	int fd = open(core, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return hf_err(errno == EACCES ? HF_NOTPERM : HF_IO, "core %s: %s", core, strerror(errno));
	return hf_core_open_fd(fd, core, exe, ret);
}
