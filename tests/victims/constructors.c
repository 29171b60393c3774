/* Constructors of a C program, sound and not: each is to be run in a ghost, none is called here. Says where all of it is,
 * a line a name; then "ready"; then counts, so that one sees that it goes on. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WHOLE __attribute__((noinline, noclone, used))

struct thing {
	void *extra;
	uint64_t words[7];
};

static uint64_t counter;
static volatile uint64_t beats;
static void *kept, *registry[4];
static uint64_t *shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, open_lock = PTHREAD_MUTEX_INITIALIZER;

static WHOLE void *plain(struct thing *t)
{
	memset(t, 1, sizeof(*t));
	return t;
}

static WHOLE void *small(struct thing *t)
{
	t->extra = malloc(100);
	memset(t->extra, 2, 100);
	return t;
}

static WHOLE void *middling(struct thing *t)
{
	t->extra = malloc(100000);
	memset(t->extra, 3, 100000);
	return t;
}

static WHOLE void *mapped(struct thing *t)
{
	t->extra = malloc(1 << 20);
	memset(t->extra, 4, 1 << 20);
	return t;
}

static WHOLE void *many(struct thing *t)
{
	void **last = NULL;

	for (int i = 0; i < 20; i++) {
		void **p = calloc(3, 16);

		*p = last;
		last = p;
	}
	free(realloc(malloc(10), 2000));
	t->extra = last;
	return t;
}

static WHOLE void *aligned(struct thing *t)
{
	return posix_memalign(&t->extra, 64, 256) ? NULL : t;
}

static WHOLE void *counts(struct thing *t)
{
	counter++;
	return t;
}

static WHOLE void *registers(struct thing *t)
{
	t->extra = malloc(24);
	registry[2] = t->extra;
	return t;
}

static WHOLE void *frees(struct thing *t)
{
	free(kept);
	return t;
}

static WHOLE void *shares(struct thing *t)
{
	++*shared;
	return t;
}

static WHOLE void *writes(struct thing *t)
{
	return write(2, "side effect\n", 12) == 12 ? t : NULL;
}

static WHOLE void *spins(struct thing *t)
{
	for (volatile int i = 1; i;)
		;
	return t;
}

static WHOLE void *waits(struct thing *t)
{
	pthread_mutex_lock(&lock);
	return t;
}

static WHOLE void *locks(struct thing *t)
{
	pthread_mutex_lock(&open_lock);
	t->words[0] = (uint64_t)getpid();
	pthread_mutex_unlock(&open_lock);
	return t;
}

static WHOLE void *overruns(struct thing *t)
{
	memset(t, 5, sizeof(*t) + 8);
	return t;
}

static WHOLE void *recurses(struct thing *t)
{
	struct thing deeper = *t;

	return ++deeper.words[0] && recurses(&deeper) ? t : NULL;
}

static void say(const char *name, const void *where)
{
	printf("%s %p\n", name, where);
}

int main(void)
{
	static const struct {
		const char *name;
		void *(*fn)(struct thing *);
	} all[] = {
		{"plain", plain}, {"small", small},     {"middling", middling}, {"mapped", mapped},
		{"many", many},   {"aligned", aligned}, {"counts", counts},     {"registers", registers},
		{"frees", frees}, {"shares", shares},   {"writes", writes},     {"spins", spins},
		{"waits", waits}, {"locks", locks},     {"overruns", overruns}, {"recurses", recurses},
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	kept = malloc(48);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*shared = 1; /* it is in its own page table: else not everyone may read it */
	pthread_mutex_lock(&lock);
	pthread_mutex_lock(&open_lock);
	pthread_mutex_unlock(&open_lock);
	for (int i = 0; i < 100; i++)
		free(malloc((size_t)i * 100));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		say(all[i].name, (const void *)all[i].fn);
	say("malloc", (const void *)malloc);
	say("calloc", (const void *)calloc);
	say("realloc", (const void *)realloc);
	say("free", (const void *)free);
	say("posix_memalign", (const void *)posix_memalign);
	say("counter", &counter);
	say("beats", (const void *)&beats);
	say("registry", registry);
	say("shared", shared);
	say("kept", kept);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		beats++;
		usleep(1000);
	}
}
