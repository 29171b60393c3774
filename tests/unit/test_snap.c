#include "core_make.h"
#include "../../src/base/workers.h"
#include "../../src/target/facts.h"
#include "../../src/target/snap_private.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static char dir[64], path[128];

static void make_dir(void)
{
	strcpy(dir, "/tmp/test_snap_XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/snap", dir);
}

/* Nothing is left in the directory but what the test knows of. */
static void remove_dir(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something was left behind");
}

static void expect_error(struct hf_err *err, enum hf_err_code code, const char *part)
{
	cr_assert(err, "no error, though expected: %s", part);
	cr_expect_eq(hf_err_code(err), code, "%s", hf_err_message(err));
	cr_expect(strstr(hf_err_message(err), part), "'%s' lacks '%s'", hf_err_message(err), part);
	hf_err_destroy(err);
}

static struct hf_target *open_snap(void)
{
	struct hf_target *t = NULL;
	struct hf_err *err = hf_target_open_core(path, NULL, &t);

	cr_assert_null(err, "%s", hf_err_message(err));
	return t;
}

static uint64_t read_u64(struct hf_target *t, uint64_t addr)
{
	uint64_t v = 0xdead;
	struct hf_err *err = hf_target_read_u64(t, addr, &v);

	cr_expect_null(err, "%s", hf_err_message(err));
	hf_err_destroy(err);
	return v;
}

/* ---- a target of made-up pages ---- */

#define PAGES 256u

struct pages {
	uint8_t states[PAGES];
	bool broken[PAGES]; /* said to be in memory, but not to be read */
	uint64_t base;
	size_t reads;
	size_t interrupt_at; /* the read during which the user interrupts; 0: none */
	bool resumed;
};

/* Each word of a page is its number. */
static struct hf_err *fake_read(struct hf_target *t, uint64_t addr, void *buf, size_t len)
{
	struct pages *pages = t->arg;
	uint8_t *to = buf;

	if (++pages->reads == pages->interrupt_at)
		hf_interrupt();
	for (size_t done = 0; done < len; done += PAGE) {
		uint64_t page = (addr + done - pages->base) / PAGE;
		uint64_t *words = (uint64_t *)(void *)(to + done);

		cr_assert(page < PAGES && (addr + done) % PAGE == 0);
		cr_assert(pages->states[page] == HF_PAGE_RESIDENT, "page %" PRIu64 " was touched", page);
		if (pages->broken[page])
			return hf_err_at(HF_FAULT, addr + done, "broken");
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = page + 1;
	}
	return NULL;
}

static struct hf_err *fake_spans(struct hf_target *t, uint64_t start, uint64_t end, struct hf_page_spans *ret)
{
	const struct pages *pages = t->arg;

	for (uint64_t at = start; at < end; at += PAGE) {
		struct hf_page_span span = {at, at + PAGE, pages->states[(at - pages->base) / PAGE]};

		if (span.state != HF_PAGE_ABSENT)
			HF_TRY(hf_vec_push(ret, span));
	}
	return NULL;
}

static struct hf_err *fake_stop(struct hf_target *t)
{
	t->pause.stops++;
	return NULL;
}

static void fake_resume(struct hf_target *t)
{
	((struct pages *)t->arg)->resumed = true;
}

static void fake_close(struct hf_target *t)
{
	(void)t;
}

static const struct hf_target_ops fake_ops = {
	.kind = "fake",
	.read = fake_read,
	.read_raw = fake_read,
	.page_spans = fake_spans,
	.stop = fake_stop,
	.resume = fake_resume,
	.close = fake_close,
};

/* One anonymous mapping of PAGES pages, untouched as yet. */
static struct hf_target *open_fake(struct pages *pages)
{
	struct hf_target *t = hf_calloc(1, sizeof(*t));
	struct hf_map map = {.start = 0x10000000, .path = "", .readable = true, .writable = true};

	cr_assert_not_null(t);
	*pages = (struct pages){.base = map.start};
	map.end = map.start + PAGES * PAGE;
	t->ops = &fake_ops;
	t->arg = pages;
	t->label = hf_strdup("fake");
	cr_assert_null(hf_vec_push(&t->maps, map));
	return t;
}

static void write_snap(struct hf_target *t, struct hf_snap_stats *stats)
{
	struct hf_err *err = hf_snap_write(t, path, stats);

	cr_assert_null(err, "%s", hf_err_message(err));
}

