#include "session.h"

#include "leaked.h"

#include "../base/workers.h"
#include "../runtime/described.h"

#include <errno.h>
#include <stdlib.h>

/* ---- results ------------------------------------------------------------------------------------------------- */

struct result {
	struct hf_arena arena;
	struct result *children, *next; /* results that are freed with this one */
	_Alignas(16) char payload[];
};

static struct result *result_of(const void *payload)
{
	return (struct result *)((char *)payload - offsetof(struct result, payload));
}

struct hf_err *hf_result_new(size_t size, void *ret)
{
	struct result *r = hf_calloc(1, sizeof(*r) + size);

	if (!r)
		return hf_err_nomem();
	*(void **)ret = r->payload;
	return NULL;
}

struct hf_arena *hf_result_arena(const void *result)
{
	return &result_of(result)->arena;
}

void hf_result_adopt(const void *parent, const void *child)
{
	struct result *p = result_of(parent), *c = result_of(child);

	c->next = p->children;
	p->children = c;
}

static void free_result(struct result *r)
{
	hf_arena_deinit(&r->arena);
	hf_free(r);
}

void hf_result_free(const void *result)
{
	struct result *r;

	if (!result)
		return;
	r = result_of(result);
	/* One level is all there is: the page holds results that hold none. */
	for (struct result *c = r->children, *next; c; c = next) {
		next = c->next;
		free_result(c);
	}
	free_result(r);
}

void *hf_result_alloc(const void *result, size_t n, size_t size)
{
	size_t total;

	return hf_mul_overflows(n, size, &total) ? NULL : hf_arena_alloc(hf_result_arena(result), total);
}

const char *hf_result_str(const void *result, const char *s)
{
	const char *copy = hf_arena_strndup(hf_result_arena(result), s, strlen(s));

	return copy ? copy : "";
}

