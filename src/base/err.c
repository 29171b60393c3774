#include "base.h"

#include <stdarg.h>
#include <stdio.h>

struct hf_err {
	enum hf_err_code code;
	bool has_addr;
	uint64_t addr;
	char message[];
};

/* Given out where no other error can be made; never freed. */
static struct hf_err no_memory = {.code = HF_NOMEM, .message = "out of memory"};

/* clang-format off */
static const struct {
	const char *name, *python, *text;
	int exit_code;
} codes[] = {
	[HF_OK] = {"OK", "", "success", 0},
#define HF_ERR_ROW(name, exit, python, text) [HF_##name] = {#name, python, text, exit},
	HF_ERR_CODES(HF_ERR_ROW)
#undef HF_ERR_ROW
};
/* clang-format on */

/* Names of the target get into messages: no byte of theirs may begin a line or drive the terminal. */
static void make_one_line(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < 0x20 || *line == 0x7f)
			*line = '?';
}

static struct hf_err *make(enum hf_err_code code, bool has_addr, uint64_t addr, const char *fmt, va_list args)
{
	char line[1024];
	struct hf_err *err;
	int n = vsnprintf(line, sizeof(line), fmt, args);

	if (n < 0)
		n = snprintf(line, sizeof(line), "%s", codes[code].text);
	n = hf_min(n, (int)sizeof(line) - 1);
	make_one_line(line);
	err = hf_malloc(sizeof(*err) + (size_t)n + 1);
	if (!err)
		return hf_err_nomem();
	err->code = code;
	err->has_addr = has_addr;
	err->addr = addr;
	memcpy(err->message, line, (size_t)n + 1);
	return err;
}

struct hf_err *hf_err(enum hf_err_code code, const char *fmt, ...)
{
	va_list args;
	struct hf_err *err;

	va_start(args, fmt);
	err = make(code, false, 0, fmt, args);
	va_end(args);
	return err;
}

struct hf_err *hf_err_at(enum hf_err_code code, uint64_t addr, const char *fmt, ...)
{
	va_list args;
	struct hf_err *err;

	va_start(args, fmt);
	err = make(code, true, addr, fmt, args);
	va_end(args);
	return err;
}

struct hf_err *hf_err_nomem(void)
{
	return &no_memory;
}

struct hf_err *hf_err_prefix(struct hf_err *err, const char *fmt, ...)
{
	char prefix[512];
	struct hf_err *longer;
	va_list args;

	if (!err)
		return NULL;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	longer = err->has_addr ? hf_err_at(err->code, err->addr, "%s: %s", prefix, hf_err_message(err))
			       : hf_err(err->code, "%s: %s", prefix, hf_err_message(err));
	hf_err_destroy(err);
	return longer;
}

bool hf_err_ignore(struct hf_err *err)
{
	bool was = err != NULL;

	hf_err_destroy(err);
	return was;
}

enum hf_err_code hf_err_code(const struct hf_err *err)
{
	return err ? err->code : HF_OK;
}

const char *hf_err_code_name(enum hf_err_code code)
{
	return code < HF_LEN(codes) ? codes[code].name : "?";
}

const char *hf_err_python_name(enum hf_err_code code)
{
	return code < HF_LEN(codes) ? codes[code].python : "RuntimeError";
}

int hf_err_exit_code(const struct hf_err *err)
{
	return codes[hf_err_code(err)].exit_code;
}

const char *hf_err_message(const struct hf_err *err)
{
	return err ? err->message : "success";
}

bool hf_err_addr(const struct hf_err *err, uint64_t *ret)
{
	if (!err || !err->has_addr)
		return false;
	*ret = err->addr;
	return true;
}

void hf_err_destroy(struct hf_err *err)
{
	if (err != &no_memory)
		hf_free(err);
}

void hf_err_destroy_p(struct hf_err **err)
{
	hf_err_destroy(*err);
}
