#include "cli.h"

#include "../base/safe.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

/* id, long name, letter (0: none), argument's name (NULL: none), HF_TAKES_* (0: all commands), help */
#define OPTIONS(X)                                                                                           \
	X(PID, "pid", 'p', "PID", 0, "the live process PID")                                                 \
	X(CORE, "core", 'c', "CORE", 0, "the core file CORE")                                                \
	X(EXE, "exe", 'e', "EXE", 0, "the executable of the core, where it is not where the core says")      \
	X(LIMIT, "limit", 0, "N", HF_TAKES_LIMIT, "at most N rows (default 20; 0: all)")                     \
	X(MAX, "max", 0, "N", HF_TAKES_MAX,                                                                  \
	  "N chains (why: 3), lines below one (dominators: 10), stacks (export: 20000)")                     \
	X(DEPTH, "depth", 0, "N", HF_TAKES_DEPTH, "N levels of the tree, 1 to 100 (default 5)")              \
	X(MIN, "min", 0, "SIZE", HF_TAKES_MIN,                                                               \
	  "sum up what is below SIZE: 64K, 1.5MiB, 0.1% (default 1% of the tree)")                           \
	X(BY, "by", 0, "KEY", HF_TAKES_BY,                                                                   \
	  "group by KEY: type, root, goroutine, object, site, field:TYPE.FIELD")                             \
	X(FILTER, "filter", 0, "REGEX", HF_TAKES_FILTER,                                                     \
	  "those with a function on the stack, or a creator, that REGEX matches")                            \
	X(OUTPUT, "output", 'o', "FILE", HF_TAKES_OUTPUT, "write to FILE")                                   \
	X(FORMAT, "format", 0, "FORMAT", HF_TAKES_FORMAT, "of the file: pprof (default)")                    \
	X(PROFILE, "profile", 0, "KIND", HF_TAKES_PROFILE,                                                   \
	  "of what: retained (default), goroutine or alloc")                                                 \
	X(POOL, "pool", 0, "POOL", HF_TAKES_PATCH | HF_TAKES_DRAIN,                                          \
	  "the pool: its name as in pools, or its address")                                                  \
	X(TO, "to", 0, "CTOR", HF_TAKES_PATCH,                                                               \
	  "the new constructor: FUNCTION, FILE.so:FUNCTION, closure:N, thunk:TYPE")                          \
	X(PLAN, "plan", 0, "PLAN", HF_TAKES_PATCH, "a plan that was saved, instead of --pool and --to")      \
	X(CPU_MAX, "cpu-max", 0, "MS", HF_TAKES_PATCH, "processor time that a dry run may take (default 5)") \
	X(ALLOC_MAX, "alloc-max", 0, "SIZE", HF_TAKES_PATCH, "that it may allocate (default 1K)")            \
	X(HOLD_MAX, "hold-max", 0, "MS", HF_TAKES_PATCH,                                                     \
	  "that the process may stand still for a dry run (default 10)")                                     \
	X(STRICT, "strict", 0, NULL, HF_TAKES_PATCH, "refuse what reads variables that can change")          \
	X(EXPERT, "expert", 0, NULL, HF_TAKES_PATCH, "allow nil, and code that is made for it")              \
	X(YES, "yes", 0, NULL, HF_TAKES_APPLY | HF_TAKES_SET, "do it, without a question")                   \
	X(INCONCLUSIVE, "accept-inconclusive", 0, NULL, HF_TAKES_APPLY,                                      \
	  "do it where the dry run came to no end, too")                                                     \
	X(ALL, "all", 0, NULL, HF_TAKES_REVERT, "all patches of the process")                                \
	X(EXPIRED, "expired", 0, NULL, HF_TAKES_REVERT,                                                      \
	  "those whose time is over; of all processes where none is named")                                  \
	X(WAIT, "wait", 0, "SECONDS", HF_TAKES_REVERT | HF_TAKES_DRAIN,                                      \
	  "revert: wait so long first; drain: for two collections, at most so long")                         \
	X(EXPIRES, "expires", 0, "SECONDS", HF_TAKES_SET, "take it back by itself after so long")            \
	X(POOL_FILE, "pool-file", 0, "FILE", 0,                                                              \
	  "JSON on pools of the program's own (docs/howto/pool-file.md)")                                    \
	X(JSON, "json", 0, NULL, 0, "one JSON object instead of text")                                       \
	X(VALUES, "show-values", 0, NULL, 0, "show the contents of strings and bytes")                       \
	X(REDACT, "redact", 0, NULL, 0, "leave map keys out of chains")                                      \
	X(DEBUGINFOD, "debuginfod", 0, NULL, 0, "ask debuginfod servers (the network) for debug files")      \
	X(WORKERS, "workers", 0, "N", 0, "threads to work with, 1 to 8 (default 2)")                         \
	X(HELP, "help", 'h', NULL, 0, "this help, or a command's")                                           \
	X(VERSION, "version", 0, NULL, 0, "the version")

