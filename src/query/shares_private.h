/* What shares.c (the figures) and verdict.c (the words) have in common. */
#ifndef HF_SHARES_PRIVATE_H
#define HF_SHARES_PRIVATE_H

#include "shares.h"

/* id, key, label */
#define HF_SHARES(X)                                                                                         \
	X(LIVE, "heap-live", "heap, live objects")                                                           \
	X(GARBAGE, "heap-garbage", "heap, garbage")                                                          \
	X(SLOTS, "heap-free-slots", "heap, free slots")                                                      \
	X(IDLE, "heap-idle", "heap, idle")                                                                   \
	X(STACKS, "stacks", "goroutine stacks")                                                              \
	X(METADATA, "metadata", "the runtime's structures")                                                  \
	X(LAZY, "lazy-free", "lazily freed")                                                                 \
	X(THREADS, "thread-stacks", "thread stacks")                                                         \
	X(OFFHEAP, "off-heap", "other private memory")                                                       \
	X(FILES, "files", "executable, mapped files")                                                        \
	X(SHMEM, "shmem", "tmpfs, shared memory")                                                            \
	X(CACHE, "page-cache", "page cache")                                                                 \
	X(KERNEL, "kernel", "kernel")                                                                        \
	X(OTHERS, "other-processes", "other processes")                                                      \
	X(SWAP, "swap", "on swap")                                                                           \
	X(REST, "unexplained", "nothing explains")

enum share {
#define HF_SHARE_ENUM(id, key, label) SHARE_##id,
	HF_SHARES(HF_SHARE_ENUM)
#undef HF_SHARE_ENUM
		SHARES_N
};

enum frame {
	FRAME_CGROUP,
	FRAME_RESIDENT,
	FRAME_HEAP,
	FRAME_NONE,
};

/* All figures are known here, or 0. */
struct shares {
	const struct hf_facts *facts; /* never NULL */
	const struct hf_heap *heap;   /* the first; NULL: none */
	enum frame frame;
	uint64_t total;
	uint64_t live, garbage, slots, idle, stacks, metadata, goroutines; /* of all heaps */
	uint64_t bytes[SHARES_N];
	uint64_t cache_inactive, cache_dirty;
	uint64_t excess; /* by how much the parts exceed the total */
};

static inline uint64_t known_or_0(uint64_t v)
{
	return v < HF_NOLIMIT ? v : 0;
}

static inline bool is_known(uint64_t v)
{
	return v < HF_NOLIMIT;
}

/* cgroup v1 says "no limit" by a number near to 2^63. */
static inline bool is_limit(uint64_t v)
{
	return v && v < UINT64_C(1) << 62;
}

struct shown {
	char s[32];
};
struct shown hf_shares_size(uint64_t bytes);

/* The share with most bytes. */
enum share hf_shares_largest(const struct shares *s);
/* Adds the verdict's sentences. */
void hf_shares_say(const struct shares *s, struct hf_str *ret);

#endif
