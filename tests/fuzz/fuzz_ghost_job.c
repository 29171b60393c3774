/* What the sandbox is asked, by a tool that it does not trust to count. */
#include "../../sandbox/job.c"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ghost_setup setup = {.protocol = GHOST_PROTOCOL, .scratch = 0x20001000};
	struct job job = {0};
	size_t len;

	if (size < sizeof(job.head))
		return 0;
	memcpy(&job.head, data, sizeof(job.head));
	len = job_lists(&job.head);
	if (!len)
		return 0;
	job.bytes = calloc(1, len);
	if (!job.bytes)
		return 0;
	memcpy(job.bytes, data + sizeof(job.head),
	       len < size - sizeof(job.head) ? len : size - sizeof(job.head));
	if (!job_parse(&job, &setup))
		for (uint32_t i = 0; i < job.head.maps_n; i++)
			if (job.maps[i].start >= job.maps[i].end)
				abort();
	free(job.bytes);
	return 0;
}
