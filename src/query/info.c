/* info: what is at an address? */
#include "session.h"
#include "sites.h"

#include "../base/vec.h"

#define FRAMES_MAX 32

static const char *take(const struct hf_info *result, struct hf_str *s)
{
	return hf_result_take_str(result, s);
}

static struct hf_err *info_block(struct hf_session *s, const struct hf_info *result, uint32_t block,
				 struct hf_info_object *ret)
{
	const struct hf_runtime_ops *ops = s->rt->ops;
	struct hf_block b = ops->block(s->rt, block);
	struct hf_str text = {0};
	char size[16];

	ret->where = "heap";
	ret->state = hf_block_state(s, block);
	ret->start = b.addr;
	ret->size = b.size;
	ret->type = hf_block_type_name(s, result, block);
	HF_TRY(ops->offset_name(s->rt, block, ret->addr, &text));
	ret->path = take(result, &text);
	if (s->options.show_values) {
		HF_TRY(ops->value(s->rt, block, &text));
		ret->value = take(result, &text);
	}
	HF_TRY(hf_graph_retainers(s->graph, block, &ret->retainers, &ret->roots));
	HF_TRY(hf_allocated_by(s, result, block, &ret->allocated, &ret->allocated_n));
	hf_str_addf(&text, "%s object of %s, type %s", ret->state, hf_format_size(b.size, size, sizeof(size)),
		    ret->type);
	if (*ret->path)
		hf_str_addf(&text, ", at %s in it", ret->path);
	ret->text = take(result, &text);
	return NULL;
}

static struct hf_err *info_code(struct hf_session *s, const struct hf_info *result,
				struct hf_info_object *ret)
{
	struct hf_stack_frame found[FRAMES_MAX];
	struct hf_source_frame plain[FRAMES_MAX];
	struct hf_frame *frames;
	size_t n = 0, m = 0;

	HF_TRY(s->rt->ops->frames(s->rt, ret->addr, found, FRAMES_MAX, &n));
	if (!n)
		HF_TRY(hf_syms_source_frames(s->syms, ret->addr, plain, FRAMES_MAX, &m));
	frames = hf_result_alloc(result, n + m, sizeof(*frames));
	if (!frames)
		return hf_err_nomem();
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct hf_frame){found[i].function, found[i].file, ret->addr, found[i].line,
					      found[i].inlined};
	for (size_t i = 0; i < m; i++)
		frames[i] = (struct hf_frame){hf_result_str(result, plain[i].function),
					      hf_result_str(result, plain[i].file), ret->addr, plain[i].line,
					      plain[i].inlined};
	ret->frames = frames;
	ret->frames_n = n + m;
	return NULL;
}

static bool info_variable(struct hf_session *s, const struct hf_info *result, struct hf_info_object *ret)
{
	struct hf_variable variable;
	struct hf_symbol symbol;
	struct hf_str text = {0};

	if (hf_syms_variable_at(s->syms, ret->addr, &variable)) {
		struct hf_found_root root = {.kind = HF_ROOT_GLOBAL, .slot = ret->addr};
		struct hf_str name = {0}, via = {0};
		const struct hf_variable *all;
		size_t n;

		if (!hf_err_ignore(hf_syms_variables(s->syms, &all, &n)))
			for (size_t lo = 0, hi = n; lo < hi;) {
				size_t mid = lo + (hi - lo) / 2;

				root.owner = (uint32_t)mid;
				if (all[mid].addr == variable.addr)
					break;
				if (all[mid].addr < variable.addr)
					lo = mid + 1;
				else
					hi = mid;
			}
		if (hf_err_ignore(s->rt->ops->root_name(s->rt, &root, &name, &via)))
			hf_str_truncate(&via, 0);
		ret->start = variable.addr;
		ret->size = variable.size;
		ret->type = variable.type ? hf_type_get(s->syms, variable.type)->name : "";
		hf_str_addf(&text, "global variable %s%s, type %s", variable.name, hf_str_get(&via),
			    *ret->type ? ret->type : "?");
		ret->path = take(result, &via);
		hf_str_deinit(&name);
	} else if (hf_syms_symbol_at(s->syms, ret->addr, &symbol) && symbol.is_object) {
		ret->start = symbol.addr;
		ret->size = symbol.size;
		hf_str_addf(&text, "symbol %s+%" PRIu64 " of %s", symbol.name, ret->addr - symbol.addr,
			    symbol.module->path);
	} else {
		return false;
	}
	ret->where = "data";
	ret->text = take(result, &text);
	return true;
}

static struct hf_err *info_code_text(const struct hf_info *result, struct hf_info_object *ret)
{
	struct hf_str text = {0};
	const struct hf_frame *outer = &ret->frames[ret->frames_n - 1], *inner = &ret->frames[0];

