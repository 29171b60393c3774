#include "sandbox.h"

#include <errno.h>
#include <unistd.h>

/* Without the tool there is nobody to run for, and the kernel ends the ghost with us. */
void wire_read(void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = read(sandbox.sock, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		to += n;
		len -= (size_t)n;
	}
}

void wire_write(const void *buf, size_t len)
{
	const uint8_t *from = buf;

	while (len) {
		ssize_t n = write(sandbox.sock, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		from += n;
		len -= (size_t)n;
	}
}
