/* A real Go program's memory with some words changed, asked every question: it must end, soon, within the memory that a
 * small heap takes, and without harm. The images are cores that `holdfast snap` wrote, named in HF_FUZZ_CORES (paths with
 * a colon between them; ./run makes them): every structure of the runtime is there as the runtime makes it.
 *
 * With HF_FUZZ_TELL set it says what an input changes, and what is said of that.
 *
 * Input: {core u8, pad [7]}, then {place u32, region u8, how u8, arg u16} for each word that is changed. */
#define _GNU_SOURCE
#include "../../src/base/workers.h"
#include "../../src/query/session.h"
#include "../../src/runtime/go/go.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <stdlib.h>

#define CORES_MAX   4
#define WORDS_MAX   (1u << 21) /* of one region */
#define PATCHES_MAX 24
#define ASKED       16 /* addresses, from all over the heap */
#define HEADER      8
#define RECORD      8
#define SECONDS_MAX 10.0 /* of one input, sanitizers included; an undamaged image takes a tenth of one */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Where changes are worth most. */
enum region {
	MHEAP,
	MSPANS,
	SPECIALS,
	GS,
	STACKS,
	HEAP,
	GLOBALS,
	MODULES,
	TYPES,
	FUNCTIONS,
	ANYWHERE,
	SITES, /* records of the profile of allocations, counters, and what leads to bitmaps of pages */
	REGIONS
};

enum how {
	ZERO,
	SELF,
	SELF_8,
	ALIKE,
	ALL_ONES,
	HUGE,
	END_OF_MAPPING,
	SMALL,
	ADD,
	FLIP,
	LOW_HALF,
	AN_ADDRESS,
	HOWS
};

struct words {
	HF_VEC(uint64_t) addrs; /* 8 bytes each; aligned where the region is */
};

struct image {
	struct hf_target *t;
	struct hf_syms *syms;
	struct words regions[REGIONS];
	HF_VEC(uint64_t) asked; /* addresses to ask about */
	HF_VEC(uint64_t) ends;  /* of mappings */
};

static struct image images[CORES_MAX];
static size_t images_n;

static void need(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "fuzz_session: %s\n", what);
		abort();
	}
}

static void must(struct hf_err *err)
{
	need(!err, err ? hf_err_message(err) : "");
}

/* ---- the image ------------------------------------------------------------------------------------------------ */

static void add_words(struct image *image, enum region region, uint64_t start, uint64_t end)
{
	struct words *w = &image->regions[region];

	for (uint64_t at = start; at + 8 <= end && w->addrs.n < WORDS_MAX; at += 8)
		if (hf_target_view(image->t, at, 8))
			must(hf_vec_push(&w->addrs, at));
}

static void add_specials(struct image *image, struct go *go, uint64_t at)
{
	for (unsigned n = 0; at && n < 1024; n++) {
		add_words(image, SPECIALS, at, at + 48);
		if (hf_err_ignore(
			    hf_target_read_u64(go->t, at + (uint64_t)go->layout.off[GO_SPECIAL_NEXT], &at)))
			return;
	}
}

static void add_heap(struct image *image, struct go *go)
{
	hf_vec_each(&go->spans, span) {
		add_words(image, MSPANS, span->mspan_addr,
			  span->mspan_addr + (uint64_t)go_off(go, MSPAN_SIZE));
		add_words(image, MSPANS, span->alloc_bits, span->alloc_bits + 16);
		add_specials(image, go, span->specials);
		/* Of what holds bytes alone the beginning will do. */
		add_words(image, HEAP, span->start, span->noscan ? span->start + 256 : span->pages_end);
		if ((uint64_t)(span - go->spans.at) % (go->spans.n / ASKED + 1) == 0)
			must(hf_vec_push(&image->asked, span->start));
	}
	add_words(image, MHEAP, go->layout.var[GO_VAR_MHEAP], go->layout.var[GO_VAR_MHEAP] + 512);
	add_words(image, MHEAP, go->layout.var[GO_VAR_ALLGS], go->layout.var[GO_VAR_ALLGS] + 24);
	add_words(image, MHEAP, go->layout.var[GO_VAR_ALLFIN], go->layout.var[GO_VAR_ALLFIN] + 8);
	add_words(image, MHEAP, go->layout.var[GO_VAR_GCCLEANUPS], go->layout.var[GO_VAR_GCCLEANUPS] + 128);
	add_words(image, MHEAP, go->layout.var[GO_VAR_ITABTABLE], go->layout.var[GO_VAR_ITABTABLE] + 8);
}

