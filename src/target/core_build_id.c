#include "core.h"

#include <gelf.h>

#include <stdio.h>

#ifndef NT_GO_BUILD_ID
#define NT_GO_BUILD_ID 4 /* Go 1.5+ cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG, name "Go" */
#endif

static void keep_id(struct hf_build_id *id, const uint8_t *bytes, size_t n)
{
	if (id->n || !n)
		return;
	id->n = hf_min(n, sizeof(id->bytes));
	memcpy(id->bytes, bytes, id->n);
}

/* Far more than linkers write: bounds what a forged file costs. */
#define PHDRS_MAX 1024
#define NOTES_MAX 64

/* Go links its own id into .note.go.buildid, beside or instead of the GNU one. */
static void read_notes(Elf *elf, const GElf_Phdr *phdr, size_t len, struct hf_build_ids *ret)
{
	Elf_Data *data;
	GElf_Nhdr nhdr;
	size_t off = 0, name, desc;
	unsigned left = NOTES_MAX;

	if (phdr->p_offset >= len || phdr->p_filesz > len - phdr->p_offset)
		return;
	data = elf_getdata_rawchunk(elf, (int64_t)phdr->p_offset, phdr->p_filesz,
				    phdr->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	if (!data)
		return;
	while (left-- && (off = gelf_getnote(data, off, &nhdr, &name, &desc)) > 0) {
		const char *owner = (const char *)data->d_buf + name;
		const uint8_t *bytes = (const uint8_t *)data->d_buf + desc;

		if (nhdr.n_namesz == 4 && !memcmp(owner, "GNU", 4) && nhdr.n_type == NT_GNU_BUILD_ID)
			keep_id(&ret->gnu, bytes, nhdr.n_descsz);
		if (nhdr.n_namesz == 4 && !memcmp(owner, "Go\0", 4) && nhdr.n_type == NT_GO_BUILD_ID)
			keep_id(&ret->go, bytes, nhdr.n_descsz);
	}
}

bool hf_build_ids_read(const void *image, size_t len, struct hf_build_ids *ret)
{
	const unsigned char *ident = image;
	size_t phnum;
	Elf *elf;

	memset(ret, 0, sizeof(*ret));
	if (len < sizeof(Elf64_Ehdr) || memcmp(ident, ELFMAG, SELFMAG) || ident[EI_CLASS] != ELFCLASS64 ||
	    ident[EI_DATA] != ELFDATA2LSB)
		return false;
	elf_version(EV_CURRENT);
	/* Opened for reading only: libelf writes nothing there. */
	elf = elf_memory((char *)(uintptr_t)image, len);
	if (!elf)
		return false;
	if (elf_getphdrnum(elf, &phnum))
		phnum = 0;
	for (size_t i = 0; i < hf_min(phnum, (size_t)PHDRS_MAX); i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_NOTE)
			read_notes(elf, &phdr, len, ret);
	}
	elf_end(elf);
	return true;
}

static enum hf_ids_verdict compare(const struct hf_build_id *a, const struct hf_build_id *b)
{
	if (!a->n || !b->n)
		return HF_IDS_UNKNOWN;
	return a->n == b->n && !memcmp(a->bytes, b->bytes, a->n) ? HF_IDS_SAME : HF_IDS_DIFFER;
}

enum hf_ids_verdict hf_build_ids_compare(const struct hf_build_ids *a, const struct hf_build_ids *b)
{
	enum hf_ids_verdict verdict = compare(&a->gnu, &b->gnu);

	return verdict == HF_IDS_UNKNOWN ? compare(&a->go, &b->go) : verdict;
}

const char *hf_build_ids_format(const struct hf_build_ids *ids, const struct hf_build_ids *other, char *buf,
				size_t len)
{
	bool gnu = ids->gnu.n && other->gnu.n;
	const struct hf_build_id *id = gnu ? &ids->gnu : &ids->go;
	size_t o = 0;

	snprintf(buf, len, "none");
	for (size_t i = 0; gnu && i < hf_min(id->n, (size_t)6) && o + 3 <= len; i++)
		o += (size_t)snprintf(buf + o, len - o, "%02x", id->bytes[i]);
	for (size_t i = 0; !gnu && i < hf_min(id->n, (size_t)12) && o + 2 <= len; i++)
		o += (size_t)snprintf(buf + o, len - o, "%c",
				      id->bytes[i] > ' ' && id->bytes[i] < 0x7f ? id->bytes[i] : '?');
	return buf;
}
