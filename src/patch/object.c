#include "object.h"

#include <elf.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (UINT64_C(64) << 20)
#define NEEDS_MAX 32

struct image {
	const uint8_t *bytes;
	uint64_t len;
	const char *name;
	Elf64_Ehdr ehdr;
};

/* NULL: the file does not have them. */
static const void *file_bytes(const struct image *im, uint64_t off, uint64_t len)
{
	return off <= im->len && len <= im->len - off ? im->bytes + off : NULL;
}

static struct hf_err *no_object(const struct image *im, const char *why)
{
	return hf_err(HF_USAGE, "%s: no shared object that can be loaded: %s", im->name, why);
}

static struct hf_err *refuse(const struct image *im, const char *why)
{
	return hf_err(HF_REFUSED, "%s: is not loaded into a process: %s", im->name, why);
}

static bool get_phdr(const struct image *im, unsigned i, Elf64_Phdr *ret)
{
	const void *at = file_bytes(im, im->ehdr.e_phoff + (uint64_t)i * sizeof(*ret), sizeof(*ret));

	if (at)
		memcpy(ret, at, sizeof(*ret));
	return at;
}

/* Bytes of what is loaded at vaddr; NULL: the file does not have them. */
static const void *loaded_bytes(const struct image *im, uint64_t vaddr, uint64_t len)
{
	for (unsigned i = 0; i < im->ehdr.e_phnum; i++) {
		Elf64_Phdr p;
		uint64_t off;

		if (!get_phdr(im, i, &p) || p.p_type != PT_LOAD)
			continue;
		off = vaddr - p.p_vaddr; /* wraps if below: caught next */
		if (off < p.p_filesz && len <= p.p_filesz - off)
			return file_bytes(im, p.p_offset + off, len);
	}
	return NULL;
}

/* ---- what loading runs ------------------------------------------------------------------------------------------- */

/* Bytes of code; a dot in the pattern is any byte. */
static bool is_code(const struct image *im, uint64_t vaddr, const char *pattern)
{
	size_t n = strlen(pattern) / 2;
	const uint8_t *at = loaded_bytes(im, vaddr, n);

	for (size_t i = 0; at && i < n; i++) {
		char hex[3];

		if (pattern[2 * i] == '.')
			continue;
		snprintf(hex, sizeof(hex), "%02x", at[i]);
		if (memcmp(hex, pattern + 2 * i, 2) != 0)
			return false;
	}
	return at;
}

#define ENDBR64 "f30f1efa"

static uint64_t past_endbr(const struct image *im, uint64_t vaddr)
{
	return is_code(im, vaddr, ENDBR64) ? vaddr + 4 : vaddr;
}

/* The _init of the C library's crti.o: it calls __gmon_start__, which a program has that is profiled. */
static bool is_crt_init(const struct image *im, uint64_t vaddr)
{
	return is_code(im, past_endbr(im, vaddr), "4883ec08488b05........4885c07402ffd04883c408c3");
}

/* The compiler's frame_dummy: a jump to register_tm_clones, which does nothing where nothing has transactions. */
static bool is_crt_dummy(const struct image *im, uint64_t vaddr)
{
	uint64_t jump = past_endbr(im, vaddr);
	const uint8_t *to;

	if (!is_code(im, jump, "e9........"))
		return false;
	to = loaded_bytes(im, jump + 1, 4);
	return to && is_code(im, jump + 5 + (uint64_t)(int64_t)(int32_t)hf_load_u32(to),
			     "488d3d........488d35........4829fe4889f048c1ee3f48c1f8034801c648d1fe74..488b05."
			     ".......4885c0"
			     "74..ffe0");
}

struct dynamic {
	uint64_t init, array, array_size, rela, rela_size, jmprel, jmprel_size, strtab, strsz;
	bool text_relocations;
	uint64_t needs[NEEDS_MAX];
	unsigned needs_n;
};

