#include "../../src/target/target.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/user.h>
#include <unistd.h>

#define BASE  UINT64_C(0x10000000)
#define PAGES 1024u

static struct user_regs_struct regs = {.rip = 0x1234, .rsp = 0x5678, .r14 = 0x9abc};

/* A debugger: every byte of page i of the mapping at BASE is i; page `bad` cannot be read. */
struct debugger {
	uint64_t bad;
	unsigned asked;
	size_t largest;
};

static bool read_page(void *arg, uint64_t addr, void *buf, size_t len)
{
	struct debugger *d = arg;

	d->asked++;
	d->largest = hf_max(d->largest, len);
	cr_expect(addr % HF_ARCH_PAGE == 0 && len && len % HF_ARCH_PAGE == 0);
	cr_expect(addr >= BASE && addr + len <= BASE + PAGES * HF_ARCH_PAGE);
	for (uint64_t at = addr; at < addr + len; at += HF_ARCH_PAGE) {
		uint64_t page = (at - BASE) / HF_ARCH_PAGE;

		if (page == d->bad)
			return false;
		memset((uint8_t *)buf + (at - addr), (int)(page & 0xff), HF_ARCH_PAGE);
	}
	return true;
}

static const char maps[] = "10000000-10400000 rw-p 00000000 00:00 0\n"
			   "10500000-10600000 ---p 00000000 00:00 0\n"
			   "10600000-10700000 rw-s 00000000 00:05 9 /dev/gpu\n";

static struct hf_err *open_with(struct debugger *d, const char *text, size_t regs_len, struct hf_target **ret)
{
	struct hf_host_thread thread = {.tid = 7, .regs = &regs, .regs_len = regs_len};
	struct hf_host host = {.size = sizeof(host),
			       .pid = 7,
			       .threads = &thread,
			       .threads_n = 1,
			       .name = "far\033away",
			       .maps = text,
			       .read = d ? read_page : NULL,
			       .arg = d};

	return hf_target_open_host(&host, ret);
}

static struct hf_target *open_far(struct debugger *d)
{
	struct hf_target *t = NULL;

	cr_assert_null(open_with(d, maps, sizeof(regs), &t));
	return t;
}

static enum hf_err_code code_of(struct hf_err *err)
{
	enum hf_err_code code = hf_err_code(err);

	cr_expect(!err || !strchr(hf_err_message(err), '\n'));
	hf_err_destroy(err);
	return code;
}

Test(host, registers_and_name_are_the_debuggers)
{
	struct debugger d = {.bad = UINT64_MAX};
	struct hf_target *t = open_far(&d);

	cr_assert_eq(t->threads.n, 1);
	cr_expect_eq(t->threads.at[0].regs.pc, 0x1234);
	cr_expect_eq(t->threads.at[0].regs.sp, 0x5678);
	cr_expect_eq(t->threads.at[0].regs.go_g, 0x9abc);
	cr_expect_eq(t->threads.at[0].state, HF_THREAD_STOPPED);
	cr_expect(strstr(t->label, "process 7 (far") && !strchr(t->label, '\033'), "%s", t->label);
	cr_expect_eq(d.asked, 0, "memory is read before it is needed");
	hf_target_close(t);
}

Test(host, capture_reads_in_large_pieces_and_once)
{
	struct debugger d = {.bad = UINT64_MAX};
	struct hf_target *t = open_far(&d);
	struct hf_range all = {0, UINT64_MAX};
	unsigned asked;
	uint8_t byte;

	cr_assert_null(hf_target_stop(t));
	cr_assert_null(hf_target_capture(t, &all, 1));
	cr_expect_eq(d.largest, 1u << 20);
	cr_expect_leq(d.asked, PAGES * HF_ARCH_PAGE / (1u << 20) + 1);
	asked = d.asked;
	for (unsigned page = 0; page < PAGES; page++) {
		cr_assert_null(hf_target_read_u8(t, BASE + page * HF_ARCH_PAGE + 5, &byte));
		cr_assert_eq(byte, page & 0xff);
	}
	cr_expect_eq(d.asked, asked, "what was captured is read again");
	cr_expect_not(t->incomplete);
	cr_expect_not_null(hf_target_view(t, BASE + 10, 3 * HF_ARCH_PAGE));
	hf_target_close(t);
}

