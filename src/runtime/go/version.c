#include "buildinfo.h"
#include "go.h"

#define VERSION_MAX 256

/* The executable's section; from the target's memory where the file has no bytes of it.
 * False: there is none, or it cannot be read. */
static bool find_buildinfo(struct hf_target *t, struct hf_syms *s, struct hf_scratch *scratch,
			   struct go_buildinfo *ret)
{
	static const char name[] = ".go.buildinfo";
	const struct hf_module *m = hf_syms_main(s);
	struct hf_section section;
	const void *bytes;
	size_t len;

	if (!m || !hf_module_section(m, name, &section))
		return false;
	if (!hf_err_ignore(hf_module_section_bytes(m, name, &bytes, &len)))
		return go_buildinfo_split(bytes, len, ret);
	if (!section.addr || section.size > 1 << 24)
		return false;
	if (hf_err_ignore(hf_target_get(t, section.addr, (size_t)section.size, scratch, &bytes)))
		return false;
	return go_buildinfo_split(bytes, (size_t)section.size, ret);
}

/* Bytes of initialised data: as the target has them now, else as the file has them. */
static bool read_data(struct hf_target *t, struct hf_syms *s, uint64_t addr, void *buf, size_t len)
{
	const struct hf_module *m = hf_syms_main(s);
	struct hf_section section;
	const void *bytes;
	size_t n;

	if (!hf_err_ignore(hf_target_read(t, addr, buf, len)))
		return true;
	if (!m || !hf_module_section_at(m, addr, &section) || addr < section.addr)
		return false;
	if (hf_err_ignore(hf_module_section_bytes(m, section.name, &bytes, &n)))
		return false;
	if (addr - section.addr > n || len > n - (addr - section.addr))
		return false;
	memcpy(buf, (const uint8_t *)bytes + (addr - section.addr), len);
	return true;
}

/* runtime.buildVersion, a string: for executables that lost the section. 0: there is none. */
static size_t read_build_version(struct hf_target *t, struct hf_syms *s, char *buf, size_t max)
{
	struct hf_symbol symbol;
	uint64_t header[2];

	if (!hf_syms_find_symbol(s, "runtime.buildVersion", &symbol))
		return 0;
	if (!read_data(t, s, symbol.addr, header, sizeof(header)) || !header[1] || header[1] > max)
		return 0;
	return read_data(t, s, header[0], buf, (size_t)header[1]) ? (size_t)header[1] : 0;
}

static struct hf_err *copy_version(const char *text, size_t n, char **ret)
{
	_cleanup_(hf_arena_deinit) struct hf_arena arena = {0};
	const char *clean = go_buildinfo_text(&arena, text, n);
	char *copy = clean ? hf_strdup(clean) : NULL;

	if (!copy)
		return hf_err_nomem();
	*ret = copy;
	return NULL;
}

struct hf_err *go_read_version(struct hf_target *t, struct hf_syms *s, char **ret)
{
	struct hf_scratch scratch = {0};
	struct go_buildinfo info;
	char buf[VERSION_MAX];
	struct hf_err *err;

	if (find_buildinfo(t, s, &scratch, &info))
		err = copy_version(info.version, info.version_n, ret);
	else
		err = copy_version(buf, read_build_version(t, s, buf, sizeof(buf)), ret);
	hf_vec_deinit(&scratch);
	return err;
}

struct hf_err *go_read_build_info(struct go *go, struct hf_runtime_stats *ret)
{
	struct hf_scratch scratch = {0};
	struct go_buildinfo info;
	struct go_modinfo modules = {.path = "", .version = "", .vcs = ""};
	struct hf_err *err = NULL;

	if (find_buildinfo(go->t, go->syms, &scratch, &info) && info.modules)
		err = go_modinfo_parse(info.modules, info.modules_n, &go->names, &modules);
	hf_vec_deinit(&scratch);
	HF_TRY(err);
	ret->main_path = modules.path;
	ret->main_version = modules.version;
	ret->vcs = modules.vcs;
	ret->deps = modules.deps;
	ret->deps_n = modules.deps_n;
	return NULL;
}
