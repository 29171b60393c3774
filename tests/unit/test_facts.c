#define _GNU_SOURCE
#include "../../src/target/facts_private.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A tree of files that stands for / : path, text. */
struct file {
	const char *path, *text;
};

static char root[64];

static void write_tree(const struct file *files, size_t n)
{
	strcpy(root, "/tmp/test_facts_XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	for (size_t i = 0; i < n; i++) {
		char path[PATH_MAX];
		FILE *f;

		snprintf(path, sizeof(path), "%s%s", root, files[i].path);
		for (char *slash = strchr(path + strlen(root) + 1, '/'); slash;
		     slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			mkdir(path, 0700);
			*slash = '/';
		}
		f = fopen(path, "w");
		cr_assert_not_null(f, "%s", path);
		fputs(files[i].text, f);
		fclose(f);
	}
}

static void remove_tree(void)
{
	pid_t pid = fork();

	if (!pid)
		execlp("rm", "rm", "-rf", root, (char *)NULL);
	waitpid(pid, NULL, 0);
}

static struct hf_facts *read_tree(const struct file *files, size_t n)
{
	struct hf_facts *facts = NULL;
	char path[PATH_MAX];
	int fd;

	write_tree(files, n);
	snprintf(path, sizeof(path), "%s/proc/7", root);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	cr_assert_null(hf_facts_read_under(root, 7, fd, &facts));
	close(fd);
	remove_tree();
	return facts;
}

#define MOUNT_V2 "25 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1                                                                                             \
	"24 1 0:21 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"                                         \
	"35 1 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory\n"                 \
	"41 1 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

Test(facts, a_process_is_described)
{
	static const struct file files[] = {
		{"/proc/7/status",
		 "Name:\tVmRSS:  1 kB\nUid:\t1000\t0\t0\t0\nNSpid:\t7\t3\t1\nThreads:\t5\nVmHWM:\t   20 kB\n"
		 "VmSize:\t100 kB\nVmLck:\t0 kB\nVmRSS:\t  12 kB\nRssAnon:\t 8 kB\nRssFile:\t3 kB\n"
		 "RssShmem:\t1 kB\nVmPTE:\t2 kB\nVmSwap:\t4 kB\n"},
		{"/proc/7/smaps_rollup",
		 "1000-2000 ---p 0 00:00 0  [rollup]\nRss: 12 kB\nPss:  6 kB\nPss_Dirty: 1 kB\n"
		 "Shared_Dirty: 2 kB\nPrivate_Dirty: 5 kB\nLazyFree: 1 kB\nAnonHugePages: 2048 kB\n"},
		{"/proc/7/stat", "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 5 0 1000 9 9\n"},
		{"/proc/stat", "cpu 1 2 3\nbtime 1700000000\n"},
		{"/proc/7/comm", "a) b (c\n"},
	};
	struct hf_facts *facts = read_tree(files, HF_LEN(files));

	cr_expect_eq(facts->pid, 7);
	cr_expect_eq(facts->rss, 12288);
	cr_expect_eq(facts->rss_anon, 8192);
	cr_expect_eq(facts->rss_file, 3072);
	cr_expect_eq(facts->rss_shmem, 1024);
	cr_expect_eq(facts->peak_rss, 20480);
	cr_expect_eq(facts->virtual_size, 102400);
	cr_expect_eq(facts->page_tables, 2048);
	cr_expect_eq(facts->swap, 4096);
	cr_expect_eq(facts->locked, 0);
	cr_expect_eq(facts->threads, 5);
	cr_expect_eq(facts->thread_stacks, HF_UNKNOWN);
	cr_expect_eq(facts->uid, 1000);
	cr_expect_eq(facts->ns_pid, 1);
	cr_expect_eq(facts->pss, 6144);
	cr_expect_eq(facts->private_dirty, 5120);
	cr_expect_eq(facts->shared_dirty, 2048);
	cr_expect_eq(facts->lazy_free, 1024);
	cr_expect_eq(facts->anon_huge, 2097152);
	cr_expect_str_eq(facts->comm, "a) b (c");
	cr_expect_float_eq(facts->started_at, 1700000000 + 1000.0 / (double)sysconf(_SC_CLK_TCK), 1e-6);
	cr_expect(facts->taken_at > 1e9);
	cr_expect_eq(facts->cgroup_version, HF_UNKNOWN);
	hf_facts_destroy(facts);
}

