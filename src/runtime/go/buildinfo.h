/* What the linker leaves in section .go.buildinfo: pure functions of its bytes, which are hostile.
 *
 *	0          14  15  16            32
 *	| magic    | p | f | (1.17: ptrs) | varint, version | varint, 16 bytes | modinfo | 16 bytes |
 *
 * f: flags; bit 1 says that the strings stand inline, which is so since Go 1.18.
 * Source: Go 1.26 debug/buildinfo/buildinfo.go, readRawBuildInfo; runtime/debug/mod.go, ParseBuildInfo.
 */
#ifndef HF_GO_BUILDINFO_H
#define HF_GO_BUILDINFO_H

#include "../../base/base.h"
#include "../../base/str.h"

/* Pieces of the section, not copied, not terminated. */
struct go_buildinfo {
	const char *version;
	size_t version_n;
	const char *modules; /* lines, without their frame; NULL where built without modules */
	size_t modules_n;
};

/* Finds the strings. False where there are none: no magic, the pointers of 1.17 and before, truncated, absurd
 * lengths. Where only the module part is damaged: true, with no modules. */
bool go_buildinfo_split(const void *bytes, size_t len, struct go_buildinfo *ret);

/* What the module lines say; strings are in the arena, "" where there is none. */
struct go_modinfo {
	const char *path;    /* the main package's, else the main module's */
	const char *version; /* the main module's */
	const char *vcs;     /* "REVISION, TIME (modified)", as far as known */
	const struct hf_dep *deps;
	size_t deps_n;
};

/* Lines that make no sense are passed over; what is no printable ASCII becomes '?', what is longer than any
 * path is cut. Errors: NOMEM. Cost: linear in n. */
struct hf_err *go_modinfo_parse(const char *text, size_t n, struct hf_arena *arena, struct go_modinfo *ret)
	HF_CHECKED;

/* A copy fit to be printed, cut at GO_BUILDINFO_TEXT bytes. NULL where memory is out. */
#define GO_BUILDINFO_TEXT 1024
char *go_buildinfo_text(struct hf_arena *arena, const char *s, size_t n);

#endif
