/* Object pools of a C program, each laid out in another way, sound ones and damaged ones; slabs.json and damaged.json
 * describe them by name, the truth "layout" by addresses and offsets. The argument is the size of the largest pool. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

typedef void *make_fn(void *object);

void *make_conn(void *p)
{
	return memset(p, 1, 64);
}

void *make_buf(void *p)
{
	return memset(p, 2, 40);
}

/* ---- slots behind the header, the free list across all slabs -------------------------------------------- */

struct slab {
	struct slab *next;
	size_t used, cap;
	char mem[];
};
struct pool {
	const char *name;
	size_t object_size;
	make_fn *ctor;
	struct slab *slabs;
	void *free_list;
	size_t taken;
};

struct pool g_conns = {"conns", 64, make_conn, NULL, NULL, 0};
struct pool g_large = {"large", 32, make_conn, NULL, NULL, 0};
struct pool g_empty = {"empty", 64, make_conn, NULL, NULL, 0};
struct pool g_bare = {"bare", 48, NULL, NULL, NULL, 0};

static void *get(struct pool *p)
{
	void *object = p->free_list;

	p->taken++;
	if (object) {
		p->free_list = *(void **)object;
		return object;
	}
	if (!p->slabs || p->slabs->used == p->slabs->cap) {
		struct slab *s = malloc(sizeof(*s) + p->object_size * 1000);

		*s = (struct slab){p->slabs, 0, 1000};
		p->slabs = s;
	}
	return p->slabs->mem + p->object_size * p->slabs->used++;
}

static void put(struct pool *p, void *object)
{
	p->taken--;
	*(void **)object = p->free_list;
	p->free_list = object;
}

