/* pclntab: Go 1.20 to 1.27 runtime/symtab.go and runtime2.go (_func), cmd/link/internal/ld/pcln.go. */
#include "pcln.h"

#define FUNC_BYTES  44u
#define PCDATA_MAX  64u        /* the compiler knows six kinds of tables */
#define VALUE_STEPS (1u << 20) /* more entries than any function has */
#define NO_FUNCDATA UINT32_MAX
#define STRING_MAX  (1u << 16) /* generic functions have long names, but not that long */

const char *go_table_string(const struct go_table *t, uint64_t off)
{
	if (off >= t->n || !memchr(t->at + off, 0, hf_min(t->n - off, (uint64_t)STRING_MAX)))
		return NULL;
	return (const char *)t->at + off;
}

uint64_t go_text_addr(const struct go_module *m, uint32_t off)
{
	const struct pcln *p = m->pcln;

	for (size_t i = 0; i < p->sections_n; i++) {
		const struct go_text_section *s = &p->sections[i];

		if (off >= s->vaddr && (off < s->end || (i + 1 == p->sections_n && off == s->end)))
			return s->base + (off - s->vaddr);
	}
	return m->text + off;
}

bool go_text_offset(const struct go_module *m, uint64_t addr, uint32_t *ret)
{
	const struct pcln *p = m->pcln;
	uint64_t off = addr - m->text;

	for (size_t i = 0; i < p->sections_n; i++) {
		const struct go_text_section *s = &p->sections[i];

		if (addr < s->base)
			return false;
		if (addr - s->base < s->end - s->vaddr) {
			off = addr - s->base + s->vaddr;
			break;
		}
	}
	if (addr < m->text || off > UINT32_MAX)
		return false;
	*ret = (uint32_t)off;
	return true;
}

bool go_func_decode(const struct go_module *m, uint32_t off, struct go_func *ret)
{
	const struct go_table *t = &m->pcln->functions;
	const uint8_t *at;
	const char *name;
	uint64_t tables;

	if ((uint64_t)off + FUNC_BYTES > t->n)
		return false;
	at = t->at + off;
	*ret = (struct go_func){
		.module = m,
		.entry = go_text_addr(m, hf_load_u32(at)),
		.off = off,
		.name_off = hf_load_u32(at + 4),
		.args = (int32_t)hf_load_u32(at + 8),
		.deferreturn = hf_load_u32(at + 12),
		.pcsp = hf_load_u32(at + 16),
		.pcfile = hf_load_u32(at + 20),
		.pcln = hf_load_u32(at + 24),
		.npcdata = hf_load_u32(at + 28),
		.cu = hf_load_u32(at + 32),
		.start_line = (int32_t)hf_load_u32(at + 36),
		.func_id = at[40],
		.flag = at[41],
		.nfuncdata = at[43],
	};
	if (ret->npcdata > PCDATA_MAX)
		return false;
	tables = 4 * ((uint64_t)ret->npcdata + ret->nfuncdata);
	if (off + FUNC_BYTES + tables > t->n)
		return false;
	name = go_table_string(&m->pcln->names, ret->name_off);
	ret->name = name && *name ? name : "?";
	return true;
}

/* The last entry of ftab ends the text: it names no function. */
static bool find_entry(const struct go_table *ftab, uint32_t off, uint32_t *ret)
{
	size_t lo = 0, hi = ftab->n / 8;

	if (hi < 2 || off < hf_load_u32(ftab->at))
		return false;
	hi--;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (hf_load_u32(ftab->at + 8 * mid) <= off)
			lo = mid;
		else
			hi = mid;
	}
	*ret = hf_load_u32(ftab->at + 8 * lo + 4);
	return true;
}

bool go_find_func(struct go *go, uint64_t pc, struct go_func *ret)
{
	const struct go_module *m = go_find_module(go, pc);
	struct go_func f;
	uint32_t off, func_off;

	if (!m || !m->pcln || !go_text_offset(m, pc, &off) || !find_entry(&m->pcln->ftab, off, &func_off))
		return false;
	if (!go_func_decode(m, func_off, &f) || f.entry > pc)
		return false;
	*ret = f;
	return true;
}

static bool read_varint(const struct go_table *t, uint64_t *at, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 35 && *at < t->n; shift += 7) {
		uint8_t byte = t->at[(*at)++];

		value |= (uint32_t)((uint64_t)(byte & 0x7f) << shift);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

bool go_pc_value(struct go *go, const struct go_func *f, uint32_t table, uint64_t pc, int32_t *ret)
{
	const struct go_table *t = &f->module->pcln->pc;
	uint64_t at = table, end = f->entry;
	uint32_t value = UINT32_MAX; /* -1, and wraps as it likes */

	(void)go;
	if (!table || pc < f->entry)
		return false;
	for (unsigned i = 0; i < VALUE_STEPS; i++) {
		uint32_t zigzag, step;

		if (!read_varint(t, &at, &zigzag) || (!zigzag && i) || !read_varint(t, &at, &step))
			return false;
		value += (zigzag >> 1) ^ -(zigzag & 1);
		end += step;
		if (pc < end) {
			*ret = (int32_t)value;
			return true;
		}
	}
	return false;
}

int32_t go_pcdata(struct go *go, const struct go_func *f, unsigned i, uint64_t pc)
{
	int32_t value;

	if (i >= f->npcdata)
		return -1;
	if (!go_pc_value(go, f, hf_load_u32(f->module->pcln->functions.at + f->off + FUNC_BYTES + 4 * i), pc,
			 &value))
		return -1;
	return value;
}

uint64_t go_funcdata(struct go *go, const struct go_func *f, unsigned i)
{
	uint32_t off;

	(void)go;
	if (i >= f->nfuncdata)
		return 0;
	off = hf_load_u32(f->module->pcln->functions.at + f->off + FUNC_BYTES + 4 * (f->npcdata + i));
	return off == NO_FUNCDATA ? 0 : f->module->gofunc + off;
}

bool go_is_wrapper(const struct go_module *m, uint8_t func_id, const char *name)
{
	return (m->pcln->wrapper_id > 0 && func_id == m->pcln->wrapper_id) || strstr(name, ".gowrap") ||
	       strstr(name, ".deferwrap");
}
