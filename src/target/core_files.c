#include "core.h"
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* More files than any process maps; bounds what a forged core makes us open. */
#define FILES_OPENED_MAX 4096
/* How much of a mapped ELF file's beginning is looked through for its notes. */
#define HEADER_MAX (UINT64_C(1) << 16)

static int compare_paths(const void *a, const void *b)
{
	const struct hf_core_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

const struct hf_core_file *hf_core_find_file(const struct hf_core *core, const char *path)
{
	struct hf_core_file key = {.path = path};

	if (!core->files.n)
		return NULL;
	return bsearch(&key, core->files.at, core->files.n, sizeof(key), compare_paths);
}

static struct hf_core_file *find_file(struct hf_core *core, const char *path)
{
	return (struct hf_core_file *)(uintptr_t)hf_core_find_file(core, path);
}

static struct hf_err *list_files(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	const char *last = NULL;
	size_t kept = 0;

	hf_vec_each(&t->maps, map) {
		struct hf_core_file file = {.path = map->path};

		if (map->path[0] != '/' || (last && !strcmp(last, map->path)))
			continue;
		last = map->path;
		HF_TRY(hf_vec_push(&core->files, file));
	}
	if (core->files.n)
		qsort(core->files.at, core->files.n, sizeof(*core->files.at), compare_paths);
	for (size_t i = 0; i < core->files.n; i++)
		if (!kept || strcmp(core->files.at[kept - 1].path, core->files.at[i].path))
			core->files.at[kept++] = core->files.at[i];
	core->files.n = kept;
	return NULL;
}

/* The ids of the files as the core has them: from the first page of each, where the core holds it. */
static void read_ids_in_core(struct hf_target *t)
{
	struct hf_core *core = t->arg;

	hf_vec_each(&t->maps, map) {
		struct hf_core_file *file;
		const uint8_t *bytes;
		uint64_t len;

		if (map->path[0] != '/' || (map->offset && !map->executable))
			continue;
		file = find_file(core, map->path);
		if (file)
			file->executable |= map->executable;
		if (map->offset)
			continue;
		bytes = hf_core_seg_bytes(core, map->start, &len);
		if (!file || !bytes || file->ids.gnu.n || file->ids.go.n)
			continue;
		hf_build_ids_read(bytes, hf_min(hf_min(len, map->end - map->start), HEADER_MAX), &file->ids);
	}
}

/* Only regular files: to open a device or a FIFO may do something. */
static struct hf_err *map_file(const char *path, struct hf_core_file *file)
{
	struct stat st;
	_close_ int fd = -1;
	void *bytes;

	if (stat(path, &st))
		return hf_err(errno == EACCES ? HF_NOTPERM : HF_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return hf_err(HF_TARGET, "%s: is not a regular file", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st))
		return hf_err(errno == EACCES ? HF_NOTPERM : HF_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr))
		return hf_err(HF_TARGET, "%s: is not an ELF file", path);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return hf_err(HF_IO, "%s: %s", path, strerror(errno));
	file->bytes = bytes;
	file->size = (size_t)st.st_size;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->mtime = st.st_mtim;
	return NULL;
}

static void unmap_file(struct hf_core_file *file)
{
	if (file->bytes)
		munmap((void *)(uintptr_t)file->bytes, file->size);
	hf_free(file->disk);
	file->bytes = NULL;
	file->disk = NULL;
	file->size = 0;
}

/* What the kernel ran: the mapping that holds the program headers it handed to the process. */
static const char *find_main(const struct hf_target *t)
{
	static const uint64_t types[] = {AT_PHDR, AT_ENTRY};
	const struct hf_core *core = t->arg;

	for (size_t i = 0; i < HF_LEN(types); i++) {
		uint64_t addr;
		const struct hf_map *map;

		if (!hf_target_auxv(t, types[i], &addr))
			continue;
		map = hf_target_find_map(t, addr);
		if (map && map->path[0] == '/')
			return map->path;
	}
	return t->facts->exe[0] && hf_core_find_file(core, t->facts->exe) ? t->facts->exe : NULL;
}

/* The file of the core that exe is: the main one, or else any of the same build-id (as where ld.so was
 * run). */
static struct hf_core_file *match_exe(struct hf_core *core, const struct hf_build_ids *ids)
{
	struct hf_core_file *main_file = core->main_path ? find_file(core, core->main_path) : NULL;

	if (main_file && hf_build_ids_compare(&main_file->ids, ids) == HF_IDS_SAME)
		return main_file;
	hf_vec_each(&core->files, file)
		if (hf_build_ids_compare(&file->ids, ids) == HF_IDS_SAME)
			return file;
	return main_file;
}

static struct hf_err *say_mismatch(const struct hf_core *core, const char *exe,
				   const struct hf_build_ids *ids, const struct hf_core_file *file)
{
	char theirs[16], ours[16];

	return hf_err(HF_TARGET,
		      "%s does not belong to core %s: its build-id is %s, the core's is %s (%.200s)", exe,
		      core->path, hf_build_ids_format(ids, &file->ids, ours, sizeof(ours)),
		      hf_build_ids_format(&file->ids, ids, theirs, sizeof(theirs)), file->path);
}

