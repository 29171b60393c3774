/* Where objects were allocated: the records that the runtime's own profile of allocations keeps.
 *
 * Records (buckets) are never freed, and lie in memory that is copied whole (persist.c): they are read after the stop.
 * Source: Go 1.20-1.27 runtime/mprof.go, bucket, memRecord, stkbucket.
 *
 *   bucket {next, allnext, typ, hash, size, nstk} | nstk return addresses | memRecord {active, future[3]}
 */
#include "go.h"

#include <stdlib.h>

#define SITES_MAX  (1u << 20)
#define STACK_MAX  2048u      /* a stack's depth that we believe; the runtime keeps up to 1024 */
#define PCS_MAX    (1u << 24) /* of all stacks together */
#define HEADER_MAX 256u       /* bytes of a bucket, and of a memRecord, that we believe */
#define CYCLES     4u         /* active, and future[3] */
#define TYPE_MEM   1u         /* runtime/mprof.go, memProfile */
#define GAP        65536u     /* as in spans.c: neighbours that are copied together */

struct record {
	uint8_t header[HEADER_MAX];
	uint64_t next, nstk, len; /* len: of all of it */
};

static bool has_u64(int32_t off, int32_t size)
{
	return off >= 0 && off <= size - 8;
}

/* The members that are read lie within their structures. */
static bool is_laid_out(const struct go *go)
{
	int32_t bucket = go_off(go, BUCKET_SIZE), cycle = go_off(go, MEMRECORDCYCLE_SIZE),
		record = go_off(go, MEMRECORD_SIZE);

	return bucket > 0 && bucket <= (int32_t)HEADER_MAX && record > 0 && record <= (int32_t)HEADER_MAX &&
	       cycle > 0 && cycle <= record / (int32_t)CYCLES &&
	       has_u64(go_off(go, BUCKET_ALLNEXT), bucket) && has_u64(go_off(go, BUCKET_TYP), bucket) &&
	       has_u64(go_off(go, BUCKET_OBJECT_SIZE), bucket) && has_u64(go_off(go, BUCKET_NSTK), bucket) &&
	       has_u64(go_off(go, MEMRECORDCYCLE_ALLOCS), cycle) &&
	       has_u64(go_off(go, MEMRECORDCYCLE_FREES), cycle);
}

static bool read_head(struct go *go, uint64_t *ret)
{
	uint64_t var = go->layout.var[GO_VAR_MBUCKETS];

	return var && is_laid_out(go) && !hf_err_ignore(hf_target_read_u64(go->t, var, ret));
}

/* The fixed part of the record at addr; false where it is none. */
static bool read_record(struct go *go, uint64_t addr, struct record *ret)
{
	const int32_t *off = go->layout.off;

	if (hf_err_ignore(hf_target_read(go->t, addr, ret->header, (size_t)off[GO_BUCKET_SIZE])))
		return false;
	ret->next = hf_load_u64(ret->header + off[GO_BUCKET_ALLNEXT]);
	ret->nstk = hf_load_u64(ret->header + off[GO_BUCKET_NSTK]);
	if (hf_load_u64(ret->header + off[GO_BUCKET_TYP]) != TYPE_MEM || ret->nstk > STACK_MAX)
		return false;
	ret->len = (uint64_t)off[GO_BUCKET_SIZE] + ret->nstk * 8 + (uint64_t)off[GO_MEMRECORD_SIZE];
	return true;
}

/* ---- during the stop ----------------------------------------------------------------------------------------- */

/* Reading it while the target stands still is what copies it. */
static struct hf_err *capture_list(struct go *go)
{
	struct go_steps steps = {0};
	struct record record;
	uint64_t at = go->sites_head;

	while (at && go_step(&steps, at, SITES_MAX) && read_record(go, at, &record)) {
		if (steps.n % 1024 == 0)
			HF_TRY(hf_interrupt_check());
		HF_TRY(hf_target_capture(go->t, &(struct hf_range){at, at + record.len}, 1));
		at = record.next;
	}
	return NULL;
}

static void read_rate(struct go *go)
{
	uint64_t var, header[2], p, mcache, rate;
	uint8_t off;

	go->sample_rate = HF_UNKNOWN;
	var = go->layout.var[GO_VAR_DISABLEMEMORYPROFILING];
	go->sampling_left_out = var && !hf_err_ignore(hf_target_read_u8(go->t, var, &off)) && off;
	var = go->layout.var[GO_VAR_MEMPROFILERATE];
	if (var && !hf_err_ignore(hf_target_read_u64(go->t, var, &rate))) {
		go->sample_rate = (int64_t)rate < 0 ? 0 : rate;
		return;
	}
	/* Stripped: since 1.24 the caches of the Ps know it. */
	var = go->layout.var[GO_VAR_ALLP];
	if (var && go_has(go, P_MCACHE) && go_has(go, MCACHE_MEM_PROF_RATE) &&
	    !hf_err_ignore(hf_target_read(go->t, var, header, sizeof(header))) && header[1] &&
	    !hf_err_ignore(hf_target_read_u64(go->t, header[0], &p)) &&
	    !hf_err_ignore(hf_target_read_u64(go->t, p + (uint64_t)go_off(go, P_MCACHE), &mcache)) &&
	    mcache &&
	    !hf_err_ignore(
		    hf_target_read_u64(go->t, mcache + (uint64_t)go_off(go, MCACHE_MEM_PROF_RATE), &rate)))
		go->sample_rate = (int64_t)rate < 0 ? 0 : rate;
}

