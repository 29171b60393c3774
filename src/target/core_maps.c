#include "core.h"

#include <elf.h>
#include <stdlib.h>

const uint8_t *hf_core_seg_bytes(const struct hf_core *core, uint64_t addr, uint64_t *len)
{
	size_t lo = 0, hi = core->segs.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (core->segs.at[mid].mem_end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == core->segs.n || addr < core->segs.at[lo].start || addr >= core->segs.at[lo].file_end)
		return NULL;
	*len = core->segs.at[lo].file_end - addr;
	return core->bytes + core->segs.at[lo].offset + (addr - core->segs.at[lo].start);
}

/* One mapping of a foreign core: what a segment and an entry of NT_FILE, either of which may be NULL, say
 * of it. Whether it is shared is not in a core. */
static struct hf_err *add_map(struct hf_target *t, uint64_t start, uint64_t end,
			      const struct hf_core_seg *seg, const struct hf_core_entry *entry)
{
	struct hf_map map = {.start = start, .end = end, .path = ""};

	map.readable = !seg || seg->flags & PF_R;
	map.writable = seg && seg->flags & PF_W;
	map.executable = seg && seg->flags & PF_X;
	if (entry) {
		map.path = entry->path;
		map.offset = entry->offset + (start - entry->start);
		map.deleted = entry->deleted;
		map.inode = 1; /* some file, of unknown number */
	}
	return hf_vec_push(&t->maps, map);
}

/* Sweeps over two ascending lists of ranges; every step passes a boundary. */
static struct hf_err *merge_segments_and_entries(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	size_t i = 0, j = 0;
	uint64_t pos = 0;

	while (i < core->segs.n || j < core->entries.n) {
		const struct hf_core_seg *seg = i < core->segs.n ? &core->segs.at[i] : NULL;
		const struct hf_core_entry *entry = j < core->entries.n ? &core->entries.at[j] : NULL;
		uint64_t seg_start = seg ? hf_max(seg->start, pos) : UINT64_MAX;
		uint64_t entry_start = entry ? hf_max(entry->start, pos) : UINT64_MAX;
		uint64_t start = hf_min(seg_start, entry_start), end = UINT64_MAX;
		bool in_seg = seg && seg_start == start, in_entry = entry && entry_start == start;

		if (seg)
			end = hf_min(end, in_seg ? seg->mem_end : seg->start);
		if (entry)
			end = hf_min(end, in_entry ? entry->end : entry->start);
		HF_TRY(add_map(t, start, end, in_seg ? seg : NULL, in_entry ? entry : NULL));
		pos = end;
		i += seg && seg->mem_end <= pos;
		j += entry && entry->end <= pos;
	}
	return NULL;
}

static void name_map_at(struct hf_target *t, uint64_t auxv_type, const char *name)
{
	uint64_t addr;
	const struct hf_map *map;

	if (!hf_target_auxv(t, auxv_type, &addr))
		return;
	map = hf_target_find_map(t, addr);
	if (map && !map->path[0])
		t->maps.at[map - t->maps.at].path = name;
}

/* A map is in the core where a segment has bytes of it. */
static void mark_in_core(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	size_t i = 0;

	hf_vec_each(&t->maps, map) {
		while (i < core->segs.n && core->segs.at[i].mem_end <= map->start)
			i++;
		map->in_core = false;
		for (size_t k = i; k < core->segs.n && core->segs.at[k].start < map->end && !map->in_core;
		     k++)
			map->in_core = core->segs.at[k].file_end > hf_max(map->start, core->segs.at[k].start);
	}
}

struct hf_err *hf_core_build_maps(struct hf_target *t)
{
	struct hf_core *core = t->arg;

	if (!core->own_maps) {
		HF_TRY(merge_segments_and_entries(t));
		name_map_at(t, AT_SYSINFO_EHDR, "[vdso]");
		name_map_at(t, AT_RANDOM, "[stack]");
	}
	mark_in_core(t);
	return NULL;
}

static struct hf_err *add_piece(struct hf_core *core, uint64_t start, uint64_t end, enum hf_piece_kind kind,
				const uint8_t *bytes)
{
	struct hf_core_piece piece = {.start = start, .end = end, .kind = kind, .bytes = bytes};

	return start < end ? hf_vec_push(&core->pieces, piece) : NULL;
}

static struct hf_err *add_file_pieces(struct hf_core *core, const struct hf_map *map, uint64_t start,
				      uint64_t end)
{
	const struct hf_core_file *file = hf_core_find_file(core, map->path);
	uint64_t off = map->offset + (start - map->start), there, page_end;

	if (!file || !file->disk)
		return add_piece(core, start, end, HF_PIECE_NO_FILE, NULL);
	there = off < file->size ? hf_min(end - start, file->size - off) : 0;
	page_end = there ? hf_min(end, hf_align_up(start + there, HF_ARCH_PAGE)) : start;
	HF_TRY(add_piece(core, start, start + there, HF_PIECE_BYTES, there ? file->bytes + off : NULL));
	HF_TRY(add_piece(core, start + there, page_end, HF_PIECE_ZEROS, NULL));
	return add_piece(core, page_end, end, HF_PIECE_NO_READ, NULL);
}

