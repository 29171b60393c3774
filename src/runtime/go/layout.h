/* Where the runtime's structures keep their members, and the constants and variables that a walk needs. */
#ifndef HF_GO_LAYOUT_H
#define HF_GO_LAYOUT_H

#include "../../sym/sym.h"
#include "layout_fields.h"

/* The oldest and newest release whose layout was verified; docs/runtimes/go.md. */
#define GO_OLDEST 20
#define GO_NEWEST 27

enum go_field {
#define GO_FIELD_ENUM(id, structure, member, ...) GO_##id,
	GO_FIELDS(GO_FIELD_ENUM)
#undef GO_FIELD_ENUM
		GO_FIELDS_N
};

/* Kinds of specials, runtime/mheap.go _KindSpecial*; -1 where this version has none. */
enum go_special {
	GO_SPECIAL_FINALIZER,
	GO_SPECIAL_WEAK,
	GO_SPECIAL_CLEANUP,
	GO_SPECIAL_PROFILE,
	GO_SPECIALS
};

/* Addresses of the runtime's variables; 0 where absent. id, name. */
#define GO_VARIABLES(X)                                                                                      \
	X(MHEAP, "runtime.mheap_")                                                                           \
	X(FIRSTMODULEDATA, "runtime.firstmoduledata")                                                        \
	X(ALLGS, "runtime.allgs")                                                                            \
	X(ALLP, "runtime.allp")                                                                              \
	X(ALLM, "runtime.allm")                                                                              \
	X(MEMSTATS, "runtime.memstats")                                                                      \
	X(GCCONTROLLER, "runtime.gcController")                                                              \
	X(GCPHASE, "runtime.gcphase")                                                                        \
	X(GCBLACKENENABLED, "runtime.gcBlackenEnabled")                                                      \
	X(WRITEBARRIER, "runtime.writeBarrier")                                                              \
	X(ZEROBASE, "runtime.zerobase")                                                                      \
	X(GOMAXPROCS, "runtime.gomaxprocs")                                                                  \
	X(ALLFIN, "runtime.allfin")                                                                          \
	X(GCCLEANUPS, "runtime.gcCleanups")                                                                  \
	X(ITABTABLE, "runtime.itabTable")                                                                    \
	X(WAITREASONS, "runtime.waitReasonStrings")                                                          \
	X(PERSISTENTCHUNKS, "runtime.persistentChunks")                                                      \
	X(MBUCKETS, "runtime.mbuckets")                                                                      \
	X(MEMPROFILERATE, "runtime.MemProfileRate")                                                          \
	X(DISABLEMEMORYPROFILING, "runtime.disableMemoryProfiling")                                          \
	X(BUILDVERSION, "runtime.buildVersion")                                                              \
	X(ASYNCTIMERCHAN, "runtime.asyncTimerChan")                                                          \
	X(ALLPOOLS, "sync.allPools")                                                                         \
	X(OLDPOOLS, "sync.oldPools")

enum go_variable {
#define GO_VARIABLE_ENUM(id, name) GO_VAR_##id,
	GO_VARIABLES(GO_VARIABLE_ENUM)
#undef GO_VARIABLE_ENUM
		GO_VARIABLES_N
};

struct go_layout {
	int minor; /* 26 for go1.26 */
	bool from_dwarf;
	bool stripped;            /* no symbols either: the variables were found by what they hold */
	int32_t off[GO_FIELDS_N]; /* -1: absent in this version */
	uint8_t nelems_width;     /* of mspan.nelems, freeindex: 2 or 8 */
	bool green_tea;           /* spans of small objects carry their mark bits */
	bool alloc_headers;       /* 1.22: pointer maps in spans, headers and largeType */
	bool swiss_maps;          /* 1.24 */
	bool mask_on_demand;      /* 1.24: TFlagGCMaskOnDemand */
	uint8_t direct_iface_tflag, direct_iface_kind; /* the bit that says so; one of them is 0 */
	int special_kind[GO_SPECIALS];
	uint32_t special_payload; /* sizeof(special) */
	uint8_t sudog_value; /* where in sudog.elem and sudog.c the address is: maybeTraceablePtr has it second (1.26) */
	uint64_t var[GO_VARIABLES_N];
	uint64_t wait_reasons_n;
};

/* Learns the layout of one Go version, "go1.26.8", from DWARF and tables; of a stripped program from its memory.
 * Errors: UNSUPPORTED  a version that we do not know and whose DWARF does not tell, or a member that is missing */
struct hf_err *go_layout_init(struct go_layout *l, struct hf_target *t, struct hf_syms *s,
			      const char *version) HF_CHECKED;

/* The layout of a verified release, 20 to 27, by the tables alone: no variables, no experiments. */
void go_layout_from_table(struct go_layout *l, int minor);

/* Minor number of "go1.26.8", "go1.27rc1", "devel go1.28-abc"; -1 where it is none. */
int go_version_minor(const char *version);

#endif
