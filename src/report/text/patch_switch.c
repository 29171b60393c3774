/* patch get, patch set, patch drain. */
#include "text.h"

static struct hf_shown show_value(const struct hf_switch *s, int64_t value)
{
	struct hf_shown ret;

	if (value == s->off || value < 0)
		snprintf(ret.s, sizeof(ret.s), "off");
	else if (!strcmp(s->unit, "percent"))
		snprintf(ret.s, sizeof(ret.s), "%" PRId64, value);
	else
		ret = hf_show_size((uint64_t)value);
	return ret;
}

static void add_ours(struct hf_text *t, const struct hf_switch *s)
{
	if (!*s->plan)
		return;
	hf_text_add(t, "  set by us at %s (%s), was %s", hf_show_time(s->set_at).s, s->plan,
		    show_value(s, s->before).s);
	if (s->expires_at > 0)
		hf_text_add(t, "; to be taken back at %s", hf_show_time(s->expires_at).s);
	hf_text_end(t);
}

static void add_wrapped(struct hf_text *t, const char *title, const char *words)
{
	hf_text_add(t, "  %s: ", title);
	hf_text_wrap(t, strlen(title) + 4, words);
}

static void add_sampling(struct hf_text *t, const struct hf_switch *s)
{
	/* Whatever has no off above its range is on where it is not off. */
	if (strcmp(s->alias, "memprofilerate") != 0 || !s->known)
		return;
	add_wrapped(t, "seen",
		    s->value == s->off
			    ? "nothing: the heap profile is off"
			    : "allocations made since it is on, no earlier ones; give it a minute or two "
			      "before you ask 'holdfast top --by site'");
}

void hf_text_patch_get(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_switches *r = result;

	(void)head;
	for (size_t i = 0; i < r->n; i++) {
		const struct hf_switch *s = &r->rows[i];

		if (i)
			hf_text_end(t);
		hf_text_styled(t, HF_STYLE_BOLD, "%s", s->name);
		hf_text_line(t, " = %s", s->known ? show_value(s, s->value).s : "unknown");
		hf_text_add(t, "  ");
		hf_text_wrap(t, 2, s->what);
		add_ours(t, s);
		add_sampling(t, s);
		if (*s->why_not)
			add_wrapped(t, "cannot be set", s->why_not);
		else
			add_wrapped(t, "a change is seen", s->effect);
	}
}

static void add_expiry(struct hf_text *t, const struct hf_switch_change *c)
{
	if (c->row->expires_at <= 0)
		return;
	hf_text_line(t, "It is taken back at %s.", hf_show_time(c->row->expires_at).s);
	if (c->keeper)
		hf_text_line(
			t,
			"Process %d of ours waits to do so; should it be ended before: holdfast patch revert "
			"--expired",
			c->keeper);
	else if (*c->keeper_says)
		hf_text_line(
			t,
			"Nothing of ours waits to do so (%s): have cron run holdfast patch revert --expired",
			c->keeper_says);
}

void hf_text_patch_set(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_switch_change *c = result;
	const struct hf_switch *s = c->row;

	(void)head;
	hf_text_styled(t, HF_STYLE_BOLD, "%s", s->name);
	if (!strcmp(c->state, "unchanged") || !strcmp(c->state, "extended"))
		hf_text_line(t, " is %s already: nothing was written to the process",
			     show_value(s, c->new_value).s);
	else
		hf_text_line(t, " = %s, was %s%s", show_value(s, c->new_value).s,
			     show_value(s, c->old_value).s,
			     strcmp(c->state, "reverted") ? "" : ": as it was before us");
	if (*c->chosen)
		add_wrapped(t, "chosen", c->chosen);
	add_wrapped(t, "seen", s->effect);
	add_sampling(t, s);
	if (c->warning && *c->warning)
		hf_text_line(t, "  %s", c->warning);
	add_expiry(t, c);
	if (*s->plan) {
		hf_text_end(t);
		hf_text_line(t, "To take it back: holdfast patch revert%s %s", t->ask, s->plan);
	}
}

/* ---- drain --------------------------------------------------------------------------------------------------------- */

static void add_pools(struct hf_text *t, const struct hf_drain *r)
{
	static const struct hf_column columns[] = {
		{"pool", .flexible = true},  {"waiting", .right = true},    {"retained", .right = true},
		{"victims", .right = true},  {"retained", .right = true},   {"after", .right = true},
		{"retained", .right = true}, {"since patch", .right = true}};
	struct hf_table table = {.columns = columns, .columns_n = HF_LEN(columns)};

	for (size_t i = 0; i < r->n; i++) {
		const struct hf_drain_row *row = &r->rows[i];
		bool again = row->idle_after != HF_UNKNOWN;

		hf_table_add_name(&table, "", row->pool);
		hf_table_add(&table, "%s", hf_show_count(row->idle).s);
		hf_table_add(&table, "%s", hf_show_size(row->idle_bytes).s);
		hf_table_add(&table, "%s", hf_show_count(row->victims).s);
		hf_table_add(&table, "%s", hf_show_size(row->victim_bytes).s);
		hf_table_add(&table, "%s", again ? hf_show_count(row->idle_after).s : "");
		hf_table_add(&table, "%s", again ? hf_show_size(row->idle_bytes_after).s : "");
		if (row->since == HF_UNKNOWN)
			hf_table_add(&table, "%s", "");
		else
			hf_table_add(&table, "%s%s GCs", row->since_at_least ? ">= " : "",
				     hf_show_count(row->since).s);
	}
	hf_table_print(&table, t, 0);
}

void hf_text_patch_drain(struct hf_text *t, const struct hf_head *head, const void *result)
{
	const struct hf_drain *r = result;

	(void)head;
	if (r->n) {
		add_pools(t, r);
		hf_text_end(t);
	}
	if (r->collections != HF_UNKNOWN)
		hf_text_line(t, "%s collections so far%s%s", hf_show_count(r->collections).s,
			     r->ended_n ? ", the last ended at " : "",
			     r->ended_n ? hf_show_time(r->ended[0]).s : "");
	if (r->waited_s > 0)
		hf_text_line(t, "%s came by in the %s that we waited", hf_show_count(r->waited_for).s,
			     hf_show_duration(r->waited_s).s);
	else if (r->forced_every_s)
		hf_text_line(t, "The runtime collects at least every %s.",
			     hf_show_duration((double)r->forced_every_s).s);
	hf_text_wrap(t, 0, r->says);
}
