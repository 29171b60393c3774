/* Questions about this very process, and about it with a damaged executable. */
#define _GNU_SOURCE
#include "../../src/sym/sym.h"
#include "random.h"
#include "sym_target.h"

#include <elf.h>
#include <sys/mman.h>

enum sym_color { SYM_RED = 3, SYM_GREEN = -7 };

struct sym_opaque;

struct sym_node {
	struct sym_node *next;
	char name[16];
	unsigned low : 3, high : 5;
	union {
		int x;
		struct {
			long y, z;
		};
	};
	int (*call)(void *, int);
	const volatile char *const text;
	int grid[2][3];
	struct sym_opaque *opaque;
	enum sym_color color;
};

typedef struct sym_node sym_node_alias;

struct sym_node *sym_head;
sym_node_alias sym_pool[4];
int (*sym_table[5])(void);
int (*sym_rows)[8];
void (*sym_signal)(int, ...);
void *sym_void;
static int sym_counter = 7;
int sym_work(int a, struct sym_node *node, uint64_t *ret_pc);

static inline __attribute__((always_inline)) uint64_t sym_inlined(int v)
{
	uint64_t pc;

	sym_counter += v;
	__asm__ volatile("lea 0(%%rip), %0" : "=r"(pc));
	return pc;
}

__attribute__((noinline)) int sym_work(int a, struct sym_node *node, uint64_t *ret_pc)
{
	volatile int array[4] = {a};
	struct sym_node copy = {.next = node};

	__asm__ volatile("" : : "r"(&copy), "r"(array) : "memory");
	*ret_pc = sym_inlined(a);
	return array[0];
}

static struct sym_file file;
static struct hf_target *target;
static struct hf_syms *syms;

static void open_syms(void)
{
	file = (struct sym_file){.fd = -1};
	target = open_self(&file);
	MUST(hf_syms_open(target, NULL, &syms));
	sym_head = sym_pool;
}

static void close_syms(void)
{
	hf_syms_close(syms);
	hf_target_close(target);
}

TestSuite(dwarf, .init = open_syms, .fini = close_syms, .timeout = 240);

/* ---- modules and symbols ------------------------------------------------------------------------------ */

Test(dwarf, own_process_has_its_executable_first)
{
	const struct hf_module *m;
	struct hf_section section;
	struct hf_symbol sym;

	cr_assert(hf_syms_modules(syms, &m) > 1);
	cr_assert(m[0].is_main && !m[1].is_main);
	cr_assert_str_eq(m[0].path, file.exe);
	cr_assert_str_eq(m[0].problem, "");
	cr_assert_eq(hf_syms_find_module(syms, (uintptr_t)&sym_pool[1]), hf_syms_main(syms));
	cr_assert_null(hf_syms_find_module(syms, 1));
	cr_assert_neq(hf_syms_find_module(syms, (uintptr_t)&getpid), hf_syms_main(syms));
	cr_assert(hf_module_section_at(&m[0], (uintptr_t)&sym_counter, &section));
	cr_assert_str_eq(section.name, ".data");
	cr_assert(hf_syms_find_symbol(syms, "sym_work", &sym));
	cr_assert_eq(sym.addr, (uintptr_t)&sym_work);
	cr_assert(sym.is_function && sym.module == &m[0]);
	cr_assert(!hf_syms_find_symbol(syms, "no such symbol", &sym));
	cr_assert(hf_syms_symbol_at(syms, (uintptr_t)&sym_work + 1, &sym));
	cr_assert_str_eq(sym.name, "sym_work");
}

Test(dwarf, library_that_cannot_be_opened_has_a_problem)
{
	const struct hf_module *m;
	size_t n, problems = 0, ids = 0;

	hf_syms_close(syms);
	file.only_executable = true;
	MUST(hf_syms_open(target, NULL, &syms));
	n = hf_syms_modules(syms, &m);
	for (size_t i = 1; i < n; i++) {
		cr_assert(m[i].start < m[i].end && m[i].start);
		problems += !m[i].elf && m[i].problem[0];
		ids += !m[i].elf && m[i].build_id_len;
	}
	cr_assert(problems > 0);
	cr_assert(ids > 0); /* from the library's headers in memory */
}

Test(dwarf, executable_that_cannot_be_opened_is_an_error)
{
	struct hf_syms *none = NULL;
	struct hf_err *err;

	file.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	err = hf_syms_open(target, NULL, &none);
	cr_assert_eq(hf_err_code(err), HF_BADDATA);
	cr_assert(strstr(hf_err_message(err), file.exe));
	cr_assert_null(none);
	hf_err_destroy(err);
	close(file.fd);
}

