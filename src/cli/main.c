#include "cli.h"

#include "../base/safe.h"
#include "../base/workers.h"

#include <signal.h>
#include <stdio.h>

static void close_session(struct hf_session **s)
{
	hf_session_close(*s);
}

static void free_result(const void **result)
{
	hf_result_free(*result);
}

static void free_text(char **text)
{
	hf_text_free(*text);
}

static struct hf_err *render(const struct hf_cli *cli, const struct hf_session *s, const void *result,
			     char **ret)
{
	struct hf_str target = {0};
	struct hf_report_options options = {.size = sizeof(options)};
	struct hf_head head;
	struct hf_err *err;

	hf_cli_add_target(&target, cli);
	options.format = cli->json ? HF_REPORT_JSON : HF_REPORT_TEXT;
	options.color = hf_cli_color();
	options.width = hf_cli_width();
	options.ask = hf_str_get(&target);
	hf_session_head(s, &head);
	err = hf_str_check(&target);
	if (!err)
		err = hf_report(cli->command->name, &head, result, &options, ret);
	hf_str_deinit(&target);
	return err;
}

/* One question, from the opening of the target to the text of the answer. The session is closed, and the target runs
 * on, before a word of it is written: a reader who is slow keeps nobody stopped. */
static struct hf_err *answer(const struct hf_cli *cli, char **ret, int *ret_exit)
{
	_cleanup_(close_session) struct hf_session *s = NULL;
	_cleanup_(free_result) const void *result = NULL;

	if (cli->core)
		HF_TRY(hf_session_open_core(cli->core, cli->exe, &cli->options, &s));
	else if (cli->pid)
		HF_TRY(hf_session_open_pid(cli->pid, &cli->options, &s));
	HF_TRY(cli->command->ask(s, &cli->args, &result));
	HF_TRY(hf_interrupt_check());
	*ret_exit = cli->command->exit_code ? cli->command->exit_code(result) : 0;
	return render(cli, s, result, ret);
}

static struct hf_err *run(int argc, char **argv, bool *ret_broken, int *ret_exit)
{
	_cleanup_(free_text) char *text = NULL;
	struct hf_str help = {0};
	struct hf_cli cli;
	struct hf_err *err;

	HF_TRY(hf_cli_parse(argc, argv, false, &cli));
	if (cli.version || cli.help) {
		if (cli.version)
			hf_str_add(&help, "holdfast " HF_VERSION "\n");
		else
			hf_cli_add_help(&help, cli.command, cli.group, false);
		err = hf_str_check(&help);
		if (!err)
			err = hf_cli_write(hf_str_get(&help), ret_broken);
		hf_str_deinit(&help);
		return err;
	}
	hf_cli_progress_start();
	err = answer(&cli, &text, ret_exit);
	hf_cli_progress_clear();
	HF_TRY(err);
	return hf_cli_write(text, ret_broken);
}

/* The message, whatever it quotes, as one line that does no harm to a terminal. */
static void say(const struct hf_err *err)
{
	struct hf_str line = {0};

	hf_str_add_clean(&line, hf_err_message(err));
	fprintf(stderr, "holdfast: %s\n", hf_str_get(&line));
	hf_str_deinit(&line);
}

int main(int argc, char **argv)
{
	_cleanup_(hf_err_destroy_p) struct hf_err *err = NULL;
	bool broken = false;
	int exit_code = 0;

	hf_cli_guard_descriptors();
	hf_cli_catch_signals();
	err = run(argc, argv, &broken, &exit_code);
	if (err)
		say(err);
	if (broken) {
		/* As any filter ends whose reader has gone. */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return err ? hf_err_exit_code(err) : exit_code;
}
