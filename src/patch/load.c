#define _GNU_SOURCE
#include "load.h"
#include "fault.h"
#include "object.h"
#include "write.h"

#include "../base/workers.h"
#include "../sym/sym.h"
#include "../target/identity.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TRIES        60 /* to find a thread at rest */
#define CALL_SECONDS 5.0
#define PIECE        65536u
#define CODE_MAX     (UINT64_C(512) << 20) /* looked through for a pattern */

static void nap(long us)
{
	struct timespec pause = {.tv_nsec = us * 1000};

	nanosleep(&pause, NULL);
}

/* ---- code of the target to borrow ------------------------------------------------------------------------------------ */

static struct hf_err *search_map(struct hf_target *t, const struct hf_map *map, const uint8_t *want, size_t n,
				 uint64_t *ret)
{
	uint8_t bytes[PIECE];

	for (uint64_t at = map->start; at < map->end;) {
		size_t len = (size_t)hf_min((uint64_t)sizeof(bytes), map->end - at);
		const uint8_t *found;

		HF_TRY(hf_interrupt_check());
		if (hf_err_ignore(hf_target_read_now(t, at, bytes, len)))
			return NULL;
		found = memmem(bytes, len, want, n);
		if (found) {
			*ret = at + (uint64_t)(found - bytes);
			return NULL;
		}
		at += len == sizeof(bytes) ? len - n : len; /* it may go over two pieces */
	}
	return NULL;
}

static struct hf_err *find_code(struct hf_target *t, const uint8_t *want, size_t n, uint64_t *ret)
{
	uint64_t left = CODE_MAX;

	*ret = 0;
	hf_vec_each(&t->maps, map) {
		if (!map->executable || !map->readable || map->end - map->start > left || map->path[0] == '[')
			continue;
		left -= map->end - map->start;
		HF_TRY(search_map(t, map, want, n, ret));
		if (*ret)
			return NULL;
	}
	return NULL;
}

/* `mov $15, %eax; syscall`, in one of its forms: what the runtime itself leaves a signal's handler by. */
static struct hf_err *find_restorer(struct hf_target *t, uint64_t *ret)
{
	static const uint8_t long_form[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const uint8_t short_form[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};

	HF_TRY(find_code(t, long_form, sizeof(long_form), ret));
	if (!*ret)
		HF_TRY(find_code(t, short_form, sizeof(short_form), ret));
	return *ret ? NULL
		    : hf_err(HF_UNSUPPORTED,
			     "%s has no code that leaves a signal's handler: nothing can be called in it",
			     t->label);
}

/* ---- a call, from its beginning to its end --------------------------------------------------------------------------- */

static struct hf_err *begin(struct hf_target *t, const struct hf_call *call, pid_t *ret_tid)
{
	struct hf_err *err = NULL;

	for (unsigned i = 0; i < TRIES; i++) {
		hf_err_destroy(err);
		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_target_stop(t));
		err = hf_target_check_same(t);
		if (!err)
			err = hf_patch_call(t, call, ret_tid);
		hf_target_resume(t);
		if (hf_err_code(err) != HF_STALE)
			return err;
		nap(5000);
	}
	return err;
}

/* Returns with the target stopped where the call is over; else it runs. */
static struct hf_err *finish(struct hf_target *t, pid_t tid)
{
	double until = hf_now() + CALL_SECONDS;

	for (long wait = 500;; wait = hf_min(wait * 2, 100000L)) {
		bool done = false;
		struct hf_err *err;

		nap(wait);
		HF_TRY(hf_target_stop(t));
		err = hf_patch_call_done(t, tid, &done);
		if (done)
			return NULL;
		hf_target_resume(t);
		HF_TRY(err);
		if (hf_now() > until)
			return hf_err(HF_STALE,
				      "what thread %d of %s was borrowed for is not over after %.0f s: it "
				      "goes on by itself, "
				      "and nothing refers to it",
				      tid, t->label, CALL_SECONDS);
		HF_TRY(hf_interrupt_check());
	}
}

