/* ELF files: ours, and ours damaged. */
#define _GNU_SOURCE
#include "../../src/sym/elf.h"
#include "random.h"
#include "sym_target.h"

#include <elf.h>
#include <sys/mman.h>

int sym_elf_marker = 42; /* looked up by name */
int sym_elf_function(int v);

__attribute__((noinline)) int sym_elf_function(int v)
{
	return v + sym_elf_marker;
}

static void *image;
static size_t image_len;

static void load_image(void)
{
	image_len = read_whole("/proc/self/exe", &image);
	cr_assert(sym_elf_function(1) == 43);
}

static void drop_image(void)
{
	hf_free(image);
}

TestSuite(elf, .init = load_image, .fini = drop_image, .timeout = 120);

static int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("mutant", MFD_CLOEXEC);

	cr_assert(fd >= 0);
	cr_assert(write(fd, bytes, len) == (ssize_t)len);
	return fd;
}

static struct hf_elf *open_good(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct hf_elf *e;

	MUST(hf_elf_open(fd, &e));
	close(fd);
	return e;
}

/* Whatever the file says, all questions come to an end. */
static void ask(struct hf_elf *e)
{
	struct hf_elf_symbol sym;
	const void *bytes;
	const char *link;
	size_t len;
	uint32_t crc;

	for (size_t i = 0; i < e->sections.n; i++) {
		const struct hf_elf_section *s = &e->sections.at[i];

		if (!hf_err_ignore(hf_elf_section_bytes(e, s, &bytes, &len)) && len)
			cr_assert(((const volatile uint8_t *)bytes)[len - 1] < 256);
		hf_elf_section_at(e, s->addr);
	}
	hf_elf_debuglink(e, &link, &crc);
	if (hf_elf_find_symbol(e, "sym_elf_marker", &sym))
		cr_assert_str_eq(sym.name, "sym_elf_marker");
	hf_elf_find_symbol(e, "", &sym);
	hf_elf_find_symbol(e, "absent", &sym);
	for (uint64_t a = e->start, n = 0; a < e->end && n < 64; a += (e->end - e->start) / 64 + 1, n++)
		if (hf_elf_symbol_at(e, a, &sym))
			cr_assert(strlen(sym.name) > 0);
}

/* Opens a damaged file, asks, closes. True where it opened. */
static bool try_file(const void *bytes, size_t len)
{
	int fd = memory_file(bytes, len);
	struct hf_elf *e;
	struct hf_err *err = hf_elf_open(fd, &e);

	close(fd);
	if (err) {
		cr_assert_eq(hf_err_code(err), HF_BADDATA, "%s", hf_err_message(err));
		hf_err_destroy(err);
		return false;
	}
	ask(e);
	hf_elf_close(e);
	return true;
}

Test(elf, own_symbol_is_found_by_name_and_address)
{
	struct hf_elf *e = open_good();
	struct hf_elf_symbol sym, at;

	cr_assert(hf_elf_find_symbol(e, "sym_elf_marker", &sym));
	cr_assert(sym.is_object && !sym.is_function);
	cr_assert_eq(sym.size, sizeof(sym_elf_marker));
	cr_assert(hf_elf_symbol_at(e, sym.addr + 3, &at));
	cr_assert_str_eq(at.name, "sym_elf_marker");
	cr_assert(hf_elf_find_symbol(e, "sym_elf_function", &sym));
	cr_assert(sym.is_function && sym.size > 0);
	cr_assert(hf_elf_symbol_at(e, sym.addr + sym.size - 1, &at));
	cr_assert_str_eq(at.name, "sym_elf_function");
	cr_assert(!hf_elf_symbol_at(e, UINT64_MAX, &at));
	cr_assert(!hf_elf_symbol_at(e, 0, &at));
	hf_elf_close(e);
}

Test(elf, sections_hold_their_addresses_and_bytes)
{
	struct hf_elf *e = open_good();
	const struct hf_elf_section *text = hf_elf_find_section(e, ".text"),
				    *bss = hf_elf_find_section(e, ".bss");
	const void *bytes;
	struct hf_err *err;
	size_t len;

	cr_assert(text && bss && !hf_elf_find_section(e, ".absent"));
	cr_assert_eq(hf_elf_section_at(e, text->addr + text->size - 1), text);
	cr_assert_neq(hf_elf_section_at(e, text->addr + text->size), text);
	MUST(hf_elf_section_bytes(e, text, &bytes, &len));
	cr_assert_eq(len, text->size);
	cr_assert_neq(memmem(image, image_len, bytes, hf_min(len, (size_t)4096)), NULL);
	err = hf_elf_section_bytes(e, bss, &bytes, &len);
	cr_assert_eq(hf_err_code(err), HF_FAULT);
	hf_err_destroy(err);
	hf_elf_close(e);
}