/* A file that the core does not name is not needed again once this has said so. */
static struct hf_err *place_exe(struct hf_target *t, const char *exe, struct hf_core_file *opened,
				const struct hf_build_ids *ids)
{
	struct hf_core *core = t->arg;
	struct hf_core_file *file = match_exe(core, ids);
	enum hf_ids_verdict verdict;

	if (!file) {
		hf_target_warn(t, false,
			       "the core does not say which file it is of, so %s could not be put to use",
			       exe);
		return NULL;
	}
	verdict = hf_build_ids_compare(&file->ids, ids);
	if (verdict == HF_IDS_DIFFER)
		return say_mismatch(core, exe, ids, file);
	if (verdict == HF_IDS_UNKNOWN)
		hf_target_warn(
			t, false,
			"nothing in the core tells whether %s belongs to it (no build-id): taken on trust",
			exe);
	file->disk = hf_strdup(exe);
	if (!file->disk)
		return hf_err_nomem();
	file->bytes = opened->bytes;
	file->size = opened->size;
	file->dev = opened->dev;
	file->ino = opened->ino;
	file->mtime = opened->mtime;
	opened->bytes = NULL;
	core->main_path = file->path;
	return NULL;
}

static struct hf_err *use_exe(struct hf_target *t, const char *exe)
{
	struct hf_core_file opened = {0};
	struct hf_build_ids ids;
	struct hf_err *err = map_file(exe, &opened);

	if (err)
		return hf_err_prefix(err, "the executable that was given");
	if (!hf_build_ids_read(opened.bytes, opened.size, &ids))
		err = hf_err(HF_TARGET, "the executable that was given: %s: is not a 64-bit ELF file", exe);
	else if (hf_load_u16(opened.bytes + offsetof(Elf64_Ehdr, e_machine)) != hf_arch_elf_machine)
		err = hf_err(HF_TARGET, "the executable that was given: %s: is not of an %s machine", exe,
			     hf_arch_name);
	else
		err = place_exe(t, exe, &opened, &ids);
	unmap_file(&opened);
	return err;
}

/* Why the file on disk cannot stand for the one that was mapped; NULL: it can, and is open now. */
static struct hf_err *use_named(struct hf_core_file *file)
{
	char there[16], here[16];
	struct hf_build_ids ids;
	struct hf_err *err;

	if (!file->ids.gnu.n && !file->ids.go.n)
		return hf_err(HF_TARGET, "%s: the core does not hold its build-id", file->path);
	HF_TRY(map_file(file->path, file));
	if (hf_build_ids_read(file->bytes, file->size, &ids) &&
	    hf_build_ids_compare(&file->ids, &ids) == HF_IDS_SAME) {
		file->disk = hf_strdup(file->path);
		if (file->disk)
			return NULL;
		unmap_file(file);
		return hf_err_nomem();
	}
	err = hf_err(HF_TARGET, "%s: is another file now (build-id %s, the core's is %s)", file->path,
		     hf_build_ids_format(&ids, &file->ids, here, sizeof(here)),
		     hf_build_ids_format(&file->ids, &ids, there, sizeof(there)));
	unmap_file(file);
	return err;
}

/* A program cannot be understood without its executable; libraries that are missing are said together, in
 * one line; data files are nobody's concern until they are read. */
struct missing {
	size_t n;
	char first[256];
};

static void note_missing(struct hf_target *t, const struct hf_core_file *file, const char *why,
			 struct missing *ret)
{
	const struct hf_core *core = t->arg;

	if (core->main_path && !strcmp(file->path, core->main_path)) {
		hf_target_warn(t, false, "the executable is not at hand, give it with -e: %s", why);
		return;
	}
	if (!file->ids.gnu.n && !file->ids.go.n && !file->executable)
		return;
	if (!ret->n++)
		snprintf(ret->first, sizeof(ret->first), "%s", why);
}

static struct hf_err *use_all_named(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	struct missing missing = {0};
	size_t opened = 0;

	hf_vec_each(&core->files, file) {
		struct hf_err *err = NULL;

		if (file->disk)
			continue;
		if (++opened > FILES_OPENED_MAX)
			break;
		err = use_named(file);
		if (hf_err_code(err) == HF_NOMEM)
			return err;
		if (err)
			note_missing(t, file, hf_err_message(err), &missing);
		hf_err_ignore(err);
	}
	if (missing.n > 1)
		hf_target_warn(t, false,
			       "%zu mapped files are not at hand, so what the core leaves out of them cannot "
			       "be read; the first is %s",
			       missing.n, missing.first);
	else if (missing.n)
		hf_target_warn(
			t, false,
			"a mapped file is not at hand, so what the core leaves out of it cannot be read: %s",
			missing.first);
	return NULL;
}

struct hf_err *hf_core_open_files(struct hf_target *t, const char *exe)
{
	struct hf_core *core = t->arg;

	HF_TRY(list_files(t));
	read_ids_in_core(t);
	core->main_path = find_main(t);
	if (exe)
		HF_TRY(use_exe(t, exe));
	return use_all_named(t);
}

struct hf_err *hf_core_open_file(struct hf_target *t, const struct hf_map *map, int *ret)
{
	const struct hf_core_file *file = map->path[0] == '/' ? hf_core_find_file(t->arg, map->path) : NULL;
	struct stat st;
	int fd;

	if (!file)
		return hf_err_at(HF_TARGET, map->start, "the mapping at 0x%" PRIx64 " is of no file",
				 map->start);
	if (!file->disk)
		return hf_err(HF_TARGET, "%.200s: is not here, or not the file that the core is of",
			      file->path);
	fd = open(file->disk, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return hf_err(HF_IO, "%s: %s", file->disk, strerror(errno));
	if (fstat(fd, &st) || st.st_dev != file->dev || st.st_ino != file->ino ||
	    (size_t)st.st_size != file->size || st.st_mtim.tv_sec != file->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != file->mtime.tv_nsec) {
		close(fd);
		return hf_err(HF_TARGET, "%s: was replaced while we read", file->disk);
	}
	*ret = fd;
	return NULL;
}

void hf_core_close_files(struct hf_core *core)
{
	hf_vec_each(&core->files, file)
		unmap_file(file);
	hf_vec_deinit(&core->files);
}