Test(facts, cgroup_v2_is_read)
{
	static const struct file files[] = {
		{"/proc/7/cgroup", "0::/app.slice/x y\n"},
		{"/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n" MOUNT_V2},
		{"/sys/fs/cgroup/app.slice/x y/memory.current", "1000\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.peak", "2000\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.high", "max\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.max", "4096\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.swap.current", "0\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.swap.max", "max\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.stat",
		 "anon 1\nfile 2\nkernel 3\nkernel_stack 99\nsock 4\nshmem 5\nfile_mapped 98\nfile_dirty 6\n"
		 "file_writeback 7\nanon_thp 97\ninactive_anon 96\ninactive_file 8\nslab_reclaimable "
		 "95\nslab 9\n"},
		{"/sys/fs/cgroup/app.slice/x y/memory.events",
		 "low 0\nhigh 11\nmax 12\noom 13\noom_kill 14\noom_group_kill 0\n"},
		{"/sys/fs/cgroup/app.slice/x y/cgroup.procs", "7\n8\n9\n"},
	};
	struct hf_facts *facts = read_tree(files, HF_LEN(files));

	cr_expect_eq(facts->cgroup_version, 2);
	cr_expect_str_eq(facts->cgroup_path, "/app.slice/x y");
	cr_expect_eq(facts->cgroup_current, 1000);
	cr_expect_eq(facts->cgroup_peak, 2000);
	cr_expect_eq(facts->cgroup_high, HF_NOLIMIT);
	cr_expect_eq(facts->cgroup_max, 4096);
	cr_expect_eq(facts->cgroup_swap, 0);
	cr_expect_eq(facts->cgroup_swap_max, HF_NOLIMIT);
	cr_expect_eq(facts->cgroup_anon, 1);
	cr_expect_eq(facts->cgroup_file, 2);
	cr_expect_eq(facts->cgroup_kernel, 3);
	cr_expect_eq(facts->cgroup_sock, 4);
	cr_expect_eq(facts->cgroup_shmem, 5);
	cr_expect_eq(facts->cgroup_dirty, 6);
	cr_expect_eq(facts->cgroup_writeback, 7);
	cr_expect_eq(facts->cgroup_inactive_file, 8);
	cr_expect_eq(facts->cgroup_slab, 9);
	cr_expect_eq(facts->cgroup_events_high, 11);
	cr_expect_eq(facts->cgroup_events_max, 12);
	cr_expect_eq(facts->cgroup_events_oom, 13);
	cr_expect_eq(facts->cgroup_events_oom_kill, 14);
	cr_expect_eq(facts->cgroup_procs, 3);
	hf_facts_destroy(facts);
}

