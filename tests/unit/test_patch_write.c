/* The one writer, on processes of ours and on one that a debugger (this test) holds; and apply and revert where the
 * journal fails them. */
#define _GNU_SOURCE
#include "../../src/patch/apply.h"
#include "../../src/patch/write.h"
#include "live_victims.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/user.h>

#define OLD  UINT64_C(0x1111111111111111)
#define NEW  UINT64_C(0x2222222222222222)
#define WORD ((uint64_t)(uintptr_t)&word)

/* At the same address in the victims. */
static uint64_t word = OLD;
static const uint64_t sealed = OLD;

TestSuite(patch_write, .init = setup, .timeout = 120);

static void show_word(void *arg)
{
	(void)arg;
	say_ready();
	for (;;)
		shared->counter = *(volatile uint64_t *)&word;
}

static void expect_shown(uint64_t want)
{
	for (int i = 0; i < 20000 && shared->counter != want; i++)
		usleep(500);
	cr_assert_eq(shared->counter, want, "the victim sees 0x%" PRIx64, shared->counter);
}

static void refused(struct hf_target *t, uint64_t addr, enum hf_err_code code, const char *text)
{
	assert_code(hf_patch_store_word(t, addr, OLD, NEW), code, text);
}

Test(patch_write, word_is_stored_and_put_back)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);

	expect_shown(OLD);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_patch_store_word(t, WORD, OLD, NEW));
	hf_target_resume(t);
	expect_shown(NEW);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_patch_store_word(t, WORD, NEW, OLD));
	hf_target_resume(t);
	expect_shown(OLD);
	hf_target_close(t);
	end(pid);
}

Test(patch_write, another_word_than_expected_is_left)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);

	assert_ok(hf_target_stop(t));
	assert_code(hf_patch_store_word(t, WORD, NEW, OLD), HF_STALE, "nothing was written");
	assert_code(hf_patch_store_word(t, WORD, OLD ^ 1, NEW), HF_STALE, "nothing was written");
	hf_target_resume(t);
	expect_shown(OLD);
	hf_target_close(t);
	end(pid);
}

Test(patch_write, places_that_are_no_variables_are_refused)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);

	refused(t, WORD, HF_REFUSED, "not stopped");
	assert_ok(hf_target_stop(t));
	refused(t, WORD + 4, HF_REFUSED, "no place for a pointer");
	refused(t, 0, HF_REFUSED, "not mapped");
	refused(t, UINT64_MAX - 7, HF_REFUSED, "not mapped");
	refused(t, UINT64_C(1) << 63, HF_REFUSED, "not mapped");
	refused(t, (uint64_t)(uintptr_t)&sealed, HF_REFUSED, "read-only memory");
	refused(t, (uint64_t)(uintptr_t)shared, HF_REFUSED, "shared memory");
	refused(t, hf_align_down((uint64_t)(uintptr_t)show_word, 8), HF_REFUSED, "read-only memory");
	hf_target_resume(t);
	refused(t, WORD, HF_REFUSED, "not stopped");
	expect_shown(OLD);
	hf_target_close(t);
	end(pid);
}

static uint8_t *pages;
#define CODE  (pages + PAGE)     /* to execute, empty, alone */
#define PLAIN (pages + 2 * PAGE) /* to write to */
#define USED  (pages + 3 * PAGE) /* to execute, with something in it */
#define MANY  (pages + 5 * PAGE) /* two to execute */

static void map_code_pages(void)
{
	pages = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(pages != MAP_FAILED);
	USED[PAGE - 1] = 1;
	cr_assert_eq(mprotect(CODE, PAGE, PROT_READ | PROT_EXEC), 0);
	cr_assert_eq(mprotect(USED, PAGE, PROT_READ | PROT_EXEC), 0);
	cr_assert_eq(mprotect(MANY, 2 * PAGE, PROT_READ | PROT_EXEC), 0);
}

static uint64_t addr_of(const uint8_t *at)
{
	return (uint64_t)(uintptr_t)at;
}

Test(patch_write, code_fills_an_empty_page_that_is_not_writable)
{
	uint8_t bytes[HF_ARCH_PAGE], got[HF_ARCH_PAGE];
	struct hf_target *t;
	pid_t pid;

	map_code_pages();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 251);
	pid = start(show_word, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_ok(hf_patch_fill_code(t, addr_of(CODE), bytes));
	assert_ok(hf_target_read_now(t, addr_of(CODE), got, sizeof(got)));
	cr_expect_arr_eq(got, bytes, sizeof(got));
	assert_code(hf_patch_fill_code(t, addr_of(CODE), bytes), HF_STALE, "in use");
	hf_target_resume(t);
	expect_shown(OLD);
	hf_target_close(t);
	end(pid);
}

