/* Hand-made results for the tests of reports. */
#ifndef REPORT_MAKE_H
#define REPORT_MAKE_H

#include "../../include/holdfast.h"

#define EVIL "\033[2J\nrm -rf \"x\"\xff\xe2\x80\xae"

#include "report_make_sites.h"

static const struct hf_head live_head = {
	.kind = "live",
	.label = "process 7 (leaky)",
	.pid = 7,
	.exe = "/srv/leaky",
	.stopped_s = 0.0123,
	.complete = true,
};

static const struct hf_step long_type_steps[] = {
	{0xc000010000, 48, "map[string]*main.Session", "", ""},
	{0xc000456000, 64, "main.Session", "[\"session-7\"]", ""},
	{0xc000457000, 64, "main.Session", ".Payload", "thrift 2: payload"},
	{0xc0004ab000, 1024, "[]uint8", "", ""},
};

static const struct hf_chain global_chain = {
	.root_kind = "global",
	.root_name = "main.cache",
	.root_via = "",
	.root_addr = 0x5a3c20,
	.steps = long_type_steps,
	.n = 4,
};

static const struct hf_fact some_facts[] = {
	{"cgroup_current", "charged now", 512 << 20},
	{"cgroup_max", "limit", 1 << 30},
	{"cgroup_high", "high", HF_NOLIMIT},
	{"cgroup_events_oom_kill", "processes killed", 2},
	{"uid", "user", 1000},
	{"rss", "resident", HF_UNKNOWN},
};

static const struct hf_share some_shares[] = {
	{"heap-live", "live heap", 400 << 20, ""},
	{"other", "what nothing explains", 112 << 20,
	 "a note that is so long that it has to go on below, on a second line or even on a third, as far as "
	 "that is from here"},
};

static const struct hf_heap some_heap = {
	.runtime = "go",
	.version = "go1.26.8",
	.objects = 1234567,
	.bytes = 1 << 30,
	.live_objects = 1234000,
	.live_bytes = 1 << 29,
	.garbage_objects = 567,
	.garbage_bytes = 1 << 29,
	.runtime_objects = 1234567,
	.runtime_bytes = 1 << 30,
	.exact = true,
	.gc_phase = "off",
	.gc_percent = HF_NOLIMIT,
	.memory_limit = HF_NOLIMIT,
	.metadata = HF_UNKNOWN,
};

static const struct hf_dep some_deps[] = {{"example.com/dep", "v1.0.0", ""},
					  {"example.com/old", "v1", "../new v2"}};

static const struct hf_overview some_overview = {
	.facts = some_facts,
	.facts_n = 6,
	.started_at = 1700000000,
	.taken_at = 1700012000,
	.cmdline = "leaky -x",
	.cgroup_path = "/pod",
	.heaps = &some_heap,
	.heaps_n = 1,
	.shares = some_shares,
	.shares_n = 2,
	.shares_total = 512 << 20,
	.shares_of = "the cgroup's charge",
	.verdict = "heap-live",
	.verdict_heap = true,
	.verdict_text = "It is the heap.",
	.main_path = "example.com/leaky",
	.main_version = "v1.2.3",
	.vcs = "git abc",
	.deps = some_deps,
	.deps_n = 2,
};

static const struct hf_row some_rows[] = {
	{.name = "[]uint8", .count = 20000, .bytes = 3 << 20, .retained_bytes = HF_UNKNOWN},
	{.name = "main." EVIL, .count = 1, .bytes = 1 << 20, .retained_bytes = HF_UNKNOWN},
};
static const struct hf_top some_top = {
	.rows = some_rows,
	.n = 2,
	.left_out = 3,
	.left_out_bytes = 1 << 20,
	.total_count = 30000,
	.total_bytes = 5 << 20,
};

