#include "callee.h"

#include <stdarg.h>

/* The one list of callees: a new one is a line here. */
extern const struct hf_callee_ops *const hf_go_callee;
extern const struct hf_callee_ops *const hf_c_callee;

const struct hf_callee_ops *const *hf_callees(size_t *ret_n)
{
	static const struct hf_callee_ops *list[2];

	list[0] = hf_go_callee;
	list[1] = hf_c_callee;
	*ret_n = HF_LEN(list);
	return list;
}

const char *hf_refusal_name(enum hf_refusal refusal)
{
	static const char *const names[] = {
#define HF_REFUSAL_NAME(name, text) text,
		HF_REFUSALS(HF_REFUSAL_NAME)
#undef HF_REFUSAL_NAME
	};

	return names[refusal];
}

struct hf_err *hf_ghost_job_write(struct hf_ghost_job *job, uint64_t addr, const void *bytes, size_t len)
{
	struct ghost_write w = {.addr = addr, .len = (uint32_t)len};

	if (len > sizeof(w.bytes) || job->writes.n == GHOST_WRITES_MAX)
		return hf_err(HF_UNSUPPORTED, "a dry run's set-up is too large");
	memcpy(w.bytes, bytes, len);
	return hf_vec_push(&job->writes, w);
}

struct hf_err *hf_ghost_job_write_u64(struct hf_ghost_job *job, uint64_t addr, uint64_t value)
{
	return hf_ghost_job_write(job, addr, &value, sizeof(value));
}

void hf_ghost_job_deinit(struct hf_ghost_job *job)
{
	hf_vec_deinit(&job->hooks);
	hf_vec_deinit(&job->writes);
	hf_vec_deinit(&job->ranges);
}

void hf_ghost_run_deinit(struct hf_ghost_run *run)
{
	hf_vec_deinit(&run->events);
	hf_vec_deinit(&run->allocations);
	hf_vec_deinit(&run->changes);
	hf_vec_deinit(&run->contents);
	hf_vec_deinit(&run->bytes);
}

bool hf_ghost_run_read(const struct hf_ghost_run *run, uint64_t addr, void *buf, size_t len)
{
	hf_vec_each(&run->contents, c) {
		uint64_t off = addr - c->addr; /* wraps if below: caught next */

		if (off >= c->len || len > c->len - off)
			continue;
		memcpy(buf, run->bytes.at + c->offset + off, len);
		return true;
	}
	return false;
}

bool hf_ghost_run_stored(const struct hf_ghost_run *run, const struct hf_ghost_contents *contents,
			 size_t offset)
{
	size_t word = offset / 8;

	return offset < contents->len && contents->stored + word / 8 < run->bytes.n &&
	       run->bytes.at[contents->stored + word / 8] >> word % 8 & 1;
}

static struct hf_err *keep(struct hf_findings *f, const char *s, const char **ret)
{
	*ret = s ? hf_arena_strndup(&f->names, s, strlen(s)) : "";
	return *ret ? NULL : hf_err_nomem();
}

struct hf_err *hf_findings_add(struct hf_findings *f, const struct hf_finding *finding, const char *what, ...)
{
	struct hf_finding kept = *finding;
	char line[1024];
	va_list args;

	va_start(args, what);
	vsnprintf(line, sizeof(line), what, args);
	va_end(args);
	HF_TRY(keep(f, line, &kept.what));
	HF_TRY(keep(f, finding->kind, &kept.kind));
	HF_TRY(keep(f, finding->function, &kept.function));
	HF_TRY(keep(f, finding->file, &kept.file));
	return hf_vec_push(&f->list, kept);
}

void hf_findings_deinit(struct hf_findings *f)
{
	hf_vec_deinit(&f->list);
	hf_arena_deinit(&f->names);
}

void hf_judgement_deinit(struct hf_judgement *j)
{
	hf_vec_deinit(&j->made);
}
