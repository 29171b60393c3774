/* A constructor by its name: its code, and the function value that stands for it. */
#include "ctor.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define PIECE      65536u
#define SEARCH_MAX (1ull << 30)
#define NEAREST    3
#define WORD_MAX   64u
#define FAR        4u /* edits between names that are still told */
#define RANGES_MAX 5

static bool is_between(uint64_t addr, uint64_t start, uint64_t end)
{
	return addr >= start && addr < end;
}

bool go_is_variable(const struct go *go, uint64_t addr)
{
	hf_vec_each(&go->modules, m)
		if (is_between(addr, m->data, m->edata) || is_between(addr, m->bss, m->ebss) ||
		    is_between(addr, m->noptrdata, m->enoptrdata) ||
		    is_between(addr, m->noptrbss, m->enoptrbss))
			return true;
	return false;
}

bool go_is_static(const struct go *go, uint64_t addr)
{
	return hf_syms_find_module(go->syms, addr) || go_is_variable(go, addr);
}

/* ---- function values ------------------------------------------------------------------------------------------- */

/* Also of a target that runs on: these words never change. */
static bool read_constant(struct go *go, uint64_t addr, void *buf, size_t len)
{
	if (!hf_err_ignore(hf_target_read(go->t, addr, buf, len)))
		return true;
	return go->t->ops->reread && !hf_err_ignore(go->t->ops->reread(go->t, addr, buf, len));
}

static uint64_t find_word(struct go *go, const struct hf_range *r, uint64_t word, uint8_t *piece)
{
	uint64_t start = hf_align_up(r->start, 8), end = hf_min(r->end, start + SEARCH_MAX);

	for (uint64_t n; start + 8 <= end; start += n) {
		n = hf_min(end - start, hf_align_down(start, PIECE) + PIECE - start);
		if (!read_constant(go, start, piece, n))
			continue;
		for (uint64_t i = 0; i + 8 <= n; i += 8)
			if (hf_load_u64(piece + i) == word)
				return start + i;
	}
	return 0;
}

/* cmd/link/internal/ld/symtab.go: words "f·f" stand with go:func.*, whose start is moduledata.gofunc; in Go 1.26 in
 * .rodata, since 1.27 in .go.func; in a position-independent executable with go:funcrel.*, in .data.rel.ro. */
static size_t find_ranges(struct go *go, const struct go_module *m, struct hf_range *ret)
{
	static const char *const named[] = {".go.func", ".rodata", ".data.rel.ro", ".go.funcrel"};
	const struct hf_module *file = hf_syms_find_module(go->syms, m->text);
	struct hf_section section;
	size_t n = 0;

	if (!file)
		return 0;
	if (hf_module_section_at(file, m->gofunc, &section))
		ret[n++] = (struct hf_range){m->gofunc, section.addr + section.size};
	for (size_t i = 0; i < HF_LEN(named) && n < RANGES_MAX; i++)
		if (hf_module_section(file, named[i], &section) && section.addr)
			ret[n++] = (struct hf_range){section.addr, section.addr + section.size};
	return n;
}

struct hf_err *go_static_funcval(struct go *go, uint64_t entry, uint64_t *ret)
{
	const struct go_module *m = go_find_module(go, entry);
	_free_ uint8_t *piece = hf_malloc(PIECE);
	struct hf_range ranges[RANGES_MAX];
	size_t n = m ? find_ranges(go, m, ranges) : 0;
	uint64_t found = 0;

	if (!piece)
		return hf_err_nomem();
	for (size_t i = 0; i < n && !found; i++)
		found = find_word(go, &ranges[i], entry, piece);
	*ret = found;
	return NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* "http.(*T).F[go.shape.int]" of "net/http.(*T).F[go.shape.int]". */
static const char *without_folders(const char *name)
{
	const char *start = name;

	for (const char *p = name; *p && *p != '['; p++)
		if (*p == '/')
			start = p + 1;
	return start;
}

/* "newSmall" of "main.newSmall"; all of a name without a package. */
static const char *last_word(const char *name)
{
	const char *dot = strchr(without_folders(name), '.');

	return dot ? dot + 1 : name;
}

/* Levenshtein's distance without case; FAR or more: FAR. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[WORD_MAX + 1], diagonal, above;

	if (n > WORD_MAX || m > WORD_MAX || (n > m ? n - m : m - n) >= FAR)
		return FAR;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);

			above = row[j];
			row[j] = hf_min(hf_min(above, row[j - 1]) + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return hf_min(row[m], FAR);
}

struct finder {
	const char *asked;
	struct go_func exact, partial;
	unsigned exact_n, partial_n;
	const char *near[NEAREST];
	unsigned far[NEAREST];
};

static void keep_near(struct finder *f, const char *name)
{
	unsigned far = distance(last_word(f->asked), last_word(name));
	int i = NEAREST - 1;

	if (far >= FAR || far >= f->far[i])
		return;
	for (; i && far < f->far[i - 1]; i--) {
		f->far[i] = f->far[i - 1];
		f->near[i] = f->near[i - 1];
	}
	f->far[i] = far;
	f->near[i] = name;
}

static void look_at(struct finder *f, const struct go_func *at)
{
	const char *short_name = without_folders(at->name);

	if (!strcmp(f->asked, at->name)) {
		/* Of a function and its wrapper for the other calling convention, the function. */
		if (!f->exact_n || go_is_wrapper(f->exact.module, f->exact.func_id, f->exact.name))
			f->exact = *at;
		f->exact_n++;
	} else if (!f->exact_n &&
		   (!strcmp(f->asked, short_name) || !strcmp(f->asked, last_word(short_name)))) {
		f->partial = *at;
		f->partial_n++;
		keep_near(f, at->name);
	} else if (!f->exact_n) {
		keep_near(f, at->name);
	}
}