Test(host, pages_that_cannot_be_read_cost_no_others)
{
	const uint64_t rows[] = {0, 1, 255, 256, 700, PAGES - 1};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct debugger d = {.bad = rows[i]};
		struct hf_target *t = open_far(&d);
		struct hf_range all = {0, UINT64_MAX};
		uint8_t byte;

		cr_assert_null(hf_target_stop(t));
		cr_assert_null(hf_target_capture(t, &all, 1));
		cr_expect(t->incomplete && t->warnings.n == 1);
		cr_expect_leq(d.asked, 200);
		for (unsigned page = 0; page < PAGES; page++) {
			struct hf_err *err = hf_target_read_u8(t, BASE + page * HF_ARCH_PAGE, &byte);

			cr_expect_eq(code_of(err), page == rows[i] ? HF_FAULT : HF_OK, "page %u", page);
		}
		hf_target_close(t);
	}
}

Test(host, what_is_not_mapped_or_a_devices_is_never_asked)
{
	const uint64_t rows[] = {0,          BASE - 1,   BASE + PAGES * HF_ARCH_PAGE,
				 0x10500000, 0x10600000, UINT64_MAX};
	struct debugger d = {.bad = UINT64_MAX};
	struct hf_target *t = open_far(&d);
	uint8_t byte, both[2];

	for (size_t i = 0; i < HF_LEN(rows); i++)
		cr_expect_eq(code_of(hf_target_read_u8(t, rows[i], &byte)), HF_FAULT, "%" PRIx64, rows[i]);
	cr_expect_eq(d.asked, 0);
	cr_expect_eq(code_of(hf_target_read(t, BASE + PAGES * HF_ARCH_PAGE - 1, both, 2)), HF_FAULT);
	hf_target_close(t);
}

Test(host, what_a_debugger_says_wrongly_is_refused)
{
	struct debugger d = {.bad = UINT64_MAX};
	struct hf_target *t = NULL;

	cr_expect_eq(code_of(open_with(NULL, maps, sizeof(regs), &t)), HF_USAGE);
	cr_expect_eq(code_of(open_with(&d, NULL, sizeof(regs), &t)), HF_USAGE);
	cr_expect_eq(code_of(open_with(&d, "", sizeof(regs), &t)), HF_TARGET);
	cr_expect_eq(code_of(open_with(&d, "no mapping\n", sizeof(regs), &t)), HF_BADDATA);
	cr_expect_eq(code_of(open_with(&d, "2000-1000 rw-p 0 00:00 0\n", sizeof(regs), &t)), HF_BADDATA);
	cr_expect_eq(code_of(open_with(&d, "1000-3000 rw-p 0 00:00 0\n2000-4000 rw-p 0 00:00 0\n",
				       sizeof(regs), &t)),
		     HF_BADDATA);
	cr_expect_eq(code_of(open_with(&d, maps, sizeof(regs) - 8, &t)), HF_BADDATA);
	cr_expect_eq(code_of(open_with(&d, maps, 0, &t)), HF_BADDATA);
	cr_expect_null(t);
}

Test(host, a_process_that_no_debugger_holds_is_refused)
{
	struct hf_host host = {.size = sizeof(host), .local = true};
	struct hf_target *t = NULL;
	const int rows[] = {getpid(), getppid(), 0, -1};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		host.pid = rows[i];
		cr_expect_eq(code_of(hf_target_open_host(&host, &t)), HF_TARGET, "%d", rows[i]);
	}
	cr_expect_null(t);
}
