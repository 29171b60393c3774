/* ctors: a program with a pool of its own, a slab's list and a free list, and constructors to put into it: each says, in its
 * `ctor` line, what a dry run must make of it. Every 10 ms it says what the pool gave it. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

struct packet {
	const char *from;
	void *body, *next;
	uint64_t words[5];
};

struct slab {
	struct slab *next;
	size_t used, room;
	char slots[];
};

struct pool {
	size_t size;
	struct slab *slabs;
	void *idle;
	void *(*make)(void *object);
	unsigned long out;
};

static uint64_t made_count;
static __thread uint64_t made_here;
static uint64_t *shared;
void *last_made; /* not static: a store to what nobody reads would be left out */
static void *old_body;
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER, open_lock = PTHREAD_MUTEX_INITIALIZER;
static const char constant[] = "constant";

static struct packet *made(void *p, const char *from)
{
	struct packet *packet = memset(p, 0, sizeof(*packet));

	packet->from = from;
	return packet;
}

static void *with(void *p, const char *from, void *body)
{
	struct packet *packet = made(p, from);

	packet->body = body;
	return packet;
}

void *make_hoarding(void *p)
{
	return with(p, "hoarding", malloc(128 << 10));
}
void *make_plain(void *p)
{
	return made(p, "plain");
}
void *make_some(void *p)
{
	return with(p, "some", calloc(10, 50));
}
void *make_grown(void *p)
{
	return with(p, "grown", realloc(malloc(16), 400));
}
void *make_and_free(void *p)
{
	free(malloc(100000));
	return made(p, "freed");
}
void *make_copy(void *p)
{
	return with(p, "copy", strdup(constant));
}
void *make_locked(void *p)
{
	pthread_mutex_lock(&open_lock);
	pthread_mutex_unlock(&open_lock);
	return made(p, "locked");
}
void *make_timed(void *p)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	made(p, "timed")->words[0] = (uint64_t)t.tv_sec;
	return p;
}
void *make_counting(void *p)
{
	made_count++;
	return made(p, "counting");
}
void *make_thread_counting(void *p)
{
	made_here++;
	return made(p, "thread-counting");
}
void *make_sharing(void *p)
{
	++*shared;
	return made(p, "sharing");
}
void *make_listed(void *p)
{
	last_made = p;
	return made(p, "listed");
}
void *make_keeping(void *p)
{
	return with(p, "keeping", old_body);
}
void *make_old(void *p)
{
	(void)p;
	return old_body;
}
void *make_talking(void *p)
{
	return write(2, "", 0) ? NULL : made(p, "talking");
}
void *make_sleeping(void *p)
{
	usleep(1);
	return made(p, "sleeping");
}
void *make_waiting(void *p)
{
	pthread_mutex_lock(&taken);
	return made(p, "waiting");
}
void *make_large(void *p)
{
	return with(p, "large", malloc(4096));
}
void *make_many(void *p)
{
	struct packet *q = made(p, "many");
	for (int i = 0; i < 100; i++) {
		void **b = malloc(64);
		*b = q->body;
		q->body = b;
	}
	return q;
}
void *make_endless(void *p)
{
	for (volatile int i = 1; i;)
		;
	return p;
}
void *make_deep(void *p)
{
	volatile char pad[256];
	pad[0] = 0;
	return (uintptr_t)p == 1 ? p : (void *)((uintptr_t)make_deep(p) + (uintptr_t)pad[0]);
}
void *make_broken(void *p)
{
	*(volatile int *)16 = 1;
	return p;
}
void *make_divided(void *p)
{
	volatile int zero = 0;
	made(p, "divided")->words[0] = (uint64_t)(7 / zero);
	return p;
}
void *make_abort(void *p)
{
	if (p)
		abort();
	return p;
}
void *make_into_code(void *p)
{
	*(volatile char *)(uintptr_t)make_plain = 0;
	return p;
}
void *make_none(void *p)
{
	(void)p;
	return NULL;
}
long make_number(double d)
{
	return (long)d;
}
void *make_of_two(void *p, int n)
{
	(void)n;
	return p;
}
void make_nothing(void *p)
{
	made(p, "nothing");
}

