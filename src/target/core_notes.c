#define _GNU_SOURCE
#include "core.h"

#include <gelf.h>
#include "snap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/procfs.h>

/* A note's descriptor. */
struct note {
	const char *owner;
	size_t owner_len;
	uint32_t type;
	const uint8_t *desc;
	size_t len;
};

static bool is_printable(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f;
}

struct hf_err *hf_core_keep_text(struct hf_target *t, const char *text, size_t n, const char **ret)
{
	char *copy = hf_arena_strndup(&t->names, text, n);

	if (!copy)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		copy[i] = is_printable(copy[i]) ? copy[i] : '?';
	*ret = copy;
	return NULL;
}

static void take_text(char *ret, size_t size, const char *text, size_t n)
{
	size_t o = 0;

	for (size_t i = 0; i < n && text[i] && o + 1 < size; i++)
		ret[o++] = is_printable(text[i]) ? text[i] : '?';
	ret[o] = '\0';
}

static struct hf_err *take_thread(struct hf_target *t, const struct note *note)
{
	struct hf_thread thread = {.state = HF_THREAD_STOPPED};

	if (note->len < sizeof(struct elf_prstatus)) {
		hf_target_warn(t, true,
			       "a thread of the core has a damaged NT_PRSTATUS note and is passed over");
		return NULL;
	}
	thread.tid = (pid_t)hf_load_u32(note->desc + offsetof(struct elf_prstatus, pr_pid));
	thread.ns_tid = thread.tid;
	HF_TRY(hf_arch_regs_decode(note->desc + offsetof(struct elf_prstatus, pr_reg), sizeof(elf_gregset_t),
				   &thread.regs));
	return hf_vec_push(&t->threads, thread);
}

static void take_psinfo(struct hf_target *t, const struct note *note)
{
	struct hf_core *core = t->arg;

	if (note->len < sizeof(struct elf_prpsinfo) || core->comm[0])
		return;
	take_text(core->comm, sizeof(core->comm),
		  (const char *)note->desc + offsetof(struct elf_prpsinfo, pr_fname), 16);
	t->pid = (pid_t)hf_load_u32(note->desc + offsetof(struct elf_prpsinfo, pr_pid));
}

static struct hf_err *take_auxv(struct hf_target *t, const struct note *note)
{
	struct hf_core *core = t->arg;

	if (core->has_auxv || !note->len)
		return NULL;
	core->has_auxv = true;
	HF_TRY(hf_vec_reserve(&t->auxv, note->len));
	memcpy(t->auxv.at, note->desc, note->len);
	t->auxv.n = note->len;
	return NULL;
}

