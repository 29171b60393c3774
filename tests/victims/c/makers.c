/* makers: a pool, and constructors for it, sound and not; for each, what a dry run must say. None is ever called here. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct item {
	void *extra;
	const char *name;
	struct item *next;
	uint64_t n;
	char text[32];
};

struct config {
	uint64_t hits;
	void *spare;
};

struct slab {
	struct slab *next;
	size_t used, cap;
	struct item items[100];
};

struct pool {
	size_t object_size;
	void *(*ctor)(void *object);
	struct slab *slabs;
	void *free_list;
};

static struct config *config; /* on the heap */
static struct item *all;
static uint64_t made;
static __thread int made_here;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static jmp_buf back;
static volatile int zero;
static const char constant[] = "constant";

static struct item *plain(void *p)
{
	struct item *item = p;

	item->name = constant;
	return item;
}

/* Sound. */
void *makes_plain(void *p)
{
	return plain(p);
}
void *makes_first(void *p)
{
	plain(p)->n = 1;
	return p;
}
void *makes_small(void *p)
{
	plain(p)->extra = calloc(1, 40);
	return p;
}
void *makes_own(void *p)
{
	(void)p;
	return calloc(1, sizeof(struct item));
}
void *makes_nothing_lasting(void *p)
{
	void *volatile v = malloc(500);
	free(v);
	return plain(p);
}
void *makes_text(void *p)
{
	plain(p)->extra = strdup(constant);
	return p;
}
void *makes_formatted(void *p)
{
	snprintf(plain(p)->text, 32, "%d of %s", 7, constant);
	return p;
}
void *makes_aligned(void *p)
{
	return posix_memalign(&plain(p)->extra, 64, 128) ? NULL : p;
}
void *makes_grown(void *p)
{
	plain(p)->extra = realloc(realloc(NULL, 16), 200);
	return p;
}
void *sets_errno(void *p)
{
	errno = EINVAL;
	return plain(p);
}
void *leaves_garbage(void *p)
{
	plain(p)->extra = malloc(100);
	return p;
}
void *locks_and_unlocks(void *p)
{
	pthread_mutex_lock(&open_lock);
	pthread_mutex_unlock(&open_lock);
	return plain(p);
}
void *looks_at_clock(void *p)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	plain(p)->n = (uint64_t)t.tv_nsec;
	return p;
}

/* Not sound. */
void *counts(void *p)
{
	made++;
	return plain(p);
}
void *counts_in_thread(void *p)
{
	made_here++;
	return plain(p);
}
void *counts_in_heap(void *p)
{
	config->hits++;
	return plain(p);
}
void *goes_past_end(void *p)
{
	((struct item *)p)[1].n = 5;
	return plain(p);
}
void *links(void *p)
{
	plain(p)->next = all;
	all = p;
	return p;
}
void *frees_old(void *p)
{
	free(config->spare);
	return plain(p);
}
void *prints(void *p)
{
	printf("%s", constant);
	return plain(p);
}
void *rolls(void *p)
{
	plain(p)->n = (uint64_t)rand();
	return p;
}
void *keeps_old(void *p)
{
	plain(p)->extra = config;
	return p;
}
void *gives_old(void *p)
{
	(void)p;
	return config;
}
void *opens(void *p)
{
	plain(p)->n = (uint64_t)open("/dev/null", O_RDONLY);
	return p;
}
void *ends(void *p)
{
	if (p)
		exit(3);
	return p;
}
void *forks(void *p)
{
	plain(p)->n = (uint64_t)fork();
	return p;
}
void *sleeps(void *p)
{
	usleep(1000);
	return plain(p);
}
void *waits(void *p)
{
	pthread_mutex_lock(&held);
	return plain(p);
}
void *aborts(void *p)
{
	if (p)
		abort();
	return p;
}
void *asserts(void *p)
{
	assert(!p);
	return p;
}
void *divides(void *p)
{
	plain(p)->n = (uint64_t)(7 / zero);
	return p;
}
void *stores_to_constant(void *p)
{
	*(volatile char *)(uintptr_t)constant = 'C';
	return plain(p);
}
void *jumps(void *p)
{
	if (p)
		longjmp(back, 1);
	return p;
}
void *makes_big(void *p)
{
	plain(p)->extra = malloc(4096);
	return p;
}
void *makes_many(void *p)
{
	void **last = NULL;
	for (int i = 0; i < 10; i++) {
		void **v = malloc(200);
		*v = last;
		last = v;
	}
	plain(p)->extra = last;
	return p;
}
void *maps(void *p)
{
	plain(p)->extra = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p;
}
void *loops(void *p)
{
	while (!zero)
		;
	return p;
}
void *gives_null(void *p)
{
	(void)p;
	return NULL;
}
void *takes_two(void *p, int n)
{
	plain(p)->n = (uint64_t)n;
	return p;
}
void takes_and_keeps(void *p)
{
	plain(p);
}
struct item takes_whole(void *p)
{
	return *(struct item *)p;
}
int64_t gives_number(double d)
{
	return (int64_t)d;
}
static int dive(volatile char *above)
{
	volatile char here[4096];

	here[0] = above ? *above : 0;
	return dive(here) + here[0];
}
void *dives(void *p)
{
	plain(p)->n = (uint64_t)dive(NULL);
	return p;
}
static void *run(void *arg)
{
	return arg;
}
void *starts_thread(void *p)
{
	pthread_t t;
	plain(p)->n = (uint64_t)pthread_create(&t, NULL, run, NULL);
	return p;
}

