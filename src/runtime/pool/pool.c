/* Described pools, whatever their kind: from the file's keys to places, and the acts of a capture. */
#include "pool.h"

#include "../../base/safe.h"
#include "../../base/workers.h"

#include <stdlib.h>

/* The one list of kinds: a new one is a file, and a line here. */
extern const struct hf_pool_kind hf_pool_kind_slab;
static const struct hf_pool_kind *const kinds[] = {&hf_pool_kind_slab};

static const struct hf_pool_key common[] = {
	[HF_POOL_CONSTRUCTOR] = {"constructor", HF_POOL_HOLDS_CODE, false, false},
	[HF_POOL_OBJECT_SIZE] = {"object_size", HF_POOL_HOLDS_NUMBER, true, false},
};
static const char *const words[] = {"name", "kind", "instance", "type", "slab_type", "item_type"};

struct hf_described {
	struct hf_target *t;
	struct hf_syms *s;
	HF_VEC(struct hf_pool_desc) pools;
	HF_VEC(struct hf_described_pool) found; /* of all; with figures after the walk */
	struct hf_ranges_vec expected;          /* what prepare found, before the stop */
	struct hf_arena names;
};

/* ---- from the file -------------------------------------------------------------------------------------- */

/* One pool, as it is made out. */
struct opening {
	struct hf_described *d;
	const struct hf_pool_entries *from;
	struct hf_pool_desc *pool;
	uint32_t type; /* of its structure */
};

static const struct hf_pool_entry *find_entry(const struct opening *o, const char *key)
{
	hf_vec_each(&o->from->list, e)
		if (!strcmp(e->key, key))
			return e;
	return NULL;
}

static const struct hf_pool_key *key_at(const struct hf_pool_kind *kind, size_t i)
{
	return i < HF_POOL_KEYS ? &common[i] : &kind->keys[i - HF_POOL_KEYS];
}

static size_t keys_of(const struct hf_pool_kind *kind)
{
	return HF_POOL_KEYS + kind->keys_n;
}

/* A word of the pool's own: "" where absent and not required. */
static struct hf_err *get_text(struct opening *o, const char *key, bool required, const char **ret)
{
	const struct hf_pool_entry *e = find_entry(o, key);
	const char *text;

	if (e && (e->word != HF_POOL_TEXT || !*e->text))
		return hf_err(HF_USAGE, "%s: write a name in quotes", key);
	if (!e && required)
		return hf_err(HF_USAGE, "%s is missing", key);
	text = e ? hf_arena_strndup(&o->d->names, e->text, strlen(e->text)) : "";
	if (!text)
		return hf_err_nomem();
	*ret = text;
	return NULL;
}

static struct hf_err *find_kind(struct opening *o)
{
	struct hf_str names = {0};
	const char *name;
	struct hf_err *err;

	HF_TRY(get_text(o, "kind", true, &name));
	for (size_t i = 0; i < HF_LEN(kinds); i++)
		if (!strcmp(kinds[i]->name, name)) {
			o->pool->kind = kinds[i];
			return NULL;
		}
	for (size_t i = 0; i < HF_LEN(kinds); i++)
		hf_str_addf(&names, "%s\"%s\"", i ? ", " : "", kinds[i]->name);
	err = hf_err(HF_USAGE, "kind: there is none called '%s'; there is: %s", name, hf_str_get(&names));
	hf_str_deinit(&names);
	return err;
}

static bool is_known(const struct hf_pool_kind *kind, const char *key)
{
	for (size_t i = 0; i < HF_LEN(words); i++)
		if (!strcmp(words[i], key))
			return true;
	for (size_t i = 0; i < keys_of(kind); i++)
		if (!strcmp(key_at(kind, i)->name, key))
			return true;
	return false;
}

static struct hf_err *check_keys(const struct opening *o)
{
	const struct hf_pool_kind *kind = o->pool->kind;
	struct hf_str list = {0};
	struct hf_err *err = NULL;

