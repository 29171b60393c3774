#include "runtime.h"

#include <math.h>

/* The one list of runtimes: a new one is a folder and a line here (and in meson.build). */
extern const struct hf_runtime_ops *const hf_go_runtime;

size_t hf_runtimes(const struct hf_runtime_ops *const **ret)
{
	static const struct hf_runtime_ops *list[1];

	list[0] = hf_go_runtime;
	*ret = list;
	return HF_LEN(list);
}

const char *hf_root_kind_name(enum hf_root_kind kind)
{
	static const char *const names[] = {
#define HF_ROOT_NAME(name, text) [HF_ROOT_##name] = text,
		HF_ROOT_KINDS(HF_ROOT_NAME)
#undef HF_ROOT_NAME
	};

	return kind < HF_LEN(names) ? names[kind] : "?";
}

void hf_alloc_scale(uint64_t rate, int64_t count, int64_t bytes, uint64_t *ret_count, uint64_t *ret_bytes)
{
	double scale = 1;

	*ret_count = *ret_bytes = 0;
	if (count <= 0 || bytes <= 0)
		return;
	if (rate > 1 && rate < HF_NOLIMIT)
		scale = -1 / expm1(-((double)bytes / (double)count) / (double)rate);
	*ret_count = (uint64_t)((double)count * scale);
	*ret_bytes = (uint64_t)((double)bytes * scale);
}