static struct hf_err *check_callable(const struct hf_target *t)
{
	char path[64], line[256];
	struct hf_err *err = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", t->pid);
	f = fopen(path, "re");
	if (!f)
		return hf_err(HF_TARGET, "%s has ended", t->label);
	while (!err && fgets(line, sizeof(line), f)) {
		/* A filter may kill the process for a system call that it does not make itself. */
		if (!strncmp(line, "Seccomp:", 8) && strcmp(line + 8, "\t0\n") != 0)
			err = hf_err(HF_REFUSED, "%s has a seccomp filter: nothing is called in it",
				     t->label);
		if (!strncmp(line, "x86_Thread_features:", 20) && strstr(line, "shstk"))
			err = hf_err(HF_UNSUPPORTED, "%s has shadow stacks: nothing can be called in it",
				     t->label);
	}
	fclose(f);
	return err;
}

/* ---- a shared object -------------------------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct hf_err *check_needs(const struct hf_target *t, const struct hf_object *o, const char *file)
{
	hf_vec_each(&o->needs, name) {
		bool there = false;

		hf_vec_each(&t->maps, map)
			there |= !strcmp(base_name(map->path), *name);
		if (!there)
			return hf_err(HF_REFUSED, "%s: needs %s, which %s has not loaded", file, *name,
				      t->label);
	}
	return NULL;
}

/* Where the file is loaded: the address of its first byte; 0: nowhere. */
static uint64_t loaded_at(const struct hf_target *t, const struct hf_object *o, const char *file)
{
	hf_vec_each(&t->maps, map)
		if (!map->offset && !map->deleted && map->inode == o->inode &&
		    (map->dev == o->dev || !strcmp(map->path, file)))
			return map->start;
	return 0;
}

static struct hf_err *find_dlopen(struct hf_target *t, uint64_t *ret)
{
	struct hf_syms *syms = NULL;
	struct hf_symbol symbol;
	struct hf_err *err = hf_syms_open(t, NULL, &syms);

	if (!err && hf_syms_find_symbol(syms, "dlopen", &symbol) && symbol.is_function)
		*ret = symbol.addr;
	hf_syms_close(syms);
	HF_TRY(err);
	return *ret ? NULL
		    : hf_err(HF_REFUSED,
			     "%s has no dlopen (its C library keeps it apart): nothing can "
			     "be loaded",
			     t->label);
}

static struct hf_err *open_as_target(const struct hf_target *t, const char *file, int *ret)
{
	struct hf_str path = {0};

