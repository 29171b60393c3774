#include "runtime.h"

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
