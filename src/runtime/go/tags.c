/* Struct tags, as those know them who write the interface: `thrift:"body,2"` is field 2, body. */
#include "names.h"

#define WORD_MAX 128

/* The value of a key in a tag, `key:"value" key:"value"`, into buf. False: it is not there, or the tag is none. Source: Go
 * reflect/type.go, StructTag.Lookup; values with escapes are taken as they are. */
static bool find_key(const char *tag, const char *key, char *buf, size_t len)
{
	size_t key_n = strlen(key);

	while (tag && *tag) {
		const char *colon, *end;

		tag += strspn(tag, " ");
		colon = strchr(tag, ':');
		if (!colon || colon[1] != '"' || !(end = strchr(colon + 2, '"')))
			return false;
		if ((size_t)(colon - tag) == key_n && !strncmp(tag, key, key_n)) {
			size_t n = hf_min((size_t)(end - colon - 2), len - 1);

			memcpy(buf, colon + 2, n);
			buf[n] = '\0';
			return true;
		}
		tag = end + 1;
	}
	return false;
}

/* The i-th part of a list with commas, cut to fit; "" where there is none. */
static void part_of(const char *list, int i, char *buf, size_t len)
{
	size_t n;

	while (i-- > 0 && list)
		list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL;
	n = list ? hf_min(strcspn(list, ","), len - 1) : 0;
	if (n)
		memcpy(buf, list, n);
	buf[n] = '\0';
}

static bool is_number(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

/* protobuf: "bytes,2,opt,name=body,json=body,proto3" */
static void protobuf_name(const char *list, char *buf, size_t len)
{
	const char *name = strstr(list, ",name=");

	part_of(name ? name + 6 : "", 0, buf, len);
}

bool go_tag_read(const char *tag, struct go_wire *ret)
{
	static const char *const plain[] = {"json", "msgpack", "bson", "yaml", "xml", "avro", "cbor", "db"};
	char value[WORD_MAX];

	*ret = (struct go_wire){.format = ""};
	if (find_key(tag, "thrift", value, sizeof(value))) {
		ret->format = "thrift";
		part_of(value, 0, ret->name, sizeof(ret->name));
		part_of(value, 1, ret->id, sizeof(ret->id));
	} else if (find_key(tag, "protobuf", value, sizeof(value))) {
		ret->format = "protobuf";
		protobuf_name(value, ret->name, sizeof(ret->name));
		part_of(value, 1, ret->id, sizeof(ret->id));
	} else if (find_key(tag, "frugal", value, sizeof(value))) {
		ret->format = "frugal";
		part_of(value, 0, ret->id, sizeof(ret->id));
	}
	if (!is_number(ret->id))
		ret->id[0] = '\0';
	for (size_t i = 0; i < HF_LEN(plain) && !*ret->format; i++) {
		if (!find_key(tag, plain[i], value, sizeof(value)))
			continue;
		part_of(value, 0, ret->name, sizeof(ret->name));
		if (*ret->name && strcmp(ret->name, "-") != 0)
			ret->format = plain[i];
	}
	return *ret->format && (*ret->name || *ret->id);
}

void go_tag_text(const char *tag, struct hf_str *ret)
{
	struct go_wire wire;

	if (!go_tag_read(tag, &wire))
		return;
	hf_str_add(ret, wire.format);
	if (*wire.id)
		hf_str_addf(ret, " %s", wire.id);
	if (*wire.name)
		hf_str_addf(ret, ": %s", wire.name);
}
