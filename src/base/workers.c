#define _GNU_SOURCE
#include "workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

static unsigned worker_count;
static atomic_bool interrupted;
static struct {
	hf_progress_fn *fn;
	void *arg;
	double last;
} progress;

unsigned hf_workers(void)
{
	cpu_set_t cpus;

	if (!worker_count) {
		/* It fails where there are more processors than a cpu_set_t has bits. */
		bool many = sched_getaffinity(0, sizeof(cpus), &cpus) != 0;

		worker_count = many || CPU_COUNT(&cpus) >= 2 ? 2 : 1;
	}
	return worker_count;
}

void hf_workers_set(unsigned n)
{
	worker_count = hf_max(1u, hf_min(n, (unsigned)HF_WORKERS_MAX));
}

struct loop {
	hf_work_fn *fn;
	void *arg;
	size_t n;
	atomic_size_t next;
	_Atomic(struct hf_err *) err;
	atomic_uint workers;
};

static void *run(void *arg)
{
	struct loop *loop = arg;
	unsigned worker = atomic_fetch_add(&loop->workers, 1);

	for (;;) {
		size_t i = atomic_fetch_add(&loop->next, 1);
		struct hf_err *err, *none = NULL;

		if (i >= loop->n || atomic_load(&loop->err))
			return NULL;
		err = hf_interrupt_check();
		if (!err)
			err = loop->fn(loop->arg, i, worker);
		if (err && !atomic_compare_exchange_strong(&loop->err, &none, err))
			hf_err_destroy(err);
	}
}

struct hf_err *hf_parallel(size_t n, hf_work_fn *fn, void *arg)
{
	struct loop loop = {.fn = fn, .arg = arg, .n = n};
	pthread_t threads[HF_WORKERS_MAX];
	unsigned started = 0;
	sigset_t others, old;

	/* What a thread does to itself must reach it: blocked, such a signal ends the process without a word. */
	sigfillset(&others);
	sigdelset(&others, SIGSEGV);
	sigdelset(&others, SIGBUS);
	sigdelset(&others, SIGFPE);
	sigdelset(&others, SIGILL);
	pthread_sigmask(SIG_SETMASK, &others, &old);
	for (; started + 1 < hf_min((size_t)hf_workers(), n); started++)
		if (pthread_create(&threads[started], NULL, run, &loop))
			break; /* fewer threads do the same work */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	run(&loop);
	while (started)
		pthread_join(threads[--started], NULL);
	return atomic_load(&loop.err);
}

void hf_interrupt(void)
{
	atomic_store(&interrupted, true);
}

void hf_interrupt_clear(void)
{
	atomic_store(&interrupted, false);
}

struct hf_err *hf_interrupt_check(void)
{
	if (__builtin_expect(atomic_load_explicit(&interrupted, memory_order_relaxed), 0))
		return hf_err(HF_INTERRUPTED, "interrupted: nothing was changed");
	return NULL;
}

void hf_progress_set(hf_progress_fn *fn, void *arg)
{
	progress.fn = fn;
	progress.arg = arg;
	progress.last = 0;
}

void hf_progress(const char *stage, uint64_t done, uint64_t total)
{
	double now;

	if (!progress.fn)
		return;
	now = hf_now();
	if (done < total && now - progress.last < 0.1)
		return;
	progress.last = now;
	progress.fn(progress.arg, stage, done, total);
}

double hf_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