/* A bit each in hf_cli.seen. */
enum option_id {
#define OPTION_ID(id, name, letter, arg, takes, help) OPTION_##id,
	OPTIONS(OPTION_ID)
#undef OPTION_ID
		OPTION_N,
};

_Static_assert(OPTION_N <= 64, "options outnumber the bits of hf_cli.seen");

static const struct {
	const char *name, *arg, *help;
	char letter;
	unsigned takes;
} rows[] = {
#define OPTION_ROW(id, name, letter, arg, takes, help) {name, arg, help, letter, takes},
	OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

/* For getopt: values are ids above any letter. */
#define OPTION_BASE 256

static struct hf_err *parse_number(const char *option, const char *text, uint64_t low, uint64_t high,
				   uint64_t *ret)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
	if (!isdigit((unsigned char)*text) || *end || errno || v < low || v > high) {
		if (high == SIZE_MAX)
			return hf_err(HF_USAGE, "%s takes a number%s, not '%s'", option, low ? " from 1" : "",
				      text);
		return hf_err(HF_USAGE, "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", option,
			      low, high, text);
	}
	*ret = v;
	return NULL;
}

static struct hf_err *parse_by(const char *text, struct hf_args *args)
{
	static const char field[] = "field:";
	static const struct {
		const char *name;
		enum hf_top_by by;
	} keys[] = {{"type", HF_TOP_BY_TYPE},
		    {"root", HF_TOP_BY_ROOT},
		    {"goroutine", HF_TOP_BY_GOROUTINE},
		    {"object", HF_TOP_BY_OBJECT},
		    {"site", HF_TOP_BY_SITE}};

	for (size_t i = 0; i < HF_LEN(keys); i++)
		if (strcmp(text, keys[i].name) == 0) {
			args->by = keys[i].by;
			return NULL;
		}
	if (!strncmp(text, field, strlen(field)) && text[strlen(field)]) {
		args->field = text + strlen(field);
		return NULL;
	}
	return hf_err(HF_USAGE,
		      "--by takes type, root, goroutine, object, site or field:TYPE.FIELD, not '%s'", text);
}

static struct hf_err *parse_format(const char *text, enum hf_export_format *ret)
{
	for (int i = 0; hf_export_format_name((enum hf_export_format)i); i++)
		if (!strcmp(text, hf_export_format_name((enum hf_export_format)i))) {
			*ret = (enum hf_export_format)i;
			return NULL;
		}
	return hf_err(HF_USAGE, "--format takes pprof, not '%s'", text);
}

static struct hf_err *parse_profile(const char *text, enum hf_profile_kind *ret)
{
	static const char *const kinds[] = {
		[HF_PROFILE_RETAINED] = "retained",
		[HF_PROFILE_GOROUTINE] = "goroutine",
		[HF_PROFILE_ALLOC] = "alloc",
	};

	for (size_t i = 0; i < HF_LEN(kinds); i++)
		if (!strcmp(text, kinds[i])) {
			*ret = (enum hf_profile_kind)i;
			return NULL;
		}
	return hf_err(HF_USAGE, "--profile takes retained, goroutine or alloc, not '%s'", text);
}

static const struct {
	const char *name;
	unsigned shift;
} units[] = {{"", 0},     {"b", 0},  {"k", 10},  {"kb", 10},  {"kib", 10}, {"m", 20},  {"mb", 20},
	     {"mib", 20}, {"g", 30}, {"gb", 30}, {"gib", 30}, {"t", 40},   {"tb", 40}, {"tib", 40}};

/* A decimal number, in millionths: digits beyond are dropped. Not by strtod: a debugger's locale may have commas. */
static const char *parse_millionths(const char *text, uint64_t *ret)
{
	uint64_t n = 0, unit = 1000000;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++)
		if (hf_mul_overflows(n, 10, &n) || hf_add_overflows(n, (uint64_t)(*text - '0'), &n))
			return NULL;
	if (hf_mul_overflows(n, unit, &n))
		return NULL;
	if (*text == '.' && !isdigit((unsigned char)*++text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++) {
		unit /= 10;
		if (hf_add_overflows(n, unit * (uint64_t)(*text - '0'), &n))
			return NULL;
	}
	*ret = n;
	return text;
}

