/* What the runtime's own structures lead to by pointers without a type: timers, waiters of channels, cleanups, weak
 * pointers, names that reflection has made. */
#include "types_private.h"
#include "typing_private.h"

#define TIMER_NAME    "runtime.timer"
#define ONCE_MAX      256u       /* bytes of a result */
#define ONCE_CLOSURE  64u        /* bytes of a function of sync.OnceValue, up to 1.24 */
#define REFLECT_STEPS (1u << 20) /* blocks of the map of names that reflection made */

/* ---- parts of larger structures ------------------------------------------------------------------------------------ */

static bool member_offset(struct go *go, uint32_t type, const char *name, uint64_t *ret)
{
	const struct go_type *row = go_type_get(go, type);

	for (uint32_t i = 0; i < row->members_n; i++)
		if (!strcmp(row->members[i].name, name)) {
			*ret = row->members[i].offset;
			return true;
		}
	return false;
}

/* A timer with a period is a Ticker's. */
static bool is_periodic(struct go *go, uint32_t timer, uint64_t addr)
{
	uint64_t at, period;

	return member_offset(go, timer, "period", &at) &&
	       !hf_err_ignore(hf_target_read_u64(go->t, addr + at, &period)) && period;
}

/* What time.NewTimer, AfterFunc and NewTicker allocate since 1.23: runtime.timeTimer, in which the program sees a
 * time.Timer or time.Ticker. It gets their name. */
static uint32_t time_timer(struct go *go, bool ticker)
{
	uint32_t *made = ticker ? &go->types->ticker : &go->types->timer;
	struct go_type row;
	uint32_t inner = go_type_of_dwarf(go, hf_syms_find_type(go->syms, "runtime.timeTimer"));

	if (*made || !inner)
		return *made;
	row = *go_type_get(go, inner);
	row.name = ticker ? "time.Ticker" : "time.Timer";
	row.name_tried = true;
	*made = go_types_add(go, &row);
	return *made;
}

/* Timers of the runtime's that are parts of those of package time. Source: Go 1.23-1.27 runtime/time.go, timeTimer; up to
 * 1.22 time/sleep.go, Timer {C, r}, and tick.go, Ticker, alike. */
uint32_t go_container_of(struct go *go, uint32_t type, uint64_t addr, uint64_t offset,
			 const struct go_span *span)
{
	const char *name = go_type_name(go, type);
	bool is_new = go->layout.minor >= 23,
	     is_outer = is_new && (!strcmp(name, "time.Timer") || !strcmp(name, "time.Ticker"));
	uint32_t timer, outer;
	uint64_t at;

	if (!is_outer && strcmp(name, TIMER_NAME) && strcmp(name, "time.runtimeTimer"))
		return GO_NO_TYPE;
	timer = go_type_of_dwarf(go, hf_syms_find_type(go->syms, TIMER_NAME));
	outer = go_type_of_dwarf(go,
				 hf_syms_find_type(go->syms, is_new ? "runtime.timeTimer" : "time.Timer"));
	if (!timer || !outer || !member_offset(go, outer, is_new ? "timer" : "r", &at) ||
	    offset != (is_outer ? 0 : at) || !go_fits(span, go_type_get(go, outer)->size))
		return GO_NO_TYPE;
	addr = is_outer ? addr + at : addr;
	if (is_new)
		return time_timer(go, is_periodic(go, timer, addr));
	if (!is_periodic(go, timer, addr))
		return outer;
	return go_type_of_dwarf(go, hf_syms_find_type(go->syms, "time.Ticker"));
}

bool go_is_open_ended(struct go *go, uint32_t type)
{
	static const char *const names[] = {"runtime.itabTableType", "internal/abi.TypeAssertCache",
					    "internal/abi.InterfaceSwitchCache"};

	for (size_t i = 0; i < HF_LEN(names); i++)
		if (!strcmp(go_type_name(go, type), names[i]))
			return true;
	return false;
}

/* The cache of one place in the code begins with the pointer to its table. Source: Go 1.22-1.27 internal/abi/switch.go,
 * InterfaceSwitch, TypeAssert; cmd/compile names the variables, of which DWARF does not know. */
static void offer_switch_cache(struct typing *t, uint64_t slot, uint64_t value)
{
	struct hf_symbol symbol;
	const char *type;

	if (!hf_syms_symbol_at(t->go->syms, slot, &symbol) || symbol.addr != slot)
		return;
	type = strstr(symbol.name, "..typeAssert.")        ? "internal/abi.TypeAssertCache"
	       : strstr(symbol.name, "..interfaceSwitch.") ? "internal/abi.InterfaceSwitchCache"
							   : NULL;
	if (type)
		go_offer(t, value, go_type_of_dwarf(t->go, hf_syms_find_type(t->go->syms, type)), 0);
}