Test(snap, pages_read_back_and_untouched_ones_are_zeros)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages), *back;
	struct hf_snap_stats stats;
	struct stat st;

	make_dir();
	pages.states[3] = pages.states[4] = pages.states[10] = pages.states[200] = HF_PAGE_RESIDENT;
	write_snap(t, &stats);
	cr_expect(pages.resumed);
	cr_expect_eq(stats.segments, 2); /* 3 to 10 in one */
	cr_expect_eq(stats.resident_bytes, 4 * PAGE);
	cr_expect_eq(stats.skipped_bytes, (PAGES - 4) * PAGE);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq((uint64_t)st.st_size, stats.file_bytes);
	cr_expect_eq(st.st_mode & 0777, 0600);
	back = open_snap();
	cr_expect_not(back->incomplete);
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t want = pages.states[i] == HF_PAGE_RESIDENT ? i + 1 : 0;

		cr_expect_eq(read_u64(back, pages.base + i * PAGE), want, "page %" PRIu64, i);
		cr_expect_eq(read_u64(back, pages.base + i * PAGE + PAGE - 8), want, "page %" PRIu64, i);
	}
	hf_target_close(back);
	hf_target_close(t);
	remove_dir();
}

Test(snap, pages_on_swap_are_not_touched_and_said)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages), *back;
	struct hf_snap_stats stats;
	uint64_t v;

	make_dir();
	pages.states[3] = pages.states[5] = HF_PAGE_RESIDENT;
	pages.states[4] = pages.states[6] = pages.states[100] = HF_PAGE_SWAPPED;
	write_snap(t, &stats);
	cr_expect(t->incomplete);
	cr_assert_eq(t->warnings.n, 1);
	cr_expect(strstr(t->warnings.at[0].text, "12.0 KiB on swap"), "%s", t->warnings.at[0].text);
	back = open_snap();
	cr_expect_eq(read_u64(back, pages.base + 3 * PAGE), 4);
	cr_expect_eq(read_u64(back, pages.base + 5 * PAGE), 6);
	cr_expect_eq(read_u64(back, pages.base + 7 * PAGE), 0);
	expect_error(hf_target_read_u64(back, pages.base + 4 * PAGE, &v), HF_FAULT, "on swap");
	expect_error(hf_target_read_u64(back, pages.base + 6 * PAGE, &v), HF_FAULT, "on swap");
	expect_error(hf_target_read_u64(back, pages.base + 100 * PAGE, &v), HF_FAULT, "on swap");
	hf_target_close(back);
	hf_target_close(t);
	remove_dir();
}

Test(snap, pages_that_cannot_be_read_are_said_and_the_rest_is_whole)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages), *back;
	struct hf_snap_stats stats;
	uint64_t v;

	make_dir();
	memset(pages.states + 10, HF_PAGE_RESIDENT, 10);
	pages.broken[12] = pages.broken[17] = true;
	write_snap(t, &stats);
	cr_expect(t->incomplete);
	back = open_snap();
	for (uint64_t i = 10; i < 20; i++)
		if (!pages.broken[i])
			cr_expect_eq(read_u64(back, pages.base + i * PAGE), i + 1);
	expect_error(hf_target_read_u64(back, pages.base + 12 * PAGE, &v), HF_FAULT, "unreadable");
	expect_error(hf_target_read_u64(back, pages.base + 18 * PAGE - 8, &v), HF_FAULT, "unreadable");
	hf_target_close(back);
	hf_target_close(t);
	remove_dir();
}

Test(snap, more_unreadable_places_than_the_note_has_room_for_are_an_error)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_stats stats;

	make_dir();
	memset(pages.states, HF_PAGE_RESIDENT, PAGES);
	memset(pages.broken, true, PAGES);
	expect_error(hf_snap_write(t, path, &stats), HF_TARGET, "cannot be read");
	cr_expect(pages.resumed);
	hf_target_close(t);
	remove_dir();
}

Test(snap, an_interrupt_leaves_nothing_behind)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_stats stats;

	make_dir();
	memset(pages.states, HF_PAGE_RESIDENT, PAGES);
	pages.interrupt_at = 1;
	expect_error(hf_snap_write(t, path, &stats), HF_INTERRUPTED, "interrupted");
	hf_interrupt_clear();
	cr_expect(pages.resumed);
	cr_expect_eq(access(path, F_OK), -1);
	hf_target_close(t);
	remove_dir();
}