/* ---- variables and constants -------------------------------------------------------------------------- */

Test(dwarf, own_variables_have_address_type_and_size)
{
	static const struct {
		const char *name, *type;
		const void *addr;
		size_t size;
	} cases[] = {
		{"sym_head", "struct sym_node *", &sym_head, sizeof(sym_head)},
		{"sym_pool", "sym_node_alias[4]", &sym_pool, sizeof(sym_pool)},
		{"sym_table", "int (*[5])(void)", &sym_table, sizeof(sym_table)},
		{"sym_rows", "int (*)[8]", &sym_rows, sizeof(sym_rows)},
		{"sym_signal", "void (*)(int, ...)", &sym_signal, sizeof(sym_signal)},
		{"sym_void", "void *", &sym_void, sizeof(sym_void)},
		{"sym_counter", "int", &sym_counter, sizeof(sym_counter)},
	};

	cr_assert(hf_syms_has_dwarf(syms));
	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_variable v, at;

		cr_assert(hf_syms_find_variable(syms, cases[i].name, &v), "%s", cases[i].name);
		cr_assert_eq(v.addr, (uintptr_t)cases[i].addr, "%s", cases[i].name);
		cr_assert_eq(v.size, cases[i].size, "%s", cases[i].name);
		cr_assert_str_eq(hf_type_get(syms, v.type)->name, cases[i].type);
		cr_assert(hf_syms_variable_at(syms, v.addr + v.size - 1, &at));
		cr_assert_str_eq(at.name, cases[i].name);
	}
}

Test(dwarf, variables_ascend_and_stay)
{
	const struct hf_variable *v, *again;
	size_t n, n2;

	MUST(hf_syms_variables(syms, &v, &n));
	cr_assert(n >= 7);
	for (size_t i = 1; i < n; i++)
		cr_assert(v[i - 1].addr <= v[i].addr);
	MUST(hf_syms_variables(syms, &again, &n2));
	cr_assert(again == v && n2 == n);
}

Test(dwarf, absent_names_are_absent)
{
	static const char *const names[] = {
		"", "sym_absent", "struct ", "struct sym_absent", "union sym_node", "*"};
	struct hf_variable v;
	struct hf_field f;
	int64_t c;

	for (size_t i = 0; i < HF_LEN(names); i++) {
		cr_assert(!hf_syms_find_variable(syms, names[i], &v), "\"%s\"", names[i]);
		cr_assert(!hf_syms_find_constant(syms, names[i], &c), "\"%s\"", names[i]);
		cr_assert_eq(hf_syms_find_type(syms, names[i]), 0, "\"%s\"", names[i]);
		cr_assert(!hf_syms_find_field(syms, "struct sym_node", names[i], &f), "\"%s\"", names[i]);
	}
	cr_assert(!hf_syms_variable_at(syms, 0, &v));
	cr_assert(!hf_syms_variable_at(syms, UINT64_MAX, &v));
	cr_assert_eq(hf_syms_find_go_rtype(syms, 0x1234), 0);
	cr_assert_str_eq(hf_type_get(syms, 0)->name, "?");
	cr_assert_str_eq(hf_type_get(syms, UINT32_MAX)->name, "?");
}

Test(dwarf, enumerators_are_constants)
{
	int64_t c;

	cr_assert(hf_syms_find_constant(syms, "SYM_RED", &c) && c == SYM_RED);
	cr_assert(hf_syms_find_constant(syms, "SYM_GREEN", &c) && c == SYM_GREEN);
}

/* ---- types -------------------------------------------------------------------------------------------- */

