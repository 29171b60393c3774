/* Cores made by hand, for tests: headers, notes and segments as one likes, right or wrong. */
#ifndef CORE_MAKE_H
#define CORE_MAKE_H

#define _GNU_SOURCE
#include "../../src/base/str.h"
#include "../../src/target/core.h"
#include "../../src/target/snap.h"

#include <elf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

struct made_segment {
	uint64_t addr;
	const void *bytes;
	uint64_t filesz, memsz;
	uint32_t flags;
};

#define MADE_SEGMENTS_MAX 16

struct made_core {
	struct hf_str notes;
	struct made_segment segs[MADE_SEGMENTS_MAX];
	size_t n;
	struct hf_str file; /* after made_core_link */
};

static inline void made_note(struct hf_str *out, const char *owner, uint32_t type, const void *desc,
			     size_t len)
{
	Elf64_Nhdr head = {
		.n_namesz = (uint32_t)strlen(owner) + 1, .n_descsz = (uint32_t)len, .n_type = type};

	hf_str_addn(out, (const char *)&head, sizeof(head));
	hf_str_addn(out, owner, head.n_namesz);
	hf_str_addn(out, "\0\0\0", (4 - out->n % 4) % 4);
	hf_str_addn(out, desc, len);
	hf_str_addn(out, "\0\0\0", (4 - out->n % 4) % 4);
}

static inline void made_thread(struct made_core *core, int tid, uint64_t pc, uint64_t sp)
{
	struct elf_prstatus status = {.pr_pid = tid};
	struct user_regs_struct regs = {
		.rip = pc, .rsp = sp, .rax = 0x1111, .r14 = 0x1414, .fs_base = 0x7700};

	memcpy(&status.pr_reg, &regs, sizeof(regs));
	made_note(&core->notes, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static inline void made_psinfo(struct made_core *core, int pid, const char *name)
{
	struct elf_prpsinfo info = {.pr_pid = pid};

	snprintf(info.pr_fname, sizeof(info.pr_fname), "%s", name);
	made_note(&core->notes, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static inline void made_auxv(struct made_core *core, uint64_t type, uint64_t value)
{
	uint64_t words[4] = {type, value, AT_NULL, 0};

	made_note(&core->notes, "CORE", NT_AUXV, words, sizeof(words));
}

/* One entry of NT_FILE. */
static inline void made_file(struct made_core *core, uint64_t start, uint64_t end, uint64_t page_off,
			     const char *path)
{
	uint64_t words[5] = {1, 4096, start, end, page_off};
	struct hf_str desc = {0};

	hf_str_addn(&desc, (const char *)words, sizeof(words));
	hf_str_addn(&desc, path, strlen(path) + 1);
	made_note(&core->notes, "CORE", NT_FILE, desc.s, desc.n);
	hf_str_deinit(&desc);
}

static inline void made_segment(struct made_core *core, uint64_t addr, const void *bytes, uint64_t filesz,
				uint64_t memsz)
{
	core->segs[core->n++] = (struct made_segment){addr, bytes, filesz, memsz, PF_R | PF_W};
}

static inline Elf64_Ehdr *made_ehdr(struct made_core *core)
{
	return (Elf64_Ehdr *)(void *)core->file.s;
}

/* 0 is the PT_NOTE. */
static inline Elf64_Phdr *made_phdr(struct made_core *core, size_t i)
{
	return (Elf64_Phdr *)(void *)(core->file.s + sizeof(Elf64_Ehdr)) + i;
}

static inline void made_core_link(struct made_core *core)
{
	Elf64_Ehdr ehdr = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)(core->n + 1),
	};
	uint64_t off = sizeof(ehdr) + (core->n + 1) * sizeof(Elf64_Phdr);
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = off, .p_filesz = core->notes.n, .p_align = 4};

	hf_str_addn(&core->file, (const char *)&ehdr, sizeof(ehdr));
	hf_str_addn(&core->file, (const char *)&note, sizeof(note));
	off += core->notes.n;
	for (size_t i = 0; i < core->n; i++) {
		Elf64_Phdr load = {
			.p_type = PT_LOAD,
			.p_flags = core->segs[i].flags,
			.p_offset = off,
			.p_vaddr = core->segs[i].addr,
			.p_filesz = core->segs[i].filesz,
			.p_memsz = core->segs[i].memsz,
		};

		hf_str_addn(&core->file, (const char *)&load, sizeof(load));
		off += core->segs[i].filesz;
	}
	hf_str_addn(&core->file, core->notes.n ? core->notes.s : "", core->notes.n);
	for (size_t i = 0; i < core->n; i++)
		if (core->segs[i].filesz)
			hf_str_addn(&core->file, core->segs[i].bytes, core->segs[i].filesz);
}

static inline void made_core_deinit(struct made_core *core)
{
	hf_str_deinit(&core->notes);
	hf_str_deinit(&core->file);
}

/* Opens the first `size` bytes of a core. */
static inline struct hf_err *made_open_size(const void *bytes, size_t size, const char *exe,
					    struct hf_target **ret)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		return hf_err(HF_IO, "no memfd");
	return hf_core_open_fd(fd, "made", exe, ret);
}

static inline struct hf_err *made_open(struct made_core *core, const char *exe, struct hf_target **ret)
{
	if (!core->file.n)
		made_core_link(core);
	return made_open_size(core->file.s, core->file.n, exe, ret);
}

/* An ELF file of one page (0x1000 bytes of header, then 0x1000 of `fill`) with a GNU build-id of 20 times
 * `id`; no id where it is 0. buf of 0x2000 bytes. */
static inline void made_elf(uint8_t *buf, uint8_t id, uint8_t fill)
{
	Elf64_Ehdr ehdr = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = id ? 1 : 0,
	};
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = 0x200, .p_filesz = 36, .p_align = 4};
	Elf64_Nhdr head = {.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};

	memset(buf, 0, 0x1000);
	memset(buf + 0x1000, fill, 0x1000);
	memcpy(buf, &ehdr, sizeof(ehdr));
	memcpy(buf + sizeof(ehdr), &note, sizeof(note));
	memcpy(buf + 0x200, &head, sizeof(head));
	memcpy(buf + 0x20c, "GNU", 4);
	memset(buf + 0x210, id, 20);
}

#endif
