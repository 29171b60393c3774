/* What is read of a live process: when, from where, and what is left alone. */
#define _GNU_SOURCE
#include "../../src/target/headroom.h"
#include "live_victims.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

TestSuite(target_image, .init = setup, .timeout = 120);

Test(target_image, interrupted_capture_resumes_at_once)
{
	uint8_t *p = map_pages(8 * MEGA);
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 8 * MEGA};
	struct hf_target *t;
	pid_t pid;

	memset(p, 1, 8 * MEGA);
	pid = start(count_up, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	hf_interrupt();
	assert_code(hf_target_capture(t, &range, 1), HF_INTERRUPTED, "interrupted");
	hf_interrupt_clear();
	cr_assert_not(t->stopped);
	cr_assert(counter_moves());
	hf_target_close(t);
	end(pid);
}

struct layout {
	uint8_t *p;
	size_t pages;
};

/* Rewrites page i's first word with an ever greater number: all are equal, or differ by one, at any moment. */
static void rewrite(void *arg)
{
	const struct layout *l = arg;

	say_ready();
	for (uint64_t n = 1;; n++) {
		for (size_t i = 0; i < l->pages; i++)
			*(volatile uint64_t *)(l->p + i * PAGE) = n;
		shared->counter = n;
	}
}

Test(target_image, captured_memory_is_of_the_moment_of_the_stop)
{
	struct layout l = {map_pages(600 * PAGE), 600};
	struct hf_range range = {(uintptr_t)l.p, (uintptr_t)l.p + l.pages * PAGE};
	pid_t pid = start(rewrite, &l);
	struct hf_target *t = open_live(pid);

	while (shared->counter < 3)
		usleep(100);
	for (int round = 0; round < 10; round++) {
		uint64_t first, last, moved, v;

		assert_ok(hf_target_stop(t));
		assert_ok(hf_target_capture(t, &range, 1));
		hf_target_resume(t);
		cr_assert(counter_moves());
		assert_ok(hf_target_read_u64(t, range.start, &first));
		assert_ok(hf_target_read_u64(t, range.end - PAGE, &last));
		cr_assert(first - last <= 1, "%" PRIu64 " and %" PRIu64, first, last);
		moved = shared->counter;
		cr_assert_gt(moved, first);
		for (size_t i = 0; i < l.pages; i++) {
			assert_ok(hf_target_read_u64(t, range.start + i * PAGE, &v));
			cr_assert(v == first || v == last, "page %zu", i);
		}
		cr_assert_not_null(t->ops->view(t, range.start, l.pages * PAGE));
		cr_assert_eq(hf_load_u64(t->ops->view(t, range.start, 8)), first);
	}
	hf_target_close(t);
	end(pid);
}

Test(target_image, what_was_not_captured_is_stale_after_resume)
{
	uint8_t *p = map_pages(64 * PAGE), byte;
	struct hf_range one = {(uintptr_t)p + 5 * PAGE + 100, (uintptr_t)p + 5 * PAGE + 101};
	uint8_t buf[2 * HF_ARCH_PAGE];
	struct hf_target *t;
	uint64_t at;
	struct hf_err *err;
	pid_t pid;

	memset(p, 3, 64 * PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_read_u8(t, (uintptr_t)p, &byte));
	cr_assert_eq(byte, 3, "reads work before any stop");
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &one, 1));
	cr_assert_null(t->ops->view(t, one.start - PAGE, 1));
	cr_assert_null(t->ops->view(t, one.start, PAGE));
	cr_assert_not_null(t->ops->view(t, (uintptr_t)p + 5 * PAGE, PAGE));
	hf_target_resume(t);
	assert_ok(hf_target_read(t, (uintptr_t)p + 5 * PAGE, buf, PAGE));
	assert_code(hf_target_read_u8(t, (uintptr_t)p, &byte), HF_STALE, "not captured");
	err = hf_target_read(t, (uintptr_t)p + 5 * PAGE + 8, buf, PAGE);
	cr_assert_eq(hf_err_code(err), HF_STALE);
	cr_assert(hf_err_addr(err, &at));
	cr_assert_eq(at, (uintptr_t)p + 6 * PAGE);
	hf_err_destroy(err);
	/* A second stop forgets the first. */
	assert_ok(hf_target_stop(t));
	hf_target_resume(t);
	assert_code(hf_target_read_u8(t, one.start, &byte), HF_STALE, "not captured");
	hf_target_close(t);
	end(pid);
}

