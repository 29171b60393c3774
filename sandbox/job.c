#include "sandbox.h"

#include <errno.h>

size_t job_lists(const struct ghost_job *head)
{
	if (head->protocol != GHOST_PROTOCOL || head->maps_n > GHOST_MAPS_MAX ||
	    head->hooks_n > GHOST_HOOKS_MAX || head->writes_n > GHOST_WRITES_MAX ||
	    head->ranges_n > GHOST_RANGES_MAX || head->object_size > GHOST_OBJECT_MAX || !head->maps_n) {
		errno = EINVAL;
		return 0;
	}
	return head->maps_n * sizeof(struct ghost_map) + head->hooks_n * sizeof(struct ghost_hook) +
	       head->writes_n * sizeof(struct ghost_write) + head->ranges_n * sizeof(struct ghost_range);
}

static bool maps_are_sound(const struct job *job, const struct ghost_setup *setup)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < job->head.maps_n; i++) {
		const struct ghost_map *m = &job->maps[i];

		if (m->start % GHOST_PAGE || m->end % GHOST_PAGE || m->start >= m->end || m->start < end ||
		    (m->start < setup->scratch + GHOST_SCRATCH && m->end > setup->scratch))
			return false;
		end = m->end;
	}
	return true;
}

static bool reg_is_sound(uint8_t reg)
{
	return reg < GHOST_REGS || reg == GHOST_REG_NONE;
}

static bool hooks_are_sound(const struct job *job)
{
	for (uint32_t i = 0; i < job->head.hooks_n; i++) {
		const struct ghost_hook *h = &job->hooks[i];

		if (h->kind > GHOST_HOOK_NOTE || !reg_is_sound(h->size) || !reg_is_sound(h->count) ||
		    !reg_is_sound(h->old) || !reg_is_sound(h->info) || !reg_is_sound(h->out))
			return false;
	}
	return true;
}

static bool rest_is_sound(const struct job *job, const struct ghost_setup *setup)
{
	uint64_t rsp = job->head.regs[GHOST_RSP], stack = setup->scratch + GHOST_STACK_OFFSET;

	for (uint32_t i = 0; i < job->head.writes_n; i++)
		if (job->writes[i].len > GHOST_WRITE_BYTES)
			return false;
	for (uint32_t i = 0; i < job->head.ranges_n; i++)
		if (job->ranges[i].start > job->ranges[i].end)
			return false;
	return !rsp || (rsp - stack <= GHOST_STACK_SIZE - 8 && rsp % 8 == 0);
}

int job_parse(struct job *job, const struct ghost_setup *setup)
{
	const uint8_t *at = job->bytes;

	job->maps = (const void *)at;
	at += job->head.maps_n * sizeof(*job->maps);
	job->hooks = (const void *)at;
	at += job->head.hooks_n * sizeof(*job->hooks);
	job->writes = (const void *)at;
	at += job->head.writes_n * sizeof(*job->writes);
	job->ranges = (const void *)at;
	return maps_are_sound(job, setup) && hooks_are_sound(job) && rest_is_sound(job, setup) ? 0 : EINVAL;
}
