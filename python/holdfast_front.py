"""What the front ends for gdb and LLDB share: the extension, and one open session that answers until the target moves."""
import glob
import importlib.machinery
import importlib.util
import os
import re
import struct
import sys

# In the order of the kernel's struct user_regs_struct; None: of no use to us.
# Source: Linux arch/x86/include/asm/user_64.h
REGISTERS = ("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", None,
             "rip", None, None, "rsp", None, "fs_base", None, None, None, None, None)
INTERFACE = 2       # as the extension counts it (module.c)
NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
OPTION = re.compile(r"^ +(?:-\w, +)?(--[\w-]+)", re.M)     # in a help text
# What would change the target, were it evaluated.
CHANGES = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--|<<=|>>=")


class Failure(Exception):
    """An error for people: one line."""


def load_extension():
    """The module, of this source tree's build folder or of where it is installed: from beside the front end."""
    here = os.path.dirname(os.path.realpath(__file__))
    places = [os.path.join(here, "holdfast.abi3.so"), os.path.join(here, os.pardir, "build", "python", "holdfast.abi3.so")]
    for path in places:
        if os.path.exists(path):
            loader = importlib.machinery.ExtensionFileLoader("holdfast", path)
            module = importlib.util.module_from_spec(importlib.util.spec_from_loader("holdfast", loader))
            loader.exec_module(module)
            if getattr(module, "interface", None) != INTERFACE:
                raise Failure(f"{path} is of another version than {here}: build it again (./run build)")
            return module
    raise Failure(f"holdfast.abi3.so is neither in {here} nor in its ../build/python: build it first (./run build)")


def pack_registers(read):
    """read(name) -> number, for the kernel's form of a thread's registers."""
    return struct.pack("<27Q", *[(read(name) if name else 0) & (1 << 64) - 1 for name in REGISTERS])


def is_piped():
    """Whether this program writes to another one (gdb's `pipe`): of that pipe only the writing end is ours."""
    ends = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            link = os.readlink(f"/proc/self/fd/{name}")
            with open(f"/proc/self/fdinfo/{name}", encoding="ascii") as info:
                mode = int(re.search(r"^flags:\s*([0-7]+)", info.read(), re.M)[1], 8) & 3
        except OSError:
            continue
        if link.startswith("pipe:") and int(name) > 2:
            ends.setdefault(link, set()).add(mode)
    return any(modes == {os.O_WRONLY} for modes in ends.values())


def wants_color(enabled):
    return enabled and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb" and \
        os.isatty(1) and not is_piped()


class Front:
    """Asks questions. The debugger's part is a module, or whatever has these functions:

    target()               what identifies the target as it stands, to be compared; a Failure where there is none
    open_session(question) a Session on it
    evaluate(word)         the address that an expression means; None where it means none
    may_write()            whether the user has allowed that the target is written to
    HOW_TO_ALLOW           how the user does that, for the error
    """

    def __init__(self, extension, debugger):
        self.extension, self.debugger = extension, debugger
        self.session = self.key = None

    def drop(self):
        """The target moved, or is another: what is known of it is of the past."""
        session, self.session, self.key = self.session, None, None
        if session is not None:
            session.close()

    def ask(self, words, color, width):
        """The answer's text; raises Failure."""
        try:
            question = self.extension.Question(words)
            if question.is_help:
                return question.help()
            if question.command.startswith("patch "):
                return self._ask_patch(question, color, width)
            return self._ask(question, color, width)
        except KeyboardInterrupt:
            self.drop()
            raise Failure("interrupted: nothing was changed, and the target stays as it was") from None
        except (self.extension.Error, ValueError, OSError, MemoryError) as error:
            raise Failure(str(error)) from None

    def _open(self, question):
        key = (self.debugger.target(), question.opening)
        if self.session is None or key != self.key:
            self.drop()
            self.session, self.key = self.debugger.open_session(question), key

    def _ask_patch(self, question, color, width):
        """In a session of its own: it looks at the target several times, and may change it."""
        self.drop()
        question.allow_write(self.debugger.may_write(), self.debugger.HOW_TO_ALLOW)
        try:
            self._open(question)
            return self.session.ask(question, color, width)
        except KeyboardInterrupt:
            raise Failure("interrupted: 'holdfast patch status' tells what is patched") from None
        finally:
            self.drop()

    def complete(self, verb, words, begun):
        """How the word begun, after the others, may go on."""
        before = words[-1] if words else ""
        try:
            if before in ("-o", "--output", "--pool-file"):
                names = [name + "/" * os.path.isdir(name) for name in glob.glob(glob.escape(begun) + "*")]
            elif before in ("--pool", "--to") and before in self._options(verb):
                names = self._patch_words(before[2:], words, begun)
            elif "ID" in self._takes(verb) and not begun.startswith("-"):
                names = self._patch_words("id", words, begun)
            elif before.startswith("--") and before in self._options(verb):
                names = self._values(verb, before)
            elif begun.startswith("-"):
                names = self._options(verb)
            elif begun and self._takes(verb) and not verb.startswith("patch "):
                self._open(self.extension.Question([]))
                own = begun.startswith("&")
                names = ["&" * own + name for name in self.session.complete(begun[own:]).split("\n")[:-1]]
            else:
                names = []
        except (Failure, self.extension.Error, ValueError, OSError, MemoryError, KeyboardInterrupt):
            return []
        return sorted({name for name in names if name.startswith(begun)})

    def _takes(self, verb):
        """The words that a command takes: 'ADDR...', '[ID]'; '' where it takes none."""
        return next((words for name, words, _ in self.extension.commands() if name == verb), "")

    def _patch_words(self, kind, words, begun):
        given = dict(zip(words, words[1:]))
        file = ["--pool-file", given["--pool-file"]] if "--pool-file" in given else []
        if file:
            self.drop()     # it goes with the opening
        self._open(self.extension.Question(file))
        return self.session.complete_patch(kind, given.get("--pool"), begun).split("\n")[:-1]

    def _options(self, verb):
        """Of a command: its own, and those that belong to none."""
        of = {name: set(OPTION.findall(self.extension.help(name))) for name, _, _ in self.extension.commands()}
        others = set().union(*of.values()) - of.get(verb, set())
        return set(OPTION.findall(self.extension.help(None))) - others

    def _values(self, verb, option):
        """The words that an option's help lists."""
        listed = re.search(rf"^ +(?:-\w, +)?{option} \S+ +.*: (.*)$", self.extension.help(verb), re.M)
        return re.split(", | or ", listed[1]) if listed else []

    def _ask(self, question, color, width):
        self._open(question)
        try:
            return self.session.ask(question, color, width)
        except ValueError:
            if not self._evaluate_words(question):
                raise
            return self.session.ask(question, color, width)
        except self.extension.Error:
            self.drop()     # the next question begins anew
            raise

    def _evaluate_words(self, question):
        """Words that are neither a number nor the name of a type may be expressions of the debugger."""
        changed = False
        for i, word in enumerate(question.words):
            if NUMBER.fullmatch(word) or CHANGES.search(word):
                continue
            address = self.debugger.evaluate(word)
            if address or address == 0 and word.startswith("$"):     # nil is told by name
                question.set_word(i, f"{address:#x}")
                changed = True
        return changed