Test(target_image, read_while_stopped_captures_around_it)
{
	uint8_t *p = map_pages(64 * PAGE), byte;
	struct hf_target *t;
	pid_t pid;

	memset(p, 3, 64 * PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_read_u8(t, (uintptr_t)p + 20 * PAGE, &byte));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, hf_align_down((uintptr_t)p + 20 * PAGE, 65536) + 65535, &byte));
	cr_assert_eq(byte, 3);
	hf_target_close(t);
	end(pid);
}

Test(target_image, what_is_not_mapped_or_not_readable_faults)
{
	uint8_t *p = map_pages(4 * PAGE), byte, buf[HF_ARCH_PAGE];
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	struct hf_target *t;
	pid_t pid;

	memset(p, 3, 4 * PAGE);
	mprotect(p + PAGE, PAGE, PROT_NONE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			assert_ok(hf_target_stop(t));
		if (round == 1)
			assert_ok(hf_target_capture(t, &range, 1));
		if (round == 2)
			hf_target_resume(t);
		assert_ok(hf_target_read_u8(t, (uintptr_t)p, &byte));
		assert_code(hf_target_read_u8(t, (uintptr_t)p + PAGE, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read(t, (uintptr_t)p + 8, buf, PAGE), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, 0, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, UINT64_MAX, &byte), HF_FAULT, "not mapped");
		assert_code(hf_target_read_u8(t, UINT64_C(1) << 62, &byte), HF_FAULT, "not mapped");
	}
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_image, odd_ranges_capture_what_there_is)
{
	uint8_t *p = map_pages(8 * PAGE);
	uintptr_t a = (uintptr_t)p;
	const struct hf_range ranges[] = {
		{a + 3 * PAGE + 1, a + 3 * PAGE + 1},
		{a + 5 * PAGE, a + 4 * PAGE},
		{0, 1},
		{a + 2 * PAGE, a + 3 * PAGE},
		{a + 1, a + 2 * PAGE + 5},
		{a, a + 2},
		{UINT64_MAX - 5, UINT64_MAX},
		{UINT64_MAX, 0},
		{a + 7 * PAGE, a + 9 * PAGE},
	};
	struct hf_target *t;
	pid_t pid;

	memset(p, 9, 8 * PAGE);
	munmap(p + 7 * PAGE, PAGE);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, ranges, HF_LEN(ranges)));
	assert_ok(hf_target_capture(t, ranges, HF_LEN(ranges)));
	assert_ok(hf_target_capture(t, NULL, 0));
	cr_assert_not_null(t->ops->view(t, a, 3 * PAGE));
	cr_assert_null(t->ops->view(t, a, 3 * PAGE + 1));
	hf_target_close(t);
	end(pid);
}

static void untouched(void *arg)
{
	uint8_t *p = arg;

	p[100 * MEGA] = 5;
	p[300 * MEGA + 7] = 6;
	say_ready();
	sleep_on();
}

/* Both ways of finding out what is there. */
static void check_untouched(bool no_scan)
{
	size_t size = 512 * MEGA;
	uint8_t *p = map_pages(size), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + size};
	pid_t pid = start(untouched, p);
	struct hf_target *t = open_live(pid);
	uint64_t tables, rss;

	wait_state(pid, "S");
	tables = status_of(pid, "VmPTE");
	rss = status_of(pid, "VmRSS");
	((struct hf_live *)t->arg)->no_scan = no_scan;
	cr_assert_leq(t->ops->resident(t, range.start, size), 4 * MEGA);
	cr_assert_geq(t->ops->resident(t, range.start, size), 2 * PAGE);
	assert_ok(hf_target_prepare(t, &range, 1));
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &range, 1));
	cr_assert_eq(status_of(pid, "VmPTE"), tables, "page tables grew");
	cr_assert_leq(status_of(pid, "VmRSS"), rss + 1024);
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, range.start + 100 * MEGA, &byte));
	cr_assert_eq(byte, 5);
	assert_ok(hf_target_read_u8(t, range.start + 300 * MEGA + 7, &byte));
	cr_assert_eq(byte, 6);
	assert_ok(hf_target_read_u8(t, range.start + 200 * MEGA, &byte));
	cr_assert_eq(byte, 0);
	cr_assert_not_null(t->ops->view(t, range.start, size));
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_image, untouched_memory_stays_so_and_reads_as_zeros)
{
	check_untouched(false);
}

