#define _GNU_SOURCE
#include "facts_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* v1 says "no limit" by the largest multiple of a page, per architecture: anything this large is meant.
 * Linux mm/page_counter.h, PAGE_COUNTER_MAX */
#define V1_NOLIMIT (UINT64_C(1) << 62)

/* What /proc/PID/cgroup and /proc/self/mountinfo say of the memory controller. */
struct place {
	int version;         /* 0: none */
	char path[PATH_MAX]; /* in the hierarchy */
	char dir[PATH_MAX];  /* of the mount: where the hierarchy's `inside` shows */
	char inside[PATH_MAX];
};

static bool has_word(const char *list, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list, *end = list + n; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t part = comma ? (size_t)(comma - p) : (size_t)(end - p);

		if (part == len && !memcmp(p, word, len))
			return true;
		p += part + 1;
	}
	return false;
}

/* Lines "4:memory:/path" (v1) and "0::/path" (v2). In a hybrid system memory may be in either: v1 has it
 * where it is named. Source: cgroups(7), /proc/pid/cgroup */
static void find_path(const char *text, struct place *ret)
{
	for (const char *line = text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
		const char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
		size_t n = second ? strcspn(second + 1, "\n") : 0;
		int version = 0;

		if (!second || n >= sizeof(ret->path))
			continue;
		if (second == first + 1 && line[0] == '0')
			version = 2;
		else if (has_word(first + 1, (size_t)(second - first - 1), "memory"))
			version = 1;
		if (!version || ret->version == 1)
			continue;
		ret->version = version;
		memcpy(ret->path, second + 1, n);
		ret->path[n] = '\0';
	}
}

/* Spaces and the like are written as \040. */
static void unescape_octal(char *text)
{
	char *out = text;

	for (const char *c = text; *c; c++) {
		bool octal = c[0] == '\\' && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
			     c[3] >= '0' && c[3] <= '7';

		*out++ = octal ? (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0')) : *c;
		c += octal ? 3 : 0;
	}
	*out = '\0';
}

/* "36 35 98:0 /root /mount/point options - type source superoptions". Source: proc(5), mountinfo */
static bool take_mount(char *line, struct place *ret)
{
	char *fields[5], *save = NULL, *dash = strstr(line, " - "), *type, *super = NULL;
	size_t n = 0;

	if (!dash)
		return false;
	*dash = '\0';
	for (char *f = strtok_r(line, " ", &save); f && n < HF_LEN(fields); f = strtok_r(NULL, " ", &save))
		fields[n++] = f;
	type = strtok_r(dash + 3, " ", &save);
	if (type && strtok_r(NULL, " ", &save))
		super = strtok_r(NULL, " ", &save);
	if (n < HF_LEN(fields) || !type)
		return false;
	if (strcmp(type, ret->version == 1 ? "cgroup" : "cgroup2"))
		return false;
	if (ret->version == 1 && !(super && has_word(super, strlen(super), "memory")))
		return false;
	unescape_octal(fields[3]);
	unescape_octal(fields[4]);
	snprintf(ret->inside, sizeof(ret->inside), "%s", fields[3]);
	snprintf(ret->dir, sizeof(ret->dir), "%s", fields[4]);
	return true;
}

static bool find_mount(const char *root, struct place *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	char path[PATH_MAX], *save = NULL;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", root);
	if (!hf_facts_read_text(AT_FDCWD, path, &str) || !str.n)
		return false;
	for (char *line = strtok_r(str.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (take_mount(line, ret))
			return true;
	return false;
}

/* The cgroup's directory, relative to the mount; NULL where it does not show there: a path with ".." leads
 * out of our cgroup namespace, and a mount of a part of the hierarchy (a container's) shows that part
 * only. */
static const char *path_in_mount(const struct place *place)
{
	size_t n = strlen(place->inside);

	if (strstr(place->path, "/.."))
		return NULL;
	if (!strcmp(place->inside, "/") || strstr(place->inside, "/.."))
		return place->path;
	if (strncmp(place->path, place->inside, n) || (place->path[n] && place->path[n] != '/'))
		return NULL;
	return place->path + n;
}

static uint64_t read_number(int dir, const char *name)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};

	return hf_facts_read_text(dir, name, &str) ? hf_facts_number(hf_str_get(&str)) : HF_UNKNOWN;
}

static uint64_t count_lines(int dir, const char *name)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	uint64_t n = 0;

	if (!hf_facts_read_text(dir, name, &str))
		return HF_UNKNOWN;
	for (size_t i = 0; i < str.n; i++)
		n += str.s[i] == '\n';
	return n;
}

