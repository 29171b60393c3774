"""holdfast inside LLDB: `command script import holdfast_lldb.py`, then `holdfast help`.

A process of this machine, or a core, is read by the extension; LLDB gives registers, and for any other target the memory
in large pieces.
"""
import os
import re
import shlex
import sys
import time

import lldb

HERE = os.path.dirname(os.path.realpath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)
import holdfast_front    # noqa: it is beside this file
from holdfast_front import Failure    # noqa

ET_CORE = 4


# ---- what LLDB holds -------------------------------------------------------------------------------------------

seen_here = set()      # the unique numbers of processes of this machine that were read


def process():
    found = debugger.GetSelectedTarget().GetProcess()
    gone = (lldb.eStateInvalid, lldb.eStateExited, lldb.eStateDetached)
    if not found.IsValid() or found.GetState() in gone or has_left(found):
        raise Failure("LLDB holds no process and no core: start it as 'lldb -p PID' or 'lldb EXE -c CORE'")
    if not is_stopped(found):
        raise Failure("the process runs: stop it first ('process interrupt')")
    return found


def is_stopped(held):
    """LLDB tells a moment late that it has stopped what it was just attached to."""
    until = time.monotonic() + 0.5
    while held.GetState() not in (lldb.eStateStopped, lldb.eStateSuspended, lldb.eStateCrashed):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def has_left(held):
    """Whether the kernel says so: LLDB calls a process stopped for a moment after it let go of it."""
    return held.GetUniqueID() in seen_here and not is_of_this_machine(held.GetProcessID())


def executable():
    file = process().GetTarget().GetExecutable()
    return os.path.join(file.GetDirectory() or "", file.GetFilename() or "") if file.IsValid() else ""


def is_core():
    return "core" in (process().GetPluginName() or "")


def core_path():
    """LLDB has no name for it to give, but has it mapped."""
    found = set()
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        paths = {line.rstrip("\n").split(None, 5)[5] for line in lines if line.count("/")}
    for path in paths:
        try:
            with open(path, "rb") as file:
                head = file.read(18)
        except OSError:
            continue
        if head[:4] == b"\x7fELF" and int.from_bytes(head[16:18], "little") == ET_CORE:
            found.add(path)
    if len(found) != 1:
        raise Failure(f"LLDB has {len(found)} core files open: ask with one")
    return found.pop()


def is_of_this_machine(pid):
    """Whether the process is held by a server that LLDB started here."""
    try:
        tracer = re.search(r"^TracerPid:\s*(\d+)", read_text(f"/proc/{pid}/status"), re.M)[1]
        parent = re.search(r"^PPid:\s*(\d+)", read_text(f"/proc/{tracer}/status"), re.M)[1]
    except (OSError, TypeError):
        return False
    return int(tracer) == os.getpid() or int(parent) == os.getpid()


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def target():
    held = process()
    return held.GetProcessID(), held.GetUniqueID(), held.GetStopID(True), executable()


def registers(frame):
    def read(name):
        register = frame.FindRegister(name)
        if not register.IsValid() and name == "fs_base":
            return 0    # LLDB 14 does not have it: see check_runs; and what snap writes for other debuggers lacks it
        if not register.IsValid():
            raise Failure("LLDB does not know the registers of x86-64 here: programs of other machines are not read")
        return register.GetValueAsUnsigned()

    return holdfast_front.pack_registers(read)


def threads():
    return [(thread.GetThreadID(), registers(thread.GetFrameAtIndex(0))) for thread in process()]


def check_runs(held, question):
    """A function that is run dry finds its thread's own memory by fs_base."""
    if question.command in ("patch dry-run", "patch apply") and \
            not any(thread.GetFrameAtIndex(0).FindRegister("fs_base").IsValid() for thread in held):
        raise Failure("this LLDB gives no fs_base of threads, which dry runs need: detach, and ask holdfast -p "
                      f"{held.GetProcessID()}, or ask in gdb or a newer LLDB (19)")


def open_session(question):
    held = process()
    if is_core():
        return holdfast.Session.core(core_path(), executable(), question)
    check_runs(held, question)
    if is_of_this_machine(held.GetProcessID()):
        seen_here.add(held.GetUniqueID())
        return holdfast.Session.local(held.GetProcessID(), threads(), write_word, question)
    return holdfast.Session.remote(held.GetProcessID(), threads(), None, executable() or None, mappings(held), b"",
                                   read_remote, question)


