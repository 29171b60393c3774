/* patch plan, and what all questions on a patch begin with. */
#include "../target/identity.h"
#include "../patch/load.h"
#include "patch_private.h"

#include <stdlib.h>

#define CLOSURE "closure:"
#define THUNK   "thunk:"

/* ---- the new constructor -------------------------------------------------------------------------------------------- */

bool hf_patch_names_file(const char *word, struct hf_patch_file *ret)
{
	const char *colon = strrchr(word, ':');

	if (!colon || !colon[1] || word[0] != '/' || (size_t)(colon - word) >= sizeof(ret->path))
		return false;
	memcpy(ret->path, word, (size_t)(colon - word));
	ret->path[colon - word] = '\0';
	ret->function = colon + 1;
	return true;
}

/* Of code that the process has loaded by now; nothing but apply loads it. */
static struct hf_err *find_in_file(struct hf_patch *p, const char *to, const struct hf_patch_file *file)
{
	char addr[24];
	uint64_t code;

	if (p->s->t->core)
		return hf_err(HF_UNSUPPORTED, "'%s': a core has only the code that was in the process", to);
	if (strcmp(p->callee->ops->name, "c") != 0)
		return hf_err(HF_UNSUPPORTED, "'%s': shared objects are for C's pools", to);
	HF_TRY(hf_patch_find_loaded(p->s->t, file->path, file->function, &code));
	if (!code)
		return hf_err(HF_REFUSED,
			      "%s is not loaded in %s: 'patch apply' loads it, which writes to the process, "
			      "and then runs %s "
			      "dry before anything uses it",
			      file->path, p->s->t->label, file->function);
	snprintf(addr, sizeof(addr), "0x%" PRIx64, code);
	HF_TRY(p->callee->ops->find(p->callee, addr, &p->ctor));
	p->ctor.name = hf_arena_strndup(&p->names, to, strlen(to));
	return p->ctor.name ? NULL : hf_err_nomem();
}

/* The code that the pool has, with another number captured. */
static struct hf_err *make_closure(struct hf_patch *p, const char *to)
{
	uint64_t n;

	if (strcmp(p->callee->ops->name, "go") != 0)
		return hf_err(HF_UNSUPPORTED, "'%s': closures are Go's", to);
	if (!hf_parse_address(to + strlen(CLOSURE), &n))
		return hf_err(HF_USAGE, "'%s': closure:N takes a number", to);
	if (!p->slot.code)
		return hf_err(HF_REFUSED, "%s has no constructor whose closure could be made anew",
			      p->slot.pool);
	p->ctor = (struct hf_ctor){.code = p->slot.code, .captures = true, .captured = n};
	p->ctor.name = hf_arena_strndup(&p->names, to, strlen(to));
	return p->ctor.name ? NULL : hf_err_nomem();
}

/* Code that the program does not have. */
static struct hf_err *make_thunk(struct hf_patch *p, const char *to)
{
	if (!p->callee->ops->make)
		return hf_err(HF_UNSUPPORTED, "'%s': code is made for Go's pools alone", to);
	if (!p->options->expert)
		return hf_err(
			HF_REFUSED,
			"'%s': code that the program does not have is for experts alone (--expert): it stays "
			"in the process for good",
			to);
	HF_TRY(p->callee->ops->make(p->callee, &p->slot, to + strlen(THUNK), &p->ctor));
	if (p->ctor.code && p->ctor.code == p->slot.code)
		return hf_err(HF_REFUSED, "%s is the constructor that the pool %s has", to, p->slot.pool);
	p->ctor.name = hf_arena_strndup(&p->names, to, strlen(to));
	return p->ctor.name ? NULL : hf_err_nomem();
}

/* Go's pools then give out nil; those of C call what is not there. */
static struct hf_err *take_none(struct hf_patch *p)
{
	if (!p->options->expert || strcmp(p->callee->ops->name, "go") != 0)
		return hf_err(
			HF_REFUSED,
			"null: without a constructor the pool gives out nothing, which its users do not "
			"expect%s",
			p->options->expert ? "; a C program would call it" : "");
	if (!p->slot.value)
		return hf_err(HF_REFUSED, "the pool %s has no constructor", p->slot.pool);
	p->ctor = (struct hf_ctor){.name = "nil", .none = true};
	return NULL;
}

static struct hf_err *find_ctor(struct hf_patch *p, const char *to)
{
	struct hf_patch_file file;

