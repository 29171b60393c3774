/* A constructor made of nothing: code that allocates a zero value of a type, and what Go's runtime has to know of code
 * that stands on a stack. One page, which is never written to again, nor unmapped:
 *
 *	0     funcval: the word that a pool's New leads to
 *	64    code, as the compiler would make it of   //go:nosplit func() any { return new(T) }
 *	128   pctab: where its frame has which size; that it is not to be preempted within; file and line
 *	192   pclntable: its _func       288 ftab      304 findfunctab     328 stack map: a frame without pointers
 *	344   cutab                      352 filetab
 *	384   moduledata                 1152 funcnametab
 *
 * The runtime finds a pc's function by its module, in the list that begins at firstmoduledata (runtime/symtab.go,
 * findmoduledatap): unwinding for collections, profiles, panics and copies of stacks need no more. What uses
 * activeModules() (roots, itabs, types) does not see it: it has none of these. The stack is not checked, as in any small
 * nosplit function: newobject does, with room for 800 bytes of such frames above.
 *
 * Source: Go 1.20-1.27 runtime/symtab.go, stkframe.go (getStackMap), preempt.go (isAsyncSafePoint), runtime2.go (_func);
 * cmd/compile/abi-internal.md (R12 is scratch, the caller has room for a callee's arguments in registers). */
#include "ctor.h"
#include "infer.h"

#define NAME_BEGIN "holdfast.new["
#define FILE_NAME  "(holdfast)"
#define NAME_MAX   2048u
#define CHAIN_MAX  64u /* findfunc goes through them one by one */

#define CODE_AT      64u
#define PCTAB_AT     128u
#define PCLN_AT      192u
#define FTAB_AT      288u
#define BUCKET_AT    304u
#define STACKMAP_AT  328u
#define CUTAB_AT     344u
#define FILETAB_AT   352u
#define MODULE_AT    384u
#define NAMES_AT     1152u
#define TYPE_IN_CODE 10u /* of the numbers in it */
#define FUNC_IN_CODE 20u
#define RET_IN_CODE  36u

/* The releases whose runtime this was tested on, with the collector, profilers and stacks that grow: no other. */
static const char *const tested[] = {
	"go1.20.14", "go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13", "go1.25.12", "go1.26.8", "go1.27.4",
};

/* Steps of the value and of the pc in turns, from -1 on (cmd/internal/obj/pcln.go). */
static const uint8_t pctab[] = {
	0, /* offset 0 means that there is no table */
	2,  1,
	16, 7,
	16, 40,
	15, 1,
	15, 1,
	0, /* pcsp: 0, 8 behind push, 16 behind sub, 8, 0 */
	1,  GO_THUNK_CODE,
	0, /* -2 (UnsafePointUnsafe) everywhere */
	2,  GO_THUNK_CODE,
	0, /* 0 everywhere: the stack map, the file */
	4,  GO_THUNK_CODE,
	0, /* 1 everywhere: the line */
};
#define PCSP_AT   1u
#define UNSAFE_AT 12u
#define ZERO_AT   15u
#define LINE_AT   18u

/* ---- the page -------------------------------------------------------------------------------------------------------- */

static void put_u32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put_u64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

void go_thunk_code(const struct hf_ctor *ctor, uint8_t *ret)
{
	static const uint8_t code[GO_THUNK_CODE] = {
		0x55,                                     /* push rbp */
		0x48, 0x89, 0xe5,                         /* mov  rbp, rsp */
		0x48, 0x83, 0xec, 0x08,                   /* sub  rsp, 8: room for newobject's argument */
		0x48, 0xb8, 0,    0,    0, 0, 0, 0, 0, 0, /* mov  rax, T */
		0x49, 0xbc, 0,    0,    0, 0, 0, 0, 0, 0, /* mov  r12, runtime.newobject */
		0x41, 0xff, 0xd4,                         /* call r12 */
		0x48, 0x89, 0xc3,                         /* mov  rbx, rax */
		0x48, 0xb8, 0,    0,    0, 0, 0, 0, 0, 0, /* mov  rax, *T */
		0x48, 0x83, 0xc4, 0x08,                   /* add  rsp, 8 */
		0x5d, 0xc3,                               /* pop  rbp; ret */
	};

	memcpy(ret, code, sizeof(code));
	put_u64(ret + TYPE_IN_CODE, ctor->made_type);
	put_u64(ret + FUNC_IN_CODE, ctor->allocator);
	put_u64(ret + RET_IN_CODE, ctor->made_pointer);
}

