/* What stands at an address: for the findings of a run. */
#include "c.h"

static bool is_in(uint64_t addr, uint64_t start, uint64_t len)
{
	return addr - start < len;
}

bool c_is_fresh(const struct c_places *p, uint64_t addr)
{
	if (is_in(addr, p->job->scratch + GHOST_OBJECT_OFFSET, p->job->object_size))
		return true;
	hf_vec_each(&p->run->allocations, a)
		if (is_in(addr, a->addr, hf_max(a->bytes, (uint64_t)1)))
			return true;
	return false;
}

static bool is_stack(const struct c_places *p, const struct hf_map *map)
{
	hf_vec_each(&p->own->stacks, sp)
		if (*sp >= map->start && *sp < map->end)
			return true;
	return !strncmp(map->path, "[stack", 6) ||
	       (p->own->fs_base >= map->start && p->own->fs_base < map->end &&
		strcmp(map->path, "[heap]") != 0);
}

bool c_is_heap(const struct c_places *p, uint64_t addr)
{
	const struct hf_map *map = hf_target_find_map(p->c->t, addr);

	if (!map || !map->writable || map->executable || (map->path[0] && strcmp(map->path, "[heap]") != 0))
		return false;
	/* A module's zeroed variables are anonymous memory, too. */
	return !hf_syms_find_module(p->c->syms, addr) && !is_stack(p, map);
}

/* A variable by DWARF, with the way into it; else a symbol. */
static bool name_variable(const struct c_places *p, uint64_t addr, struct hf_str *ret)
{
	struct hf_variable v;
	struct hf_symbol sym;

	if (hf_syms_variable_at(p->c->syms, addr, &v)) {
		hf_str_add(ret, v.name);
		hf_type_path(p->c->syms, v.type, addr - v.addr, ret);
		return true;
	}
	if (!hf_syms_symbol_at(p->c->syms, addr, &sym))
		return false;
	hf_str_add(ret, sym.name);
	if (addr != sym.addr)
		hf_str_addf(ret, "+%" PRIu64, addr - sym.addr);
	return true;
}

static void name_map(const struct c_places *p, const struct hf_map *map, uint64_t addr, struct hf_str *ret)
{
	const struct hf_module *m = hf_syms_find_module(p->c->syms, addr);
	struct hf_section section;

	if (p->own->fs_base >= map->start && p->own->fs_base < map->end && p->own->fs_base - addr < 4096 * 16)
		hf_str_addf(ret, "thread-local storage, at fs-%" PRIu64, p->own->fs_base - addr);
	else if (m && hf_module_section_at(m, addr, &section))
		hf_str_addf(ret, "0x%" PRIx64 " in %s of %s", addr, section.name, m->path);
	else if (is_stack(p, map))
		hf_str_addf(ret, "a thread's stack, at 0x%" PRIx64, addr);
	else if (map->shared)
		hf_str_addf(ret, "shared memory, at 0x%" PRIx64 "%s%s", addr, map->path[0] ? " of " : "",
			    map->path);
	else if (c_is_heap(p, addr))
		hf_str_addf(ret, "the heap, at 0x%" PRIx64, addr);
	else
		hf_str_addf(ret, "0x%" PRIx64 "%s%s", addr, map->path[0] ? " of " : "", map->path);
}

void c_place_name(const struct c_places *p, uint64_t addr, struct hf_str *ret)
{
	uint64_t object = p->job->scratch + GHOST_OBJECT_OFFSET;
	const struct hf_map *map = hf_target_find_map(p->c->t, addr);

	if (is_in(addr, object, p->job->object_size))
		hf_str_addf(ret, "its object, at %" PRIu64, addr - object);
	else if (is_in(addr, object, GHOST_OBJECT_MAX))
		hf_str_addf(ret, "%" PRIu64 " bytes past the end of its object",
			    addr - object - p->job->object_size);
	else if (is_in(addr, p->job->scratch, GHOST_SCRATCH))
		hf_str_add(ret, "its stack");
	else if (name_variable(p, addr, ret))
		;
	else if (map)
		name_map(p, map, addr, ret);
	else
		hf_str_addf(ret, "0x%" PRIx64 ", where nothing is mapped", addr);
}
