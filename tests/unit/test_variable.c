/* Names of variables, and how they go on: of this very process. */
#include "../../src/query/session.h"
#include "sym_target.h"

struct vt_inner {
	struct vt_inner *next;
	int value;
};

struct vt_outer {
	int number;
	struct vt_inner *inner, *nothing;
	struct vt_inner own;
};

struct vt_outer vt_state;
struct vt_inner vt_ring, *vt_pointer;

static struct sym_file file;
static struct hf_session session;

static void open_session(void)
{
	vt_ring.next = &vt_ring;
	vt_pointer = vt_state.inner = vt_state.own.next = &vt_ring;
	file = (struct sym_file){.fd = -1};
	session = (struct hf_session){.t = open_self(&file)};
	MUST(hf_session_open_syms(&session));
}

static void close_session(void)
{
	hf_syms_close(session.syms);
	hf_target_close(session.t);
}

TestSuite(variable, .init = open_session, .fini = close_session);

Test(variable, names_and_fields_mean_what_they_point_to_or_themselves)
{
	const struct {
		const char *word;
		const void *means;
	} rows[] = {
		{"vt_state", &vt_state},
		{"&vt_state", &vt_state},
		{"vt_pointer", &vt_ring},
		{"&vt_pointer", &vt_pointer},
		{"vt_state.number", &vt_state.number},
		{"vt_state.inner", &vt_ring},
		{"&vt_state.inner", &vt_state.inner},
		{"vt_state.own", &vt_state.own},
		{"vt_state.own.next.next.value", &vt_ring.value},
		{"vt_pointer.next.next", &vt_ring},
		{"&vt_pointer.next", &vt_ring.next},
		{"&vt_state.nothing", &vt_state.nothing},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++) {
		uint64_t addr = 0;
		bool found = false;

		MUST(hf_session_find_variable(&session, rows[i].word, &found, &addr));
		cr_expect(found && addr == (uintptr_t)rows[i].means, "%s: 0x%" PRIx64, rows[i].word, addr);
	}
}

Test(variable, words_that_name_none_are_not_found)
{
	static const char *const words[] = {
		"",      "&",      ".",         "..",        "&.",         ".vt_state",
		"vt_st", "vt_",    "vt_state ", " vt_state", "&&vt_state", "vt_state->own",
		"0x10",  "struct", "vt_inner",  "%s%n",      "\xff\xfe",   "main.nothing"};

	for (size_t i = 0; i < HF_LEN(words); i++) {
		uint64_t addr;
		bool found = true;

		MUST(hf_session_find_variable(&session, words[i], &found, &addr));
		cr_expect(!found, "'%s'", words[i]);
	}
}

Test(variable, a_name_of_any_length_is_not_found)
{
	_free_ char *word = hf_malloc(1 << 20);
	uint64_t addr;
	bool found = true;

	memset(word, 'a', (1 << 20) - 1);
	word[(1 << 20) - 1] = '\0';
	MUST(hf_session_find_variable(&session, word, &found, &addr));
	cr_expect(!found);
}

static void expect_refused(const char *word, const char *says)
{
	uint64_t addr;
	bool found;
	struct hf_err *err = hf_session_find_variable(&session, word, &found, &addr);

	cr_assert(err, "'%s' is taken", word);
	cr_expect_eq(hf_err_code(err), HF_USAGE);
	cr_expect(strstr(hf_err_message(err), says), "'%s': %s", word, hf_err_message(err));
	hf_err_destroy(err);
}

Test(variable, fields_that_are_not_there_and_nil_are_errors_that_say_so)
{
	expect_refused("vt_state.", "no field ''");
	expect_refused("vt_state.none", "no field 'none'");
	expect_refused("vt_state.numbe", "no field 'numbe'");
	expect_refused("vt_state.number.x", "no field 'x'");
	expect_refused("vt_state..number", "no field ''");
	expect_refused("vt_state.nothing", "is nil");
	expect_refused("vt_state.nothing.next", "is nil");
	expect_refused("vt_pointer.next.nope.next", "no field 'nope'");
}

Test(variable, a_pointer_that_leads_nowhere_is_a_fault)
{
	uint64_t addr;
	bool found;
	struct hf_err *err;

	vt_pointer = (struct vt_inner *)(uintptr_t)0x10;
	err = hf_session_find_variable(&session, "vt_pointer.next", &found, &addr);
	cr_expect_eq(hf_err_code(err), HF_FAULT);
	hf_err_destroy(err);
}

Test(variable, completion_gives_the_names_that_begin_so)
{
	char *text;

	MUST(hf_session_complete(&session, "vt_s", &text));
	cr_expect_str_eq(text, "vt_state\n");
	hf_text_free(text);
	MUST(hf_session_complete(&session, "vt_nothing", &text));
	cr_expect_str_eq(text, "");
	hf_text_free(text);
}
