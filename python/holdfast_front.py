"""What the front ends for gdb and LLDB share: the extension, and one open session that answers until the target moves."""
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
NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
# What would change the target, were it evaluated.
CHANGES = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--|<<=|>>=")


class Failure(Exception):
    """An error for people: one line."""


def load_extension(here):
    """The module, of this source tree's build folder or of where it is installed: from beside the front end."""
    places = [os.path.join(here, "holdfast.abi3.so"), os.path.join(here, os.pardir, "build", "python", "holdfast.abi3.so")]
    for path in places:
        if os.path.exists(path):
            loader = importlib.machinery.ExtensionFileLoader("holdfast", path)
            module = importlib.util.module_from_spec(importlib.util.spec_from_loader("holdfast", loader))
            loader.exec_module(module)
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
    """Asks questions. The debugger's part gives three functions:

    target()          what identifies the target as it stands, to be compared; a Failure where there is none
    open(question)    a Session on it
    evaluate(word)    the address that an expression means; None where it means none
    """

    def __init__(self, extension, target, open_session, evaluate):
        self.extension = extension
        self.target, self.open, self.evaluate = target, open_session, evaluate
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
            return self._ask(question, color, width)
        except KeyboardInterrupt:
            self.drop()
            raise Failure("interrupted: nothing was changed, and the target stays as it was") from None
        except (self.extension.Error, ValueError, OSError, MemoryError) as error:
            raise Failure(str(error)) from None

    def _ask(self, question, color, width):
        key = (self.target(), question.opening)
        if self.session is None or key != self.key:
            self.drop()
            self.session, self.key = self.open(question), key
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
            address = self.evaluate(word)
            if address is not None:
                question.set_word(i, f"{address:#x}")
                changed = True
        return changed


def import_beside(path):
    """For a file that a debugger sources: what lies beside it can be imported."""
    here = os.path.dirname(os.path.realpath(path))
    if here not in sys.path:
        sys.path.insert(0, here)
    return here
