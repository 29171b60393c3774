/* What goroutines wait on, and their labels: of structures that are sound, and more that lie. */
#include "go_heap_fake.h"

#include <criterion/criterion.h>

/* Objects of 112 bytes: those of the first are the goroutines' descriptors, then come sudogs, then channels. */
enum { OBJECTS = 0x8000, SIZE = 112, SUDOGS = 10, CHANS = 30, TASKS = 6, TEXTS = 0x1c000 };

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;
static struct hf_task_waits waits;

static const char *const reasons[] = {"",
				      "chan receive",
				      "select",
				      "sync.Mutex.Lock",
				      "sleep",
				      "chan send (nil chan)",
				      "sync.Cond.Wait",
				      "select (no cases)",
				      "IO wait",
				      "semacquire"};
enum { CHAN = 1, SELECT, MUTEX, SLEEP, NIL_CHAN, COND, NO_CASES, IO, SEMA };

static uint64_t object(uint32_t i)
{
	return heap_addr(OBJECTS + i * SIZE);
}

static uint32_t block(uint32_t i)
{
	return go_find_block(&go, object(i));
}

static uint8_t *bytes(uint32_t i)
{
	return fake.heap + OBJECTS + i * SIZE;
}

/* minor: 26, where sudogs have two words for an address, or 25. */
static void open_as(int minor)
{
	fake_heap_init(&fake);
	fake_span(&fake, &(struct fake_span){OBJECTS, 1, 70, 70, SIZE, 70, 10 << 1 | 1, 0, 0});
	cr_assert(fake_heap_open(&fake, &go, &target));
	put64(fake.meta + MHEAP + go_off(&go, MHEAP_ALLSPANS) + 8, fake.spans);
	cr_assert_null(go_spans_read(&go));
	cr_assert_null(go_spans_capture(&go));
	cr_assert_null(go_spans_number(&go));
	go_layout_from_table(&go.layout, minor);
	go.wait_reasons = hf_calloc(HF_LEN(reasons), sizeof(*go.wait_reasons));
	memcpy(go.wait_reasons, reasons, sizeof(reasons));
	go.wait_reasons_n = HF_LEN(reasons);
	for (uint32_t i = 0; i < TASKS; i++)
		cr_assert_null(hf_vec_push(
			&go.goroutines,
			((struct go_goroutine){
				.addr = object(i), .id = i + 1, .status = 4, .wait_reason = SLEEP})));
}

static void close_all(void)
{
	hf_free(waits.state);
	hf_vec_deinit(&waits.wakers);
	hf_vec_deinit(&waits.own);
	waits = (struct hf_task_waits){0};
	go_goroutines_deinit(&go);
	fake_heap_close(&go, target);
}

static void setup(void)
{
	open_as(26);
}

TestSuite(go_waits, .init = setup, .fini = close_all);

static struct go_goroutine *waiter(uint32_t task, uint8_t reason, uint64_t waiting)
{
	go.goroutines.at[task].wait_reason = reason;
	go.goroutines.at[task].waiting_addr = waiting;
	return &go.goroutines.at[task];
}

static void put_sudog(uint32_t i, uint64_t g, uint64_t elem, uint64_t chan, uint64_t link)
{
	put64(bytes(i) + go_off(&go, SUDOG_G), g);
	put64(bytes(i) + go_off(&go, SUDOG_ELEM) + go.layout.sudog_value, elem);
	put64(bytes(i) + go_off(&go, SUDOG_C) + go.layout.sudog_value, chan);
	put64(bytes(i) + go_off(&go, SUDOG_WAITLINK), link);
}

/* A word of a stack. */
static void put_slot(uint32_t task, uint64_t value)
{
	struct go_raw_root root = {.value = value, .owner = task, .kind = HF_ROOT_GOROUTINE};

	cr_assert_null(hf_vec_push(&go.stack_roots, root));
}

static void find(void)
{
	hf_free(waits.state);
	waits.wakers.n = waits.own.n = 0;
	cr_assert_null(go_task_waits(&go.rt, &waits));
}

static bool waits_on(uint32_t task, uint32_t i)
{
	hf_vec_each(&waits.wakers, w)
		if (w->party == task && w->block == block(i))
			return true;
	return false;
}

