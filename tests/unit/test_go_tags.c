/* Struct tags: what they say of the wire, those that say nothing, and names whose bytes lie. */
#include "../../src/runtime/go/names.h"
#include "../../src/runtime/go/types_private.h"
#include "go_heap_fake.h"

#include <criterion/criterion.h>

static void expect_text(const char *tag, const char *text)
{
	struct hf_str str = {0};

	go_tag_text(tag, &str);
	cr_expect_str_eq(hf_str_get(&str), text, "%s", tag ? tag : "NULL");
	hf_str_deinit(&str);
}

Test(go_tags, wire_names_are_read)
{
	static const char *const rows[][2] = {
		{"thrift:\"body,2\"", "thrift 2: body"},
		{"thrift:\"body,2,required\" json:\"body\"", "thrift 2: body"},
		{"json:\"body\" thrift:\"b,2\"", "thrift 2: b"},
		{"frugal:\"2,default,string\" json:\"x\"", "frugal 2"},
		{"protobuf:\"bytes,2,opt,name=body,json=bodyText,proto3\" json:\"b,omitempty\"",
		 "protobuf 2: body"},
		{"protobuf:\"varint,15,rep\"", "protobuf 15"},
		{"json:\"body,omitempty\"", "json: body"},
		{"json:\"-\" yaml:\"body\"", "yaml: body"},
		{"json:\",omitempty\" db:\"body_text\"", "db: body_text"},
		{"  xml:\"body,attr\"", "xml: body"},
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		expect_text(rows[i][0], rows[i][1]);
}

Test(go_tags, tag_that_names_no_wire_field_gives_nothing)
{
	static const char *const rows[] = {
		NULL,
		"",
		" ",
		":",
		"\"",
		"json",
		"json:",
		"json:\"",
		"json:\"body",
		"json:body",
		"json:\"\"",
		"json:\"-\"",
		"json:\",omitempty\"",
		"validate:\"required\"",
		"ajson:\"x\"",
		"a note on this field",
		"thrift:\"\"",
		"thrift:\",\"",
		"thrift:\",x\"",
		"protobuf:\"\"",
		"protobuf:\"bytes\"",
		"protobuf:\"bytes,name\"",
		"frugal:\"x,default,string\"",
		"xthrift:\"body,2\" y",
	};

	for (size_t i = 0; i < HF_LEN(rows); i++)
		expect_text(rows[i], "");
}

Test(go_tags, long_parts_are_cut)
{
	char tag[600] = "thrift:\"";
	struct go_wire wire;

	memset(tag + 8, 'n', 400);
	strcpy(tag + 408, ",12345678901234567890\"");
	cr_assert(go_tag_read(tag, &wire));
	cr_expect_lt(strlen(wire.name), sizeof(wire.name));
	cr_expect_lt(strlen(wire.id), sizeof(wire.id));
}

/* ---- bytes of names ------------------------------------------------------------------------------------------- */

static struct go_heap_fake fake;
static struct hf_target *target;
static struct go go;

static void setup(void)
{
	fake_heap_init(&fake);
	cr_assert(fake_heap_open(&fake, &go, &target));
	cr_assert_null(go_types_create(&go));
}

static void teardown(void)
{
	fake_heap_close(&go, target);
}

enum { TAGGED = 0x3000 };

/* Flags 2, a name, a tag: each with its length, which may lie. */
static uint64_t put_tagged(const char *name, const uint8_t *lens, const char *tag)
{
	uint8_t *p = fake.meta + TYPES + TAGGED;

	*p++ = 2;
	*p++ = lens[0];
	memcpy(p, name, strlen(name));
	p += strlen(name);
	*p++ = lens[1];
	if (lens[1] & 0x80)
		*p++ = lens[2];
	memcpy(p, tag, strlen(tag));
	return type_addr(TAGGED);
}

Test(go_tags, tag_behind_a_name_is_found, .init = setup, .fini = teardown)
{
	const char *tag = go_rtype_tag_at(&go, put_tagged("Body", (const uint8_t[]){4, 8}, "json:\"b\""));

	cr_assert_not_null(tag);
	cr_expect_str_eq(tag, "json:\"b\"");
	tag = go_rtype_tag_at(&go, put_tagged("Body", (const uint8_t[]){4, 0x88, 0}, "json:\"b\""));
	cr_assert_not_null(tag, "a length in two bytes");
	cr_expect_str_eq(tag, "json:\"b\"");
}

Test(go_tags, name_or_tag_that_lies_gives_none, .init = setup, .fini = teardown)
{
	uint8_t *end = fake.meta + META_SIZE - 4;

	cr_expect_null(go_rtype_tag_at(&go, put_tagged("Body", (const uint8_t[]){4, 0}, "")), "empty");
	cr_expect_null(go_rtype_tag_at(&go, put_tagged("Body", (const uint8_t[]){4, 0xff, 0xff}, "")),
		       "longer than any tag");
	cr_expect_null(go_rtype_tag_at(&go, 0x10), "unmapped");
	cr_expect_null(go_rtype_tag_at(&go, UINT64_MAX), "at the end of the address space");
	/* A name that reaches beyond memory, and one whose length does. */
	memcpy(end, (const uint8_t[]){2, 0x7f, 'a', 'b'}, 4);
	cr_expect_null(go_rtype_tag_at(&go, meta_addr(META_SIZE - 4)));
	cr_expect_null(go_rtype_tag_at(&go, meta_addr(META_SIZE - 1)));
	cr_expect_str_eq(go_rtype_name_at(&go, meta_addr(META_SIZE - 4), NULL), "");
	cr_expect_str_eq(go_rtype_name_at(&go, meta_addr(META_SIZE - 1), NULL), "");
}
