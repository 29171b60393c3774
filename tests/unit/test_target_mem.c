#include "../../src/target/target.h"

#include <criterion/criterion.h>
#include <elf.h>

static uint8_t low[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static uint8_t next[16] = {17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
static uint8_t far[8] = {0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8};
static const struct hf_mem_range ranges[] = {
	{0x9000, far, sizeof(far), true},
	{0x1000, low, sizeof(low), true},
	{0x1010, next, sizeof(next), false},
	{0x5000, far, 0, false},
	{UINT64_MAX - 7, far, sizeof(far) - 1, false}, /* the last byte but one */
};

static struct hf_target *open_mem(void)
{
	struct hf_target *t = NULL;

	cr_assert_null(hf_target_open_mem(ranges, HF_LEN(ranges), &t));
	return t;
}

static enum hf_err_code code_of(struct hf_err *err, uint64_t *ret_addr)
{
	enum hf_err_code code = hf_err_code(err);

	*ret_addr = 0;
	hf_err_addr(err, ret_addr);
	cr_expect(!err || !strchr(hf_err_message(err), '\n'));
	hf_err_destroy(err);
	return code;
}

Test(target_mem, ranges_become_ordered_mappings)
{
	struct hf_target *t = open_mem();

	cr_assert_eq(t->maps.n, 4);
	cr_assert_eq(t->maps.at[0].start, 0x1000);
	cr_assert(t->maps.at[0].writable && !t->maps.at[1].writable && t->maps.at[1].readable);
	cr_assert_eq(hf_target_find_map(t, 0x101f), &t->maps.at[1]);
	cr_assert_null(hf_target_find_map(t, 0x1020));
	cr_assert_null(hf_target_find_map(t, 0xfff));
	cr_assert_null(hf_target_find_map(t, UINT64_MAX));
	hf_target_close(t);
}

Test(target_mem, reads_cross_adjacent_ranges)
{
	struct hf_target *t = open_mem();
	uint8_t buf[32];
	uint64_t v64;
	uint32_t v32;
	uint8_t v8;

	cr_assert_null(hf_target_read(t, 0x1000, buf, 32));
	cr_assert_eq(buf[15], 16);
	cr_assert_eq(buf[16], 17);
	cr_assert_null(hf_target_read_u64(t, 0x100c, &v64));
	cr_assert_eq(v64, 0x14131211100f0e0d);
	cr_assert_null(hf_target_read_u32(t, 0x1001, &v32));
	cr_assert_eq(v32, 0x05040302);
	cr_assert_null(hf_target_read_u8(t, UINT64_MAX - 1, &v8));
	cr_assert_eq(v8, 0xf9);
	cr_assert_null(hf_target_read(t, 0xdead0000, NULL, 0));
	hf_target_close(t);
}

Test(target_mem, bytes_that_are_not_there_fault_at_the_first)
{
	static const struct {
		uint64_t addr;
		size_t len;
		uint64_t at;
	} cases[] = {
		{0, 1, 0},
		{0xfff, 2, 0xfff},
		{0x1020, 1, 0x1020},
		{0x101f, 2, 0x1020},
		{0x1000, 33, 0x1020},
		{0x9007, 8, 0x9008},
		{0x5000, 1, 0x5000},
		{UINT64_MAX, 1, UINT64_MAX},
		{UINT64_MAX - 7, 8, UINT64_MAX},
		{UINT64_MAX, 2, UINT64_MAX},
	};
	struct hf_target *t = open_mem();
	struct hf_scratch scratch = {0};
	uint8_t buf[64];
	const void *p;

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		uint64_t at;

		cr_expect_eq(code_of(hf_target_read(t, cases[i].addr, buf, cases[i].len), &at), HF_FAULT);
		cr_expect_eq(at, cases[i].at, "case %zu: 0x%" PRIx64, i, at);
		cr_expect_eq(code_of(hf_target_get(t, cases[i].addr, cases[i].len, &scratch, &p), &at),
			     HF_FAULT);
	}
	hf_vec_deinit(&scratch);
	hf_target_close(t);
}

Test(target_mem, get_copies_only_what_does_not_lie_together)
{
	struct hf_target *t = open_mem();
	struct hf_scratch scratch = {0};
	const void *p;

	cr_assert_null(hf_target_get(t, 0x1004, 12, &scratch, &p));
	cr_assert_eq(p, low + 4);
	cr_assert_null(scratch.at);
	cr_assert_null(hf_target_get(t, 0x1004, 13, &scratch, &p));
	cr_assert_eq(p, scratch.at);
	cr_assert_eq(((const uint8_t *)p)[12], 17);
	cr_assert_null(hf_target_get(t, 0x1004, 0, &scratch, &p));
	cr_assert_not_null(p);
	hf_vec_deinit(&scratch);
	hf_target_close(t);
}

Test(target_mem, get_of_a_hostile_length_allocates_nothing)
{
	static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2, (size_t)1 << 40, ((size_t)1 << 30) + 1,
					 1 << 20};
	struct hf_target *t = open_mem();
	struct hf_scratch scratch = {0};
	const void *p;
	uint64_t at;

	for (size_t i = 0; i < HF_LEN(lengths); i++) {
		cr_expect_eq(code_of(hf_target_get(t, 0x1000, lengths[i], &scratch, &p), &at), HF_FAULT);
		cr_expect_eq(scratch.cap, 0);
	}
	hf_target_close(t);
}

