/* The facts of a snap's note, of any bytes: what is read once is read the same again after it is printed. */
#include "../../src/target/facts.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_facts *facts, *again;
	struct hf_str text = {0}, text_again = {0};

	if (hf_err_ignore(hf_facts_parse((const char *)data, size, &facts)))
		return 0;
	if (hf_err_ignore(hf_facts_print(facts, &text)))
		abort();
	if (hf_err_ignore(hf_facts_parse(hf_str_get(&text), text.n, &again)))
		abort();
	if (hf_err_ignore(hf_facts_print(again, &text_again)) ||
	    strcmp(hf_str_get(&text), hf_str_get(&text_again)))
		abort();
	hf_facts_destroy(facts);
	hf_facts_destroy(again);
	hf_str_deinit(&text);
	hf_str_deinit(&text_again);
	return 0;
}