Test(facts, cgroup_v1_of_a_hybrid_system_is_read)
{
	static const struct file files[] = {
		{"/proc/7/cgroup",
		 "9:name=systemd:/memory\n4:cpu,memory:/job/1\n1:cpuset:/\n0::/elsewhere\n"},
		{"/proc/self/mountinfo", MOUNT_V1},
		{"/sys/fs/cgroup/memory/job/1/memory.usage_in_bytes", "1000\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.max_usage_in_bytes", "2000\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.limit_in_bytes", "5000\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.soft_limit_in_bytes", "9223372036854771712\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.memsw.limit_in_bytes", "8000\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.memsw.usage_in_bytes", "1300\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.kmem.usage_in_bytes", "30\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.failcnt", "2\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.oom_control",
		 "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
		{"/sys/fs/cgroup/memory/job/1/memory.stat",
		 "cache 1\nrss 2\nmapped_file 3\nshmem 7\ntotal_cache 20\ntotal_rss 10\ntotal_inactive_file "
		 "4\n"
		 "total_dirty 5\ntotal_writeback 6\n"},
		{"/sys/fs/cgroup/memory/job/1/cgroup.procs", "7\n"},
	};
	struct hf_facts *facts = read_tree(files, HF_LEN(files));

	cr_expect_eq(facts->cgroup_version, 1);
	cr_expect_str_eq(facts->cgroup_path, "/job/1");
	cr_expect_eq(facts->cgroup_current, 1000);
	cr_expect_eq(facts->cgroup_peak, 2000);
	cr_expect_eq(facts->cgroup_high, HF_NOLIMIT);
	cr_expect_eq(facts->cgroup_max, 5000);
	cr_expect_eq(facts->cgroup_swap, 300);
	cr_expect_eq(facts->cgroup_swap_max, 3000);
	cr_expect_eq(facts->cgroup_anon, 10);
	cr_expect_eq(facts->cgroup_file, 20);
	cr_expect_eq(facts->cgroup_inactive_file, 4);
	cr_expect_eq(facts->cgroup_dirty, 5);
	cr_expect_eq(facts->cgroup_writeback, 6);
	cr_expect_eq(facts->cgroup_shmem, 7);
	cr_expect_eq(facts->cgroup_kernel, 30);
	cr_expect_eq(facts->cgroup_slab, HF_UNKNOWN);
	cr_expect_eq(facts->cgroup_events_max, 2);
	cr_expect_eq(facts->cgroup_events_oom_kill, 3);
	cr_expect_eq(facts->cgroup_procs, 1);
	hf_facts_destroy(facts);
}

/* A process's path is that of the whole hierarchy; what is mounted may be a part of it, or less. */
Test(facts, a_cgroup_is_found_where_it_shows_and_unknown_elsewhere)
{
	static const struct {
		const char *cgroup, *mountinfo;
		uint64_t want;
	} rows[] = {
		{"0::/\n", MOUNT_V2, 1}, /* in a container, v2 */
		{"0::/a/b\n", MOUNT_V2, 3},
		{"0::/a/none\n", MOUNT_V2, 2}, /* no controller so far down: the one above */
		{"0::/a/b/c/d\n", MOUNT_V2, 3},
		{"0::/docker/x\n", "25 1 0:22 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", 1},
		{"0::/docker/x/a\n", "25 1 0:22 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", 2},
		{"0::/docker/xy\n", "25 1 0:22 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		 HF_UNKNOWN},
		{"0::/../../x\n", MOUNT_V2, HF_UNKNOWN},
		{"0::/a/../../proc\n", MOUNT_V2, HF_UNKNOWN},
		{"0::/a\n", "25 1 0:22 / /sys/fs/c\\147roup rw - cgroup2 cgroup2 rw\n", 2},
		{"4:memory:/a\n", MOUNT_V2, HF_UNKNOWN},
		{"4:memory:/a\n", "24 1 0:21 / /sys/fs/cgroup rw - cgroup cgroup rw,cpu\n", HF_UNKNOWN},
		{"4:notmemory:/a\n", MOUNT_V1, HF_UNKNOWN},
		{"0::/a\n", "", HF_UNKNOWN},
		{"0::/a\n", "nonsense - \n - \n25 1 0:22 / - cgroup2\n25 1\n\n", HF_UNKNOWN},
		{"", MOUNT_V2, HF_UNKNOWN},
		{"nonsense\n:\n::\n:::\n0:\n", MOUNT_V2, HF_UNKNOWN},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct file files[] = {
			{"/proc/7/cgroup", rows[i].cgroup},
			{"/proc/self/mountinfo", rows[i].mountinfo},
			{"/sys/fs/cgroup/memory.current", "1\n"},
			{"/sys/fs/cgroup/a/memory.current", "2\n"},
			{"/sys/fs/cgroup/a/b/memory.current", "3\n"},
			{"/sys/fs/cgroup/a/none/cgroup.procs", "1\n"},
		};
		struct hf_facts *facts = read_tree(files, HF_LEN(files));

		cr_expect_eq(facts->cgroup_current, rows[i].want, "row %zu: %" PRIu64, i,
			     facts->cgroup_current);
		hf_facts_destroy(facts);
	}
}

Test(facts, files_that_are_missing_or_nonsense_are_unknown)
{
	static const struct file nothing[] = {{"/proc/7/other", ""}};
	static const struct file nonsense[] = {
		{"/proc/7/status",
		 "VmRSS:\nVmHWM:\t-5 kB\nVmSwap:\t99999999999999999999 kB\nVmLck:\tmax\nVmPTE:\tx\nThreads\n"
		 "VmSize:\t18446744073709551615 kB\nNSpid:\n"},
		{"/proc/7/stat", "7 (x) S 1"},
		{"/proc/stat", "btime\n"},
		{"/proc/7/comm", ""},
		{"/proc/7/cmdline", ""},
		{"/proc/7/smaps_rollup", "Pss"},
	};
	const struct {
		const struct file *files;
		size_t n;
	} rows[] = {{nothing, HF_LEN(nothing)}, {nonsense, HF_LEN(nonsense)}};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_facts *facts = read_tree(rows[i].files, rows[i].n);

		for (size_t f = 0; hf_facts_name(f); f++)
			cr_expect_eq(hf_facts_value(facts, f), HF_UNKNOWN, "row %zu: %s", i,
				     hf_facts_name(f));
		cr_expect_eq(facts->started_at, 0);
		cr_expect_str_eq(facts->comm, "");
		cr_expect_str_eq(facts->hostname, "");
		hf_facts_destroy(facts);
	}
}

Test(facts, our_own_process_is_read)
{
	struct hf_facts *facts = NULL;
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);

	cr_assert_null(hf_facts_read(getpid(), fd, &facts));
	close(fd);
	cr_expect(facts->rss > 0 && facts->rss < HF_NOLIMIT);
	cr_expect(facts->rss <= facts->peak_rss && facts->peak_rss <= facts->virtual_size);
	cr_expect(facts->started_at > 1e9 && facts->started_at <= facts->taken_at + 1);
	cr_expect(facts->cmdline[0] && facts->exe[0] == '/');
	cr_expect_eq(facts->uid, getuid());
	hf_facts_destroy(facts);
}

