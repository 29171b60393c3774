#include "elf.h"

#include <gelf.h>
#include <libelf.h>

#define SEGMENTS_MAX     256 /* PT_LOADs of one file; linkers write fewer than ten */
#define GO_BUILD_ID_NOTE 4   /* Go cmd/link/internal/ld/elf.go, ELF_NOTE_GOBUILDID_TAG */

static struct hf_err *bad(const char *what)
{
	return hf_err(HF_BADDATA, "%s", what);
}

static void note_build_ids(struct hf_elf *e, Elf_Data *notes)
{
	size_t at = 0, name_at, desc_at;
	GElf_Nhdr note;

	while (notes && (at = gelf_getnote(notes, at, &note, &name_at, &desc_at)) > 0) {
		const char *name = (const char *)notes->d_buf + name_at;
		const uint8_t *desc = (const uint8_t *)notes->d_buf + desc_at;

		if (!e->build_id_len && note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(name, "GNU", 4) && note.n_descsz && note.n_descsz <= sizeof(e->build_id)) {
			memcpy(e->build_id, desc, note.n_descsz);
			e->build_id_len = note.n_descsz;
		}
		if (!e->go_build_id[0] && note.n_type == GO_BUILD_ID_NOTE && note.n_namesz == 4 &&
		    !memcmp(name, "Go\0", 4) && note.n_descsz && note.n_descsz <= 256) {
			const char *copy = hf_arena_strndup(&e->names, (const char *)desc, note.n_descsz);

			e->go_build_id = copy ? copy : "";
		}
	}
}

static struct hf_err *read_segments(struct hf_elf *e)
{
	size_t n;

	if (elf_getphdrnum(e->elf, &n) < 0)
		return bad("the program headers of the ELF file are damaged");
	e->start = UINT64_MAX;
	for (size_t i = 0; i < n && i < UINT16_MAX && e->segments.n < SEGMENTS_MAX; i++) {
		GElf_Phdr p;
		uint64_t end;

		if (!gelf_getphdr(e->elf, (int)i, &p))
			break;
		if (p.p_type == PT_NOTE && p.p_filesz <= 65536)
			note_build_ids(e, elf_getdata_rawchunk(e->elf, (int64_t)p.p_offset, p.p_filesz,
							       p.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR));
		e->has_interpreter |= p.p_type == PT_INTERP;
		if (p.p_type != PT_LOAD || hf_add_overflows(p.p_vaddr, p.p_memsz, &end))
			continue;
		e->start = hf_min(e->start, p.p_vaddr);
		e->end = hf_max(e->end, end);
		HF_TRY(hf_vec_push(&e->segments, ((struct hf_elf_segment){.vaddr = p.p_vaddr,
									  .memsz = p.p_memsz,
									  .offset = p.p_offset,
									  .filesz = p.p_filesz,
									  .executable = p.p_flags & PF_X})));
	}
	e->start = hf_min(e->start, e->end);
	return NULL;
}

static struct hf_err *read_sections(struct hf_elf *e)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(e->elf, &names) < 0)
		return NULL;
	while ((scn = elf_nextscn(e->elf, scn))) {
		struct hf_elf_section s = {.index = elf_ndxscn(scn)};
		GElf_Shdr h;

		if (!gelf_getshdr(scn, &h))
			continue;
		s.name = elf_strptr(e->elf, names, h.sh_name);
		s.name = s.name ? s.name : "";
		s.addr = h.sh_addr;
		s.size = h.sh_size;
		s.flags = h.sh_flags;
		s.type = h.sh_type;
		HF_TRY(hf_vec_push(&e->sections, s));
		if (h.sh_type == SHT_NOTE && h.sh_size <= 65536)
			note_build_ids(e, elf_getdata(scn, NULL));
	}
	return NULL;
}

static struct hf_err *read_headers(struct hf_elf *e)
{
	GElf_Ehdr h;

	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h))
		return bad("not an ELF file");
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != EM_X86_64)
		return bad("not an ELF file of x86-64");
	/* ET_REL: dwz's supplementary files */
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN && h.e_type != ET_REL)
		return bad("neither an executable nor a shared object");
	e->entry = h.e_entry;
	e->is_fixed = h.e_type == ET_EXEC;
	e->go_build_id = "";
	HF_TRY(read_sections(e));
	return read_segments(e);
}