/* runtime2.go, _func, with its tables of pcdata (unsafe points, stack maps) and funcdata (maps of arguments, of locals) */
static void put_function(uint8_t *at)
{
	put_u32(at + 4, 1); /* name */
	put_u32(at + 16, PCSP_AT);
	put_u32(at + 20, ZERO_AT); /* file */
	put_u32(at + 24, LINE_AT);
	put_u32(at + 28, 2); /* tables of pcdata */
	put_u32(at + 36, 1); /* line */
	at[43] = 2;          /* tables of funcdata: both begin where moduledata.gofunc does */
	put_u32(at + 44, UNSAFE_AT);
	put_u32(at + 48, ZERO_AT);
}

static struct hf_err *put_module(struct go *go, uint8_t *bytes, uint64_t page, uint64_t names_n,
				 uint64_t next)
{
	const struct {
		enum go_field field;
		uint64_t at, n; /* n 0: a word */
	} words[] = {
		{GO_MODULEDATA_FUNCNAMETAB, page + NAMES_AT, names_n},
		{GO_MODULEDATA_CUTAB, page + CUTAB_AT, 1},
		{GO_MODULEDATA_FILETAB, page + FILETAB_AT, sizeof(FILE_NAME)},
		{GO_MODULEDATA_PCTAB, page + PCTAB_AT, sizeof(pctab)},
		{GO_MODULEDATA_PCLNTABLE, page + PCLN_AT, FTAB_AT - PCLN_AT},
		{GO_MODULEDATA_FTAB, page + FTAB_AT, 2},
		{GO_MODULEDATA_FINDFUNCTAB, page + BUCKET_AT, 0},
		{GO_MODULEDATA_MINPC, page + CODE_AT, 0},
		{GO_MODULEDATA_MAXPC, page + CODE_AT + GO_THUNK_CODE, 0},
		{GO_MODULEDATA_TEXT, page + CODE_AT, 0},
		{GO_MODULEDATA_ETEXT, page + CODE_AT + GO_THUNK_CODE, 0},
		{GO_MODULEDATA_GOFUNC, page + STACKMAP_AT, 0},
		{GO_MODULEDATA_NEXT, next, 0},
	};
	int32_t size = go_off(go, MODULEDATA_SIZE);

	for (size_t i = 0; i < HF_LEN(words); i++) {
		int32_t off = go->layout.off[words[i].field];

		if (off < 0 || size < 24 || off > size - (words[i].n ? 24 : 8) ||
		    (uint32_t)size > NAMES_AT - MODULE_AT)
			return hf_err(HF_UNSUPPORTED,
				      "%s: its moduledata is not as in any release that we know",
				      go->version);
		put_u64(bytes + MODULE_AT + off, words[i].at);
		if (!words[i].n)
			continue;
		put_u64(bytes + MODULE_AT + off + 8, words[i].n);
		put_u64(bytes + MODULE_AT + off + 16, words[i].n);
	}
	return NULL;
}

struct hf_err *go_thunk_page(struct go *go, const struct hf_ctor *ctor, uint64_t page, uint64_t next,
			     struct hf_new_code *ret)
{
	const char *type = go_type_name(go, go_type_of_rtype(go, ctor->made_type));
	int n;

	HF_TRY(go_types_check(go));
	*ret = (struct hf_new_code){.code = page + CODE_AT, .value = page};
	n = snprintf((char *)ret->bytes + NAMES_AT + 1, NAME_MAX, NAME_BEGIN "%s]", type);
	if (n < 0 || (unsigned)n >= NAME_MAX)
		return hf_err(HF_UNSUPPORTED, "%.64s...: the type's name is too long for a function's", type);
	put_u64(ret->bytes, ret->code);
	go_thunk_code(ctor, ret->bytes + CODE_AT);
	memcpy(ret->bytes + PCTAB_AT, pctab, sizeof(pctab));
	put_function(ret->bytes + PCLN_AT);
	put_u32(ret->bytes + FTAB_AT + 8, GO_THUNK_CODE);
	put_u32(ret->bytes + STACKMAP_AT, 1); /* one map, of no bits */
	memcpy(ret->bytes + FILETAB_AT, FILE_NAME, sizeof(FILE_NAME));
	return put_module(go, ret->bytes, page, (uint64_t)n + 2, next);
}

