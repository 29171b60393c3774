/* A shared object with a constructor that the process does not have: whether it may be loaded there. */
#ifndef HF_OBJECT_H
#define HF_OBJECT_H

#include "../base/base.h"
#include "../base/str.h"
#include "../base/vec.h"

struct hf_object {
	uint64_t first;    /* address in the file's own terms that the first byte of the file is loaded at */
	uint64_t function; /* address in the same terms */
	uint64_t dev, inode;
	HF_VEC(const char *) needs; /* names of libraries */
	struct hf_arena names;
};

/* fd  of the file.     name  for messages.     ret  zeroed; caller frees with hf_object_deinit, on errors, too.
 * Errors: IO       it cannot be read
 *         USAGE    no shared object of this machine, or no such function in it
 *         REFUSED  loading it would run code of its own (constructors, IFUNCs), write to text, or take room in every
 *                  thread (thread-local variables) */
struct hf_err *hf_object_read(int fd, const char *name, const char *function, struct hf_object *ret)
	HF_CHECKED;
void hf_object_deinit(struct hf_object *o);

#endif
