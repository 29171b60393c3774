/* The overview's figures from what others found out. */
#include <criterion/criterion.h>

#include "../../src/query/overview.h"

#define MIB (UINT64_C(1) << 20)

static struct hf_heap leaky_heap(const char *version)
{
	return (struct hf_heap){
		.runtime = "go",
		.version = version,
		.gc_phase = "off",
		.bytes = 412 * MIB,
		.live_bytes = 412 * MIB,
		.runtime_bytes = 412 * MIB,
		.in_use = 430 * MIB,
	};
}

static struct hf_facts *container_facts(void)
{
	struct hf_facts *facts;
	struct hf_err *err = hf_facts_unknown(&facts);

	cr_assert_null(err);
	facts->cgroup_current = 530 * MIB;
	facts->cgroup_procs = 1;
	facts->rss = 515 * MIB;
	facts->rss_anon = 500 * MIB;
	facts->taken_at = 1000000;
	return facts;
}

static const struct hf_fact *find_fact(const struct hf_overview *o, const char *key)
{
	for (size_t i = 0; i < o->facts_n; i++)
		if (!strcmp(o->facts[i].key, key))
			return &o->facts[i];
	return NULL;
}

/* What the answer points to is its own: the runtimes' texts may be gone before it. */
Test(overview, fill_copies_all_texts)
{
	char version[] = "go1.26.8", path[] = "example.com/server", dep[] = "example.com/dep";
	struct hf_dep deps[] = {{dep, "v1.0.0", NULL}};
	struct hf_runtime_stats stats[2] = {{.main_path = ""},
					    {.main_path = path, .deps = deps, .deps_n = 1}};
	struct hf_facts *facts = container_facts();
	struct hf_arena a = {0};
	struct hf_overview o;
	struct hf_err *err;

	stats[1].heap = leaky_heap(version);
	err = hf_overview_fill(facts, stats, 2, &a, &o);
	cr_assert_null(err);
	hf_facts_destroy(facts);
	version[2] = path[0] = dep[0] = '!';
	cr_expect_eq(o.heaps_n, 2);
	cr_expect_str_eq(o.heaps[0].version, "");
	cr_expect_str_eq(o.heaps[1].version, "go1.26.8");
	cr_expect_str_eq(o.main_path, "example.com/server");
	cr_expect_str_eq(o.main_version, "");
	cr_assert_eq(o.deps_n, 1);
	cr_expect_str_eq(o.deps[0].path, "example.com/dep");
	cr_expect_str_eq(o.deps[0].replaced_by, "");
	cr_expect_str_eq(o.cmdline, "");
	cr_expect_str_eq(o.cgroup_path, "");
	cr_expect_str_eq(o.verdict, "heap-live");
	cr_expect_eq(o.taken_at, 1000000);
	hf_arena_deinit(&a);
}

Test(overview, facts_keep_what_is_unknown)
{
	struct hf_facts *facts = container_facts();
	struct hf_arena a = {0};
	struct hf_overview o;
	struct hf_err *err = hf_overview_fill(facts, NULL, 0, &a, &o);

	cr_assert_null(err);
	cr_assert(find_fact(&o, "cgroup_current") && find_fact(&o, "pss"));
	cr_expect_eq(find_fact(&o, "cgroup_current")->value, 530 * MIB);
	cr_expect_eq(find_fact(&o, "pss")->value, HF_UNKNOWN);
	cr_expect(*find_fact(&o, "pss")->label);
	cr_expect_str_eq(o.verdict, "off-heap");
	cr_expect_not(o.verdict_heap);
	hf_facts_destroy(facts);
	hf_arena_deinit(&a);
}

Test(overview, nothing_known_is_an_answer)
{
	struct hf_arena a = {0};
	struct hf_overview o;
	struct hf_err *err = hf_overview_fill(NULL, NULL, 0, &a, &o);

	cr_assert_null(err);
	cr_expect_eq(o.facts_n, 0);
	cr_expect_eq(o.shares_n, 0);
	cr_expect_str_eq(o.main_path, "");
	cr_expect_str_eq(o.vcs, "");
	cr_expect_str_eq(o.verdict, "unknown");
	cr_expect_not(o.verdict_heap);
	hf_arena_deinit(&a);
}
