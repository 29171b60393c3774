"""Who may write to a process: src/patch/write.c alone. The sandbox, a program of its own, writes to its own ghost.

What is no known way to read is taken for a way to write: a request of ptrace that is not in the list below, or that does
not stand there by its name, is a finding, too."""
import ast
import re

import layers

WRITER = "src/patch/write.c"
TOOL = ("src/", "python/")

# Requests that change neither memory nor registers of who is traced.
HARMLESS = {"PTRACE_SEIZE", "PTRACE_INTERRUPT", "PTRACE_DETACH", "PTRACE_GETREGSET", "PTRACE_GETSIGINFO",
            "PTRACE_GETEVENTMSG", "PTRACE_EVENT_STOP", "PTRACE_O_EXITKILL"}
REQUEST = re.compile(r"\bPTRACE_\w+")
PTRACE = re.compile(r"(?<![\w.>])ptrace\s*\(\s*(\w+)?")
ALIAS = re.compile(r"[=(,&?:]\s*ptrace\s*([,):]|$)|\basm\b|\b__asm__\b")
BY_NAME = re.compile(r"\"(ptrace|process_vm_writev)\"")
NAME_TABLES = {"src/target/syscalls_x86_64.c"}     # names for people, no code
SYSCALL = re.compile(r"(?<![\w.>])syscall\s*\(\s*(?!SYS_)")
CALLS = re.compile(r"\b(process_vm_writev|process_madvise|pidfd_getfd|userfaultfd|SYS_ptrace|__NR_ptrace|SYS_process_\w+"
                   r"|__NR_process_\w+|SYS_pidfd_getfd|SYS_userfaultfd)\b")
WRITES_FILE = re.compile(r"\bO_(RDWR|WRONLY)\b|\bfopen\s*\([^)]*\"[^\"]*[wa+]")
MEMORY = re.compile(r"\"[^\"]*\bmem\"")
OFFSET_WRITE = re.compile(r"\b(pwrite(64|v2?)?|SYS_pwrite\w*)\s*\(")
OFFSET_WRITERS = {"src/base/outfile.c"}     # files of ours
DESCRIPTOR = re.compile(r"\bmem_fd\b")
FD_WRITE = re.compile(r"\b(p?write(64|v2?)?|sendfile|splice|copy_file_range|ftruncate|fallocate|dup[23]?|fdopen)\s*\(")
HOST = re.compile(r"\bhost_write\b")
HOST_HOMES = {WRITER, "src/target/host.c", "src/target/target.h"}   # set and declared there, called by the writer


def statements(code):
    """(first line, statement) of code without comments: a call may go over several lines."""
    line = 1
    for part in re.split(r"[;{}]", code):
        blank = part[:len(part) - len(part.lstrip())]
        yield line + blank.count("\n"), part
        line += part.count("\n")


def check(path, text):
    """Yields (line, finding) of a C file."""
    if not path.startswith(TOOL) or path == WRITER:
        return
    for number, statement in statements(layers.strip_comments(text)):
        plain = layers.strip_strings(statement)
        for request in REQUEST.findall(plain):
            if request not in HARMLESS:
                yield number, f"{request}: only {WRITER} may change a process"
        for call in PTRACE.finditer(plain):
            if not (call[1] or "").startswith("PTRACE_"):
                yield number, "ptrace() with a request that does not stand there by its name"
        if ALIAS.search(plain) or (BY_NAME.search(statement) and path not in NAME_TABLES):
            yield number, "ptrace() by another way than its name"
        if SYSCALL.search(plain):
            yield number, "syscall() with a number that does not stand there by its name"
        for call in CALLS.findall(plain):
            yield number, f"{call}: only {WRITER} may change a process"
        if MEMORY.search(statement) and WRITES_FILE.search(statement):
            yield number, "a process's memory opened for writing"
        if OFFSET_WRITE.search(plain) and path not in OFFSET_WRITERS:
            yield number, "a write at an offset: files of ours are written by src/base/outfile.c, memory never"
        if DESCRIPTOR.search(plain) and FD_WRITE.search(plain):
            yield number, "mem_fd is for reading"
        if HOST.search(plain) and path not in HOST_HOMES:
            yield number, f"host_write: only {WRITER} may write through a debugger"


# ---- the front ends of debuggers ---------------------------------------------------------------------------------

# What changes a process in the interfaces of gdb and LLDB; `write_word` is the one function that may, for hf_host.write.
CHANGES = {"write_memory", "WriteMemory", "write_register", "SetValueFromCString", "SetData", "assign", "Continue", "Kill", "Signal", "JumpToLine",
           "SetPC", "SetFP", "SetSP", "AllocateMemory", "Destroy"}
COMMANDS = {"execute", "HandleCommand", "HandleCommandF"}
HARMLESS_COMMANDS = ("info ", "show ", "alias ", "remote get ", "command script add ", "set {}")
WRITE_WORD = "write_word"


def said(node):
    """The text of a literal, with {} where something is put in; None: it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def check_python(path, text):
    """Yields (line, finding) of a front end."""
    if not path.startswith("python/"):
        return
    tree = ast.parse(text)
    allowed = {id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) and function.name == WRITE_WORD
               for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CHANGES and id(node) not in allowed:
            yield node.lineno, f"{node.attr}: only {WRITE_WORD} may change a process"
        if isinstance(node, ast.Constant) and node.value in CHANGES:
            yield node.lineno, f"{node.value} by another way than its name"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMMANDS:
            command = said(node.args[0]) if node.args else None
            if command is None or not command.startswith(HARMLESS_COMMANDS):
                yield node.lineno, "a command of the debugger that is not known to change nothing"