/* The tables have the form that the first module's header tells. */
static void copy_header(struct go *go, struct hf_new_code *to, const uint8_t *module)
{
	int32_t off = go_off(go, MODULEDATA_PCHEADER);

	if (off >= 0 && (uint32_t)off + 8 <= NAMES_AT - MODULE_AT)
		memcpy(to->bytes + MODULE_AT + off, module + off, 8);
}

/* ---- those that are there ------------------------------------------------------------------------------------------- */

/* Whether a module is one of ours, every byte of its page as we would write it; then what it makes. */
static struct hf_err *read_own(struct go *go, const struct go_module *m, uint64_t allocator,
			       struct hf_ctor *ret, bool *ret_own)
{
	uint8_t bytes[HF_NEW_CODE_MAX];
	struct hf_new_code same;
	uint64_t page = m->addr - MODULE_AT;
	int32_t next = go_off(go, MODULEDATA_NEXT);

	*ret_own = false;
	if (page % sizeof(bytes) || next < 0 || (uint32_t)next > NAMES_AT - MODULE_AT ||
	    hf_err_ignore(hf_target_read_now(go->t, page, bytes, sizeof(bytes))))
		return NULL;
	*ret = (struct hf_ctor){.code = page + CODE_AT,
				.value = page,
				.is_made = true,
				.made_type = hf_load_u64(bytes + CODE_AT + TYPE_IN_CODE),
				.made_pointer = hf_load_u64(bytes + CODE_AT + RET_IN_CODE),
				.allocator = allocator};
	HF_TRY(go_thunk_page(go, ret, page, hf_load_u64(bytes + MODULE_AT + next), &same));
	copy_header(go, &same, bytes + MODULE_AT);
	*ret_own = !memcmp(bytes, same.bytes, sizeof(bytes));
	return NULL;
}

/* The code that was made for the type before, if any. All modules but the first must be ours: plugins and shared
 * libraries of Go's append to the list, and check it. */
static struct hf_err *find_earlier(struct go *go, struct hf_ctor *ctor)
{
	for (size_t i = 1; i < go->modules.n; i++) {
		struct hf_ctor earlier;
		bool own;

		HF_TRY(read_own(go, &go->modules.at[i], ctor->allocator, &earlier, &own));
		if (!own)
			return hf_err(HF_UNSUPPORTED,
				      "the program has loaded modules of Go code (plugins): code is not "
				      "made for such ones");
		if (earlier.made_type == ctor->made_type && earlier.made_pointer == ctor->made_pointer) {
			ctor->code = earlier.code;
			ctor->value = earlier.value;
		}
	}
	if (!ctor->code && go->modules.n > CHAIN_MAX)
		return hf_err(HF_REFUSED, "%zu functions were made in this process: no more are",
			      go->modules.n - 1);
	return NULL;
}

/* ---- the type --------------------------------------------------------------------------------------------------------- */

/* Whether it is the pointer type of that name: the name of what it points to, or its own. */
static bool is_named(struct go *go, uint32_t id, const char *name)
{
	const char *own = go_type_get(go, id)->kind == GO_KIND_POINTER ? go_type_name(go, id) : "";

	return own[0] == '*' && (!strcmp(own, name) || !strcmp(own + 1, name));
}

static bool has_descriptors(struct go *go, uint32_t id)
{
	uint32_t elem = go_type_get(go, id)->elem;

	return go_types_module_of(go, go_type_get(go, id)->rtype) &&
	       go_types_module_of(go, go_type_get(go, elem)->rtype);
}

static struct hf_err *search_types(struct go *go, const char *name, uint32_t *ret)
{
	struct go_universe all = {0};
	struct hf_err *err = go_universe_init(go, &all);

	if (!err)
		hf_vec_each(&all.types, id)
			if (!*ret && is_named(go, *id, name) && has_descriptors(go, *id))
				*ret = *id;
	go_universe_deinit(&all);
	return err;
}

static struct hf_err *find_type(struct go *go, const struct hf_ctor_slot *slot, const char *name,
				struct hf_ctor *ret)
{
	uint32_t id = go_type_of_rtype(go, slot->item_type);

