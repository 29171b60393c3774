#define _GNU_SOURCE
#include "outfile.h"

#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct hf_err *io_error(const struct hf_outfile *file, int error)
{
	return hf_err(error == EACCES || error == EPERM ? HF_NOTPERM : HF_IO, "%s: cannot be written: %s",
		      file->path, strerror(error));
}

static struct hf_err *check_path(const struct hf_outfile *file)
{
	struct stat st;

	if (!file->path[0])
		return hf_err(HF_USAGE, "the output has to have a file name");
	if (!stat(file->path, &st) && !S_ISREG(st.st_mode))
		return hf_err(HF_IO, "%s: is there, and is not a regular file", file->path);
	return NULL;
}

/* Without a name where the file system can: then not even a kill leaves secrets behind. */
static struct hf_err *open_temp(struct hf_outfile *file)
{
	_free_ char *copy = hf_strdup(file->path);

	if (!copy)
		return hf_err_nomem();
	file->fd = open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		file->fd = open(file->temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		file->named = file->fd >= 0;
	}
	if (file->fd < 0 || fchmod(file->fd, 0600))
		return io_error(file, errno);
	return NULL;
}

struct hf_err *hf_outfile_create(const char *path, struct hf_outfile *ret)
{
	struct hf_outfile file = {.fd = -1};
	struct hf_str temp = {0};
	struct hf_err *err = NULL;

	hf_str_addf(&temp, "%s.%d.tmp", path, (int)getpid());
	file.temp = temp.s;
	file.path = hf_strdup(path);
	if (temp.failed || !file.path)
		err = hf_err_nomem();
	if (!err)
		err = check_path(&file);
	if (!err)
		err = open_temp(&file);
	if (err) {
		hf_outfile_deinit(&file);
		return err;
	}
	*ret = file;
	return NULL;
}

struct hf_err *hf_outfile_check_room(const struct hf_outfile *file, uint64_t size)
{
	char need[16], have[16];
	struct rlimit limit;
	struct statvfs fs;

	/* Past this limit a write would end us by SIGXFSZ. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < size)
		return hf_err(HF_IO, "%s: needs %s, and ulimit -f allows %s", file->path,
			      hf_format_size(size, need, sizeof(need)),
			      hf_format_size(limit.rlim_cur, have, sizeof(have)));
	if (!fstatvfs(file->fd, &fs) && (uint64_t)fs.f_bavail * fs.f_frsize < size)
		return hf_err(HF_IO, "%s: needs %s, and %s are free there", file->path,
			      hf_format_size(size, need, sizeof(need)),
			      hf_format_size((uint64_t)fs.f_bavail * fs.f_frsize, have, sizeof(have)));
	return NULL;
}

struct hf_err *hf_outfile_write(const struct hf_outfile *file, const void *bytes, size_t len, uint64_t off)
{
	const uint8_t *from = bytes;

	while (len) {
		ssize_t n = pwrite(file->fd, from, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_error(file, n ? errno : ENOSPC);
		from += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return NULL;
}

static bool name_temp(struct hf_outfile *file)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, link, AT_FDCWD, file->temp, AT_SYMLINK_FOLLOW)) {
		/* Of an earlier process with our id, that was killed. */
		if (errno != EEXIST || unlink(file->temp) ||
		    linkat(AT_FDCWD, link, AT_FDCWD, file->temp, AT_SYMLINK_FOLLOW))
			return false;
	}
	file->named = true;
	return true;
}

struct hf_err *hf_outfile_publish(struct hf_outfile *file)
{
	if ((!file->named && !name_temp(file)) || rename(file->temp, file->path))
		return io_error(file, errno);
	file->named = false;
	return NULL;
}

void hf_outfile_deinit(struct hf_outfile *file)
{
	if (file->named)
		unlink(file->temp);
	hf_close_p(&file->fd);
	hf_free(file->path);
	hf_free(file->temp);
	*file = (struct hf_outfile){.fd = -1};
}