static int compare_entries(const void *a, const void *b)
{
	const struct hf_core_entry *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static struct hf_err *take_path(struct hf_target *t, const char *name, size_t n, struct hf_core_entry *entry)
{
	static const char gone[] = " (deleted)";
	const size_t gone_len = sizeof(gone) - 1;

	entry->deleted = n > gone_len && !memcmp(name + n - gone_len, gone, gone_len);
	return hf_core_keep_text(t, name, n - (entry->deleted ? gone_len : 0), &entry->path);
}

/* Ascending and apart, the first of overlapping ones kept. Returns how many were dropped. */
static size_t order_entries(struct hf_core *core)
{
	size_t n = core->entries.n;
	uint64_t end = 0;

	if (!n)
		return 0;
	qsort(core->entries.at, n, sizeof(*core->entries.at), compare_entries);
	core->entries.n = 0;
	for (size_t i = 0; i < n; i++) {
		if (core->entries.at[i].start < end)
			continue;
		end = core->entries.at[i].end;
		core->entries.at[core->entries.n++] = core->entries.at[i];
	}
	return n - core->entries.n;
}

/* Layout: count, page size, count times {start, end, offset in pages}, then the names, each with its NUL.
 * Linux fs/binfmt_elf.c, fill_files_note. */
static struct hf_err *take_files(struct hf_target *t, const struct note *note)
{
	struct hf_core *core = t->arg;
	const uint8_t *row = note->desc + 16;
	uint64_t count, unit, room, i;
	const char *name, *end = (const char *)note->desc + note->len;
	size_t bad = 0;

	if (core->has_entries || note->len < 16)
		return NULL;
	core->has_entries = true;
	count = hf_load_u64(note->desc);
	unit = hf_load_u64(note->desc + 8);
	room = (note->len - 16) / 24;
	name = (const char *)row + hf_min(count, room) * 24;
	for (i = 0; i < hf_min(count, room) && name < end; i++, row += 24) {
		struct hf_core_entry entry = {.start = hf_load_u64(row), .end = hf_load_u64(row + 8)};
		size_t n = strnlen(name, (size_t)(end - name));

		if (entry.start >= entry.end ||
		    hf_mul_overflows(hf_load_u64(row + 16), unit, &entry.offset) ||
		    entry.offset > INT64_MAX) {
			bad++;
		} else {
			HF_TRY(take_path(t, name, n, &entry));
			HF_TRY(hf_vec_push(&core->entries, entry));
		}
		name += n + 1;
	}
	bad += order_entries(core);
	if (bad || i < count)
		hf_target_warn(t, true,
			       "the core's list of mapped files is damaged: %" PRIu64 " of %" PRIu64
			       " entries are passed over",
			       count - core->entries.n, count);
	return NULL;
}

static bool is_owner(const struct note *note, const char *name)
{
	size_t n = strlen(name);

	return note->owner_len >= n && !memcmp(note->owner, name, n) &&
	       (note->owner_len == n || note->owner[n] == '\0');
}

static struct hf_err *take_note(struct hf_target *t, const struct note *note)
{
	struct hf_core *core = t->arg;

	if (is_owner(note, HF_NOTE_NAME) && note->type == HF_NOTE_TYPE && !core->note) {
		core->note = (const char *)note->desc;
		core->note_len = note->len;
	}
	if (!is_owner(note, "CORE"))
		return NULL;
	switch (note->type) {
	case NT_PRSTATUS:
		return take_thread(t, note);
	case NT_PRPSINFO:
		take_psinfo(t, note);
		return NULL;
	case NT_AUXV:
		return take_auxv(t, note);
	case NT_FILE:
		return take_files(t, note);
	default:
		return NULL;
	}
}

/* left  how many bytes of notes may yet be read: no more than the file has, however many headers point at
 * the same. */
static struct hf_err *read_note_segment(struct hf_target *t, const Elf64_Phdr *phdr, uint64_t *left)
{
	struct hf_core *core = t->arg;
	size_t off = 0, next, name, desc, len;
	Elf_Data *data;
	GElf_Nhdr nhdr;

	if (phdr->p_offset >= core->size)
		return NULL; /* truncated: has been said */
	len = hf_min(phdr->p_filesz, core->size - phdr->p_offset);
	if (len > *left) {
		hf_target_warn(t, true, "the core's notes are damaged: they overlap");
		return NULL;
	}
	*left -= len;
	data = elf_getdata_rawchunk(core->elf, (int64_t)phdr->p_offset, len,
				    phdr->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	if (!data)
		return hf_err(HF_BADDATA, "core %s: its notes cannot be read: %s", core->path,
			      elf_errmsg(-1));
	while ((next = gelf_getnote(data, off, &nhdr, &name, &desc)) > 0) {
		struct note note = {
			.owner = (const char *)data->d_buf + name,
			.owner_len = nhdr.n_namesz,
			.type = nhdr.n_type,
			.desc = (const uint8_t *)data->d_buf + desc,
			.len = nhdr.n_descsz,
		};

		HF_TRY(take_note(t, &note));
		off = next;
	}
	if (len == phdr->p_filesz && off < len)
		hf_target_warn(t, true,
			       "the core's notes are damaged: the last %zu of %zu bytes make no sense",
			       len - off, len);
	return NULL;
}

struct hf_err *hf_core_read_notes(struct hf_target *t)
{
	struct hf_core *core = t->arg;
	uint64_t left = core->size;

	for (size_t i = 0; i < core->phnum && left; i++) {
		Elf64_Phdr phdr;

		hf_core_phdr(core, i, &phdr);
		if (phdr.p_type == PT_NOTE)
			HF_TRY(read_note_segment(t, &phdr, &left));
	}
	if (!t->pid && t->threads.n)
		t->pid = t->threads.at[0].tid;
	if (t->threads.n && core->comm[0] && t->threads.at[0].tid == t->pid)
		snprintf(t->threads.at[0].name, sizeof(t->threads.at[0].name), "%s", core->comm);
	return NULL;
}