static struct hf_err *parse_min(const char *text, struct hf_args *args)
{
	uint64_t millionths;
	const char *unit = parse_millionths(text, &millionths);

	if (unit && !strcmp(unit, "%") && millionths <= 100 * 1000000) {
		args->min_bytes = HF_UNKNOWN;
		args->min_share = (double)millionths / 1e8;
		return NULL;
	}
	for (size_t i = 0; unit && i < HF_LEN(units); i++) {
		unsigned __int128 bytes = ((unsigned __int128)millionths << units[i].shift) / 1000000;

		/* Part of a byte is no size. */
		if (strcasecmp(unit, units[i].name) || bytes > INT64_MAX ||
		    (!units[i].shift && millionths % 1000000))
			continue;
		args->min_bytes = (uint64_t)bytes;
		return NULL;
	}
	return hf_err(HF_USAGE, "--min takes a size (4096, 64K, 1.5MiB) or a share (0.5%%), not '%s'", text);
}

/* A size, in the words of parse_min; no share. */
static struct hf_err *parse_size(const char *option, const char *text, uint64_t *ret)
{
	struct hf_args args = {0};

	if (strchr(text, '%') || hf_err_ignore(parse_min(text, &args)))
		return hf_err(HF_USAGE, "%s takes a size (512, 4K, 1.5MiB), not '%s'", option, text);
	*ret = args.min_bytes;
	return NULL;
}

/* Milliseconds, to microseconds. */
static struct hf_err *parse_ms(const char *option, const char *text, uint64_t max_ms, uint64_t *ret)
{
	uint64_t millionths;
	const char *end = parse_millionths(text, &millionths);

	if (!end || *end || millionths < 1000 || millionths > max_ms * 1000000)
		return hf_err(HF_USAGE, "%s takes milliseconds up to %" PRIu64 ", not '%s'", option, max_ms,
			      text);
	*ret = millionths / 1000;
	return NULL;
}

#define SECONDS_MAX (7u * 24 * 3600)

static struct hf_err *parse_seconds(const char *option, const char *text, double *ret)
{
	uint64_t millionths;
	const char *end = parse_millionths(text, &millionths);

	if (!end || *end || !millionths || millionths > SECONDS_MAX * UINT64_C(1000000))
		return hf_err(HF_USAGE, "%s takes seconds, up to a week, not '%s'", option, text);
	*ret = (double)millionths / 1e6;
	return NULL;
}

static struct hf_err *set_patch_option(struct hf_cli *cli, enum option_id id, const char *text)
{
	struct hf_patch_options *patch = &cli->args.patch;

	switch (id) {
	case OPTION_POOL:
		patch->pool = text;
		break;
	case OPTION_TO:
		patch->to = text;
		break;
	case OPTION_PLAN:
		patch->plan = text;
		break;
	case OPTION_CPU_MAX:
		return parse_ms("--cpu-max", text, 1000, &patch->cpu_us);
	case OPTION_ALLOC_MAX:
		return parse_size("--alloc-max", text, &patch->alloc_bytes);
	case OPTION_HOLD_MAX:
		return parse_ms("--hold-max", text, 1000, &patch->hold_us);
	case OPTION_STRICT:
		patch->strict = true;
		break;
	case OPTION_EXPERT:
		patch->expert = true;
		break;
	case OPTION_YES:
		cli->args.yes = true;
		break;
	case OPTION_INCONCLUSIVE:
		patch->accept_inconclusive = true;
		break;
	case OPTION_ALL:
		patch->all = true;
		break;
	case OPTION_EXPIRED:
		patch->expired = true;
		break;
	case OPTION_WAIT:
		return parse_seconds("--wait", text, &patch->wait_s);
	case OPTION_EXPIRES:
		return parse_seconds("--expires", text, &cli->args.expires_s);
	default:
		break;
	}
	return NULL;
}

static struct hf_err *set_option(struct hf_cli *cli, enum option_id id, const char *text)
{
	uint64_t n = 0;

