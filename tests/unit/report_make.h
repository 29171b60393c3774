/* Hand-made results for the tests of reports. */
#ifndef REPORT_MAKE_H
#define REPORT_MAKE_H

#include "../../include/holdfast.h"

#define EVIL "\033[2J\nrm -rf \"x\"\xff\xe2\x80\xae"

static const struct hf_head live_head = {
	.kind = "live",
	.label = "process 7 (leaky)",
	.pid = 7,
	.exe = "/srv/leaky",
	.stopped_s = 0.0123,
	.complete = true,
};

static const struct hf_step long_type_steps[] = {
	{0xc000010000, 48, "map[string]*main.Session", ""},
	{0xc000456000, 64, "main.Session", "[\"session-7\"]"},
	{0xc000457000, 64, "main.Session", ".Payload"},
	{0xc0004ab000, 1024, "[]uint8", ""},
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
	{"[]uint8", 20000, 3 << 20, HF_UNKNOWN},
	{"main." EVIL, 1, 1 << 20, HF_UNKNOWN},
};
static const struct hf_top some_top = {
	.rows = some_rows,
	.n = 2,
	.left_out = 3,
	.left_out_bytes = 1 << 20,
	.total_count = 30000,
	.total_bytes = 5 << 20,
};

static const struct hf_frame some_frames[] = {
	{"runtime.gopark", "/go/proc.go", 0x4371ae, 435, true},
	{"main.worker", "", 0x4a71ae, 0, false},
};
static const struct hf_goroutine_group some_groups[] = {
	{"main.worker", "main.main", "chan send", 200, 7300, 1 << 20, 34, some_frames, 2},
	{"main.other", "main.main", "select", 1, -1, 8192, 35, NULL, 0},
};
static const struct hf_goroutines some_goroutines = {
	.groups = some_groups, .n = 2, .left_out = 0, .total = 201};

static const struct hf_info_object some_info_objects[] = {
	{"0xc000456008", 0xc000456008, "heap", "live", 0xc000456000, 64, "main.Session", ".User", "an object",
	 "", NULL, 0, 1, 0},
	{"0x4a71ae", 0x4a71ae, "code", "unknown", 0x4a7100, 512, "", "", "main.worker", "", some_frames, 2, 0,
	 0},
	{"0x10", 0x10, "unmapped", "unknown", 0, 0, "", "", "nothing is mapped here", "", NULL, 0, 0, 0},
};
static const struct hf_info some_info = {some_info_objects, 3};

static const struct hf_why_object some_why_objects[] = {
	{"0xc0004ab000", 0xc0004ab000, 1024, "[]uint8", "live", 1, 1024, &global_chain, 1},
	{"main.T", 0xc0005ab000, 16, "main.T", "garbage", 1, 16, NULL, 0},
};
static const struct hf_why some_why = {some_why_objects, 2, 5};

static const struct hf_snap some_snap = {"a b.core", 1 << 20, 1 << 19, 1 << 30, 12};

static const struct hf_page some_page = {&some_overview,   &some_top,     &some_top,
					 &some_goroutines, &global_chain, "[]uint8"};

static const struct {
	const char *command;
	const void *result;
} all_results[] = {
	{"overview", &some_overview},     {"info", &some_info}, {"why", &some_why},   {"top", &some_top},
	{"goroutines", &some_goroutines}, {"snap", &some_snap}, {"page", &some_page},
};

#endif
