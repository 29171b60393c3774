#include "core.h"

#include <gelf.h>

#include <stdio.h>
#include <stdlib.h>

static const struct {
	uint16_t machine;
	const char *name;
} machines[] = {
	{EM_386, "32-bit x86"}, {EM_ARM, "32-bit ARM"},      {EM_AARCH64, "arm64"}, {EM_PPC64, "POWER"},
	{EM_S390, "s390"},      {EM_RISCV, "RISC-V"},        {EM_MIPS, "MIPS"},     {EM_SPARCV9, "SPARC"},
	{EM_PPC, "PowerPC"},    {EM_LOONGARCH, "LoongArch"},
};

static const struct {
	const char *magic;
	size_t n;
	const char *name, *tool;
} packers[] = {
	{"\x28\xb5\x2f\xfd", 4, "zstd", "zstd -d"},
	{"\x1f\x8b", 2, "gzip", "gunzip"},
	{"\xfd\x37zXZ", 5, "xz", "unxz"},
	{"\x04\x22\x4d\x18", 4, "lz4", "lz4 -d"},
};

static struct hf_err *explain_no_elf(const struct hf_core *core)
{
	for (size_t i = 0; i < HF_LEN(packers); i++)
		if (core->size >= packers[i].n && !memcmp(core->bytes, packers[i].magic, packers[i].n))
			return hf_err(HF_TARGET, "core %s: is compressed by %s: unpack it first (%s)",
				      core->path, packers[i].name, packers[i].tool);
	return hf_err(HF_TARGET, "core %s: is not an ELF file, so not a core", core->path);
}

static struct hf_err *check_type(const struct hf_core *core, uint16_t type)
{
	switch (type) {
	case ET_CORE:
		return NULL;
	case ET_EXEC:
	case ET_DYN:
		return hf_err(HF_TARGET, "core %s: is an executable or library, not a core: give it with -e",
			      core->path);
	case ET_REL:
		return hf_err(HF_TARGET, "core %s: is an object file, not a core", core->path);
	default:
		return hf_err(HF_TARGET, "core %s: is an ELF file of type %u, not a core", core->path, type);
	}
}

static struct hf_err *check_ident(const struct hf_core *core)
{
	const unsigned char *ident = core->bytes;
	uint16_t machine;

	if (core->size < SELFMAG || memcmp(ident, ELFMAG, SELFMAG))
		return explain_no_elf(core);
	if (core->size < sizeof(Elf64_Ehdr))
		return hf_err(HF_TARGET, "core %s: is cut off within its first header, after %zu bytes",
			      core->path, core->size);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return hf_err(HF_TARGET, "core %s: is of a big-endian machine: only x86-64 cores can be read",
			      core->path);
	machine = hf_load_u16(ident + offsetof(Elf64_Ehdr, e_machine));
	if (machine != hf_arch_elf_machine) {
		for (size_t i = 0; i < HF_LEN(machines); i++)
			if (machines[i].machine == machine)
				return hf_err(HF_TARGET,
					      "core %s: is of a %s machine: only %s cores can be read",
					      core->path, machines[i].name, hf_arch_name);
		return hf_err(HF_TARGET,
			      "core %s: is of another machine (ELF number %u): only %s cores can be read",
			      core->path, machine, hf_arch_name);
	}
	if (ident[EI_CLASS] != ELFCLASS64)
		return hf_err(HF_TARGET, "core %s: is of a 32-bit process: only 64-bit cores can be read",
			      core->path);
	return check_type(core, hf_load_u16(ident + offsetof(Elf64_Ehdr, e_type)));
}

void hf_core_phdr(const struct hf_core *core, size_t i, Elf64_Phdr *ret)
{
	memcpy(ret, core->bytes + core->phoff + i * sizeof(*ret), sizeof(*ret));
}

/* How many program headers there are. PN_XNUM: the number is in the first section header, which the kernel
 * writes at the very end of the file, so that a truncated core has lost it. */
