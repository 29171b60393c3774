#define _GNU_SOURCE
#include "ghost_wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME "holdfast-sandbox"

/* From the folder of our program, library or Python module: as built, as copied beside, as installed. */
static const char *const places[] = {
	NAME,
	"sandbox/" NAME,
	"../sandbox/" NAME,
	"../libexec/holdfast/" NAME,
	"../../libexec/holdfast/" NAME,
	"../../../libexec/holdfast/" NAME, /* of a library in lib/x86_64-linux-gnu/holdfast */
};

/* The file that this code is in. */
static bool find_ourselves(char path[PATH_MAX])
{
	static const char mark;
	Dl_info info;
	ssize_t n;

	/* A program's name is as it was called; the kernel knows better. */
	if (dladdr(&mark, &info) && info.dli_fname && strstr(info.dli_fname, ".so"))
		return realpath(info.dli_fname, path) != NULL;
	n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return true;
}

static bool is_program(const char *path)
{
	return !access(path, X_OK);
}

struct hf_err *hf_ghost_find_program(char **ret)
{
	const char *asked = secure_getenv("HOLDFAST_SANDBOX");
	_cleanup_(hf_str_deinit) struct hf_str path = {0};
	char self[PATH_MAX];
	size_t folder = 0;

	if (asked && asked[0]) {
		if (!is_program(asked))
			return hf_err(HF_IO, "HOLDFAST_SANDBOX is no program that can be run: %s: %s", asked,
				      strerror(errno));
		*ret = hf_strdup(asked);
		return *ret ? NULL : hf_err_nomem();
	}
	if (find_ourselves(self))
		folder = (size_t)(strrchr(self, '/') - self) + 1;
	hf_str_addn(&path, self, folder);
	for (size_t i = 0; i < HF_LEN(places) && folder; i++) {
		hf_str_truncate(&path, folder);
		hf_str_add(&path, places[i]);
		HF_TRY(hf_str_check(&path));
		if (!is_program(path.s))
			continue;
		*ret = take_ptr(path.s);
		return NULL;
	}
	hf_str_truncate(&path, folder);
	return hf_err(HF_IO,
		      "the program of dry runs, " NAME
		      ", is not beside %s, nor in libexec/holdfast: set HOLDFAST_SANDBOX to where it is",
		      hf_str_get(&path));
}
