#define _GNU_SOURCE
#include "debugfile.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

/* What the file must be to belong to the module. */
struct want {
	const uint8_t *build_id;
	size_t build_id_len; /* 0: by crc */
	bool has_crc;
	uint32_t crc;
};

/* A root to search: the target's or ours. */
struct root {
	int fd;
};

static void close_root(struct root *root)
{
	if (root->fd >= 0)
		close(root->fd);
}

static struct root open_root(struct hf_target *t)
{
	struct root root = {-1};
	char path[64];

	if (t && t->pid > 0 && t->ops && !strcmp(t->ops->kind, "live")) {
		snprintf(path, sizeof(path), "/proc/%d/root", (int)t->pid);
		root.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return root;
}

/* The target's own links must not lead out of its root, nor a FIFO or a device of its making be waited for. */
static int open_in_root(const struct root *root, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
			       .resolve = RESOLVE_IN_ROOT};
	struct stat st;
	int fd;

	if (root) {
		fd = (int)syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
		if (fd < 0 && errno == ENOSYS)
			fd = openat(root->fd, path[0] == '/' ? path + 1 : path, (int)how.flags);
	} else {
		fd = open(path, (int)how.flags);
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		return fd;
	close(fd);
	return -1;
}

static bool crc_agrees(int fd, uint32_t want)
{
	static const size_t chunk = 1 << 16;
	_free_ uint8_t *buf = hf_malloc(chunk);
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while (buf && (n = pread(fd, buf, chunk, at)) > 0) {
		crc = crc32(crc, buf, (uInt)n);
		at += n;
	}
	return buf && n == 0 && crc == want;
}

/* Opens path where it is a file that is wanted; else *ret stays NULL. */
static struct hf_err *try_path(const struct root *root, const char *path, const struct want *want,
			       struct hf_elf **ret)
{
	_close_ int fd = open_in_root(root, path);
	_cleanup_(hf_elf_close_p) struct hf_elf *e = NULL;
	struct hf_err *err;

	if (fd < 0)
		return NULL;
	err = hf_elf_open(fd, &e);
	if (err && hf_err_code(err) == HF_NOMEM)
		return err;
	if (hf_err_ignore(err))
		return NULL;
	if (want->build_id_len && e->build_id_len) {
		if (want->build_id_len != e->build_id_len ||
		    memcmp(want->build_id, e->build_id, e->build_id_len))
			return NULL;
	} else if (!want->has_crc || !crc_agrees(fd, want->crc)) {
		return NULL;
	}
	*ret = take_ptr(e);
	return NULL;
}

static struct hf_err *try_both_roots(struct hf_target *t, const char *path, const struct want *want,
				     struct hf_elf **ret)
{
	_cleanup_(close_root) struct root root = open_root(t);

	if (root.fd >= 0)
		HF_TRY(try_path(&root, path, want, ret));
	return *ret ? NULL : try_path(NULL, path, want, ret);
}

static struct hf_err *try_build_id(const struct hf_debugfile_query *q, const struct want *want,
				   struct hf_elf **ret)
{
	_cleanup_(hf_str_deinit) struct hf_str path = {0};

	if (want->build_id_len < 2)
		return NULL;
	hf_str_addf(&path, "%s/.build-id/%02x/", q->debug_dir, want->build_id[0]);
	for (size_t i = 1; i < want->build_id_len; i++)
		hf_str_addf(&path, "%02x", want->build_id[i]);
	hf_str_add(&path, ".debug");
	HF_TRY(hf_str_check(&path));
	return try_both_roots(q->t, hf_str_get(&path), want, ret);
}

/* The three places that gdb looks in (gdb manual, "Separate Debug Files"). */
static struct hf_err *try_debuglink(const struct hf_debugfile_query *q, const char *link,
				    const struct want *want, struct hf_elf **ret)
{
	const char *slash = strrchr(q->path, '/');
	int dir_len = slash ? (int)(slash - q->path) : 0;

	if (q->path[0] != '/' || strchr(link, '/'))
		return NULL;
	for (int i = 0; i < 3 && !*ret; i++) {
		_cleanup_(hf_str_deinit) struct hf_str path = {0};

		hf_str_addf(&path, "%s%.*s%s/%s", i == 2 ? q->debug_dir : "", dir_len, q->path,
			    i == 1 ? "/.debug" : "", link);
		HF_TRY(hf_str_check(&path));
		HF_TRY(try_both_roots(q->t, hf_str_get(&path), want, ret));
	}
	return NULL;
}

/* elfutils/debuginfod.h; by dlopen, so that there is no need for the library. */
typedef void *begin_fn(void);
typedef int find_fn(void *client, const unsigned char *build_id, int len, char **path);
typedef void end_fn(void *client);

static struct hf_err *try_debuginfod(const struct want *want, struct hf_elf **ret)
{
	void *lib = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	begin_fn *begin = lib ? (begin_fn *)dlsym(lib, "debuginfod_begin") : NULL;
	find_fn *find = lib ? (find_fn *)dlsym(lib, "debuginfod_find_debuginfo") : NULL;
	end_fn *end = lib ? (end_fn *)dlsym(lib, "debuginfod_end") : NULL;
	void *client = begin && find && end ? begin() : NULL;
	_close_ int fd = -1;
	struct hf_err *err;

	/* The library stays loaded: it starts threads of libcurl's that outlive the client. */
	if (!client)
		return NULL;
	fd = find(client, want->build_id, (int)want->build_id_len, NULL);
	end(client);
	if (fd < 0)
		return NULL;
	err = hf_elf_open(fd, ret);
	if (err && hf_err_code(err) == HF_NOMEM)
		return err;
	hf_err_destroy(err);
	if (*ret && ((*ret)->build_id_len != want->build_id_len ||
		     memcmp((*ret)->build_id, want->build_id, want->build_id_len))) {
		hf_elf_close(*ret);
		*ret = NULL;
	}
	return NULL;
}

struct hf_err *hf_debugfile_find(const struct hf_debugfile_query *query, struct hf_elf **ret)
{
	struct want want = {.build_id = query->elf->build_id, .build_id_len = query->elf->build_id_len};
	struct hf_elf *found = NULL;
	const char *link = NULL;

	want.has_crc = hf_elf_debuglink(query->elf, &link, &want.crc);
	HF_TRY(try_build_id(query, &want, &found));
	if (!found && want.has_crc)
		HF_TRY(try_debuglink(query, link, &want, &found));
	if (!found && query->debuginfod && want.build_id_len)
		HF_TRY(try_debuginfod(&want, &found));
	*ret = found;
	return NULL;
}

struct hf_err *hf_debugfile_find_alt(const struct hf_debugfile_query *query, const char *name,
				     const void *build_id, size_t build_id_len, struct hf_elf **ret)
{
	struct want want = {.build_id = build_id, .build_id_len = build_id_len};
	const char *slash = strrchr(query->path, '/');
	_cleanup_(hf_str_deinit) struct hf_str path = {0};
	struct hf_elf *found = NULL;

	if (name[0] != '/' && slash)
		hf_str_addf(&path, "%.*s/", (int)(slash - query->path), query->path);
	hf_str_add(&path, name);
	HF_TRY(hf_str_check(&path));
	HF_TRY(try_build_id(query, &want, &found));
	if (!found)
		HF_TRY(try_both_roots(query->t, hf_str_get(&path), &want, &found));
	*ret = found;
	return NULL;
}
