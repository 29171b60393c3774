/* The types of the nodes of sync.Map and unique. Source: types.h, and Go 1.24-1.27 internal/sync/hashtriemap.go,
 * unique/canonmap.go */
#include "types_private.h"

static uint32_t add_struct(struct go *go, const char *name, uint64_t size, const struct go_member *members,
			   uint32_t n)
{
	struct go_member *kept = hf_arena_alloc(&go->types->arena, n * sizeof(*kept));

	if (!kept) {
		go->types->failed = true;
		return GO_NO_TYPE;
	}
	if (n)
		memcpy(kept, members, n * sizeof(*kept));
	return go_types_add(go, &(struct go_type){.name = name,
						  .name_tried = true,
						  .decoded = true,
						  .kind = GO_KIND_STRUCT,
						  .size = size,
						  .ptr_bytes = size,
						  .members = kept,
						  .members_n = n});
}

uint32_t go_trie_any_node(struct go *go)
{
	struct go_types *types = go->types;
	struct go_type word = {.name = "unsafe.Pointer",
			       .name_tried = true,
			       .decoded = true,
			       .kind = GO_KIND_UNSAFE_POINTER,
			       .size = 8,
			       .ptr_bytes = 8};
	struct go_type any = {.name = "interface {}",
			      .name_tried = true,
			      .decoded = true,
			      .kind = GO_KIND_INTERFACE,
			      .size = 16,
			      .ptr_bytes = 16};
	uint32_t pointer, interface, children;

	if (types->trie_node)
		return types->trie_node;
	pointer = go_types_add(go, &word);
	interface = go_types_add(go, &any);
	children = go_types_add(go, &(struct go_type){.name = "[16]unsafe.Pointer",
						      .name_tried = true,
						      .decoded = true,
						      .kind = GO_KIND_ARRAY,
						      .elem = pointer,
						      .count = 16,
						      .size = 128,
						      .ptr_bytes = 128});
	types->trie_entry =
		add_struct(go, "internal/sync.entry[interface {},interface {}]", GO_TRIE_ENTRY_SIZE,
			   (const struct go_member[]){
				   {.name = "overflow", .type = pointer, .offset = 8},
				   {.name = "key", .type = interface, .offset = GO_TRIE_KEY},
				   {.name = "value", .type = interface, .offset = GO_TRIE_VALUE},
			   },
			   3);
	types->trie_inner =
		add_struct(go, "internal/sync.indirect[interface {},interface {}]", GO_TRIE_CHILDREN + 128,
			   (const struct go_member[]){
				   {.name = "parent", .type = pointer, .offset = GO_TRIE_KEY},
				   {.name = "children", .type = children, .offset = GO_TRIE_CHILDREN},
			   },
			   2);
	types->trie_node = add_struct(go, "internal/sync.node[interface {},interface {}]", 8, NULL, 0);
	return types->trie_node;
}

/* "[K,V]" as the compiler's shapes: "[go.shape.K,go.shape.V]". */
static void add_shapes(const char *args, struct hf_str *ret)
{
	int depth = 0;

	for (const char *p = args; *p; p++) {
		bool starts = (*p == '[' && p == args) || (*p == ',' && depth == 1);

		depth += (*p == '[' || *p == '{' || *p == '(') - (*p == ']' || *p == '}' || *p == ')');
		hf_str_addc(ret, *p);
		if (starts)
			hf_str_add(ret, "go.shape.");
	}
}

/* The type behind a trie node: an entry where its first byte says so, otherwise an inner node. DWARF knows them by
 * name, at times only in their go.shape form. */
uint32_t go_trie_type(struct go *go, uint32_t node, bool is_entry)
{
	const char *name = go_type_name(go, node), *args = strchr(name, '['), *base = strstr(name, "node[");
	const char *what = is_entry ? "entry" : "indirect";
	struct hf_str word = {0};
	uint32_t dwarf;

	if (!args || !base || base > args)
		return GO_NO_TYPE;
	if (node == go->types->trie_node)
		return is_entry ? go->types->trie_entry : go->types->trie_inner;
	hf_str_addf(&word, "%.*s%s%s", (int)(base - name), name, what, args);
	dwarf = hf_syms_find_type(go->syms, hf_str_get(&word));
	if (!dwarf) {
		hf_str_truncate(&word, 0);
		hf_str_addf(&word, "%.*s%s", (int)(base - name), name, what);
		add_shapes(args, &word);
		dwarf = hf_syms_find_type(go->syms, hf_str_get(&word));
	}
	hf_str_deinit(&word);
	return go_type_of_dwarf(go, dwarf);
}