static bool owns(uint32_t task, uint32_t i)
{
	hf_vec_each(&waits.own, o)
		if (o->party == task && o->block == block(i))
			return true;
	return false;
}

static size_t wakers_of(uint32_t task)
{
	size_t n = 0;

	hf_vec_each(&waits.wakers, w)
		n += w->party == task;
	return n;
}

Test(go_waits, channel_is_what_its_receiver_waits_on)
{
	waiter(0, CHAN, object(SUDOGS));
	put_sudog(SUDOGS, object(0), 0, object(CHANS) + 8, 0);
	find();
	cr_expect_eq(waits.state[0], HF_TASK_BLOCKED);
	cr_expect(waits_on(0, CHANS));
	cr_expect_eq(waits.wakers.n, 1);
	cr_expect(owns(0, 0) && owns(0, SUDOGS));
	cr_expect_eq(waits.state[1], HF_TASK_FREE);
	cr_expect(owns(1, 1));
}

Test(go_waits, all_cases_of_a_select_count)
{
	waiter(2, SELECT, object(SUDOGS));
	put_sudog(SUDOGS, object(2), 0, object(CHANS), object(SUDOGS + 1));
	put_sudog(SUDOGS + 1, object(2), 0, object(CHANS + 3), 0);
	find();
	cr_expect_eq(waits.state[2], HF_TASK_BLOCKED);
	cr_expect(waits_on(2, CHANS) && waits_on(2, CHANS + 3));
	cr_expect(owns(2, SUDOGS) && owns(2, SUDOGS + 1));
}

Test(go_waits, nothing_comes_from_nil_channels)
{
	waiter(0, NIL_CHAN, 0);
	waiter(1, NO_CASES, 0);
	waiter(2, SELECT, 0);
	find();
	for (uint32_t i = 0; i < 3; i++)
		cr_expect_eq(waits.state[i], HF_TASK_NEVER);
	cr_expect_eq(waits.wakers.n, 0);
}

Test(go_waits, who_is_woken_from_outside_is_free)
{
	for (uint8_t reason = 0; reason < 20; reason++) {
		bool blocks = reason == CHAN || reason == SELECT || reason == MUTEX || reason == COND ||
			      reason == SEMA;

		if (reason == NIL_CHAN || reason == NO_CASES)
			continue;
		waiter(0, reason, object(SUDOGS));
		put_sudog(SUDOGS, object(0), object(CHANS), object(CHANS), 0);
		find();
		cr_expect_eq(waits.state[0], blocks ? HF_TASK_BLOCKED : HF_TASK_FREE, "%u", reason);
	}
}

Test(go_waits, who_is_not_parked_is_free)
{
	put_sudog(SUDOGS, object(0), 0, object(CHANS), 0);
	for (uint32_t status = 0; status < 12; status++) {
		waiter(0, CHAN, object(SUDOGS))->status = status;
		find();
		/* 4: waiting; 10: the runtime itself has called it leaked. */
		cr_expect_eq(waits.state[0], status == 4 || status == 10 ? HF_TASK_BLOCKED : HF_TASK_FREE,
			     "%u", status);
	}
}

Test(go_waits, who_is_just_being_woken_is_free)
{
	waiter(0, CHAN, object(SUDOGS))->param = object(SUDOGS);
	put_sudog(SUDOGS, object(0), 0, object(CHANS), 0);
	waiter(1, SELECT, 0)->param = object(SUDOGS);
	find();
	cr_expect_eq(waits.state[0], HF_TASK_FREE);
	cr_expect_eq(waits.state[1], HF_TASK_FREE);
	cr_expect_eq(waits.wakers.n, 0);
}