struct hf_err *go_sites_capture(struct go *go)
{
	read_rate(go);
	/* The few samples of the start are no profile; a rate that was set from outside since makes one, whoever uses it. */
	if ((go->sampling_left_out && (!go->sample_rate || go->sample_rate == HF_UNKNOWN)) ||
	    !read_head(go, &go->sites_head))
		go->sites_head = 0;
	return go->persistent ? NULL : capture_list(go);
}

/* ---- after ------------------------------------------------------------------------------------------------------- */

static bool is_runtime(const char *function)
{
	static const char *const prefixes[] = {"runtime.", "internal/runtime/"};

	for (size_t i = 0; i < HF_LEN(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* How many of the innermost functions are the runtime's, as pprof sees it; none where all are: then it allocates for
 * itself. */
static struct hf_err *count_own(struct go *go, const uint64_t *pcs, uint32_t n, uint32_t *ret)
{
	*ret = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct hf_stack_frame frames[2]; /* the last is the one that all are inlined into */
		size_t found;

		HF_TRY(go_source_frames(go, pcs[i] - 1, frames, HF_LEN(frames), &found));
		if (!found || !is_runtime(frames[0].function)) {
			*ret = i;
			return NULL;
		}
	}
	return NULL;
}

/* Where each goroutine ends: it says nothing. */
static bool is_goexit(struct go *go, uint64_t pc)
{
	struct go_func f;

	return go_find_func(go, pc - 1, &f) && !strcmp(f.name, "runtime.goexit");
}

/* Sums active and future: all that was sampled so far. Without members for bytes (1.27) all objects are of one size. */
static void sum_record(const struct go *go, const uint8_t *p, struct go_site *site)
{
	const int32_t *off = go->layout.off;
	int32_t cycle = off[GO_MEMRECORDCYCLE_SIZE];
	bool bytes = has_u64(off[GO_MEMRECORDCYCLE_ALLOC_BYTES], cycle) &&
		     has_u64(off[GO_MEMRECORDCYCLE_FREE_BYTES], cycle);
	uint64_t sums[4] = {0};

	for (uint32_t i = 0; i < CYCLES; i++, p += cycle) {
		sums[0] += hf_load_u64(p + off[GO_MEMRECORDCYCLE_ALLOCS]);
		sums[1] += hf_load_u64(p + off[GO_MEMRECORDCYCLE_FREES]);
		sums[2] += bytes ? hf_load_u64(p + off[GO_MEMRECORDCYCLE_ALLOC_BYTES]) : 0;
		sums[3] += bytes ? hf_load_u64(p + off[GO_MEMRECORDCYCLE_FREE_BYTES]) : 0;
	}
	if (!bytes) {
		sums[2] = sums[0] * site->size;
		sums[3] = sums[1] * site->size;
	}
	site->allocs = (int64_t)sums[0];
	site->frees = (int64_t)sums[1];
	site->alloc_bytes = (int64_t)sums[2];
	site->free_bytes = (int64_t)sums[3];
}

/* *ret_added false: it cannot be read, or is one too many. */
static struct hf_err *add_site(struct go *go, uint64_t addr, const struct record *record, bool *ret_added)
{
	uint64_t stack = addr + (uint64_t)go_off(go, BUCKET_SIZE);
	size_t n = (size_t)record->nstk, record_size = (size_t)go_off(go, MEMRECORD_SIZE);
	struct go_site site = {.bucket = addr,
			       .size = hf_load_u64(record->header + go_off(go, BUCKET_OBJECT_SIZE)),
			       .pcs = (uint32_t)go->site_pcs.n,
			       .pcs_n = (uint32_t)n};
	uint8_t bytes[HEADER_MAX];

	*ret_added = false;
	if (go->site_pcs.n + n > PCS_MAX)
		return NULL;
	HF_TRY(hf_vec_reserve(&go->site_pcs, n));
	if ((n && hf_err_ignore(hf_target_read(go->t, stack, go->site_pcs.at + site.pcs, n * 8))) ||
	    hf_err_ignore(hf_target_read(go->t, stack + n * 8, bytes, record_size)))
		return NULL;
	go->site_pcs.n += n;
	if (n) {
		site.pcs_n -= is_goexit(go, go->site_pcs.at[site.pcs + n - 1]);
		HF_TRY(count_own(go, go->site_pcs.at + site.pcs, site.pcs_n, &site.own));
	}
	sum_record(go, bytes, &site);
	*ret_added = true;
	return hf_vec_push(&go->sites, site);
}

static struct hf_err *read_list(struct go *go)
{
	struct go_steps steps = {0};
	struct record record;
	uint64_t at = go->sites_head;

	while (at) {
		bool added = false;

		if (steps.n % 1024 == 0)
			HF_TRY(hf_interrupt_check());
		if (go_step(&steps, at, SITES_MAX) && read_record(go, at, &record))
			HF_TRY(add_site(go, at, &record, &added));
		if (!added) {
			go_damage_add(&go->damage[GO_DAMAGE_SITES], at);
			return NULL;
		}
		at = record.next;
	}
	return NULL;
}

static int compare_samples(const void *a, const void *b)
{
	const struct go_sample *x = a, *y = b;

	return x->object != y->object ? (x->object > y->object ? 1 : -1)
				      : (x->site > y->site) - (x->site < y->site);
}

/* Addresses become numbers: of blocks and sites. Of the parts of a tiny block the first stands for all. */
static struct hf_err *resolve_samples(struct go *go, const struct hf_map64 *numbers)
{
	size_t n = 0;

	for (size_t i = 0; i < go->samples.n; i++) {
		struct go_sample *s = &go->samples.at[i];
		uint32_t block = go_find_block(go, s->object);
		uint64_t site;

		if (i % 65536 == 0)
			HF_TRY(hf_interrupt_check());
		if (block != HF_NO_BLOCK && hf_map64_find(numbers, s->site, &site))
			go->samples.at[n++] = (struct go_sample){block, site};
	}
	go->samples.n = n;
	if (n)
		qsort(go->samples.at, n, sizeof(*go->samples.at), compare_samples);
	return NULL;
}

struct hf_err *go_sites_read(struct go *go)
{
	struct hf_map64 numbers = {0};
	struct hf_err *err = read_list(go);

	for (size_t i = 0; i < go->sites.n && !err; i++)
		err = hf_map64_put(&numbers, go->sites.at[i].bucket, i);
	if (!err)
		err = resolve_samples(go, &numbers);
	hf_map64_deinit(&numbers);
	return err;
}

void go_sites_deinit(struct go *go)
{
	hf_vec_deinit(&go->sites);
	hf_vec_deinit(&go->site_pcs);
	hf_vec_deinit(&go->samples);
}

/* ---- the contract -------------------------------------------------------------------------------------------------- */

uint32_t go_sites_n(struct hf_runtime *rt)
{
	return (uint32_t)((struct go *)rt)->sites.n;
}

void go_site_get(struct hf_runtime *rt, uint32_t i, struct hf_alloc_site *ret)
{
	const struct go *go = (struct go *)rt;
	const struct go_site *site = &go->sites.at[i];

	*ret = (struct hf_alloc_site){
		.pcs = site->pcs_n ? go->site_pcs.at + site->pcs : NULL,
		.pcs_n = site->pcs_n,
		.own = site->own,
		.size = site->size,
		.allocs = site->allocs,
		.frees = site->frees,
		.alloc_bytes = site->alloc_bytes,
		.free_bytes = site->free_bytes,
	};
}

uint64_t go_sample_rate(struct hf_runtime *rt, const char **ret_why_not)
{
	const struct go *go = (struct go *)rt;

	*ret_why_not = "";
	if (go->sample_rate == HF_UNKNOWN)
		*ret_why_not =
			"whether the program samples its allocations cannot be told: ask with an executable "
			"that is not stripped";
	if (go->sample_rate)
		return go->sample_rate;
	*ret_why_not =
		go->sampling_left_out
			? "the program does not sample its allocations, as nothing in it uses the profile: "
			  "build it with import _ \"net/http/pprof\" (or runtime/pprof), or switch it on "
			  "(holdfast patch set runtime.MemProfileRate auto)"
			: "the program does not sample its allocations: runtime.MemProfileRate is 0; set it "
			  "to 524288 at its start, or switch it on (holdfast patch set "
			  "runtime.MemProfileRate auto)";
	return 0;
}

uint32_t go_block_site(struct hf_runtime *rt, uint32_t block)
{
	const struct go *go = (struct go *)rt;
	size_t lo = 0, hi = go->samples.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (go->samples.at[mid].object < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < go->samples.n && go->samples.at[lo].object == block ? (uint32_t)go->samples.at[lo].site
									: UINT32_MAX;
}
