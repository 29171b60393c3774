/* A file that claims to be ELF: opening it, its sections, symbols and build-id come to an end. */
#define _GNU_SOURCE
#include "../../src/sym/elf.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_sections(struct hf_elf *e)
{
	const void *bytes;
	const char *link;
	uint32_t crc;
	size_t len;

	for (size_t i = 0; i < e->sections.n && i < 64; i++) {
		if (hf_err_ignore(hf_elf_section_bytes(e, &e->sections.at[i], &bytes, &len)) || !len)
			continue;
		if (((const volatile uint8_t *)bytes)[0] + ((const volatile uint8_t *)bytes)[len - 1] > 510)
			abort();
	}
	if (hf_elf_debuglink(e, &link, &crc) && !*link)
		abort();
}

static void ask_symbols(struct hf_elf *e)
{
	struct hf_elf_symbol sym, again;

	for (unsigned i = 0; i < 32; i++) {
		uint64_t addr = e->start + (e->end - e->start) / 32 * i;

		/* What has a name and a place is found by its name. */
		if (hf_elf_symbol_at(e, addr, &sym) && !hf_elf_find_symbol(e, sym.name, &again))
			abort();
	}
	hf_elf_find_symbol(e, "main", &sym);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct hf_elf *e;
	struct hf_err *err;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	err = hf_elf_open(fd, &e);
	close(fd);
	if (hf_err_ignore(err))
		return 0;
	if (e->build_id_len > sizeof(e->build_id) || e->start > e->end)
		abort();
	ask_sections(e);
	ask_symbols(e);
	hf_elf_close(e);
	return 0;
}
