/* What typing.c (views and shapes) and typing_sources.c (where types come from) share. */
#ifndef HF_GO_TYPING_PRIVATE_H
#define HF_GO_TYPING_PRIVATE_H

#include "typing.h"

/* A type that something says a block has, from an offset on. */
struct view {
	uint32_t block, type;
	uint64_t offset, size;
};

struct typing {
	struct go *go;
	HF_VEC(uint32_t) queue; /* blocks whose type is new */
	size_t at;
	HF_VEC(struct view) weak; /* views that do not cover their block: only where nothing better comes */
	HF_VEC(struct view)
	outside; /* values outside of the heap that are yet to be visited: offset is the address */
	HF_VEC(struct hf_range) outside_ranges; /* where such may stand, ascending */
	struct hf_map64 outside_seen;           /* type and address -> bytes visited */
	struct hf_map64 spilled; /* slot of a function -> index into its variables: typing_sources.c */
	struct hf_scratch scratch, outside_scratch;
	struct hf_err *err;
	uint32_t hchan, sudog;       /* types of these names; UINT32_MAX: not looked up yet */
	bool garbage;                /* what is visited now may be: it may lead to what was freed */
	uint64_t slots;              /* of the value that is visited, as many as may still be looked at */
	struct hf_map64 once;        /* code of a closure -> whether it is one of sync.OnceValue's */
	struct hf_map64 called_once; /* such a function value -> the type that it is called by */
};

/* A value in local memory: the bytes from it to the end of what holds it. */
struct place {
	const uint8_t *bytes;
	uint64_t len;
};

/* Arrays in arrays and interfaces in interfaces nest no deeper than this here. */
#define VISIT_DEPTH 16

extern const uint8_t go_slot_size[]; /* bytes of a slot, by kind; ARRAY: 0 */

/* True where an allocation of this size would have got a slot of this span, and no smaller one. */
bool go_fits(const struct go_span *span, uint64_t size);
/* True where a small object of this size gets so much room, behind a header where it has one (1.22 and later). */
bool go_is_class_of(uint64_t room, uint64_t size);
/* What of a value stands at an offset: looks through nested arrays. *ret_lead: how far into it (the data word of an
 * interface: 8). False: nothing that leads on. */
bool go_slot_at(struct go *go, uint32_t type, uint64_t offset, struct go_slot *ret, uint64_t *ret_lead);
/* internal/sync.HashTrieMap's nodes: what they are shows only when one looks. */
bool go_is_trie_node(struct go *go, uint32_t type);
void go_set_type(struct typing *t, uint32_t block, uint32_t type);
/* Something says that at addr there are `size` bytes of a type. A view that covers its block types it, the first one
 * wins; another is kept for later. size 0: unknown, but the start of a block. */
void go_offer(struct typing *t, uint64_t addr, uint32_t type, uint64_t size);
/* The same of an address that is not on the heap; nothing where it is in no module's data and on no stack. */
struct hf_err *go_outside_init(struct typing *t) HF_CHECKED;
void go_outside_deinit(struct typing *t);
void go_offer_outside(struct typing *t, uint64_t addr, uint32_t type, uint64_t size);
bool go_is_outside(const struct typing *t, uint64_t addr);
void go_visit_outside(struct typing *t); /* those that were offered */
void go_offer_pointer(struct typing *t, uint64_t value, uint32_t elem);
void go_offer_closure(struct typing *t, uint64_t value);
void go_offer_chan(struct typing *t, uint64_t value, uint32_t chan);
/* typing_inits.c: what code has put into static data of which no variable says the type. Cost: a pass over the program's code,
 * where there is such. */
struct hf_err *go_type_inits(struct typing *t) HF_CHECKED;
/* typing_runtime.c */
bool go_is_named(struct go *go, uint32_t type, uint32_t *cache, const char *name);
/* A structure of the runtime's whose last member is an array of no fixed length. */
bool go_is_open_ended(struct go *go, uint32_t type);
/* What switches and type assertions of interfaces keep, known by their symbols alone. */
struct hf_err *go_type_switch_caches(struct typing *t) HF_CHECKED;
/* What holds a value of a type, at addr, at an offset of its block; GO_NO_TYPE: not known. */
uint32_t go_container_of(struct go *go, uint32_t type, uint64_t addr, uint64_t offset,
			 const struct go_span *span);
/* The type of the channel whose hchan is at addr; GO_NO_TYPE: it is none. */
uint32_t go_chan_at(struct go *go, uint64_t addr);
void go_visit_sudog(struct typing *t, struct place p);
/* What a function of sync.OnceValue has kept, by the type of the variable that it is called through. */
void go_visit_once(struct typing *t, uint64_t funcval, uint32_t type, unsigned depth);
/* All of these again: what they capture was not known to all releases' DWARF. */
void go_revisit_once(struct typing *t);
void go_visit_special(struct typing *t, const struct go_special_record *s);
struct hf_err *go_type_reflect_names(struct typing *t) HF_CHECKED; /* when all else has its type */
/* Offers all that a value, or one slot of it, leads to. */
void go_visit_value(struct typing *t, uint32_t type, struct place p, unsigned depth);
/* The data word of an interface that holds a value of this type. */
void go_visit_interface(struct typing *t, uint32_t dynamic, const uint8_t *data, unsigned depth);
void go_visit_slot(struct typing *t, const struct go_slot *slot, struct place p, unsigned depth);
/* The same of what is no plain value. */
void go_visit_shape(struct typing *t, uint32_t id, struct place p);
/* A captured variable of a closure on a stack, where the root's slot is one. */
struct hf_err *go_type_stack_closure(struct typing *t, const struct go_raw_root *root) HF_CHECKED;
bool go_leads_on(struct go *go, uint32_t id);
/* Follows what was offered and covers its block. */
struct hf_err *go_typing_drain(struct typing *t) HF_CHECKED;
/* Follows all that was offered, until nothing is new. */
struct hf_err *go_typing_settle(struct typing *t) HF_CHECKED;

#endif
