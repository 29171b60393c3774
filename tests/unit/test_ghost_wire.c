/* Answers of a sandbox that is broken, or none of ours. */
#define _GNU_SOURCE
#include "ghost_make.h"

#include "../../src/patch/ghost_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(ghost_wire, .timeout = 120);

/* ---- the end, as bytes ---------------------------------------------------------------------------------- */

struct answer {
	struct ghost_end end;
	struct ghost_event events[2];
	struct ghost_allocation allocation;
	struct ghost_change changes[2];
	struct ghost_contents contents;
	uint8_t bytes[16], stored[8];
};

static struct answer sound_answer(void)
{
	struct answer a = {
		.end = {.kind = GHOST_END_RETURNED,
			.events_n = 2,
			.allocations_n = 1,
			.changes_n = 2,
			.contents_n = 1,
			.contents_bytes = sizeof(struct ghost_contents) + 16 + 8},
		.allocation = {.addr = 0x1000, .bytes = 13},
		.changes = {{.addr = 0x2000, .len = 8}, {.addr = 0x2008, .len = 32}},
		.contents = {.addr = 0x1000, .len = 13},
		.bytes = "hello, world",
	};

	return a;
}

static struct hf_err *parse(const struct answer *a, size_t cut)
{
	struct hf_ghost_run run = {.end = a->end};
	size_t len;
	struct hf_err *err = hf_ghost_end_check(&run.end, &len);
	char text[13];

	if (!err)
		err = hf_ghost_end_parse((const uint8_t *)a + sizeof(a->end), hf_min(len, cut), &run);
	if (!err) {
		cr_assert(hf_ghost_run_read(&run, 0x1000, text, 13));
		cr_assert_str_eq(text, "hello, world");
		cr_assert_not(hf_ghost_run_read(&run, 0x1000, text, 14));
		cr_assert_not(hf_ghost_run_read(&run, 0xfff, text, 1));
	}
	hf_ghost_run_deinit(&run);
	return err;
}

Test(ghost_wire, sound_answer_is_taken)
{
	struct answer a = sound_answer();

	assert_ok(parse(&a, SIZE_MAX));
}

Test(ghost_wire, answer_that_is_cut_anywhere_is_refused)
{
	struct answer a = sound_answer();

	for (size_t cut = 0; cut < sizeof(a) - sizeof(a.end); cut++)
		assert_code(parse(&a, cut), HF_IO, "makes no sense");
}

Test(ghost_wire, absurd_answers_are_refused)
{
	struct answer cases[10];

	for (size_t i = 0; i < HF_LEN(cases); i++)
		cases[i] = sound_answer();
	cases[0].end.kind = GHOST_END_BROKEN + 1;
	cases[1].end.events_n = GHOST_EVENTS_MAX + 1;
	cases[2].end.allocations_n = UINT32_MAX;
	cases[3].end.changes_n = GHOST_CHANGES_MAX + 1;
	cases[4].end.trace_n = 17;
	cases[5].end.contents_bytes = UINT64_MAX;
	cases[6].end.contents_n = 1000;
	cases[7].events[1].kind = 99;
	cases[8].changes[1].addr = 0x2004; /* within the one before */
	cases[9].contents.len = 17;
	for (size_t i = 0; i < HF_LEN(cases); i++)
		assert_code(parse(&cases[i], SIZE_MAX), HF_IO, "makes no sense");
}

/* ---- programs that are no sandbox ----------------------------------------------------------------------- */

/* Makes HOLDFAST_SANDBOX a shell script; its socket is descriptor 3. */
static void impersonate(const char *script, char path[64])
{
	FILE *f;

	snprintf(path, 64, "/tmp/holdfast-test-%d", (int)getpid());
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "#!/bin/sh\nPATH=/usr/bin:/bin\n%s\n", script);
	fclose(f);
	cr_assert_eq(chmod(path, 0700), 0);
	setenv("HOLDFAST_SANDBOX", path, 1);
}

static struct hf_err *try_run(const char *script)
{
	struct world *w = make_world();
	struct hf_err *err;
	char path[64];

	impersonate(script, path);
	err = hf_ghost_start(w->t, &w->g);
	if (!err) {
		w->t->stopped = true;
		w->t->pause.began = hf_now();
		err = hf_ghost_run(w->g, &w->job, 0.01, NULL, &w->run);
		cr_assert_not(w->t->stopped, "the target is still held");
	}
	unlink(path);
	end_world(w);
	return err;
}

#define SAYS_READY "head -c 4 <&3 >&3; head -c 116 /dev/zero >&3; "

Test(ghost_wire, program_that_is_no_sandbox_is_an_error)
{
	static const struct {
		const char *script, *text;
	} cases[] = {
		{"exit 0", "has ended"},
		{"head -c 1000 /dev/zero >&3", "another version"},
		{"head -c 4 <&3 >&3; printf '\\014\\0\\0\\0' >&3; head -c 112 /dev/zero >&3; sleep 1",
		 "could not be made"},
		{SAYS_READY "exit 0", "has ended"},
		{SAYS_READY "head -c 1000 /dev/zero >&3; sleep 1", "no sandbox of this version"},
		{SAYS_READY "printf '\\002\\0\\0\\0' >&3; head -c 1000 /dev/zero >&3; sleep 1",
		 "no sandbox of this version"},
		/* It asks for a page, and does not wait to hear. */
		{SAYS_READY "printf '\\001\\0\\0\\0\\020\\0\\0\\0' >&3; head -c 16 /dev/zero >&3; exit 0",
		 "has ended"},
	};

	for (size_t i = 0; i < HF_LEN(cases); i++)
		assert_code(try_run(cases[i].script), HF_IO, cases[i].text);
}

/* The target is let go after 10 ms, the tool a few seconds later. */
Test(ghost_wire, sandbox_that_says_nothing_holds_nobody)
{
	double began = hf_now();

	assert_code(try_run(SAYS_READY "exec sleep 100"), HF_IO, "in time");
	cr_assert_lt(hf_now() - began, 20);
}

/* Asking for ever is no way to hold the target either. */
Test(ghost_wire, sandbox_that_asks_for_ever_is_an_error)
{
	assert_code(try_run(SAYS_READY "while :; do printf "
				       "'\\001\\0\\0\\0\\020\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"
				       "\\0\\0\\0' >&3; done"),
		    HF_IO, "");
}

Test(ghost_wire, program_that_is_not_there_is_an_error_that_says_so)
{
	struct world *w = make_world();

	setenv("HOLDFAST_SANDBOX", "/nowhere/holdfast-sandbox", 1);
	assert_code(hf_ghost_start(w->t, &w->g), HF_IO, "/nowhere/holdfast-sandbox");
	end_world(w);
}

Test(ghost_wire, address_space_without_room_is_unsupported)
{
	struct world *w = make_world();
	uint64_t end = UINT64_C(0x7fffffffe000);

	map_at(w, HEAP)->end = end;
	map_at(w, CODE)->start = 0x1000;
	for (size_t i = 0; i + 1 < w->t->maps.n; i++)
		w->t->maps.at[i].end = w->t->maps.at[i + 1].start;
	assert_code(hf_ghost_start(w->t, &w->g), HF_UNSUPPORTED, "no room");
	end_world(w);
}
