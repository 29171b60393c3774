#include "text.h"

#include <stdio.h>

static void show_object(struct hf_text *t, const struct hf_why_object *o)
{
	hf_text_styled(t, HF_STYLE_BOLD, "0x%" PRIx64 "  %s", o->addr, o->type);
	hf_text_add(t, "  %s  ", hf_show_size(o->size).s);
	hf_text_styled(t, strcmp(o->state, "live") == 0 ? HF_STYLE_GOOD : HF_STYLE_BAD, "%s", o->state);
	hf_text_end(t);
	if (o->count > 1)
		hf_text_line(t, "one of %s objects, %s together, that are held in this way",
			     hf_show_count(o->count).s, hf_show_size(o->bytes).s);
	hf_text_allocated(t, 0, o->allocated, o->allocated_n);
	if (!o->n)
		hf_text_line(t, "nothing holds it: no chain of pointers leads to it from any root");
	for (size_t i = 0; i < o->n; i++) {
		char number[24];
		int len = snprintf(number, sizeof(number), "%zu. ", i + 1);

		hf_text_end(t);
		hf_text_add(t, "%s", number);
		hf_text_chain_expression(t, (size_t)len, &o->chains[i]);
		hf_text_chain_steps(t, (size_t)len, &o->chains[i]);
	}
}

void hf_text_why(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_why *why = result;

	hf_text_header(t, head, NULL);
	for (size_t i = 0; i < why->n; i++) {
		if (i)
			hf_text_end(t);
		show_object(t, &why->objects[i]);
	}
	if (why->left_out) {
		hf_text_end(t);
		hf_text_left_out(t, 0, why->left_out, "groups held in other ways",
				 " (a larger --max shows them)");
	}
}
