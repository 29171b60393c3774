"""Cores in which one structure of the runtime lies: the answer says what is damaged, and where, and that it is not whole."""
import re
import shutil
import struct
import subprocess

from cores import PT_LOAD, Elf, core_of
from harness import NotRun, case, expect

SECONDS = 20
FIELDS = """
def show(name, *fields):
    try:
        for field in gdb.lookup_type(name).fields():
            if field.name in fields:
                print('offset', name + '.' + field.name, field.bitpos // 8)
    except gdb.error:
        pass

show('runtime.mheap', 'allspans')
show('runtime.mspan', 'specials', 'startAddr', 'state')
show('runtime.special', 'next')
show('runtime.moduledata', 'pclntable')
show('internal/runtime/maps.Map', 'dirPtr')
show('runtime.hmap', 'buckets')
"""


class Memory:
    """The memory in a core, by address, to be changed."""

    def __init__(self, path):
        self.loads = [s for s in Elf(path).segments if s[0] == PT_LOAD]
        self.file = open(path, "r+b")

    def seek(self, address):
        for _, _, offset, start, _, size, _, _ in self.loads:
            if start <= address < start + size:
                self.file.seek(offset + address - start)
                return
        raise KeyError(hex(address))

    def has(self, address):
        return any(start <= address < start + size for _, _, _, start, _, size, _, _ in self.loads)

    def read(self, address):
        self.seek(address)
        return struct.unpack("<Q", self.file.read(8))[0]

    def write(self, address, value):
        self.seek(address)
        self.file.write(struct.pack("<Q", value))
        self.file.flush()


class Runtime:
    """Where Go keeps its own structures."""

    def __init__(self, program, memory):
        gdb = subprocess.run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load no", "-ex",
                              f"python exec({FIELDS!r})", str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        self.offsets = {name: int(at) for name, at in re.findall(r"^offset (\S+) (\d+)$", gdb.stdout, re.M)}
        nm = subprocess.run(["nm", str(program)], stdout=subprocess.PIPE, text=True, check=True)
        self.symbols = {line.split()[2]: int(line.split()[0], 16) for line in nm.stdout.splitlines() if len(line.split()) == 3}
        self.memory = memory

    def at(self, base, field):
        return base + self.offsets[field]

    def span(self):
        """Some span with specials: it is in use."""
        allspans = self.at(self.symbols["runtime.mheap_"], "runtime.mheap.allspans")
        start, n = self.memory.read(allspans), self.memory.read(allspans + 8)
        for i in range(n):
            span = self.memory.read(start + 8 * i)
            if self.memory.read(self.at(span, "runtime.mspan.specials")):
                return span
        raise KeyError("no span has specials")

    def itabs(self):
        """The table of interfaces; as long as it has not grown it is the first one."""
        table = self.symbols["runtime.itabTable"]
        return self.memory.read(table) if self.memory.has(table) else self.symbols["runtime.itabTableInit"]

    def some_map(self):
        """Where the map main.sessionCache points to its directory or buckets."""
        field = "internal/runtime/maps.Map.dirPtr" if "internal/runtime/maps.Map.dirPtr" in self.offsets else "runtime.hmap.buckets"
        return self.at(self.memory.read(self.symbols["main.sessionCache"]), field)


def lies(runtime, memory):
    """(what, address of the word, its new value, the warning, the address that it names)"""
    nowhere = 0x10000
    allgs, modules = runtime.symbols["runtime.allgs"], runtime.symbols["runtime.firstmoduledata"]
    itabs, span, some_map = runtime.itabs(), runtime.span(), runtime.some_map()
    special = memory.read(runtime.at(span, "runtime.mspan.specials"))
    gs = memory.read(allgs)
    yield "a list of specials that is a ring", runtime.at(special, "runtime.special.next"), special, "1 lists of specials", special
    yield "a special that is nowhere", runtime.at(special, "runtime.special.next"), nowhere, "1 lists of specials", nowhere
    yield "more goroutines than there can be", allgs + 8, 1 << 40, "goroutines are damaged", gs
    yield "goroutines that are nowhere", allgs, nowhere, "goroutines are damaged", nowhere
    yield "a goroutine twice", gs + 8, memory.read(gs), "1 goroutines are damaged", memory.read(gs)
    yield "a map without its entries", some_map, nowhere, "maps are damaged", nowhere
    yield "functions that are nowhere", runtime.at(modules, "runtime.moduledata.pclntable"), nowhere, "tables of functions", modules
    yield "more functions than there can be", runtime.at(modules, "runtime.moduledata.pclntable") + 8, 1 << 62, "tables of functions", modules
    yield "an odd table of interfaces", itabs, 12345, "tables of interfaces", itabs
    yield "a span that is nowhere", runtime.at(span, "runtime.mspan.startAddr"), nowhere, "spans of the Go heap are damaged", span


@case("core: one structure that lies is told")
def one_lie(lab):
    if not shutil.which("gdb") or not shutil.which("nm"):
        raise NotRun("there is no gdb, or no nm")
    with core_of(lab) as (path, program, _):
        memory = Memory(path)
        runtime = Runtime(program, memory)
        for what, address, value, warning, where in lies(runtime, memory):
            if not memory.has(address):     # unchanged since the program's file: not in the core
                continue
            was = memory.read(address)
            memory.write(address, value)
            _, answer = lab.result("top", "-c", path, "-e", program, complete=False, timeout=SECONDS)
            memory.write(address, was)
            told = [w for w in answer["warnings"] if warning in w]
            expect(told and f"0x{where:x}:" in told[0] + ":", f"{what}: 0x{where:x} is not told: {answer['warnings']}")
            expect(answer["complete"] is False, f"{what}: called complete")
        lab.result("top", "-c", path, "-e", program)
