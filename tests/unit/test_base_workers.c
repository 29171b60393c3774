#define _GNU_SOURCE
#include "../../src/base/workers.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { ITEMS = 10000 };

struct tally {
	atomic_uint times[ITEMS];
	atomic_uint workers[HF_WORKERS_MAX];
	atomic_size_t done;
	size_t fail_at;
};

static struct hf_err *count(void *arg, size_t i, unsigned worker)
{
	struct tally *tally = arg;

	atomic_fetch_add(&tally->times[i], 1);
	atomic_fetch_add(&tally->workers[worker], 1);
	atomic_fetch_add(&tally->done, 1);
	if (tally->fail_at && i >= tally->fail_at)
		return hf_err(HF_BADDATA, "item %zu", i);
	return NULL;
}

Test(workers, count_stays_within_bounds)
{
	cpu_set_t cpus;

	cr_expect(hf_workers() >= 1 && hf_workers() <= 2);
	hf_workers_set(0);
	cr_expect_eq(hf_workers(), 1);
	hf_workers_set(1000000);
	cr_expect_eq(hf_workers(), HF_WORKERS_MAX);
	cr_assert_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	cr_expect_geq(CPU_COUNT(&cpus), 1);
}

Test(workers, each_item_is_handled_once)
{
	for (unsigned threads = 1; threads <= HF_WORKERS_MAX; threads++) {
		static struct tally tally;

		memset(&tally, 0, sizeof(tally));
		hf_workers_set(threads);
		cr_assert_null(hf_parallel(ITEMS, count, &tally));
		for (size_t i = 0; i < ITEMS; i++)
			cr_assert_eq(tally.times[i], 1, "item %zu", i);
		for (unsigned w = threads; w < HF_WORKERS_MAX; w++)
			cr_expect_eq(tally.workers[w], 0, "worker %u of %u", w, threads);
	}
}

Test(workers, no_items_are_no_work)
{
	struct tally *tally = hf_calloc(1, sizeof(*tally));

	cr_expect_null(hf_parallel(0, count, tally));
	cr_expect_eq(tally->done, 0);
	hf_free(tally);
}

Test(workers, error_ends_the_loop_and_is_returned)
{
	static struct tally tally;

	for (unsigned threads = 1; threads <= HF_WORKERS_MAX; threads += 3) {
		struct hf_err *err;

		memset(&tally, 0, sizeof(tally));
		tally.fail_at = 100;
		hf_workers_set(threads);
		err = hf_parallel(ITEMS, count, &tally);
		cr_expect_eq(hf_err_code(err), HF_BADDATA);
		cr_expect_leq(tally.done, 100 + 2 * HF_WORKERS_MAX, "%zu items were begun", tally.done);
		hf_err_destroy(err);
	}
}

Test(workers, interrupt_begins_no_further_item)
{
	static struct tally tally;
	struct hf_err *err;

	hf_interrupt();
	err = hf_parallel(ITEMS, count, &tally);
	cr_expect_eq(hf_err_code(err), HF_INTERRUPTED);
	cr_expect_eq(tally.done, 0);
	hf_err_destroy(err);
	cr_expect(hf_err_ignore(hf_interrupt_check()));
	hf_interrupt_clear();
	cr_expect_null(hf_interrupt_check());
	cr_expect_null(hf_parallel(ITEMS, count, &tally));
}

static struct hf_err *interrupt_at_ten(void *arg, size_t i, unsigned worker)
{
	(void)worker;
	atomic_fetch_add((atomic_size_t *)arg, 1);
	if (i == 10)
		raise(SIGUSR1);
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
	hf_interrupt();
}

Test(workers, interrupt_from_a_signal_handler_ends_the_loop)
{
	struct sigaction action = {.sa_handler = on_signal};
	atomic_size_t done = 0;
	struct hf_err *err;

	sigaction(SIGUSR1, &action, NULL);
	hf_workers_set(1); /* others have their signals blocked */
	err = hf_parallel(ITEMS, interrupt_at_ten, &done);
	cr_expect_eq(hf_err_code(err), HF_INTERRUPTED);
	cr_expect_eq(done, 11);
	hf_err_destroy(err);
}

struct masks {
	pthread_t caller;
	atomic_uint wrong, other_threads;
};

/* The caller may have any mask; helpers take no signal but those that a thread does to itself. */
static struct hf_err *look_at_mask(void *arg, size_t i, unsigned worker)
{
	struct masks *masks = arg;
	sigset_t now;

	(void)i;
	(void)worker;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	if (pthread_equal(pthread_self(), masks->caller)) {
		/* Leave items to the others. */
		while (!atomic_load(&masks->other_threads))
			sched_yield();
		atomic_fetch_add(&masks->wrong, sigismember(&now, SIGTERM) != 0);
		return NULL;
	}
	atomic_fetch_add(&masks->wrong, !sigismember(&now, SIGTERM) || !sigismember(&now, SIGCHLD));
	atomic_fetch_add(&masks->wrong, sigismember(&now, SIGSEGV) || sigismember(&now, SIGBUS));
	atomic_fetch_add(&masks->other_threads, 1);
	return NULL;
}

Test(workers, signals_go_to_the_caller, .timeout = 60)
{
	struct masks masks = {.caller = pthread_self()};

	hf_workers_set(2);
	cr_assert_null(hf_parallel(1000, look_at_mask, &masks));
	cr_expect_eq(masks.wrong, 0);
	cr_expect_gt(masks.other_threads, 0);
}

struct reports {
	unsigned n;
	uint64_t last_done;
	const char *last_stage;
};

static void report(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	struct reports *reports = arg;

	cr_expect_leq(done, total);
	reports->n++;
	reports->last_done = done;
	reports->last_stage = stage;
}

Test(progress, is_told_rarely_but_its_end_always)
{
	struct reports reports = {0};
	double start = hf_now();

	hf_progress("unheard", 1, 2);
	hf_progress_set(report, &reports);
	for (uint64_t i = 0; i < 100000; i++)
		hf_progress("reading", i, 100000);
	cr_expect_leq(reports.n, 2 + 10 * (hf_now() - start));
	cr_expect_geq(reports.n, 1);
	hf_progress("reading", 100000, 100000);
	cr_expect_eq(reports.last_done, 100000);
	hf_progress("marking", 1, 1);
	cr_expect_str_eq(reports.last_stage, "marking");
	hf_progress_set(NULL, NULL);
	hf_progress("unheard", 1, 1);
	cr_expect_str_eq(reports.last_stage, "marking");
}

Test(progress, clock_goes_forward)
{
	double last = hf_now();

	for (int i = 0; i < 1000; i++) {
		double now = hf_now();

		cr_assert_geq(now, last);
		last = now;
	}
}
