#include "text.h"

void hf_text_snap(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_snap *snap = result;
	struct hf_str path = {0};
	struct hf_line line = {0};

	hf_text_header(t, head, NULL);
	hf_text_item(t, &line, HF_STYLE_BOLD, "%s", snap->path);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s in %s segments", hf_show_size(snap->file_bytes).s,
		     hf_show_count(snap->segments).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s resident", hf_show_size(snap->resident_bytes).s);
	hf_text_item(t, &line, HF_STYLE_NONE, "%s left out that was never touched",
		     hf_show_size(snap->skipped_bytes).s);
	hf_text_end(t);
	hf_str_add_shell(&path, snap->path);
	hf_text_styled(t, HF_STYLE_DIM, "ask it: holdfast -c %s", hf_str_get(&path));
	hf_text_end(t);
	t->out.failed |= path.failed;
	hf_str_deinit(&path);
}