static void read_v2(int dir, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	const char *text;

	facts->cgroup_current = read_number(dir, "memory.current");
	facts->cgroup_peak = read_number(dir, "memory.peak");
	facts->cgroup_high = read_number(dir, "memory.high");
	facts->cgroup_max = read_number(dir, "memory.max");
	facts->cgroup_swap = read_number(dir, "memory.swap.current");
	facts->cgroup_swap_max = read_number(dir, "memory.swap.max");
	hf_facts_read_text(dir, "memory.stat", &str);
	text = hf_str_get(&str);
	facts->cgroup_anon = hf_facts_find_number(text, "anon");
	facts->cgroup_file = hf_facts_find_number(text, "file");
	facts->cgroup_inactive_file = hf_facts_find_number(text, "inactive_file");
	facts->cgroup_dirty = hf_facts_find_number(text, "file_dirty");
	facts->cgroup_writeback = hf_facts_find_number(text, "file_writeback");
	facts->cgroup_shmem = hf_facts_find_number(text, "shmem");
	facts->cgroup_kernel = hf_facts_find_number(text, "kernel");
	facts->cgroup_slab = hf_facts_find_number(text, "slab");
	facts->cgroup_sock = hf_facts_find_number(text, "sock");
	hf_facts_read_text(dir, "memory.events", &str);
	text = hf_str_get(&str);
	facts->cgroup_events_high = hf_facts_find_number(text, "high");
	facts->cgroup_events_max = hf_facts_find_number(text, "max");
	facts->cgroup_events_oom = hf_facts_find_number(text, "oom");
	facts->cgroup_events_oom_kill = hf_facts_find_number(text, "oom_kill");
}

static uint64_t read_v1_limit(int dir, const char *name)
{
	uint64_t v = read_number(dir, name);

	return v >= V1_NOLIMIT && v != HF_UNKNOWN ? HF_NOLIMIT : v;
}

/* memsw counts memory and swap together. */
static uint64_t subtract(uint64_t both, uint64_t memory)
{
	if (both == HF_NOLIMIT || both == HF_UNKNOWN || memory >= HF_NOLIMIT)
		return both;
	return both > memory ? both - memory : 0;
}

/* total_x counts the cgroups below, as the usage does. */
static uint64_t find_total(const char *text, const char *key)
{
	char total[64];
	uint64_t v;

	snprintf(total, sizeof(total), "total_%s", key);
	v = hf_facts_find_number(text, total);
	return v == HF_UNKNOWN ? hf_facts_find_number(text, key) : v;
}

/* Source: Linux Documentation/admin-guide/cgroup-v1/memory.rst */
static void read_v1(int dir, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	const char *text;

	facts->cgroup_current = read_number(dir, "memory.usage_in_bytes");
	facts->cgroup_peak = read_number(dir, "memory.max_usage_in_bytes");
	facts->cgroup_high = read_v1_limit(dir, "memory.soft_limit_in_bytes");
	facts->cgroup_max = read_v1_limit(dir, "memory.limit_in_bytes");
	facts->cgroup_swap_max =
		subtract(read_v1_limit(dir, "memory.memsw.limit_in_bytes"), facts->cgroup_max);
	facts->cgroup_kernel = read_number(dir, "memory.kmem.usage_in_bytes");
	facts->cgroup_sock = read_number(dir, "memory.kmem.tcp.usage_in_bytes");
	facts->cgroup_events_max = read_number(dir, "memory.failcnt");
	hf_facts_read_text(dir, "memory.stat", &str);
	text = hf_str_get(&str);
	facts->cgroup_anon = find_total(text, "rss");
	facts->cgroup_file = find_total(text, "cache");
	facts->cgroup_inactive_file = find_total(text, "inactive_file");
	facts->cgroup_dirty = find_total(text, "dirty");
	facts->cgroup_writeback = find_total(text, "writeback");
	facts->cgroup_shmem = find_total(text, "shmem");
	facts->cgroup_swap = find_total(text, "swap");
	if (facts->cgroup_swap == HF_UNKNOWN)
		facts->cgroup_swap =
			subtract(read_number(dir, "memory.memsw.usage_in_bytes"), facts->cgroup_current);
	hf_facts_read_text(dir, "memory.oom_control", &str);
	facts->cgroup_events_oom_kill = hf_facts_find_number(hf_str_get(&str), "oom_kill");
}

/* Opens the cgroup that accounts for the process: its own, or, where v2's controller is not enabled so far
 * down, the nearest one above. Cuts path to that one. -1: none. */
static int open_accounting(const char *base, const char *usage, char *path)
{
	for (;;) {
		char full[PATH_MAX * 3 + 1];
		int dir;

		snprintf(full, sizeof(full), "%s%s", base, path);
		dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && !faccessat(dir, usage, F_OK, 0))
			return dir;
		hf_close_p(&dir);
		if (!strrchr(path, '/'))
			return -1;
		*strrchr(path, '/') = '\0';
	}
}

struct hf_err *hf_facts_read_cgroup(const char *root, int proc_fd, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	_free_ struct place *place = hf_calloc(1, sizeof(*place));
	char base[PATH_MAX * 2], path[PATH_MAX];
	const char *inside;
	_close_ int dir = -1;

	if (!place)
		return hf_err_nomem();
	hf_facts_read_text(proc_fd, "cgroup", &str);
	find_path(hf_str_get(&str), place);
	if (!place->version)
		return hf_str_check(&str);
	HF_TRY(hf_facts_set_text(&facts->cgroup_path, place->path, strlen(place->path)));
	inside = find_mount(root, place) ? path_in_mount(place) : NULL;
	if (!inside)
		return NULL;
	snprintf(base, sizeof(base), "%s%s", root, place->dir);
	snprintf(path, sizeof(path), "%s", inside);
	dir = open_accounting(base, place->version == 1 ? "memory.usage_in_bytes" : "memory.current", path);
	if (dir < 0)
		return NULL;
	facts->cgroup_version = (uint64_t)place->version;
	facts->cgroup_procs = count_lines(dir, "cgroup.procs");
	(place->version == 1 ? read_v1 : read_v2)(dir, facts);
	return NULL;
}