static const struct hf_dominator_row some_dominator_rows[] = {
	{0, HF_DOMINATOR_HEAP, "", 0, 1, 0, false, 0, 5 << 20, 30000},
	{1, HF_DOMINATOR_ROOT, "main.cache", 0, 1, 0, false, 0, 3 << 20, 20000},
	{2, HF_DOMINATOR_OBJECT, "map[string]*example.com/a/main.Session", 0xc000010000, 1, 0, false, 4096,
	 3 << 20, 20000},
	{3, HF_DOMINATOR_OBJECT, "main.Session", 0xc000456000, 1, 0, false, 64, 1 << 20, 3},
	{3, HF_DOMINATOR_OBJECT, "main.Session", 0xc000457000, 4990, 0, true, 4990 * 64, 2 << 20, 19990},
	{3, HF_DOMINATOR_REST, "", 0, 1234, 0, false, 0, 1 << 10, 6},
	{1, HF_DOMINATOR_SHARED, "", 0, 2, 0, false, 0, 1 << 20, 2},
	{2, HF_DOMINATOR_OBJECT, "main." EVIL, 0xc000458000, 1, 999999, false, 1 << 20, 1 << 20, 1000000},
	{2, HF_DOMINATOR_OBJECT, "main.node", 0xc000459000, 2, 7, false, 0, 0, 9},
	{1, HF_DOMINATOR_REST, "", 0, 40, 0, false, 0, 1 << 20, 10000},
};
static const struct hf_dominator_row some_root_row[] = {
	{0, HF_DOMINATOR_ROOT, "example.com/a/main.other", 0, 1, 0, false, 0, HF_UNKNOWN, 0},
	{100, HF_DOMINATOR_OBJECT, "a.type.with.a.long.name.that.is.cut.where.the.line.would.be.too.wide",
	 UINT64_MAX, UINT64_MAX, UINT64_MAX, true, UINT64_MAX, UINT64_MAX, UINT64_MAX},
};
static const struct hf_dominator_tree some_dominator_trees[] = {
	{"", 50 << 10, some_dominator_rows, 10},
	{"0xc000457000", 0, some_root_row, 2},
};
static const struct hf_dominator_trees some_dominators = {some_dominator_trees, 1, 3, 10, 30000, 5 << 20};
static const struct hf_dominator_trees two_dominators = {some_dominator_trees, 2, 100, 3, 30000, 5 << 20};

static const char *const some_others[] = {"main." EVIL, "main.Doc.Author"};
static const struct hf_slack_row some_slack_rows[] = {
	{"main.headers[*]", "sub-slice", 32, 32, 0, NULL, 0, 2 << 20, 1 << 20, 512, (2 << 20) + 512, 1000,
	 3 << 20, 0xc000480000},
	{"main." EVIL "[*]", "map", 1, 1, 9, some_others, 2, 900, 0, 100, 1000, 0, 0, 0},
};
static const struct hf_slack some_slack = {some_slack_rows,  2,       4,      1 << 10,
					   (2 << 20) + 1924, 3 << 20, 5 << 20};
static const struct hf_row some_field_rows[] = {
	{.name = "\"a/b.c\"", .count = 20, .bytes = 3 << 20, .retained_bytes = 4 << 20},
	{.name = EVIL, .count = 1, .bytes = 1 << 20, .retained_bytes = HF_UNKNOWN},
};
static const struct hf_top some_field_top = {.rows = some_field_rows,
					     .n = 2,
					     .total_count = 21,
					     .total_bytes = 4 << 20,
					     .field = "main.Request.Header.Tenant",
					     .tags = "thrift 1: tenant" EVIL};

static const struct hf_frame some_frames[] = {
	{"runtime.gopark", "/go/proc.go", 0x4371ae, 435, true},
	{"main.worker", "", 0x4a71ae, 0, false},
};
static const struct hf_start_site start_sites[] = {{"/src/main.go", 42, 150}, {"/src/other.go", 7, 50}};
static const struct hf_label some_labels[] = {{"handler", "/api/orders", 200}};
static const struct hf_goroutine_group some_groups[] = {
	{.function = "main.worker",
	 .created_by = "main.main",
	 .wait = "chan send",
	 .count = 200,
	 .leaked = true,
	 .oldest_wait_s = 7300,
	 .newest_wait_s = 60,
	 .stack_bytes = 1 << 20,
	 .retained_bytes = 3 << 20,
	 .retained_count = 400,
	 .sites = start_sites,
	 .sites_n = 2,
	 .labels = some_labels,
	 .labels_n = 1,
	 .example_id = 34,
	 .waits_on = 0xc000123000,
	 .frames = some_frames,
	 .frames_n = 2},
	{.function = "main.other",
	 .created_by = "main.main",
	 .wait = "select",
	 .count = 1,
	 .oldest_wait_s = -1,
	 .newest_wait_s = -1,
	 .stack_bytes = 8192,
	 .example_id = 35,
	 .waits_on = 0xc000456000,
	 .waker = &global_chain},
};
static const struct hf_goroutines some_goroutines = {.groups = some_groups,
						     .n = 2,
						     .left_out = 0,
						     .total = 201,
						     .matched = 201,
						     .leaked = 200,
						     .leaked_groups = 1,
						     .leaked_bytes = 3 << 20};

static const struct hf_info_object some_info_objects[] = {
	{.query = "0xc000456008",
	 .addr = 0xc000456008,
	 .where = "heap",
	 .state = "live",
	 .start = 0xc000456000,
	 .size = 64,
	 .type = "main.Session",
	 .path = ".User",
	 .text = "an object",
	 .value = "",
	 .retainers = 1},
	{.query = "0x4a71ae",
	 .addr = 0x4a71ae,
	 .where = "code",
	 .state = "unknown",
	 .start = 0x4a7100,
	 .size = 512,
	 .type = "",
	 .path = "",
	 .text = "main.worker",
	 .value = "",
	 .frames = some_frames,
	 .frames_n = 2},
	{.query = "0x10",
	 .addr = 0x10,
	 .where = "unmapped",
	 .state = "unknown",
	 .type = "",
	 .path = "",
	 .text = "nothing is mapped here",
	 .value = ""},
};
static const struct hf_info some_info = {some_info_objects, 3};

