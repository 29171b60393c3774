#include "json/json.h"
#include "text/text.h"

#define WIDTH_DEFAULT 100
#define WIDTH_MIN     80
#define WIDTH_MAX     400
#define WARNINGS_MAX  12

/* The one list of commands and their forms. */
static const struct {
	const char *name;
	hf_text_fn *text;
	hf_json_fn *json;
} commands[] = {
	{"overview", hf_text_overview, hf_json_overview},
	{"memstats", hf_text_memstats, hf_json_memstats},
	{"info", hf_text_info, hf_json_info},
	{"why", hf_text_why, hf_json_why},
	{"top", hf_text_top, hf_json_top},
	{"dominators", hf_text_dominators, hf_json_dominators},
	{"spans", hf_text_spans, hf_json_spans},
	{"slack", hf_text_slack, hf_json_slack},
	{"goroutines", hf_text_goroutines, hf_json_goroutines},
	{"pools", hf_text_pools, hf_json_pools},
	{"snap", hf_text_snap, hf_json_snap},
	{"export", hf_text_export, hf_json_export},
	{"page", hf_text_page, hf_json_page},
	{"patch plan", hf_text_patch_plan, hf_json_patch_plan},
	{"patch vet", hf_text_patch_vet, hf_json_patch_vet},
	{"patch dry-run", hf_text_patch_dry_run, hf_json_patch_dry_run},
	{"patch apply", hf_text_patch_states, hf_json_patch_states},
	{"patch status", hf_text_patch_states, hf_json_patch_states},
	{"patch revert", hf_text_patch_states, hf_json_patch_states},
	{"patch get", hf_text_patch_get, hf_json_patch_get},
	{"patch set", hf_text_patch_set, hf_json_patch_set},
	{"patch drain", hf_text_patch_drain, hf_json_patch_drain},
};

/* What every answer ends with: what it lacks, and what it cost the target. */
static void add_footer(struct hf_text *t, const struct hf_head *head)
{
	size_t shown = hf_min(head->warnings_n, (size_t)WARNINGS_MAX);

	if (head->warnings_n || !head->complete || head->stopped_s > 0)
		hf_text_end(t);
	if (!head->complete)
		hf_text_styled(t, HF_STYLE_BAD, "this answer is not complete");
	if (!head->complete)
		hf_text_end(t);
	for (size_t i = 0; i < shown; i++) {
		hf_text_styled(t, HF_STYLE_BAD, "warning:");
		hf_text_add(t, " ");
		hf_text_wrap(t, strlen("warning: "), head->warnings[i]);
	}
	hf_text_left_out(t, 0, head->warnings_n - shown, "warnings", " (--json has them)");
	if (head->stopped_s > 0) {
		hf_text_styled(t, HF_STYLE_DIM, "%s was stopped for %s", head->label,
			       hf_show_pause(head->stopped_s).s);
		hf_text_end(t);
	}
}

static struct hf_err *render_text(hf_text_fn *fn, const struct hf_head *head, const void *result,
				  const struct hf_report_options *options, struct hf_str *ret)
{
	struct hf_text t = {
		.color = options->color,
		.width =
			options->width ? hf_max(WIDTH_MIN, hf_min(options->width, WIDTH_MAX)) : WIDTH_DEFAULT,
	};
	const char *named = options->ask ? options->ask : "-p PID";
	struct hf_str ask = {0};

	if (*named) {
		hf_str_addc(&ask, ' ');
		hf_str_add(&ask, named);
	}
	t.ask = hf_str_get(&ask);
	fn(&t, head, result);
	add_footer(&t, head);
	*ret = t.out;
	ret->failed |= ask.failed;
	hf_str_deinit(&ask);
	return hf_str_check(ret);
}

struct hf_err *hf_report(const char *command, const struct hf_head *head, const void *result,
			 const struct hf_report_options *options, char **ret)
{
	const struct hf_report_options defaults = {.size = sizeof(defaults)};
	struct hf_str text = {0};
	struct hf_json j = {0};
	struct hf_err *err;
	size_t i = 0;

	while (i < HF_LEN(commands) && strcmp(commands[i].name, command) != 0)
		i++;
	if (i == HF_LEN(commands))
		return hf_err(HF_USAGE, "there is no report for the command '%s'", command);
	options = options ? options : &defaults;
	if (options->format == HF_REPORT_JSON)
		err = hf_json_answer(&j, command, head, commands[i].json(&j, result), &text);
	else
		err = render_text(commands[i].text, head, result, options, &text);
	if (err)
		hf_str_deinit(&text);
	else
		*ret = text.s;
	return err;
}

void hf_text_free(char *text)
{
	hf_free(text);
}
