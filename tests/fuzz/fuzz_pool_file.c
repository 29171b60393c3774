/* A file of pools: whatever it says, it is refused with a line, or its pools are found in this program. */
#include "../../src/runtime/pool/pool.h"
#include "../../src/target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_slab {
	struct fuzz_slab *next;
	uint32_t used;
	char mem[4][16];
};
struct fuzz_pool {
	void *(*make)(void *);
	struct fuzz_slab *slabs;
	void *free, *untyped;
	struct fuzz_pool *inner[2];
	uint8_t size;
	unsigned narrow : 3;
};

static struct fuzz_slab fuzz_slab = {NULL, 3, {{0}}};
struct fuzz_pool fuzz_pools[2] = {{NULL, &fuzz_slab, &fuzz_slab.mem[1], NULL, {&fuzz_pools[1], NULL}, 16, 0}};
struct fuzz_pool *fuzz_pointer = fuzz_pools;

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
	(void)t;
	*ret = open(map->path, O_RDONLY | O_CLOEXEC);
	return *ret >= 0 ? NULL : hf_err(HF_IO, "%s", strerror(errno));
}

static const struct hf_target_ops self_ops = {
	.kind = "memory", .read = read_self, .open_file = open_file_self};

static void must(struct hf_err *err)
{
	if (err)
		abort();
}

static size_t read_whole(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && n < len && (got = read(fd, buf + n, len - n)) > 0)
		n += (size_t)got;
	close(fd);
	return n;
}

/* This process, once for all inputs. */
static struct hf_syms *open_self(struct hf_target *t)
{
	static char text[1 << 20];
	struct hf_syms *s;
	size_t n;

	t->ops = &self_ops;
	t->label = hf_strdup("this process");
	must(hf_maps_parse(t, text, read_whole("/proc/self/maps", text, sizeof(text))));
	n = read_whole("/proc/self/auxv", text, sizeof(text));
	must(hf_vec_reserve(&t->auxv, n));
	memcpy(t->auxv.at, text, n);
	t->auxv.n = n;
	must(hf_syms_open(t, NULL, &s));
	return s;
}

static void check(struct hf_err *err)
{
	const char *line = hf_err_message(err);

	if (err && (!*line || strchr(line, '\n') || hf_err_code(err) != HF_USAGE))
		abort();
	hf_err_destroy(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_target target;
	static struct hf_syms *syms;
	struct hf_pool_file file = {0};
	struct hf_described *d = NULL;
	struct hf_err *err;

	if (!syms)
		syms = open_self(&target);
	err = hf_pool_file_parse("file", (const char *)data, size, &file);
	err = err ? err : hf_described_of_file(&target, syms, "file", &file, &d);
	if (!err) {
		must(hf_described_capture(d));
		must(hf_described_walk(d));
	}
	check(err);
	hf_described_close(d);
	hf_pool_file_deinit(&file);
	for (size_t i = 0; i < target.warnings.n; i++)
		hf_free(target.warnings.at[i].text);
	target.warnings.n = 0;
	return 0;
}