def mappings(held):
    """In the form of /proc/PID/maps. LLDB knows no offsets in files: they are taken to lie there as in memory."""
    regions, info, lines = held.GetMemoryRegions(), lldb.SBMemoryRegionInfo(), []
    first = {}      # of each file, the lowest address
    for i in range(regions.GetSize()):
        regions.GetMemoryRegionAtIndex(i, info)
        if not (info.IsReadable() or info.IsWritable() or info.IsExecutable()):
            continue
        access = "".join(letter if fact else "-" for letter, fact in
                         (("r", info.IsReadable()), ("w", info.IsWritable()), ("x", info.IsExecutable())))
        path = info.GetName() or ""
        start = info.GetRegionBase()
        offset = start - first.setdefault(path, start) if path else 0
        lines.append(f"{start:x}-{info.GetRegionEnd():x} {access}p {offset:x} 00:00 0 {path}\n")
    if not lines:
        raise Failure("the remote server does not tell LLDB what is mapped: lldb-server does, and gdb asks gdbserver")
    return "".join(lines)


def read_remote(address, length):
    error = lldb.SBError()
    got = process().ReadMemory(address, length, error)
    return got if error.Success() else b""


# ---- writing: a word of a patch -----------------------------------------------------------------------------------

HOW_TO_ALLOW = "holdfast allow-write on"
write_is_allowed = False


def may_write():
    return write_is_allowed


def write_word(address, word):
    error = lldb.SBError()
    if not may_write():
        raise Failure(f"not allowed: {HOW_TO_ALLOW}")
    if process().WriteMemory(address, word, error) != len(word) or error.Fail():
        raise Failure(str(error))


def set_allow_write(words):
    """`holdfast allow-write [on|off]`: LLDB has no settings for those who extend it."""
    global write_is_allowed
    if words not in ([], ["on"], ["off"]):
        raise Failure("allow-write takes on or off")
    if words:
        write_is_allowed = words == ["on"]
    return (f"'holdfast patch' may {'' if write_is_allowed else 'not '}write to the process: " +
            ("'holdfast allow-write off' ends that.\n" if write_is_allowed else f"'{HOW_TO_ALLOW}' allows it.\n"))


# ---- expressions ---------------------------------------------------------------------------------------------------

def evaluate(word):
    """The address that a register or an expression means. Runs no code in the process."""
    held = process()
    frame = held.GetSelectedThread().GetSelectedFrame()
    if word.startswith("$"):
        register = frame.FindRegister(word[1:])
        return register.GetValueAsUnsigned() if register.IsValid() else None
    options = lldb.SBExpressionOptions()
    options.SetAllowJIT(False)
    options.SetSuppressPersistentResult(True)
    options.SetLanguage(lldb.eLanguageTypeC_plus_plus)      # it reads no Go
    value = frame.EvaluateExpression(word, options)
    if not value.IsValid() or value.GetError().Fail():
        return None
    return address_of(value)


def address_of(value):
    for name in ("array", "str", "data"):      # of Go's headers, the field that points to what they hold
        field = value.GetChildMemberWithName(name)
        if field.IsValid():
            return field.GetValueAsUnsigned()
    kind = value.GetType().GetCanonicalType()
    if kind.IsPointerType() or kind.GetBasicType() != lldb.eBasicTypeInvalid:
        return value.GetValueAsUnsigned()
    address = value.GetLoadAddress()
    return address if address != lldb.LLDB_INVALID_ADDRESS else None


# ---- the command -----------------------------------------------------------------------------------------------------

debugger = None


class Command:
    """`holdfast VERB ...`"""

    def __init__(self, made_by, _):
        global debugger
        debugger = made_by

    def __call__(self, made_by, argument, context, result):
        global debugger
        debugger = made_by
        try:
            words = shlex.split(argument)
            if words[:1] == ["allow-write"]:
                result.PutCString(set_allow_write(words[1:])[:-1])
                result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
                return
            text = front.ask(words, holdfast_front.wants_color(made_by.GetUseColor()), made_by.GetTerminalWidth())
        except (Failure, ValueError) as failure:
            result.SetError(f"holdfast: {failure}")
            return
        result.PutCString(text[:-1])     # which ends the line itself
        result.SetStatus(lldb.eReturnStatusSuccessFinishResult)

    def get_short_help(self):
        return "What holds the memory of a Go program."

    def get_long_help(self):
        return holdfast.help(None) + f"\n'holdfast patch' writes to the process only after '{HOW_TO_ALLOW}'.\n"


def __lldb_init_module(made_by, _):
    global holdfast, front
    try:
        holdfast = holdfast_front.load_extension()
    except (Failure, ImportError) as error:
        print(f"error: holdfast: {error}")
        return
    front = holdfast_front.Front(holdfast, sys.modules[__name__])
    for name in ("holdfast", "hf"):
        made_by.HandleCommand(f"command script add -o -c holdfast_lldb.Command {name}")


holdfast = front = None