	if (!is_named(go, id, name) || !has_descriptors(go, id)) {
		id = GO_NO_TYPE;
		HF_TRY(search_types(go, name, &id));
	}
	HF_TRY(go_types_check(go));
	if (!id)
		return hf_err(
			HF_USAGE,
			"there is no type \"%s\" in this program that a pointer to it is made an interface "
			"of: types are named with their packages, as main.Buffer or net/http.Request",
			name);
	ret->made_pointer = go_type_get(go, id)->rtype;
	ret->made_type = go_type_get(go, go_type_get(go, id)->elem)->rtype;
	return NULL;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------- */

static bool is_tested(const char *version)
{
	for (size_t i = 0; i < HF_LEN(tested); i++)
		if (!strcmp(tested[i], version))
			return true;
	return false;
}

static struct hf_err *check_program(struct go *go)
{
	static const struct {
		const char *function, *what;
	} others[] = {
		{"plugin.open", "may load plugins"},
		{"runtime.racefuncenter", "is built with -race"},
		{"runtime.asanread", "is built with -asan"},
		{"runtime.msanread", "is built with -msan"},
	};
	struct go_func f;

	if (!is_tested(go->version))
		return hf_err(
			HF_UNSUPPORTED,
			"code is made in programs of releases that this was tested on alone (%s to %s, the "
			"last of each): this one is of %s",
			tested[0], tested[HF_LEN(tested) - 1], go->version);
	for (size_t i = 0; i < HF_LEN(others); i++)
		if (go_function_named(go, others[i].function, &f))
			return hf_err(HF_UNSUPPORTED, "the program %s: code is not made in such ones",
				      others[i].what);
	return NULL;
}

struct hf_err *go_thunk_make(struct hf_callee *c, const struct hf_ctor_slot *slot, const char *type,
			     struct hf_ctor *ret)
{
	struct go *go = go_callee_of(c)->go;
	struct hf_ctor ctor = {.name = "", .is_made = true};
	struct hf_new_code page;
	struct go_func f;

	HF_TRY(check_program(go));
	/* In registers alone, whose one argument its caller has room for. */
	if (!go_function_named(go, "runtime.newobject", &f) || f.args != 8)
		return hf_err(HF_UNSUPPORTED,
			      "the program has no runtime.newobject: nothing can be made by it");
	ctor.allocator = f.entry;
	HF_TRY(find_type(go, slot, type, &ctor));
	HF_TRY(go_thunk_page(go, &ctor, 0, 0, &page)); /* that there can be one */
	HF_TRY(find_earlier(go, &ctor));
	*ret = ctor;
	return NULL;
}

struct hf_err *go_thunk_build(struct hf_callee *c, const struct hf_ctor *ctor, uint64_t page,
			      struct hf_new_code *ret)
{
	struct go *go = go_callee_of(c)->go;
	uint64_t first = go->layout.var[GO_VAR_FIRSTMODULEDATA], next;
	int32_t off = go_off(go, MODULEDATA_NEXT);
	uint8_t module[NAMES_AT - MODULE_AT];
	size_t size = (size_t)hf_max(go_off(go, MODULEDATA_SIZE), 0);

	if (!ctor->is_made || !first || size > sizeof(module) || off < 0 || (size_t)off + 8 > size)
		return hf_err(HF_UNSUPPORTED, "%s: where the list of its modules is is not known",
			      go->version);
	HF_TRY(hf_target_read_now(go->t, first, module, size));
	next = hf_load_u64(module + off);
	if (next != (go->modules.n > 1 ? go->modules.at[1].addr : 0))
		return hf_err_at(HF_STALE, first, "the program has loaded modules by now: try again");
	HF_TRY(go_thunk_page(go, ctor, page, next, ret));
	copy_header(go, ret, module);
	ret->link_addr = first + (uint64_t)off;
	ret->link_expect = next;
	ret->link_value = page + MODULE_AT;
	return NULL;
}

struct hf_err *go_thunk_check(struct go *go, const struct hf_ctor_slot *slot, const struct hf_ctor *ctor,
			      struct hf_findings *ret)
{
	const struct hf_finding at = {.refusal = HF_REFUSAL_TYPE, .kind = "type", .function = "", .file = ""};
	uint32_t made = go_type_of_rtype(go, ctor->made_pointer),
		 items = go_type_of_rtype(go, slot->item_type);

	if (made && items && made != items)
		HF_TRY(hf_findings_add(ret, &at, "it makes a %s; the pool's items are %s",
				       go_type_name(go, made), go_type_name(go, items)));
	return go_types_check(go);
}