	ret->where = "code";
	hf_str_addf(&text, "code of %s", outer->function);
	if (ret->frames_n > 1)
		hf_str_addf(&text, ", inlined there: %s", inner->function);
	if (*inner->file)
		hf_str_addf(&text, ", %s:%u", inner->file, inner->line);
	ret->text = take(result, &text);
	return NULL;
}

/* What the mappings alone say. */
static void info_mapping(struct hf_session *s, const struct hf_info *result, struct hf_info_object *ret)
{
	const struct hf_map *map = hf_target_find_map(s->t, ret->addr);
	struct hf_section section;
	const struct hf_module *module = hf_syms_find_module(s->syms, ret->addr);
	struct hf_str text = {0};

	if (!map) {
		ret->where = "unmapped";
		hf_str_add(&text, "not mapped: no such memory in the target");
	} else {
		ret->where = "mapped";
		ret->start = map->start;
		ret->size = map->end - map->start;
		hf_str_addf(&text, "%s%s%s%s memory, %s", map->readable ? "r" : "-",
			    map->writable ? "w" : "-", map->executable ? "x" : "-",
			    map->shared ? " shared" : "", *map->path ? map->path : "anonymous");
		if (module && hf_module_section_at(module, ret->addr, &section))
			hf_str_addf(&text, ", section %s+0x%" PRIx64, section.name, ret->addr - section.addr);
	}
	ret->text = take(result, &text);
}

static struct hf_err *info_elsewhere(struct hf_session *s, const struct hf_info *result,
				     const struct hf_where *where, struct hf_info_object *ret)
{
	const struct hf_map *map = hf_target_find_map(s->t, ret->addr);
	struct hf_str text = {0};

	ret->start = where->start;
	ret->size = where->size;
	if (where->place == HF_PLACE_FREE)
		ret->state = "free";
	if (where->place == HF_PLACE_NONE && map && map->executable) {
		HF_TRY(info_code(s, result, ret));
		if (ret->frames_n)
			return info_code_text(result, ret);
	}
	if (where->place == HF_PLACE_NONE && info_variable(s, result, ret))
		return NULL;
	HF_TRY(s->rt->ops->describe(s->rt, ret->addr, &text));
	if (!text.n && where->place == HF_PLACE_FREE)
		hf_str_add(&text, "Go heap: a free slot, nothing is allocated there");
	if (!text.n) {
		info_mapping(s, result, ret);
		return NULL;
	}
	ret->where = where->place == HF_PLACE_STACK  ? "stack"
		     : where->place == HF_PLACE_FREE ? "heap"
						     : "runtime";
	ret->text = take(result, &text);
	return NULL;
}

static struct hf_err *no_address(const char *word)
{
	return hf_err(HF_USAGE, "\"%s\" is no address (0x..., or decimal), and no global variable", word);
}

static struct hf_err *info_word(struct hf_session *s, const struct hf_info *result, const char *word,
				struct hf_info_object *ret)
{
	struct hf_where where;

	*ret = (struct hf_info_object){.query = hf_result_str(result, word),
				       .state = "unknown",
				       .type = "",
				       .path = "",
				       .text = "",
				       .value = "",
				       .where = ""};
	if (!hf_parse_address(word, &ret->addr)) {
		bool found;

		HF_TRY(hf_session_find_variable(s, word, &found, &ret->addr));
		if (!found)
			return no_address(word);
	}
	where = s->rt->ops->where(s->rt, ret->addr);
	if (where.place == HF_PLACE_BLOCK)
		return info_block(s, result, where.block, ret);
	return info_elsewhere(s, result, &where, ret);
}

struct hf_err *hf_info(struct hf_session *s, const char *const *words, size_t n, const struct hf_info **ret)
{
	struct hf_info *result = NULL;
	struct hf_info_object *objects;
	uint64_t addr;
	struct hf_err *err;

	/* What cannot be the name of a variable is refused before the target is touched. */
	for (size_t i = 0; i < n; i++)
		if (!hf_parse_address(words[i], &addr) && (words[i][0] == '0' || !strchr(words[i], '.')))
			return no_address(words[i]);
	if (!n)
		return hf_err(HF_USAGE, "info on what? Give one address or more");
	HF_TRY(hf_session_type(s));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	objects = hf_result_alloc(result, n, sizeof(*objects));
	err = objects ? NULL : hf_err_nomem();
	for (size_t i = 0; i < n && !err; i++)
		err = info_word(s, result, words[i], &objects[i]);
	if (err) {
		hf_result_free(result);
		return err;
	}
	result->objects = objects;
	result->n = n;
	*ret = result;
	return NULL;
}
