/* patched: pools whose constructors are replaced while two threads use them. Every 10 ms it says what the pool gave it;
 * an object that no constructor made whole ends it. The other slots are places where nothing may be written. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct item {
	const char *from;
	void *extra;
	uint64_t check;
};

struct pool {
	void *(*ctor)(void *object);
	unsigned long made;
};

static const char wasteful[] = "wasteful", frugal[] = "frugal";

void *ctor_wasteful(void *p);
void *ctor_frugal(void *p);

static void *made(struct item *item, const char *from, void *extra)
{
	*item = (struct item){from, extra, (uintptr_t)from ^ (uintptr_t)extra};
	return item;
}

void *ctor_wasteful(void *p)
{
	return made(p, wasteful, malloc(4096));
}

void *ctor_frugal(void *p)
{
	return made(p, frugal, NULL);
}

struct pool g_pool = {ctor_wasteful, 0};
static struct pool *in_shared, *in_heap;
static struct pool *in_sealed; /* read-only by now */

static const char *use(struct pool *pool)
{
	struct item item = {0};
	const char *from;

	((struct pool volatile *)pool)->ctor(&item);
	from = item.from;
	if ((from != wasteful && from != frugal && strcmp(from, "loaded") != 0) ||
	    item.check != ((uintptr_t)from ^ (uintptr_t)item.extra))
		abort();
	free(item.extra);
	return from;
}

static void *work(void *arg)
{
	for (;;)
		use(arg);
	return NULL;
}

static void *pages(int flags)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		abort();
	*(struct pool *)p = g_pool;
	return p;
}

static void say(const char *name, const void *at)
{
	printf("{\"truth\":\"place\",\"name\":\"%s\",\"addr\":\"0x%lx\"}\n", name,
	       (unsigned long)(uintptr_t)at);
}

int main(int argc, char **argv)
{
	pthread_t threads[2];

	setvbuf(stdout, NULL, _IOLBF, 4096);
	in_shared = pages(MAP_SHARED);
	in_sealed = pages(MAP_PRIVATE);
	mprotect(in_sealed, 4096, PROT_READ);
	in_heap = malloc(sizeof(*in_heap));
	*in_heap = g_pool;
	if (argc > 1 && !strcmp(argv[1], "undumpable"))
		prctl(PR_SET_DUMPABLE, 0);
	say("slot", &g_pool.ctor);
	say("heap", &in_heap->ctor);
	say("shared", &in_shared->ctor);
	say("sealed", &in_sealed->ctor);
	say("ctor_wasteful", (void *)ctor_wasteful);
	say("ctor_frugal", (void *)ctor_frugal);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, work, &g_pool);
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", (int)getpid());
	for (;;) {
		printf("{\"truth\":\"got\",\"from\":\"%s\"}\n", use(&g_pool));
		fprintf(stderr, ".");
		usleep(10000);
	}
}
