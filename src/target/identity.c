#define _GNU_SOURCE
#include "identity.h"
#include "core.h"
#include "live.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD 65536 /* of an executable: its notes stand there */

/* Source: Linux include/linux/proc_ns.h, PROC_PID_INIT_INO */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

static struct hf_err *ended(const struct hf_target *t)
{
	return hf_err(HF_TARGET, "%s has ended", t->label);
}

static void to_hex(const struct hf_build_id *id, char ret[HF_BUILD_ID_HEX])
{
	ret[0] = 0;
	for (size_t i = 0; i < hf_min(id->n, (size_t)HF_BUILD_ID_MAX); i++)
		snprintf(ret + 2 * i, 3, "%02x", id->bytes[i]);
}

static struct hf_err *read_build_id(const struct hf_target *t, char ret[HF_BUILD_ID_HEX])
{
	const struct hf_live *live = t->arg;
	_close_ int fd = openat(live->task_fd, "exe", O_RDONLY | O_CLOEXEC);
	_free_ uint8_t *head = hf_malloc(HEAD);
	struct hf_build_ids ids = {0};
	ssize_t n;

	if (fd < 0)
		return hf_err(HF_TARGET, "the executable of %s cannot be opened: %s", t->label,
			      strerror(errno));
	if (!head)
		return hf_err_nomem();
	do {
		n = pread(fd, head, HEAD, 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		hf_build_ids_read(head, (size_t)n, &ids);
	to_hex(ids.gnu.n ? &ids.gnu : &ids.go, ret);
	return NULL;
}

/* Ids of a line "Uid:\treal\teffective\tsaved\tfs": whether all are one. */
static bool read_ids(const char *status, const char *key, uint64_t *ret_effective)
{
	const char *line = strstr(status, key);
	unsigned long id[4];

	if (!line || sscanf(line + strlen(key), "%lu %lu %lu %lu", &id[0], &id[1], &id[2], &id[3]) != 4)
		return false;
	*ret_effective = id[1];
	return id[0] == id[1] && id[1] == id[2] && id[2] == id[3];
}

/* What runs with more rights than who started it, or says that it is not to be looked at: the kernel then gives its
 * files to root. */
static bool is_privileged(const struct hf_target *t, const char *status, struct hf_identity *ret)
{
	const struct hf_live *live = t->arg;
	uint64_t group = 0, secure = 0;
	bool ids = read_ids(status, "\nUid:", &ret->uid);
	struct stat st;

	ids &= read_ids(status, "\nGid:", &group);
	if (!ids || fstatat(live->proc_fd, "maps", &st, 0) || st.st_uid != ret->uid)
		return true;
	return hf_target_auxv(t, AT_SECURE, &secure) && secure;
}

static bool is_init(const struct hf_live *live)
{
	char link[64] = "";

	/* Unreadable: it may be. */
	return live->pid == 1 && (readlinkat(live->proc_fd, "ns/pid", link, sizeof(link) - 1) < 0 ||
				  !strcmp(link, FIRST_PID_NAMESPACE));
}

static void read_boot(char ret[HF_BOOT_ID])
{
	_cleanup_(hf_str_deinit) struct hf_str text = {0};

	ret[0] = 0;
	if (!hf_proc_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text))
		snprintf(ret, HF_BOOT_ID, "%.36s", hf_str_get(&text));
}

struct hf_err *hf_target_identity(struct hf_target *t, struct hf_identity *ret)
{
	_cleanup_(hf_str_deinit) struct hf_str status = {0};
	const struct hf_live *live = t->arg;
	struct hf_identity id = {.pid = t->pid};

	if (strcmp(t->ops->kind, "live") != 0)
		return hf_err(HF_UNSUPPORTED, "%s is no process of this machine", t->label);
	if (hf_proc_read(live->proc_fd, "status", &status))
		return ended(t);
	id.start_time = live->start;
	id.privileged = is_privileged(t, hf_str_get(&status), &id);
	id.init = is_init(live);
	read_boot(id.boot);
	HF_TRY(read_build_id(t, id.build_id));
	HF_TRY(hf_target_check_same(t));
	*ret = id;
	return NULL;
}

struct hf_err *hf_target_check_same(struct hf_target *t)
{
	HF_TRY(hf_live_check_same(t->arg));
	return hf_live_check_memory(t);
}