Test(go_waits, lists_that_lie_make_no_one_blocked)
{
	const struct {
		const char *what;
		uint64_t waiting, g, chan, link;
	} rows[] = {
		{"no sudog", 0, 0, 0, 0},
		{"not mapped", 0x10, object(0), object(CHANS), 0},
		{"no address", object(SUDOGS) + 4, object(0), object(CHANS), 0},
		{"the end of the address space", UINT64_MAX - 7, object(0), object(CHANS), 0},
		{"the middle of an object", object(SUDOGS) + 8, object(0), object(CHANS), 0},
		{"an object that is too small", heap_addr(SMALL), object(0), object(CHANS), 0},
		{"another's", object(SUDOGS), object(1), object(CHANS), 0},
		{"a ring", object(SUDOGS), object(0), object(CHANS), object(SUDOGS)},
		{"leads to another's", object(SUDOGS), object(0), object(CHANS), object(CHANS)},
		{"leads nowhere", object(SUDOGS), object(0), object(CHANS), 0x123456789abcd8},
		{"a channel that is a global", object(SUDOGS), object(0), meta_addr(TYPES), 0},
		{"a channel that is not mapped", object(SUDOGS), object(0), 0x10, 0},
		{"no channel", object(SUDOGS), object(0), 0, 0},
		{"a channel that is free", object(SUDOGS), object(0), heap_addr(SMALL + 256), 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		waiter(0, CHAN, rows[i].waiting);
		put_sudog(SUDOGS, rows[i].g, 0, rows[i].chan, rows[i].link);
		find();
		cr_expect_eq(waits.state[0], HF_TASK_FREE, "%s", rows[i].what);
		cr_expect_eq(waits.wakers.n, 0, "%s", rows[i].what);
	}
}

Test(go_waits, lock_is_found_by_the_goroutine_or_by_its_frame)
{
	waiter(0, MUTEX, object(SUDOGS));
	put_sudog(SUDOGS, object(0), object(CHANS) + 20, 0, object(SUDOGS + 1)); /* others that wait for it */
	waiter(1, SEMA, 0);
	put_sudog(SUDOGS + 1, object(1), object(CHANS + 1), 0, 0);
	put_sudog(SUDOGS + 2, object(1), object(CHANS + 2), 0, 0); /* what is left of one before */
	put_slot(0, object(SUDOGS + 1));
	put_slot(1, 0x1234);
	put_slot(1, object(SUDOGS)); /* another's */
	put_slot(1, object(SUDOGS + 1));
	put_slot(1, object(SUDOGS + 2));
	put_slot(UINT32_MAX, object(SUDOGS + 1));
	find();
	cr_expect(waits_on(0, CHANS) && wakers_of(0) == 1);
	cr_expect(waits_on(1, CHANS + 1) && wakers_of(1) == 1);
	cr_expect(owns(1, SUDOGS + 1) && !owns(1, SUDOGS + 2) && !owns(0, SUDOGS + 1));
}

Test(go_waits, lock_that_is_not_known_blocks_no_one)
{
	waiter(0, MUTEX, 0);
	waiter(1, COND, 0);
	waiter(2, SEMA, object(SUDOGS));
	put_sudog(SUDOGS, object(2), 0, 0, 0); /* it has no address */
	waiter(3, MUTEX, object(SUDOGS + 1));
	put_sudog(SUDOGS + 1, object(3), meta_addr(TYPES), 0, 0); /* a global's */
	find();
	for (uint32_t i = 0; i < 4; i++)
		cr_expect_eq(waits.state[i], HF_TASK_FREE, "%u", i);
	cr_expect_eq(waits.wakers.n, 0);
}

/* Up to 1.25 a condition leads to its waiters, and their frames to it. */
static void put_condition(uint32_t i, uint64_t head)
{
	put64(bytes(i) + 32, head);
}

static void put_waiter(uint32_t task, uint32_t sudog, uint64_t next)
{
	waiter(task, COND, 0);
	put_sudog(sudog, object(task), 0, 0, 0);
	put64(bytes(sudog) + go_off(&go, SUDOG_NEXT), next);
	put_slot(task, object(sudog));
}

Test(go_waits, condition_is_found_by_its_list)
{
	close_all();
	open_as(25);
	put_condition(CHANS, object(SUDOGS));
	put_waiter(0, SUDOGS, object(SUDOGS + 1));
	put_waiter(1, SUDOGS + 1, 0);
	put_slot(0, object(CHANS + 1)); /* not it */
	put_slot(0, object(CHANS));
	put_slot(1, object(CHANS));
	find();
	cr_expect(waits_on(0, CHANS) && waits_on(1, CHANS));
	cr_expect_eq(waits.wakers.n, 2);
}

Test(go_waits, condition_whose_list_lies_ends)
{
	const struct {
		const char *what;
		uint64_t head, next, slot;
		size_t found;
	} rows[] = {
		{"a ring", object(SUDOGS), object(SUDOGS), object(CHANS), 1},
		{"not mapped", object(SUDOGS), 0x10, object(CHANS), 1},
		{"no sudog", object(CHANS), 0, object(CHANS), 0},
		{"no address", 0x3, 0, object(CHANS), 0},
		{"the middle", object(SUDOGS) + 8, 0, object(CHANS), 0},
		{"one that sleeps", object(SUDOGS + 5), 0, object(CHANS), 0},
		{"not in the frame", object(SUDOGS), 0, 0, 0},
		{"not of the heap", object(SUDOGS), 0, meta_addr(TYPES), 0},
		{"at the end of memory", object(SUDOGS), 0, heap_addr(HEAP_SIZE) - 8, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		close_all();
		open_as(25);
		put_condition(CHANS, rows[i].head);
		put_waiter(0, SUDOGS, rows[i].next);
		put_sudog(SUDOGS + 5, object(4), 0, 0, 0);
		put_slot(0, rows[i].slot);
		find();
		cr_expect_eq(waits.wakers.n, rows[i].found, "%s", rows[i].what);
		cr_expect_eq(waits.state[0], rows[i].found ? HF_TASK_BLOCKED : HF_TASK_FREE, "%s",
			     rows[i].what);
	}
}

Test(go_waits, without_the_words_channels_are_known_up_to_125)
{
	for (int minor = 25; minor <= 26; minor++) {
		close_all();
		open_as(minor);
		go.wait_reasons_n = 0;
		waiter(0, CHAN, object(SUDOGS));
		put_sudog(SUDOGS, object(0), 0, object(CHANS), 0);
		waiter(1, NO_CASES, 0);
		find();
		cr_expect_eq(waits.state[0], minor == 25 ? HF_TASK_BLOCKED : HF_TASK_FREE);
		cr_expect_eq(waits.state[1], HF_TASK_FREE);
	}
}

/* ---- labels -------------------------------------------------------------------------------------------------------- */

static uint64_t text_addr(uint32_t off)
{
	return meta_addr(TEXTS + off);
}

static void put_text(uint32_t at, const char *text, uint32_t off)
{
	memcpy(fake.meta + TEXTS + off, text, strlen(text));
	put64(fake.meta + TEXTS + at, text_addr(off));
	put64(fake.meta + TEXTS + at + 8, strlen(text));
}

/* {list} at 0, two labels at 0x100. */
static void put_list(void)
{
	put64(fake.meta + TEXTS, text_addr(0x100));
	put64(fake.meta + TEXTS + 8, 2);
	put_text(0x100, "handler", 0x400);
	put_text(0x110, "/api", 0x420);
	put_text(0x120, "tenant", 0x440);
	put_text(0x130, "", 0x460);
}

static size_t labels_of(uint32_t task)
{
	uint32_t set = go.goroutines.at[task].labels;

	return set ? go.label_sets.at[set - 1].n : 0;
}

Test(go_waits, labels_are_read_once_for_all_that_share_them)
{
	put_list();
	for (uint32_t i = 0; i < 3; i++)
		go.goroutines.at[i].labels_addr = text_addr(0);
	cr_assert_null(go_labels_read(&go));
	cr_expect_eq(go.label_sets.n, 1);
	cr_expect_eq(labels_of(0), 2);
	cr_expect_eq(labels_of(2), 2);
	cr_expect_eq(labels_of(3), 0);
	cr_expect_str_eq(go.labels.at[0].key, "handler");
	cr_expect_str_eq(go.labels.at[0].value, "/api");
	cr_expect_str_eq(go.labels.at[1].value, "");
}

Test(go_waits, labels_that_lie_are_left_out)
{
	static const struct {
		const char *what;
		uint32_t at;
		uint64_t value;
		size_t labels;
	} rows[] = {
		{"the list is not mapped", 0, 0x10, 0},
		{"the list is endless", 8, UINT64_MAX, 2}, /* what follows has no text, and no address */
		{"the list ends at once", 8, 0, 0},
		{"a key is not mapped", 0x100, 0x10, 1},
		{"a key is endless", 0x108, UINT64_MAX, 1},
		{"a value is at the end of the address space", 0x110, UINT64_MAX, 1},
		{"a value ends in what is not mapped", 0x130, META_BASE + META_SIZE, 2}, /* it is empty */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		size_t found;

		close_all();
		open_as(26);
		put_list();
		for (uint32_t k = 2; k < 16; k++)
			put64(fake.meta + TEXTS + 0x108 + k * 32, UINT64_MAX);
		put64(fake.meta + TEXTS + rows[i].at, rows[i].value);
		go.goroutines.at[0].labels_addr = text_addr(0);
		cr_assert_null(go_labels_read(&go));
		found = labels_of(0);
		cr_expect_eq(found, rows[i].labels, "%s: %zu", rows[i].what, found);
	}
	close_all();
	open_as(26);
	go.goroutines.at[0].labels_addr = 0x10;
	go.goroutines.at[1].labels_addr = UINT64_MAX;
	cr_assert_null(go_labels_read(&go));
	cr_expect_eq(labels_of(0) + labels_of(1), 0);
}

/* A map up to 1.23: a pointer to it at 0, the map at 0x40, its bucket at 0x800, the old ones at 0xa00. */
static void put_map(uint8_t b, uint64_t buckets, uint64_t old)
{
	uint8_t *map = fake.meta + TEXTS + 0x40;

	put64(fake.meta + TEXTS, text_addr(0x40));
	map[go_off(&go, HMAP_B)] = b;
	put64(map + go_off(&go, HMAP_BUCKETS), buckets);
	put64(map + go_off(&go, HMAP_OLDBUCKETS), old);
	fake.meta[TEXTS + 0x800] = 77; /* the first cell is full */
	put_text(0x800 + 8, "handler", 0x400);
	put_text(0x800 + 136, "/api", 0x420);
	fake.meta[TEXTS + 0xa00 + 1] = 77; /* of the old ones the second; the first has moved */
	fake.meta[TEXTS + 0xa00] = 2;
	put_text(0xa00 + 8 + 16, "tenant", 0x440);
	put_text(0xa00 + 136 + 16, "t1", 0x460);
}

Test(go_waits, labels_of_old_releases_are_a_map)
{
	static const struct {
		uint8_t b;
		uint64_t buckets, old;
		size_t labels;
	} rows[] = {
		{0, META_BASE + TEXTS + 0x800, 0, 1},
		{1, META_BASE + TEXTS + 0x800, META_BASE + TEXTS + 0xa00, 2},
		{0, 0, 0, 0},
		{0, 0x10, 0, 0},
		{5, META_BASE + TEXTS + 0x800, 0, 0}, /* too large for labels */
		{255, META_BASE + TEXTS + 0x800, 0, 0},
		{4, META_BASE + META_SIZE - 272, 0, 0}, /* the second is not mapped */
		{1, UINT64_MAX - 15, UINT64_MAX - 15, 0},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		close_all();
		open_as(23);
		put_map(rows[i].b, rows[i].buckets, rows[i].old);
		go.goroutines.at[0].labels_addr = text_addr(0);
		cr_assert_null(go_labels_read(&go));
		cr_expect_eq(labels_of(0), rows[i].labels, "%zu: %zu", i, labels_of(0));
	}
}

Test(go_waits, each_failed_allocation_is_an_error)
{
	unsigned long failures = 0;

	put_list();
	go.goroutines.at[0].labels_addr = text_addr(0);
	waiter(0, CHAN, object(SUDOGS));
	put_sudog(SUDOGS, object(0), 0, object(CHANS), 0);
	for (unsigned long nth = 1; nth < 30; nth++) {
		struct hf_task_waits w = {0};
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = go_task_waits(&go.rt, &w);
		hf_alloc_fail_nth(0);
		failures += err != NULL;
		cr_expect(!err || hf_err_code(err) == HF_NOMEM);
		hf_err_destroy(err);
		hf_free(w.state);
		hf_vec_deinit(&w.wakers);
		hf_vec_deinit(&w.own);
	}
	cr_expect_gt(failures, 3);
}
