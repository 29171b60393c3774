#define _GNU_SOURCE
#include "facts_private.h"
#include "arch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* No file that we read is longer, except a cgroup.procs of some 100,000 processes. */
#define TEXT_MAX (1u << 20)

static const struct {
	const char *name, *label;
	size_t offset;
} numbers[] = {
#define HF_FACT_ROW(name, text) {#name, text, offsetof(struct hf_facts, name)},
	HF_FACTS(HF_FACT_ROW)
#undef HF_FACT_ROW
};

const char *hf_facts_name(size_t i)
{
	return i < HF_LEN(numbers) ? numbers[i].name : NULL;
}

const char *hf_facts_label(size_t i)
{
	return i < HF_LEN(numbers) ? numbers[i].label : NULL;
}

uint64_t hf_facts_value(const struct hf_facts *facts, size_t i)
{
	uint64_t v = HF_UNKNOWN;

	if (i < HF_LEN(numbers))
		memcpy(&v, (const char *)facts + numbers[i].offset, sizeof(v));
	return v;
}

void hf_facts_destroy(struct hf_facts *facts)
{
	if (!facts)
		return;
	hf_free(facts->comm);
	hf_free(facts->exe);
	hf_free(facts->cmdline);
	hf_free(facts->cgroup_path);
	hf_free(facts->hostname);
	hf_free(facts->tool_version);
	hf_free(facts);
}

struct hf_err *hf_facts_set_text(char **text, const char *value, size_t n)
{
	char *copy = hf_strndup(value, n);

	if (!copy)
		return hf_err_nomem();
	hf_free(*text);
	*text = copy;
	return NULL;
}

static struct hf_err *set_no_texts(struct hf_facts *facts)
{
	char **texts[] = {&facts->comm,        &facts->exe,      &facts->cmdline,
			  &facts->cgroup_path, &facts->hostname, &facts->tool_version};

	for (size_t i = 0; i < HF_LEN(texts); i++)
		HF_TRY(hf_facts_set_text(texts[i], "", 0));
	return NULL;
}

struct hf_err *hf_facts_unknown(struct hf_facts **ret)
{
	struct hf_facts *facts = hf_calloc(1, sizeof(*facts));
	struct hf_err *err;

	if (!facts)
		return hf_err_nomem();
#define HF_FACT_UNKNOWN(name, text) facts->name = HF_UNKNOWN;
	HF_FACTS(HF_FACT_UNKNOWN)
#undef HF_FACT_UNKNOWN
	err = set_no_texts(facts);
	if (err) {
		hf_facts_destroy(facts);
		return err;
	}
	*ret = facts;
	return NULL;
}

bool hf_facts_read_text(int dir_fd, const char *name, struct hf_str *ret)
{
	_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char buf[4096];
	ssize_t n = 0;

	hf_str_truncate(ret, 0);
	if (fd < 0)
		return false;
	while (ret->n < TEXT_MAX && (n = read(fd, buf, sizeof(buf))) > 0)
		hf_str_addn(ret, buf, (size_t)n);
	if (n < 0)
		hf_str_truncate(ret, 0);
	return n >= 0 && !ret->failed;
}

uint64_t hf_facts_number(const char *text)
{
	char *end;
	unsigned long long v;

	while (*text == ' ' || *text == '\t')
		text++;
	if (!strncmp(text, "max", 3) && (text[3] == '\0' || text[3] == '\n'))
		return HF_NOLIMIT;
	if (*text < '0' || *text > '9')
		return HF_UNKNOWN;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || (*end && *end != '\n' && *end != ' ' && *end != '\t') ? HF_UNKNOWN : v;
}

uint64_t hf_facts_find_number(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, n) && (line[n] == ' ' || line[n] == '\t' || line[n] == ':'))
			return hf_facts_number(line + n + (line[n] == ':'));
	}
	return HF_UNKNOWN;
}

/* /proc writes kB, by which it means KiB. */
static uint64_t find_kib(const char *text, const char *key)
{
	uint64_t v = hf_facts_find_number(text, key), bytes;

	return v >= HF_NOLIMIT || hf_mul_overflows(v, UINT64_C(1024), &bytes) ? HF_UNKNOWN : bytes;
}