	if (!strcmp(to, "nil") || !strcmp(to, "NULL"))
		return take_none(p);
	if (!strncmp(to, THUNK, strlen(THUNK)))
		return make_thunk(p, to);
	if (hf_patch_names_file(to, &file))
		return find_in_file(p, to, &file);
	if (!strncmp(to, CLOSURE, strlen(CLOSURE)))
		return make_closure(p, to);
	HF_TRY(p->callee->ops->find(p->callee, to, &p->ctor));
	if (p->ctor.code == p->slot.code)
		return hf_err(HF_REFUSED, "%s is the constructor that the pool %s has", p->ctor.name,
			      p->slot.pool);
	return NULL;
}

/* ---- the plan ------------------------------------------------------------------------------------------------------ */

static const char *keep(struct hf_arena *names, const char *s)
{
	const char *copy = hf_arena_strndup(names, s ? s : "", s ? strlen(s) : 0);

	return copy ? copy : "";
}

static const char *build_id(struct hf_patch *p)
{
	const struct hf_module *m = hf_syms_main(p->s->syms);
	struct hf_str hex = {0};
	const char *copy;

	if (!m)
		return "";
	for (size_t i = 0; i < m->build_id_len; i++)
		hf_str_addf(&hex, "%02x", m->build_id[i]);
	copy = keep(&p->plan.names, hex.n ? hf_str_get(&hex) : m->go_build_id);
	hf_str_deinit(&hex);
	return copy;
}

static enum hf_plan_how how_of(const struct hf_ctor *ctor)
{
	if (ctor->none)
		return HF_PLAN_STORE;
	if (ctor->captures)
		return HF_PLAN_CLOSURE;
	if (ctor->value)
		return HF_PLAN_STORE;
	return ctor->is_made ? HF_PLAN_THUNK : HF_PLAN_FUNCVAL;
}

static struct hf_err *make_plan(struct hf_patch *p)
{
	const struct hf_patch_options *o = p->options;
	const struct hf_module *main = hf_syms_main(p->s->syms);
	const struct hf_ctor_slot *slot = &p->slot;
	struct hf_plan *plan = &p->plan;
	struct hf_arena *names = &plan->names;
	struct hf_identity id = {0};

	/* Of a process elsewhere no more is known than its number there. */
	id.pid = p->s->t->core ? 0 : p->s->t->pid;
	if (!strcmp(p->s->t->ops->kind, "live"))
		HF_TRY(hf_target_identity(p->s->t, &id));
	plan->pid = id.pid;
	plan->start_time = id.start_time;
	plan->exe = keep(names, main ? main->path : "");
	plan->build_id = *id.build_id ? keep(names, id.build_id) : build_id(p);
	plan->runtime = p->callee->ops->name;
	plan->pool = keep(names, slot->pool);
	plan->kind = keep(names, slot->kind);
	plan->pool_addr = slot->pool_addr;
	plan->slot_addr = slot->slot_addr;
	plan->old_value = slot->value;
	plan->old_code = slot->code;
	plan->old_function = keep(names, slot->function);
	plan->old_on_heap = slot->value_on_heap;
	plan->new_value = p->ctor.value;
	plan->new_code = p->ctor.code;
	plan->new_function = keep(names, p->ctor.name);
	plan->item_type = keep(names, slot->item_type_name);
	plan->object_size = slot->object_size;
	plan->cpu_us = o->cpu_us ? o->cpu_us : HF_DRY_RUN_CPU_US;
	plan->alloc_bytes = o->alloc_bytes != HF_UNKNOWN ? o->alloc_bytes : HF_DRY_RUN_BYTES;
	plan->hold_us = o->hold_us ? o->hold_us : HF_DRY_RUN_HOLD_US;
	plan->strict = o->strict;
	plan->expert = o->expert;
	plan->how = how_of(&p->ctor);
	plan->captured = p->ctor.captured;
	plan->file = "";
	return hf_plan_seal(plan);
}

/* A plan that was saved says what is asked; it must come out the same now. */
static struct hf_err *read_plan(const char *word, struct hf_plan *ret, struct hf_patch_options *options)
{
	HF_TRY(hf_plan_find(word, ret));
	options->pool = NULL;
	options->to = *ret->new_function ? ret->new_function : NULL;
	options->cpu_us = ret->cpu_us;
	options->alloc_bytes = ret->alloc_bytes;
	options->hold_us = ret->hold_us;
	options->strict = ret->strict;
	options->expert = ret->expert;
	return NULL;
}