Test(target_image, untouched_memory_stays_so_where_the_kernel_is_old)
{
	check_untouched(true);
}

Test(target_image, terabyte_of_nothing_costs_nothing)
{
	size_t size = (size_t)1 << 40;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			  0),
		byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + size};
	struct hf_target *t;
	pid_t pid;

	if (p == MAP_FAILED)
		cr_skip_test("no terabyte of addresses here");
	p[size / 2] = 1;
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	if (((struct hf_live *)t->arg)->no_scan) {
		hf_target_close(t);
		end(pid);
		cr_skip_test("this kernel has no PAGEMAP_SCAN");
	}
	assert_ok(hf_target_capture(t, &range, 1));
	hf_target_resume(t);
	cr_assert_lt(t->pause.stopped_s, 2);
	assert_ok(hf_target_read_u8(t, range.start + size / 2, &byte));
	cr_assert_eq(byte, 1);
	assert_ok(hf_target_read_u8(t, range.start + size / 4, &byte));
	cr_assert_eq(byte, 0);
	hf_target_close(t);
	end(pid);
}

struct file_pages {
	uint8_t *p;
	uint8_t *shared_p;
};

static void map_file(struct file_pages *f, bool keep)
{
	char name[] = "/tmp/hf-test-XXXXXX";
	int fd = mkstemp(name);

	cr_assert_geq(fd, 0);
	for (int i = 0; i < 64; i++) {
		uint8_t page[HF_ARCH_PAGE];

		memset(page, 'a' + i % 26, PAGE);
		cr_assert_eq(write(fd, page, i == 63 ? 100 : PAGE), i == 63 ? 100 : (ssize_t)PAGE);
	}
	f->p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	f->shared_p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert(f->p != MAP_FAILED && f->shared_p != MAP_FAILED);
	/* In the page cache, and in no page table. */
	madvise(f->p, 64 * PAGE, MADV_RANDOM);
	madvise(f->shared_p, 64 * PAGE, MADV_RANDOM);
	if (!keep)
		unlink(name);
	close(fd);
}

static void check_file(bool keep)
{
	struct file_pages f;
	struct hf_range ranges[2];
	struct hf_target *t;
	uint64_t tables;
	uint8_t byte;
	pid_t pid;
	int fd;

	map_file(&f, keep);
	f.p[10 * PAGE] = '!';
	ranges[0] = (struct hf_range){(uintptr_t)f.p, (uintptr_t)f.p + 64 * PAGE};
	ranges[1] = (struct hf_range){(uintptr_t)f.shared_p, (uintptr_t)f.shared_p + 64 * PAGE};
	pid = start(sleeper, NULL);
	wait_state(pid, "S");
	tables = status_of(pid, "VmPTE");
	t = open_live(pid);
	assert_ok(hf_target_read_u8(t, ranges[0].start + 3 * PAGE, &byte));
	cr_assert_eq(byte, 'd');
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, ranges, 2));
	hf_target_resume(t);
	cr_assert_eq(status_of(pid, "VmPTE"), tables);
	for (int i = 0; i < 2; i++) {
		assert_ok(hf_target_read_u8(t, ranges[i].start + 3 * PAGE + 5, &byte));
		cr_assert_eq(byte, 'd');
		assert_ok(hf_target_read_u8(t, ranges[i].start + 10 * PAGE, &byte));
		cr_assert_eq(byte, i ? 'k' : '!');
		assert_ok(hf_target_read_u8(t, ranges[i].start + 63 * PAGE + 99, &byte));
		cr_assert_eq(byte, 'a' + 63 % 26);
		assert_ok(hf_target_read_u8(t, ranges[i].start + 63 * PAGE + 100, &byte));
		cr_assert_eq(byte, 0);
	}
	assert_ok(hf_target_open_file(t, hf_target_find_map(t, ranges[1].start), &fd));
	cr_assert_eq(pread(fd, &byte, 1, PAGE), 1);
	cr_assert_eq(byte, 'b');
	close(fd);
	cr_assert_not(t->incomplete, "%s", t->warnings.n ? t->warnings.at[0].text : "");
	hf_target_close(t);
	end(pid);
}

