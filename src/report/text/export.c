#include "text.h"

static void show_total(struct hf_text *t, const struct hf_profile *p, size_t i)
{
	uint64_t total = (uint64_t)hf_max(p->totals[i], (int64_t)0);

	hf_text_line(t, "  %-17s %s", p->values[i].type,
		     !strcmp(p->values[i].unit, "bytes") ? hf_show_size(total).s : hf_show_count(total).s);
}

static void show_how(struct hf_text *t, const char *path)
{
	struct hf_str word = {0};

	hf_str_add_shell(&word, path);
	hf_text_styled(t, HF_STYLE_DIM, "look at it: go tool pprof -top -cum %s", hf_str_get(&word));
	hf_text_end(t);
	t->out.failed |= word.failed;
	hf_str_deinit(&word);
}

void hf_text_export(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_profile *p = result;
	struct hf_line line = {0};

	hf_text_header(t, head, NULL);
	if (p->path)
		hf_text_item(t, &line, HF_STYLE_BOLD, "%s", p->path);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s profile%s%s", p->name, p->format ? " for " : "",
		     p->format ? p->format : "");
	if (p->path)
		hf_text_item(t, &line, HF_STYLE_NONE, "%s", hf_show_size(p->file_bytes).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s samples of %s locations", hf_show_count(p->samples_n).s,
		     hf_show_count(p->locations_n).s);
	hf_text_end(t);
	for (size_t i = 0; i < p->values_n; i++)
		show_total(t, p, i);
	if (*p->note)
		hf_text_wrap(t, 0, p->note);
	if (p->left_out)
		hf_text_line(t, "%s smaller stacks are one sample, (others) (--max N keeps N)",
			     hf_show_count(p->left_out).s);
	if (p->path)
		show_how(t, p->path);
}
