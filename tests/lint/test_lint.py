#!/usr/bin/env python3
"""The lint must find what it is there to find, and nothing else."""
import sys

sys.dont_write_bytecode = True
import layers
import words
import writes

# path, a line, what is found (a part of it; "" for nothing)
LAYERS = [
    ("src/base/err.c", '#include "err.h"', ""),
    ("src/base/err.c", '#include "../../include/holdfast.h"', ""),
    ("src/base/err.c", '#include "../target/target.h"', "base/ must not include target/"),
    ("src/target/maps.c", '#include "../sym/sym.h"', "target/ must not include sym/"),
    ("src/sym/elf.c", '#include "../target/target.h"', ""),
    ("src/sym/elf.c", '#include "../runtime/runtime.h"', "sym/ must not include runtime/"),
    ("src/graph/mark.c", '#include "../runtime/runtime.h"', "graph/ must not include runtime/"),
    ("src/runtime/go/walk.c", '#include "../../graph/graph.h"', ""),
    ("src/runtime/go/walk.c", '#include "../runtime.h"', ""),
    ("src/runtime/go/walk.c", '#include "../glibc/heap.h"', "go must not include glibc"),
    ("src/runtime/runtime.c", '#include "go/go.h"', ""),
    ("src/query/why.c", '#include "../runtime/runtime.h"', ""),
    ("src/query/why.c", '#include "../runtime/go/go.h"', "query/ must not include go"),
    ("src/query/why.c", '#include "../graph/graph.h"', ""),
    ("src/query/why.c", '#include "../report/report.h"', "query/ must not include report/"),
    ("src/report/text/why.c", '#include "../json/json.h"', "text must not include json"),
    ("src/report/report.c", '#include "json/json.h"', ""),
    ("src/report/text/why.c", '#include "../../graph/graph.h"', "report/ must not include graph/"),
    ("src/cli/main.c", '#include "../base/str.h"', ""),
    ("src/cli/main.c", '#include "../query/query.h"', "cli/ must not include query/"),
    ("src/cli/main.c", '  #  include "../target/target.h"', "cli/ must not include target/"),
    ("src/cli/main.c", '#include "../../tests/unit/random.h"', "outside of src/"),
    ("src/other/x.c", "", "no layer"),
    ("src/sym/dwarf.c", "#include <elfutils/libdw.h>", ""),
    ("src/sym/dwarf.h", "#include <elfutils/libdw.h>", "in a header of ours"),
    ("src/target/core_elf.c", "#include <gelf.h>", ""),
    ("src/target/maps.c", "#include <gelf.h>", "outside of libelf's own folder"),
    ("src/target/core.c", "#include <dwarf.h>", "outside of libdw's own folder"),
    ("src/target/maps.c", "#include <elf.h>", ""),
    ("src/report/json/json.c", "#include <jansson.h>", ""),
    ("src/cli/main.c", "#include <jansson.h>", "outside of jansson's own folder"),
    ("src/cli/main.c", "#include <sys/ptrace.h>", ""),
    ("src/cli/main.c", "#include <glib/gtypes.h>", "does not use"),
    ("include/holdfast.h", "#include <jansson.h>", "in a header of ours"),
    ("python/session.c", "#include <Python.h>", ""),
    ("python/session.c", '#include "../include/holdfast.h"', ""),
    ("python/session.c", '#include "extension.h"', ""),
    ("python/session.c", '#include "../src/base/str.h"', "the public header alone"),
    ("python/extension.h", "#include <Python.h>", "in a header of ours"),
    ("src/cli/main.c", "#include <Python.h>", "outside of python's own folder"),
    ("src/base/alloc.c", "\treturn malloc(n);", ""),
    ("src/base/str.c", "\tp = malloc(n);", "use hf_malloc"),
    ("src/base/str.c", "\tif (x) free(p);", "use hf_free"),
    ("src/base/str.c", "\tp = hf_malloc(n); ops->free(p); /* not free() */", ""),
    ("src/base/str.c", '\tputs("call free() here");', ""),
    ("src/base/str.c", "\tp = strdup(s);", "use hf_strdup"),
    ("tests/unit/test_x.c", "\tp = malloc(n);", ""),
]

WORDS = [
    ("a.c", "int a;\n", ""),
    ("a.c", "int a;", "no newline"),
    ("a.c", "int a;\n\n", "empty line at the end"),
    ("a.c", "int a; \n", "whitespace"),
    ("a.c", "        int a;\n", "use tabs"),
    ("a.py", "\tx = 1\n", "use spaces"),
    ("a.c", "x\n" * 700, ""),
    ("a.c", "x\n" * 701, "701 lines"),
    ("a.md", "x\n" * 701, ""),
    ("a.c", "/* TO" "DO later */\n", "left to do"),
    ("a.c", "/* FIX" "ME */\n", "left to do"),
    ("a.c", "open(\"/ho" "me/me/x\");\n", "absolute path"),
    ("a.md", "see /wo" "rk/x\n", "absolute path"),
    ("a.md", "see https://example.org/ho" "me/x and src/ho" "me/x\n", ""),
]

