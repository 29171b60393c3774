/* Build info: what the linker leaves of version and modules, and what an enemy might. */
#include <criterion/criterion.h>

#include "../../src/runtime/go/buildinfo.h"

#define MAGIC    "\xff Go buildinf:"
#define SENTINEL "0123456789abcdef"
#define HEADER   32

struct blob {
	uint8_t at[8192];
	size_t n;
};

static void put(struct blob *b, const void *bytes, size_t n)
{
	cr_assert(n <= sizeof(b->at) - b->n);
	memcpy(b->at + b->n, bytes, n);
	b->n += n;
}

static void put_varint(struct blob *b, uint64_t v)
{
	do {
		uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

		put(b, &byte, 1);
		v >>= 7;
	} while (v);
}

static void put_header(struct blob *b, uint8_t flags)
{
	uint8_t header[HEADER] = {0};

	memcpy(header, MAGIC, 14);
	header[14] = 8;
	header[15] = flags;
	put(b, header, sizeof(header));
}

static void put_string(struct blob *b, const char *s)
{
	put_varint(b, strlen(s));
	put(b, s, strlen(s));
}

static struct blob make_blob(const char *version, const char *modules)
{
	struct blob b = {.n = 0};

	put_header(&b, 2);
	put_string(&b, version);
	if (modules) {
		put_varint(&b, strlen(modules) + 32);
		put(&b, SENTINEL, 16);
		put(&b, modules, strlen(modules));
		put(&b, SENTINEL, 16);
	}
	return b;
}

/* From memory of its own size, so that ASan sees a read beyond. */
static bool split(const struct blob *b, struct go_buildinfo *ret, uint8_t **copy)
{
	*copy = malloc(b->n ? b->n : 1);
	memcpy(*copy, b->at, b->n);
	return go_buildinfo_split(*copy, b->n, ret);
}

static const char modules[] = "path\texample.com/shop/cmd/server\n"
			      "mod\texample.com/shop\tv1.4.2\th1:abc=\n"
			      "dep\tgithub.com/a/b\tv1.0.0\th1:x=\n"
			      "dep\tgithub.com/c/d\tv0.9.1\n"
			      "=>\t../local/d\tv0.0.1\th1:y=\n"
			      "dep\tgithub.com/e/f\tv2.0.0\n"
			      "build\t-compiler=gc\n"
			      "build\tvcs=git\n"
			      "build\tvcs.revision=0123456789abcdef0123456789abcdef01234567\n"
			      "build\tvcs.time=2026-01-02T03:04:05Z\n"
			      "build\tvcs.modified=true\n";

Test(go_version, blob_of_the_linker_is_split)
{
	struct blob b = make_blob("go1.26.8", modules);
	struct go_buildinfo info;
	uint8_t *copy;

	cr_assert(split(&b, &info, &copy));
	cr_expect(info.version_n == 8 && !memcmp(info.version, "go1.26.8", 8));
	cr_expect_eq(info.modules_n, strlen(modules));
	cr_expect(!memcmp(info.modules, modules, info.modules_n));
	free(copy);
}

Test(go_version, magic_is_found_at_a_later_multiple_of_16)
{
	struct blob good = make_blob("go1.20.14", modules), b = {.n = 48};
	struct go_buildinfo info;
	uint8_t *copy;

	put(&b, good.at, good.n);
	cr_expect(split(&b, &info, &copy));
	free(copy);
	b = (struct blob){.n = 8};
	put(&b, good.at, good.n);
	cr_expect_not(split(&b, &info, &copy), "off the alignment");
	free(copy);
}

Test(go_version, every_truncation_is_refused_or_whole)
{
	struct blob whole = make_blob("go1.27.4", modules);
	size_t version_end = HEADER + 1 + 8;

	for (size_t n = 0; n < whole.n; n++) {
		struct blob b = whole;
		struct go_buildinfo info = {0};
		uint8_t *copy;
		bool found;

		b.n = n;
		found = split(&b, &info, &copy);
		cr_expect_eq(found, n >= version_end, "%zu bytes", n);
		cr_expect_null(info.modules, "%zu bytes", n);
		free(copy);
	}
}

Test(go_version, bad_headers_are_refused)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
	} cases[] = {
		{"pointers, as up to 1.17", 15, 0}, {"big endian pointers", 15, 1},
		{"another magic", 0, 0xfe},         {"another magic's end", 13, ';'},
		{"an empty version", HEADER, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob b = make_blob("go1.26.8", modules);
		struct go_buildinfo info;
		uint8_t *copy;

		b.at[cases[i].at] = cases[i].byte;
		cr_expect_not(split(&b, &info, &copy), "%s", cases[i].what);
		free(copy);
	}
}

