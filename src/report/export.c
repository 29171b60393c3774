/* Profiles as files: the one list of their formats. */
#include "../base/base.h"
#include "pprof/pprof.h"

static const struct {
	const char *name;
	struct hf_err *(*encode)(const struct hf_profile *profile, uint8_t **ret, size_t *ret_n);
} formats[] = {
	[HF_EXPORT_PPROF] = {"pprof", hf_pprof_encode},
};

const char *hf_export_format_name(enum hf_export_format format)
{
	return (size_t)format < HF_LEN(formats) ? formats[format].name : NULL;
}

struct hf_err *hf_profile_encode(const struct hf_profile *profile, enum hf_export_format format, char **ret,
				 size_t *ret_n)
{
	uint8_t *bytes;

	if ((size_t)format >= HF_LEN(formats))
		return hf_err(HF_USAGE, "there is no format %d of profiles", (int)format);
	HF_TRY(formats[format].encode(profile, &bytes, ret_n));
	*ret = (char *)bytes;
	return NULL;
}