const char *hf_result_take_str(const void *result, struct hf_str *s)
{
	const char *copy = hf_result_str(result, hf_str_get(s));

	hf_str_deinit(s);
	return copy;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

static struct hf_err *session_new(struct hf_err *open_err, struct hf_target *t,
				  const struct hf_options *options, struct hf_session **ret)
{
	struct hf_session *s;

	HF_TRY(open_err);
	s = hf_calloc(1, sizeof(*s));
	if (!s) {
		hf_target_close(t);
		return hf_err_nomem();
	}
	s->t = t;
	if (options) {
		memcpy(&s->options, options, hf_min(options->size, sizeof(s->options)));
		s->options.pool_file = NULL;
		hf_session_set_options(s, options); /* takes a copy of what is pointed to */
	}
	if (s->options.workers)
		hf_workers_set(s->options.workers);
	*ret = s;
	return NULL;
}

struct hf_err *hf_session_open_pid(int pid, const struct hf_options *options, struct hf_session **ret)
{
	struct hf_target *t = NULL;
	struct hf_err *err = hf_target_open_pid(pid, &t);

	return session_new(err, t, options, ret);
}

struct hf_err *hf_session_open_core(const char *core, const char *exe, const struct hf_options *options,
				    struct hf_session **ret)
{
	struct hf_target *t = NULL;
	struct hf_err *err = hf_target_open_core(core, exe, &t);

	return session_new(err, t, options, ret);
}

struct hf_err *hf_session_open_host(const struct hf_host *host, const struct hf_options *options,
				    struct hf_session **ret)
{
	struct hf_target *t = NULL;
	struct hf_err *err = hf_target_open_host(host, &t);

	HF_TRY(session_new(err, t, options, ret));
	/* A debugger is asked from one thread. */
	if (!host->local)
		hf_workers_set(1);
	return NULL;
}

static void drop_described(struct hf_session *s)
{
	hf_described_close(take_ptr(s->described));
	s->described_taken = false;
}

/* Our own copy; "" where memory is out, which is then said of the file. */
static const char *set_pool_file(struct hf_session *s, const char *path)
{
	const char *before = s->options.pool_file, *copy;

	if (path && before && !strcmp(path, before))
		return before;
	drop_described(s);
	copy = path ? hf_strdup(path) : NULL;
	s->pool_file_lost = path && !copy;
	hf_free((char *)before);
	return copy;
}

void hf_session_set_options(struct hf_session *s, const struct hf_options *options)
{
	struct hf_options set = {.size = sizeof(set)};

	memcpy(&set, options, hf_min(options->size, sizeof(set)));
	set.size = sizeof(set);
	set.debuginfod = s->options.debuginfod;
	set.workers = s->options.workers;
	set.pool_file = set_pool_file(s, set.pool_file);
	s->options = set;
}

void hf_session_close(struct hf_session *s)
{
	if (!s)
		return;
	hf_session_free_dominators(s);
	hf_session_free_leaks(s);
	hf_graph_destroy(s->graph);
	hf_described_close(s->described);
	if (s->rt)
		s->rt->ops->close(s->rt);
	hf_syms_close(s->syms);
	hf_target_close(s->t);
	hf_free(s->parent);
	hf_free(s->nearest);
	hf_free(s->warnings);
	hf_free(s->exe);
	hf_free((char *)s->options.pool_file);
	hf_free(s);
}

void hf_session_head(const struct hf_session *s, struct hf_head *ret)
{
	struct hf_session *m = (struct hf_session *)s; /* the list of warnings is a cache */
	const struct hf_target *t = s ? s->t : NULL;
	const char **list;

	if (!s) {
		*ret = (struct hf_head){
			.kind = "journal", .label = "the journal", .exe = "", .complete = true};
		return;
	}
	list = hf_realloc(m->warnings, t->warnings.n + 1, sizeof(*list));

	*ret = (struct hf_head){
		.kind = t->ops->kind,
		.label = t->label,
		.pid = t->pid,
		.core = t->core,
		.exe = t->facts && t->facts->exe ? t->facts->exe : "",
		.stopped_s = t->pause.stopped_s,
		.complete = !t->incomplete,
	};
	if (!*ret->exe && s->syms && hf_syms_main(s->syms))
		ret->exe = hf_syms_main(s->syms)->path;
	if (!list)
		return;
	m->warnings = list;
	for (size_t i = 0; i < t->warnings.n; i++)
		list[i] = t->warnings.at[i].text;
	ret->warnings = list;
	ret->warnings_n = t->warnings.n;
}

#define VALUES_MAX 32768 /* bytes of a block whose text --show-values shows */

/* ---- loading --------------------------------------------------------------------------------------------------- */

/* What a program that no runtime of ours knows looks like, by what it has mapped. */
static const char *looks_like(const struct hf_target *t)
{
	static const struct {
		const char *part, *what;
	} signs[] = {
		{"libjvm.so", "a Java virtual machine"},
		{"libpython", "Python"},
		{"/python", "Python"},
		{"libruby", "Ruby"},
		{"/node", "Node.js"},
		{"libcoreclr.so", ".NET"},
		{"libjemalloc", "C or C++ with jemalloc"},
		{"libtcmalloc", "C or C++ with tcmalloc"},
		{"libmimalloc", "C or C++ with mimalloc"},
		{"libstdc++.so", "C++ with glibc malloc"},
		{"/libc.so.6", "C with glibc malloc"},
		{"/ld-musl", "C with musl"},
	};

	for (size_t i = 0; i < HF_LEN(signs); i++)
		for (size_t k = 0; k < t->maps.n; k++)
			if (strstr(t->maps.at[k].path, signs[i].part))
				return signs[i].what;
	return "a statically linked program without Go's build information";
}

struct hf_err *hf_session_open_syms(struct hf_session *s)
{
	struct hf_syms_options options = {.size = sizeof(options), .debuginfod = s->options.debuginfod};

	return s->syms ? NULL : hf_syms_open(s->t, &options, &s->syms);
}

static struct hf_err *open_runtime(struct hf_session *s)
{
	const struct hf_runtime_ops *const *list;
	size_t n = hf_runtimes(&list);

	if (s->rt)
		return NULL;
	HF_TRY(hf_session_open_syms(s));
	for (size_t i = 0; i < n; i++) {
		bool here = false;

		HF_TRY(list[i]->probe(s->t, s->syms, &here));
		if (here)
			return list[i]->open(s->t, s->syms, &s->rt);
	}
	return NULL;
}

static struct hf_err *no_runtime(const struct hf_session *s, bool pools)
{
	return hf_err(HF_TARGET,
		      "%s is not a Go program; it looks like %s, which this version does not read%s",
		      s->t->label, looks_like(s->t),
		      pools ? ", but for pools that a file describes: --pool-file FILE" : "");
}

struct hf_err *hf_session_open_runtime(struct hf_session *s)
{
	HF_TRY(open_runtime(s));
	return s->rt ? NULL : no_runtime(s, true);
}

struct hf_err *hf_session_open_described(struct hf_session *s)
{
	if (s->pool_file_lost)
		return hf_err_nomem();
	if (s->described || !s->options.pool_file)
		return NULL;
	HF_TRY(hf_session_open_syms(s));
	return hf_described_open(s->t, s->syms, s->options.pool_file, &s->described);
}

/* What is found out while the target runs only makes the pause shorter. */
static struct hf_err *prepare(struct hf_session *s)
{
	struct hf_err *err = NULL;

	if (!s->t->ops->stop)
		return NULL;
	if (s->rt && s->rt->ops->prepare)
		err = s->rt->ops->prepare(s->rt);
	if (!err && s->described && !s->rt)
		err = hf_described_prepare(s->described);
	if (hf_err_code(err) == HF_INTERRUPTED || hf_err_code(err) == HF_NOMEM)
		return err;
	hf_err_ignore(err);
	return NULL;
}

/* Of a runtime, of described pools, or of both, in one stop. */
static struct hf_err *capture(struct hf_session *s)
{
	struct hf_err *err = NULL;

	if (s->rt) {
		s->rt->heads = s->heads;
		s->rt->values_max = hf_max(s->values_max, s->options.show_values ? (uint64_t)VALUES_MAX : 0);
	}
	HF_TRY(prepare(s));
	HF_TRY(hf_target_stop(s->t));
	if (s->rt)
		err = s->rt->ops->capture(s->rt);
	if (!err && s->described)
		err = hf_described_capture(s->described);
	hf_target_resume(s->t);
	return err;
}

struct scan {
	struct hf_session *s;
	struct hf_graph_chunk *chunks;
};

static struct hf_err *scan_chunk(void *arg, size_t i, unsigned worker)
{
	struct scan *scan = arg;

	(void)worker;
	return scan->s->rt->ops->scan(scan->s->rt, i, &scan->chunks[i]);
}

static struct hf_err *build_graph(struct hf_session *s, uint32_t blocks)
{
	size_t n = s->rt->ops->chunks(s->rt);
	struct scan scan = {.s = s};
	struct hf_err *err;

	scan.chunks = hf_calloc(n, sizeof(*scan.chunks));
	if (!scan.chunks)
		return hf_err_nomem();
	hf_progress("objects", 0, blocks);
	err = hf_parallel(n, scan_chunk, &scan);
	if (!err)
		err = hf_graph_create(scan.chunks, n, blocks, &s->graph);
	else
		for (size_t i = 0; i < n; i++)
			hf_graph_chunk_deinit(&scan.chunks[i]);
	hf_free(scan.chunks);
	hf_progress("objects", blocks, blocks);
	return err;
}

static struct hf_err *add_root(void *arg, const struct hf_found_root *found)
{
	struct hf_root root = {.block = found->block,
			       .owner = found->owner,
			       .kind = (uint8_t)found->kind,
			       .slot = found->slot,
			       .value = found->value};

	return hf_graph_add_root(arg, &root);
}

/* Marks; what only dead objects with finalizers hold is marked in further rounds, as long as there is any. */
static struct hf_err *mark(struct hf_session *s)
{
	HF_TRY(s->rt->ops->roots(s->rt, add_root, s->graph));
	HF_TRY(hf_graph_mark(s->graph));
	for (size_t n = 1; n && s->rt->ops->late_roots;) {
		HF_TRY(s->rt->ops->late_roots(s->rt, s->graph->live, add_root, s->graph, &n));
		if (n)
			HF_TRY(hf_graph_mark(s->graph));
	}
	return NULL;
}

static struct hf_err *load_graph(struct hf_session *s)
{
	uint32_t blocks;

	HF_TRY(s->rt->ops->walk(s->rt, &blocks));
	HF_TRY(build_graph(s, blocks));
	HF_TRY(mark(s));
	s->loaded = true;
	return NULL;
}

static struct hf_err *walk_described(struct hf_session *s)
{
	if (s->described)
		HF_TRY(hf_described_walk(s->described));
	s->described_taken = s->described;
	return NULL;
}

/* pools: described ones will do. */
static struct hf_err *load(struct hf_session *s, bool pools)
{
	if (s->loaded || (pools && s->described_taken))
		return NULL;
	if (s->tried)
		return hf_err(HF_TARGET, "an earlier question failed: open the target again");
	HF_TRY(open_runtime(s));
	s->tried = s->rt; /* without one, another question or file may still do */
	if (!s->rt && !(pools && s->options.pool_file))
		return no_runtime(s, pools);
	HF_TRY(hf_session_open_described(s));
	HF_TRY(capture(s));
	if (s->rt)
		HF_TRY(load_graph(s));
	return walk_described(s);
}

struct hf_err *hf_session_load(struct hf_session *s)
{
	return load(s, false);
}

struct hf_err *hf_session_load_pools(struct hf_session *s)
{
	HF_TRY(load(s, true));
	if (s->described_taken || !s->options.pool_file)
		return NULL;
	/* The file came after the load: a target that stands still can be read as before. */
	if (s->t->pause.stops)
		return hf_err(HF_STALE, "%s was stopped before this file of pools was given: open it again",
			      s->t->label);
	HF_TRY(hf_session_open_described(s));
	HF_TRY(hf_described_capture(s->described));
	return walk_described(s);
}

struct hf_err *hf_session_type(struct hf_session *s)
{
	HF_TRY(hf_session_load(s));
	if (!s->typed)
		HF_TRY(s->rt->ops->type_blocks(s->rt, s->graph->live));
	s->typed = true;
	return NULL;
}

/* ---- small things ---------------------------------------------------------------------------------------------- */

bool hf_parse_address(const char *word, uint64_t *ret)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	char *end;

	if (!(word[0] >= '0' && word[0] <= '9') || (hex && !word[2]))
		return false;
	errno = 0;
	*ret = strtoull(word, &end, hex ? 16 : 10);
	return !*end && !errno;
}

const char *hf_block_type_name(struct hf_session *s, const void *result, uint32_t block)
{
	struct hf_str name = {0};

	s->rt->ops->type_name(s->rt, s->rt->ops->block_type(s->rt, block), &name);
	return hf_result_take_str(result, &name);
}

const char *hf_block_state(const struct hf_session *s, uint32_t block)
{
	return hf_graph_is_live(s->graph, block) ? "live" : "garbage";
}

uint64_t hf_session_live_bytes(const struct hf_session *s)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < s->graph->blocks; b++)
		if (hf_graph_is_live(s->graph, b))
			sum += s->rt->ops->block(s->rt, b).size;
	return sum;
}

struct hf_found_root hf_root_at(const struct hf_session *s, uint32_t root)
{
	const struct hf_root *r = &s->graph->roots.at[root];

	return (struct hf_found_root){.kind = (enum hf_root_kind)r->kind,
				      .owner = r->owner,
				      .block = r->block,
				      .slot = r->slot,
				      .value = r->value};
}
