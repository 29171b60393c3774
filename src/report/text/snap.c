#include "text.h"

void hf_text_snap(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_snap *snap = result;
	struct hf_str path = {0};

	hf_text_header(t, head, NULL);
	hf_text_line(t, "wrote %s: %s in %s segments; %s resident, %s that the target never touched left out",
		     snap->path, hf_show_size(snap->file_bytes).s, hf_show_count(snap->segments).s,
		     hf_show_size(snap->resident_bytes).s, hf_show_size(snap->skipped_bytes).s);
	hf_str_add_shell(&path, snap->path);
	hf_text_styled(t, HF_STYLE_DIM, "ask it: holdfast -c %s", hf_str_get(&path));
	hf_text_end(t);
	t->out.failed |= path.failed;
	hf_str_deinit(&path);
}