	switch (id) {
	case OPTION_POOL ... OPTION_EXPIRES:
		return set_patch_option(cli, id, text);
	case OPTION_PID:
		HF_TRY(parse_number("-p", text, 1, INT_MAX, &n));
		cli->pid = (int)n;
		break;
	case OPTION_CORE:
		cli->core = text;
		break;
	case OPTION_EXE:
		cli->exe = text;
		break;
	case OPTION_LIMIT:
		HF_TRY(parse_number("--limit", text, 0, SIZE_MAX, &n));
		cli->args.limit = n;
		break;
	case OPTION_MAX:
		HF_TRY(parse_number("--max", text, 1, SIZE_MAX, &n));
		cli->args.max = n;
		break;
	case OPTION_DEPTH:
		HF_TRY(parse_number("--depth", text, 1, HF_DEPTH_MAX, &n));
		cli->args.depth = (unsigned)n;
		break;
	case OPTION_MIN:
		return parse_min(text, &cli->args);
	case OPTION_BY:
		return parse_by(text, &cli->args);
	case OPTION_FILTER:
		cli->args.filter = text;
		break;
	case OPTION_OUTPUT:
		cli->args.output = text;
		break;
	case OPTION_FORMAT:
		return parse_format(text, &cli->args.format);
	case OPTION_PROFILE:
		return parse_profile(text, &cli->args.profile);
	case OPTION_POOL_FILE:
		cli->options.pool_file = text;
		break;
	case OPTION_JSON:
		cli->json = true;
		break;
	case OPTION_VALUES:
		cli->options.show_values = true;
		break;
	case OPTION_REDACT:
		cli->options.redact = true;
		break;
	case OPTION_DEBUGINFOD:
		cli->options.debuginfod = true;
		break;
	case OPTION_WORKERS:
		HF_TRY(parse_number("--workers", text, 1, 8, &n));
		cli->options.workers = (unsigned)n;
		break;
	case OPTION_HELP:
		cli->help = true;
		break;
	case OPTION_VERSION:
		cli->version = true;
		break;
	case OPTION_N:
		break;
	}
	return NULL;
}

static enum option_id find_option(int value)
{
	for (int i = 0; i < OPTION_N; i++)
		if (value == OPTION_BASE + i || (rows[i].letter && value == rows[i].letter))
			return (enum option_id)i;
	return OPTION_N;
}

/* What getopt did not accept, in words. */
static struct hf_err *refuse(int value, const char *word)
{
	enum option_id id = find_option(optopt);

	if (value == ':')
		return hf_err(HF_USAGE, "%s needs a value: %s", word, id < OPTION_N ? rows[id].arg : "");
	if (id < OPTION_N && !rows[id].arg)
		return hf_err(HF_USAGE, "--%s takes no value", rows[id].name);
	if (optopt && optopt < OPTION_BASE)
		return hf_err(HF_USAGE, "there is no option '-%c'; 'holdfast --help' lists them",
			      isprint(optopt) ? optopt : '?');
	return hf_err(HF_USAGE, "there is no option '%s'; 'holdfast --help' lists them", word);
}

static struct hf_err *parse_options(int argc, char **argv, struct hf_cli *cli)
{
	struct option longs[OPTION_N + 1] = {0};
	char shorts[2 * OPTION_N + 2] = ":", *s = shorts + 1;
	bool seen[OPTION_N] = {false};
	int value;

	for (int i = 0; i < OPTION_N; i++) {
		longs[i] = (struct option){rows[i].name, rows[i].arg ? required_argument : no_argument, NULL,
					   OPTION_BASE + i};
		if (rows[i].letter) {
			*s++ = rows[i].letter;
			if (rows[i].arg)
				*s++ = ':';
		}
	}
	opterr = 0;
	optind = 0; /* once more, where a test parses a second line */
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		enum option_id id = find_option(value);

		if (value == '?' || value == ':')
			return refuse(value, argv[optind - 1]);
		if (rows[id].arg && seen[id])
			return hf_err(HF_USAGE, "--%s is given twice", rows[id].name);
		seen[id] = true;
		cli->given |= rows[id].takes;
		cli->seen |= UINT64_C(1) << id;
		HF_TRY(set_option(cli, id, optarg));
	}
	return NULL;
}

static struct hf_err *unknown_command(const char *word)
{
	const struct hf_command *nearest = hf_command_nearest(word);

	if (isdigit((unsigned char)*word) && !word[strspn(word, "0123456789")])
		return hf_err(HF_USAGE, "there is no command '%s'; a process is named by -p %s", word, word);
	if (hf_command_has_seconds(word))
		return hf_err(HF_USAGE, "'%s' takes a second word that says what to do ('holdfast help %s')",
			      word, word);
	if (nearest)
		return hf_err(HF_USAGE, "there is no command '%s'; did you mean '%s'?", word, nearest->name);
	return hf_err(HF_USAGE, "there is no command '%s'; 'holdfast --help' lists them", word);
}

/* The verb, and the words that are left to it. */
static struct hf_err *parse_words(int argc, char **argv, struct hf_cli *cli)
{
	const char *const *words = (const char *const *)argv + optind;
	size_t n = (size_t)(argc - optind);