Test(patch_write, code_goes_nowhere_else)
{
	const uint8_t bytes[HF_ARCH_PAGE] = {0xc3};
	struct hf_target *t;
	pid_t pid;

	map_code_pages();
	pid = start(show_word, NULL);
	t = open_live(pid);
	assert_ok(hf_target_stop(t));
	assert_code(hf_patch_fill_code(t, addr_of(USED), bytes), HF_STALE, "in use");
	assert_code(hf_patch_fill_code(t, addr_of(CODE + 8), bytes), HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, addr_of(PLAIN), bytes), HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, addr_of(MANY), bytes), HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, addr_of(MANY + PAGE), bytes), HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, hf_align_down((uint64_t)(uintptr_t)show_word, PAGE), bytes),
		    HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, hf_align_down((uint64_t)(uintptr_t)shared, PAGE), bytes),
		    HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, 0, bytes), HF_REFUSED, "no page of ours");
	assert_code(hf_patch_fill_code(t, UINT64_MAX - PAGE + 1, bytes), HF_REFUSED, "no page of ours");
	hf_target_resume(t);
	expect_shown(OLD);
	hf_target_close(t);
	end(pid);
}

Test(patch_write, bytes_are_no_process)
{
	struct hf_mem_range range = {.addr = 4096, .bytes = &word, .len = sizeof(word), .writable = true};
	struct hf_target *t = NULL;

	assert_ok(hf_target_open_mem(&range, 1, &t));
	assert_ok(hf_target_stop(t));
	refused(t, 4096, HF_REFUSED, "no process");
	hf_target_close(t);
	cr_assert_eq(word, OLD);
}

Test(patch_write, process_that_ended_is_said)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);
	siginfo_t info;

	assert_ok(hf_target_stop(t));
	kill(pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	refused(t, WORD, HF_TARGET, "nothing was written");
	hf_target_close(t);
	waitpid(pid, NULL, 0);
}

/* The parent of a vfork sleeps in the kernel until its child lets it go: it may run at any moment. */
static void wait_in_vfork(void *arg)
{
	(void)arg;
	if (!vfork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		say_ready();
		sleep_on();
	}
}

Test(patch_write, thread_that_cannot_be_stopped_is_no_moment_to_write)
{
	pid_t pid = start(wait_in_vfork, NULL);
	struct hf_target *t = open_live(pid);

	assert_ok(hf_target_stop(t));
	cr_assert_gt(t->pause.stuck, 0);
	refused(t, WORD, HF_STALE, "not all threads");
	hf_target_close(t);
	end(pid);
}

/* ---- a process that a debugger holds ------------------------------------------------------------------------------ */

struct debugger {
	pid_t pid;
	unsigned calls, wrong; /* the first `wrong` writes store something else */
	bool no;
};

static bool write_word(void *arg, uint64_t addr, const void *buf, size_t len)
{
	struct debugger *d = arg;
	uint64_t v;

	cr_assert_eq(len, sizeof(v));
	memcpy(&v, buf, sizeof(v));
	if (d->no)
		return false;
	if (d->calls++ < d->wrong)
		v ^= 0xff;
	return !ptrace(PTRACE_POKEDATA, d->pid, (void *)(uintptr_t)addr, (void *)(uintptr_t)v);
}

static struct hf_target *hold(struct debugger *d, bool writes)
{
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof(regs)};
	struct hf_host_thread thread = {.regs = &regs, .regs_len = sizeof(regs)};
	struct hf_host host = {.size = sizeof(host),
			       .threads = &thread,
			       .threads_n = 1,
			       .local = true,
			       .write = writes ? write_word : NULL,
			       .arg = d};
	struct hf_target *t = NULL;
	int status;

	d->pid = start(show_word, NULL);
	host.pid = thread.tid = d->pid;
	cr_assert_eq(ptrace(PTRACE_ATTACH, d->pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(d->pid, &status, 0), d->pid);
	cr_assert_eq(ptrace(PTRACE_GETREGSET, d->pid, (void *)NT_PRSTATUS, &iov), 0);
	assert_ok(hf_target_open_host(&host, &t));
	assert_ok(hf_target_stop(t));
	return t;
}

static void release(struct debugger *d, struct hf_target *t, uint64_t want)
{
	hf_target_close(t);
	cr_assert_eq(ptrace(PTRACE_DETACH, d->pid, NULL, NULL), 0);
	expect_shown(want);
	end(d->pid);
}

Test(patch_write, debugger_writes_for_us)
{
	struct debugger d = {0};
	struct hf_target *t = hold(&d, true);

	assert_ok(hf_patch_store_word(t, WORD, OLD, NEW));
	assert_code(hf_patch_store_word(t, WORD, OLD, NEW), HF_STALE, "nothing was written");
	cr_assert_eq(d.calls, 1);
	release(&d, t, NEW);
}

Test(patch_write, what_reads_back_wrong_is_taken_back)
{
	struct debugger d = {.wrong = 1};
	struct hf_target *t = hold(&d, true);

	refused(t, WORD, HF_REVERTED, "as before");
	cr_assert_eq(d.calls, 2);
	release(&d, t, OLD);
}

Test(patch_write, what_cannot_be_taken_back_is_said)
{
	struct debugger d = {.wrong = 2};
	struct hf_target *t = hold(&d, true);

	refused(t, WORD, HF_TARGET, "neither");
	release(&d, t, OLD ^ 0xff);
}