Test(dwarf, own_structure_has_its_members)
{
	static const struct {
		const char *path, *type;
		size_t offset, size;
	} cases[] = {
		{"next", "struct sym_node *", offsetof(struct sym_node, next), 8},
		{"name", "char[16]", offsetof(struct sym_node, name), 16},
		{"x", "int", offsetof(struct sym_node, x), 4},
		{"z", "long int", offsetof(struct sym_node, z), 8},
		{"call", "int (*)(void *, int)", offsetof(struct sym_node, call), 8},
		{"text", "char *", offsetof(struct sym_node, text), 8},
		{"grid", "int[2][3]", offsetof(struct sym_node, grid), 24},
		{"opaque", "struct sym_opaque *", offsetof(struct sym_node, opaque), 8},
		{"color", "enum sym_color", offsetof(struct sym_node, color), 4},
	};
	uint32_t id = hf_syms_find_type(syms, "struct sym_node");
	const struct hf_type *t = hf_type_get(syms, id);
	struct hf_field f;

	cr_assert(id && id == hf_syms_find_type(syms, "sym_node"));
	cr_assert_eq(t->kind, HF_TYPE_STRUCT);
	cr_assert_eq(t->size, sizeof(struct sym_node));
	for (size_t i = 0; i < HF_LEN(cases); i++) {
		cr_assert(hf_syms_find_field(syms, "struct sym_node", cases[i].path, &f), "%s",
			  cases[i].path);
		cr_assert_eq(f.offset, cases[i].offset, "%s", cases[i].path);
		cr_assert_eq(f.size, cases[i].size, "%s", cases[i].path);
		cr_assert_str_eq(hf_type_get(syms, f.type)->name, cases[i].type);
	}
	cr_assert(!hf_syms_find_field(syms, "struct sym_node", "next.", &f));
	cr_assert(!hf_syms_find_field(syms, "struct sym_node", "x.y", &f));
	for (uint32_t i = 1; i < t->members_n; i++)
		cr_assert(t->members[i - 1].offset <= t->members[i].offset);
}

Test(dwarf, typedef_and_array_and_bit_field_are_told)
{
	const struct hf_type *alias = hf_type_get(syms, hf_syms_find_type(syms, "sym_node_alias")), *array;
	const struct hf_type *node = hf_type_get(syms, hf_syms_find_type(syms, "struct sym_node"));
	struct hf_variable v;

	cr_assert_eq(alias->kind, HF_TYPE_TYPEDEF);
	cr_assert_eq(alias->size, sizeof(struct sym_node));
	cr_assert_str_eq(hf_type_strip(syms, hf_syms_find_type(syms, "sym_node_alias"))->name,
			 "struct sym_node");
	cr_assert(hf_syms_find_variable(syms, "sym_pool", &v));
	array = hf_type_get(syms, v.type);
	cr_assert_eq(array->kind, HF_TYPE_ARRAY);
	cr_assert_eq(array->count, 4);
	cr_assert_str_eq(hf_type_get(syms, array->elem)->name, "sym_node_alias");
	cr_assert_eq(node->members[2].bit_size, 3);
	cr_assert_eq(node->members[3].bit_size, 5);
}

/* ---- code --------------------------------------------------------------------------------------------- */

Test(dwarf, inlined_function_comes_before_its_caller)
{
	struct hf_source_frame frames[8];
	uint64_t pc;
	size_t n;

	sym_work(1, NULL, &pc);
	MUST(hf_syms_source_frames(syms, pc - 1, frames, HF_LEN(frames), &n));
	cr_assert_eq(n, 2);
	cr_assert_str_eq(frames[0].function, "sym_inlined");
	cr_assert_str_eq(frames[1].function, "sym_work");
	cr_assert(frames[0].inlined && !frames[1].inlined);
	cr_assert(strstr(frames[0].file, "test_sym_dwarf.c") && strstr(frames[1].file, "test_sym_dwarf.c"));
	cr_assert(frames[0].line > 0 && frames[0].line < frames[1].line);
	MUST(hf_syms_source_frames(syms, pc - 1, frames, 1, &n));
	cr_assert_eq(n, 1);
	MUST(hf_syms_source_frames(syms, pc - 1, frames, 0, &n));
	cr_assert_eq(n, 0);
	MUST(hf_syms_source_frames(syms, 1, frames, HF_LEN(frames), &n));
	cr_assert_eq(n, 0);
}

struct seen {
	unsigned a, node, array, copy, v, all;
	int64_t array_at, copy_at;
};

static struct hf_err *see(void *arg, const struct hf_local *local)
{
	struct seen *seen = arg;

	seen->all++;
	if (!strcmp(local->name, "a") && local->is_parameter)
		seen->a++;
	if (!strcmp(local->name, "v") && local->is_parameter)
		seen->v++;
	if (!strcmp(local->name, "node"))
		seen->node++;
	if (!strcmp(local->name, "array") && !local->in_register) {
		cr_assert_str_eq(hf_type_get(syms, local->type)->name, "int[4]");
		seen->array_at = local->cfa_offset;
		seen->array++;
	}
	if (!strcmp(local->name, "copy") && !local->in_register) {
		cr_assert_str_eq(hf_type_get(syms, local->type)->name, "struct sym_node");
		cr_assert_eq(local->closure_offset, -1);
		seen->copy++;
	}
	return NULL;
}