Test(target_mem, overlapping_or_wrapping_ranges_are_usage)
{
	static const struct hf_mem_range bad[][2] = {
		{{0x1000, low, 16, false}, {0x100f, low, 16, false}},
		{{0x1000, low, 16, false}, {0x1000, low, 16, false}},
		{{0x100f, low, 16, false}, {0x1000, low, 16, false}},
		{{0x1000, low, 16, false}, {UINT64_MAX - 15, low, 16, false}},
		{{UINT64_MAX, low, 2, false}, {0x1000, low, 16, false}},
	};

	for (size_t i = 0; i < HF_LEN(bad); i++) {
		struct hf_target *t = NULL;
		uint64_t at;

		cr_expect_eq(code_of(hf_target_open_mem(bad[i], 2, &t), &at), HF_USAGE, "case %zu", i);
		cr_expect_null(t);
	}
}

Test(target_mem, acts_of_a_live_target_do_nothing)
{
	struct hf_target *t = open_mem();
	struct hf_range all = {0, UINT64_MAX};
	struct hf_map map = {.path = "/x"};
	uint64_t at;
	int fd;

	cr_assert_null(hf_target_prepare(t, &all, 1));
	cr_assert_null(hf_target_stop(t));
	cr_assert_null(hf_target_capture(t, &all, 1));
	hf_target_resume(t);
	hf_target_resume(t);
	cr_assert_eq(code_of(hf_target_open_file(t, &map, &fd), &at), HF_TARGET);
	cr_assert_eq(t->ops->resident(t, 0, UINT64_MAX), 16 + 16 + 8 + 7);
	cr_assert_eq(t->ops->resident(t, 0x100f, 2), 2);
	cr_assert_eq(t->ops->resident(t, 0x2000, 0x1000), 0);
	hf_target_close(t);
}

static void set_auxv(struct hf_target *t, const uint64_t *words, size_t bytes)
{
	t->auxv.n = 0;
	cr_assert_null(hf_vec_reserve(&t->auxv, bytes));
	memcpy(t->auxv.at, words, bytes);
	t->auxv.n = bytes;
}

Test(target_mem, auxv_entries_end_at_null_or_at_the_last_whole_one)
{
	static const uint64_t words[] = {AT_ENTRY, 0x401000, AT_PHDR, 64, AT_NULL, 0, AT_PAGESZ, 4096};
	struct hf_target *t = open_mem();
	uint64_t v = 7;

	cr_assert_not(hf_target_auxv(t, AT_ENTRY, &v));
	set_auxv(t, words, sizeof(words));
	cr_assert(hf_target_auxv(t, AT_PHDR, &v));
	cr_assert_eq(v, 64);
	cr_assert_not(hf_target_auxv(t, AT_PAGESZ, &v), "past the end");
	set_auxv(t, words, 31);
	cr_assert_not(hf_target_auxv(t, AT_PHDR, &v), "half an entry");
	cr_assert(hf_target_auxv(t, AT_ENTRY, &v));
	cr_assert_eq(v, 0x401000);
	hf_target_close(t);
}

Test(target_mem, warnings_are_kept_and_one_makes_it_incomplete)
{
	struct hf_target *t = open_mem();

	hf_target_warn(t, false, "%d of %d", 1, 2);
	cr_assert_not(t->incomplete);
	hf_target_warn(t, true, "gone");
	hf_target_warn(t, false, "later");
	cr_assert(t->incomplete);
	cr_assert_eq(t->warnings.n, 3);
	cr_assert_str_eq(t->warnings.at[0].text, "1 of 2");
	hf_alloc_fail_nth(1);
	t->incomplete = false;
	hf_target_warn(t, true, "no room for this");
	hf_alloc_fail_nth(0);
	cr_assert(t->incomplete, "what is lost for want of memory is the text alone");
	cr_assert_eq(t->warnings.n, 3);
	hf_target_close(t);
}

Test(target_mem, every_failed_allocation_is_nomem)
{
	unsigned long nth = 1;

	for (; nth < 50; nth++) {
		struct hf_target *t = NULL;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = hf_target_open_mem(ranges, HF_LEN(ranges), &t);
		hf_alloc_fail_nth(0);
		hf_target_close(t);
		if (!err)
			break;
		cr_expect_eq(hf_err_code(err), HF_NOMEM);
		cr_expect_null(t);
		hf_err_destroy(err);
	}
	cr_assert(nth > 3 && nth < 50);
}

Test(target_mem, register_sets_decode_or_are_refused)
{
	static const size_t bad[] = {0, 1, 8, 68, 215, 217, HF_ARCH_PRSTATUS};
	uint64_t words[HF_ARCH_PRSTATUS / 8];
	struct hf_regs regs;
	uint64_t at;

	for (size_t i = 0; i < HF_LEN(words); i++)
		words[i] = 100 + i;
	cr_assert_null(hf_arch_regs_decode(words, 216, &regs));
	cr_assert_eq(regs.pc, 116);
	cr_assert_eq(regs.sp, 119);
	cr_assert_eq(regs.fp, 104);
	cr_assert_eq(regs.tls, 121);
	cr_assert_eq(regs.go_g, 101);
	cr_assert_eq(regs.gprs, 16);
	cr_assert_str_eq(hf_arch_reg_name(0), "rax");
	cr_assert_eq(regs.gpr[0], 110);
	cr_assert_str_eq(hf_arch_reg_name(15), "r15");
	cr_assert_eq(regs.gpr[15], 100);
	cr_assert_str_eq(hf_arch_reg_name(16), "");
	for (size_t i = 0; i < HF_LEN(bad); i++)
		cr_expect_eq(code_of(hf_arch_regs_decode(words, bad[i], &regs), &at), HF_BADDATA);
}
