#include "facts_private.h"

#include <stdio.h>
#include <stdlib.h>

static void print_text(struct hf_str *out, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	hf_str_addf(out, "%s ", key);
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if (*c < ' ' || *c == 0x7f || *c == '\\')
			hf_str_addf(out, "\\x%02x", *c);
		else
			hf_str_addc(out, (char)*c);
	}
	hf_str_addc(out, '\n');
}

static void print_time(struct hf_str *out, const char *key, double at)
{
	if (at >= 1)
		hf_str_addf(out, "%s %.6f\n", key, at);
}

struct hf_err *hf_facts_print(const struct hf_facts *facts, struct hf_str *ret)
{
	const char *name;

	for (size_t i = 0; (name = hf_facts_name(i)); i++) {
		uint64_t v = hf_facts_value(facts, i);

		if (v == HF_NOLIMIT)
			hf_str_addf(ret, "%s max\n", name);
		else if (v != HF_UNKNOWN)
			hf_str_addf(ret, "%s %" PRIu64 "\n", name, v);
	}
	hf_str_addf(ret, "pid %d\n", (int)facts->pid);
	print_time(ret, "taken_at", facts->taken_at);
	print_time(ret, "started_at", facts->started_at);
	print_text(ret, "comm", facts->comm);
	print_text(ret, "exe", facts->exe);
	print_text(ret, "cmdline", facts->cmdline);
	print_text(ret, "cgroup_path", facts->cgroup_path);
	print_text(ret, "hostname", facts->hostname);
	print_text(ret, "tool_version", facts->tool_version);
	return hf_str_check(ret);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the escapes out, in place; an escaped NUL ends the text, like any. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *c = text; *c; c++) {
		int hi = -1, lo = -1;

		if (c[0] == '\\' && c[1] == 'x') {
			hi = hex_digit(c[2]);
			lo = hi < 0 ? -1 : hex_digit(c[3]);
		}
		*out++ = lo < 0 ? *c : (char)(hi << 4 | lo);
		c += lo < 0 ? 0 : 3;
	}
	*out = '\0';
}

static struct hf_err *parse_text(char **text, char *value)
{
	unescape(value);
	return hf_facts_set_text(text, value, strlen(value));
}

/* Unix times of this and the next few thousand years; anything else is unknown. */
static void parse_time(double *at, const char *value)
{
	char *end;
	double v = strtod(value, &end);

	*at = end > value && *end == '\0' && v >= 1 && v < 1e12 ? v : 0;
}

static void parse_number(struct hf_facts *facts, const char *key, const char *value)
{
	if (!strcmp(key, "pid")) {
		uint64_t pid = hf_facts_number(value);

		facts->pid = pid <= INT32_MAX ? (pid_t)pid : 0;
	}
#define HF_FACT_PARSE(name, label)                                                                           \
	if (!strcmp(key, #name))                                                                             \
		facts->name = hf_facts_number(value);
	HF_FACTS(HF_FACT_PARSE)
#undef HF_FACT_PARSE
}

static struct hf_err *parse_pair(struct hf_facts *facts, const char *key, char *value)
{
	struct {
		const char *key;
		char **text;
	} texts[] = {
		{"comm", &facts->comm},         {"exe", &facts->exe},
		{"cmdline", &facts->cmdline},   {"cgroup_path", &facts->cgroup_path},
		{"hostname", &facts->hostname}, {"tool_version", &facts->tool_version},
	};

	for (size_t i = 0; i < HF_LEN(texts); i++)
		if (!strcmp(key, texts[i].key))
			return parse_text(texts[i].text, value);
	if (!strcmp(key, "taken_at"))
		parse_time(&facts->taken_at, value);
	else if (!strcmp(key, "started_at"))
		parse_time(&facts->started_at, value);
	else
		parse_number(facts, key, value);
	return NULL;
}

static struct hf_err *parse_line(struct hf_facts *facts, const char *text, size_t n)
{
	_free_ char *line = hf_strndup(text, n);
	char *space;

	if (!line)
		return hf_err_nomem();
	space = strchr(line, ' ');
	if (!space)
		return NULL;
	*space = '\0';
	return parse_pair(facts, line, space + 1);
}

struct hf_err *hf_facts_parse(const char *text, size_t len, struct hf_facts **ret)
{
	struct hf_facts *facts;
	struct hf_err *err = NULL;

	HF_TRY(hf_facts_unknown(&facts));
	for (size_t pos = 0; pos < len && !err;) {
		const char *nl = memchr(text + pos, '\n', len - pos);
		size_t n = nl ? (size_t)(nl - text) - pos : len - pos;

		err = parse_line(facts, text + pos, n);
		pos += n + 1;
	}
	if (err) {
		hf_facts_destroy(facts);
		return err;
	}
	*ret = facts;
	return NULL;
}
