/* The text of a target is quoted: whatever it is, what comes out is one line of printable text between quotes. */
#include "../../src/base/str.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_str s = {0};
	size_t max;

	if (size < 1)
		return 0;
	max = data[0];
	hf_str_add_quoted(&s, data + 1, size - 1, max);
	if (s.n > 4 * hf_min(size - 1, max) + 5 || s.s[0] != '"')
		abort();
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.s[i] < 0x20 || s.s[i] == 0x7f)
			abort();
	hf_str_deinit(&s);
	return 0;
}