Test(target_image, file_pages_that_nobody_touched_come_from_the_file)
{
	check_file(true);
}

Test(target_image, deleted_file_is_read_all_the_same)
{
	if (geteuid())
		cr_skip_test("map_files takes CAP_CHECKPOINT_RESTORE");
	check_file(false);
}

Test(target_image, file_that_may_block_is_left_alone_with_one_warning)
{
	struct file_pages f;
	struct hf_range range;
	struct hf_target *t;
	struct hf_live *live;
	uint8_t byte;
	pid_t pid;

	map_file(&f, true);
	range = (struct hf_range){(uintptr_t)f.p, (uintptr_t)f.p + 64 * PAGE};
	f.p[10 * PAGE] = '!';
	pid = start(sleeper, NULL);
	t = open_live(pid);
	live = t->arg;
	live->mounts_read = true;
	assert_ok(hf_vec_push(&live->remote_devs, hf_target_find_map(t, range.start)->dev));
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &range, 1));
	cr_assert(t->incomplete);
	assert_ok(hf_target_capture(t, &range, 1));
	assert_code(hf_target_read_u8(t, range.start + 3 * PAGE, &byte), HF_STALE, "not in memory");
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, range.start + 10 * PAGE, &byte));
	cr_assert_eq(byte, '!', "what is in memory is read");
	assert_code(hf_target_read_u8(t, range.start + 3 * PAGE, &byte), HF_STALE, "not captured");
	cr_assert_eq(t->warnings.n, 1);
	cr_assert(strstr(t->warnings.at[0].text, "network or FUSE"), "%s", t->warnings.at[0].text);
	cr_assert(strstr(t->warnings.at[0].text, "252 KiB"), "counted once: %s", t->warnings.at[0].text);
	hf_target_close(t);
	end(pid);
}

Test(target_image, memory_is_read_without_pagemap_and_that_is_said_once)
{
	uint8_t *p = map_pages(64 * PAGE), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 64 * PAGE};
	struct hf_live *live;
	struct hf_target *t;
	pid_t pid;

	p[3 * PAGE] = 3;
	pid = start(sleeper, NULL);
	t = open_live(pid);
	live = t->arg;
	close(live->pagemap_fd);
	live->pagemap_fd = -1;
	for (int round = 0; round < 2; round++) {
		assert_ok(hf_target_stop(t));
		assert_ok(hf_target_capture(t, &range, 1));
		hf_target_resume(t);
		assert_ok(hf_target_read_u8(t, range.start + 3 * PAGE, &byte));
		cr_assert_eq(byte, 3);
		assert_ok(hf_target_read_u8(t, range.start + 4 * PAGE, &byte));
		cr_assert_eq(byte, 0);
	}
	cr_assert_eq(t->warnings.n, 1);
	cr_assert(strstr(t->warnings.at[0].text, "pagemap"));
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_image, copy_that_would_not_fit_is_refused)
{
	assert_ok(hf_headroom_check(0));
	assert_ok(hf_headroom_check(PAGE));
	assert_code(hf_headroom_check(UINT64_MAX), HF_NOMEM, "core file");
	assert_code(hf_headroom_check(UINT64_C(1) << 50), HF_NOMEM, "1.0 PiB");
}

Test(target_image, read_only_file_memory_is_read_after_resume)
{
	struct file_pages f;
	struct hf_target *t;
	uint8_t byte;
	pid_t pid;

	map_file(&f, true);
	/* As a relocated page that was made read-only: its bytes are not those of the file. */
	f.p[10 * PAGE] = '!';
	mprotect(f.p, 64 * PAGE, PROT_READ);
	pid = start(sleeper, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, (uintptr_t)f.p + 4 * PAGE, &byte));
	cr_assert_eq(byte, 'e');
	assert_ok(hf_target_read_u8(t, (uintptr_t)f.p + 10 * PAGE, &byte));
	cr_assert_eq(byte, '!');
	hf_target_close(t);
	end(pid);
}