Test(go_version, absurd_lengths_are_refused)
{
	static const uint64_t lengths[] = {
		9,
		257,
		8192,
		UINT32_MAX,
		INT64_MAX,
		UINT64_MAX,
		UINT64_MAX - 1,
		UINT64_MAX - HEADER,
		(uint64_t)1 << 63,
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct blob b = {.n = 0};
		struct go_buildinfo info;
		uint8_t *copy;

		put_header(&b, 2);
		put_varint(&b, lengths[i]);
		put(&b, "go1.26.8", 8);
		cr_expect_not(split(&b, &info, &copy), "length %" PRIu64, lengths[i]);
		free(copy);
		b = make_blob("go1.26.8", NULL);
		put_varint(&b, lengths[i]);
		put(&b, "x", 1);
		cr_expect(split(&b, &info, &copy), "the version stands, whatever follows");
		cr_expect_null(info.modules, "length %" PRIu64, lengths[i]);
		free(copy);
	}
}

Test(go_version, endless_varints_are_refused)
{
	struct go_buildinfo info;
	uint8_t *copy;

	for (size_t n = 0; n < 64; n++) {
		struct blob b = {.n = 0};

		put_header(&b, 2);
		for (size_t i = 0; i < n; i++)
			put(&b, "\xff", 1);
		cr_expect_not(split(&b, &info, &copy), "%zu bytes", n);
		free(copy);
	}
}

Test(go_version, a_version_beyond_all_bounds_is_refused)
{
	char version[300];
	struct go_buildinfo info;
	struct blob b;
	uint8_t *copy;

	memset(version, 'x', sizeof(version));
	version[256] = '\0';
	b = make_blob(version, NULL);
	cr_expect(split(&b, &info, &copy));
	free(copy);
	version[256] = 'x';
	version[257] = '\0';
	b = make_blob(version, NULL);
	cr_expect_not(split(&b, &info, &copy));
	free(copy);
}

Test(go_version, modules_without_their_frame_are_left_out)
{
	struct blob b = make_blob("go1.26.8", "path\tno newline at the end");
	struct go_buildinfo info;
	uint8_t *copy;

	cr_expect(split(&b, &info, &copy));
	cr_expect_null(info.modules);
	free(copy);
	b = make_blob("go1.26.8", "");
	cr_expect(split(&b, &info, &copy));
	cr_expect_null(info.modules);
	free(copy);
}

/* ---- module lines -------------------------------------------------------------------------------------- */

static struct go_modinfo parse(const char *text, size_t n, struct hf_arena *arena)
{
	struct go_modinfo info = {0};
	char *copy = malloc(n ? n : 1);
	struct hf_err *err;

	memcpy(copy, text, n);
	err = go_modinfo_parse(copy, n, arena, &info);
	cr_assert_null(err);
	free(copy);
	cr_assert(info.path && info.version && info.vcs);
	return info;
}

Test(go_version, module_lines_are_parsed)
{
	struct hf_arena arena = {0};
	struct go_modinfo info = parse(modules, strlen(modules), &arena);

	cr_expect_str_eq(info.path, "example.com/shop/cmd/server");
	cr_expect_str_eq(info.version, "v1.4.2");
	cr_expect_str_eq(info.vcs,
			 "0123456789abcdef0123456789abcdef01234567, 2026-01-02T03:04:05Z (modified)");
	cr_assert_eq(info.deps_n, 3);
	cr_expect_str_eq(info.deps[0].path, "github.com/a/b");
	cr_expect_str_eq(info.deps[0].version, "v1.0.0");
	cr_expect_str_eq(info.deps[0].replaced_by, "");
	cr_expect_str_eq(info.deps[1].replaced_by, "../local/d v0.0.1");
	cr_expect_str_eq(info.deps[2].replaced_by, "");
	hf_arena_deinit(&arena);
}