static struct pool g_packets = {sizeof(struct packet), NULL, NULL, make_hoarding, 0};

static const struct ctor {
	const char *name;
	void *code;
	const char *reason;
} ctors[] = {
#define CTOR(name, reason)                                                                                   \
	{                                                                                                    \
#name, (void *)name, reason                                                                  \
	}
	CTOR(make_plain, ""),
	CTOR(make_some, ""),
	CTOR(make_grown, ""),
	CTOR(make_and_free, ""),
	CTOR(make_copy, ""),
	CTOR(make_locked, ""),
	CTOR(make_timed, ""),
	CTOR(make_counting, "side-effect"),
	CTOR(make_thread_counting, "side-effect"),
	CTOR(make_sharing, "side-effect"),
	CTOR(make_listed, "side-effect"),
	CTOR(make_keeping, "retains"),
	CTOR(make_old, "retains"),
	CTOR(make_talking, "syscall"),
	CTOR(make_sleeping, "blocks"),
	CTOR(make_waiting, "blocks"),
	CTOR(make_large, "allocation"),
	CTOR(make_many, "allocation"),
	CTOR(make_endless, "timeout"),
	CTOR(make_deep, "fault"),
	CTOR(make_broken, "fault"),
	CTOR(make_divided, "fault"),
	CTOR(make_abort, "fault"),
	CTOR(make_into_code, "fault"),
	CTOR(make_none, "null"),
	CTOR(make_number, "signature"),
	CTOR(make_of_two, "signature"),
	CTOR(make_nothing, "signature"),
};

static void *take(struct pool *p)
{
	void *object = p->idle;

	if (object) {
		memcpy(&p->idle, object, sizeof(p->idle));
	} else {
		if (!p->slabs || p->slabs->used == p->slabs->room) {
			struct slab *s = malloc(sizeof(*s) + 100 * p->size);

			*s = (struct slab){p->slabs, 0, 100};
			p->slabs = s;
		}
		object = p->slabs->slots + p->size * p->slabs->used++;
	}
	p->out++;
	return ((struct pool volatile *)p)->make(object);
}

static void give(struct pool *p, void *object)
{
	struct packet *packet = object;

	free(packet->body);
	p->out--;
	memcpy(object, &p->idle, sizeof(p->idle));
	p->idle = object;
}

static void *holder(void *arg)
{
	pthread_mutex_lock(&taken);
	for (;;)
		pause();
	return arg;
}

static void *beat(void *arg)
{
	for (;;) {
		usleep(20000);
		if (write(2, ".", 1) != 1)
			return arg;
	}
}

int main(void)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	old_body = malloc(64);
	pthread_create(&t, NULL, holder, NULL);
	pthread_create(&t, NULL, beat, NULL);
	for (int i = 0; i < 1000; i++) {
		struct packet *p = take(&g_packets);

		if (i % 4 == 0)
			give(&g_packets, p);
	}
	usleep(50000); /* until the lock is taken */
	printf("{\"truth\":\"pool\",\"name\":\"packets\",\"address\":\"%p\",\"constructor\":\"make_"
	       "hoarding\",\"items\":%lu}\n",
	       (void *)&g_packets, g_packets.out);
	for (unsigned i = 0; i < sizeof(ctors) / sizeof(*ctors); i++)
		printf("{\"truth\":\"ctor\",\"pool\":\"packets\",\"name\":\"%s\",\"verdict\":\"%s\","
		       "\"reason\":\"%s\",\"live\":%s}\n",
		       ctors[i].name, *ctors[i].reason ? "refused" : "accepted", ctors[i].reason,
		       ctors[i].code == (void *)make_sharing ? "true" : "false");
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", getpid());
	for (;;) {
		struct packet *p = take(&g_packets);

		printf("{\"truth\":\"got\",\"from\":\"%s\",\"body\":%d,\"count\":%lu,\"shared\":%lu}\n",
		       p->from, !!p->body, (unsigned long)made_count, (unsigned long)*shared);
		give(&g_packets, p);
		usleep(10000);
	}
}