static void add_sites(struct image *image, struct go *go)
{
	const uint64_t *var = go->layout.var;
	uint64_t ranges = var[GO_VAR_MHEAP] + (uint64_t)go_off(go, MHEAP_PAGES_IN_USE), list;

	for (size_t i = 0; i < hf_min(go->sites.n, (size_t)1024); i++)
		add_words(image, SITES, go->sites.at[i].bucket,
			  go->sites.at[i].bucket + 48 + go->sites.at[i].pcs_n * 8ull + 128);
	add_words(image, SITES, var[GO_VAR_MBUCKETS], var[GO_VAR_MBUCKETS] + 8);
	add_words(image, SITES, var[GO_VAR_PERSISTENTCHUNKS], var[GO_VAR_PERSISTENTCHUNKS] + 8);
	add_words(image, SITES, var[GO_VAR_MEMPROFILERATE], var[GO_VAR_MEMPROFILERATE] + 8);
	add_words(image, SITES, var[GO_VAR_MEMSTATS], var[GO_VAR_MEMSTATS] + 8192);
	add_words(image, SITES, var[GO_VAR_GCCONTROLLER], var[GO_VAR_GCCONTROLLER] + 392);
	add_words(image, SITES, var[GO_VAR_ALLP], var[GO_VAR_ALLP] + 16);
	add_words(image, SITES, ranges, ranges + 24);
	if (!hf_err_ignore(hf_target_read_u64(go->t, ranges, &list)))
		add_words(image, SITES, list, list + 64);
}

static void add_tasks(struct image *image, struct go *go)
{
	hf_vec_each(&go->goroutines, g) {
		add_words(image, GS, g->addr, g->addr + (uint64_t)go_off(go, G_SIZE));
		add_words(image, STACKS, g->sp < g->lo || g->sp >= g->hi ? g->lo : g->sp, g->hi);
	}
	hf_vec_each(&go->modules, m) {
		add_words(image, MODULES, m->addr, m->addr + (uint64_t)go_off(go, MODULEDATA_SIZE));
		add_words(image, GLOBALS, m->data, m->edata);
		add_words(image, GLOBALS, m->bss, m->ebss);
		add_words(image, TYPES, m->types, m->etypes);
		add_words(image, FUNCTIONS, m->pclntable, m->pclntable + m->pclntable_n);
		add_words(image, FUNCTIONS, m->pctab, m->pctab + m->pctab_n);
		add_words(image, FUNCTIONS, m->gofunc, m->gofunc + 65536);
	}
}

static void make_writable(const struct image *image, enum region region)
{
	const struct words *w = &image->regions[region];
	uintptr_t done = 0;

	for (size_t i = 0; i < w->addrs.n; i++) {
		uintptr_t p = (uintptr_t)hf_target_view(image->t, w->addrs.at[i], 8) & ~(uintptr_t)4095;

		if (p == done)
			continue;
		done = p;
		/* Private mappings of the core and of the executable: the files stay as they are. */
		need(!mprotect((void *)p, 8192, PROT_READ | PROT_WRITE) ||
			     !mprotect((void *)p, 4096, PROT_READ | PROT_WRITE),
		     "the image cannot be made writable");
	}
}

static struct hf_session *open_session(struct image *image)
{
	struct hf_session *s = hf_calloc(1, sizeof(*s));

	need(s, "out of memory");
	s->t = image->t;
	s->syms = image->syms; /* DWARF is read once */
	s->options.show_values = true;
	return s;
}

static void close_session(struct image *image, struct hf_session *s)
{
	image->syms = s->syms;
	s->syms = NULL;
	s->t = NULL;
	hf_session_close(s);
	hf_vec_each(&image->t->warnings, w)
		hf_free(w->text);
	image->t->warnings.n = 0;
	image->t->incomplete = false;
}

