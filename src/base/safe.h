/* Text of others that is to be shown on a terminal, or pasted into a shell. */
#ifndef HF_SAFE_H
#define HF_SAFE_H

#include "str.h"

/* Adds text on one line, harmless: control characters, line ends, bidirectional overrides and bytes that are not UTF-8
 * come out as \n, \t, \xNN; all else as it is. */
void hf_str_add_clean(struct hf_str *str, const char *text);

/* Adds word as one word of a POSIX shell's command line: as it is where it is plain, else in single quotes. */
void hf_str_add_shell(struct hf_str *str, const char *word);

#endif
