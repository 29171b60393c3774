#include "headroom.h"
#include "procfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define RESERVE (UINT64_C(64) << 20)
#define TOO_FEW (UINT64_C(16) << 20) /* not worth asking about */

static bool read_number(const char *path, uint64_t *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	char *end;

	if (hf_proc_read(AT_FDCWD, path, &text) || !text.n)
		return false;
	*ret = strtoull(text.s, &end, 10);
	return end > text.s; /* not "max" */
}

/* What is left under the limits of our cgroup (version 2) and those around it. Page cache counts as used there but
 * gives way, so this errs on the safe side by what is inactive. */
static uint64_t cgroup_left(void)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	uint64_t left = UINT64_MAX;
	char path[4096];
	const char *own;

	if (hf_proc_read(AT_FDCWD, "/proc/self/cgroup", &text))
		return left;
	own = strstr(hf_str_get(&text), "0::/");
	if (!own || (size_t)snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s", (int)strcspn(own + 3, "\n"),
				     own + 3) >= sizeof(path) - 32)
		return left;
	for (char *slash = path; slash && strlen(path) >= strlen("/sys/fs/cgroup");) {
		char file[4096 + 32];
		uint64_t max, now, cache = 0;

		snprintf(file, sizeof(file), "%s/memory.max", path);
		if (read_number(file, &max)) {
			_cleanup_(hf_str_deinit) struct hf_str stat = {0};
			const char *inactive;

			snprintf(file, sizeof(file), "%s/memory.stat", path);
			if (!hf_proc_read(AT_FDCWD, file, &stat) &&
			    (inactive = strstr(hf_str_get(&stat), "\ninactive_file ")))
				cache = strtoull(inactive + strlen("\ninactive_file "), NULL, 10);
			snprintf(file, sizeof(file), "%s/memory.current", path);
			if (read_number(file, &now))
				left = hf_min(left, max > now ? hf_min(max, max - now + cache) : cache);
		}
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
	return left;
}

static uint64_t system_left(void)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	uint64_t kb;

	if (hf_proc_read(AT_FDCWD, "/proc/meminfo", &text) ||
	    !hf_proc_first_number(hf_str_get(&text), "MemAvailable", &kb))
		return UINT64_MAX;
	return kb * 1024;
}

struct hf_err *hf_headroom_check(uint64_t bytes)
{
	char want[16], have[16];
	uint64_t left;

	if (bytes < TOO_FEW)
		return NULL;
	left = hf_min(system_left(), cgroup_left());
	if (left >= RESERVE && bytes <= left - RESERVE)
		return NULL;
	return hf_err(HF_NOMEM,
		      "a copy of %s would leave too little memory (%s is left, in the system or our cgroup): "
		      "write a "
		      "core file and examine it elsewhere",
		      hf_format_size(bytes, want, sizeof(want)), hf_format_size(left, have, sizeof(have)));
}
