/* A .go.buildinfo section of any bytes: its pieces lie within it, and its texts can be printed. */
#include "../../src/runtime/go/buildinfo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_within(const char *piece, size_t n, const uint8_t *data, size_t size)
{
	const char *start = (const char *)data;

	check(piece >= start && n <= size && (size_t)(piece - start) <= size - n);
}

static void check_text(const char *s)
{
	size_t n = strlen(s);

	check(n <= GO_BUILDINFO_TEXT);
	for (size_t i = 0; i < n; i++)
		check(s[i] >= 0x20 && s[i] <= 0x7e);
}

static void parse(const char *text, size_t n)
{
	struct hf_arena arena = {0};
	struct go_modinfo info;

	check(!hf_err_ignore(go_modinfo_parse(text, n, &arena, &info)));
	check_text(info.path);
	check_text(info.version);
	check_text(info.vcs);
	for (size_t i = 0; i < info.deps_n; i++) {
		check_text(info.deps[i].path);
		check_text(info.deps[i].version);
		check_text(info.deps[i].replaced_by);
	}
	hf_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct go_buildinfo info;

	parse((const char *)data, size);
	if (!go_buildinfo_split(data, size, &info))
		return 0;
	check(info.version_n > 0);
	check_within(info.version, info.version_n, data, size);
	if (info.modules) {
		check_within(info.modules, info.modules_n, data, size);
		parse(info.modules, info.modules_n);
	}
	return 0;
}