Test(target_image, executable_opens_by_its_mapping)
{
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint64_t entry;
	char magic[4];
	int fd;

	cr_assert(hf_target_auxv(t, AT_ENTRY, &entry));
	assert_ok(hf_target_open_file(t, hf_target_find_map(t, entry), &fd));
	cr_assert_eq(pread(fd, magic, 4, 0), 4);
	cr_assert_eq(memcmp(magic, ELFMAG, 4), 0);
	close(fd);
	hf_vec_each(&t->maps, m)
		if (!strcmp(m->path, "[stack]"))
			assert_code(hf_target_open_file(t, m, &fd), HF_TARGET, "has no file");
	hf_target_close(t);
	end(pid);
}

Test(target_image, kernel_and_device_mappings_are_never_read)
{
	static const struct {
		const char *path;
		uint64_t inode;
		bool is_shared;
		enum hf_map_kind kind;
	} cases[] = {
		{"", 0, false, HF_MAP_ANON},
		{"[heap]", 0, false, HF_MAP_ANON},
		{"[anon:name]", 0, false, HF_MAP_ANON},
		{"[vvar]", 0, false, HF_MAP_NEVER},
		{"[vvar_vclock]", 0, false, HF_MAP_NEVER},
		{"[vsyscall]", 0, false, HF_MAP_NEVER},
		{"[vdso]", 0, false, HF_MAP_WHOLE},
		{"/dev/zero", 5, true, HF_MAP_FILE},
		{"/dev/shm/x", 5, true, HF_MAP_FILE},
		{"/dev/nvidia0", 5, true, HF_MAP_DEVICE},
		{"/dev/mem", 5, false, HF_MAP_DEVICE},
		{"anon_inode:[perf_event]", 5, true, HF_MAP_DEVICE},
		{"/usr/lib/x.so", 5, false, HF_MAP_FILE},
		{"/anon_hugepage", 5, false, HF_MAP_ANON},
	};
	pid_t pid = start(sleeper, NULL);
	struct hf_target *t = open_live(pid);
	uint8_t byte;

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_map map = {
			.path = cases[i].path, .inode = cases[i].inode, .shared = cases[i].is_shared};

		cr_expect_eq(hf_map_kind(&map), cases[i].kind, "%s", cases[i].path);
	}
	assert_ok(hf_target_stop(t));
	hf_vec_each(&t->maps, m) {
		struct hf_range range = {m->start, m->end};

		if (!strcmp(m->path, "[vdso]")) {
			assert_ok(hf_target_read_u8(t, m->start, &byte));
			cr_assert_eq(byte, 0x7f);
		}
		if (strcmp(m->path, "[vvar]"))
			continue;
		assert_ok(hf_target_capture(t, &range, 1));
		assert_code(hf_target_read_u8(t, m->start, &byte), HF_FAULT, "not to be read");
	}
	cr_assert_not(t->incomplete);
	hf_target_close(t);
	end(pid);
}

Test(target_image, guard_pages_are_not_taken_for_swap)
{
	uint8_t *p = map_pages(4 * PAGE), byte;
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	struct hf_target *t;
	pid_t pid;

	memset(p, 7, 4 * PAGE);
	if (madvise(p + PAGE, PAGE, MADV_GUARD_INSTALL))
		cr_skip_test("this kernel has no guard pages");
	pid = start(sleeper, NULL);
	madvise(p + PAGE, PAGE, MADV_GUARD_INSTALL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &range, 1));
	hf_target_resume(t);
	assert_ok(hf_target_read_u8(t, range.start + 2 * PAGE, &byte));
	cr_assert_eq(byte, 7);
	hf_target_close(t);
	end(pid);
}