struct hf_err *go_type_switch_caches(struct typing *t)
{
	struct go *go = t->go;

	if (go->layout.minor < 22)
		return t->err;
	hf_vec_each(&go->modules, m) {
		uint64_t n = m->edata > m->data ? (m->edata - m->data) / 8 : 0;
		const void *words;

		if (!n || hf_err_ignore(hf_target_get(go->t, m->data, n * 8, &t->outside_scratch, &words)))
			continue;
		for (uint64_t i = 0; i < n && !t->err; i++) {
			uint64_t value = hf_load_u64((const uint8_t *)words + i * 8);
			uint32_t block = value ? go_find_block(go, value) : HF_NO_BLOCK;

			if (block != HF_NO_BLOCK && !go->block_type[block])
				offer_switch_cache(t, m->data + i * 8, value);
		}
	}
	return t->err;
}

/* ---- channels ---------------------------------------------------------------------------------------------------------- */

/* A channel of which only the runtime's structure is known names its element's type. Source: Go 1.20-1.27
 * runtime/chan.go, hchan. GO_NO_TYPE: it cannot be read. */
uint32_t go_chan_at(struct go *go, uint64_t addr)
{
	uint64_t rtype, found;
	uint32_t elem, id;
	char name[512];

	if (!go_has(go, HCHAN_ELEMTYPE) ||
	    hf_err_ignore(hf_target_read_u64(go->t, addr + (uint64_t)go_off(go, HCHAN_ELEMTYPE), &rtype)) ||
	    !go_types_module_of(go, rtype) || !(elem = go_type_of_rtype(go, rtype)))
		return GO_NO_TYPE;
	if (hf_map64_find(&go->types->chans, elem, &found))
		return (uint32_t)found;
	snprintf(name, sizeof(name), "chan %s", go_type_name(go, elem));
	id = go_type_of_dwarf(go, hf_syms_find_type(go->syms, name));
	if (!id || go_type_get(go, id)->kind != GO_KIND_CHAN) {
		char *kept = hf_arena_strndup(&go->types->arena, name, strlen(name));

		id = go_types_add(go, &(struct go_type){.name = kept ? kept : "chan ?",
							.name_tried = true,
							.decoded = true,
							.kind = GO_KIND_CHAN,
							.elem = elem,
							.size = 8,
							.ptr_bytes = 8});
	}
	if (hf_err_ignore(hf_map64_put(&go->types->chans, elem, id)))
		go->types->failed = true;
	return id;
}

bool go_is_named(struct go *go, uint32_t type, uint32_t *cache, const char *name)
{
	if (*cache == UINT32_MAX)
		*cache = go_type_of_dwarf(go, hf_syms_find_type(go->syms, name));
	return type && type == *cache;
}

/* A goroutine that waits for a channel: `elem` is where the value is, or goes, mostly on its stack. Since 1.26 pointers
 * are two words, {vp, vu}: the second is always set. Source: Go 1.20-1.27 runtime/runtime2.go, sudog. */
void go_visit_sudog(struct typing *t, struct place p)
{
	struct go *go = t->go;
	uint64_t second = go->layout.minor >= 26 ? 8 : 0, elem, chan;
	uint32_t type;
	uint64_t elem_at, chan_at;

	if (!go_has(go, SUDOG_ELEM) || !go_has(go, SUDOG_C))
		return;
	elem_at = (uint64_t)go_off(go, SUDOG_ELEM) + second;
	chan_at = (uint64_t)go_off(go, SUDOG_C) + second;
	if (chan_at + 8 > p.len || elem_at + 8 > p.len)
		return;
	elem = hf_load_u64(p.bytes + elem_at);
	chan = hf_load_u64(p.bytes + chan_at);
	type = chan ? go_chan_at(go, chan) : GO_NO_TYPE;
	if (!type)
		return;
	go_offer_chan(t, chan, type);
	go_offer_pointer(t, elem, go_type_get(go, type)->elem);
}

/* ---- specials ----------------------------------------------------------------------------------------------------------- */

/* The type of a function's first parameter; GO_NO_TYPE: it has none, or of a shape alone. */
static uint32_t first_parameter(struct go *go, uint64_t funcval)
{
	const go_locals *all;
	uint64_t code;

	if (hf_err_ignore(hf_target_read_u64(go->t, funcval, &code)) ||
	    hf_err_ignore(go_variables_of(go, code, &all)))
		return GO_NO_TYPE;
	hf_vec_each(all, local)
		if (local->parameter && strncmp(local->name, "~r", 2) && strcmp(local->name, ".dict"))
			return go_type_is_shaped(go, local->type) || local->bare_pointer ? GO_NO_TYPE
											 : local->type;
	return GO_NO_TYPE;
}

/* In 1.24 and 1.25 a cleanup is a closure of generic code, which knows its argument by shape: the function that it will be
 * called with knows it better. Source: Go 1.24 runtime/mcleanup.go, AddCleanup. */
