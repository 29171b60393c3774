"""What a C file may include and call: layers are folders, and arrows point down only."""
import os
import re

# Each layer and those that it may include besides itself. A runtime fills the chunks that a graph is made of; the graph
# itself knows of no one but base. Reports see results, the command line asks through the public header.
BELOW = {
    "base": set(),
    "target": {"base"},
    "sym": {"base", "target"},
    "graph": {"base"},
    "runtime": {"base", "target", "sym", "graph"},
    "patch": {"base", "target", "sym", "runtime"},
    "query": {"base", "target", "sym", "graph", "runtime", "patch"},
    "report": {"base"},
    "cli": {"base"},
}

# The only homes of a third-party header.
HOMES = {
    "libdw": re.compile(r"src/sym/[^/]*\.c$"),
    "libelf": re.compile(r"src/(sym/[^/]*|target/core[^/]*)\.c$"),
    "jansson": re.compile(r"(src/(report|patch)/.*|src/runtime/pool/file|tests/unit/test_report_json)\.c$"),
    "zlib": re.compile(r"(src/(sym|report/pprof)/[^/]*|tests/unit/test_pprof)\.c$"),
    "capstone": re.compile(r"src/patch/insn\.c$"),
    "protobuf-c": re.compile(r"(src/report/pprof/.*|tests/unit/test_pprof)\.c$"),
    "libseccomp": re.compile(r"sandbox/[^/]*\.c$"),
    "criterion": re.compile(r"tests/unit/[^/]*$"),
    "python": re.compile(r"python/[^/]*\.c$"),
}
LIBRARIES = [
    ("libdw", re.compile(r"elfutils/libdw|^dwarf\.h$")),
    ("libelf", re.compile(r"^(g|lib)elf\.h$|elfutils/elf")),
    ("jansson", re.compile(r"^jansson")),
    ("capstone", re.compile(r"^capstone/")),
    ("protobuf-c", re.compile(r"^protobuf-c/")),
    ("libseccomp", re.compile(r"^seccomp\.h$")),
    ("zlib", re.compile(r"^(zlib|zconf)\.h$")),
    ("criterion", re.compile(r"^criterion/")),
    ("python", re.compile(r"^Python\.h$")),
]
SYSTEM = re.compile(r"^(sys|linux|asm|netinet|arpa|net)/|^[a-z0-9_]+\.h$")

# What the tool and the sandbox, a program of its own, say to one another: all that they share.
SANDBOX = "sandbox/verdict.h"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ALLOCATES = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf)\s*\(")


def library_of(header):
    for name, pattern in LIBRARIES:
        if pattern.search(header):
            return name
    return None if SYSTEM.match(header) else header


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def kind_of(path):
    """The runtime or report format that a file belongs to; None for the layer's own files, which name them all."""
    parts = path.split("/")
    return parts[2] if parts[1] in ("runtime", "report") and len(parts) > 3 else None


def check_library(path, header):
    name = library_of(header)
    if name is None:
        return
    if name not in HOMES:
        yield f"<{header}> is of a library that the project does not use"
    elif path.endswith(".h") and not path.startswith("tests/"):
        yield f"<{header}> shows in a header of ours: keep {name} in .c files"
    elif not HOMES[name].search(path):
        yield f"<{header}> outside of {name}'s own folder"


def check_own(path, header):
    """An include of ours, as written in path."""
    mine = layer_of(path)
    target = os.path.normpath(os.path.join(os.path.dirname(path), header))
    theirs = layer_of(target)
    if path.startswith("sandbox/") and not target.startswith("sandbox/"):
        yield f'"{header}": sandbox/ is a program of its own, that shares {SANDBOX} with the tool alone'
    if path.startswith("python/") and target != "include/holdfast.h" and not target.startswith("python/"):
        yield f'"{header}": python/ sees the public header alone'
    if mine is None or target == "include/holdfast.h" or target == SANDBOX and mine in ("runtime", "patch"):
        return
    if theirs is None:
        yield f'"{header}" is outside of src/ and is not the public header'
    elif theirs != mine and theirs not in BELOW.get(mine, set()):
        yield f'"{header}": {mine}/ must not include {theirs}/'
    elif kind_of(target) and (theirs != mine or kind_of(path) not in (None, kind_of(target))):
        yield f'"{header}": {kind_of(path) or mine + "/"} must not include {kind_of(target)}'


def check(path, text):
    """Yields (line, finding) of a C file."""
    code = strip_comments(text)
    for number, line in enumerate(code.split("\n"), 1):
        include = INCLUDE.match(line)
        if include:
            rule = check_library if include[1] == "<" else check_own
            for finding in rule(path, include[2]):
                yield number, finding
        elif path.startswith("src/") and path != "src/base/alloc.c":
            call = ALLOCATES.search(strip_strings(line))
            if call:
                yield number, f"{call[1]}() outside of src/base/alloc.c: use hf_{call[1].replace('reallocarray', 'realloc')}"
    if path.startswith("src/") and layer_of(path) not in BELOW:
        yield 1, "this folder is no layer: name it in tests/lint/layers.py, with what it may include"


def strip_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def strip_comments(text):
    """The text without comments, line by line as before."""
    def blank(match):
        return match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'"(\\.|[^"\\\n])*"|\'(\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', blank, text, flags=re.S)
