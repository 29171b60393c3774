/* A part of holdfast.h, which includes it: pools, what waits in them, and what is out. */
#ifndef HOLDFAST_POOLS_H
#define HOLDFAST_POOLS_H

struct hf_pool_type {
	const char *name;      /* of the items, as the pool has them: "*bytes.Buffer" */
	uint64_t count, bytes; /* of what waits: items, and what they retain */
};
/* Who holds objects of the type of a pool's items that do not wait in one. */
struct hf_pool_holder {
	const char *name; /* as in top --by root */
	uint64_t count, bytes;
};
struct hf_pool_row {
	const char *kind; /* "sync.Pool"; "described": by options.pool_file */
	const char *
		name; /* of a variable, or a field of one: "main.bufPool"; of the type and field of the objects that such
			     pools stand in: "main.Server.bufs"; by what leads to it: "main.byName[*]" */
	uint64_t count;            /* pools of that name: all figures are of all of them */
	uint64_t addr;             /* of the one that retains most */
	const char *parent;        /* the name of the pool that it is part of; "" */
	const char *held_by;       /* who leads to that one; "" for a variable */
	const char *constructor;   /* "main.newBuffer"; "" where there is none, or its name is not known */
	uint64_t constructor_addr; /* 0: there is none */
	const char
		*makes; /* the type of what the constructor makes, as its code says; "" where it does not */
	uint64_t
		items; /* objects that were given out and are in use; HF_UNKNOWN where the pool cannot know */
	uint64_t used_bytes;
	uint64_t idle;       /* items that wait; of them: */
	uint64_t in_private; /* a processor's own, the next that it takes */
	uint64_t in_shared;
	uint64_t in_victim;               /* go with the next collection if nobody takes them */
	uint64_t idle_bytes;              /* what they retain: it would be freed if this pool were emptied */
	uint64_t victim_bytes;            /* of idle_bytes, what victims retain one by one */
	uint64_t own_bytes;               /* the pool's own tables */
	const struct hf_pool_type *types; /* most items first */
	size_t types_n;
	/* What items retain one by one, without what several of them lead to. */
	uint64_t median_bytes, p99_bytes, largest_bytes;
	uint64_t largest_addr, largest_size; /* of that item: the object itself */
	uint64_t heavy;                      /* the fewest items that retain nine tenths of that */
	uint64_t held;  /* items that are held by other than pools, too: used after they were put back */
	uint64_t twice; /* items that had been put back before */
	/* Live objects of the types of items, and of what the constructor makes, that are not only in pools, wherever they
	 * come from; HF_UNKNOWN where these types do not tell: they are not known, or no pointers. Where several pools have
	 * items of one type, such objects count for each of them. */
	uint64_t out, out_bytes; /* bytes: of these objects alone */
	uint64_t out_pools;      /* rows that have items of these types: this one and others */
	const struct hf_pool_holder
		*holders; /* of what is out, by the root that is nearest; most objects first, some */
	size_t holders_n;
	/* Described pools; else 0 and "". */
	uint64_t object_size, slabs, slots,
		slab_bytes;  /* slots: in all slabs, given out or not; bytes: of these */
	const char *problem; /* "" or one line: what is damaged, so that the figures are of the rest */
};
struct hf_pools_answer {
	const struct hf_pool_row *rows; /* most idle bytes first, then most items */
	size_t n;
	uint64_t left_out, left_out_bytes;
	uint64_t total_pools, total_idle,
		total_idle_bytes; /* bytes: would be freed if all of them were emptied */
	uint64_t shared_bytes;    /* of these, what items of several rows lead to: it is in no row */
	uint64_t live_bytes;      /* of the heap */
};
/* limit  rows at most; 0: all.     Errors: TARGET (a program of no runtime that we know, and no pools described), USAGE
 * (of the file that describes them) */
HF_API struct hf_err *hf_pools(struct hf_session *s, size_t limit, const struct hf_pools_answer **ret)
	HF_CHECKED;

#endif