	hf_vec_each(&o->from->list, e) {
		if (err || is_known(kind, e->key))
			continue;
		for (size_t i = 0; i < HF_LEN(words); i++)
			hf_str_addf(&list, "%s, ", words[i]);
		for (size_t i = 0; i < keys_of(kind); i++)
			hf_str_addf(&list, "%s%s", i ? ", " : "", key_at(kind, i)->name);
		err = hf_err(HF_USAGE, "unknown key '%s'; a pool of kind \"%s\" has %s", e->key, kind->name,
			     hf_str_get(&list));
	}
	hf_str_deinit(&list);
	return err;
}

/* What stands at a place must be what the key is about. An offset says so itself. */
static struct hf_err *check_place(const struct opening *o, const struct hf_pool_key *key,
				  const struct hf_pool_place *p, const char *text)
{
	const struct hf_type *t = hf_type_strip(o->d->s, p->type);

	if (key->of_slab && p->n > 1)
		return hf_err(HF_USAGE, "'%s' leads through a pointer: name a member of the slab itself",
			      text);
	switch (key->holds) {
	case HF_POOL_HOLDS_POINTER:
		return p->pointer ? NULL : hf_err(HF_USAGE, "'%s' is a '%s', no pointer", text, t->name);
	case HF_POOL_HOLDS_CODE:
		return p->pointer
			       ? NULL
			       : hf_err(HF_USAGE, "'%s' is a '%s', no pointer to a function", text, t->name);
	case HF_POOL_HOLDS_NUMBER:
		return p->size && !p->pointer ? NULL
					      : hf_err(HF_USAGE, "'%s' is a '%s', no number", text, t->name);
	case HF_POOL_HOLDS_MARK:
		return p->size ? NULL
			       : hf_err(HF_USAGE, "'%s' is a '%s', no number or pointer", text, t->name);
	default: /* SLOTS: whatever begins there, or a pointer to it */
		return NULL;
	}
}

static struct hf_err *resolve(struct opening *o, const struct hf_pool_key *key, uint32_t type,
			      const struct hf_pool_entry *e, struct hf_pool_place *ret)
{
	if (key->holds == HF_POOL_CONSTANT && e->word != HF_POOL_TEXT && e->word != HF_POOL_VALUE) {
		*ret = (struct hf_pool_place){.given = true, .constant = true, .value = e->number};
		return NULL;
	}
	if (key->holds == HF_POOL_CONSTANT)
		return hf_err(HF_USAGE, "write a number");
	if (e->word == HF_POOL_VALUE) {
		if (key->holds != HF_POOL_HOLDS_NUMBER && key->holds != HF_POOL_HOLDS_MARK)
			return hf_err(HF_USAGE,
				      "a {\"value\": ...} has no place: name a member or an offset");
		*ret = (struct hf_pool_place){.given = true, .constant = true, .value = e->number};
		return NULL;
	}
	if (e->word == HF_POOL_OFFSET) {
		bool pointer = key->holds == HF_POOL_HOLDS_POINTER || key->holds == HF_POOL_HOLDS_CODE;

		*ret = (struct hf_pool_place){.given = true,
					      .offset = {e->number},
					      .n = 1,
					      .size = e->size,
					      .pointer = pointer || e->pointer};
		return NULL;
	}
	HF_TRY(hf_pool_place_member(o->d->s, type, e->text, ret));
	return check_place(o, key, ret, e->text);
}

/* The keys of the pool's structure, or of its slabs. */
static struct hf_err *resolve_keys(struct opening *o, bool of_slab, uint32_t type)
{
	for (size_t i = 0; i < keys_of(o->pool->kind); i++) {
		const struct hf_pool_key *key = key_at(o->pool->kind, i);
		const struct hf_pool_entry *e = find_entry(o, key->name);

		if (key->of_slab != of_slab)
			continue;
		if (e)
			HF_TRY(hf_err_prefix(resolve(o, key, type, e, &o->pool->at[i]), "%s", key->name));
		else if (key->required)
			return hf_err(HF_USAGE, "%s is missing", key->name);
	}
	return NULL;
}