Test(facts, what_is_printed_is_parsed_back)
{
	struct hf_facts *facts, *back;
	struct hf_str text = {0};

	cr_assert_null(hf_facts_unknown(&facts));
	facts->rss = 5;
	facts->cgroup_max = HF_NOLIMIT;
	facts->pid = 77;
	facts->taken_at = 1700000000.25;
	cr_assert_null(hf_facts_set_text(&facts->comm, "a\nmaps\n\\x41 \177", 14));
	cr_assert_null(hf_facts_print(facts, &text));
	cr_expect_null(strstr(text.s, "\nmaps\n"));
	cr_assert_null(hf_facts_parse(text.s, text.n, &back));
	for (size_t i = 0; hf_facts_name(i); i++)
		cr_expect_eq(hf_facts_value(facts, i), hf_facts_value(back, i), "%s", hf_facts_name(i));
	cr_expect_eq(back->pid, 77);
	cr_expect_eq(back->taken_at, 1700000000.25);
	cr_expect_eq(back->started_at, 0);
	cr_expect_str_eq(back->comm, facts->comm);
	hf_facts_destroy(facts);
	hf_facts_destroy(back);
	hf_str_deinit(&text);
}

Test(facts, hostile_text_gives_unknown_values)
{
	static const char *const rows[] = {
		"",
		"\n\n\n",
		"rss",
		"rss ",
		"rss -1\n",
		"rss 1x\n",
		"rss 0x10\n",
		"rss 99999999999999999999\n",
		"RSS 5\n",
		" rss 5\n",
		"rss\t5\n",
		"nothing 5\nrss",
		"comm",
		"taken_at nan\n",
		"taken_at inf\n",
		"taken_at 1e300\n",
		"taken_at -5\n",
		"pid -1\n",
		"pid 4294967296\n",
		"pid max\n",
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_facts *facts = NULL;

		cr_assert_null(hf_facts_parse(rows[i], strlen(rows[i]), &facts));
		for (size_t f = 0; hf_facts_name(f); f++)
			cr_expect_eq(hf_facts_value(facts, f), HF_UNKNOWN, "row %zu: %s", i,
				     hf_facts_name(f));
		cr_expect_eq(facts->pid, 0, "row %zu", i);
		cr_expect_eq(facts->taken_at, 0, "row %zu", i);
		cr_expect_str_eq(facts->comm, "", "row %zu", i);
		hf_facts_destroy(facts);
	}
}

Test(facts, the_last_of_repeated_values_counts_and_escapes_stay_in_bounds)
{
	static const char text[] = "rss 1\nrss 2\ncomm a\ncomm \\x4\ncomm \\x\ncomm \\xzz\ncomm \\x41\\x00b";
	struct hf_facts *facts = NULL;

	cr_assert_null(hf_facts_parse(text, sizeof(text) - 1, &facts));
	cr_expect_eq(facts->rss, 2);
	cr_expect_str_eq(facts->comm, "A");
	hf_facts_destroy(facts);
}

Test(facts, names_end)
{
	size_t n = 0;

	while (hf_facts_name(n)) {
		cr_expect_not_null(hf_facts_label(n));
		n++;
	}
	cr_expect_null(hf_facts_label(n));
	cr_expect_null(hf_facts_name(SIZE_MAX));
	cr_expect_str_eq(hf_facts_name(0), "cgroup_version");
	hf_facts_destroy(NULL);
}
