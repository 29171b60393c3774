#include "pcln.h"

#define MODULES_MAX    4096u
#define MODULEDATA_MAX (1u << 16)
#define FUNC_ID_OFFSET 40u /* Go 1.20 to 1.27 runtime/runtime2.go, _func.funcID */

/* What an earlier reading found. */
struct go_known_modules {
	struct go_module *at;
	size_t n;
};

/* A moduledata's bytes while it is taken apart. */
struct raw_module {
	const uint8_t *at;
	size_t n;
};

static uint64_t word_at(const struct raw_module *raw, int32_t off)
{
	return off >= 0 && (uint64_t)off + 8 <= raw->n ? hf_load_u64(raw->at + off) : 0;
}

static void decode_ranges(const struct go *go, const struct raw_module *raw, struct go_module *m)
{
	const int32_t *off = go->layout.off;

	m->text = word_at(raw, off[GO_MODULEDATA_TEXT]);
	m->etext = word_at(raw, off[GO_MODULEDATA_ETEXT]);
	m->minpc = word_at(raw, off[GO_MODULEDATA_MINPC]);
	m->maxpc = word_at(raw, off[GO_MODULEDATA_MAXPC]);
	m->noptrdata = word_at(raw, off[GO_MODULEDATA_NOPTRDATA]);
	m->enoptrdata = word_at(raw, off[GO_MODULEDATA_ENOPTRDATA]);
	m->data = word_at(raw, off[GO_MODULEDATA_DATA]);
	m->edata = word_at(raw, off[GO_MODULEDATA_EDATA]);
	m->bss = word_at(raw, off[GO_MODULEDATA_BSS]);
	m->ebss = word_at(raw, off[GO_MODULEDATA_EBSS]);
	m->noptrbss = word_at(raw, off[GO_MODULEDATA_NOPTRBSS]);
	m->enoptrbss = word_at(raw, off[GO_MODULEDATA_ENOPTRBSS]);
	m->types = word_at(raw, off[GO_MODULEDATA_TYPES]);
	m->etypes = word_at(raw, off[GO_MODULEDATA_ETYPES]);
	m->rodata = word_at(raw, off[GO_MODULEDATA_RODATA]);
	m->gofunc = word_at(raw, off[GO_MODULEDATA_GOFUNC]);
}

static void decode_slice(const struct raw_module *raw, int32_t off, uint64_t *ret_ptr, uint64_t *ret_n)
{
	*ret_ptr = word_at(raw, off);
	*ret_n = off >= 0 && off <= INT32_MAX - 16 ? word_at(raw, off + 8) : 0;
}

static void decode_bits(const struct raw_module *raw, int32_t off, uint64_t *ret_bytes, uint32_t *ret_n)
{
	uint64_t n = word_at(raw, off);

	/* runtime/stack.go, bitvector: n int32, bytedata *uint8 */
	*ret_n = (int32_t)n > 0 ? (uint32_t)n : 0;
	*ret_bytes = off >= 0 && off <= INT32_MAX - 16 ? word_at(raw, off + 8) : 0;
}

static void decode_module(const struct go *go, const struct raw_module *raw, struct go_module *m)
{
	const int32_t *off = go->layout.off;

	decode_ranges(go, raw, m);
	decode_slice(raw, off[GO_MODULEDATA_FUNCNAMETAB], &m->funcnametab, &m->funcnametab_n);
	decode_slice(raw, off[GO_MODULEDATA_CUTAB], &m->cutab, &m->cutab_n);
	decode_slice(raw, off[GO_MODULEDATA_FILETAB], &m->filetab, &m->filetab_n);
	decode_slice(raw, off[GO_MODULEDATA_PCTAB], &m->pctab, &m->pctab_n);
	decode_slice(raw, off[GO_MODULEDATA_PCLNTABLE], &m->pclntable, &m->pclntable_n);
	decode_slice(raw, off[GO_MODULEDATA_FTAB], &m->ftab, &m->ftab_n);
	decode_bits(raw, off[GO_MODULEDATA_GCDATAMASK], &m->datamask, &m->datamask_n);
	decode_bits(raw, off[GO_MODULEDATA_GCBSSMASK], &m->bssmask, &m->bssmask_n);
}

static struct hf_err *load_table(struct go *go, const char *what, uint64_t addr, uint64_t items,
				 unsigned item, struct go_table *ret)
{
	const void *at;
	uint64_t bytes;

	if (!items || !addr)
		return NULL;
	if (hf_mul_overflows(items, (uint64_t)item, &bytes) || bytes > SIZE_MAX)
		return hf_err_at(HF_BADDATA, addr, "moduledata.%s has %" PRIu64 " entries: it is damaged",
				 what, items);
	HF_TRY(hf_err_prefix(hf_target_get(go->t, addr, (size_t)bytes, &ret->copy, &at), "Go's %s", what));
	ret->at = at;
	ret->n = bytes;
	return NULL;
}

