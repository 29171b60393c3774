#include "text.h"

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void show_block(struct hf_text *t, const struct hf_info_object *o)
{
	if (!o->size)
		return;
	hf_text_add(t, "  0x%" PRIx64 ", %s", o->start, hf_show_size(o->size).s);
	if (o->addr > o->start)
		hf_text_add(t, "; the address is %s into it", hf_show_size(o->addr - o->start).s);
	hf_text_end(t);
}

static void show_object(struct hf_text *t, const struct hf_info_object *o)
{
	bool heap = strcmp(o->where, "heap") == 0;

	hf_text_styled(t, HF_STYLE_BOLD, "%s", o->query);
	hf_text_add(t, "  %s", o->where);
	if (strcmp(o->state, "unknown") != 0) {
		hf_text_add(t, ", ");
		hf_text_styled(t, strcmp(o->state, "live") == 0 ? HF_STYLE_GOOD : HF_STYLE_BAD, "%s",
			       o->state);
	}
	if (*o->type)
		hf_text_add(t, "  %s", o->type);
	if (*o->path)
		hf_text_add(t, "  at %s", o->path);
	hf_text_end(t);
	if (*o->text) {
		hf_text_spaces(t, 2);
		hf_text_wrap(t, 2, o->text);
	}
	show_block(t, o);
	if (heap && strcmp(o->state, "free") != 0)
		hf_text_line(t, "  %s object%s and %s root%s point to it", hf_show_count(o->retainers).s,
			     plural(o->retainers), hf_show_count(o->roots).s, plural(o->roots));
	if (*o->value)
		hf_text_line(t, "  value %s", o->value);
	hf_text_allocated(t, 2, o->allocated, o->allocated_n);
	hf_text_frames(t, 2, o->frames, o->frames_n, SIZE_MAX);
}

void hf_text_info(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_info *info = result;
	struct hf_str word = {0};

	hf_text_header(t, head, NULL);
	for (size_t i = 0; i < info->n; i++) {
		if (i)
			hf_text_end(t);
		show_object(t, &info->objects[i]);
	}
	for (size_t i = 0; i < info->n && !word.n; i++)
		if (strcmp(info->objects[i].state, "live") == 0)
			hf_str_add_shell(&word, info->objects[i].query);
	if (word.n) {
		hf_text_end(t);
		hf_text_styled(t, HF_STYLE_DIM, "what holds it: holdfast why%s %s", t->ask, word.s);
		hf_text_end(t);
	}
	t->out.failed |= word.failed;
	hf_str_deinit(&word);
}
