/* The types of a sync.Map's nodes where there is no DWARF to tell them. Source: types.h */
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