Test(go_version, odd_lines_are_passed_over)
{
	static const struct {
		const char *text, *path, *version, *vcs;
		size_t deps;
		const char *replaced_by; /* of the last dep */
	} cases[] = {
		{"", "", "", "", 0, NULL},
		{"\n\n\n", "", "", "", 0, NULL},
		{"path\t", "", "", "", 0, NULL},
		{"path", "", "", "", 0, NULL},
		{"mod\ta.b/c", "a.b/c", "", "", 0, NULL},
		{"mod\ta.b/c\tv1\n", "a.b/c", "v1", "", 0, NULL},
		{"mod\t\tv1\n", "", "v1", "", 0, NULL},
		{"dep\t\n", "", "", "", 0, NULL},
		{"dep\t\tv1\n", "", "", "", 0, NULL},
		{"dep\tx\n=>\ty\n", "", "", "", 1, "y"},
		{"dep\tx\tv1\n=>\t\tv2\n", "", "", "", 1, ""},
		{"=>\ty\tv1\tsum\n", "", "", "", 0, NULL},
		{"dep\tx\tv1\n=>\ty\tv2\n=>\tz\tv3\n", "", "", "", 1, "y v2"},
		{"dep\tx\tv1\nmod\tm\tv\n=>\ty\tv2\n", "m", "v", "", 1, ""},
		{"build\tvcs.modified=true\n", "", "", "", 0, NULL},
		{"build\tvcs.revision=\n", "", "", "", 0, NULL},
		{"build\tvcs.revision=abc\n", "", "", "abc", 0, NULL},
		{"build\tvcs.revision=abc\nbuild\tvcs.modified=false\n", "", "", "abc", 0, NULL},
		{"build\tvcs.revision=abc\nbuild\tvcs.modified=true", "", "", "abc (modified)", 0, NULL},
		{"path\ta\x1b[2J\x80\xffz\n", "a?[2J??z", "", "", 0, NULL},
		{"nonsense\tpath\tx\n", "", "", "", 0, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hf_arena arena = {0};
		struct go_modinfo info = parse(cases[i].text, strlen(cases[i].text), &arena);

		cr_expect_str_eq(info.path, cases[i].path, "case %zu: %s", i, info.path);
		cr_expect_str_eq(info.version, cases[i].version, "case %zu: %s", i, info.version);
		cr_expect_str_eq(info.vcs, cases[i].vcs, "case %zu: %s", i, info.vcs);
		cr_expect_eq(info.deps_n, cases[i].deps, "case %zu: %zu", i, info.deps_n);
		if (cases[i].replaced_by)
			cr_expect_str_eq(info.deps[info.deps_n - 1].replaced_by, cases[i].replaced_by,
					 "case %zu: %s", i, info.deps[info.deps_n - 1].replaced_by);
		hf_arena_deinit(&arena);
	}
}

Test(go_version, long_texts_are_cut)
{
	size_t n = 100000;
	char *text = malloc(n);
	struct hf_arena arena = {0};
	struct go_modinfo info;

	memset(text, 'x', n);
	memcpy(text, "path\t", 5);
	info = parse(text, n, &arena);
	cr_expect_eq(strlen(info.path), GO_BUILDINFO_TEXT);
	cr_expect_str_eq(info.path + GO_BUILDINFO_TEXT - 3, "...");
	memcpy(text, "dep\tx\tv1\n=>\t", 12);
	info = parse(text, n, &arena);
	cr_expect_eq(strlen(info.deps[0].replaced_by), GO_BUILDINFO_TEXT);
	memcpy(text, "build\tvcs.revision=", 19);
	info = parse(text, n, &arena);
	cr_expect_eq(strlen(info.vcs), 128);
	free(text);
	hf_arena_deinit(&arena);
}

Test(go_version, so_many_dependencies_are_bounded)
{
	size_t lines = 150000, n = lines * 6;
	char *text = malloc(n);
	struct hf_arena arena = {0};

	for (size_t i = 0; i < lines; i++)
		memcpy(text + i * 6, "dep\tx\n", 6);
	cr_expect_eq(parse(text, n, &arena).deps_n, 100000);
	free(text);
	hf_arena_deinit(&arena);
}

Test(go_version, memory_out_is_an_error_and_no_leak)
{
	bool succeeded = false;

	for (unsigned long nth = 1; nth < 100 && !succeeded; nth++) {
		struct hf_arena arena = {0};
		struct go_modinfo info;
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = go_modinfo_parse(modules, strlen(modules), &arena, &info);
		hf_alloc_fail_nth(0);
		succeeded = !err;
		cr_expect(!err || hf_err_code(err) == HF_NOMEM);
		hf_err_destroy(err);
		hf_arena_deinit(&arena);
	}
	cr_expect(succeeded);
}