static const struct hf_why_object some_why_objects[] = {
	{.query = "0xc0004ab000",
	 .addr = 0xc0004ab000,
	 .size = 1024,
	 .type = "[]uint8",
	 .state = "live",
	 .count = 1,
	 .bytes = 1024,
	 .chains = &global_chain,
	 .n = 1},
	{.query = "main.T",
	 .addr = 0xc0005ab000,
	 .size = 16,
	 .type = "main.T",
	 .state = "garbage",
	 .count = 1,
	 .bytes = 16},
};
static const struct hf_why some_why = {some_why_objects, 2, 5};

static const struct hf_pool_type some_pool_types[] = {{"*bytes.Buffer", 50, 3 << 20}, {"*main.T", 1, 64}};
static const struct hf_pool_holder some_pool_holders[] = {{"main.cache", 30, 1440},
							  {"main.worker goroutines", 5, 240}};
static const struct hf_pool_row some_pool_rows[] = {
	{.kind = "sync.Pool",
	 .name = "example.com/app/main.bufPool",
	 .count = 1,
	 .addr = 0x5a3c20,
	 .parent = "",
	 .held_by = "",
	 .constructor = "main.newBuffer",
	 .makes = "*bytes.Buffer",
	 .constructor_addr = 0x4a7100,
	 .items = HF_UNKNOWN,
	 .used_bytes = HF_UNKNOWN,
	 .idle = 51,
	 .in_private = 1,
	 .in_shared = 40,
	 .in_victim = 10,
	 .idle_bytes = 4 << 20,
	 .victim_bytes = 1 << 20,
	 .own_bytes = 2048,
	 .types = some_pool_types,
	 .types_n = 2,
	 .median_bytes = 65536,
	 .p99_bytes = 65536,
	 .largest_bytes = 2 << 20,
	 .largest_addr = 0xc000456000,
	 .largest_size = 48,
	 .heavy = 3,
	 .held = 2,
	 .twice = 1,
	 .out = 35,
	 .out_bytes = 1680,
	 .out_pools = 2,
	 .holders = some_pool_holders,
	 .holders_n = 2,
	 .problem = ""},
	{.kind = "sync.Pool",
	 .name = "main.Server.bufs\x1b[2J\xff",
	 .count = 3,
	 .addr = 0xc000010000,
	 .parent = "main.outer",
	 .held_by = "main.servers",
	 .constructor = "",
	 .makes = "",
	 .items = 7,
	 .used_bytes = 700,
	 .out = HF_UNKNOWN,
	 .out_bytes = HF_UNKNOWN,
	 .problem = ""},
	{.kind = "described",
	 .name = "conn",
	 .count = 1,
	 .addr = 0x404100,
	 .parent = "",
	 .held_by = "",
	 .constructor = "ctor_leaky",
	 .constructor_addr = 0x401136,
	 .makes = "",
	 .items = 4000,
	 .used_bytes = 256000,
	 .idle = 10,
	 .in_shared = 10,
	 .idle_bytes = 640,
	 .median_bytes = 64,
	 .p99_bytes = 64,
	 .largest_bytes = 64,
	 .largest_size = 64,
	 .out = HF_UNKNOWN,
	 .out_bytes = HF_UNKNOWN,
	 .object_size = 64,
	 .slabs = 5,
	 .slots = 5000,
	 .slab_bytes = 320000,
	 .problem = "the free list leads to 0x40\x1b[2J\xff"},
};
static const struct hf_pools_answer some_pools = {some_pool_rows, 3,       4,       100, 8, 51,
						  5 << 20,        1 << 20, 40 << 20};

static const struct hf_snap some_snap = {"a b.core", 1 << 20, 1 << 19, 1 << 30, 12};

static const struct hf_page some_page = {&some_overview,   &some_top,     &some_top,
					 &some_goroutines, &global_chain, "[]uint8"};

static const struct {
	const char *command;
	const void *result;
} all_results[] = {
	{"overview", &some_overview},
	{"info", &some_info},
	{"why", &some_why},
	{"top", &some_top},
	{"goroutines", &some_goroutines},
	{"pools", &some_pools},
	{"snap", &some_snap},
	{"page", &some_page},
	{"dominators", &some_dominators},
	{"dominators", &two_dominators},
	{"top", &some_top_by_site},
	{"why", &some_allocated},
	{"spans", &some_spans},
	{"spans", &no_spans},
	{"memstats", &some_memstats},
	{"slack", &some_slack},
	{"top", &some_field_top},
};

#endif