struct hf_err *hf_elf_open(int fd, struct hf_elf **ret)
{
	_cleanup_(hf_elf_close_p) struct hf_elf *e = hf_calloc(1, sizeof(*e));

	if (!e)
		return hf_err_nomem();
	elf_version(EV_CURRENT);
	e->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	HF_TRY(read_headers(e));
	/* Where mapping was not possible this reads the file, so that the caller may close it. */
	if (elf_cntl(e->elf, ELF_C_FDREAD) < 0)
		return bad("the ELF file cannot be read whole");
	*ret = take_ptr(e);
	return NULL;
}

struct hf_err *hf_elf_open_bytes(const void *bytes, size_t len, struct hf_elf **ret)
{
	_cleanup_(hf_elf_close_p) struct hf_elf *e = hf_calloc(1, sizeof(*e));

	if (!e)
		return hf_err_nomem();
	e->image = hf_malloc(len ? len : 1);
	if (!e->image)
		return hf_err_nomem();
	if (len)
		memcpy(e->image, bytes, len);
	elf_version(EV_CURRENT);
	e->elf = elf_memory(e->image, len);
	HF_TRY(read_headers(e));
	*ret = take_ptr(e);
	return NULL;
}

void hf_elf_close(struct hf_elf *elf)
{
	if (!elf)
		return;
	hf_elf_symtab_destroy(elf->symtab);
	hf_elf_symtab_destroy(elf->dynsym);
	hf_vec_deinit(&elf->sections);
	hf_vec_deinit(&elf->segments);
	elf_end(elf->elf);
	hf_arena_deinit(&elf->names);
	hf_free(elf->image);
	hf_free(elf);
}

void hf_elf_close_p(struct hf_elf **elf)
{
	hf_elf_close(*elf);
}

const struct hf_elf_section *hf_elf_find_section(const struct hf_elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (!strcmp(elf->sections.at[i].name, name))
			return &elf->sections.at[i];
	return NULL;
}

const struct hf_elf_section *hf_elf_section_at(const struct hf_elf *elf, uint64_t addr)
{
	for (size_t i = 0; i < elf->sections.n; i++) {
		const struct hf_elf_section *s = &elf->sections.at[i];

		if ((s->flags & SHF_ALLOC) && !(s->flags & SHF_TLS) && addr - s->addr < s->size)
			return s;
	}
	return NULL;
}

struct hf_err *hf_elf_section_bytes(const struct hf_elf *elf, const struct hf_elf_section *section,
				    const void **ret, size_t *ret_len)
{
	Elf_Scn *scn = elf_getscn(elf->elf, section->index);
	GElf_Shdr h;
	Elf_Data *data;

	if (!scn || !gelf_getshdr(scn, &h))
		return hf_err(HF_BADDATA, "section %s is damaged", section->name);
	if (h.sh_type == SHT_NOBITS)
		return hf_err(HF_FAULT, "section %s has no bytes in the file", section->name);
	/* libdw may have decompressed it already: the flag is gone then. libelf refuses absurd ratios. */
	if ((h.sh_flags & SHF_COMPRESSED) && elf_compress(scn, 0, 0) < 0)
		return hf_err(HF_BADDATA, "section %s cannot be decompressed: %s", section->name,
			      elf_errmsg(-1));
	data = elf_rawdata(scn, NULL);
	if (!data || (data->d_size && !data->d_buf))
		return hf_err(HF_BADDATA, "section %s lies outside the file", section->name);
	*ret = data->d_buf;
	*ret_len = data->d_size;
	return NULL;
}

bool hf_elf_debuglink(const struct hf_elf *elf, const char **ret_name, uint32_t *ret_crc)
{
	const struct hf_elf_section *s = hf_elf_find_section(elf, ".gnu_debuglink");
	const char *nul;
	const void *bytes;
	size_t len, crc_at;

	if (!s || hf_err_ignore(hf_elf_section_bytes(elf, s, &bytes, &len)) || !len)
		return false;
	nul = memchr(bytes, '\0', len);
	if (!nul || nul == bytes)
		return false;
	crc_at = hf_align_up((uint64_t)(nul + 1 - (const char *)bytes), 4);
	if (crc_at + 4 > len)
		return false;
	*ret_name = bytes;
	*ret_crc = hf_load_u32((const char *)bytes + crc_at);
	return true;
}