static struct hf_err *not_found(const struct finder *f)
{
	const char *what = f->partial_n ? "there are several functions" : "there is no function";

	if (f->near[2])
		return hf_err(HF_USAGE, "%s \"%s\": is it %s, %s or %s?", what, f->asked, f->near[0],
			      f->near[1], f->near[2]);
	if (f->near[1])
		return hf_err(HF_USAGE, "%s \"%s\": is it %s or %s?", what, f->asked, f->near[0], f->near[1]);
	if (f->near[0])
		return hf_err(HF_USAGE, "%s \"%s\": is it %s?", what, f->asked, f->near[0]);
	return hf_err(
		HF_USAGE,
		"there is no function \"%s\" in this program: a Go function is named with its package, as "
		"main.newBuffer, and one that nothing calls or names is not linked",
		f->asked);
}

static struct hf_err *find_name(struct go *go, const char *name, struct go_func *ret)
{
	struct finder f = {.asked = name, .far = {FAR, FAR, FAR}};

	hf_vec_each(&go->modules, m) {
		const struct pcln *p = m->pcln;
		struct go_func at;

		for (uint64_t i = 0; p && i + 16 <= p->ftab.n; i += 8)
			if (go_func_decode(m, hf_load_u32(p->ftab.at + i + 4), &at))
				look_at(&f, &at);
	}
	if (!f.exact_n && f.partial_n != 1)
		return not_found(&f);
	*ret = f.exact_n ? f.exact : f.partial;
	return NULL;
}

bool go_function_named(struct go *go, const char *name, struct go_func *ret)
{
	hf_vec_each(&go->modules, m) {
		const struct pcln *p = m->pcln;
		struct go_func at;

		for (uint64_t i = 0; p && i + 16 <= p->ftab.n; i += 8) {
			if (!go_func_decode(m, hf_load_u32(p->ftab.at + i + 4), &at) ||
			    strcmp(name, at.name) || go_is_wrapper(m, at.func_id, at.name))
				continue;
			*ret = at;
			return true;
		}
	}
	return false;
}

/* An address is that of code, or of a function value. */
static struct hf_err *find_addr(struct go *go, const char *word, struct go_func *ret, uint64_t *ret_value)
{
	uint64_t addr, code;
	char *end;

	errno = 0;
	addr = strtoull(word, &end, 16);
	if (errno || *end)
		return hf_err(HF_USAGE, "\"%s\" is neither a function's name nor an address", word);
	*ret_value = 0;
	if (go_find_func(go, addr, ret)) {
		if (ret->entry == addr)
			return NULL;
		return hf_err_at(HF_USAGE, addr, "0x%" PRIx64 " is inside of %s, which starts at 0x%" PRIx64,
				 addr, ret->name, ret->entry);
	}
	if (addr % 8 || !read_constant(go, addr, &code, sizeof(code)) || !go_find_func(go, code, ret) ||
	    ret->entry != code)
		return hf_err_at(HF_USAGE, addr, "0x%" PRIx64 " is neither a function nor a function value",
				 addr);
	*ret_value = addr;
	return NULL;
}

struct hf_err *go_ctor_find(struct hf_callee *c, const char *name, struct hf_ctor *ret)
{
	struct go *go = go_callee_of(c)->go;
	struct go_func f;
	uint64_t value = 0;

	if (!strncmp(name, "0x", 2))
		HF_TRY(find_addr(go, name, &f, &value));
	else
		HF_TRY(find_name(go, name, &f));
	if (!value)
		HF_TRY(go_static_funcval(go, f.entry, &value));
	*ret = (struct hf_ctor){.name = f.name, .code = f.entry, .value = value};
	return NULL;
}