static struct hf_err *load_sections(struct go *go, const struct raw_module *raw, struct pcln *pcln)
{
	uint64_t addr, n;
	uint8_t bytes[24];

	decode_slice(raw, go->layout.off[GO_MODULEDATA_TEXTSECTMAP], &addr, &n);
	if (n <= 1)
		return NULL;
	if (n > GO_MAX_SECTIONS)
		return hf_err_at(HF_BADDATA, addr,
				 "moduledata.textsectmap has %" PRIu64 " sections: it is damaged", n);
	for (uint64_t i = 0; i < n; i++) {
		HF_TRY(hf_target_read(go->t, addr + i * sizeof(bytes), bytes, sizeof(bytes)));
		pcln->sections[i] = (struct go_text_section){hf_load_u64(bytes), hf_load_u64(bytes + 8),
							     hf_load_u64(bytes + 16)};
	}
	pcln->sections_n = n;
	return NULL;
}

/* FuncIDs are renumbered now and then, but the wrappers' has always been the last, after systemstack_switch's
 * (Go 1.20 runtime/symtab.go, 1.21 to 1.27 internal/abi/symtab.go). */
static int find_wrapper_id(const struct go_module *m)
{
	const struct pcln *p = m->pcln;

	for (uint64_t i = 0; i + 16 <= p->ftab.n; i += 8) {
		uint32_t off = hf_load_u32(p->ftab.at + i + 4);
		struct go_func f;

		if ((uint64_t)off + FUNC_ID_OFFSET >= p->functions.n ||
		    !p->functions.at[off + FUNC_ID_OFFSET])
			continue;
		if (go_func_decode(m, off, &f) && strcmp(f.name, "runtime.systemstack_switch") == 0)
			return f.func_id < UINT8_MAX ? f.func_id + 1 : -1;
	}
	return -1;
}

static void destroy_pcln(struct pcln *p)
{
	struct go_table *tables[] = {&p->names, &p->cu, &p->files, &p->pc, &p->functions, &p->ftab};

	for (size_t i = 0; i < HF_LEN(tables); i++)
		hf_vec_deinit(&tables[i]->copy);
	hf_free(p);
}

static void destroy_pcln_p(struct pcln **p)
{
	if (*p)
		destroy_pcln(*p);
}

/* All tables at once: lookups come from many threads, and want no lock. */
static struct hf_err *load_tables(struct go *go, const struct raw_module *raw, struct go_module *m)
{
	_cleanup_(destroy_pcln_p) struct pcln *p = hf_calloc(1, sizeof(*p));

	if (!p)
		return hf_err_nomem();
	HF_TRY(load_table(go, "funcnametab", m->funcnametab, m->funcnametab_n, 1, &p->names));
	HF_TRY(load_table(go, "cutab", m->cutab, m->cutab_n, 4, &p->cu));
	HF_TRY(load_table(go, "filetab", m->filetab, m->filetab_n, 1, &p->files));
	HF_TRY(load_table(go, "pctab", m->pctab, m->pctab_n, 1, &p->pc));
	HF_TRY(load_table(go, "pclntable", m->pclntable, m->pclntable_n, 1, &p->functions));
	HF_TRY(load_table(go, "ftab", m->ftab, m->ftab_n, 8, &p->ftab));
	HF_TRY(load_sections(go, raw, p));
	m->pcln = take_ptr(p);
	m->pcln->wrapper_id = find_wrapper_id(m);
	return NULL;
}

/* The tables of a module that was read before, if it still is the same one: they are large and never change, and while
 * the target is stopped every millisecond counts. */
static struct pcln *take_known(struct go_known_modules *known, const struct go_module *m)
{
	for (size_t i = 0; i < known->n; i++) {
		struct go_module *k = &known->at[i];

		if (k->pcln && k->addr == m->addr && k->pclntable == m->pclntable &&
		    k->pclntable_n == m->pclntable_n && k->ftab == m->ftab && k->ftab_n == m->ftab_n &&
		    k->pctab == m->pctab && k->pctab_n == m->pctab_n && k->funcnametab == m->funcnametab &&
		    k->cutab == m->cutab && k->filetab == m->filetab)
			return take_ptr(k->pcln);
	}
	return NULL;
}

