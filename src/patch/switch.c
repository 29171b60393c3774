/* What may be set, and what "auto" means. */
#include "switch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define RATE_IDLE   512   /* where there is processor time to spare */
#define RATE_BUSY   4096  /* for a while */
#define RATE_LOADED 32768 /* for a while, and in need alone */
#define SHARE_BUSY  0.30
#define SHARE_FULL  0.70
#define EXPIRES_S   300.0

/* Pauses have risen where the mean of the last few is twice that of those before, and is felt at all. */
#define RECENT       8u
#define BEFORE_MIN   8u
#define PAUSE_FELT_S 1e-3

int64_t hf_knob_value(const struct hf_knob *k, uint64_t word)
{
	return k->narrow ? (int32_t)(uint32_t)word : (int64_t)word;
}

uint64_t hf_knob_word(const struct hf_knob *k, uint64_t word, int64_t value)
{
	return k->narrow ? (word & 0xffffffff00000000ull) | (uint32_t)value : (uint64_t)value;
}

/* ---- values as text ------------------------------------------------------------------------------------------------ */

void hf_switch_print(const struct hf_knob *k, int64_t value, struct hf_str *ret)
{
	if (value == k->off || (k->narrow && value < 0))
		hf_str_add(ret, "off");
	else
		hf_str_addf(ret, "%" PRId64, value);
}

/* The shift of "K", "KiB", "m"...; negative: it is no unit. */
static int unit_shift(const char *unit)
{
	static const char letters[] = "kmgt";
	const char *letter = *unit ? strchr(letters, tolower((unsigned char)*unit)) : NULL;

	if (!*unit || !strcasecmp(unit, "b"))
		return 0;
	if (!letter || (unit[1] && strcasecmp(unit + 1, "b") && strcasecmp(unit + 1, "ib")))
		return -1;
	return 10 * (int)(letter - letters + 1);
}

/* False: it is no number of this knob's unit, or beyond 63 bits. */
static bool parse_number(const struct hf_knob *k, const char *text, int64_t *ret)
{
	unsigned long long n;
	char *end;
	int shift;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	shift = strcmp(k->unit, "bytes") ? (*end ? -1 : 0) : unit_shift(end);
	if (errno || shift < 0 || n > (unsigned long long)INT64_MAX >> shift)
		return false;
	*ret = (int64_t)(n << shift);
	return true;
}

static struct hf_err *parse_off(const struct hf_knob *k, int64_t *ret)
{
	if (*k->no_off)
		return hf_err(HF_REFUSED, "%s is not switched off: %s", k->name, k->no_off);
	*ret = k->off;
	return NULL;
}

struct hf_err *hf_switch_parse(const struct hf_knob *k, const char *text, int64_t *ret)
{
	bool bytes = !strcmp(k->unit, "bytes");
	int64_t value;

	if (*k->why_not)
		return hf_err(HF_REFUSED, "%s cannot be set here: %s", k->name, k->why_not);
	if (!strcmp(text, "off"))
		return parse_off(k, ret);
	if (!parse_number(k, text, &value))
		return hf_err(HF_USAGE, "%s takes a number%s%s, or off, not '%s'", k->name,
			      bytes ? " of bytes (512, 64K, 1GiB)" : "", k->samples ? ", auto" : "", text);
	if (value == k->off)
		return parse_off(k, ret);
	if (value < k->min && *k->why_min)
		return hf_err(HF_REFUSED, "%s is not set to %" PRId64 ": %s", k->name, value, k->why_min);
	if (value < k->min || value > k->max)
		return hf_err(HF_USAGE, "%s takes %" PRId64 " to %" PRId64 ", or off, not '%s'", k->name,
			      k->min, k->max, text);
	*ret = value;
	return NULL;
}

/* ---- auto ---------------------------------------------------------------------------------------------------------- */

static double mean(const double *values, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return n ? sum / (double)n : 0;
}

void hf_load_pauses(const struct hf_pulse *pulse, struct hf_load *ret)
{
	ret->pause_before_s = ret->pause_recent_s = 0;
	if (pulse->n < RECENT + BEFORE_MIN)
		return;
	ret->pause_recent_s = mean(pulse->paused_s, RECENT);
	ret->pause_before_s = mean(pulse->paused_s + RECENT, pulse->n - RECENT);
}

void hf_switch_choose(const struct hf_load *load, struct hf_auto *ret)
{
	double percent = load->cpu_share * 100;
	bool rise = load->pause_recent_s >= PAUSE_FELT_S && load->pause_recent_s >= 2 * load->pause_before_s;

	*ret = (struct hf_auto){.rate = RATE_LOADED, .expires_s = EXPIRES_S};
	if (rise) {
		snprintf(ret->why, sizeof(ret->why),
			 "the collector's pauses have risen from %.2f to %.2f ms: a coarse profile, for 5 "
			 "minutes",
			 load->pause_before_s * 1e3, load->pause_recent_s * 1e3);
	} else if (!(load->cpu_share >= 0)) {
		snprintf(ret->why, sizeof(ret->why),
			 "how busy the process is cannot be told: a coarse profile, for 5 minutes");
	} else if (load->cpu_share > SHARE_FULL) {
		snprintf(ret->why, sizeof(ret->why),
			 "it uses %.0f %% of its processors: a coarse profile, for 5 minutes", percent);
	} else if (load->cpu_share >= SHARE_BUSY) {
		ret->rate = RATE_BUSY;
		snprintf(ret->why, sizeof(ret->why), "it uses %.0f %% of its processors: for 5 minutes",
			 percent);
	} else {
		ret->rate = RATE_IDLE;
		ret->expires_s = 0;
		snprintf(ret->why, sizeof(ret->why),
			 "it uses %.0f %% of its processors: a fine profile, which may stay", percent);
	}
}