static struct hf_err *refuse(void *arg, const struct hf_local *local)
{
	(void)local;
	++*(unsigned *)arg;
	return hf_err(HF_REFUSED, "no more");
}

Test(dwarf, locals_have_their_places)
{
	struct seen seen = {0};
	unsigned calls = 0;
	struct hf_err *err;
	uint64_t pc;

	sym_work(1, NULL, &pc);
	MUST(hf_syms_walk_locals(syms, pc - 1, see, &seen));
#ifdef __OPTIMIZE__
	cr_assert(seen.all > 0);
#else
	/* Sanitizers may move an array off the frame: its place is then told by an expression we do not follow. */
	cr_assert(seen.a == 1 && seen.node == 1 && seen.v == 1);
	cr_assert(seen.array <= 1 && seen.copy <= 1);
#endif
	err = hf_syms_walk_locals(syms, pc - 1, refuse, &calls);
	cr_assert_eq(hf_err_code(err), HF_REFUSED);
	cr_assert_eq(calls, 1);
	hf_err_destroy(err);
	calls = 0;
	MUST(hf_syms_walk_locals(syms, 1, refuse, &calls));
	cr_assert_eq(calls, 0);
}

Test(dwarf, variables_have_their_places_everywhere)
{
	struct seen here = {0}, everywhere = {0};
	unsigned calls = 0;
	struct hf_err *err;
	uint64_t pc;

	sym_work(1, NULL, &pc);
	MUST(hf_syms_walk_locals(syms, pc - 1, see, &here));
	MUST(hf_syms_walk_variables(syms, pc - 1, see, &everywhere));
	cr_assert_geq(everywhere.all, here.all);
	cr_assert(everywhere.a && everywhere.node && everywhere.v);
	err = hf_syms_walk_variables(syms, pc - 1, refuse, &calls);
	cr_assert_eq(hf_err_code(err), HF_REFUSED);
	cr_assert_eq(calls, 1);
	hf_err_destroy(err);
	calls = 0;
	MUST(hf_syms_walk_variables(syms, 1, refuse, &calls));
	MUST(hf_syms_walk_variables(syms, 0, refuse, &calls));
	MUST(hf_syms_walk_variables(syms, UINT64_MAX, refuse, &calls));
	cr_assert_eq(calls, 0);
}

/* ---- damaged executables ------------------------------------------------------------------------------ */

static struct hf_err *count_local(void *arg, const struct hf_local *local)
{
	cr_assert_not_null(local->name);
	hf_type_get(syms, local->type);
	++*(size_t *)arg;
	return NULL;
}

static void ask_types(const struct hf_variable *v, size_t n)
{
	for (size_t i = 0; i < n && i < 200; i++)
		cr_assert_not_null(hf_type_get(syms, v[i].type)->name);
	/* Ids are dense; each type that is decoded may bring further ones. */
	for (uint32_t id = 1; id < 2000; id++) {
		const struct hf_type *t = hf_type_get(syms, id);

		cr_assert_not_null(t->name);
		cr_assert(!t->members_n || t->members);
		for (uint32_t m = 0; m < t->members_n; m++)
			cr_assert(strlen(t->members[m].name) < 1 << 20);
		hf_type_strip(syms, id);
	}
}

/* Whatever the file says, all questions come to an end. */
static void ask(uint64_t pc)
{
	struct hf_source_frame frames[8];
	const struct hf_variable *v;
	struct hf_variable one;
	struct hf_symbol sym;
	struct hf_field f;
	size_t n, locals = 0;
	int64_t c;

	hf_syms_has_dwarf(syms);
	MUST(hf_syms_variables(syms, &v, &n));
	ask_types(v, n);
	for (uint64_t at = pc - 256; at < pc + 256; at += 16) {
		hf_err_ignore(hf_syms_source_frames(syms, at, frames, HF_LEN(frames), &n));
		hf_err_ignore(hf_syms_walk_locals(syms, at, count_local, &locals));
		hf_err_ignore(hf_syms_walk_variables(syms, at, count_local, &locals));
		hf_syms_symbol_at(syms, at, &sym);
	}
	hf_syms_find_field(syms, "struct sym_node", "z", &f);
	hf_syms_find_type(syms, "sym_absent");
	hf_syms_find_constant(syms, "SYM_GREEN", &c);
	hf_syms_variable_at(syms, (uintptr_t)&sym_pool[1], &one);
	hf_syms_find_symbol(syms, "sym_absent", &sym);
	hf_syms_set_go_types(syms, 0x1000, 0x2000);
	hf_syms_find_go_rtype(syms, 0x1800);
}