/* Objects go back in an order that jumps from slab to slab. */
static void fill(struct pool *p, size_t n, size_t back)
{
	void **all = malloc(n * sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = get(p);
	for (size_t i = 0; i < back; i++)
		put(p, all[i * 7919 % n]);
	free(all);
}

static size_t count(const struct pool *p)
{
	size_t n = 0;

	for (const void *at = p->free_list; at; at = *(void *const *)at)
		n++;
	return n;
}

/* ---- behind a pointer: narrow counts, slots elsewhere, the constructor in a table, links in the middle ---- */

struct block {
	uint16_t cap;
	uint32_t used;
	char *objects;
	struct {
		struct block *next;
	} link;
};
struct ops {
	int version;
	make_fn *make;
};
struct arena {
	const struct ops *ops;
	union {
		uint32_t bytes;
		char pad[24];
	};
	struct block *blocks;
	void *idle;
};
struct server {
	int id;
	struct arena *arenas[2];
};

static struct ops g_ops = {3, make_buf};
static struct server g_the_server;
struct server *g_server = &g_the_server;
struct arena *g_not_yet;

static struct arena *make_arena(unsigned blocks, unsigned used, unsigned idle)
{
	struct arena *a = calloc(1, sizeof(*a));
	char *last = NULL;

	a->ops = &g_ops;
	a->bytes = 40;
	for (unsigned i = 0; i < blocks; i++) {
		struct block *b = calloc(1, sizeof(*b));

		b->cap = 100;
		b->used = used;
		b->objects = calloc(100, 40);
		b->link.next = a->blocks;
		a->blocks = b;
		for (unsigned k = 0; k < idle; k++) {
			char *object = b->objects + (size_t)k * 2 * 40;

			*(char **)(object + 16) = last;
			last = object;
		}
	}
	a->idle = last;
	return a;
}

/* ---- an array of pools: all slots in use or free, a free list in each slab --------------------------------- */

#define CELLS 128

typedef struct page {
	void *free;
	struct page *next;
	unsigned char cells[CELLS][96];
} page_t;
typedef struct {
	page_t *first;
	make_fn *make;
} cells_t;

cells_t g_cells[3];

static void fill_cells(cells_t *c, unsigned pages, unsigned idle)
{
	c->make = make_conn;
	for (unsigned i = 0; i < pages; i++) {
		page_t *p = calloc(1, sizeof(*p));

		p->next = c->first;
		c->first = p;
		for (unsigned k = 0; k < idle; k++) {
			*(void **)p->cells[k * 3] = p->free;
			p->free = p->cells[k * 3];
		}
	}
}

/* ---- one region, by pointers: how far it is given out, and where it ends; slots larger than objects -------- */

struct region {
	char *start, *at, *end;
};
static struct {
	struct region region;
	void *slab; /* of no type */
	void *free;
	short object_size, slot_size;
} g_bump;

static void fill_bump(unsigned used, unsigned idle)
{
	g_bump.slab = &g_bump.region;
	g_bump.object_size = 100;
	g_bump.slot_size = 128;
	g_bump.region.start = calloc(1000, 128);
	g_bump.region.at = g_bump.region.start + used * 128;
	g_bump.region.end = g_bump.region.start + 1000 * 128;
	for (unsigned i = 0; i < idle; i++) {
		char *slot = g_bump.region.start + i * 128;

		memcpy(slot + 120, &g_bump.free, 8);
		g_bump.free = slot;
	}
}

/* ---- damaged ------------------------------------------------------------------------------------------------ */

struct pool g_cycle = {"cycle", 64, make_conn, NULL, NULL, 0};
struct pool g_crooked = {"crooked", 64, make_conn, NULL, NULL, 0};
struct pool g_outside = {"outside", 64, make_conn, NULL, NULL, 0};
struct pool g_unmapped = {"unmapped", 64, make_conn, NULL, NULL, 0};
struct pool g_early = {"early", 64, make_conn, NULL, NULL, 0};
struct pool g_ring = {"ring", 64, make_conn, NULL, NULL, 0};
struct pool g_overfull = {"overfull", 64, make_conn, NULL, NULL, 0};
struct pool g_boundless = {"boundless", 64, make_conn, NULL, NULL, 0};
struct pool g_nothing = {"nothing", 0, make_conn, NULL, NULL, 0};
struct pool g_wild = {"wild", 64, make_conn, NULL, (void *)0, 0};

static char g_elsewhere[64];

static void **last_link(struct pool *p)
{
	void **at = &p->free_list;

	while (*at)
		at = *at;
	return at;
}

static void damage(void)
{
	struct pool *const pools[] = {&g_cycle, &g_crooked,  &g_outside,   &g_unmapped, &g_early,
				      &g_ring,  &g_overfull, &g_boundless, &g_nothing,  &g_wild};

	for (size_t i = 0; i < LEN(pools); i++)
		if (pools[i] != &g_nothing)
			fill(pools[i], 2500, 100);
	*last_link(&g_cycle) = g_cycle.free_list;
	*last_link(&g_crooked) = g_crooked.slabs->mem + 65;
	*last_link(&g_outside) = g_elsewhere;
	*last_link(&g_unmapped) = (void *)(uintptr_t)0x7777777777777777;
	*last_link(&g_early) = g_early.slabs->mem + 64 * 700;
	g_ring.slabs->next->next->next = g_ring.slabs->next;
	g_overfull.slabs->next->used = 1001;
	g_boundless.slabs->next->used = g_boundless.slabs->next->cap = (size_t)1 << 40;
	g_wild.slabs->next->next = (void *)(uintptr_t)0x1230;
}

/* ---- truths -------------------------------------------------------------------------------------------------- */

static void say(const char *name, const void *at, const char *make, size_t items, size_t idle, size_t size)
{
	printf("{\"truth\":\"pool\",\"name\":\"%s\",\"address\":\"%p\",\"constructor\":", name, at);
	printf(make ? "\"%s\"" : "null", make);
	printf(",\"items\":%zu,\"idle\":%zu,\"used_bytes\":%zu,\"idle_bytes\":%zu}\n", items, idle,
	       items * size, idle * size);
}

static void say_pool(const struct pool *p)
{
	say(p->name, (const void *)p, p->ctor ? "make_conn" : NULL, p->taken, count(p), p->object_size);
}

/* Of a damaged one: what of it can be counted, and a word of what is said of it. */
static void say_damaged(const struct pool *p, size_t used, size_t idle, const char *problem)
{
	printf("{\"truth\":\"damaged\",\"name\":\"%s\",\"items\":%zu,\"idle\":%zu,\"problem\":\"%s\"}\n",
	       p->name, used - idle, idle, problem);
}

#define AT(structure, member) offsetof(struct structure, member)

/* What a description without any name says. */
static void say_layout(void)
{
	printf("{\"truth\":\"layout\",\"pools\":[{\"name\":\"conns\",\"kind\":\"slab\",\"instance\":\"%p\","
	       "\"constructor\":%zu,\"object_size\":%zu,\"slabs\":{\"head\":%zu,\"next\":%zu,\"items\":%zu,"
	       "\"used\":%zu,"
	       "\"capacity\":%zu},\"free\":{\"head\":%zu,\"next_offset\":0}},",
	       (void *)&g_conns, AT(pool, ctor), AT(pool, object_size), AT(pool, slabs), AT(slab, next),
	       AT(slab, mem), AT(slab, used), AT(slab, cap), AT(pool, free_list));
	printf("{\"name\":\"arena\",\"kind\":\"slab\",\"instance\":\"*%p+%zu\",\"object_size\":{\"offset\":%"
	       "zu,\"size\":4},"
	       "\"slabs\":{\"head\":%zu,\"next\":%zu,\"items\":{\"offset\":%zu,\"pointer\":true},"
	       "\"used\":{\"offset\":%zu,\"size\":4},\"capacity\":{\"offset\":%zu,\"size\":2}},"
	       "\"free\":{\"head\":%zu,\"next_offset\":16}}]}\n",
	       (void *)g_server, AT(server, arenas) + 8, AT(arena, bytes), AT(arena, blocks), AT(block, link),
	       AT(block, objects), AT(block, used), AT(block, cap), AT(arena, idle));
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;

	setvbuf(stdout, NULL, _IOLBF, 4096);
	fill(&g_conns, 5500, 1234);
	fill(&g_large, n, n / 2);
	fill(&g_bare, 10, 0);
	g_server->arenas[1] = make_arena(5, 80, 30);
	fill_cells(&g_cells[0], 2, 5);
	fill_cells(&g_cells[2], 10, 40);
	fill_bump(600, 50);
	damage();

	say_pool(&g_conns);
	say_pool(&g_large);
	say_pool(&g_empty);
	say_pool(&g_bare);
	say("arena", g_server->arenas[1], "make_buf", 5 * 50, 5 * 30, 40);
	say("cells 0", &g_cells[0], "make_conn", 2 * (CELLS - 5), 2 * 5, 96);
	say("cells 2", &g_cells[2], "make_conn", 10 * (CELLS - 40), 10 * 40, 96);
	say("bump", &g_bump, NULL, 550, 50, 100);
	say_damaged(&g_cycle, 2500, 100, "comes back to 0x");
	say_damaged(&g_crooked, 2500, 100, ", 1 bytes into a slot");
	say_damaged(&g_outside, 2500, 100, "in no slab");
	say_damaged(&g_unmapped, 2500, 100, "leads to 0x7777777777777777, which is in no slab");
	say_damaged(&g_early, 2500, 100, "never given out");
	say_damaged(&g_ring, 2500, 100, "list of slabs comes back to 0x");
	printf("{\"truth\":\"damaged\",\"name\":\"overfull\",\"problem\":\"1001 of its 1000 slots\"}\n");
	printf("{\"truth\":\"damaged\",\"name\":\"boundless\",\"problem\":\"not mapped\"}\n");
	printf("{\"truth\":\"damaged\",\"name\":\"nothing\",\"items\":0,\"idle\":0,\"problem\":\"0 "
	       "bytes\"}\n");
	printf("{\"truth\":\"damaged\",\"name\":\"wild\",\"problem\":\"0x1230\"}\n");
	say_layout();
	printf("{\"truth\":\"ready\",\"pid\":%d}\n", (int)getpid());
	fflush(stdout);
	for (;;) {
		usleep(20000);
		if (write(2, ".", 1) != 1)
			return 1;
	}
}
