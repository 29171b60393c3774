#include "commands.h"

#define HF_COMMAND_ROW(name) &hf_command_##name,
const struct hf_command *const hf_commands[] = {HF_COMMANDS(HF_COMMAND_ROW)};
#undef HF_COMMAND_ROW
const size_t hf_commands_n = HF_LEN(hf_commands);

#define NAME_MAX_LEN 24
#define NEAR         2 /* edits */

const struct hf_command *hf_command_find(const char *name)
{
	for (size_t i = 0; i < hf_commands_n; i++)
		if (strcmp(hf_commands[i]->name, name) == 0)
			return hf_commands[i];
	return NULL;
}

const struct hf_command *hf_command_find_words(const char *const *words, size_t n, size_t *ret_used)
{
	for (size_t i = 0; i < hf_commands_n; i++) {
		const char *name = hf_commands[i]->name, *space = strchr(name, ' ');
		size_t first = space ? (size_t)(space - name) : strlen(name);

		if (!n || strlen(words[0]) != first || strncmp(words[0], name, first) != 0 ||
		    (space && (n < 2 || strcmp(words[1], space + 1) != 0)))
			continue;
		*ret_used = space ? 2 : 1;
		return hf_commands[i];
	}
	return NULL;
}

bool hf_command_has_seconds(const char *word)
{
	for (size_t i = 0; i < hf_commands_n; i++)
		if (!strncmp(hf_commands[i]->name, word, strlen(word)) &&
		    hf_commands[i]->name[strlen(word)] == ' ')
			return true;
	return false;
}

/* Edits (insert, delete, replace) that make one word of the other. */
static size_t distance(const char *a, const char *b)
{
	size_t a_n = strlen(a), b_n = strlen(b), row[NAME_MAX_LEN + 1];

	if (a_n > NAME_MAX_LEN || b_n > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_n; j++) {
			size_t best =
				hf_min(hf_min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));

			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_n];
}

const struct hf_command *hf_command_nearest(const char *name)
{
	const struct hf_command *best = NULL;
	size_t best_distance = NEAR + 1;

	for (size_t i = 0; i < hf_commands_n; i++) {
		size_t d = distance(name, hf_commands[i]->name);

		if (strlen(name) >= 2 && strncmp(name, hf_commands[i]->name, strlen(name)) == 0)
			d = 0;
		if (d < best_distance) {
			best = hf_commands[i];
			best_distance = d;
		}
	}
	return best;
}