/* What the part of a map reads as of which the core holds no bytes. */
static struct hf_err *add_left_out(struct hf_core *core, const struct hf_map *map, uint64_t start,
				   uint64_t end)
{
	bool special = map->path[0] == '[' && !strncmp(map->path, "[v", 2); /* vvar, vsyscall, vdso */

	if (map->path[0] == '/')
		return add_file_pieces(core, map, start, end);
	if (special || !map->readable)
		return add_piece(core, start, end, HF_PIECE_NO_READ, NULL);
	if (!core->headers_whole)
		return add_piece(core, start, end, HF_PIECE_TRUNCATED, NULL);
	return add_piece(core, start, end, map->shared ? HF_PIECE_NO_FILE : HF_PIECE_ZEROS, NULL);
}

static struct hf_err *add_seg_pieces(struct hf_core *core)
{
	hf_vec_each(&core->segs, seg) {
		HF_TRY(add_piece(core, seg->start, seg->file_end, HF_PIECE_BYTES, core->bytes + seg->offset));
		HF_TRY(add_piece(core, seg->file_end, seg->full_end, HF_PIECE_TRUNCATED, NULL));
	}
	return NULL;
}

static struct hf_err *add_gaps(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	size_t i = 0;

	hf_vec_each(&t->maps, map) {
		uint64_t pos = map->start;

		while (i < core->segs.n && core->segs.at[i].full_end <= map->start)
			i++;
		for (size_t k = i; k < core->segs.n && core->segs.at[k].start < map->end; k++) {
			const struct hf_core_seg *seg = &core->segs.at[k];

			if (seg->start == seg->full_end)
				continue;
			if (seg->start > pos)
				HF_TRY(add_left_out(core, map, pos, seg->start));
			pos = hf_max(pos, seg->full_end);
		}
		if (pos < map->end)
			HF_TRY(add_left_out(core, map, pos, map->end));
	}
	return NULL;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct hf_core_piece *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Pieces that go on in one another become one, so that a view may cross segments. */
static void join_pieces(struct hf_core *core)
{
	size_t kept = 0;

	for (size_t i = 0; i < core->pieces.n; i++) {
		const struct hf_core_piece piece = core->pieces.at[i];
		struct hf_core_piece *last = kept ? &core->pieces.at[kept - 1] : NULL;
		bool joins = last && last->end == piece.start && last->kind == piece.kind;

		if (joins && piece.kind == HF_PIECE_BYTES)
			joins = last->bytes + (last->end - last->start) == piece.bytes;
		if (joins)
			last->end = piece.end;
		else
			core->pieces.at[kept++] = piece;
	}
	core->pieces.n = kept;
}

/* Cuts the lost ranges out of the pieces; both are ascending. */
static struct hf_err *cut_lost(struct hf_core *core)
{
	__typeof__(core->pieces) old = core->pieces;
	struct hf_err *err = NULL;
	size_t k = 0;

	core->pieces = (__typeof__(core->pieces)){0};
	for (size_t i = 0; i < old.n && !err; i++) {
		const struct hf_core_piece p = old.at[i];
		uint64_t pos = p.start;

		while (k < core->lost.n && core->lost.at[k].end <= p.start)
			k++;
		for (size_t l = k; l < core->lost.n && core->lost.at[l].start < p.end && !err; l++) {
			uint64_t from = hf_max(core->lost.at[l].start, p.start);
			uint64_t to = hf_min(core->lost.at[l].end, p.end);

			err = add_piece(core, pos, from, p.kind, p.bytes ? p.bytes + (pos - p.start) : NULL);
			if (!err)
				err = add_piece(core, from, to, HF_PIECE_LOST, NULL);
			pos = to;
		}
		if (!err)
			err = add_piece(core, pos, p.end, p.kind, p.bytes ? p.bytes + (pos - p.start) : NULL);
	}
	hf_vec_deinit(&old);
	return err;
}

struct hf_err *hf_core_build_pieces(struct hf_target *t)
{
	struct hf_core *core = t->arg;

	HF_TRY(add_seg_pieces(core));
	HF_TRY(add_gaps(t));
	if (core->pieces.n)
		qsort(core->pieces.at, core->pieces.n, sizeof(*core->pieces.at), compare_pieces);
	if (core->lost.n)
		HF_TRY(cut_lost(core));
	join_pieces(core);
	return NULL;
}