static struct hf_err *count_headers(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	Elf64_Ehdr ehdr;
	uint64_t want, room;

	memcpy(&ehdr, core->bytes, sizeof(ehdr));
	want = ehdr.e_phnum;
	room = ehdr.e_phoff < core->size ? (core->size - ehdr.e_phoff) / sizeof(Elf64_Phdr) : 0;
	core->headers_whole = true;
	if (!want)
		return hf_err(HF_BADDATA, "core %s: has no program headers, so no memory", core->path);
	if (ehdr.e_phentsize != sizeof(Elf64_Phdr))
		return hf_err(HF_BADDATA, "core %s: its program headers are %u bytes long instead of %zu",
			      core->path, ehdr.e_phentsize, sizeof(Elf64_Phdr));
	if (want == PN_XNUM && ehdr.e_shoff < core->size && core->size - ehdr.e_shoff >= sizeof(Elf64_Shdr)) {
		want = hf_load_u32(core->bytes + ehdr.e_shoff + offsetof(Elf64_Shdr, sh_info));
	} else if (want == PN_XNUM) {
		core->headers_whole = false;
		hf_target_warn(t, true,
			       "the core is truncated: it has %u segments or more, and their number is lost",
			       PN_XNUM);
		want = hf_min(want, room);
	}
	if (room < want || !room)
		return hf_err(HF_TARGET,
			      "core %s: is cut off within its program headers: %" PRIu64 " of %" PRIu64
			      " are there",
			      core->path, room, want);
	core->phoff = ehdr.e_phoff;
	core->phnum = (size_t)want;
	return NULL;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct hf_core_seg *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int compare_starts(const void *a, const void *b)
{
	const struct hf_core_seg *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Drops what shares bytes of the file with another segment (else a small file could claim any amount of
 * memory), or overlaps another in memory. Returns how many. */
static size_t drop_overlaps(struct hf_core *core)
{
	uint64_t end = 0;
	size_t kept = 0, n = core->segs.n;

	if (!n)
		return 0;
	qsort(core->segs.at, n, sizeof(*core->segs.at), compare_offsets);
	for (size_t i = 0; i < n; i++) {
		const struct hf_core_seg seg = core->segs.at[i];
		uint64_t filesz = seg.full_end - seg.start;

		if (filesz && seg.offset < end)
			continue;
		end = filesz ? seg.offset + filesz : end;
		core->segs.at[kept++] = seg;
	}
	qsort(core->segs.at, kept, sizeof(*core->segs.at), compare_starts);
	core->segs.n = 0;
	end = 0;
	for (size_t i = 0; i < kept; i++) {
		if (core->segs.at[i].start < end)
			continue;
		end = core->segs.at[i].mem_end;
		core->segs.at[core->segs.n++] = core->segs.at[i];
	}
	return n - core->segs.n;
}

/* False where the header contradicts itself. */
static bool take_segment(const struct hf_core *core, const Elf64_Phdr *phdr, struct hf_core_seg *ret)
{
	uint64_t file_end, there;

	if (phdr->p_filesz > phdr->p_memsz || hf_add_overflows(phdr->p_vaddr, phdr->p_memsz, &ret->mem_end) ||
	    hf_add_overflows(phdr->p_offset, phdr->p_filesz, &file_end) || file_end > INT64_MAX)
		return false;
	there = phdr->p_offset >= core->size ? 0 : hf_min(phdr->p_filesz, core->size - phdr->p_offset);
	ret->start = phdr->p_vaddr;
	ret->file_end = phdr->p_vaddr + there;
	ret->full_end = phdr->p_vaddr + phdr->p_filesz;
	ret->offset = phdr->p_offset;
	ret->flags = phdr->p_flags;
	return true;
}

static struct hf_err *read_segments(struct hf_target *t, uint64_t *ret_end)
{
	struct hf_core *core = t->arg;
	size_t bad = 0;

	for (size_t i = 0; i < core->phnum; i++) {
		struct hf_core_seg seg;
		Elf64_Phdr phdr;

		hf_core_phdr(core, i, &phdr);
		if (phdr.p_type == PT_NOTE && phdr.p_filesz <= INT64_MAX && phdr.p_offset <= INT64_MAX)
			*ret_end = hf_max(*ret_end, phdr.p_offset + phdr.p_filesz);
		if (phdr.p_type != PT_LOAD || !phdr.p_memsz)
			continue;
		if (!take_segment(core, &phdr, &seg)) {
			bad++;
			continue;
		}
		if (phdr.p_filesz)
			*ret_end = hf_max(*ret_end, phdr.p_offset + phdr.p_filesz);
		HF_TRY(hf_vec_push(&core->segs, seg));
	}
	bad += drop_overlaps(core);
	if (bad)
		hf_target_warn(t, true,
			       "the core is damaged: %zu of its segments contradict themselves or one "
			       "another and are passed over",
			       bad);
	return NULL;
}

struct hf_err *hf_core_read_headers(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	char have[16], want[16];
	uint64_t end = 0;

	HF_TRY(check_ident(core));
	elf_version(EV_CURRENT);
	core->elf = elf_memory((char *)(uintptr_t)core->bytes, core->size);
	if (!core->elf || elf_kind(core->elf) != ELF_K_ELF)
		return hf_err(HF_BADDATA, "core %s: its ELF header is damaged: %s", core->path,
			      elf_errmsg(-1));
	HF_TRY(count_headers(t));
	HF_TRY(read_segments(t, &end));
	if (end > core->size)
		hf_target_warn(t, true, "the core is truncated: %s of %s are there",
			       hf_format_size(core->size, have, sizeof(have)),
			       hf_format_size(end, want, sizeof(want)));
	return NULL;
}
