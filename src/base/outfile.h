/* A file that is not there before it is whole; readable by its owner alone, as it holds what a process's memory says. */
#ifndef HF_OUTFILE_H
#define HF_OUTFILE_H

#include "base.h"

struct hf_outfile {
	int fd;
	char *path, *temp;
	bool named; /* temp exists: the file system has no nameless files */
};

/* Errors: USAGE (no name), NOTPERM, IO (it cannot be made there; path is there, and is no regular file), NOMEM */
struct hf_err *hf_outfile_create(const char *path, struct hf_outfile *ret) HF_CHECKED;
/* Errors: IO where size bytes have no room. */
struct hf_err *hf_outfile_check_room(const struct hf_outfile *file, uint64_t size) HF_CHECKED;
struct hf_err *hf_outfile_write(const struct hf_outfile *file, const void *bytes, size_t len, uint64_t off)
	HF_CHECKED;
/* Gives it its name; an existing file is replaced. Errors: NOTPERM, IO */
struct hf_err *hf_outfile_publish(struct hf_outfile *file) HF_CHECKED;
void hf_outfile_deinit(struct hf_outfile *file); /* what was not published is gone */

#endif
