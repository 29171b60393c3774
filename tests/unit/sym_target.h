/* Our own process as a target: what the tests of sym/ look at is the test itself, which has DWARF. */
#ifndef TEST_SYM_TARGET_H
#define TEST_SYM_TARGET_H

#include "../../src/target/maps.h"
#include "../../src/target/target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MUST(expr)                                                                                           \
	do {                                                                                                 \
		struct hf_err *must_err_ = (expr);                                                           \
		cr_assert_null(must_err_, "%s", must_err_ ? hf_err_message(must_err_) : "");                 \
	} while (0)

/* What stands in for the executable's file: -1: the file itself. */
struct sym_file {
	int fd;
	bool only_executable; /* other files cannot be opened */
	char exe[4096];
};

static struct hf_err *read_self(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, len, (off_t)addr);

	(void)t;
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)len ? NULL : hf_err_at(HF_FAULT, addr, "not mapped");
}

static struct hf_err *open_file_self(struct hf_target *t, const struct hf_map *map, int *ret)
{
	struct sym_file *file = t->arg;
	bool is_exe = !strcmp(map->path, file->exe);

	if (file->only_executable && !is_exe)
		return hf_err(HF_IO, "%s: not in this test", map->path);
	*ret = is_exe && file->fd >= 0 ? dup(file->fd) : open(map->path, O_RDONLY | O_CLOEXEC);
	return *ret >= 0 ? NULL : hf_err(HF_IO, "%s: %s", map->path, strerror(errno));
}

static const struct hf_target_ops self_ops = {
	.kind = "memory", .read = read_self, .open_file = open_file_self};

static inline size_t read_whole(const char *path, void **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0, cap = 1 << 16;
	char *at = hf_malloc(cap);
	ssize_t got;

	cr_assert(fd >= 0 && at);
	while ((got = read(fd, at + n, cap - n)) > 0) {
		n += (size_t)got;
		if (n == cap) {
			cap *= 2;
			at = hf_realloc(at, cap, 1);
			cr_assert(at);
		}
	}
	close(fd);
	*ret = at;
	return n;
}

/* file  borrowed until close. */
static inline struct hf_target *open_self(struct sym_file *file)
{
	struct hf_target *t = hf_calloc(1, sizeof(*t));
	void *text;
	size_t n;
	ssize_t len = readlink("/proc/self/exe", file->exe, sizeof(file->exe) - 1);

	cr_assert(t && len > 0);
	file->exe[len] = '\0';
	t->ops = &self_ops;
	t->arg = file;
	t->label = hf_strdup("this process");
	n = read_whole("/proc/self/maps", &text);
	MUST(hf_maps_parse(t, text, n));
	hf_free(text);
	n = read_whole("/proc/self/auxv", &text);
	MUST(hf_vec_reserve(&t->auxv, n));
	memcpy(t->auxv.at, text, n);
	t->auxv.n = n;
	hf_free(text);
	return t;
}

#endif