static void take_tag(struct dynamic *d, const Elf64_Dyn *dyn)
{
	const struct {
		int64_t tag;
		uint64_t *to;
	} tags[] = {
		{DT_INIT, &d->init},
		{DT_INIT_ARRAY, &d->array},
		{DT_INIT_ARRAYSZ, &d->array_size},
		{DT_RELA, &d->rela},
		{DT_RELASZ, &d->rela_size},
		{DT_JMPREL, &d->jmprel},
		{DT_PLTRELSZ, &d->jmprel_size},
		{DT_STRTAB, &d->strtab},
		{DT_STRSZ, &d->strsz},
	};

	for (size_t i = 0; i < HF_LEN(tags); i++)
		if (dyn->d_tag == tags[i].tag)
			*tags[i].to = dyn->d_un.d_val;
	d->text_relocations |=
		dyn->d_tag == DT_TEXTREL || (dyn->d_tag == DT_FLAGS && dyn->d_un.d_val & DF_TEXTREL);
	if (dyn->d_tag == DT_NEEDED)
		d->needs[hf_min(d->needs_n++, NEEDS_MAX - 1u)] = dyn->d_un.d_val;
}

static struct hf_err *read_dynamic(const struct image *im, const Elf64_Phdr *p, struct dynamic *ret)
{
	uint64_t n = p->p_filesz / sizeof(Elf64_Dyn);
	const void *at = file_bytes(im, p->p_offset, p->p_filesz);
	Elf64_Dyn dyn;

	if (!at)
		return no_object(im, "it is cut short");
	for (uint64_t i = 0; i < n; i++) {
		memcpy(&dyn, (const uint8_t *)at + i * sizeof(dyn), sizeof(dyn));
		if (dyn.d_tag == DT_NULL)
			break;
		take_tag(ret, &dyn);
	}
	return ret->needs_n > NEEDS_MAX ? refuse(im, "it needs too many libraries") : NULL;
}

/* The value that a relocation puts at vaddr, else what the file has there. */
static uint64_t relocated(const struct image *im, const struct dynamic *d, uint64_t vaddr)
{
	const uint8_t *table = loaded_bytes(im, d->rela, d->rela_size), *word = loaded_bytes(im, vaddr, 8);

	for (uint64_t i = 0; table && i < d->rela_size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela r;

		memcpy(&r, table + i * sizeof(r), sizeof(r));
		if (r.r_offset == vaddr)
			return ELF64_R_TYPE(r.r_info) == R_X86_64_RELATIVE ? (uint64_t)r.r_addend : 0;
	}
	return word ? hf_load_u64(word) : 0;
}

static bool has_ifuncs(const struct image *im, uint64_t vaddr, uint64_t size)
{
	const uint8_t *table = size ? loaded_bytes(im, vaddr, size) : NULL;

	for (uint64_t i = 0; table && i < size / sizeof(Elf64_Rela); i++) {
		Elf64_Rela r;

		memcpy(&r, table + i * sizeof(r), sizeof(r));
		if (ELF64_R_TYPE(r.r_info) == R_X86_64_IRELATIVE)
			return true;
	}
	return size && !table; /* what cannot be looked at may have some */
}

static struct hf_err *check_dynamic(const struct image *im, const struct dynamic *d)
{
	if (d->text_relocations)
		return refuse(im, "its code is written to when it is loaded (link it with -fPIC)");
	if (has_ifuncs(im, d->rela, d->rela_size) || has_ifuncs(im, d->jmprel, d->jmprel_size))
		return refuse(im, "it chooses functions by code of its own (IFUNC) when it is loaded");
	if (d->init && !is_crt_init(im, d->init))
		return refuse(im, "it has an _init of its own, which would run in the process");
	if (d->array_size > 8 || (d->array_size && !is_crt_dummy(im, relocated(im, d, d->array))))
		return refuse(im, "it has constructors (__attribute__((constructor)), C++ objects), which "
				  "would run in the "
				  "process");
	return NULL;
}

/* ---- what it has ---------------------------------------------------------------------------------------------------- */

static struct hf_err *take_needs(const struct image *im, const struct dynamic *d, struct hf_object *ret)
{
	const char *strings = loaded_bytes(im, d->strtab, d->strsz);

	for (unsigned i = 0; i < d->needs_n; i++) {
		const char *name;

		if (!strings || d->needs[i] >= d->strsz)
			return no_object(im, "names of it are damaged");
		name = strings + d->needs[i];
		name = hf_arena_strndup(&ret->names, name, strnlen(name, d->strsz - d->needs[i]));
		if (!name)
			return hf_err_nomem();
		HF_TRY(hf_vec_push(&ret->needs, name));
	}
	return NULL;
}

static bool is_named(const struct image *im, const Elf64_Shdr *strings, uint32_t at, const char *function)
{
	size_t n = strlen(function) + 1;
	const void *name = strings->sh_size > at && n <= strings->sh_size - at
				   ? file_bytes(im, strings->sh_offset + at, n)
				   : NULL;

	return name && !memcmp(name, function, n);
}

