#include "core_make.h"
#include "../../src/target/facts.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BASE 0x400000u
#define HEAP 0x600000u

static uint8_t elf[0x2000];

/* A victim of two threads: an ELF file's two pages, of which the core has the first; 0x100 bytes of memory
 * and zeros behind them; untouched memory. */
static void make_victim(struct made_core *core, const char *exe)
{
	made_elf(elf, 0xab, 0x55);
	made_thread(core, 12, BASE + 0x123, 0x7ffe00);
	made_thread(core, 13, BASE + 0x124, 0x7ffe10);
	made_psinfo(core, 12, "victim");
	made_auxv(core, AT_PHDR, BASE + 64);
	made_file(core, BASE, BASE + 0x2000, 0, exe);
	made_segment(core, BASE, elf, 0x1000, 0x2000);
	made_segment(core, HEAP, elf + 0x1000, 0x100, 0x1000);
	made_segment(core, HEAP + 0x1000, NULL, 0, 0x3000);
}

/* A file of the test's own; the caller unlinks it. */
static void write_file(char *path, const void *bytes, size_t len)
{
	int fd;

	strcpy(path, "/tmp/test_core_XXXXXX");
	fd = mkstemp(path);
	cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static void expect_error(struct hf_err *err, enum hf_err_code code, const char *part)
{
	cr_assert(err, "no error, though expected: %s", part);
	cr_expect_eq(hf_err_code(err), code, "%s: %s", hf_err_code_name(hf_err_code(err)),
		     hf_err_message(err));
	cr_expect(strstr(hf_err_message(err), part), "'%s' lacks '%s'", hf_err_message(err), part);
	cr_expect(!strchr(hf_err_message(err), '\n'));
	hf_err_destroy(err);
}

static bool has_warning(const struct hf_target *t, const char *part)
{
	for (size_t i = 0; i < t->warnings.n; i++)
		if (strstr(t->warnings.at[i].text, part))
			return true;
	return false;
}

static void expect_fault(struct hf_target *t, uint64_t addr, uint64_t at, const char *part)
{
	uint64_t v, where = 0;
	struct hf_err *err = hf_target_read_u64(t, addr, &v);

	cr_expect(hf_err_addr(err, &where));
	cr_expect_eq(where, at);
	expect_error(err, HF_FAULT, part);
}

static uint64_t read_u64(struct hf_target *t, uint64_t addr)
{
	uint64_t v = 0xdead;
	struct hf_err *err = hf_target_read_u64(t, addr, &v);

	cr_expect_null(err, "%s", hf_err_message(err));
	hf_err_destroy(err);
	return v;
}

static struct hf_target *open_made(struct made_core *core, const char *exe)
{
	struct hf_target *t = NULL;
	struct hf_err *err = made_open(core, exe, &t);

	cr_assert_null(err, "%s", hf_err_message(err));
	made_core_deinit(core);
	return t;
}

Test(core, a_foreign_core_has_threads_and_maps)
{
	struct made_core core = {0};
	char path[64];
	struct hf_target *t;

	make_victim(&core, "");
	made_core_deinit(&core);
	write_file(path, elf, sizeof(elf));
	core = (struct made_core){0};
	make_victim(&core, path);
	t = open_made(&core, NULL);
	cr_expect_str_eq(t->label, "core made (victim)");
	cr_expect_eq(t->pid, 12);
	cr_assert_eq(t->threads.n, 2);
	cr_expect_eq(t->threads.at[1].tid, 13);
	cr_expect_eq(t->threads.at[1].state, HF_THREAD_STOPPED);
	cr_expect_eq(t->threads.at[1].regs.pc, BASE + 0x124);
	cr_expect_eq(t->threads.at[1].regs.sp, 0x7ffe10);
	cr_expect_eq(t->threads.at[1].regs.go_g, 0x1414);
	cr_expect_eq(t->threads.at[1].regs.tls, 0x7700);
	cr_expect_eq(t->maps.n, 3);
	cr_expect_str_eq(t->maps.at[0].path, path);
	cr_expect(t->maps.at[0].in_core);
	cr_expect_not(t->maps.at[2].in_core);
	cr_expect_eq(t->facts->rss, HF_UNKNOWN);
	cr_expect_not(t->incomplete);
	cr_expect_eq(t->warnings.n, 0);
	cr_expect_eq(t->ops->resident(t, 0, UINT64_MAX), 0x1100);
	hf_target_close(t);
	unlink(path);
}

Test(core, memory_comes_from_the_core_the_file_and_zeros)
{
	struct made_core core = {0};
	char path[64];
	struct hf_target *t;
	int fd = -1;

	made_elf(elf, 0xab, 0x55);
	write_file(path, elf, sizeof(elf));
	make_victim(&core, path);
	t = open_made(&core, NULL);
	cr_expect_eq(read_u64(t, HEAP), UINT64_C(0x5555555555555555));
	cr_expect_eq(read_u64(t, BASE + 0x1ff8), UINT64_C(0x5555555555555555)); /* left out: of the file */
	cr_expect_eq(read_u64(t, HEAP + 0xfc), UINT64_C(0x55555555)); /* across the end of its bytes */
	cr_expect_eq(read_u64(t, HEAP + 0x3ff8), 0);
	cr_expect_not_null(t->ops->view(t, HEAP, 0x100));
	cr_expect_null(t->ops->view(t, HEAP, 0x101));
	cr_expect_null(t->ops->view(t, HEAP + 0x2000, 8));
	expect_fault(t, HEAP + 0x4000, HEAP + 0x4000, "not in the core");
	expect_fault(t, HEAP + 0x3ffc, HEAP + 0x4000, "not in the core");
	expect_fault(t, 0, 0, "not in the core");
	expect_fault(t, UINT64_MAX - 7, UINT64_MAX - 7, "not in the core");
	cr_assert_null(hf_target_open_file(t, &t->maps.at[0], &fd));
	cr_expect(fd >= 0);
	close(fd);
	expect_error(hf_target_open_file(t, &t->maps.at[1], &fd), HF_TARGET, "no file");
	hf_target_close(t);
	unlink(path);
}

Test(core, a_view_crosses_segments_that_go_on_in_the_file)
{
	struct made_core core = {0};
	struct hf_target *t;

	made_elf(elf, 0, 0x77);
	made_thread(&core, 1, 0, 0);
	made_segment(&core, HEAP, elf + 0x1000, 0x100, 0x100);
	made_segment(&core, HEAP + 0x100, elf + 0x1100, 0x100, 0x100);
	made_segment(&core, HEAP + 0x300, elf + 0x1100, 0x100, 0x100);
	t = open_made(&core, NULL);
	cr_expect_not_null(t->ops->view(t, HEAP + 0xf0, 0x20));
	cr_expect_null(t->ops->view(t, HEAP + 0x1f0, 0x20));
	cr_expect_null(t->ops->view(t, HEAP + 0x200, 1));
	hf_target_close(t);
}

Test(core, what_is_no_core_is_named)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *part;
	} rows[] = {
		{"", 0, "empty"},
		{"x", 1, "not an ELF file"},
		{"#!/bin/sh\nexit 0\n", 17, "not an ELF file"},
		{"\177ELF", 4, "cut off within its first header"},
		{"\177ELF\2\1\1", 7, "cut off within its first header"},
		{"\x28\xb5\x2f\xfd....", 8, "compressed by zstd"},
		{"\x1f\x8b....", 6, "compressed by gzip"},
		{"\xfd\x37zXZ....", 9, "compressed by xz"},
		{"\x04\x22\x4d\x18....", 8, "compressed by lz4"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_target *t = NULL;

		expect_error(made_open_size(rows[i].bytes, rows[i].len, NULL, &t), HF_TARGET, rows[i].part);
		cr_expect_null(t);
	}
}

