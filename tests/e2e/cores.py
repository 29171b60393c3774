"""Cores: what snap writes, and what damage, deceit and mixing up must not do."""
import contextlib
import json
import os
import random
import re
import shutil
import stat
import struct
import subprocess

from harness import NotRun, Victim, case, expect, expect_error

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
PT_LOAD, PT_NOTE = 1, 4
MEMORY_LIMIT_KB = 6 << 20


@contextlib.contextmanager
def core_of(lab, name="leaky"):
    """A core of a victim: (path, program, truths)."""
    program, path = lab.go(name), lab.folder / f"of-{name}.core"
    with Victim([program]) as victim:
        lab.result("snap", "-p", victim.pid, "-o", path)
    try:
        yield path, program, victim.truths
    finally:
        path.unlink(missing_ok=True)


class Elf:
    """The headers of a core, to be changed in a copy."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.header = list(HEADER.unpack(file.read(HEADER.size)))
            self.table = self.header[5]
            file.seek(self.table)
            self.segments = [list(SEGMENT.unpack(file.read(SEGMENT.size))) for _ in range(self.header[10])]

    def index(self, kind, nth=0):
        return [i for i, s in enumerate(self.segments) if s[0] == kind][nth]

    def write(self, path):
        with open(path, "r+b") as file:
            file.write(HEADER.pack(*self.header))
            file.seek(self.table)
            for segment in self.segments:
                file.write(SEGMENT.pack(*[v & (1 << 64) - 1 if i > 1 else v for i, v in enumerate(segment)]))


def survives(lab, what, *words):
    """Asks about damage: an answer that says it is not complete, or one line. Never more than some GB of memory."""
    shell = f'ulimit -v {MEMORY_LIMIT_KB}; exec "$0" "$@"'
    run = lab.ask(*words, "--json", prefix=["/bin/sh", "-c", shell], timeout=60)
    if run.returncode == 0:
        return json.loads(run.stdout)
    expect_error(run, {2, 4, 5}, ".", what)      # 2: damage may make an object into none
    return None


@case("snap: a core that is whole, private and small, and that gdb opens")
def whole(lab):
    program, path = lab.go("leaky"), lab.folder / "leaky.core"
    with Victim([program]) as victim:
        result = lab.result("snap", "-p", victim.pid, "-o", path)[0]
        expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read it")
        expect(result["file_bytes"] == os.stat(path).st_size, f"it says {result['file_bytes']} bytes")
        expect(os.stat(path).st_size < 256 << 20, "reserved pages are in it")
        expect(result["path"] == str(path), "it names another file")
        threads = len(os.listdir(f"/proc/{victim.pid}/task"))
        victim.expect_running()
    live, answer = lab.result("overview", "-c", path)
    expect(answer["target"]["core"] == str(path), f"it names another file: {answer['target']}")
    expect(live["memory"]["rss"] and live["memory"]["threads"] == threads, f"the facts are lost: {live['memory']}")
    if not shutil.which("gdb"):
        raise NotRun("there is no gdb")
    gdb = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load no", "-ex", "info threads",
                          "-ex", "bt", "-ex", "p 'main.sessionCache'", str(program), str(path)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    expect(gdb.stdout.count("LWP") >= threads, f"gdb sees not {threads} threads: {gdb.stdout[-600:]} {gdb.stderr[-300:]}")
    expect("#0 " in gdb.stdout and "runtime." in gdb.stdout, f"gdb has no backtrace: {gdb.stdout[-600:]} {gdb.stderr[-300:]}")
    path.unlink()


@case("core: what a foreign one does not say is unknown")
def foreign(lab):
    if not shutil.which("gdb"):
        raise NotRun("there is no gdb")
    program, path = lab.go("leaky"), lab.folder / "foreign.core"
    with Victim([program]) as victim:
        subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load no", "-p", str(victim.pid),
                        "-ex", f"gcore {path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    expect(path.exists(), "gcore wrote nothing")
    try:
        result = lab.result("overview", "-c", path, "-e", program)[0]
        expect(result["memory"]["cgroup_current"] is None and result["memory"]["rss"] is None, f"{result['memory']}")
        heap = next(t for t in victim.truths if t["truth"] == "heap")
        expect(abs(result["heaps"][0]["objects"] - heap["objects"]) <= 64, f"{result['heaps'][0]['objects']} objects")
        text = lab.ask("overview", "-c", path)
        expect("unknown" in text.stdout, "the text does not say unknown")
    finally:
        path.unlink()


@case("core: truncated at any byte")
def truncated(lab):
    with core_of(lab) as (path, program, truths):
        size, elf = os.stat(path).st_size, Elf(path)
        notes = elf.segments[elf.index(PT_NOTE)]
        table = elf.header[5]
        first = elf.segments[elf.index(PT_LOAD)][2]
        offsets = [0, 1, 4, 15, 16, 17, 63, 64, 65, table + 1, table + 56, table + 57, notes[2], notes[2] + 1, notes[2] + 20,
                   notes[2] + notes[5] // 2, notes[2] + notes[5] - 1, first - 1, first, first + 1, first + 4096]
        offsets += [size * part // 20 for part in range(1, 20)] + [size - 4096, size - 1]
        address = next(t["address"] for t in truths if t["truth"] == "type")
        cut = lab.folder / "cut.core"
        shutil.copy(path, cut)
        for offset in sorted(set(offsets), reverse=True):
            os.truncate(cut, offset)
            for words in (["overview"], ["why", address]):
                answer = survives(lab, f"{words[0]} cut at {offset} of {size}", *words, "-c", cut, "-e", program)
                if answer:
                    expect(offset > notes[2], f"{words[0]}, cut at {offset}: an answer, without the headers")
                    expect(answer["complete"] is False and answer["warnings"], f"{words[0]}, cut at {offset}: called complete")
        cut.unlink()
        empty = lab.folder / "empty.core"
        empty.touch()
        lab.refused(4, "empty", "overview", "-c", empty)


def changes(elf):
    """(name, function that changes an Elf, whether it must be refused)"""
    load, second, note = elf.index(PT_LOAD), elf.index(PT_LOAD, 1), elf.index(PT_NOTE)

    def segment(index, field, value):
        def change(e):
            e.segments[index][field] = value(e.segments[index]) if callable(value) else value
        return change

    def header(field, value):
        def change(e):
            e.header[field] = value
        return change

    ident = elf.header[0]
    yield "no ELF", header(0, b"\x7fELG" + ident[4:]), True
    yield "of 32 bits", header(0, ident[:4] + b"\x01" + ident[5:]), True
    yield "big-endian", header(0, ident[:5] + b"\x02" + ident[6:]), True
    yield "no core", header(1, 2), True
    yield "no headers", header(10, 0), True
    yield "headers beyond the end", header(5, 1 << 62), True
    yield "odd size of headers", header(9, 7), True
    for index in (load, second, note):
        yield "absurd file size", segment(index, 5, (1 << 64) - 1), False
        yield "offset beyond the end", segment(index, 2, 1 << 63), False
        yield "offset and size that wrap", segment(index, 2, (1 << 64) - 4096), False
    yield "more in the file than in memory", segment(second, 6, 1), False
    yield "absurd memory size", segment(second, 6, (1 << 64) - 1), False
    yield "an address range that wraps", segment(second, 3, (1 << 64) - 4096), False
    yield "memory of a petabyte", segment(second, 6, 1 << 50), False
    yield "segments that overlap", segment(second, 3, lambda s: elf.segments[load][3] + 4096), False
    yield "the same segment twice", segment(second, 3, elf.segments[load][3]), False
    yield "notes of no length", segment(note, 5, 0), False
    yield "an odd address", segment(second, 3, lambda s: s[3] + 1), False


@case("core: headers that lie")
def lying_headers(lab):
    with core_of(lab) as (path, program, _):
        elf = Elf(path)
        for name, change, refused in changes(elf):
            lying = Elf(path)
            change(lying)
            lying.write(path)
            try:
                answer = survives(lab, name, "top", "-c", path, "-e", program)
                expect(not (refused and answer), f"{name}: is answered")
            finally:
                elf.write(path)
        elf.header[2] = 183                                             # EM_AARCH64
        elf.write(path)
        lab.refused(4, "machine|aarch64|x86-64", "overview", "-c", path)


@case("core: notes that lie")
def lying_notes(lab):
    with core_of(lab) as (path, program, _):
        elf = Elf(path)
        _, _, offset, _, _, size, _, _ = elf.segments[elf.index(PT_NOTE)]
        with open(path, "r+b") as file:
            file.seek(offset)
            notes = bytearray(file.read(size))
            for at in list(range(0, 64, 4)) + list(range(64, size, max(4, size // 40 // 4 * 4))):
                for value in (0xffffffff, 0x7ffffffc, 0):
                    changed = bytearray(notes)
                    changed[at:at + 4] = struct.pack("<I", value)
                    file.seek(offset)
                    file.write(changed[:size])
                    file.flush()
                    survives(lab, f"{value:#x} at {at} of the notes", "overview", "-c", path, "-e", program)
            file.seek(offset)
            file.write(notes)


@case("core: damaged memory")
def damaged_memory(lab):
    random.seed(1)
    with core_of(lab) as (path, program, truths):
        address = next(t["address"] for t in truths if t["truth"] == "type")
        size = os.stat(path).st_size
        first = Elf(path).segments[Elf(path).index(PT_LOAD)][2]
        for round_ in range(12):
            with open(path, "r+b") as file:
                for _ in range(200 * (round_ + 1)):
                    file.seek(random.randrange(first, size - 8))
                    file.write(random.choice([b"\xff" * 8, b"\0" * 8, random.randbytes(8)]))
            for words in (["top"], ["why", address], ["goroutines"]):
                survives(lab, f"{words[0]}, damaged {round_ + 1} times", *words, "-c", path, "-e", program)


@case("core: an executable that is not its own")
def another_executable(lab):
    with core_of(lab) as (path, program, _):
        lab.refused(4, "build|belong|match", "overview", "-c", path, "-e", lab.go("holds"))
        lab.refused(4, "nowhere", "overview", "-c", path, "-e", "/nowhere/leaky")
        lab.refused(4, "passwd", "overview", "-c", path, "-e", "/etc/passwd")
        lab.refused(4, "nowhere", "overview", "-c", "/nowhere/core")
        lab.refused(4, ".", "overview", "-c", "/")
        lab.refused(4, ".", "overview", "-c", "/dev/null")
        lab.refused(4, "core", "overview", "-c", program)


@case("core: a Go release that is not known")
def unknown_release(lab):
    with core_of(lab) as (path, program, truths):
        version = next(t["go"] for t in truths if t["truth"] == "heap").encode()
        other = lab.folder / "leaky-of-another-time"
        for release in (b"go1.0", b"go1.9"):      # long ago; and to come, where the program's DWARF may say all
            strange = release + version[5:]
            for source, file in ((path, lab.folder / "strange.core"), (program, other)):
                data = source.read_bytes()
                expect(version in data or source is path, f"no {version} in {source}")
                file.write_bytes(data.replace(version, strange))
            words = ["overview", "-c", lab.folder / "strange.core", "-e", other]
            if release == b"go1.0":
                lab.refused(5, re.escape(strange.decode()), *words)
            else:
                answer = survives(lab, "a release to come", *words)
                expect(not answer or answer["result"]["heaps"][0]["version"] == strange.decode(), "another release is named")
