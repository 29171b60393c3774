/* Chunks of memory that is never given back: lists that lie give no promise. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>

enum { HEAD = 0x0, FIRST = 0x100, SECOND = 0x200 };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void put(uint32_t at, uint64_t v)
{
	put64(fake.meta + LISTS + at, v);
}

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	go.layout.var[GO_VAR_PERSISTENTCHUNKS] = list_addr(HEAD);
	put(HEAD, list_addr(FIRST));
}

static void teardown(void)
{
	hf_vec_deinit(&go.chunks);
	fake_heap_close(&go, target);
}

TestSuite(go_persist, .init = setup, .fini = teardown);

static bool is_persistent(void)
{
	cr_assert_null(go_persist_capture(&go));
	return go.persistent;
}

Test(go_persist, list_that_ends_is_whole)
{
	put(FIRST, list_addr(SECOND));
	cr_expect(is_persistent());
	cr_expect_eq(go.chunks.n, 0);
}

Test(go_persist, chunks_that_come_after_the_first_look_are_taken)
{
	cr_assert_null(go_persist_prepare(&go));
	cr_expect_eq(go.chunks_known, list_addr(FIRST));
	cr_expect_eq(go.chunks.n, 1);
	put(SECOND, list_addr(FIRST));
	put(HEAD, list_addr(SECOND));
	/* What was there before is not read once more: were it, this would be found. */
	put(FIRST, 0x10);
	cr_expect(is_persistent());
}

Test(go_persist, list_that_lies_is_not_whole)
{
	static const uint64_t links[] = {META_BASE + LISTS + FIRST, 0x10, META_BASE + LISTS + 4,
					 UINT64_MAX - 7, META_BASE + META_SIZE};

	for (size_t i = 0; i < HF_LEN(links); i++) {
		teardown();
		setup();
		put(FIRST, links[i]);
		cr_assert_null(go_persist_prepare(&go));
		cr_expect_eq(go.chunks_known, 0);
		cr_expect_eq(go.chunks.n, 0);
		cr_expect_not(is_persistent());
	}
}

Test(go_persist, without_a_list_there_is_no_promise)
{
	put(HEAD, 0);
	cr_expect_not(is_persistent());
	go.layout.var[GO_VAR_PERSISTENTCHUNKS] = 0x10;
	cr_expect_not(is_persistent());
	go.layout.var[GO_VAR_PERSISTENTCHUNKS] = 0;
	cr_expect_not(is_persistent());
}
