/* The loaded files of a target, from its mappings and auxiliary vector. */
#define _GNU_SOURCE
#include "debugfile.h"
#include "internal.h"

#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_MAX 65536 /* of a file that can only be had from the target's memory: its headers and notes */

/* Same file, mapped or gone. */
static bool is_same_file(const struct hf_map *a, const struct hf_map *b)
{
	return a->dev == b->dev && a->inode == b->inode && !strcmp(a->path, b->path);
}

static bool is_candidate(const struct hf_map *map)
{
	return map->executable && (map->path[0] == '/' || !strcmp(map->path, "[vdso]"));
}

/* The load bias of the file by one of its mappings. False where no segment of the file is mapped so. */
static bool find_bias(const struct hf_elf *elf, const struct hf_map *map, uint64_t *ret)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct hf_elf_segment *p = &elf->segments.at[i];
		uint64_t skew = p->offset & 4095, from = p->offset - skew;

		if (p->executable == map->executable && map->offset >= from &&
		    map->offset - from < p->filesz + skew) {
			*ret = map->start - (p->vaddr - skew + (map->offset - from));
			return true;
		}
	}
	return false;
}

/* Headers from the target's memory. Errors are the reader's: FAULT, STALE, BADDATA. */
static struct hf_err *open_from_memory(struct hf_target *t, const struct hf_map *map, struct hf_elf **ret)
{
	size_t len = hf_min(map->end - map->start, (uint64_t)HEAD_MAX);
	_free_ void *head = hf_malloc(len);

	if (!head)
		return hf_err_nomem();
	HF_TRY(hf_target_read(t, map->start, head, len));
	return hf_elf_open_bytes(head, len, ret);
}

static const char *keep(struct hf_syms *s, const char *text)
{
	const char *copy = hf_arena_strndup(&s->arena, text, strlen(text));

	return copy ? copy : "";
}

static void take_build_id(struct hf_syms *s, struct hf_module *m, const struct hf_elf *elf)
{
	memcpy(m->build_id, elf->build_id, sizeof(m->build_id));
	m->build_id_len = elf->build_id_len;
	m->go_build_id = keep(s, elf->go_build_id);
}

/* The first mapping of the same file at or below map: where its headers are. */
static const struct hf_map *head_of(struct hf_target *t, const struct hf_map *map)
{
	while (map > t->maps.at && map->offset && is_same_file(map - 1, map))
		map--;
	return map;
}

/* Without the file: what its mappings span, and the build-id, if its headers can be read from memory. */
static void describe_unopened(struct hf_syms *s, const struct hf_map *map, struct hf_module *m)
{
	const struct hf_map *head = head_of(s->t, map), *past = s->t->maps.at + s->t->maps.n;
	_cleanup_(hf_elf_close_p) struct hf_elf *elf = NULL;

	m->start = head->start;
	m->bias = head->start - hf_min(head->offset, head->start);
	for (m->end = map->end; ++map < past && is_same_file(map, head);)
		m->end = map->end;
	if (head->offset || hf_err_ignore(open_from_memory(s->t, head, &elf)))
		return;
	take_build_id(s, m, elf);
	m->bias = head->start - elf->start;
}

static struct hf_err *open_file(struct hf_syms *s, const struct hf_map *map, struct hf_elf **ret)
{
	_close_ int fd = -1;

	if (map->path[0] != '/')
		return open_from_memory(s->t, map, ret);
	HF_TRY(hf_target_open_file(s->t, map, &fd));
	return hf_elf_open(fd, ret);
}

static struct hf_err *add_module(struct hf_syms *s, const struct hf_map *map, bool is_main)
{
	struct hf_module m = {
		.path = keep(s, map->path), .problem = "", .go_build_id = "", .is_main = is_main};
	_cleanup_(hf_elf_close_p) struct hf_elf *elf = NULL;
	struct hf_err *err = open_file(s, map, &elf);

	if (err && (is_main || hf_err_code(err) == HF_NOMEM))
		return hf_err_prefix(err, "the target's executable %s", m.path);
	if (!err && !find_bias(elf, map, &m.bias))
		err = hf_err(HF_BADDATA, "no segment of the file fits its mappings");
	if (err && is_main)
		return hf_err_prefix(err, "the target's executable %s", m.path);
	if (err) {
		m.problem = keep(s, hf_err_message(err));
		hf_err_destroy(err);
		describe_unopened(s, map, &m);
	} else {
		m.start = elf->start + m.bias;
		m.end = elf->end + m.bias;
		take_build_id(s, &m, elf);
		m.elf = elf;
	}
	HF_TRY(hf_vec_push(&s->modules, m));
	elf = NULL; /* the module's now */
	return NULL;
}

