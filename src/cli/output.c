#include "cli.h"

#include "../base/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

void hf_cli_guard_descriptors(void)
{
	/* Read-only: a write to a standard output that was closed fails as it should. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd)
			_exit(4);
}

struct hf_err *hf_cli_write(const char *text, bool *ret_broken)
{
	size_t left = strlen(text);

	*ret_broken = false;
	while (left) {
		ssize_t n = write(STDOUT_FILENO, text, left);

		if (n < 0 && errno == EPIPE) {
			*ret_broken = true;
			return NULL;
		}
		if (n < 0 && errno != EINTR)
			return hf_err(HF_IO, "standard output cannot be written: %s", strerror(errno));
		if (n < 0) {
			HF_TRY(hf_interrupt_check());
			continue;
		}
		text += n;
		left -= (size_t)n;
	}
	return NULL;
}

bool hf_cli_color(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

unsigned hf_cli_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
