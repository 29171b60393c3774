/* The command line's own parts: options, help, output, signals, progress. */
#ifndef HF_CLI_H
#define HF_CLI_H

#include "../base/base.h"
#include "../base/str.h"
#include "commands.h"

/* A command line, understood. */
struct hf_cli {
	const struct hf_command *command;
	const char *group; /* help: of the commands whose first of two words this is; NULL: none */
	struct hf_args args;
	struct hf_options options;
	int pid;                /* 0: not given */
	const char *core, *exe; /* NULL: not given */
	bool json, help, version;
	unsigned given; /* HF_TAKES_* that were */
	uint64_t seen;  /* the options that were, a bit each */
};

/* argv  is permuted, and must outlive ret.     held  in a debugger: the target is what it holds.
 * Errors: USAGE */
struct hf_err *hf_cli_parse(int argc, char **argv, bool held, struct hf_cli *ret) HF_CHECKED;

/* command  NULL: of all, or of a group.     held  for the command line of a debugger, where there is no target to name */
void hf_cli_add_help(struct hf_str *ret, const struct hf_command *command, const char *group, bool held);
/* The lines on options: the common ones where takes is 0, else those. */
void hf_cli_add_options(struct hf_str *ret, unsigned takes, bool held);

/* How the user names the target: "-p 1234", "-c core -e exe". */
void hf_cli_add_target(struct hf_str *ret, const struct hf_cli *cli);

/* Makes sure that no file that is opened later becomes standard output. */
void hf_cli_guard_descriptors(void);
/* Writes all of text to standard output. Errors: IO, INTERRUPTED. *ret_broken: nobody reads it any more, which is no error */
struct hf_err *hf_cli_write(const char *text, bool *ret_broken) HF_CHECKED;
bool hf_cli_color(void);     /* standard output is a terminal that wants colors */
unsigned hf_cli_width(void); /* of standard output's terminal; 0: it is none */

/* SIGINT, SIGTERM, SIGHUP ask the work to end; the second within a second ends us at once. SIGPIPE becomes an error. */
void hf_cli_catch_signals(void);
/* Shows progress where standard error is a terminal; and takes it away. */
void hf_cli_progress_start(void);
void hf_cli_progress_clear(void);

#endif