/* Puts bytes in the executable's place and asks. */
static void ask_mutant(const void *bytes, size_t len, uint64_t pc)
{
	struct hf_err *err;

	cr_assert(ftruncate(file.fd, 0) == 0);
	cr_assert(pwrite(file.fd, bytes, len, 0) == (ssize_t)len);
	err = hf_syms_open(target, NULL, &syms);
	if (hf_err_ignore(err)) {
		syms = NULL;
		return;
	}
	ask(pc);
	hf_syms_close(syms);
	syms = NULL;
}

struct span {
	size_t at, len;
};

/* Where the section's bytes are in the file. */
static struct span find_span(const uint8_t *image, size_t len, const char *name)
{
	const Elf64_Ehdr *e = (const void *)image;
	const Elf64_Shdr *s = (const void *)(image + e->e_shoff);
	const char *names = (const char *)image + s[e->e_shstrndx].sh_offset;

	cr_assert(e->e_shoff + e->e_shnum * sizeof(*s) <= len);
	for (unsigned i = 0; i < e->e_shnum; i++)
		if (!strcmp(names + s[i].sh_name, name))
			return (struct span){s[i].sh_offset, s[i].sh_size};
	return (struct span){0, 0};
}

static void begin_mutants(void **ret, size_t *ret_len, uint64_t *ret_pc)
{
	hf_syms_close(syms);
	syms = NULL;
	*ret_len = read_whole("/proc/self/exe", ret);
	sym_work(1, NULL, ret_pc);
	file.only_executable = true;
	file.fd = memfd_create("mutant", MFD_CLOEXEC);
	cr_assert(file.fd >= 0);
}

Test(dwarf, damaged_sections_come_to_an_end)
{
	static const char *const sections[] = {".debug_info",     ".debug_abbrev",   ".debug_line",
					       ".debug_str",      ".debug_loclists", ".debug_rnglists",
					       ".debug_line_str", ".eh_frame"};
	uint64_t random = 0xdebc, pc;
	void *image;
	size_t len;
	uint8_t *copy;

	begin_mutants(&image, &len, &pc);
	copy = hf_malloc(len);
	for (int i = 0; i < 1600; i++) {
		/* Half of them in what steers all the rest. */
		const char *name =
			sections[i % 2 ? random_below(&random, HF_LEN(sections)) : (unsigned)i / 2 % 2];
		struct span s = find_span(image, len, name);
		unsigned flips = 1 + random_below(&random, 12);

		memcpy(copy, image, len);
		while (s.len && flips--)
			copy[s.at + random_below(&random, (uint32_t)s.len)] = (uint8_t)random_next(&random);
		ask_mutant(copy, len, pc);
	}
	hf_free(copy);
	hf_free(image);
	close(file.fd);
}

Test(dwarf, truncated_executable_comes_to_an_end)
{
	uint64_t random = 0x7a11, pc;
	void *image;
	size_t len;

	begin_mutants(&image, &len, &pc);
	for (int i = 0; i < 200; i++)
		ask_mutant(image, random_below(&random, (uint32_t)len), pc);
	hf_free(image);
	close(file.fd);
}

/* As strip(1) leaves it: not an error, there is merely nothing to be had. */
Test(dwarf, executable_without_sections_has_no_names)
{
	const struct hf_variable *v;
	struct hf_symbol sym;
	void *image;
	uint64_t pc;
	size_t len, n;

	begin_mutants(&image, &len, &pc);
	((Elf64_Ehdr *)image)->e_shoff = 0;
	((Elf64_Ehdr *)image)->e_shnum = 0;
	((Elf64_Ehdr *)image)->e_shstrndx = 0;
	cr_assert(pwrite(file.fd, image, len, 0) == (ssize_t)len);
	MUST(hf_syms_open(target, NULL, &syms));
	cr_assert(!hf_syms_has_dwarf(syms));
	cr_assert(!hf_syms_find_symbol(syms, "sym_work", &sym));
	MUST(hf_syms_variables(syms, &v, &n));
	cr_assert_eq(n, 0);
	cr_assert_eq(hf_syms_find_type(syms, "struct sym_node"), 0);
	cr_assert_str_eq(hf_syms_main(syms)->problem, "");
	ask(pc);
	hf_free(image);
	close(file.fd);
}
