#include "safe.h"

void hf_str_add_clean(struct hf_str *str, const char *text)
{
	struct hf_str quoted = {0};
	const char *p, *end;

	hf_str_add_quoted(&quoted, text, strlen(text), SIZE_MAX);
	if (quoted.failed) {
		str->failed = true;
		hf_str_deinit(&quoted);
		return;
	}
	/* Of what stands between the quotes, escaped quotes and backslashes alone were harmless before. */
	for (p = quoted.s + 1, end = quoted.s + quoted.n - 1; p < end; p++) {
		if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		else if (*p == '\\')
			hf_str_addc(str, *p++);
		hf_str_addc(str, *p);
	}
	hf_str_deinit(&quoted);
}

void hf_str_add_shell(struct hf_str *str, const char *word)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:=@%+,-";

	if (*word && !word[strspn(word, plain)]) {
		hf_str_add(str, word);
		return;
	}
	hf_str_addc(str, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			hf_str_add(str, "'\\''");
		else
			hf_str_addc(str, *word);
	}
	hf_str_addc(str, '\'');
}
