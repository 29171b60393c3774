/* Hand-made results of sites, spans and MemStats; part of report_make.h. */
#ifndef REPORT_MAKE_SITES_H
#define REPORT_MAKE_SITES_H

static const struct hf_frame some_stack[] = {
	{.function = "example.com/a/main.makeRecord", .file = "/src/a/main.go", .line = 42, .pc = 0x401000},
	{.function = "main." EVIL, .file = "", .pc = 0x402000},
	{.function = "main.one", .file = "/src/" EVIL ".go", .line = 1, .pc = 0x403000},
	{.function = "main.two", .file = "/src/main.go", .line = 2, .pc = 0x404000},
	{.function = "main.main", .file = "/src/main.go", .line = UINT32_MAX, .pc = 0x405000},
};
static const struct hf_site some_sites[] = {
	{.function = "example.com/a/main.makeRecord",
	 .file = "/src/a/main.go",
	 .line = 42,
	 .alloc_count = 1048640,
	 .alloc_bytes = 64 << 20,
	 .samples = 7,
	 .alloc_samples = 9,
	 .stacks = 2,
	 .stack = some_stack,
	 .stack_n = 5},
	{.function = "main." EVIL, .file = "", .alloc_count = UINT64_MAX, .alloc_bytes = UINT64_MAX},
};
static const struct hf_row some_site_rows[] = {
	{.name = "example.com/a/main.makeRecord main.go:42",
	 .count = 1000,
	 .bytes = 2 << 20,
	 .retained_bytes = 1 << 20,
	 .site = &some_sites[0]},
	{.name = "main." EVIL, .count = 0, .bytes = 0, .retained_bytes = 0, .site = &some_sites[1]},
};
static const struct hf_top some_top_by_site = {.rows = some_site_rows,
					       .n = 2,
					       .left_out = 3,
					       .total_count = 1000,
					       .total_bytes = 4 << 20,
					       .sample_rate = 524288};
static const struct hf_why_object some_allocated_object = {.query = "0xc000456000",
							   .addr = 0xc000456000,
							   .size = 64,
							   .type = "main.Session",
							   .state = "live",
							   .count = 1,
							   .bytes = 64,
							   .allocated = some_stack,
							   .allocated_n = 5};
static const struct hf_why some_allocated = {.objects = &some_allocated_object, .n = 1};

static const struct hf_span_class some_classes[] = {
	{.size = 64,
	 .spans = 100,
	 .bytes = 819200,
	 .slots = 12800,
	 .objects = 12000,
	 .live = 11000,
	 .live_bytes = 704000,
	 .free_bytes = 51200,
	 .tail_bytes = 1280,
	 .rounding_bytes = 88000,
	 .rounding_objects = 11000,
	 .cached = 2,
	 .partial = 60,
	 .full = 38,
	 .unswept = 5},
	{.spans = 3, .bytes = 12 << 20, .slots = 3, .objects = 3, .live = 2, .live_bytes = 8 << 20},
};
static const struct hf_span_type some_large[] = {
	{"[]uint8", 2, 8 << 20, 8 << 20},
	{"main." EVIL, 1, 4 << 20, 0},
};
static const struct hf_spans some_spans = {.classes = some_classes,
					   .n = 2,
					   .total = {.spans = 103,
						     .bytes = 13402112,
						     .live = 11002,
						     .cached = 2,
						     .partial = 60,
						     .full = 38,
						     .unswept = 5},
					   .large = some_large,
					   .large_n = 2,
					   .large_left_out = 4,
					   .idle_bytes = 3 << 20,
					   .idle_released = 2 << 20,
					   .idle_runs = 7,
					   .idle_largest = 1 << 20,
					   .idle_cached = 8192,
					   .sparse_share = 0.25,
					   .sparse_spans = 34,
					   .sparse_bytes = 294912,
					   .sparse_live_bytes = 16384,
					   .text = "288 KiB are held by 34 spans"};
static const struct hf_spans no_spans = {
	.idle_bytes = HF_UNKNOWN, .idle_released = HF_UNKNOWN, .padding_bytes = HF_UNKNOWN, .text = "none"};

static const struct hf_figure some_figures[] = {
	{"HeapAlloc", "allocated objects", HF_UNIT_BYTES, 5 << 20, 0},
	{"Mallocs", "objects ever allocated", HF_UNIT_COUNT, 1234567, 0},
	{"NextGC", "the heap's size when the next collection is to end", HF_UNIT_BYTES, HF_NOLIMIT, 0},
	{"LastGC", "when the last collection ended", HF_UNIT_TIME_NS, 0, 0},
	{"PauseTotalNs", "how long the world stood still for collections", HF_UNIT_NS, 1500000, 0},
	{"GCCPUFraction", "the collector's part of the CPU time since the start", HF_UNIT_FRACTION, 0, 0.125},
	{"EnableGC", "always true", HF_UNIT_BOOL, 1, 0},
};
static const uint64_t some_pauses[] = {30500, 1000000};
static const struct hf_size_count some_sizes[] = {{0, 0, 0}, {8, 5, 5}, {64, 1000, 400}, {1024, 7, 0}};
static const struct hf_heap heap_with_memstats = {.runtime = "go",
						  .version = "go1.26.8",
						  .gc_phase = "off",
						  .memstats = some_figures,
						  .memstats_n = 7,
						  .pauses = some_pauses,
						  .pauses_n = 2,
						  .by_size = some_sizes,
						  .by_size_n = 4};
static const struct hf_overview some_memstats = {.cmdline = "",
						 .cgroup_path = "",
						 .heaps = &heap_with_memstats,
						 .heaps_n = 1,
						 .shares_of = "the heap",
						 .verdict = "heap-live",
						 .verdict_text = "",
						 .main_path = "",
						 .main_version = "",
						 .vcs = ""};

#endif