static void open_image(const char *path, struct image *image)
{
	struct hf_session *s;
	struct go *go;

	must(hf_target_open_core(path, NULL, &image->t));
	need(!image->t->incomplete, "the core is not whole");
	s = open_session(image);
	must(hf_session_load(s));
	go = (struct go *)s->rt;
	add_heap(image, go);
	add_tasks(image, go);
	add_sites(image, go);
	hf_vec_each(&image->t->maps, map) {
		must(hf_vec_push(&image->ends, map->end));
		if (map->writable)
			add_words(image, ANYWHERE, map->start, map->end);
	}
	for (int region = 0; region < REGIONS; region++)
		make_writable(image, (enum region)region);
	close_session(image, s);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *list = getenv("HF_FUZZ_CORES"), *copy = list ? hf_strdup(list) : NULL, *rest = NULL;

	(void)argc, (void)argv;
	hf_workers_set(1);
	need(copy, "HF_FUZZ_CORES names no core: ./run test sets it");
	for (char *path = strtok_r(copy, ":", &rest); path && images_n < CORES_MAX;
	     path = strtok_r(NULL, ":", &rest))
		open_image(path, &images[images_n++]);
	need(images_n, "HF_FUZZ_CORES is empty");
	hf_free(copy);
	return 0;
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

struct change {
	uint8_t *at;
	uint64_t was;
};

static uint64_t pick(const struct words *w, uint32_t i)
{
	return w->addrs.n ? w->addrs.at[i % w->addrs.n] : 0;
}

static uint64_t new_value(const struct image *image, const uint8_t *record, uint64_t addr, uint64_t was)
{
	const struct words *w = &image->regions[record[4] % REGIONS];
	uint16_t arg = hf_load_u16(record + 6);
	const void *other = hf_target_view(image->t, pick(w, hf_load_u32(record) + arg), 8);

	switch ((enum how)(record[5] % HOWS)) {
	case ZERO:
		return 0;
	case SELF:
		return addr - arg % 8 * 8;
	case SELF_8:
		return addr + 8;
	case ALIKE:
		return other ? hf_load_u64(other) : 0;
	case ALL_ONES:
		return UINT64_MAX - arg % 16;
	case HUGE:
		return 1ull << (16 + arg % 48);
	case END_OF_MAPPING:
		return image->ends.at[arg % image->ends.n] - arg / 256 % 32;
	case SMALL:
		return arg;
	case ADD:
		return was + (uint64_t)(int16_t)arg;
	case FLIP:
		return was ^ 1ull << arg % 64;
	case LOW_HALF:
		return (was & ~0xffffffffull) | (uint32_t)(arg % 4 ? (uint32_t)arg << arg % 17 : UINT32_MAX);
	case AN_ADDRESS:
	case HOWS:
		break;
	}
	return pick(&image->regions[arg % REGIONS], hf_load_u32(record) ^ arg * 2654435761u);
}

static size_t apply(struct image *image, const uint8_t *data, size_t size, struct change *ret)
{
	size_t n = 0;

	for (size_t i = HEADER; i + RECORD <= size && n < PATCHES_MAX; i += RECORD) {
		const struct words *w = &image->regions[data[i + 4] % REGIONS];
		uint64_t addr = pick(w, hf_load_u32(data + i)), value;
		uint8_t *at = (uint8_t *)(uintptr_t)hf_target_view(image->t, addr, 8);

		if (!addr || !at)
			continue;
		ret[n] = (struct change){at, hf_load_u64(at)};
		value = new_value(image, data + i, addr, ret[n++].was);
		memcpy(at, &value, 8);
		if (getenv("HF_FUZZ_TELL"))
			fprintf(stderr, "region %d, 0x%" PRIx64 ": 0x%" PRIx64 " -> 0x%" PRIx64 "\n",
				data[i + 4] % REGIONS, addr, ret[n - 1].was, value);
	}
	return n;
}

/* ---- questions ---------------------------------------------------------------------------------------------------- */

static double cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool ask(struct hf_session *s, const char *const *words, size_t n)
{
	struct hf_question *q = NULL;
	char *text = NULL;
	struct hf_err *err;
	bool answered;

	must(hf_question_parse(words, n, &q));
	err = hf_question_ask(q, s, NULL, &text);
	answered = !err;
	if (err)
		need(*hf_err_message(err) && !strchr(hf_err_message(err), '\n'), "an error is not one line");
	else
		need(text && *text, "an answer is empty");
	need(hf_err_code(err) != HF_NOMEM, "more memory was asked for than there is");
	hf_err_destroy(err);
	hf_question_free(q);
	hf_text_free(text);
	return answered;
}

/* Profiles of all kinds, as the bytes of files. */
static void export_all(struct hf_session *s)
{
	static const enum hf_profile_kind kinds[] = {HF_PROFILE_RETAINED, HF_PROFILE_GOROUTINE,
						     HF_PROFILE_ALLOC};

	for (size_t i = 0; i < HF_LEN(kinds); i++) {
		const struct hf_profile_options options = {.size = sizeof(options), .kind = kinds[i]};
		struct hf_profile *p = NULL;
		char *bytes = NULL;
		size_t n;
		struct hf_err *err = hf_profile_make(s, &options, &p);

		if (!err)
			err = hf_profile_encode(p, HF_EXPORT_PPROF, &bytes, &n);
		need(hf_err_code(err) != HF_NOMEM, "more memory was asked for than there is");
		hf_err_destroy(err);
		hf_result_free(p);
		hf_text_free(bytes);
	}
}

#define ASK(s, ...) ask(s, (const char *const[]){__VA_ARGS__}, HF_LEN(((const char *const[]){__VA_ARGS__})))

static void ask_all(struct image *image, struct hf_session *s)
{
	struct hf_head head;
	char word[32];

	if (ASK(s, "overview")) {
		ASK(s, "page");
		ASK(s, "dominators", "--depth", "4");
		ASK(s, "top", "--json");
		ASK(s, "top", "--by", "root");
		ASK(s, "top", "--by", "goroutine");
		ASK(s, "top", "--by", "object", "--limit", "50");
		ASK(s, "top", "--by", "site");
		ASK(s, "top", "--by", "site", "--json", "--limit", "0");
		ASK(s, "spans");
		ASK(s, "spans", "--json");
		ASK(s, "memstats");
		ASK(s, "slack", "--limit", "0");
		ASK(s, "slack", "--json");
		ASK(s, "top", "--by", "field:runtime.g.goid");
		ASK(s, "top", "--json", "--show-values", "--by", "field:runtime.m.curg.waitreason");
		ASK(s, "goroutines");
		export_all(s);
		ASK(s, "pools", "--json");
		ASK(s, "pools", "--limit", "0");
		hf_vec_each(&image->asked, addr) {
			snprintf(word, sizeof(word), "0x%" PRIx64, *addr);
			ASK(s, "why", "--max", "3", "--show-values", word);
			ASK(s, "info", word);
		}
		ASK(s, "why", "string");
		ASK(s, "info", "--json", "--show-values", "0", "0x1000", "18446744073709551615");
	}
	hf_session_head(s, &head);
	for (size_t i = 0; i < head.warnings_n && getenv("HF_FUZZ_TELL"); i++)
		fprintf(stderr, "%s\n", head.warnings[i]);
	need(head.complete || head.warnings_n, "an answer is not complete, and does not say why");
}

/* Of stripped programs, which take ten times as long, seldom. */
static size_t which_image(uint8_t byte)
{
	size_t quick = 0;

	while (quick < images_n && hf_syms_has_dwarf(images[quick].syms))
		quick++;
	return quick && byte % 16 < 15 ? byte % quick : byte / 16u % images_n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct change changes[PATCHES_MAX];
	struct image *image;
	struct hf_session *s;
	double began = cpu_now();
	size_t n;

	if (size < HEADER)
		return -1;
	image = &images[which_image(data[0])];
	n = apply(image, data, size, changes);
	s = open_session(image);
	ask_all(image, s);
	close_session(image, s);
	while (n--)
		memcpy(changes[n].at, &changes[n].was, 8);
	need(cpu_now() - began < SECONDS_MAX, "it took too long");
	return 0;
}

/* ---- mutation ------------------------------------------------------------------------------------------------------ */

static uint32_t next(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void make_record(uint8_t *record, unsigned *state)
{
	uint32_t place = next(state) << 8 ^ next(state);

	memcpy(record, &place, 4);
	record[4] = (uint8_t)(next(state) % REGIONS);
	record[5] = (uint8_t)(next(state) % HOWS);
	record[6] = (uint8_t)next(state);
	record[7] = (uint8_t)(next(state) % 4 ? 0 : next(state));
}

/* Adds a change, drops one, or alters one a little; at times as libFuzzer likes it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	unsigned state = seed;
	size_t n = size < HEADER ? 0 : (size - HEADER) / RECORD;
	uint8_t *record;

	if (max < HEADER + RECORD)
		return LLVMFuzzerMutate(data, size, max);
	if (size < HEADER)
		memset(data, 0, HEADER);
	size = HEADER + n * RECORD;
	data[0] = (uint8_t)(next(&state) % 8 ? data[0] : next(&state));
	record = data + HEADER + (n ? next(&state) % n : 0) * RECORD;
	switch (n ? next(&state) % 6 : 0) {
	case 0:
	case 1:
		if (n >= PATCHES_MAX || size + RECORD > max)
			break;
		make_record(data + size, &state);
		return size + RECORD;
	case 2:
		memmove(record, record + RECORD, (size_t)(data + size - record) - RECORD);
		return size - RECORD;
	case 3:
		record[5] = (uint8_t)(next(&state) % HOWS);
		return size;
	case 4:
		record[0] = (uint8_t)(record[0] + next(&state) % 9 - 4);
		return size;
	default:
		break;
	}
	return HEADER + LLVMFuzzerMutate(data + HEADER, size - HEADER, max - HEADER);
}