Test(snap, paths_that_cannot_be_written_leave_the_target_alone)
{
	static const struct {
		const char *path;
		enum hf_err_code code;
		const char *part;
	} rows[] = {
		{"", HF_USAGE, "file name"},
		{"/nowhere/at/all/snap", HF_IO, "No such file"},
		{"/dev/null", HF_IO, "not a regular file"},
		{"/", HF_IO, "not a regular file"},
		{"/proc/snap", HF_IO, "cannot be written"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct pages pages;
		struct hf_target *t = open_fake(&pages);
		struct hf_snap_stats stats;

		expect_error(hf_snap_write(t, rows[i].path, &stats), rows[i].code, rows[i].part);
		cr_expect_eq(t->pause.stops, 0);
		hf_target_close(t);
	}
}

Test(snap, a_file_size_limit_is_an_error_before_it_is_a_signal)
{
	struct rlimit limit = {8 * PAGE, 8 * PAGE};
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_stats stats;

	make_dir();
	memset(pages.states, HF_PAGE_RESIDENT, PAGES);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_error(hf_snap_write(t, path, &stats), HF_IO, "ulimit -f");
	cr_expect(pages.resumed);
	cr_expect_eq(pages.reads, 0);
	hf_target_close(t);
	remove_dir();
}

Test(snap, a_failed_snap_keeps_the_file_that_was_there)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_stats stats;
	char text[8] = {0};
	int fd;

	make_dir();
	fd = open(path, O_CREAT | O_RDWR, 0644);
	cr_assert_eq(write(fd, "before", 6), 6);
	memset(pages.states, HF_PAGE_RESIDENT, PAGES);
	pages.interrupt_at = 1;
	expect_error(hf_snap_write(t, path, &stats), HF_INTERRUPTED, "");
	hf_interrupt_clear();
	cr_expect_eq(pread(fd, text, 6, 0), 6);
	cr_expect_str_eq(text, "before");
	cr_expect_eq(access(path, F_OK), 0);
	close(fd);
	hf_target_close(t);
	remove_dir();
}

Test(snap, memory_of_a_test_is_written_whole)
{
	static const uint64_t words[] = {1, 2, 3};
	struct hf_mem_range range = {0x5000, words, sizeof(words), false};
	struct hf_target *t = NULL, *back;
	struct hf_snap_stats stats;

	make_dir();
	cr_assert_null(hf_target_open_mem(&range, 1, &t));
	write_snap(t, &stats);
	back = open_snap();
	cr_expect_eq(read_u64(back, 0x5010), 3);
	hf_target_close(back);
	hf_target_close(t);
	remove_dir();
}

Test(snap, too_many_segments_are_joined_over_wider_gaps)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_plan plan = {0};

	for (size_t i = 0; i < PAGES; i += 20)
		pages.states[i] = HF_PAGE_RESIDENT;
	cr_assert_null(hf_snap_plan(t, &plan));
	cr_expect_eq(plan.segs.n, 13);
	cr_expect_eq(plan.data_bytes, (13 + 15) * PAGE); /* and the mapping's last 15 pages */
	cr_assert_null(hf_snap_plan_segments(t, &plan, 2));
	cr_expect_eq(plan.segs.n, 1);
	cr_expect_eq(plan.data_bytes, PAGES * PAGE);
	cr_expect_eq(plan.runs.at[12].file_off, 240 * PAGE);
	hf_snap_plan_deinit(&plan);
	hf_target_close(t);
}

Test(snap, pages_on_swap_are_never_joined_over)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages);
	struct hf_snap_plan plan = {0};

	pages.states[0] = pages.states[2] = pages.states[4] = HF_PAGE_RESIDENT;
	pages.states[3] = HF_PAGE_SWAPPED;
	cr_assert_null(hf_snap_plan(t, &plan));
	cr_assert_null(hf_snap_plan_segments(t, &plan, 1));
	cr_expect_eq(plan.segs.n, 2);
	cr_expect_eq(plan.segs.at[0].end, pages.base + 3 * PAGE);
	hf_snap_plan_deinit(&plan);
	hf_target_close(t);
}

Test(snap, more_segments_than_the_header_can_say_are_written_and_read)
{
	struct hf_snap_plan plan = {0};
	struct hf_target *t = NULL;
	struct hf_str headers = {0};
	uint64_t data;

	for (uint64_t i = 0; i < 70000; i++) {
		struct hf_snap_seg seg = {
			.start = (i + 1) * 2 * PAGE, .end = (i + 1) * 2 * PAGE + PAGE, .left_out = true};

		cr_assert_null(hf_vec_push(&plan.segs, seg));
	}
	cr_assert_null(hf_snap_headers(&plan, 0, &headers, &data));
	cr_assert_null(made_open_size(headers.s, headers.n, NULL, &t));
	cr_expect_eq(t->maps.n, 70000);
	cr_expect_not(t->incomplete);
	hf_target_close(t);
	hf_str_deinit(&headers);
	hf_snap_plan_deinit(&plan);
}

/* ---- a live process ---- */

static int global_answer = 42;

struct victim {
	pid_t pid;
	uint64_t anon, shared, untouched;
};

/* A child of ours: its memory has our addresses, and some of its own. */
static struct victim start_victim(void)
{
	struct victim v = {0};
	int pipe_fds[2];

