/* Variables of modules: ranges and masks that lie, or cannot be read. */
#include "../../src/runtime/go/go.h"

#include <criterion/criterion.h>

#define BASE  0x100000u
#define MASK  (BASE + 0x800)
#define END   (BASE + 0x1000)
#define WORDS 0x80u /* from 8 * its number on */

static uint64_t memory[0x200];
static struct hf_target *target;
static struct go go;

static void set_up(void)
{
	struct hf_mem_range range = {BASE, memory, sizeof(memory), true};

	for (uint64_t i = 0; i < WORDS; i++)
		memory[i] = i;
	memset((uint8_t *)memory + 0x800, 0x05, 0x800);
	cr_assert_null(hf_target_open_mem(&range, 1, &target));
	go = (struct go){.t = target};
}

static void tear_down(void)
{
	hf_vec_deinit(&go.modules);
	hf_target_close(target);
}

TestSuite(go_sections, .init = set_up, .fini = tear_down);

struct seen {
	unsigned sections, pointers;
	uint64_t words, sum;
	bool unreadable;
	unsigned fail_at; /* the section, from 1 on; 0: none */
};

static struct hf_err *look(void *arg, const struct go_section *s)
{
	struct seen *seen = arg;

	seen->unreadable = seen->unreadable || !s->words;
	seen->words += s->n;
	for (uint64_t i = 0; i < s->n + 64; i++) {
		seen->pointers += go_section_has(s, i);
		seen->sum += go_section_has(s, i) ? go_section_word(s, i) : 0;
	}
	return ++seen->sections == seen->fail_at ? hf_err(HF_BADDATA, "told to") : NULL;
}

static struct hf_err *look_at(const struct go_module *m, struct seen *seen)
{
	cr_assert_null(hf_vec_push(&go.modules, *m));
	return go_each_section(&go, look, seen);
}

Test(go_sections, words_that_the_mask_marks_are_pointers)
{
	struct seen seen = {0};
	struct go_module m = {.data = BASE,
			      .edata = BASE + 10 * 8,
			      .datamask = MASK,
			      .datamask_n = 10,
			      .bss = BASE + 16 * 8,
			      .ebss = BASE + 17 * 8,
			      .bssmask = MASK,
			      .bssmask_n = 1};

	cr_assert_null(look_at(&m, &seen));
	cr_expect_eq(seen.sections, 2);
	cr_expect_eq(seen.words, 11);
	cr_expect_eq(seen.pointers, 4);
	cr_expect_eq(seen.sum, 0 + 2 + 8 + 16, "word 10 is marked, but is behind the end");
	cr_expect_not(seen.unreadable);
}

Test(go_sections, ranges_that_lie_are_cut_left_out_or_unreadable)
{
	static const struct {
		const char *what;
		uint64_t start, end, mask;
		uint32_t bits;
		unsigned sections;
		uint64_t words;
		bool unreadable;
	} rows[] = {
		{"empty", BASE, BASE, MASK, 8, 0, 0, false},
		{"ends before it starts", BASE + 64, BASE, MASK, 8, 0, 0, false},
		{"from the end of memory to its start", UINT64_MAX, 0, MASK, 8, 0, 0, false},
		{"less than a word", BASE, BASE + 7, MASK, 8, 0, 0, false},
		{"a mask of no bits", BASE, BASE + 64, MASK, 0, 0, 0, false},
		{"a mask that goes on", BASE, BASE + 64, MASK, UINT32_MAX, 1, 8, false},
		{"a mask that ends before", BASE, BASE + 64, MASK, 3, 1, 3, false},
		{"half a word at the end", BASE, BASE + 63, MASK, 8, 1, 7, false},
		{"words that are not there", END, END + 64, MASK, 8, 1, 0, true},
		{"words that end too early", END - 64, END + 8, MASK, 9, 1, 0, true},
		{"no mask", BASE, BASE + 64, 0, 8, 1, 0, true},
		{"a mask that ends too early", BASE, BASE + 128, END - 1, 16, 1, 0, true},
		{"all of memory", 0, UINT64_MAX, MASK, UINT32_MAX, 1, 0, true},
		{"a mask at the end of memory", BASE, BASE + 64, UINT64_MAX, 8, 1, 0, true},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct seen data = {0}, bss = {0};

		cr_assert_null(look_at(&(struct go_module){.data = rows[i].start,
							   .edata = rows[i].end,
							   .datamask = rows[i].mask,
							   .datamask_n = rows[i].bits},
				       &data));
		go.modules.n = 0;
		cr_assert_null(look_at(&(struct go_module){.bss = rows[i].start,
							   .ebss = rows[i].end,
							   .bssmask = rows[i].mask,
							   .bssmask_n = rows[i].bits},
				       &bss));
		go.modules.n = 0;
		cr_expect_eq(data.sections, rows[i].sections, "%s", rows[i].what);
		cr_expect_eq(data.words, rows[i].words, "%s: %" PRIu64, rows[i].what, data.words);
		cr_expect_eq(data.unreadable, rows[i].unreadable, "%s", rows[i].what);
		cr_expect(!memcmp(&data, &bss, sizeof(data)), "%s: as data and as bss", rows[i].what);
	}
}

Test(go_sections, what_cannot_be_read_does_not_hide_the_rest)
{
	struct seen seen = {0};
	struct go_module lost = {.data = END, .edata = END + 64, .datamask = MASK, .datamask_n = 8},
			 sound = {.bss = BASE, .ebss = BASE + 64, .bssmask = MASK, .bssmask_n = 8};

	cr_assert_null(hf_vec_push(&go.modules, lost));
	cr_assert_null(look_at(&sound, &seen));
	cr_expect(seen.unreadable);
	cr_expect_eq(seen.words, 8);
}

Test(go_sections, error_ends_the_walk)
{
	struct seen seen = {.fail_at = 1};
	struct go_module m = {.data = BASE,
			      .edata = BASE + 64,
			      .datamask = MASK,
			      .datamask_n = 8,
			      .bss = BASE,
			      .ebss = BASE + 64,
			      .bssmask = MASK,
			      .bssmask_n = 8};
	struct hf_err *err = look_at(&m, &seen);

	cr_expect_eq(hf_err_code(err), HF_BADDATA);
	hf_err_destroy(err);
	cr_expect_eq(seen.sections, 1);
}
