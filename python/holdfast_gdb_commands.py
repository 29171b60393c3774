"""The commands of holdfast_gdb.py.

Memory of a process of this machine, or of a core, is read by the extension; gdb gives registers, names of files, and, for
a remote target, memory in large pieces.
"""
import atexit
import os
import re
import shutil
import sys
import tempfile

import gdb

import holdfast_front
from holdfast_front import Failure

POINTERS = (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF)
NUMBERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_CHAR)
# Of Go's headers, the field that points to what they hold. Source: Go 1.20-1.27 runtime/slice.go, string.go, runtime2.go
HEADERS = ({"array", "len", "cap"}, "array"), ({"str", "len"}, "str"), ({"tab", "data"}, "data"), ({"_type", "data"}, "data")


# ---- what gdb holds ------------------------------------------------------------------------------------------

def connection_type():
    connection = gdb.selected_inferior().connection
    return connection.type if connection is not None else None


def core_path():
    said = gdb.execute("info files", to_string=True)
    match = re.search(r"Local core dump file:\s+[`'](.*)', file type", said)
    if not match:
        raise Failure("gdb does not say which core file it has open")
    return os.path.abspath(match[1])


def executable():
    """The path that gdb knows, without the mark of a remote file; '' where it knows none."""
    path = gdb.current_progspace().filename or ""
    return path[len("target:"):] if path.startswith("target:") else path


def target():
    """What identifies the target, while it does not move: the events below tell when it does."""
    inferior, kind = gdb.selected_inferior(), connection_type()
    if kind is None or not inferior.is_valid() or not inferior.pid:
        raise Failure("gdb holds no process and no core: start it as 'gdb -p PID' or 'gdb EXE CORE'")
    return inferior.num, inferior.pid, kind, core_path() if kind == "core" else "", executable()


def registers(thread):
    thread.switch()
    frame = gdb.newest_frame()
    try:
        return holdfast_front.pack_registers(lambda name: int(frame.read_register(name)))
    except ValueError:
        raise Failure("gdb does not know the registers of x86-64 here: programs of other machines are not read") from None


def threads():
    """[(tid, registers)] of all threads; the selected thread and frame stay selected."""
    selected, found = gdb.selected_thread(), []
    all_threads = [thread for thread in gdb.selected_inferior().threads() if not thread.is_exited()]
    for thread in all_threads:
        if thread.is_running():
            raise Failure(f"thread {thread.num} runs: stop all threads first ('interrupt -a')")
    frame = gdb.selected_frame() if selected is not None else None
    try:
        for thread in all_threads:
            found.append((thread.ptid[1] or thread.ptid[2] or thread.ptid[0], registers(thread)))
    finally:
        if selected is not None and selected.is_valid():
            selected.switch()
            if frame is not None and frame.is_valid():
                frame.select()
    return found


def open_session(question):
    kind, pid = connection_type(), gdb.selected_inferior().pid
    if kind == "core":
        return holdfast.Session.core(core_path(), executable(), question)
    if kind == "native":
        return holdfast.Session.local(pid, threads(), write_word, question)
    return open_remote(pid, question)


# ---- writing: a word of a patch --------------------------------------------------------------------------------

HOW_TO_ALLOW = "set holdfast allow-write on"
ALLOW_DOC = f"""Whether 'holdfast patch' may write to the process: 'apply', 'set' and 'revert' store a word.
Off by default. What they are about to store is in the journal before it is stored, and 'holdfast patch revert' takes it back.
Use '{HOW_TO_ALLOW}'."""


def may_write():
    return bool(gdb.parameter("holdfast allow-write"))


def write_word(address, word):
    if not may_write():
        raise Failure(f"not allowed: {HOW_TO_ALLOW}")
    gdb.selected_inferior().write_memory(address, word)


# ---- remote targets ---------------------------------------------------------------------------------------------

