/* Where the separate debug file of a module is: by build-id, by .gnu_debuglink, at last from debuginfod. */
#ifndef HF_SYM_DEBUGFILE_H
#define HF_SYM_DEBUGFILE_H

#include "elf.h"
#include "../target/target.h"

struct hf_debugfile_query {
	struct hf_target *t;   /* its root is searched first, where it is a live process */
	const char *debug_dir; /* absolute: "/usr/lib/debug" */
	const char *path;      /* of the module, as mapped */
	const struct hf_elf *elf;
	bool debuginfod; /* may ask servers; where libdebuginfod is not installed: none */
};

/* The separate debug file that belongs to query->elf: its build-id agrees, or, where either lacks one, the CRC of the
 * debug link. ret  caller frees with hf_elf_close; NULL: there is none.     Errors: NOMEM */
struct hf_err *hf_debugfile_find(const struct hf_debugfile_query *query, struct hf_elf **ret) HF_CHECKED;

/* dwz's supplementary file that sections of `path` refer to (.gnu_debugaltlink: name and build-id). As above. */
struct hf_err *hf_debugfile_find_alt(const struct hf_debugfile_query *query, const char *name,
				     const void *build_id, size_t build_id_len, struct hf_elf **ret)
	HF_CHECKED;

#endif