/* Where the kernel began to run: AT_ENTRY lies in the executable. Without one, the first executable file mapping. */
static const struct hf_map *find_main_map(struct hf_target *t)
{
	const struct hf_map *map;
	uint64_t entry;

	if (hf_target_auxv(t, AT_ENTRY, &entry)) {
		map = hf_target_find_map(t, entry);
		if (map && map->path[0] == '/')
			return map;
	}
	for (map = t->maps.at; map < t->maps.at + t->maps.n; map++)
		if (is_candidate(map))
			return map;
	return NULL;
}

static bool is_known(const struct hf_syms *s, const struct hf_map *map)
{
	/* Mappings ascend, so only the last module and the main one can hold it. */
	const struct hf_module *last = &s->modules.at[s->modules.n - 1], *main = &s->modules.at[0];

	return map->start - main->start < main->end - main->start ||
	       (map->start >= last->start && map->start < last->end);
}

static int compare_start(const void *a, const void *b, void *arg)
{
	const struct hf_module *m = arg;
	uint64_t x = m[*(const uint32_t *)a].start, y = m[*(const uint32_t *)b].start;

	return x < y ? -1 : x > y;
}

struct hf_err *hf_modules_find(struct hf_syms *s)
{
	const struct hf_map *main = find_main_map(s->t);

	if (!main)
		return hf_err(HF_TARGET, "%s has no executable mapping of a file",
			      s->t->label ? s->t->label : "the target");
	HF_TRY(add_module(s, main, true));
	hf_vec_each(&s->t->maps, map) {
		if (is_candidate(map) && !is_known(s, map) && s->modules.n < HF_MODULES_MAX)
			HF_TRY(add_module(s, map, false));
	}
	for (uint32_t i = 0; i < s->modules.n; i++)
		HF_TRY(hf_vec_push(&s->by_start, i));
	qsort_r(s->by_start.at, s->by_start.n, sizeof(uint32_t), compare_start, s->modules.at);
	return NULL;
}

struct hf_module *hf_module_at(const struct hf_syms *s, uint64_t addr)
{
	size_t lo = 0, hi = s->by_start.n;
	struct hf_module *m;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->modules.at[s->by_start.at[mid]].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	m = &s->modules.at[s->by_start.at[lo - 1]];
	return addr < m->end ? m : NULL;
}

struct hf_elf *hf_module_debug(struct hf_syms *s, struct hf_module *m)
{
	struct hf_debugfile_query query = {.t = s->t,
					   .debug_dir = s->debug_dir,
					   .path = m->path,
					   .elf = m->elf,
					   .debuginfod = s->debuginfod};

	if (!m->debug_tried && m->elf) {
		m->debug_tried = true;
		hf_err_destroy(hf_debugfile_find(&query, &m->debug));
	}
	return m->debug;
}

struct hf_dwarf *hf_module_dwarf(struct hf_syms *s, struct hf_module *m)
{
	struct hf_dwarf_source src = {.module = (uint32_t)(m - s->modules.at),
				      .path = m->path,
				      .start = m->start - m->bias,
				      .end = m->end - m->bias};
	struct hf_err *err;

	if (m->dwarf_tried || !m->elf)
		return m->dwarf;
	m->dwarf_tried = true;
	src.elf = hf_elf_find_section(m->elf, ".debug_info") ? m->elf : hf_module_debug(s, m);
	src.t = s->t;
	src.debug_dir = s->debug_dir;
	src.debuginfod = s->debuginfod;
	if (!src.elf || !hf_elf_find_section(src.elf, ".debug_info"))
		return NULL;
	err = hf_dwarf_open(&src, &m->dwarf);
	if (err) {
		m->problem = keep(s, hf_err_message(err));
		hf_err_destroy(err);
		return NULL;
	}
	s->dwarfs++;
	return m->dwarf;
}

static struct hf_section tell_section(const struct hf_module *m, const struct hf_elf_section *s)
{
	return (struct hf_section){.name = s->name,
				   .addr = s->flags & SHF_ALLOC ? s->addr + m->bias : 0,
				   .size = s->size,
				   .writable = s->flags & SHF_WRITE,
				   .executable = s->flags & SHF_EXECINSTR};
}

bool hf_module_section(const struct hf_module *m, const char *name, struct hf_section *ret)
{
	const struct hf_elf_section *s = m->elf ? hf_elf_find_section(m->elf, name) : NULL;

	if (s)
		*ret = tell_section(m, s);
	return s;
}

bool hf_module_section_at(const struct hf_module *m, uint64_t addr, struct hf_section *ret)
{
	const struct hf_elf_section *s = m->elf ? hf_elf_section_at(m->elf, addr - m->bias) : NULL;

	if (s)
		*ret = tell_section(m, s);
	return s;
}

struct hf_err *hf_module_section_bytes(const struct hf_module *m, const char *name, const void **ret,
				       size_t *ret_len)
{
	const struct hf_elf_section *s = m->elf ? hf_elf_find_section(m->elf, name) : NULL;

	if (!s)
		return hf_err(HF_FAULT, "%s has no section %s", m->path, name);
	return hf_elf_section_bytes(m->elf, s, ret, ret_len);
}
