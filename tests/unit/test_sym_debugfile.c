/* Separate debug files, in a directory of the test's own. The executable under test is its own debug file. */
#define _GNU_SOURCE
#include "../../src/sym/debugfile.h"
#include "sym_target.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[64];
static void *image;
static size_t image_len;
static struct hf_elf *self;

static void make_dir(void)
{
	strcpy(dir, P_tmpdir "/holdfast-debug-XXXXXX");
	cr_assert(mkdtemp(dir));
	image_len = read_whole("/proc/self/exe", &image);
	MUST(hf_elf_open_bytes(image, image_len, &self));
}

static void remove_dir(void)
{
	char command[128];

	hf_elf_close(self);
	hf_free(image);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert(system(command) == 0);
}

TestSuite(debugfile, .init = make_dir, .fini = remove_dir, .timeout = 30);

/* dir/sub, with the folders before it. */
static const char *path_of(const char *sub)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0700);
	}
	return path;
}

static void write_file(const char *sub, const void *bytes, size_t len)
{
	int fd = open(path_of(sub), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static const char *build_id_path(void)
{
	static char sub[256];
	size_t n = (size_t)snprintf(sub, sizeof(sub), ".build-id/%02x/", self->build_id[0]);

	cr_assert(self->build_id_len > 2);
	for (size_t i = 1; i < self->build_id_len; i++)
		n += (size_t)snprintf(sub + n, sizeof(sub) - n, "%02x", self->build_id[i]);
	snprintf(sub + n, sizeof(sub) - n, ".debug");
	return sub;
}

static bool find(const struct hf_elf *elf, const char *path)
{
	struct hf_debugfile_query query = {.debug_dir = dir, .path = path, .elf = elf};
	struct hf_elf *found = NULL;

	MUST(hf_debugfile_find(&query, &found));
	hf_elf_close(found);
	return found;
}

/* An ELF file with nothing but a .gnu_debuglink of these bytes. */
static struct hf_elf *make_linked(const void *link, size_t len)
{
	static const char names[] = "\0.shstrtab\0.gnu_debuglink";
	struct {
		Elf64_Ehdr e;
		Elf64_Shdr s[3];
		char names[sizeof(names)];
		char link[64];
	} f = {.e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		     .e_type = ET_DYN,
		     .e_machine = EM_X86_64,
		     .e_version = EV_CURRENT,
		     .e_ehsize = sizeof(Elf64_Ehdr),
		     .e_shentsize = sizeof(Elf64_Shdr),
		     .e_shnum = 3,
		     .e_shstrndx = 1}};
	struct hf_elf *e;

	f.e.e_shoff = offsetof(__typeof__(f), s);
	f.s[1] = (Elf64_Shdr){.sh_name = 1,
			      .sh_type = SHT_STRTAB,
			      .sh_offset = offsetof(__typeof__(f), names),
			      .sh_size = sizeof(names),
			      .sh_addralign = 1};
	f.s[2] = (Elf64_Shdr){.sh_name = 11,
			      .sh_type = SHT_PROGBITS,
			      .sh_offset = offsetof(__typeof__(f), link),
			      .sh_size = len,
			      .sh_addralign = 4};
	memcpy(f.names, names, sizeof(names));
	cr_assert(len <= sizeof(f.link));
	memcpy(f.link, link, len);
	MUST(hf_elf_open_bytes(&f, sizeof(f), &e));
	return e;
}

static struct hf_elf *make_linked_to(const char *name, uint32_t crc)
{
	char link[64] = {0};
	size_t at = hf_align_up(strlen(name) + 1, 4);

	memcpy(link, name, strlen(name));
	memcpy(link + at, &crc, sizeof(crc));
	return make_linked(link, at + sizeof(crc));
}

/* As gdb's manual has it for debug links: CRC-32 of IEEE 802.3. */
static uint32_t image_crc(void)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < image_len; i++) {
		crc ^= ((uint8_t *)image)[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

Test(debugfile, file_under_its_build_id_is_found)
{
	cr_assert(!find(self, "/usr/bin/victim"));
	write_file(build_id_path(), image, image_len);
	cr_assert(find(self, "/usr/bin/victim"));
}

Test(debugfile, file_of_another_build_id_is_not_taken)
{
	char *id = memmem(image, image_len, self->build_id, self->build_id_len);

	cr_assert_not_null(id);
	id[0] ^= 1;
	write_file(build_id_path(), image, image_len);
	cr_assert(!find(self, "/usr/bin/victim"));
}

Test(debugfile, what_is_no_file_is_not_waited_for)
{
	cr_assert(mkfifo(path_of(build_id_path()), 0600) == 0);
	cr_assert(!find(self, "/usr/bin/victim"));
	cr_assert(unlink(path_of(build_id_path())) == 0);
	cr_assert(mkdir(path_of(build_id_path()), 0700) == 0);
	cr_assert(!find(self, "/usr/bin/victim"));
	cr_assert(rmdir(path_of(build_id_path())) == 0);
	cr_assert(symlink("loop.debug", path_of(build_id_path())) == 0);
	cr_assert(!find(self, "/usr/bin/victim"));
}

Test(debugfile, file_that_is_no_elf_is_not_taken)
{
	write_file(build_id_path(), "", 0);
	cr_assert(!find(self, "/usr/bin/victim"));
	write_file(build_id_path(), "hello", 5);
	cr_assert(!find(self, "/usr/bin/victim"));
	write_file(build_id_path(), image, 70);
	cr_assert(!find(self, "/usr/bin/victim"));
}

Test(debugfile, debug_link_is_found_in_its_three_places)
{
	static const char *const places[] = {"bin/x.debug", "bin/.debug/x.debug", NULL};
	struct hf_elf *e = make_linked_to("x.debug", image_crc());
	char module[128], below[256];

	snprintf(module, sizeof(module), "%s/bin/victim", dir);
	snprintf(below, sizeof(below), "%s/bin/x.debug", dir + 1);
	cr_assert(!find(e, module));
	for (size_t i = 0; i < HF_LEN(places); i++) {
		const char *sub = places[i] ? places[i] : below;

		write_file(sub, image, image_len);
		cr_assert(find(e, module), "%s", sub);
		cr_assert(unlink(path_of(sub)) == 0);
		cr_assert(!find(e, module), "%s", sub);
	}
	hf_elf_close(e);
}

Test(debugfile, debug_link_of_another_crc_is_not_taken)
{
	struct hf_elf *e = make_linked_to("x.debug", image_crc() ^ 1);
	char module[128];

	snprintf(module, sizeof(module), "%s/bin/victim", dir);
	write_file("bin/x.debug", image, image_len);
	cr_assert(!find(e, module));
	hf_elf_close(e);
}

Test(debugfile, malformed_debug_link_is_none)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"", 0},
		{"\0\0\0\0\1\2\3\4", 8},            /* no name */
		{"x.debug", 7},                     /* no end of the name */
		{"x.debug", 8},                     /* no CRC */
		{"x.debug\0\1\2\3", 11},            /* half a CRC */
		{"../bin/x.debug\0\0\1\2\3\4", 20}, /* a path */
	};
	char module[128];

	snprintf(module, sizeof(module), "%s/bin/victim", dir);
	write_file("bin/x.debug", image, image_len);
	for (size_t i = 0; i < HF_LEN(cases); i++) {
		struct hf_elf *e = make_linked(cases[i].bytes, cases[i].len);

		cr_assert(!find(e, module), "case %zu", i);
		hf_elf_close(e);
	}
}

Test(debugfile, supplementary_file_must_have_the_build_id)
{
	struct hf_debugfile_query query = {.debug_dir = "/absent", .path = "/absent/victim", .elf = self};
	struct hf_elf *found = NULL;
	uint8_t other[20] = {1};
	char name[128];

	write_file("alt", image, image_len);
	snprintf(name, sizeof(name), "%s/alt", dir);
	MUST(hf_debugfile_find_alt(&query, name, other, sizeof(other), &found));
	cr_assert_null(found);
	MUST(hf_debugfile_find_alt(&query, "alt", self->build_id, self->build_id_len, &found));
	cr_assert_null(found);
	MUST(hf_debugfile_find_alt(&query, name, self->build_id, self->build_id_len, &found));
	cr_assert_not_null(found);
	hf_elf_close(found);
}
