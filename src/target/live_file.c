#define _GNU_SOURCE
#include "live.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Source: Linux include/uapi/linux/magic.h. Their files' numbers differ between maps and stat. */
#define BTRFS_MAGIC   0x9123683e
#define OVERLAY_MAGIC 0x794c7630

/* Whether an open file is the one that is mapped. */
static bool is_mapped_file(int fd, const struct hf_map *map)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_ino != map->inode)
		return false;
	if (st.st_dev == map->dev)
		return true;
	return !fstatfs(fd, &fs) && ((uint32_t)fs.f_type == BTRFS_MAGIC || fs.f_type == OVERLAY_MAGIC);
}

/* Opens through /proc/PID/exe or map_files: these lead to the file itself, whatever its name is now. */
static int open_by_link(const struct hf_live *live, const struct hf_map *map)
{
	char name[64], target[4096];
	ssize_t n = readlinkat(live->task_fd, "exe", target, sizeof(target));
	size_t len = strlen(map->path);

	if (n > 0 && (size_t)n >= len && !memcmp(target, map->path, len) &&
	    ((size_t)n == len || map->deleted)) {
		int fd = openat(live->task_fd, "exe", O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && is_mapped_file(fd, map))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, map->start, map->end);
	return openat(live->task_fd, name, O_RDONLY | O_CLOEXEC);
}

/* Opens by name, under the target's root. What has that name may be anything by now: it is opened for reading only
 * where it is known to be the file. ret  -1: not there; -2: another file. */
static int open_by_path(const struct hf_live *live, const struct hf_map *map)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	_close_ int root = openat(live->task_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int path = -1;
	char self[64];

	if (root < 0 || map->path[0] != '/')
		return -1;
	path = (int)syscall(SYS_openat2, root, map->path, &how, sizeof(how));
	if (path < 0)
		return -1;
	if (!is_mapped_file(path, map))
		return -2;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
	return open(self, O_RDONLY | O_CLOEXEC);
}

struct hf_err *hf_live_open_file(struct hf_target *t, const struct hf_map *map, int *ret)
{
	const struct hf_live *live = t->arg;
	int fd;

	if (hf_map_kind(map) != HF_MAP_FILE)
		return hf_err_at(HF_TARGET, map->start, "the mapping at 0x%" PRIx64 " of %s has no file",
				 map->start, t->label);
	HF_TRY(hf_live_check_same(live));
	fd = open_by_link(live, map);
	if (fd < 0)
		fd = open_by_path(live, map);
	if (fd == -2 || (fd < 0 && map->deleted))
		return hf_err_at(HF_TARGET, map->start,
				 "%s, as mapped in %s, is %s: reading it takes CAP_CHECKPOINT_RESTORE or "
				 "CAP_SYS_ADMIN",
				 map->path, t->label, map->deleted ? "deleted" : "another file by now");
	if (fd < 0)
		return hf_err_at(HF_IO, map->start, "%s, as mapped in %s, cannot be opened: %s", map->path,
				 t->label, strerror(errno));
	*ret = fd;
	return NULL;
}

/* Notes the device numbers of mounted file systems that answer over a network or from another process. */
static void read_mounts(struct hf_live *live)
{
	static const char *const remote[] = {"fuse",  "nfs",      "cifs",   "smb",       "9p",
					     "ceph",  "afs",      "lustre", "glusterfs", "gfs2",
					     "ocfs2", "virtiofs", "coda",   "orangefs"};
	_cleanup_(hf_str_deinit) struct hf_str text = {0};

	live->mounts_read = true;
	if (hf_proc_read(live->task_fd, "mountinfo", &text))
		return;
	for (const char *line = hf_str_get(&text), *next; *line; line = next) {
		size_t len = strcspn(line, "\n");
		const char *type = memmem(line, len, " - ", 3);
		unsigned major, minor;

		next = line + len + (line[len] == '\n');
		if (!type || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < HF_LEN(remote); i++)
			if (!strncmp(type + 3, remote[i], strlen(remote[i])) &&
			    hf_err_ignore(hf_vec_push(&live->remote_devs, makedev(major, minor))))
				return;
	}
}

static bool is_remote(struct hf_live *live, const struct hf_map *map)
{
	if (!live->mounts_read)
		read_mounts(live);
	hf_vec_each(&live->remote_devs, dev)
		if (*dev == map->dev)
			return true;
	return false;
}

static struct hf_err *find_file(struct hf_target *t, const struct hf_map *map, int *ret)
{
	struct hf_live *live = t->arg;
	struct hf_live_file file = {.dev = map->dev, .inode = map->inode, .fd = -1};

	hf_vec_each(&live->files, f)
		if (f->dev == map->dev && f->inode == map->inode) {
			*ret = f->fd;
			return NULL;
		}
	HF_TRY(hf_vec_reserve(&live->files, 1));
	if (hf_err_ignore(hf_live_open_file(t, map, &file.fd)))
		file.fd = -1;
	*ret = file.fd;
	return hf_vec_push(&live->files, file);
}

struct hf_err *hf_live_read_file(struct hf_target *t, const struct hf_map *map, uint64_t addr, void *buf,
				 size_t len, enum hf_lost *reason, bool *ret)
{
	uint64_t offset = map->offset + (addr - map->start);
	uint8_t *to = buf;
	int fd = -1;

	*ret = false;
	*reason = HF_LOST_REMOTE;
	if (is_remote(t->arg, map))
		return NULL;
	*reason = HF_LOST_FILE;
	HF_TRY(find_file(t, map, &fd));
	while (fd >= 0 && len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return NULL;
		if (!n)
			break;
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	*ret = fd >= 0;
	return NULL;
}
