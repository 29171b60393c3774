/* The command line of a debugger: hf_question of the public header. */
#include "cli.h"

struct hf_question {
	struct hf_cli cli;
	struct hf_arena words; /* what cli points to */
	const char **changed;  /* cli.args.words, where one was set */
};

bool hf_command_at(size_t i, struct hf_command_info *ret)
{
	if (i >= hf_commands_n)
		return false;
	*ret = (struct hf_command_info){hf_commands[i]->name, hf_commands[i]->words, hf_commands[i]->summary};
	return true;
}

static struct hf_err *take_help(const struct hf_command *command, const char *group, char **ret)
{
	struct hf_str help = {0};
	struct hf_err *err;

	hf_cli_add_help(&help, command, group, true);
	err = hf_str_check(&help);
	if (err)
		hf_str_deinit(&help);
	else
		*ret = help.s;
	return err;
}

struct hf_err *hf_command_help(const char *name, char **ret)
{
	const struct hf_command *command = name ? hf_command_find(name) : NULL;

	if (name && !command && hf_command_has_seconds(name))
		return take_help(NULL, name, ret);
	if (name && !command)
		return hf_err(HF_USAGE, "there is no command '%s'; 'holdfast help' lists them", name);
	return take_help(command, NULL, ret);
}

void hf_question_free(struct hf_question *q)
{
	if (!q)
		return;
	hf_arena_deinit(&q->words);
	hf_free(q);
}

static void free_question(struct hf_question **q)
{
	hf_question_free(*q);
}

struct hf_err *hf_question_parse(const char *const *words, size_t n, struct hf_question **ret)
{
	_cleanup_(free_question) struct hf_question *q = hf_calloc(1, sizeof(*q));
	char **argv;

	if (!q)
		return hf_err_nomem();
	if (n > 10000)
		return hf_err(HF_USAGE, "%zu words are too many for one question", n);
	argv = hf_arena_alloc(&q->words, (n + 2) * sizeof(*argv));
	if (!argv)
		return hf_err_nomem();
	argv[0] = hf_arena_strndup(&q->words, "holdfast", 8);
	for (size_t i = 0; i < n; i++) {
		argv[i + 1] = hf_arena_strndup(&q->words, words[i], strlen(words[i]));
		if (!argv[i + 1])
			return hf_err_nomem();
	}
	HF_TRY(hf_cli_parse((int)n + 1, argv, true, &q->cli));
	*ret = take_ptr(q);
	return NULL;
}

const struct hf_options *hf_question_options(const struct hf_question *q)
{
	return &q->cli.options;
}

size_t hf_question_words(const struct hf_question *q, const char *const **ret)
{
	*ret = q->cli.args.words;
	return q->cli.args.words_n;
}

struct hf_err *hf_question_set_word(struct hf_question *q, size_t i, const char *word)
{
	size_t n = q->cli.args.words_n;
	const char *copy = hf_arena_strndup(&q->words, word, strlen(word));

	if (i >= n)
		return hf_err(HF_USAGE, "the question has %zu words", n);
	if (!q->changed) {
		q->changed = hf_arena_alloc(&q->words, n * sizeof(*q->changed));
		if (!q->changed)
			return hf_err_nomem();
		memcpy(q->changed, q->cli.args.words, n * sizeof(*q->changed));
		q->cli.args.words = q->changed;
	}
	if (!copy)
		return hf_err_nomem();
	q->changed[i] = copy;
	return NULL;
}

const char *hf_question_command(const struct hf_question *q)
{
	return q->cli.command ? q->cli.command->name : "";
}

struct hf_err *hf_question_allow_write(struct hf_question *q, bool allow, const char *how)
{
	const char *copy = hf_arena_strndup(&q->words, how, strlen(how));

	if (!copy)
		return hf_err_nomem();
	q->cli.args.allow_write = allow;
	q->cli.args.leave = copy;
	return NULL;
}

bool hf_question_is_help(const struct hf_question *q)
{
	return q->cli.help || q->cli.version;
}

struct hf_err *hf_question_ask(const struct hf_question *q, struct hf_session *s,
			       const struct hf_report_options *options, char **ret)
{
	struct hf_report_options set = {.size = sizeof(set)};
	const struct hf_command *command = q->cli.command;
	const void *result = NULL;
	struct hf_head head;
	struct hf_err *err;

	if (q->cli.version) {
		*ret = hf_strdup("holdfast " HF_VERSION "\n");
		return *ret ? NULL : hf_err_nomem();
	}
	if (q->cli.help)
		return take_help(command, q->cli.group, ret);
	if (!s)
		return hf_err(HF_USAGE, "'%s' is asked of no session", command->name);
	if (options)
		memcpy(&set, options, hf_min(options->size, sizeof(set)));
	set.size = sizeof(set);
	set.format = q->cli.json ? HF_REPORT_JSON : HF_REPORT_TEXT;
	hf_session_set_options(s, &q->cli.options);
	HF_TRY(command->ask(s, &q->cli.args, &result));
	hf_session_head(s, &head);
	err = hf_report(command->name, &head, result, &set, ret);
	hf_result_free(result);
	return err;
}
