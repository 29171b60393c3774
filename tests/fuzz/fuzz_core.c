/* A core of any bytes: opening it, and reading all that it says is there, must end, soon, and without
 * harm. */
#define _GNU_SOURCE
#include "../../src/target/core.h"
#include "../../src/target/facts.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Reads and views agree; what is said to be there is no more than the file and a few pages of zeros. */
static void look_at(struct hf_target *t, uint64_t addr)
{
	uint8_t buf[64];
	struct hf_err *err = hf_target_read(t, addr, buf, sizeof(buf));
	const void *view = t->ops->view(t, addr, sizeof(buf));

	check(!view || (!err && !memcmp(view, buf, sizeof(buf))));
	check(!err || hf_err_code(err) == HF_FAULT);
	hf_err_destroy(err);
}

static void look_at_maps(struct hf_target *t)
{
	uint64_t end = 0;

	for (size_t i = 0; i < t->maps.n; i++) {
		const struct hf_map *map = &t->maps.at[i];
		int fd = -1;

		check(map->start >= end && map->start < map->end && map->path);
		end = map->end;
		if (i > 256)
			continue;
		look_at(t, map->start);
		look_at(t, map->start - 8);
		look_at(t, map->end - 32);
		if (!hf_err_ignore(hf_target_open_file(t, map, &fd)))
			close(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("core", MFD_CLOEXEC);
	struct hf_target *t = NULL;

	if (fd < 0)
		return 0;
	if (write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	if (hf_err_ignore(hf_core_open_fd(fd, "fuzzed", NULL, &t)))
		return 0;
	check(t->facts && t->label);
	check(t->ops->resident(t, 0, UINT64_MAX) <= size);
	look_at_maps(t);
	hf_target_close(t);
	return 0;
}
