#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int hf_proc_read(int dir_fd, const char *name, struct hf_str *ret)
{
	_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char buf[16384];
	ssize_t n;

	hf_str_truncate(ret, 0);
	if (fd < 0)
		return errno;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		hf_str_addn(ret, buf, (size_t)n);
	}
	return ret->failed ? ENOMEM : 0;
}

static const char *find_line(const char *status, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ':')
			return line + len + 1;
	}
	return NULL;
}

bool hf_proc_first_number(const char *status, const char *key, uint64_t *ret)
{
	const char *at = find_line(status, key);
	char *end;

	if (!at)
		return false;
	at += strspn(at, " \t");
	*ret = strtoull(at, &end, 10);
	return end > at;
}

bool hf_proc_last_number(const char *status, const char *key, uint64_t *ret)
{
	const char *at = find_line(status, key), *end, *digits;

	if (!at)
		return false;
	end = at + strcspn(at, "\n");
	for (digits = end; digits > at && digits[-1] >= '0' && digits[-1] <= '9'; digits--)
		;
	if (digits == end)
		return false;
	*ret = strtoull(digits, NULL, 10);
	return true;
}

int hf_proc_stat(int dir_fd, const char *name, struct hf_proc_stat *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};
	int failed = hf_proc_read(dir_fd, name, &text);
	const char *close;

	if (failed)
		return failed;
	close = strrchr(hf_str_get(&text), ')'); /* the name before it may hold anything */
	/* Fields 3, 4, 9 and 22. Source: proc(5) */
	if (!close || sscanf(close + 1,
			     " %c %d %*d %*d %*d %*d %" SCNu64
			     " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
			     &ret->state, &ret->parent, &ret->flags, &ret->start) != 4)
		return EINVAL;
	return 0;
}

const char *hf_proc_comm(int dir_fd, const char *name, char *buf, size_t len)
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};

	if (hf_proc_read(dir_fd, name, &text) || text.n < 2)
		hf_str_add(&text, "?\n");
	snprintf(buf, len, "%.*s", (int)text.n - 1, hf_str_get(&text));
	for (char *p = buf; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return buf;
}