static struct hf_err *read_module(struct go *go, uint64_t addr, struct go_known_modules *known,
				  uint64_t *ret_next)
{
	_free_ uint8_t *bytes = NULL;
	struct raw_module raw;
	struct go_module m = {.addr = addr};
	int32_t size = go_off(go, MODULEDATA_SIZE), bad = go_off(go, MODULEDATA_BAD);
	struct hf_err *err = NULL;

	if (size <= 0 || (uint32_t)size > MODULEDATA_MAX)
		return hf_err(HF_BADDATA, "DWARF says that runtime.moduledata has %" PRId32 " bytes", size);
	bytes = hf_malloc((size_t)size);
	if (!bytes)
		return hf_err_nomem();
	HF_TRY(hf_err_prefix(hf_target_read(go->t, addr, bytes, (size_t)size), "Go's moduledata"));
	raw = (struct raw_module){bytes, (size_t)size};
	*ret_next = word_at(&raw, go_off(go, MODULEDATA_NEXT));
	if (bad >= 0 && bad < size && bytes[bad])
		return NULL;
	decode_module(go, &raw, &m);
	m.pcln = take_known(known, &m);
	if (!m.pcln)
		err = load_tables(go, &raw, &m);
	/* Without them nothing is known of its functions, but all else of it is. */
	if (hf_err_code(err) == HF_BADDATA || hf_err_code(err) == HF_FAULT) {
		go_damage_add(&go->damage[GO_DAMAGE_MODULES], addr);
		hf_err_ignore(err);
		err = NULL;
	}
	HF_TRY(err);
	if (hf_err_ignore(hf_vec_reserve(&go->modules, 1))) {
		destroy_pcln_p(&m.pcln);
		return hf_err_nomem();
	}
	go->modules.at[go->modules.n++] = m;
	return NULL;
}

static void free_modules(struct go_module *modules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (modules[i].pcln)
			destroy_pcln(modules[i].pcln);
	hf_free(modules);
}

struct hf_err *go_modules_read(struct go *go)
{
	struct go_known_modules known = {go->modules.at, go->modules.n};
	uint64_t addr = go->layout.var[GO_VAR_FIRSTMODULEDATA], next;
	struct hf_err *err = NULL;

	go->modules.at = NULL;
	go->modules.n = go->modules.cap = 0;
	go->damage[GO_DAMAGE_MODULES] = (struct go_damage){0};
	for (unsigned i = 0; addr && !err; i++, addr = next) {
		next = 0;
		if (i == MODULES_MAX)
			err = hf_err_at(HF_BADDATA, addr, "Go's list of modules has no end: it is damaged");
		else
			err = read_module(go, addr, &known, &next);
	}
	free_modules(known.at, known.n);
	if (!err && !go->modules.n)
		err = hf_err(HF_BADDATA, "Go's list of modules is empty: is the process still starting?");
	return err;
}

void go_modules_deinit(struct go *go)
{
	free_modules(go->modules.at, go->modules.n);
	go->modules.at = NULL;
	go->modules.n = go->modules.cap = 0;
}

const struct go_module *go_find_module(const struct go *go, uint64_t pc)
{
	hf_vec_each(&go->modules, m)
		if (pc >= m->minpc && pc < m->maxpc)
			return m;
	return NULL;
}

struct section_reader {
	struct go *go;
	go_section_fn *fn;
	void *arg;
	struct hf_scratch data, masks;
};

static struct hf_err *read_section(struct section_reader *r, uint64_t start, uint64_t end, uint64_t mask,
				   uint64_t bits)
{
	struct go_section s = {.start = start, .end = end};
	uint64_t n = end > start ? hf_min(bits, (end - start) / 8) : 0;
	const void *words, *m;

	if (!n)
		return NULL;
	if (!hf_err_ignore(hf_target_get(r->go->t, mask, (size_t)(n + 7) / 8, &r->masks, &m)) &&
	    !hf_err_ignore(hf_target_get(r->go->t, start, (size_t)n * 8, &r->data, &words))) {
		s.words = words;
		s.mask = m;
		s.n = n;
	}
	return r->fn(r->arg, &s);
}

static void section_reader_deinit(struct section_reader *r)
{
	hf_vec_deinit(&r->data);
	hf_vec_deinit(&r->masks);
}

struct hf_err *go_each_section(struct go *go, go_section_fn *fn, void *arg)
{
	_cleanup_(section_reader_deinit) struct section_reader r = {.go = go, .fn = fn, .arg = arg};

	hf_vec_each(&go->modules, m) {
		HF_TRY(read_section(&r, m->data, m->edata, m->datamask, m->datamask_n));
		HF_TRY(read_section(&r, m->bss, m->ebss, m->bssmask, m->bssmask_n));
	}
	return NULL;
}
