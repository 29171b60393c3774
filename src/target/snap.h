/* Writes what a target's memory holds into an ELF core that gdb opens, too. */
#ifndef HF_SNAP_H
#define HF_SNAP_H

#include "target.h"

/* The note of ours in a snap: what a core cannot otherwise say. Its text is in parts, each but the first
 * after a line of one word:
 *
 *   (facts)   as of hf_facts_print
 *   maps      the target's mappings, as of hf_maps_print: so that untouched anonymous pages, which are not
 *             written, still read as zeros
 *   threads   "tid ns_tid name", a line for each NT_PRSTATUS, in their order
 *   lost      "start-end" in hex, ascending: pages that were on swap, or could not be read: no data of theirs
 *             is here
 */
#define HF_NOTE_NAME "holdfast"
#define HF_NOTE_TYPE 0x48464e31u /* "HFN1" */

struct hf_snap_stats {
	uint64_t file_bytes;
	uint64_t resident_bytes; /* of memory written */
	uint64_t skipped_bytes;  /* mapped, but untouched, reserved, or on swap */
	uint32_t segments;       /* PT_LOADs */
	double stopped_s;        /* of this snap alone */
};

/* Writes the target as a core to path (by a temporary file, renamed when whole;
 * an existing file is replaced).
 *
 * t     live: stopped here, for as long as the memory takes to be read, and resumed, unless it was stopped
 *       already. Core: copied as it is.
 * path  of the file to be; mode 0600, as it holds the process's secrets.
 * Holds NT_PRSTATUS (general registers) for each stopped thread, NT_PRPSINFO, NT_AUXV, NT_FILE and our note.
 * File pages that were never written stay out (gdb takes them from the file), but for the first page of
 * each file, which holds an ELF file's build-id, and for all of a file that has no name any more. [vvar] and
 * devices' memory are never read. Pages on swap, or unreadable: left out, with a warning and t->incomplete.
 * Errors: IO (disk full: nothing is left behind), NOTPERM, TARGET, INTERRUPTED (nothing is left behind)
 */
struct hf_err *hf_snap_write(struct hf_target *t, const char *path, struct hf_snap_stats *ret) HF_CHECKED;

#endif