	hf_str_addf(&path, "/proc/%d/root%s", t->pid, file);
	*ret = path.failed ? -1 : open(hf_str_get(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	hf_str_deinit(&path);
	return *ret >= 0 ? NULL
			 : hf_err(HF_IO, "%s: cannot be read, as %s sees it: %s", file, t->label,
				  strerror(errno));
}

static struct hf_err *load(struct hf_target *t, const struct hf_object *o, const char *file,
			   uint64_t dlopen_addr, uint64_t *ret_base)
{
	struct hf_call call = {.code = dlopen_addr,
			       .args = {0, RTLD_NOW | RTLD_LOCAL},
			       .number = -1,
			       .data = file,
			       .len = strlen(file) + 1,
			       .at_rest = true};
	uint64_t loader;
	pid_t tid;

	HF_TRY(check_callable(t));
	/* A dlopen that is linked in would load a C library beside the one that is there. */
	if (!hf_target_auxv(t, AT_BASE, &loader) || !loader)
		return hf_err(HF_REFUSED, "%s is static: nothing can be loaded", t->label);
	HF_TRY(check_needs(t, o, file));
	if (!dlopen_addr)
		HF_TRY(find_dlopen(t, &call.code));
	HF_TRY(find_restorer(t, &call.restorer));
	HF_TRY(begin(t, &call, &tid));
	hf_fault_point("the call of dlopen begun");
	HF_TRY(finish(t, tid));
	*ret_base = loaded_at(t, o, file);
	hf_target_resume(t);
	hf_fault_point("the shared object loaded");
	return *ret_base ? NULL
			 : hf_err(HF_TARGET,
				  "%s: %s could not load it (a symbol that it lacks?): nothing has changed",
				  file, t->label);
}

static struct hf_err *read_object(struct hf_target *t, const char *file, const char *function,
				  struct hf_object *ret)
{
	_close_ int fd = -1;

	if (file[0] != '/')
		return hf_err(HF_USAGE, "%s: the shared object is to be named from / on", file);
	HF_TRY(open_as_target(t, file, &fd));
	return hf_object_read(fd, file, function, ret);
}

struct hf_err *hf_patch_find_loaded(struct hf_target *t, const char *file, const char *function,
				    uint64_t *ret)
{
	_cleanup_(hf_object_deinit) struct hf_object o = {0};
	uint64_t base;

	HF_TRY(read_object(t, file, function, &o));
	base = loaded_at(t, &o, file);
	*ret = base ? base - o.first + o.function : 0;
	return NULL;
}

struct hf_err *hf_patch_load(struct hf_target *t, const char *file, const char *function,
			     uint64_t dlopen_addr, uint64_t *ret)
{
	_cleanup_(hf_object_deinit) struct hf_object o = {0};
	uint64_t base;

	HF_TRY(read_object(t, file, function, &o));
	base = loaded_at(t, &o, file);
	if (!base)
		HF_TRY(load(t, &o, file, dlopen_addr, &base));
	*ret = base - o.first + o.function;
	return NULL;
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

/* A page that nothing is near: below the highest gap's end, away from what grows. */
uint64_t hf_patch_find_room(const struct hf_target *t)
{
	const uint64_t room = UINT64_C(16) << 20;

	for (size_t i = t->maps.n; i-- > 1;) {
		uint64_t below = t->maps.at[i - 1].end, above = t->maps.at[i].start;

		if (above < UINT64_C(1) << 47 && above > below && above - below > 2 * room &&
		    strcmp(t->maps.at[i].path, "[stack]") != 0)
			return hf_align_down(above - room, HF_ARCH_PAGE);
	}
	return 0;
}

/* Returns with the target stopped, and the page mapped. */
static struct hf_err *map_page(struct hf_target *t, uint64_t page, int protection)
{
	static const uint8_t gate[] = {0x0f, 0x05, 0xc3}; /* syscall; ret */
	struct hf_call call = {.args = {page, HF_ARCH_PAGE, (uint64_t)protection,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, UINT64_MAX, 0},
			       .number = SYS_mmap,
			       .main_only = true};
	pid_t tid;

	HF_TRY(check_callable(t));
	HF_TRY(find_code(t, gate, sizeof(gate), &call.code));
	if (!page || !call.code)
		return hf_err(HF_UNSUPPORTED,
			      "%s has no code that makes a system call, or no room: no page can be mapped",
			      t->label);
	HF_TRY(find_restorer(t, &call.restorer));
	HF_TRY(begin(t, &call, &tid));
	hf_fault_point("the call of mmap begun");
	return finish(t, tid);
}

struct hf_err *hf_patch_map_words(struct hf_target *t, const uint64_t *words, size_t n, uint64_t *ret)
{
	uint64_t page = hf_patch_find_room(t);
	struct hf_err *err;

	HF_TRY(map_page(t, page, PROT_READ | PROT_WRITE));
	err = hf_patch_fill_page(t, page, words, n);
	hf_target_resume(t);
	hf_fault_point("the page filled");
	HF_TRY(err);
	*ret = page;
	return NULL;
}

struct hf_err *hf_patch_map_code(struct hf_target *t, uint64_t page, const void *bytes)
{
	struct hf_err *err;

	HF_TRY(map_page(t, page, PROT_READ | PROT_EXEC));
	err = hf_patch_fill_code(t, page, bytes);
	hf_target_resume(t);
	hf_fault_point("the page of code filled");
	return err;
}