WRITES = [
    ("src/patch/write.c", "\tptrace(PTRACE_POKEDATA, tid, a, b);", ""),
    ("src/patch/apply.c", "\tptrace(PTRACE_POKEDATA, tid, a, b);", "PTRACE_POKEDATA"),
    ("src/target/live_stop.c", "\tptrace(PTRACE_SEIZE, tid, NULL, NULL);", ""),
    ("src/target/live_stop.c", "\tif (ptrace(PTRACE_SEIZE, tid) || ptrace(PTRACE_SETREGSET, tid))", "PTRACE_SETREGSET"),
    ("src/target/live_stop.c", "\tptrace(PTRACE_POKETEXT, tid, a, b);", "PTRACE_POKETEXT"),
    ("src/target/live_stop.c", "\tptrace(PTRACE_CONT, tid, 0, 0);", "PTRACE_CONT"),
    ("src/target/live_stop.c", "\tptrace(request, tid, a, b);", "by its name"),
    ("src/target/live_stop.c", "\tptrace(5, tid, a, b);", "by its name"),
    ("src/target/live_stop.c", "\tptrace(\n\t\t5, tid, a, b);", "by its name"),
    ("src/target/live_stop.c", "\tlong (*f)(int, ...) = ptrace;", "another way"),
    ("src/target/live_stop.c", '\tf = dlsym(NULL, "ptrace");', "another way"),
    ("src/target/live_stop.c", "\tbool ptrace = can_trace();", ""),
    ("src/target/live_stop.c", "/* ptrace(PTRACE_POKEDATA) */", ""),
    ("src/target/live_stop.c", '\tputs("PTRACE_POKEDATA ptrace(x)");', ""),
    ("src/target/live.c", "\tprocess_vm_writev(pid, l, 1, r, 1, 0);", "process_vm_writev"),
    ("src/target/live.c", "\tsyscall(SYS_process_vm_writev, pid);", "SYS_process_vm_writev"),
    ("src/target/live.c", "\tsyscall(SYS_ptrace, 5);", "SYS_ptrace"),
    ("src/target/live.c", "\tsyscall(101, 5, tid, a, b);", "by its name"),
    ("src/target/live.c", "\tsyscall(SYS_openat2, root);", ""),
    ("src/target/live.c", '\tfd = openat(proc, "mem", O_RDONLY);', ""),
    ("src/target/live.c", '\tfd = openat(proc, "mem", O_RDWR);', "opened for writing"),
    ("src/target/live.c", '\tfd = open("/proc/1/mem", O_CLOEXEC |\n\t\tO_WRONLY);', "opened for writing"),
    ("src/target/live.c", '\tf = fopen("/proc/1/mem", "r+");', "opened for writing"),
    ("src/target/live.c", "\tpwrite(fd, b, n, addr);", "at an offset"),
    ("src/target/live.c", "\twrite(live->mem_fd, b, n);", "for reading"),
    ("src/target/live.c", "\tpread(live->mem_fd, b, n, addr);", ""),
    ("src/base/outfile.c", "\tpwrite(fd, b, n, off);", ""),
    ("src/query/patch.c", "\tt->host_write(t->host_arg, addr, b, n);", "host_write"),
    ("python/session.c", "\tptrace(PTRACE_POKEDATA, tid, a, b);", "PTRACE_POKEDATA"),
    ("sandbox/ghost.c", "\tptrace(PTRACE_POKEDATA, tid, a, b);", ""),
    ("tests/unit/test_x.c", "\tptrace(PTRACE_POKEDATA, tid, a, b);", ""),
]

FRONTS = [
    ("python/holdfast_gdb.py", "def write_word(a, w):\n    gdb.selected_inferior().write_memory(a, w)\n", ""),
    ("python/holdfast_gdb.py", "def read(a):\n    gdb.selected_inferior().write_memory(a, b'')\n", "write_memory"),
    ("python/holdfast_gdb.py", "write = gdb.selected_inferior().write_memory\n", "write_memory"),
    ("python/holdfast_gdb.py", "getattr(inferior, 'write_memory')(a, w)\n", "another way"),
    ("python/holdfast_gdb.py", "gdb.execute('info files', to_string=True)\n", ""),
    ("python/holdfast_gdb.py", "gdb.execute('set var x = 1')\n", "not known"),
    ("python/holdfast_gdb.py", "gdb.execute(f'set {name} {value}')\n", ""),
    ("python/holdfast_gdb.py", "gdb.execute(f'call {name}()')\n", "not known"),
    ("python/holdfast_gdb.py", "gdb.execute(command)\n", "not known"),
    ("python/holdfast_lldb.py", "process().WriteMemory(a, w, e)\n", "WriteMemory"),
    ("python/holdfast_lldb.py", "debugger.HandleCommand('register write rip 0')\n", "not known"),
    ("tests/e2e/x.py", "process.WriteMemory(a, w, e)\n", ""),
]

LISTS = [
    ({"src/base/x.c": "", "src/meson.build": "'base/x.c',"}, 0),
    ({"src/base/x.c": "", "src/meson.build": "'base/y.c',"}, 1),
    ({"src/runtime/go/x.c": "", "src/runtime/go/meson.build": "'x.c',"}, 0),
    ({"src/runtime/go/x.c": "", "src/meson.build": "'runtime/go/x.c',"}, 1),
    ({"tests/unit/test_x.c": "", "tests/meson.build": "    'x',"}, 0),
    ({"tests/unit/test_x.c": "", "tests/meson.build": ""}, 1),
    ({"tests/fuzz/fuzz_x.c": "", "tests/meson.build": "'xy',"}, 1),
]


def main():
    failures = []
    for rule, rows in ((layers.check, LAYERS), (words.check, WORDS), (writes.check, WRITES), (writes.check_python, FRONTS)):
        for path, text, part in rows:
            found = [finding for _, finding in rule(path, text)]
            if bool(found) != bool(part) or not all(part in f for f in found[:1]):
                failures.append(f"{path}: {text[:60]!r}: found {found}, not {part!r}")
    for files, count in LISTS:
        found = list(words.check_lists(files))
        if len(found) != count:
            failures.append(f"{files}: found {found}, not {count}")
    for failure in failures:
        print(f"FAIL {failure}")
    total = len(LAYERS) + len(WORDS) + len(WRITES) + len(FRONTS) + len(LISTS)
    print(f"{total - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