Test(core, another_kind_of_elf_file_is_named)
{
	static const struct {
		size_t offset;
		uint16_t value;
		size_t len;
		const char *part;
	} rows[] = {
		{offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2, "arm64"},
		{offsetof(Elf64_Ehdr, e_machine), EM_386, 2, "32-bit x86"},
		{offsetof(Elf64_Ehdr, e_machine), 999, 2, "ELF number 999"},
		{EI_CLASS, ELFCLASS32, 1, "32-bit process"},
		{EI_DATA, ELFDATA2MSB, 1, "big-endian"},
		{offsetof(Elf64_Ehdr, e_type), ET_EXEC, 2, "give it with -e"},
		{offsetof(Elf64_Ehdr, e_type), ET_DYN, 2, "give it with -e"},
		{offsetof(Elf64_Ehdr, e_type), ET_REL, 2, "object file"},
		{offsetof(Elf64_Ehdr, e_type), 77, 2, "type 77"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct made_core core = {0};
		struct hf_target *t = NULL;

		make_victim(&core, "/nowhere");
		made_core_link(&core);
		memcpy(core.file.s + rows[i].offset, &rows[i].value, rows[i].len);
		expect_error(made_open(&core, NULL, &t), HF_TARGET, rows[i].part);
		made_core_deinit(&core);
	}
}

Test(core, files_that_cannot_be_opened_say_why)
{
	struct hf_target *t = NULL;

	expect_error(hf_target_open_core("/nowhere/core", NULL, &t), HF_IO, "No such file");
	expect_error(hf_target_open_core("/", NULL, &t), HF_TARGET, "directory");
	expect_error(hf_target_open_core("/dev/null", NULL, &t), HF_TARGET, "not a regular file");
}

/* Every length is either a clean error, or a core that says that it is cut off and gives no byte that is
 * not there. */
Test(core, truncated_at_any_byte_is_said)
{
	struct made_core core = {0};
	size_t opened = 0, headers;

	make_victim(&core, "/nowhere/victim");
	made_core_link(&core);
	headers = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
	for (size_t size = 0; size < core.file.n; size++) {
		struct hf_target *t = NULL;
		struct hf_err *err = made_open_size(core.file.s, size, NULL, &t);
		uint64_t v;

		if (err) {
			cr_expect_eq(hf_err_code(err), HF_TARGET, "%zu: %s", size, hf_err_message(err));
			cr_expect(!strchr(hf_err_message(err), '\n'));
			cr_expect(size < headers);
			hf_err_destroy(err);
			continue;
		}
		opened++;
		cr_expect(size >= headers);
		cr_expect(t->incomplete, "%zu", size);
		cr_expect(has_warning(t, "the core is truncated: "), "%zu", size);
		err = hf_target_read_u64(t, HEAP + 0xf8, &v);
		cr_expect(err, "the last byte of %zu was read of %zu", core.file.n, size);
		cr_expect(!err || strstr(hf_err_message(err), "cut off"));
		hf_err_destroy(err);
		hf_target_close(t);
	}
	cr_expect_eq(opened, core.file.n - headers);
	made_core_deinit(&core);
}

Test(core, contradicting_segments_are_passed_over)
{
	static const struct {
		size_t i, offset;
		uint64_t value;
	} rows[] = {
		{2, offsetof(Elf64_Phdr, p_filesz), 0x2000},            /* more in the file than in memory */
		{2, offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX - 0x10},  /* wraps */
		{2, offsetof(Elf64_Phdr, p_memsz), UINT64_MAX},         /* wraps */
		{2, offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 0x10}, /* wraps */
		{2, offsetof(Elf64_Phdr, p_offset), UINT64_C(1) << 63},
		{2, offsetof(Elf64_Phdr, p_vaddr), BASE + 0x1000}, /* overlaps */
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct made_core core = {0};
		struct hf_target *t;

		make_victim(&core, "/nowhere/victim");
		made_core_link(&core);
		memcpy((char *)made_phdr(&core, rows[i].i) + rows[i].offset, &rows[i].value, 8);
		t = open_made(&core, NULL);
		cr_expect(t->incomplete, "row %zu", i);
		cr_expect(has_warning(t, "1 of its segments contradict"), "row %zu", i);
		expect_fault(t, HEAP, HEAP, "");
		hf_target_close(t);
	}
}

Test(core, segments_that_share_bytes_of_the_file_are_passed_over)
{
	struct made_core core = {0};
	struct hf_target *t;

	make_victim(&core, "/nowhere/victim");
	made_core_link(&core);
	made_phdr(&core, 2)->p_offset = made_phdr(&core, 1)->p_offset + 8;
	t = open_made(&core, NULL);
	cr_expect(has_warning(t, "1 of its segments contradict"));
	cr_expect_eq(t->ops->resident(t, 0, UINT64_MAX), 0x1000);
	hf_target_close(t);
}

Test(core, damaged_headers_are_bad_data)
{
	static const struct {
		size_t offset;
		uint64_t value;
		size_t len;
		enum hf_err_code code;
		const char *part;
	} rows[] = {
		{offsetof(Elf64_Ehdr, e_phnum), 0, 2, HF_BADDATA, "no program headers"},
		{offsetof(Elf64_Ehdr, e_phentsize), 12, 2, HF_BADDATA, "12 bytes long"},
		{offsetof(Elf64_Ehdr, e_phnum), 60000, 2, HF_TARGET, "of 60000 are there"},
		{offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX, 8, HF_TARGET, "0 of 4 are there"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct made_core core = {0};
		struct hf_target *t = NULL;

		make_victim(&core, "/nowhere/victim");
		made_core_link(&core);
		memcpy(core.file.s + rows[i].offset, &rows[i].value, rows[i].len);
		expect_error(made_open(&core, NULL, &t), rows[i].code, rows[i].part);
		made_core_deinit(&core);
	}
}

Test(core, more_segments_than_the_header_can_say_are_found)
{
	Elf64_Shdr shdr = {.sh_size = 1, .sh_info = 4};
	struct made_core core = {0};
	struct hf_target *t;

	make_victim(&core, "/nowhere/victim");
	made_core_link(&core);
	made_ehdr(&core)->e_phnum = PN_XNUM;
	made_ehdr(&core)->e_shoff = core.file.n;
	made_ehdr(&core)->e_shnum = 1;
	made_ehdr(&core)->e_shentsize = sizeof(shdr);
	hf_str_addn(&core.file, (const char *)&shdr, sizeof(shdr));
	t = open_made(&core, NULL);
	cr_expect_not(t->incomplete);
	cr_expect_eq(t->threads.n, 2);
	cr_expect_eq(read_u64(t, HEAP), UINT64_C(0x5555555555555555));
	hf_target_close(t);
}

Test(core, a_lost_number_of_segments_is_said)
{
	struct made_core core = {0};
	struct hf_target *t;

	make_victim(&core, "/nowhere/victim");
	made_core_link(&core);
	made_ehdr(&core)->e_phnum = PN_XNUM;
	made_ehdr(&core)->e_shoff = core.file.n;
	made_ehdr(&core)->e_shnum = 1;
	made_ehdr(&core)->e_shentsize = sizeof(Elf64_Shdr);
	t = open_made(&core, NULL);
	cr_expect(t->incomplete);
	cr_expect(has_warning(t, "their number is lost"));
	expect_fault(t, HEAP + 0x2000, HEAP + 0x2000, "cut off");
	hf_target_close(t);
}

Test(core, damaged_notes_are_said)
{
	uint64_t absurd[5] = {UINT64_C(1) << 60, 4096, 0x1000, 0x2000, 0};
	uint64_t backward[5] = {1, 4096, 0x2000, 0x1000, 0};
	uint64_t wraps[5] = {1, UINT64_MAX, 0x1000, 0x2000, 9};
	const struct {
		uint32_t type;
		const void *desc;
		size_t len;
		const char *part;
	} rows[] = {
		{NT_PRSTATUS, "short", 5, "damaged NT_PRSTATUS"},
		{NT_FILE, absurd, sizeof(absurd), "list of mapped files is damaged"},
		{NT_FILE, backward, sizeof(backward), "list of mapped files is damaged"},
		{NT_FILE, wraps, sizeof(wraps), "list of mapped files is damaged"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct made_core core = {0};
		char desc[64] = {0};
		struct hf_target *t;

		memcpy(desc, rows[i].desc, rows[i].len);
		made_thread(&core, 1, 2, 3);
		made_note(&core.notes, "CORE", rows[i].type, desc,
			  rows[i].len + (rows[i].type == NT_FILE ? 3 : 0));
		made_segment(&core, HEAP, elf, 0x100, 0x100);
		t = open_made(&core, NULL);
		cr_expect(t->incomplete, "row %zu", i);
		cr_expect(has_warning(t, rows[i].part), "row %zu", i);
		cr_expect_eq(t->threads.n, 1);
		hf_target_close(t);
	}
}

Test(core, notes_whose_sizes_run_out_are_said)
{
	Elf64_Nhdr head = {.n_namesz = 5, .n_descsz = 0xfffffff0, .n_type = NT_FILE};
	struct made_core core = {0};
	struct hf_target *t;

	made_thread(&core, 1, 2, 3);
	hf_str_addn(&core.notes, (const char *)&head, sizeof(head));
	hf_str_addn(&core.notes, "CORE\0\0\0\0", 8);
	made_segment(&core, HEAP, elf, 0x100, 0x100);
	t = open_made(&core, NULL);
	cr_expect(t->incomplete);
	cr_expect(has_warning(t, "notes are damaged"));
	cr_expect_eq(t->threads.n, 1);
	hf_target_close(t);
}

Test(core, notes_that_many_headers_share_are_read_once)
{
	struct made_core core = {0};
	struct hf_target *t;

	make_victim(&core, "/nowhere/victim");
	made_core_link(&core);
	for (size_t i = 1; i < 4; i++) {
		*made_phdr(&core, i) = *made_phdr(&core, 0);
		made_phdr(&core, i)->p_filesz = core.file.n - made_phdr(&core, i)->p_offset;
	}
	t = open_made(&core, NULL);
	cr_expect(has_warning(t, "they overlap"));
	cr_expect(t->incomplete);
	hf_target_close(t);
}

Test(core, an_executable_of_another_build_is_refused)
{
	struct made_core core = {0};
	struct hf_target *t = NULL;
	struct hf_err *err;
	char path[64];

	make_victim(&core, "/nowhere/victim");
	made_elf(elf, 0xcd, 0x66);
	write_file(path, elf, sizeof(elf));
	made_elf(elf, 0xab, 0x55);
	err = made_open(&core, path, &t);
	cr_assert(err);
	cr_expect(strstr(hf_err_message(err), "cdcdcdcdcdcd"));
	expect_error(err, HF_TARGET, "abababababab");
	made_core_deinit(&core);
	unlink(path);
}

Test(core, an_executable_of_the_same_build_stands_for_the_named_one)
{
	struct made_core core = {0};
	struct hf_target *t;
	char path[64];
	int fd = -1;

	make_victim(&core, "/nowhere/victim");
	write_file(path, elf, sizeof(elf));
	t = open_made(&core, path);
	cr_expect_eq(t->warnings.n, 0);
	cr_expect_eq(read_u64(t, BASE + 0x1800), UINT64_C(0x5555555555555555));
	cr_assert_null(hf_target_open_file(t, &t->maps.at[0], &fd));
	close(fd);
	cr_assert(chmod(path, 0700) == 0 && truncate(path, 100) == 0);
	expect_error(hf_target_open_file(t, &t->maps.at[0], &fd), HF_TARGET, "replaced");
	unlink(path);
	hf_target_close(t);
}

Test(core, a_named_executable_of_another_build_is_not_used)
{
	struct made_core core = {0};
	struct hf_target *t;
	char path[64];
	int fd = -1;

	made_elf(elf, 0xcd, 0x66);
	write_file(path, elf, sizeof(elf));
	make_victim(&core, path);
	t = open_made(&core, NULL);
	cr_expect(has_warning(t, "give it with -e"));
	expect_fault(t, BASE + 0x1800, BASE + 0x1800, path);
	expect_error(hf_target_open_file(t, &t->maps.at[0], &fd), HF_TARGET, "not the file");
	hf_target_close(t);
	unlink(path);
}

Test(core, an_executable_without_a_build_id_is_taken_on_trust_only_where_given)
{
	struct hf_target *t;
	char path[64];

	made_elf(elf, 0, 0x55);
	write_file(path, elf, sizeof(elf));
	for (int given = 0; given < 2; given++) {
		struct made_core core = {0};

		make_victim(&core, path);
		made_elf(elf, 0, 0x55);
		t = open_made(&core, given ? path : NULL);
		cr_expect(has_warning(t, given ? "taken on trust" : "give it with -e"), "%d", given);
		if (given)
			cr_expect_eq(read_u64(t, BASE + 0x1800), UINT64_C(0x5555555555555555));
		else
			expect_fault(t, BASE + 0x1800, BASE + 0x1800, "leaves it out");
		hf_target_close(t);
	}
	unlink(path);
}

Test(core, an_executable_that_is_none_is_refused)
{
	static const struct {
		const char *path;
		enum hf_err_code code;
		const char *part;
	} rows[] = {
		{"/nowhere/exe", HF_IO, "No such file"},
		{"/dev/null", HF_TARGET, "not a regular file"},
		{"/", HF_TARGET, "not a regular file"},
		{"/etc/passwd", HF_TARGET, "not a 64-bit ELF file"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct made_core core = {0};
		struct hf_target *t = NULL;

		make_victim(&core, "/nowhere/victim");
		expect_error(made_open(&core, rows[i].path, &t), rows[i].code, rows[i].part);
		made_core_deinit(&core);
	}
}

/* Our note, for the victim's memory at HEAP. */
static struct hf_target *open_with_note(const char *note)
{
	struct made_core core = {0};

	made_elf(elf, 0xab, 0x55);
	made_thread(&core, 12, 1, 2);
	made_thread(&core, 13, 1, 2);
	made_note(&core.notes, HF_NOTE_NAME, HF_NOTE_TYPE, note, strlen(note));
	made_segment(&core, HEAP, elf + 0x1000, 0x1000, 0x1000);
	return open_made(&core, NULL);
}

Test(core, our_note_says_facts_maps_threads_and_lost_pages)
{
	struct hf_target *t = open_with_note(
		"rss 4096\ncgroup_max max\npid 12\ncomm a\\x0ab\nmaps\n"
		"00600000-00608000 rw-p 00000000 00:00 0 [heap]\n"
		"00700000-00701000 r--p 00000000 00:00 0 [vvar]\n"
		"00702000-00703000 ---p 00000000 00:00 0\n"
		"00704000-00705000 rw-s 00000000 00:01 9 /dev/zero (deleted)\n"
		"threads\n12 1 main loop\n13 2 \033worker\nlost\n600800-600900\n604000-605000\n\n\n");

	cr_expect_eq(t->warnings.n, 0);
	cr_expect_eq(t->facts->rss, 4096);
	cr_expect_eq(t->facts->cgroup_max, HF_NOLIMIT);
	cr_expect_str_eq(t->facts->comm, "a\nb");
	cr_expect_eq(t->threads.at[0].ns_tid, 1);
	cr_expect_str_eq(t->threads.at[0].name, "main loop");
	cr_expect_str_eq(t->threads.at[1].name, "?worker");
	cr_assert_eq(t->maps.n, 4);
	cr_expect_str_eq(t->maps.at[0].path, "[heap]");
	cr_expect_eq(read_u64(t, HEAP + 0x7f8), UINT64_C(0x5555555555555555));
	cr_expect_eq(read_u64(t, HEAP + 0x900), UINT64_C(0x5555555555555555));
	cr_expect_eq(read_u64(t, HEAP + 0x1000), 0);
	cr_expect_eq(read_u64(t, HEAP + 0x5000), 0);
	expect_fault(t, HEAP + 0x7fc, HEAP + 0x800, "on swap");
	expect_fault(t, HEAP + 0x4ff8, HEAP + 0x4ff8, "on swap");
	expect_fault(t, 0x700000, 0x700000, "not readable");
	expect_fault(t, 0x702000, 0x702000, "not readable");
	expect_fault(t, 0x704000, 0x704000, "not here");
	expect_fault(t, 0x608000, 0x608000, "not in the core");
	hf_target_close(t);
}

Test(core, a_damaged_note_of_ours_is_said_or_passed_over)
{
	static const struct {
		const char *note, *warning;
	} rows[] = {
		{"", NULL},
		{"maps\n", NULL},
		{"maps\nlost\nthreads\n", NULL},
		{"maps\nno mapping\n", "list of mappings is damaged"},
		{"maps\n00600000-00500000 rw-p 0 0:0 0\n", "list of mappings is damaged"},
		{"maps\n00600000-00608000 rw-p 0 0:0 0\n00601000-00602000 rw-p 0 0:0 0\n",
		 "list of mappings is damaged"},
		{"rss x\nmaps\n\nlost\nzz\n5-4\n1-", "list of mappings is damaged"},
		{"threads\n12\n99 1 other\nx y z\n", NULL},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		struct hf_target *t = open_with_note(rows[i].note);

		cr_expect_eq(t->incomplete, rows[i].warning != NULL, "row %zu", i);
		cr_expect(!rows[i].warning || has_warning(t, rows[i].warning), "row %zu", i);
		cr_expect_eq(read_u64(t, HEAP), UINT64_C(0x5555555555555555));
		cr_expect_eq(t->threads.at[0].ns_tid, 12);
		hf_target_close(t);
	}
}

Test(core, a_path_with_a_line_end_stays_on_one_line)
{
	struct made_core core = {0};
	struct hf_target *t;

	make_victim(&core, "/nowhere\nforged: line\033[2J");
	t = open_made(&core, NULL);
	cr_assert(t->warnings.n > 0);
	for (size_t i = 0; i < t->warnings.n; i++)
		cr_expect(!strpbrk(t->warnings.at[i].text, "\n\033"));
	hf_target_close(t);
}

Test(core, memory_that_runs_out_at_any_point_is_an_error)
{
	struct made_core core = {0};
	struct hf_target *t = NULL;
	char path[64];

	made_elf(elf, 0xab, 0x55);
	write_file(path, elf, sizeof(elf));
	make_victim(&core, path);
	made_core_link(&core);
	for (unsigned long nth = 1; nth < 200 && !t; nth++) {
		struct hf_err *err;

		hf_alloc_fail_nth(nth);
		err = made_open(&core, NULL, &t);
		hf_alloc_fail_nth(0);
		cr_expect(!err == !!t);
		cr_expect(!err || hf_err_code(err) == HF_NOMEM, "%lu: %s", nth, hf_err_message(err));
		hf_err_destroy(err);
	}
	cr_expect(t);
	hf_target_close(t);
	made_core_deinit(&core);
	unlink(path);
}