Test(elf, bytes_give_the_same_as_the_file)
{
	struct hf_elf *file = open_good(), *memory;

	MUST(hf_elf_open_bytes(image, image_len, &memory));
	cr_assert_eq(file->sections.n, memory->sections.n);
	cr_assert_eq(file->build_id_len, memory->build_id_len);
	cr_assert_eq(memcmp(file->build_id, memory->build_id, sizeof(file->build_id)), 0);
	cr_assert_eq(file->start, memory->start);
	cr_assert_eq(file->end, memory->end);
	ask(memory);
	hf_elf_close(file);
	hf_elf_close(memory);
}

/* A field of the ELF header set to a value: the file is refused, or opens with that part missing. */
Test(elf, bad_header_field_is_refused_or_harmless)
{
	static const struct {
		size_t offset, size;
		uint64_t value;
		bool opens;
	} cases[] = {
		{0, 4, 0, false},
		{EI_CLASS, 1, ELFCLASS32, false},
		{EI_DATA, 1, ELFDATA2MSB, false},
		{EI_CLASS, 1, 77, false},
		{offsetof(Elf64_Ehdr, e_machine), 2, EM_AARCH64, false},
		{offsetof(Elf64_Ehdr, e_machine), 2, EM_386, false},
		{offsetof(Elf64_Ehdr, e_type), 2, ET_CORE, false},
		{offsetof(Elf64_Ehdr, e_type), 2, 0xffff, false},
		{offsetof(Elf64_Ehdr, e_shoff), 8, 0, true},
		{offsetof(Elf64_Ehdr, e_shnum), 2, 0, true},
		{offsetof(Elf64_Ehdr, e_shstrndx), 2, 0, true},
		{offsetof(Elf64_Ehdr, e_shstrndx), 2, 0xfeff, true},
		{offsetof(Elf64_Ehdr, e_phnum), 2, 0, true},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++) {
		_free_ uint8_t *copy = hf_malloc(image_len);

		memcpy(copy, image, image_len);
		memcpy(copy + cases[i].offset, &cases[i].value, cases[i].size);
		cr_assert_eq(try_file(copy, image_len), cases[i].opens, "case %zu", i);
	}
}

/* The same with values for which libelf may answer either way: nothing but to come back. */
Test(elf, absurd_header_field_comes_to_an_end)
{
	static const uint64_t values[] = {1,      63,         64,         65,        0x7fff,
					  0xffff, 0x7fffffff, UINT32_MAX, INT64_MAX, UINT64_MAX};

	for (size_t off = 16; off < sizeof(Elf64_Ehdr); off += 2) {
		for (size_t v = 0; v < HF_LEN(values); v++) {
			_free_ uint8_t *copy = hf_malloc(image_len);

			memcpy(copy, image, image_len);
			memcpy(copy + off, &values[v], hf_min((size_t)8, sizeof(Elf64_Ehdr) - off));
			try_file(copy, image_len);
		}
	}
}

Test(elf, truncated_file_comes_to_an_end)
{
	uint64_t random = 0x5eed;

	cr_assert(!try_file(image, 0));
	for (size_t len = 1; len < 256; len++)
		try_file(image, len);
	for (int i = 0; i < 300; i++)
		try_file(image, random_below(&random, (uint32_t)image_len));
}

/* Headers, section headers, symbols: most flips there; the rest anywhere. */
Test(elf, flipped_bytes_come_to_an_end)
{
	uint64_t random = 0xf11b, shoff = hf_load_u64((char *)image + offsetof(Elf64_Ehdr, e_shoff));
	_free_ uint8_t *copy = hf_malloc(image_len);

	for (int i = 0; i < 2000; i++) {
		size_t from = i % 3 == 0   ? 0
			      : i % 3 == 1 ? shoff
					   : random_below(&random, (uint32_t)image_len);
		unsigned flips = 1 + random_below(&random, 8);

		memcpy(copy, image, image_len);
		while (flips--) {
			size_t at = from + random_below(&random, i % 3 == 0 ? 0x400 : 0xa00);

			if (at < image_len)
				copy[at] = (uint8_t)random_next(&random);
		}
		try_file(copy, image_len);
	}
}

Test(elf, file_that_is_none_is_refused)
{
	static const char *const texts[] = {"", "x", "\177ELF", "#!/bin/sh\n", "!<arch>\n"};

	for (size_t i = 0; i < HF_LEN(texts); i++)
		cr_assert(!try_file(texts[i], strlen(texts[i])), "\"%s\"", texts[i]);
}
