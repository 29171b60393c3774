#include "cli.h"

#include "../base/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUIET_S 0.5 /* a question that is answered sooner shows nothing */

static struct {
	char stage[32];
	double asked_at, stage_at;
	bool shown;
} state;

static void put(const char *line)
{
	/* Lost where the terminal is gone: progress is no part of the answer. */
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

static void show(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	double now = hf_now(), spent;
	char line[160], left[24] = "", rate[32] = "";

	(void)arg;
	if (strncmp(state.stage, stage, sizeof(state.stage) - 1) != 0) {
		snprintf(state.stage, sizeof(state.stage), "%s", stage);
		state.stage_at = now;
	}
	if (now - state.asked_at < QUIET_S)
		return;
	spent = now - state.stage_at;
	if (spent > 0.2 && done)
		hf_format_count((uint64_t)((double)done / spent), rate, sizeof(rate));
	if (*rate && total > done)
		hf_format_duration((double)(total - done) * spent / (double)done + 1, left, sizeof(left));
	snprintf(line, sizeof(line), "\r\033[K%s %u%%%s%s%s%s%s", state.stage,
		 total ? (unsigned)(100.0 * (double)hf_min(done, total) / (double)total) : 0,
		 *rate ? "  " : "", rate, *rate ? "/s" : "", *left ? "  left: " : "", left);
	put(line);
	state.shown = true;
}

void hf_cli_progress_start(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDERR_FILENO) || !term || !*term || strcmp(term, "dumb") == 0)
		return;
	state.asked_at = hf_now();
	hf_progress_set(show, NULL);
}

void hf_cli_progress_clear(void)
{
	hf_progress_set(NULL, NULL);
	if (state.shown)
		put("\r\033[K");
	state.shown = false;
}
