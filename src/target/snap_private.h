/* Inside of snap*.c.
 *
 *   0        ELF header, program headers (and one section header, where there are 65535 or more)
 *   notes    the PT_NOTE
 *   data     a page boundary; the segments' bytes, one segment after the other
 */
#ifndef HF_SNAP_PRIVATE_H
#define HF_SNAP_PRIVATE_H

#include "snap.h"

#include "../base/outfile.h"

/* Bytes to be written: of one mapping, without a gap. */
struct hf_snap_run {
	uint64_t start, end;
	uint64_t file_off; /* in the snap */
	const struct hf_map *map;
	bool from_file;    /* to be read from the mapped file, after the resume */
	bool zeros_before; /* only untouched pages lie between this and the run before (or the map's start) */
	bool zeros_after;  /* the same, to the mapping's end */
};

/* A PT_LOAD. */
struct hf_snap_seg {
	uint64_t start, end, file_off;
	uint32_t flags;
	bool left_out; /* no bytes: a debugger takes them from the file */
};

struct hf_snap_plan {
	HF_VEC(struct hf_snap_run) runs; /* ascending */
	HF_VEC(struct hf_snap_seg) segs; /* ascending */
	HF_VEC(struct hf_range) lost;    /* on swap */
	uint64_t data_bytes;
	uint64_t resident_bytes, skipped_bytes;
};

/* Decides what is written. The target must be stopped. file_off count from the beginning of the data.
 * Errors: NOMEM, TARGET, NOTPERM, INTERRUPTED. */
struct hf_err *hf_snap_plan(struct hf_target *t, struct hf_snap_plan *ret) HF_CHECKED;
/* Where the segments are more than max, joins more of them over untouched pages. */
struct hf_err *hf_snap_plan_segments(const struct hf_target *t, struct hf_snap_plan *plan, size_t max)
	HF_CHECKED;
void hf_snap_plan_deinit(struct hf_snap_plan *plan);

/* The notes' bytes. *ret_lost and *ret_lost_room  where the list of lost pages is: to be filled in when
 * all is read. facts  of the process, for our note. */
struct hf_err *hf_snap_notes(struct hf_target *t, const struct hf_facts *facts,
			     const struct hf_snap_plan *plan, struct hf_str *ret, size_t *ret_lost,
			     size_t *ret_lost_room) HF_CHECKED;

/* snap_regs.c: hf_arch_regs_decode's opposite; what struct hf_regs does not keep (flags, segments) is as
 * in any program in user space. regs  room for struct user_regs_struct. */
void hf_snap_regs(const struct hf_regs *regs, void *ret, size_t len);

/* The ELF header and program headers, for notes of a length; *ret_data: where the data begin. */
struct hf_err *hf_snap_headers(const struct hf_snap_plan *plan, size_t notes_len, struct hf_str *ret,
			       uint64_t *ret_data) HF_CHECKED;

/* Copies memory to the file; the target must be stopped. Pages that cannot be read are zeros there, and in
 * *lost. Errors: IO, TARGET, NOMEM, INTERRUPTED. */
struct hf_snap_copy {
	struct hf_target *t;
	const struct hf_snap_plan *plan;
	const struct hf_outfile *file;
	uint64_t data_off;
	HF_VEC(struct hf_range) lost; /* in any order */
};
struct hf_err *hf_snap_copy_memory(struct hf_snap_copy *copy) HF_CHECKED;
/* The runs that come from files; the target may run. */
struct hf_err *hf_snap_copy_files(struct hf_snap_copy *copy) HF_CHECKED;

#endif