	if (n && strcmp(words[0], "help") == 0) {
		cli->help = true;
		words++;
		n--;
	}
	if (cli->help && n == 1 && hf_command_has_seconds(words[0])) {
		cli->group = words[0];
	} else if (n) {
		size_t used = 1;

		cli->command = hf_command_find_words(words, n, &used);
		if (!cli->command)
			return unknown_command(words[0]);
		cli->args.words = words + used;
		cli->args.words_n = n - used;
	}
	return NULL;
}

static struct hf_err *check_target(const struct hf_cli *cli)
{
	if (cli->pid && cli->core)
		return hf_err(HF_USAGE, "both -p and -c are given: ask one process or one core");
	if (!cli->pid && !cli->core && !cli->command->alone)
		return hf_err(
			HF_USAGE,
			"no target: name a process by -p PID or a core file by -c CORE ('holdfast --help')");
	if (cli->exe && !cli->core)
		return hf_err(HF_USAGE, "-e goes with -c: a live process knows its executable");
	return NULL;
}

static struct hf_err *check(const struct hf_cli *cli)
{
	const struct hf_command *command = cli->command;
	unsigned missing = command->needs & ~cli->given;

	for (int i = 0; i < OPTION_N; i++) {
		if (cli->seen >> i & 1 && rows[i].takes && !(rows[i].takes & command->takes))
			return hf_err(HF_USAGE, "'%s' takes no --%s ('holdfast help %s')", command->name,
				      rows[i].name, command->name);
		if (rows[i].takes & missing)
			return hf_err(HF_USAGE, "'%s' needs --%s %s ('holdfast help %s')", command->name,
				      rows[i].name, rows[i].arg, command->name);
	}
	if (*command->words && *command->words != '[' && !cli->args.words_n)
		return hf_err(HF_USAGE, "'%s' needs %s ('holdfast help %s')", command->name, command->words,
			      command->name);
	if (!*command->words && cli->args.words_n)
		return hf_err(HF_USAGE, "'%s' takes no word, but '%s' is given", command->name,
			      cli->args.words[0]);
	return NULL;
}

/* In a debugger the target is what it holds. */
static struct hf_err *check_no_target(const struct hf_cli *cli)
{
	if (cli->pid || cli->core || cli->exe)
		return hf_err(HF_USAGE, "the debugger's own process or core is asked: leave %s out",
			      cli->pid    ? "-p"
			      : cli->core ? "-c"
					  : "-e");
	return NULL;
}

struct hf_err *hf_cli_parse(int argc, char **argv, bool held, struct hf_cli *ret)
{
	struct hf_cli cli = {
		.args = {.limit = HF_LIMIT_DEFAULT,
			 .min_bytes = HF_UNKNOWN,
			 .min_share = HF_MIN_SHARE_DEFAULT,
			 .patch = {.size = sizeof(struct hf_patch_options), .alloc_bytes = HF_UNKNOWN},
			 .held = held,
			 .leave = held ? "allow it in the debugger" : NULL},
		.options = {.size = sizeof(struct hf_options)},
	};

	HF_TRY(parse_options(argc, argv, &cli));
	HF_TRY(parse_words(argc, argv, &cli));
	if (!cli.help && !cli.version) {
		if (!cli.command)
			cli.command = hf_commands[0];
		HF_TRY(check(&cli));
		HF_TRY(held ? check_no_target(&cli) : check_target(&cli));
	}
	if (!cli.args.max)
		cli.args.max = cli.command && cli.command->max ? cli.command->max : HF_MAX_DEFAULT;
	*ret = cli;
	return NULL;
}

static bool names_target(enum option_id id)
{
	return id == OPTION_PID || id == OPTION_CORE || id == OPTION_EXE;
}

void hf_cli_add_options(struct hf_str *ret, unsigned takes, bool held)
{
	for (int i = 0; i < OPTION_N; i++) {
		char left[40] = "";

		if ((takes ? !(rows[i].takes & takes) : rows[i].takes != 0) ||
		    (held && names_target((enum option_id)i)))
			continue;
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", rows[i].letter ? '-' : ' ',
			 rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ", " : "  ", rows[i].name,
			 rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		hf_str_addf(ret, "  %-22s %s\n", left, rows[i].help);
	}
}

void hf_cli_add_target(struct hf_str *ret, const struct hf_cli *cli)
{
	if (!cli->core) {
		if (cli->pid)
			hf_str_addf(ret, "-p %d", cli->pid);
		return;
	}
	hf_str_add(ret, "-c ");
	hf_str_add_shell(ret, cli->core);
	if (cli->exe) {
		hf_str_add(ret, " -e ");
		hf_str_add_shell(ret, cli->exe);
	}
}