static struct hf_err *open_pool(struct opening *o)
{
	struct hf_pool_desc *pool = o->pool;
	const char *instance, *type, *slab_type;
	uint32_t slab;

	HF_TRY(get_text(o, "name", true, &pool->found.name));
	HF_TRY(find_kind(o));
	HF_TRY(check_keys(o));
	HF_TRY(get_text(o, "instance", true, &instance));
	HF_TRY(get_text(o, "type", false, &type));
	HF_TRY(get_text(o, "slab_type", false, &slab_type));
	HF_TRY(get_text(o, "item_type", false, &pool->found.item_type));
	HF_TRY(hf_err_prefix(hf_pool_place_variable(o->d->s, instance, type, &pool->instance), "instance"));
	HF_TRY(resolve_keys(o, false, pool->instance.type));
	slab = *slab_type ? hf_syms_find_type(o->d->s, slab_type) : pool->kind->slab_type(o->d->s, pool);
	if (*slab_type && !slab)
		return hf_err(HF_USAGE, "slab_type: there is no type '%s' in the debug information of %s",
			      slab_type, hf_syms_main(o->d->s)->path);
	HF_TRY(resolve_keys(o, true, slab));
	return pool->kind->check ? pool->kind->check(pool) : NULL;
}

static struct hf_err *check_names(const struct hf_described *d, const char *path)
{
	struct hf_map64 seen = {0};
	struct hf_err *err = NULL;
	uint64_t before;

	hf_vec_each(&d->pools, p) {
		uint64_t hash = hf_text_hash(0, p->found.name);

		if (hf_map64_find(&seen, hash, &before) &&
		    !strcmp(d->pools.at[before].found.name, p->found.name))
			err = hf_err(HF_USAGE, "%s: two pools are called '%s': give each a name of its own",
				     path, p->found.name);
		err = err ? err : hf_map64_put(&seen, hash, (uint64_t)(p - d->pools.at));
		if (err)
			break;
	}
	hf_map64_deinit(&seen);
	return err;
}

static struct hf_err *open_pools(struct hf_described *d, const char *path, const struct hf_pool_file *file)
{
	HF_TRY(hf_vec_reserve(&d->pools, file->pools.n));
	hf_vec_each(&file->pools, from) {
		struct opening o = {.d = d, .from = from, .pool = &d->pools.at[d->pools.n++]};
		struct hf_err *err;
		const char *name;

		*o.pool = (struct hf_pool_desc){.found = {.name = "", .item_type = "", .problem = ""}};
		err = open_pool(&o);
		name = o.pool->found.name;
		HF_TRY(hf_err_prefix(err, "%s: pools[%zu]%s%s%s", path, d->pools.n - 1, *name ? " (" : "",
				     name, *name ? ")" : ""));
		HF_TRY(hf_vec_push(&d->found, o.pool->found));
	}
	return check_names(d, path);
}

void hf_described_close(struct hf_described *d)
{
	if (!d)
		return;
	hf_vec_each(&d->pools, p) {
		if (p->kind)
			p->kind->deinit(p);
		hf_str_deinit(&p->problem);
	}
	hf_vec_deinit(&d->pools);
	hf_vec_deinit(&d->found);
	hf_vec_deinit(&d->expected.list);
	hf_arena_deinit(&d->names);
	hf_free(d);
}

struct hf_err *hf_described_of_file(struct hf_target *t, struct hf_syms *s, const char *path,
				    const struct hf_pool_file *file, struct hf_described **ret)
{
	struct hf_described *d = hf_calloc(1, sizeof(*d));
	struct hf_err *err;

	if (!d)
		return hf_err_nomem();
	d->t = t;
	d->s = s;
	err = open_pools(d, path, file);
	if (err)
		hf_described_close(d);
	else
		*ret = d;
	return err;
}

struct hf_err *hf_described_open(struct hf_target *t, struct hf_syms *s, const char *path,
				 struct hf_described **ret)
{
	struct hf_pool_file file = {0};
	struct hf_err *err = hf_pool_file_read(path, &file);