	cr_assert_eq(pipe(pipe_fds), 0);
	v.pid = fork();
	if (!v.pid) {
		char *anon = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		struct victim ready = {getpid(), (uintptr_t)anon, (uintptr_t)shared,
				       (uintptr_t)anon + (40 << 20)};

		memset(anon, 0x11, 1 << 20);
		memset(shared, 0x22, PAGE);
		global_answer = 43;
		if (write(pipe_fds[1], &ready, sizeof(ready)) != sizeof(ready))
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(read(pipe_fds[0], &v, sizeof(v)), sizeof(v));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return v;
}

static void end_victim(const struct victim *v)
{
	kill(v->pid, SIGKILL);
	waitpid(v->pid, NULL, 0);
}

static uint64_t resident_kib(pid_t pid)
{
	struct hf_facts *facts = NULL;
	char name[32];
	uint64_t rss;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d", pid);
	fd = open(name, O_RDONLY | O_DIRECTORY);
	cr_assert_null(hf_facts_read(pid, fd, &facts));
	close(fd);
	rss = facts->rss / 1024;
	hf_facts_destroy(facts);
	return rss;
}

static bool sleeps_untraced(pid_t pid)
{
	char name[32], state = 0;
	FILE *f;
	int tracer = -1;
	char line[128];

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "TracerPid: %d", &tracer);
	}
	if (f)
		fclose(f);
	return (state == 'S' || state == 'R') && !tracer;
}

Test(snap, a_live_process_is_written_and_runs_on_untouched)
{
	struct victim v = start_victim();
	struct hf_target *t = NULL, *back;
	struct hf_snap_stats stats;
	uint64_t before, byte = 0;
	const struct hf_map *map;

	make_dir();
	cr_assert_null(hf_target_open_pid(v.pid, &t));
	before = resident_kib(v.pid);
	write_snap(t, &stats);
	cr_expect(stats.stopped_s > 0);
	cr_expect(sleeps_untraced(v.pid));
	cr_expect(resident_kib(v.pid) <= before + 64, "the snap made pages");
	back = open_snap();
	cr_expect_eq(back->pid, v.pid);
	cr_expect_eq(back->maps.n, t->maps.n);
	cr_assert_eq(back->threads.n, 1);
	cr_expect(back->threads.at[0].regs.pc != 0 && back->threads.at[0].regs.sp != 0);
	cr_expect(back->auxv.n > 0);
	cr_expect_eq(back->facts->pid, v.pid);
	cr_expect(back->facts->taken_at > 1e9);
	cr_expect_str_eq(back->facts->tool_version, "holdfast " HF_VERSION);
	cr_expect_eq(read_u64(back, v.anon), UINT64_C(0x1111111111111111));
	cr_expect_eq(read_u64(back, v.anon + (1 << 20)), 0);
	cr_expect_eq(read_u64(back, v.untouched), 0);
	cr_expect_eq(read_u64(back, v.shared), UINT64_C(0x2222222222222222));
	cr_expect_eq((int)read_u64(back, (uintptr_t)&global_answer), 43);
	cr_expect_eq(read_u64(back, back->threads.at[0].regs.sp & ~UINT64_C(7)) == 0xdead, false);
	map = hf_target_find_map(back, (uintptr_t)&start_victim);
	cr_assert(map && map->executable);
	cr_assert_null(
		hf_target_read(back, (uintptr_t)&start_victim, &byte, 1)); /* left out: of the file on disk */
	cr_expect_eq(byte, *(const uint8_t *)(uintptr_t)&start_victim);
	hf_target_close(back);
	hf_target_close(t);
	end_victim(&v);
	remove_dir();
}

Test(snap, a_snap_is_copied_byte_for_byte)
{
	struct pages pages;
	struct hf_target *t = open_fake(&pages), *core, *back;
	struct hf_snap_stats stats, copied;

	make_dir();
	pages.states[3] = pages.states[200] = HF_PAGE_RESIDENT;
	write_snap(t, &stats);
	core = open_snap();
	write_snap(core, &copied); /* over itself */
	cr_expect_eq(copied.file_bytes, stats.file_bytes);
	cr_expect_eq(copied.segments, stats.segments);
	back = open_snap();
	cr_expect_eq(read_u64(back, pages.base + 200 * PAGE), 201);
	cr_expect_eq(read_u64(back, pages.base + 199 * PAGE), 0);
	hf_target_close(back);
	hf_target_close(core);
	hf_target_close(t);
	remove_dir();
}

Test(snap, a_process_that_ended_is_an_error_and_leaves_nothing)
{
	struct victim v = start_victim();
	struct hf_target *t = NULL;
	struct hf_snap_stats stats;

	make_dir();
	cr_assert_null(hf_target_open_pid(v.pid, &t));
	end_victim(&v);
	expect_error(hf_snap_write(t, path, &stats), HF_TARGET, "ended");
	hf_target_close(t);
	remove_dir();
}