static bool get_shdr(const struct image *im, uint32_t i, Elf64_Shdr *ret)
{
	const void *at = i < im->ehdr.e_shnum
				 ? file_bytes(im, im->ehdr.e_shoff + (uint64_t)i * sizeof(*ret), sizeof(*ret))
				 : NULL;

	if (at)
		memcpy(ret, at, sizeof(*ret));
	return at;
}

/* Of those that others may call. */
static bool find_in(const struct image *im, const Elf64_Shdr *table, const char *function, uint64_t *ret)
{
	const uint8_t *symbols = file_bytes(im, table->sh_offset, table->sh_size);
	Elf64_Shdr strings;

	if (!symbols || !get_shdr(im, table->sh_link, &strings))
		return false;
	for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym s;

		memcpy(&s, symbols + i * sizeof(s), sizeof(s));
		if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || s.st_shndx == SHN_UNDEF ||
		    !is_named(im, &strings, s.st_name, function))
			continue;
		*ret = s.st_value;
		return true;
	}
	return false;
}

static struct hf_err *find_function(const struct image *im, const char *function, uint64_t *ret)
{
	Elf64_Shdr sh;

	for (uint32_t i = 0; get_shdr(im, i, &sh); i++)
		if (sh.sh_type == SHT_DYNSYM && find_in(im, &sh, function, ret))
			return NULL;
	return hf_err(HF_USAGE, "%s: exports no function %s", im->name, function);
}

static struct hf_err *read_image(struct image *im, const char *function, struct hf_object *ret)
{
	const void *head = file_bytes(im, 0, sizeof(im->ehdr));
	struct dynamic d = {0};
	bool dynamic = false, loads = false;
	Elf64_Phdr p;

	if (!head || memcmp(head, ELFMAG, SELFMAG) != 0)
		return no_object(im, "it is no ELF file");
	memcpy(&im->ehdr, head, sizeof(im->ehdr));
	if (im->ehdr.e_ident[EI_CLASS] != ELFCLASS64 || im->ehdr.e_machine != EM_X86_64 ||
	    im->ehdr.e_type != ET_DYN)
		return no_object(im, "it is of another machine, or no shared object");
	for (unsigned i = 0; i < im->ehdr.e_phnum; i++) {
		if (!get_phdr(im, i, &p))
			return no_object(im, "it is cut short");
		if (p.p_type == PT_TLS)
			return refuse(im, "it has thread-local variables");
		if (p.p_type == PT_INTERP)
			return no_object(im, "it is a program");
		if (p.p_type == PT_LOAD && !loads)
			ret->first = hf_align_down(p.p_vaddr - p.p_offset, 4096);
		loads |= p.p_type == PT_LOAD;
		if (p.p_type == PT_DYNAMIC)
			HF_TRY(read_dynamic(im, &p, &d));
		dynamic |= p.p_type == PT_DYNAMIC;
	}
	if (!loads || !dynamic)
		return no_object(im, "nothing of it is loaded, or it is static");
	HF_TRY(check_dynamic(im, &d));
	HF_TRY(take_needs(im, &d, ret));
	HF_TRY(find_function(im, function, &ret->function));
	return loaded_bytes(im, ret->function, 1) ? NULL : no_object(im, "its function has no code");
}

struct hf_err *hf_object_read(int fd, const char *name, const char *function, struct hf_object *ret)
{
	_free_ uint8_t *bytes = NULL;
	struct image im = {.name = name};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return hf_err(HF_IO, "%s: is no regular file", name);
	if ((uint64_t)st.st_size > FILE_MAX)
		return refuse(&im, "it is larger than 64 MiB");
	bytes = hf_malloc((size_t)st.st_size + 1);
	if (!bytes)
		return hf_err_nomem();
	while (im.len < (uint64_t)st.st_size &&
	       ((n = pread(fd, bytes + im.len, (size_t)st.st_size - im.len, (off_t)im.len)) > 0 ||
		(n < 0 && errno == EINTR)))
		im.len += n > 0 ? (uint64_t)n : 0;
	im.bytes = bytes;
	ret->dev = st.st_dev;
	ret->inode = st.st_ino;
	return read_image(&im, function, ret);
}

void hf_object_deinit(struct hf_object *o)
{
	hf_vec_deinit(&o->needs);
	hf_arena_deinit(&o->names);
}