	err = err ? err : hf_described_of_file(t, s, path, &file, ret);
	hf_pool_file_deinit(&file);
	return err;
}

/* ---- the capture ------------------------------------------------------------------------------------------- */

struct hf_err *hf_pool_note(struct hf_pool_desc *pool, struct hf_err *err)
{
	enum hf_err_code code = hf_err_code(err);

	if (!err || code == HF_NOMEM || code == HF_INTERRUPTED || code == HF_TARGET)
		return err;
	if (!pool->problem.n)
		hf_str_add_clean(&pool->problem, hf_err_message(err));
	hf_err_destroy(err);
	return hf_str_check(&pool->problem);
}

#define OBJECT_MAX (UINT64_C(1) << 40)

static struct hf_err *take_pool(const struct hf_pool_reader *r, struct hf_pool_desc *p,
				struct hf_ranges_vec *ret)
{
	struct hf_described_pool *f = &p->found;
	const struct hf_pool_place *size = &p->at[HF_POOL_OBJECT_SIZE], *ctor = &p->at[HF_POOL_CONSTRUCTOR];

	HF_TRY(hf_pool_place_find(r, &p->instance, 0, &f->addr));
	if (!f->addr)
		return NULL;
	HF_TRY(hf_pool_place_read(r, size, f->addr, &f->object_size));
	if (!f->object_size || f->object_size > OBJECT_MAX)
		return hf_err_at(HF_BADDATA, f->addr,
				 "the pool at 0x%" PRIx64 " says that its objects have %" PRIu64 " bytes",
				 f->addr, f->object_size);
	if (ctor->given)
		HF_TRY(hf_pool_place_read(r, ctor, f->addr, &f->constructor));
	return p->kind->take(r, p, ret);
}

/* What stands in all pools, as ranges to be captured. */
static struct hf_err *take_all(struct hf_described *d, bool now, struct hf_ranges_vec *ret)
{
	struct hf_pool_reader r = {.t = d->t, .now = now};

	hf_vec_each(&d->pools, p) {
		struct hf_described_pool *f = &p->found;

		*f = (struct hf_described_pool){
			.name = f->name, .item_type = f->item_type, .constructor_name = "", .problem = ""};
		hf_str_truncate(&p->problem, 0);
		p->kind->deinit(p);
		HF_TRY(hf_interrupt_check());
		HF_TRY(hf_pool_note(p, take_pool(&r, p, ret)));
	}
	return NULL;
}

struct hf_err *hf_described_prepare(struct hf_described *d)
{
	d->expected.list.n = 0;
	HF_TRY(take_all(d, true, &d->expected));
	return hf_target_prepare(d->t, d->expected.list.at, d->expected.list.n);
}

struct hf_err *hf_described_capture(struct hf_described *d)
{
	struct hf_ranges_vec ranges = {0};
	struct hf_err *err = NULL;

	if (!d->t->stopped) { /* it stands still anyway: reads take what they need */
		err = take_all(d, false, &ranges);
	} else {
		/* In bulk what was there a moment ago: to come upon it slab by slab takes ten times as long. */
		err = hf_target_capture(d->t, d->expected.list.at, d->expected.list.n);
		err = err ? err : take_all(d, false, &ranges);
		err = err ? err : hf_target_capture(d->t, ranges.list.at, ranges.list.n);
	}
	hf_vec_deinit(&ranges.list);
	return err;
}

/* The function at an address, or what it is in. */
static struct hf_err *name_code(struct hf_described *d, uint64_t code, const char **ret)
{
	struct hf_str name = {0};
	struct hf_symbol sym;

	*ret = "";
	if (!code || !hf_syms_symbol_at(d->s, code, &sym))
		return NULL;
	hf_str_add(&name, sym.name);
	if (code != sym.addr)
		hf_str_addf(&name, "+0x%" PRIx64, code - sym.addr);
	*ret = hf_arena_strndup(&d->names, hf_str_get(&name), name.n);
	hf_str_deinit(&name);
	return *ret ? NULL : hf_err_nomem();
}