Test(patch_write, debugger_that_says_no)
{
	struct debugger d = {.no = true};
	struct hf_target *t = hold(&d, true);

	refused(t, WORD, HF_TARGET, "nothing was written");
	release(&d, t, OLD);
}

Test(patch_write, debugger_that_does_not_let_us_write)
{
	struct debugger d = {0};
	struct hf_target *t = hold(&d, false);

	refused(t, WORD, HF_REFUSED, "does not let us");
	cr_assert_eq(d.calls, 0);
	release(&d, t, OLD);
}

/* ---- apply and revert ----------------------------------------------------------------------------------------------- */

static char folder[64], journal[96];

static void set_up_journal(void)
{
	setup();
	snprintf(folder, sizeof(folder), "/tmp/applyXXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(journal, sizeof(journal), "%s/journal", folder);
}

static void drop_journal(void)
{
	unlink(journal);
	rmdir(folder);
}

TestSuite(patch_apply, .init = set_up_journal, .fini = drop_journal, .timeout = 120);

static struct hf_err *apply(struct hf_target *t, uint64_t old, uint64_t new)
{
	struct hf_accepted accepted = {.accept = HF_ACCEPT_ACCEPTED};
	struct hf_apply_options o = {.allow_write = true, .accepted = &accepted, .journal = journal};
	struct hf_plan plan = {.slot_addr = WORD, .old_value = old, .new_value = new, .pool = "pool"};
	struct hf_apply_result r = {0};
	struct hf_identity id;
	struct hf_err *err;

	assert_ok(hf_target_identity(t, &id));
	plan.pid = accepted.pid = id.pid;
	plan.start_time = accepted.start_time = id.start_time;
	plan.build_id = id.build_id;
	assert_ok(hf_plan_seal(&plan));
	memcpy(accepted.id, plan.id, sizeof(plan.id));
	err = hf_apply(t, &plan, &o, &r);
	if (!err) {
		cr_assert_str_eq(r.entry.plan, plan.id);
		cr_assert_str_eq(r.journal, journal);
		cr_assert_gt(r.stopped_s, 0);
	}
	hf_apply_result_deinit(&r);
	hf_plan_deinit(&plan);
	return err;
}

static void expect_state(struct hf_target *t, bool revert, enum hf_patched_state state, bool changed,
			 const char *why)
{
	struct hf_revert_options o = {.allow_write = true, .journal = journal};
	struct hf_patched_list l = {0};

	assert_ok(revert ? hf_revert(t, &o, &l) : hf_patched_list(t, &o, &l));
	cr_assert_eq(l.list.n, 1);
	cr_assert_eq(l.list.at[0].state, state, "%s: %s", hf_patched_state_name(l.list.at[0].state),
		     l.list.at[0].why);
	cr_assert_eq(l.list.at[0].changed, changed);
	cr_assert(strstr(l.list.at[0].why, why), "%s", l.list.at[0].why);
	hf_patched_list_deinit(&l);
}

Test(patch_apply, there_and_back)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);

	assert_ok(apply(t, OLD, NEW));
	expect_shown(NEW);
	assert_code(apply(t, OLD, NEW), HF_REFUSED, "patched already");
	expect_state(t, false, HF_PATCHED_APPLIED, false, "");
	hf_target_close(t);
	/* By another run of the tool. */
	t = open_live(pid);
	expect_state(NULL, false, HF_PATCHED_APPLIED, false, "");
	expect_state(t, true, HF_PATCHED_REVERTED, true, "");
	expect_shown(OLD);
	assert_ok(apply(t, OLD, NEW));
	hf_target_close(t);
	end(pid);
	expect_state(NULL, true, HF_PATCHED_GONE, false, "no such process");
}

Test(patch_apply, journal_that_cannot_be_written_stops_it)
{
	pid_t pid = start(show_word, NULL);
	struct hf_target *t = open_live(pid);
	struct rlimit limit, none;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
	limit = (struct rlimit){100, none.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_code(apply(t, OLD, NEW), HF_IO, "cannot be written");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	cr_assert_eq(t->pause.stops, 0);
	expect_shown(OLD);
	assert_ok(apply(t, OLD, NEW));
	/* A full disk is no reason to leave it patched. */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_state(t, true, HF_PATCHED_REVERTED, true, "cannot be written");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	expect_shown(OLD);
	expect_state(t, false, HF_PATCHED_REVERTED, false, "");
	hf_target_close(t);
	end(pid);
}

Test(patch_apply, revert_without_leave_or_without_such_a_plan)
{
	struct hf_revert_options o = {.journal = journal};
	struct hf_patched_list l = {0};

	assert_code(hf_revert(NULL, &o, &l), HF_REFUSED, "without leave");
	o.allow_write = true;
	o.plan = "0000000000000000";
	assert_code(hf_revert(NULL, &o, &l), HF_USAGE, "no patch 0000000000000000");
	hf_patched_list_deinit(&l);
}