/* Before anything is looked for: what a plan of another process names means nothing here. */
static struct hf_err *check_target(const struct hf_session *s, const struct hf_plan *saved)
{
	struct hf_identity id = {0};

	if (!s->t->core)
		HF_TRY(hf_target_identity(s->t, &id));
	if (saved->pid != id.pid || saved->start_time != id.start_time)
		return hf_err(HF_REFUSED, "the plan %s is of %s, not of this one: make another", saved->id,
			      saved->pid ? "another process" : "a core");
	return NULL;
}

static struct hf_err *check_same(const struct hf_plan *saved, const struct hf_plan *now)
{
	if (!strcmp(saved->id, now->id))
		return NULL;
	if (strcmp(saved->build_id, now->build_id) != 0)
		return hf_err(HF_REFUSED, "the plan %s is of another build of the program: make another",
			      saved->id);
	if (saved->old_value != now->old_value)
		return hf_err_at(HF_STALE, now->slot_addr,
				 "the pool %s has another constructor than when the plan %s was made: %s",
				 now->pool, saved->id, now->old_function);
	return hf_err(HF_REFUSED, "the plan %s does not come out the same again: make another", saved->id);
}

/* The address of the pool, where a plan names it: its name may be that of several. */
static void address_word(uint64_t addr, char *ret, size_t len)
{
	snprintf(ret, len, "0x%" PRIx64, addr);
}

struct hf_err *hf_patch_open(struct hf_session *s, const struct hf_patch_options *options,
			     struct hf_patch *ret)
{
	_cleanup_(hf_plan_deinit) struct hf_plan saved = {0};
	struct hf_patch_options set = {.size = sizeof(set), .alloc_bytes = HF_UNKNOWN};
	char addr[24];

	if (options)
		memcpy(&set, options, hf_min(options->size, sizeof(set)));
	ret->s = s;
	ret->options = options;
	HF_TRY(hf_session_open_syms(s));
	if (set.plan) {
		HF_TRY(read_plan(set.plan, &saved, &set));
		HF_TRY(check_target(s, &saved));
		address_word(saved.pool_addr, addr, sizeof(addr));
		set.pool = addr;
	}
	if (!set.pool || !set.to)
		return hf_err(HF_USAGE, "a patch is of a pool and to a constructor: both must be named");
	ret->options = &set;
	HF_TRY(hf_patch_find_pool(ret, set.pool));
	if (*saved.id)
		ret->slot.pool = keep(&ret->names, saved.pool);
	HF_TRY(find_ctor(ret, set.to));
	HF_TRY(make_plan(ret));
	ret->options = options;
	return *saved.id ? check_same(&saved, &ret->plan) : NULL;
}

void hf_patch_close(struct hf_patch *p)
{
	if (p->callee)
		p->callee->ops->close(p->callee);
	p->callee = NULL;
	hf_plan_deinit(&p->plan);
	hf_arena_deinit(&p->names);
}

/* ---- plan ------------------------------------------------------------------------------------------------------------- */

static struct hf_err *save(const struct hf_patch *p, struct hf_patch_plan *plan, const void *result)
{
	_free_ char *path = NULL;

	if (p->options->save) {
		plan->saved = hf_result_str(result, p->options->save);
		return hf_plan_save(&p->plan, p->options->save);
	}
	HF_TRY(hf_plan_keep(&p->plan, &path));
	plan->saved = hf_result_str(result, path);
	return NULL;
}

static struct hf_err *plan(struct hf_patch *p, struct hf_patch_plan *ret)
{
	const struct hf_patch_plan *told;

	HF_TRY(hf_patch_tell_plan(ret, p, &told));
	*ret = *told;
	HF_TRY(hf_patch_find_users(p, ret));
	return save(p, ret, ret);
}

struct hf_err *hf_patch_plan(struct hf_session *s, const struct hf_patch_options *options,
			     const struct hf_patch_plan **ret)
{
	_cleanup_(hf_patch_close) struct hf_patch p = {0};
	struct hf_patch_plan *result;
	struct hf_err *err;

	HF_TRY(hf_patch_open(s, options, &p));
	HF_TRY(hf_result_new(sizeof(*result), &result));
	err = plan(&p, result);
	if (err) {
		hf_result_free(result);
		return err;
	}
	*ret = result;
	return NULL;
}