struct hf_err *hf_described_walk(struct hf_described *d)
{
	d->found.n = 0;
	hf_vec_each(&d->pools, p) {
		if (p->found.addr)
			HF_TRY(p->kind->walk(d->t, p));
		HF_TRY(name_code(d, p->found.constructor, &p->found.constructor_name));
		p->found.problem = hf_str_get(&p->problem);
		if (p->problem.n)
			hf_target_warn(d->t, true, "pool %s: %s: its figures are of the rest", p->found.name,
				       p->found.problem);
		HF_TRY(hf_vec_push(&d->found, p->found));
	}
	return NULL;
}

size_t hf_described_pools(const struct hf_described *d, const struct hf_described_pool **ret)
{
	*ret = d->found.at;
	return d->found.n;
}

/* ---- the constructor ---------------------------------------------------------------------------------------- */

static struct hf_err *no_pool(const struct hf_described *d, const char *pool)
{
	struct hf_str names = {0};
	struct hf_err *err;

	hf_vec_each(&d->pools, p)
		if (p - d->pools.at < 12)
			hf_str_addf(&names, "%s%s", p == d->pools.at ? "" : ", ", p->found.name);
	err = hf_err(HF_USAGE, "no pool '%s' is described; these are: %s%s", pool, hf_str_get(&names),
		     d->pools.n > 12 ? "..." : "");
	hf_str_deinit(&names);
	return err;
}

/* By name, else by address. */
static struct hf_err *find_pool(struct hf_described *d, const struct hf_pool_reader *r, const char *word,
				struct hf_pool_desc **ret, uint64_t *ret_addr)
{
	char *end;
	uint64_t wanted = strtoull(word, &end, 16);
	bool is_addr = !strncmp(word, "0x", 2) && word[2] && !*end;

	hf_vec_each(&d->pools, p) {
		bool named = !strcmp(p->found.name, word);

		if (!named && !is_addr)
			continue;
		if (hf_err_ignore(hf_pool_place_find(r, &p->instance, 0, ret_addr)))
			*ret_addr = 0;
		*ret = p;
		if (named || (*ret_addr && *ret_addr == wanted))
			return NULL;
	}
	return no_pool(d, word);
}

struct hf_err *hf_pool_ctor_slot(struct hf_described *d, const char *pool, struct hf_ctor_slot *ret)
{
	struct hf_pool_reader r = {.t = d->t, .now = true};
	struct hf_ctor_slot slot = {.kind = HF_POOL_DESCRIBED, .item_type_name = ""};
	const struct hf_pool_place *ctor;
	struct hf_pool_desc *p = NULL;
	uint8_t word[8];

	HF_TRY(find_pool(d, &r, pool, &p, &slot.pool_addr));
	ctor = &p->at[HF_POOL_CONSTRUCTOR];
	slot.pool = p->found.name;
	slot.item_type_name = p->found.item_type;
	slot.slot_type = ctor->type;
	if (!ctor->given)
		return hf_err(HF_USAGE,
			      "the constructor of pool %s is not described: add \"constructor\" to its file",
			      slot.pool);
	if (!slot.pool_addr)
		return hf_err(HF_TARGET, "pool %s is not there yet: the pointer to it is NULL", slot.pool);
	HF_TRY(hf_pool_place_find(&r, ctor, slot.pool_addr, &slot.slot_addr));
	if (!slot.slot_addr || slot.slot_addr % 8)
		return hf_err_at(HF_BADDATA, slot.slot_addr,
				 "the constructor of pool %s would stand at 0x%" PRIx64
				 ", which is no aligned word",
				 slot.pool, slot.slot_addr);
	HF_TRY(hf_pool_read(&r, slot.slot_addr, word, sizeof(word)));
	slot.value = slot.code = hf_load_u64(word);
	HF_TRY(name_code(d, slot.code, &slot.function));
	HF_TRY(hf_pool_place_read(&r, &p->at[HF_POOL_OBJECT_SIZE], slot.pool_addr, &slot.object_size));
	*ret = slot;
	return NULL;
}
