#include "state.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct hf_err *hf_state_path(const char *name, struct hf_str *ret)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const struct passwd *user;

	/* As the standard has it, a folder that is not absolute counts for nothing. */
	if (state && state[0] == '/') {
		hf_str_addf(ret, "%s/holdfast/%s", state, name);
		return hf_str_check(ret);
	}
	if (!home || home[0] != '/') {
		user = getpwuid(geteuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home || home[0] != '/')
		return hf_err(HF_IO, "there is no home directory to keep %s in: set XDG_STATE_HOME", name);
	hf_str_addf(ret, "%s/.local/state/holdfast/%s", home, name);
	return hf_str_check(ret);
}

struct hf_err *hf_state_make_folders(const char *path)
{
	_free_ char *copy = hf_strdup(path);

	if (!copy)
		return hf_err_nomem();
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0700) && errno != EEXIST)
			return hf_err(HF_IO, "%s: the folder cannot be made: %s", copy, strerror(errno));
		*slash = '/';
	}
	return NULL;
}