static void visit_cleanup_closure(struct typing *t, uint64_t funcval)
{
	struct go *go = t->go;
	const struct go_local *cleanup = NULL, *arg = NULL;
	const go_locals *locals;
	uint64_t code, fn, at;
	uint32_t type;

	if (hf_err_ignore(hf_target_read_u64(go->t, funcval, &code)) ||
	    hf_err_ignore(go_locals_at(go, code, &locals)))
		return;
	hf_vec_each(locals, local) {
		if (!local->captured || !local->name)
			continue;
		cleanup = !strcmp(local->name, "cleanup") ? local : cleanup;
		arg = !strcmp(local->name, "arg") || !strcmp(local->name, "&arg") ? local : arg;
	}
	if (!cleanup || !arg ||
	    hf_err_ignore(hf_target_read_u64(go->t, funcval + (uint64_t)cleanup->cfa_offset, &fn)) ||
	    !(type = first_parameter(go, fn)))
		return;
	at = funcval + (uint64_t)arg->cfa_offset;
	if (*arg->name == '&') {
		if (!hf_err_ignore(hf_target_read_u64(go->t, at, &at)))
			go_offer_pointer(t, at, type);
		return;
	}
	const void *p;
	uint64_t size = go_type_get(go, type)->size;

	if (size && size <= 4096 && !hf_err_ignore(hf_target_get(go->t, at, size, &t->scratch, &p)))
		go_visit_value(t, type, (struct place){p, size}, 0);
}

/* Source: Go 1.26 runtime/mcleanup.go, cleanupFn {call, fn, arg}: arg leads to a copy of what fn is called with. */
void go_visit_special(struct typing *t, const struct go_special_record *s)
{
	struct hf_field handle;

	if (s->kind == GO_SPECIAL_CLEANUP && s->more[1])
		go_offer_pointer(t, s->more[1], first_parameter(t->go, s->fn));
	else if (s->kind == GO_SPECIAL_CLEANUP)
		visit_cleanup_closure(t, s->fn);
	if (s->kind == GO_SPECIAL_WEAK &&
	    hf_syms_find_field(t->go->syms, "runtime.specialWeakHandle", "handle", &handle))
		go_offer_pointer(t, s->fn, go_type_get(t->go, go_type_of_dwarf(t->go, handle.type))->elem);
}

/* ---- sync.OnceValue ------------------------------------------------------------------------------------------------------ */

static bool is_once(struct typing *t, uint64_t code)
{
	struct go_func f;
	uint64_t found;

	if (hf_map64_find(&t->once, code, &found))
		return found;
	found = go_find_func(t->go, code, &f) && f.entry == code &&
		(strstr(f.name, ".OnceValue[") || strstr(f.name, ".OnceValues["));
	t->err = hf_map64_put(&t->once, code, found);
	return found;
}

/* A result of the size that its shape has. */
static void visit_result(struct typing *t, uint64_t addr, uint32_t shaped, uint32_t type, unsigned depth)
{
	uint64_t size = go_type_get(t->go, type)->size;
	uint8_t bytes[ONCE_MAX];

	if (type && size && size <= ONCE_MAX && size == go_type_get(t->go, shaped)->size &&
	    go_type_get(t->go, type)->kind == go_type_get(t->go, shaped)->kind &&
	    !hf_err_ignore(hf_target_read(t->go->t, addr, bytes, size)))
		go_visit_value(t, type, (struct place){bytes, size}, depth + 1);
}

/* Which of the results a variable is; 2: none. */
static unsigned result_number(const char *name)
{
	return !strcmp(name, "result") || !strcmp(name, "r1") ? 0 : !strcmp(name, "r2") ? 1 : 2;
}

static bool is_shape(struct go *go, uint32_t type)
{
	return !strncmp(go_type_name(go, type), "go.shape.", 9);
}

/* Where it is not known what the closure captures (DWARF tells since 1.23): what is of a shape is a result, in order. */
static void visit_unknown(struct typing *t, uint64_t funcval, uint32_t type, unsigned depth)
{
	struct go *go = t->go;
	unsigned i = 0;
	uint64_t at;

	for (uint64_t offset = 8; offset < ONCE_CLOSURE && !t->err; offset += 8) {
		uint32_t block;

		if (go_find_block(go, funcval + offset) != go_find_block(go, funcval))
			return;
		if (hf_err_ignore(hf_target_read_u64(go->t, funcval + offset, &at)) ||
		    (block = go_find_block(go, at)) == HF_NO_BLOCK || !is_shape(go, go->block_type[block]))
			continue;
		visit_result(t, at, go->block_type[block], go_func_result(go, type, i++), depth);
	}
}

