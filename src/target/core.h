/* Inside of the core backend: core*.c only, but for what the snap writer and the fuzzer need. */
#ifndef HF_CORE_H
#define HF_CORE_H

#include "target.h"

#include <elf.h>

struct Elf; /* libelf's */

/* A PT_LOAD:
 *
 *   start          file_end        full_end           mem_end
 *     | in the file    | cut off      | left out: zeros, |
 *     | at offset      | by truncation| or a file's bytes|
 */
struct hf_core_seg {
	uint64_t start, file_end, full_end, mem_end;
	uint64_t offset;
	uint32_t flags;
};

enum hf_piece_kind {
	HF_PIECE_BYTES,
	HF_PIECE_ZEROS,
	HF_PIECE_TRUNCATED,
	HF_PIECE_LOST,    /* our note: on swap, or unreadable, when the snap was taken */
	HF_PIECE_NO_FILE, /* of a file that is not here, or could not be checked */
	HF_PIECE_NO_READ, /* mapped, but nothing can be read there */
};

/* What a range of addresses reads as. */
struct hf_core_piece {
	uint64_t start, end;
	const uint8_t *bytes;
	enum hf_piece_kind kind;
};

#define HF_BUILD_ID_MAX 128

/* n is 0 where there is none. */
struct hf_build_id {
	uint8_t bytes[HF_BUILD_ID_MAX];
	size_t n;
};

/* What identifies an ELF file: the linker's GNU id, and Go's own (text). */
struct hf_build_ids {
	struct hf_build_id gnu, go;
};

enum hf_ids_verdict {
	HF_IDS_SAME,
	HF_IDS_DIFFER,
	HF_IDS_UNKNOWN, /* no id of the same kind in both */
};

/* A file that the core names, or -e. */
struct hf_core_file {
	const char *path; /* as the core names it */
	char *disk;       /* where it was opened; NULL: not opened, not to be used */
	struct hf_build_ids ids;
	bool executable; /* some of it is mapped so */
	const uint8_t *bytes;
	size_t size;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
};

/* An entry of NT_FILE. */
struct hf_core_entry {
	uint64_t start, end, offset;
	const char *path;
	bool deleted;
};

struct hf_core {
	char *path;
	int fd;
	const uint8_t *bytes;
	size_t size;
	struct Elf *elf;
	uint64_t phoff;
	size_t phnum;
	HF_VEC(struct hf_core_seg) segs;
	HF_VEC(struct hf_core_entry) entries;
	HF_VEC(struct hf_core_file) files; /* ascending by path */
	HF_VEC(struct hf_range) lost;
	HF_VEC(struct hf_core_piece) pieces; /* ascending, not overlapping */
	const char *note;                    /* ours; NULL: a foreign core */
	size_t note_len;
	bool has_auxv, has_entries;
	bool own_maps;      /* t->maps are those of our note: what they do not name was not mapped */
	bool headers_whole; /* every PT_LOAD is known */
	char comm[17];
	const char *main_path; /* the executable, as the core names it; NULL: unknown */
};

/* As hf_target_open_core, from an open file.     fd  takes (also on error).     name  for messages. */
struct hf_err *hf_core_open_fd(int fd, const char *name, const char *exe, struct hf_target **ret) HF_CHECKED;

/* core_elf.c: the headers. Fills core->elf and core->segs: ascending, apart, in the file or cut off. */
struct hf_err *hf_core_read_headers(struct hf_target *t) HF_CHECKED;
void hf_core_phdr(const struct hf_core *core, size_t i, Elf64_Phdr *ret); /* i < core->phnum */

/* core_notes.c: threads, auxv, files, our note. */
struct hf_err *hf_core_read_notes(struct hf_target *t) HF_CHECKED;
/* A copy in t->names, fit for a message's one line. Errors: NOMEM. */
struct hf_err *hf_core_keep_text(struct hf_target *t, const char *text, size_t n, const char **ret)
	HF_CHECKED;
/* core_note_own.c: what our note says: facts, maps, threads' names, lost pages. */
struct hf_err *hf_core_read_own_note(struct hf_target *t) HF_CHECKED;

/* core_maps.c: t->maps of a foreign core; what each address reads as. */
struct hf_err *hf_core_build_maps(struct hf_target *t) HF_CHECKED;
struct hf_err *hf_core_build_pieces(struct hf_target *t) HF_CHECKED;
/* The segment's bytes at addr, as far as they lie together in the file (*len); NULL where there are none. */
const uint8_t *hf_core_seg_bytes(const struct hf_core *core, uint64_t addr, uint64_t *len);

/* core_files.c: the files behind the mappings, checked by their build-ids. */
struct hf_err *hf_core_open_files(struct hf_target *t, const char *exe) HF_CHECKED;
/* NULL: none. Its disk may be NULL. */
const struct hf_core_file *hf_core_find_file(const struct hf_core *core, const char *path);
struct hf_err *hf_core_open_file(struct hf_target *t, const struct hf_map *map, int *ret) HF_CHECKED;
void hf_core_close_files(struct hf_core *core);

/* build_id.c: of an ELF image (a whole file, or as much of its beginning as there is). False: no ELF64
 * image. */
bool hf_build_ids_read(const void *image, size_t len, struct hf_build_ids *ret);
enum hf_ids_verdict hf_build_ids_compare(const struct hf_build_ids *a, const struct hf_build_ids *b);
/* The first 12 digits of the id by which a and b were compared; buf of 16 bytes or more; returns buf. */
const char *hf_build_ids_format(const struct hf_build_ids *ids, const struct hf_build_ids *other, char *buf,
				size_t len);

#endif
