/* How ways to objects fold into stacks. */
#include "../../src/query/profile_stacks.h"

#include <criterion/criterion.h>

#include "random.h"

enum { A = 1, B, C, D };

static struct hf_stacks stacks;

static void begin(uint32_t max)
{
	cr_assert_null(hf_stacks_init(&stacks, max));
}

static uint32_t root(uint32_t step, uint8_t kind)
{
	uint32_t node;

	cr_assert_null(hf_stacks_root(&stacks, HF_STACK_NONE, step, kind, &node));
	return node;
}

static uint32_t below(uint32_t node, uint32_t step, uint32_t type)
{
	uint32_t ret = HF_STACK_NONE;

	cr_assert_null(hf_stacks_below(&stacks, node, step, type, &ret));
	cr_assert_lt(ret, stacks.at.n);
	return ret;
}

/* Types from the root on, as letters. */
static const char *spell(uint32_t node)
{
	static char text[2 * HF_STACK_DEPTH_MAX + 8];
	size_t at = sizeof(text) - 1;

	for (; node != HF_STACK_NONE; node = stacks.at.at[node].parent)
		if (stacks.at.at[node].type != HF_STACK_NO_TYPE)
			text[--at] = (char)('A' - 1 + (int)stacks.at.at[node].type);
	return text + at;
}

static uint32_t go(uint32_t node, const char *types)
{
	for (; *types; types++)
		node = below(node, 0, (uint32_t)(*types - 'A' + 1));
	return node;
}

static void deinit(void)
{
	hf_stacks_deinit(&stacks);
}

TestSuite(profile_stacks, .fini = deinit);

Test(profile_stacks, ways_fold_to_what_their_types_say)
{
	static const struct {
		const char *way, *stack;
	} cases[] = {
		{"A", "A"},
		{"ABC", "ABC"},
		{"AAAA", "A"},
		{"ABBBC", "ABC"},
		{"ABA", "ABA"},
		{"ABAB", "AB"},
		{"ABABA", "ABA"},
		{"ABABABABABC", "ABC"},
		{"ABABABABABAC", "ABAC"},
		{"ABCA", "ABCA"},
		{"ABCAB", "ABCB"},
		{"ABCABC", "ABC"},
		{"ABCABCABCA", "ABCA"},
		{"ABACA", "ABACA"},
		{"ABACAB", "ABACB"},
		{"ABACABAC", "ABAC"},
	};

	begin(HF_STACKS_MAX);
	for (size_t i = 0; i < HF_LEN(cases); i++)
		cr_expect_str_eq(spell(go(root(1, 0), cases[i].way)), cases[i].stack, "%s gives %s, not %s",
				 cases[i].way, spell(go(root(1, 0), cases[i].way)), cases[i].stack);
}

Test(profile_stacks, equal_ways_are_one_node_and_others_are_not)
{
	begin(HF_STACKS_MAX);
	cr_expect_eq(root(1, 0), root(1, 0));
	cr_expect_neq(root(1, 0), root(2, 0));
	cr_expect_neq(root(1, 0), root(1, 1), "roots of one name and two kinds");
	cr_expect_eq(below(root(1, 0), 7, A), below(root(1, 0), 7, A));
	cr_expect_neq(below(root(1, 0), 7, A), below(root(1, 0), 8, A), "two fields");
	cr_expect_neq(below(root(1, 0), 7, A), below(root(2, 0), 7, A), "two roots");
	cr_expect_neq(below(root(1, 0), 7, A), below(root(1, 0), 7, B), "two types");
}

Test(profile_stacks, any_way_keeps_its_types_and_stays_short)
{
	uint64_t seed = 1;

	begin(HF_STACKS_MAX);
	for (int round = 0; round < 200; round++) {
		uint32_t node = root(1, 0);
		unsigned seen = 0;

		for (int step = 0; step < 500; step++) {
			uint32_t type = 1 + random_below(&seed, 6);
			unsigned have = 0;

			node = below(node, random_below(&seed, 3), type);
			seen |= 1u << type;
			cr_assert_eq(stacks.at.at[node].type, type, "the leaf is the object's type");
			for (const char *s = spell(node); *s; s++)
				have |= 1u << (*s - 'A' + 1);
			cr_assert_eq(have, seen,
				     "a type on the way is not in the stack, or one is that is not");
			cr_assert_leq(strlen(spell(node)), 12, "%s", spell(node));
		}
	}
}

Test(profile_stacks, more_than_there_is_room_for_goes_to_others)
{
	uint32_t first, other;

	begin(4);
	first = below(root(1, 0), 0, A);
	cr_expect_eq(stacks.refused, 0);
	below(first, 0, B);
	other = below(first, 0, C);
	cr_expect_eq(other, stacks.others);
	cr_expect_eq(below(first, 0, C), stacks.others, "and once more");
	cr_expect_eq(stacks.refused, 1, "but it is counted once");
	cr_expect_eq(below(other, 3, A), stacks.others, "what is below others is of them");
	cr_expect_eq(root(5, 0), stacks.others);
	cr_assert_null(hf_stacks_root(&stacks, stacks.others, 6, 0, &other));
	cr_expect_eq(other, stacks.others);
	cr_expect_eq(stacks.at.n, 4);
}

Test(profile_stacks, a_way_of_a_million_types_ends)
{
	uint32_t node;

	begin(HF_STACKS_MAX);
	node = root(1, 0);
	for (uint32_t i = 1; i < 1000000; i++)
		node = below(node, i, i);
	cr_expect_eq(node, stacks.others);
	cr_expect_leq(stacks.at.n, HF_STACK_DEPTH_MAX + 3);
}

Test(profile_stacks, without_memory_it_is_said)
{
	begin(HF_STACKS_MAX);
	for (unsigned long nth = 1; nth < 200; nth++) {
		struct hf_stacks t;
		struct hf_err *err;
		uint32_t node = 0;

		hf_alloc_fail_nth(nth);
		err = hf_stacks_init(&t, HF_STACKS_MAX);
		if (!err)
			err = hf_stacks_root(&t, HF_STACK_NONE, 1, 0, &node);
		for (uint32_t i = 1; i < 150 && !err; i++)
			err = hf_stacks_below(&t, node, i, i, &node);
		hf_alloc_fail_nth(0);
		hf_stacks_deinit(&t);
		if (!err)
			return;
		cr_expect_eq(hf_err_code(err), HF_NOMEM);
		hf_err_destroy(err);
	}
	cr_assert_fail("it never had enough memory");
}
