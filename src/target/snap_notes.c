#define _GNU_SOURCE
#include "facts.h"
#include "maps.h"
#include "snap_private.h"

#include <elf.h>
#include <stdio.h>
#include <sys/procfs.h>

/* Room for what turns out to be unreadable only when it is read. */
#define LOST_ROOM 4096u

static void add_padding(struct hf_str *out)
{
	hf_str_addn(out, "\0\0\0", (4 - out->n % 4) % 4);
}

static void add_note(struct hf_str *out, const char *owner, uint32_t type, const void *desc, size_t len)
{
	Elf64_Nhdr head = {
		.n_namesz = (uint32_t)strlen(owner) + 1, .n_descsz = (uint32_t)len, .n_type = type};

	hf_str_addn(out, (const char *)&head, sizeof(head));
	hf_str_addn(out, owner, head.n_namesz);
	add_padding(out);
	hf_str_addn(out, desc, len);
	add_padding(out);
}

static void add_psinfo(struct hf_str *out, const struct hf_target *t, const struct hf_facts *facts)
{
	struct elf_prpsinfo info = {.pr_sname = 'R', .pr_pid = t->pid};

	if (facts->uid < HF_NOLIMIT)
		info.pr_uid = (unsigned)facts->uid;
	memcpy(info.pr_fname, facts->comm, strnlen(facts->comm, sizeof(info.pr_fname) - 1));
	memcpy(info.pr_psargs, facts->cmdline, strnlen(facts->cmdline, sizeof(info.pr_psargs) - 1));
	add_note(out, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static void add_u64(struct hf_str *out, uint64_t v)
{
	hf_str_addn(out, (const char *)&v, sizeof(v));
}

/* Layout: see core_notes.c, take_files. */
static void add_files(struct hf_str *out, const struct hf_target *t)
{
	_cleanup_(hf_str_deinit) struct hf_str rows = {0}, names = {0};
	uint64_t count = 0;

	for (size_t i = 0; i < t->maps.n; i++) {
		const struct hf_map *map = &t->maps.at[i];

		if (map->path[0] != '/')
			continue;
		count++;
		add_u64(&rows, map->start);
		add_u64(&rows, map->end);
		add_u64(&rows, map->offset / HF_ARCH_PAGE);
		hf_str_add(&names, map->path);
		hf_str_add(&names, map->deleted ? " (deleted)" : "");
		hf_str_addc(&names, '\0');
	}
	if (count) {
		_cleanup_(hf_str_deinit) struct hf_str desc = {0};

		add_u64(&desc, count);
		add_u64(&desc, HF_ARCH_PAGE);
		hf_str_addn(&desc, rows.s, rows.n);
		hf_str_addn(&desc, names.s, names.n);
		out->failed |= rows.failed || names.failed || desc.failed;
		if (!out->failed)
			add_note(out, "CORE", NT_FILE, desc.s, desc.n);
	}
}

/* Lines for our own note go to `lines`. */
static void add_threads(struct hf_str *out, const struct hf_target *t, struct hf_str *lines)
{
	for (size_t i = 0; i < t->threads.n; i++) {
		const struct hf_thread *thread = &t->threads.at[i];
		struct elf_prstatus status = {.pr_pid = thread->tid};

		if (thread->state != HF_THREAD_STOPPED)
			continue;
		hf_snap_regs(&thread->regs, &status.pr_reg, sizeof(status.pr_reg));
		add_note(out, "CORE", NT_PRSTATUS, &status, sizeof(status));
		hf_str_addf(lines, "%d %d ", thread->tid, thread->ns_tid);
		for (const char *c = thread->name; *c; c++)
			hf_str_addc(lines, *c == '\n' ? '?' : *c);
		hf_str_addc(lines, '\n');
	}
}

struct hf_err *hf_snap_notes(struct hf_target *t, const struct hf_facts *facts,
			     const struct hf_snap_plan *plan, struct hf_str *ret, size_t *ret_lost,
			     size_t *ret_lost_room)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0}, lines = {0};
	size_t lost, room = LOST_ROOM + plan->lost.n * 34;

	add_threads(ret, t, &lines);
	add_psinfo(ret, t, facts);
	if (t->auxv.n)
		add_note(ret, "CORE", NT_AUXV, t->auxv.at, t->auxv.n);
	add_files(ret, t);
	HF_TRY(hf_str_check(&lines));
	HF_TRY(hf_facts_print(facts, &text));
	hf_str_add(&text, "maps\n");
	hf_maps_print(t, &text);
	hf_str_add(&text, "threads\n");
	hf_str_add(&text, hf_str_get(&lines));
	hf_str_add(&text, "lost\n");
	lost = text.n;
	for (size_t i = 0; i < room; i++)
		hf_str_addc(&text, '\n');
	HF_TRY(hf_str_check(&text));
	if (text.n > UINT32_MAX)
		return hf_err(HF_TARGET, "%s: has too many mappings for a snap's note", t->label);
	add_note(ret, HF_NOTE_NAME, HF_NOTE_TYPE, text.s, text.n);
	HF_TRY(hf_str_check(ret));
	*ret_lost = ret->n - hf_align_up(text.n, 4) + lost;
	*ret_lost_room = room;
	return NULL;
}

static void add_phdr(struct hf_str *out, const Elf64_Phdr *phdr)
{
	hf_str_addn(out, (const char *)phdr, sizeof(*phdr));
}

struct hf_err *hf_snap_headers(const struct hf_snap_plan *plan, size_t notes_len, struct hf_str *ret,
			       uint64_t *ret_data)
{
	size_t phnum = plan->segs.n + 1;
	bool many = phnum >= PN_XNUM;
	uint64_t phdrs_end = sizeof(Elf64_Ehdr) + phnum * sizeof(Elf64_Phdr);
	uint64_t notes = phdrs_end + (many ? sizeof(Elf64_Shdr) : 0);
	uint64_t data = hf_align_up(notes + notes_len, HF_ARCH_PAGE);
	/* With the system named: LLDB 14 to 19 refuse a core of a static program that does not. */
	Elf64_Ehdr ehdr = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
			    ELFOSABI_LINUX},
		.e_type = ET_CORE,
		.e_machine = hf_arch_elf_machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(ehdr),
		.e_ehsize = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = many ? PN_XNUM : (uint16_t)phnum,
		.e_shoff = many ? phdrs_end : 0,
		.e_shentsize = many ? sizeof(Elf64_Shdr) : 0,
		.e_shnum = many,
	};
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes, .p_filesz = notes_len, .p_align = 4};
	Elf64_Shdr shdr = {.sh_size = 1, .sh_info = (uint32_t)phnum};

	hf_str_addn(ret, (const char *)&ehdr, sizeof(ehdr));
	add_phdr(ret, &note);
	for (size_t i = 0; i < plan->segs.n; i++) {
		const struct hf_snap_seg *seg = &plan->segs.at[i];
		uint64_t len = seg->end - seg->start;
		Elf64_Phdr load = {
			.p_type = PT_LOAD,
			.p_flags = seg->flags,
			.p_offset = data + (seg->left_out ? 0 : seg->file_off),
			.p_vaddr = seg->start,
			.p_filesz = seg->left_out ? 0 : len,
			.p_memsz = len,
			.p_align = HF_ARCH_PAGE,
		};

		add_phdr(ret, &load);
	}
	if (many)
		hf_str_addn(ret, (const char *)&shdr, sizeof(shdr));
	*ret_data = data;
	return hf_str_check(ret);
}