static void grow_when_told(void *arg)
{
	const struct layout *l = arg;

	say_ready();
	while (!shared->go)
		usleep(100);
	/* The prepared memory is now the middle of a larger mapping, and has other bytes. */
	if (mmap(l->p, 48 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	    l->p)
		_exit(3);
	memset(l->p, 4, 48 * PAGE);
	say_ready();
	sleep_on();
}

Test(target_image, prepared_memory_follows_mappings_that_change)
{
	struct layout l = {map_pages(48 * PAGE), 48};
	uintptr_t a = (uintptr_t)l.p;
	struct hf_range middle = {a + 16 * PAGE, a + 32 * PAGE}, all = {a, a + 48 * PAGE};
	struct hf_target *t;
	const uint8_t *view;
	pid_t pid;

	memset(l.p, 3, 48 * PAGE);
	mprotect(l.p, 16 * PAGE, PROT_NONE);
	mprotect(l.p + 32 * PAGE, 16 * PAGE, PROT_NONE);
	pid = start(grow_when_told, &l);
	t = open_live(pid);
	assert_ok(hf_target_prepare(t, &middle, 1));
	shared->go = 1;
	wait_ready();
	assert_ok(hf_target_stop(t));
	cr_assert_null(t->ops->view(t, middle.start, PAGE), "set aside is not captured");
	assert_ok(hf_target_capture(t, &all, 1));
	hf_target_resume(t);
	view = t->ops->view(t, all.start, 48 * PAGE);
	cr_assert_not_null(view);
	for (size_t i = 0; i < 48 * PAGE; i++)
		cr_assert_eq(view[i], 4);
	/* And unchanged. */
	assert_ok(hf_target_prepare(t, &all, 1));
	assert_ok(hf_target_prepare(t, &all, 1));
	assert_ok(hf_target_stop(t));
	assert_ok(hf_target_capture(t, &all, 1));
	view = t->ops->view(t, all.start, 48 * PAGE);
	cr_assert(view && view[0] == 4 && view[48 * PAGE - 1] == 4);
	hf_target_close(t);
	end(pid);
}

struct reads {
	struct hf_target *t;
	uint64_t start;
	size_t pages;
};

static struct hf_err *read_one(void *arg, size_t i, unsigned worker)
{
	const struct reads *r = arg;
	uint64_t v, page = i * 7919 % r->pages;

	(void)worker;
	HF_TRY(hf_target_read_u64(r->t, r->start + page * PAGE + i % 500 * 8, &v));
	return v == 0x0101010101010101 * (page % 200 + 1) ? NULL : hf_err_at(HF_BADDATA, i, "wrong bytes");
}

Test(target_image, several_threads_read_while_it_is_stopped)
{
	struct reads r = {.pages = 3000};
	uint8_t *p = map_pages(r.pages * PAGE);
	pid_t pid;

	for (size_t i = 0; i < r.pages; i++)
		memset(p + i * PAGE, (int)(i % 200 + 1), PAGE);
	pid = start(sleeper, NULL);
	r.t = open_live(pid);
	r.start = (uintptr_t)p;
	hf_workers_set(4);
	assert_ok(hf_target_stop(r.t));
	assert_ok(hf_parallel(20000, read_one, &r));
	hf_target_resume(r.t);
	assert_ok(hf_parallel(20000, read_one, &r));
	hf_target_close(r.t);
	end(pid);
}

Test(target_image, every_failed_allocation_is_an_error_and_resumes)
{
	uint8_t *p = map_pages(4 * PAGE);
	struct hf_range range = {(uintptr_t)p, (uintptr_t)p + 4 * PAGE};
	unsigned failed = 0;
	pid_t pid;

	memset(p, 3, 4 * PAGE);
	pid = start(count_up, NULL);
	for (unsigned long nth = 1; nth < 300; nth++) {
		struct hf_target *t = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_target_open_pid(pid, &t);
		if (!err)
			err = hf_target_stop(t);
		if (!err)
			err = hf_target_capture(t, &range, 1);
		failed += err != NULL;
		hf_alloc_fail_nth(0);
		hf_err_destroy(err);
		hf_target_close(t);
		cr_assert_eq(status_of(pid, "TracerPid"), 0);
	}
	cr_assert_gt(failed, 10); /* some do without: facts that cannot be kept are unknown */
	cr_assert(counter_moves());
	end(pid);
}
