/* snap: keep the target's memory for later. */
#include "../target/snap.h"

#include "session.h"

struct hf_err *hf_snap(struct hf_session *s, const char *path, const struct hf_snap **ret)
{
	struct hf_snap *result = NULL;
	struct hf_snap_stats stats;

	HF_TRY(hf_snap_write(s->t, path, &stats));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	*result = (struct hf_snap){
		.path = hf_result_str(result, path),
		.file_bytes = stats.file_bytes,
		.resident_bytes = stats.resident_bytes,
		.skipped_bytes = stats.skipped_bytes,
		.segments = stats.segments,
	};
	*ret = result;
	return NULL;
}
