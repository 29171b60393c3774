/* hoarder: a pool of its own whose constructor is replaced through a debugger: a slab's list and a free list. Every 10 ms it
 * says what the pool gave it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS 16

struct parcel {
	const char *from;
	void *body;
	uint64_t words[6];
};

struct shelf {
	struct shelf *next;
	size_t used;
	struct parcel slots[SLOTS];
};

struct store {
	struct shelf *shelves;
	void *idle;
	void *(*make)(void *object);
};

int given;

void *make_large(void *p)
{
	struct parcel *parcel = p;

	parcel->from = "large";
	parcel->body = malloc(1 << 16);
	return parcel;
}

void *make_bare(void *p)
{
	struct parcel *parcel = p;

	parcel->from = "bare";
	parcel->body = NULL;
	return parcel;
}

void *make_counting(void *p)
{
	given++;
	return make_bare(p);
}

void *make_never(void *p)
{
	for (volatile int i = 0;; i++)
		;
	return p;
}

static struct shelf shelf = {.used = SLOTS};
struct store g_parcels = {&shelf, NULL, make_large};

static const char *use(void)
{
	struct parcel *p = g_parcels.make(&shelf.slots[0]);

	free(p->body);
	return p->from;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
	use();
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", (int)getpid());
	for (;;) {
		printf("{\"truth\":\"got\",\"from\":\"%s\"}\n", use());
		fprintf(stderr, ".");
		usleep(10000);
	}
}
