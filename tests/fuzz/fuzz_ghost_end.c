/* What a sandbox that is not to be trusted says at the end of a run. */
#include "../../src/patch/ghost_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_ghost_run run = {0};
	size_t len, have;
	uint8_t last;

	if (size < sizeof(run.end))
		return 0;
	memcpy(&run.end, data, sizeof(run.end));
	have = size - sizeof(run.end);
	if (hf_err_ignore(hf_ghost_end_check(&run.end, &len)))
		return 0;
	/* The tool reads as many bytes as the counts ask for. */
	hf_err_ignore(hf_ghost_end_parse(data + sizeof(run.end), hf_min(have, len), &run));
	hf_vec_each(&run.contents, c)
		if (c->len)
			hf_ghost_run_read(&run, c->addr + c->len - 1, &last, 1);
	hf_ghost_run_deinit(&run);
	return 0;
}