/* "NSpid:	1234	12	1": the last is the innermost. key  with the line end before it. */
static uint64_t find_last_number(const char *text, const char *key)
{
	const char *line = strstr(text, key), *end = line ? strchrnul(line + 1, '\n') : NULL;

	while (line && end > line && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return line ? hf_facts_number(end) : HF_UNKNOWN;
}

static void read_status(int proc_fd, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	const char *text;

	hf_facts_read_text(proc_fd, "status", &str);
	text = hf_str_get(&str);
	facts->rss = find_kib(text, "VmRSS");
	facts->rss_anon = find_kib(text, "RssAnon");
	facts->rss_file = find_kib(text, "RssFile");
	facts->rss_shmem = find_kib(text, "RssShmem");
	facts->peak_rss = find_kib(text, "VmHWM");
	facts->swap = find_kib(text, "VmSwap");
	facts->locked = find_kib(text, "VmLck");
	facts->page_tables = find_kib(text, "VmPTE");
	facts->virtual_size = find_kib(text, "VmSize");
	facts->threads = hf_facts_find_number(text, "Threads");
	facts->uid = hf_facts_find_number(text, "Uid");
	facts->ns_pid = find_last_number(text, "\nNSpid:");
}

/* How many of the pages [start, end) are in memory. Source: Linux Documentation/admin-guide/mm/pagemap.rst */
static uint64_t count_present(int proc_fd, uint64_t start, uint64_t end)
{
	_close_ int fd = openat(proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[512], sum = 0;

	for (uint64_t page = start / HF_ARCH_PAGE; page < end / HF_ARCH_PAGE;) {
		size_t want = (size_t)hf_min(end / HF_ARCH_PAGE - page, (uint64_t)HF_LEN(entries));
		ssize_t n = pread(fd, entries, want * 8, (off_t)(page * 8));

		if (n < 8)
			return HF_UNKNOWN;
		for (size_t i = 0; i < (size_t)n / 8; i++)
			sum += entries[i] >> 63;
		page += (size_t)n / 8;
	}
	return sum * HF_ARCH_PAGE;
}

/* Of a process with one thread: the kernel's [stack]. Where a program's further threads have theirs,
 * nobody says. */
static void read_stack(int proc_fd, struct hf_facts *facts)
{
	int fd = facts->threads == 1 ? openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC) : -1;
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	char line[512];

	if (!maps) {
		hf_close_p(&fd);
		return;
	}
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end;

		if (strstr(line, " [stack]\n") && sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
		    start < end)
			facts->thread_stacks = count_present(proc_fd, start, end);
	}
	fclose(maps);
}

static void read_rollup(int proc_fd, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	const char *text;

	hf_facts_read_text(proc_fd, "smaps_rollup", &str);
	text = hf_str_get(&str);
	facts->pss = find_kib(text, "Pss");
	facts->private_dirty = find_kib(text, "Private_Dirty");
	facts->shared_dirty = find_kib(text, "Shared_Dirty");
	facts->lazy_free = find_kib(text, "LazyFree");
	facts->anon_huge = find_kib(text, "AnonHugePages");
}

/* Field 22 of stat, in ticks since the boot; the name before it may hold spaces and parentheses. */
static void read_start(const char *root, int proc_fd, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	char path[PATH_MAX];
	long ticks = sysconf(_SC_CLK_TCK);
	uint64_t start = HF_UNKNOWN, boot;
	const char *p;

	hf_facts_read_text(proc_fd, "stat", &str);
	p = strrchr(hf_str_get(&str), ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = hf_facts_number(p);
	snprintf(path, sizeof(path), "%s/proc/stat", root);
	hf_facts_read_text(AT_FDCWD, path, &str);
	boot = hf_facts_find_number(hf_str_get(&str), "btime");
	if (start < HF_NOLIMIT && boot < HF_NOLIMIT && ticks > 0)
		facts->started_at = (double)boot + (double)start / (double)ticks;
}

static struct hf_err *read_texts(int proc_fd, struct hf_facts *facts)
{
	_cleanup_(hf_str_deinit) struct hf_str str = {0};
	char link[PATH_MAX];
	ssize_t n;

	if (hf_facts_read_text(proc_fd, "comm", &str))
		HF_TRY(hf_facts_set_text(&facts->comm, hf_str_get(&str), strcspn(hf_str_get(&str), "\n")));
	if (hf_facts_read_text(proc_fd, "cmdline", &str) && str.n) {
		size_t len = str.n - (str.s[str.n - 1] == '\0');

		for (size_t i = 0; i < len; i++)
			str.s[i] = str.s[i] ? str.s[i] : ' ';
		HF_TRY(hf_facts_set_text(&facts->cmdline, str.s, len));
	}
	n = readlinkat(proc_fd, "exe", link, sizeof(link) - 1);
	if (n > 0)
		HF_TRY(hf_facts_set_text(&facts->exe, link, (size_t)n));
	return NULL;
}

/* Our own host's name is the target's only where both share a UTS namespace. */
static struct hf_err *read_hostname(const char *root, int proc_fd, struct hf_facts *facts)
{
	char path[PATH_MAX], ours[64], theirs[64];
	struct utsname uts;
	ssize_t n, m;

	snprintf(path, sizeof(path), "%s/proc/self/ns/uts", root);
	n = readlink(path, ours, sizeof(ours));
	m = readlinkat(proc_fd, "ns/uts", theirs, sizeof(theirs));
	if (n <= 0 || n != m || memcmp(ours, theirs, (size_t)n) || uname(&uts))
		return NULL;
	return hf_facts_set_text(&facts->hostname, uts.nodename, strlen(uts.nodename));
}

static struct hf_err *read_all(const char *root, int proc_fd, struct hf_facts *facts)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	facts->taken_at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	read_status(proc_fd, facts);
	read_stack(proc_fd, facts);
	read_rollup(proc_fd, facts);
	read_start(root, proc_fd, facts);
	HF_TRY(read_texts(proc_fd, facts));
	HF_TRY(read_hostname(root, proc_fd, facts));
	return hf_facts_read_cgroup(root, proc_fd, facts);
}

struct hf_err *hf_facts_read_under(const char *root, pid_t pid, int proc_fd, struct hf_facts **ret)
{
	struct hf_facts *facts;
	struct hf_err *err;

	HF_TRY(hf_facts_unknown(&facts));
	facts->pid = pid;
	err = read_all(root, proc_fd, facts);
	if (err) {
		hf_facts_destroy(facts);
		return err;
	}
	*ret = facts;
	return NULL;
}

struct hf_err *hf_facts_read(pid_t pid, int proc_fd, struct hf_facts **ret)
{
	return hf_facts_read_under("", pid, proc_fd, ret);
}
