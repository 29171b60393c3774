/* Plans by their id: the folder that they are kept in. */
#include "plan.h"
#include "state.h"

#include <unistd.h>

static void deinit_str(struct hf_str *s)
{
	hf_str_deinit(s);
}

static struct hf_err *path_of(const char *id, struct hf_str *ret)
{
	char name[HF_PLAN_ID + 16];

	snprintf(name, sizeof(name), "plans/%.16s.json", id);
	return hf_state_path(name, ret);
}

struct hf_err *hf_plan_keep(const struct hf_plan *plan, char **ret_path)
{
	_cleanup_(deinit_str) struct hf_str path = {0};

	HF_TRY(path_of(plan->id, &path));
	HF_TRY(hf_state_make_folders(path.s));
	HF_TRY(hf_plan_save(plan, path.s));
	*ret_path = take_ptr(path.s);
	path = (struct hf_str){0};
	return NULL;
}

static bool is_id(const char *word)
{
	return strlen(word) == HF_PLAN_ID - 1 && word[strspn(word, "0123456789abcdef")] == 0;
}

struct hf_err *hf_plan_find(const char *word, struct hf_plan *ret)
{
	_cleanup_(deinit_str) struct hf_str path = {0};

	if (!is_id(word) || access(word, F_OK) == 0)
		return hf_plan_load(word, ret);
	HF_TRY(path_of(word, &path));
	if (access(path.s, F_OK) != 0)
		return hf_err(HF_USAGE, "there is no plan %s: 'holdfast patch plan' makes one", word);
	return hf_plan_load(path.s, ret);
}