def remote_file(path, folder):
    """A copy of a file of the remote system; None where it cannot be had."""
    local = os.path.join(folder, path.strip("/").replace("/", "_"))
    try:
        gdb.execute(f"remote get {path} {local}", to_string=True)
    except gdb.error:
        return None
    return local if os.path.exists(local) else None


def read_bytes(path):
    if path is None:
        return b""
    with open(path, "rb") as file:
        return file.read()


def mappings(pid, folder):
    """In the form of /proc/PID/maps."""
    text = read_bytes(remote_file(f"/proc/{pid}/maps", folder)).decode("utf-8", "replace")
    if not text:
        raise Failure(f"the remote target does not give /proc/{pid}/maps: this takes gdbserver, on Linux, and 'set remote "
                      "hostio-open-packet auto'")
    return text


def read_remote(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def open_remote(pid, question):
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        maps = mappings(pid, folder)
        name = read_bytes(remote_file(f"/proc/{pid}/comm", folder)).decode("utf-8", "replace").strip()
        exe = executable()
        if not os.path.isfile(exe):
            copy = remote_file(f"/proc/{pid}/exe", folder)
            exe = keep_executable(copy) if copy else None
        auxv = read_bytes(remote_file(f"/proc/{pid}/auxv", folder))
        return holdfast.Session.remote(pid, threads(), name or None, exe, maps, auxv, read_remote, question)


kept = None     # the folder of a remote executable's copy: a session may open it again


def keep_executable(copy):
    global kept
    forget_executable()
    kept = tempfile.mkdtemp(prefix="holdfast-")
    return shutil.move(copy, kept)


def forget_executable():
    global kept
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    kept = None


# ---- expressions ---------------------------------------------------------------------------------------------------

def is_local(name):
    """Whether a variable of the selected frame has this name."""
    try:
        block = gdb.selected_frame().block()
    except (gdb.error, RuntimeError):
        return False
    while block is not None:
        if any(symbol.name == name for symbol in block):
            return True
        block = None if block.function else block.superblock
    return False


# With its package's path: example.com/a/b.Name
QUALIFIED = re.compile(r"(?<![\w.$'])((?:[A-Za-z_][\w.-]*/)*[A-Za-z_]\w*)(\.[A-Za-z_]\w*)")


def quote_globals(word):
    """`main.x.field` as gdb must be asked for it: 'main.x'.field. It knows packages in no language that it may be set to,
    and gdb 13 dies of `main.nothing` where it has read symbols of main and there is none of this name."""
    if "'" in word:
        return word
    return QUALIFIED.sub(lambda match: match[0] if is_local(match[1]) else f"'{match[0]}'", word)


def address_of(value):
    kind = value.type.strip_typedefs()
    if kind.code in POINTERS or kind.code in NUMBERS:
        return int(value)
    if kind.code == gdb.TYPE_CODE_FUNC:
        return int(value.address)
    if kind.code == gdb.TYPE_CODE_STRUCT:
        names = {field.name for field in kind.fields()}
        for header, pointer in HEADERS:
            if names == header:
                return int(value[pointer])
    return int(value.address) if value.address is not None else None


def set_quietly(name, value):
    """Sets a parameter of gdb for a while; returns what it was."""
    was = gdb.parameter(name)
    gdb.execute(f"set {name} {value}", to_string=True)
    return was if isinstance(was, str) else "on" if was else "off"


def evaluate(word):
    """The address that an expression means: of a map, slice or pointer what it points to. Calls no function."""
    calls = set_quietly("may-call-functions", "off")
    language = gdb.parameter("language")
    try:
        # What people type is often C, whatever the language of the frame: (long)$rsp+8
        for of in language, "c":
            set_quietly("language", of)
            try:
                address = address_of(gdb.parse_and_eval(quote_globals(word)))
                return None if address is None else address & (1 << 64) - 1
            except (gdb.error, RuntimeError, OverflowError):
                pass
        return None
    finally:
        set_quietly("language", language)
        set_quietly("may-call-functions", calls)


# ---- commands --------------------------------------------------------------------------------------------------------

def run(words):
    try:
        text = front.ask(words, holdfast_front.wants_color(gdb.parameter("style enabled")), gdb.parameter("width") or 0)
    except Failure as failure:
        raise gdb.GdbError(f"holdfast: {failure}") from None
    except gdb.error as error:
        raise gdb.GdbError(f"holdfast: gdb says: {error}") from None
    gdb.write(text)


def define(name, doc, verb, is_prefix):
    """A command of gdb's that asks `holdfast VERB`."""
    def invoke(self, argument, from_tty):
        self.dont_repeat()
        run(verb.split() + gdb.string_to_argv(argument))

    def complete(self, text, word):
        begun = re.search(r"\S*$", text)[0]     # of which gdb's `word` is the end
        words = text[:len(text) - len(begun)].split()
        if word is None:    # gdb asks first where the word begins, which it finds itself
            return []
        try:
            found = front.complete(verb, words, begun)
        except gdb.error:
            return []
        return [name[len(begun) - len(word):] for name in found]

    members = {"__doc__": doc, "invoke": invoke, "complete": complete}
    command = type("HoldfastCommand", (gdb.Command,), members)
    if is_prefix:
        command(name, gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)
    else:
        command(name, gdb.COMMAND_DATA)


def define_all():
    define("holdfast", "What holds the memory of a Go program.\n\n" + holdfast.help(None), "", True)
    prefixes = set()
    for verb, _, summary in holdfast.commands():
        first, _, second = verb.partition(" ")
        if second and first not in prefixes:
            prefixes.add(first)
            define(f"holdfast {first}", f"The commands 'holdfast {first}'.\n\n{holdfast.help(first)}\n"
                   f"Those that write need '{HOW_TO_ALLOW}'.", first, True)
        text = holdfast.help(verb).replace(f"\n{summary}.\n", "\n", 1)
        define(f"holdfast {verb}", f"{summary[0].upper()}{summary[1:]}.\n\n{text}", verb, False)
    gdb.execute("alias hf = holdfast")


class AllowWrite(gdb.Parameter):
    __doc__ = ALLOW_DOC
    set_doc = "Set whether 'holdfast patch' may write to the process."
    show_doc = "Show whether 'holdfast patch' may write to the process."

    def __init__(self):
        super().__init__("holdfast allow-write", gdb.COMMAND_DATA, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return (f"'holdfast patch' may {'' if value == 'on' else 'not '}write to the process: " +
                ("'set holdfast allow-write off' ends that." if value == "on" else f"'{HOW_TO_ALLOW}' allows it."))


class Settings(gdb.Command):
    """Settings of holdfast."""

    def __init__(self, verb):
        super().__init__(f"{verb} holdfast", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)
        self.verb = verb

    def invoke(self, argument, from_tty):
        if self.verb == "show":
            gdb.execute("show holdfast allow-write")
            return
        raise gdb.GdbError(f"holdfast: there is one setting: {HOW_TO_ALLOW}, or off")


def moved(_=None):
    front.drop()
    forget_executable()


def start():
    """Once, however often the file is sourced."""
    global holdfast, front
    if front is not None:
        return
    try:
        holdfast = holdfast_front.load_extension()
    except (Failure, ImportError) as error:
        gdb.write(f"holdfast: {error}\n", gdb.STDERR)      # raised here, it would come with a traceback
        return
    front = holdfast_front.Front(holdfast, sys.modules[__name__])
    define_all()
    Settings("set")
    Settings("show")
    AllowWrite()
    atexit.register(forget_executable)
    for event in ("cont", "inferior_call", "memory_changed", "register_changed", "exited", "new_objfile", "clear_objfiles"):
        getattr(gdb.events, event).connect(moved)


holdfast = front = None
