/* Memory that the runtime never gives back: specials, records of profiles and the like lie in chunks of 256 KiB, each of
 * which begins with the address of the one before. Copied whole, it can be walked after the stop.
 * Source: Go 1.20-1.27 runtime/malloc.go, persistentalloc1, persistentChunks; mfixalloc.go. */
#include "go.h"

#define CHUNK      (256u << 10)
#define CHUNKS_MAX 65536u

/* Adds the chunks from `at` on, up to the one that is known. False: the list is damaged. */
static struct hf_err *walk_chunks(struct go *go, uint64_t at, uint64_t known, bool *ret_whole)
{
	struct go_steps steps = {0};
	uint64_t next;

	*ret_whole = false;
	for (; at && at != known; at = next) {
		if (!go_step(&steps, at, CHUNKS_MAX) || hf_err_ignore(hf_target_read_u64(go->t, at, &next)))
			return NULL;
		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_vec_push(&go->chunks, ((struct hf_range){at, at + CHUNK})));
	}
	*ret_whole = true;
	return NULL;
}

static bool read_head(struct go *go, uint64_t *ret)
{
	uint64_t var = go->layout.var[GO_VAR_PERSISTENTCHUNKS];

	return var && !hf_err_ignore(hf_target_read_u64(go->t, var, ret)) && *ret;
}

struct hf_err *go_persist_prepare(struct go *go)
{
	uint64_t head;
	bool whole = false;

	hf_vec_deinit(&go->chunks);
	go->chunks_known = 0;
	if (!read_head(go, &head))
		return NULL;
	HF_TRY(walk_chunks(go, head, 0, &whole));
	if (whole)
		go->chunks_known = head;
	else
		hf_vec_deinit(&go->chunks);
	return NULL;
}

struct hf_err *go_persist_capture(struct go *go)
{
	uint64_t head;
	bool whole = false;

	if (read_head(go, &head))
		HF_TRY(walk_chunks(go, head, go->chunks_known, &whole));
	if (whole)
		HF_TRY(hf_target_capture(go->t, go->chunks.at, go->chunks.n));
	go->persistent = whole;
	hf_vec_deinit(&go->chunks);
	return NULL;
}