/* The code is generic: it knows the results by their shapes. Source: Go 1.21-1.27 sync/oncefunc.go, OnceValue, OnceValues:
 * members of a structure `d`, before 1.25 variables of their own. */
static void visit_once(struct typing *t, uint64_t funcval, uint64_t code, uint32_t type, unsigned depth)
{
	struct go *go = t->go;
	const go_locals *locals;
	unsigned unnamed = 0;
	uint64_t at;

	if (hf_err_ignore(go_locals_at(go, code, &locals)))
		return;
	if (!locals->n)
		visit_unknown(t, funcval, type, depth);
	for (size_t i = 0; i < locals->n && !t->err; i++) {
		const struct go_local *local = &locals->at[i];
		const struct go_type *row = go_type_get(go, local->type), *kept = go_type_get(go, row->elem);
		const char *name = local->name ? local->name + (*local->name == '&') : "";

		if (!local->captured || row->kind != GO_KIND_POINTER || !go_type_is_shaped(go, row->elem) ||
		    hf_err_ignore(hf_target_read_u64(go->t, funcval + (uint64_t)local->cfa_offset, &at)))
			continue;
		for (uint32_t k = 0; !strcmp(name, "d") && k < kept->members_n && !t->err; k++)
			visit_result(t, at + kept->members[k].offset, kept->members[k].type,
				     go_func_result(go, type, result_number(kept->members[k].name)), depth);
		/* Without names, they come in order. */
		if (strcmp(name, "d") && is_shape(go, row->elem))
			visit_result(t, at, row->elem,
				     go_func_result(go, type, *name ? result_number(name) : unnamed++),
				     depth);
	}
}

void go_visit_once(struct typing *t, uint64_t funcval, uint32_t type, unsigned depth)
{
	uint64_t code;

	if (go_find_block(t->go, funcval) == HF_NO_BLOCK ||
	    hf_err_ignore(hf_target_read_u64(t->go->t, funcval, &code)) || !is_once(t, code) || t->err)
		return;
	t->err = hf_map64_put(&t->called_once, funcval, type);
	if (!t->err)
		visit_once(t, funcval, code, type, depth);
}

void go_revisit_once(struct typing *t)
{
	const struct hf_map64 *calls = &t->called_once;
	uint64_t code;

	for (size_t i = 0, cap = calls->cap; i < cap && !t->err && calls->cap == cap; i++) {
		t->slots = ONCE_MAX;
		if (calls->keys[i] && !hf_err_ignore(hf_target_read_u64(t->go->t, calls->keys[i], &code)))
			visit_once(t, calls->keys[i], code, (uint32_t)calls->values[i], 0);
	}
}

/* ---- reflect ------------------------------------------------------------------------------------------------------------ */

struct names {
	struct typing *t;
	HF_VEC(uint32_t) queue;
};

/* runtime.reflectOffs.m leads by number to what reflection has made: code, types, and names, which have no pointers. */
static bool visit_name(void *arg, uint64_t slot, uint64_t value)
{
	struct names *n = arg;
	struct go *go = n->t->go;
	uint32_t block = go_find_block(go, value), byte;

	(void)slot;
	if (block == HF_NO_BLOCK)
		return true;
	if (go->block_type[block]) {
		enum go_shape shape = go_type_get(go, go->block_type[block])->shape;

		if (shape >= GO_SHAPE_MAP_DIR && shape <= GO_SHAPE_MAP_GROUPS && n->queue.n < REFLECT_STEPS)
			n->t->err = hf_vec_push(&n->queue, block);
		return !n->t->err;
	}
	byte = go_type_of_dwarf(go, hf_syms_find_type(go->syms, "uint8"));
	if (byte && go_find_span(go, value)->noscan)
		go_set_type(n->t, block, go_type_shape(go, GO_SHAPE_BACKING, byte, 0));
	return !n->t->err;
}

struct hf_err *go_type_reflect_names(struct typing *t)
{
	struct names n = {.t = t};
	struct hf_variable variable;
	uint64_t at, map;
	uint32_t block;

	if (!hf_syms_find_variable(t->go->syms, "runtime.reflectOffs", &variable) ||
	    !member_offset(t->go, go_type_of_dwarf(t->go, variable.type), "m", &at) ||
	    hf_err_ignore(hf_target_read_u64(t->go->t, variable.addr + at, &map)) ||
	    (block = go_find_block(t->go, map)) == HF_NO_BLOCK ||
	    go_type_get(t->go, t->go->block_type[block])->shape != GO_SHAPE_MAP)
		return t->err;
	t->err = hf_vec_push(&n.queue, block);
	/* A block may come again, by another table or overflow bucket: the bound is on all of them. */
	for (size_t i = 0; i < n.queue.n && !t->err; i++)
		t->err = go_walk_pointers(t->go, n.queue.at[i], visit_name, &n);
	hf_vec_deinit(&n.queue);
	return t->err;
}
