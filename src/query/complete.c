/* complete: how a word of a question may go on. */
#include "session.h"

#define NAMES_MAX 1000

struct names {
	const char *prefix;
	size_t prefix_len, n;
	struct hf_str *out;
};

static bool add(struct names *names, const char *name)
{
	if (strncmp(name, names->prefix, names->prefix_len) != 0 || strchr(name, '\n'))
		return true;
	hf_str_add(names->out, name);
	hf_str_addc(names->out, '\n');
	return ++names->n < NAMES_MAX;
}

static void add_types(struct hf_session *s, struct names *names)
{
	uint32_t n = s->typed ? s->rt->ops->types(s->rt) : 0;
	struct hf_str full = {0}, brief = {0};

	for (uint32_t type = 0, more = 1; type < n && more; type++) {
		hf_str_truncate(&full, 0);
		hf_str_truncate(&brief, 0);
		s->rt->ops->type_name(s->rt, type, &full);
		hf_str_add_short(&brief, hf_str_get(&full));
		more = add(names, hf_str_get(&brief));
		if (more && strcmp(hf_str_get(&full), hf_str_get(&brief)) != 0)
			more = add(names, hf_str_get(&full));
	}
	hf_str_deinit(&full);
	hf_str_deinit(&brief);
}

struct hf_err *hf_session_complete(struct hf_session *s, const char *prefix, char **ret)
{
	struct hf_str out = {0};
	struct names names = {.prefix = prefix, .prefix_len = strlen(prefix), .out = &out};
	const struct hf_variable *variables;
	struct hf_err *err;
	size_t n;

	HF_TRY(hf_session_open_syms(s));
	HF_TRY(hf_syms_variables(s->syms, &variables, &n));
	for (size_t i = 0; i < n && add(&names, variables[i].name); i++)
		;
	add_types(s, &names);
	err = hf_str_check(&out);
	if (!err && !out.s)
		out.s = hf_strdup("");
	if (!err && !out.s)
		err = hf_err_nomem();
	if (err)
		hf_str_deinit(&out);
	else
		*ret = out.s;
	return err;
}