struct pool g_makers = {sizeof(struct item), makes_first, NULL, NULL};

static const struct {
	void *constructor;
	const char *name, *reason;
	int bytes; /* -1: whatever */
} truths[] = {
#define TRUTH(name, reason, bytes)                                                                           \
	{                                                                                                    \
		(void *)(name), #name, reason, bytes                                                         \
	}
	TRUTH(makes_plain, "", 0),
	TRUTH(makes_small, "", 40),
	TRUTH(makes_own, "", 72),
	TRUTH(makes_nothing_lasting, "", 0),
	TRUTH(makes_text, "", 24),
	TRUTH(makes_formatted, "", 0),
	TRUTH(makes_aligned, "", -1),
	TRUTH(makes_grown, "", 200),
	TRUTH(sets_errno, "", 0),
	TRUTH(leaves_garbage, "", 104),
	TRUTH(locks_and_unlocks, "", 0),
	TRUTH(looks_at_clock, "", 0),
	TRUTH(counts, "side-effect", 0),
	TRUTH(counts_in_thread, "side-effect", 0),
	TRUTH(counts_in_heap, "side-effect", 0),
	TRUTH(goes_past_end, "side-effect", 0),
	TRUTH(links, "side-effect", 0),
	TRUTH(frees_old, "side-effect", 0),
	TRUTH(prints, "side-effect", -1),
	TRUTH(rolls, "side-effect", 0),
	TRUTH(keeps_old, "retains", 0),
	TRUTH(gives_old, "retains", 0),
	TRUTH(opens, "syscall", 0),
	TRUTH(ends, "syscall", 0),
	TRUTH(forks, "syscall", 0),
	TRUTH(starts_thread, "syscall", 0),
	TRUTH(sleeps, "blocks", 0),
	TRUTH(waits, "blocks", 0),
	TRUTH(aborts, "fault", 0),
	TRUTH(asserts, "fault", 0),
	TRUTH(divides, "fault", 0),
	TRUTH(stores_to_constant, "fault", 0),
	TRUTH(dives, "fault", 0),
	TRUTH(jumps, "forbidden-call", 0),
	TRUTH(makes_big, "allocation", 4104),
	TRUTH(makes_many, "allocation", 2000),
	TRUTH(maps, "allocation", 1 << 16),
	TRUTH(loops, "timeout", 0),
	TRUTH(gives_null, "null", 0),
	TRUTH(takes_two, "signature", -1),
	TRUTH(takes_and_keeps, "signature", -1),
	TRUTH(takes_whole, "signature", -1),
	TRUTH(gives_number, "signature", -1),
};

static void *holder(void *arg)
{
	pthread_mutex_lock(&held);
	*(volatile int *)arg = 1;
	for (;;)
		pause();
	return NULL;
}

/* What malloc gives out next is full of pointers to the heap. */
static void leave_garbage(void)
{
	void **blocks[32];

	for (int i = 0; i < 32; i++) {
		blocks[i] = malloc(100);
		for (int k = 0; k < 12; k++)
			blocks[i][k] = config;
	}
	for (int i = 0; i < 32; i++)
		free(blocks[i]);
}

int main(void)
{
	volatile int is_held = 0;
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	config = calloc(1, sizeof(*config));
	config->spare = malloc(64);
	g_makers.slabs = calloc(1, sizeof(struct slab));
	g_makers.slabs->cap = 100;
	if (setjmp(back))
		return 1;
	pthread_create(&t, NULL, holder, (void *)(uintptr_t)&is_held);
	while (!is_held)
		usleep(1000);
	leave_garbage();
	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++)
		printf("{\"truth\": \"ctor\", \"name\": \"%s\", \"verdict\": \"%s\", \"reason\": \"%s\", "
		       "\"bytes\": %d}\n",
		       truths[i].name, *truths[i].reason ? "refused" : "accepted", truths[i].reason,
		       truths[i].bytes);
	puts("{\"truth\": \"ready\"}");
	fflush(stdout);
	for (;;) {
		usleep(10000);
		if (write(2, ".", 1) < 0)
			return 0;
	}
}
